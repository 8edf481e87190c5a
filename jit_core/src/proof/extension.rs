//! What proves that one tree is the beginning of another, made of the leaves one by one: a host has millions of them, and
//! holds a hash of each level.

use super::merkle::Frontier;
use crate::digest::Digest;

/// Two sizes of one log, and the consistency proof from the first to the second (RFC 6962 §2.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The tree as it was.
    pub old: Frontier,
    /// The tree that it became.
    pub new: Frontier,
    /// The hashes that both roots are told from; none where the old tree has no leaves, or both are one.
    pub hashes: Vec<Digest>,
}

/// An [`Extension`] that is being made.
#[derive(Debug)]
pub struct Extending {
    old_size: u64,
    new_size: u64,
    old: Option<Frontier>,
    tree: Frontier,
    /// The leaves that each hash of the proof is over, in its order, and as much of that as is there.
    parts: Vec<(u64, u64, Frontier)>,
}

impl Extending {
    /// From so many leaves to so many; none where the second are fewer.
    #[must_use]
    pub fn new(old_size: u64, new_size: u64) -> Option<Self> {
        if old_size > new_size {
            return None;
        }
        let parts = parts(old_size, new_size).into_iter().map(|(from, to)| (from, to, Frontier::default()));
        Some(Self { old_size, new_size, old: None, tree: Frontier::default(), parts: parts.collect() })
    }

    /// Takes the next leaf, from the first of the log on. What is behind the last that it takes changes nothing.
    pub fn take(&mut self, leaf: Digest) {
        let place = self.tree.size();
        if place == self.new_size {
            return;
        }
        if place == self.old_size {
            self.old = Some(self.tree.clone());
        }
        for (from, to, part) in &mut self.parts {
            if (*from..*to).contains(&place) {
                part.append(leaf);
            }
        }
        self.tree.append(leaf);
    }

    /// The proof; none where there were fewer leaves than it takes.
    #[must_use]
    pub fn done(self) -> Option<Extension> {
        if self.tree.size() != self.new_size {
            return None;
        }
        let old = self.old.unwrap_or_else(|| self.tree.clone());
        let hashes = self.parts.iter().map(|(_, _, part)| part.root()).collect();
        Some(Extension { old, new: self.tree, hashes })
    }
}

/// The leaves, from one up to another, that each hash of a proof is over.
fn parts(old: u64, new: u64) -> Vec<(u64, u64)> {
    let (mut from, mut count, mut size, mut parts) = (0, new, old, Vec::new());
    if old == 0 {
        return parts;
    }
    // Whether the part begins where the old tree did: its root is then known to whoever has the old root.
    let mut whole = true;
    while size < count {
        let left = count.next_power_of_two() / 2;
        if size <= left {
            parts.push((from + left, from + count));
            count = left;
        } else {
            parts.push((from, from + left));
            from += left;
            size -= left;
            count -= left;
            whole = false;
        }
    }
    if !whole {
        parts.push((from, from + count));
    }
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests {
    use super::super::merkle::{consistency, leaf, root, verify_consistency};
    use super::*;

    fn leaves(count: u64) -> Vec<Digest> {
        (0..count).map(|number| leaf(&number.to_le_bytes())).collect()
    }

    fn extension(old: u64, new: u64, leaves: &[Digest]) -> Option<Extension> {
        let mut extending = Extending::new(old, new)?;
        for leaf in leaves {
            extending.take(*leaf);
        }
        extending.done()
    }

    #[test]
    fn a_proof_made_leaf_by_leaf_is_the_one_made_of_all_of_them() {
        let all = leaves(70);
        for new in 0..70_u64 {
            for old in 0..=new {
                let made = extension(old, new, &all).unwrap();
                let (old_at, new_at) = (usize::try_from(old).unwrap(), usize::try_from(new).unwrap());
                let roots = (root(&all[..old_at]), root(&all[..new_at]));
                assert_eq!((made.old.root(), made.new.root()), roots, "{old} to {new}");
                assert_eq!((made.old.size(), made.new.size()), (old, new));
                assert_eq!(
                    made.hashes,
                    consistency(&all[..new_at], old_at).unwrap_or_default(),
                    "{old} to {new}"
                );
                if old > 0 {
                    assert_eq!(verify_consistency((old, roots.0), (new, roots.1), &made.hashes), Ok(()));
                }
            }
        }
    }

    #[test]
    fn there_is_no_proof_backwards_or_beyond_the_end() {
        let all = leaves(7);
        assert_eq!(extension(5, 4, &all), None);
        assert_eq!(extension(5, 8, &all), None);
        assert!(extension(5, 7, &all).is_some());
    }
}
