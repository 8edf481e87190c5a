//! A throwaway Debian machine: `tests/bed/boot` brings it up, `tests/bed/enter` runs commands in it.
//!
//! The machine lives as long as a pipe that this process holds, so that it goes away with the value, with a
//! panic, and with a test run that is killed. Whatever cannot be had (no package, no boot, a command that does
//! not come back) panics: it is a failure of the test, and no test passes by not running.

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "as above: everything here may")]
#![allow(clippy::must_use_candidate, reason = "an expectation that is met needs no more")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a command in a machine may take unless it is said otherwise.
pub const LIMIT: Duration = Duration::from_secs(60);

/// How long a boot may take; the machine itself gives up after a minute.
const BOOT_LIMIT: Duration = Duration::from_secs(90);

/// What kind of machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Boot {
    /// The system bus is dbus-broker instead of dbus-daemon.
    pub broker: bool,
    /// PID 1 is a stub and nothing is started.
    pub bare: bool,
    /// What it is made of.
    pub tree: Tree,
}

/// What a machine is made of.
#[derive(Clone, Copy, Debug, Default)]
pub enum Tree {
    /// Debian 12.
    #[default]
    Bookworm,
    /// Debian 13.
    Trixie,
    /// Debian 12 with PostgreSQL (see tests/bed/programs).
    Programs,
}

impl Boot {
    /// Debian 12 with systemd and dbus-daemon.
    pub const USUAL: Self = Self { broker: false, bare: false, tree: Tree::Bookworm };
}

/// A running machine. Dropping it ends it.
#[derive(Debug)]
pub struct Machine {
    boot: Child,
    /// Its closing is what ends the machine.
    hold: Option<ChildStdin>,
    ready: Mutex<Receiver<String>>,
    /// What `boot` says of what went wrong.
    complaints: Mutex<Receiver<Vec<u8>>>,
    leader: Mutex<u32>,
}

impl Machine {
    /// Boots a machine with the package installed.
    #[must_use]
    pub fn boot(what: Boot) -> Self {
        let mut command = Command::new(bed("boot"));
        let layer = match what.tree {
            Tree::Bookworm => &BOOKWORM,
            Tree::Trixie => &TRIXIE,
            Tree::Programs => &PROGRAMS,
        };
        command.args(["--layer", layer.path()]);
        if what.broker {
            command.arg("--broker");
        }
        if what.bare {
            command.arg("--no-systemd");
        }
        let mut boot = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|err| panic!("{}: {err}", bed("boot").display()));
        let hold = boot.stdin.take();
        let lines = BufReader::new(boot.stdout.take().unwrap_or_else(|| panic!("boot has no stdout")));
        let (to, ready) = channel();
        thread::spawn(move || lines.lines().map_while(Result::ok).try_for_each(|line| to.send(line)));
        let complaints = Mutex::new(collect(boot.stderr.take()));
        let machine = Self { boot, hold, ready: Mutex::new(ready), complaints, leader: Mutex::new(0) };
        machine.wait_until_ready();
        machine
    }

    /// Takes the next line that says that the machine is up.
    fn wait_until_ready(&self) {
        let line = lock(&self.ready).recv_timeout(BOOT_LIMIT).unwrap_or_else(|err| {
            let said: Vec<u8> = lock(&self.complaints).try_iter().flatten().collect();
            panic!("the machine did not come up: {err}\n{}", lossy(&said))
        });
        let leader = line.split_whitespace().find_map(|word| word.strip_prefix("leader="));
        *lock(&self.leader) = leader
            .and_then(|pid| pid.parse().ok())
            .unwrap_or_else(|| panic!("boot said {line:?}, not READY leader=PID"));
    }

    /// Restarts the machine and waits until it is up again. It must have systemd.
    pub fn reboot(&self) {
        self.run(&["systemctl", "--no-block", "reboot"]);
        self.wait_until_ready();
    }

    /// Kills what keeps the machine, so that nothing clears up after it: as a test run that is killed ends.
    pub fn abandon(mut self) {
        drop(self.boot.kill());
        drop(self.boot.wait());
    }

    /// Runs a command as root, without a login (its loginuid is unset).
    pub fn run(&self, argv: &[&str]) -> Output {
        self.run_within(LIMIT, argv)
    }

    /// Runs a command as root that must be done within `limit`.
    pub fn run_within(&self, limit: Duration, argv: &[&str]) -> Output {
        self.start(limit, argv).output()
    }

    /// Runs a script of bash's as root.
    pub fn shell(&self, script: &str) -> Output {
        self.run(&["bash", "-c", script])
    }

    /// Runs a script as somebody else, in their home, without a login and without asking PAM.
    pub fn as_user(&self, user: &str, script: &str) -> Output {
        self.start_as(user, LIMIT, script).output()
    }

    /// Starts a command and does not wait for it.
    pub fn start(&self, limit: Duration, argv: &[&str]) -> Running {
        // It holds the limit: what is killed out here would live on in there.
        let enter = beside_this_program("enter-machine");
        let mut command = Command::new(&enter);
        command.args([lock(&self.leader).to_string(), limit.as_secs().to_string()]).args(argv);
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|err| panic!("{}: {err}", enter.display()));
        let out = (collect(child.stdout.take()), collect(child.stderr.take()));
        Running { command: argv.join(" "), child, began: Instant::now(), limit, out }
    }

    /// As [`Machine::as_user`], without waiting.
    pub fn start_as(&self, user: &str, limit: Duration, script: &str) -> Running {
        let home = format!("/home/{user}");
        let vars = [format!("HOME={home}"), format!("USER={user}"), format!("LOGNAME={user}")];
        let mut argv = vec!["setpriv", "--reuid", user, "--regid", user, "--init-groups", "env", "-C", &home];
        argv.extend(vars.iter().map(String::as_str));
        argv.extend(["bash", "-c", script]);
        self.start(limit, &argv)
    }

    /// How a person enters it.
    #[must_use]
    pub fn how_to_enter(&self) -> String {
        format!("{} {}", bed("enter").display(), lock(&self.leader))
    }

    /// The pid that a process of the machine has on this host.
    pub fn pid_on_host(&self, pid: u64) -> u64 {
        let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let its = namespace(&lock(&self.leader).to_string());
        let inside = |on_host: &str| {
            let status = fs::read_to_string(format!("/proc/{on_host}/status")).ok()?;
            status
                .lines()
                .find_map(|line| line.strip_prefix("NSpid:"))?
                .split_whitespace()
                .last()?
                .parse()
                .ok()
        };
        let processes = fs::read_dir("/proc").unwrap_or_else(|err| panic!("/proc: {err}"));
        processes
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .find(|on_host| namespace(on_host) == its && inside(on_host) == Some(pid))
            .and_then(|on_host| on_host.parse().ok())
            .unwrap_or_else(|| panic!("no process {pid} in the machine"))
    }

    /// Where a path of the machine is for this process.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", lock(&self.leader)))
    }

    /// Writes a file in the machine, at once: whoever reads it there sees all of it or nothing. The new file is
    /// beside it for a moment, under a name with two dots, which no folder of settings takes.
    pub fn write(&self, path: &str, text: &str, mode: u32) {
        WRITTEN.with_borrow_mut(|written| written.push(path.to_owned()));
        let at = self.path(path);
        let new = at.with_file_name(format!(".{}.new", at.file_name().unwrap_or_default().display()));
        let wrote = fs::write(&new, text)
            .and_then(|()| fs::set_permissions(&new, fs::Permissions::from_mode(mode)))
            .and_then(|()| fs::rename(&new, &at));
        wrote.unwrap_or_else(|err| panic!("{path}: {err}"));
    }

    /// The text of a file in the machine; empty if it is not there.
    #[must_use]
    pub fn read(&self, path: &str) -> String {
        fs::read(self.path(path)).map_or_else(|_| String::new(), |text| lossy(&text))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.hold.take());
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if !matches!(self.boot.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        drop(self.boot.kill());
        drop(self.boot.wait());
    }
}

/// A command that runs in a machine.
#[derive(Debug)]
pub struct Running {
    command: String,
    child: Child,
    began: Instant,
    limit: Duration,
    out: (Receiver<Vec<u8>>, Receiver<Vec<u8>>),
}

impl Running {
    /// Waits for its end.
    #[must_use]
    pub fn output(mut self) -> Output {
        let over = self.limit + Duration::from_secs(5);
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if self.began.elapsed() > over => {
                    drop(self.child.kill());
                    let status = -1;
                    let (stdout, stderr) = (String::new(), String::new());
                    let unfinished = Output { command: self.command.clone(), status, stdout, stderr };
                    remember(&unfinished, self.began.elapsed());
                    panic!("not done after {over:?}: {}", self.command);
                }
                Ok(None) => thread::sleep(Duration::from_millis(5)),
                Err(err) => panic!("{}: {err}", self.command),
            }
        };
        // A child of the command's that stays behind may hold the pipes; it has nothing to say any more.
        let text = |from: &Receiver<Vec<u8>>| {
            let mut bytes = Vec::new();
            let until = Instant::now() + Duration::from_millis(500);
            loop {
                match from.recv_timeout(until.saturating_duration_since(Instant::now())) {
                    Ok(more) => bytes.extend(more),
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return lossy(&bytes),
                }
            }
        };
        let output = Output {
            stdout: text(&self.out.0),
            stderr: text(&self.out.1),
            status: code(status),
            command: self.command,
        };
        remember(&output, self.began.elapsed());
        assert!(
            output.status != 124 || self.began.elapsed() < self.limit,
            "not done within {:?}: {output}",
            self.limit
        );
        output
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

thread_local! {
    /// What this thread has written into machines.
    static WRITTEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    /// The last commands of this thread, for the report of a test that fails.
    static LAST: RefCell<VecDeque<String>> = const { RefCell::new(VecDeque::new()) };
}

/// So many of them.
const REMEMBERED: usize = 15;

fn remember(output: &Output, took: Duration) {
    let command: String = output.command.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = format!(
        "{:>8.2}s  status {:<3}  {}",
        took.as_secs_f64(),
        output.status,
        command.chars().take(200).collect::<String>()
    );
    LAST.with_borrow_mut(|last| {
        if last.len() == REMEMBERED {
            last.pop_front();
        }
        last.push_back(line);
    });
}

/// The last commands that this thread ran to their end, with how long each took and its status. Forgets them.
#[must_use]
pub fn last_commands() -> String {
    LAST.with_borrow_mut(|last| last.drain(..).collect::<Vec<_>>().join("\n"))
}

/// The files that this thread has written into machines. Forgets them.
#[must_use]
pub fn written() -> Vec<String> {
    WRITTEN.with_borrow_mut(std::mem::take)
}

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Output {
    /// What was run.
    pub command: String,
    /// Its exit status; 128 and the signal's number if it was killed by one.
    pub status: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl Output {
    /// Everything it said.
    #[must_use]
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Whether its status is 0.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.status == 0
    }

    /// Demands status 0; returns stdout without the last line break.
    #[track_caller]
    pub fn done(&self) -> &str {
        assert!(self.is_ok(), "expected status 0 from {self}");
        self.stdout.trim_end()
    }

    /// Demands a status.
    #[track_caller]
    pub fn exits(&self, status: i32) -> &Self {
        assert!(self.status == status, "expected status {status} from {self}");
        self
    }

    /// Demands a text in what it said.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.all().contains(text), "expected {text:?} from {self}");
        self
    }

    /// Demands that a text is not in what it said.
    #[track_caller]
    pub fn does_not_say(&self, text: &str) -> &Self {
        assert!(!self.all().contains(text), "did not expect {text:?} from {self}");
        self
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nstatus {}", self.command, self.status)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.trim().is_empty() {
                write!(f, "\n{name}:\n{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

/// A program of this crate, which cargo builds before it runs a test of the crate's `tests`.
fn beside_this_program(name: &str) -> PathBuf {
    let this = std::env::current_exe().unwrap_or_else(|err| panic!("this program has no path: {err}"));
    // Tests are in `deps`, beside which programs are.
    this.ancestors().nth(2).unwrap_or(&this).join(name)
}

/// Asks again and again until it is so; panics with `what` if it is not so within `limit`. What has taken longer is asked
/// less often: most questions are a program in a machine, and others want the processors, too.
#[track_caller]
pub fn until(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        let waited = began.elapsed();
        assert!(waited < limit, "not within {limit:?}: {what}");
        thread::sleep((waited / 5).clamp(OFTEN, SELDOM));
    }
}

/// How soon [`until`] asks again, at first and later.
const OFTEN: Duration = Duration::from_millis(50);
const SELDOM: Duration = Duration::from_millis(200);

/// A tree with the package installed: as a variable says, or made here, once.
struct Layer {
    variable: &'static str,
    suite: &'static str,
    made: Mutex<Option<&'static str>>,
}

static BOOKWORM: Layer = Layer { variable: "JIT_LAYER", suite: "bookworm", made: Mutex::new(None) };
static PROGRAMS: Layer = Layer { variable: "JIT_LAYER_PROGRAMS", suite: "programs", made: Mutex::new(None) };
static TRIXIE: Layer = Layer { variable: "JIT_LAYER_TRIXIE", suite: "trixie", made: Mutex::new(None) };

impl Layer {
    fn path(&self) -> &'static str {
        let mut made = lock(&self.made);
        made.get_or_insert_with(|| {
            // What steers a test run; nothing of the product reads it.
            #[allow(clippy::disallowed_methods)]
            let given = std::env::var(self.variable).ok().filter(|layer| !layer.is_empty());
            let layer = given.unwrap_or_else(|| {
                let deb = line_of(&mut Command::new(top().join("packaging/deb/build")));
                line_of(Command::new(bed("layer")).arg(top().join(deb)).arg(self.suite))
            });
            String::leak(layer)
        })
    }
}

/// The last line that a program of ours prints.
fn line_of(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|err| panic!("{}: {err}", command.get_program().display()));
    assert!(output.status.success(), "{}: {}", command.get_program().display(), output.status);
    lossy(&output.stdout).lines().last().unwrap_or_default().to_owned()
}

/// The workspace. Where it is now, not where it was compiled: no path of a build machine is in a program.
#[must_use]
pub fn top() -> PathBuf {
    // Cargo starts tests in the package's folder.
    let here = std::env::current_dir().unwrap_or_else(|err| panic!("no current folder: {err}"));
    let found = here.ancestors().find(|dir| dir.join("tests/bed/boot").is_file());
    found.unwrap_or_else(|| panic!("{} is not in the workspace", here.display())).to_owned()
}

/// The authenticator of software that OpenSSH tests its FIDO keys by: a library for `-w` of ssh-keygen(1).
#[must_use]
pub fn authenticator() -> PathBuf {
    PathBuf::from(line_of(&mut Command::new(bed("sk-dummy"))))
}

fn bed(script: &str) -> PathBuf {
    top().join("tests/bed").join(script)
}

/// Reads a pipe to its end, on a thread, so that no command waits for somebody to read.
fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (to, from) = channel();
    if let Some(mut pipe) = pipe {
        thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(1..) = pipe
                .read(&mut bytes)
                .map(|read| if read > 0 && to.send(bytes[..read].to_vec()).is_err() { 0 } else { read })
            {
            }
        });
    }
    from
}

fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
