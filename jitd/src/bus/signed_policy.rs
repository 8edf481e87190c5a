//! A policy that was signed elsewhere: its text and signatures come as bytes, and the files are those that jitd reads as
//! root. Whether it counts is for `jit_core::orders::signed_policy` to say.

use std::sync::Arc;

use jit_core::access::Method;
use jit_core::digest::Digest;
use jit_core::event::Event;
use jit_core::model::Evidence;
use jit_core::orders::Refusal;
use jit_core::orders::policy_change::Way;
use jit_core::orders::review::Lookups;
use jit_core::orders::signed_policy::concerned;
use jit_core::policy::Principal;
use jit_core::sign::MAX_SIGNATURE;
use jit_core::sign::policy::{MAX_SIGNATURES, Manifest, NAMESPACE};
use jit_core::sign::verify::{NotVerified, verify_bytes};
use jit_core::time::Utc;
use jit_proto::manager;

use super::error::carried_out;
use super::words::{json, optional_reason};
use super::{Error, Orderer};
use crate::app::App;
use crate::desk::{Brought, LoadedBy, Looked, NotDone, Word};
use crate::host_check::{Fit, Judged, Pass};

/// Puts the files in force where the text and the signatures are good for them.
pub(super) async fn load(
    app: &Arc<App>,
    by: &mut Orderer<'_>,
    (text, signatures): (&[u8], &[Vec<u8>]),
    reason: &str,
) -> Result<String, Error> {
    let reason = optional_reason(reason)?;
    by.admin().await.map_err(|err| by.error(err))?;
    let manifest = Manifest::parse(text)
        .map_err(|why| Error::Invalid(format!("the text that was signed does not count: {why}")))?;
    if signatures.len() > MAX_SIGNATURES || signatures.iter().any(|one| one.len() > MAX_SIGNATURE) {
        return Err(Error::Invalid(format!(
            "at most {MAX_SIGNATURES} signatures are taken, of {MAX_SIGNATURE} bytes each"
        )));
    }
    // To take a key away must not wait.
    app.signers.load();
    let (signers, at) = match verified(app, &manifest, signatures) {
        Ok(good) => good,
        Err((key, error)) => {
            let why = zbus::DBusError::description(&error).unwrap_or_default().to_owned();
            let event = Event::SignatureRefused { text: Digest::of(text), key, why };
            // Nobody waits for the record of a refusal.
            drop(app.desk.follow_up(by.peer.actor(), |_| Ok(vec![event])));
            return Err(error);
        }
    };
    let names = app.desk.look(|here| concerned(here, &signers))?;
    let mut lookups = Lookups::new();
    for name in names {
        let known = app.named(by.peer, &name).await;
        lookups.insert(name, known);
    }
    let reading = Arc::clone(app);
    let read = zruntime::unblock(move || reading.desk.read_policy()).await;
    let of = Judged { host: &app.desk.host, in_force: app.desk.before(), pass: Pass::TooFew };
    let Fit { read, forced } = app.host_check.fit(&app.runtime, read, of).await;
    // That took its time: whether they still may is judged by what holds now.
    let mut by = app.orderer(Method::LoadSignedPolicy, by.peer).await?;
    let actor = by.peer.actor();
    let brought = Brought { manifest, signers, at };
    let load = |looked: &Looked, trust| {
        let by = LoadedBy { looked, trust, actor, reason: reason.as_ref(), way: Way::Usual, forced: &forced };
        app.desk.load_signed_policy(&read, &brought, &lookups, by)
    };
    let (ticket, approved) = by.judged(Word::Nobody, load).await.map_err(|err| by.error(err))??;
    let answer = async {
        let digest = app.desk.policy()?.policy.digest().to_string();
        let signed = approved.iter().map(ToString::to_string).collect();
        json(&manager::PolicySigned { digest, serial: brought.manifest.serial, signed })
    };
    match ticket {
        Some(ticket) => carried_out(ticket, answer).await,
        None => answer.await,
    }
}

type Signers = Vec<(Vec<Principal>, Evidence)>;

/// Whose the signatures are. One that is not good takes all with it: whoever brings them is to know.
fn verified(
    app: &App,
    manifest: &Manifest,
    signatures: &[Vec<u8>],
) -> Result<(Signers, Utc), (Option<String>, Error)> {
    let (now, trust) = app.desk.clock().map_err(|err| (None, err.into()))?;
    if let Some(why) = now.suspect {
        return Err((None, NotDone::from(Refusal::ClockSuspect(why)).into()));
    }
    let at = now.wall.max(trust.mark());
    let known = app.signers.known();
    let (approvers, revoked) = known.as_ref().as_ref().map_err(|why| {
        let text =
            format!("no signature counts on this host now: {why}; an admin runs: jitctl approvers check");
        (None, Error::OnTrial(text))
    })?;
    let text = manifest.text();
    let one = |signature: &Vec<u8>| {
        let by = verify_bytes((approvers, revoked), NAMESPACE, text.as_bytes(), signature, at)?;
        let evidence = Evidence {
            principals: by.principals.iter().map(ToString::to_string).collect(),
            key: by.key.fingerprint(),
            flags: by.presence.map(|presence| presence.flags),
            counter: by.presence.map(|presence| presence.counter),
            text: text.clone(),
            signature: by.signature,
        };
        Ok((by.principals, evidence))
    };
    let all: Result<Signers, NotVerified> = signatures.iter().map(one).collect();
    let all = all.map_err(|why| (why.key().map(str::to_owned), Error::OnTrial(why.to_string())))?;
    Ok((all, at))
}
