//! The store's words turned into those of the contract.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use jit_core::check::decide::Admission;
use jit_core::check::explain::{Considered, Explanation, Missing};
use jit_core::clock::Trust;
use jit_core::digest::Digest;
use jit_core::model::{Grant, Lock, Overridden, PolicyChanges, Proposed, Question, Review, Time};
use jit_core::orders::Refusal;
use jit_core::orders::stages::Waiting;
use jit_core::policy::{Hours, Policy, Role, Stage, Starts, Then, Uses, Who, next_opening, open_for};
use jit_core::services::Services;
use jit_core::time::{Moment, Suspicion, Utc};
use jit_proto::manager;
use jit_proto::words::Uid;

use crate::desk::{InForce, Standing};
use crate::store::rows::Story;

/// A request and what became of it.
pub(super) fn entry(story: &Story, standing: Standing, now: &Moment) -> manager::Entry {
    let Story { request, reviews, grant, end, closed, owed } = story;
    let (state, ended) = state(story, standing.is_spent, now);
    // A window that is over by the clock is over, whether or not its end has been written down yet.
    let remaining = match (grant, end) {
        (Some(grant), None) => grant.remaining(now).as_secs(),
        _ => 0,
    };
    let window = grant.as_ref().and_then(Grant::window);
    let over = end.map(|end| end.at).or(closed.map(|(at, _)| at));
    let limits = grant.as_ref().map_or(&standing.limits, |grant| &grant.limits);
    let (hours, from, targets) = (texts(&limits.hours), texts(&limits.from), texts(&limits.run_as));
    let (waiting_for, left) = standing.waits.unwrap_or_default();
    // What begins at another time is usable then.
    let opens_now = over.is_none()
        && grant.as_ref().map_or(request.start.is_none() && request.extends.is_none(), |_| window.is_some());
    manager::Entry {
        request: request.id.to_string(),
        grant: grant.as_ref().map(|grant| grant.id.to_string()),
        state: state.to_owned(),
        ended: ended.map(ToOwned::to_owned),
        user: request.beneficiary.name.to_string(),
        uid: request.beneficiary.uid.as_u32(),
        person: request.beneficiary.person.as_ref().map(ToString::to_string),
        role: request.role.to_string(),
        services: words(grant.as_ref().map_or(&request.services, |grant| &grant.services)),
        duration: request.duration.as_secs(),
        asked_start: request.start.map(Utc::to_seconds),
        extends: request.extends.map(|base| base.to_string()),
        before: Some(request.before.as_secs()).filter(|before| *before > 0),
        emergency: grant.as_ref().is_some_and(|grant| grant.emergency),
        by_policy: grant.as_ref().is_some_and(|grant| grant.by_policy.is_some()),
        ticket: grant.as_ref().map_or(&request.ticket, |grant| &grant.ticket).clone(),
        despite: grant.as_ref().map_or_else(Vec::new, |grant| texts(&grant.despite)),
        review_owed: *owed,
        begins: match grant.as_ref().filter(|_| end.is_none()).map(|grant| &grant.time) {
            Some(Time::Scheduled { scheduled }) => Some(scheduled.begins.to_string()),
            Some(Time::Open { .. }) | None => None,
        },
        usable_from: opens_now.then(|| hours_begin(&limits.hours, now)).flatten().map(Utc::to_seconds),
        start: window.map(|window| window.start.wall.to_seconds()),
        end: over.or(window.map(|window| window.end_seen_at(now))).map(Utc::to_seconds),
        remaining,
        uses: times(grant.as_ref().map_or(request.uses, |grant| grant.uses)),
        used: grant.as_ref().map_or(0, |grant| grant.used),
        reason: request.reason.to_string(),
        requested_by: request.filed_by.to_string(),
        requested_at: request.filed_at.wall.to_seconds(),
        digest: request.digest().to_string(),
        reviews: reviews.iter().map(|(at, review)| self::review(*at, review)).collect(),
        waiting_for: waiting_for.as_ref().map(waits_for),
        until: left.map(|left| now.wall.plus(left).to_seconds()),
        not_counted: None,
        hours,
        from,
        targets,
        first_use: standing.first_use.map(|lapse| lapse.as_secs()),
        ahead: request.ahead.as_ref().map(|ahead| manager::Ahead {
            serial: ahead.serial.to_string(),
            until: ahead.until.to_seconds(),
            behind: ahead.behind.as_ref().map(ToString::to_string),
        }),
    }
}

/// When hours begin next that are not now. A clock that is suspect says nothing of them.
fn hours_begin(hours: &[Hours], now: &Moment) -> Option<Utc> {
    let is_open = || !open_for(hours, now.wall, Duration::from_millis(1)).is_zero();
    if !now.is_trusted() || is_open() { None } else { next_opening(hours, now.wall) }
}

/// The state, and why it ended if it did.
fn state(story: &Story, is_spent: bool, now: &Moment) -> (&'static str, Option<&'static str>) {
    let Story { grant, end, closed, .. } = story;
    match (grant, end) {
        (Some(_), Some(end)) => ("ended", Some(end.why.as_str())),
        (Some(grant), None) => match &grant.time {
            Time::Scheduled { .. } => ("scheduled", None),
            Time::Open { window } if window.remaining(now).is_zero() => ("ended", Some("expired")),
            // By its own count too: what today's policy says of it is not known where jitd cannot decide.
            Time::Open { .. } if is_spent || grant.is_spent(Uses::Unlimited) => ("spent", None),
            Time::Open { .. } => ("active", None),
        },
        (None, _) => match closed {
            Some((_, how)) => ("ended", Some(how.as_str())),
            None => ("pending", None),
        },
    }
}

fn review(at: Utc, review: &Review) -> manager::Review {
    let Review { by, decision, stage, method, narrow, note, signed, code, .. } = review;
    manager::Review {
        by: by.to_string(),
        decision: decision.as_str().to_owned(),
        stage: stage.clone(),
        method: method.to_string(),
        at: at.to_seconds(),
        seconds: narrow.duration.map(|most| most.as_secs()),
        services: narrow.services.as_ref().map(words),
        uses: narrow.uses.map(NonZeroU32::get),
        note: note.as_ref().map(ToString::to_string),
        signed: signed.as_deref().map(|signed| manager::Evidence {
            principals: signed.principals.clone(),
            key: signed.key.clone(),
            flags: signed.flags,
            counter: signed.counter,
            text: signed.text.clone(),
            signature: signed.signature.clone(),
        }),
        code: code.as_ref().map(|code| manager::ByCode {
            principal: code.principal.clone(),
            slot: code.slot,
            epoch: code.epoch,
            request_code: code.request_code.clone(),
            bucket: code.bucket,
            typed_by: code.typed_by.map(Uid::as_u32),
        }),
    }
}

fn waits_for(waiting: &Waiting) -> manager::WaitingFor {
    let note = if let Waiting::Approvals { note, .. } = waiting { note.clone() } else { None };
    let (stage, approvals, who) = match waiting {
        Waiting::Approvals { lacking, approvers, stage, .. } => (Some(stage), *lacking, Some(approvers)),
        Waiting::Denied(stage) | Waiting::Lapsed(stage) => (Some(stage), 0, None),
        Waiting::Changed(_) | Waiting::NoRole(_) => (None, 0, None),
    };
    let named = |names: fn(&Who) -> Vec<String>| {
        let all = who.into_iter().flatten().flat_map(|(_, who)| names(who));
        all.collect::<BTreeSet<_>>().into_iter().collect()
    };
    manager::WaitingFor {
        code: waiting.word().to_owned(),
        text: waiting.to_string(),
        stage: stage.cloned(),
        note,
        approvals,
        users: named(|who| texts(&who.users)),
        groups: named(|who| texts(&who.groups)),
    }
}

/// Why an order, or a part of one, was not carried out.
pub(super) fn refused(refusal: &Refusal) -> manager::Refused {
    let word = if let Refusal::NoReview { why, .. } = refusal { why.word() } else { None };
    manager::Refused { code: word.unwrap_or("refused").to_owned(), text: refusal.to_string() }
}

/// What has ended, and whether by this very order.
pub(super) fn revoked(entry: manager::Entry, changed: bool) -> manager::Revoked {
    manager::Revoked {
        id: entry.grant.unwrap_or(entry.request),
        state: entry.state,
        ended: entry.ended.unwrap_or_default(),
        changed,
    }
}

/// The clock, and what is known of it.
pub(super) fn clock((now, known): &(Moment, Trust)) -> manager::Clock {
    manager::Clock {
        state: if now.is_trusted() { "trusted" } else { "suspect" }.to_owned(),
        why: now.suspect.map(Suspicion::as_str).map(str::to_owned),
        text: now.suspect.map_or_else(String::new, |why| format!("the clock {why}")),
        since: known.suspect_since().map(Utc::to_seconds),
        wall: now.wall.to_seconds(),
        mark: known.mark().to_seconds(),
        time: now.wall.max(known.mark()).to_seconds(),
        expected: known.expected().to_seconds(),
        boot_seconds: now.boot / 1000,
        boot_id: now.boot_id.to_string(),
        synced: now.synced,
    }
}

/// A lock, with its message where that is for the reader.
pub(super) fn lock(lock: &Lock, speaks: bool) -> manager::Lock {
    let Lock { scope, message, by, at, duration, uids } = lock;
    manager::Lock {
        scope: scope.to_string(),
        message: message.as_ref().filter(|_| speaks).map(ToString::to_string),
        by: by.to_string(),
        at: at.wall.to_seconds(),
        until: duration.map(|duration| at.wall.plus(duration).to_seconds()),
        uids: uids.iter().map(|uid| uid.as_u32()).collect(),
        note: None,
    }
}

fn texts<T: ToString>(of: impl IntoIterator<Item = T>) -> Vec<String> {
    of.into_iter().map(|one| one.to_string()).collect()
}

fn words(services: &Services) -> Vec<String> {
    services.iter().map(ToString::to_string).collect()
}

const fn times(uses: Uses) -> Option<u32> {
    match uses {
        Uses::Unlimited => None,
        Uses::Times(times) => Some(times.get()),
    }
}

/// The policy in force, in short.
pub(super) fn summary(
    known: Option<&InForce>,
    files_current: bool,
    trial: Option<(Utc, Duration)>,
) -> manager::PolicySummary {
    manager::PolicySummary {
        digest: known.map(|known| known.policy.digest().to_string()),
        loaded_at: known.map(|known| known.at.to_seconds()),
        source: known.map(|known| known.source.as_str().to_owned()),
        roles: known.map_or(0, |known| known.policy.roles().count()),
        files_current,
        trial: trial.map(|(until, left)| manager::PolicyTrial {
            until: until.to_seconds(),
            remaining: left.as_secs(),
        }),
        waiting: None,
    }
}

/// What has to be said to changes of the policy. `files` is the digest of the policy files, where they load.
pub(super) fn policy_changes(
    changes: &PolicyChanges,
    policy: &Policy,
    files: Option<Digest>,
) -> manager::PolicyChanges {
    let waiting = changes.waiting.as_ref().zip(policy.change()).map(|(waiting, rule)| {
        let Proposed { proposal, at, approved } = waiting;
        manager::PolicyWaiting {
            digest: proposal.digest.to_string(),
            before: proposal.before.to_string(),
            since: at.to_seconds(),
            by: proposal.by.to_string(),
            reason: proposal.reason.as_ref().map(ToString::to_string),
            trial: proposal.trial,
            changes: proposal.diff.lines.clone(),
            more: proposal.diff.more,
            approved: approved.iter().map(ToString::to_string).collect(),
            approvals: rule.approvals,
            approvers: rule.approvers.to_string(),
            files_current: files == Some(proposal.digest),
            forced: proposal.forced.clone(),
        }
    });
    let overridden = changes.overridden.as_ref().map(|Overridden { what, at }| manager::PolicyOverridden {
        digest: what.digest.to_string(),
        before: what.before.to_string(),
        at: at.to_seconds(),
        by: what.by.to_string(),
        reason: what.reason.to_string(),
    });
    manager::PolicyChanges { waiting, overridden }
}

/// The policy in force, whole.
pub(super) fn policy(
    known: &InForce,
    files_current: bool,
    trial: Option<(Utc, Duration)>,
) -> manager::Policy {
    manager::Policy {
        summary: summary(Some(known), files_current, trial),
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

/// What a check would answer, in short.
pub(super) fn check(question: &Question, explained: &Explanation, at: &Moment) -> manager::Check {
    let admits = explained.answer.admission();
    manager::Check {
        service: question.login.service.to_string(),
        user: question.login.user.to_string(),
        person: question.login.person.as_ref().map(ToString::to_string),
        verdict: explained.answer.verdict(),
        reason: explained.answer.why().to_string(),
        text: explained.line().to_owned(),
        until: admits.map(|admits| until(admits, at)),
        role: admits.map(|admits| admits.role.to_string()),
        grant: admits.map(|admits| admits.grant.to_string()),
    }
}

/// What a check would answer, with every role that was considered. For whom and for which hosts the roles of others are
/// is told to those alone who may see all.
pub(super) fn explanation(
    question: &Question,
    explained: &Explanation,
    at: &Moment,
    host: &str,
    see_all: bool,
) -> manager::Explanation {
    let considered = |considered: &Considered| {
        let of_others = matches!(considered.missing, Missing::Host | Missing::Eligible);
        manager::Considered {
            role: considered.role.to_string(),
            missing: considered.missing.word().to_owned(),
            condition: considered.missing.as_str().to_owned(),
            change: if of_others && !see_all { String::new() } else { considered.change.clone() },
            approvers: considered.approvers.clone(),
        }
    };
    manager::Explanation {
        check: check(question, explained, at),
        host: host.to_owned(),
        at: at.wall.to_seconds(),
        from: question.from.map(|from| from.to_string()),
        target: question.login.target.as_ref().map(ToString::to_string),
        would: explained.answer.would().map(|would| would.to_string()),
        askers: explained.askers.iter().map(ToString::to_string).collect(),
        roles: explained.roles.iter().map(considered).collect(),
    }
}

fn until(admits: &Admission, at: &Moment) -> String {
    at.wall.plus(admits.remaining).to_seconds()
}

/// A role as whoever may ask for it needs to know it.
pub(super) fn role(role: &Role) -> manager::Role {
    manager::Role {
        role: role.name.to_string(),
        summary: role.summary.clone(),
        services: texts(&role.services),
        default_duration: role.default_duration.as_secs(),
        max_duration: role.max_duration.as_secs(),
        uses: match role.uses {
            Uses::Unlimited => None,
            Uses::Times(times) => Some(times.get()),
        },
        hours: texts(&role.limits.hours),
        from: texts(&role.limits.from),
        targets: texts(&role.limits.run_as),
        stages: role.stages.iter().map(stage).collect(),
        // The pattern is of little help to most, and better than nothing.
        reason: role.reason.as_ref().map(|rule| match &rule.hint {
            Some(hint) => hint.clone(),
            None => format!("fits {}", rule.pattern()),
        }),
        emergency: role.emergency,
        with_hours: role.starts == Starts::WithHours,
        until: role.until.as_ref().map(ToString::to_string),
        apart: texts(&role.apart),
        unreviewed: role.unreviewed.as_ref().map(ToString::to_string),
        limits: Some(&role.bounds).filter(|bounds| !bounds.is_empty()).map(ToString::to_string),
    }
}

fn stage(stage: &Stage) -> manager::RoleStage {
    manager::RoleStage {
        name: stage.name.clone(),
        approvers: stage.approvers.to_string(),
        approvals: stage.approvals.get(),
        above: stage.above.map(|above| above.as_secs()),
        note: stage.note.as_ref().map(ToString::to_string),
        expires: stage.expires.map(|expires| expires.as_secs()),
        then: match &stage.then {
            Then::Deny => None,
            Then::Ask(next) => Some(next.to_string()),
        },
        accept: stage.accept.iter().map(ToString::to_string).collect(),
    }
}
