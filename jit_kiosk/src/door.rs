//! Who gets in. Two things are limited, for one source and for all of them together: how many connections are open, and
//! how fast new ones come. The second is for who connects and leaves at once: each connection that is let in is a unit
//! that systemd starts and an sshd that makes keys.
//!
//! Nothing here reads a clock or a socket. `now` is a monotonic time since any fixed beginning.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use crate::source::Source;

/// How many connections one source has open at most: as many people as may sit behind one address.
pub(crate) const OF_A_SOURCE: u32 = 16;

/// How many are open at most. It takes eight sources to fill it.
pub(crate) const OF_ALL: u32 = 128;

/// One source opens all that it may have at once, and then one a second. That is more than people do who mistype, and
/// an eighth of what all have: it takes eight sources to use that up, too.
pub(crate) const RATE_OF_A_SOURCE: Rate = Rate { burst: 16, every: Duration::from_secs(1) };

/// All sources together open as many at once as four that come for the first time, and then eight a second. A connection
/// costs some 56 ms of a processor until somebody has logged in, 5 of them systemd's (docs/measurements.md): eight are
/// less than half of one processor.
pub(crate) const RATE_OF_ALL: Rate = Rate { burst: 64, every: Duration::from_millis(125) };

/// A bucket's size, and how long it takes to get one more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) burst: u32,
    pub(crate) every: Duration,
}

/// Why a connection is closed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refused {
    /// Its source has as many open as it may have.
    SourceIsFull,
    /// All sources together have.
    AllAreFull,
    /// Its source opens them too fast.
    SourceIsFast,
    /// All sources together do.
    AllAreFast,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = |f: &mut fmt::Formatter<'_>, who: &str, rate: Rate| {
            let every = rate.every.as_millis();
            write!(f, "{who} at most {} connections at once and then one each {every} ms", rate.burst)
        };
        match self {
            Self::SourceIsFull => write!(f, "one source has at most {OF_A_SOURCE} connections"),
            Self::AllAreFull => write!(f, "all sources together have at most {OF_ALL} connections"),
            Self::SourceIsFast => rate(f, "one source opens", RATE_OF_A_SOURCE),
            Self::AllAreFast => rate(f, "all sources together open", RATE_OF_ALL),
        }
    }
}

/// Counts who is in.
///
/// A source is remembered while it has connections, or a bucket that is not full. Connections are at most [`OF_ALL`].
/// A bucket is full again 16 seconds after it was last drawn from, and in that time all sources together draw at most
/// 64 and 8 * 16. So at most 320 sources are remembered, whoever comes: a source that is refused is never remembered
/// for it.
#[derive(Debug, Default)]
pub(crate) struct Door {
    all: Share,
    sources: HashMap<Source, Share>,
}

/// What is open, and the bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    open: u32,
    bucket: Bucket,
}

impl Door {
    /// Lets a connection in, which is in until [`Door::leave`], or says which limit it is beyond. What is refused costs
    /// its source nothing: whoever waits gets in, whatever they tried before.
    pub(crate) fn admit(&mut self, source: Source, now: Duration) -> Result<(), Refused> {
        let mut share = self.sources.get(&source).copied().unwrap_or_default();
        if share.open >= OF_A_SOURCE {
            return Err(Refused::SourceIsFull);
        }
        if self.all.open >= OF_ALL {
            return Err(Refused::AllAreFull);
        }
        share.bucket = share.bucket.less_one(RATE_OF_A_SOURCE, now).ok_or(Refused::SourceIsFast)?;
        self.all.bucket = self.all.bucket.less_one(RATE_OF_ALL, now).ok_or(Refused::AllAreFast)?;
        share.open += 1;
        self.all.open += 1;
        self.sources.retain(|_, share| share.open > 0 || !share.bucket.is_full(now));
        self.sources.insert(source, share);
        Ok(())
    }

    /// Gives back the place of one connection that was let in.
    pub(crate) fn leave(&mut self, source: Source) {
        if let Some(share) = self.sources.get_mut(&source) {
            share.open = share.open.saturating_sub(1);
            self.all.open = self.all.open.saturating_sub(1);
        }
    }
}

/// A bucket, by the time at which it will be full again.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    full_at: Duration,
}

impl Bucket {
    /// This bucket after one was taken out of it; nothing if there is none in it.
    fn less_one(self, rate: Rate, now: Duration) -> Option<Self> {
        let full_at = self.full_at.max(now) + rate.every;
        (full_at <= now + rate.every * rate.burst).then_some(Self { full_at })
    }

    fn is_full(self, now: Duration) -> bool {
        self.full_at <= now
    }
}

#[cfg(test)]
#[path = "door_tests.rs"]
mod tests;
