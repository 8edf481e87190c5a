//! The codes that were wrong: kept while they count against a request that waits, or against the hour.

use std::time::Duration;

use super::{Row, State};
use crate::event::{Event, Record};
use crate::model::CodeTry;
use crate::time::Utc;

/// For how long a wrong code counts against whoever typed it, and against the host.
pub(crate) const SPAN: Duration = Duration::from_hours(1);

impl State {
    /// The codes that were wrong, oldest first.
    #[must_use]
    pub fn code_tries(&self) -> &[CodeTry] {
        &self.code_tries
    }

    /// Keeps a code that was wrong; one that was right and came to nothing is no guess.
    pub(super) fn refused_code(&mut self, record: &Record) -> Vec<Row> {
        let Event::CodeRefused { request, wrong: true, typed_by, .. } = record.event else {
            return Vec::new();
        };
        let at = record.at.wall;
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.code_tries)
            .into_iter()
            .partition(|one| counts_within(one, at) || self.reviewable(one.request).is_some());
        self.code_tries = kept;
        // At a login it is root's module that brings it.
        let by = typed_by.or(record.actor.map(|actor| actor.uid));
        let new = CodeTry { id: record.seq, request, by, at };
        self.code_tries.push(new.clone());
        gone.into_iter().map(|one| Row::CodeTryGone(one.id)).chain([Row::CodeTry(new)]).collect()
    }
}

/// Whether a wrong code is of the hour before this time, or, by a clock that has been set back a little, of the one behind
/// it. What is later still was typed while the clock ran ahead, and would hold codes up until that time comes.
pub(crate) fn counts_within(one: &CodeTry, now: Utc) -> bool {
    one.at.plus(SPAN) > now && one.at <= now.plus(SPAN)
}
