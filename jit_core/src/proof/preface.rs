//! The first line of an exported file: where in the log it begins, and what proves that it goes on from what left before.
//! It is no record. Nothing in it is believed but what its hashes and the host's signature come to.

use serde::{Deserialize, Serialize};

use super::checkpoint::Signed;
use super::extension::Extension;
use super::merkle::{Frontier, verify_consistency};
use super::note::PublicKey;
use crate::digest::Digest;

/// What the line begins with; a record begins with its number.
const MARK: &[u8] = b"{\"preface\":";

/// The form that this program reads and writes.
const FORM: u32 = 1;

/// No export has more proofs.
const MOST_PROOFS: usize = 64;

/// A tree has no more levels.
const LEVELS: usize = 64;

/// So many records, and the root over them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// How many records.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

impl From<&Frontier> for Extent {
    fn from(tree: &Frontier) -> Self {
        Self { size: tree.size(), root: tree.root() }
    }
}

/// That a log of one extent is the beginning of a log of another (RFC 9162 §2.1.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// What it was.
    pub from: Extent,
    /// What it became.
    pub to: Extent,
    /// The hashes that both are told from.
    pub hashes: Vec<Digest>,
}

impl From<&Extension> for Consistency {
    fn from(made: &Extension) -> Self {
        Self { from: (&made.old).into(), to: (&made.new).into(), hashes: made.hashes.clone() }
    }
}

impl Consistency {
    /// Whether the hashes come to both roots.
    #[must_use]
    pub fn holds(&self) -> bool {
        let Self { from, to, hashes } = self;
        verify_consistency((from.size, from.root), (to.size, to.root), hashes).is_ok()
    }
}

/// What the first line says.
#[allow(clippy::struct_field_names, reason = "it is the first word of the line")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preface {
    preface: u32,
    /// The number of the first record in the file.
    pub first: u64,
    /// The tree over those before it: the roots that it is made of, from the left.
    peaks: Vec<Digest>,
    /// The host's key.
    pub key: PublicKey,
    /// The checkpoint that the file left under.
    pub checkpoint: Signed,
    /// That what left before is the beginning of what that checkpoint covers.
    pub proofs: Vec<Consistency>,
    /// Where the file ends, if that was known when it began: one that is shorter has lost its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Extent>,
}

/// A line that says it is a preface, and is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its first line is not as 'jitctl audit export' writes it ({0})")]
pub struct BadPreface(String);

impl Preface {
    /// Of a file that begins behind this tree.
    #[must_use]
    pub fn new(before: &Frontier, key: PublicKey, checkpoint: Signed, proofs: Vec<Consistency>) -> Self {
        let peaks = before.peaks().to_vec();
        Self { preface: FORM, first: before.size(), peaks, key, checkpoint, proofs, end: None }
    }

    /// The line, without its end.
    pub fn line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Whether a line says that it is one.
    #[must_use]
    pub fn is_one(line: &[u8]) -> bool {
        line.starts_with(MARK)
    }

    /// Reads what [`Self::line`] wrote.
    pub fn read(line: &[u8]) -> Result<Self, BadPreface> {
        let read: Self = serde_json::from_slice(line).map_err(|why| BadPreface(why.to_string()))?;
        if read.preface != FORM {
            return Err(BadPreface(format!("its form is {}, and {FORM} is read here", read.preface)));
        }
        let most = read.proofs.iter().map(|proof| proof.hashes.len()).max().unwrap_or(0);
        if read.proofs.len() > MOST_PROOFS || most > 2 * LEVELS {
            return Err(BadPreface("it has more proofs than any export".to_owned()));
        }
        read.tree().map_err(|why| BadPreface(why.to_string()))?;
        Ok(read)
    }

    /// The tree over the records before the file.
    pub fn tree(&self) -> Result<Frontier, super::merkle::BadFrontier> {
        Frontier::of_peaks(self.first, self.peaks.clone())
    }
}
