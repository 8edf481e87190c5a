//! Values that several commands take.

use std::fmt;
use std::str::FromStr;

use jit_core::duration::{BadDuration, parse_duration};
use jit_proto::words::{BadWord, GrantId, RequestId};

/// A grant's or a request's id: either names the same entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Request(RequestId),
    Grant(GrantId),
}

impl FromStr for Id {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let request = text.parse().map(Self::Request);
        request.or_else(|_| text.parse().map(Self::Grant)).map_err(|_| BadWord::NotOneOf {
            what: "id",
            expected: "a grant's, like g-4k7m2qx9, or a request's, like r-4k7m2qx9",
        })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(id) => id.fmt(f),
            Self::Grant(id) => id.fmt(f),
        }
    }
}

/// `--for` in whole seconds; never 0, which on the wire means the role's default.
pub(crate) fn seconds(text: &str) -> Result<u64, BadDuration> {
    parse_duration(text).map(|duration| duration.as_secs())
}
