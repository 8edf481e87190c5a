//! Whether a log is the one that its checkpoints were made of: every byte is hashed anew, and nothing that is written
//! beside the records is believed.
//!
//! What is compared are roots, at the sizes of all checkpoints there are: those among the records themselves, and those
//! that somebody carried away. The first say that the log agrees with itself. Whoever is root on the host has its key
//! and can write a whole new log with new checkpoints; only one that was carried away contradicts that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, Kept, Signed, Signs};
use super::merkle::{self, Frontier};
use super::note::PublicKey;
use super::preface::{Consistency, Extent, Preface};
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
    /// The first record that was here to be hashed. What is before it, a preface or jitd told as a few hashes.
    pub first: u64,
    /// How many records there are, with those before the first.
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
    /// The first line of a file.
    Preface(String),
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(seq) => write!(f, "the checkpoint in record {seq}"),
            Self::Carried(name) => write!(f, "checkpoint {name}"),
            Self::Preface(name) => write!(f, "the checkpoint that {name} left under"),
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
    /// What is before the first record that is here.
    before: Frontier,
    leaves: Vec<Digest>,
    checkpoints: Vec<(From, Kept)>,
    /// What somebody says that the log came to, unsigned, and who.
    claims: Vec<(String, Extent)>,
    /// Where somebody says that their records end, and who.
    ends: Vec<(String, Extent)>,
    proofs: Vec<Consistency>,
    /// Records say that all before this number was archived, and the host that all before that one was.
    archived: u64,
    begins: u64,
    findings: Vec<Finding>,
}

/// What a checkpoint comes to, held against the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// They are those that it was made of, or a proof leads from it to what is here.
    Agrees,
    /// They are others.
    Differs,
    /// It covers less than what is before the first record here, and no proof leads from it.
    Before,
    /// It covers more than there is, and no proof leads to it.
    Beyond,
}

/// What is looked at in every record; the rest is its bytes.
#[derive(Deserialize)]
struct Head<'a> {
    seq: u64,
    #[serde(borrow)]
    event: std::borrow::Cow<'a, str>,
}

/// The record of an archive.
#[derive(Deserialize)]
struct Moved {
    end: u64,
    root: Digest,
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
        self.before.size() + self.leaves.len() as u64
    }

    /// The first record that is here.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.before.size()
    }

    /// The keys that count: those that were given, or that the log has named so far.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// All before this number is in archives, and a record has to say so.
    pub const fn needs_archives(&mut self, begins: u64) {
        self.begins = begins;
    }

    /// A file is given as an archive, and is not the one that the host wrote of these records.
    pub fn is_no_archive(&mut self, name: &str, (first, end): (u64, u64)) {
        let what = format!(
            "{name} is not the archive that was written of records {}: its bytes are others than the host knows it by",
            span(first, end)
        );
        self.find(Verdict::Rewritten, first, end, what);
    }

    /// Nothing before this tree will be taken: it stands for those records.
    pub fn behind(&mut self, before: Frontier) {
        if self.taken() == 0 {
            self.before = before;
        }
    }

    /// Takes a key that the host names where its record is not here.
    pub fn named_key(&mut self, key: PublicKey) {
        self.key(self.taken(), key);
    }

    /// Takes what the first line of a file says, in its place: before its records. False where those before them are
    /// missing, or were taken already.
    pub fn preface(&mut self, name: &str, preface: &Preface) -> bool {
        let Ok(before) = preface.tree() else { return false };
        self.behind(before.clone());
        let place = self.taken();
        if preface.first != place {
            return false;
        }
        // Where the records begin with the first, one of them names the key.
        if preface.first > 0 {
            self.key(place, preface.key.clone());
        }
        self.claims.push((name.to_owned(), (&before).into()));
        self.ends.extend(preface.end.map(|end| (name.to_owned(), end)));
        for proof in &preface.proofs {
            self.proof(name, proof.clone());
        }
        self.checkpoints.push((From::Preface(name.to_owned()), preface.checkpoint.clone().into()));
        true
    }

    /// Takes a proof that the log of one time is the beginning of that of another, from whoever gives it.
    pub fn proof(&mut self, name: &str, proof: Consistency) {
        let Consistency { from, to, .. } = proof;
        if !proof.holds() {
            let what = format!(
                "the proof in {name} that the log of {} records is the beginning of that of {} does not prove it",
                from.size, to.size
            );
            return self.find(Verdict::Rewritten, from.size, to.size, what);
        }
        self.claims.extend([from, to].map(|extent| (name.to_owned(), extent)));
        self.proofs.push(proof);
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
                "records-archived" => match serde_json::from_slice::<Moved>(bytes) {
                    Ok(Moved { end, root }) => {
                        self.archived = self.archived.max(end);
                        self.claims.push((format!("record {place}"), Extent { size: end, root }));
                    }
                    Err(why) => self.is_not(place, format!("record {place} is of no archive: {why}")),
                },
                _ => {}
            },
        }
    }

    /// Takes the bytes of a record once more, from another copy of the log: they are those that were taken in its place, or
    /// the log has two histories.
    pub fn again(&mut self, place: u64, bytes: &[u8], copy: &str) {
        let nth = place.checked_sub(self.before.size()).and_then(|nth| usize::try_from(nth).ok());
        let before = nth.and_then(|nth| self.leaves.get(nth));
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
        let (first, records) = (self.before.size(), self.taken());
        if self.archived < self.begins {
            let what = format!(
                "records {} are not in the store, and no record says that they were archived",
                span(self.archived, self.begins)
            );
            self.find(Verdict::Truncated, self.archived, self.begins, what);
        }
        let mut checkpoints = std::mem::take(&mut self.checkpoints);
        checkpoints.sort_by_key(|(_, kept)| kept.checkpoint.size);
        checkpoints.retain(|(from, kept)| self.is_signed(from, kept));
        let roots = self.roots(checkpoints.iter().map(|(_, kept)| kept.checkpoint.size));
        self.hold_claims(records, &roots);
        let proven = self.proven(&roots);
        let held = |kept: &Kept| {
            let Checkpoint { size, root, .. } = kept.checkpoint;
            match roots.get(&size) {
                Some(here) if *here == root => Held::Agrees,
                Some(_) => Held::Differs,
                None if proven.contains(&Extent { size, root }) => Held::Agrees,
                None if proven.iter().any(|extent| extent.size == size) => Held::Differs,
                None if size < first => Held::Before,
                None => Held::Beyond,
            }
        };
        let (mut agreeing, mut differing, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for (from, kept) in checkpoints {
            let size = kept.checkpoint.size;
            match held(&kept) {
                Held::Agrees => agreeing.push((from, size)),
                Held::Differs => differing.push((from, size)),
                held @ (Held::Before | Held::Beyond) => others.push((held, from, size)),
            }
        }
        for (from, size) in differing {
            self.differs(&from, size, &agreeing);
        }
        for (held, from, size) in others {
            self.is_not_here(held, &from, size, (first, records));
        }
        let carried = agreeing.iter().filter(|(from, _)| matches!(from, From::Carried(_))).count();
        let own = agreeing.iter().filter(|(from, _)| matches!(from, From::Record(_))).count();
        let verdict = self.findings.iter().map(|finding| finding.verdict).max();
        Report {
            verdict: verdict.unwrap_or(Verdict::Whole),
            first,
            records,
            root: roots.get(&records).copied().unwrap_or_else(|| self.before.root()),
            keys: self.keys,
            agree: (own, carried),
            covered: agreeing.iter().map(|(_, size)| *size).max().unwrap_or(0).min(records),
            findings: self.findings,
        }
    }

    /// The roots at these sizes, at those that somebody made a claim about, and at the end; of those that are here.
    fn roots(&mut self, sizes: impl Iterator<Item = u64>) -> BTreeMap<u64, Digest> {
        let mut wanted: BTreeSet<u64> = sizes.collect();
        wanted.extend(self.claims.iter().map(|(_, extent)| extent.size));
        wanted.insert(self.taken());
        let mut tree = self.before.clone();
        let mut roots = BTreeMap::new();
        let mut leaves = std::mem::take(&mut self.leaves).into_iter();
        for size in wanted {
            while tree.size() < size {
                let Some(leaf) = leaves.next() else { return roots };
                tree.append(leaf);
            }
            if tree.size() == size {
                roots.insert(size, tree.root());
            }
        }
        roots
    }

    /// Holds what was claimed against the records.
    fn hold_claims(&mut self, records: u64, roots: &BTreeMap<u64, Digest>) {
        let ends = std::mem::take(&mut self.ends);
        let lost = |(name, end): &(String, Extent)| {
            let what = format!(
                "{name} was written with all records before {}, and {} of them are missing",
                end.size,
                span(records, end.size)
            );
            (end.size > records).then_some((end.size, what))
        };
        for (size, what) in ends.iter().filter_map(lost) {
            self.find(Verdict::Truncated, records, size, what);
        }
        let first = self.before.size();
        for (name, Extent { size, root }) in std::mem::take(&mut self.claims).into_iter().chain(ends) {
            if roots.get(&size).is_some_and(|here| *here != root) {
                let what = format!(
                    "{name} is of a log in which the first {size} records come to another root than here: it is of \
                     another log, or something was changed before record {size}"
                );
                self.find(Verdict::Rewritten, first.min(size), size, what);
            }
        }
    }

    /// Which extents of the log are proven by the records that are here though they are not here themselves: one proof away.
    fn proven(&mut self, roots: &BTreeMap<u64, Digest>) -> BTreeSet<Extent> {
        let here = |extent: &Extent| roots.get(&extent.size) == Some(&extent.root);
        let proofs = std::mem::take(&mut self.proofs);
        let forth = proofs.iter().filter(|proof| here(&proof.from)).map(|proof| proof.to);
        let back = proofs.iter().filter(|proof| here(&proof.to)).map(|proof| proof.from);
        forth.chain(back).collect()
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
            (Signs::Not, From::Record(_) | From::Preface(_)) => {
                format!("{from} is not signed by the host's key")
            }
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
            From::Preface(_) => (Verdict::Rewritten, self.before.size()),
            From::Carried(_) => (Verdict::Unproven, 0),
        };
        self.find(verdict, at, at + 1, what);
        false
    }

    /// Says what it means that a checkpoint is about what is not here.
    fn is_not_here(&mut self, held: Held, from: &From, size: u64, (first, records): (u64, u64)) {
        match (held, from) {
            // It was signed before what is here was written, and says nothing of that; and what is wrong with a file is said
            // already where its own proof does not lead to its checkpoint.
            (Held::Before, From::Record(_)) => {}
            (_, From::Preface(_)) if !self.findings.is_empty() => {}
            (Held::Before, _) => {
                let what = format!(
                    "{from} covers {size} records, and those that are here begin with {first}: give the files before \
                     them, too"
                );
                self.find(Verdict::Unproven, 0, size, what);
            }
            (Held::Agrees | Held::Differs | Held::Beyond, _) => {
                let what = format!(
                    "{from} covers {size} records, and there are {records}: records {} are missing",
                    span(records, size)
                );
                self.find(Verdict::Truncated, records, size, what);
            }
        }
    }

    /// Says what a checkpoint is about that does not agree with the records.
    fn differs(&mut self, from: &From, size: u64, agreeing: &[(From, u64)]) {
        // Those among the records may have been signed anew with them. What agreed away from here is as it was.
        let counts = |other: &From| !matches!(from, From::Carried(_)) || matches!(other, From::Carried(_));
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
