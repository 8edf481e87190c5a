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
    let lacking: Vec<&Role> = asking.into_iter().filter(|role| !has_deputies(role)).collect();
    let by_group = lacking.iter().filter(|role| !role.eligible.groups.is_empty()).map(|role| &role.name);
    // Of more than a message names no more is said.
    let by_group: BTreeSet<&RoleName> = by_group.take(MOST).collect();
    let mut by_name: BTreeMap<Human, BTreeSet<&RoleName>> = BTreeMap::new();
    for role in &lacking {
        for human in members(rules, &role.eligible) {
            by_name.entry(human).or_default().insert(&role.name);
        }
    }
    // Whoever is in a team that somebody else leads too.
    let only_leads: BTreeMap<&TeamName, Human> =
        rules.teams.iter().filter_map(|(name, team)| Some((name, only_lead(rules, &team.leads)?))).collect();
    let by_others = rules.teams.iter().flat_map(|(name, team)| {
        let lead = only_leads.get(name);
        members(rules, &team.members).into_iter().filter(move |human| lead != Some(human))
    });
    let by_others: BTreeSet<Human> = by_others.collect();
    for (name, team) in rules.teams.iter() {
        let (Some(spot), Some(lead)) = (teams.get(name), only_leads.get(name)) else { continue };
        if by_others.contains(lead) || !members(rules, &team.members).contains(lead) {
            continue;
        }
        let those: BTreeSet<_> =
            by_name.get(lead).into_iter().flatten().copied().chain(by_group.iter().copied()).collect();
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

const MOST: usize = 20;

/// The one human who leads, where it is one by name.
fn only_lead(rules: &Rules, leads: &Who) -> Option<Human> {
    let humans: BTreeSet<Human> = members(rules, leads);
    humans.first().filter(|_| humans.len() == 1 && leads.groups.is_empty()).cloned()
}

fn members(rules: &Rules, who: &Who) -> BTreeSet<Human> {
    by_name(who).map(|user| rules.people.human(user)).collect()
}

/// Whether every stage that asks leads has others who could approve in their place.
fn has_deputies(role: &Role) -> bool {
    let stands_alone = |stage: &Stage, who: &Who| {
        who.asks_leads() && who.users.is_empty() && who.groups.is_empty() && matches!(stage.then, Then::Deny)
    };
    role.stages.iter().all(|stage| !stage.approvers.sets().any(|who| stands_alone(stage, who)))
}
