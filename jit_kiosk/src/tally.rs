//! What is logged: each kind of trouble at once when it begins, and then one line a minute with how often it was,
//! however often that is.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::door::Refused;

/// How far apart two lines about the same are.
const APART: Duration = Duration::from_secs(60);

/// What can be wrong with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// It is beyond a limit. With it goes the source.
    Refused(Refused),
    /// It was let in, and nobody takes it. With it goes the error.
    NotHandedOn,
    /// The kernel has one and does not give it. With it goes the error.
    NotAccepted,
    /// The kernel does not say whether it comes from this host. With it goes the error.
    NotKnown,
}

/// Counts troubles by kind.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    kinds: BTreeMap<Trouble, Count>,
}

#[derive(Debug)]
struct Count {
    told_at: Duration,
    untold: u64,
    last: String,
}

impl Tally {
    /// Counts one; the line to log, if this kind has had none for a minute.
    pub(crate) fn count(
        &mut self,
        trouble: Trouble,
        last: impl fmt::Display,
        now: Duration,
    ) -> Option<String> {
        let is_new = !self.kinds.contains_key(&trouble);
        let new = Count { told_at: now, untold: 0, last: String::new() };
        let count = self.kinds.entry(trouble).or_insert(new);
        count.untold += 1;
        count.last = last.to_string();
        if is_new { Some(count.tell(trouble, now)) } else { None }
    }

    /// The lines that are due. What has been quiet for a minute is forgotten.
    pub(crate) fn due(&mut self, now: Duration) -> Vec<String> {
        let is_due = |count: &Count| now >= count.told_at + APART;
        self.kinds.retain(|_, count| count.untold > 0 || !is_due(count));
        let due = self.kinds.iter_mut().filter(|(_, count)| is_due(count));
        due.map(|(trouble, count)| count.tell(*trouble, now)).collect()
    }

    /// When the next line is due, or something is to be forgotten.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.kinds.values().map(|count| count.told_at + APART).min()
    }
}

impl Count {
    fn tell(&mut self, trouble: Trouble, now: Duration) -> String {
        let so_many = std::mem::take(&mut self.untold);
        self.told_at = now;
        let connections = if so_many == 1 { "connection" } else { "connections" };
        let last = &self.last;
        match trouble {
            Trouble::Refused(limit) => {
                format!("closed {so_many} {connections}, the last from {last}: {limit}")
            }
            Trouble::NotHandedOn => format!(
                "closed {so_many} {connections} that nobody took: {last}; run: systemctl status jit-kiosk-handed.socket"
            ),
            Trouble::NotAccepted => format!("could not accept {so_many} {connections}: {last}"),
            Trouble::NotKnown => {
                format!("counted {so_many} {connections} as another host's, without knowing: {last}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Trouble = Trouble::Refused(Refused::SourceIsFull);

    #[test]
    fn a_flood_is_one_line_at_once_and_one_a_minute_with_how_often_it_was() {
        let mut tally = Tally::default();
        let at = Duration::from_millis;
        let first = tally.count(FULL, "this host", at(0));
        assert_eq!(
            first.as_deref(),
            Some("closed 1 connection, the last from this host: one source has at most 16 connections")
        );
        for number in 1..59_999 {
            assert_eq!(tally.count(FULL, "192.0.2.1", at(number)), None);
            assert!(tally.due(at(number)).is_empty());
        }
        assert_eq!(tally.next(), Some(at(60_000)));
        let line = "closed 59998 connections, the last from 192.0.2.1: one source has at most 16 connections";
        assert_eq!(tally.due(at(60_000)), [line]);
        assert!(tally.due(at(60_000)).is_empty());

        // Quiet for a minute, and it is new again.
        assert!(tally.due(at(120_000)).is_empty());
        assert_eq!(tally.next(), None);
        assert!(tally.count(FULL, "192.0.2.1", at(120_001)).is_some());
    }

    #[test]
    fn each_kind_has_lines_of_its_own() {
        let mut tally = Tally::default();
        assert!(tally.count(FULL, "this host", Duration::ZERO).is_some());
        let other = tally.count(Trouble::NotHandedOn, "No such file", Duration::ZERO).unwrap();
        assert!(other.contains("nobody took: No such file; run: systemctl"), "{other}");
        assert!(tally.count(Trouble::Refused(Refused::AllAreFull), "this host", Duration::ZERO).is_some());
        assert!(tally.count(FULL, "this host", Duration::ZERO).is_none());
    }
}
