//! `audit verify`: the log, from jitd or from files, held against its checkpoints. What is wrong is named, and where.

use std::path::{Path, PathBuf};

use jit_core::digest::Digest;
use jit_core::proof::note::PublicKey;
use jit_core::proof::preface::Preface;
use jit_core::proof::verify::{Report, Verdict, Verifier};
use jit_proto::audit::{Archive, Archives, Checkpoint};
use jit_proto::text::Shown;

use super::proven::{checkpoint, extended, newest};
use super::read::{Reader, each_line, named, unreadable};
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give};
use crate::screen::Screen;
use crate::table::properties;

/// So many records make a line on a terminal, so that nobody takes long work for none.
const TOLD_EACH: u64 = 200_000;

/// What is verified, and held against what.
pub(super) struct Given<'a> {
    pub(super) files: &'a [PathBuf],
    pub(super) archives: &'a [PathBuf],
    pub(super) checkpoints: &'a [PathBuf],
    pub(super) keys: &'a [PublicKey],
}

pub(super) fn run(
    given: &Given<'_>,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let Given { files, archives, checkpoints, keys } = *given;
    let mut verifier = Verifier::new(keys.to_vec());
    let mut kept_sizes = Vec::new();
    for path in checkpoints {
        let kept = checkpoint(path)?;
        kept_sizes.push(kept.checkpoint.size);
        verifier.carried(Shown(&path.display().to_string()).to_string(), kept);
    }
    if files.is_empty() {
        of_jitd(&mut verifier, archives, &kept_sizes, jitd, screen)?;
    } else {
        for path in files {
            of_file(&mut verifier, path, screen)?;
        }
    }
    let carried = checkpoints.len();
    Ok(give(&verifier.report(), json, screen, |report: &Report| view(report, carried))?)
}

/// All that there is when this begins, under a checkpoint.
fn of_jitd(
    verifier: &mut Verifier,
    files: &[PathBuf],
    kept_sizes: &[u64],
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<(), Failure> {
    let made: Checkpoint = jitd::ask(jitd, &Call::AuditCheckpoint)?;
    let known: Archives = jitd::ask(jitd, &Call::Archives)?;
    let begins = known.begins;
    for path in files {
        let before = verifier.taken();
        of_file(verifier, path, screen)?;
        let first = verifier.first().max(before);
        let digest = Digest::of(&std::fs::read(path).map_err(|why| unreadable(path, &why))?).to_string();
        let is_its_own = |archive: &&Archive| archive.first == first && archive.digest == digest;
        if known.archives.iter().find(is_its_own).is_none() {
            verifier.is_no_archive(&named(path), (first, verifier.taken()));
        }
    }
    if begins > 0 && files.is_empty() {
        verifier.behind(extended(jitd, begins, begins)?.new);
        // The record that names the key is in an archive.
        verifier.named_key(newest(&made)?.1);
        // What was carried away earlier than what is here began is proven to be its beginning.
        for size in kept_sizes.iter().filter(|size| (1..begins).contains(*size)) {
            if let Some(proof) = extended(jitd, *size, begins)?.proof {
                verifier.proof("jitd's answer", proof);
            }
        }
        for Archive { first, end, file, digest, .. } in &known.archives {
            let last = end.saturating_sub(1);
            screen.say(&format!(
                "jitctl: records {first} to {last} are in the archive {file} (sha256 {digest})"
            ));
        }
        screen.say(
            "hint: to verify those as well, give the files in order: jitctl audit verify --archive FILE",
        );
    }
    if begins > verifier.taken() {
        let (first, next) = (begins, verifier.taken());
        let what = format!(
            "this host's log begins with record {first}, and the archives end before {next}: give all"
        );
        return Err(Error::Usage(what).into());
    }
    verifier.needs_archives(begins);
    let mut reader = Reader::from(jitd, begins);
    while let Some(page) = reader.page()? {
        for text in &page.records {
            verifier.take(text.as_bytes());
            tell(verifier, screen);
        }
        for seq in page.damaged {
            verifier.damaged(seq);
        }
    }
    Ok(())
}

fn of_file(verifier: &mut Verifier, path: &Path, screen: &mut Screen<'_>) -> Result<(), Error> {
    let mut is_first = true;
    each_line(path, |bytes| {
        let begins = verifier.taken();
        // Files that were put together have more than one.
        if Preface::is_one(bytes) {
            let preface = Preface::read(bytes);
            let preface = preface.map_err(|why| Error::Usage(format!("{}: {why}", named(path))))?;
            if !verifier.preface(&named(path), &preface) {
                return Err(out_of_order(path, preface.first, begins));
            }
            is_first = false;
            return Ok(());
        }
        if std::mem::take(&mut is_first)
            && let Some(seq) = seq_of(bytes).filter(|seq| *seq > begins)
        {
            return Err(out_of_order(path, seq, begins));
        }
        verifier.take(bytes);
        tell(verifier, screen);
        Ok(())
    })
}

/// A file that does not go on where the one before it ended.
fn out_of_order(path: &Path, first: u64, next: u64) -> Error {
    let what = if next == 0 {
        "give the files before it, too, in order".to_owned()
    } else if first > next {
        format!("give what is between {next} and it, too, in order")
    } else {
        format!("the files before it end with record {}: give each once, in order", next - 1)
    };
    Error::Usage(format!(
        "{} begins with record {first}, and roots are made of all records: {what}",
        named(path)
    ))
}

fn seq_of(bytes: &[u8]) -> Option<u64> {
    let record: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    record.get("seq")?.as_u64()
}

fn tell(verifier: &Verifier, screen: &mut Screen<'_>) {
    let taken = verifier.taken();
    if screen.terminal && taken.is_multiple_of(TOLD_EACH) {
        screen.say(&format!("jitctl: {taken} records hashed"));
    }
}

fn view(report: &Report, carried: usize) -> View {
    let Report { verdict, first, records, root, keys, agree: (own, away), covered, findings } = report;
    // The proof alone, as `audit export --proof` writes it.
    let is_alone = *first > 0 && first == records;
    let hashed = if is_alone {
        format!("none of {records}; the checkpoint and its proof alone")
    } else if *first == 0 {
        format!("{records}, each hashed anew")
    } else {
        format!("{first} to {}, each hashed anew", records.saturating_sub(1))
    };
    let mut lines = vec![("Records", hashed), ("Root", root.to_string())];
    lines.extend(keys.iter().map(|key| ("Key", key.to_string())));
    lines
        .push(("Agree", format!("{own} checkpoints in the log, {away} of {carried} that were carried away")));
    lines.push(("Covered", format!("{covered} records, by the last checkpoint that agrees")));
    for finding in findings {
        lines.push(("Found", format!("{}: {}", finding.verdict, finding.what)));
    }
    let mut view = View::yes(properties(&format!("The log is {verdict}"), &lines));
    if *verdict != Verdict::Whole {
        view.outcome = Outcome::No;
        view.said.push(
            "jitctl: this log is not proven to be what was written on this host\n\
             hint: keep the file and the checkpoints as they are; docs/audit.md says what each word means"
                .to_owned(),
        );
        return view;
    }
    let behind = records.saturating_sub(*covered);
    // One is the record of that checkpoint itself.
    if behind > 1 {
        view.said.push(format!(
            "jitctl: no checkpoint covers the last {behind}: that nothing is missing behind them, nobody can tell"
        ));
    }
    if is_alone {
        view.said.push(
            "jitctl: no record is here; of the log, it is shown what it came to under its host's signature, and that it went on from \
             the checkpoints that agree"
                .to_owned(),
        );
    } else if *first > 0 {
        view.said.push(format!(
            "jitctl: records 0 to {} are not here; of those, it is shown that these go on from the root over them",
            first.saturating_sub(1)
        ));
    }
    if *away == 0 {
        view.said.push(
            "jitctl: the log agrees with itself. Whoever is root on its host can write another that does, too\n\
             hint: hold it against a checkpoint from elsewhere with: jitctl audit verify --checkpoint FILE"
                .to_owned(),
        );
    }
    view
}
