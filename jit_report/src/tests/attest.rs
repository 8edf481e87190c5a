//! Recertification: what was said of whom, when it is overdue, and what policy is to lose.

use super::*;
use crate::attest::Attestation;
use crate::fold::Fold;

const DAY: i64 = 86_400;

const POLICY: &str = r#"[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria", "otto"], groups = ["dba"] }
max-duration = "4h"
[[role.shell.stage]]
name = "lead"
approvers = { users = ["olga"] }
"#;

fn said(log: &mut Log, seconds: i64, who: &str, keep: &str) {
    let by = r#""by":{"name":"auda","uid":1013}"#;
    log.push(seconds, "attested", &format!(r#""role":"shell","who":"{who}","keep":"{keep}",{by}"#));
}

fn listed(log: &Log, every: Option<i64>) -> (Vec<Attestation>, Report) {
    let mut fold = Fold::new(Period::default(), None);
    if let Some(days) = every {
        fold = fold.attested_every(std::time::Duration::from_secs((days * DAY).unsigned_abs()));
    }
    log.lines.iter().for_each(|line| fold.take(line.as_bytes()).unwrap());
    let report = fold.finish();
    (report.attestations.clone(), report)
}

fn overdue(all: &[Attestation]) -> Vec<String> {
    all.iter().filter(|one| one.overdue).map(|one| one.who.to_string()).collect()
}

#[test]
fn whoever_was_not_attested_for_too_long_is_overdue_and_a_site_that_never_attests_is_left_alone() {
    let mut log = Log::default();
    log.policy(0, POLICY).push(100 * DAY, "stopped", "");
    assert_eq!(overdue(&listed(&log, None).0), [] as [&str; 0]);
    assert_eq!(overdue(&listed(&log, Some(90)).0), ["maria", "otto", "@dba"]);
    let mut log = Log::default();
    log.policy(0, POLICY);
    said(&mut log, 20 * DAY, "maria", "keep");
    log.push(100 * DAY, "stopped", "");
    let (all, report) = listed(&log, None);
    assert_eq!(overdue(&all), ["otto", "@dba"]);
    assert!(report.attention.iter().any(|one| one.what == "attest" && one.text.contains(": 2;")));
    assert_eq!(overdue(&listed(&log, Some(79)).0), ["maria", "otto", "@dba"]);
    let maria = all[0].said.as_ref().unwrap();
    assert_eq!((maria.by.as_str(), maria.at), ("auda", utc(20 * DAY)));
}

#[test]
fn what_is_attested_to_go_is_a_change_of_policy_that_takes_just_that() {
    let mut log = Log::default();
    log.policy(0, POLICY);
    said(&mut log, DAY, "maria", "remove");
    said(&mut log, DAY, "otto", "keep");
    said(&mut log, DAY, "@dba", "remove");
    let (_, report) = listed(&log, None);
    let lines: Vec<_> = report.suggestions.iter().filter(|one| one.what == "attested").collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0].diff[4], r#"+eligible = { users = ["otto"], groups = ["dba"] }"#);
    assert!(lines[0].text.contains("maria: auda attested on"), "{}", lines[0].text);
    // Who said so last counts.
    said(&mut log, 2 * DAY, "maria", "keep");
    let (_, report) = listed(&log, None);
    assert_eq!(report.suggestions.iter().filter(|one| one.what == "attested").count(), 1);
}

#[test]
fn whoever_comes_back_into_a_role_is_attested_anew() {
    let mut log = Log::default();
    log.policy(0, POLICY);
    said(&mut log, DAY, "maria", "keep");
    log.policy(2 * DAY, &POLICY.replace("\"maria\", ", "")).policy(3 * DAY, POLICY);
    let (all, _) = listed(&log, None);
    assert_eq!((all[0].who.to_string().as_str(), &all[0].said, all[0].since), ("maria", &None, utc(3 * DAY)));
}

#[test]
fn on_a_host_where_nothing_happens_attestations_grow_old_all_the_same() {
    let mut log = Log::default();
    log.policy(0, POLICY);
    said(&mut log, 100, "maria", "keep");
    let at = |days: i64| {
        let mut fold = Fold::new(Period::default(), None).attested_by(utc(days * DAY));
        log.lines.iter().for_each(|line| fold.take(line.as_bytes()).unwrap());
        overdue(&fold.finish().attestations)
    };
    assert_eq!(at(89), Vec::<String>::new());
    assert_eq!(at(91), ["maria", "otto", "@dba"]);
    // A clock that is behind the log takes nothing back.
    log.push(91 * DAY, "stopped", "");
    let mut fold = Fold::new(Period::default(), None).attested_by(utc(0));
    log.lines.iter().for_each(|line| fold.take(line.as_bytes()).unwrap());
    assert_eq!(overdue(&fold.finish().attestations).len(), 3);
}
