//! Who is in now, as answers to people.

use std::collections::{BTreeMap, BTreeSet};

use jit_core::context::Context;
use jit_core::model::{Caller, Session, Stay};
use jit_core::sessions::coverage::may_see;
use jit_proto::manager;
use jit_proto::words::Uid;

use super::Error;
use super::access::may_read_all;
use crate::app::App;
use crate::peer::Peer;
use crate::session;

/// The sessions that run now and that the caller may see: their own; for admins and auditors, everybody's.
pub(super) fn in_now(app: &App, peer: Peer, caller: &Caller) -> Result<Vec<manager::Session>, Error> {
    let see_all = may_read_all(app, peer, &caller.account);
    let shown: Vec<Session> = app.desk.look(|here| {
        let of_this_boot = here.state.sessions().iter().filter(|one| one.at.boot_id == here.now.boot_id);
        of_this_boot.filter(|one| see_all || may_see(here, caller, one)).cloned().collect()
    })?;
    // What runs is looked at outside of the desk: it takes its time.
    let running = shown.into_iter().filter(session::runs).map(|one| (session::is_there(&one), one));
    let running: Vec<_> = running.collect();
    let uids: BTreeSet<Uid> = running.iter().filter_map(|(_, one)| one.login.uid).collect();
    let stays: Vec<Stay> = app.desk.look(|here| {
        let now = uids.iter().filter_map(|uid| here.state.stay(*uid));
        now.cloned().collect()
    })?;
    let now = app.desk.now();
    let before: BTreeMap<Uid, String> =
        stays.iter().filter_map(|stay| Some((stay.uid, session::before(stay, &now)?.to_owned()))).collect();
    let answers = |here: Context<'_>| {
        running.iter().map(|(is_there, one)| with_before(here, one, *is_there, &before)).collect()
    };
    Ok(app.desk.look(answers)?)
}

fn with_before(
    here: Context<'_>,
    one: &Session,
    is_there: bool,
    before: &BTreeMap<Uid, String>,
) -> manager::Session {
    let before = one.login.uid.and_then(|uid| before.get(&uid).cloned());
    manager::Session { before, ..answer(here, one, is_there) }
}

/// A session as it stands.
pub(super) fn answer(here: Context<'_>, session: &Session, is_there: bool) -> manager::Session {
    let grant = here.state.grant(session.grant);
    let left = match &session.over {
        Some(_) if session.goes_on() => None,
        Some(over) => Some(over.terms.kill.saturating_sub(here.now.since(&over.at))),
        None => grant.map(|grant| grant.remaining(here.now)),
    };
    let state = match (&session.over, session.closed || !is_there) {
        (Some(_), _) if session.goes_on() => "goes-on",
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
        enforced: session.unit.is_some() || (session.is_process() && !session.others),
        process: session.leader.filter(|_| session.is_process()).map(|leader| leader.pid),
        audit: session.audit,
        person: session.login.person.as_ref().map(ToString::to_string),
        keys: session.login.keys.iter().map(ToString::to_string).collect(),
        before: None,
    }
}
