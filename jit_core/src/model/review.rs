//! A review: what a reviewer said of a request, and what they took away from it.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::words::{Reason, Uid};
use serde::{Deserialize, Serialize};

use super::person::Person;
use crate::policy::Method;
use crate::services::Services;
use crate::time::Moment;

/// A review as recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Who gave the review.
    pub by: Person,
    /// What they said.
    pub decision: Decision,
    /// In which stage.
    pub stage: String,
    /// Of a stage that asks several sets of people, the numbers of those that the reviewer was in, from 0.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sets: BTreeSet<usize>,
    /// How it reached this host.
    pub method: Method,
    /// When it was given.
    pub at: Moment,
    /// What it takes away from what was asked for.
    #[serde(default, skip_serializing_if = "Narrow::is_none")]
    pub narrow: Narrow,
    /// What the reviewer wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Reason>,
    /// Of a review that came as a signed text, what proves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Box<Evidence>>,
    /// Of a review that came as a code, whose it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ByCode>,
}

/// Whose code it was, by the host's file of them. Root on the host has the same key, so it proves nothing to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByCode {
    /// Whom the key stood for.
    pub principal: String,
    /// The place in the file.
    pub slot: u8,
    /// Which key of theirs it was.
    pub epoch: u32,
    /// What was read out to them of the request's digest. Records of before this was kept have it not, nor what is below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_code: Option<String>,
    /// The number of what they said: 0 denies, 1 approves as asked, and others approve for a time at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u8>,
    /// Who logged in and typed it at the prompt; absent where it is the actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed_by: Option<Uid>,
}

/// What lets an auditor verify a signed review again, with nothing of ours (docs/offline.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Whom the key stood for.
    pub principals: Vec<String>,
    /// The fingerprint of the key.
    pub key: String,
    /// Of a FIDO key, the flags of the signature: bit 0 is a touch, bit 2 a PIN or a finger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<u8>,
    /// Of a FIDO key, how often it had signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter: Option<u32>,
    /// The exact text.
    pub text: String,
    /// The signature, as ssh-keygen writes it.
    pub signature: String,
}

/// What a reviewer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// The reviewer approves the request.
    Approve,
    /// The reviewer denies the request.
    Deny,
}

impl Decision {
    /// The word in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

/// What a reviewer takes away from what was asked for. What is absent stays as it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Narrow {
    /// No longer than this, in whole seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::time::optional_seconds")]
    pub duration: Option<Duration>,
    /// Only these services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Services>,
    /// Only so many logins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<NonZeroU32>,
}

impl Narrow {
    /// Whether it takes nothing away.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.duration.is_none() && self.services.is_none() && self.uses.is_none()
    }
}
