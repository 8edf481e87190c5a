//! What a lock takes from whom, who is told of it, and in which words (law 10).

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::words::{GroupName, UserName};

use crate::event::Event;
use crate::model::{EndWhy, Scope, Why};
use crate::orders::lock::end_of_members;
use crate::policy::Subject;
use crate::testing::{World, as_self, maria, policy, root, subject};

const SITE: &str = r#"
version = 1
[people]
maria = { accounts = ["maria", "adm-maria"] }
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria", "adm-maria", "erik"] }
max-duration = "4h"
default-duration = "1h"
[[role.shell.stage]]
name = "lead"
approvers = { users = ["root"] }
"#;

const HOUR: Duration = Duration::from_hours(1);

fn erik() -> Subject {
    subject("erik", 1002)
}

fn second_account() -> Subject {
    subject("adm-maria", 2001)
}

/// A world with a window for each.
fn world(people: &[Subject]) -> World {
    let mut world = World::new();
    world.policy = policy(SITE);
    for who in people {
        world.grant(&as_self(root()), who.clone(), "shell", None).unwrap();
    }
    world
}

fn checked(world: &World, who: &Subject) -> Why {
    world.check("sshd", who).why()
}

fn ops() -> GroupName {
    "ops".parse().unwrap()
}

/// Whose windows end, when these people turn out to be in the group that was locked.
fn ended(world: &World, members: &[Subject]) -> Vec<UserName> {
    let members: BTreeSet<_> = members.iter().map(|who| who.name.clone()).collect();
    let events = end_of_members(world.here(), &ops(), &members);
    let ended = events.into_iter().map(|event| match event {
        Event::Ended { grant, why: EndWhy::Locked, .. } => world.state.grant(grant).unwrap().user.clone(),
        other => panic!("{other:?}"),
    });
    ended.collect()
}

#[test]
fn a_lock_on_one_account_ends_the_windows_of_the_persons_other_account_and_nobody_elses() {
    let mut world = world(&[maria(), second_account(), erik()]);
    world.lock("user:maria", None);
    let left: Vec<_> = world.state.grants().map(|grant| grant.user.as_str()).collect();
    assert_eq!(left, ["erik"]);
    world.unlock("user:maria");
    assert_eq!(checked(&world, &second_account()), Why::NoWindow, "what it ended stays ended");
    assert_eq!(checked(&world, &erik()), Why::Window);
}

#[test]
fn a_lock_on_a_group_ends_the_windows_of_its_members_and_of_nobody_else() {
    let mut world = world(&[maria(), erik()]);
    world.lock("group:ops", None);
    assert_eq!(ended(&world, &[erik()]), [erik().name]);
    assert_eq!(ended(&world, &[subject("olga", 1004)]), []);
}

#[test]
fn a_lock_that_is_lifted_before_its_members_are_known_ends_no_window() {
    let mut world = world(&[erik()]);
    world.lock("group:dba", None);
    assert_eq!(ended(&world, &[erik()]), [], "a lock on another group");
    world.lock("group:ops", None);
    assert_eq!(ended(&world, &[erik()]), [erik().name]);
    world.unlock("group:ops");
    assert_eq!(ended(&world, &[erik()]), []);
    assert_eq!(checked(&world, &erik()), Why::Window);
}

#[test]
fn people_are_told_of_locks_on_services_and_roles_and_of_those_that_keep_themselves_out() {
    let in_ops = Subject { groups: [ops()].into(), ..maria() };
    for (scope, is_told) in [
        ("user:maria", true),
        ("user:adm-maria", true),
        ("user:erik", false),
        ("group:ops", true),
        ("group:dba", false),
        ("service:cron", true),
        ("role:shell", true),
        ("host", true),
    ] {
        let mut world = world(&[]);
        world.lock(scope, None);
        let lock = world.state.locks().values().next().unwrap();
        assert_eq!(lock.concerns(&in_ops, world.policy.people()), is_told, "{scope}");
    }
}

#[test]
fn whoever_runs_into_a_lock_is_told_what_is_locked_by_whom_until_when_and_why() {
    let mut world = world(&[]);
    let refusal = |world: &World| world.state.locks().values().next().unwrap().refusal();
    world.lock("user:maria", Some(HOUR));
    let text = refusal(&world);
    let until = world.now.wall.plus(HOUR).to_seconds();
    for part in ["locked", "user:maria", "by root", until.as_str(), "INC-9 under investigation"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    world.lock("user:maria", None);
    let text = refusal(&world);
    assert!(text.contains("user:maria") && !text.contains(&until), "it has no end: {text}");
}

#[test]
fn a_lock_holds_until_the_millisecond_in_which_its_time_is_over() {
    let mut world = world(&[]);
    world.lock("role:shell", Some(HOUR));
    let role = "shell".parse().unwrap();
    let holds = |world: &World| world.state.locked(&world.now).on_role(&role).is_some();
    world.wait(Duration::from_millis(3_599_999));
    assert!(holds(&world));
    assert_eq!(crate::due::next(world.here()), Some(Duration::from_millis(1)));
    world.wait(Duration::from_millis(1));
    assert!(!holds(&world));
}

#[test]
fn every_lock_reads_back_as_it_was_written_and_nothing_else_reads_as_one() {
    for text in ["user:maria", "group:ops", "service:sshd", "role:shell", "host"] {
        let scope: Scope = text.parse().unwrap();
        assert_eq!(scope.to_string(), text);
        assert_eq!(serde_json::to_value(&scope).unwrap(), text);
        assert_eq!(serde_json::from_value::<Scope>(text.into()).unwrap(), scope);
    }
    for bad in ["", "maria", "hosts", "host:db-1", "user:", "users:maria"] {
        assert!(bad.parse::<Scope>().is_err(), "{bad}");
    }
}
