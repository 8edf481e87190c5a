//! What a host remembers of signed statements: which it has taken, which were revoked before they came, and since when it
//! knows that.

use jit_proto::words::RequestId;
use serde::{Deserialize, Serialize};

use super::behind::Behind;
use super::person::Person;
use super::review::Evidence;
use super::serial::Serial;
use crate::digest::Digest;
use crate::policy::{People, PersonName};
use crate::time::Utc;

/// Of a request that nobody typed on this host: the signed grant that it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// The grant's serial, which is spent by the request.
    pub serial: Serial,
    /// The digest of its exact text.
    pub text: Digest,
    /// When the window is over at the latest.
    pub until: Utc,
    /// The human who comes by the account.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub behind: Option<Behind>,
}

impl Ahead {
    /// Whether somebody is the human who comes by the account: by the name of an account, of a person in policy, or of a
    /// key of theirs. What can be read both ways is read as that.
    #[must_use]
    pub fn is_for(&self, people: &People, who: &Person) -> bool {
        let Some(behind) = &self.behind else { return false };
        let text = behind.as_str();
        let of_key = text.parse().ok().and_then(|principal| people.of_key(&principal));
        let of_account = text.parse().ok().and_then(|account| people.of_account(&account));
        let is_behind = |person: &PersonName| {
            person.to_string().eq_ignore_ascii_case(text) || [of_key, of_account].contains(&Some(person))
        };
        if who.person.as_ref().is_some_and(is_behind) {
            return true;
        }
        who.names().any(|name| {
            let person = people.of_account(name);
            name.as_str().eq_ignore_ascii_case(text) || person.is_some_and(is_behind)
        })
    }
}

/// A serial that is spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The serial that it is about.
    pub serial: Serial,
    /// The digest of the text that had it.
    pub text: Digest,
    /// The request that a grant became; absent of a lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
}

impl Taken {
    /// A lock becomes no request.
    #[must_use]
    pub const fn is_of_a_lock(&self) -> bool {
        self.request.is_none()
    }
}

/// A serial that opens nothing, whether its grant has come or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// The serial that it is about.
    pub serial: Serial,
    /// Whoever has revoked it.
    pub by: Person,
    /// When that was taken.
    pub at: Utc,
}

/// Since when this host knows which serials are spent. What was written before may have been used in a past that is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// From then on.
    pub at: Utc,
    /// The machine went back in time, or is a copy, and its clock may have gone back with it: once somebody vouches for the
    /// clock, it is that time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub went_back: bool,
}

/// Whose signature a thing was done by, and what proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BySignature {
    /// Whoever has signed it.
    pub by: Person,
    /// The statement's serial, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<Serial>,
    /// What proves it.
    pub signed: Evidence,
}
