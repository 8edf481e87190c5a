//! Locks: a deny that beats every grant (law 10), except for whom policy exempts.

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::words::{GroupName, Reason, ServiceName, Uid, UserName};

use crate::context::Context;
use crate::event::Event;
use crate::model::{BySignature, Caller, EndWhy, Grant, Lock, Person, Scope, is_locked};
use crate::orders::{Refusal, revoke};
use crate::policy::{Role, Subject};
use crate::services::Services;
use crate::state::State;
use crate::text::nearest;

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
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
    /// For a user: the uids behind the name, as [`Lock::uids`].
    pub uids: BTreeSet<Uid>,
}

/// Locks, and ends every grant that the lock shuts altogether.
pub fn lock(here: Context<'_>, caller: &Caller, order: LockOrder) -> Result<Vec<Event>, Refusal> {
    here.admin(caller)?;
    Ok(set(here, caller.person(), order, None))
}

/// The same, by whoever may.
pub(super) fn set(
    here: Context<'_>,
    by: Person,
    order: LockOrder,
    statement: Option<Box<BySignature>>,
) -> Vec<Event> {
    let people = here.policy.people();
    let shut = |grant: &Grant| match &order.scope {
        Scope::User(name) => {
            people.same(name, &grant.user)
                || order.uids.contains(&grant.uid)
                || grant.person.as_ref().is_some_and(|person| is_locked(people, name, person))
        }
        Scope::Role(role) => grant.role == *role,
        Scope::Host => true,
        // Who is in a group takes time to look up: see `end_of_members`.
        Scope::Group(_) | Scope::Service(_) => false,
    };
    let shut: BTreeSet<_> = here.state.grants().filter(|grant| shut(grant)).map(|grant| grant.id).collect();
    let LockOrder { scope, message, duration, uids } = order;
    let scope = scope.whole();
    let lock = Lock { scope, message, by, at: here.now.clone(), duration, uids };
    let ended = revoke::end_all(here.state, shut, EndWhy::Locked, None);
    [Event::Locked { lock, statement }].into_iter().chain(ended).collect()
}

/// Ends the grants of these people, who are in a group that has just been locked. They are refused since the lock was
/// set; this takes their grants for good.
#[must_use]
pub fn end_of_members(here: Context<'_>, group: &GroupName, members: &BTreeSet<UserName>) -> Vec<Event> {
    if !here.state.locks().contains_key(&Scope::Group(group.clone())) {
        return Vec::new();
    }
    let shut = here.state.grants().filter(|grant| members.contains(&grant.user)).map(|grant| grant.id);
    revoke::end_all(here.state, shut.collect(), EndWhy::Locked, None)
}

/// What this host says of a name that is to be locked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Whether there is such an account, group or service; absent where that could not be found out, which keeps nobody
    /// from locking.
    pub is_there: Option<bool>,
    /// The names of its kind that this host lists, for who mistyped one.
    pub others: BTreeSet<String>,
}

/// Whether a lock is on something: what this host has, what policy names, or what is open or asked for by that name. Only
/// accounts and groups may be locked before they are there, where whoever locks says so.
pub fn is_on_something(
    here: Context<'_>,
    scope: &Scope,
    found: &Found,
    unknown: bool,
) -> Result<(), Refusal> {
    let Context { policy, state, .. } = here;
    let grants = || state.grants();
    let pending = || state.pending().values().map(|pending| &pending.request);
    let is_there = found.is_there.unwrap_or(true);
    let (kind, name, known) = match scope {
        Scope::Host => return Ok(()),
        Scope::User(name) => {
            let has_something = grants().any(|grant| grant.user == *name)
                || pending().any(|request| request.beneficiary.name == *name)
                || state.sessions().iter().any(|session| session.login.user == *name);
            let is_person = policy.people().is_sharer(name);
            ("user", name.as_str(), is_there || has_something || is_person || unknown)
        }
        Scope::Group(name) => ("group", name.as_str(), is_there || unknown),
        Scope::Service(name) => {
            let is_meant = |one: &ServiceName| one.family() == name.family();
            ("service", name.as_str(), is_there || policy.named_services().any(is_meant))
        }
        Scope::Role(name) => {
            let is_used = grants().any(|grant| grant.role == *name)
                || pending().any(|request| request.role == *name)
                || state.endings().values().any(|ending| ending.role == *name);
            ("role", name.as_str(), policy.role(name).is_some() || is_used)
        }
    };
    if known {
        return Ok(());
    }
    let mut others: Vec<String> = found.others.iter().cloned().collect();
    match scope {
        Scope::User(_) => {
            let mapped = policy.people().accounts().map(|(account, _)| account);
            others.extend(policy.users().chain(mapped).map(ToString::to_string));
        }
        Scope::Group(_) => others.extend(policy.groups().map(ToString::to_string)),
        Scope::Service(_) => others.extend(policy.named_services().map(ToString::to_string)),
        Scope::Role(_) => others.extend(policy.roles().map(|role| role.name.to_string())),
        Scope::Host => {}
    }
    // Policy may name what is not there either.
    let others = others.iter().map(String::as_str).filter(|other| *other != name);
    let near = nearest(name, others).and_then(|near| format!("{kind}:{near}").parse().ok());
    Err(Refusal::NoSuchScope { scope: scope.clone(), near })
}

/// Lifts a lock. What it has ended stays ended.
pub fn unlock(
    here: Context<'_>,
    caller: &Caller,
    scope: Scope,
    reason: Option<Reason>,
) -> Result<Vec<Event>, Refusal> {
    here.admin(caller)?;
    let lifted = set_on(here.state, &scope).map(|lock| Event::Unlocked {
        scope: lock.scope.clone(),
        expired: false,
        reason: reason.clone(),
    });
    let lifted: Vec<_> = lifted.collect();
    if lifted.is_empty() {
        let near = similar_lock(here, &scope);
        return Err(Refusal::NotLocked { scope, near });
    }
    Ok(lifted)
}

/// Whether the message of a lock is for somebody to read beforehand: whom it keeps out, or from what they could have had by a
/// role or a window. Whoever it refuses is told where they are refused.
#[must_use]
pub fn speaks_to(here: Context<'_>, lock: &Lock, subject: &Subject) -> bool {
    let of_window = |holds: &dyn Fn(&Grant) -> bool| {
        let own = here.state.grants_of(subject.uid);
        own.filter(|grant| subject.is_called(&grant.user)).any(holds)
    };
    match &lock.scope {
        Scope::Role(name) => {
            let is_for = |role: &Role| role.eligible.contains(subject);
            here.policy.role(name).is_some_and(is_for) || of_window(&|grant| grant.role == *name)
        }
        Scope::Service(name) => {
            let opens = |services: &Services| services.iter().any(|one| one.family() == name.family());
            here.policy.roles().any(|role| opens(&role.services) && role.eligible.contains(subject))
                || of_window(&|grant| opens(&grant.services))
        }
        Scope::User(_) | Scope::Group(_) | Scope::Host => lock.shuts_out(subject, here.policy.people()),
    }
}

/// The locks that an order about this scope is about: one, or two where an earlier version locked a service of a family
/// by a name of its own.
pub fn set_on<'s>(state: &'s State, scope: &Scope) -> impl Iterator<Item = &'s Lock> {
    let whole = scope.clone().whole();
    state.locks().values().filter(move |lock| lock.scope.clone().whole() == whole)
}

/// The lock that was probably meant: one on the same person, or one whose scope is written much like it.
fn similar_lock(here: Context<'_>, scope: &Scope) -> Option<Scope> {
    let people = here.policy.people();
    let scopes = || here.state.locks().keys();
    let same = scopes().find(|other| match (other, scope) {
        (Scope::User(locked), Scope::User(name)) => people.same(locked, name),
        _ => false,
    });
    let typed = scope.to_string();
    let texts: Vec<_> = scopes().map(ToString::to_string).collect();
    let near = || {
        let near = nearest(&typed, texts.iter().map(String::as_str))?;
        scopes().find(|other| other.to_string() == near)
    };
    same.or_else(near).cloned()
}
