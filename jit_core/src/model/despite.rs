//! What an emergency has passed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What would have kept a window shut that was opened in an emergency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Despite {
    /// As many windows of the role were open as there may be at a time.
    AtOnce,
    /// Its person had not rested since the last.
    Rest,
}

impl fmt::Display for Despite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AtOnce => "at-once",
            Self::Rest => "rest",
        })
    }
}
