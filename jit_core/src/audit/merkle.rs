//! RFC 6962 §2.1: the leaf over a record's exact bytes.

use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// The Merkle leaf hash of a record: `SHA-256(0x00 || bytes)`. The prefix keeps a leaf from being taken for an
/// inner node.
#[must_use]
pub fn leaf(record: &[u8]) -> Digest {
    Digest(Sha256::new().chain_update([0]).chain_update(record).finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_leaf_is_that_of_the_rfc_6962_test_vectors() {
        assert_eq!(leaf(b"").to_string(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    }

    #[test]
    fn one_changed_bit_changes_the_leaf() {
        assert_ne!(leaf(b"{\"seq\":0}"), leaf(b"{\"seq\":1}"));
    }
}
