//! What a sync is about, and what it has done.

use jit_core::proof::note::PublicKey;
use jit_core::time::Utc;
use jit_exchange::folder::Bad;
use jit_proto::words::HostName;
use serde::Serialize;

/// This host, as its jitd says.
pub(super) struct Here {
    pub(super) host: HostName,
    pub(super) key: PublicKey,
    pub(super) fingerprint: String,
    /// Whether the caller may see everything: root, admins and auditors.
    pub(super) sees_all: bool,
    pub(super) now: Utc,
}

/// What was done.
#[derive(Debug, Default, Serialize)]
pub(super) struct Done {
    pub(super) host: String,
    /// Requests that were put out.
    pub(super) requests: usize,
    /// Those that were there, and wait no longer.
    pub(super) removed: usize,
    /// Those that wait for reviews which cannot be signed.
    pub(super) unsignable: usize,
    /// Records that were put out.
    pub(super) records: u64,
    /// How many records the newest checkpoint covers that is there now; null where the caller may not read the log.
    pub(super) checkpoint: Option<u64>,
    /// What was taken in.
    pub(super) taken: Vec<Taken>,
    /// What was refused, now.
    pub(super) refused: Vec<NotTaken>,
    /// How many were refused before, and were not brought again.
    pub(super) refused_before: usize,
    /// How many the host has already, or has no use for any more.
    pub(super) known: usize,
    /// How many are for other hosts.
    pub(super) elsewhere: usize,
    /// What else a person should know.
    pub(super) notes: Vec<String>,
    /// What could not be done of this.
    pub(super) undone: Vec<String>,
}

/// A statement that counted.
#[derive(Debug, Serialize)]
pub(super) struct Taken {
    pub(super) file: String,
    pub(super) request: String,
    pub(super) state: String,
    pub(super) text: String,
}

/// One that did not.
#[derive(Debug, Serialize)]
pub(super) struct NotTaken {
    pub(super) file: String,
    pub(super) why: String,
}

impl Done {
    /// Something in the folder could not be read or written. What was done stays.
    pub(super) fn bad(&mut self, what: &str, bad: &Bad) {
        let why = if bad.is_full() {
            "there is no room left; what was put out before is whole: make room, and sync again"
        } else if bad.is_read_only() {
            "it is not yours to write, or read-only; what it has was taken in all the same"
        } else {
            "the rest was left as it is"
        };
        self.undone.push(format!("{what}: {bad} ({why})"));
    }
}
