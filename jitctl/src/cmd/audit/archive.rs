//! `audit archive`: old records go into a file, and then out of the store. The file is written, synced and verified before
//! jitd is asked for that; whatever breaks off in between leaves the records where they are, and the file can be taken
//! as it is the next time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use jit_core::digest::Digest;
use jit_core::proof::merkle::{Frontier, leaf};
use jit_core::proof::note::PublicKey;
use jit_core::proof::preface::{Extent, Preface};
use jit_core::proof::verify::{Verdict, Verifier};
use jit_core::time::Utc;
use jit_proto::audit::{Archive, Archives, Checkpoint};
use jit_proto::words::{FileName, Reason};
use serde::Deserialize;

use super::proven::{extended, newest};
use super::read::{Reader, named};
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View};
use crate::screen::Screen;
use crate::table::Table;
use crate::times::typed::Bound;

/// What to archive.
#[derive(Clone, Debug, Args)]
pub(crate) struct Wanted {
    /// The file to write; it must not be there, unless an archive was broken off behind it
    #[arg(value_name = "FILE", required_unless_present = "list")]
    file: Option<PathBuf>,
    /// Only records from before a time, such as '2023-01-01' [default: as the policy's retain has it]
    #[arg(long, value_name = "TIME")]
    before: Option<Bound>,
    /// What to enter in the log with it
    #[arg(long, value_name = "TEXT")]
    note: Option<Reason>,
    /// Show which archives there are instead
    #[arg(long, conflicts_with_all = ["file", "before", "note"])]
    list: bool,
}

pub(super) fn run(
    wanted: &Wanted,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let Some(file) = &wanted.file else {
        return jitd::show(jitd, &Call::Archives, json, screen, list);
    };
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or("");
    let name: FileName = name.parse().map_err(|why| Error::Usage(format!("{}: {why}", named(file))))?;
    let known: Archives = jitd::ask(jitd, &Call::Archives)?;
    let made: Checkpoint = jitd::ask(jitd, &Call::AuditCheckpoint)?;
    let (_, key) = newest(&made)?;
    if !file.exists() {
        let Some(end) = end(wanted, &known, jitd, screen)? else {
            screen.say("jitctl: no record that is still here is old enough; nothing was written");
            return Ok(Outcome::Yes);
        };
        write(file, known.begins, end, &made, jitd)?;
    }
    let found = verified(file, &key)?;
    let digest = found.digest.to_string();
    if known.archives.iter().any(|archive| archive.digest == digest) {
        screen
            .say(&format!("jitctl: these records were archived already, in this very file: {}", named(file)));
        return Ok(Outcome::Yes);
    }
    let Found { first, end: Extent { size: end, root }, digest } = found;
    let order = Call::Archive { end, root, file: name, digest, note: wanted.note.clone() };
    if first != known.begins {
        return Err(Error::Refused(format!(
            "{} begins with record {first}, and the first that is here is {}; give another file",
            named(file),
            known.begins
        ))
        .into());
    }
    let done: Result<Archive, Failure> = jitd::ask(jitd, &order);
    let done = done.inspect_err(|_| {
        screen.say(&format!(
            "jitctl: {} is whole; unless jitd says otherwise, the records are here as well",
            named(file)
        ));
    })?;
    let view = |done: &Archive| {
        let last = done.end.saturating_sub(1);
        let mut view = View::yes(format!(
            "records {} to {last} are in {}, and no longer in the store (sha256 {})\n",
            done.first,
            named(file),
            done.digest
        ));
        view.said.push(
            "hint: keep that file where the store's backups are not, and have it verified there: jitctl audit verify FILE"
                .to_owned(),
        );
        view
    };
    Ok(crate::output::give(&done, json, screen, view)?)
}

fn list(known: &Archives) -> View {
    let mut table = Table::new(["FIRST", "LAST", "FILE", "SHA-256"]);
    for Archive { first, end, file, digest, .. } in &known.archives {
        table.row([first.to_string(), end.saturating_sub(1).to_string(), file.clone(), digest.clone()]);
    }
    let mut view = View::yes(table.text());
    let kept = known.retain_seconds.map_or("for ever".to_owned(), |seconds| {
        format!("{} days at least", seconds / Duration::from_hours(24).as_secs())
    });
    view.said.push(format!("jitctl: from record {} on, all are here; records stay {kept}", known.begins));
    view
}

/// What is looked at in a record.
#[derive(Deserialize)]
struct Timed {
    time: Utc,
}

/// The record behind the last that is to go; none where none is.
fn end(
    wanted: &Wanted,
    known: &Archives,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Option<u64>, Failure> {
    let garbled = |what: &str| Error::Garbled(format!("the {what} of the log"));
    let Some(retain) = known.retain_seconds else {
        return Err(Error::Refused(
            "the policy keeps every record for ever; a floor, such as retain = \"3y\" (jit-policy(5)), lets older ones go"
                .to_owned(),
        )
        .into());
    };
    let now: Utc = known.now.parse().map_err(|_| garbled("time"))?;
    let floor = now.minus(Duration::from_secs(retain));
    let before = match &wanted.before {
        Some(typed) => {
            let before = typed.utc().map_err(|why| Error::Usage(why.to_string()))?;
            screen.say(&typed.repeated("--before", before));
            before.min(floor)
        }
        None => floor,
    };
    let most = known.begins.saturating_add(known.most).min(known.total.saturating_sub(1));
    let mut end = known.begins;
    let mut reader = Reader::from(jitd, known.begins);
    'all: while let Some(page) = reader.page()? {
        for record in &page.records {
            let timed = serde_json::from_str::<Timed>(record);
            if end >= most || timed.map_or(true, |timed| timed.time >= before) {
                break 'all;
            }
            end += 1;
        }
    }
    Ok((end > known.begins).then_some(end))
}

/// Writes the file whole or not at all.
fn write(path: &Path, first: u64, end: u64, made: &Checkpoint, jitd: &dyn Jitd) -> Result<(), Failure> {
    let (checkpoint, key) = newest(made)?;
    let size = checkpoint.checkpoint.size;
    if size < end {
        return Err(Error::Busy("no checkpoint covers what is to go; try again".to_owned()).into());
    }
    let before: Frontier = extended(jitd, first, size)?.old;
    let going = extended(jitd, end, size)?;
    let proofs = going.proof.into_iter().collect();
    let mut preface = Preface::new(&before, key, checkpoint, proofs);
    preface.end = Some(Extent::from(&going.old));
    let line = preface.line().map_err(|why| Error::Garbled(why.to_string()))?;
    let part = part_of(path);
    let unwritable = |why: io::Error| Error::Usage(format!("{} cannot be written ({why})", named(&part)));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).map_err(unwritable)?;
    let mut out = BufWriter::new(file);
    let written = records(&mut out, &line, (first, end), &before, jitd);
    let tree = written.inspect_err(|_| drop(fs::remove_file(&part)))?;
    if Some(Extent::from(&tree)) != preface.end {
        drop(fs::remove_file(&part));
        return Err(Error::Garbled("its records do not come to the root of its log".to_owned()).into());
    }
    let synced = out.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all());
    // A link takes no other file's place.
    let placed = synced.and_then(|()| fs::hard_link(&part, path));
    drop(fs::remove_file(&part));
    placed.and_then(|()| synced_folder(path)).map_err(unwritable)?;
    Ok(())
}

fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    PathBuf::from(part)
}

fn synced_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn records(
    out: &mut BufWriter<File>,
    preface: &str,
    (first, end): (u64, u64),
    before: &Frontier,
    jitd: &dyn Jitd,
) -> Result<Frontier, Failure> {
    let unwritable = |why: io::Error| Error::Usage(format!("the archive cannot be written ({why})"));
    let mut tree = before.clone();
    writeln!(out, "{preface}").map_err(unwritable)?;
    let mut reader = Reader::from(jitd, first);
    while tree.size() < end
        && let Some(page) = reader.page()?
    {
        for record in &page.records {
            if tree.size() == end {
                break;
            }
            tree.append(leaf(record.as_bytes()));
            writeln!(out, "{record}").map_err(unwritable)?;
        }
    }
    Ok(tree)
}

/// What an archive has.
struct Found {
    first: u64,
    end: Extent,
    digest: Digest,
}

/// Reads the file from the disk, and judges it as anybody would: by this host's key alone.
fn verified(path: &Path, key: &PublicKey) -> Result<Found, Error> {
    let no = |what: &str| {
        Error::Refused(format!("{} {what}; the records are in the store, and stay there", named(path)))
    };
    let bytes = fs::read(path).map_err(|why| super::read::unreadable(path, &why))?;
    let mut lines = bytes.strip_suffix(b"\n").unwrap_or(&bytes).split(|byte| *byte == b'\n');
    let preface = lines.next().and_then(|line| Preface::read(line).ok());
    let preface = preface.ok_or_else(|| no("is no archive"))?;
    let end = preface.end.ok_or_else(|| no("is an export, and no archive"))?;
    let mut verifier = Verifier::new(vec![key.clone()]);
    let is_taken = verifier.preface(&named(path), &preface);
    lines.for_each(|line| verifier.take(line));
    let report = verifier.report();
    let is_whole = is_taken && report.verdict == Verdict::Whole && report.covered == end.size;
    if !is_whole || (report.records, report.root) != (end.size, end.root) {
        return Err(no(&format!("is {}", report.verdict)));
    }
    Ok(Found { first: preface.first, end, digest: Digest::of(&bytes) })
}
