//! Who the people in sessions are, as the name service said last: asked again each minute, on a task of its own, so that
//! one that hangs delays no end.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jit_core::decide::Known;
use jit_core::lock::Scope;
use jit_core::order::Here;
use jit_core::state::Session;
use jit_proto::words::{GroupName, Uid, UserName};
use zruntime::SharedRuntime;

use super::cgroups;
use crate::bus::App;
use crate::clock::since_boot;

/// How often somebody is asked about.
const EACH: Duration = Duration::from_mins(1);

/// What the name service said last of somebody.
struct Answered {
    known: Known,
    /// The groups that it was asked about.
    groups: Arc<BTreeSet<GroupName>>,
    at: Duration,
}

/// What is known of the people whose sessions are followed.
#[derive(Default)]
pub(crate) struct People {
    answered: Mutex<HashMap<(UserName, Uid), Answered>>,
}

impl People {
    /// What is known of whoever is in a session.
    pub(super) fn in_session(&self, here: Here<'_>, session: &Session) -> Known {
        let Some(uid) = session.login.uid else { return Known::Not };
        self.of(here, &session.login.user, uid)
    }

    /// What is known of an account; an answer about other groups than those that count now is none.
    pub(super) fn of(&self, here: Here<'_>, user: &UserName, uid: Uid) -> Known {
        let locked = here.state.locks().keys().filter_map(|scope| match scope {
            Scope::Group(group) => Some(group),
            Scope::User(_) | Scope::Service(_) | Scope::Role(_) | Scope::Host => None,
        });
        let answered = self.lock();
        let answered = answered.get(&(user.clone(), uid)).filter(|answered| {
            here.policy.groups().chain(locked).all(|group| answered.groups.contains(group))
        });
        answered.map_or(Known::Unanswered, |answered| answered.known.clone())
    }

    /// Asks about those whom it has not been asked about for a minute. Says how long that holds.
    async fn ask(&self, app: &App) -> Duration {
        let wanted = app.desk.look(|here| {
            let in_sessions = here.state.sessions().iter().filter(|session| session.over.is_none());
            let in_sessions =
                in_sessions.filter_map(|session| Some((session.login.user.clone(), session.login.uid?)));
            let in_endings = here.state.endings().values().map(|ending| (ending.user.clone(), ending.uid));
            let open = here.state.grants().filter(|grant| grant.window().is_some());
            let open = open.map(|grant| (grant.user.clone(), grant.uid)).collect::<BTreeSet<_>>();
            (in_sessions.chain(in_endings).collect::<BTreeSet<_>>(), open)
        });
        let Ok((mut wanted, open)) = wanted else { return EACH };
        wanted.extend(open.into_iter().filter(|(_, uid)| cgroups::runs_under(*uid)));
        let groups = app.desk.groups();
        let is_fresh = |answered: &Answered, now: Duration| {
            let asks_enough = groups.iter().all(|group| answered.groups.contains(group));
            asks_enough && now.saturating_sub(answered.at) < EACH
        };
        self.lock().retain(|person, _| wanted.contains(person));
        let mut news = false;
        for person in wanted {
            if self.lock().get(&person).is_some_and(|answered| is_fresh(answered, since_boot())) {
                continue;
            }
            let known = app.names_of_sessions.named(&person.0, Arc::clone(&groups)).await;
            let failed = matches!(known, Known::Unanswered | Known::WithoutGroups(_));
            let now = since_boot();
            let mut answered = self.lock();
            match answered.get_mut(&person) {
                // What it said before still stands, and it is asked again in a minute.
                Some(before) if failed => before.at = now,
                before => {
                    news |= before.is_none_or(|before| before.known != known);
                    answered.insert(person, Answered { known, groups: Arc::clone(&groups), at: now });
                }
            }
        }
        if news {
            app.desk.changed.notify(usize::MAX);
        }
        let now = since_boot();
        let answered = self.lock();
        let next = answered.values().map(|answered| EACH.saturating_sub(now.saturating_sub(answered.at)));
        next.min().unwrap_or(Duration::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(UserName, Uid), Answered>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks for as long as jitd runs.
pub(crate) async fn keep_asking(app: Arc<App>, people: Arc<People>, runtime: SharedRuntime) {
    loop {
        let changed = app.desk.changed.listen();
        let wait = people.ask(&app).await;
        if wait == Duration::MAX {
            changed.await;
        } else {
            match runtime.timeout(wait.max(Duration::from_secs(1)), changed).await {
                Ok(()) | Err(_) => {}
            }
        }
    }
}
