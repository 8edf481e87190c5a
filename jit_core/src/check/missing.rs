//! What a role lacks to let somebody in: the first of its conditions that fails.

use jit_proto::words::{RequestId, RoleName};

/// One role, and how far it goes for this question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// The role's name.
    pub role: RoleName,
    /// The first condition that fails.
    pub missing: Missing,
    /// What would have to change; empty if nothing.
    pub change: String,
    /// Who could approve it now; empty where approval is not what is missing.
    pub approvers: String,
}

/// The conditions that a role makes, in the order in which they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// It is of other hosts.
    Host,
    /// It is for other people.
    Eligible,
    /// Its day has come, from which on it is no more.
    Ended,
    /// It is locked.
    Locked,
    /// It lets su become other accounts.
    Target,
    /// It is for other addresses.
    Address,
    /// It is for other times.
    Hours,
    /// It is for certain times, or its window would begin, and the clock is suspect.
    Clock,
    /// Its limits let no window open now.
    Limit,
    /// It asks the leads of their team, and there is none but themselves.
    Team,
    /// Its window admits nobody, or none would open: the disk is nearly full, or full.
    Room,
    /// It has not been asked for, or what was asked for is over.
    Window,
    /// It has been asked for and waits for reviews.
    Approval(RequestId),
    /// Its window has been approved and has not begun.
    Begin,
    /// Every use of its window is spent, or none was claimed for this session.
    Use,
    /// Nothing: it admits.
    Nothing,
}

impl Missing {
    /// The stable word in answers.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Eligible => "eligible",
            Self::Ended => "ended",
            Self::Locked => "locked",
            Self::Target => "target",
            Self::Address => "address",
            Self::Hours => "hours",
            Self::Clock => "clock",
            Self::Limit => "limit",
            Self::Team => "team",
            Self::Room => "room",
            Self::Window => "window",
            Self::Approval(_) => "approval",
            Self::Begin => "begin",
            Self::Use => "use",
            Self::Nothing => "nothing",
        }
    }

    /// The condition in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "not on this host",
            Self::Eligible => "for other people",
            Self::Ended => "its day has come",
            Self::Locked => "locked",
            Self::Target => "for other target accounts",
            Self::Address => "for other addresses",
            Self::Hours => "not at this time",
            Self::Clock => "the clock is suspect",
            Self::Limit => "its limits let none open",
            Self::Team => "no team whose leads could approve it",
            Self::Room => "no room for its records",
            Self::Window => "no window is open",
            Self::Approval(_) => "waits for approval",
            Self::Begin => "its window has not begun",
            Self::Use => "no use is left",
            Self::Nothing => "admits",
        }
    }
}
