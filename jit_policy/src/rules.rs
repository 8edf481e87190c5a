//! The rules of a policy as data, independent of how the files are written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use jit_proto::words::{RoleName, ServiceName};
use serde::{Deserialize, Serialize};

use super::asker::Asker;
use super::net::Network;
use super::people::{People, PersonName, Subject};
use super::retain::Retain;
use super::role::{self, Role};
use super::team::Teams;
use super::who::Who;
use crate::services::Services;

/// What the files mean, whatever they look like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) people: People,
    pub(super) roles: BTreeMap<RoleName, Role>,
    pub(super) exempt: BTreeSet<Exempt>,
    pub(super) observed: Observed,
    pub(super) admins: Who,
    pub(super) auditors: Who,
    pub(super) change: Option<ChangeRule>,
    pub(super) askers: BTreeSet<Asker>,
    /// The services at which the process that asked ends with the window.
    pub(super) processes: BTreeSet<ServiceName>,
    pub(super) retain: Option<Retain>,
    pub(super) teams: Teams,
}

impl Rules {
    /// Learns who those are whom rules except. Answers each person whom nobody has defined, and whose rule names them.
    pub(super) fn resolve_exceptions(
        &mut self,
        is_known: impl Fn(&PersonName) -> bool,
    ) -> Vec<(String, PersonName)> {
        let Self { people, roles, exempt, admins, auditors, change, teams, .. } = self;
        let mut unknown = Vec::new();
        let mut resolve = |whose: &dyn Fn() -> String, who: &mut Who| {
            let missing = who.except.resolve(people, &is_known);
            unknown.extend(missing.into_iter().map(|person| (whose(), person)));
        };
        for role in roles.values_mut() {
            let name = role.name.clone();
            role.people_mut().for_each(|who| resolve(&|| format!("role {name}"), who));
        }
        *exempt = std::mem::take(exempt)
            .into_iter()
            .map(|mut rule| {
                resolve(&|| "an exemption".to_owned(), &mut rule.who);
                rule
            })
            .collect();
        for (name, who) in teams.people_mut() {
            resolve(&|| format!("team {name}"), who);
        }
        resolve(&|| "`[admins]`".to_owned(), admins);
        resolve(&|| "`[auditors]`".to_owned(), auditors);
        if let Some(change) = change {
            resolve(&|| "`[policy-change]`".to_owned(), &mut change.approvers);
        }
        unknown
    }
}

/// One `[[exempt]]`: these people are not jitd's to decide on at these services.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exempt {
    /// Whom it leaves alone.
    pub who: Who,
    /// At which services.
    pub services: Services,
    /// From which addresses; anywhere if there are none.
    pub from: BTreeSet<Network>,
}

impl Exempt {
    /// Whether it is about this subject at this service, coming from there.
    #[must_use]
    pub fn covers(&self, subject: &Subject, service: &ServiceName, from: Option<IpAddr>) -> bool {
        self.services.contains(service) && role::listed(&self.from, from) && self.who.contains(subject)
    }
}

/// `mode`: where jitd decides and records, and stands aside whatever it decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Observed {
    /// No service is observed.
    #[default]
    Nothing,
    /// At these services.
    At(Services),
    /// Every service is observed.
    Everything,
}

/// `ends` of `[service.NAME]`: what is ended where a program opens no session for whoever it lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// The process that asked, with what it has started.
    Process,
}

impl Ends {
    /// The word in policy and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
        }
    }
}

/// As in "a login there ends with …".
impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("the process that asked"),
        }
    }
}

/// `[policy-change]`: who has to approve another policy before it comes into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeRule {
    /// Who may approve it; never whoever loads it.
    pub approvers: Who,
    /// How many different people have to, from 1 to 8.
    pub approvals: usize,
    /// Whether it takes a reason.
    pub reason: bool,
    /// Whether root at the console may do without them, loudly.
    pub overrides: bool,
    /// Whether they have to sign it elsewhere.
    pub signed_only: bool,
}
