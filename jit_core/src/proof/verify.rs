//! Whether a log is the one that its checkpoints were made of: every byte is hashed anew, and nothing that is written
//! beside the records is believed.
//!
//! What is compared are roots, at the sizes of all checkpoints there are: those among the records themselves, and those
//! that somebody carried away. The first say that the log agrees with itself. Whoever is root on the host has its key
//! and can write a whole new log with new checkpoints; only one that was carried away contradicts that.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, Kept, Signed, Signs};
use super::merkle::{self, Frontier};
use super::note::PublicKey;
use crate::digest::Digest;

/// What the log is, in one word. The worst comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// Every record is there, as its checkpoints have it.
    Whole,
    /// A checkpoint cannot be judged: another key signed it, or none did.
    Unproven,
    /// Records are missing at the end.
    Truncated,
    /// Records are not those that a checkpoint was made of.
    Rewritten,
    /// The host's key has signed two logs that contradict each other.
    Forked,
}

impl Verdict {
    /// The word in output and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "WHOLE",
            Self::Unproven => "UNPROVEN",
            Self::Truncated => "TRUNCATED",
            Self::Rewritten => "REWRITTEN",
            Self::Forked => "FORKED",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What that makes of the log.
    pub verdict: Verdict,
    /// The first record that it can be about.
    pub from: u64,
    /// The record behind the last that it can be about; where records are missing, how many there should be.
    pub to: u64,
    /// What is wrong, in words.
    pub what: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// In one word.
    pub verdict: Verdict,
    /// How many records there are.
    pub records: u64,
    /// The root over them.
    pub root: Digest,
    /// The keys that checkpoints were judged by.
    pub keys: Vec<PublicKey>,
    /// How many checkpoints agree with the records: of those among them, and of those that were carried away.
    pub agree: (usize, usize),
    /// How many records the last checkpoint covers that agrees. What is behind it, no signature vouches for.
    pub covered: u64,
    /// All that is wrong.
    pub findings: Vec<Finding>,
}

/// Where a checkpoint comes from.
#[derive(Clone, Debug)]
enum From {
    Record(u64),
    Carried(String),
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(seq) => write!(f, "the checkpoint in record {seq}"),
            Self::Carried(name) => write!(f, "checkpoint {name}"),
        }
    }
}

/// So many findings about single records are listed; a log that is no log at all has one for each.
const MOST: usize = 20;

/// Takes the records one by one, in order, and then says what they are.
#[derive(Debug, Default)]
pub struct Verifier {
    pinned: bool,
    keys: Vec<PublicKey>,
    leaves: Vec<Digest>,
    checkpoints: Vec<(From, Kept)>,
    findings: Vec<Finding>,
}

/// What is looked at in every record; the rest is its bytes.
#[derive(Deserialize)]
struct Head<'a> {
    seq: u64,
    #[serde(borrow)]
    event: std::borrow::Cow<'a, str>,
}

/// The record of a key.
#[derive(Deserialize)]
struct Keyed {
    key: PublicKey,
}

impl Verifier {
    /// By these keys alone, or where there are none, by those that the log itself names.
    #[must_use]
    pub fn new(keys: Vec<PublicKey>) -> Self {
        Self { pinned: !keys.is_empty(), keys, ..Self::default() }
    }

    /// Adds a checkpoint that somebody carried away, by the name that messages are to have for it.
    pub fn carried(&mut self, name: String, checkpoint: Kept) {
        self.checkpoints.push((From::Carried(name), checkpoint));
    }

    /// How many records have been taken.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// Takes the exact bytes of the next record.
    pub fn take(&mut self, bytes: &[u8]) {
        let place = self.taken();
        self.leaves.push(merkle::leaf(bytes));
        match serde_json::from_slice::<Head<'_>>(bytes) {
            Err(why) => self.is_not(place, format!("what is in place of record {place} is no record: {why}")),
            Ok(head) if head.seq != place => {
                self.is_not(place, format!("record {} is in place of record {place}", head.seq));
            }
            Ok(head) => match head.event.as_ref() {
                "checkpoint" => match serde_json::from_slice::<Signed>(bytes) {
                    Ok(signed) => self.checkpoints.push((From::Record(place), signed.into())),
                    Err(why) => self.is_not(place, format!("record {place} is no checkpoint: {why}")),
                },
                "host-key" => match serde_json::from_slice::<Keyed>(bytes) {
                    Ok(keyed) => self.key(place, keyed.key),
                    Err(why) => self.is_not(place, format!("record {place} is no key: {why}")),
                },
                _ => {}
            },
        }
    }

    /// Takes the bytes of a record once more, from another copy of the log: they are those that were taken in its place, or
    /// the log has two histories.
    pub fn again(&mut self, place: u64, bytes: &[u8], copy: &str) {
        let before = usize::try_from(place).ok().and_then(|place| self.leaves.get(place));
        if before.is_some_and(|before| *before != merkle::leaf(bytes)) && self.findings.len() < MOST {
            let what = format!("record {place} is another in {copy} than before it");
            self.find(Verdict::Forked, place, place + 1, what);
        }
    }

    /// Whoever gave the record out says that its bytes are not those that were hashed when it was written.
    pub fn damaged(&mut self, place: u64) {
        self.is_not(
            place,
            format!("the bytes of record {place} are not those that were hashed when it was written"),
        );
    }

    fn key(&mut self, place: u64, key: PublicKey) {
        if self.keys.contains(&key) {
            return;
        }
        if self.pinned {
            let what = format!(
                "from record {place} on, the log is signed by key {} of {}, which is not one that was given",
                key.id(),
                key.name()
            );
            self.find(Verdict::Unproven, place, place + 1, what);
        } else {
            self.keys.push(key);
        }
    }

    /// What stands here is not what was written here.
    fn is_not(&mut self, place: u64, what: String) {
        if self.findings.len() < MOST {
            self.find(Verdict::Rewritten, place, place + 1, what);
        }
    }

    fn find(&mut self, verdict: Verdict, from: u64, to: u64, what: String) {
        self.findings.push(Finding { verdict, from, to, what });
    }

    /// The end of the log: what it is.
    #[must_use]
    pub fn report(mut self) -> Report {
        let records = self.taken();
        let mut checkpoints = std::mem::take(&mut self.checkpoints);
        checkpoints.sort_by_key(|(_, kept)| kept.checkpoint.size);
        let (mut agreeing, mut others) = (Vec::new(), Vec::new());
        let mut tree = Frontier::default();
        let mut leaves = std::mem::take(&mut self.leaves).into_iter();
        for (from, kept) in checkpoints {
            if !self.is_signed(&from, &kept) {
                continue;
            }
            let Checkpoint { size, root, .. } = kept.checkpoint;
            while tree.size() < size {
                let Some(leaf) = leaves.next() else { break };
                tree.append(leaf);
            }
            if tree.size() == size && tree.root() == root {
                agreeing.push((from, size));
            } else {
                others.push((from, size));
            }
        }
        leaves.for_each(|leaf| tree.append(leaf));
        for (from, size) in others {
            self.disagrees(&from, size, records, &agreeing);
        }
        let carried = agreeing.iter().filter(|(from, _)| matches!(from, From::Carried(_))).count();
        let verdict = self.findings.iter().map(|finding| finding.verdict).max();
        Report {
            verdict: verdict.unwrap_or(Verdict::Whole),
            records,
            root: tree.root(),
            keys: self.keys,
            agree: (agreeing.len() - carried, carried),
            covered: agreeing.iter().map(|(_, size)| *size).max().unwrap_or(0),
            findings: self.findings,
        }
    }

    /// Whether a checkpoint counts. One that nobody signed, or somebody else, says nothing about this log.
    fn is_signed(&mut self, from: &From, kept: &Kept) -> bool {
        let Checkpoint { size, origin, .. } = &kept.checkpoint;
        let what = match (kept.signed_by(&self.keys), from) {
            (Signs::Well, From::Record(seq)) if size > seq => {
                format!("{from} covers {size} records, and there were {seq} when it was written")
            }
            (Signs::Well, _) => return true,
            (Signs::Badly, _) => format!("{from} is not as the host's key signed it"),
            (Signs::Not, From::Record(_)) => format!("{from} is not signed by the host's key"),
            (Signs::Not, From::Carried(_)) if self.keys.is_empty() => {
                format!("{from} cannot be judged: the log names no key; give the host's with --key")
            }
            (Signs::Not, From::Carried(_)) => format!(
                "{from} is of {origin}, and not signed by the key of this log ({}): it is another host's, or the \
                 host's key was replaced, or the log was written anew with another key",
                self.keys
                    .iter()
                    .map(|key| format!("{} {}", key.name(), key.id()))
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        };
        let (verdict, at) = match from {
            // It stands among the records, which were not written so.
            From::Record(seq) => (Verdict::Rewritten, *seq),
            From::Carried(_) => (Verdict::Unproven, 0),
        };
        self.find(verdict, at, at + 1, what);
        false
    }

    /// Says what a checkpoint is about that does not agree with the records.
    fn disagrees(&mut self, from: &From, size: u64, records: u64, agreeing: &[(From, u64)]) {
        if size > records {
            let what = format!(
                "{from} covers {size} records, and there are {records}: records {} are missing",
                span(records, size)
            );
            return self.find(Verdict::Truncated, records, size, what);
        }
        // Those among the records may have been signed anew with them. What agreed away from here is as it was.
        let counts = |other: &From| matches!(from, From::Record(_)) || matches!(other, From::Carried(_));
        let good = agreeing.iter().filter(|(other, good)| *good < size && counts(other));
        let good = good.map(|(_, good)| *good).max().unwrap_or(0);
        let other = agreeing.iter().find(|(_, other)| *other >= size);
        let (verdict, what) = if let Some((other, _)) = other {
            let what = format!(
                "{from}, over {size} records, and {other} are signed by the same key and contradict each other in \
                 records {}: there were two logs",
                span(good, size)
            );
            (Verdict::Forked, what)
        } else {
            let what = format!(
                "{from} covers {size} records, and they are others than it was made of: something in records {} was \
                 changed",
                span(good, size)
            );
            (Verdict::Rewritten, what)
        };
        self.find(verdict, good, size, what);
    }
}

/// `3 to 7`, or `3`, of the records from one up to another.
fn span(from: u64, to: u64) -> String {
    let last = to.saturating_sub(1);
    if last <= from { from.to_string() } else { format!("{from} to {last}") }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
