//! A login as the module describes it, and the caller whose order an event records.

use jit_proto::words::{ServiceName, Uid, UserName};
use serde::{Deserialize, Serialize};

use super::process::Leader;
use crate::digest::Digest;

/// One login: service, subject, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Login {
    /// The PAM service.
    pub service: ServiceName,
    /// The subject's name: PAM_USER, or PAM_RUSER for su and sudo.
    pub user: UserName,
    /// The subject's uid; absent where the name service knows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<Uid>,
    /// For su and sudo, whom they become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<UserName>,
    /// PAM_RHOST as it came, not believed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub rhost: String,
    /// PAM_TTY as it came, not believed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tty: String,
}

/// Who made an event happen, as the kernel and the bus say; absent when jitd did by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The uid that the bus or the socket reports.
    pub uid: Uid,
    /// The login uid of the calling process (proc(5)), where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loginuid: Option<Uid>,
    /// Whether there is none because this kernel tells none at all: a review then went by the uid alone (law 4).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untold: bool,
    /// Its audit session id, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u32>,
    /// The calling process, where it could be read. Absent in what was written before this was kept.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub process: Option<Leader>,
}

/// On what somebody was let in. Absent in what was written before this was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The ticket that the reason for the window names, where its role's pattern has one (`(?<ticket>…)`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The policy that was in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
}
