//! Parsers of values that several kinds of tables share: people, services and addresses.

use std::collections::BTreeSet;

use jit_proto::words::ServiceName;

use super::code;
use super::finding::Log;
use super::net::Network;
use super::people::Who;
use super::shape::WHO;
use super::walk::{Node, Table};
use crate::services::Services;

pub(super) fn who(node: &Node<'_>, log: &mut Log<'_>) -> Option<Who> {
    who_in(&node.table(&WHO, log)?, log)
}

/// The people that a table names with `users` and `groups`, whatever else it says.
pub(super) fn who_in(table: &Table<'_>, log: &mut Log<'_>) -> Option<Who> {
    let users = table.optional("users", |node, log| node.set(Node::word, log), log);
    let groups = table.optional("groups", |node, log| node.set(Node::word, log), log);
    let who = Who { users: users?.unwrap_or_default(), groups: groups?.unwrap_or_default() };
    if who.is_empty() {
        // A misspelt `users` has been reported.
        if !table.has_misspelt() {
            let message = "this names nobody: it needs `users` or `groups`";
            log.add_with_hint(code::EMPTY, &table.spot, message, "write it like users = [\"ana\"]");
        }
        return None;
    }
    Some(who)
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
