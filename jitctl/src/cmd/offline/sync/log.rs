//! The log of this host is put into the exchange: the records that are not there yet, and the newest checkpoint. What is
//! there is read, since a name alone proves nothing; it counts where it comes to the root that jitd has signed.

use jit_core::digest::Digest;
use jit_core::proof::checkpoint::{Kept, Signs};
use jit_core::proof::merkle::{Frontier, leaf};
use jit_exchange::folder::{Bad, Exchange, Folder};
use jit_exchange::listing::Listing;
use jit_exchange::names::{Name, Part};
use jit_exchange::segments::{Segment, ways};
use jit_proto::audit::Checkpoint;

use super::done::{Done, Here};
use super::put_out::key;
use crate::call::Call;
use crate::cmd::audit::read::Reader;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};

/// So many files are left free: a run that cannot be finished leaves a log that cannot be read.
const RESERVE: usize = 64;

/// Why it did not go on.
enum Stop {
    Folder(Bad),
    Jitd(Failure),
    /// Archives have the records before this one, and the folder does not.
    Archived(u64),
}

impl From<Bad> for Stop {
    fn from(bad: Bad) -> Self {
        Self::Folder(bad)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Jitd(failure)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Jitd(error.into())
    }
}

pub(super) fn run(exchange: &Exchange, here: &Here, jitd: &dyn Jitd, done: &mut Done) -> Result<(), Failure> {
    let made: Checkpoint = jitd::ask(jitd, &Call::AuditCheckpoint)?;
    match put(exchange, here, jitd, &made, done) {
        Ok(()) => Ok(()),
        Err(Stop::Jitd(failure)) => Err(failure),
        Err(Stop::Archived(begins)) => {
            done.undone.push(format!(
                "the log was not put out: its records before {begins} are in archives, and not in this folder; carry \
                 those with an export (see: jitctl audit archive --list)"
            ));
            Ok(())
        }
        Err(Stop::Folder(bad)) => {
            done.bad("not all of the log was put out", &bad);
            Ok(())
        }
    }
}

fn put(
    exchange: &Exchange,
    here: &Here,
    jitd: &dyn Jitd,
    made: &Checkpoint,
    done: &mut Done,
) -> Result<(), Stop> {
    let garbled = || Error::Garbled("the checkpoint of this host's log".to_owned());
    let kept: Kept = made.note.parse().map_err(|_| garbled())?;
    if kept.signed_by(std::slice::from_ref(&here.key)) != Signs::Well {
        return Err(garbled().into());
    }
    let (size, root) = (kept.checkpoint.size, kept.checkpoint.root);
    let folder = exchange.make(Part::Logs, Some(&here.host))?;
    let listing = folder.listing(Part::Logs)?;
    folder.clean(&listing, here.now);
    done.notes.extend(listing.passed_over(folder.what(), Part::Logs));
    shrunk(&folder, &listing, here, size, done);
    let name = Name::Checkpoint { size, digest: Digest::of(made.note.as_bytes()) };
    let there = segments(&listing);
    let ways = ways(&there);
    let reaches = ways.iter().any(|way| way.last().is_some_and(|last| last.next >= size));
    if reaches && folder.has(&name, made.note.as_bytes()) {
        done.checkpoint = Some(size);
        return Ok(());
    }
    if listing.names.len() + RESERVE > Part::Logs.most() {
        done.undone.push(format!(
            "{} has as many files as are read of a log: begin another folder for it",
            folder.what()
        ));
        return Ok(());
    }
    let mut is_whole = false;
    // Last, nothing that is there is taken for this log.
    for way in ways.iter().map(Vec::as_slice).chain([&[][..]]) {
        let mut fold = Fold { tree: Frontier::default(), size, root: None };
        read(&folder, way, &mut fold);
        is_whole = goes_on(&folder, jitd, &mut fold, done)? && fold.root == Some(root);
        if is_whole {
            break;
        }
        if !way.is_empty() {
            done.undone.push(format!(
                "{} has records of this host's log that are others than in the log here: they were changed on their \
                 way, or the log was; all of it was put out beside them (see: jitctl audit verify)",
                folder.what()
            ));
        }
    }
    if !is_whole {
        return Err(
            Error::Garbled("its records do not come to the root that it has signed".to_owned()).into()
        );
    }
    key(&folder, here)?;
    folder.put(&name, made.note.as_bytes())?;
    done.checkpoint = Some(size);
    Ok(())
}

fn segments(listing: &Listing) -> Vec<Segment> {
    let segment = |name: &Name| if let Name::Records(segment) = name { Some(*segment) } else { None };
    listing.names.iter().filter_map(segment).collect()
}

/// A checkpoint by this very key over more records than there are: whoever has the folder has the proof.
fn shrunk(folder: &Folder, listing: &Listing, here: &Here, size: u64, done: &mut Done) {
    let larger = listing.names.iter().rev().find_map(|name| {
        let signed = super::super::home::checkpoint(folder, name).ok().flatten()?;
        let is_ours = Kept::from(signed.clone()).signed_by(std::slice::from_ref(&here.key)) == Signs::Well;
        (is_ours && signed.checkpoint.size > size).then_some(signed.checkpoint.size)
    });
    if let Some(larger) = larger {
        done.undone.push(format!(
            "TRUNCATED: {} has a checkpoint of this host over {larger} records, and the log here has {size}: the log \
             was cut off, or an old copy was restored (keep the folder as it is, and see docs/audit.md)",
            folder.what()
        ));
    }
}

/// A tree that grows, and the root that it had at one size.
struct Fold {
    tree: Frontier,
    size: u64,
    root: Option<Digest>,
}

impl Fold {
    fn take(&mut self, record: &[u8]) {
        self.tree.append(leaf(record));
        if self.tree.size() == self.size {
            self.root = Some(self.tree.root());
        }
    }
}

/// Reads pieces up to the first that is not as its name says.
fn read(folder: &Folder, way: &[Segment], fold: &mut Fold) {
    for segment in way {
        let Ok(bytes) = folder.read(&Name::Records(*segment)) else { return };
        let Some(lines) = segment.lines(&bytes) else { return };
        for line in lines {
            fold.take(line);
        }
    }
}

/// Writes what is behind, a page at a time; false where there is less in the log than in the folder.
fn goes_on(folder: &Folder, jitd: &dyn Jitd, fold: &mut Fold, done: &mut Done) -> Result<bool, Stop> {
    let first = fold.tree.size();
    if first > 0 {
        // Only up to where the log itself goes.
        let end = total(jitd, first)?;
        if first >= end {
            return Ok(first == end);
        }
    }
    let mut reader = Reader::from(jitd, first);
    while let Some(page) = reader.page()? {
        let first = fold.tree.size();
        if page.begins > first {
            return Err(Stop::Archived(page.begins));
        }
        let mut text = String::new();
        for record in &page.records {
            fold.take(record.as_bytes());
            text += record;
            text.push('\n');
        }
        for seq in &page.damaged {
            done.notes.push(format!("record {seq} is not as it was written; see: jitctl audit verify"));
        }
        let digest = Digest::of(text.as_bytes());
        let segment = Segment::new(first, fold.tree.size(), digest);
        let segment = segment.ok_or_else(|| Error::Garbled("a page of the log".to_owned()))?;
        folder.put(&Name::Records(segment), text.as_bytes())?;
        done.records += page.records.len() as u64;
    }
    Ok(true)
}

/// How many records the log has.
fn total(jitd: &dyn Jitd, from: u64) -> Result<u64, Failure> {
    let call = Call::Records { first: from, most: 1 };
    jitd::ask::<jit_proto::audit::Page>(jitd, &call).map(|page| page.total)
}
