//! Several people on one account: whose window admits whom, who asks, who reviews, and what ends.

use jit_proto::gate::Stage;
use jit_proto::words::RequestId;

use crate::ahead_tests;
use crate::check::decide::{Answer, Takes};
use crate::check::explain::explain;
use crate::event::Event;
use crate::model::{
    Caller, Decision, EndReason, Known, Leader, LoginAccount, LoginKey, Opener, Question, Why,
};
use crate::orders::request::{ExtendOrder, RequestOrder, extend, file};
use crate::orders::review::{Given, Reviewer};
use crate::orders::revoke::{Target, done};
use crate::orders::{NoReview, NotOfHere, Refusal};
use crate::policy::{Method, PersonName, Subject};
use crate::sessions::coverage::{Cover, Coverage, cover, coverage, may_see};
use crate::sign::grant::GrantStatement;
use crate::testing::{World, as_self, policy, root, subject};

const KIM: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const LEE: &str = "SHA256:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA";
const STRANGER: &str = "SHA256:CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA";

const POLICY: &str = r#"
version = 1
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[people]
kim = { accounts = ["support"], ssh-keys = ["SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"], own = ["kim"] }
lee = { accounts = ["support"], ssh-keys = ["SHA256:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"], own = ["lee"] }
[role.vendor]
hosts = ["*"]
services = ["sshd", "sudo"]
eligible = { people = ["kim", "lee"] }
max-duration = "4h"
[[role.vendor.stage]]
name = "lead"
approvers = { users = ["root", "olga", "kim", "lee", "support"] }
[role.once]
hosts = ["*"]
services = ["sshd"]
eligible = { people = ["kim"] }
max-duration = "4h"
uses = 1
starts = "at-first-use"
[[role.once.stage]]
name = "lead"
approvers = { users = ["root"] }
[role.whole]
hosts = ["*"]
services = ["cron"]
eligible = { users = ["support"] }
max-duration = "4h"
[[role.whole.stage]]
name = "lead"
approvers = { users = ["root"] }
"#;

fn world() -> World {
    let mut world = World::new();
    world.policy = policy(POLICY);
    world
}

fn support() -> Subject {
    subject("support", 2001)
}

fn named(person: &str) -> Subject {
    support().as_person(Some(person.parse::<PersonName>().unwrap()))
}

fn window_for(world: &mut World, person: &str, role: &str) -> RequestId {
    world.grant(&as_self(root()), named(person), role, None).unwrap();
    world.state.grants().last().unwrap().request()
}

fn by(service: &str, stage: Stage, keys: &[&str]) -> Question {
    let mut question = World::question(service, &support(), stage);
    let key = |fingerprint: &&str| LoginKey {
        kind: "ssh-ed25519".into(),
        fingerprint: (*fingerprint).into(),
        certificate: None,
    };
    question.login.keys = keys.iter().map(key).collect();
    question
}

/// What sshd asks before it says by which key.
fn checked() -> Question {
    Question { awaits_key: true, ..by("sshd", Stage::Account, &[]) }
}

fn opens(keys: &[&str]) -> Question {
    let opener = Some(Opener { leader: Leader { pid: 7, start: 7 }, audit: Some(7) });
    Question { opener, ..by("sshd", Stage::Session, keys) }
}

fn line(world: &World, question: &Question) -> String {
    explain(&world.policy, &world.state, &world.host, question, &world.now).line().to_owned()
}

#[test]
fn a_window_of_one_person_admits_that_persons_key_and_no_other() {
    let mut world = world();
    assert_eq!(world.ask(&checked()).why(), Why::NoWindow);
    window_for(&mut world, "kim", "vendor");
    let answer = world.log_in(&checked());
    let tentative = answer.admission().unwrap();
    assert!(tentative.basis.awaits_key && tentative.takes == Takes::Nothing);
    for (keys, why) in [
        (&[KIM][..], Why::Window),
        (&[LEE], Why::NoWindow),
        (&[STRANGER], Why::NoPerson),
        (&[], Why::NoPerson),
        (&[KIM, LEE], Why::NoPerson),
        (&[KIM, STRANGER], Why::Window),
    ] {
        assert_eq!(world.ask(&opens(keys)).why(), why, "{keys:?}");
    }
    // Nobody is let in on the word of a later key where nobody asks for a session again.
    for service in ["sshd", "cron", "login"] {
        assert_ne!(world.ask(&by(service, Stage::Account, &[])).why(), Why::Window, "{service}");
    }
    assert!(line(&world, &opens(&[])).contains("several people share support"));
    assert!(line(&world, &opens(&[LEE])).contains("Ask kim, olga, root for role vendor"));
}

#[test]
fn what_was_let_in_until_its_key_is_known_is_no_ones_and_the_session_names_who_came() {
    let mut world = world();
    window_for(&mut world, "kim", "vendor");
    world.log_in(&checked());
    let Event::Allowed { basis, login, .. } = &world.log.last().unwrap().event else { panic!() };
    assert!(basis.awaits_key && login.person.is_none());
    world.log_in(&opens(&[KIM]));
    let Event::SessionOpened { basis, login, admitted: None, .. } = &world.log.last().unwrap().event else {
        panic!("a record of its own")
    };
    assert!(basis.by_key && login.person == Some("kim".parse().unwrap()));
}

#[test]
fn a_use_is_taken_and_a_window_begun_by_the_person_and_by_no_one_who_tries() {
    let mut world = world();
    let id = window_for(&mut world, "kim", "once");
    for keys in [&[LEE][..], &[], &[STRANGER]] {
        assert_eq!(world.log_in(&checked()).why(), Why::Window);
        assert_ne!(world.log_in(&opens(keys)).why(), Why::Window);
        let grant = world.state.grant(id.into()).unwrap();
        assert!(grant.used == 0 && grant.window().is_none(), "{keys:?}");
    }
    world.log_in(&checked());
    assert_eq!(world.log_in(&opens(&[KIM])).admission().unwrap().takes, Takes::Late);
    assert_eq!(world.state.grant(id.into()).unwrap().used, 1);
    assert_eq!(world.ask(&checked()).why(), Why::Spent);
    assert_eq!(world.ask(&opens(&[KIM])).why(), Why::Spent);
}

#[test]
fn sudo_is_of_whoever_opened_the_login_around_it() {
    let mut world = world();
    window_for(&mut world, "kim", "vendor");
    for (keys, why) in [(&[KIM][..], Why::Window), (&[LEE], Why::NoWindow), (&[], Why::NoPerson)] {
        for stage in [Stage::Account, Stage::Session] {
            assert_eq!(world.ask(&by("sudo", stage, keys)).why(), why, "{keys:?}");
        }
    }
}

fn ask(world: &World, who: Subject) -> Result<Vec<Event>, Refusal> {
    let order = RequestOrder {
        beneficiary: who.clone(),
        role: "vendor".parse().unwrap(),
        duration: None,
        start: None,
        reason: "INC-1 look at the pump".parse().unwrap(),
        id: RequestId::from_bits(77),
    };
    file(world.here(), &as_self(who), order)
}

#[test]
fn who_asks_from_a_shared_account_asks_for_themselves_and_nobody_unknown_asks() {
    let mut world = world();
    assert!(matches!(ask(&world, support()), Err(Refusal::NoPerson { .. })));
    assert!(matches!(ask(&world, named("mallory")), Err(Refusal::NoSuchPerson { .. })));
    // Nor under another name of the same uid.
    let alias = Subject { also: ["support".parse().unwrap()].into(), ..subject("helpdesk", 2001) };
    assert!(matches!(ask(&world, alias), Err(Refusal::NoPerson { .. })));
    let events = ask(&world, named("kim")).unwrap();
    world.apply(events);
    let request = &world.state.pending()[&RequestId::from_bits(77)].request;
    assert_eq!(request.beneficiary.to_string(), "support (kim)");
    assert!(String::from_utf8(request.bytes()).unwrap().contains("\nuid: 2001\nperson: kim\nrole: vendor\n"));
}

#[test]
fn nobody_reviews_from_a_shared_account_nor_for_themselves_from_their_own() {
    let mut world = world();
    let events = ask(&world, named("kim")).unwrap();
    world.apply(events);
    let id = RequestId::from_bits(77);
    let refused = |world: &mut World, given: &Given<'_>| match world.give(given, id) {
        Err(Refusal::NoReview { why, .. }) => why,
        other => panic!("{other:?}"),
    };
    let own = subject("kim", 2002);
    let signed = Reviewer::Remote { account: &own, method: Method::Signature };
    assert_eq!(refused(&mut world, &Given::new(signed, Decision::Approve)), NoReview::OwnRequest);
    let online = as_self(own.clone());
    let online = Given::new(Reviewer::Online(&online), Decision::Approve);
    assert_eq!(refused(&mut world, &online), NoReview::OwnRequest);
    // lee could make what kim runs there say so, and the other way round; root by sudo from there is no other.
    let from_there = [
        as_self(named("lee")),
        as_self(named("kim")),
        as_self(support()),
        Caller { account: root(), login: LoginAccount::Known(named("lee")) },
    ];
    for caller in from_there {
        let given = Given::new(Reviewer::Online(&caller), Decision::Approve);
        assert!(matches!(refused(&mut world, &given), NoReview::Shared(_)), "{caller:?}");
    }
    let lee = as_self(subject("lee", 2003));
    assert!(world.give(&Given::new(Reviewer::Online(&lee), Decision::Approve), id).unwrap());
    assert_eq!(world.ask(&opens(&[KIM])).why(), Why::Window);
    assert_eq!(world.ask(&opens(&[LEE])).why(), Why::NoWindow);
}

#[test]
fn a_window_of_the_whole_account_is_reviewed_by_nobody_who_shares_it() {
    let mut world = world();
    let order = |role: &str| RequestOrder {
        beneficiary: support(),
        role: role.parse().unwrap(),
        duration: None,
        start: None,
        reason: "INC-1 nightly job".parse().unwrap(),
        id: RequestId::from_bits(78),
    };
    let vendor = crate::orders::request::grant(world.here(), &as_self(root()), order("vendor"));
    assert!(matches!(vendor, Err(Refusal::NotEligible { .. })), "it is for persons: {vendor:?}");
    let whole = crate::orders::request::grant(world.here(), &as_self(root()), order("whole")).unwrap();
    world.apply(whole);
    assert_eq!(world.check("cron", &support()).why(), Why::Window, "the admin gave it to the account");
}

#[test]
fn what_is_one_persons_nobody_else_gives_back_extends_or_sees() {
    let mut world = world();
    let id = window_for(&mut world, "kim", "vendor");
    world.log_in(&opens(&[KIM]));
    let session = world.state.sessions().last().unwrap().clone();
    let give_back = |who: Subject| done(world.here(), &as_self(who), Target::Request(id), None);
    let go_on = |who: Subject| {
        let order = ExtendOrder {
            beneficiary: who.clone(),
            grant: id.into(),
            duration: None,
            reason: "INC-1 not done".parse().unwrap(),
            id: RequestId::from_bits(79),
        };
        extend(world.here(), &as_self(who), order)
    };
    for other in [named("lee"), support()] {
        assert!(give_back(other.clone()).is_err() && go_on(other.clone()).is_err(), "{other:?}");
        assert!(!may_see(world.here(), &as_self(other), &session));
    }
    assert!(give_back(named("kim")).is_ok() && go_on(named("kim")).is_ok());
    assert!(give_back(subject("kim", 2002)).is_ok(), "from her own account");
    assert!(may_see(world.here(), &as_self(named("kim")), &session));
}

fn covered(world: &World, session: u64) -> Coverage {
    let session = world.state.session(session).unwrap();
    coverage(world.here(), session, &Known::Fully(support()))
}

#[test]
fn an_end_ends_its_own_persons_sessions_and_the_account_is_swept_when_no_other_holds_it() {
    let mut world = world();
    let kims = window_for(&mut world, "kim", "vendor");
    let kim = world.state.next_seq();
    world.log_in(&opens(&[KIM]));
    let lees = window_for(&mut world, "lee", "vendor");
    let lee = world.state.next_seq();
    world.log_in(&opens(&[LEE]));
    world.revoke(kims);
    assert_eq!(covered(&world, kim), Coverage::Over(EndReason::Revoked), "lee's window is not hers");
    assert!(matches!(covered(&world, lee), Coverage::Covered { .. }));
    let ending = world.state.endings()[&kims.into()].clone();
    let known = Known::Fully(support());
    assert_eq!(cover(world.here(), &ending, &known), Cover::Holds);
    world.revoke(lees);
    for session in [kim, lee] {
        world.apply([Event::SessionGone { session, unbound: false, past: None }]);
    }
    world.apply([Event::ended_whole(lees.into(), support().name, vec![lee])]);
    assert_eq!(cover(world.here(), &ending, &known), Cover::None);
}

/// Somebody who was let in until their key is known, and is in without having said it.
fn adopted(world: &mut World) -> u64 {
    world.log_in(&checked());
    let Event::Allowed { grant, role, from, basis, login, .. } = world.log.last().unwrap().event.clone()
    else {
        panic!()
    };
    let opener = Opener { leader: Leader { pid: 9, start: 9 }, audit: Some(9) };
    let session = world.state.next_seq();
    world.apply([Event::SessionAdopted { grant, role, claim: None, opener, from, basis, login }]);
    session
}

#[test]
fn who_is_in_without_having_shown_a_key_is_not_covered() {
    let mut world = world();
    window_for(&mut world, "kim", "vendor");
    let session = adopted(&mut world);
    assert_eq!(covered(&world, session), Coverage::Over(EndReason::NoPerson));
}

#[test]
fn a_key_that_policy_takes_from_a_person_lets_nobody_in_and_ends_what_it_opened() {
    let mut world = world();
    window_for(&mut world, "kim", "vendor");
    let session = world.state.next_seq();
    world.log_in(&opens(&[KIM]));
    assert!(matches!(covered(&world, session), Coverage::Covered { .. }));
    world.policy = policy(&POLICY.replace(KIM, STRANGER));
    assert_eq!(world.ask(&opens(&[KIM])).why(), Why::NoPerson);
    assert_eq!(covered(&world, session), Coverage::Over(EndReason::NoPerson));
    assert_eq!(world.ask(&opens(&[STRANGER])).why(), Why::Window, "it is her key now");
    world.policy = policy(&POLICY.replace(r#"people = ["kim", "lee"]"#, r#"people = ["lee"]"#));
    assert_eq!(world.ask(&opens(&[KIM])).why(), Why::RoleChanged, "eligible is who policy says today");
}

#[test]
fn a_lock_on_a_person_shuts_them_out_of_every_account_and_one_on_the_account_everybody() {
    let lock = |scope: &str, keys: &[&str]| {
        let mut world = world();
        window_for(&mut world, "kim", "vendor");
        window_for(&mut world, "lee", "vendor");
        assert_eq!(world.ask(&opens(keys)).why(), Why::Window);
        world.lock(scope, None);
        (world.ask(&opens(keys)).why(), world.state.grants().count())
    };
    assert_eq!(lock("user:kim", &[KIM]), (Why::Locked, 1));
    assert_eq!(lock("user:kim", &[LEE]), (Why::Window, 1));
    assert_eq!(lock("user:support", &[LEE]), (Why::Locked, 0));
    let mut world = world();
    window_for(&mut world, "kim", "vendor");
    world.lock("user:lee", None);
    assert_eq!(world.ask(&checked()).why(), Why::Window);
    world.unlock("user:lee");
    world.lock("user:kim", None);
    assert_eq!(world.ask(&checked()).why(), Why::NoWindow);
    assert!(matches!(ask(&world, named("kim")), Err(Refusal::Locked(_))));
    assert!(matches!(world.ask(&opens(&[KIM])), Answer::Deny(Why::Locked)));
}

#[test]
fn a_person_is_eligible_by_their_own_account_too() {
    let mut world = world();
    world.grant(&as_self(root()), subject("kim", 2002), "vendor", None).unwrap();
    assert_eq!(world.check("sshd", &subject("kim", 2002)).why(), Why::Window);
    assert_eq!(world.check("sshd", &subject("lee", 2003)).why(), Why::NoWindow);
    assert_eq!(world.ask(&opens(&[KIM])).why(), Why::NoWindow, "it is of that account");
}

#[test]
fn two_names_of_one_uid_are_one_person_for_windows_sessions_quotas_and_admins() {
    let mut world = World::new();
    let maria = crate::testing::maria();
    let capital = Subject { also: [maria.name.clone()].into(), is_local: true, ..subject("Maria", 1001) };
    let other = subject("Maria", 1002);
    world.grant(&as_self(root()), maria.clone(), "shell", None).unwrap();
    assert_eq!(world.check("sshd", &capital).why(), Why::Window);
    assert_ne!(world.check("sshd", &other).why(), Why::Window, "another uid is somebody else");
    let id = world.state.grants().next().unwrap().request();
    assert!(done(world.here(), &as_self(capital.clone()), Target::Request(id), None).is_ok());
    let toor = Subject { also: ["root".parse().unwrap()].into(), is_local: true, ..subject("toor", 0) };
    assert!(world.policy.is_admin(&toor));
    // A session by one name is hers by the other, and its window covers it.
    let session = world.state.next_seq();
    let opener = Some(Opener { leader: Leader { pid: 5, start: 5 }, audit: Some(5) });
    world.log_in(&Question { opener, ..World::question("sshd", &maria, Stage::Session) });
    let session = world.state.session(session).unwrap().clone();
    assert!(may_see(world.here(), &as_self(capital.clone()), &session));
    let known = Known::Fully(capital.clone());
    assert!(matches!(coverage(world.here(), &session, &known), Coverage::Covered { .. }));
    assert_eq!(
        coverage(world.here(), &session, &Known::Fully(other)),
        Coverage::Over(EndReason::RoleChanged)
    );
    // Ten requests are hers, by whichever name.
    for n in 0..10 {
        let who = if n % 2 == 0 { maria.clone() } else { capital.clone() };
        world.file(who, "two", "INC-1 once more").unwrap();
    }
    assert!(matches!(world.file(capital, "two", "INC-1 once more"), Err(Refusal::TooManyOfYours)));
}

#[test]
fn a_directorys_name_of_a_local_uid_has_no_window_of_it_and_is_held_back_as_it_is() {
    let mut world = World::new();
    let maria = crate::testing::maria();
    let local = Subject { also: [maria.name.clone()].into(), is_local: true, ..subject("Maria", 1001) };
    let strange = Subject { is_local: false, ..local.clone() };
    world.grant(&as_self(root()), maria.clone(), "shell", None).unwrap();
    assert_eq!(world.check("sshd", &local).why(), Why::Window);
    assert_ne!(world.check("sshd", &strange).why(), Why::Window);
    assert!(world.file(local.clone(), "two", "INC-1 once").is_ok());
    assert!(matches!(world.file(strange.clone(), "two", "INC-1 once"), Err(Refusal::NotEligible { .. })));
    world.lock("user:maria", None);
    for account in [local, strange] {
        assert_eq!(world.check("sshd", &account).why(), Why::Locked, "{account:?}");
    }
}

#[test]
fn a_policy_on_trial_ends_no_session_of_a_key_that_it_knows_no_more_and_one_without_a_key_all_the_same() {
    let mut world = world();
    window_for(&mut world, "kim", "vendor");
    let kim = world.state.next_seq();
    world.log_in(&opens(&[KIM]));
    let unknown = adopted(&mut world);
    world.load(policy(&POLICY.replace(KIM, STRANGER)), Some(60));
    assert!(matches!(covered(&world, kim), Coverage::Covered { .. }));
    assert_eq!(covered(&world, unknown), Coverage::Over(EndReason::NoPerson));
    assert_eq!(world.ask(&opens(&[KIM])).why(), Why::NoPerson, "and starts none");
    world.load(policy(&POLICY.replace(KIM, STRANGER)), None);
    assert_eq!(covered(&world, kim), Coverage::Over(EndReason::NoPerson));
}

#[test]
fn a_session_line_that_comes_after_its_login_was_adopted_takes_the_use_all_the_same() {
    let mut world = world();
    let id = window_for(&mut world, "kim", "once");
    adopted(&mut world);
    let opener = Some(Opener { leader: Leader { pid: 9, start: 9 }, audit: Some(9) });
    let takes = world.log_in(&Question { opener, ..opens(&[KIM]) }).admission().unwrap().takes;
    assert_eq!((takes, world.state.grant(id.into()).unwrap().used), (Takes::Late, 1));
}

#[test]
fn a_use_that_a_session_takes_late_is_given_back_where_it_is_refused() {
    let mut world = world();
    let id = window_for(&mut world, "kim", "once");
    world.log_in(&checked());
    let takes = world.log_in(&opens(&[KIM])).admission().unwrap().takes;
    let (session, login) = world.state.sessions().last().map(|one| (one.id, one.login.clone())).unwrap();
    let returned = takes.is_of_session();
    let why = "no unit".to_owned();
    world.apply([Event::SessionRefused { session, grant: id.into(), returned, why, login }]);
    assert_eq!(world.state.grant(id.into()).unwrap().used, 0);
    assert_ne!(world.ask(&opens(&[KIM])).why(), Why::Spent);
}

#[test]
fn what_an_account_asked_for_before_people_shared_it_opens_for_none_of_them() {
    let shared =
        POLICY.replace(r#"people = ["kim", "lee"] }"#, r#"people = ["kim", "lee"], users = ["support"] }"#);
    let lines = |line: &&str| !line.contains("ssh-keys");
    let alone = (shared.lines().filter(lines).collect::<Vec<_>>().join("\n"))
        .replace("[people]\n", "[people]\nkim = { accounts = [\"kim\"] }\nlee = { accounts = [\"lee\"] }\n");
    let asked = |then: &str| {
        let mut world = world();
        world.policy = policy(&alone);
        let events = ask(&world, support()).unwrap();
        world.apply(events);
        world.policy = policy(then);
        let olga = as_self(subject("olga", 2009));
        world.give(&Given::new(Reviewer::Online(&olga), Decision::Approve), RequestId::from_bits(77))
    };
    assert_eq!(asked(&alone), Ok(true));
    let shared = asked(&shared);
    assert!(matches!(shared, Err(Refusal::NotEligible { .. })), "{shared:?}");
}

/// Kim, of those who share support, has an account that is called as another of them is.
#[test]
fn a_grant_on_a_shared_account_is_for_the_one_person_whom_it_names_and_for_nobody_where_that_could_be_two() {
    let shared = |own: &str| {
        let [kim, lee] =
            ["n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"];
        let people = format!(
            "[people]\nkim = {{ accounts = [\"maria\"], ssh-keys = [\"SHA256:{kim}\"], own = [\"{own}\"] }}\n\
             lee = {{ accounts = [\"maria\"], ssh-keys = [\"SHA256:{lee}\"] }}\n"
        );
        ahead_tests::POLICY
            .replace("maria = { accounts = [\"maria\"], keys = [\"maria@site\"] }\n", "")
            .replace("[people]\n", &people)
    };
    for (own, behind, person) in
        [("kim2", "lee", Some("lee")), ("kim2", "kim2", Some("kim")), ("lee", "lee", None)]
    {
        let mut world = ahead_tests::world();
        world.policy = policy(&shared(own));
        let text =
            GrantStatement { behind: Some(behind.parse().unwrap()), ..ahead_tests::written(&world, "press") };
        let brought = ahead_tests::bring(&mut world, "olga@site", &text);
        let Some(person) = person else {
            assert!(matches!(ahead_tests::not_of_here(brought), NotOfHere::NoUser(_)), "{own} {behind}");
            continue;
        };
        let grant = world.state.grant(brought.unwrap().into()).unwrap();
        assert_eq!(grant.person.as_ref().unwrap().to_string(), person, "{own} {behind}");
    }
}
