//! How the end of a window goes on under today's policy and locks. jitd carries it out.

use crate::context::Context;
use crate::model::{EndReason, EndTerms, Known, Termination};
use crate::policy::{AtEnd, Subject};

/// How the processes that are left of the window's person are ended. A lock that was set since does not wait for them.
#[must_use]
pub fn terms(here: Context<'_>, ending: &Termination, known: &Known) -> EndTerms {
    let subject = match known {
        Known::Fully(subject) | Known::Partly(subject, _) => subject.clone(),
        Known::Not | Known::Unanswered => Subject::named(ending.user.clone(), ending.uid),
    };
    let locks = here.state.locked(here.now);
    let lock = locks.on_subject(&subject, here.policy.people()).or_else(|| locks.on_role(&ending.role));
    let why = if lock.is_some() { EndReason::Locked } else { ending.why };
    EndTerms::of(here.policy.role(&ending.role), why).late_by(ending.late)
}

/// `drain` or `keep`, if the role lets sessions go on after the end.
#[must_use]
pub fn at_end(here: Context<'_>, ending: &Termination) -> Option<AtEnd> {
    let role = here.policy.role(&ending.role)?;
    let runs_out = matches!(ending.why, EndReason::Expired | EndReason::Done);
    (runs_out && role.at_end != AtEnd::Terminate).then_some(role.at_end)
}
