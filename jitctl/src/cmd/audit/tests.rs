//! A log, as jitd gives it out and as it was exported: what is shown, proven and written of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jit_core::model::CarriedBy;
use jit_core::proof::checkpoint::Signed;
use jit_core::proof::merkle::{Frontier, leaf};
use jit_core::proof::note::HostKey;
use jit_core::proof::preface::Preface;
use jit_proto::audit::{ARCHIVE_RECORDS, Archives, Carried, Checkpoint, Page};
use tempfile::TempDir;

use super::proof_tests::Live;

use crate::call::Call;
use crate::error::Error;
use crate::screen::Screen;
use crate::testing::{Nobody, Script, jitctl, jitctl_on_a_terminal};
use crate::wakes::Wake;

/// A log as jitd writes it.
pub(super) struct Log {
    pub(super) key: HostKey,
    pub(super) records: Vec<String>,
}

pub(super) const HOSTILE: &str = r"=1+1\u001b[2J\u202e";

impl Log {
    /// A key, what erik and maria did, and a checkpoint of that.
    pub(super) fn new() -> Self {
        Self::of("db-1", 7)
    }

    /// The same of a host and a key.
    pub(super) fn of(host: &str, seed: u8) -> Self {
        let key = HostKey::from_seed(format!("{host}/jitd").parse().unwrap(), &[seed; 32]);
        let mut log = Self { records: Vec::new(), key };
        let public = log.key.public();
        log.push(&format!(r#""event":"host-key","key":"{public}""#));
        log.push(&format!(
            r#""event":"denied","why":"no-window","count":1,"service":"sshd","user":"erik","uid":1002,"rhost":"{HOSTILE}""#
        ));
        log.push(
            r#""actor":{"uid":1001,"loginuid":1001,"session":4},"event":"session-opened","grant":"g-4k7m2qx9","role":"shell","remaining":60,"opener":{"pid":77,"start":5,"audit":12},"service":"sshd","user":"maria","uid":1001"#,
        );
        log.push(r#""event":"session-gone","session":2"#);
        log.checkpoint();
        log
    }

    pub(super) fn push(&mut self, fields: &str) {
        let (seq, boot) = (self.records.len(), "11111111-1111-1111-1111-111111111111");
        let time = format!("2026-11-29T12:00:{:02}Z", seq % 60);
        self.records
            .push(format!(r#"{{"seq":{seq},"time":"{time}","boot_ms":1,"boot_id":"{boot}",{fields}}}"#));
    }

    pub(super) fn signed(&self) -> Signed {
        let mut tree = Frontier::default();
        for record in &self.records {
            tree.append(leaf(record.as_bytes()));
        }
        Signed::over(&tree, &self.key)
    }

    pub(super) fn checkpoint(&mut self) {
        let signed = serde_json::to_string(&self.signed()).unwrap();
        self.push(&format!(r#""event":"checkpoint",{}"#, signed.trim_matches(['{', '}'])));
    }

    fn page(&self, from: usize, to: usize) -> Page {
        let records = self.records[from..to].to_vec();
        Page { records, next: to as u64, total: self.records.len() as u64, ..Page::default() }
    }

    fn whole(&self) -> Page {
        self.page(0, self.records.len())
    }

    pub(super) fn made(&self) -> Checkpoint {
        let signed = self.signed();
        Checkpoint {
            note: signed.to_string(),
            key: self.key.public().to_string(),
            size: signed.checkpoint.size,
            root: signed.checkpoint.root.to_string(),
        }
    }

    pub(super) fn text(&self) -> String {
        self.records.join("\n") + "\n"
    }
}

/// jitd notes that a checkpoint of this log left.
fn noted(how: CarriedBy, log: &Log) -> Script {
    let size = log.made().size;
    let carried = Carried { how: how.as_str().to_owned(), size };
    Script::answers(Call::Carried { how, size }, &carried)
}

/// All records are here.
pub(super) fn none_archived(total: u64) -> Archives {
    let now = "2026-11-29T13:00:00Z".to_owned();
    Archives { begins: 0, total, most: ARCHIVE_RECORDS, retain_seconds: None, now, archives: Vec::new() }
}

const FIRST: Call = Call::Records { first: 0, most: 0 };

pub(super) fn written(dir: &TempDir, name: &str, text: &str) -> String {
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn the_log_of_this_host_is_verified_page_by_page() {
    let log = Log::new();
    let script = Script::answers(Call::AuditCheckpoint, &log.made())
        .then(Script::answers(Call::Archives, &none_archived(5)))
        .then(Script::answers(FIRST, &log.page(0, 2)))
        .then(Script::answers(Call::Records { first: 2, most: 3 }, &log.page(2, 5)));
    let ran = jitctl(&["audit", "verify"], &script);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.starts_with("The log is WHOLE\n") && ran.out.contains("5, each hashed anew"),
        "{}",
        ran.out
    );
    assert!(ran.err.contains("agrees with itself") && ran.err.contains("--checkpoint FILE"), "{}", ran.err);
}

#[test]
fn a_record_that_was_changed_is_named_with_its_place() {
    let mut log = Log::new();
    let made = log.made();
    log.records[1] = log.records[1].replace("erik", "anna");
    let page = Page { damaged: vec![1], ..log.whole() };
    let script = Script::answers(Call::AuditCheckpoint, &made)
        .then(Script::answers(Call::Archives, &none_archived(5)))
        .then(Script::answers(FIRST, &page));
    let ran = jitctl(&["audit", "verify"], &script);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.starts_with("The log is REWRITTEN\n"), "{}", ran.out);
    assert!(ran.out.contains("the bytes of record 1 are not those"), "{}", ran.out);
    assert!(ran.out.contains("something in records 0 to 3 was changed"), "{}", ran.out);
}

#[test]
fn a_file_is_verified_without_jitd_against_what_was_carried_away() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::new();
    let file = written(&dir, "log.jsonl", &log.text());
    let carried = written(&dir, "carried", &log.made().note);
    let key = log.key.public().to_string();
    let ran = jitctl(&["audit", "verify", &file, "--checkpoint", &carried, "--key", &key], &Nobody);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert!(ran.out.contains("1 checkpoints in the log, 1 of 1 that were carried away"), "{}", ran.out);
    // Its end is missing.
    let cut = written(&dir, "cut.jsonl", &log.records[..3].join("\n"));
    let ran = jitctl(&["audit", "verify", &cut, "--checkpoint", &carried], &Nobody);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.starts_with("The log is TRUNCATED\n") && ran.out.contains("records 3 to 4 are missing"));
    // Changed, and everything signed anew.
    let mut other = Log::new();
    other.records[1] = other.records[1].replace("erik", "anna");
    other.records.truncate(4);
    other.checkpoint();
    other.push(r#""event":"stopped""#);
    other.checkpoint();
    let forged = written(&dir, "forged.jsonl", &other.text());
    assert_eq!(jitctl(&["audit", "verify", &forged], &Nobody).code, 0, "it agrees with itself");
    let ran = jitctl(&["audit", "verify", &forged, "--checkpoint", &carried], &Nobody);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.starts_with("The log is FORKED\n"), "{}", ran.out);
    let json = jitctl(&["audit", "verify", "--json", &forged, "--checkpoint", &carried], &Nobody);
    let report: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json.code, report["verdict"].as_str()), (1, Some("FORKED")));
}

#[test]
fn several_files_go_on_from_each_other_and_a_part_alone_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::new();
    let first = written(&dir, "1.jsonl", &(log.records[..2].join("\n") + "\n"));
    let second = written(&dir, "2.jsonl", &log.records[2..].join("\n"));
    assert_eq!(jitctl(&["audit", "verify", &first, &second], &Nobody).code, 0);
    let ran = jitctl(&["audit", "verify", &second], &Nobody);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err.contains("begins with record 2") && ran.err.contains("the files before it"),
        "{}",
        ran.err
    );
    for (args, why) in [
        (vec!["/nonexistent"], "cannot be read"),
        (vec![first.as_str(), "--checkpoint", first.as_str()], "is no checkpoint"),
        (vec![first.as_str(), "--key", "x"], "a public key looks like"),
    ] {
        let ran = jitctl(&[&["audit", "verify"][..], &args].concat(), &Nobody);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(why), "{}", ran.err);
    }
    assert!(Path::new(&first).exists());
}

#[test]
fn the_last_records_are_shown_one_to_a_line_and_nothing_of_them_reaches_a_terminal() {
    let log = Log::new();
    let script = || {
        let count = Call::Records { first: u64::MAX, most: 1 };
        Script::answers(count, &Page { records: Vec::new(), ..log.page(5, 5) })
            .then(Script::answers(Call::Records { first: 2, most: 0 }, &log.page(2, 5)))
    };
    let ran = jitctl(&["audit", "show", "--lines", "3"], &script());
    assert_eq!(ran.code, 0, "{ran:?}");
    let lines: Vec<_> = ran.out.lines().collect();
    assert_eq!(lines.len(), 4, "{}", ran.out);
    assert!(lines[1].contains("session-opened") && lines[1].contains("user=maria"), "{}", ran.out);
    let all = Call::Records { first: 0, most: 0 };
    let script = Script::answers(all, &log.whole());
    let ran = jitctl_on_a_terminal(&["audit", "show", "--user", "erik"], &script);
    assert!(ran.out.contains(r"\u{1b}[2J") && !ran.out.contains('\u{1b}'), "{}", ran.out);
}

#[test]
fn filters_know_whose_a_session_is_though_its_end_does_not_say() {
    let mut log = Log::new();
    log.push(r#""event":"shut","grant":"g-4k7m2qx9""#);
    let shown = |args: &[&str]| {
        let script = Script::answers(FIRST, &log.whole());
        let ran = jitctl(&[&["audit", "show", "--json"][..], args].concat(), &script);
        let all: Vec<serde_json::Value> = serde_json::from_str(&ran.out).unwrap();
        all.iter().map(|record| record["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(shown(&["--request", "g-4k7m2qx9"]), [2, 3, 5]);
    assert_eq!(shown(&["--user", "maria"]), [2]);
    assert_eq!(shown(&["--service", "sshd"]), [1, 2]);
    assert_eq!(shown(&["--service", "sshd", "--event", "denied"]), [1]);
    assert_eq!(shown(&["--since", "2026-11-29 12:00:02", "--until", "2026-11-29 12:00:04"]), [2, 3]);
    assert_eq!(shown(&["--event", "locked"]), [] as [u64; 0]);
    assert_eq!(shown(&["--event", "host-key", "--lines", "1"]), [0]);
}

#[test]
fn a_story_names_the_audit_session_and_where_else_to_look() {
    let mut log = Log::new();
    let sudo = r#""service":"sudo","user":"maria","uid":1001"#;
    log.push(&format!(r#""event":"allowed","grant":"g-4k7m2qx9","role":"shell","remaining":60,{sudo}"#));
    let end = log.records.len();
    let id = "g-4k7m2qx9".parse().unwrap();
    let page = |from: usize, to: usize, next: u64| Page { next, ..log.page(from, to) };
    let script = Script::answers(Call::StoryFrom { id, first: 0 }, &page(2, 4, 5))
        .then(Script::answers(Call::StoryFrom { id, first: 5 }, &page(5, 6, end as u64)))
        .then(Script::answers(Call::Sessions, &Vec::<jit_proto::manager::Session>::new()));
    let ran = jitctl(&["audit", "show", "g-4k7m2qx9"], &script);
    assert_eq!(ran.code, 0, "{ran:?}");
    for wanted in [
        "session-gone",
        "ausearch --session 12 --interpret",
        "journalctl _AUDIT_SESSION=12",
        "sudoreplay -l user maria fromdate '2026-11-29 12:00:05 UTC' todate '2026-11-29 12:00:06 UTC'",
    ] {
        assert!(ran.out.contains(wanted), "{wanted} in {}", ran.out);
    }
    let script = Script::answers(Call::StoryFrom { id, first: 0 }, &page(2, 4, 5))
        .then(Script::answers(Call::StoryFrom { id, first: 5 }, &page(5, 6, end as u64)));
    let ran = jitctl(&["--json", "audit", "show", "g-4k7m2qx9"], &script);
    let records: Vec<serde_json::Value> = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(records.len(), 3, "{ran:?}");
}

#[test]
fn what_auditd_has_of_the_sessions_is_shown_as_text_that_does_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let fake = dir.path().join("ausearch");
    let script = "#!/bin/sh\nif [ \"$2\" = 12 ]; then printf '%s\\n' ---- \"$*\"; printf 'x \\033[2J\\n'; else exit 1; fi\n";
    fs::write(&fake, script).unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let shown = |sessions: &[u32], programs: &[&str]| {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut screen = Screen::new(&mut out, &mut err, false);
        super::further::commands(&sessions.iter().copied().collect(), programs, &mut screen).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    };
    let programs = ["/nonexistent", fake.to_str().unwrap()];
    let (out, _) = shown(&[12, 13], &programs);
    assert!(out.contains("--session 12 --message EXECVE,USER_CMD"), "{out}");
    assert!(out.contains("x \\u{1b}[2J") && !out.contains('\u{1b}'), "{out}");
    assert!(out.ends_with("audit session 13:\n  nothing\n"), "{out}");
    let (out, err) = shown(&[12], &programs[..1]);
    assert!(out.is_empty() && err.contains("there is no ausearch here"), "{out}{err}");
}

#[test]
fn a_log_that_is_followed_goes_on_until_it_is_interrupted() {
    let log = Log::new();
    let script = Script::answers(FIRST, &log.page(0, 5))
        .then(Script::answers(
            Call::Records { first: 5, most: 0 },
            &Page { records: Vec::new(), ..log.page(5, 5) },
        ))
        .waking(&[(Wake::Time, std::time::Duration::ZERO)]);
    let ran = jitctl(&["audit", "show", "--follow", "--event", "denied"], &script);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("denied"), "{}", ran.out);
}

#[test]
fn an_export_is_the_exact_bytes_and_goes_on_behind_what_was_exported() {
    let log = Log::new();
    let live = Live::of(log);
    let ran = jitctl(&["audit", "export"], &live);
    let log = live.log.borrow();
    let (preface, records) = ran.out.split_once('\n').unwrap();
    assert!(Preface::read(preface.as_bytes()).is_ok(), "{preface}");
    assert_eq!((ran.code, records), (0, log.text().as_str()));
    assert!(ran.err.contains("5 records were exported") && ran.err.contains("--after 4"), "{}", ran.err);
    let ran = jitctl(&["audit", "export", "--after", "3"], &live);
    let (preface, records) = ran.out.split_once('\n').unwrap();
    assert_eq!(Preface::read(preface.as_bytes()).map(|preface| preface.first), Ok(4));
    assert_eq!((ran.code, records), (0, format!("{}\n", log.records[4]).as_str()));
}

#[test]
fn other_formats_have_every_record_and_nothing_in_them_is_a_formula() {
    let log = Log::new();
    let script = || {
        Script::answers(Call::AuditCheckpoint, &log.made())
            .then(Script::answers(FIRST, &log.whole()))
            .then(noted(CarriedBy::Export, &log))
    };
    let ran = jitctl(&["audit", "export", "--format", "csv"], &script());
    assert_eq!((ran.code, ran.out.split_terminator("\r\n").count()), (0, 6), "{}", ran.out);
    assert!(ran.out.contains(r#""'=1+1"#) || ran.out.contains("'=1+1"), "{}", ran.out);
    let ran = jitctl(&["audit", "export", "--format", "rfc5424"], &script());
    assert_eq!((ran.code, ran.out.lines().count()), (0, 5), "{}", ran.out);
    assert!(ran.out.lines().all(|line| line.contains(" db-1 jitd - ")), "{}", ran.out);
}

#[test]
fn a_checkpoint_is_the_note_and_nothing_else_and_the_key_is_shown_by_itself() {
    let log = Log::new();
    let made = || Script::answers(Call::AuditCheckpoint, &log.made());
    let ran = jitctl(&["audit", "checkpoint"], &made().then(noted(CarriedBy::Checkpoint, &log)));
    assert_eq!((ran.code, ran.out), (0, log.made().note));
    let ran = jitctl(&["audit", "checkpoint", "--key"], &Script::answers(Call::AuditCheckpoint, &log.made()));
    assert_eq!((ran.code, ran.out), (0, format!("{}\n", log.key.public())));
}

#[test]
fn a_checkpoint_that_left_is_printed_also_where_jitd_does_not_note_it() {
    let log = Log::new();
    let carried = Call::Carried { how: CarriedBy::Checkpoint, size: log.made().size };
    let script =
        Script::answers(Call::AuditCheckpoint, &log.made()).then(Script::fails(carried, Error::NotRunning));
    let ran = jitctl(&["audit", "checkpoint"], &script);
    assert_eq!((ran.code, ran.out), (0, log.made().note));
    assert!(ran.err.contains("that a checkpoint left is not on record: jitd is not running"), "{}", ran.err);
}

#[test]
fn who_may_not_read_the_log_is_told_and_the_exit_code_says_so() {
    let refused = || Error::NotPermitted("only root, admins and auditors read the audit log".into());
    for args in [&["audit", "verify"][..], &["audit", "checkpoint"], &["audit", "export"]] {
        let ran = jitctl(args, &Script::fails(Call::AuditCheckpoint, refused()));
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{ran:?}");
        assert!(ran.err.contains("only root, admins and auditors"), "{}", ran.err);
    }
}
