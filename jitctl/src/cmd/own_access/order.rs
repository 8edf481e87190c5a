//! The arguments of `jitctl request`, and the text about a request that was filed.

use clap::Args;
use jit_proto::manager::Entry;
use jit_proto::words::{Reason, RoleName};

use crate::output::{Outcome, View};
use crate::screen::Screen;
use crate::times::typed::When;
use crate::values::seconds;
use crate::views;

/// What is asked for.
#[derive(Debug, Args)]
pub(crate) struct Order {
    /// The role
    #[arg(value_name = "ROLE")]
    named: Option<RoleName>,
    /// The same
    #[arg(long, conflicts_with = "named")]
    role: Option<RoleName>,
    /// How long, such as 30m or 1h30m [default: as the role says]
    #[arg(long = "for", value_name = "DURATION", value_parser = seconds)]
    pub(super) seconds: Option<u64>,
    /// When the window is to start: '2026-12-01 07:00', 18:00, 'today 18:00', 'tomorrow 07:30' or RFC 3339 [default:
    /// once it is approved]
    #[arg(long, value_name = "TIME")]
    pub(super) start: Option<When>,
    /// Why; one line, kept in the audit log
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<Reason>,
    /// Send it without asking
    #[arg(long)]
    pub(super) yes: bool,
    /// Wait until it opens, or comes to nothing, at most so long; the exit code is 1 unless it opens
    #[arg(long, value_name = "DURATION", value_parser = seconds, num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "clap's form of an option whose value may be left out")]
    pub(super) wait: Option<Option<u64>>,
}

impl Order {
    /// The role, whichever way it was named.
    pub(super) fn role(&self) -> Option<&RoleName> {
        self.named.as_ref().or(self.role.as_ref())
    }
}

pub(super) fn nothing_sent(screen: &mut Screen<'_>) -> Outcome {
    screen.say("Nothing was sent.");
    Outcome::No
}

/// A request that was filed: that is what was wanted, whether it opens now or not.
pub(super) fn requested(entry: &Entry) -> View {
    let mut view = View::yes(format!("{}\n", views::progress(entry)));
    if entry.review_owed {
        view.said.push("It opened before anybody approved it, and owes a review.".to_owned());
    }
    view.said.push(views::follow(entry));
    view
}
