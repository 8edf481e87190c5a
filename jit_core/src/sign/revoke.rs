//! `jitd.revoke.v1`: an approver or an admin ends what a grant opened, or keeps a grant from ever opening anything.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jit_proto::words::{Reason, RequestId};
use serde::{Deserialize, Serialize};

use super::fields::{key, key_written, noted, noted_written, seconds, written};
use super::file::word;
use super::hosts::Hosts;
use super::kind::{Kind, SignedText};
use super::lines::{BadText, Lines, unmailed};
use crate::model::{BadSerial, Serial};
use crate::time::Utc;

/// For how long after it was written it counts at most. A grant counts for less, so nothing that it revokes outlives it.
pub const LONGEST: Duration = Duration::from_hours(24 * 30);

const LABELS: [&str; 6] = ["hosts", "host-key", "revokes", "issued", "not-after", "reason"];

/// A revoke by file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokeStatement {
    /// The hosts that it is for.
    pub hosts: Hosts,
    /// The fingerprint of the one host's key, where it is bound to that.
    pub host_key: Option<String>,
    /// What it ends.
    pub revokes: What,
    /// When it was written.
    pub issued: Utc,
    /// Until when it is taken, and its serial remembered.
    pub not_after: Utc,
    /// What was said with it.
    pub reason: Option<Reason>,
}

/// What a revoke names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum What {
    /// A signed grant, wherever it was taken or may still be.
    Serial(Serial),
    /// A request of one host, and what it opened.
    Request(RequestId),
}

/// 32 hex digits, or `r-4k7m2qx9`.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(serial) => serial.fmt(f),
            Self::Request(id) => id.fmt(f),
        }
    }
}

impl FromStr for What {
    type Err = BadSerial;

    fn from_str(text: &str) -> Result<Self, BadSerial> {
        match text.parse() {
            Ok(id) => Ok(Self::Request(id)),
            Err(_) => text.parse().map(Self::Serial),
        }
    }
}

impl TryFrom<String> for What {
    type Error = BadSerial;

    fn try_from(text: String) -> Result<Self, BadSerial> {
        text.parse()
    }
}

impl From<What> for String {
    fn from(what: What) -> Self {
        what.to_string()
    }
}

impl SignedText for RevokeStatement {
    fn kind(&self) -> Kind {
        Kind::Revoke
    }

    fn text(&self) -> String {
        let values = [
            self.hosts.to_string(),
            key_written(self.host_key.as_deref()),
            self.revokes.to_string(),
            self.issued.to_string(),
            self.not_after.to_string(),
            noted_written(self.reason.as_ref()),
        ];
        written(Kind::Revoke.first_line(), &LABELS, &values)
    }

    fn parse(bytes: &[u8]) -> Result<Self, BadText> {
        let text = unmailed(bytes)?;
        let mut lines = Lines::behind(Kind::Revoke.first_line(), &text)?;
        let revoke = Self {
            hosts: lines.field("hosts", Hosts::parse)?,
            host_key: lines.field("host-key", key)?,
            revokes: lines.field("revokes", word)?,
            issued: lines.field("issued", seconds)?,
            not_after: lines.field("not-after", seconds)?,
            reason: lines.field("reason", noted)?,
        };
        lines.end(&text, &revoke.text(), &LABELS)?;
        times(revoke.issued, revoke.not_after)?;
        Ok(revoke)
    }
}

/// Whether a text that takes access away may count for so long.
pub(super) fn times(issued: Utc, not_after: Utc) -> Result<(), BadText> {
    let bad = |why| Err(BadText::Times { label: "not-after", why });
    if not_after <= issued {
        return bad("is not after 'issued'");
    }
    if not_after.since(issued) > LONGEST {
        return bad("is more than 30 days after 'issued', and it counts for no longer");
    }
    Ok(())
}
