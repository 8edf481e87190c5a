//! What a disk that is nearly full stops, and what it does not: whatever is new, and nothing that ends.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::RequestId;

use crate::check::decide::Answer;
use crate::check::explain::{Explanation, Missing, explain};
use crate::event::Event;
use crate::model::{Decision, EndWhy, Space, Why};
use crate::orders::Refusal;
use crate::orders::request::{ExtendOrder, extend};
use crate::policy::{Policy, Subject};
use crate::room::{STEADY, Watch};
use crate::testing::{POLICY, World, as_self, maria, policy, root, subject};

const MIB: u64 = 1024 * 1024;

/// So much is left of a large disk, in MiB.
const fn space(free: u64) -> Space {
    Space { free: free * MIB, size: 500_000 * MIB }
}

const FULL: Space = space(31);

fn olga() -> Subject {
    subject("olga", 1004)
}

/// The world with an emergency role besides.
fn world() -> World {
    let mut world = World::new();
    world.policy = with_an_emergency_role();
    world
}

fn with_an_emergency_role() -> Policy {
    let emergency = r#"
[role.break-glass]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "1h"
emergency = true
[[role.break-glass.stage]]
name = "afterwards"
approvers = { users = ["olga"] }
"#;
    policy(&format!("{POLICY}{emergency}"))
}

/// The disk is like this, and what that means happens.
fn disk(world: &mut World, space: Space) -> Option<Event> {
    let told = Watch::default().see(&world.state, space, &world.now);
    world.apply(told.clone());
    told
}

/// There is so much room again, for long enough.
fn room_again(world: &mut World, space: Space) {
    let mut watch = Watch::default();
    assert_eq!(watch.see(&world.state, space, &world.now), None);
    world.wait(STEADY);
    let told = watch.see(&world.state, space, &world.now);
    assert_eq!(told, Some(Event::DiskRoom(space)));
    world.apply(told);
}

fn extends(world: &mut World, grant: RequestId) -> Result<Vec<Event>, Refusal> {
    let id = world.next_id();
    let reason = "INC-2 longer".parse().unwrap();
    let order = ExtendOrder { beneficiary: maria(), grant: grant.into(), duration: None, reason, id };
    extend(world.here(), &as_self(maria()), order)
}

#[test]
fn while_the_disk_is_nearly_full_nothing_new_is_asked_for_approved_granted_or_extended() {
    let mut world = world();
    let waits = world.file(maria(), "shell", "INC-1 look").unwrap();
    let open = world.grant(&as_self(root()), maria(), "root", None).unwrap();
    disk(&mut world, FULL);

    let refused = |outcome: Result<RequestId, Refusal>| assert_eq!(outcome, Err(Refusal::NoRoom));
    refused(world.file(maria(), "once", "INC-1 look"));
    refused(world.grant(&as_self(root()), maria(), "once", None));
    assert_eq!(world.review(&olga(), waits, Decision::Approve), Err(Refusal::NoRoom));
    assert_eq!(extends(&mut world, open), Err(Refusal::NoRoom));
    assert!(Refusal::NoRoom.to_string().contains("jitctl status"));
    assert!(world.state.pending().contains_key(&waits), "it waits");

    room_again(&mut world, space(64));
    assert!(world.review(&olga(), waits, Decision::Approve).unwrap());
    assert!(extends(&mut world, open).is_ok());
    assert!(world.file(maria(), "once", "INC-1 look").is_ok());
}

#[test]
fn while_the_disk_is_nearly_full_windows_admit_and_end_and_emergencies_open_and_are_reviewed() {
    let mut world = world();
    let [gone, denied] = ["shell", "once"].map(|role| world.file(maria(), role, "INC-1 look").unwrap());
    world.review(&olga(), gone, Decision::Approve).unwrap();
    disk(&mut world, FULL);

    assert!(world.check("sshd", &maria()).admission().is_some());
    world.revoke(gone);
    assert!(matches!(
        world.log.last().map(|record| &record.event),
        Some(Event::Ended { why: EndWhy::Revoked, .. })
    ));
    assert!(world.check("sshd", &maria()).admission().is_none());
    world.review(&root(), denied, Decision::Deny).unwrap();
    assert!(!world.state.pending().contains_key(&denied));

    let emergency = world.file(maria(), "break-glass", "INC-1 look").unwrap();
    assert!(world.check("sshd", &maria()).admission().is_some());
    world.review(&olga(), emergency, Decision::Approve).unwrap();
    assert!(world.state.owed().is_empty());
    world.lock("user:maria", None);
    assert!(world.check("sshd", &maria()).admission().is_none());
    world.unlock("user:maria");
}

#[test]
fn once_what_is_left_is_for_ends_no_window_admits_but_in_an_emergency_and_all_that_ends_does() {
    let mut world = world();
    let open = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    disk(&mut world, FULL);
    assert!(world.check("sshd", &maria()).admission().is_some());
    assert_eq!(disk(&mut world, space(2)), None);
    assert_eq!(disk(&mut world, space(1)), Some(Event::DiskShort(space(1))));
    assert_eq!(disk(&mut world, space(1)), None, "that is on record once");
    assert_eq!(world.check("sshd", &maria()), Answer::Deny(Why::NoRoom));
    assert_eq!(world.check("sshd", &olga()).why(), Why::NotEligible, "who has no window is told so");

    world.file(maria(), "break-glass", "INC-1 look").unwrap();
    let by = world.check("sshd", &maria());
    assert_ne!(by.admission().unwrap().grant, open.into(), "the emergency admits, not the other window");
    world.revoke(open);
    assert!(matches!(
        world.log.last().map(|record| &record.event),
        Some(Event::Ended { why: EndWhy::Revoked, .. })
    ));
    world.lock("user:maria", None);
    assert_eq!(world.check("sshd", &maria()), Answer::Deny(Why::Locked));
    world.unlock("user:maria");
}

#[test]
fn a_window_that_admits_nobody_for_want_of_room_admits_again_once_there_is_room() {
    let mut world = world();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    disk(&mut world, space(1));
    assert_eq!(world.check("sshd", &maria()), Answer::Deny(Why::NoRoom));
    room_again(&mut world, space(64));
    assert!(world.check("sshd", &maria()).admission().is_some());
}

#[test]
fn it_is_recorded_when_it_begins_and_ends_and_not_in_between_and_a_start_looks_anew() {
    let mut world = World::new();
    assert_eq!(disk(&mut world, space(32)), None);
    assert_eq!(disk(&mut world, FULL), Some(Event::DiskShort(FULL)));
    assert_eq!(disk(&mut world, space(2)), None);
    assert_eq!(disk(&mut world, space(63)), None, "there has to be twice as much as is kept");
    room_again(&mut world, space(64));
    assert_eq!(disk(&mut world, space(63)), None);

    disk(&mut world, FULL);
    world.apply([Event::Started { version: "1".into(), loginuid: true }]);
    assert!(!world.state.is_short_of_room());
}

#[test]
fn a_disk_that_is_filled_and_emptied_again_and_again_is_on_record_once() {
    let mut world = World::new();
    disk(&mut world, FULL);
    let mut watch = Watch::default();
    for _ in 0..5 {
        assert_eq!(watch.see(&world.state, space(64), &world.now), None);
        world.wait(STEADY.saturating_sub(Duration::from_millis(1)));
        assert_eq!(watch.see(&world.state, space(64), &world.now), None);
        assert_eq!(watch.see(&world.state, FULL, &world.now), None, "it begins anew");
        world.wait(Duration::from_mins(1));
    }
    assert_eq!(watch.see(&world.state, space(64), &world.now), None);
    world.wait(STEADY);
    assert_eq!(watch.see(&world.state, space(64), &world.now), Some(Event::DiskRoom(space(64))));
}

impl World {
    /// What is said of somebody at sshd.
    fn explained(&self, who: &Subject) -> Explanation {
        explain(
            &self.policy,
            &self.state,
            &self.host,
            &World::question("sshd", who, Stage::Account),
            &self.now,
        )
    }
}

fn missing(explained: &Explanation, role: &str) -> Missing {
    explained.roles.iter().find(|one| one.role.as_str() == role).unwrap().missing
}

/// What to do about a disk that is nearly full, as everybody is told it.
fn says_how_to_make_room(explained: &Explanation) {
    let line = explained.line();
    assert!(line.contains("nearly full") && line.contains("makes room: jitctl status"), "{line}");
    assert!(!line.contains("jitctl request") && !line.contains("jitctl approve"), "{line}");
}

#[test]
fn whoever_has_no_window_on_a_disk_that_is_nearly_full_is_told_what_opens_all_the_same() {
    let mut world = World::new();
    let maria = maria();
    assert_eq!(missing(&world.explained(&maria), "shell"), Missing::Window);
    assert!(world.explained(&maria).line().contains("jitctl request"));
    disk(&mut world, FULL);
    let explained = world.explained(&maria);
    assert_eq!(missing(&explained, "shell"), Missing::Room);
    says_how_to_make_room(&explained);

    // Where an emergency is there for them, it is that which they are told of.
    world.policy = with_an_emergency_role();
    let explained = world.explained(&maria);
    assert_eq!(missing(&explained, "shell"), Missing::Room);
    assert_eq!(missing(&explained, "break-glass"), Missing::Window);
    assert!(explained.line().contains("break-glass opens at once"), "{}", explained.line());

    room_again(&mut world, space(64));
    assert_eq!(missing(&world.explained(&maria), "shell"), Missing::Window);
}

#[test]
fn whoever_waits_on_a_disk_that_is_nearly_full_is_told_that_no_approval_opens_anything() {
    let mut world = World::new();
    let waits = world.file(maria(), "shell", "INC-1 look").unwrap();
    assert!(world.explained(&maria()).line().contains(&format!("jitctl approve {waits}")));
    disk(&mut world, FULL);
    let explained = world.explained(&maria());
    assert_eq!(missing(&explained, "shell"), Missing::Approval(waits));
    says_how_to_make_room(&explained);
    let shell = explained.roles.iter().find(|one| one.role.as_str() == "shell").unwrap();
    assert!(shell.change.contains("no approval opens it now") && shell.approvers.is_empty(), "{shell:?}");
}

#[test]
fn of_a_window_that_admits_nobody_for_want_of_room_no_role_is_said_to_admit() {
    let mut world = world();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    disk(&mut world, FULL);
    assert_eq!(missing(&world.explained(&maria()), "shell"), Missing::Nothing);
    disk(&mut world, space(1));
    let explained = world.explained(&maria());
    assert_eq!((explained.answer.why(), missing(&explained, "shell")), (Why::NoRoom, Missing::Room));
    assert!(explained.line().contains("Emergency roles open"), "{}", explained.line());
    world.file(maria(), "break-glass", "INC-1 look").unwrap();
    let explained = world.explained(&maria());
    assert_eq!(missing(&explained, "break-glass"), Missing::Nothing);
}
