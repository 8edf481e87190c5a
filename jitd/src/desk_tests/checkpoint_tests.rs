//! The log as an auditor finds it: whole after restarts, under checkpoints, and refused where its key or its end is
//! missing.

use std::fs;

use jit_core::audit::about::About;
use jit_core::event::Event;
use jit_core::model::Elsewhere;
use jit_core::orders::revoke::Target;
use jit_core::proof::checkpoint::Kept;
use jit_core::proof::note::PublicKey;
use jit_core::proof::verify::{Report, Verdict as Log, Verifier};
use jit_proto::words::RequestId;

use super::*;
use crate::store::log;

impl Daemon {
    fn verified(&self, carried: &[Kept]) -> Report {
        let mut verifier = Verifier::new(Vec::new());
        for kept in carried {
            verifier.carried("c".to_owned(), kept.clone());
        }
        for (_, bytes) in log::records(&self.store(), 0, u32::MAX).unwrap() {
            verifier.take(&bytes);
        }
        verifier.report()
    }

    /// What `audit checkpoint` gives, and the key.
    fn checkpoint(&self) -> (Kept, PublicKey) {
        zruntime::block_on(self.desk().catch_up()).unwrap();
        if let Some(ticket) = self.desk().make_checkpoint().unwrap() {
            zruntime::block_on(ticket.durable()).unwrap();
        }
        let (signed, key) = self.desk().notary.last().unwrap();
        (signed.to_string().parse().unwrap(), key)
    }

    fn key_file(&self) -> std::path::PathBuf {
        self.dir.path().join("host.key")
    }
}

#[test]
fn a_checkpoint_covers_what_was_confirmed_before_it_and_is_made_once() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let confirmed = daemon.desk().next_seq().unwrap();
    let (first, _) = daemon.checkpoint();
    assert_eq!(first.checkpoint.size, confirmed);
    assert_eq!(daemon.checkpoint().0, first, "nothing happened since");
    daemon.grant(2).unwrap();
    let (second, _) = daemon.checkpoint();
    let report = daemon.verified(&[first, second.clone()]);
    assert_eq!(report.findings, []);
    assert_eq!((report.verdict, report.covered, report.agree), (Log::Whole, second.checkpoint.size, (2, 2)));
}

#[test]
fn the_tree_goes_on_over_restarts_and_every_checkpoint_of_before_still_holds() {
    let mut daemon = Daemon::start();
    let mut carried = Vec::new();
    for id in 1..5 {
        daemon.grant(id).unwrap();
        daemon.check().unwrap();
        carried.push(daemon.checkpoint().0);
        daemon = Daemon::start_in(daemon.stop());
    }
    let key = daemon.checkpoint().1;
    let report = daemon.verified(&carried);
    assert_eq!(
        (report.verdict, report.agree.1, report.keys),
        (Log::Whole, 4, vec![key]),
        "{:?}",
        report.findings
    );
}

#[test]
fn the_stop_is_under_the_last_checkpoint() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let closed = daemon.desk().close().unwrap();
    zruntime::block_on(closed.ticket.durable()).unwrap();
    zruntime::block_on(daemon.desk().catch_up()).unwrap();
    let ticket = daemon.desk().make_last_checkpoint(closed.next_seq, closed.now).unwrap();
    zruntime::block_on(ticket.durable()).unwrap();
    let all = records(&daemon.store());
    let [.., stopped, last] = &all[..] else { panic!("{all:?}") };
    assert_eq!(stopped.event, Event::Stopped);
    assert!(matches!(&last.event, Event::Checkpoint { signed } if signed.checkpoint.size == stopped.seq + 1));
    assert_eq!(daemon.verified(&[]).verdict, Log::Whole);
    // And the next start finds the log as it was left.
    let daemon = Daemon::start_in(daemon.stop());
    assert_eq!(daemon.desk().trouble(), None);
}

#[test]
fn a_missing_or_replaced_key_is_named_and_nothing_is_answered_until_it_is_back() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let (carried, key) = daemon.checkpoint();
    let path = daemon.key_file();
    let ours = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let daemon = Daemon::start_in(daemon.stop());
    let trouble = daemon.desk().trouble().unwrap();
    assert!(trouble.contains("is missing") && trouble.contains(&key.to_string()), "{trouble}");
    assert!(daemon.check().is_err());
    // Somebody else's.
    let beside = Daemon::start();
    fs::copy(beside.key_file(), &path).unwrap();
    daemon.until(|trouble| trouble.is_some_and(|why| why.contains("was replaced")));
    assert!(daemon.check().is_err());
    // It was there all the time.
    fs::write(&path, ours).unwrap();
    daemon.until(|trouble| trouble.is_none());
    assert_eq!(daemon.check().unwrap(), Verdict::Allow);
    assert_eq!((daemon.verified(&[carried]).verdict, daemon.checkpoint().1), (Log::Whole, key));
}

#[test]
fn a_new_key_that_an_admin_wants_is_on_record_with_the_one_before_it() {
    let daemon = Daemon::start();
    let (carried, before) = daemon.checkpoint();
    fs::remove_file(daemon.key_file()).unwrap();
    fs::write(daemon.dir.path().join("renew-host-key"), "").unwrap();
    let daemon = Daemon::start_in(daemon.stop());
    let key = daemon.checkpoint().1;
    assert_ne!(key, before);
    let wanted = Event::HostKey { key, before: Some(before) };
    assert!(records(&daemon.store()).iter().any(|record| record.event == wanted));
    assert!(!daemon.dir.path().join("renew-host-key").exists(), "the next is not made so easily");
    assert_eq!(daemon.verified(&[carried]).verdict, Log::Whole);
}

#[test]
fn a_log_that_lost_its_end_is_named_and_nothing_is_answered() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let store = daemon.store();
    let dir = daemon.stop();
    store
        .execute_batch(
            "DROP TRIGGER audit_is_kept; DELETE FROM about WHERE seq = (SELECT max(seq) FROM audit);
             DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)",
        )
        .unwrap();
    let daemon = Daemon::start_in(dir);
    let trouble = daemon.desk().trouble().unwrap();
    assert!(trouble.contains("were written"), "{trouble}");
    assert!(daemon.check().is_err());
}

#[test]
fn the_story_of_a_request_is_told_by_its_records_and_those_of_its_sessions() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    daemon.grant(2).unwrap();
    let (first, second) = (RequestId::from_bits(1), RequestId::from_bits(2));
    let open = Question { stage: Stage::Session, ..question() };
    let opened = daemon.ask(&open).unwrap();
    let session = opened.session().unwrap();
    zruntime::block_on(opened.ticket().unwrap().durable()).unwrap();
    daemon.ask(&Question { stage: Stage::Close, ..question() }).unwrap();
    let ticket = daemon.revoke(Target::Request(first)).unwrap();
    zruntime::block_on(ticket.durable()).unwrap();
    let store = daemon.store();
    let of = |request| {
        let page = log::story_records(&store, request, 0, log::MOST_OF_A_PAGE).unwrap();
        assert_eq!(page.damaged, Vec::<u64>::new());
        let read = |text: &String| Record::decode(0, text.as_bytes()).unwrap();
        page.records.iter().map(read).collect::<Vec<_>>()
    };
    let words = |records: &[Record]| -> Vec<String> {
        let word = |record: &Record| jit_core::audit::line::Line::of(record).event.to_owned();
        records.iter().map(word).collect()
    };
    let told = if of(first).iter().any(|record| record.seq == session) { first } else { second };
    let tale = words(&of(told));
    assert_eq!(tale[..3], ["requested", "reviewed", "opened"], "{tale:?}");
    for word in ["session-opened", "session-gone"] {
        assert!(tale.iter().any(|told| told == word), "{tale:?}");
    }
    let other = words(&of(if told == first { second } else { first }));
    assert!(!other.iter().any(|word| word == "session-gone"), "{other:?}");
    assert!(words(&of(first)).contains(&"ended".to_owned()));
    assert_eq!(About::Session(7).to_string(), "s-7");

    // A page at a time, by number and by bytes, it is the same story.
    let whole = log::story_records(&store, told, 0, log::MOST_OF_A_PAGE).unwrap();
    assert_eq!(whole.next, whole.total, "that is all of it");
    for most in [(2, usize::MAX), (usize::MAX, 1)] {
        let (mut first, mut pages) = (0, Vec::new());
        loop {
            let page = log::story_records(&store, told, first, most).unwrap();
            pages.push(page.records);
            if page.next == page.total {
                break;
            }
            assert!(page.next > first, "it goes on");
            first = page.next;
        }
        let longest = pages.iter().map(Vec::len).max();
        assert_eq!((longest, pages.concat()), (Some(most.0.min(2).min(most.1)), whole.records.clone()));
    }
}

/// What was lost is that a window was revoked: in the store that is left, it is open.
#[test]
fn a_store_whose_write_ahead_log_was_cut_off_opens_no_window_and_is_on_record_as_gone_back() {
    for (cut, noted) in [(true, true), (true, false), (false, true)] {
        let daemon = Daemon::start();
        daemon.grant(1).unwrap();
        daemon.until_durable();
        let file = |name: &str| daemon.dir.path().join(name);
        let early = fs::read(file("store.db-wal")).unwrap();
        let ticket = daemon.revoke(Target::Request(RequestId::from_bits(1))).unwrap();
        zruntime::block_on(ticket.durable()).unwrap();
        let [store, mut log] = ["store.db", "store.db-wal"].map(|name| fs::read(file(name)).unwrap());
        // It is longer than what is in it.
        let early = early.iter().zip(&log).position(|(then, now)| then != now);
        let early = early.filter(|at| *at > 4096).expect("the end of the window is in the write-ahead log");
        if cut {
            // In the middle of a page, as a file system leaves it.
            log.truncate(early + 100);
        }
        let dir = daemon.stop();
        fs::write(dir.path().join("store.db"), store).unwrap();
        fs::write(dir.path().join("store.db-wal"), log).unwrap();
        drop(fs::remove_file(dir.path().join("store.db-shm")));
        if !noted {
            fs::remove_file(dir.path().join("reached")).unwrap();
        }
        let daemon = Daemon::start_in(dir);
        daemon.until_durable();
        let went_back =
            |record: &Record| matches!(record.event, Event::Elsewhere { how: Elsewhere::WentBack });
        let is_on_record = records(&daemon.store()).iter().any(went_back);
        let admits = daemon.check().unwrap() == Verdict::Allow;
        // Without the note nobody can tell, as with a store that comes from a backup.
        assert_eq!((is_on_record, admits), (cut || !noted, false), "cut {cut}, noted {noted}");
    }
}
