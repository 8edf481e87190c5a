//! What a suspect clock stops, and what it does not (DESIGN §6): starts, and nothing else.

#![allow(clippy::unwrap_used, clippy::unchecked_time_subtraction)]

use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{RequestId, Verdict};

use crate::check::decide::Answer;
use crate::check::explain::explain;
use crate::event::{Event, Record};
use crate::model::{Decision, Elsewhere, EndWhy, Why};
use crate::orders::Refusal;
use crate::orders::lock::{LockOrder, lock};
use crate::orders::request::{ExtendOrder, RequestOrder, extend, file};
use crate::orders::resume::elsewhere;
use crate::policy::Subject;
use crate::testing::at_next_boot;
use crate::testing::{World, as_self, maria, policy, root, subject};
use crate::time::{Moment, Suspicion, Utc};

const SITE: &str = r#"
version = 1
[admins]
users = ["root", "backup"]
[[exempt]]
users = ["backup"]
services = ["login"]
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "4h"
default-duration = "1h"
survives-reboot = true
[[role.shell.stage]]
name = "lead"
approvers = { users = ["root", "olga"] }
[role.first]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "4h"
default-duration = "1h"
starts = "at-first-use"
[[role.first.stage]]
name = "lead"
approvers = { users = ["root", "olga"] }
[role.office]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "4h"
default-duration = "1h"
hours = [{ days = "mon-sun", from = "00:00", to = "24:00", tz = "UTC" }]
[[role.office.stage]]
name = "lead"
approvers = { users = ["root", "olga"] }
[role.break-glass]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "30m"
emergency = true
[[role.break-glass.stage]]
name = "afterwards"
approvers = { users = ["olga", "root"] }
"#;

const HOUR: Duration = Duration::from_hours(1);
const YEARS: Duration = Duration::from_hours(24 * 3650);

fn world() -> World {
    let mut world = World::new();
    world.policy = policy(SITE);
    world.now.ran = Some(1_000_000);
    world
}

/// The clock becomes suspect, after a step or after none.
fn doubt(world: &mut World, why: Suspicion, wall: impl Into<Option<Utc>>) {
    let wall = wall.into().unwrap_or(world.now.wall);
    world.now = Moment { wall, suspect: Some(why), ..world.now.clone() };
    world.settle();
}

fn ten_years_ahead(world: &mut World) {
    let wall = world.now.wall.plus(YEARS);
    doubt(world, Suspicion::Ahead, wall);
}

fn an_hour_back(world: &mut World) {
    let wall = world.now.wall.minus(HOUR);
    doubt(world, Suspicion::Behind, wall);
}

/// Every clock goes on, as suspect as it is.
fn pass(world: &mut World, time: Duration) {
    world.now = world.now.later(time);
    world.settle();
}

fn trusted(world: &mut World, wall: impl Into<Option<Utc>>) {
    let wall = wall.into().unwrap_or(world.now.wall);
    world.now = Moment { wall, suspect: None, ..world.now.clone() };
    world.settle();
}

fn ask(world: &mut World, role: &str, start: Option<Utc>) -> Result<RequestId, Refusal> {
    let id = world.next_id();
    let order = RequestOrder {
        beneficiary: maria(),
        role: role.parse().unwrap(),
        duration: None,
        start,
        reason: "INC-1 look".parse().unwrap(),
        id,
    };
    let events = file(world.here(), &as_self(maria()), order)?;
    world.apply(events);
    Ok(id)
}

fn olga() -> Subject {
    subject("olga", 1004)
}

fn ssh(world: &World) -> Answer {
    world.check("sshd", &maria())
}

fn left(world: &World) -> Option<Duration> {
    ssh(world).admission().map(|admits| admits.remaining)
}

// What it stops.

#[test]
fn no_approval_is_taken_while_the_clock_is_suspect_and_a_denial_is() {
    for why in [Suspicion::Ahead, Suspicion::Behind] {
        let mut world = world();
        let (one, two) = (ask(&mut world, "shell", None).unwrap(), ask(&mut world, "office", None).unwrap());
        doubt(&mut world, why, None);
        let refusal = world.review(&olga(), one, Decision::Approve).unwrap_err();
        assert_eq!(refusal, Refusal::ClockSuspect(why));
        assert!(refusal.to_string().contains("jitctl clock accept"), "{refusal}");
        assert!(world.state.pending().contains_key(&one), "it waits");
        assert!(!world.review(&olga(), two, Decision::Deny).unwrap());
        assert!(!world.state.pending().contains_key(&two));

        trusted(&mut world, None);
        assert!(world.review(&olga(), one, Decision::Approve).unwrap());
    }
}

#[test]
fn an_admins_grant_opens_nothing_and_files_nothing() {
    let mut world = world();
    an_hour_back(&mut world);
    let refusal = world.grant(&as_self(root()), maria(), "shell", None).unwrap_err();
    assert_eq!(refusal, Refusal::ClockSuspect(Suspicion::Behind));
    assert!(world.state.pending().is_empty());
}

#[test]
fn asking_is_not_starting_but_naming_a_time_takes_a_clock() {
    let mut world = world();
    an_hour_back(&mut world);
    assert!(ask(&mut world, "shell", None).is_ok());
    let start = Some(world.now.wall.plus(HOUR));
    assert_eq!(ask(&mut world, "office", start), Err(Refusal::ClockSuspect(Suspicion::Behind)));
}

#[test]
fn a_scheduled_window_does_not_begin_until_the_clock_is_trusted_and_has_then_what_remains() {
    let mut world = world();
    let start = world.now.wall.plus(HOUR);
    let id = ask(&mut world, "shell", Some(start)).unwrap();
    world.review(&olga(), id, Decision::Approve).unwrap();
    doubt(&mut world, Suspicion::Ahead, start.plus(HOUR / 4));
    assert_eq!(ssh(&world).why(), Why::ClockSuspect);
    assert_eq!(world.state.quiet_for(world.state.grant(id.into()).unwrap(), &world.now), Duration::MAX);
    trusted(&mut world, start.plus(HOUR / 4));
    assert_eq!(left(&world), Some(HOUR / 4 * 3));
}

#[test]
fn a_first_login_opens_nothing() {
    let mut world = world();
    let id = ask(&mut world, "first", None).unwrap();
    world.review(&olga(), id, Decision::Approve).unwrap();
    an_hour_back(&mut world);
    assert_eq!(ssh(&world).why(), Why::ClockSuspect);
    let right = world.now.wall.plus(HOUR);
    trusted(&mut world, right);
    assert_eq!(left(&world), Some(HOUR));
}

#[test]
fn hours_match_at_no_time_and_whoever_comes_is_told_why() {
    let mut world = world();
    world.grant(&as_self(root()), maria(), "office", None).unwrap();
    assert_eq!(left(&world), Some(HOUR));
    doubt(&mut world, Suspicion::Behind, None);
    assert_eq!(ssh(&world).why(), Why::ClockSuspect);
    let question = World::question("sshd", &maria(), Stage::Account);
    let explained = explain(&world.policy, &world.state, &world.host, &question, &world.now);
    assert!(explained.line().contains("clock of db-1 is suspect"), "{}", explained.line());
    assert!(explained.line().contains("jitctl clock"), "{}", explained.line());
    assert!(explained.to_string().contains("office: the clock is suspect"), "{explained}");
}

// What it does not stop.

#[test]
fn an_open_window_goes_on_and_ends_by_whichever_clock_is_further() {
    let mut world = world();
    let id = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    an_hour_back(&mut world);
    pass(&mut world, HOUR / 2);
    assert_eq!(left(&world), Some(HOUR / 2), "a step back gives nothing");
    pass(&mut world, HOUR / 2);
    assert!(world.state.grant(id.into()).is_none());
    assert!(world.log.iter().any(|r| matches!(r.event, Event::Ended { why: EndWhy::Expired, .. })));

    let mut world = self::world();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    ten_years_ahead(&mut world);
    assert_eq!(ssh(&world).why(), Why::NoWindow, "a step forward takes");
    let right = world.now.wall.minus(YEARS);
    trusted(&mut world, right);
    assert_eq!(ssh(&world).why(), Why::NoWindow, "and what has ended has ended");
}

#[test]
fn a_window_that_goes_on_from_another_begins_where_that_ends() {
    let mut world = world();
    let base = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    let id = world.next_id();
    let reason = "INC-1 longer".parse().unwrap();
    let order = ExtendOrder { beneficiary: maria(), grant: base.into(), duration: Some(HOUR), reason, id };
    let events = extend(world.here(), &as_self(maria()), order).unwrap();
    world.apply(events);
    world.review(&olga(), id, Decision::Approve).unwrap();
    an_hour_back(&mut world);
    pass(&mut world, HOUR + HOUR / 4);
    assert_eq!(left(&world), Some(HOUR / 4 * 3));
}

#[test]
fn an_emergency_opens_runs_on_the_boot_clock_and_outlives_the_clock_being_put_right() {
    for wrong in ["1970-01-01T00:00:09Z", "2036-01-01T00:00:00Z"] {
        let mut world = world();
        let right = world.now.wall;
        let wall: Utc = wrong.parse().unwrap();
        doubt(&mut world, Suspicion::Behind, wall);
        let id = ask(&mut world, "break-glass", None).unwrap();
        assert_eq!(left(&world), Some(HOUR / 2), "{wrong}");
        pass(&mut world, HOUR / 4);
        trusted(&mut world, right);
        assert_eq!(left(&world), Some(HOUR / 4), "{wrong}");
        pass(&mut world, HOUR / 4);
        assert_eq!(ssh(&world).why(), Why::NoWindow, "{wrong}");
        assert!(world.state.owed().contains_key(&id), "its review is owed");
    }
}

#[test]
fn the_review_that_an_emergency_owes_is_taken_whichever_it_is() {
    for decision in [Decision::Approve, Decision::Deny] {
        let mut world = world();
        an_hour_back(&mut world);
        let id = ask(&mut world, "break-glass", None).unwrap();
        world.review(&olga(), id, decision).unwrap();
        assert!(world.state.owed().is_empty());
        assert_eq!(left(&world).is_some(), decision == Decision::Approve);
    }
}

#[test]
fn a_lock_that_was_set_by_a_wrong_clock_holds_for_its_time_and_no_longer() {
    for wrong in ["1970-01-01T00:00:09Z", "2036-01-01T00:00:00Z"] {
        let mut world = world();
        let right = world.now.wall;
        let wall: Utc = wrong.parse().unwrap();
        doubt(&mut world, Suspicion::Ahead, wall);
        let order = LockOrder {
            scope: "host".parse().unwrap(),
            message: None,
            duration: Some(HOUR),
            uids: [].into(),
        };
        let events = lock(world.here(), &as_self(root()), order).unwrap();
        world.apply(events);
        trusted(&mut world, right);
        pass(&mut world, HOUR - Duration::from_millis(1));
        assert_eq!(ssh(&world).why(), Why::Locked, "{wrong}");
        pass(&mut world, Duration::from_millis(1));
        assert_eq!(ssh(&world).why(), Why::NoWindow, "{wrong}");
    }
}

// Reboots.

fn rebooted(world: &World, off: Duration) -> Moment {
    let up = 30_000;
    let next = at_next_boot(world.now.wall.plus(off).unix_millis(), up);
    Moment { ran: world.now.ran.map(|ran| ran + up), ..next }
}

#[test]
fn a_window_goes_on_after_a_reboot_only_while_its_role_says_so_today() {
    let mut world = world();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    world.now = rebooted(&world, HOUR / 2);
    world.settle();
    assert_eq!(left(&world), Some(HOUR / 2));
    world.policy = policy(&SITE.replace("survives-reboot = true", ""));
    assert_eq!(ssh(&world).why(), Why::NoWindow, "the stricter of then and today");

    let mut world = self::world();
    world.policy = policy(&SITE.replace("survives-reboot = true", ""));
    let id = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    world.policy = policy(SITE);
    world.now = rebooted(&world, Duration::ZERO);
    world.settle();
    assert!(world.state.grant(id.into()).is_none());
    assert!(world.log.iter().any(|r| matches!(r.event, Event::Ended { why: EndWhy::Reboot, .. })));
}

#[test]
fn an_end_that_nobody_was_there_to_see_is_seen_afterwards() {
    let mut world = world();
    let id = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    // jitd was down, or the machine was, and the clock has been stepped back since.
    world.now = Moment { wall: world.now.wall.minus(HOUR), ..world.now.later(HOUR) };
    assert_eq!(ssh(&world).verdict(), Verdict::Deny);
    world.settle();
    assert!(world.state.grant(id.into()).is_none());
}

// Records.

#[test]
fn a_record_says_what_the_clock_was_worth_and_an_old_one_reads_and_writes_as_it_was() {
    let old = br#"{"seq":7,"time":"2026-11-23T06:50:33.12Z","boot_ms":5,"boot_id":"6f8e4c1a-0000-4000-8000-00000000000a+9","event":"stopped"}"#;
    let record = Record::decode(7, old).unwrap();
    assert!(record.at.is_trusted() && record.at.ran.is_none() && record.at.synced.is_none());
    assert_eq!(record.encode().unwrap().bytes, old);

    let at =
        Moment { ran: Some(9), suspect: Some(Suspicion::Ahead), synced: Some(false), ..record.at.clone() };
    let told = Record { at, ..record }.encode().unwrap().bytes;
    let text = String::from_utf8(told.clone()).unwrap();
    assert!(text.contains(r#""ran_ms":9,"clock":"ahead","synced":false,"event":"stopped""#), "{text}");
    assert_eq!(Record::decode(7, &told).unwrap().encode().unwrap().bytes, told);
}

#[test]
fn a_grant_of_before_reads_and_writes_as_it_was() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    let text = serde_json::to_string(world.state.grants().next().unwrap()).unwrap();
    for new in ["survives", "ran_ms", "clock", "synced"] {
        assert!(!text.contains(new), "{text}");
    }
}

#[test]
fn on_another_machine_every_window_ends_and_no_request_waits_any_longer() {
    let mut world = world();
    let survives = ask(&mut world, "first", None).unwrap();
    assert!(world.review(&olga(), survives, Decision::Approve).unwrap());
    assert_eq!(world.state.grants().count(), 1);
    let waits = ask(&mut world, "shell", None).unwrap();
    world.now = at_next_boot(world.now.wall.unix_millis(), 1_000);
    world.settle();
    assert_eq!(world.state.grants().count(), 1, "a restart does not end it");
    let events = elsewhere(&world.state, Elsewhere::WentBack);
    assert_eq!(
        events,
        [
            Event::Elsewhere { how: Elsewhere::WentBack },
            Event::Ended { grant: survives.into(), why: EndWhy::OtherMachine, reason: None },
            Event::Lapsed { request: waits, stage: None },
        ]
    );
    world.apply(events);
    assert_eq!((world.state.grants().count(), world.state.pending().len()), (0, 0));
    assert_eq!(elsewhere(&world.state, Elsewhere::WentBack).len(), 1);
}
