//! Doubles of jitd, good and bad, each a process of its own: it can be stopped, killed, and have another uid.
//!
//! The well-spoken ones are zbus services, as jitd is; the others write bytes. A peer prints `ready` when it can be
//! reached, `connected` for each connection to its own socket, and `asked …` for each question.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use jit_proto::gate::{Answer, MAX_TEXT, Question};
use jit_proto::login_request::{self, Asker, State};
use jit_proto::{BUS_NAME, OBJECT_PATH};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use zbus::connection::Builder;
use zbus::{DBusError, Guid, block_on, interface};

/// A running double. Ends with its owner.
pub(crate) struct Peer {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Peer {
    /// One on a socket of its own.
    pub(crate) fn private(kind: &str, socket: &Path) -> Result<Self, String> {
        Self::start(None, ["private", kind, &socket.to_string_lossy()])
    }

    /// One on a socket of its own, that is not root's.
    pub(crate) fn private_of(uid: u32, kind: &str, socket: &Path) -> Result<Self, String> {
        Self::start(Some(uid), ["private", kind, &socket.to_string_lossy()])
    }

    /// One that owns jitd's name on the bus at this socket.
    pub(crate) fn on_bus(kind: &str, bus: &Path) -> Result<Self, String> {
        Self::start(None, ["bus", kind, &bus.to_string_lossy()])
    }

    /// One that owns jitd's name on the bus and is not root.
    pub(crate) fn on_bus_of(uid: u32, kind: &str, bus: &Path) -> Result<Self, String> {
        Self::start(Some(uid), ["bus", kind, &bus.to_string_lossy()])
    }

    fn start(uid: Option<u32>, arguments: [&str; 3]) -> Result<Self, String> {
        let mut command = Command::new("/proc/self/exe");
        command.arg("--peer").args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        if let Some(uid) = uid {
            command.uid(uid);
        }
        let mut child = command.spawn().map_err(|err| format!("peer: {err}"))?;
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        let read = said.read_line(&mut first);
        let peer = Self { child, said };
        match read {
            Ok(_) if first == "ready\n" => Ok(peer),
            other => Err(format!("the peer {arguments:?} did not start: {first}{other:?}")),
        }
    }

    /// SIGSTOP.
    pub(crate) fn stop(&self) {
        kill(self.pid(), Signal::SIGSTOP).unwrap();
    }

    /// Ends it, and returns what it printed.
    pub(crate) fn end(mut self) -> Vec<String> {
        self.kill();
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        said.lines().map(str::to_owned).collect()
    }

    fn kill(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a peer process does: `--peer private|bus|started KIND SOCKET`, the last for one that the bus starts.
pub(crate) fn main(arguments: &[String]) {
    let [transport, kind, socket] = arguments else { panic!("--peer private|bus|started KIND SOCKET") };
    if transport != "started" {
        // A test may be killed. (A bus starts programs by way of a process that does not stay.)
        set_pdeathsig(Signal::SIGKILL).unwrap();
    }
    if transport != "private" {
        let serve = served(Builder::address(format!("unix:path={socket}").as_str()), kind);
        let own = serve.allow_name_replacements(false).replace_existing_names(false).name(BUS_NAME);
        match block_on(own.build()) {
            Ok(connection) => {
                tell("ready");
                block_on(connection.closed());
            }
            Err(error) => tell(&error.to_string()),
        }
        return;
    }
    let listener = UnixListener::bind(socket).unwrap();
    tell("ready");
    for stream in listener.incoming() {
        let stream = stream.unwrap();
        tell("connected");
        if kind.starts_with("raw-") {
            // Whatever the module makes of it, the next one is served.
            drop(misbehave(kind, stream));
        } else {
            let serve = served(Builder::unix_stream(stream).server(Guid::generate()).p2p(), kind);
            block_on(async {
                // A client that leaves during the handshake is an error here.
                if let Ok(connection) = serve.build().await {
                    connection.closed().await;
                }
            });
        }
    }
}

/// A jitd from before the module could ask for roles serves the gate alone.
fn served<'a>(builder: Builder<'a>, kind: &str) -> Builder<'a> {
    let builder = builder.serve_at(OBJECT_PATH, Gate { kind: kind.to_owned() });
    let ask = || Ask { kind: kind.to_owned() };
    if kind.starts_with("ask-older") {
        builder.serve_at(OBJECT_PATH, Older(ask()))
    } else if kind.starts_with("ask") {
        builder.serve_at(OBJECT_PATH, ask())
    } else {
        builder
    }
}

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}

struct Gate {
    kind: String,
}

#[derive(Debug, DBusError)]
#[zbus(prefix = "org.jitd.Jit1.Error")]
enum Error {
    #[zbus(error)]
    Bus(zbus::Error),
    CannotDecide(String),
    NotPermitted(String),
}

#[interface(name = "org.jitd.Jit1.Gate")]
impl Gate {
    #[expect(clippy::needless_pass_by_value, reason = "arguments come by value")]
    fn check(&self, question: Question) -> Result<(Answer,), Error> {
        tell(&format!(
            "asked {} {} user={} ruser={} rhost={} tty={} uid={} flags={}",
            question.stage,
            question.service,
            question.user,
            question.ruser,
            question.rhost,
            question.tty,
            question.caller_uid,
            question.flags
        ));
        self.answer(&question).map(|answer| (answer,))
    }
}

impl Gate {
    fn answer(&self, question: &Question) -> Result<Answer, Error> {
        let allow = Answer {
            nonce: question.nonce.clone(),
            service: question.service.clone(),
            user: question.user.clone(),
            verdict: "allow".into(),
            reason: "window".into(),
            text: String::new(),
            grant: "g-4k7m2qx9".into(),
            remaining: 3600,
        };
        let not = |verdict: &str, reason: &str, text: &str| Answer {
            verdict: verdict.into(),
            reason: reason.into(),
            text: text.into(),
            grant: String::new(),
            remaining: 0,
            ..allow.clone()
        };
        let me = || Pid::this();
        Ok(match self.kind.as_str() {
            "allow" => allow,
            "deny" => {
                not("deny", "no-window", "No window is open. Ask for one:\n\u{1b}[1mjitctl request db-oncall")
            }
            "unmanaged" => not("unmanaged", "exempt", ""),
            "unknown-user" => not("deny", "unknown-user", "who?"),
            "wrong-nonce" => Answer { nonce: vec![0; 16], ..allow },
            "no-nonce" => Answer { nonce: vec![], ..allow },
            "wrong-service" => Answer { service: "login".into(), ..allow },
            "wrong-user" => Answer { user: "somebody".into(), ..allow },
            "odd-verdict" => Answer { verdict: "ALLOW".into(), ..allow },
            "long-text" => Answer { text: "x".repeat(MAX_TEXT + 1), ..allow },
            "huge-text" => Answer { text: "x".repeat(32 * 1024 * 1024), ..allow },
            "cannot-decide" => return Err(Error::CannotDecide("the disk is full".into())),
            "not-permitted" => return Err(Error::NotPermitted("not you".into())),
            "hangs" => loop {
                thread::park();
            },
            "dies" => {
                kill(me(), Signal::SIGKILL).unwrap();
                allow
            }
            "stops" => {
                kill(me(), Signal::SIGSTOP).unwrap();
                allow
            }
            kind => panic!("no such kind: {kind}"),
        })
    }
}

struct Ask {
    kind: String,
}

#[interface(name = "org.jitd.Jit1.Ask")]
#[expect(clippy::needless_pass_by_value, reason = "arguments come by value")]
impl Ask {
    fn options(&self, asker: Asker) -> Result<(login_request::Answer, Vec<login_request::Role>), Error> {
        tell(&format!("options {}", who(&asker)));
        let (state, id) = match self.kind.as_str() {
            "ask-open" => (State::Open, ""),
            "ask-nothing" => (State::Nothing, ""),
            "ask-dies-later" => (State::Waiting, "r-4k7m2qx9"),
            kind if kind.starts_with("ask-enter") => (State::Waiting, "r-4k7m2qx9"),
            "ask-cannot" => return Err(Error::CannotDecide("the disk is full".into())),
            "ask-hangs" => loop {
                thread::park();
            },
            _ => (State::Ask, ""),
        };
        let role = login_request::Role {
            name: "db-oncall".into(),
            summary: "On-call \u{1b}[1mshell".into(),
            default: 3600,
            max: 7200,
            hint: "INC-1234".into(),
        };
        let roles = if self.kind == "ask-many" {
            let longest = || "\u{7}".repeat(login_request::MAX_LINE);
            let many = 0..login_request::MAX_ROLES;
            many.map(|n| login_request::Role {
                name: format!("role-{n}"),
                summary: longest(),
                hint: longest(),
                ..role.clone()
            })
            .collect()
        } else if state == State::Ask {
            vec![role]
        } else {
            vec![]
        };
        Ok((self.answer(&asker, state, id), roles))
    }

    fn file(&self, asker: Asker, role: &str, seconds: u64, reason: &str) -> (login_request::Answer,) {
        tell(&format!("file {role} {seconds} {reason:?} {}", who(&asker)));
        (self.answer(&asker, State::Waiting, "r-4k7m2qx9"),)
    }

    fn progress(&self, asker: Asker, id: &str) -> (login_request::Answer,) {
        tell(&format!("progress {id} {}", who(&asker)));
        let (state, id) = if looks_again() { (State::Open, "") } else { (State::Waiting, id) };
        (self.answer(&asker, state, id),)
    }

    fn enter(&self, asker: Asker, id: &str, typed: Vec<String>) -> (login_request::Answer, Vec<String>, u32) {
        tell(&format!("enter {id} {typed:?} {}", who(&asker)));
        let waiting = |id: &str| self.answer(&asker, State::Waiting, id);
        let (told, rows) = (vec!["Read \u{1b}[1mthis".into()], vec!["missing: 2".into()]);
        match (self.kind.as_str(), typed.len()) {
            ("ask-enter", 0) => (waiting(id), told, 0),
            ("ask-enter", 1) => (waiting(id), rows, 1),
            ("ask-enter", _) => (self.answer(&asker, State::Open, ""), vec![], 0),
            ("ask-enter-long", _) => (waiting(id), vec!["x".repeat(MAX_TEXT + 1)], 0),
            ("ask-enter-many", _) => (waiting(id), vec![String::new(); login_request::MAX_TOLD + 1], 0),
            ("ask-enter-huge", _) => (waiting(id), vec!["x".repeat(32 * 1024 * 1024)], 0),
            ("ask-enter-more", _) => (waiting(id), told, u32::MAX),
            ("ask-enter-other", _) => (waiting("r-4k7m2qx8"), told, 0),
            (kind, _) if looks_again() => {
                if kind == "ask-dies-later" {
                    kill(Pid::this(), Signal::SIGKILL).unwrap();
                }
                (self.answer(&asker, State::Open, ""), vec![], 0)
            }
            _ => (waiting(id), vec![], 0),
        }
    }
}

/// Whether this is the second look, or the fourth: what was asked for waits at the first, and has opened then.
fn looks_again() -> bool {
    static LOOKS: AtomicU32 = AtomicU32::new(0);
    LOOKS.fetch_add(1, Ordering::Relaxed) % 2 == 1
}

/// A jitd from before answers could be typed at a login.
struct Older(Ask);

#[interface(name = "org.jitd.Jit1.Ask")]
impl Older {
    fn options(&self, asker: Asker) -> Result<(login_request::Answer, Vec<login_request::Role>), Error> {
        self.0.options(asker)
    }

    fn file(&self, asker: Asker, role: &str, seconds: u64, reason: &str) -> (login_request::Answer,) {
        self.0.file(asker, role, seconds, reason)
    }

    fn progress(&self, asker: Asker, id: &str) -> (login_request::Answer,) {
        self.0.progress(asker, id)
    }
}

impl Ask {
    fn answer(&self, asker: &Asker, state: State, id: &str) -> login_request::Answer {
        let answer = login_request::Answer {
            nonce: asker.nonce.clone(),
            service: asker.service.clone(),
            user: asker.user.clone(),
            state: state.as_str().into(),
            id: id.into(),
            text: format!("state {}", state.as_str()),
        };
        match self.kind.as_str() {
            "ask-wrong-nonce" => login_request::Answer { nonce: vec![0; 16], ..answer },
            "ask-wrong-service" => login_request::Answer { service: "login".into(), ..answer },
            "ask-wrong-user" => login_request::Answer { user: "somebody".into(), ..answer },
            "ask-wrong-id" => login_request::Answer { id: "r-4k7m2qx9; reboot".into(), ..answer },
            "ask-odd-state" => login_request::Answer { state: "allow".into(), ..answer },
            "ask-long-text" => login_request::Answer { text: "x".repeat(MAX_TEXT + 1), ..answer },
            "ask-huge-text" => login_request::Answer { text: "x".repeat(32 * 1024 * 1024), ..answer },
            _ => answer,
        }
    }
}

fn who(asker: &Asker) -> String {
    let Asker { nonce: _, service, user, ruser, caller_uid, rhost, tty } = asker;
    format!("{service} user={user} ruser={ruser} rhost={rhost} tty={tty} uid={caller_uid}")
}

/// Peers that do not speak D-Bus, or stop half-way.
fn misbehave(kind: &str, mut stream: UnixStream) -> std::io::Result<()> {
    const AUTH_OK: &[u8] = b"OK 0123456789abcdef0123456789abcdef\r\n";
    // A method return to serial 1 that announces a body of 100 MiB; a signal of 64 KiB; an empty signal.
    const HUGE: &[u8] =
        b"l\x02\x01\x01\x00\x00\x40\x06\x01\x00\x00\x00\x08\x00\x00\x00\x05\x01u\x00\x01\x00\x00\x00";
    const BIG_SIGNAL: &[u8] = b"l\x04\x01\x01\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00\x00";
    const SIGNAL: &[u8] = b"l\x04\x01\x01\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00";
    match kind {
        "raw-hangs-up" => Ok(()),
        "raw-silent" => {
            stream.read_to_end(&mut Vec::new())?;
            Ok(())
        }
        "raw-garbage" => stream.write_all(&b"\xde\xad\xbe\xef\r\n".repeat(1000)),
        "raw-zeros" => stream.write_all(&[0; 8192]),
        "raw-rejects" => stream.write_all(b"REJECTED ANONYMOUS\r\n"),
        "raw-endless-auth" => loop {
            stream.write_all(&[b'O'; 4096])?;
        },
        "raw-garbage-after-auth" => stream.write_all(&[AUTH_OK, &[b'g'; 4096]].concat()),
        "raw-huge-reply" => {
            stream.write_all(&[AUTH_OK, HUGE].concat())?;
            loop {
                stream.write_all(&vec![0; 65536])?;
            }
        }
        "raw-signals" => {
            stream.write_all(AUTH_OK)?;
            loop {
                stream.write_all(&[BIG_SIGNAL, &vec![0; 65536], SIGNAL].concat())?;
            }
        }
        "raw-drips" => {
            let reply = [AUTH_OK, SIGNAL, HUGE].concat();
            for byte in reply.iter().cycle() {
                stream.write_all(&[*byte])?;
                thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        }
        kind => panic!("no such kind: {kind}"),
    }
}
