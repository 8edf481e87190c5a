//! The TOML form of a file of test cases.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jit_proto::text::Shown;
use jit_proto::words::{GroupName, HostName, RoleName, ServiceName, UserName};
use serde::Deserialize;
use toml::Spanned;

use crate::model::{Scope, Why};
use crate::policy::{BAD_CASES, HostGroup, Log, Method, PersonName, Source, Spot};
use crate::services::Services;
use crate::tickets::Line;
use crate::time::Utc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) account: BTreeMap<UserName, Account>,
    /// A file of the register, as /etc/jit/tickets.d has it.
    #[serde(default)]
    pub(super) tickets: BTreeMap<String, Line>,
    #[serde(default)]
    pub(super) case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    #[serde(default)]
    pub(super) groups: BTreeSet<GroupName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) host: HostName,
    #[serde(default)]
    pub(super) host_groups: BTreeSet<HostGroup>,
    pub(super) at: Utc,
    pub(super) story: Vec<Spanned<Step>>,
}

/// What a step came to, as `then` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Waits,
    Opens,
    Scheduled,
    Ends,
    Done,
    Refused,
    Allow,
    Deny,
    Unmanaged,
}

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Opens => "opens",
            Self::Scheduled => "scheduled",
            Self::Ends => "ends",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Unmanaged => "unmanaged",
        }
    }

    /// Whether it answers somebody who logs in, and no order.
    pub(super) const fn is_verdict(self) -> bool {
        matches!(self, Self::Allow | Self::Deny | Self::Unmanaged)
    }
}

/// One step: exactly one of the first twelve, and what belongs to it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Step {
    /// A role, asked for by `by`.
    pub(super) request: Option<RoleName>,
    /// A role, given by the admin `by` to `to`.
    pub(super) grant: Option<RoleName>,
    /// Whose latest request `by` approves.
    pub(super) approve: Option<UserName>,
    /// Whose latest request `by` denies.
    pub(super) deny: Option<UserName>,
    /// Whose latest request `by` takes back.
    pub(super) withdraw: Option<UserName>,
    /// Whose latest window `by` asks to extend.
    pub(super) extend: Option<UserName>,
    /// Whose latest window `by` gives back.
    pub(super) done: Option<UserName>,
    /// What the admin `by` locks.
    pub(super) lock: Option<Scope>,
    /// What the admin `by` unlocks.
    pub(super) unlock: Option<Scope>,
    /// A service that `by` logs in to.
    pub(super) check: Option<ServiceName>,
    /// A group that `by` is in no more.
    pub(super) leaves: Option<GroupName>,
    /// How long nothing happens.
    pub(super) wait: Option<String>,
    pub(super) by: Option<UserName>,
    /// Who that is, or whom `grant` is for, where people share the account.
    pub(super) person: Option<PersonName>,
    pub(super) to: Option<UserName>,
    #[serde(rename = "for")]
    pub(super) duration: Option<String>,
    pub(super) reason: Option<String>,
    /// When a window asked for is to start.
    pub(super) start: Option<Utc>,
    /// The services that an approval leaves.
    pub(super) services: Option<Services>,
    pub(super) method: Option<Method>,
    pub(super) from: Option<IpAddr>,
    pub(super) target: Option<UserName>,
    /// `waits`, `opens`, `scheduled`, `ends`, `done` or `refused` for an order; a verdict for a check.
    pub(super) then: Option<Outcome>,
    /// The reason of a check's answer.
    pub(super) why: Option<Why>,
    /// What the answer must say, among other things.
    pub(super) says: Option<String>,
}

/// A file of cases, or why it is none.
pub(super) fn read(index: usize, source: &Source<'_>, log: &mut Log<'_>) -> Option<File> {
    if let Some(flaw) = &source.flaw {
        let spot = Spot { file: index, span: flaw.span.clone() };
        log.add_with_hint(flaw.code, &spot, flaw.message.clone(), flaw.hint);
        return None;
    }
    match toml::from_str(source.text) {
        Ok(file) => Some(file),
        Err(err) => {
            let what = err.message().lines().map(str::trim).collect::<Vec<_>>().join(": ");
            log.add(BAD_CASES, &Spot { file: index, span: err.span() }, Shown(&what).to_string());
            None
        }
    }
}
