//! What people are told before their window ends, and how long the host lets a session be without jitd.

use std::time::Duration;

use jit_core::duration::Human;
use jit_core::ending::{self, OverWhy, Standing, Terms, next_warning, warning};
use jit_core::state::Session;
use jit_proto::text::Shown;

use super::ends::report;
use super::processes::{self, Process};
use super::{Follower, SELDOM, SLACK, Seen, members};
use crate::clock::since_boot;

/// How long after the host would not take a new limit it is asked again.
const AGAIN: Duration = Duration::from_secs(30);

/// The host's own limit on a session.
pub(super) struct Limit {
    /// When it ends the session, by the boot clock.
    at: Duration,
    /// Not to be asked for another before then.
    not_before: Duration,
}

impl Follower {
    /// Tells people before their window ends, and says when to look again.
    pub(super) async fn warn(&mut self, seen: &Seen, all: Option<&[Process]>) -> Duration {
        let mut wait = SELDOM;
        for session in seen.sessions.iter().filter(|session| session.over.is_none() && !session.closed) {
            let outlook = self.app.desk.look(|here| {
                let known = self.people.in_session(here, session);
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
                self.tell(session, &members(session, all, seen), &line).await;
            }
        }
        wait
    }

    /// A session that goes on for longer than was so when it opened (its window is extended, another covers it, policy
    /// has changed) has another limit with the host.
    pub(super) async fn keep_limits(&mut self, seen: &Seen) {
        for session in seen.sessions.iter().filter(|session| session.over.is_none()) {
            let Some(unit) = &session.unit else { continue };
            let outlook = self.app.desk.look(|here| {
                let grant = here.state.grant(session.grant);
                let own = grant.map_or(Duration::ZERO, |grant| grant.remaining(here.now));
                let left = ending::outlook(here, session, &self.people.in_session(here, session));
                let role = grant.and_then(|grant| here.policy.role(&grant.role));
                (left, left > own, Terms::of(role, OverWhy::Expired).kill)
            });
            let Ok((left, is_longer, kill)) = outlook else { return };
            let now = since_boot();
            let at = now.saturating_add(left).saturating_add(kill).saturating_add(SLACK);
            let known = self.limits.get(&session.id);
            let is_known = match known {
                // As it was given when it opened, or by a jitd before this one.
                None => !session.moved && !is_longer,
                Some(known) => at <= known.at + Duration::from_secs(1) || now < known.not_before,
            };
            if is_known {
                self.limits.entry(session.id).or_insert(Limit { at, not_before: Duration::ZERO });
                continue;
            }
            let began = Duration::from_millis(session.at.boot);
            let limit = (left != Duration::MAX).then(|| at.saturating_sub(began));
            let limit = if report(self.app.systemd.set_limit(unit, limit).await, unit.as_str()) {
                Limit { at, not_before: Duration::ZERO }
            } else {
                Limit { at: known.map_or(now, |known| known.at), not_before: now + AGAIN }
            };
            self.limits.insert(session.id, limit);
        }
    }
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
