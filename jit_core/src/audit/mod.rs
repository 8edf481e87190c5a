//! The record that auditors get: exact bytes, what it is about, and how it looks in a log, a table and a message.

pub mod about;
pub mod cef;
pub mod evidence;
mod fields;
pub mod format;
pub mod line;
pub mod ocsf;
pub mod record;
