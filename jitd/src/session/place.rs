//! Finding the scopes of sessions: pam_systemd(8) makes those of logins after jitd has been asked.

use std::time::Duration;

use jit_core::event::Event;
use jit_core::model::{Session, Unit, gets_a_scope};

use super::follower::{Follower, Seen, is_awaited, members};
use super::look::{Look, Taken};
use super::pace::{OFTEN, SELDOM};
use super::processes::{self, Process};
use super::systemd;

/// How long logind may take to make a session's scope; after that there is probably none.
const WITHIN: Duration = Duration::from_secs(10);

/// How soon it usually has, and jitd makes its own.
const SOON: Duration = Duration::from_secs(1);

impl Follower {
    /// Finds the scopes of sessions that are new by the processes that open them, and says when to look again.
    pub(super) fn place_by_leaders(&self, seen: &Seen, taken: &Taken<'_>) -> Duration {
        let mut wait = SELDOM;
        for session in seen.sessions.iter().filter(|session| is_awaited(session)) {
            let opener = session
                .leader
                .and_then(|leader| processes::read(leader.pid).filter(|process| process.id == leader));
            // Without its opener it takes a look at everything.
            if let Some(opener) = opener {
                wait = wait.min(self.place_one(seen, session, &[&opener], taken));
            }
        }
        wait
    }

    /// Finds the scopes of all others, by all that runs, and says when to look again.
    pub(super) fn place(&self, seen: &Seen, look: &Look<'_>) -> Duration {
        let may_come = |session: &&Session| session.leader.is_some() && !session.is_process();
        let with_leader = seen.sessions.iter().filter(may_come);
        with_leader
            .map(|session| self.place_one(seen, session, &members(session, look), look.taken))
            .min()
            .unwrap_or(SELDOM)
    }

    fn place_one(&self, seen: &Seen, session: &Session, of_it: &[&Process], taken: &Taken<'_>) -> Duration {
        let age = seen.now.since(&session.at);
        let makes = session.unit.is_none() && gets_a_scope(&session.login.service);
        if !systemd::is_there() || (makes && age < SOON) {
            // None is made, or it is just being.
            return if makes { OFTEN } else { SELDOM };
        }
        if let Some(unit) = scope(session, of_it, taken) {
            self.record(Event::SessionPlaced { session: session.id, unit });
        } else if is_awaited(session) && !of_it.is_empty() {
            if age < WITHIN {
                return if age < SOON { OFTEN / 4 } else { OFTEN };
            }
            let why = "it is in no scope of logind's or jitd's".into();
            self.record(Event::SessionUnbound { session: session.id, why, others: false });
        }
        SELDOM
    }
}

/// The scope that a session has come to since it was last looked at, if it has.
fn scope(session: &Session, of_it: &[&Process], taken: &Taken<'_>) -> Option<Unit> {
    let leader = session.leader?;
    let own = Unit::of_session(session.id, leader);
    let is_its_own = |process: &Process, unit: &Unit| match &session.unit {
        // It runs in the scope of the login that it is called in until it has its own.
        None => *unit == own || is_of_login(session, process, unit),
        // It can go on to another, as su does where it is a login of its own. Only its opener shows that: what it has
        // started may be anywhere.
        Some(known) => *known == own && *unit != own && process.id == leader,
    };
    of_it
        .iter()
        .filter_map(|process| Some((process, process.unit.as_ref()?)))
        .find(|(process, unit)| {
            is_its_own(process, unit) && taken.get(*unit).is_none_or(|id| *id == session.id)
        })
        .map(|(_, unit)| unit.clone())
}

/// Whether a scope is the one that logind made for a login, and not that of another login around it: logind names it by
/// the audit session where that is known and not taken (sd_session_get_id(3)), and by a count of its own (`c1`) else.
fn is_of_login(session: &Session, process: &Process, unit: &Unit) -> bool {
    if gets_a_scope(&session.login.service) {
        return false;
    }
    let by_audit = session.audit.map(|audit| format!("session-{audit}.scope"));
    let by_count = unit.as_str().starts_with("session-c");
    by_audit.is_some_and(|name| unit.as_str() == name)
        || (by_count && session.login.uid.is_some_and(|uid| process.is_in_slice_of(uid)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::session::processes::tests::process;
    use jit_core::model::{Basis, Leader, Login};
    use jit_core::time::{BootId, Moment, Utc};
    use jit_proto::words::Uid;

    pub(in crate::session) fn session(service: &str, audit: Option<u32>) -> Session {
        let login = Login {
            service: service.parse().unwrap(),
            user: "maria".parse().unwrap(),
            uid: Some(Uid::try_from(1001).unwrap()),
            target: None,
            rhost: String::new(),
            tty: String::new(),
            keys: Vec::new(),
            person: None,
        };
        Session {
            id: 17,
            grant: "g-00000001".parse().unwrap(),
            login,
            role: None,
            basis: Basis::default(),
            place: None,
            by: None,
            at: Moment::believed(Utc::from_unix_millis(0), 0, BootId::default()),
            leader: Some(Leader { pid: 7, start: 1 }),
            audit,
            from: None,
            unit: None,
            process_in: None,
            others: false,
            unbound: false,
            adopted: false,
            closed: false,
            closed_at: None,
            moved: false,
            over: None,
        }
    }

    fn placed(session: &Session, cgroup: &str) -> Option<String> {
        let process = process(cgroup, 1001, Some(1001));
        scope(session, &[&process], &Taken::new()).map(String::from)
    }

    #[test]
    fn a_login_is_in_the_scope_that_logind_made_for_it_and_in_no_other_that_it_was_started_in() {
        let own = "/user.slice/user-1001.slice/session-4.scope";
        assert_eq!(placed(&session("sshd", Some(4)), own).as_deref(), Some("session-4.scope"));
        // An sshd that root started in a login of its own.
        let roots = "/user.slice/user-0.slice/session-1.scope";
        assert_eq!(placed(&session("sshd", Some(4)), roots), None);
        assert_eq!(placed(&session("sshd", None), roots), None);
        // Counted by logind: the number of the audit session was taken, or is not known.
        let counted = "/user.slice/user-1001.slice/session-c2.scope";
        assert_eq!(placed(&session("login", Some(4)), counted).as_deref(), Some("session-c2.scope"));
        // It opened inside another login: whatever that is in is not its own.
        assert_eq!(placed(&session("doas", None), own), None);
    }

    #[test]
    fn su_is_in_the_scope_around_it_until_it_has_its_own_and_may_go_on_from_there() {
        let mut session = session("su", Some(4));
        assert_eq!(placed(&session, "/user.slice/user-1001.slice/session-4.scope"), None);
        let own = "/user.slice/user-1001.slice/jit-17-7.scope";
        assert_eq!(placed(&session, own).as_deref(), Some("jit-17-7.scope"));
        session.unit = Some("jit-17-7.scope".parse().unwrap());
        let targets = "/user.slice/user-1004.slice/session-c9.scope";
        assert_eq!(placed(&session, targets).as_deref(), Some("session-c9.scope"));
    }
}
