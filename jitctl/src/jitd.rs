//! The questions that jitctl puts to jitd, one per command.

use std::net::IpAddr;
use std::time::Duration;

use jit_proto::manager::{ADMIN_INTERFACE, USER_INTERFACE};
use jit_proto::words::{Reason, RoleName, ServiceName, UserName};

use crate::args::Id;
use crate::error::Error;

/// One method of `org.jitd.Jit1.{User,Admin}` with its arguments.
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
    LoadPolicy,
    TryPolicy {
        seconds: u64,
    },
    ConfirmPolicy,
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
            | Self::Policy => USER_INTERFACE,
            Self::Grant { .. }
            | Self::Revoke { .. }
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
            Self::Grant { .. } => "Grant",
            Self::Revoke { .. } => "Revoke",
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
}
