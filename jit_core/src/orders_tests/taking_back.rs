//! Taking it back: whoever approved denies after all while the request waits, and ends what they approved once it is open.

use super::*;
use crate::model::Person;
use crate::state::{State, Stored};

fn revoked_by(world: &World, caller: &Caller, id: RequestId) -> Result<Vec<Event>, Refusal> {
    revoke(world.here(), caller, Target::Grant(id.into()), None)
}

#[test]
fn whoever_approved_may_deny_after_all_and_that_ends_the_request_though_a_later_stage_waits() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    world.review(&root(), id, Decision::Approve).unwrap();
    world.review(&person("sam"), id, Decision::Approve).unwrap();
    // Who has not approved is not asked in the stage that waits.
    let other = no_review(world.review(&person("erik"), id, Decision::Deny));
    assert!(matches!(other, NoReview::NotApprover { .. }), "{other}");
    world.review(&root(), id, Decision::Deny).unwrap();
    assert!(world.state.pending().is_empty() && world.state.grant(id.into()).is_none());
    let last: Vec<_> = world.log.iter().rev().take(3).map(|record| &record.event).collect();
    assert!(matches!(last[0], Event::Refused { stage, .. } if stage == "lead"), "{last:?}");
    assert!(matches!(last[1], Event::Reviewed { review, .. } if review.stage == "lead"), "{last:?}");
    assert!(matches!(last[2], Event::Discounted { by, .. } if *by == Person::of(&root())), "{last:?}");
}

/// The site whose stages bear one denial.
fn patient() -> String {
    SITE.replace("name = \"lead\"\n", "name = \"lead\"\ndenials = 2\n")
}

#[test]
fn where_a_stage_bears_the_denial_it_waits_again_for_another_approval_and_theirs_counts_no_more() {
    let mut world = world();
    world.policy = policy(&patient());
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    world.review(&root(), id, Decision::Approve).unwrap();
    world.review(&person("sam"), id, Decision::Approve).unwrap();
    world.review(&root(), id, Decision::Deny).unwrap();
    assert!(waits_for(world.here(), &world.state.pending()[&id], &as_self(person("olga"))), "lead waits");
    // One person counts once: neither word of theirs is taken a second time.
    for decision in [Decision::Approve, Decision::Deny] {
        assert!(matches!(no_review(world.review(&root(), id, decision)), NoReview::Twice(_)));
    }
    world.review(&person("olga"), id, Decision::Approve).unwrap();
    assert_eq!(world.review(&person("tim"), id, Decision::Approve), Ok(true), "and sam's still counts");
}

#[test]
fn an_approval_is_taken_back_by_the_same_person_under_another_account_and_by_nobody_else() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    world.review(&person("olga"), id, Decision::Approve).unwrap();
    // Who comes as root in a login of somebody else is that somebody.
    let as_olga = Caller { account: person("erik"), login: LoginAccount::Known(person("olga")) };
    let given = Given::new(Reviewer::Online(&as_olga), Decision::Deny);
    assert!(world.give(&given, id).is_err());
    world.review(&person("adm-olga"), id, Decision::Deny).unwrap();
    assert!(world.state.pending().is_empty());
}

#[test]
fn what_is_taken_back_in_a_way_that_the_stage_does_not_accept_is_no_denial_and_the_approval_is_gone() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    let olga = person("olga");
    let by_signature = Reviewer::Remote { account: &olga, method: crate::policy::Method::Signature };
    world.policy = policy(
        &SITE.replace("groups = [\"leads\"] }\n", "groups = [\"leads\"] }\naccept = [\"signature\"]\n"),
    );
    let id = {
        // It was asked under other terms.
        world.apply([Event::Withdrawn { request: id, reason: None }]);
        ask(&mut world, "shell", &maria(), None).unwrap()
    };
    world.give(&Given::new(by_signature, Decision::Approve), id).unwrap();
    let refused = no_review(world.review(&root(), id, Decision::Deny));
    assert!(matches!(refused, NoReview::NotApprover { .. }), "{refused}");
    world.review(&olga, id, Decision::Deny).unwrap();
    // The same signature, brought once more, gives back nothing.
    let again = no_review(world.give(&Given::new(by_signature, Decision::Approve), id));
    assert!(matches!(again, NoReview::Twice(_)), "{again}");
    let root = root();
    let by_root = Reviewer::Remote { account: &root, method: crate::policy::Method::Signature };
    world.give(&Given::new(by_root, Decision::Approve), id).unwrap();
    world.review(&person("sam"), id, Decision::Approve).unwrap();
    assert_eq!(world.review(&person("tim"), id, Decision::Approve), Ok(true));
}

#[test]
fn a_suspect_clock_keeps_nobody_from_taking_an_approval_back() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    world.review(&root(), id, Decision::Approve).unwrap();
    world.now.suspect = Some(crate::time::Suspicion::Behind);
    assert!(matches!(world.review(&person("sam"), id, Decision::Approve), Err(Refusal::ClockSuspect(_))));
    world.review(&root(), id, Decision::Deny).unwrap();
    assert!(world.state.pending().is_empty());
}

#[test]
fn whoever_approved_a_window_ends_it_and_who_did_not_is_told_that_admins_may() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    world.review(&person("sam"), id, Decision::Approve).unwrap_err();
    approved(&mut world, id);
    for stranger in ["erik", "olga", "maria", "boss"] {
        let refused = revoked_by(&world, &as_self(person(stranger)), id).unwrap_err();
        assert_eq!(refused, Refusal::MayNotRevoke("adam, root".into()), "{stranger}");
    }
    let gone = revoked_by(&world, &as_self(person("sam")), id).unwrap();
    assert!(matches!(gone[..], [Event::Ended { why: EndWhy::Revoked, .. }]), "{gone:?}");
    world.apply(gone);
    // Of what is over they may say nothing more.
    let refused = revoked_by(&world, &as_self(person("sam")), id).unwrap_err();
    assert!(matches!(refused, Refusal::MayNotRevoke(_)));
}

#[test]
fn who_approved_ends_it_after_a_restart_too_and_by_their_other_account_and_not_while_they_are_locked() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    for name in ["olga", "sam", "tim"] {
        world.review(&person(name), id, Decision::Approve).unwrap();
    }
    let grant = world.state.grant(id.into()).unwrap().clone();
    let reviews = world.log.iter().filter_map(|record| match &record.event {
        Event::Reviewed { review, .. } => Some(review.clone()),
        _ => None,
    });
    let stored = Stored {
        grants: vec![grant],
        reviews: vec![(id.into(), reviews.collect())],
        since: world.state.since(),
        next_seq: world.state.next_seq(),
        ..Stored::default()
    };
    assert_eq!(State::restore(stored), world.state);
    assert!(revoked_by(&world, &as_self(person("adm-olga")), id).is_ok());
    let another = Caller { account: person("erik"), login: LoginAccount::Known(person("tim")) };
    assert!(matches!(revoked_by(&world, &another, id), Err(Refusal::Denied(_))));
    locked(&mut world, "user:tim", None);
    assert!(matches!(revoked_by(&world, &as_self(person("tim")), id), Err(Refusal::Locked(_))));
}

#[test]
fn what_waits_is_denied_by_whoever_approved_it_and_not_revoked() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    world.review(&person("olga"), id, Decision::Approve).unwrap();
    assert_eq!(revoked_by(&world, &as_self(person("olga")), id), Err(Refusal::StillWaits(id)));
    assert!(matches!(revoked_by(&world, &as_self(person("sam")), id), Err(Refusal::MayNotRevoke(_))));
    assert!(revoked_by(&world, &as_self(root()), id).is_ok(), "an admin withdraws it");
}

#[test]
fn who_approved_what_an_emergency_owes_may_end_it_before_and_after_that_is_settled() {
    let mut world = world();
    let id = ask(&mut world, "break-glass", &person("maria"), None).unwrap();
    assert!(matches!(revoked_by(&world, &as_self(person("olga")), id), Err(Refusal::MayNotRevoke(_))));
    world.review(&person("olga"), id, Decision::Approve).unwrap();
    assert!(revoked_by(&world, &as_self(person("olga")), id).is_ok());
    world.review(&person("sam"), id, Decision::Approve).unwrap();
    assert!(world.state.owed().is_empty());
    assert!(revoked_by(&world, &as_self(person("olga")), id).is_ok());
    assert!(revoked_by(&world, &as_self(person("sam")), id).is_ok());
}

#[test]
fn what_extends_a_window_ends_with_it_when_its_approver_ends_it() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    approved(&mut world, id);
    let longer = extended(&mut world, id).unwrap();
    let gone = revoked_by(&world, &as_self(person("tim")), id).unwrap();
    let withdrawn = |event: &Event| matches!(event, Event::Withdrawn { request, .. } if *request == longer);
    assert!(gone.iter().any(withdrawn), "{gone:?}");
}

#[test]
fn who_took_an_approval_back_in_a_way_that_does_not_count_may_still_deny_in_one_that_does() {
    let mut world = world();
    world.policy = policy(
        &SITE.replace("groups = [\"leads\"] }\n", "groups = [\"leads\"] }\naccept = [\"signature\"]\n"),
    );
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    let olga = person("olga");
    let signed = Reviewer::Remote { account: &olga, method: crate::policy::Method::Signature };
    world.give(&Given::new(signed, Decision::Approve), id).unwrap();
    world.review(&olga, id, Decision::Deny).unwrap();
    assert!(world.state.pending().contains_key(&id), "no denial of a way that is not taken");
    world.give(&Given::new(signed, Decision::Deny), id).unwrap();
    assert!(world.state.pending().is_empty(), "denied");
}
