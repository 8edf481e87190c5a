//! Sessions that are bound to nothing, and those that came in without asking.

use super::*;
use crate::event::Record;
use crate::model::{Basis, Leader, Opener, Unit, Why};
use crate::sessions::coverage::tests::{HOUR, log_in, world};
use crate::testing::{World, as_self, maria, root};

const OPENER: Opener = Opener { leader: Leader { pid: 4000, start: 77 }, audit: None };

fn account(service: &str, holds_claim: bool) -> Question {
    Question { holds_claim, ..World::question(service, &maria(), Stage::Account) }
}

fn session(service: &str) -> Question {
    Question { opener: Some(OPENER), ..World::question(service, &maria(), Stage::Session) }
}

/// What follows a check without a word: the number of its record is that of its claim.
fn adopted(world: &World, grant: impl Into<jit_proto::words::GrantId>, claim: Option<u64>) -> Event {
    let grant = grant.into();
    let role = world.state.grant(grant).unwrap().role.clone();
    let login = account("sshd", false).login;
    Event::SessionAdopted { grant, role, claim, opener: OPENER, from: None, basis: Basis::default(), login }
}

#[test]
fn a_session_that_got_no_unit_is_no_session_and_its_use_is_back() {
    let mut world = world();
    let id = world.grant(&as_self(root()), maria(), "once", None).unwrap();
    for holds_claim in [false, true] {
        world.log_in(&account("su", holds_claim));
        world.log_in(&session("su"));
        assert_eq!(world.ask(&account("su", holds_claim)).why(), Why::Spent);
        let open = world.state.sessions()[0].clone();
        let refused = |returned| Event::SessionRefused {
            session: open.id,
            grant: open.grant,
            returned,
            why: "systemd does not answer".into(),
            login: open.login.clone(),
        };
        world.apply([refused(true)]);
        assert!(world.state.sessions().is_empty());
        assert_eq!(world.state.grant(id.into()).unwrap().used, 0);
    }
    world.log_in(&account("su", false));
    world.log_in(&session("su"));
    assert_eq!(world.state.sessions().len(), 1, "and the next one opens");
}

#[test]
fn of_what_was_bound_to_nothing_no_record_says_that_nothing_is_left() {
    for (service, audit, unit, is_bound) in [
        ("su", None, None, false),
        ("su", None, Some("jit-7-4000.scope"), true),
        ("sshd", None, None, false),
        ("sshd", Some(4), None, true),
        ("sshd", Some(5), None, false),
        ("sshd", None, Some("session-c4.scope"), true),
    ] {
        let mut world = world();
        let role = if service == "su" { "once" } else { "shell" };
        let id = world.grant(&as_self(root()), maria(), role, Some(HOUR)).unwrap();
        world.log_in(&account(service, false));
        world.log_in(&Question { opener: Some(Opener { audit, ..OPENER }), ..session(service) });
        let open = world.state.sessions()[0].id;
        // Ten seconds on, logind has made no scope.
        let unbound = (service, audit) == ("sshd", Some(5));
        let unbound =
            unbound.then(|| Event::SessionUnbound { session: open, why: "none".into(), others: false });
        world.apply(unbound);
        let placed = unit.map(|unit| Event::SessionPlaced { session: open, unit: unit.parse().unwrap() });
        world.apply(placed);
        let gone = Event::gone(world.state.session(open).unwrap());
        let Event::SessionGone { session, unbound, past: Some(past) } = &gone else { panic!("{gone:?}") };
        assert_eq!((*session, *unbound), (open, !is_bound), "{service} {unit:?}");
        assert_eq!(past.unit.as_ref().map(Unit::as_str), unit, "{service}");
        world.apply([gone]);
        // However long before the end of the window that was.
        world.wait(HOUR);
        assert_eq!(world.state.endings()[&id.into()].unbound, !is_bound, "{service} {unit:?}");
    }
}

#[test]
fn one_that_goes_while_its_window_is_being_ended_leaves_a_doubt_as_well() {
    let mut world = world();
    let id = world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    let open = log_in(&mut world, "sshd", &maria());
    world.wait(HOUR);
    assert!(!world.state.endings()[&id.into()].unbound);
    let gone = Event::gone(world.state.session(open).unwrap());
    world.apply([gone]);
    assert!(world.state.endings()[&id.into()].unbound);
}

#[test]
fn a_login_without_its_session_line_is_a_session_of_its_grant_and_ends_with_it() {
    let mut world = world();
    let id = world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    world.log_in(&account("sshd", false));
    let event = adopted(&world, id, None);
    world.apply([event]);
    let [open] = world.state.sessions() else { panic!("one session") };
    assert!(open.adopted && open.leader == Some(OPENER.leader));
    let known = Known::Fully(maria());
    assert_eq!(coverage(world.here(), open, &known), Coverage::Covered { left: HOUR });
    world.wait(HOUR);
    let open = &world.state.sessions()[0];
    assert_eq!(coverage(world.here(), open, &known), Coverage::Over(EndReason::Expired));
}

#[test]
fn a_login_without_its_session_line_keeps_its_use() {
    for holds_claim in [false, true] {
        let mut world = world();
        let id = world.grant(&as_self(root()), maria(), "once", Some(HOUR)).unwrap();
        let claim = world.state.next_seq();
        world.log_in(&account("sshd", holds_claim));
        let event = adopted(&world, id, Some(claim));
        world.apply([event]);
        for _ in 0..5 {
            assert_eq!(world.ask(&account("sshd", holds_claim)).why(), Why::Spent);
            world.wait(Duration::from_mins(1));
        }
        assert_eq!(world.state.grant(id.into()).unwrap().used, 1);
    }
}

#[test]
fn one_that_is_found_when_its_claim_was_void_takes_its_use_again() {
    let mut world = world();
    let id = world.grant(&as_self(root()), maria(), "once", Some(HOUR)).unwrap();
    let claim = world.state.next_seq();
    world.log_in(&account("sshd", true));
    world.wait(Duration::from_mins(1));
    assert_eq!(world.state.grant(id.into()).unwrap().used, 0, "it was returned");
    let event = adopted(&world, id, Some(claim));
    world.apply([event]);
    assert_eq!(world.state.grant(id.into()).unwrap().used, 1);
    assert_eq!(world.ask(&account("sshd", true)).why(), Why::Spent);
}

#[test]
fn a_session_line_that_comes_late_takes_the_place_of_what_was_found() {
    let mut world = world();
    let id = world.grant(&as_self(root()), maria(), "once", Some(HOUR)).unwrap();
    let claim = world.state.next_seq();
    world.log_in(&account("sshd", true));
    let event = adopted(&world, id, Some(claim));
    world.apply([event]);
    // Not for another process than the one that was found.
    let other = Opener { leader: Leader { pid: 4001, start: 78 }, audit: None };
    assert_eq!(world.ask(&Question { opener: Some(other), ..session("sshd") }).why(), Why::NoClaim);
    assert_eq!(world.ask(&Question { opener: None, ..session("sshd") }).why(), Why::NoClaim);
    world.log_in(&session("sshd"));
    let [open] = world.state.sessions() else { panic!("one session") };
    assert!(!open.adopted);
    assert_eq!(world.state.grant(id.into()).unwrap().used, 1);
}

#[test]
fn what_earlier_versions_wrote_of_sessions_reads_as_it_was() {
    let read = |text: &str| serde_json::from_str::<Event>(text).unwrap();
    let gone = read(r#"{"event":"session-gone","session":7}"#);
    assert_eq!(gone, Event::SessionGone { session: 7, unbound: false, past: None });
    assert_eq!(serde_json::to_string(&gone).unwrap(), r#"{"event":"session-gone","session":7}"#);
    let mut world = world();
    let id = world.grant(&as_self(root()), maria(), "once", None).unwrap();
    let event = adopted(&world, id, Some(3));
    for event in [event, Event::SessionGone { session: 7, unbound: true, past: None }] {
        let record = Record { seq: 9, at: world.now.clone(), actor: None, event };
        let encoded = record.encode().unwrap();
        assert_eq!(Record::decode(9, &encoded.bytes).unwrap(), record);
    }
}
