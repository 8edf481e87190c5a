use jit_proto::manager::{Clock, ClockAccepted};

use crate::call::Call;
use crate::error::Error;
use crate::testing::*;

fn trusted() -> Clock {
    Clock {
        state: "trusted".into(),
        why: None,
        text: String::new(),
        since: None,
        wall: "2026-11-23T08:00:00Z".into(),
        mark: "2026-11-23T08:00:00Z".into(),
        time: "2026-11-23T08:00:00Z".into(),
        expected: "2026-11-23T08:00:00Z".into(),
        boot_seconds: 3_723,
        boot_id: "6f8e4c1a-0000-4000-8000-00000000000a+9".into(),
        synced: None,
    }
}

pub(crate) fn suspect() -> Clock {
    Clock {
        state: "suspect".into(),
        why: Some("behind".into()),
        text: "the clock is behind the latest time that was known here".into(),
        since: Some("1970-01-01T00:00:09Z".into()),
        wall: "1970-01-01T00:01:00Z".into(),
        synced: Some(false),
        ..trusted()
    }
}

fn accept(reason: Option<&str>) -> Call {
    Call::AcceptClock { reason: reason.map(|text| text.parse().unwrap()) }
}

#[test]
fn a_clock_that_is_believed_is_shown_with_what_it_is_judged_by() {
    let ran = jitctl(&["clock"], &Script::answers(Call::Clock, &trusted()));
    let out = "The clock is trusted\n  It says: 2026-11-23 08:00:00Z\n     \
               Mark: 2026-11-23 08:00:00Z, the latest that was believed\n   Up for: 1h 2m 3s\n";
    assert_eq!(ran, Ran::new(0, out, ""));
}

#[test]
fn a_suspect_clock_is_a_no_with_what_to_do_about_it() {
    let ran = jitctl(&["clock"], &Script::answers(Call::Clock, &suspect()));
    assert_eq!(ran.code, 1);
    for word in ["suspect", "behind the latest time", "1970-01-01 00:01:00Z", "In sync: no"] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
    assert!(ran.err.ends_with("types: jitctl clock accept\n"), "{}", ran.err);
    let json = jitctl(&["clock", "--json"], &Script::answers(Call::Clock, &suspect()));
    assert_eq!(json.code, 1);
    assert_eq!(serde_json::from_str::<Clock>(&json.out).unwrap(), suspect());
}

#[test]
fn accepting_says_both_readings() {
    let done = ClockAccepted { before: suspect(), after: trusted() };
    let call = accept(Some("set by the wall"));
    let ran = jitctl(&["clock", "accept", "--reason", "set by the wall"], &Script::answers(call, &done));
    let out = "The clock is trusted: it says 2026-11-23 08:00:00Z, and 2026-11-23 08:00:00Z was expected.\n";
    assert_eq!(ran, Ran::new(0, out, ""));
}

#[test]
fn a_clock_that_is_not_accepted_stays_as_it_was() {
    let refusal = Error::Refused("the clock is not suspect, so there is nothing to accept".into());
    let ran = jitctl(&["clock", "accept"], &Script::fails(accept(None), refusal));
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("nothing to accept") && ran.err.contains("Nothing was changed"), "{}", ran.err);
}
