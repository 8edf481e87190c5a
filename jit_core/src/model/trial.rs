//! The data of a policy on trial.

use std::fmt;
use std::time::Duration;

use jit_proto::words::Uid;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::time::{Moment, Utc, seconds};

/// The trial that runs, or what became of the last one until another policy is loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Tried {
    /// The policy in force is on trial.
    Running(Trial),
    /// Nobody confirmed it, and the policy before it is in force. No start takes the files of this digest again.
    WentBack {
        /// The policy that was tried.
        digest: Digest,
        /// When it went.
        at: Utc,
    },
}

/// A policy that is in force on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The policy on trial.
    pub digest: Digest,
    /// The policy that comes back.
    pub before: Digest,
    /// When it began.
    pub since: Moment,
    /// How long it lasts.
    #[serde(with = "seconds")]
    pub limit: Duration,
}

impl Trial {
    /// What is left of it: charged by whichever clock says that more has passed (law 6), and nothing after a reboot.
    #[must_use]
    pub fn remaining(&self, now: &Moment) -> Duration {
        if self.since.boot_id != now.boot_id {
            return Duration::ZERO;
        }
        self.limit.saturating_sub(now.since(&self.since))
    }
}

/// Why a trial went back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackWhy {
    /// Nobody confirmed it in time.
    Expired,
    /// jitd ended meanwhile, or its store failed.
    Restart,
    /// The machine restarted.
    Reboot,
}

impl BackWhy {
    /// The word in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Restart => "restart",
            Self::Reboot => "reboot",
        }
    }
}

impl fmt::Display for BackWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A login as the kernel tells it apart: login uid and audit session id (proc(5)), which every process of the login
/// inherits, whoever it becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginSession {
    /// Who logged in.
    pub uid: Uid,
    /// Which login of this boot.
    pub id: u32,
}
