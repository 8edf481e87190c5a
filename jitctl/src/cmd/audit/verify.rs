//! `audit verify`: the log, from jitd or from files, held against its checkpoints. What is wrong is named, and where.

use std::path::{Path, PathBuf};

use jit_core::proof::checkpoint::Kept;
use jit_core::proof::note::PublicKey;
use jit_core::proof::verify::{Report, Verdict, Verifier};
use jit_core::sign::file::RequestFile;
use jit_proto::audit::Checkpoint;
use jit_proto::text::Shown;

use super::read::{Reader, each_line, named, unreadable};
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give};
use crate::screen::Screen;
use crate::table::properties;

/// The longest file that is taken for a checkpoint.
const LONGEST: usize = 64 * 1024;

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

fn checkpoint(path: &Path) -> Result<Kept, Error> {
    let text = std::fs::read_to_string(path).map_err(|why| unreadable(path, &why))?;
    if text.len() > LONGEST {
        return Err(Error::Usage(format!("{} is too long for a checkpoint", named(path))));
    }
    // What went out with a request left the host as well.
    if let Ok(request) = RequestFile::parse(text.as_bytes()) {
        let none = || Error::Usage(format!("{} went out before there was a checkpoint", named(path)));
        return request.checkpoint.map(Kept::from).ok_or_else(none);
    }
    text.parse().map_err(|why| Error::Usage(format!("{} is no checkpoint: {why}", named(path))))
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
        if std::mem::take(&mut is_first)
            && let Some(seq) = seq_of(bytes).filter(|seq| *seq > begins)
        {
            let before = if begins == 0 {
                "the files before it".to_owned()
            } else {
                format!("what is between {begins} and it")
            };
            return Err(Error::Usage(format!(
                "{} begins with record {seq}, and roots are made of all records: give {before}, too, in order",
                named(path)
            )));
        }
        verifier.take(bytes);
        tell(verifier, screen);
        Ok(())
    })
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
    let Report { verdict, records, root, keys, agree: (own, away), covered, findings } = report;
    let mut lines = vec![("Records", format!("{records}, each hashed anew")), ("Root", root.to_string())];
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
    if *away == 0 {
        view.said.push(
            "jitctl: the log agrees with itself. Whoever is root on its host can write another that does, too\n\
             hint: hold it against a checkpoint from elsewhere with: jitctl audit verify --checkpoint FILE"
                .to_owned(),
        );
    }
    view
}
