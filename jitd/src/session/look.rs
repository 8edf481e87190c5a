//! One look at what runs, for all who ask whose it is.

use std::collections::{BTreeMap, HashMap};

use jit_core::context::Context;
use jit_core::model::{Session, Unit};
use jit_proto::words::Uid;

use super::index::Index;
use super::processes::Process;

/// What runs, and which session has which scope.
pub(super) struct Look<'a> {
    pub(super) all: &'a [Process],
    pub(super) index: Index<'a>,
    pub(super) taken: &'a Taken<'a>,
    pub(super) sessions: &'a [Session],
    pub(super) came: &'a Came,
}

/// Since when each person is here, in milliseconds of the boot clock, of those who came in this boot.
pub(super) type Came = BTreeMap<Uid, u64>;

pub(super) fn came(here: Context<'_>) -> Came {
    let stays = here.state.stays().filter(|stay| stay.since.boot_id == here.now.boot_id);
    stays.map(|stay| (stay.uid, stay.since.boot)).collect()
}

/// Which session has which scope.
pub(super) type Taken<'s> = HashMap<&'s Unit, u64>;

pub(super) fn taken(sessions: &[Session]) -> Taken<'_> {
    sessions.iter().filter_map(|session| Some((session.unit.as_ref()?, session.id))).collect()
}
