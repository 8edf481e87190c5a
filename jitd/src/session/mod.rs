//! Sessions and their ends: where each one runs, what people are told before, and what is done when nothing covers it
//! any more (DESIGN law 12). What is due is said by `jit_core::ending`; here it is carried out, by systemd where that can
//! do it.
//!
//! What must survive jitd is in the store: sessions, their ends, and windows whose end has not been carried through.
//! What is kept here (who was told what, which signal was sent) is found out again, or done again, after a restart.

mod processes;
pub(crate) mod systemd;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jit_core::clock::Moment;
use jit_core::decide::Known;
use jit_core::duration::Human;
use jit_core::ending::{self, Due, Ending, Leader, Over, Standing, Unit, next_warning, warning};
use jit_core::event::Event;
use jit_core::lock::Scope;
use jit_core::order::Here;
use jit_core::state::Session;
use jit_proto::text::Shown;
use jit_proto::words::{GrantId, GroupName, Uid, UserName, subject_is_caller};
use rustix::process::Signal;
use zruntime::SharedRuntime;

use crate::bus::App;
use crate::clock::since_boot;
use crate::log;
use crate::terminals::Tty;
use crate::who::Peer;
use processes::Process;
use systemd::{NoSystemd, Order};

/// The host's own limit on a session comes so long after jitd's: it is there for when jitd is not.
pub(crate) const SLACK: Duration = Duration::from_secs(5);

/// How long logind may take to make a session's scope; after that there is none.
const PLACED_WITHIN: Duration = Duration::from_secs(10);

/// How often what is being ended, or looked for, is looked at again.
const OFTEN: Duration = Duration::from_millis(100);

/// How often everything else is.
const SELDOM: Duration = Duration::from_mins(1);

/// How long what does not die is tried again before the record names it.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(30);

/// More processes than this are not named in a record.
const MOST_NAMED: usize = 16;

/// The process at the other end of a question, as it is found again later.
pub(crate) fn leader(peer: Peer) -> Option<Leader> {
    processes::leader(peer.pid?)
}

/// Puts the session that su or sudo is about to open into a scope of its own. If that cannot be, the login is still
/// allowed, since its window admitted it, and the record says that its end is not enforced.
pub(crate) async fn enclose(app: &App, session: u64, leader: Option<Leader>, limit: Duration) {
    if !systemd::is_there() {
        return;
    }
    let placed = match leader {
        Some(leader) => put_into_scope(app, session, leader, limit).await,
        None => Err(NoSystemd::NotMoved),
    };
    let event = match placed {
        Ok(unit) => Event::SessionPlaced { session, unit },
        Err(err) => {
            log::warning(format_args!("session {session} has no scope, so its end is not enforced: {err}"));
            Event::SessionUnbound { session, why: err.to_string() }
        }
    };
    if let Err(err) = app.desk.carry(|_| vec![event.clone()]) {
        log::error(err);
    }
}

async fn put_into_scope(app: &App, session: u64, leader: Leader, limit: Duration) -> Result<Unit, NoSystemd> {
    let unit = Unit::of_session(session, leader);
    let now = processes::read(leader.pid).filter(|now| now.id == leader).ok_or(NoSystemd::NotMoved)?;
    // Under the same slice as before: pam_systemd would otherwise take su for a login from nowhere, and open a session
    // of logind's for it.
    let slice = now.slice().unwrap_or("system.slice");
    app.systemd.enclose(&unit, leader, slice, limit).await?;
    Ok(unit)
}

/// Follows sessions to their ends for as long as jitd runs.
pub(crate) async fn follow(app: Arc<App>, runtime: SharedRuntime) {
    let mut follower = Follower::new(app);
    loop {
        let changed = follower.app.desk.changed.listen();
        let wait = follower.step().await;
        match runtime.timeout(wait, changed).await {
            Ok(()) | Err(_) => {}
        }
    }
}

/// What the name service said last of somebody.
struct Answered {
    known: Known,
    /// The groups that it was asked about.
    groups: Arc<BTreeSet<GroupName>>,
    at: Duration,
}

/// What has been done of an end.
#[derive(Default)]
struct Done {
    told: bool,
    term: bool,
    kills: u32,
}

struct Follower {
    app: Arc<App>,
    people: HashMap<(UserName, Uid), Answered>,
    /// What was left of each session when its person was last thought of.
    warned: HashMap<u64, Duration>,
    /// Sessions whose limit with the host was moved to that of this grant.
    lifted: HashMap<u64, GrantId>,
    sessions: HashMap<u64, Done>,
    endings: HashMap<GrantId, Done>,
    looked_at_all: Option<Duration>,
}

/// What is true now, as far as it matters here.
struct Seen {
    sessions: Vec<Session>,
    endings: Vec<Ending>,
    now: Moment,
}

impl Follower {
    fn new(app: Arc<App>) -> Self {
        Self {
            app,
            people: HashMap::new(),
            warned: HashMap::new(),
            lifted: HashMap::new(),
            sessions: HashMap::new(),
            endings: HashMap::new(),
            looked_at_all: None,
        }
    }

    /// Does what is due, and says how long nothing more will be.
    async fn step(&mut self) -> Duration {
        self.judge();
        let Ok(seen) = self.app.desk.look(|here| Seen {
            sessions: here.state.sessions().to_vec(),
            endings: here.state.endings().values().cloned().collect(),
            now: here.now.clone(),
        }) else {
            return SELDOM;
        };
        self.forget_what_is_over(&seen);
        if seen.sessions.is_empty() && seen.endings.is_empty() {
            return SELDOM;
        }
        let mut wait = SELDOM;
        let all = self.processes(&seen).await;
        if let Some(all) = &all {
            wait = wait.min(self.place(&seen, all));
            for session in &seen.sessions {
                wait = wait.min(self.end(session, all, &seen).await);
            }
            for ending in &seen.endings {
                wait = wait.min(self.sweep(ending, all, &seen).await);
            }
        }
        wait = wait.min(self.warn(&seen, all.as_deref()).await);
        self.lift(&seen).await;
        wait.min(self.ask_about_people(&seen).await)
    }

    /// Lets every session stand as policy has it now.
    fn judge(&self) {
        loop {
            let judged = self.app.desk.carry(|here| {
                let mut moves = None;
                let mut events = Vec::new();
                for session in here.state.sessions() {
                    if session.at.boot_id != here.now.boot_id {
                        events.push(Event::SessionGone { session: session.id });
                        continue;
                    }
                    let known = self.known(here, session);
                    match ending::judge(here, session, &known) {
                        found if found.is_empty() => {}
                        found if matches!(found.as_slice(), [Event::SessionOver { .. }]) => {
                            events.extend(found);
                        }
                        // One at a time: two may want the last use of the same grant.
                        found => moves = moves.or(Some(found)),
                    }
                }
                let before =
                    here.state.endings().values().filter(|ending| ending.at.boot_id != here.now.boot_id);
                events.extend(before.map(|ending| ended(ending, Vec::new(), None)));
                events.extend(moves.into_iter().flatten());
                events
            });
            match judged {
                Ok(0) => return,
                Ok(_) => {}
                Err(err) => {
                    log::error(err);
                    return;
                }
            }
        }
    }

    /// What is known of whoever is in a session; an answer about other groups than those that count now is none.
    fn known(&self, here: Here<'_>, session: &Session) -> Known {
        let Some(uid) = session.login.uid else { return Known::Not };
        self.known_of(here, &session.login.user, uid)
    }

    fn known_of(&self, here: Here<'_>, user: &UserName, uid: Uid) -> Known {
        let locked = here.state.locks().keys().filter_map(|scope| match scope {
            Scope::Group(group) => Some(group),
            Scope::User(_) | Scope::Service(_) | Scope::Role(_) | Scope::Host => None,
        });
        let answered = self.people.get(&(user.clone(), uid));
        let answered = answered.filter(|answered| {
            here.policy.groups().chain(locked).all(|group| answered.groups.contains(group))
        });
        answered.map_or(Known::Unanswered, |answered| answered.known.clone())
    }

    fn forget_what_is_over(&mut self, seen: &Seen) {
        let sessions: HashSet<u64> = seen.sessions.iter().map(|session| session.id).collect();
        let endings: HashSet<GrantId> = seen.endings.iter().map(|ending| ending.grant).collect();
        self.warned.retain(|id, _| sessions.contains(id));
        self.lifted.retain(|id, _| sessions.contains(id));
        self.sessions.retain(|id, _| sessions.contains(id));
        self.endings.retain(|id, _| endings.contains(id));
    }

    /// Every process, if something of this has to be looked at now.
    async fn processes(&mut self, seen: &Seen) -> Option<Vec<Process>> {
        let now = since_boot();
        let long_ago = self.looked_at_all.is_none_or(|at| now.saturating_sub(at) >= SELDOM);
        let wanted = |session: &Session| {
            let unplaced = session.unit.is_none() && !session.unbound && session.leader.is_some();
            session.closed || session.over.is_some() || unplaced
        };
        if !(long_ago || !seen.endings.is_empty() || seen.sessions.iter().any(wanted)) {
            return None;
        }
        if long_ago {
            self.looked_at_all = Some(now);
        }
        Some(zruntime::unblock(processes::all).await)
    }

    /// Finds the scopes of sessions: pam_systemd makes those of logins after jitd has been asked.
    fn place(&self, seen: &Seen, all: &[Process]) -> Duration {
        let mut wait = SELDOM;
        if !systemd::is_there() {
            return wait;
        }
        let taken: HashSet<&Unit> =
            seen.sessions.iter().filter_map(|session| session.unit.as_ref()).collect();
        for session in seen.sessions.iter().filter(|session| !session.unbound) {
            let Some(leader) = session.leader else { continue };
            let process = all.iter().find(|process| process.id == leader);
            let found = process.and_then(Process::unit);
            let event = match (&session.unit, found) {
                // Still there. It can go on to another, as su does where it is a login of its own.
                (Some(known), Some(now)) if *known != now && !taken.contains(&now) => {
                    Event::SessionPlaced { session: session.id, unit: now }
                }
                (Some(_), _) => continue,
                (None, Some(now)) if is_its_own(session, leader, &now) && !taken.contains(&now) => {
                    Event::SessionPlaced { session: session.id, unit: now }
                }
                (None, _) if seen.now.since(&session.at) > PLACED_WITHIN => Event::SessionUnbound {
                    session: session.id,
                    why: "it is in no scope of logind's or jitd's".into(),
                },
                (None, _) if process.is_none() && seen.now.since(&session.at) > OFTEN => {
                    Event::SessionGone { session: session.id }
                }
                (None, _) => {
                    wait = OFTEN / 4;
                    continue;
                }
            };
            self.record(event);
        }
        wait
    }

    /// Carries the end of one session on.
    async fn end(&mut self, session: &Session, all: &[Process], seen: &Seen) -> Duration {
        let left: Vec<&Process> = all.iter().filter(|process| is_in(session, process)).collect();
        let enforced = session.unit.is_some() || session.unbound;
        if left.is_empty() && (enforced || !systemd::is_there()) && session.leader.is_some() {
            if let Some(unit) = &session.unit {
                systemd::forget_limit(unit);
            }
            self.record(Event::SessionGone { session: session.id });
            return Duration::ZERO;
        }
        let Some(over) = &session.over else {
            return if session.closed { OFTEN } else { SELDOM };
        };
        let due = over.terms.due(seen.now.since(&over.at));
        if !self.sessions.entry(session.id).or_default().told {
            self.tell(session, &left, &end_line(session, over)).await;
            self.sessions.entry(session.id).or_default().told = true;
            // sshd has to carry the line to the person before it is ended itself.
            return OFTEN;
        }
        let done = self.sessions.entry(session.id).or_default();
        if !systemd::is_there() {
            // Nothing is enforced here, as `status` says.
            return SELDOM;
        }
        let unit = session.unit.as_ref().map(Unit::as_str);
        match due {
            Due::Nothing { next } => next,
            Due::Term { next } => {
                if !done.term {
                    done.term = true;
                    signal(&self.app, unit, &left, Order::Term).await;
                }
                next.min(OFTEN)
            }
            Due::Kill => {
                done.kills = done.kills.saturating_add(1);
                if !done.term {
                    done.term = true;
                    signal(&self.app, unit, &left, Order::Term).await;
                    return OFTEN * 3;
                }
                if done.kills.is_multiple_of(16)
                    && let Some(unit) = unit
                {
                    log::warning(format_args!("{unit}: still there, tried {} times", done.kills));
                    drop(self.app.systemd.thaw(unit).await);
                }
                signal(&self.app, unit, &left, Order::Kill).await;
                if done.kills > 64 { Duration::from_secs(1) } else { OFTEN }
            }
        }
    }

    /// Carries the end of a window on: when its sessions are gone, what else is left of its person.
    async fn sweep(&mut self, ending: &Ending, all: &[Process], seen: &Seen) -> Duration {
        let theirs = |session: &&Session| session.login.uid == Some(ending.uid);
        let own = |session: &Session| session.grant == ending.grant || ending.sessions.contains(&session.id);
        let sessions_left = seen.sessions.iter().any(own);
        let after = seen.now.since(&ending.at);
        let facts = self.app.desk.look(|here| {
            let known = self.known_of(here, &ending.user, ending.uid);
            (ending::person_is_covered(here, ending, &known), known, ending.terms(here.policy))
        });
        let Ok((covered, known, terms)) = facts else { return SELDOM };
        if !systemd::is_there() {
            self.record(ended(ending, Vec::new(), Some("ends are not enforced without systemd".into())));
            return Duration::ZERO;
        }
        if covered {
            if known == Known::Unanswered && !ending.uid.is_root() && after < SLACK {
                // Just asked: the answer decides whether anything else may be touched.
                return OFTEN;
            }
            if sessions_left {
                return OFTEN;
            }
            let spared = if ending.uid.is_root() { "root's other processes" } else { "covered otherwise" };
            self.record(ended(ending, Vec::new(), Some(spared.into())));
            return Duration::ZERO;
        }
        // A session that has just begun to end may be in a scope that is not known yet.
        if seen.sessions.iter().filter(theirs).any(|session| session.unit.is_none() && !session.unbound) {
            return OFTEN;
        }
        let known: BTreeSet<&Unit> =
            seen.sessions.iter().filter_map(|session| session.unit.as_ref()).collect();
        let me = std::process::id();
        let left: Vec<&Process> =
            all.iter().filter(|process| process.is_of(ending.uid) && process.id.pid != me).collect();
        // Somebody whom jitd did not let in is not jitd's to throw out: a login at a service that it does not manage.
        let foreign = left.iter().find_map(|process| {
            let unit = process.unit()?;
            let not_ours = !known.contains(&unit) && process.is_in_slice_of(ending.uid);
            (not_ours && unit.as_str().starts_with("session-")).then_some(unit)
        });
        if let Some(unit) = foreign {
            if sessions_left {
                return OFTEN;
            }
            self.record(ended(ending, Vec::new(), Some(format!("{unit}, a login that jitd did not admit"))));
            return Duration::ZERO;
        }
        if lingers(&ending.user) && !self.endings.entry(ending.grant).or_default().told {
            self.endings.entry(ending.grant).or_default().told = true;
            report(self.app.systemd.do_not_linger(ending.uid).await, "linger");
        }
        if left.is_empty() {
            if sessions_left {
                return OFTEN;
            }
            let others = all.iter().filter(|process| process.runs_as(ending.uid));
            self.record(ended(ending, names(others), None));
            return Duration::ZERO;
        }
        let done = self.endings.entry(ending.grant).or_default();
        match terms.due(after) {
            Due::Nothing { next } => next,
            Due::Term { next } => {
                if !done.term {
                    done.term = true;
                    end_person(&self.app, ending.uid, &left, Order::Term).await;
                }
                next.min(OFTEN)
            }
            Due::Kill if after > terms.kill + GIVEN_UP_AFTER => {
                self.record(ended(ending, names(left.into_iter()), None));
                Duration::ZERO
            }
            Due::Kill => {
                done.kills = done.kills.saturating_add(1);
                end_person(&self.app, ending.uid, &left, if done.term { Order::Kill } else { Order::Term })
                    .await;
                let again = if done.term { OFTEN } else { OFTEN * 3 };
                done.term = true;
                again
            }
        }
    }

    /// Tells people before their window ends.
    async fn warn(&mut self, seen: &Seen, all: Option<&[Process]>) -> Duration {
        let mut wait = SELDOM;
        for session in seen.sessions.iter().filter(|session| session.over.is_none() && !session.closed) {
            let outlook = self.app.desk.look(|here| {
                let known = self.known(here, session);
                let until = match ending::standing(here, session, &known) {
                    Standing::Covered { left } => left,
                    Standing::Moves(_) | Standing::Over(_) => Duration::ZERO,
                };
                let grant = here.state.grant(session.grant);
                let role = grant.and_then(|grant| here.policy.role(&grant.role));
                let warn = role.map(|role| role.warn.clone()).unwrap_or_default();
                let role = grant.map(|grant| grant.role.to_string()).unwrap_or_default();
                (ending::outlook(here, session, &known), until, warn, role)
            });
            let Ok((left, until, warn, role)) = outlook else { return SELDOM };
            wait = wait.min(until.max(Duration::from_millis(1)));
            wait = wait.min(next_warning(&warn, left).unwrap_or(SELDOM).max(Duration::from_millis(1)));
            let before = self.warned.insert(session.id, left).unwrap_or(left);
            if warning(&warn, before, left).is_some() {
                let line = warning_line(session, &role, left);
                let found;
                let all = if let Some(all) = all {
                    all
                } else {
                    found = zruntime::unblock(processes::all).await;
                    &found
                };
                let inside: Vec<_> = all.iter().filter(|process| is_in(session, process)).collect();
                self.tell(session, &inside, &line).await;
            }
        }
        wait
    }

    /// A session that goes on under another grant has another limit with the host.
    async fn lift(&mut self, seen: &Seen) {
        for session in seen.sessions.iter().filter(|session| session.moved && session.over.is_none()) {
            let Some(unit) = &session.unit else { continue };
            if self.lifted.get(&session.id) == Some(&session.grant) {
                continue;
            }
            let left = self.app.desk.look(|here| {
                let left = ending::outlook(here, session, &self.known(here, session));
                let role = here.state.grant(session.grant).and_then(|grant| here.policy.role(&grant.role));
                left.saturating_add(ending::Terms::of(role, ending::OverWhy::Expired).kill)
            });
            let Ok(left) = left else { return };
            let limit = seen.now.since(&session.at).saturating_add(left).saturating_add(SLACK);
            let outcome = self.app.systemd.set_limit(unit, limit).await;
            if outcome.is_ok() {
                self.lifted.insert(session.id, session.grant);
            }
            report(outcome, unit.as_str());
        }
    }

    /// Asks the name service about people whom it has not been asked about for a minute. Comes last: it may hang.
    async fn ask_about_people(&mut self, seen: &Seen) -> Duration {
        let groups = self.app.desk.groups();
        let in_sessions = seen.sessions.iter().filter_map(|session| {
            session.login.uid.map(|uid| (session.login.user.clone(), uid)).filter(|_| session.over.is_none())
        });
        let in_endings = seen.endings.iter().map(|ending| (ending.user.clone(), ending.uid));
        let wanted: BTreeSet<(UserName, Uid)> = in_sessions.chain(in_endings).collect();
        self.people.retain(|person, _| wanted.contains(person));
        let now = since_boot();
        let mut news = false;
        for person in wanted {
            let fresh = |answered: &Answered| {
                let asks_enough = groups.iter().all(|group| answered.groups.contains(group));
                asks_enough && now.saturating_sub(answered.at) < SELDOM
            };
            if self.people.get(&person).is_some_and(fresh) {
                continue;
            }
            let known = self.app.names_of_root.named(&person.0, Arc::clone(&groups)).await;
            let failed = matches!(known, Known::Unanswered | Known::WithoutGroups(_));
            match self.people.get_mut(&person) {
                // What it said before still stands, and it is asked again in a minute.
                Some(before) if failed => before.at = now,
                _ => {
                    news |= !failed;
                    self.people.insert(person, Answered { known, groups: Arc::clone(&groups), at: now });
                }
            }
            if failed {
                break;
            }
        }
        let next =
            self.people.values().map(|answered| SELDOM.saturating_sub(now.saturating_sub(answered.at)));
        if news { Duration::ZERO } else { next.min().unwrap_or(SELDOM).max(OFTEN) }
    }

    /// Writes a line on every terminal that a session has.
    async fn tell(&self, session: &Session, inside: &[&Process], line: &str) {
        let Some(uid) = session.login.uid else { return };
        let terminals: BTreeSet<String> = inside.iter().filter_map(|process| process.terminal()).collect();
        let text = format!("\r\njit: {line}\r\n");
        zruntime::unblock(move || {
            for terminal in terminals {
                if let Ok(terminal) = terminal.parse::<Tty>() {
                    // One that takes no messages, or has gone: nothing to report.
                    drop(terminal.write(uid, &text));
                }
            }
        })
        .await;
    }

    fn record(&self, event: Event) {
        if let Err(err) = self.app.desk.carry(|_| vec![event.clone()]) {
            log::error(err);
        }
    }
}

/// Whether a scope can only be this session's. su and sudo run in the scope of the session that they are called in
/// until they have their own.
fn is_its_own(session: &Session, leader: Leader, unit: &Unit) -> bool {
    !subject_is_caller(&session.login.service) || *unit == Unit::of_session(session.id, leader)
}

/// Whether a process is of a session: in its scope or, where none is known, the one that opened it.
fn is_in(session: &Session, process: &Process) -> bool {
    let is_leader = session.leader == Some(process.id);
    match &session.unit {
        Some(unit) => process.unit().as_ref() == Some(unit) || (is_leader && !session.closed),
        None => is_leader,
    }
}

/// Sends a signal to what is left of a session: through systemd, which misses nothing that forks meanwhile.
async fn signal(app: &App, unit: Option<&str>, left: &[&Process], order: Order) {
    if let Some(unit) = unit {
        report(app.systemd.kill(unit, order).await, unit);
        if order == Order::Term {
            // What is stopped has to go on to hear it.
            report(app.systemd.kill(unit, Order::Cont).await, unit);
        }
        // The leader may be on its way out elsewhere.
        for process in left.iter().filter(|process| process.unit_name() != Some(unit)) {
            process.signal(of(order));
        }
    } else {
        for process in left {
            process.signal(of(order));
        }
    }
}

/// Ends all that is a person's: their slice through systemd, what is elsewhere one by one.
async fn end_person(app: &App, uid: Uid, left: &[&Process], order: Order) {
    if left.iter().any(|process| process.is_in_slice_of(uid)) {
        let slice = format!("user-{uid}.slice");
        report(app.systemd.stop(&format!("user@{uid}.service")).await, "the user's manager");
        report(app.systemd.kill(&slice, order).await, &slice);
        if order == Order::Term {
            report(app.systemd.kill(&slice, Order::Cont).await, &slice);
        }
    }
    for process in left.iter().filter(|process| !process.is_in_slice_of(uid)) {
        process.signal(of(order));
    }
}

const fn of(order: Order) -> Signal {
    match order {
        Order::Term => Signal::TERM,
        Order::Cont => Signal::CONT,
        Order::Kill => Signal::KILL,
    }
}

fn report(outcome: Result<(), NoSystemd>, what: &str) {
    if let Err(err) = outcome
        && !err.is_no_such_unit()
    {
        log::warning(format_args!("{what}: {err}"));
    }
}

/// Whether a person's manager is started without a login (loginctl(1)).
fn lingers(user: &UserName) -> bool {
    Path::new("/var/lib/systemd/linger").join(user.as_str()).exists()
}

/// The record of an end that has been carried through.
fn ended(ending: &Ending, left: Vec<String>, spared: Option<String>) -> Event {
    let escape = if ending.reached_root() {
        Some("root could be reached: what root started elsewhere is not looked for".to_owned())
    } else {
        let handed_on = [("/var/spool/cron/crontabs", "a crontab"), ("/var/spool/cron", "a crontab")];
        let crontab = handed_on.iter().find(|(dir, _)| Path::new(dir).join(ending.user.as_str()).is_file());
        let at = ["/var/spool/cron/atjobs", "/var/spool/at"].iter().any(|dir| Path::new(dir).is_dir());
        match (crontab, at) {
            (Some((_, what)), _) => Some(format!("{} has {what}", ending.user)),
            (None, true) => Some("jobs may wait in at(1)".to_owned()),
            (None, false) if lingers(&ending.user) => Some(format!("{} lingers", ending.user)),
            (None, false) => None,
        }
    };
    let (grant, user, sessions) = (ending.grant, ending.user.clone(), ending.sessions.clone());
    Event::SessionsEnded { grant, user, sessions, left, spared, escape }
}

fn names<'p>(left: impl Iterator<Item = &'p Process>) -> Vec<String> {
    let by_id: BTreeMap<u32, String> = left.map(|process| (process.id.pid, process.said())).collect();
    by_id.into_values().take(MOST_NAMED).collect()
}

fn warning_line(session: &Session, role: &str, left: Duration) -> String {
    let left = Human(Duration::from_secs(left.as_secs().max(1)));
    let grant = session.grant;
    format!(
        "your window {grant} ({}) ends in {left}, and this {} session with all that runs in it; \
         to go on: jitctl extend {grant}",
        Shown(role),
        session.login.service
    )
}

fn end_line(session: &Session, over: &Over) -> String {
    let what = format!("your window {} is over ({})", session.grant, over.why);
    let service = &session.login.service;
    let (term, kill) = (over.terms.term, over.terms.kill);
    if !term.is_zero() {
        return format!("{what}; what runs in this {service} session may finish within {}", Human(term));
    }
    if kill.is_zero() {
        return format!("{what}; this {service} session ends now");
    }
    format!("{what}; this {service} session ends now, at the latest in {}", Human(kill))
}
