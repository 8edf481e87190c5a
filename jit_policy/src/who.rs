//! Sets of people: whom a rule names, and whom of those it does not mean.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jit_proto::words::{BadWord, GroupName, RoleName, UserName};
use serde::{Deserialize, Serialize};

use super::except::Except;
use super::people::{PersonName, Subject};
use crate::digest::Canonical;

/// A set of people: these accounts, whoever is in one of these groups, and these persons; of them those who are in all of
/// some groups, and not who is excepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    /// Accounts by name.
    pub users: BTreeSet<UserName>,
    /// Groups by name.
    pub groups: BTreeSet<GroupName>,
    /// Persons of `[people]`, each with the accounts that are theirs alone.
    pub people: BTreeMap<PersonName, BTreeSet<UserName>>,
    /// Groups that whoever is named has to be in, in every one.
    pub all: BTreeSet<GroupName>,
    /// Who is not meant all the same.
    pub except: Box<Except>,
    /// Whether whoever leads a team is one of them, and which teams that is about.
    pub leads: Leads,
}

/// What `leads` says of a set of people.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leads {
    /// Nothing: no lead is one of them for that.
    #[default]
    None,
    /// The leads of the teams of whoever asks. As long as it is not known who that is, this is nobody.
    OfTeams,
    /// Those who lead these teams.
    Of(BTreeMap<TeamName, Who>),
}

/// What a team is called; written as a role's name is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TeamName(RoleName);

impl FromStr for TeamName {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        text.parse().map(Self)
    }
}

impl TryFrom<String> for TeamName {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<TeamName> for String {
    fn from(name: TeamName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for TeamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Who {
    /// Whether the subject is one of them: by one of the names that it gains by, by a group, or as the person that comes by
    /// it; and in all groups that it has to be in, and not excepted.
    #[must_use]
    pub fn contains(&self, subject: &Subject) -> bool {
        let is_named = subject.gains_by().any(|name| self.names(name))
            || !self.groups.is_disjoint(&subject.groups)
            || subject.person.as_ref().is_some_and(|person| self.people.contains_key(person))
            || self.of_teams().any(|leads| leads.contains(subject));
        is_named && self.all.is_subset(&subject.groups) && !self.except.covers(subject)
    }

    /// Every group on which it depends whether somebody is one of them.
    pub fn every_group(&self) -> impl Iterator<Item = &GroupName> {
        self.of_teams().flat_map(Self::own_groups).chain(self.own_groups())
    }

    fn own_groups(&self) -> impl Iterator<Item = &GroupName> {
        self.groups.iter().chain(&self.all).chain(&self.except.groups)
    }

    /// Those who lead the teams that it is about, team by team.
    fn of_teams(&self) -> impl Iterator<Item = &Self> {
        let teams = match &self.leads {
            Leads::Of(teams) => Some(teams),
            Leads::None | Leads::OfTeams => None,
        };
        teams.into_iter().flat_map(BTreeMap::values)
    }

    /// Whether leads of teams are some of them.
    #[must_use]
    pub fn asks_leads(&self) -> bool {
        self.leads != Leads::None
    }

    /// Whether all of them are named by their accounts, so that no host has to say who they are.
    #[must_use]
    pub fn is_by_name(&self) -> bool {
        self.groups.is_empty() && !self.asks_leads()
    }

    /// Whether there is nobody, be it that leads were asked and there is no team.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        self.is_empty()
            || (self.of_teams().next().is_none() && Self { leads: Leads::None, ..self.clone() }.is_empty())
    }

    /// Every account that is named, be it as one of them or as none.
    pub fn every_user(&self) -> impl Iterator<Item = &UserName> {
        self.users.iter().chain(&self.except.users)
    }

    /// Whether those who are named are meant whatever groups they are in.
    #[must_use]
    pub fn is_sure_of_names(&self) -> bool {
        self.all.is_empty() && self.except.groups.is_empty()
    }

    /// Whether some are not meant though they are named.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        !self.all.is_empty() || !self.except.is_empty()
    }

    /// Whether it names this account, by itself or as one that is a person's alone.
    fn names(&self, account: &UserName) -> bool {
        self.users.contains(account) || self.people.values().any(|own| own.contains(account))
    }

    /// Whether it names nobody at all. A group counts even if it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty() && self.people.is_empty() && !self.asks_leads()
    }

    /// Whether every name of the other is one of these, and nobody less is meant by it. Who is in a group is not asked.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        self.users.is_superset(&other.users)
            && self.groups.is_superset(&other.groups)
            && other.people.keys().all(|person| self.people.contains_key(person))
            && self.all.is_subset(&other.all)
            && other.except.includes(&self.except)
            && (self.asks_leads() || !other.asks_leads())
    }

    /// What this names and the other does not. Who is left out of it is as here.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let is_new = |(person, _): &(&PersonName, &BTreeSet<UserName>)| !other.people.contains_key(*person);
        let people = self.people.iter().filter(is_new).map(|(person, own)| (person.clone(), own.clone()));
        Self {
            users: &self.users - &other.users,
            groups: &self.groups - &other.groups,
            people: people.collect(),
            all: self.all.clone(),
            except: self.except.clone(),
            leads: if other.asks_leads() { Leads::None } else { self.leads.clone() },
        }
    }

    /// Adds those of another table of the same kind. Where one leaves people out there is no other: that is an error.
    pub(super) fn extend(&mut self, other: Self) {
        self.users.extend(other.users);
        self.groups.extend(other.groups);
        self.people.extend(other.people);
        self.all.extend(other.all);
        if self.except.is_empty() {
            self.except = other.except;
        }
    }

    pub(super) fn write_to(&self, bytes: &mut Canonical) {
        bytes.list(self.users.iter().map(UserName::as_str));
        bytes.list(self.groups.iter().map(GroupName::as_str));
        // Where none are named, as in every policy of before there were any, the digest is what it was.
        if !self.people.is_empty() {
            bytes.part(b"people");
            bytes.list(self.people.keys().map(|person| person.as_account().as_str()));
        }
        if !self.all.is_empty() {
            bytes.part(b"all");
            bytes.list(self.all.iter().map(GroupName::as_str));
        }
        if !self.except.is_empty() {
            bytes.part(b"except");
            self.except.write_to(bytes);
        }
        if self.asks_leads() {
            bytes.part(b"leads");
        }
    }
}

/// Users, persons, then groups behind an `@`: `ana, person kim, @dba`. `nobody` if there are none. Where some of them are not
/// meant, that stands behind: `@dba (in @vetted; not ana, @interns)`.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.pad("nobody");
        }
        let users = self.users.iter().map(ToString::to_string);
        let people = self.people.keys().map(|person| format!("person {person}"));
        let groups = self.groups.iter().map(|group| format!("@{group}"));
        let leads = match &self.leads {
            Leads::None => Vec::new(),
            Leads::OfTeams => vec!["the leads of the team".to_owned()],
            Leads::Of(teams) if teams.is_empty() => vec!["the leads of no team".to_owned()],
            Leads::Of(teams) => {
                teams.iter().map(|(team, who)| format!("the leads of team {team} ({who})")).collect()
            }
        };
        let mut text = users.chain(people).chain(groups).chain(leads).collect::<Vec<_>>().join(", ");
        let all = self.all.iter().map(|group| format!("@{group}")).collect::<Vec<_>>().join(" and ");
        let all = (!all.is_empty()).then(|| format!("in {all}"));
        let except = (!self.except.is_empty()).then(|| format!("not {}", self.except));
        let only = all.into_iter().chain(except).collect::<Vec<_>>().join("; ");
        if !only.is_empty() {
            text += &format!(" ({only})");
        }
        f.pad(&text)
    }
}
