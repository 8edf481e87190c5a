//! Archives: which there are, and the move into one. The bodies of records leave the store; their hashes, and what
//! lives still needs, stay.

use jit_core::model::Archived;
use jit_proto::audit::ARCHIVE_RECORDS;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::StoreError;
use super::value::{damaged, to_i64, to_u64};

/// The records that stay all the same, of those before an end: what tells of what lives, and what jitd itself looks up.
const STAY: &str = "
    SELECT max(seq) AS seq FROM about WHERE id = 'pam-files' UNION
    SELECT max(seq) FROM about WHERE id = 'carried' UNION
    SELECT id FROM session UNION
    SELECT id FROM claim UNION
    SELECT about.seq FROM about JOIN session ON about.id = 's-' || session.id UNION
    SELECT about.seq FROM about JOIN request ON about.id = request.id
        LEFT JOIN grant_ ON grant_.request = request.id
        LEFT JOIN ending ON ending.grant_ = grant_.id
        WHERE request.state IN ('pending', 'owed') OR (grant_.id IS NOT NULL AND grant_.ended IS NULL)
            OR ending.grant_ IS NOT NULL";

/// The first record that is in the store with all behind it.
pub(crate) fn begins(store: &Connection) -> Result<u64, StoreError> {
    let mut select = store.prepare_cached("SELECT coalesce(max(end_), 0) FROM archive")?;
    Ok(select.query_row([], |row| row.get(0).map(to_u64))?)
}

/// The archives, in order.
pub(crate) fn archives(store: &Connection) -> Result<Vec<Archived>, StoreError> {
    let mut select = store.prepare_cached("SELECT body FROM archive ORDER BY first")?;
    let bodies = select.query_map([], |row| row.get::<_, String>(0))?;
    bodies.map(|body| read(&body?)).collect()
}

/// The archive that has a record, where one has.
pub(crate) fn archive_of(store: &Connection, seq: u64) -> Result<Option<Archived>, StoreError> {
    let body: Option<String> = store
        .prepare_cached("SELECT body FROM archive WHERE first <= ?1 AND ?1 < end_")?
        .query_row([to_i64(seq)], |row| row.get(0))
        .optional()?;
    body.map(|body| read(&body)).transpose()
}

fn read(body: &str) -> Result<Archived, StoreError> {
    serde_json::from_str(body).map_err(|err| damaged("archive", err.to_string()))
}

/// So many records leave at a time within their transaction: the pages that they leave take the hashes of those behind them. So a
/// move asks for no page that the file does not have, on a disk that is full.
const AT_A_TIME: usize = 256;

/// How many records can leave in one transaction whose log has so much room; none is where nobody has to ask. All that they
/// take in the file is written into the log once more: while a trigger may take a statement back, SQLite writes pages also that
/// hold nothing any more.
pub(crate) fn most(store: &Connection, room: Option<u64>) -> Result<u64, StoreError> {
    let Some(room) = room else { return Ok(ARCHIVE_RECORDS) };
    let mut select =
        store.prepare_cached("SELECT length(bytes) FROM audit WHERE seq >= ?1 ORDER BY seq LIMIT ?2")?;
    let mut lengths = select.query([to_i64(begins(store)?), to_i64(ARCHIVE_RECORDS)])?;
    let (mut left, mut count) = (room, 0);
    while let Some(row) = lengths.next()? {
        let Some(rest) = left.checked_sub(moved(to_u64(row.get(0)?))) else { break };
        (left, count) = (rest, count + 1);
    }
    Ok(count.max(1))
}

/// What a record of so many bytes takes in the log when it leaves, at most: its own, its hash, its part of the pages that hold
/// others, and of one that has pages to itself what is left of the last of them.
const fn moved(bytes: u64) -> u64 {
    let own_page = if bytes > 900 { 4096 } else { 0 };
    bytes + bytes / 8 + 128 + own_page
}

/// Moves records, in the transaction of the record that says so.
pub(super) fn write(change: &Connection, archived: &Archived) -> Result<(), StoreError> {
    let (first, end) = (to_i64(archived.first), to_i64(archived.end));
    let body = serde_json::to_string(archived).map_err(|err| damaged("archive", err.to_string()))?;
    change
        .prepare_cached("INSERT INTO archive (first, end_, body) VALUES (?1, ?2, ?3)")?
        .execute(params![first, end, body])?;
    // In memory: the store keeps its temporary tables there.
    change.execute_batch(&format!(
        "CREATE TEMP TABLE stay (seq INTEGER PRIMARY KEY);
         INSERT INTO temp.stay SELECT seq FROM ({STAY}) WHERE seq IS NOT NULL"
    ))?;
    let mut keep = change.prepare_cached(
        "INSERT INTO archived_leaf (seq, leaf) SELECT seq, leaf FROM audit WHERE seq >= ?1 AND seq < ?2",
    )?;
    let mut delete = change.prepare_cached(
        "DELETE FROM audit WHERE seq >= ?1 AND seq < ?2 AND seq NOT IN (SELECT seq FROM temp.stay)",
    )?;
    // What stayed of earlier archives, and need not stay any longer, goes as well: those have it.
    delete.execute([0, first])?;
    let mut moved = 0;
    for from in (archived.first..archived.end).step_by(AT_A_TIME) {
        let part = [to_i64(from), to_i64(archived.end.min(from.saturating_add(AT_A_TIME as u64)))];
        moved += keep.execute(part)?;
        delete.execute(part)?;
    }
    drop((keep, delete));
    if u64::try_from(moved).ok() != archived.end.checked_sub(archived.first) {
        return Err(damaged("audit", format!("{moved} records are there from {first} to {end}")));
    }
    change.execute_batch("DROP TABLE temp.stay")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jit_core::digest::Digest;
    use jit_core::proof::merkle;

    use super::*;
    use crate::store::StorePath;

    /// How many bytes each record has.
    const SIZE: u64 = 572;

    /// A store with so many records.
    fn store(dir: &Path, records: u64) -> Connection {
        let mut store = StorePath::in_dir(dir).open().unwrap();
        let change = store.transaction().unwrap();
        for seq in 0..records {
            let bytes = format!("{{\"seq\":{seq:05},\"is\":\"{}\"}}", "x".repeat(551));
            assert_eq!(bytes.len() as u64, SIZE);
            let row = (to_i64(seq), bytes.as_bytes(), merkle::leaf(bytes.as_bytes()).0);
            change.execute("INSERT INTO audit (seq, bytes, leaf) VALUES (?1, ?2, ?3)", row).unwrap();
        }
        change.commit().unwrap();
        store
    }

    /// Moves the records before an end.
    fn moves(store: &mut Connection, end: u64) {
        let archived = Archived {
            first: 0,
            end,
            root: Digest([7; 32]),
            file: "db-1.0.jsonl".parse().unwrap(),
            digest: Digest([8; 32]),
            retain: "1y".parse().unwrap(),
            by: serde_json::from_str("{\"name\":\"root\",\"uid\":0}").unwrap(),
            note: None,
        };
        let change = store.transaction().unwrap();
        write(&change, &archived).unwrap();
        change.commit().unwrap();
    }

    fn count(store: &Connection, table: &str) -> u64 {
        let select = format!("SELECT count(*) FROM {table}");
        store.query_row(&select, [], |row| row.get(0).map(to_u64)).unwrap()
    }

    /// Its log grows by the pages that change, and what is free in the file is what records leave.
    #[test]
    fn on_a_disk_that_is_full_records_move_into_the_room_that_they_leave() {
        const RECORDS: u64 = 20_000;
        let dir = tempfile::tempdir().unwrap();
        let mut store = store(dir.path(), RECORDS);
        store.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        let pages: i64 = store.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        // Ten pages are free, and no more can be had.
        store.query_row(&format!("PRAGMA max_page_count = {}", pages + 10), [], |_| Ok(())).unwrap();

        // As many go as the log has room for, and always one.
        let told = RECORDS * moved(SIZE);
        assert_eq!(most(&store, Some(told)).unwrap(), RECORDS);
        assert_eq!(most(&store, Some(told - 1)).unwrap(), RECORDS - 1);
        assert_eq!(most(&store, Some(0)).unwrap(), 1);
        assert_eq!(most(&store, None).unwrap(), ARCHIVE_RECORDS);

        moves(&mut store, RECORDS);
        assert_eq!((count(&store, "archived_leaf"), count(&store, "audit")), (RECORDS, 0));
        let log = std::fs::metadata(dir.path().join("store.db-wal")).unwrap().len();
        assert!(log <= told, "{log} bytes of log, and {told} were told");
        assert!(told < 2 * log, "{log} bytes of log, and {told} were told");
    }

    #[test]
    fn of_what_is_old_what_waits_is_owed_or_is_open_alone_keeps_its_records() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = store(dir.path(), 1_000);
        // What it is, the state of its request, and of its grant; each has one record, far from the others.
        let all = [
            ("open", "opened", "NULL"),
            ("over", "opened", "'2026-09-01T06:00:00Z'"),
            ("owed", "owed", "'2026-09-01T06:00:00Z'"),
            ("waits", "pending", ""),
            ("denied", "closed", ""),
        ];
        for (nr, (id, state, ended)) in all.iter().enumerate() {
            let mut rows = format!(
                "INSERT INTO request (id, filed, uid, user, body, bytes, state)
                     VALUES ('{id}', {nr}, 1001, 'maria', '', x'', '{state}');
                 INSERT INTO about (id, seq) VALUES ('{id}', {});",
                nr * 200
            );
            if !ended.is_empty() {
                rows += &format!(
                    "INSERT INTO grant_ (id, request, body, ended) VALUES ('of-{id}', '{id}', '', {ended});"
                );
            }
            store.execute_batch(&rows).unwrap();
        }
        moves(&mut store, 1_000);
        let kept: Vec<i64> = store
            .prepare("SELECT seq FROM audit ORDER BY seq")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(kept, [0, 400, 600], "open, owed, waits");
        assert_eq!(count(&store, "archived_leaf"), 1_000, "the archive has them as well");
    }
}
