//! Whether those who may ask for a role that asks the leads of their teams find any.

use std::collections::BTreeSet;

use jit_proto::words::UserName;

use super::{Crowd, Judge};
use crate::code;
use crate::finding::{Log, Spot};
use crate::lint::names;
use crate::people::Human;
use crate::role::Role;

impl Judge<'_> {
    /// Who may ask for a role and is in no team, or in none that somebody else leads. Where not all members are listed, nobody is
    /// said to be in none.
    pub(super) fn leads(&self, role: &Role, eligible: &Crowd, spot: &Spot, log: &mut Log<'_>) {
        // Where others are asked beside leads, nobody is lost.
        let mut sets =
            role.stages.iter().flat_map(|stage| stage.approvers.sets().map(move |set| (stage, set)));
        let needs = sets.any(|(stage, set)| {
            set.asks_leads() && set.users.is_empty() && set.groups.is_empty() && !stage.is_taken_over()
        });
        if !needs || role.emergency {
            return;
        }
        let teams = self
            .rules
            .teams
            .iter()
            .map(|(_, team)| (self.crowd(&team.members, false), self.crowd(&team.leads, true)));
        let teams: Vec<(Crowd, Crowd)> = teams.collect();
        if teams.iter().any(|(members, _)| members.more.is_some()) {
            return;
        }
        let theirs = |account: &UserName| {
            teams
                .iter()
                .filter(|(members, _)| members.accounts.contains(account))
                .map(|(_, leads)| leads)
                .collect::<Vec<_>>()
        };
        let lost = eligible.accounts.iter().filter(|account| theirs(account).is_empty());
        let lost: BTreeSet<&UserName> = lost.collect();
        let is_alone = |account: &&UserName| {
            let (human, leads): (Human, _) = (self.rules.people.human(account), theirs(account));
            let others =
                |leads: &&Crowd| leads.more.is_some() || leads.humans.iter().any(|lead| *lead != human);
            !leads.is_empty() && !leads.iter().any(others)
        };
        let alone: BTreeSet<&UserName> = eligible.accounts.iter().filter(is_alone).collect();
        for (who, why) in [(lost, "in no team"), (alone, "in no team that somebody else leads")] {
            if who.is_empty() {
                continue;
            }
            let message = format!(
                "{} may ask for role `{}`, which asks the leads of their teams, and on this host is {why}: they are refused",
                names(&who),
                role.name
            );
            let hint = "add them to the members of a [team], or let somebody deputise for its lead";
            log.add_with_hint(code::NO_TEAM_HERE, spot, message, hint);
        }
    }
}
