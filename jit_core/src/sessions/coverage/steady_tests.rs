//! What ends nobody's session: a policy on trial, a clock that is suspect, a name service that fails.

use super::*;
use crate::model::Why;
use crate::policy::Policy;
use crate::sessions::coverage::tests::{HOUR, judge_all, log_in, world};
use crate::testing::{POLICY, World, as_self, maria, policy, root, subject};
use crate::time::Suspicion;

/// The role `shell` under other lines.
fn shell(lines: &str) -> Policy {
    let (before, after) =
        ("services = [\"sshd\"]\neligible", format!("services = [\"sshd\"]\n{lines}\neligible"));
    assert!(POLICY.contains(before));
    policy(&POLICY.replacen(before, &after, 1))
}

/// Hours of every day, in UTC; the story begins at 22:13.
fn hours(from: &str, to: &str) -> Policy {
    shell(&format!("hours = [{{ days = \"mon-sun\", from = \"{from}\", to = \"{to}\", tz = \"UTC\" }}]"))
}

fn without_shell() -> Policy {
    policy(&POLICY.replace("[role.shell", "[role.other"))
}

fn erik() -> Subject {
    Subject { groups: BTreeSet::from(["ops".parse().unwrap()]), ..subject("erik", 1002) }
}

fn stands(world: &World, known: &Known) -> Coverage {
    coverage(world.here(), world.state.sessions().last().unwrap(), known)
}

fn is_covered(world: &World, known: &Known) -> bool {
    matches!(stands(world, known), Coverage::Covered { .. })
}

#[test]
fn a_policy_on_trial_ends_no_session_whatever_it_takes_away_and_one_for_good_does() {
    for (other, why) in [
        (without_shell(), EndReason::RoleChanged),
        (hours("07:00", "22:00"), EndReason::OutsideHours),
        (shell("from = [\"10.1.0.0/16\"]"), EndReason::RoleChanged),
    ] {
        let mut world = world();
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        log_in(&mut world, "sshd", &maria());
        world.load(other.clone(), Some(300));
        assert_ne!(world.check("sshd", &maria()).why(), Why::Window, "{why}: nobody comes in anew");
        assert_eq!(judge_all(&mut world), [], "{why}");
        assert!(is_covered(&world, &Known::Fully(maria())), "{why}");
        world.load(other, None);
        assert_eq!(stands(&world, &Known::Fully(maria())), Coverage::Over(why));
    }
}

#[test]
fn a_suspect_clock_ends_no_session_by_the_hours_of_a_role_and_lets_nobody_in() {
    let mut world = world();
    world.policy = hours("07:00", "23:00");
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    log_in(&mut world, "sshd", &maria());
    let known = Known::Fully(maria());
    world.now.suspect = Some(Suspicion::Ahead);
    assert_eq!(world.check("sshd", &maria()).why(), Why::ClockSuspect);
    assert_eq!(stands(&world, &known), Coverage::Covered { left: HOUR });
    world.now.suspect = None;
    world.wait(Duration::from_mins(50));
    assert_eq!(
        stands(&world, &known),
        Coverage::Over(EndReason::OutsideHours),
        "by a clock that is believed"
    );
}

#[test]
fn a_lock_on_a_group_ends_no_session_of_who_is_only_supposed_to_be_in_it() {
    let mut world = world();
    world.grant(&as_self(root()), erik(), "shell", None).unwrap();
    log_in(&mut world, "sshd", &erik());
    world.lock("group:ops", None);
    assert!(is_covered(&world, &Known::Unanswered));
    assert!(is_covered(&world, &Known::Partly(subject("erik", 1002), [].into())));
    assert_eq!(stands(&world, &Known::Fully(erik())), Coverage::Over(EndReason::Locked));
}

#[test]
fn a_policy_on_trial_shuts_no_window_and_one_for_good_does() {
    let mut world = world();
    let id = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    let shut =
        |world: &World| is_shut(world.here(), world.state.grant(id.into()).unwrap(), &Known::Fully(maria()));
    world.load(without_shell(), Some(300));
    assert!(!shut(&world));
    world.load(without_shell(), None);
    assert!(shut(&world));
}

/// A world in which a window of the role `root` has been taken back, and one of `shell` is open.
fn one_taken_back(policy: Policy) -> (World, Termination) {
    let mut world = world();
    world.policy = policy;
    let gone = world.grant(&as_self(root()), maria(), "root", None).unwrap();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    world.revoke(gone);
    let ending = world.state.endings()[&gone.into()].clone();
    (world, ending)
}

#[test]
fn a_window_that_a_trial_or_a_suspect_clock_lets_nobody_in_by_covers_its_person_all_the_same() {
    let known = Known::Fully(maria());
    let (mut world, ending) = one_taken_back(policy(POLICY));
    assert_eq!(cover(world.here(), &ending, &known), Cover::Holds);
    world.load(without_shell(), Some(300));
    assert_eq!(cover(world.here(), &ending, &known), Cover::Holds, "on trial");
    world.load(without_shell(), None);
    assert_eq!(cover(world.here(), &ending, &known), Cover::None, "for good");

    let (mut world, ending) = one_taken_back(hours("07:00", "23:00"));
    world.now.suspect = Some(Suspicion::Ahead);
    assert_eq!(cover(world.here(), &ending, &known), Cover::Holds, "who knows what time it is");
    world.now.suspect = None;
    world.wait(Duration::from_mins(50));
    assert_eq!(cover(world.here(), &ending, &known), Cover::None, "outside its hours");
}

#[test]
fn a_name_service_that_fails_takes_no_window_from_who_is_let_in_by_a_group() {
    let mut world = world();
    let gone = world.grant(&as_self(root()), erik(), "shell", None).unwrap();
    world.grant(&as_self(root()), erik(), "shell", None).unwrap();
    world.revoke(gone);
    let ending = world.state.endings()[&gone.into()].clone();
    let alone = subject("erik", 1002);
    assert_eq!(cover(world.here(), &ending, &Known::Fully(erik())), Cover::Holds);
    assert_eq!(cover(world.here(), &ending, &Known::Unanswered), Cover::Holds);
    assert_eq!(cover(world.here(), &ending, &Known::Partly(alone.clone(), [].into())), Cover::Holds);
    assert_eq!(cover(world.here(), &ending, &Known::Fully(alone)), Cover::None);
}

#[test]
fn the_end_of_roots_window_takes_no_process_of_root_but_those_of_its_sessions() {
    let mut world = world();
    let more = r#"
[role.console]
hosts = ["*"]
services = ["login"]
eligible = { users = ["root", "maria"] }
max-duration = "4h"
[[role.console.stage]]
name = "lead"
approvers = { users = ["adam"] }
"#;
    world.policy = policy(&format!("{POLICY}{more}"));
    let adam = as_self(subject("adam", 1003));
    for (who, covered) in [(root(), Cover::Holds), (maria(), Cover::None)] {
        let id = world.grant(&adam, who.clone(), "console", None).unwrap();
        world.revoke(id);
        let ending = &world.state.endings()[&id.into()];
        assert_eq!(cover(world.here(), ending, &Known::Fully(who.clone())), covered, "{}", who.name);
    }
}
