//! One record for a minute of identical refusals (law 7), so that `sudo` in a one-second monitoring loop, or
//! a password guesser, fills neither the log nor the disk.
//!
//! The first answer is recorded at once; the same answer within the next minute is counted, and the count is
//! recorded when the minute is over. Nothing is lost but the exact moments in between.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::words::{Uid, Verdict};

use crate::clock::Moment;
use crate::decide::{Answer, Why};
use crate::event::{Actor, Event, Login};

const SPAN: Duration = Duration::from_mins(1);

/// More different refusals than this in a minute are each recorded when they come: memory stays bounded, and
/// an attacker who varies the name gains nothing but the records.
const MAX_KEYS: usize = 4096;

/// What makes two answers identical.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    verdict: Verdict,
    why: Why,
    would: Option<Why>,
    login: Login,
    /// Who asked, or a user who asks about himself could hide sshd's refusal of him in his own count. The audit
    /// session is not part of it: every login has another.
    asked_by: (Uid, Option<Uid>),
}

impl Key {
    fn into_event(self, count: NonZeroU32) -> (Actor, Event) {
        let Self { verdict, why, would, login, asked_by: (uid, loginuid) } = self;
        let event = match verdict {
            Verdict::Unmanaged => Event::Unmanaged { why, would, count, login },
            Verdict::Deny | Verdict::Allow => Event::Denied { why, count, login },
        };
        (Actor { uid, loginuid, session: None }, event)
    }
}

#[derive(Debug)]
struct Span {
    since: Moment,
    held_back: u32,
}

/// Refusals and `unmanaged` answers of the last minute.
#[derive(Debug, Default)]
pub struct Tally {
    spans: HashMap<Key, Span>,
}

impl Tally {
    /// Takes note of an answer; the event to record now, if it is the first of its kind within a minute.
    pub fn note(&mut self, answer: &Answer, login: Login, actor: Actor, now: &Moment) -> Option<Event> {
        let asked_by = (actor.uid, actor.loginuid);
        let key = Key { verdict: answer.verdict, why: answer.why, would: answer.would, login, asked_by };
        if let Some(span) = self.spans.get_mut(&key) {
            span.held_back = span.held_back.saturating_add(1);
            return None;
        }
        if self.spans.len() < MAX_KEYS {
            self.spans.insert(key.clone(), Span { since: now.clone(), held_back: 0 });
        }
        Some(key.into_event(NonZeroU32::MIN).1)
    }

    /// The counts whose minute is over.
    pub fn due(&mut self, now: &Moment) -> Vec<(Actor, Event)> {
        self.take(|span| now.since(&span.since) >= SPAN)
    }

    /// How long until a count is due; absent when none is held back.
    #[must_use]
    pub fn next(&self, now: &Moment) -> Option<Duration> {
        let held = self.spans.values().filter(|span| span.held_back > 0);
        held.map(|span| SPAN.saturating_sub(now.since(&span.since))).min()
    }

    /// All counts, for a daemon that stops.
    pub fn drain(&mut self) -> Vec<(Actor, Event)> {
        self.take(|_| true)
    }

    fn take(&mut self, over: impl Fn(&Span) -> bool) -> Vec<(Actor, Event)> {
        let mut events = Vec::new();
        for (key, span) in self.spans.extract_if(|_, span| over(span)) {
            if let Some(count) = NonZeroU32::new(span.held_back) {
                events.push(key.into_event(count));
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::tests::at;

    const ROOT: Actor = Actor { uid: Uid::ROOT, loginuid: None, session: None };

    fn login(user: &str) -> Login {
        Login {
            service: "sudo".parse().unwrap(),
            user: user.parse().unwrap(),
            uid: None,
            target: None,
            rhost: String::new(),
            tty: String::new(),
        }
    }

    const fn deny(why: Why) -> Answer {
        Answer { verdict: Verdict::Deny, why, would: None, admits: None }
    }

    #[test]
    fn identical_refusals_within_a_minute_become_one_record_with_a_count() {
        let mut tally = Tally::default();
        let note = |tally: &mut Tally, at| tally.note(&deny(Why::NoWindow), login("maria"), ROOT, &at);
        assert!(matches!(note(&mut tally, at(0, 0)), Some(Event::Denied { count, .. }) if count.get() == 1));
        for second in 1..60 {
            assert!(note(&mut tally, at(second * 1000, 0)).is_none());
        }
        assert_eq!(tally.next(&at(59_000, 0)), Some(Duration::from_secs(1)));
        assert!(tally.due(&at(59_999, 0)).is_empty());
        let due = tally.due(&at(60_000, 0));
        assert!(matches!(&due[..], [(ROOT, Event::Denied { count, .. })] if count.get() == 59));
        assert!(note(&mut tally, at(60_001, 0)).is_some());
    }

    #[test]
    fn another_person_or_another_reason_is_another_record() {
        let mut tally = Tally::default();
        assert!(tally.note(&deny(Why::NoWindow), login("maria"), ROOT, &at(0, 0)).is_some());
        assert!(tally.note(&deny(Why::NoWindow), login("erik"), ROOT, &at(0, 0)).is_some());
        assert!(tally.note(&deny(Why::NoRole), login("maria"), ROOT, &at(0, 0)).is_some());
    }

    #[test]
    fn who_asks_about_himself_hides_nobody_elses_refusal_in_his_count() {
        let mut tally = Tally::default();
        let himself = Actor { uid: Uid::try_from(1001).unwrap(), ..ROOT };
        assert!(tally.note(&deny(Why::NoWindow), login("maria"), himself, &at(0, 0)).is_some());
        assert!(tally.note(&deny(Why::NoWindow), login("maria"), ROOT, &at(0, 0)).is_some());
    }

    #[test]
    fn a_flood_of_different_names_does_not_grow_memory() {
        let mut tally = Tally::default();
        for n in 0..MAX_KEYS + 100 {
            let event = tally.note(&deny(Why::UnknownUser), login(&format!("u{n}")), ROOT, &at(0, 0));
            assert!(event.is_some());
        }
        assert_eq!(tally.spans.len(), MAX_KEYS);
    }
}
