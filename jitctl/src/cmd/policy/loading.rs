//! The call that loads policy files.

use jit_proto::words::Reason;

use crate::call::Call;

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
