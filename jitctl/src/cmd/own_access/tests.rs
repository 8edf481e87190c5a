use std::time::Duration;

use jit_proto::manager::{Entry, Revoked, Role, Status};

use crate::call::Call;
use crate::error::{Error, Sent};
use crate::testing::*;
use crate::wakes::Wake;

const ORDER: [&str; 5] = ["request", "--role", "db-oncall", "--reason", "INC-1"];
const CHANGED: (Wake, Duration) = (Wake::Changed, Duration::from_secs(1));

fn request_call(seconds: u64) -> Call {
    Call::Request {
        role: "db-oncall".parse().unwrap(),
        seconds,
        start: None,
        reason: "INC-1".parse().unwrap(),
    }
}

fn roles_call() -> Call {
    Call::Roles { user: None }
}

fn show_call() -> Call {
    Call::Show { id: "r-4k7m2qx9".parse().unwrap() }
}

/// Fresh from the person who asks: nobody has reviewed it.
fn fresh() -> Entry {
    Entry {
        requested_by: "maria".into(),
        reviews: Vec::new(),
        waiting_for: approvals("1 approval from @dba-leads (stage 'team lead')"),
        ..pending()
    }
}

fn ended(why: &str, id: &str, changed: bool) -> Revoked {
    Revoked { id: id.into(), state: "ended".into(), ended: why.into(), changed }
}

const PENDING: &str = "Request r-4k7m2qx9 is pending: db-oncall for maria; it waits for 1 approval from \
                       @dba-leads (stage 'team lead').\n";
const FOLLOW: &str =
    "hint: follow it with: jitctl show r-4k7m2qx9; take it back with: jitctl withdraw r-4k7m2qx9\n";

#[test]
fn a_request_without_a_terminal_is_sent_as_it_was_typed() {
    let ran = jitctl(&ORDER, &Script::answers(request_call(0), &fresh()));
    assert_eq!(ran, Ran::new(0, PENDING, FOLLOW));
    let args = [&ORDER[..], &["--for", "1h", "--start", "2026-12-01 07:00"]].concat();
    let start = Some("2026-12-01T07:00:00Z".parse().unwrap());
    let Call::Request { role, reason, .. } = request_call(0) else { unreachable!() };
    let call = Call::Request { role, seconds: 3600, start, reason };
    assert_eq!(jitctl(&args, &Script::answers(call, &fresh())).code, 0);
}

#[test]
fn what_is_missing_without_a_terminal_is_bad_usage_and_nothing_is_sent() {
    for (args, missing) in [
        (&["request"][..], "--role ROLE is missing"),
        (&["request", "--role", "db-oncall", "--yes"], "--reason TEXT is missing"),
        (&["extend", "g-4k7m2qx9"], "no reason is given"),
        (&["request", "--role", "r", "--reason", "x", "--start", "noon"], "time must be RFC 3339"),
        (&["request", "--role", "r", "--reason", "x", "--wait", "0s"], "longer than zero"),
    ] {
        let ran = jitctl(args, &Nobody);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.contains(missing), "{args:?}: {}", ran.err);
    }
}

#[test]
fn on_a_terminal_what_is_missing_is_asked_for_and_the_terms_are_shown_before_anything_is_sent() {
    let other = Role { role: "backup".into(), summary: None, ..role() };
    let script =
        Script::answers(roles_call(), &[other, role()]).then(Script::answers(request_call(3600), &fresh()));
    let lines = ["3", "2", "5h", "1h", "", "INC-1", "what?", "y"];
    let ran = jitctl_typing(&["request"], &script, &lines);
    // What the person types is echoed by the terminal, not by jitctl.
    let err = "   ROLE       SERVICES   FOR              SUMMARY
1  backup     sshd,sudo  30m, at most 4h
2  db-oncall  sshd,sudo  30m, at most 4h  On-call shell on the databases
Role:   type a number from 1 to 2, or a role's name
Role: For how long, at most 4h [30m]:   at most 4h
For how long, at most 4h [30m]: Reason (a ticket, like INC-1234):   reason is empty
Reason (a ticket, like INC-1234): db-oncall - On-call shell on the databases
  Services: sshd, sudo
       For: 1h
    Starts: once approved
  Approval: team lead: 1 of @dba-leads within 8h, then @bosses (online)
    Reason: INC-1
Send? [Y/n]   type y or n
Send? [Y/n] ";
    assert_eq!(ran.err, format!("{err}{FOLLOW}"));
    assert_eq!((ran.code, ran.out.as_str()), (0, PENDING));
}

#[test]
fn whoever_leaves_or_says_no_has_sent_nothing() {
    for (args, lines) in [
        (&["request"][..], &[][..]),
        (&["request"], &["1"]),
        (&["request"], &["1", ""]),
        (&["request"], &["1", "", "INC-1"]),
        (&["request"], &["db-oncall", "", "INC-1", "n"]),
        (&ORDER, &["n"]),
    ] {
        let ran = jitctl_typing(args, &Script::answers(roles_call(), &[role()]), lines);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{lines:?}");
        assert!(
            ran.err.ends_with("\nNothing was sent.\n") || ran.err.ends_with("] Nothing was sent.\n"),
            "{ran:?}"
        );
    }
}

#[test]
fn with_yes_the_terms_are_shown_and_not_asked_about() {
    let script = Script::answers(roles_call(), &[role()]).then(Script::answers(request_call(0), &fresh()));
    let ran = jitctl_typing(&[&ORDER[..], &["--yes"]].concat(), &script, &[]);
    assert_eq!(ran.code, 0);
    assert!(ran.err.contains("  Approval: team lead: 1 of") && !ran.err.contains("Send?"), "{}", ran.err);
}

#[test]
fn a_role_that_is_not_there_is_answered_with_those_that_are() {
    let script = Script::answers(roles_call(), &[Role { role: "backup".into(), ..role() }]);
    let ran = jitctl_typing(&ORDER, &script, &[]);
    let err =
        "jitctl: refused: role 'db-oncall' is not one that you may ask for on this host; there is: backup\n";
    assert_eq!(ran, Ran::new(1, "", err));
    let ran = jitctl_typing(&["request"], &Script::answers(roles_call(), &[] as &[Role; 0]), &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("ask an admin"), "{}", ran.err);
}

#[test]
fn an_emergency_opens_at_once_and_says_what_it_owes() {
    let ran = jitctl(&ORDER, &Script::answers(request_call(0), &emergency()));
    let out =
        "Opened g-4k7m2qx9: maria has break-glass (sshd, sudo) until 2026-11-23 08:51:00Z, 29m 50s left.\n";
    let err = "It opened before anybody approved it, and owes a review.\n\
               hint: follow it with: jitctl show g-4k7m2qx9; give it back early with: jitctl done g-4k7m2qx9\n";
    assert_eq!(ran, Ran::new(0, out, err));
}

#[test]
fn a_wait_has_a_line_for_each_thing_that_happens_and_ends_when_it_opens() {
    let halfway = Entry {
        reviews: waiting().reviews,
        waiting_for: approvals("1 approval from @security (stage 'security')"),
        ..fresh()
    };
    let open = Entry { reviews: waiting().reviews, ..active() };
    let script = Script::answers(request_call(0), &fresh())
        .then(Script::answers(show_call(), &fresh()))
        .then(Script::answers(show_call(), &halfway))
        .then(Script::answers(show_call(), &open))
        .waking(&[CHANGED; 3]);
    let ran = jitctl(&[&ORDER[..], &["--wait"]].concat(), &script);
    let out =
        "Opened g-4k7m2qx9: maria has db-oncall (sshd, sudo) until 2026-11-23 08:51:00Z, 29m 50s left.\n";
    let err = "approve by otto, team lead, online, 2026-11-23 08:20:58Z; leaves 15m, sshd, 1 use; \"ring me first\"\n\
               it waits for 1 approval from @security (stage 'security') now\n";
    assert_eq!(ran, Ran::new(0, out, &format!("{PENDING}{err}")));
}

#[test]
fn a_wait_for_what_comes_to_nothing_exits_1() {
    for why in ["denied", "lapsed", "withdrawn"] {
        let over = Entry { state: "ended".into(), ended: Some(why.into()), waiting_for: None, ..fresh() };
        let script = Script::answers(request_call(0), &fresh())
            .then(Script::answers(show_call(), &over))
            .waking(&[CHANGED]);
        let ran = jitctl(&[&ORDER[..], &["--wait", "1h"]].concat(), &script);
        let out = format!("Request r-4k7m2qx9 is ended ({why}): db-oncall for maria.\n");
        assert_eq!(ran, Ran::new(1, &out, PENDING));
    }
}

#[test]
fn a_wait_that_is_over_or_interrupted_leaves_the_request_pending_and_says_so() {
    let over = Script::answers(request_call(0), &fresh())
        .then(Script::answers(show_call(), &fresh()))
        .waking(&[(Wake::Time, Duration::from_secs(60))]);
    let ran = jitctl(&[&ORDER[..], &["--wait", "1m"]].concat(), &over);
    let err = format!("{PENDING}Not decided within 1m. The request is still pending.\n{FOLLOW}");
    assert_eq!(ran, Ran::new(1, PENDING, &err));
    let interrupted = Script::answers(request_call(0), &fresh());
    let ran = jitctl(&[&ORDER[..], &["--wait"]].concat(), &interrupted);
    let err = format!("{PENDING}Interrupted. The request is still pending.\n{FOLLOW}");
    assert_eq!(ran, Ran::new(1, PENDING, &err));
}

#[test]
fn a_jitd_that_restarts_is_waited_for_and_complained_about_once() {
    let gone = || Script::fails(show_call(), Error::NotRunning);
    let script = Script::answers(request_call(0), &fresh())
        .then(gone())
        .then(gone())
        .then(Script::answers(show_call(), &scheduled()))
        .waking(&[CHANGED; 3]);
    let ran = jitctl(&[&ORDER[..], &["--wait", "--json"]].concat(), &script);
    assert_eq!(ran.code, 0);
    assert_eq!(serde_json::from_str::<Entry>(&ran.out).unwrap(), scheduled());
    assert_eq!(ran.err.matches("jitd is not running").count(), 1, "{}", ran.err);
}

#[test]
fn whether_a_lost_request_was_filed_is_said_to_be_unknown() {
    let why = Error::Broken { why: "gone".into(), sent: Sent::Perhaps };
    let ran = jitctl(&ORDER, &Script::fails(request_call(0), why));
    let err = "jitctl: the call broke off (gone). Whether it was asked for is unknown.\n\
               hint: look with: jitctl list\n";
    assert_eq!(ran, Ran::new(3, "", err));
}

#[test]
fn a_request_is_withdrawn_by_its_id() {
    let call = || Call::Withdraw { id: "r-4k7m2qx9".parse().unwrap(), reason: None };
    let done = ended("withdrawn", "r-4k7m2qx9", true);
    let ran = jitctl(&["withdraw", "r-4k7m2qx9"], &Script::answers(call(), &done));
    assert_eq!(ran, Ran::new(0, "Withdrew r-4k7m2qx9.\n", ""));
    let done = ended("denied", "r-4k7m2qx9", false);
    let ran = jitctl(&["withdraw", "r-4k7m2qx9"], &Script::answers(call(), &done));
    assert_eq!(ran, Ran::new(0, "r-4k7m2qx9 had already ended (denied). Nothing was changed.\n", ""));
}

#[test]
fn without_an_id_the_only_window_of_the_caller_is_meant() {
    let others = Entry { uid: 1001, grant: Some("g-00000001".into()), ..active() };
    let status = Status { active: vec![others, active()], ..status() };
    let done = Call::Done { id: "g-4k7m2qx9".parse().unwrap(), reason: None };
    let script = Script::answers(Call::Status, &status)
        .then(Script::answers(done, &ended("done", "g-4k7m2qx9", true)));
    assert_eq!(jitctl(&["done"], &script), Ran::new(0, "Ended g-4k7m2qx9.\n", ""));
    let call = Call::Extend {
        id: "g-4k7m2qx9".parse().unwrap(),
        seconds: 600,
        reason: "not done yet".parse().unwrap(),
    };
    let longer = Entry { extends: Some("g-4k7m2qx9".into()), ..fresh() };
    let script = Script::answers(Call::Status, &status).then(Script::answers(call, &longer));
    let ran = jitctl_typing(&["extend", "--for", "10m"], &script, &["", "not done yet"]);
    let err = format!("Reason:   reason is empty\nReason: {FOLLOW}");
    assert_eq!(ran, Ran::new(0, PENDING, &err));
}

#[test]
fn where_no_window_or_several_could_be_meant_the_person_says_which() {
    let none = Status { active: Vec::new(), ..status() };
    let ran = jitctl(&["done"], &Script::answers(Call::Status, &none));
    let err = "jitctl: not found: no window is open for you; ask for one with: jitctl request\n";
    assert_eq!(ran, Ran::new(5, "", err));
    let second = Entry { grant: Some("g-00000001".into()), ..active() };
    let two = Status { active: vec![active(), second], ..status() };
    let ran = jitctl(&["extend"], &Script::answers(Call::Status, &two));
    let err = "jitctl: 2 windows are open for you\n\
               hint: say which: jitctl extend g-4k7m2qx9, or: jitctl extend g-00000001\n";
    assert_eq!(ran, Ran::new(2, "", err));
}

#[test]
fn what_others_wrote_reaches_no_terminal_as_it_is() {
    let hostile = "x\u{1b}[2J\n\u{202e}\u{9b}y";
    let role = Role {
        summary: Some(hostile.into()),
        reason: Some(hostile.into()),
        services: vec![hostile.into()],
        ..role()
    };
    let entry = Entry { waiting_for: approvals(hostile), user: hostile.into(), ..fresh() };
    let script = Script::answers(roles_call(), &[role]).then(Script::answers(request_call(0), &entry));
    let ran = jitctl_typing(&["request"], &script, &["1", "", "INC-1", ""]);
    for text in [&ran.out, &ran.err] {
        let bad = text.chars().find(|c| jit_proto::text::is_unprintable(*c) && *c != '\n');
        assert_eq!(bad, None, "{text:?}");
    }
    assert!(
        !ran.err.lines().any(|line| line.starts_with('\u{202e}') || line.starts_with('y')),
        "{}",
        ran.err
    );
}

#[test]
fn what_was_asked_for_before_is_asked_for_again_with_what_is_said_anew() {
    let before = Entry { duration: 1800, reason: "INC-1".into(), ..crate::testing::ended() };
    let again = |call: Call| Script::answers(show_call(), &before).then(Script::answers(call, &fresh()));
    let like = ["request", "--like", "r-4k7m2qx9"];
    assert_eq!(jitctl(&like, &again(request_call(1800))), Ran::new(0, PENDING, FOLLOW));
    let Call::Request { role, .. } = request_call(0) else { unreachable!() };
    let other = Call::Request { role, seconds: 600, start: None, reason: "INC-2".parse().unwrap() };
    let ran = jitctl(&[&like[..], &["--for", "10m", "--reason", "INC-2"]].concat(), &again(other));
    assert_eq!(ran.code, 0, "{ran:?}");
    // Of one that may not be seen nothing is asked for.
    let none = Script::fails(show_call(), Error::NotFound("there is no request".into()));
    let ran = jitctl(&like, &none);
    assert!(ran.code != 0 && ran.err.contains("not found: there is no request"), "{ran:?}");
    let both = jitctl(&[&like[..], &["--role", "db-oncall"]].concat(), &Nobody);
    assert!(both.code == 2 && both.err.contains("cannot be used with"), "{both:?}");
}

#[test]
fn whoever_asked_is_told_why_it_takes_a_review_where_something_opens_without_one() {
    let why = jit_proto::manager::Refused {
        code: "takes-stages".into(),
        text: "an extension takes the stages".into(),
    };
    let waits = Entry { not_counted: Some(why), ..fresh() };
    let ran = jitctl(&ORDER, &Script::answers(request_call(0), &waits));
    assert_eq!(ran.err, format!("It takes a review: an extension takes the stages.\n{FOLLOW}"));
    let opened = Entry { by_policy: true, ..active() };
    let ran = jitctl(&ORDER, &Script::answers(request_call(0), &opened));
    assert!(
        ran.code == 0 && ran.err.starts_with("Policy opened it without a review, and it counts.\n"),
        "{ran:?}"
    );
}
