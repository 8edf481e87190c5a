//! Whose signatures and codes count, as it was last loaded: at the start, and whenever the policy is.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jit_core::code::CodeKeys;
use jit_core::sign::approvers::{Approvers, Revoked};
use jit_host::files::Owner;
use jit_host::signers::{APPROVERS, CODE_KEYS, REVOKED, read, read_code_keys};

use crate::log;

/// The two files, or what is wrong with them: then no signature counts.
pub(crate) type Known = Result<(Approvers, Revoked), String>;

/// See the module.
#[derive(Debug)]
pub(crate) struct Signers {
    known: Mutex<Arc<Known>>,
    codes: Mutex<Arc<KnownCodes>>,
}

/// The keys for codes, or what is wrong with their file: then no code counts.
pub(crate) type KnownCodes = Result<CodeKeys, String>;

/// Nobody, until they are loaded.
impl Default for Signers {
    fn default() -> Self {
        Self {
            known: Mutex::new(Arc::new(Ok(<(Approvers, Revoked)>::default()))),
            codes: Mutex::new(Arc::new(Ok(CodeKeys::default()))),
        }
    }
}

impl Signers {
    /// As they were last loaded.
    pub(crate) fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The keys for codes, as they were last loaded.
    pub(crate) fn codes(&self) -> Arc<KnownCodes> {
        Arc::clone(&self.codes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// As if the file of approvers had these.
    #[cfg(test)]
    pub(crate) fn take_approvers(&self, approvers: Approvers) {
        *self.known.lock().unwrap() = Arc::new(Ok((approvers, Revoked::default())));
    }

    /// As if the file had these.
    #[cfg(test)]
    pub(crate) fn take_codes(&self, keys: CodeKeys) {
        *self.codes.lock().unwrap() = Arc::new(Ok(keys));
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
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
        self.load_codes(Path::new(CODE_KEYS));
    }

    /// Reads the keys for codes, from where they are or from a test's file.
    pub(crate) fn load_codes(&self, path: &Path) {
        let codes = read_code_keys(path, Owner::RootSecret).map_err(|wrong| {
            log::error(format_args!("no code counts, since the file does not load:\n{}", wrong.join("\n")));
            wrong.first().cloned().unwrap_or_default()
        });
        *self.codes.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(codes);
    }
}
