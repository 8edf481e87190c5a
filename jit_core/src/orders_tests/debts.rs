//! What an emergency owes, whatever has become of its role since: nothing opens twice, and every debt can be paid.

use super::*;
use crate::event::Event;
use crate::orders::review::is_asked;
use crate::orders::stages::waiting_for;

/// The site without its emergency role.
fn without() -> String {
    let at = SITE.find("[role.break-glass]").unwrap();
    SITE[..at].to_owned()
}

/// The site whose emergency role waits for its stages like any other.
fn tamed() -> String {
    SITE.replace("emergency = true\n", "")
}

/// maria has opened the emergency role, and then policy became this.
fn owed_under(site: &str) -> (World, RequestId) {
    let mut world = world();
    let id = ask(&mut world, "break-glass", &person("maria"), None).unwrap();
    world.policy = policy(site);
    (world, id)
}

/// How often each request has opened, by the log.
fn openings(world: &World, id: RequestId) -> usize {
    let of_it = |record: &&Record| matches!(&record.event, Event::Opened { grant } if grant.request() == id);
    world.log.iter().filter(of_it).count()
}

#[test]
fn approving_what_an_emergency_owes_opens_nothing_whatever_its_role_is_now() {
    let (mut world, id) = owed_under(&tamed());
    let left = world.state.grant(id.into()).unwrap().remaining(&world.now);
    world.review(&person("olga"), id, Decision::Approve).unwrap();
    world.review(&person("sam"), id, Decision::Approve).unwrap();
    assert_eq!(openings(&world, id), 1);
    assert!(world.state.owed().is_empty(), "it is paid");
    assert_eq!(world.state.grant(id.into()).unwrap().remaining(&world.now), left, "and gave no more time");

    // Nor does it bring back a window that is over.
    let (mut world, id) = owed_under(&tamed());
    world.wait(HOUR * 3);
    assert!(world.state.grant(id.into()).is_none());
    world.review(&person("olga"), id, Decision::Approve).unwrap();
    world.review(&person("sam"), id, Decision::Approve).unwrap();
    assert!(world.state.grant(id.into()).is_none() && world.state.owed().is_empty());
}

#[test]
fn denying_what_an_emergency_owes_ends_it_whatever_its_role_is_now() {
    for site in [SITE.to_owned(), tamed()] {
        let (mut world, id) = owed_under(&site);
        world.review(&person("olga"), id, Decision::Deny).unwrap();
        assert!(world.state.grant(id.into()).is_none() && world.state.owed().is_empty());
        assert!(matches!(world.log.last().unwrap().event, Event::Ended { why: EndWhy::Revoked, .. }));
    }
}

#[test]
fn what_a_role_that_is_gone_owes_is_for_any_admin_to_review() {
    let elsewhere =
        SITE.replace("[role.break-glass]\nhosts = [\"*\"]", "[role.break-glass]\nhosts = [\"web-*\"]");
    for site in [without(), elsewhere] {
        for decision in [Decision::Approve, Decision::Deny] {
            let (mut world, id) = owed_under(&site);
            let owed = world.state.owed()[&id].clone();
            assert!(
                waiting_for(world.here(), &owed).contains("admin"),
                "{}",
                waiting_for(world.here(), &owed)
            );
            assert!(is_asked(world.here(), &owed.request, &person("adam")));
            assert!(waits_for(world.here(), &owed, &as_self(person("adam"))));
            // Who was asked by the role is not asked any more, and the one who owes it never is.
            for name in ["sam", "maria"] {
                let refused = world.review(&person(name), id, decision).unwrap_err();
                assert!(matches!(refused, Refusal::NoReview { .. }), "{name}: {refused}");
            }
            world.review(&person("adam"), id, decision).unwrap();
            assert!(world.state.owed().is_empty());
            assert_eq!(world.state.grant(id.into()).is_some(), decision == Decision::Approve);
            assert_eq!(openings(&world, id), 1);
        }
    }
}

#[test]
fn an_admin_who_owes_it_does_not_review_it_either() {
    let site = SITE.replace("users = [\"root\", \"adam\"]", "users = [\"root\", \"maria\"]");
    let mut world = world();
    world.policy = policy(&site);
    let id = ask(&mut world, "break-glass", &person("maria"), None).unwrap();
    world.policy = policy(&site[..site.find("[role.break-glass]").unwrap()]);
    let refused = world.review(&person("maria"), id, Decision::Approve).unwrap_err();
    assert!(matches!(refused, Refusal::NoReview { why: NoReview::OwnRequest, .. }), "{refused}");
    world.review(&root(), id, Decision::Approve).unwrap();
    assert!(world.state.owed().is_empty());
}

#[test]
fn a_review_that_was_given_before_its_role_went_keeps_nobody_from_settling_it() {
    let (mut world, id) = owed_under(SITE);
    // sam is one of two, and an admin later.
    world.review(&person("sam"), id, Decision::Approve).unwrap();
    world.policy = policy(&without().replace("\"adam\"]", "\"sam\"]"));
    world.review(&person("sam"), id, Decision::Approve).unwrap();
    assert!(world.state.owed().is_empty());
}

#[test]
fn what_is_owed_says_whom_it_waits_for_when_its_role_has_changed() {
    let (world, id) = owed_under(&tamed());
    let waits = waiting_for(world.here(), &world.state.owed()[&id]);
    assert!(waits.contains("olga, sam") && !waits.contains("ask again"), "{waits}");
}

#[test]
fn only_what_waits_opens() {
    let mut world = world();
    let id = ask(&mut world, "break-glass", &person("maria"), None).unwrap();
    let grant = world.state.grant(id.into()).unwrap().clone();
    let before = world.state.clone();
    let seq = world.state.next_seq();
    let again = Record { seq, at: world.now.clone(), actor: None, event: Event::Opened { grant } };
    assert_eq!(world.state.apply(&again), [], "no row is written a second time");
    assert_eq!(world.state.grants().collect::<Vec<_>>(), before.grants().collect::<Vec<_>>());
    assert_eq!(world.state.owed(), before.owed());
}

#[test]
fn a_window_of_a_role_that_has_become_an_emergency_is_not_extended() {
    let mut world = world();
    let id = ask(&mut world, "shell", &person("maria"), None).unwrap();
    approved(&mut world, id);
    world.policy = policy(
        &SITE.replace("[role.shell]\n", "[role.shell]\nemergency = true\n").replace("\"1h\"", "\"20m\""),
    );
    let refused = extended(&mut world, id).unwrap_err();
    assert!(matches!(refused, Refusal::Emergency { what: "extended", .. }), "{refused}");
}
