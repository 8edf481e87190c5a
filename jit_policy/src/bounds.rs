//! `limits` of a role: how many windows there may be at a time, how long a person rests between two, and how long a chain
//! of extensions may be.

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::duration::Human;

use crate::digest::Canonical;

/// The longest rest, so that what has to be remembered for one is not for ever.
pub const MAX_REST: Duration = Duration::from_hours(24 * 90);

/// The limits of a role; what is absent is without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// How many windows one person may have at a time.
    pub each: Option<NonZeroU32>,
    /// How many windows there may be at a time.
    pub at_once: Option<NonZeroU32>,
    /// How long after the end of a window the same person has no other.
    pub rest: Option<Duration>,
    /// How long a person may have the role without a break.
    pub in_all: Option<Duration>,
}

impl Bounds {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn write_to(&self, bytes: &mut Canonical) {
        let number = |n: Option<NonZeroU32>| n.map_or(0, NonZeroU32::get).to_be_bytes();
        bytes.part(&number(self.each));
        bytes.part(&number(self.at_once));
        bytes.seconds(self.rest.unwrap_or(Duration::ZERO));
        bytes.seconds(self.in_all.unwrap_or(Duration::ZERO));
    }
}

/// The stricter limits are the lesser: more windows, longer chains and shorter rests are more. Of limits of which some
/// are stricter and some are not, neither is.
impl PartialOrd for Bounds {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let (most, longest) = (u32::MAX, Duration::MAX);
        let count = |n: Option<NonZeroU32>| n.map_or(most, NonZeroU32::get);
        let rest = |of: &Self| of.rest.unwrap_or(Duration::ZERO);
        let all = [
            count(self.each).cmp(&count(other.each)),
            count(self.at_once).cmp(&count(other.at_once)),
            rest(other).cmp(&rest(self)),
            self.in_all.unwrap_or(longest).cmp(&other.in_all.unwrap_or(longest)),
        ];
        match (all.contains(&Ordering::Less), all.contains(&Ordering::Greater)) {
            (true, true) => None,
            (true, false) => Some(Ordering::Less),
            (false, true) => Some(Ordering::Greater),
            (false, false) => Some(Ordering::Equal),
        }
    }
}

/// `1 for each person, 3 at once, 4h of rest, 12h in all`.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = self.each.map(|each| format!("{each} for each person"));
        let at_once = self.at_once.map(|most| format!("{most} at once"));
        let rest = self.rest.map(|rest| format!("{} of rest", Human(rest)));
        let in_all = self.in_all.map(|most| format!("{} in all", Human(most)));
        let said: Vec<String> = [each, at_once, rest, in_all].into_iter().flatten().collect();
        f.write_str(if said.is_empty() { "no limits" } else { "" })?;
        f.write_str(&said.join(", "))
    }
}
