//! `starts = "with-hours"`: of which roles it is refused, and from when on a window would begin.

use super::*;
use crate::time::{BootId, Moment};

const HOURS: &str =
    "hours = [{ days = \"mon-fri\", from = \"07:00\", to = \"19:00\", tz = \"Europe/Berlin\" }]";
const STARTS: &str = "starts = \"with-hours\"";

fn with(lines: &str) -> String {
    with_role(&format!("{ROLE_LINES}\n{lines}"))
}

#[test]
fn windows_begin_with_hours_where_there_are_some_and_no_emergency_waits_for_them() {
    assert_eq!(codes(&with(STARTS)), ["JIT156"]);
    assert_eq!(codes(&with(&format!("{STARTS}\n{HOURS}\nemergency = true"))), ["JIT156"]);
    assert_eq!(codes(&with(&format!("{STARTS}\n{HOURS}\nlapse = \"1h\""))), ["JIT042"]);
    let role = load(&with(&format!("{STARTS}\n{HOURS}"))).roles().next().unwrap().clone();
    assert_eq!(role.starts, Starts::WithHours);
    let at = |time: &str| Moment::believed(time.parse().unwrap(), 60_000, BootId::default());
    // Tuesday; Berlin is an hour ahead.
    assert_eq!(
        role.begins_with_hours(&at("2026-11-24T05:59:59Z")),
        Some("2026-11-24T06:00:00Z".parse().unwrap())
    );
    assert_eq!(role.begins_with_hours(&at("2026-11-24T06:00:00Z")), None, "they have begun");
    let usual = load(&with(HOURS)).roles().next().unwrap().clone();
    assert_eq!(usual.begins_with_hours(&at("2026-11-24T01:00:00Z")), None);
    assert_ne!(usual.terms_digest(), role.terms_digest());
}

#[test]
fn that_windows_begin_with_the_hours_is_a_change_and_neither_more_nor_less() {
    let load = |text: &str| load(text);
    let changes = diff(&load(&with(HOURS)), &load(&with(&format!("{STARTS}\n{HOURS}"))));
    let said: Vec<_> = changes.iter().map(ToString::to_string).collect();
    let text = "begins when it is approved, or with the next hours; was when it is approved";
    assert_eq!(said, [format!("~ role r: @dba: {text}")]);
}
