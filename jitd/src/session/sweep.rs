//! What is left of a person when a window of theirs is over and its sessions are gone: all of it goes, if nothing else
//! covers them, and the record says what is left.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jit_core::ending::{Due, Ending, Unit};
use jit_core::event::Event;
use jit_core::policy::AtEnd;
use jit_core::standing::{self, Cover};
use jit_core::state::Session;
use jit_host::facts::asks_jitd;
use jit_proto::words::{Uid, UserName};

use super::ends::{by_systemd, is_for_systemd, one_by_one, report};
use super::processes::{self, Process};
use super::systemd::{self, Order};
use super::{Follower, OFTEN, SELDOM, Seen, cgroups, record};
use crate::bus::App;
use crate::clock::since_boot;

/// How long what does not die is tried again before the record names it.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(30);

/// More processes than this are not named in a record.
const MOST_NAMED: usize = 16;

/// What a window's end came to.
struct Outcome {
    left: Vec<String>,
    spared: Option<String>,
}

impl Outcome {
    const fn left(left: Vec<String>) -> Self {
        Self { left, spared: None }
    }

    fn spared(why: impl Into<String>) -> Self {
        Self { left: Vec::new(), spared: Some(why.into()) }
    }
}

impl Follower {
    /// Carries the end of a window on: when its sessions are gone, what else is left of its person. Says when to look
    /// again.
    pub(super) async fn sweep(&mut self, ending: &Ending, all: &[Process], seen: &Seen) -> Duration {
        // Who ends a session looks again when it is gone.
        const WITH_ITS_SESSIONS: Duration = SELDOM;

        let own = |session: &Session| session.grant == ending.grant || ending.sessions.contains(&session.id);
        let sessions_left = seen.sessions.iter().any(own);
        let facts = self.app.desk.look(|here| {
            let known = self.people.of(here, &ending.user, ending.uid);
            let terms = ending.terms(here, &known);
            (standing::cover(here, ending, &known), terms, ending.at_end(here))
        });
        let Ok((cover, terms, at_end)) = facts else { return SELDOM };
        let app = Arc::clone(&self.app);
        let finish = |outcome| {
            record(&app, ended(ending, at_end, outcome));
            Duration::ZERO
        };
        if !systemd::is_there() {
            return finish(Outcome::spared("ends are not enforced without systemd"));
        }
        match cover {
            // People are asked about on a task of their own, which rings.
            Cover::Unknown => return SELDOM,
            Cover::Holds if sessions_left => return WITH_ITS_SESSIONS,
            Cover::Holds if ending.uid.is_root() => return finish(Outcome::spared("root's other processes")),
            Cover::Holds => return finish(Outcome::spared("covered otherwise")),
            Cover::None => {}
        }
        let theirs = |session: &&Session| session.login.uid == Some(ending.uid);
        // A session that has just begun to end may be in a scope that is not known yet.
        if seen.sessions.iter().filter(theirs).any(super::place::is_awaited) {
            return OFTEN;
        }
        let me = std::process::id();
        let left: Vec<&Process> =
            all.iter().filter(|process| process.is_of(ending.uid) && process.id.pid != me).collect();
        if let Some(unit) = foreign(ending, &left, seen) {
            if sessions_left {
                return WITH_ITS_SESSIONS;
            }
            return finish(Outcome::spared(format!("{unit}, a login that jitd did not admit")));
        }
        let lingers = lingers(&ending.user);
        let runs = !left.is_empty() || cgroups::runs_under(ending.uid);
        if !runs && !lingers && !sessions_left {
            // The host's own that run as the same user are not theirs, and are named all the same.
            let others = all.iter().filter(|process| process.runs_as(ending.uid));
            return finish(Outcome::left(names(others)));
        }
        let done = self.endings.entry(ending.grant).or_default();
        let now = since_boot();
        let after = seen.now.since(&ending.at);
        let due = terms.due(after);
        if let Due::Nothing { next } = due {
            return next;
        }
        let since = *done.since.get_or_insert(now);
        if now.saturating_sub(since) > terms.kill.saturating_sub(terms.term) + GIVEN_UP_AFTER {
            let mut still = names(left.into_iter());
            if still.is_empty() && runs {
                still.push(format!("something in user-{}.slice", ending.uid));
            }
            let sessions = seen.sessions.iter().filter(|session| own(session));
            still.extend(sessions.map(|session| format!("session {}", session.id)));
            return finish(Outcome::left(still));
        }
        if lingers && now >= done.linger_at {
            done.linger_at = now + OFTEN * 10;
            report(self.app.systemd.do_not_linger(ending.uid).await, "linger");
        }
        if !runs {
            return OFTEN * 5;
        }
        let order = if done.term && due == Due::Kill { Order::Kill } else { Order::Term };
        if order == Order::Kill || !done.term {
            done.term = true;
            end_person(&self.app, ending.uid, &left, order).await;
        }
        match due {
            Due::Kill if order == Order::Term => OFTEN * 3,
            Due::Kill => OFTEN,
            Due::Term { next } | Due::Nothing { next } => next.min((after / 10).clamp(OFTEN, OFTEN * 50)),
        }
    }
}

/// Whether something of a person is left, as far as that is seen at a glance: in their slice, or when the machine starts.
pub(super) fn has_left(user: &UserName, uid: Uid) -> bool {
    cgroups::runs_under(uid) || lingers(user)
}

/// A login of the person's that jitd did not let in, such as one at a service that it does not manage: it is not jitd's
/// to throw out.
fn foreign<'p>(ending: &Ending, left: &[&'p Process], seen: &Seen) -> Option<&'p Unit> {
    let known: BTreeSet<&Unit> = seen.sessions.iter().filter_map(|session| session.unit.as_ref()).collect();
    left.iter().filter(|process| process.is_in_slice_of(ending.uid)).find_map(|process| {
        process.unit.as_ref().filter(|unit| unit.as_str().starts_with("session-") && !known.contains(unit))
    })
}

/// Ends all that is a person's: one by one and, to kill what forks meanwhile, all of their slice.
async fn end_person(app: &App, uid: Uid, left: &[&Process], order: Order) {
    if order == Order::Term {
        // Else it would start again what is ended.
        report(app.systemd.stop(&format!("user@{uid}.service")).await, "the user's manager");
    }
    let by_kernel = order == Order::Kill && cgroups::kill_under(uid);
    if !by_kernel && is_for_systemd(order) {
        by_systemd(app, &format!("user-{uid}.slice"), order).await;
    }
    one_by_one(left.iter().copied(), order);
}

/// Whether a person's manager is started without a login (loginctl(1)).
fn lingers(user: &UserName) -> bool {
    Path::new("/var/lib/systemd/linger").join(user.as_str()).exists()
}

/// The record of an end that has been carried through.
fn ended(ending: &Ending, at_end: Option<AtEnd>, outcome: Outcome) -> Event {
    let Outcome { left, spared } = outcome;
    Event::SessionsEnded {
        grant: ending.grant,
        user: ending.user.clone(),
        sessions: ending.sessions.clone(),
        at_end: at_end.map(|at_end| at_end.as_str().to_owned()),
        left,
        spared,
        escape: escape(ending),
    }
}

/// Why something may have got away: it was started by root, or was handed to what starts things for people and does not
/// ask jitd.
fn escape(ending: &Ending) -> Option<String> {
    let is_there = |paths: &[&str]| paths.iter().any(|path| Path::new(path).exists());
    let why = if ending.reached_root() {
        "root could be reached: what root started elsewhere is not looked for"
    } else if processes::are_hidden() {
        "/proc hides processes (hidepid)"
    } else if !cgroups::are_told() {
        "this kernel does not tell what runs in a unit: what forks fast is not seen"
    } else if is_there(&["/usr/sbin/cron", "/usr/sbin/crond"]) && !asks_jitd("cron") && !asks_jitd("crond") {
        "cron does not ask jitd"
    } else if is_there(&["/usr/sbin/atd"]) && !asks_jitd("atd") {
        "at(1) does not ask jitd"
    } else if lingers(&ending.user) {
        "their manager starts with the machine"
    } else {
        return None;
    };
    Some(why.to_owned())
}

fn names<'p>(left: impl Iterator<Item = &'p Process>) -> Vec<String> {
    let by_id: BTreeMap<u32, String> = left.map(|process| (process.id.pid, process.said())).collect();
    by_id.into_values().take(MOST_NAMED).collect()
}
