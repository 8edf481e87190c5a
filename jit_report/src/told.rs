//! What somebody has to look at, in sentences, the gravest first.

use std::collections::BTreeMap;

use jit_core::policy::Policy;
use jit_core::time::Utc;
use jit_proto::words::ServiceName;

use crate::attest::Attestation;
use crate::host::{Adopted, Coverage, PolicyOverridden, Trial, Unasked};
use crate::log::LogRead;
use crate::roles::is_overdue;
use crate::rows::{Access, AccessState, Attention};

/// A checkpoint is made each hour while jitd runs: one that is older says that none was.
const OLD_CHECKPOINT: u64 = 24 * 3600;

/// What there can be to look at, the gravest first.
const ORDER: [&str; 24] = [
    "log-damaged",
    "log-missing",
    "host-key",
    "recovery",
    "recovery-unread",
    "left",
    "escape",
    "pam-lost",
    "unasked",
    "session-line",
    "unbound",
    "policy-override",
    "policy-forced",
    "overdue",
    "clock",
    "down",
    "policy-refused",
    "policy-trial",
    "policy-unread",
    "owed",
    "waiting",
    "checkpoint",
    "attest",
    "log-unread",
];

/// What a report is of, besides what it says.
pub(crate) struct Seen<'a> {
    pub(crate) as_of: Option<Utc>,
    pub(crate) policy: Option<&'a Policy>,
    /// There is a policy on record, and it is not understood here.
    pub(crate) is_unread: bool,
    /// jitd has stopped.
    pub(crate) is_down: bool,
}

impl Seen<'_> {
    /// What there is to look at.
    pub(crate) fn attention(
        &self,
        log: &LogRead,
        coverage: &Coverage,
        rows: &[Access],
        attestations: &[Attestation],
    ) -> Vec<Attention> {
        let mut told = Vec::new();
        of_the_log(log, &mut told);
        if self.is_unread {
            let text = "the policy in force is not understood by this jitctl: nothing is said of who may ask, and of standing access";
            tell(&mut told, "policy-unread", text.to_owned());
        }
        of_the_host(coverage, self.is_down, &mut told);
        of_logins_unasked(coverage, self.policy, &mut told);
        for row in rows {
            of_an_access(row, self.as_of, self.policy, &mut told);
        }
        let overdue = attestations.iter().filter(|one| one.overdue).count();
        if overdue > 0 {
            let text = format!(
                "whether people still need what they may ask for is overdue to be attested: {overdue}; see: jitctl report --attest"
            );
            tell(&mut told, "attest", text);
        }
        told.sort_by_key(|one| ORDER.iter().position(|what| *what == one.what));
        told
    }
}

fn tell(told: &mut Vec<Attention>, what: &'static str, text: String) {
    told.push(Attention { what, request: None, text });
}

fn of_the_log(log: &LogRead, told: &mut Vec<Attention>) {
    let LogRead { damaged, unread, missing, .. } = log;
    if *damaged > 0 {
        let text = format!("records that are not what was written: {damaged}; see: jitctl audit verify");
        tell(told, "log-damaged", text);
    }
    if *unread > 0 {
        tell(told, "log-unread", format!("records that cannot be read and are not in this: {unread}"));
    }
    if !missing.is_empty() {
        let count: u64 = missing.iter().map(|(first, last)| last - first + 1).sum();
        tell(told, "log-missing", format!("records that are missing from what was read: {count}"));
    }
}

fn of_the_host(coverage: &Coverage, is_down: bool, told: &mut Vec<Attention>) {
    let Coverage { recoveries, keys_replaced, adopted, unbound, clock, policies, checkpoint, .. } = coverage;
    if *keys_replaced > 0 {
        let text = format!("keys of the checkpoints that were replaced: {keys_replaced}; ask who did it");
        tell(told, "host-key", text);
    }
    let recovered = recoveries.logins.len();
    if recovered > 0 {
        let text = format!("logins by recovery=, while jitd could not answer: {recovered}");
        tell(told, "recovery", text);
    }
    if recoveries.unread > 0 {
        let text = format!("notes of such logins that cannot be read: {}", recoveries.unread);
        tell(told, "recovery-unread", text);
    }
    if !coverage.pam_lost.is_empty() {
        let services = coverage.pam_lost.join(", ");
        let text = format!("services whose PAM files asked jitd and do not any more: {services}");
        tell(told, "pam-lost", text);
    }
    for Adopted { service, count } in adopted {
        let text = format!(
            "sessions of {service} that did not ask: {count}; its PAM file has no session line of pam_jit.so"
        );
        tell(told, "session-line", text);
    }
    for done in coverage.policy_overrides.iter().filter(|done| done.acknowledged.is_none()) {
        let PolicyOverridden { at, by, .. } = done;
        let text = format!(
            "a policy that {by} put in force on {} without its approvers, and that none of them has acknowledged",
            at.to_seconds()
        );
        tell(told, "policy-override", text);
    }
    if let Some(load) = policies.last().filter(|load| !load.word.forced.is_empty()) {
        let by = load.word.by.as_ref().map_or_else(|| "somebody".to_owned(), |by| by.name.to_string());
        let said = load.word.forced.join("; ");
        let text = format!(
            "the policy in force, which {by} loaded on {} though this host said: {said}",
            load.at.to_seconds()
        );
        tell(told, "policy-forced", text);
    }
    if *unbound > 0 {
        let text = format!("sessions that were bound to no unit: {unbound}; their end was not enforced");
        tell(told, "unbound", text);
    }
    if let Some(incident) = clock.last().filter(|incident| incident.until.is_none()) {
        tell(told, "clock", format!("the clock is not believed since {}", incident.at.to_seconds()));
    }
    if policies.last().is_some_and(|load| load.trial == Some(Trial::Running)) {
        tell(told, "policy-trial", "the policy in force is on trial".to_owned());
    }
    let failed = coverage.policies_refused.last();
    if let Some(failed) = failed.filter(|failed| policies.last().is_none_or(|load| load.at < failed.at)) {
        let text = format!("the policy files did not load on {}: {}", failed.at.to_seconds(), failed.error);
        tell(told, "policy-refused", text);
    }
    if is_down {
        tell(told, "down", "jitd is stopped where this ends".to_owned());
    }
    match checkpoint {
        None => tell(told, "checkpoint", "no checkpoint is on record".to_owned()),
        Some(last) if last.age_seconds > OLD_CHECKPOINT => {
            let text = format!("the last checkpoint on record is of {}", last.at.to_seconds());
            tell(told, "checkpoint", text);
        }
        Some(_) => {}
    }
    if let Some(away) = coverage.carried.filter(|away| away.age_seconds > OLD_CHECKPOINT) {
        let text = format!(
            "the last checkpoint that is known to have left the host did so on {}; keep one elsewhere: jitctl audit checkpoint",
            away.at.to_seconds()
        );
        tell(told, "checkpoint", text);
    }
}

/// Where policy has a role for a service, its logins were to be checked.
fn of_logins_unasked(coverage: &Coverage, policy: Option<&Policy>, told: &mut Vec<Attention>) {
    let mut services: BTreeMap<&ServiceName, u64> = BTreeMap::new();
    for Unasked { service, count, .. } in &coverage.unasked {
        if policy.is_some_and(|policy| policy.roles_for(service).next().is_some()) {
            *services.entry(service).or_default() += count;
        }
    }
    for (service, count) in services {
        let text = format!(
            "logins by {service} that jitd was not asked about: {count}; its PAM file had no account line of pam_jit.so"
        );
        tell(told, "unasked", text);
    }
}

fn of_an_access(row: &Access, as_of: Option<Utc>, policy: Option<&Policy>, told: &mut Vec<Attention>) {
    let of = format!("{} of {} ({})", row.role, row.person, shown_id(row));
    let mut tell = |what, text| told.push(Attention { what, request: Some(row.request), text });
    if is_overdue(row, as_of, policy) {
        tell("overdue", format!("{of} opened as an emergency, and its review is overdue"));
    } else if row.is_owed() {
        tell("owed", format!("{of} opened as an emergency, and its review is owed"));
    }
    let left = row.residue.left.len();
    if left > 0 {
        tell("left", format!("{of} ended, and of its processes there ran on: {left}"));
    }
    if let Some(why) = &row.residue.escape {
        tell("escape", format!("{of} ended, and that something got away is not excluded: {why}"));
    }
    if row.state == AccessState::Waiting {
        tell("waiting", format!("{of} waits for its reviewers since {}", row.asked.to_seconds()));
    }
}

fn shown_id(row: &Access) -> String {
    row.grant.map_or_else(|| row.request.to_string(), |grant| grant.to_string())
}
