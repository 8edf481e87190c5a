//! Grants that were signed before anybody asked, and revokes that were signed elsewhere: each refusal beside what is taken.

use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{RequestId, UserName};

use crate::event::Event;
use crate::model::{Decision, Elsewhere, EndWhy, Known, Request};
use crate::orders::ahead::grant;
use crate::orders::request::{ExtendOrder, extend};
use crate::orders::review::Lookups;
use crate::orders::signed::accounts;
use crate::orders::signed_revoke::revoke;
use crate::orders::statement::Signed;
use crate::orders::{NoReview, NotOfHere, Refusal};
use crate::policy::Subject;
use crate::proof::note::HostKey;
use crate::sign::compact::{self, BadCompact};
use crate::sign::file::{RequestFile, fingerprint};
use crate::sign::grant::GrantStatement;
use crate::sign::hosts::Hosts;
use crate::sign::key::Key;
use crate::sign::kind::SignedText;
use crate::sign::revoke::{RevokeStatement, What};
use crate::sign::verify::Verified;
use crate::testing::{World, as_self, at, maria, policy, subject};
use crate::time::{Suspicion, Utc};

pub(crate) const POLICY: &str = r#"
version = 1
[people]
olga = { accounts = ["olga", "adm-olga"], keys = ["olga@site", "olga@home"] }
joerg = { accounts = ["joerg"], keys = ["joerg@vendor"] }
maria = { accounts = ["maria"], keys = ["maria@site"] }
[admins]
users = ["root", "adam"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.press]
hosts = ["*"]
services = ["sshd", "sudo"]
eligible = { users = ["maria"] }
max-duration = "2h"
default-duration = "1h"
reason = { pattern = "^CASE-[0-9]+ .{4,}", hint = "CASE-1 and why" }
[[role.press.stage]]
name = "plant"
approvers = { users = ["olga", "adm-olga", "joerg", "maria"] }
accept = ["signature", "online"]
[role.two]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "2h"
default-duration = "1h"
[[role.two.stage]]
name = "plant"
approvers = { users = ["olga", "joerg", "maria"] }
[[role.two.stage]]
name = "safety"
approvers = { users = ["sam", "olga", "adm-olga"] }
[role.later]
hosts = ["*"]
services = ["login"]
eligible = { users = ["maria"] }
max-duration = "2h"
starts = "at-first-use"
[[role.later.stage]]
name = "plant"
approvers = { users = ["olga"] }
[role.desk]
hosts = ["*"]
services = ["cups"]
eligible = { users = ["maria"] }
max-duration = "2h"
[[role.desk.stage]]
name = "plant"
approvers = { users = ["olga", "kim"] }
accept = ["online"]
[role.alarm]
hosts = ["*"]
services = ["su"]
eligible = { users = ["maria"] }
max-duration = "1h"
emergency = true
[[role.alarm.stage]]
name = "plant"
approvers = { users = ["olga"] }
"#;

pub(crate) const HOUR: Duration = Duration::from_hours(1);

pub(crate) fn key() -> HostKey {
    HostKey::from_seed("db-1/jitd".parse().unwrap(), &[3; 32])
}

/// A host that has run for a day.
pub(crate) fn world() -> World {
    let mut world = World::new();
    world.policy = policy(POLICY);
    world.apply([Event::Started { version: "1".into(), loginuid: true }]);
    world.wait(HOUR * 24);
    world
}

pub(crate) fn people() -> Lookups {
    let names = ["olga", "adm-olga", "sam", "joerg", "adam", "kim", "anna"];
    let others = (2001..).zip(names).map(|(uid, name)| subject(name, uid));
    let all = [maria()].into_iter().chain(others);
    all.map(|one: Subject| (one.name.clone(), Known::Fully(one))).collect()
}

pub(crate) fn written(world: &World, role: &str) -> GrantStatement {
    let issued = world.now.wall.whole_seconds();
    GrantStatement {
        serial: "00112233445566778899aabbccddeeff".parse().unwrap(),
        hosts: Hosts::parse("db-1,db-2").unwrap(),
        host_key: None,
        user: "maria".parse().unwrap(),
        behind: None,
        role: role.parse().unwrap(),
        services: None,
        uses: None,
        duration: None,
        issued,
        not_before: issued,
        not_after: issued.plus(HOUR * 24),
        reason: "CASE-1 press stands".parse().unwrap(),
    }
}

fn taking(serial: What, world: &World) -> RevokeStatement {
    RevokeStatement {
        hosts: Hosts::parse("*").unwrap(),
        host_key: None,
        revokes: serial,
        issued: world.now.wall.whole_seconds(),
        not_after: world.now.wall.whole_seconds().plus(HOUR * 24),
        reason: Some("another comes".parse().unwrap()),
    }
}

/// As if a good signature of this key were over it.
pub(crate) fn by<T: SignedText>(principal: &str, text: T) -> Verified<T> {
    let vectors = include_str!("../offline-vectors/approvers");
    let line = vectors.lines().find(|line| line.starts_with("ed25519@")).unwrap();
    let encoded = line.split(' ').nth(3).unwrap();
    Verified {
        text,
        principals: vec![principal.parse().unwrap()],
        key: Key::parse("ssh-ed25519", encoded).unwrap(),
        presence: None,
        signature: "signature".into(),
    }
}

fn bring_with(
    world: &mut World,
    principal: &str,
    text: &GrantStatement,
    lookups: &Lookups,
) -> Result<RequestId, Refusal> {
    let verified = by(principal, text.clone());
    let accounts: Vec<UserName> = accounts(&world.policy, &verified.principals)?;
    let fresh = world.next_id();
    let signed = Signed { verified: &verified, key: &key(), at: world.now.wall };
    let events = grant(world.here(), signed, &accounts, lookups, fresh)?;
    world.apply(events);
    Ok(world.state.taken(text.serial).unwrap().request.unwrap())
}

pub(crate) fn bring(world: &mut World, principal: &str, text: &GrantStatement) -> Result<RequestId, Refusal> {
    bring_with(world, principal, text, &people())
}

fn take_at(
    world: &mut World,
    principal: &str,
    text: RevokeStatement,
    at: Utc,
) -> Result<Vec<Event>, Refusal> {
    let verified = by(principal, text);
    let accounts: Vec<UserName> = accounts(&world.policy, &verified.principals)?;
    let signed = Signed { verified: &verified, key: &key(), at };
    let events = revoke(world.here(), signed, &accounts, &people())?;
    world.apply(events.clone());
    Ok(events)
}

fn take(world: &mut World, principal: &str, text: RevokeStatement) -> Result<Vec<Event>, Refusal> {
    let at = world.now.wall;
    take_at(world, principal, text, at)
}

pub(crate) fn not_of_here<T: std::fmt::Debug>(result: Result<T, Refusal>) -> NotOfHere {
    match result {
        Err(Refusal::NotOfHere(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn no_review<T: std::fmt::Debug>(result: Result<T, Refusal>) -> NoReview {
    match result {
        Err(Refusal::NoReview { why, .. } | Refusal::NoSigner(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn request(world: &World, id: RequestId) -> &Request {
    let asked = world.log.iter().find_map(|record| match &record.event {
        Event::Requested { request } if request.id == id => Some(request),
        _ => None,
    });
    asked.unwrap()
}

#[test]
fn a_grant_opens_by_the_signature_that_its_role_asks_for_and_never_a_second_time() {
    let mut world = world();
    let text = GrantStatement {
        duration: Some(Duration::from_mins(30)),
        services: Some(["sshd".parse().unwrap()].into_iter().collect()),
        uses: std::num::NonZeroU32::new(2),
        behind: Some("Jörg Ü. (Druck & Co)".parse().unwrap()),
        ..written(&world, "press")
    };
    let id = bring(&mut world, "olga@site", &text).unwrap();
    let open = world.state.grant(id.into()).unwrap();
    assert_eq!(open.remaining(&world.now), Duration::from_mins(30));
    assert!(open.services.iter().map(AsRef::as_ref).eq(["sshd"]));
    assert!(matches!(open.uses, crate::policy::Uses::Times(times) if times.get() == 2));
    let asked = request(&world, id);
    let ahead = asked.ahead.as_ref().unwrap();
    assert_eq!(ahead.behind.as_ref().unwrap().as_str(), "Jörg Ü. (Druck & Co)");
    assert_eq!(asked.filed_by.name.as_str(), "adm-olga", "whoever signed asks, not whoever brings it");
    let Some(Event::Reviewed { review, .. }) =
        world.log.iter().map(|record| &record.event).find(|event| matches!(event, Event::Reviewed { .. }))
    else {
        panic!("no review")
    };
    assert_eq!(review.signed.as_ref().unwrap().text, text.text(), "the record proves it");
    // The attack: the file is brought again, at once, after the end, and by another signature.
    for principal in ["olga@site", "olga@home", "joerg@vendor"] {
        assert_eq!(not_of_here(bring(&mut world, principal, &text)), NotOfHere::TakenAlready(Some(id)));
    }
    world.revoke(id);
    assert_eq!(not_of_here(bring(&mut world, "olga@site", &text)), NotOfHere::TakenAlready(Some(id)));
    // Nor does another text of the same serial.
    let other = GrantStatement { duration: Some(HOUR), ..text.clone() };
    assert_eq!(not_of_here(bring(&mut world, "olga@site", &other)), NotOfHere::TakenAlready(Some(id)));
    let fresh = GrantStatement { serial: "ff112233445566778899aabbccddeeff".parse().unwrap(), ..text };
    assert!(bring(&mut world, "olga@site", &fresh).is_ok(), "one of another serial is another");
}

#[test]
fn all_signatures_that_the_stages_ask_for_must_be_there_and_what_is_missing_waits() {
    let mut world = world();
    let text = written(&world, "two");
    // Whoever is not asked yet spends nothing.
    assert!(matches!(no_review(bring(&mut world, "sam", &text)), NoReview::TooEarly { .. }));
    assert!(world.state.taken(text.serial).is_none() && world.state.pending().is_empty());
    let id = bring(&mut world, "olga@site", &text).unwrap();
    assert!(world.state.grant(id.into()).is_none(), "one of two opens nothing");
    assert!(matches!(no_review(bring(&mut world, "olga@home", &text)), NoReview::Twice(_)));
    let other = GrantStatement { duration: Some(HOUR * 2), ..text.clone() };
    assert_eq!(
        not_of_here(bring(&mut world, "sam", &other)),
        NotOfHere::TakenAlready(Some(id)),
        "they sign the same bytes"
    );
    world.wait(HOUR);
    assert_eq!(bring(&mut world, "sam", &text), Ok(id));
    assert!(world.state.grant(id.into()).is_some());
    assert_eq!(not_of_here(bring(&mut world, "sam", &text)), NotOfHere::TakenAlready(Some(id)));
}

#[test]
fn neither_the_beneficiary_nor_the_human_behind_the_account_signs_their_own() {
    let mut world = world();
    let text = written(&world, "press");
    assert_eq!(no_review(bring(&mut world, "maria@site", &text)), NoReview::OwnRequest);
    for behind in ["joerg", "JOERG", "joerg@vendor"] {
        let own = GrantStatement { behind: Some(behind.parse().unwrap()), ..text.clone() };
        assert_eq!(no_review(bring(&mut world, "joerg@vendor", &own)), NoReview::OwnRequest, "{behind}");
    }
    assert!(world.state.taken(text.serial).is_none(), "none of these spent it");
    let own = GrantStatement {
        behind: Some("joerg@vendor".parse().unwrap()),
        role: "two".parse().unwrap(),
        ..text.clone()
    };
    let id = bring(&mut world, "olga@site", &own).unwrap();
    let online = world.review(&subject("joerg", 2004), id, Decision::Approve);
    assert_eq!(no_review(online), NoReview::OwnRequest, "nor on the host");
    // Of another human's coming he is asked like others.
    let text = GrantStatement {
        serial: "aa112233445566778899aabbccddeeff".parse().unwrap(),
        behind: Some("Jochen".parse().unwrap()),
        ..text
    };
    assert!(bring(&mut world, "joerg@vendor", &text).is_ok());
}

/// The attack: joerg comes by an account that several share, and approves that it goes on: the request of that would no
/// longer say who is behind it.
#[test]
fn what_a_signed_grant_opened_goes_on_by_another_one_alone() {
    let mut world = world();
    let text = GrantStatement { behind: Some("joerg".parse().unwrap()), ..written(&world, "press") };
    let id = bring(&mut world, "olga@site", &text).unwrap();
    let order = |world: &mut World, grant: RequestId| {
        let (id, reason) = (world.next_id(), "CASE-1 still stands".parse().unwrap());
        ExtendOrder { beneficiary: maria(), grant: grant.into(), duration: None, reason, id }
    };
    let longer = order(&mut world, id);
    let refused = extend(world.here(), &as_self(maria()), longer);
    assert_eq!(not_of_here(refused), NotOfHere::Extends);
    // What she asked for herself does.
    world.revoke(id);
    let own = world.file(maria(), "press", "CASE-2 press stands").unwrap();
    world.review(&subject("olga", 2001), own, Decision::Approve).unwrap();
    let longer = order(&mut world, own);
    assert!(extend(world.here(), &as_self(maria()), longer).is_ok());
}

#[test]
fn a_grant_for_other_hosts_another_key_or_another_time_is_refused_by_its_reason() {
    let mut world = world();
    let good = written(&world, "press");
    let other = GrantStatement { hosts: Hosts::parse("db-2,@presses").unwrap(), ..good.clone() };
    assert!(matches!(not_of_here(bring(&mut world, "olga@site", &other)), NotOfHere::OtherHosts { .. }));
    let strange = fingerprint(&HostKey::from_seed("db-1/jitd".parse().unwrap(), &[4; 32]).public());
    let keyed = GrantStatement { host_key: Some(strange), ..good.clone() };
    assert!(matches!(not_of_here(bring(&mut world, "olga@site", &keyed)), NotOfHere::AnotherKey { .. }));
    let ahead = GrantStatement { not_before: good.issued.plus(HOUR), ..good.clone() };
    assert!(matches!(not_of_here(bring(&mut world, "olga@site", &ahead)), NotOfHere::Early(_)));
    assert!(world.state.taken(good.serial).is_none(), "it may be brought again then");
    let short = GrantStatement { not_after: good.issued.plus(HOUR), ..good.clone() };
    world.wait(HOUR);
    assert!(matches!(not_of_here(bring(&mut world, "olga@site", &short)), NotOfHere::Over(_)));
    let ours = Some(fingerprint(&key().public()));
    world.host.groups = ["presses".parse().unwrap()].into();
    let ahead = GrantStatement { hosts: Hosts::parse("@presses").unwrap(), host_key: ours, ..ahead };
    assert!(bring(&mut world, "olga@site", &ahead).is_ok());
}

#[test]
fn a_window_is_over_by_the_time_of_the_grant_whenever_it_begins() {
    let mut world = world();
    let near = |world: &World, role: &str, minutes| {
        let good = written(world, role);
        GrantStatement { not_after: good.issued.plus(Duration::from_mins(minutes)), ..good }
    };
    let text = near(&world, "press", 20);
    let id = bring(&mut world, "olga@site", &text).unwrap();
    let open = world.state.grant(id.into()).unwrap();
    assert_eq!(open.remaining(&world.now), Duration::from_mins(20), "not the hour of its role");
    // A window that begins with the first login, too.
    let text = GrantStatement {
        serial: "aa112233445566778899aabbccddeeff".parse().unwrap(),
        ..near(&world, "later", 90)
    };
    let id = bring(&mut world, "olga@site", &text).unwrap();
    assert!(world.state.grant(id.into()).unwrap().window().is_none());
    world.wait(Duration::from_mins(75));
    world.log_in(&World::question("login", &maria(), Stage::Account));
    world.settle();
    let open = world.state.grant(id.into()).unwrap();
    assert_eq!(open.remaining(&world.now), Duration::from_mins(15), "of two hours");
    world.wait(Duration::from_mins(15));
    assert!(world.state.grant(id.into()).is_none());
    // And one that nobody uses.
    let text = GrantStatement {
        serial: "bb112233445566778899aabbccddeeff".parse().unwrap(),
        ..near(&world, "later", 90)
    };
    let id = bring(&mut world, "olga@site", &text).unwrap();
    world.wait(Duration::from_mins(90));
    assert!(world.state.grant(id.into()).is_none());
}

#[test]
fn a_request_that_waits_for_a_second_signature_lapses_with_its_grant() {
    let mut world = world();
    let good = written(&world, "two");
    let text = GrantStatement { not_after: good.issued.plus(HOUR), ..good };
    let id = bring(&mut world, "olga@site", &text).unwrap();
    world.wait(Duration::from_mins(59));
    assert!(world.state.pending().contains_key(&id));
    world.wait(Duration::from_mins(1));
    assert!(!world.state.pending().contains_key(&id));
}

#[test]
fn what_the_role_does_not_give_no_grant_gives() {
    let mut world = world();
    let good = written(&world, "press");
    let refused = |world: &mut World, text: GrantStatement| {
        let refused = bring(world, "olga@site", &text).unwrap_err();
        assert!(world.state.taken(text.serial).is_none(), "{refused}");
        refused
    };
    let longer = GrantStatement { duration: Some(HOUR * 3), ..good.clone() };
    assert!(matches!(refused(&mut world, longer), Refusal::TooLong { .. }));
    let service =
        GrantStatement { services: Some(["cups".parse().unwrap()].into_iter().collect()), ..good.clone() };
    assert!(matches!(refused(&mut world, service), Refusal::NotOfHere(NotOfHere::More { .. })));
    let reason = GrantStatement { reason: "please".parse().unwrap(), ..good.clone() };
    assert!(matches!(refused(&mut world, reason), Refusal::Reason { .. }));
    let whom = GrantStatement { user: "kim".parse().unwrap(), ..good.clone() };
    assert!(matches!(refused(&mut world, whom), Refusal::NotEligible { .. }));
    let role = |role: &str| GrantStatement { role: role.parse().unwrap(), ..good.clone() };
    assert!(matches!(refused(&mut world, role("alarm")), Refusal::Emergency { .. }));
    assert!(matches!(refused(&mut world, role("nosuch")), Refusal::NoSuchRole(_)));
    assert!(matches!(refused(&mut world, role("desk")), Refusal::NoSigner(NoReview::Method { .. })));
    let mut nobody = people();
    nobody.insert("maria".parse().unwrap(), Known::Not);
    assert!(matches!(not_of_here(bring_with(&mut world, "olga@site", &good, &nobody)), NotOfHere::NoUser(_)));
    nobody.insert("maria".parse().unwrap(), Known::Unanswered);
    assert!(matches!(bring_with(&mut world, "olga@site", &good, &nobody), Err(Refusal::Unanswered { .. })));
    world.lock("user:maria", None);
    assert!(matches!(refused(&mut world, good.clone()), Refusal::Locked(_)));
    world.unlock("user:maria");
    world.lock("user:olga", None);
    assert!(matches!(refused(&mut world, good.clone()), Refusal::NoSigner(NoReview::Locked(_))));
    world.unlock("user:olga");
    world.now.suspect = Some(Suspicion::Behind);
    assert_eq!(refused(&mut world, good.clone()), Refusal::ClockSuspect(Suspicion::Behind));
    world.now.suspect = None;
    assert!(bring(&mut world, "olga@site", &good).is_ok());
}

#[test]
fn a_grant_of_before_this_host_knows_what_it_took_is_refused() {
    let refused = |world: &mut World, text: &GrantStatement| {
        matches!(not_of_here(bring(world, "olga@site", text)), NotOfHere::Before { .. })
    };
    // Before its first record: the store may be that of a host that was installed anew.
    let mut world = World::new();
    world.policy = policy(POLICY);
    world.now = at(1_700_000_000_000, 5_000);
    let early = written(&world, "press");
    world.wait(HOUR);
    world.apply([Event::Started { version: "1".into(), loginuid: true }]);
    assert!(refused(&mut world, &early));
    world.wait(HOUR);
    let later = written(&world, "press");
    // Before it went back in time: what was used on the side that is lost is not known here.
    world.wait(HOUR);
    world.apply([Event::Elsewhere { how: Elsewhere::WentBack }]);
    assert!(refused(&mut world, &later));
    // Its clock went back with it, so it is the moment that counts in which somebody vouches for that.
    world.wait(HOUR);
    let between = written(&world, "press");
    let forward = world.now.wall.plus(HOUR * 24);
    world.now.wall = forward;
    world.apply([Event::ClockAccepted {
        why: Suspicion::Ahead,
        mark: between.issued,
        expected: between.issued,
        reason: None,
        statement: None,
    }]);
    let late = GrantStatement { not_after: between.issued.plus(HOUR * 48), ..between };
    assert!(refused(&mut world, &late));
    // Later, a clock that is set right loses no grant.
    let fresh = written(&world, "press");
    world.wait(HOUR);
    world.apply([Event::ClockAccepted {
        why: Suspicion::Behind,
        mark: fresh.issued,
        expected: fresh.issued,
        reason: None,
        statement: None,
    }]);
    assert!(bring(&mut world, "olga@site", &fresh).is_ok());
}

#[test]
fn a_host_that_was_first_seen_with_a_clock_that_ran_ahead_takes_grants_once_it_is_right() {
    let mut world = World::new();
    world.policy = policy(POLICY);
    let (right, ahead) = (world.now.clone(), at(1_900_000_000_000, 5_000));
    world.now = ahead;
    world.apply([Event::Started { version: "1".into(), loginuid: true }]);
    world.now = right;
    let text = written(&world, "press");
    assert!(matches!(not_of_here(bring(&mut world, "olga@site", &text)), NotOfHere::Before { .. }));
    let wall = world.now.wall;
    world.apply([Event::ClockAccepted {
        why: Suspicion::Behind,
        mark: wall,
        expected: wall,
        reason: None,
        statement: None,
    }]);
    world.wait(HOUR);
    let text = written(&world, "press");
    assert!(bring(&mut world, "olga@site", &text).is_ok());
}

#[test]
fn a_revoke_ends_what_a_grant_opened_and_what_waits() {
    let mut world = world();
    let text = written(&world, "press");
    let id = bring(&mut world, "olga@site", &text).unwrap();
    let says = taking(What::Serial(text.serial), &world);
    let strange = take(&mut world, "anna", says.clone());
    assert!(matches!(not_of_here(strange), NotOfHere::MayNotRevoke(_)));
    assert!(world.state.grant(id.into()).is_some());
    // Kim is asked for another role.
    assert!(matches!(not_of_here(take(&mut world, "kim", says.clone())), NotOfHere::MayNotRevoke(_)));
    let events = take(&mut world, "joerg@vendor", says.clone()).unwrap();
    assert!(
        matches!(&events[..], [Event::RevokeTaken { by, .. }, Event::Ended { why: EndWhy::Revoked, .. }] if by.name.as_str() == "joerg"),
        "{events:?}"
    );
    assert!(matches!(not_of_here(take(&mut world, "adam", says)), NotOfHere::RevokedAlready { .. }));
    // By the id of a request, of one that waits.
    let text = GrantStatement {
        serial: "aa112233445566778899aabbccddeeff".parse().unwrap(),
        ..written(&world, "two")
    };
    let id = bring(&mut world, "olga@site", &text).unwrap();
    let says = taking(What::Request(id), &world);
    let events = take(&mut world, "adam", says.clone()).unwrap();
    assert!(matches!(&events[..], [Event::RevokeTaken { .. }, Event::Withdrawn { .. }]), "{events:?}");
    assert!(matches!(not_of_here(take(&mut world, "adam", says)), NotOfHere::NothingOpen(_)));
    assert_eq!(not_of_here(bring(&mut world, "sam", &text)), NotOfHere::TakenAlready(Some(id)));
}

#[test]
fn a_revoke_that_comes_first_keeps_its_grant_from_ever_opening() {
    let mut world = world();
    let text = written(&world, "press");
    let says = taking(What::Serial(text.serial), &world);
    assert!(matches!(not_of_here(take(&mut world, "anna", says.clone())), NotOfHere::MayNotRevoke(_)));
    let events = take(&mut world, "olga@site", says.clone()).unwrap();
    assert!(matches!(&events[..], [Event::RevokeTaken { .. }]), "{events:?}");
    assert!(matches!(not_of_here(bring(&mut world, "joerg@vendor", &text)), NotOfHere::Revoked { .. }));
    assert!(matches!(not_of_here(take(&mut world, "adam", says)), NotOfHere::RevokedAlready { .. }));
    let other = GrantStatement { serial: "aa112233445566778899aabbccddeeff".parse().unwrap(), ..text };
    assert!(bring(&mut world, "joerg@vendor", &other).is_ok(), "of another serial nothing was said");
}

#[test]
fn a_revoke_counts_while_the_clock_is_suspect_and_only_here_in_time_and_by_who_is_not_locked() {
    let mut world = world();
    let text = written(&world, "press");
    let id = bring(&mut world, "olga@site", &text).unwrap();
    let says = taking(What::Serial(text.serial), &world);
    let other = RevokeStatement { hosts: Hosts::parse("db-2").unwrap(), ..says.clone() };
    assert!(matches!(not_of_here(take(&mut world, "adam", other)), NotOfHere::OtherHosts { .. }));
    let late = take_at(&mut world, "adam", says.clone(), says.not_after);
    assert!(matches!(not_of_here(late), NotOfHere::Over(_)));
    world.lock("user:joerg", None);
    assert!(matches!(take(&mut world, "joerg@vendor", says.clone()), Err(Refusal::Locked(_))));
    world.now.suspect = Some(Suspicion::Behind);
    take(&mut world, "adam", says).unwrap();
    assert!(world.state.grant(id.into()).is_none());
}

#[test]
fn the_digest_of_a_request_binds_the_grant_that_it_comes_from() {
    let mut world = world();
    let text = written(&world, "two");
    let id = bring(&mut world, "olga@site", &text).unwrap();
    let of = request(&world, id).clone();
    let bytes = String::from_utf8(of.bytes()).unwrap();
    assert!(bytes.contains(&format!("\ngrant: {}\nfiled-by: ", of.ahead.as_ref().unwrap().text)), "{bytes}");
    let bare = Request { ahead: None, ..of.clone() };
    assert_ne!(bare.digest(), of.digest());
    // Rows do not hold it, and say so; its file is signed as every other.
    let file = RequestFile::of(&of, &key(), text.not_after, None);
    assert!(matches!(compact::request(&file), Err(BadCompact::Ahead)));
    assert!(compact::request(&RequestFile::of(&bare, &key(), text.not_after, None)).is_ok());
}
