//! The records as they come: which there were, which are missing, and the root over them.

use jit_core::digest::Digest;
use jit_core::event::Record;
use jit_core::proof::merkle::{Frontier, leaf};
use jit_core::time::Utc;
use serde::Serialize;

/// What a report was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogRead {
    /// How many records were read.
    pub records: u64,
    /// The number of the first.
    pub first: Option<u64>,
    /// The number of the last.
    pub last: Option<u64>,
    /// When the first was written, by the host's clock.
    pub begins: Option<Utc>,
    /// When the last was.
    pub ends: Option<Utc>,
    /// The root over them (RFC 6962), to be held against a checkpoint; absent unless all were read from record 0 on.
    pub root: Option<Digest>,
    /// Records that are missing among them, as first and last number.
    pub missing: Vec<(u64, u64)>,
    /// How many could not be read: a newer jitd wrote them, or nobody did.
    pub unread: u64,
    /// How many jitd said are not what was written.
    pub damaged: u64,
}

/// A record that stands before one that was read already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {found} comes where record {expected} or a later one is due")]
pub struct Backwards {
    /// The number that it has.
    pub found: u64,
    /// The least that it could have.
    pub expected: u64,
}

/// A record as it was read: most of the work of a report, which needs nothing of what was read before.
#[derive(Debug)]
pub struct ReadRecord {
    leaf: Digest,
    /// Absent where a newer jitd wrote it, or nobody did.
    record: Option<Record>,
}

impl ReadRecord {
    /// Reads the exact bytes of a record.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { leaf: leaf(bytes), record: Record::decode(0, bytes).ok() }
    }
}

/// Takes records, and keeps account of them.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    read: LogRead,
    tree: Frontier,
    next: u64,
}

impl Tape {
    /// The record, if it could be read.
    pub(crate) fn take(&mut self, read: ReadRecord) -> Result<Option<Record>, Backwards> {
        let ReadRecord { leaf, record } = read;
        let Some(record) = record else {
            self.read.unread += 1;
            self.count(self.next, leaf);
            return Ok(None);
        };
        if record.seq < self.next {
            return Err(Backwards { found: record.seq, expected: self.next });
        }
        if record.seq > self.next && self.read.records > 0 {
            self.read.missing.push((self.next, record.seq - 1));
        }
        self.count(record.seq, leaf);
        self.read.begins.get_or_insert(record.at.wall);
        self.read.ends = Some(record.at.wall);
        Ok(Some(record))
    }

    fn count(&mut self, seq: u64, leaf: Digest) {
        if seq == self.tree.size() {
            self.tree.append(leaf);
        }
        self.read.records += 1;
        self.read.first.get_or_insert(seq);
        self.read.last = Some(seq);
        self.next = seq.saturating_add(1);
    }

    pub(crate) const fn damaged(&mut self) {
        self.read.damaged += 1;
    }

    /// When the last record was written.
    pub(crate) const fn ends(&self) -> Option<Utc> {
        self.read.ends
    }

    pub(crate) fn finish(self) -> LogRead {
        let whole = self.read.records > 0 && self.tree.size() == self.read.records;
        LogRead { root: whole.then(|| self.tree.root()), ..self.read }
    }
}
