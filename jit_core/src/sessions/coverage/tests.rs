use std::num::NonZeroU32;

use jit_proto::words::RequestId;
use proptest::prelude::*;

use super::*;
use crate::model::{Leader, Opener, PolicyWord, Scope, Unit};
use crate::orders::lock::{LockOrder, lock};
use crate::orders::request::{ExtendOrder, extend};
use crate::orders::revoke::{Target, done};
use crate::state::State;
use crate::testing::{POLICY, World, as_self, maria, policy, root, subject};

pub(super) const HOUR: Duration = Duration::from_hours(1);

/// A world in which the roles end in different ways, and one more role opens what `shell` does.
pub(super) fn world() -> World {
    let mut world = World::new();
    let more = r#"
[role.night]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "4h"
uses = 1
at-end = "drain"
grace = "30s"
[[role.night.stage]]
name = "lead"
approvers = { users = ["root"] }
"#;
    world.policy = policy(&format!("{POLICY}{more}"));
    world
}

/// Logs somebody in; the session's id.
pub(super) fn log_in(world: &mut World, service: &str, who: &Subject) -> u64 {
    for stage in [Stage::Account, Stage::Session] {
        let mut question = World::question(service, who, stage);
        question.opener = Some(Opener { leader: Leader { pid: 4000, start: 77 }, audit: None });
        world.log_in(&question);
    }
    world.state.sessions().last().unwrap().id
}

pub(super) fn judge_all(world: &mut World) -> Vec<Event> {
    let mut all = Vec::new();
    loop {
        let found = world.state.sessions().iter().find_map(|session| {
            let known = Known::Fully(maria());
            Some(judge(world.here(), session, &known)).filter(|events| !events.is_empty())
        });
        let Some(events) = found else { return all };
        world.apply(events.clone());
        all.extend(events);
    }
}

fn over(world: &World, id: u64) -> Option<EndReason> {
    world.state.session(id).unwrap().over.as_ref().map(|over| over.why)
}

#[test]
fn a_session_ends_with_its_window_and_not_before() {
    let mut world = world();
    let grant = world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    let id = log_in(&mut world, "sshd", &maria());
    world.wait(Duration::from_millis(3_599_999));
    assert_eq!(judge_all(&mut world), []);
    world.wait(Duration::from_millis(1));
    judge_all(&mut world);
    assert_eq!(over(&world, id), Some(EndReason::Expired));
    assert_eq!(world.state.endings()[&grant.into()].sessions, [id]);
}

#[test]
fn a_window_that_is_taken_back_given_back_or_locked_ends_its_sessions_and_says_which() {
    type Order = fn(&World, RequestId) -> Vec<Event>;
    let orders: [(EndReason, Order); 3] = [
        (EndReason::Revoked, |world, id| {
            crate::orders::revoke::revoke(world.here(), &as_self(root()), Target::Request(id), None).unwrap()
        }),
        (EndReason::Done, |world, id| {
            done(world.here(), &as_self(maria()), Target::Grant(id.into()), None).unwrap()
        }),
        (EndReason::Locked, |world, _| {
            let order = LockOrder {
                scope: Scope::User(maria().name),
                message: None,
                duration: None,
                uids: [].into(),
            };
            lock(world.here(), &as_self(root()), order).unwrap()
        }),
    ];
    for (why, order) in orders {
        let mut world = world();
        let grant = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
        let id = log_in(&mut world, "sshd", &maria());
        let events = order(&world, grant);
        world.apply(events);
        judge_all(&mut world);
        assert_eq!(over(&world, id), Some(why));
    }
}

#[test]
fn a_lock_on_a_service_ends_its_sessions_and_leaves_the_window() {
    let mut world = world();
    let grant = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    let id = log_in(&mut world, "sshd", &maria());
    let scope = Scope::Service("sshd".parse().unwrap());
    let order = LockOrder { scope, message: None, duration: None, uids: [].into() };
    let events = lock(world.here(), &as_self(root()), order).unwrap();
    world.apply(events);
    judge_all(&mut world);
    assert_eq!(over(&world, id), Some(EndReason::Locked));
    assert!(world.state.grant(grant.into()).is_some());
}

#[test]
fn a_session_goes_on_under_another_window_and_takes_its_use_in_the_same_record() {
    let mut world = world();
    world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    let id = log_in(&mut world, "sshd", &maria());
    let other = world.grant(&as_self(root()), maria(), "night", Some(HOUR * 2)).unwrap();
    world.wait(HOUR);
    let events = judge_all(&mut world);
    assert!(
        matches!(events.as_slice(), [Event::SessionMoved { uses: true, .. }]),
        "one record moves it and takes the use: {events:?}"
    );
    let session = world.state.session(id).unwrap();
    assert_eq!((session.grant, session.over.is_none()), (other.into(), true));
    assert_eq!(world.state.grant(other.into()).unwrap().used, 1);
    // Its one use is taken: nobody else comes in by it.
    assert_ne!(world.check("sshd", &maria()).why(), crate::model::Why::Window);
}

#[test]
fn of_two_sessions_that_want_the_last_use_one_goes_on() {
    let mut world = world();
    world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    let ids = [log_in(&mut world, "sshd", &maria()), log_in(&mut world, "sshd", &maria())];
    world.grant(&as_self(root()), maria(), "night", Some(HOUR * 2)).unwrap();
    world.wait(HOUR);
    judge_all(&mut world);
    assert_eq!(ids.map(|id| over(&world, id)), [None, Some(EndReason::Expired)]);
}

#[test]
fn an_extension_is_gone_on_into_and_counted_before() {
    let mut world = world();
    let base = world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    let id = log_in(&mut world, "sshd", &maria());
    let request = world.next_id();
    let order = ExtendOrder {
        beneficiary: maria(),
        grant: base.into(),
        duration: Some(HOUR),
        reason: "INC-1 more".parse().unwrap(),
        id: request,
    };
    let events = extend(world.here(), &as_self(maria()), order).unwrap();
    world.apply(events);
    world.review(&root(), request, crate::model::Decision::Approve).unwrap();
    let known = Known::Fully(maria());
    assert_eq!(outlook(world.here(), world.state.session(id).unwrap(), &known), HOUR * 2);
    world.wait(HOUR);
    judge_all(&mut world);
    assert_eq!((world.state.session(id).unwrap().grant, over(&world, id)), (request.into(), None));
}

#[test]
fn who_is_no_longer_eligible_is_out_and_a_name_service_that_fails_ends_nothing() {
    let mut world = world();
    let erik = Subject { groups: BTreeSet::from(["ops".parse().unwrap()]), ..subject("erik", 1002) };
    world.grant(&as_self(root()), erik.clone(), "shell", None).unwrap();
    let id = log_in(&mut world, "sshd", &erik);
    let session = world.state.session(id).unwrap();
    let alone = Subject { groups: BTreeSet::new(), ..erik.clone() };
    let stays = |known: &Known| matches!(coverage(world.here(), session, known), Coverage::Covered { .. });
    assert!(stays(&Known::Fully(erik)));
    assert!(stays(&Known::Unanswered) && stays(&Known::Partly(alone.clone(), [].into())));
    let gone = Coverage::Over(EndReason::RoleChanged);
    assert_eq!(coverage(world.here(), session, &Known::Fully(alone)), gone);
    assert_eq!(coverage(world.here(), session, &Known::Not), gone);
    // Another account has the name by now.
    assert_eq!(coverage(world.here(), session, &Known::Fully(subject("erik", 2002))), gone);
}

#[test]
fn a_role_that_leaves_policy_ends_sessions() {
    let mut world = world();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    let id = log_in(&mut world, "sshd", &maria());
    world.policy = policy(&POLICY.replace("[role.shell", "[role.other"));
    judge_all(&mut world);
    assert_eq!(over(&world, id), Some(EndReason::RoleChanged));
}

#[test]
fn an_end_is_sticky() {
    let mut world = world();
    let grant = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    let id = log_in(&mut world, "sshd", &maria());
    let events = end_one(world.here(), &as_self(root()), id, None).unwrap();
    world.apply(events);
    world.revoke(grant);
    judge_all(&mut world);
    assert_eq!(over(&world, id), Some(EndReason::Ordered));
    assert_eq!(end_one(world.here(), &as_self(root()), id, None).unwrap(), []);
}

#[test]
fn a_person_ends_their_own_session_an_admin_anybodys_and_nobody_learns_of_others() {
    let mut world = world();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    let id = log_in(&mut world, "sshd", &maria());
    let order =
        |caller: Subject| end_one(world.here(), &as_self(caller), id, None).map(|events| events.len());
    assert_eq!(order(maria()), Ok(1));
    assert_eq!(order(subject("adam", 1003)), Ok(1));
    let unknown = end_one(world.here(), &as_self(maria()), id + 1, None).unwrap_err().to_string();
    let others = order(subject("olga", 1004)).unwrap_err().to_string();
    assert_eq!(others.replace(&id.to_string(), "N"), unknown.replace(&(id + 1).to_string(), "N"));
}

#[test]
fn only_a_window_that_runs_out_or_is_given_back_drains_or_keeps() {
    let world = world();
    let night = world.policy.role(&"night".parse().unwrap());
    let secs = Duration::from_secs;
    let drained = EndTerms { term: secs(30), kill: secs(30) };
    let at_once = EndTerms { term: Duration::ZERO, kill: secs(5) };
    for why in [EndReason::Expired, EndReason::Done] {
        assert_eq!(EndTerms::of(night, why), drained);
    }
    for why in [
        EndReason::Revoked,
        EndReason::Locked,
        EndReason::RoleChanged,
        EndReason::OutsideHours,
        EndReason::Ordered,
    ] {
        assert_eq!(EndTerms::of(night, why), at_once);
    }
    assert_eq!(EndTerms::of(None, EndReason::Expired), at_once);
}

#[test]
fn what_may_still_finish_is_ended_by_a_lock_or_an_order_and_by_nothing_later() {
    let mut world = world();
    world.grant(&as_self(root()), maria(), "night", Some(HOUR)).unwrap();
    let ids = [0, 1].map(|_| {
        world.grant(&as_self(root()), maria(), "night", Some(HOUR)).unwrap();
        log_in(&mut world, "sshd", &maria())
    });
    world.wait(HOUR);
    judge_all(&mut world);
    let left = |world: &World, id: u64| {
        let over = world.state.session(id).unwrap().over.clone().unwrap();
        (over.why, over.terms.kill.saturating_sub(world.now.since(&over.at)))
    };
    let secs = Duration::from_secs;
    assert_eq!(ids.map(|id| left(&world, id)), [(EndReason::Expired, secs(30)); 2]);

    let events = end_one(world.here(), &as_self(root()), ids[0], None).unwrap();
    world.apply(events);
    assert_eq!(left(&world, ids[0]), (EndReason::Ordered, secs(5)));
    assert_eq!(end_one(world.here(), &as_self(root()), ids[0], None).unwrap(), []);

    world.wait(secs(27));
    let order =
        LockOrder { scope: Scope::User(maria().name), message: None, duration: None, uids: [].into() };
    let events = lock(world.here(), &as_self(root()), order).unwrap();
    world.apply(events);
    judge_all(&mut world);
    // Three seconds were left, and a lock would give five.
    assert_eq!(left(&world, ids[1]), (EndReason::Expired, secs(3)));
    let ending = world.state.endings().values().last().unwrap();
    let terms = termination::terms(world.here(), ending, &Known::Fully(maria()));
    assert_eq!(terms.kill, secs(5), "what is left of the person waits for no work either");
}

#[test]
fn warnings_come_once_each_and_none_that_was_over_at_the_login() {
    let warn = BTreeSet::from([60, 600].map(Duration::from_secs));
    let secs = Duration::from_secs;
    assert_eq!(warning(&warn, secs(700), secs(601)), None);
    assert_eq!(warning(&warn, secs(601), secs(600)), Some(secs(600)));
    assert_eq!(warning(&warn, secs(600), secs(599)), None);
    assert_eq!(warning(&warn, secs(599), secs(59)), Some(secs(60)));
    assert_eq!(next_warning(&warn, secs(601)), Some(secs(1)));
    assert_eq!(next_warning(&warn, secs(600)), Some(secs(540)));
    assert_eq!(next_warning(&warn, secs(60)), None);
}

#[test]
fn nothing_but_a_sessions_own_scope_reads_as_one() {
    for good in ["session-4.scope", "session-c12.scope", "jit-17-2211.scope"] {
        assert_eq!(good.parse::<Unit>().unwrap().as_str(), good);
    }
    for bad in [
        "ssh.service",
        "session-.scope",
        "session-4.scope.d",
        "init.scope",
        "session-a/b.scope",
        "user@1.service",
    ] {
        assert!(bad.parse::<Unit>().is_err(), "{bad}");
    }
}

#[test]
fn a_session_whose_scope_is_known_is_gone_when_that_is_empty() {
    let mut world = world();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    let id = log_in(&mut world, "sshd", &maria());
    world.apply([Event::SessionPlaced { session: id, unit: "session-4.scope".parse().unwrap() }]);
    let login = world.state.session(id).unwrap().login.clone();
    world.apply([Event::SessionClosed { login, leader: None, session: None }]);
    assert!(world.state.session(id).unwrap().closed);
    world.apply([Event::SessionGone { session: id, unbound: false, past: None }]);
    assert!(world.state.session(id).is_none());
}

#[test]
fn a_group_that_somebody_is_only_supposed_to_be_in_exempts_no_session() {
    let mut world = world();
    world.policy = policy(&format!("{POLICY}[[exempt]]\ngroups = [\"automation\"]\nservices = [\"sshd\"]\n"));
    world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    let id = log_in(&mut world, "sshd", &maria());
    let coverage =
        |world: &World| coverage(world.here(), world.state.session(id).unwrap(), &Known::Unanswered);
    assert_eq!(coverage(&world), Coverage::Covered { left: HOUR });
    world.wait(HOUR);
    assert_eq!(coverage(&world), Coverage::Over(EndReason::Expired));
}

#[test]
fn a_policy_on_trial_that_allows_less_time_ends_no_session() {
    let mut world = world();
    world.grant(&as_self(root()), maria(), "shell", Some(HOUR * 2)).unwrap();
    let id = log_in(&mut world, "sshd", &maria());
    world.wait(HOUR);
    let shorter = policy(
        &POLICY
            .replace("max-duration = \"4h\"", "max-duration = \"30m\"")
            .replace("default-duration = \"1h\"", "default-duration = \"30m\""),
    );
    assert_ne!(shorter.digest(), world.policy.digest());
    let loaded = |trial| Event::PolicyLoaded {
        digest: shorter.digest(),
        files: Vec::new(),
        before: Some(world.policy.digest()),
        diff: None,
        trial,
        word: PolicyWord::default(),
    };
    let (on_trial, for_good) = (loaded(Some(300)), loaded(None));
    world.apply([on_trial]);
    world.policy = shorter;
    assert_eq!(judge_all(&mut world), []);
    world.apply([for_good]);
    judge_all(&mut world);
    assert_eq!(over(&world, id), Some(EndReason::Expired));
}

#[test]
fn a_session_that_nobody_is_in_any_more_spends_no_use() {
    let mut world = world();
    world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    let id = log_in(&mut world, "sshd", &maria());
    let login = world.state.session(id).unwrap().login.clone();
    world.apply([Event::SessionClosed { login, leader: None, session: None }]);
    let once = world.grant(&as_self(root()), maria(), "night", Some(HOUR * 2)).unwrap();
    world.wait(HOUR);
    judge_all(&mut world);
    assert_eq!(over(&world, id), Some(EndReason::Expired));
    assert_eq!(world.state.grant(once.into()).unwrap().used, 0);
}

#[test]
fn the_outlook_counts_no_window_that_would_not_take_the_session_over() {
    let mut world = world();
    let more =
        "hosts = [\"*\"]\nservices = [\"su\"]\neligible = { users = [\"maria\"] }\nmax-duration = \"4h\"\n";
    let stage = |role: &str| {
        format!("[[role.{role}.stage]]\nname = \"lead\"\napprovers = {{ users = [\"root\"] }}\n")
    };
    let text = format!(
        "{POLICY}[role.any]\n{more}{}[role.oracle]\n{more}run-as = [\"oracle\"]\n{}",
        stage("any"),
        stage("oracle")
    );
    world.policy = policy(&text);
    world.grant(&as_self(root()), maria(), "any", Some(HOUR)).unwrap();
    for stage in [Stage::Account, Stage::Session] {
        let mut question = World::question("su", &maria(), stage);
        question.login.target = Some("postgres".parse().unwrap());
        world.log_in(&question);
    }
    let outlook =
        |world: &World| outlook(world.here(), world.state.sessions().last().unwrap(), &Known::Fully(maria()));
    assert_eq!(outlook(&world), HOUR);
    world.grant(&as_self(root()), maria(), "oracle", Some(HOUR * 3)).unwrap();
    assert_eq!(outlook(&world), HOUR, "it is for another account");
    world.grant(&as_self(root()), maria(), "any", Some(HOUR * 2)).unwrap();
    assert_eq!(outlook(&world), HOUR * 2);
}

#[test]
fn of_two_equal_logins_the_one_that_closes_is_closed() {
    let mut world = world();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    let ids = [4001, 4002].map(|pid| {
        for stage in [Stage::Account, Stage::Session] {
            let mut question = World::question("sshd", &maria(), stage);
            question.opener = Some(Opener { leader: Leader { pid, start: 77 }, audit: None });
            world.log_in(&question);
        }
        world.state.sessions().last().unwrap().id
    });
    let login = world.state.session(ids[0]).unwrap().login.clone();
    let closed = |world: &World| ids.map(|id| world.state.session(id).unwrap().closed);
    let close = |pid| Event::SessionClosed {
        login: login.clone(),
        leader: Some(Leader { pid, start: 77 }),
        session: None,
    };
    world.apply([close(4001)]);
    assert_eq!(closed(&world), [true, false]);
    world.apply([close(4009)]);
    assert_eq!(closed(&world), [true, false], "nobody's");
}

#[test]
fn what_jitd_was_not_there_to_see_is_not_given_again() {
    let mut world = world();
    let id = world.grant(&as_self(root()), maria(), "night", Some(HOUR)).unwrap();
    log_in(&mut world, "sshd", &maria());
    world.wait(HOUR + Duration::from_secs(20));
    judge_all(&mut world);
    let session = world.state.sessions().last().unwrap();
    assert_eq!(session.over.as_ref().unwrap().terms.kill, Duration::from_secs(10), "of its 30 s");
    let ending = &world.state.endings()[&id.into()];
    assert_eq!(
        termination::terms(world.here(), ending, &Known::Fully(maria())).kill,
        Duration::from_secs(10)
    );
}

#[derive(Clone, Debug)]
enum Step {
    Open { role: usize, minutes: u64 },
    LogIn,
    Wait { minutes: u64 },
    Revoke { nth: usize },
    End { nth: usize },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_usize, 1..90_u64).prop_map(|(role, minutes)| Step::Open { role, minutes }),
        Just(Step::LogIn),
        (1..60_u64).prop_map(|minutes| Step::Wait { minutes }),
        (0..8_usize).prop_map(|nth| Step::Revoke { nth }),
        (0..8_usize).prop_map(|nth| Step::End { nth }),
    ]
}

proptest! {
    /// Law 9 and 12: after each judgement a session goes on exactly where a live grant covers it, whatever has ended
    /// beside it, and an end that has come is never taken back. The record alone tells the same.
    #[test]
    fn in_every_story_a_session_lives_as_long_as_something_covers_it(
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut world = world();
        let mut over: BTreeSet<u64> = BTreeSet::new();
        for step in steps {
            match step {
                Step::Open { role, minutes } => {
                    let role = ["shell", "night", "once"][role];
                    drop(world.grant(&as_self(root()), maria(), role, Some(Duration::from_mins(minutes))));
                }
                Step::LogIn => {
                    for stage in [Stage::Account, Stage::Session] {
                        world.log_in(&World::question("sshd", &maria(), stage));
                    }
                }
                Step::Wait { minutes } => world.wait(Duration::from_mins(minutes)),
                Step::Revoke { nth } => {
                    let id = world.state.grants().nth(nth).map(Grant::request);
                    if let Some(id) = id { world.revoke(id) }
                }
                Step::End { nth } => {
                    let id = world.state.sessions().get(nth).map(|session| session.id);
                    if let Some(id) = id {
                        let events = end_one(world.here(), &as_self(root()), id, None).unwrap();
                        world.apply(events);
                    }
                }
            }
            judge_all(&mut world);
            for session in world.state.sessions() {
                let covered = world.state.grant(session.grant).is_some_and(|grant| {
                    grant.services.contains(&session.login.service) && !grant.remaining(&world.now).is_zero()
                });
                prop_assert!(session.over.is_some() || covered, "{session:?} goes on under nothing");
                prop_assert!(!over.contains(&session.id) || session.over.is_some(), "an end was taken back");
                if session.over.is_some() { over.insert(session.id); }
            }
            for grant in world.state.grants() {
                if let crate::policy::Uses::Times(most) = grant.uses {
                    prop_assert!(grant.used <= NonZeroU32::get(most), "{} was used too often", grant.id);
                }
            }
        }
        let mut folded = State::default();
        for record in &world.log {
            folded.apply(&crate::event::Record::decode(record.seq, &record.encode().unwrap().bytes).unwrap());
        }
        prop_assert_eq!(folded, world.state);
    }
}
