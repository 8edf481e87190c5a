//! Where a request or a review comes from that nobody typed here as it is.

use serde::{Deserialize, Serialize};

/// A signed grant that a request comes from; the text is with its reviews.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// The grant's serial.
    pub serial: String,
    /// When its window is over at the latest.
    pub until: String,
    /// The human who comes by the account, where the grant names one.
    pub behind: Option<String>,
}

/// Whose code a review was. Root on the host has the same key, so it proves nothing to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByCode {
    /// Whom the key stood for.
    pub principal: String,
    /// The place in /etc/jit/code-keys.
    pub slot: u8,
    /// Which key of theirs it was.
    pub epoch: u32,
    /// What was read out to them of the request's digest; absent where the record is from before that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_code: Option<String>,
    /// The number of what they said: 0 no, 1 yes, others yes for a time at most (docs/offline.md).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u8>,
    /// The uid of who logged in and typed it at the prompt, where somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typed_by: Option<u32>,
}
