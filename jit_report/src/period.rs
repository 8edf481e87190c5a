//! The time that a report is about.

use jit_core::time::Utc;
use serde::Serialize;

/// From when and up to when, by the wall clock of the records; half-open. Open where nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Period {
    /// The first moment of it; the beginning of the log if absent.
    pub since: Option<Utc>,
    /// The first moment behind it; the end of the log if absent.
    pub until: Option<Utc>,
}

impl Period {
    /// Whether a moment is in it.
    #[must_use]
    pub fn has(&self, at: Utc) -> bool {
        !self.is_before(at) && !self.is_behind(at)
    }

    /// Whether a moment is before it.
    #[must_use]
    pub fn is_before(&self, at: Utc) -> bool {
        self.since.is_some_and(|since| at < since)
    }

    /// Whether a moment is behind it.
    #[must_use]
    pub fn is_behind(&self, at: Utc) -> bool {
        self.until.is_some_and(|until| at >= until)
    }
}
