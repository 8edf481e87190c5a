//! A set of durations as three figures.

use std::time::Duration;

use serde::Serialize;

/// How long something took. Each figure is one of the durations that were measured, never between two of them (the
/// nearest rank): p95 is the least that at least 95 of 100 do not exceed. In milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// How many durations there were. If none, the others are 0.
    pub count: usize,
    /// Half of them took no longer.
    pub median_ms: u64,
    /// 95 of 100 took no longer.
    pub p95_ms: u64,
    /// The longest of them.
    pub worst_ms: u64,
}

impl Spread {
    /// The figures of these durations.
    #[must_use]
    pub fn of(mut measured: Vec<u64>) -> Self {
        measured.sort_unstable();
        let rank = |percent: usize| {
            let at = (measured.len() * percent).div_ceil(100);
            measured.get(at.saturating_sub(1)).copied().unwrap_or(0)
        };
        Self {
            count: measured.len(),
            median_ms: rank(50),
            p95_ms: rank(95),
            worst_ms: measured.last().copied().unwrap_or(0),
        }
    }
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
