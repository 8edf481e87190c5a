//! Records that were moved out of the store, into a file that holds them from then on.

use jit_proto::words::{FileName, Reason};
use serde::{Deserialize, Serialize};

use super::person::Person;
use crate::digest::Digest;
use crate::policy::Retain;

/// Which records went, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// The first of them.
    pub first: u64,
    /// The record behind the last.
    pub end: u64,
    /// The root over all records before that.
    pub root: Digest,
    /// What the file was called, in whatever folder.
    pub file: FileName,
    /// The digest of its bytes.
    pub digest: Digest,
    /// How long records had to stay at least.
    pub retain: Retain,
    /// Who moved them.
    pub by: Person,
    /// What was said with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Reason>,
}
