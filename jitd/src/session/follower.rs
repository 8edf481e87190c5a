//! Who follows sessions to their ends, and what they keep meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jit_core::event::Event;
use jit_core::model::{EndReason, Session, Termination, gets_a_scope};
use jit_core::time::Moment;
use jit_proto::words::GrantId;

use super::glance::is_there;
use super::look::{Came, Look};
use super::pace::SELDOM;
use super::people::People;
use super::processes::{self, Process};
use super::programs::Runs;
use super::record::record;
use super::serving;
use super::shut::Shut;
use crate::app::App;
use crate::log;

/// What has been done of a session.
#[derive(Default)]
pub(super) struct Done {
    /// The reason of its end that people were told.
    pub(super) told: Option<EndReason>,
    /// Until when they are left to hear it, by the boot clock.
    pub(super) hears_until: Duration,
    /// It was asked to end.
    pub(super) term: bool,
    /// How often it was made to.
    pub(super) kills: u32,
    /// PAM has closed it: how often it was looked whether something runs all the same, and when to look again.
    pub(super) looks: u32,
    pub(super) look_at: Duration,
    /// Nothing of it was found.
    gone: bool,
    /// When nothing of it was found for the first time since something was, by the boot clock.
    left: Option<Duration>,
    /// When it was first looked for without its process, by the boot clock.
    alone: Option<Duration>,
    /// The control group that its process ran in, as the kernel numbers them.
    pub(super) group: Option<u64>,
}

impl Done {
    /// A session that is seen for the first time.
    pub(super) fn of(session: &Session) -> Self {
        // In this order: while its process is there, so is its group.
        let group = serving::group_of(session);
        Self { group: group.filter(|_| is_there(session)), ..Self::default() }
    }

    /// Takes note of whether nothing of it was found now; whether it was so the last time, too.
    pub(super) const fn is_gone_again(&mut self, gone: bool) -> bool {
        let before = std::mem::replace(&mut self.gone, gone);
        if !gone {
            // What was found can have started something since.
            self.left = None;
        }
        before && gone
    }

    /// By when whatever is of a process that has gone had started, by the boot clock. A group of the same name that is
    /// another has none of it: systemd removes one only when nothing is in it.
    pub(super) fn left(&mut self, session: &Session, now: Duration) -> Duration {
        let is_another = self.group.is_some() && serving::group_of(session) != self.group;
        // What is found is not sure to be of it. Whoever has a server start processes for them without end keeps nobody on
        // the list by that.
        let latest = self.alone.get_or_insert(now).saturating_add(SELDOM);
        if is_another { Duration::ZERO } else { (*self.left.get_or_insert(now)).min(latest) }
    }
}

/// What has been done of what is left of a person.
#[derive(Default)]
pub(super) struct Swept {
    /// Since when, by the boot clock.
    pub(super) since: Option<Duration>,
    /// It was asked to end.
    pub(super) term: bool,
    /// When to ask logind again that their manager does not linger.
    pub(super) linger_at: Duration,
    /// A site's programs that run or ran for it.
    pub(super) programs: Runs,
}

pub(super) struct Follower {
    pub(super) app: Arc<App>,
    pub(super) people: Arc<People>,
    /// What was left of each session when its person was last thought of.
    pub(super) warned: HashMap<u64, Duration>,
    pub(super) sessions: HashMap<u64, Done>,
    pub(super) endings: HashMap<GrantId, Swept>,
    pub(super) shut: Shut,
    pub(super) looked_at_all: Option<Duration>,
    /// By which state all of that was found out and done (see [`Desk::loads`]).
    pub(super) loads: u64,
}

/// What is true now, as far as it matters here.
pub(super) struct Seen {
    pub(super) sessions: Vec<Session>,
    pub(super) endings: Vec<Termination>,
    pub(super) now: Moment,
    /// Since when people are here.
    pub(super) came: Came,
    /// /proc hides processes: of none it is known that it is gone.
    pub(super) blind: bool,
}

impl Follower {
    pub(super) fn new(app: Arc<App>, people: Arc<People>) -> Self {
        let loads = app.desk.loads();
        Self {
            app,
            people,
            warned: HashMap::new(),
            sessions: HashMap::new(),
            endings: HashMap::new(),
            shut: Shut::default(),
            looked_at_all: None,
            loads,
        }
    }

    /// Every process, if that can be told.
    pub(super) async fn processes(&self) -> Option<Vec<Process>> {
        match zruntime::unblock(processes::all).await {
            Ok(all) => Some(all),
            Err(err) => {
                log::error(format_args!("it cannot be told what runs: {err}"));
                None
            }
        }
    }

    pub(super) fn record(&self, event: Event) {
        record(&self.app, event);
    }
}

/// Whether a session's scope is still waited for. One that had none in time may get it later, and is looked at with
/// everything else. A process that asked gets none.
pub(super) const fn is_awaited(session: &Session) -> bool {
    session.unit.is_none() && !session.unbound && session.leader.is_some() && !session.is_process()
}

/// The processes of a session: those in its scope, and the one that opened it, which may be on its way out elsewhere.
///
/// Of a login whose scope is not known, those of its audit session: all that it started has that, wherever it went. Of
/// another session without a scope, or without an audit session of its own, what its opener started, as far as that can
/// still be told.
pub(super) fn members<'p>(session: &Session, look: &Look<'p>) -> Vec<&'p Process> {
    if session.is_process() {
        return serving::members(session, look);
    }
    let index = &look.index;
    let leader = session.leader.filter(|_| !session.closed).and_then(|leader| index.get(leader));
    if let Some(unit) = &session.unit {
        let on_its_way = leader.filter(|leader| leader.unit.as_ref() != Some(unit));
        return index.in_unit(unit).iter().copied().chain(on_its_way).collect();
    }
    let Some(audit) = session.audit.filter(|_| !gets_a_scope(&session.login.service)) else {
        return session.leader.map_or_else(Vec::new, |leader| index.below(leader));
    };
    let is_elsewhere =
        |process: &&Process| process.unit.as_ref().is_some_and(|unit| look.taken.contains_key(unit));
    let of_login = index.of_audit(audit).iter().copied().filter(|process| !is_elsewhere(process));
    let other = leader.filter(|leader| leader.audit != Some(audit) || is_elsewhere(leader));
    of_login.chain(other).collect()
}
