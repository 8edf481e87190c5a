//! Sessions: which window covers one, what people are told before its end, and how that end goes on.

pub mod coverage;
pub mod termination;
