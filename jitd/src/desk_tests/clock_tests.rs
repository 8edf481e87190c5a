//! A clock that is stepped under a desk over a real store: what is refused, what is recorded, what is kept.

use jit_core::time::{Recovery, Suspicion};

use super::*;

const HOUR: Duration = Duration::from_hours(1);

impl Daemon {
    /// What was recorded of the clock.
    fn told(&self) -> Vec<Event> {
        let about = |event: &Event| {
            matches!(
                event,
                Event::ClockSuspect { .. } | Event::ClockAccepted { .. } | Event::ClockRecovered { .. }
            )
        };
        records(&self.store()).into_iter().map(|record| record.event).filter(about).collect()
    }

    fn accept(&self, caller: &Caller) -> Result<(), String> {
        let reason = Some("set by the wall".parse().unwrap());
        let done = self
            .desk()
            .accept_clock(ROOT, &by(caller.clone()), Word::Nobody, reason)
            .map_err(|err| err.to_string())?;
        zruntime::block_on(done.1.durable()).map(drop).map_err(|err| err.to_string())
    }

    /// What the store knows of the clock, by the name that it has there.
    fn kept(&self, what: &str) -> String {
        let query = format!("SELECT json_extract(body, '$.{what}') FROM clock");
        let value: rusqlite::types::Value = self.store().query_row(&query, [], |row| row.get(0)).unwrap();
        match value {
            rusqlite::types::Value::Integer(number) => number.to_string(),
            rusqlite::types::Value::Text(text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// Waits until all that is queued is on disk.
    fn settle(&self) {
        zruntime::block_on(self.queue.commit(writer::Batch::default()).durable()).unwrap();
    }
}

#[test]
fn a_step_is_recorded_once_and_opens_nothing_until_an_admin_accepts_it() {
    let daemon = Daemon::start();
    daemon.clock.step(-3600);
    for _ in 0..3 {
        let refused = daemon.grant(1).unwrap_err();
        assert!(refused.contains("jitctl clock accept"), "{refused}");
    }
    daemon.settle();
    assert!(matches!(daemon.told()[..], [Event::ClockSuspect { why: Suspicion::Behind, .. }]));
    let last = records(&daemon.store()).pop().unwrap();
    assert_eq!(last.at.suspect, Some(Suspicion::Behind), "the record says what its time is worth");

    let maria = Caller { account: maria(), login: LoginAccount::Known(maria()) };
    assert!(daemon.accept(&maria).unwrap_err().contains("admin"));
    daemon.accept(&root()).unwrap();
    daemon.grant(1).unwrap();
    assert_eq!(daemon.check(), Ok(Verdict::Allow));
    let told = daemon.told();
    let Event::ClockAccepted { why: Suspicion::Behind, mark, expected, reason, statement: None } = &told[1]
    else {
        panic!("{told:?}");
    };
    let accepted = records(&daemon.store()).into_iter().find(|record| record.event == told[1]).unwrap();
    assert!(accepted.at.is_trusted() && accepted.at.wall < *mark && accepted.at.wall < *expected);
    assert!(reason.is_some());
    assert!(daemon.accept(&root()).unwrap_err().contains("nothing to accept"));
}

#[test]
fn an_open_window_goes_on_through_a_step_back_and_ends_in_time() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    daemon.clock.step(-3600);
    assert_eq!(daemon.check(), Ok(Verdict::Allow));
    daemon.clock.go_on(HOUR * 4);
    assert_eq!(daemon.check(), Ok(Verdict::Deny));
}

#[test]
fn a_clock_that_jumps_ahead_ends_windows_and_coming_back_opens_none() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    daemon.clock.step(10 * 365 * 86_400);
    assert_eq!(daemon.check(), Ok(Verdict::Deny));
    daemon.clock.step(-10 * 365 * 86_400);
    assert_eq!(daemon.check(), Ok(Verdict::Deny));
    daemon.grant(2).unwrap();
    assert_eq!(daemon.check(), Ok(Verdict::Allow));
    let told = daemon.told();
    assert!(
        matches!(
            told[..],
            [
                Event::ClockSuspect { why: Suspicion::Ahead, .. },
                Event::ClockRecovered { by: Recovery::Returned, .. }
            ]
        ),
        "{told:?}"
    );
}

#[test]
fn what_is_known_of_the_clock_outlives_jitd() {
    let daemon = Daemon::start();
    daemon.clock.step(3600);
    daemon.desk().tick();
    daemon.accept(&root()).unwrap();
    // The next one finds the clock where it was before.
    let daemon = Daemon::start_in(daemon.stop());
    assert!(daemon.grant(1).is_err());
    let told = daemon.told();
    assert!(matches!(told[2..], [Event::ClockSuspect { why: Suspicion::Behind, .. }]), "{told:?}");
    let daemon = Daemon::start_in(daemon.stop());
    assert!(daemon.grant(1).is_err());
    assert_eq!(daemon.told(), told, "what goes on is not recorded again");
}

#[test]
fn the_kernels_word_is_taken_after_ten_minutes_of_it() {
    let daemon = Daemon::start();
    daemon.clock.step(3600);
    for minute in 0..=10 {
        assert!(!daemon.desk().now().is_trusted() || minute == 0, "after {minute} minutes");
        daemon.desk().synchronised(Some(true));
        daemon.clock.go_on(Duration::from_mins(1));
    }
    assert!(daemon.desk().now().is_trusted());
    daemon.settle();
    assert!(matches!(daemon.told()[1..], [Event::ClockRecovered { by: Recovery::Synchronised, .. }]));
}

#[test]
fn an_allow_is_charged_on_disk_before_it_is_answered() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    // The machine has slept, and nothing has ticked since.
    daemon.clock.go_on(HOUR / 2);
    let charged = |daemon: &Daemon| daemon.kept("charged_ms").parse::<u64>().unwrap();
    let ran = daemon.desk().now().ran.unwrap();
    assert!(charged(&daemon) < ran);
    assert_eq!(daemon.check(), Ok(Verdict::Allow));
    assert!(charged(&daemon) >= daemon.desk().now().ran.unwrap());
}

#[test]
fn an_idle_jitd_keeps_the_mark_and_records_nothing() {
    let daemon = Daemon::start();
    let (records, mark) = (records(&daemon.store()).len(), daemon.kept("mark"));
    for _ in 0..5 {
        daemon.clock.go_on(Duration::from_mins(1));
        daemon.desk().tick();
    }
    daemon.settle();
    assert!(daemon.kept("mark") > mark);
    assert_eq!(super::records(&daemon.store()).len(), records);
}

#[test]
fn a_stop_in_good_order_charges_what_has_passed_and_no_more() {
    let daemon = Daemon::start();
    let ticket = daemon.desk().close().unwrap().ticket;
    zruntime::block_on(ticket.durable()).unwrap();
    let charged: u64 = daemon.kept("charged_ms").parse().unwrap();
    assert!(charged <= crate::clock::since_boot().as_millis().try_into().unwrap());
}
