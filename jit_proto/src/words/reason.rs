//! The reason that a person gives for a request, a grant or a revoke.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::bad::BadWord;
use crate::text::is_unprintable;

/// Why somebody asks, grants or revokes: one line, 1 to 1,024 bytes, nothing that a terminal would act on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reason(String);

impl Reason {
    const LIMIT: usize = 1024;

    /// The reason as typed, without surrounding white space.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reason {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadWord::Empty { what: "reason" });
        }
        if text.len() > Self::LIMIT {
            return Err(BadWord::TooLong { what: "reason", got: text.len(), limit: Self::LIMIT });
        }
        if let Some((at, got)) = text.char_indices().find(|(_, c)| is_unprintable(*c)) {
            let allowed = "printable characters on one line";
            return Err(BadWord::BadChar { what: "reason", got, at, allowed });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Reason {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<Reason> for String {
    fn from(reason: Reason) -> Self {
        reason.0
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
