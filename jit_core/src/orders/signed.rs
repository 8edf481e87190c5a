//! A review that came as a signed text: whether it is about the very request that waits here, and who it is that signed.
//! Then it goes through the same door as every other (law 3).

use std::collections::BTreeSet;

use jit_proto::words::UserName;

use crate::context::Context;
use crate::event::Event;
use crate::model::Pending;
use crate::orders::review::{self, Given, Lookups, Reviewer, absent, told};
use crate::orders::stages::{Progress, Stages, names_whom};
use crate::orders::statement::evidence;
use crate::orders::{NotOfHere, Refusal};
use crate::policy::{Method, Policy, Principal, Subject};
use crate::proof::checkpoint::{Kept, Signed, Signs};
use crate::proof::note::HostKey;
use crate::sign::file::{Nonce, RequestFile, fingerprint};
use crate::sign::statement::Signable;
use crate::sign::verify::Verified;
use crate::time::Utc;

/// A text whose signature is good, and what it is judged by beside policy and state.
#[derive(Clone, Copy, Debug)]
pub struct SignedReview<'a> {
    /// The text, and whose key signed it.
    pub verified: &'a Verified,
    /// The key of this host.
    pub key: &'a HostKey,
    /// The later of the wall clock and its mark.
    pub at: Utc,
}

/// The accounts of the one person whom a key stands for: those that `[people]` has, or the account of the very name.
pub fn accounts(policy: &Policy, principals: &[Principal]) -> Result<Vec<UserName>, NotOfHere> {
    let people = policy.people();
    let shown = || principals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let mut persons = BTreeSet::new();
    for principal in principals {
        let own = || principal.to_string().parse::<UserName>().ok();
        persons.insert(match people.of_key(principal) {
            Some(person) => (Some(person.clone()), None),
            // An account that policy maps to somebody is that somebody's.
            None => match own() {
                Some(account) => match people.of_account(&account) {
                    Some(person) => (Some(person.clone()), None),
                    None => (None, Some(account)),
                },
                None => return Err(NotOfHere::NoAccount(shown())),
            },
        });
    }
    let mut persons = persons.into_iter();
    match (persons.next(), persons.next()) {
        (Some((Some(person), _)), None) => {
            let of = people.accounts().filter(|(_, whose)| **whose == person);
            Ok(of.map(|(account, _)| account.clone()).collect())
        }
        (Some((None, account)), None) => Ok(account.into_iter().collect()),
        _ => Err(NotOfHere::SeveralPeople(shown())),
    }
}

/// Reviews as a signed text says. `accounts` are those of its signer, and `lookups` has them too.
pub fn review(
    here: Context<'_>,
    signed: SignedReview<'_>,
    accounts: &[UserName],
    lookups: &Lookups,
) -> Result<Vec<Event>, Refusal> {
    // Keys and expiries are judged by the clock, so nothing is taken while that is not believed, a denial neither.
    here.clock()?;
    let SignedReview { verified, key, at } = signed;
    let says = verified.text.says();
    for_this_host(here, &verified.text, key, at)?;
    let unknown = || Refusal::NotFound(says.request.to_string());
    let pending = here.state.reviewable(says.request).ok_or_else(unknown)?;
    let request = &pending.request;
    names_whom(request, Method::Signature).map_err(|why| Refusal::NoReview { id: says.request, why })?;
    if says.digest != request.digest() {
        return Err(Refusal::OtherDigest(says.request));
    }
    if says.nonce != Nonce::of(key, says.digest, says.expires) {
        return Err(NotOfHere::NotOurs.into());
    }
    if let Signable::File(file) = &verified.text {
        let ours = RequestFile::of(request, key, file.expires, file.checkpoint.clone());
        if let Some(label) = ours.differs_in(file) {
            return Err(NotOfHere::Differs(label).into());
        }
        let is_signed =
            |signed: &Signed| Kept::from(signed.clone()).signed_by(&[key.public()]) == Signs::Well;
        if !file.checkpoint.as_ref().is_none_or(is_signed) {
            return Err(NotOfHere::Differs("checkpoint").into());
        }
    }
    let stages = Stages::of(here, request)?;
    let account = account_of(here, &stages, pending, accounts, lookups)?;
    let account = account.ok_or_else(|| {
        let names: Vec<String> = verified.principals.iter().map(ToString::to_string).collect();
        NotOfHere::NoAccount(names.join(", "))
    })?;
    let given = Given {
        narrow: says.narrow,
        note: says.note,
        signed: Some(evidence(verified)),
        ..Given::new(Reviewer::Remote { account: &account, method: Method::Signature }, says.decision)
    };
    review::review(here, says.request, Some(says.digest), &given, lookups)
}

/// Of several accounts of one person, that which is asked: they count once all the same. Who has none here is known by
/// name alone.
pub(super) fn account_of(
    here: Context<'_>,
    stages: &Stages<'_>,
    of: &Pending,
    accounts: &[UserName],
    lookups: &Lookups,
) -> Result<Option<Subject>, Refusal> {
    let Pending { request, reviews } = of;
    let mut known = Vec::new();
    for name in accounts {
        let account = told(here, stages, request.id, lookups, name)?;
        known.extend(account.cloned().or_else(|| absent(name)));
    }
    let place = match stages.progress(here.policy.people(), request, reviews, here.now) {
        Progress::Waits { asks, .. } => {
            let counts = |account: &Subject| asks.lack(&asks.counts_for(&[account]));
            known.iter().position(counts).or_else(|| known.iter().position(|account| asks.contains(account)))
        }
        Progress::Met | Progress::Denied { .. } | Progress::Lapsed { .. } => None,
    };
    Ok(known.into_iter().nth(place.unwrap_or_default()))
}

fn for_this_host(here: Context<'_>, text: &Signable, key: &HostKey, at: Utc) -> Result<(), NotOfHere> {
    let says = text.says();
    if says.host != here.host.name {
        return Err(NotOfHere::OtherHost { said: says.host, here: here.host.name.clone() });
    }
    let ours = fingerprint(&key.public());
    if says.host_key != ours {
        return Err(NotOfHere::OtherKey { said: says.host_key, here: ours });
    }
    if at >= says.expires {
        return Err(NotOfHere::Expired(says.expires.to_seconds()));
    }
    Ok(())
}
