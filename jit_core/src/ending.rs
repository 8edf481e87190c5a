//! The end of a window, as far as sessions go: why it came, where a session is found, and what is due when (law 12).
//! [`crate::standing`] judges whether it has come, and jitd carries it out.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jit_proto::words::{BadWord, GrantId, RoleName, ServiceName, Uid, UserName, subject_is_caller};
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::decide::Known;
use crate::grant::{EndWhy, Grant};
use crate::order::Here;
use crate::policy::{AtEnd, Role, Subject};

/// A process that cannot be mistaken for another that took its pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Leader {
    /// Its pid.
    pub pid: u32,
    /// Its start time: field 22 of /proc/PID/stat (proc(5)).
    pub start: u64,
}

/// What a session is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opener {
    /// The process that opens it.
    #[serde(flatten)]
    pub leader: Leader,
    /// The audit session that begins with it; absent where it opens inside another login, and where the kernel has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<u32>,
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
    /// The machine restarted.
    Reboot,
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
            Self::Reboot => "reboot",
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
            EndWhy::Expired => Self::Expired,
            EndWhy::Reboot => Self::Reboot,
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
            OverWhy::Reboot
            | OverWhy::Revoked
            | OverWhy::Locked
            | OverWhy::RoleChanged
            | OverWhy::OutsideHours
            | OverWhy::Ordered => Self { term: Duration::ZERO, kill: grace.min(GRACE) },
        }
    }

    /// The same where so much of it is over already.
    #[must_use]
    pub const fn late_by(self, late: Duration) -> Self {
        Self { term: self.term.saturating_sub(late), kill: self.kill.saturating_sub(late) }
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
    /// When that was noticed.
    pub at: Moment,
    /// How long it had ended by then, by the boot clock: jitd may not have been there to see it.
    #[serde(with = "crate::clock::seconds", default, skip_serializing_if = "Duration::is_zero")]
    pub late: Duration,
    /// Why.
    pub why: OverWhy,
    /// The sessions that have to end with it.
    pub sessions: Vec<u64>,
}

impl Ending {
    /// Of a grant whose window was open. Of a window that a restart of the machine ended, too: no session is left, but a
    /// manager that lingers starts with the machine.
    pub(crate) fn of(grant: &Grant, at: &Moment, why: OverWhy) -> Option<Self> {
        let window = grant.window()?;
        let runs_out = why == OverWhy::Expired && window.start.boot_id == at.boot_id;
        let end = Duration::from_millis(window.start.boot).saturating_add(window.duration);
        let late = Duration::from_millis(at.boot).saturating_sub(end);
        Some(Self {
            grant: grant.id,
            user: grant.user.clone(),
            uid: grant.uid,
            role: grant.role.clone(),
            services: grant.services.clone(),
            since: window.start.clone(),
            at: at.clone(),
            late: if runs_out { Duration::from_secs(late.as_secs()) } else { Duration::ZERO },
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
        let locks = here.state.locked(here.now);
        let lock = locks.on_subject(&subject, here.policy.people()).or_else(|| locks.on_role(&self.role));
        let why = if lock.is_some() { OverWhy::Locked } else { self.why };
        Terms::of(here.policy.role(&self.role), why).late_by(self.late)
    }

    /// What its role let sessions do after its end, where that was more than to end.
    #[must_use]
    pub fn at_end(&self, here: Here<'_>) -> Option<AtEnd> {
        let role = here.policy.role(&self.role)?;
        let runs_out = matches!(self.why, OverWhy::Expired | OverWhy::Done);
        (runs_out && role.at_end != AtEnd::Terminate).then_some(role.at_end)
    }

    /// Whether somebody could have become root in it, and started what no search for a person's processes finds.
    #[must_use]
    pub fn reached_root(&self) -> bool {
        self.uid.is_root() || self.services.iter().any(subject_is_caller)
    }
}
