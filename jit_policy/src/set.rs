//! A policy with the indexes that decisions and orders look things up by.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jit_proto::words::{GroupName, RoleName, ServiceName, UserName};

use super::asker::Asker;
use super::finding::Finding;
use super::parse;
use super::people::{People, PersonName, Subject};
use super::retain::Retain;
use super::role::Role;
use super::rules::{ChangeRule, Ends, Exempt, Observed, Rules};
use super::source::SourceFile;
use super::team::Teams;
use super::who::Who;
use crate::digest::{Canonical, Digest};

/// A policy that may come into force, and what a careful reader would say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The policy that the files make.
    pub policy: Policy,
    /// Warnings only, by file and place.
    pub warnings: Vec<Finding>,
}

/// All rules of a set of policy files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// In name order.
    pub(super) files: Vec<SourceFile>,
    digest: Digest,
    pub(super) rules: Rules,
    /// The roles that name a service of each family, in name order: a check looks at no others.
    by_family: BTreeMap<String, Vec<RoleName>>,
    /// What each role's terms come to: looked at for every request that waits.
    terms: BTreeMap<RoleName, Digest>,
    /// The roles that name each account or group as eligible, in name order: a refusal looks at no others.
    by_user: BTreeMap<UserName, Vec<RoleName>>,
    by_group: BTreeMap<GroupName, Vec<RoleName>>,
    by_person: BTreeMap<PersonName, Vec<RoleName>>,
}

impl Policy {
    /// Reads a set of files. Pure: only facts of the files count. The files may come in any order; they are
    /// read in name order. On failure the findings hold at least one error; warnings may be among them. Either
    /// way they are sorted by file and place.
    ///
    /// # Examples
    ///
    /// ```
    /// use jit_policy::{Policy, SourceFile};
    ///
    /// let read = |text: &str| Policy::parse(&[SourceFile { name: "10.toml".to_owned(), bytes: text.into() }]);
    /// let text = r#"
    /// version = 1
    /// [admins]
    /// users = ["root"]
    /// [[exempt]]
    /// users = ["root"]
    /// services = ["login"]
    /// [role.shell]
    /// hosts = ["*"]
    /// services = ["sshd"]
    /// eligible = { users = ["maria"] }
    /// max-duration = "4h"
    /// [[role.shell.stage]]
    /// name = "lead"
    /// approvers = { users = ["olga"] }
    /// "#;
    /// let loaded = read(text).expect("it has no errors");
    /// assert_eq!(loaded.policy.roles().count(), 1);
    ///
    /// let findings = read(&text.replace("max-duration", "max-durations")).unwrap_err();
    /// assert!(findings[0].render().contains("max-durations"), "what is not known is an error");
    /// ```
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
        let by_family =
            index(&rules, |role| role.services.iter().map(|name| name.family().to_owned()).collect());
        let by_user = index(&rules, |role| {
            role.eligible.users.iter().chain(role.eligible.people.values().flatten()).cloned().collect()
        });
        let by_person = index(&rules, |role| role.eligible.people.keys().cloned().collect());
        let by_group = index(&rules, |role| role.eligible.groups.clone());
        let of_teams = rules.teams.digest();
        let terms = rules.roles.values().map(|role| (role.name.clone(), terms(role, of_teams))).collect();
        Ok(Loaded {
            policy: Self { files, digest, rules, by_family, terms, by_user, by_group, by_person },
            warnings,
        })
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
    pub fn roles_for<'p>(&'p self, service: &'p ServiceName) -> impl Iterator<Item = &'p Role> {
        let of_family = self.by_family.get(service.family()).into_iter().flatten();
        let roles = of_family.filter_map(|name| self.role(name));
        roles.filter(|role| role.services.contains(service))
    }

    /// The roles that name this service and are for this subject, on this host or another. They come in no order,
    /// and one may come more than once. Only the roles of the service or those of the subject are looked at,
    /// whichever are fewer: what a refusal costs must not grow with what a policy says of others.
    pub fn roles_open_to<'p>(
        &'p self,
        subject: &'p Subject,
        service: &'p ServiceName,
    ) -> impl Iterator<Item = &'p Role> {
        let of_user = subject.gains_by().filter_map(|name| self.by_user.get(name));
        let of_person = subject.person.iter().filter_map(|person| self.by_person.get(person));
        let of_groups = subject.groups.iter().filter_map(|group| self.by_group.get(group));
        let mut lists: Vec<&Vec<RoleName>> = of_user.chain(of_person).chain(of_groups).collect();
        let of_service = self.by_family.get(service.family()).into_iter().collect::<Vec<_>>();
        let count = |lists: &[&Vec<RoleName>]| lists.iter().map(|list| list.len()).sum::<usize>();
        if count(&of_service) < count(&lists) {
            lists = of_service;
        }
        let roles = lists.into_iter().flatten().filter_map(|name| self.role(name));
        roles.filter(|role| role.services.contains(service) && role.eligible.contains(subject))
    }

    /// The teams, with those who lead them.
    #[must_use]
    pub const fn teams(&self) -> &Teams {
        &self.rules.teams
    }

    /// Which accounts and keys belong to one human.
    #[must_use]
    pub const fn people(&self) -> &People {
        &self.rules.people
    }

    /// The rules of every `[[exempt]]` table.
    pub fn exemptions(&self) -> impl Iterator<Item = &Exempt> {
        self.rules.exempt.iter()
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

    /// Whether some `[[exempt]]` makes this subject unmanaged at this service, coming from somewhere.
    #[must_use]
    pub fn exempt_at(&self, subject: &Subject, service: &ServiceName) -> bool {
        self.rules.exempt.iter().any(|rule| rule.who.contains(subject) && rule.services.contains(service))
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

    /// Where jitd decides and records, and stands aside whatever it decided.
    #[must_use]
    pub const fn observed(&self) -> &Observed {
        &self.rules.observed
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

    /// Whom the policy names as auditors.
    #[must_use]
    pub const fn auditors(&self) -> &Who {
        &self.rules.auditors
    }

    /// What a change of the policy takes, if that is more than an admin's word.
    #[must_use]
    pub const fn change(&self) -> Option<&ChangeRule> {
        self.rules.change.as_ref()
    }

    /// The accounts that may ask about others, and where.
    pub fn askers(&self) -> impl Iterator<Item = &Asker> {
        self.rules.askers.iter()
    }

    /// The accounts that may ask about others at this service, in name order.
    pub fn askers_at(&self, service: &ServiceName) -> impl Iterator<Item = &UserName> {
        let askers = self.askers().filter(|asker| asker.services().contains(service));
        askers.map(Asker::account).collect::<BTreeSet<_>>().into_iter()
    }

    /// What is ended where a program at this service opens no session for whoever it lets in, if that is said.
    #[must_use]
    pub fn ends(&self, service: &ServiceName) -> Option<Ends> {
        self.rules.processes.contains(service).then_some(Ends::Process)
    }

    /// Whether logins at any service end with the process that asked.
    #[must_use]
    pub fn ends_any(&self) -> bool {
        !self.rules.processes.is_empty()
    }

    /// How long records stay on a host at least; for ever where that is not said.
    #[must_use]
    pub const fn retain(&self) -> Option<Retain> {
        self.rules.retain
    }

    /// Whether some role, on this host or another, names the service.
    #[must_use]
    pub fn names_service(&self, service: &ServiceName) -> bool {
        self.roles_for(service).next().is_some()
    }

    /// The groups that an answer at this service can depend on: of its exemptions and of those whom its roles are for.
    /// One may come more than once.
    pub fn groups_at<'p>(&'p self, service: &'p ServiceName) -> impl Iterator<Item = &'p GroupName> {
        let exempt = self.rules.exempt.iter().filter(|rule| rule.services.contains(service));
        let exempt = exempt.flat_map(|rule| rule.who.every_group());
        exempt.chain(self.roles_for(service).flat_map(|role| role.eligible.every_group()))
    }

    /// Every group that the policy names, once, in name order.
    pub fn groups(&self) -> impl Iterator<Item = &GroupName> {
        self.everybody().flat_map(Who::every_group).collect::<BTreeSet<_>>().into_iter()
    }

    /// Every account that the policy names as somebody who may do something or who may not, once, in name order.
    pub fn users(&self) -> impl Iterator<Item = &UserName> {
        self.everybody().flat_map(Who::every_user).collect::<BTreeSet<_>>().into_iter()
    }

    /// Every service that a role names, on this host or another, in name order.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.rules.roles.values().flat_map(|role| &role.services).collect::<BTreeSet<_>>().into_iter()
    }

    /// Every service that the policy names, as a role's, an exemption's, an asker's, an observed one or by itself; some more than once.
    pub fn named_services(&self) -> impl Iterator<Item = &ServiceName> {
        let observed = match &self.rules.observed {
            Observed::At(services) => Some(services),
            Observed::Nothing | Observed::Everything => None,
        };
        let of_askers = self.askers().map(Asker::services);
        let of_rules = self.rules.exempt.iter().map(|rule| &rule.services).chain(observed).chain(of_askers);
        let in_roles = self.rules.roles.values().map(|role| &role.services);
        in_roles.chain(of_rules).flatten().chain(&self.rules.processes)
    }

    fn everybody(&self) -> impl Iterator<Item = &Who> {
        let rules = &self.rules;
        let of_others = rules.exempt.iter().map(|rule| &rule.who).chain([&rules.admins, &rules.auditors]);
        let of_changes = rules.change.iter().map(|change| &change.approvers);
        rules
            .roles
            .values()
            .flat_map(Role::people)
            .chain(of_others)
            .chain(of_changes)
            .chain(rules.teams.people())
    }
}

/// What the terms of a role come to. On whose word one opens that asks leads, the teams say with it.
fn terms(role: &Role, teams: Digest) -> Digest {
    if !role.asks_leads() {
        return role.terms_digest();
    }
    let mut bytes = Canonical::default();
    bytes.part(b"jitd.role.v1 with teams");
    bytes.part(&role.terms_digest().0);
    bytes.part(&teams.0);
    bytes.digest()
}

/// The names of the roles that name each word of a kind, in name order.
fn index<W: Ord>(rules: &Rules, words: impl Fn(&Role) -> BTreeSet<W>) -> BTreeMap<W, Vec<RoleName>> {
    let mut index: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for role in rules.roles.values() {
        for word in words(role) {
            index.entry(word).or_default().push(role.name.clone());
        }
    }
    index
}
