//! Whose signatures count, as it was last loaded: at the start, and whenever the policy is.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jit_core::sign::approvers::{Approvers, Revoked};
use jit_host::files::Owner;
use jit_host::signers::{APPROVERS, REVOKED, read};

use crate::log;

/// The two files, or what is wrong with them: then no signature counts.
pub(crate) type Known = Result<(Approvers, Revoked), String>;

/// See the module.
#[derive(Debug)]
pub(crate) struct Signers(Mutex<Arc<Known>>);

/// Nobody, until they are loaded.
impl Default for Signers {
    fn default() -> Self {
        Self(Mutex::new(Arc::new(Ok(<(Approvers, Revoked)>::default()))))
    }
}

impl Signers {
    /// As they were last loaded.
    pub(crate) fn known(&self) -> Arc<Known> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files. What does not load takes the place of what did: a file that revokes a key and has a mistake in
    /// another line must not leave the key in force.
    pub(crate) fn load(&self) {
        let known = read(Path::new(APPROVERS), Path::new(REVOKED), Owner::Root).map_err(|wrong| {
            log::error(format_args!(
                "no signature counts, since the files do not load:\n{}",
                wrong.join("\n")
            ));
            wrong.first().cloned().unwrap_or_default()
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }
}
