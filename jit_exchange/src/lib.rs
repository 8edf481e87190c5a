//! The exchange: one layout of a folder that any carrier can move between hosts and the people who approve (DESIGN
//! section 8, docs/offline.md). It knows no bus and no jitd.
//!
//! Files never change once they are there, and the name of each has the SHA-256 of its bytes. So folders can be merged in
//! any order and brought again, and a file that was cut off or changed on its way is told by its name. Nothing else in a
//! folder is believed: what counts is the signature in a file, and whoever reads a log holds it against its checkpoints.
//!
//! The walk: [`names`] (what a name says) → [`listing`] (what there is, and what is passed over) → [`segments`] (how
//! pieces of a log go on from each other), [`known`] (by which key somebody knows a host) and [`history`] (whether its log is
//! still the one that they have seen). [`folder`] alone does I/O.

#![forbid(unsafe_code)]
// What is added to an enum is decided on wherever it matters. Tests may pass over what they are not about.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

pub mod folder;
pub mod history;
pub mod known;
pub mod listing;
pub mod names;
pub mod segments;
