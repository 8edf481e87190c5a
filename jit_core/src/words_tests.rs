//! A word of the glossary means the same in policy, locks, reviews and answers: `sudo` and `su` are several PAM
//! services each, and a uid is one account under whatever name.

use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{ServiceName, Uid, Verdict};

use crate::model::{Decision, Lock, Narrow, Why};
use crate::orders::Refusal;
use crate::orders::lock::speaks_to;
use crate::orders::lock::{Found, LockOrder, is_on_something, lock, unlock};
use crate::orders::review::{Given, Reviewer};
use crate::policy::Subject;
use crate::testing::{POLICY, World, as_self, maria, policy, root, subject};

const HOUR: Duration = Duration::from_hours(1);

/// Each word, with services that it means.
const WORDS: [(&str, &[&str]); 2] = [("sudo", &["sudo", "sudo-i", "sudo-backup"]), ("su", &["su", "su-l"])];

/// A world in which one role opens everything.
fn world() -> World {
    let mut world = World::new();
    let opens = r#"services = ["sshd", "sudo", "su"]"#;
    world.policy = policy(&POLICY.replacen(r#"services = ["sshd"]"#, opens, 1));
    world
}

fn opened() -> World {
    let mut world = world();
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    world
}

fn locked(world: &mut World, scope: &str) {
    locked_with(world, scope, &[]);
}

/// As the name service knows the uids behind it.
fn locked_with(world: &mut World, scope: &str, uids: &[u32]) {
    let uids = uids.iter().map(|uid| Uid::try_from(*uid).unwrap()).collect();
    let message = Some("INC-9 under investigation".parse().unwrap());
    let order = LockOrder { scope: scope.parse().unwrap(), message, duration: None, uids };
    let events = lock(world.here(), &as_self(root()), order).unwrap();
    world.apply(events);
}

fn second_name() -> Subject {
    Subject { name: "maria2".parse().unwrap(), ..maria() }
}

#[test]
fn a_window_for_sudo_or_su_opens_whatever_these_words_mean() {
    let world = opened();
    for service in WORDS.iter().flat_map(|(_, services)| *services) {
        assert_eq!(world.check(service, &maria()).verdict(), Verdict::Allow, "{service}");
    }
    assert_eq!(world.check("sudoku", &maria()).why(), Why::NoRole);
}

#[test]
fn a_lock_on_one_of_them_shuts_all_that_the_word_means_and_nothing_else() {
    for (word, services) in WORDS {
        for scope in services {
            let mut world = opened();
            locked(&mut world, &format!("service:{scope}"));
            for service in services {
                assert_eq!(
                    world.check(service, &maria()).why(),
                    Why::Locked,
                    "{service} under a lock on {scope}"
                );
            }
            for open in ["sshd", if word == "su" { "sudo" } else { "su" }] {
                assert_eq!(
                    world.check(open, &maria()).verdict(),
                    Verdict::Allow,
                    "{open}, {scope} is locked"
                );
            }
        }
    }
}

#[test]
fn a_review_narrowed_to_sudo_leaves_all_of_sudo() {
    let mut world = world();
    let id = world.file(maria(), "shell", "INC-1 look").unwrap();
    let caller = as_self(root());
    let services = Some(["sudo".parse().unwrap()].into());
    let narrow = Narrow { services, ..Narrow::default() };
    let given = Given { narrow, ..Given::new(Reviewer::Online(&caller), Decision::Approve) };
    assert_eq!(world.give(&given, id), Ok(true));
    for service in ["sudo", "sudo-i", "sudo-backup"] {
        assert_eq!(world.check(service, &maria()).verdict(), Verdict::Allow, "{service}");
    }
    assert_eq!(world.check("sshd", &maria()).why(), Why::NoWindow);
    assert_eq!(world.check("su-l", &maria()).why(), Why::NoWindow);
}

#[test]
fn an_exemption_or_observation_of_sudo_is_of_all_of_sudo() {
    let head = POLICY.replace(r#"services = ["login", "sshd"]"#, r#"services = ["login", "sudo"]"#);
    let mut world = World::new();
    world.policy = policy(&head);
    let backup = subject("backup", 34);
    for service in ["sudo", "sudo-i", "sudo-backup"] {
        assert_eq!(world.check(service, &backup).why(), Why::Exempt, "{service}");
    }
    world.policy = policy(&format!("{POLICY}[mode]\nobserve = [\"sudo\"]\n"));
    for service in ["sudo", "sudo-i", "sudo-backup"] {
        assert_eq!(world.check(service, &maria()).why(), Why::Observed, "{service}");
    }
    assert_eq!(world.check("su", &maria()).verdict(), Verdict::Deny);
}

#[test]
fn a_role_that_names_one_form_of_sudo_opens_that_alone() {
    let mut world = World::new();
    world.policy = policy(&POLICY.replace(r#"services = ["sudo"]"#, r#"services = ["sudo-i"]"#));
    world.grant(&as_self(root()), maria(), "root", Some(HOUR)).unwrap();
    assert_eq!(world.check("sudo-i", &maria()).verdict(), Verdict::Allow);
    assert_ne!(world.check("sudo", &maria()).verdict(), Verdict::Allow);
    assert_ne!(world.check("sudo-backup", &maria()).verdict(), Verdict::Allow);
}

#[test]
fn whoever_is_asked_about_at_a_service_that_sudoers_renamed_is_its_caller() {
    let world = opened();
    let service: ServiceName = "sudo-backup".parse().unwrap();
    let mut question = World::question(service.as_str(), &maria(), Stage::Account);
    question.caller_uid = subject("mallory", 1666).uid;
    assert_eq!(world.ask(&question).why(), Why::CallerMismatch);
}

#[test]
fn a_lock_on_a_user_binds_every_name_of_the_uid_their_windows_and_what_they_say() {
    let mut world = World::new();
    world.policy =
        policy(&POLICY.replace(r#"users = ["maria", "adam"]"#, r#"users = ["maria", "adam", "maria2"]"#));
    world.grant(&as_self(root()), second_name(), "shell", None).unwrap();
    assert_eq!(world.check("sshd", &second_name()).verdict(), Verdict::Allow);
    locked_with(&mut world, "user:maria", &[1001]);
    assert_eq!(world.check("sshd", &second_name()).why(), Why::Locked);
    assert_eq!(world.state.grants().count(), 0, "and the window under the second name has ended");
    let asks = world.file(second_name(), "shell", "INC-1 look");
    assert!(matches!(asks, Err(Refusal::Locked(_))), "{asks:?}");
}

#[test]
fn a_locked_reviewer_or_admin_is_locked_under_a_second_name_too() {
    let mut world = World::new();
    let twin = |name: &str| subject(name, 1002);
    world.policy = policy(&POLICY.replace(r#""adam""#, r#""adam", "adam2""#));
    let id = world.file(maria(), "shell", "INC-1 look").unwrap();
    locked_with(&mut world, "user:adam", &[1002]);
    assert!(world.review(&twin("adam2"), id, Decision::Approve).is_err());
    assert!(matches!(world.here().admin(&as_self(twin("adam2"))), Err(Refusal::Locked(_))));
    assert!(world.here().admin(&as_self(subject("adam2", 1003))).is_ok(), "another uid is another account");
}

#[test]
fn a_lock_that_an_earlier_version_wrote_still_binds_by_name_and_one_with_uids_reads_back() {
    let mut world = World::new();
    locked(&mut world, "user:maria");
    let lock = world.state.locks().values().next().unwrap();
    let mut text = serde_json::to_value(lock).unwrap();
    assert!(text.get("uids").is_none(), "what has none is written as before");
    text["uids"] = serde_json::json!([1001]);
    let read: Lock = serde_json::from_value(text).unwrap();
    assert_eq!(read.uids, [maria().uid].into());
}

#[test]
fn unlocking_any_form_of_a_service_lifts_the_lock_on_all_of_them() {
    let mut world = opened();
    locked(&mut world, "service:sudo-i");
    let events =
        unlock(world.here(), &as_self(root()), "service:sudo-backup".parse().unwrap(), None).unwrap();
    world.apply(events);
    assert_eq!(world.check("sudo", &maria()).verdict(), Verdict::Allow);
}

/// What is said of a scope that nothing on this host is called by.
fn refused(world: &World, scope: &str, found: &Found) -> Option<String> {
    let checked = is_on_something(world.here(), &scope.parse().unwrap(), found, false);
    checked.err().map(|refusal| refusal.to_string())
}

#[test]
fn a_lock_on_what_does_not_exist_is_refused_and_says_what_was_meant() {
    let world = World::new();
    let absent = Found { is_there: Some(false), others: ["alice", "sshd", "wheel"].map(String::from).into() };
    for (scope, near) in [
        ("user:alcie", "user:alice"),
        ("service:ssh", "service:sshd"),
        ("role:shel", "role:shell"),
        ("group:weel", "group:wheel"),
    ] {
        let text = refused(&world, scope, &absent).unwrap();
        assert!(text.contains(&format!("there is no {scope} on this host; did you mean {near}?")), "{text}");
        assert_eq!(
            text.contains("--unknown"),
            scope.starts_with("user") || scope.starts_with("group"),
            "{text}"
        );
    }
    assert!(!refused(&world, "user:zzzzzz", &absent).unwrap().contains("did you mean"));
}

#[test]
fn a_lock_is_taken_where_the_name_is_known_or_cannot_be_found_out_or_has_something() {
    let mut world = opened();
    let absent = Found { is_there: Some(false), ..Found::default() };
    let there = Found { is_there: Some(true), ..Found::default() };
    for (scope, found) in [
        ("host", &absent),
        ("role:shell", &absent),
        ("service:su-l", &absent),
        ("service:cron", &there),
        ("user:maria", &absent),
        ("user:new", &there),
        ("user:new", &Found::default()),
        ("group:new", &Found::default()),
    ] {
        assert_eq!(refused(&world, scope, found), None, "{scope}");
    }
    for (scope, is_taken) in
        [("user:new", true), ("group:new", true), ("service:new", false), ("role:new", false)]
    {
        let checked = is_on_something(world.here(), &scope.parse().unwrap(), &absent, true);
        assert_eq!(checked.is_ok(), is_taken, "{scope}, which a directory may bring");
    }
    // The role leaves policy; its window is there.
    world.policy = policy(&POLICY.replace("role.shell", "role.other"));
    assert_eq!(refused(&world, "role:shell", &absent), None);
}

#[test]
fn unlocking_what_is_not_locked_names_the_lock_that_was_meant() {
    let mut world = World::new();
    locked(&mut world, "role:shell");
    let refusal = unlock(world.here(), &as_self(root()), "role:shel".parse().unwrap(), None).unwrap_err();
    assert!(refusal.to_string().contains("no lock on role:shel; did you mean role:shell?"), "{refusal}");
}

#[test]
fn the_message_of_a_role_or_service_lock_is_for_whom_it_keeps_from_something() {
    let mut world = opened();
    let stranger = subject("erik", 1010);
    for scope in ["role:shell", "service:sudo-i"] {
        locked(&mut world, scope);
        let lock = world.state.locks().values().next().unwrap();
        assert!(speaks_to(world.here(), lock, &maria()), "{scope}");
        assert!(!speaks_to(world.here(), lock, &stranger), "{scope}");
        assert!(lock.concerns(&stranger, world.policy.people()), "that it is locked everybody may know");
        let events = unlock(world.here(), &as_self(root()), scope.parse().unwrap(), None).unwrap();
        world.apply(events);
    }
}

#[test]
fn whoever_is_refused_by_a_lock_on_their_role_is_not_told_of_that_on_another() {
    let mut world = World::new();
    let of_maria = "services = [\"sshd\", \"su\"]\neligible = { users = [\"maria\"] }";
    assert!(POLICY.contains(of_maria));
    world.policy = policy(&POLICY.replace(of_maria, &of_maria.replace("maria", "olga")));
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    locked(&mut world, "role:once");
    let question = World::question("sshd", &maria(), Stage::Account);
    assert_eq!(world.ask(&question).verdict(), Verdict::Allow);
    locked(&mut world, "role:shell");
    let line =
        crate::check::explain::explain(&world.policy, &world.state, &world.host, &question, &world.now);
    assert!(!line.line().contains("role:once"), "{}", line.line());
}
