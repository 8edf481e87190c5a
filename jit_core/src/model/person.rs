//! Who acts: people behind accounts, and callers as the kernel and the bus tell them.

use std::collections::BTreeSet;
use std::fmt;

use jit_proto::words::{Uid, UserName};
use serde::{Deserialize, Serialize};

use crate::access::Denied;
use crate::policy::{People, PersonName, Subject};

/// An account that stands for a human. Which accounts are one human, `[people]` says on top.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The account's name.
    pub name: UserName,
    /// The uid of the account.
    pub uid: Uid,
    /// The other names that this host's account files had for the uid. `[people]` may know the human by one of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub also: BTreeSet<UserName>,
    /// Who comes by it, where several people share it and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
}

impl Person {
    /// An account of which no other name is known.
    #[must_use]
    pub const fn named(name: UserName, uid: Uid) -> Self {
        Self { name, uid, also: BTreeSet::new(), person: None }
    }

    /// The person behind an account.
    #[must_use]
    pub fn of(subject: &Subject) -> Self {
        let Subject { name, uid, also, person, is_local: _, groups: _, kept_out_by: _ } = subject.clone();
        Self { name, uid, also, person }
    }

    /// Whether two accounts are the same person: by uid, so that a second name for one uid is not a second
    /// person, and by name, so that a re-created account is not a second person either.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.uid == other.uid || self.name == other.name
    }

    /// Whether name and uid are both the same; the name may be another of the uid's.
    #[must_use]
    pub fn is_account(&self, account: &Subject) -> bool {
        self.uid == account.uid && account.is_called(&self.name)
    }

    /// Every name that the account is known by.
    pub(crate) fn names(&self) -> impl Iterator<Item = &UserName> {
        [&self.name].into_iter().chain(&self.also)
    }
}

/// `maria`; of an account that people share, with who comes by it: `support (kim)`.
impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.person {
            Some(person) => f.pad(&format!("{} ({person})", self.name)),
            None => self.name.fmt(f),
        }
    }
}

/// Who gives an order, as the kernel and the bus tell it (law 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account of the bus uid.
    pub account: Subject,
    /// The account that logged in (loginuid), where it is another one or the same.
    pub login: LoginAccount,
}

/// What the kernel says of the login behind a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginAccount {
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
            LoginAccount::Known(login) => Some(login),
            LoginAccount::Unset | LoginAccount::Untold => None,
        };
        [&self.account].into_iter().chain(login)
    }

    /// The account whose windows, requests, sessions and quota are the caller's own: that of the uid that the bus reports.
    /// The login uid is not used, since a process without a login can set its own to any value (law 8).
    #[must_use]
    pub fn own(&self) -> Person {
        Person::of(&self.account)
    }

    /// The account that is recorded as giving the order, and that counts in a review: for root, the account that logged
    /// in, if there is one (law 4). It decides nothing about ownership.
    #[must_use]
    pub fn person(&self) -> Person {
        match &self.login {
            LoginAccount::Known(login) if self.account.uid.is_root() => Person::of(login),
            LoginAccount::Known(_) | LoginAccount::Unset | LoginAccount::Untold => self.own(),
        }
    }

    /// Whether the login, where there is one, is the same person's as the account.
    pub(crate) fn is_one_person(&self, people: &People) -> bool {
        match &self.login {
            LoginAccount::Known(login) => same(people, &Person::of(login), &self.own()),
            LoginAccount::Unset | LoginAccount::Untold => true,
        }
    }

    /// Whether the login behind the order forbids an admin's (see [`access`](crate::access)): a second look at what
    /// the call was let through by.
    pub(crate) fn may_order(&self) -> Result<(), Denied> {
        let uid = self.account.uid;
        match &self.login {
            LoginAccount::Known(login) if login.uid != uid && !uid.is_root() => {
                Err(Denied::AnotherLogin { uid, login: login.uid })
            }
            LoginAccount::Unset if !uid.is_root() => Err(Denied::NoLogin),
            LoginAccount::Known(_) | LoginAccount::Unset | LoginAccount::Untold => Ok(()),
        }
    }
}

/// Whether two accounts are one human, by uid, or because two of their names are one or policy says that they are one
/// human's. So `alice2`, who has alice's uid, is also whoever `[people]` says is alice's person. Of an account that people
/// share, one of whom nothing more is known may be any of them.
pub(crate) fn same(people: &People, a: &Person, b: &Person) -> bool {
    if let (Some(a), Some(b)) = (&a.person, &b.person) {
        return a == b;
    }
    a.is(b)
        || a.names().any(|name| b.names().any(|other| people.same(name, other)))
        || behind(people, a).any(|person| behind(people, b).any(|other| person == other))
}

/// Whoever policy says may be behind an account.
fn behind<'a>(people: &'a People, who: &'a Person) -> impl Iterator<Item = &'a PersonName> {
    let by_account =
        |name| people.of_account(name).into_iter().chain(people.sharers(name)).collect::<Vec<_>>();
    let known = who.person.iter();
    known.chain(who.names().filter(|_| who.person.is_none()).flat_map(by_account))
}

/// Whether what is `theirs` is surely this caller's own. Unlike [`same`], nobody has what is one person's on an account that
/// people share for having come by it.
#[must_use]
pub fn owns(people: &People, caller: &Person, theirs: &Person) -> bool {
    match &theirs.person {
        Some(person) if caller.person.is_some() => caller.person.as_ref() == Some(person),
        Some(person) => caller.names().any(|name| people.of_account(name) == Some(person)),
        None if caller.person.is_some() && !caller.is(theirs) => {
            theirs.names().any(|name| people.of_account(name) == caller.person.as_ref())
        }
        None => caller.is(theirs) || caller.names().any(|own| theirs.names().any(|n| people.same(own, n))),
    }
}
