//! Parsers of values that several kinds of tables share: people, services and addresses.

use std::collections::BTreeSet;

use jit_proto::words::{GroupName, ServiceName, UserName};

use super::approvers::Approvers;
use super::code;
use super::except::Except;
use super::finding::Log;
use super::lint_except;
use super::net::Network;
use super::parts::{PartName, Parts};
use super::people::PersonName;
use super::shape::{ASKED, ELIGIBLE, EXCEPT, WHO};
use super::walk::{Node, Table};
use super::who::{Leads, Who};
use crate::services::Services;
use crate::text::nearest;

pub(super) fn who(node: &Node<'_>, log: &mut Log<'_>) -> Option<Who> {
    who_in(&node.table(&WHO, log)?, log)
}

/// A set of people whom a stage asks.
pub(super) fn asked(node: &Node<'_>, log: &mut Log<'_>) -> Option<Who> {
    who_in(&node.table(&ASKED, log)?, log)
}

/// Whom a stage asks: one set of people, or a list of them.
pub(super) fn approvers(node: &Node<'_>, log: &mut Log<'_>) -> Option<Approvers> {
    if !node.is_list() {
        return asked(node, log).map(Approvers::from);
    }
    let tables = node.tables(&ASKED, log)?;
    // All are read, and so checked, before a bad one ends it.
    let sets: Vec<_> = tables.iter().map(|table| (table, who_in(table, log))).collect();
    let mut each = BTreeSet::new();
    for (table, who) in sets {
        if !each.insert(who?) {
            let message = "this set of people is in the list already: who is in it would count for both";
            let hint = "to have two of them approve, write one set and approvals = 2";
            log.add_with_hint(code::SAME_APPROVERS, &table.spot, message, hint);
            return None;
        }
    }
    Approvers::each(each).or_else(|| node.empty(log))
}

/// Who may ask for a role: of persons, which accounts are theirs alone is known once all files are read.
pub(super) fn eligible(node: &Node<'_>, log: &mut Log<'_>) -> Option<Who> {
    let table = node.table(&ELIGIBLE, log)?;
    let Some(people) = table.optional("people", |node, log| node.some(Node::word, log), log)? else {
        return who_in(&table, log);
    };
    let (users, groups) = users_and_groups(&table, log)?;
    let people = people.into_iter().map(|person: PersonName| (person, BTreeSet::new())).collect();
    narrowed(Who { users, groups, people, ..Who::default() }, &table, log)
}

/// The people that a table names with `users` and `groups`, whatever else it says.
pub(super) fn who_in(table: &Table<'_>, log: &mut Log<'_>) -> Option<Who> {
    let (users, groups) = users_and_groups(table, log)?;
    // Elsewhere than in a stage this key has been reported.
    let leads = table.optional("leads", Node::flag, log)?.unwrap_or(false);
    let leads = if leads { Leads::OfTeams } else { Leads::None };
    let who = Who { users, groups, leads, ..Who::default() };
    if who.is_empty() {
        // A misspelt `users` has been reported.
        if !table.has_misspelt() {
            nobody(table, log);
        }
        return None;
    }
    narrowed(who, table, log)
}

fn nobody(table: &Table<'_>, log: &mut Log<'_>) {
    let message = "this names nobody: it needs `users` or `groups`";
    let hint = if table.has("all") {
        "`all` and `except` only leave people out: write one of the groups of `all` as groups = […]"
    } else {
        "write it like users = [\"ana\"]"
    };
    log.add_with_hint(code::EMPTY, &table.spot, message, hint);
}

/// The same people, without those whom `all` and `except` leave out.
fn narrowed(who: Who, table: &Table<'_>, log: &mut Log<'_>) -> Option<Who> {
    let all = table.optional("all", |node, log| node.some(Node::word, log), log);
    let except = table.optional("except", except, log);
    let who = Who { all: all?.unwrap_or_default(), except: Box::new(except?.unwrap_or_default()), ..who };
    lint_except::who(&who, &table.spot_of("except"), log);
    Some(who)
}

fn except(node: &Node<'_>, log: &mut Log<'_>) -> Option<Except> {
    let table = node.table(&EXCEPT, log)?;
    let (users, groups) = users_and_groups(&table, log)?;
    let people = table.optional("people", |node, log| node.set(Node::word, log), log)?;
    let except = Except::named(users, groups, people.unwrap_or_default());
    if except.is_empty() && !table.has_misspelt() { node.empty(log) } else { Some(except) }
}

fn users_and_groups(
    table: &Table<'_>,
    log: &mut Log<'_>,
) -> Option<(BTreeSet<UserName>, BTreeSet<GroupName>)> {
    let users = table.optional("users", |node, log| node.set(Node::word, log), log);
    let groups = table.optional("groups", |node, log| node.set(Node::word, log), log);
    let sets = of_sets(table, log);
    let (mut users, mut groups, sets) = (users?.unwrap_or_default(), groups?.unwrap_or_default(), sets?);
    users.extend(sets.users);
    groups.extend(sets.groups);
    Some((users, groups))
}

/// Whom the sets name that a table names.
fn of_sets(table: &Table<'_>, log: &mut Log<'_>) -> Option<Who> {
    if !table.takes("sets") {
        return Some(Who::default());
    }
    let parts = table.parts();
    let named = table.optional("sets", |node, log| node.some(|item, log| set(item, parts, log), log), log)?;
    let mut all = Who::default();
    for name in named.into_iter().flatten() {
        // One that could not be read has been reported.
        all.extend(parts.sets.get(&name)?.who.clone()?);
    }
    Some(all)
}

fn set(item: &Node<'_>, parts: &Parts<'_>, log: &mut Log<'_>) -> Option<PartName> {
    let name: PartName = item.word(log)?;
    let Some(set) = parts.sets.get(&name) else {
        let near = nearest(name.as_str(), parts.sets.keys().map(PartName::as_str));
        let meant = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let hint = format!("define it in a file of the policy under [set.{name}]");
        log.add_with_hint(code::NO_SET, &item.spot, format!("no file defines set `{name}`{meant}"), hint);
        return None;
    };
    set.is_used.set(true);
    if !parts.fill(set.weight) {
        let message = format!("with set `{name}` here, profiles and sets fill in more than 32 MiB in all");
        log.add(code::TOO_MUCH_FILLED, &item.spot, message);
        return None;
    }
    Some(name)
}

/// Services, with all that `sudo` and `su` stand for.
pub(super) fn services(node: &Node<'_>, log: &mut Log<'_>) -> Option<Services> {
    let named: BTreeSet<ServiceName> = node.some(Node::word, log)?;
    Some(named.into())
}

/// Ranges of addresses.
pub(super) fn networks(node: &Node<'_>, log: &mut Log<'_>) -> Option<BTreeSet<Network>> {
    node.some(|item, log| item.parsed(code::BAD_NETWORK, log), log)
}
