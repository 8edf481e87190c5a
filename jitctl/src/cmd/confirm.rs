//! `jitctl confirm`: keeps the policy that is on trial.

use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::Outcome;
use crate::screen::Screen;
use crate::views;

pub(crate) fn run(json: bool, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    jitd::show(jitd, &Call::ConfirmPolicy, json, screen, views::policy_loaded)
}
