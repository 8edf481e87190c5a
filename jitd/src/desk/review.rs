//! What a review depends on, seen in one look before the name service is asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use jit_core::context::Context;
use jit_core::model::Actor;
use jit_core::orders::review::{self, Briefing, Lookups};
use jit_core::policy::Policy;
use jit_proto::words::{GroupName, RequestId};

use super::not_done::NotDone;
use super::outage::CannotDecide;
use super::room::Desk;
use crate::store::writer::Ticket;

/// What is true before a request is reviewed. The desk judges the review by what is true then.
pub(crate) struct ReviewBriefing {
    /// The policy in force.
    pub(crate) policy: Arc<Policy>,
    /// The groups that it or a lock names: whoever gives the order is looked up in them.
    pub(crate) groups: Arc<BTreeSet<GroupName>>,
    /// The request; nothing where it does not wait for a review.
    pub(crate) request: Option<Briefing>,
}

impl Desk {
    /// What a review of this request depends on now.
    pub(crate) fn review_briefing(&self, id: RequestId) -> Result<ReviewBriefing, CannotDecide> {
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            let request = Briefing::of(self.here(&policy, open, now), id);
            Ok(ReviewBriefing { policy, groups: open.groups(), request })
        })
    }

    /// Strikes the reviews of those who are no longer asked, which a refused review has brought to light. The ticket says
    /// when that is on disk; there is none where nothing was to strike.
    pub(crate) fn strike_reviews(
        &self,
        id: RequestId,
        actor: Actor,
        lookups: &Lookups,
    ) -> Result<Option<Ticket>, NotDone> {
        let gone = |here: Context<'_>| review::discounts(here, id, lookups);
        if self.look(gone)?.is_ok_and(|gone| !gone.is_empty()) {
            return self.follow_up(actor, gone).map(Some);
        }
        Ok(None)
    }
}
