//! The one room where things happen: under one lock with no `await` in it, *decide → events → apply → enqueue*.
//!
//! So single-use claims serialise by construction, and the order of records is the order of decisions. What
//! must be durable before it is answered comes back with a ticket.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jit_core::clock::{Moment, Utc};
use jit_core::decide::{Answer, Question, decide};
use jit_core::digest::Digest;
use jit_core::due;
use jit_core::event::{Actor, Event, PolicyText, Record};
use jit_core::explain::{explain, refusal};
use jit_core::policy::{Finding, Host, Policy, Severity, SourceFile, Subject};
use jit_core::request::{self, Caller, GrantOrder, Refusal, Target};
use jit_core::state::State;
use jit_core::tally::Tally;
use jit_proto::gate::Stage;
use jit_proto::words::{GroupName, Reason, RequestId, Verdict};

use crate::clock::Clock;
use crate::files::read_policy_dir;
use crate::log;
use crate::recovery;
use crate::store::StoreError;
use crate::store::rows::Loaded;
use crate::store::writer::{Batch, Keeper, Queue, Ticket};
use crate::who::kernel_tells_loginuid;

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
}

/// The policy in force. Cheap to clone: a check holds it for as long as it looks names up.
#[derive(Clone, Debug)]
pub(crate) struct InForce {
    /// The policy.
    pub(crate) policy: Arc<Policy>,
    /// The groups that it names; the only ones worth looking up.
    pub(crate) groups: Arc<BTreeSet<GroupName>>,
    /// When it was loaded.
    pub(crate) at: Utc,
    /// False while it is the last accepted one, carried on because the files do not load.
    pub(crate) from_files: bool,
    /// Warnings of the files, one line each.
    pub(crate) warnings: Arc<[String]>,
}

impl InForce {
    fn new(policy: Policy, at: Utc, from_files: bool, warnings: Vec<String>) -> Self {
        let groups = Arc::new(policy.groups().cloned().collect());
        Self { policy: Arc::new(policy), groups, at, from_files, warnings: warnings.into() }
    }
}

/// Policy files that did not load: what is wrong with each, and a one-line summary.
#[derive(Debug, thiserror::Error)]
#[error("{}", rendered.join("\n"))]
pub(crate) struct BadFiles {
    rendered: Vec<String>,
    first: String,
    errors: usize,
}

/// An answered check.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The answer.
    pub(crate) answer: Answer,
    /// One line for the person; empty if there is nothing to say.
    pub(crate) advice: String,
    /// When the answer was decided.
    pub(crate) at: Moment,
    /// Present where the answer must wait for its record.
    pub(crate) ticket: Option<Ticket>,
}

struct Open {
    state: State,
    policy: Option<InForce>,
    tally: Tally,
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
    /// Rings when the store was opened, or could not be.
    pub(crate) settled: zruntime::Event,
    /// Rings when records are on disk.
    pub(crate) news: crate::sink::Bell,
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
            settled: zruntime::Event::new(),
            news: crate::sink::Bell::default(),
        }
    }

    /// Answers a check. An `allow` comes with a ticket.
    pub(crate) fn check(&self, question: &Question, actor: Actor) -> Result<Checked, CannotDecide> {
        self.with_policy(|open, now| {
            let policy = Arc::clone(&open.policy_in_force()?.policy);
            let answer = decide(&policy, &open.state, &self.host, question, now);
            let advice = match answer.verdict {
                Verdict::Deny => refusal(&policy, &open.state, &self.host, question, &answer, now),
                Verdict::Allow | Verdict::Unmanaged => String::new(),
            };
            // Law 6: an end that a check notices is written down with its answer.
            let mut events =
                question.login.uid.map_or_else(Vec::new, |uid| due::ends_of(&open.state, uid, now));
            events.extend(match answer.verdict {
                _ if question.stage == Stage::Close => self.closing(&policy, open, question, now),
                Verdict::Allow => answer.event(question),
                Verdict::Deny | Verdict::Unmanaged => {
                    open.tally.note(&answer, question.login.clone(), actor, now)
                }
            });
            let ticket =
                if events.is_empty() { None } else { Some(self.commit(open, Some(actor), now, events)?) };
            // Law 7: a deny or `unmanaged` never waits for its record.
            let ticket = ticket.filter(|_| answer.verdict == Verdict::Allow);
            Ok(Checked { answer, advice, at: now.clone(), ticket })
        })
    }

    /// What a check would answer now. Changes nothing, uses nothing, records nothing.
    pub(crate) fn preview(&self, question: &Question) -> Result<Checked, CannotDecide> {
        self.with_policy(|open, now| {
            let policy = &open.policy_in_force()?.policy;
            let explained = explain(policy, &open.state, &self.host, question, now);
            let (advice, answer) = (explained.line().to_owned(), explained.answer);
            Ok(Checked { answer, advice, at: now.clone(), ticket: None })
        })
    }

    /// Files a request on somebody's behalf with the caller's own review; opens it if that meets every stage.
    pub(crate) fn grant(&self, caller: &Caller, actor: Actor, order: GrantOrder) -> Result<Ticket, NotDone> {
        self.with_policy(|open, now| {
            let policy = &open.policy_in_force()?.policy;
            let events = request::grant(policy, &open.state, &self.host, caller, order, now)?;
            Ok(self.commit(open, Some(actor), now, events)?)
        })
    }

    /// Takes a grant back or withdraws a request.
    pub(crate) fn revoke(
        &self,
        caller: &Caller,
        actor: Actor,
        target: Target,
        reason: Option<Reason>,
    ) -> Result<Ticket, NotDone> {
        self.with_policy(|open, now| {
            let policy = &open.policy_in_force()?.policy;
            let event = request::revoke(policy, &open.state, caller, target, reason)?;
            Ok(self.commit(open, Some(actor), now, vec![event])?)
        })
    }

    /// Whether the caller may give admin's orders.
    pub(crate) fn admin(&self, caller: &Caller) -> Result<(), NotDone> {
        self.with_policy(|open, _| Ok(request::admin(&open.policy_in_force()?.policy, caller)?))
    }

    /// Reads the policy files and puts them in force, or keeps what is in force and says what is wrong.
    /// Nothing is written when they are in force already.
    pub(crate) fn load_policy(
        &self,
        actor: Option<Actor>,
    ) -> Result<Result<Option<Ticket>, BadFiles>, CannotDecide> {
        let read = read_policy(&self.policy_dir);
        self.with_policy(|open, now| match read {
            Ok((policy, warnings)) => {
                let same = open.policy.as_ref().is_some_and(|known| known.policy.digest() == policy.digest());
                let ticket = if same {
                    None
                } else {
                    Some(self.commit(open, actor, now, vec![loaded_event(&policy)])?)
                };
                let at = match &open.policy {
                    Some(known) if same => known.at,
                    _ => now.wall,
                };
                open.policy = Some(InForce::new(policy, at, true, warnings));
                Ok(Ok(ticket))
            }
            Err(bad) => {
                if let Some(known) = &mut open.policy {
                    known.from_files = false;
                }
                // Recorded; nobody waits for it.
                drop(self.commit(open, actor, now, vec![bad.event()])?);
                Ok(Err(bad))
            }
        })
    }

    /// The policy in force, for whoever shows it.
    pub(crate) fn policy(&self) -> Result<InForce, CannotDecide> {
        self.with_policy(|open, _| open.policy_in_force().cloned())
    }

    /// The groups that the policy in force names; the only ones worth looking up.
    pub(crate) fn groups(&self) -> Arc<BTreeSet<GroupName>> {
        match &*self.enter() {
            Room::Open(Open { policy: Some(known), .. }) => Arc::clone(&known.groups),
            _ => Arc::default(),
        }
    }

    /// Whether somebody is an admin or auditor, and so may read everything.
    pub(crate) fn may_read_all(&self, account: &Subject) -> bool {
        let room = self.enter();
        matches!(&*room, Room::Open(Open { policy: Some(known), .. })
            if known.policy.is_admin(account) || known.policy.is_auditor(account))
    }

    /// Whether the policy files are what is in force. Reads them: for `status`, not for a check.
    pub(crate) fn files_are_in_force(&self) -> bool {
        let Ok(files) = read_policy_dir(&self.policy_dir) else { return false };
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

    /// What a pending request waits for.
    pub(crate) fn waiting_for(&self, id: RequestId) -> String {
        match &*self.enter() {
            Room::Open(Open { state, policy: Some(known), .. }) => {
                state.pending().get(&id).map_or_else(String::new, |pending| {
                    request::waiting_for(&known.policy, &pending.request, &pending.reviews, &self.clock.now())
                })
            }
            _ => String::new(),
        }
    }

    /// The clocks now.
    pub(crate) fn now(&self) -> Moment {
        self.clock.now()
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
        let now = self.clock.now();
        let mut batches = vec![(None, due::due(&open.state, &now))];
        batches.extend(open.tally.due(&now).into_iter().map(|(actor, event)| (Some(actor), vec![event])));
        self.commit_all(open, &now, batches);
        due::next(&open.state, &now).into_iter().chain(open.tally.next(&now)).fold(IDLE, Duration::min)
    }

    /// Records what is held back and that jitd stops. The ticket says when that is on disk.
    pub(crate) fn close(&self) -> Option<Ticket> {
        let mut room = self.enter();
        let Room::Open(open) = &mut *room else { return None };
        let now = self.clock.now();
        let counts = open.tally.drain().into_iter().map(|(actor, event)| (Some(actor), vec![event]));
        self.commit_all(open, &now, counts.collect());
        let stopped = self.commit(open, None, &now, vec![Event::Stopped]);
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
        managed.then(|| Event::SessionClosed { login: question.login.clone() })
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
            Room::Open(open) => act(open, &self.clock.now()),
            Room::Opening(_) => Err(CannotDecide(STARTING.into()).into()),
            Room::Down(why) => Err(CannotDecide(why.clone()).into()),
        }
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

    /// Applies events and queues their records and rows as one batch.
    fn commit(
        &self,
        open: &mut Open,
        actor: Option<Actor>,
        now: &Moment,
        events: Vec<Event>,
    ) -> Result<Ticket, CannotDecide> {
        let batch = open.apply(actor, now, events)?;
        let ticket = self.queue.commit(batch);
        self.changed.notify(usize::MAX);
        Ok(ticket)
    }
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
        for event in events {
            let record = Record { seq: self.state.next_seq(), at: now.clone(), actor, event };
            batch.records.push(record.encode().map_err(|err| CannotDecide(err.to_string()))?);
            batch.rows.extend(self.state.apply(&record));
        }
        Ok(batch)
    }
}

impl Keeper for Desk {
    fn prepare(&self, loaded: Loaded) -> Result<Batch, String> {
        let read = read_policy(&self.policy_dir);
        let now = self.clock.now();
        let mut events = vec![Event::Started {
            version: env!("CARGO_PKG_VERSION").into(),
            loginuid: kernel_tells_loginuid(),
        }];
        let stored = loaded.policy.map(|stored| {
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
                Some(InForce::new(policy, at, true, warnings))
            }
            (Ok((policy, warnings)), _) => {
                events.push(loaded_event(&policy));
                Some(InForce::new(policy, now.wall, true, warnings))
            }
            (Err(bad), stored) => {
                log::error(format_args!("the policy files do not load:\n{bad}"));
                match &stored {
                    Some(_) => log::warning("the policy that was last in force carries on"),
                    None => log::error("there is no policy: every managed login is refused"),
                }
                events.push(bad.event());
                stored.map(|(at, policy)| InForce::new(policy, at, false, Vec::new()))
            }
        };
        events.extend(due::due(&loaded.state, &now));
        let mut open = Open { state: loaded.state, policy, tally: Tally::default() };
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

    fn committed(&self) {
        self.news.ring();
    }
}

fn loaded_event(policy: &Policy) -> Event {
    let text = |file: &SourceFile| PolicyText {
        name: file.name.clone(),
        // Policy that parsed is UTF-8.
        text: String::from_utf8_lossy(&file.bytes).into_owned(),
    };
    let digest: Digest = policy.digest();
    Event::PolicyLoaded { digest, files: policy.files().iter().map(text).collect() }
}

fn read_policy(dir: &std::path::Path) -> Result<(Policy, Vec<String>), BadFiles> {
    let files = read_policy_dir(dir).map_err(|wrong| {
        let rendered: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        BadFiles { first: rendered.first().cloned().unwrap_or_default(), errors: rendered.len(), rendered }
    })?;
    let loaded = Policy::parse(&files).map_err(BadFiles::from)?;
    Ok((loaded.policy, loaded.warnings.iter().map(ToString::to_string).collect()))
}

impl From<Vec<Finding>> for BadFiles {
    fn from(findings: Vec<Finding>) -> Self {
        let is_error = |finding: &&Finding| finding.severity == Severity::Error;
        Self {
            first: findings.iter().find(is_error).map(ToString::to_string).unwrap_or_default(),
            errors: findings.iter().filter(is_error).count(),
            rendered: findings.iter().map(Finding::render).collect(),
        }
    }
}

impl BadFiles {
    fn event(&self) -> Event {
        Event::PolicyRefused { error: self.first.clone(), errors: self.errors }
    }
}
