//! `until`: from that day on nobody asks for the role, nothing of it opens, and its windows are over.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::RequestId;

use crate::check::explain::{Missing, explain};
use crate::check::login_request::options;
use crate::event::Event;
use crate::model::Known;
use crate::model::{Decision, EndReason, Why};
use crate::orders::request::{ExtendOrder, RequestOrder, extend, file};
use crate::orders::{NotNow, Refusal};
use crate::sessions::coverage::{is_shut, judge};
use crate::testing::{World, as_self, maria, policy, root, subject};
use crate::time::Suspicion;

const HOUR: Duration = Duration::from_hours(1);

/// Its last day is the 27th in Berlin, where it is an hour later than in Greenwich.
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
hours = [{ tz = "Europe/Berlin" }]
until = 2027-02-28
[[role.shell.stage]]
name = "lead"
approvers = { users = ["root", "olga"] }
"#;

const MORE: &str = r#"
[role.first]
hosts = ["*"]
services = ["su"]
eligible = { users = ["maria"] }
max-duration = "4h"
starts = "at-first-use"
lapse = "24h"
until = 2027-02-28
[[role.first.stage]]
name = "lead"
approvers = { users = ["root", "olga"] }
[role.urgent]
hosts = ["*"]
services = ["login"]
eligible = { users = ["maria"] }
max-duration = "4h"
emergency = true
until = 2027-02-28
[[role.urgent.stage]]
name = "lead"
approvers = { users = ["root", "olga"] }
"#;

fn world(time: &str) -> World {
    let mut world = World::new();
    world.policy = policy(&format!("{SITE}{MORE}"));
    world.now.wall = time.parse().unwrap();
    world
}

fn ask(
    world: &mut World,
    role: &str,
    ahead: Option<Duration>,
    duration: Duration,
) -> Result<RequestId, Refusal> {
    let id = world.next_id();
    let order = RequestOrder {
        beneficiary: maria(),
        role: role.parse().unwrap(),
        duration: Some(duration),
        start: ahead.map(|ahead| world.now.wall.plus(ahead)),
        reason: "INC-1 look".parse().unwrap(),
        id,
    };
    let events = file(world.here(), &as_self(maria()), order)?;
    world.apply(events);
    Ok(id)
}

fn more(world: &mut World, of: RequestId) -> Result<RequestId, Refusal> {
    let id = world.next_id();
    let reason = "INC-1 longer".parse().unwrap();
    let order = ExtendOrder { beneficiary: maria(), grant: of.into(), duration: Some(HOUR), reason, id };
    let events = extend(world.here(), &as_self(maria()), order)?;
    world.apply(events);
    Ok(id)
}

fn left(world: &World) -> Option<Duration> {
    world.check("sshd", &maria()).admission().map(|admits| admits.remaining)
}

fn not_now(result: Result<RequestId, Refusal>) -> NotNow {
    match result {
        Err(Refusal::NotNow(why)) => *why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nobody_asks_for_a_role_from_its_day_on_by_the_clock_of_its_hours() {
    let mut world = world("2027-02-27T22:59:59Z");
    ask(&mut world, "shell", None, HOUR).unwrap();
    world.wait(Duration::from_secs(1));
    let why = not_now(ask(&mut world, "shell", None, HOUR));
    assert_eq!(
        why.to_string(),
        "role 'shell' ended on 2027-02-28 (Europe/Berlin): nobody can ask for it, and nothing of it opens; an admin (root) \
         can give it a later `until`"
    );
    // Without hours the day is UTC's, which is an hour behind.
    ask(&mut world, "first", None, HOUR).unwrap();
    let by_admin = world.grant(&as_self(root()), maria(), "shell", None);
    assert_eq!(not_now(by_admin), why);
}

#[test]
fn a_window_that_opens_is_cut_at_the_day_and_an_open_one_ends_then() {
    let mut world = world("2027-02-27T21:00:00Z");
    let id = ask(&mut world, "shell", None, HOUR * 4).unwrap();
    assert!(world.review(&root(), id, Decision::Approve).unwrap());
    assert_eq!(world.state.grant(id.into()).unwrap().length(), HOUR * 2);
    assert_eq!(left(&world), Some(HOUR * 2));
    world.wait(HOUR * 2);
    assert_eq!(left(&world), None);
    assert!(world.state.grant(id.into()).is_none(), "it has ended, and nothing of it is left to open again");
}

#[test]
fn what_waits_lapses_with_the_day_and_no_approval_opens_it() {
    let mut world = world("2027-02-27T22:30:00Z");
    let id = ask(&mut world, "shell", None, HOUR).unwrap();
    // Nobody has looked at what is due.
    world.now = world.now.later(HOUR);
    let late = world.review(&root(), id, Decision::Approve);
    assert!(matches!(late, Err(Refusal::NotNow(why)) if matches!(*why, NotNow::Ended { .. })));
    world.settle();
    assert!(world.state.pending().is_empty());
    assert!(
        world.log.iter().any(|record| matches!(record.event, Event::Lapsed { request, .. } if request == id))
    );
}

#[test]
fn a_window_that_waits_for_its_first_login_or_its_time_is_over_with_the_day() {
    let mut world = world("2027-02-27T20:00:00Z");
    let first = ask(&mut world, "first", None, HOUR * 4).unwrap();
    let later = ask(&mut world, "shell", Some(HOUR * 2), HOUR * 4).unwrap();
    for id in [first, later] {
        world.review(&root(), id, Decision::Approve).unwrap();
    }
    let no_sooner = not_now(ask(&mut world, "shell", Some(HOUR * 3), HOUR));
    assert!(matches!(no_sooner, NotNow::Ends { .. }), "{no_sooner}");
    world.wait(HOUR * 2 + HOUR / 2);
    assert_eq!(left(&world), Some(HOUR / 2));
    world.log_in(&World::question("su", &maria(), Stage::Account));
    assert_eq!(world.state.grant(first.into()).unwrap().length(), HOUR + HOUR / 2, "until midnight of UTC");
    world.wait(HOUR * 2);
    assert_eq!(world.state.grants().count(), 0);
}

#[test]
fn a_late_approval_leaves_what_is_left_of_the_time_until_the_day() {
    let mut world = world("2027-02-27T19:00:00Z");
    let id = ask(&mut world, "shell", Some(HOUR / 2), HOUR * 4).unwrap();
    world.wait(HOUR * 2);
    world.review(&root(), id, Decision::Approve).unwrap();
    assert_eq!(
        left(&world),
        Some(HOUR * 2),
        "it is nine, and ends at eleven, half an hour before the four were over"
    );
    world.wait(HOUR * 2);
    assert_eq!(left(&world), None);
}

#[test]
fn an_extension_gives_nothing_past_the_day() {
    let mut world = world("2027-02-27T21:30:00Z");
    let id = ask(&mut world, "shell", None, HOUR).unwrap();
    world.review(&root(), id, Decision::Approve).unwrap();
    let longer = more(&mut world, id).unwrap();
    world.review(&root(), longer, Decision::Approve).unwrap();
    world.wait(HOUR);
    assert_eq!(left(&world), Some(HOUR / 2));
    assert!(matches!(not_now(more(&mut world, longer)), NotNow::Ends { .. }), "that one reaches the day");
    world.wait(HOUR / 2);
    assert_eq!(left(&world), None);
}

#[test]
fn an_emergency_role_that_has_ended_opens_no_more_and_one_that_has_not_is_cut() {
    let mut world = world("2027-02-27T23:00:00Z");
    let id = ask(&mut world, "urgent", None, HOUR * 4).unwrap();
    assert_eq!(world.state.grant(id.into()).unwrap().length(), HOUR);
    world.wait(HOUR);
    assert!(matches!(not_now(ask(&mut world, "urgent", None, HOUR)), NotNow::Ended { .. }));
    assert!(world.state.owed().contains_key(&id), "what was opened is owed all the same");
    world.review(&root(), id, Decision::Approve).unwrap();
    assert!(world.state.owed().is_empty());
}

#[test]
fn a_clock_that_is_suspect_says_of_no_role_that_it_has_ended() {
    let mut world = world("2027-03-05T00:00:00Z");
    assert!(ask(&mut world, "urgent", None, HOUR).is_err());
    world.now.suspect = Some(Suspicion::Ahead);
    let id = ask(&mut world, "urgent", None, HOUR).unwrap();
    assert_eq!(world.state.grant(id.into()).unwrap().length(), HOUR);
    // And what waits is not lapsed on its word.
    let waits = ask(&mut world, "shell", None, HOUR).unwrap();
    world.settle();
    assert!(world.state.pending().contains_key(&waits));
    assert!(matches!(world.review(&root(), waits, Decision::Approve), Err(Refusal::ClockSuspect(_))));
}

#[test]
fn a_day_that_policy_sets_later_shortens_windows_that_are_open_and_shuts_them_when_it_comes() {
    let mut world = world("2027-02-20T10:00:00Z");
    let id = ask(&mut world, "shell", None, HOUR * 4).unwrap();
    world.review(&root(), id, Decision::Approve).unwrap();
    world.policy = policy(&SITE.replace("until = 2027-02-28", "until = 2027-02-20"));
    assert_eq!(world.check("sshd", &maria()).why(), Why::RoleChanged);
    let grant = world.state.grant(id.into()).unwrap();
    assert!(is_shut(world.here(), grant, &Known::Fully(maria())), "what is left of them ends");
    world.policy = policy(SITE);
    assert_eq!(left(&world), Some(HOUR * 4));
    // A later day lengthens nothing that was cut.
    let mut world = super::until_tests::world("2027-02-27T22:00:00Z");
    let id = ask(&mut world, "shell", None, HOUR * 4).unwrap();
    world.review(&root(), id, Decision::Approve).unwrap();
    world.policy = policy(&SITE.replace("2027-02-28", "2027-12-31"));
    assert_eq!(left(&world), Some(HOUR));
}

#[test]
fn sessions_end_as_at_end_says_where_the_day_was_known_and_at_once_where_it_was_set_since() {
    let keeps = SITE.replace("until =", "at-end = \"keep\"\nkeep-max = \"2h\"\nuntil =");
    let set_since = keeps.replace("2027-02-28", "2027-02-27");
    for (now, later, why, lets) in [
        ("2027-02-27T22:00:00Z", &keeps, EndReason::Expired, HOUR * 2),
        ("2027-02-27T10:00:00Z", &set_since, EndReason::RoleChanged, Duration::ZERO),
    ] {
        let mut world = world(now);
        world.policy = policy(&keeps);
        let id = ask(&mut world, "shell", None, HOUR * 4).unwrap();
        world.review(&root(), id, Decision::Approve).unwrap();
        world.log_in(&World::question("sshd", &maria(), Stage::Session));
        world.policy = policy(later);
        world.wait(HOUR);
        let [Event::SessionOver { why: found, terms, .. }] =
            &judge(world.here(), &world.state.sessions()[0], &Known::Fully(maria()))[..]
        else {
            panic!("{now}");
        };
        assert_eq!((*found, terms.term), (why, lets), "{now}");
    }
}

#[test]
fn whoever_is_refused_is_told_that_the_role_has_ended_and_is_not_offered_it() {
    let mut world = world("2027-02-28T12:00:00Z");
    world.policy = policy(SITE);
    let question = World::question("sshd", &maria(), Stage::Account);
    let explained = explain(&world.policy, &world.state, &world.host, &question, &world.now);
    assert_eq!(explained.roles[0].missing, Missing::Ended);
    assert_eq!(
        explained.line(),
        "jit: role shell does not open sshd on db-1 for maria now: it ended on 2027-02-28 (Europe/Berlin); an admin (root) \
         can give it a later `until`."
    );
    let offered =
        |world: &World| options(&world.policy, &world.state, &world.host, &question, &world.now).1.len();
    assert_eq!(offered(&world), 0);
    world.now.wall = "2027-02-26T12:00:00Z".parse().unwrap();
    assert_eq!(offered(&world), 1);
    assert_eq!(world.check("sshd", &subject("erik", 1002)).why(), Why::NotEligible);
}
