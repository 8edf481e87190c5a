//! `jitd.lock.v1`: an admin locks something on several hosts at once. There is no text that lifts a lock: that is more
//! access, and takes an admin on the host.

use jit_proto::words::Reason;

use super::fields::{key, key_written, noted, noted_written, seconds, written};
use super::file::{NONE, word};
use super::hosts::Hosts;
use super::kind::{Kind, SignedText};
use super::lines::{BadText, Lines, escaped, or, unescaped, unmailed};
use super::revoke::times;
use crate::model::{Scope, Serial};
use crate::time::Utc;

const LABELS: [&str; 8] = ["serial", "hosts", "host-key", "scope", "until", "issued", "not-after", "message"];

/// A lock by file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockStatement {
    /// What each host knows it by; each takes it once.
    pub serial: Serial,
    /// The hosts that it is for.
    pub hosts: Hosts,
    /// The fingerprint of the one host's key, where it is bound to that.
    pub host_key: Option<String>,
    /// What it shuts.
    pub scope: Scope,
    /// Until when it holds; until somebody lifts it if absent.
    pub until: Option<Utc>,
    /// When it was written.
    pub issued: Utc,
    /// Until when it is taken.
    pub not_after: Utc,
    /// What people who are refused are told.
    pub message: Option<Reason>,
}

impl SignedText for LockStatement {
    fn kind(&self) -> Kind {
        Kind::Lock
    }

    fn text(&self) -> String {
        let values = [
            self.serial.to_string(),
            self.hosts.to_string(),
            key_written(self.host_key.as_deref()),
            escaped(&self.scope.to_string()),
            self.until.map_or_else(|| NONE.to_owned(), |until| until.to_string()),
            self.issued.to_string(),
            self.not_after.to_string(),
            noted_written(self.message.as_ref()),
        ];
        written(Kind::Lock.first_line(), &LABELS, &values)
    }

    fn parse(bytes: &[u8]) -> Result<Self, BadText> {
        let text = unmailed(bytes)?;
        let mut lines = Lines::behind(Kind::Lock.first_line(), &text)?;
        let lock = Self {
            serial: lines.field("serial", word)?,
            hosts: lines.field("hosts", Hosts::parse)?,
            host_key: lines.field("host-key", key)?,
            scope: lines.field("scope", |text| unescaped(text)?.parse().ok())?,
            until: lines.field("until", |text| or(NONE, text, seconds))?,
            issued: lines.field("issued", seconds)?,
            not_after: lines.field("not-after", seconds)?,
            message: lines.field("message", noted)?,
        };
        lines.end(&text, &lock.text(), &LABELS)?;
        times(lock.issued, lock.not_after)?;
        if lock.until.is_some_and(|until| until <= lock.issued) {
            return Err(BadText::Times { label: "until", why: "is not after 'issued'" });
        }
        Ok(lock)
    }
}
