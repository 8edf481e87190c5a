//! Every way to change a log, and the word and the place by which it is found; and the same log as it was, which is whole.

use super::*;
use crate::proof::note::HostKey;

/// A log as jitd writes it: a key, then records, and after each few of them a checkpoint.
struct Log {
    key: HostKey,
    records: Vec<Vec<u8>>,
}

fn key(seed: u8) -> HostKey {
    HostKey::from_seed("db-1/jitd".parse().unwrap(), &[seed; 32])
}

impl Log {
    fn new(seed: u8) -> Self {
        let key = key(seed);
        let mut log = Self { key, records: Vec::new() };
        let public = log.key.public();
        log.push(&format!(r#""event":"host-key","key":"{public}""#));
        log
    }

    fn push(&mut self, fields: &str) {
        let seq = self.records.len();
        self.records.push(format!(r#"{{"seq":{seq},"time":"2026-11-29T12:00:00Z",{fields}}}"#).into_bytes());
    }

    fn tree(&self) -> Frontier {
        let mut tree = Frontier::default();
        for bytes in &self.records {
            tree.append(merkle::leaf(bytes));
        }
        tree
    }

    fn checkpoint(&mut self) {
        let signed = serde_json::to_string(&self.signed()).unwrap();
        self.push(&format!(r#""event":"checkpoint",{}"#, signed.trim_matches(['{', '}'])));
    }

    fn signed(&self) -> Signed {
        Signed::over(&self.tree(), &self.key)
    }

    /// Fifty records, with a checkpoint behind each nine.
    fn of_fifty(seed: u8, word: &str) -> Self {
        let mut log = Self::new(seed);
        while log.records.len() < 50 {
            if log.records.len().is_multiple_of(10) {
                log.checkpoint();
            } else {
                let number = log.records.len() * 7;
                log.push(&format!(
                    r#""event":"allowed","user":"maria","note":"{word}","remaining":{number}"#
                ));
            }
        }
        log
    }

    /// Everything signed anew, by whoever has the key.
    fn signed_anew(&self) -> Self {
        let mut anew = Self { key: HostKey::from_text(&self.key.to_text()).unwrap(), records: Vec::new() };
        for record in &self.records {
            match serde_json::from_slice::<Head<'_>>(record).unwrap().event.as_ref() {
                "checkpoint" => anew.checkpoint(),
                _ => anew.records.push(record.clone()),
            }
        }
        anew
    }
}

fn report(records: &[Vec<u8>], keys: Vec<PublicKey>, carried: &[Signed]) -> Report {
    let mut verifier = Verifier::new(keys);
    for (number, signed) in carried.iter().enumerate() {
        verifier.carried(format!("c{number}"), signed.clone().into());
    }
    for record in records {
        verifier.take(record);
    }
    verifier.report()
}

fn verdict(records: &[Vec<u8>], carried: &[Signed]) -> Verdict {
    report(records, Vec::new(), carried).verdict
}

#[test]
fn a_log_that_nobody_touched_is_whole_and_says_how_much_no_checkpoint_covers() {
    let mut log = Log::of_fifty(1, "x");
    let carried = log.signed();
    log.push(r#""event":"stopped""#);
    let report = report(&log.records, Vec::new(), std::slice::from_ref(&carried));
    assert_eq!(report.findings, []);
    assert_eq!((report.verdict, report.records, report.covered), (Verdict::Whole, 51, 50));
    assert_eq!((report.agree, report.root), ((4, 1), log.tree().root()));
    assert_eq!(report.keys, [log.key.public()]);
    assert_eq!(Verifier::default().report().verdict, Verdict::Whole, "nothing is wrong with nothing");
}

#[test]
fn any_flipped_bit_is_found_and_its_place_is_between_two_checkpoints() {
    let log = Log::of_fifty(1, "x");
    let carried = [log.signed()];
    for place in 0..log.records.len() {
        for byte in (place % 3..log.records[place].len()).step_by(3) {
            let mut changed = log.records.clone();
            changed[place][byte] ^= 1 << (byte % 8);
            let report = report(&changed, Vec::new(), &carried);
            assert_ne!(report.verdict, Verdict::Whole, "record {place}, byte {byte}");
            // The key's own record says which key; all else is named by its place.
            if place > 0 {
                assert_eq!(report.verdict, Verdict::Rewritten, "record {place}, byte {byte}");
                let mut spans = report.findings.iter().map(|finding| finding.from..finding.to);
                assert!(spans.any(|span| span.contains(&(place as u64))), "record {place}, byte {byte}");
            }
        }
    }
}

#[test]
fn a_dropped_inserted_or_swapped_record_is_found_where_it_is_also_when_all_are_numbered_anew() {
    let log = Log::of_fifty(1, "x");
    assert_eq!(verdict(&log.records, &[]), Verdict::Whole);
    let numbered = |records: &[Vec<u8>]| -> Vec<Vec<u8>> {
        let anew = records.iter().enumerate().map(|(seq, bytes)| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            format!(r#"{{"seq":{seq},{}"#, text.split_once(',').unwrap().1).into_bytes()
        });
        anew.collect()
    };
    // The last checkpoint covers forty.
    for place in 1..38 {
        let mut dropped = log.records.clone();
        dropped.remove(place);
        let mut inserted = log.records.clone();
        inserted.insert(place, log.records[place].clone());
        let mut swapped = log.records.clone();
        swapped.swap(place, place + 1);
        for (how, changed) in [("dropped", dropped), ("inserted", inserted), ("swapped", swapped)] {
            let first = report(&changed, Vec::new(), &[]);
            assert_eq!(first.verdict, Verdict::Rewritten, "{how} at {place}");
            // An inserted one is the same as the one in its place; the next is not.
            let at = if how == "inserted" { place + 1 } else { place } as u64;
            assert_eq!(first.findings[0].from, at, "{how} at {place}: {:?}", first.findings[0]);
            assert_eq!(
                verdict(&numbered(&changed), &[]),
                Verdict::Rewritten,
                "{how} at {place}, numbered anew"
            );
        }
    }
}

#[test]
fn a_log_that_lost_its_end_is_truncated_and_nothing_but_what_was_carried_away_tells() {
    let log = Log::of_fifty(1, "x");
    let carried = [log.signed()];
    for left in 1..50 {
        let report = report(&log.records[..left], Vec::new(), &carried);
        assert_eq!(report.verdict, Verdict::Truncated, "{left}");
        let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
        assert_eq!((finding.from, finding.to), (left as u64, 50), "{}", finding.what);
        // Nothing in it is wrong, and it says so and how far that goes.
        let alone = self::report(&log.records[..left], Vec::new(), &[]);
        assert_eq!((alone.verdict, alone.records), (Verdict::Whole, left as u64));
    }
    assert_eq!(verdict(&log.records, &carried), Verdict::Whole);
}

#[test]
fn a_log_that_was_changed_and_signed_anew_is_a_fork_and_nothing_but_what_was_carried_away_tells() {
    let log = Log::of_fifty(1, "x");
    let mut early = Log { key: key(1), records: log.records[..23].to_vec() };
    let carried = [early.signed(), log.signed()];
    let mut changed = Log { key: key(1), records: log.records.clone() };
    changed.records[31] =
        changed.records[31].clone().into_iter().map(|b| if b == b'x' { b'y' } else { b }).collect();
    let mut changed = changed.signed_anew();
    assert_eq!(verdict(&changed.records, &[]), Verdict::Whole, "it agrees with itself");
    changed.push(r#""event":"stopped""#);
    changed.checkpoint();
    let report = report(&changed.records, Vec::new(), &carried);
    assert_eq!((report.verdict, report.agree.1), (Verdict::Forked, 1));
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    // The earlier one that was carried away narrows it down; those among the records were signed anew.
    assert_eq!((finding.from, finding.to), (23, 50), "{}", finding.what);
    assert_eq!(verdict(&log.records, &carried), Verdict::Whole);
    // Also where it went on in another way from the middle, and was cut and filled up.
    early.push(r#""event":"allowed","user":"erik""#);
    while early.records.len() < 60 {
        early.push(r#""event":"allowed","user":"maria""#);
    }
    early.checkpoint();
    assert_eq!(verdict(&early.records, &carried), Verdict::Forked);
}

#[test]
fn a_log_under_another_key_is_not_proven_by_a_checkpoint_of_the_first() {
    let log = Log::of_fifty(1, "x");
    let carried = [log.signed()];
    let mut other = Log { key: key(2), records: log.records.clone() };
    let public = other.key.public();
    other.records[0] = format!(r#"{{"seq":0,"event":"host-key","key":"{public}"}}"#).into_bytes();
    let other = other.signed_anew();
    assert_eq!(verdict(&other.records, &[]), Verdict::Whole, "it agrees with itself");
    assert_eq!(verdict(&other.records, &carried), Verdict::Unproven);
    // With the key that was carried away, too, its own checkpoints are nobody's.
    let report = report(&other.records, vec![log.key.public()], &carried);
    assert_eq!((report.verdict, report.covered), (Verdict::Rewritten, 0), "{:?}", report.findings);
    assert_eq!(self::report(&log.records, vec![log.key.public()], &carried).verdict, Verdict::Whole);
}

#[test]
fn a_key_that_was_replaced_in_the_open_is_followed_unless_one_was_given() {
    let mut log = Log::of_fifty(1, "x");
    let first = log.key.public();
    let before = log.signed();
    log.key = key(2);
    let public = log.key.public();
    log.push(&format!(r#""event":"host-key","key":"{public}","before":"{first}""#));
    log.checkpoint();
    let carried = [before, log.signed()];
    assert_eq!(verdict(&log.records, &carried), Verdict::Whole);
    let pinned = report(&log.records, vec![first.clone()], &carried[..1]);
    assert_eq!(pinned.verdict, Verdict::Rewritten, "{:?}", pinned.findings);
    assert!(pinned.findings.iter().any(|finding| finding.verdict == Verdict::Unproven && finding.from == 50));
    assert_eq!(report(&log.records, vec![first, public], &carried).verdict, Verdict::Whole);
}

#[test]
fn a_forged_or_foreign_checkpoint_accuses_nobody() {
    let log = Log::of_fifty(1, "x");
    let forged = Signed { checkpoint: Checkpoint { size: 999, ..log.signed().checkpoint }, ..log.signed() };
    let other_host = HostKey::from_seed("db-2/jitd".parse().unwrap(), &[1; 32]);
    let foreign = Signed::over(&Log::of_fifty(1, "z").tree(), &other_host);
    for (signed, said) in [(forged, "not as the host's key signed it"), (foreign, "another host's")] {
        let report = report(&log.records, Vec::new(), &[signed]);
        assert_eq!(report.verdict, Verdict::Unproven, "{:?}", report.findings);
        assert!(report.findings[0].what.contains(said), "{:?}", report.findings);
    }
}

#[test]
fn two_checkpoints_that_contradict_each_other_are_a_fork_whichever_the_log_is() {
    let (one, two) = (Log::of_fifty(1, "x"), Log::of_fifty(1, "y"));
    let carried = [one.signed(), two.signed()];
    for log in [one, two] {
        assert_eq!(verdict(&log.records, &carried), Verdict::Forked);
    }
}

#[test]
fn what_is_no_log_at_all_is_said_in_few_words() {
    let rubbish: Vec<_> = (0..10_000).map(|number: u32| number.to_string().into_bytes()).collect();
    let report = report(&rubbish, Vec::new(), &[]);
    assert_eq!((report.verdict, report.findings.len()), (Verdict::Rewritten, MOST));
}

#[test]
fn a_copy_of_the_same_log_agrees_and_one_with_another_record_is_a_fork() {
    let (log, other) = (Log::of_fifty(1, "a"), Log::of_fifty(1, "b"));
    let judged = |copy: &Log| {
        let mut verifier = Verifier::new(Vec::new());
        log.records.iter().for_each(|bytes| verifier.take(bytes));
        for (place, bytes) in (0..).zip(&copy.records) {
            verifier.again(place, bytes, "b.jsonl");
        }
        verifier.report()
    };
    assert_eq!(judged(&log).verdict, Verdict::Whole);
    let forked = judged(&other);
    assert_eq!((forked.verdict, forked.findings[0].from), (Verdict::Forked, 1));
    assert!(forked.findings[0].what.contains("record 1 is another in b.jsonl"), "{:?}", forked.findings[0]);
}
