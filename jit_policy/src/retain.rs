//! How long records of the audit log stay on a host at least.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jit_proto::duration::{BadDuration, Human, parse_duration};
use serde::{Deserialize, Serialize};

/// No less can be set: whatever is looked up in daily work is younger.
const LEAST: Duration = Duration::from_hours(30 * 24);

/// The most years.
const MOST_YEARS: u32 = 100;

/// So long is usual at least: rules on audit logs ask for a year and more.
const USUAL: Duration = Duration::from_hours(365 * 24);

/// A year counts with its leap day: it is a floor.
const YEAR: Duration = Duration::from_hours(366 * 24);

/// `retain`: no record that is younger leaves the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Retain {
    /// Whole years, of 366 days each.
    Years(u32),
    /// Any other time of a year at most.
    For(Duration),
}

impl Retain {
    /// How long that is.
    #[must_use]
    pub fn duration(self) -> Duration {
        match self {
            Self::Years(years) => YEAR.saturating_mul(years),
            Self::For(duration) => duration,
        }
    }

    /// Whether it is less than rules on audit logs usually ask for.
    pub(super) fn is_short(self) -> bool {
        self.duration() < USUAL
    }
}

/// Why a text does not say how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRetain {
    /// Neither years nor a duration.
    #[error("{0}; or whole years, like 3y")]
    Duration(#[from] BadDuration),
    /// No years, or too many.
    #[error("it takes 1y to {MOST_YEARS}y")]
    Years,
    /// It is shorter than anything may be that is looked up in daily work.
    #[error("it must be 30d at least")]
    Short,
}

impl FromStr for Retain {
    type Err = BadRetain;

    fn from_str(text: &str) -> Result<Self, BadRetain> {
        if let Some(years) = text.strip_suffix('y') {
            let is_number = years.bytes().all(|digit| digit.is_ascii_digit());
            let years = years.parse().ok().filter(|years| is_number && (1..=MOST_YEARS).contains(years));
            return years.map(Self::Years).ok_or(BadRetain::Years);
        }
        let duration = parse_duration(text)?;
        if duration < LEAST {
            return Err(BadRetain::Short);
        }
        Ok(Self::For(duration))
    }
}

impl TryFrom<String> for Retain {
    type Error = BadRetain;

    fn try_from(text: String) -> Result<Self, BadRetain> {
        text.parse()
    }
}

impl From<Retain> for String {
    fn from(retain: Retain) -> Self {
        retain.to_string()
    }
}

/// As policy writes it.
impl fmt::Display for Retain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Years(years) => write!(f, "{years}y"),
            Self::For(duration) => Human(*duration).fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_and_days_are_read_as_they_are_written_and_a_year_is_never_too_short() {
        for (text, days) in [("3y", 3 * 366), ("1y", 366), ("30d", 30), ("365d", 365), ("100y", 36_600)] {
            let retain: Retain = text.parse().unwrap();
            assert_eq!((retain.duration().as_secs(), retain.to_string().as_str()), (days * 86_400, text));
        }
    }

    #[test]
    fn what_is_no_time_or_too_short_is_refused_by_its_reason() {
        for (text, why) in [
            ("0y", BadRetain::Years),
            ("101y", BadRetain::Years),
            ("+3y", BadRetain::Years),
            ("-1y", BadRetain::Years),
            ("y", BadRetain::Years),
            ("1y6d", BadRetain::Duration(BadDuration::BadChar('y'))),
            ("29d", BadRetain::Short),
            ("", BadRetain::Duration(BadDuration::Empty)),
            ("forever", BadRetain::Duration(BadDuration::BadChar('f'))),
        ] {
            assert_eq!(text.parse::<Retain>(), Err(why), "{text}");
        }
    }
}
