//! What crosses an air gap: a request as a file, and the signatures that come back. Anybody may bring these, since they
//! are the authority; whether one counts is for `jit_core::sign` and `jit_core::orders::signed` to say.

use std::time::Duration;

use jit_core::context::Context;
use jit_core::digest::Digest;
use jit_core::event::Event;
use jit_core::model::Caller;
use jit_core::orders::Refusal;
use jit_core::orders::review::Lookups;
use jit_core::orders::signed::{self, SignedReview};
use jit_core::orders::stages::{names_whom, stage_ends_in, takes};
use jit_core::policy::Method;
use jit_core::sign::compact::Brought;
use jit_core::sign::file::RequestFile;
use jit_core::sign::kind::Kind;
use jit_core::sign::seal::seal;
use jit_core::sign::verify::Verified;
use jit_core::sign::{MAX_SIGNATURE, MAX_TEXT};
use jit_core::time::Utc;
use jit_proto::manager;
use jit_proto::words::RequestId;

use super::error::carried_out;
use super::reviewing::Judged;
use super::stories::{entry, entry_of, read};
use super::verified::{Stop, host_key, no_signers, verified};
use super::words::json;
use super::{Error, Orderer, statements};
use crate::app::App;
use crate::clock::since_boot;
use crate::desk::NotDone;
use crate::store::rows::{self, Story};

/// The longest that a file can be signed: after that it is exported again.
const LONGEST: Duration = Duration::from_hours(24 * 7);

/// The file of a request that waits. It has a checkpoint always: to whoever has seen the log, one without looks like a log
/// that was cut off.
pub(super) fn exported(app: &App, id: RequestId) -> Result<String, Error> {
    let desk = &app.desk;
    let key = desk.notary.key().ok_or_else(|| Error::Busy("there is no host key yet; try again".into()))?;
    // Just after a start none has been made. It is over what is on disk, so nobody waits for its own record.
    if desk.notary.last().is_none() {
        drop(desk.make_checkpoint()?);
    }
    let checkpoint = desk.notary.last().map(|(signed, _)| signed);
    let checkpoint = checkpoint.ok_or_else(|| Error::Busy("there is no checkpoint yet; try again".into()))?;
    let came_signed =
        |here: Context<'_>| here.state.reviewable(id).is_some_and(|pending| pending.request.ahead.is_some());
    if desk.look(came_signed)? {
        return Err(Error::Refused(format!(
            "{id} came as a signed grant and has no file of its own: whoever approves it signs that same grant with 'jitctl \
             offline sign', or reviews {id} on this host"
        )));
    }
    let unnamed = |here: Context<'_>| {
        let pending = here.state.reviewable(id)?;
        names_whom(&pending.request, Method::Signature).err()
    };
    if let Some(why) = desk.look(unnamed)? {
        return Err(Error::Refused(format!("{id} has no file to sign: {why}")));
    }
    let file = desk.look(|here| {
        let pending = here.state.reviewable(id)?;
        let ends = stage_ends_in(here, pending).unwrap_or(LONGEST).min(LONGEST);
        let file =
            RequestFile::of(&pending.request, &key, here.now.wall.plus(ends), Some(checkpoint.clone()));
        Some((file, takes(here, pending, Method::Signature)))
    })?;
    let (file, signable) = file.ok_or_else(|| {
        Error::Refused(format!(
            "{id} does not wait for a review, so there is nothing to sign; see: jitctl show {id}"
        ))
    })?;
    let text = file.bounded().map_err(|why| {
        Error::Refused(format!("{id} does not fit into a file ({why}); ask again with a shorter reason"))
    })?;
    json(&manager::Exported {
        request: id.to_string(),
        expires: file.expires.to_seconds(),
        seal: seal(&text, &key),
        file: text,
        signable,
    })
}

/// Takes a signed text, or refuses it, for the caller to hear and on record.
pub(super) async fn imported(
    app: &App,
    by: &mut Orderer<'_>,
    text: &[u8],
    signature: &[u8],
) -> Result<String, Error> {
    // Before it costs anything: a verification takes a millisecond, a refusal a record.
    if !by.peer.uid.is_root() {
        app.importing.take(by.peer.uid, since_boot())?;
    }
    if text.len() > MAX_TEXT + 64 || signature.len() > MAX_SIGNATURE {
        return Err(Error::Invalid(format!(
            "a text to be signed has at most {MAX_TEXT} bytes, and a signature {MAX_SIGNATURE}"
        )));
    }
    let judged = match expanded(app, text, signature).await {
        Ok((text, signature)) => taken(app, by, &text, &signature).await,
        Err(refused) => Err(refused),
    };
    match judged {
        Ok(answer) => answer,
        Err(Stop::Now(error)) => Err(error),
        Err(Stop::Refused { key, error }) => {
            let why = zbus::DBusError::description(&error).unwrap_or_default().to_owned();
            let event = Event::SignatureRefused { text: Digest::of(text), key, why };
            // Nobody waits for the record of a refusal.
            drop(app.desk.follow_up(by.peer.actor(), |_| Ok(vec![event])));
            Err(error)
        }
    }
}

/// By what the text is.
async fn taken(
    app: &App,
    by: &mut Orderer<'_>,
    text: &[u8],
    signature: &[u8],
) -> Result<Result<String, Error>, Stop> {
    match Kind::of(text) {
        Some(Kind::Grant) => statements::granted(app, by, text, signature).await,
        Some(Kind::Revoke) => statements::revoked(app, by, text, signature).await,
        Some(Kind::Lock) => statements::locked(app, by, text, signature).await,
        Some(Kind::Clock) => statements::accepted(app, by, text, signature).await,
        // What is none of these is refused for its form.
        Some(Kind::Request | Kind::Review) | None => {
            let (verified, at) = verified(app, text, signature)?;
            let ticket = reviewed(app, by, &verified, at).await?;
            Ok(carried_out(ticket, async { json(&entry_of(app, verified.text.says().request).await?) }).await)
        }
    }
}

/// A text and its signature; where that is empty the text is the compact form of both, which the host writes out again.
async fn expanded(app: &App, text: &[u8], signature: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Stop> {
    if !signature.is_empty() {
        return Ok((text.to_vec(), signature.to_vec()));
    }
    let refused = |why: String| Stop::Refused { key: None, error: Error::Refused(why) };
    let brought = Brought::parse(&String::from_utf8_lossy(text))
        .map_err(|why| Stop::Now(Error::Invalid(why.to_string())))?;
    let id = brought.request;
    let key = host_key(app)?;
    let asked = app.desk.look(|here| here.state.reviewable(id).map(|pending| pending.request.clone()));
    let Some(asked) = asked.map_err(|err| Stop::Now(err.into()))? else {
        return Err(refused(not_waiting(app, id).await.map_err(Stop::Now)?));
    };
    names_whom(&asked, Method::Signature)
        .map_err(|why| refused(format!("this signature does not count: {why}")))?;
    let known = app.signers.known();
    let (approvers, _) = known.as_ref().as_ref().map_err(|why| refused(no_signers(why)))?;
    let (text, signature) = brought
        .expand(&asked, &key, approvers)
        .map_err(|why| refused(format!("this signature does not count: {why}")))?;
    Ok((text.into_bytes(), signature.into_bytes()))
}

/// Why nothing is to be signed under this id.
async fn not_waiting(app: &App, id: RequestId) -> Result<String, Error> {
    let story = read(&app.store, move |store| rows::story(store, id)).await?;
    let how = story.map_or_else(|| "there is no such request here".to_owned(), |story| over(app, &story));
    Ok(format!("{id}: {how}; a signature counts once, for the request it is about"))
}

async fn reviewed(
    app: &App,
    by: &mut Orderer<'_>,
    verified: &Verified,
    at: Utc,
) -> Result<crate::store::writer::Ticket, Stop> {
    let key = host_key(app)?;
    let refused = |error| Stop::Refused { key: Some(verified.key.fingerprint()), error };
    let id = verified.text.says().request;
    let briefing = app.desk.review_briefing(id).map_err(|err| Stop::Now(err.into()))?;
    let accounts = signed::accounts(&briefing.policy, &verified.principals);
    let accounts = accounts.map_err(|why| refused(NotDone::from(Refusal::from(why)).into()))?;
    let judge = |here: Context<'_>, _: &Caller, lookups: &Lookups| {
        signed::review(here, SignedReview { verified, key: &key, at }, &accounts, lookups)
    };
    let judged = Judged { id, also: &accounts, judge };
    match judged.reviewed(app, by, briefing).await {
        Ok(ticket) => Ok(ticket),
        Err(Error::NotFound(_)) => {
            Err(refused(Error::Refused(not_waiting(app, id).await.map_err(Stop::Now)?)))
        }
        Err(error @ (Error::Refused(_) | Error::NotPermitted(_))) => Err(refused(error)),
        Err(error) => Err(Stop::Now(error)),
    }
}

/// Why a request no longer waits, as whoever brings a signature too late needs to know it.
fn over(app: &App, story: &Story) -> String {
    let entry = entry(app, story);
    let role = &story.request.role;
    let is_stale = app
        .desk
        .look(|here| here.policy.role(role).is_none_or(|now| here.policy.terms(now) != story.request.terms));
    let how = entry.ended.unwrap_or(entry.state);
    // Its end may not be on disk yet.
    if matches!(how.as_str(), "lapsed" | "pending") && is_stale.unwrap_or(false) {
        return format!(
            "role '{role}' has changed since this was asked for, so it no longer waits for a review"
        );
    }
    format!("it no longer waits for a review: {how}")
}
