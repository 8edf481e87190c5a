//! What was seen to happen, written down apart from what is tested and held against it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jit_core::clock::Moment;
use jit_core::event::{Decision, Event, Review};
use jit_core::grant::{Grant, Time};
use jit_core::lock::{Lock, Scope};
use jit_core::person::Person;
use jit_core::policy::{Policy, Role, Subject, Then, Uses};
use jit_core::request::Request;
use jit_core::review::Standing;
use jit_proto::words::{GrantId, RequestId, RoleName, ServiceName, UserName};

/// One who believes nothing but the events, in their order.
#[derive(Default)]
pub(crate) struct Witness {
    /// Every request that was ever made, with the reviews that were not taken from it.
    asked: BTreeMap<RequestId, (Request, Vec<Review>)>,
    /// Those that came to an end without a grant.
    closed: BTreeSet<RequestId>,
    /// How long the window of each grant is to be.
    granted: BTreeMap<GrantId, Duration>,
    /// When each window was seen to be open first.
    opened: BTreeMap<GrantId, Moment>,
    /// Grants whose windows go on after a restart.
    survives: BTreeSet<GrantId>,
    /// Grants whose windows open whatever the clock is worth.
    needs_no_clock: BTreeSet<GrantId>,
    /// Grants that are over.
    ended: BTreeSet<GrantId>,
    /// Emergencies that nobody has settled.
    owed: BTreeMap<RequestId, (RoleName, UserName)>,
    locks: BTreeMap<Scope, Lock>,
}

impl Witness {
    /// Looks at what happens, and whether it can after what happened before.
    pub(crate) fn see(&mut self, event: &Event, now: &Moment) {
        match event {
            Event::Requested { request } => {
                let before = self.asked.insert(request.id, (request.clone(), Vec::new()));
                assert_eq!(before, None, "an id is used once");
            }
            Event::Reviewed { request, digest, review } => {
                assert!(!self.closed.contains(request), "{request} is over, and is reviewed");
                let (asked, reviews) = self.asked.get_mut(request).unwrap();
                assert_eq!(asked.digest(), *digest, "what is reviewed is what was asked for");
                reviews.push(review.clone());
            }
            Event::Discounted { request, by } => {
                self.asked.get_mut(request).unwrap().1.retain(|review| review.by != *by);
            }
            Event::Refused { request, .. }
            | Event::Withdrawn { request, .. }
            | Event::Lapsed { request, .. } => {
                assert!(self.closed.insert(*request), "{request} ends twice");
                assert!(!self.granted.contains_key(&GrantId::from(*request)), "{request} has opened");
            }
            Event::Opened { grant } => self.open(grant, now),
            Event::Began { grant, window } => {
                assert!(!self.ended.contains(grant), "{grant} is over, and begins");
                let may = now.is_trusted() || self.needs_no_clock.contains(grant);
                assert!(may, "{grant} begins by a clock that is suspect");
                // What passed before this boot is off a window that begins late.
                assert!(window.duration <= self.granted[grant], "{grant} begins longer than it was granted");
                assert_eq!(self.opened.insert(*grant, now.clone()), None, "{grant} begins twice");
            }
            Event::Ended { grant, .. } => {
                assert!(self.granted.contains_key(grant), "{grant} was never granted");
                assert!(self.ended.insert(*grant), "{grant} ends twice");
            }
            Event::Settled { request, .. } => {
                assert!(self.owed.remove(request).is_some(), "nothing is owed for {request}");
            }
            Event::Locked { lock } => drop(self.locks.insert(lock.scope.clone(), lock.clone())),
            Event::Unlocked { scope, .. } => {
                assert!(self.locks.remove(scope).is_some(), "{scope} was not locked");
            }
            Event::Allowed { grant, .. } | Event::SessionOpened { grant, .. } => {
                assert!(!self.ended.contains(grant), "{grant} is over, and admits");
                assert!(self.opened.contains_key(grant), "{grant} has not begun, and admits");
            }
            _ => {}
        }
    }

    /// What opens is what was asked for, less what was taken away (law 5).
    fn open(&mut self, grant: &Grant, now: &Moment) {
        let id = grant.request();
        let (asked, reviews) = &self.asked[&id];
        assert!(!self.closed.contains(&id), "{id} is over, and opens");
        assert_eq!((&grant.user, grant.uid), (&asked.beneficiary.name, asked.beneficiary.uid));
        assert_eq!((&grant.role, grant.terms, grant.extends), (&asked.role, asked.terms, asked.extends));
        let mut longest = asked.duration;
        let mut services: BTreeSet<ServiceName> = asked.services.clone();
        for review in reviews.iter().filter(|review| review.decision == Decision::Approve) {
            longest = longest.min(review.narrow.duration.unwrap_or(longest));
            if let Some(left) = &review.narrow.services {
                services = services.intersection(left).cloned().collect();
            }
            assert!(review.narrow.uses.is_none_or(|uses| grant.uses <= Uses::Times(uses)), "{grant:?}");
        }
        assert!(grant.uses <= asked.uses && grant.used == 0 && !services.is_empty(), "{grant:?}");
        assert!(grant.length() <= longest && grant.services == services, "{grant:?}");
        assert_eq!(self.granted.insert(grant.id, longest), None, "{id} opens twice");
        assert!(now.is_trusted() || grant.emergency, "{id} opens by a clock that is suspect");
        if grant.emergency || grant.extends.is_some() {
            self.needs_no_clock.insert(grant.id);
        }
        let survives = match &grant.time {
            Time::Open { window } => {
                self.opened.insert(grant.id, now.clone());
                window.survives_reboot
            }
            Time::Scheduled { scheduled } => scheduled.survives_reboot,
        };
        if survives {
            self.survives.insert(grant.id);
        }
        if grant.emergency {
            let opens = (grant.role.clone(), grant.user.clone());
            assert!(!self.owed.values().any(|owed| *owed == opens), "{opens:?} owes a review");
            self.owed.insert(id, opens);
        }
    }

    /// What is left of a grant's window at most, by the clocks since it was seen to be open.
    pub(crate) fn left(&self, grant: GrantId, now: &Moment) -> Duration {
        if self.ended.contains(&grant) {
            return Duration::ZERO;
        }
        let length = self.granted[&grant];
        let Some(opened) = self.opened.get(&grant) else { return length };
        let rebooted = opened.boot_id != now.boot_id;
        if rebooted && !self.survives.contains(&grant) {
            return Duration::ZERO;
        }
        let (wall, up) = passed(opened, now);
        let told = if opened.is_trusted() || rebooted { wall.max(up) } else { up };
        length.saturating_sub(told)
    }

    /// A lock that keeps this subject from this service under this role.
    pub(crate) fn lock_on(
        &self,
        policy: &Policy,
        subject: &Subject,
        service: &ServiceName,
        role: &RoleName,
        now: &Moment,
    ) -> Option<&Lock> {
        let shuts = |lock: &&Lock| match &lock.scope {
            Scope::User(name) => *name == subject.name || policy.people().same(name, &subject.name),
            Scope::Group(group) => subject.groups.contains(group),
            Scope::Service(name) => name == service,
            Scope::Role(name) => name == role,
            Scope::Host => true,
        };
        self.locks.values().filter(|lock| holds(lock, now)).find(shuts)
    }

    /// Nobody's word opened this but that of people who are asked now, as many as its stages want, and none of them
    /// the one whom it is for (law 4).
    pub(crate) fn check_approvers(&self, policy: &Policy, id: RequestId, standing: &Standing) {
        let (asked, reviews) = &self.asked[&id];
        let role = policy.role(&asked.role).unwrap();
        let same = |a: &Person, b: &Person| a.is(b) || policy.people().same(&a.name, &b.name);
        let mut people = vec![&asked.beneficiary];
        for review in reviews {
            // Who gave the last one is not looked up beforehand.
            let now = standing.get(&review.by.name);
            assert!(now.is_none_or(|now| is_asked(role, now.as_ref(), &review.by)), "{review:?}");
            if review.decision == Decision::Approve && !people.iter().any(|other| same(other, &review.by)) {
                people.push(&review.by);
            }
        }
        let wanted: u64 = role.stages.iter().map(|stage| u64::from(stage.approvals.get())).sum();
        assert!(people.len() as u64 > wanted, "{id} wants {wanted}: {people:?}");
    }

    /// The emergencies that nobody has settled.
    pub(crate) fn owed(&self) -> impl Iterator<Item = &RequestId> {
        self.owed.keys()
    }
}

fn is_asked(role: &Role, now: Option<&Subject>, by: &Person) -> bool {
    let Some(now) = now.filter(|now| now.uid == by.uid && now.name == by.name) else { return false };
    role.stages.iter().any(|stage| {
        stage.approvers.contains(now) || matches!(&stage.then, Then::Ask(next) if next.contains(now))
    })
}

/// How much time has passed by the wall clock, and how long the machine was up in it.
fn passed(since: &Moment, now: &Moment) -> (Duration, Duration) {
    let wall = u64::try_from(now.wall.unix_millis() - since.wall.unix_millis()).unwrap_or(0);
    let up = now.ran.unwrap().saturating_sub(since.ran.unwrap());
    (Duration::from_millis(wall), Duration::from_millis(up))
}

/// Whether a lock holds: it is over when every clock says so that could be believed when it was set.
fn holds(lock: &Lock, now: &Moment) -> bool {
    let (wall, up) = passed(&lock.at, now);
    lock.duration.is_none_or(|duration| {
        if lock.at.is_trusted() {
            wall < duration || (lock.at.boot_id == now.boot_id && up < duration)
        } else {
            up < duration
        }
    })
}
