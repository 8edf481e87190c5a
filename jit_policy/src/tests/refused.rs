//! What is refused, with which code, and that one mistake is one finding.

use super::*;

#[test]
fn a_bad_value_is_refused_with_the_code_of_its_kind() {
    for (lines, code) in [
        ("hosts = \"db-*\"", "JIT015"),
        ("hosts = []", "JIT016"),
        ("hosts = [\"\"]", "JIT016"),
        ("hosts = [7]", "JIT015"),
        ("hosts = [\"db [1]\"]", "JIT017"),
        ("hosts = [\"@d b\"]", "JIT017"),
        ("hosts = [\"@\"]", "JIT017"),
        ("services = [\"SSHD\"]", "JIT017"),
        ("services = [\"../shadow\"]", "JIT017"),
        ("services = []", "JIT016"),
        ("eligible = \"dba\"", "JIT015"),
        ("eligible = {}", "JIT016"),
        ("eligible = { users = [] }", "JIT016"),
        ("eligible = { users = [\"a:b\"] }", "JIT017"),
        ("eligible = { users = [\"-rf\"] }", "JIT017"),
        ("eligible = { groups = [\"@dba\"] }", "JIT017"),
        ("eligible = { users = [1000] }", "JIT015"),
        ("max-duration = 4", "JIT015"),
        ("max-duration = 04:00:00", "JIT015"),
        ("max-duration = \"\"", "JIT016"),
        ("max-duration = \"4\"", "JIT018"),
        ("max-duration = \"-4h\"", "JIT018"),
        ("max-duration = \"0h\"", "JIT018"),
        ("max-duration = \"366d\"", "JIT018"),
        ("max-duration = \"99999999999999999999h\"", "JIT018"),
        ("default-duration = \"5h\"", "JIT030"),
        ("default-duration = true", "JIT015"),
        ("uses = 0", "JIT019"),
        ("uses = -1", "JIT019"),
        ("uses = 4294967296", "JIT019"),
        ("uses = -99999999999999999999", "JIT019"),
        ("uses = 1.0", "JIT015"),
        ("uses = \"once\"", "JIT015"),
        ("summary = \"\"", "JIT016"),
        ("summary = \"  \"", "JIT020"),
        ("summary = \"a\\nb\"", "JIT020"),
        ("summary = \"a\\u001b[2Jb\"", "JIT020"),
        ("summary = \"a\\u202eb\"", "JIT020"),
        ("stage = []", "JIT016"),
        ("stage = { approvers = { groups = [\"leads\"] } }", "JIT015"),
        ("stage = [{}]", "JIT014"),
        ("stage = [{ approvers = {} }]", "JIT016"),
        ("stage = [{ approvers = { groups = [\"leads\"] }, approvals = 0 }]", "JIT019"),
        ("stage = [{ approvers = { groups = [\"leads\"] }, name = \"\" }]", "JIT016"),
        (
            "stage = [{ approvers.groups = [\"a\"], name = \"x\" }, { approvers.groups = [\"b\"], name = \"x\" }]",
            "JIT043",
        ),
        ("stage = [{ approvers.groups = [\"a\"], denials = 0 }]", "JIT019"),
        ("stage = [{ approvers.groups = [\"a\"], expires = \"8\" }]", "JIT018"),
        ("stage = [{ approvers.groups = [\"a\"], then = \"deny\" }]", "JIT045"),
        ("stage = [{ approvers.groups = [\"a\"], expires = \"8h\", then = \"allow\" }]", "JIT025"),
        ("stage = [{ approvers.groups = [\"a\"], expires = \"8h\", then = [\"b\"] }]", "JIT015"),
        ("stage = [{ approvers.groups = [\"a\"], accept = [] }]", "JIT016"),
        ("stage = [{ approvers.groups = [\"a\"], accept = [\"phone\"] }]", "JIT025"),
        ("from = \"10.1.0.0/16\"", "JIT015"),
        ("from = []", "JIT016"),
        ("from = [\"10.1.2.3/16\"]", "JIT022"),
        ("from = [\"db-1.example\"]", "JIT022"),
        ("hours = []", "JIT016"),
        ("hours = { tz = \"UTC\" }", "JIT015"),
        ("hours = [{ days = \"mon-fri\" }]", "JIT014"),
        ("hours = [{ days = \"mon-fry\", tz = \"UTC\" }]", "JIT023"),
        ("hours = [{ from = \"7\", tz = \"UTC\" }]", "JIT023"),
        ("hours = [{ from = \"24:00\", to = \"08:00\", tz = \"UTC\" }]", "JIT023"),
        ("hours = [{ from = \"24:01\", tz = \"UTC\" }]", "JIT023"),
        ("hours = [{ from = \"08:00\", to = \"08:00\", tz = \"UTC\" }]", "JIT023"),
        ("hours = [{ from = 07:00:00, tz = \"UTC\" }]", "JIT015"),
        ("hours = [{ tz = \"Europe/Berlinn\" }]", "JIT023"),
        ("hours = [{ tz = \"Local\" }]", "JIT023"),
        ("hours = [{ tz = \"../../etc/passwd\" }]", "JIT023"),
        ("run-as = [\"oracle\"]", "JIT044"),
        ("starts = \"now\"", "JIT025"),
        ("lapse = \"1h\"", "JIT042"),
        ("starts = \"at-first-use\"\nlapse = \"0h\"", "JIT018"),
        ("survives-reboot = \"yes\"", "JIT015"),
        ("emergency = 1", "JIT015"),
        ("reason = \"INC\"", "JIT015"),
        ("reason = {}", "JIT014"),
        ("reason = { pattern = \"(\" }", "JIT024"),
        ("reason = { pattern = \"a{1000}{1000}\" }", "JIT024"),
        ("reason = { pattern = \"(?=x)xxxx\" }", "JIT024"),
        ("reason = { pattern = \".\" }", "JIT040"),
        ("reason = { pattern = \"\\\\S+\" }", "JIT040"),
        ("reason = { pattern = \"(INC-[0-9]+)?\" }", "JIT040"),
        ("at-end = \"stop\"", "JIT025"),
        ("at-end = \"keep\"", "JIT041"),
        ("keep-max = \"1h\"", "JIT041"),
        ("grace = \"31m\"", "JIT018"),
        ("warn = \"10m\"", "JIT015"),
        ("warn = [\"10\"]", "JIT018"),
    ] {
        let key = format!("{} ", lines.split(' ').next().unwrap());
        let others = ROLE_LINES.lines().filter(|line| !line.starts_with(&key)).collect::<Vec<_>>().join("\n");
        let text = with_role(&format!("{others}\n{lines}"));
        assert_eq!(codes(&text), [code], "{lines}: {:#?}", findings(&text));
    }
}

#[test]
fn a_role_needs_hosts_services_eligible_people_a_longest_time_and_a_stage() {
    let whole = with_role(ROLE_LINES);
    for key in ["hosts", "services", "eligible", "max-duration", "stage"] {
        let without = whole.lines().filter(|line| !line.starts_with(key)).collect::<Vec<_>>().join("\n");
        let found = findings(&without);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0].code, "JIT014");
        assert!(found[0].message.starts_with(&format!("`{key}` is missing")), "{}", found[0]);
        assert_eq!(found[0].excerpt, "[role.r]");
    }
}

#[test]
fn a_role_name_is_a_word_of_its_own() {
    for name in ["\"\"", "DBA", "\"db oncall\"", "\"../x\"", "\"a\\u001bb\"", &"x".repeat(65)] {
        let text = with_role(ROLE_LINES).replace("[role.r]", &format!("[role.{name}]"));
        assert_eq!(codes(&text), ["JIT017"], "{name}");
    }
    load(&with_role(ROLE_LINES).replace("[role.r]", "[role.\"db.on-call_2\"]"));
}

#[test]
fn every_key_that_is_accepted_is_read() {
    let assignments = WHOLE.lines().filter_map(|line| line.split_once(" = "));
    let mut tried = 0;
    for (key, value) in assignments {
        let line = format!("{key} = {value}");
        let found = findings(&WHOLE.replace(&line, &format!("{key} = false")));
        assert!(found.iter().any(|finding| finding.code == "JIT015"), "{key}: {found:#?}");
        tried += 1;
    }
    assert_eq!(tried, 17);
}

#[test]
fn a_zone_is_one_of_the_database_and_a_link_of_it_is_the_same_as_what_it_links_to() {
    let hours = |tz: &str| load(&with_role(&format!("{ROLE_LINES}\nhours = [{{ tz = \"{tz}\" }}]")));
    for zone in ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Etc/GMT+3"] {
        assert_eq!(hours(zone).roles().next().unwrap().limits.hours[0].tz.to_string(), zone);
    }
}

#[test]
fn every_key_of_the_rest_of_the_language_is_read() {
    let mut tried = 0;
    for (key, value) in RICH.lines().filter_map(|line| line.split_once(" = ")) {
        let wrong = if value == "true" { "[]" } else { "false" };
        let line = format!("{key} = {value}");
        let found = findings(&RICH.replace(&line, &format!("{key} = {wrong}")));
        assert!(found.iter().any(|finding| finding.code == "JIT015"), "{key}: {found:#?}");
        tried += 1;
    }
    assert_eq!(tried, 38);
}

#[test]
fn an_account_or_a_key_belongs_to_one_person_only() {
    let people = |text: &str| codes(&format!("{BASE}[people]\n{text}"));
    assert_eq!(people("a = { accounts = [\"x\", \"y\"] }\nb = { accounts = [\"y\"] }"), ["JIT038"]);
    let keys = "a = { accounts = [\"x\"], keys = [\"k\"] }\nb = { accounts = [\"z\"], keys = [\"k\"] }";
    assert_eq!(people(keys), ["JIT038"]);
    for (text, code) in [
        ("a = {}", "JIT014"),
        ("a = { accounts = [] }", "JIT016"),
        ("a = [\"x\"]", "JIT015"),
        ("a = { accounts = [\"x:y\"] }", "JIT017"),
        ("a = { accounts = [\"x\"], keys = [\"*@site\"] }", "JIT017"),
        ("\"a:b\" = { accounts = [\"x\"] }", "JIT017"),
        ("a = { account = [\"x\"] }", "JIT012"),
    ] {
        assert_eq!(people(text), [code], "{text}");
    }
    let twice = "version = 1\n[people]\na = { accounts = [\"y\"] }";
    let once = format!("{BASE}[people]\na = {{ accounts = [\"x\"] }}");
    let found = Policy::parse(&[file("a.toml", once), file("b.toml", twice)]).unwrap_err();
    assert_eq!(found.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["JIT037"]);
}

#[test]
fn the_mode_is_set_once_and_to_a_word_that_is_known() {
    for (text, code) in [
        ("mode = \"permissive\"", "JIT025"),
        ("mode = true", "JIT015"),
        ("mode = {}", "JIT014"),
        ("mode = { observe = [] }", "JIT016"),
    ] {
        assert_eq!(codes(&format!("{text}\n{BASE}")), [code], "{text}");
    }
    let misread = "mode = { observe = [\"sudo\"], sshd = \"observe\" }";
    assert_eq!(codes(&format!("{misread}\n{BASE}")), ["JIT050", "JIT012"], "a service is no key");
    let files = [
        file("a.toml", format!("mode = \"enforce\"\n{BASE}")),
        file("b.toml", "version = 1\nmode = \"enforce\""),
    ];
    let found = Policy::parse(&files).unwrap_err();
    assert_eq!(found.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["JIT039"]);
}

#[test]
fn an_asker_is_an_account_that_is_not_root_and_names_services_that_programs_ask_for() {
    for (keys, code) in [
        ("account = \"postgres\", services = [\"postgresql\"]", "JIT102"),
        ("account = \"root\", services = [\"postgresql\"]", "JIT101"),
        ("account = \"postgres\", services = [\"sudo\"]", "JIT101"),
        ("account = \"postgres\", services = [\"postgresql\", \"su-l\"]", "JIT101"),
        ("account = \"postgres\", services = []", "JIT016"),
        ("account = \"\", services = [\"postgresql\"]", "JIT016"),
        ("account = \"@dba\", services = [\"postgresql\"]", "JIT017"),
        ("account = [\"postgres\"], services = [\"postgresql\"]", "JIT015"),
        ("account = \"postgres\", services = [\"postgresql\"], end-as = \"root\"", "JIT101"),
        ("account = \"postgres\", services = [\"postgresql\"], end-as = []", "JIT015"),
        ("services = [\"postgresql\"]", "JIT014"),
        ("account = \"postgres\"", "JIT014"),
        ("account = \"postgres\", services = [\"postgresql\"], users = [\"ana\"]", "JIT012"),
    ] {
        let text = format!("{BASE}\nasker = [{{ {keys} }}]");
        let found = findings(&text);
        let found: Vec<_> = found
            .iter()
            .map(|finding| finding.code)
            .filter(|found| *found != "JIT102" || code == "JIT102")
            .collect();
        assert_eq!(found, [code], "{keys}");
    }
    assert_eq!(codes(&format!("asker = {{ account = \"a\", services = [\"b\"] }}\n{BASE}")), ["JIT015"]);
}

#[test]
fn a_console_that_is_only_for_some_addresses_is_no_console() {
    assert_eq!(codes(&BASE.replace("[\"login\"]", "[\"login\"], from = [\"10.1.2.3\"]")), ["JIT036"]);
}

#[test]
fn an_unknown_key_is_refused_wherever_it_stands() {
    for header in [
        "version = 1\n",
        "[admins]\n",
        "[auditors]\n",
        "[[exempt]]\n",
        "[role.db-oncall]\n",
        "name = \"team lead\"\n",
    ] {
        let text = WHOLE.replace(header, &format!("{header}priority = 1\n"));
        assert_eq!(codes(&text), ["JIT012"], "{header}");
    }
    let inline = WHOLE.replace("users = [\"maria\"]", "users = [\"maria\"], roles = [\"x\"]");
    assert_eq!(codes(&inline), ["JIT012"]);
}

#[test]
fn every_file_says_its_version() {
    let other = |text: &str| {
        let findings = Policy::parse(&[file("a.toml", WHOLE), file("b.toml", text)]).unwrap_err();
        findings.iter().map(|finding| (finding.file.clone(), finding.code)).collect::<Vec<_>>()
    };
    assert_eq!(other(""), [("b.toml".to_owned(), "JIT010")]);
    assert_eq!(other("version = 2\nwhatever = 1"), [("b.toml".to_owned(), "JIT011")]);
    assert_eq!(other("version = 0"), [("b.toml".to_owned(), "JIT011")]);
    assert_eq!(other("version = \"1\""), [("b.toml".to_owned(), "JIT015")]);
}

#[test]
fn a_file_that_is_not_text_is_refused_with_the_place() {
    let place = |bytes: &[u8]| {
        let found = Policy::parse(&[file("a.toml", bytes)]).unwrap_err();
        assert_eq!(found.len(), 1, "{found:#?}");
        (found[0].code, found[0].line, found[0].column)
    };
    assert_eq!(place(b"version = 1\n# caf\xe9\n"), ("JIT005", 2, 6));
    assert_eq!(place(b"version = 1\n\0"), ("JIT006", 2, 1));
    assert_eq!(place("version = 1 # \u{202e}".as_bytes()), ("JIT006", 1, 15));
    assert_eq!(place("\u{feff}version = 1".as_bytes()), ("JIT006", 1, 1));
    assert_eq!(place(b"version = 1\rversion = 1"), ("JIT006", 1, 12));
    assert_eq!(place(b"version = 1\n[admins"), ("JIT007", 2, 8));
    assert_eq!(place(b"version = 1\nversion = 1"), ("JIT007", 2, 1));
}

#[test]
fn a_file_that_nests_without_end_is_refused_and_not_followed_to_the_bottom() {
    for (open, shut) in [("[", "]"), ("{ a = ", " }")] {
        let text = format!("version = {}1{}\n", open.repeat(100_000), shut.repeat(100_000));
        assert_eq!(codes(&text).first(), Some(&"JIT007"), "{open}");
    }
    let dotted = format!("version = 1\n{}x = 1\n", "a.".repeat(100_000));
    assert!(!codes(&dotted).is_empty());
}

#[test]
fn lines_may_end_as_they_do_on_windows() {
    assert_eq!(load(&WHOLE.replace('\n', "\r\n")).rules, load(WHOLE).rules);
}

#[test]
fn a_file_may_be_one_mebibyte_long_and_not_a_byte_longer() {
    let padded = |length: usize| format!("{WHOLE}#{}", "x".repeat(length - WHOLE.len() - 1));
    load(&padded(1 << 20));
    assert_eq!(codes(&padded((1 << 20) + 1)), ["JIT003"]);
}

#[test]
fn a_mebibyte_of_mistakes_in_one_line_is_refused_as_one() {
    // Were each mistake's column counted, this would take minutes.
    let text = format!("{BASE}auditors = {{ users = [{}] }}", "!, ".repeat((1 << 20) / 3 - 100));
    assert_eq!(codes(&text), ["JIT007"]);
}

#[test]
fn there_may_be_256_files_and_not_none() {
    let mut files: Vec<_> = (0..255).map(|n| file(&format!("{n:03}.toml"), "version = 1")).collect();
    files.push(file("zzz.toml", WHOLE));
    assert!(Policy::parse(&files).is_ok());
    files.push(file("zzzz.toml", "version = 1"));
    assert_eq!(Policy::parse(&files).unwrap_err()[0].code, "JIT002");
    assert_eq!(Policy::parse(&[]).unwrap_err()[0].code, "JIT001");
}

#[test]
fn two_files_of_one_name_are_refused() {
    let found = Policy::parse(&[file("a.toml", WHOLE), file("a.toml", "version = 1")]).unwrap_err();
    assert_eq!(found.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["JIT004"]);
}

#[test]
fn there_may_be_20_000_roles_and_not_one_more() {
    let roles = |name: &str, count: usize| {
        let role = |n| {
            format!(
                "role.{name}{n} = {{ hosts = [\"*\"], services = [\"s\"], eligible.groups = [\"g\"], \
                 max-duration = \"1h\", stage = [{{ approvers.groups = [\"g\"] }}] }}\n"
            )
        };
        file(
            &format!("{name}.toml"),
            format!("version = 1\n{}", (0..count).map(role).collect::<Vec<_>>().concat()),
        )
    };
    let mut files = vec![
        file("0.toml", BASE),
        roles("a", 5_000),
        roles("b", 5_000),
        roles("c", 5_000),
        roles("d", 5_000),
    ];
    assert_eq!(Policy::parse(&files).unwrap().policy.roles().count(), 20_000);
    files.push(roles("e", 3));
    let found = Policy::parse(&files).unwrap_err();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].code, found[0].file.as_str(), found[0].line), ("JIT032", "e.toml", 2));
}

#[test]
fn a_role_that_two_files_define_is_refused_and_both_places_are_named() {
    let files = [file("20.toml", with_role(ROLE_LINES)), file("10.toml", with_role(ROLE_LINES))];
    let found = Policy::parse(&files).unwrap_err();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].to_string(), "20.toml:6:7: error JIT031: role `r` is already defined at 10.toml:6:7");
}

#[test]
fn a_stage_must_be_able_to_gather_enough_people_without_the_requester() {
    let with = |eligible: &str, approvers: &str, approvals: u32| {
        codes(&with_role(&format!(
            "hosts = [\"*\"]\nservices = [\"sshd\"]\nmax-duration = \"1h\"\neligible = {{ {eligible} }}\n\
             stage = [{{ approvers = {{ {approvers} }}, approvals = {approvals} }}]"
        )))
    };
    let (dba, ana) = ("groups = [\"dba\"]", "users = [\"ana\"]");
    // Fewer approvers than approvals: nobody could get it.
    assert_eq!(with(dba, ana, 2), ["JIT033"]);
    assert_eq!(with(dba, "users = [\"ana\", \"tom\"]", 3), ["JIT033"]);
    assert_eq!(with(dba, ana, 1), Vec::<&str>::new());
    // Enough, but not for an approver who asks.
    assert_eq!(with(ana, ana, 1), ["JIT034"]);
    assert_eq!(with("users = [\"ana\", \"eve\"]", "users = [\"ana\", \"tom\"]", 2), ["JIT034"]);
    assert_eq!(with("users = [\"eve\"]", "users = [\"ana\", \"tom\"]", 2), Vec::<&str>::new());
    assert_eq!(with(ana, "users = [\"ana\", \"tom\"]", 1), Vec::<&str>::new());
    // Where a group may approve, only the host knows.
    assert_eq!(with(ana, "users = [\"ana\"], groups = [\"leads\"]", 9), Vec::<&str>::new());
}

#[test]
fn who_could_never_be_approved_is_named() {
    let found = findings(&with_role(
        "hosts = [\"*\"]\nservices = [\"sshd\"]\nmax-duration = \"1h\"\neligible.users = [\"ana\", \"eve\", \"tom\"]\n\
         stage = [{ approvers.users = [\"tom\", \"ana\"], approvals = 2 }]",
    ));
    assert!(found[0].message.starts_with("ana, tom could never get this role"), "{}", found[0]);
}

#[test]
fn a_policy_that_locks_out_every_admin_or_the_console_is_refused() {
    assert_eq!(codes(&BASE.replace("admins = { users = [\"root\"] }", "")), ["JIT035"]);
    assert_eq!(codes(&BASE.replace("\"login\"", "\"sshd\"")), ["JIT036"]);
    assert_eq!(codes("version = 1"), ["JIT035", "JIT036"]);
}

#[test]
fn one_mistake_is_not_reported_as_another() {
    // An unreadable name in [admins] is not "no admins", an unreadable exemption not "no console".
    assert_eq!(
        codes(&BASE.replace("admins = { users = [\"root\"] }", "admins = { users = [\"a:b\"] }")),
        ["JIT017"]
    );
    assert_eq!(codes(&BASE.replace("\"login\"", "\"LOGIN\"")), ["JIT017"]);
    // What is misspelt is not missing.
    for (right, wrong) in [
        ("version =", "versoin ="),
        ("[admins]", "[admin]"),
        ("[[exempt]]", "[[exempts]]"),
        ("services = [\"login\"]", "service = [\"login\"]"),
        ("eligible", "elegible"),
        ("[[role.db-oncall.stage]]", "[[role.db-oncall.stages]]"),
        ("users = [\"eve\"]", "user = [\"eve\"]"),
        ("approvers", "approver"),
    ] {
        assert_eq!(codes(&WHOLE.replace(right, wrong)), ["JIT012"], "{wrong}");
    }
    // What a file would have said is not missed where the file cannot be read.
    assert_eq!(codes("version = 1\n[admins"), ["JIT007"]);
    // Half a list of approvers is not too few.
    let half = "stage = [{ approvers = { users = [\"ana\", \"t:m\"] }, approvals = 2 }]";
    assert_eq!(codes(&with_role(&format!("{ROLE_LINES}{half}"))), ["JIT017"]);
}

#[test]
fn what_is_listed_twice_is_a_warning_and_the_policy_loads() {
    let text = WHOLE.replace("\"ana\", \"tom\"", "\"ana\", \"tom\", \"ana\"");
    let loaded = Policy::parse(&[file("a.toml", &text)]).unwrap();
    assert_eq!(loaded.policy.rules, load(WHOLE).rules);
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["a.toml:26:38: warning JIT021: `ana` is listed twice"]);
}

#[test]
fn all_findings_are_given_by_file_and_place_warnings_among_them() {
    let b = "version = 1\nrolle = 1\n[auditors]\nusers = [\"ana\", \"ana\", \"t:m\"]\n";
    let a = format!("{BASE}\n[role.x]\n[role.w]\nuses = 0\n");
    let found = Policy::parse(&[file("b.toml", b), file("a.toml", a)]).unwrap_err();
    let places: Vec<_> = found.iter().map(|f| (f.file.as_str(), f.line, f.code)).collect();
    assert_eq!(
        places,
        [
            ("a.toml", 6, "JIT014"),
            ("a.toml", 6, "JIT014"),
            ("a.toml", 6, "JIT014"),
            ("a.toml", 6, "JIT014"),
            ("a.toml", 6, "JIT014"),
            ("a.toml", 7, "JIT014"),
            ("a.toml", 7, "JIT014"),
            ("a.toml", 7, "JIT014"),
            ("a.toml", 7, "JIT014"),
            ("a.toml", 7, "JIT014"),
            ("a.toml", 8, "JIT019"),
            ("b.toml", 2, "JIT012"),
            ("b.toml", 4, "JIT021"),
            ("b.toml", 4, "JIT017"),
        ]
    );
}

#[test]
fn after_a_thousand_errors_the_rest_is_counted() {
    let keys: Vec<_> = (0..1_500).map(|n| format!("zzzzzzzzzzz{n} = 1")).collect();
    let found = findings(&format!("{BASE}{}", keys.join("\n")));
    assert_eq!(found.len(), 1_001);
    assert_eq!(found[1_000].to_string(), "10-site.toml:1:1: warning JIT090: 500 more findings are not shown");
}

#[test]
fn stages_need_different_people_and_so_do_two_accounts_of_one() {
    let stages = |eligible: &str, stages: &str, people: &str| {
        codes(&format!(
            "{}\n{people}",
            with_role(&format!(
                "hosts = [\"*\"]\nservices = [\"sshd\"]\nmax-duration = \"1h\"\neligible.users = [{eligible}]\nstage = [{stages}]"
            ))
        ))
    };
    let one = "{ name = \"a\", approvers.users = [\"ana\"] }, { name = \"b\", approvers.users = [\"ana\"] }";
    let two = "{ name = \"a\", approvers.users = [\"ana\", \"tom\"] }, { name = \"b\", approvers.users = [\"ana\"] }";
    assert_eq!(stages("\"eve\"", one, ""), ["JIT046"]);
    assert_eq!(stages("\"eve\"", two, ""), Vec::<&str>::new(), "tom, then ana");
    assert_eq!(stages("\"eve\", \"tom\"", two, ""), ["JIT046"], "tom has nobody left for the first stage");
    let people = "[people]\nana = { accounts = [\"ana\", \"tom\"] }";
    assert_eq!(stages("\"eve\"", two, people), ["JIT046"], "they are one person");
    let people = "[people]\neve = { accounts = [\"eve\", \"tom\"] }";
    assert_eq!(stages("\"eve\"", two, people), ["JIT046"], "eve approves as tom, and so not for herself");
}

#[test]
fn what_works_and_should_be_looked_at_is_a_warning() {
    let sudo = with_role(&ROLE_LINES.replace("sshd", "sudo"));
    assert_eq!(codes(&sudo), ["JIT051"]);
    let accepting = |accept: &str| {
        let stage = format!("stage = [{{ approvers.users = [\"tom\"], accept = [{accept}] }}]");
        codes(&with_role(&format!(
            "hosts = [\"*\"]\nservices = [\"sudo\"]\nmax-duration = \"1h\"\neligible.users = [\"eve\"]\n{stage}"
        )))
    };
    assert_eq!(accepting("\"signature\", \"code\""), ["JIT051"], "root here has the keys for codes");
    assert_eq!(accepting("\"signature\""), Vec::<&str>::new());
    let peers = "stage = [{ approvers = { groups = [\"dba\"] } }]";
    assert_eq!(codes(&with_role(&format!("{ROLE_LINES}{peers}"))), ["JIT052"]);
    let role = with_role(ROLE_LINES);
    let narrower = role.replace(BASE, "").replace("[role.r]", "[role.a]").replace("4h", "3h");
    assert_eq!(codes(&format!("{role}{narrower}")), ["JIT053"]);
    let other = narrower.replace("leads", "bosses");
    assert_eq!(codes(&format!("{role}{other}")), Vec::<&str>::new(), "on another word");
}

#[test]
fn admins_who_can_get_in_nowhere_are_named() {
    let text = BASE.replace("admins = { users = [\"root\"] }", "admins = { users = [\"ana\", \"tom\"] }");
    let found = findings(&text);
    assert_eq!(found.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["JIT047"]);
    assert!(found[0].message.contains("ana, tom"), "{}", found[0]);
    assert_eq!(codes(&text.replace("tom\"]", "tom\"], groups = [\"wheel\"]")), Vec::<&str>::new());
}

/// The codes of a policy with this `[policy-change]` beside these admins.
fn of_change(admins: &str, lines: &str) -> Vec<&'static str> {
    let base = BASE.replace("users = [\"root\"] }\nexempt", &format!("{admins} }}\nexempt"));
    codes(&format!("{base}\n[policy-change]\n{lines}\n"))
}

#[test]
fn a_rule_on_changes_that_is_not_one_is_refused() {
    let root = "users = [\"root\"]";
    for (lines, code) in [
        ("reason = true", "JIT014"),
        ("approvers = {}", "JIT016"),
        ("approvers = { groups = [\"leads\"] }\napprovals = 0", "JIT019"),
        ("approvers = { groups = [\"leads\"] }\napprovals = 9", "JIT019"),
        ("approvers = { groups = [\"leads\"] }\nreason = { pattern = \"x\" }", "JIT015"),
        ("approvers = { groups = [\"leads\"] }\noverride = \"no\"", "JIT015"),
        ("approvers = { groups = [\"leads\"] }\ndenials = 1", "JIT012"),
    ] {
        assert_eq!(of_change(root, lines), [code], "{lines}");
    }
    let change = "[policy-change]\napprovers = { groups = [\"leads\"] }\n";
    let more = format!("version = 1\n{change}");
    let files = [file("a.toml", format!("{BASE}\n{change}")), file("b.toml", more)];
    let twice = Policy::parse(&files).unwrap_err();
    assert_eq!(twice.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["JIT049"]);
}

#[test]
fn how_long_records_stay_is_set_once_and_for_a_month_at_least() {
    for (retain, expected) in [
        ("\"3y\"", &[][..]),
        ("\"365d\"", &[]),
        ("\"90d\"", &["JIT057"]),
        ("\"29d\"", &["JIT018"]),
        ("\"0y\"", &["JIT018"]),
        ("3", &["JIT015"]),
    ] {
        assert_eq!(codes(&format!("retain = {retain}\n{BASE}")), expected, "{retain}");
    }
    let files =
        [file("a.toml", format!("retain = \"3y\"\n{BASE}")), file("b.toml", "version = 1\nretain = \"3y\"")];
    let twice = Policy::parse(&files).unwrap_err();
    assert_eq!(twice.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["JIT056"]);
}

#[test]
fn a_policy_that_nobody_could_ever_change_again_is_refused_and_an_admin_who_could_not_is_told() {
    let few = "approvers = { users = [\"ana\", \"tom\"] }";
    let none: [&str; 0] = [];
    for (admins, lines, expected) in [
        ("users = [\"root\"]", few.to_owned(), &none[..]),
        ("users = [\"root\", \"ana\"]", few.to_owned(), &none),
        ("users = [\"root\"]", format!("{few}\napprovals = 2"), &none),
        // More than there are.
        ("users = [\"root\"]", format!("{few}\napprovals = 3"), &["JIT048"]),
        // Nobody approves their own.
        ("users = [\"root\", \"ana\"]", format!("{few}\napprovals = 2"), &["JIT054"]),
        ("users = [\"root\"]", "approvers = { users = [\"root\"] }".to_owned(), &["JIT048"]),
        (
            "users = [\"root\"], groups = [\"ops\"]",
            "approvers = { users = [\"root\"] }".to_owned(),
            &["JIT054"],
        ),
        // Who is in a group, only a host knows.
        ("users = [\"root\"]", "approvers = { groups = [\"leads\"] }\napprovals = 8".to_owned(), &none),
        ("users = [\"root\"]", format!("{few}\noverride = false"), &["JIT055"]),
    ] {
        assert_eq!(of_change(admins, &lines), expected, "{admins} {lines}");
    }
    let one = "[people]\nana = { accounts = [\"ana\", \"tom\"] }";
    let two = format!("{few}\napprovals = 2\n{one}");
    assert_eq!(of_change("users = [\"root\"]", &two), ["JIT048"], "two accounts of one person");
}
