//! How jitd is, for `status`.

use std::sync::Arc;
use std::time::Duration;

use jit_core::access::{LoginUid, Method};
use jit_core::audit::about::About;
use jit_core::context::Context;
use jit_core::duration::Human;
use jit_core::event::{Event, Record};
use jit_core::model::{Caller, CarriedBy, Lock};
use jit_core::orders::lock::speaks_to;
use jit_core::policy::Subject;
use jit_core::room;
use jit_core::time::Utc;
use jit_proto::manager;

use super::access::may_read_all;
use super::stories::{entries, read, to_review};
use super::{Error, answer};
use crate::app::App;
use crate::desk::{InForce, Source};
use crate::peer::{Peer, kernel_tells_loginuid};
use crate::session::{processes, systemd};
use crate::sink;
use crate::store::log;

/// More sessions than this are not named in a note.
const MOST_NAMED: usize = 8;

/// After so long without one that left, the log is on its own. A site may look each day.
const OLD_CHECKPOINT: Duration = Duration::from_hours(24);

/// How jitd is, and the windows of somebody. It must answer above all when something is wrong.
pub(super) async fn status(app: &Arc<App>, peer: Peer, caller: &Subject) -> Result<manager::Status, Error> {
    let desk = &app.desk;
    let trouble = desk.trouble();
    // Without a policy `trouble` says why.
    let known = desk.policy().ok();
    let see_all = may_read_all(app, peer, caller);
    let active = match entries(app, false, peer, caller).await {
        Ok(entries) => {
            entries.into_iter().filter(|entry| matches!(entry.state.as_str(), "active" | "spent")).collect()
        }
        // Said in `notes`.
        Err(_) if trouble.is_some() => Vec::new(),
        Err(err) => return Err(err),
    };
    let mut notes: Vec<String> = trouble.iter().map(|why| format!("jitd cannot decide: {why}")).collect();
    // Reading the files takes a while and is for those who can do something about them.
    let files_current = if see_all && known.is_some() {
        files_are_in_force(app).await
    } else {
        known.as_ref().is_some_and(|known| known.source == Source::Files)
    };
    notes.extend(known.as_ref().filter(|_| !files_current).map(differing));
    if let Some(why) = desk.now().suspect {
        notes.push(format!(
            "THE CLOCK IS SUSPECT: it {why}; nothing new opens but emergency roles; see: jitctl clock"
        ));
    }
    notes.extend(of_changes(app, known.as_ref(), caller, see_all));
    notes.extend(of_the_host(!see_all && peer.login() == Ok(LoginUid::Unset) && desk.may_read_all(caller)));
    let stops = desk.look(|here| room::stops(here.state)).unwrap_or_default();
    notes.extend(app.store.room(stops).filter(|_| see_all));
    notes.extend(app.awaiting.notes());
    notes.extend(in_shared_processes(app).filter(|_| see_all));
    notes.extend(app.pam_files.notes(known.as_ref().map(|known| &*known.policy)));
    let trial = desk.trial();
    if let Some((_, left)) = trial {
        notes.push(format!(
            "the policy in force is on trial for another {}; to keep it, log in anew and run: jitctl confirm",
            Human(left)
        ));
    }
    let (to_review, locks) = of_the_caller(app, peer, see_all).await;
    let records = desk.next_seq().filter(|_| see_all);
    let unsent = match records {
        Some(next) => {
            // How far the logs have come goes to the disk with the next batch: here with an empty one. If that fails, jitd
            // says by itself why, and this counts what the store knew last.
            drop(desk.catch_up().await);
            let found = read(&app.store, move |store| sink::unsent(store, next)).await?;
            Some(found.into_iter().map(|(log, records)| manager::Unsent { log, records }).collect())
        }
        None => None,
    };
    let carried = match records {
        Some(_) => carried(app, &mut notes).await?,
        None => None,
    };
    Ok(manager::Status {
        version: env!("CARGO_PKG_VERSION").into(),
        host: desk.host.to_string(),
        ready: trouble.is_none(),
        notes,
        policy: manager::PolicySummary {
            waiting: waiting(app, known.as_ref(), caller, see_all),
            ..answer::summary(known.as_ref(), files_current, trial)
        },
        active,
        to_review,
        locks,
        audit_records: records,
        unsent,
        carried,
        key: desk.notary.key().map(|key| key.public().to_string()),
    })
}

/// The checkpoint that was carried away last. Where that is long ago, and there is a log that is older, a note says so.
async fn carried(app: &Arc<App>, notes: &mut Vec<String>) -> Result<Option<manager::CarriedAway>, Error> {
    let found = read(&app.store, |store| {
        let last = log::latest_about(store, About::Carried)?;
        Ok((last, log::records(store, 0, 1)?))
    });
    let (last, first) = found.await?;
    let read = |(seq, bytes): (u64, Vec<u8>)| Record::decode(seq, &bytes).ok();
    let last = last.and_then(read).and_then(|record| {
        let Event::CheckpointCarried { how, size } = record.event else { return None };
        Some((record.at.wall, how, size))
    });
    let since = last.as_ref().map(|(at, ..)| *at);
    let since = since.or_else(|| first.into_iter().next().and_then(read).map(|record| record.at.wall));
    if since.is_some_and(|since| app.desk.now().wall.since(since) > OLD_CHECKPOINT) {
        let what = if last.is_some() { "in the last 24 hours" } else { "yet" };
        notes.push(format!(
            "no checkpoint of the log was carried away {what}, so nothing outside can tell whether the log is cut off or \
             rewritten; keep one elsewhere: jitctl audit checkpoint"
        ));
    }
    let away = |(at, how, size): (Utc, CarriedBy, u64)| manager::CarriedAway {
        at: at.to_string(),
        how: how.as_str().to_owned(),
        size,
    };
    Ok(last.map(away))
}

/// Whether the policy files are what is in force.
pub(super) async fn files_are_in_force(app: &Arc<App>) -> bool {
    let app = Arc::clone(app);
    zruntime::unblock(move || app.desk.files_are_in_force()).await
}

fn differing(known: &InForce) -> String {
    if known.policy.change().is_some() {
        return "the policy files differ from the policy in force, which takes no other that was not approved; see: jitctl \
                policy waiting; or propose them: jitctl policy load"
            .to_owned();
    }
    let came_back = known.source == Source::Before;
    let why = if came_back { ", which came back after a trial that nobody confirmed" } else { "" };
    format!("the policy files differ from the policy in force{why}; run: jitctl policy load")
}

/// Whether they may see what waits to be said to changes of the policy.
fn sees_changes(known: Option<&InForce>, caller: &Subject, see_all: bool) -> bool {
    let rule = known.and_then(|known| known.policy.change());
    see_all || rule.is_some_and(|rule| rule.approvers.contains(caller))
}

/// The policy that waits for approvals.
fn waiting(app: &App, known: Option<&InForce>, caller: &Subject, see_all: bool) -> Option<String> {
    let waits = |here: Context<'_>| {
        let waiting = here.state.policy_changes().waiting.as_ref();
        waiting.map(|waiting| waiting.proposal.digest.to_string())
    };
    app.desk.look(waits).ok().flatten().filter(|_| sees_changes(known, caller, see_all))
}

/// What has to be said to changes of the policy.
fn of_changes(app: &App, known: Option<&InForce>, caller: &Subject, see_all: bool) -> Vec<String> {
    let found = app.desk.look(|here| here.state.policy_changes().clone());
    let changes = found.ok().filter(|_| sees_changes(known, caller, see_all)).unwrap_or_default();
    let needed = known.and_then(|known| known.policy.change()).map_or(0, |rule| rule.approvals);
    let waits = changes.waiting.map(|waiting| {
        format!(
            "a change of the policy, by {}, waits with {} of {needed} approvals; see: jitctl policy waiting",
            waiting.proposal.by,
            waiting.approved.len()
        )
    });
    let overridden = changes.overridden.map(|done| {
        format!(
            "THE POLICY IN FORCE WAS OVERRIDDEN by {} ({}), with no approvals; one of those who are asked acknowledges it \
             with: jitctl policy approve",
            done.what.by, done.what.reason
        )
    });
    waits.into_iter().chain(overridden).collect()
}

/// Who may be in beyond the end of their window, since the process that let them in serves others, too.
fn in_shared_processes(app: &App) -> Option<String> {
    let found = app.desk.look(|here| {
        let sessions = here.state.sessions().iter();
        sessions
            .filter_map(|one| Some(format!("{} ({})", one.login.user, one.goes_on_in()?)))
            .collect::<Vec<_>>()
    });
    let found = found.ok().filter(|found| !found.is_empty())?;
    let (most, more) = (found.iter().take(MOST_NAMED), found.len().saturating_sub(MOST_NAMED));
    let named = most.cloned().chain((more > 0).then(|| format!("{more} more"))).collect::<Vec<_>>();
    Some(format!(
        "whose window is over and who may be in all the same, until what runs there is restarted: {}",
        named.join(", ")
    ))
}

/// What this kernel and this machine lack, and the process that asks.
fn of_the_host(is_in_no_login: bool) -> Vec<String> {
    let notes = [
        (!kernel_tells_loginuid(), "this kernel does not tell login uids; reviews go by bus uid"),
        (
            is_in_no_login,
            "this process is in no login, so what is others' is not shown here; log in to see it",
        ),
        (
            processes::are_hidden(),
            "/proc hides processes from jitd (hidepid), so the ends of sessions are not enforced; start jitd by its \
             unit, jitd.service",
        ),
        (
            !systemd::is_there(),
            "this machine is not run by systemd: nobody is let in after a window's end, and nobody is put out",
        ),
    ];
    notes.into_iter().filter(|(holds, _)| *holds).map(|(_, note)| note.to_owned()).collect()
}

/// How much waits for the caller's review, and the locks that they may read.
async fn of_the_caller(app: &App, peer: Peer, see_all: bool) -> (usize, Vec<manager::Lock>) {
    let caller: Result<Caller, Error> = match app.orderer(Method::Status, peer).await {
        Ok(mut by) => by.reader().await,
        Err(unknown) => Err(unknown),
    };
    let Ok(caller) = caller else { return (0, Vec::new()) };
    let looked = app.desk.look(|here| {
        // Why somebody else is locked is not for everybody to read.
        let people = here.policy.people();
        let mine = |lock: &&Lock| see_all || lock.concerns(&caller.account, people);
        let locks = here.state.locks().values().filter(|lock| lock.holds(here.now));
        let shown = locks.filter(mine).map(|lock| {
            let speaks = see_all || speaks_to(here, lock, &caller.account);
            answer::lock(lock, speaks)
        });
        (to_review(here, &caller).count(), shown.collect())
    });
    looked.unwrap_or_default()
}
