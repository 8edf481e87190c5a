//! Tickets that have to be known: which open a window, and until when.

use std::time::Duration;

use crate::event::Event;
use crate::model::{Decision, Request};
use crate::orders::request::{self, RequestOrder};
use crate::orders::{NotNow, Refusal};
use crate::policy::SourceFile;
use crate::testing::{World, as_self, maria, subject};
use crate::tickets::{Register, Unknown};

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile { name: name.to_owned(), bytes: text.as_bytes().to_vec() }
}

fn register(text: &str) -> Register {
    Register::read(&[file("a.toml", text)])
}

/// Why a ticket is not one that counts for `shell` on db-1 at that time.
fn why(register: &Register, ticket: &str, at: &str) -> Option<Unknown> {
    let (host, at) = (crate::testing::host("db-1"), at.parse().unwrap());
    register.look_up(Some(ticket), &"shell".parse().unwrap(), &host, at).err()
}

const LISTED: &str = r#"
["CHG-1"]
from = 2026-11-23T08:00:00Z
to = "2026-11-23T18:00:00+01:00"
["CHG-2"]
to = 2026-11-23T18:00:00Z
hosts = ["web-*", "@prod"]
["CHG-3"]
to = 2026-11-23T18:00:00Z
hosts = ["db-*"]
roles = ["deploy"]
["CHG-4"]
to = 2026-11-23T18:00:00Z
hosts = ["DB-1"]
roles = ["deploy", "shell"]
"#;

#[test]
fn a_ticket_counts_for_its_hosts_its_roles_and_its_time_which_is_half_open() {
    let register = register(LISTED);
    assert_eq!(register.fault(), None);
    let noon = "2026-11-23T12:00:00Z";
    assert_eq!(why(&register, "CHG-1", noon), None);
    assert_eq!(why(&register, "CHG-1", "2026-11-23T08:00:00Z"), None);
    assert!(matches!(why(&register, "CHG-1", "2026-11-23T07:59:59Z"), Some(Unknown::Early(_))));
    assert_eq!(why(&register, "CHG-1", "2026-11-23T16:59:59Z"), None);
    assert!(matches!(why(&register, "CHG-1", "2026-11-23T17:00:00Z"), Some(Unknown::Over(_))));
    assert_eq!(why(&register, "CHG-2", noon), Some(Unknown::OtherHost));
    assert_eq!(why(&register, "CHG-3", noon), Some(Unknown::OtherRole));
    assert_eq!(why(&register, "CHG-4", noon), None);
    for other in ["CHG-5", "chg-1", "CHG-1 ", ""] {
        assert_eq!(why(&register, other, noon), Some(Unknown::Unlisted), "{other}");
    }
    let host = crate::testing::host("db-1");
    let until = register.look_up(Some("CHG-1"), &"shell".parse().unwrap(), &host, noon.parse().unwrap());
    assert_eq!(until, Ok(Some("2026-11-23T17:00:00Z".parse().unwrap())));
}

#[test]
fn a_ticket_that_two_files_list_does_not_count_and_the_others_do() {
    let one = "[\"CHG-1\"]\nto = 2026-11-23T18:00:00Z\n[\"CHG-2\"]\nto = 2026-11-23T18:00:00Z\n";
    let other = "[\"CHG-1\"]\nto = 2036-11-23T18:00:00Z\n";
    let register = Register::read(&[file("a.toml", one), file("b.toml", other)]);
    let twice = Unknown::Twice("a.toml".into(), "b.toml".into());
    assert_eq!(why(&register, "CHG-1", "2026-11-23T12:00:00Z"), Some(twice));
    assert_eq!(why(&register, "CHG-2", "2026-11-23T12:00:00Z"), None);
}

#[test]
fn of_a_register_with_a_mistake_nothing_counts() {
    for (text, says) in [
        ("[\"CHG-1\"]\n", "missing field `to`"),
        ("[\"CHG-1\"]\nto = 2026-11-23T18:00:00\n", "is no time with a zone"),
        ("[\"CHG-1\"]\nto = 2026-11-23\n", "is no time with a zone"),
        ("[\"CHG-1\"]\nto = \"soon\"\n", "is no time with a zone"),
        ("[\"CHG-1\"]\nto = 2026-11-23T18:00:00Z\nuntil = 1\n", "unknown field `until`"),
        ("[\"CHG-1\"]\nto = 2026-11-23T18:00:00Z\nhosts = [\"a b\"]\n", "a host pattern has ' '"),
        ("[\"CHG-1\"]\nto = 2026-11-23T18:00:00Z\nroles = [\"A B\"]\n", "role name"),
        ("[\"CHG-1\"]\n[\"CHG-1\"]\n", "duplicate"),
        ("[", "a.toml: "),
    ] {
        let register = Register::read(&[file("0.toml", LISTED), file("a.toml", text)]);
        let fault = register.fault().unwrap_or_else(|| panic!("{text}"));
        assert!(fault.contains(says) && fault.starts_with("a.toml: "), "{text}: {fault}");
        let gone = why(&register, "CHG-1", "2026-11-23T12:00:00Z");
        assert_eq!(gone, Some(Unknown::NoRegister(fault.to_owned())));
    }
}

fn approve(world: &mut World, asked: &Request) -> Result<bool, Refusal> {
    world.review(&subject("ana", 1002), asked.id, Decision::Approve)
}

/// A world with a role that takes known tickets alone; at noon.
fn world(lines: &str) -> World {
    let mut world = World::new();
    world.policy = crate::testing::policy(&format!(
        "version = 1\nadmins = {{ users = [\"root\"] }}\nexempt = [{{ users = [\"root\"], services = [\"login\"] }}]\n\
         [role.shell]\nhosts = [\"*\"]\nservices = [\"sshd\"]\neligible = {{ users = [\"maria\"] }}\nmax-duration = \"4h\"\n\
         reason = {{ pattern = \"^(?<ticket>CHG-[0-9]+ ?) .{{4,}}\", ticket = \"known\" }}\n{lines}\n\
         stage = [{{ approvers = {{ users = [\"ana\"] }} }}]\n"
    ));
    world.now =
        crate::testing::at("2026-11-23T12:00:00Z".parse::<crate::time::Utc>().unwrap().unix_millis(), 5_000);
    world.tickets = register("[\"CHG-1\"]\nfrom = 2026-11-23T08:00:00Z\nto = 2026-11-23T14:00:00Z\n");
    world
}

fn ask(world: &mut World, reason: &str, start: Option<&str>) -> Result<Request, Refusal> {
    let maria = maria();
    let order = RequestOrder {
        beneficiary: maria.clone(),
        role: "shell".parse().unwrap(),
        duration: Some(Duration::from_hours(4)),
        start: start.map(|start| start.parse().unwrap()),
        reason: reason.parse().unwrap(),
        id: world.next_id(),
    };
    let events = request::file(world.here(), &as_self(maria), order)?;
    let asked = events.iter().find_map(|event| match event {
        Event::Requested { request } => Some(request.clone()),
        _ => None,
    });
    world.apply(events);
    Ok(asked.unwrap())
}

fn refused(world: &mut World, reason: &str, start: Option<&str>) -> Unknown {
    match ask(world, reason, start) {
        Err(Refusal::NotNow(why)) => match *why {
            NotNow::Ticket { why, .. } => why,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_names_a_ticket_that_counts_when_it_would_begin() {
    let mut world = world("");
    assert_eq!(refused(&mut world, "CHG-2 restart", None), Unknown::Unlisted);
    let said = ask(&mut world, "CHG-2 restart", None).unwrap_err().to_string();
    assert_eq!(
        said,
        "role 'shell' takes a ticket that the register of this host lists, and 'CHG-2' is not listed"
    );
    assert!(matches!(refused(&mut world, "CHG-1 restart", Some("2026-11-23T14:00:00Z")), Unknown::Over(_)));
    let asked = ask(&mut world, "CHG-1 restart", None).unwrap();
    assert_eq!(asked.ticket.as_deref(), Some("CHG-1"), "without the blank");
    world.tickets = Register::unread("it is gone".into());
    assert_eq!(refused(&mut world, "CHG-1 restart", None), Unknown::NoRegister("it is gone".into()));
}

#[test]
fn a_window_is_cut_to_its_ticket_when_it_opens_and_not_afterwards() {
    let mut world = world("");
    let asked = ask(&mut world, "CHG-1 restart", None).unwrap();
    world.wait(Duration::from_hours(1));
    approve(&mut world, &asked).unwrap();
    let grant = world.state.grant(asked.id.into()).unwrap();
    assert_eq!(grant.remaining(&world.now), Duration::from_hours(1), "of four that were asked for");
    assert_eq!(grant.ticket.as_deref(), Some("CHG-1"));
    world.tickets = Register::default();
    world.wait(Duration::from_mins(59));
    assert!(world.state.grant(asked.id.into()).is_some(), "what is open stays so until its end");
    world.wait(Duration::from_mins(1));
    assert!(world.state.grant(asked.id.into()).is_none());
}

#[test]
fn what_was_asked_for_does_not_open_once_its_ticket_does_not_count() {
    for (gone, wait) in
        [(register(LISTED.trim_start()), 3), (Register::default(), 0), (Register::unread("x".into()), 0)]
    {
        let mut world = world("");
        let asked = ask(&mut world, "CHG-1 restart", None).unwrap();
        if wait == 0 {
            world.tickets = gone;
        }
        world.wait(Duration::from_hours(wait));
        let why = approve(&mut world, &asked).unwrap_err();
        let Refusal::NotNow(not_opened) = why else { panic!("{why}") };
        let NotNow::NotOpened { why, .. } = *not_opened else { panic!("{not_opened}") };
        assert!(matches!(*why, NotNow::Ticket { .. }), "{why}");
        assert!(world.state.pending().contains_key(&asked.id), "it waits on");
        // Once it counts again, so does the approval.
        world.tickets = register("[\"CHG-1\"]\nto = 2026-11-23T20:00:00Z\n");
        approve(&mut world, &asked).unwrap();
    }
}

#[test]
fn an_emergency_takes_a_known_ticket_too_and_while_the_clock_is_suspect_one_that_is_listed() {
    let mut world = world("emergency = true");
    assert_eq!(refused(&mut world, "CHG-2 it burns", None), Unknown::Unlisted);
    world.now.suspect = Some(crate::time::Suspicion::Ahead);
    assert_eq!(refused(&mut world, "CHG-2 it burns", None), Unknown::Unlisted);
    let asked = ask(&mut world, "CHG-1 it burns", None).unwrap();
    assert_eq!(world.state.grant(asked.id.into()).unwrap().remaining(&world.now), Duration::from_hours(4));
    // Others open nothing on the word of such a clock.
    let mut other = self::world("");
    other.now.suspect = Some(crate::time::Suspicion::Ahead);
    assert_eq!(refused(&mut other, "CHG-1 restart", None), Unknown::Clock);
}

#[test]
fn a_window_that_begins_with_the_hours_takes_a_ticket_that_counts_then() {
    let hours = "starts = \"with-hours\"\n\
        hours = [{ days = \"mon-fri\", from = \"18:00\", to = \"22:00\", tz = \"UTC\" }]";
    let mut world = world(hours);
    // It is over before the hours begin.
    assert!(matches!(refused(&mut world, "CHG-1 restart", None), Unknown::Over(_)));
    world.tickets = register("[\"CHG-1\"]\nfrom = 2026-11-23T18:00:00Z\nto = 2026-11-23T20:00:00Z\n");
    let asked = ask(&mut world, "CHG-1 restart", None).unwrap();
    approve(&mut world, &asked).unwrap();
    world.wait(Duration::from_hours(6));
    assert!(world.check("sshd", &maria()).admission().is_some());
    world.wait(Duration::from_hours(2));
    assert!(world.check("sshd", &maria()).admission().is_none(), "it is cut to the ticket");
}
