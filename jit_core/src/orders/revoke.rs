//! Ending a request or a window early: `withdraw` and `done` for one's own, `revoke` by an admin for anybody's and by whoever
//! approved a window for that: less access never needs an admin.

use std::collections::BTreeSet;

use jit_proto::words::{GrantId, Reason, RequestId};

use crate::context::Context;
use crate::event::Event;
use crate::model::{Caller, Decision, EndWhy, Pending, Person, owns, same};
use crate::orders::Refusal;
use crate::policy::Subject;
use crate::state::State;

/// What an order names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A grant, by its id.
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

    /// The id as it was given.
    fn id(self) -> String {
        match self {
            Self::Grant(id) => id.to_string(),
            Self::Request(id) => id.to_string(),
        }
    }

    fn not_found(self) -> Refusal {
        Refusal::NotFound(self.id())
    }
}

/// Takes a grant back, or withdraws a request that has not opened, whosoever they are. Whoever approved it takes back the
/// grant alone: what has not opened they deny.
pub fn revoke(
    here: Context<'_>,
    caller: &Caller,
    target: Target,
    reason: Option<Reason>,
) -> Result<Vec<Event>, Refusal> {
    let judged = here.admin(caller);
    if let Err(Refusal::NotAdmin(admins)) = judged {
        has_approved(here, caller, target, admins)?;
    } else {
        judged?;
    }
    take(here.state, target, EndWhy::Revoked, reason)
}

/// Whether the caller approved the window that this is. What others approved, or is not there, they are told nothing of.
fn has_approved(here: Context<'_>, caller: &Caller, target: Target, admins: String) -> Result<(), Refusal> {
    caller.may_order().map_err(Refusal::Denied)?;
    let (people, state, me) = (here.policy.people(), here.state, caller.person());
    // What somebody runs on an account that people share, the others can make say what they like.
    let shared = caller.accounts().flat_map(Subject::names).any(|name| people.is_shared(name));
    let is_me = |one: &Person| !shared && same(people, one, &me);
    let id = target.request();
    let approved = |pending: &Pending| {
        pending.reviews.iter().any(|one| one.decision == Decision::Approve && is_me(&one.by))
    };
    if state.pending().get(&id).is_some_and(approved) {
        return Err(Refusal::StillWaits(id));
    }
    if !state.approvers(id.into()).any(is_me) {
        return Err(Refusal::MayNotRevoke(admins));
    }
    let locks = state.locked(here.now);
    let lock = caller.accounts().find_map(|account| locks.on_person(account, people));
    lock.map_or(Ok(()), |lock| Err(Refusal::Locked(Box::new(lock.clone()))))
}

/// Withdraws a request of the caller's own that has not opened.
pub fn withdraw(
    here: Context<'_>,
    caller: &Caller,
    id: RequestId,
    reason: Option<Reason>,
) -> Result<Vec<Event>, Refusal> {
    let pending = here.state.pending().get(&id);
    let pending = pending.ok_or_else(|| Refusal::NotFound(id.to_string()))?;
    let request = &pending.request;
    if !is_one_of(here, caller, &[&request.beneficiary, &request.filed_by]) {
        return Err(not_own(here, caller, Target::Request(id)));
    }
    Ok(vec![Event::Withdrawn { request: id, reason }])
}

/// Gives a window of the caller's own back before its end.
pub fn done(
    here: Context<'_>,
    caller: &Caller,
    target: Target,
    reason: Option<Reason>,
) -> Result<Vec<Event>, Refusal> {
    let id: GrantId = target.request().into();
    let grant = here.state.grant(id).ok_or_else(|| target.not_found())?;
    if !is_one_of(here, caller, &[&grant.holder()]) {
        return Err(not_own(here, caller, target));
    }
    Ok(end(here.state, id, EndWhy::Done, reason))
}

/// Why somebody else's is not given back. Who may see that it is there is told what to do about it.
fn not_own(here: Context<'_>, caller: &Caller, target: Target) -> Refusal {
    match here.admin(caller) {
        Ok(()) => Refusal::NotOwn { id: target.id(), me: caller.own() },
        Err(_) => Refusal::NotConcerned(target.id()),
    }
}

fn is_one_of(here: Context<'_>, caller: &Caller, people: &[&Person]) -> bool {
    let me = caller.own();
    people.iter().any(|person| owns(here.policy.people(), &me, person))
}

pub(super) fn take(
    state: &State,
    target: Target,
    why: EndWhy,
    reason: Option<Reason>,
) -> Result<Vec<Event>, Refusal> {
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
