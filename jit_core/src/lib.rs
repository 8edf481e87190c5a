//! The domain of just-in-time access, pure: no clock is read here, no bus is known, nothing is written.
//!
//! What happens is always the same walk: a question or an order comes in with the time and the facts about
//! who asks; [`check`] or [`orders`] say which [`event`]s follow; [`state`] applies them. jitd does that
//! under one lock and makes the events durable; jitctl replays them to check the record.

#![forbid(unsafe_code)]
// What is added to an enum is decided on wherever it matters. Tests may pass over what they are not about.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

pub mod access;
pub mod audit;
pub mod cases;
pub mod check;
pub mod clock;
pub mod code;
pub mod context;
pub mod due;
pub mod event;
pub mod model;
pub mod orders;
pub mod proof;
pub mod replay;
pub mod room;
pub mod sessions;
pub mod sign;
pub mod state;
pub mod tickets;
mod timer;

pub use jit_policy::{self as policy, digest, services, text, time, when};
pub use jit_proto::duration;

#[cfg(test)]
mod above_tests;
#[cfg(test)]
mod admins_tests;
#[cfg(test)]
mod ahead_tests;
#[cfg(test)]
mod any_order_tests;
#[cfg(test)]
mod apart_tests;
#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
mod checks_tests;
#[cfg(test)]
mod clock_tests;
#[cfg(test)]
mod code_tests;
#[cfg(test)]
mod edges_tests;
#[cfg(test)]
mod except_tests;
#[cfg(test)]
mod hours_tests;
#[cfg(test)]
mod known_tests;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod lock_tests;
#[cfg(test)]
mod opening_tests;
#[cfg(test)]
mod orders_tests;
#[cfg(test)]
mod people_tests;
#[cfg(test)]
mod policy_change_tests;
#[cfg(test)]
mod room_tests;
#[cfg(test)]
mod signed_policy_tests;
#[cfg(test)]
mod signed_tests;
#[cfg(test)]
mod stages_tests;
#[cfg(test)]
mod teams_tests;
#[cfg(test)]
mod terms_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tickets_tests;
#[cfg(test)]
mod trial_tests;
#[cfg(test)]
mod unreviewed_tests;
#[cfg(test)]
mod until_tests;
#[cfg(test)]
mod with_hours_tests;
#[cfg(test)]
mod words_tests;
