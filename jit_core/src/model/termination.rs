//! The end of a window and of its sessions: why it came, and what is due when (law 12).

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jit_proto::words::{GrantId, RoleName, ServiceName, Uid, UserName, subject_is_caller};
use serde::{Deserialize, Serialize};

use super::grant::{EndWhy, Grant};
use super::person::Person;
use crate::policy::{AtEnd, PersonName, Role};
use crate::services::Services;
use crate::time::Moment;

/// Why a session is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// Its window closed.
    Expired,
    /// The machine restarted.
    Reboot,
    /// Its window was revoked.
    Revoked,
    /// The person ended their own window.
    Done,
    /// A lock on the person, the service, the role or the host.
    Locked,
    /// Its role left policy or has ended by a day that was set since, or is no longer for this person here.
    RoleChanged,
    /// The role's hours are over.
    OutsideHours,
    /// Somebody ended this one session.
    Ordered,
    /// The store is on another machine, or its own went back in time.
    OtherMachine,
    /// Its window is one person's of those who share the account, and nothing said that this is that person.
    NoPerson,
}

impl EndReason {
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
            Self::OtherMachine => "other-machine",
            Self::NoPerson => "no-person",
        }
    }
}

impl From<EndWhy> for EndReason {
    fn from(why: EndWhy) -> Self {
        match why {
            EndWhy::Expired => Self::Expired,
            EndWhy::Reboot => Self::Reboot,
            EndWhy::Revoked => Self::Revoked,
            EndWhy::Done => Self::Done,
            EndWhy::Locked => Self::Locked,
            EndWhy::OtherMachine => Self::OtherMachine,
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// When the processes of a session that has ended receive SIGTERM and SIGKILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndTerms {
    /// Time from the end to SIGTERM, in whole seconds.
    #[serde(with = "crate::time::seconds")]
    pub term: Duration,
    /// Time from the end to SIGKILL, in whole seconds; at least `term`.
    #[serde(with = "crate::time::seconds")]
    pub kill: Duration,
}

impl EndTerms {
    /// The times that policy sets for this kind of end. A revoke, a lock or an order to end a session takes effect now:
    /// no `drain`, no `keep`, and a short grace.
    #[must_use]
    pub fn of(role: Option<&Role>, why: EndReason) -> Self {
        let grace = role.map_or(GRACE, |role| role.grace);
        match why {
            EndReason::Expired | EndReason::Done => match role.map_or(AtEnd::Terminate, |role| role.at_end) {
                AtEnd::Terminate => Self { term: Duration::ZERO, kill: grace },
                AtEnd::Drain => Self { term: grace, kill: grace },
                AtEnd::Keep { most } => Self { term: most, kill: most },
            },
            EndReason::Reboot
            | EndReason::Revoked
            | EndReason::Locked
            | EndReason::RoleChanged
            | EndReason::OutsideHours
            | EndReason::Ordered
            | EndReason::OtherMachine
            | EndReason::NoPerson => Self { term: Duration::ZERO, kill: grace.min(GRACE) },
        }
    }

    /// The same times, less what has already passed since the end.
    #[must_use]
    pub const fn late_by(self, late: Duration) -> Self {
        Self { term: self.term.saturating_sub(late), kill: self.kill.saturating_sub(late) }
    }

    /// The signal that is due this long after the end, and the time until the next one.
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

/// The grace if the role is gone, and the longest grace for a revoke, a lock or an order.
const GRACE: Duration = Duration::from_secs(5);

/// Which signal is due after an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// No signal: the session may still finish.
    Nothing {
        /// The time until SIGTERM.
        next: Duration,
    },
    /// SIGTERM is due.
    Term {
        /// The time until SIGKILL.
        next: Duration,
    },
    /// SIGKILL, from now on.
    Kill,
}

/// The end of one session. It is recorded once and never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {
    /// The moment of the end.
    pub at: Moment,
    /// Why the session is to end.
    pub why: EndReason,
    /// When its processes are signalled.
    #[serde(flatten)]
    pub terms: EndTerms,
}

impl Over {
    /// Whether this end makes a session end before `other` does, as seen at `now`.
    #[must_use]
    pub fn is_sooner_than(&self, other: &Self, now: &Moment) -> bool {
        let left = |over: &Self| over.terms.kill.saturating_sub(now.since(&over.at));
        left(self) < left(other)
    }
}

/// What a site's program came to that ends logins at a service whose own program is not root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndRun {
    /// Where logins were to end.
    pub service: ServiceName,
    /// The account that it ran as.
    pub account: UserName,
    /// Its exit status; absent where it was not started, or did not end in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u8>,
    /// The first line that it said, cut; where it has no status, why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
}

impl fmt::Display for EndRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} as {}: ", self.service, self.account)?;
        match self.status {
            Some(status) => write!(f, "{status}"),
            None => f.write_str("no answer"),
        }?;
        if self.said.is_empty() { Ok(()) } else { write!(f, ", {}", self.said) }
    }
}

/// A window that has ended while its sessions may still run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Termination {
    /// The grant whose window ended.
    pub grant: GrantId,
    /// The account that it admitted.
    pub user: UserName,
    /// The uid of that account.
    pub uid: Uid,
    /// The other names that the uid had when it was asked.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub also: BTreeSet<UserName>,
    /// Whom alone it admitted, of those who share the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// The role of the grant.
    pub role: RoleName,
    /// What it opened.
    pub services: Services,
    /// The start of the window.
    pub since: Moment,
    /// When that was noticed.
    pub at: Moment,
    /// How long it had ended by then, by the boot clock: jitd may not have been there to see it.
    #[serde(with = "crate::time::seconds", default, skip_serializing_if = "Duration::is_zero")]
    pub late: Duration,
    /// Why the window ended.
    pub why: EndReason,
    /// The sessions that have to end with it.
    pub sessions: Vec<u64>,
    /// A session of the grant was bound to no unit: what that has left cannot be known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unbound: bool,
    /// Where it let somebody in whom a program asked for that is not root.
    #[serde(default, skip_serializing_if = "Services::is_empty")]
    pub asked: Services,
}

impl Termination {
    /// Of a grant whose window was open. Of a window that a restart of the machine ended, too: no session is left, but a
    /// manager that lingers starts with the machine.
    pub(crate) fn of(grant: &Grant, at: &Moment, why: EndReason) -> Option<Self> {
        let window = grant.window()?;
        let runs_out = why == EndReason::Expired && window.start.boot_id == at.boot_id;
        let end = Duration::from_millis(window.start.boot).saturating_add(window.duration);
        let late = Duration::from_millis(at.boot).saturating_sub(end);
        Some(Self {
            grant: grant.id,
            user: grant.user.clone(),
            uid: grant.uid,
            also: grant.also.clone(),
            person: grant.person.clone(),
            role: grant.role.clone(),
            services: grant.services.clone(),
            since: window.start.clone(),
            at: at.clone(),
            late: if runs_out { Duration::from_secs(late.as_secs()) } else { Duration::ZERO },
            why,
            sessions: Vec::new(),
            unbound: grant.unbound,
            asked: grant.asked.clone(),
        })
    }

    /// Whom it admitted.
    pub(crate) fn holder(&self) -> Person {
        let Self { user, uid, also, person, .. } = self.clone();
        Person { name: user, uid, also, person }
    }

    /// Whether the window gave a way to root, so that processes may exist that a search by uid does not find.
    #[must_use]
    pub fn reached_root(&self) -> bool {
        self.uid.is_root() || self.services.iter().any(subject_is_caller)
    }
}
