//! An answer that is given before the name service has said everything is the one that it would have been.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use jit_proto::gate::Stage;
use jit_proto::words::{GroupName, Verdict};
use proptest::prelude::*;

use crate::check::decide::{decide, settled};
use crate::context::groups_at;
use crate::model::{Known, Why};
use crate::orders::lock::{self, LockOrder};
use crate::policy::Subject;
use crate::testing::{World, as_self, maria, policy, root, subject};

const GROUPS: [&str; 4] = ["ops", "dba", "backups", "interns"];
const SERVICES: [&str; 3] = ["sshd", "sudo", "cups"];

fn group(n: usize) -> GroupName {
    GROUPS[n].parse().unwrap()
}

/// Of the groups, those of which the bit is set.
fn chosen(bits: usize) -> BTreeSet<GroupName> {
    (0..GROUPS.len()).filter(|n| bits & (1 << n) != 0).map(group).collect()
}

fn quoted(bits: usize) -> String {
    chosen(bits).iter().map(|group| format!("\"{group}\"")).collect::<Vec<_>>().join(", ")
}

fn who(users: &[&str], groups: usize) -> String {
    let users = users.iter().map(|user| format!("{user:?}")).collect::<Vec<_>>().join(", ");
    format!("{{ users = [{users}], groups = [{}] }}", quoted(groups))
}

/// A policy of an exemption and three roles, each for groups of its own choice.
fn rules(exempt: usize, eligible: [usize; 3], by_name: usize) -> String {
    let mut text = String::from(
        "version = 1\n[admins]\nusers = [\"root\"]\n[[exempt]]\nusers = [\"root\"]\nservices = [\"login\"]\n",
    );
    if exempt != 0 {
        text += &format!("[[exempt]]\ngroups = [{}]\nservices = [\"sshd\"]\n", quoted(exempt));
    }
    for (n, groups) in eligible.into_iter().enumerate() {
        let users: &[&str] = if by_name & (1 << n) != 0 { &["maria"] } else { &["nobody-else"] };
        text += &format!(
            "[role.r{n}]\nhosts = [\"*\"]\nservices = {}\neligible = {}\nmax-duration = \"{}h\"\n{}\
             [[role.r{n}.stage]]\napprovers = {{ users = [\"root\"] }}\n",
            ["[\"sshd\"]", "[\"sshd\", \"sudo\"]", "[\"sudo\"]"][n],
            who(users, groups),
            n + 1,
            if n == 1 { "uses = 1\n" } else { "" },
        );
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn an_early_answer_is_that_of_every_way_the_name_service_may_still_answer(
        exempt in 0..16_usize, eligible in [0..16_usize, 0..16, 0..16], by_name in 0..8_usize,
        granted in 0..8_usize, locks in 0..16_usize, role_lock in 0..6_usize, observe in 0..6_usize,
        yes in 0..16_usize, no in 0..16_usize, service in 0..SERVICES.len(), session in any::<bool>(),
    ) {
        let text = rules(exempt, eligible, by_name);
        let mut world = World::new();
        // Granted while she was eligible by name for all of it.
        world.policy = policy(&rules(exempt, eligible, 7));
        for n in (0..3).filter(|n| granted & (1 << n) != 0) {
            world.grant(&as_self(root()), maria(), &format!("r{n}"), None).unwrap();
        }
        let observe = if observe == 0 { "mode = \"observe\"\n" } else { "" };
        world.policy = policy(&text.replacen("version = 1\n", &format!("version = 1\n{observe}"), 1));
        for name in chosen(locks) {
            lock(&mut world, &format!("group:{name}"));
        }
        if role_lock < 3 {
            lock(&mut world, &format!("role:r{role_lock}"));
        }
        let (yes, no) = (chosen(yes & !no), chosen(no));
        let stage = if session { Stage::Session } else { Stage::Account };
        let ask = |known: Known| {
            let mut question = World::question(SERVICES[service], &maria(), stage);
            question.subject = known;
            question
        };
        let partly = ask(Known::Partly(Subject { groups: yes.clone(), ..maria() }, no.clone()));
        let World { policy, state, host, now, .. } = &world;
        let early = settled(policy, state, host, &partly, now);
        let mut later = Vec::new();
        for bits in 0..16 {
            let groups = &chosen(bits) | &yes;
            if groups.is_disjoint(&no) {
                later.push(decide(policy, state, host, &ask(Known::Fully(Subject { groups, ..maria() })), now));
            }
        }
        if let Some(early) = early {
            prop_assert!(later.iter().all(|late| *late == early), "{early:?} is not {later:?}");
        } else {
            prop_assert!(later.iter().any(|late| *late != later[0]), "waits though all are {:?}", later[0]);
            let refused = decide(policy, state, host, &partly, now);
            prop_assert!(refused.verdict() != Verdict::Allow && refused.admission().is_none());
            prop_assert_eq!(refused.would().unwrap_or(refused.why()), Why::NameService);
        }
        // What it asks about is enough, and of no other group is anything asked.
        let groups = groups_at(policy, state, &partly.login.service);
        let of_these: BTreeSet<_> = groups.iter().map(|group| (*group).clone()).collect();
        let all = ask(Known::Partly(maria(), of_these));
        prop_assert!(settled(policy, state, host, &all, now).is_some());
    }
}

fn lock(world: &mut World, scope: &str) {
    let order = LockOrder { scope: scope.parse().unwrap(), message: None, duration: None, uids: [].into() };
    let events = lock::lock(world.here(), &as_self(root()), order).unwrap();
    world.apply(events);
}

fn partly(subject: Subject) -> Known {
    Known::Partly(subject, BTreeSet::new())
}

#[test]
fn whom_a_rule_names_waits_for_no_group() {
    let mut world = World::new();
    world.policy = policy(&rules(0, [1, 2, 4], 1));
    world.grant(&as_self(root()), maria(), "r0", None).unwrap();
    let mut question = World::question("sshd", &maria(), Stage::Account);
    question.subject = partly(maria());
    let World { policy, state, host, now, .. } = &world;
    let answer = settled(policy, state, host, &question, now).unwrap();
    assert_eq!((answer.verdict(), answer.why()), (Verdict::Allow, Why::Window));
    let mut console = World::question("login", &root(), Stage::Account);
    console.subject = partly(root());
    assert_eq!(settled(policy, state, host, &console, now).unwrap().why(), Why::Exempt);
}

#[test]
fn a_locked_group_that_cannot_be_read_refuses_all_but_whom_an_exemption_names() {
    let mut world = World::new();
    world.policy = policy(&rules(0, [1, 2, 4], 1));
    world.grant(&as_self(root()), maria(), "r0", None).unwrap();
    lock(&mut world, "group:interns");
    let ask = |world: &World, service: &str, who: &Subject| {
        let mut question = World::question(service, who, Stage::Account);
        question.subject = partly(who.clone());
        world.ask(&question)
    };
    assert_eq!(ask(&world, "sshd", &maria()).why(), Why::NameService);
    assert_eq!(ask(&world, "login", &root()).why(), Why::Exempt);
    // The twin: it has said that she is not in it.
    let mut question = World::question("sshd", &maria(), Stage::Account);
    question.subject = Known::Partly(maria(), [group(3)].into());
    assert_eq!(world.ask(&question).why(), Why::Window);
}

#[test]
fn a_group_that_was_locked_after_the_lookup_is_one_that_nobody_asked_about() {
    let mut world = World::new();
    world.policy = policy(&rules(0, [1, 0, 0], 1));
    world.grant(&as_self(root()), maria(), "r0", None).unwrap();
    // Looked up while `ops` was the only group that mattered.
    let mut question = World::question("sshd", &maria(), Stage::Account);
    question.subject = Known::Partly(maria(), [group(0)].into());
    assert_eq!(world.ask(&question).why(), Why::Window);
    lock(&mut world, "group:dba");
    assert_eq!(world.ask(&question).why(), Why::NameService);
    let World { policy, state, host, now, .. } = &world;
    assert_eq!(settled(policy, state, host, &question, now), None, "she is looked up again");
}

#[test]
fn without_a_name_and_a_uid_nothing_is_settled_but_the_end_of_a_session() {
    let World { policy, state, host, now, .. } = &World::new();
    for (stage, is_settled) in [(Stage::Account, false), (Stage::Session, false), (Stage::Close, true)] {
        let mut question = World::question("sshd", &subject("maria", 1001), stage);
        question.subject = Known::Unanswered;
        assert_eq!(settled(policy, state, host, &question, now).is_some(), is_settled, "{stage:?}");
    }
}
