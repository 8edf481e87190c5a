//! PAM's stacks as data (pam.d(5)): which lines a service goes through, and what the whole of them does with an answer of
//! ours.
//!
//! [`line`] cuts a text into lines as libpam does, [`control`] says what a line does with an answer, [`stack`] follows what
//! lines take in, and [`walk`] goes through the result as libpam would. All of it is pure but [`source::Folders`].

pub mod control;
pub mod edit;
pub mod line;
pub mod source;
pub mod stack;
pub mod walk;

pub use source::{Folders, MODULE, Source, Text, is_logind, is_module};
pub use stack::{Line, Stack, Stage, What};
