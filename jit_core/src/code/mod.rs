//! Approval by a code that is read out (DESIGN section 8): where nothing crosses but a voice. The host reads out a request,
//! in a few words and a [`RequestCode`]; the approver's machine makes an [`Answer`] of them; the host recognises it. Pure.
//!
//! An approver has one [`Secret`], and each host a [`HostCodeKey`] that is made of it ([`key`]); the host's file of them is
//! [`keys`]. All of it is written in the [`symbols`] of Crockford's base 32. docs/offline.md has it for other programs.

pub mod answer;
pub mod bucket;
pub mod key;
pub mod keys;
pub mod symbols;

pub use answer::{Answer, Asked, RequestCode, Start};
pub use bucket::Bucket;
pub use key::{Approves, HostCodeKey, Secret, Slot};
pub use keys::{BadLine, CodeKeys, KeyLine};

#[cfg(test)]
mod tests;
