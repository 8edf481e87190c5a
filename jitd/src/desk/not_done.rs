//! Why an order got nowhere.

use jit_core::orders::Refusal;
use jit_core::orders::trial::NoTrial;

use super::outage::CannotDecide;
use crate::peer::Gone;

/// Why an order got nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotDone {
    /// jitd cannot decide or record.
    #[error(transparent)]
    Cannot(#[from] CannotDecide),
    /// Policy or state says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Whoever gave it has no account here any more.
    #[error(transparent)]
    Gone(#[from] Gone),
    /// It is about a policy on trial, and that says no.
    #[error(transparent)]
    Trial(NoTrial),
}
