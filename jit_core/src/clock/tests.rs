//! Machines that run, sleep, lose their power and have their clocks stepped.

#![allow(clippy::unchecked_time_subtraction, reason = "a panic here is a failed test")]

use proptest::prelude::*;

use super::*;
use crate::time::Window;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const YEARS: Duration = Duration::from_hours(24 * 3650);

/// A machine under jitd, with what is in its store.
struct Machine {
    wall: Utc,
    boot: u64,
    boots: u32,
    synced: Option<bool>,
    trust: Trust,
    stored: Trust,
    /// The words of what was recorded.
    events: Vec<&'static str>,
}

impl Machine {
    /// A first start at this time.
    fn new(wall: Utc) -> Self {
        let sample = Sample { wall, boot: 7_000, boot_id: boot_id(0), synced: None };
        let (trust, event) = Trust::resume(None, &sample);
        let mut machine = Self {
            wall,
            boot: 7_000,
            boots: 0,
            synced: None,
            stored: trust.clone(),
            trust,
            events: Vec::new(),
        };
        machine.record(event);
        machine
    }

    /// One that has been up for an hour, in an ordinary year.
    fn running() -> Self {
        let mut machine = Self::new("2026-11-23T12:00:00Z".parse().unwrap());
        machine.run(HOUR);
        assert!(machine.events.is_empty());
        machine
    }

    fn sample(&self) -> Sample {
        Sample { wall: self.wall, boot: self.boot, boot_id: boot_id(self.boots), synced: self.synced }
    }

    fn now(&self) -> Moment {
        self.trust.moment(&self.sample())
    }

    fn record(&mut self, event: Option<Event>) {
        let written = event.is_some() || self.trust.is_due(&self.now());
        self.events.extend(event.map(|event| match event {
            Event::ClockSuspect { why, .. } => why.as_str(),
            Event::ClockRecovered { by, .. } => by.as_str(),
            Event::ClockAccepted { .. } => "accepted",
            _ => "?",
        }));
        if written {
            let now = self.now();
            self.stored = self.trust.to_write(&now);
        }
    }

    /// jitd samples, as it does whenever it is asked something.
    fn see(&mut self) {
        let event = self.trust.see(&self.sample());
        self.record(event);
    }

    /// Time goes by with nobody asking anything.
    fn pass(&mut self, time: Duration) {
        self.wall = self.wall.plus(time);
        self.boot += u64::try_from(time.as_millis()).unwrap();
    }

    /// Time goes by, and jitd samples each minute.
    fn run(&mut self, mut time: Duration) {
        while !time.is_zero() {
            let part = time.min(MINUTE);
            self.pass(part);
            self.see();
            time -= part;
        }
    }

    fn forward(&mut self, by: Duration) {
        self.wall = self.wall.plus(by);
        self.see();
    }

    fn back(&mut self, by: Duration) {
        self.wall = self.wall.minus(by);
        self.see();
    }

    /// The power fails. The machine comes up again after so long, with whatever its clock then says.
    fn fail(&mut self, wall: Utc) {
        (self.wall, self.boot) = (wall, 5_000);
        self.boots += 1;
        let (trust, event) = Trust::resume(Some(self.stored.clone()), &self.sample());
        self.trust = trust;
        self.record(event);
    }

    /// The same, after jitd was stopped in good order.
    fn restart(&mut self, wall: Utc) {
        self.stored = self.trust.closed(&self.now());
        self.fail(wall);
    }

    fn accept(&mut self) -> Result<(), NotAccepted> {
        let event = self.trust.accept(&self.sample(), None, None)?;
        self.record(Some(event));
        Ok(())
    }

    fn suspect(&self) -> Option<Suspicion> {
        self.trust.suspect()
    }

    fn window(&self, duration: Duration, survives_reboot: bool) -> Window {
        Window { start: self.now(), duration, survives_reboot }
    }
}

fn boot_id(boots: u32) -> BootId {
    format!("6f8e4c1a-0000-4000-8000-{boots:012x}+1").parse().unwrap()
}

// What is suspect, and what is not.

#[test]
fn a_clock_that_runs_on_is_believed() {
    let mut machine = Machine::running();
    machine.run(DAY);
    assert_eq!((machine.suspect(), machine.trust.mark()), (None, machine.wall));
}

#[test]
fn the_first_sample_is_believed_unless_it_is_absurd() {
    assert_eq!(Machine::new("2031-01-01T00:00:00Z".parse().unwrap()).suspect(), None);
    assert_eq!(Machine::new(EARLIEST).suspect(), None);
    for dead in ["1970-01-01T00:00:09Z", "2010-01-01T00:00:00Z"] {
        let machine = Machine::new(dead.parse().unwrap());
        assert_eq!(machine.suspect(), Some(Suspicion::Behind), "{dead}");
    }
}

#[test]
fn steps_of_up_to_two_minutes_pass_and_longer_ones_do_not() {
    for (by, why) in [(TOLERANCE, None), (TOLERANCE + SECOND, Some(Suspicion::Ahead))] {
        let mut machine = Machine::running();
        machine.forward(by);
        assert_eq!(machine.suspect(), why, "forward by {by:?}");
    }
    for (by, why) in [(TOLERANCE, None), (TOLERANCE + SECOND, Some(Suspicion::Behind))] {
        let mut machine = Machine::running();
        machine.back(by);
        assert_eq!(machine.suspect(), why, "back by {by:?}");
    }
}

#[test]
fn many_small_steps_forward_are_one_large_one() {
    let mut machine = Machine::running();
    for _ in 0..13 {
        machine.forward(SECOND * 10);
        machine.run(MINUTE);
    }
    assert_eq!(machine.suspect(), Some(Suspicion::Ahead));
}

#[test]
fn a_leap_second_is_nothing_either_way() {
    let mut machine = Machine::running();
    machine.back(SECOND);
    machine.run(HOUR);
    machine.forward(SECOND);
    assert_eq!((machine.suspect(), machine.events.len()), (None, 0));
}

#[test]
fn sleep_is_no_step() {
    let mut machine = Machine::running();
    machine.pass(DAY * 3);
    machine.see();
    assert_eq!(machine.suspect(), None);
}

#[test]
fn a_bad_sample_ten_years_ahead_does_not_raise_the_mark_and_goes_as_it_came() {
    let mut machine = Machine::running();
    let mark = machine.trust.mark();
    machine.forward(YEARS);
    assert_eq!((machine.suspect(), machine.trust.mark()), (Some(Suspicion::Ahead), mark));
    machine.run(HOUR);
    assert_eq!(machine.suspect(), Some(Suspicion::Ahead), "waiting makes it no better");
    machine.back(YEARS);
    assert_eq!((machine.suspect(), machine.events), (None, vec!["ahead", "returned"]));
}

#[test]
fn stepped_back_it_is_believed_again_when_it_passes_the_mark() {
    let mut machine = Machine::running();
    machine.back(HOUR);
    machine.run(HOUR - MINUTE);
    assert_eq!(machine.suspect(), Some(Suspicion::Behind), "within two minutes of the mark is not past it");
    machine.run(MINUTE);
    assert_eq!((machine.suspect(), machine.events), (None, vec!["behind", "returned"]));
}

#[test]
fn forward_and_back_again_in_either_order_is_over_when_it_is_over() {
    let mut machine = Machine::running();
    machine.back(DAY);
    machine.forward(DAY);
    machine.forward(DAY);
    machine.back(DAY);
    assert_eq!((machine.suspect(), machine.events), (None, vec!["behind", "returned", "ahead", "returned"]));
}

#[test]
fn stepped_back_and_then_far_ahead_it_stays_suspect() {
    let mut machine = Machine::running();
    machine.back(DAY);
    machine.forward(DAY + HOUR);
    assert_eq!((machine.suspect(), machine.events), (Some(Suspicion::Ahead), vec!["behind", "ahead"]));
}

// Restarts.

#[test]
fn with_a_dead_rtc_it_boots_suspect_and_the_first_big_step_of_ntp_takes_ten_minutes_to_be_believed() {
    let mut machine = Machine::running();
    let then = machine.wall;
    machine.fail("1970-01-01T00:00:09Z".parse().unwrap());
    assert_eq!(machine.suspect(), Some(Suspicion::Behind));
    machine.run(MINUTE);
    machine.synced = Some(true);
    machine.wall = then.plus(HOUR);
    machine.see();
    assert_eq!(machine.suspect(), Some(Suspicion::Ahead), "whoever set it may be wrong");
    machine.run(SYNCED_FOR - SECOND);
    assert!(machine.suspect().is_some());
    machine.run(MINUTE);
    assert_eq!((machine.suspect(), machine.trust.mark()), (None, machine.wall));
    machine.run(HOUR);
    assert_eq!(machine.events, ["behind", "ahead", "synchronised"]);
}

#[test]
fn ten_minutes_of_being_synchronised_are_without_a_break_and_without_a_step() {
    let mut machine = Machine::running();
    machine.forward(HOUR);
    machine.synced = Some(true);
    machine.run(SYNCED_FOR - MINUTE);
    machine.synced = Some(false);
    machine.run(MINUTE);
    machine.synced = Some(true);
    machine.run(SYNCED_FOR - MINUTE);
    machine.synced = None;
    machine.run(MINUTE);
    machine.synced = Some(true);
    machine.run(SYNCED_FOR - MINUTE);
    machine.forward(HOUR);
    machine.run(SYNCED_FOR - MINUTE);
    assert_eq!(machine.suspect(), Some(Suspicion::Ahead));
    machine.run(MINUTE);
    assert_eq!(machine.suspect(), None);
}

#[test]
fn with_fake_hwclock_after_ten_days_off_it_boots_believed_and_is_suspect_when_it_is_set() {
    // It comes up with the time at which it went down.
    let mut machine = Machine::running();
    machine.restart(machine.wall);
    assert_eq!(machine.suspect(), None);
    machine.run(MINUTE * 5);
    machine.forward(DAY * 10);
    assert_eq!(machine.suspect(), Some(Suspicion::Ahead));
    machine.accept().unwrap();
    machine.run(HOUR);
    assert_eq!(machine.suspect(), None);
}

#[test]
fn time_in_which_the_machine_was_off_is_no_step() {
    let mut machine = Machine::running();
    machine.restart(machine.wall.plus(DAY * 10));
    assert_eq!((machine.suspect(), machine.trust.mark()), (None, machine.wall));
}

#[test]
fn a_restart_does_not_make_a_clock_that_is_ahead_believed() {
    let mut machine = Machine::running();
    machine.forward(YEARS);
    machine.fail(machine.wall.plus(HOUR));
    assert_eq!(machine.suspect(), Some(Suspicion::Ahead));
    machine.run(HOUR);
    assert_eq!(machine.suspect(), Some(Suspicion::Ahead));
    machine.back(YEARS);
    assert_eq!(machine.suspect(), None);
}

#[test]
fn a_clock_that_was_ahead_and_is_right_after_a_restart_is_believed() {
    let mut machine = Machine::running();
    let right = machine.wall.plus(HOUR);
    machine.forward(YEARS);
    machine.fail(right);
    assert_eq!((machine.suspect(), machine.events), (None, vec!["ahead", "returned"]));
}

#[test]
fn a_restart_of_jitd_alone_moves_no_anchor() {
    let mut machine = Machine::running();
    machine.forward(MINUTE);
    let (trust, event) = Trust::resume(Some(machine.stored.clone()), &machine.sample());
    assert_eq!(event, None);
    machine.trust = trust;
    machine.forward(MINUTE + SECOND);
    assert_eq!(machine.suspect(), Some(Suspicion::Ahead));
}

#[test]
fn a_container_that_restarts_under_the_same_kernel_is_not_charged_for_the_kernels_age() {
    let mut machine = Machine::running();
    machine.pass(DAY);
    machine.see();
    let window = machine.window(HOUR, true);
    machine.pass(MINUTE);
    let sample =
        Sample { boot_id: boot_id(0).to_string().replace("+1", "+2").parse().unwrap(), ..machine.sample() };
    let (trust, event) = Trust::resume(Some(machine.stored.clone()), &sample);
    assert_eq!(event, None);
    assert_eq!(window.remaining(&trust.moment(&sample)), HOUR - MINUTE);
}

// Accepting.

#[test]
fn what_is_accepted_is_what_it_is_judged_by_from_then_on() {
    for by in [DAY, YEARS] {
        let mut machine = Machine::running();
        machine.back(by);
        // Ten years back is before any jitd was built.
        assert_eq!(machine.accept().is_ok(), by == DAY);
        let mut machine = Machine::running();
        machine.forward(by);
        machine.accept().unwrap();
        assert_eq!((machine.suspect(), machine.trust.mark()), (None, machine.wall));
        machine.run(HOUR);
        machine.back(by);
        assert_eq!(machine.suspect(), Some(Suspicion::Behind));
    }
}

#[test]
fn a_clock_that_is_believed_or_absurd_is_not_accepted() {
    assert_eq!(Machine::running().accept(), Err(NotAccepted::Trusted));
    let mut machine = Machine::new("1970-01-01T00:00:09Z".parse().unwrap());
    let refusal = machine.accept().unwrap_err();
    assert!(refusal.to_string().contains("1970-01-01T00:00:09Z"), "{refusal}");
}

#[test]
fn what_is_kept_reads_back_as_it_was_written() {
    let mut machine = Machine::running();
    machine.forward(HOUR);
    let text = serde_json::to_string(&machine.stored).unwrap();
    assert_eq!(serde_json::from_str::<Trust>(&text).unwrap(), machine.stored);
}

// Windows.

#[test]
fn a_window_that_survives_a_reboot_is_charged_what_was_used_and_one_that_does_not_is_over() {
    let mut machine = Machine::running();
    let (survives, ends) = (machine.window(HOUR, true), machine.window(HOUR, false));
    machine.run(MINUTE * 20);
    machine.restart(machine.wall.plus(MINUTE * 10));
    assert_eq!(ends.remaining(&machine.now()), Duration::ZERO);
    assert_eq!(survives.remaining(&machine.now()), MINUTE * 30);
    // The clock forgets the time, and what was used is charged all the same.
    machine.restart("1970-01-01T00:00:09Z".parse().unwrap());
    let left = survives.remaining(&machine.now());
    assert!(left <= MINUTE * 40 && left > MINUTE * 38, "{left:?}");
}

#[test]
fn a_machine_that_loses_its_power_loses_no_less_than_it_has_used() {
    let mut machine = Machine::running();
    let window = machine.window(HOUR, true);
    machine.run(MINUTE * 20 + SECOND * 59);
    machine.fail("1970-01-01T00:00:09Z".parse().unwrap());
    let left = window.remaining(&machine.now());
    assert!(left <= MINUTE * 39 && left > MINUTE * 36, "{left:?}");
}

#[test]
fn a_window_that_opens_while_the_clock_is_suspect_runs_on_the_boot_clock() {
    let mut machine = Machine::new("1970-01-01T00:00:09Z".parse().unwrap());
    let window = machine.window(HOUR, false);
    machine.run(MINUTE);
    // Somebody sets the clock, accepts it, and is still in.
    machine.wall = "2026-11-23T12:00:00Z".parse().unwrap();
    machine.see();
    machine.accept().unwrap();
    assert_eq!(window.remaining(&machine.now()), HOUR - MINUTE);
    assert_eq!(window.end_seen_at(&machine.now()), machine.wall.plus(HOUR - MINUTE));
    machine.run(HOUR);
    assert_eq!(window.remaining(&machine.now()), Duration::ZERO);
}

#[test]
fn what_keeps_people_out_believes_the_clock_that_says_less() {
    let mut machine = Machine::running();
    let set = machine.now();
    machine.forward(YEARS);
    machine.run(MINUTE);
    assert_eq!(machine.now().at_least_since(&set), MINUTE);
    machine.fail(machine.wall.plus(DAY));
    let since = machine.now().at_least_since(&set);
    assert!(since < MINUTE * 5, "{since:?}");
    // Set while the clock was ten years ahead, it does not hold for ten years.
    let set = machine.now();
    machine.back(YEARS);
    machine.run(HOUR);
    assert_eq!(machine.now().at_least_since(&set), HOUR);
}

/// What can happen to a machine.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Runs(u32),
    Sleeps(u32),
    Stepped(i32),
    Restarts(i32),
    Fails(i32),
    Accepted,
}

fn turn() -> impl Strategy<Value = Turn> {
    let step = prop_oneof![-200_000_i32..200_000, -200_i32..200];
    prop_oneof![
        (1_u32..4000).prop_map(Turn::Runs),
        (1_u32..4000).prop_map(Turn::Sleeps),
        step.clone().prop_map(Turn::Stepped),
        step.clone().prop_map(Turn::Restarts),
        step.prop_map(Turn::Fails),
        Just(Turn::Accepted),
    ]
}

fn moved(wall: Utc, seconds: i32) -> Utc {
    let by = Duration::from_secs(seconds.unsigned_abs().into());
    if seconds < 0 { wall.minus(by) } else { wall.plus(by) }
}

proptest! {
    #[test]
    fn no_series_of_reboots_and_steps_makes_a_window_longer(
        turns in proptest::collection::vec(turn(), 1..40), survives: bool, first_step in -200_000_i32..200_000,
    ) {
        let mut machine = Machine::running();
        machine.wall = moved(machine.wall, first_step);
        machine.see();
        let window = machine.window(HOUR, survives);
        let mut up = Duration::ZERO;
        for turn in turns {
            match turn {
                Turn::Runs(seconds) => {
                    machine.run(Duration::from_secs(seconds.into()));
                    up += Duration::from_secs(seconds.into());
                }
                Turn::Sleeps(seconds) => {
                    machine.pass(Duration::from_secs(seconds.into()));
                    machine.see();
                    up += Duration::from_secs(seconds.into());
                }
                Turn::Stepped(by) => {
                    machine.wall = moved(machine.wall, by);
                    machine.see();
                }
                Turn::Restarts(by) => machine.restart(moved(machine.wall, by)),
                Turn::Fails(by) => machine.fail(moved(machine.wall, by)),
                Turn::Accepted => drop(machine.accept()),
            }
            let left = window.remaining(&machine.now());
            prop_assert!(left <= HOUR.saturating_sub(up), "{left:?} after {up:?}");
        }
    }

    #[test]
    fn a_mark_is_never_raised_by_a_step_of_more_than_the_tolerance(by in 121_u32..1_000_000) {
        let mut machine = Machine::running();
        let mark = machine.trust.mark();
        machine.forward(Duration::from_secs(by.into()));
        machine.run(HOUR);
        prop_assert_eq!(machine.trust.mark(), mark);
    }
}
