//! `apart`: two roles that nobody has both of, nor waits for the one while they have the other.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::RequestId;
use proptest::prelude::*;

use crate::check::explain::explain;
use crate::event::Event;
use crate::model::{Decision, Despite, Why};
use crate::orders::request::{ExtendOrder, RequestOrder, extend, file};
use crate::orders::revoke::{Target, done, withdraw};
use crate::orders::{NotNow, Refusal};
use crate::policy::Subject;
use crate::testing::{World, as_self, maria, policy, root, subject};

const HOUR: Duration = Duration::from_hours(1);

const SITE: &str = r#"
version = 1
[people]
maria = { accounts = ["maria", "adm-maria"] }
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.operate]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria", "adm-maria", "erik"] }
max-duration = "4h"
apart = ["audit"]
[[role.operate.stage]]
name = "lead"
approvers = { users = ["root", "olga"] }
[role.audit]
hosts = ["*"]
services = ["su"]
eligible = { users = ["maria", "adm-maria", "erik"] }
max-duration = "4h"
[[role.audit.stage]]
name = "lead"
approvers = { users = ["root", "olga"] }
"#;

fn world() -> World {
    let mut world = World::new();
    world.policy = policy(SITE);
    world
}

fn adm_maria() -> Subject {
    subject("adm-maria", 2001)
}

fn ask(world: &mut World, by: &Subject, role: &str, start: Option<Duration>) -> Result<RequestId, Refusal> {
    let id = world.next_id();
    let order = RequestOrder {
        beneficiary: by.clone(),
        role: role.parse().unwrap(),
        duration: Some(HOUR),
        start: start.map(|ahead| world.now.wall.plus(ahead)),
        reason: "INC-1 look".parse().unwrap(),
        id,
    };
    let events = file(world.here(), &as_self(by.clone()), order)?;
    world.apply(events);
    Ok(id)
}

fn not_now<T: std::fmt::Debug>(result: Result<T, Refusal>) -> NotNow {
    match result {
        Err(Refusal::NotNow(why)) => *why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nobody_asks_for_a_role_while_they_have_the_other_whichever_names_it_and_under_whatever_account() {
    for (one, other) in [("operate", "audit"), ("audit", "operate")] {
        let mut world = world();
        let id = ask(&mut world, &maria(), one, None).unwrap();
        assert!(world.review(&root(), id, Decision::Approve).unwrap());
        let why = not_now(ask(&mut world, &adm_maria(), other, None));
        let grant = jit_proto::words::GrantId::from(id);
        assert_eq!(
            why.to_string(),
            format!(
                "role '{other}' is apart from role '{one}', which adm-maria has ({grant}); end that first: jitctl done {grant}"
            )
        );
        assert!(ask(&mut world, &subject("erik", 1002), other, None).is_ok(), "somebody else may");
        assert!(ask(&mut world, &maria(), one, None).is_ok(), "and they may have the same");
        world.revoke(id);
        let again: Vec<RequestId> = world.state.pending().keys().copied().collect();
        for id in again {
            world.apply([Event::Withdrawn { request: id, reason: None }]);
        }
        assert!(ask(&mut world, &adm_maria(), other, None).is_ok(), "once that is over");
    }
}

#[test]
fn nobody_asks_for_a_role_while_they_wait_for_the_other_and_is_told_how_to_be_rid_of_it() {
    let mut world = world();
    let id = ask(&mut world, &maria(), "operate", None).unwrap();
    let why = not_now(ask(&mut world, &adm_maria(), "audit", None));
    assert_eq!(
        why.to_string(),
        format!(
            "role 'audit' is apart from role 'operate', which adm-maria waits for ({id}); take that back first: jitctl withdraw {id}"
        )
    );
    let events = withdraw(world.here(), &as_self(maria()), id, None).unwrap();
    world.apply(events);
    assert!(ask(&mut world, &adm_maria(), "audit", None).is_ok());
}

#[test]
fn a_window_that_is_approved_for_later_is_had() {
    let mut world = world();
    let id = ask(&mut world, &maria(), "operate", Some(HOUR * 5)).unwrap();
    assert!(world.review(&root(), id, Decision::Approve).unwrap());
    assert!(matches!(not_now(ask(&mut world, &maria(), "audit", None)), NotNow::Apart { .. }));
}

#[test]
fn what_was_asked_for_before_they_were_apart_opens_one_of_the_two_at_most() {
    let mut world = world();
    world.policy = policy(&SITE.replace("apart = [\"audit\"]\n", ""));
    let operate = ask(&mut world, &maria(), "operate", None).unwrap();
    let audit = ask(&mut world, &maria(), "audit", None).unwrap();
    world.policy = policy(SITE);
    // Their terms are others now, so that neither opens; and had they not been, neither would.
    for id in [operate, audit] {
        assert!(matches!(world.review(&root(), id, Decision::Approve), Err(Refusal::TermsChanged(_))));
    }
}

#[test]
fn the_opening_looks_once_more_at_what_the_person_has_by_then() {
    let mut world = world();
    let audit = ask(&mut world, &maria(), "audit", None).unwrap();
    // An account of maria's becomes known as hers only now: erik's window is hers.
    let erik = subject("erik", 1002);
    let operate = ask(&mut world, &erik, "operate", None).unwrap();
    assert!(world.review(&root(), operate, Decision::Approve).unwrap());
    let hers = SITE.replace("\"adm-maria\"] }\n[admins]", "\"adm-maria\", \"erik\"] }\n[admins]");
    world.policy = policy(&hers);
    let why = not_now(world.review(&root(), audit, Decision::Approve));
    assert!(
        matches!(&why, NotNow::NotOpened { id, why } if *id == audit && matches!(**why, NotNow::Apart { .. }))
    );
    assert!(world.state.pending().contains_key(&audit), "it waits on");
    let events = done(world.here(), &as_self(erik), Target::Request(operate), None).unwrap();
    world.apply(events);
    assert!(world.review(&root(), audit, Decision::Approve).unwrap());
}

#[test]
fn a_window_goes_on_by_itself_and_not_once_the_other_is_had_in_an_emergency() {
    let urgent = SITE.replace("services = [\"su\"]", "services = [\"su\"]\nemergency = true");
    let mut world = world();
    world.policy = policy(&urgent);
    let operate = ask(&mut world, &maria(), "operate", None).unwrap();
    assert!(world.review(&root(), operate, Decision::Approve).unwrap());
    let more = |world: &mut World| {
        let (reason, id) = ("INC-1 longer".parse().unwrap(), world.next_id());
        let grant = operate.into();
        let order = ExtendOrder { beneficiary: maria(), grant, duration: Some(HOUR), reason, id };
        extend(world.here(), &as_self(maria()), order)
    };
    assert!(more(&mut world).is_ok());
    let audit = ask(&mut world, &adm_maria(), "audit", None).unwrap();
    let despite = world.state.grant(audit.into()).unwrap().despite.clone();
    assert_eq!(
        despite,
        [Despite::Apart("operate".parse().unwrap())].into(),
        "an emergency passes, and it is on record"
    );
    assert!(matches!(not_now(more(&mut world)), NotNow::Apart { .. }));
}

/// Maria's account, which the host knows by another name as well; `[people]` knows her by that one alone.
fn maria_of_two_names() -> Subject {
    Subject { also: ["maria2".parse().unwrap()].into(), ..maria() }
}

fn known_by_the_other_name(site: &str) -> World {
    let mut world = world();
    world.policy = policy(&site.replace("[\"maria\", \"adm-maria\"]", "[\"maria2\", \"adm-maria\"]"));
    world
}

#[test]
fn whoever_has_a_window_has_it_under_every_name_of_its_uid() {
    for (one, other) in [("operate", "audit"), ("audit", "operate")] {
        let mut world = known_by_the_other_name(SITE);
        let id = ask(&mut world, &maria_of_two_names(), one, None).unwrap();
        assert!(world.review(&root(), id, Decision::Approve).unwrap());
        assert!(matches!(not_now(ask(&mut world, &adm_maria(), other, None)), NotNow::Apart { .. }));
        assert!(ask(&mut world, &subject("erik", 1002), other, None).is_ok(), "somebody else may");
        let events = done(world.here(), &as_self(maria_of_two_names()), Target::Request(id), None).unwrap();
        world.apply(events);
        assert!(ask(&mut world, &adm_maria(), other, None).is_ok(), "once that is over");
    }
}

#[test]
fn the_limits_of_a_person_are_those_of_every_name_of_their_uid_also_when_the_window_is_over() {
    let site = SITE.replace("apart = [\"audit\"]", "limits = { each = 1, rest = \"4h\" }");
    let mut world = known_by_the_other_name(&site);
    // Once without its other name, as it was kept before that was.
    for who in [maria(), maria_of_two_names()] {
        let id = ask(&mut world, &who, "operate", None).unwrap();
        assert!(world.review(&root(), id, Decision::Approve).unwrap());
        let other = ask(&mut world, &adm_maria(), "operate", None);
        if who.also.is_empty() {
            world.apply([Event::Withdrawn { request: other.unwrap(), reason: None }]);
        } else {
            assert!(matches!(not_now(other), NotNow::Each { .. }));
        }
        // Its end is seen, and then they rest, or not for long enough.
        world.wait(HOUR);
        world.wait(HOUR * if who.also.is_empty() { 4 } else { 1 });
    }
    assert!(matches!(not_now(ask(&mut world, &adm_maria(), "operate", None)), NotNow::Rest { .. }));
    assert!(ask(&mut world, &subject("erik", 1002), "operate", None).is_ok(), "somebody else may");
    world.wait(HOUR * 3);
    assert!(ask(&mut world, &adm_maria(), "operate", None).is_ok(), "once they have rested");
}

#[test]
fn whoever_has_ended_a_window_has_it_while_a_session_of_it_is_left() {
    for ended_by in ["done", "its time"] {
        let mut world = world();
        let id = ask(&mut world, &maria(), "operate", None).unwrap();
        assert!(world.review(&root(), id, Decision::Approve).unwrap());
        world.log_in(&World::question("sshd", &maria(), Stage::Session));
        let session = world.state.sessions()[0].id;
        if ended_by == "done" {
            let events = done(world.here(), &as_self(maria()), Target::Request(id), None).unwrap();
            world.apply(events);
        } else {
            world.wait(HOUR);
        }
        let grant = jit_proto::words::GrantId::from(id);
        assert!(world.state.grant(grant).is_none(), "{ended_by}");
        assert_eq!(
            not_now(ask(&mut world, &adm_maria(), "audit", None)).to_string(),
            format!(
                "role 'audit' is apart from role 'operate', which adm-maria still has a session of ({session}; {grant} is over); \
                 log out of it, or end it: jitctl session end {session}"
            )
        );
        assert!(ask(&mut world, &subject("erik", 1002), "audit", None).is_ok(), "somebody else may");
        world.apply([Event::SessionGone { session, unbound: false, past: None }]);
        assert!(ask(&mut world, &adm_maria(), "audit", None).is_ok(), "once it has gone");
    }
}

#[test]
fn an_emergency_passes_a_session_that_is_left_and_its_record_says_so() {
    let mut world = world();
    world.policy = policy(&SITE.replace("services = [\"su\"]", "services = [\"su\"]\nemergency = true"));
    let id = ask(&mut world, &maria(), "operate", None).unwrap();
    assert!(world.review(&root(), id, Decision::Approve).unwrap());
    world.log_in(&World::question("sshd", &maria(), Stage::Session));
    world.wait(HOUR);
    let audit = ask(&mut world, &adm_maria(), "audit", None).unwrap();
    let despite = &world.state.grant(audit.into()).unwrap().despite;
    assert_eq!(*despite, [Despite::Apart("operate".parse().unwrap())].into());
}

/// Both windows, of before policy said that they are apart: the one of the role that opened first, and the other.
fn both_before(first: &str, second: &str, site: &str) -> (World, [RequestId; 2]) {
    let mut world = world();
    world.policy = policy(&site.replace("apart = [\"audit\"]\n", ""));
    let ids = [(maria(), first), (adm_maria(), second)].map(|(who, role)| {
        world.wait(Duration::from_secs(60));
        let id = ask(&mut world, &who, role, None).unwrap();
        world.review(&root(), id, Decision::Approve).unwrap();
        assert!(world.state.grant(id.into()).is_some());
        id
    });
    (world, ids)
}

/// Who gets in by which role: maria has the first, adm-maria the second.
fn admits(world: &World, role: &str, who: &Subject) -> bool {
    world.check(if role == "operate" { "sshd" } else { "su" }, who).admission().is_some()
}

#[test]
fn of_two_windows_that_policy_puts_apart_the_one_that_began_first_admits_and_the_other_once_that_is_over() {
    for (first, second) in [("operate", "audit"), ("audit", "operate")] {
        let (mut world, [one, _]) = both_before(first, second, SITE);
        assert!(
            admits(&world, first, &maria()) && admits(&world, second, &adm_maria()),
            "as it was approved"
        );
        world.policy = policy(SITE);
        assert!(admits(&world, first, &maria()), "{first} was first");
        let service = if second == "operate" { "sshd" } else { "su" };
        assert_eq!(world.check(service, &adm_maria()).why(), Why::RoleChanged, "{second}");
        world.revoke(one);
        assert!(admits(&world, second, &adm_maria()), "what is left of {second}");
    }
}

#[test]
fn a_window_that_was_approved_for_later_admits_nobody_while_they_have_one_that_is_apart_by_then() {
    let mut world = world();
    world.policy = policy(&SITE.replace("apart = [\"audit\"]\n", ""));
    let ahead = ask(&mut world, &maria(), "operate", Some(HOUR)).unwrap();
    world.review(&root(), ahead, Decision::Approve).unwrap();
    world.wait(HOUR / 2);
    let audit = ask(&mut world, &adm_maria(), "audit", None).unwrap();
    world.review(&root(), audit, Decision::Approve).unwrap();
    world.policy = policy(SITE);
    world.wait(HOUR / 2);
    assert!(world.state.grant(ahead.into()).unwrap().window().is_some(), "it has begun");
    assert!(!admits(&world, "operate", &maria()) && admits(&world, "audit", &adm_maria()));
    world.wait(HOUR / 2);
    assert!(admits(&world, "operate", &maria()), "once the other is over");
}

#[test]
fn a_window_of_an_emergency_admits_beside_one_that_is_apart_and_takes_nothing_from_it() {
    let urgent = SITE.replace("services = [\"su\"]", "services = [\"su\"]\nemergency = true");
    for (first, second) in [("operate", "audit"), ("audit", "operate")] {
        let (mut world, _) = both_before(first, second, &urgent);
        world.policy = policy(&urgent);
        assert!(admits(&world, first, &maria()) && admits(&world, second, &adm_maria()), "{first}");
    }
}

#[test]
fn whoever_is_refused_for_a_window_that_is_apart_is_told_which_and_how_to_be_rid_of_it() {
    let (mut world, [one, two]) = both_before("operate", "audit", SITE);
    world.policy = policy(SITE);
    let question = World::question("su", &adm_maria(), Stage::Account);
    let explained = explain(&world.policy, &world.state, &world.host, &question, &world.now);
    let [one, two] = [one, two].map(jit_proto::words::GrantId::from);
    assert_eq!(
        explained.line(),
        format!(
            "jit: your window of role audit ({two}) does not open su on db-1 while you have one of role operate, which is apart \
             from it. End that first: jitctl done {one}"
        )
    );
}

#[derive(Clone, Debug)]
enum Step {
    Ask { who: usize, role: usize, ahead: Option<u64> },
    Approve(usize),
    End(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_usize, 0..2_usize, proptest::option::weighted(0.3, 0..300_u64))
            .prop_map(|(who, role, ahead)| Step::Ask { who, role, ahead }),
        5 => (0..5_usize).prop_map(Step::Approve),
        2 => (0..5_usize).prop_map(Step::End),
        2 => (0..90_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// In no story anybody has, or has and waits for, both: as the state tells it after each step, by the uids alone.
    #[test]
    fn nobody_ever_has_or_waits_for_two_roles_that_are_apart(steps in proptest::collection::vec(step(), 1..80)) {
        let mut world = world();
        let people = [maria(), adm_maria(), subject("erik", 1002)];
        let mut ids = Vec::new();
        for step in steps {
            let pick = |which: usize, ids: &[RequestId]| ids.iter().rev().nth(which).copied();
            match step {
                Step::Ask { who, role, ahead } => {
                    let ahead = ahead.map(Duration::from_mins);
                    ids.extend(ask(&mut world, &people[who], ["operate", "audit"][role], ahead).ok());
                }
                Step::Approve(which) => {
                    if let Some(id) = pick(which, &ids) {
                        drop(world.review(&root(), id, Decision::Approve));
                    }
                }
                Step::End(which) => {
                    if let Some(id) = pick(which, &ids).filter(|id| world.state.knows(*id)) {
                        world.revoke(id);
                    }
                }
                Step::Wait(minutes) => world.wait(Duration::from_mins(minutes)),
            }
            let human = |uid: u32| if uid == 2001 { 1001 } else { uid };
            let live = world.state.grants().map(|grant| (human(grant.uid.as_u32()), grant.role.to_string()));
            let waiting = world.state.pending().values().map(|pending| &pending.request);
            let waiting = waiting.map(|one| (human(one.beneficiary.uid.as_u32()), one.role.to_string()));
            let all: BTreeSet<(u32, String)> = live.chain(waiting).collect();
            let people: BTreeSet<u32> = all.iter().map(|(human, _)| *human).collect();
            prop_assert_eq!(all.len(), people.len(), "{:?}", all);
        }
    }
}
