//! How the host itself was: jitd up and down, its clock, its policies, its locks, and who came in without a window.

use std::collections::BTreeMap;

use jit_core::digest::Digest;
use jit_core::event::{Event, PolicyText, Record};
use jit_core::model::{Actor, Decision, Login, PolicyWord, RecoveredLogin, Scope, UnaskedLogins, Why};
use jit_core::time::Utc;
use jit_proto::words::{Reason, ServiceName, UserName};
use serde::Serialize;

use crate::hours::Hours;
use crate::period::Period;
use crate::policies::{Recovers, recovering};

/// So many different logins that needed no window are counted apart; the rest as one. Strangers make up names.
const MOST_STOOD: usize = 1000;

/// How the host was in the period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// How often jitd started, or came back after its store failed.
    pub starts: u64,
    /// When jitd was down.
    pub downs: Vec<Down>,
    /// For how long it enforced, only watched, or was down.
    pub hours: Hours,
    /// Policies that came into force, or on trial.
    pub policies: Vec<PolicyLoad>,
    /// Policy files that did not load; what was in force stayed.
    pub policies_refused: Vec<PolicyFailed>,
    /// Policies that root put in force without those who were to approve them.
    pub policy_overrides: Vec<PolicyOverridden>,
    /// When the clock was not believed.
    pub clock: Vec<ClockIncident>,
    /// Locks that were set.
    pub locks: Vec<LockSet>,
    /// Logins past a jitd that could not answer.
    pub recoveries: Recoveries,
    /// Logins that needed no window, as far as they are on record.
    pub stood_aside: Vec<Stood>,
    /// Answers `deny`, by reason.
    pub denied: Vec<Refused>,
    /// Sessions that came in without asking for it, by service: the session line is missing from its PAM file.
    pub adopted: Vec<Adopted>,
    /// Logins that jitd was not asked about, as logind had them.
    pub unasked: Vec<Unasked>,
    /// PAM files that somebody touched, or by which a service stopped asking, or asked again.
    pub pam_files: Vec<PamTouched>,
    /// Services that asked jitd at some time and do not any more.
    pub pam_lost: Vec<String>,
    /// Sessions that could not be bound to a unit, so that their end was not enforced.
    pub unbound: u64,
    /// Sessions that were refused, since they could not be bound.
    pub sessions_refused: u64,
    /// Orders that were refused, since whoever gave them may not.
    pub orders_refused: u64,
    /// Signed files that were refused.
    pub signatures_refused: u64,
    /// How often the key of the checkpoints was replaced.
    pub keys_replaced: u64,
    /// The last checkpoint on record.
    pub checkpoint: Option<Checkpointed>,
    /// The last checkpoint of which the log says that it was carried away.
    pub carried: Option<Checkpointed>,
}

/// A time in which jitd did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Down {
    /// From when: since it was stopped, or else since its last record.
    pub from: Utc,
    /// Up to when it started; absent where that is not on record.
    pub to: Option<Utc>,
    /// Whether it was stopped in good order. If not, it was down for at most this time.
    pub stopped: bool,
}

/// A policy that came into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyLoad {
    /// When that was.
    pub at: Utc,
    /// The digest of its files.
    pub digest: Digest,
    /// Who loaded it, by uid and login uid; absent where jitd did by itself.
    pub actor: Option<Actor>,
    /// The names of its files.
    pub files: Vec<String>,
    /// What it changes, in words.
    pub changes: Vec<String>,
    /// If it was on trial, what came of it.
    pub trial: Option<Trial>,
    /// Whose doing it was, and what they said.
    #[serde(flatten)]
    pub word: PolicyWord,
}

/// What came of a policy on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trial {
    /// It is on trial.
    Running,
    /// Somebody confirmed it.
    Confirmed,
    /// It was taken back.
    Reverted,
}

/// Policy files that did not load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyFailed {
    /// When that was.
    pub at: Utc,
    /// The first error.
    pub error: String,
    /// How many there were.
    pub errors: usize,
}

/// A policy that came into force over the heads of its approvers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyOverridden {
    /// When that was.
    pub at: Utc,
    /// The policy that came into force.
    pub digest: Digest,
    /// Who did it.
    pub by: UserName,
    /// Why, as they said.
    pub reason: Reason,
    /// Who of the approvers acknowledged it; absent as long as nobody has.
    pub acknowledged: Option<Acknowledged>,
}

/// An approver's word that they know of an override.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Acknowledged {
    /// When that was.
    pub at: Utc,
    /// Who said it.
    pub by: UserName,
}

/// A time in which the clock was not believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockIncident {
    /// When that was noticed, by that clock.
    pub at: Utc,
    /// `behind` or `ahead`.
    pub why: &'static str,
    /// What the clock should have said.
    pub expected: Utc,
    /// When it was believed again.
    pub until: Option<Utc>,
    /// By what: `accepted` by an admin, `returned`, or `synchronised`.
    pub by: Option<&'static str>,
    /// What the admin said.
    pub reason: Option<Reason>,
}

/// A lock that was set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LockSet {
    /// When that was.
    pub at: Utc,
    /// What it shuts.
    pub scope: Scope,
    /// Who set it.
    pub by: UserName,
    /// What those who are refused see.
    pub message: Option<Reason>,
    /// When it was lifted, replaced or ran out.
    pub until: Option<Utc>,
}

/// Who came in while jitd could not answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recoveries {
    /// Each of them.
    pub logins: Vec<Recovery>,
    /// Notes of such logins that cannot be read.
    pub unread: u64,
}

/// A login by `recovery=`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// When, as the module wrote it down.
    pub at: Utc,
    /// Into which service.
    pub service: ServiceName,
    /// The account that was let in.
    pub account: UserName,
}

/// Logins that needed no window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stood {
    /// Why: `exempt`, `caller-is-root` or `observed`.
    pub why: &'static str,
    /// At an observed service, what it would have been.
    pub would: Option<&'static str>,
    /// At which service; absent of those that are counted as one.
    pub service: Option<ServiceName>,
    /// Who; absent as above.
    pub account: Option<UserName>,
    /// How many such logins.
    pub count: u64,
}

/// Checks that were answered `deny`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// For which reason.
    pub why: &'static str,
    /// How many such checks.
    pub count: u64,
}

/// What somebody did to the PAM files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PamTouched {
    /// When that was noticed.
    pub at: Utc,
    /// The files that something was done to.
    pub touched: Vec<String>,
    /// Services that asked jitd before and did not then.
    pub lost: Vec<String>,
}

/// Sessions that came in without asking for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Adopted {
    /// At which service.
    pub service: ServiceName,
    /// How many such sessions.
    pub count: u64,
}

/// Logins that jitd was not asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unasked {
    /// By which service.
    pub service: ServiceName,
    /// Who came in.
    pub account: UserName,
    /// How many such logins.
    pub count: u64,
}

/// A checkpoint on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Checkpointed {
    /// When it was made.
    pub at: Utc,
    /// How many records it covers.
    pub size: u64,
    /// How many seconds before the end of the log, or of the period.
    pub age_seconds: u64,
}

type StoodKey = (&'static str, Option<&'static str>, Option<(ServiceName, UserName)>);

/// What is learned of the host, record by record.
#[derive(Debug, Default)]
pub(crate) struct HostFold {
    seen: Coverage,
    stood: BTreeMap<StoodKey, u64>,
    denied: BTreeMap<&'static str, u64>,
    adopted: BTreeMap<ServiceName, u64>,
    unasked: BTreeMap<(ServiceName, UserName), u64>,
    /// When the last record was written, and whether jitd had stopped by then.
    last: Option<(Utc, bool)>,
    checkpoint: Option<(Utc, u64)>,
    carried: Option<(Utc, u64)>,
    name: Option<String>,
    recovering: Vec<Recovers>,
}

impl HostFold {
    /// The host's name, as its key or a request for it has it.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whom PAM files let in while jitd does not answer.
    pub(crate) fn recovering(&self) -> Vec<Recovers> {
        self.recovering.clone()
    }

    /// What is wrong now and not right again.
    pub(crate) fn is_down(&self) -> bool {
        self.last.is_some_and(|(_, stopped)| stopped)
    }

    pub(crate) fn take(&mut self, record: &Record, period: Period) {
        let at = record.at.wall;
        let counts = period.has(at);
        if matches!(record.event, Event::Started { .. }) {
            self.started(at, counts);
        }
        self.log(record, counts);
        self.policy(record);
        self.overridden(record);
        self.pam(record, counts);
        self.clock(record);
        self.lock(record);
        if counts {
            self.count(&record.event);
        }
        self.last = Some((at, matches!(record.event, Event::Stopped)));
    }

    /// Whose the log is, and how far a checkpoint covers it.
    fn log(&mut self, record: &Record, counts: bool) {
        if let Event::Requested { request } = &record.event {
            self.name.get_or_insert_with(|| request.host.to_string());
        } else if let Event::HostKey { key, before } = &record.event {
            let name = key.name().as_str();
            self.name = Some(name.strip_suffix("/jitd").unwrap_or(name).to_owned());
            self.seen.keys_replaced += u64::from(counts && before.is_some());
        } else if let Event::Checkpoint { signed } = &record.event {
            self.checkpoint = Some((record.at.wall, signed.checkpoint.size));
        } else if let Event::CheckpointCarried { size, .. } = &record.event {
            self.carried = Some((record.at.wall, *size));
        }
    }

    /// What is counted, or listed, of the period alone.
    fn count(&mut self, event: &Event) {
        if let Event::Denied { why, count, .. } = event {
            *self.denied.entry(why.as_str()).or_default() += u64::from(count.get());
        } else if let Event::Unmanaged { why, would, count, login, .. } = event {
            self.stood_aside(*why, *would, login, u64::from(count.get()));
        } else if let Event::OrderRefused { count, .. } = event {
            self.seen.orders_refused += u64::from(count.get());
        } else if let Event::SessionAdopted { login, .. } = event {
            *self.adopted.entry(login.service.clone()).or_default() += 1;
        } else if let Event::Unasked(UnaskedLogins { count, login, .. }) = event {
            let key = (login.service.clone(), login.user.clone());
            *self.unasked.entry(key).or_default() += u64::from(count.get());
        } else if let Event::Recovered(RecoveredLogin { at, service, user }) = event {
            let at = Utc::from_unix_millis(at.saturating_mul(1000));
            let login = Recovery { at, service: service.clone(), account: user.clone() };
            self.seen.recoveries.logins.push(login);
        }
        self.seen.recoveries.unread += u64::from(matches!(event, Event::RecoveryUnread(_)));
        self.seen.unbound += u64::from(matches!(event, Event::SessionUnbound { .. }));
        self.seen.sessions_refused += u64::from(matches!(event, Event::SessionRefused { .. }));
        self.seen.signatures_refused += u64::from(matches!(event, Event::SignatureRefused { .. }));
    }

    /// PAM files that somebody touched, and services that ask jitd no more.
    fn pam(&mut self, record: &Record, counts: bool) {
        let Event::PamFiles(files) = &record.event else { return };
        let is_news = !files.touched.is_empty() || files.lost != self.seen.pam_lost;
        self.seen.pam_lost.clone_from(&files.lost);
        self.recovering = recovering(&files.files);
        if counts && is_news {
            let (touched, lost) = (files.touched.clone(), files.lost.clone());
            self.seen.pam_files.push(PamTouched { at: record.at.wall, touched, lost });
        }
    }

    fn started(&mut self, at: Utc, counts: bool) {
        if let Some((from, stopped)) = self.last {
            self.seen.downs.push(Down { from, to: Some(at), stopped });
        }
        self.seen.starts += u64::from(counts);
    }

    fn stood_aside(&mut self, why: Why, would: Option<Why>, login: &Login, count: u64) {
        let (why, would) = (why.as_str(), would.map(Why::as_str));
        let key = (why, would, Some((login.service.clone(), login.user.clone())));
        let key = if self.stood.len() < MOST_STOOD || self.stood.contains_key(&key) {
            key
        } else {
            (why, would, None)
        };
        *self.stood.entry(key).or_default() += count;
    }

    fn policy(&mut self, record: &Record) {
        let at = record.at.wall;
        let load = |digest: &Digest, files: &[PolicyText]| PolicyLoad {
            at,
            digest: *digest,
            actor: record.actor,
            files: files.iter().map(|file| file.name.clone()).collect(),
            changes: Vec::new(),
            trial: None,
            word: PolicyWord::default(),
        };
        if let Event::PolicyLoaded { digest, files, diff, trial, word, .. } = &record.event {
            let changes = diff.as_ref().map(|diff| diff.lines.clone()).unwrap_or_default();
            let trial = trial.map(|_| Trial::Running);
            self.seen.policies.push(PolicyLoad { changes, trial, word: word.clone(), ..load(digest, files) });
        } else if let Event::PolicyConfirmed { digest } = &record.event {
            self.tried(*digest, Trial::Confirmed);
        } else if let Event::PolicyReverted { tried, digest, files, .. } = &record.event {
            self.tried(*tried, Trial::Reverted);
            self.seen.policies.push(load(digest, files));
        } else if let Event::PolicyRefused { error, errors } = &record.event {
            self.seen.policies_refused.push(PolicyFailed { at, error: error.clone(), errors: *errors });
        }
    }

    fn overridden(&mut self, record: &Record) {
        let at = record.at.wall;
        if let Event::PolicyOverride { what } = &record.event {
            self.seen.policy_overrides.push(PolicyOverridden {
                at,
                digest: what.digest,
                by: what.by.name.clone(),
                reason: what.reason.clone(),
                acknowledged: None,
            });
        } else if let Event::PolicyReviewed { digest, by, decision: Decision::Approve, .. } = &record.event {
            // One that another override replaced is nobody's to acknowledge any more, as jitd has it.
            let last = self.seen.policy_overrides.last_mut();
            if let Some(done) = last.filter(|done| done.digest == *digest && done.acknowledged.is_none()) {
                done.acknowledged = Some(Acknowledged { at, by: by.name.clone() });
            }
        }
    }

    fn tried(&mut self, digest: Digest, came: Trial) {
        let load = self.seen.policies.iter_mut().rev().find(|load| load.digest == digest);
        if let Some(load) = load.filter(|load| load.trial.is_some()) {
            load.trial = Some(came);
        }
    }

    fn clock(&mut self, record: &Record) {
        let at = record.at.wall;
        if let Event::ClockSuspect { why, expected, .. } = &record.event {
            let (why, expected) = (why.as_str(), *expected);
            self.seen.clock.push(ClockIncident { at, why, expected, until: None, by: None, reason: None });
        }
        let (by, reason) = if let Event::ClockAccepted { reason, .. } = &record.event {
            ("accepted", reason.clone())
        } else if let Event::ClockRecovered { by, .. } = &record.event {
            (by.as_str(), None)
        } else {
            return;
        };
        // One that was suspect for one reason and then for another is believed again at once.
        for incident in self.seen.clock.iter_mut().rev().take_while(|incident| incident.until.is_none()) {
            (incident.until, incident.by, incident.reason) = (Some(at), Some(by), reason.clone());
        }
    }

    fn lock(&mut self, record: &Record) {
        let at = record.at.wall;
        let scope = if let Event::Locked { lock, .. } = &record.event {
            &lock.scope
        } else if let Event::Unlocked { scope, .. } = &record.event {
            scope
        } else {
            return;
        };
        let held = self.seen.locks.iter_mut().rev().find(|lock| lock.scope == *scope);
        if let Some(held) = held.filter(|lock| lock.until.is_none()) {
            held.until = Some(at);
        }
        if let Event::Locked { lock, .. } = &record.event {
            self.seen.locks.push(LockSet {
                at,
                scope: lock.scope.clone(),
                by: lock.by.name.clone(),
                message: lock.message.clone(),
                until: None,
            });
        }
    }

    /// What there was in the period, seen at its end.
    pub(crate) fn finish(self, period: Period, as_of: Option<Utc>) -> Coverage {
        let mut seen = self.seen;
        let touches =
            |from: Utc, to: Option<Utc>| to.is_none_or(|to| !period.is_before(to)) && !period.is_behind(from);
        if let Some((from, true)) = self.last {
            seen.downs.push(Down { from, to: None, stopped: true });
        }
        seen.downs.retain(|down| touches(down.from, down.to));
        seen.clock.retain(|incident| touches(incident.at, incident.until));
        seen.locks.retain(|lock| touches(lock.at, lock.until));
        seen.policies.retain(|load| period.has(load.at));
        seen.policy_overrides.retain(|done| touches(done.at, done.acknowledged.as_ref().map(|by| by.at)));
        seen.policies_refused.retain(|failed| period.has(failed.at));
        let stood = self.stood.into_iter().map(|((why, would, who), count)| {
            let (service, account) = who.unzip();
            Stood { why, would, service, account, count }
        });
        seen.stood_aside = stood.collect();
        seen.denied = self.denied.into_iter().map(|(why, count)| Refused { why, count }).collect();
        seen.adopted = self.adopted.into_iter().map(|(service, count)| Adopted { service, count }).collect();
        let unasked = self.unasked.into_iter();
        seen.unasked =
            unasked.map(|((service, account), count)| Unasked { service, account, count }).collect();
        let aged = |(at, size): (Utc, u64)| Checkpointed {
            at,
            size,
            age_seconds: as_of.map_or(0, |end| end.since(at).as_secs()),
        };
        seen.checkpoint = self.checkpoint.map(aged);
        seen.carried = self.carried.map(aged);
        seen
    }
}
