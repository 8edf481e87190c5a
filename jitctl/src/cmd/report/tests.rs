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

/// A host whose sshd only watches, and whom it would have kept out.
fn observed(dir: &tempfile::TempDir) -> String {
    let moment = |seq: u64, second: u64| {
        let boot = "6f8e4c1a-0000-4000-8000-00000000000a";
        format!(r#""seq":{seq},"time":"2026-11-23T08:00:{second:02}Z","boot_ms":{seq},"boot_id":"{boot}""#)
    };
    let login = |service: &str, user: &str, rhost: &str| {
        format!(r#""service":"{service}","user":"{user}","uid":1002,"rhost":"{rhost}""#)
    };
    let lines = [
        format!(
            r#"{{{},"event":"pam-files","files":[{{"name":"sshd","account":true,"watches":true}},{{"name":"sudo","account":true,"watches":true}},{{"name":"sudo-i","account":true,"watches":true}}]}}"#,
            moment(0, 0)
        ),
        format!(
            r#"{{{},"event":"denied","why":"no-window","count":1,{}}}"#,
            moment(1, 10),
            login("sshd", "erik", "10.0.0.1")
        ),
        format!(
            r#"{{{},"event":"denied","why":"no-window","count":41,{}}}"#,
            moment(2, 50),
            login("sshd", "erik", "10.0.0.1")
        ),
        format!(
            r#"{{{},"event":"denied","why":"not-eligible","count":1,{}}}"#,
            moment(3, 51),
            login("sudo-i", "eve", "=cmd()")
        ),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    written(dir, "observed.jsonl", &lines)
}

#[test]
fn who_would_have_been_refused_is_listed_with_how_often_why_from_where_and_what_to_type_next() {
    let dir = tempfile::tempdir().unwrap();
    let file = observed(&dir);
    let ran = jitctl(&["--utc", "report", "--observe", "--service", "sshd", &file], &Nobody);
    assert_eq!(
        ran.out,
        "USER  SERVICE  TIMES  WHY        FIRST              LAST               FROM\n\
         erik  sshd     42     no-window  2026-11-23 08:00Z  2026-11-23 08:00Z  10.0.0.1\n"
    );
    assert_eq!(
        ran.err,
        "jitctl: 42 logins of 1 account would have been refused at sshd, from 2026-11-23 08:00:00Z to 2026-11-23 08:00:51Z\n\
         hint: give those who are to get in a role or an [[exempt]]; then: jitctl enforce sshd\n"
    );
    // sudo means sudo -i, too.
    let ran = jitctl(&["report", "--observe", "--service", "sudo", &file], &Nobody);
    assert!(ran.out.contains("sudo-i") && ran.err.contains("jitctl enforce sudo\n"), "{ran:?}");
    let ran = jitctl(&["--utc", "report", "--observe", "--service", "su", &file], &Nobody);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert!(ran.err.contains("nobody would have been refused at su, from"), "{}", ran.err);
    assert!(ran.err.contains("jitctl enable SERVICE"), "{}", ran.err);
}

#[test]
fn who_would_have_been_refused_is_data_for_programs_and_inert_in_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let file = observed(&dir);
    let ran = jitctl(&["report", "--observe", "--json", &file], &Nobody);
    let listed: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(listed["watching"], serde_json::json!(["sshd", "sudo", "sudo-i"]));
    let row = &listed["refused"][0];
    assert_eq!((row["account"].as_str(), row["count"].as_u64()), (Some("erik"), Some(42)));
    assert_eq!((row["by"].as_str(), row["from"][0].as_str()), (Some("pam"), Some("10.0.0.1")));
    let ran = jitctl(&["report", "--observe", "--csv", &file], &Nobody);
    let lines: Vec<&str> = ran.out.split("\r\n").collect();
    assert!(lines[0].starts_with("account,uid,person,service,why,by,count"), "{lines:?}");
    assert!(
        lines.contains(
            &"erik,1002,,sshd,no-window,pam,42,false,10.0.0.1,0,,2026-11-23T08:00:10Z,2026-11-23T08:00:50Z"
        ),
        "{lines:?}"
    );
    assert!(ran.out.contains("=cmd()") && !ran.out.contains(",=cmd()"), "{}", ran.out);
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
