//! How long the host lets a session be: RuntimeMaxSec as a backstop, and so lifted as soon as it is known that a session
//! goes on for longer than was so when it opened (its window is extended, another covers it, policy has changed).
//!
//! On a task of its own: before version 253 systemd has to read all its files anew for that, which takes long where
//! there are many.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jit_core::context::Context;
use jit_core::model::{EndReason, EndTerms, Unit};
use jit_core::sessions::coverage;
use jit_core::time::Moment;
use zruntime::SharedRuntime;

use super::people::People;
use crate::app::App;
use crate::clock::since_boot;
use crate::desk::SLACK;
use crate::log;

/// How long after the host would not take a new limit it is asked again, the first time and at most.
const AGAIN: [Duration; 2] = [Duration::from_secs(2), Duration::from_mins(1)];

/// When the host ends each session, by the boot clock; the whole of time is never.
type Limits = HashMap<u64, Duration>;

/// A limit that is not what it should be.
struct Wanted {
    session: u64,
    unit: Unit,
    /// From the beginning of the session.
    limit: Option<Duration>,
    at: Duration,
}

/// Keeps the host's limits for as long as jitd runs.
pub(crate) async fn keep_limits(app: Arc<App>, people: Arc<People>, runtime: SharedRuntime) {
    let mut limits = Limits::new();
    let mut again = AGAIN[0];
    let mut loads = app.desk.loads();
    loop {
        let changed = app.desk.changed.listen();
        // Of a state that was lost: its sessions never were, and their numbers are given out anew.
        if std::mem::replace(&mut loads, app.desk.loads()) != loads {
            limits.clear();
        }
        let wanted = app.desk.look(|here| wanted(here, &people, &mut limits)).unwrap_or_default();
        let units: Vec<_> = wanted.iter().map(|wanted| (&wanted.unit, wanted.limit)).collect();
        match app.systemd.set_limits(&units).await {
            Ok(()) => {
                limits.extend(wanted.into_iter().map(|wanted| (wanted.session, wanted.at)));
                again = AGAIN[0];
                changed.await;
            }
            Err(err) => {
                log::warning(format_args!("the host keeps its limits on {} sessions: {err}", units.len()));
                runtime.sleep(again).await;
                again = (again * 2).min(AGAIN[1]);
            }
        }
    }
}

/// The sessions whose limit has to change. Those that are new have the limit that they were given when they opened.
fn wanted(here: Context<'_>, people: &People, limits: &mut Limits) -> Vec<Wanted> {
    limits.retain(|id, _| here.state.session(*id).is_some());
    let open = here.state.sessions().iter().filter(|session| session.over.is_none());
    let wanted = open.filter_map(|session| {
        let unit = session.unit.clone()?;
        let grant = here.state.grant(session.grant);
        let own = grant.map_or(Duration::ZERO, |grant| grant.remaining(here.now));
        let left = coverage::outlook(here, session, &people.in_session(session));
        let role = grant.and_then(|grant| here.policy.role(&grant.role));
        let kill = EndTerms::of(role, EndReason::Expired).kill;
        let at = since_boot().saturating_add(left).saturating_add(kill).saturating_add(SLACK);
        let known = limits.get(&session.id).copied().or_else(|| {
            // As it was given when it opened, or by a jitd before this one.
            let as_given = !session.moved && !session.adopted && left <= own;
            as_given.then(|| *limits.entry(session.id).or_insert(at))
        });
        // Shorter does not matter, jitd ends it before: unless it was none at all.
        let differs = known.is_none_or(|known| {
            at > known.saturating_add(Duration::from_secs(1)) || (known == Duration::MAX && at != known)
        });
        differs.then(|| Wanted { session: session.id, unit, limit: limit(left, at, &session.at), at })
    });
    wanted.collect()
}

/// From the beginning of a session until `at`; none where nothing ends it.
fn limit(left: Duration, at: Duration, began: &Moment) -> Option<Duration> {
    (left != Duration::MAX).then(|| at.saturating_sub(Duration::from_millis(began.boot)))
}
