//! What is true now: live grants, pending requests, claims. Only [`State::apply`] changes it.

mod approved;
pub(crate) mod codes;
mod earlier;
mod grants;
mod policy_changes;
mod sessions;
mod statements;
mod stays;

use std::collections::{BTreeMap, HashMap};

use jit_proto::words::{GrantId, GroupName, RequestId, RoleName, Uid};

use crate::digest::Digest;
use crate::event::{Event, PolicyText, Record};
use crate::model::{
    Archived, Claim, ClaimKind, Closed, CodeTry, Earlier, EarlierOfRole, End, EndWhy, Grant, Lock, Locks,
    Pending, Person, PolicyChanges, Request, Review, Scope, Serial, Session, Since, Stay, Taken, Termination,
    Time, Tombstone, Tried,
};
use crate::proof::note::PublicKey;
use crate::time::{Moment, Utc, Window};

/// What is read back from the store.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Grants that live.
    pub grants: Vec<Grant>,
    /// Requests that wait.
    pub pending: Vec<Pending>,
    /// Emergencies whose reviews are owed.
    pub owed: Vec<Pending>,
    /// The reviews of grants that live, of all but those.
    pub reviews: Vec<(GrantId, Vec<Review>)>,
    /// Claims that no session has taken up.
    pub claims: Vec<Claim>,
    /// The locks that are set.
    pub locks: Vec<Lock>,
    /// Sessions that have not been seen to end.
    pub sessions: Vec<Session>,
    /// Ends of windows that have not been carried through.
    pub endings: Vec<Termination>,
    /// Who is here by a window.
    pub stays: Vec<Stay>,
    /// Codes that were wrong.
    pub code_tries: Vec<CodeTry>,
    /// Serials that are spent.
    pub taken: Vec<Taken>,
    /// Serials that were revoked.
    pub tombstones: Vec<Tombstone>,
    /// When people last had their roles.
    pub earlier: Vec<Earlier>,
    /// Since when these are known.
    pub since: Option<Since>,
    /// The number that the next record must have.
    pub next_seq: u64,
}

/// The live state. What is over is in the store and the audit log, not here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    grants: BTreeMap<GrantId, Grant>,
    by_uid: HashMap<Uid, Vec<GrantId>>,
    pending: BTreeMap<RequestId, Pending>,
    owed: BTreeMap<RequestId, Pending>,
    approved: BTreeMap<GrantId, Vec<Person>>,
    claims: Vec<Claim>,
    locks: BTreeMap<Scope, Lock>,
    sessions: Vec<Session>,
    endings: BTreeMap<GrantId, Termination>,
    stays: BTreeMap<Uid, Stay>,
    tried: Option<Tried>,
    code_tries: Vec<CodeTry>,
    policy_changes: PolicyChanges,
    taken: BTreeMap<Serial, Taken>,
    taken_locks: BTreeMap<Serial, Taken>,
    tombstones: BTreeMap<Serial, Tombstone>,
    earlier: BTreeMap<RoleName, EarlierOfRole>,
    since: Option<Since>,
    is_short: bool,
    is_spent: bool,
    next_seq: u64,
}

/// A row that an event changed. The tables are a snapshot of the events; these keep them so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// The key that signs the log from now on.
    HostKey(PublicKey),
    /// Records that leave the store.
    Archived(Archived),
    /// A new request.
    Request(Request),
    /// A request that did not open and never will.
    Closed {
        /// The request that was closed.
        request: RequestId,
        /// When it was closed.
        at: Utc,
        /// How it came to nothing.
        how: Closed,
    },
    /// A review that counts no more.
    Discounted {
        /// Of which request.
        request: RequestId,
        /// The reviewer whose review it is.
        by: Person,
        /// When the review was discounted.
        at: Utc,
    },
    /// An emergency whose reviews are in.
    Settled {
        /// Of which request.
        request: RequestId,
    },
    /// A review of a request.
    Review {
        /// Of which request.
        request: RequestId,
        /// When the review was given.
        at: Utc,
        /// The review itself.
        review: Review,
    },
    /// A new grant.
    Grant(Grant),
    /// A grant whose window has begun, or of which something else than its uses has changed.
    Began(Grant),
    /// How often a grant has been used.
    Used {
        /// The grant that was used.
        grant: GrantId,
        /// The new count.
        used: u32,
    },
    /// The end of a grant.
    Ended {
        /// The grant that ended.
        grant: GrantId,
        /// When and why.
        end: End,
    },
    /// A new claim.
    Claim(Claim),
    /// A claim that was taken up or voided.
    ClaimGone(u64),
    /// A lock, in the place of any older one of the same scope.
    Lock(Lock),
    /// A lock that holds no longer.
    LockGone(Scope),
    /// A session, new or changed.
    Session(Session),
    /// A session that ended.
    SessionGone(u64),
    /// An end of a window that has to be carried through, new or changed.
    Termination(Termination),
    /// An end of a window that has been.
    EndingGone(GrantId),
    /// Somebody who is here by a window, new or changed.
    Stay(Stay),
    /// Somebody who is here by none any more.
    StayGone(Uid),
    /// The policy in force.
    Policy {
        /// The policy's digest.
        digest: Digest,
        /// When it was loaded.
        at: Utc,
        /// The policy's files.
        files: Vec<PolicyText>,
    },
    /// The trial of a policy that runs or went back; nothing once it is settled.
    Tried(Option<Tried>),
    /// What has to be said to changes of the policy.
    PolicyChanges(PolicyChanges),
    /// A code that was wrong.
    CodeTry(CodeTry),
    /// A wrong code that stands in nobody's way any more.
    CodeTryGone(u64),
    /// A serial that is spent.
    Taken(Taken),
    /// A serial that was revoked.
    Tombstone(Tombstone),
    /// Since when such serials are known.
    Since(Since),
    /// When somebody last had a role.
    Earlier(Earlier),
    /// That is so long ago that nothing counts from it.
    EarlierGone(Earlier),
}

impl State {
    /// A state read back from the store.
    #[must_use]
    pub fn restore(stored: Stored) -> Self {
        let Stored { grants, pending, owed, claims, locks, sessions, .. } = stored;
        let Stored { endings, stays, code_tries, taken, tombstones, earlier, since, next_seq, .. } = stored;
        let reviews = stored.reviews;
        let (taken_locks, taken): (BTreeMap<_, _>, _) =
            taken.into_iter().map(|one| (one.serial, one)).partition(|(_, one)| one.is_of_a_lock());
        let by_id = |all: Vec<Pending>| all.into_iter().map(|one| (one.request.id, one)).collect();
        let locks = locks.into_iter().map(|lock| (lock.scope.clone(), lock)).collect();
        let mut state = Self {
            pending: by_id(pending),
            owed: by_id(owed),
            claims,
            locks,
            sessions,
            endings: endings.into_iter().map(|ending| (ending.grant, ending)).collect(),
            stays: stays.into_iter().map(|stay| (stay.uid, stay)).collect(),
            code_tries,
            taken,
            taken_locks,
            tombstones: tombstones.into_iter().map(|one| (one.serial, one)).collect(),
            since,
            next_seq,
            ..Self::default()
        };
        for grant in grants {
            state.add_grant(grant);
        }
        for one in earlier {
            state.recall(one);
        }
        for (grant, reviews) in reviews {
            state.keep_approvers(grant, &reviews);
        }
        state
    }

    /// The same with the trial of a policy that the store holds.
    #[must_use]
    pub fn with_tried(self, tried: Option<Tried>) -> Self {
        Self { tried, ..self }
    }

    /// The same with what the store has to be said to changes of the policy.
    #[must_use]
    pub fn with_policy_changes(self, policy_changes: PolicyChanges) -> Self {
        Self { policy_changes, ..self }
    }

    /// What has to be said to changes of the policy.
    #[must_use]
    pub const fn policy_changes(&self) -> &PolicyChanges {
        &self.policy_changes
    }

    /// The trial of a policy that runs, or that went back.
    #[must_use]
    pub const fn tried(&self) -> Option<&Tried> {
        self.tried.as_ref()
    }

    /// Whether there is so little room for records that nothing new opens.
    #[must_use]
    pub const fn is_short_of_room(&self) -> bool {
        self.is_short
    }

    /// Whether there is so little that what is left is for what ends: nobody gets in by a window, but in an emergency.
    #[must_use]
    pub const fn is_out_of_room(&self) -> bool {
        self.is_spent
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

    /// Emergencies that opened and whose reviews are owed.
    #[must_use]
    pub const fn owed(&self) -> &BTreeMap<RequestId, Pending> {
        &self.owed
    }

    /// What may be reviewed: what waits, and what is owed.
    #[must_use]
    pub fn reviewable(&self, id: RequestId) -> Option<&Pending> {
        self.pending.get(&id).or_else(|| self.owed.get(&id))
    }

    /// The locks as they were set; some may have run out.
    #[must_use]
    pub const fn locks(&self) -> &BTreeMap<Scope, Lock> {
        &self.locks
    }

    /// The groups that are locked, also those whose lock has run out.
    pub fn locked_groups(&self) -> impl Iterator<Item = &GroupName> {
        self.locks.keys().filter_map(|scope| match scope {
            Scope::Group(group) => Some(group),
            Scope::User(_) | Scope::Service(_) | Scope::Role(_) | Scope::Host => None,
        })
    }

    /// The locks that hold now.
    #[must_use]
    pub const fn locked<'a>(&'a self, now: &'a Moment) -> Locks<'a> {
        Locks { all: &self.locks, now }
    }

    /// Sessions that have not been seen to end, oldest first.
    #[must_use]
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// A session that has not been seen to end.
    #[must_use]
    pub fn session(&self, id: u64) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }

    /// Ends of windows that have not been carried through.
    #[must_use]
    pub const fn endings(&self) -> &BTreeMap<GrantId, Termination> {
        &self.endings
    }

    /// A session of this boot that a grant admitted and that may be root's. One that PAM has closed is still one while
    /// something of it runs.
    #[must_use]
    pub fn root_session(&self, now: &Moment) -> Option<&Session> {
        self.sessions.iter().find(|session| session.at.boot_id == now.boot_id && session.may_be_root())
    }

    /// Claims that no session has taken up yet, oldest first.
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Whether a live grant, or a request that may be reviewed, has this id.
    #[must_use]
    pub fn knows(&self, id: RequestId) -> bool {
        self.reviewable(id).is_some() || self.grants.contains_key(&id.into())
    }

    fn lock(&mut self, lock: &Lock) -> Vec<Row> {
        self.locks.insert(lock.scope.clone(), lock.clone());
        vec![Row::Lock(lock.clone())]
    }

    /// Applies one record and names the rows it changed.
    ///
    /// Total: an event about something that is not there changes nothing, so replaying a log cannot fail.
    /// That events make sense is the business of [`crate::check`] and [`crate::orders`].
    pub fn apply(&mut self, record: &Record) -> Vec<Row> {
        self.next_seq = record.seq + 1;
        let mut rows = self.follow(record);
        rows.extend(self.remember(record));
        rows
    }

    fn follow(&mut self, record: &Record) -> Vec<Row> {
        let at = record.at.wall;
        match &record.event {
            Event::Requested { request } => {
                self.pending.insert(request.id, Pending { request: request.clone(), reviews: Vec::new() });
                vec![Row::Request(request.clone())]
            }
            Event::Withdrawn { request, .. } => self.close(*request, Closed::Withdrawn, at),
            Event::Refused { request, .. } => self.close(*request, Closed::Denied, at),
            Event::Lapsed { request, .. } => self.close(*request, Closed::Lapsed, at),
            Event::Reviewed { request, review, .. } => {
                let Some(reviewed) = self.reviewable_mut(*request) else { return Vec::new() };
                reviewed.reviews.push(review.clone());
                vec![Row::Review { request: *request, at, review: review.clone() }]
            }
            Event::Discounted { request, by } => {
                let Some(reviewed) = self.reviewable_mut(*request) else { return Vec::new() };
                reviewed.reviews.retain(|review| review.by != *by);
                vec![Row::Discounted { request: *request, by: by.clone(), at }]
            }
            Event::Opened { grant } => self.opened(grant, &record.at),
            Event::Began { grant, window } => self.begin(*grant, window),
            Event::Settled { request, .. } => self.paid(*request).into_iter().collect(),
            Event::Ended { grant, why, .. } => self.end(*grant, *why, &record.at),
            Event::Locked { lock, .. } => self.lock(lock),
            Event::Unlocked { scope, .. } => {
                self.locks.remove(scope).map(|lock| Row::LockGone(lock.scope)).into_iter().collect()
            }
            Event::Allowed { .. } => self.admit(record),
            Event::Came { .. }
            | Event::SessionOpened { .. }
            | Event::SessionClosed { .. }
            | Event::SessionPlaced { .. }
            | Event::SessionUnbound { .. }
            | Event::SessionMoved { .. }
            | Event::SessionOver { .. }
            | Event::SessionAdopted { .. }
            | Event::SessionRefused { .. }
            | Event::SessionGone { .. }
            | Event::Shut { .. }
            | Event::SessionsEnded { .. } => self.follow_session(record),
            Event::ClaimVoided { grant, claim } => {
                let Some(gone) = self.drop_claim(*claim) else { return Vec::new() };
                let Some(live) = self.grants.get_mut(grant) else { return vec![gone] };
                live.used = live.used.saturating_sub(1);
                vec![gone, Row::Used { grant: *grant, used: live.used }]
            }
            Event::PolicyLoaded { .. }
            | Event::PolicyConfirmed { .. }
            | Event::PolicyReverted { .. }
            | Event::PolicyProposed { .. }
            | Event::PolicyReviewed { .. }
            | Event::PolicyOverride { .. } => self.change_policy(record),
            // Whether there is room is looked for anew at each start.
            Event::Started { .. } | Event::DiskRoom(_) => {
                (self.is_short, self.is_spent) = (false, false);
                Vec::new()
            }
            Event::DiskShort(space) => {
                (self.is_short, self.is_spent) = (true, self.is_spent || space.is_spent());
                Vec::new()
            }
            Event::Stopped
            | Event::PolicyRefused { .. }
            | Event::SignatureRefused { .. }
            | Event::RevokeTaken { .. }
            | Event::OrderRefused { .. }
            | Event::Denied { .. }
            | Event::Unmanaged { .. }
            | Event::ClockSuspect { .. }
            | Event::ClockAccepted { .. }
            | Event::ClockRecovered { .. }
            | Event::Recovered { .. }
            | Event::RecoveryUnread(_)
            | Event::Unasked(_)
            | Event::PamFiles(_)
            | Event::Elsewhere { .. }
            | Event::Checkpoint { .. }
            | Event::CheckpointCarried { .. }
            | Event::Attested { .. } => Vec::new(),
            Event::CodeRefused { .. } => self.refused_code(record),
            Event::RecordsArchived(archived) => vec![Row::Archived(archived.clone())],
            Event::HostKey { key, .. } => vec![Row::HostKey(key.clone())],
        }
    }

    /// The reviews of an emergency are owed no more.
    fn paid(&mut self, request: RequestId) -> Option<Row> {
        let paid = self.owed.remove(&request)?;
        if self.grants.contains_key(&request.into()) {
            self.keep_approvers(request.into(), &paid.reviews);
        }
        Some(Row::Settled { request })
    }

    fn close(&mut self, request: RequestId, how: Closed, at: Utc) -> Vec<Row> {
        let closed = self.pending.remove(&request);
        closed.map(|_| Row::Closed { request, at, how }).into_iter().collect()
    }

    fn reviewable_mut(&mut self, id: RequestId) -> Option<&mut Pending> {
        self.pending.get_mut(&id).or_else(|| self.owed.get_mut(&id))
    }

    fn opened(&mut self, grant: &Grant, now: &Moment) -> Vec<Row> {
        let mut rows = self.open(grant);
        if !rows.is_empty() {
            rows.extend(self.count_unreviewed(grant, now));
        }
        rows
    }

    /// Only what waits opens, and so nothing opens twice.
    fn open(&mut self, grant: &Grant) -> Vec<Row> {
        let Some(pending) = self.pending.remove(&grant.request()) else { return Vec::new() };
        self.keep_approvers(grant.id, &pending.reviews);
        if grant.emergency {
            self.owed.insert(grant.request(), pending);
        }
        self.add_grant(grant.clone());
        vec![Row::Grant(grant.clone())]
    }

    fn begin(&mut self, id: GrantId, window: &Window) -> Vec<Row> {
        let Some(grant) = self.grants.get_mut(&id) else { return Vec::new() };
        if grant.window().is_some() {
            return Vec::new();
        }
        grant.time = Time::Open { window: window.clone() };
        vec![Row::Began(grant.clone())]
    }

    fn add_grant(&mut self, grant: Grant) {
        self.by_uid.entry(grant.uid).or_default().push(grant.id);
        self.grants.insert(grant.id, grant);
    }

    fn end(&mut self, id: GrantId, why: EndWhy, now: &Moment) -> Vec<Row> {
        let Some(grant) = self.grants.remove(&id) else { return Vec::new() };
        self.approved.remove(&id);
        if let Some(ids) = self.by_uid.get_mut(&grant.uid) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_uid.remove(&grant.uid);
            }
        }
        let mut rows = vec![Row::Ended { grant: id, end: End { at: now.wall, why } }];
        rows.extend(self.hand_on(&grant));
        rows.extend(self.had(&grant, now));
        if let Some(mut ending) = Termination::of(&grant, now, why.into()) {
            // It may have been shut before it ended.
            ending.sessions = self.endings.remove(&id).map_or_else(Vec::new, |known| known.sessions);
            self.endings.insert(id, ending.clone());
            rows.push(Row::Termination(ending));
        }
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
