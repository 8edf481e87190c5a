//! `note` of a stage: what must be written with an approval.

use super::*;

fn with(note: &str) -> String {
    let stage =
        "stage = [{ approvers = { groups = [\"leads\"] }, accept = [\"online\", \"signature\"], NOTE }]";
    with_role(&format!("{ROLE_LINES}\n{}", stage.replace("NOTE", note)))
}

#[test]
fn a_stage_says_what_is_to_be_written_with_an_approval() {
    let note = "note = { pattern = \"^checked .{4,}\", hint = \"what you have checked\" }";
    let role = load(&with(note)).roles().next().unwrap().clone();
    let wanted = role.stages[0].note.clone().unwrap();
    assert!(
        wanted.accepts(&"checked the change".parse().unwrap()) && !wanted.accepts(&"fine".parse().unwrap())
    );
    assert_eq!(wanted.to_string(), "what you have checked");
    let without = load(&with("denials = 1")).roles().next().unwrap().clone();
    assert!(without.stages[0].note.is_none());
    assert_ne!(role.terms_digest(), without.terms_digest());
    let other = load(&with(&note.replace("what you", "all that you"))).roles().next().unwrap().clone();
    assert_eq!(role.terms_digest(), other.terms_digest(), "a hint changes nothing");
}

#[test]
fn a_note_that_says_nothing_or_cannot_come_is_refused() {
    for (note, code) in [
        ("note = { pattern = \".\" }", "JIT040"),
        ("note = { pattern = \"(\" }", "JIT024"),
        ("note = { hint = \"x\" }", "JIT014"),
        ("note = \"checked\"", "JIT015"),
        // No register is asked about it.
        ("note = { pattern = \"^(?<ticket>CHG-[0-9]+)\", ticket = \"known\" }", "JIT012"),
    ] {
        assert!(codes(&with(note)).contains(&code), "{note}: {:?}", codes(&with(note)));
    }
    let any_way = "stage = [{ approvers = { groups = [\"leads\"] }, note = { pattern = \"^checked \" } }]";
    assert_eq!(codes(&with_role(&format!("{ROLE_LINES}\n{any_way}"))), ["JIT157"]);
}

#[test]
fn what_has_to_be_written_is_a_change_of_who_approves() {
    let note = "note = { pattern = \"^checked \", hint = \"what you have checked\" }";
    let changes = diff(&load(&with("denials = 1")), &load(&with(note)));
    let said: Vec<_> = changes.iter().map(ToString::to_string).collect();
    let is = "1 of @leads with a note like `^checked ` (online, signature)";
    assert_eq!(said, [format!("~ role r: @dba: approved by {is}; was 1 of @leads (online, signature)")]);
}
