//! The call that loads policy files.

use jit_proto::words::Reason;

use crate::call::Call;
use crate::prompts;
use crate::screen::Screen;

/// Why they are loaded: as it was given, or from the person at the terminal, who may say nothing, or leave.
#[expect(clippy::option_option, reason = "whether the person answered, and whether the answer says why")]
pub(super) fn why(given: Option<&Reason>, screen: &mut Screen<'_>) -> Option<Option<Reason>> {
    if given.is_some() || !screen.can_ask() {
        return Some(given.cloned());
    }
    prompts::until(screen, "Why, in one line for the audit log (Enter to say nothing): ", |line| {
        if line.is_empty() { Ok(None) } else { line.parse().map(Some).map_err(|why| format!("{why}")) }
    })
}

/// The call that loads the files, for good or on trial.
pub(super) fn call(trial: Option<u64>, reason: Option<&Reason>, force: bool) -> Call {
    match (trial, reason) {
        (trial, Some(reason)) if force => {
            Call::ForcePolicy { seconds: trial.unwrap_or_default(), reason: reason.clone() }
        }
        (None, None) => Call::LoadPolicy,
        (Some(seconds), None) => Call::TryPolicy { seconds },
        (trial, Some(reason)) => {
            Call::ChangePolicy { seconds: trial.unwrap_or_default(), reason: reason.clone() }
        }
    }
}
