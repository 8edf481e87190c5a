//! Who acts: people behind accounts, and callers as the kernel and the bus tell them.

use std::fmt;

use jit_proto::words::{Uid, UserName};
use serde::{Deserialize, Serialize};

use crate::policy::{People, Subject};

/// An account that stands for a human. Which accounts are one human, `[people]` says on top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The account's name.
    pub name: UserName,
    /// Its uid.
    pub uid: Uid,
}

impl Person {
    /// The person behind an account.
    #[must_use]
    pub fn of(subject: &Subject) -> Self {
        Self { name: subject.name.clone(), uid: subject.uid }
    }

    /// Whether two accounts are the same person: by uid, so that a second name for one uid is not a second
    /// person, and by name, so that a re-created account is not a second person either.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.uid == other.uid || self.name == other.name
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// Who gives an order, as the kernel and the bus tell it (law 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account of the bus uid.
    pub account: Subject,
    /// The account that logged in (loginuid), where it is another one or the same.
    pub login: Login,
}

/// What the kernel says of the login behind a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// This account logged in.
    Known(Subject),
    /// No login: a daemon, a boot script, a container's entry.
    Unset,
    /// This kernel does not tell.
    Untold,
}

impl Caller {
    /// The accounts behind the order: that of the call, and that of the login where there is one.
    pub fn accounts(&self) -> impl Iterator<Item = &Subject> {
        let login = match &self.login {
            Login::Known(login) => Some(login),
            Login::Unset | Login::Untold => None,
        };
        [&self.account].into_iter().chain(login)
    }

    /// The person who gives the order: root that somebody logged in to become counts as that somebody.
    #[must_use]
    pub fn person(&self) -> Person {
        match &self.login {
            Login::Known(login) => Person::of(login),
            Login::Unset | Login::Untold => Person::of(&self.account),
        }
    }
}

/// Whether two accounts are one human, by uid, by name, or because policy says so.
pub(crate) fn same(people: &People, a: &Person, b: &Person) -> bool {
    a.is(b) || people.same(&a.name, &b.name)
}
