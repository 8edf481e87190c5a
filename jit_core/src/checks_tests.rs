//! What a check takes from today's policy, from the clock and from the uses that are left.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::gate::Stage;

use crate::check::decide::Answer;
use crate::due;
use crate::event::Event;
use crate::model::{EndWhy, Why};
use crate::policy::Policy;
use crate::testing::{World, as_self, maria, policy, root, subject};
use crate::testing::{at, at_next_boot};

const HOUR: Duration = Duration::from_hours(1);

/// One role, whose terms are these lines.
fn role(lines: &str) -> Policy {
    policy(&text(lines))
}

fn text(lines: &str) -> String {
    format!(
        r#"
version = 1
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.shell]
hosts = ["*"]
eligible = {{ users = ["maria", "erik"] }}
max-duration = "4h"
default-duration = "1h"
{lines}
[[role.shell.stage]]
name = "lead"
approvers = {{ users = ["root"] }}
"#
    )
}

const LOGINS: &str = r#"services = ["login", "sshd"]"#;

fn world(lines: &str) -> World {
    let mut world = World::new();
    world.policy = role(lines);
    world
}

fn granted(lines: &str) -> World {
    let mut world = world(lines);
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    world
}

fn why(world: &World, service: &str) -> Why {
    world.check(service, &maria()).why()
}

#[test]
fn a_service_that_left_the_role_since_the_approval_admits_nobody() {
    let mut world = granted(LOGINS);
    world.policy = role(r#"services = ["login"]"#);
    assert_eq!(why(&world, "sshd"), Why::RoleChanged);
    assert_eq!(why(&world, "login"), Why::Window, "the other is still of both");
    world.policy = role(r#"services = ["cron", "login", "sshd"]"#);
    assert_eq!(why(&world, "sshd"), Why::Window);
    assert_eq!(why(&world, "cron"), Why::NoWindow, "one that came since was never approved");
}

#[test]
fn a_role_that_left_this_host_since_the_approval_admits_nobody() {
    let mut world = granted(LOGINS);
    world.host = crate::testing::host("web-1");
    assert_eq!(why(&world, "sshd"), Why::Window);
    world.policy = policy(&text(LOGINS).replace("hosts = [\"*\"]", "hosts = [\"db-*\"]"));
    assert_eq!(why(&world, "sshd"), Why::RoleChanged);
    world.host = crate::testing::host("db-1");
    assert_eq!(why(&world, "sshd"), Why::Window);
}

#[test]
fn a_window_goes_on_after_a_restart_only_where_the_approved_role_and_todays_both_say_so() {
    let survives = format!("{LOGINS}\nsurvives-reboot = true");
    for (approved, today, expected) in [
        (survives.as_str(), survives.as_str(), Why::Window),
        (survives.as_str(), LOGINS, Why::NoWindow),
        (LOGINS, survives.as_str(), Why::NoWindow),
    ] {
        let mut world = granted(approved);
        world.policy = role(today);
        assert_eq!(why(&world, "sshd"), Why::Window, "before the restart");
        world.now = at_next_boot(world.now.wall.plus(HOUR / 2).unix_millis(), 60_000);
        assert_eq!(why(&world, "sshd"), expected, "{approved} / {today}");
    }
}

#[test]
fn of_several_windows_with_counted_uses_the_one_that_ends_first_is_spent() {
    for hours in [[1, 3], [3, 1]] {
        let mut world = world(&format!("{LOGINS}\nuses = 1"));
        let ids = hours.map(|n| world.grant(&as_self(root()), maria(), "shell", Some(HOUR * n)).unwrap());
        world.log_in(&World::question("sshd", &maria(), Stage::Account));
        let used = ids.map(|id| world.state.grant(id.into()).unwrap().used);
        assert_eq!(used, hours.map(|n| u32::from(n == 1)), "{hours:?}");
    }
}

#[test]
fn of_two_windows_that_end_together_the_one_that_opened_first_is_taken() {
    for uses in ["", "uses = 1"] {
        let mut world = world(&format!("{LOGINS}\n{uses}"));
        let ids = [(); 2].map(|()| world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap());
        let question = World::question("sshd", &maria(), Stage::Account);
        let Answer::Allow(taken) = world.ask(&question) else { panic!("{uses}") };
        assert_eq!(taken.grant, ids[0].into(), "{uses}");
    }
}

#[test]
fn an_end_that_a_check_notices_stays_though_the_clock_steps_back() {
    let mut world = granted(LOGINS);
    let before = world.now.clone();
    assert_eq!(due::of(&world.state, maria().uid, &world.now), [], "it is open");
    // The wall clock alone says that the hour is over, and no timer has looked since.
    world.now = at(before.wall.plus(HOUR).unix_millis(), before.boot + 1);
    let erik = subject("erik", 1002);
    assert_eq!(due::of(&world.state, erik.uid, &world.now), [], "nobody else's check looks at it");
    let noticed = due::of(&world.state, maria().uid, &world.now);
    assert!(matches!(noticed[..], [Event::Ended { why: EndWhy::Expired, .. }]), "{noticed:?}");
    world.apply(noticed);
    world.now = at(before.wall.unix_millis(), before.boot + 2);
    assert_eq!(why(&world, "sshd"), Why::NoWindow);
}

#[test]
fn a_beginning_that_a_check_notices_stays_though_the_clock_steps_back() {
    let mut world = world(LOGINS);
    let before = world.now.clone();
    let order = crate::orders::request::RequestOrder {
        beneficiary: maria(),
        role: "shell".parse().unwrap(),
        duration: None,
        start: Some(before.wall.plus(HOUR)),
        reason: "INC-1".parse().unwrap(),
        id: world.next_id(),
    };
    let events = crate::orders::request::grant(world.here(), &as_self(root()), order).unwrap();
    world.apply(events);
    assert_eq!(due::of(&world.state, maria().uid, &world.now), [], "it waits");
    world.now = at(before.wall.plus(HOUR).unix_millis(), before.boot + 1);
    let noticed = due::of(&world.state, maria().uid, &world.now);
    assert!(matches!(noticed[..], [Event::Began { .. }]), "{noticed:?}");
    world.apply(noticed);
    world.now = at(before.wall.unix_millis(), before.boot + 2);
    assert_eq!(why(&world, "sshd"), Why::Window);
}

#[test]
fn every_reason_is_one_word_of_its_own_in_records_and_answers_alike() {
    let words: BTreeSet<_> = Why::ALL.iter().map(|why| why.as_str()).collect();
    assert_eq!(words.len(), Why::ALL.len());
    for why in Why::ALL {
        assert_eq!(serde_json::to_value(why).unwrap(), why.as_str());
        assert_eq!(why.to_string(), why.as_str());
    }
}
