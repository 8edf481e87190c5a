//! Times and durations for people.
//!
//! Times are shown in UTC, as in the audit log and in `--json`, because whoever grants and whoever logs in may
//! sit in different zones and TZ is the caller's to set. The `Z` says so on each of them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jit_core::duration::Human;
use jit_core::time::Utc;
use jit_core::when::parse_when;
use jit_proto::text::Shown;
use jit_proto::words::BadWord;

/// A time as it was typed, in UTC: `2026-12-01 07:00`, `tomorrow 07:30`, `18:00`.
#[derive(Clone, Debug)]
pub(crate) struct When(String);

impl FromStr for When {
    type Err = BadWord;

    /// Whatever day it is: a form that is a time on one day is one on every day.
    fn from_str(text: &str) -> Result<Self, BadWord> {
        parse_when(text, Utc::from_unix_millis(0)).map(|_| Self(text.to_owned()))
    }
}

impl When {
    /// Which moment that is, as of now.
    pub(crate) fn utc(&self) -> Result<Utc, BadWord> {
        parse_when(&self.0, Utc::from_unix_millis(Timestamp::now().as_millisecond()))
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(&self.0).fmt(f)
    }
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

/// `2026-11-23T08:51:00Z` as `2026-11-23 08:51:00Z`, to the second (RFC 3339 §5.6 allows the space). What is
/// not a time is shown as it came.
pub(crate) fn time(rfc3339: &str) -> String {
    rfc3339
        .parse::<Timestamp>()
        .map_or_else(|_| Shown(rfc3339).to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
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
    fn a_time_is_shown_in_utc_to_the_second() {
        assert_eq!(time("2026-11-23T08:51:00Z"), "2026-11-23 08:51:00Z");
        assert_eq!(time("2026-11-23T08:51:59.999999Z"), "2026-11-23 08:51:59Z");
        assert_eq!(time("2026-11-23T09:51:00+01:00"), "2026-11-23 08:51:00Z");
    }

    #[test]
    fn what_is_not_a_time_is_shown_escaped() {
        assert_eq!(time("soon\u{1b}[2J"), "soon\\u{1b}[2J");
    }

    #[test]
    fn a_typed_time_is_a_moment_in_utc() {
        let at = |text: &str| text.parse::<When>().unwrap().utc().unwrap().to_seconds();
        assert_eq!(at("2026-12-01 07:00"), "2026-12-01T07:00:00Z");
        assert_eq!(at("2026-12-01T07:00:00+02:00"), "2026-12-01T05:00:00Z");
        assert!(at("tomorrow 07:30").ends_with("T07:30:00Z"));
        assert!("7 o'clock".parse::<When>().is_err());
    }

    #[test]
    fn time_left_separates_its_units() {
        for (seconds, text) in [(0, "0s"), (50, "50s"), (1_790, "29m 50s"), (90_061, "1d 1h 1m 1s")] {
            assert_eq!(left(seconds), text);
        }
        assert_eq!(length(5_400).to_string(), "1h30m");
    }
}
