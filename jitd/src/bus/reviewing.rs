//! How a review is judged, in whatever way it came: with all that the name service says of those whom it is about.

use std::collections::BTreeMap;
use std::sync::Arc;

use jit_core::context::Context;
use jit_core::event::Event;
use jit_core::model::Caller;
use jit_core::orders::Refusal;
use jit_core::orders::review::Lookups;
use jit_proto::words::{RequestId, UserName};

use super::caller::{ATTEMPTS, unsaid};
use super::{Error, Orderer};
use crate::app::App;
use crate::desk::{NotDone, ReviewBriefing, Word};
use crate::nss::{Lookup, Share, Whose};
use crate::store::writer::Ticket;

/// A review that is to be judged.
pub(super) struct Judged<'a, J> {
    /// Of which request.
    pub(super) id: RequestId,
    /// Who has to be known beside those whom the request concerns.
    pub(super) also: &'a [UserName],
    /// The function that judges the review.
    pub(super) judge: J,
}

impl<J> Judged<'_, J>
where
    J: Fn(Context<'_>, &Caller, &Lookups) -> Result<Vec<Event>, Refusal>,
{
    /// Reviews by what the desk said of the request; looks again whenever more is known, somebody else has reviewed, or
    /// other groups count, until the time is over.
    pub(super) async fn reviewed(
        &self,
        app: &App,
        by: &mut Orderer<'_>,
        briefing: ReviewBriefing,
    ) -> Result<Ticket, Error> {
        let Self { id, also, judge } = self;
        let (id, desk, names, actor) = (*id, &app.desk, &app.names, by.peer.actor());
        let patience = names.patience();
        let share = Share::of(by.peer);
        let mut people: BTreeMap<UserName, Lookup<'_>> = BTreeMap::new();
        let (mut looks, mut known) = (0, Some(briefing));
        loop {
            let briefing = known.take().map_or_else(|| desk.review_briefing(id), Ok)?;
            by.briefed(Arc::clone(&briefing.groups));
            let (concerned, groups) =
                briefing.request.map(|request| (request.concerned, request.groups)).unwrap_or_default();
            for name in concerned.into_iter().chain(also.iter().cloned()) {
                let begin = || names.lookup(Whose::Name(name.clone()), share, &patience);
                people.entry(name.clone()).or_insert_with(begin);
            }
            let lookups: Lookups =
                people.iter_mut().map(|(name, lookup)| (name.clone(), lookup.known(&groups))).collect();
            let with_lookups = |here: Context<'_>, caller: &Caller| judge(here, caller, &lookups);
            let refused = match by.order_by(Word::Nobody, with_lookups).await {
                Ok(ticket) => return Ok(ticket),
                Err(refused) => refused,
            };
            looks += 1;
            match refused {
                NotDone::Refused(Refusal::Raced(_)) if looks < ATTEMPTS => {}
                NotDone::Refused(Refusal::Unanswered { user, groups: open })
                    if people.contains_key(&user) =>
                {
                    let now = desk.review_briefing(id)?.request.map(|request| request.groups);
                    let again = looks < ATTEMPTS && now.unwrap_or_default() != groups;
                    if !again && !patience.more(people.values()).await {
                        let lookup = people.get_mut(&user);
                        return Err(lookup.map_or_else(
                            || NotDone::Refused(Refusal::Raced(id)).into(),
                            |lookup| unsaid(lookup, &open),
                        ));
                    }
                }
                NotDone::Refused(refusal @ Refusal::NoReview { .. }) => {
                    if let Some(struck) = desk.strike_reviews(id, actor, &lookups)? {
                        struck.durable().await.map_err(Error::unconfirmed)?;
                    }
                    return Err(NotDone::Refused(refusal).into());
                }
                refused @ (NotDone::Refused(_)
                | NotDone::Cannot(_)
                | NotDone::Gone(_)
                | NotDone::Trial(_)) => {
                    return Err(by.error(refused));
                }
            }
        }
    }
}
