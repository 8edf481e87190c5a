//! The checks that were allowed and whose session nobody has asked for yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jit_core::model::{Leader, Login};
use jit_proto::words::{ServiceName, Uid, subject_is_caller};

use super::awaited::{Allowed, Asker, Awaited, Next, SETTLED, Seen};
use super::processes;
use crate::clock::since_boot;
use crate::desk::CheckRecord;
use crate::log;
use crate::peer::Peer;

/// For how long something unsettled that follows a check holds up the end of what is left of its person: whoever starts
/// one thing after another must not hold it up for good.
const HELD: Duration = Duration::from_secs(10);

/// When it is looked for first: a login that has its line has asked by then, and costs no look.
const FIRST: Duration = Duration::from_millis(500);

/// More checks than this are not kept: one more takes the place of the oldest of whoever has most.
const MOST: usize = 4096;

/// The checks that were allowed and whose session has not been asked for, oldest first.
#[derive(Default)]
struct Kept {
    next: u64,
    all: BTreeMap<u64, (Arc<Awaited>, Option<Seen>)>,
}

/// A check, with its number and what was seen to follow it.
pub(super) type Waiting = (u64, Arc<Awaited>, Option<Seen>);

/// Whoever asked for a login, and who started them, as both were when they asked.
pub(crate) struct SeenAsker {
    asker: Asker,
    parent: Option<Leader>,
}

impl SeenAsker {
    /// Looks at them, where a login of this service may come of it: only root's processes bring any.
    pub(crate) fn look(peer: Peer, service: &ServiceName) -> Option<Self> {
        let called = peer.called().filter(|_| peer.uid.is_root())?;
        let asker = processes::read(called.pid).filter(|process| process.id == called)?;
        let parent = if subject_is_caller(service) { None } else { processes::leader(asker.parent()) };
        Some(Self { asker: Asker::of(&asker), parent })
    }
}

/// The same, shared.
#[derive(Default)]
pub(crate) struct Awaiting {
    kept: Mutex<Kept>,
    pub(super) bell: zruntime::Event,
    /// Services that were found to have no session line.
    without_line: Mutex<BTreeSet<ServiceName>>,
}

impl Awaiting {
    /// A check has been allowed.
    pub(crate) fn allowed(&self, SeenAsker { asker, parent }: SeenAsker, allowed: Allowed) {
        self.keep(Awaited {
            allowed,
            asker,
            parent,
            at: since_boot(),
            recalled: false,
            was_refused: AtomicBool::new(false),
        });
    }

    pub(super) fn keep(&self, awaited: Awaited) {
        let mut kept = lock(&self.kept);
        // A worker that checks one after another is waited for once for each person.
        let is_same =
            |one: &Awaited| one.asker.id == awaited.asker.id && one.allowed.login.is(&awaited.allowed.login);
        kept.all.retain(|_, (one, _)| !is_same(one));
        if kept.all.len() >= MOST {
            let of = |one: &Awaited| one.allowed.login.uid;
            let mut counts: HashMap<Option<Uid>, usize> = HashMap::new();
            for (one, _) in kept.all.values() {
                *counts.entry(of(one)).or_default() += 1;
            }
            let most = counts.into_iter().max_by_key(|(_, count)| *count).map(|(uid, _)| uid);
            let oldest = kept.all.iter().find(|(_, (one, _))| Some(of(one)) == most).map(|(nr, _)| *nr);
            oldest.map(|nr| kept.all.remove(&nr));
        }
        let number = kept.next;
        kept.next += 1;
        kept.all.insert(number, (Arc::new(awaited), None));
        drop(kept);
        self.bell.notify(usize::MAX);
    }

    /// A session has been asked for, and is refused or not: its service has the line. Whoever was let in only until then and
    /// is refused may come in all the same, where PAM or its service does not heed that: they are waited for on.
    pub(crate) fn asked(&self, peer: Peer, login: &Login, is_refused: bool) {
        self.asked_by(peer.process(), login, is_refused);
        if lock(&self.without_line).remove(&login.service) {
            log::notice(format_args!("{}: the session line of pam_jit.so is there again", login.service));
        }
    }

    /// The check that a process makes for the session that it, or the process that started it, asks for now.
    pub(crate) fn admitted(&self, peer: Peer, asked: &Login) -> Option<CheckRecord> {
        let leader = peer.process().filter(|_| peer.uid.is_root())?;
        let is_it = |one: &Awaited| {
            let login = &one.allowed.login;
            (one.asker.id == leader || one.parent == Some(leader))
                && login.service == asked.service
                && login.user == asked.user
        };
        let kept = lock(&self.kept);
        kept.all.values().map(|(one, _)| one).find(|one| is_it(one)).map(|one| one.allowed.check)
    }

    /// The session opened, of the check with this record.
    pub(super) fn opened(&self, seq: u64) {
        lock(&self.kept).all.retain(|_, (one, _)| one.allowed.check.seq != seq);
    }

    pub(super) fn asked_by(&self, leader: Option<Leader>, login: &Login, is_refused: bool) {
        let is_by =
            |one: &Awaited| leader.is_some() && (leader == Some(one.asker.id) || leader == one.parent);
        let mut kept = lock(&self.kept);
        let find = |is_it: &dyn Fn(&Awaited) -> bool| {
            kept.all.iter().find(|(_, (one, _))| is_it(one)).map(|(number, _)| *number)
        };
        let number = find(&is_by).or_else(|| find(&|one| one.allowed.login.is(login)));
        let Some(number) = number else { return };
        match kept.all.get(&number) {
            Some((one, _)) if is_refused && one.allowed.check.awaits_key => {
                one.was_refused.store(true, Ordering::Relaxed);
            }
            _ => drop(kept.all.remove(&number)),
        }
    }

    /// Whether a login of this person's may be about to be found.
    pub(super) fn may_bring(&self, uid: Uid) -> bool {
        let now = since_boot();
        let is_near = |one: &Awaited, seen: bool| {
            let age = now.saturating_sub(one.at);
            age < SETTLED * 2 || (seen && age < HELD)
        };
        let kept = lock(&self.kept);
        kept.all
            .values()
            .any(|(one, seen)| one.allowed.login.uid == Some(uid) && is_near(one, seen.is_some()))
    }

    #[cfg(test)]
    pub(super) fn may_bring_anything(&self) -> bool {
        !lock(&self.kept).all.is_empty()
    }

    /// What `status` says of it.
    pub(crate) fn notes(&self) -> Vec<String> {
        lock(&self.without_line).iter().map(missing_line).collect()
    }

    /// When to look next, by the boot clock, if something is waited for. `last` is when all were last looked at: what comes
    /// meanwhile is looked at with the others, so that however many come, there is no more than one look in that time.
    pub(super) fn due(&self, last: Option<Duration>) -> Option<Duration> {
        let due = |one: &Awaited, seen: bool| {
            let first = one.at.saturating_add(FIRST);
            match last {
                Some(last) if last >= first => last.saturating_add(one.wait(seen, last)),
                Some(last) => first.max(last.saturating_add(FIRST)),
                None => first,
            }
        };
        lock(&self.kept).all.values().map(|(one, seen)| due(one, seen.is_some())).min()
    }

    /// All that is waited for, each with what was seen to follow it.
    pub(super) fn to_look_at(&self) -> Vec<Waiting> {
        let kept = lock(&self.kept);
        kept.all.iter().map(|(nr, (one, seen))| (*nr, Arc::clone(one), seen.clone())).collect()
    }

    /// Takes note of what became of one, and says whether it is still waited for: meanwhile it may have asked.
    pub(super) fn became(&self, number: u64, next: &Next) -> bool {
        let mut kept = lock(&self.kept);
        match next {
            Next::Wait(seen) => {
                if let Some((_, known)) = kept.all.get_mut(&number) {
                    known.clone_from(seen);
                }
                false
            }
            Next::Came(_) | Next::WasHere(_) | Next::Nothing => kept.all.remove(&number).is_some(),
        }
    }
}

impl Awaiting {
    /// Whether a service was found to have none, whatever its file says.
    pub(crate) fn is_without_line(&self, service: &ServiceName) -> bool {
        lock(&self.without_line).contains(service)
    }

    /// PAM's files have changed, and by them this service has the line: it is believed again until somebody comes past it.
    pub(crate) fn may_have_line(&self, service: &ServiceName) {
        lock(&self.without_line).remove(service);
    }

    /// A service was found to have no session line. It is logged once.
    pub(super) fn lacks_line(&self, service: &ServiceName) {
        if lock(&self.without_line).insert(service.clone()) {
            log::error(missing_line(service));
        }
    }
}

fn missing_line(service: &ServiceName) -> String {
    format!(
        "MISSING: {service} has no session line of pam_jit.so, so its logins are found late and the host does not end \
         them without jitd; add to /etc/pam.d/{service} before its session lines: session required pam_jit.so"
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use jit_core::model::Opener;

    use super::super::awaited::Found;
    use super::*;
    use crate::session::awaited::tests::allowed;

    fn count(awaiting: &Awaiting) -> usize {
        lock(&awaiting.kept).all.len()
    }

    fn allow(awaiting: &Awaiting, peer: Peer) {
        let allowed = allowed("sshd");
        awaiting.allowed(SeenAsker::look(peer, &allowed.login.service).unwrap(), allowed);
    }

    /// One that was allowed so many seconds after the boot, by a process of this start time.
    fn kept_at(awaiting: &Awaiting, start: u64, at: Duration) {
        let allowed = allowed("sshd");
        let asker = Asker::recalled(Leader { pid: 4_194_305, start }, &allowed.login.service);
        awaiting.keep(Awaited {
            allowed,
            asker,
            parent: None,
            at,
            recalled: true,
            was_refused: AtomicBool::new(false),
        });
    }

    #[test]
    fn however_many_checks_are_allowed_what_runs_is_read_once_in_half_a_second() {
        let awaiting = Awaiting::default();
        let millis = Duration::from_millis;
        assert_eq!(awaiting.due(None), None, "nothing is waited for");
        kept_at(&awaiting, 1, millis(1_000));
        assert_eq!(awaiting.due(None), Some(millis(1_500)), "it has the time to ask");
        // Looked at: it is looked at again, and one more does not hurry that.
        let last = Some(millis(1_500));
        assert_eq!(awaiting.due(last), Some(millis(2_000)));
        for start in 2..100 {
            kept_at(&awaiting, start, millis(1_500 + start));
            assert_eq!(awaiting.due(last), Some(millis(2_000)), "{start}");
        }
        // One that came just before a look had no time to ask, and is looked at with the others.
        assert_eq!(awaiting.due(Some(millis(2_000))), Some(millis(2_500)));
        // An old one alone is looked at more seldom; one that comes then is not kept waiting by it.
        let awaiting = Awaiting::default();
        kept_at(&awaiting, 1, millis(1_000));
        let (last, later) = (Some(millis(100_000)), millis(101_000));
        assert_eq!(awaiting.due(last), Some(millis(105_000)));
        kept_at(&awaiting, 2, later);
        assert_eq!(awaiting.due(last), Some(later + FIRST));
    }

    #[test]
    fn a_check_of_somebody_unprivileged_brings_no_session() {
        let awaiting = Awaiting::default();
        let me = std::process::id();
        let peer = |uid: u32| Peer::new(Uid::try_from(uid).unwrap(), Some(me), None, since_boot());
        assert!(SeenAsker::look(peer(1001), &allowed("sshd").login.service).is_none());
        allow(&awaiting, peer(0));
        assert_eq!(count(&awaiting), 1);
        // The same again is waited for once; and no more when it has asked.
        allow(&awaiting, peer(0));
        assert_eq!(count(&awaiting), 1);
        awaiting.asked(peer(0), &allowed("sshd").login, false);
        assert_eq!(count(&awaiting), 0);
    }

    #[test]
    fn whoever_was_let_in_only_until_the_session_is_waited_for_on_when_that_is_refused() {
        let root = Peer::new(Uid::ROOT, Some(std::process::id()), None, since_boot());
        for (awaits_key, is_refused, left) in
            [(true, true, 1), (true, false, 0), (false, true, 0), (false, false, 0)]
        {
            let awaiting = Awaiting::default();
            let mut allowed = allowed("sshd");
            allowed.check.awaits_key = awaits_key;
            awaiting.allowed(SeenAsker::look(root, &allowed.login.service).unwrap(), allowed.clone());
            awaiting.asked(root, &allowed.login, is_refused);
            assert_eq!(count(&awaiting), left, "{awaits_key} {is_refused}");
            // It asked, so its line is there, and what is found of it says nothing else.
            for (_, one, _) in awaiting.to_look_at() {
                assert!(!one.shows_no_line());
            }
        }
    }

    #[test]
    fn a_service_that_somebody_came_past_is_believed_again_when_its_file_changes_or_a_session_asks() {
        let awaiting = Awaiting::default();
        let login = allowed("sshd").login;
        let root = Peer::new(Uid::ROOT, Some(std::process::id()), None, since_boot());
        let believe: [&dyn Fn(); 2] =
            [&|| awaiting.may_have_line(&login.service), &|| awaiting.asked(root, &login, true)];
        for believed in believe {
            awaiting.lacks_line(&login.service);
            assert!(awaiting.is_without_line(&login.service));
            believed();
            assert!(!awaiting.is_without_line(&login.service));
        }
    }

    #[test]
    fn one_that_asks_while_it_is_looked_at_is_not_taken_for_one_that_did_not() {
        let awaiting = Awaiting::default();
        let root = Peer::new(Uid::ROOT, Some(std::process::id()), None, since_boot());
        allow(&awaiting, root);
        let looked = awaiting.to_look_at();
        let (number, one, _) = &looked[0];
        awaiting.asked(root, &allowed("sshd").login, false);
        let opener = Opener { leader: one.asker.id, audit: None };
        assert!(!awaiting.became(*number, &Next::Came(Found { opener, unit: None })));
    }

    #[test]
    fn whoever_has_most_checks_that_nobody_asked_after_makes_room_for_one_more() {
        let awaiting = Awaiting::default();
        let of = |uid: u32, start: u64| {
            let mut allowed = allowed("sshd");
            allowed.login.uid = Uid::try_from(uid).ok();
            let id = Leader { pid: 4_194_305, start };
            let asker = Asker::recalled(id, &allowed.login.service);
            Awaited {
                allowed,
                asker,
                parent: None,
                at: Duration::ZERO,
                recalled: true,
                was_refused: AtomicBool::new(false),
            }
        };
        awaiting.keep(of(1002, 1));
        for start in 0..=u64::try_from(MOST).unwrap() {
            awaiting.keep(of(1001, start));
        }
        assert_eq!(count(&awaiting), MOST);
        let uid = Uid::try_from(1002).ok();
        assert!(lock(&awaiting.kept).all.values().any(|(one, _)| one.allowed.login.uid == uid));
    }
}
