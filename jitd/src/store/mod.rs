//! The grant store: one SQLite file in `/var/lib/jitd`, written by one thread, read by whoever must.
//!
//! Every batch writes audit records and the rows they changed in one transaction (law 7), so the tables are
//! a snapshot of the log at every instant, also after a `kill -9`.

pub(crate) mod rows;
pub(crate) mod schema;
pub(crate) mod writer;

use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};
use rusqlite::{Connection, OpenFlags};

/// What can go wrong with the store. None of it ever becomes an `allow`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// SQLite said no: disk full, read-only, corrupt, locked.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file is from a newer jitd.
    #[error("schema {found} is newer than {known}, which this jitd knows; install the newer jitd again")]
    Newer {
        /// What the file says.
        found: i64,
        /// What this program knows.
        known: i64,
    },
    /// A row or record does not read back as what was written.
    #[error("{table} is damaged: {what}")]
    Damaged {
        /// Which table.
        table: &'static str,
        /// What is wrong.
        what: String,
    },
    /// The file system is mounted read-only: after an error, most often.
    #[error("the file system of {0} is mounted read-only")]
    ReadOnly(String),
    /// The file or folder cannot be used.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The writer is gone or its batch failed; the reason is in the log.
    #[error("the change could not be made durable")]
    NotDurable,
}

/// Where the store is.
#[derive(Clone, Debug)]
pub(crate) struct StorePath(PathBuf);

impl StorePath {
    /// The store in this folder.
    pub(crate) fn in_dir(dir: &Path) -> Self {
        Self(dir.join("store.db"))
    }

    /// Opens for writing, making or migrating the file as needed, and empties the write-ahead log.
    pub(crate) fn open(&self) -> Result<Connection, StoreError> {
        // SQLite would open the file all the same, and say something else at the first write.
        if let Some(dir) = self.0.parent()
            && statvfs(dir).is_ok_and(|facts| facts.flags().contains(FsFlags::ST_RDONLY))
        {
            return Err(StoreError::ReadOnly(dir.display().to_string()));
        }
        let mut store = Connection::open(&self.0)?;
        // FULL: a commit is on disk before it is answered. One writer, but readers may hold a lock briefly.
        store.pragma_update(None, "journal_mode", "WAL")?;
        store.pragma_update(None, "synchronous", "FULL")?;
        store.busy_timeout(std::time::Duration::from_secs(2))?;
        store.pragma_update(None, "foreign_keys", false)?;
        schema::prepare(&mut store)?;
        store.pragma_update(None, "foreign_keys", true)?;
        store.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(store)
    }

    /// Opens for reading only.
    pub(crate) fn open_read_only(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Connection::open_with_flags(&self.0, flags)?;
        store.busy_timeout(std::time::Duration::from_secs(2))?;
        Ok(store)
    }
}
