//! Approval by a signed file (DESIGN section 8): what is signed, who may sign, and whether they did. Pure: bytes and a
//! time come in, a reason or a verified statement goes out.
//!
//! Two texts are about a request that waits: its [`file`], which approves it as it is, and a [`statement`] that denies it or
//! leaves less of it. Both name the request by its digest. Four texts people write of themselves: a [`grant`] ahead of time,
//! a [`revoke`], a [`lock`], and that a [`clock`] is right. [`any`] tells them apart. The signature is one of ssh-keygen(1),
//! `-Y sign` ([`sshsig`]), by a [`key`] that the [`approvers`] file knows; [`verify`] puts the steps in their order.

pub mod any;
pub mod approvers;
pub mod clock;
pub mod compact;
mod fields;
pub mod file;
pub mod grant;
pub mod hosts;
pub mod key;
pub mod kind;
mod lines;
pub mod lock;
pub mod login_key;
pub mod policy;
pub mod revoke;
pub mod seal;
pub mod sshsig;
pub mod statement;
pub mod typed;
pub mod verify;
mod wire;

/// What a signature is for, as `-n` of ssh-keygen(1) has it. One that was made for anything else approves nothing.
pub const NAMESPACE: &str = "jitd.approval.v1";

/// What a signature of an admin is for: a lock, or that a clock is right. A key that approves does not thereby do this, and
/// a touch of a token for an approval cannot be used for it.
pub const ADMIN_NAMESPACE: &str = "jitd.admin.v1";

/// The longest text that is signed, in bytes, as it is signed.
pub const MAX_TEXT: usize = 4096;

/// The longest signature, in bytes: of an RSA key of 8,192 bits it has 2,900.
pub const MAX_SIGNATURE: usize = 4096;

/// As much as a person needs to see of what somebody else wrote, and nothing that a terminal acts on.
fn shown(text: &str) -> String {
    crate::text::cut(jit_proto::text::Shown(text).to_string(), 64)
}

#[cfg(test)]
mod authored_tests;
#[cfg(test)]
mod compact_tests;
#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod vectors;
