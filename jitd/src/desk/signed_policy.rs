//! A policy that was signed elsewhere at the desk (see [`jit_core::orders::signed_policy`]).

use std::sync::Arc;

use jit_core::model::{Evidence, Person, PolicyWord};
use jit_core::orders::review::Lookups;
use jit_core::orders::signed_policy::{Signed, take};
use jit_core::orders::trial::may_load;
use jit_core::policy::Principal;
use jit_core::sign::policy::Manifest;
use jit_core::time::Utc;

use super::in_force::{NotLoaded, ReadPolicy};
use super::not_done::NotDone;
use super::on_trial::Load;
use super::policy::{Coming, LoadedBy};
use super::room::Desk;
use crate::store::writer::Ticket;

/// What was brought, with signatures that are good.
#[derive(Debug)]
pub(crate) struct Brought {
    /// What was signed.
    pub(crate) manifest: Manifest,
    /// Whose keys signed, with the proof of each.
    pub(crate) signers: Vec<(Vec<Principal>, Evidence)>,
    /// The later of the wall clock and its mark.
    pub(crate) at: Utc,
}

/// What was put in force, if that is on its way to the disk, and whose signatures counted.
pub(crate) type Taken = (Option<Ticket>, Vec<Person>);

impl Desk {
    /// Puts the policy files in force, which were signed elsewhere, and says whose signatures counted.
    pub(crate) fn load_signed_policy(
        &self,
        read: &ReadPolicy,
        brought: &Brought,
        lookups: &Lookups,
        by: LoadedBy<'_>,
    ) -> Result<Result<Taken, NotLoaded>, NotDone> {
        self.with_policy(|open, now| {
            let in_force = Arc::clone(&open.policy_in_force()?.policy);
            let here = self.here(&in_force, open, now);
            by.looked.judged(here, by.trust, &|here, caller| here.admin(caller))?;
            let (policy, warnings) = match read {
                Ok((policy, warnings)) => (policy, warnings),
                Err(bad) => return Ok(Err(bad.clone().into())),
            };
            if let Err(why) = may_load(&open.state, Some(&in_force), policy, None, now) {
                return Ok(Err(why.into()));
            }
            let Brought { manifest, signers, at } = brought;
            let signed = Signed { manifest, signers, files: policy.files(), at: *at };
            let (approved, proof) =
                by.looked.judged(here, by.trust, &|here, caller| take(here, caller, signed, lookups))?;
            if policy.digest() == in_force.digest() {
                Self::renew(open, now, policy, warnings);
                return Ok(Ok((None, approved)));
            }
            let word = PolicyWord { approved: approved.clone(), signed: Some(proof), ..by.word() };
            let coming = Coming { policy, warnings, load: Load::Order, word, actor: Some(by.actor) };
            Ok(Ok((Some(self.comes_into_force(open, now, coming, None)?), approved)))
        })
    }
}
