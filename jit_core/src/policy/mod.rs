//! Policy: what may be asked for, by whom, and who says yes (DESIGN §5, jit-policy(5)).
//!
//! A [`Policy`] is made of the bytes of its files and of nothing else, so the same files mean the same on every
//! host. Whatever depends on a host (is there such a group, does the PAM file name the module) is not known
//! here. There is no order among rules: files and tables may be shuffled and the meaning stays, and what no
//! rule allows is denied.
//!
//! The walk: [`SourceFile`] → `source` (is it text?) → `parse` and `parse_role` (one function for each kind of
//! table, by way of `walk`, which knows places, and `shape`, which knows keys) → `lint` and `lint_whole` (do
//! the rules work together?). Each step adds its [`Finding`]s to one list. What the rules are: `role`, `people`, `host`, `net`,
//! `hours`, `reason`. Apart from all that, `on_host` judges a policy by what one host says of its names.

pub mod cases;
mod code;
mod diff;
mod difference;
mod finding;
mod host;
mod hours;
mod lint;
mod lint_whole;
mod mentions;
mod net;
mod on_host;
mod parse;
mod parse_role;
mod people;
mod reason;
mod role;
mod shape;
mod source;
mod walk;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jit_proto::words::{GroupName, RoleName, ServiceName, UserName};

use crate::digest::{Canonical, Digest};

pub use diff::{Change, Direction, diff};
pub use difference::Difference;
pub use finding::{FileFault, Finding, Severity};
pub use host::{BadGlob, Host, HostGlob, HostGroup, HostPattern, ShownCommand, Ways};
pub use hours::{BadHours, Clock, Days, Hours, Zone, next_opening, open_for};
pub use net::{BadNetwork, Network};
pub use on_host::{Account, Facts, Group, PamFile};
pub use people::{BadPrincipal, People, PersonName, Principal, Subject, Who};
pub use reason::ReasonRule;
pub use role::{AtEnd, Limits, Outside, Role, Stage, Starts, Then, Uses};

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
    /// The roles that name each service, in name order: a check looks at no others.
    by_service: BTreeMap<ServiceName, Vec<RoleName>>,
    /// What each role's terms come to: looked at for every request that waits.
    terms: BTreeMap<RoleName, Digest>,
    /// The roles that name each account or group as eligible, in name order: a refusal looks at no others.
    by_user: BTreeMap<UserName, Vec<RoleName>>,
    by_group: BTreeMap<GroupName, Vec<RoleName>>,
}

/// What the files mean, whatever they look like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rules {
    people: People,
    roles: BTreeMap<RoleName, Role>,
    exempt: BTreeSet<Exempt>,
    observed: Observed,
    admins: Who,
    auditors: Who,
}

/// One `[[exempt]]`: these people are not jitd's to decide on at these services.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Exempt {
    who: Who,
    services: BTreeSet<ServiceName>,
    /// Anywhere if there are none.
    from: BTreeSet<Network>,
}

impl Exempt {
    fn covers(&self, subject: &Subject, service: &ServiceName, from: Option<IpAddr>) -> bool {
        self.services.contains(service) && role::listed(&self.from, from) && self.who.contains(subject)
    }
}

/// `mode`: where jitd decides and records, and stands aside whatever it decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Observed {
    /// Nowhere.
    #[default]
    Nothing,
    /// At these services.
    At(BTreeSet<ServiceName>),
    /// Everywhere.
    Everything,
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
        let by_service = index(&rules, |role| &role.services);
        let by_user = index(&rules, |role| &role.eligible.users);
        let by_group = index(&rules, |role| &role.eligible.groups);
        let terms = rules.roles.values().map(|role| (role.name.clone(), role.terms_digest())).collect();
        Ok(Loaded { policy: Self { files, digest, rules, by_service, terms, by_user, by_group }, warnings })
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

    /// The digest of the effective terms of a role.
    #[must_use]
    pub fn terms(&self, role: &Role) -> Digest {
        self.terms.get(&role.name).copied().unwrap_or_else(|| role.terms_digest())
    }

    /// All roles, in name order.
    pub fn roles(&self) -> impl Iterator<Item = &Role> {
        self.rules.roles.values()
    }

    /// The roles that name this service, on this host or another, in name order.
    pub fn roles_for(&self, service: &ServiceName) -> impl Iterator<Item = &Role> {
        self.by_service.get(service).into_iter().flatten().filter_map(|name| self.role(name))
    }

    /// The roles that name this service and are for this subject, on this host or another. They come in no order,
    /// and one may come more than once. Only the roles of the service or those of the subject are looked at,
    /// whichever are fewer: what a refusal costs must not grow with what a policy says of others.
    pub fn roles_open_to<'p>(
        &'p self,
        subject: &'p Subject,
        service: &'p ServiceName,
    ) -> impl Iterator<Item = &'p Role> {
        let of_user = self.by_user.get(&subject.name).into_iter();
        let of_groups = subject.groups.iter().filter_map(|group| self.by_group.get(group));
        let mut lists: Vec<&Vec<RoleName>> = of_user.chain(of_groups).collect();
        let of_service = self.by_service.get(service).into_iter().collect::<Vec<_>>();
        let count = |lists: &[&Vec<RoleName>]| lists.iter().map(|list| list.len()).sum::<usize>();
        if count(&of_service) < count(&lists) {
            lists = of_service;
        }
        let roles = lists.into_iter().flatten().filter_map(|name| self.role(name));
        roles.filter(|role| role.services.contains(service) && role.eligible.contains(subject))
    }

    /// Which accounts and keys belong to one human.
    #[must_use]
    pub const fn people(&self) -> &People {
        &self.rules.people
    }

    /// Whether some `[[exempt]]` makes this subject unmanaged at this service, coming from this address.
    #[must_use]
    pub fn exempt(&self, subject: &Subject, service: &ServiceName, from: Option<IpAddr>) -> bool {
        self.rules.exempt.iter().any(|rule| rule.covers(subject, service, from))
    }

    /// Whether some `[[exempt]]` names this subject, wherever and coming from wherever.
    #[must_use]
    pub fn exempt_somewhere(&self, subject: &Subject) -> bool {
        self.rules.exempt.iter().any(|rule| rule.who.contains(subject))
    }

    /// Whether jitd only observes this service.
    #[must_use]
    pub fn observes(&self, service: &ServiceName) -> bool {
        match &self.rules.observed {
            Observed::Nothing => false,
            Observed::At(services) => services.contains(service),
            Observed::Everything => true,
        }
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
        self.by_service.contains_key(service)
    }

    /// Whether an answer at this service can depend on the address that the login session came from.
    #[must_use]
    pub fn asks_where(&self, service: &ServiceName) -> bool {
        let exempt = self.rules.exempt.iter().filter(|rule| rule.services.contains(service));
        self.roles_for(service).any(|role| !role.limits.from.is_empty())
            || exempt.into_iter().any(|rule| !rule.from.is_empty())
    }

    /// Every group that the policy names, once, in name order.
    pub fn groups(&self) -> impl Iterator<Item = &GroupName> {
        self.everybody().flat_map(|who| &who.groups).collect::<BTreeSet<_>>().into_iter()
    }

    /// Every account that the policy names as somebody who may do something, once, in name order.
    pub fn users(&self) -> impl Iterator<Item = &UserName> {
        self.everybody().flat_map(|who| &who.users).collect::<BTreeSet<_>>().into_iter()
    }

    /// Every service that a role names, on this host or another, in name order.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.by_service.keys()
    }

    fn everybody(&self) -> impl Iterator<Item = &Who> {
        let rules = &self.rules;
        let of_others = rules.exempt.iter().map(|rule| &rule.who).chain([&rules.admins, &rules.auditors]);
        rules.roles.values().flat_map(Role::people).chain(of_others)
    }
}

/// The names of the roles that name each word of a kind, in name order.
fn index<W: Clone + Ord>(rules: &Rules, words: impl Fn(&Role) -> &BTreeSet<W>) -> BTreeMap<W, Vec<RoleName>> {
    let mut index: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for role in rules.roles.values() {
        for word in words(role) {
            index.entry(word.clone()).or_default().push(role.name.clone());
        }
    }
    index
}
