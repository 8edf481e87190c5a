//! The tables. Each change of schema is one step here, done in one transaction.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// The schema that this program reads and writes.
pub(crate) const VERSION: i64 = 2;

/// From schema n to n + 1.
const STEPS: [&str; 2] = [include_str!("schema-1.sql"), include_str!("schema-2.sql")];

/// Makes or migrates the tables. A newer schema is refused untouched.
pub(crate) fn prepare(store: &mut Connection) -> Result<(), StoreError> {
    let found: i64 = store.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > VERSION {
        return Err(StoreError::Newer { found, known: VERSION });
    }
    let done = usize::try_from(found)
        .map_err(|_| StoreError::Damaged { table: "user_version", what: format!("it is {found}") })?;
    if done < STEPS.len() {
        let change = store.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        for step in STEPS.iter().skip(done) {
            change.execute_batch(step)?;
        }
        change.pragma_update(None, "user_version", VERSION)?;
        change.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_refused_and_left_alone() {
        let mut store = Connection::open_in_memory().unwrap();
        store.pragma_update(None, "user_version", VERSION + 1).unwrap();
        assert!(matches!(prepare(&mut store), Err(StoreError::Newer { .. })));
        let tables: i64 =
            store.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
        assert_eq!(tables, 0);
    }

    #[test]
    fn an_older_schema_is_migrated_and_keeps_its_rows() {
        let mut store = Connection::open_in_memory().unwrap();
        store.execute_batch(STEPS[0]).unwrap();
        store.pragma_update(None, "user_version", 1).unwrap();
        store.execute("INSERT INTO policy (digest, at, files) VALUES ('d', 't', '[]')", []).unwrap();
        prepare(&mut store).unwrap();
        let rows: i64 = store.query_row("SELECT count(*) FROM policy", [], |row| row.get(0)).unwrap();
        let tried: i64 = store.query_row("SELECT count(*) FROM tried", [], |row| row.get(0)).unwrap();
        let version: i64 = store.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!((rows, tried, version), (1, 0, VERSION));
    }

    #[test]
    fn preparing_twice_changes_nothing() {
        let mut store = Connection::open_in_memory().unwrap();
        prepare(&mut store).unwrap();
        prepare(&mut store).unwrap();
        let version: i64 = store.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(version, VERSION);
    }
}
