//! Logins whose account check was allowed and that never ask for their session, since the session line is missing from
//! their service's PAM file. They are the grant's all the same: the session that follows the check is found, listed, and
//! ended with its window. What follows one is judged in [`super::awaited`]. A service with its session line asks jitd
//! before that.
//!
//! Which checks nobody has asked after is known in memory; a jitd that starts reads the latest from the record.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jit_core::event::Event;
use jit_core::model::Session;
use jit_host::facts::has_session_line;
use zruntime::SharedRuntime;

use super::awaited::{Allowed, Awaited, Found, Next};
use super::awaiting::Waiting;
use super::index::Index;
use super::pace::OFTEN;
use super::{logins, processes};
use crate::app::App;
use crate::clock::since_boot;
use crate::desk::CheckRecord;
use crate::log;
use crate::session_of::Keys;

/// Looks for what follows allowed checks, for as long as jitd runs.
pub(crate) async fn keep_adopting(app: Arc<App>, runtime: SharedRuntime) {
    let mut last = None;
    loop {
        let come = app.awaiting.bell.listen();
        let now = since_boot();
        match app.awaiting.due(last) {
            None => come.await,
            Some(at) if now < at => drop(runtime.timeout(at.saturating_sub(now), come).await),
            Some(_) => {
                last = Some(now);
                if let Err(err) = look(&app, now).await {
                    log::error(format_args!("it cannot be told what runs: {err}"));
                    runtime.sleep(OFTEN * 10).await;
                }
            }
        }
    }
}

/// What a look came to: for each check its number and what became of it.
type Looked = Vec<(u64, Arc<Awaited>, Next)>;

/// Takes what has followed.
async fn look(app: &App, now: Duration) -> std::io::Result<()> {
    let waiting = app.awaiting.to_look_at();
    // Reading all that runs takes a while, and every check takes the lock.
    for (number, one, next) in zruntime::unblock(move || look_at(waiting, now)).await? {
        if !app.awaiting.became(number, &next) {
            continue;
        }
        let (found, is_there) = match next {
            Next::Came(found) => (found, true),
            Next::WasHere(found) => (found, false),
            Next::Wait(_) | Next::Nothing => continue,
        };
        adopt(app, &one, found, is_there);
    }
    Ok(())
}

fn look_at(waiting: Vec<Waiting>, now: Duration) -> std::io::Result<Looked> {
    let all = processes::all()?;
    let index = Index::of(&all);
    let is_gone = |one: &Awaited| index.get(one.asker.id).is_none();
    let logins = if waiting.iter().any(|(_, one, _)| is_gone(one)) { logins::all() } else { Vec::new() };
    let looked = waiting.into_iter().map(|(number, one, seen)| {
        let next = one.next(seen, &index, &logins, now);
        (number, one, next)
    });
    Ok(looked.collect())
}

/// Takes one for a session of its grant. Where jitd makes its scope, that is seen to next ([`super::bind`]).
fn adopt(app: &App, one: &Awaited, found: Found, is_there: bool) {
    let Allowed { check: CheckRecord { seq, grant, claims, .. }, role, basis, login, from } =
        one.allowed.clone();
    let claim = claims.then_some(seq);
    let Found { opener, unit } = found;
    let service = login.service.clone();
    let event = Event::SessionAdopted { grant, role, claim, opener, from, basis, login };
    let adopted = app.desk.carry(|here| {
        let is_it =
            |known: &Session| known.leader == Some(opener.leader) || (unit.is_some() && known.unit == unit);
        if here.state.sessions().iter().any(is_it) {
            return Vec::new();
        }
        let session = here.state.next_seq();
        // Where its opener has gone, nothing else shows where it ran.
        let placed = unit.clone().map(|unit| Event::SessionPlaced { session, unit });
        [event.clone()].into_iter().chain(placed).collect()
    });
    match adopted {
        Ok(0) => return,
        Ok(_) => {}
        Err(err) => return log::error(err),
    }
    // One that is over may have been on its way to asking.
    let lacks_line = is_there || !has_session_line(Path::new("/etc"), service.as_str());
    if lacks_line && one.shows_no_line() {
        app.awaiting.lacks_line(&service);
    }
    if let Some(audit) = opener.audit {
        app.sessions.opened(audit, &service, from, Keys::default());
    }
}
