//! Programs that open no session for whoever they let in, where policy says that the process that asked ends with the
//! window (`ends = "process"`): what a check makes of that process. It is in from the check on, as a session is, and is told
//! from others as the kernel had it while it waited for the answer.
//!
//! It is ended only for as long as it serves one person alone. One that asks for another as well, and is not refused, may
//! serve either of them, and nobody is ended for somebody else's end. Whom it has let in stays known until it has gone,
//! beyond the end of their window: they may be there, and whom it lets in next is not alone there.

use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{ServiceName, Uid};

use super::decide::Answer;
use crate::event::Event;
use crate::model::{Asking, Login, Opener, Question, Session, Why};
use crate::policy::{People, Policy};
use crate::state::State;
use crate::time::Moment;

/// A process that was there for longer before it asked for the first time may have served others meanwhile. It is as long
/// as sshd gives people to log in (LoginGraceTime of sshd_config(5)).
const NEW: Duration = Duration::from_secs(120);

/// Law 12: where the process that asks ends with the window, an `allow` is a refusal as long as that process cannot be
/// seen, or was there long before. Root's way in stays open, and whoever asks about themselves has nothing ended.
#[must_use]
pub fn can_end(policy: &Policy, state: &State, question: &Question, answer: Answer, now: &Moment) -> Answer {
    let is_root = question.login.uid.is_some_and(Uid::is_root);
    let asks_for_others = question.caller_uid.is_root() || question.asker.is_some();
    let must_end = question.stage == Stage::Account && policy.ends(&question.login.service).is_some();
    if !matches!(answer, Answer::Allow(_)) || !must_end || is_root || !asks_for_others {
        return answer;
    }
    let is_known = |asking: &Asking| of_process(state, asking).next().is_some();
    match &question.asking {
        // What serves others for certain is said to, and nothing is claimed of it.
        Some(asking) if is_known(asking) || asking.serves_others().is_some() || asking.age(now) <= NEW => {
            answer
        }
        Some(_) | None => Answer::Deny(Why::NotEnclosed),
    }
}

/// What comes with the record of an allowed check, the last of these events: that the process is in, where policy has it
/// end, and what is known of whom it serves.
#[must_use]
pub fn comes_in(policy: &Policy, state: &State, question: &Question, events: &[Event]) -> Vec<Event> {
    let Some(Event::Allowed { grant, role, remaining, claim, ends, from, basis, login, .. }) = events.last()
    else {
        return Vec::new();
    };
    let Some(asking) = &question.asking else { return Vec::new() };
    let people = policy.people();
    let others = serves_another(people, state, asking, login);
    if ends.is_none() {
        return others;
    }
    let theirs = of_process(state, asking).find(|known| serves(people, known, login) == Serves::Them);
    if let Some(known) = theirs.filter(|known| !known.goes_on()) {
        // It may be a worker that asks for each of their connections, or go on with the one that it has.
        let again =
            || unbound(known.id, "its process asked again: not all that it lets in may end with it", false);
        return if known.unbound { others } else { [again()].into_iter().chain(others).collect() };
    }
    let before = events.iter().rev().skip(1).filter(|event| !event.is_noted()).count();
    let seq = state.next_seq().saturating_add(u64::try_from(before).unwrap_or(u64::MAX));
    let opened = Event::SessionOpened {
        grant: *grant,
        role: role.clone(),
        remaining: *remaining,
        claim: claim.map(|_| seq),
        opener: Some(Opener { leader: asking.process, audit: None }),
        from: *from,
        basis: basis.clone(),
        process_in: Some(asking.group.clone()),
        admitted: Some(seq),
        login: login.clone(),
    };
    let own = shared(policy, state, question, (asking, login));
    let own = own.map(|(why, others)| unbound(seq, &why, others));
    // What is known of an earlier window of theirs, which did not end there: they are in by this one.
    let earlier = theirs.map(Event::gone);
    earlier.into_iter().chain([opened]).chain(own).chain(others).collect()
}

/// Why not all of somebody's connection can be told from others', and whether its process is not theirs alone.
fn shared(
    policy: &Policy,
    state: &State,
    question: &Question,
    (asking, login): (&Asking, &Login),
) -> Option<(String, bool)> {
    if let Some(why) = asking.serves_others() {
        return Some((why, true));
    }
    let is_others = |known: &&Session| serves(policy.people(), known, login) == Serves::Others;
    if let Some(known) = of_process(state, asking).find(is_others) {
        return Some((too(&known.login, &login.service), true));
    }
    if of_process(state, asking).any(|known| known.others) {
        return Some(("its process serves others, too".to_owned(), true));
    }
    if let Some(known) = of_process(state, asking).next() {
        return Some((too(&known.login, &login.service), false));
    }
    let (service, user) = (&login.service, &login.user);
    let is_exempt = question.known().is_some_and(|subject| policy.exempt_at(subject, service));
    if is_exempt {
        return Some((format!("{user} may be at {service} without a window, too"), false));
    }
    let is_told = asking.is_in_service() && !login.uid.is_none_or(Uid::is_root);
    (!is_told).then(|| {
        let why =
            "what leaves its process behind cannot be told: it runs in no service of systemd's, or as root";
        (why.to_owned(), false)
    })
}

/// What it means for those whom a process has let in that it lets in another: by a window, or since policy leaves them
/// alone.
#[must_use]
pub fn serves_another(people: &People, state: &State, asking: &Asking, login: &Login) -> Vec<Event> {
    let beside = |known: &Session| match serves(people, known, login) {
        Serves::Others if !known.others => Some(unbound(known.id, &too(login, &known.login.service), true)),
        Serves::TheirOther if !known.unbound => {
            Some(unbound(known.id, &too(login, &known.login.service), false))
        }
        Serves::Others | Serves::TheirOther | Serves::Them => None,
    };
    of_process(state, asking).filter_map(beside).collect()
}

/// What it means that somebody comes in whom policy leaves alone: for the others whom the same process has let in, and for
/// their own windows at that service. What runs on there without its parents may be of either.
#[must_use]
pub fn without_window(people: &People, state: &State, question: &Question) -> Vec<Event> {
    let login = &question.login;
    let of_process = question.asking.iter().flat_map(|asking| serves_another(people, state, asking, login));
    let mut events: Vec<Event> = of_process.collect();
    let is_there = |known: &&Session| {
        known.is_process()
            && !known.unbound
            && known.login.uid == login.uid
            && known.login.service == login.service
    };
    let why = || format!("{} came to {} without a window, too", login.user, login.service);
    let beside = state.sessions().iter().filter(is_there).map(|known| unbound(known.id, &why(), false));
    events.extend(beside);
    events
}

/// Whom a process serves that has let somebody in and now lets in this login.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Serves {
    /// The same person at the same service.
    Them,
    /// The same human being, by another account of theirs.
    TheirOther,
    /// Somebody else, or a connection of another kind.
    Others,
}

fn serves(people: &People, known: &Session, login: &Login) -> Serves {
    let old = &known.login;
    if old.service != login.service {
        return Serves::Others;
    }
    if old.uid == login.uid {
        // Of those who share an account, it has to be the same one.
        return if old.person == login.person { Serves::Them } else { Serves::Others };
    }
    let share = people.is_shared(&old.user) || people.is_shared(&login.user);
    if !share && people.same(&old.user, &login.user) { Serves::TheirOther } else { Serves::Others }
}

fn too(Login { service, user, .. }: &Login, other: &ServiceName) -> String {
    if service == other {
        return format!("its process asked for {user}, too");
    }
    format!("its process asked for {user} at {service}, too")
}

fn of_process<'s>(state: &'s State, asking: &Asking) -> impl Iterator<Item = &'s Session> {
    let process = Some(asking.process);
    state.sessions().iter().filter(move |known| known.is_process() && known.leader == process)
}

fn unbound(session: u64, why: &str, others: bool) -> Event {
    Event::SessionUnbound { session, why: why.to_owned(), others }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClaimKind, EndReason, EndTerms, Leader};
    use crate::policy::Subject;
    use crate::testing::{POLICY, World, as_self, maria, policy, root, subject};

    const SERVICE: &str = "/system.slice/ftp.service";

    /// sshd and the service of role `two`, whose processes end.
    fn world() -> World {
        let mut world = World::new();
        world.policy = policy(&format!("{POLICY}[service.sshd]\nends = \"process\"\n"));
        world
    }

    fn question(whom: &Subject, pid: u32) -> Question {
        let process = Leader { pid, start: 7 };
        let asking = Some(Asking { process, parent: 200, group: SERVICE.to_owned() });
        Question { asking, ..World::question("sshd", whom, Stage::Account) }
    }

    /// What happens when it asks.
    fn asks(world: &mut World, question: &Question) -> Vec<Event> {
        let mut events = world.ask(question).events(question);
        events.extend(comes_in(&world.policy, &world.state, question, &events));
        for event in events.clone() {
            if event.is_noted() {
                world.state.note(&world.now.clone(), None, &event);
            } else {
                world.apply([event]);
            }
        }
        events
    }

    fn unbounds(events: &[Event]) -> Vec<(u64, bool)> {
        let of = |event: &Event| match event {
            Event::SessionUnbound { session, others, .. } => Some((*session, *others)),
            _ => None,
        };
        events.iter().filter_map(of).collect()
    }

    #[test]
    fn where_policy_says_so_the_process_that_asked_is_in_from_its_check_on_and_its_use_is_spent() {
        let mut world = world();
        world.grant(&as_self(root()), maria(), "once", None).unwrap();
        let check = world.state.next_seq();
        let asked = Question { holds_claim: true, ..question(&maria(), 229) };
        let events = asks(&mut world, &asked);
        let check = check + u64::try_from(events.len()).unwrap() - 2;
        let [
            ..,
            Event::Allowed { claim: Some(ClaimKind::Spent), by: Some(by), .. },
            Event::SessionOpened { .. },
        ] = &events[..]
        else {
            panic!("{events:#?}")
        };
        let session = world.state.session(check).unwrap();
        assert_eq!((by.pid, session.leader, session.process_in.as_deref()), (229, Some(*by), Some(SERVICE)));
        assert!(session.is_bound() && !session.others && !session.adopted);
        // At other services, and of a process that could not be seen, a check is no more than that.
        world.policy = policy(POLICY);
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        assert!(matches!(
            asks(&mut world, &question(&maria(), 230))[..],
            [.., Event::Allowed { ends: None, .. }]
        ));
    }

    #[test]
    fn a_process_that_lets_in_another_is_ended_for_neither_and_one_that_is_refused_changes_nothing() {
        let (mut world, adam) = (world(), subject("adam", 1002));
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        asks(&mut world, &question(&maria(), 229));
        let hers = world.state.sessions()[0].id;
        // Whoever types another name, to get away with it, is refused, and her process ends with her window.
        assert_eq!(asks(&mut world, &question(&adam, 229)), []);
        assert_eq!(world.state.session(hers).map(|session| session.others), Some(false));
        world.grant(&as_self(root()), adam.clone(), "shell", None).unwrap();
        let events = asks(&mut world, &question(&adam, 229));
        let his = world.state.sessions()[1].id;
        assert_eq!(unbounds(&events), [(his, true), (hers, true)]);
        assert!(world.state.sessions().iter().all(|session| session.others && !session.is_bound()));
        // It is said once.
        assert_eq!(unbounds(&asks(&mut world, &question(&adam, 229))), []);
        assert_eq!(world.state.sessions().len(), 2);
        // Another process of the same service is another connection.
        assert_eq!(unbounds(&asks(&mut world, &question(&adam, 230))), []);
        assert!(world.state.sessions()[2].is_bound());
    }

    /// Its window is over, and that is carried through.
    fn ends(world: &mut World, session: u64) {
        let grant = world.state.session(session).unwrap().grant;
        world.revoke(grant.into());
        let terms = EndTerms::of(None, EndReason::Revoked);
        world.apply([Event::SessionOver { session, why: EndReason::Revoked, terms, reason: None }]);
        let ending = world.state.endings()[&grant].clone();
        world.apply([Event::ended_whole(grant, ending.user, ending.sessions)]);
    }

    #[test]
    fn what_serves_others_stays_known_after_the_end_and_is_never_taken_for_one_connection() {
        let (mut world, adam) = (world(), subject("adam", 1002));
        for whom in [maria(), adam.clone()] {
            world.grant(&as_self(root()), whom.clone(), "shell", None).unwrap();
            asks(&mut world, &question(&whom, 229));
        }
        let [hers, his] = [0, 1].map(|place| world.state.sessions()[place].id);
        let is_away = |world: &World, uid| world.state.begins_stay(uid, &world.now);
        world.apply([Event::Came { user: maria().name, uid: maria().uid, lingers: false }]);
        assert!(!is_away(&world, maria().uid));
        ends(&mut world, hers);
        ends(&mut world, his);
        assert!([hers, his].iter().all(|id| world.state.session(*id).is_some_and(Session::goes_on)));
        // What they leave elsewhere is not theirs to keep by it: she is here no more.
        assert!(is_away(&world, maria().uid));
        // By the same process nobody is let in alone, however old it is by then; nor is she herself, by another window.
        let olga = Subject { groups: ["ops".parse().unwrap()].into(), ..subject("olga", 1003) };
        world.now.boot += 500_000;
        for whom in [olga, maria()] {
            world.grant(&as_self(root()), whom.clone(), "shell", None).unwrap();
            let asked = question(&whom, 229);
            let answer = can_end(&world.policy, &world.state, &asked, world.ask(&asked), &world.now);
            assert_eq!(answer.why(), Why::Window, "{}", whom.name);
            let events = asks(&mut world, &asked);
            let new = world.state.sessions().last().unwrap().clone();
            assert_eq!((&new.login.user, unbounds(&events)), (&whom.name, vec![(new.id, true)]));
            assert!(new.others && !new.goes_on());
        }
        // Her earlier one is over with that, on record.
        assert!(world.state.session(hers).is_none() && world.state.session(his).is_some());
        let is_hers = |record: &crate::event::Record| matches!(record.event, Event::SessionGone { session, unbound: true, .. } if session == hers);
        assert_eq!(world.log.iter().filter(|record| is_hers(record)).count(), 1);
    }

    #[test]
    fn who_is_let_in_without_a_window_by_the_same_process_is_another_too() {
        let mut world = world();
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        asks(&mut world, &question(&maria(), 229));
        let hers = world.state.sessions()[0].id;
        let exempt = question(&subject("backup", 34), 229);
        assert_eq!(unbounds(&without_window(world.policy.people(), &world.state, &exempt)), [(hers, true)]);
        assert_eq!(
            without_window(world.policy.people(), &world.state, &question(&subject("backup", 34), 230)),
            []
        );
        // She herself, by an exemption: what is left there may be of that.
        let herself = question(&maria(), 230);
        assert_eq!(unbounds(&without_window(world.policy.people(), &world.state, &herself)), [(hers, false)]);
        // Of whom nobody is on record it serves them all the same, when she comes again by another window.
        let events = without_window(world.policy.people(), &world.state, &exempt);
        world.apply(events);
        ends(&mut world, hers);
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        let events = asks(&mut world, &question(&maria(), 229));
        assert_eq!(unbounds(&events), [(world.state.sessions()[0].id, true)]);
    }

    #[test]
    fn a_process_that_asks_again_for_the_same_person_is_ended_and_no_more_is_claimed_of_it() {
        let mut world = world();
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        asks(&mut world, &question(&maria(), 229));
        let hers = world.state.sessions()[0].id;
        let events = asks(&mut world, &question(&maria(), 229));
        assert_eq!(unbounds(&events), [(hers, false)]);
        let session = world.state.session(hers).unwrap();
        assert!(!session.others && !session.is_bound());
        assert_eq!(unbounds(&asks(&mut world, &question(&maria(), 229))), []);
    }

    #[test]
    fn what_accepts_connections_itself_is_nobodys_to_end() {
        let mut world = world();
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        let mut asked = question(&maria(), 200);
        asked.asking.as_mut().unwrap().parent = 1;
        let events = asks(&mut world, &asked);
        let hers = world.state.sessions()[0].id;
        assert_eq!(unbounds(&events), [(hers, true)]);
        assert!(world.state.session(hers).is_some_and(|session| session.others));
    }

    #[test]
    fn a_process_that_cannot_be_seen_or_was_there_long_before_lets_nobody_in_but_root() {
        let mut world = world();
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        world.now.boot = 1_000_000;
        let answer = |world: &World, question: &Question| {
            can_end(&world.policy, &world.state, question, world.ask(question), &world.now).why()
        };
        let started = |before: u64| {
            let mut asked = question(&maria(), 229);
            asked.asking.as_mut().unwrap().process.start = (1_000_000 - before) / 10;
            asked
        };
        assert_eq!(answer(&world, &started(120_000)), Why::Window);
        assert_eq!(answer(&world, &started(120_010)), Why::NotEnclosed);
        let unseen = Question { asking: None, ..question(&maria(), 229) };
        assert_eq!(answer(&world, &unseen), Why::NotEnclosed);
        // Whoever asks about themselves, and a service where no process ends.
        let own = Question { caller_uid: maria().uid, ..unseen.clone() };
        assert_eq!(answer(&world, &own), Why::Window);
        let postgres = Question { asker: Some("postgres".parse().unwrap()), ..own };
        assert_eq!(answer(&world, &postgres), Why::NotEnclosed);
        // One that is in already may ask again.
        asks(&mut world, &started(1_000));
        world.now.boot += 500_000;
        assert_eq!(answer(&world, &started(1_000)), Why::Window);
        world.policy = policy(POLICY);
        assert_eq!(answer(&world, &unseen), Why::Window);
    }

    #[test]
    fn a_process_that_lets_in_at_another_service_or_somebody_by_a_shared_account_is_no_one_connections() {
        let mut world = world();
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        asks(&mut world, &question(&maria(), 229));
        let hers = world.state.sessions()[0].id;
        let asking = question(&maria(), 229).asking.unwrap();
        let known = world.state.sessions()[0].login.clone();
        let people = world.policy.people();
        let then = |login: &Login| unbounds(&serves_another(people, &world.state, &asking, login));
        assert_eq!(then(&known), []);
        assert_eq!(then(&Login { service: "sudo".parse().unwrap(), ..known.clone() }), [(hers, true)]);
        assert_eq!(then(&Login { person: Some("olga".parse().unwrap()), ..known }), [(hers, true)]);
    }

    #[test]
    fn of_what_runs_in_no_service_it_is_not_claimed_that_all_ends() {
        let mut world = world();
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        for (pid, group) in
            [(231, "/user.slice/user-1001.slice/user@1001.service"), (232, "/system.slice/ftp.service/sub")]
        {
            let mut asked = question(&maria(), pid);
            asked.asking.as_mut().unwrap().group = group.to_owned();
            let events = asks(&mut world, &asked);
            let found = unbounds(&events);
            assert!(matches!(found[..], [(_, false)]), "{group}: {found:?}");
        }
    }
}
