use jit_proto::manager::Entry;
use jit_proto::text::is_unprintable;
use proptest::prelude::*;

use crate::output::json;
use crate::testing::active;

proptest! {
    /// What scripts read back is what was typed, and what a terminal sees cannot act on it.
    #[test]
    fn json_holds_any_text_and_shows_no_control(reason: String) {
        let entry = Entry { reason, ..active() };
        let text = json(&entry).unwrap();
        prop_assert!(!text.chars().any(|c| is_unprintable(c) && c != '\n'));
        prop_assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    }
}

#[test]
fn json_escapes_what_a_terminal_would_act_on() {
    let entry = Entry { reason: "\u{1b}\u{9b}\u{202e}\u{feff}\u{7f}ü\n".into(), ..active() };
    assert!(json(&entry).unwrap().contains(r#""reason": "\u001b\u009b\u202e\ufeff\u007fü\n""#));
}
