//! `until`: the day from which on a role is no more.

use std::fmt;

use jiff::civil::Date;

use super::hours::{Hours, Zone};
use crate::time::Utc;

/// The first day on which nobody may ask for a role, and on which nothing of it is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Until {
    day: Date,
    zone: Zone,
    at: Utc,
}

impl Until {
    /// From this day on, by the clock that the role's `hours` go by: of several the one by which the day begins first,
    /// and UTC where it has none. `None` for a day that no clock of ours can show.
    pub(super) fn new(day: Date, hours: &[Hours]) -> Option<Self> {
        let zones = hours.iter().map(|rule| rule.tz.clone());
        let all = if hours.is_empty() { vec![Zone::utc()] } else { zones.collect() };
        let begins = all.into_iter().filter_map(|zone| Some((zone.day_begins(day)?, zone)));
        let (at, zone) = begins.min_by_key(|(at, _)| *at)?;
        Some(Self { day, zone, at })
    }

    /// When that day begins. Windows are open before it.
    #[must_use]
    pub const fn at(&self) -> Utc {
        self.at
    }
}

/// As `2027-02-28 (Europe/Berlin)`: the day, and by whose clock.
impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.day, self.zone)
    }
}

/// By the moment, so that of two zones the one whose day begins first is the earlier.
impl PartialOrd for Until {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        self.at.partial_cmp(&other.at)
    }
}
