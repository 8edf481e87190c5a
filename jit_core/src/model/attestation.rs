//! What somebody said of a standing right to ask: that it is still needed, or no longer (recertification).

use std::fmt;
use std::str::FromStr;

use jit_proto::words::{BadWord, GroupName, UserName};
use serde::{Deserialize, Serialize};

use crate::policy::PersonName;

/// What stands before the name of a person.
const PERSON: &str = "person:";

/// Who may ask for a role: an account, the members of a group, or a person of those who share accounts. Text and serde form:
/// `maria`, `@dba`, `person:kim`; no name of an account has a colon.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Entitled {
    /// The account of this name.
    User(UserName),
    /// Whoever is in this group.
    Group(GroupName),
    /// This person of `[people]`, by whatever account they come.
    Person(PersonName),
}

impl fmt::Display for Entitled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Group(group) => write!(f, "@{group}"),
            Self::Person(person) => write!(f, "{PERSON}{person}"),
        }
    }
}

impl FromStr for Entitled {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        if let Some(person) = text.strip_prefix(PERSON) {
            return person.parse().map(Self::Person);
        }
        match text.strip_prefix('@') {
            Some(group) => group.parse().map(Self::Group),
            None => text.parse().map(Self::User),
        }
    }
}

impl TryFrom<String> for Entitled {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<Entitled> for String {
    fn from(who: Entitled) -> Self {
        who.to_string()
    }
}

/// Whether somebody should go on being able to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// It is still needed.
    Keep,
    /// It is not, and policy should lose it.
    Remove,
}

impl Keep {
    /// The word in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Remove => "remove",
        }
    }
}

impl FromStr for Keep {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        match text {
            "keep" => Ok(Self::Keep),
            "remove" => Ok(Self::Remove),
            _ => Err(BadWord::NotOneOf { what: "attestation", expected: "keep or remove" }),
        }
    }
}

/// How a checkpoint left the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CarriedBy {
    /// By itself: `jitctl audit checkpoint`.
    Checkpoint,
    /// With the records that it covers: `jitctl audit export`.
    Export,
}

impl CarriedBy {
    /// The word in records and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Export => "export",
        }
    }
}

impl FromStr for CarriedBy {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        match text {
            "checkpoint" => Ok(Self::Checkpoint),
            "export" => Ok(Self::Export),
            _ => Err(BadWord::NotOneOf { what: "way of a checkpoint", expected: "checkpoint or export" }),
        }
    }
}
