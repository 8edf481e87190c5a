//! Whether those who may ask for a role that asks the leads of their teams find any.

use std::collections::{BTreeMap, BTreeSet};

use super::{Crowd, Judge, Led};
use crate::code;
use crate::finding::{Log, Spot};
use crate::lint::names;
use crate::role::Role;

impl Judge<'_> {
    /// Whom the teams mean here.
    pub(super) fn teams(&self) -> Led {
        let mut led = Led { members: BTreeMap::new(), more: false };
        for (_, team) in self.rules.teams.iter() {
            let (members, leads) = (self.crowd(&team.members, false), self.crowd(&team.leads, true));
            led.more |= members.more.is_some();
            for account in members.accounts {
                let human = self.rules.people.human(&account);
                let has_other =
                    leads.more.is_some() || leads.humans.len() > usize::from(leads.humans.contains(&human));
                *led.members.entry(account).or_default() |= has_other;
            }
        }
        led
    }
}

impl Led {
    /// Who may ask for a role and is in no team, or in none that somebody else leads. Where not all members are listed, nobody is
    /// said to be in none.
    pub(super) fn role(&self, role: &Role, eligible: &Crowd, spot: &Spot, log: &mut Log<'_>) {
        // Where others are asked beside leads, nobody is lost.
        let mut sets =
            role.stages.iter().flat_map(|stage| stage.approvers.sets().map(move |set| (stage, set)));
        let needs = sets.any(|(stage, set)| {
            set.asks_leads() && set.users.is_empty() && set.groups.is_empty() && !stage.is_taken_over()
        });
        if !needs || role.emergency || self.more {
            return;
        }
        let of = |wanted: Option<bool>| {
            let these =
                eligible.accounts.iter().filter(move |account| self.members.get(*account).copied() == wanted);
            these.collect::<BTreeSet<_>>()
        };
        for (who, why) in [(of(None), "in no team"), (of(Some(false)), "in no team that somebody else leads")]
        {
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
