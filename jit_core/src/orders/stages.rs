//! The stages of a request: which one waits, which reviews count for it, and when it lapses.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::words::{GroupName, RoleName, UserName};

use crate::context::Context;
use crate::event::Event;
use crate::model::{Decision, Pending, Person, Request, Review, same};
use crate::orders::places::Places;
use crate::orders::{NoReview, NotNow, Refusal, leads, terms, trial};
use crate::policy::{Method, People, Role, Stage, Subject, TeamName, Then, Who};
use crate::time::Moment;
use crate::timer::Timer;

/// By whom a request is reviewed, and what comes of that: a role for what waits, which opens once its stages are met;
/// none for what an emergency owes, which has opened already. Which of the two it is, is a fact of the request and not
/// of today's policy: a role may have ceased to be an emergency, or may be gone.
#[derive(Clone, Debug)]
pub struct Stages<'a> {
    all: Cow<'a, [Stage]>,
    opens: Option<&'a Role>,
    /// The teams whose leads they ask, where they do.
    teams: BTreeSet<TeamName>,
}

impl<'a> Stages<'a> {
    /// The stages of a request that waits, or is owed.
    ///
    /// What is reviewed is what was asked for (law 5); under other terms it would be another request. What an emergency
    /// owes is owed whatever has become of the role since: to those whom the role asks today, and if there is no such
    /// role here any more, to any admin.
    pub fn of(here: Context<'a>, request: &Request) -> Result<Self, Refusal> {
        let role = here.role(&request.role);
        if here.state.owed().contains_key(&request.id) {
            let of_role = |role| Self::of_emergency(here, role, request);
            return Ok(role.map_or_else(|_| Self::of_any_admin(here), of_role));
        }
        let role = role?;
        if here.policy.terms(role) != request.terms {
            return Err(Refusal::TermsChanged(role.name.clone()));
        }
        Ok(Self::of_role(here, role, request))
    }

    /// Those of a request that opens with them.
    pub(crate) fn of_role(here: Context<'a>, role: &'a Role, request: &Request) -> Self {
        Self::new(here, of_length(role, request), Some(role), &request.teams)
    }

    /// Every stage that the role has, for whomever it is.
    pub(crate) fn of_any_length(here: Context<'a>, role: &'a Role) -> Self {
        Self::new(here, Cow::Borrowed(&role.stages), Some(role), &here.policy.teams().names())
    }

    /// Those of a request that has opened without them. What it owes nobody could review whom they ask, any admin does.
    pub(crate) fn of_emergency(here: Context<'a>, role: &'a Role, request: &Request) -> Self {
        let stages = Self::new(here, of_length(role, request), None, &request.teams);
        let asks_nobody = leads::without(here, &stages.all, &request.beneficiary).is_some();
        if asks_nobody { Self::of_any_admin(here) } else { stages }
    }

    /// These, with the leads of these teams where they ask leads.
    fn new(
        here: Context<'a>,
        all: Cow<'a, [Stage]>,
        opens: Option<&'a Role>,
        teams: &BTreeSet<TeamName>,
    ) -> Self {
        if !all.iter().flat_map(Stage::people).any(Who::asks_leads) {
            return Self { all, opens, teams: BTreeSet::new() };
        }
        Self { all: Cow::Owned(leads::resolved(here, &all, teams)), opens, teams: teams.clone() }
    }

    /// The same for whoever they are for as they are now: the leads of teams that they have left are not asked.
    pub(super) fn still(
        self,
        here: Context<'a>,
        request: &Request,
        now: Option<&Subject>,
    ) -> Result<Self, NotNow> {
        if self.teams.is_empty() {
            return Ok(self);
        }
        let teams = leads::still(here, request, now)?;
        Ok(Self::new(here, self.all, self.opens, &teams))
    }

    /// The groups on which it depends whose leads they ask.
    pub(crate) fn groups_of_teams<'s>(&'s self, here: Context<'s>) -> impl Iterator<Item = &'s GroupName> {
        here.policy.teams().groups_of_members(&self.teams)
    }

    /// Whether they find somebody else than the one whom they are for.
    pub(super) fn allow(&self, here: Context<'_>, role: &Role, me: &Person) -> Result<(), NotNow> {
        leads::allow(here, role, &self.all, me, &self.teams)
    }

    fn of_any_admin(here: Context<'_>) -> Self {
        let stage = Stage {
            name: "any admin".to_owned(),
            approvers: here.policy.admins().clone().into(),
            above: None,
            approvals: NonZeroU32::MIN,
            denials: NonZeroU32::MIN,
            expires: None,
            then: Then::Deny,
            accept: [Method::Online].into(),
            note: None,
        };
        Self { all: Cow::Owned(vec![stage]), opens: None, teams: BTreeSet::new() }
    }

    /// Whether they are about what has opened already.
    #[must_use]
    pub const fn of_debt(&self) -> bool {
        self.opens.is_none()
    }

    /// The role that opens once they are met.
    #[must_use]
    pub const fn role(&self) -> Option<&'a Role> {
        self.opens
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = &Stage> {
        self.all.iter()
    }

    /// Those that come behind this one.
    pub(crate) fn after(&self, stage: &Stage) -> impl Iterator<Item = &Stage> {
        self.iter().skip_while(move |one| one.name != stage.name).skip(1)
    }

    /// Everybody of whom it matters who they are: whom they ask, and of what opens with them, for whom it is.
    pub(crate) fn people(&self) -> impl Iterator<Item = &Who> {
        let asked = self.iter().flat_map(Stage::people);
        asked.chain(self.opens.map(|role| &role.eligible))
    }

    /// How far these reviews bring a request. Stages run in order: one that is not met hides those behind it.
    #[must_use]
    pub fn progress(
        &self,
        people: &People,
        request: &Request,
        reviews: &[Review],
        now: &Moment,
    ) -> Progress<'_> {
        self.walk(people, request, reviews, now).0
    }

    /// The progress, and when the stage that waits began to.
    fn walk<'r>(
        &self,
        people: &People,
        request: &'r Request,
        reviews: &'r [Review],
        now: &Moment,
    ) -> (Progress<'_>, &'r Moment) {
        let mut began = &request.filed_at;
        let mut counted = vec![&request.beneficiary];
        for stage in self.iter() {
            let each = usize::try_from(stage.approvals.get()).unwrap_or(usize::MAX);
            let (mut places, mut denials) = (Places::new(stage.approvers.sets().len(), each), 0_u32);
            for review in reviews.iter().filter(|review| review.stage == stage.name) {
                if !stage.accept.contains(&review.method) || is_one_of(people, &review.by, &counted) {
                    continue;
                }
                if request.is_for(people, &review.by) {
                    continue;
                }
                counted.push(&review.by);
                match review.decision {
                    Decision::Approve => places.take(&counts_for(stage, review)),
                    Decision::Deny => {
                        denials += 1;
                        false
                    }
                };
                if denials >= stage.denials.get() {
                    return (Progress::Denied { stage }, began);
                }
                if places.free() == 0 {
                    began = &review.at;
                    break;
                }
            }
            if places.free() > 0 {
                let progress = match self.asked_now(stage, now.since(began)) {
                    Some(instead) => Progress::Waits { stage, asks: Asks { stage, instead, places } },
                    None => Progress::Lapsed { stage },
                };
                return (progress, began);
            }
        }
        (Progress::Met, began)
    }

    /// Whether a stage that has waited so long still asks: those whom it asks first (`Some(None)`), or these in their place. What
    /// an emergency owes is owed until it is paid.
    #[allow(clippy::option_option, reason = "the first, others, and nobody are three answers")]
    fn asked_now<'s>(&self, stage: &'s Stage, waited: Duration) -> Option<Option<&'s Who>> {
        let Some(expires) = stage.expires else { return Some(None) };
        match &stage.then {
            _ if waited < expires => Some(None),
            Then::Ask(next) if waited < expires * 2 || self.of_debt() => Some(Some(next)),
            Then::Deny if self.of_debt() => Some(None),
            Then::Ask(_) | Then::Deny => None,
        }
    }

    /// After how long it asks others or nobody, of a stage that has waited so long and still asks; absent if it goes on.
    fn changes_in(&self, stage: &Stage, waited: Duration) -> Option<Duration> {
        let expires = stage.expires?;
        match &stage.then {
            Then::Deny if self.of_debt() => None,
            _ if waited < expires => Some(expires.saturating_sub(waited)),
            Then::Ask(_) if !self.of_debt() => Some((expires * 2).saturating_sub(waited)),
            Then::Ask(_) | Then::Deny => None,
        }
    }
}

/// Those stages of a role that a request of this length needs, with what it extends. What was asked for counts, and not
/// what a review leaves of it: who comes later in the order could else be left out by who comes first.
fn of_length<'a>(role: &'a Role, request: &Request) -> Cow<'a, [Stage]> {
    let length = request.together();
    if role.stages.iter().all(|stage| stage.is_of(length)) {
        return Cow::Borrowed(&role.stages);
    }
    Cow::Owned(role.stages.iter().filter(|stage| stage.is_of(length)).cloned().collect())
}

/// How far a request has come.
#[derive(Clone, Debug)]
pub enum Progress<'a> {
    /// Every stage is met.
    Met,
    /// A stage waits.
    Waits {
        /// The stage that waits.
        stage: &'a Stage,
        /// Whom it asks now, and for how many approvals.
        asks: Asks<'a>,
    },
    /// A stage was denied.
    Denied {
        /// The stage that was denied.
        stage: &'a Stage,
    },
    /// A stage was not decided in time.
    Lapsed {
        /// The stage that lapsed.
        stage: &'a Stage,
    },
}

/// Whom a stage that waits asks now. Where that is several sets of people, each of them for so many approvals; whoever is in
/// two of them stands for one, and which that is depends on who else comes.
#[derive(Clone, Debug)]
pub struct Asks<'a> {
    stage: &'a Stage,
    /// Who decides in place of the first, who have not in time. Each of them stands for whichever set.
    instead: Option<&'a Who>,
    places: Places,
}

impl Asks<'_> {
    /// Whether this account is one of them.
    #[must_use]
    pub fn contains(&self, account: &Subject) -> bool {
        !self.counts_for(&[account]).is_empty()
    }

    /// The sets for which somebody stands with all of their accounts here; none if they are not asked.
    #[must_use]
    pub fn counts_for(&self, accounts: &[&Subject]) -> BTreeSet<usize> {
        let all = 0..self.stage.approvers.sets().len();
        if let Some(instead) = self.instead {
            return if accounts.iter().all(|account| instead.contains(account)) {
                all.collect()
            } else {
                BTreeSet::new()
            };
        }
        let of = |account: &&Subject| self.stage.approvers.with(account);
        all.filter(|set| accounts.iter().all(|account| of(account).contains(set))).collect()
    }

    /// How many approvals are lacking.
    #[must_use]
    pub fn lacking(&self) -> usize {
        self.places.free()
    }

    /// Whether one more approval, by somebody who stands for these sets, brings the stage any further.
    #[must_use]
    pub fn lack(&self, sets: &BTreeSet<usize>) -> bool {
        self.places.clone().take(sets)
    }

    /// The sets whose people are still lacking, each with how many of them could count. Where these are more than are lacking in
    /// all, it is one or another: somebody who has approved is in several.
    #[must_use]
    pub fn open(&self) -> Vec<(usize, &Who)> {
        match self.instead {
            Some(instead) => vec![(self.lacking(), instead)],
            None if !self.stage.approvers.are_several() => {
                self.stage.approvers.sets().map(|who| (self.lacking(), who)).collect()
            }
            None => self
                .places
                .open()
                .into_iter()
                .zip(self.stage.approvers.sets())
                .filter(|(n, _)| *n > 0)
                .collect(),
        }
    }
}

/// Those whom a stage asks now.
impl fmt::Display for Asks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.instead {
            Some(instead) => instead.fmt(f),
            None => self.stage.approvers.fmt(f),
        }
    }
}

/// The sets that an approval counts for. Where there is one, whoever was asked was in it.
fn counts_for(stage: &Stage, review: &Review) -> BTreeSet<usize> {
    if stage.approvers.are_several() { review.sets.clone() } else { BTreeSet::from([0]) }
}

/// What becomes of a request that waits by time alone: the end of one that nobody has decided in time, or that can never
/// open; absent if time does nothing to it.
pub(crate) fn lapses(here: Context<'_>, pending: &Pending) -> Option<Timer> {
    let Pending { request, reviews } = pending;
    let over = |stage| Some(Timer::Due(Event::Lapsed { request: request.id, stage }));
    if terms::too_late(here, request) {
        return over(None);
    }
    let too_late = terms::opens_until(here, request).map(|last| last.since(here.now.wall));
    let Ok(stages) = Stages::of(here, request) else {
        // A policy on trial may go back, and the role with it. Whatever ends the trial looks again.
        return if trial::running(here.state).is_some() { too_late.map(Timer::In) } else { over(None) };
    };
    let (progress, began) = stages.walk(here.policy.people(), request, reviews, here.now);
    let stage_ends = match progress {
        Progress::Lapsed { stage } => return over(Some(stage.name.clone())),
        Progress::Waits { stage, .. } => stages.changes_in(stage, here.now.since(began)),
        Progress::Met | Progress::Denied { .. } => None,
    };
    stage_ends.into_iter().chain(too_late).min().map(Timer::In)
}

/// How long the stage that waits asks whom it asks now; absent if that does not end, or if none waits.
#[must_use]
pub fn stage_ends_in(here: Context<'_>, pending: &Pending) -> Option<Duration> {
    let Pending { request, reviews } = pending;
    let stages = Stages::of(here, request).ok()?;
    let (progress, began) = stages.walk(here.policy.people(), request, reviews, here.now);
    let Progress::Waits { stage, .. } = progress else { return None };
    let too_late = terms::opens_until(here, request).map(|last| last.since(here.now.wall));
    stages.changes_in(stage, here.now.since(began)).into_iter().chain(too_late).min()
}

/// Whether a review by this method can count for a request that waits: for the stage that waits, or for one behind it.
#[must_use]
pub fn takes(here: Context<'_>, pending: &Pending, method: Method) -> bool {
    let Pending { request, reviews } = pending;
    let Ok(stages) = Stages::of(here, request) else { return false };
    let Progress::Waits { stage: waits, .. } =
        stages.progress(here.policy.people(), request, reviews, here.now)
    else {
        return false;
    };
    let mut from_now_on = stages.iter().skip_while(|stage| stage.name != waits.name);
    names_whom(request, method).is_ok() && from_now_on.any(|stage| stage.accept.contains(&method))
}

/// Whether what crosses to approvers elsewhere says whom the request would admit. A file and a code name the account alone,
/// and nobody approves a person whom they were not shown. What came as a signed grant has its person in that text.
pub fn names_whom(request: &Request, method: Method) -> Result<(), NoReview> {
    let has_text = method == Method::Signature && request.ahead.is_some();
    match &request.beneficiary.person {
        Some(person) if method != Method::Online && !has_text => Err(NoReview::Unnamed(person.clone())),
        Some(_) | None => Ok(()),
    }
}

/// The stage that waits, and of whom approvals are still lacking.
#[must_use]
pub fn asked_in(here: Context<'_>, pending: &Pending) -> Option<(Stage, Vec<Who>)> {
    let Pending { request, reviews } = pending;
    let stages = Stages::of(here, request).ok()?;
    match stages.progress(here.policy.people(), request, reviews, here.now) {
        Progress::Waits { stage, asks } => {
            Some((stage.clone(), asks.open().into_iter().map(|(_, who)| who.clone()).collect()))
        }
        Progress::Met | Progress::Denied { .. } | Progress::Lapsed { .. } => None,
    }
}

/// What a request waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Approvals that are still lacking.
    Approvals {
        /// How many more.
        lacking: usize,
        /// Of whom, without the one whom it is for: how many of each set at most.
        approvers: Vec<(usize, Who)>,
        /// In which stage.
        stage: String,
        /// What must be written with them, in words; absent if nothing.
        note: Option<String>,
    },
    /// Nothing: its role is not what it was when it was asked for.
    Changed(RoleName),
    /// Nothing: its role is no longer in policy.
    NoRole(RoleName),
    /// Nothing: this stage denied it.
    Denied(String),
    /// Nothing: this stage was not decided in time.
    Lapsed(String),
}

impl Waiting {
    /// Of this request; absent where every stage is met.
    #[must_use]
    pub fn of(here: Context<'_>, pending: &Pending) -> Option<Self> {
        let Pending { request, reviews } = pending;
        let stages = match Stages::of(here, request) {
            Ok(stages) => stages,
            Err(Refusal::TermsChanged(role)) => return Some(Self::Changed(role)),
            Err(_) => return Some(Self::NoRole(request.role.clone())),
        };
        let people = here.policy.people();
        match stages.progress(people, request, reviews, here.now) {
            Progress::Met => None,
            Progress::Denied { stage } => Some(Self::Denied(stage.name.clone())),
            Progress::Lapsed { stage } => Some(Self::Lapsed(stage.name.clone())),
            Progress::Waits { stage, asks } => {
                let mine = |user: &UserName| people.same(user, &request.beneficiary.name);
                let but_mine = |(most, who): (usize, &Who)| (most, who.without_accounts(mine));
                let approvers = asks.open().into_iter().map(but_mine).collect();
                let note = stage.note.as_ref().map(ToString::to_string);
                Some(Self::Approvals { lacking: asks.lacking(), approvers, stage: stage.name.clone(), note })
            }
        }
    }

    /// The stable word for it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Approvals { .. } => "approvals",
            Self::Changed(_) => "role-changed",
            Self::NoRole(_) => "no-role",
            Self::Denied(_) => "denied",
            Self::Lapsed(_) => "lapsed",
        }
    }
}

/// `1 approval from adam, @leads (stage 'on call')`; of several sets `1 approval from @ops and 1 approval from @admin`, or
/// `1 approval from @ops or @admin` where whoever has approved is in both.
impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approvals { lacking, approvers, stage, .. } => {
                let from = |count: usize, whom: &str| {
                    format!("{count} approval{} from {whom}", if count == 1 { "" } else { "s" })
                };
                let at_most = approvers.iter().map(|(most, _)| *most).fold(0, usize::saturating_add);
                let text = if at_most == *lacking {
                    approvers
                        .iter()
                        .map(|(most, who)| from(*most, &who.to_string()))
                        .collect::<Vec<_>>()
                        .join(" and ")
                } else {
                    let any = approvers.iter().map(|(_, who)| who.to_string()).collect::<Vec<_>>();
                    from(*lacking, &any.join(" or "))
                };
                write!(f, "{text} (stage '{stage}')")
            }
            Self::Changed(role) => write!(f, "nothing: role '{role}' has changed since; ask again"),
            Self::NoRole(role) => write!(f, "nothing: role '{role}' is no longer in policy"),
            Self::Denied(stage) => write!(f, "nothing: stage '{stage}' denied it"),
            Self::Lapsed(stage) => write!(f, "nothing: stage '{stage}' was not decided in time; ask again"),
        }
    }
}

/// The same in words; empty where every stage is met.
#[must_use]
pub fn waiting_for(here: Context<'_>, pending: &Pending) -> String {
    Waiting::of(here, pending).map_or_else(String::new, |waiting| waiting.to_string())
}

fn is_one_of(people: &People, person: &Person, others: &[&Person]) -> bool {
    others.iter().any(|other| same(people, person, other))
}
