//! A small world for tests of the domain: one host, a policy, people, clocks that are moved by hand.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jit_proto::gate::Stage;
use jit_proto::words::{GroupName, RequestId, Uid, UserName};

use crate::check::decide::{Answer, decide};
use crate::context::Context;
use crate::due::due;
use crate::event::{Event, Record};
use crate::model::{Caller, Decision, Known, Login as LoginEvent, LoginAccount, PolicyWord, Question};
use crate::orders::Refusal;
use crate::orders::lock::{LockOrder, lock, unlock};
use crate::orders::request::{RequestOrder, file, grant};
use crate::orders::review::{Given, Lookups, Reviewer, review};
use crate::orders::revoke::{Target, revoke};
use crate::policy::{Finding, Host, Policy, SourceFile, Subject, Ways};
use crate::state::State;
use crate::tickets::Register;
use crate::time::{Moment, Utc};

const BOOT_A: &str = "6f8e4c1a-0000-4000-8000-00000000000a";
const BOOT_B: &str = "6f8e4c1a-0000-4000-8000-00000000000b";

/// A moment with the wall clock and the boot clock in milliseconds.
pub(crate) fn at(wall: i64, boot: u64) -> Moment {
    Moment::believed(Utc::from_unix_millis(wall), boot, BOOT_A.parse().unwrap())
}

/// The same after a restart.
pub(crate) fn at_next_boot(wall: i64, boot: u64) -> Moment {
    Moment { boot_id: BOOT_B.parse().unwrap(), ..at(wall, boot) }
}

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
    Subject::named(name.parse().unwrap(), uid.try_into().unwrap())
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
    Caller { login: LoginAccount::Known(subject.clone()), account: subject }
}

/// Root that `login` logged in to become.
pub(crate) fn root_by(login: Subject) -> Caller {
    Caller { account: root(), login: LoginAccount::Known(login) }
}

/// Everything that a host knows.
pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) state: State,
    pub(crate) host: Host,
    pub(crate) now: Moment,
    pub(crate) log: Vec<Record>,
    pub(crate) tickets: Register,
    /// The groups of those who have some.
    pub(crate) groups: BTreeMap<UserName, BTreeSet<GroupName>>,
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
            tickets: Register::NONE.clone(),
            groups: BTreeMap::new(),
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
        self.settle();
    }

    /// What is due happens.
    pub(crate) fn settle(&mut self) {
        loop {
            let due = due(self.here());
            if due.is_empty() {
                break;
            }
            self.apply(due);
        }
    }

    pub(crate) fn here(&self) -> Context<'_> {
        Context {
            policy: &self.policy,
            state: &self.state,
            host: &self.host,
            now: &self.now,
            tickets: &self.tickets,
        }
    }

    pub(crate) fn next_id(&mut self) -> RequestId {
        self.ids += 1;
        RequestId::from_bits(self.ids)
    }

    /// As `jitctl grant`; the id of the request.
    pub(crate) fn grant(
        &mut self,
        caller: &Caller,
        to: Subject,
        role: &str,
        duration: Option<Duration>,
    ) -> Result<RequestId, Refusal> {
        let id = self.next_id();
        let order = RequestOrder {
            beneficiary: to,
            role: role.parse().unwrap(),
            duration,
            start: None,
            reason: "INC-1 look".parse().unwrap(),
            id,
        };
        let events = grant(self.here(), caller, order)?;
        self.apply(events);
        Ok(id)
    }

    /// As `jitctl request`; the id of the request.
    pub(crate) fn file(&mut self, by: Subject, role: &str, reason: &str) -> Result<RequestId, Refusal> {
        let id = self.next_id();
        let order = RequestOrder {
            beneficiary: by.clone(),
            role: role.parse().unwrap(),
            duration: None,
            start: None,
            reason: reason.parse().unwrap(),
            id,
        };
        let events = file(self.here(), &as_self(by), order)?;
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
        self.give(&Given::new(Reviewer::Online(&caller), decision), id)
    }

    /// A review as it is given; whether the window opened. Everybody concerned is who they were.
    pub(crate) fn give(&mut self, given: &Given<'_>, id: RequestId) -> Result<bool, Refusal> {
        let lookups = self.lookups(id);
        let events = review(self.here(), id, None, given, &lookups)?;
        self.apply(events);
        Ok(self.state.grant(id.into()).is_some())
    }

    /// The people whom a review of this request is about, with whatever groups `people` gives them.
    pub(crate) fn lookups(&self, id: RequestId) -> Lookups {
        let Some(pending) = self.state.reviewable(id) else { return Lookups::new() };
        let people = [&pending.request.beneficiary].into_iter().chain(pending.reviews.iter().map(|r| &r.by));
        let known = people.map(|person| {
            let groups = self.groups.get(&person.name).cloned().unwrap_or_default();
            let subject = Subject { groups, ..Subject::named(person.name.clone(), person.uid) };
            (person.name.clone(), Known::Fully(subject))
        });
        known.collect()
    }

    pub(crate) fn revoke(&mut self, id: RequestId) {
        let target = Target::Request(id);
        let events = revoke(self.here(), &as_self(root()), target, None).unwrap();
        self.apply(events);
    }

    /// As `jitctl lock` by root.
    pub(crate) fn lock(&mut self, scope: &str, duration: Option<Duration>) {
        let message = Some("INC-9 under investigation".parse().unwrap());
        let order = LockOrder { scope: scope.parse().unwrap(), message, duration, uids: [].into() };
        let events = lock(self.here(), &as_self(root()), order).unwrap();
        self.apply(events);
    }

    /// As `jitctl unlock` by root.
    pub(crate) fn unlock(&mut self, scope: &str) {
        let events = unlock(self.here(), &as_self(root()), scope.parse().unwrap(), None).unwrap();
        self.apply(events);
    }

    /// As `jitctl policy load`: on trial for so many seconds, or for good.
    pub(crate) fn load(&mut self, new: Policy, trial: Option<u64>) {
        let before = Some(self.policy.digest());
        self.apply([Event::PolicyLoaded {
            digest: new.digest(),
            files: Vec::new(),
            before,
            diff: None,
            trial,
            word: PolicyWord::default(),
        }]);
        self.policy = new;
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
                keys: Vec::new(),
                person: None,
            },
            subject: Known::Fully(subject.clone()),
            caller_uid: if service.starts_with("su") { subject.uid } else { Uid::ROOT },
            holds_claim: false,
            from: None,
            opener: None,
            asking: None,
            asker: None,
            awaits_key: false,
        }
    }

    pub(crate) fn ask(&self, question: &Question) -> Answer {
        decide(&self.policy, &self.state, &self.host, question, &self.now)
    }

    /// Asks and, if allowed, lets the allow happen.
    pub(crate) fn log_in(&mut self, question: &Question) -> Answer {
        let answer = self.ask(question);
        self.apply(answer.events(question));
        answer
    }

    pub(crate) fn check(&self, service: &str, subject: &Subject) -> Answer {
        self.ask(&Self::question(service, subject, Stage::Account))
    }
}
