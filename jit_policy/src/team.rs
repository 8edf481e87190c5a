//! Teams: who is in each, and who leads it. A stage that asks `leads` asks those of the teams that whoever gets in is in.

use std::collections::{BTreeMap, BTreeSet};

use jit_proto::words::{GroupName, UserName};

use super::people::Subject;
use super::who::{Leads, TeamName, Who};
use crate::digest::{Canonical, Digest};

/// What one table `[team.NAME]` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    /// Who is in it; never empty.
    pub members: Who,
    /// Who approves for them where a role asks the leads; never empty.
    pub leads: Who,
}

/// All teams of a policy, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Teams {
    all: BTreeMap<TeamName, Team>,
    /// The teams that name each account or group as members: of somebody, no others are looked at.
    by_user: BTreeMap<UserName, BTreeSet<TeamName>>,
    by_group: BTreeMap<GroupName, BTreeSet<TeamName>>,
}

impl Teams {
    /// The teams that somebody is in, by what is known of them. To lead one is not to be in it.
    #[must_use]
    pub fn of(&self, subject: &Subject) -> BTreeSet<TeamName> {
        let by_name = subject.gains_by().filter_map(|name| self.by_user.get(name));
        let by_group = subject.groups.iter().filter_map(|group| self.by_group.get(group));
        let named: BTreeSet<&TeamName> = by_name.chain(by_group).flatten().collect();
        let is_in = |name: &&TeamName| self.all.get(name).is_some_and(|team| team.members.contains(subject));
        named.into_iter().filter(is_in).cloned().collect()
    }

    /// Those who lead one of these teams. One that is no more has none.
    #[must_use]
    pub fn leads(&self, names: &BTreeSet<TeamName>) -> Leads {
        let leads = |name: &TeamName| Some((name.clone(), self.all.get(name)?.leads.clone()));
        Leads::Of(names.iter().filter_map(leads).collect())
    }

    /// The groups on which it depends who is in these teams.
    pub fn groups_of_members<'t>(
        &'t self,
        names: &'t BTreeSet<TeamName>,
    ) -> impl Iterator<Item = &'t GroupName> {
        names.iter().filter_map(|name| self.all.get(name)).flat_map(|team| team.members.every_group())
    }

    /// All of them, in name order.
    pub fn iter(&self) -> impl Iterator<Item = (&TeamName, &Team)> {
        self.all.iter()
    }

    /// The names of all of them.
    #[must_use]
    pub fn names(&self) -> BTreeSet<TeamName> {
        self.all.keys().cloned().collect()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn get(&self, name: &TeamName) -> Option<&Team> {
        self.all.get(name)
    }

    pub(super) fn add(&mut self, name: TeamName, team: Team) {
        for user in &team.members.users {
            self.by_user.entry(user.clone()).or_default().insert(name.clone());
        }
        for group in &team.members.groups {
            self.by_group.entry(group.clone()).or_default().insert(name.clone());
        }
        self.all.insert(name, team);
    }

    /// Whom they name, as members and as leads.
    pub(super) fn people(&self) -> impl Iterator<Item = &Who> {
        self.all.values().flat_map(|team| [&team.members, &team.leads])
    }

    pub(super) fn people_mut(&mut self) -> impl Iterator<Item = (&TeamName, &mut Who)> {
        self.all.iter_mut().flat_map(|(name, team)| [(name, &mut team.members), (name, &mut team.leads)])
    }

    /// A digest of who is in them and leads them.
    pub(super) fn digest(&self) -> Digest {
        let mut bytes = Canonical::default();
        for (name, team) in &self.all {
            bytes.part(name.to_string().as_bytes());
            team.members.write_to(&mut bytes);
            team.leads.write_to(&mut bytes);
        }
        bytes.digest()
    }
}

impl Who {
    /// Whether every one of those who are named, whatever groups say, is an account of which this is true. Of a group only the
    /// host knows.
    #[must_use]
    pub fn are_all(&self, is_it: impl Fn(&UserName) -> bool) -> bool {
        // Whom it excepts itself is none of them.
        let names = |who: &Self| {
            let mut meant = who
                .users
                .iter()
                .filter(|user| !who.except.users.contains(*user) && !self.except.users.contains(*user));
            who.groups.is_empty() && who.people.is_empty() && meant.all(&is_it)
        };
        names(self)
            && match &self.leads {
                Leads::None => true,
                Leads::OfTeams => false,
                Leads::Of(teams) => teams.values().all(names),
            }
    }

    /// The same people without these accounts, by their names.
    #[must_use]
    pub fn without_accounts(&self, is_out: impl Fn(&UserName) -> bool) -> Self {
        let left = |users: &BTreeSet<UserName>| users.iter().filter(|user| !is_out(user)).cloned().collect();
        let leads = match &self.leads {
            Leads::Of(teams) => {
                let team = |(name, who): (&TeamName, &Self)| {
                    (name.clone(), Self { users: left(&who.users), ..who.clone() })
                };
                Leads::Of(teams.iter().map(team).collect())
            }
            Leads::None | Leads::OfTeams => self.leads.clone(),
        };
        Self { users: left(&self.users), leads, ..self.clone() }
    }

    /// The same people, with these in the place of `leads`, where that is asked.
    #[must_use]
    pub fn with_leads(&self, leads: &Leads) -> Self {
        let leads = if self.asks_leads() { leads.clone() } else { Leads::None };
        Self { leads, ..self.clone() }
    }
}
