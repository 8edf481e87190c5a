//! What is answered about the policy: the one in force, its files, and changes of it.

use serde::{Deserialize, Serialize};

/// The policy in force, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySummary {
    /// SHA-256 over the files' names and bytes, in hex; absent when there is none, and then all is denied.
    pub digest: Option<String>,
    /// When it was loaded.
    pub loaded_at: Option<String>,
    /// `files`; `store` when the files did not load and the last accepted policy carries on; `before` when it came
    /// back after a trial that nobody confirmed; `kept` when the files were not approved.
    pub source: Option<String>,
    /// Number of roles.
    pub roles: usize,
    /// False when the files differ from what is in force.
    pub files_current: bool,
    /// Present while it is on trial.
    pub trial: Option<PolicyTrial>,
    /// The digest of another policy that waits for approvals; absent for whoever may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
}

/// A policy on trial: the one before it comes back unless somebody who logged in under this one confirms it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyTrial {
    /// When that is.
    pub until: String,
    /// Seconds that are left of the trial.
    pub remaining: u64,
}

/// Answer to `User.Policy`, `Admin.LoadPolicy`, `Admin.TryPolicy`,
/// `Admin.ChangePolicy`, `Admin.OverridePolicy`, `Admin.ForcePolicy` and `Admin.ConfirmPolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// As in `Status`.
    #[serde(flatten)]
    pub summary: PolicySummary,
    /// The files in force, in the order they were read.
    pub files: Vec<PolicyFile>,
    /// Findings that are warnings: `file:line:column: CODE message`.
    pub warnings: Vec<String>,
}

/// Answer to `Review.PolicyChanges`: what has to be said to changes of the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChanges {
    /// The policy that waits for approvals.
    pub waiting: Option<PolicyWaiting>,
    /// The override that waits to be acknowledged.
    pub overridden: Option<PolicyOverridden>,
}

/// A policy that waits for approvals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyWaiting {
    /// Its digest: what is approved.
    pub digest: String,
    /// The digest of the policy in force.
    pub before: String,
    /// Since when it waits.
    pub since: String,
    /// Who has loaded it.
    pub by: String,
    /// What they said.
    pub reason: Option<String>,
    /// For how many seconds it is to be on trial; absent where it is to be in force for good.
    pub trial: Option<u64>,
    /// What it changes, in words.
    pub changes: Vec<String>,
    /// How many changes are not listed.
    pub more: usize,
    /// Who has approved it.
    pub approved: Vec<String>,
    /// How many have to.
    pub approvals: usize,
    /// Whom the policy in force asks.
    pub approvers: String,
    /// Whether the policy files are still those that wait.
    pub files_current: bool,
    /// What this host says against it, and whoever loaded it passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced: Vec<String>,
}

/// A policy that root put in force without those who were to approve it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyOverridden {
    /// The digest of that policy.
    pub digest: String,
    /// The digest of the policy before it.
    pub before: String,
    /// When that was done.
    pub at: String,
    /// Who did it.
    pub by: String,
    /// Why, as they said.
    pub reason: String,
}

/// Answer to `Review.ReviewPolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyReviewed {
    /// The digest of what was reviewed.
    pub digest: String,
    /// The word that was said: `approve` or `deny`.
    pub decision: String,
    /// Whether it is in force now.
    pub in_force: bool,
    /// For how many seconds it is on trial, if it is.
    pub trial: Option<u64>,
    /// What still waits.
    pub changes: PolicyChanges,
}

/// Answer to `Admin.LoadSignedPolicy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySigned {
    /// The digest of the policy in force.
    pub digest: String,
    /// Its number among those that were signed.
    pub serial: u64,
    /// Whose signatures counted.
    pub signed: Vec<String>,
}

/// One policy file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFile {
    /// Its name, without the folder.
    pub name: String,
    /// The text of the file.
    pub text: String,
}
