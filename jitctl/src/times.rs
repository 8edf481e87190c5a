//! Times and durations for people.
//!
//! Times are shown in UTC, as in the audit log and in `--json`, because whoever grants and whoever logs in may
//! sit in different zones and TZ is the caller's to set. The `Z` says so on each of them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jit_core::duration::{Human, parse_duration};
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

/// An end of a period as it was typed: a day, which begins at midnight in UTC, a time, or how long ago that is:
/// `2026-11-01`, `today 06:00`, `90d`.
#[derive(Clone, Debug)]
pub(crate) struct Bound(String);

impl FromStr for Bound {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        Self::read(text, Utc::from_unix_millis(0)).map(|_| Self(text.to_owned()))
    }
}

impl Bound {
    /// Which moment that is, as of now.
    pub(crate) fn utc(&self) -> Result<Utc, BadWord> {
        Self::read(&self.0, Utc::from_unix_millis(Timestamp::now().as_millisecond()))
    }

    fn read(text: &str, now: Utc) -> Result<Utc, BadWord> {
        const EXPECTED: &str = "a day, as 2026-12-01 or today, how long ago, as 90d, or a time in UTC, as \
                                2026-12-01 07:00 or today 18:00";
        if let Ok(ago) = parse_duration(text) {
            return Ok(now.minus(ago));
        }
        let day = format!("{text} 00:00");
        let read = parse_when(text, now).or_else(|_| parse_when(&day, now));
        read.map_err(|_| BadWord::NotOneOf { what: "time", expected: EXPECTED })
    }
}

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
    fn an_end_of_a_period_is_a_day_a_time_or_how_long_ago() {
        let now = "2026-11-23T22:30:00Z".parse().unwrap();
        for (text, time) in [
            ("2026-11-01", "2026-11-01T00:00:00Z"),
            ("today", "2026-11-23T00:00:00Z"),
            ("today 06:00", "2026-11-23T06:00:00Z"),
            ("2026-11-01 07:00", "2026-11-01T07:00:00Z"),
            ("2026-11-01T07:00:00+02:00", "2026-11-01T05:00:00Z"),
            ("90d", "2026-08-25T22:30:00Z"),
            ("1h30m", "2026-11-23T21:00:00Z"),
        ] {
            assert_eq!(Bound::read(text, now).unwrap().to_seconds(), time, "{text}");
        }
        for text in ["", "90", "yesterday", "2026-13-01", "2026-11-01 7:00", "0s"] {
            assert!(text.parse::<Bound>().is_err(), "{text}");
        }
    }

    #[test]
    fn time_left_separates_its_units() {
        for (seconds, text) in [(0, "0s"), (50, "50s"), (1_790, "29m 50s"), (90_061, "1d 1h 1m 1s")] {
            assert_eq!(left(seconds), text);
        }
        assert_eq!(length(5_400).to_string(), "1h30m");
    }
}
