//! The end of a window, as far as sessions go: which of them it concerns, which other window takes one over (law 9),
//! what people are told before, and what is due when (law 12). jitd carries it out.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{BadWord, GrantId, Reason, RoleName, ServiceName, Uid, UserName, subject_is_caller};
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::decide::{Known, Miss, Question, Takes, admits, lasts};
use crate::event::Event;
use crate::grant::{Begins, EndWhy, Grant, Time};
use crate::order::{Here, Refusal};
use crate::person::{Caller, Person, same};
use crate::policy::{AtEnd, Outside, Role, Subject};
use crate::state::Session;
use crate::trial::Tried;

/// A process that cannot be mistaken for another that took its pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Leader {
    /// Its pid.
    pub pid: u32,
    /// Its start time: field 22 of /proc/PID/stat (proc(5)).
    pub start: u64,
}

/// The systemd scope that a session runs in: logind's (`session-4.scope`) or jitd's (`jit-17-2211.scope`). Nothing else
/// may be ended in a session's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Unit(String);

impl Unit {
    /// The scope that jitd makes for a session of su or sudo.
    #[must_use]
    pub fn of_session(session: u64, leader: Leader) -> Self {
        Self(format!("jit-{session}-{}.scope", leader.pid))
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Unit {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let is_word = |word: &str, more: &str| {
            (1..=64).contains(&word.len())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let name = text.strip_suffix(".scope").unwrap_or_default();
        let logind = name.strip_prefix("session-").is_some_and(|id| is_word(id, ""));
        let ours = name.strip_prefix("jit-").is_some_and(|id| is_word(id, "-"));
        if logind || ours {
            return Ok(Self(text.to_owned()));
        }
        Err(BadWord::NotOneOf { what: "scope", expected: "session-ID.scope or jit-ID.scope" })
    }
}

impl TryFrom<String> for Unit {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<Unit> for String {
    fn from(unit: Unit) -> Self {
        unit.0
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a session is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverWhy {
    /// Its window closed.
    Expired,
    /// Its window was taken back.
    Revoked,
    /// Its window was given back.
    Done,
    /// A lock.
    Locked,
    /// Its role left policy, or is no longer for this person here.
    RoleChanged,
    /// The role's hours are over.
    OutsideHours,
    /// Somebody ended this one session.
    Ordered,
}

impl OverWhy {
    /// The word in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Done => "done",
            Self::Locked => "locked",
            Self::RoleChanged => "role-changed",
            Self::OutsideHours => "outside-hours",
            Self::Ordered => "ordered",
        }
    }
}

impl From<EndWhy> for OverWhy {
    fn from(why: EndWhy) -> Self {
        match why {
            EndWhy::Expired | EndWhy::Reboot => Self::Expired,
            EndWhy::Revoked => Self::Revoked,
            EndWhy::Done => Self::Done,
            EndWhy::Locked => Self::Locked,
        }
    }
}

impl fmt::Display for OverWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How an end goes on: after so long it is asked to end (SIGTERM), after so long it is made to (SIGKILL).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// From the end, in whole seconds.
    #[serde(with = "crate::clock::seconds")]
    pub term: Duration,
    /// From the end, in whole seconds; never before `term`.
    #[serde(with = "crate::clock::seconds")]
    pub kill: Duration,
}

/// The grace where no role says otherwise, and the longest where somebody wants them out now.
const GRACE: Duration = Duration::from_secs(5);

impl Terms {
    /// What policy says of an end. Who takes a window back, locks or ends a session wants them out now: no draining,
    /// no keeping, and a short grace.
    #[must_use]
    pub fn of(role: Option<&Role>, why: OverWhy) -> Self {
        let grace = role.map_or(GRACE, |role| role.grace);
        match why {
            OverWhy::Expired | OverWhy::Done => match role.map_or(AtEnd::Terminate, |role| role.at_end) {
                AtEnd::Terminate => Self { term: Duration::ZERO, kill: grace },
                AtEnd::Drain => Self { term: grace, kill: grace },
                AtEnd::Keep { most } => Self { term: most, kill: most },
            },
            OverWhy::Revoked
            | OverWhy::Locked
            | OverWhy::RoleChanged
            | OverWhy::OutsideHours
            | OverWhy::Ordered => Self { term: Duration::ZERO, kill: grace.min(GRACE) },
        }
    }

    /// What is due so long after the end, and how long until the next.
    #[must_use]
    pub fn due(self, after: Duration) -> Due {
        if after < self.term {
            Due::Nothing { next: self.term.saturating_sub(after) }
        } else if after < self.kill {
            Due::Term { next: self.kill.saturating_sub(after) }
        } else {
            Due::Kill
        }
    }
}

/// What is due of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// They may still finish.
    Nothing {
        /// For so long.
        next: Duration,
    },
    /// They are asked to end.
    Term {
        /// For so long.
        next: Duration,
    },
    /// They are made to.
    Kill,
}

/// The end of one session. Written down once, and sticky.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {
    /// When.
    pub at: Moment,
    /// Why.
    pub why: OverWhy,
    /// How it goes on.
    #[serde(flatten)]
    pub terms: Terms,
}

impl Over {
    /// Whether this end makes a session end before `other` does, as seen at `now`.
    #[must_use]
    pub fn is_sooner_than(&self, other: &Self, now: &Moment) -> bool {
        let left = |over: &Self| over.terms.kill.saturating_sub(now.since(&over.at));
        left(self) < left(other)
    }
}

/// The end of a window that has not been carried through yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// Whose.
    pub grant: GrantId,
    /// The account that it admitted.
    pub user: UserName,
    /// Its uid.
    pub uid: Uid,
    /// Its role.
    pub role: RoleName,
    /// What it opened.
    pub services: BTreeSet<ServiceName>,
    /// Since when.
    pub since: Moment,
    /// When it ended.
    pub at: Moment,
    /// Why.
    pub why: EndWhy,
    /// The sessions that have to end with it.
    pub sessions: Vec<u64>,
}

impl Ending {
    /// Of a grant whose window was open. Of a window that a restart of the machine ended, too: no session is left, but a
    /// manager that lingers starts with the machine.
    pub(crate) fn of(grant: &Grant, at: &Moment, why: EndWhy) -> Option<Self> {
        let window = grant.window()?;
        Some(Self {
            grant: grant.id,
            user: grant.user.clone(),
            uid: grant.uid,
            role: grant.role.clone(),
            services: grant.services.clone(),
            since: window.start.clone(),
            at: at.clone(),
            why,
            sessions: Vec::new(),
        })
    }

    /// How what is left of its person is ended. A lock that has come since waits for no work to finish.
    #[must_use]
    pub fn terms(&self, here: Here<'_>, known: &Known) -> Terms {
        let subject = match known {
            Known::Fully(subject) | Known::WithoutGroups(subject) => subject.clone(),
            Known::Not | Known::Unanswered => {
                Subject { name: self.user.clone(), uid: self.uid, groups: BTreeSet::new() }
            }
        };
        let is_locked = here.state.locked(here.now).on_subject(&subject, here.policy.people()).is_some();
        let why = if is_locked { OverWhy::Locked } else { self.why.into() };
        Terms::of(here.policy.role(&self.role), why)
    }

    /// What its role let sessions do after its end, where that was more than to end.
    #[must_use]
    pub fn at_end(&self, here: Here<'_>) -> Option<AtEnd> {
        let role = here.policy.role(&self.role)?;
        let runs_out = matches!(self.why, EndWhy::Expired | EndWhy::Done);
        (runs_out && role.at_end != AtEnd::Terminate).then_some(role.at_end)
    }

    /// Whether somebody could have become root in it, and started what no search for a person's processes finds.
    #[must_use]
    pub fn reached_root(&self) -> bool {
        self.uid.is_root() || self.services.iter().any(subject_is_caller)
    }
}

/// How a session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Its grant covers it.
    Covered {
        /// For so long; the whole of time where policy lets it alone.
        left: Duration,
    },
    /// It goes on under another grant.
    Moves(Vec<Event>),
    /// Nothing covers it.
    Over(OverWhy),
}

/// How a session stands under today's policy. A name service that fails ends no session (law 5): it is taken to say
/// what it said before.
#[must_use]
pub fn standing(here: Here<'_>, session: &Session, known: &Known) -> Standing {
    let Here { policy, state, now, .. } = here;
    let login = &session.login;
    let Some(uid) = login.uid else { return Standing::Over(OverWhy::RoleChanged) };
    let certain = match known {
        Known::Fully(subject) => Some(subject),
        // No such account, by a successful answer.
        Known::Not => return Standing::Over(OverWhy::RoleChanged),
        Known::WithoutGroups(_) | Known::Unanswered => None,
    };
    let subject = certain.cloned().unwrap_or_else(|| Subject {
        name: login.user.clone(),
        uid,
        groups: policy.groups().cloned().collect(),
    });
    if (&subject.name, subject.uid) != (&login.user, uid) {
        return Standing::Over(OverWhy::RoleChanged);
    }
    if policy.observes(&login.service) || policy.exempt(&subject, &login.service, session.from) {
        return Standing::Covered { left: Duration::MAX };
    }
    if is_locked(here, session, certain, &subject) {
        return Standing::Over(OverWhy::Locked);
    }
    let question = question(session, known, uid);
    let own = state.grant(session.grant);
    let on_trial = matches!(state.tried(), Some(Tried::Running(_)));
    let miss = match own.map(|own| lasts(here, &question, &subject, own)) {
        Some(Ok((_, left, _))) => return Standing::Covered { left },
        // A suspect clock stops starts only: what has begun goes on to its end. And what is ended stays ended, so a
        // policy that is on trial ends nothing: whoever tries it may need the session that they try it from.
        Some(Err(miss))
            if matches!(miss, Miss::Clock | Miss::Outside(Outside::Clock))
                || (on_trial
                    && matches!(miss, Miss::RoleChanged | Miss::OtherService | Miss::Outside(_))) =>
        {
            let left = own.map_or(Duration::ZERO, |own| own.remaining(now));
            return Standing::Covered { left };
        }
        Some(Err(miss)) => Some(miss),
        None => None,
    };
    match taking_over(here, session, &question, &subject) {
        Some(events) => Standing::Moves(events),
        None => Standing::Over(why(here, session, miss)),
    }
}

/// Whether a lock is on a session: on who is in it, or on its service, or on its role.
fn is_locked(here: Here<'_>, session: &Session, certain: Option<&Subject>, subject: &Subject) -> bool {
    // Groups that were only supposed lock nobody out.
    let alone = Subject { groups: BTreeSet::new(), ..subject.clone() };
    let locks = here.state.locked(here.now);
    let on_subject = locks.on_subject(certain.unwrap_or(&alone), here.policy.people());
    let on_role = || {
        let ending = here.state.endings().get(&session.grant);
        ending.and_then(|ending| locks.on_role(&ending.role))
    };
    on_subject.or_else(|| locks.on_service(&session.login.service)).or_else(on_role).is_some()
}

/// The other grant that takes a session over: one without counted uses if there is one, the longest of those.
fn taking_over(
    here: Here<'_>,
    session: &Session,
    question: &Question,
    subject: &Subject,
) -> Option<Vec<Event>> {
    let Here { policy, state, host, now } = here;
    let others =
        state.grants_of(subject.uid).filter(|grant| grant.user == subject.name && grant.id != session.grant);
    let admitting =
        others.filter_map(|grant| admits(policy, state, host, question, subject, grant, now).ok());
    let best = admitting.max_by_key(crate::decide::Admission::rank)?;
    let moved = Event::SessionMoved {
        session: session.id,
        from: session.grant,
        grant: best.grant,
        role: best.role,
        remaining: best.remaining.as_secs(),
        uses: best.takes != Takes::Nothing,
    };
    let began = best.begins.map(|window| Event::Began { grant: best.grant, window });
    Some(began.into_iter().chain([moved]).collect())
}

/// What a session would ask at the gate if it came now.
fn question(session: &Session, known: &Known, uid: Uid) -> Question {
    Question {
        stage: Stage::Account,
        login: session.login.clone(),
        subject: known.clone(),
        caller_uid: uid,
        holds_claim: false,
        from: session.from,
        leader: session.leader,
    }
}

fn why(here: Here<'_>, session: &Session, miss: Option<Miss>) -> OverWhy {
    match miss {
        None => here.state.endings().get(&session.grant).map_or(OverWhy::Expired, |ending| ending.why.into()),
        Some(Miss::Locked) => OverWhy::Locked,
        Some(Miss::Outside(Outside::Hours)) => OverWhy::OutsideHours,
        Some(Miss::RoleChanged | Miss::OtherService | Miss::Outside(_)) => OverWhy::RoleChanged,
        Some(Miss::Over | Miss::NotBegun | Miss::Clock | Miss::Spent | Miss::NoClaim) => OverWhy::Expired,
    }
}

/// The events that a session's standing brings about. One that is over already and may still finish its work ends
/// sooner under a lock, and for no other reason.
#[must_use]
pub fn judge(here: Here<'_>, session: &Session, known: &Known) -> Vec<Event> {
    match standing(here, session, known) {
        Standing::Over(why) if session.over.is_none() || why == OverWhy::Locked => {
            over(here, session, why, None).into_iter().collect()
        }
        Standing::Moves(events) if session.over.is_none() => events,
        Standing::Covered { .. } | Standing::Moves(_) | Standing::Over(_) => Vec::new(),
    }
}

/// The end of a session, unless it has one that is as soon.
fn over(here: Here<'_>, session: &Session, why: OverWhy, reason: Option<Reason>) -> Option<Event> {
    let role = here.state.grant(session.grant).map(|grant| &grant.role);
    let role = role.or_else(|| here.state.endings().get(&session.grant).map(|ending| &ending.role));
    let terms = Terms::of(role.and_then(|role| here.policy.role(role)), why);
    let sooner = Over { at: here.now.clone(), why, terms };
    let is_news = session.over.as_ref().is_none_or(|known| sooner.is_sooner_than(known, here.now));
    is_news.then_some(Event::SessionOver { session: session.id, why, terms, reason })
}

/// Ends one session now: anybody's by an admin's order, one's own by one's own.
pub fn end_one(
    here: Here<'_>,
    caller: &Caller,
    id: u64,
    reason: Option<Reason>,
) -> Result<Vec<Event>, Refusal> {
    let not_found = || Refusal::NoSession(id);
    let session = here.state.session(id).ok_or_else(not_found)?;
    if !may_see(here, caller, session) && here.admin(caller).is_err() {
        return Err(not_found());
    }
    Ok(over(here, session, OverWhy::Ordered, reason).into_iter().collect())
}

/// Whether a session is the caller's own.
#[must_use]
pub fn may_see(here: Here<'_>, caller: &Caller, session: &Session) -> bool {
    session.login.uid.is_some_and(|uid| {
        same(here.policy.people(), &caller.person(), &Person { name: session.login.user.clone(), uid })
    })
}

/// How long a session can go on as things stand: its own window, what has been approved to go on from it, and what
/// else would take it over.
#[must_use]
pub fn outlook(here: Here<'_>, session: &Session, known: &Known) -> Duration {
    let Standing::Covered { left } = standing(here, session, known) else { return Duration::ZERO };
    let goes_on = here.state.grants().find_map(|grant| match &grant.time {
        Time::Scheduled { scheduled } if matches!(scheduled.begins, Begins::After(base) if base == session.grant) => {
            grant.services.contains(&session.login.service).then(|| grant.length())
        }
        Time::Scheduled { .. } | Time::Open { .. } => None,
    });
    let left = left.saturating_add(goes_on.unwrap_or_default());
    let (Some(uid), user) = (session.login.uid, &session.login.user) else { return left };
    let others = here.state.grants_of(uid).filter(|grant| {
        grant.user == *user
            && grant.id != session.grant
            && grant.services.contains(&session.login.service)
            && !grant.counts_uses(grant.uses)
    });
    others.map(|grant| grant.remaining(here.now)).fold(left, Duration::max)
}

/// Of the warnings that a role wants, the one that is due when there were `before` left and now are `left`.
#[must_use]
pub fn warning(warn: &BTreeSet<Duration>, before: Duration, left: Duration) -> Option<Duration> {
    warn.iter().copied().find(|at| left <= *at && *at < before)
}

/// How long until the next warning.
#[must_use]
pub fn next_warning(warn: &BTreeSet<Duration>, left: Duration) -> Option<Duration> {
    warn.iter().rev().find(|at| **at < left).map(|at| left.saturating_sub(*at))
}

/// Whether a person may go on running things after a window of theirs has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// By nothing.
    None,
    /// Perhaps: the name service has not said whether they are in a group that policy exempts.
    Unknown,
    /// By another window, by a session that goes on, or by an exemption.
    Holds,
}

/// What covers a person apart from the window that ended, so that nothing but its sessions may be touched. Root is not
/// a person: what runs as root is mostly the host's own.
#[must_use]
pub fn cover(here: Here<'_>, ending: &Ending, known: &Known) -> Cover {
    let Here { policy, state, .. } = here;
    let window = || state.grants_of(ending.uid).any(|grant| !grant.remaining(here.now).is_zero());
    let theirs = |session: &Session| session.login.uid == Some(ending.uid) && session.over.is_none();
    if ending.uid.is_root() || window() || state.sessions().iter().any(theirs) {
        return Cover::Holds;
    }
    let supposed =
        Subject { name: ending.user.clone(), uid: ending.uid, groups: policy.groups().cloned().collect() };
    match known {
        Known::Fully(subject) if policy.exempt_somewhere(subject) => Cover::Holds,
        // Not to be known is not allowed to cost somebody exempt their processes.
        Known::WithoutGroups(_) | Known::Unanswered if policy.exempt_somewhere(&supposed) => Cover::Unknown,
        Known::Fully(_) | Known::Not | Known::WithoutGroups(_) | Known::Unanswered => Cover::None,
    }
}

#[cfg(test)]
mod tests;
