//! What the store has of the records that are to go into an archive.

use jit_core::digest::Digest;
use jit_core::orders::archive::Going;
use jit_core::proof::merkle;
use jit_core::time::Utc;
use jit_proto::audit::ARCHIVE_RECORDS;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;

use super::error::StoreError;
use super::value::{damaged, to_i64, to_u64};
use super::{archive, log};

/// What is looked at in a record that is to go.
#[derive(Deserialize)]
struct Timed {
    time: Utc,
}

/// What the store has of the records up to an end; none if there are not so many. Each is hashed anew: what is damaged
/// stays where that can be seen.
pub(crate) fn going(store: &Connection, end: u64) -> Result<Option<Going>, StoreError> {
    let (first, total) = (archive::begins(store)?, log::next_seq(store)?);
    if end <= first || end > total || end - first > ARCHIVE_RECORDS {
        return Ok(None);
    }
    let Some(before) = log::extension(store, first, first)? else { return Ok(None) };
    let mut tree = before.new;
    let mut newest = Utc::from_unix_millis(i64::MIN);
    let mut records = store
        .prepare_cached("SELECT seq, bytes, leaf FROM audit WHERE seq >= ?1 AND seq < ?2 ORDER BY seq")?;
    let mut rows = records.query(params![to_i64(first), to_i64(end)])?;
    while let Some(row) = rows.next()? {
        let (seq, bytes, leaf): (i64, Vec<u8>, [u8; 32]) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let hashed = merkle::leaf(&bytes);
        if to_u64(seq) != tree.size() || hashed != Digest(leaf) {
            let what = format!("record {} is missing or is not as it was written", tree.size());
            return Err(damaged("audit", what));
        }
        let timed: Timed = serde_json::from_slice(&bytes)
            .map_err(|err| damaged("audit", format!("record {seq} has no time ({err})")))?;
        newest = newest.max(timed.time);
        tree.append(hashed);
    }
    let unsent = store
        .prepare_cached("SELECT name, next FROM sink WHERE next < ?1 ORDER BY next LIMIT 1")?
        .query_row([to_i64(end)], |row| Ok((row.get(0)?, to_u64(row.get(1)?))))
        .optional()?;
    Ok(Some(Going { first, total, root: tree.root(), newest, unsent }))
}
