//! Runs a command inside a machine that `tests/bed/boot` started, for so long at most: `enter-machine LEADER SECONDS
//! COMMAND ARG...`. What `tests/bed/enter` does for people, as one program in the place of five: a run of all scenarios
//! enters some ten thousand times, and it is the processors that it waits for.
//!
//! As root, with a clean environment, without a login, and with nothing open but its three streams. The exit status is
//! that of the command; 128 and the number of the signal that ended it; 124 if it was ended when its time was over, as
//! timeout(1) has it; and 125 if it did not come to run.

use std::error::Error;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, close};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{PidfdFlags, pidfd_open};

/// The namespaces that a machine has of its own. That of processes counts for what is started from here on.
const NAMESPACES: [(&str, CloneFlags); 6] = [
    ("cgroup", CloneFlags::CLONE_NEWCGROUP),
    ("ipc", CloneFlags::CLONE_NEWIPC),
    ("uts", CloneFlags::CLONE_NEWUTS),
    ("net", CloneFlags::CLONE_NEWNET),
    ("pid", CloneFlags::CLONE_NEWPID),
    ("mnt", CloneFlags::CLONE_NEWNS),
];

const VARIABLES: [(&str, &str); 7] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("USER", "root"),
    ("LOGNAME", "root"),
    ("SHELL", "/bin/bash"),
    ("LANG", "C.UTF-8"),
    ("TERM", "dumb"),
];

/// What is ended politely has so long until it is killed.
const GRACE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(why) => {
            drop(writeln!(std::io::stderr(), "enter-machine: {why}"));
            ExitCode::from(125)
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [leader, seconds, command, args @ ..] = args.as_slice() else {
        return Err("usage: enter-machine LEADER SECONDS COMMAND ARG...".into());
    };
    let leader: u32 = leader.parse()?;
    let limit = Duration::from_secs(seconds.parse()?);
    join_its_groups(leader)?;
    // The login on this host is no login in there. It stays what it is where the kernel has none.
    drop(fs::write("/proc/self/loginuid", u32::MAX.to_string()));
    close_what_others_left_open()?;
    let spaces: Vec<(File, CloneFlags)> = NAMESPACES
        .iter()
        .map(|(name, flag)| Ok((File::open(format!("/proc/{leader}/ns/{name}"))?, *flag)))
        .collect::<Result<_, std::io::Error>>()?;
    for (space, flag) in spaces {
        setns(space, flag)?;
    }
    let began = Instant::now();
    let mut started = Command::new(command)
        .args(args)
        .env_clear()
        .envs(VARIABLES)
        .current_dir("/root")
        .process_group(0)
        .spawn()
        .map_err(|why| format!("{command}: {why}"))?;
    if let Some(status) = ends_by(&mut started, began + limit)? {
        return Ok(code(status));
    }
    let group = Pid::from_raw(i32::try_from(started.id())?);
    signal(group, Signal::SIGTERM)?;
    if ends_by(&mut started, Instant::now() + GRACE)?.is_none() {
        signal(group, Signal::SIGKILL)?;
        started.wait()?;
    }
    Ok(ExitCode::from(124))
}

/// Whoever has gone meanwhile needs none.
fn signal(group: Pid, signal: Signal) -> Result<(), Errno> {
    match killpg(group, signal) {
        Err(Errno::ESRCH) => Ok(()),
        sent => sent,
    }
}

/// The command belongs to the machine's control group, as everything a real machine runs does; logind and systemctl look
/// for it there. A host may have the unified hierarchy alone, or beside systemd's old one.
fn join_its_groups(leader: u32) -> std::io::Result<()> {
    for line in fs::read_to_string(format!("/proc/{leader}/cgroup"))?.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(name), Some(path)) = (fields.next(), fields.next()) else { continue };
        let places: &[&str] = match name {
            "" => &["/sys/fs/cgroup/unified", "/sys/fs/cgroup"],
            "name=systemd" => &["/sys/fs/cgroup/systemd"],
            _ => continue,
        };
        let members = places.iter().map(|place| format!("{place}{path}/cgroup.procs"));
        if let Some(members) = members.into_iter().find(|members| Path::new(members).exists()) {
            fs::write(members, std::process::id().to_string())?;
        }
    }
    Ok(())
}

/// cargo's pipes, for one: a daemon that is started in the machine must hold nothing of whoever started the tests.
fn close_what_others_left_open() -> std::io::Result<()> {
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        match close(fd) {
            // That of the listing itself.
            Ok(()) | Err(Errno::EBADF) => {}
            Err(why) => return Err(why.into()),
        }
    }
    Ok(())
}

/// How it ended, if it does before that.
fn ends_by(started: &mut Child, deadline: Instant) -> Result<Option<ExitStatus>, Box<dyn Error>> {
    let pid = rustix::process::Pid::from_child(started);
    // No thread can be made here any more, and no signal is waited for: the command's own descriptor says when it is over.
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        if let Some(status) = started.try_wait()? {
            return Ok(Some(status));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let left = Timespec::try_from(left)?;
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(why) => return Err(why.into()),
        }
    }
}

fn code(status: ExitStatus) -> ExitCode {
    let number = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    number.and_then(|number| u8::try_from(number).ok()).map_or(ExitCode::from(125), ExitCode::from)
}
