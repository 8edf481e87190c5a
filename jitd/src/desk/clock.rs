//! The clocks at the desk: every moment is sampled, judged, and what that says of them is recorded.

use std::sync::Arc;

use jit_core::clock::Trust;
use jit_core::model::Actor;
use jit_core::orders::Refusal;
use jit_core::time::Moment;
use jit_proto::words::Reason;

use super::looked::{Looked, Word};
use super::not_done::NotDone;
use super::outage::CannotDecide;
use super::room::{Desk, Open, Room};
use crate::log;
use crate::store::writer::Ticket;

impl Desk {
    /// The clocks now.
    pub(crate) fn now(&self) -> Moment {
        match &*self.enter() {
            Room::Open(open) | Room::Opening(open) => open.clock.moment(&self.clock.sample(open.synced)),
            Room::Down(_) => self.clock.sample(None).believed(),
        }
    }

    /// What is known of the clock.
    pub(crate) fn clock(&self) -> Result<(Moment, Trust), CannotDecide> {
        self.with_policy(|open, now| Ok((now.clone(), open.clock.clone())))
    }

    /// Takes note of what the kernel thinks of the wall clock, and looks at the clock again.
    pub(crate) fn synchronised(&self, synced: Option<bool>) {
        if let Room::Open(open) = &mut *self.enter() {
            open.synced = synced;
            self.sense(open);
        }
    }

    /// Takes an admin's word that the clock is right, and says how it was before.
    pub(crate) fn accept_clock(
        &self,
        actor: Actor,
        by: &Looked,
        trust: Word,
        reason: Option<Reason>,
    ) -> Result<((Moment, Trust), Ticket), NotDone> {
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            let here = self.here(&policy, &open.state, now);
            by.judged(here, trust, &|here, caller| here.admin(caller))?;
            let before = (now.clone(), open.clock.clone());
            let sample = self.clock.sample(open.synced);
            let accepted = open.clock.accept(&sample, reason).map_err(Refusal::from)?;
            open.clock_changed = true;
            let now = open.clock.moment(&sample);
            Ok((before, self.commit(open, Some(actor), &now, vec![accepted])?))
        })
    }

    /// Samples the clocks, and records what that says about them. Whatever happens in this moment is judged by it.
    pub(super) fn sense(&self, open: &mut Open) -> Moment {
        let sample = self.clock.sample(open.synced);
        let told = open.clock.see(&sample);
        let now = open.clock.moment(&sample);
        if let Some(event) = told {
            open.clock_changed = true;
            if !now.is_trusted() {
                self.doubted.notify(usize::MAX);
            }
            if let Err(err) = self.commit(open, None, &now, vec![event]) {
                log::error(err);
            }
        }
        now
    }
}
