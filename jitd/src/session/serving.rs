//! Processes that asked whether somebody may come in and end with the window themselves (`ends = "process"` in policy):
//! what is of such a connection, and when it is over.
//!
//! Each is held by a pidfd (pidfd_open(2)) for as long as it is in, so that its end is seen when it comes. A jitd that
//! starts takes them up again by pid and start time, in the same boot: what has gone by then, or has another start time, is
//! another process, and nothing is ended for it.

use std::collections::{BTreeMap, HashSet};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use jit_core::context::Context;
use jit_core::model::{Leader, Session};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use zruntime::{AsyncIo, Shared, SharedRuntime, Task};

use super::index::Index;
use super::processes::{self, Process};
use crate::app::App;
use crate::log;

/// What is of the connection of a process: itself and what it has started. What of that has gone on without the one that
/// started it is the person's by its uid, where it runs in the same service, has started since they came in, and they
/// have no other connection there that it could be of.
pub(super) fn members<'p>(
    session: &Session,
    sessions: &[Session],
    index: &Index<'p>,
    all: &'p [Process],
) -> Vec<&'p Process> {
    let (Some(leader), Some(group), false) = (session.leader, &session.process_in, session.others) else {
        return Vec::new();
    };
    let mut found = index.below(leader);
    let Some(uid) = session.login.uid.filter(|uid| !uid.is_root()) else { return found };
    let of_person = |one: &&Session| {
        one.id != session.id && one.is_process() && one.login.uid == Some(uid) && one.over.is_none()
    };
    if sessions.iter().any(|one| of_person(&one)) {
        return found;
    }
    let known: HashSet<Leader> = found.iter().map(|process| process.id).collect();
    let stray = |process: &&Process| {
        let is_in_service = process.group().path() == group && process.is_in_service();
        is_in_service
            && process.runs_as(uid)
            && process.has_started_since(session.at.boot)
            && !known.contains(&process.id)
    };
    found.extend(all.iter().filter(stray));
    found
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
    use super::*;
    use crate::session::glance;
    use crate::session::place::tests::session;
    use crate::session::processes::tests::{among, with};

    const FTP: &str = "/system.slice/ftp.service";

    /// Process 229 of the service, in since 100 s after boot.
    fn hers() -> Session {
        let mut hers = session("vsftpd", None);
        hers.at.boot = 100_000;
        Session { leader: Some(Leader { pid: 229, start: 9_990 }), process_in: Some(FTP.to_owned()), ..hers }
    }

    fn of(session: &Session, sessions: &[Session], all: &[Process]) -> Vec<u32> {
        let found = members(session, sessions, &Index::of(all), all);
        found.iter().map(|process| process.id.pid).collect()
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
