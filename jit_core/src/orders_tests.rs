//! Orders and what becomes of them: starts, extensions, emergencies, locks, narrowing, who counts as whom.

#![allow(clippy::unwrap_used, clippy::panic)]

mod stories;

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{RequestId, Verdict};
use proptest::prelude::*;

use crate::clock::tests::{at, at_next_boot};
use crate::decide::{Answer, Known, Why};
use crate::event::{Decision, Event, Record};
use crate::grant::EndWhy;
use crate::lock::{LockOrder, Scope, lock, unlock};
use crate::opening::{Narrow, NotNarrower};
use crate::order::{MAX_AHEAD, MAX_PENDING_EACH, Refusal};
use crate::person::{Caller, Login};
use crate::policy::Subject;
use crate::request::{ExtendOrder, RequestOrder, extend, file};
use crate::review::{Given, NoReview, Reviewer, concerned, discounts, review, waits_for};
use crate::state::State;
use crate::taking_back::{Target, done, revoke, withdraw};
use crate::testing::{World, as_self, maria, policy, root, root_by, subject};

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
    };
    let events = lock(world.here(), &as_self(root()), order).unwrap();
    world.apply(events);
}

fn ssh(world: &World) -> Answer {
    world.check("sshd", &maria())
}

fn left(world: &World) -> Option<Duration> {
    ssh(world).admits.map(|admits| admits.remaining)
}

fn no_review(result: Result<bool, Refusal>) -> NoReview {
    match result {
        Err(Refusal::NoReview { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

// Starts.

#[test]
fn a_scheduled_window_opens_at_its_time_and_not_a_moment_before() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), Some(2 * HOUR)).unwrap();
    approved(&mut world, id);
    world.wait(Duration::from_millis(2 * 3_600_000 - 1));
    assert_eq!(ssh(&world).why, Why::NotBegun);
    world.wait(Duration::from_millis(1));
    assert_eq!(left(&world), Some(HOUR));
    world.wait(HOUR);
    assert_eq!(ssh(&world).why, Why::NoWindow);
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
            start: Some(crate::clock::Utc::from_unix_millis(start)),
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
    assert_eq!(ssh(&world).why, Why::NoWindow);
}

#[test]
fn a_window_that_nobody_uses_lapses_after_a_day() {
    let mut world = world();
    let id = ask(&mut world, "first", &maria(), None).unwrap();
    world.review(&person("olga"), id, Decision::Approve).unwrap();
    world.now = at(world.now.wall.unix_millis() + 24 * 3_600_000, world.now.boot);
    assert_eq!(ssh(&world).verdict, Verdict::Deny, "also before it was written down");
    world.settle();
    let ended = Event::Ended { grant: id.into(), why: EndWhy::Expired, reason: None };
    assert_eq!(world.log.last().unwrap().event, ended);
}

// Extending and giving back.

#[test]
fn an_extension_goes_through_the_same_stages_and_goes_on_where_the_window_ends() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    approved(&mut world, id);
    let more = extended(&mut world, id).unwrap();
    assert!(world.state.grant(more.into()).is_none(), "asking opens nothing");
    assert!(matches!(extended(&mut world, id), Err(Refusal::AlreadyExtending(known)) if known == more));
    approved(&mut world, more);
    world.wait(Duration::from_secs(3_599));
    assert_eq!(left(&world), Some(Duration::from_secs(1)));
    // No gap, and not a second more than both windows together, whenever jitd looks.
    world.now = at(world.now.wall.unix_millis() + 61_000, world.now.boot + 61_000);
    world.settle();
    assert_eq!(left(&world), Some(Duration::from_mins(59)));
    world.wait(Duration::from_mins(59));
    assert_eq!(ssh(&world).why, Why::NoWindow);
}

#[test]
fn a_clock_that_stepped_forward_and_back_gives_an_extension_no_time() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    approved(&mut world, id);
    let more = extended(&mut world, id).unwrap();
    approved(&mut world, more);
    let start = world.now.clone();
    world.now = at(start.wall.plus(HOUR).unix_millis(), start.boot + 1_000);
    world.settle();
    assert_eq!(left(&world), Some(HOUR), "the first hour is over, and stays so");
    world.now = at(start.wall.unix_millis(), start.boot + 1_000);
    world.wait(HOUR / 2);
    assert_eq!(left(&world), Some(HOUR / 2));
    world.wait(HOUR / 2);
    assert_eq!(ssh(&world).why, Why::NoWindow);
}

#[test]
fn an_extension_ends_with_the_window_that_is_taken_back() {
    for take in [EndWhy::Revoked, EndWhy::Done, EndWhy::Locked] {
        let mut world = world();
        let id = ask(&mut world, "shell", &maria(), None).unwrap();
        approved(&mut world, id);
        let more = extended(&mut world, id).unwrap();
        approved(&mut world, more);
        // What was asked for and not decided goes as well.
        let again = extended(&mut world, id).unwrap();
        let target = Target::Grant(id.into());
        match take {
            EndWhy::Revoked => {
                let events = revoke(world.here(), &as_self(root()), target, None).unwrap();
                world.apply(events);
            }
            EndWhy::Done => {
                let events = done(world.here(), &as_self(maria()), target, None).unwrap();
                world.apply(events);
            }
            _ => locked(&mut world, "user:maria", None),
        }
        for id in [id, more, again] {
            assert!(!world.state.knows(id), "{take}: {id}");
        }
    }
}

#[test]
fn only_a_window_of_ones_own_that_is_open_can_be_extended() {
    let mut world = world();
    let id = ask(&mut world, "first", &maria(), None).unwrap();
    world.review(&person("olga"), id, Decision::Approve).unwrap();
    assert!(matches!(extended(&mut world, id), Err(Refusal::NotOpen(_))));
    let erik = ask(&mut world, "shell", &person("erik"), None).unwrap();
    approved(&mut world, erik);
    assert!(matches!(extended(&mut world, erik), Err(Refusal::NotFound(_))));
    assert!(matches!(extended(&mut world, RequestId::from_bits(77)), Err(Refusal::NotFound(_))));
}

#[test]
fn people_take_back_their_own_and_learn_nothing_of_others() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    let by = |name: &str| as_self(person(name));
    let unknown = withdraw(world.here(), &by("maria"), RequestId::from_bits(99), None).unwrap_err();
    let not_mine = withdraw(world.here(), &by("erik"), id, None).unwrap_err();
    assert_eq!(
        not_mine.to_string().replace(&id.to_string(), "ID"),
        unknown.to_string().replace(&RequestId::from_bits(99).to_string(), "ID")
    );
    let events = withdraw(world.here(), &by("maria"), id, None).unwrap();
    world.apply(events);
    assert!(!world.state.knows(id));
    assert!(matches!(world.review(&person("olga"), id, Decision::Approve), Err(Refusal::NotFound(_))));
    let open = ask(&mut world, "shell", &maria(), None).unwrap();
    approved(&mut world, open);
    assert!(done(world.here(), &by("erik"), Target::Request(open), None).is_err());
    let events = done(world.here(), &by("maria"), Target::Request(open), None).unwrap();
    world.apply(events);
    assert_eq!(ssh(&world).why, Why::NoWindow);
}

// Emergencies.

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
    assert_eq!(ssh(&world).verdict, Verdict::Deny);
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

// Locks.

#[test]
fn a_lock_beats_every_window_and_ends_it_and_policy_alone_exempts() {
    for scope in ["user:maria", "role:shell", "host"] {
        let mut world = world();
        let id = ask(&mut world, "shell", &maria(), None).unwrap();
        approved(&mut world, id);
        locked(&mut world, scope, Some(HOUR));
        assert_eq!(ssh(&world).verdict, Verdict::Deny, "{scope}");
        assert!(matches!(ask(&mut world, "shell", &maria(), None), Err(Refusal::Locked(_))), "{scope}");
        assert_eq!(world.check("sshd", &subject("backup", 34)).verdict, Verdict::Unmanaged);
        world.wait(HOUR);
        assert_eq!(ssh(&world).why, Why::NoWindow, "what a lock has ended stays ended");
        ask(&mut world, "shell", &maria(), None).unwrap();
    }
}

#[test]
fn a_lock_on_a_service_shuts_that_service_and_a_lock_on_a_group_its_people() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    approved(&mut world, id);
    locked(&mut world, "service:sudo", None);
    assert_eq!(world.check("sudo", &maria()).why, Why::Locked);
    assert_eq!(ssh(&world).verdict, Verdict::Allow);
    locked(&mut world, "group:ops", None);
    assert_eq!(ssh(&world).verdict, Verdict::Allow, "she is not in it");
    let in_ops = Subject { groups: ["ops".parse().unwrap()].into(), ..maria() };
    assert_eq!(world.check("sshd", &in_ops).why, Why::Locked);
    let mut question = World::question("sshd", &maria(), Stage::Account);
    question.subject = Known::WithoutGroups(maria());
    assert_eq!(world.ask(&question).why, Why::NameService, "who may be in a locked group stays out");
    let events = unlock(world.here(), &as_self(root()), "group:ops".parse().unwrap(), None).unwrap();
    world.apply(events);
    assert_eq!(world.check("sshd", &in_ops).verdict, Verdict::Allow);
    assert!(matches!(
        unlock(world.here(), &as_self(root()), Scope::Host, None),
        Err(Refusal::NotLocked(Scope::Host))
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
    let order = LockOrder { scope: Scope::Host, message: None, duration: None };
    assert!(matches!(lock(world.here(), &as_self(person("sam")), order), Err(Refusal::NotAdmin(_))));
    locked(&mut world, "user:maria", Some(HOUR));
    world.now = at(world.now.wall.unix_millis() + 3_600_000, world.now.boot + 1);
    world.settle();
    assert_eq!(ssh(&world).why, Why::Locked);
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

// Narrowing.

#[test]
fn what_opens_is_the_intersection_of_the_request_and_every_approval() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    let only = |services: &[&str]| Some(services.iter().map(|s| s.parse().unwrap()).collect());
    let narrows = [
        ("root", Narrow { duration: Some(HOUR / 2), ..Narrow::default() }),
        ("sam", Narrow { services: only(&["sshd", "sudo", "sudo-i"]), ..Narrow::default() }),
        ("tim", Narrow { duration: Some(HOUR / 4 * 3), services: only(&["sshd"]), uses: 2.try_into().ok() }),
    ];
    for (name, narrow) in narrows {
        let caller = as_self(person(name));
        let given = Given { narrow, ..Given::new(Reviewer::Online(&caller), Decision::Approve) };
        world.give(&given, id).unwrap();
    }
    let grant = world.state.grant(id.into()).unwrap();
    assert_eq!(grant.length(), HOUR / 2);
    assert_eq!(grant.services, ["sshd".parse().unwrap()].into());
    assert_eq!(grant.uses.to_string(), "2");
}

#[test]
fn a_review_never_widens_and_never_leaves_nothing() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    let give = |world: &mut World, name: &str, narrow: Narrow| {
        let caller = as_self(person(name));
        world.give(&Given { narrow, ..Given::new(Reviewer::Online(&caller), Decision::Approve) }, id)
    };
    let only =
        |service: &str| Narrow { services: Some([service.parse().unwrap()].into()), ..Narrow::default() };
    for wider in [
        Narrow { duration: Some(2 * HOUR), ..Narrow::default() },
        only("login"),
        Narrow { duration: Some(Duration::ZERO), ..Narrow::default() },
    ] {
        assert!(matches!(no_review(give(&mut world, "root", wider)), NoReview::NotNarrower(_)));
    }
    give(&mut world, "root", only("sshd")).unwrap();
    let empty = no_review(give(&mut world, "sam", only("sudo")));
    assert_eq!(empty, NoReview::NotNarrower(NotNarrower::Nothing));
}

#[test]
fn a_review_of_another_digest_than_the_one_that_waits_is_refused() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    let other = ask(&mut world, "shell", &maria(), None).unwrap();
    let seen = Some(world.state.pending()[&other].request.digest());
    let caller = as_self(root());
    let given = Given::new(Reviewer::Online(&caller), Decision::Approve);
    let refusal = review(world.here(), id, seen, &given, &world.standing(id)).unwrap_err();
    assert_eq!(refusal, Refusal::OtherDigest(id));
}

// Law 4: who counts as whom, now and at the opening.

#[test]
fn whoever_is_no_longer_asked_at_the_opening_does_not_count() {
    let mut world = world();
    let lead = Subject { groups: ["leads".parse().unwrap()].into(), ..subject("lea", 1010) };
    world.groups.insert(lead.name.clone(), lead.groups.clone());
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    world.review(&lead, id, Decision::Approve).unwrap();
    world.review(&person("sam"), id, Decision::Approve).unwrap();
    world.groups.clear();
    // tim's would have been the last approval.
    let late = no_review(world.review(&person("tim"), id, Decision::Approve));
    assert!(matches!(late, NoReview::NotApprover { ref stage, .. } if stage == "lead"), "{late}");
    // Until that is written down, the request seems to wait for the stage behind.
    let waits_for_root =
        |world: &World| waits_for(world.here(), &world.state.pending()[&id], &as_self(root()));
    assert!(!waits_for_root(&world));
    let gone = discounts(world.here(), id, &world.standing(id)).unwrap();
    world.apply(gone);
    assert!(waits_for_root(&world));
    world.review(&root(), id, Decision::Approve).unwrap();
    assert!(!world.state.pending()[&id].reviews.iter().any(|review| review.by.name == lead.name));
    assert_eq!(world.review(&person("tim"), id, Decision::Approve), Ok(true), "sam's still counts");
}

#[test]
fn a_reviewer_whose_standing_was_not_looked_up_is_not_guessed_at() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    let known = world.standing(id);
    world.review(&root(), id, Decision::Approve).unwrap();
    assert_eq!(concerned(&world.state, id).len(), 2);
    let caller = as_self(person("sam"));
    let given = Given::new(Reviewer::Online(&caller), Decision::Approve);
    assert_eq!(review(world.here(), id, None, &given, &known), Err(Refusal::Raced(id)));
}

#[test]
fn who_is_no_longer_eligible_gets_nothing_opened_and_can_still_be_denied() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    let gone = [(maria().name, None)].into();
    let caller = as_self(root());
    let given = |decision| Given::new(Reviewer::Online(&caller), decision);
    let refusal = review(world.here(), id, None, &given(Decision::Approve), &gone).unwrap_err();
    assert!(matches!(refusal, Refusal::NotEligible { .. }), "{refusal}");
    assert!(review(world.here(), id, None, &given(Decision::Deny), &gone).is_ok());
}

#[test]
fn one_person_with_two_accounts_counts_once_across_all_stages() {
    let mut world = world();
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    world.review(&person("olga"), id, Decision::Approve).unwrap();
    for account in ["olga", "adm-olga"] {
        assert!(matches!(
            no_review(world.review(&person(account), id, Decision::Approve)),
            NoReview::Twice(_)
        ));
    }
}

#[test]
fn root_without_a_login_reviews_only_while_nobody_may_be_root_by_a_grant() {
    let mut world = world();
    let unset = Caller { account: root(), login: Login::Unset };
    let give = |world: &mut World, caller: &Caller, id| {
        world.give(&Given::new(Reviewer::Online(caller), Decision::Approve), id)
    };
    let open = ask(&mut world, "shell", &person("erik"), None).unwrap();
    approved(&mut world, open);
    let erik = person("erik");
    world.log_in(&World::question("sudo", &erik, Stage::Account));
    world.log_in(&World::question("sudo", &erik, Stage::Session));
    let id = ask(&mut world, "shell", &maria(), None).unwrap();
    assert_eq!(no_review(give(&mut world, &unset, id)), NoReview::RootSession(erik.name.clone()));
    let named = root_by(root());
    assert!(waits_for(world.here(), &world.state.pending()[&id], &named), "who logged in as root still may");
    world.apply([Event::SessionClosed {
        login: World::question("sudo", &erik, Stage::Session).login,
        leader: None,
    }]);
    assert_eq!(give(&mut world, &unset, id), Ok(false));
}

// Quotas.

#[test]
fn one_persons_flood_stops_at_their_quota_and_nobody_elses_request_with_it() {
    let mut world = world();
    for _ in 0..MAX_PENDING_EACH {
        ask(&mut world, "shell", &maria(), None).unwrap();
    }
    assert_eq!(ask(&mut world, "shell", &maria(), None), Err(Refusal::TooManyOfYours));
    ask(&mut world, "shell", &person("erik"), None).unwrap();
}
