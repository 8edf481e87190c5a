//! A time as people type it. What has an offset is a moment; what has none is a reading of some clock on a wall, and whose
//! that is the caller says: `jitctl` takes that of its host or TZ, jitd takes UTC.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, Timestamp};
use jit_proto::words::BadWord;

use crate::time::Utc;

const EXPECTED: &str =
    "RFC 3339, as 2026-12-01T07:00:00Z, or in UTC: 2026-12-01 07:00, today 18:00, tomorrow 07:00 or 18:00";

/// What was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A moment: an offset stood with it.
    Exact(Utc),
    /// What a clock shows; where that is, was not typed.
    Local(DateTime),
}

/// Reads what was typed; none if it is no time. `today` is the day where it was typed.
#[must_use]
pub fn read(text: &str, today: Date) -> Option<Typed> {
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Some(Typed::Exact(Utc::from_unix_millis(exact.as_millisecond())));
    }
    let (text, offset) = apart(text);
    let (date, time) = match text.split_once(' ') {
        None => (today, text),
        Some(("today", time)) => (today, time),
        Some(("tomorrow", time)) => (today.checked_add(Span::new().days(1)).ok()?, time),
        Some((date, time)) => (day(date)?, time),
    };
    let at = DateTime::from_parts(date, clock(time)?);
    let Some(offset) = offset else { return Some(Typed::Local(at)) };
    let exact = offset.to_timestamp(at).ok()?;
    Some(Typed::Exact(Utc::from_unix_millis(exact.as_millisecond())))
}

/// Reads a time, in UTC where no offset stands with it. `now` says which day today is.
pub fn parse_when(text: &str, now: Utc) -> Result<Utc, BadWord> {
    let bad = || BadWord::NotOneOf { what: "time", expected: EXPECTED };
    let today =
        Timestamp::from_millisecond(now.unix_millis()).map_err(|_| bad())?.to_zoned(TimeZone::UTC).date();
    match read(text, today).ok_or_else(bad)? {
        Typed::Exact(at) => Ok(at),
        Typed::Local(at) => {
            let at = Offset::UTC.to_timestamp(at).map_err(|_| bad())?;
            Ok(Utc::from_unix_millis(at.as_millisecond()))
        }
    }
}

/// The offset at the end, as `Z` or `+01:00`, from what stands before it.
fn apart(text: &str) -> (&str, Option<Offset>) {
    if let Some(text) = text.strip_suffix('Z') {
        return (text, Some(Offset::UTC));
    }
    let offset = || {
        let at = text.len().checked_sub(6)?;
        let (before, offset) = text.split_at_checked(at)?;
        let (sign, hours) = match offset.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let time = clock(hours)?;
        let seconds = (i32::from(time.hour()) * 60 + i32::from(time.minute())) * 60;
        Some((before, Offset::from_seconds(sign * seconds).ok()?))
    };
    offset().map_or((text, None), |(before, offset)| (before, Some(offset)))
}

/// Reads a date such as `2026-12-01`.
#[must_use]
pub fn day(text: &str) -> Option<Date> {
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

    fn utc(text: &str) -> Option<String> {
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
            ("2026-12-01 07:00+02:00", "2026-12-01T05:00:00Z"),
            ("today 18:00", "2026-11-23T18:00:00Z"),
            ("today 18:00-05:30", "2026-11-23T23:30:00Z"),
            ("tomorrow 07:00", "2026-11-24T07:00:00Z"),
            ("18:00", "2026-11-23T18:00:00Z"),
            ("18:00Z", "2026-11-23T18:00:00Z"),
            ("18:00:30+01:00", "2026-11-23T17:00:30Z"),
        ] {
            assert_eq!(utc(text).as_deref(), Some(time), "{text}");
        }
    }

    #[test]
    fn what_has_no_offset_is_what_a_clock_shows_wherever_that_is() {
        let today = "2026-11-23".parse().unwrap();
        for (text, local) in [
            ("18:00", "2026-11-23T18:00:00"),
            ("tomorrow 07:00", "2026-11-24T07:00:00"),
            ("2026-12-01 07:00", "2026-12-01T07:00:00"),
        ] {
            assert_eq!(read(text, today), Some(Typed::Local(local.parse().unwrap())), "{text}");
        }
        assert!(matches!(read("18:00+01:00", today), Some(Typed::Exact(_))));
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
            "18:00+1:00",
            "18:00+26:00",
            "18:00 +01:00",
            "+01:00",
            "18:00+01:00Z",
            "ü18:00",
        ] {
            assert_eq!(utc(text), None, "{text}");
        }
    }
}
