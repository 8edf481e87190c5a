//! Teams, and stages that ask who leads them.

use super::*;
use crate::facts::{Facts, Group, Sudo};
use crate::team::Teams;
use std::collections::BTreeMap;

const TEAMS: &str = r#"
[team.db]
members = { groups = ["dba"], users = ["maria", "olga"] }
leads = { users = ["olga"], groups = ["db-leads"] }
[team.web]
members = { groups = ["web"], except = { users = ["eve"] } }
leads = { users = ["wim", "ada"] }
"#;

fn asking(approvers: &str) -> String {
    format!("{}\n{TEAMS}", with_role(&format!("{ROLE_LINES}\nstage = [{{ approvers = {approvers} }}]")))
}

fn teams() -> Teams {
    load(&asking("{ leads = true }")).teams().clone()
}

fn names(teams: &BTreeSet<TeamName>) -> Vec<String> {
    teams.iter().map(ToString::to_string).collect()
}

#[test]
fn somebody_is_in_the_teams_that_have_them_as_a_member_and_a_lead_is_in_none_for_leading() {
    let teams = teams();
    let of = |name: &str, groups: &[&str]| names(&teams.of(&subject(name, groups)));
    assert_eq!(of("jan", &["dba"]), ["db"]);
    assert_eq!(of("maria", &["web"]), ["db", "web"]);
    assert_eq!(of("eve", &["web"]), Vec::<String>::new());
    assert_eq!(of("wim", &["db-leads"]), Vec::<String>::new());
    let unread = Subject { kept_out_by: KeptOutBy::AllBut(BTreeSet::new()), ..subject("jan", &["dba"]) };
    assert_eq!(names(&teams.of(&unread)), ["db"]);
}

#[test]
fn the_leads_of_these_teams_are_asked_and_as_long_as_nobody_asks_nobody_is() {
    let policy = load(&asking("{ leads = true, users = [\"kai\"] }"));
    let stage = &policy.roles().next().unwrap().stages[0];
    let asked = |stage: &Stage, name: &str, groups: &[&str]| stage.ever_asks(&subject(name, groups));
    assert_eq!(stage.approvers.to_string(), "kai, the leads of the team");
    assert!(asked(stage, "kai", &[]) && !asked(stage, "olga", &[]) && !asked(stage, "x", &["db-leads"]));
    let of = |names: &[&str]| stage.with_leads(&policy.teams().leads(&set(names)));
    let db = of(&["db"]);
    assert_eq!(db.approvers.to_string(), "kai, the leads of team db (olga, @db-leads)");
    assert!(asked(&db, "kai", &[]) && asked(&db, "olga", &[]) && asked(&db, "x", &["db-leads"]));
    assert!(!asked(&db, "wim", &[]), "he leads another");
    let both = of(&["db", "web"]);
    assert!(asked(&both, "wim", &[]) && asked(&both, "olga", &[]));
    let none = of(&["gone"]);
    assert_eq!(none.approvers.to_string(), "kai, the leads of no team");
    assert!(asked(&none, "kai", &[]) && !asked(&none, "olga", &[]));
}

#[test]
fn what_is_no_team_is_refused_and_leads_are_asked_by_stages_alone() {
    let with = |team: &str| codes(&asking("{ leads = true }").replace(TEAMS, team));
    assert_eq!(with(TEAMS), Vec::<&str>::new());
    assert_eq!(with(""), ["JIT140"]);
    assert_eq!(with("[team.db]\nmembers = { users = [\"ana\"] }\n"), ["JIT014"]);
    assert_eq!(with("[team.db]\nleads = { users = [\"ana\"] }\n"), ["JIT014"]);
    assert_eq!(with("[team.db]\nmembers = {}\nleads = { users = [\"ana\"] }\n"), ["JIT016"]);
    assert_eq!(
        with("[team.DB]\nmembers = { users = [\"ana\"] }\nleads = { users = [\"tom\"] }\n"),
        ["JIT017"]
    );
    assert_eq!(
        with("[team.db]\nmembers = { users = [\"ana\"] }\nleads = { leads = true, users = [\"tom\"] }\n"),
        ["JIT012"]
    );
    let role = |old: &str, new: &str| codes(&asking("{ leads = true }").replace(old, new));
    assert_eq!(role("leads = true", "leads = false"), ["JIT016"]);
    assert_eq!(role("leads = true", "leads = \"db\""), ["JIT015"]);
    assert_eq!(
        role("eligible = { groups = [\"dba\"] }", "eligible = { leads = true, groups = [\"dba\"] }"),
        ["JIT012"]
    );
    let twice =
        [file("10.toml", asking("{ leads = true }")), file("20.toml", format!("version = 1\n{TEAMS}"))];
    let found = Policy::parse(&twice).unwrap_err();
    assert_eq!(found.iter().map(|one| one.code).collect::<Vec<_>>(), ["JIT141", "JIT141"]);
}

#[test]
fn a_team_whose_only_lead_is_in_it_is_remarked_on_where_nobody_deputises() {
    let alone = |team: &str, stage: &str| {
        let lines = format!("{ROLE_LINES}\nstage = [{{ {stage} }}]");
        codes(&format!("{}\n{team}", with_role(&lines)))
    };
    let one =
        "[team.db]\nmembers = { users = [\"olga\"], groups = [\"dba\"] }\nleads = { users = [\"olga\"] }\n";
    let leads = "approvers = { leads = true }";
    assert_eq!(alone(one, leads), ["JIT142"]);
    assert_eq!(alone(one, "approvers = { leads = true, users = [\"kai\"] }"), Vec::<&str>::new());
    assert_eq!(
        alone(one, "approvers = { leads = true }, expires = \"8h\", then = { users = [\"kai\"] }"),
        Vec::<&str>::new()
    );
    assert_eq!(
        alone(
            &one.replace("leads = { users = [\"olga\"] }", "leads = { users = [\"olga\", \"tom\"] }"),
            leads
        ),
        Vec::<&str>::new()
    );
    assert_eq!(
        alone(&one.replace("leads = { users", "leads = { groups = [\"x\"], users"), leads),
        Vec::<&str>::new()
    );
    let two_accounts = format!(
        "{}[people]\nolga = {{ accounts = [\"olga\", \"adm-olga\"] }}\n",
        one.replace("leads = { users = [\"olga\"] }", "leads = { users = [\"adm-olga\"] }")
    );
    assert_eq!(alone(&two_accounts, leads), ["JIT142"], "she is one person");
    let another =
        format!("{one}[team.all]\nmembers = {{ users = [\"olga\"] }}\nleads = {{ users = [\"kai\"] }}\n");
    assert_eq!(alone(&another, leads), Vec::<&str>::new(), "the lead of her other team approves for her");
    assert_eq!(alone(one, "approvers = { groups = [\"ops\"] }"), Vec::<&str>::new(), "no role asks leads");
}

#[test]
fn who_is_in_teams_is_part_of_the_terms_of_the_roles_that_ask_leads_and_of_no_others() {
    let terms = |text: &str| {
        let policy = load(text);
        let role = policy.roles().next().unwrap().clone();
        policy.terms(&role)
    };
    let leads = asking("{ leads = true }");
    let mut seen = BTreeSet::from([terms(&leads)]);
    for (old, new) in [
        ("groups = [\"db-leads\"]", "groups = [\"other-leads\"]"),
        ("groups = [\"web\"]", "groups = [\"www\"]"),
        ("[team.web]", "[team.www]"),
        ("{ leads = true }", "{ leads = true, users = [\"kai\"] }"),
    ] {
        assert!(seen.insert(terms(&leads.replace(old, new))), "{old}");
    }
    let others = asking("{ groups = [\"ops\"] }");
    assert_eq!(terms(&others), terms(&others.replace("groups = [\"web\"]", "groups = [\"www\"]")));
    assert_eq!(terms(&others), terms(&others.replace(TEAMS, "")));
}

#[test]
fn what_changes_of_a_team_is_said() {
    let parse = |text: &str| Policy::parse(&[file("a.toml", text)]).unwrap().policy;
    let old = asking("{ leads = true }");
    let said =
        |new: &str| diff(&parse(&old), &parse(new)).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        said(&old.replace("leads = { users = [\"wim\", \"ada\"] }", "leads = { users = [\"wim\"] }")),
        ["~ team web: it is led by wim; was ada, wim"]
    );
    assert_eq!(
        said(&old.replace("[team.web]", "[team.www]")),
        [
            "~ team web: no longer: @web (not eve), led by ada, wim",
            "~ team www: @web (not eve), led by ada, wim"
        ]
    );
    assert_eq!(
        said(&old.replace("groups = [\"dba\"], users", "groups = [\"dbas\"], users")),
        ["~ team db: its members are maria, olga, @dbas; was maria, olga, @dba"]
    );
}

#[test]
fn who_may_ask_on_a_host_and_finds_no_lead_is_told_before_they_ask() {
    let policy = load(&asking("{ leads = true }"));
    let members = |names: &[&str]| Group::Members(set(names));
    let facts = |dba: &[&str], leads: &[&str]| Facts {
        host: host_named("db-1"),
        now: None,
        groups: BTreeMap::from([
            ("dba".parse().unwrap(), members(dba)),
            ("db-leads".parse().unwrap(), members(leads)),
            ("web".parse().unwrap(), members(&["eve"])),
        ]),
        accounts: BTreeMap::new(),
        standing: BTreeMap::new(),
        askers: BTreeMap::new(),
        ends: BTreeSet::new(),
        sessions: BTreeSet::new(),
        services: BTreeMap::new(),
        doors: BTreeMap::new(),
        signers: None,
        sudo: Sudo::default(),
        tickets: None,
        unlisted: None,
    };
    let told = |policy: &Policy, facts: &Facts| -> Vec<String> {
        let all = policy.host_check(facts).into_iter();
        all.filter(|finding| finding.code == "JIT148").map(|finding| finding.message).collect()
    };
    assert_eq!(told(&policy, &facts(&["jan"], &["lea"])), Vec::<String>::new());
    let alone = asking("{ leads = true }").replace(
        "leads = { users = [\"olga\"], groups = [\"db-leads\"] }",
        "leads = { groups = [\"db-leads\"] }",
    );
    assert_eq!(
        told(&load(&alone), &facts(&["jan"], &["jan"])),
        [
            "jan may ask for role `r`, which asks the leads of their teams, and on this host is in no team that somebody else \
             leads: they are refused"
        ]
    );
    let others = asking("{ leads = true }").replace("members = { groups = [\"dba\"],", "members = {");
    assert_eq!(
        told(&load(&others), &facts(&["jan", "maria"], &["lea"])),
        [
            "jan may ask for role `r`, which asks the leads of their teams, and on this host is in no team: they are refused"
        ]
    );
    let unlisted = Facts { unlisted: Some("LDAP lists nothing".to_owned()), ..facts(&["jan"], &["jan"]) };
    assert_eq!(told(&load(&alone), &unlisted), Vec::<String>::new(), "there may be more than are listed");
}
