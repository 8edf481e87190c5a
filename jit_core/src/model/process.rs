//! A process, told from all others.

use serde::{Deserialize, Serialize};

/// A process that cannot be mistaken for another that took its pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Leader {
    /// The process id.
    pub pid: u32,
    /// Its start time: field 22 of /proc/PID/stat (proc(5)).
    pub start: u64,
}
