//! An order that was refused to whoever gave it.

use jit_proto::words::RequestId;
use serde::{Deserialize, Serialize};

/// What is on record of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedOrder {
    /// Which, by the name of its method, such as `Review` or `Lock`.
    pub method: String,
    /// Why, in a word, such as `not-admin`.
    pub why: String,
    /// What they were told.
    pub text: String,
    /// The request that it was about, where it was about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
}
