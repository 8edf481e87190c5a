//! `pam_jit.so`: asks jitd whether a window admits the subject, and gives libpam the answer.
//!
//! A call from libpam goes through entry → hooks → question → transport → outcome, and comes back as a PAM code. An
//! `auth` line goes through auth_conversation → transport instead: there a person who was refused may ask for a role.
//!
//! The module decides nothing and keeps no state. Every call of a hook opens one socket, asks one question and closes
//! the socket, under one deadline. It runs inside sshd, login, su and sudo, so it leaves nothing behind there (DESIGN
//! law 11). Any failure is a refusal, except for the accounts that the administrator named in the PAM line
//! (`recovery=`, DESIGN law 1).
//!
//! pam_jit(8) is the manual.
#![deny(unsafe_code)]
// What is added to an enum is decided on wherever it matters. Tests may pass over what they are not about.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

mod args;
mod auth_conversation;
mod entry;
mod error;
mod ffi;
mod hooks;
mod host;
mod link;
mod log;
mod outcome;
mod outside;
mod panic_guard;
mod question;
mod recovery;
mod transport;
mod wire;
