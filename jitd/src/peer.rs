//! The process at the other end of a connection: its uid, and the login behind it.
//!
//! The uid is the kernel's word about who connected, and stays true. Everything else is read through a pid, and a pid
//! comes round: a socket outlives the process that connected it, and whoever holds it can wait until the pid is somebody
//! else's. So the process is pinned. Where the kernel or the bus hands out a pidfd of it (SO_PEERPIDFD of socket(7),
//! Linux 6.5; `ProcessFD` of the bus), that says whose pid it is. Elsewhere it must have started before the connection
//! or the call came. All is read through one open folder, which stays one process's. What is read only ever refuses (see
//! [`jit_core::access`]), and enters the record.

use std::fmt;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::LazyLock;
use std::time::Duration;

use jit_core::access::{LoginUid, Unread};
use jit_core::model::{Actor, Leader};
use jit_proto::words::Uid;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerPidfd;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::procfs::{self, ProcFolder};

/// What the kernel says of the process at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The uid that the bus or the socket reports.
    pub(crate) uid: Uid,
    /// The process and its login, read once: who gives an order is who stands in its record.
    seen: Result<Seen, Unread>,
}

/// A process as it was when it called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    process: Leader,
    login: LoginUid,
    /// Its audit session.
    session: Option<u32>,
    /// The user who has started it, as [`Starter::User`] has it.
    user: Option<Uid>,
}

/// Who has started a process that connected: whose share of the places it takes (DESIGN law 14).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Starter {
    /// A user: it is a setuid program of theirs (su), or root by now (sudo) and in their slice, which nothing leaves that
    /// is not root itself.
    User(Uid),
    /// What runs as root in a service for somebody's login: sshd before logind has placed it, a job of cron's. The
    /// login uid alone would not do: whoever has none yet writes what they like.
    Login { service: String, login: Uid },
    /// A service, or root's own login: sshd, a getty, cron.
    Root { service: String },
}

/// In words for a log: "SO-AND-SO hold all of their share".
impl fmt::Display for Starter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(uid) => write!(f, "programs that uid {uid} started (su, sudo)"),
            Self::Login { service, login } => write!(f, "processes of {service} for uid {login}"),
            Self::Root { service } => write!(f, "processes of {service}"),
        }
    }
}

/// Whether this kernel tells login uids at all.
pub(crate) fn kernel_tells_loginuid() -> bool {
    // It was built with them, or it was not.
    static TELLS: LazyLock<bool> = LazyLock::new(|| fs::exists("/proc/self/loginuid").unwrap_or(false));
    *TELLS
}

/// The process could not be read, or another took its pid meanwhile.
#[derive(Debug, thiserror::Error)]
#[error("the calling process has gone")]
pub(crate) struct Gone;

impl Peer {
    /// Whoever connected this socket, which came at `since` by the boot clock, and who has started them.
    pub(crate) fn of_socket(
        socket: impl AsFd,
        uid: Uid,
        pid: u32,
        since: Duration,
    ) -> (Self, Result<Starter, Unread>) {
        // An older kernel has no such option; of a process that has gone some have nothing to give, either.
        let pidfd = getsockopt(&socket, PeerPidfd).ok();
        Self::read(uid, Some(pid), pidfd.as_ref().map(AsFd::as_fd), since)
    }

    /// Whoever the bus or the socket reports, at `since` by the boot clock, and the login behind that process if it can
    /// be read. `pidfd` is of that process.
    pub(crate) fn new(uid: Uid, pid: Option<u32>, pidfd: Option<BorrowedFd<'_>>, since: Duration) -> Self {
        Self::read(uid, pid, pidfd, since).0
    }

    fn read(
        uid: Uid,
        pid: Option<u32>,
        pidfd: Option<BorrowedFd<'_>>,
        since: Duration,
    ) -> (Self, Result<Starter, Unread>) {
        let is_it = |pid: u32, seen: &Seen| match pidfd {
            // Afterwards: for as long as the pidfd has a pid, no other process has it.
            Some(pidfd) => has_pid(pidfd, pid),
            None => seen.process.start <= ticks(since),
        };
        let seen = pid.ok_or(Unread::Gone).and_then(|pid| {
            let (seen, starter) = see(pid)?;
            if is_it(pid, &seen) { Ok((seen, starter)) } else { Err(Unread::Gone) }
        });
        match seen {
            Ok((seen, starter)) => (Self { uid, seen: Ok(seen) }, starter),
            Err(why) => (Self { uid, seen: Err(why) }, Err(why)),
        }
    }

    /// The login behind the process, as it was when it called.
    pub(crate) fn login(self) -> Result<LoginUid, Unread> {
        self.seen.map(|seen| seen.login)
    }

    /// The process as it called: it may have gone.
    pub(crate) fn called(self) -> Option<Leader> {
        Some(self.seen.ok()?.process)
    }

    /// The process, for as long as it is the one that called.
    pub(crate) fn process(self) -> Option<Leader> {
        let process = self.called()?;
        let start = ProcFolder::of(process.pid).and_then(|folder| folder.start_time()).ok()?;
        (start == process.start).then_some(process)
    }

    /// The user who has started it, where it is a setuid program or runs in their slice.
    pub(crate) fn user(self) -> Option<Uid> {
        self.seen.ok()?.user
    }

    /// Whether it has the uids of this host, as far as the kernel tells: in a user namespace of its own it would call
    /// itself what it likes. False also of a process that has gone.
    pub(crate) fn has_our_uids(self) -> bool {
        let map = |process: Leader| {
            let folder = ProcFolder::of(process.pid)?;
            let map = folder.read("uid_map")?;
            Ok::<_, std::io::Error>((folder.start_time()? == process.start).then_some(map))
        };
        let theirs = self.called().and_then(|process| map(process).ok().flatten());
        theirs.is_some() && theirs == procfs::read("/proc/self/uid_map").ok()
    }

    /// Its audit session, where it has one.
    pub(crate) fn session(self) -> Option<u32> {
        self.seen.ok()?.session
    }

    /// Who that is, for the record.
    pub(crate) fn actor(self) -> Actor {
        let (loginuid, untold) = match self.login() {
            Ok(LoginUid::Set(uid)) => (Some(uid), false),
            Ok(LoginUid::Untold) => (None, true),
            Ok(LoginUid::Unset) | Err(_) => (None, false),
        };
        Actor { uid: self.uid, loginuid, untold, session: self.session(), process: self.called() }
    }
}

/// The process that has this pid now, the login behind it, and who has started it. A process that is root has no real
/// uid that would tell the last: sudo makes itself root before it asks PAM, and yet whoever called it can stop it
/// (cgroup.freeze below their own manager, a terminal). Its control group tells.
fn see(pid: u32) -> Result<(Seen, Result<Starter, Unread>), Unread> {
    let unread = |_| {
        let as_pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let there = as_pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH));
        if there && !fs::exists(format!("/proc/{pid}")).unwrap_or(false) {
            Unread::Hidden
        } else {
            Unread::Gone
        }
    };
    let folder = ProcFolder::of(pid).map_err(unread)?;
    let start = folder.start_time().map_err(unread)?;
    // Of a setuid program (su, sudo) the uid of whoever started it.
    let real = real_uid(&folder.read("status").map_err(unread)?).ok_or(Unread::Gone)?;
    let (login, session) = if kernel_tells_loginuid() {
        let login = folder.number("loginuid").map_err(unread)?;
        let session = folder.number("sessionid").ok().filter(|session| *session != u32::MAX);
        // u32::MAX is the kernel's "not set", which is not a Uid.
        (Uid::try_from(login).map_or(LoginUid::Unset, LoginUid::Set), session)
    } else {
        (LoginUid::Untold, None)
    };
    let starter = if real.is_root() {
        folder.read("cgroup").map(|group| starter(&group, login)).map_err(|_| Unread::Gone)
    } else {
        Ok(Starter::User(real))
    };
    let user = if let Ok(Starter::User(user)) = starter { Some(user) } else { None };
    Ok((Seen { process: Leader { pid, start }, login, session, user }, starter))
}

/// The first of the four numbers in /proc/PID/status (proc(5)). No name that a process gives itself makes a line there:
/// the kernel escapes it.
fn real_uid(status: &str) -> Option<Uid> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    Uid::try_from(line.split_whitespace().next()?.parse::<u32>().ok()?).ok()
}

/// Who has started a process of root's, by its control group (/proc/PID/cgroup, cgroups(7)) and its login.
fn starter(group: &str, login: LoginUid) -> Starter {
    let login = if let LoginUid::Set(uid) = login { Some(uid).filter(|uid| !uid.is_root()) } else { None };
    let mut parts = unit_path(group).split('/').filter(|part| !part.is_empty()).peekable();
    if parts.next_if_eq(&"user.slice").is_some()
        && let Some(uid) = parts.peek().and_then(|slice| slice.strip_prefix("user-")?.strip_suffix(".slice"))
        && let Some(uid) = uid.parse::<u32>().ok().and_then(|uid| Uid::try_from(uid).ok())
        && !uid.is_root()
    {
        return Starter::User(uid);
    }
    // A service that has an instance for each connection is one service.
    let unit =
        parts.find(|part| part.rsplit_once('.').is_none_or(|(_, kind)| kind != "slice")).unwrap_or_default();
    let service = unit.split_once('@').map_or(unit, |(template, _)| template).to_owned();
    match login {
        Some(login) => Starter::Login { service, login },
        None => Starter::Root { service },
    }
}

/// systemd's own hierarchy: the unified one, or where there are several the one that has its name.
fn unit_path(group: &str) -> &str {
    let of = |head: &str| {
        let paths = group.lines().filter_map(|line| line.split_once(head));
        paths.map(|(_, path)| path).find(|path| *path != "/")
    };
    of("0::").or_else(|| of(":name=systemd:")).unwrap_or("/")
}

/// The audit session of the process that has this pid now.
pub(crate) fn session_of_pid(pid: u32) -> Option<u32> {
    see(pid).ok()?.0.session
}

/// Whether a pidfd is of the process that has this pid, by proc_pid_fdinfo(5). One whose process has gone has -1.
fn has_pid(pidfd: BorrowedFd<'_>, pid: u32) -> bool {
    let info = procfs::read(&format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd())).unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("Pid:"));
    line.and_then(|pid| pid.trim().parse().ok()) == Some(pid)
}

/// A time of the boot clock in the unit of start times, a hundredth of a second on every architecture (USER_HZ). What
/// starts and calls within the same one is not told apart.
fn ticks(since_boot: Duration) -> u64 {
    u64::try_from(since_boot.as_millis() / 10).unwrap_or(u64::MAX)
}

#[cfg(test)]
impl Peer {
    /// A caller as a test tells it.
    pub(crate) fn told(uid: Uid, login: Result<LoginUid, Unread>) -> Self {
        let process = Leader { pid: 1, start: 0 };
        Self { uid, seen: login.map(|login| Seen { process, login, session: None, user: None }) }
    }

    /// A process that runs, in no login, which this user has started.
    pub(crate) fn running(uid: Uid, pid: u32, user: Uid) -> Self {
        let start = ProcFolder::of(pid).unwrap().start_time().unwrap();
        let process = Leader { pid, start };
        Self { uid, seen: Ok(Seen { process, login: LoginUid::Unset, session: None, user: Some(user) }) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::process::{Child, Command, Stdio};

    use rustix::process::{PidfdFlags, pidfd_open};

    use super::*;
    use crate::clock::since_boot;

    fn ended() -> (u32, OwnedFd) {
        let mut child = Command::new("true").spawn().unwrap();
        let pidfd = pidfd_of(&child);
        child.wait().unwrap();
        (child.id(), pidfd)
    }

    fn pidfd_of(child: &Child) -> OwnedFd {
        let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
        pidfd_open(pid, PidfdFlags::empty()).unwrap()
    }

    #[test]
    fn the_real_uid_is_the_first_of_four() {
        let status = "Name:\tsu\nUmask:\t0022\nTgid:\t7\nUid:\t1001\t0\t0\t0\nGid:\t1001\t1001\t1001\t1001\n";
        assert_eq!(real_uid(status).map(Uid::as_u32), Some(1001));
        assert_eq!(real_uid("Name:\tUid:\n"), None);
        let own = ProcFolder::of(std::process::id()).unwrap().read("status").unwrap();
        assert_eq!(real_uid(&own).unwrap().as_u32(), nix::unistd::getuid().as_raw());
    }

    #[test]
    fn what_a_user_made_root_is_of_their_share_and_what_a_service_started_is_of_that_services() {
        let (maria, uid) = (Uid::try_from(1001).unwrap(), |uid: u32| Uid::try_from(uid).unwrap());
        let root = |service: &str| Starter::Root { service: service.into() };
        let login = |service: &str| Starter::Login { service: service.into(), login: maria };
        for (group, login_uid, expected) in [
            ("0::/user.slice/user-1001.slice/session-3.scope\n", LoginUid::Set(maria), Starter::User(maria)),
            // Whatever login it writes or takes off, and whatever its control group is called further down.
            (
                "0::/user.slice/user-1001.slice/user@1001.service/app.slice/user-0.slice/x.scope\n",
                LoginUid::Unset,
                Starter::User(maria),
            ),
            (
                "0::/user.slice/user-1001.slice/user@1001.service/init.scope\n",
                LoginUid::Set(uid(1002)),
                Starter::User(maria),
            ),
            (
                "9:cpu:/\n1:name=systemd:/user.slice/user-1001.slice/session-3.scope\n0::/\n",
                LoginUid::Unset,
                Starter::User(maria),
            ),
            // sshd before and after pam_loginuid, and a service whose user wrote hers: three shares.
            ("0::/system.slice/ssh.service\n", LoginUid::Unset, root("ssh.service")),
            ("0::/system.slice/ssh.service\n", LoginUid::Set(maria), login("ssh.service")),
            ("0::/system.slice/apache2.service\n", LoginUid::Set(maria), login("apache2.service")),
            ("0::/system.slice/apache2.service\n", LoginUid::Unset, root("apache2.service")),
            ("0::/system.slice/system-getty.slice/getty@tty1.service\n", LoginUid::Unset, root("getty")),
            (
                "0::/system.slice/system-x.slice/jit-kiosk-handed@7-812-998.service\n",
                LoginUid::Unset,
                root("jit-kiosk-handed"),
            ),
            // Root's own login, a slice that is nobody's, no systemd, no control groups.
            (
                "0::/user.slice/user-0.slice/session-1.scope\n",
                LoginUid::Set(Uid::ROOT),
                root("session-1.scope"),
            ),
            ("0::/user.slice/user-x.slice/y.scope\n", LoginUid::Untold, root("y.scope")),
            ("0::/\n", LoginUid::Unset, root("")),
            ("", LoginUid::Set(maria), login("")),
        ] {
            assert_eq!(starter(group, login_uid), expected, "{group}");
        }
    }

    #[test]
    fn a_process_that_has_gone_has_no_login() {
        let (pid, pidfd) = ended();
        for pidfd in [None, Some(pidfd.as_fd())] {
            let gone = Peer::new(Uid::ROOT, Some(pid), pidfd, since_boot());
            assert_eq!((gone.login(), gone.process()), (Err(Unread::Gone), None));
        }
        assert_eq!(Peer::new(Uid::ROOT, None, None, since_boot()).login(), Err(Unread::Gone));
    }

    #[test]
    fn what_is_recorded_of_a_caller_says_where_the_kernel_tells_no_login_uids() {
        let mut peer = Peer::new(Uid::ROOT, Some(std::process::id()), None, since_boot());
        let mut recorded = |login| {
            peer.seen.as_mut().unwrap().login = login;
            let actor = peer.actor();
            (actor.loginuid, actor.untold)
        };
        let maria = Uid::try_from(1001).unwrap();
        assert_eq!(recorded(LoginUid::Untold), (None, true));
        assert_eq!(recorded(LoginUid::Unset), (None, false));
        assert_eq!(recorded(LoginUid::Set(maria)), (Some(maria), false));
    }

    #[test]
    fn a_process_that_took_the_pid_of_another_is_not_taken_for_it() {
        // Our own pid, with a pidfd of whoever "had it before".
        let own = std::process::id();
        let (_, before) = ended();
        let taken = |pidfd| Peer::new(Uid::ROOT, Some(own), pidfd, since_boot());
        assert_eq!(taken(Some(before.as_fd())).login(), Err(Unread::Gone));
        assert!(taken(None).login().is_ok());
        assert_eq!(taken(None).process().map(|process| process.pid), Some(own));
    }

    #[test]
    fn a_process_that_started_after_the_call_came_is_not_the_caller() {
        let called = since_boot();
        let start = see(std::process::id()).unwrap().0.process.start;
        while ticks(since_boot()) <= ticks(called) + 1 {
            std::thread::yield_now();
        }
        let mut later = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let peer = |pid, since| Peer::new(Uid::ROOT, Some(pid), None, since).login();
        assert_eq!(peer(later.id(), called), Err(Unread::Gone));
        assert!(peer(later.id(), since_boot()).is_ok());
        assert!(ticks(called) >= start && peer(std::process::id(), called).is_ok());
        later.kill().unwrap();
        later.wait().unwrap();
    }

    #[test]
    fn a_socket_tells_who_connected_it() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let own = std::process::id();
        let (peer, _) = Peer::of_socket(&ours, Uid::ROOT, own, since_boot());
        assert_eq!(peer.process().map(|process| process.pid), Some(own));
        let (other, _) = ended();
        assert_eq!(Peer::of_socket(&ours, Uid::ROOT, other, since_boot()).0.process(), None);
    }
}
