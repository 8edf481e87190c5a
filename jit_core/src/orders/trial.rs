//! A policy on trial: in force for a limited time, and replaced by the one before it unless somebody confirms it. So a
//! policy that locks its author out does so for minutes.
//!
//! Only a login that passed a check since the trial began can confirm: a connection that was open before does not show
//! that people can still log in. Whatever ends jitd meanwhile (a crash, a restart, a reboot) ends the
//! trial as well, and the policy before it is back. After that the files on disk are still those that went back, and
//! no start takes them again: only whoever loads them does.

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{Verdict, subject_is_caller};

use crate::digest::Digest;
use crate::duration::Human;
use crate::model::{LoginSession, Question, Trial, Tried};
use crate::policy::Policy;
use crate::state::State;
use crate::time::Moment;

/// The shortest trial: less, and nobody could log in anew meanwhile.
pub const SHORTEST: Duration = Duration::from_secs(10);

/// The longest trial.
pub const LONGEST: Duration = Duration::from_hours(24);

/// Why a trial does not begin, or is not confirmed. Each text says what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTrial {
    /// One runs already.
    #[error(
        "a policy is on trial for another {0}: log in anew and type 'jitctl confirm' there to keep it, or wait until \
         the one before it is back; 'systemctl restart jitd' goes back at once"
    )]
    Running(Human),
    /// Shorter or longer than a trial can be.
    #[error("a trial lasts from {shortest} to {longest}, not {0}", shortest = Human(SHORTEST), longest = Human(LONGEST))]
    Length(Human),
    /// Nothing to go back to.
    #[error("there is no policy in force to go back to; load the first one without --try")]
    NothingBefore,
    /// Nothing to try.
    #[error("the files are in force already, so there is nothing to try")]
    InForce,
    /// The kernel tells no login sessions.
    #[error("this kernel does not tell logins apart, so nothing could confirm a trial; load without --try")]
    Untold,
    /// There is nothing to confirm.
    #[error("no policy is on trial, so there is nothing to confirm; 'jitctl status' says what is in force")]
    NoneRuns,
    /// The caller has no login.
    #[error(
        "this process belongs to no login, so it proves nothing; log in anew, by ssh or at the console, and type \
         there: jitctl confirm"
    )]
    NoLogin,
    /// The caller's login is older than the trial.
    #[error(
        "this login did not pass a check since the trial began, so it proves nothing; keep it open, log in anew, by \
         ssh or at the console, and type there: jitctl confirm"
    )]
    OldLogin,
}

/// The logins that have passed a check since the trial began. In memory alone: whatever forgets them ends the trial.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewLogins(BTreeSet<LoginSession>);

/// More logins than this in one trial are not kept: one is enough.
const MOST_LOGINS: usize = 4096;

impl NewLogins {
    /// Keeps the login that opens its session with this answer. One that was refused proves nothing, and neither
    /// do su and sudo: they open no login, but run in one that may be as old as it likes.
    pub fn note(&mut self, question: &Question, verdict: Verdict, session: LoginSession) {
        let opens = question.stage == Stage::Session && !subject_is_caller(&question.login.service);
        let in_there = verdict != Verdict::Deny;
        if opens && in_there && question.caller_uid.is_root() && self.0.len() < MOST_LOGINS {
            self.0.insert(session);
        }
    }
}

/// The trial that runs.
#[must_use]
pub fn running(state: &State) -> Option<&Trial> {
    match state.tried() {
        Some(Tried::Running(trial)) => Some(trial),
        Some(Tried::WentBack { .. }) | None => None,
    }
}

/// The trial that is over by now without having been confirmed, if that is so.
#[must_use]
pub fn over<'s>(state: &'s State, now: &Moment) -> Option<&'s Trial> {
    running(state).filter(|trial| trial.remaining(now).is_zero())
}

/// How long until a running trial is over.
#[must_use]
pub fn next(state: &State, now: &Moment) -> Option<Duration> {
    running(state).map(|trial| trial.remaining(now))
}

/// Whether these files are those of a trial that went back.
#[must_use]
pub fn went_back(state: &State, digest: Digest) -> bool {
    matches!(state.tried(), Some(Tried::WentBack { digest: gone, .. }) if *gone == digest)
}

/// Whether a policy may come into force now, for good or on trial.
pub fn may_load(
    state: &State,
    in_force: Option<&Policy>,
    new: &Policy,
    limit: Option<Duration>,
    now: &Moment,
) -> Result<(), NoTrial> {
    if let Some(trial) = running(state) {
        return Err(NoTrial::Running(Human(whole(trial.remaining(now)))));
    }
    let Some(limit) = limit else { return Ok(()) };
    if !(SHORTEST..=LONGEST).contains(&limit) {
        return Err(NoTrial::Length(Human(limit)));
    }
    match in_force {
        None => Err(NoTrial::NothingBefore),
        Some(old) if old.digest() == new.digest() => Err(NoTrial::InForce),
        Some(_) => Ok(()),
    }
}

/// Whether this login may confirm the trial that runs; which policy then stays.
pub fn confirm(state: &State, logins: &NewLogins, session: Option<LoginSession>) -> Result<Digest, NoTrial> {
    let trial = running(state).ok_or(NoTrial::NoneRuns)?;
    let session = session.ok_or(NoTrial::NoLogin)?;
    if logins.0.contains(&session) { Ok(trial.digest) } else { Err(NoTrial::OldLogin) }
}

/// Up to the next second, so that nobody is told that a trial which runs has nothing left.
fn whole(left: Duration) -> Duration {
    Duration::from_secs(left.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX))
}
