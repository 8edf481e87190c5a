//! Locks: a deny that beats every grant (law 10), except for whom policy exempts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jit_proto::words::{BadWord, GroupName, Reason, RoleName, ServiceName, Uid, UserName};
use serde::{Deserialize, Serialize};

use super::person::Person;
use crate::policy::{People, PersonName, Subject};
use crate::time::Moment;

/// What a lock shuts. Text form: `host`, or the kind, a colon and the name: `user:maria`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// A human: this account, and those that policy says are the same person; or the person of this name, who shares
    /// accounts with others. A shared account's is everybody who comes by it.
    User(UserName),
    /// Everybody in a group.
    Group(GroupName),
    /// A PAM service.
    Service(ServiceName),
    /// Every grant and request of a role.
    Role(RoleName),
    /// The whole host.
    Host,
}

impl Scope {
    /// The scope with a service's name replaced by that of its family, `sudo` or `su` (DESIGN §1).
    #[must_use]
    pub fn whole(self) -> Self {
        match self {
            // A family's word is a service's name.
            Self::Service(name) => Self::Service(name.family().parse().unwrap_or(name)),
            Self::User(_) | Self::Group(_) | Self::Role(_) | Self::Host => self,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Service(name) => write!(f, "service:{name}"),
            Self::Role(name) => write!(f, "role:{name}"),
            Self::Host => f.write_str("host"),
        }
    }
}

impl FromStr for Scope {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        match text.split_once(':') {
            Some(("user", name)) => name.parse().map(Self::User),
            Some(("group", name)) => name.parse().map(Self::Group),
            Some(("service", name)) => name.parse().map(Self::Service),
            Some(("role", name)) => name.parse().map(Self::Role),
            None if text == "host" => Ok(Self::Host),
            _ => Err(BadWord::NotOneOf {
                what: "lock",
                expected: "host, or user:, group:, service: or role: and a name",
            }),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

/// A lock. There is at most one for each scope; a newer one replaces it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// What it shuts.
    pub scope: Scope,
    /// The text that people who are refused see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Reason>,
    /// Who set it.
    pub by: Person,
    /// When the lock was set.
    pub at: Moment,
    /// How long it holds; until somebody lifts it if absent.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::time::optional_seconds")]
    pub duration: Option<Duration>,
    /// For a user: the uids of that account and of the others that policy says are the same person, as the name
    /// service knew them when the lock was set. None where it did not answer, or where an earlier version set it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub uids: BTreeSet<Uid>,
}

impl Lock {
    /// How long it still holds; absent for one without an end. A lock keeps people out, so of two clocks the one
    /// that says less time has passed is believed.
    #[must_use]
    pub fn remaining(&self, now: &Moment) -> Option<Duration> {
        let passed = now.at_least_since(&self.at);
        Some(self.duration?.saturating_sub(passed))
    }

    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, now: &Moment) -> bool {
        self.remaining(now).is_none_or(|left| !left.is_zero())
    }

    /// The text for a person whom the lock refuses.
    #[must_use]
    pub fn refusal(&self) -> String {
        let until = self.duration.map_or_else(
            || "until an admin lifts it".to_owned(),
            |duration| format!("until {}", self.at.wall.plus(duration).to_seconds()),
        );
        let message = self.message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
        format!("locked ({}) by {} {until}{message}", self.scope, self.by)
    }

    /// Whether this person may see the lock: it is on them, on a group of theirs, on a service, a role or the host.
    #[must_use]
    pub fn concerns(&self, subject: &Subject, people: &People) -> bool {
        matches!(self.scope, Scope::Service(_) | Scope::Role(_)) || self.shuts_out(subject, people)
    }

    /// Whether it keeps a subject out of everything.
    pub(crate) fn shuts_out(&self, subject: &Subject, people: &People) -> bool {
        match &self.scope {
            // By uid as well: a second name of it is the same account.
            Scope::User(name) => {
                subject.names().any(|own| people.same(name, own))
                    || self.uids.contains(&subject.uid)
                    || subject.person.as_ref().is_some_and(|person| is_locked(people, name, person))
                    || subject.names().any(|own| {
                        people.of_account(own).is_some_and(|person| is_locked(people, name, person))
                    })
            }
            Scope::Group(group) => subject.groups.contains(group),
            Scope::Host => true,
            Scope::Service(_) | Scope::Role(_) => false,
        }
    }
}

/// Whether a lock on this name is on a person: by the person's own name, or by an account that is theirs alone.
pub(crate) fn is_locked(people: &People, name: &UserName, person: &PersonName) -> bool {
    person.as_account() == name || people.of_account(name) == Some(person)
}

/// The locks that hold.
#[derive(Clone, Copy, Debug)]
pub struct Locks<'a> {
    pub(crate) all: &'a BTreeMap<Scope, Lock>,
    pub(crate) now: &'a Moment,
}

impl<'a> Locks<'a> {
    fn holding(self) -> impl Iterator<Item = &'a Lock> {
        self.all.values().filter(move |lock| lock.holds(self.now))
    }

    /// The lock that keeps a subject out of everything.
    #[must_use]
    pub fn on_subject(self, subject: &Subject, people: &People) -> Option<&'a Lock> {
        self.holding().find(|lock| lock.shuts_out(subject, people))
    }

    /// The lock on a subject as that person, or as one of a group; not that on the whole host.
    #[must_use]
    pub fn on_person(self, subject: &Subject, people: &People) -> Option<&'a Lock> {
        self.holding().find(|lock| lock.scope != Scope::Host && lock.shuts_out(subject, people))
    }

    /// The lock on a service, under whichever name of its family it was set.
    #[must_use]
    pub fn on_service(self, service: &ServiceName) -> Option<&'a Lock> {
        self.holding()
            .find(|lock| matches!(&lock.scope, Scope::Service(name) if name.family() == service.family()))
    }

    /// The lock on a role.
    #[must_use]
    pub fn on_role(self, role: &RoleName) -> Option<&'a Lock> {
        self.holding().find(|lock| matches!(&lock.scope, Scope::Role(name) if name == role))
    }
}
