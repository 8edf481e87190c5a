//! A small world for tests of the domain: one host, a policy, people, clocks that are moved by hand.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{RequestId, Uid};

use crate::clock::{Moment, tests::at};
use crate::decide::{Answer, Known, Question, decide};
use crate::due::due;
use crate::event::{Decision, Event, Login as LoginEvent, Record};
use crate::policy::{Finding, Host, Policy, SourceFile, Subject, Ways};
use crate::request::{Caller, GrantOrder, Login, Refusal, Target, file, grant, review, revoke};
use crate::review::Reviewer;
use crate::state::State;

pub(crate) const POLICY: &str = r#"
version = 1
[admins]
users = ["root", "adam"]
[[exempt]]
users = ["backup"]
services = ["login", "sshd"]
[role.shell]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["maria", "adam"], groups = ["ops"] }
max-duration = "4h"
default-duration = "1h"
[[role.shell.stage]]
name = "lead"
approvers = { users = ["root", "adam", "olga"] }
[role.root]
hosts = ["*"]
services = ["sudo"]
eligible = { users = ["maria"] }
max-duration = "2h"
[[role.root.stage]]
name = "lead"
approvers = { users = ["root", "adam", "maria"] }
[role.once]
hosts = ["*"]
services = ["sshd", "su"]
eligible = { users = ["maria"] }
max-duration = "4h"
uses = 1
[[role.once.stage]]
name = "lead"
approvers = { users = ["root", "adam"] }
[role.two]
hosts = ["*"]
services = ["login"]
eligible = { users = ["maria"] }
max-duration = "4h"
[[role.two.stage]]
name = "lead"
approvers = { users = ["root", "adam", "olga"] }
approvals = 2
[role.elsewhere]
hosts = ["web-*"]
services = ["cups"]
eligible = { users = ["maria"] }
max-duration = "4h"
[[role.elsewhere.stage]]
name = "lead"
approvers = { users = ["root", "adam"] }
"#;

pub(crate) fn policy(text: &str) -> Policy {
    let file = SourceFile { name: "10.toml".into(), bytes: text.as_bytes().to_vec() };
    match Policy::parse(&[file]) {
        Ok(loaded) => loaded.policy,
        Err(findings) => panic!("{}", findings.iter().map(Finding::render).collect::<Vec<_>>().join("\n")),
    }
}

pub(crate) fn subject(name: &str, uid: u32) -> Subject {
    Subject { name: name.parse().unwrap(), uid: uid.try_into().unwrap(), groups: BTreeSet::new() }
}

pub(crate) fn host(name: &str) -> Host {
    Host { name: name.parse().unwrap(), groups: BTreeSet::new(), ways: Ways::default() }
}

pub(crate) fn maria() -> Subject {
    subject("maria", 1001)
}

pub(crate) fn root() -> Subject {
    subject("root", 0)
}

/// A caller who logged in as themselves.
pub(crate) fn as_self(subject: Subject) -> Caller {
    Caller { login: Login::Known(subject.clone()), account: subject }
}

/// Root that `login` logged in to become.
pub(crate) fn root_by(login: Subject) -> Caller {
    Caller { account: root(), login: Login::Known(login) }
}

/// Everything that a host knows.
pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) state: State,
    pub(crate) host: Host,
    pub(crate) now: Moment,
    pub(crate) log: Vec<Record>,
    ids: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            policy: policy(POLICY),
            state: State::default(),
            host: host("db-1"),
            now: at(1_700_000_000_000, 5_000),
            log: Vec::new(),
            ids: 0,
        }
    }

    pub(crate) fn apply(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            let record = Record { seq: self.state.next_seq(), at: self.now.clone(), actor: None, event };
            self.state.apply(&record);
            self.log.push(record);
        }
    }

    /// Both clocks go on; what is due happens.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.now = at(
            self.now.wall.plus(time).unix_millis(),
            self.now.boot + u64::try_from(time.as_millis()).unwrap(),
        );
        let due = due(&self.state, &self.now);
        self.apply(due);
    }

    /// As `jitctl grant`; the id of the request.
    pub(crate) fn grant(
        &mut self,
        caller: &Caller,
        to: Subject,
        role: &str,
        duration: Option<Duration>,
    ) -> Result<RequestId, Refusal> {
        self.ids += 1;
        let id = RequestId::from_bits(self.ids);
        let order = GrantOrder {
            beneficiary: to,
            role: role.parse().unwrap(),
            duration,
            reason: "INC-1 look".parse().unwrap(),
            id,
        };
        let events = grant(&self.policy, &self.state, &self.host, caller, order, &self.now)?;
        self.apply(events);
        Ok(id)
    }

    /// As `jitctl request`; the id of the request.
    pub(crate) fn file(&mut self, by: Subject, role: &str, reason: &str) -> Result<RequestId, Refusal> {
        self.ids += 1;
        let id = RequestId::from_bits(self.ids);
        let order = GrantOrder {
            beneficiary: by.clone(),
            role: role.parse().unwrap(),
            duration: None,
            reason: reason.parse().unwrap(),
            id,
        };
        let events = file(&self.policy, &self.state, &self.host, &as_self(by), order, &self.now)?;
        self.apply(events);
        Ok(id)
    }

    /// As `jitctl approve` or `deny`; whether the window opened.
    pub(crate) fn review(
        &mut self,
        by: &Subject,
        id: RequestId,
        decision: Decision,
    ) -> Result<bool, Refusal> {
        let caller = as_self(by.clone());
        let reviewer = Reviewer::Online(&caller);
        let events = review(&self.policy, &self.state, &self.host, reviewer, id, decision, &self.now)?;
        self.apply(events);
        Ok(self.state.grant(id.into()).is_some())
    }

    pub(crate) fn revoke(&mut self, id: RequestId) {
        let target = Target::Request(id);
        let event = revoke(&self.policy, &self.state, &as_self(root()), target, None).unwrap();
        self.apply([event]);
    }

    pub(crate) fn question(service: &str, subject: &Subject, stage: Stage) -> Question {
        Question {
            stage,
            login: LoginEvent {
                service: service.parse().unwrap(),
                user: subject.name.clone(),
                uid: Some(subject.uid),
                target: None,
                rhost: "10.0.0.9".into(),
                tty: String::new(),
            },
            subject: Known::Fully(subject.clone()),
            caller_uid: if service.starts_with("su") { subject.uid } else { Uid::ROOT },
            holds_claim: false,
            from: None,
        }
    }

    pub(crate) fn ask(&self, question: &Question) -> Answer {
        decide(&self.policy, &self.state, &self.host, question, &self.now)
    }

    /// Asks and, if allowed, lets the allow happen.
    pub(crate) fn log_in(&mut self, question: &Question) -> Answer {
        let answer = self.ask(question);
        let event = answer.event(question);
        self.apply(event);
        answer
    }

    pub(crate) fn check(&self, service: &str, subject: &Subject) -> Answer {
        self.ask(&Self::question(service, subject, Stage::Account))
    }
}
