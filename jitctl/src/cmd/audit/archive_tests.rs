//! Archives: what is in one, what the log is without it, whatever breaks off, and everybody who changes one.

use std::fs;

use tempfile::TempDir;

use super::proof_tests::{Live, verify};
use super::tests::{Log, written};
use crate::error::Error;
use crate::testing::{Ran, jitctl};

impl Live {
    fn archived_in(&self, file: &str) -> Ran {
        jitctl(&["audit", "archive", file], self)
    }

    fn verified(&self, args: &[&str]) -> Ran {
        jitctl(&[&["audit", "verify"][..], args].concat(), self)
    }
}

/// A log of which all but the last record is old enough, the checkpoint that left at its beginning, and where archives go.
fn old_log() -> (TempDir, Live, String) {
    let dir = tempfile::tempdir().unwrap();
    let live = Live::of(Log::new());
    let kept = written(&dir, "kept", &live.log.borrow().made().note);
    live.goes_on();
    (dir, live, kept)
}

fn path(dir: &TempDir, name: &str) -> String {
    dir.path().join(name).display().to_string()
}

#[test]
fn old_records_are_in_a_file_that_is_verified_alone_and_with_the_rest_and_every_checkpoint_holds() {
    let (dir, live, kept) = old_log();
    let one = path(&dir, "1.jsonl");
    let ran = live.archived_in(&one);
    assert_eq!((ran.code, live.begins()), (0, 7), "{ran:?}");
    assert!(ran.out.starts_with("records 0 to 6 are in "), "{}", ran.out);
    assert!(!fs::exists(format!("{one}.part")).unwrap());
    let alone = verify(&[&one, "--checkpoint", &kept]);
    assert_eq!(alone.code, 0, "{alone:?}");
    live.goes_on();
    // What is here is proven to go on from what left before, though that is not here any more.
    let ran = live.verified(&["--checkpoint", &kept]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("1 of 1 that were carried away") && ran.out.contains("7 to 11, each"),
        "{}",
        ran.out
    );
    assert!(ran.err.contains("records 0 to 6 are in the archive 1.jsonl"), "{}", ran.err);
    let ran = live.verified(&["--archive", &one, "--checkpoint", &kept]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("12, each hashed anew"), "{}", ran.out);
    let rest = written(&dir, "rest.jsonl", &live.export(&[]).out);
    assert_eq!(verify(&[&one, &rest, "--checkpoint", &kept]).code, 0);
    // The next goes on from it.
    let two = path(&dir, "2.jsonl");
    assert_eq!((live.archived_in(&two).code, live.begins()), (0, 11));
    assert_eq!(verify(&[&one, &two, "--checkpoint", &kept]).code, 0);
    assert_eq!(live.verified(&["--archive", &one, "--archive", &two]).code, 0);
    assert_eq!(verify(&[&two]).code, 0, "alone from where it begins");
}

#[test]
fn an_archive_that_was_changed_swapped_or_never_written_is_named() {
    let (dir, live, _) = old_log();
    let (one, two) = (path(&dir, "1.jsonl"), path(&dir, "2.jsonl"));
    live.archived_in(&one);
    live.goes_on();
    live.archived_in(&two);
    live.goes_on();
    let text = fs::read_to_string(&one).unwrap();
    for (from, to) in [("erik", "anna"), ("\"size\":7", "\"size\":6"), ("\"first\":0", "\"first\":1")] {
        let changed = written(&dir, "changed.jsonl", &text.replacen(from, to, 1));
        assert_ne!(verify(&[&changed]).code, 0, "{from}");
        let ran = live.verified(&["--archive", &changed, "--archive", &two]);
        assert_ne!(ran.code, 0, "{from}: {ran:?}");
    }
    let changed = written(&dir, "changed.jsonl", &text.replacen("erik", "anna", 1));
    let ran = live.verified(&["--archive", &changed, "--archive", &two]);
    assert!(ran.out.starts_with("The log is REWRITTEN\n"), "{}", ran.out);
    assert!(
        ran.out.contains("changed.jsonl is not the archive that was written of records 0 to 6"),
        "{}",
        ran.out
    );
    // Cut off.
    let lines: Vec<_> = text.lines().take(4).collect();
    let cut = written(&dir, "cut.jsonl", &(lines.join("\n") + "\n"));
    let ran = verify(&[&cut]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out.starts_with("The log is TRUNCATED\n") && ran.out.contains("and 3 to 6 of them are missing"),
        "{}",
        ran.out
    );
    // One in the other's place.
    let ran = live.verified(&["--archive", &two, "--archive", &one]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("begins with record 0"), "{}", ran.err);
    let ran = live.verified(&["--archive", &one]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("give all"), "{}", ran.err);
    // Another host's, of as many records.
    let other = Live::of(Log::of("db-1", 9));
    other.goes_on();
    let theirs = path(&dir, "theirs.jsonl");
    other.archived_in(&theirs);
    let ran = live.verified(&["--archive", &theirs, "--archive", &two]);
    assert_ne!(ran.code, 0, "{ran:?}");
    assert_eq!(live.verified(&["--archive", &one, "--archive", &two]).code, 0);
}

#[test]
fn records_that_are_gone_and_that_no_record_says_were_archived_are_missing() {
    let (dir, live, _) = old_log();
    live.archived_in(&path(&dir, "1.jsonl"));
    assert_eq!(live.verified(&[]).code, 0);
    // Whoever took them out of the store wrote no record of it.
    live.log.borrow_mut().records.pop();
    let ran = live.verified(&[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.starts_with("The log is TRUNCATED\n"), "{}", ran.out);
    assert!(
        ran.out.contains("records 0 to 6 are not in the store, and no record says that they were archived")
    );
}

#[test]
fn what_breaks_off_before_the_records_leave_loses_nothing_and_goes_on_with_the_same_file() {
    let (dir, live, kept) = old_log();
    let one = path(&dir, "1.jsonl");
    *live.refuses.borrow_mut() = Some(Error::NotRunning);
    let ran = live.archived_in(&one);
    assert_eq!((ran.code, live.begins()), (3, 0), "{ran:?}");
    assert!(ran.err.contains("1.jsonl is whole") && fs::exists(&one).unwrap(), "{}", ran.err);
    assert_eq!(live.verified(&["--checkpoint", &kept]).code, 0);
    let before = fs::read(&one).unwrap();
    live.goes_on();
    let ran = live.archived_in(&one);
    assert_eq!((ran.code, live.begins()), (0, 7), "{ran:?}");
    assert_eq!(fs::read(&one).unwrap(), before, "it is not written again");
    // And a third time, where only the answer had been lost.
    let ran = live.archived_in(&one);
    assert_eq!((ran.code, live.begins()), (0, 7), "{ran:?}");
    assert!(ran.err.contains("were archived already, in this very file"), "{}", ran.err);
    assert_eq!(live.verified(&["--archive", &one, "--checkpoint", &kept]).code, 0);
}

#[test]
fn an_archive_that_was_changed_before_its_records_left_moves_nothing() {
    let (dir, live, _) = old_log();
    let one = path(&dir, "1.jsonl");
    *live.refuses.borrow_mut() = Some(Error::NotRunning);
    live.archived_in(&one);
    let whole = fs::read_to_string(&one).unwrap();
    let last = whole.trim_end().rfind('\n').unwrap();
    for (changed, word) in
        [(whole.replacen("\"seq\":2", "\"seq\":3", 1), "REWRITTEN"), (whole[..=last].to_owned(), "TRUNCATED")]
    {
        fs::write(&one, changed).unwrap();
        let ran = live.archived_in(&one);
        assert_eq!((ran.code, live.begins()), (1, 0), "{ran:?}");
        assert!(ran.err.contains(word) && ran.err.contains("the records are in the store"), "{}", ran.err);
    }
    fs::write(&one, &whole).unwrap();
    assert_eq!((live.archived_in(&one).code, live.begins()), (0, 7));
}

#[test]
fn a_file_that_is_no_archive_of_what_is_here_moves_nothing() {
    let (dir, live, _) = old_log();
    let file = written(&dir, "1.jsonl", &live.export(&[]).out);
    for (text, why) in [
        ("", "is no archive"),
        ("what my uncle wrote\n", "is no archive"),
        (fs::read_to_string(&file).unwrap().as_str(), "is an export, and no archive"),
    ] {
        let other = written(&dir, "other.jsonl", text);
        let ran = live.archived_in(&other);
        assert_eq!((ran.code, live.begins()), (1, 0), "{ran:?}");
        assert!(ran.err.contains(why) && ran.err.contains("the records are in the store"), "{}", ran.err);
        assert_eq!(fs::read_to_string(&other).unwrap(), text, "it is left as it is");
    }
    assert_eq!(jitctl(&["audit", "archive", "--", "-x"], &live).code, 2);
    assert_eq!(live.archived_in(&path(&dir, "one.jsonl")).code, 0);
}
