//! What crosses by voice: a request that is read out, and the codes that approvers answer. Anybody may type these, since
//! they are the authority; whether one counts is for `jit_core::orders::code` to say.

use jit_core::code::{Answer, Asked, CodeKeys};
use jit_core::context::Context;
use jit_core::event::Event;
use jit_core::model::Caller;
use jit_core::orders::code::{self, Heard, Hearing};
use jit_core::orders::review::Lookups;
use jit_core::orders::{NoCode, Refusal, signed};
use jit_core::sign::file::fingerprint;
use jit_host::signers::CODE_KEYS;
use jit_proto::manager;
use jit_proto::words::{RequestId, Uid};

use super::error::carried_out;
use super::reviewing::Judged;
use super::stories::entry_of;
use super::words::json;
use super::{Error, Orderer};
use crate::app::App;
use crate::clock::since_boot;
use crate::desk::NotDone;
use crate::store::writer::Ticket;

pub(super) use jit_core::orders::code::By;

/// Whether any key for codes is on this host, or its file does not load.
pub(super) fn has_keys(app: &App) -> bool {
    app.signers.codes().as_ref().as_ref().map_or(true, |keys| keys.iter().next().is_some())
}

/// What is read out of a request that waits.
pub(super) fn spoken(app: &App, id: RequestId, by: Uid) -> Result<manager::Spoken, Error> {
    let host_key = host_key(app)?;
    let keys = app.signers.codes();
    let told = app.desk.look(|here| {
        let request = &here.state.reviewable(id)?.request;
        Some((request.clone(), Asked::by(request), code::stands(here, id, by)))
    })?;
    let (request, asked, stands) = told.ok_or_else(|| {
        Error::Refused(format!(
            "{id} does not wait for a review, so there is nothing to read out; see: jitctl show {id}"
        ))
    })?;
    let refused = match (&*keys, &stands) {
        (Err(why), _) => Some(no_keys(why, by)),
        (Ok(_), Err(why)) => Some(why.to_string()),
        (Ok(keys), Ok(_)) => (keys.iter().count() == 0).then(nobody),
    };
    Ok(manager::Spoken {
        request: id.to_string(),
        host: request.host.to_string(),
        host_key,
        user: asked.user.to_string(),
        role: asked.role.to_string(),
        seconds: asked.duration.as_secs(),
        start: asked.start.to_string(),
        code: asked.code.to_string(),
        reason: request.reason.to_string(),
        tries: stands.unwrap_or_default(),
        refused,
    })
}

/// Takes a code, or refuses it, for whoever typed it to hear and on record.
pub(super) async fn entered(
    app: &App,
    by: &mut Orderer<'_>,
    id: RequestId,
    typed: &str,
) -> Result<String, Error> {
    share(app, by.peer.uid)?;
    let answer = Answer::parse(typed).map_err(|why| Error::Invalid(format!("{why}; no try was counted")))?;
    let whose = By::Caller(by.peer.uid);
    answered(app, by, whose, id, &answer).await
}

/// An answer takes one of what whoever types it has in an hour, root aside.
pub(super) fn share(app: &App, whose: Uid) -> Result<(), Error> {
    if !whose.is_root() {
        app.codes.take(whose, since_boot())?;
    }
    Ok(())
}

/// The same of an answer that has been read. `whose` tries it takes is not always whoever calls.
pub(super) async fn answered(
    app: &App,
    by: &mut Orderer<'_>,
    whose: By,
    id: RequestId,
    answer: &Answer,
) -> Result<String, Error> {
    let known = app.signers.codes();
    let keys = known.as_ref().as_ref().map_err(|why| Error::Refused(no_keys(why, whose.uid())))?;
    let heard = heard(app, by, whose, id, answer, keys).await?;
    match reviewed(app, by, &heard).await {
        Ok(ticket) => carried_out(ticket, async { json(&entry_of(app, id).await?) }).await,
        Err(error @ (Error::Refused(_) | Error::NotPermitted(_))) => {
            let why = zbus::DBusError::description(&error).unwrap_or_default().to_owned();
            let slot = answer.slot.symbol().value();
            let typed_by = whose.login();
            let event = Event::CodeRefused { request: id, slot, wrong: false, why, typed_by };
            // Nobody waits for the record of a refusal.
            drop(app.desk.follow_up(by.peer.actor(), |_| Ok(vec![event])));
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// Whose code it is. That one was wrong is on disk before anybody hears of it, so that whoever takes the power away after
/// each guess has no more guesses than others.
async fn heard(
    app: &App,
    by: &Orderer<'_>,
    whose: By,
    id: RequestId,
    answer: &Answer,
    keys: &CodeKeys,
) -> Result<Heard, Error> {
    let host_key = host_key(app)?;
    let mut outcome = None;
    let ticket = app.desk.follow_up(by.peer.actor(), |here| {
        match code::hear(here, id, answer, keys, &host_key, whose)? {
            Hearing::Right(heard) => {
                outcome = Some(Ok(heard));
                Ok(Vec::new())
            }
            Hearing::Wrong(why, event) => {
                outcome = Some(Err(why));
                Ok(vec![*event])
            }
        }
    })?;
    ticket.durable().await.map_err(Error::unconfirmed)?;
    let refused = |why: NoCode| NotDone::from(Refusal::from(why)).into();
    outcome.ok_or_else(|| Error::Busy("the code was not looked at; try again".to_owned()))?.map_err(refused)
}

async fn reviewed(app: &App, by: &mut Orderer<'_>, heard: &Heard) -> Result<Ticket, Error> {
    let id = heard.request;
    let briefing = app.desk.review_briefing(id)?;
    let accounts = signed::accounts(&briefing.policy, std::slice::from_ref(&heard.approves.principal));
    let accounts = accounts.map_err(|why| Error::from(NotDone::from(Refusal::from(NoCode::from(why)))))?;
    let judge =
        |here: Context<'_>, _: &Caller, lookups: &Lookups| code::review(here, heard, &accounts, lookups);
    Judged { id, also: &accounts, judge }.reviewed(app, by, briefing).await
}

fn host_key(app: &App) -> Result<String, Error> {
    let key = app.desk.notary.key();
    let key = key.ok_or_else(|| Error::Busy("there is no host key yet; try again".into()))?;
    Ok(fingerprint(&key.public()))
}

/// What is wrong with a file that root alone reads is for root alone.
fn no_keys(why: &str, by: Uid) -> String {
    if by.is_root() {
        format!("no code counts on this host now: {why}; correct it, and type: jitctl policy load")
    } else {
        format!(
            "no code counts on this host now, since {CODE_KEYS} does not load; root sees why with: jitctl code keys"
        )
    }
}

fn nobody() -> String {
    "no approver's key for codes is on this host; root puts the lines of 'jitctl code enroll' into /etc/jit/code-keys and \
     types: jitctl policy load"
        .to_owned()
}
