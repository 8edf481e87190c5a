//! How long somebody has a role without a break: the windows of one person that overlap or follow one another are one stay,
//! whether they were asked for as extensions or each by itself. `above` and `in-all` are of a stay, or asking anew just before
//! the end would pass both.

use std::time::Duration;

use jit_proto::words::GrantId;

use crate::context::Context;
use crate::model::{Begins, Earlier, Grant, NO_BREAK, Person, Time, same};
use crate::policy::{Role, Starts};
use crate::time::Utc;

/// What there is of a stay beside one more window, in whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stay {
    /// How long it is without the part that the new window alone adds.
    pub(crate) had: Duration,
    /// How long it was when the new one begins.
    pub(crate) before: Duration,
}

/// The stay that a window of this length would be part of, of what is open or approved now, and of what was until now.
pub(crate) fn of(
    here: Context<'_>,
    role: &Role,
    whose: &Person,
    duration: Duration,
    begins: (Option<Utc>, Option<GrantId>),
) -> Stay {
    let Context { state, now, .. } = here;
    let people = here.policy.people();
    let own = |grant: &&Grant| {
        grant.role == role.name && state.over(grant, now).is_none() && same(people, &grant.holder(), whose)
    };
    let live = state.grants().filter(own).map(|grant| Part::of_grant(here, grant));
    let over = state.earlier(&role.name).filter(|one| same(people, &one.holder, whose));
    let others: Vec<Part> = live.chain(over.filter_map(|one| Part::of_earlier(here, one))).collect();
    let new = Part::of_new(here, role, duration, begins);
    if new.floats {
        // It begins at some time of its lapse: beside whichever of the others makes it longest.
        let beside = others.iter().filter(|other| other.meets(&new, 0)).map(|other| {
            let seed =
                if other.floats { Part { start: other.from, to: other.from, ..*other } } else { *other };
            let (stay, floating) = seed.grown(&others, new.length);
            stay.to - stay.start + floating - new.length
        });
        let had = whole_seconds(beside.max().unwrap_or_default());
        return Stay { had, before: had };
    }
    let (stay, floating) = new.grown(&others, 0);
    let had = whole_seconds(stay.to - stay.start + floating - new.length);
    Stay { had, before: whole_seconds(new.from - stay.start + floating) }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 8)
}

/// Up, as what is counted is a limit.
fn whole_seconds(millis: i64) -> Duration {
    Duration::from_secs(u64::try_from(millis).unwrap_or_default().div_ceil(1000))
}

/// A window, in milliseconds from now on; what has begun did so before that.
#[derive(Clone, Copy)]
struct Part {
    /// The beginning of the stay that it is known to be part of.
    start: i64,
    from: i64,
    to: i64,
    /// It waits for a login, and is somewhere between the two.
    floats: bool,
    length: i64,
}

impl Part {
    fn new(from: i64, lapse: Option<Duration>, length: Duration, before: Duration) -> Self {
        let length = millis(length);
        let to = from + lapse.map_or(0, millis) + length;
        Self { start: from - millis(before), from, to, floats: lapse.is_some(), length }
    }

    fn of_new(
        here: Context<'_>,
        role: &Role,
        duration: Duration,
        (start, extends): (Option<Utc>, Option<GrantId>),
    ) -> Self {
        let base = extends.and_then(|base| here.state.grant(base)).map(|base| base.remaining(here.now));
        let (from, lapse) = match (base.filter(|left| !left.is_zero()), start, role.starts) {
            (Some(left), ..) => (millis(left), None),
            (None, Some(start), _) => (from_now(here, start), None),
            (None, None, Starts::AtFirstUse { lapse }) => (0, Some(lapse)),
            (None, None, Starts::AtApproval | Starts::WithHours) => {
                (role.begins_with_hours(here.now).map_or(0, |start| from_now(here, start)), None)
            }
        };
        Self::new(from, lapse, duration, Duration::ZERO)
    }

    /// What is over: a window that was approved to follow it did not know of it, where that was first.
    fn of_earlier(here: Context<'_>, earlier: &Earlier) -> Option<Self> {
        let ago = millis(here.now.at_least_since(earlier.ended.as_ref()?));
        let length = earlier.stay;
        (!length.is_zero()).then(|| Self::new(-ago - millis(length), None, length, Duration::ZERO))
    }

    fn of_grant(here: Context<'_>, grant: &Grant) -> Self {
        let now = here.now;
        let (from, lapse) = match &grant.time {
            Time::Open { .. } => (millis(grant.remaining(now)) - millis(grant.length()), None),
            Time::Scheduled { scheduled } => match &scheduled.begins {
                Begins::At(start) => (from_now(here, *start), None),
                Begins::AtFirstUse { lapse } => (0, Some(lapse.saturating_sub(now.since(&scheduled.since)))),
                Begins::After(base) => {
                    (here.state.grant(*base).map_or(0, |base| millis(base.remaining(now))), None)
                }
            },
        };
        Self::new(from, lapse, grant.length(), grant.before)
    }

    /// Whether there is no break between the two, where what floats adds so much.
    fn meets(&self, other: &Self, floating: i64) -> bool {
        let near = millis(NO_BREAK).saturating_add(floating);
        self.from < other.to.saturating_add(near) && other.from < self.to.saturating_add(near)
    }

    /// The stay that this is part of, and how much what floats adds to it at most.
    fn grown(mut self, others: &[Self], mut floating: i64) -> (Self, i64) {
        let mut rest: Vec<&Self> = others.iter().collect();
        while let Some(place) = rest.iter().position(|other| self.meets(other, floating)) {
            let other = rest.swap_remove(place);
            if other.floats {
                floating += other.length + other.from - other.start;
            } else {
                self.start = self.start.min(other.start);
                self.from = self.from.min(other.from);
                self.to = self.to.max(other.to);
            }
        }
        (self, floating)
    }
}

fn from_now(here: Context<'_>, then: Utc) -> i64 {
    then.unix_millis().saturating_sub(here.now.wall.unix_millis())
}
