//! What can be judged only once all files are read: people across stages, roles beside each other, admins.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jit_proto::words::{RoleName, ServiceName, UserName};

use super::asker::Asker;
use super::code;
use super::finding::{Log, Spot};
use super::people::Human;
use super::people::People;
use super::role::Method;
use super::role::{Role, Uses};
use super::rules::Rules;
use super::who::Who;
use crate::digest::Digest;

/// Roles with the same stages are compared with each other up to this many; of more only the time would be felt.
const MAX_COMPARED: usize = 300;

/// Stages that need more people than this in all are not matched person by person.
const MAX_MATCHED: usize = 64;

/// Adds what is wrong with rules that are each well formed. The places are those of the roles' names.
pub(super) fn rules(rules: &Rules, places: &BTreeMap<RoleName, Spot>, log: &mut Log<'_>) {
    for role in rules.roles.values() {
        let Some(spot) = places.get(&role.name) else { continue };
        distinct(role, &rules.people, spot, log);
        forgeable(role, spot, log);
        among_themselves(role, spot, log);
    }
    included(rules, places, log);
    locked_out(rules, log);
}

/// Services of which it is said how logins end, and where nobody is let in by a role.
pub(super) fn ends(rules: &Rules, places: &BTreeMap<ServiceName, Spot>, log: &mut Log<'_>) {
    for (service, spot) in places {
        if !rules.roles.values().any(|role| role.services.contains(service)) {
            let message = format!("no role opens `{service}`: no window ends there");
            log.add_with_hint(
                code::NO_ROLE_THERE,
                spot,
                message,
                "it is called as its file in /etc/pam.d is",
            );
        }
        let has_program = |asker: &Asker| asker.end_as().is_some() && asker.services().contains(service);
        if rules.processes.contains(service) && rules.askers.iter().any(has_program) {
            let message = format!("`ends` counts for `{service}`, so /etc/jit/end.d/{service} is not run");
            let hint = "remove one of the two: a server that restarts when one of its processes is killed, as PostgreSQL \
                        does, is better ended by `end-as`";
            log.add_with_hint(code::PROGRAM_TOO, spot, message, hint);
        }
    }
}

/// Whether all stages together find enough distinct people, whoever of those eligible by name asks. Stages that a
/// group may approve are left out: only the host knows who is in one.
fn distinct(role: &Role, people: &People, spot: &Spot, log: &mut Log<'_>) {
    let sets = role.stages.iter().flat_map(|stage| stage.approvers.sets().map(move |set| (stage, set)));
    let stages: Vec<Places> = sets
        .filter(|(_, set)| set.is_by_name())
        .map(|(stage, set)| Places {
            needed: stage.needed(),
            humans: by_name(set).map(|user| people.human(user)).collect(),
        })
        .collect();
    let askers = by_name(&role.eligible).map(|user| people.human(user));
    let askers = askers.chain(role.eligible.people.keys().cloned().map(Human::Person)).collect();
    if let Some(asker) = stuck(&stages, &askers) {
        let who = asker.map_or_else(|| "nobody".to_owned(), ToString::to_string);
        let could = if asker.is_some() { "could never" } else { "could ever" };
        let message = format!(
            "{who} {could} get role `{}`: its stages need more different people than they name, and one \
             person counts once in all of them",
            role.name
        );
        log.add(code::NOT_DISTINCT, spot, message);
    }
}

/// The accounts that are named and not excepted by name. Whom groups leave out only the host knows.
pub(super) fn by_name(who: &Who) -> impl Iterator<Item = &UserName> {
    let excepted: BTreeSet<&UserName> = who.except.accounts().collect();
    who.users.iter().filter(move |user| !excepted.contains(user))
}

/// How many people a stage needs of a set, and who may be one of them.
pub(super) struct Places {
    pub(super) needed: usize,
    pub(super) humans: BTreeSet<Human>,
}

/// The first of those who ask that these stages could never be met for, since nobody approves their own request
/// and one person counts once in all stages; `Some(None)` where they cannot be met whoever asks.
#[allow(clippy::option_option, reason = "nobody is stuck, all are, and one is: three answers")]
pub(super) fn stuck<'h>(stages: &[Places], askers: &'h BTreeSet<Human>) -> Option<Option<&'h Human>> {
    // With more people than all stages need together, whoever asks, there is always one left.
    let needed = stages.iter().fold(0_usize, |sum, stage| sum.saturating_add(stage.needed));
    if needed > MAX_MATCHED || stages.iter().all(|stage| stage.humans.len() > needed) {
        return None;
    }
    // Who may approve nothing is missed by nobody.
    let missed = |asker: &&Human| stages.iter().any(|stage| stage.humans.contains(*asker));
    [None].into_iter().chain(askers.iter().filter(missed).map(Some)).find(|asker| {
        let left: Vec<_> = stages
            .iter()
            .map(|stage| (stage.needed, stage.humans.iter().filter(|human| Some(*human) != *asker).collect()))
            .collect();
        !enough(&left)
    })
}

/// Whether each stage can have as many people as it needs, nobody in two: places are filled one by one, and
/// whoever is taken moves to another place if there is one (augmenting paths).
fn enough<H: Ord>(stages: &[(usize, BTreeSet<&H>)]) -> bool {
    if stages.iter().any(|(needed, humans)| humans.len() < *needed) {
        return false;
    }
    let mut taken: BTreeMap<&H, usize> = BTreeMap::new();
    let places =
        stages.iter().enumerate().flat_map(|(stage, (needed, _))| std::iter::repeat_n(stage, *needed));
    for stage in places {
        if !place(stage, stages, &mut taken, &mut BTreeSet::new()) {
            return false;
        }
    }
    true
}

fn place<'h, H: Ord>(
    stage: usize,
    stages: &[(usize, BTreeSet<&'h H>)],
    taken: &mut BTreeMap<&'h H, usize>,
    tried: &mut BTreeSet<&'h H>,
) -> bool {
    for human in &stages[stage].1 {
        let here = taken.get(human).copied();
        if here == Some(stage) || !tried.insert(human) {
            continue;
        }
        if here.is_none_or(|other| place(other, stages, taken, tried)) {
            taken.insert(human, stage);
            return true;
        }
    }
    false
}

/// Whoever can become root here can forge what is approved here (law 4).
fn forgeable(role: &Role, spot: &Spot, log: &mut Log<'_>) {
    let signed = |accept: &BTreeSet<Method>| accept.iter().all(|method| *method == Method::Signature);
    if role.reaches_root() && !role.stages.iter().all(|stage| signed(&stage.accept)) {
        let message = format!(
            "role `{}` reaches root, and root on this host can forge its online reviews and codes",
            role.name
        );
        let hint = "accept = [\"signature\"] in every stage counts only what root cannot make";
        log.add_with_hint(code::FORGEABLE, spot, message, hint);
    }
}

/// Reviewers who are all eligible approve each other.
fn among_themselves(role: &Role, spot: &Spot, log: &mut Log<'_>) {
    // A stage that some requests do without approves nothing of theirs.
    let mut always = role.stages.iter().filter(|stage| stage.above.is_none());
    if always.all(|stage| stage.approvers.sets().all(|set| role.eligible.includes(set))) {
        let message =
            format!("whoever may approve role `{}` may ask for it too: they approve each other", role.name);
        log.add(code::AMONG_THEMSELVES, spot, message);
    }
}

/// Roles that give nothing that another does not give on the same word.
fn included(rules: &Rules, places: &BTreeMap<RoleName, Spot>, log: &mut Log<'_>) {
    let mut alike: HashMap<Digest, Vec<&Role>> = HashMap::new();
    for role in rules.roles.values() {
        alike.entry(role.stages_digest()).or_default().push(role);
    }
    for roles in alike.values().filter(|roles| roles.len() <= MAX_COMPARED) {
        for (n, role) in roles.iter().enumerate() {
            // Of two that are the same, the later one is told.
            let wider = roles
                .iter()
                .enumerate()
                .find(|(m, other)| *m != n && includes(other, role) && (*m < n || !includes(role, other)));
            if let (Some((_, wider)), Some(spot)) = (wider, places.get(&role.name)) {
                let message = format!(
                    "role `{}` gives nothing that role `{}` does not give as well",
                    role.name, wider.name
                );
                log.add(code::INCLUDED, spot, message);
            }
        }
    }
}

/// Whether one role gives all that the other does, if their stages are the same.
pub(super) fn includes(wide: &Role, narrow: &Role) -> bool {
    let uses = |role: &Role| role.uses == Uses::Unlimited;
    wide.hosts.len() >= narrow.hosts.len()
        && narrow.hosts.iter().all(|host| wide.hosts.contains(host))
        && wide.hosts_except.iter().all(|host| narrow.hosts_except.contains(host))
        && wide.services.includes(&narrow.services)
        && wide.eligible.includes(&narrow.eligible)
        && wide.max_duration >= narrow.max_duration
        && (uses(wide) || wide.uses >= narrow.uses)
        && (wide.limits.is_empty() || wide.limits == narrow.limits)
        && wide.until.as_ref().is_none_or(|wide| narrow.until.as_ref().is_some_and(|narrow| wide >= narrow))
        && wide.bounds >= narrow.bounds
        && wide.unreviewed >= narrow.unreviewed
        && wide.apart.iter().all(|other| *other == narrow.name || narrow.apart.contains(other))
        && (wide.reason.is_none() || wide.reason == narrow.reason)
        && (wide.starts, wide.at_end, wide.emergency, wide.survives_reboot)
            == (narrow.starts, narrow.at_end, narrow.emergency, narrow.survives_reboot)
}

/// Whether any admin can get in anywhere at all. Where a group may, only the host knows.
fn locked_out(rules: &Rules, log: &mut Log<'_>) {
    let exempt = rules.exempt.iter().map(|rule| &rule.who);
    let ways: Vec<_> = exempt.chain(rules.roles.values().map(|role| &role.eligible)).collect();
    let gets_in = |admin: &UserName| {
        ways.iter().any(|who| !who.groups.is_empty() || by_name(who).any(|user| user == admin))
    };
    let admins = &rules.admins;
    if admins.groups.is_empty() && !by_name(admins).any(gets_in) {
        let message =
            format!("no admin can get in anywhere: {admins} may ask for no role and is exempt nowhere");
        log.add(code::LOCKED_OUT, &Spot::file(0), message);
    }
}
