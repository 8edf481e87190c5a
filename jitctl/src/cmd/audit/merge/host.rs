//! One host's log, from all the files that have some of it: what is there, in which order, and what it is worth.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom, Take};
use std::path::PathBuf;

use jit_core::digest::Digest;
use jit_core::proof::checkpoint::{Kept, Signs};
use jit_core::proof::note::{KeyName, PublicKey};
use jit_core::proof::preface::{Extent, Preface};
use jit_core::proof::verify::{Finding, Verdict, Verifier};
use jit_host::files::{Owner, open_regular};
use serde::{Deserialize, Serialize};

use super::sources::{Logs, Part};
use crate::cmd::audit::read::{named, next_line, unreadable};
use crate::error::Error;

/// What is said of records that a gap parts from those before it.
pub(super) const BEHIND_A_GAP: &str = "what is behind them is shown, and no signature vouches for it here";

/// The same where the first line of a file proves what it goes on from.
pub(super) const PROVEN_BEHIND_A_GAP: &str =
    "what is behind them goes on from what is before them, by the proof that its file carries";

/// A host's log, and what it is.
#[derive(Debug, Serialize)]
pub(super) struct Judged {
    /// The host, by the name of its log.
    pub(super) host: String,
    /// In one word, as far as the first gap, and of what is proven behind one.
    pub(super) verdict: Verdict,
    /// How many records are here.
    pub(super) records: u64,
    /// The first of them.
    pub(super) first: u64,
    /// And the last.
    pub(super) last: u64,
    /// The root over those before any gap.
    pub(super) root: Digest,
    /// How many checkpoints that were carried agree.
    pub(super) agree: usize,
    /// Whether it was judged by a key that was given.
    pub(super) is_pinned: bool,
    /// Records that are in none of the files: from one to another.
    pub(super) gaps: Vec<(u64, u64)>,
    /// The first of those records behind a gap that a file proves to be of the same log, under the host's signature.
    pub(super) proven: Vec<u64>,
    /// All that is wrong.
    pub(super) findings: Vec<Finding>,
    /// What of the files is read, in order.
    #[serde(skip)]
    pub(super) legs: Vec<Leg>,
}

/// Records of a file that stand in a row: their bytes in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leg {
    pub(super) path: PathBuf,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Leg {
    /// Its bytes. Neither a link nor a pipe that has taken the file's place meanwhile.
    pub(super) fn open(&self) -> Result<Take<BufReader<File>>, Error> {
        let file = open_regular(&self.path, Owner::Anyone).map_err(|bad| Error::Usage(bad.to_string()))?;
        let mut input = BufReader::new(file);
        input.seek(SeekFrom::Start(self.from)).map_err(|why| unreadable(&self.path, &why))?;
        Ok(input.take(self.to.saturating_sub(self.from)))
    }
}

/// Rows of records that are still to be read, by the number of their first: of each file one.
type Rows = BinaryHeap<Reverse<(Part, u64)>>;

/// What is looked at in every record; the rest is its bytes.
#[derive(Deserialize)]
struct Seq {
    seq: u64,
}

/// Which place a line of an export has in its log. What does not say stands behind the one before it.
pub(super) fn place_of(bytes: &[u8], next: u64) -> u64 {
    serde_json::from_slice::<Seq>(bytes).map_or(next, |head| head.seq)
}

/// Records behind a gap, whose file says what the log before them comes to.
struct Behind {
    first: u64,
    /// Whether the log before the gap is the beginning of what the file left under.
    goes_on: bool,
    verifier: Verifier,
}

impl Behind {
    /// Of a file that begins there. Its first line counts where the host's key signed the checkpoint that it left under, and
    /// of its proofs those that lead to that; what they lead from is held against what is before the gap.
    fn of(name: &str, preface: &Preface, before: &mut Verifier) -> Option<Self> {
        let signed = Kept::from(preface.checkpoint.clone());
        if signed.signed_by(before.keys()) != Signs::Well {
            return None;
        }
        let mut verifier = Verifier::new(before.keys().to_vec());
        if !verifier.preface(name, preface) {
            return None;
        }
        let left = Extent { size: signed.checkpoint.size, root: signed.checkpoint.root };
        let mut goes_on = false;
        for proof in preface.proofs.iter().filter(|proof| proof.to == left && proof.holds()) {
            goes_on |= proof.from.size > 0 && proof.from.size <= before.taken();
            before.proof(name, proof.clone());
        }
        Some(Self { first: preface.first, goes_on, verifier })
    }
}

/// Reads all files of a host once, and judges what they come to. It keeps a hash of each record, and no record.
pub(super) fn judge(name: KeyName, logs: Logs, keys: &[PublicKey]) -> Result<Judged, Error> {
    let keys: Vec<_> = keys.iter().filter(|key| *key.name() == name).cloned().collect();
    let is_pinned = !keys.is_empty();
    let mut verifier = Verifier::new(keys);
    let (mut next, mut records, mut gaps) = (0, 0, Vec::new());
    let mut first = None;
    let mut read_in = Vec::new();
    let mut rows: Rows = logs.parts.into_iter().map(|part| Reverse((part, 0))).collect();
    let mut line = Vec::new();
    let mut behind: Vec<Behind> = Vec::new();
    // Whether a signature vouches for what is read.
    let mut is_judged = true;
    // Whatever else stands in a file: the row that goes on is read before one that would leave a gap.
    while let Some(Reverse((part, from))) = rows.pop() {
        let mut leg = Leg { path: part.path, from, to: from };
        let mut input = Leg { to: u64::MAX, ..leg.clone() }.open()?;
        let mut expected = part.first;
        let mut preface = None;
        loop {
            let read = next_line(&mut input, &mut line).map_err(|why| unreadable(&leg.path, &why))?;
            if read == 0 {
                break;
            }
            // What proves a file alone proves nothing that all of them together do not, but for what is behind a gap.
            if Preface::is_one(&line) {
                preface = Preface::read(&line).ok();
                leg.to += read as u64;
                continue;
            }
            let place = place_of(&line, expected);
            if place != expected {
                rows.push(Reverse((Part { first: place, path: leg.path.clone() }, leg.to)));
                break;
            }
            leg.to += read as u64;
            expected = place.saturating_add(1);
            if place < next {
                verifier.again(place, &line, &named(&leg.path));
                for one in &mut behind {
                    one.verifier.again(place, &line, &named(&leg.path));
                }
                continue;
            }
            if place > next {
                gaps.push((next, place - 1));
                let preface = preface.as_ref().filter(|preface: &&Preface| preface.first == place);
                let found = preface.and_then(|one| Behind::of(&named(&leg.path), one, &mut verifier));
                is_judged = found.is_some();
                behind.extend(found);
            }
            if is_judged {
                behind.last_mut().map_or(&mut verifier, |one| &mut one.verifier).take(&line);
            }
            first = first.or(Some(place));
            next = expected;
            records += 1;
        }
        read_in.push(leg);
    }
    let taken = verifier.taken();
    for (carried, kept) in logs.checkpoints {
        let size = kept.checkpoint.size;
        // Of what is behind a gap and not proven it says nothing.
        if gaps.is_empty() || size <= taken {
            verifier.carried(carried, kept);
        } else if let Some(one) =
            behind.iter_mut().find(|one| (one.first..=one.verifier.taken()).contains(&size))
        {
            one.verifier.carried(carried, kept);
        }
    }
    let mut report = verifier.report();
    let is_sound = report.findings.is_empty();
    let mut proven = Vec::new();
    for Behind { first, goes_on, verifier } in behind {
        let found = verifier.report();
        if is_sound && goes_on && found.findings.is_empty() {
            proven.push(first);
        }
        report.agree.1 += found.agree.1;
        report.verdict = report.verdict.max(found.verdict);
        report.findings.extend(found.findings);
    }
    Ok(Judged {
        host: name.as_str().strip_suffix("/jitd").unwrap_or(name.as_str()).to_owned(),
        verdict: report.verdict,
        records,
        first: first.unwrap_or(0),
        last: next.saturating_sub(1),
        root: report.root,
        agree: report.agree.1,
        is_pinned,
        gaps,
        proven,
        findings: report.findings,
        legs: read_in,
    })
}
