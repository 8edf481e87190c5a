//! When this machine stood still: a virtual machine whose processors are taken away for a while, or one so busy that
//! nobody's turn came. What was to happen meanwhile happens later, and no program that runs here is to blame for that.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often the watch looks at the clock.
const BEAT: Duration = Duration::from_millis(20);

/// What is late by less than this is no standstill.
const LEAST: Duration = Duration::from_millis(200);

/// The times between two beats that were too long, as the wall clock has them in milliseconds.
static SEEN: Mutex<Vec<Range<i64>>> = Mutex::new(Vec::new());

/// Watches from the first call on, until the program ends.
pub fn watch() {
    static WATCH: OnceLock<()> = OnceLock::new();
    WATCH.get_or_init(|| {
        thread::spawn(|| {
            let mut last = now();
            loop {
                thread::sleep(BEAT);
                let beat = now();
                if let Some(stall) = stall(last, beat) {
                    seen().push(stall);
                }
                last = beat;
            }
        });
    });
}

/// How much of the time from one moment to another, by the wall clock, the machine stood still. All in milliseconds.
#[must_use]
pub fn between(from: i64, to: i64) -> i64 {
    overlap(&seen(), from, to)
}

fn seen() -> MutexGuard<'static, Vec<Range<i64>>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[allow(
    clippy::disallowed_methods,
    reason = "the times of machines' records are held against it, as date(1) has it"
)]
fn now() -> i64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// From when the second beat was due until it came, if that was too long.
fn stall(last: i64, beat: i64) -> Option<Range<i64>> {
    let due = last + millis(BEAT);
    (beat - due >= millis(LEAST)).then_some(due..beat)
}

fn overlap(stalls: &[Range<i64>], from: i64, to: i64) -> i64 {
    stalls.iter().map(|stall| (stall.end.min(to) - stall.start.max(from)).max(0)).sum()
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_that_comes_late_is_a_standstill_from_when_it_was_due() {
        assert_eq!(stall(1_000, 1_020), None);
        assert_eq!(stall(1_000, 1_219), None);
        assert_eq!(stall(1_000, 1_220), Some(1_020..1_220));
        assert_eq!(stall(1_000, 900), None, "a clock that was set back");
    }

    #[test]
    fn of_a_standstill_only_what_lies_between_the_two_moments_counts() {
        let stalls = [100..300, 1_000..6_000];
        assert_eq!(overlap(&stalls, 0, 100), 0);
        assert_eq!(overlap(&stalls, 200, 2_000), 100 + 1_000);
        assert_eq!(overlap(&stalls, 7_000, 0), 0);
    }
}
