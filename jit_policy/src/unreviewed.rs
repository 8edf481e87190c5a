//! `unreviewed`: what a role opens at once on the word of policy alone. Everything else of the role takes its stages.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::duration::Human;

use super::hours::{Hours, open_for};
use super::net::Network;
use crate::digest::Canonical;
use crate::time::Moment;

/// The longest window that anybody has without a review.
pub const MAX_UNREVIEWED: Duration = Duration::from_hours(4);

/// How many of them in a week a rule may count to: each is remembered for that long.
pub const MAX_EACH_WEEK: usize = 100;

/// For how long an opening counts.
pub const WEEK: Duration = Duration::from_hours(24 * 7);

/// What opens without a review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreviewed {
    /// The longest window, with what it follows without a break; at most [`MAX_UNREVIEWED`].
    pub up_to: Duration,
    /// The addresses that the login of whoever asks came from; anywhere if there are none.
    pub from: BTreeSet<Network>,
    /// The times of the week, within which all of the window is; always if there are none.
    pub hours: Vec<Hours>,
    /// How many one person has in seven days; as many as fit if absent.
    pub each_week: Option<NonZeroU32>,
}

impl Unreviewed {
    /// Whether somebody comes from there. An address that is not known is in no list.
    #[must_use]
    pub fn is_from(&self, address: Option<IpAddr>) -> bool {
        let is_in = |address: IpAddr| self.from.iter().any(|range| range.contains(address));
        self.from.is_empty() || address.is_some_and(is_in)
    }

    /// How much of so long a time from now on is within its hours. A clock that is suspect says so of nothing.
    #[must_use]
    pub fn open_for(&self, now: &Moment, length: Duration) -> Duration {
        if self.hours.is_empty() {
            length
        } else if now.is_trusted() {
            open_for(&self.hours, now.wall, length)
        } else {
            Duration::ZERO
        }
    }

    /// How long a window that began so long ago still is within it. It was all within the hours when it opened, and a clock that
    /// is suspect says nothing of them.
    #[must_use]
    pub fn left(&self, now: &Moment, elapsed: Duration) -> Duration {
        let left = self.up_to.saturating_sub(elapsed);
        if now.is_trusted() { self.open_for(now, left) } else { left }
    }

    pub(super) fn write_to(&self, bytes: &mut Canonical) {
        bytes.seconds(self.up_to);
        bytes.list(self.from.iter().map(ToString::to_string));
        bytes.list(self.hours.iter().map(ToString::to_string));
        bytes.part(&self.each_week.map_or(0, NonZeroU32::get).to_be_bytes());
    }
}

/// The addresses that are in both of two sets of ranges; a set without any holds every address. `None` where that is none.
pub(super) fn both(one: &BTreeSet<Network>, other: &BTreeSet<Network>) -> Option<BTreeSet<Network>> {
    if one.is_empty() || other.is_empty() {
        return Some(one.union(other).copied().collect());
    }
    let inside = |of: &BTreeSet<Network>, wide: &BTreeSet<Network>| {
        of.iter().filter(|range| wide.iter().any(|one| one.includes(range))).copied().collect::<Vec<_>>()
    };
    let both: BTreeSet<Network> = inside(one, other).into_iter().chain(inside(other, one)).collect();
    (!both.is_empty()).then_some(both)
}

/// The stricter is the lesser. Of two of which each has something that the other has not, neither is.
impl PartialOrd for Unreviewed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let most = |of: &Self| of.each_week.map_or(u32::MAX, NonZeroU32::get);
        let from = |of: &Self, in_: &Self| {
            let wide = &in_.from;
            let held = |range: &Network| wide.iter().any(|one| one.includes(range));
            wide.is_empty() || !of.from.is_empty() && of.from.iter().all(held)
        };
        let hours = |of: &Self, in_: &Self| {
            let wide = &in_.hours;
            wide.is_empty() || !of.hours.is_empty() && of.hours.iter().all(|rule| wide.contains(rule))
        };
        let is_within = |of: &Self, in_: &Self| {
            of.up_to <= in_.up_to && most(of) <= most(in_) && from(of, in_) && hours(of, in_)
        };
        match (is_within(self, other), is_within(other, self)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Less),
            (false, true) => Some(Ordering::Greater),
            (false, false) => None,
        }
    }
}

/// `up to 30m, mon-fri 07:00-19:00 Europe/Berlin, from 10.1.0.0/16, 3 a week for each person`.
impl fmt::Display for Unreviewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |all: Vec<String>| all.join(" and ");
        write!(f, "up to {}", Human(self.up_to))?;
        if !self.hours.is_empty() {
            write!(f, ", {}", list(self.hours.iter().map(ToString::to_string).collect()))?;
        }
        if !self.from.is_empty() {
            write!(f, ", from {}", list(self.from.iter().map(ToString::to_string).collect()))?;
        }
        match self.each_week {
            Some(most) => write!(f, ", {most} a week for each person"),
            None => Ok(()),
        }
    }
}
