//! Proofs that jitd gives out, read into what can be verified: nothing in them is taken on its word.

use std::path::{Path, PathBuf};

use jit_core::digest::Digest;
use jit_core::proof::checkpoint::{Kept, Signed, Signs};
use jit_core::proof::merkle::Frontier;
use jit_core::proof::note::PublicKey;
use jit_core::proof::preface::{Consistency, Extent, Preface};
use jit_core::sign::file::RequestFile;
use jit_proto::audit::{Checkpoint, Proof, Tree};
use jit_proto::manager::Status;

use super::read::{named, unreadable};
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};

/// The longest file that is taken for a checkpoint.
const LONGEST: usize = 64 * 1024;

/// Reads a checkpoint that was kept: the note, its line from syslog, or a request that went out with it.
pub(super) fn checkpoint(path: &Path) -> Result<Kept, Error> {
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

/// The newest checkpoint as jitd has it, and the key that has signed it.
pub(super) fn newest(made: &Checkpoint) -> Result<(Signed, PublicKey), Error> {
    let garbled = || Error::Garbled("the checkpoint of this host's log".to_owned());
    let kept: Kept = made.note.parse().map_err(|_| garbled())?;
    let key: PublicKey = made.key.parse().map_err(|_| garbled())?;
    if kept.signed_by(std::slice::from_ref(&key)) != Signs::Well {
        return Err(garbled());
    }
    kept.plain().map(|signed| (signed, key)).ok_or_else(garbled)
}

/// Two trees of the log, and that the second goes on from the first.
pub(super) struct Extended {
    /// The tree as it was.
    pub(super) old: Frontier,
    /// And as it is.
    pub(super) new: Frontier,
    /// That it is the beginning of the new one; none where it has no records.
    pub(super) proof: Option<Consistency>,
}

/// Asks for the proof from so many records to so many.
pub(super) fn extended(jitd: &dyn Jitd, old: u64, new: u64) -> Result<Extended, Failure> {
    let garbled = || Error::Garbled(format!("the proof from {old} records to {new}"));
    let Proof { old: was, new: is, hashes } = jitd::ask(jitd, &Call::Proof { old, new })?;
    let frontier = |Tree { size, peaks }: Tree| {
        Frontier::of_peaks(size, digests(&peaks).ok_or_else(garbled)?).map_err(|_| garbled())
    };
    let (was, is) = (frontier(was)?, frontier(is)?);
    if (was.size(), is.size()) != (old, new) {
        return Err(garbled().into());
    }
    let hashes = digests(&hashes).ok_or_else(garbled)?;
    let proof = Consistency { from: Extent::from(&was), to: Extent::from(&is), hashes };
    if old > 0 && !proof.holds() {
        return Err(garbled().into());
    }
    Ok(Extended { old: was, new: is, proof: (old > 0).then_some(proof) })
}

fn digests(all: &[String]) -> Option<Vec<Digest>> {
    all.iter().map(|one| one.parse().ok()).collect()
}

/// The first line of a file that begins with a record, under the newest checkpoint: with the proofs from what its reader
/// has. That is what they say, or all before the first record, and else the checkpoint that left last, whoever took it.
pub(super) fn preface(
    made: &Checkpoint,
    first: u64,
    from: &[PathBuf],
    jitd: &dyn Jitd,
) -> Result<Preface, Failure> {
    let (checkpoint, key) = newest(made)?;
    let size = checkpoint.checkpoint.size;
    let mut proofs = Vec::new();
    let mut before = Frontier::default();
    if first > 0 {
        let Extended { old, new, proof } = extended(jitd, first.min(size), first.max(size))?;
        before = if first <= size { old } else { new };
        proofs.extend(proof);
    }
    for path in from {
        proofs.push(from_kept(path, (size, &key), jitd)?);
    }
    if proofs.is_empty() {
        let status: Status = jitd::ask(jitd, &Call::Status)?;
        let last = status.carried.map_or(0, |carried| carried.size);
        if (1..=size).contains(&last) {
            proofs.extend(extended(jitd, last, size)?.proof);
        }
    }
    Ok(Preface::new(&before, key, checkpoint, proofs))
}

/// The same for a file of its own, beside records in a form that has no place for it: it begins behind all that the
/// checkpoint covers, and has no records.
pub(super) fn beside(
    made: &Checkpoint,
    first: u64,
    from: &[PathBuf],
    jitd: &dyn Jitd,
) -> Result<Preface, Failure> {
    let Preface { checkpoint, key, proofs, .. } = preface(made, first, from, jitd)?;
    let size = checkpoint.checkpoint.size;
    Ok(Preface::new(&extended(jitd, size, size)?.new, key, checkpoint, proofs))
}

/// The proof from a checkpoint that its reader kept, which this log has to go on from.
fn from_kept(path: &Path, (size, key): (u64, &PublicKey), jitd: &dyn Jitd) -> Result<Consistency, Failure> {
    let kept = checkpoint(path)?;
    let (was, root) = (kept.checkpoint.size, kept.checkpoint.root);
    let no = |what: &str| {
        Error::Refused(format!(
            "nothing was exported: {} {what}; keep it, and see what the log is with: jitctl audit verify --checkpoint {}",
            named(path),
            named(path)
        ))
    };
    if kept.signed_by(std::slice::from_ref(key)) != Signs::Well {
        return Err(no("is not signed by the key of this host's log").into());
    }
    if was > size {
        return Err(no(&format!("covers {was} records, and the log has {size}")).into());
    }
    let proof = extended(jitd, was, size)?.proof.filter(|proof| proof.from.root == root);
    proof.ok_or_else(|| no("is of other records than those of this log").into())
}
