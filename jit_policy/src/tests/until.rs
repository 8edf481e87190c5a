//! `until`: what a day means, and what is no day.

use super::*;

fn role_until(lines: &str) -> Role {
    load(&with_role(&format!("{ROLE_LINES}\n{lines}"))).role(&"r".parse().unwrap()).unwrap().clone()
}

fn begins(lines: &str) -> String {
    role_until(lines).until.unwrap().at().to_seconds()
}

#[test]
fn the_day_begins_by_the_clock_of_the_hours_and_without_any_by_utc() {
    assert_eq!(begins("until = 2027-02-28"), "2027-02-28T00:00:00Z");
    let in_zone = |tz: &str| format!("hours = [{{ tz = \"{tz}\" }}]\nuntil = 2027-02-28");
    assert_eq!(begins(&in_zone("Europe/Berlin")), "2027-02-27T23:00:00Z");
    assert_eq!(begins(&in_zone("America/New_York")), "2027-02-28T05:00:00Z");
    let both = "hours = [{ tz = \"America/New_York\" }, { tz = \"Asia/Tokyo\" }]\nuntil = 2027-02-28";
    assert_eq!(begins(both), "2027-02-27T15:00:00Z", "of two zones where it begins first");
    // Beirut has no midnight on that day: it begins with the jump.
    assert_eq!(begins("hours = [{ tz = \"Asia/Beirut\" }]\nuntil = 2026-03-29"), "2026-03-28T22:00:00Z");
    assert_eq!(role_until("").until, None);
}

#[test]
fn what_is_no_day_is_refused_and_a_day_in_quotes_is_shown_without() {
    for bad in
        ["\"2027-02-28\"", "2027-02-28T00:00:00", "2027-02-28T00:00:00Z", "07:00:00", "20270228", "true"]
    {
        let text = with_role(&format!("{ROLE_LINES}\nuntil = {bad}"));
        assert_eq!(codes(&text), ["JIT015"], "{bad}");
    }
    // TOML itself has no such day.
    assert_eq!(codes(&with_role(&format!("{ROLE_LINES}\nuntil = 2027-02-30"))), ["JIT007"]);
    let text = with_role(&format!("{ROLE_LINES}\nuntil = \"2027-02-28\""));
    let shown = Policy::parse(&[file("10.toml", text)]).unwrap_err()[0].render();
    assert!(shown.contains("`until`: expected a day, without quotes, found a string"), "{shown}");
    assert!(shown.contains("write it like until = 2027-02-28"), "{shown}");
}

#[test]
fn a_day_that_no_clock_can_show_is_refused_and_is_no_role_without_end() {
    let until = |day: &str| codes(&with_role(&format!("{ROLE_LINES}\nuntil = {day}")));
    assert_eq!(until("9999-12-31"), ["JIT015"]);
    assert_eq!(until("9999-12-29"), Vec::<&str>::new());
    assert_eq!(begins("until = 9999-12-29"), "9999-12-29T00:00:00Z");
}

#[test]
fn a_role_that_ends_has_other_terms_and_one_that_does_not_has_those_it_had() {
    let digest = |lines: &str| role_until(lines).terms_digest();
    assert_ne!(digest("until = 2027-02-28"), digest(""));
    assert_ne!(digest("until = 2027-02-28"), digest("until = 2027-03-01"));
    // As they were before there was any such key.
    assert_eq!(digest("").to_string(), "d02dd531110e7cd19a037867f7452608b7f5cfff7a8a8fa7f224638d00de8b05");
}

#[test]
fn a_role_that_ends_gives_nothing_beside_one_that_ends_no_sooner() {
    let two = |first: &str, second: &str| {
        let stage = "stage = [{ approvers = { groups = [\"leads\"] } }]";
        codes(&format!(
            "{BASE}\n[role.a]\n{ROLE_LINES}\n{first}\n{stage}\n[role.b]\n{ROLE_LINES}\n{second}\n{stage}\n"
        ))
    };
    let (soon, later) = ("until = 2027-02-28", "until = 2027-12-31");
    for (first, second, expected) in
        [("", soon, true), (soon, "", true), (soon, later, true), (soon, soon, true), ("", "", true)]
    {
        assert_eq!(two(first, second) == ["JIT053"], expected, "{first} {second}");
    }
    // The one that stays is not told, whichever stands first.
    let text = |first: &str, second: &str| {
        let stage = "stage = [{ approvers = { groups = [\"leads\"] } }]";
        let text = format!(
            "{BASE}\n[role.a]\n{ROLE_LINES}\n{first}\n{stage}\n[role.b]\n{ROLE_LINES}\n{second}\n{stage}\n"
        );
        findings(&text)[0].message.clone()
    };
    assert_eq!(text(soon, later), "role `a` gives nothing that role `b` does not give as well");
    assert_eq!(text(later, soon), "role `b` gives nothing that role `a` does not give as well");
    assert_eq!(text(soon, ""), "role `a` gives nothing that role `b` does not give as well");
}
