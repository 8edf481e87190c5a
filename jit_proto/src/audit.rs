//! What auditors ask of jitd: interface `org.jitd.Jit1.Audit`, for root, admins and auditors.
//!
//! Records leave as their exact bytes, a page at a time, so that neither jitd nor the bus holds more than a page. What
//! becomes of them, reports, exports and proofs, is jitctl's. Of a long log the pages come over a pipe ([`pages`]).

pub mod pages;

use serde::{Deserialize, Serialize};

/// `Records(first, most)`, `Stream(first, end)`, `Story(id)`, `StoryFrom(id, first)`, `Checkpoint()`, `Proof(old, new)`,
/// `Archives()`, `Archive(end, root, file, digest, note)`, `Carried(how, size)`, `Attest(role, who, keep, note)`.
pub const AUDIT_INTERFACE: &str = "org.jitd.Jit1.Audit";

/// The most records in one page, and about so many bytes of them.
pub const PAGE_RECORDS: u32 = 4096;
/// See [`PAGE_RECORDS`]. One record is in a page however long it is.
pub const PAGE_BYTES: usize = 1024 * 1024;

/// The most records that leave the store at once: a login waits for the transaction before its own.
pub const ARCHIVE_RECORDS: u64 = 50_000;

/// What an earlier jitd takes at once, which does not say.
const fn archive_records() -> u64 {
    ARCHIVE_RECORDS
}

/// Answer to `Audit.Records`, `Audit.Story` and `Audit.StoryFrom`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// The exact bytes of records, in order. Each is one JSON document.
    pub records: Vec<String>,
    /// The record behind the last of them: what to ask for next. Of a story that ends here, the end of the log.
    pub next: u64,
    /// How many records the log has.
    pub total: u64,
    /// Those among them whose bytes are not the ones that were hashed when they were written.
    pub damaged: Vec<u64>,
    /// The first record that is here; archives have those before it.
    #[serde(default)]
    pub begins: u64,
    /// Of a story: what of it is in archives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archived: Vec<InArchive>,
}

/// Records of a story that are in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InArchive {
    /// What its file was called.
    pub file: String,
    /// The digest of that, in hex.
    pub digest: String,
    /// The first record in it.
    pub first: u64,
    /// The numbers of those that are of the story.
    pub records: Vec<u64>,
}

/// Answer to `Audit.Archives`: what is not here, and what may go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archives {
    /// The first record that is here.
    pub begins: u64,
    /// How many records the log has.
    pub total: u64,
    /// How many may go at once: fewer than [`ARCHIVE_RECORDS`] where the disk is full, and its log has no room for more.
    #[serde(default = "archive_records")]
    pub most: u64,
    /// How many seconds records stay at least, where the policy says so; else for ever.
    pub retain_seconds: Option<u64>,
    /// The time by which that is counted.
    pub now: String,
    /// The archives that have what is not here, in order.
    pub archives: Vec<Archive>,
}

/// An archive, as the record of it says. Also the answer to `Audit.Archive`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// The first record in it.
    pub first: u64,
    /// The record behind the last.
    pub end: u64,
    /// The root over all records before that, in hex.
    pub root: String,
    /// What its file was called.
    pub file: String,
    /// The digest of that, in hex.
    pub digest: String,
}

/// Answer to `Audit.Checkpoint`: the newest there is, made now if anything has happened since the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The signed note, to be kept somewhere else.
    pub note: String,
    /// The public half of the key that signed it: name, number and base64.
    pub key: String,
    /// How many records it covers.
    pub size: u64,
    /// The root over them, in hex.
    pub root: String,
}

/// Answer to `Audit.Proof`: that the log of so many records is the beginning of that of more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The tree over the first of them.
    pub old: Tree,
    /// The tree over all of them.
    pub new: Tree,
    /// The hashes of the consistency proof (RFC 9162), in hex; none from a log without records.
    pub hashes: Vec<String>,
}

/// A tree over the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// How many records it is over.
    pub size: u64,
    /// The roots of the perfect trees that they come to, from the left, in hex.
    pub peaks: Vec<String>,
}

/// Answer to `Audit.Carried`: what is on record of a checkpoint that was carried away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// How it left: `checkpoint` or `export`.
    pub how: String,
    /// How many records it covers.
    pub size: u64,
}

/// Answer to `Audit.Attest`: what is on record now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attested {
    /// The role that may be asked for.
    pub role: String,
    /// Who may ask for it: an account, or a group with @ in front.
    pub who: String,
    /// `keep` or `remove`.
    pub decision: String,
}
