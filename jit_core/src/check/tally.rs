//! One record for a minute of identical refusals (law 7), of logins and of orders, so that `sudo` in a one-second
//! monitoring loop, or a password guesser, fills neither the log nor the disk.
//!
//! The first refusal is recorded at once; the same answer within the next minute is counted, and the count is
//! recorded when the minute is over. Nothing is lost but the exact moments in between.
//!
//! A login whose account stage got the answer, and that PAM let in all the same since it only watches, is asked about once more
//! at its session: that is the same login, and is counted once.
//!
//! On a disk that has no room but for the records of what ends, all of them together are two records an hour, the second with a
//! count: whoever is refused for hours, and varies what of, would else use up what a revoke needs.

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{ServiceName, Uid, UserName};

use crate::check::decide::Answer;
use crate::event::Event;
use crate::model::{Actor, Leader, Login, RefusedOrder, Why};
use crate::time::Moment;

const SPAN: Duration = Duration::from_mins(1);

/// How long all that is refused is counted together where there is no room for more.
const SPARING: Duration = Duration::from_hours(1);

/// Different refusals of one uid, and of all names that are no account together, in a minute. What one more differs in
/// is often free for its subject to vary: whom su becomes, the name that sshd is given. It is counted with the others of
/// the same uid.
const MAX_OF_ONE: usize = 32;

/// Different refusals in a minute; above it all are counted together, so that memory stays bounded.
const MAX_KEYS: usize = 4096;

/// What makes two answers identical. The terminal and where the login says to come from are not part of it: a script
/// has a new terminal for each attempt. The record of several has the first and the last of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// The same answer to the same question.
    Same {
        said: Said,
        service: ServiceName,
        user: UserName,
        uid: Option<Uid>,
        target: Option<UserName>,
        /// Who asked, or a user who asks about himself could hide sshd's refusal of him in his own count. The audit
        /// session is not part of it: every login has another.
        asked_by: (Uid, Option<Uid>),
    },
    /// The same refusal of the same order; what it was about is not part of it.
    Order { method: String, why: String, given_by: (Uid, Option<Uid>) },
    /// Whatever else was answered about a uid, or about names that are no account.
    Other { uid: Option<Uid>, asked_by: Uid },
    /// Whatever else was answered.
    Rest,
}

/// The share of a uid, or of all names that are no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Share(Option<Uid>);

impl Key {
    /// Of whose share it is, where it is not that of what is left over: whom a login is about, who gave an order.
    const fn own(&self) -> Option<Share> {
        match self {
            Self::Same { uid, .. } => Some(Share(*uid)),
            Self::Order { given_by: (uid, _), .. } => Some(Share(Some(*uid))),
            Self::Other { .. } | Self::Rest => None,
        }
    }

    /// How long it is counted before the count is recorded.
    fn span(&self, spares: bool) -> Duration {
        if spares && *self == Self::Rest { SPARING } else { SPAN }
    }
}

/// An answer that admits nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Said {
    Denied(Why),
    Unmanaged { why: Why, would: Option<Why> },
}

impl Said {
    /// Nothing of an `allow`, each of which is a record of its own.
    const fn of(answer: &Answer) -> Option<Self> {
        match answer {
            Answer::Allow(_) => None,
            Answer::Deny(why) => Some(Self::Denied(*why)),
            Answer::Unmanaged(_) | Answer::Observed { .. } => {
                Some(Self::Unmanaged { why: answer.why(), would: answer.would() })
            }
        }
    }
}

/// What was refused, in short.
#[derive(Clone, Debug)]
struct Told {
    what: What,
    /// Without the audit session and the process, which are others at every login.
    actor: Actor,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Login(Said, Login),
    Order(RefusedOrder),
}

impl Told {
    fn into_event(self, count: NonZeroU32, last: Option<What>, others: bool) -> (Actor, Event) {
        let Self { what, actor } = self;
        let last = last.filter(|last| *last != what);
        let event = match what {
            What::Order(refused) => Event::OrderRefused { refused, count, others },
            What::Login(said, login) => {
                let last = if let Some(What::Login(_, last)) = last { Some(Box::new(last)) } else { None };
                match said {
                    Said::Unmanaged { why, would } => {
                        Event::Unmanaged { why, would, count, last, others, login }
                    }
                    Said::Denied(why) => Event::Denied { why, count, last, others, login },
                }
            }
        };
        (actor, event)
    }
}

#[derive(Debug)]
struct Span {
    since: Moment,
    held: Option<Held>,
    /// The processes whose account stage is in the count, and that may ask about the session.
    asked: VecDeque<Leader>,
}

/// So many of those are known at a time.
const MAX_ASKED: usize = 64;

impl Span {
    /// Whether this is the session of a login that was counted, and not another one.
    fn has_counted(&mut self, stage: Stage, process: Option<Leader>) -> bool {
        let Some(process) = process else { return false };
        match stage {
            Stage::Session => {
                let place = self.asked.iter().position(|asked| *asked == process);
                place.and_then(|place| self.asked.remove(place)).is_some()
            }
            Stage::Account | Stage::Close => {
                if self.asked.len() == MAX_ASKED {
                    self.asked.pop_front();
                }
                self.asked.push_back(process);
                false
            }
        }
    }
}

/// What is held back.
#[derive(Debug)]
struct Held {
    count: NonZeroU32,
    first: Told,
    last: What,
}

/// Refusals and `unmanaged` answers of the last minute.
#[derive(Debug, Default)]
pub struct Tally {
    spans: HashMap<Key, Span>,
    /// How many keys of their own there are of each uid.
    of_one: HashMap<Share, usize>,
    /// Whether there is no room but for what ends.
    spares: bool,
}

impl Tally {
    /// Whether there is room for records of what is refused, from now on ([`crate::room::stops`]).
    pub const fn has_room(&mut self, has: bool) {
        self.spares = !has;
    }

    /// Takes note of an answer at a stage; the event to record now, if it is the first of its kind within a minute.
    pub fn note(
        &mut self,
        answer: &Answer,
        (login, stage): (Login, Stage),
        actor: Actor,
        now: &Moment,
    ) -> Option<Event> {
        let said = Said::of(answer)?;
        let Login { service, user, uid, target, .. } = login.clone();
        let asked_by = (actor.uid, actor.loginuid);
        let same = Key::Same { said, service, user, uid, target, asked_by };
        self.add(same, (What::Login(said, login), stage), actor, now)
    }

    /// Takes note of an order that was refused; the event to record now, as above.
    pub fn note_order(&mut self, refused: RefusedOrder, actor: Actor, now: &Moment) -> Option<Event> {
        let given_by = (actor.uid, actor.loginuid);
        let same = Key::Order { method: refused.method.clone(), why: refused.why.clone(), given_by };
        self.add(same, (What::Order(refused), Stage::Account), actor, now)
    }

    fn add(&mut self, same: Key, (what, stage): (What, Stage), actor: Actor, now: &Moment) -> Option<Event> {
        let key = self.with_room(same, actor);
        let told = Told { what, actor: Actor { session: None, process: None, ..actor } };
        if let Some(span) = self.spans.get_mut(&key) {
            if span.has_counted(stage, actor.process) {
                return None;
            }
            if let Some(held) = &mut span.held {
                held.count = held.count.saturating_add(1);
                held.last = told.what;
            } else {
                span.held = Some(Held { count: NonZeroU32::MIN, last: told.what.clone(), first: told });
            }
            return None;
        }
        let others = key.own().is_none();
        if let Some(share) = key.own() {
            *self.of_one.entry(share).or_default() += 1;
        }
        let mut span = Span { since: now.clone(), held: None, asked: VecDeque::new() };
        let _is_new = span.has_counted(stage, actor.process);
        self.spans.insert(key, span);
        Some(told.into_event(NonZeroU32::MIN, None, others).1)
    }

    /// What something is counted as.
    fn with_room(&self, same: Key, actor: Actor) -> Key {
        let Some(share) = same.own() else { return same };
        if self.spares {
            return Key::Rest;
        }
        let has_room = self.spans.len() < MAX_KEYS;
        let of_one = self.of_one.get(&share).copied().unwrap_or_default();
        if self.spans.contains_key(&same) || (has_room && of_one < MAX_OF_ONE) {
            return same;
        }
        let other = Key::Other { uid: share.0, asked_by: actor.uid };
        if has_room || self.spans.contains_key(&other) { other } else { Key::Rest }
    }

    /// The counts whose minute is over.
    pub fn due(&mut self, now: &Moment) -> Vec<(Actor, Event)> {
        let spares = self.spares;
        self.take(|key, span| now.since(&span.since) >= key.span(spares))
    }

    /// How long until a count is due; absent when none is held back.
    #[must_use]
    pub fn next(&self, now: &Moment) -> Option<Duration> {
        let held = self.spans.iter().filter(|(_, span)| span.held.is_some());
        held.map(|(key, span)| key.span(self.spares).saturating_sub(now.since(&span.since))).min()
    }

    /// All counts, for a daemon that stops.
    pub fn drain(&mut self) -> Vec<(Actor, Event)> {
        self.take(|_, _| true)
    }

    fn take(&mut self, over: impl Fn(&Key, &Span) -> bool) -> Vec<(Actor, Event)> {
        let mut events = Vec::new();
        for (key, span) in self.spans.extract_if(|key, span| over(key, span)) {
            if let Some(share) = key.own() {
                let left = self.of_one.get(&share).map_or(0, |count| count.saturating_sub(1));
                if left == 0 {
                    self.of_one.remove(&share);
                } else {
                    self.of_one.insert(share, left);
                }
            }
            if let Some(Held { count, first, last }) = span.held {
                let others = key.own().is_none();
                events.push(first.into_event(count, Some(last), others));
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    const ROOT: Actor = Actor { uid: Uid::ROOT, loginuid: None, untold: false, session: None, process: None };

    fn login(user: &str) -> Login {
        Login {
            service: "sudo".parse().unwrap(),
            user: user.parse().unwrap(),
            uid: None,
            target: None,
            rhost: String::new(),
            tty: String::new(),
            keys: Vec::new(),
            person: None,
        }
    }

    const fn deny(why: Why) -> Answer {
        Answer::Deny(why)
    }

    #[test]
    fn identical_refusals_within_a_minute_become_one_record_with_a_count() {
        let mut tally = Tally::default();
        let note = |tally: &mut Tally, at| {
            tally.note(&deny(Why::NoWindow), (login("maria"), Stage::Account), ROOT, &at)
        };
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
    fn a_login_whose_session_is_asked_about_too_is_counted_once_and_the_next_login_is_another() {
        let mut tally = Tally::default();
        let by = |pid| Actor { process: Some(Leader { pid, start: 7 }), ..ROOT };
        let mut note = |stage, pid, second: i64| {
            let answer = deny(Why::NoWindow);
            tally.note(&answer, (login("maria"), stage), by(pid), &at(second * 1000, 0)).is_some()
        };
        assert!(note(Stage::Account, 10, 0));
        assert!(!note(Stage::Session, 10, 1));
        for pid in 11..15 {
            assert!(!note(Stage::Account, pid, 2));
            assert!(!note(Stage::Session, pid, 3));
        }
        // Sessions alone, as where the account line is missing, and one process that asks again, are logins of their own.
        assert!(!note(Stage::Session, 20, 4));
        assert!(!note(Stage::Session, 14, 5));
        let due = tally.due(&at(60_000, 0));
        assert!(matches!(&due[..], [(_, Event::Denied { count, .. })] if count.get() == 6), "{due:?}");
        // The session of one that was first recorded as a session's own is no other's.
        let mut tally = Tally::default();
        let answer = deny(Why::NoWindow);
        let mut note =
            |pid| tally.note(&answer, (login("maria"), Stage::Session), by(pid), &at(0, 0)).is_some();
        assert!(note(1) && !note(1));
        assert!(matches!(&tally.drain()[..], [(_, Event::Denied { count, .. })] if count.get() == 1));
    }

    #[test]
    fn another_person_or_another_reason_is_another_record() {
        let mut tally = Tally::default();
        assert!(
            tally.note(&deny(Why::NoWindow), (login("maria"), Stage::Account), ROOT, &at(0, 0)).is_some()
        );
        assert!(tally.note(&deny(Why::NoWindow), (login("erik"), Stage::Account), ROOT, &at(0, 0)).is_some());
        assert!(tally.note(&deny(Why::NoRole), (login("maria"), Stage::Account), ROOT, &at(0, 0)).is_some());
    }

    #[test]
    fn who_asks_about_himself_hides_nobody_elses_refusal_in_his_count() {
        let mut tally = Tally::default();
        let himself = Actor { uid: Uid::try_from(1001).unwrap(), ..ROOT };
        assert!(
            tally.note(&deny(Why::NoWindow), (login("maria"), Stage::Account), himself, &at(0, 0)).is_some()
        );
        assert!(
            tally.note(&deny(Why::NoWindow), (login("maria"), Stage::Account), ROOT, &at(0, 0)).is_some()
        );
    }

    #[test]
    fn a_new_terminal_or_remote_name_is_no_new_record_and_the_first_and_last_are_kept() {
        let mut tally = Tally::default();
        let mut recorded = 0;
        for n in 0..500 {
            let from = Login { tty: format!("pts/{n}"), rhost: format!("h{n}"), ..login("maria") };
            recorded += u32::from(
                tally.note(&deny(Why::NoWindow), (from, Stage::Account), ROOT, &at(n, 0)).is_some(),
            );
        }
        assert_eq!(recorded, 1, "each of the others is counted");
        let due = tally.due(&at(60_000, 0));
        let [(_, Event::Denied { count, last: Some(last), others: false, login, .. })] = &due[..] else {
            panic!("{due:?}")
        };
        assert_eq!((count.get(), login.tty.as_str(), login.rhost.as_str()), (499, "pts/1", "h1"));
        assert_eq!((last.tty.as_str(), last.rhost.as_str()), ("pts/499", "h499"));
    }

    #[test]
    fn whatever_one_uid_varies_makes_no_more_than_so_many_records_and_hides_nobody_elses() {
        let mut tally = Tally::default();
        let uid = Uid::try_from(1001).unwrap();
        let mut recorded = 0;
        for n in 0..10_000 {
            let target = Some(format!("t{n}").parse().unwrap());
            let su = Login { uid: Some(uid), target, ..login("maria") };
            recorded += usize::from(
                tally.note(&deny(Why::NoWindow), (su, Stage::Account), ROOT, &at(0, 0)).is_some(),
            );
        }
        assert_eq!(recorded, MAX_OF_ONE + 1);
        let erik = Login { uid: Uid::try_from(1002).ok(), ..login("erik") };
        assert!(tally.note(&deny(Why::NoWindow), (erik, Stage::Account), ROOT, &at(0, 0)).is_some());
        let due = tally.due(&at(60_000, 0));
        let total: u32 = due.iter().map(|(_, event)| count(event)).sum();
        assert_eq!(usize::try_from(total).unwrap() + recorded, 10_000, "each is in some count");
        assert!(matches!(&due[..], [(_, Event::Denied { others: true, .. })]), "{due:?}");
        assert!(tally.spans.is_empty() && tally.of_one.is_empty());
    }

    #[test]
    fn a_flood_of_different_names_grows_neither_memory_nor_the_log() {
        let mut tally = Tally::default();
        let mut recorded = 0;
        for n in 0..2 * MAX_KEYS {
            let event = tally.note(
                &deny(Why::UnknownUser),
                (login(&format!("u{n}")), Stage::Account),
                ROOT,
                &at(0, 0),
            );
            recorded += usize::from(event.is_some());
        }
        assert_eq!((recorded, tally.spans.len()), (MAX_OF_ONE + 1, MAX_OF_ONE + 1));
    }

    #[test]
    fn many_uids_together_grow_no_memory_either() {
        let mut tally = Tally::default();
        for n in 0..u32::try_from(2 * MAX_KEYS).unwrap() {
            let one = Login { uid: Uid::try_from(n).ok(), ..login(&format!("u{n}")) };
            drop(tally.note(&deny(Why::NoWindow), (one, Stage::Account), ROOT, &at(0, 0)));
        }
        assert_eq!(tally.spans.len(), MAX_KEYS + 1);
    }

    #[test]
    fn whoever_is_refused_for_hours_where_there_is_no_room_makes_two_records_an_hour_and_each_is_counted() {
        const MINUTES: u64 = 10 * 60;
        const EACH: u32 = 200;
        let mut tally = Tally::default();
        let (mut recorded, mut counted) = (0, 0);
        let mut add = |event: &Event| {
            recorded += 1;
            counted += count(event);
        };
        tally.has_room(false);
        for minute in 0..MINUTES {
            let now = at(i64::try_from(minute * 60_000).unwrap(), minute * 60_000);
            tally.due(&now).iter().for_each(|(_, event)| add(event));
            // Of many uids, of no account, by another name each time, and orders.
            for n in 0..EACH {
                let (uid, target) = (Uid::try_from(n % 50).ok(), Some(format!("t{n}").parse().unwrap()));
                let su = Login { uid: uid.filter(|_| n % 2 == 0), target, ..login(&format!("u{n}")) };
                tally.note(&deny(Why::NoWindow), (su, Stage::Account), ROOT, &now).iter().for_each(&mut add);
                tally.note_order(refused(&format!("M{n}"), ""), ROOT, &now).iter().for_each(&mut add);
            }
        }
        tally.drain().iter().for_each(|(_, event)| add(event));
        assert!(recorded <= 20, "{recorded} records in ten hours");
        let all = u32::try_from(MINUTES).unwrap() * EACH * 2;
        assert_eq!(counted, all, "each is in some count");

        // With room each is a record of its own again.
        tally.has_room(true);
        let names = ["a", "b", "c"];
        assert!(names.iter().all(|name| {
            tally.note(&deny(Why::NoWindow), (login(name), Stage::Account), ROOT, &at(0, 0)).is_some()
        }));
    }

    #[test]
    fn what_was_counted_before_there_was_no_room_is_recorded_when_its_minute_is_over() {
        let mut tally = Tally::default();
        let note = |tally: &mut Tally, at| {
            tally.note(&deny(Why::NoWindow), (login("maria"), Stage::Account), ROOT, &at)
        };
        assert!(note(&mut tally, at(0, 0)).is_some());
        assert!(note(&mut tally, at(1_000, 0)).is_none());
        tally.has_room(false);
        assert!(note(&mut tally, at(2_000, 0)).is_some(), "the first of what is counted together");
        assert!(note(&mut tally, at(3_000, 0)).is_none());
        assert_eq!(tally.next(&at(3_000, 0)), Some(Duration::from_secs(57)));
        assert!(matches!(&tally.due(&at(60_000, 0))[..], [(ROOT, Event::Denied { others: false, .. })]));
        assert!(tally.due(&at(3_600_000, 0)).is_empty());
        assert!(matches!(&tally.due(&at(3_602_000, 0))[..], [(ROOT, Event::Denied { others: true, .. })]));
    }

    fn refused(method: &str, text: &str) -> RefusedOrder {
        let (method, why) = (method.to_owned(), "not-admin".to_owned());
        RefusedOrder { method, why, text: text.to_owned(), request: None }
    }

    #[test]
    fn an_order_that_is_refused_again_and_again_is_one_record_and_hides_no_login() {
        let mut tally = Tally::default();
        let erik = Actor { uid: Uid::try_from(1002).unwrap(), ..ROOT };
        let mut recorded = 0;
        for n in 0..100 {
            recorded +=
                usize::from(tally.note_order(refused("Lock", &format!("{n}")), erik, &at(0, 0)).is_some());
        }
        assert_eq!(recorded, 1);
        assert!(tally.note_order(refused("Unlock", ""), erik, &at(0, 0)).is_some(), "another order");
        assert!(tally.note_order(refused("Lock", ""), ROOT, &at(0, 0)).is_some(), "another person");
        let mine = Login { uid: Some(erik.uid), ..login("erik") };
        assert!(
            tally.note(&deny(Why::NoWindow), (mine, Stage::Account), ROOT, &at(0, 0)).is_some(),
            "a login"
        );
        let due = tally.due(&at(60_000, 0));
        let [(_, Event::OrderRefused { refused, count, others: false })] = &due[..] else {
            panic!("{due:?}")
        };
        assert_eq!((count.get(), refused.text.as_str()), (99, "1"), "the first of those that were held back");
        assert!(tally.spans.is_empty() && tally.of_one.is_empty());
    }

    const fn count(event: &Event) -> u32 {
        match event {
            Event::Denied { count, .. } | Event::OrderRefused { count, .. } => count.get(),
            _ => 0,
        }
    }
}
