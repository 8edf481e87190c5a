//! What policy is in force: loading it, and what others ask about it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jit_core::event::Event;
use jit_core::model::{Actor, PolicyWord};
use jit_core::orders::NoChange;
use jit_core::orders::policy_change::{self, Course, Way, may_be_found};
use jit_core::orders::trial::{may_load, went_back};
use jit_core::policy::{Policy, Subject};
use jit_core::time::Moment;
use jit_host::files::{Owner, read_policy_dir};
use jit_proto::words::{GroupName, Reason};

use super::in_force::{
    InForce, NotLoaded, ReadPolicy, Source, loaded_event, not_approved, override_event, proposed_event,
    read_policy,
};
use super::looked::{Looked, Word};
use super::not_done::NotDone;
use super::on_trial::{Load, OnTrial};
use super::outage::CannotDecide;
use super::room::{Desk, Open, Room};
use super::trial;
use crate::store::writer::Ticket;

/// Who orders that policy be loaded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoadedBy<'a> {
    pub(crate) looked: &'a Looked,
    pub(crate) trust: Word,
    pub(crate) actor: Actor,
    /// What they say of it.
    pub(crate) reason: Option<&'a Reason>,
    /// Whether those are asked who would have to approve it.
    pub(crate) way: Way,
    /// What this host said against it and they passed over.
    pub(crate) forced: &'a [String],
}

impl LoadedBy<'_> {
    /// What the record says of them.
    pub(super) fn word(self) -> PolicyWord {
        let (by, reason) = (Some(self.looked.caller().person()), self.reason.cloned());
        PolicyWord { by, reason, forced: self.forced.to_vec(), ..PolicyWord::default() }
    }
}

/// A policy that comes into force.
pub(super) struct Coming<'a> {
    pub(super) policy: &'a Policy,
    pub(super) warnings: &'a [String],
    pub(super) load: Load,
    pub(super) word: PolicyWord,
    pub(super) actor: Option<Actor>,
}

impl Desk {
    /// Reads the policy files, without a look at what is in force.
    pub(crate) fn read_policy(&self) -> ReadPolicy {
        read_policy(&self.policy_dir)
    }

    /// Puts policy files that were read in force, or keeps what is in force and says what is wrong. Nothing is
    /// written when they are in force already.
    pub(crate) fn load_policy(
        &self,
        read: &ReadPolicy,
        load: Load,
        by: Option<LoadedBy<'_>>,
    ) -> Result<Result<Option<Ticket>, NotLoaded>, NotDone> {
        if let Err(why) = trial::can_be_confirmed(load) {
            return Ok(Err(why.into()));
        }
        self.with_policy(|open, now| {
            if let Some(by) = by {
                self.may_load(open, now, by.looked, by.trust)?;
            }
            Ok(self.load(open, now, read, load, by)?)
        })
    }

    /// Whether somebody may load policy. With no policy at all nobody is an admin: then root may load the first one.
    fn may_load(&self, open: &Open, now: &Moment, by: &Looked, word: Word) -> Result<(), NotDone> {
        match open.policy_in_force() {
            Ok(known) => {
                let here = self.here(&known.policy, open, now);
                by.judged(here, word, &|here, caller| here.admin(caller))
            }
            Err(_) if by.caller().account.uid.is_root() => Ok(()),
            Err(none) => Err(none.into()),
        }
    }

    fn load(
        &self,
        open: &mut Open,
        now: &Moment,
        read: &ReadPolicy,
        load: Load,
        by: Option<LoadedBy<'_>>,
    ) -> Result<Result<Option<Ticket>, NotLoaded>, CannotDecide> {
        let actor = by.map(|by| by.actor);
        match read {
            Ok((policy, warnings)) => {
                let in_force = open.policy.as_ref().map(|known| &*known.policy);
                if let Err(why) = may_load(&open.state, in_force, policy, load.limit(), now) {
                    return Ok(Err(why.into()));
                }
                let same = in_force.is_some_and(|known| known.digest() == policy.digest());
                if load == Load::Signal && !same && went_back(&open.state, policy.digest()) {
                    return Ok(Err(NotLoaded::WentBack));
                }
                if same {
                    Self::renew(open, now, policy, warnings);
                    return Ok(Ok(None));
                }
                let course = match self.course(open, now, by) {
                    Ok(course) => course,
                    Err(why) => {
                        if by.is_none() {
                            // Somebody put them there; nobody waits for the record.
                            drop(self.commit(open, actor, now, vec![not_approved(&why)])?);
                        }
                        return Ok(Err(why.into()));
                    }
                };
                // Loaded again, it goes on waiting with the approvals that it has.
                let waiting = open.state.policy_changes().waiting.as_ref();
                let again = waiting.is_some_and(|waiting| {
                    let forced = by.map_or(&[][..], |by| by.forced);
                    waiting.is_again(policy.digest(), load.limit()) && waiting.proposal.forced == forced
                });
                if course == Course::Waits && again {
                    return Ok(Ok(None));
                }
                let ticket = match (course, open.policy.as_ref(), by) {
                    (Course::Waits, Some(before), Some(by)) => {
                        let event = proposed_event(policy, &before.policy, load.limit(), by.word());
                        self.commit(open, actor, now, event.into_iter().collect())?
                    }
                    (course, before, by) => {
                        let overrides = before.zip(by).filter(|_| course == Course::Overrides);
                        let more = overrides
                            .and_then(|(before, by)| override_event(policy, &before.policy, by.word()));
                        let word = by.map(LoadedBy::word).unwrap_or_default();
                        self.comes_into_force(
                            open,
                            now,
                            Coming { policy, warnings, load, word, actor },
                            more,
                        )?
                    }
                };
                Ok(Ok(Some(ticket)))
            }
            Err(bad) => {
                if let Some(known) = open.policy.as_mut().filter(|_| !bad.sound) {
                    known.source = Source::Store;
                }
                // Recorded; nobody waits for it.
                drop(self.commit(open, actor, now, vec![bad.event()])?);
                Ok(Err(bad.clone().into()))
            }
        }
    }

    /// What becomes of files that are not in force.
    fn course(&self, open: &Open, now: &Moment, by: Option<LoadedBy<'_>>) -> Result<Course, NoChange> {
        let Some(known) = &open.policy else { return Ok(Course::AtOnce) };
        match by {
            None => may_be_found(&known.policy).map(|()| Course::AtOnce),
            Some(by) => {
                let here = self.here(&known.policy, open, now);
                policy_change::course(here, &by.looked.caller(), by.way, by.reason)
            }
        }
    }

    /// The files are what is in force: where it was read and what is said of it may be new.
    pub(super) fn renew(open: &mut Open, now: &Moment, policy: &Policy, warnings: &[String]) {
        let at = open.policy.as_ref().map_or(now.wall, |known| known.at);
        open.policy = Some(InForce::new(policy.clone(), at, Source::Files, warnings.to_vec()));
    }

    /// Puts a policy in force, with what else is on record of that.
    pub(super) fn comes_into_force(
        &self,
        open: &mut Open,
        now: &Moment,
        coming: Coming<'_>,
        more: Option<Event>,
    ) -> Result<Ticket, CannotDecide> {
        let Coming { policy, warnings, load, word, actor } = coming;
        let before = open.policy.as_ref().map(|known| &*known.policy);
        let event = loaded_event(policy, before, load.limit(), word);
        let ticket = self.commit(open, actor, now, more.into_iter().chain([event]).collect())?;
        let new = Some(InForce::new(policy.clone(), now.wall, Source::Files, warnings.to_vec()));
        let before = std::mem::replace(&mut open.policy, new);
        if load.limit().is_some() {
            open.trial = OnTrial::of_what_replaces(before);
        }
        Ok(ticket)
    }

    /// The policy in force, for whoever shows it.
    pub(crate) fn policy(&self) -> Result<InForce, CannotDecide> {
        self.with_policy(|open, _| open.policy_in_force().cloned())
    }

    /// The policy that another would take the place of, if there is one.
    pub(crate) fn before(&self) -> Option<Arc<Policy>> {
        self.policy().ok().map(|known| known.policy)
    }

    /// The groups that the policy in force or a lock names; the only ones worth looking up.
    pub(crate) fn groups(&self) -> Arc<BTreeSet<GroupName>> {
        match &*self.enter() {
            Room::Open(open) => open.groups(),
            Room::Opening(_) | Room::Down(_) => Arc::default(),
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
        let Ok(files) = read_policy_dir(&self.policy_dir, Owner::Root) else { return false };
        self.policy().is_ok_and(|known| known.policy.files() == files)
    }
}

impl Open {
    /// The groups that the policy in force or a lock names.
    pub(super) fn groups(&self) -> Arc<BTreeSet<GroupName>> {
        let Some(known) = &self.policy else { return Arc::default() };
        let locked: BTreeSet<_> = self.state.locked_groups().cloned().collect();
        if locked.is_subset(&known.groups) {
            return Arc::clone(&known.groups);
        }
        Arc::new(&*known.groups | &locked)
    }
}
