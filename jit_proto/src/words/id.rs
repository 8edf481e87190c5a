//! User ids, and the ids of requests and grants.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::bad::BadWord;

/// A user id. `u32::MAX` is not one: the kernel uses it for "no uid" (setreuid(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Uid(u32);

impl Uid {
    /// The superuser, uid 0.
    pub const ROOT: Self = Self(0);

    /// The uid as a number.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// Whether this is the superuser.
    #[must_use]
    pub const fn is_root(self) -> bool {
        self.0 == 0
    }
}

impl TryFrom<u32> for Uid {
    type Error = BadWord;

    fn try_from(raw: u32) -> Result<Self, BadWord> {
        if raw == u32::MAX {
            return Err(BadWord::NotOneOf { what: "uid", expected: "0 to 4294967294" });
        }
        Ok(Self(raw))
    }
}

impl From<Uid> for u32 {
    fn from(uid: Uid) -> Self {
        uid.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Crockford's base 32: no `i`, `l`, `o` or `u`, so that an id survives being read aloud.
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u64);

        impl $name {
            /// From random bits; the low 40 count.
            #[must_use]
            pub const fn from_bits(bits: u64) -> Self {
                Self(bits & 0xff_ffff_ffff)
            }

            /// Its 40 bits.
            #[must_use]
            pub const fn bits(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = String::from($prefix);
                for place in (0..8).rev() {
                    let digit = usize::try_from(self.0 >> (5 * place) & 31).unwrap_or(0);
                    text.push(char::from(CROCKFORD[digit]));
                }
                f.pad(&text)
            }
        }

        impl FromStr for $name {
            type Err = BadWord;

            fn from_str(text: &str) -> Result<Self, BadWord> {
                let bad = BadWord::NotOneOf { what: $what, expected: concat!("like ", $prefix, "4k7m2qx9") };
                let digits = text.strip_prefix($prefix).filter(|digits| digits.len() == 8).ok_or(bad.clone())?;
                let mut bits = 0;
                for digit in digits.bytes() {
                    let value = CROCKFORD.iter().position(|c| *c == digit).ok_or(bad.clone())?;
                    bits = bits << 5 | value as u64;
                }
                Ok(Self(bits))
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadWord;

            fn try_from(text: String) -> Result<Self, BadWord> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

id!(
    /// A request's id, as `r-4k7m2qx9`.
    RequestId, "r-", "request id"
);
id!(
    /// A grant's id, as `g-4k7m2qx9`: the same digits as the request it came from.
    GrantId, "g-", "grant id"
);

impl From<RequestId> for GrantId {
    fn from(request: RequestId) -> Self {
        Self(request.0)
    }
}

impl From<GrantId> for RequestId {
    fn from(grant: GrantId) -> Self {
        Self(grant.0)
    }
}
