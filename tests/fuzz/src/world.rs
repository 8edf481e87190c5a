//! A host that a story happens on, and what holds for every answer that it gives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jit_core::check::decide::decide;
use jit_core::check::explain::{explain, refusal};
use jit_core::context::Context;
use jit_core::due;
use jit_core::event::{Event, Record};
use jit_core::model::{
    BackWhy, Caller, ClaimKind, Decision, Known, Login, LoginAccount as Behind, Pending, PolicyWord,
    Question, Why,
};
use jit_core::orders::Refusal;
use jit_core::orders::request::{ExtendOrder, RequestOrder, extend, file, grant};
use jit_core::orders::review::{Given, Lookups, Reviewer, concerned, review};
use jit_core::orders::trial::{over, running};
use jit_core::policy::{Host, HostPattern, Method, Policy, Role, Subject, Ways};
use jit_core::state::State;
use jit_core::time::{BootId, Moment, Suspicion, Utc};
use jit_proto::gate::{MAX_TEXT, Stage};
use jit_proto::words::{GrantId, RequestId, ServiceName, Uid, UserName, Verdict, subject_is_caller};

use crate::named::{base, people};
use crate::reached::{Goal, reach};
use crate::witness::{Named, Witness};
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
    /// The policy that comes back after a trial.
    before: Option<Policy>,
    /// What is on disk, while that stands still.
    on_disk: Option<Box<OnDisk>>,
}

/// What a host starts again from when a commit fails.
struct OnDisk {
    policy: Policy,
    state: State,
    log: usize,
    witness: Witness,
    before: Option<Policy>,
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
        let mut witness = Witness::default();
        witness.reads(policy.files());
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
            witness,
            ids: 0,
            before: None,
            on_disk: None,
        }
    }

    /// Another policy comes into force: for good, or for half an hour unless somebody confirms it.
    pub(crate) fn load(&mut self, policy: Policy, on_trial: bool) {
        if running(&self.state).is_some() || policy.digest() == self.policy.digest() {
            return;
        }
        self.count_changes(&policy);
        let (digest, before) = (policy.digest(), Some(self.policy.digest()));
        let trial = on_trial.then_some(1_800);
        self.apply([Event::PolicyLoaded {
            digest,
            files: Vec::new(),
            before,
            diff: None,
            trial,
            word: PolicyWord::default(),
        }]);
        let before = std::mem::replace(&mut self.policy, policy);
        self.witness.reads(self.policy.files());
        if on_trial {
            reach(Goal::Trial);
            self.before = Some(before);
        }
    }

    /// Counts what becomes of the roles of what waits and what is owed.
    fn count_changes(&self, new: &Policy) {
        let kind = |policy: &Policy, of: &Pending| policy.role(&of.request.role).map(|role| role.emergency);
        for of in self.state.pending().values().chain(self.state.owed().values()) {
            match (kind(&self.policy, of), kind(new, of)) {
                (Some(was), Some(is)) if was != is => reach(Goal::KindChanged),
                (Some(_), None) => reach(Goal::RoleGone),
                (None, Some(_)) => reach(Goal::RoleBack),
                _ => {}
            }
        }
    }

    /// Somebody confirms the policy on trial.
    pub(crate) fn confirm(&mut self) {
        if let Some(digest) = running(&self.state).map(|trial| trial.digest) {
            self.apply([Event::PolicyConfirmed { digest }]);
            self.before = None;
            reach(Goal::TrialConfirmed);
        }
    }

    /// A trial that is over decides nothing more.
    pub(crate) fn end_trial(&mut self) {
        if over(&self.state, &self.now).is_some() {
            reach(Goal::TrialOver);
            self.go_back(BackWhy::Expired);
        }
    }

    fn go_back(&mut self, why: BackWhy) {
        let before = self.before.take().unwrap();
        self.count_changes(&before);
        let (tried, digest) = (self.policy.digest(), before.digest());
        self.policy = before;
        self.witness.reads(self.policy.files());
        self.apply([Event::PolicyReverted { why, tried, digest, files: Vec::new() }]);
    }

    /// From here on the disk takes nothing, until it fails or takes it all.
    pub(crate) fn hold_disk(&mut self) {
        if self.on_disk.is_none() {
            self.on_disk = Some(Box::new(OnDisk {
                policy: self.policy.clone(),
                state: self.state.clone(),
                log: self.log.len(),
                witness: self.witness.clone(),
                before: self.before.clone(),
            }));
        }
    }

    /// The disk takes what waits.
    pub(crate) fn release_disk(&mut self) {
        self.on_disk = None;
    }

    /// The commit fails: what was not on disk never happened, and the host starts again from what was.
    pub(crate) fn fail_disk(&mut self) {
        let Some(on_disk) = self.on_disk.take() else { return };
        reach(Goal::CommitFailed);
        if self.state.grants().any(|grant| on_disk.state.grant(grant.id).is_none()) {
            reach(Goal::OpeningUndone);
        }
        let OnDisk { policy, state, log, witness, before } = *on_disk;
        (self.policy, self.state, self.witness, self.before) = (policy, state, witness, before);
        self.log.truncate(log);
        if running(&self.state).is_some() {
            self.go_back(BackWhy::Restart);
        }
        self.settle();
    }

    /// The host is woken when something is due, and then only.
    pub(crate) fn rests(&self) {
        let due = due::due(self.here());
        assert_eq!(due::next(self.here()) == Some(Duration::ZERO), !due.is_empty(), "woken for {due:?}");
    }

    pub(crate) const fn here(&self) -> Context<'_> {
        let Self { policy, state, host, now, .. } = self;
        Context { policy, state, host, now, tickets: jit_core::tickets::Register::NONE }
    }

    /// Lets events happen, each by way of its bytes.
    pub(crate) fn apply(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.witness.see(&event, &self.now, &self.people);
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
            assert_eq!(due::due(Context { now: &now, ..self.here() }), [], "before {quiet:?}");
        }
        self.now = self.now.later(time);
        self.settle();
        if self.now.suspect.take().is_some() {
            self.settle();
        }
    }

    /// What is due happens.
    pub(crate) fn settle(&mut self) {
        self.end_trial();
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
        let told = told(&self.lookups([to.name.clone()]), [by]);
        self.witness.hears(id, duration);
        let order = if by == to {
            file(self.here(), &as_self(by), order)
        } else {
            grant(self.here(), &as_self(by), order)
        };
        let opened = opens(&order) && !role.emergency;
        self.happen(order)?;
        if opened {
            self.witness.check_approvers(id, &told);
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
        let lookups = self.lookups(concerned(&self.state, id));
        let events = review(self.here(), id, None, given, &lookups);
        let opened = opens(&events);
        let is_debt = self.state.owed().contains_key(&id);
        assert!(!(opened && is_debt), "{id} opens twice");
        if is_debt && events.is_ok() {
            reach(Goal::DebtReviewed);
            if self.here().policy.role(&self.state.owed()[&id].request.role).is_none() {
                reach(Goal::DebtOfNoRole);
            }
        }
        drop(self.happen(events));
        if opened {
            let given = match given.reviewer {
                Reviewer::Remote { account, .. } => vec![account],
                Reviewer::Online(caller) => caller.accounts().collect(),
            };
            self.witness.check_approvers(id, &told(&lookups, given));
        }
    }

    /// What the name service says of these people.
    pub(crate) fn lookups(&self, people: impl IntoIterator<Item = UserName>) -> Lookups {
        let known =
            |name: &UserName| self.people.get(name).cloned().flatten().map_or(Known::Not, Known::Fully);
        people.into_iter().map(|name| (name.clone(), known(&name))).collect()
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
            self.apply([Event::SessionClosed { login: question.login.clone(), leader: None, session: None }]);
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
        assert_eq!(line.is_empty(), answer.verdict() != Verdict::Deny, "{answer:?}: {line:?}");

        assert_eq!(answer.admission().is_some(), answer.verdict() == Verdict::Allow, "{answer:?}");
        assert_eq!(!answer.events(question).is_empty(), answer.verdict() == Verdict::Allow);
        if let Some(admits) = answer.admission() {
            let subject = question.known().unwrap();
            let grant = state.grant(admits.grant).unwrap();
            // By whichever of its names it was opened.
            assert_eq!(grant.uid, subject.uid);
            assert!([&subject.name].into_iter().chain(&subject.also).any(|name| *name == grant.user));
            let service = question.login.service.as_str();
            assert!(Named::of(&grant.services).hold(service), "{answer:?}");
            let role = policy.role(&admits.role).unwrap();
            assert!(self.witness.is_eligible(&admits.role, subject) && role.on_host(host));
            assert!(Named::of(&role.services).hold(service), "{answer:?}");
            assert!(now.is_trusted() || role.limits.hours.is_empty(), "hours need a clock: {answer:?}");
            let left = self.witness.left(admits.grant, now);
            assert!(!admits.remaining.is_zero() && admits.remaining <= left, "{answer:?}, {left:?} left");
            let lock = self.witness.lock_on(subject, &question.login.service, &admits.role, now);
            assert_eq!(lock, None, "{answer:?}");
        }

        // A name service that fails refuses whom it takes to admit, and changes nothing else.
        let unknown = Question { subject: Known::Unanswered, ..question.clone() };
        let without = decide(policy, state, host, &unknown, now);
        assert_ne!(without.verdict(), Verdict::Allow);
        assert!(
            without.why() == Why::NameService
                || without.would() == Some(Why::NameService)
                || without.why() == Why::Closing
        );
        if let Known::Fully(subject) = &question.subject {
            let groupless = Subject { groups: BTreeSet::new(), ..subject.clone() };
            let groupless = Question { subject: Known::Partly(groupless, [].into()), ..question.clone() };
            let without = decide(policy, state, host, &groupless, now);
            assert!(without.verdict() != Verdict::Allow || answer.verdict() != Verdict::Deny, "{without:?}");
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

/// What is known of people when a review is judged: of whoever gives it what the kernel says, of the others what the name
/// service does.
fn told<'a>(
    lookups: &Lookups,
    given: impl IntoIterator<Item = &'a Subject>,
) -> BTreeMap<UserName, Option<Subject>> {
    let mut told: BTreeMap<_, _> =
        lookups.iter().map(|(name, known)| (name.clone(), known.subject().cloned())).collect();
    for account in given {
        told.entry(account.name.clone()).or_insert_with(|| Some(account.clone()));
    }
    told
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
            keys: Vec::new(),
            person: None,
        },
        subject: Known::Fully(subject.clone()),
        caller_uid: if subject_is_caller(service) { subject.uid } else { Uid::ROOT },
        holds_claim: false,
        from: None,
        opener: None,
        asking: None,
        asker: None,
        awaits_key: false,
    }
}

/// A caller who logged in as themselves.
pub(crate) fn as_self(account: &Subject) -> Caller {
    Caller { login: Behind::Known(account.clone()), account: account.clone() }
}

/// Whether something opens by people's word.
fn opens(events: &Result<Vec<Event>, Refusal>) -> bool {
    let by_people = |event: &Event| matches!(event, Event::Opened { grant } if grant.by_policy.is_none());
    events.iter().flatten().any(by_people)
}

/// Somebody for whom each role is asks for it, its approvers approve, and they log in until it is over. The answer is
/// how many logins were allowed.
pub(crate) fn exercise(policy: &Policy) -> usize {
    let mut allowed = 0;
    for role in policy.roles().take(MAX_ROLES) {
        let mut world = World::new(policy.clone(), host_of(role));
        // Whoever is known by a key alone has an admin ask for them.
        let Some(subject) = &people(&role.eligible, 1_000, 1).pop() else { continue };
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
                for (set, first) in stage.approvers.sets().zip((2_000 + 100 * n..).step_by(10)) {
                    for approver in people(set, first, needed) {
                        world.review(&approver, id, Decision::Approve, method);
                    }
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
