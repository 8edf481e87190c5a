//! Reviews that come as signed texts: through the same door as every other, and only for the request that they are about.

use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{RequestId, UserName};

use crate::check::explain::refusal;
use crate::event::Event;
use crate::model::Known;
use crate::model::{Decision, Narrow, Person, Request};
use crate::orders::review::Lookups;
use crate::orders::signed::{SignedReview, accounts, review};
use crate::orders::stages::takes;
use crate::orders::{NoReview, NotOfHere, Refusal};
use crate::policy::{Method, Subject};
use crate::proof::note::HostKey;
use crate::sign::file::RequestFile;
use crate::sign::key::Key;
use crate::sign::statement::{Signable, Statement};
use crate::sign::verify::Verified;
use crate::testing::{World, maria, policy, subject};
use crate::time::{Suspicion, Utc};

const POLICY: &str = r#"
version = 1
[people]
olga = { accounts = ["olga", "adm-olga"], keys = ["olga@site", "olga@home"] }
maria = { accounts = ["maria"], keys = ["maria@site"] }
kim = { accounts = ["support"], ssh-keys = ["SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] }
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.press]
hosts = ["*"]
services = ["sshd", "sudo"]
eligible = { users = ["maria"], people = ["kim"] }
max-duration = "2h"
default-duration = "1h"
[[role.press.stage]]
name = "plant"
approvers = { users = ["olga", "adm-olga"] }
accept = ["signature", "online"]
[[role.press.stage]]
name = "safety"
approvers = { users = ["sam", "adm-olga"] }
accept = ["signature"]
[role.desk]
hosts = ["*"]
services = ["login"]
eligible = { users = ["maria"] }
max-duration = "2h"
[[role.desk.stage]]
name = "lead"
approvers = { users = ["olga"] }
accept = ["online"]
"#;

fn key() -> HostKey {
    HostKey::from_seed("db-1/jitd".parse().unwrap(), &[3; 32])
}

fn world() -> (World, RequestId) {
    let mut world = World::new();
    world.policy = policy(POLICY);
    let id = world.file(maria(), "press", "CASE-1 look").unwrap();
    (world, id)
}

fn people() -> Lookups {
    let all = [maria(), subject("olga", 2001), subject("adm-olga", 2002), subject("sam", 2003)];
    all.into_iter().map(|one: Subject| (one.name.clone(), Known::Fully(one))).collect()
}

fn file(world: &World, id: RequestId) -> RequestFile {
    let request = &world.state.reviewable(id).unwrap().request;
    RequestFile::of(request, &key(), world.now.wall.plus(Duration::from_hours(1)), None)
}

/// As if a good signature of this key were over it.
fn by(principals: &[&str], text: Signable) -> Verified {
    let vectors = include_str!("../offline-vectors/approvers");
    let line = vectors.lines().find(|line| line.starts_with("ed25519@")).unwrap();
    let encoded = line.split(' ').nth(3).unwrap();
    Verified {
        text,
        principals: principals.iter().map(|name| name.parse().unwrap()).collect(),
        key: Key::parse("ssh-ed25519", encoded).unwrap(),
        presence: None,
        signature: "signature".into(),
    }
}

fn judge_at(world: &World, verified: &Verified, at: Utc) -> Result<Vec<Event>, Refusal> {
    let accounts: Vec<UserName> = accounts(&world.policy, &verified.principals)?;
    review(world.here(), SignedReview { verified, key: &key(), at }, &accounts, &people())
}

fn judge_with(world: &World, verified: &Verified, lookups: &Lookups) -> Result<Vec<Event>, Refusal> {
    let accounts: Vec<UserName> = accounts(&world.policy, &verified.principals)?;
    review(world.here(), SignedReview { verified, key: &key(), at: world.now.wall }, &accounts, lookups)
}

/// The same people, and somebody who has no account here.
fn without(name: &str) -> Lookups {
    people().into_iter().chain([(name.parse().unwrap(), Known::Not)]).collect()
}

fn judge(world: &World, verified: &Verified) -> Result<Vec<Event>, Refusal> {
    judge_at(world, verified, world.now.wall)
}

fn approval(world: &World, id: RequestId, principal: &str) -> Verified {
    by(&[principal], Signable::File(Box::new(file(world, id))))
}

#[test]
fn a_signed_file_counts_as_its_signers_review_and_the_record_proves_it() {
    let (mut world, id) = world();
    let olga = approval(&world, id, "olga@site");
    let events = judge(&world, &olga).unwrap();
    let [Event::Reviewed { request, review, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*request, review.by.name.as_str(), review.method), (id, "adm-olga", Method::Signature));
    let evidence = review.signed.as_ref().unwrap();
    assert_eq!(evidence.text, olga.text.text());
    assert_eq!((evidence.principals[0].as_str(), evidence.signature.as_str()), ("olga@site", "signature"));
    world.apply(events);
    // A principal that policy does not name stands for the account of its name.
    let events = judge(&world, &approval(&world, id, "sam")).unwrap();
    world.apply(events);
    assert!(world.state.grant(id.into()).is_some());
    assert_eq!(judge(&world, &olga), Err(Refusal::NotFound(id.to_string())), "and none counts again");
}

#[test]
fn one_person_counts_once_by_whatever_key_or_account_and_never_for_themselves() {
    let (mut world, id) = world();
    let not = |world: &World, principal: &str| match judge(world, &approval(world, id, principal)) {
        Err(Refusal::NoReview { why, .. }) => why,
        other => panic!("{principal}: {other:?}"),
    };
    assert_eq!(not(&world, "maria@site"), NoReview::OwnRequest);
    assert!(matches!(not(&world, "sam"), NoReview::TooEarly { .. }), "it is not their turn yet");
    world.review(&subject("olga", 2001), id, Decision::Approve).unwrap();
    for again in ["olga@site", "olga@home", "olga"] {
        assert!(matches!(not(&world, again), NoReview::Twice(_)), "{again}");
    }
    let events = judge(&world, &approval(&world, id, "sam")).unwrap();
    world.apply(events);
    assert!(world.state.grant(id.into()).is_some());
}

#[test]
fn a_key_of_several_people_and_one_of_nobody_here_review_nothing() {
    let (world, id) = world();
    let text = || Signable::File(Box::new(file(&world, id)));
    assert!(judge(&world, &by(&["olga@site", "olga@home"], text())).is_ok());
    let several = judge(&world, &by(&["olga@site", "sam"], text()));
    assert!(matches!(several, Err(Refusal::NotOfHere(NotOfHere::SeveralPeople(_)))), "{several:?}");
    // Whoever policy does not name is somebody whom no stage asks.
    let kim = judge_with(&world, &by(&["kim"], text()), &without("kim"));
    assert!(matches!(kim, Err(Refusal::NoReview { why: NoReview::NotApprover { .. }, .. })), "{kim:?}");
    let spaced = judge(&world, &by(&["-kim"], text()));
    assert_eq!(spaced, Err(Refusal::NotOfHere(NotOfHere::NoAccount("-kim".into()))));
}

#[test]
fn whoever_signs_elsewhere_needs_no_account_here_and_two_of_them_are_two_people() {
    let (mut world, id) = world();
    let gone: Lookups = people()
        .into_iter()
        .map(|(name, known)| if name.as_str() == "maria" { (name, known) } else { (name, Known::Not) })
        .collect();
    let events = judge_with(&world, &approval(&world, id, "olga@site"), &gone).unwrap();
    world.apply(events);
    let again = judge_with(&world, &approval(&world, id, "olga@home"), &gone);
    assert!(matches!(again, Err(Refusal::NoReview { why: NoReview::Twice(_), .. })), "{again:?}");
    let events = judge_with(&world, &approval(&world, id, "sam"), &gone).unwrap();
    assert!(events.iter().any(|event| matches!(event, Event::Opened { .. })), "{events:?}");
    // An account that has come meanwhile is not known to be hers.
    let events = judge_with(&world, &approval(&world, id, "sam"), &people());
    assert!(matches!(events, Err(Refusal::NoReview { why: NoReview::TooEarly { .. }, .. })), "{events:?}");
}

#[test]
fn what_is_for_another_host_another_key_or_another_time_is_refused_by_its_reason() {
    let (world, id) = world();
    let good = file(&world, id);
    let judge = |file: RequestFile| match judge(&world, &by(&["olga@site"], Signable::File(Box::new(file)))) {
        Err(Refusal::NotOfHere(why)) => Some(why),
        Ok(_) => None,
        Err(other) => panic!("{other}"),
    };
    assert_eq!(judge(good.clone()), None);
    let other = RequestFile { host: "db-2".parse().unwrap(), ..good.clone() };
    assert!(matches!(judge(other), Some(NotOfHere::OtherHost { .. })));
    let request = &world.state.reviewable(id).unwrap().request;
    let clone = HostKey::from_seed("db-1/jitd".parse().unwrap(), &[4; 32]);
    let cloned = RequestFile::of(request, &clone, good.expires, None);
    assert!(matches!(judge(cloned), Some(NotOfHere::OtherKey { .. })));
    let later = RequestFile { expires: good.expires.plus(Duration::from_hours(99)), ..good.clone() };
    assert_eq!(judge(later), Some(NotOfHere::NotOurs), "nobody gives a file more time");
    let longer = RequestFile { duration: Duration::from_hours(2), ..good.clone() };
    assert_eq!(judge(longer), Some(NotOfHere::Differs("duration")));
    let role = RequestFile { role: "desk".parse().unwrap(), ..good.clone() };
    assert_eq!(judge(role), Some(NotOfHere::Differs("role")));
    let verified = by(&["olga@site"], Signable::File(Box::new(good.clone())));
    assert!(judge_at(&world, &verified, good.expires.minus(Duration::from_secs(1))).is_ok());
    let late = judge_at(&world, &verified, good.expires);
    assert!(matches!(late, Err(Refusal::NotOfHere(NotOfHere::Expired(_)))), "{late:?}");
}

#[test]
fn a_stale_policy_a_stage_for_others_a_lock_and_a_clock_in_doubt_are_refused_by_their_reasons() {
    let (mut world, id) = world();
    let olga = approval(&world, id, "olga@site");
    assert!(judge(&world, &olga).is_ok());
    world.now.suspect = Some(Suspicion::Behind);
    assert_eq!(judge(&world, &olga), Err(Refusal::ClockSuspect(Suspicion::Behind)));
    let deny = Statement::about(&file(&world, id), Decision::Deny, Narrow::default(), None);
    let deny = by(&["olga@site"], Signable::Statement(Box::new(deny)));
    assert_eq!(
        judge(&world, &deny),
        Err(Refusal::ClockSuspect(Suspicion::Behind)),
        "keys are judged by the clock"
    );
    world.now.suspect = None;
    world.policy = policy(&POLICY.replacen("max-duration = \"2h\"", "max-duration = \"90m\"", 1));
    assert_eq!(judge(&world, &olga), Err(Refusal::TermsChanged("press".parse().unwrap())));
    world.policy = policy(POLICY);
    let desk = world.file(maria(), "desk", "CASE-2 look").unwrap();
    let online_only = judge(&world, &approval(&world, desk, "olga@site"));
    assert!(
        matches!(online_only, Err(Refusal::NoReview { why: NoReview::Method { .. }, .. })),
        "{online_only:?}"
    );
    world.lock("user:adm-olga", None);
    let locked = judge(&world, &olga);
    assert!(matches!(locked, Err(Refusal::NoReview { why: NoReview::Locked(_), .. })), "{locked:?}");
}

/// A carrier changes what an approver reads. With the digest left alone the file is not read; with one made anew, what is
/// said about it is about no request of this host.
#[test]
fn whoever_was_shown_another_reason_or_user_denies_and_narrows_nothing() {
    let (world, id) = world();
    let good = file(&world, id);
    let says = |file: &RequestFile, decision| {
        let narrow = Narrow { duration: Some(Duration::from_mins(10)), ..Narrow::default() };
        let statement = Statement::about(file, decision, narrow, None);
        judge(&world, &by(&["olga@site"], Signable::Statement(Box::new(statement))))
    };
    let request = &world.state.reviewable(id).unwrap().request;
    let reason = Request { reason: "CASE-2 update".parse().unwrap(), ..request.clone() };
    let name = Person::named("kim".parse().unwrap(), request.beneficiary.uid);
    let user = Request { beneficiary: name, ..request.clone() };
    for shown in [reason, user] {
        let text = RequestFile { digest: good.digest, nonce: good.nonce, ..of(&shown, &good) }.text();
        let left = RequestFile::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(left.contains("the digest is not that of the request in this file"), "{left}");
        let anew = RequestFile { nonce: good.nonce, ..of(&shown, &good) };
        let anew = RequestFile::parse(anew.text().as_bytes()).unwrap();
        for decision in [Decision::Approve, Decision::Deny] {
            assert_eq!(says(&anew, decision), Err(Refusal::OtherDigest(id)));
        }
    }
    for decision in [Decision::Approve, Decision::Deny] {
        assert!(says(&RequestFile::parse(good.text().as_bytes()).unwrap(), decision).is_ok());
    }
}

/// The file that a host would write of this request, at the time of another.
fn of(request: &Request, like: &RequestFile) -> RequestFile {
    RequestFile::of(request, &key(), like.expires, None)
}

#[test]
fn a_statement_denies_or_leaves_less_and_never_more() {
    let (mut world, id) = world();
    let says = |decision, narrow| {
        let statement = Statement::about(&file(&world, id), decision, narrow, None);
        judge(&world, &by(&["olga@site"], Signable::Statement(Box::new(statement))))
    };
    let hours = |hours| Narrow { duration: Some(Duration::from_hours(hours)), ..Narrow::default() };
    let more = says(Decision::Approve, hours(2));
    assert!(matches!(more, Err(Refusal::NoReview { why: NoReview::NotNarrower(_), .. })), "{more:?}");
    let denied = says(Decision::Deny, Narrow::default()).unwrap();
    assert!(matches!(&denied[..], [Event::Reviewed { .. }, Event::Refused { .. }]), "{denied:?}");
    let minutes = Narrow { duration: Some(Duration::from_mins(10)), ..Narrow::default() };
    let less = says(Decision::Approve, minutes).unwrap();
    world.apply(less);
    let events = judge(&world, &approval(&world, id, "sam")).unwrap();
    world.apply(events);
    let grant = world.state.grant(id.into()).unwrap();
    assert_eq!(grant.remaining(&world.now), Duration::from_mins(10));
}

#[test]
fn whoever_waits_for_signatures_alone_is_told_of_the_file_and_others_of_the_command() {
    let (mut world, id) = world();
    let line = |world: &World, service: &str| {
        let question = World::question(service, &maria(), Stage::Account);
        let answer = world.ask(&question);
        refusal(&world.policy, &world.state, &world.host, &question, &answer, &world.now)
    };
    let both = line(&world, "sshd");
    assert!(both.ends_with(&format!("to run: jitctl approve {id}")), "{both}");
    world.policy = policy(&POLICY.replacen(r#"["signature", "online"]"#, r#"["signature"]"#, 1));
    let again = world.file(maria(), "press", "CASE-3 look").unwrap();
    world.settle();
    let signatures = line(&world, "sshd");
    assert!(
        signatures.ends_with(&format!("sign the file of: jitctl offline export {again}")),
        "{signatures}"
    );
}

#[test]
fn nothing_signed_elsewhere_approves_a_person_whom_the_file_does_not_name() {
    let (mut world, marias) = world();
    let kim = subject("support", 2501).as_person(Some("kim".parse().unwrap()));
    let kims = world.file(kim, "press", "CASE-2 look").unwrap();
    let unnamed = |judged: Result<Vec<Event>, Refusal>| {
        matches!(judged, Err(Refusal::NoReview { why: NoReview::Unnamed(_), .. }))
    };
    let takes = |id| takes(world.here(), &world.state.pending()[&id], Method::Signature);
    for (id, is_hers) in [(kims, true), (marias, false)] {
        let file = file(&world, id);
        let says = Statement::about(&file, Decision::Approve, Narrow::default(), None);
        for text in [Signable::File(Box::new(file)), Signable::Statement(Box::new(says))] {
            let judged = judge(&world, &by(&["olga@site"], text));
            assert!(if is_hers { unnamed(judged) } else { judged.is_ok() }, "{id}");
        }
        assert_eq!(takes(id), !is_hers, "{id}");
    }
}
