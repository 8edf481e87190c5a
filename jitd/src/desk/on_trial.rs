//! What the desk keeps of a policy on trial.

use std::time::Duration;

use jit_core::orders::trial::NewLogins;

use super::in_force::InForce;

/// On whose word policy files come into force, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// SIGHUP: for good, but not what was tried and went back.
    Signal,
    /// An order: for good.
    Order,
    /// An order: on trial for so long.
    Trial(Duration),
}

impl Load {
    /// How long the trial is, if it is one.
    pub(super) const fn limit(self) -> Option<Duration> {
        match self {
            Self::Trial(limit) => Some(limit),
            Self::Signal | Self::Order => None,
        }
    }
}

/// What the desk keeps while a policy is on trial.
#[derive(Debug, Default)]
pub(super) struct OnTrial {
    /// The policy that comes back.
    pub(super) before: Option<InForce>,
    pub(super) logins: NewLogins,
}

impl OnTrial {
    /// Begins a trial of what replaces this policy.
    pub(super) fn of_what_replaces(before: Option<InForce>) -> Self {
        Self { before, logins: NewLogins::default() }
    }
}
