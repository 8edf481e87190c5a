//! `unreviewed`: what it means, of which roles it is refused, and which of two rules is stricter.

use super::*;

const TICKET: &str = "reason = { pattern = \"^(?<ticket>INC-[0-9]+) .{8,}\" }";

fn with(opens: &str) -> String {
    with_role(&format!("{ROLE_LINES}\n{TICKET}\nunreviewed = {opens}"))
}

fn of(opens: &str) -> Unreviewed {
    // Whether it is remarked on is tested below.
    let loaded = Policy::parse(&[file("10-site.toml", with(opens))]).unwrap();
    loaded.policy.roles().next().unwrap().unreviewed.clone().unwrap()
}

const WEEKDAYS: &str = "{ days = \"mon-fri\", from = \"07:00\", to = \"19:00\", tz = \"Europe/Berlin\" }";

#[test]
fn what_opens_without_a_review_says_what_it_says_and_what_is_left_out_is_no_limit() {
    let opens =
        of(&format!("{{ up-to = \"30m\", hours = [{WEEKDAYS}], from = [\"10.1.0.0/16\"], each-week = 3 }}"));
    assert_eq!((opens.up_to, opens.each_week), (Duration::from_mins(30), NonZeroU32::new(3)));
    assert_eq!(
        opens.to_string(),
        "up to 30m, mon,tue,wed,thu,fri 07:00-19:00 Europe/Berlin, from 10.1.0.0/16, 3 a week for each person"
    );
    let least = of("{ up-to = \"4h\" }");
    assert!(least.hours.is_empty() && least.from.is_empty() && least.each_week.is_none());
    assert!(least.is_from(None), "from anywhere");
    assert!(load(&with_role(ROLE_LINES)).roles().next().unwrap().unreviewed.is_none());
}

#[test]
fn an_address_that_is_not_known_or_not_listed_is_not_within_it() {
    let opens = of("{ up-to = \"30m\", from = [\"10.1.0.0/16\", \"2001:db8::/32\"] }");
    let is_from = |address: &str| opens.is_from(Some(address.parse().unwrap()));
    assert!(is_from("10.1.2.3") && is_from("::ffff:10.1.2.3") && is_from("2001:db8::1"));
    assert!(!is_from("10.2.0.1") && !is_from("::1") && !opens.is_from(None));
}

#[test]
fn a_rule_that_cannot_be_or_says_nothing_is_refused() {
    for (opens, code) in [
        ("{ each-week = 3 }", "JIT014"),
        ("{ up-to = \"4h1s\", each-week = 3 }", "JIT018"),
        ("{ up-to = \"0s\", each-week = 3 }", "JIT018"),
        ("{ up-to = 30, each-week = 3 }", "JIT015"),
        ("{ up-to = \"30m\", each-week = 0 }", "JIT019"),
        ("{ up-to = \"30m\", each-week = 101 }", "JIT019"),
        ("{ up-to = \"30m\", each-week = 3, from = [] }", "JIT016"),
        ("{ up-to = \"30m\", each-week = 3, hours = [] }", "JIT016"),
        ("{ up-to = \"30m\", each-week = 3, each-day = 1 }", "JIT012"),
        ("\"30m\"", "JIT015"),
        ("true", "JIT015"),
    ] {
        assert!(codes(&with(opens)).contains(&code), "{opens}: {:?}", codes(&with(opens)));
    }
    for fine in ["{ up-to = \"4h\", each-week = 100 }", "{ up-to = \"1m\", each-week = 1 }"] {
        assert_eq!(codes(&with(fine)), Vec::<&str>::new(), "{fine}");
    }
}

#[test]
fn nothing_of_a_role_that_reaches_root_or_asks_for_no_ticket_opens_without_a_review() {
    let opens = "unreviewed = { up-to = \"30m\", each-week = 3 }";
    let role = |lines: &str, reason: &str| codes(&with_role(&format!("{lines}\n{reason}\n{opens}")));
    let opening = |services: &str| ROLE_LINES.replace("[\"sshd\"]", services);
    for services in ["[\"sudo\"]", "[\"su\"]", "[\"sudo-i\"]", "[\"sudo-mwdeploy\"]"] {
        assert!(role(&opening(services), TICKET).contains(&"JIT150"), "{services}");
    }
    let as_root = ROLE_LINES.replace("{ groups = [\"dba\"] }", "{ users = [\"root\"] }");
    assert_eq!(role(&as_root, TICKET), ["JIT150"]);
    let as_oracle = format!("{}\nrun-as = [\"oracle\"]", opening("[\"su\"]"));
    assert_eq!(role(&as_oracle, TICKET), Vec::<&str>::new(), "su to another account is no root");

    assert_eq!(role(ROLE_LINES, ""), ["JIT151"]);
    assert_eq!(role(ROLE_LINES, "reason = { pattern = \"^INC-[0-9]+ .{8,}\" }"), ["JIT151"]);
    assert_eq!(role(&format!("{ROLE_LINES}\nemergency = true"), TICKET), ["JIT152"]);
    assert_eq!(role(&format!("{ROLE_LINES}\nstarts = \"at-first-use\""), TICKET), ["JIT152"]);
    let no_stage = format!("{BASE}\n[role.r]\n{ROLE_LINES}\n{TICKET}\n{opens}\n");
    assert_eq!(codes(&no_stage), ["JIT014"]);
}

#[test]
fn addresses_that_are_in_neither_are_an_error_and_what_is_in_both_is_what_its_windows_admit_from() {
    let role = |of_role: &str, opens: &str| {
        with_role(&format!(
            "{ROLE_LINES}\n{TICKET}\nfrom = {of_role}\nunreviewed = {{ up-to = \"30m\", each-week = 3, from = {opens} }}"
        ))
    };
    assert_eq!(codes(&role("[\"10.1.0.0/16\"]", "[\"10.2.0.0/16\"]")), ["JIT153"]);
    let limits = |text: &str| load(text).roles().next().unwrap().limits_unreviewed().unwrap().from;
    let both = limits(&role("[\"10.0.0.0/8\", \"192.0.2.1\"]", "[\"10.1.0.0/16\", \"192.0.0.0/16\"]"));
    assert_eq!(both, set(&["10.1.0.0/16", "192.0.2.1"]));
    let only = "unreviewed = { up-to = \"30m\", each-week = 3, from = [\"10.1.0.0/16\"] }";
    assert_eq!(limits(&with_role(&format!("{ROLE_LINES}\n{TICKET}\n{only}"))), set(&["10.1.0.0/16"]));
}

#[test]
fn what_adds_up_to_any_length_and_what_never_counts_is_remarked_on() {
    assert_eq!(codes(&with("{ up-to = \"30m\" }")), ["JIT155"]);
    let short = ROLE_LINES.replace("\"4h\"", "\"15m\"");
    let opens = "unreviewed = { up-to = \"30m\", each-week = 3 }";
    assert_eq!(codes(&with_role(&format!("{short}\n{TICKET}\n{opens}"))), ["JIT154"]);
}

#[test]
fn of_two_rules_the_one_that_opens_less_is_the_lesser_and_no_rule_is_less_than_any() {
    let some = |opens: &str| Some(of(opens));
    let wide = some("{ up-to = \"1h\" }");
    assert!(None < some("{ up-to = \"1m\", each-week = 1 }"));
    for strict in [
        "{ up-to = \"30m\" }",
        "{ up-to = \"1h\", each-week = 9 }",
        "{ up-to = \"1h\", from = [\"10.1.0.0/16\"] }",
        &format!("{{ up-to = \"1h\", hours = [{WEEKDAYS}] }}"),
    ] {
        assert!(some(strict) < wide, "{strict}");
    }
    assert!(
        of("{ up-to = \"1h\", from = [\"10.1.0.0/16\"] }")
            < of("{ up-to = \"1h\", from = [\"10.0.0.0/8\"] }")
    );
    let (short, few) = (of("{ up-to = \"30m\" }"), of("{ up-to = \"1h\", each-week = 3 }"));
    assert_eq!(short.partial_cmp(&few), None);
    assert!(short >= short.clone());
}

#[test]
fn the_rule_is_part_of_the_terms_and_every_part_of_it() {
    let digest = |text: &str| {
        let loaded = Policy::parse(&[file("10-site.toml", text)]).unwrap();
        loaded.policy.roles().next().unwrap().terms_digest()
    };
    let mut seen = BTreeSet::from([digest(&with_role(&format!("{ROLE_LINES}\n{TICKET}")))]);
    for opens in [
        "{ up-to = \"30m\" }",
        "{ up-to = \"31m\" }",
        "{ up-to = \"30m\", each-week = 3 }",
        "{ up-to = \"30m\", from = [\"10.1.0.0/16\"] }",
        &format!("{{ up-to = \"30m\", hours = [{WEEKDAYS}] }}"),
    ] {
        assert!(seen.insert(digest(&with(opens))), "{opens}");
    }
}

#[test]
fn whoever_may_have_more_without_a_review_gains_by_it() {
    let said = |old: &str, new: &str| {
        let load = |text: &str| Policy::parse(&[file("10-site.toml", text)]).unwrap().policy;
        diff(&load(old), &load(new)).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (none, some) =
        (with_role(&format!("{ROLE_LINES}\n{TICKET}")), with("{ up-to = \"30m\", each-week = 3 }"));
    let text = "without a review: up to 30m, 3 a week for each person, was nothing";
    assert_eq!(said(&none, &some), [format!("+ role r: @dba: {text}")]);
    let text = "without a review: nothing, was up to 30m, 3 a week for each person";
    assert_eq!(said(&some, &none), [format!("- role r: @dba: {text}")]);
}
