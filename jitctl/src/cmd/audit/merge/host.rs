//! One host's log, from all the files that have some of it: what is there, in which order, and what it is worth.

use std::path::PathBuf;

use jit_core::digest::Digest;
use jit_core::proof::note::{KeyName, PublicKey};
use jit_core::proof::verify::{Finding, Verdict, Verifier};
use serde::{Deserialize, Serialize};

use super::sources::{Logs, Part};
use crate::cmd::audit::read::{each_line, named};
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
    /// The files, in order.
    #[serde(skip)]
    pub(super) parts: Vec<PathBuf>,
}

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
    for Part { path, .. } in &logs.parts {
        each_line(path, |bytes| {
            let place = place_of(bytes, next);
            if place < next {
                verifier.again(place, bytes, &named(path));
                return Ok(());
            }
            if place > next {
                gaps.push((next, place - 1));
            }
            if gaps.is_empty() {
                verifier.take(bytes);
            }
            first = first.or(Some(place));
            next = place.saturating_add(1);
            records += 1;
            Ok(())
        })?;
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
        parts: logs.parts.into_iter().map(|part| part.path).collect(),
    })
}
