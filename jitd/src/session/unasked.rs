//! Logins that jitd was not asked about: a PAM file without the account line lets people in by itself, and nothing else
//! would tell. systemd-logind(8) has each login whose PAM file names it; jitd knows who asked. What logind has and nobody
//! asked about is on record, so that an auditor sees where the house has another door.
//!
//! Of a login that began before jitd looked nothing is said. Nobody is kept out by it: it is told, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jit_core::event::Event;
use jit_core::model::{Login as LoginEvent, UnaskedLogins, Unit};
use jit_proto::words::{ServiceName, Uid, UserName};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use zruntime::{AsyncIo, Shared, SharedRuntime};

use super::askers::Askers;
use super::logins::{self, Login};
use super::{processes, record::record};
use crate::app::App;
use crate::clock::since_boot;
use crate::log;

/// How long is waited between two looks: logind writes a file several times while somebody logs in. A login that is over
/// sooner may not be seen.
const SETTLED: Duration = Duration::from_millis(50);

/// How long is waited for a folder that is not there, or was replaced.
const SELDOM: Duration = Duration::from_mins(10);

/// Logins of one account at one service are told of so often, with a count.
const EACH: Duration = Duration::from_hours(1);

/// So many pairs of account and service are told apart.
const MOST_TOLD: usize = 256;

/// Whether a login of logind's came in without a check, as far as can be told since `since`. `parent` tells who started
/// a process: a daemon may ask, and have a child open the session.
fn is_unasked(login: &Login, askers: &Askers, since: Duration, parent: impl Fn(u32) -> Option<u32>) -> bool {
    let Some((pid, began)) = login.leader.zip(login.began).filter(|(_, began)| *began >= since) else {
        return false;
    };
    !askers.asked(pid, parent(pid), began)
}

/// What was told of one account at one service.
struct Told {
    at: Duration,
    /// Logins since then.
    more: u32,
}

/// More sessions that were judged are not remembered: logind counts on, and what it has still is looked for again.
const MOST_JUDGED: usize = 16_384;

/// What is known while jitd looks.
struct Looker {
    since: Duration,
    judged: BTreeSet<Unit>,
    told: BTreeMap<(ServiceName, UserName), Told>,
}

impl Looker {
    /// What there is to tell of what logind has now.
    fn look(
        &mut self,
        all: Vec<(Unit, UserName, Login)>,
        askers: &Askers,
        now: Duration,
        parent: impl Fn(u32) -> Option<u32>,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for (unit, user, login) in all {
            // It is written down before all of it is known.
            if login.leader.is_none() || login.began.is_none() {
                continue;
            }
            if self.judged.len() >= MOST_JUDGED {
                self.judged.clear();
                // What began before is known by this to have been judged.
                self.since = now;
            }
            if !self.judged.insert(unit) || !is_unasked(&login, askers, self.since, &parent) {
                continue;
            }
            // Only root writes what logind has of a service; what is no name of one is no PAM service.
            let Ok(service) = login.service.parse::<ServiceName>() else { continue };
            let key = (service, user);
            let is_new = !self.told.contains_key(&key);
            if is_new && self.told.len() >= MOST_TOLD {
                self.told.retain(|_, told| now.saturating_sub(told.at) < EACH);
                if self.told.len() >= MOST_TOLD {
                    continue;
                }
            }
            let told = self.told.entry(key.clone()).or_insert(Told { at: now, more: 0 });
            if !is_new && now.saturating_sub(told.at) < EACH {
                told.more = told.more.saturating_add(1);
                continue;
            }
            let count = NonZeroU32::MIN.saturating_add(told.more);
            *told = Told { at: now, more: 0 };
            let (service, user) = key;
            let login_event = LoginEvent {
                service,
                user,
                uid: login.uid.and_then(|uid| Uid::try_from(uid).ok()),
                target: None,
                rhost: String::new(),
                tty: String::new(),
                keys: Vec::new(),
                person: None,
            };
            events.push(Event::Unasked(UnaskedLogins { count, audit: login.audit, login: login_event }));
        }
        events
    }
}

/// Looks for as long as jitd runs.
pub(crate) async fn keep_looking(app: Arc<App>, runtime: SharedRuntime) {
    let mut looker = Looker { since: since_boot(), judged: BTreeSet::new(), told: BTreeMap::new() };
    loop {
        // There is no such folder before the first login, or where logind does not run.
        if let Ok(watch) = Watch::over(Path::new(logins::SESSIONS), &runtime) {
            // Watched first, so that nothing happens unseen between the look and the watch.
            look(&app, &mut looker, zruntime::unblock(logins::of_people).await);
            while let Ok(Some(names)) = watch.names().await {
                let all =
                    zruntime::unblock(move || names.iter().filter_map(|name| logins::of_one(name)).collect());
                look(&app, &mut looker, all.await);
                runtime.sleep(SETTLED).await;
            }
        }
        runtime.sleep(SELDOM).await;
    }
}

/// Enters in the record what there is to tell of these.
fn look(app: &App, looker: &mut Looker, all: Vec<(Unit, UserName, Login)>) {
    let parent = |pid: u32| processes::read(pid).map(|process| process.parent());
    for event in looker.look(all, &app.askers, since_boot(), parent) {
        if let Event::Unasked(UnaskedLogins { login, .. }) = &event {
            log::warning(format_args!(
                "{} came in by {} unasked: /etc/pam.d/{} has no account line of pam_jit.so, or did not reach it",
                login.user, login.service, login.service
            ));
        }
        record(app, event);
    }
}

/// The kernel tells of every session that logind writes down.
struct Watch(AsyncIo<Inotify, Shared>);

impl Watch {
    fn over(folder: &Path, runtime: &SharedRuntime) -> io::Result<Self> {
        let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let changes = AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        watch.add_watch(folder, changes)?;
        Ok(Self(AsyncIo::new_nonblocking(runtime, watch)?))
    }

    /// The files that were written since. None once it sees no more: the folder is another.
    async fn names(&self) -> io::Result<Option<BTreeSet<String>>> {
        let ends = AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_IGNORED
            | AddWatchFlags::IN_Q_OVERFLOW;
        let events = self.0.read_with(|watch| watch.read_events().map_err(io::Error::from)).await?;
        if events.iter().any(|event| event.mask.intersects(ends)) {
            return Ok(None);
        }
        Ok(Some(events.into_iter().filter_map(|event| event.name?.into_string().ok()).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use jit_core::model::Leader;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(1000 + seconds)
    }

    fn login(leader: u32, began: u64) -> Login {
        let service = "sshd".into();
        Login { leader: Some(leader), service, uid: Some(1001), audit: Some(4), began: Some(at(began)) }
    }

    fn asker(pid: u32) -> Leader {
        Leader { pid, start: 1 }
    }

    #[test]
    fn a_login_that_nobody_asked_about_is_told_from_one_that_was_checked() {
        let askers = Askers::default();
        // One that opens its session itself, one that asks in a child, and one whose child opens it.
        askers.note(asker(20), Some(19), at(10));
        let nobody = |_| None;
        assert!(!is_unasked(&login(20, 11), &askers, at(0), nobody));
        assert!(!is_unasked(&login(19, 11), &askers, at(0), nobody));
        assert!(!is_unasked(&login(30, 11), &askers, at(0), |_| Some(20)));
        assert!(is_unasked(&login(30, 11), &askers, at(0), |_| Some(1)));
        // Who starts those that ask starts others, too: sshd that listens.
        assert!(is_unasked(&login(30, 11), &askers, at(0), |_| Some(19)));
        // A pid that comes round long after is nobody's check.
        assert!(is_unasked(&login(20, 10 + 600), &askers, at(0), nobody));
        // What began before jitd looked may have been asked of the one before.
        assert!(!is_unasked(&login(30, 11), &askers, at(12), nobody));
        let unknown = Login { leader: None, ..login(30, 11) };
        assert!(!is_unasked(&unknown, &askers, at(0), nobody));
    }

    #[test]
    fn whoever_comes_in_unasked_is_on_record_at_once_and_then_once_an_hour_with_a_count() {
        let askers = Askers::default();
        let mut looker = Looker { since: at(0), judged: BTreeSet::new(), told: BTreeMap::new() };
        let mut look =
            |number: u32, seconds: u64| {
                let unit: Unit = format!("session-{number}.scope").parse().unwrap();
                let one = (unit, "maria".parse().unwrap(), login(number, seconds));
                // The same again is the same login.
                let seen = [vec![one.clone()], vec![one]];
                let told = seen.map(|all| looker.look(all, &askers, at(seconds), |_| None));
                assert_eq!(told[1], [], "it is told once");
                told[0]
                    .iter()
                    .map(|event| {
                        if let Event::Unasked(UnaskedLogins { count, .. }) = event { count.get() } else { 0 }
                    })
                    .sum::<u32>()
            };
        assert_eq!([look(1, 1), look(2, 2), look(3, 3000)], [1, 0, 0]);
        assert_eq!(look(4, 3602), 3);
        assert_eq!(look(5, 3603), 0);
    }
}
