//! Reads profiles and sets, before anything that uses them.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::code::{self, Code};
use super::finding::{Log, Spot};
use super::parts::{PartName, Parts, PeopleSet, Profile};
use super::shape::{FILE, PROFILE, SET, quoted};
use super::walk::{Node, Table};
use super::words::who_in;
use crate::text::nearest;

/// The profiles and sets of all files that could be read. The keys of a profile are checked here, and its values by whoever
/// reads it.
pub(super) fn parts<'t>(
    trees: &'t [Option<DeTable<'t>>],
    none: &'t Parts<'t>,
    log: &mut Log<'_>,
) -> Parts<'t> {
    let mut parts = Parts::default();
    let (mut profiles, mut sets) = (BTreeMap::new(), BTreeMap::new());
    for (index, tree) in trees.iter().enumerate() {
        let Some(tree) = tree else { continue };
        let file = Table::root(index, tree, &FILE, none);
        for (name, spot, node) in named(&file, "profile", code::SAME_PROFILE, &mut profiles, log) {
            let Some(table) = node.table(&PROFILE, log) else { continue };
            parts.profiles.insert(name, table.to_profile(node.key, spot, node.weight()));
        }
        for (name, spot, node) in named(&file, "set", code::SAME_SET, &mut sets, log) {
            let who = node.table(&SET, log).and_then(|table| who_in(&table, log));
            parts.sets.insert(name, PeopleSet::new(spot, who));
        }
    }
    parts
}

/// The tables under a key of a file that are called as nothing before, and that are called as a part may be.
fn named<'t>(
    file: &Table<'t>,
    key: &'static str,
    same: Code,
    seen: &mut BTreeMap<PartName, Spot>,
    log: &mut Log<'_>,
) -> Vec<(PartName, Spot, Node<'t>)> {
    let mut all = Vec::new();
    for (spot, node) in file.node(key).and_then(|node| node.named(log)).into_iter().flatten() {
        let name: PartName = match node.key.parse() {
            Ok(name) => name,
            Err(err) => {
                log.add(code::BAD_NAME, &spot, format!("{}: {err}", quoted(node.key)));
                continue;
            }
        };
        if let Some(first) = seen.get(&name) {
            log.add(same, &spot, format!("{key} `{name}` is already defined at {}", log.place(first)));
            continue;
        }
        seen.insert(name.clone(), spot.clone());
        all.push((name, spot, node));
    }
    all
}

/// A role with what it leaves out filled by the profile that it names.
pub(super) fn filled<'t>(table: Table<'t>, log: &mut Log<'_>) -> Table<'t> {
    let Some(node) = table.node("profile") else { return table };
    let found = node.word::<PartName>(log).and_then(|name| profile(&name, table.parts(), &node.spot, log));
    table.filled_by(found)
}

fn profile<'t>(
    name: &PartName,
    parts: &'t Parts<'t>,
    spot: &Spot,
    log: &mut Log<'_>,
) -> Option<&'t Profile<'t>> {
    let Some(profile) = parts.profiles.get(name) else {
        let near = nearest(name.as_str(), parts.profiles.keys().map(PartName::as_str));
        let meant = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let hint = format!("define it in a file of the policy under [profile.{name}]");
        log.add_with_hint(code::NO_PROFILE, spot, format!("no file defines profile `{name}`{meant}"), hint);
        return None;
    };
    profile.is_used.set(true);
    if !parts.fill(profile.weight) {
        let message =
            format!("with profile `{name}` here, profiles and sets fill in more than 32 MiB in all");
        log.add(code::TOO_MUCH_FILLED, spot, message);
        return None;
    }
    Some(profile)
}

/// Parts that nothing uses. Of a misspelt name it has been said that there is none.
pub(super) fn unused(parts: &Parts<'_>, log: &mut Log<'_>) {
    for (name, profile) in parts.profiles.iter().filter(|(_, profile)| !profile.is_used.get()) {
        log.add(
            code::UNUSED_PART,
            &profile.spot,
            format!("no role names profile `{name}`: it gives nothing"),
        );
    }
    for (name, set) in parts.sets.iter().filter(|(_, set)| !set.is_used.get()) {
        log.add(
            code::UNUSED_PART,
            &set.spot,
            format!("nothing names set `{name}`: it gives nobody anything"),
        );
    }
}
