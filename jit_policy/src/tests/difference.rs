//! What a change of policy is said to give and take.

use super::*;

fn said(old: &str, new: &str) -> Vec<String> {
    let parse = |text| Policy::parse(&[file("a.toml", text)]).unwrap().policy;
    diff(&parse(old), &parse(new)).iter().map(ToString::to_string).collect()
}

#[test]
fn an_asker_that_is_gone_or_asks_elsewhere_is_said() {
    let with = |services: &str| {
        WHOLE.replace(
            "version = 1",
            &format!("version = 1\nasker = [{{ account = \"pg\", services = [{services}] }}]"),
        )
    };
    assert_eq!(said(&with("\"a\""), WHOLE), ["- asker: no longer: pg may ask about anybody at a"]);
    assert_eq!(
        said(&with("\"a\""), &with("\"a\", \"b\"")),
        ["+ asker: pg may ask about anybody at a, b", "- asker: no longer: pg may ask about anybody at a"]
    );
}

#[test]
fn files_that_mean_the_same_differ_in_nothing() {
    let other = WHOLE.replace("\"sshd\", \"sudo\"", "\"sudo\", \"sshd\"").replace("\"4h\"", "\"240m\"");
    assert_eq!(said(WHOLE, &other), Vec::<String>::new());
}

#[test]
fn a_new_role_and_one_that_is_gone_are_told_by_what_they_give() {
    let text = "@dba, maria".replace("@dba, maria", "maria, @dba");
    let gives = format!(
        "{text} may ask for sshd, sudo, sudo-i on backup, db-* for up to 4h, approved by 2 of ana, tom, @dba-leads (signature)"
    );
    let without = format!(
        "{}\n[auditors]\nusers = [\"eve\"]\n",
        BASE.replace("users = [\"root\"] }\nexempt", "users = [\"root\"], groups = [\"sysadmin\"] }\nexempt")
    );
    assert_eq!(said(&without, WHOLE), [format!("+ role db-oncall: {gives}")]);
    let takes = gives.replace("may ask", "may no longer ask");
    assert_eq!(said(WHOLE, &without), [format!("- role db-oncall: {takes}")]);
}

#[test]
fn every_change_of_a_role_is_said_with_its_direction() {
    let all =
        "sshd, sudo, sudo-i on backup, db-* for up to 4h, approved by 2 of ana, tom, @dba-leads (signature)";
    for (old, new, expected) in [
        ("[\"maria\"]", "[\"maria\", \"tim\"]", format!("+ role db-oncall: tim may ask for {all}").as_str()),
        (
            "[\"maria\"], groups",
            "[], groups",
            &format!("- role db-oncall: maria may no longer ask for {all}"),
        ),
        ("\"db-*\", ", "\"db-*\", \"web\", ", "+ role db-oncall: maria, @dba: also on web"),
        ("\"db-*\", ", "", "- role db-oncall: maria, @dba: no longer on db-*"),
        ("\"sshd\", \"sudo\"", "\"sshd\"", "- role db-oncall: maria, @dba: no longer for sudo, sudo-i"),
        (
            "\"sshd\", \"sudo\"",
            "\"sshd\", \"sudo\", \"cron\"",
            "+ role db-oncall: maria, @dba: also for cron",
        ),
        ("\"4h\"", "\"5h\"", "+ role db-oncall: maria, @dba: for up to 5h, was 4h"),
        ("\"4h\"", "\"3h\"", "- role db-oncall: maria, @dba: for up to 3h, was 4h"),
        ("uses = 3", "uses = \"unlimited\"", "+ role db-oncall: maria, @dba: uses: unlimited, was 3"),
        ("uses = 3", "uses = 3\nfrom = [\"::1\"]", "- role db-oncall: maria, @dba: from ::1, was any"),
        (
            "uses = 3",
            "uses = 3\nemergency = true",
            "+ role db-oncall: maria, @dba: opens before anybody approved",
        ),
        (
            "uses = 3",
            "uses = 3\nhours = [{ days = \"sat\", tz = \"UTC\" }]",
            "- role db-oncall: maria, @dba: at sat 00:00-24:00 UTC, was any",
        ),
        (
            "uses = 3",
            "uses = 3\nsurvives-reboot = true",
            "+ role db-oncall: maria, @dba: goes on after a restart",
        ),
        (
            "uses = 3",
            "uses = 3\nstarts = \"at-first-use\"\nlapse = \"2h\"",
            "~ role db-oncall: maria, @dba: begins with the first login, within 2h; was when it is approved",
        ),
        (
            "uses = 3",
            "uses = 3\nreason = { pattern = \"^INC-[0-9]+\", hint = \"INC-1\" }",
            "~ role db-oncall: maria, @dba: takes a reason like `^INC-[0-9]+`; was of any kind",
        ),
        (
            "uses = 3",
            "uses = 3\nuntil = 2027-02-28",
            "- role db-oncall: maria, @dba: may be asked for until 2027-02-28 (UTC), was without an end",
        ),
        (
            "uses = 3",
            "uses = 3\nlimits = { each = 1, rest = \"4h\" }",
            "- role db-oncall: maria, @dba: 1 for each person, 4h of rest, was no limits",
        ),
        (
            "version = 1",
            "version = 1\nasker = [{ account = \"postgres\", services = [\"postgresql\"] }]",
            "+ asker: postgres may ask about anybody at postgresql",
        ),
        (
            "version = 1",
            "version = 1\nservice = { sshd = { ends = \"process\" } }",
            "~ service sshd: a login there ends with the process that asked; was no process",
        ),
        ("[\"eve\"]", "[\"eve\", \"sam\"]", "+ auditors: also sam"),
        ("\nusers = [\"root\"]\ngroups", "\ngroups", "- admins: no longer root"),
        (
            "services = [\"login\"]",
            "services = [\"login\"]\n[[exempt]]\ngroups = [\"bak\"]\nservices = [\"sshd\"]",
            "+ exempt: @bak at sshd without asking anybody",
        ),
        ("\"30m\"", "\"31m\"", "~ role db-oncall: maria, @dba: unless asked otherwise, lasts 31m; was 30m"),
        (
            "version = 1",
            "version = 1\n[people]\nmaria = { accounts = [\"maria\"] }",
            "~ people: account maria is maria, was a person of its own",
        ),
    ] {
        assert!(WHOLE.contains(old), "{old}");
        assert_eq!(said(WHOLE, &WHOLE.replace(old, new)), [expected], "{old} → {new}");
    }
}

/// A second role beside `WHOLE`'s, for maria and @dba.
fn beside(hosts: &str, services: &str) -> String {
    format!(
        "{WHOLE}\n[role.second]\nhosts = {hosts}\nservices = {services}\nmax-duration = \"1h\"\n\
         eligible = {{ users = [\"maria\"], groups = [\"dba\"] }}\nstage = [{{ approvers = {{ users = [\"eve\"] }} }}]\n"
    )
}

#[test]
fn a_loss_that_another_role_makes_good_is_said_to_be_one() {
    let less = |text: &str| text.replace("\"sshd\", \"sudo\"]\neligible", "\"sshd\"]\neligible");
    for (hosts, services, still) in [
        ("[\"*\"]", "[\"sudo\"]", " (still by role second)"),
        ("[\"backup\", \"db-*\"]", "[\"sshd\", \"sudo\"]", " (still by role second)"),
        ("[\"*\"]", "[\"sudo-i\"]", " (still sudo-i by role second)"),
        ("[\"db-*\"]", "[\"sudo\"]", ""),
        ("[\"*\"]", "[\"cron\"]", ""),
    ] {
        let text = beside(hosts, services);
        let expected = format!("- role db-oncall: maria, @dba: no longer for sudo, sudo-i{still}");
        assert_eq!(said(&text, &less(&text)), [expected], "{hosts} {services}");
    }
    // Whoever is not eligible for it keeps nothing.
    let text = beside("[\"*\"]", "[\"sshd\", \"sudo\"]");
    let with_tim = text.replacen("users = [\"maria\"]", "users = [\"maria\", \"tim\"]", 1);
    let changes = said(&with_tim, &text);
    assert!(changes.len() == 1 && changes[0].starts_with("- role db-oncall: tim "), "{changes:?}");
    assert!(!changes[0].contains("still"), "{changes:?}");
}

#[test]
fn a_gain_that_another_role_gave_before_is_said_to_be_one() {
    let text = beside("[\"*\"]", "[\"sshd\", \"cron\"]");
    let more =
        text.replacen("services = [\"sshd\", \"sudo\"]", "services = [\"sshd\", \"sudo\", \"cron\"]", 1);
    assert_eq!(said(&text, &more), ["+ role db-oncall: maria, @dba: also for cron (already by role second)"]);
    let exempt =
        format!("{WHOLE}\n[[exempt]]\nusers = [\"maria\"]\ngroups = [\"dba\"]\nservices = [\"cron\"]\n");
    let more =
        exempt.replacen("services = [\"sshd\", \"sudo\"]", "services = [\"sshd\", \"sudo\", \"cron\"]", 1);
    assert_eq!(
        said(&exempt, &more),
        ["+ role db-oncall: maria, @dba: also for cron (already without asking)"]
    );
}

#[test]
fn no_change_of_terms_goes_unsaid() {
    for (old, new) in [
        ("@databases", "databases"),
        ("[\"@prod\"]", "[\"prod\"]"),
        ("[\"vetted\"]", "[\"trained\"]"),
        ("\"interns\"", "\"trainees\""),
        ("[\"oracle\"]", "[\"oracle\", \"postgres\"]"),
        ("10.1.0.0/16", "10.1.0.0/17"),
        ("mon-fri", "mon-sat"),
        ("\"12h\"", "\"13h\""),
        ("survives-reboot = true", "survives-reboot = false"),
        ("INC-[0-9]", "CHG-[0-9]"),
        ("keep-max = \"2h\"", "keep-max = \"3h\""),
        ("\"10s\"", "\"11s\""),
        ("emergency = true", "emergency = false"),
        ("2027-02-28", "2027-03-01"),
        ("each = 1", "each = 2"),
        ("above = \"2h\"", "above = \"3h\""),
        ("denials = 2", "denials = 1"),
        ("\"managers\"", "\"bosses\""),
        ("observe = [\"cups\"]", "observe = [\"cron\"]"),
        ("\"adm-maria\"", "\"maria-adm\""),
        ("10.9.0.4", "10.9.0.5"),
    ] {
        assert!(!said(RICH, &RICH.replace(old, new)).is_empty(), "{old} → {new}");
    }
}

#[test]
fn a_records_difference_is_bounded_and_says_how_much_it_left_out() {
    let parse = |text: &str| Policy::parse(&[file("a.toml", text)]).unwrap().policy;
    let roles = |count: usize| -> String {
        let role = |n| BASE_ROLE.replace("NAME", &format!("r{n}"));
        BASE.to_owned() + &(0..count).map(role).collect::<String>()
    };
    let small = Difference::between(&parse(&roles(1)), &parse(&roles(3)));
    assert_eq!((small.lines.len(), small.more, small.count()), (2, 0, 2));
    let large = Difference::between(&parse(&roles(1)), &parse(&roles(151)));
    assert_eq!((large.lines.len(), large.more, large.count()), (100, 50, 150));
    assert!(large.lines.iter().all(|line| line.len() <= 1000));
    let written = serde_json::to_string(&large).unwrap();
    assert_eq!(serde_json::from_str::<Difference>(&written).unwrap(), large);
}

const BASE_ROLE: &str = r#"
[role.NAME]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria"] }
max-duration = "1h"
[[role.NAME.stage]]
name = "lead"
approvers = { users = ["ana"] }
"#;

#[test]
fn how_long_records_stay_is_said_where_it_changes() {
    let with = |retain: &str| format!("retain = \"{retain}\"\n{BASE}");
    for (old, new, expected) in [
        (BASE.to_owned(), with("3y"), "~ retain: records stay 3y at least; was for ever"),
        (with("3y"), with("2y"), "~ retain: records stay 2y at least; was 3y at least"),
        (with("3y"), BASE.to_owned(), "~ retain: records stay for ever; was 3y at least"),
    ] {
        assert_eq!(said(&old, &new), [expected]);
    }
    assert_eq!(said(&with("3y"), &with("3y")), Vec::<String>::new());
}

#[test]
fn every_change_of_what_a_change_takes_is_said_with_its_direction() {
    let none = BASE.to_owned();
    let with =
        |lines: &str| format!("{BASE}\n[policy-change]\napprovers = {{ groups = [\"leads\"] }}\n{lines}\n");
    let few = with("");
    for (old, new, expected) in [
        (&none, &few, "- policy-change: a change takes the approval of 1 of @leads"),
        (&few, &none, "+ policy-change: an admin alone, no longer with 1 of @leads"),
        (&few, &with("approvals = 2"), "- policy-change: 2 must approve, was 1"),
        (&with("approvals = 2"), &few, "+ policy-change: 1 must approve, was 2"),
        (&few, &with("reason = true"), "~ policy-change: a change takes a reason; was takes no reason"),
        (&few, &with("signed-only = true"), "- policy-change: signed elsewhere alone"),
        (&with("signed-only = true"), &few, "+ policy-change: also approved here"),
        (&few, &with("override = false"), "- policy-change: nobody may override"),
        (&with("override = false"), &few, "+ policy-change: root at the console may override"),
        (&few, &few.replace("] }\n\n", "], users = [\"ana\"] }\n"), "+ policy-change: also approved by ana"),
        (
            &few.replace("] }\n\n", "], users = [\"ana\"] }\n"),
            &few,
            "- policy-change: no longer approved by ana",
        ),
    ] {
        assert_eq!(said(old, new), [expected], "{new}");
    }
}
