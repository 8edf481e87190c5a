//! One host's log, from all the files that have some of it: what is there, in which order, and what it is worth.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom, Take};
use std::path::PathBuf;

use jit_core::digest::Digest;
use jit_core::proof::note::{KeyName, PublicKey};
use jit_core::proof::preface::Preface;
use jit_core::proof::verify::{Finding, Verdict, Verifier};
use jit_host::files::{Owner, open_regular};
use serde::{Deserialize, Serialize};

use super::sources::{Logs, Part};
use crate::cmd::audit::read::{named, next_line, unreadable};
use crate::error::Error;

/// What is said of records that a gap parts from those before it.
pub(super) const BEHIND_A_GAP: &str = "what is behind them is shown, and no signature vouches for it here";

/// A host's log, and what it is.
#[derive(Debug, Serialize)]
pub(super) struct Judged {
    /// The host, by the name of its log.
    pub(super) host: String,
    /// In one word, as far as the first gap.
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
    // Whatever else stands in a file: the row that goes on is read before one that would leave a gap.
    while let Some(Reverse((part, from))) = rows.pop() {
        let mut leg = Leg { path: part.path, from, to: from };
        let mut input = Leg { to: u64::MAX, ..leg.clone() }.open()?;
        let mut expected = part.first;
        loop {
            let read = next_line(&mut input, &mut line).map_err(|why| unreadable(&leg.path, &why))?;
            if read == 0 {
                break;
            }
            // What proves a file alone proves nothing that all of them together do not.
            if Preface::is_one(&line) {
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
                continue;
            }
            if place > next {
                gaps.push((next, place - 1));
            }
            if gaps.is_empty() {
                verifier.take(&line);
            }
            first = first.or(Some(place));
            next = expected;
            records += 1;
        }
        read_in.push(leg);
    }
    let taken = verifier.taken();
    for (carried, kept) in logs.checkpoints {
        // Of what is behind a gap it says nothing.
        if gaps.is_empty() || kept.checkpoint.size <= taken {
            verifier.carried(carried, kept);
        }
    }
    let report = verifier.report();
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
        findings: report.findings,
        legs: read_in,
    })
}
