//! A disk that is nearly full under a desk over a real store.

use jit_core::access::Method;
use jit_core::model::{RefusedOrder, Space};
use jit_core::room::{STEADY, Stops};

use super::*;

const MIB: u64 = 1024 * 1024;

impl Daemon {
    /// So much is left of a large disk, in MiB.
    fn has_left(&self, free: u64) {
        self.app.store.gauge().say(Space { free: free * MIB, size: 500_000 * MIB });
    }

    /// What is on record of the room that there was.
    fn told_of_room(&self) -> Vec<Event> {
        self.until_durable();
        let is_room = |event: &Event| matches!(event, Event::DiskShort(_) | Event::DiskRoom(_));
        records(&self.store()).into_iter().map(|record| record.event).filter(is_room).collect()
    }
}

#[test]
fn a_disk_that_is_nearly_full_opens_no_window_until_there_is_room_and_is_on_record_once() {
    let daemon = Daemon::start();
    daemon.has_left(32);
    daemon.grant(1).unwrap();
    assert_eq!(daemon.told_of_room(), []);

    daemon.has_left(31);
    for _ in 0..3 {
        let refused = daemon.grant(2).unwrap_err();
        assert!(refused.contains("nearly full") && refused.contains("jitctl status"), "{refused}");
    }
    assert!(matches!(daemon.told_of_room()[..], [Event::DiskShort(_)]));
    let said = daemon.app.store.room(Stops::New).unwrap();
    let again = "until there have been 65536 KiB for 5m";
    assert!(said.contains("31744 KiB left") && said.contains(again), "{said}");
    assert_eq!(daemon.check().unwrap(), Verdict::Allow, "a window that is open admits");
    let revoked = daemon.revoke(Target::Request(RequestId::from_bits(1))).unwrap();
    zruntime::block_on(revoked.durable()).unwrap();

    daemon.has_left(63);
    daemon.grant(2).unwrap_err();
    daemon.has_left(64);
    daemon.desk().tick();
    daemon.grant(2).unwrap_err();
    daemon.clock.go_on(STEADY);
    // Nobody has to do anything for it.
    daemon.desk().tick();
    assert!(matches!(daemon.told_of_room()[..], [Event::DiskShort(_), Event::DiskRoom(_)]));
    daemon.grant(2).unwrap();
}

#[test]
fn logins_that_stop_for_want_of_room_are_on_record_and_revoking_goes_on() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    daemon.has_left(31);
    assert_eq!(daemon.check().unwrap(), Verdict::Allow);
    daemon.has_left(1);
    assert_eq!(daemon.check().unwrap(), Verdict::Deny);
    assert!(matches!(daemon.told_of_room()[..], [Event::DiskShort(_), Event::DiskShort(_)]));
    let said = daemon.app.store.room(Stops::Logins).unwrap();
    assert!(said.contains("THE DISK IS FULL") && said.contains("1024 KiB left"), "{said}");
    let revoked = daemon.revoke(Target::Request(RequestId::from_bits(1))).unwrap();
    zruntime::block_on(revoked.durable()).unwrap();
}

#[test]
fn where_a_disk_does_not_say_how_full_it_is_windows_open() {
    let daemon = Daemon::start();
    daemon.app.store.gauge().say(Space { free: 0, size: 0 });
    daemon.grant(1).unwrap();
}

#[test]
fn a_stranger_who_is_refused_for_hours_leaves_the_room_that_is_kept_to_what_ends() {
    const MINUTES: u32 = 3 * 60;
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    daemon.has_left(1);
    daemon.desk().tick();
    assert!(matches!(daemon.told_of_room()[..], [Event::DiskShort(_)]));
    let before = records(&daemon.store()).len();
    for minute in 0..MINUTES {
        // As many different refusals as one uid has records of in a minute, and some more.
        for n in 0..40 {
            let method = Method::ALL[(minute as usize + n) % Method::ALL.len()];
            let refused = RefusedOrder::not_answered(method, "by whoever it is");
            daemon.desk().note_refused(refused, Actor { uid: maria().uid, ..ROOT });
        }
        daemon.clock.go_on(Duration::from_mins(1));
        daemon.desk().tick();
    }
    daemon.until_durable();
    let made = records(&daemon.store()).split_off(before);
    assert!(made.len() <= 8, "{} records in three hours", made.len());
    let is_end = |record: &Record| matches!(record.event, Event::Ended { .. });
    assert!(made.iter().any(is_end), "the window was over meanwhile");

    zruntime::block_on(daemon.desk().close().unwrap().ticket.durable()).unwrap();
    let counted = records(&daemon.store()).into_iter().map(|record| match record.event {
        Event::OrderRefused { count, .. } => count.get(),
        _ => 0,
    });
    assert_eq!(counted.sum::<u32>(), MINUTES * 40, "each is in some count");
}
