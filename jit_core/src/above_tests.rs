//! `above`: a stage of long requests alone, and no chain of extensions goes past it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use jit_proto::words::RequestId;
use proptest::prelude::*;

use crate::event::{Event, Record};
use crate::model::{Begins, Decision, Narrow, Time};
use crate::orders::request::{ExtendOrder, RequestOrder, extend, file, granted};
use crate::orders::review::{Given, Reviewer};
use crate::orders::stages::waiting_for;
use crate::orders::{NoReview, NotNow, Refusal};
use crate::policy::Subject;
use crate::state::State;
use crate::testing::{World, as_self, maria, policy, root, subject};

const HOUR: Duration = Duration::from_hours(1);

const SITE: &str = r#"
version = 1
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "8h"
default-duration = "1h"
[[role.shell.stage]]
name = "lead"
approvers = { users = ["root", "olga"] }
[[role.shell.stage]]
name = "security"
approvers = { users = ["sam", "olga"] }
above = "4h"
"#;

fn world() -> World {
    let mut world = World::new();
    world.policy = policy(SITE);
    world
}

fn sam() -> Subject {
    subject("sam", 1005)
}

fn ask(world: &mut World, duration: Duration) -> RequestId {
    ask_at(world, None, duration)
}

fn ask_at(world: &mut World, start: Option<Duration>, duration: Duration) -> RequestId {
    let id = world.next_id();
    let order = RequestOrder {
        beneficiary: maria(),
        role: "shell".parse().unwrap(),
        duration: Some(duration),
        start: start.map(|ahead| world.now.wall.plus(ahead)),
        reason: "INC-1 look".parse().unwrap(),
        id,
    };
    let events = file(world.here(), &as_self(maria()), order).unwrap();
    world.apply(events);
    id
}

fn more(world: &mut World, of: RequestId, duration: Duration) -> Result<RequestId, Refusal> {
    let id = world.next_id();
    let reason = "INC-1 longer".parse().unwrap();
    let duration = Some(duration);
    let order = ExtendOrder { beneficiary: maria(), grant: of.into(), duration, reason, id };
    let events = extend(world.here(), &as_self(maria()), order)?;
    world.apply(events);
    Ok(id)
}

fn waits(world: &World, id: RequestId) -> String {
    waiting_for(world.here(), &world.state.pending()[&id])
}

#[test]
fn a_stage_is_of_requests_that_are_longer_and_of_no_others() {
    let mut world = world();
    let short = ask(&mut world, HOUR * 4);
    assert_eq!(waits(&world, short), "1 approval from olga, root (stage 'lead')");
    assert!(world.review(&root(), short, Decision::Approve).unwrap(), "as long as that is not longer");
    let long = ask(&mut world, HOUR * 4 + Duration::from_secs(1));
    assert!(!world.review(&root(), long, Decision::Approve).unwrap());
    assert_eq!(waits(&world, long), "1 approval from olga, sam (stage 'security')");
    assert!(world.review(&sam(), long, Decision::Approve).unwrap());
}

#[test]
fn whoever_is_of_that_stage_alone_reviews_no_short_request() {
    let mut world = world();
    let id = ask(&mut world, HOUR);
    let refused = world.review(&sam(), id, Decision::Approve);
    assert!(
        matches!(&refused, Err(Refusal::NoReview { why: NoReview::NotApprover { stage, .. }, .. }) if stage == "lead"),
        "{refused:?}"
    );
}

#[test]
fn a_chain_of_extensions_comes_to_the_stage_once_it_is_longer_in_all() {
    let mut world = world();
    let first = ask(&mut world, HOUR * 2);
    assert!(world.review(&root(), first, Decision::Approve).unwrap());
    let second = more(&mut world, first, HOUR * 2).unwrap();
    assert!(world.review(&root(), second, Decision::Approve).unwrap(), "four hours in all");
    world.wait(HOUR * 3);
    let third = more(&mut world, second, Duration::from_secs(1)).unwrap();
    assert_eq!(world.state.pending()[&third].request.before, HOUR * 4, "also of what is over");
    assert!(!world.review(&root(), third, Decision::Approve).unwrap());
    assert!(waits(&world, third).ends_with("(stage 'security')"));
    assert!(world.review(&sam(), third, Decision::Approve).unwrap());
    // The chain is known after a restart, as what lives says it.
    assert_eq!(world.state.grant(third.into()).unwrap().together(), HOUR * 4 + Duration::from_secs(1));
    world.wait(HOUR + Duration::from_millis(10));
    assert!(
        more(&mut world, third, HOUR).is_ok_and(|id| world.state.pending()[&id].request.before > HOUR * 4)
    );
}

#[test]
fn who_asks_anew_instead_of_extending_comes_to_the_stage_as_well() {
    let mut world = world();
    let first = ask(&mut world, HOUR * 4);
    assert!(world.review(&root(), first, Decision::Approve).unwrap());
    let follows = ask_at(&mut world, Some(HOUR * 4), HOUR);
    assert!(!world.review(&root(), follows, Decision::Approve).unwrap(), "one that follows");
    assert!(waits(&world, follows).ends_with("(stage 'security')"));
    let near = ask_at(&mut world, Some(HOUR * 4 + Duration::from_secs(1)), HOUR);
    assert!(!world.review(&root(), near, Decision::Approve).unwrap(), "one a second behind it");
    let apart = ask_at(&mut world, Some(HOUR * 28), HOUR * 4);
    assert!(world.review(&root(), apart, Decision::Approve).unwrap(), "a day later is another stay");
    world.wait(Duration::from_mins(239));
    let beside = ask(&mut world, HOUR);
    assert!(!world.review(&root(), beside, Decision::Approve).unwrap(), "one beside its end");
    let within = ask(&mut world, Duration::from_secs(60));
    assert!(world.review(&root(), within, Decision::Approve).unwrap(), "what goes no further is no longer");
    world.wait(Duration::from_secs(120));
    let after = ask(&mut world, HOUR * 4);
    assert!(world.review(&root(), after, Decision::Approve).unwrap(), "once there is a break");
}

#[test]
fn of_two_that_follow_one_another_and_are_asked_for_together_one_opens_on_the_leads_word_alone() {
    let mut world = world();
    let first = ask(&mut world, HOUR * 4);
    let second = ask_at(&mut world, Some(HOUR * 4), HOUR * 4);
    // Also where the later one opens first.
    assert!(world.review(&root(), second, Decision::Approve).unwrap());
    let refused = world.review(&root(), first, Decision::Approve);
    let Err(Refusal::NotNow(why)) = refused else { panic!("{refused:?}") };
    assert!(
        matches!(&*why, NotNow::NotOpened { why, .. } if matches!(&**why, NotNow::Longer { stage, .. } if stage == "security")),
        "{why}"
    );
    assert!(why.to_string().contains("comes to 8h without a break"), "{why}");
    // As it says.
    world.apply([Event::Withdrawn { request: first, reason: None }]);
    let again = ask(&mut world, HOUR * 4);
    assert!(!world.review(&root(), again, Decision::Approve).unwrap());
    assert!(world.review(&sam(), again, Decision::Approve).unwrap());
    let grant = |id: RequestId| world.state.grant(id.into()).unwrap();
    assert_eq!(grant(again).before, Duration::ZERO, "nothing was before it");
}

#[test]
fn a_window_that_waits_for_a_login_counts_with_its_length_and_not_with_its_wait() {
    let mut world = world();
    world.policy =
        policy(&SITE.replace("max-duration", "starts = \"at-first-use\"\nlapse = \"24h\"\nmax-duration"));
    let first = ask(&mut world, HOUR * 2);
    assert!(world.review(&root(), first, Decision::Approve).unwrap());
    let second = ask(&mut world, HOUR * 2);
    assert!(world.review(&root(), second, Decision::Approve).unwrap(), "four hours in all");
    let third = ask(&mut world, HOUR);
    assert!(!world.review(&root(), third, Decision::Approve).unwrap(), "five, one after another");
    let apart = ask_at(&mut world, Some(HOUR * 48), HOUR * 4);
    assert!(world.review(&root(), apart, Decision::Approve).unwrap());
}

#[test]
fn what_a_review_leaves_of_a_long_request_takes_no_stage_from_it() {
    let mut world = world();
    let id = ask(&mut world, HOUR * 8);
    let caller = as_self(root());
    let narrow = Narrow { duration: Some(HOUR), ..Narrow::default() };
    let given = Given { narrow, ..Given::new(Reviewer::Online(&caller), Decision::Approve) };
    assert!(!world.give(&given, id).unwrap());
    assert!(world.review(&sam(), id, Decision::Approve).unwrap());
    assert_eq!(world.state.grant(id.into()).unwrap().length(), HOUR);
}

#[test]
fn an_admins_grant_needs_the_stage_as_any_other_request_does() {
    let mut world = world();
    let mut grant = |hours: u32| {
        let order = RequestOrder {
            beneficiary: maria(),
            role: "shell".parse().unwrap(),
            duration: Some(HOUR * hours),
            start: None,
            reason: "INC-1 look".parse().unwrap(),
            id: world.next_id(),
        };
        let granted = granted(world.here(), &as_self(root()), order).unwrap();
        granted.events.iter().any(|event| matches!(event, Event::Opened { .. }))
    };
    assert!(grant(4) && !grant(5));
}

#[test]
fn an_emergency_owes_the_reviews_that_a_request_of_its_length_needs() {
    let mut world = world();
    world.policy = policy(&SITE.replace("default-duration = \"1h\"", "emergency = true"));
    let short = ask(&mut world, HOUR);
    world.review(&root(), short, Decision::Approve).unwrap();
    assert!(world.state.owed().is_empty());
    let long = ask(&mut world, HOUR * 8);
    world.review(&root(), long, Decision::Approve).unwrap();
    assert!(world.state.owed().contains_key(&long));
    world.review(&sam(), long, Decision::Approve).unwrap();
    assert!(world.state.owed().is_empty());
}

#[test]
fn what_an_older_jitd_wrote_goes_on_from_nothing_that_is_counted() {
    let mut world = world();
    let id = ask(&mut world, HOUR);
    world.review(&root(), id, Decision::Approve).unwrap();
    let text = serde_json::to_string(world.state.grant(id.into()).unwrap()).unwrap();
    assert!(!text.contains("before"), "what extends nothing is written as it was: {text}");
}

proptest! {
    /// However somebody cuts their time into extensions and requests: what is open without security is four hours without a
    /// break.
    #[test]
    fn no_stay_is_longer_than_its_stages_allow(
        steps in proptest::collection::vec((0..3_u8, 1..300_u64, 0..200_u64, any::<bool>()), 1..25),
    ) {
        let mut world = world();
        let mut last = ask(&mut world, HOUR);
        world.review(&root(), last, Decision::Approve).unwrap();
        for (how, minutes, wait, by_sam) in steps {
            world.wait(Duration::from_secs(60 * wait));
            let length = Duration::from_secs(60 * minutes);
            let left = world.state.grant(last.into()).map_or(Duration::ZERO, |grant| grant.remaining(&world.now));
            let id = match how {
                0 => ask(&mut world, length),
                1 => ask_at(&mut world, Some(left), length),
                _ => match more(&mut world, last, length) {
                    Ok(id) => id,
                    Err(_) => continue,
                },
            };
            world.review(&root(), id, Decision::Approve).unwrap();
            if by_sam && world.state.pending().contains_key(&id) {
                world.review(&sam(), id, Decision::Approve).unwrap();
            }
            if world.state.grant(id.into()).is_some() {
                last = id;
            } else {
                world.apply([Event::Withdrawn { request: id, reason: None }]);
            }
        }
        // As the log alone tells it: what was approved while what it follows was open or to come, and by whom.
        let mut windows: Vec<(i64, i64, i64, RequestId)> = Vec::new();
        let mut signed = std::collections::BTreeSet::new();
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap();
        for record in &world.log {
            match &record.event {
                Event::Reviewed { request, review, .. } if review.stage == "security" => {
                    signed.insert(*request);
                }
                Event::Opened { grant } => {
                    let now = record.at.wall.unix_millis();
                    let from = match (&grant.time, grant.extends) {
                        (Time::Open { .. }, _) => now,
                        (Time::Scheduled { .. }, Some(base)) => {
                            windows.iter().find(|one| one.3 == base.into()).map_or(now, |one| one.1)
                        }
                        (Time::Scheduled { scheduled }, None) => match scheduled.begins {
                            Begins::At(start) => start.unix_millis(),
                            Begins::AtFirstUse { .. } | Begins::After(_) => now,
                        },
                    };
                    windows.push((from, from + millis(grant.length()), now, grant.request()));
                }
                _ => {}
            }
        }
        for one in windows.iter().filter(|one| !signed.contains(&one.3)) {
            let (mut stay, mut from) = (vec![one], one.0);
            while let Some(last) = stay.pop() {
                from = from.min(last.0);
                let earlier = windows.iter().filter(|other| other.0 < last.0);
                stay.extend(earlier.filter(|other| other.1 >= last.0 && other.1 > last.2));
            }
            prop_assert!(one.1 - from <= millis(HOUR * 4), "{} is {} without security", one.3, one.1 - from);
        }
        let mut folded = State::default();
        for record in &world.log {
            folded.apply(&Record::decode(record.seq, &record.encode().unwrap().bytes).unwrap());
        }
        prop_assert_eq!(folded, world.state);
    }
}
