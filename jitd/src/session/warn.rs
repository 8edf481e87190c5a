//! What people are told before their window ends.

use std::time::Duration;

use jit_core::duration::Human;
use jit_core::model::Session;
use jit_core::policy::AtEnd;
use jit_core::sessions::coverage::{self, Coverage, next_warning, warning};
use jit_proto::text::Shown;

use super::follower::{Follower, Seen, members};
use super::index::Index;
use super::look::{Look, taken};
use super::pace::SELDOM;

impl Follower {
    /// Tells people before their window ends, and says when to look again.
    pub(super) async fn warn(&mut self, seen: &Seen) -> Duration {
        let mut due = Vec::new();
        let mut wait = SELDOM;
        for session in seen.sessions.iter().filter(|session| session.over.is_none()) {
            let outlook = self.app.desk.look(|here| {
                let known = self.people.in_session(session);
                let until = match coverage::coverage(here, session, &known) {
                    Coverage::Covered { left } => left,
                    Coverage::Moves(_) | Coverage::Over(_) => Duration::ZERO,
                };
                let grant = here.state.grant(session.grant);
                let role = grant.and_then(|grant| here.policy.role(&grant.role));
                let at_end = role.map_or(AtEnd::Terminate, |role| role.at_end);
                let warn = role.map(|role| role.warn.clone()).unwrap_or_default();
                let role = grant.map(|grant| grant.role.to_string()).unwrap_or_default();
                (coverage::outlook(here, session, &known), until, warn, (role, at_end))
            });
            let Ok((left, until, warn, (role, at_end))) = outlook else { return SELDOM };
            wait = wait.min(until.max(Duration::from_millis(1)));
            if session.closed {
                continue;
            }
            wait = wait.min(next_warning(&warn, left).unwrap_or(SELDOM).max(Duration::from_millis(1)));
            let before = self.warned.insert(session.id, left).unwrap_or(left);
            if warning(&warn, before, left).is_some() {
                due.push((session, warning_line(session, &role, at_end, left)));
            }
        }
        // Not to know what runs is to tell nobody.
        if let Some(all) = if due.is_empty() { None } else { self.processes().await } {
            let taken = taken(&seen.sessions);
            let (index, sessions) = (Index::of(&all), seen.sessions.as_slice());
            let look = Look { all: &all, index, taken: &taken, sessions, came: &seen.came };
            for (session, line) in due {
                self.tell(session, &members(session, &look), &line).await;
            }
        }
        wait
    }
}

fn warning_line(session: &Session, role: &str, at_end: AtEnd, left: Duration) -> String {
    let left = Human(Duration::from_secs(left.as_secs().max(1)));
    let (grant, service) = (session.grant, &session.login.service);
    let what = match at_end {
        AtEnd::Terminate => format!("and this {service} session with all that runs in it"),
        AtEnd::Drain | AtEnd::Keep { .. } => {
            "nobody comes in by it then, and what runs may finish".to_owned()
        }
    };
    format!("your window {grant} ({}) ends in {left}, {what}; to go on: jitctl extend {grant}", Shown(role))
}
