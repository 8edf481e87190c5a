//! What fails under a desk over a real store: the disk, or one order alone. What is answered meanwhile, and what is not.

use std::future::Future;
use std::pin::pin;
use std::task::{self, Waker};

use jit_core::context::Context;
use jit_core::state::Row;
use rusqlite::{Transaction, TransactionBehavior};

use super::*;
use crate::session::People;
use crate::session::shut::Shut;
use crate::store::StoreError;
use crate::store::writer::Batch;

/// maria, whom the policy would let in, is exempt.
fn lax() -> String {
    POLICY.replace("[[exempt]]", "[[exempt]]\nusers = [\"maria\"]\nservices = [\"sshd\"]\n[[exempt]]")
}

/// Keeps everybody else from writing, as a disk does that takes nothing.
fn hold(store: &mut Connection) -> Transaction<'_> {
    store.transaction_with_behavior(TransactionBehavior::Immediate).unwrap()
}

impl Daemon {
    /// A batch that no sound order comes to: a window that opens a second time.
    fn unsound(&self) -> Batch {
        let grant = self.desk().look(|here| here.state.grants().next().cloned()).unwrap().unwrap();
        Batch { rows: vec![Row::Grant(grant)], ..Batch::default() }
    }

    /// Waits until the desk answers again. What it says until then is never that it cannot decide for good.
    fn until_it_answers(&self) -> Verdict {
        let start = Instant::now();
        loop {
            match self.check() {
                Ok(verdict) => return verdict,
                Err(err) => assert!(matches!(err, CannotDecide::ForNow(_)), "{err:?}"),
            }
            assert!(start.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_batch_that_the_store_does_not_take_fails_alone_and_is_refused() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let loads = daemon.desk().loads();
    // All in one commit: what came before it is kept, and answered.
    let mut store = daemon.store();
    let held = hold(&mut store);
    let before = daemon.ask(&question()).unwrap().ticket().unwrap();
    let unsound = daemon.queue.commit(daemon.unsound());
    let behind = daemon.queue.commit(Batch::default());
    drop(held);
    zruntime::block_on(async {
        before.durable().await.unwrap();
        let refused = daemon.desk().durable(unsound).await.unwrap_err();
        assert!(matches!(&refused, CannotDecide::Fault(why) if why.contains("fault of jitd")), "{refused:?}");
        let again = daemon.desk().durable(behind).await.unwrap_err();
        assert!(matches!(again, CannotDecide::ForNow(_)), "{again:?}");
    });
    assert_eq!(daemon.until_it_answers(), Verdict::Allow);
    assert_eq!(daemon.desk().loads(), loads + 1, "it started again from its store, once");
    let allowed = records(&daemon.store()).into_iter().filter(|r| matches!(r.event, Event::Allowed { .. }));
    assert_eq!(allowed.count(), 2);
}

#[test]
fn whoever_gives_orders_that_break_the_store_opens_no_recovery_by_it() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    for _ in 0..5 {
        drop(daemon.queue.commit(daemon.unsound()));
        assert_eq!(daemon.until_it_answers(), Verdict::Allow);
        // However long it goes on.
        daemon.clock.go_on(Duration::from_secs(4));
    }
}

#[test]
fn a_disk_that_fails_is_said_to_last_when_it_has_for_seconds() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let mut store = daemon.store();
    let held = hold(&mut store);
    let first = zruntime::block_on(
        daemon.desk().durable(daemon.queue.commit(Batch { clock: None, ..Batch::default() })),
    );
    assert!(matches!(first, Err(CannotDecide::ForNow(_))), "{first:?}");
    daemon.until(|trouble| trouble.is_some());
    assert!(matches!(daemon.check(), Err(CannotDecide::ForNow(_))), "not in the first moment");
    daemon.clock.go_on(Duration::from_secs(3));
    assert!(matches!(daemon.check(), Err(CannotDecide::Lasting(_))));
    drop(held);
    daemon.until(|trouble| trouble.is_none());
    assert_eq!(daemon.check(), Ok(Verdict::Allow));
}

#[test]
fn nobody_is_exempt_by_a_policy_that_is_not_on_disk() {
    let daemon = Daemon::start();
    let mut store = daemon.store();
    let held = hold(&mut store);
    write_policy(daemon.dir.path(), &lax());
    let load = daemon.load(Load::Order, Some(ROOT)).unwrap().unwrap().unwrap();
    let checked = daemon.ask(&question()).unwrap();
    assert_eq!(checked.verdict(), Verdict::Unmanaged);
    let ticket = checked.ticket().expect("the answer waits for the policy that it comes of");
    // The disk does not take it, and by the time it takes anything the files are what they were.
    write_policy(daemon.dir.path(), POLICY);
    zruntime::block_on(async {
        assert!(daemon.desk().durable(ticket).await.is_err());
        load.durable().await.unwrap_err();
    });
    drop(held);
    daemon.until(|trouble| trouble.is_none());
    assert_eq!(daemon.check(), Ok(Verdict::Deny));
    let loads =
        records(&daemon.store()).into_iter().filter(|r| matches!(r.event, Event::PolicyLoaded { .. }));
    assert_eq!(loads.count(), 1, "it never was in force");
}

#[test]
fn a_trial_that_did_not_reach_the_disk_leaves_no_policy_in_force_for_good() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let unsound = daemon.unsound();
    let before = daemon.desk().policy().unwrap().policy.digest();
    let mut store = daemon.store();
    let held = hold(&mut store);
    drop(daemon.queue.commit(unsound));
    write_policy(daemon.dir.path(), &lax());
    let load = daemon.load(Load::Trial(Duration::from_mins(1)), Some(ROOT)).unwrap().unwrap().unwrap();
    drop(held);
    zruntime::block_on(load.durable()).unwrap_err();
    assert_eq!(daemon.until_it_answers(), Verdict::Allow);
    // The files are still there, and whoever wants them in force says so again.
    let known = daemon.desk().policy().unwrap();
    assert_eq!((known.policy.digest(), known.source), (before, Source::Store));
    assert!(!daemon.desk().files_are_in_force());
}

#[test]
fn a_window_that_policy_shut_is_seen_to_again_where_the_record_of_that_did_not_reach_the_disk() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    assert_eq!(daemon.check(), Ok(Verdict::Allow), "she came in by it");
    write_policy(daemon.dir.path(), &POLICY.replace("role.shell", "role.other"));
    let load = daemon.load(Load::Order, Some(ROOT)).unwrap().unwrap().unwrap();
    zruntime::block_on(load.durable()).unwrap();
    let (people, mut shut) = (People::default(), Shut::default());
    let mut see_to = || shut.see_to(daemon.desk(), &people, |_, _| true);
    let endings = || daemon.desk().look(|here| here.state.endings().len()).unwrap();

    let loads = daemon.desk().loads();
    let unsound = daemon.unsound();
    let mut store = daemon.store();
    let held = hold(&mut store);
    drop(daemon.queue.commit(unsound));
    assert!(see_to());
    assert_eq!(endings(), 1);
    drop(held);
    daemon.until(|trouble| trouble.is_none() && daemon.desk().loads() > loads);
    assert_eq!(endings(), 0, "it never happened");
    see_to();
    assert_eq!(endings(), 1, "what she left is ended after all");
    daemon.until_durable();
    see_to();
    let shuts = records(&daemon.store()).into_iter().filter(|r| matches!(r.event, Event::Shut { .. }));
    assert_eq!(shuts.count(), 1, "once it is on disk it is not seen to again");
}

/// A story: while the disk stands still, people ask and orders are given, one of which the store does not take.
#[test]
fn in_every_story_nothing_is_answered_yes_from_what_is_not_on_disk() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let (mut allowed, mut exempt, mut failed, mut loads) = (0, 0, 0, 0);
    for round in 0..60 {
        daemon.until_it_answers();
        let unsound = daemon.unsound();
        let mut store = daemon.store();
        let held = hold(&mut store);
        let mut yes = Vec::new();
        let breaks_at = numbers.below(8);
        for step in 0..6 {
            if step == breaks_at {
                drop(daemon.queue.commit(Batch { rows: unsound.rows.clone(), ..Batch::default() }));
            }
            match numbers.below(4) {
                0 => {
                    let text = if numbers.below(2) == 0 { lax() } else { POLICY.to_owned() };
                    write_policy(daemon.dir.path(), &format!("# {round}.{step}\n{text}"));
                    drop(daemon.load(Load::Order, Some(ROOT)).unwrap().unwrap());
                }
                1 => drop(daemon.order(&by(root()), |here: Context<'_>, caller: &Caller| {
                    request::grant(here, caller, order(100 + round, "shell"))
                })),
                _ => {
                    let in_force = daemon.desk().policy().unwrap().policy.digest();
                    let next = daemon.desk().next_seq().unwrap();
                    let checked = daemon.ask(&question()).unwrap();
                    yes.push((checked.verdict(), in_force, next, checked.ticket()));
                }
            }
        }
        // What is on disk when the store is read again is what was in force before.
        write_policy(daemon.dir.path(), POLICY);
        drop(held);
        for (verdict, in_force, next, ticket) in yes {
            let on_disk = match ticket {
                Some(ticket) => zruntime::block_on(daemon.desk().durable(ticket)).is_ok(),
                None => true,
            };
            if !on_disk {
                failed += 1;
                continue;
            }
            let records = records(&daemon.store());
            match verdict {
                Verdict::Allow => {
                    let is_it = |record: &&Record| matches!(record.event, Event::Allowed { .. });
                    assert!(records.iter().skip(usize::try_from(next).unwrap()).find(is_it).is_some());
                    allowed += 1;
                }
                Verdict::Unmanaged => {
                    let is_it = |record: &Record| matches!(&record.event, Event::PolicyLoaded { digest, .. } if *digest == in_force);
                    assert!(records.iter().any(is_it), "let in by a policy that no record names");
                    exempt += 1;
                }
                Verdict::Deny => {}
            }
        }
        // Also where nobody asked anything, the next story begins when all of this one has come to an end.
        drop(zruntime::block_on(daemon.queue.commit(Batch::default()).durable()));
        loads = daemon.desk().loads();
    }
    println!("{allowed} allowed, {exempt} exempt, {failed} answers not given, the store read {loads} times");
    assert!(allowed > 0 && exempt > 0 && failed > 0 && loads > 5);
}

/// Numbers that look random and are not (xorshift64, Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[test]
fn who_is_exempt_by_a_policy_on_disk_waits_for_nothing() {
    let daemon = Daemon::start();
    write_policy(daemon.dir.path(), &lax());
    let load = daemon.load(Load::Order, Some(ROOT)).unwrap().unwrap().unwrap();
    zruntime::block_on(load.durable()).unwrap();
    daemon.until_durable();
    let mut store = daemon.store();
    let held = hold(&mut store);
    let checked = daemon.ask(&question()).unwrap();
    assert_eq!(checked.verdict(), Verdict::Unmanaged);
    assert!(checked.ticket().is_none(), "not for its own record, and the policy is there");
    drop(held);
}

#[test]
fn a_clock_that_is_doubted_when_the_store_is_back_rings_for_who_waits_for_that() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let unsound = daemon.unsound();
    daemon.clock.step(3_600);
    daemon.desk().tick();
    assert!(!daemon.desk().now().is_trusted());
    // Whoever looks while there is no store finds no doubt, and waits for one.
    let doubted = daemon.desk().doubted.listen();
    let loads = daemon.desk().loads();
    drop(daemon.queue.commit(unsound));
    daemon.until(|_| daemon.desk().loads() > loads);
    assert!(!daemon.desk().now().is_trusted());
    let rang = pin!(doubted).poll(&mut task::Context::from_waker(Waker::noop())).is_ready();
    assert!(rang, "synchronisation would never be asked for again");
}

#[test]
fn a_fault_is_the_orders_and_a_full_disk_is_the_disks() {
    let failure =
        |code| StoreError::from(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None));
    for (code, is_disk) in [
        (rusqlite::ffi::SQLITE_FULL, true),
        (rusqlite::ffi::SQLITE_IOERR, true),
        (rusqlite::ffi::SQLITE_READONLY, true),
        (rusqlite::ffi::SQLITE_CORRUPT, true),
        (rusqlite::ffi::SQLITE_BUSY, true),
        (rusqlite::ffi::SQLITE_CONSTRAINT, false),
        (rusqlite::ffi::SQLITE_TOOBIG, false),
        (rusqlite::ffi::SQLITE_MISMATCH, false),
        (rusqlite::ffi::SQLITE_NOMEM, false),
    ] {
        assert_eq!(!matches!(failure(code).of_batch(), StoreError::Fault(_)), is_disk, "{code}");
    }
}
