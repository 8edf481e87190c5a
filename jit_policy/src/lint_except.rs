//! Exceptions that leave nobody, or no host, or that except what is not there.

use std::collections::BTreeSet;

use super::code;
use super::finding::{Log, Spot};
use super::host::{Host, HostPattern, Ways};
use super::lint::names;
use super::role::Role;
use super::shape::quoted;
use super::walk::Node;
use super::who::Who;

/// A set of people that means nobody, or names and excepts the same ones.
pub(super) fn who(who: &Who, spot: &Spot, log: &mut Log<'_>) {
    let Who { users, groups, people, all, except, .. } = who;
    let both: BTreeSet<_> = all.intersection(&except.groups).collect();
    let left = |named: usize, excepted: usize| named > excepted;
    let by_person = people.keys().filter(|person| except.people.contains(*person)).count();
    let is_anybody_left = who.asks_leads()
        || left(users.len(), users.intersection(&except.users).count())
        || left(groups.len(), groups.intersection(&except.groups).count())
        || left(people.len(), by_person);
    if !both.is_empty() || !is_anybody_left {
        let message = if both.is_empty() {
            "this excepts everybody whom it names".to_owned()
        } else {
            format!(
                "this means nobody: they have to be in {}, and whoever is in it is excepted",
                names(&both)
            )
        };
        log.add(code::EXCEPTS_ALL, spot, message);
        return;
    }
    let twice: BTreeSet<_> = users.intersection(&except.users).collect();
    if !twice.is_empty() {
        let message = format!("{} is named here and excepted: that is nobody", names(&twice));
        log.add_with_hint(code::NAMED_AND_EXCEPTED, spot, message, "leave it out of `users`");
    }
}

/// Tables of one kind add up over files, and what one leaves out another could bring in or be robbed of.
pub(super) fn once(others: &Who, more: &Who, node: &Node<'_>, log: &mut Log<'_>) {
    if others.is_empty() || (!others.is_narrowed() && !more.is_narrowed()) {
        return;
    }
    let message = format!(
        "{} stands in several places, and one of them has `all` or `except`: whom that would be about is not plain",
        quoted(node.key)
    );
    log.add_with_hint(code::NARROWED_TWICE, &node.spot, message, "write all of it into one table");
}

/// Hosts that a role has and has not.
pub(super) fn hosts(role: &Role, spot: &Spot, log: &mut Log<'_>) {
    let Role { name, hosts, hosts_except, .. } = role;
    if hosts_except.is_empty() {
        return;
    }
    let is_out = |pattern: &HostPattern| {
        hosts_except.contains(pattern)
            || hosts_except.iter().any(is_everywhere)
            || is_one_of(pattern, hosts_except)
    };
    if hosts.iter().all(is_out) {
        let message = format!("role `{name}` exists on no host: `hosts-except` has all of `hosts`");
        log.add(code::NOWHERE, spot, message);
        return;
    }
    // Which hosts are in a group, and which names there are, only a host knows.
    let is_idle = |except: &&HostPattern| {
        is_name(except)
            && !hosts.iter().any(|pattern| matches!(pattern, HostPattern::Group(_)))
            && !is_one_of(except, hosts)
    };
    for except in hosts_except.iter().filter(is_idle) {
        let message = format!("role `{name}` does not exist on {except} anyway: none of `hosts` fits");
        log.add(code::IDLE_HOST, spot, message);
    }
}

fn is_everywhere(pattern: &HostPattern) -> bool {
    matches!(pattern, HostPattern::Name(glob) if glob.as_str() == "*")
}

/// Whether it is one name, without a pattern in it.
fn is_name(pattern: &HostPattern) -> bool {
    matches!(pattern, HostPattern::Name(glob) if !glob.as_str().contains(['*', '?']))
}

/// Whether the host of this name fits one of the patterns.
fn is_one_of(name: &HostPattern, patterns: &[HostPattern]) -> bool {
    let HostPattern::Name(glob) = name else { return false };
    let Ok(name) = glob.as_str().parse() else { return false };
    let host = Host { name, groups: BTreeSet::new(), ways: Ways::default() };
    patterns.iter().any(|pattern| pattern.matches(&host))
}
