//! Asking, reviewing, opening, taking back. Each order is refused with a reason or becomes events.
//!
//! There is one door (law 3): an admin's `grant` is a request on somebody's behalf plus that admin's own
//! review, and opens nothing unless the review counts and every stage is met.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jit_proto::words::{GrantId, HostName, Reason, RequestId, RoleName, ServiceName, Uid, UserName};
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::digest::Digest;
use crate::duration::Human;
use crate::event::{Decision, Event, Review};
use crate::grant::EndWhy;
use crate::policy::{Host, Policy, Role, Subject, Uses};
use crate::review::{self, NoReview, Progress, Reviewer};
use crate::state::State;

/// Pending requests that one host keeps; one more is refused until one is decided or withdrawn.
pub const MAX_PENDING: usize = 10_000;

/// An account that stands for a human. Which accounts are one human, `[people]` says on top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The account's name.
    pub name: UserName,
    /// Its uid.
    pub uid: Uid,
}

impl Person {
    /// The person behind an account.
    #[must_use]
    pub fn of(subject: &Subject) -> Self {
        Self { name: subject.name.clone(), uid: subject.uid }
    }

    /// Whether two accounts are the same person: by uid, so that a second name for one uid is not a second
    /// person, and by name, so that a re-created account is not a second person either.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.uid == other.uid || self.name == other.name
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

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
    /// Every value is a validated word or number without a line break, so no value can start a new field.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let services: Vec<&str> = self.services.iter().map(ServiceName::as_str).collect();
        let text = format!(
            "jitd.request.v1\nid: {}\nhost: {}\nuser: {}\nuid: {}\nrole: {}\nterms: {}\nservices: {}\nuses: {}\nduration: {}\n\
             filed-by: {}\nfiled-by-uid: {}\nfiled-at: {}\nreason: {}\n",
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

/// Who gives an order, as the kernel and the bus tell it (law 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account of the bus uid.
    pub account: Subject,
    /// The account that logged in (loginuid), where it is another one or the same.
    pub login: Login,
}

/// What the kernel says of the login behind a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// This account logged in.
    Known(Subject),
    /// No login: a daemon, a boot script, a container's entry.
    Unset,
    /// This kernel does not tell.
    Untold,
}

impl Caller {
    /// The person who gives the order: root that somebody logged in to become counts as that somebody.
    #[must_use]
    pub fn person(&self) -> Person {
        match &self.login {
            Login::Known(login) => Person::of(login),
            Login::Unset | Login::Untold => Person::of(&self.account),
        }
    }
}

/// Why an order was refused. Each text says what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not an admin.
    #[error("only an admin may do this; policy names as admins: {0}")]
    NotAdmin(String),
    /// No such role, or not on this host.
    #[error("there is no role '{0}' on this host; 'jitctl policy show' lists the roles")]
    NoSuchRole(RoleName),
    /// The role is not for this person.
    #[error("role '{role}' is not for {user}: it is for {eligible}")]
    NotEligible {
        /// The role.
        role: RoleName,
        /// Whom it was asked for.
        user: UserName,
        /// Whom the role is for.
        eligible: String,
    },
    /// More time than the role allows.
    #[error("role '{role}' opens for at most {max}, not {asked}")]
    TooLong {
        /// The role.
        role: RoleName,
        /// Its limit.
        max: Human,
        /// What was asked.
        asked: Human,
    },
    /// Asking in another's name.
    #[error("a request is for whoever files it; for somebody else an admin runs 'jitctl grant'")]
    ForSomebodyElse,
    /// The role has terms that this version cannot keep.
    #[error("role '{role}' needs {what}, which this jitd does not do yet; no window of it opens")]
    NotYet {
        /// The role.
        role: RoleName,
        /// Which of its terms.
        what: &'static str,
    },
    /// The reason is not what the role asks for.
    #[error("role '{role}' wants another reason: {wanted}")]
    Reason {
        /// The role.
        role: RoleName,
        /// What to write.
        wanted: String,
    },
    /// The role is not what it was when the request was filed.
    #[error("role '{0}' has changed since this was asked for; ask again")]
    TermsChanged(RoleName),
    /// The review does not count.
    #[error("this review of {id} does not count: {why}")]
    NoReview {
        /// Of which request.
        id: RequestId,
        /// Why.
        why: NoReview,
    },
    /// The id is not one of a live grant or pending request.
    #[error("there is no request or grant {0}; 'jitctl list' shows those there are")]
    NotFound(String),
    /// Too many requests wait.
    #[error("{MAX_PENDING} requests are pending already; withdraw one with 'jitctl revoke REQUEST-ID'")]
    TooManyPending,
    /// A fresh id is in use (once in a trillion); asking again draws another.
    #[error("the id drawn for this request is taken; ask again")]
    IdTaken,
}

/// An order to ask for a role, for oneself or for somebody.
#[derive(Clone, Debug)]
pub struct GrantOrder {
    /// Whom it is for.
    pub beneficiary: Subject,
    /// The role.
    pub role: RoleName,
    /// How long; the role's default if absent.
    pub duration: Option<Duration>,
    /// Why.
    pub reason: Reason,
    /// Random, from the caller's edge.
    pub id: RequestId,
}

/// Files a person's own request.
pub fn file(
    policy: &Policy,
    state: &State,
    host: &Host,
    caller: &Caller,
    order: GrantOrder,
    now: &Moment,
) -> Result<Vec<Event>, Refusal> {
    let person = caller.person();
    if !review::same(policy.people(), &person, &Person::of(&order.beneficiary)) {
        return Err(Refusal::ForSomebodyElse);
    }
    let (_, request) = new_request(policy, state, host, person, order, now)?;
    Ok(vec![Event::Requested { request }])
}

/// Files a request on somebody's behalf, adds the caller's own review where it counts, and opens the window
/// if that meets every stage.
pub fn grant(
    policy: &Policy,
    state: &State,
    host: &Host,
    caller: &Caller,
    order: GrantOrder,
    now: &Moment,
) -> Result<Vec<Event>, Refusal> {
    admin(policy, caller)?;
    let (role, request) = new_request(policy, state, host, caller.person(), order, now)?;
    let mut events = vec![Event::Requested { request: request.clone() }];
    let reviewer = Reviewer::Online(caller);
    // An admin who may not review has still filed a request.
    if let Ok(more) = review::events(policy, role, &request, &[], reviewer, Decision::Approve, now) {
        events.extend(more);
    }
    Ok(events)
}

/// Reviews a pending request; opens its window if that meets every stage, or ends it if that is one denial more
/// than its stage bears.
pub fn review(
    policy: &Policy,
    state: &State,
    host: &Host,
    reviewer: Reviewer<'_>,
    id: RequestId,
    decision: Decision,
    now: &Moment,
) -> Result<Vec<Event>, Refusal> {
    let pending = state.pending().get(&id).ok_or_else(|| Refusal::NotFound(id.to_string()))?;
    let request = &pending.request;
    let role = role_here(policy, host, &request.role)?;
    // What is reviewed is what was asked for (law 5); under other terms it would be another request.
    if role.terms_digest() != request.terms {
        return Err(Refusal::TermsChanged(role.name.clone()));
    }
    review::events(policy, role, request, &pending.reviews, reviewer, decision, now)
        .map_err(|why| Refusal::NoReview { id, why })
}

/// What every request goes through, whoever files it.
fn new_request<'p>(
    policy: &'p Policy,
    state: &State,
    host: &Host,
    filed_by: Person,
    order: GrantOrder,
    now: &Moment,
) -> Result<(&'p Role, Request), Refusal> {
    let role = role_here(policy, host, &order.role)?;
    if !role.eligible.contains(&order.beneficiary) {
        return Err(Refusal::NotEligible {
            role: role.name.clone(),
            user: order.beneficiary.name,
            eligible: role.eligible.to_string(),
        });
    }
    if let Some(what) = role.not_yet() {
        return Err(Refusal::NotYet { role: role.name.clone(), what });
    }
    if let Some(rule) = role.reason.as_ref().filter(|rule| !rule.accepts(&order.reason)) {
        return Err(Refusal::Reason { role: role.name.clone(), wanted: rule.to_string() });
    }
    let duration = order.duration.unwrap_or(role.default_duration);
    if duration > role.max_duration {
        let (max, asked) = (Human(role.max_duration), Human(duration));
        return Err(Refusal::TooLong { role: role.name.clone(), max, asked });
    }
    if state.pending().len() >= MAX_PENDING {
        return Err(Refusal::TooManyPending);
    }
    if state.knows(order.id) {
        return Err(Refusal::IdTaken);
    }
    let request = Request {
        id: order.id,
        host: host.name.clone(),
        beneficiary: Person::of(&order.beneficiary),
        role: role.name.clone(),
        terms: role.terms_digest(),
        services: role.services.clone(),
        uses: role.uses,
        duration,
        filed_by,
        filed_at: now.clone(),
        reason: order.reason,
    };
    Ok((role, request))
}

fn role_here<'p>(policy: &'p Policy, host: &Host, name: &RoleName) -> Result<&'p Role, Refusal> {
    policy.role(name).filter(|role| role.on_host(host)).ok_or_else(|| Refusal::NoSuchRole(name.clone()))
}

/// What a pending request waits for, in words.
#[must_use]
pub fn waiting_for(policy: &Policy, request: &Request, reviews: &[Review], now: &Moment) -> String {
    let Some(role) = policy.role(&request.role) else {
        return format!("nothing: role '{}' is no longer in policy", request.role);
    };
    if role.terms_digest() != request.terms {
        return format!("nothing: role '{}' has changed since; ask again", request.role);
    }
    match review::progress(policy.people(), role, request, reviews, now) {
        Progress::Met => String::new(),
        Progress::Denied { stage } => format!("nothing: stage '{}' denied it", stage.name),
        Progress::Lapsed { stage } => {
            format!("nothing: stage '{}' was not decided in time; ask again", stage.name)
        }
        Progress::Waits { stage, approvers, lacking } => {
            format!("stage '{}': {lacking} more of {approvers}, not {}", stage.name, request.beneficiary)
        }
    }
}

/// What `revoke` names.
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
}

/// Takes a grant back, or withdraws a request that has not opened.
pub fn revoke(
    policy: &Policy,
    state: &State,
    caller: &Caller,
    target: Target,
    reason: Option<Reason>,
) -> Result<Event, Refusal> {
    admin(policy, caller)?;
    let request = target.request();
    if state.grant(request.into()).is_some() {
        return Ok(Event::Ended { grant: request.into(), why: EndWhy::Revoked, reason });
    }
    if state.pending().contains_key(&request) {
        return Ok(Event::Withdrawn { request, reason });
    }
    Err(Refusal::NotFound(match target {
        Target::Grant(id) => id.to_string(),
        Target::Request(id) => id.to_string(),
    }))
}

/// Whether the caller may give admin's orders: the account, as root can do anything here anyway. It does not
/// make a reviewer of them.
pub fn admin(policy: &Policy, caller: &Caller) -> Result<(), Refusal> {
    if policy.is_admin(&caller.account) {
        return Ok(());
    }
    Err(Refusal::NotAdmin(policy.admins().to_string()))
}
