//! What a host has refused of that which its caller brought: it is not brought again with each sync, since each refusal
//! is a record and of what is refused only so much is taken in an hour. It is tried again after an hour, then after
//! twice as long each time, up to a day; and at once when the request has come further meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use jit_core::digest::Digest;
use jit_core::time::Utc;
use jit_exchange::names::Name;
use jit_proto::words::HostName;

use super::home::Home;

const FIRST: &str = "jitd.refused.v1";

/// So many are remembered; the oldest go.
const MOST: usize = 16_384;

/// How often what was taken is said to have been refused.
const TAKEN: u32 = 0;

/// One that was refused, or taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Again {
    /// How often it was.
    times: u32,
    /// When it was the last time.
    last: Utc,
    /// How many reviews its request had then.
    reviews: usize,
}

/// All that a host has refused.
#[derive(Debug, Default)]
pub(super) struct Refused(BTreeMap<Digest, Again>);

impl Refused {
    /// What is remembered. A file that is not one remembers nothing.
    pub(super) fn read(home: &Home, host: &HostName) -> Self {
        let bytes = home.host(host).ok().flatten().and_then(|folder| folder.read(&Name::Refused).ok());
        bytes.and_then(|bytes| Self::parse(std::str::from_utf8(&bytes).ok()?)).unwrap_or_default()
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        lines.next().filter(|first| *first == FIRST)?;
        let line = |line: &str| {
            let [digest, times, last, reviews] = *line.split(' ').collect::<Vec<_>>() else { return None };
            let again = Again {
                times: times.parse().ok()?,
                last: last.parse().ok()?,
                reviews: reviews.parse().ok()?,
            };
            Some((digest.parse().ok()?, again))
        };
        Some(Self(lines.map(line).collect::<Option<_>>()?))
    }

    fn text(&self) -> String {
        let line = |(digest, again): (&Digest, &Again)| {
            format!("{digest} {} {} {}\n", again.times, again.last, again.reviews)
        };
        format!("{FIRST}\n{}", self.0.iter().map(line).collect::<String>())
    }

    /// Whether this was refused at any time.
    pub(super) fn has(&self, digest: &Digest) -> bool {
        self.0.contains_key(digest)
    }

    /// Whether this was taken. Then it is not brought again.
    pub(super) fn was_taken(&self, digest: &Digest) -> bool {
        self.0.get(digest).is_some_and(|again| again.times == TAKEN)
    }

    /// It was taken, now.
    pub(super) fn taken(&mut self, digest: Digest, now: Utc) {
        self.keep(digest, Again { times: TAKEN, last: now, reviews: 0 });
    }

    /// Whether this was refused, and is not to be tried again yet.
    pub(super) fn rests(&self, digest: &Digest, reviews: usize, now: Utc) -> bool {
        self.0.get(digest).is_some_and(|again| {
            let doubled = 1_u32 << again.times.saturating_sub(1).min(5);
            let rest = Duration::from_hours(u64::from(doubled)).min(Duration::from_hours(24));
            // A clock that was set back makes nothing rest for long.
            let is_early = now < again.last.plus(rest) && now.plus(Duration::from_hours(24)) > again.last;
            again.reviews == reviews && is_early
        })
    }

    /// It was refused, now.
    pub(super) fn add(&mut self, digest: Digest, reviews: usize, now: Utc) {
        let times = self.0.get(&digest).map_or(0, |again| again.times).saturating_add(1);
        self.keep(digest, Again { times, last: now, reviews });
    }

    fn keep(&mut self, digest: Digest, again: Again) {
        self.0.insert(digest, again);
        while self.0.len() > MOST {
            let Some(oldest) = self.0.iter().min_by_key(|(_, again)| again.last).map(|(digest, _)| *digest)
            else {
                break;
            };
            self.0.remove(&oldest);
        }
    }

    /// Remembers it for the next time; why not, where that fails.
    pub(super) fn write(&self, home: &Home, host: &HostName) -> Result<(), String> {
        let folder = home.made(host).map_err(|why| why.to_string())?;
        folder.put(&Name::Refused, self.text().as_bytes()).map(drop).map_err(|why| why.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_rests_for_longer_each_time_and_no_longer_than_a_day() {
        let now: Utc = "2026-11-29T12:00:00Z".parse().unwrap();
        let (mut refused, digest) = (Refused::default(), Digest::of(b"one"));
        let later = |hours: u64| now.plus(Duration::from_hours(hours));
        assert!(!refused.rests(&digest, 0, now));
        for (times, hours) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 24), (7, 24)] {
            refused.add(digest, 0, now);
            assert_eq!(refused.0[&digest].times, times);
            assert!(refused.rests(&digest, 0, later(hours).minus(Duration::from_secs(1))), "{times}");
            assert!(!refused.rests(&digest, 0, later(hours)), "{times}");
        }
        assert!(!refused.rests(&digest, 1, now), "the request has come further");
        assert!(!refused.rests(&digest, 0, now.minus(Duration::from_hours(48))), "the clock was set back");
    }

    #[test]
    fn what_was_taken_is_remembered_as_that() {
        let now: Utc = "2026-11-29T12:00:00Z".parse().unwrap();
        let mut refused = Refused::default();
        refused.add(Digest::of(b"one"), 0, now);
        refused.taken(Digest::of(b"two"), now);
        let read = Refused::parse(&refused.text()).unwrap();
        assert!(read.was_taken(&Digest::of(b"two")) && !read.was_taken(&Digest::of(b"one")));
    }

    #[test]
    fn what_is_remembered_reads_back_and_what_is_no_such_file_remembers_nothing() {
        let mut refused = Refused::default();
        refused.add(Digest::of(b"one"), 2, "2026-11-29T12:00:00Z".parse().unwrap());
        assert_eq!(Refused::parse(&refused.text()).unwrap().0, refused.0);
        for bad in ["", "jitd.refused.v2\n", "jitd.refused.v1\nx 1 2 3\n"] {
            assert!(Refused::parse(bad).is_none(), "{bad}");
        }
    }
}
