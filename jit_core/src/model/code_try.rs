//! A code that was wrong: how many there were is what stands between a guess and an approval.

use jit_proto::words::{RequestId, Uid};
use serde::{Deserialize, Serialize};

use crate::time::Utc;

/// One wrong code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeTry {
    /// The number of its record.
    pub id: u64,
    /// For which request it was typed.
    pub request: RequestId,
    /// Who typed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Uid>,
    /// When it was typed.
    pub at: Utc,
}
