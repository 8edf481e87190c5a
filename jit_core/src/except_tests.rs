//! `all` and `except`: whom a rule leaves out gets nothing by it, and neither who may be one of those for all that is known.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;

use jit_proto::gate::Stage;
use jit_proto::words::{GroupName, RequestId, Verdict};
use proptest::prelude::*;

use crate::check::decide::{decide, settled};
use crate::check::explain::{Missing, explain};
use crate::model::{Decision, EndReason, Known, Why};
use crate::orders::Refusal;
use crate::orders::lock::{self, LockOrder};
use crate::orders::review::discounts;
use crate::policy::Subject;
use crate::sessions::coverage::{Coverage, coverage};
use crate::testing::{World, as_self, maria, policy, root, subject};

const SITE: &str = r#"
version = 1
[admins]
users = ["root", "tim"]
groups = ["ops"]
except = { groups = ["interns"] }
[[exempt]]
users = ["root"]
services = ["login"]
[[exempt]]
groups = ["backups"]
services = ["sshd"]
except = { groups = ["interns"], users = ["eve"] }
[role.shell]
hosts = ["*"]
hosts-except = ["@prod"]
services = ["sshd"]
eligible = { groups = ["dba"], all = ["vetted"], except = { groups = ["interns"] } }
max-duration = "4h"
[[role.shell.stage]]
name = "lead"
approvers = { groups = ["leads"], except = { groups = ["interns"] } }
[[role.shell.stage]]
name = "second"
approvers = { users = ["root"] }
"#;

fn world() -> World {
    let mut world = World::new();
    world.policy = policy(SITE);
    world.groups = [("maria", &["dba", "vetted"][..]), ("olga", &["leads"])]
        .into_iter()
        .map(|(name, groups)| (name.parse().unwrap(), all(groups)))
        .collect();
    world
}

fn all(groups: &[&str]) -> BTreeSet<GroupName> {
    groups.iter().map(|group| group.parse().unwrap()).collect()
}

fn in_groups(who: Subject, groups: &[&str]) -> Subject {
    Subject { groups: all(groups), ..who }
}

fn dba() -> Subject {
    in_groups(maria(), &["dba", "vetted"])
}

fn olga() -> Subject {
    in_groups(subject("olga", 1003), &["leads"])
}

/// With a window of maria's that is open.
fn opened() -> (World, RequestId) {
    let mut world = world();
    let id = world.file(dba(), "shell", "INC-1 look").unwrap();
    world.review(&olga(), id, Decision::Approve).unwrap();
    assert!(world.review(&root(), id, Decision::Approve).unwrap());
    (world, id)
}

/// What is answered to her at sshd, by what is known of her.
fn answer(world: &World, known: Known) -> Why {
    let mut question = World::question("sshd", &maria(), Stage::Account);
    question.subject = known;
    let answer = world.ask(&question);
    assert_eq!(answer.verdict() == Verdict::Allow, answer.why() == Why::Window);
    answer.why()
}

#[test]
fn whoever_is_excepted_or_not_in_all_of_the_groups_asks_for_nothing_and_is_told_whom_it_is_for() {
    for groups in [&["dba"][..], &["dba", "vetted", "interns"], &["vetted"]] {
        let refused = world().file(in_groups(maria(), groups), "shell", "INC-1 look").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "role 'shell' is not for maria: it is for @dba (in @vetted; not @interns)",
            "{groups:?}"
        );
    }
    assert!(world().file(dba(), "shell", "INC-1 look").is_ok());
}

#[test]
fn who_has_come_to_be_excepted_since_they_asked_gets_no_window_and_one_that_is_open_admits_no_more() {
    let mut world = world();
    let id = world.file(dba(), "shell", "INC-1 look").unwrap();
    world.review(&olga(), id, Decision::Approve).unwrap();
    world.groups.insert(maria().name, all(&["dba", "vetted", "interns"]));
    let refused = world.review(&root(), id, Decision::Approve).unwrap_err();
    assert!(matches!(refused, Refusal::NotEligible { .. }), "{refused}");
    world.groups.insert(maria().name, all(&["dba", "vetted"]));
    assert!(world.review(&root(), id, Decision::Approve).unwrap());
    assert_eq!(answer(&world, Known::Fully(dba())), Why::Window);
    for groups in [&["dba", "vetted", "interns"][..], &["dba"]] {
        assert_eq!(answer(&world, Known::Fully(in_groups(maria(), groups))), Why::RoleChanged, "{groups:?}");
    }
}

#[test]
fn a_group_that_cannot_be_read_counts_as_excepted_for_whoever_comes_and_ends_nothing_of_who_is_in() {
    let (mut world, id) = opened();
    let unread = |not_in: &[&str]| Known::partly(dba(), all(not_in));
    assert_eq!(answer(&world, unread(&["backups"])), Why::NameService);
    assert_eq!(answer(&world, unread(&["backups", "interns"])), Why::Window, "it was said that she is none");
    // Of the group that she must be in nothing was said.
    let half = Known::partly(in_groups(maria(), &["dba"]), all(&["backups", "interns"]));
    assert_eq!(answer(&world, half), Why::NameService);
    let question = World::question("sshd", &dba(), Stage::Session);
    world.log_in(&question);
    let session = world.state.sessions()[0].clone();
    assert_eq!(session.grant, id.into());
    let stays = |known: &Known| matches!(coverage(world.here(), &session, known), Coverage::Covered { .. });
    assert!(stays(&unread(&["backups"])) && stays(&Known::Unanswered), "nothing ends by what was not said");
    let intern = Known::partly(in_groups(maria(), &["dba", "vetted", "interns"]), all(&["backups"]));
    assert_eq!(coverage(world.here(), &session, &intern), Coverage::Over(EndReason::RoleChanged));
    let gone = Known::partly(in_groups(maria(), &["dba"]), all(&["vetted", "backups"]));
    assert_eq!(coverage(world.here(), &session, &gone), Coverage::Over(EndReason::RoleChanged));
}

#[test]
fn who_may_be_excepted_from_an_exemption_is_not_exempt_and_a_lock_holds_for_them() {
    let mut world = world();
    let backup = |not_in: &[&str]| Known::partly(in_groups(maria(), &["backups"]), all(not_in));
    let rest = ["dba", "vetted"];
    assert_eq!(answer(&world, backup(&[&rest[..], &["interns"]].concat())), Why::Exempt);
    assert_eq!(answer(&world, backup(&rest)), Why::NameService);
    assert_eq!(answer(&world, Known::Fully(in_groups(maria(), &["backups", "interns"]))), Why::NotEligible);
    world.lock("service:sshd", None);
    assert_eq!(answer(&world, Known::Fully(in_groups(maria(), &["backups", "interns"]))), Why::Locked);
    assert_eq!(
        answer(&world, backup(&[&rest[..], &["interns"]].concat())),
        Why::Exempt,
        "policy alone exempts"
    );
    assert_eq!(answer(&world, backup(&rest)), Why::NameService, "and not by what was not said");
}

#[test]
fn an_admin_who_is_excepted_or_may_be_gives_no_orders() {
    let lock = |who: Subject| {
        let order =
            LockOrder { scope: "host".parse().unwrap(), message: None, duration: None, uids: [].into() };
        lock::lock(world().here(), &as_self(who), order)
    };
    let tim = |groups: &[&str]| in_groups(subject("tim", 1006), groups);
    assert!(lock(tim(&[])).is_ok() && lock(in_groups(maria(), &["ops"])).is_ok());
    let Known::Partly(unread, _) = Known::partly(tim(&[]), all(&["ops"])) else { panic!() };
    for who in [tim(&["interns"]), in_groups(maria(), &["ops", "interns"]), unread] {
        assert!(matches!(lock(who), Err(Refusal::NotAdmin(_))));
    }
}

#[test]
fn whom_a_stage_leaves_out_does_not_review_and_their_review_of_before_counts_no_more() {
    let mut world = world();
    let id = world.file(dba(), "shell", "INC-1 look").unwrap();
    let intern = in_groups(olga(), &["leads", "interns"]);
    let refused = world.review(&intern, id, Decision::Approve).unwrap_err();
    assert!(refused.to_string().contains("stage 'lead' asks @leads (not @interns)"), "{refused}");
    world.review(&olga(), id, Decision::Approve).unwrap();
    world.groups.insert(olga().name, all(&["leads", "interns"]));
    let lookups = world.lookups(id);
    assert_eq!(discounts(world.here(), id, &lookups).unwrap().len(), 1);
    assert!(world.review(&root(), id, Decision::Approve).is_err(), "stage 'lead' waits again");
}

#[test]
fn what_is_asked_says_that_a_role_is_not_here_or_for_whom_it_is() {
    let mut world = world();
    let missing = |world: &World, who: &Subject| {
        let question = World::question("sshd", who, Stage::Account);
        let explained = explain(&world.policy, &world.state, &world.host, &question, &world.now);
        (explained.roles[0].missing, explained.roles[0].change.clone())
    };
    assert_eq!(missing(&world, &dba()).0, Missing::Window);
    let who = in_groups(maria(), &["dba"]);
    assert_eq!(
        missing(&world, &who),
        (Missing::Eligible, "it is for @dba (in @vetted; not @interns)".to_owned())
    );
    world.host.groups = ["prod".parse().unwrap()].into();
    assert_eq!(missing(&world, &dba()), (Missing::Host, "it exists on * but not @prod".to_owned()));
}

const GROUPS: [&str; 4] = ["ops", "dba", "backups", "interns"];

fn chosen(bits: usize) -> BTreeSet<GroupName> {
    (0..GROUPS.len()).filter(|n| bits & (1 << n) != 0).map(|n| GROUPS[n].parse().unwrap()).collect()
}

fn quoted(bits: usize) -> String {
    chosen(bits).iter().map(|group| format!("\"{group}\"")).collect::<Vec<_>>().join(", ")
}

/// Somebody by name and of these groups, of all of these, and of none of these: the lines of a table, each with this before.
fn who([groups, all, except]: [usize; 3], before: &str) -> String {
    let mut text = format!("{before}users = [\"maria\"]\n{before}groups = [{}]\n", quoted(groups));
    if all != 0 {
        text += &format!("{before}all = [{}]\n", quoted(all));
    }
    if except != 0 {
        text += &format!("{before}except.groups = [{}]\n", quoted(except));
    }
    text
}

fn rules(exempt: [usize; 3], roles: [[usize; 3]; 2]) -> String {
    let mut text = String::from(
        "version = 1\n[admins]\nusers = [\"root\"]\n[[exempt]]\nusers = [\"root\"]\nservices = [\"login\"]\n",
    );
    text += &format!("[[exempt]]\nservices = [\"su\"]\n{}", who(exempt, ""));
    for (n, eligible) in roles.into_iter().enumerate() {
        text += &format!(
            "[role.r{n}]\nhosts = [\"*\"]\nservices = [\"sshd\", \"su\"]\n{}max-duration = \"{}h\"\n\
             [[role.r{n}.stage]]\napprovers = {{ users = [\"root\"] }}\n",
            who(eligible, "eligible."),
            n + 1,
        );
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn with_exceptions_too_an_early_answer_is_that_of_every_way_that_may_still_come(
        exempt in [0..16_usize, 0..16, 0..16], roles in [[0..16_usize, 0..16, 0..16], [0..16_usize, 0..16, 0..16]],
        granted in 0..4_usize, locked in 0..16_usize, yes in 0..16_usize, no in 0..16_usize, su in any::<bool>(),
    ) {
        // What wants and excepts one group is no policy.
        let sound = |[groups, all, except]: [usize; 3]| [groups, all & !except, except];
        let (exempt, roles) = (sound(exempt), roles.map(sound));
        let mut world = World::new();
        // Granted while she was eligible for all of it.
        world.policy = policy(&rules(exempt, [[0, 0, 0], [0, 0, 0]]));
        for n in (0..2).filter(|n| granted & (1 << n) != 0) {
            world.grant(&as_self(root()), maria(), &format!("r{n}"), None).unwrap();
        }
        world.policy = policy(&rules(exempt, roles));
        for name in chosen(locked & 5) {
            world.lock(&format!("group:{name}"), None);
        }
        let (yes, no) = (chosen(yes & !no), chosen(no));
        let ask = |known: Known| {
            let mut question = World::question(if su { "su" } else { "sshd" }, &maria(), Stage::Account);
            question.subject = known;
            question
        };
        let World { policy, state, host, now, .. } = &world;
        let partly = ask(Known::partly(Subject { groups: yes.clone(), ..maria() }, no.clone()));
        let early = settled(policy, state, host, &partly, now);
        for bits in 0..16 {
            let groups = &chosen(bits) | &yes;
            if groups.is_disjoint(&no) {
                let known = Known::Fully(Subject { groups, ..maria() });
                let late = decide(policy, state, host, &ask(known), now);
                prop_assert!(early.as_ref().is_none_or(|early| *early == late), "{early:?} is not {late:?}");
            }
        }
        let said = decide(policy, state, host, &partly, now);
        prop_assert!(early.is_some() || said.why() == Why::NameService);
    }
}
