//! The leads of teams as approvers: those of the teams that whoever gets in was in when they asked, and still is.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{GroupName, RequestId};
use proptest::prelude::*;

use crate::check::explain::{Missing, explain};
use crate::event::Event;
use crate::model::{Decision, Known};
use crate::orders::request::{RequestOrder, file};
use crate::orders::review::{self, Given, Reviewer, concerned, discounts, is_asked, waits_for};
use crate::orders::stages::waiting_for;
use crate::orders::{NoReview, NotNow, Refusal};
use crate::policy::Subject;
use crate::testing::{World, as_self, policy, root, subject};

const SITE: &str = r#"
version = 1
[people]
maria = { accounts = ["maria", "adm-maria"] }
[admins]
users = ["root"]
[[exempt]]
users = ["root"]
services = ["login"]
[team.db]
members = { groups = ["dba"], users = ["olga"] }
leads = { users = ["olga"], groups = ["db-leads"] }
[team.web]
members = { groups = ["web"], users = ["adm-maria"] }
leads = { users = ["wim"] }
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria", "adm-maria", "olga", "erik", "wim"], groups = ["web"] }
max-duration = "4h"
[[role.shell.stage]]
name = "lead"
approvers = { leads = true }
denials = 2
[[role.shell.stage]]
name = "owner"
approvers = { users = ["owen"] }
"#;

fn world() -> World {
    let mut world = World::new();
    world.policy = policy(SITE);
    world
}

fn all(groups: &[&str]) -> BTreeSet<GroupName> {
    groups.iter().map(|group| group.parse().unwrap()).collect()
}

/// Somebody in these groups, whom the name service knows from then on.
fn person(world: &mut World, name: &str, uid: u32, groups: &[&str]) -> Subject {
    world.groups.insert(name.parse().unwrap(), all(groups));
    Subject { groups: all(groups), ..subject(name, uid) }
}

fn dba(world: &mut World) -> Subject {
    person(world, "maria", 1001, &["dba"])
}

fn olga() -> Subject {
    subject("olga", 1003)
}

fn wim() -> Subject {
    subject("wim", 1020)
}

fn owen() -> Subject {
    subject("owen", 1021)
}

fn ask(world: &mut World, who: &Subject) -> Result<RequestId, Refusal> {
    world.file(who.clone(), "shell", "INC-1 look")
}

fn approve(world: &mut World, by: &Subject, id: RequestId) -> Result<bool, Refusal> {
    world.review(by, id, Decision::Approve)
}

fn no_review(refusal: Refusal) -> NoReview {
    match refusal {
        Refusal::NoReview { why, .. } => why,
        other => panic!("{other}"),
    }
}

fn not_now<T: std::fmt::Debug>(result: Result<T, Refusal>) -> NotNow {
    match result {
        Err(Refusal::NotNow(why)) => *why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_leads_of_the_team_of_whoever_asks_approve_and_those_of_another_do_not() {
    let mut world = world();
    let (maria, lea) = (dba(&mut world), person(&mut world, "lea", 1030, &["db-leads"]));
    let id = ask(&mut world, &maria).unwrap();
    let pending = &world.state.pending()[&id];
    assert_eq!(
        waiting_for(world.here(), pending),
        "1 approval from the leads of team db (olga, @db-leads) (stage 'lead')"
    );
    assert!(
        waits_for(world.here(), pending, &as_self(olga()))
            && waits_for(world.here(), pending, &as_self(lea.clone()))
    );
    assert!(
        is_asked(world.here(), &pending.request, &olga())
            && !is_asked(world.here(), &pending.request, &wim())
    );
    let refused = no_review(approve(&mut world, &wim(), id).unwrap_err());
    assert_eq!(refused.to_string(), "stage 'lead' asks the leads of team db (olga, @db-leads)");
    assert!(!approve(&mut world, &lea, id).unwrap());
    assert!(approve(&mut world, &owen(), id).unwrap());
}

#[test]
fn who_is_in_several_teams_has_the_leads_of_each_and_in_none_is_refused_with_what_to_do() {
    let mut world = world();
    let both = person(&mut world, "maria", 1001, &["dba", "web"]);
    for lead in [olga(), wim()] {
        let id = ask(&mut world, &both).unwrap();
        approve(&mut world, &lead, id).unwrap();
        assert!(approve(&mut world, &owen(), id).unwrap());
    }
    let erik = person(&mut world, "erik", 1002, &["db-leads"]);
    let why = not_now(ask(&mut world, &erik));
    assert_eq!(
        why.to_string(),
        "stage 'lead' of role 'shell' asks the leads of your team, and policy has erik in none; an admin (root) can add erik to \
         the members of a [team], or somebody beside `leads`"
    );
    let explained = |world: &World, who: &Subject| {
        let question = World::question("sshd", who, Stage::Account);
        let explained = explain(&world.policy, &world.state, &world.host, &question, &world.now);
        (explained.roles[0].missing, explained.roles[0].approvers.clone(), explained.line().to_owned())
    };
    let (missing, _, line) = explained(&world, &erik);
    assert_eq!(missing, Missing::Team);
    assert!(line.contains("policy has erik in none"), "{line}");
    let mut other = self::world();
    let fresh = dba(&mut other);
    assert_eq!(explained(&other, &fresh).1, "the leads of team db (olga, @db-leads)");
}

#[test]
fn who_leads_their_team_alone_is_refused_and_nobody_approves_for_themselves_under_whatever_account() {
    let mut world = world();
    // wim leads web, and is no member; olga is a member of db, whose other leads are a group's.
    let id = ask(&mut world, &olga()).unwrap();
    assert!(matches!(no_review(approve(&mut world, &olga(), id).unwrap_err()), NoReview::OwnRequest));
    let lea = person(&mut world, "lea", 1030, &["db-leads"]);
    approve(&mut world, &lea, id).unwrap();
    let alone = SITE
        .replace(
            "leads = { users = [\"olga\"], groups = [\"db-leads\"] }",
            "leads = { users = [\"adm-olga\"] }",
        )
        .replace("[people]", "[people]\nolga = { accounts = [\"olga\", \"adm-olga\"] }");
    let files = [crate::policy::SourceFile { name: "a.toml".to_owned(), bytes: alone.clone().into() }];
    world.policy = crate::policy::Policy::parse(&files).unwrap().policy;
    let why = not_now(ask(&mut world, &olga()));
    assert_eq!(
        why.to_string(),
        "stage 'lead' of role 'shell' asks the leads of team db, and none of them may approve for olga: nobody does for themselves; an \
         admin (root) can name another lead, or somebody who deputises (`then`)"
    );
    let deputy = alone.replace("denials = 2", "expires = \"8h\"\nthen = { users = [\"kai\"] }");
    world.policy = policy(&deputy);
    let id = ask(&mut world, &olga()).unwrap();
    world.wait(Duration::from_hours(9));
    approve(&mut world, &subject("kai", 1040), id).unwrap();
    assert!(approve(&mut world, &owen(), id).unwrap());
}

#[test]
fn each_account_of_a_person_has_the_leads_of_its_own_teams_and_a_person_who_leads_counts_once() {
    let mut world = world();
    let maria = dba(&mut world);
    let adm = person(&mut world, "adm-maria", 2001, &[]);
    let (one, other) = (ask(&mut world, &maria).unwrap(), ask(&mut world, &adm).unwrap());
    let teams = |id: &RequestId| {
        world.state.pending()[id].request.teams.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!((teams(&one), teams(&other)), (vec!["db".to_owned()], vec!["web".to_owned()]));
    assert!(matches!(no_review(approve(&mut world, &wim(), one).unwrap_err()), NoReview::NotApprover { .. }));
    // Whoever leads the team of one of her accounts and is herself reviews for neither.
    let adm_leads = SITE.replace("leads = { users = [\"wim\"] }", "leads = { users = [\"wim\", \"maria\"] }");
    world.policy = policy(&adm_leads);
    let again = ask(&mut world, &adm).unwrap();
    assert!(matches!(no_review(approve(&mut world, &maria, again).unwrap_err()), NoReview::OwnRequest));
}

#[test]
fn who_leaves_their_team_while_a_request_waits_has_its_leads_no_more_and_those_of_another_neither() {
    let mut world = world();
    let maria = dba(&mut world);
    let id = ask(&mut world, &maria).unwrap();
    world.groups.insert(maria.name.clone(), all(&["web"]));
    for lead in [olga(), wim()] {
        let result = approve(&mut world, &lead, id);
        let why = not_now(result);
        assert!(matches!(&why, NotNow::LeftTeams { teams, .. } if teams == "db"), "{why}");
        assert!(why.to_string().ends_with(&format!("jitctl withdraw {id}")), "{why}");
    }
    // Less is never kept from anybody: a lead of then says no.
    world.review(&olga(), id, Decision::Deny).unwrap();
    assert_eq!(discounts(world.here(), id, &world.lookups(id)).unwrap(), [], "a denial stays");
    let lea = person(&mut world, "lea", 1030, &["db-leads"]);
    world.review(&lea, id, Decision::Deny).unwrap();
    assert!(!world.state.pending().contains_key(&id));
}

#[test]
fn an_approval_of_a_lead_counts_no_more_once_their_member_has_left_for_another_stage_too() {
    let mut world = world();
    let both = person(&mut world, "maria", 1001, &["dba", "web"]);
    let id = ask(&mut world, &both).unwrap();
    approve(&mut world, &olga(), id).unwrap();
    world.groups.insert(both.name.clone(), all(&["web"]));
    // She is still in one of the two: its lead is asked, and what the lead of the other has said is gone.
    let refused = no_review(approve(&mut world, &owen(), id).unwrap_err());
    assert!(matches!(refused, NoReview::TooEarly { .. }), "{refused}");
    let events = discounts(world.here(), id, &world.lookups(id)).unwrap();
    assert!(matches!(&events[..], [Event::Discounted { by, .. }] if by.name == olga().name));
    world.apply(events);
    approve(&mut world, &wim(), id).unwrap();
    assert!(approve(&mut world, &owen(), id).unwrap());
}

#[test]
fn a_lead_who_is_none_any_more_counts_no_more_and_a_group_that_cannot_be_read_refuses() {
    let mut world = world();
    let maria = dba(&mut world);
    let lea = person(&mut world, "lea", 1030, &["db-leads"]);
    let id = ask(&mut world, &maria).unwrap();
    approve(&mut world, &lea, id).unwrap();
    world.groups.insert(lea.name.clone(), all(&[]));
    assert_eq!(discounts(world.here(), id, &world.lookups(id)).unwrap().len(), 1);
    world.groups.insert(lea.name.clone(), all(&["db-leads"]));
    assert_eq!(concerned(&world.state, id).len(), 2);
    // Of the lead, or of whoever asked, something is not said on which it depends.
    for unread in [&maria, &lea] {
        let mut lookups = world.lookups(id);
        lookups.insert(
            unread.name.clone(),
            Known::partly(Subject { groups: all(&[]), ..unread.clone() }, all(&[])),
        );
        let owen = as_self(owen());
        let given = Given::new(Reviewer::Online(&owen), Decision::Approve);
        let refused = review::review(world.here(), id, None, &given, &lookups).unwrap_err();
        let Refusal::Unanswered { user, groups } = refused else { panic!("{refused}") };
        assert_eq!(user, unread.name);
        assert!(
            groups.contains(&"dba".parse().unwrap()) && groups.contains(&"db-leads".parse().unwrap()),
            "{groups:?}"
        );
    }
    assert!(approve(&mut world, &owen(), id).unwrap(), "the twin: all of it is known");
}

#[test]
fn under_teams_that_policy_has_changed_a_request_opens_nothing_and_is_asked_for_again() {
    for (old, new) in [
        ("leads = { users = [\"wim\"] }", "leads = { users = [\"wim\", \"eve\"] }"),
        ("groups = [\"dba\"], users = [\"olga\"]", "groups = [\"dba\"]"),
    ] {
        let mut world = world();
        let maria = dba(&mut world);
        let id = ask(&mut world, &maria).unwrap();
        world.policy = policy(&SITE.replace(old, new));
        let refused = approve(&mut world, &olga(), id).unwrap_err();
        assert!(matches!(refused, Refusal::TermsChanged(_)), "{refused}");
        let again = ask(&mut world, &maria).unwrap();
        approve(&mut world, &olga(), again).unwrap();
    }
}

#[test]
fn an_admin_who_asks_for_somebody_has_the_leads_of_that_somebody_asked() {
    let mut world = world();
    let maria = dba(&mut world);
    let id = world.grant(&as_self(root()), maria, "shell", None).unwrap();
    assert!(matches!(no_review(approve(&mut world, &wim(), id).unwrap_err()), NoReview::NotApprover { .. }));
    approve(&mut world, &olga(), id).unwrap();
    let erik = person(&mut world, "erik", 1002, &[]);
    let why = not_now(world.grant(&as_self(root()), erik, "shell", None));
    assert!(matches!(why, NotNow::NoTeam { .. }), "{why}");
}

#[test]
fn an_emergency_opens_for_whoever_has_no_team_and_any_admin_reviews_it() {
    let site = SITE.replace("max-duration = \"4h\"", "max-duration = \"4h\"\nemergency = true");
    let mut world = world();
    world.policy = policy(&site);
    let erik = person(&mut world, "erik", 1002, &[]);
    let id = ask(&mut world, &erik).unwrap();
    assert!(world.state.grant(id.into()).is_some());
    assert!(waiting_for(world.here(), &world.state.owed()[&id]).contains("1 approval from root"));
    world.review(&root(), id, Decision::Approve).unwrap();
    assert!(world.state.owed().is_empty());
    // The twin: who is in a team owes it to their lead, also once policy has it no more.
    let maria = dba(&mut world);
    let id = ask(&mut world, &maria).unwrap();
    assert!(waiting_for(world.here(), &world.state.owed()[&id]).contains("the leads of team db"));
    world.policy = policy(&site.replace("[team.db]", "[team.dbs]"));
    assert!(waiting_for(world.here(), &world.state.owed()[&id]).contains("1 approval from root"));
}

#[test]
fn leads_beside_others_in_one_stage_are_a_set_of_their_own() {
    let site = SITE
        .replace("approvers = { leads = true }", "approvers = [{ leads = true }, { groups = [\"secops\"] }]");
    let mut world = world();
    world.policy = policy(&site);
    let maria = dba(&mut world);
    let sec = person(&mut world, "olga", 1003, &["secops"]);
    let other = person(&mut world, "sam", 1050, &["secops"]);
    let id = ask(&mut world, &maria).unwrap();
    approve(&mut world, &sec, id).unwrap();
    assert_eq!(
        waiting_for(world.here(), &world.state.pending()[&id]),
        "1 approval from the leads of team db (olga, @db-leads) or @secops (stage 'lead')"
    );
    approve(&mut world, &other, id).unwrap();
    assert!(approve(&mut world, &owen(), id).unwrap());
}

#[test]
fn the_teams_of_a_request_are_on_record_and_of_a_role_that_asks_no_leads_there_are_none() {
    let mut world = world();
    let maria = dba(&mut world);
    let id = ask(&mut world, &maria).unwrap();
    let json = serde_json::to_value(&world.state.pending()[&id].request).unwrap();
    assert_eq!(json["teams"], serde_json::json!(["db"]));
    world.policy = policy(&SITE.replace("{ leads = true }", "{ groups = [\"db-leads\"] }"));
    let id = ask(&mut world, &maria).unwrap();
    let json = serde_json::to_value(&world.state.pending()[&id].request).unwrap();
    assert_eq!(json.get("teams"), None);
}

proptest! {
    #[test]
    fn whatever_becomes_of_teams_meanwhile_a_window_opens_on_the_word_of_a_lead_of_a_team_of_then_and_now_alone(
        asks in 0..8_usize, changes in proptest::collection::vec((0..8_usize, 0..4_usize, any::<bool>()), 1..8),
    ) {
        const GROUPS: [&str; 3] = ["a", "b", "c"];
        let groups = |bits: usize| (0..3).filter(|n| bits & (1 << n) != 0).map(|n| GROUPS[n]).collect::<Vec<_>>();
        let mut text = SITE.to_owned();
        for group in GROUPS {
            text += &format!("[team.{group}]\nmembers = {{ groups = [\"{group}\"] }}\nleads = {{ users = [\"lead-{group}\"] }}\n");
        }
        let mut world = World::new();
        world.policy = policy(&text);
        let maria = person(&mut world, "maria", 1001, &groups(asks));
        let asked = ask(&mut world, &maria);
        prop_assert_eq!(asked.is_err(), asks == 0, "without a team nobody asks");
        let Ok(id) = asked else { return Ok(()) };
        for (is_in, lead, owner) in changes {
            world.groups.insert(maria.name.clone(), all(&groups(is_in)));
            let by = if owner { owen() } else { subject(&format!("lead-{}", ["a", "b", "c", "x"][lead]), 3_000 + u32::try_from(lead).unwrap()) };
            let before = world.state.pending().get(&id).cloned();
            let result = approve(&mut world, &by, id);
            let Some(before) = before else { break };
            if result == Ok(true) {
                // Somebody who leads a team that she was in when she asked and is in now has said yes.
                let leads = before.reviews.iter().filter(|one| one.stage == "lead").map(|one| one.by.name.to_string());
                let counts = leads.filter(|name| (0..3).any(|n| asks & is_in & (1 << n) != 0 && *name == format!("lead-{}", GROUPS[n])));
                prop_assert!(counts.count() > 0, "{before:?}");
                break;
            }
            if result.is_ok() && !owner {
                prop_assert!(lead < 3 && asks & is_in & (1 << lead) != 0, "lead {lead} of {is_in:b}, asked in {asks:b}");
            }
        }
    }
}

#[test]
fn who_has_no_team_gets_what_policy_opens_by_itself_and_is_told_of_the_leads_for_the_rest() {
    let mut world = World::new();
    let rule = "max-duration = \"4h\"\nreason = { pattern = \"^(?<ticket>INC-[0-9]+) .+\" }\n\
        unreviewed = { up-to = \"1h\", each-week = 3 }\n";
    world.policy = policy(&SITE.replace("max-duration = \"4h\"\n", rule));
    let erik = person(&mut world, "erik", 1002, &[]);
    let file = |world: &mut World, hours: u64| {
        let order = RequestOrder {
            beneficiary: erik.clone(),
            role: "shell".parse().unwrap(),
            duration: Some(Duration::from_hours(hours)),
            start: None,
            reason: "INC-1 look".parse().unwrap(),
            id: world.next_id(),
        };
        file(world.here(), &as_self(erik.clone()), order)
    };
    let refused = file(&mut world, 2).unwrap_err();
    assert!(matches!(&refused, Refusal::NotNow(why) if matches!(**why, NotNow::NoTeam { .. })), "{refused}");
    let opened = file(&mut world, 1).unwrap();
    assert!(matches!(&opened[..], [Event::Requested { .. }, Event::Opened { .. }]), "{opened:?}");
}

#[test]
fn a_team_whose_leads_the_stage_excepts_is_one_without_leads() {
    let mut world = World::new();
    let narrowed = "approvers = { leads = true, except = { users = [\"wim\"] } }";
    world.policy = policy(&SITE.replace("approvers = { leads = true }", narrowed));
    let eve = person(&mut world, "eve", 1022, &["web"]);
    let refused = ask(&mut world, &eve).unwrap_err();
    assert!(
        matches!(&refused, Refusal::NotNow(why) if matches!(**why, NotNow::LeadsAlone { .. })),
        "{refused}"
    );
    let maria = dba(&mut world);
    ask(&mut world, &maria).unwrap();
}
