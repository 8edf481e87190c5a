//! Stages and what reviews make of them. Law 4: one person counts once across all stages, and never for
//! themselves.

use crate::clock::{Moment, Window};
use crate::event::{Decision, Event, Method, Review};
use crate::grant::Grant;
use crate::policy::{People, Policy, Role, Stage, Subject, Then, Who};
use crate::request::{Caller, Login, Person, Request};

/// Who reviews, and how that reached this host.
#[derive(Clone, Copy, Debug)]
pub enum Reviewer<'a> {
    /// The caller of an order on the bus.
    Online(&'a Caller),
    /// Whoever a verified signature or code names.
    Remote {
        /// The reviewer's account.
        account: &'a Subject,
        /// Signature or code.
        method: Method,
    },
}

impl Reviewer<'_> {
    fn method(self) -> Method {
        match self {
            Self::Online(_) => Method::Online,
            Self::Remote { method, .. } => method,
        }
    }

    fn person(self) -> Person {
        match self {
            Self::Online(caller) => caller.person(),
            Self::Remote { account, .. } => Person::of(account),
        }
    }

    /// Whether the kernel's word on who this is can be relied on (law 4).
    fn identified(self) -> Result<(), NoReview> {
        let Self::Online(caller) = self else { return Ok(()) };
        let root = caller.account.uid.is_root();
        match &caller.login {
            // Either root that somebody became, or a process that is not what it seems.
            Login::Known(login) if caller.account.uid != login.uid && !root => Err(NoReview::AnotherLogin),
            Login::Unset if !root => Err(NoReview::NoLogin),
            Login::Known(_) | Login::Unset | Login::Untold => Ok(()),
        }
    }

    /// Whether these people include the reviewer: the account, and the login behind it where it is another.
    fn is_among(self, approvers: &Who) -> bool {
        match self {
            Self::Online(Caller { account, login: Login::Known(login) }) => {
                approvers.contains(account) && approvers.contains(login)
            }
            Self::Online(caller) => approvers.contains(&caller.account),
            Self::Remote { account, .. } => approvers.contains(account),
        }
    }
}

/// Why a review does not count. Each text says what would.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReview {
    /// Their own.
    #[error("nobody reviews a request that is for themselves")]
    OwnRequest,
    /// They have reviewed it before, in this stage or another.
    #[error("{0} has reviewed it already, and one person counts once")]
    Twice(Person),
    /// They are not of this stage.
    #[error("stage '{stage}' asks {approvers}")]
    NotApprover {
        /// The stage that waits.
        stage: String,
        /// Whom it asks.
        approvers: String,
    },
    /// It came in a way that the stage does not accept.
    #[error("stage '{stage}' accepts {accepted}, not {method}")]
    Method {
        /// The stage that waits.
        stage: String,
        /// What it accepts.
        accepted: String,
        /// How the review came.
        method: Method,
    },
    /// The stage was not decided in time.
    #[error("stage '{0}' was not decided in time; ask again")]
    Lapsed(String),
    /// It has been denied.
    #[error("stage '{0}' has denied it")]
    Denied(String),
    /// Nothing waits for a review.
    #[error("every stage is met")]
    Met,
    /// A process without a login.
    #[error("it comes from a process that nobody logged in to start")]
    NoLogin,
    /// A login other than the account.
    #[error("it comes from a process of another login")]
    AnotherLogin,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Every stage is met.
    Met,
    /// A stage waits.
    Waits {
        /// Which.
        stage: &'a Stage,
        /// Whom it asks now.
        approvers: &'a Who,
        /// How many approvals it lacks.
        lacking: usize,
    },
    /// A stage was denied.
    Denied {
        /// Which.
        stage: &'a Stage,
    },
    /// A stage was not decided in time.
    Lapsed {
        /// Which.
        stage: &'a Stage,
    },
}

/// How far these reviews bring a request. Stages run in order: one that is not met hides those behind it.
#[must_use]
pub fn progress<'a>(
    people: &People,
    role: &'a Role,
    request: &Request,
    reviews: &[Review],
    now: &Moment,
) -> Progress<'a> {
    let mut began = &request.filed_at;
    let mut counted = vec![&request.beneficiary];
    for stage in &role.stages {
        let (mut approvals, mut denials) = (0_u32, 0_u32);
        for review in reviews.iter().filter(|review| review.stage == stage.name) {
            if !stage.accept.contains(&review.method) || is_one_of(people, &review.by, &counted) {
                continue;
            }
            counted.push(&review.by);
            match review.decision {
                Decision::Approve => approvals += 1,
                Decision::Deny => denials += 1,
            }
            if denials >= stage.denials.get() {
                return Progress::Denied { stage };
            }
            if approvals == stage.approvals.get() {
                began = &review.at;
                break;
            }
        }
        if approvals < stage.approvals.get() {
            let lacking = usize::try_from(stage.approvals.get() - approvals).unwrap_or(usize::MAX);
            return match asked_now(stage, began, now) {
                Some(approvers) => Progress::Waits { stage, approvers, lacking },
                None => Progress::Lapsed { stage },
            };
        }
    }
    Progress::Met
}

/// Whom a stage that began then asks now; nobody once it has lapsed.
fn asked_now<'a>(stage: &'a Stage, began: &Moment, now: &Moment) -> Option<&'a Who> {
    let Some(expires) = stage.expires else { return Some(&stage.approvers) };
    let waited = now.since(began);
    match &stage.then {
        _ if waited < expires => Some(&stage.approvers),
        Then::Ask(next) if waited < expires * 2 => Some(next),
        Then::Ask(_) | Then::Deny => None,
    }
}

/// The events of one more review, or why it does not count.
pub(crate) fn events(
    policy: &Policy,
    role: &Role,
    request: &Request,
    reviews: &[Review],
    reviewer: Reviewer<'_>,
    decision: Decision,
    now: &Moment,
) -> Result<Vec<Event>, NoReview> {
    let people = policy.people();
    let (stage, approvers) = match progress(people, role, request, reviews, now) {
        Progress::Waits { stage, approvers, .. } => (stage, approvers),
        Progress::Met => return Err(NoReview::Met),
        Progress::Denied { stage } => return Err(NoReview::Denied(stage.name.clone())),
        Progress::Lapsed { stage } => return Err(NoReview::Lapsed(stage.name.clone())),
    };
    reviewer.identified()?;
    let (by, method) = (reviewer.person(), reviewer.method());
    if same(people, &by, &request.beneficiary) {
        return Err(NoReview::OwnRequest);
    }
    if !reviewer.is_among(approvers) {
        let (stage, approvers) = (stage.name.clone(), approvers.to_string());
        return Err(NoReview::NotApprover { stage, approvers });
    }
    if !stage.accept.contains(&method) {
        let accepted = stage.accept.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
        return Err(NoReview::Method { stage: stage.name.clone(), accepted, method });
    }
    if reviews.iter().any(|review| same(people, &review.by, &by)) {
        return Err(NoReview::Twice(by));
    }

    let review = Review { by, decision, stage: stage.name.clone(), method, at: now.clone() };
    let all: Vec<Review> = reviews.iter().cloned().chain([review.clone()]).collect();
    let mut events = vec![Event::Reviewed { request: request.id, digest: request.digest(), review }];
    match progress(people, role, request, &all, now) {
        Progress::Met => events.push(Event::Opened { grant: open(role, request, now) }),
        Progress::Denied { stage } => {
            events.push(Event::Refused { request: request.id, stage: stage.name.clone() });
        }
        Progress::Waits { .. } | Progress::Lapsed { .. } => {}
    }
    Ok(events)
}

fn open(role: &Role, request: &Request, now: &Moment) -> Grant {
    Grant {
        id: request.id.into(),
        user: request.beneficiary.name.clone(),
        uid: request.beneficiary.uid,
        role: request.role.clone(),
        services: request.services.clone(),
        limits: role.limits.clone(),
        terms: request.terms,
        window: Window { start: now.clone(), duration: request.duration },
        uses: request.uses,
        used: 0,
    }
}

fn is_one_of(people: &People, person: &Person, others: &[&Person]) -> bool {
    others.iter().any(|other| same(people, person, other))
}

/// Whether two accounts are one human, by uid, by name, or because policy says so.
pub(crate) fn same(people: &People, a: &Person, b: &Person) -> bool {
    a.is(b) || people.same(&a.name, &b.name)
}
