//! A log decided again: the same policy changes nothing, and each thing that another policy would have changed is named.

use std::num::NonZeroU32;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::RequestId;
use proptest::prelude::*;

use super::*;
use crate::check::decide::Answer;
use crate::digest::Digest;
use crate::model::{Decision, PolicyWord};
use crate::policy::Subject;
use crate::proof::note::HostKey;
use crate::testing::{POLICY, World, as_self, maria, policy, root, subject};

/// What happened on a host, told to another policy.
fn replayed(log: &[Record], old: &str, new: &Policy, groups: Option<BTreeSet<HostGroup>>) -> Replayed {
    let key = HostKey::from_seed("db-1/jitd".parse().unwrap(), &[7; 32]).public();
    let files = vec![PolicyText { name: "10.toml".to_owned(), text: old.to_owned() }];
    let loaded = Event::PolicyLoaded {
        digest: Digest([0; 32]),
        files,
        before: None,
        diff: None,
        trial: None,
        word: PolicyWord::default(),
    };
    let at = log[0].at.clone();
    let before = [Event::HostKey { key, before: None }, loaded].map(|event| Record {
        seq: 0,
        at: at.clone(),
        actor: None,
        event,
    });
    let mut replay = Replay::new(new, None, groups);
    for record in before.iter().chain(log) {
        replay.take(&record.encode().unwrap().bytes);
    }
    replay.finish()
}

/// A check, on record whatever came of it.
fn check(world: &mut World, service: &str, who: &Subject) -> Answer {
    let question = World::question(service, who, Stage::Account);
    let answer = world.log_in(&question);
    let (why, count, login) = (answer.why(), NonZeroU32::MIN, question.login);
    let event = match answer {
        Answer::Allow(_) => return answer,
        Answer::Deny(_) => Event::Denied { why, count, last: None, others: false, login },
        Answer::Unmanaged(_) | Answer::Observed { .. } => {
            Event::Unmanaged { why, would: answer.would(), count, last: None, others: false, login }
        }
    };
    world.apply([event]);
    answer
}

/// maria asks for a shell, olga approves, and she comes twice; erik comes once and is refused.
fn a_day() -> World {
    let mut world = World::new();
    check(&mut world, "sshd", &subject("erik", 1002));
    let id = world.file(maria(), "shell", "INC-1 look").unwrap();
    world.review(&subject("olga", 1009), id, Decision::Approve).unwrap();
    check(&mut world, "sshd", &maria());
    world.wait(Duration::from_mins(30));
    check(&mut world, "sshd", &maria());
    check(&mut world, "login", &subject("backup", 34));
    world.wait(Duration::from_hours(2));
    check(&mut world, "sshd", &maria());
    world
}

#[test]
fn the_same_policy_changes_nothing() {
    let world = a_day();
    let found = replayed(&world.log, POLICY, &world.policy, None);
    assert_eq!((found.logins, found.requests, found.unread), (5, 1, 0));
    assert_eq!(found.changed, []);
}

#[test]
fn a_record_with_a_number_that_no_store_gives_is_none() {
    let world = a_day();
    let mut log = world.log.clone();
    for record in &mut log {
        if matches!(record.event, Event::Allowed { .. }) {
            record.seq = u64::MAX;
        }
    }
    let found = replayed(&log, POLICY, &world.policy, None);
    assert_eq!((found.logins, found.unread, found.changed), (3, 2, Vec::new()));
}

/// What changed in a line each: what, of whom, was, would and why.
fn lines(found: &Replayed) -> Vec<String> {
    let line = |one: &Changed| {
        let what = one.service.as_ref().map_or("request", |service| service.as_str());
        format!("{what} {} {} {}: {}", one.user, one.was, one.would, one.why)
    };
    found.changed.iter().map(line).collect()
}

fn under(change: impl Fn(&str) -> String) -> (Replayed, Vec<String>) {
    let new = change(POLICY);
    assert_ne!(new, POLICY);
    let found = replayed(&a_day().log, POLICY, &policy(&new), None);
    let lines = lines(&found);
    (found, lines)
}

#[test]
fn what_another_policy_would_have_refused_is_named_with_the_reason() {
    let without_the_role = |text: &str| text.replace("[role.shell", "[role.other");
    let (found, said) = under(without_the_role);
    assert_eq!((found.refused, found.requests_changed, found.untold), (2, 1, 0), "{said:#?}");
    assert!(said[0].starts_with("request maria asked refused: "), "{said:#?}");
    assert!(said[1].starts_with("sshd maria allow deny: its request would have been refused: "), "{said:#?}");

    let shorter = |text: &str| text.replacen("\"4h\"\ndefault-duration = \"1h\"", "\"10m\"", 1);
    let (found, said) = under(shorter);
    assert_eq!((found.refused, found.requests_changed), (2, 1), "{said:#?}");
    assert!(said[0].contains("10m") && said[0].contains("1h"), "{said:#?}");

    let stage = "\n[[role.shell.stage]]\nname = \"security\"\napprovers = { users = [\"sec\"] }\n[role.root]";
    let (found, said) = under(|text| text.replacen("\n[role.root]", stage, 1));
    assert_eq!((found.refused, found.requests_changed), (2, 1), "{said:#?}");
    assert!(said[0].starts_with("request maria opened waits: "), "{said:#?}");
    assert!(said[1].contains("it would have waited for 1 approval from sec"), "{said:#?}");

    let others = |text: &str| text.replacen("[\"root\", \"adam\", \"olga\"]", "[\"root\", \"adam\"]", 1);
    let (found, said) = under(others);
    assert_eq!((found.refused, found.requests_changed), (2, 1), "{said:#?}");
    assert!(said[0].contains("the review of olga would not have counted"), "{said:#?}");

    let no_exemption = |text: &str| text.replacen("[\"backup\"]", "[\"root\"]", 1);
    let (found, said) = under(no_exemption);
    assert_eq!((found.refused, found.untold), (1, 0), "{said:#?}");
    assert!(said[0].starts_with("login backup unmanaged deny: "), "{said:#?}");
}

#[test]
fn what_it_would_have_let_in_is_named_too() {
    let (found, said) = under(|text| text.replacen("[\"backup\"]", "[\"backup\", \"erik\"]", 1));
    assert_eq!((found.refused, found.admitted), (0, 1), "{said:#?}");
    assert!(said[0].starts_with("sshd erik deny unmanaged: exempt; it was deny"), "{said:#?}");
}

#[test]
fn a_shorter_window_of_the_role_today_refuses_only_what_came_after_its_end() {
    let mut world = a_day();
    world.log.retain(|record| !matches!(record.event, Event::Requested { .. }));
    // As it stands in an exported part that begins behind the request: nothing is known of that.
    let found = replayed(&world.log, POLICY, &world.policy, None);
    assert_eq!(found.refused, 2, "{:#?}", lines(&found));
}

#[test]
fn groups_that_the_log_does_not_tell_make_no_answer_and_those_that_it_tells_do() {
    // By name under the old policy: whether she is in a group, the log does not say.
    let by_group = |group: &str| POLICY.replacen(r#"users = ["maria", "adam"], groups = ["ops"]"#, group, 1);
    let found =
        replayed(&a_day().log, POLICY, &policy(&by_group(r#"users = ["adam"], groups = ["dba"]"#)), None);
    let said = lines(&found);
    assert_eq!((found.refused, found.untold, found.requests_untold), (0, 2, 1), "{said:#?}");
    assert!(said[0].contains("opened cannot-tell: it depends on groups"), "{said:#?}");
    // By a group under the old policy: she was in it, or nothing would have opened.
    let old = by_group(r#"users = ["adam"], groups = ["ops"]"#);
    let mut world = World::new();
    world.policy = policy(&old);
    world.groups.insert("maria".parse().unwrap(), ["ops".parse().unwrap()].into());
    let ops = Subject { groups: ["ops".parse().unwrap()].into(), ..maria() };
    let id = world.file(ops.clone(), "shell", "INC-1 look").unwrap();
    world.review(&subject("olga", 1009), id, Decision::Approve).unwrap();
    check(&mut world, "sshd", &ops);
    for (new, refused, untold) in [
        (by_group(r#"users = ["adam"], groups = ["ops"]"#), 0, 0),
        (by_group(r#"users = ["adam"], groups = ["ops", "dba"]"#), 0, 0),
        (by_group(r#"users = ["adam"], groups = ["dba"]"#), 0, 1),
        (by_group(r#"users = ["adam"]"#), 1, 0),
    ] {
        let found = replayed(&world.log, &old, &policy(&new), None);
        assert_eq!((found.refused, found.untold), (refused, untold), "{:#?}", lines(&found));
    }
}

#[test]
fn groups_of_the_host_are_told_or_make_no_answer() {
    let new = policy(&POLICY.replacen("[role.shell]\nhosts = [\"*\"]", "[role.shell]\nhosts = [\"@db\"]", 1));
    let log = a_day().log;
    let told = |groups: Option<&[&str]>| {
        let groups = groups.map(|all| all.iter().map(|group| group.parse().unwrap()).collect());
        let found = replayed(&log, POLICY, &new, groups);
        (found.refused, found.untold)
    };
    assert_eq!(told(None), (0, 2));
    assert_eq!(told(Some(&["db"])), (0, 0));
    assert_eq!(told(Some(&[])), (2, 0));
}

#[test]
fn an_address_that_no_record_has_makes_no_answer() {
    let rule =
        "[[exempt]]\nusers = [\"erik\"]\nservices = [\"sshd\"]\nfrom = [\"10.1.0.0/16\"]\n[role.shell]";
    let (found, said) = under(|text| text.replacen("[role.shell]", rule, 1));
    assert_eq!((found.admitted, found.untold), (0, 1), "{said:#?}");
    // Where that policy was in force, he was refused by it, and so came from elsewhere.
    let new = POLICY.replacen("[role.shell]", rule, 1);
    let found = replayed(&a_day().log, &new, &policy(&new), None);
    assert_eq!(found.changed, []);
}

#[derive(Clone, Debug)]
enum Step {
    Ask { role: usize, minutes: u64 },
    Review { by: usize, approve: bool },
    Revoke,
    Login { service: usize, who: usize },
    Lock(bool),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4usize, 1..240u64).prop_map(|(role, minutes)| Step::Ask { role, minutes }),
        (0..3usize, any::<bool>()).prop_map(|(by, approve)| Step::Review { by, approve }),
        Just(Step::Revoke),
        (0..4usize, 0..3usize).prop_map(|(service, who)| Step::Login { service, who }),
        any::<bool>().prop_map(Step::Lock),
        (0..14_400u64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Whatever happened: decided again under the policy that was in force, it comes to the same.
    #[test]
    fn in_every_story_the_same_policy_changes_nothing(steps in proptest::collection::vec(step(), 1..60)) {
        let roles = ["shell", "root", "once", "two"];
        let services = ["sshd", "sudo", "su", "login"];
        let mut world = World::new();
        check(&mut world, "sshd", &maria());
        let mut last: Option<RequestId> = None;
        for step in steps {
            match step {
                Step::Ask { role, minutes } => {
                    let duration = Some(Duration::from_mins(minutes));
                    last = world.grant(&as_self(subject("adam", 1003)), maria(), roles[role], duration).ok().or(last);
                }
                Step::Review { by, approve } => {
                    let by = [root(), subject("olga", 1009), subject("adam", 1003)][by].clone();
                    let decision = if approve { Decision::Approve } else { Decision::Deny };
                    if let Some(id) = last {
                        // Refused, it is a step all the same, that changed nothing.
                        drop(world.review(&by, id, decision));
                    }
                }
                Step::Revoke => {
                    if let Some(id) = last.filter(|id| world.state.grant((*id).into()).is_some()) {
                        world.revoke(id);
                    }
                }
                Step::Login { service, who } => {
                    let who = [maria(), subject("erik", 1002), subject("backup", 34)][who].clone();
                    check(&mut world, services[service], &who);
                }
                Step::Lock(true) => world.lock("user:maria", Some(Duration::from_hours(1))),
                Step::Lock(false) => {
                    if !world.state.locks().is_empty() {
                        world.unlock("user:maria");
                    }
                }
                Step::Wait(seconds) => world.wait(Duration::from_secs(seconds)),
            }
        }
        let found = replayed(&world.log, POLICY, &world.policy, None);
        prop_assert_eq!(found.changed, []);
    }
}
