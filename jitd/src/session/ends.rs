//! The end of one session: its person is told, it is asked to end, and it is made to.

use std::collections::BTreeSet;
use std::time::Duration;

use jit_core::duration::Human;
use jit_core::event::Event;
use jit_core::model::{Due, EndReason, Leader, Over, Session};
use rustix::process::Signal;

use super::cgroups;
use super::follower::{Follower, Seen, members};
use super::glance::{has_left, is_there};
use super::look::Look;
use super::pace::{OFTEN, SELDOM};
use super::processes::{Process, signal_to};
use super::serving;
use super::systemd::{self, NoSystemd, Order};
use crate::app::App;
use crate::clock::since_boot;
use crate::log;
use crate::tty::Tty;

impl Follower {
    /// Carries the end of one session on, and says when to look again.
    pub(super) async fn end(&mut self, session: &Session, look: &Look<'_>, seen: &Seen) -> Duration {
        if session.goes_on() && is_there(session) {
            // What it serves others by is not ended. Until it has gone they may be in by it, and are listed.
            return SELDOM;
        }
        let left = members(session, look);
        let gone_at = if is_there(session) {
            Duration::MAX
        } else {
            self.sessions.entry(session.id).or_default().left(session, since_boot())
        };
        let runs = !left.is_empty()
            || (session.over.is_none() && serving::may_yet_serve(session, gone_at, look))
            || session.unit.as_ref().is_some_and(cgroups::runs_in)
            || (session.leader.is_some() && !session.closed && is_there(session));
        // What cannot be found is not known to be gone: it is when PAM says that it has closed.
        let can_be_found = (session.leader.is_some() && !seen.blind) || session.unit.is_some();
        if !runs && !can_be_found {
            return SELDOM;
        }
        // The list of what runs is not made in one moment: what the process that has gone started meanwhile may not be in it,
        // and in the next one it is.
        let done = self.sessions.entry(session.id).or_default();
        let is_gone = done.is_gone_again(!runs) || session.unit.is_some();
        if !runs && !is_gone {
            done.look_at = since_boot() + OFTEN;
            return OFTEN;
        }
        if !runs {
            if let Some(unit) = &session.unit {
                systemd::forget_limit(unit);
            }
            self.app.ended.gone(session);
            if let Some(audit) = session.audit {
                self.app.sessions.closed(audit, &session.login.service);
            }
            let session = &serving::at_its_end(session, gone_at, look);
            self.record(Event::gone(session));
            return Duration::ZERO;
        }
        let done = self.sessions.entry(session.id).or_default();
        let Some(over) = &session.over else {
            if !has_left(session) {
                return SELDOM;
            }
            // Its person has left and something runs on, for a moment or for as long as the window.
            if since_boot() >= done.look_at {
                let again = (OFTEN * 2_u32.saturating_pow(done.looks.min(10))).min(SELDOM);
                done.looks += 1;
                done.look_at = since_boot() + again;
            }
            return done.look_at.saturating_sub(since_boot());
        };
        let after = seen.now.since(&over.at);
        // A jitd that was not there for it makes good for that at once.
        let is_late = !done.term && after > over.terms.kill + OFTEN * 5;
        if done.told != Some(over.why) {
            done.told = Some(over.why);
            self.tell(session, &left, &end_line(session, over)).await;
            self.sessions.entry(session.id).or_default().hears_until = since_boot() + OFTEN;
        }
        // sshd has to carry the line to the person before it is ended itself, whatever else is looked at meanwhile.
        let done = self.sessions.entry(session.id).or_default();
        let hears = done.hears_until.saturating_sub(since_boot());
        if !is_late && !hears.is_zero() {
            return hears;
        }
        if !systemd::is_there() {
            // Nothing is enforced here, as `status` says.
            return SELDOM;
        }
        done.term |= is_late;
        match over.terms.due(after) {
            // Work may finish meanwhile.
            Due::Nothing { next } => next.min(OFTEN * 50),
            due if !done.term => {
                done.term = true;
                signal(&self.app, session, &left, Order::Term).await;
                if due == Due::Kill { OFTEN * 3 } else { OFTEN }
            }
            // The longer they have, the less it matters when they are seen to be gone.
            Due::Term { next } => next.min((after / 10).clamp(OFTEN, OFTEN * 50)),
            Due::Kill => {
                done.kills = done.kills.saturating_add(1);
                if done.kills.is_multiple_of(16)
                    && let Some(unit) = &session.unit
                {
                    log::warning(format_args!("{unit}: still there, tried {} times", done.kills));
                    drop(self.app.systemd.thaw(unit.as_str()).await);
                }
                let often = done.kills <= 64;
                signal(&self.app, session, &left, Order::Kill).await;
                if often { OFTEN } else { OFTEN * 10 }
            }
        }
    }

    /// Writes a line on every terminal that a session has.
    pub(super) async fn tell(&self, session: &Session, inside: &[&Process], line: &str) {
        let Some(uid) = session.login.uid else { return };
        let terminals: BTreeSet<String> = inside.iter().filter_map(|process| process.terminal()).collect();
        let text = format!("\r\njit: {line}\r\n");
        zruntime::unblock(move || {
            for terminal in terminals {
                if let Ok(terminal) = terminal.parse::<Tty>() {
                    // One that takes no messages, or has gone: nothing to report.
                    drop(terminal.write(uid, &text));
                }
            }
        })
        .await;
    }
}

/// Sends a signal to what is left of a session: one by one and, to kill what forks meanwhile, to all of its scope.
async fn signal(app: &App, session: &Session, left: &[&Process], order: Order) {
    if let Some(unit) = &session.unit {
        let by_kernel = order == Order::Kill && cgroups::kill_in(unit);
        if !by_kernel && is_for_systemd(order) {
            by_systemd(app, unit.as_str(), order).await;
        }
    }
    // cgroup.kill sends its signal to the first thread of each process, and where that has ended the others do not get
    // it (send_sig() and complete_signal() of Linux's kernel/signal.c). And the one that opened the session may be on
    // its way out elsewhere.
    one_by_one(left.iter().copied(), order).await;
}

/// Whether to fall back to systemd's KillUnit. To ask processes to end it is enough to
/// ask those that are seen, where the kernel says whether there are more.
pub(super) fn is_for_systemd(order: Order) -> bool {
    order == Order::Kill || !cgroups::are_told()
}

/// Has systemd send a signal to all of a unit, where the kernel cannot: it takes a while on a busy host.
pub(super) async fn by_systemd(app: &App, unit: &str, order: Order) {
    report(app.systemd.kill(unit, order).await, unit);
}

/// Sends a signal to each of these processes. A person may have tens of thousands, and others wait for answers meanwhile.
pub(super) async fn one_by_one<'p>(processes: impl Iterator<Item = &'p Process>, order: Order) {
    let signals: &[Signal] = match order {
        Order::Term => &[Signal::TERM, Signal::CONT],
        Order::Kill => &[Signal::KILL],
    };
    let whom: Vec<Leader> = processes.map(|process| process.id).collect();
    zruntime::unblock(move || {
        for (whom, signal) in whom.into_iter().flat_map(|whom| signals.iter().map(move |one| (whom, *one))) {
            signal_to(whom, signal);
        }
    })
    .await;
}

/// Logs why systemd did not do something. That a unit is gone is no reason.
pub(super) fn report(outcome: Result<(), NoSystemd>, what: &str) {
    if let Err(err) = outcome
        && !err.is_no_such_unit()
    {
        log::warning(format_args!("{what}: {err}"));
    }
}

fn end_line(session: &Session, over: &Over) -> String {
    let (grant, service) = (session.grant, &session.login.service);
    let what = match over.why {
        EndReason::Ordered => {
            format!(
                "this session was ended by order. Your window {grant} is still open, and you may log in again"
            )
        }
        EndReason::OutsideHours => format!("the hours of your window {grant} are over"),
        EndReason::NoPerson => {
            format!("{grant} is the window of one person, and nothing said that this session is theirs")
        }
        EndReason::Expired
        | EndReason::Reboot
        | EndReason::Revoked
        | EndReason::Done
        | EndReason::Locked
        | EndReason::RoleChanged
        | EndReason::OtherMachine => {
            format!("your window {grant} is over ({})", over.why)
        }
    };
    let (term, kill) = (over.terms.term, over.terms.kill);
    if !term.is_zero() {
        return format!("{what}; what runs in this {service} session may finish within {}", Human(term));
    }
    if kill.is_zero() {
        return format!("{what}; this {service} session ends now");
    }
    format!("{what}; this {service} session ends now, at the latest in {}", Human(kill))
}
