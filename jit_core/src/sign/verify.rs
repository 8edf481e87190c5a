//! Whether a signed text counts, step by step: what it is, whose key is in it, whether that key may sign, at what time,
//! whether it was revoked; then the signature, and last whether somebody touched the authenticator.

use super::approvers::{Approvers, Revoked};
use super::key::{Key, Presence};
use super::kind::SignedText;
use super::lines::BadText;
use super::sshsig::{BadSignature, Signature};
use super::statement::Signable;
use crate::policy::Principal;
use crate::time::Utc;

/// A text that somebody has signed who may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T = Signable> {
    /// What it says.
    pub text: T,
    /// Whom the key stands for: one name or more.
    pub principals: Vec<Principal>,
    /// The key that signed.
    pub key: Key,
    /// What its authenticator said, where it has one.
    pub presence: Option<Presence>,
    /// The signature, as ssh-keygen writes it.
    pub signature: String,
}

/// Whose signature it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// Whom the key stands for: one name or more.
    pub principals: Vec<Principal>,
    /// The key that signed.
    pub key: Key,
    /// What its authenticator said, where it has one.
    pub presence: Option<Presence>,
    /// The signature, as ssh-keygen writes it.
    pub signature: String,
}

/// Why a signed text does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotVerified {
    /// The signed text is not a statement.
    #[error("the file is not one that jitd writes: {0}")]
    Text(#[from] BadText),
    /// The signature's form.
    #[error("the signature does not count: {0}")]
    Signature(#[from] BadSignature),
    /// The key is not among the approvers.
    #[error("the signature is by {0}, a key that /etc/jit/approvers does not name")]
    Unknown(String),
    /// A key for something else.
    #[error(
        "the signature is by {key}, which line {line} of /etc/jit/approvers does not let sign for '{namespace}'; an admin \
         adds that to its namespaces= where it should"
    )]
    Namespace {
        /// The key that signed.
        key: String,
        /// What the line does not have.
        namespace: &'static str,
        /// The number of its line in the approvers file.
        line: usize,
    },
    /// The key is not valid yet.
    #[error("the signature is by {key}, which counts from {after} on")]
    Early {
        /// The key that signed.
        key: String,
        /// From when on.
        after: String,
    },
    /// Not any more.
    #[error("the signature is by {key}, which counted until {before}")]
    Late {
        /// The key that signed.
        key: String,
        /// The end of the key's validity.
        before: String,
    },
    /// The key is revoked.
    #[error("the signature is by {0}, a key that is revoked")]
    Revoked(String),
    /// Not of this text.
    #[error(
        "the signature by {0} is not one of this file: one of the two was changed on its way, or they are not of one pair"
    )]
    Forged(String),
    /// Nobody was there.
    #[error(
        "the signature by {0} was made without anybody touching the authenticator; sign again and touch it (a key made with \
         no-touch-required does not approve)"
    )]
    Untouched(String),
}

impl NotVerified {
    /// The fingerprint of the key, where it came to one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Text(_) | Self::Signature(_) => None,
            Self::Unknown(key)
            | Self::Namespace { key, .. }
            | Self::Early { key, .. }
            | Self::Late { key, .. }
            | Self::Revoked(key)
            | Self::Forged(key)
            | Self::Untouched(key) => Some(key),
        }
    }
}

/// Judges a text about a request, and a signature. `at` is the later of the wall clock and its mark, so that a clock that is set back does
/// not bring a key back.
pub fn verify(
    approvers: &Approvers,
    revoked: &Revoked,
    text: &[u8],
    signature: &[u8],
    at: Utc,
) -> Result<Verified, NotVerified> {
    verify_text(approvers, revoked, text, signature, at)
}

/// The same of a text of any kind: its signature has to be for what such texts are signed for.
pub fn verify_text<T: SignedText>(
    approvers: &Approvers,
    revoked: &Revoked,
    text: &[u8],
    signature: &[u8],
    at: Utc,
) -> Result<Verified<T>, NotVerified> {
    let text = T::parse(text)?;
    let by =
        verify_bytes((approvers, revoked), text.kind().namespace(), text.text().as_bytes(), signature, at)?;
    let SignedBy { principals, key, presence, signature } = by;
    Ok(Verified { text, principals, key, presence, signature })
}

/// Whose signature over exact bytes it is, where it counts.
pub fn verify_bytes(
    (approvers, revoked): (&Approvers, &Revoked),
    namespace: &'static str,
    text: &[u8],
    signature: &[u8],
    at: Utc,
) -> Result<SignedBy, NotVerified> {
    let signature = Signature::parse_for(namespace, signature)?;
    let key = signature.key();
    let shown = || key.fingerprint();
    let approver = approvers.of(key).ok_or_else(|| NotVerified::Unknown(shown()))?;
    if !approver.may_sign(namespace) {
        return Err(NotVerified::Namespace { key: shown(), namespace, line: approver.line });
    }
    // In whole seconds, as ssh-keygen judges it.
    let at = at.whole_seconds();
    if let Some(after) = approver.after.filter(|after| at < *after) {
        return Err(NotVerified::Early { key: shown(), after: after.to_seconds() });
    }
    if let Some(before) = approver.before.filter(|before| at > *before) {
        return Err(NotVerified::Late { key: shown(), before: before.to_seconds() });
    }
    if revoked.contains(key) {
        return Err(NotVerified::Revoked(shown()));
    }
    if !signature.is_over(text) {
        return Err(NotVerified::Forged(shown()));
    }
    if signature.presence().is_some_and(|presence| !presence.touched()) {
        return Err(NotVerified::Untouched(shown()));
    }
    Ok(SignedBy {
        principals: approver.principals.clone(),
        key: key.clone(),
        presence: signature.presence(),
        signature: signature.to_string(),
    })
}
