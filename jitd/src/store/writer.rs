//! The one thread that writes. It takes whatever has queued during the last fsync and commits it together
//! (group commit); answers that must be durable hold a [`Ticket`].
//!
//! There is no undo code. When a commit fails, its batch and all behind it fail, the desk goes down, and this
//! thread starts again from disk: open, checkpoint, load, one durable record. Until that works nothing is
//! allowed. A batch that the store does not take, with the disk well, fails no batch before it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use jit_core::audit::about::About;
use jit_core::audit::record::Encoded;
use jit_core::clock::Trust;
use jit_core::model::Elsewhere;
use jit_core::proof::merkle::Frontier;
use jit_core::proof::note::HostKey;
use jit_core::state::Row;
use jit_proto::words::HostName;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use zruntime::mpmc;

use super::error::StoreError;
use super::reached::Reached;
use super::{StorePath, log, rows};
use crate::clock::since_boot;
use crate::host_key;
use crate::machine::{Machine, Places};

/// Records and the rows they changed: all or nothing.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The records, in order.
    pub(crate) records: Vec<Encoded>,
    /// What they are about.
    pub(crate) about: Vec<(u64, About)>,
    /// The rows that the batch changes.
    pub(crate) rows: Vec<Row>,
    /// What is known of the clock, where that is to be kept.
    pub(crate) clock: Option<Trust>,
}

/// Waits until a batch is on disk.
#[must_use = "an allow leaves only after its record is durable"]
#[derive(Debug)]
pub(crate) struct Ticket(mpmc::Receiver<Kept>);

/// Proof that a batch is on disk: only a [`Ticket`] that was waited for makes one.
#[derive(Debug)]
pub(crate) struct OnDisk(());

/// What became of a batch; nothing is said of one that was never tried, or that the disk did not take.
type Kept = Result<(), Fault>;

/// The batch itself was at fault, and nothing of it was kept.
#[derive(Clone, Debug)]
struct Fault(String);

impl Ticket {
    /// Returns when the batch is durable, or with an error when it never will be.
    pub(crate) async fn durable(self) -> Result<OnDisk, StoreError> {
        match self.0.recv().await {
            Ok(Ok(())) => Ok(OnDisk(())),
            Ok(Err(Fault(what))) => Err(StoreError::Fault(what)),
            Err(_) => Err(StoreError::NotDurable),
        }
    }
}

enum Job {
    Commit {
        batch: Batch,
        done: mpmc::Sender<Kept>,
    },
    Cursor {
        sink: &'static str,
        next: u64,
    },
    ForgetCursor {
        sink: &'static str,
    },
    /// No other job came for a while: write the cursors.
    Settle,
    /// Read the store again, as at a start.
    StartAgain,
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

    /// Notes how far a log has taken the records; best effort. It goes to the disk with the next batch, or after
    /// [`CURSORS_WAIT`]: it would be a second sync for each login. A log gets again what a crash made jitd forget that it
    /// took; each record has its number.
    pub(crate) fn cursor(&self, sink: &'static str, next: u64) {
        drop(self.0.send(Job::Cursor { sink, next }));
    }

    /// Notes that a log is off and is owed nothing; best effort.
    pub(crate) fn forget_cursor(&self, sink: &'static str) {
        drop(self.0.send(Job::ForgetCursor { sink }));
    }

    /// Has the store read again, as at a start, after what is queued: meanwhile nothing is allowed.
    pub(crate) fn start_again(&self) {
        drop(self.0.send(Job::StartAgain));
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
    /// before anything is allowed. Where the store is not on the machine that it was written on, `moved` says how.
    fn prepare(&self, loaded: rows::Loaded, key: HostKey, moved: Option<Elsewhere>) -> Result<Batch, String>;
    /// This host, for the name of a key that is made.
    fn host(&self) -> &HostName;
    /// The first batch is on disk, and with it all that is in this tree: answer.
    fn up(&self, tree: &Frontier);
    /// The store failed: answer nothing but refusals until `up`.
    fn down(&self, why: &StoreError);
    /// More records are on disk: all that are in this tree.
    fn committed(&self, tree: &Frontier);
}

/// How many seconds to wait before trying a store that failed.
const RETRY: [u64; 4] = [0, 1, 2, 5];

/// The longest wait after a batch that the store did not take. Whoever causes such batches must not keep jitd from
/// answering, and jitd must not spin if it causes them itself.
const MOST_AFTER_FAULT: Duration = Duration::from_secs(1);

/// A store that worked for so long has not been failing.
const PROVEN: Duration = Duration::from_secs(60);

/// How long cursors wait before they go to the disk, with a batch if there is one then: each login would wait for one more
/// page.
const CURSORS_WAIT: Duration = Duration::from_secs(1);

/// The most jobs in one transaction: the first answer must not wait for an endless stream behind it.
const MOST: usize = 4096;

/// Runs the writer until it is told to stop.
pub(crate) fn run(path: &StorePath, inbox: &Inbox, keeper: &impl Keeper) {
    let (mut failures, mut faults) = (0, 0);
    let mut cursors = Cursors::default();
    loop {
        let began = since_boot();
        let outcome = begin(path, keeper)
            .map_err(Failed::from)
            .and_then(|begun| work(path, begun, &mut cursors, inbox, keeper));
        // A disk with room for no more than the first record fails again and again: only time proves a store good.
        if since_boot().saturating_sub(began) > PROVEN {
            (failures, faults) = (0, 0);
        }
        let Err(Failed { why, whose }) = outcome else { return };
        keeper.down(&why);
        // Whoever gave the order is answered when nobody decides any more by what it would have come to.
        if let (Some(ticket), StoreError::Fault(what)) = (whose, &why) {
            let _nobody_waits = ticket.try_send(Err(Fault(what.clone())));
        }
        // Whatever was queued before the desk went down fails with it; nothing is queued after.
        if fail_all(inbox, &mut cursors) {
            return;
        }
        std::thread::sleep(if matches!(why, StoreError::Fault(_)) {
            faults += 1;
            MOST_AFTER_FAULT.min(Duration::from_millis(1 << faults.min(10)))
        } else {
            failures += 1;
            Duration::from_secs(RETRY.get(failures - 1).or(RETRY.last()).copied().unwrap_or(1))
        });
    }
}

/// Why the writer has to start again from disk, and whose batch was at fault where one was.
struct Failed {
    why: StoreError,
    whose: Option<mpmc::Sender<Kept>>,
}

impl<E: Into<StoreError>> From<E> for Failed {
    fn from(why: E) -> Self {
        Self { why: why.into(), whose: None }
    }
}

/// The store, the tree over what is in it, and the note of how far that has come.
type Begun = (Connection, Frontier, Reached);

fn begin(path: &StorePath, keeper: &impl Keeper) -> Result<Begun, StoreError> {
    let mut store = path.open()?;
    let loaded = rows::load(&store)?;
    let mut tree = loaded.tree.clone();
    let machine = Machine::here(&Places::default());
    let mut reached = Reached::beside(path.dir());
    // The first record says how much room there is.
    path.gauge().look_inside(&store)?;
    let moved = machine.moved(path.dir()).or_else(|| went_back(&reached, &tree));
    let key = host_key::take(path.dir(), keeper.host(), loaded.host_key.as_ref(), moved)?;
    let first =
        keeper.prepare(loaded, key, moved).map_err(|what| StoreError::Damaged { table: "state", what })?;
    let change = store.transaction_with_behavior(TransactionBehavior::Immediate)?;
    write(&change, &mut tree, &first)?;
    log::write_tree(&change, &tree)?;
    path.commit(change)?;
    reached.note(tree.size());
    host_key::settle(path.dir());
    machine.settle(path.dir());
    keeper.up(&tree);
    path.keep_room(&mut store)?;
    Ok((store, tree, reached))
}

/// A store that has less than was on disk is one that went back in time, and so may be one that came without the note:
/// nothing that it has open stays open.
fn went_back(reached: &Reached, tree: &Frontier) -> Option<Elsewhere> {
    let records = tree.size();
    match reached.noted() {
        Some(noted) if noted <= records => return None,
        None if records == 0 => return None,
        Some(noted) => crate::log::error(format_args!(
            "the log has {records} records and had {noted}: the end of store.db was lost, or an older one was put in its \
             place; every window ends. See THE STORE in jitd(8)"
        )),
        None => crate::log::error(format_args!(
            "store.db has {records} records and comes without what stands beside it, as from a backup: it is not known what \
             was revoked since, and every window ends. See THE STORE in jitd(8)"
        )),
    }
    Some(Elsewhere::WentBack)
}

/// Drops every queued batch, which fails its ticket; how far logs have come is kept. True if a stop was among them.
fn fail_all(inbox: &Inbox, cursors: &mut Cursors) -> bool {
    let mut stop = false;
    while let Ok(job) = inbox.0.try_recv() {
        match job {
            Job::Cursor { sink, next } => cursors.note(sink, Some(next)),
            Job::ForgetCursor { sink } => cursors.note(sink, None),
            Job::Stop => stop = true,
            Job::Commit { .. } | Job::Settle | Job::StartAgain => {}
        }
    }
    stop
}

/// How far the logs have come, where the store does not say so yet; `None` of one that is owed nothing.
#[derive(Default)]
struct Cursors {
    all: BTreeMap<&'static str, Option<u64>>,
    /// Since when the first of them waits, by the boot clock.
    since: Option<Duration>,
}

impl Cursors {
    fn note(&mut self, sink: &'static str, next: Option<u64>) {
        self.since.get_or_insert_with(since_boot);
        self.all.insert(sink, next);
    }

    /// How long these still wait; `None` where there are none.
    fn left(&self) -> Option<Duration> {
        Some(CURSORS_WAIT.saturating_sub(since_boot().saturating_sub(self.since?)))
    }

    /// The next job, or that it is time to write these. `None` when nobody is left to send any.
    fn next_job(&self, inbox: &Inbox) -> Option<Job> {
        let Some(left) = self.left() else { return inbox.0.recv().ok() };
        match inbox.0.recv_timeout(left) {
            Ok(job) => Some(job),
            Err(RecvTimeoutError::Timeout) => Some(Job::Settle),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Those that are written are kept until they are on the disk.
    fn write(&self, change: &Connection) -> Result<(), StoreError> {
        for (sink, next) in &self.all {
            match next {
                Some(next) => rows::write_cursor(change, sink, *next)?,
                None => rows::forget_cursor(change, sink)?,
            }
        }
        Ok(())
    }
}

fn work(
    path: &StorePath,
    (mut store, mut tree, mut reached): Begun,
    cursors: &mut Cursors,
    inbox: &Inbox,
    keeper: &impl Keeper,
) -> Result<(), Failed> {
    while let Some(first) = cursors.next_job(inbox) {
        let mut jobs = match first {
            Job::Cursor { sink, next } => {
                cursors.note(sink, Some(next));
                continue;
            }
            Job::ForgetCursor { sink } => {
                cursors.note(sink, None);
                continue;
            }
            Job::Commit { .. } | Job::Settle | Job::StartAgain | Job::Stop => Some(first),
        };
        let mut done = Vec::new();
        let (mut stop, mut again, mut settle) = (false, false, false);
        let before = tree.size();
        let mut fault = None;
        let mut change = store.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut room = MOST;
        while let Some(job) = jobs.take().or_else(|| inbox.0.try_recv().ok()) {
            room -= 1;
            match job {
                Job::Commit { batch, done: ticket } => match write_whole(&mut change, &mut tree, &batch) {
                    Ok(()) => done.push(ticket),
                    Err(why @ StoreError::Fault(_)) => fault = Some(Failed { why, whose: Some(ticket) }),
                    Err(why) => return Err(why.into()),
                },
                Job::Cursor { sink, next } => cursors.note(sink, Some(next)),
                Job::ForgetCursor { sink } => cursors.note(sink, None),
                Job::Settle => settle = true,
                Job::StartAgain => again = true,
                Job::Stop => stop = true,
            }
            // What is behind a batch at fault was decided by what that would have come to.
            if stop || again || room == 0 || fault.is_some() {
                break;
            }
        }
        // No login waits for a transaction without a record.
        settle |= stop || again || tree.size() == before || cursors.left() == Some(Duration::ZERO);
        if settle {
            cursors.write(&change)?;
        }
        if tree.size() > before {
            log::write_tree(&change, &tree)?;
        }
        path.commit(change)?;
        for ticket in done {
            let _nobody_waits_for_a_denys_record = ticket.try_send(Ok(()));
        }
        if tree.size() > before {
            keeper.committed(&tree);
            reached.note(tree.size());
            path.gauge().refill(&mut store);
        }
        if settle {
            *cursors = Cursors::default();
        }
        if let Some(failed) = fault {
            return Err(failed);
        }
        if stop {
            path.gauge().leave(&store)?;
            break;
        }
        if again {
            return Err(StoreError::Elsewhere.into());
        }
    }
    Ok(())
}

/// Writes a batch whole or not at all.
fn write_whole(change: &mut Transaction<'_>, tree: &mut Frontier, batch: &Batch) -> Result<(), StoreError> {
    let part = change.savepoint()?;
    let mut with_it = tree.clone();
    write(&part, &mut with_it, batch).map_err(StoreError::of_batch)?;
    part.commit()?;
    *tree = with_it;
    Ok(())
}

fn write(change: &Connection, tree: &mut Frontier, batch: &Batch) -> Result<(), StoreError> {
    for record in &batch.records {
        log::write_record(change, tree, record)?;
    }
    for (seq, about) in &batch.about {
        log::write_about(change, *seq, *about)?;
    }
    for row in &batch.rows {
        rows::write_row(change, row)?;
    }
    if let Some(clock) = &batch.clock {
        rows::write_clock(change, clock)?;
    }
    Ok(())
}
