//! What time brings about at the desk, and the end of its business.

use std::sync::Arc;
use std::time::Duration;

use jit_core::due;
use jit_core::event::Event;
use jit_core::orders::trial::next as trial_next;

use super::checkpoints::Closed;
use super::outage::Outage;
use super::room::{Desk, Open, Room};
use crate::log;
use crate::store::writer::Batch;

/// How long the desk sleeps at most, so that a stepped wall clock is noticed.
const IDLE: Duration = Duration::from_mins(1);

impl Desk {
    /// Writes what time has brought about. Returns how long nothing more will be due.
    pub(crate) fn tick(&self) -> Duration {
        let mut room = self.enter();
        let Room::Open(open) = &mut *room else { return IDLE };
        let now = self.sense(open);
        if let Err(err) = self.end_trial(open, &now) {
            log::error(err);
        }
        let counts = open.tally.due(&now).into_iter().map(|(actor, event)| (Some(actor), vec![event]));
        self.commit_all(open, &now, counts.collect());
        if open.clock.is_due(&now) {
            // Nobody waits for it, and it is no news.
            let clock = Some(open.clock.to_write(&now));
            drop(self.queue.commit(Batch { clock, ..Batch::default() }));
        }
        let Some(policy) = open.policy.as_ref().map(|known| Arc::clone(&known.policy)) else { return IDLE };
        let due = |open: &Open| due::due(self.here(&policy, open, &now));
        if let Err(err) = self.commit_until_quiet(open, &now, due) {
            log::error(err);
        }
        let next = due::next(self.here(&policy, open, &now));
        let quiet = next.unwrap_or(IDLE).min(IDLE).as_millis();
        open.quiet_until = now.boot.saturating_add(u64::try_from(quiet).unwrap_or(0));
        let next = next.into_iter().chain(open.tally.next(&now)).chain(trial_next(&open.state, &now));
        next.fold(IDLE, Duration::min)
    }

    /// Records what is held back and that jitd stops. The ticket says when that is on disk.
    pub(crate) fn close(&self) -> Option<Closed> {
        let mut room = self.enter();
        let Room::Open(open) = &mut *room else { return None };
        let now = self.sense(open);
        let counts = open.tally.drain().into_iter().map(|(actor, event)| (Some(actor), vec![event]));
        self.commit_all(open, &now, counts.collect());
        let stopped = open
            .apply(None, &now, vec![Event::Stopped])
            .map(|batch| self.queue.commit(Batch { clock: Some(open.clock.closed(&now)), ..batch }));
        let next_seq = open.state.next_seq();
        *room = Room::Down(Outage { why: "it is stopping".into(), since: None });
        match stopped {
            Ok(ticket) => Some(Closed { ticket, next_seq, now }),
            Err(err) => {
                log::error(format_args!("the stop could not be recorded: {err}"));
                None
            }
        }
    }
}
