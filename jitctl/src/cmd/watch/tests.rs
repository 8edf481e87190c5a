use std::cell::RefCell;
use std::collections::VecDeque;

use super::*;
use crate::error::Error;
use crate::terminal::keys::Key;
use crate::testing::{Nobody, Script, emergency, jitctl, status, waiting};

const SIZE: Size = Size { width: 80, height: 24 };

struct Keys(VecDeque<(Wake, Duration)>);

impl Wakes for Keys {
    fn wait(&mut self, longest: Duration) -> (Wake, Duration) {
        assert!(longest <= TICK, "what counts down is drawn each second");
        self.0.pop_front().unwrap_or((Wake::Interrupted, Duration::ZERO))
    }

    fn read_keys(&mut self) {}
}

/// What the terminal was sent while these things happened.
fn watched(script: &Script, wakes: &[(Wake, Duration)]) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut screen = Screen::new(&mut out, &mut err, true);
    let mut model = Model::new(vec![waiting()], status());
    let mut keys = Keys(wakes.iter().copied().collect());
    watch(&mut model, script, &mut keys, &|| SIZE, &mut screen).unwrap();
    assert!(err.is_empty());
    String::from_utf8(out).unwrap()
}

fn looked(waits: &[Entry]) -> Script {
    Script::answers(Call::Pending, &waits).then(Script::answers(Call::Status, &status()))
}

fn key(c: char) -> (Wake, Duration) {
    (Wake::Key(Key::Char(c)), Duration::ZERO)
}

/// A script for what must not be asked at all: its one question comes from the last key.
fn only_refreshed() -> Script {
    looked(&[waiting()])
}

const SECOND: (Wake, Duration) = (Wake::Time, TICK);

#[test]
fn a_review_goes_with_the_digest_that_was_on_the_screen_and_its_verdict_is_shown() {
    let given = reviewing::Given {
        decision: jit_core::model::Decision::Approve,
        narrow: crate::call::Narrow::default(),
        note: None,
    };
    let call = given.call(&waiting()).unwrap();
    let script = Script::answers(call, &waiting()).then(looked(&[]));
    let sent = watched(&script, &[key('a'), key('y')]);
    assert!(sent.contains("Approved r-7hq2m9xk. Request r-7hq2m9xk is pending"), "{sent:?}");
}

#[test]
fn jitd_is_asked_every_ten_seconds_and_after_a_change_at_most_once_a_second() {
    let sent = watched(&looked(&[waiting(), emergency()]), &[SECOND; 10]);
    assert!(sent.contains("r-4k7m2qx9  maria  break-glass"), "{sent:?}");
    let flood = [(Wake::Changed, Duration::from_millis(250)); 4];
    watched(&looked(&[]), &flood);
}

#[test]
fn a_tick_draws_only_what_counts_down() {
    let sent = watched(&only_refreshed(), &[SECOND, key('r')]);
    let ticked = sent.split("29m 49s left").nth(1).unwrap().split("29m 50s left").next().unwrap();
    assert_eq!(ticked.matches("\u{1b}[K").count(), 1, "{sent:?}");
    assert_eq!(sent.matches("\u{1b}[2J").count(), 1);
}

#[test]
fn a_resize_draws_everything_anew() {
    let sizes = RefCell::new(VecDeque::from([SIZE, Size { width: 40, height: 10 }]));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut screen = Screen::new(&mut out, &mut err, true);
    let mut model = Model::new(vec![waiting()], status());
    let mut keys = Keys([(Wake::Resized, Duration::ZERO)].into());
    let next = || sizes.borrow_mut().pop_front().unwrap();
    watch(&mut model, &Nobody, &mut keys, &next, &mut screen).unwrap();
    let sent = String::from_utf8(out).unwrap();
    assert_eq!(sent.matches("\u{1b}[2J").count(), 2);
    assert!(sent.ends_with("\u{1b}[10;1H\u{1b}[K"), "{sent:?}");
}

#[test]
fn a_jitd_that_goes_away_is_said_and_the_screen_stays() {
    let script = Script::fails(Call::Pending, Error::NotRunning);
    let sent = watched(&script, &[key('r'), key('j')]);
    assert!(sent.contains("jitctl: jitd is not running. hint: start it with"), "{sent:?}");
}

#[test]
fn without_a_terminal_it_follows() {
    let script = Script::answers(Call::Pending, &[waiting()]);
    let ran = jitctl(&["watch"], &script);
    assert_eq!(ran.code, 0);
    assert!(ran.out.starts_with("r-7hq2m9xk - db-oncall for tom\n"), "{}", ran.out);
}
