//! Teams: who is in each, and who leads it. A stage that asks `leads` asks those of the teams that whoever gets in is in.

use std::collections::{BTreeMap, BTreeSet};

use jit_proto::words::{GroupName, UserName};

use super::people::Subject;
use super::who::{Leads, TeamName, Who};
use crate::digest::Canonical;

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
pub struct Teams(BTreeMap<TeamName, Team>);

impl Teams {
    /// The teams that somebody is in, by what is known of them. To lead one is not to be in it.
    #[must_use]
    pub fn of(&self, subject: &Subject) -> BTreeSet<TeamName> {
        let theirs = self.0.iter().filter(|(_, team)| team.members.contains(subject));
        theirs.map(|(name, _)| name.clone()).collect()
    }

    /// Those who lead one of these teams. One that is no more has none.
    #[must_use]
    pub fn leads(&self, names: &BTreeSet<TeamName>) -> Leads {
        let leads = |name: &TeamName| Some((name.clone(), self.0.get(name)?.leads.clone()));
        Leads::Of(names.iter().filter_map(leads).collect())
    }

    /// The groups on which it depends who is in these teams.
    pub fn groups_of_members<'t>(
        &'t self,
        names: &'t BTreeSet<TeamName>,
    ) -> impl Iterator<Item = &'t GroupName> {
        names.iter().filter_map(|name| self.0.get(name)).flat_map(|team| team.members.every_group())
    }

    /// All of them, in name order.
    pub fn iter(&self) -> impl Iterator<Item = (&TeamName, &Team)> {
        self.0.iter()
    }

    /// The names of all of them.
    #[must_use]
    pub fn names(&self) -> BTreeSet<TeamName> {
        self.0.keys().cloned().collect()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, name: &TeamName) -> Option<&Team> {
        self.0.get(name)
    }

    pub(super) fn add(&mut self, name: TeamName, team: Team) {
        self.0.insert(name, team);
    }

    /// Whom they name, as members and as leads.
    pub(super) fn people(&self) -> impl Iterator<Item = &Who> {
        self.0.values().flat_map(|team| [&team.members, &team.leads])
    }

    pub(super) fn people_mut(&mut self) -> impl Iterator<Item = (&TeamName, &mut Who)> {
        self.0.iter_mut().flat_map(|(name, team)| [(name, &mut team.members), (name, &mut team.leads)])
    }

    pub(super) fn write_to(&self, bytes: &mut Canonical) {
        for (name, team) in &self.0 {
            bytes.part(name.to_string().as_bytes());
            team.members.write_to(bytes);
            team.leads.write_to(bytes);
        }
    }
}

impl Who {
    /// Whether every one of those who are named, whatever groups say, is an account of which this is true. Of a group only the
    /// host knows.
    #[must_use]
    pub fn are_all(&self, is_it: impl Fn(&UserName) -> bool) -> bool {
        let names =
            |who: &Self| who.groups.is_empty() && who.people.is_empty() && who.users.iter().all(&is_it);
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
