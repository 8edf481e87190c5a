//! `jitd.lock.v1`: an admin elsewhere locks something. It only takes away, so it counts while the clock is suspect; and once,
//! so that a lock that somebody has lifted does not come back with the same file.

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::words::{Uid, UserName};

use crate::context::Context;
use crate::event::Event;
use crate::model::{BySignature, Person, Scope};
use crate::orders::lock::{Found, LockOrder, is_on_something, set, set_on};
use crate::orders::review::Lookups;
use crate::orders::statement::{Signed, evidence, signers};
use crate::orders::{NotOfHere, Refusal};
use crate::sign::kind::SignedText;
use crate::sign::lock::LockStatement;

/// What this host says of the name that is to be locked.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// Whether it is there.
    pub found: Found,
    /// For a user: the uids behind the name.
    pub uids: BTreeSet<Uid>,
}

/// Locks, and ends what that shuts. `accounts` are those of the signer, and `lookups` has them.
pub fn lock(
    here: Context<'_>,
    signed: Signed<'_, LockStatement>,
    accounts: &[UserName],
    lookups: &Lookups,
    named: &Named,
) -> Result<Vec<Event>, Refusal> {
    let says = &signed.verified.text;
    signed.is_for(here, &says.hosts, says.host_key.as_ref())?;
    signed.until(says.not_after)?;
    let by = admin(here, signed, accounts, lookups)?;
    if here.state.is_taken_by_a_lock(says.serial) {
        return Err(NotOfHere::TakenAlready(None).into());
    }
    if let Some(until) = says.until.filter(|until| *until <= signed.at) {
        return Err(NotOfHere::Over(until.to_seconds()).into());
    }
    // Directories of other hosts have others: a name that is not here yet is locked all the same.
    is_on_something(here, &says.scope, &named.found, true)?;
    // A lock is kept in whole seconds, and is no shorter than it says.
    let asked = says.until.map(|until| until.since(signed.at) + Duration::from_millis(999));
    let duration = longest(here, &says.scope, asked.map(|asked| Duration::from_secs(asked.as_secs())));
    let (scope, message, uids) = (says.scope.clone(), says.message.clone(), named.uids.clone());
    let statement =
        BySignature { by: by.clone(), serial: Some(says.serial), signed: evidence(signed.verified) };
    Ok(set(here, by, LockOrder { scope, message, duration, uids }, Some(Box::new(statement))))
}

/// Of this and of the lock that is set, the time of the longer: what takes access away gives none back.
fn longest(here: Context<'_>, scope: &Scope, asked: Option<Duration>) -> Option<Duration> {
    set_on(here.state, scope).fold(asked, |longest, lock| {
        let left = lock.duration.map(|all| all.saturating_sub(here.now.since(&lock.at)));
        Some(longest?.max(Duration::from_secs(left?.as_secs())))
    })
}

/// The admin of this host's policy who signed.
pub(super) fn admin<T: SignedText>(
    here: Context<'_>,
    signed: Signed<'_, T>,
    accounts: &[UserName],
    lookups: &Lookups,
) -> Result<Person, Refusal> {
    let groups: BTreeSet<_> = here.policy.admins().every_group().collect();
    let known = signers(here, accounts, lookups, &groups)?;
    let admin = known.iter().find(|account| here.policy.is_admin(account)).map(Person::of);
    let admins = || here.policy.admins().to_string();
    admin.ok_or_else(|| NotOfHere::NotAnAdmin { said: signed.principals(), admins: admins() }.into())
}
