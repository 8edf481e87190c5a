//! Signed statements that are about no request of this host: grants, and what takes access away. Anybody may bring these,
//! since they are the authority; whether one counts is for `jit_core::sign` and `jit_core::orders` to say.

use std::collections::BTreeMap;

use jit_core::context::Context;
use jit_core::orders::review::Lookups;
use jit_core::orders::statement::Signed;
use jit_core::orders::{Refusal, ahead, signed, signed_clock, signed_lock, signed_revoke};
use jit_core::policy::Policy;
use jit_core::sign::clock::ClockStatement;
use jit_core::sign::grant::GrantStatement;
use jit_core::sign::lock::LockStatement;
use jit_core::sign::revoke::RevokeStatement;
use jit_core::sign::verify::Verified;
use jit_proto::manager;
use jit_proto::words::{RequestId, UserName};

use super::caller::{ATTEMPTS, unsaid};
use super::error::carried_out;
use super::stories::entry_of;
use super::verified::{Stop, host_key, verified, verified_at, whenever};
use super::words::{json, random_id};
use super::{Error, Orderer, answer, locks};
use crate::app::App;
use crate::desk::NotDone;
use crate::nss::{Lookup, Share, Whose};
use crate::peer::Peer;

/// A grant: a request that it files, or a review of the one that it has filed.
pub(super) async fn granted(
    app: &App,
    by: &mut Orderer<'_>,
    text: &[u8],
    signature: &[u8],
) -> Result<Result<String, Error>, Stop> {
    let (verified, at) = verified::<GrantStatement>(app, text, signature)?;
    let key = host_key(app)?;
    let signed = Signed { verified: &verified, key: &key, at };
    let accounts = accounts(app, &verified)?;
    let fresh = random_id().map_err(Stop::Now)?;
    let concerned = |here: Context<'_>| ahead::concerned(here, &verified.text);
    let actor = by.peer.actor();
    let order = |lookups: &Lookups| {
        app.desk.follow_up(actor, |here| ahead::grant(here, signed, &accounts, lookups, fresh))
    };
    let ticket = ordered(app, by.peer, concerned, &accounts, order).await;
    let ticket = ticket.map_err(|error| of_signer(&verified, error))?;
    let id = app.desk.look(|here| ahead::request_of(here, &verified.text));
    let id = id.ok().flatten().unwrap_or(fresh);
    Ok(carried_out(ticket, async { json(&entry_of(app, id).await?) }).await)
}

/// A revoke, which counts while the clock is suspect as well.
pub(super) async fn revoked(
    app: &App,
    by: &mut Orderer<'_>,
    text: &[u8],
    signature: &[u8],
) -> Result<Result<String, Error>, Stop> {
    let (verified, at) = whenever::<RevokeStatement>(app, text, signature)?;
    let key = host_key(app)?;
    let signed = Signed { verified: &verified, key: &key, at };
    let accounts = accounts(app, &verified)?;
    let of = app.desk.look(|here| signed_revoke::request_of(here, &verified.text));
    let actor = by.peer.actor();
    let order = |lookups: &Lookups| {
        app.desk.follow_up(actor, |here| signed_revoke::revoke(here, signed, &accounts, lookups))
    };
    let ticket = ordered(app, by.peer, |_| Vec::new(), &accounts, order).await;
    let ticket = ticket.map_err(|error| of_signer(&verified, error))?;
    let answer = async {
        let of: Option<RequestId> = of?;
        let ended = match of {
            Some(id) => Some(answer::revoked(entry_of(app, id).await?, true)),
            None => None,
        };
        let revokes = Some(verified.text.revokes.to_string());
        json(&manager::Taken { revokes, revoked: ended, ..taken("revoke", &verified) })
    };
    Ok(carried_out(ticket, answer).await)
}

/// A lock, with what `jitctl lock` does besides.
pub(super) async fn locked(
    app: &App,
    by: &mut Orderer<'_>,
    text: &[u8],
    signature: &[u8],
) -> Result<Result<String, Error>, Stop> {
    let (verified, at) = whenever::<LockStatement>(app, text, signature)?;
    let key = host_key(app)?;
    let signed = Signed { verified: &verified, key: &key, at };
    let accounts = accounts(app, &verified)?;
    let (peer, scope) = (by.peer, &verified.text.scope);
    let named = locks::found(app, peer, scope).await.map_err(Stop::Now)?;
    let order = |lookups: &Lookups| {
        app.desk.follow_up(peer.actor(), |here| signed_lock::lock(here, signed, &accounts, lookups, &named))
    };
    let ticket = ordered(app, peer, |_| Vec::new(), &accounts, order).await;
    let ticket = ticket.map_err(|error| of_signer(&verified, error))?;
    let answer = async {
        let lock = Some(locks::locked(app, peer, scope, &named.found).await?);
        json(&manager::Taken { lock, ..taken("lock", &verified) })
    };
    Ok(carried_out(ticket, answer).await)
}

/// That the clock is right, as `jitctl clock accept` takes it.
pub(super) async fn accepted(
    app: &App,
    by: &mut Orderer<'_>,
    text: &[u8],
    signature: &[u8],
) -> Result<Result<String, Error>, Stop> {
    let (now, trust) = app.desk.clock().map_err(|err| Stop::Now(err.into()))?;
    // The answer vouches for the wall clock, so its key is judged by that.
    let at = now.wall.max(trust.mark());
    let verified = verified_at::<ClockStatement>(app, text, signature, at)?;
    let key = host_key(app)?;
    let signed = Signed { verified: &verified, key: &key, at };
    let accounts = accounts(app, &verified)?;
    let actor = by.peer.actor();
    let order = |lookups: &Lookups| {
        app.desk.accept_signed_clock(actor, verified.text.reason.as_ref(), |here, trust| {
            signed_clock::vouches(here, signed, trust, &accounts, lookups)
        })
    };
    let accepted = ordered(app, by.peer, |_| Vec::new(), &accounts, order).await;
    let (before, ticket) = accepted.map_err(|error| of_signer(&verified, error))?;
    let answer = async {
        let (before, after) = (answer::clock(&before), answer::clock(&app.desk.clock()?));
        let clock = Some(manager::ClockAccepted { before, after });
        json(&manager::Taken { clock, ..taken("clock", &verified) })
    };
    Ok(carried_out(ticket, answer).await)
}

fn taken<T>(kind: &str, verified: &Verified<T>) -> manager::Taken {
    let by: Vec<String> = verified.principals.iter().map(ToString::to_string).collect();
    let (kind, by) = (kind.to_owned(), by.join(", "));
    manager::Taken { kind, by, revokes: None, revoked: None, lock: None, clock: None }
}

/// The accounts of whoever signed.
fn accounts<T>(app: &App, verified: &Verified<T>) -> Result<Vec<UserName>, Stop> {
    let of = |policy: &Policy| signed::accounts(policy, &verified.principals);
    let accounts = app.desk.look(|here| of(here.policy)).map_err(|err| Stop::Now(err.into()))?;
    accounts.map_err(|why| of_signer(verified, NotDone::from(Refusal::from(why)).into()))
}

/// A refusal goes on record with the key; what else kept it from being taken may be over soon.
fn of_signer<T>(verified: &Verified<T>, error: Error) -> Stop {
    if matches!(error, Error::Refused(_) | Error::NotPermitted(_) | Error::NotFound(_)) {
        Stop::Refused { key: Some(verified.key.fingerprint()), error }
    } else {
        Stop::Now(error)
    }
}

/// Gives an order, with all that the name service says of those whom it is about; again whenever more is known or other groups
/// count, until the time is over.
async fn ordered<T>(
    app: &App,
    peer: Peer,
    concerned: impl Fn(Context<'_>) -> Vec<UserName>,
    accounts: &[UserName],
    order: impl Fn(&Lookups) -> Result<T, NotDone>,
) -> Result<T, Error> {
    let (desk, names) = (&app.desk, &app.names);
    let (patience, share) = (names.patience(), Share::of(peer));
    let mut people: BTreeMap<UserName, Lookup<'_>> = BTreeMap::new();
    let mut looks = 0;
    loop {
        let groups = desk.groups();
        for name in desk.look(&concerned)?.into_iter().chain(accounts.iter().cloned()) {
            let begin = || names.lookup(Whose::Name(name.clone()), share, &patience);
            people.entry(name.clone()).or_insert_with(begin);
        }
        let lookups: Lookups =
            people.iter_mut().map(|(name, lookup)| (name.clone(), lookup.known(&*groups))).collect();
        let refused = match order(&lookups) {
            Ok(done) => return Ok(done),
            Err(refused) => refused,
        };
        looks += 1;
        match refused {
            NotDone::Refused(Refusal::Raced(_)) if looks < ATTEMPTS => {}
            NotDone::Refused(Refusal::Unanswered { user, groups: open }) if people.contains_key(&user) => {
                let again = looks < ATTEMPTS && desk.groups() != groups;
                if !again && !patience.more(people.values()).await {
                    let lookup = people.get_mut(&user);
                    let gone = || Error::Busy(format!("{user} is not known just now; try again"));
                    return Err(lookup.map_or_else(gone, |lookup| unsaid(lookup, &open)));
                }
            }
            NotDone::Refused(refusal @ Refusal::NoReview { id, .. }) => {
                if let Some(struck) = desk.strike_reviews(id, peer.actor(), &lookups)? {
                    struck.durable().await.map_err(Error::unconfirmed)?;
                }
                return Err(NotDone::Refused(refusal).into());
            }
            refused @ (NotDone::Refused(_) | NotDone::Cannot(_) | NotDone::Gone(_) | NotDone::Trial(_)) => {
                return Err(refused.into());
            }
        }
    }
}
