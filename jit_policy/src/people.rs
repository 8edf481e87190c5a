//! Sets of accounts and groups, and which accounts belong to one human.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use jit_proto::text::{Shown, is_unprintable};
use jit_proto::words::{BadWord, GroupName, Uid, UserName};

use crate::digest::Canonical;

/// The person being checked, as jitd's name service answered (DESIGN §1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The account name.
    pub name: UserName,
    /// The uid of the account.
    pub uid: Uid,
    /// The other names that this host's account files have for the uid.
    pub also: BTreeSet<UserName>,
    /// The names of all its groups, the primary one included.
    pub groups: BTreeSet<GroupName>,
}

impl Subject {
    /// An account that has no other name and is in no group.
    #[must_use]
    pub const fn named(name: UserName, uid: Uid) -> Self {
        Self { name, uid, also: BTreeSet::new(), groups: BTreeSet::new() }
    }

    /// Every name that the account is known by.
    pub fn names(&self) -> impl Iterator<Item = &UserName> {
        [&self.name].into_iter().chain(&self.also)
    }
}

/// A set of people: these accounts, and whoever is in one of these groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    /// Accounts by name.
    pub users: BTreeSet<UserName>,
    /// Groups by name.
    pub groups: BTreeSet<GroupName>,
}

impl Who {
    /// Whether the subject is one of them, by its own name or by a group.
    #[must_use]
    pub fn contains(&self, subject: &Subject) -> bool {
        self.users.contains(&subject.name) || !self.groups.is_disjoint(&subject.groups)
    }

    /// Whether it names nobody at all. A group counts even if it has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty()
    }

    /// Whether every name of the other is one of these. Who is in a group is not asked.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        self.users.is_superset(&other.users) && self.groups.is_superset(&other.groups)
    }

    /// What this names and the other does not.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self { users: &self.users - &other.users, groups: &self.groups - &other.groups }
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.users.extend(other.users);
        self.groups.extend(other.groups);
    }

    pub(super) fn write_to(&self, bytes: &mut Canonical) {
        bytes.list(self.users.iter().map(UserName::as_str));
        bytes.list(self.groups.iter().map(GroupName::as_str));
    }
}

/// Users, then groups behind an `@`: `ana, tom, @dba`. `nobody` if there are none.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.pad("nobody");
        }
        let users = self.users.iter().map(ToString::to_string);
        let groups = self.groups.iter().map(|group| format!("@{group}"));
        f.pad(&users.chain(groups).collect::<Vec<_>>().join(", "))
    }
}

/// `[people]`: which accounts and signing keys belong to one human. An account that stands nowhere here is a
/// person of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    pub(super) accounts: BTreeMap<UserName, PersonName>,
    pub(super) keys: BTreeMap<Principal, PersonName>,
}

impl People {
    /// The human behind an account, if policy names one.
    #[must_use]
    pub fn of_account(&self, account: &UserName) -> Option<&PersonName> {
        self.accounts.get(account)
    }

    /// The human behind a signing key, if policy names one.
    #[must_use]
    pub fn of_key(&self, key: &Principal) -> Option<&PersonName> {
        self.keys.get(key)
    }

    /// Whether two accounts are the same human as far as policy knows.
    #[must_use]
    pub fn same(&self, a: &UserName, b: &UserName) -> bool {
        a == b || self.accounts.get(a).is_some_and(|person| self.accounts.get(b) == Some(person))
    }

    /// The human behind an account; the account itself where policy names none.
    pub(super) fn human(&self, account: &UserName) -> Human {
        match self.of_account(account) {
            Some(person) => Human::Person(person.clone()),
            None => Human::Account(account.clone()),
        }
    }

    /// Every account that policy maps, with its human, in account order.
    pub fn accounts(&self) -> impl Iterator<Item = (&UserName, &PersonName)> {
        self.accounts.iter()
    }
}

/// One human, who counts once under whatever account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Human {
    /// Whom policy names as a person.
    Person(PersonName),
    /// An account that is a person of its own.
    Account(UserName),
}

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => name.fmt(f),
            Self::Account(name) => name.fmt(f),
        }
    }
}

/// What policy calls a human; written as an account name is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonName(UserName);

impl FromStr for PersonName {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        text.parse().map(Self)
    }
}

impl PersonName {
    /// The account that has this very name, whether or not there is one.
    #[must_use]
    pub const fn as_account(&self) -> &UserName {
        &self.0
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The principal of a signing key, as the first field of an allowed_signers file has it (ssh-keygen(1)), without
/// the characters that make a pattern or a list of it. At most 255 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Principal(String);

/// Why a text is not a principal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPrincipal {
    /// Too long, or empty.
    #[error("a key's principal has 1 to 255 bytes, not {0}")]
    Length(usize),
    /// A blank, a pattern, a list, or something that cannot be printed.
    #[error("a key's principal has '{}'; blanks, quotes, commas and the patterns * ? ! are not allowed", Shown(&.0.to_string()))]
    Char(char),
}

impl FromStr for Principal {
    type Err = BadPrincipal;

    fn from_str(text: &str) -> Result<Self, BadPrincipal> {
        if text.is_empty() || text.len() > 255 {
            return Err(BadPrincipal::Length(text.len()));
        }
        let bad = |c: &char| {
            c.is_whitespace() || is_unprintable(*c) || matches!(c, '*' | '?' | '!' | ',' | '"' | '\'' | '#')
        };
        match text.chars().find(bad) {
            Some(c) => Err(BadPrincipal::Char(c)),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
