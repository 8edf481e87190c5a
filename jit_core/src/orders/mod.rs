//! Orders. Each is judged against the [`Context`](crate::context::Context) and becomes events, or is refused with a
//! reason.

pub mod lock;
mod not_of_here;
pub mod refusal;
pub mod request;
pub mod review;
pub mod revoke;
pub mod signed;
pub mod stages;
pub(crate) mod terms;
pub mod trial;

pub use not_of_here::NotOfHere;
pub use refusal::{MAX_AHEAD, MAX_PENDING, MAX_PENDING_EACH, NoReview, Refusal};
