//! Why records are not moved out of the store.

use jit_proto::words::FileName;

use crate::policy::Retain;
use crate::time::Utc;

/// Why records stay where they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoArchive {
    /// Whoever moves the files of the host is root.
    #[error("only root moves records out of the store")]
    NotRoot,
    /// Policy does not let any go.
    #[error(
        "the policy keeps every record for ever; a floor, such as retain = \"3y\" (jit-policy(5)), lets older ones go"
    )]
    ForEver,
    /// Some of them have to stay.
    #[error("a record of {newest} is among them, and records stay {retain} at least")]
    Young {
        /// The latest time that any of them has.
        newest: Utc,
        /// The floor in the policy.
        retain: Retain,
    },
    /// A sink is owed some of them.
    #[error(
        "the records from {next} on have not been taken by {sink}, which gets them first; see: jitctl status"
    )]
    Unsent {
        /// The log that is owed them.
        sink: String,
        /// The first of those.
        next: u64,
    },
    /// They are not the next to go, or all that there is.
    #[error(
        "the records that can go are some of {first} to {last}, from the first on; see: jitctl audit archive --list"
    )]
    Range {
        /// The first that is in the store.
        first: u64,
        /// The last but one: one always stays.
        last: u64,
    },
    /// The file has others.
    #[error(
        "the root over what is in the file is not that of the log: {0} would lose records, and nothing was moved"
    )]
    OtherRoot(FileName),
}

impl NoArchive {
    /// What is on record of it, if it says who may not.
    #[must_use]
    pub const fn word(&self) -> Option<&'static str> {
        match self {
            Self::NotRoot => Some("not-permitted"),
            Self::ForEver
            | Self::Young { .. }
            | Self::Unsent { .. }
            | Self::Range { .. }
            | Self::OtherRoot(_) => None,
        }
    }
}
