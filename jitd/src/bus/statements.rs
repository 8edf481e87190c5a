//! Signed statements that are about no request of this host: grants, and what takes access away. Anybody may bring these,
//! since they are the authority; whether one counts is for `jit_core::sign` and `jit_core::orders` to say.

use std::collections::BTreeMap;

use jit_core::context::Context;
use jit_core::event::Event;
use jit_core::orders::review::Lookups;
use jit_core::orders::statement::Signed;
use jit_core::orders::{Refusal, ahead, signed, signed_revoke};
use jit_core::policy::Policy;
use jit_core::sign::grant::GrantStatement;
use jit_core::sign::revoke::RevokeStatement;
use jit_core::sign::verify::Verified;
use jit_proto::manager;
use jit_proto::words::{RequestId, UserName};

use super::caller::{ATTEMPTS, unsaid};
use super::error::carried_out;
use super::stories::entry_of;
use super::verified::{Stop, host_key, verified, whenever};
use super::words::{json, random_id};
use super::{Error, Orderer, answer};
use crate::app::App;
use crate::desk::{NotDone, Word};
use crate::nss::{Lookup, Share, Whose};
use crate::store::writer::Ticket;

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
    let judge = |here: Context<'_>, lookups: &Lookups| ahead::grant(here, signed, &accounts, lookups, fresh);
    let ticket = ordered(app, by, concerned, &accounts, judge).await;
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
    let judge =
        |here: Context<'_>, lookups: &Lookups| signed_revoke::revoke(here, signed, &accounts, lookups);
    let ticket = ordered(app, by, |_| Vec::new(), &accounts, judge).await;
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

/// Has the desk judge a statement, with all that the name service says of those whom it is about; again whenever more is
/// known or other groups count, until the time is over.
async fn ordered(
    app: &App,
    by: &mut Orderer<'_>,
    concerned: impl Fn(Context<'_>) -> Vec<UserName>,
    accounts: &[UserName],
    judge: impl Fn(Context<'_>, &Lookups) -> Result<Vec<Event>, Refusal>,
) -> Result<Ticket, Error> {
    let (desk, names) = (&app.desk, &app.names);
    let (patience, share) = (names.patience(), Share::of(by.peer));
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
        let refused = match by.order_by(Word::Nobody, |here, _| judge(here, &lookups)).await {
            Ok(ticket) => return Ok(ticket),
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
                if let Some(struck) = desk.strike_reviews(id, by.peer.actor(), &lookups)? {
                    struck.durable().await.map_err(Error::unconfirmed)?;
                }
                return Err(NotDone::Refused(refusal).into());
            }
            refused @ (NotDone::Refused(_) | NotDone::Cannot(_) | NotDone::Gone(_) | NotDone::Trial(_)) => {
                return Err(by.error(refused));
            }
        }
    }
}
