//! The Merkle tree over the log (RFC 6962 §2.1, RFC 9162 §2.1): leaves over the records' exact bytes, the root over any
//! number of them, and proofs that a record is in a tree and that one tree is the beginning of another.
//!
//! [`Frontier`] is what appending takes: one hash for each bit that is set in the number of leaves. Records are added
//! at a cost that does not grow with the log, and the root over what is there can be told at any time.

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// The Merkle leaf hash of a record: `SHA-256(0x00 || bytes)`. The prefix keeps a leaf from being taken for an
/// inner node.
#[must_use]
pub fn leaf(record: &[u8]) -> Digest {
    Digest(Sha256::new().chain_update([0]).chain_update(record).finalize().into())
}

/// `SHA-256(0x01 || left || right)`.
fn node(left: Digest, right: Digest) -> Digest {
    Digest(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The root over no leaves: the hash of nothing.
fn empty() -> Digest {
    Digest(Sha256::digest([]).into())
}

/// The roots of the largest perfect trees that the leaves come to, from the left: all that appending needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

/// A frontier that cannot be one of so many leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} bytes are no frontier of {size} leaves")]
pub struct BadFrontier {
    size: u64,
    found: usize,
}

const LENGTH: usize = 32;

impl Frontier {
    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds the next leaf.
    pub fn append(&mut self, leaf: Digest) {
        let mut root = leaf;
        // As in a binary counter: each bit that is carried over joins two trees of the same size.
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            root = node(left, root);
        }
        self.peaks.push(root);
        self.size += 1;
    }

    /// The root over all leaves.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev().copied();
        let Some(last) = peaks.next() else { return empty() };
        peaks.fold(last, |right, left| node(left, right))
    }

    /// The roots that it is made of, from the left.
    #[must_use]
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// The frontier of so many leaves that is made of these roots.
    pub fn of_peaks(size: u64, peaks: Vec<Digest>) -> Result<Self, BadFrontier> {
        if u32::try_from(peaks.len()) != Ok(size.count_ones()) {
            return Err(BadFrontier { size, found: peaks.len() * LENGTH });
        }
        Ok(Self { size, peaks })
    }

    /// As it is stored.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.peaks.iter().flat_map(|peak| peak.0).collect()
    }

    /// Reads what [`Self::to_bytes`] wrote of so many leaves.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Result<Self, BadFrontier> {
        let (peaks, rest) = bytes.as_chunks::<LENGTH>();
        if !rest.is_empty() {
            return Err(BadFrontier { size, found: bytes.len() });
        }
        Self::of_peaks(size, peaks.iter().copied().map(Digest).collect())
    }
}

/// The root over these leaves.
#[must_use]
pub fn root(leaves: &[Digest]) -> Digest {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.append(*leaf);
    }
    frontier.root()
}

/// The largest power of two below `size`, which is at least 2.
const fn split(size: usize) -> usize {
    size.next_power_of_two() / 2
}

/// The hashes with which the root over `leaves` is told from the leaf at `index` (RFC 6962 §2.1.1); none if there is no
/// such leaf.
#[must_use]
pub fn inclusion(leaves: &[Digest], index: usize) -> Option<Vec<Digest>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut part, mut index, mut path) = (leaves, index, Vec::new());
    while part.len() > 1 {
        let (left, right) = part.split_at(split(part.len()));
        if index < left.len() {
            path.push(root(right));
            part = left;
        } else {
            path.push(root(left));
            index -= left.len();
            part = right;
        }
    }
    path.reverse();
    Some(path)
}

/// The hashes with which the roots over the first `size` of `leaves` and over all of them are told (RFC 6962 §2.1.2);
/// none if there are not so many, or none were asked for.
#[must_use]
pub fn consistency(leaves: &[Digest], size: usize) -> Option<Vec<Digest>> {
    if size == 0 || size > leaves.len() {
        return None;
    }
    let (mut part, mut size, mut path) = (leaves, size, Vec::new());
    // Whether the part begins where the old tree did: its root is then known to whoever has the old root.
    let mut whole = true;
    while size < part.len() {
        let (left, right) = part.split_at(split(part.len()));
        if size <= left.len() {
            path.push(root(right));
            part = left;
        } else {
            path.push(root(left));
            size -= left.len();
            part = right;
            whole = false;
        }
    }
    if !whole {
        path.push(root(part));
    }
    path.reverse();
    Some(path)
}

/// A proof that does not prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProven {
    /// The numbers say so already.
    #[error("there is no such proof for these sizes")]
    Sizes,
    /// It has more hashes than it takes, or fewer.
    #[error("the proof does not have as many hashes as it takes")]
    Length,
    /// The hashes come to another root.
    #[error("the proof comes to another root")]
    Root,
}

/// Whether a leaf is at `index` in the tree of `size` leaves with this root (RFC 9162 §2.1.3.2).
pub fn verify_inclusion(
    leaf: Digest,
    index: u64,
    size: u64,
    root: Digest,
    proof: &[Digest],
) -> Result<(), NotProven> {
    if index >= size {
        return Err(NotProven::Sizes);
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return Err(NotProven::Length);
        }
        if at & 1 == 1 || at == last {
            hash = node(*sibling, hash);
            skip_levels(&mut at, &mut last);
        } else {
            hash = node(hash, *sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(NotProven::Length);
    }
    if hash == root { Ok(()) } else { Err(NotProven::Root) }
}

/// Whether the tree of `old` leaves with this root is the beginning of that of `new` leaves with that one (RFC 9162
/// §2.1.4.2).
pub fn verify_consistency(
    (old, old_root): (u64, Digest),
    (new, new_root): (u64, Digest),
    proof: &[Digest],
) -> Result<(), NotProven> {
    if old == 0 || old > new {
        return Err(NotProven::Sizes);
    }
    if old == new {
        if !proof.is_empty() {
            return Err(NotProven::Length);
        }
        return if old_root == new_root { Ok(()) } else { Err(NotProven::Root) };
    }
    let mut hashes = proof.iter().copied();
    // A perfect old tree is a node of the new one, and its root is not said again.
    let first = if old.is_power_of_two() { Some(old_root) } else { hashes.next() };
    let first = first.ok_or(NotProven::Length)?;
    let (mut at, mut last) = (old - 1, new - 1);
    let even = at.trailing_ones();
    at >>= even;
    last >>= even;
    let (mut old_hash, mut new_hash) = (first, first);
    for hash in hashes {
        if last == 0 {
            return Err(NotProven::Length);
        }
        if at & 1 == 1 || at == last {
            old_hash = node(hash, old_hash);
            new_hash = node(hash, new_hash);
            skip_levels(&mut at, &mut last);
        } else {
            new_hash = node(new_hash, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(NotProven::Length);
    }
    if old_hash == old_root && new_hash == new_root { Ok(()) } else { Err(NotProven::Root) }
}

/// Over the levels at which the last node has no sibling.
const fn skip_levels(at: &mut u64, last: &mut u64) {
    while *at & 1 == 0 && *at != 0 {
        *at >>= 1;
        *last >>= 1;
    }
}

#[cfg(test)]
#[path = "merkle_tests.rs"]
mod tests;
