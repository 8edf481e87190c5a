//! Rows and figures.

use jit_core::model::EndWhy;

use super::{Log, SHELL, only, utc};
use crate::{AccessState, Fold, Period, Spread};

#[test]
fn a_row_has_the_whole_access_from_the_asking_to_the_last_process() {
    let mut log = Log::default();
    log.policy(0, SHELL).asks(100, "00000001", "maria", "shell");
    log.approves(400, "00000001", "olga", "lead").approves(1000, "00000001", "erik", "security");
    log.opens(1000, "00000001", "maria", "shell");
    let first = log.comes(1100, "00000001", "maria", "shell");
    let second = log.comes(1200, "00000001", "maria", "shell");
    log.goes(2000, first, 1100, "00000001", "maria").goes(2900, second, 1200, "00000001", "maria");
    let ended = r#""grant":"g-00000001","why":"revoked","reason":"done early""#;
    log.push(3000, "ended", ended);
    log.gone(3002, "00000001", "maria", "5", r#","stays":["77 tmux"]"#);
    let report = log.report();
    let row = only(&report);
    assert_eq!((row.person.as_str(), row.account.as_str(), row.role.as_str()), ("maria", "maria", "shell"));
    assert_eq!((row.ticket.as_deref(), row.policy.is_some()), (Some("INC-1"), true));
    assert_eq!((row.asked, row.opened, row.ended), (utc(100), Some(utc(1000)), Some(utc(3000))));
    assert_eq!((row.state, row.why), (AccessState::Ended, Some(EndWhy::Revoked)));
    assert_eq!(row.ended_reason.as_ref().map(ToString::to_string).as_deref(), Some("done early"));
    assert_eq!((row.logins, row.sessions), (2, 2));
    assert_eq!((row.first_login, row.last_login), (Some(utc(1100)), Some(utc(1200))));
    assert_eq!((row.last_gone, row.gone), (Some(utc(2900)), Some(utc(3002))));
    // 1100 to 2900 of an hour; from 1000 on.
    assert_eq!((row.used_percent, row.needed_seconds), (Some(50), Some(1900)));
    assert_eq!(row.residue.stays, ["77 tmux"]);
    let who: Vec<_> = row.reviews.iter().map(|one| (one.by.as_str(), one.stage.as_str())).collect();
    assert_eq!(who, [("olga", "lead"), ("erik", "security")]);
    assert_eq!(report.to_gone["revoked"], Spread { count: 1, median_ms: 2000, p95_ms: 2000, worst_ms: 2000 });
}

#[test]
fn a_stage_takes_from_the_end_of_the_one_before_it_to_its_own_last_review() {
    let mut log = Log::default();
    log.policy(0, SHELL);
    // lead: 300 s, 60 s, 900 s. security: 600 s, and 1200 s to the second of two; then denied after 30 s.
    log.asks(100, "00000001", "maria", "shell").approves(400, "00000001", "olga", "lead");
    log.approves(1000, "00000001", "erik", "security").opens(1000, "00000001", "maria", "shell");
    log.asks(2000, "00000002", "maria", "shell").approves(2060, "00000002", "olga", "lead");
    log.approves(2100, "00000002", "erik", "security").approves(3260, "00000002", "nils", "security");
    log.opens(3260, "00000002", "maria", "shell");
    log.asks(4000, "00000003", "maria", "shell").approves(4900, "00000003", "olga", "lead");
    log.says(4930, "00000003", "nils", "security", "deny");
    log.push(4930, "refused", r#""request":"r-00000003","stage":"security""#);
    log.asks(5000, "00000004", "maria", "shell");
    log.push(8600, "lapsed", r#""request":"r-00000004","stage":"lead""#);
    let report = log.report();
    let [lead, security] = &report.roles[0].stages[..] else { panic!("{:?}", report.roles[0].stages) };
    assert_eq!(lead.stage, "lead");
    assert_eq!(lead.decided, Spread { count: 3, median_ms: 300_000, p95_ms: 900_000, worst_ms: 900_000 });
    assert_eq!(
        security.decided,
        Spread { count: 3, median_ms: 600_000, p95_ms: 1_200_000, worst_ms: 1_200_000 }
    );
    assert_eq!((lead.lapsed, security.lapsed), (1, 0));
    assert_eq!(report.roles[0].bottleneck.as_deref(), Some("security"));
    let role = &report.roles[0];
    assert_eq!((role.requests, role.granted, role.denied, role.lapsed, role.withdrawn), (4, 2, 1, 1, 0));
    let who: Vec<_> =
        report.reviewers.iter().map(|one| (one.account.as_str(), one.approved, one.denied)).collect();
    assert_eq!(who, [("erik", 2, 0), ("nils", 1, 1), ("olga", 3, 0)]);
}

#[test]
fn the_figures_of_windows_are_of_those_that_ended_and_a_window_nobody_used_counts_as_none_of_its_time() {
    let mut log = Log::default();
    log.story(0, "00000001", "maria", "shell", 1800).story(10_000, "00000002", "maria", "shell", 900);
    // Never used, revoked before it began, and still open.
    log.opens_never_used(20_000, "00000003");
    log.asks(30_000, "00000004", "maria", "shell").opens(30_000, "00000004", "maria", "shell");
    log.comes(30_100, "00000004", "maria", "shell");
    let report = log.report();
    let role = &report.roles[0];
    assert_eq!((role.requests, role.windows, role.never_used), (4, 3, 1));
    // 50 % and 25 % and 0 % of windows of the same length.
    assert_eq!(role.used_percent, Some(25));
    // Both were opened a minute before the first login.
    assert_eq!(role.needed, Spread { count: 2, median_ms: 960_000, p95_ms: 1_860_000, worst_ms: 1_860_000 });
    let states: Vec<_> = report.accesses.iter().map(|row| (row.state, row.used_percent)).collect();
    let ended = AccessState::Ended;
    assert_eq!(states, [(ended, Some(50)), (ended, Some(25)), (ended, Some(0)), (AccessState::Open, None)]);
}

impl Log {
    fn opens_never_used(&mut self, seconds: i64, id: &str) {
        self.asks(seconds, id, "maria", "shell").opens(seconds, id, "maria", "shell");
        self.ends(seconds + 3600, id, "expired").gone(seconds + 3600, id, "maria", "", "");
    }
}

#[test]
fn a_window_that_expired_is_measured_from_when_it_was_to_end_and_those_let_finish_are_counted_apart() {
    let mut log = Log::default();
    for (id, ended, gone, more) in [
        ("00000001", 3605, 3610, ""),
        ("00000002", 3600, 3601, ""),
        ("00000003", 3600, 5400, r#","at_end":"drain""#),
    ] {
        log.asks(0, id, "maria", "shell").opens(0, id, "maria", "shell");
        log.ends(ended, id, "expired").gone(gone, id, "maria", "3", more);
    }
    let report = log.report();
    let all = Spread { count: 2, median_ms: 1000, p95_ms: 10_000, worst_ms: 10_000 };
    assert_eq!((report.to_gone["expired"], report.to_gone["all"], report.let_finish), (all, all, 1));
}

#[test]
fn a_period_has_what_was_going_on_in_it_and_counts_what_happened_in_it() {
    let mut log = Log::default();
    log.story(0, "00000001", "maria", "shell", 1800).story(9000, "00000002", "maria", "shell", 1800);
    log.story(20_000, "00000003", "maria", "shell", 1800);
    let period = Period { since: Some(utc(10_000)), until: Some(utc(20_000)) };
    let report = log.report_of(period, None);
    let row = only(&report);
    assert_eq!((row.asked, row.ended), (utc(9000), Some(utc(12_660))));
    assert_eq!((report.roles[0].requests, report.roles[0].windows), (0, 1));
    assert_eq!(report.as_of, Some(utc(20_000)));
    // What is asked for before its end and ends behind it is open there.
    let period = Period { since: Some(utc(19_000)), until: Some(utc(21_000)) };
    let row = only(&log.report_of(period, None)).clone();
    assert_eq!((row.state, row.ended, row.used_percent), (AccessState::Open, None, None));
}

#[test]
fn what_is_kept_grows_with_the_period_and_not_with_the_log() {
    let mut log = Log::default();
    for n in 0..200 {
        log.story(n * 100, &format!("{n:08}"), "maria", "shell", 60);
    }
    let mut fold = Fold::new(Period { since: Some(utc(1_000_000)), until: None }, Some(utc(5)));
    let kept = |fold: &Fold| format!("{fold:?}").len();
    let empty = kept(&fold);
    for line in &log.lines {
        fold.take(line.as_bytes()).unwrap();
    }
    assert!(kept(&fold) < empty + 2000, "{} and then {}", empty, kept(&fold));
}

#[test]
fn the_records_that_were_read_are_named_by_their_root_and_a_gap_is_told() {
    let mut log = Log::default();
    log.story(0, "00000001", "maria", "shell", 60);
    let whole = log.report();
    let leaves: Vec<_> =
        log.lines.iter().map(|line| jit_core::proof::merkle::leaf(line.as_bytes())).collect();
    assert_eq!(whole.log.root, Some(jit_core::proof::merkle::root(&leaves)));
    log.lines.remove(3);
    let report = log.report();
    assert_eq!((report.log.root, &report.log.missing[..]), (None, &[(3, 3)][..]));
    assert!(report.attention.iter().any(|one| one.what == "log-missing"), "{:?}", report.attention);
    let mut fold = Fold::new(Period::default(), None);
    fold.take(log.lines[2].as_bytes()).unwrap();
    let backwards = fold.take(log.lines[1].as_bytes()).unwrap_err().to_string();
    assert_eq!(backwards, "record 1 comes where record 3 or a later one is due");
    fold.take(b"no record").unwrap();
    assert_eq!(fold.finish().log.unread, 1);
}

proptest::proptest! {
    /// Against the plainest reading of "the least that so many of a hundred do not exceed".
    #[test]
    fn figures_are_durations_that_were_measured_and_leave_out_what_they_say(
        measured in proptest::collection::vec(0_u64..1000, 1..80),
    ) {
        let spread = Spread::of(measured.clone());
        let least = |percent: usize| {
            let is_enough = |limit: &&u64| {
                measured.iter().filter(|one| one <= limit).count() * 100 >= percent * measured.len()
            };
            *measured.iter().filter(is_enough).min().unwrap()
        };
        proptest::prop_assert_eq!(spread.median_ms, least(50));
        proptest::prop_assert_eq!(spread.p95_ms, least(95));
        proptest::prop_assert_eq!(spread.worst_ms, *measured.iter().max().unwrap());
    }
}
