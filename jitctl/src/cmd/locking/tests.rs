use jit_core::model::Scope;
use jit_proto::manager::{Entry, Lock};

use crate::call::Call;
use crate::cmd::session::tests::session;
use crate::error::Error;
use crate::testing::*;

fn lock_call(scope: &str, message: Option<&str>, seconds: u64) -> Call {
    let message = message.map(|text| text.parse().unwrap());
    Call::Lock { scope: scope.parse().unwrap(), message, seconds, unknown: false }
}

#[test]
fn a_lock_on_whom_a_directory_has_yet_to_bring_is_asked_for_by_name_and_says_what_it_does_not_bind() {
    let call = Call::Lock { scope: "user:new".parse().unwrap(), message: None, seconds: 0, unknown: true };
    let note = "there is no account new yet: the lock is on the name alone";
    let answer = Lock { scope: "user:new".into(), note: Some(note.into()), ..lock() };
    let ran = jitctl(&["lock", "user:new", "--unknown"], &Script::answers(call, &answer));
    let err = format!("note: {note}\nhint: lift it with: jitctl unlock user:new\n");
    assert_eq!((ran.code, ran.err), (0, err));
}

#[test]
fn a_lock_says_until_when_and_how_to_lift_it() {
    let args = ["lock", "role:db-oncall", "--message", "migration", "--for", "1h"];
    let call = lock_call("role:db-oncall", Some("migration"), 3600);
    let out = "role:db-oncall is locked by otto until 2026-11-23 09:00:00Z: migration.\n";
    let err = "hint: lift it with: jitctl unlock role:db-oncall\n";
    assert_eq!(jitctl(&args, &Script::answers(call, &lock())), Ran::new(0, out, err));
}

#[test]
fn a_lock_without_an_end_holds_until_it_is_lifted() {
    let answer = Lock { scope: "host".into(), message: None, until: None, ..lock() };
    let ran = jitctl(&["lock", "host"], &Script::answers(lock_call("host", None, 0), &answer));
    assert_eq!(ran.out, "host is locked by otto until it is lifted.\n");
}

#[test]
fn a_lock_is_lifted_under_the_name_it_was_set_under_and_says_what_stays_ended_where_something_does() {
    let call = || Call::Unlock { scope: Scope::User("maria".parse().unwrap()), reason: None };
    let answer = Lock { scope: "user:maria".into(), ..lock() };
    let unlock = |listed: &[Entry]| {
        let script = Script::answers(call(), &answer).then(Script::answers(Call::List { all: true }, listed));
        jitctl(&["unlock", "user:maria"], &script)
    };
    let done = "user:maria is no longer locked.\n";
    let by_lock = Entry { ended: Some("locked".into()), end: Some("2026-11-23T08:00:00Z".into()), ..ended() };
    let before = Entry { end: Some("2026-11-23T07:59:59Z".into()), ..by_lock.clone() };
    let err = "Windows that the lock ended are not restored; ask again with: jitctl request\n";
    assert_eq!(unlock(&[active(), by_lock]), Ran::new(0, done, err));
    assert_eq!(unlock(&[active(), ended(), before]), Ran::new(0, done, ""));
    let gone =
        Script::answers(call(), &answer).then(Script::fails(Call::List { all: true }, Error::NotRunning));
    assert_eq!(jitctl(&["unlock", "user:maria"], &gone), Ran::new(0, done, err), "it is lifted all the same");
}

#[test]
fn whoever_may_not_lock_is_told_that_nothing_changed() {
    let refusal = Error::NotPermitted("only an admin may do this".into());
    let ran = jitctl(&["lock", "host"], &Script::fails(lock_call("host", None, 0), refusal));
    let err = "jitctl: not permitted: only an admin may do this\nNothing was changed.\n";
    assert_eq!(ran, Ran::new(4, "", err));
}

#[test]
fn what_is_no_scope_is_bad_usage() {
    for scope in ["maria", "user:", "user:-x", "group:a\u{1b}", "host:db", "port:22", ""] {
        let ran = jitctl(&["lock", scope], &Nobody);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{scope:?}: {}", ran.err);
    }
}

#[test]
fn a_lock_as_json_is_the_whole_of_it_and_its_message_is_shown_escaped() {
    let answer = Lock { message: Some("x\u{1b}[2J\ny".into()), ..lock() };
    let call = || lock_call("role:db-oncall", None, 0);
    let ran = jitctl(&["lock", "role:db-oncall"], &Script::answers(call(), &answer));
    assert!(ran.out.ends_with(": x\\u{1b}[2J\\u{a}y.\n"), "{}", ran.out);
    let ran = jitctl(&["lock", "role:db-oncall", "--json"], &Script::answers(call(), &answer));
    assert_eq!(serde_json::from_str::<Lock>(&ran.out).unwrap(), answer);
}

#[test]
fn on_a_terminal_a_lock_says_whom_it_ends_and_asks_before_it_shuts_the_host_a_group_or_somebody_who_is_in() {
    let open = [active(), pending(), Entry { user: "max".into(), role: "web".into(), ..active() }];
    let asked = || {
        Script::answers(Call::List { all: false }, &open).then(Script::answers(Call::Sessions, &[session()]))
    };
    let locked = |scope: &str| {
        let answer = Lock { scope: scope.into(), message: None, until: None, ..lock() };
        asked().then(Script::answers(lock_call(scope, None, 0), &answer))
    };
    for (scope, says, not) in [
        (
            "host",
            &["everybody but whom policy exempts", "max", "17  maria as root", "Lock host? [y/N] "][..],
            "pending",
        ),
        ("group:dba", &["everybody who is in the group", "max", "17  maria"], "pending"),
        ("user:maria", &["every account of this person", "g-4k7m2qx9  maria", "17  maria"], "max"),
        ("role:web", &["g-4k7m2qx9  max"], "maria"),
        ("service:sudo-i", &["17  maria as root"], "max"),
    ] {
        let ran = jitctl_typing(&["lock", scope], &asked(), &[""]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{scope}");
        assert!(ran.err.ends_with("Nothing was locked.\n") && !ran.err.contains(not), "{scope}: {}", ran.err);
        for text in says {
            assert!(ran.err.contains(text), "{scope} does not say {text}: {}", ran.err);
        }
        assert_eq!(jitctl_typing(&["lock", scope], &locked(scope), &["y"]).code, 0, "{scope}");
    }
    // Where nothing is ended, and where it was said beforehand, it is not asked.
    assert_eq!(jitctl_typing(&["lock", "user:nina"], &locked("user:nina"), &[]).code, 0);
    let answer = Lock { scope: "host".into(), ..lock() };
    let script = Script::answers(lock_call("host", None, 0), &answer);
    assert_eq!(jitctl_typing(&["lock", "host", "--yes"], &script, &[]).code, 0);
}
