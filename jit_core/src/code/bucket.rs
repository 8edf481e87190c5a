//! What an answer says, in one symbol: no, yes, or yes for a shorter time.

use std::fmt;
use std::time::Duration;

use super::symbols::Symbol;
use crate::duration::Human;
use crate::model::{Decision, Narrow};

const MINUTES: [u64; 30] = [
    5, 10, 15, 20, 30, 40, 45, 60, 75, 90, 105, 120, 150, 180, 210, 240, 300, 360, 420, 480, 540, 600, 720,
    960, 1200, 1440, 2160, 2880, 4320, 10080,
];

/// 0 denies, 1 approves as asked, and from 2 on each approves for a time of its own at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket(Symbol);

impl Bucket {
    /// It denies the request.
    pub const DENY: Self = Self(Symbol::of(0));
    /// An approval of all that is asked for.
    pub const AS_ASKED: Self = Self(Symbol::of(1));

    /// The one that a symbol is.
    #[must_use]
    pub const fn of(symbol: Symbol) -> Self {
        Self(symbol)
    }

    /// The one that approves for exactly so long.
    #[must_use]
    pub fn lasting(time: Duration) -> Option<Self> {
        let place = MINUTES.iter().position(|minutes| Duration::from_secs(minutes * 60) == time)?;
        u8::try_from(place + 2).ok().map(|value| Self(Symbol::of(value)))
    }

    /// The one of this number.
    #[must_use]
    pub fn numbered(number: u8) -> Option<Self> {
        (number < 32).then(|| Self(Symbol::of(number)))
    }

    /// The times that an answer can leave, shortest first.
    pub fn times() -> impl Iterator<Item = Duration> {
        MINUTES.iter().map(|minutes| Duration::from_secs(minutes * 60))
    }

    /// The symbol that it is written by.
    #[must_use]
    pub const fn symbol(self) -> Symbol {
        self.0
    }

    /// Yes or no.
    #[must_use]
    pub fn decision(self) -> Decision {
        if self == Self::DENY { Decision::Deny } else { Decision::Approve }
    }

    /// For how long at most it approves; nothing where that is as asked, or is denied.
    #[must_use]
    pub fn time(self) -> Option<Duration> {
        let place = usize::from(self.0.value()).checked_sub(2)?;
        MINUTES.get(place).map(|minutes| Duration::from_secs(minutes * 60))
    }

    /// What it takes away.
    #[must_use]
    pub fn narrow(self) -> Narrow {
        Narrow { duration: self.time(), ..Narrow::default() }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.time() {
            Some(time) => write!(f, "yes, for at most {}", Human(time)),
            None if *self == Self::DENY => f.write_str("no"),
            None => f.write_str("yes, as asked"),
        }
    }
}
