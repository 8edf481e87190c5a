//! A store that is not where it was written.

use serde::{Deserialize, Serialize};

/// How the store came to be on a machine that is not the one it was written on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Elsewhere {
    /// It was copied: the machine id is another.
    Copied,
    /// The machine is the same and went back in time, or is a copy, as its hypervisor says; or it is not known which it was.
    WentBack,
}

impl Elsewhere {
    /// The word in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Copied => "copied",
            Self::WentBack => "went-back",
        }
    }
}
