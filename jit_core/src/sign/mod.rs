//! Approval by a signed file (DESIGN section 8): what is signed, who may sign, and whether they did. Pure: bytes and a
//! time come in, a reason or a verified statement goes out.
//!
//! What is signed is one of two texts: the [`file`] of a request, which approves it as it is, or a [`statement`] that
//! denies it or leaves less of it. Both name the request by its digest. The signature is one of ssh-keygen(1), `-Y sign`
//! ([`sshsig`]), by a [`key`] that the [`approvers`] file knows; [`verify`] puts the steps in their order.

pub mod approvers;
pub mod file;
pub mod key;
mod lines;
pub mod sshsig;
pub mod statement;
pub mod verify;
mod wire;

/// What a signature is for, as `-n` of ssh-keygen(1) has it. One that was made for anything else approves nothing.
pub const NAMESPACE: &str = "jitd.approval.v1";

/// The longest text that is signed, in bytes, as it is signed.
pub const MAX_TEXT: usize = 4096;

/// The longest signature, in bytes: of an RSA key of 8,192 bits it has 2,900.
pub const MAX_SIGNATURE: usize = 4096;

/// As much as a person needs to see of what somebody else wrote, and nothing that a terminal acts on.
fn shown(text: &str) -> String {
    crate::text::cut(jit_proto::text::Shown(text).to_string(), 64)
}

#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod vectors;
