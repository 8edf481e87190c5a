//! Filing requests: for oneself, on somebody's behalf, and to extend a window. Each is refused with a reason or becomes
//! events.
//!
//! There is one door (law 3): an admin's `grant` is a request on somebody's behalf plus that admin's own
//! review, and opens nothing unless the review counts and every stage is met.

use std::net::IpAddr;
use std::time::Duration;

use jit_proto::words::{GrantId, Reason, RequestId, RoleName};

use crate::context::Context;
use crate::duration::Human;
use crate::event::Event;
use crate::model::{Caller, Decision, Person, Request, owns, same};
use crate::orders::bounds::{self, Wish};
use crate::orders::review::{self, Given, Reviewer};
use crate::orders::stages::Stages;
use crate::orders::{
    MAX_AHEAD, MAX_PENDING, MAX_PENDING_EACH, NotNow, NotOfHere, Refusal, leads, stay, terms, unreviewed,
};
use crate::policy::{Role, Starts, Subject, next_opening, open_for};
use crate::time::Utc;

/// An order to ask for a role, for oneself or for somebody.
#[derive(Clone, Debug)]
pub struct RequestOrder {
    /// Whom it is for.
    pub beneficiary: Subject,
    /// The role that is asked for.
    pub role: RoleName,
    /// How long; the role's default if absent.
    pub duration: Option<Duration>,
    /// When the window is to start; once it is approved if absent.
    pub start: Option<Utc>,
    /// The reason that the person gives.
    pub reason: Reason,
    /// Random, from the caller's edge.
    pub id: RequestId,
}

/// Files a person's own request, which could be used. An emergency role opens at once, and so does what is within `unreviewed`
/// of its role for a login of which no address is known.
pub fn file(here: Context<'_>, caller: &Caller, order: RequestOrder) -> Result<Vec<Event>, Refusal> {
    file_from(here, caller, order, None)
}

/// The same from a login of this address, which nobody has from the person themselves.
pub fn file_from(
    here: Context<'_>,
    caller: &Caller,
    order: RequestOrder,
    from: Option<IpAddr>,
) -> Result<Vec<Event>, Refusal> {
    let (role, request) = own(here, caller, order)?;
    can_be_used(here, role, &request)?;
    let by_policy = unreviewed::opened(here, role, &request, caller, from).and_then(Result::ok);
    if by_policy.is_none() {
        finds_leads(here, role, &request)?;
    }
    let mut events = filed(here, role, request);
    events.extend(by_policy);
    Ok(events)
}

/// The same of what was on record before, whether or not it could be used.
pub(crate) fn file_anyhow(
    here: Context<'_>,
    caller: &Caller,
    order: RequestOrder,
) -> Result<Vec<Event>, Refusal> {
    let (role, request) = own(here, caller, order)?;
    finds_leads(here, role, &request)?;
    Ok(filed(here, role, request))
}

fn own<'a>(here: Context<'a>, caller: &Caller, order: RequestOrder) -> Result<(&'a Role, Request), Refusal> {
    let person = caller.own();
    if !is_for(here, caller, &order.beneficiary) {
        return Err(Refusal::ForSomebodyElse);
    }
    who_asks(here, &order.beneficiary)?;
    let (role, request) = new_request(here, person.clone(), order, None)?;
    // An emergency waits for nobody, and must not wait for what does.
    if !role.emergency {
        own_quota(here, &person)?;
    }
    Ok((role, request))
}

/// Whether the window would let anybody in, were it approved at once: who approves at night what is for the morning is told
/// so by a start.
fn can_be_used(here: Context<'_>, role: &Role, request: &Request) -> Result<(), Refusal> {
    let Context { state, now, .. } = here;
    let hours = &role.limits.hours;
    // Hours and days are of the wall clock; what opens while that is suspect is for those who decide it.
    if (hours.is_empty() && role.until.is_none()) || !now.is_trusted() {
        return Ok(());
    }
    let base = request.extends.and_then(|base| state.grant(base));
    let from = match (base, request.start) {
        (Some(base), _) => now.wall.plus(base.remaining(now)),
        (None, Some(start)) => start,
        (None, None) => role.begins_with_hours(now).unwrap_or(now.wall),
    };
    if let Some(until) = role.until.as_ref().filter(|until| until.at() <= from) {
        return Err(NotNow::Ends { role: role.name.clone(), until: until.to_string() }.into());
    }
    let begins_by = match role.starts {
        Starts::AtFirstUse { lapse } if base.is_none() && request.start.is_none() => lapse,
        Starts::AtFirstUse { .. } | Starts::AtApproval | Starts::WithHours => request.duration,
    };
    // Without any it is always open.
    if !open_for(hours, from, begins_by).is_zero() {
        return Ok(());
    }
    match next_opening(hours, from).filter(|next| *next >= from.plus(begins_by)) {
        None => Ok(()),
        Some(next) => Err(Refusal::OutsideHours {
            role: role.name.clone(),
            hours: hours.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            next: next.whole_seconds(),
            can_wait: !role.emergency && base.is_none(),
        }),
    }
}

/// An order to extend a window.
#[derive(Clone, Debug)]
pub struct ExtendOrder {
    /// Whose it is.
    pub beneficiary: Subject,
    /// The grant whose window is to go on.
    pub grant: GrantId,
    /// How long; the role's default if absent.
    pub duration: Option<Duration>,
    /// The reason that the person gives.
    pub reason: Reason,
    /// Random, from the caller's edge.
    pub id: RequestId,
}

/// Asks for a new grant of the same role, through the same stages, that begins where a live window of the caller's
/// ends.
pub fn extend(here: Context<'_>, caller: &Caller, order: ExtendOrder) -> Result<Vec<Event>, Refusal> {
    let ExtendOrder { beneficiary, grant, duration, reason, id } = order;
    let person = caller.own();
    if !is_for(here, caller, &beneficiary) {
        return Err(Refusal::ForSomebodyElse);
    }
    let base = here
        .state
        .grant(grant)
        .filter(|base| base.uid == beneficiary.uid && beneficiary.is_called(&base.user))
        .filter(|base| base.person.is_none() || base.person == beneficiary.person)
        .ok_or_else(|| Refusal::NotFound(grant.to_string()))?;
    who_asks(here, &beneficiary)?;
    if base.remaining(here.now).is_zero() {
        return Err(Refusal::NotOpen(grant.to_string()));
    }
    // Until when, and who comes by the account, stands in what was signed.
    if here.state.came_signed(grant.into()) {
        return Err(NotOfHere::Extends.into());
    }
    // A role that opens at once does so when it is needed, whatever it was when this window opened.
    if base.emergency || here.role(&base.role).is_ok_and(|role| role.emergency) {
        return Err(Refusal::Emergency { role: base.role.clone(), what: "extended" });
    }
    let waits = here.state.pending().values().find(|pending| pending.request.extends == Some(grant));
    if let Some(pending) = waits {
        return Err(Refusal::AlreadyExtending(pending.request.id));
    }
    own_quota(here, &person)?;
    let order = RequestOrder { beneficiary, role: base.role.clone(), duration, start: None, reason, id };
    let (role, request) = new_request(here, person, order, Some(grant))?;
    can_be_used(here, role, &request)?;
    finds_leads(here, role, &request)?;
    Ok(filed(here, role, request))
}

/// What comes of an order to grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// What has happened.
    pub events: Vec<Event>,
    /// Why the caller's own review is not among that; absent where it is.
    pub not_counted: Option<Refusal>,
}

/// What happens by [`granted`].
pub fn grant(here: Context<'_>, caller: &Caller, order: RequestOrder) -> Result<Vec<Event>, Refusal> {
    granted(here, caller, order).map(|granted| granted.events)
}

/// Files a request on somebody's behalf, adds the caller's own review where it counts, and opens the window
/// if that meets every stage.
pub fn granted(here: Context<'_>, caller: &Caller, order: RequestOrder) -> Result<Granted, Refusal> {
    here.admin(caller)?;
    let beneficiary = order.beneficiary.clone();
    let (role, request) = new_request(here, caller.person(), order, None)?;
    can_be_used(here, role, &request)?;
    finds_leads(here, role, &request)?;
    if !role.emergency {
        here.clock()?;
    }
    let mut events = filed(here, role, request.clone());
    let given = Given::new(Reviewer::Online(caller), Decision::Approve);
    let stages = if role.emergency {
        Stages::of_emergency(here, role, &request)
    } else {
        Stages::of_role(here, role, &request)
    };
    // An admin who may not review has still filed a request.
    let not_counted = match review::events(here, &stages, &request, &[], &given, Some(&beneficiary)) {
        Ok(more) => {
            events.extend(more);
            None
        }
        Err(stop) => Some(stop.refusal(request.id)),
    };
    Ok(Granted { events, not_counted })
}

/// A request as it is filed, and opened where its role waits for nobody.
fn filed(here: Context<'_>, role: &Role, request: Request) -> Vec<Event> {
    let opened = role.emergency.then(|| terms::opened(here, role, &request, &[]));
    [Event::Requested { request }].into_iter().chain(opened).collect()
}

/// What every request goes through, whoever files it.
pub(super) fn new_request(
    here: Context<'_>,
    filed_by: Person,
    order: RequestOrder,
    extends: Option<GrantId>,
) -> Result<(&Role, Request), Refusal> {
    let Context { policy, state, host, now, .. } = here;
    let RequestOrder { beneficiary, role, duration, start, reason, id } = order;
    let role = here.role(&role)?;
    here.not_over(role)?;
    if let Some(person) =
        beneficiary.person.as_ref().filter(|one| !policy.people().share(one, &beneficiary.name))
    {
        return Err(Refusal::NoSuchPerson { person: person.clone(), user: beneficiary.name });
    }
    if !role.eligible.contains(&beneficiary) {
        return Err(Refusal::NotEligible {
            role: role.name.clone(),
            user: Box::new(Person::of(&beneficiary)),
            eligible: role.eligible.to_string(),
        });
    }
    let locks = state.locked(now);
    if let Some(lock) = locks.on_subject(&beneficiary, policy.people()).or_else(|| locks.on_role(&role.name))
    {
        return Err(Refusal::Locked(Box::new(lock.clone())));
    }
    if let Some(rule) = role.reason.as_ref().filter(|rule| !rule.accepts(&reason)) {
        return Err(Refusal::Reason { role: role.name.clone(), wanted: rule.to_string() });
    }
    let duration = duration.unwrap_or(role.default_duration);
    if duration > role.max_duration {
        let (max, asked) = (Human(role.max_duration), Human(duration));
        return Err(Refusal::TooLong { role: role.name.clone(), max, asked });
    }
    if let Some(start) = start {
        if role.emergency {
            return Err(Refusal::Emergency { role: role.name.clone(), what: "asked for ahead of time" });
        }
        here.clock()?;
        if start < now.wall || start.since(now.wall) > MAX_AHEAD {
            return Err(Refusal::Start { start, now: now.wall });
        }
    }
    terms::known(here, role, &reason, (start, extends))?;
    let me = Person::of(&beneficiary);
    let owes = |pending: &&crate::model::Pending| {
        pending.request.role == role.name && same(policy.people(), &pending.request.beneficiary, &me)
    };
    if let Some(owed) = state.owed().values().find(owes) {
        let id = owed.request.id;
        return Err(Refusal::ReviewOwed { user: Box::new(me), id, role: role.name.clone() });
    }
    if state.pending().len() >= MAX_PENDING && !role.emergency {
        return Err(Refusal::TooManyPending);
    }
    if !role.emergency {
        here.room()?;
    }
    if state.knows(id) {
        return Err(Refusal::IdTaken);
    }
    let before = stay::of(here, role, &me, duration, (start, extends)).had;
    let teams = leads::teams_of(here, role, &beneficiary);
    let request = Request {
        id,
        host: host.name.clone(),
        beneficiary: me,
        role: role.name.clone(),
        terms: policy.terms(role),
        services: role.services.clone(),
        uses: role.uses,
        duration,
        start,
        extends,
        before,
        teams,
        filed_by,
        filed_at: now.clone(),
        ticket: terms::ticket(role, &reason),
        reason,
        ahead: None,
    };
    bounds::allow(here, role, &Wish::of(&request))?;
    Ok((role, request))
}

/// Whether what asks leads finds one. An emergency waits for nobody, and what it owes finds an admin.
pub(super) fn finds_leads(here: Context<'_>, role: &Role, request: &Request) -> Result<(), Refusal> {
    if !role.emergency {
        Stages::of_role(here, role, request).allow(here, role, &request.beneficiary)?;
    }
    Ok(())
}

/// Whether somebody asks for themselves: by the account, and by the login where there is one.
fn is_for(here: Context<'_>, caller: &Caller, beneficiary: &Subject) -> bool {
    let people = here.policy.people();
    owns(people, &caller.own(), &Person::of(beneficiary)) && caller.is_one_person(people)
}

/// Of whom nobody knows who of those it is that share an account, nothing is filed: it would be for all of them.
fn who_asks(here: Context<'_>, beneficiary: &Subject) -> Result<(), Refusal> {
    let people = here.policy.people();
    if beneficiary.person.is_none() && beneficiary.names().any(|name| people.is_shared(name)) {
        return Err(Refusal::NoPerson { user: beneficiary.name.clone() });
    }
    Ok(())
}

/// One person's flood leaves room for others.
pub(super) fn own_quota(here: Context<'_>, person: &Person) -> Result<(), Refusal> {
    let people = here.policy.people();
    let mine = here.state.pending().values().filter(|p| same(people, &p.request.filed_by, person));
    if mine.count() >= MAX_PENDING_EACH { Err(Refusal::TooManyOfYours) } else { Ok(()) }
}
