//! The tables. Each change of schema is one step here, done in one transaction.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// The schema that this program reads and writes.
pub(crate) const VERSION: i64 = 3;

/// From schema n to n + 1.
const STEPS: [&str; 3] =
    [include_str!("schema-1.sql"), include_str!("schema-2.sql"), include_str!("schema-3.sql")];

/// Makes or migrates the tables. A newer schema is refused untouched. Foreign keys must be off: a table that is made
/// anew is dropped in between, and SQLite would see its rows deleted (sqlite.org/lang_altertable.html).
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
    fn a_store_of_the_first_schema_is_migrated_with_all_that_is_in_it() {
        let mut store = Connection::open_in_memory().unwrap();
        store.execute_batch(STEPS[0]).unwrap();
        store
            .execute_batch(
                "PRAGMA user_version = 1; PRAGMA foreign_keys = OFF;
                 INSERT INTO request VALUES ('r-1', 1, 1001, 'maria', '{}', x'00', 'opened', NULL);
                 INSERT INTO request VALUES ('r-2', 2, 1001, 'maria', '{}', x'00', 'withdrawn', 'then');
                 INSERT INTO request VALUES ('r-3', 3, 1001, 'maria', '{}', x'00', 'pending', NULL);
                 INSERT INTO review VALUES ('r-1', 'then', '{}');
                 INSERT INTO grant_ VALUES ('g-1', 'r-1', '{}', 0, NULL, NULL);
                 INSERT INTO claim VALUES (7, 'g-1', '{}');",
            )
            .unwrap();
        prepare(&mut store).unwrap();
        store.pragma_update(None, "foreign_keys", true).unwrap();
        let rows: Vec<(String, String, Option<String>)> = store
            .prepare("SELECT id, state, how FROM request ORDER BY id")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let row = |id: &str, state: &str, how: Option<&str>| (id.into(), state.into(), how.map(Into::into));
        let withdrawn = Some("withdrawn");
        let expected =
            [row("r-1", "opened", None), row("r-2", "closed", withdrawn), row("r-3", "pending", None)];
        assert_eq!(rows, expected);
        let mut broken = store.prepare("PRAGMA foreign_key_check").unwrap();
        assert!(!broken.exists([]).unwrap(), "a row refers to nothing");
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
