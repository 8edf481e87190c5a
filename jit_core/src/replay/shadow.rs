//! The host as it would have been under the other policy: the same requests, reviews and logins, and what that makes of
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jit_proto::gate::Stage;
use jit_proto::words::{GroupName, HostName, RequestId, RoleName, Uid, UserName, subject_is_caller};

use super::facts::Facts;
use crate::check::decide::{Answer, decide};
use crate::context::{Context, groups, groups_at};
use crate::due::due;
use crate::event::{Event, Record};
use crate::model::{
    Caller, ClaimKind, EndWhy, Known, Leader, Login, LoginAccount, Opener, Person, Question, Request, Review,
    Why,
};
use crate::orders::Refusal;
use crate::orders::request::{self, ExtendOrder, RequestOrder};
use crate::orders::review::{self, Given, Lookups, Reviewer};
use crate::orders::stages::waiting_for;
use crate::orders::unreviewed;
use crate::policy::{Host, HostGroup, HostPattern, KeptOutBy, Policy, Subject, Ways};
use crate::proof::note::KeyName;
use crate::state::State;
use crate::tickets::Register;
use crate::time::Moment;

/// The word where nothing can be said.
pub const CANNOT_TELL: &str = "cannot-tell";

/// Whether a request would be open.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Would {
    /// It would; for certain, or only if somebody is in groups of which the log does not tell.
    Open { sure: bool },
    /// It was refused when it was asked for, which has been said.
    Nothing,
    /// It would wait, or would have come to nothing.
    Wait(String),
}

/// The host under the other policy.
#[derive(Debug)]
pub(super) struct Shadow<'p> {
    policy: &'p Policy,
    state: State,
    now: Moment,
    host: Option<HostName>,
    /// The groups of the host, where somebody told them.
    groups: Option<BTreeSet<HostGroup>>,
    pub(super) facts: Facts,
    /// Whose each request was, and for which role, while it is not forgotten.
    asked: BTreeMap<RequestId, (UserName, RoleName)>,
    /// Why a request is refused, or does not open.
    because: BTreeMap<RequestId, String>,
    /// Requests that only groups bring about of which the log does not tell.
    unsure: BTreeSet<RequestId>,
}

impl<'p> Shadow<'p> {
    pub(super) fn new(
        policy: &'p Policy,
        host: Option<HostName>,
        groups: Option<BTreeSet<HostGroup>>,
    ) -> Self {
        Self {
            policy,
            state: State::default(),
            now: Moment::believed(crate::time::Utc::from_unix_millis(0), 0, crate::time::BootId::default()),
            host,
            groups,
            facts: Facts::default(),
            asked: BTreeMap::new(),
            because: BTreeMap::new(),
            unsure: BTreeSet::new(),
        }
    }

    /// The log is that of a host of this name, unless another was told.
    pub(super) fn host_of(&mut self, key: &KeyName) {
        let name = key.as_str().strip_suffix("/jitd").unwrap_or(key.as_str());
        self.host = self.host.take().or_else(|| name.parse().ok());
    }

    /// Time goes on, and what is due by itself happens. Claims are voided as the log has it: it does not say of all sessions
    /// when they opened.
    pub(super) fn now(&mut self, now: &Moment) {
        self.now = now.clone();
        loop {
            let Some(host) = self.hosts().pop() else { return };
            let here = Context {
                policy: self.policy,
                state: &self.state,
                host: &host,
                now: &self.now,
                tickets: Register::PAST,
            };
            let mut due = due(here);
            due.retain(|event| !matches!(event, Event::ClaimVoided { .. }));
            if due.is_empty() {
                return;
            }
            for event in due {
                self.apply(0, event);
            }
        }
    }

    /// The hosts that this may be: one, or two where roles are for groups of hosts and nobody told which. None before the log
    /// has named it.
    fn hosts(&self) -> Vec<Host> {
        let named = |groups: BTreeSet<HostGroup>| {
            let name = self.host.clone();
            name.map(|name| Host { name, groups, ways: Ways::default() })
        };
        let mentioned: BTreeSet<HostGroup> = self
            .policy
            .roles()
            .flat_map(|role| role.hosts.iter().chain(&role.hosts_except))
            .filter_map(|pattern| match pattern {
                HostPattern::Group(group) => Some(group.clone()),
                HostPattern::Name(_) => None,
            })
            .collect();
        let all = match &self.groups {
            Some(groups) => vec![groups.clone()],
            None if mentioned.is_empty() => vec![BTreeSet::new()],
            None => vec![BTreeSet::new(), mentioned],
        };
        all.into_iter().filter_map(named).collect()
    }

    pub(super) fn role_of(&self, id: RequestId) -> Option<RoleName> {
        self.asked.get(&id).map(|(_, role)| role.clone())
    }

    pub(super) fn user_of(&self, id: RequestId) -> Option<UserName> {
        self.asked.get(&id).map(|(user, _)| user.clone())
    }

    /// Each way in which somebody may be in groups, with no more than is known first, and all that matter last.
    fn ways(&self, user: &UserName, mentioned: &BTreeSet<GroupName>) -> Vec<BTreeSet<GroupName>> {
        let mut ways = self.facts.least(user);
        let locked: BTreeSet<_> = self.state.locked_groups().cloned().collect();
        let base = ways.first().cloned().unwrap_or_default();
        for more in [mentioned - &locked, mentioned.clone()] {
            let way = &base | &more;
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        ways
    }

    /// Tries an order in each way in which the host and this person may be: what it comes to where it succeeds, and whether
    /// it does in every way that is no more than known.
    fn tried(
        &self,
        user: &UserName,
        order: impl Fn(Context<'_>, &BTreeSet<GroupName>) -> Result<Vec<Event>, Refusal>,
    ) -> Result<(Vec<Event>, bool), String> {
        let least = self.facts.least(user).len();
        let (mut done, mut refused, mut sure) = (None, None, true);
        for host in self.hosts() {
            let here = Context {
                policy: self.policy,
                state: &self.state,
                host: &host,
                now: &self.now,
                tickets: Register::PAST,
            };
            let mentioned = groups(here).into_iter().cloned().collect();
            for (place, way) in self.ways(user, &mentioned).iter().enumerate() {
                match order(here, way) {
                    Ok(events) => done = done.or(Some(events)),
                    Err(refusal) => {
                        sure &= place >= least;
                        refused = refused.or_else(|| Some(refusal.to_string()));
                    }
                }
            }
        }
        done.map(|events| (events, sure))
            .ok_or_else(|| refused.unwrap_or_else(|| "the log does not name its host".to_owned()))
    }

    /// Somebody asks, as they did.
    pub(super) fn request(&mut self, asked: &Request) -> Result<(), String> {
        let Request { id, role, duration, start, reason, extends, beneficiary, filed_by, .. } = asked;
        let Request { ahead, services, uses, .. } = asked;
        self.asked.insert(*id, (beneficiary.name.clone(), role.clone()));
        self.host = self.host.take().or_else(|| Some(asked.host.clone()));
        let order = |here: Context<'_>, way: &BTreeSet<GroupName>| {
            let account = subject(beneficiary, way);
            // Whoever filed it, it is theirs to ask for; what that means for reviews is below.
            let caller = Caller { login: LoginAccount::Known(account.clone()), account: account.clone() };
            let (duration, reason) = (Some(*duration), reason.clone());
            if let Some(grant) = *extends {
                let order = ExtendOrder { beneficiary: account, grant, duration, reason, id: *id };
                return request::extend(here, &caller, order);
            }
            let (role, start) = (role.clone(), *start);
            let order = RequestOrder { beneficiary: account, role, duration, start, reason, id: *id };
            // What a signed text opens is not asked for by anybody who could be told another time.
            let file = if ahead.is_some() { request::file_anyhow } else { request::file };
            file(here, &caller, order)
        };
        match self.tried(&beneficiary.name, order) {
            Ok((events, sure)) => {
                if !sure {
                    self.unsure.insert(*id);
                }
                for mut event in events {
                    if let Event::Requested { request } = &mut event {
                        request.filed_by = filed_by.clone();
                        if ahead.is_some() {
                            request.ahead.clone_from(ahead);
                            request.services = request.services.both(services);
                            request.uses = request.uses.stricter(*uses);
                        }
                    }
                    self.apply(0, event);
                }
                Ok(())
            }
            Err(why) => {
                self.because.insert(*id, format!("its request would have been refused: {why}"));
                Err(why)
            }
        }
    }

    /// Policy opened it there, for a login of this address: whether it does here.
    pub(super) fn by_policy(&mut self, id: RequestId, from: Option<IpAddr>) {
        let Some((host, pending)) = self.hosts().pop().zip(self.state.pending().get(&id).cloned()) else {
            return;
        };
        let request = pending.request;
        let here = Context {
            policy: self.policy,
            state: &self.state,
            host: &host,
            now: &self.now,
            tickets: Register::PAST,
        };
        let account = subject(&request.beneficiary, &BTreeSet::new());
        let caller = Caller { login: LoginAccount::Known(account.clone()), account };
        let role = here.policy.role(&request.role);
        let opened = role.and_then(|role| unreviewed::opened(here, role, &request, &caller, from));
        if let Some(Ok(event)) = opened {
            self.apply(0, event);
        }
    }

    /// Somebody reviews, as they did.
    pub(super) fn review(&mut self, id: RequestId, given: &Review) {
        let Some(pending) = self.state.reviewable(id) else { return };
        let mut others: Vec<Person> = pending.reviews.iter().map(|review| review.by.clone()).collect();
        others.push(pending.request.beneficiary.clone());
        let order = |here: Context<'_>, way: &BTreeSet<GroupName>| {
            let account = subject(&given.by, way);
            let reviewer = Reviewer::Remote { account: &account, method: given.method };
            let (narrow, note) = (given.narrow.clone(), given.note.clone());
            let given = Given { narrow, note, ..Given::new(reviewer, given.decision) };
            // Of those who have been counted or let ask, it was decided then.
            let all: BTreeSet<GroupName> = groups(here).into_iter().cloned().collect();
            let locked: BTreeSet<GroupName> = here.state.locked_groups().cloned().collect();
            let known = |person: &Person| {
                let kept_out_by = KeptOutBy::Only(BTreeSet::new());
                Known::Fully(Subject { kept_out_by, ..subject(person, &(&all - &locked)) })
            };
            let lookups: Lookups = others.iter().map(|one| (one.name.clone(), known(one))).collect();
            review::review(here, id, None, &given, &lookups)
        };
        match self.tried(&given.by.name, order) {
            Ok((events, sure)) => {
                if !sure {
                    self.unsure.insert(id);
                }
                for event in events {
                    self.apply(0, event);
                }
            }
            Err(why) => {
                self.because.insert(id, format!("the review of {} would not have counted: {why}", given.by));
            }
        }
    }

    /// Whether a request is open here, when it was there. It waits no longer.
    pub(super) fn opens(&mut self, id: RequestId) -> Would {
        if self.state.grant(id.into()).is_some() {
            return Would::Open { sure: !self.unsure.contains(&id) };
        }
        let Some(pending) = self.state.pending().get(&id).cloned() else {
            return if self.because.contains_key(&id) {
                Would::Nothing
            } else {
                Would::Wait("it would be over".into())
            };
        };
        let Some(host) = self.hosts().pop() else { return Would::Nothing };
        let here = Context {
            policy: self.policy,
            state: &self.state,
            host: &host,
            now: &self.now,
            tickets: Register::PAST,
        };
        let waits = format!("it would have waited for {}", waiting_for(here, &pending));
        let why =
            self.because.get(&id).map_or_else(|| waits.clone(), |because| format!("{waits}; {because}"));
        self.because.insert(id, why.clone());
        self.apply(0, Event::Withdrawn { request: id, reason: None });
        Would::Wait(why)
    }

    /// What was over there is over here, if it still waits.
    pub(super) fn drops(&mut self, record: &Record, id: RequestId) {
        if self.state.pending().contains_key(&id) {
            self.apply(record.seq, Event::Withdrawn { request: id, reason: None });
        }
        self.asked.remove(&id);
        self.because.remove(&id);
    }

    /// Something that nobody's policy decides happens as it did. Ends by time are this host's own.
    pub(super) fn happens(&mut self, record: &Record) {
        if let Event::Ended { why: EndWhy::Expired | EndWhy::Reboot, .. } = record.event {
            return;
        }
        self.apply(record.seq, record.event.clone());
    }

    fn apply(&mut self, seq: u64, event: Event) {
        let ended = if let Event::Ended { grant, .. } = &event { Some(*grant) } else { None };
        let seq = if seq == 0 { self.state.next_seq() } else { seq };
        self.state.apply(&Record { seq, at: self.now.clone(), actor: None, event });
        // How sessions end is not part of this.
        if let Some(grant) = ended {
            let Some((user, _)) = self.asked.remove(&grant.into()) else { return };
            let event = Event::ended_whole(grant, user, Vec::new());
            self.state.apply(&Record { seq, at: self.now.clone(), actor: None, event });
        }
    }

    /// What a login that was let in by a window comes to, and why. If it is let in here, too, it takes what it takes.
    pub(super) fn allowed(
        &mut self,
        record: &Record,
        login: &Login,
        claim: Option<ClaimKind>,
        from: Option<IpAddr>,
        by: Option<Leader>,
        recorded: Option<&Policy>,
    ) -> (&'static str, String) {
        let opener = by.map(|leader| Opener { leader, audit: None });
        let holds_claim = claim == Some(ClaimKind::Held);
        let Event::Allowed { grant, basis, .. } = &record.event else { return ("deny", String::new()) };
        let awaits_key = basis.awaits_key;
        let question = |known: Known, from| {
            let asked = asked(login, known, holds_claim, from, opener);
            Question { awaits_key, ..asked }
        };
        let (answer, sure) = self.answer(login, &[from], &question, recorded.map(|policy| (policy, false)));
        let word = answer.verdict().as_str();
        if let Answer::Allow(admission) = &answer {
            let unsure = self.unsure.contains(&admission.grant.into());
            for event in admission.events(&question(Known::Not, from)) {
                self.apply(record.seq, event);
            }
            if !sure || unsure {
                return (CANNOT_TELL, "it depends on groups that the log does not tell".to_owned());
            }
        }
        if !sure {
            return (CANNOT_TELL, "it depends on groups that the log does not tell".to_owned());
        }
        let because = self.because.get(&(*grant).into()).cloned();
        (word, because.unwrap_or_else(|| answer.why().to_string()))
    }

    /// What a login comes to that no window let in.
    pub(super) fn refused(
        &self,
        record: &Record,
        login: &Login,
        was: Why,
        recorded: Option<&Policy>,
    ) -> (&'static str, String) {
        let word = if matches!(record.event, Event::Unmanaged { .. }) { "unmanaged" } else { "deny" };
        // What policy has no say in stays as it was.
        match was {
            Why::UnknownUser
            | Why::NameService
            | Why::CallerMismatch
            | Why::CallerIsRoot
            | Why::Closing
            | Why::NotEnclosed
            | Why::TooManySessions
            | Why::NoPerson
            | Why::NoRoom => return (word, was.to_string()),
            Why::Window
            | Why::Exempt
            | Why::Observed
            | Why::NoWindow
            | Why::NoRole
            | Why::NotEligible
            | Why::Locked
            | Why::RoleChanged
            | Why::OtherTarget
            | Why::OtherAddress
            | Why::OutsideHours
            | Why::NotBegun
            | Why::ClockSuspect
            | Why::Spent
            | Why::NoClaim => {}
        }
        let question = |known: Known, from| asked(login, known, false, from, None);
        let recorded = recorded.map(|policy| (policy, was == Why::Exempt));
        let (answer, sure) = self.answer(login, &self.addresses(), &question, recorded);
        if let Answer::Allow(admission) = &answer
            && self.unsure.contains(&admission.grant.into())
        {
            return (CANNOT_TELL, "it depends on groups that the log does not tell".to_owned());
        }
        if sure || (was == Why::OtherAddress && answer.why() == was) {
            return (answer.verdict().as_str(), answer.why().to_string());
        }
        (CANNOT_TELL, "it depends on groups or an address that the log does not tell".to_owned())
    }

    /// One address of each range that policy or a window names, and none: whoever was refused came from one of them or from
    /// elsewhere.
    fn addresses(&self) -> Vec<Option<IpAddr>> {
        let named = self.policy.exemptions().flat_map(|rule| &rule.from);
        let named = named.chain(self.policy.roles().flat_map(|role| &role.limits.from));
        let named = named.chain(self.state.grants().flat_map(|grant| &grant.limits.from));
        let all: BTreeSet<Option<IpAddr>> = named.map(|range| Some(range.base())).collect();
        [None].into_iter().chain(all).collect()
    }

    /// The answer in each way in which things may have been: the first, and whether all are the same in a word. A way in which
    /// the policy of then would have exempted whom it did not, or the other way round, is none.
    fn answer(
        &self,
        login: &Login,
        from: &[Option<IpAddr>],
        question: &dyn Fn(Known, Option<IpAddr>) -> Question,
        exempted: Option<(&Policy, bool)>,
    ) -> (Answer, bool) {
        let mut found: Option<Answer> = None;
        let hosts = self.hosts();
        let mut sure = !hosts.is_empty();
        let mentioned: BTreeSet<GroupName> =
            groups_at(self.policy, &self.state, &login.service).into_iter().cloned().collect();
        let ways = self.ways(&login.user, &mentioned);
        for host in hosts {
            for way in &ways {
                for from in from {
                    let subject = login.uid.map(|uid| {
                        let subject = Subject::named(login.user.clone(), uid);
                        Subject { groups: way.clone(), ..subject }
                    });
                    let as_it_was = |subject: &Subject| {
                        exempted
                            .is_none_or(|(policy, was)| policy.exempt(subject, &login.service, *from) == was)
                    };
                    if !subject.as_ref().is_none_or(as_it_was) {
                        continue;
                    }
                    let known = subject.map_or(Known::Not, Known::Fully);
                    let question = question(known, *from);
                    let answer = decide(self.policy, &self.state, &host, &question, &self.now);
                    sure &= found.as_ref().is_none_or(|found| found.verdict() == answer.verdict());
                    found = found.or(Some(answer));
                }
            }
        }
        sure &= found.is_some();
        (found.unwrap_or(Answer::Deny(Why::UnknownUser)), sure)
    }
}

fn asked(
    login: &Login,
    subject: Known,
    holds_claim: bool,
    from: Option<IpAddr>,
    opener: Option<Opener>,
) -> Question {
    let caller = login.uid.filter(|_| subject_is_caller(&login.service));
    Question {
        stage: Stage::Account,
        login: login.clone(),
        subject,
        caller_uid: caller.unwrap_or(Uid::ROOT),
        holds_claim,
        from,
        opener,
        asking: None,
        asker: None,
        awaits_key: false,
    }
}

fn subject(person: &Person, groups: &BTreeSet<GroupName>) -> Subject {
    let Person { name, uid, also, person } = person.clone();
    // A record does not say where the account came from, so nothing that its names allow is held against it.
    let groups = groups.clone();
    Subject { name, uid, also, is_local: true, groups, kept_out_by: KeptOutBy::Own, person }
}
