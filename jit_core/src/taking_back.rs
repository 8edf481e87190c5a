//! Taking back: a person's own request or window, or, by an admin, anybody's.

use std::collections::BTreeSet;

use jit_proto::words::{GrantId, Reason, RequestId};

use crate::event::Event;
use crate::grant::EndWhy;
use crate::order::{Here, Refusal};
use crate::person::{Caller, Person, same};
use crate::state::State;

/// What an order names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A grant.
    Grant(GrantId),
    /// A request; if it opened, its grant.
    Request(RequestId),
}

impl Target {
    /// The request's id, whichever was named.
    #[must_use]
    pub fn request(self) -> RequestId {
        match self {
            Self::Grant(grant) => grant.into(),
            Self::Request(request) => request,
        }
    }

    fn not_found(self) -> Refusal {
        Refusal::NotFound(match self {
            Self::Grant(id) => id.to_string(),
            Self::Request(id) => id.to_string(),
        })
    }
}

/// Takes a grant back, or withdraws a request that has not opened, whosoever they are.
pub fn revoke(
    here: Here<'_>,
    caller: &Caller,
    target: Target,
    reason: Option<Reason>,
) -> Result<Vec<Event>, Refusal> {
    here.admin(caller)?;
    take(here.state, target, EndWhy::Revoked, reason)
}

/// Withdraws a request of the caller's own that has not opened.
pub fn withdraw(
    here: Here<'_>,
    caller: &Caller,
    id: RequestId,
    reason: Option<Reason>,
) -> Result<Vec<Event>, Refusal> {
    let pending = here.state.pending().get(&id);
    let mine = pending.filter(|pending| {
        let request = &pending.request;
        is_one_of(here, caller, &[&request.beneficiary, &request.filed_by])
    });
    mine.map(|_| vec![Event::Withdrawn { request: id, reason }])
        .ok_or_else(|| Refusal::NotFound(id.to_string()))
}

/// Gives a window of the caller's own back before its end.
pub fn done(
    here: Here<'_>,
    caller: &Caller,
    target: Target,
    reason: Option<Reason>,
) -> Result<Vec<Event>, Refusal> {
    let id: GrantId = target.request().into();
    let grant = here.state.grant(id).ok_or_else(|| target.not_found())?;
    let holder = Person { name: grant.user.clone(), uid: grant.uid };
    if !is_one_of(here, caller, &[&holder]) {
        return Err(target.not_found());
    }
    Ok(end(here.state, id, EndWhy::Done, reason))
}

fn is_one_of(here: Here<'_>, caller: &Caller, people: &[&Person]) -> bool {
    let me = caller.person();
    people.iter().any(|person| same(here.policy.people(), &me, person))
}

fn take(state: &State, target: Target, why: EndWhy, reason: Option<Reason>) -> Result<Vec<Event>, Refusal> {
    let request = target.request();
    if state.grant(request.into()).is_some() {
        return Ok(end(state, request.into(), why, reason));
    }
    if state.pending().contains_key(&request) {
        return Ok(vec![Event::Withdrawn { request, reason }]);
    }
    Err(target.not_found())
}

/// Ends a grant before its time.
pub(crate) fn end(state: &State, id: GrantId, why: EndWhy, reason: Option<Reason>) -> Vec<Event> {
    end_all(state, BTreeSet::from([id]), why, reason.as_ref())
}

/// Ends grants before their time, and with each what was asked for or granted to extend it.
pub(crate) fn end_all(
    state: &State,
    mut ids: BTreeSet<GrantId>,
    why: EndWhy,
    reason: Option<&Reason>,
) -> Vec<Event> {
    let extends =
        |base: Option<GrantId>, ids: &BTreeSet<GrantId>| base.is_some_and(|base| ids.contains(&base));
    loop {
        let more: Vec<_> = state
            .grants()
            .filter(|g| extends(g.extends, &ids) && !ids.contains(&g.id))
            .map(|g| g.id)
            .collect();
        if more.is_empty() {
            break;
        }
        ids.extend(more);
    }
    let asked = state.pending().values().filter(|pending| extends(pending.request.extends, &ids));
    let withdrawn =
        asked.map(|pending| Event::Withdrawn { request: pending.request.id, reason: reason.cloned() });
    let ended = ids.iter().map(|grant| Event::Ended { grant: *grant, why, reason: reason.cloned() });
    withdrawn.chain(ended).collect()
}
