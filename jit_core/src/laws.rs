//! The laws of DESIGN §2, as far as this crate keeps them: each has tests that fail when it is broken.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{Uid, Verdict};
use proptest::prelude::*;

use crate::due::due;
use crate::event::{Event, Record};
use crate::model::{Caller, Decision, EndWhy, Known, LoginAccount, Why};
use crate::orders::request::{RequestOrder, granted};
use crate::orders::review::{Given, Reviewer};
use crate::orders::{NoReview, Refusal};
use crate::policy::Subject;
use crate::state::State;
use crate::testing::{POLICY, World, as_self, maria, policy, root, root_by, subject};
use crate::testing::{at, at_next_boot};

const HOUR: Duration = Duration::from_hours(1);

fn denied(world: &World, service: &str) -> Why {
    let answer = world.check(service, &maria());
    assert_eq!(answer.verdict(), Verdict::Deny);
    assert!(answer.admission().is_none());
    answer.why()
}

// Default deny, and saying why.

#[test]
fn without_a_window_everybody_is_refused() {
    let world = World::new();
    assert_eq!(denied(&world, "sshd"), Why::NoWindow);
    assert_eq!(world.check("sshd", &subject("erik", 1002)).why(), Why::NotEligible);
    assert_eq!(denied(&world, "vsftpd"), Why::NoRole);
}

#[test]
fn a_role_of_other_hosts_names_no_service_here() {
    assert_eq!(denied(&World::new(), "cups"), Why::NoRole);
}

#[test]
fn root_is_refused_like_anybody_else_where_nothing_exempts_it() {
    assert_eq!(World::new().check("sshd", &root()).verdict(), Verdict::Deny);
}

#[test]
fn an_account_the_name_service_does_not_know_is_refused_as_unknown() {
    let world = World::new();
    let mut question = World::question("sshd", &maria(), Stage::Account);
    question.subject = Known::Not;
    assert_eq!(world.ask(&question).why(), Why::UnknownUser);
    question.subject = Known::Unanswered;
    assert_eq!(world.ask(&question).why(), Why::NameService);
}

#[test]
fn a_name_service_that_lost_the_groups_refuses_only_whom_it_takes_groups_to_admit() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    let mut question = World::question("sshd", &maria(), Stage::Account);
    question.subject = Known::Partly(maria(), [].into());
    assert_eq!(world.ask(&question).verdict(), Verdict::Allow);
    let erik = subject("erik", 1002);
    let mut question = World::question("sshd", &erik, Stage::Account);
    question.subject = Known::Partly(erik, [].into());
    assert_eq!(world.ask(&question).why(), Why::NameService);
}

// Whom a window admits, where, and until when.

#[test]
fn a_window_admits_its_subject_to_its_services_and_nobody_else_anywhere_else() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    assert_eq!(world.check("sshd", &maria()).verdict(), Verdict::Allow);
    assert_eq!(denied(&world, "sudo"), Why::NoWindow);
    assert_eq!(world.check("sshd", &subject("adam", 1003)).verdict(), Verdict::Deny);
}

#[test]
fn a_recycled_uid_or_a_recreated_name_is_not_the_person_who_was_approved() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    assert_eq!(world.check("sshd", &subject("mallory", 1001)).verdict(), Verdict::Deny);
    assert_eq!(world.check("sshd", &subject("maria", 1099)).verdict(), Verdict::Deny);
}

#[test]
fn a_window_is_open_at_its_start_and_shut_at_its_end() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    let remaining = |world: &World| world.check("sshd", &maria()).admission().map(|admits| admits.remaining);
    assert_eq!(remaining(&world), Some(HOUR));
    world.now = at(world.now.wall.unix_millis() + 3_599_999, world.now.boot);
    assert_eq!(remaining(&world), Some(Duration::from_millis(1)));
    world.now = at(world.now.wall.unix_millis() + 1, world.now.boot);
    assert_eq!(remaining(&world), None);
}

#[test]
fn a_late_login_gets_what_is_left_not_the_whole_duration() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    world.wait(HOUR / 2);
    let admits = world.check("sshd", &maria()).admission().cloned().unwrap();
    assert_eq!(admits.remaining, HOUR / 2);
}

#[test]
fn sudo_means_sudo_i_as_well() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "root", None).unwrap();
    assert_eq!(world.check("sudo-i", &maria()).verdict(), Verdict::Allow);
}

// Law 3 and 4: one door, distinct people.

#[test]
fn an_admin_who_may_not_review_opens_nothing() {
    let mut world = World::new();
    world.policy = policy(&POLICY.replace(r#"["root", "adam", "olga"]"#, r#"["olga", "adam"]"#));
    let id = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    assert!(world.state.pending().contains_key(&id));
    assert_eq!(denied(&world, "sshd"), Why::NoWindow);
}

#[test]
fn a_grant_says_why_the_admins_own_review_does_not_count_and_nothing_where_it_does() {
    let mut world = World::new();
    world.policy = policy(&POLICY.replace(r#"["root", "adam", "olga"]"#, r#"["olga", "adam"]"#));
    let mut why = |by: Subject, to: Subject| {
        let order = RequestOrder {
            beneficiary: to,
            role: "shell".parse().unwrap(),
            duration: None,
            start: None,
            reason: "INC-1 look".parse().unwrap(),
            id: world.next_id(),
        };
        granted(world.here(), &as_self(by), order).unwrap().not_counted
    };
    let adam = subject("adam", 1003);
    let Some(Refusal::NoReview { why: NoReview::NotApprover { approvers, .. }, .. }) = why(root(), maria())
    else {
        panic!("root is not asked");
    };
    assert!(approvers.contains("adam") && !approvers.contains("root"), "{approvers}");
    assert!(matches!(
        why(adam.clone(), adam.clone()),
        Some(Refusal::NoReview { why: NoReview::OwnRequest, .. })
    ));
    assert_eq!(why(adam, maria()), None);
}

#[test]
fn where_policy_wants_two_people_one_admin_is_not_enough() {
    let mut world = World::new();
    let id = world.grant(&as_self(root()), maria(), "two", None).unwrap();
    assert_eq!(world.state.pending()[&id].reviews.len(), 1);
    assert!(world.state.grant(id.into()).is_none());
}

#[test]
fn nobody_reviews_for_themselves_not_even_an_admin() {
    let mut world = World::new();
    let adam = subject("adam", 1003);
    let id = world.grant(&as_self(adam.clone()), adam, "shell", None).unwrap();
    assert!(world.state.pending()[&id].reviews.is_empty());
}

#[test]
fn root_that_the_beneficiary_became_does_not_review_for_them() {
    // maria has a sudo window and is even an approver of the role; `sudo jitctl grant maria` opens nothing.
    let mut world = World::new();
    let id = world.grant(&root_by(maria()), maria(), "root", None).unwrap();
    assert!(world.state.pending()[&id].reviews.is_empty());
    assert_eq!(denied(&world, "sudo"), Why::NoWindow);
}

#[test]
fn root_that_somebody_else_became_reviews_only_if_that_somebody_may() {
    let mut world = World::new();
    let by_erik = world.grant(&root_by(subject("erik", 1002)), maria(), "shell", None).unwrap();
    assert!(world.state.grant(by_erik.into()).is_none());
    let by_olga = world.grant(&root_by(subject("olga", 1004)), maria(), "shell", None).unwrap();
    let grant = world.state.grant(by_olga.into());
    assert!(grant.is_some(), "olga may review, and so may root");
}

#[test]
fn a_second_account_with_the_same_uid_is_the_same_person() {
    let mut world = World::new();
    let twin = Caller { account: subject("adam", 1001), login: LoginAccount::Known(subject("adam", 1001)) };
    let id = world.grant(&twin, maria(), "shell", None).unwrap();
    assert!(world.state.grant(id.into()).is_none());
}

#[test]
fn a_process_that_is_not_root_and_has_no_login_or_anothers_does_not_review() {
    for (login, why) in [
        (LoginAccount::Unset, NoReview::NoLogin),
        (LoginAccount::Known(subject("olga", 1004)), NoReview::AnotherLogin),
    ] {
        let mut world = World::new();
        let adam = subject("adam", 1003);
        let id = world.file(maria(), "shell", "INC-1 look").unwrap();
        let caller = Caller { account: adam.clone(), login };
        let given = Given::new(Reviewer::Online(&caller), Decision::Approve);
        assert_eq!(world.give(&given, id), Err(Refusal::NoReview { id, why }));
        assert_eq!(world.review(&adam, id, Decision::Approve), Ok(true), "adam's own login counts");
    }
}

#[test]
fn only_admins_give_orders() {
    let mut world = World::new();
    let refusal = world.grant(&as_self(maria()), maria(), "shell", None).unwrap_err();
    assert!(matches!(refusal, Refusal::NotAdmin(_)));
    assert!(refusal.to_string().contains("adam, root"), "{refusal}");
}

#[test]
fn an_order_that_policy_does_not_allow_is_refused_with_what_it_allows() {
    let mut world = World::new();
    let admin = as_self(root());
    assert!(matches!(world.grant(&admin, maria(), "nosuch", None), Err(Refusal::NoSuchRole(_))));
    assert!(matches!(world.grant(&admin, maria(), "elsewhere", None), Err(Refusal::NoSuchRole(_))));
    let too_long = world.grant(&admin, maria(), "shell", Some(HOUR * 5)).unwrap_err();
    assert!(too_long.to_string().contains("at most 4h, not 5h"), "{too_long}");
    let erik = subject("erik", 1002);
    assert!(matches!(world.grant(&admin, erik, "shell", None), Err(Refusal::NotEligible { .. })));
}

// Law 5: what was approved is what opens, and today's policy may be stricter.

#[test]
fn a_role_removed_from_policy_shuts_its_windows() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    world.policy = policy(&POLICY.replace("role.shell", "role.other"));
    assert_eq!(denied(&world, "sshd"), Why::RoleChanged);
}

#[test]
fn a_person_who_is_no_longer_eligible_is_refused() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    world.policy =
        policy(&POLICY.replace(r#"users = ["maria", "adam"], groups"#, r#"users = ["adam"], groups"#));
    assert_eq!(denied(&world, "sshd"), Why::RoleChanged);
}

#[test]
fn a_policy_that_became_stricter_shortens_windows_and_a_laxer_one_lengthens_none() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    world.wait(HOUR / 2);
    world.policy = policy(
        &POLICY
            .replace(r#"max-duration = "4h""#, r#"max-duration = "40m""#)
            .replace(r#"default-duration = "1h""#, r#"default-duration = "10m""#),
    );
    assert_eq!(world.check("sshd", &maria()).admission().unwrap().remaining, Duration::from_mins(10));
    world.policy = policy(&POLICY.replace(r#"max-duration = "4h""#, r#"max-duration = "9h""#));
    assert_eq!(world.check("sshd", &maria()).admission().unwrap().remaining, HOUR / 2);
}

#[test]
fn a_requests_bytes_bind_every_term() {
    let mut world = World::new();
    let id = world.grant(&as_self(root()), maria(), "two", None).unwrap();
    let request = world.state.pending()[&id].request.clone();
    let mut other = request.clone();
    other.duration += Duration::from_secs(1);
    assert_ne!(request.digest(), other.digest());
    let text = String::from_utf8(request.bytes()).unwrap();
    assert_eq!(text.lines().count(), 14, "{text}");
    assert!(text.starts_with("jitd.request.v1\nid: r-") && text.ends_with("reason: INC-1 look\n"), "{text}");
}

// Law 6: time is charged, never refunded.

#[test]
fn a_wall_clock_that_steps_back_opens_nothing() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    world.now = at(0, world.now.boot + 3_600_000);
    assert_eq!(world.check("sshd", &maria()).verdict(), Verdict::Deny);
}

#[test]
fn an_end_that_was_written_down_stays_when_the_clock_steps_back() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    let start = world.now.clone();
    world.now = at(start.wall.unix_millis() + 3_600_000, start.boot + 1);
    world.settle();
    world.now = start;
    assert_eq!(denied(&world, "sshd"), Why::NoWindow);
}

#[test]
fn a_reboot_ends_every_window() {
    let mut world = World::new();
    let id = world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    world.now = at_next_boot(world.now.wall.unix_millis() + 1, 1);
    assert_eq!(world.check("sshd", &maria()).verdict(), Verdict::Deny);
    let due = due(world.here());
    assert_eq!(due, [Event::Ended { grant: id.into(), why: EndWhy::Reboot, reason: None }]);
}

// Law 8: nothing the user can write is believed.

#[test]
fn a_caller_who_names_somebody_else_to_su_or_sudo_is_refused() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "root", None).unwrap();
    for service in ["sudo", "sudo-i", "su", "su-l"] {
        let mut question = World::question(service, &maria(), Stage::Account);
        question.caller_uid = Uid::try_from(1002).unwrap();
        assert_eq!(world.ask(&question).why(), Why::CallerMismatch, "{service}");
    }
}

#[test]
fn root_gains_nothing_from_su_or_sudo_and_is_unmanaged_there_alone() {
    let world = World::new();
    for (service, verdict) in
        [("su", Verdict::Unmanaged), ("sudo-i", Verdict::Unmanaged), ("sshd", Verdict::Deny)]
    {
        let mut question = World::question(service, &root(), Stage::Account);
        question.caller_uid = Uid::ROOT;
        assert_eq!(world.ask(&question).verdict(), verdict, "{service}");
    }
}

#[test]
fn root_that_says_it_is_somebody_else_is_asked_about_as_that_somebody() {
    // An older sudo opens the session as root for good; so may any program of root's that names another caller.
    let mut world = World::new();
    for stage in [Stage::Account, Stage::Session] {
        let mut question = World::question("sudo", &maria(), stage);
        question.caller_uid = Uid::ROOT;
        assert_eq!(world.ask(&question).why(), Why::NoWindow);
    }
    world.grant(&as_self(root()), maria(), "root", None).unwrap();
    let mut question = World::question("sudo", &maria(), Stage::Session);
    question.caller_uid = Uid::ROOT;
    assert_eq!(world.ask(&question).verdict(), Verdict::Allow);
}

#[test]
fn an_exempt_subject_is_unmanaged_where_it_is_exempt_and_never_allowed() {
    let world = World::new();
    let backup = subject("backup", 34);
    assert_eq!(world.check("sshd", &backup).verdict(), Verdict::Unmanaged);
    assert_eq!(world.check("vsftpd", &backup).verdict(), Verdict::Deny);
}

// Law 9: grants add up.

#[test]
fn the_end_of_one_grant_takes_no_other_away() {
    let mut world = World::new();
    let long = world.grant(&as_self(root()), maria(), "shell", Some(HOUR * 2)).unwrap();
    let short = world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    assert_eq!(world.check("sshd", &maria()).admission().unwrap().grant, long.into());
    world.wait(HOUR);
    assert!(world.state.grant(short.into()).is_none());
    assert_eq!(world.check("sshd", &maria()).admission().unwrap().remaining, HOUR);
    world.revoke(long);
    assert_eq!(denied(&world, "sshd"), Why::NoWindow);
}

// Uses: one use, one login.

#[test]
fn a_single_use_admits_one_login_and_its_session() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "once", None).unwrap();
    let account = World::question("sshd", &maria(), Stage::Account);
    let session = World::question("sshd", &maria(), Stage::Session);
    assert_eq!(world.log_in(&account).verdict(), Verdict::Allow);
    assert_eq!(world.ask(&account).why(), Why::Spent);
    assert_eq!(world.log_in(&session).verdict(), Verdict::Allow);
    assert_eq!(world.ask(&session).why(), Why::NoClaim);
}

#[test]
fn a_claim_admits_no_session_of_another_service_or_from_another_host() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "once", None).unwrap();
    world.log_in(&World::question("sshd", &maria(), Stage::Account));
    assert_eq!(world.ask(&World::question("su", &maria(), Stage::Session)).why(), Why::NoClaim);
    let mut elsewhere = World::question("sshd", &maria(), Stage::Session);
    elsewhere.login.rhost = "10.0.0.10".into();
    assert_eq!(world.ask(&elsewhere).why(), Why::NoClaim);
}

#[test]
fn a_held_claim_is_void_after_a_minute_its_session_refused_and_its_use_returned() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "once", None).unwrap();
    let mut account = World::question("sshd", &maria(), Stage::Account);
    account.holds_claim = true;
    let session = World::question("sshd", &maria(), Stage::Session);
    world.log_in(&account);
    // Not yet written down by the timer, and refused all the same.
    world.now = at(world.now.wall.unix_millis() + 60_000, world.now.boot + 60_000);
    assert_eq!(world.ask(&session).why(), Why::NoClaim);
    world.wait(Duration::ZERO);
    assert_eq!(world.ask(&session).why(), Why::NoClaim);
    assert_eq!(world.log_in(&account).verdict(), Verdict::Allow);
    assert_eq!(world.log_in(&session).verdict(), Verdict::Allow);
    assert_eq!(world.ask(&account).why(), Why::Spent);
}

#[test]
fn a_missing_session_hook_does_not_turn_one_use_into_one_a_minute() {
    let mut world = World::new();
    world.grant(&as_self(root()), maria(), "once", None).unwrap();
    let account = World::question("sshd", &maria(), Stage::Account);
    world.log_in(&account);
    for _ in 0..10 {
        world.wait(Duration::from_mins(1));
        assert_eq!(world.ask(&account).why(), Why::Spent);
    }
}

#[test]
fn no_use_is_spent_while_an_unlimited_grant_covers_the_login() {
    let mut world = World::new();
    let once = world.grant(&as_self(root()), maria(), "once", None).unwrap();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    world.log_in(&World::question("sshd", &maria(), Stage::Account));
    assert_eq!(world.state.grant(once.into()).unwrap().used, 0);
}

#[test]
fn the_session_is_a_second_gate() {
    let mut world = World::new();
    let id = world.grant(&as_self(root()), maria(), "shell", Some(HOUR)).unwrap();
    world.log_in(&World::question("sshd", &maria(), Stage::Account));
    world.revoke(id);
    assert_eq!(world.ask(&World::question("sshd", &maria(), Stage::Session)).verdict(), Verdict::Deny);
}

// The record.

#[test]
fn every_event_reads_back_from_its_exact_bytes_and_folds_to_the_same_state() {
    let mut world = World::new();
    let id = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    world.grant(&as_self(root()), maria(), "once", None).unwrap();
    world.grant(&as_self(root()), maria(), "two", None).unwrap();
    world.log_in(&World::question("su", &maria(), Stage::Account));
    world.revoke(id);
    let mut folded = State::default();
    for record in &world.log {
        let encoded = record.encode().unwrap();
        let read = Record::decode(record.seq, &encoded.bytes).unwrap();
        assert_eq!(&read, record);
        assert_eq!(read.encode().unwrap(), encoded);
        folded.apply(&read);
    }
    assert_eq!(folded, world.state);
}

#[derive(Clone, Debug)]
enum Step {
    Grant { role: usize, minutes: u64 },
    Revoke(usize),
    Account { service: usize, holds: bool },
    Session { service: usize },
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4usize, 1..240u64).prop_map(|(role, minutes)| Step::Grant { role, minutes }),
        (0..8usize).prop_map(Step::Revoke),
        (0..4usize, any::<bool>()).prop_map(|(service, holds)| Step::Account { service, holds }),
        (0..4usize).prop_map(|service| Step::Session { service }),
        (0..7200u64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Random stories: whatever happens, an allow has a live grant that covers it, uses are never overspent,
    /// what has ended stays ended, and the log folds to the state.
    #[test]
    fn in_every_story_an_allow_has_a_window_and_no_use_is_spent_twice(
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let roles = ["shell", "root", "once", "two"];
        let services = ["sshd", "sudo", "su", "login"];
        let mut world = World::new();
        let mut ids = Vec::new();
        let mut ended = Vec::new();
        let mut sessions = std::collections::HashMap::new();
        for step in steps {
            match step {
                Step::Grant { role, minutes } => {
                    let duration = Some(Duration::from_secs(minutes * 60));
                    ids.extend(world.grant(&as_self(root()), maria(), roles[role], duration).ok());
                }
                Step::Revoke(which) => {
                    if let Some(id) = ids.get(which).filter(|id| world.state.knows(**id)).copied() {
                        world.revoke(id);
                        ended.push(id);
                    }
                }
                Step::Account { service, holds } => {
                    let mut question = World::question(services[service], &maria(), Stage::Account);
                    question.holds_claim = holds;
                    let answer = world.log_in(&question);
                    if let Some(admits) = answer.admission() {
                        let grant = world.state.grant(admits.grant).unwrap();
                        prop_assert!(grant.services.contains(&question.login.service));
                        prop_assert!(!admits.remaining.is_zero());
                        prop_assert!(admits.remaining <= grant.remaining(&world.now));
                    }
                }
                Step::Session { service } => {
                    let question = World::question(services[service], &maria(), Stage::Session);
                    if let Some(admits) = world.log_in(&question).admission()
                        && admits.role.as_str() == "once"
                    {
                        *sessions.entry(admits.grant).or_insert(0) += 1;
                    }
                }
                Step::Wait(seconds) => world.wait(Duration::from_secs(seconds)),
            }
            for grant in world.state.grants() {
                prop_assert!(grant.role.as_str() != "once" || grant.used <= 1);
                prop_assert!(grant.role.as_str() != "two", "one admin opened what wants two people");
            }
            for id in &ended {
                prop_assert!(!world.state.knows(*id));
            }
        }
        prop_assert!(sessions.values().all(|count| *count <= 1), "two sessions out of one use");
        let mut folded = State::default();
        for record in &world.log {
            folded.apply(&Record::decode(record.seq, &record.encode().unwrap().bytes).unwrap());
        }
        prop_assert_eq!(folded, world.state);
    }
}
