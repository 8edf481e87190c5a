//! Test cases for a policy: a story of requests, reviews, logins and waiting, and what each must answer. They are run
//! by the code that decides in earnest; only names, ids and clocks are made up.
//!
//! A file of cases is TOML. `[account.NAME]` gives an account its groups, and each `[[case]]` has a name, a host, a
//! time and a `story`, a list of steps. Every account starts out logged in as itself. A policy may have any number of
//! such files; what rules no case touches is asked of all of them together.

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use jit_proto::text::Shown;
use jit_proto::words::{GroupName, HostName, RoleName, ServiceName, UserName};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::finding::{Log, Spot};
use super::source::Source;
use super::{Exempt, Finding, HostGroup, Limits, Policy, SourceFile, code};
use crate::clock::Utc;
use crate::decide::Why;
use crate::event::{Decision, Method};
use crate::lock::Scope;
use world::World;

/// What running all cases came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Each case, by file and in the order of the file.
    pub cases: Vec<Ran>,
    /// The rules that no case of any file touched, in words: roles, the approval and the denial at each stage, the
    /// limits of a role, exemptions.
    pub untouched: Vec<String>,
}

/// One case that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ran {
    /// The file it stands in.
    pub file: String,
    /// What the file calls it.
    pub name: String,
    /// What went otherwise than expected; nothing if all went well.
    pub wrong: Vec<Mismatch>,
}

/// A step that was not answered as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// The line of the file that it stands in, from 1.
    pub line: usize,
    /// Which step of the story, from 1.
    pub step: usize,
    /// What was tried.
    pub tried: String,
    /// What the case expects.
    pub expected: String,
    /// What was answered.
    pub got: String,
}

impl Report {
    /// Whether every case went as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.cases.iter().all(|case| case.wrong.is_empty())
    }

    /// How many cases did not go as expected.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|case| !case.wrong.is_empty()).count()
    }
}

/// One line for each case, three more for each mismatch, what was not touched, and a summary.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Ran { file, name, wrong } in &self.cases {
            writeln!(
                f,
                "{} {}: {}",
                if wrong.is_empty() { "ok  " } else { "FAIL" },
                Shown(file),
                Shown(name)
            )?;
            for Mismatch { line, step, tried, expected, got } in wrong {
                writeln!(f, "     line {line}, step {step}: {}", Shown(tried))?;
                writeln!(f, "       - {}\n       + {}", Shown(expected), Shown(got))?;
            }
        }
        for what in &self.untouched {
            writeln!(f, "not touched by any case: {what}")?;
        }
        let cases = if self.cases.len() == 1 { "case" } else { "cases" };
        write!(f, "{} {cases}, {} failed", self.cases.len(), self.failed())?;
        match self.untouched.len() {
            0 => f.write_str(", every rule touched"),
            1 => f.write_str(", 1 rule not touched"),
            count => write!(f, ", {count} rules not touched"),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    account: BTreeMap<UserName, Account>,
    #[serde(default)]
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    #[serde(default)]
    groups: BTreeSet<GroupName>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    host: HostName,
    #[serde(default)]
    host_groups: BTreeSet<HostGroup>,
    at: Utc,
    story: Vec<Spanned<Step>>,
}

/// One step: exactly one of the first eleven, and what belongs to it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Step {
    /// A role, asked for by `by`.
    request: Option<RoleName>,
    /// A role, given by the admin `by` to `to`.
    grant: Option<RoleName>,
    /// Whose latest request `by` approves.
    approve: Option<UserName>,
    /// Whose latest request `by` denies.
    deny: Option<UserName>,
    /// Whose latest request `by` takes back.
    withdraw: Option<UserName>,
    /// Whose latest window `by` asks to extend.
    extend: Option<UserName>,
    /// Whose latest window `by` gives back.
    done: Option<UserName>,
    /// What the admin `by` locks.
    lock: Option<Scope>,
    /// What the admin `by` unlocks.
    unlock: Option<Scope>,
    /// A service that `by` logs in to.
    check: Option<ServiceName>,
    /// How long nothing happens.
    wait: Option<String>,
    by: Option<UserName>,
    to: Option<UserName>,
    #[serde(rename = "for")]
    duration: Option<String>,
    reason: Option<String>,
    /// When a window asked for is to start.
    start: Option<Utc>,
    /// The services that an approval leaves.
    services: Option<BTreeSet<ServiceName>>,
    method: Option<Method>,
    from: Option<IpAddr>,
    target: Option<UserName>,
    /// `waits`, `opens`, `scheduled`, `ends`, `done` or `refused` for an order; a verdict for a check.
    then: Option<String>,
    /// The reason of a check's answer.
    why: Option<Why>,
    /// What the answer must say, among other things.
    says: Option<String>,
}

/// Runs files of cases against a policy. What one file leaves untouched another may touch. A file that cannot be run,
/// or a step that makes no sense, is a finding, and then nothing is reported but all such findings.
pub fn run(policy: &Policy, files: &[SourceFile]) -> Result<Report, Vec<Finding>> {
    let sources: Vec<_> = files.iter().map(Source::new).collect();
    let mut log = Log::new(&sources);
    let mut touched = BTreeSet::new();
    let mut report = Report::default();
    for (index, source) in sources.iter().enumerate() {
        let Some(file) = read(index, source, &mut log) else { continue };
        for case in &file.case {
            let mut world = World::new(policy, &file.account, case);
            let mut wrong = Vec::new();
            for (step, n) in case.story.iter().zip(1..) {
                let span = step.span();
                match world.step(step.get_ref()) {
                    Ok(got) => wrong.extend(got.differs_from(step.get_ref()).map(|expected| Mismatch {
                        line: source.line_and_column(span.start).0,
                        step: n,
                        tried: got.tried,
                        expected,
                        got: got.text,
                    })),
                    Err(what) => {
                        let spot = Spot { file: index, span: Some(span) };
                        let name = Shown(&case.name);
                        log.add(code::BAD_CASES, &spot, format!("case '{name}', step {n}: {}", Shown(&what)));
                        break; // what follows hangs on it
                    }
                }
            }
            touched.append(&mut world.touched);
            report.cases.push(Ran { file: source.name.to_owned(), name: case.name.clone(), wrong });
        }
    }
    if log.has_errors() {
        return Err(log.finish().unwrap_or_else(|findings| findings));
    }
    report.untouched = rules(policy).into_iter().filter(|rule| !touched.contains(rule)).collect();
    Ok(report)
}

/// A file of cases, or why it is none.
fn read(index: usize, source: &Source<'_>, log: &mut Log<'_>) -> Option<File> {
    if let Some(flaw) = &source.flaw {
        let spot = Spot { file: index, span: flaw.span.clone() };
        log.add_with_hint(flaw.code, &spot, flaw.message.clone(), flaw.hint);
        return None;
    }
    match toml::from_str(source.text) {
        Ok(file) => Some(file),
        Err(err) => {
            let what = err.message().lines().map(str::trim).collect::<Vec<_>>().join(": ");
            log.add(code::BAD_CASES, &Spot { file: index, span: err.span() }, Shown(&what).to_string());
            None
        }
    }
}

/// Every rule that a case could touch, by the words under which it is reported.
fn rules(policy: &Policy) -> Vec<String> {
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
    for rule in &policy.rules.exempt {
        rules.extend(rule.services.iter().map(|service| exempt_at(rule, service)));
    }
    rules
}

fn at_stage(role: &RoleName, stage: &str, decision: Decision) -> String {
    let what = match decision {
        Decision::Approve => "approval",
        Decision::Deny => "denial",
    };
    format!("{what} at stage '{stage}' of role {role}")
}

/// The limits that there are, each with the reason of a refusal that shows it.
fn limits(limits: &Limits) -> impl Iterator<Item = (Why, &'static str)> {
    let from = (!limits.from.is_empty()).then_some((Why::OtherAddress, "from"));
    let hours = (!limits.hours.is_empty()).then_some((Why::OutsideHours, "hours"));
    let run_as = (!limits.run_as.is_empty()).then_some((Why::OtherTarget, "run-as"));
    [from, hours, run_as].into_iter().flatten()
}

fn limit_of(role: &RoleName, limit: &str) -> String {
    format!("a login refused by `{limit}` of role {role}")
}

fn exempt_at(rule: &Exempt, service: &ServiceName) -> String {
    let from: Vec<_> = rule.from.iter().map(ToString::to_string).collect();
    let from = if from.is_empty() { String::new() } else { format!(" from {}", from.join(", ")) };
    format!("exemption of {} at {service}{from}", rule.who)
}
