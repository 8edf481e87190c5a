//! Whether the log of a host is still the one that somebody has seen: checkpoints that were kept, held against those that
//! come and against the records beside them. The words are those of `jitctl audit verify`.
//!
//! An exchange may be an old copy, so fewer records than were seen are no fault by themselves. They are one where
//! something in it is newer than all that was seen, by the host's own clock: then the log has shrunk.

use jit_core::digest::Digest;
use jit_core::proof::checkpoint::{Kept, Signed, Signs};
use jit_core::proof::note::PublicKey;
use jit_core::proof::verify::{Verdict, Verifier};
use jit_core::time::Utc;
use serde::Deserialize;

use crate::known::Seen;

/// So many checkpoints of one host are kept.
pub const MOST_KEPT: usize = 64;

/// What somebody has of a host, and what has come.
#[derive(Clone, Debug)]
pub struct History {
    key: PublicKey,
    seen: Option<Seen>,
    kept: Vec<Signed>,
    come: Vec<Signed>,
    /// When each request was asked for, and how many records the checkpoint in it covers.
    requests: Vec<(Utc, u64)>,
    foreign: usize,
}

/// What the log is, to whoever has seen it before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// What was seen is the beginning of it, or all of it.
    GoesOn {
        /// How much of it has been read now, where that is more than before.
        seen: Option<Seen>,
        /// Checkpoints to keep that were not kept.
        keep: Vec<Signed>,
    },
    /// A copy from before what was seen; nothing in it contradicts that.
    Older,
    /// It is not the log that was seen.
    Broken(Verdict, String),
}

impl History {
    /// Of a host with this key.
    #[must_use]
    pub fn of(key: PublicKey, seen: Option<Seen>, kept: &[Signed]) -> Self {
        let kept = kept.iter().filter(|kept| is_by(kept, &key)).cloned().collect();
        Self { key, seen, kept, come: Vec::new(), requests: Vec::new(), foreign: 0 }
    }

    /// A checkpoint has come. One that its key did not sign says nothing about the log.
    pub fn comes(&mut self, checkpoint: Signed) {
        if !is_by(&checkpoint, &self.key) {
            self.foreign += 1;
        } else if !self.come.contains(&checkpoint) {
            self.come.push(checkpoint);
        }
    }

    /// A request has come that the host has sealed: when it was asked for, and the checkpoint in it. One without says
    /// nothing about the log.
    pub fn comes_with_request(&mut self, filed: Utc, checkpoint: Option<Signed>) {
        if let Some(checkpoint) = checkpoint {
            self.requests.push((filed, checkpoint.checkpoint.size));
            self.comes(checkpoint);
        }
    }

    /// How many checkpoints have come that another key signed, or none.
    #[must_use]
    pub const fn foreign(&self) -> usize {
        self.foreign
    }

    /// Whether anything has come that was not kept before. Where nothing has, the records need not be read.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.come.iter().any(|come| !self.kept.contains(come))
    }

    /// How many records the largest checkpoint covers that has come.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.come.iter().map(|come| come.checkpoint.size).max().unwrap_or(0)
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, &Signed)> {
        let kept = self.kept.iter().map(|kept| ("that was kept here", kept));
        kept.chain(self.come.iter().map(|come| ("that came with it", come)))
    }

    /// Begins to read a log of so many records.
    #[must_use]
    pub fn reading(&self, records: u64) -> Reading {
        let mut verifier = Verifier::new(vec![self.key.clone()]);
        let mut covered = 0;
        for (which, signed) in self.all() {
            let size = signed.checkpoint.size;
            // One that goes further is no fault of the records: they may have been left on another stick.
            if size <= records {
                verifier.carried(format!("{which}, over {size} records,"), Kept::from(signed.clone()));
                covered = covered.max(size);
            }
        }
        Reading { verifier, covered, records, latest: None, end: None }
    }

    /// Judges what has come; `read` is the log beside it, where there is one.
    #[must_use]
    pub fn judge(&self, read: Option<Reading>) -> Judgement {
        if let Some(both) = self.contradiction() {
            return Judgement::Broken(Verdict::Forked, both);
        }
        let (mut records, mut latest, mut now) = (0, None, None);
        if let Some(read) = read {
            match read.ends() {
                Err((verdict, what)) => return Judgement::Broken(verdict, what),
                Ok((taken, covered, end)) => {
                    (records, latest) = (taken, end);
                    now = covered;
                }
            }
        }
        if let Some(seen) = self.seen {
            let shrunk = |time: Utc, size: u64| time > seen.latest && size < seen.records;
            let record = latest.filter(|latest| shrunk(*latest, records));
            let request = self.requests.iter().find(|(filed, size)| shrunk(*filed, *size));
            let newer = record.map(|time| (time, records)).or(request.copied());
            if let Some((time, size)) = newer {
                let what = format!(
                    "{} records were seen before, and here is something of {} with {size}: records are missing",
                    seen.records,
                    time.to_seconds()
                );
                return Judgement::Broken(Verdict::Truncated, what);
            }
            if records.max(self.size()) < seen.records {
                return Judgement::Older;
            }
        }
        let seen = now.filter(|now| self.seen.is_none_or(|seen| now.records > seen.records));
        let is_new = |come: &&Signed| !self.kept.contains(come);
        Judgement::GoesOn { seen, keep: self.come.iter().filter(is_new).cloned().collect() }
    }

    /// Two checkpoints over as many records, with different roots.
    fn contradiction(&self) -> Option<String> {
        let mut roots: Vec<(u64, Digest)> =
            self.all().map(|(_, one)| (one.checkpoint.size, one.checkpoint.root)).collect();
        roots.sort_unstable();
        roots.dedup();
        let pair = roots.windows(2).find(|pair| pair[0].0 == pair[1].0)?;
        Some(format!("its key has signed two logs of {} records: there were two logs", pair[0].0))
    }
}

fn is_by(signed: &Signed, key: &PublicKey) -> bool {
    Kept::from(signed.clone()).signed_by(std::slice::from_ref(key)) == Signs::Well
}

/// A log that is being read.
#[derive(Debug)]
pub struct Reading {
    verifier: Verifier,
    covered: u64,
    records: u64,
    /// The latest time in a record that is covered.
    latest: Option<Utc>,
    /// The latest time in any.
    end: Option<Utc>,
}

/// What is looked at in each record.
#[derive(Deserialize)]
struct When {
    time: Utc,
}

type Ends = (u64, Option<Seen>, Option<Utc>);

impl Reading {
    /// Takes the exact bytes of the next record.
    pub fn take(&mut self, bytes: &[u8]) {
        self.verifier.take(bytes);
        if let Ok(When { time }) = serde_json::from_slice(bytes) {
            self.end = self.end.max(Some(time));
            if self.taken() <= self.covered {
                self.latest = self.latest.max(Some(time));
            }
        }
    }

    /// How many records have been taken.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        self.verifier.taken()
    }

    fn ends(self) -> Result<Ends, (Verdict, String)> {
        let taken = self.taken();
        if taken != self.records {
            let what = format!("its files say {} records, and have {taken}", self.records);
            return Err((Verdict::Rewritten, what));
        }
        let report = self.verifier.report();
        if let Some(finding) = report.findings.iter().max_by_key(|finding| finding.verdict) {
            return Err((finding.verdict, finding.what.clone()));
        }
        let seen = self.latest.map(|latest| Seen { records: self.covered, latest });
        Ok((taken, seen, self.end))
    }
}

/// Which of so many checkpoints stay when there are too many: the newest, and of the older ones every second.
#[must_use]
pub fn thinned(mut sizes: Vec<u64>) -> Vec<u64> {
    sizes.sort_unstable();
    while sizes.len() > MOST_KEPT {
        let old = sizes.len() / 2;
        let stays = |at: usize| at >= old || at.is_multiple_of(2);
        sizes = sizes.iter().enumerate().filter(|(at, _)| stays(*at)).map(|(_, size)| *size).collect();
    }
    sizes
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
