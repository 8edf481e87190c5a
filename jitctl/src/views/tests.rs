use jit_proto::manager::{ByCode, Entry, Review};
use jit_proto::text::is_unprintable;
use proptest::prelude::*;

use crate::call::Call;
use crate::output::json;
use crate::testing::{Script, active, jitctl};

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

#[test]
fn a_review_by_code_is_shown_with_all_that_is_on_record_and_that_it_proves_nothing_elsewhere() {
    let by_code = |code: ByCode| {
        let mut entry = active();
        entry.reviews[0] = Review { method: "code".into(), code: Some(code), ..entry.reviews[0].clone() };
        jitctl(&["show", "g-4k7m2qx9"], &Script::answers(show(), &entry)).out
    };
    let code = ByCode {
        principal: "olga@site-a".into(),
        slot: 3,
        epoch: 2,
        request_code: Some("WWGY-KXBZ-B9WQ".into()),
        bucket: Some(5),
        typed_by: Some(1001),
    };
    let shown = by_code(code.clone());
    for said in [
        "by the key of olga@site-a, slot 3, epoch 2, to request code WWGY-KXBZ-B9WQ: yes, for at most 20m (5)",
        "; typed at the login of uid 1001",
        "root here has the keys, too: outside of this host a code proves nothing",
    ] {
        assert!(shown.contains(said), "{said}:\n{shown}");
    }
    for (number, said) in [(0, ": no (0)"), (1, ": yes, as asked (1)"), (99, ": it is not known what (99)")] {
        let shown = by_code(ByCode { bucket: Some(number), typed_by: None, ..code.clone() });
        assert!(shown.contains(said) && !shown.contains("typed at"), "{shown}");
    }
    let before = by_code(ByCode { request_code: None, bucket: None, typed_by: None, ..code });
    assert!(before.contains("by the key of olga@site-a, slot 3, epoch 2\n"), "{before}");
    let online = jitctl(&["show", "g-4k7m2qx9"], &Script::answers(show(), &active())).out;
    assert!(!online.contains("a code proves"), "{online}");
}

fn show() -> Call {
    Call::Show { id: "g-4k7m2qx9".parse().unwrap() }
}

#[test]
fn a_window_that_opens_outside_of_its_hours_says_when_it_is_usable() {
    let at = |from: &str| Entry { usable_from: Some(from.into()), ..active() };
    let shown = |entry: &Entry| jitctl(&["show", "g-4k7m2qx9"], &Script::answers(show(), entry)).out;
    let later = shown(&at("2026-11-23T08:30:00Z"));
    assert!(
        later.contains("Usable: It can be used from 2026-11-23 08:30:00Z on, when its hours begin\n"),
        "{later}"
    );
    let never = shown(&at("2026-11-23T08:51:00Z"));
    assert!(never.contains("Usable: It is over before its hours begin\n"), "{never}");
    assert!(!shown(&active()).contains("Usable"));
    assert!(
        super::progress(&at("2026-11-23T08:30:00Z"))
            .ends_with("left. It can be used from 2026-11-23 08:30:00Z on, when its hours begin.")
    );
}
