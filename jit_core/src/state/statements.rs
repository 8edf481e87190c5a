//! What is remembered of signed statements: it is never forgotten, so that nothing counts twice however long it is kept.

use jit_proto::words::RequestId;

use super::{Row, State};
use crate::digest::Digest;
use crate::event::{Event, Record};
use crate::model::{Serial, Since, Taken, Tombstone};
use crate::sign::revoke::What;

impl State {
    /// What grant had this serial, if it is spent.
    #[must_use]
    pub fn taken(&self, serial: Serial) -> Option<&Taken> {
        self.taken.get(&serial)
    }

    /// Whether a lock had it. Whoever approves must not be able to spend an admin's serial by a grant.
    #[must_use]
    pub fn is_taken_by_a_lock(&self, serial: Serial) -> bool {
        self.taken_locks.contains_key(&serial)
    }

    /// Whether a request is that of a signed grant.
    #[must_use]
    pub fn came_signed(&self, request: RequestId) -> bool {
        self.taken.values().any(|taken| taken.request == Some(request))
    }

    /// Who revoked this serial, if somebody did.
    #[must_use]
    pub fn tombstone(&self, serial: Serial) -> Option<&Tombstone> {
        self.tombstones.get(&serial)
    }

    /// Since when this host knows what it has taken; absent before the first record.
    #[must_use]
    pub const fn since(&self) -> Option<Since> {
        self.since
    }

    /// Remembers what a record says of statements.
    pub(super) fn remember(&mut self, record: &Record) -> Vec<Row> {
        let mut rows: Vec<Row> = self.begins_to_know(record).into_iter().collect();
        if let Event::Requested { request } = &record.event
            && let Some(ahead) = &request.ahead
        {
            let (serial, text) = (ahead.serial, ahead.text);
            rows.push(self.spend(Taken { serial, text, request: Some(request.id) }));
        }
        if let Event::Locked { statement: Some(statement), .. } = &record.event
            && let Some(serial) = statement.serial
        {
            let text = Digest::of(statement.signed.text.as_bytes());
            rows.push(self.spend(Taken { serial, text, request: None }));
        }
        if let Event::RevokeTaken { revokes: What::Serial(serial), by, .. } = &record.event {
            let stone = Tombstone { serial: *serial, by: by.clone(), at: record.at.wall };
            // The first is the one that holds.
            let stone = self.tombstones.entry(stone.serial).or_insert(stone);
            rows.push(Row::Tombstone(stone.clone()));
        }
        rows
    }

    fn spend(&mut self, taken: Taken) -> Row {
        let all = if taken.is_of_a_lock() { &mut self.taken_locks } else { &mut self.taken };
        Row::Taken(all.entry(taken.serial).or_insert(taken).clone())
    }

    /// Since when, as this record changes it.
    fn begins_to_know(&mut self, record: &Record) -> Option<Row> {
        let at = record.at.wall;
        let is_vouched_for =
            matches!(record.event, Event::ClockAccepted { .. } | Event::ClockRecovered { .. });
        let since = if matches!(record.event, Event::Elsewhere { .. }) {
            Since { at, went_back: true }
        } else if self.since.is_none() && record.seq == 0
            // The clock was wrong when the host went back, or was first seen.
            || is_vouched_for && self.since.is_some_and(|since| since.went_back || at < since.at)
        {
            Since { at, went_back: false }
        } else {
            return None;
        };
        self.since = Some(since);
        Some(Row::Since(since))
    }
}
