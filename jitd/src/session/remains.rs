//! What systemd and logind keep of a login that was ended while it came in: pam_systemd had asked for its session, and the
//! scope is made when its process has gone. Nothing runs in it, and without us it is there until somebody looks: an empty
//! scope, or one that failed, and a session that is `closing` for good.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jit_core::model::{Leader, Session, Unit, gets_a_scope};

use super::logins::Login;
use super::processes;
use crate::clock::since_boot;

/// How long after the end of a session it is looked whether something of it has come to be: pam_systemd waits for logind
/// for 25 s at most, and logind's job in systemd may take longer.
const LOOKS: [Duration; 6] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(90),
];

/// More of them at once are not looked after: what they left stands there empty, and keeps nobody in.
const MOST: usize = 4096;

/// What is left of a login, if anything is.
#[derive(Clone, Debug)]
pub(super) struct Remains {
    /// The scope that it had, or that logind would have given it.
    pub(super) unit: Unit,
    /// The process that opened it.
    leader: Option<Leader>,
    /// When it had gone, by the boot clock.
    at: Duration,
    looks: usize,
}

/// The logins that were ended of late.
#[derive(Default)]
pub(crate) struct Ended {
    all: Mutex<Vec<Remains>>,
    pub(super) bell: zruntime::Event,
}

impl Ended {
    /// A session that was ended has gone.
    pub(super) fn gone(&self, session: &Session) {
        let by_audit = || session.audit.and_then(|audit| format!("session-{audit}.scope").parse().ok());
        if session.over.is_none() || gets_a_scope(&session.login.service) {
            return;
        }
        let Some(unit) = session.unit.clone().or_else(by_audit) else { return };
        let mut all = lock(&self.all);
        if all.len() >= MOST {
            all.remove(0);
        }
        all.push(Remains { unit, leader: session.leader, at: since_boot(), looks: 0 });
        drop(all);
        self.bell.notify(usize::MAX);
    }
}

/// When to look next, by the boot clock, if something may be left.
pub(super) fn next_look(ended: &Ended) -> Option<Duration> {
    lock(&ended.all).iter().filter_map(Remains::next).min()
}

/// Those to look at now.
pub(super) fn due(ended: &Ended, now: Duration) -> Vec<Remains> {
    let mut all = lock(&ended.all);
    let mut found = Vec::new();
    for one in all.iter_mut().filter(|one| one.next().is_some_and(|next| next <= now)) {
        one.looks += 1;
        found.push(one.clone());
    }
    all.retain(|one| one.next().is_some());
    found
}

impl Remains {
    /// Whether a scope of this name is of the login that was ended, and nothing runs in it: by name it is ended, and
    /// another login may have that by now. `login` is what logind knows of it.
    ///
    /// The number of an audit session comes once in a boot. logind's own count (`c1`) begins anew with logind: a session
    /// so named is of that login if the same process opened it.
    pub(super) fn is_what_is_there(&self, login: Option<&Login>, runs: bool) -> bool {
        if runs {
            return false;
        }
        if !self.unit.as_str().starts_with("session-c") {
            return true;
        }
        let opened = login.and_then(|login| login.leader);
        self.leader.is_some_and(|leader| {
            let another = processes::leader(leader.pid).is_some_and(|now| now != leader);
            opened == Some(leader.pid) && !another
        })
    }

    fn next(&self) -> Option<Duration> {
        LOOKS.get(self.looks).map(|after| self.at.saturating_add(*after))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GONE: Leader = Leader { pid: 4_194_305, start: 7 };

    fn left(unit: &str, leader: Leader) -> Remains {
        Remains { unit: unit.parse().unwrap(), leader: Some(leader), at: Duration::from_secs(100), looks: 0 }
    }

    #[test]
    fn what_may_be_left_is_looked_for_a_few_times_and_then_no_more() {
        let ended = Ended::default();
        lock(&ended.all).push(left("session-4.scope", GONE));
        assert!(due(&ended, Duration::from_secs(100)).is_empty(), "it is on its way out");
        for after in LOOKS {
            assert_eq!(due(&ended, Duration::from_secs(100) + after).len(), 1, "{after:?}");
        }
        assert!(lock(&ended.all).is_empty());
    }

    #[test]
    fn a_later_session_that_logind_counted_alike_is_not_ended_in_the_place_of_an_earlier_one() {
        let opened_by = |pid| Login { leader: Some(pid), ..Login::default() };
        let counted = left("session-c1.scope", GONE);
        assert!(counted.is_what_is_there(Some(&opened_by(GONE.pid)), false), "the same");
        assert!(!counted.is_what_is_there(Some(&opened_by(812)), false), "another's");
        assert!(!counted.is_what_is_there(None, false), "logind may be about to make it");
        // Of another process that has the pid by now.
        let me = processes::leader(std::process::id()).unwrap();
        let before = left("session-c1.scope", Leader { start: me.start - 1, ..me });
        assert!(!before.is_what_is_there(Some(&opened_by(me.pid)), false));
        // The number of an audit session is nobody else's.
        let by_audit = left("session-4.scope", GONE);
        assert!(
            by_audit.is_what_is_there(None, false) && by_audit.is_what_is_there(Some(&opened_by(812)), false)
        );
    }

    #[test]
    fn what_something_runs_in_is_not_taken_away_as_what_is_left_of_a_login() {
        let login = Login { leader: Some(GONE.pid), ..Login::default() };
        for unit in ["session-4.scope", "session-c1.scope"] {
            assert!(!left(unit, GONE).is_what_is_there(Some(&login), true), "{unit}");
        }
    }
}
