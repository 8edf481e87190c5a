//! Cases pass when policy does what they say, and show what it did where it does not.

use jit_proto::text::is_unprintable;

use crate::policy::cases::{BadCases, run};

use super::*;

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

const STORY: &str = r#"
{ check = "sshd", by = "maria", then = "deny", why = "no-window" },
{ request = "db-oncall", by = "maria", for = "1h", then = "waits", says = "2 more" },
{ approve = "maria", by = "ana", then = "refused", says = "accepts signature" },
{ approve = "maria", by = "ana", method = "signature", then = "waits", says = "1 more" },
{ approve = "maria", by = "tom", method = "signature", then = "opens" },
{ check = "sshd", by = "maria", then = "allow", why = "window", says = "1h left" },
{ wait = "1h" },
{ check = "sshd", by = "maria", then = "deny" },
{ check = "login", by = "root", then = "unmanaged" },
"#;

#[test]
fn a_story_that_goes_as_it_says_passes_and_touches_what_it_uses() {
    let report = run(&load(WHOLE), &cases(STORY)).unwrap();
    assert!(report.passed(), "{report}");
    assert_eq!(report.to_string(), "ok   a story\n1 cases, 0 failed");
}

#[test]
fn a_story_that_goes_otherwise_shows_the_step_and_both_answers() {
    let report = run(
        &load(WHOLE),
        &cases(
            r#"{ check = "sshd", by = "maria", then = "allow" },
               { request = "db-oncall", by = "eve", then = "refused" },"#,
        ),
    )
    .unwrap();
    assert!(!report.passed());
    assert_eq!(
        report.to_string(),
        "FAIL a story
     step 1, maria at sshd
       - allow
       + deny (no-window)
     step 2, eve asks for db-oncall for eve
       - refused
       + waits for stage 'team lead': 2 more of ana, tom, @dba-leads, not eve
1 cases, 1 failed
not touched by any case: stage 'team lead' of role db-oncall
not touched by any case: exemption at login"
    );
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
    ] {
        let err = run(&load(WHOLE), &cases(step)).unwrap_err();
        assert!(matches!(err, BadCases::Step { step: 1, .. }), "{err}");
        assert!(err.to_string().contains(what), "{err}");
    }
    assert!(matches!(run(&load(WHOLE), "[[case]]\nnam = 1"), Err(BadCases::Text(_))));
}

#[test]
fn nothing_that_a_file_of_cases_says_acts_on_a_terminal() {
    const HOSTILE: &str = "\u{1b}]0;x\u{7}\u{202e}";
    let shown = |text: &str| match run(&load(WHOLE), text) {
        Ok(report) => report.to_string(),
        Err(err) => err.to_string(),
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
