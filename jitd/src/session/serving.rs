//! Processes that asked whether somebody may come in and end with the window themselves (`ends = "process"` in policy):
//! what is of such a connection, and when it is over.
//!
//! Each is held by a pidfd (pidfd_open(2)) for as long as it is in, so that its end is seen when it comes. A jitd that
//! starts takes them up again by pid and start time, in the same boot: what has gone by then, or has another start time, is
//! another process, and nothing is ended for it.

use std::collections::{BTreeMap, HashSet};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use jit_core::context::Context;
use jit_core::model::{Leader, Session, is_service};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use zruntime::{AsyncIo, Shared, SharedRuntime, Task};

use super::cgroups;
use super::look::Look;
use super::processes::{self, Process};
use crate::app::App;
use crate::log;

/// What is of the connection of a process: itself and what it has started. What of that has gone on without the one that
/// started it is the person's by its uid, where it runs in the same service of the system's, has started since they are
/// here, and they have no other connection there that it could be of.
pub(super) fn members<'p>(session: &Session, look: &Look<'p>) -> Vec<&'p Process> {
    let (Some(leader), false) = (session.leader, session.others) else { return Vec::new() };
    let mut found = look.index.below(leader);
    if !has_others(session, look.sessions) {
        found.extend(strays(session, look));
    }
    // Whatever is on record: neither the machine nor jitd.
    found.retain(|process| process.id.pid > 1 && process.id.pid != std::process::id());
    found
}

/// A session that is about to go, as its record has it: with something that runs on there and could be of it as well as of
/// another connection, it is not known to have ended.
///
/// `left` is when its process was first seen to have gone, by the boot clock.
pub(super) fn at_its_end(session: &Session, left: Duration, look: &Look<'_>) -> Session {
    let is_left = has_others(session, look.sessions) && !strays(session, look).is_empty();
    Session { unbound: session.unbound || is_left || may_yet_serve(session, left, look), ..session.clone() }
}

/// Whether something may yet turn out to serve whoever came in by a process that has gone: a server can hand them to a
/// process of its own, which outlives the one that asked and becomes the person later. In the same service and started no
/// sooner than the one that asked and no later than nothing of it was found any more (`left`, by the boot clock), it has
/// lost whoever started it, as such a process has, and is nobody's who is here.
pub(super) fn may_yet_serve(session: &Session, left: Duration, look: &Look<'_>) -> bool {
    let (Some(leader), Some(group), true) = (session.leader, &session.process_in, session.is_bound()) else {
        return false;
    };
    if !is_service(group) || look.index.get(leader).is_some() {
        return false;
    }
    let is_anybodys = |process: &Process| look.came.keys().any(|uid| process.runs_as(*uid));
    let is_in = |process: &Process| look.sessions.iter().any(|one| one.leader == Some(process.id));
    look.all.iter().any(|process| {
        process.parent() == 1
            && process.id.start >= leader.start
            && process.has_started_by(left)
            && process.group().path() == group
            && !is_anybodys(process)
            && !is_in(process)
    })
}

/// The control group of the service that a session's process ran in, as it is now: there may be none, or another.
pub(super) fn group_of(session: &Session) -> Option<u64> {
    session.process_in.as_deref().filter(|group| is_service(group)).and_then(cgroups::number)
}

fn has_others(session: &Session, sessions: &[Session]) -> bool {
    sessions.iter().any(|one| {
        one.id != session.id
            && one.process_in == session.process_in
            && one.login.uid == session.login.uid
            && one.over.is_none()
    })
}

/// What is a person's in the service and below no process of theirs that is in. Of one that is not claimed to end whole,
/// nothing.
fn strays<'p>(session: &Session, look: &Look<'p>) -> Vec<&'p Process> {
    let uid = session.login.uid.filter(|uid| !uid.is_root());
    let (Some(uid), Some(group), true) = (uid, &session.process_in, session.is_bound()) else {
        return Vec::new();
    };
    if !is_service(group) {
        return Vec::new();
    }
    let since = look.came.get(&uid).map_or(session.at.boot, |came| session.at.boot.min(*came));
    let in_group = look.sessions.iter().filter(|one| one.process_in.as_ref() == Some(group));
    let leaders = in_group.filter_map(|one| one.leader);
    let known: HashSet<Leader> =
        leaders.flat_map(|leader| look.index.below(leader)).map(|process| process.id).collect();
    let is_stray = |process: &&Process| {
        process.group().path() == group
            && process.runs_as(uid)
            && process.has_started_since(since)
            && !known.contains(&process.id)
    };
    look.all.iter().filter(is_stray).collect()
}

/// More processes than this are not held: those are seen to be gone when everything is looked at.
const MOST: usize = 4096;

/// Holds the processes that are in for as long as jitd runs, and has sessions looked at when one of them has gone.
pub(crate) async fn keep_holding(app: Arc<App>, runtime: SharedRuntime) {
    let mut held: BTreeMap<u64, (Leader, Task<(), Shared>)> = BTreeMap::new();
    loop {
        let changed = app.desk.changed.listen();
        let wanted = app.desk.look(wanted).unwrap_or_default();
        // A number may be another session's by now, since the store was read again.
        held.retain(|session, (leader, _)| wanted.get(session) == Some(leader));
        for (session, leader) in wanted {
            if held.len() < MOST && !held.contains_key(&session) {
                held.insert(
                    session,
                    (leader, runtime.spawn("process", hold(Arc::clone(&app), runtime.clone(), leader))),
                );
            }
        }
        changed.await;
    }
}

fn wanted(here: Context<'_>) -> BTreeMap<u64, Leader> {
    let is_in = |session: &&Session| session.is_process() && session.at.boot_id == here.now.boot_id;
    let sessions = here.state.sessions().iter().filter(is_in);
    sessions.filter_map(|session| Some((session.id, session.leader?))).collect()
}

/// Waits for one to end. Where it cannot be held, it has gone, or is found to be gone later.
async fn hold(app: Arc<App>, runtime: SharedRuntime, leader: Leader) {
    match pinned(leader).map(|process| AsyncIo::new(&runtime, process)) {
        Some(Ok(process)) => {
            if let Err(err) = process.readable().await {
                return log::warning(format_args!("process {} cannot be waited for: {err}", leader.pid));
            }
        }
        Some(Err(err)) => return log::warning(format_args!("process {} cannot be held: {err}", leader.pid)),
        None => {}
    }
    app.desk.changed.notify(usize::MAX);
}

/// A pidfd of exactly this process. What the descriptor holds is one process for good; that it is the right one is looked
/// up after it is held.
fn pinned(process: Leader) -> Option<OwnedFd> {
    let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw)?;
    let held = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    (processes::leader(process.pid) == Some(process)).then_some(held)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::session::follower::Done;
    use crate::session::glance;
    use crate::session::index::Index;
    use crate::session::pace::SELDOM;
    use crate::session::place::tests::session;
    use crate::session::processes::tests::{among, with};

    const FTP: &str = "/system.slice/ftp.service";

    /// When a process of hers was seen to have gone.
    const LEFT: Duration = Duration::from_millis(100_200);

    /// Process 229 of the service, in since 100 s after boot.
    fn hers() -> Session {
        let mut hers = session("vsftpd", None);
        hers.at.boot = 100_000;
        Session { leader: Some(Leader { pid: 229, start: 9_990 }), process_in: Some(FTP.to_owned()), ..hers }
    }

    fn with_look<T>(
        (sessions, all): (&[Session], &[Process]),
        came: Option<u64>,
        then: impl Fn(&Look<'_>) -> T,
    ) -> T {
        let came = came.map(|since| (1001.try_into().unwrap(), since)).into_iter().collect();
        let taken = HashMap::new();
        then(&Look { all, index: Index::of(all), taken: &taken, sessions, came: &came })
    }

    fn of(session: &Session, sessions: &[Session], all: &[Process]) -> Vec<u32> {
        with_look((sessions, all), None, |look| {
            members(session, look).iter().map(|process| process.id.pid).collect()
        })
    }

    #[test]
    fn what_is_of_a_connection_is_its_process_what_that_started_and_what_of_the_persons_runs_on_without_it() {
        let nobody = (65_534, None, None);
        let person = (1001, None, None);
        let all = [
            among((200, 1, 10), FTP, (0, None, None)),
            among((229, 200, 9_990), FTP, (0, None, None)),
            among((230, 229, 9_995), FTP, nobody),
            among((231, 229, 10_001), FTP, person),
            // It has left its parents behind.
            among((240, 1, 10_050), FTP, person),
            // Before she came, elsewhere, and somebody else's.
            among((241, 1, 9_000), FTP, person),
            among((242, 1, 10_050), "/system.slice/other.service", person),
            among((243, 1, 10_050), FTP, (1002, None, None)),
        ];
        let hers = hers();
        assert_eq!(of(&hers, std::slice::from_ref(&hers), &all), [229, 230, 231, 240]);
        // Its process has gone: of what it started, what is hers.
        let without: Vec<Process> = all.iter().filter(|process| process.id.pid != 229).cloned().collect();
        assert_eq!(of(&hers, std::slice::from_ref(&hers), &without), [231, 240]);
        // Of another connection of hers it could be.
        let second = Session { id: 18, leader: Some(Leader { pid: 250, start: 10_040 }), ..hers.clone() };
        assert_eq!(of(&hers, &[hers.clone(), second], &without), [0_u32; 0]);
        // A process that took the pid, and one that serves others, too.
        let later = Session { leader: Some(Leader { pid: 229, start: 9_000 }), ..hers.clone() };
        assert_eq!(of(&later, std::slice::from_ref(&later), &all), [231, 240]);
        let others = Session { others: true, ..hers.clone() };
        assert_eq!(of(&others, std::slice::from_ref(&others), &all), [0_u32; 0]);
        // In no service, as where somebody runs a server in their login, only what it started is its own.
        let scope = "/user.slice/user-0.slice/session-1.scope";
        let in_login = Session { process_in: Some(scope.to_owned()), ..hers };
        let stray = [with(among((240, 1, 10_050), scope, person), 240, 1, "x")];
        assert_eq!(of(&in_login, std::slice::from_ref(&in_login), &stray), [0_u32; 0]);
    }

    #[test]
    fn what_an_earlier_connection_of_the_same_stay_left_goes_with_the_last_and_is_not_passed_over_before() {
        let person = (1001, None, None);
        let all = [
            among((200, 1, 10), FTP, (0, None, None)),
            among((229, 200, 9_990), FTP, (0, None, None)),
            // Since she is here, before this connection.
            among((240, 1, 9_000), FTP, person),
            among((241, 1, 7_000), FTP, person),
        ];
        let hers = hers();
        let (alone, came) = (std::slice::from_ref(&hers), Some(80_000));
        let of = |session: &Session, sessions: &[Session]| {
            with_look((sessions, &all), came, |look| {
                let pids: Vec<u32> = members(session, look).iter().map(|process| process.id.pid).collect();
                (pids, at_its_end(session, Duration::MAX, look).is_bound())
            })
        };
        assert_eq!(of(&hers, alone), (vec![229, 240], true));
        // It may be of either connection: it is not ended with one, and that one is not said to have ended whole.
        let second = Session { id: 18, leader: Some(Leader { pid: 250, start: 10_040 }), ..hers.clone() };
        assert_eq!(of(&hers, &[hers.clone(), second.clone()]), (vec![229], false));
        let elsewhere = Session { process_in: Some("/system.slice/imap.service".to_owned()), ..second };
        assert_eq!(of(&hers, &[hers.clone(), elsewhere]), (vec![229, 240], true));
        // What may be there without a window is not hers to lose.
        let unbound = Session { unbound: true, ..hers.clone() };
        assert_eq!(of(&unbound, std::slice::from_ref(&unbound)), (vec![229], false));
    }

    #[test]
    fn what_a_process_handed_somebody_to_and_is_not_theirs_yet_keeps_them_in_and_is_not_said_to_have_ended() {
        let root = (0, None, None);
        let hers = hers();
        let waits = |sessions: &[Session], all: &[Process]| {
            with_look((sessions, all), Some(99_000), |look| {
                (may_yet_serve(&hers, LEFT, look), at_its_end(&hers, LEFT, look).is_bound())
            })
        };
        let server = among((200, 1, 10), FTP, root);
        let asked = among((229, 200, 9_990), FTP, root);
        let handed = among((240, 1, 9_992), FTP, root);
        let alone = std::slice::from_ref(&hers);
        assert_eq!(waits(alone, &[server.clone(), handed.clone()]), (true, false));
        assert_eq!(
            waits(alone, &[server.clone(), asked, handed.clone()]),
            (false, true),
            "it is still there itself"
        );
        // What the server started, and what ran before.
        assert_eq!(waits(alone, &[server.clone(), among((241, 200, 9_995), FTP, root)]), (false, true));
        assert_eq!(waits(alone, &[server.clone(), among((241, 1, 9_980), FTP, root)]), (false, true));
        // What has come since, as when the service was restarted.
        assert_eq!(waits(alone, &[among((260, 1, 10_021), FTP, root)]), (false, true));
        // Elsewhere; hers, which is found as that; and a process that is known to serve.
        let elsewhere = among((240, 1, 9_992), "/system.slice/other.service", root);
        assert_eq!(waits(alone, &[server.clone(), elsewhere]), (false, true));
        assert_eq!(
            waits(alone, &[server.clone(), among((240, 1, 9_992), FTP, (1001, None, None))]),
            (false, true)
        );
        let second = Session { id: 18, leader: Some(handed.id), ..hers.clone() };
        assert_eq!(waits(&[hers.clone(), second], &[server.clone(), handed.clone()]), (false, true));
        // Of a process that serves others nothing is claimed.
        let unbound = Session { unbound: true, ..hers.clone() };
        let of = |look: &Look<'_>| may_yet_serve(&unbound, LEFT, look);
        assert!(!with_look((std::slice::from_ref(&unbound), &[server, handed]), None, of));
    }

    #[test]
    fn what_is_started_by_something_that_was_found_is_found_and_what_comes_later_is_not() {
        let hers = hers();
        let started = |pid, start| among((pid, 1, start), FTP, (0, None, None));
        let serves = |done: &mut Done, now, all: &[Process]| {
            let left = done.left(&hers, Duration::from_millis(now));
            let serves = with_look((std::slice::from_ref(&hers), all), Some(99_000), |look| {
                may_yet_serve(&hers, left, look)
            });
            done.is_gone_again(!serves);
            serves
        };
        let mut done = Done::default();
        assert!(serves(&mut done, 100_200, &[started(240, 9_992)]));
        // Between two looks it has started another, and gone.
        assert!(serves(&mut done, 100_300, &[started(241, 10_025)]));
        assert!(!serves(&mut done, 100_400, &[]));
        assert!(!serves(&mut done, 100_500, &[started(260, 10_045)]));
        // Nor for ever what goes on being found.
        let mut done = Done::default();
        let late = 100_200 + u64::try_from(SELDOM.as_millis()).unwrap();
        assert!(serves(&mut done, 100_200, &[started(240, 9_992)]));
        assert!(serves(&mut done, late + 500, &[started(241, late / 10 - 1)]));
        assert!(!serves(&mut done, late + 600, &[started(242, late / 10 + 55)]));
        // A service that was restarted is in a group of its own, in which nothing is of before.
        let mut done = Done::default();
        done.group = Some(1);
        assert!(!serves(&mut done, 100_200, &[started(240, 9_992)]));
    }

    #[test]
    fn what_runs_in_a_persons_own_manager_is_never_of_a_connection() {
        let manager = "/user.slice/user-1001.slice/user@1001.service";
        let hers = Session { process_in: Some(manager.to_owned()), ..hers() };
        let all = [among((240, 1, 10_050), manager, (1001, None, None))];
        assert_eq!(of(&hers, std::slice::from_ref(&hers), &all), [0_u32; 0]);
        let sub = format!("{FTP}/sub");
        let hers = Session { process_in: Some(sub.clone()), ..hers };
        let all = [among((240, 1, 10_050), &sub, (1001, None, None))];
        assert_eq!(of(&hers, std::slice::from_ref(&hers), &all), [0_u32; 0]);
    }

    #[test]
    fn a_process_that_has_ended_is_not_there_before_its_parent_has_seen_that() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let leader = processes::leader(child.id());
        let serves = Session { leader, ..hers() };
        assert!(glance::is_there(&serves));
        processes::signal_to(leader.unwrap(), rustix::process::Signal::KILL);
        let has_ended = || processes::read(child.id()).is_none();
        while !has_ended() {
            std::thread::yield_now();
        }
        assert_eq!(processes::leader(child.id()), leader, "nobody has waited for it");
        assert!(!glance::is_there(&serves) && glance::has_left(&serves));
        drop(child.wait());
    }

    #[test]
    fn a_process_is_held_that_is_the_one_that_asked_and_none_that_took_its_pid() {
        let me = processes::leader(std::process::id()).unwrap();
        assert!(pinned(me).is_some());
        assert!(pinned(Leader { start: me.start + 1, ..me }).is_none());
        assert!(pinned(Leader { pid: 4_194_305, start: 1 }).is_none());
    }
}
