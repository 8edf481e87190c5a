//! Emergency roles: what opens before anybody approved it, and what that owes.

use super::*;

#[test]
fn an_emergency_opens_at_once_and_not_again_before_it_was_reviewed() {
    let mut world = world();
    let id = ask(&mut world, "break-glass", &maria(), None).unwrap();
    assert_eq!(left(&world), Some(HOUR / 2));
    assert!(matches!(ask(&mut world, "break-glass", &maria(), None), Err(Refusal::ReviewOwed { .. })));
    ask(&mut world, "break-glass", &person("erik"), None).unwrap();
    // What is owed does not run out.
    world.wait(100 * HOUR);
    assert!(matches!(ask(&mut world, "break-glass", &maria(), None), Err(Refusal::ReviewOwed { .. })));
    let olga = person("olga");
    assert!(waits_for(world.here(), &world.state.owed()[&id], &as_self(olga.clone())));
    world.review(&olga, id, Decision::Approve).unwrap();
    assert!(!waits_for(world.here(), &world.state.owed()[&id], &as_self(olga)));
    world.review(&person("sam"), id, Decision::Approve).unwrap();
    assert!(!world.state.owed().contains_key(&id));
    ask(&mut world, "break-glass", &maria(), None).unwrap();
}

#[test]
fn an_emergency_that_its_reviewers_deny_is_over() {
    let mut world = world();
    let id = ask(&mut world, "break-glass", &maria(), None).unwrap();
    world.review(&person("sam"), id, Decision::Deny).unwrap();
    assert_eq!(ssh(&world).verdict(), Verdict::Deny);
    assert!(world.state.owed().is_empty());
}

#[test]
fn what_an_emergency_owes_is_reviewed_whatever_has_become_of_its_role() {
    let mut world = world();
    let id = ask(&mut world, "break-glass", &maria(), None).unwrap();
    world.policy = policy(&SITE.replace(
        "approvers = { users = [\"olga\", \"sam\"] }",
        "approvers = { users = [\"sam\", \"tim\"] }",
    ));
    world.wait(HOUR);
    for name in ["sam", "tim"] {
        world.review(&person(name), id, Decision::Approve).unwrap();
    }
    assert!(world.state.owed().is_empty());
    ask(&mut world, "break-glass", &maria(), None).unwrap();
}

#[test]
fn requests_that_wait_keep_nobody_from_an_emergency() {
    let mut world = world();
    for _ in 0..MAX_PENDING_EACH {
        ask(&mut world, "shell", &maria(), None).unwrap();
    }
    ask(&mut world, "break-glass", &maria(), None).unwrap();
}

#[test]
fn an_emergency_is_not_scheduled() {
    let refusal = ask(&mut world(), "break-glass", &maria(), Some(HOUR)).unwrap_err();
    assert!(matches!(refusal, Refusal::Emergency { .. }), "{refusal}");
}
