//! `jitctl lock` and `unlock`: a lock on the host, a service, a role, a group or a user beats every grant.
//!
//! On a terminal it is said first whom a lock ends, and asked: one word more or less may be the whole host.

use clap::Subcommand;
use jit_core::model::Scope;
use jit_core::services::Services;
use jit_proto::manager::{Entry, Lock, Session};
use jit_proto::text::Shown;
use jit_proto::words::{Reason, ServiceName};

use super::session;
use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, give};
use crate::screen::Screen;
use crate::values::seconds;
use crate::{prompts, views};

/// What to do about a lock.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Keep somebody, a group, or everybody out, and end the windows that this shuts
    ///
    /// A lock beats every grant, except for whom policy exempts. One scope has one lock: a new one takes the place of
    /// the old. It is refused where there is nothing by that name on this host. A user is locked under every name of
    /// their uid; sudo and su are locked in all their forms. On a terminal it is asked first where the lock is on the host
    /// or a group, or ends something. For admins.
    Lock {
        /// host, or user:NAME, group:NAME, service:NAME or role:NAME
        scope: Scope,
        /// What those who are refused are told; one line
        #[arg(long, value_name = "TEXT")]
        message: Option<Reason>,
        /// How long, such as 30m or 1h30m [default: until it is lifted]
        #[arg(long = "for", value_name = "DURATION", value_parser = seconds)]
        seconds: Option<u64>,
        /// Also where there is no such account or group on this host yet, as before a directory brings it
        #[arg(long)]
        unknown: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },

    /// Lift a lock
    ///
    /// What the lock has ended stays ended. For admins.
    Unlock {
        /// As it was locked; 'jitctl status' lists the locks there are
        scope: Scope,
        /// Why; one line, kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<Reason>,
    },
}

pub(crate) fn run(
    verb: &Verb,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    match verb {
        Verb::Lock { scope, message, seconds, unknown, yes } => {
            if !yes && screen.can_ask() && !is_meant(scope, jitd, screen)? {
                screen.say("Nothing was locked.");
                return Ok(Outcome::No);
            }
            let (scope, message) = (scope.clone(), message.clone());
            let seconds = seconds.unwrap_or(0);
            let lock: Lock = jitd::ask(jitd, &Call::Lock { scope, message, seconds, unknown: *unknown })?;
            Ok(give(&lock, json, screen, views::locked)?)
        }
        Verb::Unlock { scope, reason } => {
            let call = Call::Unlock { scope: scope.clone(), reason: reason.clone() };
            let lock: Lock = jitd::ask(jitd, &call)?;
            let ended = has_ended(&lock, jitd);
            Ok(give(&lock, json, screen, |lock| views::unlocked(lock, ended))?)
        }
    }
}

/// Whether windows have ended by a lock since this one was set. It is lifted, whatever the answer: if there is none, they may
/// have.
fn has_ended(lock: &Lock, jitd: &dyn Jitd) -> bool {
    let by_lock = |entry: &Entry| {
        entry.ended.as_deref() == Some("locked") && entry.end.as_deref() >= Some(lock.at.as_str())
    };
    jitd::ask::<Vec<Entry>>(jitd, &Call::List { all: true }).map_or(true, |all| all.iter().any(by_lock))
}

/// Says whom a lock ends, and asks.
fn is_meant(scope: &Scope, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<bool, Failure> {
    let mut windows: Vec<Entry> = jitd::ask(jitd, &Call::List { all: false })?;
    windows.retain(|window| views::is_open(window) && ends_window(scope, window));
    let mut sessions: Vec<Session> = jitd::ask(jitd, &Call::Sessions)?;
    sessions.retain(|session| ends_session(scope, session));
    let (shuts, of) = match scope {
        Scope::Host => ("It shuts the host for everybody but whom policy exempts.", ""),
        Scope::Group(_) => ("It shuts everybody who is in the group.", " of whoever of these is in it"),
        Scope::User(_) => ("It shuts every account of this person.", " of theirs"),
        Scope::Service(_) | Scope::Role(_) => ("", ""),
    };
    let ends_something = !(windows.is_empty() && sessions.is_empty());
    if !ends_something && !matches!(scope, Scope::Host | Scope::Group(_)) {
        return Ok(true);
    }
    if !shuts.is_empty() {
        screen.say(shuts);
    }
    if !windows.is_empty() {
        screen.say(&format!("Windows that it ends{of}:\n{}", views::table(windows.iter(), true).trim_end()));
    }
    if !sessions.is_empty() {
        screen.say(&format!("Sessions that it ends{of}:\n{}", session::table(&sessions, true).trim_end()));
    }
    if !ends_something {
        screen.say("No window and no session is open.");
    }
    let scope = scope.to_string();
    Ok(prompts::yes(screen, &format!("Lock {}?", Shown(&scope)), false))
}

/// Whether a lock on this may end the window. Who is in a group is jitd's to say.
fn ends_window(scope: &Scope, window: &Entry) -> bool {
    match scope {
        Scope::Host | Scope::Group(_) => true,
        Scope::User(user) => user.as_str() == window.user,
        Scope::Role(role) => role.as_str() == window.role,
        // A window that opens other services, too, goes on.
        Scope::Service(service) => {
            window.services.iter().all(|of| of.parse::<ServiceName>().is_ok_and(|of| is_of(service, &of)))
        }
    }
}

fn ends_session(scope: &Scope, session: &Session) -> bool {
    match scope {
        Scope::Host | Scope::Group(_) => true,
        Scope::User(user) => user.as_str() == session.user,
        Scope::Role(role) => session.role.as_deref() == Some(role.as_str()),
        Scope::Service(service) => session.service.parse::<ServiceName>().is_ok_and(|of| is_of(service, &of)),
    }
}

/// Whether a service is locked by a lock on that one: of sudo and su, all forms are.
fn is_of(locked: &ServiceName, service: &ServiceName) -> bool {
    let Scope::Service(whole) = Scope::Service(locked.clone()).whole() else { return false };
    Services::from([whole]).contains(service)
}

#[cfg(test)]
mod tests;
