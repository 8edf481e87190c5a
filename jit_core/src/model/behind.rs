//! Whom a signed grant is for, beside the account.

use std::fmt;
use std::str::FromStr;

use jit_proto::text::is_unprintable;
use jit_proto::words::BadWord;
use serde::{Deserialize, Serialize};

/// The human behind an account that several share, as whoever signed the grant names them: a principal, a name in policy, or
/// a plain name. At most 128 bytes on one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Behind(String);

impl Behind {
    const LIMIT: usize = 128;

    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Behind {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        const WHAT: &str = "name of a person";
        if text.trim().is_empty() {
            return Err(BadWord::Empty { what: WHAT });
        }
        if text.len() > Self::LIMIT {
            return Err(BadWord::TooLong { what: WHAT, got: text.len(), limit: Self::LIMIT });
        }
        if let Some((at, got)) = text.char_indices().find(|(_, c)| is_unprintable(*c)) {
            return Err(BadWord::BadChar {
                what: WHAT,
                got,
                at,
                allowed: "printable characters on one line",
            });
        }
        if text.trim() != text {
            let at = if text.starts_with(char::is_whitespace) { 0 } else { text.len() - 1 };
            return Err(BadWord::BadChar { what: WHAT, got: ' ', at, allowed: "no blanks around it" });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Behind {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<Behind> for String {
    fn from(behind: Behind) -> Self {
        behind.0
    }
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
