//! Why an answer is what it is.

use std::fmt;

use jit_proto::gate::NOT_ENCLOSED;
use serde::{Deserialize, Serialize};

/// Why an answer is what it is: the stable word in answers, records and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// A window admits the subject.
    Window,
    /// Policy exempts the subject here.
    Exempt,
    /// The caller already is uid 0 and gains nothing from su or sudo.
    CallerIsRoot,
    /// Policy only observes the service.
    Observed,
    /// A session that ends; nothing to decide.
    Closing,
    /// Some role would do, but no window is open.
    NoWindow,
    /// No role of this host names the service.
    NoRole,
    /// Roles name the service, but none is for this subject.
    NotEligible,
    /// A lock beats every window.
    Locked,
    /// A window is open, but its role has left policy, has ended or no longer covers this, or is apart from
    /// one that the person had first.
    RoleChanged,
    /// A window is open, but su would become an account that its role does not list.
    OtherTarget,
    /// A window is open, but the login comes from an address that its role does not list.
    OtherAddress,
    /// A window is open, but not at this time of the week.
    OutsideHours,
    /// A window has been approved and has not begun.
    NotBegun,
    /// A window would open, or admit at this time, if the clock could be believed.
    ClockSuspect,
    /// Every use is spent.
    Spent,
    /// The session comes without a claim, or its claim is void or taken.
    NoClaim,
    /// The name service does not know the subject.
    UnknownUser,
    /// The name service failed.
    NameService,
    /// PAM_RUSER is not who runs su or sudo (law 8).
    CallerMismatch,
    /// A window admits the subject, but the session could not be put into a unit of its own (law 12). What is decided
    /// here is before that.
    NotEnclosed,
    /// A window admits the subject, but as many of their sessions are open, or of all people's, as jitd follows.
    TooManySessions,
    /// People share the account, and nothing that came with this login says which of them it is.
    NoPerson,
    /// A window admits the subject, but the disk is full, and what is kept is for the records of what ends.
    NoRoom,
}

impl Why {
    /// Every reason there is, for whoever documents them.
    pub const ALL: [Self; 24] = [
        Self::Window,
        Self::Exempt,
        Self::CallerIsRoot,
        Self::Observed,
        Self::Closing,
        Self::NoWindow,
        Self::NoRole,
        Self::NotEligible,
        Self::Locked,
        Self::RoleChanged,
        Self::OtherTarget,
        Self::OtherAddress,
        Self::OutsideHours,
        Self::NotBegun,
        Self::ClockSuspect,
        Self::Spent,
        Self::NoClaim,
        Self::UnknownUser,
        Self::NameService,
        Self::CallerMismatch,
        Self::NotEnclosed,
        Self::TooManySessions,
        Self::NoPerson,
        Self::NoRoom,
    ];

    /// Whether it keeps somebody out.
    #[must_use]
    pub const fn refuses(self) -> bool {
        match self {
            Self::Window | Self::Exempt | Self::CallerIsRoot | Self::Observed | Self::Closing => false,
            Self::NoWindow
            | Self::NoRole
            | Self::NotEligible
            | Self::Locked
            | Self::RoleChanged
            | Self::OtherTarget
            | Self::OtherAddress
            | Self::OutsideHours
            | Self::NotBegun
            | Self::ClockSuspect
            | Self::Spent
            | Self::NoClaim
            | Self::UnknownUser
            | Self::NameService
            | Self::CallerMismatch
            | Self::NotEnclosed
            | Self::TooManySessions
            | Self::NoPerson
            | Self::NoRoom => true,
        }
    }

    /// The word in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Exempt => "exempt",
            Self::CallerIsRoot => "caller-is-root",
            Self::Observed => "observed",
            Self::Closing => "closing",
            Self::NoWindow => "no-window",
            Self::NoRole => "no-role",
            Self::NotEligible => "not-eligible",
            Self::Locked => "locked",
            Self::RoleChanged => "role-changed",
            Self::OtherTarget => "other-target",
            Self::OtherAddress => "other-address",
            Self::OutsideHours => "outside-hours",
            Self::NotBegun => "not-begun",
            Self::ClockSuspect => "clock-suspect",
            Self::Spent => "spent",
            Self::NoClaim => "no-claim",
            Self::UnknownUser => "unknown-user",
            Self::NameService => "name-service",
            Self::CallerMismatch => "caller-mismatch",
            Self::NotEnclosed => NOT_ENCLOSED,
            Self::TooManySessions => "too-many-sessions",
            Self::NoPerson => "no-person",
            Self::NoRoom => "no-room",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
