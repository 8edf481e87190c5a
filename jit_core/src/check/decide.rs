//! The answer to a check. Pure and total (law 13): the same policy, state, question and moment give the same
//! answer, and there is an answer to every question.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{GrantId, GroupName, RoleName, Verdict, subject_is_caller};

use crate::context::{Context, groups_at};
use crate::event::Event;
pub use crate::model::Known;
use crate::model::{Basis, ClaimKind, Grant, Login, Question, Session, Why, same};
use crate::policy::{Ends, Host, KeptOutBy, Outside, People, PersonName, Policy, Role, Subject};
use crate::state::State;
use crate::tickets::Register;
use crate::time::{Moment, Window};

/// The answer: a [`Verdict`] with its reason. What only a yes has, only a yes carries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one of them, for a moment")]
pub enum Answer {
    /// A window admits the subject.
    Allow(Admission),
    /// Nothing does, or something forbids it: this.
    Deny(Why),
    /// It is outside of what jitd decides, for this reason.
    Unmanaged(Why),
    /// The service is only observed: why it would have been allowed or denied.
    Observed {
        /// Why it would have been.
        would: Why,
    },
}

/// How a grant admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The grant that admits.
    pub grant: GrantId,
    /// The role of that grant.
    pub role: RoleName,
    /// What is left of the window under today's policy.
    pub remaining: Duration,
    /// What becomes of its uses.
    pub takes: Takes,
    /// The window that this login opens, where it is the first of its grant.
    pub begins: Option<Window>,
    /// Whom alone the grant admits, of those who share the account.
    pub person: Option<PersonName>,
    /// On what that is.
    pub basis: Basis,
    /// What ends with the window, where that is no session that PAM opens.
    pub ends: Option<Ends>,
}

/// What an admission does to the uses of its grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: uses are not counted.
    Nothing,
    /// One use, at the check.
    Use(ClaimKind),
    /// The claim that the check made, at the session.
    Claim(u64),
    /// One use, at the session: the check did not know whose.
    Late,
}

impl Takes {
    /// Whether a session has it, so that it is given back where that is refused after all.
    #[must_use]
    pub const fn is_of_session(self) -> bool {
        matches!(self, Self::Claim(_) | Self::Late)
    }
}

impl Answer {
    /// In one word.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Allow(_) => Verdict::Allow,
            Self::Deny(_) => Verdict::Deny,
            Self::Unmanaged(_) | Self::Observed { .. } => Verdict::Unmanaged,
        }
    }

    /// The reason for the answer.
    #[must_use]
    pub const fn why(&self) -> Why {
        match self {
            Self::Allow(_) => Why::Window,
            Self::Deny(why) | Self::Unmanaged(why) => *why,
            Self::Observed { .. } => Why::Observed,
        }
    }

    /// At a service that is only observed: why it would have been allowed or denied.
    #[must_use]
    pub const fn would(&self) -> Option<Why> {
        match self {
            Self::Observed { would } => Some(*would),
            Self::Allow(_) | Self::Deny(_) | Self::Unmanaged(_) => None,
        }
    }

    /// How a grant admits, where one does.
    #[must_use]
    pub const fn admission(&self) -> Option<&Admission> {
        match self {
            Self::Allow(admission) => Some(admission),
            Self::Deny(_) | Self::Unmanaged(_) | Self::Observed { .. } => None,
        }
    }

    /// What must be on record before it leaves: of an `allow` what it does; of others nothing, they go through the tally.
    #[must_use]
    pub fn events(&self, question: &Question) -> Vec<Event> {
        self.admission().map_or_else(Vec::new, |admission| admission.events(question))
    }

    /// What becomes of an answer where policy only observes. It takes no use.
    const fn observed(&self) -> Self {
        Self::Observed { would: self.why() }
    }
}

/// Decides. The order is that of the laws: who asks, what beats everything, who is outside, which window. What depends
/// on what the name service has not said is refused for that.
///
/// # Examples
///
/// maria may ask for a role that opens sshd, and has not: she is refused, and told why.
///
/// ```
/// # use std::collections::BTreeSet;
/// # use jit_core::policy::SourceFile;
/// use jit_core::check::decide::{Answer, decide};
/// use jit_core::model::{Known, Login, Question, Why};
/// use jit_core::policy::{Host, Policy, Subject, Ways};
/// use jit_core::state::State;
/// use jit_core::time::{BootId, Moment};
/// use jit_proto::gate::Stage;
/// use jit_proto::words::Uid;
///
/// # let text = r#"
/// # version = 1
/// # [admins]
/// # users = ["root"]
/// # [[exempt]]
/// # users = ["root"]
/// # services = ["login"]
/// # [role.shell]
/// # hosts = ["*"]
/// # services = ["sshd"]
/// # eligible = { users = ["maria"] }
/// # max-duration = "4h"
/// # [[role.shell.stage]]
/// # name = "lead"
/// # approvers = { users = ["olga"] }
/// # "#;
/// # let files = [SourceFile { name: "10.toml".to_owned(), bytes: text.into() }];
/// let policy = Policy::parse(&files).expect("it has no errors").policy;
/// let host = Host { name: "db-1".parse()?, groups: BTreeSet::new(), ways: Ways::default() };
/// let now = Moment::believed("2026-11-23T08:00:00Z".parse()?, 60_000, BootId::default());
/// let maria = Subject::named("maria".parse()?, 1001.try_into()?);
///
/// let question = Question {
///     stage: Stage::Account,
///     login: Login {
///         service: "sshd".parse()?,
///         user: maria.name.clone(),
///         uid: Some(maria.uid),
///         target: None,
///         rhost: "10.1.2.3".to_owned(),
///         tty: "ssh".to_owned(),
///         keys: Vec::new(),
///         person: None,
///     },
///     subject: Known::Fully(maria),
///     caller_uid: Uid::ROOT,
///     holds_claim: false,
///     from: None,
///     opener: None,
///     asking: None,
///     asker: None,
///     awaits_key: false,
/// };
/// assert_eq!(decide(&policy, &State::default(), &host, &question, &now), Answer::Deny(Why::NoWindow));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn decide(policy: &Policy, state: &State, host: &Host, question: &Question, now: &Moment) -> Answer {
    settled(policy, state, host, question, now)
        .unwrap_or_else(|| stands_aside(policy, question, Answer::Deny(Why::NameService)))
}

/// The answer, unless something that the name service has not said yet could change it.
///
/// Groups let in, by role or exemption, and locks and exceptions on groups keep out. So of the groups that nothing was said
/// of, three cases hold all others between them: the subject is in none, and all of them except it; in each that is not
/// locked, and none of them excepts it; and so in every one. What is the answer in all three is the answer.
#[must_use]
pub fn settled(
    policy: &Policy,
    state: &State,
    host: &Host,
    question: &Question,
    now: &Moment,
) -> Option<Answer> {
    if question.stage == Stage::Close {
        return Some(Answer::Unmanaged(Why::Closing));
    }
    // Of what is only observed it does not matter which window it would have been.
    let answer = |subject: &Subject| {
        stands_aside(policy, question, managed(policy, state, host, question, subject, now))
    };
    Some(match &question.subject {
        Known::Fully(subject) => answer(subject),
        Known::Partly(subject, not_in) => {
            let open = question.subject.unanswered(groups_at(policy, state, &question.login.service));
            let kept_out_by = KeptOutBy::AllBut(not_in.clone());
            let in_none = answer(&Subject { kept_out_by, ..subject.clone() });
            let locked: BTreeSet<_> = state.locked_groups().cloned().collect();
            let also_in = |groups: BTreeSet<GroupName>| answer(&subject.supposed_in(groups));
            if !open.is_empty() && (also_in(&open - &locked) != in_none || also_in(open) != in_none) {
                return None;
            }
            in_none
        }
        Known::Not => stands_aside(policy, question, Answer::Deny(Why::UnknownUser)),
        Known::Unanswered => return None,
    })
}

/// What becomes of an answer at a service that policy only observes.
fn stands_aside(policy: &Policy, question: &Question, answer: Answer) -> Answer {
    let observed = answer.verdict() != Verdict::Unmanaged && policy.observes(&question.login.service);
    if observed { answer.observed() } else { answer }
}

/// The answer where policy has a say, to a subject of whom every group is known.
fn managed(
    policy: &Policy,
    state: &State,
    host: &Host,
    question: &Question,
    subject: &Subject,
    now: &Moment,
) -> Answer {
    let service = &question.login.service;
    let subject = &question.as_who_comes(policy.people(), subject);
    if subject_is_caller(service) {
        match (question.caller_uid.is_root(), subject.uid.is_root()) {
            (true, true) => return Answer::Unmanaged(Why::CallerIsRoot),
            // sudo may have become root for good before it opens the session: it is about who called it.
            (true, false) => {}
            (false, _) if question.caller_uid == subject.uid => {}
            (false, _) => return Answer::Deny(Why::CallerMismatch),
        }
    }
    if policy.exempt(subject, service, question.from) {
        return Answer::Unmanaged(Why::Exempt);
    }
    let locks = state.locked(now);
    if locks.on_subject(subject, policy.people()).or_else(|| locks.on_service(service)).is_some() {
        return Answer::Deny(Why::Locked);
    }
    match admission(policy, state, host, question, subject, now) {
        Ok(_) if !state.has_room_for(subject.uid) => Answer::Deny(Why::TooManySessions),
        Ok(admission) => Answer::Allow(admission),
        Err(why) => Answer::Deny(why),
    }
}

/// The grant to use: one without counted uses if there is one, so that no use is spent in vain; of those the
/// longest, of the others the one that ends first.
fn admission(
    policy: &Policy,
    state: &State,
    host: &Host,
    question: &Question,
    subject: &Subject,
    now: &Moment,
) -> Result<Admission, Why> {
    let mut best: Option<Admission> = None;
    let mut nearest_miss = None;
    let mut lacks_room = false;
    for grant in state.grants_of(subject.uid).filter(|grant| subject.may_have_of(&grant.user)) {
        match admits(policy, state, host, question, subject, grant, now) {
            // What is left is for the records of what ends. Whoever may log in could else use it up.
            Ok(_) if state.is_out_of_room() && !grant.emergency => lacks_room = true,
            Ok(candidate) => {
                if best.as_ref().is_none_or(|best| candidate.rank() > best.rank()) {
                    best = Some(candidate);
                }
            }
            Err(miss) => nearest_miss = nearest_miss.max(Some(miss)),
        }
    }
    best.ok_or_else(|| match nearest_miss {
        _ if lacks_room => Why::NoRoom,
        Some(Miss::NoClaim) => Why::NoClaim,
        Some(Miss::Spent) => Why::Spent,
        Some(Miss::Locked) => Why::Locked,
        Some(Miss::NotBegun) => Why::NotBegun,
        Some(Miss::Clock | Miss::Outside(Outside::Clock)) => Why::ClockSuspect,
        Some(Miss::Outside(Outside::Hours)) => Why::OutsideHours,
        Some(Miss::Outside(Outside::From)) => Why::OtherAddress,
        Some(Miss::Outside(Outside::RunAs)) => Why::OtherTarget,
        Some(Miss::RoleChanged) => Why::RoleChanged,
        None | Some(Miss::OtherPerson | Miss::OtherService | Miss::Over) => {
            no_window(policy, host, question, subject)
        }
    })
}

impl Admission {
    /// The events that an `allow` must have on record before it leaves.
    #[must_use]
    pub fn events(&self, question: &Question) -> Vec<Event> {
        let Self { grant, role, remaining, takes, begins, person, basis, ends } = self.clone();
        // Until the key is known it is nobody's.
        let person = person.filter(|_| !basis.awaits_key).or_else(|| question.login.person.clone());
        let (remaining, login) = (remaining.as_secs(), Login { person, ..question.login.clone() });
        let (opener, from) = (question.opener, question.from);
        let asking = question.asking.as_ref().filter(|_| ends.is_some());
        let by = opener.map(|opener| opener.leader).or(asking.map(|asking| asking.process));
        let allowed = |claim| {
            let (role, basis, login) = (role.clone(), basis.clone(), login.clone());
            let asker = question.asker.clone();
            Event::Allowed { grant, role, remaining, claim, by, ends, asker, from, basis, login }
        };
        let session = |claim| {
            let (role, basis, login) = (role.clone(), basis.clone(), login.clone());
            let (process_in, admitted) = (None, None);
            Event::SessionOpened {
                grant,
                role,
                remaining,
                claim,
                opener,
                from,
                basis,
                process_in,
                admitted,
                login,
            }
        };
        let admitted = match takes {
            Takes::Use(kind) => allowed(Some(kind)),
            Takes::Claim(claim) => session(Some(claim)),
            Takes::Nothing if question.stage == Stage::Account => allowed(None),
            Takes::Nothing | Takes::Late => session(None),
        };
        begins.map(|window| Event::Began { grant, window }).into_iter().chain([admitted]).collect()
    }

    pub(crate) fn rank(&self) -> (bool, bool, i128) {
        let left = i128::try_from(self.remaining.as_millis()).unwrap_or(i128::MAX);
        let uncounted = self.takes == Takes::Nothing;
        (!self.basis.awaits_key, uncounted, if uncounted { left } else { -left })
    }
}

/// Why one grant does not admit, the most telling last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Miss {
    OtherPerson,
    OtherService,
    Over,
    NotBegun,
    Clock,
    RoleChanged,
    Outside(Outside),
    Locked,
    Spent,
    NoClaim,
}

/// Law 5: the stricter of the approved terms and today's policy, condition by condition. Today's role, what is left, and
/// the window that this login would open.
pub(crate) fn lasts<'p>(
    here: Context<'p>,
    question: &Question,
    subject: &Subject,
    grant: &Grant,
) -> Result<(&'p Role, Duration, Option<Window>), Miss> {
    let Context { policy, state, host, now, .. } = here;
    let service = &question.login.service;
    let holder = holder(policy.people(), question, subject, grant)?;
    let subject = holder.as_ref();
    if !grant.services.contains(service) {
        return Err(Miss::OtherService);
    }
    if state.over(grant, now).is_some() {
        return Err(Miss::Over);
    }
    let begins = state.begun(grant, now).or_else(|| grant.at_first_use(now));
    let waits = if grant.waits_for_clock(now) { Miss::Clock } else { Miss::NotBegun };
    let window = begins.as_ref().or(grant.window()).ok_or(waits)?;
    let elapsed = now.since(&window.start);
    let left = window.remaining(now);
    if left.is_zero() {
        return Err(Miss::Over);
    }
    let role = policy
        .role(&grant.role)
        .filter(|role| covers(role, host, subject) && role.services.contains(service))
        .ok_or(Miss::RoleChanged)?;
    // Windows are cut at that day when they open; this is of one that policy has set since.
    if role.is_over(now) {
        return Err(Miss::RoleChanged);
    }
    let locks = state.locked(now);
    // Whoever is only supposed to come may be locked; of others that is known before.
    let is_out = || matches!(holder, Cow::Owned(_)) && locks.on_subject(subject, policy.people()).is_some();
    if locks.on_role(&role.name).is_some() || is_out() {
        return Err(Miss::Locked);
    }
    if !role.survives_reboot && window.start.boot_id != now.boot_id {
        return Err(Miss::Over);
    }
    let remaining = left.min(role.max_duration.saturating_sub(elapsed));
    // What opened without a review is open for as long as policy still opens that without one.
    let unreviewed =
        grant.by_policy.map(|_| role.unreviewed.as_ref().ok_or(Miss::RoleChanged)).transpose()?;
    let remaining = unreviewed.map_or(remaining, |rule| remaining.min(rule.left(now, elapsed)));
    let remaining = role.left(now).map_or(remaining, |left| remaining.min(left));
    if remaining.is_zero() {
        return Err(Miss::Over);
    }
    if beside(here, role, grant, elapsed).is_some() {
        return Err(Miss::RoleChanged);
    }
    // Both must hold: a policy that became laxer does not widen what was approved.
    let within = |limits, remaining| question.within(limits, now, remaining).map_err(Miss::Outside);
    let today = unreviewed.and_then(|_| role.limits_unreviewed());
    let remaining = within(today.as_ref().unwrap_or(&role.limits), within(&grant.limits, remaining)?)?;
    Ok((role, remaining, begins))
}

/// The window that keeps this one, which began so long ago, from admitting: the same person has it, by a role that policy
/// says today is apart from this one's, and had it first. What an emergency opened is beside none: it passed that once.
pub(crate) fn beside<'p>(
    here: Context<'p>,
    role: &Role,
    grant: &Grant,
    elapsed: Duration,
) -> Option<&'p Grant> {
    let Context { policy, state, now, .. } = here;
    if role.apart.is_empty() || grant.emergency {
        return None;
    }
    let counts = |other: &&Grant| role.apart.contains(&other.role) && !other.emergency;
    let is_first = |other: &&Grant| {
        let begun = state.begun(other, now);
        let since = begun.as_ref().or(other.window()).map(|window| now.since(&window.start));
        since.is_some_and(|since| (since, grant.id) > (elapsed, other.id))
    };
    let live = state.grants().filter(counts).filter(|other| state.over(other, now).is_none());
    let holder = grant.holder();
    live.filter(is_first).find(|other| same(policy.people(), &other.holder(), &holder))
}

/// The subject as whom the grant admits, if that is who comes: of an account that people share, a grant that is one
/// person's admits that person, as long as policy says that they share it, and whoever may turn out to be that one.
fn holder<'s>(
    people: &People,
    question: &Question,
    subject: &'s Subject,
    grant: &Grant,
) -> Result<Cow<'s, Subject>, Miss> {
    let Some(person) = &grant.person else { return Ok(Cow::Borrowed(subject)) };
    let still_shares = people.share(person, &grant.user);
    match &subject.person {
        Some(who) if who != person => Err(Miss::OtherPerson),
        Some(_) | None if !still_shares => Err(Miss::RoleChanged),
        Some(_) => Ok(Cow::Borrowed(subject)),
        None if question.awaits_key => Ok(Cow::Owned(subject.as_person(Some(person.clone())))),
        None => Err(Miss::OtherPerson),
    }
}

/// How a grant admits, if it does.
pub(crate) fn admits(
    policy: &Policy,
    state: &State,
    host: &Host,
    question: &Question,
    subject: &Subject,
    grant: &Grant,
    now: &Moment,
) -> Result<Admission, Miss> {
    let here = Context { policy, state, host, now, tickets: Register::NONE };
    let (role, remaining, begins) = lasts(here, question, subject, grant)?;
    let service = &question.login.service;
    let ends = question.asking.as_ref().and_then(|_| policy.ends(service));
    let by_key = grant.person.is_some() && !subject_is_caller(service);
    let awaits_key = grant.person.is_some() && question.awaits_key;
    let takes = if !grant.counts_uses(role.uses) {
        Takes::Nothing
    } else if awaits_key && grant.is_spent(role.uses) {
        return Err(Miss::Spent);
    } else if awaits_key {
        Takes::Nothing
    } else if question.stage == Stage::Session && is_adopted(state, grant, question) {
        // Taken for a login without a session line, it has its use already.
        Takes::Nothing
    } else if question.stage == Stage::Session && by_key {
        if grant.is_spent(role.uses) {
            return Err(Miss::Spent);
        }
        Takes::Late
    } else if question.stage == Stage::Session {
        let claim = state
            .claim_for(grant.id, service.as_str(), &question.login.rhost)
            .filter(|claim| claim.is_good(now))
            .ok_or(Miss::NoClaim)?;
        Takes::Claim(claim.id)
    } else if grant.is_spent(role.uses) {
        return Err(Miss::Spent);
    } else {
        // What ends with the window is in by the check, and no session is waited for.
        Takes::Use(if question.holds_claim && ends.is_none() { ClaimKind::Held } else { ClaimKind::Spent })
    };
    let basis = Basis {
        ticket: grant.ticket.clone(),
        policy: Some(policy.digest()),
        awaits_key,
        by_key: by_key && question.stage == Stage::Session,
        uses: takes == Takes::Late,
    };
    // A window that a login begins is begun by the person whose it is.
    let begins = begins.filter(|_| !awaits_key);
    let (role, person) = (grant.role.clone(), grant.person.clone());
    Ok(Admission { grant: grant.id, role, remaining, takes, begins, person, basis, ends })
}

/// Whether the process that asks for its session is in by an adopted one of the same grant: its session line came late. One
/// whose key was not known yet has taken no use.
fn is_adopted(state: &State, grant: &Grant, question: &Question) -> bool {
    let leader = question.opener.map(|opener| opener.leader);
    let is_in = |one: &&Session| (one.adopted || one.is_process()) && !one.basis.awaits_key;
    let login = &question.login;
    state.sessions().iter().filter(is_in).any(|one| {
        let is_same = one.login.service == login.service && one.login.uid == login.uid;
        one.grant == grant.id && is_same && leader.is_some() && one.leader == leader
    })
}

fn covers(role: &Role, host: &Host, subject: &Subject) -> bool {
    role.on_host(host) && role.eligible.contains(subject)
}

fn no_window(policy: &Policy, host: &Host, question: &Question, subject: &Subject) -> Why {
    let service = &question.login.service;
    let sharers: Vec<&PersonName> = subject.names().flat_map(|name| policy.people().sharers(name)).collect();
    if !sharers.is_empty() && subject.person.is_none() && !question.awaits_key {
        return Why::NoPerson;
    }
    let is_open = |subject: &Subject| policy.roles_open_to(subject, service).any(|role| role.on_host(host));
    let is_open_to = |person: &PersonName| is_open(&subject.as_person(Some(person.clone())));
    if is_open(subject) || (question.awaits_key && sharers.into_iter().any(is_open_to)) {
        return Why::NoWindow;
    }
    if policy.roles_for(service).any(|role| role.on_host(host)) { Why::NotEligible } else { Why::NoRole }
}
