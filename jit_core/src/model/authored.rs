//! What a request holds that a signed grant asked for (docs/offline.md), beside what every request has.

use std::fmt;
use std::str::FromStr;

use jit_proto::text::is_unprintable;
use jit_proto::words::{BadWord, UserName};
use serde::{Deserialize, Serialize};

use super::person::Person;
use super::serial::Serial;
use crate::digest::Digest;
use crate::policy::{People, Principal};
use crate::time::Utc;

/// Which signed grant a request came of, and what that says of its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authored {
    /// The serial of the grant.
    pub serial: Serial,
    /// The digest of its exact text.
    pub statement: Digest,
    /// When its window ends at the latest; a whole second.
    pub until: Utc,
    /// The human who comes by the account, where the grant names one.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub behind: Option<Behind>,
}

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

    /// Whether this is the human behind an account, as far as policy knows: by a key of theirs, by their name there, or by
    /// an account.
    #[must_use]
    pub fn is(&self, people: &People, person: &Person) -> bool {
        let accounts = || [&person.name].into_iter().chain(&person.also);
        let key = self.0.parse::<Principal>().ok();
        let by_key = key.and_then(|key| people.of_key(&key));
        let by_account = |own: &UserName| {
            self.0.parse::<UserName>().is_ok_and(|named| people.same(&named, own))
                || people
                    .of_account(own)
                    .is_some_and(|human| human.to_string() == self.0 || by_key == Some(human))
        };
        accounts().any(by_account)
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
