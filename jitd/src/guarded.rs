//! What this host's PAM files are, for `status`.

use std::sync::{Mutex, PoisonError};

use jit_core::model::PamFiles;
use jit_core::policy::Policy;
use jit_proto::words::ServiceName;

/// What is known of them.
#[derive(Default)]
pub(crate) struct Watched(Mutex<Option<PamFiles>>);

impl Watched {
    /// Takes what they are now.
    pub(crate) fn set(&self, files: PamFiles) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(files);
    }

    /// Whether the session stage of a service asks jitd, as far as its file says.
    pub(crate) fn opens_sessions(&self, service: &ServiceName) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut files = known.iter().flat_map(|files| &files.files);
        files.any(|file| file.name == service.as_str() && file.session)
    }

    /// What `status` says: services of the policy's roles by which people are let in unasked, though they were not.
    pub(crate) fn notes(&self, policy: Option<&Policy>) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = known.iter().flat_map(|files| &files.lost);
        lost.filter(|name| policy.is_some_and(|policy| is_managed(policy, name)))
            .map(|name| unguarded(name))
            .collect()
    }
}

/// Whether policy has a role for this service, also one that is meant by another's name (`sudo-i` by `sudo`).
pub(crate) fn is_managed(policy: &Policy, service: &str) -> bool {
    service.parse().is_ok_and(|service: ServiceName| policy.roles_for(&service).next().is_some())
}

/// What a log and `status` say of a service that lost the module.
pub(crate) fn unguarded(service: &str) -> String {
    format!(
        "UNGUARDED: /etc/pam.d/{service} named pam_jit.so and does not any more: people come in by it unasked; put its \
         account line back, or leave {service} out of the policy's roles"
    )
}
