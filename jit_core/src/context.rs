//! The five things that every decision and every order depends on, passed as one value.

use std::collections::BTreeSet;

use jit_proto::words::{GroupName, ServiceName};

use crate::policy::{Host, Policy};
use crate::state::State;
use crate::tickets::Register;
use crate::time::Moment;

/// The policy, the state, the host, the time and the tickets: what a decision or an order depends on, and nothing else (law 13).
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// The state that the events so far have led to.
    pub state: &'a State,
    /// The host that jitd runs on.
    pub host: &'a Host,
    /// The clocks, read once for the whole order or check.
    pub now: &'a Moment,
    /// The tickets that are known, as they were read for the order. No check depends on them: a window is cut when it opens.
    pub tickets: &'a Register,
}

/// The groups that an answer at this service can depend on: those of its exemptions, of its roles, and of every lock.
#[must_use]
pub fn groups_at<'a>(
    policy: &'a Policy,
    state: &'a State,
    service: &'a ServiceName,
) -> BTreeSet<&'a GroupName> {
    policy.groups_at(service).chain(state.locked_groups()).collect()
}

/// The groups that any answer can depend on.
#[must_use]
pub fn groups(here: Context<'_>) -> BTreeSet<&GroupName> {
    here.policy.groups().chain(here.state.locked_groups()).collect()
}
