//! The tables. Each change of schema is one step here, done in one transaction.

use rusqlite::{Connection, TransactionBehavior};

use super::error::StoreError;
use super::log;

/// The schema that this program reads and writes.
pub(crate) const VERSION: i64 = 10;

/// The first schema with a tree over the log.
const WITH_A_TREE: usize = 5;

/// From schema n to n + 1.
const STEPS: [&str; 10] = [
    include_str!("schema-1.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
    include_str!("schema-5.sql"),
    include_str!("schema-6.sql"),
    include_str!("schema-7.sql"),
    include_str!("schema-8.sql"),
    include_str!("schema-9.sql"),
    include_str!("schema-10.sql"),
];

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
        if done < WITH_A_TREE {
            // SQL cannot hash.
            log::take_in(&change)?;
        }
        change.pragma_update(None, "user_version", VERSION)?;
        change.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jit_core::model::Since;
    use jit_core::proof::merkle;

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
    fn who_is_here_already_is_taken_to_have_come_with_the_first_that_is_known_of_them() {
        let mut store = Connection::open_in_memory().unwrap();
        for step in &STEPS[..3] {
            store.execute_batch(step).unwrap();
        }
        let at = |boot: u32| {
            let boot_id = "11111111-1111-1111-1111-111111111111";
            format!(r#"{{"time":"2026-11-23T06:50:00Z","boot_ms":{boot},"boot_id":"{boot_id}"}}"#)
        };
        let session =
            |uid: u32, boot| format!(r#"{{"login":{{"user":"u{uid}","uid":{uid}}},"at":{}}}"#, at(boot));
        let ending = |uid: u32, boot| format!(r#"{{"user":"u{uid}","uid":{uid},"since":{}}}"#, at(boot));
        let grant =
            |uid: u32, boot| format!(r#"{{"user":"u{uid}","uid":{uid},"window":{{"start":{}}}}}"#, at(boot));
        let scheduled = r#"{"user":"u1004","uid":1004,"scheduled":{}}"#;
        store
            .execute_batch(&format!(
                "PRAGMA user_version = 3; PRAGMA foreign_keys = OFF;
                 INSERT INTO session VALUES (7, '{}'), (8, '{}'), (9, '{}');
                 INSERT INTO ending VALUES ('g-1', '{}'), ('g-2', '{}');
                 INSERT INTO grant_ VALUES ('g-3', 'r-3', '{}', 0, NULL, NULL), ('g-4', 'r-4', '{scheduled}', 0, NULL, NULL),
                     ('g-5', 'r-5', '{}', 0, 'then', 'expired');",
                session(1001, 70),
                session(1001, 80),
                session(0, 90),
                ending(1001, 10),
                ending(1002, 20),
                grant(1003, 30),
                grant(1005, 30)
            ))
            .unwrap();
        prepare(&mut store).unwrap();
        let bodies: Vec<String> = store
            .prepare("SELECT body FROM stay ORDER BY uid")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let read = |body: &String| serde_json::from_str::<jit_core::model::Stay>(body).unwrap();
        let found: Vec<_> =
            bodies.iter().map(read).map(|stay| (stay.user.to_string(), stay.since.boot)).collect();
        let expected = [("u1001", 70), ("u1002", 20), ("u1003", 30)];
        assert_eq!(found, expected.map(|(user, boot)| (user.to_owned(), boot)));
    }

    /// A store of an older schema with these records.
    fn with_log(schema: usize, records: &[&[u8]]) -> Connection {
        let store = Connection::open_in_memory().unwrap();
        for step in &STEPS[..schema] {
            store.execute_batch(step).unwrap();
        }
        store.pragma_update(None, "user_version", i64::try_from(schema).unwrap()).unwrap();
        for (seq, bytes) in (0_i64..).zip(records) {
            let leaf = merkle::leaf(bytes).0;
            store.execute("INSERT INTO audit VALUES (?1, ?2, ?3)", (seq, bytes, leaf.as_slice())).unwrap();
        }
        store
    }

    const LOG: [&[u8]; 5] = [
        b"zero",
        br#"{"seq":1,"time":"2026-11-23T06:50:00Z","boot_ms":1,"boot_id":"11111111-1111-1111-1111-111111111111","event":"shut","grant":"g-4k7m2qx9"}"#,
        b"two",
        br#"{"seq":3,"time":"2026-11-23T06:50:00Z","boot_ms":1,"boot_id":"11111111-1111-1111-1111-111111111111","event":"session-gone","session":2}"#,
        b"four",
    ];

    #[test]
    fn a_log_of_any_older_schema_gets_its_tree_and_says_where_its_stories_are() {
        for schema in 1..WITH_A_TREE {
            let mut store = with_log(schema, &LOG);
            prepare(&mut store).unwrap();
            let tree = log::tree(&store).unwrap();
            let leaves: Vec<_> = LOG.iter().map(|bytes| merkle::leaf(bytes)).collect();
            assert_eq!((tree.size(), tree.root()), (5, merkle::root(&leaves)), "schema {schema}");
            let about: Vec<(String, i64)> = store
                .prepare("SELECT id, seq FROM about ORDER BY id")
                .unwrap()
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            assert_eq!(about, [("r-4k7m2qx9".to_owned(), 1), ("s-2".to_owned(), 3)], "schema {schema}");
        }
    }

    #[test]
    fn a_damaged_log_is_not_migrated_and_the_record_is_named() {
        let mut damaged = with_log(4, &LOG);
        damaged
            .execute_batch("DROP TRIGGER audit_is_append_only; UPDATE audit SET bytes = x'00' WHERE seq = 2")
            .unwrap();
        let mut gap = with_log(4, &LOG);
        gap.execute_batch("DROP TRIGGER audit_is_kept; DELETE FROM audit WHERE seq = 2").unwrap();
        for store in [&mut damaged, &mut gap] {
            let why = prepare(store).unwrap_err().to_string();
            assert!(why.contains("record 2 is missing or is not the one that was hashed"), "{why}");
            let version: i64 = store.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
            assert_eq!(version, 4, "it is as it was");
        }
    }

    #[test]
    fn an_older_store_keeps_its_records_and_its_stories_and_has_no_archive() {
        let mut store = with_log(8, &LOG);
        store.execute_batch("INSERT INTO about VALUES ('r-4k7m2qx9', 1), ('s-2', 3)").unwrap();
        prepare(&mut store).unwrap();
        store.pragma_update(None, "foreign_keys", true).unwrap();
        let count = |query: &str| store.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM audit"), 5);
        assert_eq!(count("SELECT sum(seq) FROM about"), 4);
        assert_eq!(count("SELECT count(*) FROM archive"), 0);
        for attack in [
            "DELETE FROM audit WHERE seq = 1",
            "INSERT INTO archive VALUES (1, 2, '{}')",
            "INSERT INTO archive VALUES (0, 0, '{}')",
        ] {
            assert!(store.execute_batch(attack).is_err(), "{attack}");
        }
        // Where an archive has it, and with another leaf than its own.
        store.execute_batch("INSERT INTO archive VALUES (0, 2, '{}')").unwrap();
        store.execute_batch("INSERT INTO archived_leaf VALUES (1, zeroblob(32))").unwrap();
        assert!(store.execute_batch("DELETE FROM audit WHERE seq = 1").is_err());
        store.execute_batch("INSERT INTO archived_leaf SELECT seq, leaf FROM audit WHERE seq = 0").unwrap();
        store.execute_batch("DELETE FROM audit WHERE seq = 0").unwrap();
        for attack in ["DELETE FROM archived_leaf", "UPDATE archived_leaf SET seq = 7", "DELETE FROM archive"]
        {
            assert!(store.execute_batch(attack).is_err(), "{attack}");
        }
    }

    #[test]
    fn an_older_store_knows_what_it_took_since_its_first_record_or_since_it_was_last_elsewhere() {
        let at = |seq: u32, time: &str, rest: &str| {
            let boot = r#""boot_ms":1,"boot_id":"11111111-1111-1111-1111-111111111111""#;
            format!(r#"{{"seq":{seq},"time":"2026-11-2{time}Z",{boot},{rest}}}"#).into_bytes()
        };
        let first = at(0, "3T06:50:00", r#""event":"stopped""#);
        let then = at(1, "4T06:50:00", r#""event":"stopped""#);
        let moved = at(2, "5T06:50:00", r#""event":"elsewhere","how":"copied""#);
        let since = |records: &[&[u8]]| {
            let mut store = with_log(6, records);
            prepare(&mut store).unwrap();
            let mut rows = store.prepare("SELECT body FROM since").unwrap();
            let bodies = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
            let read = |body: Result<String, _>| serde_json::from_str::<Since>(&body.unwrap()).unwrap();
            bodies.map(read).map(|since| (since.at.to_seconds(), since.went_back)).collect::<Vec<_>>()
        };
        assert_eq!(since(&[]), []);
        assert_eq!(since(&[&first, &then]), [("2026-11-23T06:50:00Z".to_owned(), false)]);
        assert_eq!(since(&[&first, &moved, &then]), [("2026-11-25T06:50:00Z".to_owned(), true)]);
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
