//! A log decided again under another policy: which logins it would have refused or let in, and which requests it would
//! have refused. The code is that which decides in earnest; what it decides on is rebuilt from the records.
//!
//! Not all of that is in a log. In which groups somebody was, only what was granted to them tells; from which address
//! somebody came who was refused, no record has for certain; the groups of the host are told by whoever asks. Where the
//! answer depends on such a thing, it is asked for each case, and if the answers differ, none is given: `cannot-tell`.
//! Sessions are not decided again, only what let them in.

mod facts;
mod shadow;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jit_proto::words::{HostName, RequestId, RoleName, ServiceName, UserName};
use serde::Serialize;

use crate::event::{Event, PolicyText, Record};
use crate::model::{Grant, Login, Request, Why};
use crate::policy::{HostGroup, Policy, SourceFile, Stage};
use crate::time::Utc;
pub use shadow::CANNOT_TELL;
use shadow::{Shadow, Would};

/// What became different, and how much did not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Logins that were decided again, identical refusals each.
    pub logins: u64,
    /// Those that were let in and would have been refused.
    pub refused: u64,
    /// Those that were refused and would have been let in.
    pub admitted: u64,
    /// Those that would have been let in as well, but with a window for none, or without one for one.
    pub otherwise: u64,
    /// Those of which it cannot be told.
    pub untold: u64,
    /// Requests that were decided again.
    pub requests: u64,
    /// Those of them that would have come to something else.
    pub requests_changed: u64,
    /// Those of which it cannot be told.
    pub requests_untold: u64,
    /// Records that cannot be read, which may have been any of these.
    pub unread: u64,
    /// Each of them, in the order of the log.
    pub changed: Vec<Changed>,
}

/// A login or a request that would have come to something else, or of which that cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The number of the record.
    pub seq: u64,
    /// When it was.
    pub time: Utc,
    /// Who logged in or asked.
    pub user: UserName,
    /// Of a login, the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// Of a request, the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// Of a request, the role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleName>,
    /// How many logins the record stands for.
    pub count: u64,
    /// What it came to: `allow`, `deny`, `unmanaged`; of a request `asked`, `opened`, `denied`, `lapsed`.
    pub was: &'static str,
    /// What it would have come to: the same words, `refused` or `waits` of a request, or `cannot-tell`.
    pub would: &'static str,
    /// Why it would have.
    pub why: String,
}

/// The highest number that a record in a store has: SQLite's integers go no further.
const HIGHEST: u64 = i64::MAX.unsigned_abs();

/// Takes the records of one host's log, in order.
#[derive(Debug)]
pub struct Replay<'p> {
    shadow: Shadow<'p>,
    /// The policy that was in force, which says in which groups those must have been who got something by it.
    recorded: Option<Policy>,
    replayed: Replayed,
}

impl<'p> Replay<'p> {
    /// Under this policy, on a host of these groups, or of which they are not known.
    #[must_use]
    pub fn new(policy: &'p Policy, host: Option<HostName>, groups: Option<BTreeSet<HostGroup>>) -> Self {
        Self { shadow: Shadow::new(policy, host, groups), recorded: None, replayed: Replayed::default() }
    }

    /// Takes the exact bytes of the next record. What cannot be read is counted.
    pub fn take(&mut self, bytes: &[u8]) {
        match Record::decode(0, bytes) {
            Ok(record) if record.seq <= HIGHEST => self.record(&record),
            Ok(_) | Err(_) => self.replayed.unread += 1,
        }
    }

    /// The end of the log.
    #[must_use]
    pub fn finish(self) -> Replayed {
        self.replayed
    }

    fn record(&mut self, record: &Record) {
        self.shadow.now(&record.at);
        match &record.event {
            Event::PolicyLoaded { files, .. } | Event::PolicyReverted { files, .. } => {
                self.recorded = parsed(files);
            }
            Event::HostKey { key, .. } => self.shadow.host_of(key.name()),
            Event::Requested { request } => self.requested(record, request),
            Event::Reviewed { request, review, .. } => {
                let role = self.shadow.role_of(*request);
                let recorded = self.recorded.as_ref();
                let stages = recorded.zip(role).and_then(|(policy, role)| policy.role(&role));
                let stage =
                    stages.and_then(|role| role.stages.iter().find(|stage| stage.name == review.stage));
                self.shadow.facts.learn(&review.by.name, stage.into_iter().flat_map(Stage::people));
                self.shadow.review(*request, review);
            }
            Event::Opened { grant } => self.opened(record, grant),
            Event::Refused { request, .. } => self.closed(record, *request, "denied"),
            Event::Lapsed { request, .. } => self.closed(record, *request, "lapsed"),
            Event::Allowed { role, claim, from, by, login, .. } => {
                let role = self.recorded.as_ref().and_then(|policy| policy.role(role));
                self.shadow.facts.learn(&login.user, role.map(|role| &role.eligible));
                let recorded = self.recorded.as_ref();
                let would = self.shadow.allowed(record, login, *claim, *from, *by, recorded);
                self.login(record, login, 1, "allow", Why::Window, would);
            }
            Event::Denied { why, count, login, .. } => {
                if matches!(why, Why::NotEligible | Why::RoleChanged) {
                    self.shadow.facts.forget(&login.user);
                }
                let would = self.shadow.refused(record, login, *why, self.recorded.as_ref());
                self.login(record, login, count.get().into(), "deny", *why, would);
            }
            Event::Unmanaged { why, count, login, .. } => {
                if *why == Why::Exempt {
                    let rules = self.recorded.iter().flat_map(Policy::exemptions);
                    let here = rules.filter(|rule| rule.services.contains(&login.service));
                    self.shadow.facts.learn(&login.user, here.map(|rule| &rule.who));
                }
                let would = self.shadow.refused(record, login, *why, self.recorded.as_ref());
                self.login(record, login, count.get().into(), "unmanaged", *why, would);
            }
            Event::Withdrawn { .. }
            | Event::Settled { .. }
            | Event::Ended { .. }
            | Event::Locked { .. }
            | Event::Unlocked { .. }
            | Event::ClaimVoided { .. } => self.shadow.happens(record),
            // What policy has no say in, or what the same policy would have come to by itself.
            Event::Started { .. }
            | Event::Stopped
            | Event::Elsewhere { .. }
            | Event::PolicyConfirmed { .. }
            | Event::PolicyProposed { .. }
            | Event::PolicyReviewed { .. }
            | Event::PolicyOverride { .. }
            | Event::PolicyRefused { .. }
            | Event::Discounted { .. }
            | Event::SignatureRefused { .. }
            | Event::RevokeTaken { .. }
            | Event::CodeRefused { .. }
            | Event::OrderRefused { .. }
            | Event::Began { .. }
            | Event::Came { .. }
            | Event::SessionOpened { .. }
            | Event::SessionClosed { .. }
            | Event::SessionPlaced { .. }
            | Event::SessionUnbound { .. }
            | Event::SessionMoved { .. }
            | Event::SessionOver { .. }
            | Event::SessionAdopted { .. }
            | Event::SessionRefused { .. }
            | Event::SessionGone { .. }
            | Event::Shut { .. }
            | Event::SessionsEnded { .. }
            | Event::ClockSuspect { .. }
            | Event::ClockAccepted { .. }
            | Event::ClockRecovered { .. }
            | Event::DiskShort(_)
            | Event::DiskRoom(_)
            | Event::Recovered { .. }
            | Event::RecoveryUnread(_)
            | Event::Unasked(_)
            | Event::PamFiles(_)
            | Event::Checkpoint { .. }
            | Event::CheckpointCarried { .. }
            | Event::RecordsArchived(_)
            | Event::Attested { .. } => {}
        }
    }

    fn requested(&mut self, record: &Record, request: &Request) {
        self.replayed.requests += 1;
        let role = self.recorded.as_ref().and_then(|policy| policy.role(&request.role));
        self.shadow.facts.learn(&request.beneficiary.name, role.map(|role| &role.eligible));
        if let Err(why) = self.shadow.request(request) {
            self.request(record, request.id, &request.role, "asked", "refused", why);
        }
    }

    fn opened(&mut self, record: &Record, grant: &Grant) {
        if let Some(by_policy) = grant.by_policy {
            self.shadow.by_policy(grant.request(), by_policy.from);
        }
        match self.shadow.opens(grant.request()) {
            Would::Open { sure: true } | Would::Nothing => {}
            Would::Open { sure: false } => {
                let why = "it depends on groups that the log does not tell".to_owned();
                self.request(record, grant.request(), &grant.role, "opened", CANNOT_TELL, why);
            }
            Would::Wait(why) => self.request(record, grant.request(), &grant.role, "opened", "waits", why),
        }
    }

    fn closed(&mut self, record: &Record, id: RequestId, was: &'static str) {
        let Some(role) = self.shadow.role_of(id) else { return };
        if let Would::Open { sure } = self.shadow.opens(id) {
            let would = if sure { "opened" } else { CANNOT_TELL };
            self.request(record, id, &role, was, would, "its reviews would have been enough".to_owned());
        }
        self.shadow.drops(record, id);
    }

    fn request(
        &mut self,
        record: &Record,
        id: RequestId,
        role: &RoleName,
        was: &'static str,
        would: &'static str,
        why: String,
    ) {
        let Some(user) = self.shadow.user_of(id) else { return };
        match would {
            CANNOT_TELL => self.replayed.requests_untold += 1,
            _ => self.replayed.requests_changed += 1,
        }
        self.replayed.changed.push(Changed {
            seq: record.seq,
            time: record.at.wall,
            user,
            service: None,
            request: Some(id),
            role: Some(role.clone()),
            count: 1,
            was,
            would,
            why,
        });
    }

    fn login(
        &mut self,
        record: &Record,
        login: &Login,
        count: u64,
        was: &'static str,
        because: Why,
        would: (&'static str, String),
    ) {
        self.replayed.logins += count;
        let (would, why) = would;
        let counter = match (was, would) {
            (was, would) if was == would => return,
            (_, CANNOT_TELL) => &mut self.replayed.untold,
            (_, "deny") => &mut self.replayed.refused,
            ("deny", _) => &mut self.replayed.admitted,
            _ => &mut self.replayed.otherwise,
        };
        *counter += count;
        let why = if was == "allow" { why } else { format!("{why}; it was {was} ({because})") };
        self.replayed.changed.push(Changed {
            seq: record.seq,
            time: record.at.wall,
            user: login.user.clone(),
            service: Some(login.service.clone()),
            request: None,
            role: None,
            count,
            was,
            would,
            why,
        });
    }
}

/// A policy of the log. One that is not understood here tells nothing of anybody's groups.
fn parsed(files: &[PolicyText]) -> Option<Policy> {
    let source =
        |file: &PolicyText| SourceFile { name: file.name.clone(), bytes: file.text.clone().into_bytes() };
    let files: Vec<_> = files.iter().map(source).collect();
    Policy::parse(&files).ok().map(|loaded| loaded.policy)
}
