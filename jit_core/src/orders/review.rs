//! Reviews: who may give one, and what it does to the request. Law 4: one person counts once across all stages, and
//! never for themselves.

use std::collections::{BTreeMap, BTreeSet};

use jit_proto::words::{GroupName, Reason, RequestId, Uid, UserName};

use crate::context::Context;
use crate::digest::Digest;
use crate::duration::Human;
use crate::event::Event;
use crate::model::{
    ByCode, Caller, Decision, EndWhy, Evidence, Known, LoginAccount, Narrow, Pending, Person, Request,
    Review, Terms, same,
};
use crate::orders::bounds::{self, Wish};
use crate::orders::stages::{Asks, Progress, Stages};
use crate::orders::{NoReview, NotNow, NotOfHere, Refusal, leads, revoke, stay, terms};
use crate::policy::{Method, People, Role, Stage, Subject, Who};
use crate::state::State;

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
    pub(super) fn identified(self, here: Context<'_>) -> Result<(), NoReview> {
        let Self::Online(caller) = self else { return Ok(()) };
        let people = here.policy.people();
        let mut names = caller.accounts().flat_map(Subject::names);
        if let Some(shared) = names.find(|name| people.is_shared(name)) {
            return Err(NoReview::Shared(shared.clone()));
        }
        let root = caller.account.uid.is_root();
        match &caller.login {
            // Either root that somebody became, or a process that is not what it seems.
            LoginAccount::Known(login) if caller.account.uid != login.uid && !root => {
                Err(NoReview::AnotherLogin)
            }
            LoginAccount::Unset if !root => Err(NoReview::NoLogin),
            // Whoever is root by a grant can start a process that has no login.
            LoginAccount::Unset | LoginAccount::Untold if root => match here.state.root_session(here.now) {
                Some(session) => Err(NoReview::RootSession(session.login.user.clone())),
                None => Ok(()),
            },
            LoginAccount::Known(_) | LoginAccount::Unset | LoginAccount::Untold => Ok(()),
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
    pub(super) fn is_among(self, approvers: &Who) -> bool {
        self.accounts().into_iter().all(|account| approvers.contains(account))
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
    /// What proves it, where it came signed.
    pub signed: Option<Evidence>,
    /// Whose code it is, where it came as one.
    pub code: Option<ByCode>,
}

impl<'a> Given<'a> {
    /// One that takes nothing away and says no more.
    #[must_use]
    pub fn new(reviewer: Reviewer<'a>, decision: Decision) -> Self {
        Self { reviewer, decision, narrow: Narrow::default(), note: None, signed: None, code: None }
    }
}

/// What the name service says now of the people whom a decision is about: the beneficiary, and whoever reviewed
/// before.
pub type Lookups = BTreeMap<UserName, Known>;

/// What a review depends on, as it stands before the name service is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Briefing {
    /// For whom the request is.
    pub beneficiary: Person,
    /// The accounts that the name service is asked about.
    pub concerned: Vec<UserName>,
    /// The groups that it has to say of each whether these people are in them.
    pub groups: BTreeSet<GroupName>,
    /// The stages that ask somebody: whoever is asked may see the request.
    pub stages: Vec<Stage>,
}

impl Briefing {
    /// Of a request that waits, or an emergency that owes its review; nothing where nothing is to be reviewed.
    #[must_use]
    pub fn of(here: Context<'_>, id: RequestId) -> Option<Self> {
        let Pending { request, .. } = here.state.reviewable(id)?;
        let groups = Stages::of(here, request)
            .map_or_else(|_| BTreeSet::new(), |stages| wanted(here, &stages).into_iter().cloned().collect());
        Some(Self {
            beneficiary: request.beneficiary.clone(),
            concerned: concerned(here.state, id),
            groups,
            stages: asking(here, request),
        })
    }

    /// Whether somebody is asked in any stage, now or later.
    #[must_use]
    pub fn asks(&self, subject: &Subject) -> bool {
        self.stages.iter().any(|stage| stage.ever_asks(subject))
    }
}

fn wanted<'a>(here: Context<'a>, stages: &'a Stages<'a>) -> BTreeSet<&'a GroupName> {
    let asked = stages.people().flat_map(Who::every_group);
    asked.chain(stages.groups_of_teams(here)).chain(here.state.locked_groups()).collect()
}

/// One of these people; nobody if the account is no more.
pub(super) fn told<'s>(
    here: Context<'_>,
    stages: &Stages<'_>,
    id: RequestId,
    lookups: &'s Lookups,
    name: &UserName,
) -> Result<Option<&'s Subject>, Refusal> {
    match lookups.get(name).ok_or(Refusal::Raced(id))? {
        Known::Not => Ok(None),
        known @ (Known::Fully(_) | Known::Partly(..) | Known::Unanswered) => {
            let groups = wanted(here, stages);
            let unanswered =
                || Refusal::Unanswered { user: name.clone(), groups: known.unanswered(groups.clone()) };
            known.certain(groups.clone()).map(Some).ok_or_else(unanswered)
        }
    }
}

/// The accounts that the name service is asked about before this request is reviewed.
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
    here: Context<'_>,
    id: RequestId,
    seen: Option<Digest>,
    given: &Given<'_>,
    lookups: &Lookups,
) -> Result<Vec<Event>, Refusal> {
    let unknown = || Refusal::NotFound(id.to_string());
    let Pending { request, reviews } = here.state.reviewable(id).ok_or_else(unknown)?;
    let stages = Stages::of(here, request)?;
    if seen.is_some_and(|seen| seen != request.digest()) {
        return Err(Refusal::OtherDigest(id));
    }
    // A denial opens nothing, and neither does a review of what has opened already.
    if given.decision == Decision::Approve && !stages.of_debt() {
        here.clock()?;
        here.room()?;
    }
    let beneficiary = told(here, &stages, id, lookups, &request.beneficiary.name)?
        .filter(|now| request.beneficiary.is_account(now))
        .map(|now| now.as_person(request.beneficiary.person.clone()));
    // Who is no longer eligible may still be denied, and an emergency of theirs reviewed.
    let may_open = match stages.role() {
        Some(role) if given.decision == Decision::Approve => {
            let still = |now: &&Subject| role.eligible.contains(now) && is_still_there(here, request);
            let eligible = beneficiary.as_ref().filter(still);
            Some(eligible.ok_or_else(|| not_eligible(role, request))?)
        }
        Some(_) | None => None,
    };
    // Whose reviews count is read again now, and so it is at the opening.
    let mut events = discounts(here, id, lookups)?;
    let stages = if may_open.is_some() { stages.still(here, request, beneficiary.as_ref())? } else { stages };
    let counted: Vec<Review> = reviews
        .iter()
        .filter(|review| {
            !events.iter().any(|event| matches!(event, Event::Discounted { by, .. } if *by == review.by))
        })
        .cloned()
        .collect();
    let more = self::events(here, &stages, request, &counted, given, may_open);
    events.extend(more.map_err(|stop| stop.refusal(id))?);
    Ok(events)
}

/// The reviews that no longer count, since those who gave them are no longer asked. This happens also when the review
/// that brought it to light is refused: else the request would go on waiting for the stage behind.
pub fn discounts(here: Context<'_>, id: RequestId, lookups: &Lookups) -> Result<Vec<Event>, Refusal> {
    let unknown = || Refusal::NotFound(id.to_string());
    let Pending { request, reviews } = here.state.reviewable(id).ok_or_else(unknown)?;
    let stages = Stages::of(here, request)?;
    // Who left their team has its leads no more: an approval of theirs counts no more, and a denial does.
    let beneficiary = told(here, &stages, id, lookups, &request.beneficiary.name)?
        .filter(|now| request.beneficiary.is_account(now));
    let opening = stages.role().and_then(|_| stages.clone().still(here, request, beneficiary).ok());
    let mut events = Vec::new();
    for review in reviews {
        let now = told(here, &stages, id, lookups, &review.by.name)?;
        // Who signed elsewhere needs no account here, and has none still.
        let absent =
            if now.is_none() && review.method != Method::Online { absent(&review.by.name) } else { None };
        let of = opening.as_ref().filter(|_| review.decision == Decision::Approve).unwrap_or(&stages);
        if !still_asked(here, of, review, now.or(absent.as_ref())) {
            events.push(Event::Discounted { request: id, by: review.by.clone() });
        }
    }
    Ok(events)
}

/// Somebody who has no account on this host: in no group, and with a uid that no account should have, made of the name so
/// that two of them are two people. Should another have it all the same, one of the two does not count.
pub(super) fn absent(name: &UserName) -> Option<Subject> {
    const FIRST: u32 = 0xf000_0000;
    let Digest([a, b, c, d, ..]) = Digest::of(name.as_str().as_bytes());
    let uid = (u32::from_be_bytes([a, b, c, d]) >> 4 | FIRST).min(u32::MAX - 1);
    Uid::try_from(uid).ok().map(|uid| Subject::named(name.clone(), uid))
}

fn still_asked(here: Context<'_>, stages: &Stages<'_>, review: &Review, now: Option<&Subject>) -> bool {
    let Some(now) = now.filter(|now| review.by.is_account(now)) else { return false };
    // Whoever has been locked since, for what they did perhaps, has no say in what opens.
    if here.state.locked(here.now).on_person(now, here.policy.people()).is_some() {
        return false;
    }
    let mut of_stage = stages.iter().filter(|stage| stage.name == review.stage);
    of_stage.any(|stage| {
        // An approval that may have taken the place of a set that its person has left is asked for again. Who says no needs no place.
        let keeps_place = review.decision == Decision::Deny
            || !stage.approvers.are_several()
            || (!review.sets.is_empty() && review.sets.is_subset(&stage.counts_for(now)));
        keeps_place && stage.ever_asks(now)
    })
}

/// Why a review comes to nothing.
pub(crate) enum Stop {
    /// It does not count.
    NoReview(NoReview),
    /// It would, and what it would bring about is refused.
    Refused(Refusal),
}

impl Stop {
    /// The refusal, of a review of this request.
    pub(super) fn refusal(self, id: RequestId) -> Refusal {
        match self {
            Self::NoReview(why) => Refusal::NoReview { id, why },
            Self::Refused(refusal) => refusal,
        }
    }
}

impl<T: Into<NoReview>> From<T> for Stop {
    fn from(why: T) -> Self {
        Self::NoReview(why.into())
    }
}

/// The events of one more review, or why it does not count. `beneficiary` is who would be let in, where it may open.
pub(crate) fn events(
    here: Context<'_>,
    stages: &Stages<'_>,
    request: &Request,
    reviews: &[Review],
    given: &Given<'_>,
    beneficiary: Option<&Subject>,
) -> Result<Vec<Event>, Stop> {
    let people = here.policy.people();
    let (stage, asks) = match stages.progress(people, request, reviews, here.now) {
        Progress::Waits { stage, asks } => (stage, asks),
        Progress::Met => return Err(NoReview::Met.into()),
        Progress::Denied { stage } => return Err(NoReview::Denied(stage.name.clone()).into()),
        Progress::Lapsed { stage } => return Err(NoReview::Lapsed(stage.name.clone()).into()),
    };
    let reviewer = given.reviewer;
    let back = taken_back(people, stages, given, reviews);
    let (stage, sets) = if let Some(first) = back.first() {
        // It gives nobody anything, so no more is asked than that it is they, and not in which way a stage is told.
        reviewer.identified(here)?;
        (&first.stage, first.sets.clone())
    } else {
        let sets = may(here, reviewer, request, reviews, (stages, stage, &asks))?;
        // Whoever is asked can say no as long as the stage waits.
        if given.decision == Decision::Approve && !asks.lack(&sets) {
            let lacking = asks.open().iter().map(|(_, who)| who.to_string()).collect::<Vec<_>>().join(" or ");
            return Err(NoReview::Surplus { stage: stage.name.clone(), lacking }.into());
        }
        says_what_it_must(stage, given)?;
        (&stage.name, if stage.approvers.are_several() { sets } else { BTreeSet::new() })
    };
    if given.decision == Decision::Approve {
        Terms::asked(request).allow(&given.narrow)?;
        Terms::left(request, reviews).with(&given.narrow)?;
    }

    let Given { decision, narrow, note, signed, code, .. } = given.clone();
    let signed = signed.map(Box::new);
    let (by, method) = (reviewer.person(), reviewer.method());
    let review = Review {
        by,
        decision,
        stage: stage.clone(),
        sets,
        method,
        at: here.now.clone(),
        narrow,
        note,
        signed,
        code,
    };
    let stands = |one: &&Review| !back.contains(one);
    let all: Vec<Review> = reviews.iter().filter(stands).cloned().chain([review.clone()]).collect();
    let gone = back.iter().map(|one| Event::Discounted { request: request.id, by: one.by.clone() });
    let mut events: Vec<Event> = gone.collect();
    events.push(Event::Reviewed { request: request.id, digest: request.digest(), review });
    match (stages.progress(people, request, &all, here.now), stages.role()) {
        (Progress::Met, Some(role)) => {
            events.push(opened(here, role, request, &all, beneficiary).map_err(Stop::Refused)?);
        }
        (Progress::Denied { stage }, Some(_)) => {
            events.push(Event::Refused { request: request.id, stage: stage.name.clone() });
        }
        // What has opened already does not open again, whatever its role is today.
        (Progress::Met, None) => {
            events.push(Event::Settled { request: request.id, decision: Decision::Approve });
        }
        (Progress::Denied { .. }, None) => {
            events.push(Event::Settled { request: request.id, decision: Decision::Deny });
            let grant = request.id.into();
            if here.state.grant(grant).is_some() {
                events.extend(revoke::end(here.state, grant, EndWhy::Revoked, given.note.clone()));
            }
        }
        (Progress::Waits { .. } | Progress::Lapsed { .. }, _) => {}
    }
    Ok(events)
}

/// What the same person has said of a request that they deny now: whoever said yes may say no after all, for as long as it
/// waits and whichever of its stages that is, and whoever said no in a way that their stage does not count, in one that it
/// does. The denial takes their place, in their stage.
fn taken_back<'r>(
    people: &People,
    stages: &Stages<'_>,
    given: &Given<'_>,
    reviews: &'r [Review],
) -> Vec<&'r Review> {
    if given.decision == Decision::Approve {
        return Vec::new();
    }
    let by = given.reviewer.person();
    let counts = |one: &Review| {
        stages.iter().any(|stage| stage.name == one.stage && stage.accept.contains(&one.method))
    };
    let is_taken =
        |one: &&Review| same(people, &one.by, &by) && (one.decision == Decision::Approve || !counts(one));
    reviews.iter().filter(is_taken).collect()
}

/// Whether whoever it is for still shares the account, where people do. What somebody asked for on an account of their own
/// is not for all who share it since; what an admin asked for is.
fn is_still_there(here: Context<'_>, request: &Request) -> bool {
    let Request { beneficiary, filed_by, .. } = request;
    let people = here.policy.people();
    match &beneficiary.person {
        Some(person) => people.share(person, &beneficiary.name),
        None => !filed_by.is(beneficiary) || !beneficiary.names().any(|name| people.is_shared(name)),
    }
}

fn not_eligible(role: &Role, request: &Request) -> Refusal {
    Refusal::NotEligible {
        role: role.name.clone(),
        user: Box::new(request.beneficiary.clone()),
        eligible: role.eligible.to_string(),
    }
}

fn opened(
    here: Context<'_>,
    role: &Role,
    request: &Request,
    reviews: &[Review],
    beneficiary: Option<&Subject>,
) -> Result<Event, Refusal> {
    let beneficiary = beneficiary.ok_or_else(|| not_eligible(role, request))?;
    here.not_over(role)?;
    // What was asked for beside it may have opened since.
    let not_opened = |why| NotNow::NotOpened { id: request.id, why: Box::new(why) };
    bounds::allow(here, role, &Wish::of(request)).map_err(not_opened)?;
    longer_by_now(here, role, request).map_err(not_opened)?;
    if let Some(ahead) = request.ahead.as_ref().filter(|ahead| ahead.until <= here.now.wall) {
        return Err(NotOfHere::Over(ahead.until.to_seconds()).into());
    }
    terms::known(here, role, &request.reason, (request.start, request.extends)).map_err(not_opened)?;
    let locks = here.state.locked(here.now);
    let lock = locks.on_subject(beneficiary, here.policy.people()).or_else(|| locks.on_role(&role.name));
    match lock {
        Some(lock) => Err(Refusal::Locked(Box::new(lock.clone()))),
        None => Ok(terms::opened(here, role, request, reviews)),
    }
}

/// Whether a window that opened since has made it part of a longer stay, with a stage that it did not come to. Its stages
/// stay as they were when it was asked for: who has said yes has said it to that.
fn longer_by_now(here: Context<'_>, role: &Role, request: &Request) -> Result<(), NotNow> {
    if role.stages.iter().all(|stage| stage.above.is_none()) {
        return Ok(());
    }
    let Request { beneficiary, duration, start, extends, .. } = request;
    let had = stay::of(here, role, beneficiary, *duration, (*start, *extends)).had;
    let together = had.saturating_add(*duration);
    let missed = |stage: &&Stage| stage.is_of(together) && !stage.is_of(request.together());
    role.stages.iter().find(missed).map_or(Ok(()), |stage| {
        Err(NotNow::Longer {
            who: beneficiary.to_string(),
            role: role.name.clone(),
            together: Human(together),
            stage: stage.name.clone(),
            id: request.id,
        })
    })
}

/// Whether this reviewer's word counts in the stage that waits: for which sets of whom it asks.
fn may(
    here: Context<'_>,
    reviewer: Reviewer<'_>,
    request: &Request,
    reviews: &[Review],
    (stages, stage, asks): (&Stages<'_>, &Stage, &Asks<'_>),
) -> Result<BTreeSet<usize>, NoReview> {
    let people = here.policy.people();
    let (by, method) = (reviewer.person(), reviewer.method());
    reviewer.identified(here)?;
    if request.is_for(people, &by) {
        return Err(NoReview::OwnRequest);
    }
    let locks = here.state.locked(here.now);
    if let Some(lock) = reviewer.accounts().into_iter().find_map(|account| locks.on_subject(account, people))
    {
        return Err(NoReview::Locked(lock.refusal()));
    }
    let sets = asks.counts_for(&reviewer.accounts());
    if sets.is_empty() {
        let later =
            stages.after(stage).find(|later| later.approvers.sets().any(|set| reviewer.is_among(set)));
        let own = later.map(|later| later.name.clone());
        let (stage, approvers) = (stage.name.clone(), asks.to_string());
        return Err(match own {
            Some(own) => NoReview::TooEarly { stage, approvers, own },
            None => NoReview::NotApprover { stage, approvers },
        });
    }
    stage_accepts(stage, method)?;
    if reviews.iter().any(|review| same(people, &review.by, &by)) {
        return Err(NoReview::Twice(by));
    }
    Ok(sets)
}

/// Whether an approval comes with what its stage wants to have written. A denial gives nobody anything.
fn says_what_it_must(stage: &Stage, given: &Given<'_>) -> Result<(), NoReview> {
    let wanted = stage.note.as_ref().filter(|_| given.decision == Decision::Approve);
    let missing = wanted.filter(|rule| !given.note.as_ref().is_some_and(|note| rule.accepts(note)));
    missing.map_or(Ok(()), |rule| Err(NoReview::Note { stage: stage.name.clone(), wanted: rule.to_string() }))
}

/// Whether the stage takes reviews that reach this host in this way.
pub(super) fn stage_accepts(stage: &Stage, method: Method) -> Result<(), NoReview> {
    if stage.accept.contains(&method) {
        return Ok(());
    }
    let accepted = stage.accept.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
    Err(NoReview::Method { stage: stage.name.clone(), accepted, method })
}

/// Whether a request waits for this very caller's review now.
#[must_use]
pub fn waits_for(here: Context<'_>, pending: &Pending, caller: &Caller) -> bool {
    let Pending { request, reviews } = pending;
    let Ok(stages) = Stages::of(here, request) else { return false };
    // What was said in a stage that is gone is discounted with the next review.
    let in_stages = reviews.iter().filter(|review| stages.iter().any(|stage| stage.name == review.stage));
    let reviews: Vec<Review> = in_stages.cloned().collect();
    match stages.progress(here.policy.people(), request, &reviews, here.now) {
        Progress::Waits { stage, asks, .. } => {
            let sets = may(here, Reviewer::Online(caller), request, &reviews, (&stages, stage, &asks));
            sets.is_ok_and(|sets| asks.lack(&sets))
        }
        Progress::Met | Progress::Denied { .. } | Progress::Lapsed { .. } => false,
    }
}

/// Whether somebody is asked in any stage of a request, and so may see it.
#[must_use]
pub fn is_asked(here: Context<'_>, request: &Request, subject: &Subject) -> bool {
    asking(here, request).iter().any(|stage| stage.ever_asks(subject))
}

/// The stages whose people may see a request: what was asked under other terms is still shown to those whom its role asks
/// today.
fn asking(here: Context<'_>, request: &Request) -> Vec<Stage> {
    let mut all: Vec<Stage> =
        Stages::of(here, request).map_or_else(|_| Vec::new(), |stages| stages.iter().cloned().collect());
    let of_role = here.policy.role(&request.role).into_iter().flat_map(|role| &role.stages);
    let of_role: Vec<Stage> = of_role.filter(|stage| stage.is_of(request.together())).cloned().collect();
    for stage in leads::resolved(here, &of_role, &request.teams) {
        if !all.contains(&stage) {
            all.push(stage);
        }
    }
    all
}
