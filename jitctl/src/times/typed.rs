//! Times as people type them, in the zone that times are shown in.

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jit_core::duration::parse_duration;
use jit_core::time::Utc;
use jit_core::when::{Typed, day, read};
use jit_proto::text::Shown;
use jit_proto::words::BadWord;

use super::{now, stamp, time, zone};

/// Why what was typed is no moment.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadTime {
    /// It has not the form of a time.
    #[error("{0}")]
    Form(#[from] BadWord),
    /// Clocks are put back then, and it comes twice.
    #[error("'{}' comes twice, since clocks are put back: type '{first}' or '{second}'", Shown(typed))]
    Twice { typed: String, first: String, second: String },
    /// Clocks are put forward then, and it never comes.
    #[error("'{}' never comes, since clocks are put forward: type '{first}' or '{second}'", Shown(typed))]
    Never { typed: String, first: String, second: String },
}

/// A time as it was typed: `2026-12-01 07:00`, `tomorrow 07:30`, `18:00`, in the zone of whoever types or with an offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct When(String);

impl FromStr for When {
    type Err = BadWord;

    /// Whatever day it is: a form that is a time on one day is one on every day.
    fn from_str(text: &str) -> Result<Self, BadWord> {
        const EXPECTED: &str = "RFC 3339, as 2026-12-01T07:00:00Z, or in the zone of this host or TZ: 2026-12-01 07:00, \
                                today 18:00, tomorrow 07:00 or 18:00";
        let bad = BadWord::NotOneOf { what: "time", expected: EXPECTED };
        read(text, DateTime::default().date()).map(|_| Self(text.to_owned())).ok_or(bad)
    }
}

impl When {
    /// Which moment that is, as of now.
    pub(crate) fn utc(&self) -> Result<Utc, BadTime> {
        moment(&self.0, now(), &zone::zone())
    }

    /// What was typed for an option, and which moment that is: for the eye before it is sent.
    pub(crate) fn repeated(&self, option: &str, at: Utc) -> String {
        repeated(option, &self.0, at)
    }
}

fn repeated(option: &str, typed: &str, at: Utc) -> String {
    format!("{option} '{}' is {}.", Shown(typed), time(&at.to_seconds()))
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown(&self.0).fmt(f)
    }
}

/// An end of a period as it was typed: a day, which begins at midnight, a time, or how long ago that is: `2026-11-01`,
/// `today 06:00`, `90d`.
#[derive(Clone, Debug)]
pub(crate) struct Bound(String);

impl FromStr for Bound {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        match bound(text, Utc::from_unix_millis(0), &TimeZone::UTC) {
            Err(BadTime::Form(why)) => Err(why),
            // What comes twice in a zone does not in UTC.
            Ok(_) | Err(BadTime::Twice { .. } | BadTime::Never { .. }) => Ok(Self(text.to_owned())),
        }
    }
}

impl Bound {
    /// Which moment that is, as of now.
    pub(crate) fn utc(&self) -> Result<Utc, BadTime> {
        bound(&self.0, now(), &zone::zone())
    }

    /// What was typed for an option, and which moment that is, as [`When::repeated`] says it.
    pub(crate) fn repeated(&self, option: &str, at: Utc) -> String {
        repeated(option, &self.0, at)
    }
}

const BOUND: BadWord = BadWord::NotOneOf {
    what: "time",
    expected: "a day, as 2026-12-01 or today, how long ago, as 90d, or a time in the zone of this host or TZ, as \
               2026-12-01 07:00 or today 18:00",
};

fn bound(text: &str, now: Utc, zone: &TimeZone) -> Result<Utc, BadTime> {
    if let Ok(ago) = parse_duration(text) {
        return Ok(now.minus(ago));
    }
    let date = if text == "today" { Some(stamp(now).to_zoned(zone.clone()).date()) } else { day(text) };
    if let Some(date) = date {
        // The first moment of the day, also where clocks are put forward at midnight.
        let begins = date.to_zoned(zone.clone()).and_then(|begins| begins.start_of_day());
        let begins = begins.map_err(|_| BOUND)?.timestamp();
        return Ok(Utc::from_unix_millis(begins.as_millisecond()));
    }
    match moment(text, now, zone) {
        Err(BadTime::Form(_)) => Err(BOUND.into()),
        other => other,
    }
}

/// The moment that is meant by somebody in this zone.
fn moment(text: &str, now: Utc, zone: &TimeZone) -> Result<Utc, BadTime> {
    let bad = || BadTime::from(BadWord::NotOneOf { what: "time", expected: "one that clocks can show" });
    let at = match read(text, stamp(now).to_zoned(zone.clone()).date()) {
        Some(Typed::Exact(at)) => return Ok(at),
        Some(Typed::Local(at)) => at,
        None => return Err(bad()),
    };
    let with = |offset: Offset| {
        let at = offset.to_timestamp(at).map_err(|_| bad())?;
        Ok(Utc::from_unix_millis(at.as_millisecond()))
    };
    // Both readings, as they can be typed and as clocks show them.
    let readings = |first: Offset, second: Offset| -> Result<(String, String), BadTime> {
        let shown = |at: Utc| super::with_offset(stamp(at), zone);
        Ok((shown(with(first)?), shown(with(second)?)))
    };
    match zone.to_ambiguous_timestamp(at).offset() {
        AmbiguousOffset::Unambiguous { offset } => with(offset),
        AmbiguousOffset::Fold { before, after } => {
            let (first, second) = readings(before, after)?;
            Err(BadTime::Twice { typed: text.to_owned(), first, second })
        }
        AmbiguousOffset::Gap { before, after } => {
            let (first, second) = readings(after, before)?;
            Err(BadTime::Never { typed: text.to_owned(), first, second })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        zone::of_caller(Some("Europe/Berlin".as_ref())).unwrap()
    }

    fn at(text: &str, now: &str, zone: &TimeZone) -> Result<String, String> {
        moment(text, now.parse().unwrap(), zone).map(Utc::to_seconds).map_err(|why| why.to_string())
    }

    #[test]
    fn a_typed_time_is_of_the_zone_unless_it_has_an_offset_and_today_is_the_day_there() {
        // Already the 24th in Berlin.
        let now = "2026-11-23T23:30:00Z";
        for (text, utc) in [
            ("2026-12-01 07:00", "2026-12-01T06:00:00Z"),
            ("2026-07-01 07:00", "2026-07-01T05:00:00Z"),
            ("2026-12-01T07:00:00Z", "2026-12-01T07:00:00Z"),
            ("2026-12-01 07:00Z", "2026-12-01T07:00:00Z"),
            ("2026-12-01 07:00+05:00", "2026-12-01T02:00:00Z"),
            ("today 18:00", "2026-11-24T17:00:00Z"),
            ("18:00", "2026-11-24T17:00:00Z"),
            ("tomorrow 07:30", "2026-11-25T06:30:00Z"),
        ] {
            assert_eq!(at(text, now, &berlin()).as_deref(), Ok(utc), "{text}");
        }
        assert_eq!(at("18:00", now, &TimeZone::UTC).as_deref(), Ok("2026-11-23T18:00:00Z"));
    }

    #[test]
    fn a_time_that_comes_twice_or_never_is_refused_with_both_readings_and_each_can_be_typed() {
        let now = "2026-03-01T12:00:00Z";
        for (text, why, first, second) in [
            ("2026-10-25 02:30", "comes twice", "2026-10-25 02:30:00+02:00", "2026-10-25 02:30:00+01:00"),
            ("2026-03-29 02:30", "never comes", "2026-03-29 01:30:00+01:00", "2026-03-29 03:30:00+02:00"),
        ] {
            let refused = at(text, now, &berlin()).unwrap_err();
            assert!(refused.starts_with(&format!("'{text}' {why}")), "{refused}");
            assert!(refused.ends_with(&format!(": type '{first}' or '{second}'")), "{refused}");
            let readings = [first, second].map(|reading| at(reading, now, &berlin()).unwrap());
            let hour = [format!("{}T00:30:00Z", &text[..10]), format!("{}T01:30:00Z", &text[..10])];
            assert_eq!(readings, hour, "{text}");
        }
        for text in ["2026-10-25 01:59", "2026-10-25 03:00", "2026-03-29 01:59", "2026-03-29 03:00"] {
            assert!(at(text, now, &berlin()).is_ok(), "{text}");
        }
    }

    #[test]
    fn an_end_of_a_period_is_a_day_a_time_or_how_long_ago() {
        let now: Utc = "2026-11-23T22:30:00Z".parse().unwrap();
        for (text, in_utc, in_berlin) in [
            ("2026-11-01", "2026-11-01T00:00:00Z", "2026-10-31T23:00:00Z"),
            ("today", "2026-11-23T00:00:00Z", "2026-11-22T23:00:00Z"),
            ("today 06:00", "2026-11-23T06:00:00Z", "2026-11-23T05:00:00Z"),
            ("2026-11-01 07:00", "2026-11-01T07:00:00Z", "2026-11-01T06:00:00Z"),
            ("2026-11-01T07:00:00+02:00", "2026-11-01T05:00:00Z", "2026-11-01T05:00:00Z"),
            ("90d", "2026-08-25T22:30:00Z", "2026-08-25T22:30:00Z"),
            ("1h30m", "2026-11-23T21:00:00Z", "2026-11-23T21:00:00Z"),
        ] {
            assert_eq!(bound(text, now, &TimeZone::UTC).unwrap().to_seconds(), in_utc, "{text}");
            assert_eq!(bound(text, now, &berlin()).unwrap().to_seconds(), in_berlin, "{text}");
        }
        for text in ["", "90", "yesterday", "2026-13-01", "2026-11-01 7:00", "0s"] {
            assert!(text.parse::<Bound>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_day_begins_with_its_first_moment_where_clocks_are_put_forward_at_midnight() {
        let cairo = zone::of_caller(Some("Africa/Cairo".as_ref())).unwrap();
        let now = "2026-05-01T12:00:00Z".parse().unwrap();
        assert_eq!(bound("2026-04-24", now, &cairo).unwrap().to_seconds(), "2026-04-23T22:00:00Z");
    }

    #[test]
    fn what_was_typed_is_repeated_with_its_zone() {
        zone::set(berlin());
        let typed: When = "2026-12-01 07:00".parse().unwrap();
        let said = typed.repeated("--start", typed.utc().unwrap());
        assert_eq!(said, "--start '2026-12-01 07:00' is 2026-12-01 07:00:00+01:00.");
        assert!("7 o'clock".parse::<When>().is_err());
    }
}
