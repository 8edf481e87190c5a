//! Cases pass when policy does what they say, and show what it did where it does not.

use jit_proto::text::is_unprintable;

use std::fs;
use std::path::Path;

use super::*;

/// A whole policy of the common keys.
const WHOLE: &str = include_str!("../../../jit_policy/src/tests/whole.toml");

fn file(name: &str, text: impl AsRef<[u8]>) -> SourceFile {
    SourceFile { name: name.to_owned(), bytes: text.as_ref().to_vec() }
}

fn load(text: &str) -> Policy {
    Policy::parse(&[file("10-site.toml", text)]).unwrap_or_else(|findings| panic!("{findings:#?}")).policy
}

/// The TOML files of a folder.
fn folder(path: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(file(path.file_name().unwrap().to_str().unwrap(), fs::read(&path).unwrap()));
        }
    }
    files
}

const ACCOUNTS: &str = r#"
[account.root]
[account.maria]
[account.eve]
groups = ["dba"]
[account.ana]
[account.tom]
"#;

fn cases(story: &str) -> String {
    format!(
        "{ACCOUNTS}[[case]]\nname = \"a story\"\nhost = \"db-1\"\nat = \"2026-11-23T09:00:00Z\"\nstory = [\n{story}\n]\n"
    )
}

fn run_one(story: &str) -> Report {
    run(&load(WHOLE), &[file("a.toml", cases(story))]).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

const STORY: &str = r#"
{ check = "sshd", by = "maria", then = "deny", why = "no-window" },
{ request = "db-oncall", by = "maria", for = "1h", then = "waits", says = "2 approvals" },
{ approve = "maria", by = "ana", then = "refused", says = "accepts signature" },
{ approve = "maria", by = "ana", method = "signature", then = "waits", says = "1 approval" },
{ approve = "maria", by = "tom", method = "signature", then = "opens" },
{ check = "sshd", by = "maria", then = "allow", why = "window", says = "1h left" },
{ wait = "1h" },
{ check = "sshd", by = "maria", then = "deny" },
{ check = "login", by = "root", then = "unmanaged" },
"#;

#[test]
fn a_story_that_goes_as_it_says_passes_and_touches_what_it_uses() {
    let report = run_one(STORY);
    assert!(report.passed(), "{report}");
    assert_eq!(
        report.to_string(),
        "ok   a.toml: a story
not touched by any case: denial at stage 'team lead' of role db-oncall
1 case, 0 failed, 1 rule not touched"
    );
}

#[test]
fn a_story_that_goes_otherwise_shows_the_step_and_both_answers() {
    let report = run_one(
        r#"{ check = "sshd", by = "maria", then = "allow" },
           { request = "db-oncall", by = "eve", then = "refused" },"#,
    );
    assert!(!report.passed());
    assert_eq!(
        report.to_string(),
        "FAIL a.toml: a story
     line 13, step 1: maria at sshd
       - allow
       + deny (no-window)
     line 14, step 2: eve asks for db-oncall for eve
       - refused
       + waits for 2 approvals from ana, tom, @dba-leads (stage 'team lead')
not touched by any case: approval at stage 'team lead' of role db-oncall
not touched by any case: denial at stage 'team lead' of role db-oncall
not touched by any case: exemption of root at login
1 case, 1 failed, 3 rules not touched"
    );
}

#[test]
fn what_one_file_leaves_untouched_another_may_touch() {
    let denial = cases(
        r#"{ request = "db-oncall", by = "maria", then = "waits" },
           { deny = "maria", by = "ana", method = "signature", then = "ends" },"#,
    );
    let files = [file("a.toml", cases(STORY)), file("b.toml", denial)];
    let report = run(&load(WHOLE), &files).unwrap();
    assert_eq!(report.untouched, Vec::<String>::new());
    assert_eq!(report.cases.iter().map(|case| case.file.as_str()).collect::<Vec<_>>(), ["a.toml", "b.toml"]);
    assert!(report.to_string().ends_with("2 cases, 0 failed, every rule touched"), "{report}");
}

#[test]
fn each_limit_of_a_role_is_a_rule_that_a_refusal_touches() {
    let text = WHOLE.replace(
        "uses = 3",
        "from = [\"10.0.0.0/8\"]\nhours = [{ days = \"mon\", from = \"08:00\", to = \"10:00\", tz = \"UTC\" }]",
    );
    let story = |more: &str| {
        cases(&format!(
            r#"{{ request = "db-oncall", by = "maria", for = "4h", then = "waits" }},
               {{ approve = "maria", by = "ana", method = "signature", then = "waits" }},
               {{ approve = "maria", by = "tom", method = "signature", then = "opens" }},
               {{ check = "sshd", by = "maria", from = "10.1.1.1", then = "allow" }},{more}"#
        ))
    };
    let limits = |more: &str| {
        let report = run(&load(&text), &[file("a.toml", story(more))]).unwrap();
        assert!(report.passed(), "{report}");
        report.untouched.into_iter().filter(|rule| rule.contains("a login refused")).collect::<Vec<_>>()
    };
    let from = "a login refused by `from` of role db-oncall";
    let hours = "a login refused by `hours` of role db-oncall";
    assert_eq!(limits(""), [from, hours]);
    let elsewhere = r#"{ check = "sshd", by = "maria", from = "192.0.2.1", then = "deny" },"#;
    assert_eq!(limits(elsewhere), [hours]);
    let later = r#"{ wait = "1h" }, { check = "sshd", by = "maria", from = "10.1.1.1", then = "deny" },"#;
    assert_eq!(limits(later), [from]);
}

#[test]
fn each_exemption_is_a_rule_of_its_own() {
    let text = format!("{WHOLE}[[exempt]]\ngroups = [\"dba\"]\nservices = [\"login\", \"cron\"]\n");
    let report = run(&load(&text), &[file("a.toml", cases(STORY))]).unwrap();
    let untouched: Vec<_> = report.untouched.iter().filter(|rule| rule.starts_with("exemption")).collect();
    assert_eq!(untouched, ["exemption of @dba at cron", "exemption of @dba at login"]);
}

#[test]
fn a_step_that_makes_no_sense_is_refused_with_its_place() {
    for (step, what) in [
        ("{ by = \"maria\" }", "a step has one of"),
        ("{ wait = \"1h\", check = \"sshd\" }", "a step has one of"),
        ("{ wait = \"1\" }", "no unit"),
        ("{ check = \"sshd\" }", "needs `by`"),
        ("{ check = \"sshd\", by = \"nobody\" }", "no [account.nobody]"),
        ("{ approve = \"maria\", by = \"ana\" }", "has not asked"),
        ("{ chek = \"sshd\" }", "unknown field `chek`"),
    ] {
        let findings = run(&load(WHOLE), &[file("a.toml", cases(step))]).unwrap_err();
        let [finding] = &findings[..] else { panic!("{findings:?}") };
        assert_eq!((finding.code, finding.file.as_str(), finding.line), ("JIT080", "a.toml", 13), "{step}");
        assert!(finding.message.contains(what), "{finding}");
    }
}

#[test]
fn a_file_that_is_no_file_of_cases_is_refused_with_its_place_and_so_are_all_others() {
    let files = [
        file("a.toml", "[[case]]\nnam = 1"),
        file("b.toml", cases(STORY)),
        file("c.toml", "[[case]]\nname = \"\u{202e}x\""),
        file("d.toml", b"\xff"),
    ];
    let findings = run(&load(WHOLE), &files).unwrap_err();
    let places: Vec<_> = findings.iter().map(|f| (f.file.as_str(), f.line, f.column, f.code)).collect();
    assert_eq!(places, [("a.toml", 2, 1, "JIT080"), ("c.toml", 2, 9, "JIT006"), ("d.toml", 1, 1, "JIT005")]);
}

#[test]
fn nothing_that_a_file_of_cases_says_acts_on_a_terminal() {
    const HOSTILE: &str = "\u{1b}]0;x\u{7}\u{202e}";
    let shown = |text: &str| match run(&load(WHOLE), &[file("a.toml", text)]) {
        Ok(report) => report.to_string(),
        Err(findings) => findings.iter().map(Finding::render).collect::<Vec<_>>().join("\n"),
    };
    let escaped = r"\u001b]0;x\u0007\u202e";
    let step = |step: &str| cases(step).replacen("name = \"", &format!("name = \"{escaped}"), 1);
    for text in [
        format!("# {HOSTILE} is not TOML"),
        format!("[[case]]\n\"{escaped}\" = 1"),
        step(&format!("{{ check = \"sshd\", by = \"maria\", then = \"{escaped}\" }}")),
        step(&format!("{{ check = \"sshd\", by = \"maria\", says = \"{escaped}\" }}")),
        step("{ wait = \"1\" }"),
        step(&format!("{{ wait = \"{escaped}\" }}")),
        step(&format!("{{ request = \"db-oncall\", by = \"maria\", reason = \"{escaped}\" }}")),
    ] {
        let shown = shown(&text);
        assert!(!shown.is_empty() && !shown.chars().any(|c| c != '\n' && is_unprintable(c)), "{shown:?}");
    }
}

/// Runs the cases of every policy in a folder; says how many there are.
fn all_pass_and_touch_every_rule(policies: &str) -> usize {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join(policies);
    let mut count = 0;
    for entry in fs::read_dir(&policies).unwrap() {
        let path = entry.unwrap().path();
        let read = Policy::parse(&folder(&path)).unwrap_or_else(|err| panic!("{}: {err:#?}", path.display()));
        let report = run(&read.policy, &folder(&path.join("cases"))).unwrap_or_else(|err| panic!("{err:#?}"));
        assert!(report.passed() && !report.cases.is_empty(), "{}:\n{report}", path.display());
        // An emergency role cannot be asked for yet.
        let untouched: Vec<_> =
            report.untouched.iter().filter(|rule| !rule.contains("break-glass")).collect();
        assert!(untouched.is_empty(), "{}: {untouched:#?}", path.display());
        count += 1;
    }
    count
}

#[test]
fn every_shipped_policy_does_what_its_cases_say_and_no_rule_of_it_goes_untried() {
    assert!(all_pass_and_touch_every_rule("../policies") >= 9);
}

/// docs/policies.md has a table of them.
#[test]
fn what_other_systems_policies_say_is_said_in_the_language_and_means_the_same() {
    assert_eq!(all_pass_and_touch_every_rule("../tests/policies"), 16);
}
