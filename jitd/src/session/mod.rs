//! Sessions and their ends: where each one runs, what people are told before, and what is done when nothing covers it
//! any more (DESIGN law 12). What is due is said by `jit_core::model`; here it is carried out, by signals and by the
//! kernel's control groups; systemd makes the scopes.
//!
//! What must survive jitd is in the store: sessions, their ends, and windows whose end has not been carried through.
//! What is kept here (who was told what, which signal was sent) is found out again, or done again, after a restart.

mod adopt;
pub(crate) mod askers;
mod awaited;
pub(crate) mod awaiting;
mod bind;
mod cgroups;
mod clear;
mod direct;
mod enclose;
mod ends;
mod follow;
mod follower;
mod glance;
mod group;
mod index;
mod keep;
mod limits;
mod logins;
mod look;
mod pace;
mod people;
mod place;
pub(crate) mod processes;
mod programs;
mod recall;
mod record;
pub(crate) mod remains;
mod serving;
pub(crate) mod shut;
mod sweep;
pub(crate) mod systemd;
pub(crate) mod unasked;
mod warn;
mod whose;

pub(crate) use awaited::Allowed;
pub(crate) use awaiting::{Awaiting, SeenAsker};
pub(crate) use enclose::{enclose, leave_unbound};
pub(crate) use glance::{SeenOpener, asking, before, is_there, opener, runs};
pub(crate) use jit_core::model::gets_a_scope;
pub(crate) use keep::keep;
#[cfg(test)]
pub(crate) use people::People;
pub(crate) use recall::recall;
pub(crate) use remains::Ended;
