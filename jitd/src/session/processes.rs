//! What runs, as /proc tells (proc(5)), and the end of one process that cannot be mistaken for another.

use std::{fs, io};

use jit_core::ending::{Leader, Unit};
use jit_proto::words::Uid;
use nix::errno::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::who::start_time;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Which.
    pub(crate) id: Leader,
    /// Who started it; who has taken it over once that one is gone.
    parent: u32,
    /// Its real, effective, saved and file system uid.
    uids: Vec<u32>,
    /// Who logged in to start it, where the kernel tells and somebody did.
    login: Option<u32>,
    /// The audit session of that login.
    pub(crate) audit: Option<u32>,
    /// Its name, as it gave itself.
    name: String,
    /// Its cgroup, from systemd's root.
    cgroup: String,
    /// The session's scope that it runs in, if it does.
    pub(crate) unit: Option<Unit>,
    /// The device of its terminal; 0 is none.
    tty: u32,
}

/// Every process, zombies left out: nothing of those runs. An error is not to know what runs.
pub(super) fn all() -> io::Result<Vec<Process>> {
    // What forks without a pause makes new ones while one looks, for as long as one looks. It is found the next time.
    let most = threads()? * 2 + 1000;
    let pids = fs::read_dir("/proc")?
        .map(|entry| Ok(entry?.file_name().to_str().and_then(|name| name.parse().ok())));
    pids.filter_map(io::Result::transpose)
        .take(most)
        .map(|pid| look(pid?))
        .filter_map(io::Result::transpose)
        .collect()
}

/// How many threads there are, by the fourth field of /proc/loadavg (proc(5)).
fn threads() -> io::Result<usize> {
    let text = fs::read_to_string("/proc/loadavg")?;
    let threads = text.split_whitespace().nth(3).and_then(|field| field.split_once('/')?.1.parse().ok());
    threads.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Whether /proc hides processes from jitd (hidepid= of proc(5)): then it can tell of none whether it runs.
pub(crate) fn are_hidden() -> bool {
    !matches!(look(1), Ok(Some(_)))
}

/// One process, if it lives and can be read.
pub(crate) fn read(pid: u32) -> Option<Process> {
    look(pid).ok().flatten()
}

/// One process, if it lives. An error is not to know.
fn look(pid: u32) -> io::Result<Option<Process>> {
    let proc = format!("/proc/{pid}");
    let file = |name: &str| match fs::read(format!("{proc}/{name}")) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        // It has ended (ESRCH while a file of it is open), or is hidden, as [`are_hidden`] tells.
        Err(err)
            if matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
                || err.raw_os_error() == Some(Errno::ESRCH as i32) =>
        {
            Ok(None)
        }
        Err(err) => Err(err),
    };
    let (Some(stat), Some(status)) = (file("stat")?, file("status")?) else { return Ok(None) };
    // Neither of audit is there on a kernel without it.
    let (login, audit, cgroup) = (file("loginuid")?, file("sessionid")?, file("cgroup")?);
    Ok(parse(pid, &stat, &status, login.as_deref(), audit.as_deref(), cgroup.as_deref()))
}

fn parse(
    pid: u32,
    stat: &str,
    status: &str,
    login: Option<&str>,
    audit: Option<&str>,
    cgroup: Option<&str>,
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
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let uids = uids.split_whitespace().filter_map(|uid| uid.parse().ok()).collect();
    // 2^32 - 1 where nobody logged in.
    let of_audit = |text: Option<&str>| text?.trim().parse().ok().filter(|number| *number != u32::MAX);
    let cgroup = cgroup.and_then(cgroup_of).unwrap_or_default();
    Some(Process {
        id: Leader { pid, start: fields.get(19)?.parse().ok()? },
        parent: number(1)?,
        uids,
        login: of_audit(login),
        audit: of_audit(audit),
        name,
        unit: unit_name(&cgroup).and_then(|name| name.parse().ok()),
        cgroup,
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

/// Those among `all` that a process has started, itself included, by whatever generations are still there.
pub(crate) fn below(leader: Leader, all: &[Process]) -> Vec<&Process> {
    let mut found: Vec<&Process> = all.iter().filter(|process| process.id == leader).collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).map(|process| process.id) {
        let is_new = |process: &&Process| process.parent == parent.pid && process.id.start >= parent.start;
        found.extend(all.iter().filter(is_new).filter(|process| process.id != parent));
        next += 1;
    }
    found
}

/// The process with this pid, as it is known from now on.
pub(crate) fn leader(pid: u32) -> Option<Leader> {
    start_time(&format!("/proc/{pid}")).ok().map(|start| Leader { pid, start })
}

/// Of the unified hierarchy, or of systemd's own where there are several (cgroups(7)).
fn cgroup_of(text: &str) -> Option<String> {
    let of =
        |head: &str| text.lines().find_map(|line| line.split_once(head).filter(|(nr, _)| !nr.contains(':')));
    let (_, path) =
        of("::").filter(|(_, path)| *path != "/").or_else(|| of(":name=systemd:")).or_else(|| of("::"))?;
    // Of one that is on its way out, and whose cgroup has gone before it.
    Some(path.strip_suffix(" (deleted)").unwrap_or(path).to_owned())
}

impl Process {
    /// The unit that it runs in.
    pub(crate) fn unit_name(&self) -> Option<&str> {
        unit_name(&self.cgroup)
    }

    /// The innermost slice of the unit that it runs in.
    pub(crate) fn slice(&self) -> Option<&str> {
        self.cgroup.split('/').filter(|part| !part.is_empty()).take_while(|part| is_slice(part)).last()
    }

    /// Whether it runs under a user's slice.
    pub(crate) fn is_in_slice_of(&self, uid: Uid) -> bool {
        self.cgroup.starts_with(&format!("/user.slice/user-{uid}.slice/"))
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

    /// As the record names it.
    pub(crate) fn said(&self) -> String {
        format!("{} {}", self.id.pid, self.name)
    }

    /// Sends it a signal, and nobody else that has got its pid since.
    pub(crate) fn signal(&self, signal: Signal) {
        signal_to(self.id, signal);
    }
}

/// Sends a signal to a process that is still the one that was meant.
pub(crate) fn signal_to(whom: Leader, signal: Signal) {
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

/// The unit of a cgroup: the first of its path that is no slice. What stands deeper is that unit's own to name.
fn unit_name(cgroup: &str) -> Option<&str> {
    cgroup.split('/').find(|part| !part.is_empty() && !is_slice(part))
}

fn is_slice(part: &str) -> bool {
    std::path::Path::new(part).extension().is_some_and(|kind| kind == "slice")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::session) fn process(cgroup: &str, uid: u32, login: Option<u32>) -> Process {
        Process {
            id: Leader { pid: 7, start: 1 },
            parent: 1,
            uids: vec![uid; 4],
            login,
            audit: None,
            name: "x".into(),
            unit: unit_name(cgroup).and_then(|name| name.parse().ok()),
            cgroup: cgroup.into(),
            tty: 0,
        }
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

    #[test]
    fn what_a_process_started_is_found_by_its_parents_and_not_by_a_pid_that_came_later() {
        let with = |pid, parent, start| Process {
            id: Leader { pid, start },
            parent,
            ..process("/user.slice/user-1.slice/session-1.scope", 1, None)
        };
        let all = [with(10, 1, 5), with(11, 10, 6), with(12, 11, 7), with(13, 1, 8), with(14, 10, 4)];
        let pids = |leader| below(leader, &all).iter().map(|found| found.id.pid).collect::<Vec<_>>();
        assert_eq!(pids(Leader { pid: 10, start: 5 }), [10, 11, 12]);
        assert_eq!(pids(Leader { pid: 10, start: 3 }), [0_u32; 0], "that is another process by now");
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
        assert_eq!(cgroup_of("0::/user.slice/x.scope\n").as_deref(), Some("/user.slice/x.scope"));
        let gone = "0::/user.slice/user-1.slice/session-3.scope (deleted)\n";
        assert_eq!(cgroup_of(gone).as_deref(), Some("/user.slice/user-1.slice/session-3.scope"));
        let hybrid = "12:pids:/a\n1:name=systemd:/user.slice/x.scope\n0::/\n";
        assert_eq!(cgroup_of(hybrid).as_deref(), Some("/user.slice/x.scope"));
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
