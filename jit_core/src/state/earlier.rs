//! What is remembered of who had which role: one entry for each person and role, so that it grows with people and not with
//! windows.

use jit_proto::words::RoleName;

use super::{Row, State};
use crate::model::{Earlier, EarlierOfRole, Grant};
use crate::time::Moment;

impl State {
    /// When people last had this role.
    pub fn earlier(&self, role: &RoleName) -> impl Iterator<Item = &Earlier> {
        self.earlier.get(role).into_iter().flat_map(EarlierOfRole::values)
    }

    /// The end of a window. One that never began was none.
    pub(super) fn had(&mut self, grant: &Grant, now: &Moment) -> Option<Row> {
        grant.window()?;
        let key = (grant.uid, grant.user.clone(), grant.person.clone());
        let of_role = self.earlier.entry(grant.role.clone()).or_default();
        let earlier = of_role.entry(key).or_insert_with(|| Earlier::of(grant));
        // By each name that the uid has had, it is the same person.
        earlier.holder.also.extend(grant.also.iter().cloned());
        earlier.ended = Some(now.clone());
        Some(Row::Earlier(earlier.clone()))
    }

    /// As it stands in the store.
    pub(super) fn recall(&mut self, earlier: Earlier) {
        let key = (earlier.holder.uid, earlier.holder.name.clone(), earlier.holder.person.clone());
        self.earlier.entry(earlier.role.clone()).or_default().insert(key, earlier);
    }
}
