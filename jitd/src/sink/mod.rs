//! Takes the records to the journal and to syslog.
//!
//! A thread follows the store with a cursor for each log, so a log that is dead delays nothing and misses
//! nothing: what it did not take is sent when it is back.

mod journal;
mod syslog;

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use jit_core::audit::line::Line;
use jit_core::event::Record;
use rusqlite::Connection;

use crate::desk::Desk;
use crate::log;
use crate::store::writer::Queue;
use crate::store::{StoreError, StorePath, rows};

/// Rings when there is something to send.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    waiting: Condvar,
}

impl Bell {
    /// Rings.
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.waiting.notify_all();
    }

    /// Waits until it rings, or for so long.
    fn wait(&self, limit: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) = self
            .waiting
            .wait_timeout_while(rung, limit, |rung| !*rung)
            .unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

/// Why a log did not take a record.
#[derive(Debug)]
enum NotTaken {
    /// There is no such log on this machine now. Nothing to report; looked for again at the next record.
    Absent,
    /// It is there and does not take it. Tried again soon.
    Failing(std::io::Error),
}

/// A log.
trait Sink {
    /// The name of its cursor.
    fn name(&self) -> &'static str;
    /// Sends one record; returns when the log has it.
    fn send(&mut self, record: &Record, line: &Line) -> Result<(), NotTaken>;
}

/// The names of the logs, as `status` shows them.
pub(crate) const NAMES: [&str; 2] = [journal::NAME, syslog::NAME];

/// Records read at a time.
const STRIDE: u32 = 256;

/// How long to wait for a log that fails, and for a bell that does not ring: idle, jitd hardly wakes.
const AGAIN: Duration = Duration::from_secs(5);
const QUIET: Duration = Duration::from_mins(2);

/// Follows the store for as long as jitd runs.
pub(crate) fn follow(path: &StorePath, desk: &Desk, queue: &Queue) {
    let mut sinks: [Box<dyn Sink>; 2] =
        [Box::new(journal::Journal::default()), Box::new(syslog::Syslog::new(&desk.host.name))];
    let mut cursors: [Option<u64>; 2] = [None, None];
    loop {
        let mut failing = false;
        match path.open_read_only() {
            Ok(store) => {
                for (sink, cursor) in sinks.iter_mut().zip(&mut cursors) {
                    failing |= catch_up(&store, sink.as_mut(), cursor, queue).unwrap_or_else(|err| {
                        log::warning(format_args!("{}: {err}", sink.name()));
                        true
                    });
                }
            }
            // Not there before the first start has made it.
            Err(_) => failing = true,
        }
        desk.news.wait(if failing { AGAIN } else { QUIET });
    }
}

/// Sends what the log has not taken. True if it is there and failed.
fn catch_up(
    store: &Connection,
    sink: &mut dyn Sink,
    cursor: &mut Option<u64>,
    queue: &Queue,
) -> Result<bool, StoreError> {
    let mut next = match *cursor {
        Some(next) => next,
        None => rows::cursor(store, sink.name())?,
    };
    let first = next;
    let outcome = loop {
        let records = rows::records(store, next, STRIDE)?;
        if records.is_empty() {
            break Ok(());
        }
        let sent = records.into_iter().try_for_each(|(seq, bytes)| {
            match Record::decode(seq, &bytes) {
                Ok(record) => sink.send(&record, &Line::of(&record))?,
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
    *cursor = Some(next);
    if next != first {
        queue.cursor(sink.name(), next);
    }
    match outcome {
        Ok(()) | Err(NotTaken::Absent) => Ok(false),
        Err(NotTaken::Failing(err)) => {
            log::warning(format_args!("{} does not take records, they wait: {err}", sink.name()));
            Ok(true)
        }
    }
}
