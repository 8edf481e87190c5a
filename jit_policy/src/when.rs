//! A time as people type it. All of it is UTC, as all times that are shown are: whoever asks and whoever reads may sit
//! in different zones, and TZ is the caller's to set. An offset that is written out is followed.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use jit_proto::words::BadWord;

use crate::time::Utc;

const EXPECTED: &str =
    "RFC 3339, as 2026-12-01T07:00:00Z, or in UTC: 2026-12-01 07:00, today 18:00, tomorrow 07:00 or 18:00";

/// Reads a time. `now` says which day today is.
pub fn parse_when(text: &str, now: Utc) -> Result<Utc, BadWord> {
    let bad = || BadWord::NotOneOf { what: "time", expected: EXPECTED };
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Ok(Utc::from_unix_millis(exact.as_millisecond()));
    }
    let text = text.strip_suffix('Z').unwrap_or(text);
    let today =
        Timestamp::from_millisecond(now.unix_millis()).map_err(|_| bad())?.to_zoned(TimeZone::UTC).date();
    let (date, time) = match text.split_once(' ') {
        None => (today, text),
        Some(("today", time)) => (today, time),
        Some(("tomorrow", time)) => (today.checked_add(Span::new().days(1)).map_err(|_| bad())?, time),
        Some((date, time)) => (day(date).ok_or_else(bad)?, time),
    };
    let at = DateTime::from_parts(date, clock(time).ok_or_else(bad)?);
    let at = at.to_zoned(TimeZone::UTC).map_err(|_| bad())?.timestamp();
    Ok(Utc::from_unix_millis(at.as_millisecond()))
}

/// Reads a date such as `2026-12-01`.
fn day(text: &str) -> Option<Date> {
    let digits = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    digits.then(|| text.parse().ok()).flatten()
}

/// `18:00` or `18:00:30`.
fn clock(text: &str) -> Option<Time> {
    let shape = matches!(text.len(), 5 | 8) && text.bytes().all(|b| b.is_ascii_digit() || b == b':');
    shape.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let now = "2026-11-23T22:30:00Z".parse().unwrap();
        parse_when(text, now).ok().map(Utc::to_seconds)
    }

    #[test]
    fn what_people_type_is_a_time_in_utc() {
        for (text, time) in [
            ("2026-12-01T07:00:00Z", "2026-12-01T07:00:00Z"),
            ("2026-12-01T07:00:00+02:00", "2026-12-01T05:00:00Z"),
            ("2026-12-01 07:00", "2026-12-01T07:00:00Z"),
            ("2026-12-01 07:00:30Z", "2026-12-01T07:00:30Z"),
            ("today 18:00", "2026-11-23T18:00:00Z"),
            ("tomorrow 07:00", "2026-11-24T07:00:00Z"),
            ("18:00", "2026-11-23T18:00:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(time), "{text}");
        }
    }

    #[test]
    fn anything_else_is_not_a_time() {
        for text in [
            "",
            " ",
            "now",
            "today",
            "today 25:00",
            "24:00",
            "18",
            "6pm",
            "2026-13-01 07:00",
            "2026-12-01",
            "2026-12-01 7:00",
            "yesterday 18:00",
            "today  18:00",
            "12-01 07:00",
            "\u{661}8:00",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
