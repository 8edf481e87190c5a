//! What the files of this host say: policy, settings, and whom the host knows.
//!
//! jitd and jitctl read the same files by the same rules, so that what `jitctl policy check` accepts is what
//! jitd will load. Nothing about access is judged here: facts go out, `jit_core` says what they mean. Whether the host is
//! set up as it should be, [`doctor`] judges.

#![forbid(unsafe_code)]
// What is added to an enum is decided on wherever it matters. Tests may pass over what they are not about.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

pub mod binding;
pub mod doctor;
pub mod facts;
pub mod files;
pub mod found;
pub mod home;
pub mod logind;
pub mod pam;
pub mod pam_files;
pub mod settings;
pub mod signers;
pub mod sudoers;
