//! Against a real dbus-daemon, private to each test, with a jitd on it that behaves as told.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

use jit_proto::manager::{ADMIN_INTERFACE, USER_INTERFACE};
use tempfile::TempDir;
use zbus::message::{Flags, Header};

use super::*;

/// How the jitd of a test answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    /// With the arguments as they arrived.
    Echoes,
    Hangs,
    /// Leaves the bus with the call in its hands.
    Leaves,
    /// With the error that it is given.
    Refuses(&'static str),
}

/// Calls as they arrived: interface, method, destination, flags.
type Seen = Arc<Mutex<Vec<(String, String, String, Flags)>>>;

struct Fake {
    mood: Mood,
    seen: Seen,
}

struct Admin(Fake);

#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.jitd.Jit1.Error")]
enum Refusal {
    #[zbus(error)]
    ZBus(zbus::Error),
    CannotDecide(String),
    Unconfirmed(String),
    NotPermitted(String),
    NotFound(String),
    Invalid(String),
    Refused(String),
    OnTrial(String),
    Busy(String),
    Strange(String),
}

impl Fake {
    async fn answer(
        &self,
        header: &Header<'_>,
        connection: &Connection,
        arguments: String,
    ) -> Result<String, Refusal> {
        self.seen.lock().unwrap().push((
            header.interface().unwrap().to_string(),
            header.member().unwrap().to_string(),
            header.destination().unwrap().to_string(),
            header.primary().flags(),
        ));
        let text = "line 1\nline 2".to_owned();
        Err(match self.mood {
            Mood::Echoes => return Ok(arguments),
            Mood::Hangs => std::future::pending().await,
            Mood::Leaves => {
                connection.clone().close().await.unwrap();
                std::future::pending().await
            }
            Mood::Refuses("CannotDecide") => Refusal::CannotDecide(text),
            Mood::Refuses("Unconfirmed") => Refusal::Unconfirmed(text),
            Mood::Refuses("NotPermitted") => Refusal::NotPermitted(text),
            Mood::Refuses("NotFound") => Refusal::NotFound(text),
            Mood::Refuses("Invalid") => Refusal::Invalid(text),
            Mood::Refuses("Refused") => Refusal::Refused(text),
            Mood::Refuses("OnTrial") => Refusal::OnTrial(text),
            Mood::Refuses("Busy") => Refusal::Busy(text),
            Mood::Refuses(_) => Refusal::Strange(text),
        })
    }
}

#[zbus::interface(name = "org.jitd.Jit1.User")]
impl Fake {
    async fn check(
        &self,
        service: &str,
        user: &str,
        from: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Refusal> {
        self.answer(&header, connection, format!("{service}|{user}|{from}")).await
    }

    #[allow(clippy::too_many_arguments, reason = "as the contract says")]
    async fn explain(
        &self,
        service: &str,
        user: &str,
        at: &str,
        from: &str,
        target: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Refusal> {
        self.answer(&header, connection, format!("{service}|{user}|{at}|{from}|{target}")).await
    }

    async fn roles(
        &self,
        user: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Refusal> {
        self.answer(&header, connection, user.to_owned()).await
    }

    async fn list(
        &self,
        all: bool,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Refusal> {
        self.answer(&header, connection, all.to_string()).await
    }

    async fn show(
        &self,
        id: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Refusal> {
        self.answer(&header, connection, id.to_owned()).await
    }

    async fn status(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Refusal> {
        self.answer(&header, connection, "status".to_owned()).await
    }

    async fn policy(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Refusal> {
        self.answer(&header, connection, "policy".to_owned()).await
    }
}

#[zbus::interface(name = "org.jitd.Jit1.Admin")]
impl Admin {
    async fn grant(
        &self,
        user: &str,
        role: &str,
        seconds: u64,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Refusal> {
        self.0.answer(&header, connection, format!("{user}|{role}|{seconds}|{reason}")).await
    }

    async fn revoke(
        &self,
        id: &str,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Refusal> {
        self.0.answer(&header, connection, format!("{id}|{reason}")).await
    }

    async fn try_policy(
        &self,
        seconds: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Refusal> {
        self.0.answer(&header, connection, seconds.to_string()).await
    }

    async fn change_policy(
        &self,
        seconds: u64,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Refusal> {
        self.0.answer(&header, connection, format!("{seconds}|{reason}")).await
    }

    async fn force_policy(
        &self,
        seconds: u64,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Refusal> {
        self.0.answer(&header, connection, format!("{seconds}|{reason}")).await
    }

    async fn confirm_policy(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Refusal> {
        self.0.answer(&header, connection, "confirmed".to_owned()).await
    }

    async fn load_policy(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, Refusal> {
        self.0.answer(&header, connection, "loaded".to_owned()).await
    }
}

/// Answers with a number, which is not what the contract says.
struct Counter(u32);

#[zbus::interface(name = "org.jitd.Jit1.User")]
impl Counter {
    fn status(&self) -> u32 {
        self.0
    }
}

/// A bus of the test's own; it ends with the test.
pub(super) struct PrivateBus {
    folder: TempDir,
    daemon: Child,
}

impl PrivateBus {
    pub(super) fn start() -> Self {
        Self::with_rule("")
    }

    /// With one more rule than a bus that allows everything.
    fn with_rule(rule: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("bus.conf");
        let text = format!(
            "<busconfig><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
             <policy context='default'><allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>\
             <allow own='*'/>{rule}</policy></busconfig>",
            folder.path().join("socket").display()
        );
        std::fs::write(&config, text).unwrap();
        let mut daemon = Command::new("dbus-daemon")
            .arg("--nofork")
            .arg("--nopidfile")
            .arg("--print-address")
            .arg(format!("--config-file={}", config.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need dbus-daemon(1)");
        let mut address = String::new();
        let said = daemon.stdout.as_mut().unwrap();
        io::BufRead::read_line(&mut io::BufReader::new(said), &mut address).unwrap();
        assert!(address.starts_with("unix:"), "{address}");
        Self { folder, daemon }
    }

    /// The client that jitctl uses, with the test's own uid in root's place.
    pub(super) fn client(&self) -> Bus {
        let socket = self.folder.path().join("socket");
        Bus { private: None, socket, owner: my_uid(), longest: Duration::from_secs(10) }
    }

    pub(super) fn builder(&self) -> Builder<'static> {
        Builder::address(format!("unix:path={}", self.client().socket.display()).as_str())
    }

    fn jitd(&self, mood: Mood) -> (Connection, Seen) {
        let seen = Seen::default();
        let here = || Fake { mood, seen: Arc::clone(&seen) };
        let connection = block_on(
            self.builder()
                .serve_at(OBJECT_PATH, here())
                .serve_at(OBJECT_PATH, Admin(here()))
                .name(BUS_NAME)
                .build(),
        );
        (connection.unwrap(), seen)
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

fn my_uid() -> u32 {
    std::fs::metadata("/proc/self").unwrap().uid()
}

fn check() -> Call {
    Call::Check { service: "sshd".parse().unwrap(), user: "maria".parse().unwrap(), person: None, from: None }
}

fn check_from() -> Call {
    Call::Check {
        service: "sshd".parse().unwrap(),
        user: "maria".parse().unwrap(),
        person: None,
        from: Some("fd00::1".parse().unwrap()),
    }
}

fn explain() -> Call {
    Call::Explain {
        service: "su".parse().unwrap(),
        user: "maria".parse().unwrap(),
        person: None,
        at: Some("2026-11-23T18:00:00Z".parse().unwrap()),
        from: Some("10.1.2.3".parse().unwrap()),
        target: Some("oracle".parse().unwrap()),
    }
}

fn grant() -> Call {
    Call::Grant {
        user: "maria".parse().unwrap(),
        person: None,
        role: "db-oncall".parse().unwrap(),
        seconds: 1800,
        reason: "INC-1 disk".parse().unwrap(),
    }
}

/// Long enough for a busy machine to send a call, short enough to wait for.
fn in_short(bus: Bus) -> Bus {
    Bus { longest: Duration::from_millis(1500), ..bus }
}

#[test]
fn only_root_is_believed_to_be_jitd_on_the_systems_own_bus() {
    let bus = Bus::system();
    assert_eq!((bus.owner, bus.socket.as_path()), (0, SYSTEM_BUS_SOCKET.as_ref()));
    assert!(bus.longest > Call::LoadPolicy.row().deadline);
}

#[test]
fn every_call_arrives_as_the_contract_says_at_the_unique_name_and_starts_nothing() {
    let bus = PrivateBus::start();
    let (jitd, seen) = bus.jitd(Mood::Echoes);
    let id: crate::values::Id = "g-4k7m2qx9".parse().unwrap();
    let changed = Call::ChangePolicy { seconds: 0, reason: "INC-1 disk".parse().unwrap() };
    let forced = Call::ForcePolicy { seconds: 60, reason: "INC-1 disk".parse().unwrap() };
    let revoke = |reason: Option<&str>| Call::Revoke { id, reason: reason.map(|text| text.parse().unwrap()) };
    for (call, interface, method, answer) in [
        (check(), USER_INTERFACE, "Check", "sshd|maria|"),
        (check_from(), USER_INTERFACE, "Check", "sshd|maria|fd00::1"),
        (explain(), USER_INTERFACE, "Explain", "su|maria|2026-11-23T18:00:00Z|10.1.2.3|oracle"),
        (Call::Roles { user: None }, USER_INTERFACE, "Roles", ""),
        (Call::List { all: true }, USER_INTERFACE, "List", "true"),
        (Call::List { all: false }, USER_INTERFACE, "List", "false"),
        (Call::Show { id }, USER_INTERFACE, "Show", "g-4k7m2qx9"),
        (Call::Status, USER_INTERFACE, "Status", "status"),
        (Call::Policy, USER_INTERFACE, "Policy", "policy"),
        (grant(), ADMIN_INTERFACE, "Grant", "maria|db-oncall|1800|INC-1 disk"),
        (revoke(Some("done")), ADMIN_INTERFACE, "Revoke", "g-4k7m2qx9|done"),
        (revoke(None), ADMIN_INTERFACE, "Revoke", "g-4k7m2qx9|"),
        (Call::LoadPolicy, ADMIN_INTERFACE, "LoadPolicy", "loaded"),
        (Call::TryPolicy { seconds: 300 }, ADMIN_INTERFACE, "TryPolicy", "300"),
        (changed, ADMIN_INTERFACE, "ChangePolicy", "0|INC-1 disk"),
        (forced, ADMIN_INTERFACE, "ForcePolicy", "60|INC-1 disk"),
        (Call::ConfirmPolicy, ADMIN_INTERFACE, "ConfirmPolicy", "confirmed"),
    ] {
        assert_eq!(bus.client().ask(&call).unwrap(), answer);
        let (called, member, destination, flags) = seen.lock().unwrap().pop().unwrap();
        assert_eq!((called.as_str(), member.as_str()), (interface, method));
        assert_eq!(destination, jitd.unique_name().unwrap().to_string());
        assert!(flags.contains(Flags::NO_AUTO_START));
    }
}

#[test]
fn root_asks_jitds_own_socket_and_the_bus_only_where_there_is_none() {
    let bus = PrivateBus::start();
    let (_on_bus, over_bus) = bus.jitd(Mood::Echoes);
    let socket = bus.folder.path().join("private");
    let client = Bus { private: Some(socket.clone()), ..bus.client() };
    assert_eq!(client.ask(&check()).unwrap(), "sshd|maria|");
    assert_eq!(over_bus.lock().unwrap().len(), 1);

    let seen = Seen::default();
    let jitd = Fake { mood: Mood::Echoes, seen: Arc::clone(&seen) };
    let listener = UnixListener::bind(&socket).unwrap();
    let serves = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let server = Builder::unix_stream(stream).server(zbus::Guid::generate()).p2p();
        let connection = block_on(server.serve_at(OBJECT_PATH, jitd).build()).unwrap();
        block_on(connection.closed());
    });
    assert_eq!(client.ask(&check()).unwrap(), "sshd|maria|");
    serves.join().unwrap();
    assert_eq!((seen.lock().unwrap().len(), over_bus.lock().unwrap().len()), (1, 1));
    // Who is not root cannot reach that socket.
    assert!(Bus::system().private.is_none());
    assert_eq!(Bus::of_root().private.unwrap().as_path(), std::path::Path::new(PRIVATE_SOCKET));
}

#[test]
fn an_impostor_is_named_and_told_nothing() {
    let bus = PrivateBus::start();
    let (_impostor, seen) = bus.jitd(Mood::Echoes);
    let client = Bus { owner: my_uid() + 1, ..bus.client() };
    let refused = client.ask(&grant()).unwrap_err();
    assert!(matches!(refused, Error::Impostor { uid } if uid == my_uid()), "{refused:?}");
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn a_name_that_nobody_owns_means_that_jitd_does_not_run() {
    let bus = PrivateBus::start();
    let refused = bus.client().ask(&check()).unwrap_err();
    assert!(matches!(refused, Error::NotRunning), "{refused:?}");
}

#[test]
fn a_bus_that_is_not_there_or_does_not_listen_is_said_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let client = Bus { socket: folder.path().join("bus"), ..Bus::system() };
    let path = client.socket.display().to_string();
    let absent = client.ask(&check()).unwrap_err();
    assert_eq!(
        absent.to_string(),
        format!("the system bus cannot be reached at {path} (No such file or directory)")
    );
    drop(UnixListener::bind(&client.socket).unwrap());
    let deaf = client.ask(&check()).unwrap_err();
    assert_eq!(deaf.to_string(), format!("the system bus cannot be reached at {path} (Connection refused)"));
}

#[test]
fn a_bus_that_never_speaks_is_left_at_the_deadline_with_nothing_sent() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("bus");
    let _mute = UnixListener::bind(&socket).unwrap();
    let start = Instant::now();
    let late = in_short(Bus { socket, ..Bus::system() }).ask(&grant()).unwrap_err();
    assert!(matches!(late, Error::Late { sent: Sent::No, .. }), "{late:?}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_bus_that_speaks_another_language_is_no_bus() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("bus");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        drop(Read::read_to_end(&mut stream, &mut Vec::new()));
    });
    let refused = Bus { socket, ..Bus::system() }.ask(&grant()).unwrap_err();
    assert!(matches!(refused, Error::NoBus { .. }), "{refused:?}");
}

#[test]
fn no_call_leaves_once_the_deadline_has_passed() {
    let bus = PrivateBus::start();
    let (_jitd, seen) = bus.jitd(Mood::Echoes);
    let door = Door::default();
    assert!(door.pass());
    let late = block_on(bus.client().converse::<String>(&grant(), Duration::ZERO, &door)).unwrap_err();
    assert!(matches!(late, Error::Late { sent: Sent::No, .. }), "{late:?}");
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn a_jitd_that_hangs_is_left_at_the_deadline_with_the_outcome_open() {
    let bus = PrivateBus::start();
    let (_jitd, seen) = bus.jitd(Mood::Hangs);
    let late = in_short(bus.client()).ask(&grant()).unwrap_err();
    assert!(matches!(late, Error::Late { sent: Sent::Perhaps, .. }), "{late:?}");
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[test]
fn a_jitd_that_dies_over_a_call_leaves_the_outcome_open() {
    let bus = PrivateBus::start();
    let (_jitd, _seen) = bus.jitd(Mood::Leaves);
    let broken = bus.client().ask(&grant()).unwrap_err();
    assert!(matches!(broken, Error::Broken { sent: Sent::Perhaps, .. }), "{broken:?}");
}

#[test]
fn a_bus_that_dies_over_a_call_leaves_the_outcome_open() {
    let mut bus = PrivateBus::start();
    let (_jitd, seen) = bus.jitd(Mood::Hangs);
    let client = bus.client();
    let asked = thread::spawn(move || client.ask(&grant()));
    while seen.lock().unwrap().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    bus.daemon.kill().unwrap();
    let broken = asked.join().unwrap().unwrap_err();
    assert!(matches!(broken, Error::Broken { sent: Sent::Perhaps, .. }), "{broken:?}");
}

#[test]
fn an_answer_of_another_type_is_not_understood() {
    let bus = PrivateBus::start();
    let _jitd = block_on(bus.builder().serve_at(OBJECT_PATH, Counter(7)).name(BUS_NAME).build()).unwrap();
    let garbled = bus.client().ask(&Call::Status).unwrap_err();
    assert!(matches!(garbled, Error::Garbled(_)), "{garbled:?}");
}

#[test]
fn a_call_that_the_bus_forbids_is_not_permitted() {
    let bus = PrivateBus::with_rule("<deny send_interface='org.jitd.Jit1.Admin'/>");
    let (_jitd, seen) = bus.jitd(Mood::Echoes);
    let refused = bus.client().ask(&Call::LoadPolicy).unwrap_err();
    assert!(matches!(refused, Error::NotPermitted(_)), "{refused:?}");
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn every_error_name_of_the_contract_has_its_meaning_and_keeps_its_text() {
    for (name, code) in [
        ("CannotDecide", 3),
        ("Unconfirmed", 3),
        ("NotPermitted", 4),
        ("NotFound", 5),
        ("Invalid", 2),
        ("Refused", 1),
        ("OnTrial", 1),
        ("Busy", 3),
        ("Strange", 3),
    ] {
        let bus = PrivateBus::start();
        let (_jitd, _seen) = bus.jitd(Mood::Refuses(name));
        let refused = bus.client().ask(&grant()).unwrap_err();
        assert_eq!(refused.exit_code(), code, "{refused:?}");
        assert!(refused.to_string().ends_with("line 1\nline 2"), "{refused}");
    }
}

#[test]
fn a_method_that_jitd_does_not_have_is_no_answer() {
    let bus = PrivateBus::start();
    let _older = block_on(bus.builder().serve_at(OBJECT_PATH, Counter(7)).name(BUS_NAME).build()).unwrap();
    for call in [check(), grant()] {
        let refused = bus.client().ask(&call).unwrap_err();
        assert!(matches!(refused, Error::Unexpected { .. }), "{refused:?}");
    }
}
