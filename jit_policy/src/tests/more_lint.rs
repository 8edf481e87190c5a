//! Rules that work, and are more than was meant.

use super::*;

const STAGE: &str =
    "stage = [{ approvers = { users = [\"ana\", \"tom\"], groups = [\"leads\"] }, approvals = 2 }]";

fn role(name: &str, lines: &str) -> String {
    let stage = if lines.contains("stage") { "" } else { STAGE };
    let limits = if lines.contains("max-duration") {
        ROLE_LINES.replace("max-duration = \"4h\"\n", "")
    } else {
        ROLE_LINES.to_owned()
    };
    format!("[role.{name}]{limits}{lines}\n{stage}\n")
}

fn said(text: &str) -> Vec<String> {
    let found = findings(text);
    found
        .iter()
        .filter(|found| found.code != "JIT051")
        .map(|found| format!("{}: {}", found.code, found.message))
        .collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn an_emergency_that_is_long_or_takes_any_reason_is_remarked_on() {
    let reason = "emergency = true\nreason = { pattern = \"^INC-[0-9]+ .{8,}\" }";
    assert_eq!(said(&format!("{BASE}{}", role("a", reason))), NOTHING);
    assert_eq!(
        said(&format!("{BASE}{}", role("a", &format!("{reason}\nmax-duration = \"4h1s\"")))),
        ["JIT166: role `a` opens on nobody's word for up to 4h1s: in that time somebody can be asked"]
    );
    assert_eq!(
        said(&format!("{BASE}{}", role("a", "emergency = true"))),
        ["JIT167: role `a` opens on nobody's word, and takes any reason, as \".\""]
    );
    assert_eq!(said(&format!("{BASE}{}", role("a", "max-duration = \"12h\""))), NOTHING, "an ordinary role");
}

#[test]
fn a_group_that_needs_nobody_at_a_door_is_remarked_on_and_accounts_addresses_and_other_services_are_not() {
    for (lines, expected) in [
        (
            "groups = [\"wheel\"]\nservices = [\"sudo\"]",
            Some("wheel has standing access at sudo, sudo-i, from anywhere"),
        ),
        (
            "groups = [\"wheel\"]\nservices = [\"sudo-web\", \"cron\"]",
            Some("wheel has standing access at sudo-web"),
        ),
        (
            "groups = [\"ops\"]\nusers = [\"x\"]\nservices = [\"sshd\", \"su\"]",
            Some("ops has standing access at sshd, su, su-l"),
        ),
        ("groups = [\"ops\"]\nservices = [\"sshd-site\"]", Some("ops has standing access at sshd-site")),
        ("groups = [\"backup\"]\nservices = [\"sshd\"]\nfrom = [\"10.9.0.4\"]", None),
        ("groups = [\"ops\"]\nservices = [\"cron\", \"login\"]", None),
        ("users = [\"backup\"]\nservices = [\"sshd\"]", None),
    ] {
        let exempt = format!("[[exempt]]\nusers = [\"root\"]\nservices = [\"login\"]\n[[exempt]]\n{lines}\n");
        let text = format!("version = 1\nadmins = {{ users = [\"root\"] }}\n{exempt}");
        let found = said(&text);
        assert_eq!(found.len(), usize::from(expected.is_some()), "{lines}: {found:?}");
        if let Some(expected) = expected {
            assert!(
                found[0].starts_with("JIT168: whoever is in ") && found[0].contains(expected),
                "{found:?}"
            );
        }
    }
}

#[test]
fn a_role_that_another_gives_on_fewer_peoples_word_is_remarked_on() {
    let weaker =
        "JIT169: role `a` keeps nobody from anything: role `b` gives the same on the word of no more people";
    let stage = |lines: &str| format!("stage = [{{ {lines} }}]");
    let all = "users = [\"ana\", \"tom\"], groups = [\"leads\"]";
    for (other, is_weaker) in [
        (stage(&format!("approvers = {{ {all} }}")), true),
        (stage(&format!("approvers = {{ {all}, users = [] }}").replace(", users = []", "")), true),
        (
            stage(
                "approvers = { users = [\"ana\", \"eve\", \"tom\"], groups = [\"leads\", \"ops\"] }, approvals = 2",
            ),
            true,
        ),
        // The other asks for somebody else, for more, or takes less.
        (stage("approvers = { groups = [\"leads\"] }"), false),
        (stage(&format!("approvers = {{ {all} }}, approvals = 3")), false),
        (stage(&format!("approvers = {{ {all} }}, accept = [\"signature\"]")), false),
        (stage(&format!("approvers = {{ {all} }}, expires = \"1h\"")), false),
        (
            format!(
                "stage = [{{ name = \"1\", approvers = {{ {all} }} }}, {{ name = \"2\", approvers = {{ {all} }} }}]"
            ),
            false,
        ),
        // It gives less.
        (format!("{}\nmax-duration = \"1h\"", stage(&format!("approvers = {{ {all} }}"))), false),
        (format!("{}\nuses = 1", stage(&format!("approvers = {{ {all} }}"))), false),
    ] {
        let found = said(&format!("{BASE}{}{}", role("a", ""), role("b", &other)));
        assert_eq!(found == [weaker], is_weaker, "{other}: {found:?}");
        // Where the other asks for more, it is the one that keeps nobody from anything.
        let other_way = "JIT169: role `b` keeps nobody from anything: role `a` gives the same on the word of no more people";
        assert!(is_weaker || found.is_empty() || found == [other_way], "{other}: {found:?}");
    }
    // What is asked of long requests alone, too, keeps nobody from a short one.
    let above = "stage = [{ name = \"1\", approvers = { users = [\"ana\"] } }, { name = \"2\", approvers = { users = [\"tom\"] } }]";
    let other = above.replace("users = [\"tom\"] } }", "users = [\"tom\"] }, above = \"1h\" }");
    assert_eq!(said(&format!("{BASE}{}{}", role("a", above), role("b", &other))), [weaker]);
    assert_eq!(
        said(&format!("{BASE}{}{}", role("b", above), role("a", &other))),
        [weaker.replace("`b`", "`x`").replace("`a`", "`b`").replace("`x`", "`a`")]
    );
}

#[test]
fn sudo_beside_one_kind_of_it_is_remarked_on() {
    let with = |services: &str| said(&format!("{BASE}{}", role("a", "").replace("\"sshd\"", services)));
    assert_eq!(
        with("\"sudo\", \"sudo-web\""),
        ["JIT170: role `a` opens `sudo` beside sudo-web: `sudo` is every kind of it"]
    );
    assert_eq!(with("\"sudo-web\", \"sudo-db\""), NOTHING);
    assert_eq!(with("\"sudo\""), NOTHING);
}

#[test]
fn what_was_meant_by_waiting_or_by_a_long_pattern_is_explained() {
    let stage = |then: &str| {
        format!("stage = [{{ approvers = {{ groups = [\"leads\"] }}, expires = \"1h\", then = {then} }}]")
    };
    let skip = &findings(&format!("{BASE}{}", role("a", &stage("\"skip\""))))[0];
    assert_eq!(
        (skip.code, skip.message.as_str()),
        ("JIT025", "`skip` is not `then`: \"deny\", or the people who decide next")
    );
    assert!(skip.hint.as_ref().unwrap().starts_with("nothing is approved by waiting"), "{skip:?}");
    for fine in ["\"deny\"", "{ groups = [\"ops\"] }"] {
        assert_eq!(said(&format!("{BASE}{}", role("a", &stage(fine)))), NOTHING, "{fine}");
    }
    let long = &findings(&format!("{BASE}{}", role("a", "reason = { pattern = '.{10,1000}' }")))[0];
    assert_eq!(long.code, "JIT024");
    assert!(long.message.ends_with("or write {10,}, since a reason has an end anyway"), "{long:?}");
    assert_eq!(said(&format!("{BASE}{}", role("a", "reason = { pattern = '.{10,}' }"))), NOTHING);
}

#[test]
fn a_ticket_has_to_be_known_where_the_pattern_says_where_it_stands_and_that_is_a_term_of_the_role() {
    let with = |reason: &str| format!("{BASE}{}", role("a", &format!("reason = {{ {reason} }}")));
    let (any, known) = (
        "pattern = '^(?<ticket>CHG-[0-9]+) .{8,}'",
        "pattern = '^(?<ticket>CHG-[0-9]+) .{8,}', ticket = \"known\"",
    );
    let read = |text: &str| Policy::parse(&[file("a", text)]).unwrap().policy;
    let (any, known) = (read(&with(any)), read(&with(known)));
    let of = |policy: &Policy| policy.role(&"a".parse().unwrap()).unwrap().clone();
    assert!(!of(&any).takes_known_ticket() && of(&known).takes_known_ticket());
    assert_ne!(of(&any).terms_digest(), of(&known).terms_digest());
    let said = |was, is| diff(was, is).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(said(&any, &known), ["- role a: @dba: takes a ticket that the register lists"]);
    assert_eq!(said(&known, &any), ["+ role a: @dba: takes any ticket"]);
    assert_eq!(codes(&with("pattern = '^CHG-[0-9]+ .{8,}', ticket = \"known\"")), ["JIT174"]);
    assert_eq!(codes(&with("pattern = '^(?<ticket>CHG-[0-9]+) .{8,}', ticket = \"any\"")), ["JIT025"]);
    // Of two roles with the same pattern, one that asks for it does not make the other ask.
    let both = format!(
        "{}{}",
        with("pattern = '^(?<ticket>CHG-[0-9]+) .{8,}', ticket = \"known\""),
        role("b", "uses = 1\nreason = { pattern = '^(?<ticket>CHG-[0-9]+) .{8,}' }")
    );
    assert!(!read(&both).role(&"b".parse().unwrap()).unwrap().takes_known_ticket());
}
