//! The one room where things happen: under one lock with no `await` in it, *decide → events → apply → enqueue*.
//!
//! So single-use claims serialise by construction, and the order of records is the order of decisions. What
//! must be durable before it is answered comes back with a ticket.

mod changes;
mod in_force;
mod trial;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jit_core::ask::{self, Stands};
use jit_core::clock::trust::Trust;
use jit_core::clock::{Moment, Utc};
use jit_core::decide::{Answer, Question, decide};
use jit_core::due;
use jit_core::ending::{OverWhy, Terms};
use jit_core::event::{Actor, Event, Record};
use jit_core::explain::{Explanation, explain, refusal};
use jit_core::grant::Grant;
use jit_core::lock::Scope;
use jit_core::order::{Here, Refusal};
use jit_core::person::Caller;
use jit_core::policy::{Host, Policy, Role, SourceFile, Subject};
use jit_core::request::{self, RequestOrder};
use jit_core::review;
use jit_core::state::{Pending, State};
use jit_core::tally::Tally;
use jit_core::trial::{BackWhy, NoTrial, may_load, next as trial_next, went_back};
use jit_host::files::{Owner, read_policy_dir};
use jit_proto::ask::State as Standing;
use jit_proto::gate::Stage;
use jit_proto::words::{GroupName, Reason, RequestId, ServiceName, UserName, Verdict};

use crate::clock::Clock;
use crate::log;
use crate::recovery;
use crate::session::SLACK;
use crate::store::StoreError;
use crate::store::rows::{Loaded, StoredPolicy};
use crate::store::writer::{Batch, Keeper, Queue, Ticket};
use crate::who::kernel_tells_loginuid;
pub(crate) use changes::Changes;
pub(crate) use in_force::{BadFiles, InForce, NotLoaded, ReadPolicy, Source};
use in_force::{loaded_event, read_policy, texts};
pub(crate) use trial::Load;
use trial::OnTrial;

/// jitd runs but cannot decide or record. Every managed login is refused; `recovery=` accounts get through.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("jitd cannot decide: {0}")]
pub(crate) struct CannotDecide(pub(crate) String);

/// Why an order got nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotDone {
    /// jitd cannot decide or record.
    #[error(transparent)]
    Cannot(#[from] CannotDecide),
    /// Policy or state says no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It is about a policy on trial, and that says no.
    #[error(transparent)]
    Trial(NoTrial),
}

/// An answered check.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The answer.
    pub(crate) answer: Answer,
    /// One line for the person; empty if there is nothing to say.
    pub(crate) advice: String,
    /// The session that opens with it.
    pub(crate) session: Option<u64>,
    /// How long the host may let that session be: what is left, and what its end may take.
    pub(crate) host_limit: Duration,
    /// Present where the answer must wait for its record.
    pub(crate) ticket: Option<Ticket>,
}

struct Open {
    state: State,
    policy: Option<InForce>,
    tally: Tally,
    trial: OnTrial,
    /// Until then, by the boot clock in milliseconds, nothing becomes due.
    quiet_until: u64,
    clock: Trust,
    /// What is known of the clock has to be written with whatever is written next.
    clock_changed: bool,
    /// Whether the kernel holds the wall clock to be synchronised, as it was last asked.
    synced: Option<bool>,
}

enum Room {
    /// No store: why.
    Down(String),
    /// The store is loaded, the first record is on its way to the disk.
    Opening(Open),
    /// In business.
    Open(Open),
}

/// The desk.
pub(crate) struct Desk {
    room: Mutex<Room>,
    queue: Queue,
    clock: Clock,
    /// This host.
    pub(crate) host: Host,
    policy_dir: PathBuf,
    /// Rings when the next due moment may have changed.
    pub(crate) changed: zruntime::Event,
    /// Rings when the clock begins to be suspect.
    pub(crate) doubted: zruntime::Event,
    /// Rings when the store was opened, or could not be.
    pub(crate) settled: zruntime::Event,
    /// Rings when records are on disk.
    pub(crate) news: crate::sink::Bell,
    /// The requests about which something has changed.
    pub(crate) changes: Changes,
}

impl Desk {
    /// A desk that waits for its store.
    pub(crate) fn new(queue: Queue, clock: Clock, host: Host, policy_dir: PathBuf) -> Self {
        Self {
            room: Mutex::new(Room::Down("it is starting".into())),
            queue,
            clock,
            host,
            policy_dir,
            changed: zruntime::Event::new(),
            doubted: zruntime::Event::new(),
            settled: zruntime::Event::new(),
            news: crate::sink::Bell::default(),
            changes: Changes::default(),
        }
    }

    /// Answers a check. An `allow` comes with a ticket.
    pub(crate) fn check(&self, question: &Question, actor: Actor) -> Result<Checked, CannotDecide> {
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            // Law 6: a beginning or an end that a check notices is written down, whatever it is answered.
            if let Some(uid) = question.login.uid {
                self.commit_until_quiet(open, now, |open| due::of(&open.state, uid, now))?;
            }
            let answer = decide(&policy, &open.state, &self.host, question, now);
            let advice = match answer.verdict {
                Verdict::Deny => refusal(&policy, &open.state, &self.host, question, &answer, now),
                Verdict::Allow | Verdict::Unmanaged => String::new(),
            };
            open.note_login(question, &answer, actor);
            let events = match answer.verdict {
                _ if question.stage == Stage::Close => {
                    self.closing(&policy, open, question, now).into_iter().collect()
                }
                Verdict::Allow => answer.events(question),
                Verdict::Deny | Verdict::Unmanaged => {
                    open.tally.note(&answer, question.login.clone(), actor, now).into_iter().collect()
                }
            };
            let opens = events.iter().position(|event| matches!(event, Event::SessionOpened { .. }));
            let session = opens.map(|place| open.state.next_seq() + place as u64);
            let ticket =
                if events.is_empty() { None } else { Some(self.commit(open, Some(actor), now, events)?) };
            // Law 7: a deny or `unmanaged` never waits for its record.
            let ticket = ticket.filter(|_| answer.verdict == Verdict::Allow);
            let host_limit = answer.admits.as_ref().map_or(Duration::ZERO, |admits| {
                let terms = Terms::of(policy.role(&admits.role), OverWhy::Expired);
                admits.remaining.saturating_add(terms.kill).saturating_add(SLACK)
            });
            Ok(Checked { answer, advice, session, host_limit, ticket })
        })
    }

    /// What a check would answer now, or at a time to come, with the windows as they stand, and why. Changes
    /// nothing, uses nothing, records nothing. Windows are consumed until then (law 6).
    pub(crate) fn preview(
        &self,
        question: &Question,
        at: Option<Utc>,
    ) -> Result<(Explanation, Moment), CannotDecide> {
        self.with_policy(|open, now| {
            let policy = &open.policy_in_force()?.policy;
            let at = at.map_or_else(|| now.clone(), |at| now.later(at.since(now.wall)));
            Ok((explain(policy, &open.state, &self.host, question, &at), at))
        })
    }

    /// What a person who logs in may ask for, the roles as `show` shows them. Changes nothing.
    pub(crate) fn options<T>(
        &self,
        question: &Question,
        show: impl FnOnce(&[&Role]) -> T,
    ) -> Result<(Stands, T), CannotDecide> {
        self.with_policy(|open, now| {
            let policy = &open.policy_in_force()?.policy;
            let (stands, roles) = ask::options(policy, &open.state, &self.host, question, now);
            Ok((stands, show(&roles)))
        })
    }

    /// Asks for a role, for a person who logs in. Where something of theirs is open or waits already, says that and
    /// files nothing: of two logins at once, both wait for the same request.
    pub(crate) fn ask_for(
        &self,
        question: &Question,
        caller: &Caller,
        actor: Actor,
        order: RequestOrder,
    ) -> Result<(Stands, Option<Ticket>), CannotDecide> {
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            let (stands, roles) = ask::options(&policy, &open.state, &self.host, question, now);
            let refused = |why: String| Ok((Stands::without_request(Standing::Refused, why), None));
            if matches!(stands.state, Standing::Open | Standing::Waiting) {
                return Ok((stands, None));
            }
            if !roles.iter().any(|role| role.name == order.role) {
                return refused(format!("role '{}' is not one that can be asked for here", order.role));
            }
            let id = order.id;
            match request::file(self.here(&policy, &open.state, now), caller, order) {
                Ok(events) => {
                    let ticket = self.commit(open, Some(actor), now, events)?;
                    let stands = ask::progress(&policy, &open.state, &self.host, question, id, now);
                    Ok((stands, Some(ticket)))
                }
                Err(refusal) => refused(refusal.to_string()),
            }
        })
    }

    /// What became of a request of the subject's own. Changes nothing.
    pub(crate) fn progress(&self, question: &Question, id: RequestId) -> Result<Stands, CannotDecide> {
        self.with_policy(|open, now| {
            let policy = &open.policy_in_force()?.policy;
            Ok(ask::progress(policy, &open.state, &self.host, question, id, now))
        })
    }

    /// The roles that somebody may ask for on this host.
    pub(crate) fn roles_of(&self, subject: &Subject) -> Result<Vec<Role>, CannotDecide> {
        self.with_policy(|open, _| {
            let roles = open.policy_in_force()?.policy.roles();
            Ok(roles
                .filter(|role| role.on_host(&self.host) && role.eligible.contains(subject))
                .cloned()
                .collect())
        })
    }

    /// Judges an order against what is true now, and lets happen what follows from it. The ticket says when that is
    /// on disk.
    pub(crate) fn order(
        &self,
        actor: Actor,
        judge: impl FnOnce(Here<'_>) -> Result<Vec<Event>, Refusal>,
    ) -> Result<Ticket, NotDone> {
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            // Nobody reviews or extends what time has ended already. The timer keeps an eye on all that; under many
            // requests it takes milliseconds to look, and an order looks only where something may be due.
            if now.boot >= open.quiet_until {
                self.commit_until_quiet(open, now, |open| due::due(self.here(&policy, &open.state, now)))?;
            }
            let events = judge(self.here(&policy, &open.state, now))?;
            Ok(self.commit(open, Some(actor), now, events)?)
        })
    }

    /// Lets happen what jitd itself has found out or has to do. Nobody waits for it. Returns how many events that were.
    pub(crate) fn carry(&self, judge: impl Fn(Here<'_>) -> Vec<Event>) -> Result<usize, CannotDecide> {
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            // A session's end is judged by windows that are as the clock has them.
            self.commit_until_quiet(open, now, |open| due::due(self.here(&policy, &open.state, now)))?;
            let events = judge(self.here(&policy, &open.state, now));
            let count = events.len();
            if count > 0 {
                drop(self.commit(open, None, now, events)?);
            }
            Ok(count)
        })
    }

    /// Looks at what is true now.
    pub(crate) fn look<T>(&self, look: impl FnOnce(Here<'_>) -> T) -> Result<T, CannotDecide> {
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            Ok(look(self.here(&policy, &open.state, now)))
        })
    }

    fn here<'a>(&'a self, policy: &'a Policy, state: &'a State, now: &'a Moment) -> Here<'a> {
        Here { policy, state, host: &self.host, now }
    }

    /// Whether the caller may give admin's orders.
    pub(crate) fn admin(&self, caller: &Caller) -> Result<(), NotDone> {
        Ok(self.look(|here| here.admin(caller))??)
    }

    /// Reads the policy files, without a look at what is in force.
    pub(crate) fn read_policy(&self) -> ReadPolicy {
        read_policy(&self.policy_dir)
    }

    /// Puts policy files that were read in force, or keeps what is in force and says what is wrong. Nothing is
    /// written when they are in force already.
    pub(crate) fn load_policy(
        &self,
        read: ReadPolicy,
        load: Load,
        actor: Option<Actor>,
    ) -> Result<Result<Option<Ticket>, NotLoaded>, CannotDecide> {
        if let Err(why) = trial::can_be_confirmed(load) {
            return Ok(Err(why.into()));
        }
        self.with_policy(|open, now| match read {
            Ok((policy, warnings)) => {
                let in_force = open.policy.as_ref().map(|known| &*known.policy);
                if let Err(why) = may_load(&open.state, in_force, &policy, load.limit(), now) {
                    return Ok(Err(why.into()));
                }
                let same = in_force.is_some_and(|known| known.digest() == policy.digest());
                if load == Load::Signal && !same && went_back(&open.state, policy.digest()) {
                    return Ok(Err(NotLoaded::WentBack));
                }
                let ticket = if same {
                    None
                } else {
                    let event = loaded_event(&policy, in_force, load.limit());
                    Some(self.commit(open, actor, now, vec![event])?)
                };
                let at = match &open.policy {
                    Some(known) if same => known.at,
                    _ => now.wall,
                };
                let new = Some(InForce::new(policy, at, Source::Files, warnings));
                let before = std::mem::replace(&mut open.policy, new);
                if load.limit().is_some() {
                    open.trial = OnTrial::of_what_replaces(before);
                }
                Ok(Ok(ticket))
            }
            Err(bad) => {
                if let Some(known) = open.policy.as_mut().filter(|_| !bad.sound) {
                    known.source = Source::Store;
                }
                // Recorded; nobody waits for it.
                drop(self.commit(open, actor, now, vec![bad.event()])?);
                Ok(Err(bad.into()))
            }
        })
    }

    /// The policy in force, for whoever shows it.
    pub(crate) fn policy(&self) -> Result<InForce, CannotDecide> {
        self.with_policy(|open, _| open.policy_in_force().cloned())
    }

    /// Whether an answer at this service can depend on the address that the login session came from.
    pub(crate) fn asks_where(&self, service: &ServiceName) -> bool {
        match &*self.enter() {
            Room::Open(Open { policy: Some(known), state, .. }) => {
                // What was approved holds beside today's policy (law 5).
                let of_grants =
                    |grant: &Grant| grant.services.contains(service) && !grant.limits.from.is_empty();
                known.policy.asks_where(service) || state.grants().any(of_grants)
            }
            _ => false,
        }
    }

    /// The groups that the policy in force or a lock names; the only ones worth looking up.
    pub(crate) fn groups(&self) -> Arc<BTreeSet<GroupName>> {
        self.groups_now().0
    }

    /// Whether these are still the groups to look up.
    pub(crate) fn groups_are(&self, groups: &Arc<BTreeSet<GroupName>>) -> bool {
        let now = self.groups();
        Arc::ptr_eq(&now, groups) || now == *groups
    }

    /// The same groups, and whether one of them is locked.
    pub(crate) fn groups_now(&self) -> (Arc<BTreeSet<GroupName>>, bool) {
        let room = self.enter();
        let Room::Open(Open { policy: Some(known), state, .. }) = &*room else {
            return (Arc::default(), false);
        };
        let locked: BTreeSet<_> = state
            .locks()
            .keys()
            .filter_map(|scope| match scope {
                Scope::Group(group) => Some(group.clone()),
                _ => None,
            })
            .collect();
        if locked.is_subset(&known.groups) {
            return (Arc::clone(&known.groups), !locked.is_empty());
        }
        (Arc::new(&*known.groups | &locked), true)
    }

    /// Whether somebody is an admin or auditor, and so may read everything.
    pub(crate) fn may_read_all(&self, account: &Subject) -> bool {
        let room = self.enter();
        matches!(&*room, Room::Open(Open { policy: Some(known), .. })
            if known.policy.is_admin(account) || known.policy.is_auditor(account))
    }

    /// Whether the policy files are what is in force. Reads them: for `status`, not for a check.
    pub(crate) fn files_are_in_force(&self) -> bool {
        let Ok(files) = read_policy_dir(&self.policy_dir, Owner::Root) else { return false };
        self.policy().is_ok_and(|known| known.policy.files() == files)
    }

    /// Why jitd cannot decide, if it cannot.
    pub(crate) fn trouble(&self) -> Option<String> {
        match &*self.enter() {
            Room::Down(why) => Some(why.clone()),
            Room::Opening(_) => Some(STARTING.into()),
            Room::Open(open) => open.policy_in_force().err().map(|CannotDecide(why)| why),
        }
    }

    /// Records written and not yet taken by each log.
    pub(crate) fn next_seq(&self) -> Option<u64> {
        match &*self.enter() {
            Room::Open(open) => Some(open.state.next_seq()),
            Room::Down(_) | Room::Opening(_) => None,
        }
    }

    /// What a request waits for, and until when; nothing if there is nothing to review.
    pub(crate) fn waits(&self, id: RequestId) -> Option<(String, Option<Duration>)> {
        let waits = |here: Here<'_>| {
            let pending = here.state.reviewable(id)?;
            Some(waits_of(here, pending))
        };
        self.look(waits).ok().flatten()
    }

    /// The people whose standing must be known to review a request.
    pub(crate) fn concerned(&self, id: RequestId) -> Result<Vec<UserName>, CannotDecide> {
        self.look(|here| review::concerned(here.state, id))
    }

    /// The clocks now.
    pub(crate) fn now(&self) -> Moment {
        match &*self.enter() {
            Room::Open(open) | Room::Opening(open) => open.clock.moment(&self.clock.sample(open.synced)),
            Room::Down(_) => self.clock.sample(None).believed(),
        }
    }

    /// What is known of the clock.
    pub(crate) fn clock(&self) -> Result<(Moment, Trust), CannotDecide> {
        self.with_policy(|open, now| Ok((now.clone(), open.clock.clone())))
    }

    /// Takes note of what the kernel thinks of the wall clock, and looks at the clock again.
    pub(crate) fn synchronised(&self, synced: Option<bool>) {
        if let Room::Open(open) = &mut *self.enter() {
            open.synced = synced;
            self.sense(open);
        }
    }

    /// Takes an admin's word that the clock is right, and says how it was before.
    pub(crate) fn accept_clock(
        &self,
        actor: Actor,
        caller: &Caller,
        reason: Option<Reason>,
    ) -> Result<((Moment, Trust), Ticket), NotDone> {
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            self.here(&policy, &open.state, now).admin(caller)?;
            let before = (now.clone(), open.clock.clone());
            let sample = self.clock.sample(open.synced);
            let accepted = open.clock.accept(&sample, reason)?;
            open.clock_changed = true;
            let now = open.clock.moment(&sample);
            Ok((before, self.commit(open, Some(actor), &now, vec![accepted])?))
        })
    }

    /// Enters the logins in the audit that got in through `recovery=`. The ticket says when they are on disk, and
    /// their notes may go.
    pub(crate) fn enter_recovered(&self, notes: Vec<recovery::Note>) -> Result<Ticket, CannotDecide> {
        self.with_policy(|open, now| {
            let events = notes.into_iter().map(recovery::Note::into_event).collect();
            self.commit(open, None, now, events)
        })
    }

    /// Writes what time has brought about. Returns how long nothing more will be due.
    pub(crate) fn tick(&self) -> Duration {
        let mut room = self.enter();
        let Room::Open(open) = &mut *room else { return IDLE };
        let now = self.sense(open);
        if let Err(err) = self.end_trial(open, &now) {
            log::error(err);
        }
        let counts = open.tally.due(&now).into_iter().map(|(actor, event)| (Some(actor), vec![event]));
        self.commit_all(open, &now, counts.collect());
        if open.clock.is_due(&now) {
            // Nobody waits for it, and it is no news.
            let clock = Some(open.clock.to_write(&now));
            drop(self.queue.commit(Batch { clock, ..Batch::default() }));
        }
        let Some(policy) = open.policy.as_ref().map(|known| Arc::clone(&known.policy)) else { return IDLE };
        let due = |open: &Open| due::due(self.here(&policy, &open.state, &now));
        if let Err(err) = self.commit_until_quiet(open, &now, due) {
            log::error(err);
        }
        let next = due::next(self.here(&policy, &open.state, &now));
        let quiet = next.unwrap_or(IDLE).min(IDLE).as_millis();
        open.quiet_until = now.boot.saturating_add(u64::try_from(quiet).unwrap_or(0));
        let next = next.into_iter().chain(open.tally.next(&now)).chain(trial_next(&open.state, &now));
        next.fold(IDLE, Duration::min)
    }

    /// Records what is held back and that jitd stops. The ticket says when that is on disk.
    pub(crate) fn close(&self) -> Option<Ticket> {
        let mut room = self.enter();
        let Room::Open(open) = &mut *room else { return None };
        let now = self.sense(open);
        let counts = open.tally.drain().into_iter().map(|(actor, event)| (Some(actor), vec![event]));
        self.commit_all(open, &now, counts.collect());
        let stopped = open
            .apply(None, &now, vec![Event::Stopped])
            .map(|batch| self.queue.commit(Batch { clock: Some(open.clock.closed(&now)), ..batch }));
        *room = Room::Down("it is stopping".into());
        match stopped {
            Ok(ticket) => Some(ticket),
            Err(err) => {
                log::error(format_args!("the stop could not be recorded: {err}"));
                None
            }
        }
    }

    /// A session that ends is worth a record where its login was: who is exempt leaves none for coming, and none
    /// for going.
    fn closing(&self, policy: &Policy, open: &Open, question: &Question, now: &Moment) -> Option<Event> {
        let login = Question { stage: Stage::Account, ..question.clone() };
        let answer = decide(policy, &open.state, &self.host, &login, now);
        let managed = answer.verdict != Verdict::Unmanaged;
        managed.then(|| Event::SessionClosed {
            login: question.login.clone(),
            leader: question.opener.map(|opener| opener.leader),
        })
    }

    fn enter(&self) -> MutexGuard<'_, Room> {
        // A panic under the lock may have left a state half applied. What is on disk is whole: start from there.
        self.room.lock().unwrap_or_else(|_| {
            log::error("a decision panicked; jitd stops at once and starts again from its store");
            std::process::abort()
        })
    }

    fn with_policy<T, E: From<CannotDecide>>(
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
            Room::Opening(_) => Err(CannotDecide(STARTING.into()).into()),
            Room::Down(why) => Err(CannotDecide(why.clone()).into()),
        }
    }

    /// Samples the clocks, and records what that says about them. Whatever happens in this moment is judged by it.
    fn sense(&self, open: &mut Open) -> Moment {
        let sample = self.clock.sample(open.synced);
        let told = open.clock.see(&sample);
        let now = open.clock.moment(&sample);
        if let Some(event) = told {
            open.clock_changed = true;
            if !now.is_trusted() {
                self.doubted.notify(usize::MAX);
            }
            if let Err(err) = self.commit(open, None, &now, vec![event]) {
                log::error(err);
            }
        }
        now
    }

    /// What nobody waits for.
    fn commit_all(&self, open: &mut Open, now: &Moment, batches: Vec<(Option<Actor>, Vec<Event>)>) {
        for (actor, events) in batches {
            if !events.is_empty()
                && let Err(err) = self.commit(open, actor, now, events)
            {
                log::error(err);
            }
        }
    }

    /// Commits what is due, and what that makes due in turn, until nothing is. Nobody waits for it.
    fn commit_until_quiet(
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
    fn commit(
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
        if moves {
            open.quiet_until = 0;
        }
        let batch = open.apply(actor, now, events)?;
        self.changes.add(open.state.next_seq(), changed);
        let ticket = self.queue.commit(batch);
        // But a session that opens is followed from now on.
        if moves || opens {
            self.changed.notify(usize::MAX);
        }
        Ok(ticket)
    }
}

/// What a request waits for, in words, and for how long its stage does.
pub(crate) fn waits_of(here: Here<'_>, pending: &Pending) -> (String, Option<Duration>) {
    let Pending { request, reviews } = pending;
    (review::waiting_for(here.policy, request, reviews, here.now), review::lapses_in(here, pending))
}

/// How long the desk sleeps at most, so that a stepped wall clock is noticed.
const IDLE: Duration = Duration::from_mins(1);

const STARTING: &str = "it is starting";

impl Open {
    fn policy_in_force(&self) -> Result<&InForce, CannotDecide> {
        self.policy.as_ref().ok_or_else(|| {
            CannotDecide(
                "there is no policy; put one into /etc/jit/policy.d and run: jitctl policy load".into(),
            )
        })
    }

    fn apply(
        &mut self,
        actor: Option<Actor>,
        now: &Moment,
        events: Vec<Event>,
    ) -> Result<Batch, CannotDecide> {
        let mut batch = Batch::default();
        let record = |(seq, event)| Record { seq, at: now.clone(), actor, event };
        let records: Vec<_> = (self.state.next_seq()..).zip(events).map(record).collect();
        // All or nothing: what cannot be written has not happened.
        for record in &records {
            batch.records.push(record.encode().map_err(|err| CannotDecide(err.to_string()))?);
        }
        for record in &records {
            batch.rows.extend(self.state.apply(record));
        }
        // An `allow` leaves no sooner than the time that it was given at is charged.
        if std::mem::take(&mut self.clock_changed) || self.clock.is_due(now) {
            batch.clock = Some(self.clock.to_write(now));
        }
        Ok(batch)
    }
}

impl Keeper for Desk {
    fn prepare(&self, loaded: Loaded) -> Result<Batch, String> {
        let read = read_policy(&self.policy_dir);
        let sample = self.clock.sample(None);
        let (clock, doubt) = Trust::resume(loaded.clock, &sample);
        let now = clock.moment(&sample);
        let mut events = vec![Event::Started {
            version: env!("CARGO_PKG_VERSION").into(),
            loginuid: kernel_tells_loginuid(),
        }];
        events.extend(doubt);
        // Whatever ended jitd during a trial ended the trial.
        let ran = jit_core::trial::running(&loaded.state);
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
        let not_confirmed = |digest| tried == Some(digest) || went_back(&loaded.state, digest);
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
        let policy = match (read, stored) {
            (Ok((policy, warnings)), Some((at, known))) if known.digest() == policy.digest() => {
                Some(InForce::new(policy, at, Source::Files, warnings))
            }
            (Ok((policy, _)), Some((at, known))) if not_confirmed(policy.digest()) => {
                log::warning(
                    "the policy files were tried and nobody confirmed them; the one before carries on",
                );
                Some(InForce::new(known, at, Source::Before, Vec::new()))
            }
            (Ok((policy, _)), None) if not_confirmed(policy.digest()) => {
                log::error(
                    "there is no policy but one that nobody confirmed: every managed login is refused",
                );
                None
            }
            (Ok((policy, warnings)), stored) => {
                events.push(loaded_event(&policy, stored.as_ref().map(|(_, known)| known), None));
                Some(InForce::new(policy, now.wall, Source::Files, warnings))
            }
            (Err(bad), stored) => {
                log::error(format_args!("the policy files do not load:\n{bad}"));
                match &stored {
                    Some(_) => log::warning("the policy that was last in force carries on"),
                    None => log::error("there is no policy: every managed login is refused"),
                }
                events.push(bad.event());
                stored.map(|(at, policy)| InForce::new(policy, at, Source::Store, Vec::new()))
            }
        };
        let mut open = Open {
            state: loaded.state,
            policy,
            tally: Tally::default(),
            trial: OnTrial::default(),
            quiet_until: 0,
            clock,
            clock_changed: true,
            synced: None,
        };
        // What is due is looked for again as soon as the desk is open, and by every check before it is answered.
        let batch = open.apply(None, &now, events).map_err(|err| err.to_string())?;
        *self.enter() = Room::Opening(open);
        Ok(batch)
    }

    fn up(&self) {
        let mut room = self.enter();
        let was = std::mem::replace(&mut *room, Room::Down(STARTING.into()));
        *room = match was {
            Room::Opening(open) => Room::Open(open),
            other => other,
        };
        self.changed.notify(usize::MAX);
        self.settled.notify(usize::MAX);
    }

    fn down(&self, why: &StoreError) {
        let why = format!("its store /var/lib/jitd failed: {why}");
        let mut room = self.enter();
        // Said once, not at each attempt.
        if !matches!(&*room, Room::Down(known) if *known == why) {
            log::error(format_args!("nothing is allowed until the store works again: {why}"));
        }
        *room = Room::Down(why);
        self.settled.notify(usize::MAX);
    }

    fn committed(&self, next_seq: u64) {
        self.changes.are_durable(next_seq);
        self.news.ring();
    }
}
