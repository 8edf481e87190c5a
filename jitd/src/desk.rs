//! The one room where things happen: under one lock with no `await` in it, *decide → events → apply → enqueue*.
//!
//! So single-use claims serialise by construction, and the order of records is the order of decisions. What
//! must be durable before it is answered comes back with a ticket.

mod apply;
mod changes;
mod check;
mod checkpoints;
mod clock;
mod in_force;
mod keeper;
mod login_requests;
mod looked;
mod not_done;
mod on_trial;
mod orders;
mod outage;
mod policy;
mod policy_review;
mod review;
mod room;
mod signed_policy;
mod tickets;
mod time;
mod trial;

pub(crate) use check::{Briefing, CheckRecord, Checked, Judged, OnRecord, SLACK, Waits};
pub(crate) use checkpoints::Closed;
pub(crate) use in_force::{BadFiles, InForce, NotLoaded, ReadPolicy, Source};
pub(crate) use looked::{LoggedIn, Looked, Word};
pub(crate) use not_done::NotDone;
pub(crate) use on_trial::Load;
pub(crate) use orders::Standing;
pub(crate) use outage::CannotDecide;
pub(crate) use policy::LoadedBy;
pub(crate) use review::ReviewBriefing;
pub(crate) use room::Desk;
pub(crate) use signed_policy::Brought;
