//! `limits`: how many windows at a time, how far apart, how long in all; when something is asked for, and when it opens.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{GrantId, RequestId};
use proptest::prelude::*;

use crate::check::explain::{Missing, explain};
use crate::event::{Event, Record};
use crate::model::{Decision, Despite};
use crate::orders::request::{ExtendOrder, RequestOrder, extend, file};
use crate::orders::revoke::{Target, done};
use crate::orders::{NotNow, Refusal};
use crate::policy::Subject;
use crate::state::{State, Stored};
use crate::testing::{World, as_self, at_next_boot, maria, policy, root, subject};

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
            "adm-maria has role 'shell' for that time already ({0}), and one person may have 1 at a time; go on with that \
             (jitctl extend {0}), or end it first: jitctl done {0}",
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
            "adm-maria rests for 4h between two windows of role 'shell'; ask again at {next}, or now with: --start {next}"
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
    assert!(why.to_string().ends_with("and 6h of that are had; it is not extended any more"), "{why}");
    // A window of its own is another chain.
    open(&mut world, &maria(), HOUR * 4);
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
            "jit: role shell does not open sshd on db-1 for maria now: maria rests for 4h between two windows of role 'shell'; \
             ask again at {next}, or now with: --start {next}."
        )
    );
}

#[derive(Clone, Debug)]
enum Step {
    Ask { who: usize, ahead: Option<u64>, minutes: u64 },
    Approve(usize),
    Extend { which: usize, minutes: u64 },
    Done(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..4_usize, proptest::option::weighted(0.3, 0..600_u64), 1..240_u64)
            .prop_map(|(who, ahead, minutes)| Step::Ask { who, ahead, minutes }),
        6 => (0..6_usize).prop_map(Step::Approve),
        2 => (0..6_usize, 1..240_u64).prop_map(|(which, minutes)| Step::Extend { which, minutes }),
        1 => (0..6_usize).prop_map(Step::Done),
        4 => (0..200_u64).prop_map(Step::Wait),
    ]
}

/// When each window was open, whose it was and what it went on from, as the log alone tells it, in milliseconds.
struct Open {
    id: GrantId,
    whose: &'static str,
    from: i64,
    to: i64,
    base: Option<GrantId>,
    length: Duration,
}

fn windows(log: &[Record]) -> Vec<Open> {
    let mut open: BTreeMap<GrantId, Open> = BTreeMap::new();
    let mut granted = BTreeMap::new();
    for record in log {
        let now = record.at.wall.unix_millis();
        match &record.event {
            Event::Opened { grant } => {
                granted.insert(grant.id, grant.clone());
                // Of one that is approved late, what is over by then was never open.
                if let Some(window) = grant.window() {
                    let from = window.start.wall.unix_millis().max(now);
                    open.insert(grant.id, opened(grant, from, window.end().unix_millis()));
                }
            }
            Event::Began { grant, window } => {
                let (from, to) = (window.start.wall.unix_millis(), window.end().unix_millis());
                open.insert(*grant, opened(&granted[grant], from, to));
            }
            Event::Ended { grant, .. } => {
                if let Some(window) = open.get_mut(grant) {
                    window.to = window.to.min(now);
                }
            }
            _ => {}
        }
    }
    open.into_values().collect()
}

fn opened(grant: &crate::model::Grant, from: i64, to: i64) -> Open {
    let whose = if grant.user.as_str() == "adm-maria" { "maria" } else { "" };
    let names = ["maria", "erik", "tim"];
    let whose = names.into_iter().find(|name| grant.user.as_str() == *name).unwrap_or(whose);
    Open { id: grant.id, whose, from, to, base: grant.extends, length: grant.length() }
}

proptest! {
    /// Whatever people ask for and whoever approves it: never more windows than there may be, never too near, and never too
    /// long in all.
    #[test]
    fn in_every_story_windows_are_as_few_as_far_apart_and_as_short_as_the_limits_say(
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut world = world("{ each = 1, at-once = 2, rest = \"1h\", in-all = \"5h\" }");
        let people = [maria(), adm_maria(), erik(), tim()];
        let mut ids = Vec::new();
        for step in steps {
            let pick = |which: usize, ids: &[RequestId]| ids.iter().rev().nth(which).copied();
            match step {
                Step::Ask { who, ahead, minutes } => {
                    let (ahead, duration) = (ahead.map(Duration::from_mins), Duration::from_mins(minutes));
                    ids.extend(ask(&mut world, &people[who], ahead, duration).ok());
                }
                Step::Approve(which) => {
                    if let Some(id) = pick(which, &ids) {
                        drop(world.review(&root(), id, Decision::Approve));
                    }
                }
                Step::Extend { which, minutes } => {
                    if let Some(id) = pick(which, &ids) {
                        ids.extend(more(&mut world, id, Duration::from_mins(minutes)).ok());
                    }
                }
                Step::Done(which) => {
                    let Some(id) = pick(which, &ids) else { continue };
                    for one in &people {
                        if let Ok(events) = done(world.here(), &as_self(one.clone()), Target::Request(id), None) {
                            world.apply(events);
                        }
                    }
                }
                Step::Wait(minutes) => world.wait(Duration::from_mins(minutes)),
            }
        }
        let all = windows(&world.log);
        let apart = i64::try_from(HOUR.as_millis()).unwrap();
        for one in &all {
            let then = all.iter().filter(|other| other.from <= one.from && one.from < other.to).count();
            prop_assert!(then <= 2, "{} windows are open at once", then);
            let own = all.iter().filter(|other| other.id != one.id && other.whose == one.whose);
            for other in own.filter(|other| other.from <= one.from && other.from < other.to) {
                prop_assert!(other.to <= one.from, "{} and {} are open at once", other.id, one.id);
                let follows = one.base == Some(other.id) || one.base.is_some();
                prop_assert!(follows || one.from - other.to >= apart, "{} follows {}", one.id, other.id);
            }
            let mut in_all = one.length;
            let mut base = one.base;
            while let Some(before) = base.and_then(|base| all.iter().find(|other| other.id == base)) {
                in_all += before.length;
                base = before.base;
            }
            prop_assert!(in_all <= HOUR * 5, "{} is {:?} in all", one.id, in_all);
        }
        let mut folded = State::default();
        for record in &world.log {
            folded.apply(&Record::decode(record.seq, &record.encode().unwrap().bytes).unwrap());
        }
        prop_assert_eq!(folded, world.state);
    }
}
