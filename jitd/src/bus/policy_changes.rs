//! What waits for approvals before it comes into force, and what is said to it. Whether that counts is for
//! `jit_core::orders::policy_change` to say.

use std::sync::Arc;

use jit_core::access::Method;
use jit_core::context::Context;
use jit_core::digest::Digest;
use jit_core::model::Caller;
use jit_core::orders::policy_change::{Said, Way};
use jit_proto::manager;

use super::access::may_read_all;
use super::error::carried_out;
use super::words::{decision_of, json, optional_reason};
use super::{Error, Orderer, answer};
use crate::app::App;
use crate::desk::{LoadedBy, Looked, ReadPolicy, Word};
use crate::host_check::{Judged, Pass};

/// What has to be said to changes of the policy, for whoever may see it.
pub(super) async fn waiting(app: &Arc<App>, by: &mut Orderer<'_>) -> Result<String, Error> {
    let caller = by.reader().await?;
    if app.desk.policy_changes(&caller, may_read_all(app, by.peer, &caller.account))?.is_none() {
        return Err(not_asked());
    }
    let read = read(app).await;
    json(&changes(app, by, &caller, &read)?)
}

/// Takes a word on the policy that waits.
pub(super) async fn review(
    app: &Arc<App>,
    by: &mut Orderer<'_>,
    (digest, decision, note): (&str, &str, &str),
) -> Result<String, Error> {
    let seen = digest.parse().map_err(|_| Error::Invalid("a digest has 64 hex digits".into()))?;
    let decision = decision_of(decision)?;
    let said = Said { seen, decision, note: optional_reason(note)? };
    // Before anything is read for them.
    let caller = by.reader().await?;
    if app.desk.policy_changes(&caller, may_read_all(app, by.peer, &caller.account))?.is_none() {
        return Err(not_asked());
    }
    let read = read(app).await;
    let files = digest_of(&read);
    // What its author passed over, and the approvers were shown, does not keep it back now. What is new does.
    let shown = |here: Context<'_>| {
        let waiting = here.state.policy_changes().waiting.as_ref().map(|one| &one.proposal);
        waiting.filter(|proposal| proposal.digest == seen).map(|proposal| proposal.forced.clone())
    };
    let pass = Pass::Shown(app.desk.look(shown)?.unwrap_or_default());
    let of = Judged { host: &app.desk.host, in_force: app.desk.before(), pass };
    let fit = app.host_check.fit(&app.runtime, read.clone(), of).await.read;
    // That took its time: whether they still may is judged by what holds now.
    let mut by = app.orderer(Method::ReviewPolicy, by.peer).await?;
    let actor = by.peer.actor();
    let review = |looked: &Looked, trust| {
        let by = LoadedBy { looked, trust, actor, reason: None, way: Way::Usual, forced: &[] };
        app.desk.review_policy(files, &fit, &said, by)
    };
    let ticket = by.judged(Word::Nobody, review).await.map_err(|err| by.error(err))??;
    carried_out(ticket, async {
        let changes = changes(app, &by, &caller, &read).unwrap_or_default();
        let in_force = app.desk.policy()?.policy.digest() == seen;
        let trial = app.desk.trial().filter(|_| in_force).map(|(_, left)| left.as_secs());
        let (digest, decision) = (seen.to_string(), said.decision.as_str().to_owned());
        json(&manager::PolicyReviewed { digest, decision, in_force, trial, changes })
    })
    .await
}

fn not_asked() -> Error {
    Error::NotPermitted(
        "what waits is for those who are asked to approve it, for who has loaded it, and for admins and auditors".into(),
    )
}

/// The policy files as they are now. Reading them takes a while.
async fn read(app: &Arc<App>) -> ReadPolicy {
    let app = Arc::clone(app);
    zruntime::unblock(move || app.desk.read_policy()).await
}

fn digest_of(read: &ReadPolicy) -> Option<Digest> {
    read.as_ref().ok().map(|(policy, _)| policy.digest())
}

fn changes(
    app: &App,
    by: &Orderer<'_>,
    caller: &Caller,
    read: &ReadPolicy,
) -> Result<manager::PolicyChanges, Error> {
    let sees_all = may_read_all(app, by.peer, &caller.account);
    let files = digest_of(read);
    let seen = app.desk.policy_changes(caller, sees_all)?;
    let (changes, policy) = seen.ok_or_else(not_asked)?;
    Ok(answer::policy_changes(&changes, &policy, files))
}
