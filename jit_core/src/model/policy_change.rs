//! The data of a policy that waits until others have approved it, and of one that came into force without them.

use std::time::Duration;

use jit_proto::words::Reason;
use serde::{Deserialize, Serialize};

use super::person::Person;
use super::policy_word::PolicyWord;
use crate::digest::Digest;
use crate::policy::Difference;
use crate::time::Utc;

/// One policy file in a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyText {
    /// Its name without the folder.
    pub name: String,
    /// Its exact text.
    pub text: String,
}

/// What an admin has loaded and others have to approve, where the policy in force asks for that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The digest of the policy that waits; approved is this and nothing else.
    pub digest: Digest,
    /// The files of that policy.
    pub files: Vec<PolicyText>,
    /// The policy in force, which says who may approve it.
    pub before: Digest,
    /// What it changes of that one.
    pub diff: Difference,
    /// For how many seconds it is to be on trial; absent where it is to be in force for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<u64>,
    /// Who loaded it.
    pub by: Person,
    /// What they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What this host said against it, where they loaded it all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced: Vec<String>,
}

/// A proposal, and who has approved it so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposed {
    /// What waits for approvals.
    pub proposal: Proposal,
    /// Since when it waits.
    pub at: Utc,
    /// Who has approved it.
    #[serde(default)]
    pub approved: Vec<Person>,
}

impl Proposed {
    /// Whether it is this policy that is loaded once more, to be in force for as long.
    #[must_use]
    pub fn is_again(&self, digest: Digest, trial: Option<Duration>) -> bool {
        (self.proposal.digest, self.proposal.trial) == (digest, trial.map(|limit| limit.as_secs()))
    }

    /// On whose word it comes into force.
    #[must_use]
    pub fn word(&self, last: Person) -> PolicyWord {
        PolicyWord {
            by: Some(self.proposal.by.clone()),
            reason: self.proposal.reason.clone(),
            approved: self.approved.iter().cloned().chain([last]).collect(),
            signed: None,
            forced: self.proposal.forced.clone(),
        }
    }
}

/// A policy that root put in force without those who were to approve it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// The policy that came into force.
    pub digest: Digest,
    /// The one that asked for approvals.
    pub before: Digest,
    /// Who did it.
    pub by: Person,
    /// Why, as they said.
    pub reason: Reason,
}

/// An override that none of the approvers has acknowledged yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overridden {
    /// What was done.
    #[serde(flatten)]
    pub what: Override,
    /// When that was done.
    pub at: Utc,
}

/// What has to be said to changes of the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChanges {
    /// The policy that waits for approvals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Proposed>,
    /// The override that waits to be acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overridden: Option<Overridden>,
    /// The serial of the last signed policy that came into force: none at or below it ever does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
}

impl PolicyChanges {
    /// Whether nothing has to be said or kept.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.waiting.is_none() && self.overridden.is_none() && self.serial.is_none()
    }
}
