//! The person's terminal: what is typed, line by line or key by key, and what is drawn.

pub(crate) mod held;
pub(crate) mod keyboard;
pub(crate) mod keys;
pub(crate) mod paint;
