//! What is true now: live grants, pending requests, claims. Only [`State::apply`] changes it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jit_proto::words::{GrantId, RequestId, Uid};

use crate::clock::Utc;
use crate::digest::Digest;
use crate::event::{Event, PolicyText, Record, Review};
use crate::grant::{Claim, ClaimKind, End, EndWhy, Grant};
use crate::request::Request;
use crate::trial::{Trial, Tried};

/// A request that waits, with the reviews that count so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The request.
    pub request: Request,
    /// Its reviews, in order.
    pub reviews: Vec<Review>,
}

/// The live state. What is over is in the store and the audit log, not here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    grants: BTreeMap<GrantId, Grant>,
    by_uid: HashMap<Uid, Vec<GrantId>>,
    pending: BTreeMap<RequestId, Pending>,
    claims: Vec<Claim>,
    tried: Option<Tried>,
    next_seq: u64,
}

/// A row that an event changed. The tables are a snapshot of the events; these keep them so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A new request.
    Request(Request),
    /// A request that did not open and never will.
    Withdrawn {
        /// Which.
        request: RequestId,
        /// When.
        at: Utc,
    },
    /// A review of a request.
    Review {
        /// Of which request.
        request: RequestId,
        /// When.
        at: Utc,
        /// The review.
        review: Review,
    },
    /// A new grant.
    Grant(Grant),
    /// How often a grant has been used.
    Used {
        /// Which.
        grant: GrantId,
        /// The new count.
        used: u32,
    },
    /// The end of a grant.
    Ended {
        /// Which.
        grant: GrantId,
        /// When and why.
        end: End,
    },
    /// A new claim.
    Claim(Claim),
    /// A claim that was taken up or voided.
    ClaimGone(u64),
    /// The policy in force.
    Policy {
        /// Its digest.
        digest: Digest,
        /// When it was loaded.
        at: Utc,
        /// Its files.
        files: Vec<PolicyText>,
    },
    /// The trial of a policy that runs or went back; nothing once it is settled.
    Tried(Option<Tried>),
}

impl State {
    /// A state read back from the store.
    #[must_use]
    pub fn restore(grants: Vec<Grant>, pending: Vec<Pending>, claims: Vec<Claim>, next_seq: u64) -> Self {
        let mut state = Self { claims, next_seq, ..Self::default() };
        for grant in grants {
            state.add_grant(grant);
        }
        for waiting in pending {
            state.pending.insert(waiting.request.id, waiting);
        }
        state
    }

    /// The same with the trial of a policy that the store holds.
    #[must_use]
    pub fn with_tried(self, tried: Option<Tried>) -> Self {
        Self { tried, ..self }
    }

    /// The trial of a policy that runs, or that went back.
    #[must_use]
    pub const fn tried(&self) -> Option<&Tried> {
        self.tried.as_ref()
    }

    /// The sequence number that the next record must have.
    #[must_use]
    pub const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// A live grant.
    #[must_use]
    pub fn grant(&self, id: GrantId) -> Option<&Grant> {
        self.grants.get(&id)
    }

    /// Live grants, by id.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.values()
    }

    /// Live grants of a uid, in the order they opened.
    pub fn grants_of(&self, uid: Uid) -> impl Iterator<Item = &Grant> {
        self.by_uid.get(&uid).into_iter().flatten().filter_map(|id| self.grants.get(id))
    }

    /// Requests that wait.
    #[must_use]
    pub const fn pending(&self) -> &BTreeMap<RequestId, Pending> {
        &self.pending
    }

    /// Claims that no session has taken up yet, oldest first.
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Whether a live grant or pending request has this id.
    #[must_use]
    pub fn knows(&self, id: RequestId) -> bool {
        self.pending.contains_key(&id) || self.grants.contains_key(&id.into())
    }

    /// Applies one record and names the rows it changed.
    ///
    /// Total: an event about something that is not there changes nothing, so replaying a log cannot fail.
    /// That events make sense is the business of [`crate::decide`] and [`crate::request`].
    pub fn apply(&mut self, record: &Record) -> Vec<Row> {
        self.next_seq = record.seq + 1;
        let at = record.at.wall;
        match &record.event {
            Event::Requested { request } => {
                self.pending.insert(request.id, Pending { request: request.clone(), reviews: Vec::new() });
                vec![Row::Request(request.clone())]
            }
            Event::Withdrawn { request, .. } | Event::Refused { request, .. } => {
                match self.pending.remove(request) {
                    Some(_) => vec![Row::Withdrawn { request: *request, at }],
                    None => Vec::new(),
                }
            }
            Event::Reviewed { request, review, .. } => {
                let Some(pending) = self.pending.get_mut(request) else { return Vec::new() };
                pending.reviews.push(review.clone());
                vec![Row::Review { request: *request, at, review: review.clone() }]
            }
            Event::Opened { grant } => {
                self.pending.remove(&grant.request());
                self.add_grant(grant.clone());
                vec![Row::Grant(grant.clone())]
            }
            Event::Ended { grant, why, .. } => self.end(*grant, *why, at),
            Event::Allowed { grant, claim: Some(kind), login, .. } => {
                let Some(live) = self.grants.get_mut(grant) else { return Vec::new() };
                live.used = live.used.saturating_add(1);
                let claim = Claim {
                    id: record.seq,
                    grant: *grant,
                    service: login.service.clone(),
                    uid: live.uid,
                    rhost: login.rhost.clone(),
                    at: record.at.clone(),
                    kind: *kind,
                };
                let rows = vec![Row::Used { grant: *grant, used: live.used }, Row::Claim(claim.clone())];
                self.claims.push(claim);
                rows
            }
            Event::SessionOpened { claim: Some(claim), .. } => self.drop_claim(*claim).into_iter().collect(),
            Event::ClaimVoided { grant, claim } => {
                let Some(gone) = self.drop_claim(*claim) else { return Vec::new() };
                let Some(live) = self.grants.get_mut(grant) else { return vec![gone] };
                live.used = live.used.saturating_sub(1);
                vec![gone, Row::Used { grant: *grant, used: live.used }]
            }
            Event::PolicyLoaded { digest, files, before, trial, .. } => {
                let running = trial.zip(*before).map(|(seconds, before)| {
                    let limit = Duration::from_secs(seconds);
                    Tried::Running(Trial { digest: *digest, before, since: record.at.clone(), limit })
                });
                let mut rows = vec![Row::Policy { digest: *digest, at, files: files.clone() }];
                rows.extend(self.settle(running));
                rows
            }
            Event::PolicyConfirmed { .. } => self.settle(None).into_iter().collect(),
            Event::PolicyReverted { tried, digest, files, .. } => {
                let mut rows = vec![Row::Policy { digest: *digest, at, files: files.clone() }];
                rows.extend(self.settle(Some(Tried::WentBack { digest: *tried, at })));
                rows
            }
            Event::Allowed { claim: None, .. }
            | Event::SessionOpened { claim: None, .. }
            | Event::SessionClosed { .. }
            | Event::Started { .. }
            | Event::Stopped
            | Event::PolicyRefused { .. }
            | Event::Denied { .. }
            | Event::Unmanaged { .. }
            | Event::Recovered { .. } => Vec::new(),
        }
    }

    fn settle(&mut self, tried: Option<Tried>) -> Option<Row> {
        let changed = self.tried != tried;
        self.tried.clone_from(&tried);
        changed.then_some(Row::Tried(tried))
    }

    fn add_grant(&mut self, grant: Grant) {
        self.by_uid.entry(grant.uid).or_default().push(grant.id);
        self.grants.insert(grant.id, grant);
    }

    fn end(&mut self, id: GrantId, why: EndWhy, at: Utc) -> Vec<Row> {
        let Some(grant) = self.grants.remove(&id) else { return Vec::new() };
        if let Some(ids) = self.by_uid.get_mut(&grant.uid) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_uid.remove(&grant.uid);
            }
        }
        let mut rows = vec![Row::Ended { grant: id, end: End { at, why } }];
        self.claims.retain(|claim| {
            let keep = claim.grant != id;
            if !keep {
                rows.push(Row::ClaimGone(claim.id));
            }
            keep
        });
        rows
    }

    fn drop_claim(&mut self, id: u64) -> Option<Row> {
        let place = self.claims.iter().position(|claim| claim.id == id)?;
        self.claims.remove(place);
        Some(Row::ClaimGone(id))
    }

    /// The oldest claim that a session of this service, uid and remote host may take up.
    #[must_use]
    pub fn claim_for(&self, grant: GrantId, service: &str, rhost: &str) -> Option<&Claim> {
        self.claims
            .iter()
            .find(|claim| claim.grant == grant && claim.service.as_str() == service && claim.rhost == rhost)
    }

    /// Held claims, which become void when their time is over.
    pub fn held_claims(&self) -> impl Iterator<Item = &Claim> {
        self.claims.iter().filter(|claim| claim.kind == ClaimKind::Held)
    }
}
