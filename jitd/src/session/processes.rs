//! What runs, as /proc tells (proc(5)), and the end of one process that cannot be mistaken for another.

use std::time::Duration;
use std::{fs, io};

use jit_core::model::{Leader, Unit};
use jit_proto::words::Uid;
use nix::errno::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::group::{Group, Groups};
use crate::procfs::{self, ProcFolder};

/// The ticks in which a start time is counted, in milliseconds (USER_HZ of time(7)).
const TICK: u64 = 10;

/// A process that runs now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Its pid and start time.
    pub(crate) id: Leader,
    /// Who started it; who has taken it over once that one is gone.
    parent: u32,
    /// Its real, effective, saved and file system uid.
    uids: [u32; 4],
    /// Who logged in to start it, where the kernel tells and somebody did.
    pub(super) login: Option<u32>,
    /// The audit session of that login.
    pub(crate) audit: Option<u32>,
    /// Its name, as it gave itself: of no more than 15 bytes, but for the kernel's own.
    name: String,
    /// Its control group, from systemd's root.
    group: Group,
    /// The session's scope that it runs in, if it does.
    pub(crate) unit: Option<Unit>,
    /// The device of its terminal; 0 is none.
    tty: u32,
}

/// Every process, zombies left out: nothing of those runs. An error is not to know what runs.
pub(super) fn all() -> io::Result<Vec<Process>> {
    // What forks without a pause makes new ones while one looks, for as long as one looks. It is found the next time.
    let most = threads()? * 2 + 1000;
    let mut groups = Groups::default();
    let pids = fs::read_dir("/proc")?
        .map(|entry| Ok(entry?.file_name().to_str().and_then(|name| name.parse().ok())));
    pids.filter_map(io::Result::transpose)
        .take(most)
        .map(|pid| look(pid?, &mut groups))
        .filter_map(io::Result::transpose)
        .collect()
}

/// How many threads there are, by the fourth field of /proc/loadavg (proc(5)).
fn threads() -> io::Result<usize> {
    let text = procfs::read("/proc/loadavg")?;
    let threads = text.split_whitespace().nth(3).and_then(|field| field.split_once('/')?.1.parse().ok());
    threads.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Whether /proc hides processes from jitd (hidepid= of proc(5)): then it can tell of none whether it runs.
pub(crate) fn are_hidden() -> bool {
    !matches!(look(1, &mut Groups::default()), Ok(Some(_)))
}

/// One process, if it lives and can be read.
pub(crate) fn read(pid: u32) -> Option<Process> {
    look(pid, &mut Groups::default()).ok().flatten()
}

/// One process, if it lives. An error is not to know.
fn look(pid: u32, groups: &mut Groups) -> io::Result<Option<Process>> {
    // It has ended (ESRCH while a file of it is open), or is hidden, as [`are_hidden`] tells.
    let is_gone = |err: &io::Error| {
        matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
            || err.raw_os_error() == Some(Errno::ESRCH as i32)
    };
    let folder = match ProcFolder::of(pid) {
        Ok(folder) => folder,
        Err(err) if is_gone(&err) => return Ok(None),
        Err(err) => return Err(err),
    };
    let file = |name: &str| match folder.read(name) {
        Ok(text) => Ok(Some(text)),
        Err(err) if is_gone(&err) => Ok(None),
        Err(err) => Err(err),
    };
    let (Some(stat), Some(status)) = (file("stat")?, file("status")?) else { return Ok(None) };
    // Neither of audit is there on a kernel without it.
    let (login, audit) = (file("loginuid")?, file("sessionid")?);
    let cgroup = match file("cgroup") {
        // One process that hides like this must not keep jitd from knowing of all others.
        Err(err) if err.raw_os_error() == Some(Errno::ENAMETOOLONG as i32) => too_deep(&status),
        read => read?,
    };
    let group = groups.keep(cgroup.as_deref().and_then(cgroup_of).unwrap_or_default());
    Ok(parse(pid, &stat, &status, login.as_deref(), audit.as_deref(), group))
}

/// The control group of a process whose own has a path of more than 4,096 bytes, which the kernel does not tell. People
/// can nest them so deep below their user manager, which is given a part of the tree, and nowhere else.
fn too_deep(status: &str) -> Option<String> {
    let uid = uids_of(status)?.split_whitespace().next()?;
    Some(format!("0::/user.slice/user-{uid}.slice/user@{uid}.service/too-deep\n"))
}

fn uids_of(status: &str) -> Option<&str> {
    status.lines().find_map(|line| line.strip_prefix("Uid:"))
}

fn parse(
    pid: u32,
    stat: &str,
    status: &str,
    login: Option<&str>,
    audit: Option<&str>,
    group: Group,
) -> Option<Process> {
    // Other fields than the first two: the name may hold anything, so they are counted from its closing bracket.
    let (head, rest) = stat.rsplit_once(')')?;
    let name = head.split_once('(').map_or("", |(_, name)| name).to_owned();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    if has_ended(&fields) {
        return None;
    }
    let number = |place: usize| fields.get(place)?.parse::<u32>().ok();
    let tty = fields.get(4)?.parse::<i32>().ok().and_then(|tty| u32::try_from(tty).ok()).unwrap_or(0);
    let uids: Vec<u32> = uids_of(status)?.split_whitespace().filter_map(|uid| uid.parse().ok()).collect();
    // 2^32 - 1 where nobody logged in.
    let of_audit = |text: Option<&str>| text?.trim().parse().ok().filter(|number| *number != u32::MAX);
    Some(Process {
        id: Leader { pid, start: fields.get(19)?.parse().ok()? },
        parent: number(1)?,
        uids: uids.try_into().ok()?,
        login: of_audit(login),
        audit: of_audit(audit),
        name,
        unit: group.unit().and_then(|name| name.parse().ok()),
        group,
        tty,
    })
}

/// Whether nothing of a process runs, by the fields of its stat that follow its name: the state and, 17 further, the
/// number of threads. A first thread that has ended is a zombie in the name of a process whose other threads run on.
fn has_ended(fields: &[&str]) -> bool {
    let threads = fields.get(17).and_then(|threads| threads.parse::<u32>().ok());
    match fields.first() {
        Some(&"Z") => threads.is_none_or(|threads| threads <= 1),
        Some(&"X" | &"x") | None => true,
        Some(_) => false,
    }
}

/// The process with this pid, as it is known from now on.
pub(crate) fn leader(pid: u32) -> Option<Leader> {
    let start = ProcFolder::of(pid).and_then(|folder| folder.start_time()).ok()?;
    Some(Leader { pid, start })
}

/// Of the unified hierarchy, or of systemd's own where there are several (cgroups(7)).
fn cgroup_of(text: &str) -> Option<&str> {
    let of =
        |head: &str| text.lines().find_map(|line| line.split_once(head).filter(|(nr, _)| !nr.contains(':')));
    let (_, path) =
        of("::").filter(|(_, path)| *path != "/").or_else(|| of(":name=systemd:")).or_else(|| of("::"))?;
    // Of one that is on its way out, and whose cgroup has gone before it.
    Some(path.strip_suffix(" (deleted)").unwrap_or(path))
}

impl Process {
    /// The unit that it runs in.
    pub(crate) fn unit_name(&self) -> Option<&str> {
        self.group.unit()
    }

    /// Whether it has started since then, in milliseconds of the boot clock; in the same tick, too.
    pub(super) const fn has_started_since(&self, boot: u64) -> bool {
        self.id.start.saturating_add(1).saturating_mul(TICK) > boot
    }

    /// Whether it had started by then, by the boot clock; in the same tick, too.
    pub(super) fn has_started_by(&self, boot: Duration) -> bool {
        Duration::from_millis(self.id.start.saturating_mul(TICK)) <= boot
    }

    /// The innermost slice of the unit that it runs in.
    pub(crate) fn slice(&self) -> Option<&str> {
        self.group.slice()
    }

    /// Its control group, from systemd's root.
    pub(super) const fn group(&self) -> &Group {
        &self.group
    }

    /// Whether it runs in the same control group.
    pub(super) fn is_with(&self, other: &Self) -> bool {
        self.group == other.group
    }

    /// Whether it runs under a user's slice.
    pub(crate) fn is_in_slice_of(&self, uid: Uid) -> bool {
        self.group.path().starts_with(&format!("/user.slice/user-{uid}.slice/"))
    }

    /// Whether it is a person's: in their slice, come from their login, or theirs and handed to somebody who starts
    /// things for people. What a system unit runs as the same user is the host's, not theirs.
    pub(crate) fn is_of(&self, uid: Uid) -> bool {
        let handed_on = |unit: &str| {
            matches!(unit, "cron.service" | "crond.service" | "atd.service") || unit.starts_with("run-")
        };
        // The kiosk runs its menu and nothing else, for people who have no window: it is where they give one back.
        if self.unit_name().is_some_and(|unit| unit.starts_with("jit-kiosk")) {
            return false;
        }
        self.is_in_slice_of(uid)
            || self.login == Some(uid.as_u32())
            || (self.runs_as(uid) && self.unit_name().is_some_and(handed_on))
    }

    /// Whether it runs, or can run, as this uid.
    pub(crate) fn runs_as(&self, uid: Uid) -> bool {
        self.uids.contains(&uid.as_u32())
    }

    /// The name of its terminal, as logind writes it (tty_nr of proc(5), devices.txt of the kernel).
    pub(crate) fn terminal(&self) -> Option<String> {
        let (major, minor) = ((self.tty >> 8) & 0xfff, (self.tty & 0xff) | ((self.tty >> 12) & 0xf_ff00));
        match major {
            136..=143 => Some(format!("pts/{}", minor + (major - 136) * 256)),
            4 if (1..64).contains(&minor) => Some(format!("tty{minor}")),
            4 if (64..256).contains(&minor) => Some(format!("ttyS{}", minor - 64)),
            _ => None,
        }
    }

    /// Who started it, or has taken it over since.
    pub(super) const fn parent(&self) -> u32 {
        self.parent
    }

    /// Its real uid.
    pub(super) const fn real_uid(&self) -> u32 {
        self.uids[0]
    }

    /// As the record names it.
    pub(crate) fn said(&self) -> String {
        format!("{} {}", self.id.pid, self.name)
    }
}

/// Sends a signal to a process that is still the one that was meant.
pub(super) fn signal_to(whom: Leader, signal: Signal) {
    let Some(pid) = i32::try_from(whom.pid).ok().and_then(Pid::from_raw) else { return };
    // What the descriptor holds is one process for good; that it is the right one is looked up after it is held.
    let Ok(held) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    if leader(whom.pid) != Some(whom) {
        return;
    }
    if let Err(err) = pidfd_send_signal(&held, signal)
        && err.raw_os_error() != Errno::ESRCH as i32
    {
        crate::log::warning(format_args!("process {} cannot be signalled: {err}", whom.pid));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashSet;

    use super::*;

    pub(in crate::session) fn process(cgroup: &str, uid: u32, login: Option<u32>) -> Process {
        let group = Groups::default().keep(cgroup);
        Process {
            id: Leader { pid: 7, start: 1 },
            parent: 1,
            uids: [uid; 4],
            login,
            audit: None,
            name: "x".into(),
            unit: group.unit().and_then(|name| name.parse().ok()),
            group,
            tty: 0,
        }
    }

    /// The same process under another pid, parent and name.
    pub(in crate::session) fn with(process: Process, pid: u32, parent: u32, name: &str) -> Process {
        Process { id: Leader { pid, start: 1 }, parent, name: name.into(), ..process }
    }

    /// One of many, that another has started, in an audit session.
    pub(in crate::session) fn among(
        (pid, parent, start): (u32, u32, u64),
        cgroup: &str,
        (uid, login, audit): (u32, Option<u32>, Option<u32>),
    ) -> Process {
        Process { id: Leader { pid, start }, parent, audit, ..process(cgroup, uid, login) }
    }

    #[test]
    fn a_process_whose_control_group_cannot_be_told_is_its_users() {
        let fields = ["S", "1"].map(str::to_owned).into_iter().chain((5..=25).map(|n| n.to_string()));
        let stat = format!("7 (sleep) {}", fields.collect::<Vec<_>>().join(" "));
        let status = "Name:\tsleep\nUid:\t1001\t1001\t1001\t1001\n";
        let cgroup = too_deep(status);
        let group = Groups::default().keep(cgroup.as_deref().and_then(cgroup_of).unwrap());
        let process = parse(7, &stat, status, None, None, group).unwrap();
        let uid = |uid: u32| Uid::try_from(uid).unwrap();
        assert!(process.is_of(uid(1001)) && !process.is_of(uid(1002)));
        assert_eq!((process.unit.clone(), process.slice()), (None, Some("user-1001.slice")));
    }

    #[test]
    fn a_process_whose_first_thread_has_ended_runs_on_while_another_does() {
        let stat = |state: &'static str, threads: &'static str| {
            let mut fields = vec![state];
            fields.extend(["1"; 16]);
            fields.push(threads);
            has_ended(&fields)
        };
        assert!(!stat("Z", "2"), "hidden behind a first thread that has ended");
        assert!(stat("Z", "1") && stat("X", "1") && stat("Z", "?"));
        assert!(!stat("S", "1") && !stat("T", "1") && !stat("D", "1"));
    }

    /// What a list takes, as it is kept: itself, and what its texts take beside it.
    fn bytes_of(all: &[Process]) -> usize {
        let paths: HashSet<&str> = all.iter().map(|process| process.group.path()).collect();
        let text = |process: &Process| {
            process.name.capacity() + process.unit.as_ref().map_or(0, |unit| unit.as_str().len())
        };
        size_of_val(all)
            + all.iter().map(text).sum::<usize>()
            + paths.iter().map(|path| path.len()).sum::<usize>()
    }

    #[test]
    fn a_list_of_ten_thousand_processes_in_groups_as_deep_as_can_be_takes_no_more_than_eight_megabytes() {
        const MANY: u32 = 10_000;
        let fields = ["S", "1"].map(str::to_owned).into_iter().chain((5..=25).map(|n| n.to_string()));
        let stat = format!("7 (fifteen-bytes-x) {}", fields.collect::<Vec<_>>().join(" "));
        let status = "Name:\tsleep\nUid:\t1001\t1001\t1001\t1001\n";
        let manager = "/user.slice/user-1001.slice/user@1001.service";
        let list = |below: &str| {
            let mut groups = Groups::default();
            let all: Vec<Process> = (0..MANY)
                .map(|pid| {
                    let path = format!("0::{manager}/{pid:0>50}{below}/{pid}\n");
                    let group = groups.keep(cgroup_of(&path).unwrap());
                    parse(pid, &stat, status, Some("1001"), Some("5"), group).unwrap()
                })
                .collect();
            bytes_of(&all)
        };
        let (flat, deep) = (list(""), list(&format!("/{}", "x".repeat(250)).repeat(15)));
        println!(
            "a list of {MANY} processes, each in a group of its own: {flat} bytes, and {deep} where each is 3.9 KB deep"
        );
        assert!(deep < 8 << 20 && deep < flat * 2, "{flat} {deep}");
    }

    #[test]
    fn a_scope_is_where_systemd_put_it_and_not_where_somebody_named_one() {
        let unit = |cgroup: &str| process(cgroup, 0, None).unit.map(|unit| unit.to_string());
        assert_eq!(unit("/user.slice/user-1001.slice/session-4.scope").as_deref(), Some("session-4.scope"));
        assert_eq!(unit("/user.slice/user-1001.slice/jit-7-9.scope/sub").as_deref(), Some("jit-7-9.scope"));
        for other in [
            "/user.slice/user-1001.slice/user@1001.service/app.slice/session-4.scope",
            "/machine.slice/systemd-nspawn@a.service/user.slice/user-1001.slice/session-4.scope",
            "/system.slice/ssh.service",
            "/",
        ] {
            assert_eq!(unit(other), None, "{other}");
        }
    }

    #[test]
    fn the_innermost_slice_is_that_of_the_unit() {
        let slice = |cgroup: &str| process(cgroup, 0, None).slice().map(str::to_owned);
        assert_eq!(slice("/user.slice/user-1001.slice/session-4.scope").as_deref(), Some("user-1001.slice"));
        let manager = "/user.slice/user-1001.slice/user@1001.service/app.slice/x.service";
        assert_eq!(slice(manager).as_deref(), Some("user-1001.slice"));
        assert_eq!(slice("/init.scope"), None);
    }

    #[test]
    fn a_service_of_the_hosts_is_nobodys_for_running_as_them() {
        let uid = Uid::try_from(1001).unwrap();
        assert!(!process("/system.slice/app.service", 1001, None).is_of(uid));
        assert!(process("/system.slice/cron.service", 1001, None).is_of(uid));
        assert!(process("/system.slice/run-u12.service", 1001, None).is_of(uid));
        assert!(!process("/system.slice/run-u12.service", 0, None).is_of(uid));
        assert!(process("/system.slice/app.service", 0, Some(1001)).is_of(uid));
        assert!(!process("/system.slice/jit-kiosk.service", 1001, Some(1001)).is_of(uid));
        assert!(process("/user.slice/user-1001.slice/user@1001.service/init.scope", 1001, None).is_of(uid));
        assert!(!process("/user.slice/user-10011.slice/session-1.scope", 10011, None).is_of(uid));
    }

    #[test]
    fn both_forms_of_a_cgroup_file_name_systemds_path() {
        assert_eq!(cgroup_of("0::/user.slice/x.scope\n"), Some("/user.slice/x.scope"));
        let gone = "0::/user.slice/user-1.slice/session-3.scope (deleted)\n";
        assert_eq!(cgroup_of(gone), Some("/user.slice/user-1.slice/session-3.scope"));
        let hybrid = "12:pids:/a\n1:name=systemd:/user.slice/x.scope\n0::/\n";
        assert_eq!(cgroup_of(hybrid), Some("/user.slice/x.scope"));
    }

    #[test]
    fn a_terminal_has_the_name_that_logind_gives_it() {
        let terminal = |tty| Process { tty, ..process("/", 0, None) }.terminal();
        assert_eq!(terminal(0x8803).as_deref(), Some("pts/3"));
        assert_eq!(terminal(0x0401).as_deref(), Some("tty1"));
        assert_eq!(terminal(0x0440).as_deref(), Some("ttyS0"));
        assert_eq!(terminal(0), None);
    }

    #[test]
    fn a_process_is_known_by_more_than_its_pid() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let known = leader(child.id()).unwrap();
        signal_to(Leader { start: known.start + 1, ..known }, Signal::KILL);
        assert!(child.try_wait().unwrap().is_none() && read(known.pid).is_some());
        signal_to(known, Signal::KILL);
        assert!(!child.wait().unwrap().success());
    }
}
