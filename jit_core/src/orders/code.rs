//! A review that came as a code: whether the code is one that an approver gave to this very request, and how many wrong
//! ones are borne. Then it goes through the same door as every other (law 3).
//!
//! A code is short, so what it is worth is the number of guesses: 5 for a request and 20 an hour for the host, of which
//! whoever is not root has 5, and all of these together 15. They are counted in the record, so no restart forgets them.

use jit_proto::words::{RequestId, Uid, UserName};

use crate::code::{Answer, Approves, Asked, Bucket, CodeKeys, RequestCode};
use crate::context::Context;
use crate::digest::Digest;
use crate::event::Event;
use crate::model::{ByCode, CodeTry};
use crate::orders::review::{self, Given, Lookups, Reviewer, stage_accepts};
use crate::orders::signed::account_of;
use crate::orders::stages::{Progress, Stages, names_whom};
use crate::orders::{NoCode, NotOfHere, Refusal};
use crate::policy::Method;
use crate::state::codes::{SPAN, counts_within};

pub use super::no_code::MAX_TRIES;

/// Wrong codes that a host bears within an hour.
pub const MAX_TRIES_AN_HOUR: usize = 20;

/// How many of these whoever is not root may use up together, so that root always has some.
const MAX_OF_USERS: usize = 15;

/// How many of these one user may use up, so that nobody keeps others from typing theirs.
const MAX_OF_ONE: usize = 5;

/// A code that is right: an approver gave it to this request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The request that it is about.
    pub request: RequestId,
    /// The digest of its exact bytes.
    pub digest: Digest,
    /// Whose code it is.
    pub approves: Approves,
    /// What they said.
    pub bucket: Bucket,
    /// Who typed it here.
    pub by: By,
}

/// What comes of a code that was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// It is right.
    Right(Heard),
    /// It is wrong, and this is the record that counts it.
    Wrong(NoCode, Box<Event>),
}

/// Who typed a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Whoever calls, which their record says.
    Caller(Uid),
    /// Whoever logs in, at the prompt of root's module.
    Login(Uid),
}

impl By {
    /// Whose tries it takes.
    #[must_use]
    pub const fn uid(self) -> Uid {
        match self {
            Self::Caller(uid) | Self::Login(uid) => uid,
        }
    }

    /// Whom a record names beside the caller.
    #[must_use]
    pub const fn login(self) -> Option<Uid> {
        match self {
            Self::Caller(_) => None,
            Self::Login(uid) => Some(uid),
        }
    }
}

/// Compares a code that `by` typed with what each approver would have answered. A wrong one must be on record before anybody
/// hears of it, in one step with this.
pub fn hear(
    here: Context<'_>,
    id: RequestId,
    answer: &Answer,
    keys: &CodeKeys,
    host_key: &str,
    by: By,
) -> Result<Hearing, Refusal> {
    // Wrong codes are counted by the clock, and what opens by a code opens by it.
    here.clock()?;
    let pending = here.state.reviewable(id).ok_or_else(|| Refusal::NotFound(id.to_string()))?;
    // Before a try is counted: no code is right for it.
    names_whom(&pending.request, Method::Code).map_err(|why| Refusal::NoReview { id, why })?;
    let left = left(here, id, by.uid())?;
    let slot = answer.slot;
    let approves = &keys.of(slot).ok_or(NoCode::NoSlot(slot))?.approves;
    if approves.host_key != host_key {
        let (said, here) = (approves.host_key.clone(), host_key.to_owned());
        return Err(NoCode::OtherKey { slot, said, here }.into());
    }
    if answer.is_of(&Asked::by(&pending.request), approves) {
        let digest = pending.request.digest();
        return Ok(Hearing::Right(Heard {
            request: id,
            digest,
            approves: approves.clone(),
            bucket: answer.bucket,
            by,
        }));
    }
    let why = NoCode::Wrong { request: id, slot, left: left.saturating_sub(1) };
    let event = Event::CodeRefused {
        request: id,
        slot: slot.symbol().value(),
        wrong: true,
        why: "it is not what this approver would have answered".to_owned(),
        typed_by: by.login(),
    };
    Ok(Hearing::Wrong(why, Box::new(event)))
}

/// How many wrong codes the request still bears, where a code of somebody would count now; else why none would.
pub fn stands(here: Context<'_>, id: RequestId, by: Uid) -> Result<usize, Refusal> {
    here.clock()?;
    let pending = here.state.reviewable(id).ok_or_else(|| Refusal::NotFound(id.to_string()))?;
    names_whom(&pending.request, Method::Code).map_err(|why| Refusal::NoReview { id, why })?;
    let stages = Stages::of(here, &pending.request)?;
    let progress = stages.progress(here.policy.people(), &pending.request, &pending.reviews, here.now);
    if let Progress::Waits { stage, .. } = progress {
        stage_accepts(stage, Method::Code).map_err(|why| Refusal::NoReview { id, why })?;
    }
    Ok(left(here, id, by)?)
}

/// How many wrong codes the request still bears; refused where that is none, or where the hour bears none.
fn left(here: Context<'_>, id: RequestId, by: Uid) -> Result<usize, NoCode> {
    let tries = here.state.code_tries();
    let left = MAX_TRIES.saturating_sub(tries.iter().filter(|one| one.request == id).count());
    if left == 0 {
        return Err(NoCode::Void(id));
    }
    let is_root = |one: &CodeTry| one.by.is_some_and(Uid::is_root);
    let limit = |most: usize, whose: &'static str, is_counted: &dyn Fn(&CodeTry) -> bool| {
        let counted = tries.iter().filter(|one| counts_within(one, here.now.wall) && is_counted(one));
        let counted: Vec<&CodeTry> = counted.collect();
        // It is the oldest but so many that has to be an hour old.
        match counted.len().checked_sub(most).and_then(|over| counted.get(over)) {
            Some(one) => {
                Err(NoCode::Hour { from: one.at.plus(SPAN).to_seconds(), count: counted.len(), whose })
            }
            None => Ok(()),
        }
    };
    limit(MAX_TRIES_AN_HOUR, "on this host", &|_| true)?;
    if !by.is_root() {
        limit(MAX_OF_ONE, "by you", &|one| one.by == Some(by))?;
        limit(MAX_OF_USERS, "by users of this host", &|one| !is_root(one))?;
    }
    Ok(left)
}

/// Reviews as a code says that is right. `accounts` are those of its approver, and `lookups` has them too.
pub fn review(
    here: Context<'_>,
    heard: &Heard,
    accounts: &[UserName],
    lookups: &Lookups,
) -> Result<Vec<Event>, Refusal> {
    here.clock()?;
    let Heard { request: id, digest, approves, bucket, by } = heard;
    let pending = here.state.reviewable(*id).ok_or_else(|| Refusal::NotFound(id.to_string()))?;
    names_whom(&pending.request, Method::Code).map_err(|why| Refusal::NoReview { id: *id, why })?;
    let stages = Stages::of(here, &pending.request)?;
    let principal = approves.principal.to_string();
    let account = account_of(here, &stages, pending, accounts, lookups)?;
    let account = account.ok_or_else(|| NoCode::from(NotOfHere::NoAccount(principal.clone())))?;
    // What was said and to what, but never the answer itself: it is made with the key.
    let code = ByCode {
        principal,
        slot: approves.slot.symbol().value(),
        epoch: approves.epoch,
        request_code: Some(RequestCode::of(*digest).to_string()),
        bucket: Some(bucket.symbol().value()),
        typed_by: by.login(),
    };
    let given = Given {
        narrow: bucket.narrow(),
        code: Some(code),
        ..Given::new(Reviewer::Remote { account: &account, method: Method::Code }, bucket.decision())
    };
    review::review(here, *id, Some(*digest), &given, lookups)
}
