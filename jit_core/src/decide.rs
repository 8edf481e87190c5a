//! The answer to a check. Pure and total (law 13): the same policy, state, question and moment give the same
//! answer, and there is an answer to every question.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{GrantId, RoleName, Uid, UserName, Verdict, subject_is_caller};
use serde::{Deserialize, Serialize};

use crate::clock::{Moment, Window};
use crate::ending::Opener;
use crate::event::{Event, Login};
use crate::grant::{ClaimKind, Grant};
use crate::order::Here;
use crate::policy::{Host, Limits, Outside, Policy, Role, Subject};
use crate::state::State;

/// What is asked, with everything that was found out about the asker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Which PAM hook asks.
    pub stage: Stage,
    /// Who comes from where to which service, as it will be recorded.
    pub login: Login,
    /// The subject, as the name service knows it.
    pub subject: Known,
    /// The real uid of the process that runs the PAM stack.
    pub caller_uid: Uid,
    /// The account line says `session`.
    pub holds_claim: bool,
    /// The address that the login session came from, where one is known for certain; su and sudo inherit it.
    pub from: Option<IpAddr>,
    /// The process that runs the PAM stack, where it is known: what its session is found by.
    pub opener: Option<Opener>,
}

impl Question {
    /// The subject, if the name service knows it.
    #[must_use]
    pub const fn known(&self) -> Option<&Subject> {
        match &self.subject {
            Known::Fully(subject) | Known::WithoutGroups(subject) => Some(subject),
            Known::Not | Known::Unanswered => None,
        }
    }

    /// The account that su becomes. For sudo it is not known at the check: PAM_USER is the caller then.
    fn target(&self) -> Option<&UserName> {
        let Login { service, user, target, .. } = &self.login;
        matches!(service.as_str(), "su" | "su-l").then(|| target.as_ref().unwrap_or(user))
    }

    /// Whether limits hold for this login at this moment, and for how long at most.
    pub(crate) fn within(&self, limits: &Limits, now: &Moment, limit: Duration) -> Result<Duration, Outside> {
        limits.admit(self.from, self.target(), now, limit)
    }
}

/// What the name service said of the subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Name, uid and all groups.
    Fully(Subject),
    /// Name and uid; the groups could not be read and are empty here. Groups only ever admit, so an answer
    /// that needs none of them stands.
    WithoutGroups(Subject),
    /// No such account.
    Not,
    /// The name service failed or did not answer in time.
    Unanswered,
}

/// Why an answer is what it is: the stable word in answers, records and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A window admits the subject.
    Window,
    /// Policy exempts the subject here.
    Exempt,
    /// The caller already is uid 0 and gains nothing from su or sudo.
    CallerIsRoot,
    /// Policy only observes the service.
    Observed,
    /// A session that ends; nothing to decide.
    Closing,
    /// Some role would do, but no window is open.
    NoWindow,
    /// No role of this host names the service.
    NoRole,
    /// Roles name the service, but none is for this subject.
    NotEligible,
    /// A lock beats every window.
    Locked,
    /// A window is open, but its role has left policy or no longer covers this.
    RoleChanged,
    /// A window is open, but su would become an account that its role does not list.
    OtherTarget,
    /// A window is open, but the login comes from an address that its role does not list.
    OtherAddress,
    /// A window is open, but not at this time of the week.
    OutsideHours,
    /// A window has been approved and has not begun.
    NotBegun,
    /// A window would open, or admit at this time, if the clock could be believed.
    ClockSuspect,
    /// Every use is spent.
    Spent,
    /// The session comes without a claim, or its claim is void or taken.
    NoClaim,
    /// The name service does not know the subject.
    UnknownUser,
    /// The name service failed.
    NameService,
    /// PAM_RUSER is not who runs su or sudo (law 8).
    CallerMismatch,
}

impl Why {
    /// Every reason there is, for whoever documents them.
    pub const ALL: [Self; 20] = [
        Self::Window,
        Self::Exempt,
        Self::CallerIsRoot,
        Self::Observed,
        Self::Closing,
        Self::NoWindow,
        Self::NoRole,
        Self::NotEligible,
        Self::Locked,
        Self::RoleChanged,
        Self::OtherTarget,
        Self::OtherAddress,
        Self::OutsideHours,
        Self::NotBegun,
        Self::ClockSuspect,
        Self::Spent,
        Self::NoClaim,
        Self::UnknownUser,
        Self::NameService,
        Self::CallerMismatch,
    ];

    /// The word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Exempt => "exempt",
            Self::CallerIsRoot => "caller-is-root",
            Self::Observed => "observed",
            Self::Closing => "closing",
            Self::NoWindow => "no-window",
            Self::NoRole => "no-role",
            Self::NotEligible => "not-eligible",
            Self::Locked => "locked",
            Self::RoleChanged => "role-changed",
            Self::OtherTarget => "other-target",
            Self::OtherAddress => "other-address",
            Self::OutsideHours => "outside-hours",
            Self::NotBegun => "not-begun",
            Self::ClockSuspect => "clock-suspect",
            Self::Spent => "spent",
            Self::NoClaim => "no-claim",
            Self::UnknownUser => "unknown-user",
            Self::NameService => "name-service",
            Self::CallerMismatch => "caller-mismatch",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub why: Why,
    /// At a service that is only observed: why it would have been allowed or denied.
    pub would: Option<Why>,
    /// The grant that admits; present exactly when the verdict is `allow`.
    pub admits: Option<Admission>,
}

/// How a grant admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The grant.
    pub grant: GrantId,
    /// Its role.
    pub role: RoleName,
    /// What is left of the window under today's policy.
    pub remaining: Duration,
    /// What becomes of its uses.
    pub takes: Takes,
    /// The window that this login opens, where it is the first of its grant.
    pub begins: Option<Window>,
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
}

impl Answer {
    const fn without_grant(verdict: Verdict, why: Why) -> Self {
        Self { verdict, why, would: None, admits: None }
    }

    const fn deny(why: Why) -> Self {
        Self::without_grant(Verdict::Deny, why)
    }

    const fn unmanaged(why: Why) -> Self {
        Self::without_grant(Verdict::Unmanaged, why)
    }

    /// What becomes of an answer where policy only observes. It takes no use.
    fn observed(self) -> Self {
        Self { would: Some(self.why), ..Self::unmanaged(Why::Observed) }
    }

    /// The events that an `allow` must have on record before it leaves. Refusals go through the tally.
    #[must_use]
    pub fn events(&self, question: &Question) -> Vec<Event> {
        let Some(Admission { grant, role, remaining, takes, begins }) = self.admits.clone() else {
            return Vec::new();
        };
        let (remaining, login) = (remaining.as_secs(), question.login.clone());
        let (opener, from) = (question.opener, question.from);
        let admitted = match takes {
            Takes::Use(kind) => Event::Allowed { grant, role, remaining, claim: Some(kind), login },
            Takes::Claim(claim) => {
                Event::SessionOpened { grant, role, remaining, claim: Some(claim), opener, from, login }
            }
            Takes::Nothing if question.stage == Stage::Account => {
                Event::Allowed { grant, role, remaining, claim: None, login }
            }
            Takes::Nothing => {
                Event::SessionOpened { grant, role, remaining, claim: None, opener, from, login }
            }
        };
        begins.map(|window| Event::Began { grant, window }).into_iter().chain([admitted]).collect()
    }
}

/// Decides. The order is that of the laws: who asks, what beats everything, who is outside, which window.
#[must_use]
pub fn decide(policy: &Policy, state: &State, host: &Host, question: &Question, now: &Moment) -> Answer {
    let service = &question.login.service;
    if question.stage == Stage::Close {
        return Answer::unmanaged(Why::Closing);
    }
    let answer = managed(policy, state, host, question, now);
    if answer.verdict != Verdict::Unmanaged && policy.observes(service) { answer.observed() } else { answer }
}

/// The answer where policy has a say.
fn managed(policy: &Policy, state: &State, host: &Host, question: &Question, now: &Moment) -> Answer {
    let service = &question.login.service;
    let (subject, groups_known) = match &question.subject {
        Known::Fully(subject) => (subject, true),
        Known::WithoutGroups(subject) => (subject, false),
        Known::Not => return Answer::deny(Why::UnknownUser),
        Known::Unanswered => return Answer::deny(Why::NameService),
    };
    if subject_is_caller(service) {
        match (question.caller_uid.is_root(), subject.uid.is_root()) {
            (true, true) => return Answer::unmanaged(Why::CallerIsRoot),
            // sudo may have become root for good before it opens the session: it is about who called it.
            (true, false) => {}
            (false, _) if question.caller_uid == subject.uid => {}
            (false, _) => return Answer::deny(Why::CallerMismatch),
        }
    }
    if policy.exempt(subject, service, question.from) {
        return Answer::unmanaged(Why::Exempt);
    }
    let locks = state.locked(now);
    if locks.on_subject(subject, policy.people()).or_else(|| locks.on_service(service)).is_some() {
        return Answer::deny(Why::Locked);
    }
    if !groups_known && locks.on_any_group() {
        return Answer::deny(Why::NameService);
    }
    match admission(policy, state, host, question, subject, now) {
        Ok(admits) => Answer { verdict: Verdict::Allow, why: Why::Window, would: None, admits: Some(admits) },
        Err(_) if !groups_known => Answer::deny(Why::NameService),
        Err(why) => Answer::deny(why),
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
    for grant in state.grants_of(subject.uid).filter(|grant| grant.user == subject.name) {
        match admits(policy, state, host, question, subject, grant, now) {
            Ok(candidate) => {
                if best.as_ref().is_none_or(|best| candidate.rank() > best.rank()) {
                    best = Some(candidate);
                }
            }
            Err(miss) => nearest_miss = nearest_miss.max(Some(miss)),
        }
    }
    best.ok_or_else(|| match nearest_miss {
        Some(Miss::NoClaim) => Why::NoClaim,
        Some(Miss::Spent) => Why::Spent,
        Some(Miss::Locked) => Why::Locked,
        Some(Miss::NotBegun) => Why::NotBegun,
        Some(Miss::Clock | Miss::Outside(Outside::Clock)) => Why::ClockSuspect,
        Some(Miss::Outside(Outside::Hours)) => Why::OutsideHours,
        Some(Miss::Outside(Outside::From)) => Why::OtherAddress,
        Some(Miss::Outside(Outside::RunAs)) => Why::OtherTarget,
        Some(Miss::RoleChanged) => Why::RoleChanged,
        None | Some(Miss::Over | Miss::OtherService) => no_window(policy, host, question, subject),
    })
}

impl Admission {
    pub(crate) fn rank(&self) -> (bool, i128) {
        let left = i128::try_from(self.remaining.as_millis()).unwrap_or(i128::MAX);
        let uncounted = self.takes == Takes::Nothing;
        (uncounted, if uncounted { left } else { -left })
    }
}

/// Why one grant does not admit, the most telling last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Miss {
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
    here: Here<'p>,
    question: &Question,
    subject: &Subject,
    grant: &Grant,
) -> Result<(&'p Role, Duration, Option<Window>), Miss> {
    let Here { policy, state, host, now } = here;
    let service = &question.login.service;
    if !grant.services.contains(service) {
        return Err(Miss::OtherService);
    }
    if grant.over(state, now).is_some() {
        return Err(Miss::Over);
    }
    let begins = grant.begun(state, now).or_else(|| grant.at_first_use(now));
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
    if state.locked(now).on_role(&role.name).is_some() {
        return Err(Miss::Locked);
    }
    if !role.survives_reboot && window.start.boot_id != now.boot_id {
        return Err(Miss::Over);
    }
    let remaining = left.min(role.max_duration.saturating_sub(elapsed));
    if remaining.is_zero() {
        return Err(Miss::Over);
    }
    // Both must hold: a policy that became laxer does not widen what was approved.
    let within = |limits, remaining| question.within(limits, now, remaining).map_err(Miss::Outside);
    let remaining = within(&role.limits, within(&grant.limits, remaining)?)?;
    Ok((role, remaining, begins))
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
    let here = Here { policy, state, host, now };
    let (role, remaining, begins) = lasts(here, question, subject, grant)?;
    let service = &question.login.service;
    let takes = if !grant.counts_uses(role.uses) {
        Takes::Nothing
    } else if question.stage == Stage::Session {
        let claim = state
            .claim_for(grant.id, service.as_str(), &question.login.rhost)
            .filter(|claim| claim.is_good(now))
            .ok_or(Miss::NoClaim)?;
        Takes::Claim(claim.id)
    } else if grant.is_spent(role.uses) {
        return Err(Miss::Spent);
    } else {
        Takes::Use(if question.holds_claim { ClaimKind::Held } else { ClaimKind::Spent })
    };
    Ok(Admission { grant: grant.id, role: grant.role.clone(), remaining, takes, begins })
}

fn covers(role: &Role, host: &Host, subject: &Subject) -> bool {
    role.on_host(host) && role.eligible.contains(subject)
}

fn no_window(policy: &Policy, host: &Host, question: &Question, subject: &Subject) -> Why {
    let service = &question.login.service;
    if policy.roles_open_to(subject, service).any(|role| role.on_host(host)) {
        return Why::NoWindow;
    }
    if policy.roles_for(service).any(|role| role.on_host(host)) { Why::NotEligible } else { Why::NoRole }
}
