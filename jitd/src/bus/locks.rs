//! What this host says of a name that is to be locked, and what follows from a lock that was set, however it came.

use std::collections::BTreeSet;

use jit_core::context::Context;
use jit_core::model::{Known, Scope};
use jit_core::orders::lock::{self, Found};
use jit_core::orders::signed_lock::Named;
use jit_host::found;
use jit_proto::manager;
use jit_proto::words::{Uid, UserName};

use super::{Error, answer};
use crate::app::App;
use crate::nss::{Share, Whose};
use crate::peer::Peer;

/// What follows from a lock that was set, and how it stands.
pub(super) async fn locked(
    app: &App,
    peer: Peer,
    scope: &Scope,
    found: &Found,
) -> Result<manager::Lock, Error> {
    let desk = &app.desk;
    // From now on its members are refused. Who of those with a grant is one takes the name service to say; whom it
    // does not answer for keeps a grant that admits nobody while the lock holds.
    if let Scope::Group(group) = scope {
        let holders = desk.look(|here| here.state.grants().map(|grant| grant.user.clone()).collect())?;
        let members = app.names.members(holders, group, Share::of(peer)).await;
        let end = |here: Context<'_>| Ok(lock::end_of_members(here, group, &members));
        desk.follow_up(peer.actor(), end)?.durable().await.map_err(Error::unconfirmed)?;
    }
    let set = |here: Context<'_>| lock::set_on(here.state, scope).next().map(|lock| answer::lock(lock, true));
    let set = desk.look(set)?;
    let set = set.ok_or_else(|| Error::NotFound(format!("the lock on {scope} was lifted again")))?;
    let is_sharer = desk.look(|here| match scope {
        Scope::User(name) => here.policy.people().is_sharer(name),
        Scope::Group(_) | Scope::Service(_) | Scope::Role(_) | Scope::Host => false,
    })?;
    let note = if is_sharer {
        Some(format!("{scope} is a person who shares accounts: they are shut out of these, and of their own"))
    } else {
        note(scope, found)
    };
    Ok(manager::Lock { note, ..set })
}

/// What this host says of what is to be locked; for a user, the uids of that account and of the others of the same
/// person too. A name service that does not answer keeps nobody from locking: it is asked no further then.
pub(super) async fn found(app: &App, peer: Peer, scope: &Scope) -> Result<Named, Error> {
    let App { desk, host_check, runtime, .. } = app;
    let name = match scope {
        Scope::Host | Scope::Role(_) => return Ok(Named::default()),
        Scope::Group(name) => {
            let name = name.clone();
            let mut found = host_check.found(runtime, move || found::group(&name)).await;
            if !app.names.believes_no_of_groups() {
                found.is_there = found.is_there.filter(|is_there| *is_there);
            }
            return Ok(Named { found, ..Named::default() });
        }
        Scope::Service(name) => {
            let name = name.clone();
            let found = host_check.found(runtime, move || found::service(&name)).await;
            return Ok(Named { found, ..Named::default() });
        }
        Scope::User(name) => name,
    };
    let mut uids = BTreeSet::new();
    let is_there = uid_of(app, peer, name, &mut uids).await;
    let others = |here: Context<'_>| {
        let people = here.policy.people();
        let mapped = people.accounts().map(|(account, _)| account);
        mapped.filter(|other| *other != name && people.same(name, other)).cloned().collect::<Vec<_>>()
    };
    let mut answers = is_there.is_some();
    for other in desk.look(others)? {
        if answers {
            answers = uid_of(app, peer, &other, &mut uids).await.is_some();
        }
    }
    Ok(Named { found: Found { is_there, others: found::accounts() }, uids })
}

/// Whether there is such an account; absent where the name service does not say.
async fn uid_of(app: &App, peer: Peer, name: &UserName, uids: &mut BTreeSet<Uid>) -> Option<bool> {
    let whose = Whose::Name(name.clone());
    match app.names.account(whose, Share::of(peer), &BTreeSet::new()).await {
        Known::Fully(subject) | Known::Partly(subject, _) => {
            uids.insert(subject.uid);
            Some(true)
        }
        Known::Not => Some(false),
        Known::Unanswered => None,
    }
}

/// What whoever has locked this should know.
fn note(scope: &Scope, found: &Found) -> Option<String> {
    let untold = found.is_there.is_none();
    let text = match scope {
        Scope::User(name) if untold => format!(
            "the name service does not answer for {name}: they are locked by name, and their uid is not known, so another \
             name of it is not locked; lock them again when it answers"
        ),
        Scope::User(name) if found.is_there == Some(false) => {
            format!("there is no account {name} yet: the lock is on the name alone")
        }
        Scope::Group(name) if untold => {
            format!("the name service does not answer for group {name}: whether there is one was not checked")
        }
        Scope::Group(name) if found.is_there == Some(false) => {
            format!("there is no group {name} yet: the lock is on the name")
        }
        Scope::Service(name) if name.is_sudo() => {
            "it shuts sudo, sudo-i and every service named sudo-*".to_owned()
        }
        Scope::Service(name) if name.is_su() => "it shuts su and su-l".to_owned(),
        Scope::User(_) | Scope::Group(_) | Scope::Service(_) | Scope::Role(_) | Scope::Host => return None,
    };
    Some(text)
}
