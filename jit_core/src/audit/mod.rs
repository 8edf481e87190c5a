//! The record that auditors get: exact bytes, the leaf over them, and the line that syslog carries.

pub mod line;
pub mod merkle;
pub mod record;
