//! Teams whose leads nobody would find, or could do without.

use std::collections::{BTreeMap, BTreeSet};

use jit_proto::words::RoleName;

use super::code;
use super::finding::{Log, Spot};
use super::lint::names;
use super::lint_whole::by_name;
use super::people::Human;
use super::role::{Role, Stage, Then};
use super::rules::Rules;
use super::who::{TeamName, Who};

/// Roles that ask leads where there are no teams, and teams whose only lead would have nobody to ask.
pub(super) fn teams(
    rules: &Rules,
    places: &BTreeMap<RoleName, Spot>,
    teams: &BTreeMap<TeamName, Spot>,
    log: &mut Log<'_>,
) {
    let asking: Vec<&Role> = rules.roles.values().filter(|role| role.asks_leads()).collect();
    if rules.teams.is_empty() {
        for role in asking {
            let Some(spot) = places.get(&role.name) else { continue };
            let message = format!("role `{}` asks the leads of teams, and there is no team", role.name);
            let hint = "add [team.NAME] with members = { … } and leads = { … }";
            log.add_with_hint(code::NO_TEAM, spot, message, hint);
        }
        return;
    }
    for (name, team) in rules.teams.iter() {
        let (Some(spot), Some(lead)) = (teams.get(name), only_lead(rules, &team.leads)) else { continue };
        if !members(rules, &team.members).contains(&lead) || has_another_team(rules, name, &lead) {
            continue;
        }
        let without =
            asking.iter().filter(|role| may_ask(rules, role, &lead)).filter(|role| !has_deputies(role));
        let those: BTreeSet<_> = without.map(|role| &role.name).collect();
        if !those.is_empty() {
            let message = format!(
                "{lead} is in team `{name}` and its only lead, and nobody deputises: nobody could approve role {} for them",
                names(&those)
            );
            let hint = "name another lead, or others beside `leads` or in `then` of the stage";
            log.add_with_hint(code::LONE_LEAD, spot, message, hint);
        }
    }
}

/// The one human who leads, where it is one by name.
fn only_lead(rules: &Rules, leads: &Who) -> Option<Human> {
    let humans: BTreeSet<Human> = members(rules, leads);
    humans.first().filter(|_| humans.len() == 1 && leads.groups.is_empty()).cloned()
}

fn members(rules: &Rules, who: &Who) -> BTreeSet<Human> {
    by_name(who).map(|user| rules.people.human(user)).collect()
}

/// Whether a lead finds one of another team that they are in by name.
fn has_another_team(rules: &Rules, but: &TeamName, lead: &Human) -> bool {
    rules.teams.iter().any(|(name, team)| {
        name != but
            && members(rules, &team.members).contains(lead)
            && only_lead(rules, &team.leads).as_ref() != Some(lead)
    })
}

/// Whether somebody may ask for the role, as far as names tell: who is in a group only the host knows.
fn may_ask(rules: &Rules, role: &Role, human: &Human) -> bool {
    !role.eligible.groups.is_empty() || members(rules, &role.eligible).contains(human)
}

/// Whether every stage that asks leads has others who could approve in their place.
fn has_deputies(role: &Role) -> bool {
    let stands_alone = |stage: &Stage, who: &Who| {
        who.asks_leads() && who.users.is_empty() && who.groups.is_empty() && matches!(stage.then, Then::Deny)
    };
    role.stages.iter().all(|stage| !stage.approvers.sets().any(|who| stands_alone(stage, who)))
}
