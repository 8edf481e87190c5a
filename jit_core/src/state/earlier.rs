//! What is remembered of who had which role: one entry for each person and role, so that it grows with people and not with
//! windows.

use std::time::Duration;

use jit_proto::words::RoleName;

use super::{Row, State};
use crate::model::{Earlier, EarlierOfRole, Grant, NO_BREAK};
use crate::policy::{MAX_EACH_WEEK, MAX_REST, WEEK};
use crate::time::{Moment, Window};

impl State {
    /// When people last had this role.
    pub fn earlier(&self, role: &RoleName) -> impl Iterator<Item = &Earlier> {
        self.earlier.get(role).into_iter().flat_map(EarlierOfRole::values)
    }

    /// The end of a window, which may be noticed late. One that never began was none, nor was one of which nothing was left when
    /// it began.
    pub(super) fn had(&mut self, grant: &Grant, now: &Moment) -> Vec<Row> {
        let Some(window) = grant.window().filter(|window| !window.duration.is_zero()) else {
            return Vec::new();
        };
        let mut rows = self.forget(now);
        let earlier = self.earlier_of(grant);
        let ended = ended(window, now);
        let own = grant.before.saturating_add(now.since(&window.start).min(window.duration));
        let (ended, stay) = joined(earlier, (ended, own), now);
        earlier.stay = stay;
        earlier.ended = Some(ended);
        rows.push(Row::Earlier(earlier.clone()));
        rows
    }

    /// A window has opened on policy's word alone, which counts whatever becomes of it.
    pub(super) fn count_unreviewed(&mut self, grant: &Grant, now: &Moment) -> Option<Row> {
        grant.by_policy?;
        let earlier = self.earlier_of(grant);
        earlier.unreviewed.retain(|opened| now.at_least_since(opened) < WEEK);
        // No rule counts to more.
        let over = (earlier.unreviewed.len() + 1).saturating_sub(MAX_EACH_WEEK);
        earlier.unreviewed.drain(..over);
        earlier.unreviewed.push(now.clone());
        Some(Row::Earlier(earlier.clone()))
    }

    /// By each name that the uid has had, it is the same person.
    fn earlier_of(&mut self, grant: &Grant) -> &mut Earlier {
        let key = (grant.uid, grant.user.clone(), grant.person.clone());
        let of_role = self.earlier.entry(grant.role.clone()).or_default();
        let earlier = of_role.entry(key).or_insert_with(|| Earlier::of(grant));
        earlier.holder.also.extend(grant.also.iter().cloned());
        earlier
    }

    /// What no rest is long enough to count from any more, nor a week. A uid may be somebody else's by then.
    fn forget(&mut self, now: &Moment) -> Vec<Row> {
        let mut rows = Vec::new();
        for of_role in self.earlier.values_mut() {
            of_role.retain(|_, one| {
                let rests = one.ended.as_ref().is_none_or(|ended| now.at_least_since(ended) <= MAX_REST);
                let keep = rests || one.unreviewed.iter().any(|opened| now.at_least_since(opened) < WEEK);
                if !keep {
                    rows.push(Row::EarlierGone(one.clone()));
                }
                keep
            });
        }
        rows
    }

    /// As it stands in the store.
    pub(super) fn recall(&mut self, earlier: Earlier) {
        let key = (earlier.holder.uid, earlier.holder.name.clone(), earlier.holder.person.clone());
        self.earlier.entry(earlier.role.clone()).or_default().insert(key, earlier);
    }
}

/// Its last moment, and no later than now.
fn ended(window: &Window, now: &Moment) -> Moment {
    if !window.remaining(now).is_zero() {
        return now.clone();
    }
    let last = window.last();
    if last.boot_id == now.boot_id {
        return last.no_later_than(now);
    }
    // Of another boot the wall clocks tell, where both can be believed.
    let is_past = last.is_trusted() && now.is_trusted() && last.wall <= now.wall;
    if is_past { last } else { now.clone() }
}

/// The end of the later of two stays, and how long it is together with the other where there was no break between them: ends
/// that are noticed at once come in no order. What a clock that ran ahead has taken down counts for none.
fn joined(earlier: &Earlier, (ended, own): (Moment, Duration), now: &Moment) -> (Moment, Duration) {
    let Some(last) = &earlier.ended else { return (ended, whole_seconds(own)) };
    let last = (last.clone(), earlier.stay);
    let is_later = ended.wall < last.0.wall && last.0.wall <= now.wall;
    let ((late, long), (soon, short)) = if is_later { (last, (ended, own)) } else { ((ended, own), last) };
    let between = late.wall.since(soon.wall);
    let is_one = between <= long.saturating_add(NO_BREAK);
    let whole = if is_one { long.max(between.saturating_add(short)) } else { long };
    (late, whole_seconds(whole))
}

/// Up, as it is held against a limit.
fn whole_seconds(time: Duration) -> Duration {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis.div_ceil(1000).saturating_mul(1000))
}
