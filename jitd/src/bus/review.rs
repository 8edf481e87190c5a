//! `org.jitd.Jit1.Review`: what waits for the caller, and what they say to it. Whether it counts is for
//! `jit_core::orders::review` to say.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jit_core::access::Method;
use jit_core::context::Context;
use jit_core::digest::Digest;
use jit_core::model::{Caller, Decision, Narrow, Pending};
use jit_core::orders::Refusal;
use jit_core::orders::review::{self, Briefing, Given, Lookups, Reviewer};
use jit_core::policy::{Policy, Subject};
use jit_core::services::Services;
use jit_proto::manager::LIST_LIMIT;
use jit_proto::words::{Reason, RequestId};
use zbus::message::Header;
use zbus::{Connection, interface};

use super::access::{is_about, may_read_all_by};
use super::error::carried_out;
use super::reviewing::Judged;
use super::stories::{entry_of, story_for, to_review};
use super::words::{decision_of, invalid, json, request_id};
use super::{Error, Orderer, Origin, answer, codes, offline, policy_changes};
use crate::app::App;
use crate::desk::{NotDone, ReviewBriefing, Standing};
use crate::peer::Peer;
use crate::store::rows::Story;
use crate::store::writer::Ticket;

/// The interface `org.jitd.Jit1.Review`.
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
        let mut by = self.origin.order_of(Method::Pending, &self.app, connection, &header).await?;
        let caller = by.reader().await?;
        let desk = &self.app.desk;
        let waiting = desk.look(|here| {
            let mine: Vec<_> = to_review(here, &caller).take(LIST_LIMIT).collect();
            mine.into_iter()
                .map(|pending| (story_of(here, pending), Standing::of(here, pending.request.id)))
                .collect::<Vec<_>>()
        })?;
        let now = desk.now();
        let entries: Vec<_> =
            waiting.into_iter().map(|(story, standing)| answer::entry(&story, standing, &now)).collect();
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
        let mut by = self.origin.order_of(Method::Review, &self.app, connection, &header).await?;
        let order = Order::parse(id, digest, decision, seconds, &services, uses, note)?;
        // An approval enters the desk three times: here, where it is judged, and for the answer.
        let briefing = self.app.desk.review_briefing(order.id)?;
        by.briefed(Arc::clone(&briefing.groups));
        let caller = by.reader().await?;
        let Some(request) = &briefing.request else {
            return Err(self.over(order.id, by.peer, &caller).await?);
        };
        // What one may not see is not there, whatever else may be wrong with the review; and nobody is looked up for it.
        if !may_see(request, &briefing.policy, by.peer, &caller.account) {
            return Err(by.refused(Refusal::NotConcerned(order.id.to_string())));
        }
        match self.reviewed(&mut by, &order, briefing).await {
            Ok(ticket) => carried_out(ticket, async { json(&entry_of(&self.app, order.id).await?) }).await,
            Err(Error::NotFound(_)) => Err(self.over(order.id, by.peer, &caller).await?),
            Err(err) => Err(err),
        }
    }

    /// The file of a request that waits, for people to sign elsewhere; for whoever may see it.
    #[zbus(out_args("json"))]
    async fn export(
        &self,
        id: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(Method::Export, &self.app, connection, &header).await?;
        let (caller, id) = (by.reader().await?, request_id(id)?);
        if story_for(&self.app, id, by.peer, &caller.account).await?.is_none() {
            return Err(not_found(id));
        }
        offline::exported(&self.app, id)
    }

    /// Takes a signed text and its signature, whoever brings them: the signature is the authority.
    #[zbus(out_args("json"))]
    async fn import(
        &self,
        text: Vec<u8>,
        signature: Vec<u8>,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(Method::Import, &self.app, connection, &header).await?;
        offline::imported(&self.app, &mut by, &text, &signature).await
    }

    /// What is read out of a request that waits, for an approver to answer by a code; for whoever may see it.
    #[zbus(out_args("json"))]
    async fn code(
        &self,
        id: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(Method::Code, &self.app, connection, &header).await?;
        let (caller, id) = (by.reader().await?, request_id(id)?);
        if story_for(&self.app, id, by.peer, &caller.account).await?.is_none() {
            return Err(not_found(id));
        }
        json(&codes::spoken(&self.app, id, by.peer.uid)?)
    }

    /// Takes an approver's code, whoever types it: the code is the authority.
    #[zbus(out_args("json"))]
    async fn enter_code(
        &self,
        id: &str,
        code: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(Method::EnterCode, &self.app, connection, &header).await?;
        let id = request_id(id)?;
        match codes::entered(&self.app, &mut by, id, code).await {
            Err(Error::NotFound(_)) => {
                let caller = by.reader().await?;
                Err(self.over(id, by.peer, &caller).await?)
            }
            answer => answer,
        }
    }

    /// The policy that waits for approvals, and an override that waits to be acknowledged, for whoever may see them.
    #[zbus(out_args("json"))]
    async fn policy_changes(
        &self,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(Method::PolicyChanges, &self.app, connection, &header).await?;
        policy_changes::waiting(&self.app, &mut by).await
    }

    /// Says `approve` or `deny` to the policy that waits and has this digest. Enough approvals put the files in force, if
    /// they are still those. To an override, `approve` is that somebody has seen it.
    #[zbus(out_args("json"))]
    async fn review_policy(
        &self,
        digest: &str,
        decision: &str,
        note: &str,
        #[zbus(connection)] connection: &Connection,
        #[zbus(header)] header: Header<'_>,
    ) -> Result<String, Error> {
        let mut by = self.origin.order_of(Method::ReviewPolicy, &self.app, connection, &header).await?;
        policy_changes::review(&self.app, &mut by, (digest, decision, note)).await
    }
}

impl Review {
    async fn reviewed(
        &self,
        by: &mut Orderer<'_>,
        order: &Order,
        briefing: ReviewBriefing,
    ) -> Result<Ticket, Error> {
        let judge = |here: Context<'_>, caller: &Caller, lookups: &Lookups| {
            let given = Given {
                narrow: order.narrow.clone(),
                note: order.note.clone(),
                ..Given::new(Reviewer::Online(caller), order.decision)
            };
            review::review(here, order.id, Some(order.seen), &given, lookups)
        };
        Judged { id: order.id, also: &[], judge }.reviewed(&self.app, by, briefing).await
    }

    /// The refusal of a review of what waits for none. What is over is no secret from those who were asked.
    async fn over(&self, id: RequestId, peer: Peer, caller: &Caller) -> Result<Error, Error> {
        let story = story_for(&self.app, id, peer, &caller.account).await?;
        Ok(story.map_or_else(
            || not_found(id),
            |story| {
                let entry = answer::entry(&story, Standing::default(), &self.app.desk.now());
                let how = entry.ended.unwrap_or(entry.state);
                Error::Refused(format!("{id} no longer waits for a review: {how}; see: jitctl show {id}"))
            },
        ))
    }
}

fn not_found(id: RequestId) -> Error {
    NotDone::from(Refusal::NotFound(id.to_string())).into()
}

/// Whether somebody may see a request that waits: whose it is, who is asked about it, admins and auditors.
fn may_see(request: &Briefing, policy: &Policy, peer: Peer, caller: &Subject) -> bool {
    may_read_all_by(policy, peer, caller) || is_about(&request.beneficiary, caller) || request.asks(caller)
}

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
        let decision = decision_of(decision)?;
        if services.len() > MAX_SERVICES {
            return Err(Error::Invalid(format!("more than {MAX_SERVICES} services")));
        }
        let services: Services =
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

/// What the store holds of a request that can be reviewed, without asking the store.
fn story_of(here: Context<'_>, pending: &Pending) -> Story {
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
