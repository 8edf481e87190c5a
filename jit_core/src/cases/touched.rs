//! The rules that test cases can exercise, by the names under which they are reported.

use jit_proto::words::{RoleName, ServiceName};

use crate::model::{Decision, Why};
use crate::policy::{Exempt, Limits, Policy};

/// Every rule that a case could touch, by the words under which it is reported.
pub(super) fn rules(policy: &Policy) -> Vec<String> {
    let mut rules = Vec::new();
    for role in policy.roles() {
        let name = &role.name;
        rules.push(format!("role {name}"));
        for stage in &role.stages {
            rules.push(at_stage(name, &stage.name, Decision::Approve));
            rules.push(at_stage(name, &stage.name, Decision::Deny));
        }
        rules.extend(limits(&role.limits).map(|(_, limit)| limit_of(name, limit)));
    }
    for rule in policy.exemptions() {
        rules.extend(rule.services.iter().map(|service| exempt_at(rule, service)));
    }
    rules
}

pub(super) fn at_stage(role: &RoleName, stage: &str, decision: Decision) -> String {
    let what = match decision {
        Decision::Approve => "approval",
        Decision::Deny => "denial",
    };
    format!("{what} at stage '{stage}' of role {role}")
}

/// The limits that there are, each with the reason of a refusal that shows it.
pub(super) fn limits(limits: &Limits) -> impl Iterator<Item = (Why, &'static str)> {
    let from = (!limits.from.is_empty()).then_some((Why::OtherAddress, "from"));
    let hours = (!limits.hours.is_empty()).then_some((Why::OutsideHours, "hours"));
    let run_as = (!limits.run_as.is_empty()).then_some((Why::OtherTarget, "run-as"));
    [from, hours, run_as].into_iter().flatten()
}

pub(super) fn limit_of(role: &RoleName, limit: &str) -> String {
    format!("a login refused by `{limit}` of role {role}")
}

pub(super) fn exempt_at(rule: &Exempt, service: &ServiceName) -> String {
    let from: Vec<_> = rule.from.iter().map(ToString::to_string).collect();
    let from = if from.is_empty() { String::new() } else { format!(" from {}", from.join(", ")) };
    format!("exemption of {} at {service}{from}", rule.who)
}
