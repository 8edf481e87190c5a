//! Values that several commands take.

use std::fmt;
use std::str::FromStr;

use jit_core::duration::{BadDuration, parse_duration};
use jit_proto::words::{BadWord, GrantId, RequestId};

/// A grant's or a request's id: either names the same entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Request(RequestId),
    Grant(GrantId),
}

impl FromStr for Id {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let request = text.parse().map(Self::Request);
        request.or_else(|_| text.parse().map(Self::Grant)).map_err(|_| BadWord::NotOneOf {
            what: "id",
            expected: "a grant's, like g-4k7m2qx9, or a request's, like r-4k7m2qx9",
        })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(id) => id.fmt(f),
            Self::Grant(id) => id.fmt(f),
        }
    }
}

/// `--for` in whole seconds; never 0, which on the wire means the role's default. Beside `1h30m` it takes what people say,
/// such as `2 hours` or `1 hour 30 min`; what is neither is refused as the short form is.
pub(crate) fn seconds(text: &str) -> Result<u64, BadDuration> {
    let short = parse_duration(text);
    let duration = short.or_else(|why| said(text).and_then(|said| parse_duration(&said).ok()).ok_or(why));
    duration.map(|duration| duration.as_secs())
}

/// `2 hours` as `2h`; none where a word is no unit.
fn said(text: &str) -> Option<String> {
    let mut short = String::new();
    for word in text.split_whitespace() {
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = word.split_at_checked(digits)?;
        let wants_unit = short.ends_with(|last: char| last.is_ascii_digit());
        if wants_unit && !number.is_empty() {
            return None;
        }
        short += number;
        short += match unit {
            "" => "",
            "d" | "day" | "days" => "d",
            "h" | "hr" | "hrs" | "hour" | "hours" => "h",
            "m" | "min" | "mins" | "minute" | "minutes" => "m",
            "s" | "sec" | "secs" | "second" | "seconds" => "s",
            _ => return None,
        };
    }
    Some(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_taken_as_people_say_it_and_nothing_is_guessed() {
        for (text, length) in [
            ("1h30m", 5_400),
            ("2 hours", 7_200),
            ("2h 30m", 9_000),
            ("1 hour 30 minutes", 5_400),
            ("90min", 5_400),
            ("1 day", 86_400),
            ("45 secs", 45),
        ] {
            assert_eq!(seconds(text), Ok(length), "{text}");
        }
        for text in [
            "2",
            "2 2h",
            "hours",
            "2 hours and",
            "2 fortnights",
            "1.5h",
            "-2 hours",
            "30 min 1 hour",
            "0 hours",
        ] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert_eq!(seconds("2"), Err(BadDuration::NoUnit));
        assert_eq!(seconds("2 weeks"), Err(BadDuration::BadChar(' ')));
    }
}
