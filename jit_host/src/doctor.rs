//! What is wrong with a host's installation, as far as its own files show: above all, where it looks guarded and is not.
//!
//! [`Seen`] is what was read, without a judgement; [`judge()`] makes findings of it, reads nothing, and is the same in a test
//! as on a host.

pub mod accounts;
pub mod finding;
pub mod judge;
pub mod reading;
pub mod seen;
pub mod sshd;

pub use finding::{Finding, Rules, Severity};
pub use judge::judge;
pub use reading::Unseen;
pub use seen::Seen;

#[cfg(test)]
mod tests;
