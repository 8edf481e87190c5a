//! The desk and its store: what a start makes of what is on disk, and what a failure leaves.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jit_core::check::tally::Tally;
use jit_core::clock::Trust;
use jit_core::event::Event;
use jit_core::model::{BackWhy, Elsewhere, PolicyWord};
use jit_core::orders::policy_change::may_be_found;
use jit_core::orders::resume::{AtHand, NotTheFiles, Resumed, elsewhere, resume};
use jit_core::policy::{Policy, SourceFile};
use jit_core::proof::merkle::Frontier;
use jit_core::proof::note::{HostKey, PublicKey};
use jit_core::room::Watch;
use jit_core::state::State;
use jit_proto::words::HostName;

use super::in_force::{BadFiles, InForce, ReadPolicy, loaded_event, not_approved, read_policy};
use super::on_trial::OnTrial;
use super::outage::{self, CannotDecide, Outage};
use super::room::{Desk, Open, Room, STARTING};
use crate::log;
use crate::peer::kernel_tells_loginuid;
use crate::store::StoreError;
use crate::store::rows::{Loaded, StoredPolicy};
use crate::store::writer::{Batch, Keeper, OnDisk, Ticket};

impl Desk {
    /// Waits until what was decided is on disk.
    pub(crate) async fn durable(&self, ticket: Ticket) -> Result<OnDisk, CannotDecide> {
        match ticket.durable().await {
            Ok(on_disk) => Ok(on_disk),
            Err(err @ StoreError::Fault(_)) => {
                Err(CannotDecide::Fault(format!("the store refused this order: {err}")))
            }
            Err(_) => {
                let since = self.enter().failing_since();
                Err(outage::answer("the record could not be written".into(), since, self.up_for()))
            }
        }
    }

    /// Why jitd cannot decide, if it cannot.
    pub(crate) fn trouble(&self) -> Option<String> {
        match &*self.enter() {
            Room::Down(outage) => Some(outage.why.clone()),
            Room::Opening(_) => Some(STARTING.into()),
            Room::Open(open) => open.policy_in_force().err().map(CannotDecide::why),
        }
    }

    /// How often the store has been loaded. What was found out or done by an older state may not be so by this one:
    /// what had not reached the disk never happened.
    pub(crate) fn loads(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }

    /// Takes the key that signs from now on. It is on record where it is not the one before.
    fn takes(&self, key: HostKey, before: Option<PublicKey>) -> Option<Event> {
        let public = key.public();
        self.notary.has(key);
        (before.as_ref() != Some(&public)).then_some(Event::HostKey { key: public, before })
    }

    /// The boot clock.
    pub(super) fn up_for(&self) -> Duration {
        Duration::from_millis(self.clock.sample(None).boot)
    }
}

impl Room {
    /// Since when the disk has not taken anything but a first record, if it does not.
    const fn failing_since(&self) -> Option<Duration> {
        match self {
            Self::Down(outage) => outage.since,
            Self::Opening(open) | Self::Open(open) => open.failing_since,
        }
    }
}

impl Keeper for Desk {
    fn prepare(&self, loaded: Loaded, key: HostKey, moved: Option<Elsewhere>) -> Result<Batch, String> {
        let read = read_policy(&self.policy_dir);
        let sample = self.clock.sample(None);
        let (clock, doubt) = Trust::resume(loaded.clock, &sample);
        let now = clock.moment(&sample);
        let mut events = vec![Event::Started {
            version: env!("CARGO_PKG_VERSION").into(),
            loginuid: kernel_tells_loginuid(),
        }];
        events.extend(doubt);
        events.extend(self.takes(key, loaded.host_key));
        if let Some(how) = moved {
            say_moved(how);
            events.extend(elsewhere(&loaded.state, how));
        }
        let mut watch = Watch::default();
        events.extend(self.gauge.space().and_then(|space| watch.see(&State::default(), space, &now)));
        // Whatever ended jitd during a trial ended the trial.
        let ran = jit_core::orders::trial::running(&loaded.state);
        let before = ran.zip(loaded.before).map(|(trial, before)| {
            log::warning("jitd ended while a policy was on trial: the one before it is in force again");
            events.push(Event::PolicyReverted {
                why: if trial.since.boot_id == now.boot_id { BackWhy::Restart } else { BackWhy::Reboot },
                tried: trial.digest,
                digest: trial.before,
                files: before.files.clone(),
            });
            (trial.digest, StoredPolicy { at: now.wall, ..before })
        });
        let (tried, stored) = match before {
            Some((tried, before)) => (Some(tried), Some(before)),
            None => (None, loaded.policy),
        };
        let stored = stored.map(|stored| {
            let files: Vec<_> = stored
                .files
                .into_iter()
                .map(|file| SourceFile { name: file.name, bytes: file.text.into_bytes() })
                .collect();
            (stored.at, Policy::parse(&files))
        });
        let stored = match stored {
            Some((at, Ok(known))) => Some((at, known.policy)),
            Some((_, Err(findings))) => {
                // This jitd reads policy more strictly than the one that accepted it.
                log::error(BadFiles::from(findings));
                None
            }
            None => None,
        };
        let at_hand = AtHand {
            files: read.as_ref().ok().map(|(policy, _)| policy.digest()),
            stored: stored.as_ref().map(|(_, known)| known.digest()),
            tried,
            read_again: self.loads() > 0,
            guarded: stored.as_ref().is_some_and(|(_, known)| may_be_found(known).is_err()),
        };
        let resumed = resume(&loaded.state, at_hand);
        say(resumed, &read);
        match &read {
            Ok((policy, _)) if resumed == Resumed::Files => {
                events.push(loaded_event(
                    policy,
                    stored.as_ref().map(|(_, known)| known),
                    None,
                    PolicyWord::default(),
                ));
            }
            Ok(_) if resumed == Resumed::Stored(NotTheFiles::NotApproved) => {
                let asked = stored.as_ref().and_then(|(_, known)| may_be_found(known).err());
                events.extend(asked.as_ref().map(not_approved));
            }
            Ok(_) => {}
            Err(bad) => events.push(bad.event()),
        }
        let policy = InForce::resumed(resumed, read, stored, now.wall);
        let mut open = Open {
            state: loaded.state,
            tickets: std::sync::Arc::default(),
            policy,
            tally: Tally::default(),
            trial: OnTrial::default(),
            watch,
            quiet_until: 0,
            clock,
            clock_changed: true,
            synced: None,
            policy_at: 0,
            // A store that takes the first record and nothing behind it still fails.
            failing_since: self.enter().failing_since().filter(|_| self.loads() > 0),
        };
        // What is due is looked for again as soon as the desk is open, and by every check before it is answered.
        let batch = open.apply(None, &now, events).map_err(|err| err.to_string())?;
        *self.enter() = Room::Opening(open);
        Ok(batch)
    }

    fn host(&self) -> &HostName {
        &self.host.name
    }

    fn up(&self, tree: &Frontier) {
        let mut room = self.enter();
        let down = Room::Down(Outage { why: STARTING.into(), since: None });
        *room = match std::mem::replace(&mut *room, down) {
            Room::Opening(open) => {
                // Whoever waits for the clock to be doubted was told of no doubt that was there from the first.
                if open.clock.suspect().is_some() {
                    self.doubted.notify(usize::MAX);
                }
                Room::Open(open)
            }
            other @ (Room::Down(_) | Room::Open(_)) => other,
        };
        self.loads.fetch_add(1, Ordering::SeqCst);
        drop(room);
        self.notary.durable(tree);
        self.decided.notify(usize::MAX);
        self.changes.are_durable(tree.size());
        self.news.ring();
        self.changed.notify(usize::MAX);
        self.settled.notify(usize::MAX);
    }

    fn down(&self, err: &StoreError) {
        let mut room = self.enter();
        let failing_since = room.failing_since();
        // The disk has just taken what was before a fault, and before the store is to be read again.
        let (why, since) = match err {
            StoreError::Fault(what) => {
                (format!("its store is read again, after an order that it did not take: {what}"), None)
            }
            StoreError::Elsewhere => (format!("its store is read again: {err}"), None),
            StoreError::Sqlite(_)
            | StoreError::Newer { .. }
            | StoreError::Damaged { .. }
            | StoreError::ReadOnly(_)
            | StoreError::Key(_)
            | StoreError::Io(_)
            | StoreError::NotDurable => {
                (format!("its store /var/lib/jitd failed: {err}"), failing_since.or(Some(self.up_for())))
            }
        };
        match (&*room, err) {
            (_, StoreError::Fault(what)) => log::error(format_args!(
                "a fault of jitd's, please report it: the store does not take what an order came to ({what}); that \
                 order was refused, and jitd starts again from its store"
            )),
            // Said once, not at each attempt.
            (Room::Down(known), _) if known.why == why => {}
            _ => log::error(format_args!("nothing is allowed until the store works again: {why}")),
        }
        *room = Room::Down(Outage { why, since });
        // What was not written did not happen.
        self.changes.forget();
        self.settled.notify(usize::MAX);
        // Whoever follows the log lets go of the store.
        drop(room);
        self.news.ring();
    }

    fn committed(&self, tree: &Frontier) {
        if let Room::Open(open) = &mut *self.enter() {
            open.failing_since = None;
        }
        self.notary.durable(tree);
        self.changes.are_durable(tree.size());
        self.news.ring();
    }
}

/// Says in the log that the store is not on the machine that it was written on.
fn say_moved(how: Elsewhere) {
    log::error(match how {
        Elsewhere::Copied => {
            "the store was copied here from another machine: its windows and requests end, and the host has a key of its own"
        }
        Elsewhere::WentBack => "this machine went back in time, or is a copy: its windows and requests end",
    });
}

/// Says in the log which policy is in force, where that is not what its files say.
fn say(resumed: Resumed, read: &ReadPolicy) {
    if let Err(bad) = read {
        log::error(format_args!("the policy files do not load:\n{bad}"));
    }
    match resumed {
        Resumed::Unchanged | Resumed::Files => {}
        Resumed::Stored(NotTheFiles::Unsound) => log::warning("the policy that was last in force carries on"),
        Resumed::Stored(NotTheFiles::NotConfirmed) => {
            log::warning("the policy files were tried and nobody confirmed them; the one before carries on");
        }
        Resumed::Stored(NotTheFiles::NotAsked) => {
            log::warning("the policy files are not those in force; to load them, type: jitctl policy load");
        }
        Resumed::Stored(NotTheFiles::NotApproved) => {
            log::warning(
                "the policy files were not approved, and the policy in force carries on; to propose them, type: jitctl \
                 policy load",
            );
        }
        Resumed::Nothing(NotTheFiles::NotConfirmed) => {
            log::error("there is no policy but one that nobody confirmed: every managed login is refused");
        }
        Resumed::Nothing(NotTheFiles::Unsound | NotTheFiles::NotAsked | NotTheFiles::NotApproved) => {
            log::error("there is no policy: every managed login is refused");
        }
    }
}
