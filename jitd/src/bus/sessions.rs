//! Who is in now, as answers to people.

use jit_core::order::Here;
use jit_core::person::Caller;
use jit_core::standing::may_see;
use jit_core::state::Session;
use jit_proto::manager;
use jit_proto::words::Uid;

use super::user::may_read_all;
use super::{App, Error};
use crate::session;

/// The sessions that run now and that the caller may see: their own; for admins and auditors, everybody's.
pub(super) fn in_now(app: &App, caller: &Caller) -> Result<Vec<manager::Session>, Error> {
    let see_all = may_read_all(app, &caller.account);
    let shown: Vec<Session> = app.desk.look(|here| {
        let of_this_boot = here.state.sessions().iter().filter(|one| one.at.boot_id == here.now.boot_id);
        of_this_boot.filter(|one| see_all || may_see(here, caller, one)).cloned().collect()
    })?;
    // What runs is looked at outside of the desk: it takes its time.
    let running = shown.into_iter().filter(session::runs).map(|one| (session::is_there(&one), one));
    let running: Vec<_> = running.collect();
    let answers =
        |here: Here<'_>| running.iter().map(|(is_there, one)| answer(here, one, *is_there)).collect();
    Ok(app.desk.look(answers)?)
}

/// A session as it stands.
pub(super) fn answer(here: Here<'_>, session: &Session, is_there: bool) -> manager::Session {
    let grant = here.state.grant(session.grant);
    let left = match &session.over {
        Some(over) => Some(over.terms.kill.saturating_sub(here.now.since(&over.at))),
        None => grant.map(|grant| grant.remaining(here.now)),
    };
    let state = match (&session.over, session.closed || !is_there) {
        (Some(_), _) => "ending",
        (None, true) => "closed",
        (None, false) => "open",
    };
    manager::Session {
        id: session.id,
        user: session.login.user.to_string(),
        uid: session.login.uid.map(Uid::as_u32),
        service: session.login.service.to_string(),
        target: session.login.target.as_ref().map(ToString::to_string),
        from: session.login.rhost.clone(),
        tty: session.login.tty.clone(),
        grant: session.grant.to_string(),
        role: grant.map(|grant| grant.role.to_string()),
        since: session.at.wall.to_seconds(),
        until: left.map(|left| here.now.wall.plus(left).to_seconds()),
        remaining: left.map_or(0, |left| left.as_secs()),
        state: state.to_owned(),
        ended: session.over.as_ref().map(|over| over.why.to_string()),
        unit: session.unit.as_ref().map(ToString::to_string),
        enforced: session.unit.is_some(),
    }
}
