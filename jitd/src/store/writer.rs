//! The one thread that writes. It takes whatever has queued during the last fsync and commits it together
//! (group commit); answers that must be durable hold a [`Ticket`].
//!
//! There is no undo code. When a commit fails, its batch and all behind it fail, the desk goes down, and this
//! thread starts again from disk: open, checkpoint, load, one durable record. Until that works nothing is
//! allowed.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use jit_core::audit::record::Encoded;
use jit_core::clock::trust::Trust;
use jit_core::state::Row;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use zruntime::mpmc;

use super::{StoreError, StorePath, rows};
use crate::clock::since_boot;

/// Records and the rows they changed: all or nothing.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The records, in order.
    pub(crate) records: Vec<Encoded>,
    /// The rows.
    pub(crate) rows: Vec<Row>,
    /// What is known of the clock, where that is to be kept.
    pub(crate) clock: Option<Trust>,
}

/// Waits until a batch is on disk.
#[must_use = "an allow leaves only after its record is durable"]
#[derive(Debug)]
pub(crate) struct Ticket(mpmc::Receiver<()>);

impl Ticket {
    /// Returns when the batch is durable, or with an error when it never will be.
    pub(crate) async fn durable(self) -> Result<(), StoreError> {
        self.0.recv().await.map_err(|_| StoreError::NotDurable)
    }
}

enum Job {
    Commit { batch: Batch, done: mpmc::Sender<()> },
    Cursor { sink: &'static str, next: u64 },
    ForgetCursor { sink: &'static str },
    Stop,
}

/// The way to the writer. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Queue(Sender<Job>);

impl Queue {
    /// Queues a batch. If the writer has stopped, the ticket says so.
    pub(crate) fn commit(&self, batch: Batch) -> Ticket {
        let (done, ticket) = mpmc::bounded(NonZeroUsize::MIN);
        // A writer that is gone drops `done`, which fails the ticket: nothing is lost silently.
        drop(self.0.send(Job::Commit { batch, done }));
        Ticket(ticket)
    }

    /// Notes how far a log has taken the records; best effort.
    pub(crate) fn cursor(&self, sink: &'static str, next: u64) {
        drop(self.0.send(Job::Cursor { sink, next }));
    }

    /// Notes that a log is off and is owed nothing; best effort.
    pub(crate) fn forget_cursor(&self, sink: &'static str) {
        drop(self.0.send(Job::ForgetCursor { sink }));
    }

    /// Stops the writer after what is queued.
    pub(crate) fn stop(&self) {
        drop(self.0.send(Job::Stop));
    }
}

/// A queue and the end that the writer takes from.
pub(crate) fn queue() -> (Queue, Inbox) {
    let (to, from) = channel();
    (Queue(to), Inbox(from))
}

/// The writer's end of the queue.
pub(crate) struct Inbox(Receiver<Job>);

/// What the writer needs of the desk.
pub(crate) trait Keeper {
    /// The store is open and loaded: take this state and answer again. Returns the batch that must be on disk
    /// before anything is allowed, and what to do when it is.
    fn prepare(&self, loaded: rows::Loaded) -> Result<Batch, String>;
    /// The first batch is on disk: answer.
    fn up(&self);
    /// The store failed: answer nothing but refusals until `up`.
    fn down(&self, why: &StoreError);
    /// New records are on disk: all before this number.
    fn committed(&self, next_seq: u64);
}

/// How many seconds to wait before trying a store that failed.
const RETRY: [u64; 4] = [0, 1, 2, 5];

/// A store that worked for so long has not been failing.
const PROVEN: Duration = Duration::from_secs(60);

/// The most jobs in one transaction: the first answer must not wait for an endless stream behind it.
const MOST: usize = 4096;

/// Runs the writer until it is told to stop.
pub(crate) fn run(path: &StorePath, inbox: &Inbox, keeper: &impl Keeper) {
    let mut failures = 0;
    loop {
        let began = since_boot();
        let outcome = begin(path, keeper).and_then(|mut store| work(&mut store, inbox, keeper));
        // A disk with room for no more than the first record fails again and again: only time proves a store good.
        if since_boot().saturating_sub(began) > PROVEN {
            failures = 0;
        }
        match outcome {
            Ok(()) => return,
            Err(err) => keeper.down(&err),
        }
        // Whatever was queued before the desk went down fails with it; nothing is queued after.
        if fail_all(inbox) {
            return;
        }
        let wait = RETRY.get(failures).or(RETRY.last()).copied().unwrap_or(1);
        failures += 1;
        std::thread::sleep(Duration::from_secs(wait));
    }
}

fn begin(path: &StorePath, keeper: &impl Keeper) -> Result<Connection, StoreError> {
    let mut store = path.open()?;
    let loaded = rows::load(&store)?;
    let next_seq = loaded.state.next_seq();
    let first = keeper.prepare(loaded).map_err(|what| StoreError::Damaged { table: "state", what })?;
    let change = store.transaction_with_behavior(TransactionBehavior::Immediate)?;
    write(&change, &first)?;
    change.commit()?;
    keeper.up();
    keeper.committed(after(&first).unwrap_or(next_seq));
    Ok(store)
}

/// Drops every queued job, which fails its ticket. True if a stop was among them.
fn fail_all(inbox: &Inbox) -> bool {
    let mut stop = false;
    while let Ok(job) = inbox.0.try_recv() {
        stop |= matches!(job, Job::Stop);
    }
    stop
}

fn work(store: &mut Connection, inbox: &Inbox, keeper: &impl Keeper) -> Result<(), StoreError> {
    while let Ok(first) = inbox.0.recv() {
        let mut done = Vec::new();
        let mut stop = false;
        let mut jobs = Some(first);
        let mut news = None;
        let change = store.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut room = MOST;
        while let Some(job) = jobs.take().or_else(|| inbox.0.try_recv().ok()) {
            room -= 1;
            match job {
                Job::Commit { batch, done: ticket } => {
                    write(&change, &batch)?;
                    news = after(&batch).or(news);
                    done.push(ticket);
                }
                Job::Cursor { sink, next } => rows::write_cursor(&change, sink, next)?,
                Job::ForgetCursor { sink } => rows::forget_cursor(&change, sink)?,
                Job::Stop => stop = true,
            }
            if stop || room == 0 {
                break;
            }
        }
        change.commit()?;
        for ticket in done {
            let _nobody_waits_for_a_denys_record = ticket.try_send(());
        }
        if let Some(next_seq) = news {
            keeper.committed(next_seq);
        }
        if stop {
            break;
        }
    }
    Ok(())
}

/// The number behind the last record of a batch.
fn after(batch: &Batch) -> Option<u64> {
    batch.records.last().map(|record| record.seq + 1)
}

fn write(change: &Transaction<'_>, batch: &Batch) -> Result<(), StoreError> {
    for record in &batch.records {
        rows::write_record(change, record)?;
    }
    for row in &batch.rows {
        rows::write_row(change, row)?;
    }
    if let Some(clock) = &batch.clock {
        rows::write_clock(change, clock)?;
    }
    Ok(())
}
