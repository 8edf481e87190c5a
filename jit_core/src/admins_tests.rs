//! Locks and clocks that an admin signed elsewhere: each refusal beside what is taken.

use jit_proto::words::UserName;

use crate::ahead_tests::{HOUR, bring, by, key, not_of_here, people, world, written};
use crate::clock::{NotAccepted, Sample, Trust};
use crate::event::Event;
use crate::model::BySignature;
use crate::orders::signed::accounts;
use crate::orders::signed_clock::{episode, vouches};
use crate::orders::signed_lock::{Named, lock};
use crate::orders::statement::Signed;
use crate::orders::{NotOfHere, Refusal};
use crate::sign::clock::{Challenge, ClockStatement};
use crate::sign::grant::GrantStatement;
use crate::sign::hosts::Hosts;
use crate::sign::lock::LockStatement;
use crate::testing::World;
use crate::time::{Moment, Suspicion, Utc};

fn locking(world: &World, scope: &str) -> LockStatement {
    let issued = world.now.wall.whole_seconds();
    LockStatement {
        serial: "cc112233445566778899aabbccddeeff".parse().unwrap(),
        hosts: Hosts::parse("*").unwrap(),
        host_key: None,
        scope: scope.parse().unwrap(),
        until: None,
        issued,
        not_after: issued.plus(HOUR * 24),
        message: None,
    }
}

fn lock_by(world: &mut World, principal: &str, text: &LockStatement) -> Result<Vec<Event>, Refusal> {
    let verified = by(principal, text.clone());
    let accounts: Vec<UserName> = accounts(&world.policy, &verified.principals)?;
    let signed = Signed { verified: &verified, key: &key(), at: world.now.wall };
    let events = lock(world.here(), signed, &accounts, &people(), &Named::default())?;
    world.apply(events.clone());
    Ok(events)
}

#[test]
fn a_signed_lock_is_an_admins_and_does_not_come_back_once_it_is_lifted() {
    let mut world = world();
    let grant = written(&world, "press");
    let id = bring(&mut world, "olga@site", &grant).unwrap();
    let text = locking(&world, "user:maria");
    // Whoever approves the role is no admin.
    let refused = lock_by(&mut world, "olga@site", &text);
    assert!(matches!(not_of_here(refused), NotOfHere::NotAnAdmin { .. }));
    let other = LockStatement { hosts: Hosts::parse("db-2").unwrap(), ..text.clone() };
    assert!(matches!(not_of_here(lock_by(&mut world, "adam", &other)), NotOfHere::OtherHosts { .. }));
    world.now.suspect = Some(Suspicion::Behind);
    let events = lock_by(&mut world, "adam", &text).unwrap();
    world.now.suspect = None;
    assert!(
        matches!(&events[..], [Event::Locked { lock, statement: Some(_) }, Event::Ended { .. }] if lock.by.name.as_str() == "adam"),
        "{events:?}"
    );
    assert!(world.state.grant(id.into()).is_none());
    // The attack: an admin has lifted it, and somebody brings the file again.
    world.unlock("user:maria");
    assert_eq!(not_of_here(lock_by(&mut world, "adam", &text)), NotOfHere::TakenAlready(None));
    assert!(world.state.locks().is_empty());
    // An admin who is locked out locks nobody else out.
    world.lock("user:adam", None);
    let fresh = LockStatement { serial: "dd112233445566778899aabbccddeeff".parse().unwrap(), ..text };
    assert!(matches!(lock_by(&mut world, "adam", &fresh), Err(Refusal::Locked(_))));
}

/// The attack: whoever approves sees an admin's lock on the stick, and brings a grant with its serial first.
#[test]
fn a_grant_spends_no_serial_of_an_admins_lock_and_a_lock_none_of_a_grants() {
    let mut world = world();
    let text = locking(&world, "role:later");
    let grant = GrantStatement { serial: text.serial, ..written(&world, "press") };
    let id = bring(&mut world, "olga@site", &grant).unwrap();
    lock_by(&mut world, "adam", &text).unwrap();
    world.unlock("role:later");
    assert_eq!(not_of_here(lock_by(&mut world, "adam", &text)), NotOfHere::TakenAlready(None), "each once");
    assert_eq!(not_of_here(bring(&mut world, "olga@site", &grant)), NotOfHere::TakenAlready(Some(id)));
    // The other way round.
    let first = LockStatement { serial: "ee112233445566778899aabbccddeeff".parse().unwrap(), ..text };
    lock_by(&mut world, "adam", &first).unwrap();
    world.revoke(id);
    bring(&mut world, "olga@site", &GrantStatement { serial: first.serial, ..grant }).unwrap();
}

#[test]
fn a_signed_lock_makes_no_lock_shorter_and_is_over_by_its_own_time() {
    let mut world = world();
    world.lock("role:press", Some(HOUR * 4));
    let short = locking(&world, "role:press");
    let short = LockStatement { until: Some(short.issued.plus(HOUR)), ..short };
    lock_by(&mut world, "adam", &short).unwrap();
    let left = |world: &World| world.state.locks().values().next().unwrap().duration;
    assert_eq!(left(&world), Some(HOUR * 4));
    let serial = |text: &LockStatement, first: &str| LockStatement {
        serial: format!("{first}112233445566778899aabbccddeeff").parse().unwrap(),
        ..text.clone()
    };
    let long = LockStatement { until: Some(short.issued.plus(HOUR * 8)), ..serial(&short, "d0") };
    lock_by(&mut world, "adam", &long).unwrap();
    assert_eq!(left(&world), Some(HOUR * 8));
    world.wait(HOUR * 9);
    assert!(world.state.locks().is_empty());
    let over = LockStatement { not_after: long.issued.plus(HOUR * 24), ..serial(&long, "d1") };
    assert!(matches!(not_of_here(lock_by(&mut world, "adam", &over)), NotOfHere::Over(_)));
    let nothing = LockStatement { until: None, ..serial(&locking(&world, "role:nosuch"), "d2") };
    assert!(matches!(lock_by(&mut world, "adam", &nothing), Err(Refusal::NoSuchScope { .. })));
}

/// A host whose clock was lost, with what it knows of that and the challenge that it asks.
fn doubted() -> (World, Trust, ClockStatement) {
    let mut world = world();
    // Later than this program.
    world.now.wall = Utc::from_unix_millis(1_800_000_000_000);
    let right = world.now.wall;
    let sample =
        |wall: Utc, boot: u64| Sample { wall, boot, boot_id: world.now.boot_id.clone(), synced: None };
    let (mut trust, _) = Trust::resume(None, &sample(right, world.now.boot));
    trust.see(&sample(right.minus(HOUR), world.now.boot + 1_000));
    world.now = trust.moment(&sample(right.minus(HOUR), world.now.boot + 2_000));
    let asked = episode(&world.now, &trust).unwrap();
    let challenge = Challenge::of(&world.host.name, &key(), &asked, world.now.boot);
    let answer = ClockStatement::answer(challenge, world.now.wall, None);
    (world, trust, answer)
}

fn vouch(
    world: &World,
    trust: &Trust,
    principal: &str,
    text: &ClockStatement,
) -> Result<BySignature, Refusal> {
    let verified = by(principal, text.clone());
    let accounts: Vec<UserName> = accounts(&world.policy, &verified.principals)?;
    let signed = Signed { verified: &verified, key: &key(), at: trust.mark() };
    vouches(world.here(), signed, trust, &accounts, &people())
}

#[test]
fn an_admins_answer_vouches_for_the_clock_that_says_so_and_for_this_suspicion_alone() {
    let (mut world, mut trust, answer) = doubted();
    assert_eq!(vouch(&world, &trust, "adam", &answer).unwrap().by.name.as_str(), "adam");
    let refused =
        |world: &World, trust: &Trust, text: &ClockStatement| not_of_here(vouch(world, trust, "adam", text));
    assert!(matches!(not_of_here(vouch(&world, &trust, "olga@site", &answer)), NotOfHere::NotAnAdmin { .. }));
    let other = ClockStatement { host: "db-2".parse().unwrap(), ..answer.clone() };
    assert!(matches!(refused(&world, &trust, &other), NotOfHere::OtherHosts { .. }));
    let asked = ClockStatement { asked: answer.asked + 1, ..answer.clone() };
    assert_eq!(refused(&world, &trust, &asked), NotOfHere::OtherEpisode, "nobody makes a challenge younger");
    // What time it is, is for the answer to say and not for the clock.
    let later = ClockStatement { time: answer.time.plus(HOUR), ..answer.clone() };
    assert!(matches!(refused(&world, &trust, &later), NotOfHere::OtherTime { .. }));
    // It took its time to come: the clock has gone on, and one that was an hour ahead of it is not vouched for.
    let then = world.now.clone();
    world.now = Moment { wall: then.wall.plus(HOUR * 20), boot: then.boot + 72_000_000, ..then.clone() };
    assert!(vouch(&world, &trust, "adam", &answer).is_ok());
    world.now.wall = then.wall.plus(HOUR * 21);
    assert!(matches!(refused(&world, &trust, &answer), NotOfHere::OtherTime { .. }));
    world.now = Moment { wall: then.wall.plus(HOUR * 25), boot: then.boot + 90_000_000, ..then.clone() };
    assert_eq!(refused(&world, &trust, &answer), NotOfHere::LongAgo);
    // Another boot.
    world.now = Moment { boot_id: crate::testing::at_next_boot(0, 0).boot_id, ..then.clone() };
    assert_eq!(refused(&world, &trust, &answer), NotOfHere::OtherEpisode);
    // The attack: once the clock is believed, and when it is suspect again, the answer of before.
    world.now = then.clone();
    let sample = |wall: Utc| Sample { wall, boot: then.boot, boot_id: then.boot_id.clone(), synced: None };
    trust.accept(&sample(then.wall), None, None).unwrap();
    assert!(matches!(
        vouch(&world, &trust, "adam", &answer),
        Err(Refusal::NotAccepted(NotAccepted::Trusted))
    ));
    trust.see(&sample(then.wall.minus(HOUR)));
    world.now = trust.moment(&sample(then.wall.minus(HOUR)));
    assert_eq!(refused(&world, &trust, &answer), NotOfHere::OtherEpisode);
}
