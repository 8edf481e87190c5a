//! What an auditor asks of a log: who had which access when, who approved it, how long that took, what it left behind,
//! and what somebody has to look at.
//!
//! A [`Fold`] is shown each record of a log once, in order, as its exact bytes, and keeps what the accesses of the period
//! need and no more. What comes of it is a [`Report`], data alone: the same records and the same period make the same
//! report, byte for byte, on whatever machine. Nothing in it is guessed: what the log does not say is left out. The
//! views ([`csv`], [`html`], and those of jitctl) decide nothing.

#![forbid(unsafe_code)]
// What is added to an enum is decided on wherever it matters. Tests may pass over what they are not about.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

mod attest;
pub mod csv;
mod duties;
mod figures;
mod fold;
mod host;
mod hours;
pub mod html;
mod live;
mod log;
mod observed;
mod period;
mod policies;
mod report;
mod roles;
mod rows;
mod story;
mod suggest;
mod told;

pub use attest::{Attestation, Said};
pub use figures::Spread;
pub use fold::Fold;
pub use host::{
    Acknowledged, Adopted, Checkpointed, ClockIncident, Coverage, Down, LockSet, PamTouched, PolicyFailed,
    PolicyLoad, PolicyOverridden, Recoveries, Recovery, Refused, Stood, Trial, Unasked,
};
pub use hours::{Hours, ObservedAt};
pub use live::{Live, LiveSession};
pub use log::{Backwards, LogRead, ReadRecord};
pub use observed::{ObservedRefusals, Watcher, WouldRefuse};
pub use period::Period;
pub use policies::{Exemption, NeverAsked, Recovers, Standing};
pub use report::Report;
pub use rows::{
    Access, AccessState, Attention, Duty, Residue, Reviewed, Reviewer, RoleFigures, StageFigures,
};
pub use suggest::Suggestion;

#[cfg(test)]
mod tests;
