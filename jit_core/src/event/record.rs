//! What the log holds of an event.

use serde::{Deserialize, Serialize};

use super::Event;
use crate::model::Actor;
use crate::time::Moment;

/// An event with its place in the log: what is written, byte for byte, as one line of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Position in the log, from 0, without gaps.
    pub seq: u64,
    /// When it happened, by the clocks of the host.
    #[serde(flatten)]
    pub at: Moment,
    /// Who made it happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// The event that is recorded.
    #[serde(flatten)]
    pub event: Event,
}
