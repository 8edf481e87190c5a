//! Orders at the desk: judged against what is true now, and what follows from them.

use std::sync::Arc;
use std::time::Duration;

use jit_core::context::Context;
use jit_core::due;
use jit_core::event::Event;
use jit_core::model::{Actor, Caller, Grant, Pending, RefusedOrder, Request};
use jit_core::orders::Refusal;
use jit_core::orders::stages::{self, Waiting};
use jit_core::policy::{Limits, Starts, Uses};
use jit_core::time::Moment;
use jit_proto::words::{GrantId, RequestId};

use super::looked::{Looked, Word};
use super::not_done::NotDone;
use super::outage::CannotDecide;
use super::room::Desk;
use crate::store::writer::Ticket;

impl Desk {
    /// Judges an order against what is true now, and lets happen what follows from it. The ticket says when that is
    /// on disk. Who gives it is judged here too, by the groups that count now.
    pub(crate) fn order(
        &self,
        actor: Actor,
        by: &Looked,
        trust: Word,
        judge: &impl Fn(Context<'_>, &Caller) -> Result<Vec<Event>, Refusal>,
    ) -> Result<Ticket, NotDone> {
        self.order_judged(actor, |here| by.judged(here, trust, judge))
    }

    /// Lets happen what follows from an order that was given before, on no further word of whoever gave it.
    pub(crate) fn follow_up(
        &self,
        actor: Actor,
        judge: impl FnOnce(Context<'_>) -> Result<Vec<Event>, Refusal>,
    ) -> Result<Ticket, NotDone> {
        self.order_judged(actor, |here| Ok(judge(here)?))
    }

    fn order_judged(
        &self,
        actor: Actor,
        judge: impl FnOnce(Context<'_>) -> Result<Vec<Event>, NotDone>,
    ) -> Result<Ticket, NotDone> {
        let tickets = self.tickets.now();
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            open.tickets = tickets;
            // Nobody reviews or extends what time has ended already. The timer keeps an eye on all that; under many
            // requests it takes milliseconds to look, and an order looks only where something may be due.
            if now.boot >= open.quiet_until {
                self.commit_until_quiet(open, now, |open| due::due(self.here(&policy, open, now)))?;
            }
            let events = judge(self.here(&policy, open, now))?;
            Ok(self.commit(open, Some(actor), now, events)?)
        })
    }

    /// Lets happen what jitd itself has found out or has to do. Nobody waits for it. Returns how many events that were.
    pub(crate) fn carry(&self, judge: impl Fn(Context<'_>) -> Vec<Event>) -> Result<usize, CannotDecide> {
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            // A session's end is judged by windows that are as the clock has them.
            self.commit_until_quiet(open, now, |open| due::due(self.here(&policy, open, now)))?;
            let events = judge(self.here(&policy, open, now));
            let count = events.len();
            if count > 0 {
                drop(self.commit(open, None, now, events)?);
            }
            Ok(count)
        })
    }

    /// Counts an order that was refused to whoever gave it, and records it where it is the first of its kind. Nobody waits
    /// for that (law 7).
    pub(crate) fn note_refused(&self, refused: RefusedOrder, actor: Actor) {
        let noted = self.with_policy(|open, now| match open.tally.note_order(refused, actor, now) {
            Some(event) => self.commit(open, Some(actor), now, vec![event]).map(drop),
            None => Ok(()),
        });
        // Where jitd cannot decide, it says by itself why.
        drop(noted);
    }

    /// Whether the caller may give admin's orders.
    pub(crate) fn admin(&self, by: &Looked, trust: Word) -> Result<(), NotDone> {
        self.look(|here| by.judged(here, trust, &|here, caller| here.admin(caller)))?
    }

    /// How each of these requests stands, and at which moment. Nothing is to be reviewed where it is not known what is
    /// true now.
    pub(crate) fn standing(&self, ids: &[RequestId]) -> (Vec<Standing>, Moment) {
        let standing =
            |here: Context<'_>| (ids.iter().map(|id| Standing::of(here, *id)).collect(), here.now.clone());
        self.look(standing).unwrap_or_else(|_| (vec![Standing::default(); ids.len()], self.now()))
    }

    /// Enters in the audit what there is to say of those who got in through `recovery=`. The ticket says when that is on
    /// disk, and their notes may go.
    pub(crate) fn enter_recovered(&self, events: Vec<Event>) -> Result<Ticket, CannotDecide> {
        self.with_policy(|open, now| self.commit(open, None, now, events))
    }
}

/// How a request stands by what is known and by today's policy: what its story does not tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    /// What it waits for, where it can be reviewed.
    pub(crate) waits: Option<WaitsFor>,
    /// Whether no use is left of it.
    pub(crate) is_spent: bool,
    /// From where, when and as whom it would admit, where it has not opened.
    pub(crate) limits: Limits,
    /// For how long it would wait for its first login, where its window would begin with that.
    pub(crate) first_use: Option<Duration>,
}

impl Standing {
    /// Of this one, as it is known now.
    pub(crate) fn of(here: Context<'_>, id: RequestId) -> Self {
        let pending = here.state.reviewable(id);
        let grant = here.state.grant(GrantId::from(id));
        let role = pending.and_then(|pending| here.policy.role(&pending.request.role));
        // What has opened has its terms with it.
        let role = role.filter(|_| grant.is_none());
        let begins = role.zip(pending).and_then(|(role, pending)| match role.starts {
            Starts::AtFirstUse { lapse } => {
                let Request { start, extends, .. } = &pending.request;
                (start.is_none() && extends.is_none()).then_some(lapse)
            }
            Starts::AtApproval | Starts::WithHours => None,
        });
        Self {
            waits: pending.map(|pending| waits_of(here, pending)),
            is_spent: grant.is_some_and(|grant| is_spent(here, grant)),
            limits: role.map(|role| role.limits.clone()).unwrap_or_default(),
            first_use: begins,
        }
    }
}

/// Whether no use is left, under the stricter of what was approved and today's policy. A role that is gone admits nobody.
fn is_spent(here: Context<'_>, grant: &Grant) -> bool {
    grant.is_spent(here.policy.role(&grant.role).map_or(Uses::Unlimited, |role| role.uses))
}

/// What a request waits for, and for how long its stage does.
pub(crate) type WaitsFor = (Option<Waiting>, Option<Duration>);

/// What this one waits for.
fn waits_of(here: Context<'_>, pending: &Pending) -> WaitsFor {
    (Waiting::of(here, pending), stages::stage_ends_in(here, pending))
}
