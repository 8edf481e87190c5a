//! What a policy that loads means.

use super::*;
use crate::digest::Digest;
use jit_proto::words::GroupName;

#[test]
fn a_policy_says_what_its_file_says() {
    let policy = load(WHOLE);
    let role = policy.role(&"db-oncall".parse().unwrap()).unwrap();
    assert_eq!(
        *role,
        Role {
            name: "db-oncall".parse().unwrap(),
            summary: Some("On-call".to_owned()),
            hosts: ["backup", "db-*"].map(|glob| HostPattern::Name(glob.parse().unwrap())).to_vec(),
            hosts_except: Vec::new(),
            services: set(&["sshd", "sudo", "sudo-i"]).into(),
            eligible: Who { users: set(&["maria"]), groups: set(&["dba"]), ..Who::default() },
            max_duration: Duration::from_hours(4),
            default_duration: Duration::from_mins(30),
            limits: Limits::default(),
            starts: Starts::AtApproval,
            uses: Uses::Times(NonZeroU32::new(3).unwrap()),
            survives_reboot: false,
            reason: None,
            at_end: AtEnd::Terminate,
            grace: Duration::from_secs(5),
            warn: [600, 60].map(Duration::from_secs).into(),
            emergency: false,
            until: None,
            bounds: Bounds::default(),
            apart: BTreeSet::new(),
            unreviewed: None,
            stages: vec![Stage {
                name: "team lead".to_owned(),
                approvers: Who { users: set(&["ana", "tom"]), groups: set(&["dba-leads"]), ..Who::default() }
                    .into(),
                approvals: NonZeroU32::new(2).unwrap(),
                above: None,
                denials: NonZeroU32::MIN,
                expires: None,
                then: Then::Deny,
                accept: [Method::Signature].into(),
                note: None,
            }],
        }
    );
    assert_eq!(policy.roles().collect::<Vec<_>>(), [role]);
}

#[test]
fn the_rest_of_the_language_says_what_it_says() {
    let policy = rich(RICH);
    let role = policy.roles().next().unwrap();
    assert_eq!(role.hosts, [HostPattern::Group("databases".parse().unwrap())]);
    assert_eq!(role.limits.from, set(&["10.1.0.0/16", "2001:db8::/32"]));
    assert_eq!(
        role.limits.hours.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["mon,tue,wed,thu,fri 07:00-19:00 Europe/Berlin"]
    );
    assert_eq!(role.limits.run_as, set(&["oracle"]));
    assert_eq!(role.starts, Starts::AtFirstUse { lapse: Duration::from_hours(12) });
    assert_eq!(role.at_end, AtEnd::Keep { most: Duration::from_hours(2) });
    assert!(role.survives_reboot && role.emergency);
    let until = role.until.as_ref().unwrap();
    assert_eq!(
        (until.to_string().as_str(), until.at().to_seconds().as_str()),
        ("2027-02-28 (Europe/Berlin)", "2027-02-27T23:00:00Z")
    );
    assert_eq!(role.grace, Duration::from_secs(10));
    assert_eq!(role.warn, [60, 300].map(Duration::from_secs).into());
    let wanted = role.reason.as_ref().unwrap();
    let reason = "INC-7 replace the disk".parse().unwrap();
    assert_eq!((wanted.accepts(&reason), wanted.ticket(&reason)), (true, Some("INC-7")));
    assert!(!wanted.accepts(&"INC-7".parse().unwrap()));
    let [lead, security] = &role.stages[..] else { panic!("{:?}", role.stages) };
    assert_eq!((lead.denials.get(), lead.expires), (2, Some(Duration::from_hours(8))));
    assert_eq!(lead.then, Then::Ask(Who { groups: set(&["managers"]), ..Who::default() }));
    assert_eq!(lead.accept, [Method::Signature].into());
    assert_eq!((security.name.as_str(), security.accept.len()), ("security", 3));
    assert_eq!((lead.above, security.above), (None, Some(Duration::from_hours(2))));
}

/// A policy with the one warning that `RICH` earns: it observes.
fn rich(text: &str) -> Policy {
    let loaded = Policy::parse(&[file("10-site.toml", text)]).unwrap_or_else(|err| panic!("{err:#?}"));
    assert_eq!(loaded.warnings.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["JIT050"]);
    loaded.policy
}

#[test]
fn accounts_and_keys_belong_to_the_person_who_has_them() {
    let policy = rich(RICH);
    let account = |name: &str| name.parse::<UserName>().unwrap();
    let people = policy.people();
    assert!(people.same(&account("maria"), &account("adm-maria")));
    assert!(!people.same(&account("maria"), &account("erik")));
    assert!(
        people.same(&account("erik"), &account("erik")) && !people.same(&account("erik"), &account("tom"))
    );
    let key = "maria@site-a".parse().unwrap();
    assert_eq!(people.of_key(&key), people.of_account(&account("maria")));
}

#[test]
fn a_group_of_hosts_is_whatever_the_host_says_it_is_in() {
    let policy = rich(RICH);
    let role = policy.roles().next().unwrap();
    let mut host = host_named("databases");
    assert!(!role.on_host(&host), "a name is not a group");
    host.groups = set(&["databases"]);
    assert!(role.on_host(&host));
}

#[test]
fn an_exemption_may_be_for_some_addresses() {
    let policy = rich(RICH);
    let (backup, sshd) = (subject("bak", &["backup"]), "sshd".parse().unwrap());
    for (from, expected) in [(Some("10.9.0.4"), true), (Some("10.9.0.5"), false), (None, false)] {
        let from = from.map(|address| address.parse().unwrap());
        assert_eq!(policy.exempt(&backup, &sshd, from), expected, "{from:?}");
    }
}

#[test]
fn observing_is_for_the_services_that_are_named_or_for_all() {
    let cups = "cups".parse().unwrap();
    let sshd = "sshd".parse().unwrap();
    assert!(rich(RICH).observes(&cups) && !rich(RICH).observes(&sshd));
    let all = rich(&RICH.replace("[mode]\nobserve = [\"cups\"]", "mode = \"observe\""));
    assert!(all.observes(&cups) && all.observes(&sshd));
    assert!(!load(WHOLE).observes(&sshd) && !load(&format!("mode = \"enforce\"\n{BASE}")).observes(&sshd));
}

#[test]
fn who_can_become_root_is_told_by_service_and_target() {
    for (services, run_as, expected) in [
        ("sshd", "", false),
        ("sshd\", \"sudo", "", true),
        ("sudo-i", "", true),
        ("su", "", true),
        ("su-l", "run-as = [\"oracle\", \"root\"]", true),
        ("su", "run-as = [\"oracle\"]", false),
    ] {
        let policy = load(&with_role(&format!("{}\n{run_as}", ROLE_LINES.replace("sshd", services))));
        assert_eq!(policy.roles().next().unwrap().reaches_root(), expected, "{services} {run_as}");
    }
}

#[test]
fn what_a_role_leaves_out_has_a_plain_meaning() {
    let policy = load(&with_role(ROLE_LINES));
    let role = policy.role(&"r".parse().unwrap()).unwrap();
    assert_eq!((role.summary.as_deref(), role.uses), (None, Uses::Unlimited));
    assert_eq!(role.default_duration, Duration::from_hours(1), "an hour");
    assert_eq!((role.stages[0].name.as_str(), role.stages[0].approvals.get()), ("stage 1", 1));

    let short = load(&with_role(&ROLE_LINES.replace("4h", "20m")));
    let role = short.role(&"r".parse().unwrap()).unwrap();
    assert_eq!(role.default_duration, Duration::from_mins(20), "but never more than the most");
}

#[test]
fn a_table_may_be_written_in_any_form_that_toml_has() {
    let dotted = format!(
        r#"{BASE}
        role.r.hosts = ["*"]
        role.r.services = ["sshd"]
        role.r.eligible.groups = ["dba"]
        role.r.max-duration = '4h'
        role.r.stage = [{{ approvers.groups = ["leads"] }}]
        "#
    );
    assert_eq!(load(&dotted).rules, load(&with_role(ROLE_LINES)).rules);
}

#[test]
fn sudo_and_su_mean_their_login_forms_too() {
    let policy = load(&with_role(&ROLE_LINES.replace("\"sshd\"", "\"sudo\", \"su\"")));
    let role = policy.role(&"r".parse().unwrap()).unwrap();
    assert_eq!(role.services, set(&["su", "su-l", "sudo", "sudo-i"]).into());

    let policy = load(&BASE.replace("\"login\"", "\"login\", \"su\""));
    assert!(policy.exempt(&subject("root", &[]), &"su-l".parse().unwrap(), None));
}

#[test]
fn the_login_form_alone_does_not_mean_the_other() {
    let policy = load(&with_role(&ROLE_LINES.replace("sshd", "sudo-i")));
    assert_eq!(policy.role(&"r".parse().unwrap()).unwrap().services, set(&["sudo-i"]).into());
}

#[test]
fn a_role_exists_on_the_hosts_that_one_of_its_patterns_matches() {
    let policy = load(WHOLE);
    let role = policy.roles().next().unwrap();
    for (host, expected) in [("db-1", true), ("DB-1.example", true), ("backup", true), ("backup-2", false)] {
        assert_eq!(role.on_host(&host_named(host)), expected, "{host}");
    }
}

#[test]
fn a_person_belongs_by_name_or_by_group_and_not_by_half_a_name() {
    let who = Who { users: set(&["ana"]), groups: set(&["dba"]), ..Who::default() };
    assert!(who.contains(&subject("ana", &[])));
    assert!(who.contains(&subject("tom", &["staff", "dba"])));
    for (name, groups) in [("tom", &["staff"]), ("dba", &["ana"]), ("an", &["db"]), ("ANA", &["DBA"])] {
        assert!(!who.contains(&subject(name, groups)), "{name} {groups:?}");
    }
    assert!(!Who::default().contains(&subject("ana", &["dba"])));
}

#[test]
fn people_are_shown_as_users_then_groups() {
    assert_eq!(
        Who { users: set(&["tom", "ana"]), groups: set(&["dba"]), ..Who::default() }.to_string(),
        "ana, tom, @dba"
    );
    assert_eq!(Who::default().to_string(), "nobody");
    assert!(Who::default().is_empty() && !Who { users: set(&["ana"]), ..Who::default() }.is_empty());
}

#[test]
fn an_exemption_is_for_its_people_at_its_services_only() {
    let policy = load(
        r#"
        version = 1
        admins = { users = ["root"] }
        [[exempt]]
        users = ["root"]
        services = ["login"]
        [[exempt]]
        groups = ["backup"]
        services = ["sshd", "cron"]
        "#,
    );
    let (root, backup) = (subject("root", &["root"]), subject("bak", &["backup"]));
    for (subject, service, expected) in [
        (&root, "login", true),
        (&root, "sshd", false),
        (&backup, "sshd", true),
        (&backup, "cron", true),
        (&backup, "login", false),
        (&subject("ana", &[]), "sshd", false),
    ] {
        assert_eq!(policy.exempt(subject, &service.parse().unwrap(), None), expected, "{service}");
    }
}

#[test]
fn admins_and_auditors_add_up_over_files_and_neither_is_the_other() {
    let more = "version = 1\n[admins]\nusers = [\"ana\"]\n[auditors]\ngroups = [\"audit\"]\n";
    let files = [file("10-site.toml", WHOLE), file("20-more.toml", more)];
    let policy = Policy::parse(&files).unwrap().policy;
    for admin in [subject("root", &[]), subject("ana", &[]), subject("x", &["sysadmin"])] {
        assert!(policy.is_admin(&admin) && !policy.is_auditor(&admin));
    }
    for auditor in [subject("eve", &[]), subject("x", &["audit"])] {
        assert!(policy.is_auditor(&auditor) && !policy.is_admin(&auditor));
    }
}

#[test]
fn a_service_is_named_if_any_role_on_any_host_names_it() {
    let policy = load(WHOLE);
    for (service, expected) in [("sshd", true), ("sudo-i", true), ("login", false), ("su", false)] {
        assert_eq!(policy.names_service(&service.parse().unwrap()), expected, "{service}");
    }
}

#[test]
fn every_group_that_the_policy_names_is_listed_once_in_name_order() {
    let more = "version = 1\n[auditors]\ngroups = [\"dba\", \"audit\"]\n[[exempt]]\ngroups = [\"bak\"]\n\
                services = [\"cron\"]\n";
    let policy = Policy::parse(&[file("a.toml", WHOLE), file("b.toml", more)]).unwrap().policy;
    let groups: Vec<_> = policy.groups().map(GroupName::as_str).collect();
    assert_eq!(groups, ["audit", "bak", "dba", "dba-leads", "sysadmin"]);
}

#[test]
fn the_stricter_of_two_uses_is_the_lesser() {
    let times = |n| Uses::Times(NonZeroU32::new(n).unwrap());
    assert_eq!(Uses::Unlimited.stricter(times(7)), times(7));
    assert_eq!(times(1).stricter(times(7)), times(1));
    assert_eq!(Uses::Unlimited.stricter(Uses::Unlimited), Uses::Unlimited);
    assert_eq!((Uses::Unlimited.to_string(), times(7).to_string()), ("unlimited".to_owned(), "7".to_owned()));
}

#[test]
fn the_terms_of_a_role_change_with_everything_that_opens_or_closes_a_door() {
    let terms = |text: &str| load(text).roles().next().unwrap().terms_digest();
    let before = terms(WHOLE);
    let mut seen = BTreeSet::from([before]);
    for (old, new) in [
        ("db-oncall", "db-other"),
        ("\"db-*\"", "\"*\""),
        ("\"sshd\", \"sudo\"", "\"sshd\""),
        ("[\"maria\"]", "[\"mario\"]"),
        ("[\"maria\"], groups = [\"dba\"]", "[\"maria\", \"dba\"]"),
        ("\"4h\"", "\"5h\""),
        ("\"30m\"", "\"31m\""),
        ("uses = 3", "uses = 4"),
        ("uses = 3", "uses = \"unlimited\""),
        ("\"tom\"", "\"tim\""),
        ("dba-leads", "dba"),
        ("approvals = 2", "approvals = 1"),
        ("[\"signature\"]", "[\"signature\", \"online\"]"),
    ] {
        assert!(WHOLE.contains(old), "{old}");
        assert!(seen.insert(terms(&WHOLE.replace(old, new))), "{old} → {new}");
    }
}

#[test]
fn the_terms_change_with_the_rest_of_the_language_too() {
    let terms = |text: &str| rich(text).roles().next().unwrap().terms_digest();
    let mut seen = BTreeSet::from([terms(RICH)]);
    for (old, new) in [
        ("@databases", "databases"),
        ("[\"@prod\"]", "[\"prod\"]"),
        ("[\"vetted\"]", "[\"trained\"]"),
        (", except = { groups = [\"interns\"] }", ""),
        ("\"interns\"", "\"trainees\""),
        ("[\"oracle\"]", "[\"oracle\", \"postgres\"]"),
        ("10.1.0.0/16", "10.1.0.0/17"),
        ("mon-fri", "mon-sat"),
        ("\"07:00\"", "\"07:01\""),
        ("\"19:00\"", "\"19:01\""),
        ("Europe/Berlin", "Europe/Paris"),
        ("starts = \"at-first-use\"\nlapse = \"12h\"", "starts = \"at-approval\""),
        ("\"12h\"", "\"13h\""),
        ("survives-reboot = true", "survives-reboot = false"),
        ("INC-[0-9]", "CHG-[0-9]"),
        ("at-end = \"keep\"\nkeep-max = \"2h\"", "at-end = \"drain\""),
        ("keep-max = \"2h\"", "keep-max = \"3h\""),
        ("\"10s\"", "\"11s\""),
        ("emergency = true", "emergency = false"),
        ("until = 2027-02-28", "until = 2027-03-01"),
        ("until = 2027-02-28\n", ""),
        ("above = \"2h\"", "above = \"3h\""),
        ("above = \"2h\"", ""),
        ("each = 1", "each = 2"),
        ("in-all = \"12h\"", "in-all = \"13h\""),
        (", in-all = \"12h\"", ""),
        ("denials = 2", "denials = 1"),
        ("expires = \"8h\"", "expires = \"9h\""),
        ("then = { groups = [\"managers\"] }", "then = \"deny\""),
        ("\"managers\"", "\"bosses\""),
        ("\"secops\"", "\"secops2\""),
    ] {
        assert!(RICH.contains(old), "{old}");
        assert!(seen.insert(terms(&RICH.replace(old, new))), "{old} → {new}");
    }
    for (old, new) in [("5m", "4m"), ("and what", "or what"), ("\"security\"", "\"sec\"")] {
        assert_eq!(terms(&RICH.replace(old, new)), terms(RICH), "{old} → {new}");
    }
}

#[test]
fn the_terms_of_a_role_do_not_change_with_what_is_only_read_or_with_layout() {
    let terms = |text: &str| load(text).roles().next().unwrap().terms_digest();
    for (old, new) in [
        ("\"On-call\"", "\"Somebody must\""),
        ("\"team lead\"", "\"lead\""),
        ("\"db-*\", \"backup\"", "\n\"BACKUP\", # a comment\n\"DB-*\""),
        ("\"sshd\", \"sudo\"", "\"sudo-i\", \"sudo\", \"sshd\""),
        ("\"ana\", \"tom\"", "\"tom\", \"ana\""),
        ("\"4h\"", "\"240m\""),
        ("[auditors]", "[auditors] # nobody else"),
        ("\"eve\"", "\"adam\""),
    ] {
        assert!(WHOLE.contains(old), "{old}");
        assert_eq!(terms(&WHOLE.replace(old, new)), terms(WHOLE), "{old} → {new}");
    }
}

#[test]
fn the_digest_of_a_policy_is_over_names_and_bytes_in_name_order() {
    let (a, b) = (file("a.toml", WHOLE), file("b.toml", "version = 1"));
    let policy = Policy::parse(&[b.clone(), a.clone()]).unwrap().policy;
    let mut bytes = Vec::new();
    for part in [&b"a.toml"[..], WHOLE.as_bytes(), b"b.toml", b"version = 1"] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    assert_eq!(policy.digest(), Digest::of(&bytes));
    assert_eq!(policy.files(), [a, b]);
}

/// A policy whose changes take these lines.
fn with_change(lines: &str) -> String {
    format!("{BASE}\n[policy-change]\n{lines}\n")
}

#[test]
fn a_change_of_the_policy_takes_what_the_table_says_and_without_one_an_admins_word() {
    assert_eq!(load(BASE).change(), None);
    let few = load(&with_change("approvers = { groups = [\"leads\"] }"));
    let approvers = Who { users: set(&[]), groups: set(&["leads"]), ..Who::default() };
    let usual = ChangeRule { approvers, approvals: 1, reason: false, overrides: true, signed_only: false };
    assert_eq!(few.change(), Some(&usual));
    let lines = "approvers = { groups = [\"leads\"] }\napprovals = 8\nreason = true\nsigned-only = true\n";
    let all = load(&with_change(lines));
    assert_eq!(all.change(), Some(&ChangeRule { approvals: 8, reason: true, signed_only: true, ..usual }));
    // Whether somebody is in it has to be looked up.
    assert!(few.groups().any(|group| group.as_str() == "leads"));
}
