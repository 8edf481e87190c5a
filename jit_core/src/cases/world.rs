//! The host of a story: it lives for one case, and answers each step by the code that decides in earnest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jit_proto::gate;
use jit_proto::words::{
    GroupName, Reason, RequestId, RoleName, ServiceName, Uid, UserName, subject_is_caller,
};

use super::case::{Account, Case, Step};
use super::touched::{at_stage, exempt_at, limit_of, limits};
use crate::check::decide::decide;
use crate::context::Context;
use crate::due::due;
use crate::duration::parse_duration;
use crate::event::{Event, Record};
use crate::model::{Caller, Decision, Known, Login, LoginAccount, LoginKey, Narrow, Question, Scope, Why};
use crate::orders::lock::{self, LockOrder};
use crate::orders::request::{self, ExtendOrder, RequestOrder};
use crate::orders::review::{self, Given, Reviewer};
use crate::orders::revoke::{self, Target};
use crate::orders::{Refusal, stages};
use crate::policy::{Host, Method, Policy, Subject, Ways};
use crate::state::State;
use crate::tickets::Register;
use crate::time::{BootId, Moment};

/// What a step came to.
pub(super) struct Got {
    pub(super) tried: String,
    /// The word that `then` is compared with.
    then: &'static str,
    why: Option<Why>,
    /// All that was answered.
    pub(super) text: String,
}

impl Got {
    /// What was expected instead, if anything was.
    pub(super) fn differs_from(&self, step: &Step) -> Option<String> {
        let then = step.then.is_none_or(|then| then.as_str() == self.then);
        let why = step.why.is_none_or(|why| Some(why) == self.why);
        let says = step.says.as_ref().is_none_or(|says| self.text.contains(says));
        if then && why && says {
            return None;
        }
        let mut expected: Vec<String> = step.then.iter().map(|then| then.as_str().to_owned()).collect();
        expected.extend(step.why.map(|why| format!("({why})")));
        expected.extend(step.says.as_ref().map(|says| format!("… {says} …")));
        Some(expected.join(" "))
    }
}

/// A host that lives for one case.
pub(super) struct World<'p> {
    policy: &'p Policy,
    tickets: &'p Register,
    accounts: BTreeMap<UserName, Subject>,
    host: Host,
    now: Moment,
    state: State,
    latest: BTreeMap<UserName, RequestId>,
    ids: u64,
    pub(super) touched: BTreeSet<String>,
}

impl<'p> World<'p> {
    pub(super) fn new(
        policy: &'p Policy,
        tickets: &'p Register,
        accounts: &BTreeMap<UserName, Account>,
        case: &Case,
    ) -> Self {
        let named = accounts.iter().zip(1_001..).map(|((name, account), uid)| {
            let uid =
                if name.as_str() == "root" { Uid::ROOT } else { Uid::try_from(uid).unwrap_or(Uid::ROOT) };
            (name.clone(), Subject { groups: account.groups.clone(), ..Subject::named(name.clone(), uid) })
        });
        Self {
            policy,
            tickets,
            accounts: named.collect(),
            host: Host { name: case.host.clone(), groups: case.host_groups.clone(), ways: Ways::default() },
            now: Moment::believed(case.at, 1_000, BootId::default()),
            state: State::default(),
            latest: BTreeMap::new(),
            ids: 0,
            touched: BTreeSet::new(),
        }
    }

    pub(super) fn step(&mut self, step: &Step) -> Result<Got, String> {
        let Step { request, grant, approve, deny, withdraw, extend, done, lock, unlock, .. } = step;
        let Step { check, leaves, wait, .. } = step;
        let given =
            [request.is_some(), grant.is_some(), approve.is_some(), deny.is_some()].into_iter().chain([
                withdraw.is_some(),
                extend.is_some(),
                done.is_some(),
                lock.is_some(),
                unlock.is_some(),
                check.is_some(),
                leaves.is_some(),
                wait.is_some(),
            ]);
        if given.filter(|given| *given).count() != 1 {
            return Err(
                "a step has one of request, grant, approve, deny, withdraw, extend, done, lock, unlock, \
                        check, leaves and wait"
                    .to_owned(),
            );
        }
        self.makes_sense(step)?;
        if let Some(time) = wait {
            let time = parse_duration(time).map_err(|err| err.to_string())?;
            self.wait(time);
            return Ok(Got { tried: "wait".to_owned(), then: "", why: None, text: String::new() });
        }
        let by = self.account(step.by.as_ref(), "by")?;
        let by = if grant.is_some() { by } else { by.as_person(step.person.clone()) };
        if let Some(group) = leaves {
            return self.leave(by, group);
        }
        if let Some(service) = check {
            return Ok(self.check(step, by, service));
        }
        let duration =
            step.duration.as_deref().map(parse_duration).transpose().map_err(|err| err.to_string())?;
        if let Some(role) = request.as_ref().or(grant.as_ref()) {
            return self.ask(step, by, role, duration);
        }
        let decision = if deny.is_some() { Decision::Deny } else { Decision::Approve };
        if let Some(whose) = approve.as_ref().or(deny.as_ref()) {
            return self.review(step, &by, whose, decision, duration);
        }
        if let Some(whose) = withdraw.as_ref().or(extend.as_ref()).or(done.as_ref()) {
            return self.hand(step, by, whose, duration);
        }
        self.lock(step, by, duration)
    }

    /// Words that could never come true, or that name what is not there: a case with one passes or fails for nothing.
    fn makes_sense(&self, step: &Step) -> Result<(), String> {
        let is_told = step.wait.is_none() && step.leaves.is_none();
        match step.then {
            Some(_) if !is_told => return Err("nothing is answered to `wait` and `leaves`".to_owned()),
            Some(then) if then.is_verdict() != step.check.is_some() => {
                let to = if step.check.is_some() { "allow, deny or unmanaged" } else { "no verdict" };
                return Err(format!("`then` is \"{}\", and the answer here is {to}", then.as_str()));
            }
            Some(_) | None => {}
        }
        let locked = [&step.lock, &step.unlock].into_iter().flatten().find_map(|scope| match scope {
            Scope::Role(role) => Some(role),
            Scope::Host | Scope::User(_) | Scope::Group(_) | Scope::Service(_) => None,
        });
        let named = step.request.iter().chain(&step.grant).chain(locked);
        let Some(role) = named.into_iter().find(|role| self.policy.role(role).is_none()) else {
            return Ok(());
        };
        let known = self.policy.roles().map(|role| role.name.as_str());
        let meant = crate::text::nearest(role.as_str(), known);
        let meant = meant.map_or_else(String::new, |role| format!("; did you mean '{role}'?"));
        Err(format!("no file defines role '{role}'{meant}"))
    }

    /// Takes somebody out of a group; whatever that means is found when they are next looked at.
    fn leave(&mut self, mut by: Subject, group: &GroupName) -> Result<Got, String> {
        if !by.groups.remove(group) {
            return Err(format!("{} is not in group '{group}'", by.name));
        }
        let tried = format!("{} leaves {group}", by.name);
        self.accounts.insert(by.name.clone(), Subject { person: None, ..by });
        Ok(Got { tried, then: "", why: None, text: String::new() })
    }

    fn here(&self) -> Context<'_> {
        Context {
            policy: self.policy,
            state: &self.state,
            host: &self.host,
            now: &self.now,
            tickets: self.tickets,
        }
    }

    fn next_id(&mut self) -> RequestId {
        self.ids += 1;
        RequestId::from_bits(self.ids)
    }

    fn ask(
        &mut self,
        step: &Step,
        by: Subject,
        role: &RoleName,
        duration: Option<Duration>,
    ) -> Result<Got, String> {
        let by_admin = step.grant.is_some();
        let to = || self.account(step.to.as_ref(), "to");
        let to = if by_admin { to()?.as_person(step.person.clone()) } else { by.clone() };
        let id = self.next_id();
        let reason = reason(step)?;
        let start = step.start;
        let order = RequestOrder { beneficiary: to.clone(), role: role.clone(), duration, start, reason, id };
        let caller = as_self(by);
        let events = if by_admin {
            request::grant(self.here(), &caller, order)
        } else {
            request::file_from(self.here(), &caller, order, step.from)
        };
        if events.is_ok() {
            self.latest.insert(to.name.clone(), id);
            self.touched.insert(format!("role {role}"));
        }
        Ok(self.done(format!("{} asks for {role} for {}", caller.account.name, to.name), id, events))
    }

    fn review(
        &mut self,
        step: &Step,
        by: &Subject,
        whose: &UserName,
        decision: Decision,
        duration: Option<Duration>,
    ) -> Result<Got, String> {
        let id = self.latest_of(whose)?;
        let caller = as_self(by.clone());
        let reviewer = match step.method.unwrap_or(Method::Online) {
            Method::Online => Reviewer::Online(&caller),
            method @ (Method::Signature | Method::Code) => Reviewer::Remote { account: by, method },
        };
        let narrow = Narrow { duration, services: step.services.clone(), uses: None };
        let note = step.reason.as_ref().map(|_| reason(step)).transpose()?;
        let given = Given { narrow, note, ..Given::new(reviewer, decision) };
        // In a story everybody stays who they are.
        let lookups = self
            .accounts
            .iter()
            .map(|(name, account)| (name.clone(), Known::Fully(account.clone())))
            .collect();
        let events = review::review(self.here(), id, None, &given, &lookups);
        let tried = format!("{} says {} to {whose}", by.name, decision.as_str());
        Ok(self.done(tried, id, events))
    }

    /// What people do with what is theirs.
    fn hand(
        &mut self,
        step: &Step,
        by: Subject,
        whose: &UserName,
        duration: Option<Duration>,
    ) -> Result<Got, String> {
        let id = self.latest_of(whose)?;
        let caller = as_self(by.clone());
        let named = |what: &str| format!("{} {what} for {whose}", by.name);
        if step.withdraw.is_some() {
            let events = revoke::withdraw(self.here(), &caller, id, None);
            return Ok(self.done(named("withdraws"), id, events));
        }
        if step.done.is_some() {
            let events = revoke::done(self.here(), &caller, Target::Request(id), None);
            return Ok(self.done(named("gives back"), id, events));
        }
        let tried = named("extends");
        let (grant, reason, id) = (id.into(), reason(step)?, self.next_id());
        let order = ExtendOrder { beneficiary: by, grant, duration, reason, id };
        let events = request::extend(self.here(), &caller, order);
        if events.is_ok() {
            self.latest.insert(whose.clone(), id);
        }
        Ok(self.done(tried, id, events))
    }

    fn lock(&mut self, step: &Step, by: Subject, duration: Option<Duration>) -> Result<Got, String> {
        let caller = as_self(by);
        let (tried, events) = if let Some(scope) = &step.lock {
            let message = step.reason.as_ref().map(|_| reason(step)).transpose()?;
            let people = self.policy.people();
            let is_locked = |name| matches!(scope, Scope::User(locked) if people.same(locked, name));
            let behind = self.accounts.values().filter(|account| is_locked(&account.name));
            let uids = behind.map(|account| account.uid).collect();
            let order = LockOrder { scope: scope.clone(), message, duration, uids };
            (format!("lock {scope}"), lock::lock(self.here(), &caller, order))
        } else {
            let scope = step.unlock.clone().ok_or("the step needs `unlock`")?;
            (format!("unlock {scope}"), lock::unlock(self.here(), &caller, scope, None))
        };
        let then = match events {
            Ok(events) => {
                self.apply(events);
                if let Some(Scope::Group(group)) = &step.lock {
                    let members = self.accounts.values().filter(|account| account.groups.contains(group));
                    let members = members.map(|account| account.name.clone()).collect();
                    self.apply(lock::end_of_members(self.here(), group, &members));
                }
                ("done", "done".to_owned())
            }
            Err(refusal) => ("refused", format!("refused: {refusal}")),
        };
        Ok(Got { tried, then: then.0, why: None, text: then.1 })
    }

    fn latest_of(&self, whose: &UserName) -> Result<RequestId, String> {
        self.latest.get(whose).copied().ok_or_else(|| format!("{whose} has not asked for anything"))
    }

    /// Lets the events of an order happen, and says what has become of the request.
    fn done(&mut self, tried: String, id: RequestId, events: Result<Vec<Event>, Refusal>) -> Got {
        let events = match events {
            Ok(events) => events,
            Err(refusal) => {
                return Got { tried, then: "refused", why: None, text: format!("refused: {refusal}") };
            }
        };
        // What waits, and the emergency that is open and owes its reviews.
        let pending = self.state.reviewable(id).map(|pending| pending.request.role.clone());
        let filed = events.iter().find_map(|event| {
            if let Event::Requested { request } = event { Some(request.role.clone()) } else { None }
        });
        let role = filed.or(pending);
        for event in &events {
            if let (Event::Reviewed { review, .. }, Some(role)) = (event, &role) {
                self.touched.insert(at_stage(role, &review.stage, review.decision));
            }
        }
        self.apply(events);
        let (then, text) = if let Some(grant) = self.state.grant(id.into()) {
            let for_ = crate::duration::Human(grant.length());
            match grant.window() {
                Some(_) => ("opens", format!("opens for {for_}")),
                None => ("scheduled", format!("is scheduled for {for_}")),
            }
        } else if let Some(pending) = self.state.pending().get(&id) {
            let waits = stages::waiting_for(self.here(), pending);
            ("waits", format!("waits for {waits}"))
        } else {
            ("ends", "ends".to_owned())
        };
        Got { tried, then, why: None, text }
    }

    fn check(&mut self, step: &Step, subject: Subject, service: &ServiceName) -> Got {
        // Where people share an account, sshd says by its session whose key came.
        let people = self.policy.people();
        let key = subject.person.as_ref().and_then(|person| LoginKey::of_person(people, person));
        let is_login = !subject_is_caller(service);
        let stage = if key.is_some() && is_login { gate::Stage::Session } else { gate::Stage::Account };
        let question = Question {
            stage,
            login: Login {
                service: service.clone(),
                user: subject.name.clone(),
                uid: Some(subject.uid),
                target: step.target.clone(),
                rhost: String::new(),
                tty: String::new(),
                keys: key.into_iter().collect(),
                person: subject.person.clone(),
            },
            caller_uid: if subject_is_caller(service) { subject.uid } else { Uid::ROOT },
            subject: Known::Fully(subject.clone()),
            holds_claim: false,
            from: step.from,
            opener: None,
            asking: None,
            asker: None,
            awaits_key: false,
        };
        let answer = decide(self.policy, &self.state, &self.host, &question, &self.now);
        for rule in self.policy.exemptions() {
            if answer.why() == Why::Exempt && rule.covers(&subject, service, step.from) {
                self.touched.insert(exempt_at(rule, service));
            }
        }
        for grant in self.state.grants_of(subject.uid).filter(|grant| grant.services.contains(service)) {
            let Some(role) = self.policy.role(&grant.role) else { continue };
            let shown = limits(&role.limits).filter(|(why, _)| *why == answer.why());
            self.touched.extend(shown.map(|(_, limit)| limit_of(&role.name, limit)));
        }
        let mut text = format!("{} ({})", answer.verdict(), answer.why());
        if let Some(admits) = answer.admission() {
            text += &format!(", {} left", crate::duration::Human(admits.remaining));
        }
        self.apply(answer.events(&question));
        let tried = format!("{} at {service}", subject.name);
        Got { tried, then: answer.verdict().as_str(), why: Some(answer.why()), text }
    }

    fn wait(&mut self, time: Duration) {
        self.now.wall = self.now.wall.plus(time);
        self.now.boot = self.now.boot.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        loop {
            let due = due(self.here());
            if due.is_empty() {
                break;
            }
            self.apply(due);
        }
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

fn reason(step: &Step) -> Result<Reason, String> {
    let reason = step.reason.as_deref().unwrap_or("a reason that says enough");
    reason.parse().map_err(|err| format!("{err}"))
}

fn as_self(account: Subject) -> Caller {
    Caller { login: LoginAccount::Known(account.clone()), account }
}
