use jit_proto::manager::{Check, Entry, Policy, PolicySummary, Refused, Revoked, Status};
use jit_proto::words::Verdict;

use crate::call::Call;
use crate::error::{Error, Sent};
use crate::testing::*;

fn check_call() -> Call {
    Call::Check { service: "sshd".parse().unwrap(), user: "maria".parse().unwrap(), person: None, from: None }
}

fn grant_call(seconds: u64) -> Call {
    Call::Grant {
        user: "maria".parse().unwrap(),
        person: None,
        role: "db-oncall".parse().unwrap(),
        seconds,
        reason: "INC-1 disk".parse().unwrap(),
    }
}

fn revoke_call() -> Call {
    Call::Revoke { id: "g-4k7m2qx9".parse().unwrap(), reason: None }
}

const GRANT: [&str; 8] = ["grant", "maria", "--role", "db-oncall", "--for", "30m", "--reason", "INC-1 disk"];

#[test]
fn a_check_that_admits_says_until_when_and_exits_0() {
    let ran = jitctl(&["check", "sshd", "maria"], &Script::answers(check_call(), &allowed()));
    let out = "allow: maria may use sshd now\n  Reason: window\n    Role: db-oncall\n   Grant: g-4k7m2qx9\n   \
               Until: 2026-11-23 08:51:00Z\n";
    assert_eq!(ran, Ran::new(0, out, ""));
}

#[test]
fn a_check_that_denies_says_what_to_do_next_and_exits_1() {
    let ran = jitctl(&["check", "sshd", "maria"], &Script::answers(check_call(), &denied()));
    let out = "deny: maria may not use sshd now\n  Reason: no-window\n    Text: No window is open for you on \
               this host. Ask an admin for one.\n";
    assert_eq!(ran, Ran::new(1, out, ""));
}

#[test]
fn a_check_of_what_jitd_does_not_judge_exits_0() {
    let answer =
        Check { verdict: Verdict::Unmanaged, reason: "exempt".into(), text: String::new(), ..denied() };
    let ran = jitctl(&["check", "sshd", "maria"], &Script::answers(check_call(), &answer));
    assert_eq!(ran, Ran::new(0, "unmanaged: jitd does not judge maria on sshd\n  Reason: exempt\n", ""));
}

#[test]
fn check_prints_every_field_as_json_and_keeps_its_exit_code() {
    for (args, answer, code) in [
        (["check", "sshd", "maria", "--json"], allowed(), 0),
        (["--json", "check", "sshd", "maria"], denied(), 1),
    ] {
        let ran = jitctl(&args, &Script::answers(check_call(), &answer));
        assert_eq!((ran.code, ran.err.as_str()), (code, ""));
        assert_eq!(serde_json::from_str::<Check>(&ran.out).unwrap(), answer);
        let fields: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        for field in ["verdict", "reason", "role", "grant", "until"] {
            assert!(fields.get(field).is_some(), "{field}");
        }
    }
}

#[test]
fn json_is_one_document_indented_by_two() {
    let done =
        Revoked { id: "g-4k7m2qx9".into(), state: "ended".into(), ended: "revoked".into(), changed: true };
    let ran = jitctl(&["revoke", "g-4k7m2qx9", "--json"], &Script::answers(revoke_call(), &done));
    let out = "[\n  {\n    \"id\": \"g-4k7m2qx9\",\n    \"ended\": {\n      \"id\": \"g-4k7m2qx9\",\n      \
               \"state\": \"ended\",\n      \"ended\": \"revoked\",\n      \"changed\": true\n    },\n    \
               \"error\": null\n  }\n]\n";
    assert_eq!(ran, Ran::new(0, out, ""));
}

#[test]
fn a_grant_that_opens_says_what_and_until_when() {
    let ran = jitctl(&GRANT, &Script::answers(grant_call(1800), &active()));
    let out =
        "Opened g-4k7m2qx9: maria has db-oncall (sshd, sudo) until 2026-11-23 08:51:00Z, 29m 50s left.\n";
    assert_eq!(ran, Ran::new(0, out, ""));
}

#[test]
fn a_grant_without_a_duration_asks_for_the_roles_own() {
    let args = ["grant", "maria", "--role=db-oncall", "--reason= INC-1 disk "];
    assert_eq!(jitctl(&args, &Script::answers(grant_call(0), &active())).code, 0);
}

#[test]
fn a_grant_that_waits_for_others_has_opened_nothing_and_exits_1() {
    let ran = jitctl(&GRANT, &Script::answers(grant_call(1800), &pending()));
    let err = "jitctl: no window is open yet: it waits for 2 approvals from @security (stage 'security').\n\
               hint: follow it with: jitctl show r-4k7m2qx9\n";
    assert_eq!(ran, Ran::new(1, "Request r-4k7m2qx9 is pending: db-oncall for maria.\n", err));
}

#[test]
fn a_grant_says_why_the_callers_own_review_does_not_count_whether_it_opens_or_waits() {
    let why = "this review of r-4k7m2qx9 does not count: stage 'team lead' asks otto, @dba-leads";
    let refused = Some(Refused { code: "not-approver".into(), text: why.into() });
    let answer = Entry { not_counted: refused.clone(), ..pending() };
    let ran = jitctl(&GRANT, &Script::answers(grant_call(1800), &answer));
    let err = format!(
        "jitctl: {why}.\njitctl: no window is open yet: it waits for 2 approvals from @security (stage 'security').\n\
         hint: follow it with: jitctl show r-4k7m2qx9\n"
    );
    assert_eq!((ran.code, ran.err), (1, err));
    let answer = Entry { not_counted: refused, ..emergency() };
    let ran = jitctl(&GRANT, &Script::answers(grant_call(1800), &answer));
    assert_eq!((ran.code, ran.err), (0, format!("jitctl: {why}.\n")));
}

#[test]
fn a_grant_that_ended_at_once_is_no_success() {
    let ran = jitctl(&GRANT, &Script::answers(grant_call(1800), &ended()));
    let err = "jitctl: no window is open: the request is ended (revoked).\n\
               hint: follow it with: jitctl show g-4k7m2qx9\n";
    assert_eq!(ran, Ran::new(1, "Request g-4k7m2qx9 is ended (revoked): db-oncall for maria.\n", err));
}

#[test]
fn a_pending_grant_as_json_exits_1_with_the_whole_entry() {
    let args: Vec<_> = GRANT.into_iter().chain(["--json"]).collect();
    let ran = jitctl(&args, &Script::answers(grant_call(1800), &pending()));
    assert_eq!(ran.code, 1);
    assert_eq!(serde_json::from_str::<Entry>(&ran.out).unwrap(), pending());
    let fields: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    for field in ["request", "grant", "state", "start", "end"] {
        assert!(fields.get(field).is_some(), "{field}");
    }
}

#[test]
fn a_grant_that_policy_refuses_exits_1_and_says_that_nothing_changed() {
    let refused = Error::Refused("maria is not eligible for db-oncall.".into());
    let ran = jitctl(&GRANT, &Script::fails(grant_call(1800), refused));
    let err = "jitctl: refused: maria is not eligible for db-oncall.\nNothing was changed.\n";
    assert_eq!(ran, Ran::new(1, "", err));
}

#[test]
fn revoking_a_window_ends_it() {
    let done =
        Revoked { id: "g-4k7m2qx9".into(), state: "ended".into(), ended: "revoked".into(), changed: true };
    let call =
        Call::Revoke { id: "r-4k7m2qx9".parse().unwrap(), reason: Some("done early".parse().unwrap()) };
    let ran = jitctl(&["revoke", "r-4k7m2qx9", "--reason", "done early"], &Script::answers(call, &done));
    assert_eq!(ran, Ran::new(0, "Revoked g-4k7m2qx9.\n", ""));
}

#[test]
fn revoking_what_had_ended_is_a_success_that_says_so() {
    let done =
        Revoked { id: "g-4k7m2qx9".into(), state: "ended".into(), ended: "expired".into(), changed: false };
    let ran = jitctl(&["revoke", "g-4k7m2qx9"], &Script::answers(revoke_call(), &done));
    assert_eq!(ran, Ran::new(0, "g-4k7m2qx9 had already ended (expired). Nothing was changed.\n", ""));
}

#[test]
fn list_shows_a_line_for_each_and_dashes_where_there_is_no_window() {
    let answer = vec![active(), pending(), ended()];
    let ran = jitctl(&["list", "--all"], &Script::answers(Call::List { all: true }, &answer));
    let out = "\
ID          USER   ROLE       STATE            UNTIL                 LEFT     REASON
g-4k7m2qx9  maria  db-oncall  active           2026-11-23 08:51:00Z  29m 50s  INC-1234 failover of db-07
r-4k7m2qx9  maria  db-oncall  pending          -                     -        INC-1234 failover of db-07
g-4k7m2qx9  maria  db-oncall  ended (revoked)  2026-11-23 08:51:00Z  -        INC-1234 failover of db-07
";
    assert_eq!(ran, Ran::new(0, out, ""));
}

#[test]
fn a_window_whose_logins_are_spent_says_so_in_every_list_and_how_long_whoever_is_in_may_stay() {
    let spent = || Entry { state: "spent".into(), uses: Some(1), used: 1, ..active() };
    let row = "maria  db-oncall  spent  2026-11-23 08:51:00Z  29m 50s";
    let ran = jitctl(&["list"], &Script::answers(Call::List { all: false }, &[spent()]));
    assert!(ran.out.contains(row), "{}", ran.out);
    let with = Status { active: vec![spent()], ..status() };
    let ran = jitctl(&["status"], &Script::answers(Call::Status, &with));
    assert!(ran.out.contains(row), "{}", ran.out);
    let ran = jitctl(&[], &bare(&with, &[]));
    assert!(ran.out.contains("sshd,sudo (spent)  2026-11-23 08:51:00Z  29m 50s"), "{}", ran.out);
    let call = Call::Show { id: "g-4k7m2qx9".parse().unwrap() };
    let ran = jitctl(&["show", "g-4k7m2qx9"], &Script::answers(call, &spent()));
    assert!(ran.out.contains("State: spent, 29m 50s left\n"), "{}", ran.out);
    assert!(ran.out.contains("Uses: 1 of 1\n"), "{}", ran.out);
}

#[test]
fn an_empty_list_leaves_stdout_empty() {
    let ran = jitctl(&["list"], &Script::says(Call::List { all: false }, "[]"));
    assert_eq!(ran, Ran::new(0, "", "Nothing to list.\n"));
    let ran = jitctl(&["list", "--json"], &Script::says(Call::List { all: false }, "[]"));
    assert_eq!(ran, Ran::new(0, "[]\n", "Nothing to list.\n"));
}

#[test]
fn a_long_reason_is_cut_on_a_terminal_and_never_in_a_pipe() {
    let answer = vec![Entry { reason: "x".repeat(200), ..active() }];
    let script = || Script::answers(Call::List { all: false }, &answer);
    assert!(jitctl(&["list"], &script()).out.contains(&"x".repeat(200)));
    let cut = format!("\n    REASON: {}…\n", "x".repeat(39));
    let ran = jitctl_on_a_terminal(&["list"], &script());
    assert!(ran.out.ends_with(&cut) && ran.out.lines().all(|line| line.chars().count() <= 80), "{}", ran.out);
}

#[test]
fn show_tells_all_of_an_open_window() {
    let call = Call::Show { id: "g-4k7m2qx9".parse().unwrap() };
    let ran = jitctl(&["show", "g-4k7m2qx9"], &Script::answers(call, &active()));
    let out = format!(
        "\
g-4k7m2qx9 - db-oncall for maria
      State: active, 29m 50s left
     Window: 2026-11-23 08:21:00Z to 2026-11-23 08:51:00Z
   Services: sshd, sudo
       User: maria (uid 1000)
       Uses: 1 of unlimited
  Asked for: 30m by otto
   Asked at: 2026-11-23 08:20:58Z
     Reason: INC-1234 failover of db-07
    Reviews: approve by otto, team lead, online, 2026-11-23 08:20:58Z
    Request: r-4k7m2qx9
     Digest: {}
",
        "ab".repeat(32)
    );
    assert_eq!(ran, Ran::new(0, &out, ""));
}

#[test]
fn show_says_what_a_pending_request_waits_for() {
    let call = Call::Show { id: "r-4k7m2qx9".parse().unwrap() };
    let ran = jitctl(&["show", "r-4k7m2qx9"], &Script::answers(call, &pending()));
    assert!(
        ran.out
            .contains("\n      State: pending\n  Waits for: 2 approvals from @security (stage 'security')\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("\n       Uses: 0 of 1\n"), "{}", ran.out);
    assert!(!ran.out.contains("Window:"));
}

#[test]
fn show_says_when_a_request_that_never_opened_ended() {
    let call = Call::Show { id: "r-4k7m2qx9".parse().unwrap() };
    let answer = Entry { grant: None, start: None, ended: Some("withdrawn".into()), ..ended() };
    let ran = jitctl(&["show", "r-4k7m2qx9"], &Script::answers(call, &answer));
    assert!(ran.out.contains("State: ended (withdrawn)\n      Ended: 2026-11-23 08:51:00Z\n"), "{}", ran.out);
}

#[test]
fn show_of_an_unknown_id_exits_5_and_says_so_to_people_and_to_programs() {
    let call = Call::Show { id: "g-4k7m2qx9".parse().unwrap() };
    let none = || Error::NotFound("there is no request or grant g-4k7m2qx9".into());
    let err = "jitctl: not found: there is no request or grant g-4k7m2qx9\n";
    let ran = jitctl(&["show", "g-4k7m2qx9"], &Script::fails(call.clone(), none()));
    assert_eq!(ran, Ran::new(5, "", err));
    // A program that asked for JSON gets JSON.
    let ran = jitctl(&["show", "g-4k7m2qx9", "--json"], &Script::fails(call, none()));
    assert_eq!((ran.code, ran.err.as_str()), (5, err));
    let failed: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(failed["error"]["code"], "not-found");
    assert_eq!(failed["error"]["text"], err.trim_end());
    let ran = jitctl(&["show", "x", "--json"], &Nobody);
    let failed: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &failed["error"]["code"]), (2, &"usage".into()));
}

#[test]
fn bare_jitctl_shows_my_windows_with_the_time_left_and_counts_the_others() {
    let theirs = Entry { uid: 1001, user: "max".into(), ..active() };
    let answer = Status { active: vec![active(), theirs.clone()], ..status() };
    let ran = jitctl(&[], &bare(&answer, &[]));
    let out = "\
ID          ROLE       SERVICES   UNTIL                 LEFT
g-4k7m2qx9  db-oncall  sshd,sudo  2026-11-23 08:51:00Z  29m 50s
";
    assert_eq!(ran, Ran::new(0, out, "1 window of somebody else is open; see: jitctl list\n"));
    let answer = Status { active: vec![theirs.clone(), theirs], ..status() };
    let ran = jitctl(&[], &bare(&answer, &[]));
    let err = "No window is open for you.\n2 windows of others are open; see: jitctl list\n";
    assert_eq!(ran, Ran::new(0, "", err));
}

/// What a bare `jitctl` asks for.
fn bare(status: &Status, listed: &[Entry]) -> Script {
    Script::answers(Call::Status, status).then(Script::answers(Call::List { all: false }, &listed))
}

#[test]
fn bare_jitctl_shows_what_i_have_asked_for_what_waits_for_me_and_the_locks() {
    let theirs = Entry { uid: 1001, ..pending() };
    let answer = Status { to_review: 2, locks: vec![lock()], ..status() };
    let later = Entry { grant: Some("g-7hq2m9xk".into()), ..scheduled() };
    let ran = jitctl(&[], &bare(&answer, &[active(), pending(), theirs, later, ended()]));
    let out = "\
ID          ROLE       SERVICES   UNTIL                 LEFT
g-4k7m2qx9  db-oncall  sshd,sudo  2026-11-23 08:51:00Z  29m 50s

ID          ROLE       STATE      WAITS FOR
r-4k7m2qx9  db-oncall  pending    2 approvals from @security (stage 'security')
g-7hq2m9xk  db-oncall  scheduled  its beginning at 2026-11-23 22:00:00Z
";
    let err = "role:db-oncall is locked by otto until 2026-11-23 09:00:00Z: migration\n\
               2 requests wait for your review; see: jitctl pending\n";
    assert_eq!(ran, Ran::new(0, out, err));
}

#[test]
fn status_shows_the_locks_and_what_waits_for_me() {
    let answer = Status { to_review: 1, locks: vec![lock()], active: Vec::new(), ..status() };
    let ran = jitctl(&["status"], &Script::answers(Call::Status, &answer));
    assert!(
        ran.out
            .contains("    Locks: role:db-oncall is locked by otto until 2026-11-23 09:00:00Z: migration\n"),
        "{}",
        ran.out
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, "1 request waits for your review; see: jitctl pending\n"));
}

#[test]
fn a_grant_for_later_is_done_and_says_when_it_begins() {
    let ran = jitctl(&GRANT, &Script::answers(grant_call(1800), &scheduled()));
    let out = "Scheduled g-4k7m2qx9: db-oncall for maria begins at 2026-11-23 22:00:00Z.\n";
    assert_eq!(ran, Ran::new(0, out, ""));
}

#[test]
fn show_has_the_beginning_the_extension_and_what_a_review_takes_away() {
    let show = |entry: &Entry| {
        let call = Call::Show { id: "g-4k7m2qx9".parse().unwrap() };
        jitctl(&["show", "g-4k7m2qx9"], &Script::answers(call, entry)).out
    };
    let out = show(&Entry { extends: Some("g-7hq2m9xk".into()), reviews: waiting().reviews, ..scheduled() });
    for line in [
        "      State: scheduled\n",
        "     Begins: at 2026-11-23 22:00:00Z\n",
        "  Asked for: 30m from 2026-11-23 22:00:00Z by otto\n",
        "    Extends: g-7hq2m9xk\n",
        "23 08:20:58Z; leaves 15m, sshd, 1 use; \"ring me first\"\n",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
    let passed = Entry { despite: vec!["rest".into(), "apart:audit".into()], ..emergency() };
    assert!(show(&passed).contains("    Despite: rest, apart:audit\n"), "{}", show(&passed));
    let out = show(&emergency());
    assert!(!out.contains("Despite"), "{out}");
    for line in [
        "      State: active, owes a review, 29m 50s left\n",
        "  Emergency: opened before anybody approved it; owes a review\n",
        "  Waits for: 1 approval from @security (stage 'after the fact')\n",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
    for why in ["denied", "lapsed", "withdrawn", "done", "locked"] {
        let out = show(&Entry { ended: Some(why.into()), ..ended() });
        assert!(out.contains(&format!("State: ended ({why})\n")), "{out}");
    }
}

#[test]
fn bare_jitctl_says_why_nobody_gets_in() {
    let answer =
        Status { ready: false, notes: vec!["the store is full".into()], active: Vec::new(), ..status() };
    let ran = jitctl(&[], &Script::answers(Call::Status, &answer));
    let err = "jitctl: jitd cannot decide or record, so every managed login is refused.\n  the store is full\n\
               No window is open for you.\n";
    assert_eq!(ran, Ran::new(1, "", err));
}

#[test]
fn bare_jitctl_as_json_is_the_status() {
    let ran = jitctl(&["--json"], &Script::answers(Call::Status, &status()));
    assert_eq!(serde_json::from_str::<Status>(&ran.out).unwrap(), status());
    assert_eq!(ran.code, 0);
}

#[test]
fn status_shows_jitd_policy_audit_and_windows() {
    let ran = jitctl(&["status"], &Script::answers(Call::Status, &status()));
    let out = format!(
        "\
jitd 0.1.0 on db-07: ready
   Policy: {}
   Loaded: 2026-11-22 18:00:00Z from the files
    Audit: 128 records
   Unsent: journal 0
           syslog 3
      Key: SHA256:z/fSv0Z0RZS+Lccbc6ZoOWwt/fbj1VFJGSBKQbo4icE
  Windows: 1 open

ID          USER   ROLE       STATE   UNTIL                 LEFT     REASON
g-4k7m2qx9  maria  db-oncall  active  2026-11-23 08:51:00Z  29m 50s  INC-1234 failover of db-07
",
        "cd".repeat(32)
    );
    assert_eq!(ran, Ran::new(0, &out, ""));
}

#[test]
fn status_of_a_jitd_that_cannot_decide_exits_1() {
    let answer = Status {
        ready: false,
        notes: vec!["no policy".into()],
        policy: no_policy(),
        active: Vec::new(),
        audit_records: None,
        unsent: None,
        carried: None,
        key: None,
        ..status()
    };
    let ran = jitctl(&["status"], &Script::answers(Call::Status, &answer));
    let out = "\
jitd 0.1.0 on db-07: NOT READY
    Notes: no policy
   Policy: none; every managed login is refused
  Windows: 0 open
";
    let err = "jitctl: jitd cannot decide or record, so every managed login is refused.\n";
    assert_eq!(ran, Ran::new(1, out, err));
}

#[test]
fn a_policy_that_is_not_the_files_is_said() {
    let summary = PolicySummary { files_current: false, source: Some("store".into()), ..summary() };
    let answer = Policy { summary, ..policy() };
    let ran = jitctl(&["policy", "show"], &Script::answers(Call::Policy, &answer));
    let loaded =
        "# loaded 2026-11-22 18:00:00Z from the store, since the files do not load, 4 roles in 1 file\n";
    assert!(ran.out.contains(loaded), "{}", ran.out);
    let err = "warning: the files in /etc/jit/policy.d differ from the policy in force\n\
               hint: put them in force with: jitctl policy load\n";
    assert_eq!((ran.code, ran.err.as_str()), (0, err));
}

#[test]
fn policy_load_says_what_is_in_force_and_warns_on_stderr() {
    let answer = Policy { warnings: vec!["10-roles.toml:3:1: W101 nobody is eligible".into()], ..policy() };
    let ran = jitctl(&["policy", "load"], &Script::answers(Call::LoadPolicy, &answer));
    let out = format!("Policy {} is in force: 4 roles in 1 file.\n", "cd".repeat(32));
    assert_eq!(ran, Ran::new(0, &out, "10-roles.toml:3:1: W101 nobody is eligible\n"));
}

#[test]
fn a_broken_policy_is_reported_line_by_line_and_the_one_in_force_is_kept() {
    let findings = "10-roles.toml:3:1: P004 unknown key `sevices`\n20.toml:1:1: P001 \u{1b}[2J";
    let script = Script::fails(Call::LoadPolicy, Error::Refused(findings.into()));
    let ran = jitctl(&["policy", "load"], &script);
    let err = "jitctl: the policy in /etc/jit/policy.d was refused:\n\
               10-roles.toml:3:1: P004 unknown key `sevices`\n\
               20.toml:1:1: P001 \\u{1b}[2J\n\
               The policy in force was kept.\n\
               hint: correct the files, then type: jitctl policy load\n";
    assert_eq!(ran, Ran::new(1, "", err));
}

#[test]
fn policy_show_prints_the_files_as_they_are() {
    let mut answer = policy();
    answer.files.push(jit_proto::manager::PolicyFile { name: "20.toml".into(), text: "\tx = 1".into() });
    let ran = jitctl(&["policy", "show"], &Script::answers(Call::Policy, &answer));
    let out = format!(
        "\
# policy {}
# loaded 2026-11-22 18:00:00Z from the files, 4 roles in 2 files

# file 10-roles.toml
version = 1

# file 20.toml
\tx = 1
",
        "cd".repeat(32)
    );
    assert_eq!(ran, Ran::new(0, &out, ""));
}

#[test]
fn policy_show_as_json_has_the_digest_at_its_top() {
    let ran = jitctl(&["policy", "show", "--json"], &Script::answers(Call::Policy, &policy()));
    let fields: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(fields["digest"], "cd".repeat(32));
    assert_eq!(ran.code, 0);
}

#[test]
fn policy_show_without_a_policy_exits_1() {
    let answer = Policy { summary: no_policy(), files: Vec::new(), warnings: Vec::new() };
    let ran = jitctl(&["policy", "show"], &Script::answers(Call::Policy, &answer));
    let err = "jitctl: no policy is in force, so every managed login is refused\n\
               hint: write one in /etc/jit/policy.d, then type: jitctl policy load\n";
    assert_eq!(ran, Ran::new(1, "", err));
}

#[test]
fn an_answer_that_is_not_the_contracts_is_no_answer() {
    for garbage in ["", "null", "{}", "[]", "{\"verdict\":\"maybe\"}", "\u{1b}[2J"] {
        let ran = jitctl(&["check", "sshd", "maria"], &Script::says(check_call(), garbage));
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{garbage:?}");
        assert!(ran.err.starts_with("jitctl: jitd's answer cannot be understood ("), "{}", ran.err);
    }
    let ran = jitctl(&GRANT, &Script::says(grant_call(1800), "{}"));
    let err = "jitctl: jitd's answer cannot be understood (missing field `request` at line 1 column 2). \
               Whether the window was opened is unknown.\nhint: look with: jitctl list\n";
    assert_eq!(ran, Ran::new(3, "", err));
}

#[test]
fn a_field_that_this_jitctl_does_not_know_does_not_break_it() {
    let mut answer = serde_json::to_value(denied()).unwrap();
    answer["new"] = true.into();
    assert_eq!(jitctl(&["check", "sshd", "maria"], &Script::answers(check_call(), &answer)).code, 1);
}

#[test]
fn a_jitd_that_does_not_run_is_said_with_the_command_to_type() {
    let ran = jitctl(&GRANT, &Script::fails(grant_call(1800), Error::NotRunning));
    let err =
        "jitctl: jitd is not running. Nothing was changed.\nhint: start it with: systemctl start jitd\n";
    assert_eq!(ran, Ran::new(3, "", err));
}

#[test]
fn a_late_answer_to_a_revoke_leaves_its_outcome_unknown() {
    let late = Error::Late { limit: revoke_call().row().deadline, sent: Sent::Perhaps };
    let ran = jitctl(&["revoke", "g-4k7m2qx9"], &Script::fails(revoke_call(), late));
    let err = "jitctl: no answer within 10 s. Whether it was revoked is unknown.\n\
               hint: look with: jitctl show g-4k7m2qx9\n";
    assert_eq!(ran, Ran::new(3, "", err));
}

#[test]
fn a_hostile_reason_reaches_no_terminal_in_any_view() {
    let hostile = "x\n\r\u{1b}]0;t\u{7}\u{9b}2J\u{202e}evil\u{2028}y\u{7f}";
    let entry =
        Entry { reason: hostile.into(), role: hostile.into(), waiting_for: approvals(hostile), ..pending() };
    let check = Check { text: hostile.into(), user: hostile.into(), ..denied() };
    let status = Status { host: hostile.into(), notes: vec![hostile.into()], ..status() };
    let show = Call::Show { id: "g-4k7m2qx9".parse().unwrap() };
    let scripts: [(&[&str], _); 8] = [
        (&["show", "g-4k7m2qx9"], Script::answers(show.clone(), &entry)),
        (&["show", "g-4k7m2qx9", "--json"], Script::answers(show, &entry)),
        (&["list"], Script::answers(Call::List { all: false }, &vec![entry.clone()])),
        (&GRANT, Script::answers(grant_call(1800), &entry)),
        (&["check", "sshd", "maria"], Script::answers(check_call(), &check)),
        (&["status"], Script::answers(Call::Status, &status)),
        (&[], Script::answers(Call::Status, &Status { ready: false, ..status.clone() })),
        (&[], bare(&status, &[Entry { waiting_for: approvals(hostile), ..entry.clone() }])),
    ];
    for (args, script) in scripts {
        let ran = jitctl(args, &script);
        for line in ran.out.lines().chain(ran.err.lines()) {
            assert!(!line.chars().any(jit_proto::text::is_unprintable), "{args:?}: {line:?}");
            assert!(!line.starts_with('\r') && !line.starts_with("evil"), "{args:?}: {line:?}");
        }
        assert!(!ran.out.contains("x\n") && !ran.err.contains("x\n"), "{args:?}: {ran:?}");
    }
}

#[test]
fn help_and_version_go_to_stdout_and_ask_nobody() {
    for args in
        [&["--help"][..], &["help"], &["help", "grant"], &["policy", "load", "--help"], &["--version"]]
    {
        let ran = jitctl(args, &Nobody);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{args:?}");
        assert!(!ran.out.is_empty(), "{args:?}");
    }
    assert_eq!(jitctl(&["--version"], &Nobody).out, concat!("jitctl ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn why_a_policy_is_loaded_is_asked_for_on_a_terminal_and_may_be_left_unsaid() {
    let because = Call::ChangePolicy { seconds: 0, reason: "CHG-7 leads left".parse().unwrap() };
    for (typed, call) in [("CHG-7 leads left", because), ("", Call::LoadPolicy)] {
        let ran = jitctl_typing(&["policy", "load"], &Script::answers(call, &policy()), &[typed]);
        assert!(ran.code == 0 && ran.err.contains("Why, in one line"), "{ran:?}");
    }
    let left = jitctl_typing(&["policy", "load"], &Nobody, &[]);
    assert!(left.code == 1 && left.err.ends_with("Nothing was loaded.\n"), "{left:?}");
}
