//! jitd on D-Bus: who calls, what they may, and the answers. Nothing is decided here.

mod access;
#[cfg(test)]
mod access_tests;
pub(crate) mod admin;
mod admission;
mod answer;
#[cfg(test)]
mod approval_tests;
#[cfg(test)]
mod archive_tests;
mod asked;
#[cfg(test)]
mod asker_tests;
pub(crate) mod audit;
#[cfg(test)]
mod audit_tests;
mod caller;
#[cfg(test)]
mod carried_out_tests;
#[cfg(test)]
mod code_tests;
mod codes;
#[cfg(test)]
mod contract_tests;
mod direct;
mod entering;
#[cfg(test)]
mod entering_tests;
mod error;
pub(crate) mod gate;
#[cfg(test)]
mod gate_tests;
pub(crate) mod guarded;
mod locks;
pub(crate) mod login_request;
mod offline;
#[cfg(test)]
mod offline_tests;
mod origin;
#[cfg(test)]
mod origin_tests;
mod policy_changes;
pub(crate) mod private;
mod reply;
pub(crate) mod review;
mod reviewing;
mod sessions;
mod signed_policy;
mod statements;
mod status;
mod stories;
pub(crate) mod system;
pub(crate) mod user;
mod verified;
mod wire;
mod words;

pub(crate) use caller::Orderer;
pub(crate) use error::Error;
pub(crate) use guarded::for_questions;
pub(crate) use origin::Origin;
