//! What an emergency has passed.

use std::fmt;
use std::str::FromStr;

use jit_proto::words::{BadWord, RoleName};
use serde::{Deserialize, Serialize};

/// What would have kept a window shut that was opened in an emergency. Text and serde form: `at-once`, `rest`,
/// `apart:audit-admin`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Despite {
    /// Its person had, or waited for, this role, which is apart from it.
    Apart(RoleName),
    /// As many windows of the role were open as there may be at a time.
    AtOnce,
    /// Its person had not rested since the last.
    Rest,
}

const APART: &str = "apart:";

impl fmt::Display for Despite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Apart(role) => write!(f, "{APART}{role}"),
            Self::AtOnce => f.write_str("at-once"),
            Self::Rest => f.write_str("rest"),
        }
    }
}

impl FromStr for Despite {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        match (text, text.strip_prefix(APART)) {
            (_, Some(role)) => role.parse().map(Self::Apart),
            ("at-once", None) => Ok(Self::AtOnce),
            ("rest", None) => Ok(Self::Rest),
            (_, None) => Err(BadWord::NotOneOf { what: "limit", expected: "at-once, rest or apart:ROLE" }),
        }
    }
}

impl TryFrom<String> for Despite {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<Despite> for String {
    fn from(despite: Despite) -> Self {
        despite.to_string()
    }
}
