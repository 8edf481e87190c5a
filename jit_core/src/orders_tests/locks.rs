//! Locks: what they shut, whom they bind, and who may set them.

use super::*;

#[test]
fn a_lock_beats_every_window_and_ends_it_and_policy_alone_exempts() {
    for scope in ["user:maria", "role:shell", "host"] {
        let mut world = world();
        let id = ask(&mut world, "shell", &maria(), None).unwrap();
        approved(&mut world, id);
        locked(&mut world, scope, Some(HOUR));
        assert_eq!(ssh(&world).verdict(), Verdict::Deny, "{scope}");
        assert!(matches!(ask(&mut world, "shell", &maria(), None), Err(Refusal::Locked(_))), "{scope}");
        assert_eq!(world.check("sshd", &subject("backup", 34)).verdict(), Verdict::Unmanaged);
        world.wait(HOUR);
        assert_eq!(ssh(&world).why(), Why::NoWindow, "what a lock has ended stays ended");
        ask(&mut world, "shell", &maria(), None).unwrap();
    }
}

#[test]
fn a_lock_on_a_service_shuts_that_service_and_a_lock_on_a_group_its_people() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    approved(&mut world, id);
    locked(&mut world, "service:sudo", None);
    assert_eq!(world.check("sudo", &maria()).why(), Why::Locked);
    assert_eq!(ssh(&world).verdict(), Verdict::Allow);
    locked(&mut world, "group:ops", None);
    assert_eq!(ssh(&world).verdict(), Verdict::Allow, "she is not in it");
    let in_ops = Subject { groups: ["ops".parse().unwrap()].into(), ..maria() };
    assert_eq!(world.check("sshd", &in_ops).why(), Why::Locked);
    let mut question = World::question("sshd", &maria(), Stage::Account);
    question.subject = Known::Partly(maria(), [].into());
    assert_eq!(world.ask(&question).why(), Why::NameService, "who may be in a locked group stays out");
    let events = unlock(world.here(), &as_self(root()), "group:ops".parse().unwrap(), None).unwrap();
    world.apply(events);
    assert_eq!(world.check("sshd", &in_ops).verdict(), Verdict::Allow);
    assert!(matches!(
        unlock(world.here(), &as_self(root()), Scope::Host, None),
        Err(Refusal::NotLocked { scope: Scope::Host, .. })
    ));
}

#[test]
fn a_lock_on_one_account_locks_the_person_who_neither_logs_in_nor_reviews() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    locked(&mut world, "user:olga", None);
    let second = no_review(world.review(&person("adm-olga"), id, Decision::Approve));
    assert!(matches!(second, NoReview::Locked(_)), "{second}");
}

#[test]
fn only_admins_lock_and_a_clock_that_jumps_lifts_no_lock() {
    let mut world = world();
    let order = LockOrder { scope: Scope::Host, message: None, duration: None, uids: [].into() };
    assert!(matches!(lock(world.here(), &as_self(person("sam")), order), Err(Refusal::NotAdmin(_))));
    locked(&mut world, "user:maria", Some(HOUR));
    world.now = at(world.now.wall.unix_millis() + 3_600_000, world.now.boot + 1);
    world.settle();
    assert_eq!(ssh(&world).why(), Why::Locked);
}

#[test]
fn a_locked_admin_lifts_no_lock_and_gives_no_other_order() {
    let mut world = world();
    locked(&mut world, "user:adam", None);
    let adam = as_self(person("adam"));
    let refusal = unlock(world.here(), &adam, "user:adam".parse().unwrap(), None).unwrap_err();
    assert!(matches!(refusal, Refusal::Locked(_)), "{refusal}");
    assert!(matches!(world.here().admin(&root_by(person("adam"))), Err(Refusal::Locked(_))), "nor as root");
    locked(&mut world, "host", None);
    assert!(world.here().admin(&as_self(root())).is_ok(), "somebody must be able to");
}

#[test]
fn a_review_of_somebody_who_is_locked_since_opens_nothing() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    world.review(&root(), id, Decision::Approve).unwrap();
    world.review(&person("sam"), id, Decision::Approve).unwrap();
    locked(&mut world, "user:sam", None);
    assert_eq!(world.review(&person("tim"), id, Decision::Approve), Ok(false));
    let by: Vec<_> =
        world.state.pending()[&id].reviews.iter().map(|review| review.by.name.as_str()).collect();
    assert_eq!(by, ["root", "tim"]);
}
