//! A host that a story happens on, and what holds for every answer that it gives.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use jit_core::clock::{BootId, Moment, Suspicion, Utc};
use jit_core::decide::{Known, Question, Why, decide};
use jit_core::due;
use jit_core::event::{Decision, Event, Login, Method, Record};
use jit_core::explain::{explain, refusal};
use jit_core::grant::ClaimKind;
use jit_core::order::{Here, Refusal};
use jit_core::person::{Caller, Login as Behind};
use jit_core::policy::{Host, HostPattern, Policy, Role, Subject, Ways, Who};
use jit_core::request::{ExtendOrder, RequestOrder, extend, file, grant};
use jit_core::review::{Given, Reviewer, Standing, concerned, review};
use jit_core::state::State;
use jit_proto::gate::{MAX_TEXT, Stage};
use jit_proto::words::{GrantId, RequestId, ServiceName, Uid, UserName, Verdict, subject_is_caller};

use crate::witness::Witness;
use crate::{assert_line, assert_lines};

/// So many roles of a policy are tried out; the others are like them.
const MAX_ROLES: usize = 8;

/// What is due makes more due so many times at most: each time a window goes on from another.
const MAX_ROUNDS: usize = 200;

/// A Monday.
pub(crate) const START: &str = "2026-11-23T10:00:00Z";

/// One host with everything that it knows.
pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) state: State,
    pub(crate) host: Host,
    pub(crate) now: Moment,
    /// What the name service says of people; nothing of those who are gone.
    pub(crate) people: BTreeMap<UserName, Option<Subject>>,
    log: Vec<Record>,
    witness: Witness,
    ids: u64,
}

/// What somebody asks for.
pub(crate) struct Ask<'a> {
    pub(crate) by: &'a Subject,
    pub(crate) to: &'a Subject,
    pub(crate) role: &'a Role,
    pub(crate) reason: &'a str,
    pub(crate) duration: Option<Duration>,
    pub(crate) start: Option<Utc>,
}

impl World {
    pub(crate) fn new(policy: Policy, host: Host) -> Self {
        Self {
            policy,
            state: State::default(),
            host,
            now: Moment {
                ran: Some(1_000),
                ..Moment::believed(START.parse().unwrap(), 1_000, BootId::default())
            },
            people: BTreeMap::new(),
            log: Vec::new(),
            witness: Witness::default(),
            ids: 0,
        }
    }

    pub(crate) const fn here(&self) -> Here<'_> {
        Here { policy: &self.policy, state: &self.state, host: &self.host, now: &self.now }
    }

    /// Lets events happen, each by way of its bytes.
    pub(crate) fn apply(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.witness.see(&event, &self.now);
            let record = Record { seq: self.state.next_seq(), at: self.now.clone(), actor: None, event };
            let bytes = record.encode().unwrap().bytes;
            assert!(!bytes.contains(&b'\n'), "a record is one line");
            let read = Record::decode(record.seq, &bytes).unwrap();
            assert_eq!(read, record);
            self.state.apply(&record);
            self.log.push(read);
        }
    }

    /// Both clocks go on, and what is due happens. Before it is said to be due, nothing is. Then the clock is believed
    /// again.
    pub(crate) fn wait(&mut self, time: Duration) {
        self.settle();
        let quiet = due::next(self.here()).unwrap_or(time).min(time);
        if let Some(before) = quiet.checked_sub(Duration::from_millis(1)) {
            let now = self.now.later(before);
            assert_eq!(due::due(Here { now: &now, ..self.here() }), [], "before {quiet:?}");
        }
        self.now = self.now.later(time);
        self.settle();
        if self.now.suspect.take().is_some() {
            self.settle();
        }
    }

    /// What is due happens.
    pub(crate) fn settle(&mut self) {
        self.until_quiet(|world| due::due(world.here()));
    }

    fn until_quiet(&mut self, due: impl Fn(&Self) -> Vec<Event>) {
        for _ in 0..MAX_ROUNDS {
            let events = due(self);
            if events.is_empty() {
                return;
            }
            self.apply(events);
        }
        assert_eq!(due(self), [], "something is always due");
    }

    /// The machine restarts.
    pub(crate) fn reboot(&mut self) {
        self.ids += 1;
        self.now.boot_id = format!("6f8e4c1a-0000-4000-8000-{:012x}", self.ids).parse().unwrap();
        self.now.boot = 500;
        self.now.ran = self.now.ran.map(|ran| ran + 500);
    }

    /// The clock begins to be suspect.
    pub(crate) fn doubt(&mut self, why: Suspicion) {
        self.now.suspect = Some(why);
    }

    pub(crate) fn next_id(&mut self) -> RequestId {
        self.ids += 1;
        RequestId::from_bits(self.ids)
    }

    /// Asks for a role, for oneself or, as an admin, for another.
    pub(crate) fn order(&mut self, ask: &Ask<'_>) -> Result<RequestId, Refusal> {
        let Ask { by, to, role, reason, duration, start } = *ask;
        let id = self.next_id();
        let order = RequestOrder {
            beneficiary: to.clone(),
            role: role.name.clone(),
            duration,
            start,
            reason: reason.parse().unwrap(),
            id,
        };
        self.people.entry(to.name.clone()).or_insert_with(|| Some(to.clone()));
        let standing = self.standing([to.name.clone()]);
        let order = if by == to {
            file(self.here(), &as_self(by), order)
        } else {
            grant(self.here(), &as_self(by), order)
        };
        let opened = opens(&order) && !role.emergency;
        self.happen(order)?;
        if opened {
            self.witness.check_approvers(&self.policy, id, &standing);
        }
        Ok(id)
    }

    /// Asks to go on after the end of a window.
    pub(crate) fn extend(
        &mut self,
        by: &Subject,
        grant: GrantId,
        reason: &str,
        duration: Option<Duration>,
    ) -> Result<RequestId, Refusal> {
        let id = self.next_id();
        let reason = reason.parse().unwrap();
        let order = ExtendOrder { beneficiary: by.clone(), grant, duration, reason, id };
        let events = extend(self.here(), &as_self(by), order);
        self.happen(events)?;
        Ok(id)
    }

    /// Reviews a request, and takes nothing away.
    pub(crate) fn review(&mut self, by: &Subject, id: RequestId, decision: Decision, method: Method) {
        let caller = as_self(by);
        let reviewer = match method {
            Method::Online => Reviewer::Online(&caller),
            method => Reviewer::Remote { account: by, method },
        };
        self.give(&Given::new(reviewer, decision), id);
    }

    /// Reviews a request.
    pub(crate) fn give(&mut self, given: &Given<'_>, id: RequestId) {
        if let Reviewer::Remote { account, .. } = given.reviewer {
            self.people.entry(account.name.clone()).or_insert_with(|| Some(account.clone()));
        }
        if let Reviewer::Online(Caller { login: Behind::Known(login), .. }) = given.reviewer {
            self.people.entry(login.name.clone()).or_insert_with(|| Some(login.clone()));
        }
        let standing = self.standing(concerned(&self.state, id));
        let events = review(self.here(), id, None, given, &standing);
        let opened = opens(&events);
        drop(self.happen(events));
        if opened {
            self.witness.check_approvers(&self.policy, id, &standing);
        }
    }

    /// What the name service says of these people.
    pub(crate) fn standing(&self, people: impl IntoIterator<Item = UserName>) -> Standing {
        people.into_iter().map(|name| (name.clone(), self.people.get(&name).cloned().flatten())).collect()
    }

    /// Lets happen what an order comes to; a refusal can be shown.
    pub(crate) fn happen(&mut self, events: Result<Vec<Event>, Refusal>) -> Result<(), Refusal> {
        if let Err(refusal) = &events {
            assert_line(&refusal.to_string());
        }
        self.apply(events?);
        Ok(())
    }

    /// Asks, checks the answer, and lets it happen if it is an `allow`, as jitd does: what is due of the subject
    /// comes first.
    pub(crate) fn log_in(&mut self, question: &Question) {
        self.check(question);
        if let Some(uid) = question.login.uid {
            self.until_quiet(|world| due::of(&world.state, uid, &world.now));
            self.check(question);
        }
        let answer = decide(&self.policy, &self.state, &self.host, question, &self.now);
        self.apply(answer.events(question));
        if question.stage == Stage::Close
            && self.state.sessions().iter().any(|session| session.login == question.login)
        {
            self.apply([Event::SessionClosed { login: question.login.clone(), leader: None }]);
        }
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
        assert_eq!(!answer.events(question).is_empty(), answer.verdict == Verdict::Allow);
        if let Some(admits) = &answer.admits {
            let subject = question.known().unwrap();
            let grant = state.grant(admits.grant).unwrap();
            assert_eq!((&grant.user, grant.uid), (&subject.name, subject.uid));
            assert!(grant.services.contains(&question.login.service));
            let role = policy.role(&admits.role).unwrap();
            assert!(role.eligible.contains(subject) && role.on_host(host));
            assert!(now.is_trusted() || role.limits.hours.is_empty(), "hours need a clock: {answer:?}");
            let left = self.witness.left(admits.grant, now);
            assert!(!admits.remaining.is_zero() && admits.remaining <= left, "{answer:?}, {left:?} left");
            let lock = self.witness.lock_on(policy, subject, &question.login.service, &admits.role, now);
            assert_eq!(lock, None, "{answer:?}");
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
        assert!(self.witness.owed().eq(self.state.owed().keys()));
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
        opener: None,
    }
}

/// A caller who logged in as themselves.
pub(crate) fn as_self(account: &Subject) -> Caller {
    Caller { login: Behind::Known(account.clone()), account: account.clone() }
}

fn opens(events: &Result<Vec<Event>, Refusal>) -> bool {
    events.iter().flatten().any(|event| matches!(event, Event::Opened { .. }))
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
        let reason = "INC-1234 CHG-1 a reason that says enough";
        let order = Ask { by: subject, to: subject, role, reason, duration: None, start: None };
        if let Ok(id) = world.order(&order) {
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
    Host {
        name: name.unwrap_or_else(|| "db-1".parse().unwrap()),
        groups: group.into_iter().collect(),
        ways: Ways::default(),
    }
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
