//! The fold: records in, a report out.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jit_core::event::{Event, Record};
use jit_core::model::{EndWhy, Grant};
use jit_core::policy::Policy;
use jit_core::time::Utc;
use jit_proto::words::{GrantId, RequestId, UserName};

use crate::attest::{AttestFold, Said};
use crate::figures::Spread;
use crate::host::HostFold;
use crate::hours::HoursFold;
use crate::live::LiveFold;
use crate::log::{Backwards, ReadRecord, Tape};
use crate::observed::ObservedFold;
use crate::period::Period;
use crate::policies::{self, PolicyFold};
use crate::report::Report;
use crate::roles::{self, Stages};
use crate::rows::{Access, AccessState, Residue};
use crate::story::{Decided, Story};
use crate::suggest::{removal, suggestions};
use crate::{duties, told};

/// What a program reads a report's JSON by.
const FORMAT: &str = "jit-report/1";

/// Takes the records of a log, in order. What it keeps grows with the accesses of the period, not with the log.
#[derive(Debug)]
pub struct Fold {
    period: Period,
    tape: Tape,
    host: HostFold,
    hours: HoursFold,
    observed: ObservedFold,
    policy: PolicyFold,
    stories: HashMap<RequestId, Story>,
    /// Under which window a session is whose opening is a record and whose end may not say.
    sessions: HashMap<u64, RequestId>,
    stages: Stages,
    /// Milliseconds from an end to the last session gone, by why it ended.
    to_gone: BTreeMap<&'static str, Vec<u64>>,
    let_finish: u64,
    live: Option<LiveFold>,
    attested: AttestFold,
}

impl Fold {
    /// An empty one. With `at`, the report also says who was in then.
    #[must_use]
    pub fn new(period: Period, at: Option<Utc>) -> Self {
        Self {
            period,
            tape: Tape::default(),
            host: HostFold::default(),
            hours: HoursFold::default(),
            observed: ObservedFold::default(),
            policy: PolicyFold::default(),
            stories: HashMap::new(),
            sessions: HashMap::new(),
            stages: Stages::default(),
            to_gone: BTreeMap::new(),
            let_finish: 0,
            live: at.map(LiveFold::at),
            attested: AttestFold::default(),
        }
    }

    /// An attestation that is older than this is overdue, also where none was ever made.
    #[must_use]
    pub fn attested_every(mut self, every: Duration) -> Self {
        self.attested.every = Some(every);
        self
    }

    /// What is attested is judged at this time, where it is later than the end of the log.
    #[must_use]
    pub fn attested_by(mut self, now: Utc) -> Self {
        self.attested.now = Some(now);
        self
    }

    /// Takes the exact bytes of the next record. What cannot be read is counted. What comes before a record that was
    /// taken already is an error, and nothing of it is taken.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), Backwards> {
        self.take_read(ReadRecord::of(bytes))
    }

    /// Takes the next record, which was read.
    pub fn take_read(&mut self, read: ReadRecord) -> Result<(), Backwards> {
        let Some(record) = self.tape.take(read)? else { return Ok(()) };
        if self.period.is_behind(record.at.wall) {
            return Ok(());
        }
        self.host.take(&record, self.period);
        self.observed.take(&record, self.period);
        self.hours.take(&record, self.period);
        if let Some(live) = &mut self.live {
            live.take(&record);
        }
        self.apply(record);
        Ok(())
    }

    /// The bytes of a record are not those that were written, as jitd says of them.
    pub const fn damaged(&mut self) {
        self.tape.damaged();
    }

    /// What a record says of an access. What is said of the host, and of who was in at one moment, is taken elsewhere.
    fn apply(&mut self, record: Record) {
        let at = record.at.wall;
        match record.event {
            Event::PolicyLoaded { digest, files, .. } | Event::PolicyReverted { digest, files, .. } => {
                self.policy.load(digest, files, at);
                let policy = self.policy.parse();
                self.attested.load(policy.as_ref(), at);
                self.hours.under(policy.as_ref());
            }
            Event::Attested { role, who, keep, by, note } => {
                self.attested.take(role, who, Said { at, by: by.name, decision: keep, note });
            }
            Event::Requested { request } => {
                let id = request.id;
                self.stories.insert(id, Story::begin(request, self.policy.digest()));
            }
            Event::Reviewed { request, review, .. } => {
                let decided = self.stories.get_mut(&request).and_then(|story| story.review(review));
                self.decided(request, decided);
            }
            Event::Discounted { request, by } => self.discount(request, &by.name),
            Event::Refused { request, .. } => {
                self.decide(request, Some(&record.at));
                self.close(request, AccessState::Denied, at);
            }
            Event::Withdrawn { request, .. } => self.close(request, AccessState::Withdrawn, at),
            Event::Lapsed { request, stage } => self.lapse(request, stage, at),
            Event::Opened { grant } => self.open(grant),
            Event::Began { grant, window } => self.with(grant, |story| story.begins(window)),
            Event::Settled { request, decision } => {
                self.decide(request, Some(&record.at));
                if let Some(story) = self.stories.get_mut(&request) {
                    story.settle(decision, at);
                }
                self.forget(request);
            }
            Event::Allowed { .. }
            | Event::SessionOpened { .. }
            | Event::SessionAdopted { .. }
            | Event::SessionMoved { .. }
            | Event::SessionRefused { .. }
            | Event::SessionGone { .. } => self.of_a_session(&record),
            Event::Ended { .. } | Event::SessionsEnded { .. } => self.of_an_end(&record),
            // The host's, in host.rs.
            Event::Started { .. }
            | Event::Stopped
            | Event::PolicyConfirmed { .. }
            | Event::PolicyProposed { .. }
            | Event::PolicyReviewed { .. }
            | Event::PolicyOverride { .. }
            | Event::PolicyRefused { .. }
            | Event::SignatureRefused { .. }
            | Event::RevokeTaken { .. }
            | Event::CodeRefused { .. }
            | Event::OrderRefused { .. }
            | Event::Locked { .. }
            | Event::Unlocked { .. }
            | Event::SessionUnbound { .. }
            | Event::Denied { .. }
            | Event::Unmanaged { .. }
            | Event::ClockSuspect { .. }
            | Event::ClockAccepted { .. }
            | Event::ClockRecovered { .. }
            | Event::DiskShort(_)
            | Event::DiskRoom(_)
            | Event::Recovered { .. }
            | Event::RecoveryUnread(_)
            | Event::Unasked(_)
            | Event::PamFiles(_)
            | Event::HostKey { .. }
            | Event::Elsewhere { .. }
            | Event::Checkpoint { .. }
            | Event::CheckpointCarried { .. }
            | Event::RecordsArchived(_)
            // What the record of an end says, too.
            | Event::Came { .. }
            | Event::SessionClosed { .. }
            | Event::SessionPlaced { .. }
            | Event::SessionOver { .. }
            | Event::Shut { .. }
            | Event::ClaimVoided { .. } => {}
        }
    }

    fn discount(&mut self, request: RequestId, by: &UserName) {
        let reviews = self.stories.get_mut(&request).map(|story| &mut story.row.reviews);
        for review in reviews.into_iter().flatten().filter(|review| review.by == *by) {
            review.discounted = true;
        }
    }

    fn lapse(&mut self, request: RequestId, stage: Option<String>, at: Utc) {
        let role = self.stories.get(&request).map(|story| story.row.role.clone());
        if let Some((role, stage)) = role.zip(stage).filter(|_| self.period.has(at)) {
            self.stages.lapsed(&role, stage);
        }
        self.close(request, AccessState::Lapsed, at);
    }

    fn open(&mut self, grant: Grant) {
        if !grant.emergency {
            self.decide(grant.request(), None);
        }
        let policy = self.policy.digest();
        self.with(grant.id, |story| story.open(grant, policy));
    }

    /// Somebody comes by a window, or goes.
    fn of_a_session(&mut self, record: &Record) {
        let (at, event) = (record.at.wall, &record.event);
        if let Event::Allowed { grant, basis, .. } = event {
            if basis.awaits_key {
                // Nobody is in by it: who comes, the record of their session says.
                return;
            }
            self.with(*grant, |story| {
                story.used(at);
                story.row.logins += 1;
            });
        } else if let Some(opening) = event.opening() {
            self.sessions.insert(record.seq, opening.grant.into());
            let by_key = opening.basis.by_key;
            self.with(opening.grant, |story| {
                if by_key {
                    story.used(at);
                    story.row.logins += 1;
                }
                story.opens(at);
            });
        } else if let Event::SessionMoved { session, from, grant, .. } = event {
            let is_new = self.sessions.insert(*session, (*grant).into()).is_none();
            self.with(*from, |story| story.left(at, is_new));
            self.with(*grant, |story| story.opens(at));
        } else if let Event::SessionRefused { session, .. } = event {
            self.sessions.remove(session);
        } else if let Some((session, past)) = event.leaving() {
            let known = self.sessions.remove(&session);
            let request = past.map(|past| past.grant.into()).or(known);
            // One that moved was counted where it went.
            let is_new = known.is_none() && past.is_some_and(|past| past.place.is_some());
            if let Some(story) = request.and_then(|request| self.stories.get_mut(&request)) {
                story.left(at, is_new);
            }
        }
    }

    /// A window is over, or its end has been carried through.
    fn of_an_end(&mut self, record: &Record) {
        if let Event::Ended { grant, why, reason } = &record.event {
            self.with(*grant, |story| {
                story.end(record, *why == EndWhy::Expired);
                story.row.why = Some(*why);
                story.row.ended_reason.clone_from(reason);
            });
            self.forget((*grant).into());
        } else if let Event::SessionsEnded { grant, sessions, at_end, left, spared, stays, escape, .. } =
            &record.event
        {
            let residue = Residue {
                left: left.clone(),
                spared: spared.clone(),
                stays: stays.clone(),
                escape: escape.clone(),
            };
            self.gone(*grant, record, residue, !sessions.is_empty(), at_end.is_some());
        }
    }

    fn with(&mut self, grant: GrantId, change: impl FnOnce(&mut Story)) {
        if let Some(story) = self.stories.get_mut(&grant.into()) {
            change(story);
        }
    }

    fn gone(
        &mut self,
        grant: GrantId,
        record: &Record,
        residue: Residue,
        had_sessions: bool,
        let_finish: bool,
    ) {
        let request = grant.into();
        let Some(story) = self.stories.get_mut(&request) else { return };
        let took = story.gone(&record.at, residue);
        if let Some((why, took)) = story.row.why.zip(took)
            && had_sessions
            && self.period.has(record.at.wall)
        {
            if let_finish {
                self.let_finish += 1;
            } else {
                for key in [why.as_str(), "all"] {
                    self.to_gone.entry(key).or_default().push(took);
                }
            }
        }
        self.forget(request);
    }

    fn decide(&mut self, request: RequestId, now: Option<&jit_core::time::Moment>) {
        let decided = self.stories.get_mut(&request).and_then(|story| story.decide(now));
        self.decided(request, decided);
    }

    fn decided(&mut self, request: RequestId, decided: Option<Decided>) {
        let story = self.stories.get(&request);
        if let Some((story, decided)) = story.zip(decided).filter(|(_, one)| self.period.has(one.at)) {
            self.stages.decided(&story.row.role, decided.stage, decided.took_ms);
        }
    }

    fn close(&mut self, request: RequestId, state: AccessState, at: Utc) {
        if let Some(story) = self.stories.get_mut(&request) {
            story.close(state, at);
        }
        self.forget(request);
    }

    /// What was over before the period is of no use.
    fn forget(&mut self, request: RequestId) {
        let over = self.stories.get(&request).and_then(Story::over_at);
        if over.is_some_and(|at| self.period.is_before(at)) {
            self.stories.remove(&request);
        }
    }

    /// The report, as of the end of the period or of the log.
    #[must_use]
    pub fn finish(self) -> Report {
        let period = self.period;
        let as_of = match (self.tape.ends(), period.until) {
            (Some(ends), Some(until)) => Some(ends.min(until)),
            (ends, _) => ends,
        };
        let policy = self.policy.parse();
        let host = self.host.name().map(str::to_owned);
        let (is_down, is_unread) = (self.host.is_down(), self.policy.is_unread());
        let accesses = rows(self.stories, policy.as_ref());
        let log = self.tape.finish();
        let recovering = self.host.recovering();
        let mut coverage = self.host.finish(period, as_of);
        coverage.hours = self.hours.finish(period, as_of);
        let roles = roles::figures(&accesses, self.stages, period, as_of, policy.as_ref());
        let asked: Vec<_> = accesses.iter().filter(|row| period.has(row.asked)).collect();
        let never_asked =
            policy.as_ref().map(|policy| self.policy.never_asked(policy, host.as_deref(), &asked));
        let never_asked = never_asked.unwrap_or_default();
        let covered = covered(period, log.begins, as_of);
        let attestations = self.attested.finish(as_of);
        let suggested = policy.as_ref().zip(as_of);
        let suggested = suggested.map(|(policy, as_of)| {
            let mut all = suggestions(policy, &roles, &never_asked, covered, as_of);
            all.extend(attestations.iter().filter_map(|one| removal(policy, one)));
            all
        });
        Report {
            format: FORMAT,
            attention: told::Seen { as_of, policy: policy.as_ref(), is_unread, is_down }.attention(
                &log,
                &coverage,
                &accesses,
                &attestations,
            ),
            reviewers: roles::reviewers(&accesses, period),
            to_gone: self.to_gone.into_iter().map(|(why, took)| (why, Spread::of(took))).collect(),
            let_finish: self.let_finish,
            duties: duties::held_at_once(&accesses, period, as_of),
            live: self.live.map(LiveFold::finish),
            observed: self.observed.finish(),
            standing: policy.as_ref().map(|policy| policies::standing(policy, &recovering)),
            groups: policy
                .as_ref()
                .map(|policy| policies::groups(policy, host.as_deref()))
                .unwrap_or_default(),
            suggestions: suggested.unwrap_or_default(),
            host,
            log,
            period,
            as_of,
            accesses,
            roles,
            coverage,
            never_asked,
            attestations,
        }
    }
}

/// The rows in the order in which they were asked for.
fn rows(stories: HashMap<RequestId, Story>, policy: Option<&Policy>) -> Vec<Access> {
    let finish = |story: Story| {
        let mut row = story.finish();
        // Of an account that people share, the request says which of them it was for.
        if row.person.is_empty() {
            row.person = policy
                .map_or_else(|| row.account.to_string(), |policy| policies::person(policy, &row.account));
        }
        row
    };
    let mut rows: Vec<_> = stories.into_values().map(finish).collect();
    rows.sort_by_key(|row| (row.asked, row.request));
    rows
}

/// How long the period is, as far as there is a log of it.
fn covered(period: Period, begins: Option<Utc>, as_of: Option<Utc>) -> Duration {
    let since = period.since.max(begins);
    since.zip(as_of).map_or(Duration::ZERO, |(since, end)| end.since(since))
}
