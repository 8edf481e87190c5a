//! Stories: a policy with a file for each role, and what people and clocks do under it, all chosen by the bytes.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_core::check::decide::decide;
use jit_core::check::explain::explain;
use jit_core::digest::Digest;
use jit_core::model::{Caller, Decision, Known, LoginAccount as Behind, Narrow, Question, Scope};
use jit_core::orders::Refusal;
use jit_core::orders::lock::{LockOrder, end_of_members, lock, unlock};
use jit_core::orders::review::{Given, Reviewer, concerned, review};
use jit_core::orders::revoke::{Target, done, revoke, withdraw};
use jit_core::policy::{Host, Method, Policy, SourceFile, Subject, Ways, diff};
use jit_core::time::{Suspicion, Utc};
use jit_proto::gate::Stage;
use jit_proto::words::{GrantId, RequestId, Uid, UserName, Verdict};

use crate::choices::Choices;
use crate::compare;
use crate::policy::read;
use crate::world::{Ask, World, as_self, question};
use crate::written::{GROUPS, MAX_ROLES, SERVICES, USERS, files};

const MAX_STEPS: usize = 60;

/// Where root is among them.
const ROOT: usize = 5;
const ADDRESSES: [&str; 5] = ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "192.0.2.9", "::1"];
const REASONS: [&str; 4] =
    ["INC-1 look", "because", "INC-1234 the disk is full \u{e4}", "aaaaaaaaaaaaaaaaaaaaaaaa!"];

/// How long an order says.
const LONG: [Option<u64>; 5] = [None, Some(1), Some(1_800), Some(3_600), Some(90_000)];

/// Milliseconds from now to the start of a window, at most and at least more than is taken.
const AHEAD: [i64; 6] = [0, 1_000, 1_800_000, 86_400_000, -1, 8_000_000_000];

/// Makes a policy and lets a story happen under it. The answer is how many logins were allowed.
///
/// # Panics
///
/// Where a rule is broken.
#[must_use]
pub fn story(bytes: &[u8]) -> usize {
    let choices = &mut Choices(bytes);
    let mut files = files(choices);
    let policy = read(&files).or_else(|| {
        // Roles that do not load leave the stage to those that do.
        let head = files[0].clone();
        files.retain(|file| Policy::parse(&[head.clone(), file.clone()]).is_ok() || *file == head);
        read(&files)
    });
    let Some(policy) = policy else { return 0 };
    let mut world = World::new(policy, host(choices));
    world.people = (0..USERS.len()).map(account).map(|one| (one.name.clone(), Some(one))).collect();
    let mut requests = Vec::new();
    for _ in 0..MAX_STEPS {
        if !choices.more() {
            break;
        }
        world.end_trial();
        step(choices, &mut world, &mut requests, &files);
        world.rests();
    }
    world.settle();
    world.check_log();
    world.allowed()
}

/// One thing that happens, or is asked.
fn step(choices: &mut Choices<'_>, world: &mut World, requests: &mut Vec<RequestId>, files: &[SourceFile]) {
    let byte = choices.byte();
    if byte >= 0xc0 {
        upheaval(choices, world, files);
    }
    match byte % 16 {
        0..=2 => {
            let question =
                if choices.once_in(3) { some_question(choices) } else { near_question(choices, world) };
            world.log_in(&question);
            if choices.once_in(4) {
                without_a_role(choices, world, &question);
            }
        }
        3 | 4 => order(choices, world, requests),
        5..=7 => some_review(choices, world, requests),
        8 => world.wait(Duration::from_millis(
            choices.one(&[1, 1_000, 59_999, 60_000, 1_800_000, 3_600_000, 43_200_000, 86_400_000]),
        )),
        9 => {
            // One clock moves without the other, and perhaps nobody looks before it moves again.
            let by = choices.one(&[-86_400_000, -3_600_000, -1, 1, 3_600_000, 20_000_000_000]);
            world.now.wall = Utc::from_unix_millis(world.now.wall.unix_millis() + by);
            match choices.below(4) {
                1 => world.settle(),
                3 => {
                    // Somebody looks, and does not believe it until some time has passed.
                    world.doubt(if by > 0 { Suspicion::Ahead } else { Suspicion::Behind });
                    world.settle();
                }
                _ => {}
            }
        }
        10 => take_back(choices, world, requests),
        11 => extend(choices, world, requests),
        12 => set_lock(choices, world),
        13 => lift_lock(choices, world),
        14 => change_standing(choices, world),
        _ => match choices.below(3) {
            0 => load(choices, world, files),
            1 => world.reboot(),
            _ => world.host = host(choices),
        },
    }
}

/// Policy changes, or the disk takes what waits, or nothing more, or loses it.
fn upheaval(choices: &mut Choices<'_>, world: &mut World, files: &[SourceFile]) {
    match choices.below(8) {
        0..=3 => load(choices, world, files),
        4 => world.confirm(),
        5 => world.hold_disk(),
        6 => world.fail_disk(),
        _ => world.release_disk(),
    }
}

/// Another policy comes into force, perhaps on trial: the same without one file or another, with one role of another
/// kind, or the first again.
fn load(choices: &mut Choices<'_>, world: &mut World, files: &[SourceFile]) {
    let mut files = files.to_vec();
    let which = choices.below(files.len() + 1);
    if which < files.len() {
        if choices.once_in(2) {
            files[which] = of_another_kind(&files[which]);
        } else {
            files.remove(which);
        }
    }
    if let Some(policy) = read(&files) {
        compare(&world.policy, &policy);
        world.load(policy, choices.once_in(3));
    }
}

/// The same role, an emergency or no longer.
fn of_another_kind(file: &SourceFile) -> SourceFile {
    const EMERGENCY: &str = "emergency = true\n";
    let text = String::from_utf8_lossy(&file.bytes);
    let other = if text.contains(EMERGENCY) {
        text.replace(EMERGENCY, "")
    } else {
        text.replacen("max-duration", &format!("{EMERGENCY}max-duration"), 1)
    };
    SourceFile { name: file.name.clone(), bytes: other.into_bytes() }
}

/// Somebody reviews, or everybody does.
fn some_review(choices: &mut Choices<'_>, world: &mut World, requests: &[RequestId]) {
    let Some(id) = pick(choices, requests) else { return };
    let decision = if choices.once_in(5) { Decision::Deny } else { Decision::Approve };
    let method = choices.one(&Method::ALL);
    let before = allowed(world);
    if choices.once_in(2) {
        for n in 0..USERS.len() {
            world.review(&account(n), id, decision, method);
        }
    } else {
        let person = person(choices);
        let caller = match choices.below(8) {
            // Root that they became, a process of somebody else's login, one without, and a kernel that does not tell.
            4 => Caller { account: account(ROOT), login: Behind::Known(person.clone()) },
            5 => {
                Caller { account: account(choices.below(USERS.len())), login: Behind::Known(person.clone()) }
            }
            6 => Caller { account: person.clone(), login: Behind::Unset },
            7 => Caller { account: person.clone(), login: Behind::Untold },
            _ => as_self(&person),
        };
        let reviewer = match method {
            Method::Online => Reviewer::Online(&caller),
            method => Reviewer::Remote { account: &person, method },
        };
        let narrow = if choices.once_in(2) { narrow(choices) } else { Narrow::default() };
        let given = Given { narrow, ..Given::new(reviewer, decision) };
        if choices.once_in(8) {
            of_something_else(world, id, &given);
        }
        world.give(&given, id);
    }
    if decision == Decision::Approve {
        only_added(&before, &allowed(world));
    }
}

/// Whoever saw something else reviews nothing.
fn of_something_else(world: &World, id: RequestId, given: &Given<'_>) {
    let lookups = world.lookups(concerned(&world.state, id));
    let seen = Some(Digest::of(b"something else"));
    let refused = review(world.here(), id, seen, given, &lookups).unwrap_err();
    let known = world.state.reviewable(id).is_some();
    assert!(!known || !matches!(refused, Refusal::NotFound(_)), "{refused}");
}

fn narrow(choices: &mut Choices<'_>) -> Narrow {
    let mut narrow = Narrow::default();
    if choices.once_in(2) {
        narrow.duration = choices.one(&LONG).map(Duration::from_secs);
    }
    if choices.once_in(3) {
        narrow.services =
            Some(choices.some(&SERVICES).iter().map(|service| service.parse().unwrap()).collect());
    }
    if choices.once_in(3) {
        narrow.uses = NonZeroU32::new(choices.one(&[1, 2, u32::MAX]));
    }
    narrow
}

/// An admin revokes, or somebody takes back or gives back what is theirs. Nobody gets in by that.
fn take_back(choices: &mut Choices<'_>, world: &mut World, requests: &[RequestId]) {
    let Some(id) = pick(choices, requests) else { return };
    let caller = as_self(&person(choices));
    let target = if choices.once_in(2) { Target::Grant(GrantId::from(id)) } else { Target::Request(id) };
    let before = allowed(world);
    let here = world.here();
    let events = match choices.below(3) {
        0 => revoke(here, &caller, target, None),
        1 => withdraw(here, &caller, id, None),
        _ => done(here, &caller, target, None),
    };
    if world.happen(events).is_ok() {
        assert!(!world.state.pending().contains_key(&id));
        assert!(world.state.grant(id.into()).is_none());
    }
    only_added(&allowed(world), &before);
}

/// Somebody asks for more of what they have.
fn extend(choices: &mut Choices<'_>, world: &mut World, requests: &mut Vec<RequestId>) {
    let grants: Vec<_> = world.state.grants().map(|grant| (grant.id, grant.user.clone())).collect();
    let Some((grant, user)) = grants.get(choices.below(grants.len().max(1))) else { return };
    let by = (0..USERS.len()).map(account).find(|one| one.name == *user);
    let by = by.filter(|_| !choices.once_in(6)).unwrap_or_else(|| person(choices));
    let duration = choices.one(&LONG).map(Duration::from_secs);
    let before = allowed(world);
    if let Ok(id) = world.extend(&by, *grant, choices.one(&REASONS), duration) {
        requests.push(id);
        if !choices.once_in(3) {
            everybody_says_yes(world, id);
        }
    }
    only_added(&before, &allowed(world));
}

/// A lock never allows, and whom it shuts out is out.
fn set_lock(choices: &mut Choices<'_>, world: &mut World) {
    let scope = scope(choices);
    let duration = choices.one(&LONG).map(Duration::from_secs);
    let message = if choices.once_in(2) { Some(choices.one(&REASONS).parse().unwrap()) } else { None };
    let by = if choices.once_in(4) { person(choices) } else { account(ROOT) };
    let before = allowed(world);
    let people = world.policy.people();
    let is_locked = |name: &UserName| matches!(&scope, Scope::User(locked) if people.same(locked, name));
    let behind = world.people.values().flatten().filter(|one| is_locked(&one.name));
    let uids = behind.map(|one| one.uid).collect();
    let order = LockOrder { scope: scope.clone(), message, duration, uids };
    let events = lock(world.here(), &as_self(&by), order);
    let set = events.is_ok();
    drop(world.happen(events));
    if let Scope::Group(group) = &scope
        && set
    {
        let people = (0..USERS.len()).map(account).filter(|one| one.groups.contains(group));
        let members = people.map(|one| one.name).collect();
        let ended = end_of_members(world.here(), group, &members);
        drop(world.happen(Ok(ended)));
    }
    only_added(&allowed(world), &before);
    world.log_in(&near_question(choices, world));
}

/// What a lock has ended stays ended: lifting it shuts nobody out.
fn lift_lock(choices: &mut Choices<'_>, world: &mut World) {
    let scopes: Vec<_> = world.state.locks().keys().cloned().collect();
    let scope = scopes.get(choices.below(scopes.len().max(1))).cloned().unwrap_or_else(|| scope(choices));
    let by = if choices.once_in(4) { person(choices) } else { account(ROOT) };
    let before = allowed(world);
    let events = unlock(world.here(), &as_self(&by), scope, None);
    drop(world.happen(events));
    only_added(&before, &allowed(world));
}

fn scope(choices: &mut Choices<'_>) -> Scope {
    match choices.below(6) {
        0 | 1 => Scope::User(choices.one(&USERS).parse().unwrap()),
        // A group with a space in its name has no lock of its own.
        2 => choices.one(&GROUPS).parse().map_or(Scope::Host, Scope::Group),
        3 => Scope::Service(choices.one(&SERVICES).parse().unwrap()),
        4 => Scope::Role(format!("r{}", choices.below(MAX_ROLES)).parse().unwrap()),
        _ => Scope::Host,
    }
}

/// Somebody is gone, in no group any more, another under the same name, or who they were.
fn change_standing(choices: &mut Choices<'_>, world: &mut World) {
    let person = person(choices);
    let now = match choices.below(4) {
        0 => None,
        1 => Some(Subject { groups: BTreeSet::new(), ..person.clone() }),
        2 => Some(Subject { uid: Uid::try_from(4_000).unwrap(), ..person.clone() }),
        _ => Some(person.clone()),
    };
    world.people.insert(person.name, now);
}

/// A host, of a group or of none.
fn host(choices: &mut Choices<'_>) -> Host {
    let groups = if choices.once_in(2) { vec!["databases".parse().unwrap()] } else { Vec::new() };
    let name = choices.one(&["db-1", "DB-2.example", "web-1"]).parse().unwrap();
    let mut ways = Ways::default();
    if choices.once_in(3) {
        ways.at_login = choices.some(&SERVICES).iter().map(|service| service.parse().unwrap()).collect();
        ways.kiosk = Some("ssh kiosk@db-1".to_owned().try_into().unwrap());
    }
    Host { name, groups: groups.into_iter().collect(), ways }
}

/// Somebody asks for a role, mostly one who may and for themselves, and mostly gets it.
fn order(choices: &mut Choices<'_>, world: &mut World, requests: &mut Vec<RequestId>) {
    let roles: Vec<_> = world.policy.roles().cloned().collect();
    let Some(role) = roles.get(choices.below(roles.len().max(1))) else { return };
    let eligible: Vec<_> = (0..USERS.len()).filter(|n| role.eligible.contains(&account(*n))).collect();
    let to = if choices.once_in(4) || eligible.is_empty() {
        person(choices)
    } else {
        account(choices.one(&eligible))
    };
    let by = if choices.once_in(3) { person(choices) } else { to.clone() };
    let reason = choices.one(&REASONS);
    let duration = choices.one(&LONG).map(Duration::from_secs);
    let start = choices.once_in(3).then(|| {
        let start = world.now.wall.unix_millis() + choices.one(&AHEAD);
        Utc::from_unix_millis(start)
    });
    let before = allowed(world);
    let ask = Ask { by: &by, to: &to, role, reason, duration, start };
    if let Ok(id) = world.order(&ask) {
        requests.push(id);
        if !choices.once_in(3) {
            everybody_says_yes(world, id);
        }
    }
    only_added(&before, &allowed(world));
    world.log_in(&near_question(choices, world));
}

/// In every way that there is.
fn everybody_says_yes(world: &mut World, id: RequestId) {
    for method in Method::ALL {
        for n in 0..USERS.len() {
            world.review(&account(n), id, Decision::Approve, method);
        }
    }
}

/// Removing a role never allows, and the order of files never matters.
fn without_a_role(choices: &mut Choices<'_>, world: &World, question: &Question) {
    let World { policy, state, host, now, .. } = world;
    let before = decide(policy, state, host, question, now);
    let gone = format!("r{}.toml", choices.below(MAX_ROLES));
    let fewer: Vec<_> = policy.files().iter().filter(|file| file.name != gone).cloned().collect();
    let Ok(loaded) = Policy::parse(&fewer) else { return };
    let after = decide(&loaded.policy, state, host, question, now);
    assert!(after.verdict() != Verdict::Allow || before.verdict() == Verdict::Allow, "{before:?} {after:?}");
    let mut backwards = policy.files().to_vec();
    backwards.reverse();
    let again = Policy::parse(&backwards).unwrap().policy;
    assert_eq!(diff(policy, &again), []);
    assert_eq!(explain(&again, state, host, question, now), explain(policy, state, host, question, now));
}

/// Who may log in where, of everybody everywhere.
fn allowed(world: &World) -> Vec<bool> {
    let World { policy, state, host, now, .. } = world;
    let mut allowed = Vec::new();
    for n in 0..USERS.len() {
        for service in SERVICES {
            let question = question(&service.parse().unwrap(), &account(n), Stage::Account);
            allowed.push(decide(policy, state, host, &question, now).verdict() == Verdict::Allow);
        }
    }
    allowed
}

/// Whoever was allowed before is allowed after.
fn only_added(before: &[bool], after: &[bool]) {
    assert!(before.iter().zip(after).all(|(before, after)| *after || !before), "{before:?} {after:?}");
}

fn pick(choices: &mut Choices<'_>, requests: &[RequestId]) -> Option<RequestId> {
    if requests.is_empty() { None } else { Some(choices.one(requests)) }
}

/// An account of [`USERS`], with groups that stay the same.
fn account(n: usize) -> Subject {
    let uid = match USERS[n] {
        "root" => 0,
        "olga2" => 1_003,
        _ => 1_001 + u32::try_from(n).unwrap(),
    };
    let groups: BTreeSet<_> =
        GROUPS.iter().skip(n % 3).step_by(2).map(|group| group.parse().unwrap()).collect();
    let also = match USERS[n] {
        "olga" => BTreeSet::from(["olga2".parse().unwrap()]),
        "olga2" => BTreeSet::from(["olga".parse().unwrap()]),
        _ => BTreeSet::new(),
    };
    let named = Subject::named(USERS[n].parse().unwrap(), uid.try_into().unwrap());
    Subject { also, is_local: true, groups, ..named }
}

fn person(choices: &mut Choices<'_>) -> Subject {
    let n = choices.below(USERS.len());
    account(n)
}

/// A question that a live grant might answer.
fn near_question(choices: &mut Choices<'_>, world: &World) -> Question {
    let grants: Vec<_> = world.state.grants().cloned().collect();
    let Some(grant) = grants.get(choices.below(grants.len().max(1))) else { return some_question(choices) };
    let Some(mut subject) = (0..USERS.len()).map(account).find(|subject| subject.name == grant.user) else {
        return some_question(choices);
    };
    // An account that was renamed, or whose uid is another by now, is not the one that was approved.
    match choices.below(8) {
        6 => subject.name = "mallory".parse().unwrap(),
        7 => subject.uid = Uid::try_from(4_000).unwrap(),
        _ => {}
    }
    let services: Vec<_> = grant.services.iter().collect();
    let stage = choices.one(&[Stage::Account, Stage::Session, Stage::Account, Stage::Session, Stage::Close]);
    let mut question = question(choices.one(&services), &subject, stage);
    question.holds_claim = choices.once_in(2);
    question.login.target = grant.limits.run_as.first().cloned();
    question.from = ADDRESSES
        .iter()
        .map(|address| address.parse().unwrap())
        .find(|address| grant.limits.from.first().is_some_and(|network| network.contains(*address)));
    question
}

fn some_question(choices: &mut Choices<'_>) -> Question {
    let subject = person(choices);
    let stage = choices.one(&[Stage::Account, Stage::Session, Stage::Account, Stage::Close]);
    let mut question = question(&choices.one(&SERVICES).parse().unwrap(), &subject, stage);
    question.from =
        choices.one(&[None, Some(0), Some(1)]).map(|_: usize| choices.one(&ADDRESSES).parse().unwrap());
    question.holds_claim = choices.once_in(2);
    if choices.once_in(2) {
        question.login.target = Some(choices.one(&["oracle", "root", "maria"]).parse().unwrap());
    }
    match choices.below(16) {
        12 => question.caller_uid = Uid::ROOT,
        13 => question.caller_uid = Uid::try_from(1_002).unwrap(),
        14 => question.subject = Known::Not,
        15 => question.login.rhost = String::from_utf8_lossy(choices.raw()).into_owned(),
        _ => {}
    }
    question
}
