//! `jitctl request`, `withdraw`, `extend` and `done`: a person's own access.

mod order;
mod request;
mod wait;

use clap::Subcommand;
use jit_proto::manager::{Entry, Status};
use jit_proto::text::Shown;
use jit_proto::words::Reason;

use super::ending::Ending;
use super::which::{Which, request_of};
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, give};
use crate::prompts;
use crate::screen::Screen;
use crate::values::{Id, seconds};
use crate::views;
use order::{Order, nothing_sent, requested};

/// What to do about one's own access.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Ask for a role on this host, for yourself
    ///
    /// On a terminal, what is missing is asked for, the terms are shown, and nothing is sent before you have said yes.
    /// Elsewhere --role and --reason have to be given.
    Request(Order),

    /// Take back requests of your own that have not opened
    ///
    /// --role and --all pick among your own.
    Withdraw {
        #[command(flatten)]
        which: Which,
        /// Why; one line, kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<Reason>,
    },

    /// Ask to go on after the end of a window of your own
    ///
    /// This is a new request of the same role through the same stages, and begins where the window ends.
    Extend {
        /// The grant (g-…) or its request [default: the only window that is open for you]
        id: Option<Id>,
        /// How long, such as 30m or 1h30m [default: as the role says]
        #[arg(long = "for", value_name = "DURATION", value_parser = seconds)]
        seconds: Option<u64>,
        /// Why; one line, kept in the audit log; asked for on a terminal
        #[arg(long, value_name = "TEXT")]
        reason: Option<Reason>,
    },

    /// End windows of your own before their time
    ///
    /// Your sessions in them end with them. One that has already ended is left as it is. Without anything it is the only
    /// window that is open for you; --role and --all pick among your own.
    Done {
        #[command(flatten)]
        which: Which,
        /// Why; one line, kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<Reason>,
    },
}

pub(crate) fn run(
    verb: &Verb,
    json: bool,
    jitd: &dyn Jitd,
    me: Option<u32>,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    match verb {
        Verb::Request(order) => request::run(order, json, jitd, screen),
        Verb::Withdraw { which, reason } => {
            let ending = Ending {
                verb: "withdraw",
                question: "Withdraw",
                done: "Withdrew",
                call: &|id| Call::Withdraw { id: request_of(id), reason: reason.clone() },
                is_for: &|entry| is_mine(entry, me) && entry.state == "pending",
            };
            ending.run(which, json, jitd, screen)
        }
        Verb::Extend { id, seconds, reason } => {
            let id = id.map_or_else(|| only_window(jitd, me, "extend"), Ok)?;
            let Some(reason) = reason.clone().map_or_else(|| ask_reason(screen), |given| Ok(Some(given)))?
            else {
                return Ok(nothing_sent(screen));
            };
            let call = Call::Extend { id, seconds: seconds.unwrap_or(0), reason };
            let entry: Entry = jitd::ask(jitd, &call)?;
            Ok(give(&entry, json, screen, requested)?)
        }
        Verb::Done { which, reason } => {
            let ending = Ending {
                verb: "done",
                question: "End",
                done: "Ended",
                call: &|id| Call::Done { id, reason: reason.clone() },
                is_for: &|entry| is_mine(entry, me) && !matches!(entry.state.as_str(), "pending" | "ended"),
            };
            if which.is_empty() {
                let id = only_window(jitd, me, "done")?;
                return ending.end(&[id], json, jitd, screen);
            }
            ending.run(which, json, jitd, screen)
        }
    }
}

/// Where the uid is unknown, all that jitd shows the caller.
fn is_mine(entry: &Entry, me: Option<u32>) -> bool {
    me.is_none_or(|me| entry.uid == me)
}

/// The one window that the caller can only mean.
fn only_window(jitd: &dyn Jitd, me: Option<u32>, verb: &str) -> Result<Id, Failure> {
    let status: Status = jitd::ask(jitd, &Call::Status)?;
    let mine: Vec<&Entry> = status.active.iter().filter(|entry| is_mine(entry, me)).collect();
    match mine.as_slice() {
        [] => {
            Err(Error::NotFound("no window is open for you; ask for one with: jitctl request".to_owned())
                .into())
        }
        [one] => {
            let id = views::id(one);
            id.parse().map_err(|_| Error::Garbled(format!("{} is no id", Shown(id))).into())
        }
        many => {
            let ids: Vec<String> =
                many.iter().map(|entry| format!("jitctl {verb} {}", views::id(entry))).collect();
            let text =
                format!("{} windows are open for you\nhint: say which: {}", ids.len(), ids.join(", or: "));
            Err(Error::Usage(text).into())
        }
    }
}

/// A reason that was not given: from the person if there is one, who may leave.
fn ask_reason(screen: &mut Screen<'_>) -> Result<Option<Reason>, Error> {
    if !screen.can_ask() {
        return Err(Error::Usage("no reason is given\nhint: say why with: --reason TEXT".to_owned()));
    }
    Ok(prompts::until(screen, "Reason: ", |line| line.parse().map_err(|why| format!("{why}"))))
}

#[cfg(test)]
mod tests;
