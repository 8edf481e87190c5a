//! `jitctl grant`: a request on somebody's behalf, together with the caller's own review of it.

use clap::Args;
use jit_core::policy::PersonName;
use jit_proto::manager::Entry;
use jit_proto::text::Shown;
use jit_proto::words::{Reason, RoleName, UserName};

use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View};
use crate::screen::Screen;
use crate::values::seconds;
use crate::views;

/// Open a window for somebody, as far as policy lets you
///
/// This is a request on their behalf together with your own review of it. Where policy wants more than one
/// person, it stays pending until the others have approved it: then nothing is open yet and the exit code
/// is 1. Where your own review does not count, it says why.
#[derive(Debug, Args)]
pub(crate) struct Grant {
    /// Whom the window is for
    user: UserName,
    /// Whom alone it admits, where people share the account: a name of [people] in the policy
    #[arg(long, value_name = "NAME")]
    person: Option<PersonName>,
    /// The role that the window opens
    #[arg(long)]
    role: RoleName,
    /// How long, such as 30m or 1h30m [default: as the role says]
    #[arg(long = "for", value_name = "DURATION", value_parser = seconds)]
    seconds: Option<u64>,
    /// Why; one line, kept in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Reason,
}

pub(crate) fn run(
    grant: &Grant,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let call = Call::Grant {
        user: grant.user.clone(),
        person: grant.person.clone(),
        role: grant.role.clone(),
        seconds: grant.seconds.unwrap_or(0),
        reason: grant.reason.clone(),
    };
    jitd::show(jitd, &call, json, screen, granted)
}

/// A grant is done when its window is open; a request that still waits has opened nothing.
fn granted(entry: &Entry) -> View {
    let user = views::user(entry);
    let (user, role) = (Shown(&user), Shown(&entry.role));
    let id = Shown(views::id(entry));
    if let Some(text) = views::opened(entry) {
        // Of an emergency it opens nothing and settles nothing.
        let own = entry.not_counted.as_ref().map(|why| format!("jitctl: {}.", Shown(&why.text)));
        return View { said: own.into_iter().collect(), ..View::yes(format!("{text}\n")) };
    }
    let state = views::state(entry);
    let state = Shown(&state);
    let why = match views::waits_for(entry) {
        "" => format!("jitctl: no window is open: the request is {state}."),
        what => format!("jitctl: no window is open yet: it waits for {}.", Shown(what)),
    };
    let own = entry.not_counted.as_ref().map(|why| format!("jitctl: {}.", Shown(&why.text)));
    let hint = format!("hint: follow it with: jitctl show {id}");
    View {
        data: format!("Request {id} is {state}: {role} for {user}.\n"),
        said: own.into_iter().chain([why, hint]).collect(),
        outcome: Outcome::No,
    }
}
