//! The room with its lock: who is let in, what is committed on the way out.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jit_core::check::tally::Tally;
use jit_core::clock::Trust;
use jit_core::context::Context;
use jit_core::event::Event;
use jit_core::model::Actor;
use jit_core::policy::{Host, Policy};
use jit_core::room::Watch;
use jit_core::state::State;
use jit_core::tickets::Register;
use jit_core::time::Moment;

use super::changes::Changes;
use super::in_force::InForce;
use super::on_trial::OnTrial;
use super::outage::{self, CannotDecide, Outage};
use super::tickets::Tickets;
use crate::bell::Bell;
use crate::clock::{Clock, since_boot};
use crate::log;
use crate::notary::Notary;
use crate::store::Gauge;
use crate::store::writer::{Queue, Ticket};

pub(super) struct Open {
    pub(super) state: State,
    /// The tickets that are known, as they were read last.
    pub(super) tickets: Arc<Register>,
    pub(super) policy: Option<InForce>,
    pub(super) tally: Tally,
    pub(super) trial: OnTrial,
    /// Whether there is room.
    pub(super) watch: Watch,
    /// Until then, by the boot clock in milliseconds, nothing becomes due.
    pub(super) quiet_until: u64,
    pub(super) clock: Trust,
    /// What is known of the clock has to be written with whatever is written next.
    pub(super) clock_changed: bool,
    /// Whether the kernel holds the wall clock to be synchronised, as it was last asked.
    pub(super) synced: Option<bool>,
    /// The policy in force is on disk once all before this number is.
    pub(super) policy_at: u64,
    /// Since when the disk takes first records and nothing behind them, by the boot clock.
    pub(super) failing_since: Option<Duration>,
}

pub(super) enum Room {
    /// The store cannot be used.
    Down(Outage),
    /// The store is loaded, the first record is on its way to the disk.
    Opening(Open),
    /// The store is open, and a policy may be in force.
    Open(Open),
}

/// The desk: the state behind its one lock.
pub(crate) struct Desk {
    pub(super) room: Mutex<Room>,
    pub(super) queue: Queue,
    pub(super) clock: Clock,
    /// The host that jitd runs on.
    pub(crate) host: Host,
    pub(super) policy_dir: PathBuf,
    /// The register of tickets.
    pub(super) tickets: Tickets,
    /// Rings when the next due moment may have changed.
    pub(crate) changed: zruntime::Event,
    /// Rings when the clock begins to be suspect.
    pub(crate) doubted: zruntime::Event,
    /// Rings when the store was opened, or could not be.
    pub(crate) settled: zruntime::Event,
    /// Rings when somebody has decided something.
    pub(crate) decided: zruntime::Event,
    /// How much room there is for records.
    pub(super) gauge: Arc<Gauge>,
    /// What signs the log.
    pub(crate) notary: Notary,
    /// Rings when records are on disk.
    pub(crate) news: Bell,
    /// The requests about which something has changed.
    pub(crate) changes: Changes,
    pub(super) loads: AtomicU64,
    /// Which thread has entered, each time.
    #[cfg(test)]
    pub(crate) entered: Mutex<Vec<std::thread::ThreadId>>,
}

impl Desk {
    /// A desk that waits for its store.
    pub(crate) fn new(
        queue: Queue,
        clock: Clock,
        host: Host,
        policy_dir: PathBuf,
        gauge: Arc<Gauge>,
    ) -> Self {
        Self {
            room: Mutex::new(Room::Down(Outage { why: STARTING.into(), since: Some(since_boot()) })),
            queue,
            clock,
            host,
            tickets: Tickets::beside(&policy_dir),
            policy_dir,
            changed: zruntime::Event::new(),
            doubted: zruntime::Event::new(),
            settled: zruntime::Event::new(),
            decided: zruntime::Event::new(),
            gauge,
            notary: Notary::default(),
            news: Bell::default(),
            changes: Changes::default(),
            loads: AtomicU64::new(0),
            #[cfg(test)]
            entered: Mutex::default(),
        }
    }

    /// Looks at what is true now.
    pub(crate) fn look<T>(&self, look: impl FnOnce(Context<'_>) -> T) -> Result<T, CannotDecide> {
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            Ok(look(self.here(&policy, open, now)))
        })
    }

    pub(super) fn here<'a>(&'a self, policy: &'a Policy, open: &'a Open, now: &'a Moment) -> Context<'a> {
        Context { policy, state: &open.state, host: &self.host, now, tickets: &open.tickets }
    }

    /// Records written and not yet taken by each log.
    pub(crate) fn next_seq(&self) -> Option<u64> {
        match &*self.enter() {
            Room::Open(open) => Some(open.state.next_seq()),
            Room::Down(_) | Room::Opening(_) => None,
        }
    }

    pub(super) fn enter(&self) -> MutexGuard<'_, Room> {
        #[cfg(test)]
        self.entered.lock().unwrap().push(std::thread::current().id());
        // A panic under the lock may have left a state half applied. What is on disk is whole: start from there.
        self.room.lock().unwrap_or_else(|_| {
            log::error("a decision panicked; jitd stops at once and starts again from its store");
            std::process::abort()
        })
    }

    pub(super) fn with_policy<T, E: From<CannotDecide>>(
        &self,
        act: impl FnOnce(&mut Open, &Moment) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut room = self.enter();
        match &mut *room {
            Room::Open(open) => {
                let now = self.sense(open);
                self.end_trial(open, &now)?;
                act(open, &now)
            }
            Room::Opening(open) => {
                Err(outage::answer(STARTING.into(), open.failing_since, self.up_for()).into())
            }
            Room::Down(outage) => Err(outage.answer(self.up_for()).into()),
        }
    }

    /// What nobody waits for.
    pub(super) fn commit_all(
        &self,
        open: &mut Open,
        now: &Moment,
        batches: Vec<(Option<Actor>, Vec<Event>)>,
    ) {
        for (actor, events) in batches {
            if !events.is_empty()
                && let Err(err) = self.commit(open, actor, now, events)
            {
                log::error(err);
            }
        }
    }

    /// Commits what is due, and what that makes due in turn, until nothing is. Nobody waits for it.
    pub(super) fn commit_until_quiet(
        &self,
        open: &mut Open,
        now: &Moment,
        due: impl Fn(&Open) -> Vec<Event>,
    ) -> Result<(), CannotDecide> {
        loop {
            let events = due(open);
            if events.is_empty() {
                return Ok(());
            }
            drop(self.commit(open, None, now, events)?);
        }
    }

    /// Applies events and queues their records and rows as one batch.
    pub(super) fn commit(
        &self,
        open: &mut Open,
        actor: Option<Actor>,
        now: &Moment,
        events: Vec<Event>,
    ) -> Result<Ticket, CannotDecide> {
        let changed: Vec<_> = events.iter().filter_map(Event::request).collect();
        // A login that takes no use changes nothing that time will bring about.
        let moves = events.iter().any(|event| {
            !matches!(event, Event::Allowed { claim: None, .. } | Event::SessionOpened { claim: None, .. })
        });
        let opens = events.iter().any(|event| matches!(event, Event::SessionOpened { .. }));
        let may_exempt = events.iter().any(Event::may_exempt);
        let decides = events.iter().any(Event::is_decision);
        if moves {
            open.quiet_until = 0;
        }
        let batch = open.apply(actor, now, events)?;
        self.changes.add(open.state.next_seq(), changed);
        if may_exempt {
            open.policy_at = open.state.next_seq();
        }
        let ticket = self.queue.commit(batch);
        if decides {
            self.notary.decided(open.state.next_seq());
            self.decided.notify(usize::MAX);
        }
        // But a session that opens is followed from now on.
        if moves || opens {
            self.changed.notify(usize::MAX);
        }
        Ok(ticket)
    }
}

pub(super) const STARTING: &str = "it is starting";

impl Open {
    pub(super) fn policy_in_force(&self) -> Result<&InForce, CannotDecide> {
        self.policy.as_ref().ok_or_else(|| {
            CannotDecide::Lasting(
                "there is no policy; put one into /etc/jit/policy.d and run: jitctl policy load".into(),
            )
        })
    }
}
