//! What people are told before their window ends.

use std::time::Duration;

use jit_core::duration::Human;
use jit_core::policy::AtEnd;
use jit_core::standing::{self, Standing, next_warning, warning};
use jit_core::state::Session;
use jit_proto::text::Shown;

use super::{Follower, SELDOM, Seen, members};

impl Follower {
    /// Tells people before their window ends, and says when to look again.
    pub(super) async fn warn(&mut self, seen: &Seen) -> Duration {
        let mut all = None;
        let mut wait = SELDOM;
        for session in seen.sessions.iter().filter(|session| session.over.is_none()) {
            let outlook = self.app.desk.look(|here| {
                let known = self.people.in_session(here, session);
                let until = match standing::standing(here, session, &known) {
                    Standing::Covered { left } => left,
                    Standing::Moves(_) | Standing::Over(_) => Duration::ZERO,
                };
                let grant = here.state.grant(session.grant);
                let role = grant.and_then(|grant| here.policy.role(&grant.role));
                let at_end = role.map_or(AtEnd::Terminate, |role| role.at_end);
                let warn = role.map(|role| role.warn.clone()).unwrap_or_default();
                let role = grant.map(|grant| grant.role.to_string()).unwrap_or_default();
                (standing::outlook(here, session, &known), until, warn, (role, at_end))
            });
            let Ok((left, until, warn, (role, at_end))) = outlook else { return SELDOM };
            wait = wait.min(until.max(Duration::from_millis(1)));
            if session.closed {
                continue;
            }
            wait = wait.min(next_warning(&warn, left).unwrap_or(SELDOM).max(Duration::from_millis(1)));
            let before = self.warned.insert(session.id, left).unwrap_or(left);
            if warning(&warn, before, left).is_some() {
                let line = warning_line(session, &role, at_end, left);
                if all.is_none() {
                    all = self.processes().await;
                }
                // Not to know what runs is to tell nobody.
                let inside = all.as_deref().map_or_else(Vec::new, |all| members(session, all, seen));
                self.tell(session, &inside, &line).await;
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
