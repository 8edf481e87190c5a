//! Events become records and rows.

use jit_core::audit::about::{About, about};
use jit_core::event::{Event, Record};
use jit_core::model::Actor;
use jit_core::state::Row;
use jit_core::time::Moment;

use super::outage::CannotDecide;
use super::room::Open;
use crate::store::writer::Batch;

/// An event on its way.
enum Step {
    /// It is noted with its session.
    Note(Event),
    /// It is a record.
    Record(Record),
}

impl Open {
    /// Applies events, and makes the batch of their records and rows.
    pub(super) fn apply(
        &mut self,
        actor: Option<Actor>,
        now: &Moment,
        events: Vec<Event>,
    ) -> Result<Batch, CannotDecide> {
        let mut batch = Batch::default();
        let mut next = self.state.next_seq();
        let steps = events.into_iter().map(|event| {
            if event.is_noted() {
                return Step::Note(event);
            }
            let record = Record { seq: next, at: now.clone(), actor, event };
            next += 1;
            Step::Record(record)
        });
        let steps: Vec<_> = steps.collect();
        // All or nothing: what cannot be written has not happened.
        for step in &steps {
            if let Step::Record(record) = step {
                batch.records.push(record.encode().map_err(|err| CannotDecide::Fault(err.to_string()))?);
            }
        }
        for step in &steps {
            let record = match step {
                Step::Note(event) => {
                    batch.rows.extend(self.state.note(now, actor, event));
                    continue;
                }
                Step::Record(record) => record,
            };
            let rows = self.state.apply(record);
            batch.about.extend(about(record).into_iter().map(|about| (record.seq, about)));
            // Whose session it is that closed, the record does not say.
            if let Event::SessionClosed { .. } = record.event {
                let closed = rows.first().and_then(|row| {
                    if let Row::SessionGone(id) = row {
                        return Some(*id);
                    }
                    if let Row::Session(session) = row { Some(session.id) } else { None }
                });
                batch.about.extend(closed.map(|id| (record.seq, About::Session(id))));
            }
            batch.rows.extend(rows);
        }
        // What is left is for what ends: whoever is refused does not take it.
        self.tally.has_room(!self.state.is_out_of_room());
        // An `allow` leaves no sooner than the time that it was given at is charged.
        if std::mem::take(&mut self.clock_changed) || self.clock.is_due(now) {
            batch.clock = Some(self.clock.to_write(now));
        }
        Ok(batch)
    }
}
