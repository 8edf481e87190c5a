//! Who would have been refused where jitd only watched.

use super::{Log, utc};
use crate::{Period, Watcher, WouldRefuse};

const ERIK: &str = r#""service":"sshd","user":"erik","uid":1002"#;

fn watches(log: &mut Log, at: i64, watches: bool) {
    let file = format!(r#"{{"name":"sshd","account":true,"session":true,"watches":{watches}}}"#);
    log.push(at, "pam-files", &format!(r#""files":[{file},{{"name":"su","account":true}}]"#));
}

fn rows(log: &Log) -> Vec<(String, String, &'static str, Watcher, u64)> {
    let row =
        |row: WouldRefuse| (row.account.to_string(), row.service.to_string(), row.why, row.by, row.count);
    log.report().observed.rows.into_iter().map(row).collect()
}

#[test]
fn by_policy_it_is_what_the_answer_says_and_by_the_pam_line_what_it_did_not_hear() {
    let mut log = Log::default();
    // Refused in earnest, before the line only watched.
    log.push(50, "denied", &format!(r#""why":"no-window","count":9,{ERIK}"#));
    watches(&mut log, 100, true);
    log.push(200, "denied", &format!(r#""why":"no-window","count":1,{ERIK},"rhost":"10.0.0.1""#));
    log.push(
        260,
        "denied",
        &format!(
            r#""why":"no-window","count":4,"last":{{{ERIK},"rhost":"10.0.0.9"}},{ERIK},"rhost":"10.0.0.1""#
        ),
    );
    log.push(300, "denied", r#""why":"no-role","count":3,"service":"su","user":"erik","uid":1002"#);
    let sudo = r#""service":"sudo","user":"maria","uid":1001,"target":"root""#;
    log.push(400, "unmanaged", &format!(r#""why":"observed","would":"not-eligible","count":2,{sudo}"#));
    // Neither who would have come in, nor who needs no window.
    log.push(410, "unmanaged", &format!(r#""why":"observed","would":"window","count":7,{sudo}"#));
    log.push(420, "unmanaged", &format!(r#""why":"exempt","count":7,{sudo}"#));
    watches(&mut log, 500, false);
    log.push(600, "denied", &format!(r#""why":"no-window","count":8,{ERIK}"#));
    let at =
        |user: &str, service: &str, why, by, count| (user.to_owned(), service.to_owned(), why, by, count);
    assert_eq!(
        rows(&log),
        [
            at("erik", "sshd", "no-window", Watcher::Pam, 5),
            at("maria", "sudo", "not-eligible", Watcher::Policy, 2)
        ]
    );
    let report = log.report().observed;
    let erik = &report.rows[0];
    assert_eq!((erik.first, erik.last), (utc(200), utc(260)));
    assert_eq!(erik.from.iter().map(String::as_str).collect::<Vec<_>>(), ["10.0.0.1", "10.0.0.9"]);
    assert_eq!(report.rows[1].targets.iter().map(ToString::to_string).collect::<Vec<_>>(), ["root"]);
    assert!(report.watching.is_empty(), "the line keeps out now");
}

#[test]
fn who_came_before_jitd_had_looked_at_a_file_that_was_just_written_counts_by_what_it_found_there() {
    let file = |account: bool, watches: bool| {
        format!(r#""files":[{{"name":"sshd","account":{account},"watches":{watches}}}]"#)
    };
    for (found, count) in [(file(true, true), Some(3)), (file(true, false), None), (file(false, false), None)]
    {
        let mut log = Log::default();
        log.push(100, "pam-files", &file(false, false));
        log.push(200, "denied", &format!(r#""why":"no-window","count":3,{ERIK}"#));
        log.push(201, "pam-files", &found);
        let seen = log.report().observed;
        assert_eq!(
            seen.rows.first().map(|row| (row.count, row.first)),
            count.map(|n| (n, utc(200))),
            "{found}"
        );
    }
}

#[test]
fn what_pam_files_were_before_the_period_says_what_they_were_in_it() {
    let mut log = Log::default();
    watches(&mut log, 100, true);
    log.push(200, "denied", &format!(r#""why":"no-window","count":1,{ERIK}"#));
    log.push(900, "denied", &format!(r#""why":"no-window","count":2,{ERIK}"#));
    let later = Period { since: Some(utc(500)), until: None };
    let seen = log.report_of(later, None).observed;
    assert_eq!(seen.rows.iter().map(|row| (row.count, row.first)).collect::<Vec<_>>(), [(2, utc(900))]);
    assert_eq!(seen.watching.into_iter().collect::<Vec<_>>(), ["sshd"]);
}

#[test]
fn what_was_counted_together_is_said_to_be_and_strangers_fill_no_memory() {
    let mut log = Log::default();
    watches(&mut log, 0, true);
    log.push(10, "denied", &format!(r#""why":"no-window","count":40,"others":true,{ERIK}"#));
    log.push(11, "denied", &format!(r#""why":"no-window","count":1,{ERIK}"#));
    for n in 0..1100 {
        let login = format!(r#""service":"sshd","user":"guess{n}""#);
        log.push(20 + n, "denied", &format!(r#""why":"unknown-user","count":2,{login}"#));
    }
    let seen = log.report().observed;
    assert_eq!((seen.rows.len(), seen.uncounted), (1000, 2 * 102));
    let of_erik = seen.rows.iter().filter(|row| row.account.as_str() == "erik");
    let of_erik: Vec<_> = of_erik.map(|row| (row.count, row.others)).collect();
    assert_eq!(of_erik, [(1, false), (40, true)]);
}
