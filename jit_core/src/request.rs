//! Asking, reviewing, opening, taking back. Each order is refused with a reason or becomes events.
//!
//! There is one door (law 3): an admin's `grant` is a request on somebody's behalf plus that admin's own
//! review, and opens nothing unless the review counts and every stage is met.

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::words::{GrantId, HostName, Reason, RequestId, RoleName, ServiceName};
use serde::{Deserialize, Serialize};

use crate::clock::{Moment, Utc};
use crate::digest::Digest;
use crate::duration::Human;
use crate::event::{Decision, Event};
use crate::opening;
use crate::order::{Here, MAX_AHEAD, MAX_PENDING, MAX_PENDING_EACH, Refusal};
use crate::person::{Caller, Person, same};
use crate::policy::{Role, Subject, Uses};
use crate::review::{self, Given, Reviewer};

/// One person asks for one role on this host. Immutable; reviews bind to the digest of [`Request::bytes`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// The host it is for.
    pub host: HostName,
    /// Whom it would admit.
    pub beneficiary: Person,
    /// The role.
    pub role: RoleName,
    /// The role's effective terms when it was asked for.
    pub terms: Digest,
    /// The services it would open.
    pub services: BTreeSet<ServiceName>,
    /// How often it would admit.
    pub uses: Uses,
    /// How long.
    #[serde(with = "crate::clock::seconds")]
    pub duration: Duration,
    /// When the window is to start; when it has been approved if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Utc>,
    /// The window that it is to go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<GrantId>,
    /// Who typed it: the beneficiary, or an admin on their behalf.
    pub filed_by: Person,
    /// When; the first stage waits from then on.
    pub filed_at: Moment,
    /// Why.
    pub reason: Reason,
}

impl Request {
    /// The exact bytes that are reviewed: ASCII labels in a fixed order, one line each, LF.
    ///
    /// Every value is a validated word or number without a line break, so no value can start a new field. `start`
    /// and `extends` have no line where there is none.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let services: Vec<&str> = self.services.iter().map(ServiceName::as_str).collect();
        let start = self.start.map_or_else(String::new, |start| format!("start: {start}\n"));
        let extends = self.extends.map_or_else(String::new, |base| format!("extends: {base}\n"));
        let text = format!(
            "jitd.request.v1\nid: {}\nhost: {}\nuser: {}\nuid: {}\nrole: {}\nterms: {}\nservices: {}\nuses: {}\nduration: {}\n\
             {start}{extends}filed-by: {}\nfiled-by-uid: {}\nfiled-at: {}\nreason: {}\n",
            self.id,
            self.host,
            self.beneficiary.name,
            self.beneficiary.uid,
            self.role,
            self.terms,
            services.join(","),
            self.uses,
            self.duration.as_secs(),
            self.filed_by.name,
            self.filed_by.uid,
            self.filed_at.wall,
            self.reason,
        );
        text.into_bytes()
    }

    /// SHA-256 of [`Request::bytes`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes())
    }
}

/// An order to ask for a role, for oneself or for somebody.
#[derive(Clone, Debug)]
pub struct RequestOrder {
    /// Whom it is for.
    pub beneficiary: Subject,
    /// The role.
    pub role: RoleName,
    /// How long; the role's default if absent.
    pub duration: Option<Duration>,
    /// When the window is to start; once it is approved if absent.
    pub start: Option<Utc>,
    /// Why.
    pub reason: Reason,
    /// Random, from the caller's edge.
    pub id: RequestId,
}

/// Files a person's own request. An emergency role opens at once.
pub fn file(here: Here<'_>, caller: &Caller, order: RequestOrder) -> Result<Vec<Event>, Refusal> {
    let person = caller.person();
    if !same(here.policy.people(), &person, &Person::of(&order.beneficiary)) {
        return Err(Refusal::ForSomebodyElse);
    }
    let (role, request) = new_request(here, person.clone(), order, None)?;
    // An emergency waits for nobody, and must not wait for what does.
    if !role.emergency {
        own_quota(here, &person)?;
    }
    Ok(filed(here, role, request))
}

/// An order to go on after the end of a window.
#[derive(Clone, Debug)]
pub struct ExtendOrder {
    /// Whose it is.
    pub beneficiary: Subject,
    /// The window.
    pub grant: GrantId,
    /// How long; the role's default if absent.
    pub duration: Option<Duration>,
    /// Why.
    pub reason: Reason,
    /// Random, from the caller's edge.
    pub id: RequestId,
}

/// Asks for a new grant of the same role, through the same stages, that begins where a live window of the caller's
/// ends.
pub fn extend(here: Here<'_>, caller: &Caller, order: ExtendOrder) -> Result<Vec<Event>, Refusal> {
    let ExtendOrder { beneficiary, grant, duration, reason, id } = order;
    let person = caller.person();
    if !same(here.policy.people(), &person, &Person::of(&beneficiary)) {
        return Err(Refusal::ForSomebodyElse);
    }
    let base = here
        .state
        .grant(grant)
        .filter(|base| base.uid == beneficiary.uid && base.user == beneficiary.name)
        .ok_or_else(|| Refusal::NotFound(grant.to_string()))?;
    if base.remaining(here.now).is_zero() {
        return Err(Refusal::NotOpen(grant.to_string()));
    }
    if base.emergency {
        return Err(Refusal::Emergency { role: base.role.clone(), what: "extended" });
    }
    let waits = here.state.pending().values().find(|pending| pending.request.extends == Some(grant));
    if let Some(pending) = waits {
        return Err(Refusal::AlreadyExtending(pending.request.id));
    }
    own_quota(here, &person)?;
    let order = RequestOrder { beneficiary, role: base.role.clone(), duration, start: None, reason, id };
    let (role, request) = new_request(here, person, order, Some(grant))?;
    Ok(filed(here, role, request))
}

/// Files a request on somebody's behalf, adds the caller's own review where it counts, and opens the window
/// if that meets every stage.
pub fn grant(here: Here<'_>, caller: &Caller, order: RequestOrder) -> Result<Vec<Event>, Refusal> {
    here.admin(caller)?;
    let beneficiary = order.beneficiary.clone();
    let (role, request) = new_request(here, caller.person(), order, None)?;
    if !role.emergency {
        here.clock()?;
    }
    let mut events = filed(here, role, request.clone());
    let given = Given::new(Reviewer::Online(caller), Decision::Approve);
    // An admin who may not review has still filed a request.
    if let Ok(more) = review::events(here, role, &request, &[], &given, &beneficiary) {
        events.extend(more);
    }
    Ok(events)
}

/// A request as it is filed, and opened where its role waits for nobody.
fn filed(here: Here<'_>, role: &Role, request: Request) -> Vec<Event> {
    let opened = role.emergency.then(|| opening::opened(here, role, &request, &[]));
    [Event::Requested { request }].into_iter().chain(opened).collect()
}

/// What every request goes through, whoever files it.
fn new_request(
    here: Here<'_>,
    filed_by: Person,
    order: RequestOrder,
    extends: Option<GrantId>,
) -> Result<(&Role, Request), Refusal> {
    let Here { policy, state, host, now } = here;
    let RequestOrder { beneficiary, role, duration, start, reason, id } = order;
    let role = here.role(&role)?;
    if !role.eligible.contains(&beneficiary) {
        return Err(Refusal::NotEligible {
            role: role.name.clone(),
            user: beneficiary.name,
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
    let me = Person::of(&beneficiary);
    let owes = |pending: &&crate::state::Pending| {
        pending.request.role == role.name && same(policy.people(), &pending.request.beneficiary, &me)
    };
    if let Some(owed) = state.owed().values().find(owes) {
        let id = owed.request.id;
        return Err(Refusal::ReviewOwed { user: beneficiary.name, id, role: role.name.clone() });
    }
    if state.pending().len() >= MAX_PENDING && !role.emergency {
        return Err(Refusal::TooManyPending);
    }
    if state.knows(id) {
        return Err(Refusal::IdTaken);
    }
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
        filed_by,
        filed_at: now.clone(),
        reason,
    };
    Ok((role, request))
}

/// One person's flood leaves room for others.
fn own_quota(here: Here<'_>, person: &Person) -> Result<(), Refusal> {
    let people = here.policy.people();
    let mine = here.state.pending().values().filter(|p| same(people, &p.request.filed_by, person));
    if mine.count() >= MAX_PENDING_EACH { Err(Refusal::TooManyOfYours) } else { Ok(()) }
}
