//! What time alone brings about: windows that end, claims that become void. And when to look again.

use std::time::Duration;

use jit_proto::words::Uid;

use crate::clock::Moment;
use crate::event::Event;
use crate::grant::{CLAIM_LIFE, EndWhy, Grant};
use crate::state::State;

/// The events that are due at `now`, in a fixed order.
#[must_use]
pub fn due(state: &State, now: &Moment) -> Vec<Event> {
    let voided = state
        .held_claims()
        .filter(|claim| now.since(&claim.at) >= CLAIM_LIFE)
        .map(|claim| Event::ClaimVoided { grant: claim.grant, claim: claim.id });
    voided.chain(state.grants().filter_map(|grant| end(grant, now))).collect()
}

/// The ends that a check of this uid has to notice: a clock that steps back afterwards must not undo them.
#[must_use]
pub fn ends_of(state: &State, uid: Uid, now: &Moment) -> Vec<Event> {
    state.grants_of(uid).filter_map(|grant| end(grant, now)).collect()
}

fn end(grant: &Grant, now: &Moment) -> Option<Event> {
    let same_boot = grant.window.start.boot_id == now.boot_id;
    let why = if same_boot { EndWhy::Expired } else { EndWhy::Reboot };
    grant.window.remaining(now).is_zero().then_some(Event::Ended { grant: grant.id, why, reason: None })
}

/// How long nothing will be due, if the clocks run evenly; absent when nothing waits.
#[must_use]
pub fn next(state: &State, now: &Moment) -> Option<Duration> {
    let claims = state.held_claims().map(|claim| CLAIM_LIFE.saturating_sub(now.since(&claim.at)));
    state.grants().map(|grant| grant.window.remaining(now)).chain(claims).min()
}
