//! Takes the records to the journal, to syslog and, where an admin has turned that on, to a site's own programs.
//!
//! A thread follows the store with a cursor for each log, so a log that is dead delays nothing and misses
//! nothing: what it did not take is sent when it is back.

mod journal;
mod notify;
mod syslog;
mod target;

use std::time::Duration;

use jit_core::audit::line::Line;
use jit_core::event::Record;
use nix::errno::Errno;
use rusqlite::Connection;

use crate::desk::Desk;
use crate::log;
use crate::store::writer::Queue;
use crate::store::{FileId, StoreError, StorePath, rows};
use target::{NotTaken, Sink, Wants};

/// The logs that are always on, as `status` names them.
const ALWAYS: [&str; 2] = [journal::NAME, syslog::NAME];

/// How many records each log has not taken. One that is off has no cursor and is not named.
pub(crate) fn unsent(store: &Connection, next: u64) -> Result<Vec<(String, u64)>, StoreError> {
    let mut unsent = Vec::new();
    for name in ALWAYS.into_iter().chain([notify::NAME]) {
        let cursor = rows::cursor(store, name)?.or(ALWAYS.contains(&name).then_some(0));
        unsent.extend(cursor.map(|taken| (name.to_owned(), next.saturating_sub(taken))));
    }
    Ok(unsent)
}

/// Records read at a time.
const STRIDE: u32 = 256;

/// How long to wait for a log that fails, and for a bell that does not ring: idle, jitd hardly wakes.
const AGAIN: Duration = Duration::from_secs(5);
const QUIET: Duration = Duration::from_mins(2);

/// How long records wait for others before they are sent. They are on disk; meanwhile the processors are for the login that
/// waits for its answer, and what many logins at once bring is read in one go.
const TOGETHER: Duration = Duration::from_millis(5);

/// Follows the store for as long as jitd runs.
pub(crate) fn follow(path: &StorePath, desk: &Desk, queue: &Queue) {
    let sinks: [Box<dyn Sink>; 3] = [
        Box::new(journal::Journal::default()),
        Box::new(syslog::Syslog::new(&desk.host.name)),
        Box::new(notify::Programs::default()),
    ];
    let mut followers = sinks.map(Follower::new);
    let mut reader = Reader::new(path);
    loop {
        let mut failing = false;
        match reader.store() {
            Ok(store) => {
                for follower in &mut followers {
                    failing |= follower.catch_up(store, queue).unwrap_or_else(|err| {
                        log::warning(format_args!("{}: {err}", follower.sink.name()));
                        true
                    });
                }
            }
            // Not there before the first start has made it.
            Err(_) => failing = true,
        }
        // SQLite shares what it knows of a store among all connections of a process, also that it could only be read: one that
        // stays open would keep the writer from a disk that has been mended.
        if failing || desk.trouble().is_some() {
            reader.close();
        }
        desk.news.wait(if failing { AGAIN } else { QUIET });
        std::thread::sleep(TOGETHER);
    }
}

/// The store, kept open for reading: opening it costs more than reading a record. It is opened again once another file
/// stands in its place, and after anything failed.
struct Reader<'a> {
    path: &'a StorePath,
    open: Option<(Connection, FileId)>,
}

impl<'a> Reader<'a> {
    fn new(path: &'a StorePath) -> Self {
        Self { path, open: None }
    }

    fn store(&mut self) -> Result<&Connection, StoreError> {
        let there = self.path.file_id();
        let open = match self.open.take() {
            Some((store, id)) if there == Some(id) => (store, id),
            _ => {
                let store = self.path.open_read_only()?;
                // If it was replaced just now, the next look sees another and opens that.
                (store, there.unwrap_or_default())
            }
        };
        Ok(&self.open.insert(open).0)
    }

    fn close(&mut self) {
        self.open = None;
    }
}

/// A log and how far it has come.
struct Follower {
    sink: Box<dyn Sink>,
    /// The first record that it has not taken; `None` before the store was first asked.
    next: Option<u64>,
    /// What the store says of that.
    noted: Option<u64>,
}

impl Follower {
    fn new(sink: Box<dyn Sink>) -> Self {
        Self { sink, next: None, noted: None }
    }

    /// Sends what the log has not taken. True if it is there and failed.
    fn catch_up(&mut self, store: &Connection, queue: &Queue) -> Result<bool, StoreError> {
        let name = self.sink.name();
        let wants = self.sink.wants();
        if self.next.is_none() {
            self.noted = rows::cursor(store, name)?;
        }
        if wants == Wants::Nothing {
            // It begins here when it is turned on, whatever it had taken when it was last on.
            self.next = Some(rows::next_seq(store)?);
            if self.noted.take().is_some() {
                queue.forget_cursor(name);
            }
            return Ok(false);
        }
        let mut next = match self.next.or(self.noted) {
            Some(next) => next,
            None if wants == Wants::New => rows::next_seq(store)?,
            None => 0,
        };
        let outcome = loop {
            let records = rows::records(store, next, STRIDE)?;
            if records.is_empty() {
                break Ok(());
            }
            let sent = records.into_iter().try_for_each(|(seq, bytes)| {
                match Record::decode(seq, &bytes) {
                    Ok(record) => match self.sink.send(&record, &Line::of(&record), &bytes) {
                        // It would be too long the next time too, and all behind it would wait for ever.
                        Err(NotTaken::Failing(err)) if is_too_long(&err) => {
                            log::error(format_args!(
                                "{name} does not take record {seq}, which is too long for it"
                            ));
                        }
                        taken => taken?,
                    },
                    // Kept in the store as it is; a newer jitd wrote it.
                    Err(err) => log::error(err),
                }
                next = seq + 1;
                Ok(())
            });
            if sent.is_err() {
                break sent;
            }
        };
        self.next = Some(next);
        if self.noted != self.next {
            queue.cursor(name, next);
            self.noted = self.next;
        }
        match outcome {
            Ok(()) | Err(NotTaken::Absent) => Ok(false),
            Err(NotTaken::Failing(err)) => {
                log::warning(format_args!("{name} does not take records, they wait: {err}"));
                Ok(true)
            }
        }
    }
}

fn is_too_long(err: &std::io::Error) -> bool {
    err.raw_os_error() == Some(Errno::EMSGSIZE as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    use jit_core::event::Event;
    use jit_core::model::Elsewhere;
    use jit_core::proof::merkle::Frontier;
    use jit_core::proof::note::HostKey;
    use jit_proto::words::HostName;

    use crate::clock::Clock;
    use crate::store::rows::Loaded;
    use crate::store::writer::{self, Batch, Keeper};

    /// A log that an admin turns on and off, and what it has taken.
    #[derive(Default)]
    struct Site {
        on: bool,
        failing: bool,
        too_long: Option<u64>,
        taken: Vec<u64>,
    }

    struct Optional(Arc<Mutex<Site>>);

    impl Sink for Optional {
        fn name(&self) -> &'static str {
            notify::NAME
        }

        fn wants(&self) -> Wants {
            if self.0.lock().unwrap().on { Wants::New } else { Wants::Nothing }
        }

        fn send(&mut self, record: &Record, _: &Line, _: &[u8]) -> Result<(), NotTaken> {
            let mut site = self.0.lock().unwrap();
            if site.failing {
                return Err(NotTaken::Failing(std::io::ErrorKind::WouldBlock.into()));
            }
            if site.too_long == Some(record.seq) {
                return Err(NotTaken::Failing(Errno::EMSGSIZE.into()));
            }
            site.taken.push(record.seq);
            Ok(())
        }
    }

    /// A store that keeps what it is given.
    struct Nobody(HostName);

    impl Keeper for Nobody {
        fn prepare(&self, _: Loaded, _: HostKey, _: Option<Elsewhere>) -> Result<Batch, String> {
            Ok(Batch::default())
        }
        fn host(&self) -> &HostName {
            &self.0
        }
        fn up(&self, _: &Frontier) {}
        fn down(&self, why: &StoreError) {
            panic!("{why}");
        }
        fn committed(&self, _: &Frontier) {}
    }

    struct Bed {
        path: StorePath,
        queue: Queue,
        writer: std::thread::JoinHandle<()>,
        written: u64,
        site: Arc<Mutex<Site>>,
        _dir: tempfile::TempDir,
    }

    impl Bed {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = StorePath::in_dir(dir.path());
            let (queue, inbox) = writer::queue();
            let writer = {
                let path = path.clone();
                std::thread::spawn(move || writer::run(&path, &inbox, &Nobody("bed".parse().unwrap())))
            };
            // The tables are there when the first batch is.
            zruntime::block_on(queue.commit(Batch::default()).durable()).unwrap();
            Self { path, queue, writer, written: 0, site: Arc::default(), _dir: dir }
        }

        fn write(&mut self, records: u64) {
            let at = Clock::of_this_boot().unwrap().sample(None).believed();
            for _ in 0..records {
                let record = Record { seq: self.written, at: at.clone(), actor: None, event: Event::Stopped };
                let batch = Batch { records: vec![record.encode().unwrap()], ..Batch::default() };
                zruntime::block_on(self.queue.commit(batch).durable()).unwrap();
                self.written += 1;
            }
        }

        fn follower(&self) -> Follower {
            Follower::new(Box::new(Optional(Arc::clone(&self.site))))
        }

        /// One round of the thread that follows; what it notes is on disk when this returns.
        fn round(&self, follower: &mut Follower) -> bool {
            let failing = follower.catch_up(&self.path.open_read_only().unwrap(), &self.queue).unwrap();
            zruntime::block_on(self.queue.commit(Batch::default()).durable()).unwrap();
            failing
        }

        fn turn(&self, on: bool) {
            self.site.lock().unwrap().on = on;
        }

        fn taken(&self) -> Vec<u64> {
            self.site.lock().unwrap().taken.clone()
        }

        fn unsent(&self) -> Option<u64> {
            let all = unsent(&self.path.open_read_only().unwrap(), self.written).unwrap();
            all.into_iter().find_map(|(name, count)| (name == notify::NAME).then_some(count))
        }

        fn stop(self) {
            self.queue.stop();
            self.writer.join().unwrap();
        }
    }

    #[test]
    fn a_log_that_is_turned_on_gets_what_happens_from_then_on() {
        let mut bed = Bed::new();
        let mut follower = bed.follower();
        bed.write(3);
        bed.round(&mut follower);
        assert_eq!((bed.taken(), bed.unsent()), (vec![], None));
        bed.turn(true);
        bed.write(2);
        bed.round(&mut follower);
        assert_eq!((bed.taken(), bed.unsent()), (vec![3, 4], Some(0)));
        bed.stop();
    }

    #[test]
    fn a_record_that_a_log_can_never_take_holds_up_none_behind_it() {
        let mut bed = Bed::new();
        bed.turn(true);
        let mut follower = bed.follower();
        bed.round(&mut follower);
        bed.site.lock().unwrap().too_long = Some(1);
        bed.write(3);
        assert!(!bed.round(&mut follower));
        assert_eq!((bed.taken(), bed.unsent()), (vec![0, 2], Some(0)));
        bed.stop();
    }

    #[test]
    fn how_far_a_log_has_come_is_kept_also_where_nothing_else_happens() {
        let mut bed = Bed::new();
        bed.turn(true);
        let mut follower = bed.follower();
        bed.round(&mut follower);
        bed.write(2);
        follower.catch_up(&bed.path.open_read_only().unwrap(), &bed.queue).unwrap();
        while bed.unsent() != Some(0) {
            std::thread::yield_now();
        }
        bed.stop();
    }

    #[test]
    fn how_far_a_log_has_come_is_kept_when_jitd_stops() {
        let mut bed = Bed::new();
        bed.turn(true);
        let mut follower = bed.follower();
        bed.round(&mut follower);
        bed.write(2);
        follower.catch_up(&bed.path.open_read_only().unwrap(), &bed.queue).unwrap();
        let (path, written) = (bed.path.clone(), bed.written);
        bed.queue.stop();
        bed.writer.join().unwrap();
        let all = unsent(&path.open_read_only().unwrap(), written).unwrap();
        assert!(all.contains(&(notify::NAME.to_owned(), 0)), "{all:?}");
    }

    #[test]
    fn a_store_that_stands_in_the_place_of_another_is_the_one_that_is_followed() {
        let (mut bed, mut other) = (Bed::new(), Bed::new());
        bed.write(1);
        other.write(3);
        let path = bed.path.clone();
        let mut reader = Reader::new(&path);
        assert_eq!(rows::next_seq(reader.store().unwrap()).unwrap(), 1);
        let opened = bed.path.opened();
        bed.write(1);
        assert_eq!(rows::next_seq(reader.store().unwrap()).unwrap(), 2);
        assert_eq!(bed.path.opened(), opened, "it stays open");
        let (dir, from) = (bed.path.dir().to_owned(), other.path.dir().to_owned());
        bed.queue.stop();
        bed.writer.join().unwrap();
        other.queue.stop();
        other.writer.join().unwrap();
        std::fs::rename(from.join("store.db"), dir.join("store.db")).unwrap();
        for left in ["store.db-wal", "store.db-shm"] {
            drop(std::fs::remove_file(dir.join(left)));
        }
        assert_eq!(rows::next_seq(reader.store().unwrap()).unwrap(), 3);
    }

    #[test]
    fn a_log_that_is_turned_off_is_owed_nothing_not_even_after_a_restart() {
        let mut bed = Bed::new();
        bed.turn(true);
        let mut follower = bed.follower();
        bed.round(&mut follower);
        bed.write(1);
        bed.round(&mut follower);
        bed.turn(false);
        bed.write(1);
        bed.round(&mut follower);
        assert_eq!(bed.unsent(), None);
        bed.write(1);
        bed.turn(true);
        let mut follower = bed.follower();
        bed.round(&mut follower);
        bed.write(1);
        bed.round(&mut follower);
        assert_eq!(bed.taken(), [0, 3]);
        bed.stop();
    }

    #[test]
    fn what_a_log_did_not_take_waits_for_it_over_a_restart() {
        let mut bed = Bed::new();
        bed.turn(true);
        let mut follower = bed.follower();
        bed.round(&mut follower);
        bed.site.lock().unwrap().failing = true;
        bed.write(2);
        assert!(bed.round(&mut follower), "it fails");
        assert_eq!((bed.taken(), bed.unsent()), (vec![], Some(2)));
        bed.site.lock().unwrap().failing = false;
        let mut follower = bed.follower();
        assert!(!bed.round(&mut follower));
        assert_eq!((bed.taken(), bed.unsent()), (vec![0, 1], Some(0)));
        bed.stop();
    }
}
