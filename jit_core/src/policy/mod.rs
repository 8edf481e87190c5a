//! Policy: what may be asked for, by whom, and who says yes (DESIGN §5, jit-policy(5)).
//!
//! A [`Policy`] is made of the bytes of its files and of nothing else, so the same files mean the same on every
//! host. Whatever depends on a host (is there such a group, does the PAM file name the module) is not known
//! here. There is no order among rules: files and tables may be shuffled and the meaning stays, and what no
//! rule allows is denied.
//!
//! The walk: [`SourceFile`] → `source` (is it text?) → `parse` (one function for each kind of table, by way of
//! `walk`, which knows places, and `shape`, which knows keys) → `lint` (do the rules work together?). Each step
//! adds its [`Finding`]s to one list.

mod code;
mod finding;
mod host;
mod lint;
mod parse;
mod shape;
mod source;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::words::{GroupName, HostName, RoleName, ServiceName, Uid, UserName};
use serde::{Deserialize, Serialize};

use crate::digest::{Canonical, Digest};

pub use finding::{Finding, Severity};
pub use host::{BadGlob, HostGlob};

/// One policy file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its name without the folder, as `10-site.toml`.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A policy that may come into force, and what a careful reader would say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// Warnings only, by file and place.
    pub warnings: Vec<Finding>,
}

/// All rules of a set of policy files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// In name order.
    files: Vec<SourceFile>,
    digest: Digest,
    rules: Rules,
}

/// What the files mean, whatever they look like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rules {
    roles: BTreeMap<RoleName, Role>,
    exempt: BTreeSet<Exempt>,
    admins: Who,
    auditors: Who,
}

/// One `[[exempt]]`: these people are not jitd's to decide on at these services.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Exempt {
    who: Who,
    services: BTreeSet<ServiceName>,
}

impl Policy {
    /// Reads a set of files. Pure: only facts of the files count. The files may come in any order; they are
    /// read in name order. On failure the findings hold at least one error; warnings may be among them. Either
    /// way they are sorted by file and place.
    pub fn parse(files: &[SourceFile]) -> Result<Loaded, Vec<Finding>> {
        let mut files = files.to_vec();
        files.sort_by(|a, b| (&a.name, &a.bytes).cmp(&(&b.name, &b.bytes)));
        let (rules, warnings) = parse::rules(&files)?;
        let mut bytes = Canonical::default();
        for file in &files {
            bytes.part(file.name.as_bytes());
            bytes.part(&file.bytes);
        }
        let digest = bytes.digest();
        Ok(Loaded { policy: Self { files, digest, rules }, warnings })
    }

    /// SHA-256 over name and bytes of every file in name order, each part behind its length (eight bytes,
    /// big-endian).
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The files, in name order.
    #[must_use]
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The role of this name, on whatever hosts.
    #[must_use]
    pub fn role(&self, name: &RoleName) -> Option<&Role> {
        self.rules.roles.get(name)
    }

    /// All roles, in name order.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.rules.roles.values()
    }

    /// Whether some `[[exempt]]` makes this subject unmanaged at this service.
    #[must_use]
    pub fn exempt(&self, subject: &Subject, service: &ServiceName) -> bool {
        self.rules.exempt.iter().any(|rule| rule.services.contains(service) && rule.who.contains(subject))
    }

    /// Whether the subject may lock, revoke and accept the clock.
    #[must_use]
    pub fn is_admin(&self, subject: &Subject) -> bool {
        self.rules.admins.contains(subject)
    }

    /// Whom the policy names as admins.
    #[must_use]
    pub const fn admins(&self) -> &Who {
        &self.rules.admins
    }

    /// Whether the subject may read everything. Being an admin does not count.
    #[must_use]
    pub fn is_auditor(&self, subject: &Subject) -> bool {
        self.rules.auditors.contains(subject)
    }

    /// Whether some role, on this host or another, names the service.
    #[must_use]
    pub fn names_service(&self, service: &ServiceName) -> bool {
        self.roles().any(|role| role.services.contains(service))
    }

    /// Every group that the policy names, once, in name order.
    pub fn groups(&self) -> impl Iterator<Item = &GroupName> {
        let rules = &self.rules;
        let of_roles = rules.roles.values().flat_map(Role::people);
        let of_others = rules.exempt.iter().map(|rule| &rule.who).chain([&rules.admins, &rules.auditors]);
        let groups: BTreeSet<_> = of_roles.chain(of_others).flat_map(|who| &who.groups).collect();
        groups.into_iter()
    }
}

/// The person being checked, as jitd's name service answered (DESIGN §1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The account name.
    pub name: UserName,
    /// Its uid.
    pub uid: Uid,
    /// The names of all its groups, the primary one included.
    pub groups: BTreeSet<GroupName>,
}

/// What may be asked for: hosts × services × who is eligible, the limits, and who approves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name, unique in the policy.
    pub name: RoleName,
    /// What it is for, in one line.
    pub summary: Option<String>,
    /// The hosts it exists on; at least one. Sorted.
    pub hosts: Vec<HostGlob>,
    /// The PAM services it opens; at least one. `sudo` and `su` are already spelled out.
    pub services: BTreeSet<ServiceName>,
    /// Who may ask; never empty.
    pub eligible: Who,
    /// The longest window.
    pub max_duration: Duration,
    /// The window of a request that names none; at most `max_duration`.
    pub default_duration: Duration,
    /// How many logins one grant is good for.
    pub uses: Uses,
    /// The levels of approval, in order; at least one.
    pub stages: Vec<Stage>,
}

impl Role {
    /// Whether the role exists on this host.
    #[must_use]
    pub fn on_host(&self, host: &HostName) -> bool {
        self.hosts.iter().any(|glob| glob.matches(host))
    }

    /// A digest of what the role means: its name and every term that can change who gets in, where, for how
    /// long or on whose word. How the file is laid out, comments, the order of lists and what is only read by
    /// people (the summary, the names of stages) do not change it.
    #[must_use]
    pub fn terms_digest(&self) -> Digest {
        let mut bytes = Canonical::default();
        bytes.part(b"jitd.role.v1");
        bytes.part(self.name.as_str().as_bytes());
        bytes.list(self.hosts.iter().map(HostGlob::as_str));
        bytes.list(self.services.iter().map(ServiceName::as_str));
        self.eligible.write_to(&mut bytes);
        bytes.part(&self.max_duration.as_secs().to_be_bytes());
        bytes.part(&self.default_duration.as_secs().to_be_bytes());
        bytes.part(self.uses.to_string().as_bytes());
        bytes.part(&(self.stages.len() as u64).to_be_bytes());
        for stage in &self.stages {
            stage.approvers.write_to(&mut bytes);
            bytes.part(&stage.approvals.get().to_be_bytes());
        }
        bytes.digest()
    }

    fn people(&self) -> impl Iterator<Item = &Who> {
        self.stages.iter().map(|stage| &stage.approvers).chain([&self.eligible])
    }
}

/// One level of approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What people call it, as "team lead".
    pub name: String,
    /// Who may review; never empty.
    pub approvers: Who,
    /// How many distinct people must approve.
    pub approvals: NonZeroU32,
}

/// A set of people: these accounts, and whoever is in one of these groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    /// Accounts by name.
    pub users: BTreeSet<UserName>,
    /// Groups by name.
    pub groups: BTreeSet<GroupName>,
}

impl Who {
    /// Whether the subject is one of them, by its own name or by a group.
    #[must_use]
    pub fn contains(&self, subject: &Subject) -> bool {
        self.users.contains(&subject.name) || !self.groups.is_disjoint(&subject.groups)
    }

    /// Whether it names nobody at all. A group counts even if it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    fn extend(&mut self, other: Self) {
        self.users.extend(other.users);
        self.groups.extend(other.groups);
    }

    fn write_to(&self, bytes: &mut Canonical) {
        bytes.list(self.users.iter().map(UserName::as_str));
        bytes.list(self.groups.iter().map(GroupName::as_str));
    }
}

/// Users, then groups behind an `@`: `ana, tom, @dba`. `nobody` if there are none.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.pad("nobody");
        }
        let users = self.users.iter().map(ToString::to_string);
        let groups = self.groups.iter().map(|group| format!("@{group}"));
        f.pad(&users.chain(groups).collect::<Vec<_>>().join(", "))
    }
}

/// How many logins one grant is good for. The lesser is the stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Uses {
    /// So many; 1 is single use.
    Times(NonZeroU32),
    /// As many as fit in the window.
    Unlimited,
}

impl Uses {
    /// The one of the two that allows less.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        self.min(other)
    }
}

/// `unlimited` or the number, as policy writes it.
impl fmt::Display for Uses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(n) => n.fmt(f),
            Self::Unlimited => f.pad("unlimited"),
        }
    }
}
