//! Who the people in sessions are, as the name service said last: asked again each minute, on a task of its own, so that
//! one that hangs delays no end.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jit_core::model::{Known, Session};
use jit_proto::words::{GroupName, Uid, UserName};
use zruntime::SharedRuntime;

use super::cgroups;
use crate::app::App;
use crate::clock::since_boot;
use crate::nss::{Share, Whose};

/// How often somebody is asked about.
const EACH: Duration = Duration::from_mins(1);

/// How many are asked about at once: one of whom nothing is said keeps the others waiting for no longer than that.
const AT_ONCE: usize = 8;

/// What the name service said last of somebody.
struct Answered {
    known: Known,
    /// The groups that it was asked about, whatever it said.
    asked: Arc<BTreeSet<GroupName>>,
    at: Duration,
}

/// What is known of the people whose sessions are followed.
#[derive(Default)]
pub(crate) struct People {
    answered: Mutex<HashMap<(UserName, Uid), Answered>>,
}

impl People {
    /// What is known of whoever is in a session.
    pub(super) fn in_session(&self, session: &Session) -> Known {
        let Some(uid) = session.login.uid else { return Known::Not };
        self.of(&session.login.user, uid)
    }

    /// What is known of an account: of a group that came to count since, nothing.
    pub(super) fn of(&self, user: &UserName, uid: Uid) -> Known {
        let answered = self.lock();
        let answered = answered.get(&(user.clone(), uid));
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
            let asks_enough = answered.asked.is_superset(&groups);
            asks_enough && now.saturating_sub(answered.at) < EACH
        };
        self.lock().retain(|person, _| wanted.contains(person));
        wanted.retain(|person| {
            self.lock().get(person).is_none_or(|answered| !is_fresh(answered, since_boot()))
        });
        let wanted: Vec<_> = wanted.into_iter().collect();
        let mut news = false;
        for some in wanted.chunks(AT_ONCE) {
            for (person, said) in told(app, some, &groups).await {
                news |= self.said(person, said, &groups);
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

    /// Takes note of what was said of somebody. What was not said is as it was said before. Whether that is news.
    fn said(&self, person: (UserName, Uid), said: Known, groups: &Arc<BTreeSet<GroupName>>) -> bool {
        let mut answered = self.lock();
        let before = answered.get(&person).map_or(Known::Unanswered, |before| before.known.clone());
        let known = said.after(&before, &**groups);
        let is_news = known != before;
        // It is asked again in a minute, whatever came of it.
        answered.insert(person, Answered { known, asked: Arc::clone(groups), at: since_boot() });
        is_news
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(UserName, Uid), Answered>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the name service says of some people, all of whom are asked about at once.
async fn told(
    app: &App,
    people: &[(UserName, Uid)],
    groups: &BTreeSet<GroupName>,
) -> Vec<((UserName, Uid), Known)> {
    let patience = app.names.patience();
    let lookup = |person: &(UserName, Uid)| {
        let whose = Whose::Name(person.0.clone());
        (person.clone(), app.names.lookup(whose, Share::Jitd, &patience))
    };
    let mut lookups: Vec<_> = people.iter().map(lookup).collect();
    loop {
        let said: Vec<_> =
            lookups.iter_mut().map(|(person, lookup)| (person.clone(), lookup.known(groups))).collect();
        if !patience.more(lookups.iter().map(|(_, lookup)| lookup)).await {
            return said;
        }
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
