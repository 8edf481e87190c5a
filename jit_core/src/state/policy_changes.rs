//! The policy that waits for approvals, and the override that waits to be acknowledged.

use super::{Row, State};
use crate::event::{Event, Record};
use crate::model::{Decision, Overridden, Proposed};

impl State {
    /// Another policy is in force: what waited was compared with the one before, and approved by its people. `serial` is
    /// that of a signed one.
    pub(super) fn nothing_waits(&mut self, serial: Option<u64>) -> Option<Row> {
        let changes = &mut self.policy_changes;
        let waited = changes.waiting.take().is_some();
        changes.serial = serial.max(changes.serial);
        (waited || serial.is_some()).then(|| Row::PolicyChanges(changes.clone()))
    }

    pub(super) fn change_policy(&mut self, record: &Record) -> Vec<Row> {
        let (changes, at) = (&mut self.policy_changes, record.at.wall);
        if let Event::PolicyProposed { proposal } = &record.event {
            changes.waiting = Some(Proposed { proposal: proposal.clone(), at, approved: Vec::new() });
        } else if let Event::PolicyOverride { what } = &record.event {
            changes.overridden = Some(Overridden { what: what.clone(), at });
        } else if let Event::PolicyReviewed { digest, by, decision, .. } = &record.event {
            let acknowledges = changes.overridden.as_ref().is_some_and(|done| done.what.digest == *digest);
            let waits = changes.waiting.as_mut().filter(|waiting| waiting.proposal.digest == *digest);
            match (decision, waits) {
                (Decision::Approve, _) if acknowledges => changes.overridden = None,
                (Decision::Approve, Some(waiting)) => waiting.approved.push(by.clone()),
                (Decision::Deny, Some(_)) => changes.waiting = None,
                (Decision::Approve | Decision::Deny, None) => return Vec::new(),
            }
        }
        vec![Row::PolicyChanges(changes.clone())]
    }
}
