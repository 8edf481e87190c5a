//! On whose word a policy came into force.

use jit_proto::words::Reason;
use serde::{Deserialize, Serialize};

use super::person::Person;
use super::review::Evidence;

/// On whose word a policy came into force; nobody's where jitd found its files at a start or by a signal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyWord {
    /// Who loaded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Person>,
    /// What they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Who approved it, where the policy before asked for that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved: Vec<Person>,
    /// What was signed of it elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<PolicySigned>,
    /// What this host said against it, where whoever loaded it did so all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forced: Vec<String>,
}

/// A policy that was signed elsewhere, with what lets an auditor verify that again (docs/offline.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySigned {
    /// Its number among those that were signed.
    pub serial: u64,
    /// The signatures over its text, each with that.
    pub signatures: Vec<Evidence>,
}
