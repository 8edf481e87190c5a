//! Profiles and sets: what is written once and used often.

use super::*;
use proptest::prelude::*;
use proptest::sample::subsequence;

const PROFILES: &str = r#"
[set.leads]
users = ["olga"]
groups = ["leads"]

[profile.prod]
hosts = ["db-*"]
services = ["sshd"]
eligible = { groups = ["dba"] }
max-duration = "4h"
starts = "at-first-use"
lapse = "2h"
reason = { pattern = "^INC-[0-9]+ .{8,}" }
limits = { each = 1, rest = "1h" }
[[profile.prod.stage]]
name = "lead"
approvers = { sets = ["leads"], users = ["ana"] }
"#;

/// The same role, written out.
const WRITTEN: &str = r#"
[role.a]
hosts = ["db-*"]
services = ["sshd"]
eligible = { groups = ["dba"] }
max-duration = "4h"
starts = "at-first-use"
lapse = "2h"
reason = { pattern = "^INC-[0-9]+ .{8,}" }
limits = { each = 1, rest = "1h" }
stage = [{ name = "lead", approvers = { users = ["olga", "ana"], groups = ["leads"] } }]
"#;

fn parse(text: &str) -> Policy {
    Policy::parse(&[file("10-site.toml", text)]).unwrap_or_else(|err| panic!("{err:#?}")).policy
}

fn role_of(policy: &Policy, name: &str) -> Role {
    policy.role(&name.parse().unwrap()).unwrap().clone()
}

fn messages(text: &str) -> Vec<String> {
    findings(text).iter().map(ToString::to_string).collect()
}

#[test]
fn a_role_has_what_its_profile_fills_as_if_it_were_written_there() {
    let filled = load(&format!("{BASE}{PROFILES}\n[role.a]\nprofile = \"prod\""));
    let written = load(&format!("{BASE}{WRITTEN}"));
    assert_eq!(filled.rules, written.rules);
    assert_eq!(role_of(&filled, "a").terms_digest(), role_of(&written, "a").terms_digest());
    assert_eq!(diff(&filled, &written), []);
}

#[test]
fn a_profile_fills_only_what_the_role_leaves_out_and_each_key_as_a_whole() {
    let own = "max-duration = \"1h\"\nlimits = { at-once = 3 }\nstage = [{ name = \"mine\", approvers = { users = [\"tom\"] } }]";
    let policy = load(&format!(
        "{BASE}{PROFILES}\n[role.a]\nprofile = \"prod\"\n{own}\n[role.b]\nprofile = \"prod\"\nservices = [\"login\"]"
    ));
    let (a, b) = (role_of(&policy, "a"), role_of(&policy, "b"));
    assert_eq!(a.max_duration, Duration::from_hours(1));
    assert_eq!((a.bounds.each, a.bounds.rest, a.bounds.at_once.unwrap().get()), (None, None, 3));
    assert_eq!(a.stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(), ["mine"]);
    assert_eq!(b.max_duration, Duration::from_hours(4));
    assert_eq!(b.stages[0].name, "lead");
}

#[test]
fn a_key_that_goes_with_another_comes_from_the_profile_only_with_that_one() {
    let policy = load(&format!(
        "{BASE}{PROFILES}\n[role.a]\nprofile = \"prod\"\nstarts = \"at-approval\"\n[role.b]\nprofile = \"prod\"\nlapse = \"1h\"\nservices = [\"login\"]"
    ));
    assert_eq!(role_of(&policy, "a").starts, Starts::AtApproval);
    assert_eq!(role_of(&policy, "b").starts, Starts::AtFirstUse { lapse: Duration::from_hours(1) });
    let kept = PROFILES.replacen("starts", "at-end = \"keep\"\nkeep-max = \"1h\"\nstarts", 1);
    let role = "\n[role.a]\nprofile = \"prod\"\n";
    assert_eq!(role_of(&load(&format!("{BASE}{kept}{role}at-end = \"drain\"")), "a").at_end, AtEnd::Drain);
    assert_eq!(codes(&format!("{BASE}{kept}{role}at-end = \"keep\"")), ["JIT041"], "a cap of one's own");
    let alone = PROFILES.replacen("starts = \"at-first-use\"\n", "", 1);
    assert_eq!(
        role_of(&load(&format!("{BASE}{alone}{role}starts = \"at-approval\"")), "a").starts,
        Starts::AtApproval,
        "what one of the two is, a role may say"
    );
    assert_eq!(codes(&format!("{BASE}{alone}{role}")), ["JIT042"]);
}

#[test]
fn profiles_and_sets_may_stand_in_any_file() {
    let a = file("a.toml", format!("{BASE}[role.a]\nprofile = \"prod\"\n"));
    let b = file("b.toml", format!("version = 1\n{PROFILES}"));
    let apart = Policy::parse(&[b, a]).unwrap().policy;
    assert_eq!(apart.rules, load(&format!("{BASE}{WRITTEN}")).rules);
}

#[test]
fn a_change_of_a_profile_or_a_set_is_a_change_of_each_role_that_uses_it_and_of_no_other() {
    let roles = format!(
        "[role.a]\nprofile = \"prod\"\n[role.b]\nprofile = \"prod\"\nservices = [\"login\"]\n{}",
        WRITTEN.replace("role.a", "role.c")
    );
    let old = parse(&format!("{BASE}{PROFILES}{roles}"));
    let about = |new: &str| {
        let new = parse(&format!("{BASE}{new}{roles}"));
        for role in old.roles() {
            let changes = role.terms_digest() != new.role(&role.name).unwrap().terms_digest();
            assert_eq!(changes, role.name.as_str() != "c", "{}", role.name);
        }
        diff(&old, &new).iter().map(|change| change.about.clone()).collect::<BTreeSet<_>>()
    };
    let both = BTreeSet::from(["role a".to_owned(), "role b".to_owned()]);
    assert_eq!(about(&PROFILES.replace("\"4h\"", "\"3h\"")), both);
    assert_eq!(about(&PROFILES.replace("users = [\"olga\"]", "users = [\"olga\", \"tom\"]")), both);
}

#[test]
fn what_is_wrong_in_a_profile_is_said_there_and_once_however_many_roles_use_it() {
    let roles = (0..20).map(|n| format!("[role.r{n}]\nprofile = \"prod\"\n")).collect::<Vec<_>>().concat();
    for (bad, expected) in [
        ("max-duration = \"4 hours\"", "10-site.toml:14:16: error JIT018"),
        ("max-duration = 4", "10-site.toml:14:16: error JIT015"),
        ("max-durations = \"4h\"", "10-site.toml:14:1: error JIT012"),
    ] {
        let text = format!("{BASE}{}{roles}", PROFILES.replacen("max-duration = \"4h\"", bad, 1));
        let said = messages(&text);
        assert_eq!(said.len(), 1, "{said:#?}");
        assert!(said[0].starts_with(expected), "{said:#?}");
        // Whether or not anybody uses it.
        let alone = messages(&text.replace(&roles, ""));
        assert!(alone[0].starts_with(expected), "{alone:#?}");
    }
}

#[test]
fn what_is_wrong_between_a_role_and_its_profile_names_the_role_at_the_line_that_says_it() {
    let role = "\n[role.a]\nprofile = \"prod\"\n";
    let text = format!(
        "{BASE}{}{role}max-duration = \"30m\"",
        PROFILES.replacen("starts", "default-duration = \"1h\"\nstarts", 1)
    );
    assert_eq!(
        messages(&text),
        [
            "10-site.toml:15:20: error JIT030: `default-duration` of role `a` (1h) is longer than its `max-duration` (30m)"
        ]
    );
    let other = [
        file("10-site.toml", format!("{BASE}{role}max-duration = \"30m\"")),
        file(
            "20-common.toml",
            format!("version = 1\n{}", PROFILES.replacen("starts", "default-duration = \"1h\"\nstarts", 1)),
        ),
    ];
    let found = Policy::parse(&other).unwrap_err();
    assert_eq!(
        found.iter().map(|found| (found.file.as_str(), found.line)).collect::<Vec<_>>(),
        [("20-common.toml", 12)]
    );
    assert_eq!(found[0].excerpt, "default-duration = \"1h\"");
}

#[test]
fn a_key_that_neither_the_role_nor_its_profile_has_is_missing_in_the_role() {
    let text =
        format!("{BASE}{}\n[role.a]\nprofile = \"prod\"", PROFILES.replacen("hosts = [\"db-*\"]\n", "", 1));
    let found = &findings(&text)[0];
    assert_eq!((found.code, found.excerpt.as_str()), ("JIT014", "[role.a]"));
    assert_eq!(found.message, "`hosts` is missing: role `a` needs it, and profile `prod` does not have it");
}

#[test]
fn a_profile_or_set_that_there_is_not_is_refused_with_the_one_that_was_meant() {
    let text = format!("{BASE}{PROFILES}\n[role.a]\nprofile = \"prodd\"\n[role.b]\nprofile = \"prod\"");
    assert_eq!(
        messages(&text),
        ["10-site.toml:24:11: error JIT160: no file defines profile `prodd`; did you mean `prod`?"],
        "and not of every key that it is missing"
    );
    let text = format!(
        "{BASE}{PROFILES}\n[role.a]\nprofile = \"prod\"\neligible = {{ sets = [\"lead\", \"leads\"] }}"
    );
    assert_eq!(
        messages(&text),
        ["10-site.toml:25:22: error JIT162: no file defines set `lead`; did you mean `leads`?"]
    );
    for (lines, expected) in [
        ("[role.a]\nprofile = 1", &["JIT015"][..]),
        ("[role.a]\nprofile = \"A B\"", &["JIT017"]),
        ("[role.a]\nprofile = \"prod\"\neligible = { sets = [] }", &["JIT016"]),
        ("[profile.\"A B\"]\n[role.a]\nprofile = \"prod\"", &["JIT017"]),
        ("[profile.p]\nprofile = \"prod\"\n[role.a]\nprofile = \"prod\"", &["JIT012"]),
        ("[set.s]\nsets = [\"leads\"]\n[role.a]\nprofile = \"prod\"", &["JIT012", "JIT016"]),
        ("[set.s]\nusers = []\n[role.a]\nprofile = \"prod\"", &["JIT016"]),
        ("[set.s]\nusers = [\"a/b\"]\n[role.a]\nprofile = \"prod\"\neligible.sets = [\"s\"]", &["JIT017"]),
    ] {
        let found = codes(&format!("{BASE}{PROFILES}\n{lines}"));
        assert_eq!(
            found.iter().copied().collect::<BTreeSet<_>>(),
            expected.iter().copied().collect(),
            "{lines} {found:?}"
        );
    }
    let nested = &findings(&format!(
        "{BASE}{PROFILES}\n[profile.p]\nprofile = \"prod\"\n[role.a]\nprofile = \"prod\""
    ))[0];
    assert_eq!(
        nested.hint.as_deref(),
        Some("profiles and sets are not nested: write here what it is to have")
    );
}

#[test]
fn two_profiles_or_sets_of_one_name_are_refused_and_one_that_nothing_uses_is_remarked_on() {
    let twice = [
        file("a.toml", format!("{BASE}{PROFILES}\n[role.a]\nprofile = \"prod\"")),
        file("b.toml", "version = 1\n[profile.prod]\n[set.leads]\nusers = [\"eve\"]"),
    ];
    let found = Policy::parse(&twice).unwrap_err();
    assert_eq!(
        found.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "b.toml:2:10: error JIT161: profile `prod` is already defined at a.toml:10:10",
            "b.toml:3:6: error JIT163: set `leads` is already defined at a.toml:6:6",
        ]
    );
    assert_eq!(
        messages(&format!("{BASE}{PROFILES}{WRITTEN}")),
        ["10-site.toml:10:10: warning JIT165: no role names profile `prod`: it gives nothing"],
        "the set is used, by the profile"
    );
    assert_eq!(codes(&format!("{BASE}[set.x]\nusers = [\"eve\"]{WRITTEN}")), ["JIT165"]);
}

#[test]
fn sets_name_people_wherever_people_are_named() {
    let text = r#"
version = 1
set.ops = { users = ["ana", "tom"] }
set.root = { users = ["root"] }
admins = { sets = ["root", "ops"] }
auditors = { sets = ["ops"], groups = ["audit"] }
exempt = [{ sets = ["root"], services = ["login"] }]
policy-change = { approvers = { sets = ["ops"] } }
[role.a]
hosts = ["*"]
services = ["sshd"]
eligible = { sets = ["ops"] }
max-duration = "1h"
stage = [{ approvers = { groups = ["leads"] }, expires = "1h", then = { sets = ["ops"] } }]
"#;
    let policy = parse(text);
    let ops: BTreeSet<UserName> = set(&["ana", "tom"]);
    assert_eq!(policy.admins().users, set(&["ana", "root", "tom"]));
    assert_eq!((&policy.auditors().users, policy.auditors().groups.len()), (&ops, 1));
    assert_eq!(policy.exemptions().next().unwrap().who.users, set(&["root"]));
    assert_eq!(policy.change().unwrap().approvers.users, ops);
    let role = role_of(&policy, "a");
    assert_eq!(role.eligible.users, ops);
    assert!(matches!(&role.stages[0].then, Then::Ask(next) if next.users == ops));
}

#[test]
fn what_short_files_come_to_has_an_end() {
    let names: Vec<String> = (0..4_000).map(|n| format!("\"user-{n}\"")).collect();
    let big = format!("[set.all]\nusers = [{}]\n", names.join(", "));
    let policy = |roles: usize| {
        let roles = (0..roles)
            .map(|n| {
                format!("[role.r{n}]\nprofile = \"prod\"\nhosts = [\"h{n}\"]\neligible.sets = [\"all\"]\n")
            })
            .collect::<Vec<_>>()
            .concat();
        codes(&format!("{BASE}{PROFILES}{big}{roles}"))
    };
    assert!(!policy(20).contains(&"JIT164"));
    assert!(policy(200).contains(&"JIT164"));
}

#[test]
fn groups_of_hosts_are_the_same_in_upper_and_lower_case() {
    let role = |group: &str| {
        load(&with_role(&ROLE_LINES.replace("\"*\"", &format!("\"@{group}\""))))
            .roles()
            .next()
            .unwrap()
            .clone()
    };
    let host = |group: &str| Host { groups: BTreeSet::from([group.parse().unwrap()]), ..host_named("h") };
    for (named, of_host, is_there) in
        [("Prod", "Prod", true), ("Prod", "prod", true), ("prod", "PROD", true), ("Prod", "prod2", false)]
    {
        assert_eq!(role(named).on_host(&host(of_host)), is_there, "{named} {of_host}");
    }
    assert_eq!(role("Prod").terms_digest(), role("prod").terms_digest());
    let wrong = "Prod Ü".parse::<HostGroup>().unwrap_err().to_string();
    assert_eq!(wrong, "host group has ' ' at byte 4; allowed are ASCII letters, digits and - _ .");
    assert_eq!(codes(&with_role(&ROLE_LINES.replace("\"*\"", "\"@-x\""))), ["JIT017"]);
}

/// The same policy, read from what it is expanded to.
fn expanded(policy: &Policy) -> Policy {
    let files = policy.expanded();
    for file in &files {
        let text = str::from_utf8(&file.bytes).unwrap();
        for gone in ["[profile", "profile =", "[set", "sets ="] {
            assert!(!text.contains(gone), "{text}");
        }
    }
    Policy::parse(&files).unwrap_or_else(|err| panic!("{err:#?}\n{files:#?}")).policy
}

#[test]
fn an_expanded_policy_means_the_same_and_has_no_profile_and_no_set() {
    let profiles = format!(
        "{PROFILES}[role.a]\nprofile = \"prod\"\nstarts = \"at-approval\"\n[role.\"b.c\"]\nprofile = \"prod\"\nsummary = 'a \"b\" \\ c'"
    );
    for text in [WHOLE, RICH, &format!("{BASE}{WRITTEN}"), &format!("{BASE}{profiles}")] {
        let policy = parse(text);
        assert_eq!(expanded(&policy).rules, policy.rules, "{text}");
    }
    let policy = load(&format!("{BASE}{PROFILES}[role.a]\nprofile = \"prod\"\nmax-duration = \"1h\""));
    let files = policy.expanded();
    assert_eq!(
        str::from_utf8(&files[0].bytes).unwrap(),
        r#"version = 1

[admins]
users = ["root"]

[[exempt]]
services = ["login"]
users = ["root"]

[role.a]
max-duration = "1h"
eligible = { groups = ["dba"] }
hosts = ["db-*"]
lapse = "2h"
limits = { each = 1, rest = "1h" }
reason = { pattern = "^INC-[0-9]+ .{8,}" }
services = ["sshd"]
starts = "at-first-use"

[[role.a.stage]]
users = ["ana", "olga"]
"#
        .replace(
            "users = [\"ana\", \"olga\"]\n",
            "approvers = { users = [\"ana\", \"olga\"], groups = [\"leads\"] }\nname = \"lead\"\n"
        )
    );
}

/// The keys of a role, each written in one line.
const KEYS: [&str; 12] = [
    "hosts = [\"@Prod\", \"db-?\"]",
    "services = [\"sshd\", \"su\"]",
    "eligible = { users = [\"x\"], sets = [\"some\"] }",
    "max-duration = \"8h\"",
    "starts = \"at-first-use\"",
    "lapse = \"3h\"",
    "at-end = \"keep\"",
    "keep-max = \"2h\"",
    "uses = 2",
    "until = 2027-02-28",
    "limits = { each = 1 }",
    "stage = [{ approvers = { sets = [\"some\"] } }, { name = \"2\", approvers = { groups = [\"g\"] }, above = \"1h\" }]",
];

fn key(line: &str) -> &str {
    line.split(' ').next().unwrap()
}

proptest! {
    #[test]
    fn however_keys_are_split_between_a_role_and_its_profile_the_role_is_that_of_all_of_them(
        own in subsequence(&KEYS, 0..=KEYS.len()), shared in subsequence(&KEYS, 0..=KEYS.len()),
    ) {
        let sets = "[set.some]\nusers = [\"s\"]\ngroups = [\"h\"]\n";
        let split = format!("{BASE}{sets}[profile.p]\n{}\n[role.r]\nprofile = \"p\"\n{}", shared.join("\n"), own.join("\n"));
        let has = |name: &str| own.iter().any(|line| key(line) == name);
        let fills = |line: &&&str| {
            let goes_with = match key(line) { "lapse" => has("starts"), "keep-max" => has("at-end"), _ => false };
            !has(key(line)) && !goes_with
        };
        let all: Vec<&str> = own.iter().chain(shared.iter().filter(fills)).copied().collect();
        let written = format!("{BASE}{sets}[role.r]\n{}", all.join("\n"));
        let (split, written) = (Policy::parse(&[file("a", split)]), Policy::parse(&[file("a", written)]));
        prop_assert_eq!(split.is_ok(), written.is_ok());
        if let (Ok(split), Ok(written)) = (&split, &written) {
            prop_assert_eq!(&split.policy.rules, &written.policy.rules);
            prop_assert_eq!(&expanded(&split.policy).rules, &written.policy.rules);
        }
        let codes = |found: &Result<Loaded, Vec<Finding>>| found.as_ref().err().map(|found| {
            found.iter().filter(|found| found.severity == Severity::Error).map(|found| found.code).collect::<BTreeSet<_>>()
        });
        prop_assert_eq!(codes(&split), codes(&written));
    }
}
