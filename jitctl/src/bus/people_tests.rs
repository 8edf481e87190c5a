//! The calls of those who ask, review and lock, as they arrive on a real bus; and what wakes whoever waits.

#![expect(clippy::unused_self, reason = "an interface's methods have one")]

use std::time::Duration;

use jit_core::model::Decision;
use jit_proto::OBJECT_PATH;
use jit_proto::manager::{ADMIN_INTERFACE, REVIEW_INTERFACE, USER_INTERFACE};
use zbus::block_on;
use zbus::object_server::SignalEmitter;

use super::tests::PrivateBus;
use crate::call::{Call, Narrow};
use crate::jitd::Jitd;
use crate::wakes::Wake;

/// Answers with the arguments as they arrived.
struct User;
struct Review;
struct Admin;

#[zbus::interface(name = "org.jitd.Jit1.User")]
impl User {
    fn roles(&self, user: &str) -> String {
        format!("roles|{user}")
    }

    fn clock(&self) -> String {
        "clock".to_owned()
    }

    fn check_person(&self, service: &str, user: &str, person: &str, from: &str) -> String {
        format!("{service}|{user}|{person}|{from}")
    }

    fn explain_person(
        &self,
        service: &str,
        user: &str,
        person: &str,
        at: &str,
        from: &str,
        target: &str,
    ) -> String {
        format!("{service}|{user}|{person}|{at}|{from}|{target}")
    }

    fn request(&self, role: &str, seconds: u64, start: &str, reason: &str) -> String {
        format!("{role}|{seconds}|{start}|{reason}")
    }

    fn withdraw(&self, id: &str, reason: &str) -> String {
        format!("{id}|{reason}")
    }

    fn extend(&self, id: &str, seconds: u64, reason: &str) -> String {
        format!("{id}|{seconds}|{reason}")
    }

    fn done(&self, id: &str, reason: &str) -> String {
        format!("{id}|{reason}")
    }

    #[zbus(signal)]
    async fn changed(emitter: &SignalEmitter<'_>, id: &str) -> zbus::Result<()>;
}

#[zbus::interface(name = "org.jitd.Jit1.Review")]
impl Review {
    fn pending(&self) -> String {
        "pending".to_owned()
    }

    #[expect(clippy::too_many_arguments, reason = "the contract's")]
    fn review(
        &self,
        id: &str,
        digest: &str,
        decision: &str,
        seconds: u64,
        services: Vec<String>,
        uses: u32,
        note: &str,
    ) -> String {
        format!("{id}|{digest}|{decision}|{seconds}|{}|{uses}|{note}", services.join(","))
    }
}

#[zbus::interface(name = "org.jitd.Jit1.Admin")]
impl Admin {
    fn lock(&self, scope: &str, message: &str, seconds: u64) -> String {
        format!("{scope}|{message}|{seconds}")
    }

    fn accept_clock(&self, reason: &str) -> String {
        format!("clock|{reason}")
    }

    fn unlock(&self, scope: &str, reason: &str) -> String {
        format!("{scope}|{reason}")
    }
}

fn jitd(bus: &PrivateBus) -> zbus::Connection {
    let built = bus
        .builder()
        .serve_at(OBJECT_PATH, User)
        .serve_at(OBJECT_PATH, Review)
        .serve_at(OBJECT_PATH, Admin)
        .name(jit_proto::BUS_NAME)
        .build();
    block_on(built).unwrap()
}

#[test]
fn every_call_of_those_who_ask_review_and_lock_arrives_as_the_contract_says() {
    let bus = PrivateBus::start();
    let _jitd = jitd(&bus);
    let request = "r-4k7m2qx9".parse().unwrap();
    let grant = "g-4k7m2qx9".parse().unwrap();
    let text = |text: &str| text.parse().unwrap();
    let narrow = Narrow { seconds: 60, services: vec!["sshd".parse().unwrap()], uses: 2 };
    let review = |decision, narrow, note: Option<&str>| Call::Review {
        id: request,
        digest: "ab".into(),
        decision,
        narrow,
        note: note.map(text),
    };
    let asked = |start: Option<&str>| Call::Request {
        role: "db".parse().unwrap(),
        seconds: 60,
        start: start.map(|start| start.parse().unwrap()),
        reason: text("INC 1"),
    };
    let (service, user, person) = ("sshd", "support", "kim");
    let check_person = Call::Check {
        service: service.parse().unwrap(),
        user: user.parse().unwrap(),
        person: person.parse().ok(),
        from: "10.1.2.3".parse().ok(),
    };
    let explain_person = Call::Explain {
        service: service.parse().unwrap(),
        user: user.parse().unwrap(),
        person: person.parse().ok(),
        at: None,
        from: None,
        target: None,
    };
    for (call, interface, answer) in [
        (check_person, USER_INTERFACE, "sshd|support|kim|10.1.2.3"),
        (explain_person, USER_INTERFACE, "sshd|support|kim|||"),
        (Call::Roles { user: None }, USER_INTERFACE, "roles|"),
        (Call::Roles { user: Some("maria".parse().unwrap()) }, USER_INTERFACE, "roles|maria"),
        (asked(None), USER_INTERFACE, "db|60||INC 1"),
        (asked(Some("2026-12-01T07:00:00.5Z")), USER_INTERFACE, "db|60|2026-12-01T07:00:00Z|INC 1"),
        (Call::Withdraw { id: request, reason: None }, USER_INTERFACE, "r-4k7m2qx9|"),
        (Call::Withdraw { id: request, reason: Some(text("x")) }, USER_INTERFACE, "r-4k7m2qx9|x"),
        (Call::Extend { id: grant, seconds: 0, reason: text("x") }, USER_INTERFACE, "g-4k7m2qx9|0|x"),
        (Call::Done { id: grant, reason: None }, USER_INTERFACE, "g-4k7m2qx9|"),
        (Call::Pending, REVIEW_INTERFACE, "pending"),
        (
            review(Decision::Approve, narrow, Some("ring me")),
            REVIEW_INTERFACE,
            "r-4k7m2qx9|ab|approve|60|sshd|2|ring me",
        ),
        (review(Decision::Deny, Narrow::default(), None), REVIEW_INTERFACE, "r-4k7m2qx9|ab|deny|0||0|"),
        (
            Call::Lock {
                scope: "user:maria".parse().unwrap(),
                message: Some(text("x")),
                seconds: 5,
                unknown: false,
            },
            ADMIN_INTERFACE,
            "user:maria|x|5",
        ),
        (Call::Clock, USER_INTERFACE, "clock"),
        (Call::AcceptClock { reason: None }, ADMIN_INTERFACE, "clock|"),
        (Call::AcceptClock { reason: Some(text("x")) }, ADMIN_INTERFACE, "clock|x"),
        (Call::Unlock { scope: "host".parse().unwrap(), reason: None }, ADMIN_INTERFACE, "host|"),
    ] {
        assert_eq!(call.row().interface, interface);
        assert_eq!(bus.client().ask(&call).unwrap(), answer);
    }
}

#[test]
fn a_change_that_jitd_tells_of_ends_a_wait_and_a_bus_that_is_not_there_ends_none() {
    let bus = PrivateBus::start();
    let jitd = jitd(&bus);
    let mut wakes = bus.client().wakes();
    // The first says that it listens from now on: what came before was heard by nobody.
    assert_eq!(wakes.wait(Duration::from_secs(60)).0, Wake::Changed);
    let emitter = SignalEmitter::new(&jitd, OBJECT_PATH).unwrap();
    block_on(User::changed(&emitter, "r-4k7m2qx9")).unwrap();
    assert_eq!(wakes.wait(Duration::from_secs(60)).0, Wake::Changed);
    assert_eq!(wakes.wait(Duration::ZERO).0, Wake::Time);
    let client = bus.client();
    drop(bus);
    assert_eq!(client.wakes().wait(Duration::from_millis(1)).0, Wake::Time);
}
