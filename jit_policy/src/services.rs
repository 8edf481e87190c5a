//! Sets of PAM services as policy, requests, reviews and grants name them.
//!
//! `sudo` and `su` are words for several PAM services (DESIGN §1). A set that names one of the two holds all of them:
//! those that every host has are spelled out, for people and digests to see, and the others, as sudoers(5)
//! `pam_service=sudo-backup` makes them, are found by their name. A set that names `sudo-i` alone holds that alone.
//! This is the one place that knows what is in a set, and [`ServiceName::family`] the one that knows the words.

use std::collections::{BTreeSet, btree_set};

use jit_proto::words::ServiceName;
use serde::{Deserialize, Serialize};

/// Whether people log in by a service who are not in yet: by sudo and su they are in already, jobs and the kiosk let
/// nobody in, and the others are asked on behalf of whoever is in.
#[must_use]
pub fn is_login(service: &ServiceName) -> bool {
    const OTHERS: [&str; 11] = [
        "atd",
        "chfn",
        "chsh",
        "cron",
        "crond",
        "jit-kiosk",
        "passwd",
        "polkit-1",
        "runuser",
        "systemd-run0",
        "systemd-user",
    ];
    !service.is_su() && !service.is_sudo() && !OTHERS.contains(&service.family())
}

/// Whether somebody who logs in by a service may type orders there, as far as its name tells: at a file, mail or database
/// server nobody does, and of a name that is not known nothing is said.
#[must_use]
pub fn takes_orders(service: &ServiceName) -> Option<bool> {
    const DOORS: [&str; 6] = ["cockpit", "gdm", "lightdm", "login", "remote", "sddm"];
    const OTHERS: [&str; 15] = [
        "chpasswd",
        "cups",
        "dovecot",
        "ftp",
        "imap",
        "mysql",
        "newusers",
        "other",
        "pop3",
        "postgresql",
        "proftpd",
        "samba",
        "smtp",
        "vlock",
        "vsftpd",
    ];
    let name = service.as_str();
    if service.is_of_sshd() || DOORS.contains(&name) || name.starts_with("gdm-") {
        Some(true)
    } else if !is_login(service) || OTHERS.contains(&name) {
        Some(false)
    } else {
        None
    }
}

/// A set of PAM services. What an earlier version wrote reads as what its words mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "BTreeSet<ServiceName>")]
pub struct Services(BTreeSet<ServiceName>);

impl Services {
    /// Whether the service is one of them.
    #[must_use]
    pub fn contains(&self, service: &ServiceName) -> bool {
        self.0.contains(service) || self.0.contains(service.family())
    }

    /// Whether every one of the others is one of these.
    #[must_use]
    pub fn includes(&self, others: &Self) -> bool {
        others.0.iter().all(|other| self.contains(other))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As they are spelled out, in name order.
    pub fn iter(&self) -> btree_set::Iter<'_, ServiceName> {
        self.0.iter()
    }

    /// Those that are in both.
    #[must_use]
    pub fn both(&self, other: &Self) -> Self {
        let of = |one: &Self, in_: &Self| {
            one.0.iter().filter(|service| in_.contains(service)).cloned().collect::<BTreeSet<_>>()
        };
        Self(&of(self, other) | &of(other, self))
    }

    /// Those that are not in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|service| !other.contains(service)).cloned().collect())
    }
}

impl From<BTreeSet<ServiceName>> for Services {
    fn from(mut named: BTreeSet<ServiceName>) -> Self {
        for (word, login) in [("sudo", "sudo-i"), ("su", "su-l")] {
            if named.contains(word) {
                // These two always parse.
                named.extend(login.parse::<ServiceName>());
            }
        }
        Self(named)
    }
}

impl<const N: usize> From<[ServiceName; N]> for Services {
    fn from(named: [ServiceName; N]) -> Self {
        BTreeSet::from(named).into()
    }
}

impl FromIterator<ServiceName> for Services {
    fn from_iter<I: IntoIterator<Item = ServiceName>>(services: I) -> Self {
        services.into_iter().collect::<BTreeSet<_>>().into()
    }
}

impl<'a> IntoIterator for &'a Services {
    type Item = &'a ServiceName;
    type IntoIter = btree_set::Iter<'a, ServiceName>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(name: &str) -> ServiceName {
        name.parse().unwrap()
    }

    fn set(names: &[&str]) -> Services {
        names.iter().map(|name| service(name)).collect()
    }

    #[test]
    fn sudo_and_su_are_words_for_all_of_their_services() {
        let holds = |set: &Services, names: &[&str]| names.iter().all(|name| set.contains(&service(name)));
        assert!(holds(&set(&["sudo"]), &["sudo", "sudo-i", "sudo-backup"]));
        assert!(holds(&set(&["su"]), &["su", "su-l"]));
        assert!(!set(&["su"]).contains(&service("sudo")) && !set(&["sudo"]).contains(&service("su-l")));
        assert!(!set(&["sudo"]).contains(&service("sudoku")) && !set(&["su"]).contains(&service("su-x")));
    }

    #[test]
    fn people_log_in_by_no_service_that_takes_somebody_who_is_in_and_by_none_of_jobs() {
        for name in
            ["sudo", "sudo-i", "sudo-backup", "su-l", "cron", "atd", "polkit-1", "systemd-user", "jit-kiosk"]
        {
            assert!(!is_login(&service(name)), "{name}");
        }
        for name in ["sshd", "sshd-site", "login", "remote", "gdm-password", "cockpit", "sudoku"] {
            assert!(is_login(&service(name)), "{name}");
        }
    }

    #[test]
    fn whether_orders_are_given_by_a_service_is_said_of_names_that_are_known_alone() {
        for (names, said) in [
            (&["sshd", "sshd-site", "login", "remote", "gdm-password", "cockpit"][..], Some(true)),
            (
                &["sudo", "cron", "jit-kiosk", "vsftpd", "postgresql", "dovecot", "chpasswd", "other"],
                Some(false),
            ),
            (&["xrdp-sesman", "gdmx", "pg"], None),
        ] {
            assert!(names.iter().all(|name| takes_orders(&service(name)) == said), "{names:?}");
        }
    }

    #[test]
    fn a_set_that_names_one_of_them_holds_no_more_than_that() {
        for (named, others) in [("sudo-i", ["sudo", "sudo-backup"]), ("sudo-backup", ["sudo", "sudo-i"])] {
            let set = set(&[named]);
            assert!(set.contains(&service(named)));
            assert!(others.iter().all(|other| !set.contains(&service(other))), "{named}");
        }
    }

    #[test]
    fn what_two_sets_share_and_what_one_has_alone_go_by_what_the_words_mean() {
        let (sudo, backup) = (set(&["sudo", "sshd"]), set(&["sudo-backup", "cups"]));
        assert_eq!(sudo.both(&backup), set(&["sudo-backup"]));
        assert_eq!(backup.both(&sudo), set(&["sudo-backup"]));
        assert_eq!(backup.without(&sudo), set(&["cups"]));
        assert!(sudo.includes(&set(&["sudo-i", "sudo-backup"])) && !backup.includes(&sudo));
    }

    #[test]
    fn what_an_earlier_version_narrowed_to_sudo_opens_all_of_sudo() {
        let read: Services = serde_json::from_str(r#"["sudo"]"#).unwrap();
        assert_eq!(read, set(&["sudo"]));
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"["sudo","sudo-i"]"#);
    }
}
