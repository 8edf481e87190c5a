//! Logins that the module let in through `recovery=`, as jitd finds them noted.

use jit_proto::words::{ServiceName, UserName};
use serde::{Deserialize, Serialize};

/// A login while jitd could not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveredLogin {
    /// When, as the module wrote it down: unix seconds.
    pub at: i64,
    /// Into which service.
    pub service: ServiceName,
    /// The account that was let in.
    pub user: UserName,
}

/// Notes of such logins that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadNotes {
    /// What was set aside, and where.
    pub name: String,
    /// How many bytes of it say nothing.
    pub bytes: u64,
    /// Why they cannot be read.
    pub why: String,
}
