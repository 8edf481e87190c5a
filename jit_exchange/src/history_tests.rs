use super::*;
use jit_core::proof::merkle::{Frontier, leaf};
use jit_core::proof::note::HostKey;

struct Log {
    key: HostKey,
    records: Vec<String>,
}

fn key(seed: u8) -> HostKey {
    HostKey::from_seed("db-1/jitd".parse().unwrap(), &[seed; 32])
}

/// A minute for each record.
fn minute(number: usize) -> Utc {
    let start: Utc = "2026-11-29T12:00:00Z".parse().unwrap();
    start.plus(std::time::Duration::from_secs(60 * number as u64))
}

impl Log {
    fn of(seed: u8, records: usize, word: &str) -> Self {
        let mut log = Self { key: key(seed), records: Vec::new() };
        log.go_on(records, word);
        log
    }

    fn go_on(&mut self, to: usize, word: &str) {
        while self.records.len() < to {
            let seq = self.records.len();
            let wall = minute(seq);
            self.records
                .push(format!(r#"{{"seq":{seq},"time":"{wall}","event":"allowed","note":"{word}"}}"#));
        }
    }

    fn signed(&self, records: usize) -> Signed {
        let mut tree = Frontier::default();
        for record in &self.records[..records] {
            tree.append(leaf(record.as_bytes()));
        }
        Signed::over(&tree, &self.key)
    }

    fn read(&self, history: &History, records: usize) -> Reading {
        let mut reading = history.reading(records as u64);
        self.records[..records].iter().for_each(|record| reading.take(record.as_bytes()));
        reading
    }
}

fn seen(records: usize) -> Seen {
    Seen { records: records as u64, latest: minute(records - 1) }
}

#[test]
fn a_log_that_goes_on_is_seen_further_and_its_checkpoints_are_kept() {
    let log = Log::of(1, 30, "one");
    let mut history = History::of(log.key.public(), Some(seen(10)), &[log.signed(10)]);
    assert!(!history.has_news());
    history.comes(log.signed(10));
    assert!(!history.has_news(), "what was kept is no news");
    history.comes(log.signed(25));
    assert!(history.has_news());
    let read = log.read(&history, 30);
    let expected = Judgement::GoesOn {
        seen: Some(Seen { records: 25, latest: minute(24) }),
        keep: vec![log.signed(25)],
    };
    assert_eq!(history.judge(Some(read)), expected);
    // Without the records the checkpoint is kept, and held against them once they are there.
    let expected = Judgement::GoesOn { seen: None, keep: vec![log.signed(25)] };
    assert_eq!(history.judge(None), expected);
}

#[test]
fn an_old_copy_is_told_from_a_log_that_has_shrunk_by_what_is_new_in_it() {
    let log = Log::of(1, 30, "one");
    let known = || History::of(log.key.public(), Some(seen(30)), &[log.signed(10), log.signed(30)]);
    let mut old = known();
    old.comes(log.signed(10));
    old.comes_with_request(minute(5), Some(log.signed(10)));
    assert_eq!(old.judge(Some(log.read(&old, 10))), Judgement::Older);
    assert_eq!(old.judge(None), Judgement::Older);
    // With a request that came later than all that was seen: one without a checkpoint is no evidence, one with it is.
    let mut without = known();
    without.comes_with_request(minute(31), None);
    assert_eq!(without.judge(None), Judgement::Older);
    let mut cut = known();
    cut.comes_with_request(minute(31), Some(log.signed(10)));
    let judged = cut.judge(None);
    assert!(
        matches!(&judged, Judgement::Broken(Verdict::Truncated, what) if what.contains("30 records were seen")),
        "{judged:?}"
    );
    // Or with records that were written after it was cut off.
    let mut shorter = Log { key: key(1), records: log.records[..10].to_vec() };
    shorter.records.push(format!(r#"{{"seq":10,"time":"{}","event":"started"}}"#, minute(40)));
    let mut cut = known();
    cut.comes(shorter.signed(11));
    let judged = cut.judge(Some(shorter.read(&cut, 11)));
    assert!(matches!(judged, Judgement::Broken(Verdict::Truncated, _)), "{judged:?}");
}

#[test]
fn records_that_are_others_than_those_that_were_seen_are_found() {
    let log = Log::of(1, 30, "one");
    let mut other = Log { key: key(1), records: log.records[..8].to_vec() };
    other.go_on(40, "two");
    let mut history = History::of(log.key.public(), Some(seen(30)), &[log.signed(30)]);
    history.comes(other.signed(40));
    let judged = history.judge(Some(other.read(&history, 40)));
    assert!(matches!(judged, Judgement::Broken(Verdict::Forked, _)), "{judged:?}");
    // Two that cover as many need no records.
    let mut history = History::of(log.key.public(), Some(seen(30)), &[log.signed(30)]);
    history.comes(other.signed(30));
    let judged = history.judge(None);
    assert!(matches!(judged, Judgement::Broken(Verdict::Forked, _)), "{judged:?}");
    // One byte, and nothing signed anew.
    let mut changed = Log { key: key(1), records: log.records.clone() };
    changed.records[3] = changed.records[3].replace("one", "One");
    let mut history = History::of(log.key.public(), Some(seen(30)), &[log.signed(30)]);
    history.comes(log.signed(30));
    let judged = history.judge(Some(changed.read(&history, 30)));
    assert!(matches!(judged, Judgement::Broken(Verdict::Rewritten, _)), "{judged:?}");
    let twin = history.judge(Some(log.read(&history, 30)));
    assert!(matches!(twin, Judgement::GoesOn { .. }), "{twin:?}");
}

#[test]
fn a_checkpoint_of_another_key_says_nothing_about_the_log() {
    let (log, stranger) = (Log::of(1, 30, "one"), Log::of(2, 1000, "two"));
    let mut history = History::of(log.key.public(), Some(seen(10)), &[log.signed(10), stranger.signed(900)]);
    history.comes(stranger.signed(1000));
    history.comes_with_request(minute(3), Some(log.signed(20)));
    assert_eq!(history.foreign(), 1);
    let judged = history.judge(Some(log.read(&history, 30)));
    assert!(matches!(&judged, Judgement::GoesOn { keep, .. } if *keep == [log.signed(20)]), "{judged:?}");
}

#[test]
fn files_that_have_fewer_records_than_they_say_are_found() {
    let log = Log::of(1, 30, "one");
    let mut history = History::of(log.key.public(), None, &[]);
    history.comes(log.signed(20));
    let mut reading = history.reading(30);
    log.records[..29].iter().for_each(|record| reading.take(record.as_bytes()));
    let judged = history.judge(Some(reading));
    assert!(
        matches!(&judged, Judgement::Broken(_, what) if what.contains("say 30 records, and have 29")),
        "{judged:?}"
    );
}

#[test]
fn of_many_checkpoints_the_newest_stay_and_the_oldest_too() {
    let sizes = thinned((0..1000).collect());
    assert!(sizes.len() <= MOST_KEPT && sizes.first() == Some(&0) && sizes.last() == Some(&999));
    assert!(sizes.ends_with(&(990..1000).collect::<Vec<_>>()));
    assert_eq!(thinned(vec![3, 1, 2]), [1, 2, 3]);
}
