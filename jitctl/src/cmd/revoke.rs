//! `jitctl revoke`: the end of a window, or of a request, by order.

use clap::Args;
use jit_proto::manager::Revoked;
use jit_proto::text::Shown;
use jit_proto::words::Reason;

use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View};
use crate::screen::Screen;
use crate::values::Id;

/// End a window now, or withdraw a request that is pending
///
/// One that has already ended is left as it is: then nothing changes, and the exit code is 0.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The grant (g-…) or the request (r-…)
    id: Id,
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
    let call = Call::Revoke { id: revoke.id, reason: revoke.reason.clone() };
    jitd::show(jitd, &call, json, screen, revoked)
}

/// What had already ended is in the state that was wanted, so that is a success too.
fn revoked(done: &Revoked) -> View {
    let (id, ended) = (Shown(&done.id), Shown(&done.ended));
    if done.changed {
        return View::yes(format!("Revoked {id}.\n"));
    }
    View::yes(format!("{id} had already ended ({ended}). Nothing was changed.\n"))
}
