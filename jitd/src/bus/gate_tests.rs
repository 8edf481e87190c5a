//! The gate over a real store: when an answer leaves it, and how often anybody gets one.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jit_core::access::LoginUid;
use jit_core::context::Context;
use jit_core::event::{Event, Record};
use jit_core::model::Actor;
use jit_core::model::{Caller, LoginAccount};
use jit_core::orders::request::{self, RequestOrder};
use jit_core::policy::Subject;
use jit_proto::gate::{Answer, CHECK, INTERFACE, NONCE_LEN, Question};
use jit_proto::manager::USER_INTERFACE;
use jit_proto::words::{RequestId, Uid};
use jit_proto::{OBJECT_PATH, error_name};
use rusqlite::Connection as Store;
use tempfile::TempDir;
use zbus::{Connection, block_on};

use super::access_tests::served_to;
use super::carried_out_tests::call;
use super::contract_tests::app_in;
use crate::app::App;
use crate::desk::{Looked, Word};
use crate::peer::Peer;
use crate::store::writer::{self, Queue};
use crate::store::{StorePath, rows};

/// The accounts are of this host, whatever host it is: root, and uid 1.
const POLICY: &str = r#"
version = 1
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["daemon"] }
max-duration = "4h"
[[role.shell.stage]]
approvers = { users = ["root"] }
"#;

const ROOT: Actor = Actor { uid: Uid::ROOT, loginuid: None, untold: false, session: None, process: None };

/// A jitd that is asked over sockets of the test's own.
struct Jitd {
    app: Arc<App>,
    dir: TempDir,
    queue: Queue,
    writer: Option<JoinHandle<()>>,
}

impl Jitd {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("policy.d")).unwrap();
        fs::write(dir.path().join("policy.d/10.toml"), POLICY).unwrap();
        let (app, queue, inbox) = app_in(dir.path());
        let store = StorePath::in_dir(dir.path());
        let writer = {
            let app = Arc::clone(&app);
            std::thread::spawn(move || writer::run(&store, &inbox, &app.desk))
        };
        let jitd = Self { app, dir, queue, writer: Some(writer) };
        jitd.until_it_decides();
        jitd
    }

    fn until_it_decides(&self) {
        let began = Instant::now();
        while let Some(trouble) = self.app.desk.trouble() {
            assert!(began.elapsed() < Duration::from_secs(60), "{trouble}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn store(&self) -> Store {
        Store::open(self.dir.path().join("store.db")).unwrap()
    }

    /// Opens a window for daemon.
    fn opens_a_window(&self) {
        let subject = |name: &str, uid: u32| Subject {
            name: name.parse().unwrap(),
            uid: Uid::try_from(uid).unwrap(),
            also: BTreeSet::new(),
            groups: BTreeSet::new(),
        };
        let root = Looked::fully(Caller {
            account: subject("root", 0),
            login: LoginAccount::Known(subject("root", 0)),
        });
        let order = RequestOrder {
            beneficiary: subject("daemon", 1),
            role: "shell".parse().unwrap(),
            duration: None,
            start: None,
            reason: "INC-1 look".parse().unwrap(),
            id: RequestId::from_bits(1),
        };
        let judge = |here: Context<'_>, caller: &Caller| request::grant(here, caller, order.clone());
        let ticket = self.app.desk.order(ROOT, &root, Word::Nobody, &judge).unwrap();
        block_on(ticket.durable()).unwrap();
    }
}

impl Drop for Jitd {
    fn drop(&mut self) {
        self.queue.stop();
        drop(self.writer.take().map(JoinHandle::join));
    }
}

/// A caller of this uid, in a login of their own.
fn caller(uid: u32) -> Peer {
    let uid = Uid::try_from(uid).unwrap();
    Peer::told(uid, Ok(LoginUid::Set(uid)))
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
    let read = rows::records(store, 0, u32::MAX).unwrap();
    let records = read.iter().map(|(seq, bytes)| Record::decode(*seq, bytes).unwrap());
    records.filter(|record| matches!(record.event, Event::Allowed { .. })).count()
}

#[test]
fn no_allow_leaves_the_gate_whose_record_is_not_on_disk() {
    let jitd = Jitd::start();
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
    let jitd = Jitd::start();
    jitd.opens_a_window();
    let writer = jitd.writer.as_ref().unwrap().thread().id();
    let entries = || {
        let entered = jitd.app.desk.entered.lock().unwrap();
        entered.iter().filter(|thread| **thread != writer).count()
    };
    block_on(async {
        let (_root, as_root) = served_to(&jitd.app, caller(0)).await;
        let before = entries();
        assert_eq!(check(&as_root, 0).await.unwrap().0, "allow");
        assert_eq!(entries() - before, 2);
    });
}

#[test]
fn whoever_is_not_root_gets_so_many_answers_a_minute_and_root_as_many_as_it_asks_for() {
    let jitd = Jitd::start();
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
    let jitd = Jitd::start();
    block_on(async {
        let (_user, client) = served_to(&jitd.app, caller(1)).await;
        let request = ("shell", 0_u64, "", "INC-1 look");
        let pending = |here: Context<'_>| here.state.pending().keys().next().map(ToString::to_string);
        for number in 0..30 {
            let (error, text) = call(&client, USER_INTERFACE, "Request", &request).await;
            // The store of this jitd cannot be read back.
            assert_eq!(error, error_name::CARRIED_OUT, "{number}: {text}");
            // Else the quota of what waits comes first.
            let id = jitd.app.desk.look(pending).unwrap().unwrap();
            call(&client, USER_INTERFACE, "Withdraw", &(id.as_str(), "")).await;
        }
        let (error, text) = call(&client, USER_INTERFACE, "Request", &request).await;
        assert_eq!(error, error_name::BUSY, "{text}");
        assert!(text.contains("30 requests an hour"), "{text}");
    });
}
