//! Checks: the answer, its explanation, how refusals are recorded, and what a refused login may ask for.

pub mod decide;
pub mod explain;
pub mod login_request;
pub(crate) mod missing;
pub mod process;
pub mod tally;
