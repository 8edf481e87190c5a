//! The D-Bus calls that jitctl makes. [`Call::row`] is the one table of them: interface, method, deadline, and what to say
//! when a call fails.

use std::net::IpAddr;
use std::time::Duration;

use jit_core::digest::Digest;
use jit_core::model::{CarriedBy, Decision, Entitled, Keep, Scope};
use jit_core::policy::PersonName;
use jit_core::time::Utc;
use jit_proto::audit::AUDIT_INTERFACE;
use jit_proto::manager::{ADMIN_INTERFACE, REVIEW_INTERFACE, USER_INTERFACE};
use jit_proto::words::{FileName, Reason, RequestId, RoleName, ServiceName, UserName};

use crate::values::Id;

/// One method of `org.jitd.Jit1.{User,Review,Admin,Audit}` with its arguments. Where a number is 0 or a list empty, it is
/// as the role says, or as was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Check {
        service: ServiceName,
        user: UserName,
        person: Option<PersonName>,
        from: Option<IpAddr>,
    },
    Explain {
        service: ServiceName,
        user: UserName,
        person: Option<PersonName>,
        at: Option<Utc>,
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
    /// The file of a request.
    Export {
        id: RequestId,
    },
    /// A signed text and its signature, as bytes: files are read as whoever runs jitctl.
    Import {
        text: Vec<u8>,
        signature: Vec<u8>,
    },
    /// What is read out of a request.
    Code {
        id: RequestId,
    },
    /// An approver's code, without groups.
    EnterCode {
        id: RequestId,
        code: String,
    },
    Grant {
        user: UserName,
        /// Whom alone it is for, where people share the account.
        person: Option<PersonName>,
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
        unknown: bool,
    },
    Unlock {
        scope: Scope,
        reason: Option<Reason>,
    },
    Clock,
    ClockChallenge,
    AcceptClock {
        reason: Option<Reason>,
    },
    LoadPolicy,
    TryPolicy {
        seconds: u64,
    },
    /// Either of these, with what is said of it; 0 is for good.
    ChangePolicy {
        seconds: u64,
        reason: Reason,
    },
    OverridePolicy {
        reason: Reason,
    },
    /// As `ChangePolicy`, whatever this host says of the files.
    ForcePolicy {
        seconds: u64,
        reason: Reason,
    },
    /// What was signed of the policy files, and the signatures, as bytes: files are read as whoever runs jitctl.
    LoadSignedPolicy {
        text: Vec<u8>,
        signatures: Vec<Vec<u8>>,
        reason: Option<Reason>,
    },
    /// The policy that waits for approvals, and an override that waits to be acknowledged.
    PolicyChanges,
    ReviewPolicy {
        /// Of what the reviewer was shown.
        digest: String,
        decision: Decision,
        note: Option<Reason>,
    },
    ConfirmPolicy,
    /// Records from one on: at most so many, 0 for as many as fit.
    Records {
        first: u64,
        most: u32,
    },
    /// Records from one to before an end, over a pipe.
    Stream {
        first: u64,
        end: u64,
    },
    /// The records about one request, from one on: as many as fit.
    StoryFrom {
        id: Id,
        first: u64,
    },
    AuditCheckpoint,
    /// What proves that the log of so many records is the beginning of that of so many.
    Proof {
        old: u64,
        new: u64,
    },
    Archives,
    /// Records before an end are in a file, and leave the store.
    Archive {
        end: u64,
        root: Digest,
        file: FileName,
        digest: Digest,
        note: Option<Reason>,
    },
    /// A checkpoint over so many records was carried away.
    Carried {
        how: CarriedBy,
        size: u64,
    },
    Attest {
        role: RoleName,
        who: Entitled,
        keep: Keep,
        note: Option<Reason>,
    },
}

/// What a review takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Narrow {
    pub(crate) seconds: u64,
    pub(crate) services: Vec<ServiceName>,
    pub(crate) uses: u32,
}

/// The row of a call.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) interface: &'static str,
    pub(crate) method: &'static str,
    /// How long the whole command may take: connecting, finding jitd and its answer.
    pub(crate) deadline: Duration,
    pub(crate) effect: Effect,
}

/// What a call does to what jitd knows, and so what a person has to hear of one that failed.
#[derive(Debug)]
pub(crate) enum Effect {
    /// It only reads: there is nothing that it could have changed.
    Reads,
    /// It changes something.
    Changes {
        /// Said where nothing came of it.
        none: &'static str,
        /// Said where it is not known what came of it.
        unknown: &'static str,
        /// How to see what came of it.
        look: String,
    },
}

const USUAL: Duration = Duration::from_secs(10);

/// Loading a policy reads files and asks name services about every group in them.
const LOADING: Duration = Duration::from_secs(30);

fn reads(interface: &'static str, method: &'static str) -> Row {
    Row { interface, method, deadline: USUAL, effect: Effect::Reads }
}

fn changes(
    interface: &'static str,
    method: &'static str,
    unknown: &'static str,
    look: impl Into<String>,
) -> Row {
    let effect = Effect::Changes { none: "Nothing was changed", unknown, look: look.into() };
    Row { interface, method, deadline: USUAL, effect }
}

fn loads(method: &'static str) -> Row {
    let (none, unknown) = ("The policy in force was kept", "Whether the policy was loaded is unknown");
    let effect = Effect::Changes { none, unknown, look: "jitctl policy show".to_owned() };
    Row { interface: ADMIN_INTERFACE, method, deadline: LOADING, effect }
}

impl Call {
    /// The row of this call.
    pub(crate) fn row(&self) -> Row {
        const USER: &str = USER_INTERFACE;
        const ADMIN: &str = ADMIN_INTERFACE;
        let list = "jitctl list";
        match self {
            Self::Check { person, .. } => reads(USER, if person.is_some() { "CheckPerson" } else { "Check" }),
            Self::Explain { person, .. } => {
                reads(USER, if person.is_some() { "ExplainPerson" } else { "Explain" })
            }
            Self::Roles { .. } => reads(USER, "Roles"),
            Self::List { .. } => reads(USER, "List"),
            Self::Show { .. } => reads(USER, "Show"),
            Self::Status => reads(USER, "Status"),
            Self::Clock => reads(USER, "Clock"),
            Self::ClockChallenge => reads(USER, "ClockChallenge"),
            Self::Policy => reads(USER, "Policy"),
            Self::Sessions => reads(USER, "Sessions"),
            Self::Pending => reads(REVIEW_INTERFACE, "Pending"),
            Self::Export { .. } => reads(REVIEW_INTERFACE, "Export"),
            Self::Code { .. } => reads(REVIEW_INTERFACE, "Code"),
            Self::Records { .. } => reads(AUDIT_INTERFACE, "Records"),
            Self::Stream { .. } => reads(AUDIT_INTERFACE, "Stream"),
            Self::StoryFrom { .. } => reads(AUDIT_INTERFACE, "StoryFrom"),
            Self::AuditCheckpoint => reads(AUDIT_INTERFACE, "Checkpoint"),
            Self::Proof { .. } => reads(AUDIT_INTERFACE, "Proof"),
            Self::Archives => reads(AUDIT_INTERFACE, "Archives"),
            Self::Archive { .. } => changes(
                AUDIT_INTERFACE,
                "Archive",
                "Whether the records were moved is unknown; keep the file",
                "jitctl audit archive --list",
            ),
            Self::Carried { .. } => {
                changes(AUDIT_INTERFACE, "Carried", "Whether that is on record is unknown", "jitctl status")
            }
            Self::Attest { .. } => {
                let look = "jitctl report --attest";
                changes(AUDIT_INTERFACE, "Attest", "Whether it was attested is unknown", look)
            }
            Self::Request { .. } => changes(USER, "Request", "Whether it was asked for is unknown", list),
            Self::Extend { .. } => changes(USER, "Extend", "Whether it was asked for is unknown", list),
            Self::Withdraw { id, .. } => {
                changes(USER, "Withdraw", "Whether it was withdrawn is unknown", show(id))
            }
            Self::Done { id, .. } => {
                changes(USER, "Done", "Whether the window was ended is unknown", show(id))
            }
            Self::EndSession { .. } => {
                changes(USER, "EndSession", "Whether the session was ended is unknown", "jitctl session list")
            }
            Self::Review { id, .. } => {
                changes(REVIEW_INTERFACE, "Review", "Whether the review was taken is unknown", show(id))
            }
            Self::Import { .. } => {
                changes(REVIEW_INTERFACE, "Import", "Whether the signature was taken is unknown", list)
            }
            Self::EnterCode { id, .. } => {
                changes(REVIEW_INTERFACE, "EnterCode", "Whether the code was taken is unknown", show(id))
            }
            Self::Grant { person, .. } => {
                let method = if person.is_some() { "GrantPerson" } else { "Grant" };
                changes(ADMIN, method, "Whether the window was opened is unknown", list)
            }
            Self::Revoke { id, .. } => {
                changes(ADMIN, "Revoke", "Whether it was revoked is unknown", show(id))
            }
            Self::Lock { unknown, .. } => {
                let method = if *unknown { "LockUnknown" } else { "Lock" };
                changes(ADMIN, method, "Whether the lock was set is unknown", "jitctl status")
            }
            Self::Unlock { .. } => {
                changes(ADMIN, "Unlock", "Whether the lock was lifted is unknown", "jitctl status")
            }
            Self::AcceptClock { .. } => {
                changes(ADMIN, "AcceptClock", "Whether the clock was accepted is unknown", "jitctl clock")
            }
            Self::LoadPolicy => loads("LoadPolicy"),
            Self::TryPolicy { .. } => loads("TryPolicy"),
            Self::ChangePolicy { .. } => loads("ChangePolicy"),
            Self::OverridePolicy { .. } => loads("OverridePolicy"),
            Self::ForcePolicy { .. } => loads("ForcePolicy"),
            Self::LoadSignedPolicy { .. } => loads("LoadSignedPolicy"),
            Self::PolicyChanges => reads(REVIEW_INTERFACE, "PolicyChanges"),
            Self::ReviewPolicy { .. } => Row { interface: REVIEW_INTERFACE, ..loads("ReviewPolicy") },
            Self::ConfirmPolicy => {
                changes(ADMIN, "ConfirmPolicy", "Whether the policy stays is unknown", "jitctl status")
            }
        }
    }

    /// Whether it puts policy files in force: what refuses it are findings about them.
    pub(crate) const fn loads_files(&self) -> bool {
        matches!(
            self,
            Self::LoadPolicy
                | Self::TryPolicy { .. }
                | Self::ChangePolicy { .. }
                | Self::OverridePolicy { .. }
                | Self::ForcePolicy { .. }
                | Self::LoadSignedPolicy { .. }
                | Self::ReviewPolicy { .. }
        )
    }
}

fn show(id: impl ToString) -> String {
    format!("jitctl show {}", id.to_string())
}
