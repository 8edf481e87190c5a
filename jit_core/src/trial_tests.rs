//! What ends a trial and what confirms it.

use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::Verdict;

use crate::due::next;
use crate::event::{Event, Record};
use crate::model::{BackWhy, LoginSession, PolicyWord, Trial, Tried};
use crate::orders::trial::{self, NewLogins, NoTrial};
use crate::policy::Policy;
use crate::state::{Row, State};
use crate::testing::{POLICY, World, maria, policy};
use crate::testing::{at, at_next_boot};
use crate::time::Moment;

const MINUTE: Duration = Duration::from_mins(1);

fn old() -> Policy {
    policy(POLICY)
}

fn new() -> Policy {
    policy(&POLICY.replace("\"4h\"", "\"5h\""))
}

fn apply(state: &mut State, now: &Moment, event: Event) -> Vec<Row> {
    state.apply(&Record { seq: state.next_seq(), at: now.clone(), actor: None, event })
}

fn loaded(trial: Option<u64>) -> Event {
    let (before, digest) = (Some(old().digest()), new().digest());
    Event::PolicyLoaded { digest, files: Vec::new(), before, diff: None, trial, word: PolicyWord::default() }
}

fn reverted() -> Event {
    let (digest, tried) = (old().digest(), new().digest());
    Event::PolicyReverted { why: BackWhy::Expired, tried, digest, files: Vec::new() }
}

fn on_trial() -> State {
    let mut state = State::default();
    apply(&mut state, &at(1_000_000, 0), loaded(Some(60)));
    state
}

fn session(id: u32) -> LoginSession {
    LoginSession { uid: maria().uid, id }
}

/// The logins after one that opened, at this service and stage, with this verdict.
fn after(service: &str, stage: Stage, verdict: Verdict) -> NewLogins {
    let question = World::question(service, &maria(), stage);
    let mut logins = NewLogins::default();
    logins.note(&question, verdict, session(7));
    logins
}

#[test]
fn a_trial_is_charged_by_the_clock_that_says_more_and_ends_with_the_boot() {
    let state = on_trial();
    assert_eq!(trial::next(&state, &at(1_000_000, 0)), Some(MINUTE));
    for now in [at(1_060_000, 1), at(0, 60_000), at_next_boot(1_000_001, 1)] {
        assert!(trial::over(&state, &now).is_some(), "{now:?}");
    }
    assert!(trial::over(&state, &at(1_059_999, 59_999)).is_none());
}

#[test]
fn a_policy_loaded_for_good_is_on_no_trial_and_settles_the_last_one() {
    let mut state = State::default();
    let now = at(0, 0);
    assert!(matches!(apply(&mut state, &now, loaded(None))[..], [Row::Policy { .. }, Row::Since(_)]));
    assert!(trial::running(&state).is_none());
    apply(&mut state, &now, loaded(Some(60)));
    apply(&mut state, &now, reverted());
    assert!(trial::went_back(&state, new().digest()) && !trial::went_back(&state, old().digest()));
    let rows = apply(&mut state, &now, loaded(None));
    assert_eq!(rows.last(), Some(&Row::Tried(None)));
    assert!(!trial::went_back(&state, new().digest()));
}

#[test]
fn what_the_store_keeps_of_a_trial_reads_back() {
    let mut state = on_trial();
    let running = state.tried().cloned();
    let back = |tried: &Option<Tried>| serde_json::from_str(&serde_json::to_string(tried).unwrap()).unwrap();
    assert_eq!(State::default().with_tried(back(&running)).tried(), running.as_ref());
    apply(&mut state, &at(1_060_000, 0), reverted());
    let gone = state.tried().cloned();
    assert_eq!(State::default().with_tried(back(&gone)).tried(), gone.as_ref());
}

#[test]
fn while_one_is_on_trial_no_other_is_loaded() {
    let state = on_trial();
    for limit in [None, Some(MINUTE)] {
        let refused = trial::may_load(&state, Some(&new()), &old(), limit, &at(1_000_001, 1)).unwrap_err();
        assert!(
            refused.to_string().contains("another 1m: log in anew and type 'jitctl confirm'"),
            "{refused}"
        );
    }
}

#[test]
fn a_trial_needs_a_policy_to_go_back_to_another_to_try_and_a_sensible_time() {
    let (state, now) = (State::default(), at(0, 0));
    let may = |in_force: Option<Policy>, limit| {
        trial::may_load(&state, in_force.as_ref(), &new(), Some(limit), &now)
    };
    assert_eq!(may(None, MINUTE), Err(NoTrial::NothingBefore));
    assert_eq!(may(Some(new()), MINUTE), Err(NoTrial::InForce));
    assert_eq!(may(Some(old()), MINUTE), Ok(()));
    for limit in [Duration::from_secs(9), Duration::from_secs(86_401)] {
        assert!(matches!(may(Some(old()), limit), Err(NoTrial::Length(_))), "{limit:?}");
    }
    assert_eq!(trial::may_load(&state, None, &new(), None, &now), Ok(()));
}

#[test]
fn only_a_login_that_passed_a_check_since_the_trial_began_confirms_it() {
    let state = on_trial();
    let passed = after("sshd", Stage::Session, Verdict::Allow);
    assert_eq!(trial::confirm(&state, &passed, Some(session(7))), Ok(new().digest()));
    assert_eq!(trial::confirm(&state, &passed, Some(session(6))), Err(NoTrial::OldLogin));
    let other = LoginSession { uid: 1002.try_into().unwrap(), id: 7 };
    assert_eq!(trial::confirm(&state, &passed, Some(other)), Err(NoTrial::OldLogin));
    assert_eq!(trial::confirm(&state, &passed, None), Err(NoTrial::NoLogin));
    assert_eq!(trial::confirm(&State::default(), &passed, Some(session(7))), Err(NoTrial::NoneRuns));
    let exempt = after("login", Stage::Session, Verdict::Unmanaged);
    assert!(trial::confirm(&state, &exempt, Some(session(7))).is_ok());
}

#[test]
fn a_refused_login_or_one_that_was_only_checked_or_su_or_sudo_proves_nothing() {
    for (service, stage, verdict) in [
        ("sshd", Stage::Session, Verdict::Deny),
        ("sshd", Stage::Account, Verdict::Allow),
        ("sshd", Stage::Close, Verdict::Unmanaged),
        ("sudo", Stage::Session, Verdict::Allow),
        ("sudo-i", Stage::Session, Verdict::Allow),
        ("su", Stage::Session, Verdict::Allow),
        ("su-l", Stage::Session, Verdict::Unmanaged),
    ] {
        let logins = after(service, stage, verdict);
        assert_eq!(
            trial::confirm(&on_trial(), &logins, Some(session(7))),
            Err(NoTrial::OldLogin),
            "{service}"
        );
    }
}

#[test]
fn the_trial_that_the_state_holds_is_the_one_that_was_loaded() {
    let expected =
        Trial { digest: new().digest(), before: old().digest(), since: at(1_000_000, 0), limit: MINUTE };
    assert_eq!(trial::running(&on_trial()), Some(&expected));
}

#[test]
fn a_request_whose_role_a_trial_has_changed_wakes_nobody_before_the_trial_is_over() {
    let stages = "name = \"lead\"\n";
    let expires = POLICY.replace(stages, "name = \"lead\"\nexpires = \"1m\"\n");
    // Under trial there is no such role, or another under its name, or one whose time for the request is over.
    for tried in [POLICY.replace("role.shell", "role.other"), POLICY.replace("\"4h\"", "\"5h\""), expires] {
        let mut world = World::new();
        world.file(maria(), "shell", "INC-1 look").unwrap();
        let before = Some(world.policy.digest());
        world.policy = policy(&tried);
        let digest = world.policy.digest();
        let trial = Some(3_600);
        world.apply([Event::PolicyLoaded {
            digest,
            files: Vec::new(),
            before,
            diff: None,
            trial,
            word: PolicyWord::default(),
        }]);
        world.wait(MINUTE * 2);
        assert_eq!(world.state.pending().len(), 1);
        assert_ne!(next(world.here()), Some(Duration::ZERO), "nothing is due");
    }
}
