use proptest::prelude::*;

use super::*;
use crate::terminal::paint::{Painter, Strokes};
use crate::testing::{active, emergency, lock, status, waiting};

const SIZE: Size = Size { width: 80, height: 24 };

fn model() -> Model {
    Model::new(vec![waiting(), emergency()], status())
}

fn text(model: &mut Model) -> Vec<String> {
    model.picture(SIZE, 0).into_iter().map(|line| line.text).collect()
}

fn press(model: &mut Model, keys: &str) -> Then {
    let mut then = Then::Stay;
    for c in keys.chars() {
        then = model.key(match c {
            '\n' => Key::Enter,
            '\u{1b}' => Key::Escape,
            '\u{8}' => Key::Backspace,
            c => Key::Char(c),
        });
    }
    then
}

fn selected(model: &Model) -> &str {
    model.selected.as_deref().unwrap()
}

#[test]
fn the_list_has_what_waits_and_then_what_is_open() {
    let open = Entry { request: "r-00000001".into(), grant: Some("g-00000001".into()), ..active() };
    let status = Status { active: vec![open, emergency()], locks: vec![lock()], ..status() };
    let mut model = Model::new(vec![waiting(), emergency()], status);
    let lines = text(&mut model);
    let expected = [
        "db-07: 2 to review, 2 open windows, 1 lock",
        "",
        "Waits for your review",
        "> r-7hq2m9xk  tom  db-oncall  30m, until 2026-11-23 16:21:00Z  INC-1234 failo..",
        "  r-4k7m2qx9  maria  break-glass  emergency, 30m  INC-1234 failover of db-07",
        "",
        "Open windows",
        "  g-00000001  maria  db-oncall  29m 50s left  INC-1234 failover of db-07",
        "",
    ];
    assert_eq!(lines[..9], expected);
    assert_eq!(lines.last().unwrap(), "j k select  Enter details  a approve  n deny  r refresh  q quit");
    assert_eq!(lines.len(), 24);
}

#[test]
fn time_left_runs_between_two_looks_and_stops_at_nothing() {
    let mut model = Model::new(Vec::new(), status());
    let mut left = |age| model.picture(SIZE, age)[3].text.clone();
    assert!(
        left(0).contains("29m 50s left")
            && left(10).contains("29m 40s left")
            && left(9999).contains("0s left")
    );
}

#[test]
fn the_cursor_stays_on_its_request_when_others_come_and_go() {
    let mut model = model();
    press(&mut model, "j");
    assert_eq!(selected(&model), "r-4k7m2qx9");
    let another = Entry { request: "r-00000001".into(), ..waiting() };
    model.seen(vec![another, emergency()], status());
    assert_eq!(selected(&model), "r-4k7m2qx9");
    model.seen(vec![waiting()], Status { active: Vec::new(), ..status() });
    assert_eq!(selected(&model), "r-7hq2m9xk");
    press(&mut model, "jjj");
    assert_eq!(selected(&model), "r-7hq2m9xk");
    model.seen(Vec::new(), Status { active: Vec::new(), ..status() });
    assert!(matches!(press(&mut model, "jk\nan"), Then::Stay));
}

#[test]
fn an_approval_is_given_for_what_was_shown_after_a_yes() {
    let mut model = model();
    press(&mut model, "a");
    let lines = text(&mut model);
    assert_eq!(lines[1], "r-7hq2m9xk - db-oncall for tom");
    assert_eq!(lines[23], "Approve r-7hq2m9xk? y or n ");
    // What comes meanwhile changes nothing of it.
    let other = Entry { digest: "00".repeat(32), ..waiting() };
    model.seen(vec![other], status());
    assert_eq!(text(&mut model)[1..], lines[1..]);
    let Then::Give(given, entry) = press(&mut model, "xy") else { panic!("y gives it") };
    assert_eq!((given.decision, entry.digest), (Decision::Approve, waiting().digest));
}

#[test]
fn a_denial_asks_for_its_reason_and_then_once_more() {
    let mut model = model();
    press(&mut model, "n\n");
    assert_eq!(text(&mut model)[22], "reason is empty");
    press(&mut model, "no qy\u{8}\u{8}\n");
    let lines = text(&mut model);
    assert!(lines.contains(&"Deny this, because: no".to_owned()), "{lines:?}");
    let Then::Give(given, entry) = press(&mut model, "y") else { panic!("y gives it") };
    assert_eq!((given.decision, given.note.unwrap().as_str()), (Decision::Deny, "no"));
    assert_eq!(entry.request, "r-7hq2m9xk");
}

#[test]
fn escape_and_no_leave_everything_as_it_was() {
    for keys in ["an", "a\u{1b}", "n\u{1b}", "nbad\nn", "nbad\u{1b}", "aq"] {
        let mut model = model();
        assert!(matches!(press(&mut model, keys), Then::Stay), "{keys:?}");
        assert_eq!(text(&mut model)[22], "Nothing was reviewed.", "{keys:?}");
        assert!(matches!(press(&mut model, "q"), Then::Leave), "{keys:?}");
    }
}

#[test]
fn what_is_open_and_owes_nothing_cannot_be_reviewed() {
    let mut model = Model::new(Vec::new(), status());
    for keys in ["ay", "nbad\ny", "\nay"] {
        assert!(!matches!(press(&mut model, keys), Then::Give(..)), "{keys:?}");
    }
}

#[test]
fn details_are_those_of_show_and_are_reviewed_from_there() {
    let mut model = model();
    press(&mut model, "j\n");
    let lines = text(&mut model);
    assert_eq!(lines[1], "g-4k7m2qx9 - break-glass for maria");
    // What is looked at is what is reviewed, wherever the cursor has gone.
    model.seen(vec![waiting(), emergency()], status());
    model.selected = Some(waiting().request);
    press(&mut model, "a");
    assert_eq!(text(&mut model)[23], "Approve r-4k7m2qx9? y or n ");
}

#[test]
fn a_request_that_does_not_fit_says_that_there_is_more() {
    let long = Entry { reason: "long ".repeat(200), ..waiting() };
    let mut model = Model::new(vec![long], status());
    press(&mut model, "a");
    let lines = text(&mut model);
    assert!(lines.contains(&"... n, then Enter shows all of it".to_owned()), "{lines:?}");
    assert!(lines.contains(&"Approve this, as it was asked for".to_owned()), "{lines:?}");
    press(&mut model, "n\n");
    press(&mut model, &"j".repeat(500));
    assert!(text(&mut model)[21].contains(" Digest: "), "the end is reached, and stays in sight");
    let end = text(&mut model);
    press(&mut model, "k");
    assert_ne!(text(&mut model), end, "and it takes one key to leave it");
}

#[test]
fn the_end_of_a_long_reason_is_what_is_seen_while_it_is_typed() {
    let mut model = model();
    press(&mut model, "n");
    press(&mut model, &format!("{}end", "x".repeat(200)));
    assert!(text(&mut model)[23].ends_with("xend"));
}

/// What a terminal would be sent is these strokes and printable text, and each line fits.
fn is_sound(strokes: &Strokes, size: Size) -> Result<(), TestCaseError> {
    let sent = std::str::from_utf8(strokes.bytes()).unwrap();
    for (n, part) in sent.split("\u{1b}[").enumerate() {
        let text = if n == 0 {
            part
        } else {
            let end = part.find(|c: char| c.is_ascii_alphabetic()).unwrap();
            let (arguments, rest) = part.split_at(end);
            prop_assert!(arguments.chars().all(|c| c.is_ascii_digit() || c == ';'), "{part:?}");
            prop_assert!("HJKm".contains(&rest[..1]), "{part:?}");
            &rest[1..]
        };
        prop_assert!(!text.chars().any(is_unprintable), "{text:?}");
        prop_assert!(columns(text) < size.width.max(1), "{text:?}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn nothing_that_anybody_typed_leaves_its_line_or_acts_on_the_terminal(
        reason in any::<String>(),
        user in "\\PC{0,40}|[\u{0}-\u{ff}]{0,40}",
        wide in "[日本\u{1f600}\u{301}a]{0,60}",
        keys in "[jkdanryq\n\u{1b}\u{8}xé日]{0,24}",
        width in 1_usize..120,
        height in 1_usize..40,
    ) {
        let size = Size { width, height };
        let mut asked = Entry { reason: reason.clone(), user, role: wide.clone(), ..waiting() };
        asked.reviews[0].note = Some(reason.clone());
        let open = Entry { request: "r-00000001".into(), reason, ..active() };
        let status = Status { host: wide, active: vec![open], ..status() };
        let mut model = Model::new(vec![asked.clone(), emergency()], status.clone());
        let mut painter = Painter::new(size);
        for key in keys.chars() {
            press(&mut model, &key.to_string());
            model.seen(vec![asked.clone()], status.clone());
            let picture = model.picture(size, 3);
            prop_assert!(picture.len() <= height);
            is_sound(&painter.paint(&picture), size)?;
        }
    }
}
