//! A unit for each session of which logind makes none (su, sudo, cron, at), before it opens: what cannot be found again
//! cannot be ended, and a session whose end cannot be enforced is not opened (DESIGN law 12).
//!
//! Whether it opens must not depend on how busy anybody keeps systemd: it is asked on its private socket, which is served
//! beside the bus, and in the time that the module waits for its answer.

use std::time::Duration;

use jit_core::event::Event;
use jit_core::model::{Leader, Unit};

use super::record::record;
use super::systemd::NoSystemd;
use super::{processes, systemd};
use crate::app::App;
use crate::clock::since_boot;
use crate::log;

/// How long after the question was asked an answer is still in time: the module waits for 3 s unless its line says
/// otherwise.
const IN_TIME: Duration = Duration::from_secs(2);

/// However long the question has taken before.
const AT_LEAST: Duration = Duration::from_millis(500);

/// A session that could not be put into a unit of its own. The text is the reason in the record.
#[derive(Debug, thiserror::Error)]
#[error("it could not be put into a unit of its own: {0}")]
pub(crate) struct NotEnclosed(#[from] NoSystemd);

/// Puts a session that is about to open into a scope of its own. `asked` is when its question came, by the boot clock.
pub(crate) async fn enclose(
    app: &App,
    session: u64,
    leader: Option<Leader>,
    limit: Duration,
    asked: Duration,
) -> Result<(), NotEnclosed> {
    if !systemd::is_there() {
        // Nothing is enforced here, as `status` says.
        return Ok(());
    }
    let until = asked.saturating_add(IN_TIME).max(since_boot().saturating_add(AT_LEAST));
    let unit = {
        let leader = leader.ok_or(NoSystemd::NotMoved)?;
        put_into_scope(app, session, (leader, vec![leader.pid]), limit, until).await?
    };
    record(app, Event::SessionPlaced { session, unit });
    Ok(())
}

/// Lets a session be that is in no unit: root's own, who can leave any.
pub(crate) fn leave_unbound(app: &App, session: u64, why: &NotEnclosed) {
    log::warning(format_args!("session {session} has no scope, so its end cannot be proven: {why}"));
    record(app, Event::SessionUnbound { session, why: why.to_string(), others: false });
}

/// Puts the leader of a session, and others that it has started, into a scope of their own.
pub(super) async fn put_into_scope(
    app: &App,
    session: u64,
    (leader, pids): (Leader, Vec<u32>),
    limit: Duration,
    until: Duration,
) -> Result<Unit, NoSystemd> {
    let unit = Unit::of_session(session, leader);
    let now = processes::read(leader.pid).filter(|now| now.id == leader).ok_or(NoSystemd::NotMoved)?;
    // Under the same slice as before: pam_systemd would otherwise take su for a login from nowhere, and open a session
    // of logind's for it.
    let slice = now.slice().unwrap_or("system.slice");
    app.systemd.enclose(&unit, (leader, pids), slice, limit, until).await?;
    Ok(unit)
}
