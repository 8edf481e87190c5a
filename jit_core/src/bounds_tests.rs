//! `limits`: how many windows at a time, how far apart, how long in all; when something is asked for, and when it opens.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{GrantId, RequestId};

use crate::check::explain::{Missing, explain};
use crate::duration::Human;
use crate::event::Event;
use crate::model::{Decision, Despite, Leader, Opener};
use crate::orders::request::{ExtendOrder, RequestOrder, extend, file};
use crate::orders::revoke::{Target, done};
use crate::orders::{NotNow, Refusal};
use crate::policy::Subject;
use crate::state::{State, Stored};
use crate::testing::{World, as_self, at_next_boot, maria, policy, root, subject};

mod stories;

const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

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
services = ["sshd"]
eligible = { users = ["maria", "adm-maria", "erik", "tim"] }
max-duration = "4h"
default-duration = "1h"
limits = LIMITS
[[role.shell.stage]]
name = "lead"
approvers = { users = ["root", "olga"] }
"#;

fn world(limits: &str) -> World {
    let mut world = World::new();
    world.policy = policy(&SITE.replace("LIMITS", limits));
    world
}

fn erik() -> Subject {
    subject("erik", 1002)
}

fn tim() -> Subject {
    subject("tim", 1006)
}

fn adm_maria() -> Subject {
    subject("adm-maria", 2001)
}

fn ask(
    world: &mut World,
    by: &Subject,
    start: Option<Duration>,
    duration: Duration,
) -> Result<RequestId, Refusal> {
    let id = world.next_id();
    let order = RequestOrder {
        beneficiary: by.clone(),
        role: "shell".parse().unwrap(),
        duration: Some(duration),
        start: start.map(|ahead| world.now.wall.plus(ahead)),
        reason: "INC-1 look".parse().unwrap(),
        id,
    };
    let events = file(world.here(), &as_self(by.clone()), order)?;
    world.apply(events);
    Ok(id)
}

fn open(world: &mut World, by: &Subject, duration: Duration) -> RequestId {
    let id = ask(world, by, None, duration).unwrap();
    assert!(world.review(&root(), id, Decision::Approve).unwrap());
    id
}

fn more(world: &mut World, of: RequestId, duration: Duration) -> Result<RequestId, Refusal> {
    let id = world.next_id();
    let (reason, duration) = ("INC-1 longer".parse().unwrap(), Some(duration));
    let order = ExtendOrder { beneficiary: maria(), grant: of.into(), duration, reason, id };
    let events = extend(world.here(), &as_self(maria()), order)?;
    world.apply(events);
    Ok(id)
}

fn not_now<T: std::fmt::Debug>(result: Result<T, Refusal>) -> NotNow {
    match result {
        Err(Refusal::NotNow(why)) => *why,
        other => panic!("{other:?}"),
    }
}

// each

#[test]
fn one_person_has_as_many_windows_at_a_time_as_policy_says_under_whatever_account() {
    let mut world = world("{ each = 1 }");
    let id = open(&mut world, &maria(), HOUR);
    let why = not_now(ask(&mut world, &adm_maria(), None, HOUR));
    assert_eq!(
        why.to_string(),
        format!(
            "adm-maria has role 'shell' for that time already ({0}), and one person may have 1 at a time; maria can go on \
             with that (jitctl extend {0}), or end it first: jitctl done {0}",
            GrantId::from(id)
        )
    );
    open(&mut world, &erik(), HOUR);
    // A window that begins where that ends is not beside it, and one that is over is none.
    assert!(ask(&mut world, &maria(), Some(HOUR), HOUR).is_ok());
    assert!(matches!(not_now(ask(&mut world, &maria(), Some(MINUTE * 59), HOUR)), NotNow::Each { .. }));
    let events = done(world.here(), &as_self(maria()), Target::Request(id), None).unwrap();
    world.apply(events);
    assert!(ask(&mut world, &maria(), None, HOUR).is_ok());
}

#[test]
fn nobody_is_told_to_extend_what_is_not_extended() {
    let mut world = world("{ each = 1 }");
    let later = ask(&mut world, &maria(), Some(HOUR), HOUR).unwrap();
    assert!(world.review(&root(), later, Decision::Approve).unwrap());
    let why = not_now(ask(&mut world, &adm_maria(), Some(HOUR), HOUR)).to_string();
    assert!(
        why.ends_with(&format!("; maria can end it first: jitctl done {}", GrantId::from(later))),
        "{why}"
    );
    world.revoke(later);
    world.policy = policy(&SITE.replace("LIMITS", "{ each = 1 }\nemergency = true"));
    let id = ask(&mut world, &maria(), None, HOUR).unwrap();
    world.review(&root(), id, Decision::Approve).unwrap();
    let why = not_now(ask(&mut world, &maria(), None, HOUR)).to_string();
    assert!(why.contains("; maria can end it first: ") && !why.contains("extend"), "{why}");
}

#[test]
fn of_two_requests_of_one_moment_one_opens_and_the_other_waits_on() {
    let mut world = world("{ each = 1 }");
    let first = ask(&mut world, &maria(), None, HOUR).unwrap();
    let second = ask(&mut world, &maria(), None, HOUR).unwrap();
    assert!(world.review(&root(), second, Decision::Approve).unwrap());
    let why = not_now(world.review(&root(), first, Decision::Approve));
    assert!(
        matches!(&why, NotNow::NotOpened { id, why } if *id == first && matches!(**why, NotNow::Each { .. }))
    );
    assert!(why.to_string().ends_with(&format!(
        "This approval was not taken down: {first} waits on, and opens by the same one once that is over"
    )));
    assert!(world.state.pending()[&first].reviews.is_empty());
    world.wait(HOUR);
    assert!(world.review(&root(), first, Decision::Approve).unwrap(), "as it says");
}

#[test]
fn an_extension_is_not_beside_the_window_that_it_goes_on_from() {
    let mut world = world("{ each = 1, at-once = 1, rest = \"4h\" }");
    let id = open(&mut world, &maria(), HOUR);
    let longer = more(&mut world, id, HOUR).unwrap();
    assert!(world.review(&root(), longer, Decision::Approve).unwrap());
    let twice = not_now(more(&mut world, id, HOUR));
    assert!(matches!(twice, NotNow::Each { .. }), "another one from the same is beside the first: {twice}");
    world.wait(HOUR + MINUTE);
    assert!(world.check("sshd", &maria()).admission().is_some());
}

// at-once

#[test]
fn there_are_as_many_windows_at_a_time_as_policy_says_whoever_has_them() {
    let mut world = world("{ at-once = 2 }");
    open(&mut world, &maria(), HOUR * 2);
    open(&mut world, &erik(), HOUR);
    let end = world.now.wall.plus(HOUR).to_seconds();
    let why = not_now(ask(&mut world, &tim(), None, HOUR));
    assert_eq!(
        why.to_string(),
        format!(
            "as many windows of role 'shell' are open or approved for that time as there may be (2); ask again when one of \
             them ends, the first at {end} at the latest"
        )
    );
    assert!(ask(&mut world, &tim(), Some(HOUR), HOUR).is_ok(), "when one of them is over");
    world.wait(HOUR);
    open(&mut world, &tim(), HOUR);
}

#[test]
fn what_is_approved_for_later_counts_for_then_and_not_for_now() {
    let mut world = world("{ at-once = 1 }");
    let later = ask(&mut world, &erik(), Some(HOUR * 2), HOUR).unwrap();
    assert!(world.review(&root(), later, Decision::Approve).unwrap());
    assert!(matches!(not_now(ask(&mut world, &maria(), None, HOUR * 3)), NotNow::AtOnce { .. }));
    open(&mut world, &maria(), HOUR * 2);
}

#[test]
fn what_lets_nobody_in_any_more_is_no_window_that_counts() {
    let mut world = world("{ each = 1, at-once = 1 }\nuses = 1");
    open(&mut world, &maria(), HOUR);
    for stage in [Stage::Account, Stage::Session] {
        let mut question = World::question("sshd", &maria(), stage);
        question.opener = Some(Opener { leader: Leader { pid: 4000, start: 77 }, audit: None });
        assert!(
            matches!(not_now(ask(&mut world, &maria(), None, HOUR)), NotNow::Each { .. }),
            "it may let her in"
        );
        world.log_in(&question);
    }
    assert!(matches!(not_now(ask(&mut world, &maria(), None, HOUR)), NotNow::Each { .. }), "she is in");
    assert!(matches!(not_now(ask(&mut world, &erik(), None, HOUR)), NotNow::AtOnce { .. }));
    let (session, login) = (world.state.sessions()[0].id, world.state.sessions()[0].login.clone());
    world.apply([Event::SessionClosed { login, leader: None, session: None }]);
    let runs_on = not_now(ask(&mut world, &maria(), None, HOUR));
    assert!(matches!(runs_on, NotNow::Each { .. }), "what she started may run on: {runs_on}");
    world.apply([Event::SessionGone { session, unbound: false, past: None }]);
    assert_eq!(world.state.grants().count(), 1, "spent, and not over");
    ask(&mut world, &erik(), None, HOUR).unwrap();
    open(&mut world, &maria(), HOUR);
}

#[test]
fn windows_count_where_they_are_at_one_time_and_not_where_one_follows_another() {
    for limits in ["{ at-once = 2 }", "{ each = 2 }"] {
        let mut world = world(limits);
        open(&mut world, &maria(), HOUR);
        for ahead in [5, 6] {
            let later = ask(&mut world, &maria(), Some(HOUR * ahead), HOUR).unwrap();
            assert!(world.review(&root(), later, Decision::Approve).unwrap());
        }
        world.wait(MINUTE);
        assert!(ask(&mut world, &maria(), Some(MINUTE * 239), HOUR * 4).is_ok(), "beside one at a time");
        let beside = ask(&mut world, &maria(), Some(HOUR * 5), MINUTE * 10).unwrap();
        assert!(world.review(&root(), beside, Decision::Approve).unwrap());
        let why = not_now(ask(&mut world, &maria(), Some(MINUTE * 239), HOUR * 4));
        assert!(matches!(why, NotNow::Each { .. } | NotNow::AtOnce { .. }), "{limits}: {why}");
    }
}

// rest

#[test]
fn after_the_end_of_a_window_the_same_person_rests_and_is_told_until_when() {
    let mut world = world("{ rest = \"4h\" }");
    open(&mut world, &maria(), HOUR);
    world.wait(HOUR);
    let next = world.now.wall.plus(HOUR * 4).to_seconds();
    let why = not_now(ask(&mut world, &adm_maria(), None, HOUR));
    assert_eq!(
        why.to_string(),
        format!(
            "adm-maria rests for 4h between two windows of role 'shell', until {next}; what is for then adm-maria can ask for \
             now, with: --start {next}"
        )
    );
    open(&mut world, &erik(), HOUR);
    assert!(ask(&mut world, &maria(), Some(HOUR * 4), HOUR).is_ok(), "as it says");
    world.wait(Duration::from_millis(4 * 3_600_000 - 1));
    assert!(matches!(not_now(ask(&mut world, &maria(), None, HOUR)), NotNow::Rest { .. }));
    world.wait(Duration::from_millis(1));
    open(&mut world, &maria(), HOUR);
}

#[test]
fn a_rest_is_kept_before_and_after_what_is_approved_for_later() {
    let mut world = world("{ rest = \"4h\" }");
    let later = ask(&mut world, &maria(), Some(HOUR * 8), HOUR).unwrap();
    assert!(world.review(&root(), later, Decision::Approve).unwrap());
    assert!(matches!(not_now(ask(&mut world, &maria(), Some(HOUR * 4), HOUR)), NotNow::Rest { .. }));
    assert!(matches!(not_now(ask(&mut world, &maria(), Some(HOUR * 12), HOUR)), NotNow::Rest { .. }));
    assert!(ask(&mut world, &maria(), Some(HOUR * 13), HOUR).is_ok());
    open(&mut world, &maria(), HOUR * 4);
}

#[test]
fn who_asks_just_before_the_end_rests_as_well() {
    let mut world = world("{ rest = \"4h\" }");
    let id = open(&mut world, &maria(), HOUR);
    world.wait(MINUTE * 59);
    let next = world.now.wall.plus(HOUR * 4 + MINUTE);
    for start in [None, Some(Duration::from_secs(59)), Some(MINUTE)] {
        let why = not_now(ask(&mut world, &adm_maria(), start, HOUR));
        assert!(matches!(&why, NotNow::Rest { next: then, .. } if *then == next), "{start:?}: {why}");
    }
    assert!(more(&mut world, id, HOUR).is_ok(), "an extension goes on from it");
    assert!(ask(&mut world, &erik(), None, HOUR).is_ok());
    assert!(ask(&mut world, &maria(), Some(HOUR * 4 + MINUTE), HOUR).is_ok(), "as it says");
}

#[test]
fn an_extension_ends_no_nearer_to_another_window_than_a_rest() {
    let mut world = world("{ rest = \"4h\" }");
    let id = open(&mut world, &maria(), HOUR);
    let later = ask(&mut world, &maria(), Some(HOUR * 6), HOUR).unwrap();
    assert!(world.review(&root(), later, Decision::Approve).unwrap());
    assert!(matches!(not_now(more(&mut world, id, HOUR + MINUTE)), NotNow::Rest { .. }));
    let longer = more(&mut world, id, HOUR).unwrap();
    assert!(world.review(&root(), longer, Decision::Approve).unwrap());
    // Two from the same are two windows.
    assert!(matches!(not_now(more(&mut world, id, MINUTE)), NotNow::Rest { .. }));
}

#[test]
fn a_window_that_never_began_takes_no_rest() {
    let mut world = world("{ rest = \"4h\" }");
    let later = ask(&mut world, &maria(), Some(HOUR), HOUR).unwrap();
    assert!(world.review(&root(), later, Decision::Approve).unwrap());
    world.revoke(later);
    open(&mut world, &maria(), HOUR);
}

#[test]
fn a_rest_goes_on_over_a_restart_and_no_clock_that_steps_makes_it_shorter() {
    let mut world = world("{ rest = \"4h\" }");
    let id = open(&mut world, &maria(), HOUR);
    world.revoke(id);
    let stored = |state: &State| Stored {
        earlier: state.earlier(&"shell".parse().unwrap()).cloned().collect(),
        next_seq: state.next_seq(),
        ..Stored::default()
    };
    world.state = State::restore(stored(&world.state));
    assert!(matches!(not_now(ask(&mut world, &maria(), None, HOUR)), NotNow::Rest { .. }));
    // The wall clock runs ahead of the other.
    let ended = world.now.clone();
    world.now.wall = world.now.wall.plus(HOUR * 5);
    assert!(matches!(not_now(ask(&mut world, &maria(), None, HOUR)), NotNow::Rest { .. }));
    // In another boot it is the only one that there is.
    world.now = at_next_boot(ended.wall.plus(HOUR * 3).unix_millis(), 1);
    assert!(matches!(not_now(ask(&mut world, &maria(), None, HOUR)), NotNow::Rest { .. }));
    world.now = at_next_boot(ended.wall.plus(HOUR * 4).unix_millis(), 1);
    assert!(ask(&mut world, &maria(), None, HOUR).is_ok());
}

#[test]
fn a_rest_that_was_taken_down_by_a_clock_of_the_future_is_no_longer_than_it_is() {
    for restarted in [false, true] {
        let mut world = world("{ rest = \"4h\" }");
        let right = world.now.clone();
        world.now.wall = right.wall.plus(HOUR * 24 * 800);
        let id = open(&mut world, &maria(), HOUR);
        world.revoke(id);
        // It is put right.
        world.now = right.later(MINUTE);
        if restarted {
            world.now = at_next_boot(right.wall.plus(MINUTE).unix_millis(), 1);
        }
        let set = world.now.clone();
        assert!(matches!(not_now(ask(&mut world, &maria(), None, HOUR)), NotNow::Rest { .. }), "{restarted}");
        world.now = set.later(HOUR * 4);
        assert!(ask(&mut world, &maria(), None, HOUR).is_ok(), "{restarted}");
    }
}

#[test]
fn a_rest_counts_from_the_end_of_the_window_and_not_from_when_that_was_noticed() {
    let mut world = world("{ rest = \"4h\" }");
    open(&mut world, &maria(), HOUR);
    let opened = world.now.clone();
    // The host is off from before its end on.
    world.now = at_next_boot(opened.wall.plus(HOUR * 5).unix_millis(), 1);
    world.settle();
    assert_eq!(world.state.grants().count(), 0);
    open(&mut world, &maria(), HOUR);
}

#[test]
fn a_rest_after_a_window_that_a_restart_ended_counts_from_the_restart() {
    let mut world = world("{ rest = \"4h\" }");
    open(&mut world, &maria(), HOUR);
    world.now = at_next_boot(world.now.wall.plus(MINUTE * 30).unix_millis(), 1);
    world.settle();
    world.now = world.now.later(MINUTE * 239);
    assert!(matches!(not_now(ask(&mut world, &maria(), None, HOUR)), NotNow::Rest { .. }));
    world.now = world.now.later(MINUTE);
    open(&mut world, &maria(), HOUR);
}

#[test]
fn what_was_over_before_it_could_begin_takes_no_rest() {
    let mut world = world("{ rest = \"4h\" }");
    let later = ask(&mut world, &maria(), Some(HOUR), HOUR).unwrap();
    assert!(world.review(&root(), later, Decision::Approve).unwrap());
    world.now = at_next_boot(world.now.wall.plus(HOUR * 3).unix_millis(), 1);
    world.settle();
    assert!(world.log.iter().any(|record| matches!(record.event, Event::Began { .. })), "late");
    assert_eq!(world.state.grants().count(), 0);
    open(&mut world, &maria(), HOUR);
}

#[test]
fn what_no_rest_counts_from_any_more_is_forgotten_with_the_next_end() {
    let mut world = world("{ rest = \"90d\" }");
    let id = open(&mut world, &erik(), HOUR);
    world.revoke(id);
    let people = |world: &World| {
        let shell = "shell".parse().unwrap();
        world.state.earlier(&shell).map(|one| one.holder.name.to_string()).collect::<Vec<_>>()
    };
    for (after, who, known) in
        [(HOUR * 24 * 90, maria(), vec!["maria", "erik"]), (MINUTE, tim(), vec!["maria", "tim"])]
    {
        world.wait(after);
        let id = open(&mut world, &who, HOUR);
        world.revoke(id);
        assert_eq!(people(&world), known);
    }
}

#[test]
fn a_request_that_waited_through_the_end_of_a_window_opens_after_the_rest_alone() {
    let mut world = world("{ rest = \"4h\" }");
    let waits = ask(&mut world, &maria(), None, HOUR).unwrap();
    let id = open(&mut world, &maria(), HOUR);
    let longer = more(&mut world, id, HOUR).unwrap();
    world.wait(HOUR);
    for id in [waits, longer] {
        let why = not_now(world.review(&root(), id, Decision::Approve));
        assert!(
            matches!(&why, NotNow::NotOpened { why, .. } if matches!(**why, NotNow::Rest { .. })),
            "{why}"
        );
    }
    world.wait(HOUR * 4);
    assert!(world.review(&root(), waits, Decision::Approve).unwrap());
}

// in-all

#[test]
fn a_chain_of_extensions_is_no_longer_in_all_than_policy_says() {
    let mut world = world("{ in-all = \"6h\" }");
    let id = open(&mut world, &maria(), HOUR * 4);
    let why = not_now(more(&mut world, id, HOUR * 3));
    assert_eq!(
        why.to_string(),
        "a window of role 'shell' is for 6h in all, with everything that goes on from it, and 4h of that are had; ask for at \
         most 2h"
    );
    let longer = more(&mut world, id, HOUR * 2).unwrap();
    assert!(world.review(&root(), longer, Decision::Approve).unwrap());
    world.wait(HOUR * 5);
    let why = not_now(more(&mut world, longer, Duration::from_secs(1)));
    assert!(
        why.to_string().ends_with(
            "and 6h of that are had; it does not go on any more; ask again a minute after it is over"
        ),
        "{why}"
    );
    // A window of its own is another stay, once there is a break.
    world.wait(HOUR + MINUTE);
    open(&mut world, &maria(), HOUR * 4);
}

#[test]
fn who_asks_anew_instead_of_extending_has_no_more_in_all() {
    let mut world = world("{ in-all = \"6h\" }");
    open(&mut world, &maria(), HOUR * 4);
    let refused = |result| matches!(not_now(result), NotNow::InAll { had, .. } if had == Human(HOUR * 4));
    assert!(refused(ask(&mut world, &maria(), Some(HOUR * 4), HOUR * 3)), "one that follows");
    assert!(refused(ask(&mut world, &adm_maria(), Some(HOUR * 4), HOUR * 3)), "under whatever account");
    assert!(ask(&mut world, &maria(), Some(HOUR * 4), HOUR * 2).is_ok(), "as long as it may be");
    assert!(ask(&mut world, &erik(), Some(HOUR * 4), HOUR * 4).is_ok(), "it is a person's");
    assert!(ask(&mut world, &maria(), Some(HOUR * 28), HOUR * 4).is_ok(), "a day later is another stay");
    world.wait(MINUTE * 239);
    let why = not_now(ask(&mut world, &maria(), None, HOUR * 3));
    assert!(matches!(why, NotNow::InAll { had, .. } if had == Human(MINUTE * 239)), "one beside its end");
    // What two windows overlap in is counted once.
    assert!(ask(&mut world, &maria(), None, HOUR * 2).is_ok());
    world.wait(MINUTE);
    let why = not_now(ask(&mut world, &maria(), None, HOUR * 4));
    assert!(
        matches!(why, NotNow::InAll { had, .. } if had == Human(HOUR * 4)),
        "one that begins with its end: {why}"
    );
    world.wait(MINUTE);
    assert!(ask(&mut world, &maria(), None, HOUR * 4).is_ok(), "once there is a break");
}

#[test]
fn what_was_approved_first_counts_with_what_was_approved_later_to_come_before_it() {
    let mut world = world("{ in-all = \"6h\" }");
    let later = ask(&mut world, &maria(), Some(HOUR * 2), HOUR * 2).unwrap();
    assert!(world.review(&root(), later, Decision::Approve).unwrap());
    open(&mut world, &maria(), HOUR * 2);
    world.wait(HOUR * 3);
    assert!(matches!(not_now(more(&mut world, later, HOUR * 2 + MINUTE)), NotNow::InAll { .. }));
    assert!(more(&mut world, later, HOUR * 2).is_ok());
}

// Emergencies

#[test]
fn an_emergency_passes_rest_and_at_once_and_its_record_says_so_and_keeps_each() {
    let mut world = world("{ each = 1, at-once = 1, rest = \"4h\" }");
    let emergency = SITE.replace("LIMITS", "{ each = 1, at-once = 1, rest = \"4h\" }\nemergency = true");
    world.policy = policy(&emergency);
    let first = ask(&mut world, &maria(), None, HOUR).unwrap();
    assert!(world.state.grant(first.into()).unwrap().despite.is_empty());
    let beside = ask(&mut world, &erik(), None, HOUR).unwrap();
    assert_eq!(world.state.grant(beside.into()).unwrap().despite, [Despite::AtOnce].into());
    world.review(&root(), first, Decision::Approve).unwrap();
    assert!(matches!(not_now(ask(&mut world, &maria(), None, HOUR)), NotNow::Each { .. }));
    world.revoke(first);
    let again = ask(&mut world, &maria(), None, HOUR).unwrap();
    let despite = world.state.grant(again.into()).unwrap().despite.clone();
    assert_eq!(despite, [Despite::AtOnce, Despite::Rest].into());
    let record = world.log.last().unwrap();
    let text = String::from_utf8(record.encode().unwrap().bytes).unwrap();
    assert!(text.contains(r#""despite":["at-once","rest"]"#), "{text}");
}

// What is told

#[test]
fn whoever_is_refused_at_a_login_is_told_what_the_limits_say() {
    let mut world = world("{ rest = \"4h\" }");
    open(&mut world, &maria(), HOUR);
    world.wait(HOUR);
    let question = World::question("sshd", &maria(), Stage::Account);
    let explained = explain(&world.policy, &world.state, &world.host, &question, &world.now);
    assert_eq!(explained.roles[0].missing, Missing::Limit);
    let next = world.now.wall.plus(HOUR * 4).to_seconds();
    assert_eq!(
        explained.line(),
        format!(
            "jit: role shell does not open sshd on db-1 for maria now: maria rests for 4h between two windows of role 'shell', \
             until {next}; what is for then maria can ask for now, with: --start {next}."
        )
    );
}
