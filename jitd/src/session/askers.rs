//! Who asked lately whether somebody may log in: what nobody asked about is told apart by it, and nothing is decided.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jit_core::model::Leader;

use super::processes;
use crate::clock::since_boot;
use crate::peer::Peer;

/// For how long a login may follow its check: what sshd lets somebody take (LoginGraceTime), and more.
const FOLLOWS: Duration = Duration::from_mins(5);

/// More of those who asked are not kept: the oldest make room.
const MOST: usize = 4096;

/// Who asked lately whether somebody may log in, by pid; and who had started whoever asked, which may be a daemon that starts
/// others, too.
#[derive(Default)]
pub(crate) struct Askers(Mutex<BTreeMap<u32, Asked>>);

#[derive(Clone, Copy)]
struct Asked {
    at: Duration,
    /// It asked itself.
    itself: bool,
}

impl Askers {
    /// A process of root's asks, at the account stage. sshd asks in a child of the one that opens the session.
    pub(crate) fn asks(&self, peer: Peer, is_login: bool) {
        let Some(asker) = peer.called().filter(|_| peer.uid.is_root()) else { return };
        let parent = is_login.then(|| processes::read(asker.pid)).flatten().map(|process| process.parent());
        self.note(asker, parent, since_boot());
    }

    pub(super) fn note(&self, asker: Leader, parent: Option<u32>, now: Duration) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() + 2 > MOST {
            all.retain(|_, asked| now.saturating_sub(asked.at) < FOLLOWS);
        }
        while all.len() + 2 > MOST {
            let oldest = all.iter().min_by_key(|(_, asked)| asked.at).map(|(pid, _)| *pid);
            oldest.map(|pid| all.remove(&pid));
        }
        if let Some(pid) = parent.filter(|pid| *pid > 1) {
            let itself =
                all.get(&pid).is_some_and(|asked| asked.itself && now.saturating_sub(asked.at) < FOLLOWS);
            all.insert(pid, Asked { at: now, itself });
        }
        all.insert(asker.pid, Asked { at: now, itself: true });
    }

    /// Whether the process that opened a session, or one that it had started, asked shortly before that began; or whoever had
    /// started it did.
    pub(super) fn asked(&self, leader: u32, parent: Option<u32>, began: Duration) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_of_it = |asked: &&Asked| began.saturating_sub(asked.at) < FOLLOWS;
        let by_leader = all.get(&leader).filter(is_of_it);
        let by_parent = parent.and_then(|parent| all.get(&parent)).filter(is_of_it);
        by_leader.is_some() || by_parent.is_some_and(|asked| asked.itself)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_ask_so_many_are_kept_and_the_newest_are_known() {
        let askers = Askers::default();
        for pid in 2..20_000 {
            askers.note(Leader { pid, start: 1 }, None, Duration::from_secs(u64::from(pid) / 1000));
        }
        assert!(askers.0.lock().unwrap().len() <= MOST);
        assert!(
            askers.asked(19_999, None, Duration::from_secs(20))
                && !askers.asked(2, None, Duration::from_secs(20))
        );
    }
}
