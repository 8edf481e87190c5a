use std::time::Duration;

use jit_core::model::Decision;
use jit_proto::manager::{Entry, WaitingFor};

use crate::call::{Call, Narrow};
use crate::error::{Error, Sent};
use crate::testing::*;
use crate::wakes::Wake;

const CHANGED: (Wake, Duration) = (Wake::Changed, Duration::from_secs(1));

fn given(entry: &Entry, decision: Decision, narrow: Narrow, note: Option<&str>) -> Call {
    Call::Review {
        id: entry.request.parse().unwrap(),
        digest: entry.digest.clone(),
        decision,
        narrow,
        note: note.map(|note| note.parse().unwrap()),
    }
}

fn approval(entry: &Entry) -> Call {
    given(entry, Decision::Approve, Narrow::default(), None)
}

fn denial(entry: &Entry) -> Call {
    given(entry, Decision::Deny, Narrow::default(), Some("not now"))
}

/// Two that wait: tom's, which somebody has narrowed, and maria's emergency.
fn both() -> [Entry; 2] {
    [waiting(), emergency()]
}

fn open(entry: &Entry) -> Entry {
    let grant = entry.request.replace("r-", "g-");
    Entry { user: entry.user.clone(), request: entry.request.clone(), grant: Some(grant), ..active() }
}

const TOMS: &str = "\
r-7hq2m9xk - db-oncall for tom
       User: tom (uid 1001)
   Services: sshd, sudo
        For: 30m
     Starts: once approved
       Uses: 1
     Reason: INC-1234 failover of db-07
   Asked by: tom at 2026-11-23 08:20:58Z
  Waits for: 1 approval from @security (stage 'security')
      Until: 2026-11-23 16:21:00Z
    Reviews: approve by otto, team lead, online, 2026-11-23 08:20:58Z; leaves 15m, sshd, 1 use; \"ring me first\"
     Digest: abababababababababababababababababababababababababababababababab
";

#[test]
fn pending_shows_all_that_is_needed_to_decide() {
    let ran = jitctl(&["pending"], &Script::answers(Call::Pending, &both()));
    let table = "\
ID          USER   ROLE         FOR  STARTS                REVIEW UNTIL          REASON
r-7hq2m9xk  tom    db-oncall    30m  once approved         2026-11-23 16:21:00Z  INC-1234 failover of db-07
r-4k7m2qx9  maria  break-glass  30m  2026-11-23 08:21:00Z  -                     INC-1234 failover of db-07
";
    let second = "\
r-4k7m2qx9 - break-glass for maria
       User: maria (uid 1000)
   Services: sshd, sudo
        For: 30m
     Starts: 2026-11-23 08:21:00Z
       Uses: unlimited
     Reason: INC-1234 failover of db-07
   Asked by: maria at 2026-11-23 08:20:58Z
  Emergency: it opened before anybody approved it and is open, 29m 50s left; this is the review that it owes
  Waits for: 1 approval from @security (stage 'after the fact')
     Digest: abababababababababababababababababababababababababababababababab
";
    let err = "hint: decide with: jitctl approve r-7hq2m9xk, or: jitctl deny r-7hq2m9xk --reason TEXT\n";
    assert_eq!(ran, Ran::new(0, &format!("{table}\n{TOMS}\n{second}"), err));
    let ran = jitctl(&["pending", "--json"], &Script::answers(Call::Pending, &both()));
    assert_eq!(serde_json::from_str::<Vec<Entry>>(&ran.out).unwrap(), both());
}

#[test]
fn whoever_reviews_sees_when_from_where_and_as_whom_it_admits_and_with_what_it_begins() {
    let entry = Entry {
        hours: vec!["mon-fri 07:00-19:00 Europe/Berlin".into(), "sat 08:00-12:00 UTC".into()],
        from: vec!["10.0.0.0/8".into()],
        targets: vec!["oracle".into()],
        first_use: Some(28_800),
        ..waiting()
    };
    let ran = jitctl(&["pending"], &Script::answers(Call::Pending, &[entry]));
    let said = "     Starts: with the first login, within 8h of the approval\n       When: mon-fri 07:00-19:00 \
                Europe/Berlin\n             sat 08:00-12:00 UTC\n       From: 10.0.0.0/8\n    Becomes: oracle\n       \
                Uses: 1\n";
    assert!(ran.out.contains(said), "{}", ran.out);
}

#[test]
fn nothing_to_review_is_said_and_is_no_failure() {
    let ran = jitctl(&["pending"], &Script::answers(Call::Pending, &[] as &[Entry; 0]));
    assert_eq!(ran, Ran::new(0, "", "Nothing waits for your review.\n"));
}

#[test]
fn a_long_reason_is_cut_in_the_table_on_a_terminal_and_nowhere_else() {
    let long = Entry { reason: "y".repeat(60), ..waiting() };
    let (cut, whole) =
        (format!("    REASON: {}…\n", "y".repeat(39)), format!("Reason: {}\n", "y".repeat(60)));
    let ran =
        jitctl_on_a_terminal(&["pending"], &Script::answers(Call::Pending, std::slice::from_ref(&long)));
    assert!(ran.out.contains(&cut) && ran.out.contains(&whole), "{}", ran.out);
    assert!(!jitctl(&["pending"], &Script::answers(Call::Pending, &[long])).out.contains('…'));
}

#[test]
fn followed_requests_are_printed_once_and_again_when_they_come_back() {
    let [first, second] = both();
    let empty: [Entry; 0] = [];
    let script = Script::answers(Call::Pending, &[&first])
        .then(Script::answers(Call::Pending, &[&first, &second]))
        .then(Script::fails(Call::Pending, Error::NotRunning))
        .then(Script::fails(Call::Pending, Error::NotRunning))
        .then(Script::answers(Call::Pending, &empty))
        .then(Script::answers(Call::Pending, &[&first]))
        .waking(&[CHANGED; 5]);
    let ran = jitctl(&["pending", "--follow", "--json"], &script);
    let seen: Vec<String> =
        ran.out.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap().request).collect();
    assert_eq!(seen, ["r-7hq2m9xk", "r-4k7m2qx9", "r-7hq2m9xk"]);
    assert_eq!((ran.code, ran.err.matches("jitd is not running").count()), (0, 1));
}

#[test]
fn following_what_cannot_be_asked_is_an_error_at_once() {
    let ran = jitctl(&["pending", "--follow"], &Script::fails(Call::Pending, Error::NotRunning));
    assert_eq!(ran.code, 3);
}

#[test]
fn an_approval_carries_the_digest_of_what_was_shown() {
    let script = Script::answers(Call::Pending, &both())
        .then(Script::answers(approval(&waiting()), &open(&waiting())));
    let ran = jitctl(&["approve", "r-7hq2m9xk"], &script);
    let out = "Approved r-7hq2m9xk. Opened g-7hq2m9xk: tom has db-oncall (sshd, sudo) until 2026-11-23 08:51:00Z, \
               29m 50s left.\n";
    assert_eq!(ran, Ran::new(0, out, TOMS));
}

#[test]
fn on_a_terminal_an_approval_is_shown_and_asked_for_and_a_denial_of_what_was_named_is_not() {
    let script = || Script::answers(Call::Pending, &both());
    let ran = jitctl_typing(&["approve", "r-7hq2m9xk"], &script(), &[""]);
    let err = format!("{TOMS}Approve 1 request? [y/N] Nothing was reviewed.\n");
    assert_eq!(ran, Ran::new(1, "", &err));
    let taken = || script().then(Script::answers(approval(&waiting()), &open(&waiting())));
    assert_eq!(jitctl_typing(&["approve", "r-7hq2m9xk"], &taken(), &["y"]).code, 0);
    assert_eq!(jitctl_typing(&["approve", "r-7hq2m9xk", "--yes"], &taken(), &[]).code, 0);
    let denied = script().then(Script::answers(denial(&waiting()), &waiting()));
    assert_eq!(jitctl_typing(&["deny", "r-7hq2m9xk", "--reason", "not now"], &denied, &[]).code, 0);
}

#[test]
fn an_approval_may_leave_less() {
    let narrow = Narrow { seconds: 600, services: vec!["sshd".parse().unwrap()], uses: 1 };
    let call = given(&waiting(), Decision::Approve, narrow, Some("ring me"));
    let script = Script::answers(Call::Pending, &both()).then(Script::answers(call, &waiting()));
    let args =
        ["approve", "r-7hq2m9xk", "--for", "10m", "--services", "sshd", "--uses", "1", "--note", "ring me"];
    let ran = jitctl(&args, &script);
    assert!(ran.err.ends_with("This review leaves at most 10m; only sshd; 1 login.\n"), "{}", ran.err);
    let out = "Approved r-7hq2m9xk. Request r-7hq2m9xk is pending: db-oncall for tom; it waits for 1 \
               approval from @security (stage 'security').\n";
    assert_eq!((ran.code, ran.out.as_str()), (0, out));
}

#[test]
fn the_review_that_an_emergency_owes_goes_by_either_id() {
    for (id, owed, says) in [
        ("g-4k7m2qx9", false, "Approved r-4k7m2qx9. Fully reviewed. The window stays open.\n"),
        ("r-4k7m2qx9", true, "Approved r-4k7m2qx9. Counted; 1 more owed (stage 'security').\n"),
    ] {
        let waiting_for = if owed { approvals("1 approval from sam (stage 'security')") } else { None };
        let after = Entry { review_owed: owed, waiting_for, ..emergency() };
        let script =
            Script::answers(Call::Pending, &both()).then(Script::answers(approval(&emergency()), &after));
        let ran = jitctl(&["approve", id], &script);
        assert_eq!((ran.code, ran.out.as_str()), (0, says));
    }
}

#[test]
fn a_selector_asks_once_on_a_terminal_and_reviews_only_what_it_selects() {
    let over = Entry { state: "ended".into(), ended: Some("denied".into()), ..waiting() };
    let script = || Script::answers(Call::Pending, &both()).then(Script::answers(denial(&waiting()), &over));
    let args = ["deny", "--user", "tom", "--role", "db-oncall", "--reason", "not now"];
    let ran = jitctl_typing(&args, &script(), &["y"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, format!("{TOMS}Deny 1 request? [y/N] ").as_str()));
    assert!(ran.out.starts_with("Denied r-7hq2m9xk. Request r-7hq2m9xk is ended (denied): "), "{}", ran.out);
    let ran = jitctl(&[&args[..], &["--yes"]].concat(), &script());
    assert_eq!((ran.code, ran.err.as_str()), (0, TOMS));
}

#[test]
fn a_selector_that_is_not_confirmed_reviews_nothing() {
    for lines in [&["n"][..], &[""], &[]] {
        let ran = jitctl_typing(&["approve", "--all"], &Script::answers(Call::Pending, &both()), lines);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""));
        assert!(ran.err.ends_with("Nothing was reviewed.\n"), "{}", ran.err);
    }
    let ran = jitctl(&["approve", "--all"], &Nobody);
    let err = "jitctl: there is no terminal to ask on\nhint: name the requests one by one, or add --yes\n";
    assert_eq!(ran, Ran::new(2, "", err));
}

#[test]
fn a_selector_that_selects_nothing_is_a_no() {
    let script = Script::answers(Call::Pending, &both());
    let ran = jitctl(&["approve", "--role", "other", "--yes"], &script);
    assert_eq!(ran, Ran::new(1, "", "No matching request is waiting for you; see: jitctl pending\n"));
}

#[test]
fn each_of_several_has_a_verdict_of_its_own_and_one_failure_stops_no_other() {
    let refused =
        Error::Refused("this review of r-7hq2m9xk does not count: otto has reviewed it already".into());
    let after = Entry { review_owed: false, ..emergency() };
    let script = || {
        let over = Entry { state: "ended".into(), ended: Some("lapsed".into()), ..pending() };
        Script::answers(Call::Pending, &both())
            .then(Script::fails(approval(&waiting()), Error::Refused(refused.to_string())))
            .then(Script::answers(Call::Show { id: "r-00000001".parse().unwrap() }, &over))
            .then(Script::answers(approval(&emergency()), &after))
    };
    let args = ["approve", "r-7hq2m9xk", "r-00000001", "r-4k7m2qx9"];
    let ran = jitctl(&args, &script());
    assert_eq!(ran.out, "Approved r-4k7m2qx9. Fully reviewed. The window stays open.\n");
    assert_eq!(ran.code, 1);
    for said in [
        "jitctl: r-7hq2m9xk: refused: refused: this review of r-7hq2m9xk does not count",
        "jitctl: r-00000001: it does not wait for your review. Request r-4k7m2qx9 is ended (lapsed)",
        "hint: see it with: jitctl show r-00000001",
    ] {
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    let ran = jitctl(&[&args[..], &["--json"]].concat(), &script());
    let all: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let taken: Vec<_> = all.as_array().unwrap().iter().map(|one| one["taken"].as_bool().unwrap()).collect();
    assert_eq!((ran.code, taken), (1, vec![false, false, true]));
}

#[test]
fn why_a_review_does_not_count_is_said_by_jitd() {
    let twice =
        "this review of r-7hq2m9xk does not count: otto has reviewed it already, and one person counts once";
    let script = Script::answers(Call::Pending, &[] as &[Entry; 0])
        .then(Script::answers(Call::Show { id: "r-7hq2m9xk".parse().unwrap() }, &waiting()))
        .then(Script::fails(approval(&waiting()), Error::NotPermitted(twice.into())));
    let ran = jitctl(&["approve", "r-7hq2m9xk"], &script);
    let err = format!("{TOMS}jitctl: r-7hq2m9xk: not permitted: {twice}\n");
    assert_eq!(ran, Ran::new(1, "", &err));
}

#[test]
fn what_is_not_there_is_explained() {
    let script = Script::answers(Call::Pending, &both()).then(Script::fails(
        Call::Show { id: "r-00000001".parse().unwrap() },
        Error::NotFound("there is no request or grant r-00000001".into()),
    ));
    let ran = jitctl(&["deny", "r-00000001", "--reason", "x"], &script);
    let err = "jitctl: r-00000001: not found: there is no request or grant r-00000001\n\
               hint: see what waits for you with: jitctl pending\n";
    assert_eq!(ran, Ran::new(1, "", err));
}

#[test]
fn a_jitd_that_goes_away_ends_the_command_and_what_it_did_is_said_to_be_unknown() {
    let gone = Error::Broken { why: "gone".into(), sent: Sent::Perhaps };
    let script = Script::answers(Call::Pending, &both()).then(Script::fails(approval(&waiting()), gone));
    let ran = jitctl(&["approve", "--all", "--yes"], &script);
    assert_eq!(ran.code, 3);
    let end = "Whether the review was taken is unknown.\nhint: look with: jitctl show r-7hq2m9xk\n";
    assert!(ran.err.ends_with(end), "{}", ran.err);
}

#[test]
fn a_review_names_what_it_is_for() {
    for args in [
        &["approve"][..],
        &["approve", "r-7hq2m9xk", "--all"],
        &["approve", "--all", "--role", "x"],
        &["approve", "--all", "--user", "x"],
        &["approve", "r-7hq2m9xk", "--role", "x"],
        &["approve", "r-7hq2m9xk", "--uses", "0"],
        &["approve", "r-7hq2m9xk", "--services", ""],
        &["deny", "r-7hq2m9xk"],
        &["deny", "r-7hq2m9xk", "--reason", " "],
        &["deny", "r-7hq2m9xk", "--reason", "x", "--for", "1h"],
    ] {
        let ran = jitctl(args, &Nobody);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {}", ran.err);
    }
}

#[test]
fn what_those_who_ask_and_review_wrote_cannot_act_on_a_terminal_or_add_a_line() {
    let hostile = "x\u{1b}[2J\nDigest: 00\u{9b}";
    let mut entry = Entry { reason: hostile.into(), user: hostile.into(), ..waiting() };
    entry.reviews[0].note = Some(hostile.into());
    entry.reviews[0].by = hostile.into();
    let ran = jitctl(&["pending"], &Script::answers(Call::Pending, &[entry]));
    let bad = ran.out.chars().find(|c| jit_proto::text::is_unprintable(*c) && *c != '\n');
    assert_eq!(bad, None, "{:?}", ran.out);
    assert_eq!(ran.out.lines().filter(|line| line.trim_start().starts_with("Digest: ")).count(), 1);
}

#[test]
fn a_note_that_the_stage_wants_is_asked_for_on_a_terminal_and_goes_with_the_approval() {
    let wants = |entry: Entry| {
        let waiting =
            entry.waiting_for.clone().map(|one| WaitingFor { note: Some("what you checked".into()), ..one });
        Entry { waiting_for: waiting, ..entry }
    };
    let entry = wants(waiting());
    let call = given(&entry, Decision::Approve, Narrow::default(), Some("checked the change"));
    let script = || Script::answers(Call::Pending, std::slice::from_ref(&entry));
    let after = script().then(Script::answers(call, &entry));
    let ran = jitctl_typing(&["approve", "r-7hq2m9xk", "--yes"], &after, &["checked the change"]);
    assert!(ran.code == 0 && ran.err.contains("Note (what you checked): "), "{ran:?}");
    let left = jitctl_typing(&["approve", "r-7hq2m9xk", "--yes"], &script(), &[]);
    assert!(left.code == 1 && left.err.ends_with("Nothing was reviewed.\n"), "{left:?}");
}
