//! What can be told of a process, a session or a stay at a glance.

use jit_core::model::{Asking, Leader, Opener, Session, Stay};
use jit_core::time::Moment;
use jit_host::facts::lingers;

use super::{cgroups, processes};
use crate::peer::Peer;

/// The process at the other end of a question, as it was seen.
#[derive(Clone, Copy)]
pub(crate) struct SeenOpener {
    /// As it is found again later.
    pub(crate) opener: Opener,
    /// It runs inside another login: logind makes no session for what opens there, and its audit session is that login's.
    pub(crate) is_inside: bool,
}

/// Looks at the process that opens or closes a session, in this audit session.
pub(crate) fn opener(peer: Peer, audit: Option<u32>) -> Option<SeenOpener> {
    let leader = peer.process()?;
    let process = processes::read(leader.pid).filter(|process| process.id == leader);
    let is_inside = process.is_some_and(|process| process.unit.is_some());
    Some(SeenOpener { opener: Opener { leader, audit: audit.filter(|_| !is_inside) }, is_inside })
}

/// Looks at the process that asks whether somebody may come in. None where it has gone, or cannot be seen.
pub(crate) fn asking(peer: Peer) -> Option<Asking> {
    let process = peer.process()?;
    let seen = processes::read(process.pid).filter(|seen| seen.id == process)?;
    Some(Asking { process, parent: seen.parent(), group: seen.group().path().to_owned() })
}

/// Whether the process that opened a session is still there, as far as can be told.
pub(crate) fn is_there(session: &Session) -> bool {
    // A process that has ended serves nobody, whether or not its parent has taken note of that.
    let is_it = |leader: Leader| match processes::leader(leader.pid) {
        found if session.is_process() => found == Some(leader) && processes::read(leader.pid).is_some(),
        found => found == Some(leader),
    };
    session.leader.is_none_or(is_it)
}

/// Whether whoever was in it has left, as PAM says or, of a process that opened no session, as is seen.
pub(super) fn has_left(session: &Session) -> bool {
    session.closed || (session.is_process() && !is_there(session))
}

/// Whether something of a session runs, as far as can be told at a glance: who follows sessions looks at those of which
/// PAM says nothing once a minute.
pub(crate) fn runs(session: &Session) -> bool {
    is_there(session) || session.unit.as_ref().is_none_or(cgroups::runs_in)
}

/// What was there before somebody came and stays when they go, as far as can be told at a glance.
pub(crate) fn before(stay: &Stay, now: &Moment) -> Option<&'static str> {
    if stay.lingered && lingers(&stay.user) {
        return Some("lingers");
    }
    let is_before = |pid: &u32| processes::leader(*pid).is_some_and(|id| stay.is_before(id.start, now));
    cgroups::in_manager_of(stay.uid).iter().any(is_before).then_some("runs")
}
