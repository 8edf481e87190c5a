//! What time alone brings about: requests that lapse, windows that begin and end, claims that become void, locks
//! that run out. And when to look again.

use std::time::Duration;

use jit_proto::words::Uid;

use crate::clock::Moment;
use crate::event::Event;
use crate::grant::{CLAIM_LIFE, Grant};
use crate::order::Here;
use crate::review;
use crate::state::State;

/// The events that are due, in a fixed order: a window that goes on from another begins before that one ends.
/// What they bring about may make more due in the same moment.
#[must_use]
pub fn due(here: Here<'_>) -> Vec<Event> {
    let Here { state, now, .. } = here;
    let lapsed = state.pending().values().filter_map(|pending| review::lapsed(here, pending));
    let voided = state
        .held_claims()
        .filter(|claim| now.since(&claim.at) >= CLAIM_LIFE)
        .map(|claim| Event::ClaimVoided { grant: claim.grant, claim: claim.id });
    let unlocked = state.locks().values().filter(|lock| !lock.holds(now)).map(|lock| Event::Unlocked {
        scope: lock.scope.clone(),
        expired: true,
        reason: None,
    });
    let begun = state.grants().filter_map(|grant| begin(grant, state, now));
    let ended = state.grants().filter_map(|grant| end(grant, state, now));
    lapsed.chain(voided).chain(unlocked).chain(begun).chain(ended).collect()
}

/// The beginnings and ends that a check of this uid has to notice: a clock that steps back afterwards must not undo
/// them.
#[must_use]
pub fn of(state: &State, uid: Uid, now: &Moment) -> Vec<Event> {
    let begun = state.grants_of(uid).filter_map(|grant| begin(grant, state, now));
    begun.chain(state.grants_of(uid).filter_map(|grant| end(grant, state, now))).collect()
}

fn begin(grant: &Grant, state: &State, now: &Moment) -> Option<Event> {
    grant.begun(state, now).map(|window| Event::Began { grant: grant.id, window })
}

fn end(grant: &Grant, state: &State, now: &Moment) -> Option<Event> {
    // One that begins in this moment is looked at when it has.
    if grant.begun(state, now).is_some() {
        return None;
    }
    grant.over(state, now).map(|why| Event::Ended { grant: grant.id, why, reason: None })
}

/// How long nothing will be due, if the clocks run evenly; absent when nothing waits.
#[must_use]
pub fn next(here: Here<'_>) -> Option<Duration> {
    let Here { state, now, .. } = here;
    let requests = state.pending().values().filter_map(|pending| review::lapses_in(here, pending));
    let claims = state.held_claims().map(|claim| CLAIM_LIFE.saturating_sub(now.since(&claim.at)));
    let locks = state.locks().values().filter_map(|lock| lock.remaining(now));
    let grants = state.grants().map(|grant| grant.quiet_for(state, now));
    requests.chain(claims).chain(locks).chain(grants).min()
}
