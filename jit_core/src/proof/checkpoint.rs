//! Checkpoints of the log (c2sp.org/tlog-checkpoint): how many records there were, the root over them, and the host
//! key's signature. Whoever has one can tell whether the log still begins with just those records.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::merkle::Frontier;
use super::note::{self, BadNote, HostKey, KeyName, PublicKey, Signature};
use crate::digest::Digest;

/// How much of the log there was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The name of the log and of its key.
    pub origin: KeyName,
    /// How many records.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root.0))
    }
}

/// A checkpoint and the host key's signature, as a record has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// What is signed.
    #[serde(flatten)]
    pub checkpoint: Checkpoint,
    /// By the key of the log's name.
    pub signature: Signature,
}

impl Signed {
    /// Signs what there is.
    #[must_use]
    pub fn over(tree: &Frontier, key: &HostKey) -> Self {
        let origin = key.public().name().clone();
        let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root() };
        let signature = key.sign(&checkpoint.text());
        Self { checkpoint, signature }
    }
}

/// The note, to be kept elsewhere.
impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&note::write(&self.checkpoint.text(), &self.checkpoint.origin, &self.signature))
    }
}

/// A checkpoint that was kept, as it reads: lines behind the root are signed too, and witnesses may have signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it says.
    pub checkpoint: Checkpoint,
    text: String,
    signatures: Vec<(KeyName, Signature)>,
}

/// What one of these keys has to do with a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    /// It signed it.
    Well,
    /// The signature says that it did, and it did not.
    Badly,
    /// The log is another one, or none of the keys is said to have signed it.
    Not,
}

impl Kept {
    /// Whether it is signed by one of these keys, in the log's own name.
    #[must_use]
    pub fn signed_by(&self, keys: &[PublicKey]) -> Signs {
        let mut found = Signs::Not;
        for (name, signature) in self.signatures.iter().filter(|(name, _)| *name == self.checkpoint.origin) {
            for key in keys.iter().filter(|key| key.name() == name && key.id() == signature.id()) {
                if key.signed(&self.text, signature) {
                    return Signs::Well;
                }
                found = Signs::Badly;
            }
        }
        found
    }
}

impl Kept {
    /// The checkpoint alone with the signature in the log's own name, where nothing else is signed with it.
    #[must_use]
    pub fn plain(&self) -> Option<Signed> {
        let own = self.signatures.iter().find(|(name, _)| *name == self.checkpoint.origin);
        let (_, signature) = own.filter(|_| self.text == self.checkpoint.text())?;
        Some(Signed { checkpoint: self.checkpoint.clone(), signature: signature.clone() })
    }
}

impl From<Signed> for Kept {
    fn from(signed: Signed) -> Self {
        let text = signed.checkpoint.text();
        let signatures = vec![(signed.checkpoint.origin.clone(), signed.signature)];
        Self { checkpoint: signed.checkpoint, text, signatures }
    }
}

/// What is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCheckpoint {
    /// It is no signed note.
    #[error(transparent)]
    Note(#[from] BadNote),
    /// Its text is that of something else.
    #[error("the note is not a checkpoint: a log's name, a number of records, and a root, a line each")]
    Text,
}

/// As a note, or as the line that syslog or the journal has of it.
impl FromStr for Kept {
    type Err = BadCheckpoint;

    fn from_str(text: &str) -> Result<Self, BadCheckpoint> {
        if let Some(signed) = of_log_line(text) {
            return Ok(signed.into());
        }
        let (text, signatures) = note::read(text)?;
        let mut lines = text.lines();
        let mut line = || lines.next().filter(|line| !line.is_empty()).ok_or(BadCheckpoint::Text);
        let origin = line()?.parse()?;
        let size = number(line()?).ok_or(BadCheckpoint::Text)?;
        let root = BASE64.decode(line()?).ok().and_then(|root| root.try_into().ok());
        let root = Digest(root.ok_or(BadCheckpoint::Text)?);
        if lines.any(str::is_empty) {
            return Err(BadCheckpoint::Text);
        }
        let checkpoint = Checkpoint { origin, size, root };
        Ok(Self { checkpoint, text: text.to_owned(), signatures })
    }
}

/// Decimal, without zeros in front.
fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The checkpoint of a line of a log, where it is the line of one.
fn of_log_line(text: &str) -> Option<Signed> {
    let line = text.trim_end();
    let (_, fields) = line.rsplit_once("checkpoint seq=\"").filter(|_| !line.contains('\n'))?;
    let value = |key: &str| {
        let (_, rest) = fields.split_once(&format!(" {key}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    };
    Some(Signed {
        checkpoint: Checkpoint {
            origin: value("origin")?.parse().ok()?,
            size: number(value("size")?)?,
            root: value("root")?.parse().ok()?,
        },
        signature: value("signature")?.parse().ok()?,
    })
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
