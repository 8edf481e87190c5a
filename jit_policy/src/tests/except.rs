//! `all`, `except` and `hosts-except`: who and what a rule does not mean, though it names them.

use super::*;
use crate::facts::{Account, Facts, Group, Sudo};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A policy whose role is for these people, with persons.
fn role_for(eligible: &str) -> String {
    let lines = ROLE_LINES.replace("{ groups = [\"dba\"] }", eligible);
    format!(
        "{}\n[people]\nmaria = {{ accounts = [\"maria\", \"adm-maria\"] }}\n\
         kim = {{ accounts = [\"support\"], own = [\"kim\"], ssh-keys = [\"SHA256:{}A\"] }}\n\
         jo = {{ accounts = [\"support\"], ssh-keys = [\"SHA256:{}E\"] }}\n",
        with_role(&lines),
        "x".repeat(42),
        "x".repeat(42)
    )
}

fn eligible(text: &str) -> Who {
    load(&role_for(text)).roles().next().unwrap().eligible.clone()
}

#[test]
fn of_those_who_are_named_who_is_excepted_or_lacks_a_group_is_not_meant() {
    let who = eligible(
        "{ groups = [\"devops\"], users = [\"otto\"], all = [\"vetted\", \"trained\"], except = { groups = [\"interns\"] } }",
    );
    assert_eq!(who.to_string(), "otto, @devops (in @trained and @vetted; not @interns)");
    for (name, groups, is_meant) in [
        ("ana", &["devops", "vetted", "trained"][..], true),
        ("otto", &["vetted", "trained"], true),
        ("ana", &["devops", "vetted"], false),
        ("otto", &["trained"], false),
        ("ana", &["devops", "vetted", "trained", "interns"], false),
        ("otto", &["vetted", "trained", "interns"], false),
        ("ana", &["vetted", "trained"], false),
    ] {
        assert_eq!(who.contains(&subject(name, groups)), is_meant, "{name} {groups:?}");
    }
}

#[test]
fn who_is_excepted_by_one_account_is_so_by_all_that_are_theirs() {
    let who = eligible("{ groups = [\"devops\"], except = { users = [\"maria\"] } }");
    for (name, is_meant) in [("maria", false), ("adm-maria", false), ("ana", true)] {
        assert_eq!(who.contains(&subject(name, &["devops"])), is_meant, "{name}");
    }
    let other_name = Subject { also: set(&["maria"]), is_local: false, ..subject("m", &["devops"]) };
    assert!(
        !who.contains(&other_name),
        "a name of hers that gains her nothing is held against her all the same"
    );
    // As a person, and on an account that she shares as far as it is not known who comes.
    let who = eligible("{ users = [\"support\"], groups = [\"devops\"], except = { people = [\"kim\"] } }");
    assert_eq!(who.to_string(), "support, @devops (not person kim)");
    let support = subject("support", &[]);
    let as_person = |name: &str| support.as_person(Some(name.parse().unwrap()));
    assert!(who.contains(&as_person("jo")) && !who.contains(&as_person("kim")));
    assert!(!who.contains(&support), "it may be kim");
    assert!(!who.contains(&subject("kim", &["devops"])), "it is kim's own account");
}

#[test]
fn a_group_that_was_not_read_excepts_and_one_that_somebody_must_be_in_does_not_let_in() {
    let who = eligible("{ groups = [\"devops\"], except = { groups = [\"interns\"] } }");
    let read = |not_in: &[&str]| Subject {
        kept_out_by: KeptOutBy::AllBut(set(not_in)),
        ..subject("ana", &["devops"])
    };
    assert!(!who.contains(&read(&[])), "of the interns nothing is known");
    assert!(who.contains(&read(&["interns"])), "she is known not to be one");
    let supposed = subject("ana", &[]).supposed_in(set(&["devops", "interns"]));
    assert!(who.contains(&supposed), "what is only supposed lets in and excepts nobody");
    let vetted = eligible("{ users = [\"ana\"], all = [\"vetted\"] }");
    assert!(!vetted.contains(&Subject { kept_out_by: KeptOutBy::AllBut(set(&[])), ..subject("ana", &[]) }));
}

#[test]
fn a_role_is_not_on_a_host_that_it_excepts() {
    let lines = ROLE_LINES
        .replace("hosts = [\"*\"]", "hosts = [\"db-*\", \"web\"]\nhosts-except = [\"db-9\", \"@prod\"]");
    let policy = load(&with_role(&lines));
    let role = policy.roles().next().unwrap();
    assert_eq!(role.shown_hosts(), "db-*, web but not db-9, @prod");
    let in_prod = Host { groups: ["prod".parse().unwrap()].into(), ..host_named("db-1") };
    assert!(role.on_host(&host_named("db-1")) && role.on_host(&host_named("WEB")));
    assert!(
        !role.on_host(&in_prod) && !role.on_host(&host_named("DB-9")) && !role.on_host(&host_named("mail"))
    );
}

#[test]
fn an_exception_that_leaves_nobody_or_no_host_is_refused() {
    for (text, code) in [
        ("{ groups = [\"dba\"], except = { groups = [\"dba\"] } }", "JIT144"),
        ("{ users = [\"ana\"], except = { users = [\"ana\", \"otto\"] } }", "JIT144"),
        ("{ people = [\"kim\"], except = { people = [\"kim\"] } }", "JIT144"),
        ("{ groups = [\"dba\"], all = [\"x\"], except = { groups = [\"x\"] } }", "JIT144"),
        ("{ users = [\"ana\", \"otto\"], except = { users = [\"otto\"] } }", "JIT145"),
        ("{ groups = [\"dba\"], except = { people = [\"nobody-here\"] } }", "JIT113"),
        ("{ all = [\"dba\"] }", "JIT016"),
        ("{ except = { users = [\"ana\"] } }", "JIT016"),
        ("{ groups = [\"dba\"], except = {} }", "JIT016"),
        ("{ groups = [\"dba\"], all = [] }", "JIT016"),
        ("{ groups = [\"dba\"], except = [\"ana\"] }", "JIT015"),
        ("{ groups = [\"dba\"], all = [\"@x\"] }", "JIT017"),
        ("{ groups = [\"dba\"], except = { users = [\"ana\"], hosts = [\"x\"] } }", "JIT012"),
    ] {
        assert_eq!(codes(&role_for(text)), [code], "{text}");
    }
    let with_hosts = |lines: &str| codes(&with_role(&ROLE_LINES.replace("hosts = [\"*\"]", lines)));
    assert_eq!(with_hosts("hosts = [\"db-1\"]\nhosts-except = [\"db-*\"]"), ["JIT146"]);
    assert_eq!(with_hosts("hosts = [\"@prod\"]\nhosts-except = [\"@prod\"]"), ["JIT146"]);
    assert_eq!(with_hosts("hosts = [\"@prod\"]\nhosts-except = [\"*\"]"), ["JIT146"]);
    assert_eq!(with_hosts("hosts = [\"db-*\"]\nhosts-except = [\"web-1\"]"), ["JIT149"]);
    assert_eq!(with_hosts("hosts = [\"db-*\", \"@prod\"]\nhosts-except = [\"web-1\"]"), Vec::<&str>::new());
    assert_eq!(with_hosts("hosts = [\"db-*\"]\nhosts-except = []"), ["JIT016"]);
}

#[test]
fn who_is_excepted_is_missed_where_people_are_counted() {
    let with = |approvers: &str| {
        codes(&with_role(&format!("{ROLE_LINES}\nstage = [{{ approvers = {approvers}, approvals = 2 }}]")))
    };
    assert_eq!(
        with("{ users = [\"ana\", \"tom\", \"eva\"], except = { users = [\"x\"] } }"),
        Vec::<&str>::new()
    );
    assert_eq!(with("{ users = [\"ana\", \"tom\"], except = { users = [\"tom\"] } }"), ["JIT033", "JIT145"]);
    // Also where the exception is of another account of theirs.
    let stage = "stage = [{ approvers = { users = [\"ana\", \"adm-maria\"], except = { people = [\"maria\"] } }, approvals = 2 }]";
    let text = role_for("{ groups = [\"dba\"] }")
        .replace("stage = [{ approvers = { groups = [\"leads\"] } }]", stage);
    assert_eq!(codes(&text), ["JIT046"]);
}

#[test]
fn a_console_that_depends_on_what_a_name_service_says_is_none() {
    let exempt =
        |more: &str| BASE.replace("services = [\"login\"]", &format!("services = [\"login\"]{more}"));
    assert_eq!(codes(&exempt("")), Vec::<&str>::new());
    assert_eq!(codes(&exempt(", except = { users = [\"toor\"] }")), Vec::<&str>::new());
    assert_eq!(codes(&exempt(", except = { groups = [\"interns\"] }")), ["JIT036"]);
    assert_eq!(codes(&exempt(", all = [\"wheel\"]")), ["JIT036"]);
}

#[test]
fn admins_of_several_tables_add_up_only_where_none_leaves_somebody_out() {
    let second = |lines: &str| {
        let files = [file("10.toml", BASE), file("20.toml", format!("version = 1\n[admins]\n{lines}\n"))];
        Policy::parse(&files)
            .map_or_else(|all| all, |loaded| loaded.warnings)
            .iter()
            .map(|f| f.code)
            .collect::<Vec<_>>()
    };
    assert_eq!(second("groups = [\"ops\"]"), Vec::<&str>::new());
    assert_eq!(second("groups = [\"ops\"]\nexcept = { users = [\"ana\"] }"), ["JIT147"]);
    assert_eq!(second("groups = [\"ops\"]\nall = [\"vetted\"]"), ["JIT147"]);
    let one = BASE.replace(
        "admins = { users = [\"root\"] }",
        "admins = { users = [\"root\"], groups = [\"ops\"], except = { users = [\"ana\"] } }",
    );
    let policy = load(&one);
    assert!(policy.is_admin(&subject("tom", &["ops"])) && !policy.is_admin(&subject("ana", &["ops"])));
}

fn told(old: &str, new: &str) -> Vec<String> {
    let parse = |text: &str| Policy::parse(&[file("a.toml", text)]).unwrap().policy;
    diff(&parse(old), &parse(new)).iter().map(ToString::to_string).collect()
}

#[test]
fn less_who_is_left_out_is_more_access_and_said_so() {
    let plain = role_for("{ groups = [\"devops\"] }");
    let narrow =
        role_for("{ groups = [\"devops\"], all = [\"vetted\"], except = { groups = [\"interns\"] } }");
    let who = "@devops (in @vetted; not @interns)";
    assert_eq!(
        told(&plain, &narrow),
        [
            format!("- role r: {who}: except @interns, was nobody"),
            format!("- role r: {who}: must be in @vetted, was no group besides"),
        ]
    );
    assert_eq!(
        told(&narrow, &plain),
        [
            "+ role r: @devops: except nobody, was @interns",
            "+ role r: @devops: must be in no group besides, was @vetted"
        ]
    );
    let hosts = |lines: &str| with_role(&ROLE_LINES.replace("hosts = [\"*\"]", lines));
    let (all, but) = (hosts("hosts = [\"*\"]"), hosts("hosts = [\"*\"]\nhosts-except = [\"@prod\"]"));
    assert_eq!(told(&all, &but), ["- role r: @dba: no longer on @prod, which is excepted"]);
    assert_eq!(told(&but, &all), ["+ role r: @dba: also on @prod, which was excepted"]);
    let admins = |except: &str| {
        BASE.replace(
            "{ users = [\"root\"] }",
            &format!("{{ users = [\"root\"], groups = [\"ops\"]{except} }}"),
        )
    };
    assert_eq!(
        told(&admins(""), &admins(", except = { users = [\"ana\"] }")),
        ["- admins: except ana, was nobody"]
    );
}

#[test]
fn whom_a_role_leaves_out_is_part_of_its_terms() {
    let digest = |text: &str| load(text).roles().next().unwrap().terms_digest();
    let texts = [
        role_for("{ groups = [\"devops\"] }"),
        role_for("{ groups = [\"devops\"], all = [\"vetted\"] }"),
        role_for("{ groups = [\"devops\"], except = { groups = [\"vetted\"] } }"),
        role_for("{ groups = [\"devops\"], except = { users = [\"vetted\"] } }"),
        role_for("{ groups = [\"devops\"], except = { people = [\"maria\"] } }"),
        with_role(&ROLE_LINES.replace("hosts = [\"*\"]", "hosts = [\"*\"]\nhosts-except = [\"vetted\"]")),
    ];
    let digests: BTreeSet<_> = texts.iter().map(|text| digest(text)).collect();
    assert_eq!(digests.len(), texts.len());
}

#[test]
fn the_groups_that_rules_except_are_read_and_looked_for_on_the_host() {
    let policy = load(&role_for(
        "{ groups = [\"devops\"], all = [\"vetted\"], except = { groups = [\"interns\"], users = [\"ana\"] } }",
    ));
    let groups: Vec<String> = policy.groups_at(&"sshd".parse().unwrap()).map(ToString::to_string).collect();
    assert_eq!(groups, ["devops", "vetted", "interns"]);
    assert!(policy.users().any(|user| user.as_str() == "ana"));
    let members = |names: &[&str]| Group::Members(set(names));
    let facts = |vetted: Group, interns: Group| Facts {
        host: host_named("db-1"),
        now: None,
        groups: BTreeMap::from([
            ("devops".parse().unwrap(), members(&["ana", "tom"])),
            ("leads".parse().unwrap(), members(&["olga"])),
            ("vetted".parse().unwrap(), vetted),
            ("interns".parse().unwrap(), interns),
        ]),
        accounts: BTreeMap::from([("ana".parse().unwrap(), Account::Absent)]),
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
    let said = |facts: &Facts| -> Vec<(&str, String)> {
        let of_role = policy
            .host_check(facts)
            .into_iter()
            .filter(|finding| finding.message.contains("role `r`") || finding.line > 5);
        of_role
            .map(|finding| {
                (
                    finding.code,
                    finding
                        .excerpt
                        .chars()
                        .skip(finding.underline.start)
                        .take(finding.underline.len())
                        .collect(),
                )
            })
            .collect()
    };
    assert_eq!(said(&facts(members(&["tom"]), members(&["eva"]))), [("JIT077", "\"ana\"".to_owned())]);
    let nobody = |facts: &Facts| said(facts).iter().any(|(code, _)| *code == "JIT071");
    assert!(nobody(&facts(members(&["ana"]), members(&["eva"]))), "ana alone is vetted, and excepted");
    assert!(nobody(&facts(members(&["tom"]), members(&["tom"]))));
    assert!(!nobody(&facts(members(&["tom"]), members(&["eva"]))));
    // A group that is misspelt excepts nobody: that is an error where it is.
    assert!(said(&facts(members(&["tom"]), Group::Absent)).contains(&("JIT070", "\"interns\"".to_owned())));
    let unread = said(&facts(members(&["tom"]), Group::Unanswered));
    assert!(unread.iter().all(|(code, _)| ["JIT077", "JIT079"].contains(code)), "{unread:?}");
}

proptest! {
    #[test]
    fn to_be_in_more_excepted_groups_or_in_fewer_others_never_lets_anybody_in(
        groups in 0_u8..16, all in 0_u8..16, except in 1_u8..16, is_in in 0_u8..16, more in 0_u8..16,
    ) {
        let chosen = |bits: u8| (0..4).filter(|n| bits & (1 << n) != 0).map(|n| format!("g{n}").parse().unwrap()).collect::<BTreeSet<jit_proto::words::GroupName>>();
        let who = Who {
            users: set(&["ana"]),
            groups: chosen(groups),
            all: chosen(all),
            except: Box::new(Except::named(BTreeSet::new(), chosen(except), BTreeSet::new())),
            ..Who::default()
        };
        let named = Subject { groups: chosen(is_in), ..subject("ana", &[]) };
        let fewer = Subject { groups: chosen(is_in & !(all & more)), ..named.clone() };
        let excepted = Subject { groups: chosen(is_in | (except & more)), ..named.clone() };
        if !who.contains(&named) {
            prop_assert!(!who.contains(&fewer) || all & more & except & is_in != 0);
            prop_assert!(!who.contains(&excepted) || all & except & more != 0);
        }
        // What is not known is at most what is known, whatever that will be.
        let unread = Subject { kept_out_by: KeptOutBy::AllBut(BTreeSet::new()), ..named.clone() };
        prop_assert!(!who.contains(&unread) || who.contains(&named));
        prop_assert!(!who.contains(&named) || who.contains(&named.supposed_in(chosen(more))));
    }
}
