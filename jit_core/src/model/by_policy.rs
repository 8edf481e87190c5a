//! What opened on policy's word alone.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// By a rule of policy, and by nobody's review.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByPolicy {
    /// From where the login of whoever asked came, where the rule asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
}
