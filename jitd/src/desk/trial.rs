//! Policies on trial at the desk: what comes back, and who has come in since (see [`jit_core::orders::trial`]).

use std::time::Duration;

use jit_core::check::decide::Answer;
use jit_core::event::Event;
use jit_core::model::{Actor, BackWhy, LoginSession, Question};
use jit_core::orders::trial::{self, NoTrial};
use jit_core::time::{Moment, Utc};

use super::in_force::{InForce, Source, texts};
use super::looked::{Looked, Word};
use super::not_done::NotDone;
use super::on_trial::{Load, OnTrial};
use super::outage::CannotDecide;
use super::room::{Desk, Open};
use crate::log;
use crate::peer::kernel_tells_loginuid;
use crate::store::writer::Ticket;

impl Desk {
    /// Keeps the policy on trial, on the word of somebody who came in under it.
    pub(crate) fn confirm_policy(&self, by: &Looked, word: Word, actor: Actor) -> Result<Ticket, NotDone> {
        self.with_policy(|open, now| {
            let policy = std::sync::Arc::clone(&open.policy_in_force()?.policy);
            let here = self.here(&policy, open, now);
            by.judged(here, word, &|here, caller| here.admin(caller))?;
            let session = session_of(actor);
            let digest = trial::confirm(&open.state, &open.trial.logins, session).map_err(NotDone::Trial)?;
            let ticket = self.commit(open, Some(actor), now, vec![Event::PolicyConfirmed { digest }])?;
            open.trial = OnTrial::default();
            Ok(ticket)
        })
    }

    /// When the trial that runs is over by the wall clock, and how much of it is left.
    pub(crate) fn trial(&self) -> Option<(Utc, Duration)> {
        let left = self.with_policy(|open, now| {
            Ok::<_, CannotDecide>(trial::next(&open.state, now).map(|left| (now.wall.plus(left), left)))
        });
        left.ok().flatten()
    }

    /// Puts the policy before the trial in force again where the trial is over. Everything that asks passes here
    /// first, so that a policy on trial decides nothing beyond its time.
    pub(super) fn end_trial(&self, open: &mut Open, now: &Moment) -> Result<(), CannotDecide> {
        let Some(trial) = trial::over(&open.state, now) else { return Ok(()) };
        let tried = trial.digest;
        let before = open.trial.before.as_ref().ok_or_else(|| {
            CannotDecide::Lasting(
                "the policy before the trial is not known; run: systemctl restart jitd".into(),
            )
        })?;
        let policy = std::sync::Arc::clone(&before.policy);
        let event = Event::PolicyReverted {
            why: BackWhy::Expired,
            tried,
            digest: policy.digest(),
            files: texts(&policy),
        };
        self.commit(open, None, now, vec![event]).map(drop)?;
        log::warning("nobody confirmed the policy on trial: the one before it is in force again");
        if let Some(before) = std::mem::take(&mut open.trial).before {
            open.policy = Some(InForce { at: now.wall, source: Source::Before, ..before });
        }
        Ok(())
    }
}

impl Open {
    /// Keeps in mind who comes in while a policy is on trial.
    pub(super) fn note_login(&mut self, question: &Question, answer: &Answer, actor: Actor) {
        if let (Some(_), Some(session)) = (trial::running(&self.state), session_of(actor)) {
            self.trial.logins.note(question, answer.verdict(), session);
        }
    }
}

/// Whether a trial could be confirmed at all on this kernel.
pub(super) fn can_be_confirmed(load: Load) -> Result<(), NoTrial> {
    if load.limit().is_some() && !kernel_tells_loginuid() { Err(NoTrial::Untold) } else { Ok(()) }
}

/// The login of a process, where it has one.
fn session_of(actor: Actor) -> Option<LoginSession> {
    let (uid, id) = actor.loginuid.zip(actor.session)?;
    Some(LoginSession { uid, id })
}
