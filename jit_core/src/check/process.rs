//! Programs that open no session for whoever they let in, where policy says that the process that asked ends with the
//! window (`ends = "process"`): what a check makes of that process. It is in from the check on, as a session is, and is told
//! from others as the kernel had it while it waited for the answer.
//!
//! It is ended only for as long as it serves one person alone. One that asks for another as well, and is not refused, may
//! serve either of them, and nobody is ended for somebody else's end.

use crate::event::Event;
use crate::model::{Asking, Opener, Question, Session};
use crate::state::State;

/// What comes with the record of an allowed check, the last of these events: that the process is in, and what is known of
/// whom it serves.
#[must_use]
pub fn comes_in(state: &State, question: &Question, events: &[Event]) -> Vec<Event> {
    let Some(Event::Allowed { grant, role, remaining, claim, ends: Some(_), from, basis, login, .. }) =
        events.last()
    else {
        return Vec::new();
    };
    let Some(asking) = &question.asking else { return Vec::new() };
    let mut known = of_process(state, asking).filter(|known| known.login.uid == login.uid);
    if let Some(known) = known.next() {
        // It may be a worker that asks for each of their connections, or go on with the one that it has.
        let again =
            || unbound(known.id, "its process asked again: not all that it lets in may end with it", false);
        return if known.unbound { Vec::new() } else { vec![again()] };
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
    let others = serves_another(state, question);
    let of_others = of_process(state, asking).next();
    let too = of_others.map(|known| format!("its process asked for {}, too", known.login.user));
    let own = asking.serves_others().or(too).map(|why| unbound(seq, &why, true));
    [opened].into_iter().chain(own).chain(others).collect()
}

/// What it means for those whom a process has let in that it lets in another: by a window, or since policy leaves them
/// alone.
#[must_use]
pub fn serves_another(state: &State, question: &Question) -> Vec<Event> {
    let Some(asking) = &question.asking else { return Vec::new() };
    let others = of_process(state, asking)
        .filter(|known| known.login.uid != question.login.uid && !known.others)
        .map(|known| unbound(known.id, &format!("its process asked for {}, too", question.login.user), true));
    others.collect()
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
    use jit_proto::gate::Stage;

    use super::*;
    use crate::model::{ClaimKind, Leader};
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
        events.extend(comes_in(&world.state, question, &events));
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

    #[test]
    fn who_is_let_in_without_a_window_by_the_same_process_is_another_too() {
        let mut world = world();
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        asks(&mut world, &question(&maria(), 229));
        let hers = world.state.sessions()[0].id;
        let exempt = question(&subject("backup", 34), 229);
        assert_eq!(unbounds(&serves_another(&world.state, &exempt)), [(hers, true)]);
        assert_eq!(serves_another(&world.state, &question(&subject("backup", 34), 230)), []);
        assert_eq!(serves_another(&world.state, &question(&maria(), 229)), []);
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
}
