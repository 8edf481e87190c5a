//! A site's own programs: mail, a pager, a ticket system.
//!
//! jitd runs none of them. It has neither the privileges that lowering one's privileges takes nor any time to
//! wait: each event goes as one datagram, without waiting, to a socket of systemd's, and `jit-notify.service` runs
//! what is in `/etc/jit/notify.d` as nobody in particular. The socket is there when an admin has turned it on.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use jit_core::audit::line::Line;
use jit_core::event::{Event, Record};
use nix::errno::Errno;

use super::target::{NotTaken, Sink, Wants};
use crate::log;

/// The name of the cursor.
pub(super) const NAME: &str = "notify";

/// As `jit-notify.socket` has it. The folder is root's alone.
const SOCKET: &str = "/run/jitd/notify";

pub(super) struct Programs {
    socket: PathBuf,
}

impl Default for Programs {
    fn default() -> Self {
        Self { socket: SOCKET.into() }
    }
}

impl Sink for Programs {
    fn name(&self) -> &'static str {
        NAME
    }

    fn wants(&self) -> Wants {
        match fs::symlink_metadata(&self.socket) {
            Ok(facts) if facts.file_type().is_socket() => Wants::New,
            Ok(_) | Err(_) => Wants::Nothing,
        }
    }

    fn send(&mut self, record: &Record, _: &Line, bytes: &[u8]) -> Result<(), NotTaken> {
        if !is_news(&record.event) {
            return Ok(());
        }
        match send(&self.socket, bytes) {
            Ok(()) => Ok(()),
            Err(err) if err.kind() == ErrorKind::NotFound => Err(NotTaken::Absent),
            // It would be too long the next time too, and all behind it would wait for ever.
            Err(err) if err.raw_os_error() == Some(Errno::EMSGSIZE as i32) => {
                log::warning(format_args!(
                    "the programs in /etc/jit/notify.d are not told of record {}: {} bytes are too many for one \
                     datagram",
                    record.seq,
                    bytes.len()
                ));
                Ok(())
            }
            Err(err) => Err(NotTaken::Failing(err)),
        }
    }
}

/// What is worth telling: all but what every login brings, which the logs have.
const fn is_news(event: &Event) -> bool {
    !matches!(
        event,
        Event::Came { .. }
            | Event::Allowed { .. }
            | Event::Denied { .. }
            | Event::Unmanaged { .. }
            | Event::SessionOpened { .. }
            | Event::SessionClosed { .. }
            | Event::SessionPlaced { .. }
            | Event::SessionMoved { .. }
            | Event::SessionGone { .. }
            | Event::ClaimVoided { .. }
    )
}

/// Never waits: a full queue is an error like any other, and the other logs have their turn.
fn send(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to(bytes, path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};
    use std::process::{Child, Command, Output, Stdio};

    use jit_core::model::{Login, Why};
    use tempfile::TempDir;

    use crate::clock::Clock;

    const RUNNER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/notify/jit-notify");

    fn record(event: Event) -> Record {
        Record { seq: 7, at: Clock::of_this_boot().unwrap().sample(None).believed(), actor: None, event }
    }

    fn take(to: &mut Programs, event: Event) -> Result<(), NotTaken> {
        let record = record(event);
        let bytes = record.encode().unwrap().bytes;
        to.send(&record, &Line::of(&record), &bytes)
    }

    fn programs() -> (TempDir, Programs) {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("notify");
        (dir, Programs { socket })
    }

    #[test]
    fn without_its_socket_it_is_off_and_a_file_in_its_place_is_no_socket() {
        let (_dir, mut programs) = programs();
        assert_eq!(programs.wants(), Wants::Nothing);
        assert!(matches!(take(&mut programs, Event::Stopped), Err(NotTaken::Absent)));
        fs::write(&programs.socket, "").unwrap();
        assert_eq!(programs.wants(), Wants::Nothing);
    }

    #[test]
    fn an_event_is_one_datagram_with_the_exact_bytes_of_its_record() {
        let (_dir, mut programs) = programs();
        let theirs = UnixDatagram::bind(&programs.socket).unwrap();
        assert_eq!(programs.wants(), Wants::New);
        let record = record(Event::Stopped);
        let encoded = record.encode().unwrap().bytes;
        programs.send(&record, &Line::of(&record), &encoded).unwrap();
        let mut bytes = [0; 4096];
        let got = theirs.recv(&mut bytes).unwrap();
        assert_eq!(bytes[..got], encoded);
    }

    #[test]
    fn what_every_login_brings_is_not_told() {
        let (_dir, mut programs) = programs();
        let theirs = UnixDatagram::bind(&programs.socket).unwrap();
        theirs.set_nonblocking(true).unwrap();
        let login = Login {
            service: "sshd".parse().unwrap(),
            user: "maria".parse().unwrap(),
            uid: None,
            target: None,
            rhost: String::new(),
            tty: String::new(),
            keys: Vec::new(),
            person: None,
        };
        take(
            &mut programs,
            Event::Denied {
                why: Why::NoWindow,
                count: NonZeroU32::MIN,
                last: None,
                others: false,
                login: login.clone(),
            },
        )
        .unwrap();
        take(&mut programs, Event::SessionClosed { login, leader: None, session: None }).unwrap();
        assert_eq!(theirs.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        take(&mut programs, Event::Stopped).unwrap();
        assert!(theirs.recv(&mut [0; 8]).is_ok());
    }

    #[test]
    fn programs_that_do_not_keep_up_are_not_waited_for() {
        let (_dir, mut programs) = programs();
        let _never_read = UnixDatagram::bind(&programs.socket).unwrap();
        // The kernel's queue is bounded (net.unix.max_dgram_qlen), and so is the memory behind it.
        let full = (0..100_000).find_map(|_| take(&mut programs, Event::Stopped).err());
        assert!(matches!(full, Some(NotTaken::Failing(err)) if err.kind() == ErrorKind::WouldBlock));
    }

    #[test]
    fn an_event_that_fits_no_datagram_holds_up_nothing() {
        let (_dir, mut programs) = programs();
        let _theirs = UnixDatagram::bind(&programs.socket).unwrap();
        let error = "x".repeat(4 * 1024 * 1024);
        assert!(take(&mut programs, Event::PolicyRefused { error, errors: 1 }).is_ok());
    }

    /// A folder of programs, and the script that runs them with a queue of events.
    struct Folder {
        dir: TempDir,
        ours: UnixDatagram,
        theirs: Option<UnixDatagram>,
    }

    impl Folder {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
            fs::create_dir(dir.path().join("out")).unwrap();
            fs::create_dir(dir.path().join("notify.d")).unwrap();
            let (ours, theirs) = UnixDatagram::pair().unwrap();
            Self { dir, ours, theirs: Some(theirs) }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join("notify.d").join(name)
        }

        fn program(&self, name: &str, script: &str) {
            let out = self.dir.path().join("out");
            fs::write(self.path(name), format!("#!/bin/sh\ncd {}\n{script}\n", out.display())).unwrap();
            self.mode(name, 0o755);
        }

        fn mode(&self, name: &str, mode: u32) {
            fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
        }

        fn start(&mut self) -> Child {
            let stdin = OwnedFd::from(self.theirs.take().unwrap());
            let folder = self.dir.path().join("notify.d");
            Command::new(RUNNER)
                .arg(folder)
                .args(["--seconds", "1"])
                .stdin(stdin)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        }

        fn run(&mut self, events: &[&str]) -> Output {
            for event in events {
                self.ours.send(event.as_bytes()).unwrap();
            }
            self.start().wait_with_output().unwrap()
        }

        fn wrote(&self, name: &str) -> String {
            fs::read_to_string(self.dir.path().join("out").join(name)).unwrap_or_default()
        }
    }

    fn said(output: &Output) -> String {
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// Whether a process is there and no zombie: it takes the kernel a moment to kill one.
    fn runs(pid: u32) -> bool {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
    }

    #[test]
    fn every_program_gets_every_event_in_order_and_the_script_ends_when_there_are_no_more() {
        let mut folder = Folder::new();
        folder.program("20-second", "cat >>second; echo second >>order");
        folder.program("10-first", "cat >>first; echo first >>order");
        let events = [r#"{"event":"requested","reason":"50% \\n é"}"#, r#"{"event":"opened"}"#];
        let output = folder.run(&events);
        assert!(output.status.success(), "{output:?}");
        let both = format!("{}\n{}\n", events[0], events[1]);
        assert_eq!((folder.wrote("first"), folder.wrote("second")), (both.clone(), both));
        assert_eq!(folder.wrote("order"), "first\nsecond\nfirst\nsecond\n");
    }

    #[test]
    fn a_program_that_fails_or_reads_nothing_keeps_no_other_from_its_event() {
        let mut folder = Folder::new();
        folder.program("10-fails", "exit 3");
        folder.program("20-last", "cat >>last");
        let event = format!("{{\"long\":\"{}\"}}", "x".repeat(100_000));
        let output = folder.run(&[&event, "{}"]);
        assert!(said(&output).contains("10-fails failed with status 3"), "{output:?}");
        assert_eq!(folder.wrote("last"), format!("{event}\n{{}}\n"));
    }

    #[test]
    fn a_program_that_hangs_is_killed_with_its_children_and_the_next_one_runs() {
        let mut folder = Folder::new();
        folder.program("10-hangs", "trap '' TERM; sleep 600 & echo $! >child; while :; do sleep 600; done");
        folder.program("20-last", "cat >>last");
        let output = folder.run(&["{}"]);
        assert!(said(&output).contains("10-hangs was still running after 1 s and was killed"), "{output:?}");
        assert_eq!(folder.wrote("last"), "{}\n");
        let child = folder.wrote("child").trim().parse::<u32>().unwrap();
        while runs(child) {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    #[test]
    fn what_others_could_have_written_is_not_run() {
        let mut folder = Folder::new();
        for name in ["group", "world", "theirs", "plain", "with.dot", "backup~"] {
            folder.program(name, "touch ran-$(basename \"$0\")");
        }
        folder.mode("group", 0o775);
        folder.mode("world", 0o757);
        folder.mode("plain", 0o644);
        chown(folder.path("theirs"), Some(12345), None).unwrap();
        symlink(folder.path("plain"), folder.path("link")).unwrap();
        fs::create_dir(folder.path("folder")).unwrap();
        folder.program("good", "touch ran-good");
        let output = folder.run(&["{}"]);
        let ran: Vec<_> = fs::read_dir(folder.dir.path().join("out"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(ran, ["ran-good"], "{output:?}");
        for name in ["group", "world", "theirs", "plain", "with.dot", "backup~", "link", "folder"] {
            assert!(said(&output).contains(&format!("/{name}: ")), "{name}: {output:?}");
        }
    }

    #[test]
    fn nothing_is_run_from_a_folder_that_others_can_write() {
        let mut folder = Folder::new();
        folder.program("good", "touch ran-good");
        folder.mode("", 0o777);
        let output = folder.run(&["{}"]);
        assert!(said(&output).contains("writable by root only"), "{output:?}");
        assert_eq!(fs::read_dir(folder.dir.path().join("out")).unwrap().count(), 0);
    }
}
