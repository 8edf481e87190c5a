//! `audit verify`: the log, from jitd or from files, held against its checkpoints. What is wrong is named, and where.

use std::path::{Path, PathBuf};

use jit_core::proof::note::PublicKey;
use jit_core::proof::preface::Preface;
use jit_core::proof::verify::{Report, Verdict, Verifier};
use jit_proto::audit::Checkpoint;
use jit_proto::text::Shown;

use super::proven::checkpoint;
use super::read::{Reader, each_line, named};
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give};
use crate::screen::Screen;
use crate::table::properties;

/// So many records make a line on a terminal, so that nobody takes long work for none.
const TOLD_EACH: u64 = 200_000;

pub(super) fn run(
    files: &[PathBuf],
    checkpoints: &[PathBuf],
    keys: &[PublicKey],
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let mut verifier = Verifier::new(keys.to_vec());
    for path in checkpoints {
        verifier.carried(Shown(&path.display().to_string()).to_string(), checkpoint(path)?);
    }
    if files.is_empty() {
        of_jitd(&mut verifier, jitd, screen)?;
    } else {
        for path in files {
            of_file(&mut verifier, path, screen)?;
        }
    }
    let carried = checkpoints.len();
    Ok(give(&verifier.report(), json, screen, |report: &Report| view(report, carried))?)
}

/// All that there is when this begins, under a checkpoint.
fn of_jitd(verifier: &mut Verifier, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let _: Checkpoint = jitd::ask(jitd, &Call::AuditCheckpoint)?;
    let mut reader = Reader::from(jitd, 0);
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
    let hashed = if *first == 0 {
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
    if *first > 0 {
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
