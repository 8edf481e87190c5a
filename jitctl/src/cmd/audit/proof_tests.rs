//! What an export proves by itself and to whoever kept what left before, and everybody who changes one.

use std::cell::RefCell;
use std::io::Read;

use jit_core::digest::Digest;
use jit_core::model::CarriedBy;
use jit_core::proof::extension::Extending;
use jit_core::proof::merkle::{Frontier, leaf};
use jit_proto::audit::{Archive, Archives, Carried, Page, Proof, Tree};
use jit_proto::manager::{CarriedAway, Status};
use serde::Serialize;
use tempfile::TempDir;

use super::tests::{Log, none_archived, written};
use crate::call::Call;
use crate::error::Error;
use crate::jitd::Jitd;
use crate::testing::{Nobody, Ran, jitctl, status};
use crate::wakes::Wakes;

/// By the clock of a host whose records are of the 29th of November.
const NOW: &str = "2027-01-29T12:00:00Z";

/// jitd with a log, as far as whoever reads that can tell.
pub(super) struct Live {
    pub(super) log: RefCell<Log>,
    /// The size of the checkpoint that left last.
    carried: RefCell<Option<u64>>,
    archives: RefCell<Vec<Archive>>,
    /// What jitd says to the next archive, instead of yes.
    pub(super) refuses: RefCell<Option<Error>>,
}

impl Live {
    pub(super) fn of(log: Log) -> Self {
        Self {
            log: RefCell::new(log),
            carried: RefCell::default(),
            archives: RefCell::default(),
            refuses: RefCell::default(),
        }
    }

    /// Something happens, under a checkpoint.
    pub(super) fn goes_on(&self) {
        let mut log = self.log.borrow_mut();
        log.push(r#""event":"shut","grant":"g-4k7m2qx9""#);
        log.checkpoint();
        log.push(r#""event":"stopped""#);
    }

    /// The leaves of the log as they are hashed.
    fn leaves(&self) -> Vec<Digest> {
        self.log.borrow().records.iter().map(|record| leaf(record.as_bytes())).collect()
    }

    fn proof(&self, old: u64, new: u64) -> Result<Proof, Error> {
        let no = || Error::Invalid("the log has not so many".to_owned());
        let mut extending = Extending::new(old, new).ok_or_else(no)?;
        self.leaves().into_iter().for_each(|leaf| extending.take(leaf));
        let made = extending.done().ok_or_else(no)?;
        let hex = |hashes: &[Digest]| hashes.iter().map(Digest::to_string).collect();
        let tree = |tree: &Frontier| Tree { size: tree.size(), peaks: hex(tree.peaks()) };
        Ok(Proof { old: tree(&made.old), new: tree(&made.new), hashes: hex(&made.hashes) })
    }

    pub(super) fn begins(&self) -> u64 {
        self.archives.borrow().last().map_or(0, |last| last.end)
    }

    fn known(&self) -> Archives {
        let total = self.log.borrow().records.len() as u64;
        let retain_seconds = Some(30 * 86_400);
        let archives = self.archives.borrow().clone();
        Archives {
            begins: self.begins(),
            retain_seconds,
            now: NOW.to_owned(),
            archives,
            ..none_archived(total)
        }
    }

    /// As jitd does it: the records go in the moment in which one says so.
    fn archive(&self, end: u64, root: Digest, file: &str, digest: Digest) -> Result<Archive, Error> {
        if let Some(error) = self.refuses.take() {
            return Err(error);
        }
        let first = self.begins();
        let (root, digest) = (root.to_string(), digest.to_string());
        let archive =
            Archive { first, end, root: root.clone(), file: file.to_owned(), digest: digest.clone() };
        let by = r#""by":{"name":"root","uid":0}"#;
        let what =
            format!(r#""first":{first},"end":{end},"root":"{root}","file":"{file}","digest":"{digest}""#);
        self.log.borrow_mut().push(&format!(r#""event":"records-archived",{what},"retain":"30d",{by}"#));
        self.archives.borrow_mut().push(archive.clone());
        Ok(archive)
    }

    fn records(&self, first: u64) -> Page {
        let all = &self.log.borrow().records;
        let begins = self.begins();
        let first = first.max(begins);
        let from = usize::try_from(first).unwrap_or(usize::MAX).min(all.len());
        let total = all.len() as u64;
        Page { records: all[from..].to_vec(), next: total, total, begins, ..Page::default() }
    }

    pub(super) fn export(&self, args: &[&str]) -> Ran {
        jitctl(&[&["audit", "export"][..], args].concat(), self)
    }
}

fn said(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

impl Jitd for Live {
    #[allow(clippy::wildcard_enum_match_arm, reason = "whoever reads the log asks for nothing else")]
    fn ask(&self, call: &Call) -> Result<String, Error> {
        Ok(match call {
            Call::AuditCheckpoint => said(&self.log.borrow().made()),
            Call::Records { first, .. } => said(&self.records(*first)),
            Call::Archives => said(&self.known()),
            Call::Archive { end, root, file, digest, .. } => {
                said(&self.archive(*end, *root, file.as_str(), *digest)?)
            }
            Call::Proof { old, new } => said(&self.proof(*old, *new)?),
            Call::Status => {
                let away = |size| CarriedAway { at: String::new(), how: "export".to_owned(), size };
                said(&Status { carried: self.carried.borrow().map(away), ..status() })
            }
            Call::Carried { how: how @ CarriedBy::Export, size } => {
                *self.carried.borrow_mut() = Some(*size);
                said(&Carried { how: how.as_str().to_owned(), size: *size })
            }
            other => panic!("{other:?} was asked"),
        })
    }

    fn pipe(&self, _: &Call) -> Result<Option<Box<dyn Read>>, Error> {
        Ok(None)
    }

    fn wakes(&self) -> Box<dyn Wakes> {
        panic!("nothing is waited for")
    }
}

pub(super) fn verify(args: &[&str]) -> Ran {
    jitctl(&[&["audit", "verify"][..], args].concat(), &Nobody)
}

/// The proofs in the first line of an export.
fn proofs(export: &str) -> Vec<(u64, u64)> {
    let preface: serde_json::Value = serde_json::from_str(export.lines().next().unwrap()).unwrap();
    let size = |proof: &serde_json::Value, end: &str| proof[end]["size"].as_u64().unwrap();
    preface["proofs"].as_array().unwrap().iter().map(|one| (size(one, "from"), size(one, "to"))).collect()
}

/// The checkpoint that the log was under at its beginning, an export of then, and one of what came later.
fn two_exports(dir: &TempDir) -> (Live, [String; 3]) {
    let live = Live::of(Log::new());
    let kept = written(dir, "kept", &live.log.borrow().made().note);
    let one = written(dir, "1.jsonl", &live.export(&[]).out);
    live.goes_on();
    let two = written(dir, "2.jsonl", &live.export(&["--after", "4"]).out);
    (live, [kept, one, two])
}

#[test]
fn each_export_is_proven_to_go_on_from_the_last_whoever_took_that() {
    let live = Live::of(Log::new());
    assert_eq!(proofs(&live.export(&[]).out), [], "nothing left before");
    live.goes_on();
    // Another one's, of all; then again by who has the first.
    assert_eq!(proofs(&live.export(&[]).out), [(5, 8)]);
    assert_eq!(proofs(&live.export(&["--after", "4"]).out), [(5, 8)]);
    live.goes_on();
    assert_eq!(proofs(&live.export(&[]).out), [(8, 11)]);
    assert_eq!(proofs(&live.export(&["--after", "4"]).out), [(5, 11)], "what another took is not theirs");
}

#[test]
fn an_export_that_goes_on_is_verified_alone_against_what_its_reader_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (live, [kept, one, two]) = two_exports(&dir);
    let ran = verify(&[&two, "--checkpoint", &kept]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out.contains("1 of 1 that were carried away") && ran.out.contains("5 to 7, each"),
        "{}",
        ran.out
    );
    assert!(ran.err.contains("records 0 to 4 are not here"), "{}", ran.err);
    let ran = verify(&[&one, &two, "--checkpoint", &kept]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("8, each hashed anew"), "{}", ran.out);
    // Put into one file, it is the same.
    let both = fs_join(&dir, &[&one, &two]);
    assert_eq!(verify(&[&both, "--checkpoint", &kept]).code, 0);
    // A checkpoint of neither place is not judged: it is not called wrong, and not agreed with.
    live.goes_on();
    let late = written(&dir, "3.jsonl", &live.export(&["--after", "7"]).out);
    let ran = verify(&[&late, "--checkpoint", &kept]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out.starts_with("The log is UNPROVEN\n") && ran.out.contains("give the files before"),
        "{}",
        ran.out
    );
    // Unless its reader asks for that.
    let late = written(&dir, "3.jsonl", &live.export(&["--after", "7", "--from", &kept]).out);
    assert_eq!(verify(&[&late, "--checkpoint", &kept]).code, 0);
}

fn fs_join(dir: &TempDir, files: &[&str]) -> String {
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    written(dir, "both.jsonl", &text)
}

#[test]
fn an_export_of_a_log_that_was_changed_is_forked_by_its_own_proof() {
    let dir = tempfile::tempdir().unwrap();
    let (_, [kept, ..]) = two_exports(&dir);
    // All of it written and signed anew, with a first record that is another.
    let mut log = Log::new();
    log.records[1] = log.records[1].replace("erik", "anna");
    log.records.truncate(4);
    log.checkpoint();
    let live = Live::of(log);
    live.goes_on();
    let ran = live.export(&["--from", &kept]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    assert!(ran.err.contains("is of other records than those of this log"), "{}", ran.err);
    let two = written(&dir, "2.jsonl", &live.export(&["--after", "4"]).out);
    assert_eq!(verify(&[&two]).code, 0, "it agrees with itself");
    let ran = verify(&[&two, "--checkpoint", &kept]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.starts_with("The log is FORKED\n"), "{}", ran.out);
}

#[test]
fn any_digit_of_a_proof_that_is_changed_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let (_, [kept, one, two]) = two_exports(&dir);
    let text = std::fs::read_to_string(&two).unwrap();
    let (preface, records) = text.split_once('\n').unwrap();
    let hex = |at: usize| preface.as_bytes()[at].is_ascii_hexdigit();
    let from = preface.find("peaks").unwrap()..preface.find("\"key\"").unwrap();
    let proofs = preface.find("proofs").unwrap()..preface.len();
    let mut changed_at = 0;
    for at in from.chain(proofs).filter(|at| hex(*at)).step_by(7) {
        let mut changed = preface.to_owned().into_bytes();
        changed[at] = if changed[at] == b'7' { b'8' } else { b'7' };
        let changed = String::from_utf8(changed).unwrap();
        let file = written(&dir, "changed.jsonl", &format!("{changed}\n{records}"));
        let alone = verify(&[&file, "--checkpoint", &kept]);
        assert_ne!(alone.code, 0, "{changed}: {alone:?}");
        assert_ne!(verify(&[&one, &file]).code, 0, "{changed}");
        changed_at += 1;
    }
    assert!(changed_at > 20, "{changed_at}");
    assert_eq!(verify(&[&one, &two, "--checkpoint", &kept]).code, 0);
}

#[test]
fn an_export_that_lost_its_end_or_stands_in_another_place_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (_, [_, one, two]) = two_exports(&dir);
    let text = std::fs::read_to_string(&one).unwrap();
    let cut: Vec<_> = text.lines().take(3).collect();
    let cut = written(&dir, "cut.jsonl", &(cut.join("\n") + "\n"));
    let ran = verify(&[&cut]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.out.starts_with("The log is TRUNCATED\n") && ran.out.contains("left under covers 5"),
        "{}",
        ran.out
    );
    for (files, why) in [
        (vec![two.as_str(), one.as_str()], "begins with record 0"),
        (vec![cut.as_str(), two.as_str()], "give what is between 2 and it"),
        (vec![one.as_str(), two.as_str(), two.as_str()], "end with record 7: give each once"),
    ] {
        let ran = verify(&files);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(why), "{}", ran.err);
    }
    let bad = written(&dir, "bad.jsonl", r#"{"preface":2,"first":0}"#);
    let ran = verify(&[&bad]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("its first line is not as 'jitctl audit export' writes it"), "{}", ran.err);
}

#[test]
fn in_every_format_an_export_leaves_the_proof_that_the_log_goes_on_in_a_file_beside_it() {
    for format in ["jsonl", "csv", "rfc5424", "cef", "ocsf"] {
        let dir = tempfile::tempdir().unwrap();
        let (live, [kept, ..]) = two_exports(&dir);
        let proof = dir.path().join("proof").display().to_string();
        let ran = live.export(&["--format", format, "--after", "4", "--proof", &proof]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.out.starts_with("{\"preface\""), format == "jsonl", "records alone: {ran:?}");
        let written = std::fs::read_to_string(&proof).unwrap();
        assert_eq!(proofs(&written), [(5, 8)], "from what its reader has");
        let ran = verify(&[&proof, "--checkpoint", &kept]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.out.contains("1 of 1 that were carried away"), "{}", ran.out);
        assert!(ran.out.contains("none of 8; the checkpoint and its proof alone"), "{}", ran.out);
        assert!(ran.err.contains("no record is here"), "{}", ran.err);
        // Nothing is written over, and without the file nothing is exported.
        let again = live.export(&["--format", format, "--proof", &proof]);
        assert_eq!((again.code, again.out.as_str()), (2, ""), "{again:?}");
        assert!(again.err.contains("File exists"), "{}", again.err);
        assert_eq!(std::fs::read_to_string(&proof).unwrap(), written);
    }
}

#[test]
fn the_proof_beside_an_export_of_a_log_that_was_changed_is_forked_by_what_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (_, [kept, ..]) = two_exports(&dir);
    let mut log = Log::new();
    log.records[1] = log.records[1].replace("erik", "anna");
    log.records.truncate(4);
    log.checkpoint();
    let live = Live::of(log);
    live.goes_on();
    let proof = dir.path().join("proof").display().to_string();
    assert_eq!(live.export(&["--format", "csv", "--after", "4", "--proof", &proof]).code, 0);
    assert_eq!(verify(&[&proof]).code, 0, "it agrees with itself");
    let ran = verify(&[&proof, "--checkpoint", &kept]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.out.starts_with("The log is FORKED\n"), "{}", ran.out);
}

#[test]
fn a_proof_that_an_export_has_no_place_for_is_not_left_out_in_silence() {
    let dir = tempfile::tempdir().unwrap();
    let (live, [kept, ..]) = two_exports(&dir);
    for args in [&["--format", "csv"][..], &["--since", "2026-11-01"]] {
        let ran = live.export(&[args, &["--from", &kept]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.err.contains("no place for the proof that --from asks for"), "{}", ran.err);
        let proof = dir.path().join(args.concat()).display().to_string();
        let ran = live.export(&[args, &["--from", &kept, "--proof", &proof]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(verify(&[&proof, "--checkpoint", &kept]).code, 0);
    }
}
