//! One check that was allowed, and what has come of it, by what runs and by what logind keeps.
//!
//! Where logind makes a session, the process that asked comes into its scope, or the one that started it: sshd's
//! keyboard-interactive asks in a child. Where none is made, something runs below whoever asked that is the person's, or,
//! of su and sudo, anything at all. Nothing is judged by what a process calls itself, which is its own to choose: but by
//! pid and start time, who started it, its real uid and its login, and by the file that it runs.
//!
//! A login may be over before it is looked for and have left something. Then it is what was last seen of it, or the
//! session that logind made for the process that asked, and keeps for as long as anything runs in its scope.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jit_core::model::{Basis, Leader, Login as LoginEvent, Opener, Unit};
use jit_proto::words::{RoleName, ServiceName, Uid, subject_is_caller};

use super::index::Index;
use super::logins::Login;
use super::processes::{self, Process};
use crate::desk::CheckRecord;

/// How long something that follows a check has to be there: a helper of PAM's is not, and a session line that stands
/// behind pam_systemd's asks within it.
pub(super) const SETTLED: Duration = Duration::from_secs(1);

/// How often it is looked for: at first, once a login should be through, and for as long as whoever asked is there.
const LOOKS: [(Duration, Duration); 2] =
    [(Duration::from_secs(15), Duration::from_millis(500)), (Duration::from_mins(3), Duration::from_secs(5))];
const SELDOM: Duration = Duration::from_secs(30);

/// How long a login is waited for whose asker has gone: what sshd lets somebody take (LoginGraceTime) and more.
pub(super) const WITHOUT_ASKER: Duration = Duration::from_mins(3);

/// Where it is not known which process opened a session, it is of a check that it followed within this time.
const SOON: Duration = Duration::from_secs(10);

/// The file that a process runs: its device and inode.
pub(super) type Exe = (u64, u64);

pub(super) fn exe(pid: u32) -> Option<Exe> {
    let file = fs::metadata(format!("/proc/{pid}/exe")).ok()?;
    Some((file.dev(), file.ino()))
}

/// A check that was allowed.
#[derive(Clone, Debug)]
pub(crate) struct Allowed {
    /// The record of the check that admitted it.
    pub(crate) check: CheckRecord,
    pub(crate) role: RoleName,
    pub(crate) basis: Basis,
    pub(crate) login: LoginEvent,
    pub(crate) from: Option<IpAddr>,
}

/// Who asked, as it was then.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) id: Leader,
    /// The session's scope that it ran in.
    unit: Option<Unit>,
    exe: Option<Exe>,
}

impl Asker {
    pub(super) fn of(process: &Process) -> Self {
        Self { id: process.id, unit: process.unit.clone(), exe: exe(process.id.pid) }
    }

    /// As the record has it: it may have gone on since, or gone.
    pub(super) fn recalled(id: Leader, service: &ServiceName) -> Self {
        let now = processes::read(id.pid).filter(|now| now.id == id);
        // su and sudo stay where they were called.
        let now = now.filter(|_| subject_is_caller(service));
        Self { id, unit: now.as_ref().and_then(|now| now.unit.clone()), exe: now.and_then(|_| exe(id.pid)) }
    }
}

/// One that no session has asked after yet.
pub(super) struct Awaited {
    pub(super) allowed: Allowed,
    pub(super) asker: Asker,
    /// Who started that one, which is the login's own where it logs in.
    pub(super) parent: Option<Leader>,
    /// By the boot clock.
    pub(super) at: Duration,
    /// It is from the record: a jitd before this one answered it. Who started whoever asked is known only if that runs.
    pub(super) recalled: bool,
    /// It asked for its session and was refused: its service has the line, and nothing may come of it.
    pub(super) was_refused: AtomicBool,
}

/// What was seen to follow a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Whose session it is.
    pub(super) opener: Opener,
    /// The scope that logind made for it.
    pub(super) unit: Option<Unit>,
}

/// Since when something has been seen to follow, and what it was last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) since: Duration,
    pub(super) found: Found,
}

/// What becomes of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is looked for again.
    Wait(Option<Seen>),
    /// It is in.
    Came(Found),
    /// It was in, and is over.
    WasHere(Found),
    /// Nothing can follow any more.
    Nothing,
}

impl Awaited {
    /// What has become of it, by what runs and, where whoever asked has gone, by what logind keeps.
    pub(super) fn next(
        &self,
        before: Option<Seen>,
        index: &Index<'_>,
        logins: &[(Unit, Login)],
        now: Duration,
    ) -> Next {
        if let Some(found) = self.followed_by(index, exe) {
            // Whichever process it is by now: whoever starts one after another is no less in.
            let since = before.map_or(now, |before| before.since);
            let is_settled = now.saturating_sub(since) >= SETTLED;
            return if is_settled { Next::Came(found) } else { Next::Wait(Some(Seen { since, found })) };
        }
        if index.get(self.asker.id).is_some() {
            // What was seen was a helper of PAM's, or nothing.
            return Next::Wait(None);
        }
        if let Some(found) = self.kept_by(logins).or(before.map(|before| before.found)) {
            return Next::WasHere(found);
        }
        let is_young = now.saturating_sub(self.at) < WITHOUT_ASKER;
        let may_come = self.recalled || self.parent.is_some_and(|parent| index.get(parent).is_some());
        if is_young && may_come { Next::Wait(None) } else { Next::Nothing }
    }

    /// Whether it shows, once it is in, that nobody is asked for its session: not where it was asked for, or may have been of
    /// the jitd before.
    pub(super) fn shows_no_line(&self) -> bool {
        let may_have_asked = self.recalled && self.allowed.check.awaits_key;
        !may_have_asked && !self.was_refused.load(Ordering::Relaxed)
    }

    pub(super) fn wait(&self, seen: bool, now: Duration) -> Duration {
        if seen {
            return SETTLED;
        }
        let age = now.saturating_sub(self.at);
        LOOKS.iter().find(|(until, _)| age < *until).map_or(SELDOM, |(_, often)| *often)
    }

    /// What runs that has come of it.
    fn followed_by(&self, index: &Index<'_>, exe: impl Fn(u32) -> Option<Exe>) -> Option<Found> {
        let uid = self.allowed.login.uid?;
        let by_logind = |process: &&Process| process.unit != self.asker.unit && is_session_of(process, uid);
        let logs_in = [Some(self.asker.id), self.parent];
        if let Some(process) = logs_in.into_iter().flatten().filter_map(|id| index.get(id)).find(by_logind) {
            let opener = Opener { leader: process.id, audit: process.audit };
            return Some(Found { opener, unit: process.unit.clone() });
        }
        let below = index.below(self.asker.id);
        let (asker, started) = below.split_first()?;
        let first = if subject_is_caller(&self.allowed.login.service) {
            // It starts whatever it starts as whom it pleases; or becomes its command, where it has nothing to do after
            // it. The session is its own, as it is where the line asks.
            (!started.is_empty() || self.has_become_another(asker, exe)).then_some(asker)?
        } else {
            // Who checks for others starts none of them itself, whatever it runs as meanwhile.
            let is_theirs = |process: &&&Process| {
                process.real_uid() == uid.as_u32() || process.login == Some(uid.as_u32())
            };
            started.iter().find(is_theirs)?
        };
        let opener = Opener { leader: first.id, audit: first.audit.filter(|_| first.unit.is_none()) };
        Some(Found { opener, unit: None })
    }

    /// Whether whoever asked runs another program by now, or has given up being root, as su and sudo do not.
    fn has_become_another(&self, asker: &Process, exe: impl Fn(u32) -> Option<Exe>) -> bool {
        let runs_another =
            || self.asker.exe.is_some_and(|then| exe(asker.id.pid).is_some_and(|now| now != then));
        !asker.runs_as(Uid::ROOT) || runs_another()
    }

    /// The session that logind made for whoever asked, and still keeps.
    fn kept_by(&self, logins: &[(Unit, Login)]) -> Option<Found> {
        let wanted = &self.allowed.login;
        let uid = wanted.uid?.as_u32();
        let by_pid =
            |pid: u32| [Some(self.asker.id), self.parent].into_iter().flatten().find(|id| id.pid == pid);
        let is_it = |login: &Login| {
            // A pid comes round; a session does not begin before its check.
            let Some(began) = login.began.filter(|began| *began >= self.at.saturating_sub(STEP)) else {
                return false;
            };
            if login.uid != Some(uid) {
                return false;
            }
            let is_known = !self.recalled && login.leader.is_some();
            let is_soon = began <= self.at.saturating_add(SOON);
            login.leader.is_some_and(|pid| by_pid(pid).is_some())
                || (!is_known && is_soon && login.service == wanted.service.as_str())
        };
        let (unit, login) = logins.iter().find(|(_, login)| is_it(login))?;
        let leader = login.leader.and_then(|pid| by_pid(pid).or_else(|| processes::leader(pid)));
        let opener = Opener { leader: leader.unwrap_or(self.asker.id), audit: login.audit };
        Some(Found { opener, unit: Some(unit.clone()) })
    }
}

/// So exactly is known when a session of logind's began.
const STEP: Duration = Duration::from_millis(200);

/// Whether a process runs in a session that logind has made for this user.
fn is_session_of(process: &Process, uid: Uid) -> bool {
    process.is_in_slice_of(uid)
        && process.unit.as_ref().is_some_and(|unit| unit.as_str().starts_with("session-"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::session::processes::tests::{among, process, with};
    use jit_core::model;

    const SSHD: &str = "/system.slice/ssh.service";
    const SCOPE: &str = "/user.slice/user-1001.slice/session-4.scope";
    const UNIT: &str = "session-4.scope";
    const EXE: Exe = (1, 100);

    pub(in crate::session) fn allowed(service: &str) -> Allowed {
        let login = model::Login {
            service: service.parse().unwrap(),
            user: "maria".parse().unwrap(),
            uid: Some(Uid::try_from(1001).unwrap()),
            target: None,
            rhost: String::new(),
            tty: String::new(),
            keys: Vec::new(),
            person: None,
        };
        let check =
            CheckRecord { seq: 3, grant: "g-00000001".parse().unwrap(), claims: false, awaits_key: false };
        let (role, basis) = ("shell".parse().unwrap(), Basis::default());
        Allowed { check, role, basis, login, from: None }
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(100 + seconds)
    }

    /// One whose check was asked by the process 20, which 10 had started.
    fn awaited(service: &str, asker: &Process) -> Awaited {
        let asker = Asker { id: asker.id, unit: asker.unit.clone(), exe: Some(EXE) };
        let parent = (!subject_is_caller(&service.parse().unwrap())).then_some(Leader { pid: 10, start: 1 });
        Awaited {
            allowed: allowed(service),
            asker,
            parent,
            at: at(0),
            recalled: false,
            was_refused: AtomicBool::new(false),
        }
    }

    fn root(pid: u32, parent: u32, cgroup: &str) -> Process {
        with(process(cgroup, 0, None), pid, parent, "x")
    }

    fn hers(pid: u32, parent: u32, cgroup: &str) -> Process {
        with(process(cgroup, 1001, Some(1001)), pid, parent, "x")
    }

    fn found(awaited: &Awaited, all: &[Process]) -> Option<u32> {
        by_exe(awaited, all, EXE)
    }

    fn by_exe(awaited: &Awaited, all: &[Process], exe: Exe) -> Option<u32> {
        awaited.followed_by(&Index::of(all), |_| Some(exe)).map(|found| found.opener.leader.pid)
    }

    /// What becomes of it when these run, a second apart.
    fn runs(awaited: &Awaited, looks: &[&[Process]], logins: &[(Unit, Login)]) -> Next {
        let mut seen = None;
        for (second, all) in (1..).zip(looks) {
            match awaited.next(seen, &Index::of(all), logins, at(second)) {
                Next::Wait(before) => seen = before,
                next => return next,
            }
        }
        Next::Wait(seen)
    }

    /// What logind keeps of a session that this process opened.
    fn kept(leader: Option<u32>, service: &str, began: Duration) -> Vec<(Unit, Login)> {
        let login =
            Login { leader, service: service.into(), uid: Some(1001), audit: Some(4), began: Some(began) };
        vec![(UNIT.parse().unwrap(), login)]
    }

    fn came_by_logind(pid: u32) -> Found {
        let opener = Opener { leader: Leader { pid, start: 1 }, audit: Some(4) };
        Found { opener, unit: UNIT.parse().ok() }
    }

    #[test]
    fn a_login_is_the_process_that_logind_put_into_a_session_of_its_person() {
        let one = awaited("sshd", &root(20, 10, SSHD));
        assert_eq!(found(&one, &[root(10, 1, SSHD), root(20, 10, SSHD)]), None, "not yet");
        // By key the one that asks opens the session; by keyboard-interactive a child of it asks, and is gone by then.
        assert_eq!(found(&one, &[root(20, 10, SCOPE)]), Some(20));
        assert_eq!(found(&one, &[root(10, 1, SCOPE)]), Some(10));
        // Somebody else's session, another process, one that took the pid.
        let other = SCOPE.replace("1001", "1002");
        assert_eq!(found(&one, &[root(20, 10, &other)]), None);
        assert_eq!(found(&one, &[root(21, 10, SCOPE)]), None);
        let mut later = root(20, 10, SCOPE);
        later.id.start = 9;
        assert_eq!(found(&one, &[later]), None);
    }

    #[test]
    fn a_check_inside_a_login_is_not_taken_for_that_login() {
        let one = awaited("login", &root(20, 10, SCOPE));
        assert_eq!(found(&one, &[root(10, 1, SCOPE), root(20, 10, SCOPE)]), None);
    }

    #[test]
    fn where_logind_makes_no_session_it_is_what_is_the_persons_below_who_asked() {
        let cron = "/system.slice/cron.service";
        let one = awaited("cron", &root(20, 10, cron));
        let asker = root(20, 10, cron);
        assert_eq!(found(&one, &[asker.clone(), hers(30, 20, cron)]), Some(30));
        // It became root by a program of root's: it is hers by her login.
        let as_root = among((30, 20, 1), cron, (0, Some(1001), Some(8)));
        assert_eq!(found(&one, &[asker.clone(), as_root]), Some(30));
        // Not below it: who checks for others all day starts none of them itself.
        assert_eq!(found(&one, &[asker.clone(), hers(30, 10, cron)]), None);
        assert_eq!(found(&one, &[asker, root(30, 20, cron)]), None, "a helper of PAM's");
        // Its own process is a daemon's, whatever it runs as meanwhile.
        assert_eq!(found(&one, &[hers(20, 10, cron)]), None);
    }

    #[test]
    fn of_su_and_sudo_it_is_they_once_they_start_or_become_anything_whatever_that_is_called() {
        let sudo = root(20, 10, SCOPE);
        let one = awaited("sudo", &sudo);
        assert_eq!(found(&one, std::slice::from_ref(&sudo)), None, "nothing is started yet");
        // A command may be called sudo, too.
        let command = with(process(SCOPE, 0, None), 30, 20, "sudo");
        assert_eq!(found(&one, &[with(sudo.clone(), 20, 10, "sudo"), command]), Some(20));
        // It has become its command: as root, which another file shows, or as somebody else.
        assert_eq!(by_exe(&one, std::slice::from_ref(&sudo), (1, 101)), Some(20));
        let as_other = with(process(SCOPE, 1002, None), 20, 10, "sudo");
        assert_eq!(found(&one, &[as_other]), Some(20));
    }

    #[test]
    fn a_login_that_was_seen_and_is_over_is_what_was_seen_of_it() {
        let sshd = root(10, 1, SSHD);
        let one = awaited("sshd", &root(20, 10, SSHD));
        let mut inside = root(20, 10, SCOPE);
        inside.audit = Some(4);
        let listener = std::slice::from_ref(&sshd);
        assert_eq!(runs(&one, &[&[sshd.clone(), inside], listener], &[]), Next::WasHere(came_by_logind(20)));
        let cron = awaited("cron", &root(20, 10, "/system.slice/cron.service"));
        let job = among((30, 20, 1), "/system.slice/cron.service", (1001, Some(1001), Some(8)));
        let opener = Opener { leader: job.id, audit: Some(8) };
        let looks: [&[Process]; 2] = [&[root(20, 10, "/system.slice/cron.service"), job], &[]];
        assert_eq!(runs(&cron, &looks, &[]), Next::WasHere(Found { opener, unit: None }));
    }

    #[test]
    fn a_login_that_was_over_before_it_was_looked_for_is_the_session_that_logind_keeps_of_it() {
        let sshd = [root(10, 1, SSHD)];
        let one = awaited("sshd", &root(20, 10, SSHD));
        let look = |logins: &[(Unit, Login)]| runs(&one, &[&sshd], logins);
        let soon = at(0) + Duration::from_millis(300);
        assert_eq!(look(&kept(Some(20), "sshd", soon)), Next::WasHere(came_by_logind(20)));
        assert_eq!(look(&kept(Some(10), "sshd", soon)), Next::WasHere(came_by_logind(10)));
        // What others opened is theirs, however near.
        assert_eq!(look(&kept(Some(21), "sshd", soon)), Next::Wait(None));
        // One of before, by a process whose pid has come round.
        assert_eq!(
            look(&kept(Some(20), "sshd", at(0).saturating_sub(Duration::from_secs(1)))),
            Next::Wait(None)
        );
        // Where it does not say who opened it, it is of the check that it followed.
        assert_eq!(look(&kept(None, "sshd", soon)), Next::WasHere(came_by_logind(20)));
        assert_eq!(look(&kept(None, "login", soon)), Next::Wait(None));
        assert_eq!(look(&kept(None, "sshd", at(60))), Next::Wait(None));
        let mut others = kept(Some(20), "sshd", soon);
        others[0].1.uid = Some(1002);
        assert_eq!(look(&others), Next::Wait(None));
    }

    #[test]
    fn one_that_a_jitd_before_answered_is_found_though_it_is_not_known_who_started_its_asker() {
        let asker = Asker::recalled(Leader { pid: 4_194_305, start: 1 }, &"sshd".parse().unwrap());
        let one = Awaited {
            parent: None,
            recalled: true,
            was_refused: AtomicBool::new(false),
            ..Awaited { asker, ..awaited("sshd", &root(20, 10, SSHD)) }
        };
        let soon = at(0) + Duration::from_millis(300);
        let Next::WasHere(found) = runs(&one, &[&[]], &kept(Some(4_194_306), "sshd", soon)) else { panic!() };
        assert_eq!((found.opener.audit, found.unit), (Some(4), UNIT.parse().ok()));
        assert_eq!(runs(&one, &[&[]], &kept(Some(4_194_306), "login", soon)), Next::Wait(None));
    }

    #[test]
    fn whoever_starts_one_process_after_another_is_no_less_in() {
        let cron = "/system.slice/cron.service";
        let asker = root(20, 10, cron);
        let one = awaited("cron", &asker);
        let (first, second) = ([asker.clone(), hers(30, 20, cron)], [asker.clone(), hers(31, 20, cron)]);
        let Next::Came(found) = runs(&one, &[&first, &second], &[]) else { panic!("not in") };
        assert_eq!(found.opener.leader.pid, 31);
        // A helper of PAM's is there for a moment.
        let alone = [asker];
        assert_eq!(runs(&one, &[&first, &alone, &second], &[]), runs(&one, &[&alone, &alone, &second], &[]));
    }

    #[test]
    fn nothing_follows_once_whoever_asked_has_gone_and_nobody_is_left_who_could() {
        let one = awaited("cron", &root(20, 10, SSHD));
        assert_eq!(runs(&one, &[&[]], &[]), Next::Nothing);
        assert_eq!(runs(&one, &[&[root(10, 1, SSHD)]], &[]), Next::Wait(None), "as by keyboard-interactive");
        let late = at(0) + WITHOUT_ASKER;
        assert_eq!(one.next(None, &Index::of(&[root(10, 1, SSHD)]), &[], late), Next::Nothing);
    }
}
