//! What is read out of a request, and the answer to it.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jit_proto::words::{RoleName, UserName};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::bucket::Bucket;
use super::key::{Approves, Slot, prefixed};
use super::symbols::{BadSymbols, CHECKS, Grouped, Plain, Symbol, checked, of_bytes, read_checked};
use crate::digest::Digest;
use crate::model::Request;
use crate::time::Utc;

/// What an answer is made for; no key of a host makes anything else.
const PURPOSE: &str = "jitd.code.v1";

/// How many symbols of the digest, and of the HMAC, are said: 50 bits of each.
const SAID: usize = 10;

/// The symbols of a request code and of an answer, with their check symbols.
pub const REQUEST_CODE: usize = SAID + CHECKS;
/// See [`REQUEST_CODE`]: beside what is said of the HMAC there are the slot and the bucket.
pub const ANSWER: usize = 2 + SAID + CHECKS;

/// The first 50 bits of a request's digest: 12 symbols with the check symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestCode(Vec<Symbol>);

impl RequestCode {
    /// Of a request.
    #[must_use]
    pub fn of(digest: Digest) -> Self {
        Self(of_bytes(&digest.0).into_iter().take(SAID).collect())
    }

    /// As it was typed.
    pub fn parse(text: &str) -> Result<Self, BadSymbols> {
        read_checked(text, REQUEST_CODE).map(Self)
    }

    /// All its symbols, to be read out.
    #[must_use]
    pub fn symbols(&self) -> Vec<Symbol> {
        checked(&self.0)
    }
}

impl fmt::Display for RequestCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Grouped(&self.symbols()).fmt(f)
    }
}

/// When the window that is asked for would begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Once it is approved.
    AtApproval,
    /// At this time.
    At(Utc),
    /// Where the window ends that it extends.
    Extends,
}

impl Start {
    /// As a person types it: a time of which seconds count.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "at-approval" => Some(Self::AtApproval),
            "extends" => Some(Self::Extends),
            time => time.parse().ok().map(|time: Utc| Self::At(time.whole_seconds())),
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtApproval => f.write_str("at-approval"),
            Self::At(time) => f.write_str(&time.to_seconds()),
            Self::Extends => f.write_str("extends"),
        }
    }
}

/// What is read out: all that an answer is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Whom it would admit.
    pub user: UserName,
    /// The role that is asked for.
    pub role: RoleName,
    /// For how long, in whole seconds.
    pub duration: Duration,
    /// When it would begin.
    pub start: Start,
    /// What stands for the rest of the request.
    pub code: RequestCode,
}

impl Asked {
    /// Of a request that waits.
    #[must_use]
    pub fn by(request: &Request) -> Self {
        let start = match (request.extends, request.start) {
            (Some(_), _) => Start::Extends,
            (None, Some(time)) => Start::At(time.whole_seconds()),
            (None, None) => Start::AtApproval,
        };
        Self {
            user: request.beneficiary.name.clone(),
            role: request.role.clone(),
            duration: request.duration,
            start,
            code: RequestCode::of(request.digest()),
        }
    }
}

/// An answer: a symbol for the slot, one for what is said, ten of the HMAC, and two check symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whose it says it is.
    pub slot: Slot,
    /// What it says.
    pub bucket: Bucket,
    mac: Vec<Symbol>,
}

impl Answer {
    /// What this approver answers.
    #[must_use]
    pub fn of(asked: &Asked, by: &Approves, bucket: Bucket) -> Self {
        Self { slot: by.slot, bucket, mac: mac(asked, by, bucket) }
    }

    /// As it was typed. A mistake is found here, before it is held against anybody.
    pub fn parse(text: &str) -> Result<Self, BadSymbols> {
        let symbols = read_checked(text, ANSWER)?;
        match symbols.split_first_chunk() {
            Some(([slot, bucket], mac)) => {
                Ok(Self { slot: Slot::of(*slot), bucket: Bucket::of(*bucket), mac: mac.to_vec() })
            }
            None => Err(BadSymbols::Length { wanted: ANSWER, found: symbols.len() }),
        }
    }

    /// Whether this approver gave it to this. How long that takes says nothing of where the two differ.
    #[must_use]
    pub fn is_of(&self, asked: &Asked, by: &Approves) -> bool {
        let values = |symbols: &[Symbol]| symbols.iter().map(|symbol| symbol.value()).collect::<Vec<_>>();
        let is_equal: bool = values(&self.mac).ct_eq(&values(&mac(asked, by, self.bucket))).into();
        is_equal && self.slot == by.slot
    }

    /// All its symbols, to be read out.
    #[must_use]
    pub fn symbols(&self) -> Vec<Symbol> {
        let said = [self.slot.symbol(), self.bucket.symbol()].into_iter().chain(self.mac.iter().copied());
        checked(&said.collect::<Vec<_>>())
    }

    /// The same without groups.
    #[must_use]
    pub fn plain(&self) -> String {
        Plain(&self.symbols()).to_string()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Grouped(&self.symbols()).fmt(f)
    }
}

/// HMAC-SHA256 over all that is answered, and by whom to what; the first 50 bits.
fn mac(asked: &Asked, by: &Approves, bucket: Bucket) -> Vec<Symbol> {
    let text = prefixed([
        PURPOSE,
        &by.host_key,
        &by.epoch.to_string(),
        &by.principal.to_string(),
        &by.slot.to_string(),
        &bucket.symbol().value().to_string(),
        bucket.decision().as_str(),
        asked.user.as_str(),
        asked.role.as_str(),
        &asked.duration.as_secs().to_string(),
        &asked.start.to_string(),
        &Plain(&asked.code.symbols()).to_string(),
    ]);
    // HMAC fills a key with zeros to a block of its hash (RFC 2104).
    let mut block = [0; 64];
    block[..by.key.bytes().len()].copy_from_slice(by.key.bytes());
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(&text);
    of_bytes(&mac.finalize().into_bytes()).into_iter().take(SAID).collect()
}
