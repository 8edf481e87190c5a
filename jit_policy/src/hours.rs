//! `hours`: the times of the week at which a role may be used.
//!
//! A rule names days, a local time at which it opens, one at which it shuts, and a zone. One that shuts no later
//! than it opens runs over midnight and belongs to the day on which it opens.
//!
//! Where the zone changes its clocks, both times still mean exactly one moment: a time that is skipped is the
//! moment of the jump, and a time that comes twice is the first of the two. So a rule never opens twice in one
//! day, and opens and shuts within an hour of what a person would read off a clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};
use jit_proto::text::Shown;
use serde::{Deserialize, Serialize};

use crate::time::Utc;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// One rule of `hours`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// The days on which it opens.
    pub days: Days,
    /// When it opens, by the zone's clock.
    pub from: Clock,
    /// When it shuts; `24:00` is the end of the day. Never equal to `from`.
    pub to: Clock,
    /// Whose clock is meant.
    pub tz: Zone,
}

impl Hours {
    /// When the rule opens and shuts if it opens on this date of its zone, whatever the day of the week.
    fn on(&self, date: Date) -> Option<(Timestamp, Timestamp)> {
        let last = if self.to.0 > self.from.0 { date } else { next(date)? };
        Some((self.tz.moment(date, self.from)?, self.tz.moment(last, self.to)?))
    }

    /// The stretches of this rule that could hold the moment, or begin within a day of it.
    fn near(&self, at: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = self.tz.tz.to_datetime(at).date();
        let days = [today.yesterday().ok(), Some(today), next(today)];
        days.into_iter().flatten().filter(|day| self.days.has(day.weekday())).filter_map(|day| self.on(day))
    }
}

fn next(date: Date) -> Option<Date> {
    date.tomorrow().ok()
}

/// How long the rules stay open from this moment on, at most `limit`; zero if none is open. Rules that touch or
/// overlap are one stretch. No rules at all are always open.
#[must_use]
pub fn open_for(rules: &[Hours], now: Utc, limit: Duration) -> Duration {
    let Some(start) = timestamp(now) else { return Duration::ZERO };
    if rules.is_empty() {
        return limit;
    }
    let mut end = start;
    loop {
        let stretches = rules.iter().flat_map(|rule| rule.near(end));
        let Some(further) = stretches.filter(|(from, to)| *from <= end && end < *to).map(|(_, to)| to).max()
        else {
            break;
        };
        end = further;
        if elapsed(start, end) >= limit {
            return limit;
        }
    }
    elapsed(start, end)
}

/// When the rules open next after this moment; `None` if they are always open.
#[must_use]
pub fn next_opening(rules: &[Hours], now: Utc) -> Option<Utc> {
    let now = timestamp(now)?;
    // A rule that names any day opens at least once in eight.
    let days = (0..=8).filter_map(|n| now.checked_add(Span::new().hours(24 * n)).ok());
    let openings = days.flat_map(|day| rules.iter().flat_map(move |rule| rule.near(day)));
    let first = openings.map(|(from, _)| from).filter(|from| *from > now).min()?;
    Some(Utc::from_unix_millis(first.as_millisecond()))
}

fn timestamp(utc: Utc) -> Option<Timestamp> {
    Timestamp::from_millisecond(utc.unix_millis()).ok()
}

fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// `mon-fri 07:00-19:00 Europe/Berlin`.
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}-{} {}", self.days, self.from, self.to, self.tz)
    }
}

/// A set of days of the week, as `mon-fri`, `sat,sun` or `fri-mon`. At least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Days(u8);

const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Days {
    /// All seven days of the week.
    pub const ALL: Self = Self(0x7f);

    const fn has(self, day: Weekday) -> bool {
        self.0 & 1 << day.to_monday_zero_offset() != 0
    }

    /// Whether every day of the other is one of these.
    #[must_use]
    pub const fn includes(self, other: Self) -> bool {
        self.0 | other.0 == self.0
    }
}

/// Why a text is not a rule's days, time or zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHours {
    /// Not a day.
    #[error("'{}' is not a day; days are mon, tue, wed, thu, fri, sat and sun, as in mon-fri or sat,sun", Shown(.0))]
    Day(String),
    /// Not a time.
    #[error("'{}' is not a time of day; write it like 07:00, at most 24:00", Shown(.0))]
    Time(String),
    /// Not a zone.
    #[error(
        "'{}' is not a time zone of the IANA database; write it like Europe/Berlin or UTC",
        Shown(.0)
    )]
    Zone(String),
}

impl FromStr for Days {
    type Err = BadHours;

    fn from_str(text: &str) -> Result<Self, BadHours> {
        let number = |name: &str| {
            let name = name.trim();
            NAMES.iter().position(|known| *known == name).ok_or_else(|| BadHours::Day(shortened(name)))
        };
        let mut days = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (mut day, last) = (number(first)?, number(last)?);
            days |= 1 << day;
            // Over the end of the week if need be: fri-mon is four days.
            while day != last {
                day = (day + 1) % NAMES.len();
                days |= 1 << day;
            }
        }
        Ok(Self(days))
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.pad("mon-sun");
        }
        let named: Vec<&str> =
            NAMES.iter().enumerate().filter(|(n, _)| self.0 & 1 << n != 0).map(|(_, name)| *name).collect();
        f.pad(&named.join(","))
    }
}

/// A time of day to the minute, `00:00` to `24:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Clock(u16);

impl Clock {
    /// The end of a day, at which nothing can begin.
    pub const END_OF_DAY: Self = Self(DAY);
    /// The start of a day.
    pub const MIDNIGHT: Self = Self(0);
}

impl FromStr for Clock {
    type Err = BadHours;

    fn from_str(text: &str) -> Result<Self, BadHours> {
        let two = |digits: &str| match digits.as_bytes() {
            [a, b] if a.is_ascii_digit() && b.is_ascii_digit() => {
                Some(u16::from((a - b'0') * 10 + (b - b'0')))
            }
            _ => None,
        };
        let minutes = text.split_once(':').and_then(|(hour, minute)| Some((two(hour)?, two(minute)?)));
        let minutes = minutes.filter(|(_, minute)| *minute < 60).map(|(hour, minute)| hour * 60 + minute);
        match minutes {
            Some(minutes) if minutes <= DAY => Ok(Self(minutes)),
            _ => Err(BadHours::Time(shortened(text))),
        }
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// A zone of the IANA database that is built into the program, so that the same policy means the same on every
/// host. Resolved when it is read; equal by name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    tz: TimeZone,
}

impl Zone {
    /// Coordinated Universal Time.
    pub(super) fn utc() -> Self {
        Self { name: "UTC".to_owned(), tz: TimeZone::UTC }
    }

    /// When a day begins: with midnight, or with the jump where it has none.
    pub(super) fn day_begins(&self, day: Date) -> Option<Utc> {
        let begins = self.moment(day, Clock::MIDNIGHT)?;
        Some(Utc::from_unix_millis(begins.as_millisecond()))
    }

    /// The moment that a local time means: the first of two, and the jump where there is none.
    fn moment(&self, date: Date, clock: Clock) -> Option<Timestamp> {
        let (date, clock) =
            if clock == Clock::END_OF_DAY { (next(date)?, Clock::MIDNIGHT) } else { (date, clock) };
        let (hour, minute) = (i8::try_from(clock.0 / 60).ok()?, i8::try_from(clock.0 % 60).ok()?);
        let local = date.to_datetime(Time::new(hour, minute, 0, 0).ok()?);
        let ambiguous = self.tz.to_ambiguous_timestamp(local);
        let gap = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
        let first = ambiguous.earlier().ok()?;
        if !gap {
            return Some(first);
        }
        // In a gap the earlier reading lies before the jump, by less than the gap is long.
        self.tz.following(first).next().map(|jump| jump.timestamp())
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl FromStr for Zone {
    type Err = BadHours;

    fn from_str(text: &str) -> Result<Self, BadHours> {
        // The empty name and `Local` mean the machine's own zone elsewhere; here they mean nothing.
        let tz = TimeZone::get(text).ok().filter(|tz| tz.iana_name().is_some() || text == "UTC");
        match tz {
            Some(tz) => Ok(Self { name: tz.iana_name().unwrap_or("UTC").to_owned(), tz }),
            None => Err(BadHours::Zone(shortened(text))),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = BadHours;

            fn try_from(text: String) -> Result<Self, BadHours> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

as_text!(Days Clock Zone);

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WEEK: Duration = Duration::from_hours(7 * 24);

    fn rule(days: &str, from: &str, to: &str, tz: &str) -> Hours {
        Hours {
            days: days.parse().unwrap(),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            tz: tz.parse().unwrap(),
        }
    }

    fn open(rules: &[Hours], at: &str) -> Duration {
        open_for(rules, at.parse().unwrap(), WEEK)
    }

    fn hours(n: u64) -> Duration {
        Duration::from_hours(n)
    }

    #[test]
    fn a_rule_is_open_from_its_first_minute_until_its_last_by_its_own_clock() {
        // 2026-11-23 is a Monday; Berlin is an hour ahead of UTC in winter.
        let rules = [rule("mon-fri", "07:00", "19:00", "Europe/Berlin")];
        assert_eq!(open(&rules, "2026-11-23T05:59:59.999Z"), Duration::ZERO);
        assert_eq!(open(&rules, "2026-11-23T06:00:00Z"), hours(12));
        assert_eq!(open(&rules, "2026-11-23T17:59:59.999Z"), Duration::from_millis(1));
        assert_eq!(open(&rules, "2026-11-23T18:00:00Z"), Duration::ZERO);
        assert_eq!(open(&rules, "2026-11-22T12:00:00Z"), Duration::ZERO, "a Sunday");
        // In summer the same rule opens an hour earlier by UTC.
        assert_eq!(open(&rules, "2026-07-06T05:00:00Z"), hours(12));
    }

    #[test]
    fn without_rules_it_is_always_open_and_never_longer_than_asked() {
        assert_eq!(open_for(&[], "2026-11-23T00:00:00Z".parse().unwrap(), hours(4)), hours(4));
        let always = [rule("mon-sun", "00:00", "24:00", "UTC")];
        assert_eq!(open_for(&always, "2026-11-23T00:00:00Z".parse().unwrap(), hours(1_000)), hours(1_000));
        assert_eq!(next_opening(&[], "2026-11-23T00:00:00Z".parse().unwrap()), None);
    }

    #[test]
    fn a_rule_over_midnight_belongs_to_the_day_on_which_it_opens() {
        let rules = [rule("fri", "22:00", "06:00", "UTC")];
        assert_eq!(open(&rules, "2026-11-27T21:59:00Z"), Duration::ZERO);
        assert_eq!(open(&rules, "2026-11-27T22:00:00Z"), hours(8));
        assert_eq!(open(&rules, "2026-11-28T05:00:00Z"), hours(1), "Saturday morning");
        assert_eq!(
            open(&rules, "2026-11-27T05:00:00Z"),
            Duration::ZERO,
            "Friday morning is Thursday's night"
        );
    }

    #[test]
    fn rules_that_touch_are_one_stretch() {
        let rules = [rule("mon", "08:00", "24:00", "UTC"), rule("tue", "00:00", "06:00", "UTC")];
        assert_eq!(open(&rules, "2026-11-23T20:00:00Z"), hours(10));
    }

    #[test]
    fn days_may_run_over_the_end_of_the_week() {
        assert_eq!("fri-mon".parse::<Days>().unwrap().to_string(), "mon,fri,sat,sun");
        assert_eq!("sat, sun".parse::<Days>().unwrap().to_string(), "sat,sun");
        assert_eq!("mon-sun".parse::<Days>(), Ok(Days::ALL));
        assert_eq!("tue-mon".parse::<Days>(), Ok(Days::ALL));
        for bad in ["", "mon-", "Mon", "mon-fri-sun", "mon;tue", "0"] {
            assert!(bad.parse::<Days>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_that_is_skipped_is_the_moment_of_the_jump() {
        // Berlin, 2026-03-29: 02:00 becomes 03:00 at 01:00Z.
        let from = [rule("sun", "02:30", "04:00", "Europe/Berlin")];
        assert_eq!(open(&from, "2026-03-29T00:59:59Z"), Duration::ZERO);
        assert_eq!(open(&from, "2026-03-29T01:00:00Z"), hours(1));
        let to = [rule("sun", "01:00", "02:30", "Europe/Berlin")];
        assert_eq!(open(&to, "2026-03-29T00:00:00Z"), hours(1));
        assert_eq!(open(&to, "2026-03-29T01:00:00Z"), Duration::ZERO);
        // All of it skipped: it does not open at all that day.
        let none = [rule("sun", "02:10", "02:50", "Europe/Berlin")];
        assert_eq!(open(&none, "2026-03-29T01:00:00Z"), Duration::ZERO);
    }

    #[test]
    fn a_time_that_comes_twice_is_the_first_of_the_two() {
        // Berlin, 2026-10-25: 03:00 becomes 02:00 at 01:00Z.
        let rules = [rule("sun", "02:15", "02:45", "Europe/Berlin")];
        assert_eq!(open(&rules, "2026-10-25T00:15:00Z"), Duration::from_mins(30));
        assert_eq!(open(&rules, "2026-10-25T01:15:00Z"), Duration::ZERO, "the second time round");
    }

    #[test]
    fn a_day_without_a_midnight_begins_at_its_jump() {
        // Beirut, 2026-03-29: 00:00 becomes 01:00 at 22:00Z of the 28th.
        let rules = [rule("sun", "00:00", "24:00", "Asia/Beirut")];
        assert_eq!(open(&rules, "2026-03-28T21:59:59Z"), Duration::ZERO);
        assert_eq!(open(&rules, "2026-03-28T22:00:00Z"), hours(23));
    }

    #[test]
    fn the_next_opening_is_the_first_one_after_now() {
        let rules = [rule("mon", "07:00", "08:00", "UTC"), rule("wed", "07:00", "08:00", "UTC")];
        let next = |at: &str| next_opening(&rules, at.parse().unwrap()).unwrap().to_string();
        assert_eq!(next("2026-11-23T06:00:00Z"), "2026-11-23T07:00:00Z");
        assert_eq!(next("2026-11-23T07:00:00Z"), "2026-11-25T07:00:00Z");
        assert_eq!(next("2026-11-26T00:00:00Z"), "2026-11-30T07:00:00Z");
    }

    #[test]
    fn the_machines_own_zone_has_no_name_here() {
        for bad in ["", "Local", "local", "CET-1CEST", "Europe/Berlinn", "/etc/localtime", "+01:00"] {
            assert!(bad.parse::<Zone>().is_err(), "{bad}");
        }
    }

    fn some_rule() -> impl Strategy<Value = Hours> {
        let zones = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"];
        (1u8..0x80, 0..DAY, 1..=DAY, proptest::sample::select(zones.to_vec()))
            .prop_filter("not empty", |(_, from, to, _)| from != to)
            .prop_map(|(days, from, to, tz)| Hours {
                days: Days(days),
                from: Clock(from),
                to: Clock(to),
                tz: tz.parse().unwrap(),
            })
    }

    fn local(tz: &TimeZone, second: i64) -> jiff::civil::DateTime {
        tz.to_datetime(Timestamp::from_second(second).unwrap())
    }

    /// The first second, in whole minutes, at which the zone's clock shows this time of so many days later, or one
    /// past it.
    fn first_showing(tz: &TimeZone, day: Date, clock: Clock, days: i64) -> i64 {
        let minutes = days * i64::from(DAY) + i64::from(clock.0);
        let shown = day.to_datetime(Time::midnight()) + Span::new().minutes(minutes);
        // No zone is more than a day off.
        let start = shown.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second() - 86_400;
        let steps = |from: i64, step: i64| (from..from + 3 * 86_400).step_by(usize::try_from(step).unwrap());
        let late = |second: &i64| local(tz, *second) >= shown;
        let half_hour = steps(start, 1_800).find(late).unwrap();
        steps(half_hour - 1_740, 60).find(late).unwrap()
    }

    proptest! {
        /// Off the days on which clocks change, a rule is open exactly when its zone's clock reads so.
        #[test]
        fn a_rule_agrees_with_the_clock_on_the_wall(rule in some_rule(), at in 0i64..4_000_000_000) {
            let at = Timestamp::from_second(at).unwrap();
            let tz = &rule.tz.tz;
            let local = tz.to_datetime(at);
            let offset = |hours: i64| tz.to_offset(at + Span::new().hours(hours));
            prop_assume!(offset(-49) == offset(0) && offset(49) == offset(0));
            let minute = u16::try_from(local.hour()).unwrap() * 60 + u16::try_from(local.minute()).unwrap();
            let (today, yesterday) = (local.date().weekday(), local.date().yesterday().unwrap().weekday());
            let (from, to) = (rule.from.0, rule.to.0);
            let expected = if from < to {
                rule.days.has(today) && (from..to).contains(&minute)
            } else {
                (rule.days.has(today) && minute >= from) || (rule.days.has(yesterday) && minute < to)
            };
            let utc = Utc::from_unix_millis(at.as_millisecond());
            prop_assert_eq!(!open_for(&[rule], utc, WEEK).is_zero(), expected);
        }

        /// Round the moments at which clocks change, too. They are found by reading the zone's clock forward, minute
        /// by minute: a rule opens and shuts when it first shows the time that is written, or one past it. No moment is
        /// before the epoch, where no clock of ours is.
        #[test]
        fn a_rule_opens_and_shuts_when_the_clock_on_the_wall_first_says_so(
            rule in some_rule(), near in 180_000i64..1_800_000_000, minutes in -3_000i64..3_000,
        ) {
            let tz = &rule.tz.tz;
            let change = tz.following(Timestamp::from_second(near).unwrap()).next();
            let change = change.map_or(near, |change| change.timestamp().as_second()) / 60 * 60;
            let at = change + 60 * minutes;
            let expected = (-2..=2).any(|days| {
                let day = local(tz, at).date() + Span::new().days(days);
                let over = i64::from(rule.to.0 <= rule.from.0);
                rule.days.has(day.weekday())
                    && first_showing(tz, day, rule.from, 0) <= at
                    && at < first_showing(tz, day, rule.to, over)
            });
            let open = |second: i64| !open_for(std::slice::from_ref(&rule), Utc::from_unix_millis(second * 1_000), WEEK).is_zero();
            prop_assert_eq!(open(at), expected, "{} at {}", rule, Timestamp::from_second(at).unwrap());
        }

        /// What is said to be left is left to the last moment and no longer.
        #[test]
        fn a_stretch_ends_when_it_was_said_to(
            rules in proptest::collection::vec(some_rule(), 1..4), at in 0i64..4_000_000_000_000,
        ) {
            let at = Utc::from_unix_millis(at);
            let left = open_for(&rules, at, WEEK);
            if !left.is_zero() && left < WEEK {
                let last = left.checked_sub(Duration::from_millis(1)).unwrap();
                prop_assert_eq!(open_for(&rules, at.plus(last), WEEK), Duration::from_millis(1));
                prop_assert!(open_for(&rules, at.plus(left), WEEK).is_zero());
            }
            if left.is_zero() {
                let next = next_opening(&rules, at).unwrap();
                prop_assert!(next > at && !open_for(&rules, next, WEEK).is_zero());
                prop_assert!(open_for(&rules, Utc::from_unix_millis(next.unix_millis() - 1), WEEK).is_zero());
            }
        }

        #[test]
        fn a_rule_reads_back_as_it_was_written(rule in some_rule()) {
            let json = serde_json::to_string(&rule).unwrap();
            prop_assert_eq!(serde_json::from_str::<Hours>(&json).unwrap(), rule);
        }
    }
}
