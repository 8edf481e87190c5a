//! For whom a window opens: whoever asked is looked at again when the last approval comes (law 5). And what may wait.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use jit_proto::words::RequestId;

use crate::event::Event;
use crate::model::{Decision, Known, Narrow};
use crate::orders::review::{Given, Reviewer, review};
use crate::orders::{MAX_PENDING, MAX_PENDING_EACH, Refusal};
use crate::policy::Subject;
use crate::testing::{World, as_self, maria, policy, subject};

const SITE: &str = r#"
version = 1
[people]
maria = { accounts = ["maria", "adm-maria"] }
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.shell]
hosts = ["*"]
services = ["login", "sshd"]
eligible = { users = ["maria", "adm-maria"], groups = ["ops"] }
max-duration = "4h"
default-duration = "1h"
[[role.shell.stage]]
name = "lead"
approvers = { users = ["olga", "sam"] }
denials = 2
[role.break-glass]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "30m"
emergency = true
[[role.break-glass.stage]]
name = "afterwards"
approvers = { users = ["olga"] }
"#;

fn world() -> World {
    let mut world = World::new();
    world.policy = policy(SITE);
    world
}

fn in_ops(who: Subject) -> Subject {
    Subject { groups: ["ops".parse().unwrap()].into(), ..who }
}

/// olga reviews, while the name service says this of the person who asked.
fn reviewed(
    world: &World,
    id: RequestId,
    decision: Decision,
    now: Option<Subject>,
) -> Result<Vec<Event>, Refusal> {
    let olga = as_self(subject("olga", 1004));
    let given = Given::new(Reviewer::Online(&olga), decision);
    let name = world.state.pending()[&id].request.beneficiary.name.clone();
    review(world.here(), id, None, &given, &[(name, now.map_or(Known::Not, Known::Fully))].into())
}

fn opens(reviewed: &Result<Vec<Event>, Refusal>) -> bool {
    reviewed.as_ref().is_ok_and(|events| events.iter().any(|event| matches!(event, Event::Opened { .. })))
}

fn is_not_eligible(reviewed: &Result<Vec<Event>, Refusal>) -> bool {
    matches!(reviewed, Err(Refusal::NotEligible { .. }))
}

#[test]
fn who_left_the_group_since_they_asked_gets_no_window() {
    let mut world = world();
    let erik = in_ops(subject("erik", 1002));
    let id = world.file(erik.clone(), "shell", "INC-1").unwrap();
    let alone = Some(subject("erik", 1002));
    assert!(is_not_eligible(&reviewed(&world, id, Decision::Approve, alone.clone())));
    assert!(reviewed(&world, id, Decision::Deny, alone).is_ok(), "a denial opens nothing");
    assert!(opens(&reviewed(&world, id, Decision::Approve, Some(erik))), "who is still in it does");
}

#[test]
fn an_account_with_the_same_name_and_another_uid_gets_no_window_of_the_one_that_asked() {
    let mut world = world();
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    assert!(is_not_eligible(&reviewed(&world, id, Decision::Approve, Some(subject("maria", 2001)))));
    assert!(is_not_eligible(&reviewed(&world, id, Decision::Approve, None)), "nor does one that is gone");
    assert!(opens(&reviewed(&world, id, Decision::Approve, Some(maria()))));
}

#[test]
fn nothing_opens_for_who_is_locked_or_by_a_role_that_is_locked_when_the_last_approval_comes() {
    let now = Some(in_ops(maria()));
    for scope in ["user:maria", "user:adm-maria", "group:ops", "role:shell"] {
        let mut world = world();
        let id = world.file(maria(), "shell", "INC-1").unwrap();
        world.lock(scope, None);
        let refused = reviewed(&world, id, Decision::Approve, now.clone());
        let by = refused.as_ref().unwrap_err();
        assert!(matches!(by, Refusal::Locked(lock) if lock.scope.to_string() == scope), "{scope}: {by}");
        world.unlock(scope);
        assert!(opens(&reviewed(&world, id, Decision::Approve, now.clone())), "{scope} is lifted");
    }
}

#[test]
fn a_lock_on_others_keeps_nobodys_window_from_opening() {
    for scope in ["user:erik", "group:dba", "role:break-glass", "service:sshd"] {
        let mut world = world();
        let id = world.file(maria(), "shell", "INC-1").unwrap();
        world.lock(scope, None);
        assert!(opens(&reviewed(&world, id, Decision::Approve, Some(in_ops(maria())))), "{scope}");
    }
}

#[test]
fn a_denial_takes_nothing_from_what_the_others_approve() {
    let mut world = world();
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    let less = Narrow {
        duration: Some(Duration::from_mins(5)),
        services: Some(["login".parse().unwrap()].into()),
        uses: 1.try_into().ok(),
    };
    let sam = as_self(subject("sam", 1005));
    let denial = Given { narrow: less, ..Given::new(Reviewer::Online(&sam), Decision::Deny) };
    assert_eq!(world.give(&denial, id), Ok(false));
    assert_eq!(world.review(&subject("olga", 1004), id, Decision::Approve), Ok(true));
    let grant = world.state.grant(id.into()).unwrap();
    assert_eq!(grant.length(), Duration::from_hours(1));
    assert_eq!(grant.services.iter().len(), 2);
    assert_eq!(grant.uses.to_string(), "unlimited");
}

#[test]
fn a_host_keeps_so_many_requests_and_refuses_one_more_but_not_an_emergency() {
    let mut world = world();
    world.file(maria(), "shell", "INC-1").unwrap();
    let first = world.state.pending().values().next().unwrap().request.clone();
    // Other people's, by other hands.
    let others = (1_000_000..).take(MAX_PENDING - 2).map(|id| {
        let mut request = first.clone();
        request.id = RequestId::from_bits(id);
        request.filed_by.name = "adam".parse().unwrap();
        request.filed_by.uid = 1003.try_into().unwrap();
        Event::Requested { request }
    });
    world.apply(others.collect::<Vec<_>>());
    world.file(maria(), "shell", "INC-1").unwrap();
    assert_eq!(world.state.pending().len(), MAX_PENDING);
    assert_eq!(world.file(maria(), "shell", "INC-1"), Err(Refusal::TooManyPending));
    let opened = world.file(maria(), "break-glass", "INC-1").unwrap();
    assert!(world.state.grant(opened.into()).is_some());
}

#[test]
fn a_persons_quota_counts_what_they_filed_under_each_of_their_accounts() {
    let mut world = world();
    for _ in 0..MAX_PENDING_EACH {
        world.file(maria(), "shell", "INC-1").unwrap();
    }
    assert_eq!(world.file(subject("adm-maria", 2001), "shell", "INC-1"), Err(Refusal::TooManyOfYours));
    world.file(in_ops(subject("erik", 1002)), "shell", "INC-1").unwrap();
}
