//! What the terms of a role do to checks and reviews: addresses, hours, observing, people, stages.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use jit_proto::gate::{MAX_TEXT, Stage};
use jit_proto::words::{RequestId, Verdict};
use proptest::prelude::*;

use crate::check::decide::Answer;
use crate::check::explain::explain;
use crate::event::Event;
use crate::model::{Decision, Why};
use crate::orders::review::{Given, Reviewer, review};
use crate::orders::{NoReview, Refusal};
use crate::policy::{Method, Policy, SourceFile, Subject, Ways};
use crate::services::Services;
use crate::testing::at;
use crate::testing::{POLICY, World, as_self, maria, policy, root, subject};

const BASE: &str = r#"
version = 1
[people]
maria = { accounts = ["maria", "adm-maria"] }
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[[exempt]]
users = ["backup"]
services = ["sshd"]
from = ["10.9.0.4"]
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "4h"
"#;

const STAGE: &str = r#"
[[role.shell.stage]]
name = "lead"
approvers = { users = ["root", "olga", "adm-maria", "maria"] }
"#;

const TWO_STAGES: &str = r#"
[[role.shell.stage]]
name = "lead"
approvers = { users = ["olga", "adam"] }
denials = 2
expires = "8h"
then = { users = ["boss"] }
[[role.shell.stage]]
name = "security"
approvers = { users = ["olga", "sam", "tim"] }
approvals = 2
expires = "1h"
"#;

const MONDAY: &str = "2026-11-23T10:00:00Z";

fn world(lines: &str, stages: &str) -> World {
    let mut world = World::new();
    world.policy = policy(&format!("{BASE}{lines}{stages}"));
    world.now.wall = MONDAY.parse().unwrap();
    world
}

fn granted(lines: &str) -> World {
    let mut world = world(lines, STAGE);
    world.grant(&as_self(root()), maria(), "shell", Some(Duration::from_hours(4))).unwrap();
    world
}

fn from(world: &World, address: Option<&str>) -> Answer {
    let mut question = World::question("sshd", &maria(), Stage::Account);
    question.from = address.map(|address| address.parse().unwrap());
    world.ask(&question)
}

fn olga() -> Subject {
    subject("olga", 1004)
}

// `from`

#[test]
fn a_role_for_some_addresses_admits_from_them_and_from_nowhere_else() {
    let world = granted("from = [\"10.1.0.0/16\"]");
    assert_eq!(from(&world, Some("10.1.2.3")).verdict(), Verdict::Allow);
    assert_eq!(from(&world, Some("10.2.2.3")).why(), Why::OtherAddress);
    assert_eq!(from(&world, None).why(), Why::OtherAddress, "no address, no match");
}

#[test]
fn a_name_in_pam_rhost_is_no_address() {
    let world = granted("from = [\"10.1.0.0/16\"]");
    let mut question = World::question("sshd", &maria(), Stage::Account);
    question.login.rhost = "10.1.2.3".into();
    assert_eq!(world.ask(&question).why(), Why::OtherAddress);
}

#[test]
fn a_policy_that_became_laxer_about_addresses_widens_no_window() {
    let mut world = granted("from = [\"10.1.0.0/16\"]");
    world.policy = policy(&format!("{BASE}{STAGE}"));
    assert_eq!(from(&world, Some("10.2.2.3")).why(), Why::OtherAddress);
    let mut world = granted("");
    assert_eq!(from(&world, None).verdict(), Verdict::Allow);
    world.policy = policy(&format!("{BASE}from = [\"10.1.0.0/16\"]\n{STAGE}"));
    assert_eq!(from(&world, None).why(), Why::OtherAddress, "and one that became stricter narrows it");
}

#[test]
fn an_exemption_for_some_addresses_is_for_no_others() {
    let world = world("", STAGE);
    let mut question = World::question("sshd", &subject("backup", 34), Stage::Account);
    assert_eq!(world.ask(&question).verdict(), Verdict::Deny);
    question.from = Some("10.9.0.4".parse().unwrap());
    assert_eq!(world.ask(&question).why(), Why::Exempt);
}

// `hours`

const OFFICE: &str = r#"hours = [{ days = "mon-fri", from = "07:00", to = "13:00", tz = "Europe/Berlin" }]"#;

#[test]
fn a_window_is_cut_at_the_end_of_the_hours() {
    let mut world = granted(OFFICE);
    let left = |world: &World| from(world, None).admission().map(|admits| admits.remaining);
    assert_eq!(left(&world), Some(Duration::from_hours(2)), "10:00Z is 11:00 in Berlin");
    world.wait(Duration::from_hours(2).checked_sub(Duration::from_millis(1)).unwrap());
    assert_eq!(left(&world), Some(Duration::from_millis(1)));
    world.wait(Duration::from_millis(1));
    assert_eq!(from(&world, None).why(), Why::OutsideHours);
}

#[test]
fn whoever_comes_outside_the_hours_is_told_when_to_come_back() {
    let mut world = granted(OFFICE);
    world.wait(Duration::from_hours(3));
    let question = World::question("sshd", &maria(), Stage::Account);
    let explained = explain(&world.policy, &world.state, &world.host, &question, &world.now);
    assert_eq!(
        explained.line(),
        "jit: your window for sshd does not admit this login: come back at 2026-11-24T06:00:00Z; \
         it is for mon,tue,wed,thu,fri 07:00-13:00 Europe/Berlin."
    );
}

// The line of a refusal

fn line(world: &World) -> String {
    let question = World::question("sshd", &maria(), Stage::Account);
    explain(&world.policy, &world.state, &world.host, &question, &world.now).line().to_owned()
}

const ORDER: &str =
    "for role shell; where you are logged in on db-1, with: jitctl request --role shell --reason WHY";

#[test]
fn whoever_has_no_window_is_told_whom_to_ask_for_what() {
    let mut world = world("", TWO_STAGES);
    assert_eq!(
        line(&world),
        format!(
            "jit: maria has no open window for sshd on db-1. Ask adam, olga; then olga, sam, tim {ORDER}"
        )
    );
    // What waits for others is said too, and whom to ask is who can move it now.
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    let waits = line(&world);
    assert!(waits.starts_with("jit: maria waits for role shell on db-1. r-"), "{waits}");
    assert!(
        waits.contains("r-00000001 waits for 1 approval from adam, olga (stage 'lead'). Ask adam"),
        "{waits}"
    );
    assert!(waits.ends_with("Ask adam, olga to run: jitctl approve r-00000001"), "{waits}");
    world.now = at(world.now.wall.unix_millis() + 17 * 3_600_000, world.now.boot);
    let lapsed = line(&world);
    assert!(lapsed.contains("was not decided in time") && lapsed.ends_with(ORDER), "{lapsed}");
}

#[test]
fn a_refusal_says_what_whoever_is_refused_can_do_and_no_order_of_an_admin() {
    let mut world = world("", STAGE);
    let sudo = STAGE.to_owned()
        + "[role.root]\nhosts = [\"*\"]\nservices = [\"sudo\", \"su\"]\n\
        eligible = { users = [\"maria\"] }\nmax-duration = \"1h\"\n[[role.root.stage]]\nname = \"lead\"\n\
        approvers = { users = [\"olga\"] }\n";
    let at = |world: &World, service: &str| {
        let question = World::question(service, &maria(), Stage::Account);
        explain(&world.policy, &world.state, &world.host, &question, &world.now).line().to_owned()
    };
    world.policy = policy(&(BASE.to_owned() + &sudo));
    for service in ["sudo", "sudo-i", "su-l"] {
        let has_none = format!("jit: maria has no open window for {service} on db-1. ");
        assert_eq!(
            at(&world, service),
            has_none + "Ask for role root with: jitctl request --role root --reason WHY"
        );
    }
    // Of a role that opens at once nobody is to be asked but for the door.
    world.policy = policy(&(BASE.to_owned() + "emergency = true\n" + STAGE));
    let line = at(&world, "sshd");
    let how = "Role shell opens at once: where you are logged in on db-1, type: jitctl request --role shell --reason WHY; \
               elsewhere ask an admin (root).";
    assert!(line.ends_with(how), "{line}");
    let question = World::question("sshd", &maria(), Stage::Account);
    let explained = explain(&world.policy, &world.state, &world.host, &question, &world.now);
    let role = &explained.roles[0];
    assert_eq!(
        (role.change.as_str(), role.approvers.as_str()),
        ("ask for role shell, which opens at once", "")
    );
}

#[test]
fn a_refusal_names_the_ways_to_ask_that_are_set_up_here_and_no_other() {
    let mut world = world("", STAGE);
    let kiosk = || Some("ssh -p 2222 kiosk@db-07".to_owned().try_into().unwrap());
    let sshd = || ["sshd".parse().unwrap()].into();
    let by_login = "log in by ssh -o PreferredAuthentications=keyboard-interactive";
    for (ways, told) in [
        (Ways::default(), format!("Ask olga, root {ORDER}")),
        (
            Ways { at_login: ["login".parse().unwrap()].into(), kiosk: None },
            format!("Ask olga, root {ORDER}"),
        ),
        (Ways { at_login: sshd(), kiosk: None }, format!("To ask for role shell, {by_login}")),
        (
            Ways { at_login: Services::default(), kiosk: kiosk() },
            "To ask for role shell, go to the kiosk: ssh -p 2222 kiosk@db-07".to_owned(),
        ),
        (
            Ways { at_login: sshd(), kiosk: kiosk() },
            format!("To ask for role shell, {by_login}, or go to the kiosk: ssh -p 2222 kiosk@db-07"),
        ),
    ] {
        world.host.ways = ways;
        assert_eq!(line(&world), format!("jit: maria has no open window for sshd on db-1. {told}"));
    }
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    assert_eq!(line(&world), "", "a way in needs no way to ask");
}

#[test]
fn a_long_list_of_people_pushes_nothing_off_the_line_and_past_its_limit() {
    let many: Vec<String> = (0..300).map(|n| format!("\"somebody-{n:03}\"")).collect();
    let many = many.join(", ");
    let stages = STAGE.replace("\"root\"", &many).replace("\"lead\"", "\"one\"")
        + &STAGE.replace("\"root\"", &many).replace("\"lead\"", "\"two\"");
    let mut world = world("", &stages);
    for order in [ORDER, "to run: jitctl approve r-00000001"] {
        let line = line(&world);
        assert!(line.len() <= MAX_TEXT && line.ends_with(order), "{line}");
        world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    }
    let admins = format!("users = [{many}, \"root\"]\n[[");
    world.policy = policy(&(BASE.replace("users = [\"root\"]\n[[", &admins) + STAGE));
    let mut question = World::question("nothing", &maria(), Stage::Account);
    question.login.service = "cups".parse().unwrap();
    let explained = explain(&world.policy, &world.state, &world.host, &question, &world.now);
    assert!(explained.line().len() <= MAX_TEXT && explained.line().ends_with("to the policy."));
}

// su's target

#[test]
fn su_becomes_only_the_accounts_that_the_role_lists() {
    let mut world = world("", STAGE);
    let text =
        format!("{BASE}run-as = [\"oracle\"]\n{STAGE}").replace("[\"sshd\"]\neligible", "[\"su\"]\neligible");
    world.policy = policy(&text);
    world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    let mut question = World::question("su", &maria(), Stage::Account);
    for (target, why) in [("oracle", Why::Window), ("root", Why::OtherTarget)] {
        question.login.target = Some(target.parse().unwrap());
        assert_eq!(world.ask(&question).why(), why, "{target}");
    }
}

// `mode`

#[test]
fn an_observed_service_is_unmanaged_and_says_what_it_would_have_been() {
    let mut world = world("", STAGE);
    world.policy = policy(&format!("mode = \"observe\"\n{BASE}uses = 1\n{STAGE}"));
    let answer = from(&world, None);
    assert_eq!(
        (answer.verdict(), answer.why(), answer.would()),
        (Verdict::Unmanaged, Why::Observed, Some(Why::NoWindow))
    );
    let id = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    let answer = world.log_in(&World::question("sshd", &maria(), Stage::Account));
    assert_eq!(
        (answer.verdict(), answer.would(), answer.admission()),
        (Verdict::Unmanaged, Some(Why::Window), None)
    );
    assert_eq!(world.state.grant(id.into()).unwrap().used, 0, "watching takes no use");
    assert_eq!(world.check("login", &root()).why(), Why::Exempt, "what is exempt anyway is said to be");
}

// `reason`

#[test]
fn a_reason_that_does_not_fit_is_refused_with_what_would() {
    let mut world = world("reason = { pattern = \"^INC-[0-9]+ .{4,}\", hint = \"INC-1 and why\" }\n", STAGE);
    let refusal = world.file(maria(), "shell", "because").unwrap_err();
    assert_eq!(refusal.to_string(), "role 'shell' wants another reason: INC-1 and why");
    world.file(maria(), "shell", "INC-7 disk is full").unwrap();
}

// People and stages.

fn refused(result: Result<bool, Refusal>) -> NoReview {
    match result {
        Err(Refusal::NoReview { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

fn filed(stages: &str) -> (World, RequestId) {
    let mut world = world("", stages);
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    (world, id)
}

#[test]
fn a_second_account_of_the_requester_does_not_review() {
    let (mut world, id) = filed(STAGE);
    let second = subject("adm-maria", 2001);
    assert_eq!(refused(world.review(&second, id, Decision::Approve)), NoReview::OwnRequest);
    assert_eq!(refused(world.review(&maria(), id, Decision::Approve)), NoReview::OwnRequest);
    assert_eq!(world.review(&olga(), id, Decision::Approve), Ok(true));
}

#[test]
fn a_request_is_filed_by_the_one_it_is_for() {
    let mut world = world("", STAGE);
    world.file(maria(), "shell", "INC-1").unwrap();
    assert!(matches!(world.file(olga(), "shell", "INC-1"), Err(Refusal::NotEligible { .. })));
}

#[test]
fn stages_run_in_order_and_nobody_counts_in_two_of_them() {
    let (mut world, id) = filed(TWO_STAGES);
    let (sam, tim) = (subject("sam", 1005), subject("tim", 1006));
    assert!(matches!(refused(world.review(&sam, id, Decision::Approve)), NoReview::TooEarly { .. }));
    assert_eq!(world.review(&olga(), id, Decision::Approve), Ok(false));
    assert!(matches!(refused(world.review(&olga(), id, Decision::Approve)), NoReview::Twice(_)));
    assert_eq!(world.review(&sam, id, Decision::Approve), Ok(false));
    assert_eq!(world.review(&tim, id, Decision::Approve), Ok(true));
    assert_eq!(from(&world, None).verdict(), Verdict::Allow);
}

#[test]
fn so_many_denials_end_a_request_and_one_less_does_not() {
    let (mut world, id) = filed(TWO_STAGES);
    assert_eq!(world.review(&olga(), id, Decision::Deny), Ok(false));
    assert!(world.state.pending().contains_key(&id));
    assert_eq!(world.review(&subject("adam", 1003), id, Decision::Deny), Ok(false));
    assert!(!world.state.knows(id), "it is over");
}

#[test]
fn a_stage_passes_to_the_next_people_and_then_lapses_and_never_opens_by_waiting() {
    let (mut world, id) = filed(TWO_STAGES);
    let boss = subject("boss", 1007);
    assert!(matches!(refused(world.review(&boss, id, Decision::Approve)), NoReview::NotApprover { .. }));
    world.wait(Duration::from_hours(8));
    assert!(matches!(refused(world.review(&olga(), id, Decision::Approve)), NoReview::TooEarly { .. }));
    assert_eq!(world.review(&boss, id, Decision::Approve), Ok(false));
    // The second stage has an hour from then on, and nobody behind it.
    world.wait(Duration::from_hours(1));
    assert!(matches!(world.review(&olga(), id, Decision::Approve), Err(Refusal::NotFound(_))));
    let last = world.log.last().map(|record| record.event.clone());
    assert_eq!(last, Some(Event::Lapsed { request: id, stage: Some("security".into()) }));
}

#[test]
fn a_stage_that_has_lapsed_by_the_clock_opens_nothing_before_that_was_written_down() {
    let (mut world, id) = filed(TWO_STAGES);
    world.now = at(world.now.wall.unix_millis() + 16 * 3_600_000, world.now.boot);
    let late = refused(world.review(&subject("boss", 1007), id, Decision::Approve));
    assert_eq!(late, NoReview::Lapsed("lead".into()));
}

#[test]
fn a_review_that_came_in_a_way_the_stage_does_not_accept_does_not_count() {
    let (mut world, id) = filed(&format!("{STAGE}accept = [\"signature\"]"));
    assert!(matches!(refused(world.review(&olga(), id, Decision::Approve)), NoReview::Method { .. }));
    let olga = olga();
    let lookups = world.lookups(id);
    let signed = |method| {
        let given = Given::new(Reviewer::Remote { account: &olga, method }, Decision::Approve);
        review(world.here(), id, None, &given, &lookups)
    };
    assert!(signed(Method::Code).is_err());
    assert_eq!(signed(Method::Signature).unwrap().len(), 2, "reviewed and opened");
    let by_grant = world.grant(&as_self(root()), maria(), "shell", None).unwrap();
    assert!(world.state.grant(by_grant.into()).is_none(), "an admin's grant is an online review too");
}

#[test]
fn a_request_under_terms_that_have_changed_opens_nothing() {
    let (mut world, id) = filed(STAGE);
    world.policy = policy(&format!("{BASE}uses = 1\n{STAGE}"));
    assert!(matches!(world.review(&olga(), id, Decision::Approve), Err(Refusal::TermsChanged(_))));
}

// The algebra.

const ROLES: [&str; 4] = ["shell", "root", "once", "elsewhere"];

/// A world with some grants of maria's and some time gone by.
fn story() -> impl Strategy<Value = Vec<(usize, u64, u64)>> {
    proptest::collection::vec((0..ROLES.len(), 1..240_u64, 0..90_u64), 0..8)
}

fn told(story: &[(usize, u64, u64)]) -> World {
    let mut world = World::new();
    for (role, minutes, wait) in story {
        let duration = Some(Duration::from_mins(*minutes));
        // Refused where the role is not for this host, or not for so long.
        drop(world.grant(&as_self(root()), maria(), ROLES[*role], duration));
        world.wait(Duration::from_mins(*wait));
    }
    world
}

fn allowed(world: &World) -> Vec<bool> {
    let services = ["sshd", "sudo", "su", "login", "cups"];
    services.map(|service| world.check(service, &maria()).verdict() == Verdict::Allow).to_vec()
}

proptest! {
    #[test]
    fn a_grant_never_denies_what_was_allowed(story in story(), role in 0..ROLES.len()) {
        let mut world = told(&story);
        let before = allowed(&world);
        drop(world.grant(&as_self(root()), maria(), ROLES[role], None));
        for (before, after) in before.into_iter().zip(allowed(&world)) {
            prop_assert!(after || !before);
        }
    }

    #[test]
    fn removing_a_role_never_allows_what_was_denied(story in story(), role in 0..ROLES.len()) {
        let mut world = told(&story);
        let before = allowed(&world);
        let name = ROLES[role];
        world.policy = policy(&POLICY.replace(&format!("role.{name}"), &format!("role.not-{name}")));
        for (before, after) in before.into_iter().zip(allowed(&world)) {
            prop_assert!(before || !after);
        }
    }

    #[test]
    fn overlapping_grants_admit_as_long_as_the_longest(
        minutes in proptest::collection::vec(1..240_u64, 1..6), at in 0..240_u64,
    ) {
        let mut world = World::new();
        for minutes in &minutes {
            world.grant(&as_self(root()), maria(), "shell", Some(Duration::from_mins(*minutes))).unwrap();
        }
        world.wait(Duration::from_mins(at));
        let longest = minutes.into_iter().max().unwrap();
        let left = world.check("sshd", &maria()).admission().map(|admits| admits.remaining);
        prop_assert_eq!(left, (longest > at).then(|| Duration::from_mins(longest - at)));
    }

    #[test]
    fn the_order_of_files_decides_nothing(story in story()) {
        let mut world = told(&story);
        let (head, tail) = POLICY.split_once("[role.once]").unwrap();
        let mut files = vec![
            SourceFile { name: "b.toml".into(), bytes: head.as_bytes().to_vec() },
            SourceFile { name: "a.toml".into(), bytes: format!("version = 1\n[role.once]{tail}").into_bytes() },
        ];
        let question = World::question("sshd", &maria(), Stage::Account);
        // The digest is of the files as they are; it is recorded with the answer and decides nothing.
        let bare = |mut answer: Answer| {
            if let Answer::Allow(admission) = &mut answer {
                admission.basis.policy = None;
            }
            answer
        };
        let told = |world: &World| {
            let told = explain(&world.policy, &world.state, &world.host, &question, &world.now);
            (bare(world.ask(&question)), bare(told.answer.clone()), told.to_string())
        };
        let one = told(&world);
        for _ in 0..2 {
            files.reverse();
            world.policy = Policy::parse(&files).unwrap().policy;
            prop_assert_eq!(&one, &told(&world));
        }
    }
}

// Explanations.

fn explained(world: &World) -> String {
    let question = World::question("sshd", &maria(), Stage::Account);
    explain(&world.policy, &world.state, &world.host, &question, &world.now).to_string()
}

#[test]
fn an_explanation_names_for_each_role_what_is_missing_and_who_could_approve() {
    let more = r#"
[role.night]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "4h"
hours = [{ from = "22:00", to = "06:00", tz = "UTC" }]
stage = [{ approvers = { users = ["olga"] } }]
[role.other]
hosts = ["web-*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "4h"
stage = [{ approvers = { users = ["olga"] } }]
[role.vendor]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["vera"] }
max-duration = "4h"
stage = [{ approvers = { users = ["olga"] } }]
"#;
    let mut world = world("", &format!("{STAGE}{more}"));
    assert_eq!(
        explained(&world),
        "maria at sshd on db-1: deny (no-window)
  night: not at this time
    come back at 2026-11-23T22:00:00Z; it is for mon-sun 22:00-06:00 UTC
  other: not on this host
    it exists on web-*
  shell: no window is open
    ask for role shell
    could approve now: olga, root
  vendor: for other people
    it is for vera"
    );
    let id = world.file(maria(), "shell", "INC-1").unwrap();
    assert!(explained(&world).contains(&format!(
        "  shell: waits for approval\n    {id} waits for 1 approval from olga, root (stage 'lead')\n    \
         could approve now: olga, root"
    )));
    world.review(&olga(), id, Decision::Approve).unwrap();
    assert!(explained(&world).starts_with("maria at sshd on db-1: allow (window)\n"));
    assert!(explained(&world).contains("  shell: admits\n"));
}

#[test]
fn of_ten_thousand_roles_those_that_name_the_service_are_explained() {
    let role = |n: usize| {
        let service = if n.is_multiple_of(2) { "sshd" } else { "cups" };
        format!(
            "[role.r{n}]\nhosts = [\"*\"]\nservices = [\"{service}\"]\neligible = {{ users = [\"maria\"] }}\n\
             max-duration = \"1h\"\nstage = [{{ approvers = {{ users = [\"olga\"] }} }}]\n"
        )
    };
    let file = |name: &str, head: &str, range: std::ops::Range<usize>| SourceFile {
        name: name.to_owned(),
        bytes: format!("{head}{}", range.map(role).collect::<String>()).into_bytes(),
    };
    let files =
        [file("a.toml", &format!("{BASE}{STAGE}"), 0..5_000), file("b.toml", "version = 1\n", 5_000..10_000)];
    let mut world = world("", STAGE);
    world.policy = Policy::parse(&files).unwrap().policy;
    let question = World::question("sshd", &maria(), Stage::Account);
    let explained = explain(&world.policy, &world.state, &world.host, &question, &world.now);
    assert_eq!(explained.roles.len(), 5_001);
}
