//! Archives: which there are, and the move into one. The bodies of records leave the store; their hashes, and what
//! lives still needs, stay.

use jit_core::model::Archived;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::StoreError;
use super::value::{damaged, to_i64, to_u64};

/// The records that stay all the same, of those before an end: what tells of what lives, and what jitd itself looks up.
const STAY: &str = "
    SELECT max(seq) FROM about WHERE id = 'pam-files' UNION
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

/// Moves records, in the transaction of the record that says so.
pub(super) fn write(change: &Connection, archived: &Archived) -> Result<(), StoreError> {
    let (first, end) = (to_i64(archived.first), to_i64(archived.end));
    let body = serde_json::to_string(archived).map_err(|err| damaged("archive", err.to_string()))?;
    change
        .prepare_cached("INSERT INTO archive (first, end_, body) VALUES (?1, ?2, ?3)")?
        .execute(params![first, end, body])?;
    let moved = change
        .prepare_cached(
            "INSERT INTO archived_leaf (seq, leaf) SELECT seq, leaf FROM audit WHERE seq >= ?1 AND seq < ?2",
        )?
        .execute([first, end])?;
    if u64::try_from(moved).ok() != archived.end.checked_sub(archived.first) {
        return Err(damaged("audit", format!("{moved} records are there from {first} to {end}")));
    }
    let delete = format!(
        "WITH stay (seq) AS ({STAY})
         DELETE FROM audit WHERE seq < ?1 AND seq NOT IN (SELECT seq FROM stay WHERE seq IS NOT NULL)"
    );
    // What stayed of earlier archives, and need not stay any longer, goes as well: those have it.
    change.prepare_cached(&delete)?.execute([end])?;
    Ok(())
}
