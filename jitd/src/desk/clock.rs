//! The clocks at the desk: every moment is sampled, judged, and what that says of them is recorded.

use std::sync::Arc;

use jit_core::clock::{NotAccepted, Trust};
use jit_core::context::Context;
use jit_core::model::{Actor, BySignature};
use jit_core::orders::{Refusal, signed_clock};
use jit_core::proof::note::HostKey;
use jit_core::sign::clock::Challenge;
use jit_core::time::Moment;
use jit_proto::words::Reason;

use super::looked::{Looked, Word};
use super::not_done::NotDone;
use super::outage::CannotDecide;
use super::room::{Desk, Open, Room};
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
            let here = self.here(&policy, open, now);
            by.judged(here, trust, &|here, caller| here.admin(caller))?;
            let before = (now.clone(), open.clock.clone());
            let sample = self.clock.sample(open.synced);
            let accepted = open.clock.accept(&sample, reason, None).map_err(Refusal::from)?;
            open.clock_changed = true;
            let now = open.clock.moment(&sample);
            Ok((before, self.commit(open, Some(actor), &now, vec![accepted])?))
        })
    }

    /// What an admin elsewhere is asked while the clock is suspect: an answer to it counts for this suspicion alone.
    pub(crate) fn challenge(&self, key: &HostKey) -> Result<Challenge, NotDone> {
        let (now, trust) = self.clock()?;
        let episode =
            signed_clock::episode(&now, &trust).ok_or(NotAccepted::Trusted).map_err(Refusal::from)?;
        Ok(Challenge::of(&self.host.name, key, &episode, now.boot))
    }

    /// Takes the signed word of an admin elsewhere that the clock is right, and says how it was before.
    pub(crate) fn accept_signed_clock(
        &self,
        actor: Actor,
        reason: Option<&Reason>,
        judge: impl FnOnce(Context<'_>, &Trust) -> Result<BySignature, Refusal>,
    ) -> Result<((Moment, Trust), Ticket), NotDone> {
        self.with_policy(|open, _| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            // What is judged is the very sample that is accepted.
            let sample = self.clock.sample(open.synced);
            let now = open.clock.moment(&sample);
            let statement = judge(self.here(&policy, open, &now), &open.clock)?;
            let before = (now, open.clock.clone());
            let accepted = open.clock.accept(&sample, reason.cloned(), Some(Box::new(statement)));
            let accepted = accepted.map_err(Refusal::from)?;
            open.clock_changed = true;
            let now = open.clock.moment(&sample);
            Ok((before, self.commit(open, Some(actor), &now, vec![accepted])?))
        })
    }

    /// Samples the clocks and the room that there is, and records what that says about them. Whatever happens in this moment
    /// is judged by it.
    pub(super) fn sense(&self, open: &mut Open) -> Moment {
        let sample = self.clock.sample(open.synced);
        let told = open.clock.see(&sample);
        let now = open.clock.moment(&sample);
        if told.is_some() {
            open.clock_changed = true;
            if !now.is_trusted() {
                self.doubted.notify(usize::MAX);
            }
        }
        let room = self.gauge.space().and_then(|space| open.watch.see(&open.state, space, &now));
        let events: Vec<_> = told.into_iter().chain(room).collect();
        self.commit_all(open, &now, vec![(None, events)]);
        now
    }
}
