//! Everything that can be wrong with jitd, the bus and the ways to them, brought about for real.
//!
//! Each fault is met by three users: root and `nobody`, who are in `recovery=`, and `daemon`, who is not. Soft
//! faults are those in which jitd is known to be absent or unable; they let both named accounts in. Hard ones may
//! be somebody's doing; they let in uid 0 alone. `daemon` never gets in.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::Duration;

use jit_proto::RECOVERY_NOTES;
use jit_tests::runner::Test;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::os::fd::{AsRawFd, OwnedFd};

use crate::bus::Bus;
use crate::pam::{ABORT, AUTHINFO_UNAVAIL, IGNORE, OTHER, PERM_DENIED, Pam, SUCCESS};
use crate::peer::Peer;
use crate::table::{behind_private, over};
use crate::{ensure, expect, room};

pub(crate) const TESTS: &[Test] = &[
    ("socket and bus absent", || soft(&dead())),
    ("socket and bus refusing", refusing),
    ("nobody owns the name and nothing starts it", || soft(&over(&Bus::start()?))),
    ("starting jitd fails", || soft(&over(&Bus::that_starts("/bin/false")?))),
    ("jitd is not installed", || soft(&over(&Bus::that_starts("/nonexistent/jitd")?))),
    ("jitd starts and does not take its name", || late(&over(&Bus::that_starts("/bin/sleep 60")?))),
    ("jitd cannot decide, over its socket", || private(soft, "cannot-decide")),
    ("jitd cannot decide, over the bus", || on_bus(soft, "cannot-decide")),
    ("jitd answers another error", || private(hard, "not-permitted")),
    ("jitd answers another error over the bus", || on_bus(hard, "not-permitted")),
    ("the bus is stopped", bus_stopped),
    ("jitd is stopped before it accepts", stopped_before_accept),
    ("jitd is stopped while it decides", stopped_while_deciding),
    ("jitd hangs, over its socket", || private(late, "hangs")),
    ("jitd hangs, over the bus", || on_bus(late, "hangs")),
    ("jitd's socket has a full backlog", || full_backlog("private")),
    ("the bus has a full backlog", || full_backlog("bus")),
    ("jitd is killed while it decides", killed_while_deciding),
    ("jitd is killed while it decides, over the bus", || on_bus_alone("dies")),
    ("somebody who is not root holds jitd's socket", impostor),
    ("somebody who is not root owns jitd's name", impostor_on_bus),
    ("only root may own jitd's name under the shipped policy", policy),
    ("the answer has another nonce", || private(hard, "wrong-nonce")),
    ("the answer has no nonce", || private(hard, "no-nonce")),
    ("the answer is about another service", || private(hard, "wrong-service")),
    ("the answer is about another user", || private(hard, "wrong-user")),
    ("the verdict is none of the three", || private(hard, "odd-verdict")),
    ("a text is too long", || private(hard, "long-text")),
    ("a reply of 32 MiB, over the socket", || private(hard, "huge-text")),
    ("a reply of 32 MiB, over the bus", || on_bus_alone("huge-text")),
    ("a reply that announces 100 MiB", || private(hard, "raw-huge-reply")),
    ("garbage", || private(hard, "raw-garbage")),
    ("zeros", || private(hard, "raw-zeros")),
    ("garbage after a proper answer to AUTH", || private(hard, "raw-garbage-after-auth")),
    ("an answer to AUTH that never ends", || private(hard, "raw-endless-auth")),
    ("a refused AUTH", || private(hard, "raw-rejects")),
    ("signals without end", || private(late, "raw-signals")),
    ("a byte at a time", || private(late, "raw-drips")),
    ("no answer to AUTH", || private(late, "raw-silent")),
    ("a connection closed at once", || private(hard, "raw-hangs-up")),
    ("signals that interrupt every call change nothing", interrupted),
    ("no file descriptor is left", no_descriptors),
    ("a panic refuses everybody, is logged, prints nothing and leaves nothing", panics),
    ("a caller is recovered under his own name only", callers),
    ("a recovery is noted for jitd", notes),
    ("a note follows no link, waits for no fifo, and touches nobody else's file", hostile_notes),
];

/// What the module logs of a panic, at alert.
const PANICKED: &str = "refused: internal error panic=";

/// The shipped file panics for real, wherever its std asks for the time and is told that there is none. Root and the
/// recovery accounts are refused, too: nobody knows what a bug would let in.
fn panics() -> Result<(), String> {
    let (_peer, arguments) = behind_private("allow")?;
    let arguments = format!("{arguments} recovery=root,nobody");
    for user in ["root", "nobody", "daemon"] {
        let pam = Pam::new(&arguments).user(user);
        expect(user, pam.run()?.codes, vec![SUCCESS, SUCCESS])?;
        let pam = pam.option(["-x"]).env("RUST_BACKTRACE", "full");
        let seen = pam.run()?;
        expect(user, seen.codes, vec![ABORT, ABORT])?;
        expect(user, seen.said, vec![])?;
        ensure(seen.logged.len() == 2 && seen.logged.iter().all(|line| line.contains(PANICKED)), || {
            format!("{:?}", seen.logged)
        })?;
        expect("each of 110", pam.option(["-c", "110"]).run()?.codes, vec![ABORT, ABORT])?;
    }
    Ok(())
}

fn dead() -> String {
    format!("private={0}/a bus={0}/b", room::folder().display())
}

/// jitd is not there or cannot decide.
fn soft(arguments: &str) -> Result<(), String> {
    meet(arguments, IGNORE)
}

/// Somebody may have brought this about.
fn hard(arguments: &str) -> Result<(), String> {
    meet(arguments, AUTHINFO_UNAVAIL)
}

/// A hard fault that shows itself by nothing happening.
fn late(arguments: &str) -> Result<(), String> {
    hard(&arguments.replace("timeout=20", SOON))
}

/// A deadline short enough to wait for often, and what a loaded machine may make of it.
const SOON: &str = "timeout=300ms";
const BACK: Duration = Duration::from_secs(3);

fn meet(arguments: &str, other: i32) -> Result<(), String> {
    let session = |account| if account == IGNORE { IGNORE } else { PERM_DENIED };
    let named = format!("{arguments} recovery=root,{}", OTHER.0);
    for (arguments, user, code) in [
        (arguments, "root", AUTHINFO_UNAVAIL),
        (&named, "root", IGNORE),
        (&named, OTHER.0, other),
        (&named, "daemon", AUTHINFO_UNAVAIL),
    ] {
        let seen = Pam::new(arguments).user(user).run()?;
        let who = format!("{user} with {arguments}: {:?}", seen.logged);
        expect(&who, seen.codes, vec![code, session(code)])?;
        ensure(!arguments.contains(SOON) || seen.took < BACK, || format!("{who} took {:?}", seen.took))?;
        let (level, phrase, told) = if code == IGNORE {
            ("<81>", "RECOVERY: let in without a decision", 0)
        } else {
            ("<83>", "refused because=", 2)
        };
        expect(&who, (seen.logged.len(), seen.said.len()), (2, told))?;
        for line in &seen.logged {
            ensure(line.starts_with(level) && line.contains(phrase), || line.clone())?;
        }
        for line in &seen.said {
            ensure(line.ends_with("Tell an administrator: systemctl status jitd"), || line.clone())?;
        }
    }
    Ok(())
}

type Meets = fn(&str) -> Result<(), String>;

fn private(meets: Meets, kind: &str) -> Result<(), String> {
    let (_peer, arguments) = behind_private(kind)?;
    meets(&arguments)
}

fn on_bus(meets: Meets, kind: &str) -> Result<(), String> {
    let bus = Bus::start()?;
    let _peer = Peer::on_bus(kind, bus.socket())?;
    meets(&over(&bus))
}

fn refusing() -> Result<(), String> {
    let folder = room::folder();
    for name in ["private", "bus"] {
        // The file stays when the listener is gone.
        drop(std::os::unix::net::UnixListener::bind(folder.join(name)).map_err(|err| err.to_string())?);
    }
    soft(&format!("private={0}/private bus={0}/bus", folder.display()))
}

fn bus_stopped() -> Result<(), String> {
    let bus = Bus::start()?;
    let _peer = Peer::on_bus("allow", bus.socket())?;
    bus.stop();
    late(&over(&bus))
}

fn stopped_before_accept() -> Result<(), String> {
    let (peer, arguments) = behind_private("allow")?;
    peer.stop();
    late(&arguments)
}

fn stopped_while_deciding() -> Result<(), String> {
    each_alone("stops", SOON, "no answer within 300ms")
}

fn killed_while_deciding() -> Result<(), String> {
    each_alone("dies", "timeout=20", "closed the connection")
}

/// A peer that stops or dies serves one question only, so each gets a new one.
fn each_alone(kind: &str, timeout: &str, why: &str) -> Result<(), String> {
    for (user, code) in [("root", IGNORE), (OTHER.0, AUTHINFO_UNAVAIL), ("daemon", AUTHINFO_UNAVAIL)] {
        let (_peer, arguments) = behind_private(kind)?;
        let arguments = format!("{} recovery=root,{}", arguments.replace("timeout=20", timeout), OTHER.0);
        let seen = Pam::new(arguments).user(user).stages(&["account"]).run()?;
        expect(user, seen.codes, vec![code])?;
        ensure(seen.logged[0].contains(why), || seen.logged[0].clone())?;
        ensure(timeout != SOON || seen.took < BACK, || format!("took {:?}", seen.took))?;
    }
    Ok(())
}

/// The bus answers for a jitd that is gone, or that it has thrown off for a message over its own limit.
fn on_bus_alone(kind: &str) -> Result<(), String> {
    for (user, code) in [("root", IGNORE), (OTHER.0, AUTHINFO_UNAVAIL)] {
        let bus = Bus::start()?;
        let _peer = Peer::on_bus(kind, bus.socket())?;
        let arguments = format!("{} recovery=root,{}", over(&bus), OTHER.0);
        let seen = Pam::new(arguments).user(user).stages(&["account"]).run()?;
        expect(user, seen.codes, vec![code])?;
        ensure(seen.logged[0].contains("org.freedesktop.DBus.Error.NoReply"), || seen.logged[0].clone())?;
    }
    Ok(())
}

fn full_backlog(which: &str) -> Result<(), String> {
    let folder = room::folder();
    let address = UnixAddr::new(&folder.join(which)).map_err(|err| err.to_string())?;
    let stream = || {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(|err| err.to_string())
    };
    let listener = stream()?;
    bind(listener.as_raw_fd(), &address).map_err(|err| err.to_string())?;
    listen(&listener, Backlog::new(1).unwrap()).map_err(|err| err.to_string())?;
    let mut waiting: Vec<OwnedFd> = Vec::new();
    loop {
        let next = stream()?;
        match connect(next.as_raw_fd(), &address) {
            Ok(()) => waiting.push(next),
            Err(nix::Error::EAGAIN) => break,
            Err(err) => return Err(err.to_string()),
        }
    }
    late(&format!("private={0}/private bus={0}/bus timeout=20", folder.display()))
}

fn impostor() -> Result<(), String> {
    let folder = room::folder();
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(&folder, everybody).map_err(|err| err.to_string())?;
    let peer = Peer::private_of(OTHER.1, "allow", &folder.join("private"))?;
    hard(&format!("private={0}/private bus={0}/bus", folder.display()))?;
    expect("questions", peer.end().iter().filter(|line| line.starts_with("asked")).count(), 0)
}

fn impostor_on_bus() -> Result<(), String> {
    let bus = Bus::that_lets_anybody_own()?;
    let peer = Peer::on_bus_of(OTHER.1, "allow", bus.socket())?;
    hard(&over(&bus))?;
    expect("questions", peer.end(), vec![])
}

fn policy() -> Result<(), String> {
    let bus = Bus::start()?;
    let impostor = Peer::on_bus_of(OTHER.1, "allow", bus.socket());
    ensure(impostor.is_err(), || "nobody owns jitd's name".into())
}

fn interrupted() -> Result<(), String> {
    for (kind, code) in [("allow", SUCCESS), ("deny", PERM_DENIED)] {
        let (_peer, arguments) = behind_private(kind)?;
        expect(kind, Pam::new(arguments).option(["-i"]).run()?.codes[0], code)?;
        let bus = Bus::start()?;
        let _peer = Peer::on_bus(kind, bus.socket())?;
        expect(kind, Pam::new(over(&bus)).option(["-i"]).run()?.codes[0], code)?;
    }
    let (_peer, arguments) = behind_private("raw-silent")?;
    let seen = Pam::new(arguments.replace("timeout=20", SOON)).option(["-i"]).run()?;
    expect("code", seen.codes[0], AUTHINFO_UNAVAIL)?;
    ensure(seen.took < BACK, || format!("took {:?}", seen.took))
}

/// Out of descriptors, not even /etc/passwd can be read, so nobody is known to have uid 0: root stays out, too. So
/// says the log; libpam, which cannot reach the audit daemon then, makes `PAM_SYSTEM_ERR` of every code.
fn no_descriptors() -> Result<(), String> {
    let (peer, arguments) = behind_private("allow")?;
    for user in ["root", OTHER.0] {
        let arguments = format!("{arguments} recovery=root,{}", OTHER.0);
        let seen = Pam::new(arguments).user(user).option(["-n"]).run()?;
        ensure(seen.codes.iter().all(|code| ![SUCCESS, IGNORE].contains(code)), || {
            format!("{:?}", seen.codes)
        })?;
        let why =
            |line: &&String| line.contains("refused because=\"cannot connect to ") && line.contains("EMFILE");
        expect(
            "log lines and conversation",
            (seen.logged.iter().filter(why).count(), seen.said.len()),
            (2, 2),
        )?;
    }
    expect("questions", peer.end(), vec![])
}

fn callers() -> Result<(), String> {
    let (name, uid) = OTHER;
    let real = uid.to_string();
    let arguments = dead();
    for service in ["su", "sudo-i"] {
        let su = |recovery: &str, ruser: &str| {
            let pam = Pam::new(format!("{arguments} recovery={recovery}")).service(service).user("root");
            pam.option(["-r", ruser])
                .option(["-u", &real])
                .stages(&["account"])
                .run()
                .map(|seen| seen.codes[0])
        };
        expect("himself", su(name, name)?, IGNORE)?;
        expect("himself, where root is listed", su("root", name)?, AUTHINFO_UNAVAIL)?;
        expect("as root", su(&format!("root,{name}"), "root")?, AUTHINFO_UNAVAIL)?;
        expect("as daemon", su(&format!("daemon,{name}"), "daemon")?, AUTHINFO_UNAVAIL)?;
    }
    Ok(())
}

/// Runs `test` with an empty /run/jitd.
fn with_run_jitd(test: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let folder = Path::new(RECOVERY_NOTES).parent().unwrap();
    fs::create_dir(folder).map_err(|err| err.to_string())?;
    let result = test();
    fs::remove_dir_all(folder).map_err(|err| err.to_string())?;
    result
}

fn recover() -> Result<(), String> {
    let seen = Pam::new(format!("{} recovery={}", dead(), OTHER.0)).run()?;
    expect("codes", seen.codes, vec![IGNORE, IGNORE])?;
    ensure(seen.took < BACK, || format!("took {:?}", seen.took))
}

fn notes() -> Result<(), String> {
    // Without the folder, the login works all the same.
    recover()?;
    with_run_jitd(|| {
        recover()?;
        recover()?;
        let text = fs::read_to_string(RECOVERY_NOTES).map_err(|err| err.to_string())?;
        let is = fs::metadata(RECOVERY_NOTES).map_err(|err| err.to_string())?;
        expect("mode", is.mode() & 0o7777, 0o600)?;
        expect("lines", text.lines().count(), 4)?;
        text.lines().try_for_each(|line| {
            let words: Vec<_> = line.split(' ').collect();
            let recent = words[0].parse::<u64>().is_ok_and(|seconds| seconds > 1_700_000_000);
            ensure(recent && words[1..] == ["sshd", OTHER.0], || line.to_owned())
        })?;
        // jitd is not coming back: the file does not grow without limit.
        fs::write(RECOVERY_NOTES, vec![b'x'; 64 * 1024 + 1]).map_err(|err| err.to_string())?;
        recover()?;
        expect("size", fs::metadata(RECOVERY_NOTES).map_err(|err| err.to_string())?.len(), 64 * 1024 + 1)
    })
}

fn hostile_notes() -> Result<(), String> {
    let victim = room::folder().join("victim");
    let untouched = || expect("the victim", fs::read_to_string(&victim).unwrap(), "mine".to_owned());
    fs::write(&victim, "mine").map_err(|err| err.to_string())?;
    with_run_jitd(|| {
        symlink(&victim, RECOVERY_NOTES).map_err(|err| err.to_string())?;
        recover()?;
        untouched()
    })?;
    with_run_jitd(|| {
        mkfifo(RECOVERY_NOTES, Mode::S_IRWXU).map_err(|err| err.to_string())?;
        recover()?;
        // With a reader, an open for writing succeeds; it is still no file.
        let _reader =
            fs::File::options().read(true).write(true).open(RECOVERY_NOTES).map_err(|err| err.to_string())?;
        recover()
    })?;
    with_run_jitd(|| {
        fs::write(RECOVERY_NOTES, "mine").map_err(|err| err.to_string())?;
        std::os::unix::fs::chown(RECOVERY_NOTES, Some(OTHER.1), None).map_err(|err| err.to_string())?;
        recover()?;
        expect("the notes", fs::read_to_string(RECOVERY_NOTES).unwrap(), "mine".to_owned())
    })
}
