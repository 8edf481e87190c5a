//! Who counts in which stage, whom it asks, and how long it waits (law 4).

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::RequestId;

use crate::context::Context;
use crate::event::Event;
use crate::model::{Caller, Decision, Known, LoginAccount, Narrow, Pending, Person, Review};
use crate::orders::request::{RequestOrder, file};
use crate::orders::review::{Given, Reviewer, discounts, is_asked, review, waits_for};
use crate::orders::stages::{Progress, Stages, lapses, waiting_for};
use crate::orders::{NoReview, Refusal};
use crate::policy::{Method, Policy, Subject};
use crate::testing::at;
use crate::testing::{World, as_self, maria, policy, root, subject};

const SITE: &str = r#"
version = 1
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.shell]
hosts = ["*"]
services = ["sshd", "sudo"]
eligible = { users = ["maria", "erik"] }
max-duration = "4h"
default-duration = "1h"
[[role.shell.stage]]
name = "lead"
approvers = { users = ["root", "maria", "olga", "adm-olga", "sam", "tim"], groups = ["leads"] }
approvals = 3
expires = "8h"
then = { users = ["boss"] }
[role.two]
hosts = ["*"]
services = ["login"]
eligible = { users = ["maria"] }
max-duration = "4h"
default-duration = "1h"
[[role.two.stage]]
name = "lead"
approvers = { users = ["olga", "sam"] }
[[role.two.stage]]
name = "security"
approvers = { users = ["sam", "tim"] }
accept = ["online", "signature"]
expires = "2h"
[role.break-glass]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "30m"
emergency = true
[[role.break-glass.stage]]
name = "afterwards"
approvers = { users = ["olga", "sam"] }
expires = "1h"
then = { users = ["boss"] }
"#;

const HOUR: Duration = Duration::from_hours(1);
const MILLI: Duration = Duration::from_millis(1);

fn world() -> World {
    let mut world = World::new();
    world.policy = policy(SITE);
    world
}

fn one_person(accounts: &str) -> Policy {
    policy(&format!("{SITE}[people]\none = {{ accounts = [{accounts}] }}\n"))
}

fn person(name: &str) -> Subject {
    let uid = match name {
        "root" => 0,
        "maria" => 1001,
        "erik" => 1002,
        "olga" => 1004,
        "sam" => 1005,
        "tim" => 1006,
        "boss" => 1007,
        "adm-olga" => 2004,
        _ => panic!("{name}"),
    };
    subject(name, uid)
}

fn approve(world: &mut World, by: &str, id: RequestId) -> Result<bool, Refusal> {
    world.review(&person(by), id, Decision::Approve)
}

fn no_review(result: Result<bool, Refusal>) -> NoReview {
    match result {
        Err(Refusal::NoReview { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

/// An approval as the store has it.
fn recorded(world: &World, name: &str, uid: u32, stage: &str, method: Method) -> Review {
    Review {
        sets: std::collections::BTreeSet::new(),
        by: Person::of(&subject(name, uid)),
        decision: Decision::Approve,
        stage: stage.to_owned(),
        method,
        at: world.now.clone(),
        narrow: Narrow::default(),
        note: None,
        signed: None,
        code: None,
    }
}

/// How many approvals these leave to be given, in the first stage that waits; none where every stage is met.
fn lacking(world: &World, id: RequestId, reviews: &[Review]) -> Option<(String, usize)> {
    let request = &world.state.reviewable(id).unwrap().request;
    let stages = Stages::of(world.here(), request).unwrap();
    match stages.progress(world.policy.people(), request, reviews, &world.now) {
        Progress::Waits { stage, asks } => Some((stage.name.clone(), asks.lacking())),
        Progress::Met => None,
        other => panic!("{other:?}"),
    }
}

/// How long time does nothing to a request that waits; absent if it never does.
fn lapses_in(here: Context<'_>, pending: &Pending) -> Option<Duration> {
    lapses(here, pending).map(|when| when.quiet())
}

// One person counts once.

#[test]
fn accounts_that_turn_out_to_be_one_person_count_once_though_both_have_approved() {
    for (then, opens) in [(policy(SITE), true), (one_person("\"olga\", \"adm-olga\""), false)] {
        let mut world = world();
        let id = world.file(maria(), "shell", "INC-1").unwrap();
        approve(&mut world, "olga", id).unwrap();
        approve(&mut world, "adm-olga", id).unwrap();
        world.policy = then;
        assert_eq!(approve(&mut world, "sam", id), Ok(opens));
        if !opens {
            assert_eq!(approve(&mut world, "tim", id), Ok(true), "three people");
        }
    }
}

#[test]
fn a_review_of_who_turns_out_to_be_the_one_that_asked_counts_no_more() {
    let mut world = world();
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    approve(&mut world, "olga", id).unwrap();
    world.policy = one_person("\"olga\", \"maria\"");
    assert_eq!(approve(&mut world, "sam", id), Ok(false));
    assert_eq!(approve(&mut world, "tim", id), Ok(false));
    assert_eq!(approve(&mut world, "root", id), Ok(true), "three people");
}

#[test]
fn a_second_name_of_a_uid_and_a_second_uid_of_a_name_are_the_same_person() {
    let mut world = world();
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    let lacks = |people: &[(&str, u32)]| {
        let all: Vec<_> =
            people.iter().map(|(name, uid)| recorded(&world, name, *uid, "lead", Method::Online)).collect();
        lacking(&world, id, &all).map_or(0, |(_, lacking)| lacking)
    };
    assert_eq!(lacks(&[("olga", 1004), ("sam", 1005)]), 1);
    assert_eq!(lacks(&[("olga", 1004), ("sam", 1005), ("tim", 1006)]), 0);
    assert_eq!(lacks(&[("olga", 1004), ("sam", 1004)]), 2, "one uid");
    assert_eq!(lacks(&[("olga", 1004), ("olga", 3004)]), 2, "one name");
    assert_eq!(lacks(&[("maria", 1001), ("sam", 1005)]), 2, "who asked does not count");
    assert_eq!(lacks(&[("maria", 3001), ("sam", 1005)]), 2, "nor under another uid");
}

#[test]
fn a_second_name_of_a_uid_is_whoever_policy_says_the_first_one_is() {
    let mut world = world();
    // maria2 has maria's uid, and [people] knows her as maria.
    let maria2 = Subject { also: ["maria".parse().unwrap()].into(), ..subject("maria2", 1001) };
    let tim2 = Subject { also: ["tim".parse().unwrap()].into(), ..subject("tim2", 1006) };
    let with_maria2 = SITE.replace("[\"maria\", \"erik\"]", "[\"maria\", \"maria2\", \"erik\"]");
    let people =
        "[people]\nm = { accounts = [\"maria\", \"olga\"] }\nt = { accounts = [\"tim\", \"adm-olga\"] }\n";
    world.policy =
        policy(&format!("{with_maria2}{people}").replace("\"tim\"], groups", "\"tim\", \"tim2\"], groups"));
    let id = world.file(maria2, "shell", "INC-1").unwrap();
    let mut by = |who: &Subject| world.review(who, id, Decision::Approve);
    assert_eq!(no_review(by(&subject("olga", 1004))), NoReview::OwnRequest);
    assert_eq!(by(&tim2), Ok(false));
    assert!(matches!(no_review(by(&person("adm-olga"))), NoReview::Twice(_)));
    assert_eq!(by(&person("sam")), Ok(false), "somebody else counts");
}

#[test]
fn an_account_that_was_made_anew_under_its_old_name_reviews_neither_its_own_request_nor_twice() {
    let mut world = world();
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    let mut by = |name, uid| world.review(&subject(name, uid), id, Decision::Approve);
    assert_eq!(no_review(by("maria", 3001)), NoReview::OwnRequest);
    assert_eq!(by("olga", 1004), Ok(false));
    assert!(matches!(no_review(by("olga", 3004)), NoReview::Twice(_)));
    assert_eq!(by("sam", 1005), Ok(false), "somebody else does");
}

#[test]
fn a_review_that_came_in_a_way_the_stage_does_not_accept_or_for_another_stage_is_not_counted() {
    let mut world = world();
    let id = world.file(maria(), "two", "INC-1").unwrap();
    let lead = recorded(&world, "olga", 1004, "lead", Method::Online);
    let security = |method| recorded(&world, "tim", 1006, "security", method);
    let waits = |stage: &str| Some((stage.to_owned(), 1));
    assert_eq!(lacking(&world, id, &[security(Method::Online)]), waits("lead"));
    assert_eq!(lacking(&world, id, std::slice::from_ref(&lead)), waits("security"));
    assert_eq!(lacking(&world, id, &[lead.clone(), security(Method::Code)]), waits("security"));
    assert_eq!(lacking(&world, id, &[lead.clone(), security(Method::Signature)]), None);
    // Nobody counts in two stages.
    let twice = recorded(&world, "olga", 1004, "security", Method::Online);
    assert_eq!(lacking(&world, id, &[lead, twice]), waits("security"));
}

#[test]
fn a_review_of_an_account_that_has_another_uid_by_now_counts_no_more() {
    let mut world = world();
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    approve(&mut world, "olga", id).unwrap();
    approve(&mut world, "sam", id).unwrap();
    let mut lookups = world.lookups(id);
    assert_eq!(discounts(world.here(), id, &lookups), Ok(vec![]));
    lookups.insert("sam".parse().unwrap(), Known::Fully(subject("sam", 3005)));
    let gone = [Event::Discounted { request: id, by: Person::of(&person("sam")) }];
    assert_eq!(discounts(world.here(), id, &lookups).unwrap(), gone);
    let tim = as_self(person("tim"));
    let given = Given::new(Reviewer::Online(&tim), Decision::Approve);
    let opens = |lookups| {
        let events = review(world.here(), id, None, &given, lookups).unwrap();
        events.iter().any(|event| matches!(event, Event::Opened { .. }))
    };
    assert!(!opens(&lookups));
    assert!(opens(&world.lookups(id)));
}

// Who a reviewer is.

/// erik is in a session of sudo, and maria asks.
fn while_erik_may_be_root() -> (World, RequestId) {
    let mut world = world();
    let open = world.file(person("erik"), "shell", "INC-1").unwrap();
    for by in ["olga", "sam", "tim"] {
        approve(&mut world, by, open).unwrap();
    }
    for stage in [Stage::Account, Stage::Session] {
        world.log_in(&World::question("sudo", &person("erik"), stage));
    }
    assert!(world.state.root_session(&world.now).is_some());
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    (world, id)
}

#[test]
fn where_the_kernel_tells_no_login_everybody_but_root_reviews_while_somebody_may_be_root() {
    let (mut world, id) = while_erik_may_be_root();
    let untold = |account: Subject| Caller { account, login: LoginAccount::Untold };
    let mut give = |caller: &Caller| world.give(&Given::new(Reviewer::Online(caller), Decision::Approve), id);
    assert_eq!(no_review(give(&untold(root()))), NoReview::RootSession("erik".parse().unwrap()));
    assert_eq!(give(&untold(person("olga"))), Ok(false), "it counts");
}

#[test]
fn where_the_kernel_tells_no_login_root_reviews_while_nobody_may_be_root() {
    let mut world = world();
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    let untold = Caller { account: root(), login: LoginAccount::Untold };
    assert!(waits_for(world.here(), &world.state.pending()[&id], &untold));
    assert_eq!(world.give(&Given::new(Reviewer::Online(&untold), Decision::Approve), id), Ok(false));
}

// Whom a stage asks, and for how long.

#[test]
fn whoever_is_asked_in_some_stage_now_or_later_may_see_a_request_and_nobody_else() {
    let mut world = world();
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    let request = world.state.pending()[&id].request.clone();
    let asked = |who: &Subject| is_asked(world.here(), &request, who);
    let lead = Subject { groups: ["leads".parse().unwrap()].into(), ..subject("lea", 1010) };
    assert!(asked(&person("olga")) && asked(&lead));
    assert!(asked(&person("boss")), "where nobody has decided in time");
    assert!(!asked(&person("erik")) && !asked(&subject("lea", 1010)));
    world.policy = policy(&SITE.replace("role.shell", "role.other"));
    assert!(!is_asked(world.here(), &request, &person("olga")), "a role that is gone asks nobody");
}

#[test]
fn a_method_can_count_where_the_stage_that_waits_or_one_behind_it_takes_it() {
    let mut world = world();
    let online = SITE.replace("name = \"lead\"", "name = \"lead\"\naccept = [\"online\"]");
    world.policy = policy(&online);
    let (shell, two) =
        (world.file(maria(), "shell", "INC-1").unwrap(), world.file(maria(), "two", "INC-2").unwrap());
    let takes = |world: &World, id, method| {
        crate::orders::stages::takes(world.here(), &world.state.pending()[&id], method)
    };
    assert!(takes(&world, shell, Method::Online) && !takes(&world, shell, Method::Signature));
    assert!(takes(&world, two, Method::Signature), "its second stage does");
    assert!(!takes(&world, two, Method::Code));
    world.policy = policy(&online.replace("role.two", "role.other"));
    assert!(!takes(&world, two, Method::Signature), "a role that is gone takes nothing");
}

#[test]
fn a_request_waits_for_who_is_asked_now_and_for_nobody_under_other_terms() {
    let mut world = world();
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    let waits =
        |world: &World, by: &str| waits_for(world.here(), &world.state.pending()[&id], &as_self(person(by)));
    assert!(waits(&world, "olga"));
    assert!(!waits(&world, "maria") && !waits(&world, "boss") && !waits(&world, "erik"));
    world.policy = policy(&SITE.replace("approvals = 3", "approvals = 2"));
    assert!(!waits(&world, "olga"));
}

#[test]
fn a_stage_asks_the_next_people_from_its_limit_on_and_for_as_long_again() {
    let mut world = world();
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    let filed = world.now.clone();
    let asks = |world: &mut World, after: Duration| {
        world.now = at(filed.wall.plus(after).unix_millis(), filed.boot);
        ["olga", "boss"].map(|by| waits_for(world.here(), &world.state.pending()[&id], &as_self(person(by))))
    };
    assert_eq!(asks(&mut world, (HOUR * 8).saturating_sub(MILLI)), [true, false]);
    assert_eq!(asks(&mut world, HOUR * 8), [false, true]);
    assert_eq!(asks(&mut world, (HOUR * 16).saturating_sub(MILLI)), [false, true]);
    assert_eq!(asks(&mut world, HOUR * 16), [false, false]);
}

#[test]
fn an_emergency_asks_the_next_people_until_one_of_them_has_reviewed_it() {
    let mut world = world();
    let id = world.file(maria(), "break-glass", "INC-1").unwrap();
    let asks = |world: &World| {
        ["olga", "boss"].map(|by| waits_for(world.here(), &world.state.owed()[&id], &as_self(person(by))))
    };
    assert_eq!(asks(&world), [true, false]);
    for hours in [1, 1, 98] {
        world.wait(HOUR * hours);
        assert_eq!(asks(&world), [false, true]);
    }
    approve(&mut world, "boss", id).unwrap();
    assert!(world.state.owed().is_empty());
}

#[test]
fn how_long_a_request_waits_is_told_to_the_next_limit_of_its_stage() {
    let mut world = world();
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    let filed = world.now.clone();
    let left = |world: &mut World, after: Duration| {
        world.now = at(filed.wall.plus(after).unix_millis(), filed.boot);
        lapses_in(world.here(), &world.state.pending()[&id])
    };
    assert_eq!(left(&mut world, Duration::ZERO), Some(HOUR * 8));
    assert_eq!(left(&mut world, HOUR * 3), Some(HOUR * 5));
    assert_eq!(left(&mut world, HOUR * 8), Some(HOUR * 8), "then others have as long");
    assert_eq!(left(&mut world, HOUR * 12), Some(HOUR * 4));
    assert_eq!(left(&mut world, HOUR * 16), Some(Duration::ZERO), "it has lapsed");
    world.policy = policy(&SITE.replace("role.shell", "role.other"));
    assert_eq!(left(&mut world, HOUR * 3), Some(Duration::ZERO), "a role that is gone opens nothing");
}

#[test]
fn a_stage_without_a_limit_waits_for_ever_and_the_one_behind_it_from_when_it_is_met() {
    let mut world = world();
    let id = world.file(maria(), "two", "INC-1").unwrap();
    let left = |world: &World| lapses_in(world.here(), &world.state.pending()[&id]);
    assert_eq!(left(&world), None);
    world.wait(HOUR * 5);
    approve(&mut world, "olga", id).unwrap();
    assert_eq!(left(&world), Some(HOUR * 2));
    world.wait(HOUR);
    assert_eq!(left(&world), Some(HOUR));
}

#[test]
fn a_request_for_a_time_waits_no_longer_than_its_window_would_last() {
    let mut world = world();
    let mut asked = |role: &str| {
        let id = world.next_id();
        let order = RequestOrder {
            beneficiary: maria(),
            role: role.parse().unwrap(),
            duration: None,
            start: Some(world.now.wall.plus(HOUR * 9)),
            reason: "INC-1".parse().unwrap(),
            id,
        };
        let events = file(world.here(), &as_self(maria()), order).unwrap();
        world.apply(events);
        id
    };
    let (limited, unlimited) = (asked("shell"), asked("two"));
    let left = |world: &World, id| lapses_in(world.here(), &world.state.pending()[&id]);
    assert_eq!(left(&world, unlimited), Some(HOUR * 10), "the start and the duration");
    assert_eq!(left(&world, limited), Some(HOUR * 8), "the stage's own limit is nearer");
    world.wait(HOUR * 9);
    assert_eq!(left(&world, limited), Some(HOUR), "and now the window's end is");
}

#[test]
fn a_request_under_terms_that_have_changed_lapses() {
    let mut world = world();
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    world.settle();
    assert!(world.state.knows(id));
    let other = policy(&SITE.replace("approvals = 3", "approvals = 2"));
    world.load(other, None);
    world.settle();
    assert_eq!(world.log.last().unwrap().event, Event::Lapsed { request: id, stage: None });
}

#[test]
fn what_a_request_waits_for_names_the_stage_how_many_and_whom() {
    let mut world = world();
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    let text = |world: &World, policy: &Policy| {
        let pending = world.state.reviewable(id).unwrap();
        waiting_for(Context { policy, ..world.here() }, pending)
    };
    let all = |text: &str, parts: &[&str]| {
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    };
    all(&text(&world, &world.policy), &["'lead'", "3", "olga", "@leads"]);
    approve(&mut world, "olga", id).unwrap();
    all(&text(&world, &world.policy), &["'lead'", "2", "sam"]);
    all(&text(&world, &policy(&SITE.replace("role.shell", "role.other"))), &["'shell'"]);
    all(&text(&world, &policy(&SITE.replace("approvals = 3", "approvals = 2"))), &["'shell'", "ask again"]);
    world.now = at(world.now.wall.plus(HOUR * 16).unix_millis(), world.now.boot);
    all(&text(&world, &world.policy), &["'lead'", "ask again"]);
}
