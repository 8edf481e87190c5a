//! Figures of roles and reviewers, from the accesses of a period.

use std::collections::{BTreeMap, BTreeSet};

use jit_core::model::Decision;
use jit_core::policy::{Method, Policy};
use jit_core::time::Utc;
use jit_proto::words::{RoleName, UserName};

use crate::figures::Spread;
use crate::period::Period;
use crate::rows::{Access, AccessState, Reviewer, RoleFigures, StageFigures};

/// What was learned of stages while the records came: how long decisions took, and how many never came.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    took: BTreeMap<(RoleName, String), Vec<u64>>,
    lapsed: BTreeMap<(RoleName, String), u64>,
}

impl Stages {
    pub(crate) fn decided(&mut self, role: &RoleName, stage: String, took_ms: u64) {
        self.took.entry((role.clone(), stage)).or_default().push(took_ms);
    }

    pub(crate) fn lapsed(&mut self, role: &RoleName, stage: String) {
        *self.lapsed.entry((role.clone(), stage)).or_default() += 1;
    }

    /// The stages of a role, in the order of the policy; those that it no longer has behind them.
    fn of(&mut self, role: &RoleName, policy: Option<&Policy>) -> Vec<StageFigures> {
        let seen = self.took.keys().chain(self.lapsed.keys()).filter(|(of, _)| of == role);
        let seen: BTreeSet<String> = seen.map(|(_, stage)| stage.clone()).collect();
        let order = policy.and_then(|policy| policy.role(role)).map_or(&[][..], |role| &role.stages);
        let place = |name: &String| order.iter().position(|stage| stage.name == *name);
        let mut names: Vec<_> = seen.into_iter().collect();
        names.sort_by_key(|name| place(name).unwrap_or(usize::MAX));
        let figures = names.into_iter().map(|stage| {
            let key = (role.clone(), stage);
            let decided = Spread::of(self.took.remove(&key).unwrap_or_default());
            let lapsed = self.lapsed.remove(&key).unwrap_or(0);
            StageFigures { stage: key.1, decided, lapsed }
        });
        figures.collect()
    }
}

/// The figures of every role that was asked for, used, or reviewed in the period.
pub(crate) fn figures(
    rows: &[Access],
    mut stages: Stages,
    period: Period,
    as_of: Option<Utc>,
    policy: Option<&Policy>,
) -> Vec<RoleFigures> {
    let mut roles: BTreeMap<&RoleName, Vec<&Access>> = BTreeMap::new();
    for row in rows {
        roles.entry(&row.role).or_default().push(row);
    }
    let of_role = |(role, rows): (&RoleName, Vec<&Access>)| {
        let stages = stages.of(role, policy);
        one(role, &rows, stages, period, as_of, policy)
    };
    roles.into_iter().map(of_role).collect()
}

fn one(
    role: &RoleName,
    rows: &[&Access],
    stages: Vec<StageFigures>,
    period: Period,
    as_of: Option<Utc>,
    policy: Option<&Policy>,
) -> RoleFigures {
    let count = |is: &dyn Fn(&Access) -> bool| rows.iter().filter(|row| is(row)).count() as u64;
    let closed =
        |state: AccessState| count(&|row| row.state == state && row.closed.is_some_and(|at| period.has(at)));
    let over: Vec<&&Access> = rows
        .iter()
        .filter(|row| row.used_percent.is_some() && row.ended.is_some_and(|at| period.has(at)))
        .collect();
    let whole: u64 = over.iter().filter_map(|row| row.window_seconds).sum();
    let used: u64 =
        over.iter().map(|row| row.used_percent.unwrap_or(0) * row.window_seconds.unwrap_or(0)).sum();
    let needed = over.iter().filter_map(|row| row.needed_seconds).map(|seconds| seconds * 1000);
    RoleFigures {
        role: role.clone(),
        requests: count(&|row| period.has(row.asked)),
        granted: count(&|row| row.grant.is_some() && period.has(row.opened.unwrap_or(row.asked))),
        denied: closed(AccessState::Denied),
        lapsed: closed(AccessState::Lapsed),
        withdrawn: closed(AccessState::Withdrawn),
        emergencies: count(&|row| row.emergency && period.has(row.asked)),
        owed: count(&Access::is_owed),
        overdue: count(&|row| is_overdue(row, as_of, policy)),
        windows: over.len() as u64,
        never_used: over.iter().filter(|row| row.is_never_used()).count() as u64,
        used_percent: used.checked_div(whole),
        needed: Spread::of(needed.collect()),
        bottleneck: bottleneck(&stages),
        stages,
    }
}

/// Whether an emergency's review is owed for longer than its first stage waits, by the last policy.
pub(crate) fn is_overdue(row: &Access, as_of: Option<Utc>, policy: Option<&Policy>) -> bool {
    let stage = policy.and_then(|policy| policy.role(&row.role)?.stages.first());
    let waits = stage.and_then(|stage| stage.expires);
    row.is_owed()
        && waits.zip(as_of).is_some_and(|(waits, now)| now.since(row.opened.unwrap_or(row.asked)) > waits)
}

/// The stage that takes longest at the median: what one would change first.
fn bottleneck(stages: &[StageFigures]) -> Option<String> {
    let decided = stages.iter().filter(|stage| stage.decided.count > 0);
    // Of two that take as long, the first.
    let slowest = decided.rev().max_by_key(|stage| (stage.decided.median_ms, stage.decided.p95_ms))?;
    Some(slowest.stage.clone())
}

/// Who reviewed how often in the period.
pub(crate) fn reviewers(rows: &[Access], period: Period) -> Vec<Reviewer> {
    let mut found: BTreeMap<&UserName, (Reviewer, BTreeSet<&RoleName>)> = BTreeMap::new();
    for row in rows {
        for review in row.reviews.iter().filter(|review| period.has(review.at)) {
            let (one, roles) = found.entry(&review.by).or_insert_with(|| {
                let account = review.by.clone();
                let none = Reviewer { account, approved: 0, denied: 0, signed: 0, roles: Vec::new() };
                (none, BTreeSet::new())
            });
            match review.decision {
                Decision::Approve => one.approved += 1,
                Decision::Deny => one.denied += 1,
            }
            one.signed += u64::from(review.method == Method::Signature);
            roles.insert(&row.role);
        }
    }
    let whole = |(one, roles): (Reviewer, BTreeSet<&RoleName>)| Reviewer {
        roles: roles.into_iter().cloned().collect(),
        ..one
    };
    found.into_values().map(whole).collect()
}
