//! What is remembered of the windows that one person had of one role.

use std::collections::BTreeMap;
use std::time::Duration;

use jit_proto::words::{RoleName, Uid, UserName};
use serde::{Deserialize, Serialize};

use super::grant::Grant;
use super::person::Person;
use crate::policy::PersonName;
use crate::time::Moment;

/// When a person last had a role. It stays when the windows are gone: what policy says of a rest counts from it, also after
/// a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// The role that they had.
    pub role: RoleName,
    /// Who had it.
    pub holder: Person,
    /// The end of the last window that had begun; absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Moment>,
    /// How long they had it then without a break, in whole seconds: what was approved to follow that window goes on from it.
    #[serde(default, skip_serializing_if = "Duration::is_zero", with = "crate::time::seconds")]
    pub stay: Duration,
    /// When they had it opened by policy alone, as far as that still counts; the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreviewed: Vec<Moment>,
}

/// Windows that are no further apart are without a break: sessions are given some time to end, and a start is in whole seconds.
pub(crate) const NO_BREAK: Duration = Duration::from_mins(1);

/// Of one role, by account and by who comes by it.
pub(crate) type EarlierOfRole = BTreeMap<(Uid, UserName, Option<PersonName>), Earlier>;

impl Earlier {
    /// Nothing, of whom a grant is for.
    #[must_use]
    pub fn of(grant: &Grant) -> Self {
        Self {
            role: grant.role.clone(),
            holder: grant.holder(),
            ended: None,
            stay: Duration::ZERO,
            unreviewed: Vec::new(),
        }
    }
}
