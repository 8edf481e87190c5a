//! Of all that runs when somebody's window is over: what the window brought, what was there before, and what is
//! somebody else's (law 12).
//!
//! What logind calls something decides nothing: it makes a session, with a scope of another name, for every su that runs
//! outside of one, as in a user's manager. A login spares anything only where it came from outside: not out of what the
//! person runs, and not in the audit session of one of the window's logins, which everything that these have started
//! carries and nothing without CAP_AUDIT_CONTROL changes.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jit_core::model::{Session, Stay, Unit};
use jit_core::time::Moment;
use jit_proto::words::{ServiceName, Uid, subject_is_caller};

use super::logins::Login;
use super::processes::Process;

/// A chain of parents that is longer is no chain.
const MOST_PARENTS: usize = 256;

/// What to sort by.
pub(super) struct Sort<'a> {
    /// The uid of the person.
    pub(super) uid: Uid,
    /// Since when they are here by windows.
    pub(super) stay: &'a Stay,
    /// Every session that jitd follows.
    pub(super) sessions: &'a [Session],
    /// The audit sessions of their logins.
    pub(super) audits: HashSet<u32>,
    /// Everything that runs.
    pub(super) all: &'a [Process],
    pub(super) now: &'a Moment,
}

/// What runs, sorted.
#[derive(Debug, Default)]
pub(super) struct Sorted<'p> {
    /// What the window brought: it goes.
    pub(super) window: Vec<&'p Process>,
    /// What ran before.
    pub(super) before: Vec<&'p Process>,
    /// What has started since in the same unit, from what ran before: whoever came may have had it started.
    pub(super) since: Vec<&'p Process>,
    /// Logins from outside, and whether something may be theirs that runs elsewhere, as in their manager.
    pub(super) outside: BTreeMap<&'p Unit, bool>,
    /// What is theirs, or may be.
    pub(super) outsiders: Vec<&'p Process>,
    /// What runs in another person's session that goes on.
    pub(super) others: Vec<&'p Process>,
}

impl Sorted<'_> {
    /// Whether something in the person's slice is not the window's, so that the slice cannot go as a whole.
    pub(super) fn spares_in_slice_of(&self, uid: Uid) -> bool {
        self.kept().any(|process| process.is_in_slice_of(uid))
    }

    /// Whether the person is in by a login from outside, too: their manager is one for all of their logins.
    pub(super) fn is_shared(&self) -> bool {
        self.outside.values().any(|shares| *shares)
    }

    /// The processes that stay, since they are not the window's.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Process> {
        let kept = [&self.before, &self.since, &self.outsiders, &self.others];
        kept.into_iter().flatten().copied()
    }
}

impl<'a> Sort<'a> {
    /// Sorts what is a person's, or came out of their logins. `login` tells what logind knows of a scope.
    pub(super) fn run(&self, login: impl Fn(&Unit) -> Option<Login>) -> Sorted<'a> {
        let by_pid: BTreeMap<u32, &Process> =
            self.all.iter().map(|process| (process.id.pid, process)).collect();
        let mut sorted = Sorted { outside: self.outside(&by_pid, login), ..Sorted::default() };
        let others = self.sessions.iter().filter(|one| one.login.uid != Some(self.uid));
        let (units, leaders): (HashSet<_>, HashSet<_>) =
            others.map(|one| (one.unit.as_ref(), one.leader)).unzip();
        // Where its leader has gone since it was last looked at, as su does into a session that logind makes for it.
        let moved = self.all.iter().filter(|process| leaders.contains(&Some(process.id)));
        let units: HashSet<_> = units.into_iter().chain(moved.map(|leader| leader.unit.as_ref())).collect();
        let me = std::process::id();
        for process in self.all.iter().filter(|process| process.id.pid != me) {
            if !process.is_of(self.uid) && !self.is_ours(process) {
                continue;
            }
            let unit = process.unit.as_ref();
            let place = if (unit.is_some() && units.contains(&unit)) || leaders.contains(&Some(process.id)) {
                &mut sorted.others
            } else if unit.is_some_and(|unit| sorted.outside.contains_key(unit)) {
                &mut sorted.outsiders
            } else if self.is_ours(process) || unit.is_some() {
                // In a scope of a session, jitd's or logind's, that did not come from outside.
                &mut sorted.window
            } else if self.is_before(process) {
                &mut sorted.before
            } else if self.comes_from_before(process, &by_pid) {
                &mut sorted.since
            } else if !sorted.is_shared() {
                &mut sorted.window
            } else {
                // Whose this is cannot be told.
                &mut sorted.outsiders
            };
            place.push(process);
        }
        sorted
    }

    /// Whether it came out of one of the window's logins, by the audit session.
    fn is_ours(&self, process: &Process) -> bool {
        process.audit.is_some_and(|audit| self.audits.contains(&audit))
    }

    fn is_before(&self, process: &Process) -> bool {
        self.stay.is_before(process.id.start, self.now)
    }

    /// Whether something of the person's from before has started it where that runs itself: in the same control group all
    /// the way. What cron or at starts for people is not of before, though these are.
    fn comes_from_before(&self, process: &Process, by_pid: &BTreeMap<u32, &Process>) -> bool {
        let mut parents = parents(process, by_pid);
        parents
            .by_ref()
            .take_while(|parent| parent.is_with(process))
            .any(|parent| parent.is_of(self.uid) && self.is_before(parent))
    }

    /// The scopes of the person's logins that came from outside.
    fn outside(
        &self,
        by_pid: &BTreeMap<u32, &'a Process>,
        login: impl Fn(&Unit) -> Option<Login>,
    ) -> BTreeMap<&'a Unit, bool> {
        let known: BTreeSet<&Unit> = self.sessions.iter().filter_map(|one| one.unit.as_ref()).collect();
        let mut scopes: BTreeMap<&Unit, &Process> = BTreeMap::new();
        let in_scopes = self.all.iter().filter(|process| process.is_in_slice_of(self.uid));
        for (process, unit) in in_scopes.filter_map(|process| Some((process, process.unit.as_ref()?))) {
            if unit.as_str().starts_with("session-") && !known.contains(unit) {
                // Its leader, or what has been there for longest where that is gone.
                let oldest = scopes.entry(unit).or_insert(process);
                if process.id.start < oldest.id.start {
                    *oldest = process;
                }
            }
        }
        let mut outside = BTreeMap::new();
        let mut audits = HashSet::new();
        let mut inside = Vec::new();
        for (unit, oldest) in scopes {
            let login = login(unit).unwrap_or_default();
            let leader = login.leader.and_then(|pid| by_pid.get(&pid).copied());
            let leader = leader.filter(|leader| leader.unit.as_ref() == Some(unit)).unwrap_or(oldest);
            if self.is_from_outside(unit, leader, &login.service, by_pid) {
                // What root runs as them by su is no login that they could have started anything in.
                outside.insert(unit, !goes_on(&login.service));
                audits.extend(leader.audit);
            } else {
                inside.push((unit, leader));
            }
        }
        // What came out of a login from outside is of that one.
        let of_those = |leader: &Process| leader.audit.is_some_and(|audit| audits.contains(&audit));
        outside
            .extend(inside.into_iter().filter(|(_, leader)| of_those(leader)).map(|(unit, _)| (unit, true)));
        outside
    }

    fn is_from_outside(
        &self,
        unit: &Unit,
        leader: &Process,
        service: &str,
        by_pid: &BTreeMap<u32, &'a Process>,
    ) -> bool {
        // su and its like are called by somebody who is in already: by this person, if the login is theirs.
        let is_theirs_already = goes_on(service) && leader.login == Some(self.uid.as_u32());
        let is_theirs =
            |parent: &Process| parent.is_in_slice_of(self.uid) && parent.unit.as_ref() != Some(unit);
        !is_theirs_already && !self.is_ours(leader) && !parents(leader, by_pid).any(is_theirs)
    }
}

/// The parents of a process, as far as they are still there.
fn parents<'b, 'p>(
    process: &Process,
    by_pid: &'b BTreeMap<u32, &'p Process>,
) -> impl Iterator<Item = &'p Process> + use<'b, 'p> {
    let first = by_pid.get(&process.parent()).copied();
    std::iter::successors(first, |known| by_pid.get(&known.parent()).copied()).take(MOST_PARENTS)
}

/// Whether a service is one that people call out of a login that they have, and never the one by which they come.
fn goes_on(service: &str) -> bool {
    service.parse::<ServiceName>().is_ok_and(|service| subject_is_caller(&service))
        || matches!(service, "runuser" | "runuser-l" | "polkit-1" | "systemd-user" | "cron" | "crond" | "atd")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::place::tests::session;
    use crate::session::processes::tests::among;
    use jit_core::time::{BootId, Utc};

    const MARIA: u32 = 1001;
    const MANAGER: &str = "/user.slice/user-1001.slice/user@1001.service/init.scope";
    const SCOPE: &str = "/user.slice/user-1001.slice/user@1001.service/app.slice/run-r1.scope";
    const COUNTED: &str = "/user.slice/user-1001.slice/session-c3.scope";

    fn moment(boot: u64) -> Moment {
        Moment::believed(Utc::from_unix_millis(0), boot, BootId::default())
    }

    /// Maria is here since 10 s after boot, by audit session 5.
    fn stay() -> Stay {
        let uid = Uid::try_from(MARIA).unwrap();
        Stay { uid, user: "maria".parse().unwrap(), since: moment(10_000), lingered: false, audits: vec![5] }
    }

    /// What becomes of each process: `w`indow, `b`efore, `s`ince, `o`utsiders, another's session (`x`), nothing (`-`).
    fn sorted(all: &[Process], sessions: &[Session], service: &str, leader: u32) -> String {
        let (stay, now) = (stay(), moment(60_000));
        let audits = stay.audits.iter().copied().collect();
        let sort = Sort { uid: stay.uid, stay: &stay, audits, sessions, all, now: &now };
        let found = sort
            .run(|_| Some(Login { leader: Some(leader), service: service.to_owned(), ..Login::default() }));
        let is_in = |some: &[&Process], process: &Process| some.iter().any(|one| one.id == process.id);
        let word = |process: &Process| {
            let places = [
                (&found.window, 'w'),
                (&found.before, 'b'),
                (&found.since, 's'),
                (&found.outsiders, 'o'),
                (&found.others, 'x'),
            ];
            places.into_iter().find(|(some, _)| is_in(some, process)).map_or('-', |(_, word)| word)
        };
        all.iter().map(word).collect()
    }

    const ME: Option<u32> = Some(MARIA);

    #[test]
    fn su_out_of_a_users_manager_is_the_windows_whatever_logind_calls_it() {
        // The manager, tmux in a scope of it and by the login's audit session, su in a session of logind's.
        let by_scope = [
            among((20, 1, 1100), MANAGER, (MARIA, ME, Some(6))),
            among((30, 1, 1200), SCOPE, (MARIA, ME, Some(5))),
            among((31, 30, 1300), COUNTED, (0, ME, Some(5))),
            among((32, 31, 1310), COUNTED, (MARIA, ME, Some(5))),
        ];
        assert_eq!(sorted(&by_scope, &[], "su", 31), "wwww");
        // In a service: by the manager's own audit session. And where whoever started it has gone.
        let by_service = [
            among((20, 1, 1100), MANAGER, (MARIA, ME, Some(6))),
            among((31, 20, 1300), COUNTED, (0, ME, Some(6))),
        ];
        assert_eq!(sorted(&by_service, &[], "su", 31), "ww");
        let orphan = [among((31, 1, 1300), COUNTED, (0, ME, Some(6)))];
        assert_eq!(sorted(&orphan, &[], "su", 31), "w");
        // A kernel without audit.
        let by_parents = [
            among((20, 1, 1100), MANAGER, (MARIA, None, None)),
            among((31, 20, 1300), COUNTED, (0, None, None)),
        ];
        assert_eq!(sorted(&by_parents, &[], "login", 31), "ww");
    }

    #[test]
    fn a_login_from_outside_is_spared_with_what_may_be_its_own() {
        let all = [
            among((20, 1, 1100), MANAGER, (MARIA, ME, Some(6))),
            among((30, 1, 1200), SCOPE, (MARIA, ME, Some(5))),
            among((40, 2, 1300), COUNTED, (0, ME, Some(9))),
            among((41, 40, 1310), COUNTED, (MARIA, ME, Some(9))),
        ];
        assert_eq!(sorted(&all, &[], "login", 40), "owoo", "but not what came out of the window's own login");
        // Root's su to them, from a login of root's.
        let of_root = [
            among((10, 1, 1000), "/user.slice/user-0.slice/session-1.scope", (0, Some(0), Some(2))),
            among((40, 10, 1300), COUNTED, (0, Some(0), Some(2))),
        ];
        assert_eq!(sorted(&of_root, &[], "su", 40), "-o");
        // It spares nothing else.
        let more = among((50, 1, 1300), SCOPE, (MARIA, ME, Some(6)));
        assert_eq!(sorted(&[of_root.as_slice(), &[more]].concat(), &[], "su", 40), "-ow");
    }

    #[test]
    fn what_ran_before_stays_and_what_it_starts_where_it_runs_is_told_apart() {
        let needed = "/user.slice/user-1001.slice/user@1001.service/app.slice/needed.service";
        let all = [
            among((20, 1, 300), MANAGER, (MARIA, ME, Some(3))),
            among((30, 20, 310), needed, (MARIA, ME, Some(3))),
            among((31, 30, 2000), needed, (MARIA, ME, Some(3))),
            // Moved there by whoever owns the group, or started anew by the manager.
            among((32, 20, 2000), needed, (MARIA, ME, Some(3))),
            among((33, 20, 2000), SCOPE, (MARIA, ME, Some(3))),
            // In the very tick in which they came.
            among((34, 20, 1000), SCOPE, (MARIA, ME, Some(3))),
        ];
        assert_eq!(sorted(&all, &[], "", 0), "bbswww");
        let atd = "/system.slice/atd.service";
        let job =
            [among((50, 1, 100), atd, (0, None, None)), among((51, 50, 2000), atd, (MARIA, ME, Some(8)))];
        assert_eq!(sorted(&job, &[], "", 0), "-w", "at(1) ran before, its job did not");
    }

    #[test]
    fn a_session_is_where_its_leader_has_gone() {
        let mut other = session("su", None);
        other.login.user = "ana".parse().unwrap();
        other.login.uid = Uid::try_from(1002).ok();
        other.unit = "jit-17-40.scope".parse().ok();
        let all = [
            among((7, 1, 1), COUNTED, (0, Some(1002), Some(9))),
            among((41, 7, 1310), COUNTED, (MARIA, Some(1002), Some(9))),
        ];
        assert_eq!(sorted(&all, &[other], "su", 7), "xx");
    }

    #[test]
    fn what_another_has_become_them_by_is_that_ones() {
        let mut other = session("su", None);
        other.login.user = "ana".parse().unwrap();
        other.login.uid = Uid::try_from(1002).ok();
        other.unit = COUNTED.rsplit('/').next().unwrap().parse().ok();
        other.leader = None;
        let all = [
            among((40, 1, 1300), COUNTED, (0, Some(1002), Some(9))),
            among((41, 40, 1310), COUNTED, (MARIA, Some(1002), Some(9))),
            among((42, 1, 1310), SCOPE, (MARIA, ME, Some(5))),
        ];
        assert_eq!(sorted(&all, &[other], "su", 40), "xxw");
    }
}
