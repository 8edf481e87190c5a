//! Orders and what becomes of them. Here is the site that they are given at; the tests are below, by order.

#![allow(clippy::unwrap_used, clippy::panic)]

mod debts;
mod emergencies;
mod extensions;
mod locks;
mod reviews;
mod starts;
mod stories;
mod taking_back;

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{RequestId, Verdict};
use proptest::prelude::*;

use crate::check::decide::Answer;
use crate::event::{Event, Record};
use crate::model::{
    Caller, Decision, EndWhy, Known, LoginAccount, Narrow, NotNarrower, PolicyWord, Scope, Why,
};
use crate::orders::lock::{LockOrder, lock, unlock};
use crate::orders::request::{ExtendOrder, RequestOrder, extend, file};
use crate::orders::review::{Given, Reviewer, concerned, discounts, review, waits_for};
use crate::orders::revoke::{Target, done, revoke, withdraw};
use crate::orders::{MAX_AHEAD, MAX_PENDING_EACH, NoReview, Refusal};
use crate::policy::Subject;
use crate::state::State;
use crate::testing::{World, as_self, maria, policy, root, root_by, subject};
use crate::testing::{at, at_next_boot};

const SITE: &str = r#"
version = 1
[people]
olga = { accounts = ["olga", "adm-olga"] }
[admins]
users = ["root", "adam"]
[[exempt]]
users = ["backup"]
services = ["login", "sshd"]
[role.shell]
hosts = ["*"]
services = ["sshd", "sudo"]
eligible = { users = ["maria", "erik"], groups = ["ops"] }
max-duration = "4h"
default-duration = "1h"
[[role.shell.stage]]
name = "lead"
approvers = { users = ["root", "olga", "adm-olga"], groups = ["leads"] }
[[role.shell.stage]]
name = "security"
approvers = { users = ["sam", "tim", "olga", "adm-olga"] }
approvals = 2
expires = "8h"
then = { users = ["boss"] }
[role.first]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "4h"
default-duration = "1h"
starts = "at-first-use"
[[role.first.stage]]
name = "lead"
approvers = { users = ["root", "olga"] }
[role.break-glass]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria", "erik"] }
max-duration = "30m"
emergency = true
[[role.break-glass.stage]]
name = "afterwards"
approvers = { users = ["olga", "sam"] }
approvals = 2
expires = "1h"
"#;

const HOUR: Duration = Duration::from_hours(1);

fn world() -> World {
    let mut world = World::new();
    world.policy = policy(SITE);
    world
}

fn person(name: &str) -> Subject {
    let uid = match name {
        "root" => 0,
        "maria" => 1001,
        "erik" => 1002,
        "adam" => 1003,
        "olga" => 1004,
        "sam" => 1005,
        "tim" => 1006,
        "boss" => 1007,
        "adm-olga" => 2004,
        _ => panic!("{name}"),
    };
    subject(name, uid)
}

fn ask(world: &mut World, role: &str, by: &Subject, start: Option<Duration>) -> Result<RequestId, Refusal> {
    let id = world.next_id();
    let order = RequestOrder {
        beneficiary: by.clone(),
        role: role.parse().unwrap(),
        duration: None,
        start: start.map(|ahead| world.now.wall.plus(ahead)),
        reason: "INC-1 look".parse().unwrap(),
        id,
    };
    let events = file(world.here(), &as_self(by.clone()), order)?;
    world.apply(events);
    Ok(id)
}

fn approved(world: &mut World, id: RequestId) {
    for name in ["root", "sam", "tim"] {
        world.review(&person(name), id, Decision::Approve).unwrap();
    }
    assert!(world.state.grant(id.into()).is_some());
}

fn extended(world: &mut World, grant: RequestId) -> Result<RequestId, Refusal> {
    let id = world.next_id();
    let reason = "INC-1 longer".parse().unwrap();
    let order = ExtendOrder { beneficiary: maria(), grant: grant.into(), duration: Some(HOUR), reason, id };
    let events = extend(world.here(), &as_self(maria()), order)?;
    world.apply(events);
    Ok(id)
}

fn locked(world: &mut World, scope: &str, duration: Option<Duration>) {
    let order = LockOrder {
        scope: scope.parse().unwrap(),
        message: Some("INC-9 under investigation".parse().unwrap()),
        duration,
        uids: [].into(),
    };
    let events = lock(world.here(), &as_self(root()), order).unwrap();
    world.apply(events);
}

fn ssh(world: &World) -> Answer {
    world.check("sshd", &maria())
}

fn left(world: &World) -> Option<Duration> {
    ssh(world).admission().map(|admits| admits.remaining)
}

fn no_review(result: Result<bool, Refusal>) -> NoReview {
    match result {
        Err(Refusal::NoReview { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_persons_flood_stops_at_their_quota_and_nobody_elses_request_with_it() {
    let mut world = world();
    for _ in 0..MAX_PENDING_EACH {
        ask(&mut world, "shell", &maria(), None).unwrap();
    }
    assert_eq!(ask(&mut world, "shell", &maria(), None), Err(Refusal::TooManyOfYours));
    ask(&mut world, "shell", &person("erik"), None).unwrap();
}
