//! Old records leave the store by root's word, whole and once, and nothing that lives loses what tells of it.

use std::time::Duration;

use jit_core::event::Event;
use jit_core::proof::merkle::{leaf, root};
use jit_proto::audit::{AUDIT_INTERFACE, Archive, Archives, Page, Proof};
use jit_proto::error_name;
use jit_proto::words::RequestId;
use zbus::block_on;

use crate::store::{archive, log, rows};
use crate::testing::{Daemon, POLICY, records};

const DAY: Duration = Duration::from_hours(24);

/// The name that the tests' archives have, and a digest for it.
const FILE: &str = "db-1.0.jsonl";
const DIGEST: &str = "abababababababababababababababababababababababababababababababab";

/// jitd a month and a day after a window was opened, and the records of before that.
fn old() -> (Daemon, Vec<Vec<u8>>) {
    let daemon = Daemon::of(&format!("retain = \"30d\"\n{POLICY}"));
    daemon.grant(1).unwrap();
    let bytes = all(&daemon);
    daemon.clock.go_on(31 * DAY);
    daemon.desk().tick();
    block_on(daemon.desk().catch_up()).unwrap();
    (daemon, bytes)
}

fn all(daemon: &Daemon) -> Vec<Vec<u8>> {
    rows::records(&daemon.store(), 0, u32::MAX).unwrap().into_iter().map(|(_, bytes)| bytes).collect()
}

/// The root over the first so many of these.
fn root_of(bytes: &[Vec<u8>], end: usize) -> String {
    let leaves: Vec<_> = bytes.iter().take(end).map(|bytes| leaf(bytes)).collect();
    root(&leaves).to_string()
}

impl Daemon {
    fn archived(&self, uid: u32, end: usize, root: &str) -> (String, String) {
        self.asks(uid, AUDIT_INTERFACE, "Archive", &(end as u64, root, FILE, DIGEST, "CHG-3311"))
    }

    fn archives(&self) -> Archives {
        let (error, text) = self.asks(0, AUDIT_INTERFACE, "Archives", &());
        assert_eq!(error, "", "{text}");
        serde_json::from_str(&text).unwrap()
    }

    fn page(&self, member: &str, body: &(impl serde::Serialize + zbus::DynamicType + Sync)) -> Page {
        let (error, text) = self.asks(0, AUDIT_INTERFACE, member, body);
        assert_eq!(error, "", "{text}");
        serde_json::from_str(&text).unwrap()
    }
}

#[test]
fn old_records_leave_the_store_and_every_root_is_told_as_before() {
    let (daemon, bytes) = old();
    let end = bytes.len();
    let (error, text) = daemon.archived(0, end, &root_of(&bytes, end));
    assert_eq!(error, "", "{text}");
    let done: Archive = serde_json::from_str(&text).unwrap();
    assert_eq!((done.first, done.end), (0, end as u64));
    let known = daemon.archives();
    assert_eq!((known.begins, known.archives), (end as u64, vec![done]));
    let page = daemon.page("Records", &(0_u64, 0_u32));
    assert_eq!((page.begins, page.damaged.len()), (end as u64, 0));
    assert_eq!(page.next - page.records.len() as u64, end as u64, "the first that is given out");
    let said = records(&daemon.store()).into_iter().find_map(|record| match record.event {
        Event::RecordsArchived(archived) => Some((archived.end, archived.file.to_string(), archived.by)),
        _ => None,
    });
    let (at, file, by) = said.unwrap();
    assert_eq!((at, file.as_str(), by.name.as_str()), (end as u64, FILE, "root"));
    // From a size whose records are all gone, to one of now.
    let total = page.total;
    let (error, text) = daemon.asks(0, AUDIT_INTERFACE, "Proof", &(3_u64, total));
    assert_eq!(error, "", "{text}");
    let proof: Proof = serde_json::from_str(&text).unwrap();
    assert_eq!(proof.new.size, total);
    let old: Vec<_> = bytes.iter().take(3).map(|bytes| leaf(bytes)).collect();
    assert_eq!(proof.old.peaks, [root(&old[..2]).to_string(), root(&old[2..]).to_string()]);
    // And over a restart.
    let daemon = Daemon::start_in(daemon.stop());
    assert_eq!((daemon.desk().trouble(), daemon.archives().begins), (None, end as u64));
    block_on(daemon.desk().make_checkpoint().unwrap().unwrap().durable()).unwrap();
}

#[test]
fn what_lives_keeps_its_records_and_of_what_does_not_the_file_is_named() {
    let daemon = Daemon::of(&format!("retain = \"30d\"\n{POLICY}"));
    daemon.grant(1).unwrap();
    let asked = all(&daemon).len();
    daemon.clock.go_on(31 * DAY);
    daemon.desk().tick();
    // Asked for now, and open; the other is over, and its end was carried through.
    daemon.grant(2).unwrap();
    daemon.store().execute("DELETE FROM ending", []).unwrap();
    let before = all(&daemon);
    let (error, text) = daemon.archived(0, asked, &root_of(&before, asked));
    assert_eq!(error, "", "{text}");
    let gone = daemon.page("Story", &RequestId::from_bits(1).to_string());
    assert!(!gone.archived.is_empty() && gone.archived[0].file == FILE, "{gone:?}");
    assert!(
        gone.records.iter().any(|record| record.contains("\"ended\"")),
        "what came later is here: {gone:?}"
    );
    let open = daemon.page("Story", &RequestId::from_bits(2).to_string());
    assert_eq!((open.archived.len(), open.records.len()), (0, 3), "{open:?}");
    // A window that is older than the floor, and open, keeps its records though the archive has them.
    daemon.store().execute("UPDATE grant_ SET ended = NULL, why = NULL WHERE id = 'g-00000002'", []).unwrap();
    daemon.clock.go_on(31 * DAY);
    let end = before.len();
    let (error, text) = daemon.archived(0, end, &root_of(&before, end));
    assert_eq!(error, "", "{text}");
    let open = daemon.page("Story", &RequestId::from_bits(2).to_string());
    assert_eq!(open.archived.len(), 0, "{open:?}");
    assert!(log::records(&daemon.store(), 0, 1).unwrap()[0].0 >= end as u64, "stories alone have them");
}

#[test]
fn nothing_leaves_that_is_young_or_unsent_or_by_another_root_or_by_anybody_else() {
    let (daemon, bytes) = old();
    let end = bytes.len();
    let root = root_of(&bytes, end);
    let no = |(error, text): (String, String), name: &str, why: &str| {
        assert_eq!(error, name, "{text}");
        assert!(text.contains(why), "{text}");
        assert_eq!(daemon.archives().begins, 0);
        assert_eq!(all(&daemon)[..end], bytes[..]);
    };
    daemon.grant(2).unwrap();
    let total = all(&daemon).len();
    let everything = root_of(&all(&daemon), total - 1);
    no(daemon.archived(0, total - 1, &everything), error_name::REFUSED, "records stay 30d at least");
    no(daemon.archived(0, total + 1, &root), error_name::INVALID, "no records up to");
    no(daemon.archived(0, 0, &root), error_name::INVALID, "no records up to");
    no(daemon.archived(0, end, &root_of(&bytes, end - 1)), error_name::REFUSED, "would lose records");
    no(daemon.archived(1, end, &root), error_name::NOT_PERMITTED, "only root moves records");
    daemon.queue.cursor("syslog", 2);
    drop(block_on(daemon.queue.commit(crate::store::writer::Batch::default()).durable()));
    daemon.store().execute("INSERT OR REPLACE INTO sink VALUES ('syslog', 2)", []).unwrap();
    no(daemon.archived(0, end, &root), error_name::REFUSED, "from 2 on have not been taken by syslog");
    daemon.store().execute("UPDATE sink SET next = 1000", []).unwrap();
    // A clock that was set forward makes nothing old.
    daemon.clock.step(40 * 86_400);
    no(daemon.archived(0, end, &root), error_name::REFUSED, "clock");
    daemon.clock.step(-40 * 86_400);
}

#[test]
fn without_a_floor_in_the_policy_every_record_stays() {
    let daemon = Daemon::start();
    daemon.grant(1).unwrap();
    let bytes = all(&daemon);
    daemon.clock.go_on(4_000 * DAY);
    daemon.desk().tick();
    let (error, text) = daemon.archived(0, bytes.len(), &root_of(&bytes, bytes.len()));
    assert_eq!(error, error_name::REFUSED, "{text}");
    assert!(text.contains("keeps every record for ever"), "{text}");
    assert_eq!(daemon.archives().retain_seconds, None);
}

#[test]
fn a_move_that_the_store_does_not_finish_moves_nothing_and_is_not_on_record() {
    let (daemon, bytes) = old();
    let end = bytes.len();
    let root = root_of(&bytes, end);
    // In the middle of the move.
    daemon
        .store()
        .execute_batch(
            "CREATE TRIGGER fails BEFORE DELETE ON audit WHEN old.seq = 1 BEGIN SELECT raise(ABORT, 'pulled'); END",
        )
        .unwrap();
    let (error, text) = daemon.archived(0, end, &root);
    assert!(!error.is_empty() && text.contains("pulled"), "{error} {text}");
    daemon.until(|trouble| trouble.is_none());
    let said = |record: &jit_core::event::Record| matches!(record.event, Event::RecordsArchived(_));
    assert!(!records(&daemon.store()).iter().any(said));
    assert_eq!((archive::begins(&daemon.store()).unwrap(), &all(&daemon)[..end]), (0, &bytes[..]));
    let leaves: i64 =
        daemon.store().query_row("SELECT count(*) FROM archived_leaf", [], |row| row.get(0)).unwrap();
    assert_eq!(leaves, 0);
    daemon.store().execute_batch("DROP TRIGGER fails").unwrap();
    let (error, text) = daemon.archived(0, end, &root);
    assert_eq!(error, "", "{text}");
    assert_eq!(records(&daemon.store()).iter().filter(|record| said(record)).count(), 1);
    // A second time they are not there to go.
    assert_eq!(daemon.archived(0, end, &root).0, error_name::INVALID);
}
