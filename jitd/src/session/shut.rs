//! Windows that policy has shut while something of their people runs that is in no session: that is seen to once, until
//! they admit again.

use std::collections::HashSet;

use jit_core::context::Context;
use jit_core::event::Event;
use jit_core::model::Grant;
use jit_core::sessions::coverage;
use jit_proto::words::{GrantId, Uid, UserName};

use super::people::People;
use crate::desk::Desk;
use crate::log;

/// Those that were seen to.
#[derive(Default)]
pub(crate) struct Shut {
    seen_to: HashSet<GrantId>,
    /// By which state (see [`Desk::loads`]).
    loads: u64,
}

impl Shut {
    /// Sees to those that are new. `has_left` says whether something of somebody is left. Whether somebody with a window
    /// runs something, so that there may be more.
    pub(crate) fn see_to(
        &mut self,
        desk: &Desk,
        people: &People,
        has_left: impl Fn(&UserName, Uid) -> bool,
    ) -> bool {
        let loads = desk.loads();
        if self.loads != loads {
            // What did not reach the disk was not seen to.
            *self = Self { seen_to: HashSet::new(), loads };
        }
        // Policy may have changed between the two looks.
        let is_shut = |here: Context<'_>, grant: &Grant| {
            coverage::is_shut(here, grant, &people.of(&grant.user, grant.uid))
        };
        let looked = desk.look(|here| {
            let in_session = |grant: &Grant| {
                here.state.sessions().iter().any(|one| one.grant == grant.id && !one.goes_on())
            };
            let open = here.state.grants().filter(|grant| grant.window().is_some());
            // Whoever has not come in by one has left nothing.
            let open = open.filter(|grant| here.state.stay(grant.uid).is_some());
            let with_shut = open.map(|grant| {
                (grant.id, grant.user.clone(), grant.uid, is_shut(here, grant) && !in_session(grant))
            });
            with_shut.collect::<Vec<_>>()
        });
        let Ok(mut open) = looked else { return false };
        open.retain(|(_, user, uid, _)| has_left(user, *uid));
        let may_be_left = !open.is_empty();
        let shut: HashSet<GrantId> = open.into_iter().filter(|open| open.3).map(|open| open.0).collect();
        let news: Vec<GrantId> = shut.difference(&self.seen_to).copied().collect();
        let seen_to = desk.carry(|here| {
            let still =
                news.iter().filter(|id| here.state.grant(**id).is_some_and(|grant| is_shut(here, grant)));
            still.map(|grant| Event::Shut { grant: *grant }).collect()
        });
        match seen_to {
            Ok(_) => self.seen_to = shut,
            Err(err) => log::error(err),
        }
        may_be_left
    }
}
