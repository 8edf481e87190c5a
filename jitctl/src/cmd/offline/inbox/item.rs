//! A request that lies in an exchange, and what was said to it.

use jit_core::sign::file::RequestFile;

use crate::times::{now, time};

/// What somebody has said to a request, by a signature that is one of that text.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The fingerprint of the key.
    pub(super) key: String,
    pub(super) is_denial: bool,
}

/// A request that lies in an exchange.
pub(super) struct Item {
    pub(super) file: RequestFile,
    /// Why it is not to be signed.
    pub(super) trouble: Option<String>,
    /// By which keys it is answered already, and how.
    pub(super) answers: Vec<Answer>,
}

impl Item {
    pub(super) fn state(&self) -> String {
        if let Some(why) = &self.trouble {
            return format!("refused: {why}");
        }
        let denied = self.answers.iter().filter(|answer| answer.is_denial).count();
        match (self.answers.len() - denied, denied) {
            (0, 0) => "waits".to_owned(),
            (signed, 0) => format!("signed by {signed}"),
            (0, denied) => format!("denied by {denied}"),
            (signed, denied) => format!("signed by {signed}, denied by {denied}"),
        }
    }
}

/// Why a request that is over is not to be signed.
pub(super) fn expired(file: &RequestFile) -> Option<String> {
    (file.expires <= now()).then(|| format!("a signature counted until {}", time(&file.expires.to_seconds())))
}
