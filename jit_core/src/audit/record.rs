//! A record as bytes. What is written is what is hashed is what is sent; it is never written a second time.

use crate::digest::Digest;
use crate::event::Record;
use crate::proof::merkle;

/// A record with its exact bytes and leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Its place in the log.
    pub seq: u64,
    /// One line of JSON, without a line break.
    pub bytes: Vec<u8>,
    /// The RFC 6962 leaf over `bytes`.
    pub leaf: Digest,
}

/// A record whose bytes cannot be written or read. Writing fails only if a type breaks serde's contract.
#[derive(Debug, thiserror::Error)]
#[error("audit record {seq}: {source}")]
pub struct BadRecord {
    /// The record's number in the log.
    pub seq: u64,
    source: serde_json::Error,
}

impl Record {
    /// The record's exact bytes.
    pub fn encode(&self) -> Result<Encoded, BadRecord> {
        let bytes = serde_json::to_vec(self).map_err(|source| BadRecord { seq: self.seq, source })?;
        let leaf = merkle::leaf(&bytes);
        Ok(Encoded { seq: self.seq, bytes, leaf })
    }

    /// Reads a record's bytes; `seq` is where they stand, for the error.
    pub fn decode(seq: u64, bytes: &[u8]) -> Result<Self, BadRecord> {
        serde_json::from_slice(bytes).map_err(|source| BadRecord { seq, source })
    }
}
