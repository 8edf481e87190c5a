//! The leads of teams as approvers. Which teams whoever gets in is in is read when they ask and stands with the request; at each
//! review it is read again. A lead counts who leads one of the teams that they were in then and are in now: who changes teams
//! while a request waits has the leads of neither.

use std::collections::BTreeSet;

use jit_proto::words::RequestId;

use crate::context::Context;
use crate::model::{Person, Request};
use crate::orders::NotNow;
use crate::policy::{Leads, Role, Stage, Subject, TeamName, Who};

/// The teams of whoever asks for a role that asks their leads; of another role they do not matter.
pub(super) fn teams_of(here: Context<'_>, role: &Role, beneficiary: &Subject) -> BTreeSet<TeamName> {
    if role.asks_leads() { here.policy.teams().of(beneficiary) } else { BTreeSet::new() }
}

/// These stages, with the leads of these teams where they ask leads.
pub(crate) fn resolved(here: Context<'_>, stages: &[Stage], teams: &BTreeSet<TeamName>) -> Vec<Stage> {
    let leads = here.policy.teams().leads(teams);
    stages.iter().map(|stage| stage.with_leads(&leads)).collect()
}

/// Whether these stages, of a role that asks leads, find somebody else than the one whom it is for.
pub(crate) fn allow(
    here: Context<'_>,
    role: &Role,
    stages: &[Stage],
    me: &Person,
    teams: &BTreeSet<TeamName>,
) -> Result<(), NotNow> {
    let Some((stage, who)) = without(here, stages, me) else { return Ok(()) };
    let (role, stage, admins) = (role.name.clone(), stage.name.clone(), here.policy.admins().to_string());
    let who_asks = me.to_string();
    if who.is_nobody() {
        return Err(NotNow::NoTeam { role, stage, who: who_asks, admins });
    }
    let teams = teams.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Err(NotNow::LeadsAlone { role, stage, who: who_asks, teams, admins })
}

/// The first stage with a set of whom nobody is left: of no team, or where only the one is named whom it is for and nobody
/// deputises.
pub(super) fn without<'s>(
    here: Context<'_>,
    stages: &'s [Stage],
    me: &Person,
) -> Option<(&'s Stage, &'s Who)> {
    let people = here.policy.people();
    let is_me = |user: &jit_proto::words::UserName| {
        me.names().any(|own| people.same(own, user))
            || (me.person.is_some() && people.of_account(user) == me.person.as_ref())
    };
    let is_empty = |stage: &Stage, who: &Who| {
        let leads = matches!(who.leads, Leads::Of(_));
        leads && (who.is_nobody() || (who.are_all(is_me) && !stage.is_taken_over()))
    };
    stages.iter().find_map(|stage| {
        let who = stage.approvers.sets().find(|who| is_empty(stage, who))?;
        Some((stage, who))
    })
}

/// The teams in which somebody was when they asked and still is; refused where there were some and none is left.
pub(super) fn still(
    here: Context<'_>,
    request: &Request,
    now: Option<&Subject>,
) -> Result<BTreeSet<TeamName>, NotNow> {
    let is_in = now.map(|now| here.policy.teams().of(now)).unwrap_or_default();
    let left: BTreeSet<TeamName> = request.teams.intersection(&is_in).cloned().collect();
    if left.is_empty() && !request.teams.is_empty() {
        let teams = request.teams.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let (who, id): (String, RequestId) = (request.beneficiary.to_string(), request.id);
        return Err(NotNow::LeftTeams { who, teams, id });
    }
    Ok(left)
}
