//! `jitctl revoke`: the end of windows, or of requests, by order.

use clap::Args;
use jit_proto::words::Reason;

use super::ending::Ending;
use super::which::Which;
use crate::call::Call;
use crate::error::Failure;
use crate::jitd::Jitd;
use crate::output::Outcome;
use crate::screen::Screen;

/// End windows now, or withdraw requests that are pending
///
/// For admins, and for whoever approved a window. One that has already ended is left as it is: then nothing changes, and the exit code is 0.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    which: Which,
    /// Why; one line, kept in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<Reason>,
}

pub(crate) fn run(
    revoke: &Revoke,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let ending = Ending {
        verb: "revoke",
        question: "Revoke",
        done: "Revoked",
        call: &|id| Call::Revoke { id, reason: revoke.reason.clone() },
        is_for: &|entry| entry.state != "ended",
    };
    ending.run(&revoke.which, json, jitd, screen)
}
