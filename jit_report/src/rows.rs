//! What a report is made of: accesses, and figures of roles and people.

use jit_core::digest::Digest;
use jit_core::model::{Decision, EndWhy};
use jit_core::policy::Method;
use jit_core::services::Services;
use jit_core::time::Utc;
use jit_proto::words::{GrantId, Reason, RequestId, RoleName, Uid, UserName};
use serde::Serialize;

use crate::figures::Spread;

/// Something that a person has to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attention {
    /// What kind of thing, as a word that stays.
    pub what: &'static str,
    /// The request that it is about, if it is about one.
    pub request: Option<RequestId>,
    /// In a sentence.
    pub text: String,
}

/// How far an access has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessState {
    /// It waits for reviewers.
    Waiting,
    /// It is approved, and the window has not begun.
    Scheduled,
    /// The window is open.
    Open,
    /// It is over.
    Ended,
    /// Reviewers said no.
    Denied,
    /// It was taken back.
    Withdrawn,
    /// Nobody decided it in time, or it could not open any more.
    Lapsed,
}

impl AccessState {
    /// The word in every view.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Scheduled => "scheduled",
            Self::Open => "open",
            Self::Ended => "ended",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
            Self::Lapsed => "lapsed",
        }
    }
}

/// One access, from the asking to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Access {
    /// The request for it.
    pub request: RequestId,
    /// The grant that it became.
    pub grant: Option<GrantId>,
    /// The human: of those who share the account, the one that it was asked for; else as the last policy on record names them,
    /// or the account where it names none.
    pub person: String,
    /// The account that it admits.
    pub account: UserName,
    /// The uid of that account.
    pub uid: Uid,
    /// The role that was asked for.
    pub role: RoleName,
    /// The ticket that the reason names, where the role's pattern has one.
    pub ticket: Option<String>,
    /// What it opens: as granted, else as asked.
    pub services: Services,
    /// Why, as it was typed.
    pub reason: Reason,
    /// When it was asked for.
    pub asked: Utc,
    /// Who asked: the person, or an admin for them.
    pub asked_by: UserName,
    /// For how many seconds.
    pub asked_seconds: u64,
    /// The window that it goes on from.
    pub extends: Option<GrantId>,
    /// How far it has come.
    pub state: AccessState,
    /// When it was denied, withdrawn or lapsed.
    pub closed: Option<Utc>,
    /// Who reviewed it.
    pub reviews: Vec<Reviewed>,
    /// It opened before anybody approved.
    pub emergency: bool,
    /// Policy opened it, and nobody was asked; absent if not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_policy: bool,
    /// When what an emergency owes was reviewed.
    pub settled: Option<Utc>,
    /// What that came to.
    pub settled_as: Option<Decision>,
    /// When its window opened.
    pub opened: Option<Utc>,
    /// How many seconds long the window was to be.
    pub window_seconds: Option<u64>,
    /// When the window was over.
    pub ended: Option<Utc>,
    /// Why it was.
    pub why: Option<EndWhy>,
    /// What whoever ended it said.
    pub ended_reason: Option<Reason>,
    /// When its end was carried through.
    pub gone: Option<Utc>,
    /// What was found then.
    pub residue: Residue,
    /// How many checks it admitted.
    pub logins: u64,
    /// How many sessions opened by it, as far as they are over or have a record of their opening.
    pub sessions: u64,
    /// When it was first used.
    pub first_login: Option<Utc>,
    /// When it last was.
    pub last_login: Option<Utc>,
    /// When the last of its sessions was gone.
    pub last_gone: Option<Utc>,
    /// Of a window that is over: how much of it, of 100, lies between the first login and the last session gone, rounded
    /// down. 0 is a window that nobody used.
    pub used_percent: Option<u64>,
    /// Of a window that is over and was used: seconds from its opening to the last session gone, at most to its end.
    pub needed_seconds: Option<u64>,
    /// The policy in force when it opened, or when it was asked for if it did not.
    pub policy: Option<Digest>,
}

impl Access {
    /// Whether it opened before anybody approved and still owes the review.
    #[must_use]
    pub const fn is_owed(&self) -> bool {
        self.emergency && self.settled.is_none()
    }

    /// Whether its window began and is over, and nobody came in by it.
    #[must_use]
    pub fn is_never_used(&self) -> bool {
        self.used_percent.is_some() && self.first_login.is_none()
    }
}

/// One review of an access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reviewed {
    /// Who gave it.
    pub by: UserName,
    /// What they said.
    pub decision: Decision,
    /// In which stage.
    pub stage: String,
    /// How it reached the host.
    pub method: Method,
    /// The fingerprint of the key, of a signed file.
    pub key: Option<String>,
    /// When it was given.
    pub at: Utc,
    /// Whether it took something away from what was asked.
    pub narrowed: bool,
    /// What they wrote.
    pub note: Option<Reason>,
    /// Whether it was discounted: whoever gave it was no longer asked, or took it back.
    pub discounted: bool,
}

/// What the end of a window found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Residue {
    /// Processes that were to end and are left.
    pub left: Vec<String>,
    /// What was not looked for, and why.
    pub spared: Option<String>,
    /// What was found and is not the window's.
    pub stays: Vec<String>,
    /// Why something may have got away.
    pub escape: Option<String>,
}

/// Figures of one role, of the period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoleFigures {
    /// The role's name.
    pub role: RoleName,
    /// How often it was asked for.
    pub requests: u64,
    /// Windows that were approved, or opened as emergencies.
    pub granted: u64,
    /// Requests that reviewers denied.
    pub denied: u64,
    /// Requests that nobody decided in time.
    pub lapsed: u64,
    /// Requests that were taken back.
    pub withdrawn: u64,
    /// Windows that opened before anybody approved.
    pub emergencies: u64,
    /// Those whose review is owed, of whatever time.
    pub owed: u64,
    /// Those of them that are owed for longer than the first stage waits.
    pub overdue: u64,
    /// Windows that ended.
    pub windows: u64,
    /// Those that nobody came in by.
    pub never_used: u64,
    /// How much of the windows' time, of 100, lies between first login and last session gone, rounded down; absent where
    /// no window ended.
    pub used_percent: Option<u64>,
    /// From the opening of a window that was used to its last session gone.
    pub needed: Spread,
    /// Time to decision, stage by stage.
    pub stages: Vec<StageFigures>,
    /// The stage whose median is the longest, where more than one decided or there is one alone.
    pub bottleneck: Option<String>,
}

/// Figures of one stage of a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageFigures {
    /// The stage's name.
    pub stage: String,
    /// From its beginning, which is the asking or the end of the stage before it, to its last review.
    pub decided: Spread,
    /// How often nobody decided it in time.
    pub lapsed: u64,
}

/// How often somebody reviewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reviewer {
    /// The reviewer's account.
    pub account: UserName,
    /// How often they approved.
    pub approved: u64,
    /// How often they denied.
    pub denied: u64,
    /// How many of these came as signed files.
    pub signed: u64,
    /// The roles that these were about.
    pub roles: Vec<RoleName>,
}

/// Windows that one person had open at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Duty {
    /// Who had them open.
    pub person: String,
    /// The roles of those windows, one for each window.
    pub roles: Vec<RoleName>,
    /// How many seconds all in all.
    pub seconds: u64,
    /// When it first was so.
    pub first: Utc,
    /// How often it came to that.
    pub times: u64,
}
