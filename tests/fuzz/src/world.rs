//! A host that a story happens on, and what holds for every answer that it gives.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use jit_core::clock::{BootId, Moment};
use jit_core::decide::{Known, Question, Why, decide};
use jit_core::due::due;
use jit_core::event::{Decision, Event, Login, Method, Record};
use jit_core::explain::{explain, refusal};
use jit_core::grant::ClaimKind;
use jit_core::policy::{Host, HostPattern, Policy, Role, Subject, Who};
use jit_core::request::{self, Caller, GrantOrder, Refusal};
use jit_core::review::Reviewer;
use jit_core::state::State;
use jit_proto::gate::{MAX_TEXT, Stage};
use jit_proto::words::{GrantId, RequestId, ServiceName, Uid, Verdict, subject_is_caller};

use crate::{assert_line, assert_lines};

/// So many roles of a policy are tried out; the others are like them.
const MAX_ROLES: usize = 8;

/// A Monday.
pub(crate) const START: &str = "2026-11-23T10:00:00Z";

/// One host with everything that it knows.
pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) state: State,
    pub(crate) host: Host,
    pub(crate) now: Moment,
    log: Vec<Record>,
    /// When each window opened by both clocks, and for how long, kept apart from what is tested.
    windows: BTreeMap<GrantId, (Moment, Duration)>,
    ids: u64,
}

impl World {
    pub(crate) fn new(policy: Policy, host: Host) -> Self {
        Self {
            policy,
            state: State::default(),
            host,
            now: Moment { wall: START.parse().unwrap(), boot: 1_000, boot_id: BootId::default() },
            log: Vec::new(),
            windows: BTreeMap::new(),
            ids: 0,
        }
    }

    /// Lets events happen, each by way of its bytes.
    pub(crate) fn apply(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            if let Event::Opened { grant } = &event {
                self.windows.insert(grant.id, (self.now.clone(), grant.window.duration));
            }
            let record = Record { seq: self.state.next_seq(), at: self.now.clone(), actor: None, event };
            let bytes = record.encode().unwrap().bytes;
            assert_eq!(Record::decode(record.seq, &bytes).unwrap(), record);
            self.state.apply(&record);
            self.log.push(record);
        }
    }

    /// Both clocks go on, and what is due happens.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.now.wall = self.now.wall.plus(time);
        self.now.boot += u64::try_from(time.as_millis()).unwrap();
        self.apply(due(&self.state, &self.now));
    }

    /// Asks for a role, for oneself or, as an admin, for another.
    pub(crate) fn order(
        &mut self,
        by: &Subject,
        to: &Subject,
        role: &Role,
        reason: &str,
        duration: Option<Duration>,
    ) -> Result<RequestId, Refusal> {
        self.ids += 1;
        let id = RequestId::from_bits(self.ids);
        let order = GrantOrder {
            beneficiary: to.clone(),
            role: role.name.clone(),
            duration,
            reason: reason.parse().unwrap(),
            id,
        };
        let file = if by == to { request::file } else { request::grant };
        let events = file(&self.policy, &self.state, &self.host, &as_self(by), order, &self.now);
        self.happen(events)?;
        Ok(id)
    }

    /// Reviews a request.
    pub(crate) fn review(&mut self, by: &Subject, id: RequestId, decision: Decision, method: Method) {
        let caller = as_self(by);
        let reviewer = match method {
            Method::Online => Reviewer::Online(&caller),
            method => Reviewer::Remote { account: by, method },
        };
        let events =
            request::review(&self.policy, &self.state, &self.host, reviewer, id, decision, &self.now);
        drop(self.happen(events));
    }

    /// Lets happen what an order comes to; a refusal can be shown.
    pub(crate) fn happen(&mut self, events: Result<Vec<Event>, Refusal>) -> Result<(), Refusal> {
        if let Err(refusal) = &events {
            assert_line(&refusal.to_string());
        }
        self.apply(events?);
        Ok(())
    }

    /// Asks, checks the answer, and lets it happen if it is an `allow`.
    pub(crate) fn log_in(&mut self, question: &Question) {
        let answer = decide(&self.policy, &self.state, &self.host, question, &self.now);
        self.check(question);
        self.apply(answer.event(question));
    }

    /// What holds for every answer.
    pub(crate) fn check(&self, question: &Question) {
        let Self { policy, state, host, now, .. } = self;
        let answer = decide(policy, state, host, question, now);
        assert_eq!(decide(policy, state, host, question, now), answer, "the same question twice");
        let explained = explain(policy, state, host, question, now);
        assert_eq!(explained.answer, answer, "what is explained is what was decided");
        assert_eq!(explain(policy, state, host, question, now), explained);
        assert_lines(&explained.to_string());
        let line = explained.line();
        assert_line(line);
        assert!(line.len() <= MAX_TEXT, "{} bytes: {line}", line.len());
        assert_eq!(
            refusal(policy, state, host, question, &answer, now),
            line,
            "the line is the same without the rest"
        );
        assert_eq!(line.is_empty(), answer.verdict != Verdict::Deny, "{answer:?}: {line:?}");

        assert_eq!(answer.admits.is_some(), answer.verdict == Verdict::Allow, "{answer:?}");
        assert_eq!(answer.event(question).is_some(), answer.verdict == Verdict::Allow);
        if let Some(admits) = &answer.admits {
            let subject = question.known().unwrap();
            let grant = state.grant(admits.grant).unwrap();
            assert_eq!((&grant.user, grant.uid), (&subject.name, subject.uid));
            assert!(grant.services.contains(&question.login.service));
            let role = policy.role(&admits.role).unwrap();
            assert!(role.eligible.contains(subject) && role.on_host(host));
            let left = self.left(admits.grant);
            assert!(!admits.remaining.is_zero() && admits.remaining <= left, "{answer:?}, {left:?} left");
        }

        // A name service that fails refuses whom it takes to admit, and changes nothing else.
        let unknown = Question { subject: Known::Unanswered, ..question.clone() };
        let without = decide(policy, state, host, &unknown, now);
        assert_ne!(without.verdict, Verdict::Allow);
        assert!(
            without.why == Why::NameService
                || without.would == Some(Why::NameService)
                || without.why == Why::Closing
        );
        if let Known::Fully(subject) = &question.subject {
            let groupless = Subject { groups: BTreeSet::new(), ..subject.clone() };
            let groupless = Question { subject: Known::WithoutGroups(groupless), ..question.clone() };
            let without = decide(policy, state, host, &groupless, now);
            assert!(without.verdict != Verdict::Allow || answer.verdict != Verdict::Deny, "{without:?}");
        }
    }

    /// What is left of a window, reckoned from when it was seen to open.
    fn left(&self, grant: GrantId) -> Duration {
        let (opened, duration) = &self.windows[&grant];
        if opened.boot_id != self.now.boot_id {
            return Duration::ZERO;
        }
        let wall = u64::try_from(self.now.wall.unix_millis() - opened.wall.unix_millis()).unwrap_or(0);
        let boot = self.now.boot.saturating_sub(opened.boot);
        duration.saturating_sub(Duration::from_millis(wall.max(boot)))
    }

    /// How many logins were allowed.
    pub(crate) fn allowed(&self) -> usize {
        let allowed =
            |record: &&Record| matches!(record.event, Event::Allowed { .. } | Event::SessionOpened { .. });
        self.log.iter().filter(allowed).count()
    }

    /// The log, read from its start, is the state; and every session that takes up a claim finds one that was made
    /// for it, is not too old, and was taken up by no other.
    pub(crate) fn check_log(&self) {
        let mut folded = State::default();
        let mut claims = BTreeMap::new();
        for record in &self.log {
            folded.apply(record);
            match &record.event {
                Event::Allowed { grant, claim: Some(kind), login, .. } => {
                    claims.insert(record.seq, (grant, *kind, &login.service, &login.rhost, &record.at));
                }
                Event::ClaimVoided { claim, .. } => drop(claims.remove(claim)),
                Event::SessionOpened { grant, claim: Some(claim), login, .. } => {
                    let (of, kind, service, rhost, made) = claims.remove(claim).unwrap();
                    assert_eq!((of, service, rhost), (grant, &login.service, &login.rhost));
                    assert!(kind == ClaimKind::Spent || record.at.since(made) < Duration::from_mins(1));
                }
                _ => {}
            }
        }
        assert_eq!(folded, self.state);
    }
}

/// A question of this subject at a service.
pub(crate) fn question(service: &ServiceName, subject: &Subject, stage: Stage) -> Question {
    Question {
        stage,
        login: Login {
            service: service.clone(),
            user: subject.name.clone(),
            uid: Some(subject.uid),
            target: None,
            rhost: String::new(),
            tty: String::new(),
        },
        subject: Known::Fully(subject.clone()),
        caller_uid: if subject_is_caller(service) { subject.uid } else { Uid::ROOT },
        holds_claim: false,
        from: None,
    }
}

/// A caller who logged in as themselves.
pub(crate) fn as_self(account: &Subject) -> Caller {
    Caller { login: request::Login::Known(account.clone()), account: account.clone() }
}

/// Somebody for whom each role is asks for it, its approvers approve, and they log in until it is over. The answer is
/// how many logins were allowed.
pub(crate) fn exercise(policy: &Policy) -> usize {
    let mut allowed = 0;
    for role in policy.roles().take(MAX_ROLES) {
        let mut world = World::new(policy.clone(), host_of(role));
        let subject = &people(&role.eligible, 1_000, 1)[0];
        let mut questions = Vec::new();
        for service in &role.services {
            for stage in [Stage::Account, Stage::Session, Stage::Close] {
                let mut question = question(service, subject, stage);
                question.login.target = role.limits.run_as.first().cloned();
                question.from = role.limits.from.first().and_then(base);
                questions.push(question);
            }
        }
        let ask = |world: &mut World| {
            for question in &questions {
                world.log_in(question);
            }
        };
        ask(&mut world);
        if let Ok(id) = world.order(subject, subject, role, "INC-1234 CHG-1 a reason that says enough", None)
        {
            ask(&mut world);
            for (n, stage) in (0..).zip(&role.stages) {
                let method = *stage.accept.first().unwrap();
                let needed = usize::try_from(stage.approvals.get()).unwrap_or(usize::MAX).min(4);
                for approver in people(&stage.approvers, 2_000 + 100 * n, needed) {
                    world.review(&approver, id, Decision::Approve, method);
                }
            }
            ask(&mut world);
        }
        for wait in [role.max_duration / 2, role.max_duration, Duration::from_hours(24)] {
            world.wait(wait);
            ask(&mut world);
        }
        world.check_log();
        allowed += world.allowed();
    }
    allowed
}

/// A host that the role exists on.
fn host_of(role: &Role) -> Host {
    let fits = |glob: &str| glob.replace('*', "x").replace('?', "y").parse().ok();
    let (name, group) = match role.hosts.first() {
        Some(HostPattern::Name(glob)) => (fits(glob.as_str()), None),
        Some(HostPattern::Group(group)) => (None, Some(group.clone())),
        None => (None, None),
    };
    Host { name: name.unwrap_or_else(|| "db-1".parse().unwrap()), groups: group.into_iter().collect() }
}

/// Up to so many people of a set: its accounts, then members of its first group.
fn people(who: &Who, uid: u32, count: usize) -> Vec<Subject> {
    let group = who.groups.first();
    let named = who.users.iter().cloned();
    let members =
        group.into_iter().flat_map(|_| (0..count).map(|n| format!("member-{uid}-{n}").parse().unwrap()));
    let subject = |(name, uid): (_, u32)| Subject {
        name,
        uid: uid.try_into().unwrap(),
        groups: group.cloned().into_iter().collect(),
    };
    named.chain(members).take(count).zip(uid..).map(subject).collect()
}

fn base(network: &jit_core::policy::Network) -> Option<IpAddr> {
    network.to_string().split('/').next()?.parse().ok()
}
