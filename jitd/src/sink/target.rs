//! One log that takes records.

use jit_core::audit::line::Line;
use jit_core::event::Record;

/// Why a log did not take a record.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// There is no such log on this machine now. Nothing to report; looked for again at the next record.
    Absent,
    /// It is there and does not take it. Tried again soon.
    Failing(std::io::Error),
}

/// Which records a log is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    /// Every one, from the first.
    All,
    /// Those written since it was turned on.
    New,
    /// None: it is off. Nothing is kept waiting for it.
    Nothing,
}

/// A log that records are sent to.
pub(super) trait Sink {
    /// The name of its cursor.
    fn name(&self) -> &'static str;
    /// Which records it is to have, as things stand now.
    fn wants(&self) -> Wants {
        Wants::All
    }
    /// Sends one record, whose exact bytes these are; returns when the log has it.
    fn send(&mut self, record: &Record, line: &Line, bytes: &[u8]) -> Result<(), NotTaken>;
}
