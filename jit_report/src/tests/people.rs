//! People, the host, and what somebody could do.

use super::{Log, SHELL, TERMS, only, utc};
use crate::{Period, Report};

const DAY: i64 = 24 * 3600;

const ROOT: &str = r#"
[people]
maria = { accounts = ["maria", "maria-adm"] }

[role.root]
hosts        = ["*"]
services     = ["sudo"]
eligible     = { users = ["maria-adm"] }
max-duration = "1h"
emergency    = true
[[role.root.stage]]
name      = "afterwards"
approvers = { users = ["olga"] }
expires   = "1h"
"#;

fn told(report: &Report) -> Vec<&str> {
    report.attention.iter().map(|one| one.what).collect()
}

#[test]
fn windows_of_one_person_at_the_same_time_are_told_under_whatever_account() {
    let mut log = Log::default();
    log.policy(0, &format!("{SHELL}{ROOT}"));
    log.story(0, "00000001", "maria", "shell", 60).story(1000, "00000002", "maria-adm", "root", 60);
    // Another person, and a window that begins as the other ends.
    log.story(1000, "00000003", "otto", "shell", 60).story(4600, "00000004", "otto", "shell", 60);
    let report = log.report();
    assert_eq!(report.duties.len(), 1, "{:?}", report.duties);
    let duty = &report.duties[0];
    let roles: Vec<_> = duty.roles.iter().map(ToString::to_string).collect();
    assert_eq!((duty.person.as_str(), roles), ("maria", vec!["root".to_owned(), "shell".to_owned()]));
    // 1060 to 3660.
    assert_eq!((duty.seconds, duty.times, duty.first), (2600, 1, utc(1060)));
}

#[test]
fn who_was_in_at_a_time_is_told_and_what_the_log_cannot_say_is_not_guessed() {
    let mut log = Log::default();
    log.asks(0, "00000001", "maria", "shell").opens(0, "00000001", "maria", "shell");
    let first = log.comes(100, "00000001", "maria", "shell");
    let second = log.comes(200, "00000001", "maria", "shell");
    let check = log.comes(250, "00000001", "maria", "shell");
    log.goes(300, first, 100, "00000001", "maria").goes(500, second, 200, "00000001", "maria");
    let at = |log: &Log, seconds: i64| {
        let live = log.report_of(Period::default(), Some(utc(seconds))).live.unwrap();
        let numbers = |all: &[crate::LiveSession]| {
            all.iter().map(|one| usize::try_from(one.session).unwrap()).collect::<Vec<_>>()
        };
        (numbers(&live.sessions), numbers(&live.unknown))
    };
    assert_eq!(at(&log, 50), (vec![], vec![]));
    assert_eq!(at(&log, 150), (vec![first], vec![]));
    assert_eq!(at(&log, 299), (vec![first, second], vec![check]));
    assert_eq!(at(&log, 300), (vec![second], vec![check]));
    assert_eq!(at(&log, 500), (vec![], vec![check]));
    // Once nothing of the window is left, it was a check alone.
    log.ends(3600, "00000001", "expired").gone(3600, "00000001", "maria", "", "");
    assert_eq!(at(&log, 500), (vec![], vec![]));
}

#[test]
fn who_goes_on_in_a_process_of_others_is_in_until_that_has_gone() {
    let mut log = Log::default();
    log.asks(0, "00000001", "maria", "shell").opens(0, "00000001", "maria", "shell");
    let session = log.comes(100, "00000001", "maria", "shell");
    log.push(
        101,
        "session-unbound",
        &format!(r#""session":{session},"why":"its process serves others, too","others":true"#),
    );
    log.ends(3600, "00000001", "expired").gone(3600, "00000001", "maria", "", "");
    let is_in = |log: &Log, seconds: i64| {
        let live = log.report_of(Period::default(), Some(utc(seconds))).live.unwrap();
        assert!(live.unknown.is_empty(), "{live:?}");
        live.sessions.iter().any(|one| usize::try_from(one.session) == Ok(session))
    };
    assert!(is_in(&log, 200) && is_in(&log, 9_000));
    log.goes(10_000, session, 100, "00000001", "maria");
    assert!(is_in(&log, 9_999) && !is_in(&log, 10_000));
}

#[test]
fn an_emergency_owes_its_review_and_is_overdue_when_its_first_stage_has_waited() {
    let mut log = Log::default();
    log.policy(0, ROOT).asks(100, "00000001", "maria-adm", "root");
    log.opens_as(100, "00000001", "maria-adm", "root", r#","emergency":true"#);
    log.ends(200, "00000001", "done").gone(200, "00000001", "maria-adm", "", "");
    assert_eq!(told(&log.report()), ["owed", "checkpoint"]);
    log.push(4000, "stopped", "");
    let report = log.report();
    assert_eq!(told(&report), ["overdue", "down", "checkpoint"]);
    let role = &report.roles[0];
    assert_eq!((role.emergencies, role.owed, role.overdue), (1, 1, 1));
    // Also in a report on a later time, until it is settled.
    let later = Period { since: Some(utc(3000)), until: None };
    assert_eq!(log.report_of(later, None).accesses.len(), 1);
    log.approves(4100, "00000001", "olga", "afterwards");
    log.push(4100, "settled", r#""request":"r-00000001","decision":"approve""#);
    let report = log.report();
    assert_eq!((report.roles[0].owed, only(&report).settled), (0, Some(utc(4100))));
    // A decision that came late all the same.
    assert_eq!(report.roles[0].stages[0].decided.worst_ms, 4_000_000);
}

#[test]
fn what_the_end_of_a_window_left_or_cannot_exclude_is_for_somebody_to_look_at() {
    let mut log = Log::default();
    for (id, more) in [("00000001", r#","escape":"cron""#), ("00000002", "")] {
        log.asks(0, id, "maria", "shell").opens(0, id, "maria", "shell").ends(100, id, "revoked");
        log.gone(101, id, "maria", "3", more);
    }
    let last = log.lines.last_mut().unwrap();
    *last = last.replace(r#""left":[]"#, r#""left":["12 sleep","13 cat"]"#);
    let report = log.report();
    assert_eq!(told(&report), ["left", "escape", "checkpoint"]);
    assert_eq!(
        report.attention[0].text,
        "shell of maria (g-00000002) ended, and of its processes there ran on: 2"
    );
}

#[test]
fn how_the_host_was_is_told_as_far_as_it_is_on_record() {
    let mut log = Log::default();
    log.push(0, "started", r#""version":"0.1.0","loginuid":true"#);
    log.push(10, "stopped", "").push(70, "started", r#""version":"0.1.0","loginuid":true"#);
    // Killed some time before it started again.
    log.push(100, "came", r#""user":"maria","uid":1001"#);
    log.push(400, "started", r#""version":"0.1.0","loginuid":true"#);
    let clock = format!(r#""mark":"{}","expected":"{}""#, utc(500), utc(501));
    log.push(500, "clock-suspect", &format!(r#""why":"behind",{clock}"#));
    log.push(600, "clock-accepted", &format!(r#""why":"behind",{clock},"reason":"my watch""#));
    log.push(700, "recovered", r#""at":1796429500,"service":"login","user":"root""#);
    let login = r#""service":"sshd","user":"erik","uid":1002"#;
    log.push(800, "unmanaged", &format!(r#""why":"exempt","count":3,{login}"#));
    log.push(900, "unmanaged", &format!(r#""why":"exempt","count":2,{login}"#));
    log.push(950, "denied", &format!(r#""why":"no-window","count":4,{login}"#));
    log.push(955, "order-refused", r#""method":"Lock","why":"not-admin","text":"no","count":3"#);
    log.push(960, "policy-refused", r#""error":"line 3: \u001b[2J","errors":2"#);
    let report = log.report();
    let seen = &report.coverage;
    let downs: Vec<_> = seen.downs.iter().map(|down| (down.from, down.to, down.stopped)).collect();
    assert_eq!(downs, [(utc(10), Some(utc(70)), true), (utc(100), Some(utc(400)), false)]);
    assert_eq!((seen.starts, seen.clock.len(), seen.clock[0].by), (3, 1, Some("accepted")));
    assert_eq!(seen.clock[0].until, Some(utc(600)));
    assert_eq!((seen.recoveries.logins.len(), seen.recoveries.logins[0].at), (1, utc(700)));
    assert_eq!((seen.stood_aside.len(), seen.stood_aside[0].count), (1, 5));
    assert_eq!(seen.orders_refused, 3);
    assert_eq!(seen.denied, [crate::Refused { why: "no-window", count: 4 }]);
    assert_eq!(told(&report), ["recovery", "policy-refused", "checkpoint"]);
    // Of another time there is nothing of it, but for the last checkpoint.
    let later = log.report_of(Period { since: Some(utc(5000)), until: None }, None);
    assert_eq!(later.coverage, crate::Coverage::default());
}

#[test]
fn a_policy_that_was_forced_on_its_host_is_for_somebody_to_look_at_while_it_is_in_force() {
    let mut log = Log::default();
    let loads = |more: &str| {
        format!(
            r#""digest":"{TERMS}","files":[],"by":{{"name":"root","uid":0}},"reason":"CHG-2 meant"{more}"#
        )
    };
    log.push(100, "policy-loaded", &loads(r#","forced":["JIT074: no admin can get in on this host: ana"]"#));
    let report = log.report();
    // There is no text of it in this log.
    assert_eq!(told(&report), ["policy-forced", "policy-unread", "checkpoint"]);
    let text = &report.attention[0].text;
    assert!(text.contains("which root loaded on") && text.contains("no admin can get in"), "{text}");
    log.push(200, "policy-loaded", &loads(""));
    assert_eq!(told(&log.report()), ["policy-unread", "checkpoint"]);
}

#[test]
fn an_override_of_the_approvers_of_policy_is_for_somebody_to_look_at_until_one_of_them_has_acknowledged_it() {
    let mut log = Log::default();
    let other = TERMS.replace('a', "b");
    let overrides = |digest: &str| {
        format!(
            r#""digest":"{digest}","before":"{TERMS}","by":{{"name":"root","uid":0}},"reason":"INC-9 nobody answers""#
        )
    };
    let says = |digest: &str, decision: &str| {
        format!(r#""digest":"{digest}","by":{{"name":"olga","uid":1002}},"decision":"{decision}""#)
    };
    log.push(100, "policy-override", &overrides(TERMS));
    let report = log.report();
    assert_eq!(told(&report), ["policy-override", "checkpoint"]);
    assert!(report.attention[0].text.contains("root"), "{}", report.attention[0].text);
    let done = &report.coverage.policy_overrides[0];
    assert_eq!(
        (done.at, done.reason.as_str(), &done.acknowledged),
        (utc(100), "INC-9 nobody answers", &None)
    );
    // Another policy is not what they were overridden by, and a denial acknowledges nothing.
    log.push(200, "policy-reviewed", &says(&other, "approve"));
    log.push(201, "policy-reviewed", &says(TERMS, "deny"));
    assert_eq!(told(&log.report()), ["policy-override", "checkpoint"]);
    // Nor is it over with the period in which it happened.
    let later = Period { since: Some(utc(300)), until: None };
    log.push(301, "stopped", "");
    assert_eq!(told(&log.report_of(later, None)), ["policy-override", "down", "checkpoint"]);
    log.push(400, "policy-reviewed", &says(TERMS, "approve"));
    let report = log.report();
    let by = report.coverage.policy_overrides[0].acknowledged.as_ref().map(|by| (by.at, by.by.as_str()));
    assert_eq!((told(&report), by), (vec!["checkpoint"], Some((utc(400), "olga"))));
    let much_later = Period { since: Some(utc(500)), until: None };
    assert_eq!(log.report_of(much_later, None).coverage.policy_overrides, []);
}

#[test]
fn a_period_divides_into_hours_in_which_logins_were_enforced_only_observed_or_not_decided() {
    const STARTED: &str = r#""version":"0.1.0","loginuid":true"#;
    let observe = |what: &str| format!("mode = {what}\n{SHELL}");
    let mut log = Log::default();
    log.push(0, "started", STARTED).policy(0, SHELL);
    log.push(100, "came", r#""user":"maria","uid":1001"#);
    log.policy(100, &observe("{ observe = [\"login\"] }"));
    log.push(130, "stopped", "").push(150, "started", STARTED);
    // Killed some time before it started again.
    log.push(160, "came", r#""user":"maria","uid":1001"#).push(170, "started", STARTED);
    log.policy(200, &observe("\"observe\"")).push(260, "stopped", "");
    let hours = |since: Option<i64>, until: Option<i64>| {
        let period = Period { since: since.map(utc), until: until.map(utc) };
        let seen = log.report_of(period, None).coverage.hours;
        let at: Vec<_> = seen.observed_at.into_iter().map(|one| (one.service, one.seconds)).collect();
        (seen.enforced_seconds, seen.observed_seconds, seen.down_seconds, at)
    };
    // 0 to 130, 150 to 160 and 170 to 200; 200 to 260; 130 to 150 and 160 to 170.
    assert_eq!(hours(None, None), (170, 60, 30, vec![("login".to_owned(), 70)]));
    assert_eq!(hours(Some(90), Some(140)), (40, 0, 10, vec![("login".to_owned(), 30)]));
    assert_eq!(hours(Some(250), None), (0, 10, 0, vec![]));
}

#[test]
fn a_pam_file_that_was_touched_is_listed_and_a_service_that_asks_no_more_is_for_somebody_to_look_at() {
    let mut log = Log::default();
    log.push(0, "pam-files", r#""files":[]"#);
    log.push(100, "pam-files", r#""files":[],"touched":["sshd"],"lost":["sshd"]"#);
    assert_eq!(told(&log.report()), ["pam-lost", "checkpoint"]);
    log.push(200, "pam-files", r#""files":[],"touched":["sshd"]"#);
    // At a start, nothing new.
    log.push(300, "pam-files", r#""files":[]"#);
    let report = log.report();
    let seen: Vec<_> = report.coverage.pam_files.iter().map(|one| (one.at, one.lost.len())).collect();
    assert_eq!((seen, told(&report)), (vec![(utc(100), 1), (utc(200), 0)], vec!["checkpoint"]));
}

#[test]
fn logins_that_jitd_was_not_asked_about_are_counted_and_need_somebody_where_policy_has_a_role_for_the_service()
 {
    let mut log = Log::default();
    log.policy(0, SHELL);
    let unasked = |service: &str, count: u32| {
        format!(r#""count":{count},"audit":7,"service":"{service}","user":"maria","uid":1001"#)
    };
    log.push(100, "unasked", &unasked("login", 2));
    assert_eq!(told(&log.report()), ["checkpoint"], "nobody said that jitd was to be asked there");
    log.push(200, "unasked", &unasked("sshd", 1)).push(4000, "unasked", &unasked("sshd", 5));
    let report = log.report();
    assert_eq!(told(&report), ["unasked", "checkpoint"]);
    assert!(report.attention[0].text.starts_with("logins by sshd"), "{}", report.attention[0].text);
    let seen: Vec<_> = report
        .coverage
        .unasked
        .iter()
        .map(|one| (one.service.as_str(), one.account.as_str(), one.count))
        .collect();
    assert_eq!(seen, [("login", "maria", 2), ("sshd", "maria", 6)]);
}

#[test]
fn who_may_ask_and_did_not_is_named_and_groups_are_named_as_groups() {
    let mut log = Log::default();
    log.policy(0, &format!("{SHELL}{ROOT}[auditors]\nusers = [\"auda\"]\n[[exempt]]\nusers = [\"erik\"]\nservices = [\"sshd\"]\nfrom = [\"10.0.0.0/8\"]\n"));
    log.story(100, "00000001", "maria", "shell", 60);
    let report = log.report();
    let never: Vec<_> =
        report.never_asked.iter().map(|one| (one.role.as_str(), one.who.to_string())).collect();
    assert_eq!(never, [("root", "maria-adm".to_owned()), ("shell", "otto".to_owned())]);
    assert_eq!(report.groups, [("shell".parse().unwrap(), "@dba".to_owned())]);
    let standing = report.standing.clone().unwrap();
    assert_eq!((&standing.auditors[..], standing.exempt.len()), (&["auda".to_owned()][..], 2));
    assert_eq!(
        (&standing.exempt[0].who[..], &standing.exempt[0].from[..]),
        (&["erik".to_owned()][..], &["10.0.0.0/8".to_owned()][..])
    );
    assert_eq!(standing.recovery, []);
    // As PAM files have it by the last look at them.
    log.push(200, "pam-files", r#""files":[{"name":"su","account":true,"recovery":["erik"]}]"#);
    let of = |name: &str| format!(r#"{{"name":"{name}","account":true,"recovery":["root"]}}"#);
    log.push(300, "pam-files", &format!(r#""files":[{},{},{{"name":"su"}}]"#, of("login"), of("sshd")));
    let recovery = log.report().standing.unwrap().recovery;
    let recovery: Vec<_> =
        recovery.iter().map(|one| (one.account.as_str(), one.services.join(" "))).collect();
    assert_eq!(recovery, [("root", "login sshd".to_owned())]);
    // Maria asked, under her other account.
    log.story(10_000, "00000002", "maria", "root", 60);
    assert_eq!(log.report().never_asked.len(), 1);
}

#[test]
fn a_role_of_other_hosts_is_nobodys_to_ask_for_here() {
    let mut log = Log::default();
    log.policy(0, &SHELL.replace("[\"*\"]", "[\"web-*\"]")).asks(1, "00000001", "maria", "other");
    assert_eq!(log.report().never_asked, []);
    log.policy(2, &SHELL.replace("[\"*\"]", "[\"db-*\", \"web-*\"]"));
    assert_eq!(log.report().never_asked.len(), 2);
}

#[test]
fn a_shorter_window_is_suggested_once_enough_were_used_and_its_diff_is_a_policy() {
    let mut log = Log::default();
    log.policy(0, SHELL);
    for n in 0..19 {
        log.story(n * 5000, &format!("{n:08}"), "maria", "shell", 60 + n * 60);
    }
    assert_eq!(log.report().suggestions, []);
    log.story(19 * 5000, "00000019", "maria", "shell", 3000);
    let report = log.report();
    assert_eq!(report.suggestions.len(), 1, "{:?}", report.suggestions);
    let one = &report.suggestions[0];
    // The nineteenth of twenty: a minute before the login, and 19 minutes in.
    assert_eq!(
        one.text,
        "max-duration of shell could be 20m and is 4h: of 20 windows that were used, 95 of 100 were done with within 20m"
    );
    assert_eq!(one.file.as_deref(), Some("50-site.toml"));
    assert_eq!(one.diff[2..], ["@@ -7 +7 @@", "-max-duration = \"4h\"", "+max-duration = \"20m\""]);
}

#[test]
fn a_policy_that_is_not_understood_here_is_told_and_nothing_is_said_of_it() {
    let mut log = Log::default();
    let files = format!(r#""digest":"{TERMS}","files":[{{"name":"a.toml","text":"version = 9"}}]"#);
    log.push(0, "policy-loaded", &files);
    let report = log.report();
    assert_eq!((told(&report), &report.standing), (vec!["policy-unread", "checkpoint"], &None));
}

#[test]
fn a_change_that_would_not_be_a_policy_is_told_in_words_alone() {
    let mut log = Log::default();
    // A window of 20 minutes could not have an hour as its default.
    log.policy(0, &SHELL.replace("\"4h\"", "\"4h\"\ndefault-duration = \"1h\""));
    for n in 0..20 {
        log.story(n * 5000, &format!("{n:08}"), "maria", "shell", 60 + n * 60);
    }
    let report = log.report();
    assert_eq!((report.suggestions.len(), &report.suggestions[0].diff[..]), (1, &[][..]));
}

#[test]
fn who_was_named_for_a_quarter_of_a_year_and_never_asked_could_be_left_out() {
    let mut log = Log::default();
    log.policy(0, SHELL).story(100, "00000001", "maria", "shell", 60);
    log.push(89 * DAY, "stopped", "");
    assert_eq!(log.report().suggestions, []);
    log.push(91 * DAY, "started", r#""version":"0.1.0","loginuid":true"#);
    let report = log.report();
    assert_eq!(report.suggestions.len(), 1, "{:?}", report.suggestions);
    let diff = &report.suggestions[0].diff;
    assert_eq!(diff.last().unwrap(), "+eligible     = { users = [\"maria\"], groups = [\"dba\"] }");
    // Whoever was named since yesterday has had no time to.
    let fields = format!(r#""why":"expired","tried":"{TERMS}","digest":"{TERMS}","files":[]"#);
    log.push(91 * DAY, "policy-reverted", &fields).policy(91 * DAY, SHELL);
    assert_eq!(log.report().suggestions, []);
}

/// A role for two people who share an account.
fn vendor() -> String {
    let person = |name: &str, key: &str| {
        format!("{name} = {{ accounts = [\"support\"], ssh-keys = [\"SHA256:{}\"] }}\n", key.repeat(43))
    };
    format!(
        "{}[people]\n{}{}",
        SHELL.replace(r#"users = ["maria", "otto"], groups = ["dba"]"#, r#"people = ["kim", "lee"]"#),
        person("kim", "A"),
        person("lee", "E"),
    )
}

#[test]
fn who_shares_an_account_is_reported_and_attested_as_that_person() {
    let mut log = Log::default();
    log.policy(0, &vendor()).story(100, "00000001", "support", "shell", 60);
    let of_kim = r#""name":"support","uid":1001,"person":"kim""#;
    for line in &mut log.lines {
        *line = line.replace(r#""name":"support","uid":1001"#, of_kim);
    }
    let report = log.report();
    let row = only(&report);
    assert_eq!((row.person.as_str(), row.account.as_str()), ("kim", "support"));
    // lee may ask, too, and did not; the account is nobody in particular.
    let never: Vec<_> = report.never_asked.iter().map(|one| one.who.to_string()).collect();
    assert_eq!(never, ["person:lee"]);
    let attest: Vec<_> = report.attestations.iter().map(|one| one.who.to_string()).collect();
    assert_eq!(attest, ["person:kim", "person:lee"]);
    let by = r#""by":{"name":"auda","uid":1013}"#;
    log.push(9_000, "attested", &format!(r#""role":"shell","who":"person:lee","keep":"remove",{by}"#));
    let report = log.report();
    let found = report.suggestions.iter().find(|one| one.what == "attested").unwrap();
    assert_eq!(found.diff.last().unwrap(), "+eligible     = { people = [\"kim\"] }");
    log.push(91 * DAY, "stopped", "");
    let report = log.report();
    let left = report.suggestions.iter().find(|one| one.what == "eligible").unwrap();
    assert!(left.text.contains("could do without person:lee") && !left.diff.is_empty(), "{left:?}");
}
