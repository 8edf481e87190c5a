//! What a fully approved request becomes, and the claims on its uses.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jit_proto::words::{GrantId, RequestId, RoleName, ServiceName, Uid, UserName};
use serde::{Deserialize, Serialize};

use super::by_policy::ByPolicy;
use super::despite::Despite;
use super::person::Person;
use crate::digest::Digest;
use crate::policy::{Limits, PersonName, Uses};
use crate::services::Services;
use crate::time::{Moment, Utc, Window};

/// A grant: whom it admits, to which services, until when, and how many uses are left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its id; the request's digits.
    pub id: GrantId,
    /// The account it admits.
    pub user: UserName,
    /// The account's uid when it was asked. A recycled uid or a renamed account is another account.
    pub uid: Uid,
    /// The other names that the uid had then: `[people]` may know by one of them whose it is. None of them is admitted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub also: BTreeSet<UserName>,
    /// Whom alone it admits, of those who share the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    /// The role that was asked for.
    pub role: RoleName,
    /// The services it opens, aliases spelled out.
    pub services: Services,
    /// From where, when and as whom, as it was approved.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// The role's effective terms as they were approved.
    pub terms: Digest,
    /// The ticket that the reason names, where the role's pattern has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// When it admits.
    #[serde(flatten)]
    pub time: Time,
    /// How often it admits.
    pub uses: Uses,
    /// Uses spent or claimed.
    pub used: u32,
    /// The grant that this one goes on from, if it extends one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<GrantId>,
    /// How long its person had the role without a break when it begins, in whole seconds.
    #[serde(default, skip_serializing_if = "Duration::is_zero", with = "crate::time::seconds")]
    pub before: Duration,
    /// It opened before anybody approved, and owed a review.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub emergency: bool,
    /// What it opened in spite of, as emergencies do.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub despite: BTreeSet<Despite>,
    /// It opened by a rule of policy, and nobody was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_policy: Option<ByPolicy>,
    /// A session of it was bound to no unit: what that has left cannot be known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unbound: bool,
    /// Where it let somebody in whom a program asked for that is not root: what came of that jitd cannot see.
    #[serde(default, skip_serializing_if = "Services::is_empty")]
    pub asked: Services,
}

/// Whether the window is open already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Time {
    /// The window has begun; it may be over.
    Open {
        /// Its start and length.
        window: Window,
    },
    /// The window is approved and has not begun.
    Scheduled {
        /// What it waits for, and its length.
        scheduled: Scheduled,
    },
}

/// A window that will open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// When it was approved.
    pub since: Moment,
    /// What it waits for.
    pub begins: Begins,
    /// For how long it will be open, in whole seconds.
    #[serde(with = "crate::time::seconds")]
    pub duration: Duration,
    /// Whether it will go on after a restart of the machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub survives_reboot: bool,
    /// So long after it was approved it is over, whenever it begins; in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::time::optional_seconds")]
    pub within: Option<Duration>,
}

/// What a scheduled window waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Begins {
    /// A time of the wall clock.
    At(Utc),
    /// The first login.
    AtFirstUse {
        /// How long it waits for that, in whole seconds.
        #[serde(with = "crate::time::seconds")]
        lapse: Duration,
    },
    /// The end of the grant that it extends.
    After(GrantId),
}

/// `at 2026-11-23T18:00:00Z`, `with the first login`, `after g-4k7m2qx9`.
impl fmt::Display for Begins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(start) => write!(f, "at {}", start.to_seconds()),
            Self::AtFirstUse { .. } => f.write_str("with the first login"),
            Self::After(base) => write!(f, "after {base}"),
        }
    }
}

impl Scheduled {
    /// The window, where it begins at `start`.
    pub(crate) fn window(&self, start: Moment) -> Window {
        let left = self.within.map(|within| within.saturating_sub(start.since(&self.since)));
        // A window is kept in whole seconds.
        let duration =
            left.map_or(self.duration, |left| self.duration.min(Duration::from_secs(left.as_secs())));
        Window { start, duration, survives_reboot: self.survives_reboot }
    }
}

impl Grant {
    /// The window, once it is open.
    #[must_use]
    pub const fn window(&self) -> Option<&Window> {
        match &self.time {
            Time::Open { window } => Some(window),
            Time::Scheduled { .. } => None,
        }
    }

    /// How long the window is, open or scheduled.
    #[must_use]
    pub const fn length(&self) -> Duration {
        match &self.time {
            Time::Open { window } => window.duration,
            Time::Scheduled { scheduled } => scheduled.duration,
        }
    }

    /// How long it is together with what it goes on from.
    #[must_use]
    pub const fn together(&self) -> Duration {
        self.before.saturating_add(self.length())
    }

    /// What is left of the window at `now`; zero where it has not begun.
    #[must_use]
    pub fn remaining(&self, now: &Moment) -> Duration {
        self.window().map_or(Duration::ZERO, |window| window.remaining(now))
    }

    /// The window that a login at `now` would open, of a grant that waits for its first.
    #[must_use]
    pub fn at_first_use(&self, now: &Moment) -> Option<Window> {
        match &self.time {
            Time::Scheduled { scheduled } if matches!(scheduled.begins, Begins::AtFirstUse { .. }) => {
                (!self.waits_for_clock(now)).then(|| scheduled.window(now.clone()))
            }
            Time::Scheduled { .. } | Time::Open { .. } => None,
        }
    }

    /// Whether only a clock that is suspect keeps the window from opening. An emergency waits for no clock, and what
    /// goes on from an open window begins where that ends, whatever the wall clock says.
    #[must_use]
    pub const fn waits_for_clock(&self, now: &Moment) -> bool {
        match &self.time {
            Time::Scheduled { scheduled } => match scheduled.begins {
                Begins::At(_) | Begins::AtFirstUse { .. } => !now.is_trusted() && !self.emergency,
                Begins::After(_) => false,
            },
            Time::Open { .. } => false,
        }
    }

    /// Whom it admits.
    #[must_use]
    pub fn holder(&self) -> Person {
        let Self { user, uid, also, person, .. } = self.clone();
        Person { name: user, uid, also, person }
    }

    /// The request it came from.
    #[must_use]
    pub fn request(&self) -> RequestId {
        self.id.into()
    }

    /// Whether every use is spent or claimed, under the stricter of its own count and `today`'s.
    #[must_use]
    pub fn is_spent(&self, today: Uses) -> bool {
        match self.uses.stricter(today) {
            Uses::Unlimited => false,
            Uses::Times(times) => self.used >= times.get(),
        }
    }

    /// Whether uses are counted, under the stricter of its own terms and `today`'s.
    #[must_use]
    pub fn counts_uses(&self, today: Uses) -> bool {
        self.uses.stricter(today) != Uses::Unlimited
    }
}

/// Why a grant is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndWhy {
    /// Its window closed.
    Expired,
    /// An admin revoked it, or the reviewers of an emergency denied it.
    Revoked,
    /// The machine restarted.
    Reboot,
    /// The person ended it themselves.
    Done,
    /// A lock shut it.
    Locked,
    /// The store was copied to another machine, or its own went back in time: what has happened since is not known.
    #[serde(rename = "other-machine")]
    OtherMachine,
}

impl EndWhy {
    /// The word in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Reboot => "reboot",
            Self::Done => "done",
            Self::Locked => "locked",
            Self::OtherMachine => "other-machine",
        }
    }
}

impl fmt::Display for EndWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The end of a grant. It is recorded once and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When it was noticed and written.
    pub at: Utc,
    /// Why the grant ended.
    pub why: EndWhy,
}

/// One counted use between the check and the session that it is for.
///
/// sshd's keyboard-interactive runs `account` in another process than `session`, so a claim is matched by
/// service, uid and remote host, not by PAM data (DESIGN §4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The sequence number of the record that made it.
    pub id: u64,
    /// Whose use it is.
    pub grant: GrantId,
    /// The service that was checked.
    pub service: ServiceName,
    /// The uid that claimed the use.
    pub uid: Uid,
    /// PAM_RHOST as the module sent it.
    pub rhost: String,
    /// When it was claimed.
    pub at: Moment,
    /// Whether the use comes back if no session opens in time.
    pub kind: ClaimKind,
}

impl Claim {
    /// Whether a session may still take it up.
    #[must_use]
    pub fn is_good(&self, now: &Moment) -> bool {
        self.kind == ClaimKind::Spent || now.since(&self.at) < CLAIM_LIFE
    }
}

/// What happens to a claim whose session never opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimKind {
    /// The account line says `session`: void after [`CLAIM_LIFE`], the use returned, a late session refused.
    Held,
    /// The use was spent at the check: it stays spent, and admits its one session while the window lasts.
    Spent,
}

/// How long a held claim waits for its session.
pub const CLAIM_LIFE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// The form that the first version of the store wrote.
    const FIRST: &str = r#"{"id":"g-00000001","user":"maria","uid":1001,"role":"shell","services":["sshd"],
        "terms":"00000000000000000000000000000000000000000000000000000000000000aa",
        "window":{"start":{"time":"2026-11-23T06:50:33Z","boot_ms":5,
            "boot_id":"6f8e4c1a-0000-4000-8000-00000000000a"},"duration":3600},
        "uses":"unlimited","used":1}"#;

    #[test]
    fn a_grant_that_an_earlier_version_wrote_reads_as_an_open_window() {
        let grant: Grant = serde_json::from_str(FIRST).unwrap();
        assert_eq!(grant.window().map(|window| window.duration), Some(Duration::from_hours(1)));
        assert!(grant.extends.is_none() && !grant.emergency);
        let read: serde_json::Value = serde_json::from_str(FIRST).unwrap();
        assert_eq!(serde_json::to_value(&grant).unwrap(), read, "and is written as it was");
    }

    #[test]
    fn a_scheduled_grant_reads_back_as_it_was_written() {
        let mut grant: Grant = serde_json::from_str(FIRST).unwrap();
        let since = grant.window().unwrap().start.clone();
        for begins in [
            Begins::At(since.wall),
            Begins::AtFirstUse { lapse: Duration::from_hours(24) },
            Begins::After("g-00000002".parse().unwrap()),
        ] {
            let scheduled = Scheduled {
                since: since.clone(),
                begins,
                duration: Duration::from_hours(1),
                survives_reboot: false,
                within: Some(Duration::from_hours(30)),
            };
            grant.time = Time::Scheduled { scheduled };
            let text = serde_json::to_string(&grant).unwrap();
            assert_eq!(serde_json::from_str::<Grant>(&text).unwrap(), grant, "{text}");
        }
    }
}
