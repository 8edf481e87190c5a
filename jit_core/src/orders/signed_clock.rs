//! `jitd.clock.v1`: an admin elsewhere says what time it is, in answer to a challenge of this host. What it is an answer to, is
//! this boot and this very suspicion; once the clock is believed again, no answer of before counts.

use std::time::Duration;

use jit_proto::words::UserName;

use crate::clock::{NotAccepted, TOLERANCE, Trust};
use crate::context::Context;
use crate::model::BySignature;
use crate::orders::review::Lookups;
use crate::orders::signed_lock::admin;
use crate::orders::statement::{Signed, evidence};
use crate::orders::{NotOfHere, Refusal};
use crate::sign::clock::{ClockStatement, Episode, LONGEST};
use crate::sign::file::fingerprint;
use crate::time::Moment;

/// The suspicion that there is now, if the clock is suspect.
#[must_use]
pub fn episode(now: &Moment, trust: &Trust) -> Option<Episode> {
    let (why, since) = trust.suspect().zip(trust.suspect_since())?;
    Some(Episode { boot: now.boot_id.clone(), why, since, mark: trust.mark() })
}

/// Whether the answer vouches for the clock as it is now, and for whom it does. `accounts` are those of its signer, and
/// `lookups` has them.
pub fn vouches(
    here: Context<'_>,
    signed: Signed<'_, ClockStatement>,
    trust: &Trust,
    accounts: &[UserName],
    lookups: &Lookups,
) -> Result<BySignature, Refusal> {
    let says = &signed.verified.text;
    if says.host != here.host.name {
        let said = says.host.to_string();
        return Err(NotOfHere::OtherHosts { said, here: here.host.name.clone() }.into());
    }
    let ours = fingerprint(&signed.key.public());
    if says.host_key != ours {
        return Err(NotOfHere::AnotherKey { said: says.host_key.clone(), here: ours }.into());
    }
    let episode = episode(here.now, trust).ok_or(NotAccepted::Trusted)?;
    if says.nonce != episode.nonce(signed.key, says.asked) {
        return Err(NotOfHere::OtherEpisode.into());
    }
    let waited = here.now.boot.checked_sub(says.asked).map(Duration::from_millis);
    let waited = waited.filter(|waited| *waited <= LONGEST).ok_or(NotOfHere::LongAgo)?;
    let by = admin(here, signed, accounts, lookups)?;
    // It was that time at some moment between the question and now.
    let (from, to) = (says.time.minus(TOLERANCE), says.time.plus(waited + TOLERANCE));
    if here.now.wall < from || here.now.wall > to {
        let [wall, from, to] = [here.now.wall, from, to].map(crate::time::Utc::to_seconds);
        return Err(NotOfHere::OtherTime { wall, from, to }.into());
    }
    Ok(BySignature { by, serial: None, signed: evidence(signed.verified) })
}
