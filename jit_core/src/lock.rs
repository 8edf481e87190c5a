//! Locks: a deny that beats every grant (law 10), except for whom policy exempts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jit_proto::words::{BadWord, GroupName, Reason, RoleName, ServiceName, UserName};
use serde::{Deserialize, Serialize};

use crate::clock::Moment;
use crate::event::Event;
use crate::grant::{EndWhy, Grant};
use crate::order::{Here, Refusal};
use crate::person::{Caller, Person};
use crate::policy::{People, Subject};
use crate::taking_back;

/// What a lock shuts. Text form: `host`, or the kind, a colon and the name: `user:maria`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// A human: this account, and those that policy says are the same person.
    User(UserName),
    /// Everybody in a group.
    Group(GroupName),
    /// A PAM service.
    Service(ServiceName),
    /// A role.
    Role(RoleName),
    /// The whole host.
    Host,
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

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

/// A lock as it stands. There is one for each scope; a newer one takes the place of an older.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// What it shuts.
    pub scope: Scope,
    /// What those who are refused are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Reason>,
    /// Who set it.
    pub by: Person,
    /// When.
    pub at: Moment,
    /// How long it holds; until somebody lifts it if absent.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "crate::clock::optional_seconds")]
    pub duration: Option<Duration>,
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

    /// What whoever runs into it is told.
    #[must_use]
    pub fn refusal(&self) -> String {
        let until = self.duration.map_or_else(
            || "until an admin lifts it".to_owned(),
            |duration| format!("until {}", self.at.wall.plus(duration).to_seconds()),
        );
        let message = self.message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
        format!("locked ({}) by {} {until}{message}", self.scope, self.by)
    }

    /// Whether somebody has to know of it: what keeps them out, and what keeps everybody from a service or a role.
    #[must_use]
    pub fn concerns(&self, subject: &Subject, people: &People) -> bool {
        matches!(self.scope, Scope::Service(_) | Scope::Role(_)) || self.shuts_out(subject, people)
    }

    fn shuts_out(&self, subject: &Subject, people: &People) -> bool {
        match &self.scope {
            Scope::User(name) => people.same(name, &subject.name),
            Scope::Group(group) => subject.groups.contains(group),
            Scope::Host => true,
            Scope::Service(_) | Scope::Role(_) => false,
        }
    }
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

    /// The lock on a service.
    #[must_use]
    pub fn on_service(self, service: &ServiceName) -> Option<&'a Lock> {
        self.holding().find(|lock| matches!(&lock.scope, Scope::Service(name) if name == service))
    }

    /// The lock on a role.
    #[must_use]
    pub fn on_role(self, role: &RoleName) -> Option<&'a Lock> {
        self.holding().find(|lock| matches!(&lock.scope, Scope::Role(name) if name == role))
    }

    /// Whether some group is locked: then nobody gets in of whom the groups are not known.
    #[must_use]
    pub fn on_any_group(self) -> bool {
        self.holding().any(|lock| matches!(lock.scope, Scope::Group(_)))
    }
}

/// An order to lock.
#[derive(Clone, Debug)]
pub struct LockOrder {
    /// What to shut.
    pub scope: Scope,
    /// What to tell those who are refused.
    pub message: Option<Reason>,
    /// How long; until it is lifted if absent.
    pub duration: Option<Duration>,
}

/// Locks, and ends every grant that the lock shuts altogether.
pub fn lock(here: Here<'_>, caller: &Caller, order: LockOrder) -> Result<Vec<Event>, Refusal> {
    here.admin(caller)?;
    let people = here.policy.people();
    let shut = |grant: &Grant| match &order.scope {
        Scope::User(name) => people.same(name, &grant.user),
        Scope::Role(role) => grant.role == *role,
        Scope::Host => true,
        // Who is in a group takes time to look up: see `end_of_members`.
        Scope::Group(_) | Scope::Service(_) => false,
    };
    let shut: BTreeSet<_> = here.state.grants().filter(|grant| shut(grant)).map(|grant| grant.id).collect();
    let LockOrder { scope, message, duration } = order;
    let lock = Lock { scope, message, by: caller.person(), at: here.now.clone(), duration };
    let ended = taking_back::end_all(here.state, shut, EndWhy::Locked, None);
    Ok([Event::Locked { lock }].into_iter().chain(ended).collect())
}

/// Ends the grants of these people, who are in a group that has just been locked. They are refused since the lock was
/// set; this takes their grants for good.
#[must_use]
pub fn end_of_members(here: Here<'_>, group: &GroupName, members: &BTreeSet<UserName>) -> Vec<Event> {
    if !here.state.locks().contains_key(&Scope::Group(group.clone())) {
        return Vec::new();
    }
    let shut = here.state.grants().filter(|grant| members.contains(&grant.user)).map(|grant| grant.id);
    taking_back::end_all(here.state, shut.collect(), EndWhy::Locked, None)
}

/// Lifts a lock. What it has ended stays ended.
pub fn unlock(
    here: Here<'_>,
    caller: &Caller,
    scope: Scope,
    reason: Option<Reason>,
) -> Result<Vec<Event>, Refusal> {
    here.admin(caller)?;
    if here.state.locks().contains_key(&scope) {
        return Ok(vec![Event::Unlocked { scope, expired: false, reason }]);
    }
    Err(Refusal::NotLocked(scope))
}
