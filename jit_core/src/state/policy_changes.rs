//! Which policy is in force, on trial, or waits for approvals, and the override that waits to be acknowledged.

use std::time::Duration;

use super::{Row, State};
use crate::digest::Digest;
use crate::event::{Event, PolicyText, Record};
use crate::model::{Decision, Overridden, Person, Proposed, Trial, Tried};
use crate::time::Utc;

impl State {
    /// What an event about policy changes; any other changes nothing.
    pub(super) fn change_policy(&mut self, record: &Record) -> Vec<Row> {
        let at = record.at.wall;
        if let Event::PolicyLoaded { digest, files, before, trial, word, .. } = &record.event {
            let running = trial.zip(*before).map(|(seconds, before)| {
                let limit = Duration::from_secs(seconds);
                Tried::Running(Trial { digest: *digest, before, since: record.at.clone(), limit })
            });
            let serial = word.signed.as_ref().map(|signed| signed.serial);
            return self.comes_into_force((*digest, at, files), running, serial);
        }
        if let Event::PolicyConfirmed { .. } = &record.event {
            return self.settle(None).into_iter().collect();
        }
        if let Event::PolicyReverted { tried, digest, files, .. } = &record.event {
            let tried = Some(Tried::WentBack { digest: *tried, at });
            return self.comes_into_force((*digest, at, files), tried, None);
        }
        if let Event::PolicyProposed { proposal } = &record.event {
            let proposal = proposal.clone();
            self.policy_changes.waiting = Some(Proposed { proposal, at, approved: Vec::new() });
        } else if let Event::PolicyOverride { what } = &record.event {
            self.policy_changes.overridden = Some(Overridden { what: what.clone(), at });
        } else if let Event::PolicyReviewed { digest, by, decision, .. } = &record.event {
            self.review_policy(*digest, by, *decision);
        }
        vec![Row::PolicyChanges(self.policy_changes.clone())]
    }

    fn review_policy(&mut self, digest: Digest, by: &Person, decision: Decision) {
        let changes = &mut self.policy_changes;
        let acknowledges = changes.overridden.as_ref().is_some_and(|done| done.what.digest == digest);
        let waits = changes.waiting.as_mut().filter(|waiting| waiting.proposal.digest == digest);
        match (decision, waits) {
            (Decision::Approve, _) if acknowledges => changes.overridden = None,
            (Decision::Approve, Some(waiting)) => waiting.approved.push(by.clone()),
            (Decision::Deny, Some(_)) => changes.waiting = None,
            (Decision::Approve | Decision::Deny, None) => {}
        }
    }

    fn comes_into_force(
        &mut self,
        (digest, at, files): (Digest, Utc, &[PolicyText]),
        tried: Option<Tried>,
        serial: Option<u64>,
    ) -> Vec<Row> {
        let policy = Row::Policy { digest, at, files: files.to_vec() };
        [policy].into_iter().chain(self.settle(tried)).chain(self.nothing_waits(serial)).collect()
    }

    fn settle(&mut self, tried: Option<Tried>) -> Option<Row> {
        let changed = self.tried != tried;
        self.tried.clone_from(&tried);
        changed.then_some(Row::Tried(tried))
    }

    /// Another policy is in force: what waited was compared with the one before, and approved by its people. `serial` is
    /// that of a signed one.
    fn nothing_waits(&mut self, serial: Option<u64>) -> Option<Row> {
        let changes = &mut self.policy_changes;
        let waited = changes.waiting.take().is_some();
        changes.serial = serial.max(changes.serial);
        (waited || serial.is_some()).then(|| Row::PolicyChanges(changes.clone()))
    }
}
