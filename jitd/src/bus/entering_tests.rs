//! What somebody who logs in types for their request, over a real store.

use std::fs;
use std::path::Path;
use std::process::Command;

use jit_core::code::{Answer as CodeAnswer, Approves, Asked, Bucket, Secret};
use jit_core::event::{Event, Record};
use jit_core::model::Request;
use jit_core::sign::approvers::Approvers;
use jit_core::sign::compact;
use jit_core::sign::file::RequestFile;
use jit_core::sign::sshsig::Signature;
use jit_core::sign::statement::Signable;
use jit_proto::gate::NONCE_LEN;
use jit_proto::login_request::{Answer, Asker, ENTER, INTERFACE, MAX_LINES, MAX_TYPED};
use jit_proto::manager::{Exported, REVIEW_INTERFACE};
use jit_proto::{OBJECT_PATH, error_name};
use zbus::block_on;

use super::code_tests::{asked, daemon};
use crate::testing::{Daemon, call, caller, records, served_to};

type Entered = (Answer, Vec<String>, u32);

/// What this user is told who types these lines while logging in by ssh.
fn entered(daemon: &Daemon, user: &str, id: &str, typed: &[&str]) -> Result<Entered, String> {
    let asker = Asker {
        nonce: vec![7; NONCE_LEN],
        service: "sshd".into(),
        user: user.into(),
        ruser: String::new(),
        caller_uid: 0,
        rhost: String::new(),
        tty: "ssh".into(),
    };
    block_on(async {
        let (_server, client) = served_to(&daemon.app, caller(0)).await;
        let body = (asker, id, typed);
        match client.call_method(None::<&str>, OBJECT_PATH, Some(INTERFACE), ENTER, &body).await {
            Ok(reply) => Ok(reply.body().deserialize().unwrap()),
            Err(zbus::Error::MethodError(error, _, _)) => Err(error.to_string()),
            Err(other) => panic!("{other:?}"),
        }
    })
}

fn own(daemon: &Daemon, id: &str, typed: &[&str]) -> Entered {
    entered(daemon, "daemon", id, typed).unwrap()
}

fn answer_of(approves: &Approves, request: &Request) -> String {
    CodeAnswer::of(&Asked::by(request), approves, Bucket::AS_ASKED).plain()
}

#[test]
fn an_answer_typed_at_a_login_counts_for_the_own_request_and_a_wrong_one_takes_their_own_tries() {
    let daemon = daemon();
    let (request, id) = asked(&daemon);
    let (answer, told, kept) = own(&daemon, &id, &[]);
    assert_eq!((answer.state.as_str(), answer.id.as_str()), ("waiting", id.as_str()));
    assert!(told.is_empty() && kept == 0, "nobody answers by code or signature here: {told:?}");
    let approves = daemon.enrolled();
    let told = own(&daemon, &id, &[]).1.join("\n");
    let code = Asked::by(&request).code.to_string();
    for word in [
        "Read this out to an approver",
        "user    daemon",
        "role    shell",
        "for     1h",
        &code[..4],
        "reason  INC-1 look",
    ] {
        assert!(told.contains(word), "{word}:\n{told}");
    }

    let stranger = Approves { key: Secret::of([8; 32]).key_for(&approves.host_key, 1), ..approves.clone() };
    for left in ["4 tries are left", "3 tries are left"] {
        let (answer, told, kept) = own(&daemon, &id, &[&answer_of(&stranger, &request)]);
        assert!(answer.state == "waiting" && kept == 0 && told[0].contains(left), "{told:?}");
        assert!(told[1].starts_with("Read this out"), "{told:?}");
        let last = records(&daemon.store()).pop().unwrap();
        let Event::CodeRefused { wrong: true, slot: 3, typed_by, .. } = last.event else {
            panic!("{last:?}")
        };
        assert_eq!((typed_by.unwrap().as_u32(), last.actor.unwrap().uid.as_u32()), (1, 0));
    }
    let by = |daemon: &Daemon| {
        daemon
            .desk()
            .look(|here| here.state.code_tries().iter().map(|one| one.by).collect::<Vec<_>>())
            .unwrap()
    };
    assert_eq!(by(&daemon), [Some(request.beneficiary.uid); 2], "root's tries are left for root");

    // A slip is no try; and what waits for somebody is nothing to anybody else.
    let right = answer_of(&approves, &request);
    let count = records(&daemon.store()).len();
    let (answer, told, _) = own(&daemon, &id, &["0000-0000-0000-01"]);
    assert!(answer.state == "waiting" && told[0].contains("No try was counted"), "{told:?}");
    let (answer, told, _) = entered(&daemon, "bin", &id, &[&right]).unwrap();
    assert!(answer.state == "over" && answer.id.is_empty() && told.is_empty(), "{answer:?} {told:?}");
    assert_eq!(records(&daemon.store()).len(), count);

    let (answer, told, kept) = own(&daemon, &id, &[&right]);
    assert_eq!((answer.state.as_str(), told, kept), ("open", vec!["This counts.".to_owned()], 0));
    let (answer, ..) = own(&daemon, &id, &[&right]);
    assert_eq!(answer.state, "open");
}

#[test]
fn after_five_wrong_answers_at_a_login_no_code_counts_and_that_is_said() {
    let daemon = daemon();
    let (request, id) = asked(&daemon);
    let approves = daemon.enrolled();
    let stranger = Approves { key: Secret::of([8; 32]).key_for(&approves.host_key, 1), ..approves.clone() };
    for _ in 0..5 {
        own(&daemon, &id, &[&answer_of(&stranger, &request)]);
    }
    let right = answer_of(&approves, &request);
    for typed in [&[][..], &[right.as_str()]] {
        let (answer, told, _) = own(&daemon, &id, typed);
        assert!(answer.state == "waiting" && told[0].contains("no code counts for"), "{told:?}");
    }
    let wrong = |record: &Record| matches!(record.event, Event::CodeRefused { wrong: true, .. });
    assert_eq!(records(&daemon.store()).iter().filter(|record| wrong(record)).count(), 5);
}

/// The rows of a signature that ssh-keygen makes over the request, by a key that approves here from then on.
fn signed(daemon: &Daemon, id: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let (key, path) = (dir.path().join("key"), dir.path().join("R.req"));
    let keygen = |args: &[&str], file: Option<&Path>| {
        let made = Command::new("ssh-keygen").args(args).arg("-f").arg(&key).args(file).output().unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    keygen(&["-q", "-t", "ed25519", "-N", ""], None);
    let line = format!("bin {}", fs::read_to_string(key.with_extension("pub")).unwrap());
    daemon.app.signers.take_approvers(Approvers::parse(line.as_bytes()).unwrap());
    let file = block_on(async {
        let (_server, client) = served_to(&daemon.app, caller(1)).await;
        let (error, text) = call(&client, REVIEW_INTERFACE, "Export", &(id,)).await;
        assert_eq!(error, "", "{text}");
        serde_json::from_str::<Exported>(&text).unwrap().file
    });
    let file = RequestFile { checkpoint: None, ..RequestFile::parse(file.as_bytes()).unwrap() };
    fs::write(&path, file.text()).unwrap();
    keygen(&["-q", "-Y", "sign", "-n", "jitd.approval.v1"], Some(&path));
    let signature = Signature::parse(&fs::read(path.with_extension("req.sig")).unwrap()).unwrap();
    let rows = compact::signature(&Signable::File(Box::new(file)), &signature).unwrap();
    rows.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn the_rows_of_a_signature_are_typed_one_by_one_and_a_mistake_costs_one_row() {
    let daemon = daemon();
    let (_, id) = asked(&daemon);
    let rows = signed(&daemon, &id);
    let mut rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let (_, told, _) = own(&daemon, &id, &[]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("The rows of a signature"), "{told:?}");
    let (answer, told, kept) = own(&daemon, &id, &rows[..1]);
    assert!(answer.state == "waiting" && kept == 1 && told[0].contains("still missing: 2"), "{told:?}");
    let slip = format!("{}{}", if rows[1].starts_with('2') { '3' } else { '2' }, &rows[1][1..]);
    let (_, told, kept) = own(&daemon, &id, &[rows[0], &slip]);
    assert!(kept == 1 && told[0].contains("this is no row"), "{told:?}");
    // Those of another request are said to be so, and nothing is on record for it.
    let count = records(&daemon.store()).len();
    let other = signed_elsewhere();
    let (answer, told, kept) = own(&daemon, &id, &other.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(answer.state == "waiting" && kept == 0, "{told:?}");
    assert!(told[0].contains("is about r-00000000, and"), "{told:?}");
    assert_eq!(records(&daemon.store()).len(), count);
    rows.reverse();
    let (answer, told, _) = own(&daemon, &id, &rows);
    assert_eq!((answer.state.as_str(), told[0].as_str()), ("open", "This counts."), "{told:?}");
}

/// Rows that are right, of a signature over a request that is not here.
fn signed_elsewhere() -> Vec<String> {
    let file =
        RequestFile::parse(include_bytes!("../../../jit_core/offline-vectors/r-4k7m2qx9.req")).unwrap();
    let file = RequestFile { checkpoint: None, request: "r-00000000".parse().unwrap(), ..file };
    let signature = include_bytes!("../../../jit_core/offline-vectors/ed25519.sig");
    let signature = Signature::parse(signature).unwrap();
    let rows = compact::signature(&Signable::File(Box::new(file)), &signature).unwrap();
    rows.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn more_than_an_answer_has_is_not_looked_at() {
    let daemon = daemon();
    let (_, id) = asked(&daemon);
    let many = vec!["0"; MAX_LINES + 1];
    let long = "0".repeat(MAX_TYPED + 1);
    for typed in [&many[..], &[long.as_str()]] {
        assert_eq!(entered(&daemon, "daemon", &id, typed).unwrap_err(), error_name::INVALID);
    }
    assert!(entered(&daemon, "daemon", &id, &many[..MAX_LINES]).is_ok());
    assert_eq!(entered(&daemon, "daemon", "r-1; reboot", &[]).unwrap_err(), error_name::INVALID);
}
