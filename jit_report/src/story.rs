//! One access while its records come: the row that it will be, and which stage it waits in.

use jit_core::digest::Digest;
use jit_core::event::Record;
use jit_core::model::{Decision, Grant, Request, Review};
use jit_core::time::{Moment, Utc, Window};

use crate::figures::millis;
use crate::rows::{Access, AccessState, Residue, Reviewed};

/// A stage that somebody has reviewed in and that is not decided yet, as far as the log has said.
#[derive(Debug)]
struct Waiting {
    stage: String,
    since: Moment,
    /// When the last review of it was given.
    last: Moment,
}

/// How long a stage took.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) stage: String,
    pub(crate) took_ms: u64,
    /// When it was.
    pub(crate) at: Utc,
}

/// What has happened of one request so far.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) row: Access,
    /// When the stage began that waits now.
    stage_since: Option<Moment>,
    waiting: Option<Box<Waiting>>,
    /// While the window is open, and until its end has been carried through: from when on its end counts.
    window: Option<Box<Window>>,
    ended: Option<Box<Moment>>,
    /// Its end has been carried through, or there was nothing to carry through.
    pub(crate) is_over: bool,
}

impl Story {
    pub(crate) fn begin(request: Request, policy: Option<Digest>) -> Self {
        let row = Access {
            request: request.id,
            grant: None,
            person: request.beneficiary.person.map_or_else(String::new, |person| person.to_string()),
            account: request.beneficiary.name,
            uid: request.beneficiary.uid,
            role: request.role,
            ticket: None,
            services: request.services,
            reason: request.reason,
            asked: request.filed_at.wall,
            asked_by: request.filed_by.name,
            asked_seconds: request.duration.as_secs(),
            extends: request.extends,
            state: AccessState::Waiting,
            closed: None,
            reviews: Vec::new(),
            emergency: false,
            by_policy: false,
            settled: None,
            settled_as: None,
            opened: None,
            window_seconds: None,
            ended: None,
            why: None,
            ended_reason: None,
            gone: None,
            residue: Residue::default(),
            logins: 0,
            sessions: 0,
            first_login: None,
            last_login: None,
            last_gone: None,
            used_percent: None,
            needed_seconds: None,
            policy,
        };
        let stage_since = Some(request.filed_at);
        Self { row, stage_since, waiting: None, window: None, ended: None, is_over: false }
    }

    /// Takes a review. Stages run in order, so one in another stage says that the stage before it was met by its last.
    pub(crate) fn review(&mut self, review: Review) -> Option<Decided> {
        let is_new = self.waiting.as_ref().is_none_or(|waiting| waiting.stage != review.stage);
        let decided = if is_new { self.decide(None) } else { None };
        if is_new {
            let since = self.stage_since.clone().unwrap_or_else(|| review.at.clone());
            let (stage, last) = (review.stage.clone(), review.at.clone());
            self.waiting = Some(Box::new(Waiting { stage, since, last }));
        } else if let Some(waiting) = &mut self.waiting {
            waiting.last = review.at.clone();
        }
        self.row.reviews.push(Reviewed {
            by: review.by.name,
            decision: review.decision,
            stage: review.stage,
            method: review.method,
            key: review.signed.map(|signed| signed.key),
            at: review.at.wall,
            narrowed: !review.narrow.is_none(),
            note: review.note,
            discounted: false,
        });
        decided
    }

    /// The stage that has reviews is decided: by the last of them, or just now.
    pub(crate) fn decide(&mut self, now: Option<&Moment>) -> Option<Decided> {
        let waiting = *self.waiting.take()?;
        let end = now.cloned().unwrap_or(waiting.last);
        let took_ms = millis(end.since(&waiting.since));
        let at = end.wall;
        self.stage_since = Some(end);
        Some(Decided { stage: waiting.stage, took_ms, at })
    }

    /// It comes to nothing.
    pub(crate) const fn close(&mut self, state: AccessState, at: Utc) {
        self.row.state = state;
        self.row.closed = Some(at);
        self.is_over = true;
    }

    pub(crate) fn open(&mut self, grant: Grant, policy: Option<Digest>) {
        let window = grant.window().cloned();
        self.row.grant = Some(grant.id);
        self.row.ticket = grant.ticket;
        self.row.emergency = grant.emergency;
        self.row.by_policy = grant.by_policy.is_some();
        self.row.services = grant.services;
        self.row.policy = policy.or(self.row.policy);
        self.row.state = AccessState::Scheduled;
        if let Some(window) = window {
            self.begins(window);
        }
    }

    pub(crate) fn begins(&mut self, window: Window) {
        self.row.state = AccessState::Open;
        self.row.opened = Some(window.start.wall);
        self.row.window_seconds = Some(window.duration.as_secs());
        self.window = Some(Box::new(window));
    }

    pub(crate) const fn settle(&mut self, decision: Decision, at: Utc) {
        self.row.settled = Some(at);
        self.row.settled_as = Some(decision);
    }

    /// Somebody is in by it.
    pub(crate) fn used(&mut self, at: Utc) {
        self.row.first_login.get_or_insert(at);
        self.row.last_login = Some(at);
    }

    /// A session opens by it, or goes on under it.
    pub(crate) fn opens(&mut self, at: Utc) {
        self.used(at);
        self.row.sessions += 1;
    }

    /// A session of it is gone, or goes on under another window; of a new one nothing was on record before.
    pub(crate) fn left(&mut self, at: Utc, is_new: bool) {
        self.row.sessions += u64::from(is_new);
        self.row.last_gone = Some(self.row.last_gone.map_or(at, |last| last.max(at)));
    }

    /// Its window is over, or will never begin. Where it expired, that was when it was to, whenever jitd noticed.
    pub(crate) fn end(&mut self, record: &Record, expired: bool) {
        self.row.state = AccessState::Ended;
        self.row.ended = Some(record.at.wall);
        let window = self.window.take();
        self.is_over = window.is_none();
        let end = window.map(|window| {
            let last = window.last();
            if expired && last.boot_id == record.at.boot_id { last } else { record.at.clone() }
        });
        self.ended = end.map(Box::new);
    }

    /// Its end has been carried through: how long that took, in milliseconds. A window that policy shut ends later.
    pub(crate) fn gone(&mut self, at: &Moment, residue: Residue) -> Option<u64> {
        self.row.gone = Some(at.wall);
        self.row.residue = residue;
        let ended = self.ended.take()?;
        self.is_over = true;
        Some(millis(at.since(&ended)))
    }

    /// When nothing more was to come of it; absent while something is.
    pub(crate) const fn over_at(&self) -> Option<Utc> {
        if !self.is_over || self.row.is_owed() {
            return None;
        }
        match (self.row.gone, self.row.ended) {
            (Some(at), _) | (None, Some(at)) => Some(at),
            (None, None) => self.row.closed,
        }
    }

    /// The row, with what is known only at the end.
    pub(crate) fn finish(mut self) -> Access {
        let row = &mut self.row;
        if let (Some(opened), Some(ended), Some(length)) = (row.opened, row.ended, row.window_seconds) {
            let Some(first) = row.first_login else {
                row.used_percent = Some(0);
                return self.row;
            };
            let last = row.last_gone.max(row.last_login).unwrap_or(first).min(ended);
            let used = last.since(first).as_secs();
            row.used_percent = Some((used * 100 / length.max(1)).min(100));
            row.needed_seconds = Some(last.since(opened).as_secs());
        }
        self.row
    }
}
