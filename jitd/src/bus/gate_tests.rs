//! The gate over a real store: when an answer leaves it, and how often anybody gets one.

use std::time::{Duration, Instant};

use jit_core::event::Event;
use jit_core::orders::request::RequestOrder;
use jit_proto::gate::{Answer, CHECK, INTERFACE, NONCE_LEN, Question};
use jit_proto::manager::USER_INTERFACE;
use jit_proto::{OBJECT_PATH, error_name};
use rusqlite::Connection as Store;
use zbus::{Connection, block_on};

use crate::testing::{Daemon, call, caller, order, records, served_to, subject};

impl Daemon {
    /// Opens a window for daemon, who has an account on this host, whatever host it is.
    fn opens_a_window(&self) {
        self.grants(RequestOrder { beneficiary: subject("daemon", 1), ..order(1, "shell") }).unwrap();
    }
}

/// Asks whether daemon may log in by ssh; the verdict with its reason, or the name of the error with its text.
async fn check(client: &Connection, caller: u32) -> Result<(String, String), (String, String)> {
    let question = Question {
        nonce: vec![7; NONCE_LEN],
        stage: "account".into(),
        service: "sshd".into(),
        user: "daemon".into(),
        ruser: String::new(),
        rhost: String::new(),
        tty: String::new(),
        caller_uid: caller,
        flags: 0,
    };
    match client.call_method(None::<&str>, OBJECT_PATH, Some(INTERFACE), CHECK, &(question,)).await {
        Ok(reply) => {
            let (answer,): (Answer,) = reply.body().deserialize().unwrap();
            Ok((answer.verdict, answer.reason))
        }
        Err(zbus::Error::MethodError(error, text, _)) => Err((error.to_string(), text.unwrap_or_default())),
        Err(other) => panic!("{other:?}"),
    }
}

fn allows(store: &Store) -> usize {
    records(store).into_iter().filter(|record| matches!(record.event, Event::Allowed { .. })).count()
}

#[test]
fn no_allow_leaves_the_gate_whose_record_is_not_on_disk() {
    let jitd = Daemon::start();
    jitd.opens_a_window();
    block_on(async {
        let (_server, client) = served_to(&jitd.app, caller(0)).await;
        // Another writer holds the file for longer than jitd waits for it.
        let store = jitd.store();
        store.execute_batch("BEGIN IMMEDIATE").unwrap();
        let (error, text) = check(&client, 0).await.unwrap_err();
        assert!(error == error_name::BUSY || error == error_name::CANNOT_DECIDE, "{error}: {text}");
        assert!(error != error_name::BUSY || text.contains("could not be written"), "{text}");
        store.execute_batch("COMMIT").unwrap();
        assert_eq!(allows(&store), 0);
        // It reads its store anew; what is asked meanwhile is told to try again.
        let began = Instant::now();
        let answer = loop {
            match check(&client, 0).await {
                Err((error, text)) if error == error_name::BUSY || error == error_name::CANNOT_DECIDE => {
                    assert!(began.elapsed() < Duration::from_secs(60), "{text}");
                    std::thread::sleep(Duration::from_millis(5));
                }
                answered => break answered,
            }
        };
        assert_eq!(answer.unwrap().0, "allow");
        assert_eq!(allows(&store), 1);
    });
}

#[test]
fn a_check_enters_the_desk_twice() {
    let jitd = Daemon::start();
    jitd.opens_a_window();
    block_on(async {
        let (_root, as_root) = served_to(&jitd.app, caller(0)).await;
        let before = jitd.entries();
        assert_eq!(check(&as_root, 0).await.unwrap().0, "allow");
        assert_eq!(jitd.entries() - before, 2);
    });
}

#[test]
fn whoever_is_not_root_gets_so_many_answers_a_minute_and_root_as_many_as_it_asks_for() {
    let jitd = Daemon::start();
    block_on(async {
        let (_root, as_root) = served_to(&jitd.app, caller(0)).await;
        let (_user, as_user) = served_to(&jitd.app, caller(1)).await;
        for _ in 0..20 {
            assert_eq!(check(&as_user, 1).await.unwrap().0, "deny");
        }
        let (error, text) = check(&as_user, 1).await.unwrap_err();
        assert_eq!(error, error_name::BUSY, "{text}");
        assert!(text.contains("20 questions a minute"), "{text}");
        for _ in 0..25 {
            assert_eq!(check(&as_root, 0).await.unwrap().0, "deny");
        }
    });
}

#[test]
fn whoever_is_not_root_files_so_many_requests_an_hour() {
    let jitd = Daemon::start();
    block_on(async {
        let (_user, client) = served_to(&jitd.app, caller(1)).await;
        let request = ("shell", 0_u64, "", "INC-1 look");
        for number in 0..30 {
            let (error, text) = call(&client, USER_INTERFACE, "Request", &request).await;
            assert_eq!(error, "", "{number}: {text}");
            // Else the quota of what waits comes first.
            let id = jitd.waiting().unwrap().id.to_string();
            call(&client, USER_INTERFACE, "Withdraw", &(id.as_str(), "")).await;
        }
        let (error, text) = call(&client, USER_INTERFACE, "Request", &request).await;
        assert_eq!(error, error_name::BUSY, "{text}");
        assert!(text.contains("30 requests an hour"), "{text}");
    });
}
