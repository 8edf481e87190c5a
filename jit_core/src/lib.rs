//! The domain of just-in-time access, pure: no clock is read here, no bus is known, nothing is written.
//!
//! What happens is always the same walk: a question or an order comes in with the time and the facts about
//! who asks; [`decide`] or [`request`] says which [`event`]s follow; [`state`] applies them. jitd does that
//! under one lock and makes the events durable; jitctl replays them to check the record.

#![forbid(unsafe_code)]

pub mod ask;
pub mod audit;
pub mod clock;
pub mod decide;
pub mod digest;
pub mod due;
pub mod ending;
pub mod event;
pub mod explain;
pub mod grant;
pub mod lock;
pub mod opening;
pub mod order;
pub mod person;
pub mod policy;
pub mod request;
pub mod review;
pub mod standing;
pub mod state;
pub mod taking_back;
pub mod tally;
pub mod trial;
pub mod when;

pub use jit_proto::duration;

#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod edges_tests;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod orders_tests;
#[cfg(test)]
mod terms_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod trial_tests;
