//! Reviews that come as codes: through the same door as every other, for the very request that was read out, and with few
//! guesses.

use std::time::Duration;

use jit_proto::words::{RequestId, Uid, UserName};

use crate::code::{Answer, Approves, Asked, Bucket, CodeKeys, RequestCode, Secret, Slot};
use crate::event::{Event, Record};
use crate::model::{Actor, ByCode, Decision, Known};
use crate::orders::code::{By, Hearing, MAX_TRIES, MAX_TRIES_AN_HOUR, hear, review, stands};
use crate::orders::review::Lookups;
use crate::orders::signed::accounts;
use crate::orders::stages::takes;
use crate::orders::{NoCode, NoReview, Refusal};
use crate::policy::{Method, Subject};
use crate::testing::{World, maria, policy, subject};
use crate::time::Suspicion;

const POLICY: &str = r#"
version = 1
[people]
olga = { accounts = ["olga", "adm-olga"], keys = ["olga@site"] }
maria = { accounts = ["maria"], keys = ["maria@site"] }
kay = { accounts = ["support"], ssh-keys = ["SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] }
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.press]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"], people = ["kay"] }
max-duration = "2h"
default-duration = "1h"
[[role.press.stage]]
name = "plant"
approvers = { users = ["olga", "sam"] }
approvals = 2
accept = ["code", "signature"]
[role.desk]
hosts = ["*"]
services = ["login"]
eligible = { users = ["maria"] }
max-duration = "2h"
[[role.desk.stage]]
name = "lead"
approvers = { users = ["olga"] }
accept = ["online", "signature"]
"#;

const HOST_KEY: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const ROOT: u32 = 0;

fn world() -> (World, RequestId) {
    let mut world = World::new();
    world.policy = policy(POLICY);
    let id = world.file(maria(), "press", "CASE-1 look").unwrap();
    (world, id)
}

/// An approver of this slot, by a secret of their own.
fn approver(principal: &str, slot: u8) -> Approves {
    Approves {
        principal: principal.parse().unwrap(),
        slot: Slot::numbered(slot).unwrap(),
        epoch: 1,
        host_key: HOST_KEY.to_owned(),
        key: Secret::of([slot; 32]).key_for(HOST_KEY, 1),
    }
}

fn keys() -> CodeKeys {
    let all = [approver("olga@site", 1), approver("sam", 2), approver("maria@site", 3), approver("kim", 4)];
    let lines: Vec<String> = all.iter().map(crate::code::keys::line).collect();
    CodeKeys::parse(lines.join("\n").as_bytes()).unwrap()
}

fn people() -> Lookups {
    let all = [
        maria(),
        subject("olga", 2001),
        subject("adm-olga", 2002),
        subject("sam", 2003),
        subject("kim", 2004),
    ];
    all.into_iter().map(|one: Subject| (one.name.clone(), Known::Fully(one))).collect()
}

fn answer(world: &World, id: RequestId, by: &Approves, bucket: Bucket) -> Answer {
    Answer::of(&Asked::by(&world.state.reviewable(id).unwrap().request), by, bucket)
}

fn uid(number: u32) -> Uid {
    number.try_into().unwrap()
}

/// Types an answer, and lets happen what comes of it.
fn enter(world: &mut World, id: RequestId, answer: &Answer, by: u32) -> Result<Vec<Event>, Refusal> {
    enter_by(world, id, answer, By::Caller(uid(by)), by)
}

/// The same of an answer that somebody hands on.
fn enter_by(
    world: &mut World,
    id: RequestId,
    answer: &Answer,
    whose: By,
    by: u32,
) -> Result<Vec<Event>, Refusal> {
    let events = match hear(world.here(), id, answer, &keys(), HOST_KEY, whose)? {
        Hearing::Right(heard) => {
            let names: Vec<UserName> =
                accounts(&world.policy, std::slice::from_ref(&heard.approves.principal)).unwrap();
            review(world.here(), &heard, &names, &people())?
        }
        Hearing::Wrong(why, event) => {
            typed(world, *event, by);
            return Err(why.into());
        }
    };
    world.apply(events.clone());
    Ok(events)
}

fn typed(world: &mut World, event: Event, by: u32) {
    let actor = Actor { uid: uid(by), loginuid: None, session: None, untold: false, process: None };
    let record = Record { seq: world.state.next_seq(), at: world.now.clone(), actor: Some(actor), event };
    world.state.apply(&record);
}

/// An answer that olga gave to something else.
fn wrong(world: &World, id: RequestId) -> Answer {
    let mut asked = Asked::by(&world.state.reviewable(id).unwrap().request);
    asked.duration *= 2;
    Answer::of(&asked, &approver("olga@site", 1), Bucket::AS_ASKED)
}

#[test]
fn two_approvers_give_two_codes_and_the_shorter_time_opens() {
    let (mut world, id) = world();
    let olga = answer(&world, id, &approver("olga@site", 1), Bucket::AS_ASKED);
    let events = enter(&mut world, id, &olga, ROOT).unwrap();
    let [Event::Reviewed { review, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((review.by.name.as_str(), review.method), ("olga", Method::Code));
    let code = review.code.as_ref().unwrap();
    let digest = world.state.reviewable(id).unwrap().request.digest();
    let expected = ByCode {
        principal: "olga@site".into(),
        slot: 1,
        epoch: 1,
        request_code: Some(RequestCode::of(digest).to_string()),
        bucket: Some(1),
        typed_by: None,
    };
    assert_eq!(*code, expected);
    let record = serde_json::to_string(&events).unwrap().replace('-', "");
    assert!(!record.contains(&olga.plain()) && !record.contains(&olga.plain()[2..12]), "{record}");
    let again = enter(&mut world, id, &olga, ROOT);
    assert!(matches!(again, Err(Refusal::NoReview { why: NoReview::Twice(_), .. })), "{again:?}");
    let short = Bucket::lasting(Duration::from_mins(15)).unwrap();
    let sam = answer(&world, id, &approver("sam", 2), short);
    enter(&mut world, id, &sam, 1001).unwrap();
    let grant = world.state.grant(id.into()).unwrap();
    assert_eq!(grant.remaining(&world.now), Duration::from_mins(15));
    assert_eq!(enter(&mut world, id, &sam, ROOT), Err(Refusal::NotFound(id.to_string())), "it counts once");
    assert!(world.state.code_tries().is_empty(), "a right code is no guess");
}

#[test]
fn a_code_denies_too_and_never_leaves_more_than_was_asked_for() {
    let (mut world, id) = world();
    let more =
        answer(&world, id, &approver("olga@site", 1), Bucket::lasting(Duration::from_hours(2)).unwrap());
    let more = enter(&mut world, id, &more, ROOT);
    assert!(matches!(more, Err(Refusal::NoReview { why: NoReview::NotNarrower(_), .. })), "{more:?}");
    let denial = answer(&world, id, &approver("olga@site", 1), Bucket::DENY);
    let events = enter(&mut world, id, &denial, ROOT).unwrap();
    let [Event::Reviewed { review, .. }, Event::Refused { .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(review.decision, Decision::Deny);
}

#[test]
fn whoever_asks_strangers_and_stages_that_take_no_codes_are_refused_by_their_reasons() {
    let (mut world, id) = world();
    let by = |world: &mut World, id, principal: &str, slot| {
        let answer = answer(world, id, &approver(principal, slot), Bucket::AS_ASKED);
        enter(world, id, &answer, ROOT)
    };
    let own = by(&mut world, id, "maria@site", 3);
    assert!(matches!(own, Err(Refusal::NoReview { why: NoReview::OwnRequest, .. })), "{own:?}");
    let stranger = by(&mut world, id, "kim", 4);
    assert!(
        matches!(stranger, Err(Refusal::NoReview { why: NoReview::NotApprover { .. }, .. })),
        "{stranger:?}"
    );
    let nobody = by(&mut world, id, "ghost", 9);
    assert_eq!(nobody, Err(NoCode::NoSlot(Slot::numbered(9).unwrap()).into()));
    let desk = world.file(maria(), "desk", "CASE-2 look").unwrap();
    let other = by(&mut world, desk, "olga@site", 1);
    assert!(matches!(other, Err(Refusal::NoReview { why: NoReview::Method { .. }, .. })), "{other:?}");
    assert!(matches!(stands(world.here(), desk, uid(ROOT)), Err(Refusal::NoReview { .. })));
    assert_eq!(stands(world.here(), id, uid(ROOT)), Ok(MAX_TRIES));
    world.lock("user:olga", None);
    let locked = by(&mut world, id, "olga@site", 1);
    assert!(matches!(locked, Err(Refusal::NoReview { why: NoReview::Locked(_), .. })), "{locked:?}");
    assert!(world.state.code_tries().is_empty(), "none of these was a guess");
    by(&mut world, id, "sam", 2).unwrap();
}

#[test]
fn a_key_that_was_made_for_another_host_and_a_clock_in_doubt_are_refused_by_their_reasons() {
    let (mut world, id) = world();
    let olga = answer(&world, id, &approver("olga@site", 1), Bucket::AS_ASKED);
    let other = hear(world.here(), id, &olga, &keys(), "SHA256:other", By::Caller(uid(ROOT)));
    assert!(matches!(other, Err(Refusal::NoCode(NoCode::OtherKey { .. }))), "{other:?}");
    world.now.suspect = Some(Suspicion::Behind);
    let denial = answer(&world, id, &approver("olga@site", 1), Bucket::DENY);
    for answer in [&olga, &denial] {
        assert_eq!(enter(&mut world, id, answer, ROOT), Err(Refusal::ClockSuspect(Suspicion::Behind)));
    }
    world.now.suspect = None;
    enter(&mut world, id, &olga, ROOT).unwrap();
}

#[test]
fn five_wrong_codes_void_codes_for_a_request_and_for_no_other_and_no_other_way() {
    let (mut world, id) = world();
    let right = answer(&world, id, &approver("olga@site", 1), Bucket::AS_ASKED);
    let guess = wrong(&world, id);
    for left in (0..MAX_TRIES).rev() {
        assert_eq!(
            enter(&mut world, id, &guess, ROOT),
            Err(NoCode::Wrong { request: id, slot: guess.slot, left }.into())
        );
    }
    for answer in [&guess, &right] {
        assert_eq!(enter(&mut world, id, answer, ROOT), Err(NoCode::Void(id).into()));
    }
    world.wait(Duration::from_secs(3 * 3600));
    assert_eq!(
        enter(&mut world, id, &right, ROOT),
        Err(NoCode::Void(id).into()),
        "that lasts as long as it waits"
    );
    let other = world.file(maria(), "press", "CASE-2 look").unwrap();
    let answer = answer(&world, other, &approver("olga@site", 1), Bucket::AS_ASKED);
    enter(&mut world, other, &answer, ROOT).unwrap();
}

#[test]
fn twenty_wrong_codes_an_hour_are_borne_of_which_one_user_and_all_users_have_their_shares() {
    let (mut world, _) = world();
    let mut ids: Vec<RequestId> = Vec::new();
    let mut guess_by = |world: &mut World, by: u32| {
        let bears = |id: &&RequestId| {
            world.state.code_tries().iter().filter(|one| one.request == **id).count() < MAX_TRIES
        };
        let id = ids.iter().find(bears).copied().unwrap_or_else(|| {
            let id = world.file(maria(), "press", "CASE-3 look").unwrap();
            ids.push(id);
            id
        });
        let guess = wrong(world, id);
        enter(world, id, &guess, by)
    };
    let mut spend = |world: &mut World, by: u32, many: usize| {
        for _ in 0..many {
            let wrong = guess_by(world, by);
            assert!(matches!(wrong, Err(Refusal::NoCode(NoCode::Wrong { .. }))), "{wrong:?}");
        }
        match guess_by(world, by) {
            Err(Refusal::NoCode(NoCode::Hour { count, whose, .. })) => (count, whose),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(spend(&mut world, 1001, 5), (5, "by you"));
    assert_eq!(spend(&mut world, 1002, 5), (5, "by you"));
    assert_eq!(spend(&mut world, 1003, 5), (5, "by you"));
    assert_eq!(spend(&mut world, 1004, 0), (15, "by users of this host"));
    assert_eq!(spend(&mut world, ROOT, 5), (MAX_TRIES_AN_HOUR, "on this host"));
    // A clock that steps back gives nobody more of them.
    world.now.wall = world.now.wall.minus(Duration::from_secs(60));
    assert_eq!(spend(&mut world, ROOT, 0), (20, "on this host"));
    world.wait(Duration::from_secs(3600 + 60));
    assert_eq!(spend(&mut world, 1001, 5), (5, "by you"));
}

#[test]
fn wrong_codes_typed_at_logins_take_the_tries_of_whoever_logs_in_and_none_of_roots() {
    const USER: u32 = 1001;
    let (mut world, first) = world();
    let second = world.file(maria(), "press", "CASE-3 look").unwrap();
    let at_login = |world: &mut World, id, uid_of: u32| {
        let guess = wrong(world, id);
        enter_by(world, id, &guess, By::Login(uid(uid_of)), ROOT).unwrap_err()
    };
    for id in [first, first, first, second, second] {
        let refused = at_login(&mut world, id, USER);
        assert!(matches!(refused, Refusal::NoCode(NoCode::Wrong { .. })), "{refused}");
    }
    assert!(world.state.code_tries().iter().all(|one| one.by == Some(uid(USER))));
    let guess = wrong(&world, first);
    for refused in [at_login(&mut world, first, USER), enter(&mut world, first, &guess, USER).unwrap_err()] {
        assert!(
            matches!(refused, Refusal::NoCode(NoCode::Hour { count: 5, whose: "by you", .. })),
            "{refused}"
        );
    }
    for by in [1002, ROOT] {
        let other = world.file(maria(), "press", "CASE-4 look").unwrap();
        let refused = at_login(&mut world, other, by);
        assert!(matches!(refused, Refusal::NoCode(NoCode::Wrong { .. })), "{by}: {refused}");
    }
}

#[test]
fn wrong_codes_of_a_clock_that_ran_ahead_hold_nobody_up_once_it_is_set_back() {
    const USER: u32 = 1001;
    let (mut world, id) = world();
    let other = world.file(maria(), "press", "CASE-2 look").unwrap();
    let right = world.now.wall;
    let guess_at = |world: &mut World, id, ahead: Duration| {
        world.now.wall = right.plus(ahead);
        let guess = wrong(world, id);
        match enter(world, id, &guess, USER) {
            Err(Refusal::NoCode(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    let day = Duration::from_hours(24);
    for _ in 0..MAX_TRIES {
        assert!(matches!(guess_at(&mut world, id, day), NoCode::Wrong { .. }));
    }
    for ahead in [day, Duration::from_hours(23)] {
        let held = guess_at(&mut world, other, ahead);
        assert!(
            matches!(held, NoCode::Hour { .. }),
            "a clock that is set back a little gives none: {held:?}"
        );
    }
    let admitted = guess_at(&mut world, other, Duration::ZERO);
    assert!(matches!(admitted, NoCode::Wrong { .. }), "{admitted:?}");
    assert_eq!(guess_at(&mut world, id, Duration::ZERO), NoCode::Void(id), "they count for their request");
    for _ in 1..MAX_TRIES {
        guess_at(&mut world, other, Duration::ZERO);
    }
    let third = world.file(maria(), "press", "CASE-3 look").unwrap();
    let until = right.plus(Duration::from_hours(1)).to_seconds();
    let held = guess_at(&mut world, third, Duration::ZERO);
    assert_eq!(held, NoCode::Hour { from: until, count: MAX_TRIES, whose: "by you" }, "those of now count");
}

#[test]
fn wrong_codes_are_forgotten_once_they_stand_in_nobodys_way() {
    let (mut world, id) = world();
    let guess = wrong(&world, id);
    enter(&mut world, id, &guess, ROOT).unwrap_err();
    world.wait(Duration::from_secs(3601));
    let other = world.file(maria(), "press", "CASE-2 look").unwrap();
    let guess = wrong(&world, other);
    enter(&mut world, other, &guess, ROOT).unwrap_err();
    assert_eq!(world.state.code_tries().len(), 2, "the first still counts for a request that waits");
    world.apply(vec![Event::Withdrawn { request: id, reason: None }]);
    enter(&mut world, other, &guess, ROOT).unwrap_err();
    assert!(world.state.code_tries().iter().all(|one| one.request == other));
}

#[test]
fn no_code_approves_a_person_whom_nobody_reads_out_and_none_is_counted_as_a_try() {
    let (mut world, marias) = world();
    let kay = subject("support", 2501).as_person(Some("kay".parse().unwrap()));
    let kays = world.file(kay, "press", "CASE-2 look").unwrap();
    let is_unnamed =
        |why: Option<Refusal>| matches!(why, Some(Refusal::NoReview { why: NoReview::Unnamed(_), .. }));
    for (id, is_hers) in [(kays, true), (marias, false)] {
        assert_eq!(is_unnamed(stands(world.here(), id, uid(ROOT)).err()), is_hers, "{id}");
        assert_eq!(takes(world.here(), &world.state.pending()[&id], Method::Code), !is_hers, "{id}");
        let right = answer(&world, id, &approver("olga@site", 1), Bucket::AS_ASKED);
        assert_eq!(is_unnamed(enter(&mut world, id, &right, ROOT).err()), is_hers, "{id}");
    }
    let guess = wrong(&world, kays);
    assert!(is_unnamed(enter(&mut world, kays, &guess, ROOT).err()));
    assert!(world.state.code_tries().is_empty());
}
