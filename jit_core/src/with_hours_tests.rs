//! `starts = "with-hours"`: what is approved at night begins in the morning, whole.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use jit_proto::words::RequestId;

use crate::model::{Begins, Decision, Time, Why};
use crate::orders::request::{RequestOrder, file};
use crate::orders::{NotNow, Refusal};
use crate::testing::{World, as_self, maria, policy, root};

const HOUR: Duration = Duration::from_hours(1);

const SITE: &str = r#"
version = 1
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "4h"
default-duration = "1h"
hours = [{ days = "mon-fri", from = "07:00", to = "19:00", tz = "Europe/Berlin" }]
starts = "with-hours"
[[role.shell.stage]]
name = "lead"
approvers = { users = ["root", "olga"] }
"#;

/// At this time; Berlin is an hour ahead of UTC.
fn world(site: &str, at: &str) -> World {
    let mut world = World::new();
    world.policy = policy(site);
    world.now.wall = at.parse().unwrap();
    world
}

fn ask(world: &mut World, start: Option<Duration>) -> Result<RequestId, Refusal> {
    let id = world.next_id();
    let order = RequestOrder {
        beneficiary: maria(),
        role: "shell".parse().unwrap(),
        duration: None,
        start: start.map(|ahead| world.now.wall.plus(ahead)),
        reason: "INC-1 look".parse().unwrap(),
        id,
    };
    let events = file(world.here(), &as_self(maria()), order)?;
    world.apply(events);
    Ok(id)
}

fn approved(world: &mut World) -> RequestId {
    let id = ask(world, None).unwrap();
    assert!(world.review(&root(), id, Decision::Approve).unwrap());
    id
}

#[test]
fn what_is_approved_at_night_begins_with_the_hours_and_lasts_as_long_as_by_day() {
    let mut world = world(SITE, "2026-11-24T01:00:00Z");
    let id = approved(&mut world);
    let grant = world.state.grant(id.into()).unwrap();
    let Time::Scheduled { scheduled } = &grant.time else { panic!("{grant:?}") };
    assert_eq!(scheduled.begins, Begins::At("2026-11-24T06:00:00Z".parse().unwrap()));
    assert_eq!(world.check("sshd", &maria()).why(), Why::NotBegun);
    world.wait(HOUR * 5);
    let left = world.check("sshd", &maria()).admission().map(|admits| admits.remaining);
    assert_eq!(left, Some(HOUR));
    world.wait(HOUR);
    assert_eq!(world.check("sshd", &maria()).why(), Why::NoWindow);
}

#[test]
fn within_the_hours_it_begins_at_once_and_over_a_weekend_on_monday() {
    let mut world = world(SITE, "2026-11-24T10:00:00Z");
    let id = approved(&mut world);
    assert!(world.state.grant(id.into()).unwrap().window().is_some());
    // Friday evening.
    let mut world = self::world(SITE, "2026-11-27T20:00:00Z");
    let id = approved(&mut world);
    let begins = &world.state.grant(id.into()).unwrap().time;
    let text = format!("{begins:?}");
    assert!(
        matches!(begins, Time::Scheduled { scheduled } if scheduled.begins
        == Begins::At("2026-11-30T06:00:00Z".parse().unwrap())),
        "{text}"
    );
}

#[test]
fn a_start_that_is_named_is_the_start_and_one_outside_the_hours_is_refused_as_ever() {
    let mut world = world(SITE, "2026-11-24T01:00:00Z");
    assert!(matches!(ask(&mut world, Some(HOUR)), Err(Refusal::OutsideHours { .. })));
    let id = ask(&mut world, Some(HOUR * 6)).unwrap();
    world.review(&root(), id, Decision::Approve).unwrap();
    let start = &world.state.grant(id.into()).unwrap().time;
    assert!(matches!(start, Time::Scheduled { scheduled } if scheduled.begins
        == Begins::At("2026-11-24T07:00:00Z".parse().unwrap())));
    // Where a window begins when it is approved, the same is refused.
    let usual = SITE.replace("starts = \"with-hours\"\n", "");
    let mut world = self::world(&usual, "2026-11-24T01:00:00Z");
    assert!(matches!(ask(&mut world, None), Err(Refusal::OutsideHours { .. })));
}

#[test]
fn limits_and_the_end_of_a_role_are_of_when_it_begins_and_not_of_when_it_is_approved() {
    let rest = SITE.replace("starts = ", "limits = { rest = \"10h\", each = 1 }\nstarts = ");
    let mut world = world(&rest, "2026-11-24T17:00:00Z");
    approved(&mut world);
    world.wait(HOUR);
    // An hour later it is evening: the next begins twelve hours after this one has ended.
    let id = approved(&mut world);
    assert!(world.state.grant(id.into()).unwrap().window().is_none());
    // Another for the same morning is one too many.
    assert!(
        matches!(ask(&mut world, None), Err(Refusal::NotNow(why)) if matches!(*why, NotNow::Each { .. } | NotNow::Rest { .. }))
    );
    let ends = SITE.replace("starts = ", "until = 2026-11-25\nstarts = ");
    let mut world = self::world(&ends, "2026-11-24T19:00:00Z");
    assert!(
        matches!(ask(&mut world, None), Err(Refusal::NotNow(why)) if matches!(*why, NotNow::Ends { .. }))
    );
}

#[test]
fn a_clock_that_is_suspect_begins_nothing_with_the_hours() {
    let mut world = world(SITE, "2026-11-24T01:00:00Z");
    approved(&mut world);
    let then = world.now.later(HOUR * 5);
    world.now = crate::time::Moment { suspect: Some(crate::time::Suspicion::Ahead), ..then };
    world.settle();
    assert!(world.check("sshd", &maria()).admission().is_none());
}
