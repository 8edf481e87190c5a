//! Follows sessions to their ends: what is due, and when to look again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jit_core::context::Context;
use jit_core::event::Event;
use jit_core::model::{Session, Termination};
use jit_core::sessions::coverage;
use jit_proto::words::GrantId;

use super::follower::{Done, Follower, Seen, is_awaited};
use super::glance::{has_left, is_there};
use super::index::Index;
use super::look::{Look, came, taken};
use super::pace::{OFTEN, SELDOM};
use super::people::People;
use super::{processes, sweep};
use crate::alarm::Alarm;
use crate::app::App;
use crate::clock::since_boot;
use crate::log;

/// Follows sessions to their ends for as long as jitd runs.
pub(crate) async fn follow(app: Arc<App>, people: Arc<People>, alarm: Alarm) {
    let mut follower = Follower::new(app, people);
    loop {
        let changed = follower.app.desk.changed.listen();
        let wait = follower.step().await;
        alarm.wait(wait, changed).await;
    }
}

impl Follower {
    /// Does what is due, and says how long nothing more will be.
    async fn step(&mut self) -> Duration {
        if self.loads != self.app.desk.loads() {
            // What did not reach the disk is as if it had not been done, and is done again.
            let shut = std::mem::take(&mut self.shut);
            *self = Self { shut, ..Self::new(Arc::clone(&self.app), Arc::clone(&self.people)) };
        }
        self.judge();
        let may_be_left = self.shut.see_to(&self.app.desk, &self.people, sweep::has_left);
        let Ok((sessions, endings, now, came)) = self.app.desk.look(|here| {
            let endings: Vec<Termination> = here.state.endings().values().cloned().collect();
            (here.state.sessions().to_vec(), endings, here.now.clone(), came(here))
        }) else {
            return SELDOM;
        };
        let seen = Seen { sessions, endings, now, came, blind: processes::are_hidden() };
        self.forget_what_is_over(&seen);
        for session in seen.sessions.iter().filter(|session| session.is_process()) {
            self.sessions.entry(session.id).or_insert_with(|| Done::of(session));
        }
        if seen.sessions.is_empty() && seen.endings.is_empty() {
            // Whoever opens a session rings.
            return if may_be_left { SELDOM } else { Duration::MAX };
        }
        let taken = taken(&seen.sessions);
        let mut wait = self.place_by_leaders(&seen, &taken);
        if self.wants_all(&seen) {
            let Some(all) = self.processes().await else { return OFTEN * 10 };
            let (index, sessions) = (Index::of(&all), seen.sessions.as_slice());
            let look = Look { all: &all, index, taken: &taken, sessions, came: &seen.came };
            wait = wait.min(self.place(&seen, &look));
            for session in &seen.sessions {
                wait = wait.min(self.end(session, &look, &seen).await);
            }
            for ending in &seen.endings {
                wait = wait.min(self.sweep(ending, look.all, &seen).await);
            }
        }
        let closed = seen.sessions.iter().filter(|session| session.over.is_none() && has_left(session));
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
                        // Nothing of an earlier boot runs.
                        events.push(Event::gone_with_its_boot(session));
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

    fn judged(&self, here: Context<'_>, session: &Session) -> Vec<Event> {
        let known = self.people.in_session(session);
        let found = coverage::judge(here, session, &known);
        if found.iter().any(costs) && !is_there(session) {
            // Whoever was in it has gone without a word of PAM's.
            return coverage::judge(here, &Session { closed: true, ..session.clone() }, &known);
        }
        found
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
            let is_lost = || is_awaited(session) && !is_there(session);
            let ends = session.over.is_some() && !session.goes_on();
            ends || (now >= look_at && has_left(session)) || is_lost()
        };
        let wants = long_ago || !seen.endings.is_empty() || seen.sessions.iter().any(wanted);
        if long_ago {
            self.looked_at_all = Some(now);
        }
        wants
    }
}

/// Whether a session that goes on under another grant spends something of that.
fn costs(event: &Event) -> bool {
    matches!(event, Event::SessionMoved { uses: true, .. } | Event::Began { .. })
}
