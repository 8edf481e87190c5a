//! An approver's secret, and the key that each host gets of it: HKDF-SHA256 over the host's fingerprint and an epoch. What
//! one host holds says nothing of what another does.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;

use super::symbols::{BadSymbols, CHECKS, Grouped, Symbol, checked, of_bytes, read_checked, to_bytes};
use crate::policy::Principal;

/// What the key of a host is for; nothing else is made of a secret.
const PURPOSE: &str = "jitd.code-key.v1";

/// The symbols of a written key: 128 bits, with their check symbols.
const SYMBOLS: usize = 26 + CHECKS;

/// 256 bits that only the approver has.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Of random bytes.
    #[must_use]
    pub const fn of(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the file of one: 64 hex digits and a line's end.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let digest: crate::digest::Digest = line.parse().ok()?;
        Some(Self(digest.0))
    }

    /// The file of one.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n", crate::digest::Digest(self.0))
    }

    /// The key of a host in an epoch.
    #[must_use]
    pub fn key_for(&self, host_key: &str, epoch: u32) -> HostCodeKey {
        let mut key = [0; 16];
        let info = prefixed([PURPOSE, host_key, &epoch.to_string()]);
        let filled = Hkdf::<Sha256>::new(None, &self.0).expand(&info, &mut key);
        debug_assert!(filled.is_ok(), "HKDF refuses only more than 255 blocks, and this is half of one");
        HostCodeKey(key)
    }
}

/// Never shown by accident.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The key that one approver and one host have in common: 128 bits, written as 28 symbols.
#[derive(Clone, PartialEq, Eq)]
pub struct HostCodeKey([u8; 16]);

impl HostCodeKey {
    /// As a person types it from a sheet.
    pub fn parse(text: &str) -> Result<Self, BadSymbols> {
        let bytes = to_bytes(&read_checked(text, SYMBOLS)?);
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(BadSymbols::Check)
    }

    /// As it is written on a sheet.
    #[must_use]
    pub fn text(&self) -> String {
        Grouped(&checked(&of_bytes(&self.0))).to_string()
    }

    pub(super) const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Never shown by accident.
impl fmt::Debug for HostCodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostCodeKey(…)")
    }
}

/// An approver's place on a host: 0 to 31. An answer begins with its symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot(Symbol);

impl Slot {
    /// The one that a symbol is.
    #[must_use]
    pub const fn of(symbol: Symbol) -> Self {
        Self(symbol)
    }

    /// From its number.
    #[must_use]
    pub fn numbered(number: u8) -> Option<Self> {
        (number < 32).then(|| Self(Symbol::of(number)))
    }

    /// The symbol that it is written by.
    #[must_use]
    pub const fn symbol(self) -> Symbol {
        self.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.value().fmt(f)
    }
}

/// By what an approver is known on one host: the same on both sides, and a part of every answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approves {
    /// Whom the answers stand for, as `keys` in `[people]` names them.
    pub principal: Principal,
    /// The place on the host.
    pub slot: Slot,
    /// Which of the keys that were made for this host.
    pub epoch: u32,
    /// The fingerprint of the host's key.
    pub host_key: String,
    /// What both know.
    pub key: HostCodeKey,
}

/// Texts one behind the other, each with its length in two bytes before it: no two lists have the same bytes.
pub(super) fn prefixed<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut all = Vec::new();
    for text in texts {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        all.extend(length.to_be_bytes());
        all.extend(text.bytes().take(usize::from(length)));
    }
    all
}
