//! What was seen to happen, written down apart from what is tested and held against it. Of the code it takes the words
//! in which events speak, and none of its rules: what policy says it reads from the text ([`Page`]), and whose word counts
//! it works out for itself. A house test holds the imports.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use jit_core::event::Event;
use jit_core::model::{Decision, Grant, Lock, Person, Request, Review, Scope, Time};
use jit_core::policy::{SourceFile, Subject, Uses};
use jit_core::services::Services;
use jit_core::time::Moment;
use jit_core::time::Utc;
use jit_proto::words::{GrantId, RequestId, RoleName, ServiceName, Uid, UserName};

use crate::page::{Page, RoleText};

/// One who believes nothing but the events, in their order.
#[derive(Clone, Default)]
pub(crate) struct Witness {
    /// The policy in force.
    page: Page,
    /// How long each request was ordered to be, where somebody said so.
    ordered: BTreeMap<RequestId, Option<Duration>>,
    /// Every request that was ever made, with the reviews that were not taken from it.
    asked: BTreeMap<RequestId, (Request, Vec<Review>)>,
    /// Those that came to an end without a grant.
    closed: BTreeSet<RequestId>,
    /// How long the window of each grant is to be.
    granted: BTreeMap<GrantId, Duration>,
    /// How long each is as it opened, and what it goes on from.
    lengths: BTreeMap<GrantId, (Duration, Option<GrantId>)>,
    /// When each window was seen to be open first.
    opened: BTreeMap<GrantId, Moment>,
    /// Grants whose windows go on after a restart.
    survives: BTreeSet<GrantId>,
    /// Grants whose windows open whatever the clock is worth.
    needs_no_clock: BTreeSet<GrantId>,
    /// The moment from which on nothing of a grant is open, where its role ended by a clock that was believed.
    until: BTreeMap<GrantId, Utc>,
    /// Grants that are over.
    ended: BTreeSet<GrantId>,
    /// Emergencies that nobody has settled.
    owed: BTreeMap<RequestId, (RoleName, UserName)>,
    /// What policy opened by itself, and when.
    by_policy: Vec<(RoleName, Person, Moment)>,
    /// Each with the uid that its account had when it was set.
    locks: BTreeMap<Scope, (Lock, Option<Uid>)>,
}

impl Witness {
    /// Another policy is in force.
    pub(crate) fn reads(&mut self, files: &[SourceFile]) {
        self.page = Page::of(files);
    }

    /// Somebody asks for a role, for so long or for as long as is usual.
    pub(crate) fn hears(&mut self, id: RequestId, duration: Option<Duration>) {
        self.ordered.insert(id, duration);
    }

    /// Whether policy, as it is written, names this account for a role.
    pub(crate) fn is_eligible(&self, role: &RoleName, account: &Subject) -> bool {
        self.page.role(role.as_str()).is_some_and(|role| role.eligible.names(account))
    }

    /// Looks at what happens, and whether it can after what happened before.
    pub(crate) fn see(&mut self, event: &Event, now: &Moment, people: &BTreeMap<UserName, Option<Subject>>) {
        match event {
            Event::Requested { request } => {
                self.is_by_the_page(request);
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
                let may = now.suspect.is_none() || self.needs_no_clock.contains(grant);
                assert!(may, "{grant} begins by a clock that is suspect");
                if let Some((length, _)) = self.lengths.get_mut(grant) {
                    *length = window.duration;
                }
                // What passed before this boot is off a window that begins late.
                assert!(window.duration <= self.granted[grant], "{grant} begins longer than it was granted");
                let until = self.until.get(grant);
                assert!(
                    until.is_none_or(|until| window.start.wall.plus(window.duration) <= *until),
                    "{grant} outlasts its role: {window:?}"
                );
                assert_eq!(self.opened.insert(*grant, now.clone()), None, "{grant} begins twice");
            }
            Event::Ended { grant, .. } => {
                assert!(self.granted.contains_key(grant), "{grant} was never granted");
                assert!(self.ended.insert(*grant), "{grant} ends twice");
            }
            Event::Settled { request, .. } => {
                assert!(self.owed.remove(request).is_some(), "nothing is owed for {request}");
            }
            Event::Locked { lock, .. } => {
                let uid = match &lock.scope {
                    Scope::User(name) => people.get(name).cloned().flatten().map(|account| account.uid),
                    _ => None,
                };
                self.locks.insert(lock.scope.clone(), (lock.clone(), uid));
            }
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

    /// What is asked for is what policy has for that role, for as long as somebody said.
    fn is_by_the_page(&self, request: &Request) {
        let role = self.page.role(request.role.as_str()).unwrap();
        assert!(request.duration <= role.most && !request.duration.is_zero(), "{request:?}");
        let Some(ordered) = self.ordered.get(&request.id) else { return };
        assert_eq!(request.duration, ordered.unwrap_or(role.usual), "{request:?}");
        assert_eq!(times(request.uses), role.uses, "{request:?}");
        let (asked, named) = (Named::of(&request.services), Named(role.services.clone()));
        for service in asked.0.iter().chain(&named.0) {
            assert_eq!(asked.hold(service), named.hold(service), "{service}: {request:?}");
        }
    }

    /// What opens is what was asked for, less what was taken away (law 5).
    fn open(&mut self, grant: &Grant, now: &Moment) {
        if grant.by_policy.is_some() {
            self.opened_by_policy(grant, now);
        }
        let id = grant.request();
        let (asked, reviews) = &self.asked[&id];
        assert!(!self.closed.contains(&id), "{id} is over, and opens");
        assert_eq!((&grant.user, grant.uid), (&asked.beneficiary.name, asked.beneficiary.uid));
        assert_eq!((&grant.role, grant.terms, grant.extends), (&asked.role, asked.terms, asked.extends));
        let mut longest = asked.duration;
        let mut uses = times(asked.uses);
        let opens = Named::of(&grant.services);
        let mut left = vec![Named::of(&asked.services)];
        for review in reviews.iter().filter(|review| review.decision == Decision::Approve) {
            longest = longest.min(review.narrow.duration.unwrap_or(longest));
            left.extend(review.narrow.services.as_ref().map(Named::of));
            uses = [uses, review.narrow.uses.map(NonZeroU32::get)].into_iter().flatten().min();
        }
        assert_eq!(times(grant.uses), uses, "{grant:?}");
        assert!(grant.used == 0 && !opens.0.is_empty(), "{grant:?}");
        for service in opens.0.iter().chain(left.iter().flat_map(|left| &left.0)) {
            assert_eq!(
                opens.hold(service),
                left.iter().all(|left| left.hold(service)),
                "{service}: {grant:?}"
            );
        }
        assert_eq!(self.granted.insert(grant.id, longest), None, "{id} opens twice");
        assert!(now.suspect.is_none() || grant.emergency, "{id} opens by a clock that is suspect");
        if grant.emergency || grant.extends.is_some() {
            self.needs_no_clock.insert(grant.id);
        }
        let (length, survives) = match &grant.time {
            Time::Open { window } => {
                self.opened.insert(grant.id, now.clone());
                (window.duration, window.survives_reboot)
            }
            Time::Scheduled { scheduled } => (scheduled.duration, scheduled.survives_reboot),
        };
        let role = self.page.role(asked.role.as_str()).unwrap();
        assert!(length <= longest, "{grant:?}");
        self.lengths.insert(grant.id, (length, grant.extends));
        if let Some(until) = role.until.filter(|_| now.suspect.is_none()) {
            assert!(now.wall < until, "{id} opens when its role is no more: {grant:?}");
            if let Time::Open { window } = &grant.time {
                assert!(
                    window.start.wall.plus(window.duration) <= until,
                    "{id} outlasts its role: {grant:?}"
                );
            }
            self.until.insert(grant.id, until);
        }
        assert_eq!((survives, grant.emergency), (role.survives_reboot, role.emergency), "{grant:?}");
        if survives {
            self.survives.insert(grant.id);
        }
        if grant.emergency {
            let opens = (grant.role.clone(), grant.user.clone());
            assert!(!self.owed.values().any(|owed| *owed == opens), "{opens:?} owes a review");
            self.owed.insert(id, opens);
        }
    }

    /// Policy opens by itself what it says it does, for whoever asks for themselves, by a clock that is believed, and no more in
    /// seven days than it says.
    fn opened_by_policy(&mut self, grant: &Grant, now: &Moment) {
        let (asked, reviews) = &self.asked[&grant.request()];
        let role = self.page.role(asked.role.as_str()).unwrap();
        let (up_to, each_week) = role.unreviewed.unwrap();
        assert!(now.suspect.is_none() && !role.emergency && reviews.is_empty(), "{grant:?}");
        assert!(asked.start.is_none() && asked.extends.is_none() && asked.duration <= up_to, "{asked:?}");
        assert!(self.is_one(&asked.filed_by, &asked.beneficiary), "{asked:?}");
        let week = Duration::from_secs(7 * 86_400);
        let counts = |(of, who, at): &&(RoleName, Person, Moment)| {
            let (wall, up) = passed(at, now);
            *of == asked.role && self.is_one(who, &asked.beneficiary) && wall < week && up < week
        };
        let count = u64::try_from(self.by_policy.iter().filter(counts).count()).unwrap();
        assert!(each_week.is_none_or(|most| count < most), "{count} already: {grant:?}");
        let opened = (asked.role.clone(), asked.beneficiary.clone(), now.clone());
        self.by_policy.push(opened);
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
        let told = if opened.suspect.is_none() || rebooted { wall.max(up) } else { up };
        length.saturating_sub(told)
    }

    /// A lock that keeps this subject from this service under this role.
    pub(crate) fn lock_on(
        &self,
        subject: &Subject,
        service: &ServiceName,
        role: &RoleName,
        now: &Moment,
    ) -> Option<&Lock> {
        let shuts = |(lock, uid): &&(Lock, Option<Uid>)| match &lock.scope {
            Scope::User(name) => {
                *name == subject.name
                    || *uid == Some(subject.uid)
                    || names(&subject.name, &subject.also).any(|other| self.page.is_one(name.as_str(), other))
            }
            Scope::Group(group) => subject.groups.contains(group),
            Scope::Service(name) => word(name.as_str()) == word(service.as_str()),
            Scope::Role(name) => name == role,
            Scope::Host => true,
        };
        self.locks.values().filter(|(lock, _)| holds(lock, now)).find(shuts).map(|(lock, _)| lock)
    }

    /// Nobody's word opened this but that of people whom a stage asks now, in a way that it accepts, as many as each
    /// stage wants, each human counted once over all stages, and none of them the one whom it is for (law 4).
    pub(crate) fn check_approvers(&self, id: RequestId, people: &BTreeMap<UserName, Option<Subject>>) {
        let (asked, reviews) = &self.asked[&id];
        let role = self.page.role(asked.role.as_str()).unwrap();
        let whose = people.get(&asked.beneficiary.name).and_then(Option::as_ref).unwrap();
        let mut counted = vec![&asked.beneficiary];
        let mut given: BTreeMap<&str, Vec<&Subject>> = BTreeMap::new();
        for review in reviews.iter().filter(|review| review.decision == Decision::Approve) {
            let now = people.get(&review.by.name).and_then(Option::as_ref);
            assert!(is_asked(&self.page, (role, whose), now, review), "{review:?}");
            if !counted.iter().any(|other| self.is_one(other, &review.by)) {
                counted.push(&review.by);
                given.entry(&review.stage).or_default().extend(now);
            }
        }
        let length = asked.duration + self.chain(asked.extends);
        for stage in role.stages.iter().filter(|stage| stage.above.is_none_or(|above| length > above)) {
            let has = given.remove(stage.name.as_str()).unwrap_or_default();
            assert!(
                stage.can_be_met_by(&self.page, &has, whose),
                "{id} has {has:?} for {}: {counted:?}",
                stage.name
            );
        }
    }

    /// How long a grant is with everything that it goes on from.
    fn chain(&self, last: Option<GrantId>) -> Duration {
        let mut all = Duration::ZERO;
        let mut next = last;
        while let Some((length, before)) = next.and_then(|id| self.lengths.get(&id)) {
            all += *length;
            next = *before;
        }
        all
    }

    /// Whether two accounts are one human's: by the uid, or by any of their names.
    fn is_one(&self, one: &Person, other: &Person) -> bool {
        let mut pairs = names(&one.name, &one.also)
            .flat_map(|one| names(&other.name, &other.also).map(move |other| (one, other)));
        one.uid == other.uid || pairs.any(|(one, other)| self.page.is_one(one, other))
    }

    /// The emergencies that nobody has settled.
    pub(crate) fn owed(&self) -> impl Iterator<Item = &RequestId> {
        self.owed.keys()
    }
}

/// Services as a policy, a request or a review names them.
pub(crate) struct Named(BTreeSet<String>);

impl Named {
    pub(crate) fn of(services: &Services) -> Self {
        Self(services.iter().map(ToString::to_string).collect())
    }

    /// Whether they hold a service: by its own name, or by the word for all of its kind.
    pub(crate) fn hold(&self, service: &str) -> bool {
        self.0.iter().any(|named| named == service || (named == word(service)))
    }
}

/// The glossary's word for a service: `sudo` means {sudo, sudo-i} and whatever is called `sudo-*`, `su` means
/// {su, su-l}. Written from the page, so that a mistake in the code is not made here again.
fn word(service: &str) -> &str {
    if service.split('-').next() == Some("sudo") {
        return "sudo";
    }
    if service == "su-l" { "su" } else { service }
}

/// Whether the stage of a review asks for this one, by whom it is of now.
fn is_asked(
    page: &Page,
    (role, asker): (&RoleText, &Subject),
    now: Option<&Subject>,
    review: &Review,
) -> bool {
    let Some(now) = now.filter(|now| now.uid == review.by.uid && now.name == review.by.name) else {
        return false;
    };
    role.stage(&review.stage).is_some_and(|stage| {
        let accepts = stage.accept.as_ref().is_none_or(|ways| ways.contains(&review.method.to_string()));
        accepts && stage.asks(page, now, asker)
    })
}

/// Every name of an account.
fn names<'n>(name: &'n UserName, also: &'n BTreeSet<UserName>) -> impl Iterator<Item = &'n str> {
    [name].into_iter().chain(also).map(UserName::as_str)
}

fn times(uses: Uses) -> Option<u32> {
    match uses {
        Uses::Times(times) => Some(times.get()),
        Uses::Unlimited => None,
    }
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
        if lock.at.suspect.is_none() {
            wall < duration || (lock.at.boot_id == now.boot_id && up < duration)
        } else {
            up < duration
        }
    })
}
