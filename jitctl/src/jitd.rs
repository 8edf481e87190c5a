//! The questions that jitctl puts to jitd, one per command.

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
}

impl Call {
    /// How long the whole command may take: connecting, finding jitd and its answer. Loading a policy reads
    /// files and asks name services about every group in them.
    pub(crate) const fn limit(&self) -> Duration {
        match self {
            Self::LoadPolicy => Duration::from_secs(30),
            _ => Duration::from_secs(10),
        }
    }

    pub(crate) const fn interface(&self) -> &'static str {
        match self {
            Self::Check { .. } | Self::List { .. } | Self::Show { .. } | Self::Status | Self::Policy => {
                USER_INTERFACE
            }
            Self::Grant { .. } | Self::Revoke { .. } | Self::LoadPolicy => ADMIN_INTERFACE,
        }
    }

    pub(crate) const fn method(&self) -> &'static str {
        match self {
            Self::Check { .. } => "Check",
            Self::List { .. } => "List",
            Self::Show { .. } => "Show",
            Self::Status => "Status",
            Self::Policy => "Policy",
            Self::Grant { .. } => "Grant",
            Self::Revoke { .. } => "Revoke",
            Self::LoadPolicy => "LoadPolicy",
        }
    }
}

/// Whoever answers: jitd over the bus, or a script in tests.
pub(crate) trait Jitd {
    /// Asks once and returns the answer's JSON, unread.
    fn ask(&self, call: &Call) -> Result<String, Error>;
}
