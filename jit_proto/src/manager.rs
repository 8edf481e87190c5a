//! What `jitctl` and `jitd` say to each other: interfaces `org.jitd.Jit1.{User,Review,Admin}`.
//!
//! Arguments are plain D-Bus types. Every reply is one JSON document (`s`) of a type below, which is also
//! what `--json` prints: a field can be added without a new method, and there is one form to document.
//! Times are RFC 3339 in UTC, durations whole seconds.

mod nothing;
mod policy;
mod signed;

use serde::{Deserialize, Serialize};

pub use policy::{
    Policy, PolicyChanges, PolicyFile, PolicyOverridden, PolicyReviewed, PolicySigned, PolicySummary,
    PolicyTrial, PolicyWaiting,
};
pub use signed::{Ahead, ByCode};

use crate::words::Verdict;

/// `Check(service, user, from)`, `CheckPerson(service, user, person, from)`, `Explain(service, user, at, from, target)`,
/// `ExplainPerson(service, user, person, at, from, target)`, `Roles(user)`, `List(all)`, `Show(id)`,
/// `Status()`, `Policy()`, `Request(role, seconds, start, reason)`, `Withdraw(id, reason)`, `Extend(id, seconds, reason)`,
/// `Done(id, reason)`, `Sessions()`, `EndSession(id, reason)`; signal `Changed(id)`, which says that something about a
/// request has changed and nothing else. An empty `at` is now, an empty `from` or `target` is not known, an empty `user`
/// of `Roles` is the caller.
pub const USER_INTERFACE: &str = "org.jitd.Jit1.User";

/// `Pending()`, `Review(id, digest, decision, seconds, services, uses, note)`, `PolicyChanges()`,
/// `ReviewPolicy(digest, decision, note)`.
pub const REVIEW_INTERFACE: &str = "org.jitd.Jit1.Review";

/// The most entries that one `List` answers: the newest.
pub const LIST_LIMIT: usize = 1000;

/// `Grant(user, role, seconds, reason)`, `GrantPerson(user, person, role, seconds, reason)`, `Revoke(id, reason)`, `Lock(scope, message,
/// seconds)`, `LockUnknown(scope, message, seconds)`, `Unlock(scope, reason)`, `LoadPolicy()`, `TryPolicy(seconds)`, `ChangePolicy(seconds,
/// reason)`, `OverridePolicy(reason)`, `ForcePolicy(seconds, reason)`, `LoadSignedPolicy(text, signatures, reason)`, `ConfirmPolicy()`,
/// `AcceptClock(reason)`.
pub const ADMIN_INTERFACE: &str = "org.jitd.Jit1.Admin";

/// Answer to `User.{Check,CheckPerson}`: what a login would be told now. Asking changes nothing and uses nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The service asked about.
    pub service: String,
    /// The subject asked about.
    pub user: String,
    /// Who comes by it, where people share the account and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Allow, deny or unmanaged.
    pub verdict: Verdict,
    /// The stable word for why.
    pub reason: String,
    /// One line for a person; absent where there is nothing to say.
    #[serde(default, with = "nothing")]
    pub text: String,
    /// The role of the grant that admits.
    pub role: Option<String>,
    /// The grant that admits.
    pub grant: Option<String>,
    /// When its window ends.
    pub until: Option<String>,
}

/// Answer to `User.{Explain,ExplainPerson}`: the same, and why, role by role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What a login would be told; `text` is the line that a refused login prints.
    #[serde(flatten)]
    pub check: Check,
    /// The name of this host.
    pub host: String,
    /// The time that the answer is for.
    pub at: String,
    /// The address that the login was said to come from; absent where none was said.
    pub from: Option<String>,
    /// The account that su was said to become; absent where none was said.
    pub target: Option<String>,
    /// At a service that is only observed: the word for why it would have been allowed or denied.
    pub would: Option<String>,
    /// The accounts that are not root and may ask about others at the service.
    #[serde(default)]
    pub askers: Vec<String>,
    /// Every role that names the service, in name order.
    pub roles: Vec<Considered>,
}

/// One role, and how far it goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Considered {
    /// The role's name in policy.
    pub role: String,
    /// The first condition that fails, as a stable word: `host`, `eligible`, `ended`, `locked`, `target`, `address`, `hours`,
    /// `limit`, `window`, `approval`, `begin`, `use`, or `nothing` where the role admits.
    pub missing: String,
    /// The same in words.
    pub condition: String,
    /// What would have to change; absent if nothing.
    #[serde(default, with = "nothing")]
    pub change: String,
    /// Who could approve it now; absent where approval is not what is missing.
    #[serde(default, with = "nothing")]
    pub approvers: String,
}

/// A role that somebody may ask for on this host; element of `User.Roles`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// The role's name in policy.
    pub role: String,
    /// What it is for.
    pub summary: Option<String>,
    /// The PAM services it opens.
    pub services: Vec<String>,
    /// Seconds, where a request names none.
    pub default_duration: u64,
    /// The longest window, in seconds.
    pub max_duration: u64,
    /// Logins that one window is good for; absent means unlimited.
    pub uses: Option<u32>,
    /// When it may be used; always if there are none.
    pub hours: Vec<String>,
    /// The addresses it may be used from; anywhere if there are none.
    pub from: Vec<String>,
    /// The accounts that su may become; any if there are none.
    pub targets: Vec<String>,
    /// Who approves, in order.
    pub stages: Vec<RoleStage>,
    /// What the reason must look like; absent if anything will do.
    pub reason: Option<String>,
    /// Whether it opens before anybody approved.
    pub emergency: bool,
    /// Whether its windows begin with its hours, where they are approved outside of them; absent if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_hours: bool,
    /// The day from which on it is no more, with the zone whose day it is; absent if it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// The roles that nobody has beside it; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apart: Vec<String>,
    /// How many windows of it there may be and how far apart, in words; absent if that has no limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<String>,
    /// What of it opens without a review, in words; absent if nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreviewed: Option<String>,
}

/// One level of approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleStage {
    /// The stage's name in policy.
    pub name: String,
    /// Who may approve.
    pub approvers: String,
    /// How many of them must.
    pub approvals: u32,
    /// Seconds: longer than this a request has to be to need it, with what it extends; absent if every one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<u64>,
    /// What must be written with an approval, in words; absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Seconds that it waits; absent means for ever.
    pub expires: Option<u64>,
    /// Who decides after that; absent means that the request is over.
    pub then: Option<String>,
    /// How a review may reach the host: `online`, `signature`, `code`.
    pub accept: Vec<String>,
}

/// A request and the grant that it became, if it did. Answer to `Admin.{Grant,GrantPerson}`, `User.{Show,Request,Extend}` and
/// `Review.Review`; element of `User.List` and `Review.Pending`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The request's id.
    pub request: String,
    /// The grant's id; absent while the request is pending.
    pub grant: Option<String>,
    /// `pending`, `scheduled` (approved, and its window has not begun), `active`, `spent` (its window is open, and every
    /// login that it allows was made or is being made) or `ended`.
    pub state: String,
    /// Why it ended: `expired`, `revoked`, `done`, `locked`, `reboot`; a request that never opened: `withdrawn`,
    /// `denied`, `lapsed`.
    pub ended: Option<String>,
    /// Whom it admits.
    pub user: String,
    /// The uid that the name had when it was asked.
    pub uid: u32,
    /// Whom alone it admits, of those who share the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The role that was asked for.
    pub role: String,
    /// The PAM services it opens; before it has opened, those that were asked for.
    pub services: Vec<String>,
    /// What was asked for, in seconds.
    pub duration: u64,
    /// When the window was asked to start; once it is approved if absent.
    pub asked_start: Option<String>,
    /// The grant that it goes on from, if it extends one.
    pub extends: Option<String>,
    /// How long what it goes on from is in all, in seconds; absent if it goes on from nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Whether it opened, or opens, before anybody approved it.
    pub emergency: bool,
    /// The ticket that the reason names, where the role's pattern has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// What it opened in spite of, as emergencies do: `at-once`, `rest`, `apart:ROLE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub despite: Vec<String>,
    /// Whether policy opened it, and nobody was asked; absent if not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_policy: bool,
    /// Whether it opened so, and its review is still owed.
    pub review_owed: bool,
    /// Of a scheduled grant, when its window begins: `at TIME`, `with the first login`, `after g-4k7m2qx9`.
    pub begins: Option<String>,
    /// When the window opened.
    pub start: Option<String>,
    /// When it ends, or ended.
    pub end: Option<String>,
    /// When its hours begin next, where they are not now: before that nobody gets in by it. Absent within them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usable_from: Option<String>,
    /// Seconds left, also of one that is spent; 0 when it is over.
    pub remaining: u64,
    /// Uses allowed; absent means unlimited.
    pub uses: Option<u32>,
    /// Uses spent or claimed.
    pub used: u32,
    /// Why it was asked for.
    pub reason: String,
    /// The account that filed the request.
    pub requested_by: String,
    /// When they asked.
    pub requested_at: String,
    /// SHA-256 of the request's exact bytes, in hex.
    pub digest: String,
    /// Who reviewed it, in order.
    pub reviews: Vec<Review>,
    /// What it still waits for; absent unless it can be reviewed.
    pub waiting_for: Option<WaitingFor>,
    /// When the stage that waits passes it on or lets it lapse.
    pub until: Option<String>,
    /// In the answer to `Grant`: why the review of whoever granted is not among those; in that to `Request`: why it takes its
    /// stages, where policy opens some of the role without them. Absent otherwise.
    #[serde(default)]
    pub not_counted: Option<Refused>,
    /// When it admits; always if there are none.
    #[serde(default)]
    pub hours: Vec<String>,
    /// The addresses that it admits from; any if there are none.
    #[serde(default)]
    pub from: Vec<String>,
    /// The accounts that su may become by it; any if there are none.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Of a request whose window would begin with the first login: for how many seconds after the approval it waits for
    /// that.
    #[serde(default)]
    pub first_use: Option<u64>,
    /// The signed grant that it comes from, if nobody asked for it on this host.
    #[serde(default)]
    pub ahead: Option<Ahead>,
}

/// How many records a log that follows jitd's own has not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsent {
    /// The name of the log.
    pub log: String,
    /// How many records it has not taken.
    pub records: u64,
}

/// What a request waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingFor {
    /// `approvals`, or why nothing comes of it any more: `role-changed`, `no-role`, `denied`, `lapsed`.
    pub code: String,
    /// One line for a person.
    pub text: String,
    /// The stage; absent where it is not about one.
    pub stage: Option<String>,
    /// What must be written with each of them, in words; absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// How many approvals it lacks; 0 where nothing comes of it.
    pub approvals: usize,
    /// The accounts that may give them.
    pub users: Vec<String>,
    /// The groups that may.
    pub groups: Vec<String>,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The stable word for it.
    pub code: String,
    /// One line for a person.
    pub text: String,
}

/// What came of a signed statement that is about no request of its own: answer to `Review.Import` of all but requests,
/// reviews and grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// `revoke`, `lock` or `clock`.
    pub kind: String,
    /// Whose signature it has, by account.
    pub by: String,
    /// Of a revoke, what it names: a request, or the serial of a signed grant.
    pub revokes: Option<String>,
    /// Of a revoke, what it ended; absent where the grant has not come yet.
    pub revoked: Option<Revoked>,
    /// Of a lock, as it holds now.
    pub lock: Option<Lock>,
    /// Of a clock, before and after.
    pub clock: Option<ClockAccepted>,
}

/// One review of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// The reviewer's account.
    pub by: String,
    /// `approve` or `deny`.
    pub decision: String,
    /// The stage's name.
    pub stage: String,
    /// How the review was given, such as `online`.
    pub method: String,
    /// When the review was given.
    pub at: String,
    /// What it leaves of the time, in seconds, if it takes some away.
    pub seconds: Option<u64>,
    /// What it leaves of the services, if it takes some away.
    pub services: Option<Vec<String>>,
    /// What it leaves of the uses, if it takes some away.
    pub uses: Option<u32>,
    /// What the reviewer wrote.
    pub note: Option<String>,
    /// Of a review that came as a signed file, what proves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Evidence>,
    /// Of a review that came as a code, whose it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ByCode>,
}

/// What proves a review that came as a signed file (docs/offline.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Whom the key stood for.
    pub principals: Vec<String>,
    /// Its fingerprint, as `ssh-keygen -l` writes it.
    pub key: String,
    /// Of a FIDO key, the flags of the signature: bit 0 is a touch, bit 2 a PIN or a finger.
    pub flags: Option<u8>,
    /// Of a FIDO key, how often it had signed.
    pub counter: Option<u32>,
    /// The exact text that was signed; absent in a list.
    #[serde(default, with = "nothing")]
    pub text: String,
    /// The signature, as ssh-keygen writes it; absent in a list.
    #[serde(default, with = "nothing")]
    pub signature: String,
}

/// A request as a file: answer to `Review.Export`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// The request's id.
    pub request: String,
    /// Until when a signature counts.
    pub expires: String,
    /// The exact text.
    pub file: String,
    /// The signature of the host's key over it: a line of a signed note.
    pub seal: String,
    /// Whether a stage that is still to be met takes signatures.
    pub signable: bool,
}

/// What is read out of a request, for an approver to answer by a code: answer to `Review.Code`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    /// The request's id.
    pub request: String,
    /// The host's name.
    pub host: String,
    /// The fingerprint of the host's key, as `ssh-keygen -l` writes it.
    pub host_key: String,
    /// Whom it would admit.
    pub user: String,
    /// The role that is asked for.
    pub role: String,
    /// For how long, in seconds.
    pub seconds: u64,
    /// When it would begin: `at-approval`, `extends`, or a time.
    pub start: String,
    /// What stands for the rest of the request, such as `7K2M-QX9B-0C4D`.
    pub code: String,
    /// Why it was asked for. No code proves that it was read out as it is.
    pub reason: String,
    /// How many wrong codes are borne before none counts for it.
    pub tries: usize,
    /// Why no code would count now; absent where one would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A session that a window admitted: answer to `User.EndSession`, element of `User.Sessions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its number: that of the record that opened it.
    pub id: u64,
    /// Who is in it; for su and sudo, who called them.
    pub user: String,
    /// The uid of the account.
    pub uid: Option<u32>,
    /// The PAM service.
    pub service: String,
    /// For su and sudo, whom they have become.
    pub target: Option<String>,
    /// Where from, as the service says.
    #[serde(default, with = "nothing")]
    pub from: String,
    /// On which terminal, as the service says.
    #[serde(default, with = "nothing")]
    pub tty: String,
    /// The grant that covers it.
    pub grant: String,
    /// The grant's role; absent when that is over.
    pub role: Option<String>,
    /// When it began.
    pub since: String,
    /// Until when its grant covers it; once it is over, when it will be made to end.
    pub until: Option<String>,
    /// Seconds left until then.
    pub remaining: u64,
    /// `open`, `closed` (they left, and what they started runs on), `ending`, or `goes-on` (its process serves others, too).
    pub state: String,
    /// Why it is ending: `expired`, `revoked`, `done`, `locked`, `role-changed`, `outside-hours` or `ordered`.
    pub ended: Option<String>,
    /// The systemd scope that it runs in.
    pub unit: Option<String>,
    /// Whether jitd can end all of it.
    pub enforced: bool,
    /// The process that let its person in and opened no session, where that ends with the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
    /// The audit session that began with it, for ausearch(8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<u32>,
    /// Who that is, where people share the account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// The keys that opened ssh, each as `ssh-keygen -l` writes it, with the id and serial of a certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// What was there before its person came and stays when they go: `lingers` (their manager started with the machine)
    /// or `runs`; absent if nothing.
    #[serde(default)]
    pub before: Option<String>,
}

/// A lock: answer to `Admin.Lock`, `Admin.LockUnknown` and `Admin.Unlock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// What it shuts: `host`, or `user:`, `group:`, `service:` or `role:` and a name.
    pub scope: String,
    /// What those who are refused are told.
    pub message: Option<String>,
    /// Who set it.
    pub by: String,
    /// When the lock was set.
    pub at: String,
    /// Until when; until it is lifted if absent.
    pub until: Option<String>,
    /// For a user: the uids that it binds beside the name.
    #[serde(default)]
    pub uids: Vec<u32>,
    /// What whoever set it should know: that it does not bind what it otherwise would, or binds more than was typed.
    #[serde(default)]
    pub note: Option<String>,
}

/// Answer to `Admin.Revoke`, `User.Withdraw` and `User.Done`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// The grant, or the request if it had not opened.
    pub id: String,
    /// The state after the call: `ended`.
    pub state: String,
    /// Why it ended; `revoked` unless something else had ended it before.
    pub ended: String,
    /// False where it had ended before this call, which then changed nothing.
    pub changed: bool,
}

/// The clock of the host, and what it is judged by: answer to `User.Clock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// `trusted` or `suspect`. While it is suspect nothing new opens but emergency roles.
    pub state: String,
    /// Why it is suspect: `behind` or `ahead`.
    pub why: Option<String>,
    /// The same in words; absent while it is trusted.
    #[serde(default, with = "nothing")]
    pub text: String,
    /// What the wall clock said when it became suspect.
    pub since: Option<String>,
    /// What the wall clock says.
    pub wall: String,
    /// The latest time that was believed.
    pub mark: String,
    /// The later of the two: what the validity of keys is judged by.
    pub time: String,
    /// What the wall clock should say, by the time since it was last believed at a boot or accepted.
    pub expected: String,
    /// Seconds since boot, sleep included.
    pub boot_seconds: u64,
    /// The kernel's id of the running boot.
    pub boot_id: String,
    /// Whether the kernel holds the wall clock to be synchronised; asked only while it is suspect.
    pub synced: Option<bool>,
}

/// Answer to `User.ClockChallenge`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// The exact text that is carried to an admin.
    pub text: String,
}

/// Answer to `Admin.AcceptClock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockAccepted {
    /// As it was.
    pub before: Clock,
    /// As it is.
    pub after: Clock,
}

/// Answer to `User.Status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The version of the jitd that answers.
    pub version: String,
    /// The name that roles match their `hosts` against.
    pub host: String,
    /// Whether jitd can decide and record; if not, every managed login is refused.
    pub ready: bool,
    /// Why it is not ready, or what an admin should know, in words.
    pub notes: Vec<String>,
    /// The policy in force.
    pub policy: PolicySummary,
    /// Windows open now (admins: everybody's; others: their own).
    pub active: Vec<Entry>,
    /// How many requests wait for the caller's review.
    pub to_review: usize,
    /// The locks that hold.
    pub locks: Vec<Lock>,
    /// Records in the audit log; absent unless the caller may read it.
    pub audit_records: Option<u64>,
    /// Records each log has not taken yet: `[["journal", 0], ["syslog", 3]]`; absent as above. A log
    /// that is off is not named.
    pub unsent: Option<Vec<Unsent>>,
    /// The last checkpoint that was carried away; absent as above, or where none was.
    #[serde(default)]
    pub carried: Option<CarriedAway>,
    /// The public half of the host's key, by which other machines know this host; absent where there is none yet.
    pub key: Option<String>,
}

/// A checkpoint that was carried away from the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedAway {
    /// When that was.
    pub at: String,
    /// How it left: `checkpoint` or `export`.
    pub how: String,
    /// How many records it covers.
    pub size: u64,
}
