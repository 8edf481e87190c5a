//! The answer to a check.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::bad::BadWord;

/// The answer to a check (DESIGN §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// A window admits the subject.
    Allow,
    /// No window does, or something beats it.
    Deny,
    /// This check is not jitd's to answer: exempt, or a caller who already is uid 0.
    Unmanaged,
}

impl Verdict {
    /// The word on the wire and in every output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Unmanaged => "unmanaged",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Verdict {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        match text {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            "unmanaged" => Ok(Self::Unmanaged),
            _ => Err(BadWord::NotOneOf { what: "verdict", expected: "allow, deny or unmanaged" }),
        }
    }
}
