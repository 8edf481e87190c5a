//! The policy that waits at the desk: what is said to it, and that it comes into force once enough people have approved
//! it (see [`jit_core::orders::policy_change`]).

use std::sync::Arc;

use jit_core::digest::Digest;
use jit_core::model::{Caller, PolicyChanges};
use jit_core::orders::policy_change::{Said, may_see, review};
use jit_core::orders::trial::may_load;
use jit_core::policy::Policy;

use super::in_force::{NotLoaded, ReadPolicy};
use super::not_done::NotDone;
use super::on_trial::Load;
use super::outage::CannotDecide;
use super::policy::{Coming, LoadedBy};
use super::room::Desk;
use crate::store::writer::Ticket;

impl Desk {
    /// Takes a word on the policy that waits, and puts it in force if that was the last one missing. `files` is the digest
    /// of the files as they are now, which must be that which is approved, and `read` what this host makes of them.
    pub(crate) fn review_policy(
        &self,
        files: Option<Digest>,
        read: &ReadPolicy,
        said: &Said,
        by: LoadedBy<'_>,
    ) -> Result<Result<Ticket, NotLoaded>, NotDone> {
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            let here = self.here(&policy, open, now);
            let reviewed =
                by.looked.judged(here, by.trust, &|here, caller| review(here, caller, said, files))?;
            let Some((waiting, last)) = reviewed.met else {
                return Ok(Ok(self.commit(open, Some(by.actor), now, vec![reviewed.event])?));
            };
            let (new, warnings) = match read {
                Ok((new, warnings)) => (new, warnings),
                Err(bad) => return Ok(Err(bad.clone().into())),
            };
            let limit = waiting.proposal.trial.map(std::time::Duration::from_secs);
            if let Err(why) = may_load(&open.state, Some(&policy), new, limit, now) {
                return Ok(Err(why.into()));
            }
            let load = limit.map_or(Load::Order, Load::Trial);
            let (word, actor) = (waiting.word(last), Some(by.actor));
            let coming = Coming { policy: new, warnings, load, word, actor };
            Ok(Ok(self.comes_into_force(open, now, coming, Some(reviewed.event))?))
        })
    }

    /// What has to be said to changes of the policy, with the policy that says who has to; nothing for whoever may not
    /// see it.
    pub(crate) fn policy_changes(
        &self,
        by: &Caller,
        sees_all: bool,
    ) -> Result<Option<(PolicyChanges, Arc<Policy>)>, CannotDecide> {
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            let sees = sees_all || may_see(self.here(&policy, open, now), by);
            Ok(sees.then(|| (open.state.policy_changes().clone(), policy)))
        })
    }
}
