//! Sticks with the logs of several hosts: whole ones on one timeline, and each way in which one is not whole.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use jit_core::proof::extension::Extending;
use jit_core::proof::merkle::{Frontier, leaf};
use jit_core::proof::preface::{Consistency, Preface};
use nix::sys::stat::Mode;
use serde_json::Value;
use tempfile::TempDir;

use crate::cmd::audit::tests::{HOSTILE, Log};
use crate::testing::{Nobody, Ran, jitctl, jitctl_on_a_terminal};

/// A stick.
struct Stick(TempDir);

impl Stick {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn merged(&self, args: &[&str]) -> Ran {
        let dir = self.0.path().display().to_string();
        jitctl(&[&["audit", "merge", dir.as_str()][..], args].concat(), &Nobody)
    }
}

/// Two hosts whose records alternate: those of web-1 are half a second later.
fn two_hosts() -> (Stick, Log, Log) {
    let stick = Stick::new();
    let (db, mut web) = (Log::of("db-1", 7), Log::of("web-1", 8));
    for record in web.records.iter_mut().take(4) {
        *record = record.replace(":00Z", ":00.500Z").replace(":01Z", ":01.500Z");
    }
    web.records.truncate(4);
    web.checkpoint();
    stick.put("logs/db-1/0.jsonl", &(db.records[..2].join("\n") + "\n"));
    stick.put("logs/db-1/2.jsonl", &(db.records[2..].join("\n") + "\n"));
    stick.put("anything.jsonl", &web.text());
    stick.put("db-1.checkpoint", &db.made().note);
    (stick, db, web)
}

#[test]
fn the_first_line_of_an_export_is_passed_over_wherever_it_stands() {
    let (stick, db, web) = two_hosts();
    let lines = db.records.len() + web.records.len();
    let preface = || {
        let made = Preface::new(&Frontier::default(), db.key.public(), db.signed(), Vec::new());
        made.line().unwrap() + "\n"
    };
    stick.put("logs/db-1/0.jsonl", &(preface() + &db.records[..2].join("\n") + "\n"));
    let second = db.records[3..].join("\n") + "\n";
    stick.put("logs/db-1/2.jsonl", &(preface() + &db.records[2] + "\n" + &preface() + &second));
    let ran = stick.merged(&["--json"]);
    assert_eq!((ran.code, shown(&ran).len()), (0, lines), "{ran:?}");
    assert!(ran.err.contains("db-1: 5 records, 0 to 4; WHOLE"), "{}", ran.err);
}

/// Host and number of each record, in the order in which they are shown.
fn shown(ran: &Ran) -> Vec<(String, u64)> {
    let all: Value = serde_json::from_str(&ran.out).unwrap();
    let of = |one: &Value| (one["host"].as_str().unwrap().to_owned(), one["record"]["seq"].as_u64().unwrap());
    all["records"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn logs_of_several_hosts_are_one_timeline_and_each_is_verified_by_itself() {
    let (stick, _, _) = two_hosts();
    let ran = stick.merged(&[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.err.contains("db-1: 5 records, 0 to 4; WHOLE by the key that the log itself names, 1 carried")
    );
    assert!(ran.err.contains("web-1: 5 records, 0 to 4; WHOLE"), "{}", ran.err);
    let order = shown(&stick.merged(&["--json"]));
    let expected = [("db-1", 0), ("web-1", 0), ("db-1", 1), ("web-1", 1), ("db-1", 2), ("web-1", 2)];
    assert_eq!(order[..6], expected.map(|(host, seq)| (host.to_owned(), seq)));
    assert_eq!(order.len(), 10);
    // Whose a session is, the end of it does not say: each host has its own memory of that.
    let of_a_request = shown(&stick.merged(&["--json", "--request", "g-4k7m2qx9"]));
    assert_eq!(of_a_request.len(), 4, "{of_a_request:?}");
}

#[test]
fn what_is_missing_changed_or_forked_is_named_for_its_host_alone() {
    type Change<'a> = &'a dyn Fn(&Stick, &Log);
    let cases: [(&str, Change<'_>); 4] = [
        ("db-1: records 2 to 2 are not here", &|stick, db| {
            stick.put("logs/db-1/2.jsonl", &(db.records[3..].join("\n") + "\n"));
        }),
        ("db-1: TRUNCATED: checkpoint", &|stick, db| {
            stick.put("logs/db-1/2.jsonl", &(db.records[2..3].join("\n") + "\n"));
        }),
        ("db-1: REWRITTEN:", &|stick, db| {
            stick.put("logs/db-1/0.jsonl", &(db.records[..2].join("\n").replace("erik", "anna") + "\n"));
        }),
        ("db-1: FORKED: record 1 is another in", &|stick, db| {
            stick.put("other/copy.jsonl", &(db.text().replace("erik", "anna")));
        }),
    ];
    for (found, change) in cases {
        let (stick, db, _) = two_hosts();
        assert_eq!(stick.merged(&[]).code, 0);
        change(&stick, &db);
        let ran = stick.merged(&[]);
        assert_eq!(ran.code, 1, "{found}: {ran:?}");
        assert!(ran.err.contains(found), "{found}: {}", ran.err);
        assert!(ran.err.contains("web-1: 5 records, 0 to 4; WHOLE"), "{}", ran.err);
    }
}

/// An export of the records from `first` on, which goes on from the first so many.
fn export(log: &Log, first: usize, from: u64) -> String {
    let leaves: Vec<_> = log.records.iter().map(|record| leaf(record.as_bytes())).collect();
    let mut before = Frontier::default();
    for leaf in &leaves[..first] {
        before.append(*leaf);
    }
    let mut extending = Extending::new(from, leaves.len() as u64).unwrap();
    for leaf in &leaves {
        extending.take(*leaf);
    }
    let proof = Consistency::from(&extending.done().unwrap());
    let preface = Preface::new(&before, log.key.public(), log.signed(), vec![proof]);
    format!("{}\n{}\n", preface.line().unwrap(), log.records[first..].join("\n"))
}

/// The log goes on with four more records and a checkpoint, in its place 9.
fn gone_on(mut log: Log) -> Log {
    for _ in 0..4 {
        log.push(r#""event":"session-gone","session":2"#);
    }
    log.checkpoint();
    log
}

#[test]
fn behind_a_gap_an_export_is_verified_where_it_proves_what_it_goes_on_from() {
    let proven = "db-1: records 5 to 6 are not here: what is behind them goes on from what is before them";
    let unproven =
        "db-1: records 5 to 6 are not here: what is behind them is shown, and no signature vouches";
    let merged = |export: &str| {
        let (stick, ..) = two_hosts();
        stick.put("later.jsonl", export);
        let ran = stick.merged(&["--json"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert_eq!(shown(&ran).iter().filter(|(host, _)| host == "db-1").count(), 8, "all is shown");
        ran.err
    };
    let db = || gone_on(Log::of("db-1", 7));
    let good = export(&db(), 7, 5);
    let said = merged(&good);
    assert!(said.contains("db-1: WHOLE, WITH GAPS") && said.contains(proven), "{said}");

    // What was changed there is found.
    let said = merged(
        &good.replace(r#""seq":8,"time":"2026-11-29T12:00:08Z""#, r#""seq":8,"time":"2026-11-29T12:00:09Z""#),
    );
    assert!(said.contains("db-1: REWRITTEN") && said.contains(unproven), "{said}");
    // And so is a host that signed another log before it.
    let mut other = Log::of("db-1", 7);
    other.records[1] = other.records[1].replace("erik", "anna");
    let said = merged(&export(&gone_on(other), 7, 5));
    assert!(said.contains("db-1: REWRITTEN") && said.contains(unproven), "{said}");
    // Another key, no first line, or one that proves nothing of what is here, and it is as unproven as ever.
    let records = good.split_once('\n').unwrap().1;
    let by_another_key = export(&gone_on(Log::of("db-1", 9)), 7, 5);
    let (line, _) = by_another_key.split_once('\n').unwrap();
    for text in [records.to_owned(), format!("{line}\n{records}"), export(&db(), 7, 6)] {
        let said = merged(&text);
        assert!(said.contains("db-1: WHOLE, WITH GAPS") && said.contains(unproven), "{said}");
    }
}

#[test]
fn a_planted_record_of_a_far_number_hides_no_record_that_goes_on() {
    let (stick, db, _) = two_hosts();
    let far = db.records[3].replace("\"seq\":3", "\"seq\":18446744073709551614");
    assert!(far.contains("18446744073709551614"));
    stick.put("a-planted.jsonl", &format!("{}\n{far}\n", db.records[0]));
    let ran = stick.merged(&["--json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let of_db: Vec<_> = shown(&ran).into_iter().filter(|(host, _)| host == "db-1").collect();
    assert_eq!(of_db.iter().map(|(_, seq)| *seq).collect::<Vec<_>>(), [0, 1, 2, 3, 4, u64::MAX - 1]);
    assert!(ran.err.contains("db-1: records 5 to 18446744073709551613 are not here"), "{}", ran.err);
    assert!(ran.err.contains("db-1: WHOLE, WITH GAPS"), "{}", ran.err);
}

#[test]
fn the_same_records_in_two_files_are_shown_once_and_agree() {
    let (stick, db, _) = two_hosts();
    stick.put("other/copy.jsonl", &db.text());
    let ran = stick.merged(&["--json"]);
    assert_eq!((ran.code, shown(&ran).len()), (0, 10), "{ran:?}");
}

#[test]
fn a_log_that_another_key_signed_is_not_proven_where_the_hosts_key_is_known() {
    let (stick, db, _) = two_hosts();
    let known = db.key.public().to_string();
    let ran = stick.merged(&["--key", &known]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.err.contains("db-1: 5 records, 0 to 4; WHOLE by the key that was given"), "{}", ran.err);
    let forged = Log::of("db-1", 9);
    fs::remove_dir_all(stick.0.path().join("logs")).unwrap();
    stick.put("db-1.checkpoint", &forged.made().note);
    stick.put("forged.jsonl", &forged.text());
    assert_eq!(stick.merged(&[]).code, 0, "it agrees with itself");
    let ran = stick.merged(&["--key", &known]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("db-1: UNPROVEN") || ran.err.contains("db-1: REWRITTEN"), "{}", ran.err);
}

#[test]
fn links_pipes_and_other_files_are_left_out_by_name_and_nothing_waits_for_them() {
    let (stick, _, web) = two_hosts();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("log"), web.text()).unwrap();
    symlink(elsewhere.path().join("log"), stick.0.path().join("link.jsonl")).unwrap();
    symlink(stick.0.path(), stick.0.path().join("round")).unwrap();
    nix::unistd::mkfifo(&stick.0.path().join("pipe"), Mode::S_IRWXU).unwrap();
    stick.put("a\u{1b}[2Jb", "neither\n");
    let ran = stick.merged(&[]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for name in ["link.jsonl: it is no plain file", "round: it is no plain file", "pipe: it is no plain file"]
    {
        assert!(ran.err.contains(name), "{name}: {}", ran.err);
    }
    assert!(ran.err.contains("b: it is neither a log nor a checkpoint"), "{}", ran.err);
    assert!(!ran.err.contains('\u{1b}'), "{:?}", ran.err);
    let (empty, none) = (Stick::new(), Stick::new());
    empty.put("readme", "nothing\n");
    for stick in [empty, none] {
        let ran = stick.merged(&[]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("there is no log in these folders"), "{}", ran.err);
    }
}

#[test]
fn what_people_typed_acts_on_no_terminal_and_what_is_no_record_is_shown_as_text() {
    let stick = Stick::new();
    let mut log = Log::new();
    log.records.push("\u{1b}]0;no record\u{7}".to_owned());
    stick.put("db-1.jsonl", &log.text());
    let dir = stick.0.path().display().to_string();
    for args in [&["audit", "merge", &dir][..], &["audit", "merge", &dir, "--json"]] {
        let ran = jitctl_on_a_terminal(args, &Nobody);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(!ran.out.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{:?}", ran.out);
        assert!(ran.out.contains("[2J") && ran.out.contains("no record"), "{}", ran.out);
        assert!(HOSTILE.contains("[2J"));
    }
}
