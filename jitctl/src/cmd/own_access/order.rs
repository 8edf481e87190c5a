//! The arguments of `jitctl request`, and the text about a request that was filed.

use clap::Args;
use jit_proto::manager::Entry;
use jit_proto::text::Shown;
use jit_proto::words::{Reason, RoleName};

use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View};
use crate::screen::Screen;
use crate::times::typed::When;
use crate::values::{Id, seconds};
use crate::views;

/// What is asked for.
#[derive(Clone, Debug, Args)]
pub(crate) struct Order {
    /// The role
    #[arg(value_name = "ROLE")]
    named: Option<RoleName>,
    /// The same
    #[arg(long, conflicts_with = "named")]
    role: Option<RoleName>,
    /// What was asked for before, by its ID: the role, the time and the reason of it, as far as they are not given here
    #[arg(long, value_name = "ID", conflicts_with_all = ["named", "role"])]
    like: Option<Id>,
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
    /// The same, with what an earlier request says where nothing else does. When that was to start is over.
    pub(super) fn like(&self, jitd: &dyn Jitd) -> Result<Self, Failure> {
        let Some(id) = self.like else { return Ok(self.clone()) };
        let before: Entry = jitd::ask(jitd, &Call::Show { id })?;
        let garbled = |what: &str| Error::Garbled(format!("{} is no {what}", Shown(&before.request)));
        let role = before.role.parse().map_err(|_| garbled("request of a role"))?;
        let reason = before.reason.parse().map_err(|_| garbled("request with a reason"))?;
        Ok(Self {
            named: Some(role),
            like: None,
            seconds: self.seconds.or(Some(before.duration)),
            reason: self.reason.clone().or(Some(reason)),
            ..self.clone()
        })
    }

    /// The role, whichever way it was named.
    pub(super) fn role(&self) -> Option<&RoleName> {
        self.named.as_ref().or(self.role.as_ref())
    }
}

pub(super) fn nothing_sent(screen: &mut Screen<'_>) -> Outcome {
    screen.say("Nothing was sent.");
    Outcome::No
}

/// Why it waits for its reviews, where policy opens some of its role without them.
pub(super) fn takes_stages(entry: &Entry) -> Option<String> {
    let why = entry.not_counted.as_ref()?;
    Some(format!("It takes a review: {}.", Shown(&why.text)))
}

/// A request that was filed: that is what was wanted, whether it opens now or not.
pub(super) fn requested(entry: &Entry) -> View {
    let mut view = View::yes(format!("{}\n", views::progress(entry)));
    if entry.by_policy {
        view.said.push("Policy opened it without a review, and it counts.".to_owned());
    }
    if entry.review_owed {
        view.said.push("It opened before anybody approved it, and owes a review.".to_owned());
    }
    view.said.extend(takes_stages(entry));
    view.said.push(views::follow(entry));
    view
}
