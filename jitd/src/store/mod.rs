//! The grant store: one SQLite file in `/var/lib/jitd`, written by one thread, read by whoever must.
//!
//! Every batch writes audit records and the rows they changed in one transaction (law 7), so the tables are
//! a snapshot of the log at every instant, also after a `kill -9`.

pub(crate) mod archive;
mod error;
pub(crate) mod going;
pub(crate) mod log;
mod reached;
mod room;
pub(crate) mod rows;
pub(crate) mod schema;
mod value;
pub(crate) mod writer;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(test)]
use std::sync::atomic::{AtomicUsize, Ordering};
#[cfg(test)]
use std::sync::{Mutex, MutexGuard};

use jit_core::room::Stops;
use nix::sys::statvfs::{FsFlags, statvfs};
use rusqlite::{Connection, OpenFlags, Transaction};

pub(crate) use error::StoreError;
pub(crate) use room::Gauge;

/// Which file a path led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

/// Where the store is.
#[derive(Clone, Debug)]
pub(crate) struct StorePath {
    file: PathBuf,
    gauge: Arc<Gauge>,
    /// How often it was opened for reading.
    #[cfg(test)]
    opened: Arc<AtomicUsize>,
    #[cfg(test)]
    disk: Arc<Disk>,
}

/// A disk that is as slow as a test wants it.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct Disk {
    syncs: AtomicUsize,
    held: Mutex<()>,
}

#[cfg(test)]
impl Disk {
    /// How many commits it has been asked to sync.
    pub(crate) fn syncs(&self) -> usize {
        self.syncs.load(Ordering::SeqCst)
    }

    /// No sync ends before this goes.
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        self.held.lock().unwrap()
    }

    fn sync(&self) {
        self.syncs.fetch_add(1, Ordering::SeqCst);
        drop(self.hold());
    }
}

impl StorePath {
    /// The store in this folder.
    pub(crate) fn in_dir(dir: &Path) -> Self {
        Self {
            file: dir.join("store.db"),
            gauge: Arc::new(Gauge::of(dir)),
            #[cfg(test)]
            opened: Arc::default(),
            #[cfg(test)]
            disk: Arc::default(),
        }
    }

    /// What syncs the commits to this path, and to a clone of it.
    #[cfg(test)]
    pub(crate) fn disk(&self) -> Arc<Disk> {
        Arc::clone(&self.disk)
    }

    /// Commits a transaction: it is on disk when this returns.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "a test's disk is that of a path"))]
    pub(crate) fn commit(&self, change: Transaction<'_>) -> Result<(), StoreError> {
        #[cfg(test)]
        self.disk.sync();
        Ok(change.commit()?)
    }

    /// How often this path, or a clone of it, was opened for reading.
    #[cfg(test)]
    pub(crate) fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    /// The folder that it is in.
    pub(crate) fn dir(&self) -> &Path {
        self.file.parent().unwrap_or(&self.file)
    }

    /// What tells how much room there is for it.
    pub(crate) fn gauge(&self) -> &Arc<Gauge> {
        &self.gauge
    }

    /// What there is to say of the room that is left for it; nothing where there is enough.
    pub(crate) fn room(&self, stops: Stops) -> Option<String> {
        self.gauge.note(stops)
    }

    /// Keeps room in its files.
    fn keep_room(&self, store: &mut Connection) -> Result<(), StoreError> {
        self.gauge.keep(store, &self.file.with_file_name("store.db-wal"))
    }

    /// Which file is there.
    pub(crate) fn file_id(&self) -> Option<FileId> {
        let facts = std::fs::metadata(&self.file).ok()?;
        Some(FileId { device: facts.dev(), inode: facts.ino() })
    }

    /// Opens for writing, making or migrating the file as needed, and empties the write-ahead log.
    pub(crate) fn open(&self) -> Result<Connection, StoreError> {
        // SQLite would open the file all the same, and say something else at the first write.
        if let Some(dir) = self.file.parent()
            && statvfs(dir).is_ok_and(|facts| facts.flags().contains(FsFlags::ST_RDONLY))
        {
            return Err(StoreError::ReadOnly(dir.display().to_string()));
        }
        let mut store = Connection::open(&self.file)?;
        // FULL: a commit is on disk before it is answered. One writer, but readers may hold a lock briefly.
        store.pragma_update(None, "journal_mode", "WAL")?;
        store.pragma_update(None, "synchronous", "FULL")?;
        // What is sorted on the way needs no room on a disk that is full.
        store.pragma_update(None, "temp_store", "MEMORY")?;
        store.busy_timeout(std::time::Duration::from_secs(2))?;
        store.pragma_update(None, "foreign_keys", false)?;
        schema::prepare(&mut store)?;
        store.pragma_update(None, "foreign_keys", true)?;
        // What is written next begins it anew. It stays as long as it is: that is room which nobody else gets.
        store.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
        Ok(store)
    }

    /// Opens for reading only.
    pub(crate) fn open_read_only(&self) -> Result<Connection, StoreError> {
        #[cfg(test)]
        self.opened.fetch_add(1, Ordering::Relaxed);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Connection::open_with_flags(&self.file, flags)?;
        store.busy_timeout(std::time::Duration::from_secs(2))?;
        Ok(store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_on_disk_when_it_returns() {
        let dir = tempfile::tempdir().unwrap();
        let store = StorePath::in_dir(dir.path()).open().unwrap();
        let of = |name: &str| store.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        // 2 is FULL (sqlite.org/pragma.html): in WAL mode the log is synced at each commit, and not at checkpoints alone.
        assert_eq!(of("synchronous"), 2);
        assert_eq!(of("foreign_keys"), 1);
        assert_eq!(of("temp_store"), 2, "MEMORY");
        let mode: String = store.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
    }
}
