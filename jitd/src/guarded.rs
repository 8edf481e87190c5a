//! What this host's PAM files are, for `status`.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jit_core::model::PamFiles;
use jit_core::policy::Policy;
use jit_host::binding::BINDING_LINE;
use jit_proto::words::ServiceName;

/// What is known of them.
#[derive(Default)]
pub(crate) struct Watched(Mutex<Known>);

#[derive(Default)]
struct Known {
    files: PamFiles,
    /// Those whose session line of the module's ends a login that it refuses.
    binding: BTreeSet<ServiceName>,
}

impl Watched {
    /// Takes what they are now.
    pub(crate) fn set(&self, files: PamFiles, binding: BTreeSet<ServiceName>) {
        *self.known() = Known { files, binding };
    }

    /// Whether a refusal at the session stage of a service ends the login, as far as its file says.
    pub(crate) fn binds(&self, service: &ServiceName) -> bool {
        self.known().binding.contains(service)
    }

    /// What `status` says: services of the policy's roles by which people are let in unasked, though they were not; and those
    /// of sshd by which no key is heard, where people share an account.
    pub(crate) fn notes(&self, policy: Option<&Policy>) -> Vec<String> {
        let Some(policy) = policy else { return Vec::new() };
        let known = self.known();
        let lost =
            known.files.lost.iter().filter(|name| is_managed(policy, name)).map(|name| unguarded(name));
        let binds = |name: &ServiceName| known.binding.contains(name);
        let of_sshd = known.files.files.iter().filter(|file| file.account && policy.people().share_any());
        let of_sshd = of_sshd.filter_map(|file| file.name.parse().ok()).filter(ServiceName::is_of_sshd);
        let loose = of_sshd.filter(|name| is_managed(policy, name.as_str()) && !binds(name));
        lost.chain(loose.map(|name| loose_line(&name))).collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether policy has a role for this service, also one that is meant by another's name (`sudo-i` by `sudo`).
pub(crate) fn is_managed(policy: &Policy, service: &str) -> bool {
    service.parse().is_ok_and(|service: ServiceName| policy.roles_for(&service).next().is_some())
}

/// What `status` says of sshd where a refusal at its session stage would not keep out whoever comes by another's key.
fn loose_line(service: &ServiceName) -> String {
    format!(
        "UNBOUND: the session line of pam_jit.so in /etc/pam.d/{service} does not end a login that it refuses, so windows of \
         people on shared accounts admit nobody there; to let them in, make it the first session line: {BINDING_LINE}"
    )
}

/// What a log and `status` say of a service that lost the module.
pub(crate) fn unguarded(service: &str) -> String {
    format!(
        "UNGUARDED: /etc/pam.d/{service} named pam_jit.so and does not any more: people come in by it unasked; put its \
         account line back, or leave {service} out of the policy's roles"
    )
}

#[cfg(test)]
mod tests {
    use jit_core::model::PamFileSeen;
    use jit_core::policy::SourceFile;

    use super::*;

    #[test]
    fn status_says_which_sshd_does_not_end_what_its_session_line_refuses_where_people_share_an_account() {
        let file = |name: &str, account: bool| PamFileSeen {
            name: name.to_owned(),
            digest: None,
            account,
            session: true,
            watches: false,
            recovery: Vec::new(),
        };
        let files = vec![
            file("sshd", true),
            file("sshd-vendor", true),
            file("sshd-other", true),
            file("sshd-loose", false),
            file("sudo", true),
        ];
        let watched = Watched::default();
        let binding = BTreeSet::from(["sshd-vendor".parse().unwrap()]);
        watched.set(PamFiles { files, ..PamFiles::default() }, binding);
        let policy = |people: &str| {
            let role = "[role.vendor]\nhosts = [\"*\"]\nservices = [\"sshd\", \"sshd-vendor\", \"sshd-loose\", \"sudo\"]\n\
                        eligible = { users = [\"support\"] }\nmax-duration = \"4h\"\n[[role.vendor.stage]]\nname = \"a\"\n\
                        approvers = { users = [\"root\"] }\n";
            let admins =
                "[admins]\nusers = [\"root\"]\n[[exempt]]\nusers = [\"root\"]\nservices = [\"login\"]\n";
            let text = format!("version = 1\n{admins}{people}{role}");
            let file = SourceFile { name: "a.toml".to_owned(), bytes: text.into() };
            Policy::parse(&[file]).unwrap().policy
        };
        let key = "SHA256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg";
        let shared =
            policy(&format!("[people]\nkim = {{ accounts = [\"support\"], ssh-keys = [\"{key}\"] }}\n"));
        let notes = watched.notes(Some(&shared));
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].contains("/etc/pam.d/sshd does not end") && notes[0].contains(BINDING_LINE));
        assert_eq!(watched.notes(Some(&policy(""))), [""; 0], "nobody shares one");
        let binds = |service: &str| watched.binds(&service.parse().unwrap());
        assert!(binds("sshd-vendor") && !binds("sshd"));
    }
}
