//! What time alone brings about: requests that lapse, windows that begin and end, claims that become void, locks
//! that run out. And when to look again.
//!
//! What is due now and when the next is due are read off the same enumeration, so that nobody is woken for nothing.

use std::time::Duration;

use jit_proto::words::Uid;

use crate::context::Context;
use crate::event::Event;
use crate::model::{CLAIM_LIFE, Claim, Grant, Lock};
use crate::orders::stages;
use crate::state::State;
use crate::time::Moment;
use crate::timer::Timer;

/// The events that are due, in a fixed order: a window that goes on from another begins before that one ends.
/// What they bring about may make more due in the same moment.
#[must_use]
pub fn due(here: Context<'_>) -> Vec<Event> {
    let (begin, rest): (Vec<_>, Vec<_>) =
        all(here).filter_map(Timer::event).partition(|event| matches!(event, Event::Began { .. }));
    let (end, rest): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|event| matches!(event, Event::Ended { .. }));
    rest.into_iter().chain(begin).chain(end).collect()
}

/// How long nothing will be due, if the clocks run evenly; absent when nothing waits.
#[must_use]
pub fn next(here: Context<'_>) -> Option<Duration> {
    all(here).map(|timer| timer.quiet()).min()
}

/// The beginnings and ends that a check of this uid has to notice: a clock that steps back afterwards must not undo
/// them.
#[must_use]
pub fn of(state: &State, uid: Uid, now: &Moment) -> Vec<Event> {
    let due = state.grants_of(uid).filter_map(|grant| of_grant(grant, state, now).event());
    let (begin, end): (Vec<_>, Vec<_>) = due.partition(|event| matches!(event, Event::Began { .. }));
    begin.into_iter().chain(end).collect()
}

/// One timer for each thing that time alone can change.
fn all(here: Context<'_>) -> impl Iterator<Item = Timer> {
    let Context { state, now, .. } = here;
    let requests = state.pending().values().filter_map(move |pending| stages::lapses(here, pending));
    let claims = state.held_claims().map(move |claim| of_claim(claim, now));
    let locks = state.locks().values().filter_map(move |lock| of_lock(lock, now));
    let grants = state.grants().map(move |grant| of_grant(grant, state, now));
    requests.chain(claims).chain(locks).chain(grants)
}

fn of_claim(claim: &Claim, now: &Moment) -> Timer {
    let left = CLAIM_LIFE.saturating_sub(now.since(&claim.at));
    if left.is_zero() {
        return Timer::Due(Event::ClaimVoided { grant: claim.grant, claim: claim.id });
    }
    Timer::In(left)
}

fn of_lock(lock: &Lock, now: &Moment) -> Option<Timer> {
    let left = lock.remaining(now)?;
    if left.is_zero() {
        return Some(Timer::Due(Event::Unlocked { scope: lock.scope.clone(), expired: true, reason: None }));
    }
    Some(Timer::In(left))
}

fn of_grant(grant: &Grant, state: &State, now: &Moment) -> Timer {
    // One that begins in this moment is looked at when it has.
    if let Some(window) = state.begun(grant, now) {
        return Timer::Due(Event::Began { grant: grant.id, window });
    }
    match state.over(grant, now) {
        Some(why) => Timer::Due(Event::Ended { grant: grant.id, why, reason: None }),
        None => Timer::In(state.quiet_for(grant, now)),
    }
}
