//! What `jitctl policy` and `jitctl report` print, byte for byte: each command below is run in tests/golden, and must exit and print as
//! the file beside it says. After a change that is meant, write the files anew with
//!
//! ```sh
//! UPDATE_GOLDEN=1 cargo test -p jitctl --test golden
//! ```
//!
//! and read the difference before committing it.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a panic here is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file's name, the arguments, and the exit code.
const GOLDEN: [(&str, &[&str], i32); 22] = [
    ("check-sound.txt", &["policy", "check", "--no-host", "sound"], 0),
    ("check-sound.json", &["policy", "check", "--no-host", "sound", "--json"], 0),
    ("check-broken.txt", &["policy", "check", "--no-host", "broken"], 1),
    ("check-broken.json", &["policy", "check", "--no-host", "broken", "--json"], 1),
    ("check-warned.txt", &["policy", "check", "--no-host", "warned"], 0),
    ("check-warned.json", &["policy", "check", "--no-host", "warned", "--json"], 0),
    ("check-one-file.txt", &["policy", "check", "--no-host", "broken/20-again.toml", "--in", "sound"], 1),
    ("check-absent.txt", &["policy", "check", "--no-host", "absent"], 1),
    ("test-untrue.txt", &["policy", "test", "untrue"], 1),
    ("test-untrue.json", &["policy", "test", "untrue", "--json"], 1),
    ("test-nonsense.txt", &["policy", "test", "nonsense"], 1),
    ("diff.txt", &["policy", "diff", "--from", "old", "new"], 0),
    ("diff.json", &["policy", "diff", "--from", "old", "new", "--json"], 0),
    ("diff-same.txt", &["policy", "diff", "--from", "old", "old"], 0),
    ("diff-broken.txt", &["policy", "diff", "--from", "old", "broken"], 1),
    ("expanded.txt", &["policy", "show", "--expanded", "--from", "../../../policies/profiles"], 0),
    ("check-whom.txt", &["policy", "check", "--no-host", "whom-broken"], 1),
    ("diff-whom.txt", &["policy", "diff", "--from", "whom-old", "whom-new"], 0),
    // A log as `cargo run -p jit_report --example made_up 12` writes it.
    ("report.txt", &["report", "log.jsonl", "--at", "2026-09-01 07:13"], 0),
    ("report.json", &["report", "log.jsonl", "--at", "2026-09-01 07:13", "--json"], 0),
    ("report.html", &["report", "log.jsonl", "--at", "2026-09-01 07:13", "--html", "-"], 0),
    ("report.csv", &["report", "log.jsonl", "--csv"], 0),
];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Runs `jitctl` in a folder: the exit code, and stdout with stderr behind it.
fn jitctl(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jitctl"));
    let ran = command.current_dir(folder).env("TZ", "UTC").args(args).output().unwrap();
    let text = [ran.stdout, ran.stderr].concat();
    (ran.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn every_output_is_as_it_was_read_and_found_good() {
    #[allow(
        clippy::disallowed_methods,
        reason = "the developer's word that the files are to be written anew"
    )]
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for (name, args, code) in GOLDEN {
        let (exit, text) = jitctl(&golden(), args);
        assert_eq!(exit, Some(code), "{args:?}:\n{text}");
        let path = golden().join(name);
        if update {
            fs::write(&path, &text).unwrap();
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            text, kept,
            "{name}; if that is meant: UPDATE_GOLDEN=1 cargo test -p jitctl --test golden"
        );
    }
}

#[test]
fn no_kept_output_is_forgotten() {
    for entry in fs::read_dir(golden()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let known =
            entry.path().is_dir() || name == "log.jsonl" || GOLDEN.iter().any(|(known, ..)| *known == name);
        assert!(known, "{name} is not compared with anything");
    }
}

#[test]
fn every_sample_policy_is_sound_and_does_what_its_cases_say() {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let mut count = 0;
    for entry in fs::read_dir(&policies).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        for args in [&["policy", "check", "--no-host", &name][..], &["policy", "test", &name]] {
            let (exit, text) = jitctl(&policies, args);
            assert_eq!(exit, Some(0), "{args:?}:\n{text}");
        }
        count += 1;
    }
    assert!(count >= 9, "{count}");
}
