//! Numbers as SQLite counts, and values that do not read back.

use super::error::StoreError;

/// What does not read back as it was written.
pub(super) fn damaged(table: &'static str, what: String) -> StoreError {
    StoreError::Damaged { table, what }
}

/// SQLite counts in i64; a log that long cannot be written.
pub(super) fn to_i64(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

pub(super) fn to_u64(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}
