//! `except`: whom a set of people does not mean, though it names them.
//!
//! An exception is for a human and not for one account: whoever is excepted by one of their accounts is so under all that
//! `[people]` has of them. By a group it is the account that asks which is in it or not. What is not known of it counts
//! against them: a group that could not be read, and a shared account of which nobody knows who comes by it.

use std::collections::BTreeSet;
use std::fmt;

use jit_proto::words::{GroupName, UserName};

use super::people::{People, PersonName, Subject};
use crate::digest::Canonical;

/// These accounts, whoever is in one of these groups, and these persons.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Except {
    /// Accounts by name.
    pub users: BTreeSet<UserName>,
    /// Groups by name.
    pub groups: BTreeSet<GroupName>,
    /// Persons of `[people]`.
    pub people: BTreeSet<PersonName>,
    /// Who they are as `[people]` has it, which is known once all files are read.
    behind: Behind,
}

/// The humans whom an exception names, by an account or as a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Behind {
    humans: BTreeSet<PersonName>,
    /// What is theirs alone.
    own: BTreeSet<UserName>,
    /// What they share with others.
    shared: BTreeSet<UserName>,
}

impl Except {
    /// The accounts, groups and persons that are named, before it is known who they are.
    pub(super) fn named(
        users: BTreeSet<UserName>,
        groups: BTreeSet<GroupName>,
        people: BTreeSet<PersonName>,
    ) -> Self {
        Self { users, groups, people, behind: Behind::default() }
    }

    /// Whether nobody is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.groups.is_empty() && self.people.is_empty()
    }

    /// Whether the subject is excepted, or may be for all that is known.
    #[must_use]
    pub fn covers(&self, subject: &Subject) -> bool {
        let Behind { humans, own, shared } = &self.behind;
        let by_name = |name: &UserName| {
            // Who comes by it is known by the person alone.
            let is_sharers = subject.person.is_none() && shared.contains(name);
            self.users.contains(name) || own.contains(name) || is_sharers
        };
        subject.names().any(by_name)
            || self.groups.iter().any(|group| subject.may_be_kept_out_by(group))
            || subject.person.as_ref().is_some_and(|person| humans.contains(person))
    }

    /// Learns who they are. Answers the persons that nobody has defined.
    pub(super) fn resolve(
        &mut self,
        people: &People,
        is_known: impl Fn(&PersonName) -> bool,
    ) -> Vec<PersonName> {
        let by_account = self.users.iter().filter_map(|user| people.of_account(user));
        let humans: BTreeSet<PersonName> = self.people.iter().chain(by_account).cloned().collect();
        let own = humans.iter().flat_map(|human| people.own_accounts(human)).collect();
        let shared = humans.iter().flat_map(|human| people.shared_by(human)).cloned().collect();
        self.behind = Behind { humans, own, shared };
        self.people.iter().filter(|person| !is_known(person)).cloned().collect()
    }

    /// The accounts that are excepted by their names.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &UserName> {
        self.users.iter().chain(&self.behind.own)
    }

    /// Whether all whom the other names are named.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        self.users.is_superset(&other.users)
            && self.groups.is_superset(&other.groups)
            && self.people.is_superset(&other.people)
    }

    /// Whether the names are the same ones.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.includes(other) && other.includes(self)
    }

    pub(super) fn write_to(&self, bytes: &mut Canonical) {
        bytes.list(self.users.iter().map(UserName::as_str));
        bytes.list(self.groups.iter().map(GroupName::as_str));
        bytes.list(self.people.iter().map(|person| person.as_account().as_str()));
    }
}

/// `otto, person kim, @interns`, or `nobody`.
impl fmt::Display for Except {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.pad("nobody");
        }
        let users = self.users.iter().map(ToString::to_string);
        let people = self.people.iter().map(|person| format!("person {person}"));
        let groups = self.groups.iter().map(|group| format!("@{group}"));
        f.pad(&users.chain(people).chain(groups).collect::<Vec<_>>().join(", "))
    }
}
