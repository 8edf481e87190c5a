//! The log over a pipe, for whoever reads all of it: `jitctl audit verify`, reports, exports. By `Audit.Records` each page is
//! asked for by itself, over a connection of its own and as JSON within JSON; of a long log that is most of the work.
//!
//! Each pipe has a thread and a connection to the store of its own. No transaction is open while a page waits to be
//! read, so whoever reads slowly, or never, holds up neither the writer nor its log, and holds a place of their own share
//! until they are given up. Who gets none reads page by page, as before.

use std::io::{self, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use jit_proto::audit::PAGE_RECORDS;
use jit_proto::words::Uid;

use crate::log as journal;
use crate::share::{ByUid, Size};
use crate::store::{StoreError, StorePath, log};

/// Pipes that are open. Each holds a page, twice while it is made ready: some 4 MiB with what SQLite keeps of the file.
const OF_USERS: Size = Size { each: 1, all: 4, of_left: 1 };
const OF_ROOT: usize = 2;

/// How long nothing may be read of a pipe before it is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pipes that are open.
#[derive(Debug)]
pub(crate) struct Pipes {
    places: Arc<Mutex<ByUid>>,
    patience: Duration,
}

impl Default for Pipes {
    fn default() -> Self {
        Self { places: Arc::new(Mutex::new(ByUid::new(OF_USERS, OF_ROOT))), patience: PATIENCE }
    }
}

/// A place; given back when it is dropped.
#[derive(Debug)]
struct Place {
    places: Arc<Mutex<ByUid>>,
    uid: Uid,
}

impl Pipes {
    /// Begins to hand out the records from `first` to before `end`, as [`jit_proto::audit::pages`] has it. Nothing where this
    /// uid has its share.
    ///
    /// # Errors
    /// No socket or thread can be made.
    pub(crate) fn open(
        &self,
        uid: Uid,
        store: &StorePath,
        (first, end): (u64, u64),
    ) -> io::Result<Option<UnixStream>> {
        let Some(place) = self.enter(uid) else { return Ok(None) };
        let (mut ours, theirs) = UnixStream::pair()?;
        // Nothing comes back over it: no byte, and no descriptor that would be jitd's to hold.
        ours.shutdown(Shutdown::Read)?;
        ours.set_write_timeout(Some(self.patience))?;
        let store = store.clone();
        thread::Builder::new().name("log pipe".to_owned()).spawn(move || {
            if let Err(err) = hand_out(&store, (first, end), &mut ours) {
                journal::warning(format_args!("the log that uid {} reads broke off: {err}", place.uid));
            }
            // Before whoever reads sees the end, and may want another.
            drop(place);
        })?;
        Ok(Some(theirs))
    }

    fn enter(&self, uid: Uid) -> Option<Place> {
        inside(&self.places).take(uid).then(|| Place { places: Arc::clone(&self.places), uid })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        inside(&self.places).give_back(self.uid);
    }
}

fn inside(places: &Mutex<ByUid>) -> MutexGuard<'_, ByUid> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Page by page, each read whole before it is handed on, until whoever reads has all or has gone.
fn hand_out(store: &StorePath, (first, end): (u64, u64), pipe: &mut UnixStream) -> Result<(), StoreError> {
    let store = store.open_read_only()?;
    let mut next = first;
    loop {
        let page = log::page(&store, (next, end), PAGE_RECORDS)?;
        let is_last = page.records.is_empty();
        let frame = page.to_frame().ok_or_else(|| StoreError::Fault(format!("no page begins at {next}")))?;
        // Who has read enough leaves, and who reads nothing is given up: both know where they were.
        if pipe.write_all(&frame).is_err() || is_last {
            return Ok(());
        }
        next = page.next;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::time::Instant;

    use jit_proto::audit::Page;
    use jit_proto::audit::pages::Head;
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;

    /// A store with so many records, each of so many bytes.
    fn store(records: u64, bytes: usize) -> (TempDir, StorePath, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let path = StorePath::in_dir(dir.path());
        let mut store = path.open().unwrap();
        let change = store.transaction().unwrap();
        for seq in 0..records {
            let text = format!("{{\"seq\":{seq},\"is\":\"{}\"}}", "x".repeat(bytes));
            let leaf = jit_core::proof::merkle::leaf(text.as_bytes());
            let row = (i64::try_from(seq).unwrap(), text.as_bytes(), leaf.0.as_slice());
            change.execute("INSERT INTO audit (seq, bytes, leaf) VALUES (?1, ?2, ?3)", row).unwrap();
        }
        change.commit().unwrap();
        (dir, path, store)
    }

    fn uid(number: u32) -> Uid {
        Uid::try_from(number).unwrap()
    }

    fn next(pipe: &mut UnixStream) -> Option<Page> {
        let mut length = [0; 4];
        pipe.read_exact(&mut length).ok()?;
        let mut head = vec![0; u32::from_le_bytes(length) as usize];
        pipe.read_exact(&mut head).ok()?;
        let head = Head::parse(&head).unwrap();
        let mut body = vec![0; usize::try_from(head.body().unwrap()).unwrap()];
        pipe.read_exact(&mut body).ok()?;
        head.page(&body)
    }

    fn all(mut pipe: UnixStream) -> Vec<Page> {
        std::iter::from_fn(|| next(&mut pipe)).collect()
    }

    #[test]
    fn over_a_pipe_come_the_pages_that_are_asked_for_and_then_one_that_says_it_is_the_last() {
        let (_dir, path, store) = store(5_000, 600);
        let pipes = Pipes::default();
        for (first, end) in [(0, 5_000), (0, 4_097), (4_000, 4_001), (4_999, 5_000)] {
            let pages = all(pipes.open(uid(0), &path, (first, end)).unwrap().unwrap());
            let (last, pages) = pages.split_last().unwrap();
            assert!(last.records.is_empty() && last.next == end, "{last:?}");
            let mut at = first;
            for page in pages {
                assert_eq!(*page, log::page(&store, (at, end), PAGE_RECORDS).unwrap());
                at = page.next;
            }
            assert_eq!(at, end);
        }
        assert_eq!(all(pipes.open(uid(0), &path, (5_000, 5_000)).unwrap().unwrap()).len(), 1);
    }

    #[test]
    fn a_record_that_was_changed_is_named_and_a_store_that_is_gone_breaks_off() {
        let (dir, path, store) = store(7, 1);
        let other = "INSERT INTO audit (seq, bytes, leaf) VALUES (7, CAST('no JSON' AS BLOB), zeroblob(32))";
        store.execute(other, []).unwrap();
        let pages = all(Pipes::default().open(uid(0), &path, (0, 10)).unwrap().unwrap());
        assert_eq!(pages[0].damaged, [7]);
        drop(store);
        std::fs::remove_file(dir.path().join("store.db")).unwrap();
        assert_eq!(all(Pipes::default().open(uid(0), &path, (0, 10)).unwrap().unwrap()), []);
    }

    #[test]
    fn whoever_reads_nothing_holds_their_own_place_alone_and_no_transaction() {
        let (_dir, path, store) = store(20_000, 600);
        let pipes = Pipes::default();
        let open = |number: u32| pipes.open(uid(number), &path, (0, 20_000)).unwrap();
        let mut held = open(1001).unwrap();
        let first = next(&mut held).unwrap();
        assert!(open(1001).is_none(), "one each");
        let others: Vec<_> = (1002..1005).map(|number| open(number).unwrap()).collect();
        assert!(open(1005).is_none(), "and so many of all users");
        assert_eq!(all(open(0).unwrap()).iter().map(|page| page.records.len()).sum::<usize>(), 20_000);

        // The writer's log is taken over and begun anew, which nobody could while a transaction reads it.
        store.execute("INSERT INTO audit (seq, bytes, leaf) VALUES (20000, x'', zeroblob(32))", []).unwrap();
        let began = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let is_busy = || store.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], began).unwrap() != 0;
        store.busy_timeout(Duration::from_mins(1)).unwrap();
        assert!(!is_busy());

        drop(others);
        let rest = all(held);
        assert_eq!(first.records.len() + rest.iter().map(|page| page.records.len()).sum::<usize>(), 20_000);
        until_free(&pipes, 4);
    }

    /// Waits until so many places of users can be had at once.
    fn until_free(pipes: &Pipes, places: u32) {
        let began = Instant::now();
        while (0..places).map(|number| pipes.enter(uid(2000 + number))).collect::<Option<Vec<_>>>().is_none()
        {
            assert!(began.elapsed() < Duration::from_mins(1), "they never come back");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn whoever_reads_nothing_for_too_long_is_given_up_and_what_they_have_is_no_whole_log() {
        let (_dir, path, _store) = store(20_000, 600);
        let pipes = Pipes { patience: Duration::from_millis(20), ..Pipes::default() };
        let held = pipes.open(uid(1001), &path, (0, 20_000)).unwrap().unwrap();
        until_free(&pipes, 4);
        let pages = all(held);
        assert!(pages.iter().all(|page| !page.records.is_empty()), "none says that it is the last");
    }

    #[test]
    fn nothing_comes_back_over_a_pipe() {
        let (_dir, path, _store) = store(20_000, 600);
        let mut pipe = Pipes::default().open(uid(1001), &path, (0, 20_000)).unwrap().unwrap();
        let error = pipe.write_all(b"hello").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
