//! The questions that jitctl puts to jitd.

use std::net::IpAddr;
use std::time::Duration;

use jit_core::clock::Utc;
use jit_core::event::Decision;
use jit_core::lock::Scope;
use jit_proto::manager::{ADMIN_INTERFACE, REVIEW_INTERFACE, USER_INTERFACE};
use jit_proto::words::{Reason, RequestId, RoleName, ServiceName, UserName};
use serde::de::DeserializeOwned;

use crate::args::Id;
use crate::error::{Error, Failure};
use crate::wakes::Wakes;

/// One method of `org.jitd.Jit1.{User,Review,Admin}` with its arguments. Where a number is 0 or a list empty, it is
/// as the role says, or as was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Check {
        service: ServiceName,
        user: UserName,
        from: Option<IpAddr>,
    },
    Explain {
        service: ServiceName,
        user: UserName,
        /// As it was typed: which day is today is jitd's to say.
        at: Option<String>,
        from: Option<IpAddr>,
        target: Option<UserName>,
    },
    /// The caller's own, or somebody's.
    Roles {
        user: Option<UserName>,
    },
    List {
        all: bool,
    },
    Show {
        id: Id,
    },
    Status,
    Policy,
    Request {
        role: RoleName,
        seconds: u64,
        start: Option<Utc>,
        reason: Reason,
    },
    Withdraw {
        id: RequestId,
        reason: Option<Reason>,
    },
    Extend {
        id: Id,
        seconds: u64,
        reason: Reason,
    },
    Done {
        id: Id,
        reason: Option<Reason>,
    },
    Pending,
    Review {
        id: RequestId,
        /// Of what the reviewer was shown.
        digest: String,
        decision: Decision,
        narrow: Narrow,
        note: Option<Reason>,
    },
    Grant {
        user: UserName,
        role: RoleName,
        /// 0 is the role's default.
        seconds: u64,
        reason: Reason,
    },
    Revoke {
        id: Id,
        reason: Option<Reason>,
    },
    Sessions,
    EndSession {
        id: u64,
        reason: Option<Reason>,
    },
    Lock {
        scope: Scope,
        message: Option<Reason>,
        /// 0 is until it is lifted.
        seconds: u64,
    },
    Unlock {
        scope: Scope,
        reason: Option<Reason>,
    },
    Clock,
    AcceptClock {
        reason: Option<Reason>,
    },
    LoadPolicy,
    TryPolicy {
        seconds: u64,
    },
    ConfirmPolicy,
}

/// What a review takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Narrow {
    pub(crate) seconds: u64,
    pub(crate) services: Vec<ServiceName>,
    pub(crate) uses: u32,
}

impl Call {
    /// How long the whole command may take: connecting, finding jitd and its answer. Loading a policy reads
    /// files and asks name services about every group in them.
    pub(crate) const fn limit(&self) -> Duration {
        match self {
            Self::LoadPolicy | Self::TryPolicy { .. } => Duration::from_secs(30),
            _ => Duration::from_secs(10),
        }
    }

    pub(crate) const fn interface(&self) -> &'static str {
        match self {
            Self::Check { .. }
            | Self::Explain { .. }
            | Self::Roles { .. }
            | Self::List { .. }
            | Self::Show { .. }
            | Self::Status
            | Self::Clock
            | Self::Policy
            | Self::Request { .. }
            | Self::Withdraw { .. }
            | Self::Extend { .. }
            | Self::Done { .. }
            | Self::Sessions
            | Self::EndSession { .. } => USER_INTERFACE,
            Self::Pending | Self::Review { .. } => REVIEW_INTERFACE,
            Self::Grant { .. }
            | Self::Revoke { .. }
            | Self::Lock { .. }
            | Self::Unlock { .. }
            | Self::AcceptClock { .. }
            | Self::LoadPolicy
            | Self::TryPolicy { .. }
            | Self::ConfirmPolicy => ADMIN_INTERFACE,
        }
    }

    pub(crate) const fn method(&self) -> &'static str {
        match self {
            Self::Check { .. } => "Check",
            Self::Explain { .. } => "Explain",
            Self::Roles { .. } => "Roles",
            Self::List { .. } => "List",
            Self::Show { .. } => "Show",
            Self::Status => "Status",
            Self::Policy => "Policy",
            Self::Request { .. } => "Request",
            Self::Withdraw { .. } => "Withdraw",
            Self::Extend { .. } => "Extend",
            Self::Done { .. } => "Done",
            Self::Pending => "Pending",
            Self::Review { .. } => "Review",
            Self::Grant { .. } => "Grant",
            Self::Revoke { .. } => "Revoke",
            Self::Sessions => "Sessions",
            Self::EndSession { .. } => "EndSession",
            Self::Lock { .. } => "Lock",
            Self::Unlock { .. } => "Unlock",
            Self::Clock => "Clock",
            Self::AcceptClock { .. } => "AcceptClock",
            Self::LoadPolicy => "LoadPolicy",
            Self::TryPolicy { .. } => "TryPolicy",
            Self::ConfirmPolicy => "ConfirmPolicy",
        }
    }
}

/// Whoever answers: jitd over the bus, or a script in tests.
pub(crate) trait Jitd {
    /// Asks once and returns the answer's JSON, unread.
    fn ask(&self, call: &Call) -> Result<String, Error>;

    /// What ends a wait, from now on: a change that jitd tells of, or a signal to this process.
    fn wakes(&self) -> Box<dyn Wakes>;
}

/// Asks once, and reads the answer.
pub(crate) fn ask<T: DeserializeOwned>(jitd: &dyn Jitd, call: &Call) -> Result<T, Failure> {
    let answer = jitd
        .ask(call)
        .and_then(|reply| serde_json::from_str(&reply).map_err(|why| Error::Garbled(why.to_string())));
    answer.map_err(|error| Failure::at(error, call))
}
