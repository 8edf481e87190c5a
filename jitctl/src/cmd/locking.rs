//! `jitctl lock` and `unlock`: a lock on the host, a service, a role, a group or a user beats every grant.

use clap::Subcommand;
use jit_core::model::Scope;
use jit_proto::manager::Lock;
use jit_proto::words::Reason;

use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give};
use crate::screen::Screen;
use crate::values::seconds;
use crate::views;

/// What to do about a lock.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Keep somebody, a group, or everybody out, and end the windows that this shuts
    ///
    /// A lock beats every grant, except for whom policy exempts. One scope has one lock: a new one takes the place of
    /// the old. It is refused where there is nothing by that name on this host. A user is locked under every name of
    /// their uid; sudo and su are locked in all their forms. For admins.
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
    let (call, view): (Call, fn(&Lock) -> View) = match verb {
        Verb::Lock { scope, message, seconds, unknown } => {
            let (scope, message) = (scope.clone(), message.clone());
            let seconds = seconds.unwrap_or(0);
            (Call::Lock { scope, message, seconds, unknown: *unknown }, views::locked)
        }
        Verb::Unlock { scope, reason } => {
            (Call::Unlock { scope: scope.clone(), reason: reason.clone() }, views::unlocked)
        }
    };
    let lock: Lock = jitd::ask(jitd, &call)?;
    Ok(give(&lock, json, screen, view)?)
}

#[cfg(test)]
mod tests;
