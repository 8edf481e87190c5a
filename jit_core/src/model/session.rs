//! A session that a grant admitted, and what it is found by.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use jit_proto::words::{BadWord, GrantId, RoleName, ServiceName, Uid, subject_is_caller};
use serde::{Deserialize, Serialize};

use super::login::{Actor, Basis, Login};
use super::process::{Leader, unit};
use super::termination::Over;
use crate::time::{Moment, Utc};

/// Whether jitd makes the scope for sessions of this service: logind makes none for su and sudo.
#[must_use]
pub fn gets_a_scope(service: &ServiceName) -> bool {
    subject_is_caller(service) || matches!(service.as_str(), "cron" | "crond" | "atd")
}

/// What identifies the processes of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opener {
    /// The process that opens it.
    #[serde(flatten)]
    pub leader: Leader,
    /// The audit session that begins with it; absent where it opens inside another login, and where the kernel has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<u32>,
}

/// The systemd scope that a session runs in: logind's (`session-4.scope`) or jitd's (`jit-17-2211.scope`). Nothing else
/// may be ended in a session's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Unit(String);

impl Unit {
    /// The scope that jitd makes for a session of su or sudo.
    #[must_use]
    pub fn of_session(session: u64, leader: Leader) -> Self {
        Self(format!("jit-{session}-{}.scope", leader.pid))
    }

    /// The unit's name, as systemd has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Unit {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let is_word = |word: &str, more: &str| {
            (1..=64).contains(&word.len())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        let name = text.strip_suffix(".scope").unwrap_or_default();
        let logind = name.strip_prefix("session-").is_some_and(|id| is_word(id, ""));
        let ours = name.strip_prefix("jit-").is_some_and(|id| is_word(id, "-"));
        if logind || ours {
            return Ok(Self(text.to_owned()));
        }
        Err(BadWord::NotOneOf { what: "scope", expected: "session-ID.scope or jit-ID.scope" })
    }
}

impl TryFrom<String> for Unit {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<Unit> for String {
    fn from(unit: Unit) -> Self {
        unit.0
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A login that a grant admitted and that has not been seen to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, as it is stored")]
pub struct Session {
    /// The sequence number of the record that admitted it: of the check that it opened by, else of its opening.
    pub id: u64,
    /// The grant that admitted it.
    pub grant: GrantId,
    /// Who came from where to which service.
    pub login: Login,
    /// Its role; absent of a session that an older jitd opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    /// On what it was let in.
    #[serde(flatten)]
    pub basis: Basis,
    /// When the session opened.
    pub at: Moment,
    /// Where in the log: the number that the next record had. Present where its opening is no record of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u64>,
    /// Who asked for it, as the kernel says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// The process that opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leader: Option<Leader>,
    /// The audit session that began with it, which all that a login starts inherits and nothing without
    /// CAP_AUDIT_CONTROL changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<u32>,
    /// The address that its login came from, where that is known for certain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// Where it runs, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// The control group of the process that asked, where that ends with the window: PAM opened no session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_in: Option<String>,
    /// That process serves others, too: it is not ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub others: bool,
    /// Where it runs was not found out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unbound: bool,
    /// The login never called the session hook; jitd found it by its process.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// PAM closed it; what it started may still run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// When the session opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Utc>,
    /// It has gone on under another grant than the one that admitted it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moved: bool,
    /// Its end, once that has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Over>,
}

impl Session {
    /// Whether whoever is in it may be root, or become it: what su and sudo start runs as whom they please.
    pub(crate) fn may_be_root(&self) -> bool {
        subject_is_caller(&self.login.service) || self.login.uid.is_some_and(Uid::is_root)
    }

    /// Whether all that it started can be told by where it runs: in its scope, or, until it should have that, by an audit
    /// session of its own, which what a login starts keeps wherever it goes. By that alone what forks fast is missed. Or it is
    /// a process that serves nobody else.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        if self.process_in.is_some() {
            return !self.unbound;
        }
        let by_audit = self.audit.is_some() && !self.unbound && !gets_a_scope(&self.login.service);
        self.unit.is_some() || by_audit
    }

    /// Whether it is the process that asked, which opened no session by PAM.
    #[must_use]
    pub const fn is_process(&self) -> bool {
        self.process_in.is_some()
    }

    /// Whether its end has come and does not reach it: its process serves others, too, and goes on. It stays known until that
    /// process has gone, and keeps nothing else of its person from the end.
    #[must_use]
    pub const fn goes_on(&self) -> bool {
        self.others && self.over.is_some()
    }

    /// Where it goes on after its end, in words.
    #[must_use]
    pub fn goes_on_in(&self) -> Option<String> {
        let (leader, group) = (self.leader?, self.process_in.as_deref()?);
        let unit = unit(group).unwrap_or("init");
        self.goes_on().then(|| {
            format!(
                "session {} may go on in process {} of {unit}, which serves others, too",
                self.id, leader.pid
            )
        })
    }

    /// Whether there is anything to find its processes by.
    #[must_use]
    pub const fn can_be_followed(&self) -> bool {
        self.unit.is_some() || self.leader.is_some()
    }
}
