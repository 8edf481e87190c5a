//! A place of our own to test in: a mount namespace with its own `/run` and `/dev`.
//!
//! `/run` is empty but for what a test puts there, so the module's built-in paths can be tried without touching
//! those of this host. `/dev/log` is a socket that we read, so the tests see what syslog would. Everything is gone
//! with this process, however it ends.
//!
//! A thread reads `/dev/log` all the time: syslog(3) blocks when nobody does.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, OnceLock};
use std::thread;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Where the tests keep their files.
const WORK: &str = "/run/module";

/// What was written to `/dev/log`, in order.
static LOGGED: OnceLock<Mutex<Receiver<String>>> = OnceLock::new();

/// Enters a new room, before there is any thread, and puts the module and the programs that use it there.
pub(crate) fn enter(module: &Path) -> Result<(), String> {
    let none: Option<&str> = None;
    let failed =
        |what: &'static str| move |err: nix::Error| format!("{what}: {err} (these tests run as root)");
    unshare(CloneFlags::CLONE_NEWNS).map_err(failed("unshare"))?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(failed("make / private"))?;

    // The devices are those of this host, bound one by one; /dev/log is new.
    let dev = "/tmp";
    mount(Some("jit"), dev, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))
        .map_err(failed("mount /dev"))?;
    for device in ["null", "zero", "full", "random", "urandom", "tty"] {
        let (from, to) = (format!("/dev/{device}"), format!("{dev}/{device}"));
        fs::write(&to, "").map_err(|err| format!("{to}: {err}"))?;
        mount(Some(from.as_str()), to.as_str(), none, MsFlags::MS_BIND, none)
            .map_err(failed("bind a device"))?;
    }
    mount(Some(dev), "/dev", none, MsFlags::MS_MOVE, none).map_err(failed("move /dev"))?;
    mount(Some("jit"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=755"))
        .map_err(failed("mount /run"))?;

    let io = |err: std::io::Error| err.to_string();
    let log = UnixDatagram::bind("/dev/log").map_err(io)?;
    let (lines, logged) = channel();
    thread::spawn(move || {
        let mut message = vec![0; 64 * 1024];
        while let Ok(length) = log.recv(&mut message) {
            let line = String::from_utf8(message[..length].to_vec()).expect("syslog gets UTF-8");
            lines.send(line).expect("the tests read it");
        }
    });
    LOGGED.set(Mutex::new(logged)).map_err(|_| "entered twice".to_owned())?;
    fs::create_dir_all(WORK).map_err(io)?;
    fs::copy(module, module_path()).map_err(|err| format!("{}: {err}", module.display()))?;
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/module");
    compile(&["-rdynamic", "-o", &program()], &sources.join("pamrun.c"))?;
    compile(&["-shared", "-fPIC", "-o", &sentinel()], &sources.join("seen.c"))
}

fn compile(options: &[&str], source: &Path) -> Result<(), String> {
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Wextra", "-Werror"]).args(options).arg(source).arg("-lpam").arg("-ldl");
    let done = cc.stdin(Stdio::null()).output().map_err(|err| format!("cc: {err}"))?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

/// The module under test.
pub(crate) fn module_path() -> String {
    format!("{WORK}/pam_jit.so")
}

/// pamrun, compiled.
pub(crate) fn program() -> String {
    format!("{WORK}/pamrun")
}

/// seen.c, compiled.
pub(crate) fn sentinel() -> String {
    format!("{WORK}/seen.so")
}

/// A new empty folder.
pub(crate) fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let folder = Path::new(WORK).join(COUNT.fetch_add(1, Ordering::Relaxed).to_string());
    fs::create_dir(&folder).unwrap();
    folder
}

/// What was written to syslog since the last time, one element for each message, `<priority>` first.
pub(crate) fn logged() -> Vec<String> {
    // A mark of our own: what was written before it has arrived before it.
    const MARK: &str = "mark";
    UnixDatagram::unbound()
        .and_then(|mark| mark.send_to(MARK.as_bytes(), "/dev/log"))
        .expect("the room has a log");
    let logged = LOGGED.get().expect("main enters the room").lock().expect("one test at a time");
    logged.iter().take_while(|line| line != MARK).collect()
}
