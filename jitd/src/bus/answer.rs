//! The store's words turned into those of the contract.

use jit_core::clock::Moment;
use jit_core::grant::Grant;
use jit_core::policy::Uses;
use jit_proto::manager;

use crate::desk::InForce;
use crate::store::rows::Story;

/// A request and what became of it.
pub(super) fn entry(story: &Story, waiting_for: String, now: &Moment) -> manager::Entry {
    let Story { request, reviews, grant, end, withdrawn } = story;
    // A window that is over by the clock is over, whether or not its end has been written down yet.
    let remaining = match (grant, end) {
        (Some(grant), None) => grant.window.remaining(now).as_secs(),
        _ => 0,
    };
    let (state, ended) = match (grant, end) {
        (Some(_), Some(end)) => ("ended", Some(end.why.to_string())),
        (Some(grant), None) if grant.window.remaining(now).is_zero() => ("ended", Some("expired".to_owned())),
        (Some(_), None) => ("active", None),
        (None, _) if withdrawn.is_some() => ("ended", Some("withdrawn".to_owned())),
        (None, _) => ("pending", None),
    };
    let over = end.map(|end| end.at).or(*withdrawn);
    manager::Entry {
        request: request.id.to_string(),
        grant: grant.as_ref().map(|grant| grant.id.to_string()),
        state: state.to_owned(),
        ended,
        user: request.beneficiary.name.to_string(),
        uid: request.beneficiary.uid.as_u32(),
        role: request.role.to_string(),
        services: request.services.iter().map(ToString::to_string).collect(),
        duration: request.duration.as_secs(),
        start: grant.as_ref().map(|grant| grant.window.start.wall.to_seconds()),
        end: over.or(grant.as_ref().map(|grant| grant.window.end())).map(jit_core::clock::Utc::to_seconds),
        remaining,
        uses: match request.uses {
            Uses::Unlimited => None,
            Uses::Times(times) => Some(times.get()),
        },
        used: grant.as_ref().map_or(0, |grant: &Grant| grant.used),
        reason: request.reason.to_string(),
        requested_by: request.filed_by.to_string(),
        requested_at: request.filed_at.wall.to_seconds(),
        digest: request.digest().to_string(),
        reviews: reviews
            .iter()
            .map(|(at, review)| manager::Review {
                by: review.by.to_string(),
                decision: review.decision.as_str().to_owned(),
                stage: review.stage.clone(),
                method: review.method.to_string(),
                at: at.to_seconds(),
            })
            .collect(),
        waiting_for,
    }
}

/// The policy in force, in short.
pub(super) fn summary(known: Option<&InForce>, files_current: bool) -> manager::PolicySummary {
    manager::PolicySummary {
        digest: known.map(|known| known.policy.digest().to_string()),
        loaded_at: known.map(|known| known.at.to_seconds()),
        source: known.map(|known| if known.from_files { "files" } else { "store" }.to_owned()),
        roles: known.map_or(0, |known| known.policy.roles().count()),
        files_current,
    }
}

/// The policy in force, whole.
pub(super) fn policy(known: &InForce, files_current: bool) -> manager::Policy {
    manager::Policy {
        summary: summary(Some(known), files_current),
        files: known
            .policy
            .files()
            .iter()
            .map(|file| manager::PolicyFile {
                name: file.name.clone(),
                // Policy that parsed is UTF-8.
                text: String::from_utf8_lossy(&file.bytes).into_owned(),
            })
            .collect(),
        warnings: known.warnings.to_vec(),
    }
}
