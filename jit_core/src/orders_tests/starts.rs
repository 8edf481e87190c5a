//! When a window begins: scheduled, at its first use, or never.

use super::*;

#[test]
fn a_scheduled_window_opens_at_its_time_and_not_a_moment_before() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), Some(2 * HOUR)).unwrap();
    approved(&mut world, id);
    world.wait(Duration::from_millis(2 * 3_600_000 - 1));
    assert_eq!(ssh(&world).why(), Why::NotBegun);
    world.wait(Duration::from_millis(1));
    assert_eq!(left(&world), Some(HOUR));
    world.wait(HOUR);
    assert_eq!(ssh(&world).why(), Why::NoWindow);
}

#[test]
fn a_scheduled_window_that_is_approved_or_noticed_late_has_only_what_remains() {
    let mut late_approval = world();
    let id = ask(&mut late_approval, "shell", &maria(), Some(HOUR)).unwrap();
    late_approval.wait(HOUR + HOUR / 4);
    approved(&mut late_approval, id);
    assert_eq!(left(&late_approval), Some(HOUR * 3 / 4));

    // jitd was down over the start: a check itself notices that it is open.
    let mut noticed_late = world();
    let id = ask(&mut noticed_late, "shell", &maria(), Some(HOUR)).unwrap();
    approved(&mut noticed_late, id);
    let later = 75 * 60_000;
    noticed_late.now = at_next_boot(noticed_late.now.wall.unix_millis() + later, 60_000);
    assert_eq!(left(&noticed_late), Some(HOUR * 3 / 4));
}

#[test]
fn a_clock_that_steps_back_after_a_restart_gives_a_late_window_nothing_back() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), Some(HOUR)).unwrap();
    approved(&mut world, id);
    world.now = at_next_boot(world.now.wall.unix_millis() + 90 * 60_000, 60_000);
    world.settle();
    assert_eq!(left(&world), Some(HOUR / 2));
    world.now = at_next_boot(world.now.wall.unix_millis() - 90 * 60_000, 60_000);
    assert_eq!(left(&world), Some(HOUR / 2));
}

#[test]
fn a_policy_on_trial_lapses_nothing_that_its_end_would_bring_back() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    let digest = world.policy.digest();
    let other = policy(&SITE.replace("max-duration = \"4h\"", "max-duration = \"3h\""));
    world.apply([Event::PolicyLoaded {
        digest: other.digest(),
        files: Vec::new(),
        before: Some(digest),
        diff: None,
        trial: Some(300),
        word: PolicyWord::default(),
    }]);
    world.policy = other;
    world.settle();
    assert!(world.state.pending().contains_key(&id));
    assert!(matches!(world.review(&root(), id, Decision::Approve), Err(Refusal::TermsChanged(_))));
}

#[test]
fn a_window_cannot_be_asked_for_in_the_past_or_too_far_ahead() {
    let mut world = world();
    world.wait(HOUR);
    let now = world.now.clone();
    for start in [now.wall.unix_millis() - 1, now.wall.plus(MAX_AHEAD).unix_millis() + 1] {
        world.now.wall = now.wall;
        let order = RequestOrder {
            beneficiary: maria(),
            role: "shell".parse().unwrap(),
            duration: None,
            start: Some(crate::time::Utc::from_unix_millis(start)),
            reason: "INC-1".parse().unwrap(),
            id: RequestId::from_bits(99),
        };
        assert!(matches!(file(world.here(), &as_self(maria()), order), Err(Refusal::Start { .. })));
    }
}

#[test]
fn a_scheduled_request_lapses_when_its_window_would_be_over() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), Some(HOUR)).unwrap();
    world.wait(2 * HOUR);
    assert!(!world.state.knows(id));
    assert_eq!(world.log.last().unwrap().event, Event::Lapsed { request: id, stage: None });
}

#[test]
fn a_window_that_starts_at_first_use_is_open_from_that_login_on() {
    let mut world = world();
    let id = ask(&mut world, "first", &maria(), None).unwrap();
    assert_eq!(world.review(&person("olga"), id, Decision::Approve), Ok(true));
    world.wait(10 * HOUR);
    assert_eq!(left(&world), Some(HOUR), "asking changes nothing");
    world.wait(HOUR);
    world.log_in(&World::question("sshd", &maria(), Stage::Account));
    world.wait(HOUR / 2);
    assert_eq!(left(&world), Some(HOUR / 2));
    world.wait(HOUR / 2);
    assert_eq!(ssh(&world).why(), Why::NoWindow);
}

#[test]
fn a_window_that_nobody_uses_lapses_after_a_day() {
    let mut world = world();
    let id = ask(&mut world, "first", &maria(), None).unwrap();
    world.review(&person("olga"), id, Decision::Approve).unwrap();
    world.now = at(world.now.wall.unix_millis() + 24 * 3_600_000, world.now.boot);
    assert_eq!(ssh(&world).verdict(), Verdict::Deny, "also before it was written down");
    world.settle();
    let ended = Event::Ended { grant: id.into(), why: EndWhy::Expired, reason: None };
    assert_eq!(world.log.last().unwrap().event, ended);
}
