//! When a window begins and ends: of one that goes on from another, that depends on the other.

use std::time::Duration;

use super::{Row, State};
use crate::event::{Event, Record};
use crate::model::{Begins, Claim, EndWhy, Grant, Scheduled, Time};
use crate::time::{Moment, Window};

impl State {
    /// A check was allowed: it may take a use, and where a program asked that is not root and does not end, the grant keeps
    /// where.
    pub(super) fn admit(&mut self, record: &Record) -> Vec<Row> {
        let Event::Allowed { grant, claim, asker, ends, login, .. } = &record.event else {
            return Vec::new();
        };
        let Some(live) = self.grants.get_mut(grant) else { return Vec::new() };
        let mut rows = Vec::new();
        if asker.is_some() && ends.is_none() && !live.asked.contains(&login.service) {
            live.asked = live.asked.iter().chain([&login.service]).cloned().collect();
            rows.push(Row::Began(live.clone()));
        }
        let Some(kind) = claim else { return rows };
        live.used = live.used.saturating_add(1);
        let claim = Claim {
            id: record.seq,
            grant: *grant,
            service: login.service.clone(),
            uid: live.uid,
            rhost: login.rhost.clone(),
            at: record.at.clone(),
            kind: *kind,
        };
        rows.extend([Row::Used { grant: *grant, used: live.used }, Row::Claim(claim.clone())]);
        self.claims.push(claim);
        rows
    }

    /// What came in by a grant that is over, where a program asked that is not root, is the business of those of the same
    /// person that hold it on.
    pub(super) fn hand_on(&mut self, over: &Grant) -> Vec<Row> {
        let mut rows = Vec::new();
        let others = self.by_uid.get(&over.uid).into_iter().flatten();
        for id in others {
            let Some(other) = self.grants.get_mut(id).filter(|other| other.user == over.user) else {
                continue;
            };
            let more = over.asked.both(&other.services).without(&other.asked);
            if !more.is_empty() {
                other.asked = other.asked.iter().chain(&more).cloned().collect();
                rows.push(Row::Began(other.clone()));
            }
        }
        rows
    }

    /// The window of a grant that has begun and is not yet written down as begun.
    #[must_use]
    pub fn begun(&self, grant: &Grant, now: &Moment) -> Option<Window> {
        match &grant.time {
            Time::Open { .. } => None,
            Time::Scheduled { scheduled } => self.window_begun(scheduled, now),
        }
    }

    /// The window, if it has begun by now without anybody's doing.
    fn window_begun(&self, scheduled: &Scheduled, now: &Moment) -> Option<Window> {
        match &scheduled.begins {
            // Not on the word of a clock that is suspect.
            Begins::At(start) => (now.is_trusted() && *start <= now.wall)
                .then(|| scheduled.window(now.back_at(*start)).begun_at(*start, now)),
            Begins::AtFirstUse { .. } => None,
            Begins::After(base) => {
                let base = self.grant(*base)?.window()?;
                let over = !base.ended_by_reboot(now) && base.remaining(now).is_zero();
                // A clock that ran ahead has ended the one; should it step back, that is no gain to the other (law 6).
                over.then(|| scheduled.window(base.last().no_later_than(now)))
            }
        }
    }

    /// Why a grant is over at `now`, if it is.
    #[must_use]
    pub fn over(&self, grant: &Grant, now: &Moment) -> Option<EndWhy> {
        match &grant.time {
            Time::Scheduled { scheduled } => self.never_begins(scheduled, now),
            Time::Open { window } if window.ended_by_reboot(now) => Some(EndWhy::Reboot),
            Time::Open { window } => window.remaining(now).is_zero().then_some(EndWhy::Expired),
        }
    }

    /// Why a scheduled window will not begin any more.
    fn never_begins(&self, scheduled: &Scheduled, now: &Moment) -> Option<EndWhy> {
        match &scheduled.begins {
            Begins::At(_) => None,
            Begins::AtFirstUse { lapse } => {
                (now.since(&scheduled.since) >= *lapse).then_some(EndWhy::Expired)
            }
            Begins::After(base) => match self.grant(*base).and_then(Grant::window) {
                None => Some(EndWhy::Expired),
                Some(base) => base.ended_by_reboot(now).then_some(EndWhy::Reboot),
            },
        }
    }

    /// How long nothing will happen to a grant, if the clocks run evenly, of one that neither begins now nor is over.
    pub(crate) fn quiet_for(&self, grant: &Grant, now: &Moment) -> Duration {
        match &grant.time {
            Time::Open { window } => window.remaining(now),
            Time::Scheduled { scheduled } => match &scheduled.begins {
                // Whoever makes the clock trusted again looks again.
                Begins::At(_) if !now.is_trusted() => Duration::MAX,
                Begins::At(start) => start.since(now.wall),
                Begins::AtFirstUse { lapse } => lapse.saturating_sub(now.since(&scheduled.since)),
                Begins::After(base) => self.grant(*base).map_or(Duration::ZERO, |base| base.remaining(now)),
            },
        }
    }
}
