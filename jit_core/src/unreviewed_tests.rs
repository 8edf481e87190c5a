//! `unreviewed`: what opens on policy's word alone, what takes the stages all the same, and how it is counted.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::IpAddr;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::RequestId;

use crate::event::{Event, Record};
use crate::model::{Caller, Decision, LoginAccount, Why};
use crate::orders::request::{ExtendOrder, RequestOrder, extend, file_from};
use crate::orders::revoke::{Target, done};
use crate::orders::unreviewed::takes_stages;
use crate::orders::{Refusal, TakesStages};
use crate::policy::{Subject, WEEK};
use crate::state::{State, Stored};
use crate::testing::{World, as_self, at_next_boot, maria, policy, root, subject};
use crate::time::Suspicion;

mod stories;

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

const SITE: &str = r#"
version = 1
[people]
maria = { accounts = ["maria", "adm-maria"] }
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria", "adm-maria", "erik"] }
max-duration = "4h"
default-duration = "30m"
reason = { pattern = "^((?<ticket>INC-[0-9]+) )?.{8,}" }
unreviewed = RULE
[[role.shell.stage]]
name = "lead"
approvers = { users = ["root", "olga"] }
"#;

fn site(rule: &str) -> crate::policy::Policy {
    policy(&SITE.replace("RULE", rule))
}

fn world(rule: &str) -> World {
    let mut world = World::new();
    world.policy = site(rule);
    world
}

fn erik() -> Subject {
    subject("erik", 1002)
}

/// How it is asked for.
struct Ask<'a> {
    caller: Caller,
    minutes: u64,
    start: Option<Duration>,
    reason: &'a str,
    from: Option<IpAddr>,
}

impl Ask<'_> {
    fn of(by: Subject, minutes: u64) -> Self {
        Self { caller: as_self(by), minutes, start: None, reason: "INC-7 look at the log", from: None }
    }

    /// Files it; why its stages are asked, where they are.
    fn file(self, world: &mut World) -> Result<(RequestId, Option<TakesStages>), Refusal> {
        let id = world.next_id();
        let order = RequestOrder {
            beneficiary: self.caller.account.clone(),
            role: "shell".parse().unwrap(),
            duration: Some(MINUTE * u32::try_from(self.minutes).unwrap()),
            start: self.start.map(|ahead| world.now.wall.plus(ahead)),
            reason: self.reason.parse().unwrap(),
            id,
        };
        let events = file_from(world.here(), &self.caller, order, self.from)?;
        world.apply(events);
        let why = takes_stages(world.here(), id, &self.caller, self.from);
        let has_rule = world.policy.roles().all(|role| role.unreviewed.is_some());
        assert_eq!(why.is_some(), has_rule && world.state.grant(id.into()).is_none());
        Ok((id, why))
    }

    fn opens(self, world: &mut World) -> RequestId {
        let (id, why) = self.file(world).unwrap();
        assert_eq!(why, None);
        id
    }

    fn waits(self, world: &mut World) -> TakesStages {
        self.file(world).unwrap().1.unwrap()
    }
}

fn given_back(world: &mut World, id: RequestId, by: Subject) {
    let events = done(world.here(), &as_self(by), Target::Request(id), None).unwrap();
    world.apply(events);
}

#[test]
fn what_is_within_the_rule_opens_as_it_is_filed_and_the_record_says_that_policy_did() {
    let mut world = world("{ up-to = \"30m\", each-week = 3 }");
    let id = Ask::of(maria(), 30).opens(&mut world);
    let grant = world.state.grant(id.into()).unwrap().clone();
    assert_eq!((grant.length(), grant.ticket.as_deref()), (MINUTE * 30, Some("INC-7")));
    assert!(grant.by_policy.is_some() && !grant.emergency && world.state.owed().is_empty());
    assert!(world.check("sshd", &maria()).admission().is_some());
    let [asked, opened] = &world.log[..] else { panic!("{:?}", world.log) };
    assert!(matches!(asked.event, Event::Requested { .. }));
    let text = String::from_utf8(opened.encode().unwrap().bytes).unwrap();
    assert!(text.contains("\"by_policy\":{}"), "{text}");
    assert_eq!(Record::decode(opened.seq, text.as_bytes()).unwrap().event, opened.event);
    world.wait(MINUTE * 30);
    assert!(world.check("sshd", &maria()).admission().is_none());
}

#[test]
fn what_is_longer_for_later_by_others_or_without_a_ticket_takes_the_stages_and_opens_by_them() {
    let mut world = world("{ up-to = \"30m\", each-week = 3 }");
    let longer = Ask::of(maria(), 31).waits(&mut world);
    let (up_to, asked) = (MINUTE * 30, MINUTE * 31);
    assert_eq!(longer, TakesStages::Longer { up_to, asked, together: asked });
    assert_eq!(longer.to_string(), "up to 30m opens without one, and this comes to 31m");
    let ahead = Ask { start: Some(MINUTE), ..Ask::of(maria(), 5) };
    assert_eq!(ahead.waits(&mut world), TakesStages::Start);
    let no_ticket = Ask { reason: "to look at the log", ..Ask::of(maria(), 5) };
    assert_eq!(no_ticket.waits(&mut world), TakesStages::NoTicket);
    let by_nobody = Caller { login: LoginAccount::Unset, ..as_self(maria()) };
    assert_eq!(Ask { caller: by_nobody, ..Ask::of(maria(), 5) }.waits(&mut world), TakesStages::NoLogin);
    // What an admin asks for on somebody's behalf has that admin's review and no rule.
    let adam = as_self(root());
    let id = world.grant(&adam, erik(), "shell", Some(MINUTE * 5)).unwrap();
    assert!(world.state.grant(id.into()).unwrap().by_policy.is_none());

    let (id, _) = Ask::of(maria(), 31).file(&mut world).unwrap();
    assert_eq!(world.review(&root(), id, Decision::Approve), Ok(true));
    assert!(world.state.grant(id.into()).unwrap().by_policy.is_none());
}

#[test]
fn from_an_account_that_people_share_everything_takes_the_stages() {
    let key = "SHA256:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg";
    let shared = SITE
        .replace(
            "[people]\n",
            &format!("[people]\nkim = {{ accounts = [\"support\"], ssh-keys = [\"{key}\"] }}\n"),
        )
        .replace("\"erik\"] }", "\"erik\"], people = [\"kim\"] }");
    let mut world = World::new();
    world.policy = policy(&shared.replace("RULE", "{ up-to = \"30m\", each-week = 3 }"));
    let kim = subject("support", 1050).as_person(Some("kim".parse().unwrap()));
    let why = Ask::of(kim, 5).waits(&mut world);
    assert_eq!(why, TakesStages::Shared);
    Ask::of(maria(), 5).opens(&mut world);
}

#[test]
fn nothing_opens_by_waiting_nor_by_a_rule_that_comes_later() {
    let mut world = world("{ up-to = \"30m\", each-week = 3 }");
    let (id, _) = Ask::of(maria(), 60).file(&mut world).unwrap();
    world.wait(DAY);
    assert!(world.state.grant(id.into()).is_none());
    world.policy = site("{ up-to = \"4h\", each-week = 3 }");
    world.settle();
    assert!(
        world.state.grant(id.into()).is_none() && world.state.pending().is_empty(),
        "its role has changed"
    );
}

#[test]
fn while_the_clock_is_suspect_nothing_opens_without_a_review() {
    let mut world = world("{ up-to = \"30m\", each-week = 3 }");
    for why in [Suspicion::Behind, Suspicion::Ahead] {
        world.now.suspect = Some(why);
        assert_eq!(Ask::of(maria(), 5).waits(&mut world), TakesStages::Clock);
    }
    world.now.suspect = None;
    Ask::of(maria(), 5).opens(&mut world);
}

#[test]
fn short_windows_without_a_break_come_to_the_length_of_all_of_them() {
    let mut world = world("{ up-to = \"30m\", each-week = 9 }");
    Ask::of(maria(), 20).opens(&mut world);
    world.wait(MINUTE * 19);
    let next = Ask::of(maria(), 20).waits(&mut world);
    assert!(matches!(next, TakesStages::Longer { together, .. } if together == MINUTE * 39), "{next}");
    assert!(next.to_string().ends_with("comes to 39m with what it follows without a break"), "{next}");
    // Nor by the other account, nor once it is over by seconds.
    let other = subject("adm-maria", 2001);
    assert!(matches!(Ask::of(other, 20).waits(&mut world), TakesStages::Longer { .. }));
    world.wait(MINUTE + Duration::from_secs(30));
    assert!(matches!(Ask::of(maria(), 20).waits(&mut world), TakesStages::Longer { .. }));
    world.wait(MINUTE);
    Ask::of(maria(), 20).opens(&mut world);
}

#[test]
fn beside_a_window_that_people_approved_nothing_more_opens_without_them() {
    let mut world = world("{ up-to = \"30m\", each-week = 9 }");
    let (id, _) = Ask::of(maria(), 240).file(&mut world).unwrap();
    world.review(&root(), id, Decision::Approve).unwrap();
    assert!(matches!(Ask::of(maria(), 5).waits(&mut world), TakesStages::Longer { .. }));
    world.wait(MINUTE * 239);
    assert!(matches!(Ask::of(maria(), 5).waits(&mut world), TakesStages::Longer { .. }));
}

#[test]
fn an_extension_of_what_policy_opened_takes_the_stages() {
    let mut world = world("{ up-to = \"30m\", each-week = 9 }");
    let base = Ask::of(maria(), 5).opens(&mut world);
    let id = world.next_id();
    let order = ExtendOrder {
        beneficiary: maria(),
        grant: base.into(),
        duration: Some(MINUTE),
        reason: "INC-7 look on".parse().unwrap(),
        id,
    };
    let events = extend(world.here(), &as_self(maria()), order).unwrap();
    world.apply(events);
    assert!(world.state.grant(id.into()).is_none());
    let why = takes_stages(world.here(), id, &as_self(maria()), None);
    assert_eq!(why, Some(TakesStages::Extends));
    assert_eq!(world.review(&root(), id, Decision::Approve), Ok(true));
}

#[test]
fn each_opening_counts_for_seven_days_whatever_becomes_of_it_and_for_all_names_of_a_person() {
    let mut world = world("{ up-to = \"30m\", each-week = 2 }");
    let first = world.now.wall;
    let id = Ask::of(maria(), 30).opens(&mut world);
    // Given back at once, it has opened.
    given_back(&mut world, id, maria());
    world.wait(DAY);
    // What takes the stages, and what is denied there, counts not.
    let (denied, _) = Ask::of(maria(), 60).file(&mut world).unwrap();
    world.review(&root(), denied, Decision::Deny).unwrap();
    Ask::of(subject("adm-maria", 2001), 30).opens(&mut world);
    world.wait(DAY);
    for who in [maria(), subject("adm-maria", 2001), subject("maria2", 1001)] {
        if who.name.as_str() != "maria2" {
            let why = Ask::of(who, 5).waits(&mut world);
            let next = first.plus(WEEK).whole_seconds();
            assert_eq!(why, TakesStages::EachWeek { most: 2.try_into().unwrap(), next });
        }
    }
    Ask::of(erik(), 30).opens(&mut world);
    world.wait((DAY * 5).checked_sub(MINUTE).unwrap());
    assert!(matches!(Ask::of(maria(), 5).waits(&mut world), TakesStages::EachWeek { .. }));
    world.wait(MINUTE);
    Ask::of(maria(), 5).opens(&mut world);
    world.wait(MINUTE * 10);
    assert!(matches!(Ask::of(maria(), 5).waits(&mut world), TakesStages::EachWeek { .. }));
}

#[test]
fn a_second_name_of_the_uid_is_counted_as_the_first() {
    let mut world = world("{ up-to = \"30m\", each-week = 1 }");
    world.policy = policy(
        &SITE
            .replace("RULE", "{ up-to = \"30m\", each-week = 1 }")
            .replace("\"erik\"]", "\"erik\", \"erik2\"]"),
    );
    let id = Ask::of(erik(), 5).opens(&mut world);
    given_back(&mut world, id, erik());
    world.wait(MINUTE * 10);
    assert!(matches!(Ask::of(subject("erik2", 1002), 5).waits(&mut world), TakesStages::EachWeek { .. }));
    // Whoever has that name with another uid is taken for the same, too: less, and never more.
    assert!(matches!(Ask::of(subject("erik", 1042), 5).waits(&mut world), TakesStages::EachWeek { .. }));
}

#[test]
fn no_clock_that_steps_and_no_restart_gives_an_opening_back() {
    let mut world = world("{ up-to = \"30m\", each-week = 1 }");
    let id = Ask::of(maria(), 5).opens(&mut world);
    given_back(&mut world, id, maria());
    let opened = world.now.clone();
    let counts = |world: &mut World| matches!(Ask::of(maria(), 5).waits(world), TakesStages::EachWeek { .. });
    // The wall clock runs ahead of the other, and is believed.
    world.now.wall = opened.wall.plus(WEEK * 2);
    assert!(counts(&mut world));
    let stored = Stored {
        earlier: world.state.earlier(&"shell".parse().unwrap()).cloned().collect(),
        next_seq: world.state.next_seq(),
        ..Stored::default()
    };
    world.state = State::restore(stored);
    assert!(counts(&mut world));
    world.now = at_next_boot(opened.wall.plus(DAY * 6).unix_millis(), 1);
    assert!(counts(&mut world));
    // Set back to before it opened.
    world.now = at_next_boot(opened.wall.unix_millis() - 1_000, 60_000);
    assert!(counts(&mut world));
    world.now = at_next_boot(opened.wall.plus(WEEK).unix_millis(), 1);
    Ask::of(maria(), 5).opens(&mut world);
}

#[test]
fn it_opens_for_logins_from_the_addresses_that_are_listed_and_admits_from_no_others() {
    let mut world = world("{ up-to = \"30m\", each-week = 9, from = [\"10.1.0.0/16\"] }");
    let near: Option<IpAddr> = Some("10.1.2.3".parse().unwrap());
    let far: Option<IpAddr> = Some("10.2.0.1".parse().unwrap());
    let why = Ask { from: far, ..Ask::of(maria(), 5) }.waits(&mut world);
    assert_eq!(
        why.to_string(),
        "without one it opens for logins from 10.1.0.0/16, and yours comes from 10.2.0.1"
    );
    let why = Ask::of(maria(), 5).waits(&mut world);
    assert!(why.to_string().ends_with("yours comes from no address that is known"), "{why}");
    let id = Ask { from: near, ..Ask::of(maria(), 5) }.opens(&mut world);
    assert_eq!(world.state.grant(id.into()).unwrap().by_policy.unwrap().from, near);
    let login = |world: &World, from| {
        let question = World::question("sshd", &maria(), Stage::Account);
        world.ask(&crate::model::Question { from, ..question })
    };
    assert!(login(&world, near).admission().is_some());
    assert_eq!(login(&world, far).why(), Why::OtherAddress);
    assert_eq!(login(&world, None).why(), Why::OtherAddress);
}

#[test]
fn all_of_the_window_is_within_the_hours_by_the_clock_of_their_zone() {
    let hours = "hours = [{ days = \"mon-fri\", from = \"07:00\", to = \"19:00\", tz = \"Europe/Berlin\" }]";
    let mut world = world(&format!("{{ up-to = \"1h\", each-week = 9, {hours} }}"));
    let mut at = |time: &str, minutes| {
        world.now.wall = time.parse().unwrap();
        let (id, why) = Ask::of(maria(), minutes).file(&mut world).unwrap();
        if why.is_none() {
            given_back(&mut world, id, maria());
            world.now.boot += 3_600_000;
        } else {
            world.apply([Event::Withdrawn { request: id, reason: None }]);
        }
        why
    };
    // Monday; Berlin is an hour ahead of UTC.
    assert!(matches!(at("2026-11-23T05:59:59Z", 5), Some(TakesStages::Hours(_))));
    assert_eq!(at("2026-11-23T06:00:00Z", 60), None);
    assert_eq!(at("2026-11-23T17:00:00Z", 60), None);
    let late = at("2026-11-23T17:31:00Z", 30).unwrap();
    assert_eq!(
        late.to_string(),
        "without one it opens within mon,tue,wed,thu,fri 07:00-19:00 Europe/Berlin, to its end"
    );
    assert!(matches!(at("2026-11-28T12:00:00Z", 5), Some(TakesStages::Hours(_))), "on a Saturday");
}

#[test]
fn a_policy_that_opens_less_without_a_review_shortens_and_shuts_what_it_has_opened() {
    let mut world = world("{ up-to = \"1h\", each-week = 9 }");
    Ask::of(maria(), 60).opens(&mut world);
    let left = |world: &World| world.check("sshd", &maria()).admission().map(|admits| admits.remaining);
    assert_eq!(left(&world), Some(MINUTE * 60));
    world.policy = site("{ up-to = \"20m\", each-week = 9 }");
    assert_eq!(left(&world), Some(MINUTE * 20));
    world.wait(MINUTE * 20);
    assert_eq!(left(&world), None);
    world.policy = site("{ up-to = \"4h\", each-week = 9 }");
    assert_eq!(left(&world), Some(MINUTE * 40), "a laxer one gives no more than was opened");
    world.policy = site("{ up-to = \"1h\", each-week = 9, from = [\"10.1.0.0/16\"] }");
    assert_eq!(world.check("sshd", &maria()).why(), Why::OtherAddress);
    world.policy = policy(&SITE.replace("unreviewed = RULE\n", ""));
    assert_eq!(world.check("sshd", &maria()).why(), Why::RoleChanged);
    // What people have approved stays as it was.
    let (id, why) = Ask::of(erik(), 60).file(&mut world).unwrap();
    assert_eq!(why, None, "there is no rule to say why");
    assert_eq!(world.review(&root(), id, Decision::Approve), Ok(true));
}

#[test]
fn a_lock_a_limit_and_a_role_that_has_ended_stop_what_needs_no_review_as_well() {
    let rule = "{ up-to = \"30m\", each-week = 9 }";
    let mut world = world(rule);
    world.lock("user:maria", None);
    assert!(matches!(Ask::of(maria(), 5).file(&mut world), Err(Refusal::Locked(_))));
    world.unlock("user:maria");
    world.lock("role:shell", None);
    assert!(matches!(Ask::of(maria(), 5).file(&mut world), Err(Refusal::Locked(_))));
    world.unlock("role:shell");
    world.policy = policy(&SITE.replace("RULE", &format!("{rule}\nlimits = {{ at-once = 1 }}")));
    Ask::of(erik(), 5).opens(&mut world);
    assert!(matches!(Ask::of(maria(), 5).file(&mut world), Err(Refusal::NotNow(_))));
    world.policy = policy(&SITE.replace("RULE", &format!("{rule}\nuntil = 2020-01-01")));
    assert!(matches!(Ask::of(maria(), 5).file(&mut world), Err(Refusal::NotNow(_))));
    world.policy =
        policy(&SITE.replace("RULE", rule).replace("\"maria\", \"adm-maria\", \"erik\"", "\"erik\""));
    assert!(matches!(Ask::of(maria(), 5).file(&mut world), Err(Refusal::NotEligible { .. })));
}

#[test]
fn what_policy_opened_counts_for_its_week_though_the_window_before_was_long_ago() {
    let mut world = world("{ up-to = \"30m\", each-week = 1 }");
    let (long_ago, _) = Ask::of(maria(), 31).file(&mut world).unwrap();
    world.review(&root(), long_ago, Decision::Approve).unwrap();
    // Longer than any rest.
    world.wait(Duration::from_hours(24 * 91));
    let id = Ask::of(maria(), 20).opens(&mut world);
    given_back(&mut world, id, maria());
    world.wait(MINUTE * 60);
    assert!(matches!(Ask::of(maria(), 20).waits(&mut world), TakesStages::EachWeek { .. }));
    world.wait(Duration::from_hours(24 * 7));
    Ask::of(maria(), 20).opens(&mut world);
}
