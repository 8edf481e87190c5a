//! One file for each command, or for a family of commands: its arguments, what it asks jitd, and how it shows the answer.

pub(crate) mod approvers;
pub(crate) mod attest;
pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod clock;
pub(crate) mod code;
pub(crate) mod confirm;
pub(crate) mod doctor;
mod ending;
pub(crate) mod explain;
pub(crate) mod grant;
pub(crate) mod kiosk;
pub(crate) mod list;
pub(crate) mod locking;
pub(crate) mod offline;
pub(crate) mod own_access;
pub(crate) mod policy;
pub(crate) mod report;
pub(crate) mod reviewing;
pub(crate) mod revoke;
pub(crate) mod roles;
pub(crate) mod session;
pub(crate) mod show;
pub(crate) mod status;
mod swap;
pub(crate) mod watch;
mod which;
