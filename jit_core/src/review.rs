//! Stages and what reviews make of them. Law 4: one person counts once across all stages, and never for
//! themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use jit_proto::words::{Reason, RequestId, UserName};

use crate::clock::Moment;
use crate::digest::Digest;
use crate::event::{Decision, Event, Method, Review};
use crate::grant::EndWhy;
use crate::opening::{self, Narrow, NotNarrower, Terms};
use crate::order::{Here, Refusal};
use crate::person::{Caller, Login, Person, same};
use crate::policy::{People, Policy, Role, Stage, Subject, Then, Who};
use crate::request::Request;
use crate::state::{Pending, State};
use crate::{taking_back, trial};

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

impl<'a> Reviewer<'a> {
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
    fn identified(self, state: &State, now: &Moment) -> Result<(), NoReview> {
        let Self::Online(caller) = self else { return Ok(()) };
        let root = caller.account.uid.is_root();
        match &caller.login {
            // Either root that somebody became, or a process that is not what it seems.
            Login::Known(login) if caller.account.uid != login.uid && !root => Err(NoReview::AnotherLogin),
            Login::Unset if !root => Err(NoReview::NoLogin),
            // Whoever is root by a grant can start a process that has no login.
            Login::Unset | Login::Untold if root => match state.root_session(now) {
                Some(session) => Err(NoReview::RootSession(session.login.user.clone())),
                None => Ok(()),
            },
            Login::Known(_) | Login::Unset | Login::Untold => Ok(()),
        }
    }

    /// The accounts behind the review.
    fn accounts(self) -> Vec<&'a Subject> {
        match self {
            Self::Online(caller) => caller.accounts().collect(),
            Self::Remote { account, .. } => vec![account],
        }
    }

    /// Whether these people include the reviewer: the account, and the login behind it where it is another.
    fn is_among(self, approvers: &Who) -> bool {
        self.accounts().into_iter().all(|account| approvers.contains(account))
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
    /// A process without a login, while somebody may be root by a grant.
    #[error(
        "it comes from a process that nobody logged in to start, and while a session of {0} that may be root's is \
         open, that could be them; log in as yourself to review"
    )]
    RootSession(UserName),
    /// A lock is on the reviewer.
    #[error("the reviewer is {0}")]
    Locked(String),
    /// Terms that take nothing away, or everything.
    #[error("{0}")]
    NotNarrower(#[from] NotNarrower),
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
    walk(people, role, request, reviews, now).0
}

/// The progress, and when the stage that waits began to.
fn walk<'a, 'r>(
    people: &People,
    role: &'a Role,
    request: &'r Request,
    reviews: &'r [Review],
    now: &Moment,
) -> (Progress<'a>, &'r Moment) {
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
                return (Progress::Denied { stage }, began);
            }
            if approvals == stage.approvals.get() {
                began = &review.at;
                break;
            }
        }
        if approvals < stage.approvals.get() {
            let lacking = usize::try_from(stage.approvals.get() - approvals).unwrap_or(usize::MAX);
            let progress = match asked_now(role, stage, began, now) {
                Some(approvers) => Progress::Waits { stage, approvers, lacking },
                None => Progress::Lapsed { stage },
            };
            return (progress, began);
        }
    }
    (Progress::Met, began)
}

/// Whom a stage that began then asks now; nobody once it has lapsed. What an emergency owes is owed until it is paid.
fn asked_now<'a>(role: &Role, stage: &'a Stage, began: &Moment, now: &Moment) -> Option<&'a Who> {
    let Some(expires) = stage.expires else { return Some(&stage.approvers) };
    let waited = now.since(began);
    match &stage.then {
        _ if waited < expires => Some(&stage.approvers),
        Then::Ask(next) if waited < expires * 2 || role.emergency => Some(next),
        Then::Deny if role.emergency => Some(&stage.approvers),
        Then::Ask(_) | Then::Deny => None,
    }
}

/// The end of a request that nobody has decided in time, or that can never open.
pub(crate) fn lapsed(here: Here<'_>, pending: &Pending) -> Option<Event> {
    let Pending { request, reviews } = pending;
    let over = |stage| Some(Event::Lapsed { request: request.id, stage });
    let role = here.role(&request.role).ok().filter(|role| here.policy.terms(role) == request.terms);
    if opening::too_late(request, here.now.wall) {
        return over(None);
    }
    // A policy on trial may go back, and the role with it.
    let Some(role) = role else {
        return if trial::running(here.state).is_some() { None } else { over(None) };
    };
    match progress(here.policy.people(), role, request, reviews, here.now) {
        Progress::Lapsed { stage } => over(Some(stage.name.clone())),
        Progress::Met | Progress::Waits { .. } | Progress::Denied { .. } => None,
    }
}

/// How long a request certainly does not lapse; absent if it never does.
#[must_use]
pub fn lapses_in(here: Here<'_>, pending: &Pending) -> Option<Duration> {
    let Pending { request, reviews } = pending;
    let now = here.now;
    let role = here.role(&request.role).ok()?;
    let (progress, began) = walk(here.policy.people(), role, request, reviews, now);
    let stage = match progress {
        Progress::Waits { stage, .. } => stage.expires.map(|expires| {
            let waited = now.since(began);
            // The first limit is of interest too: then others are asked.
            let limit = if waited < expires { expires } else { expires * 2 };
            limit.saturating_sub(waited)
        }),
        Progress::Lapsed { .. } => Some(Duration::ZERO),
        Progress::Met | Progress::Denied { .. } => None,
    };
    let start = request.start.map(|start| start.plus(request.duration).since(now.wall));
    stage.into_iter().chain(start).min()
}

/// What a request waits for, in words.
#[must_use]
pub fn waiting_for(policy: &Policy, request: &Request, reviews: &[Review], now: &Moment) -> String {
    let Some(role) = policy.role(&request.role) else {
        return format!("nothing: role '{}' is no longer in policy", request.role);
    };
    if policy.terms(role) != request.terms {
        return format!("nothing: role '{}' has changed since; ask again", request.role);
    }
    match progress(policy.people(), role, request, reviews, now) {
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

/// A review as it is given.
#[derive(Clone, Debug)]
pub struct Given<'a> {
    /// Who gives it.
    pub reviewer: Reviewer<'a>,
    /// Yes or no.
    pub decision: Decision,
    /// What it takes away.
    pub narrow: Narrow,
    /// What was written with it.
    pub note: Option<Reason>,
}

impl<'a> Given<'a> {
    /// One that takes nothing away and says no more.
    #[must_use]
    pub fn new(reviewer: Reviewer<'a>, decision: Decision) -> Self {
        Self { reviewer, decision, narrow: Narrow::default(), note: None }
    }
}

/// What the name service says now of the people whom a decision is about: the beneficiary, and whoever reviewed
/// before. An account that is no more has no subject.
pub type Standing = BTreeMap<UserName, Option<Subject>>;

/// The people whose standing has to be known to review this request.
#[must_use]
pub fn concerned(state: &State, id: RequestId) -> Vec<UserName> {
    state.reviewable(id).map_or_else(Vec::new, |Pending { request, reviews }| {
        let reviewers = reviews.iter().map(|review| review.by.name.clone());
        [request.beneficiary.name.clone()].into_iter().chain(reviewers).collect()
    })
}

/// Reviews a request that waits, or an emergency that owes it; opens the window if that meets every stage, or ends
/// it if that is one denial more than its stage bears. `seen` is the digest of what the reviewer looked at.
pub fn review(
    here: Here<'_>,
    id: RequestId,
    seen: Option<Digest>,
    given: &Given<'_>,
    standing: &Standing,
) -> Result<Vec<Event>, Refusal> {
    let unknown = || Refusal::NotFound(id.to_string());
    let Pending { request, reviews } = here.state.reviewable(id).ok_or_else(unknown)?;
    let role = here.role(&request.role)?;
    // What is reviewed is what was asked for (law 5); under other terms it would be another request. What an emergency
    // owes is owed whatever has become of the role since, and opens nothing.
    let owed = here.state.owed().contains_key(&id);
    if here.policy.terms(role) != request.terms && !owed {
        return Err(Refusal::TermsChanged(role.name.clone()));
    }
    if seen.is_some_and(|seen| seen != request.digest()) {
        return Err(Refusal::OtherDigest(id));
    }
    // A denial opens nothing, and neither does a review of what has opened already.
    if given.decision == Decision::Approve && !role.emergency {
        here.clock()?;
    }
    let known = |name: &UserName| standing.get(name).ok_or(Refusal::Raced(id));
    let not_eligible = || Refusal::NotEligible {
        role: role.name.clone(),
        user: request.beneficiary.name.clone(),
        eligible: role.eligible.to_string(),
    };
    let beneficiary = known(&request.beneficiary.name)?
        .as_ref()
        .filter(|now| Person::of(now) == request.beneficiary && role.eligible.contains(now));
    // Whose reviews count is read again now, and so it is at the opening.
    let mut events = discounts(here, id, standing)?;
    let counted: Vec<Review> = reviews
        .iter()
        .filter(|review| {
            !events.iter().any(|event| matches!(event, Event::Discounted { by, .. } if *by == review.by))
        })
        .cloned()
        .collect();
    let beneficiary = match beneficiary {
        Some(beneficiary) => beneficiary,
        // Who is no longer eligible may still be denied, and an emergency of theirs reviewed.
        None if given.decision == Decision::Deny || role.emergency => &Subject {
            name: request.beneficiary.name.clone(),
            uid: request.beneficiary.uid,
            groups: [].into(),
        },
        None => return Err(not_eligible()),
    };
    let more = self::events(here, role, request, &counted, given, beneficiary);
    events.extend(more.map_err(|refusal| match refusal {
        Stop::NoReview(why) => Refusal::NoReview { id, why },
        Stop::Refused(refusal) => refusal,
    })?);
    Ok(events)
}

/// The reviews that no longer count, since those who gave them are no longer asked. This happens also when the review
/// that brought it to light is refused: else the request would go on waiting for the stage behind.
pub fn discounts(here: Here<'_>, id: RequestId, standing: &Standing) -> Result<Vec<Event>, Refusal> {
    let unknown = || Refusal::NotFound(id.to_string());
    let Pending { request, reviews } = here.state.reviewable(id).ok_or_else(unknown)?;
    let role = here.role(&request.role)?;
    let mut events = Vec::new();
    for review in reviews {
        let now = standing.get(&review.by.name).ok_or(Refusal::Raced(id))?;
        if !still_asked(here, role, review, now.as_ref()) {
            events.push(Event::Discounted { request: id, by: review.by.clone() });
        }
    }
    Ok(events)
}

fn still_asked(here: Here<'_>, role: &Role, review: &Review, now: Option<&Subject>) -> bool {
    let Some(now) = now.filter(|now| Person::of(now) == review.by) else { return false };
    // Whoever has been locked since, for what they did perhaps, has no say in what opens.
    if here.state.locked(here.now).on_person(now, here.policy.people()).is_some() {
        return false;
    }
    role.stages.iter().filter(|stage| stage.name == review.stage).any(|stage| {
        let next = match &stage.then {
            Then::Ask(next) => Some(next),
            Then::Deny => None,
        };
        [&stage.approvers].into_iter().chain(next).any(|who| who.contains(now))
    })
}

/// Why a review comes to nothing.
pub(crate) enum Stop {
    /// It does not count.
    NoReview(NoReview),
    /// It would, and what it would bring about is refused.
    Refused(Refusal),
}

impl<T: Into<NoReview>> From<T> for Stop {
    fn from(why: T) -> Self {
        Self::NoReview(why.into())
    }
}

/// The events of one more review, or why it does not count.
pub(crate) fn events(
    here: Here<'_>,
    role: &Role,
    request: &Request,
    reviews: &[Review],
    given: &Given<'_>,
    beneficiary: &Subject,
) -> Result<Vec<Event>, Stop> {
    let Here { policy, state, now, .. } = here;
    let people = policy.people();
    let (stage, approvers) = match progress(people, role, request, reviews, now) {
        Progress::Waits { stage, approvers, .. } => (stage, approvers),
        Progress::Met => return Err(NoReview::Met.into()),
        Progress::Denied { stage } => return Err(NoReview::Denied(stage.name.clone()).into()),
        Progress::Lapsed { stage } => return Err(NoReview::Lapsed(stage.name.clone()).into()),
    };
    let reviewer = given.reviewer;
    may(here, reviewer, request, reviews, stage, approvers)?;
    if given.decision == Decision::Approve {
        given.narrow.of(&Terms::asked(request))?;
        Terms::left(request, reviews).with(&given.narrow)?;
    }

    let Given { decision, narrow, note, .. } = given.clone();
    let (by, method) = (reviewer.person(), reviewer.method());
    let review = Review { by, decision, stage: stage.name.clone(), method, at: now.clone(), narrow, note };
    let all: Vec<Review> = reviews.iter().cloned().chain([review.clone()]).collect();
    let mut events = vec![Event::Reviewed { request: request.id, digest: request.digest(), review }];
    let settled = |decision| Event::Settled { request: request.id, decision };
    match progress(people, role, request, &all, now) {
        Progress::Met if role.emergency => events.push(settled(Decision::Approve)),
        Progress::Met => {
            let locks = state.locked(now);
            let lock = locks.on_subject(beneficiary, people).or_else(|| locks.on_role(&role.name));
            if let Some(lock) = lock {
                return Err(Stop::Refused(Refusal::Locked(Box::new(lock.clone()))));
            }
            events.push(opening::opened(here, role, request, &all));
        }
        Progress::Denied { .. } if role.emergency => {
            events.push(settled(Decision::Deny));
            if state.grant(request.id.into()).is_some() {
                events.extend(taking_back::end(
                    state,
                    request.id.into(),
                    EndWhy::Revoked,
                    given.note.clone(),
                ));
            }
        }
        Progress::Denied { stage } => {
            events.push(Event::Refused { request: request.id, stage: stage.name.clone() });
        }
        Progress::Waits { .. } | Progress::Lapsed { .. } => {}
    }
    Ok(events)
}

/// Whether this reviewer's word counts in the stage that waits.
fn may(
    here: Here<'_>,
    reviewer: Reviewer<'_>,
    request: &Request,
    reviews: &[Review],
    stage: &Stage,
    approvers: &Who,
) -> Result<(), NoReview> {
    let people = here.policy.people();
    let (by, method) = (reviewer.person(), reviewer.method());
    reviewer.identified(here.state, here.now)?;
    if same(people, &by, &request.beneficiary) {
        return Err(NoReview::OwnRequest);
    }
    let locks = here.state.locked(here.now);
    if let Some(lock) = reviewer.accounts().into_iter().find_map(|account| locks.on_subject(account, people))
    {
        return Err(NoReview::Locked(lock.refusal()));
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
    Ok(())
}

/// Whether a request waits for this very caller's review now.
#[must_use]
pub fn waits_for(here: Here<'_>, pending: &Pending, caller: &Caller) -> bool {
    let Pending { request, reviews } = pending;
    let Ok(role) = here.role(&request.role) else { return false };
    if here.policy.terms(role) != request.terms && !here.state.owed().contains_key(&request.id) {
        return false;
    }
    match progress(here.policy.people(), role, request, reviews, here.now) {
        Progress::Waits { stage, approvers, .. } => {
            may(here, Reviewer::Online(caller), request, reviews, stage, approvers).is_ok()
        }
        Progress::Met | Progress::Denied { .. } | Progress::Lapsed { .. } => false,
    }
}

/// Whether somebody is asked in any stage of a request, and so may see it.
#[must_use]
pub fn is_asked(policy: &Policy, request: &Request, subject: &Subject) -> bool {
    policy.role(&request.role).is_some_and(|role| {
        role.stages.iter().any(|stage| {
            stage.approvers.contains(subject)
                || matches!(&stage.then, Then::Ask(next) if next.contains(subject))
        })
    })
}

fn is_one_of(people: &People, person: &Person, others: &[&Person]) -> bool {
    others.iter().any(|other| same(people, person, other))
}
