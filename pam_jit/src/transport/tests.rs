//! Against a scripted bus at the other end of a socket pair. What a real dbus-daemon and real jitds do is tested in
//! tests/tests/module; here is what only a bus that is broken, or a race, would send.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::{self, JoinHandle};

use jit_proto::error_name;
use jit_proto::gate::{Answer, Question, Stage};
use zbus::Variant;
use zbus::wire::Endian;

use super::*;
use crate::wire::tests::message;

const AUTH_OK: &[u8] = b"OK 0123456789abcdef0123456789abcdef\r\n";
const OWNER: &str = ":1.7";

/// A bus that sends these bytes, one element for each call; and when the client is done, the calls it made.
fn bus(replies: Vec<Vec<u8>>) -> (Link, JoinHandle<usize>) {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let link = Link::over(ours.into(), "the bus".into(), Deadline::after(Duration::from_secs(10)));
    let served = thread::spawn(move || {
        let mut chunk = [0; 4096];
        for (calls, reply) in replies.iter().enumerate() {
            if theirs.read(&mut chunk).unwrap_or(0) == 0 {
                return calls;
            }
            let ok = if calls == 0 { AUTH_OK } else { b"" };
            theirs.write_all(&[ok, reply].concat()).unwrap();
        }
        replies.len() + usize::from(theirs.read(&mut chunk).unwrap_or(0) > 0)
    });
    (link, served)
}

fn reply<T>(serial: u32, sender: &str, body: &T) -> Vec<u8>
where
    T: Serialize + Type,
{
    let fields =
        [(5, Variant::U32(serial)), (7, sender.into()), (8, Variant::Signature(T::SIGNATURE.clone()))];
    message(Endian::Little, 2, &fields, &to_bytes(wire::ours(), body).unwrap())
}

fn error(serial: u32, sender: &str, name: &str) -> Vec<u8> {
    let fields = [(4, Variant::from(name)), (5, Variant::U32(serial)), (7, sender.into())];
    message(Endian::Little, 3, &fields, &[])
}

fn signal(size: usize) -> Vec<u8> {
    message(Endian::Big, 4, &[], &vec![0; size])
}

fn question() -> Question {
    Question {
        nonce: vec![1; 16],
        stage: Stage::Account.as_str().into(),
        service: "sshd".into(),
        user: "maria".into(),
        ruser: String::new(),
        rhost: String::new(),
        tty: String::new(),
        caller_uid: 0,
        flags: 0,
    }
}

fn answer() -> Answer {
    Answer {
        nonce: vec![1; 16],
        service: "sshd".into(),
        user: "maria".into(),
        verdict: "allow".into(),
        reason: "window".into(),
        text: String::new(),
        grant: String::new(),
        remaining: 60,
    }
}

/// Hello, owner and uid as they should be.
fn proper() -> Vec<Vec<u8>> {
    vec![reply(1, BUS, &":1.9"), reply(2, BUS, &OWNER), reply(3, BUS, &0u32)]
}

/// Asks, and returns what came of it and how many calls the bus saw.
fn asked(replies: Vec<Vec<u8>>) -> (Result<Answer, Error>, usize) {
    let (link, served) = bus(replies);
    let result = ask_over_bus(link, CHECK, &question());
    (result, served.join().unwrap())
}

fn with(mut replies: Vec<Vec<u8>>, more: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    replies.extend(more);
    replies
}

fn is_unbelievable(result: &Result<Answer, Error>) -> bool {
    matches!(result, Err(Error::Unbelievable(_)))
}

#[test]
fn an_owner_that_is_root_is_asked() {
    assert_eq!(asked(with(proper(), [reply(4, OWNER, &answer())])), (Ok(answer()), 4));
}

/// Asks about a login over ssh, by a bus that gives one of these answers on each connection; how many were made.
fn login_asked(answers: Vec<Vec<u8>>) -> (Result<Answer, Error>, usize) {
    let dir = tempfile::tempdir().unwrap();
    let (private, bus) = (dir.path().join("private"), dir.path().join("bus"));
    let listener = UnixListener::bind(&bus).unwrap();
    let served = thread::spawn(move || {
        let mut chunk = [0; 4096];
        for (connections, answer) in answers.into_iter().enumerate() {
            let (mut theirs, _) = listener.accept().unwrap();
            for (calls, reply) in with(proper(), [answer]).iter().enumerate() {
                if theirs.read(&mut chunk).unwrap_or(0) == 0 {
                    return connections;
                }
                let ok = if calls == 0 { AUTH_OK } else { b"" };
                theirs.write_all(&[ok, reply].concat()).unwrap();
            }
        }
        listener.set_nonblocking(true).unwrap();
        2 + usize::from(listener.accept().is_ok())
    });
    let path = |path: &Path| path.to_str().unwrap().parse::<SocketPath>().unwrap();
    let (private, bus) = (path(&private), path(&bus));
    let sockets = Sockets { private: &private, bus: Some(&bus) };
    let result = ask_login(&sockets, &question(), "publickey ssh-ed25519 AAAA\n", Duration::from_secs(10));
    (result, served.join().unwrap())
}

#[test]
fn a_jitd_from_before_is_asked_again_without_what_sshd_says_and_decides() {
    let unknown = || error(4, OWNER, "org.freedesktop.DBus.Error.UnknownMethod");
    assert_eq!(login_asked(vec![unknown(), reply(4, OWNER, &answer())]), (Ok(answer()), 2));
    // It is asked again once, and after no other refusal.
    let (result, connections) = login_asked(vec![unknown(), unknown()]);
    assert!(matches!(&result, Err(Error::Refused { .. })) && connections == 2, "{result:?}");
    let (result, _) = login_asked(vec![error(4, OWNER, "org.freedesktop.DBus.Error.AccessDenied")]);
    assert!(matches!(&result, Err(Error::Refused { .. })), "{result:?}");
}

#[test]
fn an_owner_that_is_not_root_is_not_asked() {
    for uid in [1u32, 1000, u32::MAX] {
        let (result, calls) = asked(vec![reply(1, BUS, &":1.9"), reply(2, BUS, &OWNER), reply(3, BUS, &uid)]);
        assert!(is_unbelievable(&result) && calls == 3, "{result:?}");
    }
}

#[test]
fn an_owner_whose_uid_cannot_be_read_is_an_error_and_never_root() {
    let gone = error(3, BUS, "org.freedesktop.DBus.Error.NameHasNoOwner");
    let (result, calls) = asked(vec![reply(1, BUS, &":1.9"), reply(2, BUS, &OWNER), gone]);
    assert!(matches!(&result, Err(Error::Refused { .. })) && calls == 3, "{result:?}");
    let (result, calls) = asked(vec![reply(1, BUS, &":1.9"), reply(2, BUS, &OWNER), reply(3, BUS, &"0")]);
    assert!(is_unbelievable(&result) && calls == 3, "{result:?}");
}

#[test]
fn an_answer_by_somebody_else_is_not_believed() {
    for forged in [reply(4, ":1.8", &answer()), reply(4, BUS, &answer()), error(4, ":1.8", "a.b")] {
        let (result, _) = asked(with(proper(), [forged]));
        assert!(is_unbelievable(&result), "{result:?}");
    }
    let (result, calls) = asked(vec![reply(1, BUS, &":1.9"), reply(2, ":1.8", &OWNER)]);
    assert!(is_unbelievable(&result) && calls == 2, "{result:?}");
}

#[test]
fn only_jitd_says_that_jitd_cannot_decide() {
    let says = |sender| asked(with(proper(), [error(4, sender, error_name::CANNOT_DECIDE)])).0.unwrap_err();
    assert!(says(OWNER).is_recoverable());
    for other in [BUS, ":1.8"] {
        assert!(!says(other).is_recoverable());
    }
}

#[test]
fn an_owner_that_goes_away_is_not_a_jitd_that_is_not_there() {
    let (result, _) = asked(with(proper(), [error(4, BUS, "org.freedesktop.DBus.Error.ServiceUnknown")]));
    assert!(matches!(&result, Err(Error::Refused { .. })), "{result:?}");
}

#[test]
fn signals_of_any_size_and_replies_to_other_calls_are_passed_over() {
    let noise =
        [signal(0), signal(1 << 20), reply(3, OWNER, &answer()), signal(7), reply(9, OWNER, &answer())];
    let (result, _) = asked(with(proper(), [[noise.concat(), reply(4, OWNER, &answer())].concat()]));
    assert_eq!(result, Ok(answer()));
}

#[test]
fn a_jitd_that_was_started_and_does_not_own_its_name_is_not_there() {
    let nobody = |serial| error(serial, BUS, "org.freedesktop.DBus.Error.NameHasNoOwner");
    let (result, calls) = asked(vec![reply(1, BUS, &":1.9"), nobody(2), reply(3, BUS, &1u32), nobody(4)]);
    assert!(result.unwrap_err().is_recoverable() && calls == 4);
}

#[test]
fn an_answer_that_has_come_is_too_late_once_the_deadline_has_passed() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    theirs.write_all(&[AUTH_OK, &reply(1, OWNER, &answer())].concat()).unwrap();
    let limit = Duration::ZERO;
    let link = Link::over(ours.into(), "jitd".into(), Deadline::after(limit));
    let result = call::<_, Answer>(link, CHECK, &question(), Some(OWNER));
    assert_eq!(result, Err(Error::Deadline { limit, doing: "Check over jitd".into() }));
}

#[test]
fn a_reply_that_announces_too_much_is_not_waited_for() {
    let mut announced = reply(4, OWNER, &answer());
    announced[4..8].copy_from_slice(&(64 * 1024 * 1024u32).to_le_bytes());
    let (result, _) = asked(with(proper(), [announced]));
    assert!(matches!(&result, Err(Error::Unbelievable(why)) if why.starts_with("a reply of ")), "{result:?}");
}

#[test]
fn a_reply_in_pieces_is_put_together() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let link = Link::over(ours.into(), "jitd".into(), Deadline::after(Duration::from_secs(10)));
    let served = thread::spawn(move || {
        assert!(theirs.read(&mut [0; 4096]).unwrap() > 0);
        for byte in [AUTH_OK, &signal(3), &reply(1, OWNER, &answer())].concat() {
            theirs.write_all(&[byte]).unwrap();
        }
    });
    assert_eq!(call(link, CHECK, &question(), Some(OWNER)), Ok(answer()));
    served.join().unwrap();
}

#[test]
fn a_bus_that_cannot_start_jitd_says_so_in_known_words() {
    for name in [
        "org.freedesktop.DBus.Error.NameHasNoOwner",
        "org.freedesktop.DBus.Error.ServiceUnknown",
        "org.freedesktop.DBus.Error.Spawn.ChildExited",
        "org.freedesktop.DBus.Error.Spawn.ExecFailed",
        "org.freedesktop.systemd1.NoSuchUnit",
        "org.freedesktop.systemd1.UnitMasked",
        "org.bus1.DBus.Name.Error.StartupFailure",
    ] {
        assert!(not_running(refused(name)).is_recoverable(), "{name}");
    }
}

#[test]
fn a_shortage_or_a_refusal_is_not_taken_for_a_jitd_that_is_not_there() {
    for name in [
        "org.freedesktop.DBus.Error.LimitsExceeded",
        "org.freedesktop.DBus.Error.NoMemory",
        "org.freedesktop.DBus.Error.Spawn.NoMemory",
        "org.freedesktop.DBus.Error.Spawn.ForkFailed",
        "org.freedesktop.DBus.Error.AccessDenied",
        "org.freedesktop.DBus.Error.NoReply",
        "org.freedesktop.DBus.Error.TimedOut",
        "org.jitd.Jit1.Error.CannotDecide",
    ] {
        assert_eq!(not_running(refused(name)), refused(name));
    }
}

fn refused(name: &str) -> Error {
    Error::Refused { doing: String::new(), name: name.to_owned(), text: String::new() }
}
