//! The policies of a log, read again from their exact text: who needs no window, and who may ask.

use std::collections::{BTreeMap, BTreeSet};

use jit_core::digest::Digest;
use jit_core::event::PolicyText;
use jit_core::model::{Entitled, PamFileSeen};
use jit_core::policy::{Host, HostPattern, Observed, Policy, Role, SourceFile, Ways, Who};
use jit_core::time::Utc;
use jit_proto::words::{RoleName, ServiceName, UserName};
use serde::Serialize;

use crate::rows::Access;

/// Who needs no window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The policy that says so.
    pub policy: Digest,
    /// Everybody whom an `[[exempt]]` leaves alone.
    pub exempt: Vec<Exemption>,
    /// Services at which jitd only watches; `*` is all of them.
    pub observed: Vec<String>,
    /// Who may lock, revoke and accept the clock. Groups begin with `@`, here and below.
    pub admins: Vec<String>,
    /// Who may read everything.
    pub auditors: Vec<String>,
    /// Whom PAM files name in `recovery=`, by the last look at them that is on record.
    pub recovery: Vec<Recovers>,
}

/// An account that is let in while jitd does not answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recovers {
    /// The account that is let in.
    pub account: UserName,
    /// The services whose PAM files say so.
    pub services: Vec<String>,
}

/// By account, where its PAM files name it.
pub(crate) fn recovering(files: &[PamFileSeen]) -> Vec<Recovers> {
    let mut services: BTreeMap<&UserName, Vec<String>> = BTreeMap::new();
    for file in files {
        for account in &file.recovery {
            services.entry(account).or_default().push(file.name.clone());
        }
    }
    services.into_iter().map(|(account, services)| Recovers { account: account.clone(), services }).collect()
}

/// One `[[exempt]]` of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exemption {
    /// Whom it leaves alone.
    pub who: Vec<String>,
    /// At which services.
    pub services: Vec<String>,
    /// From which addresses; anywhere if there are none.
    pub from: Vec<String>,
}

/// Somebody who may ask for a role and did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NeverAsked {
    /// The role that they may ask for.
    pub role: RoleName,
    /// The account, or the person as `person:NAME`, as the role names them.
    pub who: Entitled,
    /// Since when the role has named them, as far as the log goes back.
    pub since: Utc,
}

/// The policy in force, and since when roles name people.
#[derive(Debug, Default)]
pub(crate) struct PolicyFold {
    digest: Option<Digest>,
    files: Vec<SourceFile>,
    eligible: BTreeMap<(RoleName, Entitled), Utc>,
}

impl PolicyFold {
    pub(crate) const fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// A policy comes into force.
    pub(crate) fn load(&mut self, digest: Digest, files: Vec<PolicyText>, at: Utc) {
        let source = |file: PolicyText| SourceFile { name: file.name, bytes: file.text.into_bytes() };
        self.digest = Some(digest);
        self.files = files.into_iter().map(source).collect();
        let named: BTreeSet<_> = self.parse().map(|policy| named(&policy).collect()).unwrap_or_default();
        self.eligible.retain(|key, _| named.contains(key));
        for key in named {
            self.eligible.entry(key).or_insert(at);
        }
    }

    /// The policy in force. None where there is none on record, or one that is not understood here.
    pub(crate) fn parse(&self) -> Option<Policy> {
        self.digest?;
        Policy::parse(&self.files).ok().map(|loaded| loaded.policy)
    }

    /// Whether the policy in force is on record and is not understood here.
    pub(crate) fn is_unread(&self) -> bool {
        self.digest.is_some() && self.parse().is_none()
    }

    /// Who may ask and did not, by the accesses of the period. People count under whatever account.
    pub(crate) fn never_asked(
        &self,
        policy: &Policy,
        host: Option<&str>,
        asked: &[&Access],
    ) -> Vec<NeverAsked> {
        let asked: BTreeSet<_> = asked.iter().map(|row| (&row.role, row.person.as_str())).collect();
        let never = |((role, who), since): (&(RoleName, Entitled), &Utc)| {
            let is_here = policy.role(role).is_some_and(|role| may_be_here(role, host));
            let human = match who {
                Entitled::User(account) => person(policy, account),
                Entitled::Person(person) => person.to_string(),
                // Who is in one, no log says.
                Entitled::Group(_) => return None,
            };
            let never = !asked.contains(&(role, human.as_str()));
            (is_here && never).then(|| NeverAsked { role: role.clone(), who: who.clone(), since: *since })
        };
        self.eligible.iter().filter_map(never).collect()
    }
}

fn named(policy: &Policy) -> impl Iterator<Item = (RoleName, Entitled)> {
    policy.roles().flat_map(|role| {
        let users = role.eligible.users.iter().cloned().map(Entitled::User);
        let people = role.eligible.people.keys().cloned().map(Entitled::Person);
        users.chain(people).map(|who| (role.name.clone(), who))
    })
}

/// Whether a role is for this host, as far as its name tells. Which groups a host is in, no log says.
fn may_be_here(role: &Role, host: Option<&str>) -> bool {
    let Some(name) = host.and_then(|host| host.parse().ok()) else { return true };
    let host = Host { name, groups: BTreeSet::new(), ways: Ways::default() };
    role.hosts.iter().any(|pattern| matches!(pattern, HostPattern::Group(_)) || pattern.matches(&host))
        && !role.hosts_except.iter().any(|pattern| pattern.matches(&host))
}

/// The human behind an account, in a word; the account where policy names none.
pub(crate) fn person(policy: &Policy, account: &UserName) -> String {
    policy.people().of_account(account).map_or_else(|| account.to_string(), ToString::to_string)
}

/// The groups that may ask for roles of this host.
pub(crate) fn groups(policy: &Policy, host: Option<&str>) -> Vec<(RoleName, String)> {
    let roles = policy.roles().filter(|role| may_be_here(role, host));
    roles
        .flat_map(|role| role.eligible.groups.iter().map(|group| (role.name.clone(), format!("@{group}"))))
        .collect()
}

pub(crate) fn standing(policy: &Policy, recovery: &[Recovers]) -> Standing {
    let exempt = policy.exemptions().map(|rule| Exemption {
        who: words(&rule.who),
        services: rule.services.iter().map(ServiceName::to_string).collect(),
        from: rule.from.iter().map(ToString::to_string).collect(),
    });
    Standing {
        policy: policy.digest(),
        exempt: exempt.collect(),
        observed: match policy.observed() {
            Observed::Nothing => Vec::new(),
            Observed::At(services) => services.iter().map(ToString::to_string).collect(),
            Observed::Everything => vec!["*".to_owned()],
        },
        admins: words(policy.admins()),
        auditors: words(policy.auditors()),
        recovery: recovery.to_vec(),
    }
}

fn words(who: &Who) -> Vec<String> {
    // Name by name it would look like all of them.
    if who.is_narrowed() {
        return vec![who.to_string()];
    }
    let groups = who.groups.iter().map(|group| format!("@{group}"));
    who.users.iter().map(ToString::to_string).chain(groups).collect()
}
