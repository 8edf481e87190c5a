//! What a fully approved request becomes, and the claims on its uses.

use std::collections::BTreeSet;
use std::fmt;

use jit_proto::words::{GrantId, RequestId, RoleName, ServiceName, Uid, UserName};
use serde::{Deserialize, Serialize};

use crate::clock::{Moment, Utc, Window};
use crate::digest::Digest;
use crate::policy::{Limits, Uses};

/// A grant as it stands: who, what, until when, and what has been spent of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its id; the request's digits.
    pub id: GrantId,
    /// The account it admits.
    pub user: UserName,
    /// The account's uid when it was asked. A recycled uid or a renamed account is another account.
    pub uid: Uid,
    /// The role.
    pub role: RoleName,
    /// The services it opens, aliases spelled out.
    pub services: BTreeSet<ServiceName>,
    /// From where, when and as whom, as it was approved.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// The role's effective terms as they were approved.
    pub terms: Digest,
    /// When it admits.
    pub window: Window,
    /// How often it admits.
    pub uses: Uses,
    /// Uses spent or claimed.
    pub used: u32,
}

impl Grant {
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
    /// An admin took it back.
    Revoked,
    /// The machine restarted.
    Reboot,
}

impl EndWhy {
    /// The word in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Reboot => "reboot",
        }
    }
}

impl fmt::Display for EndWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The end of a grant. Written down once, and sticky.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// When it was noticed and written.
    pub at: Utc,
    /// Why.
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
    /// The subject.
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

/// What becomes of a claim whose session never opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimKind {
    /// The account line says `session`: void after [`CLAIM_LIFE`], the use returned, a late session refused.
    Held,
    /// The use was spent at the check: it stays spent, and admits its one session while the window lasts.
    Spent,
}

/// How long a held claim waits for its session.
pub const CLAIM_LIFE: std::time::Duration = std::time::Duration::from_mins(1);
