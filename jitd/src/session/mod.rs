//! Sessions and their ends: where each one runs, what people are told before, and what is done when nothing covers it
//! any more (DESIGN law 12). What is due is said by `jit_core::ending`; here it is carried out, by systemd where that can
//! do it.
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
use jit_core::ending::{Ending, Leader, OverWhy, Unit};
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

/// The process at the other end of a question, as it is found again later.
pub(crate) fn leader(peer: Peer) -> Option<Leader> {
    processes::leader(peer.pid?)
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
/// window admitted it, and the record says that its end is not enforced.
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

/// What has been done of an end.
#[derive(Default)]
struct Done {
    /// The reason that people were told.
    told: Option<OverWhy>,
    /// When that began, by the boot clock.
    since: Option<Duration>,
    /// They were asked to end.
    term: bool,
    /// How often they were made to.
    kills: u32,
    /// How often it was looked whether a session that PAM has closed still runs something, and when to look again.
    looks: u32,
    look_at: Duration,
}

struct Follower {
    app: Arc<App>,
    people: Arc<People>,
    /// What was left of each session when its person was last thought of.
    warned: HashMap<u64, Duration>,
    sessions: HashMap<u64, Done>,
    endings: HashMap<GrantId, Done>,
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
        self.remember_what_is_shut();
        let Ok(seen) = self.app.desk.look(|here| Seen {
            sessions: here.state.sessions().to_vec(),
            endings: here.state.endings().values().cloned().collect(),
            now: here.now.clone(),
            blind: processes::are_hidden(),
        }) else {
            return SELDOM;
        };
        self.forget_what_is_over(&seen);
        if seen.sessions.is_empty() && seen.endings.is_empty() {
            // Whoever opens a session rings. What is left of a window that policy shuts may be found at any time.
            return if self.may_be_shut() { SELDOM } else { Duration::MAX };
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
        wait.min(self.warn(&seen, all.as_deref()).await)
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
                    match self.judged(here, session) {
                        found if found.is_empty() => {}
                        found if matches!(found.as_slice(), [Event::SessionOver { .. }]) => {
                            events.extend(found);
                        }
                        // One at a time: two may want the last use of the same grant.
                        found => moves = moves.or(Some(found)),
                    }
                }
                events.extend(moves.into_iter().flatten());
                events.extend(self.shut(here));
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
        let costs =
            |event: &Event| matches!(event, Event::SessionMoved { uses: true, .. } | Event::Began { .. });
        if found.iter().any(costs) && !is_there(session) {
            // Whoever was in it has gone without a word of PAM's.
            return standing::judge(here, &Session { closed: true, ..session.clone() }, &known);
        }
        found
    }

    /// Windows that policy has shut while something of their people runs that is in no session.
    fn shut(&self, here: Here<'_>) -> Vec<Event> {
        let in_session = |grant: &Grant| here.state.sessions().iter().any(|one| one.grant == grant.id);
        let is_shut = |grant: &&Grant| {
            !grant.uid.is_root()
                && !self.shut.contains(&grant.id)
                && !here.state.endings().contains_key(&grant.id)
                && standing::is_shut(here, grant, &self.people.of(here, &grant.user, grant.uid))
                && !in_session(grant)
                && sweep::has_left(&grant.user, grant.uid)
        };
        here.state.grants().filter(is_shut).map(|grant| Event::Shut { grant: grant.id }).collect()
    }

    /// Each is seen to once, until it admits again.
    fn remember_what_is_shut(&mut self) {
        let looked = self.app.desk.look(|here| {
            let known = |grant: &Grant| self.people.of(here, &grant.user, grant.uid);
            let is_shut = |id: &GrantId| {
                here.state.grant(*id).is_some_and(|grant| standing::is_shut(here, grant, &known(grant)))
            };
            let now_seen_to = here.state.endings().keys();
            self.shut.iter().chain(now_seen_to).copied().filter(is_shut).collect()
        });
        if let Ok(shut) = looked {
            self.shut = shut;
        }
    }

    /// Whether somebody with a window runs something.
    fn may_be_shut(&self) -> bool {
        let runs = |here: Here<'_>| here.state.grants().any(|grant| cgroups::runs_under(grant.uid));
        self.app.desk.look(runs).unwrap_or(false)
    }

    fn forget_what_is_over(&mut self, seen: &Seen) {
        let sessions: HashSet<u64> = seen.sessions.iter().map(|session| session.id).collect();
        let endings: HashSet<GrantId> = seen.endings.iter().map(|ending| ending.grant).collect();
        self.warned.retain(|id, _| sessions.contains(id));
        self.sessions.retain(|id, _| sessions.contains(id));
        self.endings.retain(|id, _| endings.contains(id));
    }

    /// Every process, if something of this has to be looked at now.
    async fn processes(&mut self, seen: &Seen) -> Option<Vec<Process>> {
        let now = since_boot();
        let long_ago = self.looked_at_all.is_none_or(|at| now.saturating_sub(at) >= SELDOM);
        let wanted = |session: &Session| {
            let look_at = self.sessions.get(&session.id).map_or(Duration::ZERO, |done| done.look_at);
            session.over.is_some() || place::is_awaited(session) || (session.closed && now >= look_at)
        };
        if !(long_ago || !seen.endings.is_empty() || seen.sessions.iter().any(wanted)) {
            return None;
        }
        if long_ago {
            self.looked_at_all = Some(now);
        }
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

/// The processes of a session: those in its scope, and the one that opened it, which may be on its way out elsewhere.
///
/// Of a login whose scope is not known, those of its audit session: all that it started has that, wherever it went. Of
/// another session without a scope, what its opener started, as far as that can still be told.
fn members<'p>(session: &Session, all: &'p [Process], seen: &Seen) -> Vec<&'p Process> {
    let is_leader = |process: &Process| session.leader == Some(process.id) && !session.closed;
    if let Some(unit) = &session.unit {
        return all
            .iter()
            .filter(|process| process.unit.as_ref() == Some(unit) || is_leader(process))
            .collect();
    }
    if gets_a_scope(&session.login.service) {
        return session.leader.map_or_else(Vec::new, |leader| processes::below(leader, all));
    }
    let others: HashSet<&Unit> = seen.sessions.iter().filter_map(|other| other.unit.as_ref()).collect();
    let is_of_login = |process: &Process| {
        let elsewhere = process.unit.as_ref().is_some_and(|unit| others.contains(unit));
        session.audit.is_some() && process.audit == session.audit && !elsewhere
    };
    all.iter().filter(|process| is_leader(process) || is_of_login(process)).collect()
}
