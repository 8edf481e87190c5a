//! `org.jitd.Jit1.Review`: what waits for the caller, and what they say to it. Whether it counts is for
//! `jit_core::review` to say.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jit_core::digest::Digest;
use jit_core::event::Decision;
use jit_core::opening::Narrow;
use jit_core::order::{Here, Refusal};
use jit_core::person::Caller;
use jit_core::review::{self, Given, Reviewer, waits_for};
use jit_core::state::Pending;
use jit_proto::manager::LIST_LIMIT;
use jit_proto::words::{Reason, RequestId, ServiceName};
use zbus::message::Header;
use zbus::{Connection, interface};

use super::user::{invalid, json, request_id, story_for};
use super::{App, Error, Origin, answer};
use crate::desk::{NotDone, waits_of};
use crate::store::rows::Story;
use crate::who::Peer;

/// The interface.
pub(crate) struct Review {
    pub(crate) app: Arc<App>,
    pub(crate) origin: Origin,
}

#[interface(name = "org.jitd.Jit1.Review")]
impl Review {
    /// What waits for the caller's review, oldest first; of more than 1000, those.
    #[zbus(out_args("json"))]
    async fn pending(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let (caller, _, _places) = self.origin.order_of(&self.app, connection, &header).await?;
        let desk = &self.app.desk;
        let waiting = desk.look(|here| {
            let mine: Vec<_> = to_review(here, &caller).take(LIST_LIMIT).collect();
            mine.into_iter()
                .map(|pending| (story_of(here, pending), waits_of(here, pending)))
                .collect::<Vec<_>>()
        })?;
        let now = desk.now();
        let entries: Vec<_> =
            waiting.iter().map(|(story, waits)| answer::entry(story, Some(waits.clone()), &now)).collect();
        json(&entries)
    }

    /// Says `approve` or `deny` to what had this digest when the caller looked. 0 seconds, no services and 0 uses
    /// leave what was asked for as it is.
    #[allow(
        clippy::too_many_arguments,
        reason = "a review has so many parts, and D-Bus has no names for them"
    )]
    #[zbus(out_args("json"))]
    async fn review(
        &self,
        id: &str,
        digest: &str,
        decision: &str,
        seconds: u64,
        services: Vec<String>,
        uses: u32,
        note: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let order = Order::parse(id, digest, decision, seconds, &services, uses, note)?;
        let (caller, peer, _places) = self.origin.order_of(&self.app, connection, &header).await?;
        // What one may not see is not there, whatever else may be wrong with the review.
        if story_for(&self.app, order.id, &caller.account).await?.is_none() {
            return Err(NotDone::from(Refusal::NotFound(order.id.to_string())).into());
        }
        let reviewed = self.reviewed(peer, &caller, &order).await;
        let story = story_for(&self.app, order.id, &caller.account).await?;
        match (reviewed, story) {
            (Ok(()), Some(story)) => {
                let desk = &self.app.desk;
                json(&answer::entry(&story, desk.waits(order.id), &desk.now()))
            }
            // What is over is no secret from those who were asked.
            (Err(Error::NotFound(_)), Some(story)) => {
                let entry = answer::entry(&story, None, &self.app.desk.now());
                let how = entry.ended.unwrap_or(entry.state);
                Err(Error::Refused(format!(
                    "{} no longer waits for a review: {how}; see: jitctl show {0}",
                    order.id
                )))
            }
            (Err(err), _) => Err(err),
            (Ok(()), None) => Err(Error::NotFound(order.id.to_string())),
        }
    }
}

impl Review {
    /// Until nobody else has reviewed while the name service was asked about those who had.
    async fn reviewed(&self, peer: Peer, caller: &Caller, order: &Order) -> Result<(), Error> {
        let desk = &self.app.desk;
        for _ in 0..ATTEMPTS {
            let concerned = desk.concerned(order.id)?;
            let groups = desk.groups();
            let standing = self.app.names(peer).standing(concerned, &groups).await.ok_or_else(|| {
                Error::CannotDecide(
                    "the name service does not say whether everybody who reviewed this may still do so; nothing was \
                     changed, try again"
                        .into(),
                )
            })?;
            if !desk.groups_are(&groups) {
                continue;
            }
            let given = Given {
                narrow: order.narrow.clone(),
                note: order.note.clone(),
                ..Given::new(Reviewer::Online(caller), order.decision)
            };
            let judge = |here: Here<'_>| review::review(here, order.id, Some(order.seen), &given, &standing);
            match desk.order(peer.actor(), judge) {
                Ok(ticket) => return ticket.durable().await.map_err(Error::unconfirmed),
                Err(NotDone::Refused(Refusal::Raced(_))) => {}
                Err(NotDone::Refused(refusal @ Refusal::NoReview { .. })) => {
                    let gone = |here: Here<'_>| review::discounts(here, order.id, &standing);
                    if desk.look(gone)?.is_ok_and(|gone| !gone.is_empty()) {
                        desk.order(peer.actor(), gone)?.durable().await.map_err(Error::unconfirmed)?;
                    }
                    return Err(NotDone::Refused(refusal).into());
                }
                Err(err) => return Err(err.into()),
            }
        }
        Err(NotDone::from(Refusal::Raced(order.id)).into())
    }
}

const ATTEMPTS: usize = 5;

/// A review as it came over the bus.
struct Order {
    id: RequestId,
    seen: Digest,
    decision: Decision,
    narrow: Narrow,
    note: Option<Reason>,
}

impl Order {
    fn parse(
        id: &str,
        digest: &str,
        decision: &str,
        seconds: u64,
        services: &[String],
        uses: u32,
        note: &str,
    ) -> Result<Self, Error> {
        let seen = digest.parse().map_err(|err| Error::Invalid(format!("{err}")))?;
        let decision = [Decision::Approve, Decision::Deny]
            .into_iter()
            .find(|known| known.as_str() == decision)
            .ok_or_else(|| Error::Invalid("a review says approve or deny".into()))?;
        if services.len() > MAX_SERVICES {
            return Err(Error::Invalid(format!("more than {MAX_SERVICES} services")));
        }
        let services: BTreeSet<ServiceName> =
            services.iter().map(|name| name.parse().map_err(invalid)).collect::<Result<_, _>>()?;
        let narrow = Narrow {
            duration: (seconds != 0).then(|| Duration::from_secs(seconds)),
            services: (!services.is_empty()).then_some(services),
            uses: NonZeroU32::new(uses),
        };
        let note = (!note.is_empty()).then(|| note.parse()).transpose().map_err(invalid)?;
        Ok(Self { id: request_id(id)?, seen, decision, narrow, note })
    }
}

const MAX_SERVICES: usize = 64;

/// What waits for this caller, oldest first.
pub(super) fn to_review<'a>(here: Here<'a>, caller: &'a Caller) -> impl Iterator<Item = &'a Pending> {
    let mut all: Vec<_> = here.state.owed().values().chain(here.state.pending().values()).collect();
    all.sort_by_key(|pending| (pending.request.filed_at.wall, pending.request.id));
    all.into_iter().filter(move |pending| waits_for(here, pending, caller))
}

/// What the store holds of a request that can be reviewed, without asking the store.
fn story_of(here: Here<'_>, pending: &Pending) -> Story {
    let Pending { request, reviews } = pending;
    Story {
        request: request.clone(),
        reviews: reviews.iter().map(|review| (review.at.wall, review.clone())).collect(),
        grant: here.state.grant(request.id.into()).cloned(),
        end: None,
        closed: None,
        owed: here.state.owed().contains_key(&request.id),
    }
}
