use std::io;
use std::process::{Command, Stdio};

use jit_core::access::LoginUid;
use jit_core::orders::request::RequestOrder;
use zbus::{Message, block_on};

use super::*;
use crate::bus::direct::tests::question;
use crate::testing::{Daemon, app, order, subject};

fn uid(number: u32) -> Uid {
    Uid::try_from(number).unwrap()
}

fn root(service: &str) -> Starter {
    Starter::Root { service: service.into() }
}

#[test]
fn whoever_fills_their_line_keeps_nobody_else_out_and_leaves_nothing_behind() {
    let login = |service: &str, login| Starter::Login { service: service.into(), login: uid(login) };
    let all = [
        (Starter::User(uid(1001)), OPEN_OF_USERS.each, READ),
        (login("cron.service", 1001), OPEN_OF_LOGINS.each, READ),
        (root("apache2.service"), OPEN_OF_ROOT.each, READ_OF_ROOT),
    ];
    for (whose, most, at_a_time) in all {
        let line = Arc::new(Line::default());
        let held: Vec<_> = std::iter::from_fn(|| line.enter(whose.clone())).take(most + 1).collect();
        assert_eq!(held.len(), most);
        let read: Vec<_> = held.iter().map_while(|place| place.turns.try_acquire()).collect();
        assert_eq!(read.len(), at_a_time);
        let others = [
            Starter::User(uid(1002)),
            login("cron.service", 1002),
            login("ssh.service", 1001),
            root("ssh.service"),
            root("session-1.scope"),
        ];
        for other in others {
            let place = line.enter(other).unwrap();
            assert!(place.turns.try_acquire().is_some(), "{:?}", place.whose);
        }
        drop(read);
        drop(held);
        assert!(line.enter(whose).is_some());
        assert!(line.inside().turns.is_empty());
    }
}

#[test]
fn what_happens_thousands_of_times_a_minute_is_one_line_with_a_count() {
    let (mut counted, start) = (Counted::default(), Duration::from_secs(1000));
    assert_eq!(counted.one_more(start), Some(1));
    let logged = (1..5000).filter_map(|n| counted.one_more(start + Duration::from_millis(n))).count();
    assert_eq!(logged, 0);
    assert_eq!(counted.one_more(start + LOG_EVERY), Some(5000));
    assert_eq!(counted.one_more(start + LOG_EVERY), None);
}

#[test]
fn all_that_may_be_open_fits_into_the_units_descriptors() {
    let unit = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/systemd/jitd.service");
    let unit = fs::read_to_string(unit).unwrap();
    let most = unit.lines().find_map(|line| line.strip_prefix("LimitNOFILE=")).unwrap();
    let most: usize = most.parse().unwrap();
    let open = OPEN_OF_USERS.all + OPEN_OF_LOGINS.all + OPEN_OF_ROOT.all;
    assert!(open <= most * 3 / 4, "the store, the bus and the rest need some, too");
    let users = OPEN_OF_USERS;
    assert!(users.each * 100 <= users.all, "one user's share is a small one");
    const { assert!(OPEN_OF_ROOT.each * 2 < OPEN_OF_ROOT.all, "no service has all of root's") };
    assert!(LIMITS.until_asked <= Duration::from_secs(3), "the module's deadline where its line says none");
    assert!(LIMITS.until_asked <= LIMITS.until_turn && LIMITS.until_turn <= LIMITS.life);
    assert!(LIMITS.life <= Duration::from_secs(30), "the module's longest deadline");
}

/// A socket as jitd binds it, but where anybody may connect.
fn listener(runtime: &SharedRuntime) -> (tempfile::TempDir, UnixListener<zruntime::Shared>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("private");
    let listener = bind(&path, runtime).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    (dir, listener)
}

#[test]
fn nobody_but_root_is_let_in_wherever_the_socket_is() {
    // Connects, and stays until its input ends.
    const CONNECT: &str =
        "use IO::Socket::UNIX; my $one = IO::Socket::UNIX->new($ARGV[0]) or die $!; <STDIN>";
    block_on(async {
        let runtime = SharedRuntime::current().unwrap();
        let (dir, listener) = listener(&runtime);
        let path = dir.path().join("private");
        let line = Arc::new(Line::default());
        let own = nix::unistd::getuid();
        let _ours = UnixStream::connect(&runtime, &path).await.unwrap();
        let (ours, _) = listener.accept().await.unwrap();
        assert_eq!(admit(&line, &ours).is_some(), own.is_root());
        if own.is_root() {
            let mut other = Command::new("setpriv")
                .args(["--reuid=65534", "--regid=65534", "--clear-groups", "perl", "-e", CONNECT])
                .arg(&path)
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            let (theirs, _) = listener.accept().await.unwrap();
            assert!(admit(&line, &theirs).is_none());
            drop(other.stdin.take());
            assert!(other.wait().unwrap().success());
        }
    });
}

#[test]
fn a_connection_of_whoever_has_no_place_left_is_turned_away_unread() {
    block_on(async {
        let runtime = SharedRuntime::current().unwrap();
        let (ours, _theirs) = UnixStream::pair(&runtime).unwrap();
        let is_root = nix::unistd::getuid().is_root();
        let (_, own) = Peer::of_socket(&ours, Uid::ROOT, std::process::id(), since_boot());
        let own = own.unwrap();
        let line = Arc::new(Line::default());
        let mut held: Vec<_> = std::iter::from_fn(|| line.enter(own.clone())).take(2000).collect();
        assert!(admit(&line, &ours).is_none());
        held.pop();
        assert_eq!(admit(&line, &ours).is_some(), is_root);
    });
}

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(3600);

/// A connection that is answered within these limits: its answering, its line, and the client's end.
fn answered(limits: Limits) -> Answered {
    answered_by(app(), limits)
}

type Answered = (zruntime::Task<zbus::Result<()>, zruntime::Shared>, Arc<Line>, UnixStream<zruntime::Shared>);

fn answered_by(app: Arc<App>, limits: Limits) -> Answered {
    let runtime = SharedRuntime::current().unwrap();
    let (ours, theirs) = UnixStream::pair(&runtime).unwrap();
    let line = Arc::new(Line::default());
    let place = line.enter(root("ssh.service")).unwrap();
    let timer = runtime.clone();
    let answers = runtime.spawn("answer", async move {
        let peer = Peer::told(Uid::ROOT, Ok(LoginUid::Set(Uid::ROOT)));
        answer(app, &timer, ours, (peer, &place), limits).await
    });
    (answers, line, theirs)
}

/// Waits for the end of a connection, and says whether its place has come back.
async fn is_over(answers: zruntime::Task<zbus::Result<()>, zruntime::Shared>, line: &Line) -> bool {
    let runtime = SharedRuntime::current().unwrap();
    let is_over = runtime.timeout(Duration::from_secs(30), answers).await.is_ok();
    is_over && line.inside().turns.is_empty()
}

#[test]
fn whoever_connects_and_asks_nothing_holds_a_place_no_longer_than_the_limit() {
    block_on(async {
        let limits = Limits { until_asked: SHORT, until_turn: LONG, life: LONG };
        let (answers, line, theirs) = answered(limits);
        assert!(is_over(answers, &line).await);
        // Nor does AUTH alone keep it.
        let (answers, line, greets) = answered(limits);
        io::Write::write_all(&mut &greets.into_std(), b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n").unwrap();
        assert!(is_over(answers, &line).await);
        drop(theirs);
    });
}

#[test]
fn a_question_without_an_answer_holds_a_place_no_longer_than_its_life() {
    const NO_REPLY_EXPECTED: u8 = 1;
    block_on(async {
        let limits = Limits { until_asked: LONG, until_turn: LONG, life: SHORT };
        let (answers, line, theirs) = answered(limits);
        let call = Message::method_call("/", "Ping").interface("org.freedesktop.DBus.Peer");
        let mut call = call.build(&()).unwrap().data().to_vec();
        call[2] |= NO_REPLY_EXPECTED;
        let theirs = theirs.into_std();
        io::Write::write_all(&mut &theirs, b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n").unwrap();
        io::Write::write_all(&mut &theirs, &call).unwrap();
        assert!(is_over(answers, &line).await);
        drop(theirs);
    });
}

#[test]
fn a_question_of_the_modules_holds_a_place_no_longer_than_its_life() {
    let jitd = Daemon::start();
    jitd.grants(RequestOrder { beneficiary: subject("daemon", 1), ..order(1, "shell") }).unwrap();
    // Its record waits for another writer.
    let store = jitd.store();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    block_on(async {
        let limits = Limits { until_asked: LONG, until_turn: LONG, life: SHORT };
        let (answers, line, theirs) = answered_by(Arc::clone(&jitd.app), limits);
        let theirs = theirs.into_std();
        io::Write::write_all(&mut &theirs, &question()).unwrap();
        assert!(is_over(answers, &line).await);
        assert_eq!(io::read_to_string(&theirs).unwrap(), "", "it is not answered");
    });
    store.execute_batch("COMMIT").unwrap();
    // Its twin, which nothing holds up.
    block_on(async {
        let limits = Limits { until_asked: LONG, until_turn: LONG, life: LONG };
        let (answers, line, theirs) = answered_by(Arc::clone(&jitd.app), limits);
        let theirs = theirs.into_std();
        io::Write::write_all(&mut &theirs, &question()).unwrap();
        assert!(is_over(answers, &line).await);
        let mut said = Vec::new();
        io::Read::read_to_end(&mut &theirs, &mut said).unwrap();
        assert!(said.windows(5).any(|bytes| bytes == b"allow"), "{}", String::from_utf8_lossy(&said));
    });
}

#[test]
fn whoever_waits_for_their_users_own_calls_does_not_wait_for_ever() {
    block_on(async {
        let limits = Limits { until_asked: LONG, until_turn: SHORT, life: LONG };
        let runtime = SharedRuntime::current().unwrap();
        let line = Arc::new(Line::default());
        // All turns are taken by those that came before.
        let place = line.enter(root("ssh.service")).unwrap();
        let mut held = Vec::new();
        while let Some(turn) = place.turns.try_acquire() {
            held.push(turn);
        }
        let (ours, _theirs) = UnixStream::pair(&runtime).unwrap();
        let peer = Peer::told(Uid::ROOT, Ok(LoginUid::Set(Uid::ROOT)));
        let waits = answer(app(), &runtime, ours, (peer, &place), limits);
        let outcome = runtime.timeout(Duration::from_secs(30), waits).await;
        assert!(matches!(outcome, Ok(Ok(()))), "it has given up");
        assert_eq!(held.len(), READ_OF_ROOT);
    });
}
