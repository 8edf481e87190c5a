//! How much room there is for records, and the room that is kept for those of what ends.
//!
//! A disk that somebody fills is full within a second, and who fills it takes whatever is given back to it. So what is kept is
//! never given back: it is inside of the store's own files, where nobody else gets at it. Pages of `store.db` that hold
//! nothing are kept ahead of need, and its write-ahead log is as long from the start as it becomes.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
#[cfg(test)]
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use jit_core::duration::Human;
use jit_core::model::Space;
use jit_core::room::{STEADY, Stops};
use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::statvfs::statvfs;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

use super::error::StoreError;
use crate::log;

/// The most that is kept in `store.db`: the records of about a thousand accesses, and three quarters of it at any time that
/// there is room. Logins leave half of it to what ends ([`Space::is_spent`]).
const MOST_PAGES: u64 = 4 * 1024 * 1024;

/// The most that the write-ahead log is made long.
const MOST_LOG: u64 = 8 * 1024 * 1024;

/// After so many pages SQLite by itself copies its log into the file (sqlite.org/pragma.html#pragma_wal_autocheckpoint).
const MOST_FRAMES: u64 = 1000;

/// Where so much is left outside of the files, whatever moves at once has room.
const AMPLE: u64 = 256 * 1024 * 1024;

/// A page of SQLite's, and as good as one of its log's.
const PAGE: u64 = 4096;

/// What is left of a file system, as far as it tells.
#[derive(Debug)]
pub(crate) struct Gauge {
    dir: PathBuf,
    /// The bytes in `store.db` that hold nothing.
    inside: AtomicU64,
    /// What a test says instead.
    #[cfg(test)]
    said: Mutex<Option<Space>>,
}

/// What statvfs(3) says of a file system.
struct Blocks {
    /// How many bytes each has.
    bytes: u64,
    all: u64,
    /// Those that are free, for root.
    free: u64,
    /// Those of them that whoever is not root may use, too.
    for_others: u64,
}

impl Blocks {
    /// What is left, with so many free bytes inside of the store's file: with what root alone may use, since jitd may, and
    /// whoever is not root must not be able to stop approvals.
    fn space(&self, inside: u64) -> Space {
        let bytes = |blocks: u64| blocks.saturating_mul(self.bytes);
        let free = bytes(self.free.max(self.for_others));
        Space { free: free.saturating_add(inside), size: bytes(self.all) }
    }
}

impl Gauge {
    /// Of the file system of this folder.
    pub(super) fn of(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            inside: AtomicU64::new(0),
            #[cfg(test)]
            said: Mutex::new(None),
        }
    }

    /// What is left; nothing where that cannot be told.
    #[cfg(not(test))]
    pub(crate) fn space(&self) -> Option<Space> {
        self.measured()
    }

    #[cfg(test)]
    pub(crate) fn space(&self) -> Option<Space> {
        *self.said.lock().unwrap()
    }

    /// Has a test's disk be like this.
    #[cfg(test)]
    pub(crate) fn say(&self, space: Space) {
        *self.said.lock().unwrap() = Some(space);
    }

    fn measured(&self) -> Option<Space> {
        let facts = statvfs(&self.dir).ok()?;
        let blocks = Blocks {
            bytes: facts.fragment_size(),
            all: facts.blocks(),
            free: facts.blocks_free(),
            for_others: facts.blocks_available(),
        };
        Some(blocks.space(self.inside.load(Ordering::Relaxed)))
    }

    /// Whether the file system has what it takes to keep so much more: in the log first, and then in the file.
    fn can_take(space: Space, inside: u64) -> bool {
        space.free.saturating_sub(inside) > 3 * Self::pages(space)
    }

    /// How much a transaction can write into its log, half of which may hold what was written before; nothing where there is
    /// more than any needs.
    pub(crate) fn room_to_move(&self) -> Option<u64> {
        self.space().and_then(|space| Self::moves(space, self.inside.load(Ordering::Relaxed)))
    }

    fn moves(space: Space, inside: u64) -> Option<u64> {
        let outside = space.free.saturating_sub(inside);
        (outside < AMPLE).then(|| outside + Self::long(space) / 2)
    }

    /// What there is to say of it; nothing where there is enough.
    pub(super) fn note(&self, stops: Stops) -> Option<String> {
        let space = self.space()?;
        let (dir, free) = (self.dir.display(), space.free / 1024);
        if stops == Stops::Logins {
            return Some(format!(
                "THE DISK IS FULL: {dir} has {free} KiB left, which are kept for the records of revoking, of ends and of \
                 emergencies. No other window opens or lets anybody in until there have been {} KiB for {}; make room",
                space.again() / 1024,
                Human(STEADY)
            ));
        }
        if stops == Stops::New {
            return Some(format!(
                "THE DISK IS NEARLY FULL: {dir} has {free} KiB left, which are kept for the records of revoking, of ends and of \
                 emergencies. No other window opens until there have been {} KiB for {}, and below {} KiB none lets anybody in; make \
                 room",
                space.again() / 1024,
                Human(STEADY),
                space.for_ends() / 1024
            ));
        }
        space.is_little().then(|| {
            format!(
                "THE DISK IS NEARLY FULL: {dir} has {free} KiB left. Below {} KiB no window opens but in an emergency; make room",
                space.kept() / 1024
            )
        })
    }

    /// Keeps room in the store's files, as much as goes with the size of the disk, and best effort: without it, what ends is
    /// refused with everything else once the disk is full.
    pub(super) fn keep(&self, store: &mut Connection, wal: &Path) -> Result<(), StoreError> {
        // Its log would leave with the last connection, and somebody else would take its room.
        store.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        let Some(space) = self.measured() else { return Ok(()) };
        let long = Self::long(space);
        let frames = i64::try_from((long / PAGE / 2).clamp(1, MOST_FRAMES)).unwrap_or(1);
        store.pragma_update(None, "wal_autocheckpoint", frames)?;
        if let Err(err) = lengthen(wal, long) {
            log::warning(format_args!("no room is kept in {}: {err}", wal.display()));
        }
        self.refill(store);
        Ok(())
    }

    /// Sees to it that the store has pages that hold nothing; best effort. They are used before the file grows.
    pub(super) fn refill(&self, store: &mut Connection) {
        if let Err(err) = self.try_refill(store) {
            log::warning(format_args!("no room is kept in {}: {err}", self.dir.display()));
        }
    }

    fn try_refill(&self, store: &mut Connection) -> Result<(), StoreError> {
        let free = self.look_inside(store)?;
        let Some(space) = self.measured() else { return Ok(()) };
        let pages = Self::pages(space);
        if free >= pages / 4 * 3 || !Self::can_take(space, free) {
            return Ok(());
        }
        let change = store.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute_batch("CREATE TABLE spare (body BLOB)")?;
        change.execute("INSERT INTO spare VALUES (zeroblob(?1))", [i64::try_from(pages).unwrap_or(0)])?;
        change.execute_batch("DROP TABLE spare")?;
        change.commit()?;
        // Until then they are in the log, and the file has no room for them.
        store.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        self.look_inside(store)?;
        Ok(())
    }

    /// Learns how much in `store.db` holds nothing.
    pub(super) fn look_inside(&self, store: &Connection) -> Result<u64, StoreError> {
        let of = |name: &str| store.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let free = of("freelist_count")?.saturating_mul(of("page_size")?);
        let free = u64::try_from(free).unwrap_or(0);
        self.inside.store(free, Ordering::Relaxed);
        Ok(free)
    }

    /// Lets go of a store that jitd stops with, whose log then leaves: it is all in the one file. Not where there is no room
    /// to make another.
    pub(super) fn leave(&self, store: &Connection) -> Result<(), StoreError> {
        if !self.measured().is_some_and(|space| space.is_short(true)) {
            store.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
        }
        Ok(())
    }

    /// How much is kept in `store.db`.
    fn pages(space: Space) -> u64 {
        MOST_PAGES.min(space.kept() / 4)
    }

    /// How long its log is made.
    fn long(space: Space) -> u64 {
        MOST_LOG.min(space.kept() / 2)
    }
}

/// Makes the write-ahead log so long, if it is not. SQLite reads it up to the first frame that does not hold, and writes over
/// what is behind.
fn lengthen(wal: &Path, long: u64) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).open(wal)?;
    if file.metadata()?.len() < long {
        fallocate(&file, FallocateFlags::empty(), 0, i64::try_from(long).unwrap_or(0))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::store::StorePath;

    #[test]
    fn of_a_folder_that_is_not_there_nothing_is_said() {
        let gauge = Gauge::of(Path::new("/nonexistent"));
        assert_eq!((gauge.measured(), gauge.note(Stops::Nothing)), (None, None));
    }

    #[test]
    fn what_is_kept_for_root_counts_as_room_since_jitd_may_use_it() {
        // Whoever is not root has filled it, as ext4 lets them.
        let filled = Blocks { bytes: 4096, all: 1000, free: 50, for_others: 0 };
        assert_eq!(filled.space(8192), Space { free: 52 * 4096, size: 1000 * 4096 });
    }

    #[test]
    fn what_the_file_holds_free_counts_as_room_and_is_none_for_more_to_be_kept_in() {
        let dir = tempfile::tempdir().unwrap();
        let gauge = Gauge::of(dir.path());
        let before = gauge.measured().unwrap();
        let much = 1 << 50;
        gauge.inside.store(much, Ordering::Relaxed);
        let after = gauge.measured().unwrap();
        assert!(after.free >= much && after.size == before.size, "{before:?} {after:?}");

        // So much is free outside and so much inside; three times what is kept has to be outside.
        let disk = |outside: u64, inside: u64| Space { free: outside + inside, size: 1 << 40 };
        let kept = Gauge::pages(disk(0, 0));
        assert_eq!(kept, MOST_PAGES);
        for inside in [0, 1, kept, 9 * kept] {
            assert!(!Gauge::can_take(disk(3 * kept, inside), inside), "{inside}");
            assert!(Gauge::can_take(disk(3 * kept + 1, inside), inside), "{inside}");
            assert!(!Gauge::can_take(disk(0, inside), inside), "{inside}");
        }
        assert!(!Gauge::can_take(disk(0, 0), 1), "others took of it since it was looked at");
    }

    #[test]
    fn what_moves_on_a_disk_that_is_full_fits_into_the_log_that_is_kept() {
        let disk = |outside: u64, size: u64| Space { free: outside + MOST_PAGES, size };
        let moves = |space| Gauge::moves(space, MOST_PAGES);
        assert_eq!(moves(disk(0, 1 << 40)), Some(MOST_LOG / 2));
        assert_eq!(moves(disk(0, 64 << 20)), Some((64 << 20) / 40 / 2));
        assert_eq!(moves(disk(AMPLE - 1, 1 << 40)), Some(AMPLE - 1 + MOST_LOG / 2));
        assert_eq!(moves(disk(AMPLE, 1 << 40)), None, "nobody has to ask");
    }

    #[test]
    fn what_is_kept_on_a_small_disk_is_a_small_part_of_it_and_on_none_that_tells_nothing() {
        let of = |size: u64| Space { free: size, size };
        for (size, pages, long) in
            [(1 << 40, MOST_PAGES, MOST_LOG), (40 << 20, 512 << 10, 1 << 20), (0, 0, 0)]
        {
            assert_eq!((Gauge::pages(of(size)), Gauge::long(of(size))), (pages, long), "{size}");
        }
    }

    #[test]
    fn what_is_kept_is_on_disk_in_the_stores_own_files_and_is_used_before_they_grow() {
        let dir = tempfile::tempdir().unwrap();
        let path = StorePath::in_dir(dir.path());
        let mut store = path.open().unwrap();
        path.gauge().keep(&mut store, &dir.path().join("store.db-wal")).unwrap();
        let space = path.gauge().measured().unwrap();
        let on_disk = |name: &str| {
            let facts = std::fs::metadata(dir.path().join(name)).unwrap();
            assert!(facts.blocks() * 512 >= facts.len(), "{name} has holes");
            facts.len()
        };
        let (db, wal) = (on_disk("store.db"), on_disk("store.db-wal"));
        assert!(wal >= Gauge::long(space) && db >= Gauge::pages(space), "{db} {wal} {space:?}");
        assert!(path.gauge().look_inside(&store).unwrap() >= Gauge::pages(space));

        // More than half of it is written, one row at a time, and copied from the log into the file.
        store.execute_batch("CREATE TABLE rows (body BLOB)").unwrap();
        for _ in 0..Gauge::pages(space) / PAGE * 5 / 8 {
            store.execute("INSERT INTO rows VALUES (zeroblob(3000))", []).unwrap();
        }
        store.query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(())).unwrap();
        assert_eq!((on_disk("store.db"), on_disk("store.db-wal")), (db, wal), "neither grew");

        path.gauge().refill(&mut store);
        assert!(path.gauge().look_inside(&store).unwrap() >= Gauge::pages(space), "and it is kept anew");
    }

    #[test]
    fn a_store_that_is_left_is_in_one_file_and_one_that_is_killed_keeps_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = StorePath::in_dir(dir.path());
        let wal = dir.path().join("store.db-wal");
        let open = || {
            let mut store = path.open().unwrap();
            path.gauge().keep(&mut store, &wal).unwrap();
            store
        };
        drop(open());
        assert!(wal.exists());
        let store = open();
        path.gauge().leave(&store).unwrap();
        drop(store);
        assert!(!wal.exists());
    }
}
