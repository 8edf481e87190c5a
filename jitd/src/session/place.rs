//! Finding the scopes of sessions: pam_systemd(8) makes those of logins after jitd has been asked.

use std::collections::HashSet;
use std::time::Duration;

use jit_core::ending::Unit;
use jit_core::event::Event;
use jit_core::state::Session;

use super::processes::Process;
use super::{Follower, OFTEN, SELDOM, Seen, gets_a_scope, members, systemd};

/// How long logind may take to make a session's scope; after that there is probably none.
const WITHIN: Duration = Duration::from_secs(10);

/// How soon it usually has.
const SOON: Duration = Duration::from_secs(1);

/// Whether a session's scope is still waited for. One that had none in time may get it later, and is looked at with
/// everything else.
pub(super) const fn is_awaited(session: &Session) -> bool {
    session.unit.is_none() && !session.unbound && session.leader.is_some()
}

impl Follower {
    /// Finds the scopes of sessions, and says when to look again.
    pub(super) fn place(&self, seen: &Seen, all: &[Process]) -> Duration {
        let mut wait = SELDOM;
        if !systemd::is_there() {
            return wait;
        }
        let mut taken: HashSet<Unit> =
            seen.sessions.iter().filter_map(|session| session.unit.clone()).collect();
        for session in seen.sessions.iter().filter(|session| session.leader.is_some()) {
            let of_it = members(session, all, seen);
            let event = match (&session.unit, scope(session, &of_it, &taken)) {
                (_, Some(unit)) => {
                    taken.insert(unit.clone());
                    Event::SessionPlaced { session: session.id, unit }
                }
                (Some(_), None) => continue,
                // Its end is not to be waited for here.
                (None, None) if of_it.is_empty() => continue,
                (None, None) if session.unbound => continue,
                (None, None) if seen.now.since(&session.at) > WITHIN => Event::SessionUnbound {
                    session: session.id,
                    why: "it is in no scope of logind's or jitd's".into(),
                },
                (None, None) => {
                    let is_new = seen.now.since(&session.at) < SOON;
                    wait = wait.min(if is_new { OFTEN / 4 } else { OFTEN });
                    continue;
                }
            };
            self.record(event);
        }
        wait
    }
}

/// The scope that a session has come to since it was last looked at, if it has.
fn scope(session: &Session, of_it: &[&Process], taken: &HashSet<Unit>) -> Option<Unit> {
    let leader = session.leader?;
    let is_its_own = |unit: &&Unit| {
        if gets_a_scope(&session.login.service) {
            // They run in the scope of the session that they are called in until they have their own.
            **unit == Unit::of_session(session.id, leader) || session.unit.is_some()
        } else {
            unit.as_str().starts_with("session-")
        }
    };
    // It can go on to another, as su does where it is a login of its own. Only the one that opened it shows that: what
    // it has started may be anywhere.
    let shown_by = |process: &&&Process| session.unit.is_none() || process.id == leader;
    let mut units = of_it.iter().filter(shown_by).filter_map(|process| process.unit.as_ref());
    units.find(|unit| is_its_own(unit) && !taken.contains(*unit)).cloned()
}
