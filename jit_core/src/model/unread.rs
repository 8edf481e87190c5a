//! Notes of logins by `recovery=` that cannot be read.

use serde::{Deserialize, Serialize};

/// Notes of which a part says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadNotes {
    /// What was set aside, and where.
    pub name: String,
    /// How many bytes of it say nothing.
    pub bytes: u64,
    /// Why they cannot be read.
    pub why: String,
}
