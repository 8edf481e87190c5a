//! Sessions and their ends: where each one runs, what people are told before, and what is done when nothing covers it
//! any more (DESIGN law 12). What is due is said by `jit_core::ending`; here it is carried out, by signals and by the
//! kernel's control groups; systemd makes the scopes.
//!
//! What must survive jitd is in the store: sessions, their ends, and windows whose end has not been carried through.
//! What is kept here (who was told what, which signal was sent) is found out again, or done again, after a restart.

mod cgroups;
mod ends;
mod limits;
mod people;
mod place;
pub(crate) mod processes;
mod sweep;
pub(crate) mod systemd;
mod warn;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jit_core::clock::Moment;
use jit_core::ending::{Ending, Leader, Opener, OverWhy, Unit};
use jit_core::event::Event;
use jit_core::grant::Grant;
use jit_core::order::Here;
use jit_core::standing;
use jit_core::state::Session;
use jit_proto::words::{GrantId, ServiceName, subject_is_caller};

use crate::alarm::Alarm;
use crate::bus::App;
use crate::clock::since_boot;
use crate::log;
use crate::who::Peer;
pub(crate) use limits::keep_limits;
pub(crate) use people::{People, keep_asking};
use processes::Process;
use systemd::NoSystemd;

/// The host's own limit on a session comes so long after jitd's: it is there for when jitd is not.
pub(crate) const SLACK: Duration = Duration::from_secs(5);

/// How often what is being ended, or looked for, is looked at again.
const OFTEN: Duration = Duration::from_millis(100);

/// How often everything else is.
const SELDOM: Duration = Duration::from_mins(1);

/// The process at the other end of a question, as it was seen.
#[derive(Clone, Copy)]
pub(crate) struct SeenOpener {
    /// As it is found again later.
    pub(crate) opener: Opener,
    /// It runs inside another login: logind makes no session for what opens there, and its audit session is that login's.
    pub(crate) is_inside: bool,
}

/// Looks at the process that opens or closes a session, in this audit session.
pub(crate) fn opener(peer: Peer, audit: Option<u32>) -> Option<SeenOpener> {
    let leader = processes::leader(peer.pid?)?;
    let process = processes::read(leader.pid).filter(|process| process.id == leader);
    let is_inside = process.is_some_and(|process| process.unit.is_some());
    Some(SeenOpener { opener: Opener { leader, audit: audit.filter(|_| !is_inside) }, is_inside })
}

/// Whether the process that opened a session is still there, as far as can be told.
pub(crate) fn is_there(session: &Session) -> bool {
    session.leader.is_none_or(|leader| processes::leader(leader.pid) == Some(leader))
}

/// Whether something of a session runs, as far as can be told at a glance: who follows sessions looks at those of which
/// PAM says nothing once a minute.
pub(crate) fn runs(session: &Session) -> bool {
    is_there(session) || session.unit.as_ref().is_none_or(cgroups::runs_in)
}

/// Whether sessions of a service get a scope from jitd: those of which logind makes none, since they are no logins.
pub(crate) fn gets_a_scope(service: &ServiceName) -> bool {
    subject_is_caller(service) || matches!(service.as_str(), "cron" | "crond" | "atd")
}

/// Puts a session that is about to open into a scope of its own. If that cannot be, the login is still allowed, since its
/// window admitted it, and the record says that its end cannot be proven.
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
            log::warning(format_args!("session {session} has no scope, so its end cannot be proven: {err}"));
            Event::SessionUnbound { session, why: err.to_string() }
        }
    };
    record(app, event);
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

/// Enters in the record what was found out or done.
fn record(app: &App, event: Event) {
    if let Err(err) = app.desk.carry(|_| vec![event.clone()]) {
        log::error(err);
    }
}

/// Follows sessions to their ends for as long as jitd runs.
pub(crate) async fn follow(app: Arc<App>, people: Arc<People>, alarm: Alarm) {
    let mut follower = Follower::new(app, people);
    loop {
        let changed = follower.app.desk.changed.listen();
        let wait = follower.step().await;
        alarm.wait(wait, changed).await;
    }
}

/// What has been done of a session.
#[derive(Default)]
struct Done {
    /// The reason of its end that people were told.
    told: Option<OverWhy>,
    /// It was asked to end.
    term: bool,
    /// How often it was made to.
    kills: u32,
    /// PAM has closed it: how often it was looked whether something runs all the same, and when to look again.
    looks: u32,
    look_at: Duration,
}

/// What has been done of what is left of a person.
#[derive(Default)]
struct Swept {
    /// Since when, by the boot clock.
    since: Option<Duration>,
    /// It was asked to end.
    term: bool,
    /// When to ask logind again that their manager does not linger.
    linger_at: Duration,
}

struct Follower {
    app: Arc<App>,
    people: Arc<People>,
    /// What was left of each session when its person was last thought of.
    warned: HashMap<u64, Duration>,
    sessions: HashMap<u64, Done>,
    endings: HashMap<GrantId, Swept>,
    /// Windows that policy has shut, and whose people's leftovers were seen to.
    shut: HashSet<GrantId>,
    looked_at_all: Option<Duration>,
}

/// What is true now, as far as it matters here.
struct Seen {
    sessions: Vec<Session>,
    endings: Vec<Ending>,
    now: Moment,
    /// /proc hides processes: of none it is known that it is gone.
    blind: bool,
}

impl Follower {
    fn new(app: Arc<App>, people: Arc<People>) -> Self {
        Self {
            app,
            people,
            warned: HashMap::new(),
            sessions: HashMap::new(),
            endings: HashMap::new(),
            shut: HashSet::new(),
            looked_at_all: None,
        }
    }

    /// Does what is due, and says how long nothing more will be.
    async fn step(&mut self) -> Duration {
        self.judge();
        let may_be_left = self.see_to_what_is_shut();
        let Ok((sessions, endings, now)) = self.app.desk.look(|here| {
            let endings: Vec<Ending> = here.state.endings().values().cloned().collect();
            (here.state.sessions().to_vec(), endings, here.now.clone())
        }) else {
            return SELDOM;
        };
        let seen = Seen { sessions, endings, now, blind: processes::are_hidden() };
        self.forget_what_is_over(&seen);
        if seen.sessions.is_empty() && seen.endings.is_empty() {
            // Whoever opens a session rings.
            return if may_be_left { SELDOM } else { Duration::MAX };
        }
        let mut wait = self.place_by_leaders(&seen);
        if self.wants_all(&seen) {
            let Some(all) = self.processes().await else { return OFTEN * 10 };
            wait = wait.min(self.place(&seen, &all));
            for session in &seen.sessions {
                wait = wait.min(self.end(session, &all, &seen).await);
            }
            for ending in &seen.endings {
                wait = wait.min(self.sweep(ending, &all, &seen).await);
            }
        }
        let closed = seen.sessions.iter().filter(|session| session.closed && session.over.is_none());
        let look_at = closed.filter_map(|session| Some(self.sessions.get(&session.id)?.look_at)).min();
        let looks = look_at.map_or(SELDOM, |at| at.saturating_sub(since_boot()).max(OFTEN));
        wait.min(looks).min(self.warn(&seen).await)
    }

    /// Lets every session stand as policy has it now.
    fn judge(&self) {
        loop {
            let judged = self.app.desk.carry(|here| {
                let mut at_a_cost = None;
                let mut events = Vec::new();
                for session in here.state.sessions() {
                    if session.at.boot_id != here.now.boot_id {
                        events.push(Event::SessionGone { session: session.id });
                        continue;
                    }
                    let found = self.judged(here, session);
                    if found.iter().any(costs) {
                        // One at a time: two may want the last use of the same grant.
                        at_a_cost = at_a_cost.or(Some(found));
                    } else {
                        events.extend(found);
                    }
                }
                events.extend(at_a_cost.into_iter().flatten());
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

    fn judged(&self, here: Here<'_>, session: &Session) -> Vec<Event> {
        let known = self.people.in_session(here, session);
        let found = standing::judge(here, session, &known);
        if found.iter().any(costs) && !is_there(session) {
            // Whoever was in it has gone without a word of PAM's.
            return standing::judge(here, &Session { closed: true, ..session.clone() }, &known);
        }
        found
    }

    /// Windows that policy has shut while something of their people runs that is in no session: that is seen to once,
    /// until they admit again. Says whether somebody with a window runs something, so that there may be more.
    fn see_to_what_is_shut(&mut self) -> bool {
        let looked = self.app.desk.look(|here| {
            let in_session = |grant: &Grant| here.state.sessions().iter().any(|one| one.grant == grant.id);
            let open = here.state.grants().filter(|grant| grant.window().is_some() && !grant.uid.is_root());
            let with_shut = open.map(|grant| {
                let known = self.people.of(here, &grant.user, grant.uid);
                let is_shut = standing::is_shut(here, grant, &known) && !in_session(grant);
                (grant.id, grant.user.clone(), grant.uid, is_shut)
            });
            with_shut.collect::<Vec<_>>()
        });
        let Ok(mut open) = looked else { return false };
        open.retain(|(_, user, uid, _)| sweep::has_left(user, *uid));
        let may_be_left = !open.is_empty();
        let shut: HashSet<GrantId> = open.into_iter().filter(|open| open.3).map(|open| open.0).collect();
        let news: Vec<GrantId> = shut.difference(&self.shut).copied().collect();
        self.shut = shut;
        // Policy may have changed since.
        let is_shut = |here: Here<'_>, grant: &Grant| {
            standing::is_shut(here, grant, &self.people.of(here, &grant.user, grant.uid))
        };
        let shut = self.app.desk.carry(|here| {
            let still =
                news.iter().filter(|id| here.state.grant(**id).is_some_and(|grant| is_shut(here, grant)));
            still.map(|grant| Event::Shut { grant: *grant }).collect()
        });
        if let Err(err) = shut {
            log::error(err);
        }
        may_be_left
    }

    fn forget_what_is_over(&mut self, seen: &Seen) {
        let sessions: HashSet<u64> = seen.sessions.iter().map(|session| session.id).collect();
        let endings: HashSet<GrantId> = seen.endings.iter().map(|ending| ending.grant).collect();
        self.warned.retain(|id, _| sessions.contains(id));
        self.sessions.retain(|id, _| sessions.contains(id));
        self.endings.retain(|id, _| endings.contains(id));
    }

    /// Whether everything that runs has to be looked at now.
    fn wants_all(&mut self, seen: &Seen) -> bool {
        let now = since_boot();
        let long_ago = self.looked_at_all.is_none_or(|at| now.saturating_sub(at) >= SELDOM);
        let wanted = |session: &Session| {
            let look_at = self.sessions.get(&session.id).map_or(Duration::ZERO, |done| done.look_at);
            let is_lost = || place::is_awaited(session) && !is_there(session);
            session.over.is_some() || (session.closed && now >= look_at) || is_lost()
        };
        let wants = long_ago || !seen.endings.is_empty() || seen.sessions.iter().any(wanted);
        if long_ago {
            self.looked_at_all = Some(now);
        }
        wants
    }

    /// Every process, if that can be told.
    async fn processes(&self) -> Option<Vec<Process>> {
        match zruntime::unblock(processes::all).await {
            Ok(all) => Some(all),
            Err(err) => {
                log::error(format_args!("it cannot be told what runs: {err}"));
                None
            }
        }
    }

    fn record(&self, event: Event) {
        record(&self.app, event);
    }
}

/// Whether a session that goes on under another grant spends something of that.
fn costs(event: &Event) -> bool {
    matches!(event, Event::SessionMoved { uses: true, .. } | Event::Began { .. })
}

/// The processes of a session: those in its scope, and the one that opened it, which may be on its way out elsewhere.
///
/// Of a login whose scope is not known, those of its audit session: all that it started has that, wherever it went. Of
/// another session without a scope, or without an audit session of its own, what its opener started, as far as that can
/// still be told.
fn members<'p>(session: &Session, all: &'p [Process], seen: &Seen) -> Vec<&'p Process> {
    let is_leader = |process: &Process| session.leader == Some(process.id) && !session.closed;
    if let Some(unit) = &session.unit {
        return all
            .iter()
            .filter(|process| process.unit.as_ref() == Some(unit) || is_leader(process))
            .collect();
    }
    if gets_a_scope(&session.login.service) || session.audit.is_none() {
        return session.leader.map_or_else(Vec::new, |leader| processes::below(leader, all));
    }
    let others: HashSet<&Unit> = seen.sessions.iter().filter_map(|other| other.unit.as_ref()).collect();
    let is_of_login = |process: &Process| {
        let elsewhere = process.unit.as_ref().is_some_and(|unit| others.contains(unit));
        process.audit == session.audit && !elsewhere
    };
    all.iter().filter(|process| is_leader(process) || is_of_login(process)).collect()
}
