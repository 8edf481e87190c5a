//! Requests and what became of them, read from the store and shown to whoever may see them.

use jit_core::context::Context;
use jit_core::model::{Caller, Pending};
use jit_core::orders::review::{is_asked, waits_for};
use jit_core::policy::Subject;
use jit_proto::manager;
use jit_proto::words::RequestId;
use zruntime::lock::Semaphore;

use super::access::{is_about, may_read_all};
use super::{Error, answer};
use crate::app::App;
use crate::peer::Peer;
use crate::store::rows::{self, Filter, Story};
use crate::store::{StoreError, StorePath};

/// Reads the store off the main thread: a slow disk must not keep a login waiting.
pub(super) async fn read<T: Send + 'static>(
    store: &StorePath,
    query: impl FnOnce(&rusqlite::Connection) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Error> {
    // Each takes a thread while it reads, and the unit has so many.
    static AT_A_TIME: Semaphore = Semaphore::new(16);
    let _turn = AT_A_TIME.acquire().await;
    let store = store.clone();
    let found = zruntime::unblock(move || query(&store.open_read_only()?)).await;
    Ok(found?)
}

/// A request, for somebody who may see it: whose it is, who is asked about it, admins and auditors.
pub(super) async fn story_for(
    app: &App,
    id: RequestId,
    peer: Peer,
    caller: &Subject,
) -> Result<Option<Story>, Error> {
    let story = read(&app.store, move |store| rows::story(store, id)).await?;
    Ok(story.filter(|story| {
        may_read_all(app, peer, caller)
            || is_about(&story.request.beneficiary, caller)
            || app.desk.look(|here| is_asked(here, &story.request, caller)).unwrap_or(false)
    }))
}

/// A request as an answer.
pub(super) fn entry(app: &App, story: &Story) -> manager::Entry {
    let (mut standing, now) = app.desk.standing(&[story.request.id]);
    answer::entry(story, standing.pop().unwrap_or_default(), &now)
}

/// A request that an order was about, as it is in the store now.
pub(super) async fn entry_of(app: &App, id: RequestId) -> Result<manager::Entry, Error> {
    let story = read(&app.store, move |store| rows::story(store, id)).await?;
    Ok(entry(app, &story.ok_or_else(|| Error::NotFound(id.to_string()))?))
}

/// For a list, which would be long with every signed text in it: `show` has them.
fn without_texts(mut entry: manager::Entry) -> manager::Entry {
    for signed in entry.reviews.iter_mut().filter_map(|review| review.signed.as_mut()) {
        signed.text.clear();
        signed.signature.clear();
    }
    entry
}

/// Requests and grants that somebody may see: those that live, or all.
pub(super) async fn entries(
    app: &App,
    all: bool,
    peer: Peer,
    caller: &Subject,
) -> Result<Vec<manager::Entry>, Error> {
    let uid = (!may_read_all(app, peer, caller)).then_some(caller.uid);
    let mut stories = read(&app.store, move |store| rows::stories(store, Filter { all, uid })).await?;
    stories.retain(|story| uid.is_none() || is_about(&story.request.beneficiary, caller));
    let ids: Vec<RequestId> = stories.iter().map(|story| story.request.id).collect();
    let (standing, now) = app.desk.standing(&ids);
    let entries =
        stories.iter().zip(standing).map(|(story, how)| without_texts(answer::entry(story, how, &now)));
    Ok(if all { entries.collect() } else { entries.filter(|entry| entry.state != "ended").collect() })
}

/// What waits for this caller, oldest first.
pub(super) fn to_review<'a>(here: Context<'a>, caller: &'a Caller) -> impl Iterator<Item = &'a Pending> {
    let mut all: Vec<_> = here.state.owed().values().chain(here.state.pending().values()).collect();
    all.sort_by_key(|pending| (pending.request.filed_at.wall, pending.request.id));
    all.into_iter().filter(move |pending| waits_for(here, pending, caller))
}
