//! A stay: the time from a person's first login under a window until no window of theirs is open and none of their
//! sessions is left. Processes that ran, or a user manager that lingered, before the stay belong to the host and are not
//! ended with it (law 12). Windows that abut or overlap are one stay, so a process that was started in the first of them
//! does not count as older than the second.

use jit_proto::words::{Uid, UserName};
use serde::{Deserialize, Serialize};

use crate::time::Moment;

/// The ticks in which /proc/PID/stat counts a process's start, in milliseconds (USER_HZ of time(7)).
const TICK: u64 = 10;

/// A person's current stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// The uid of the account.
    pub uid: Uid,
    /// The account that they came by.
    pub user: UserName,
    /// Their first login of this stay; after a restart of the machine, the first since then.
    pub since: Moment,
    /// Their manager was started with the machine (loginctl(1), enable-linger) before they came.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lingered: bool,
    /// The audit sessions of their logins, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audits: Vec<u32>,
}

impl Stay {
    /// Whether a process ran before this stay, by its start time as /proc/PID/stat has it. Where they have not come
    /// since the machine started, all that runs was started with it: by a manager that lingers. That is of before if it
    /// lingered before.
    #[must_use]
    pub fn is_before(&self, start: u64, now: &Moment) -> bool {
        if self.since.boot_id != now.boot_id {
            return self.lingered;
        }
        // The whole tick.
        start.saturating_add(1).saturating_mul(TICK) <= self.since.boot
    }
}
