//! A process, told from all others.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Moment;

/// The ticks in which a start time is counted, in milliseconds (USER_HZ of time(7)).
const TICK: u64 = 10;

/// A process that cannot be mistaken for another that took its pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Leader {
    /// The process id.
    pub pid: u32,
    /// Its start time: field 22 of /proc/PID/stat (proc(5)).
    pub start: u64,
}

/// A process that asks about somebody, as it was seen while it waited for the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// Which it is.
    pub process: Leader,
    /// The pid of the process that started it.
    pub parent: u32,
    /// The control group that it runs in, from systemd's root.
    pub group: String,
}

impl Asking {
    /// Why it is no process of one connection, as far as that can be seen: nothing has started it for one. What accepts
    /// connections starts a process for each, and so does systemd where a socket has `Accept=yes` (systemd.socket(5)).
    #[must_use]
    pub fn serves_others(&self) -> Option<String> {
        let unit = unit(&self.group);
        let is_of_connection = unit.is_some_and(is_of_connection);
        (self.parent <= 1 && !is_of_connection).then(|| {
            format!(
                "process {} is {} itself and serves others, too",
                self.process.pid,
                unit.unwrap_or("init")
            )
        })
    }

    /// Since when it has been there, in whole ticks.
    pub(crate) fn age(&self, now: &Moment) -> Duration {
        Duration::from_millis(now.boot.saturating_sub(self.process.start.saturating_mul(TICK)))
    }

    /// Whether it runs in a service of the system's, as [`is_service`] has it.
    pub(crate) fn is_in_service(&self) -> bool {
        is_service(&self.group)
    }
}

/// Whether a control group is that of a service of the system's, and no part of one: of what runs there nothing is of a
/// person's own manager or login.
#[must_use]
pub fn is_service(group: &str) -> bool {
    let is_whole = |unit: &str| group.ends_with(&format!("/{unit}"));
    !group.starts_with("/user.slice/")
        && unit(group).is_some_and(|unit| unit.strip_suffix(".service").is_some() && is_whole(unit))
}

/// The unit of a control group: the first part of the path that is no slice.
pub(super) fn unit(group: &str) -> Option<&str> {
    group.split('/').find(|part| !part.is_empty() && part.strip_suffix(".slice").is_none())
}

/// Whether systemd has started a service for one connection: `NAME@NUMBER-ADDRESS:PORT-ADDRESS:PORT`.
fn is_of_connection(unit: &str) -> bool {
    let instance = unit.strip_suffix(".service").and_then(|unit| unit.split_once('@'));
    let Some((number, ends)) = instance.and_then(|(_, instance)| instance.split_once('-')) else {
        return false;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let has_port = |end: &str| end.rsplit_once(':').is_some_and(|(_, port)| is_number(port));
    is_number(number) && ends.rsplit_once('-').is_some_and(|(here, there)| has_port(here) && has_port(there))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nothing_has_started_for_one_connection_serves_others_too() {
        let serves_others = |pid, parent, group: &str| {
            Asking { process: Leader { pid, start: 1 }, parent, group: group.into() }.serves_others()
        };
        for own in ["/system.slice/vsftpd.service", "/user.slice/user-0.slice/session-1.scope", "/"] {
            assert_eq!(serves_others(229, 200, own), None, "{own}");
        }
        assert_eq!(
            serves_others(200, 1, "/system.slice/vsftpd.service").as_deref(),
            Some("process 200 is vsftpd.service itself and serves others, too")
        );
        // By inetd's way systemd starts one for each connection, and counts them.
        let of_one = "/system.slice/system-ftp.slice/ftp@3-127.0.0.1:21-127.0.0.1:40000.service";
        assert_eq!(serves_others(229, 1, of_one), None);
        for of_all in [
            "/system.slice/system-openvpn.slice/openvpn-server@site.service",
            "/system.slice/postgresql@15-main.service/sub",
            "/system.slice/x@-127.0.0.1:21-127.0.0.1:40000.service",
            "/system.slice/x@3-127.0.0.1:21.service",
            "/init.scope",
            "/",
        ] {
            assert!(serves_others(229, 1, of_all).is_some(), "{of_all}");
        }
        assert!(serves_others(1, 0, "/init.scope").is_some());
    }

    #[test]
    fn a_service_of_the_systems_is_no_part_of_one_and_nothing_of_a_persons() {
        for of_system in ["/system.slice/vsftpd.service", "/site.slice/x.service", "/x.service"] {
            assert!(is_service(of_system), "{of_system}");
        }
        for other in [
            "/user.slice/user-1001.slice/user@1001.service",
            "/user.slice/user-1001.slice/user@1001.service/app.slice/x.service",
            "/system.slice/vsftpd.service/sub",
            "/system.slice/vsftpd.service/sub/vsftpd.service.d",
            "/user.slice/user-0.slice/session-1.scope",
            "/",
        ] {
            assert!(!is_service(other), "{other}");
        }
    }
}
