//! Who changes the policy. Where `[policy-change]` of the policy in force asks for approvals, what an admin loads waits:
//! its exact bytes, by their digest, until enough other people have approved that very digest and the files are still
//! those. Who may is for the policy in force to say, and never for the one that waits.
//!
//! Nobody is locked out of their own policy: unless the table forbids it, root that nobody else became puts files in
//! force at the console of the host without them. That is loud, and stays to be acknowledged.

use jit_proto::words::Reason;

use crate::context::Context;
use crate::digest::Digest;
use crate::event::Event;
use crate::model::{Caller, Decision, LoginAccount, Person, Proposed, same};
use crate::orders::review::Reviewer;
use crate::orders::{NoChange, NoReview, Refusal};
use crate::policy::{ChangeRule, Policy};

impl From<NoChange> for Refusal {
    fn from(why: NoChange) -> Self {
        Self::NoPolicyChange(Box::new(why))
    }
}

/// What becomes of files that somebody loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// They come into force.
    AtOnce,
    /// They wait for approvals.
    Waits,
    /// They come into force, loudly.
    Overrides,
}

/// How somebody wants files loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As the policy in force has it.
    Usual,
    /// Without those who would have to approve, and whether the caller is known to be at the console.
    Override {
        /// Whether that is so.
        at_the_console: bool,
    },
}

/// What becomes of files that a caller loads, who is an admin.
pub fn course(
    here: Context<'_>,
    caller: &Caller,
    way: Way,
    reason: Option<&Reason>,
) -> Result<Course, NoChange> {
    let Some(rule) = here.policy.change() else {
        return match way {
            Way::Usual => Ok(Course::AtOnce),
            Way::Override { .. } => Err(NoChange::NothingToOverride),
        };
    };
    match way {
        Way::Override { .. } if !rule.overrides => Err(NoChange::NoOverride(rule.approvers.to_string())),
        Way::Override { at_the_console } => {
            if !at_the_console || !is_root_itself(caller) {
                return Err(NoChange::NotAtTheConsole(rule.approvers.to_string()));
            }
            // Whoever is root by a window starts what has no login.
            Reviewer::Online(caller).identified(here).map_err(unidentified)?;
            if reason.is_none() { Err(NoChange::Reason) } else { Ok(Course::Overrides) }
        }
        Way::Usual if rule.signed_only => Err(NoChange::SignedOnly),
        Way::Usual if rule.reason && reason.is_none() => Err(NoChange::Reason),
        Way::Usual => Ok(Course::Waits),
    }
}

/// Root, and nobody who became root.
fn is_root_itself(caller: &Caller) -> bool {
    let itself = match &caller.login {
        LoginAccount::Known(login) => login.uid.is_root(),
        LoginAccount::Unset | LoginAccount::Untold => true,
    };
    caller.account.uid.is_root() && itself
}

/// Whether files come into force by being there, at a start or by a signal: not where the policy in force asks for more.
pub fn may_be_found(in_force: &Policy) -> Result<(), NoChange> {
    in_force.change().map_or(Ok(()), |rule| Err(NoChange::NotProposed(rule.approvers.to_string())))
}

/// What somebody says to the policy that waits.
#[derive(Clone, Debug)]
pub struct Said {
    /// The digest of what they looked at.
    pub seen: Digest,
    /// Yes or no.
    pub decision: Decision,
    /// What they say with it.
    pub note: Option<Reason>,
}

/// What follows from a word on the policy that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reviewed {
    /// What happens by it.
    pub event: Event,
    /// The policy that now has all it needs, with the word that it comes into force on.
    pub met: Option<(Proposed, Person)>,
}

/// Approves, denies or takes back the policy that waits; or acknowledges an override. `files` is the digest of the files
/// as they are, where they load.
pub fn review(
    here: Context<'_>,
    caller: &Caller,
    said: &Said,
    files: Option<Digest>,
) -> Result<Reviewed, Refusal> {
    let changes = here.state.policy_changes();
    let event = Event::PolicyReviewed {
        digest: said.seen,
        by: caller.person(),
        decision: said.decision,
        note: said.note.clone(),
    };
    let waiting = match (&changes.waiting, &changes.overridden) {
        (_, Some(done)) if done.what.digest == said.seen && said.decision == Decision::Approve => {
            may_acknowledge(here, caller, &done.what.by)?;
            return Ok(Reviewed { event, met: None });
        }
        (Some(waiting), _) if waiting.proposal.digest == said.seen => waiting,
        (Some(waiting), _) => return Err(NoChange::OtherDigest(waiting.proposal.digest).into()),
        (None, _) => return Err(NoChange::NothingWaits.into()),
    };
    let rule = here.policy.change().ok_or(NoChange::NothingWaits)?;
    identified(here, caller)?;
    let author = &waiting.proposal.by;
    if said.decision == Decision::Deny {
        // What one has loaded oneself one may take back.
        if !is_one_of(here, caller, author) {
            asked(rule, caller)?;
        }
        return Ok(Reviewed { event, met: None });
    }
    if is_one_of(here, caller, author) {
        return Err(NoChange::Own(author.clone()).into());
    }
    asked(rule, caller)?;
    if let Some(before) = waiting.approved.iter().find(|before| is_one_of(here, caller, before)) {
        return Err(NoChange::Twice((*before).clone()).into());
    }
    if files != Some(waiting.proposal.digest) {
        return Err(NoChange::OtherFiles { waits: waiting.proposal.digest }.into());
    }
    let counted = waiting.approved.iter().filter(|person| counts(here, person)).count() + 1;
    let met = (counted >= rule.approvals).then(|| (waiting.clone(), caller.person()));
    Ok(Reviewed { event, met })
}

/// Whether a person still has a say: whoever was locked since has none.
fn counts(here: Context<'_>, person: &Person) -> bool {
    let account = crate::policy::Subject::named(person.name.clone(), person.uid);
    here.state.locked(here.now).on_person(&account, here.policy.people()).is_none()
}

/// Whether an account behind the call is this person's.
fn is_one_of(here: Context<'_>, caller: &Caller, person: &Person) -> bool {
    caller.accounts().any(|account| same(here.policy.people(), &Person::of(account), person))
}

fn asked(rule: &ChangeRule, caller: &Caller) -> Result<(), NoChange> {
    if Reviewer::Online(caller).is_among(&rule.approvers) {
        return Ok(());
    }
    Err(NoChange::NotApprover(rule.approvers.to_string()))
}

fn unidentified(why: NoReview) -> NoChange {
    NoChange::NotIdentified(why.to_string())
}

/// Whether it is known who that is, and no lock is on them.
fn identified(here: Context<'_>, caller: &Caller) -> Result<(), Refusal> {
    Reviewer::Online(caller).identified(here).map_err(unidentified)?;
    let locks = here.state.locked(here.now);
    let lock = caller.accounts().find_map(|account| locks.on_subject(account, here.policy.people()));
    lock.map_or(Ok(()), |lock| Err(Refusal::Locked(Box::new(lock.clone()))))
}

/// An override is acknowledged by one of the approvers; where it has left none, by an admin. Never by who did it.
fn may_acknowledge(here: Context<'_>, caller: &Caller, by: &Person) -> Result<(), Refusal> {
    identified(here, caller)?;
    if is_one_of(here, caller, by) {
        return Err(NoChange::Own(by.clone()).into());
    }
    match here.policy.change() {
        Some(rule) => Ok(asked(rule, caller)?),
        None => here.admin(caller),
    }
}

/// Whether somebody may see what waits: whoever is asked, and whoever has loaded it.
#[must_use]
pub fn may_see(here: Context<'_>, caller: &Caller) -> bool {
    let is_author = |waiting: &Proposed| is_one_of(here, caller, &waiting.proposal.by);
    let asked = |rule: &ChangeRule| rule.approvers.contains(&caller.account);
    here.policy.change().is_some_and(asked)
        || here.state.policy_changes().waiting.as_ref().is_some_and(is_author)
}
