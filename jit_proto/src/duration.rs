//! Durations as people write them: `1h30m`, `45s`, `2d`.
//!
//! The forms are those of systemd.time(7) cut down to what cannot be misread: four units, each at most once,
//! largest first, whole numbers. No months (how long is one?), no bare numbers (of what?).

use std::fmt;
use std::time::Duration;

use crate::text::Shown;

/// The longest duration that can be written: 365 days.
pub const MAX: Duration = Duration::from_secs(365 * DAY);

const DAY: u64 = 86_400;
const UNITS: [(char, u64); 4] = [('d', DAY), ('h', 3_600), ('m', 60), ('s', 1)];

/// Why a text is not a duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDuration {
    /// Nothing at all.
    #[error("a duration is empty; write it like 1h30m")]
    Empty,
    /// A character that is neither a digit nor a unit.
    #[error("a duration has '{}'; it takes whole numbers of d, h, m and s, like 1h30m", Shown(&.0.to_string()))]
    BadChar(char),
    /// A unit with no number before it.
    #[error("the unit `{0}` has no number before it; write it like 1h30m")]
    NoNumber(char),
    /// A number with no unit after it.
    #[error("a number has no unit after it: d, h, m or s, like 1h30m")]
    NoUnit,
    /// A unit twice, or a larger one after a smaller one.
    #[error("the unit `{0}` is out of place: each of d, h, m and s once, in this order, like 1h30m")]
    OutOfOrder(char),
    /// No time at all.
    #[error("a duration must be longer than zero")]
    Zero,
    /// More than [`MAX`], or more than a number can hold.
    #[error("a duration must not be longer than 365d")]
    TooLong,
}

/// Reads `1h30m` and the like: longer than zero, at most [`MAX`].
pub fn parse_duration(text: &str) -> Result<Duration, BadDuration> {
    if text.is_empty() {
        return Err(BadDuration::Empty);
    }
    let mut seconds = 0_u64;
    let mut number = None::<u64>;
    let mut units = UNITS.as_slice();
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            let so_far = number.unwrap_or(0);
            let next = so_far.checked_mul(10).and_then(|tens| tens.checked_add(u64::from(digit)));
            number = Some(next.ok_or(BadDuration::TooLong)?);
        } else if UNITS.iter().any(|(unit, _)| *unit == c) {
            let count = number.take().ok_or(BadDuration::NoNumber(c))?;
            let at = units.iter().position(|(unit, _)| *unit == c).ok_or(BadDuration::OutOfOrder(c))?;
            let part = count.checked_mul(units[at].1).ok_or(BadDuration::TooLong)?;
            seconds = seconds.checked_add(part).ok_or(BadDuration::TooLong)?;
            units = &units[at + 1..];
        } else {
            return Err(BadDuration::BadChar(c));
        }
    }
    if number.is_some() {
        return Err(BadDuration::NoUnit);
    }
    match Duration::from_secs(seconds) {
        Duration::ZERO => Err(BadDuration::Zero),
        long if long > MAX => Err(BadDuration::TooLong),
        duration => Ok(duration),
    }
}

/// Shows a duration as [`parse_duration`] reads it. Parts of a second are dropped, so that a remaining time
/// is never shown longer than it is; less than a second is `0s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Human(pub Duration);

impl fmt::Display for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_secs();
        let mut parts = Vec::new();
        for (unit, size) in UNITS {
            if left >= size {
                parts.push(format!("{}{unit}", left / size));
                left %= size;
            }
        }
        f.pad(if parts.is_empty() { "0s".to_owned() } else { parts.concat() }.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_duration_is_whole_numbers_with_units_largest_first() {
        for (text, seconds) in [
            ("45s", 45),
            ("90m", 5_400),
            ("1h30m", 5_400),
            ("2d", 172_800),
            ("1d1h1m1s", 90_061),
            ("0h5m", 300),
            ("365d", 31_536_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_could_be_misread_is_refused_with_its_reason() {
        for (text, why) in [
            ("", BadDuration::Empty),
            ("30", BadDuration::NoUnit),
            ("1h30", BadDuration::NoUnit),
            ("h", BadDuration::NoNumber('h')),
            ("1hm", BadDuration::NoNumber('m')),
            ("30m1h", BadDuration::OutOfOrder('h')),
            ("1h1h", BadDuration::OutOfOrder('h')),
            ("1.5h", BadDuration::BadChar('.')),
            ("-1h", BadDuration::BadChar('-')),
            ("1 h", BadDuration::BadChar(' ')),
            ("1H", BadDuration::BadChar('H')),
            ("1w", BadDuration::BadChar('w')),
            ("１h", BadDuration::BadChar('１')),
            ("0s", BadDuration::Zero),
            ("366d", BadDuration::TooLong),
            ("365d1s", BadDuration::TooLong),
            ("99999999999999999999s", BadDuration::TooLong),
            ("18446744073709551615d", BadDuration::TooLong),
            ("1d18446744073709551615s", BadDuration::TooLong),
        ] {
            assert_eq!(parse_duration(text), Err(why), "{text:?}");
        }
    }

    #[test]
    fn a_hostile_character_is_shown_escaped() {
        let text = parse_duration("1\u{1b}[2J").unwrap_err().to_string();
        assert!(text.contains(r"'\u{1b}'") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_shown_duration_drops_parts_of_a_second() {
        assert_eq!(Human(Duration::from_millis(61_999)).to_string(), "1m1s");
        assert_eq!(Human(Duration::from_millis(999)).to_string(), "0s");
        assert_eq!(
            format!("{:>6}|{:<6}|", Human(Duration::from_mins(1)), Human(Duration::ZERO)),
            "    1m|0s    |"
        );
    }

    proptest! {
        #[test]
        fn a_duration_reads_back_as_it_was_written(seconds in 1..=MAX.as_secs()) {
            let duration = Duration::from_secs(seconds);
            prop_assert_eq!(parse_duration(&Human(duration).to_string()), Ok(duration));
        }

        #[test]
        fn no_text_gives_zero_or_more_than_the_longest(text in "[0-9]{0,21}[dhms. ]{0,2}[0-9]{0,21}[dhms]?") {
            if let Ok(duration) = parse_duration(&text) {
                prop_assert!(!duration.is_zero() && duration <= MAX);
            }
        }
    }
}
