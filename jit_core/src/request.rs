//! Asking, reviewing, opening, taking back. Each order is refused with a reason or becomes events.
//!
//! There is one door (law 3): an admin's `grant` is a request on somebody's behalf plus that admin's own
//! review, and opens nothing unless the review counts and every stage is met.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jit_proto::words::{GrantId, HostName, Reason, RequestId, RoleName, ServiceName, Uid, UserName};
use serde::{Deserialize, Serialize};

use crate::clock::{Moment, Utc, Window};
use crate::digest::Digest;
use crate::duration::Human;
use crate::event::{Decision, Event, Method, Review};
use crate::grant::{EndWhy, Grant};
use crate::policy::{Policy, Role, Stage, Subject, Uses};
use crate::state::State;

/// Pending requests that one host keeps; one more is refused until one is decided or withdrawn.
pub const MAX_PENDING: usize = 10_000;

/// A human as this host knows them: for now one account each (`[people]` will join accounts).
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
    /// When.
    pub filed_at: Utc,
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
            self.filed_at,
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

    /// Whether this caller's online review counts in a stage (law 4). Refusals say why.
    fn may_review(&self, stage: &Stage, request: &Request) -> Result<(), NoReview> {
        let person = self.person();
        // A login uid that is not the bus uid is either root that somebody became, or a process that is
        // not what it seems.
        match &self.login {
            Login::Known(login) if self.account.uid != login.uid && !self.account.uid.is_root() => {
                return Err(NoReview::AnotherLogin);
            }
            Login::Unset if !self.account.uid.is_root() => return Err(NoReview::NoLogin),
            Login::Known(login) if !stage.approvers.contains(login) => return Err(NoReview::NotApprover),
            _ => {}
        }
        if person.is(&request.beneficiary) {
            return Err(NoReview::OwnRequest);
        }
        if !stage.approvers.contains(&self.account) {
            return Err(NoReview::NotApprover);
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoReview {
    OwnRequest,
    NotApprover,
    NoLogin,
    AnotherLogin,
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

/// An order to open a window for somebody.
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

/// Files a request on somebody's behalf, adds the caller's own review where it counts, and opens the window
/// if that meets every stage.
pub fn grant(
    policy: &Policy,
    state: &State,
    host: &HostName,
    caller: &Caller,
    order: GrantOrder,
    now: &Moment,
) -> Result<Vec<Event>, Refusal> {
    admin(policy, caller)?;
    let role = policy
        .role(&order.role)
        .filter(|role| role.on_host(host))
        .ok_or_else(|| Refusal::NoSuchRole(order.role.clone()))?;
    if !role.eligible.contains(&order.beneficiary) {
        return Err(Refusal::NotEligible {
            role: role.name.clone(),
            user: order.beneficiary.name,
            eligible: role.eligible.to_string(),
        });
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
        host: host.clone(),
        beneficiary: Person::of(&order.beneficiary),
        role: role.name.clone(),
        terms: role.terms_digest(),
        services: role.services.clone(),
        uses: role.uses,
        duration,
        filed_by: caller.person(),
        filed_at: now.wall,
        reason: order.reason,
    };
    let mut events = vec![Event::Requested { request: request.clone() }];
    let own = own_review(role, caller, &request);
    let mut reviews = Vec::new();
    if let Some(review) = own {
        reviews.push(review.clone());
        events.push(Event::Reviewed { request: request.id, digest: request.digest(), review });
    }
    if open_stage(role, &reviews).is_none() {
        events.push(Event::Opened { grant: open(&request, now) });
    }
    Ok(events)
}

fn own_review(role: &Role, caller: &Caller, request: &Request) -> Option<Review> {
    let stage = role.stages.first()?;
    caller.may_review(stage, request).ok()?;
    Some(Review {
        by: caller.person(),
        decision: Decision::Approve,
        stage: stage.name.clone(),
        method: Method::Online,
    })
}

/// The first stage that the reviews do not meet, and how many approvals it lacks. A person counts once.
fn open_stage<'a>(role: &'a Role, reviews: &[Review]) -> Option<(&'a Stage, usize)> {
    role.stages.iter().find_map(|stage| {
        let mut people: Vec<&Person> = Vec::new();
        for review in reviews.iter().filter(|review| review.stage == stage.name) {
            if !people.iter().any(|person| person.is(&review.by)) {
                people.push(&review.by);
            }
        }
        let wanted = usize::try_from(stage.approvals.get()).unwrap_or(usize::MAX);
        let lacking = wanted.saturating_sub(people.len());
        (lacking > 0).then_some((stage, lacking))
    })
}

/// What a pending request waits for, in words.
#[must_use]
pub fn waiting_for(policy: &Policy, request: &Request, reviews: &[Review]) -> String {
    match policy.role(&request.role).map(|role| open_stage(role, reviews)) {
        None => format!("nothing: role '{}' is no longer in policy", request.role),
        Some(None) => String::new(),
        Some(Some((stage, lacking))) => {
            format!(
                "stage '{}': {lacking} more of {}, not {}",
                stage.name, stage.approvers, request.beneficiary
            )
        }
    }
}

fn open(request: &Request, now: &Moment) -> Grant {
    Grant {
        id: request.id.into(),
        user: request.beneficiary.name.clone(),
        uid: request.beneficiary.uid,
        role: request.role.clone(),
        services: request.services.clone(),
        terms: request.terms,
        window: Window { start: now.clone(), duration: request.duration },
        uses: request.uses,
        used: 0,
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
