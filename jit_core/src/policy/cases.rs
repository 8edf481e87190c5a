//! Test cases for a policy: a story of requests, reviews, logins and waiting, and what each must answer. They are run
//! by the code that decides in earnest; only names, ids and clocks are made up.
//!
//! A file of cases is TOML. `[account.NAME]` gives an account its groups, and each `[[case]]` has a name, a host, a
//! time and a `story`, a list of steps. Every account starts out logged in as itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use jit_proto::gate;
use jit_proto::text::Shown;
use jit_proto::words::{
    GroupName, HostName, RequestId, RoleName, ServiceName, Uid, UserName, subject_is_caller,
};
use serde::Deserialize;

use super::{Host, HostGroup, Policy, Subject};
use crate::clock::{BootId, Moment, Utc};
use crate::decide::{Known, Question, Why, decide};
use crate::due::due;
use crate::duration::parse_duration;
use crate::event::{Decision, Event, Login, Method, Record};
use crate::request::{self, Caller, GrantOrder, Refusal};
use crate::review::Reviewer;
use crate::state::State;

/// Why a file of cases cannot be run. Its text may be shown on a terminal, whatever the file holds.
#[derive(Debug, thiserror::Error)]
pub enum BadCases {
    /// It is not such a file; toml's text has line and column, and quotes the line.
    #[error("{}", shown_lines(&.0.to_string()))]
    Text(#[from] toml::de::Error),
    /// A step of a story makes no sense.
    #[error("case '{}', step {step}: {}", Shown(case), Shown(what))]
    Step {
        /// Which case.
        case: String,
        /// Which step, from 1.
        step: usize,
        /// What is wrong with it.
        what: String,
    },
}

/// Lines as they are, and nothing in them that a terminal acts on.
fn shown_lines(text: &str) -> String {
    text.lines().map(|line| Shown(line).to_string()).collect::<Vec<_>>().join("\n")
}

/// What running all cases came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The name of each case with what went otherwise than expected; nothing if all went well.
    pub cases: Vec<(String, Vec<Mismatch>)>,
    /// Roles, stages and exemptions that no case touched, in words.
    pub untouched: Vec<String>,
}

/// A step that was not answered as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Which step, from 1.
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
        self.cases.iter().all(|(_, wrong)| wrong.is_empty())
    }
}

/// One line for each case, two more for each mismatch, a summary, and what was not touched. What the file says is
/// shown escaped.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, wrong) in &self.cases {
            writeln!(f, "{} {}", if wrong.is_empty() { "ok  " } else { "FAIL" }, Shown(name))?;
            for Mismatch { step, tried, expected, got } in wrong {
                writeln!(f, "     step {step}, {}", Shown(tried))?;
                writeln!(f, "       - {}\n       + {}", Shown(expected), Shown(got))?;
            }
        }
        let failed = self.cases.iter().filter(|(_, wrong)| !wrong.is_empty()).count();
        write!(f, "{} cases, {failed} failed", self.cases.len())?;
        for what in &self.untouched {
            write!(f, "\nnot touched by any case: {what}")?;
        }
        Ok(())
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
    story: Vec<Step>,
}

/// One step: exactly one of the first six, and what belongs to it.
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
    /// A service that `by` logs in to.
    check: Option<ServiceName>,
    /// How long nothing happens.
    wait: Option<String>,
    by: Option<UserName>,
    to: Option<UserName>,
    #[serde(rename = "for")]
    duration: Option<String>,
    reason: Option<String>,
    method: Option<Method>,
    from: Option<IpAddr>,
    target: Option<UserName>,
    /// `waits`, `opens`, `ends` or `refused` for an order; a verdict for a check.
    then: Option<String>,
    /// The reason of a check's answer.
    why: Option<Why>,
    /// What the answer must say, among other things.
    says: Option<String>,
}

/// Runs a file of cases against a policy.
pub fn run(policy: &Policy, text: &str) -> Result<Report, BadCases> {
    let file: File = toml::from_str(text)?;
    let mut touched = BTreeSet::new();
    let mut report = Report::default();
    for case in &file.case {
        let mut world = World::new(policy, &file.account, case);
        let mut wrong = Vec::new();
        for (n, step) in case.story.iter().enumerate() {
            let bad = |what: String| BadCases::Step { case: case.name.clone(), step: n + 1, what };
            let got = world.step(step).map_err(bad)?;
            if let Some(expected) = got.differs_from(step) {
                wrong.push(Mismatch { step: n + 1, tried: got.tried, expected, got: got.text });
            }
        }
        touched.append(&mut world.touched);
        report.cases.push((case.name.clone(), wrong));
    }
    report.untouched = rules(policy).into_iter().filter(|rule| !touched.contains(rule)).collect();
    Ok(report)
}

/// Every rule that a case could touch, by the words under which it is reported.
fn rules(policy: &Policy) -> Vec<String> {
    let mut rules = Vec::new();
    for role in policy.roles() {
        rules.push(format!("role {}", role.name));
        rules.extend(role.stages.iter().map(|stage| stage_of(&role.name, &stage.name)));
    }
    for service in policy.rules.exempt.iter().flat_map(|rule| &rule.services) {
        rules.push(exempt_at(service));
    }
    rules.dedup();
    rules
}

fn stage_of(role: &RoleName, stage: &str) -> String {
    format!("stage '{stage}' of role {role}")
}

fn exempt_at(service: &ServiceName) -> String {
    format!("exemption at {service}")
}

/// What a step came to.
struct Got {
    tried: String,
    /// The word that `then` is compared with.
    then: &'static str,
    why: Option<Why>,
    /// All that was answered.
    text: String,
}

impl Got {
    /// What was expected instead, if anything was.
    fn differs_from(&self, step: &Step) -> Option<String> {
        let then = step.then.as_ref().is_none_or(|then| then == self.then);
        let why = step.why.is_none_or(|why| Some(why) == self.why);
        let says = step.says.as_ref().is_none_or(|says| self.text.contains(says));
        if then && why && says {
            return None;
        }
        let mut expected: Vec<String> = step.then.iter().cloned().collect();
        expected.extend(step.why.map(|why| format!("({why})")));
        expected.extend(step.says.as_ref().map(|says| format!("… {says} …")));
        Some(expected.join(" "))
    }
}

/// A host that lives for one case.
struct World<'p> {
    policy: &'p Policy,
    accounts: BTreeMap<UserName, Subject>,
    host: Host,
    now: Moment,
    state: State,
    latest: BTreeMap<UserName, RequestId>,
    ids: u64,
    touched: BTreeSet<String>,
}

impl<'p> World<'p> {
    fn new(policy: &'p Policy, accounts: &BTreeMap<UserName, Account>, case: &Case) -> Self {
        let named = accounts.iter().zip(1_001..).map(|((name, account), uid)| {
            let uid =
                if name.as_str() == "root" { Uid::ROOT } else { Uid::try_from(uid).unwrap_or(Uid::ROOT) };
            (name.clone(), Subject { name: name.clone(), uid, groups: account.groups.clone() })
        });
        Self {
            policy,
            accounts: named.collect(),
            host: Host { name: case.host.clone(), groups: case.host_groups.clone() },
            now: Moment { wall: case.at, boot: 1_000, boot_id: BootId::default() },
            state: State::default(),
            latest: BTreeMap::new(),
            ids: 0,
            touched: BTreeSet::new(),
        }
    }

    fn step(&mut self, step: &Step) -> Result<Got, String> {
        let Step { request, grant, approve, deny, check, wait, .. } = step;
        match (request, grant, approve, deny, check, wait) {
            (Some(role), None, None, None, None, None) => self.ask(step, role, false),
            (None, Some(role), None, None, None, None) => self.ask(step, role, true),
            (None, None, Some(whose), None, None, None) => self.review(step, whose, Decision::Approve),
            (None, None, None, Some(whose), None, None) => self.review(step, whose, Decision::Deny),
            (None, None, None, None, Some(service), None) => self.check(step, service),
            (None, None, None, None, None, Some(time)) => {
                let time = parse_duration(time).map_err(|err| err.to_string())?;
                self.wait(time);
                Ok(Got { tried: "wait".to_owned(), then: "", why: None, text: String::new() })
            }
            _ => Err("a step has one of request, grant, approve, deny, check and wait".to_owned()),
        }
    }

    fn ask(&mut self, step: &Step, role: &RoleName, by_admin: bool) -> Result<Got, String> {
        let by = self.account(step.by.as_ref(), "by")?;
        let to = if by_admin { self.account(step.to.as_ref(), "to")? } else { by.clone() };
        self.ids += 1;
        let id = RequestId::from_bits(self.ids);
        let duration = step.duration.as_deref().map(parse_duration).transpose();
        let reason = step.reason.as_deref().unwrap_or("a reason that says enough");
        let order = GrantOrder {
            beneficiary: to.clone(),
            role: role.clone(),
            duration: duration.map_err(|err| err.to_string())?,
            reason: reason.parse().map_err(|err| format!("{err}"))?,
            id,
        };
        let caller = as_self(by);
        let file = if by_admin { request::grant } else { request::file };
        let events = file(self.policy, &self.state, &self.host, &caller, order, &self.now);
        if events.is_ok() {
            self.latest.insert(to.name.clone(), id);
            self.touched.insert(format!("role {role}"));
        }
        Ok(self.done(format!("{} asks for {role} for {}", caller.account.name, to.name), id, events))
    }

    fn review(&mut self, step: &Step, whose: &UserName, decision: Decision) -> Result<Got, String> {
        let by = self.account(step.by.as_ref(), "by")?;
        let id = *self.latest.get(whose).ok_or_else(|| format!("{whose} has not asked for anything"))?;
        let caller = as_self(by.clone());
        let reviewer = match step.method.unwrap_or(Method::Online) {
            Method::Online => Reviewer::Online(&caller),
            method => Reviewer::Remote { account: &by, method },
        };
        let events = request::review(self.policy, &self.state, &self.host, reviewer, id, decision, &self.now);
        let tried = format!("{} says {} to {whose}", by.name, decision.as_str());
        Ok(self.done(tried, id, events))
    }

    /// Lets the events of an order happen, and says what has become of the request.
    fn done(&mut self, tried: String, id: RequestId, events: Result<Vec<Event>, Refusal>) -> Got {
        let events = match events {
            Ok(events) => events,
            Err(refusal) => {
                return Got { tried, then: "refused", why: None, text: format!("refused: {refusal}") };
            }
        };
        let pending = self.state.pending().get(&id).map(|pending| pending.request.role.clone());
        let filed = events.iter().find_map(|event| match event {
            Event::Requested { request } => Some(request.role.clone()),
            _ => None,
        });
        let role = filed.or(pending);
        for event in &events {
            if let (Event::Reviewed { review, .. }, Some(role)) = (event, &role) {
                self.touched.insert(stage_of(role, &review.stage));
            }
        }
        self.apply(events);
        let (then, text) = if self.state.grant(id.into()).is_some() {
            ("opens", "opens".to_owned())
        } else if let Some(pending) = self.state.pending().get(&id) {
            let waits = request::waiting_for(self.policy, &pending.request, &pending.reviews, &self.now);
            ("waits", format!("waits for {waits}"))
        } else {
            ("ends", "ends".to_owned())
        };
        Got { tried, then, why: None, text }
    }

    fn check(&mut self, step: &Step, service: &ServiceName) -> Result<Got, String> {
        let subject = self.account(step.by.as_ref(), "by")?;
        let question = Question {
            stage: gate::Stage::Account,
            login: Login {
                service: service.clone(),
                user: subject.name.clone(),
                uid: Some(subject.uid),
                target: step.target.clone(),
                rhost: String::new(),
                tty: String::new(),
            },
            caller_uid: if subject_is_caller(service) { subject.uid } else { Uid::ROOT },
            subject: Known::Fully(subject.clone()),
            holds_claim: false,
            from: step.from,
        };
        let answer = decide(self.policy, &self.state, &self.host, &question, &self.now);
        if answer.why == Why::Exempt {
            self.touched.insert(exempt_at(service));
        }
        let mut text = format!("{} ({})", answer.verdict, answer.why);
        if let Some(admits) = &answer.admits {
            text += &format!(", {} left", crate::duration::Human(admits.remaining));
        }
        let event = answer.event(&question);
        self.apply(event);
        let tried = format!("{} at {service}", subject.name);
        Ok(Got { tried, then: answer.verdict.as_str(), why: Some(answer.why), text })
    }

    fn wait(&mut self, time: Duration) {
        self.now.wall = self.now.wall.plus(time);
        self.now.boot = self.now.boot.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self.apply(due(&self.state, &self.now));
    }

    fn apply(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            let record = Record { seq: self.state.next_seq(), at: self.now.clone(), actor: None, event };
            self.state.apply(&record);
        }
    }

    fn account(&self, name: Option<&UserName>, key: &str) -> Result<Subject, String> {
        let name = name.ok_or_else(|| format!("the step needs `{key}`"))?;
        let account = self.accounts.get(name).cloned();
        account.ok_or_else(|| format!("there is no [account.{name}] in this file"))
    }
}

fn as_self(account: Subject) -> Caller {
    Caller { login: request::Login::Known(account.clone()), account }
}
