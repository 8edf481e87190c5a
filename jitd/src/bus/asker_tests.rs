//! A program that is not root and asks about others, as policy lets it: by the uid that the kernel says, for its services
//! alone, and it learns no more than it needs.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use jit_core::event::{Event, Record};
use jit_core::orders::request::RequestOrder;
use jit_proto::gate::{Answer, CHECK, FLAG_CLAIM, INTERFACE, NONCE_LEN, NOT_SAID, Question};
use jit_proto::words::Uid;
use jit_proto::{OBJECT_PATH, error_name};
use zbus::{Connection, block_on};

use crate::clock::since_boot;
use crate::peer::Peer;
use crate::testing::{Daemon, POLICY, order, records, served_to, subject};

/// bin, which every Debian has as uid 2, asks about others at postgresql; daemon may have two logins there.
fn policy() -> String {
    format!(
        r#"{POLICY}
[[asker]]
account = "bin"
services = ["postgresql"]
[role.database]
hosts = ["*"]
services = ["postgresql"]
eligible = {{ users = ["daemon", "bin"] }}
max-duration = "1h"
uses = 2
[[role.database.stage]]
name = "lead"
approvers = {{ users = ["root"] }}
"#
    )
}

fn jitd() -> Daemon {
    let jitd = Daemon::of(&policy());
    jitd.grants(RequestOrder { beneficiary: subject("daemon", 1), ..order(1, "database") }).unwrap();
    jitd
}

fn uid(uid: u32) -> Uid {
    Uid::try_from(uid).unwrap()
}

/// A program that runs, and is ended with this value.
struct Program(Child);

impl Program {
    fn run(by: u32, argv: &[&str]) -> Self {
        let mut command = Command::new(argv[0]);
        command.args(&argv[1..]).uid(by).gid(by).stdin(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn peer(&self, as_whom: u32, started_by: u32) -> Peer {
        Peer::running(uid(as_whom), self.0.id(), uid(started_by))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What bin's server asks: may daemon log in to the database?
fn question() -> Question {
    Question {
        nonce: vec![7; NONCE_LEN],
        stage: "account".into(),
        service: "postgresql".into(),
        user: "daemon".into(),
        ruser: String::new(),
        rhost: "10.1.2.3".into(),
        tty: String::new(),
        caller_uid: 2,
        flags: 0,
    }
}

async fn ask(client: &Connection, question: Question) -> Result<Answer, (String, String)> {
    match client.call_method(None::<&str>, OBJECT_PATH, Some(INTERFACE), CHECK, &(question,)).await {
        Ok(reply) => Ok(reply.body().deserialize::<(Answer,)>().unwrap().0),
        Err(zbus::Error::MethodError(error, text, _)) => Err((error.to_string(), text.unwrap_or_default())),
        Err(other) => panic!("{other:?}"),
    }
}

/// Asks as this peer, once.
fn asked(jitd: &Daemon, peer: Peer, question: Question) -> Result<Answer, String> {
    block_on(async {
        let (_server, client) = served_to(&jitd.app, peer).await;
        ask(&client, question).await.map_err(|(error, text)| {
            assert!(
                [error_name::NOT_PERMITTED, error_name::BUSY].contains(&error.as_str()),
                "{error}: {text}"
            );
            text
        })
    })
}

fn last(jitd: &Daemon) -> Record {
    records(&jitd.store()).pop().unwrap()
}

#[test]
fn an_askers_process_is_in_from_its_check_on_where_policy_says_that_it_ends_and_nobody_elses_is() {
    let ends = "[service.postgresql]\nends = \"process\"\n";
    let jitd = Daemon::of(&format!("{}{ends}", policy()));
    jitd.grants(RequestOrder { beneficiary: subject("daemon", 1), ..order(1, "database") }).unwrap();
    let (server, own) = (Program::run(2, &["sleep", "600"]), Program::run(1, &["sleep", "600"]));
    // Who asks about themselves is let in, and has nothing ended.
    let themselves = Question { caller_uid: 1, ..question() };
    assert_eq!(asked(&jitd, own.peer(1, 1), themselves).unwrap().verdict, "allow");
    let sessions = || jitd.app.desk.look(|here| here.state.sessions().to_vec()).unwrap();
    assert_eq!(sessions(), []);
    assert_eq!(asked(&jitd, server.peer(2, 2), question()).unwrap().verdict, "allow");
    // Where the tests run in no service, the record that it is not claimed to end whole comes after it.
    let is_allowed = |record: &Record| matches!(record.event, Event::Allowed { .. });
    let allowed = records(&jitd.store()).into_iter().rfind(is_allowed).unwrap();
    let Event::Allowed { ends: Some(_), by: Some(by), .. } = allowed.event else { panic!() };
    let [session] = &sessions()[..] else { panic!("{:?}", sessions()) };
    assert_eq!((by.pid, session.leader), (server.0.id(), Some(by)));
    assert!(session.is_process() && !session.others);
    // The grant has nothing that a program of the site's would end.
    let asked = jitd.app.desk.look(|here| here.state.grant(session.grant).map(|grant| grant.asked.clone()));
    assert!(asked.unwrap().unwrap().is_empty());
}

#[test]
fn an_asker_asks_about_anybody_at_its_services_and_learns_whether_and_the_line_alone() {
    let (jitd, server) = (jitd(), Program::run(2, &["sleep", "600"]));
    let postgres = server.peer(2, 2);
    let yes = asked(&jitd, postgres, question()).unwrap();
    assert_eq!((yes.verdict.as_str(), yes.reason.as_str(), yes.text.as_str()), ("allow", NOT_SAID, ""));
    assert_eq!((yes.grant.as_str(), yes.remaining), ("", 0), "what the window is, is not its business");
    // The record names it, by account and by uid, and has where the login said to come from as its word alone.
    let record = last(&jitd);
    assert_eq!(record.actor.map(|actor| actor.uid), Some(uid(2)));
    let Event::Allowed { asker, by, from, login, .. } = record.event else { panic!("{record:?}") };
    assert_eq!((asker.unwrap().as_str(), by, from, login.rhost.as_str()), ("bin", None, None, "10.1.2.3"));
    // About somebody without a window, too.
    let no = asked(&jitd, postgres, Question { user: "sys".into(), ..question() }).unwrap();
    assert_eq!((no.verdict.as_str(), no.reason.as_str()), ("deny", NOT_SAID));
    assert!(no.text.starts_with("jit: "), "{}", no.text);
    // Whoever is exempt is none of its business, either.
    let text = asked(&jitd, postgres, Question { service: "sshd".into(), ..question() }).unwrap_err();
    let only =
        "this account may ask about others for postgresql only ([[asker]] in the policy), not for sshd";
    assert_eq!(text, only);
}

#[test]
fn no_other_account_asks_whatever_it_is_called_and_no_policy_makes_one_ask_that_names_it_not() {
    let jitd = jitd();
    // uid 3 runs a program that says to be uid 2, and one that says what it is.
    let other = Program::run(3, &["sleep", "600"]);
    for caller_uid in [2, 3] {
        let text = asked(&jitd, other.peer(3, 3), Question { caller_uid, ..question() }).unwrap_err();
        assert_eq!(text, "only root may ask about somebody else");
    }
    let without = Daemon::start();
    let server = Program::run(2, &["sleep", "600"]);
    let text = asked(&without, server.peer(2, 2), question()).unwrap_err();
    assert_eq!(text, "only root may ask about somebody else");
    assert_eq!(asked(&jitd, server.peer(2, 2), question()).unwrap().verdict, "allow");
}

#[test]
fn a_program_that_is_the_asker_by_a_setuid_file_alone_is_refused() {
    let (jitd, program) = (jitd(), Program::run(2, &["sleep", "600"]));
    let started_by =
        |who: u32, caller_uid: u32| asked(&jitd, program.peer(2, who), Question { caller_uid, ..question() });
    // The kernel says who started it; what it says of itself is asked as well.
    for (who, says) in [(1001, 1001), (1001, 2), (2, 1001)] {
        let text = started_by(who, says).unwrap_err();
        assert!(text.contains("by a setuid file, and somebody else started it"), "{who} {says}: {text}");
    }
    assert_eq!(started_by(2, 2).unwrap().verdict, "allow");
}

#[test]
fn an_asker_in_a_user_namespace_is_refused_and_one_that_has_gone() {
    let jitd = jitd();
    let inside = Program::run(2, &["unshare", "--user", "--map-root-user", "sleep", "600"]);
    let map = format!("/proc/{}/uid_map", inside.0.id());
    let began = since_boot();
    while std::fs::read_to_string(&map).unwrap().split_whitespace().nth(1) != Some("2") {
        assert!(since_boot().saturating_sub(began).as_secs() < 60, "it gets no user namespace");
        std::thread::yield_now();
    }
    let text = asked(&jitd, inside.peer(2, 2), question()).unwrap_err();
    assert!(text.contains("in a user namespace, or has gone"), "{text}");
    let outside = Program::run(2, &["sleep", "600"]);
    let peer = outside.peer(2, 2);
    assert_eq!(asked(&jitd, peer, question()).unwrap().verdict, "allow");
    drop(outside);
    let text = asked(&jitd, peer, question()).unwrap_err();
    assert!(text.contains("in a user namespace, or has gone"), "{text}");
}

#[test]
fn an_asker_opens_no_session_and_holds_no_use_and_each_of_its_checks_takes_one() {
    let (jitd, server) = (jitd(), Program::run(2, &["sleep", "600"]));
    let postgres = server.peer(2, 2);
    for stage in ["session", "close"] {
        let text = asked(&jitd, postgres, Question { stage: stage.into(), ..question() }).unwrap_err();
        assert_eq!(text, "only root opens and closes sessions");
    }
    let text = asked(&jitd, postgres, Question { flags: FLAG_CLAIM, ..question() }).unwrap_err();
    assert!(
        text.contains("take `session` from the account line of pam_jit.so in /etc/pam.d/postgresql"),
        "{text}"
    );
    for verdict in ["allow", "allow", "deny"] {
        assert_eq!(asked(&jitd, postgres, question()).unwrap().verdict, verdict);
    }
}

#[test]
fn what_an_asker_lets_in_begins_no_stay_and_stands_in_the_grant_and_in_its_end() {
    let (jitd, server) = (jitd(), Program::run(2, &["sleep", "600"]));
    let asked_at = || jitd.desk().look(|here| here.state.grants().next().unwrap().asked.clone()).unwrap();
    assert!(asked_at().is_empty());
    asked(&jitd, server.peer(2, 2), question()).unwrap();
    assert_eq!(asked_at(), ["postgresql".parse().unwrap()].into());
    assert!(!records(&jitd.store()).iter().any(|record| matches!(record.event, Event::Came { .. })));
    assert_eq!(jitd.desk().look(|here| here.state.stay(uid(1)).is_none()), Ok(true));
    // It is read back from the disk.
    let again = Daemon::start_in(jitd.stop());
    let asked = again.desk().look(|here| here.state.grants().next().unwrap().asked.clone()).unwrap();
    assert_eq!(asked, ["postgresql".parse().unwrap()].into());
}

#[test]
fn an_askers_flood_keeps_out_neither_root_nor_whoever_asks_about_themselves() {
    let (jitd, server) = (jitd(), Program::run(2, &["sleep", "600"]));
    while jitd.app.asking.take(uid(2), since_boot()).is_ok() {}
    let text = asked(&jitd, server.peer(2, 2), question()).unwrap_err();
    assert!(text.contains("questions a minute are answered to one asker"), "{text}");
    let root = crate::testing::caller(0);
    assert_eq!(asked(&jitd, root, Question { caller_uid: 0, ..question() }).unwrap().verdict, "allow");
    let own = Question { service: "sshd".into(), caller_uid: 1, ..question() };
    assert_eq!(asked(&jitd, crate::testing::caller(1), own).unwrap().verdict, "deny");
}
