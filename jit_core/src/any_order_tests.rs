//! Several sets of people in one stage: so many of each approve, in any order, and nobody for two of them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::words::{GroupName, RequestId, UserName};
use proptest::prelude::*;

use crate::check::explain::explain;
use crate::event::Event;
use crate::model::{Decision, Narrow, Review};
use crate::orders::review::{Given, Reviewer, discounts, waits_for};
use crate::orders::stages::waiting_for;
use crate::orders::{NoReview, Refusal};
use crate::policy::{SourceFile, Subject};
use crate::testing::{World, as_self, maria, policy, subject};

const SITE: &str = r#"
version = 1
[people]
olga = { accounts = ["olga", "olga2"] }
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.shell]
hosts = ["*"]
services = ["sshd", "cron"]
eligible = { users = ["maria", "olga"] }
max-duration = "4h"
[[role.shell.stage]]
name = "both"
approvers = [{ groups = ["ops"] }, { groups = ["admin"] }]
approvals = 1
denials = 2
expires = "8h"
then = { groups = ["bosses"] }
[[role.shell.stage]]
name = "last"
approvers = { groups = ["ops", "admin"] }
"#;

fn world(approvals: u32) -> World {
    let mut world = World::new();
    world.policy = policy(&SITE.replace("approvals = 1", &format!("approvals = {approvals}")));
    world
}

fn all(groups: &[&str]) -> BTreeSet<GroupName> {
    groups.iter().map(|group| group.parse().unwrap()).collect()
}

/// Somebody in these groups, whom the name service knows from then on.
fn person(world: &mut World, name: &str, uid: u32, groups: &[&str]) -> Subject {
    world.groups.insert(name.parse().unwrap(), all(groups));
    Subject { groups: all(groups), ..subject(name, uid) }
}

/// An operator, an admin and somebody who is both; one more operator.
fn people(world: &mut World) -> [Subject; 4] {
    [
        person(world, "oda", 2001, &["ops"]),
        person(world, "ada", 2002, &["admin"]),
        person(world, "bo", 2003, &["ops", "admin"]),
        person(world, "otto", 2004, &["ops"]),
    ]
}

fn asked(world: &mut World) -> RequestId {
    world.file(maria(), "shell", "INC-1 look").unwrap()
}

fn waits(world: &World, id: RequestId) -> String {
    waiting_for(world.here(), &world.state.pending()[&id])
}

fn approve(world: &mut World, by: &Subject, id: RequestId) -> Result<bool, NoReview> {
    world.review(by, id, Decision::Approve).map_err(|refusal| match refusal {
        Refusal::NoReview { why, .. } => why,
        other => panic!("{other}"),
    })
}

#[test]
fn one_of_each_approves_in_any_order_and_two_of_one_do_not() {
    for turned in [false, true] {
        let mut world = world(1);
        let [oda, ada, _, otto] = people(&mut world);
        let id = asked(&mut world);
        assert_eq!(waits(&world, id), "1 approval from @admin and 1 approval from @ops (stage 'both')");
        let (first, second) = if turned { (&ada, &oda) } else { (&oda, &ada) };
        assert!(!approve(&mut world, first, id).unwrap());
        if !turned {
            assert_eq!(waits(&world, id), "1 approval from @admin (stage 'both')");
            let refused = approve(&mut world, &otto, id).unwrap_err();
            assert_eq!(
                refused.to_string(),
                "the approvals of those whom you stand for are there already; stage 'both' waits for @admin, and you can \
                 still deny it"
            );
            let pending = &world.state.pending()[&id];
            assert!(
                !waits_for(world.here(), pending, &as_self(otto.clone())),
                "it waits for nothing of theirs"
            );
            assert!(waits_for(world.here(), pending, &as_self(ada.clone())));
        }
        assert!(!approve(&mut world, second, id).unwrap());
        assert!(waits(&world, id).ends_with("(stage 'last')"));
        assert!(approve(&mut world, &otto, id).unwrap(), "who was not needed there counts in the next one");
    }
}

#[test]
fn who_is_in_both_stands_for_whichever_is_lacking_and_never_for_two() {
    for others in [0, 1] {
        let mut world = world(1);
        let crowd = people(&mut world);
        let (bo, other) = (crowd[2].clone(), crowd[others].clone());
        let id = asked(&mut world);
        approve(&mut world, &bo, id).unwrap();
        assert_eq!(waits(&world, id), "1 approval from @admin or @ops (stage 'both')");
        assert!(matches!(approve(&mut world, &bo, id).unwrap_err(), NoReview::Twice(_)));
        // Nobody knows yet for which of the two: whoever comes has the other.
        assert!(approve(&mut world, &other, id).is_ok());
        assert!(waits(&world, id).ends_with("(stage 'last')"));
    }
}

#[test]
fn one_person_counts_once_for_all_sets_under_all_accounts_and_nobody_for_themselves() {
    let mut world = world(1);
    let olga = person(&mut world, "olga", 1003, &["ops"]);
    let olga2 = person(&mut world, "olga2", 1013, &["admin"]);
    let id = asked(&mut world);
    approve(&mut world, &olga, id).unwrap();
    assert!(matches!(approve(&mut world, &olga2, id).unwrap_err(), NoReview::Twice(_)));
    let own = world.file(olga.clone(), "shell", "INC-1 look").unwrap();
    for account in [&olga, &olga2] {
        assert!(matches!(approve(&mut world, account, own).unwrap_err(), NoReview::OwnRequest));
    }
}

#[test]
fn whoever_is_asked_can_deny_and_narrow_as_of_one_set() {
    let mut world = world(1);
    let [oda, ada, bo, otto] = people(&mut world);
    let id = asked(&mut world);
    approve(&mut world, &oda, id).unwrap();
    // Their set lacks nobody, and they can say no all the same.
    world.review(&otto, id, Decision::Deny).unwrap();
    assert!(world.state.pending().contains_key(&id), "one denial of two");
    world.review(&bo, id, Decision::Deny).unwrap();
    assert!(!world.state.pending().contains_key(&id));

    let id = asked(&mut world);
    let narrowed = |who: &Subject, minutes: u64, service: &str| {
        let narrow = Narrow {
            duration: Some(Duration::from_mins(minutes)),
            services: (service != "all").then(|| BTreeSet::from([service.parse().unwrap()]).into()),
            uses: NonZeroU32::new(3),
        };
        (who.clone(), narrow)
    };
    let [first, second, third] =
        [narrowed(&ada, 30, "all"), narrowed(&oda, 20, "sshd"), narrowed(&otto, 40, "all")];
    for (who, narrow) in [first, second, third] {
        let caller = as_self(who);
        world
            .give(&Given { narrow, ..Given::new(Reviewer::Online(&caller), Decision::Approve) }, id)
            .unwrap();
    }
    let grant = world.state.grant(id.into()).unwrap();
    assert_eq!(grant.length(), Duration::from_mins(20));
    assert_eq!(grant.services.iter().map(ToString::to_string).collect::<Vec<_>>(), ["sshd"]);
}

#[test]
fn who_has_left_one_of_their_sets_is_asked_again_and_a_denial_stays() {
    let mut world = world(1);
    let [oda, ada, bo, _] = people(&mut world);
    let id = asked(&mut world);
    approve(&mut world, &bo, id).unwrap();
    world.groups.insert(bo.name.clone(), all(&["ops"]));
    let events = discounts(world.here(), id, &world.lookups(id)).unwrap();
    assert!(matches!(&events[..], [Event::Discounted { by, .. }] if by.name == bo.name), "{events:?}");
    // With the next review it is gone: an operator alone does not do.
    approve(&mut world, &oda, id).unwrap();
    assert_eq!(waits(&world, id), "1 approval from @admin (stage 'both')");
    approve(&mut world, &ada, id).unwrap();
    assert!(waits(&world, id).ends_with("(stage 'last')"));

    let id = asked(&mut world);
    let bo = person(&mut world, "bo", 2003, &["ops", "admin"]);
    world.review(&bo, id, Decision::Deny).unwrap();
    world.groups.insert(bo.name, all(&["ops"]));
    assert_eq!(discounts(world.here(), id, &world.lookups(id)).unwrap(), [], "they are asked still");
}

#[test]
fn those_who_decide_in_place_of_the_first_stand_for_each_set() {
    let mut world = world(1);
    let [oda, ..] = people(&mut world);
    let boss = person(&mut world, "berta", 2009, &["bosses"]);
    let id = asked(&mut world);
    approve(&mut world, &oda, id).unwrap();
    assert!(matches!(approve(&mut world, &boss, id).unwrap_err(), NoReview::NotApprover { .. }), "not yet");
    world.wait(Duration::from_hours(9));
    assert_eq!(waits(&world, id), "1 approval from @bosses (stage 'both')");
    approve(&mut world, &boss, id).unwrap();
    assert!(waits(&world, id).ends_with("(stage 'last')"));
}

#[test]
fn what_a_review_of_a_stage_with_several_sets_counts_for_is_on_record_and_of_one_set_nothing() {
    let mut world = world(1);
    let [oda, ada, bo, _] = people(&mut world);
    let id = asked(&mut world);
    for who in [&bo, &oda, &ada] {
        approve(&mut world, who, id).unwrap();
    }
    let grant = world.state.grant(id.into());
    assert!(grant.is_some());
    let mut review = Review {
        by: crate::model::Person::of(&bo),
        decision: Decision::Approve,
        stage: "both".to_owned(),
        sets: BTreeSet::from([0, 1]),
        method: crate::policy::Method::Online,
        at: world.now.clone(),
        narrow: Narrow::default(),
        note: None,
        signed: None,
        code: None,
    };
    let json = |review: &Review| serde_json::to_value(review).unwrap();
    assert_eq!(json(&review)["sets"], serde_json::json!([0, 1]));
    review.sets.clear();
    assert_eq!(json(&review).get("sets"), None);
    assert_eq!(serde_json::from_value::<Review>(json(&review)).unwrap(), review);
}

#[test]
fn whoever_asks_is_told_of_both_and_then_of_whom_is_lacking() {
    let mut world = world(1);
    let [_, ada, ..] = people(&mut world);
    let approvers = |world: &World| {
        let question = World::question("sshd", &maria(), jit_proto::gate::Stage::Account);
        explain(&world.policy, &world.state, &world.host, &question, &world.now).roles[0].approvers.clone()
    };
    assert_eq!(approvers(&world), "@admin and @ops");
    let id = asked(&mut world);
    approve(&mut world, &ada, id).unwrap();
    assert_eq!(approvers(&world), "@ops");
}

#[test]
fn under_a_policy_with_other_sets_what_an_emergency_owes_counts_for_those_who_are_in_them_now() {
    let mut world = world(1);
    let emergency =
        |site: &str| site.replace("max-duration = \"4h\"", "max-duration = \"4h\"\nemergency = true");
    let one = emergency(SITE)
        .replace("[{ groups = [\"ops\"] }, { groups = [\"admin\"] }]", "{ groups = [\"ops\", \"admin\"] }")
        .replace("approvals = 1", "approvals = 2");
    world.policy = policy(&one);
    let [oda, ada, _, otto] = people(&mut world);
    let id = asked(&mut world);
    world.review(&oda, id, Decision::Approve).unwrap();
    world.policy = policy(&emergency(SITE));
    // Of what they had said of one set nothing tells for which of two it was: they say it again.
    world.review(&ada, id, Decision::Approve).unwrap();
    let owed = &world.state.owed()[&id];
    assert_eq!(waiting_for(world.here(), owed), "1 approval from @ops (stage 'both')");
    world.review(&oda, id, Decision::Approve).unwrap();
    world.review(&otto, id, Decision::Approve).unwrap();
    assert!(!world.state.owed().contains_key(&id));
}

/// Whether different people can stand for so many places of each set: for each choice of sets there are as many people in one
/// of them as they have places together (Hall).
fn can_be_met(approved: &[BTreeSet<usize>], each: usize) -> bool {
    (1..4_usize).all(|sets| {
        let people = approved.iter().filter(|of| of.iter().any(|set| sets & (1 << set) != 0)).count();
        people >= each * (sets.count_ones() as usize)
    })
}

proptest! {
    #[test]
    fn a_stage_of_several_sets_is_met_by_whoever_comes_in_whatever_order_exactly_where_different_people_can_be_found(
        comes in proptest::collection::vec(1_usize..4, 0..7), each in 1_u32..3,
    ) {
        let mut world = world(each);
        let id = asked(&mut world);
        let mut approved: Vec<BTreeSet<usize>> = Vec::new();
        for (uid, bits) in (3_000..).zip(&comes) {
            // The sets stand in the order of their names: admin is 0.
            let groups: Vec<&str> = ["admin", "ops"].into_iter().enumerate().filter(|(n, _)| bits & (1 << n) != 0).map(|(_, g)| g).collect();
            let who = person(&mut world, &format!("p{uid}"), uid, &groups);
            if !waits(&world, id).ends_with("(stage 'both')") {
                break;
            }
            let of: BTreeSet<usize> = (0..2).filter(|n| bits & (1 << n) != 0).collect();
            match approve(&mut world, &who, id) {
                Ok(opened) => {
                    prop_assert!(!opened);
                    approved.push(of);
                }
                Err(NoReview::Surplus { .. }) => {
                    // All places of their sets are held by people who are in no other.
                    let each = each as usize;
                    let full = of.iter().all(|set| approved.iter().filter(|other| other.contains(set)).count() >= each);
                    prop_assert!(full);
                }
                Err(other) => panic!("{other}"),
            }
            let is_met = !waits(&world, id).ends_with("(stage 'both')");
            prop_assert_eq!(is_met, can_be_met(&approved, each as usize), "{:?}", approved);
        }
        // Nobody was turned away who was needed: with all of them it would be met no sooner.
        let everybody: Vec<BTreeSet<usize>> = comes.iter().map(|bits| (0..2).filter(|n| bits & (1 << n) != 0).collect()).collect();
        if waits(&world, id).ends_with("(stage 'both')") {
            prop_assert!(!can_be_met(&everybody, each as usize));
        }
    }
}

#[test]
fn the_files_of_before_mean_what_they_meant() {
    let one = SITE.replace("[{ groups = [\"ops\"] }, { groups = [\"admin\"] }]", "{ groups = [\"ops\"] }");
    let files = [SourceFile { name: "a.toml".to_owned(), bytes: one.into() }];
    let policy = crate::policy::Policy::parse(&files).unwrap().policy;
    let who: UserName = "oda".parse().unwrap();
    let mut world = World::new();
    world.policy = policy;
    let oda = person(&mut world, who.as_str(), 2001, &["ops"]);
    let id = asked(&mut world);
    assert_eq!(waits(&world, id), "1 approval from @ops (stage 'both')");
    approve(&mut world, &oda, id).unwrap();
    assert_eq!(waits(&world, id), "1 approval from @admin, @ops (stage 'last')");
}
