//! What a text says, in plain words, to whoever is about to sign it.

use jit_core::duration::Human;
use jit_core::model::Scope;
use jit_core::sign::clock::ClockStatement;
use jit_core::sign::grant::GrantStatement;
use jit_core::sign::hosts::Hosts;
use jit_core::sign::lock::LockStatement;
use jit_core::sign::revoke::{RevokeStatement, What};
use jit_core::time::Utc;
use jit_proto::text::Shown;

use crate::times::{now, time};

/// What whoever signs a grant brings about.
pub(super) fn of_grant(grant: &GrantStatement) -> String {
    let behind = grant.behind.as_ref().map_or_else(String::new, |behind| format!(" (who is {behind})"));
    let services = grant.services.as_ref().map_or_else(
        || "all services of the role".to_owned(),
        |services| services.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(", "),
    );
    let time_ = grant.duration.map_or_else(
        || "for as long as the role opens".to_owned(),
        |duration| format!("for {}", Human(duration)),
    );
    let uses = grant.uses.map_or_else(String::new, |uses| format!(", {uses} logins at most"));
    let text = format!(
        "With enough such signatures, {}{behind} is let in by role {} ({services}) {time_}{uses}, once on each of {}, from {} to {}.{}",
        grant.user,
        grant.role,
        on(&grant.hosts, grant.host_key.as_deref()),
        at(grant.not_before),
        at(grant.not_after),
        late(grant.not_after),
    );
    Shown(&text).to_string()
}

/// What whoever signs a revoke brings about.
pub(super) fn of_revoke(revoke: &RevokeStatement) -> String {
    let what = match revoke.revokes {
        What::Serial(serial) => format!("The grant with serial {serial}"),
        What::Request(id) => format!("The request {id}"),
    };
    let text = format!(
        "{what} ends on {}, with its sessions, and opens nothing there any more. Hosts take this until {}.{}",
        on(&revoke.hosts, revoke.host_key.as_deref()),
        at(revoke.not_after),
        late(revoke.not_after),
    );
    Shown(&text).to_string()
}

/// What whoever signs a lock brings about.
pub(super) fn of_lock(lock: &LockStatement) -> String {
    let what = match &lock.scope {
        Scope::Host => "Everybody".to_owned(),
        Scope::User(name) => format!("The user {name}"),
        Scope::Group(name) => format!("Everybody in the group {name}"),
        Scope::Service(name) => format!("The service {name}"),
        Scope::Role(name) => format!("The role {name}"),
    };
    let until = lock.until.map_or_else(
        || "until an admin lifts it there".to_owned(),
        |until| format!("until {} or until an admin lifts it there", at(until)),
    );
    let text = format!(
        "{what} is locked on {} {until}, and windows that this shuts end. Hosts take it until {}.{}",
        on(&lock.hosts, lock.host_key.as_deref()),
        at(lock.not_after),
        late(lock.not_after),
    );
    Shown(&text).to_string()
}

/// What whoever signs the time brings about.
pub(super) fn of_clock(clock: &ClockStatement) -> String {
    let text = format!(
        "{} (key {}) is told that it was {} when this was written; if its clock says that, too, it is believed again.",
        clock.host,
        clock.host_key,
        at(clock.time)
    );
    Shown(&text).to_string()
}

fn on(hosts: &Hosts, key: Option<&str>) -> String {
    let hosts = if hosts.is_all() { "every host".to_owned() } else { hosts.to_string() };
    key.map_or_else(|| hosts.clone(), |key| format!("{hosts} with the key {key}"))
}

fn at(moment: Utc) -> String {
    time(&moment.to_seconds())
}

fn late(not_after: Utc) -> &'static str {
    if not_after <= now() { " By the clock of this machine that is over." } else { "" }
}
