//! Times and durations for people.
//!
//! Times are shown and typed in the zone of this host or of TZ, as systemctl has it, and each that is shown has its offset
//! with it: whoever grants and whoever logs in may sit in different zones. `--utc` is UTC, written with a `Z`. What is
//! sent, and `--json`, is RFC 3339 in UTC.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use jit_core::duration::Human;
use jit_core::time::Utc;
use jit_proto::text::Shown;

pub(crate) mod typed;
mod zone;

pub(crate) use zone::{of_caller, set as set_zone};

/// What time it is, by the clock of this machine: for what is over or long ago, and for nothing that jitd decides.
pub(crate) fn now() -> Utc {
    Utc::from_unix_millis(Timestamp::now().as_millisecond())
}

/// How long something takes.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn passed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// `2026-11-23T08:51:00Z` as `2026-11-23 09:51:00+01:00`, or in UTC as `2026-11-23 08:51:00Z`, to the second (RFC 3339 §5.6
/// allows the space). What is not a time is shown as it came.
pub(crate) fn time(rfc3339: &str) -> String {
    rfc3339
        .parse::<Timestamp>()
        .map_or_else(|_| Shown(rfc3339).to_string(), |at| with_offset(at, &zone::zone()))
}

/// The same for a table on a terminal: to the minute, and without the day where that is today. Rounded down: a window is never
/// said to last longer.
pub(crate) fn brief(rfc3339: &str) -> String {
    brief_on(rfc3339, now())
}

fn brief_on(rfc3339: &str, now: Utc) -> String {
    let zone = zone::zone();
    let Ok(at) = rfc3339.parse::<Timestamp>() else { return Shown(rfc3339).to_string() };
    let is_today = at.to_zoned(zone.clone()).date() == stamp(now).to_zoned(zone.clone()).date();
    let shown = with_offset(at, &zone);
    // `2026-11-23 09:51:00+01:00`: the day, the time to the minute, and the offset.
    let parts = shown.split_once(' ').and_then(|(day, time)| Some((day, time.get(..5)?, time.get(8..)?)));
    match parts {
        Some((_, time, offset)) if is_today => format!("{time}{offset}"),
        Some((day, time, offset)) => format!("{day} {time}{offset}"),
        None => shown,
    }
}

fn with_offset(at: Timestamp, zone: &TimeZone) -> String {
    let form = if *zone == TimeZone::UTC { "%Y-%m-%d %H:%M:%SZ" } else { "%Y-%m-%d %H:%M:%S%:z" };
    at.to_zoned(zone.clone()).strftime(form).to_string()
}

/// In range by construction of [`Utc`].
fn stamp(at: Utc) -> Timestamp {
    Timestamp::from_millisecond(at.unix_millis()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Time left, as `29m 50s`.
pub(crate) fn left(seconds: u64) -> String {
    let mut text = String::new();
    for c in Human(Duration::from_secs(seconds)).to_string().chars() {
        let after_unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
        if after_unit {
            text.push(' ');
        }
        text.push(c);
    }
    text
}

/// A length as people type it: `1h30m`.
pub(crate) fn length(seconds: u64) -> Human {
    Human(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_the_zone_with_its_offset_to_the_second() {
        assert_eq!(time("2026-11-23T08:51:00Z"), "2026-11-23 08:51:00Z");
        assert_eq!(time("2026-11-23T08:51:59.999999Z"), "2026-11-23 08:51:59Z");
        assert_eq!(time("2026-11-23T09:51:00+01:00"), "2026-11-23 08:51:00Z");
        set_zone(of_caller(Some("Europe/Berlin".as_ref())).unwrap());
        assert_eq!(time("2026-11-23T08:51:59.999999Z"), "2026-11-23 09:51:59+01:00");
        assert_eq!(time("2026-07-23T08:51:00Z"), "2026-07-23 10:51:00+02:00");
        set_zone(of_caller(Some("Europe/London".as_ref())).unwrap());
        assert_eq!(time("2026-11-23T08:51:00Z"), "2026-11-23 08:51:00+00:00", "London is not always UTC");
    }

    #[test]
    fn a_brief_time_has_no_seconds_and_on_its_own_day_no_day() {
        let now = "2026-11-23T23:30:00Z".parse().unwrap();
        assert_eq!(brief_on("2026-11-23T08:51:59Z", now), "08:51Z");
        assert_eq!(brief_on("2026-11-24T08:51:59Z", now), "2026-11-24 08:51Z");
        set_zone(of_caller(Some("Europe/Berlin".as_ref())).unwrap());
        assert_eq!(brief_on("2026-11-23T08:51:59Z", now), "2026-11-23 09:51+01:00", "it is the 24th there");
        assert_eq!(brief_on("2026-11-24T08:51:59Z", now), "09:51+01:00");
        assert_eq!(brief_on("soon", now), "soon");
    }

    #[test]
    fn what_is_not_a_time_is_shown_escaped() {
        assert_eq!(time("soon\u{1b}[2J"), "soon\\u{1b}[2J");
    }

    #[test]
    fn time_left_separates_its_units() {
        for (seconds, text) in [(0, "0s"), (50, "50s"), (1_790, "29m 50s"), (90_061, "1d 1h 1m 1s")] {
            assert_eq!(left(seconds), text);
        }
        assert_eq!(length(5_400).to_string(), "1h30m");
    }
}
