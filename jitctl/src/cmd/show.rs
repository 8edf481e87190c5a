//! `jitctl show`: one request, its reviews and its window.

use clap::Args;

use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::Outcome;
use crate::screen::Screen;
use crate::values::Id;
use crate::views;

/// Show one request, its reviews and its window
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The grant (g-…) or the request (r-…)
    id: Id,
}

pub(crate) fn run(
    show: &Show,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    jitd::show(jitd, &Call::Show { id: show.id }, json, screen, views::entry)
}
