//! Puts sessions that were found without their session line ([`super::adopt`]) into scopes of their own. They run already
//! and nobody waits: what is to be done is seen from the state, also by a jitd that has just started, and tried for as
//! long as they run. That one is in no scope for too long, whoever follows it says.

use std::sync::Arc;
use std::time::Duration;

use jit_core::context::Context;
use jit_core::event::Event;
use jit_core::model::{EndReason, EndTerms, Leader, Session, Unit, gets_a_scope};
use zruntime::SharedRuntime;

use super::index::Index;
use super::processes::Process;
use super::systemd::NoSystemd;
use super::{cgroups, enclose, processes};
use crate::app::App;
use crate::clock::since_boot;
use crate::desk::SLACK;
use crate::log;

/// How long systemd may take for one.
const A_TRY: Duration = Duration::from_secs(5);

/// How long after one could not be bound it is tried again: at first, and in the end.
const REST: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(10)];

/// The shortest limit that one gets from here; what it has to be is seen to next ([`super::limits`]).
const LEAST: Duration = Duration::from_mins(1);

/// How often what a leader started before it was bound is looked for. Whoever forks without a pause is bound all the
/// same: what is forked by what is in the scope, is in it.
const ROUNDS: usize = 5;

/// A session to be bound.
struct Wanted {
    session: u64,
    leader: Leader,
    limit: Duration,
}

/// Binds them for as long as jitd runs.
pub(crate) async fn keep_binding(app: Arc<App>, runtime: SharedRuntime) {
    let mut rest = REST[0];
    loop {
        let changed = app.desk.changed.listen();
        let wanted = app.desk.look(wanted).unwrap_or_default();
        if bind_all(&app, wanted).await {
            rest = REST[0];
            changed.await;
        } else {
            runtime.sleep(rest).await;
            rest = (rest * 2).min(REST[1]);
        }
    }
}

fn wanted(here: Context<'_>) -> Vec<Wanted> {
    let is_open = |session: &&Session| {
        session.adopted
            && session.unit.is_none()
            && session.over.is_none()
            && session.at.boot_id == here.now.boot_id
            && gets_a_scope(&session.login.service)
    };
    let of = |session: &Session| {
        let grant = here.state.grant(session.grant);
        let left = grant.map_or(Duration::ZERO, |grant| grant.remaining(here.now));
        let role = grant.and_then(|grant| here.policy.role(&grant.role));
        let kill = EndTerms::of(role, EndReason::Expired).kill;
        let limit = left.saturating_add(kill).saturating_add(SLACK).max(LEAST);
        Some(Wanted { session: session.id, leader: session.leader?, limit })
    };
    here.state.sessions().iter().filter(is_open).filter_map(of).collect()
}

/// Whether nothing is left to be tried again.
async fn bind_all(app: &App, wanted: Vec<Wanted>) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let Ok(all) = zruntime::unblock(processes::all).await else { return false };
    let index = Index::of(&all);
    let mut are_all = true;
    for one in wanted {
        match bind(app, &one, &index).await {
            Ok(()) | Err(NoSystemd::Absent) => {}
            // It has no time for the others either.
            Err(NoSystemd::Silent) => return false,
            Err(why) => {
                log::warning(format_args!("session {} has no scope yet: {why}", one.session));
                are_all = false;
            }
        }
    }
    are_all
}

/// Binds one, if its leader still runs.
async fn bind(app: &App, one: &Wanted, index: &Index<'_>) -> Result<(), NoSystemd> {
    let Some(leader) = index.get(one.leader) else { return Ok(()) };
    let home = leader.unit.clone();
    let pids: Vec<u32> = outside(index, leader, home.as_ref()).map(|process| process.id.pid).collect();
    let alone = vec![one.leader.pid];
    let until = || since_boot() + A_TRY;
    let made = enclose::put_into_scope(app, one.session, (one.leader, pids), one.limit, until()).await;
    let unit = match made {
        // Of many one has gone meanwhile, and systemd takes none of them.
        Err(NoSystemd::Said { .. } | NoSystemd::Refused(_)) => {
            enclose::put_into_scope(app, one.session, (one.leader, alone), one.limit, until()).await?
        }
        made => made?,
    };
    let (into, leader) = (unit.clone(), one.leader);
    zruntime::unblock(move || fetch(leader, home.as_ref(), &into)).await;
    placed(app, one, unit);
    Ok(())
}

/// The leader, and what it has started and is where it was itself: what is in another session's scope stays there.
fn outside<'p>(
    index: &Index<'p>,
    leader: &Process,
    home: Option<&Unit>,
) -> impl Iterator<Item = &'p Process> {
    let home = home.cloned();
    let leader = leader.id;
    index.below(leader).into_iter().filter(move |process| process.id == leader || process.unit == home)
}

/// Moves into the scope what the leader had started before, until there is nothing more of it outside.
fn fetch(leader: Leader, home: Option<&Unit>, unit: &Unit) {
    for _ in 0..ROUNDS {
        let Ok(all) = processes::all() else { return };
        let index = Index::of(&all);
        let Some(process) = index.get(leader) else { return };
        let mut is_more = false;
        for left in outside(&index, process, home).filter(|left| left.unit.as_ref() != Some(unit)) {
            is_more |= processes::read(left.id.pid).is_some_and(|now| now.id == left.id)
                && cgroups::move_into(unit, left.id.pid);
        }
        if !is_more {
            return;
        }
    }
}

/// Enters in the record where it is now: unless it is another session by now that has the number, since the store was read
/// again.
fn placed(app: &App, one: &Wanted, unit: Unit) {
    let placed = Event::SessionPlaced { session: one.session, unit };
    let is_it = |session: &Session| session.leader == Some(one.leader);
    let noted = app.desk.carry(|here| {
        let is_news = here.state.session(one.session).is_some_and(is_it) && here.state.is_news(&placed);
        Vec::from_iter(is_news.then(|| placed.clone()))
    });
    if let Err(err) = noted {
        log::error(err);
    }
}
