//! What covers a person apart from a window that ended.

use jit_proto::words::RequestId;

use super::*;
use crate::orders::request::{ExtendOrder, extend};
use crate::sessions::coverage::tests::{HOUR, judge_all, log_in, world};
use crate::testing::{POLICY, World, as_self, maria, policy, root, subject};

#[test]
fn a_person_is_left_alone_while_anything_else_covers_them() {
    let mut world = world();
    let first = world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    let second = world.grant(&as_self(root()), maria(), "root", Some(HOUR * 2)).unwrap();
    let known = Known::Fully(maria());
    world.wait(HOUR);
    let covers = |world: &World, id: RequestId, known: &Known| {
        cover(world.here(), &world.state.endings()[&id.into()], known)
    };
    assert_eq!(covers(&world, first, &known), Cover::Holds, "by the other window");
    world.revoke(second);
    assert_eq!(covers(&world, second, &known), Cover::Holds, "the grace of the first is not over");
    world.wait(Duration::from_secs(5));
    assert_eq!(covers(&world, second, &known), Cover::None);
    assert_eq!(covers(&world, second, &Known::Unanswered), Cover::None, "nobody is exempt");
    let exempt = |who: &str| policy(&format!("{POLICY}[[exempt]]\n{who}\nservices = [\"cron\"]\n"));
    world.policy = exempt("users = [\"maria\"]");
    assert_eq!(covers(&world, second, &known), Cover::Holds, "by being exempt somewhere");
    world.policy = exempt("groups = [\"ops\"]");
    assert_eq!(covers(&world, second, &Known::Unanswered), Cover::Unknown, "who is in it is not known");
    assert_eq!(covers(&world, second, &known), Cover::None);
}

#[test]
fn what_goes_on_in_a_process_of_others_covers_nobody() {
    for (others, covers) in [(true, Cover::None), (false, Cover::Holds)] {
        let mut world = world();
        let night = world.grant(&as_self(root()), maria(), "night", Some(HOUR)).unwrap();
        log_in(&mut world, "sshd", &maria());
        let session = world.state.sessions()[0].id;
        world.apply(others.then(|| Event::SessionUnbound { session, why: String::new(), others }));
        world.wait(HOUR);
        judge_all(&mut world);
        assert_eq!(
            cover(world.here(), &world.state.endings()[&night.into()], &Known::Fully(maria())),
            covers
        );
    }
}

#[test]
fn a_window_that_is_only_scheduled_covers_nobody() {
    let mut world = world();
    let first = world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    let later = ExtendOrder {
        beneficiary: maria(),
        grant: first.into(),
        duration: Some(HOUR),
        reason: "INC-1 more".parse().unwrap(),
        id: world.next_id(),
    };
    let id = later.id;
    let events = extend(world.here(), &as_self(maria()), later).unwrap();
    world.apply(events);
    world.review(&root(), id, crate::model::Decision::Approve).unwrap();
    world.revoke(first);
    let ending = world.state.endings()[&first.into()].clone();
    assert_eq!(cover(world.here(), &ending, &Known::Fully(maria())), Cover::None);
}

#[test]
fn what_another_window_lets_a_person_finish_covers_them() {
    let mut world = world();
    let night = world.grant(&as_self(root()), maria(), "night", Some(HOUR)).unwrap();
    log_in(&mut world, "sshd", &maria());
    world.wait(HOUR);
    judge_all(&mut world);
    let other = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    world.revoke(other);
    let covers = |world: &World, id: RequestId| {
        cover(world.here(), &world.state.endings()[&id.into()], &Known::Fully(maria()))
    };
    assert_eq!(covers(&world, other), Cover::Holds, "its 30 s are not over");
    assert_eq!(covers(&world, night), Cover::Holds, "and its own end waits for its session");
    world.wait(Duration::from_secs(30));
    assert_eq!(covers(&world, other), Cover::None);
}

#[test]
fn a_policy_that_changes_meanwhile_takes_nothing_of_what_a_session_may_still_finish() {
    let mut world = world();
    let night = world.grant(&as_self(root()), maria(), "night", Some(HOUR)).unwrap();
    log_in(&mut world, "sshd", &maria());
    world.wait(HOUR);
    judge_all(&mut world);
    world.policy = policy(POLICY);
    let ending = world.state.endings()[&night.into()].clone();
    assert_eq!(
        termination::terms(world.here(), &ending, &Known::Fully(maria())).kill,
        Duration::from_secs(5),
        "of no role"
    );
    world.wait(Duration::from_secs(10));
    assert_eq!(cover(world.here(), &ending, &Known::Fully(maria())), Cover::Holds);
    world.wait(Duration::from_secs(20));
    assert_eq!(cover(world.here(), &ending, &Known::Fully(maria())), Cover::None);
}

#[test]
fn no_window_covers_an_account_that_is_gone_or_is_another_by_now() {
    let mut world = world();
    let first = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    world.grant(&as_self(root()), maria(), "root", None).unwrap();
    world.revoke(first);
    let ending = world.state.endings()[&first.into()].clone();
    let covers = |known: &Known| cover(world.here(), &ending, known);
    assert_eq!(covers(&Known::Fully(maria())), Cover::Holds);
    assert_eq!(covers(&Known::Not), Cover::None);
    assert_eq!(covers(&Known::Fully(subject("maria", 2001))), Cover::None);
    let other = world.state.grants().next().unwrap();
    assert!(!is_shut(world.here(), other, &Known::Fully(maria())));
    assert!(is_shut(world.here(), other, &Known::Fully(subject("maria", 2001))));
}

#[test]
fn a_window_that_policy_shuts_is_shut_by_what_is_known_and_comes_back() {
    let mut world = world();
    let erik = Subject { groups: BTreeSet::from(["ops".parse().unwrap()]), ..subject("erik", 1002) };
    let id = world.grant(&as_self(root()), erik.clone(), "shell", None).unwrap();
    let alone = Subject { groups: BTreeSet::new(), ..erik.clone() };
    let shut =
        |world: &World, known: &Known| is_shut(world.here(), world.state.grant(id.into()).unwrap(), known);
    assert!(!shut(&world, &Known::Fully(erik.clone())));
    assert!(!shut(&world, &Known::Unanswered) && !shut(&world, &Known::Partly(alone.clone(), [].into())));
    assert!(shut(&world, &Known::Fully(alone.clone())) && shut(&world, &Known::Not));

    world.apply([Event::Shut { grant: id.into() }]);
    let ending = world.state.endings()[&id.into()].clone();
    assert_eq!(ending.why, EndReason::RoleChanged);
    assert_eq!(cover(world.here(), &ending, &Known::Fully(alone)), Cover::None, "it does not cover itself");
    let back = Known::Fully(erik);
    assert_eq!(cover(world.here(), &ending, &back), Cover::Holds, "but for when it admits again");
    assert!(world.state.grant(id.into()).is_some(), "it is open all the same");
    world.revoke(id);
    assert_eq!(world.state.endings()[&id.into()].why, EndReason::Revoked);
}
