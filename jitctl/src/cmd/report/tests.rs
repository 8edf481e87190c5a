//! A report of this host's log and of exported ones, in every form. What it has to say is for jit_report's tests.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use jit_proto::audit::Page;

use crate::call::Call;
use crate::error::Error;
use crate::testing::{Nobody, Script, jitctl, jitctl_on_a_terminal};

/// A log as jitd writes it: twelve accesses, as `cargo run -p jit_report --example made_up 12` has them.
const LOG: &str = include_str!("../../../tests/golden/log.jsonl");

fn page(from: usize, to: usize) -> Page {
    let all: Vec<_> = LOG.lines().map(str::to_owned).collect();
    Page { records: all[from..to].to_vec(), next: to as u64, total: all.len() as u64, ..Page::default() }
}

fn count() -> usize {
    LOG.lines().count()
}

fn written(dir: &tempfile::TempDir, name: &str, lines: &[&str]) -> String {
    let path = dir.path().join(name);
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    path.display().to_string()
}

#[test]
fn this_hosts_log_and_its_export_make_the_same_report() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<_> = LOG.lines().collect();
    let (first, second) = (written(&dir, "1.jsonl", &lines[..50]), written(&dir, "2.jsonl", &lines[50..]));
    for form in [&["report"][..], &["report", "--json"], &["report", "--csv"]] {
        let rest = u32::try_from(count() - 100).unwrap();
        let script = Script::answers(Call::Records { first: 0, most: 0 }, &page(0, 100))
            .then(Script::answers(Call::Records { first: 100, most: rest }, &page(100, count())));
        let of_jitd = jitctl(form, &script);
        let of_files = jitctl(&[form, &[&first, &second]].concat(), &Nobody);
        assert_eq!((of_jitd.code, of_files.code), (0, 0), "{of_jitd:?}{of_files:?}");
        assert_eq!(of_jitd.out, of_files.out);
    }
}

#[test]
fn records_that_jitd_says_are_not_what_was_written_are_told_at_once_and_in_the_report() {
    let script =
        Script::answers(Call::Records { first: 0, most: 0 }, &Page { damaged: vec![7], ..page(0, count()) });
    let ran = jitctl(&["report"], &script);
    assert!(ran.err.contains("RECORD 7 IS NOT WHAT WAS WRITTEN"), "{}", ran.err);
    assert!(ran.out.contains("records that are not what was written: 1"), "{}", ran.out);
}

#[test]
fn who_may_not_read_the_log_gets_no_report() {
    let refused = Error::NotPermitted("only root, admins and auditors read the audit log".into());
    let ran = jitctl(&["report"], &Script::fails(Call::Records { first: 0, most: 0 }, refused));
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
    assert!(ran.err.contains("only root, admins and auditors"), "{}", ran.err);
}

#[test]
fn files_that_do_not_go_on_from_each_other_and_times_that_are_none_are_usage_errors() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<_> = LOG.lines().collect();
    let file = written(&dir, "1.jsonl", &lines[..50]);
    for (args, why) in [
        (&["--csv", "--json"][..], "cannot be used with"),
        (&["--csv", "--html", "-"], "standard output takes one form"),
        (&["--html", "/nonexistent/page.html", &file], "/nonexistent/page.html.new cannot be written"),
        (&[file.as_str(), file.as_str()], "record 0 comes where record 50 or a later one is due"),
        (&["/nonexistent"], "/nonexistent cannot be read"),
        (&["--since", "yesterday", &file], "must be a day, as 2026-12-01 or today, how long ago, as 90d"),
    ] {
        let ran = jitctl(&[&["report"], args].concat(), &Nobody);
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
        assert!(ran.err.contains(why), "{args:?}: {}", ran.err);
    }
}

#[test]
fn a_period_is_cut_out_by_days_and_times() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(&dir, "1.jsonl", &LOG.lines().collect::<Vec<_>>());
    let rows = |args: &[&str]| {
        let ran = jitctl(&[&["report", "--csv", &file], args].concat(), &Nobody);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.out.lines().count() - 1
    };
    assert_eq!(rows(&["--since", "2026-09-01", "--until", "2026-09-02"]), 12);
    assert_eq!(rows(&["--since", "2026-09-02"]), 1, "the emergency whose review is owed");
    // Asked for at 06:01 and at 06:41.
    assert_eq!(rows(&["--until", "2026-09-01 07:00"]), 2);
}

#[test]
fn nothing_that_people_typed_reaches_a_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(&dir, "1.jsonl", &LOG.lines().collect::<Vec<_>>());
    for form in [&["report"][..], &["report", "--json"], &["report", "--csv"], &["report", "--html", "-"]] {
        let ran = jitctl_on_a_terminal(&[form, &[&file]].concat(), &Nobody);
        let is_control = |c: char| jit_proto::text::is_unprintable(c) && c != '\n';
        // A terminal gets the line ends of RFC 4180 as what they are.
        let text = ran.out.replace("\\u{d}", "");
        assert!(!text.chars().any(is_control), "{form:?}: {text}");
    }
    let ran = jitctl_on_a_terminal(&["report", &file], &Nobody);
    assert!(ran.out.contains(r"50-site.toml:3: \u{1b}[2J\u{202e}evil \u{a}=1+1"), "{}", ran.out);
}

#[test]
fn a_page_takes_the_place_of_a_file_whole_for_nobody_else_to_read_and_follows_no_link() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(&dir, "1.jsonl", &LOG.lines().collect::<Vec<_>>());
    let elsewhere = written(&dir, "elsewhere", &["somebody's"]);
    let page = dir.path().join("page.html");
    symlink(&elsewhere, &page).unwrap();
    let ran = jitctl(&["report", &file, "--html", &page.display().to_string(), "--csv"], &Nobody);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 13), "{ran:?}");
    assert!(ran.err.contains("the page is in "), "{}", ran.err);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "somebody's\n");
    let kept = fs::symlink_metadata(&page).unwrap();
    assert!(kept.is_file() && kept.mode() & 0o777 == 0o600, "{kept:?}");
    assert!(fs::read_to_string(&page).unwrap().ends_with("</html>"));
    // Nothing is left beside it.
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}
