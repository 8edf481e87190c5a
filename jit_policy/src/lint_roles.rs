//! What works, and is more than whoever wrote it may have meant: emergencies that are long or silent, standing root, a role that
//! gives what another does on fewer people's word, sudo beside one kind of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jit_proto::duration::Human;
use jit_proto::words::{GroupName, RoleName, ServiceName, UserName};

use super::code;
use super::finding::{Log, Spot};
use super::lint::names;
use super::lint_whole::includes;
use super::people::PersonName;
use super::reason::ReasonRule;
use super::role::{Role, Stage};
use super::rules::Rules;
use super::who::Who;
use crate::services::Services;

/// How long an emergency may be before it is remarked on: what is longer can wait for somebody.
const LONG_EMERGENCY: Duration = Duration::from_hours(4);

/// Roles with somebody in common are compared with each other up to this many.
const MAX_COMPARED: usize = 300;

/// Adds what is to be said of roles. The places are those of their names.
pub(super) fn rules(rules: &Rules, places: &BTreeMap<RoleName, Spot>, log: &mut Log<'_>) {
    for role in rules.roles.values() {
        let Some(spot) = places.get(&role.name) else { continue };
        emergency(role, spot, log);
        kinds_of_sudo(role, spot, log);
    }
    weaker(rules, places, log);
}

fn emergency(role: &Role, spot: &Spot, log: &mut Log<'_>) {
    if !role.emergency {
        return;
    }
    let name = &role.name;
    if role.max_duration > LONG_EMERGENCY {
        let message = format!(
            "role `{name}` opens on nobody's word for up to {}: in that time somebody can be asked",
            Human(role.max_duration)
        );
        let hint = "make it 4h or less; with the first hours, ask for an ordinary role";
        log.add_with_hint(code::LONG_EMERGENCY, spot, message, hint);
    }
    if role.reason.is_none() {
        let message = format!("role `{name}` opens on nobody's word, and takes any reason, as \".\"");
        let hint = "ask for one to review by, as in reason = { pattern = \"^INC-[0-9]+ .{8,}\" }";
        log.add_with_hint(code::SILENT_EMERGENCY, spot, message, hint);
    }
}

/// A ticket that has to be known, and that the pattern does not say where to find.
pub(super) fn known_ticket(rule: &ReasonRule, spot: &Spot, log: &mut Log<'_>) -> bool {
    if rule.known && !rule.names_ticket() {
        let message = "`ticket` has to be known, and `pattern` has no group of that name";
        let hint = "write it like pattern = \"^(?<ticket>CHG-[0-9]+) .{8,}\"";
        log.add_with_hint(code::NO_TICKET_GROUP, spot, message, hint);
        return false;
    }
    true
}

/// `sudo` is every kind of it, so that one kind beside it narrows nothing.
fn kinds_of_sudo(role: &Role, spot: &Spot, log: &mut Log<'_>) {
    let is_kind =
        |service: &&ServiceName| service.is_sudo() && !matches!(service.as_str(), "sudo" | "sudo-i");
    let kinds: BTreeSet<&ServiceName> = role.services.iter().filter(is_kind).collect();
    if !kinds.is_empty() && role.services.iter().any(|service| service.as_str() == "sudo") {
        let message =
            format!("role `{}` opens `sudo` beside {}: `sudo` is every kind of it", role.name, names(&kinds));
        let hint =
            "leave one of them out: `sudo` opens all that sudoers gives, and a kind what its lines give";
        log.add_with_hint(code::SUDO_BESIDE_KIND, spot, message, hint);
    }
}

/// A group that is let in, or becomes root, without anybody's word and from anywhere.
pub(super) fn standing(
    who: &Who,
    services: &Services,
    is_from_anywhere: bool,
    spot: &Spot,
    log: &mut Log<'_>,
) {
    let is_door = |service: &&ServiceName| service.is_of_sshd() || service.is_sudo() || service.is_su();
    let doors: BTreeSet<&ServiceName> = services.iter().filter(is_door).collect();
    if who.groups.is_empty() || doors.is_empty() || !is_from_anywhere {
        return;
    }
    let message = format!(
        "whoever is in {} has standing access at {}, from anywhere: nobody approves it and nothing ends it",
        names(&who.groups),
        names(&doors)
    );
    let hint = "name the accounts, or add `from`; for people, write a role";
    log.add_with_hint(code::STANDING_ACCESS, spot, message, hint);
}

/// Roles that give what another gives on no more than some of the people whom that one needs.
fn weaker(rules: &Rules, places: &BTreeMap<RoleName, Spot>, log: &mut Log<'_>) {
    let mut sharing: BTreeMap<Name<'_>, Vec<&Role>> = BTreeMap::new();
    for role in rules.roles.values() {
        for name in eligible(&role.eligible) {
            sharing.entry(name).or_default().push(role);
        }
    }
    for role in rules.roles.values() {
        // Who gives all that this one does is for everybody that this one is for, so for the first of them too.
        let Some(others) = eligible(&role.eligible).next().and_then(|name| sharing.get(&name)) else {
            continue;
        };
        if others.len() > MAX_COMPARED {
            continue;
        }
        let is_weaker = |other: &&&Role| {
            other.name != role.name
                && other.stages_digest() != role.stages_digest()
                && includes(other, role)
                && asks_less(&other.stages, &role.stages)
        };
        if let (Some(other), Some(spot)) = (others.iter().find(is_weaker), places.get(&role.name)) {
            let message = format!(
                "role `{}` keeps nobody from anything: role `{}` gives the same on the word of no more people",
                role.name, other.name
            );
            log.add_with_hint(code::WEAKER, spot, message, "remove one of the two, or make them differ");
        }
    }
}

/// Somebody who is eligible, by whichever word.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Name<'n> {
    User(&'n UserName),
    Group(&'n GroupName),
    Person(&'n PersonName),
}

fn eligible(who: &Who) -> impl Iterator<Item = Name<'_>> {
    let users = who.users.iter().map(Name::User);
    users.chain(who.groups.iter().map(Name::Group)).chain(who.people.keys().map(Name::Person))
}

/// Whether whatever meets the stages of the one meets these too: each of these takes its place from one of those, in order.
fn asks_less(fewer: &[Stage], more: &[Stage]) -> bool {
    let mut left = more.iter();
    fewer.iter().all(|this| left.any(|that| is_met_by(this, that)))
}

/// Whether the approvals that meet the one stage meet this one.
fn is_met_by(this: &Stage, that: &Stage) -> bool {
    let above = |stage: &Stage| stage.above.unwrap_or(Duration::ZERO);
    this.approvals <= that.approvals
        && this.denials >= that.denials
        && above(this) >= above(that)
        && this.expires.is_none_or(|this| that.expires.is_some_and(|that| this >= that))
        && by_the_same(this, that)
        && this.accept.is_superset(&that.accept)
        && (this.note.is_none() || this.note == that.note)
}

/// Whether whoever may approve at the one stage may at this. Of several sets that is only said of the very same.
fn by_the_same(this: &Stage, that: &Stage) -> bool {
    if this.approvers.are_several() {
        return this.approvers == that.approvers && this.then == that.then;
    }
    this.approvers.sets().all(|these| that.people().all(|those| these.includes(those)))
}
