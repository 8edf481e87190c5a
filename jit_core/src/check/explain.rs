//! Why an answer is what it is: every role that names the service, the first condition that fails, what would have
//! to change, and who could approve it now. [`Explanation::line`] is what a refused login prints.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jit_proto::gate::MAX_TEXT;
use jit_proto::words::{RoleName, ServiceName, UserName, Verdict, subject_is_caller};

use crate::check::decide::{Answer, Miss, admits, beside, decide};
pub use crate::check::missing::{Considered, Missing};
use crate::context::Context;
use crate::model::{Grant, Lock, Login, Pending, Person, Question, Time, Why};
use crate::orders::bounds::{self, Wish};
use crate::orders::leads;
use crate::orders::stages::{asked_in, waiting_for};
use crate::policy::{
    Host, Method, Outside, PersonName, Policy, Role, Stage, Subject, Ways, Who, next_opening,
};
use crate::state::State;
use crate::text::cut;
use crate::tickets::Register;
use crate::time::Moment;

/// The longest list of people or limits in the line, in bytes: what to type has to fit behind it. The explanation has
/// it whole.
const MAX_PART: usize = 200;

/// An answer with its reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What [`decide`] answers.
    pub answer: Answer,
    /// Every role that names the service, in name order. Empty where no role was looked at.
    pub roles: Vec<Considered>,
    /// The accounts that are not root and may ask about others at the service.
    pub askers: Vec<UserName>,
    line: String,
    asked: String,
}

/// Decides, and says why.
#[must_use]
pub fn explain(
    policy: &Policy,
    state: &State,
    host: &Host,
    question: &Question,
    now: &Moment,
) -> Explanation {
    let answer = decide(policy, state, host, question, now);
    let roles = match question.known() {
        Some(subject) => Asker::new(policy, state, host, question, subject, now).roles(),
        None => Vec::new(),
    };
    let here = Context { policy, state, host, now, tickets: Register::NONE };
    let line = line(here, question, &answer, &roles);
    let Login { service, user, .. } = &question.login;
    let askers = policy.askers_at(service).cloned().collect();
    Explanation { answer, roles, askers, line, asked: format!("{user} at {service} on {host}") }
}

/// [`Explanation::line`] for this answer, without the rest: no role is looked at that is not for the subject, since
/// none of those is ever in the line. A refusal can be provoked at will.
#[must_use]
pub fn refusal(
    policy: &Policy,
    state: &State,
    host: &Host,
    question: &Question,
    answer: &Answer,
    now: &Moment,
) -> String {
    let roles = match question.known() {
        Some(subject) => Asker::new(policy, state, host, question, subject, now).open_roles(),
        None => Vec::new(),
    };
    line(Context { policy, state, host, now, tickets: Register::NONE }, question, answer, &roles)
}

impl Explanation {
    /// One line for the person: what happened and what to do next; empty where there is nothing to say. It holds
    /// only words that policy and the question hold, all of them validated.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }
}

/// Several lines, without a newline after the last.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = &self.answer;
        write!(f, "{}: {} ({})", self.asked, answer.verdict(), answer.why())?;
        if let Some(would) = answer.would() {
            write!(f, ", would be {would}")?;
        }
        if !self.askers.is_empty() {
            write!(f, ", asked by {}", list(&self.askers))?;
        }
        for Considered { role, missing, change, approvers } in &self.roles {
            write!(f, "\n  {role}: {}", missing.as_str())?;
            if !change.is_empty() {
                write!(f, "\n    {change}")?;
            }
            if !approvers.is_empty() {
                write!(f, "\n    could approve now: {approvers}")?;
            }
        }
        Ok(())
    }
}

/// Who asks what, where and when.
struct Asker<'a> {
    policy: &'a Policy,
    state: &'a State,
    host: &'a Host,
    question: &'a Question,
    /// As who comes by it, where people share the account.
    subject: Subject,
    /// Whoever may come by it, where the key is still to be shown.
    may_come: Vec<Subject>,
    /// Their requests that wait; looked up once for all roles.
    pending: Vec<&'a Pending>,
    now: &'a Moment,
}

impl<'a> Asker<'a> {
    fn new(
        policy: &'a Policy,
        state: &'a State,
        host: &'a Host,
        question: &'a Question,
        subject: &Subject,
        now: &'a Moment,
    ) -> Self {
        let people = policy.people();
        let subject = question.as_who_comes(people, subject);
        let sharers = subject.names().flat_map(|name| people.sharers(name)).filter(|_| question.awaits_key);
        let may_come: Vec<_> = sharers.map(|person| subject.as_person(Some(person.clone()))).collect();
        let mine = |pending: &&Pending| {
            let Person { person, .. } = &pending.request.beneficiary;
            let is_who_comes = *person == subject.person || may_come.iter().any(|one| one.person == *person);
            pending.request.beneficiary.is_account(&subject) && (person.is_none() || is_who_comes)
        };
        let pending = state.pending().values().filter(mine).collect();
        Self { policy, state, host, question, subject, may_come, pending, now }
    }

    /// The subject, and each of those whom it may turn out to be.
    fn all(&self) -> impl Iterator<Item = &Subject> {
        [&self.subject].into_iter().chain(&self.may_come)
    }

    fn roles(&self) -> Vec<Considered> {
        self.policy.roles_for(&self.question.login.service).map(|role| self.consider(role)).collect()
    }

    /// Those of [`Self::roles`] that are for the subject.
    fn open_roles(&self) -> Vec<Considered> {
        let service = &self.question.login.service;
        let open = self.all().flat_map(|subject| self.policy.roles_open_to(subject, service));
        let open: BTreeMap<_, _> = open.map(|role| (&role.name, role)).collect();
        open.into_values().map(|role| self.consider(role)).collect()
    }

    fn consider(&self, role: &Role) -> Considered {
        let (missing, change, approvers) = self.missing(role);
        Considered { role: role.name.clone(), missing, change, approvers }
    }

    fn missing(&self, role: &Role) -> (Missing, String, String) {
        let only = |missing, change| (missing, change, String::new());
        if !role.on_host(self.host) {
            return only(Missing::Host, format!("it exists on {}", role.shown_hosts()));
        }
        if !self.all().any(|subject| role.eligible.contains(subject)) {
            return only(Missing::Eligible, format!("it is for {}", role.eligible));
        }
        if let Some(until) = role.until.as_ref().filter(|_| role.is_over(self.now)) {
            let admins = self.policy.admins();
            return only(
                Missing::Ended,
                format!("it ended on {until}; an admin ({admins}) can give it a later `until`"),
            );
        }
        if let Some(lock) = self.state.locked(self.now).on_role(&role.name) {
            return only(Missing::Locked, lock.refusal());
        }
        match self.question.within(&role.limits, self.now, role.max_duration) {
            Err(Outside::RunAs) => {
                return only(Missing::Target, format!("su may become {}", list(&role.limits.run_as)));
            }
            Err(Outside::From) => {
                let known = match self.question.from {
                    Some(address) => format!("this login comes from {address}"),
                    None => "where this login comes from is not known".to_owned(),
                };
                return only(Missing::Address, format!("log in from {}; {known}", list(&role.limits.from)));
            }
            Err(Outside::Hours) => return only(Missing::Hours, self.when(role)),
            Err(Outside::Clock) => return only(Missing::Clock, self.clock()),
            Ok(_) => {}
        }
        self.window(role)
    }

    fn when(&self, role: &Role) -> String {
        let hours = list(&role.limits.hours);
        match next_opening(&role.limits.hours, self.now.wall) {
            Some(next) => format!("come back at {}; it is for {hours}", next.to_seconds()),
            None => format!("it is for {hours}"),
        }
    }

    /// What has to become of a clock that is suspect.
    fn clock(&self) -> String {
        format!("an admin ({}) looks at it with: jitctl clock", self.policy.admins())
    }

    /// What is missing of a role that would do here and now.
    fn window(&self, role: &Role) -> (Missing, String, String) {
        let Self { policy, state, host, question, ref subject, now, .. } = *self;
        let is_own = |grant: &&Grant| subject.may_have_of(&grant.user) && grant.role == role.name;
        let only = |missing, change| (missing, change, String::new());
        let is_spent = |grant: &Grant| state.is_out_of_room() && !grant.emergency;
        let (mut tried, mut lacks_room) = (Vec::new(), false);
        for grant in state.grants_of(subject.uid).filter(is_own) {
            match admits(policy, state, host, question, subject, grant, now) {
                Ok(_) if is_spent(grant) => lacks_room = true,
                Ok(_) => return only(Missing::Nothing, String::new()),
                Err(miss) => tried.push(miss),
            }
        }
        if lacks_room {
            return only(Missing::Room, no_room(policy, host));
        }
        let opens_nothing = state.is_short_of_room() && !role.emergency;
        if let Some(pending) = self.pending.iter().find(|pending| pending.request.role == role.name) {
            let here = Context { policy, state, host, now, tickets: Register::NONE };
            let change = format!("{} waits for {}", pending.request.id, waiting_for(here, pending));
            if opens_nothing {
                return only(
                    Missing::Approval(pending.request.id),
                    format!("{change}, and no approval opens it now: {}", no_room(policy, host)),
                );
            }
            let approvers = asked_in(here, pending).map_or_else(String::new, |(_, sets)| {
                sets.iter().map(|who| self.but_me(who)).collect::<Vec<_>>().join(" or ")
            });
            return (Missing::Approval(pending.request.id), change, approvers);
        }
        // Nobody approves beforehand what opens at once.
        let first = role.stages.iter().find(|stage| stage.is_of(role.default_duration));
        let first = first.filter(|_| !role.emergency);
        let leads = role.asks_leads().then(|| policy.teams().leads(&policy.teams().of(subject)));
        let of_stage = |stage: &Stage| {
            let stage = leads.as_ref().map_or_else(|| stage.clone(), |leads| stage.with_leads(leads));
            each(&stage, |who| self.but_me(who))
        };
        let first = first.map_or_else(String::new, of_stage);
        let (limit, team) = (self.limit(role), self.team(role));
        match tried.into_iter().max() {
            Some(Miss::NotBegun) => only(Missing::Begin, self.begins(role)),
            Some(Miss::Clock) => only(Missing::Clock, self.clock()),
            _ if opens_nothing => only(Missing::Room, no_room(policy, host)),
            _ if limit.is_some() => only(Missing::Limit, limit.unwrap_or_default()),
            _ if team.is_some() => only(Missing::Team, team.unwrap_or_default()),
            Some(Miss::Spent | Miss::NoClaim) => {
                (Missing::Use, "every use is spent or claimed; ask for another window".to_owned(), first)
            }
            _ if role.emergency => {
                (Missing::Window, format!("ask for role {}, which opens at once", role.name), first)
            }
            _ => (Missing::Window, ask_for(role), first),
        }
    }

    /// Why no window of it can be had now.
    fn limit(&self, role: &Role) -> Option<String> {
        let Self { policy, state, host, now, ref subject, .. } = *self;
        let me = Person::of(subject);
        let wish = Wish::usual(role, &me);
        let here = Context { policy, state, host, now, tickets: Register::NONE };
        bounds::allow(here, role, &wish).err().map(|why| why.to_string())
    }

    /// Why nobody would approve it: it asks the leads of their team, and there are none.
    fn team(&self, role: &Role) -> Option<String> {
        let Self { policy, state, host, now, ref subject, .. } = *self;
        if role.emergency || !role.asks_leads() {
            return None;
        }
        let here = Context { policy, state, host, now, tickets: Register::NONE };
        let teams = policy.teams().of(subject);
        let of_usual: Vec<Stage> =
            role.stages.iter().filter(|stage| stage.is_of(role.default_duration)).cloned().collect();
        let stages = leads::resolved(here, &of_usual, &teams);
        leads::allow(here, role, &stages, &Person::of(subject), &teams).err().map(|why| why.to_string())
    }

    /// When the window of a grant that waits will begin.
    fn begins(&self, role: &Role) -> String {
        let mine = |grant: &&Grant| self.subject.may_have_of(&grant.user) && grant.role == role.name;
        let scheduled =
            self.state.grants_of(self.subject.uid).filter(mine).find_map(|grant| match &grant.time {
                Time::Scheduled { scheduled } => Some(&scheduled.begins),
                Time::Open { .. } => None,
            });
        scheduled.map_or_else(|| "see: jitctl status".to_owned(), |begins| format!("it begins {begins}"))
    }

    /// These people, without the accounts of the one who asks.
    fn but_me(&self, who: &Who) -> String {
        let person = self.subject.person.as_ref();
        self.subject.names().fold(who.clone(), |who, own| others(self.policy, &who, own, person)).to_string()
    }
}

/// What whoever has no window does.
fn ask_for(role: &Role) -> String {
    let some = role.unreviewed.as_ref();
    let at_once = some.map_or_else(String::new, |some| format!(", which opens without a review {some}"));
    format!("ask for role {}{at_once}", role.name)
}

/// What is wrong with a disk that is nearly full, and what has to become of it.
fn no_room(policy: &Policy, host: &Host) -> String {
    let admins = part(policy.admins());
    format!(
        "the disk of {host} is nearly full, and what is left is kept for the records of what ends; an admin ({admins}) makes room: \
         jitctl status"
    )
}

/// These people, without the accounts of this one.
fn others(policy: &Policy, who: &Who, me: &UserName, person: Option<&PersonName>) -> Who {
    let people = policy.people();
    let is_me =
        |user: &UserName| people.same(user, me) || (person.is_some() && people.of_account(user) == person);
    who.without_accounts(is_me)
}

/// Whom a stage asks, each set in these words.
fn each(stage: &Stage, words: impl Fn(&Who) -> String) -> String {
    stage.approvers.sets().map(words).collect::<Vec<_>>().join(" and ")
}

/// A part of the line that policy makes as long as it likes.
fn part(text: impl fmt::Display) -> String {
    cut(text.to_string(), MAX_PART)
}

fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// The module believes no answer with a longer text, and an answer that it does not believe lets root recover.
fn line(here: Context<'_>, question: &Question, answer: &Answer, roles: &[Considered]) -> String {
    cut(whole_line(here, question, answer, roles), MAX_TEXT)
}

/// What is said where the window is kept from admitting by another of the same person's, which is apart from it.
fn beside_line(here: Context<'_>, question: &Question) -> Option<String> {
    let Context { policy, state, host, now, .. } = here;
    let (subject, service) = (question.known()?, &question.login.service);
    // Of those who share an account, nobody is told of another's.
    let is_own = |grant: &&Grant| {
        let is_theirs = grant.person.is_none() || grant.person == subject.person;
        is_theirs && subject.may_have_of(&grant.user) && grant.services.contains(service)
    };
    state.grants_of(subject.uid).filter(is_own).find_map(|grant| {
        let elapsed = grant.window().map_or(Duration::ZERO, |window| now.since(&window.start));
        let other = beside(here, policy.role(&grant.role)?, grant, elapsed)?;
        Some(format!(
            "jit: your window of role {} ({}) does not open {service} on {} while you have one of role {}, which is apart \
             from it. End that first: jitctl done {}",
            grant.role, grant.id, host.name, other.role, other.id
        ))
    })
}

fn whole_line(here: Context<'_>, question: &Question, answer: &Answer, roles: &[Considered]) -> String {
    let Context { policy, state, host, now, .. } = here;
    let Login { service, user, .. } = &question.login;
    let admins = part(policy.admins());
    if answer.verdict() != Verdict::Deny {
        return String::new();
    }
    let not_this_login = |missing: &Missing| {
        let why = roles.iter().find(|considered| considered.missing == *missing);
        let change = part(why.map_or("see: jitctl status", |considered| considered.change.as_str()));
        format!("jit: your window for {service} does not admit this login: {change}.")
    };
    match answer.why() {
        Why::NoWindow => no_window(here, question, roles),
        Why::NoRole => {
            format!(
                "jit: no role opens {service} on {host}. Ask an admin ({admins}) to add one to the policy."
            )
        }
        Why::NotEligible => {
            format!(
                "jit: no role opens {service} on {host} for {user}. Ask an admin ({admins}) who may have it."
            )
        }
        Why::RoleChanged => beside_line(here, question).unwrap_or_else(|| {
            format!(
                "jit: the role behind your window no longer covers {service} for {user}. See: jitctl status"
            )
        }),
        Why::OtherTarget => not_this_login(&Missing::Target),
        Why::OtherAddress => not_this_login(&Missing::Address),
        Why::OutsideHours => not_this_login(&Missing::Hours),
        Why::Locked => {
            let locks = state.locked(now);
            // That of a window of theirs: what is said of other roles' locks is not for everybody.
            let of_role = || {
                let subject = question.known()?;
                let own = state.grants_of(subject.uid).filter(|grant| subject.may_have_of(&grant.user));
                own.filter(|grant| grant.services.contains(service))
                    .find_map(|grant| locks.on_role(&grant.role))
            };
            let people = policy.people();
            let subject = question.known().map(|subject| question.as_who_comes(people, subject));
            let subject = subject.and_then(|subject| locks.on_subject(&subject, people));
            let lock = subject.or_else(|| locks.on_service(service)).or_else(of_role);
            let lock = lock.map_or_else(|| "locked".to_owned(), Lock::refusal);
            format!("jit: {service} on {host} is {}. Ask an admin ({admins}).", part(lock))
        }
        Why::NotBegun => {
            let begins = roles.iter().find(|considered| considered.missing == Missing::Begin);
            let begins = part(begins.map_or("see: jitctl status", |considered| considered.change.as_str()));
            format!("jit: your window for {service} is approved and not open yet: {begins}.")
        }
        Why::ClockSuspect => {
            format!(
                "jit: the clock of {host} is suspect, so your window for {service} does not admit yet. Ask an admin \
                 ({admins}) to look at it with: jitctl clock"
            )
        }
        Why::Spent => format!("jit: every use of your window for {service} is spent. Ask for a new one."),
        Why::NoClaim => {
            format!("jit: this login to {service} took too long or was not checked; log in again.")
        }
        Why::UnknownUser => format!("jit: {user} is not known on {host}."),
        Why::NameService => {
            format!(
                "jit: the name service of {host} does not answer, so {user} cannot be checked. Try again."
            )
        }
        Why::CallerMismatch => format!("jit: {service} was not started by {user}; refused."),
        Why::NotEnclosed => not_ended(service, host),
        Why::TooManySessions => {
            format!(
                "jit: {user} has too many sessions open on {host}, or all people together have. See: jitctl session list; \
                 end one with: jitctl session end"
            )
        }
        Why::NoPerson => no_person(question, host),
        Why::NoRoom => {
            format!(
                "jit: the disk of {host} is full, and what is kept is for the records of what ends, so your window lets \
                 nobody in now. Emergency roles open all the same; an admin makes room: jitctl status"
            )
        }
        Why::Window | Why::Exempt | Why::CallerIsRoot | Why::Observed | Why::Closing => String::new(),
    }
}

/// What somebody is told of whom nothing says which of those they are who share the account.
fn no_person(question: &Question, host: &Host) -> String {
    let Login { service, user, .. } = &question.login;
    let who = format!("jit: several people share {user} on {host}, each known by ssh keys of their own");
    if subject_is_caller(service) {
        return format!(
            "{who}, and the login that {service} runs in was not opened by one. Log in by ssh with yours."
        );
    }
    format!("{who}, and this login to {service} was not opened by one. Log in by ssh with yours.")
}

/// What a person is told whose session could not be put into a unit of its own.
#[must_use]
pub fn not_enclosed(service: &ServiceName, host: &Host) -> String {
    format!(
        "jit: {service} refused: systemd of {host} did not put this session into a unit of its own in time, so its end \
         could not be enforced. No use was spent. Try again."
    )
}

/// What a person is told who is refused since the process that would end with the window is not known to be theirs.
fn not_ended(service: &ServiceName, host: &Host) -> String {
    format!(
        "jit: {service} refused: the process of this connection on {host} could not be seen, or was there for over two \
         minutes before it asked, so its end could not be enforced. No use was spent. Connect again."
    )
}

/// How somebody gets a role who is refused at a service: what they can do themselves, from where they are.
fn how(policy: &Policy, host: &Host, login: &Login, name: &RoleName) -> String {
    let Login { service, user, .. } = login;
    let order = format!("jitctl request --role {name} --reason WHY");
    // Whoever calls sudo or su is on this host.
    if service.is_sudo() || service.is_su() {
        return format!("Ask for role {name} with: {order}");
    }
    if let Some(ways) = ways(host, service) {
        return format!("To ask for role {name}, {ways}");
    }
    let role = policy.role(name);
    if role.is_some_and(|role| role.emergency) {
        let admins = part(policy.admins());
        return format!(
            "Role {name} opens at once: where you are logged in on {host}, type: {order}; elsewhere ask an admin ({admins})."
        );
    }
    // Of the length that a request has which names none.
    let stages = role
        .into_iter()
        .flat_map(|role| role.stages.iter().filter(|stage| stage.is_of(role.default_duration)));
    let me = login.person_by(policy.people());
    let others = |who: &Who| others(policy, who, user, me.as_ref()).to_string();
    let people = stages.map(|stage| each(stage, others));
    let people = people.collect::<Vec<_>>().join("; then ");
    format!("Ask {} for role {name}; where you are logged in on {host}, with: {order}", part(people))
}

/// How to ask for a role, where this host has ways beside jitctl.
fn ways(host: &Host, service: &ServiceName) -> Option<String> {
    let Ways { at_login, kiosk } = &host.ways;
    let login = at_login.contains(service).then(|| match service.as_str() {
        // Public keys skip the questions, and plain passwords cannot show them.
        "sshd" => "log in by ssh -o PreferredAuthentications=keyboard-interactive".to_owned(),
        _ => format!("use {service} again and answer its questions"),
    });
    let kiosk = kiosk.as_ref().map(|kiosk| format!("go to the kiosk: {kiosk}"));
    let ways: Vec<String> = login.into_iter().chain(kiosk).collect();
    (!ways.is_empty()).then(|| ways.join(", or "))
}

/// Whether a stage of the role takes a review on this host; where none does, `jitctl approve` is refused.
fn accepts_online(policy: &Policy, role: &RoleName) -> bool {
    let mut stages = policy.role(role).into_iter().flat_map(|role| &role.stages);
    stages.any(|stage| stage.accept.contains(&Method::Online))
}

/// The line for somebody who may have a role and has no window: about the role that is nearest to admitting.
fn no_window(here: Context<'_>, question: &Question, roles: &[Considered]) -> String {
    let Context { policy, state, host, .. } = here;
    let Login { service, user, .. } = &question.login;
    // Of equal ones the first by name, so that the same question always gets the same line.
    let nearest = roles.iter().rev().max_by_key(|considered| considered.missing);
    let Some(Considered { role, missing, change, approvers }) = nearest else { return String::new() };
    let change = part(change);
    match missing {
        Missing::Window | Missing::Use | Missing::Begin | Missing::Nothing => {
            let how = how(policy, host, &question.login, role);
            format!("jit: {user} has no open window for {service} on {host}. {how}")
        }
        Missing::Approval(_) if approvers.is_empty() && state.is_short_of_room() => {
            let why = no_room(policy, host);
            format!("jit: {user} waits for role {role}, and no approval opens it now: {why}.")
        }
        Missing::Room => {
            format!("jit: {user} has no open window for {service}: {}.", no_room(policy, host))
        }
        Missing::Approval(id) => {
            let order = if approvers.is_empty() {
                how(policy, host, &question.login, role)
            } else if accepts_online(policy, role) {
                format!("Ask {} to run: jitctl approve {id}", part(approvers))
            } else {
                format!("Have {} sign the file of: jitctl offline export {id}", part(approvers))
            };
            format!("jit: {user} waits for role {role} on {host}. {change}. {order}")
        }
        Missing::Locked
        | Missing::Target
        | Missing::Address
        | Missing::Hours
        | Missing::Clock
        | Missing::Limit
        | Missing::Team
        | Missing::Host
        | Missing::Ended
        | Missing::Eligible => {
            format!("jit: role {role} does not open {service} on {host} for {user} now: {change}.")
        }
    }
}
