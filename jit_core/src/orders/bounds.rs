//! `limits` and `apart`: how many windows of a role there are at a time, how far apart one person's are, how long a chain of
//! extensions is, and which roles one person has not both of. Judged when something is asked for and once more when it opens:
//! what was asked for in the same moment opens one by one.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::words::GrantId;

use super::not_now::{Apart, NotNow};
use super::stay;
use crate::context::Context;
use crate::duration::Human;
use crate::model::{Begins, Despite, Grant, Person, Request, Time, same};
use crate::policy::{Role, Starts};
use crate::time::Utc;

/// One more window of a role, for somebody.
pub(crate) struct Wish<'a> {
    person: &'a Person,
    duration: Duration,
    start: Option<Utc>,
    extends: Option<GrantId>,
    /// How long what it goes on from is.
    before: Duration,
}

impl<'a> Wish<'a> {
    /// What a request would open.
    pub(crate) const fn of(request: &'a Request) -> Self {
        let Request { beneficiary: person, duration, start, extends, before, .. } = request;
        Self { person, duration: *duration, start: *start, extends: *extends, before: *before }
    }

    /// What somebody could ask for who names nothing.
    pub(crate) const fn usual(role: &Role, person: &'a Person) -> Self {
        let (duration, before) = (role.default_duration, Duration::ZERO);
        Self { person, duration, start: None, extends: None, before }
    }
}

/// Whether the limits of a role let it open; of an emergency, whether those do that it does not pass.
pub(crate) fn allow(here: Context<'_>, role: &Role, wish: &Wish<'_>) -> Result<(), NotNow> {
    let stops = |why: &NotNow| !role.emergency || why.passed().is_none();
    against(here, role, wish).into_iter().find(stops).map_or(Ok(()), Err)
}

/// What an emergency passes by opening now.
pub(crate) fn passed(here: Context<'_>, role: &Role, wish: &Wish<'_>) -> BTreeSet<Despite> {
    let all = if role.emergency { against(here, role, wish) } else { Vec::new() };
    all.iter().filter_map(NotNow::passed).collect()
}

/// All that is against one more window.
fn against(here: Context<'_>, role: &Role, wish: &Wish<'_>) -> Vec<NotNow> {
    let mut found = apart(here, role, wish);
    let bounds = &role.bounds;
    if bounds.is_empty() {
        return found;
    }
    let name = || role.name.clone();
    if let Some(most) = bounds.in_all {
        let stay = stay::of(here, role, wish.person, wish.duration, (wish.start, wish.extends));
        let had = stay.had.max(wish.before);
        if had.saturating_add(wish.duration) > most {
            let left = most.saturating_sub(had);
            found.push(NotNow::InAll { role: name(), most: Human(most), had: Human(had), left });
        }
    }
    let span = Span::of_wish(here, role, wish);
    let people = here.policy.people();
    let live: Vec<(&Grant, Span)> = here
        .state
        .grants()
        .filter(|grant| grant.role == role.name && here.state.over(grant, here.now).is_none())
        .map(|grant| (grant, Span::of_grant(here, grant)))
        .collect();
    let own = |grant: &Grant| same(people, &grant.holder(), wish.person);
    let admits = |grant: &Grant| !grant.is_spent(role.uses) || has_left(here, grant);
    let full = |most: NonZeroU32, counts: &dyn Fn(&Grant) -> bool| {
        let beside: Vec<_> = live.iter().filter(|(grant, _)| admits(grant) && counts(grant)).collect();
        let at = span.full_at(beside.iter().map(|(_, other)| other), most)?;
        Some(beside.into_iter().filter(|(_, other)| other.from <= at && at < other.to).collect::<Vec<_>>())
    };
    if let Some(most) = bounds.each {
        let one = full(most, &own).and_then(|then| then.first().map(|(grant, _)| *grant));
        found.extend(one.map(|one| NotNow::Each {
            role: name(),
            who: wish.person.to_string(),
            most,
            id: one.id,
            user: one.user.clone(),
            goes_on: one.window().is_some()
                && !one.emergency
                && !role.emergency
                && !here.state.came_signed(one.id.into()),
        }));
    }
    if let Some((most, then)) = bounds.at_once.and_then(|most| Some((most, full(most, &|_| true)?))) {
        let first = then.iter().map(|(_, other)| other.to).min().unwrap_or_default();
        found.push(NotNow::AtOnce { role: name(), most, ends: here.now.wall.plus(first).whole_seconds() });
    }
    if let Some(rest) = bounds.rest {
        // What it extends it goes on from, and whatever is over was so before that.
        let base = wish.extends.filter(|_| span.goes_on);
        let others = live.iter().filter(|(grant, _)| own(grant) && Some(grant.id) != base);
        let until_then = others.filter_map(|(_, other)| span.waits_after(other, rest)).max();
        let ended = here.state.earlier(&role.name).filter(|one| same(people, &one.holder, wish.person));
        let ended = ended.filter(|_| base.is_none());
        let ended = ended.filter_map(|one| one.ended.as_ref()).map(|end| here.now.at_least_since(end)).min();
        let since = ended.map(|passed| rest.saturating_sub(passed)).filter(|left| *left > span.from);
        if let Some(wait) = until_then.into_iter().chain(since).max() {
            let next = here.now.wall.plus(wait + Duration::from_millis(999)).whole_seconds();
            let can_wait = !role.emergency && here.now.is_trusted();
            found.push(NotNow::Rest {
                role: name(),
                who: wish.person.to_string(),
                rest: Human(rest),
                next,
                can_wait,
            });
        }
    }
    found
}

/// The roles that are apart from it and that the person has, is still in by a window that is over, or waits for.
fn apart(here: Context<'_>, role: &Role, wish: &Wish<'_>) -> Vec<NotNow> {
    let people = here.policy.people();
    let (state, mut found) = (here.state, Vec::new());
    for other in &role.apart {
        let live = |grant: &&Grant| grant.role == *other && state.over(grant, here.now).is_none();
        let held = state.grants().filter(live).find(|grant| same(people, &grant.holder(), wish.person));
        let left = state.sessions().iter().find(|session| {
            let ending = state.endings().get(&session.grant).filter(|ending| ending.role == *other);
            ending.is_some_and(|ending| same(people, &ending.holder(), wish.person))
        });
        let mut pending = state.pending().values().map(|pending| &pending.request);
        let of_theirs = |one: &&Request| one.role == *other && same(people, &one.beneficiary, wish.person);
        let which = held
            .map(|grant| Apart::Has(grant.id))
            .or_else(|| left.map(|session| Apart::Leaves { session: session.id, grant: session.grant }))
            .or_else(|| pending.find(of_theirs).map(|one| Apart::Awaits(one.id)));
        found.extend(which.map(|which| NotNow::Apart {
            role: role.name.clone(),
            who: wish.person.to_string(),
            other: other.clone(),
            which,
        }));
    }
    found
}

/// Whether somebody is in by it, or still may be: of what came in by a program that is not root, or to no unit, nobody knows.
fn has_left(here: Context<'_>, grant: &Grant) -> bool {
    let sessions = || here.state.sessions().iter().any(|session| session.grant == grant.id);
    let claims =
        || here.state.claims().iter().any(|claim| claim.grant == grant.id && claim.is_good(here.now));
    grant.unbound || grant.asked.iter().next().is_some() || sessions() || claims()
}

/// From when to when something would be open at most, from now on.
struct Span {
    from: Duration,
    to: Duration,
    /// It begins where a window of the same person ends.
    goes_on: bool,
}

impl Span {
    fn of_wish(here: Context<'_>, role: &Role, wish: &Wish<'_>) -> Self {
        let now = here.now;
        let base = wish.extends.and_then(|base| here.state.grant(base)).map(|base| base.remaining(now));
        let base = base.filter(|left| !left.is_zero());
        let (from, waits) = match (base, wish.start, role.starts) {
            (Some(left), ..) => (left, Duration::ZERO),
            (None, Some(start), _) => (start.since(now.wall), Duration::ZERO),
            (None, None, Starts::AtFirstUse { lapse }) => (Duration::ZERO, lapse),
            (None, None, Starts::AtApproval | Starts::WithHours) => (
                role.begins_with_hours(now).map_or(Duration::ZERO, |start| start.since(now.wall)),
                Duration::ZERO,
            ),
        };
        Self { from, to: from.saturating_add(waits).saturating_add(wish.duration), goes_on: base.is_some() }
    }

    fn of_grant(here: Context<'_>, grant: &Grant) -> Self {
        let now = here.now;
        let (from, waits) = match &grant.time {
            Time::Open { .. } => {
                return Self {
                    from: Duration::ZERO,
                    to: grant.remaining(now),
                    goes_on: grant.extends.is_some(),
                };
            }
            Time::Scheduled { scheduled } => match &scheduled.begins {
                Begins::At(start) => (start.since(now.wall), Duration::ZERO),
                Begins::AtFirstUse { lapse } => {
                    (Duration::ZERO, lapse.saturating_sub(now.since(&scheduled.since)))
                }
                Begins::After(base) => (
                    here.state.grant(*base).map_or(Duration::ZERO, |base| base.remaining(now)),
                    Duration::ZERO,
                ),
            },
        };
        let to = from.saturating_add(waits).saturating_add(grant.length());
        Self { from, to, goes_on: grant.extends.is_some() }
    }

    /// From when on there are so many others within it at one time.
    fn full_at<'s>(&self, others: impl Iterator<Item = &'s Self>, most: NonZeroU32) -> Option<Duration> {
        let beside = others.filter(|other| self.overlaps(other));
        let mut steps: Vec<(Duration, bool)> =
            beside.flat_map(|other| [(other.from.max(self.from), true), (other.to, false)]).collect();
        // What ends at a time makes room for what begins then.
        steps.sort_unstable();
        let mut open = 0_u32;
        steps.into_iter().find_map(|(at, begins)| {
            open = if begins { open.saturating_add(1) } else { open.saturating_sub(1) };
            (open >= most.get()).then_some(at)
        })
    }

    /// Half-open, as windows are: one that begins where another ends is not beside it.
    fn overlaps(&self, other: &Self) -> bool {
        self.from < other.to && other.from < self.to
    }

    /// From when on this one could begin, where it lies beside another of the same person's, or too near, before or behind.
    fn waits_after(&self, other: &Self, rest: Duration) -> Option<Duration> {
        let is_near = self.from < other.to.saturating_add(rest) && other.from < self.to.saturating_add(rest);
        is_near.then(|| other.to.saturating_add(rest))
    }
}
