//! `/etc/jit/code-keys`: whose answers by code count on this host. A line is what `jitctl code enroll` prints:
//! `SLOT PRINCIPAL EPOCH HOST-KEY KEY`. What a line says and this does not know is an error with its place.

use std::collections::BTreeMap;

use super::key::{Approves, HostCodeKey, Slot};
use super::symbols::BadSymbols;
use crate::policy::{BadPrincipal, Principal};

/// The largest file, in bytes.
pub const MAX_FILE: usize = 64 * 1024;
/// The longest line, in bytes.
const MAX_LINE: usize = 1024;
/// The last epoch.
pub const MAX_EPOCH: u32 = 999_999;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLine {
    /// Who approves by it.
    pub approves: Approves,
    /// The line, from 1.
    pub line: usize,
}

/// The whole file: at most one line for each of the 32 slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeKeys(Vec<KeyLine>);

/// A line that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct BadLine {
    /// The line's number, from 1.
    pub line: usize,
    /// What is wrong with the line.
    pub why: Why,
}

/// Why a line cannot be taken. Where words have changed places, any of them may be a key: none is told, and no character
/// that a key may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The whole file.
    #[error("the file has more than {MAX_FILE} bytes")]
    File,
    /// It is too long.
    #[error("it has more than {MAX_LINE} bytes")]
    Long,
    /// The line is not text.
    #[error("it has a character that is not printable ASCII")]
    Text,
    /// Something is missing, or there is too much.
    #[error("it is not 'SLOT PRINCIPAL EPOCH HOST-KEY KEY', as 'jitctl code enroll' prints it")]
    Form,
    /// The slot is no number from 0 to 31.
    #[error("its first word is not a slot, which is a number from 0 to 31")]
    Slot,
    /// The principal is malformed.
    #[error("{0}")]
    Principal(#[from] BadPrincipal),
    /// The epoch is no number.
    #[error("its third word is not an epoch, which is a number from 1 to {MAX_EPOCH} without leading zeros")]
    Epoch,
    /// The fingerprint of the host is malformed.
    #[error(
        "its fourth word is not the fingerprint of a host's key, as in SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
    )]
    HostKey,
    /// The key has a mistake.
    #[error("its key cannot be taken: {0}")]
    Key(BadSymbols),
    /// Two lines have the same slot.
    #[error("its slot stands in line {line} already; each approver has a slot of their own")]
    Again {
        /// The first line that has it.
        line: usize,
    },
    /// Two lines name the same principal.
    #[error(
        "its principal stands in line {line} already; a new epoch takes the place of the line of the old one"
    )]
    Twice {
        /// The first line that has it.
        line: usize,
    },
}

impl CodeKeys {
    /// Reads the file. All bad lines are told, not the first alone.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<BadLine>> {
        if bytes.len() > MAX_FILE {
            return Err(vec![BadLine { line: 1, why: Why::File }]);
        }
        let (mut slots, mut names) = (BTreeMap::new(), BTreeMap::new());
        let (mut all, mut bad) = (Vec::new(), Vec::new());
        for (line, bytes) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            let parsed = text(bytes)
                .and_then(|text| if text.is_empty() { Ok(None) } else { parse_line(text).map(Some) });
            let approves = match parsed {
                Ok(Some(approves)) => approves,
                Ok(None) => continue,
                Err(why) => {
                    bad.push(BadLine { line, why });
                    continue;
                }
            };
            let (slot, principal) = (approves.slot, approves.principal.clone());
            if let Some(before) = slots.insert(slot, line) {
                bad.push(BadLine { line, why: Why::Again { line: before } });
            } else if let Some(before) = names.insert(principal, line) {
                bad.push(BadLine { line, why: Why::Twice { line: before } });
            } else {
                all.push(KeyLine { approves, line });
            }
        }
        if bad.is_empty() { Ok(Self(all)) } else { Err(bad) }
    }

    /// The line of a slot.
    #[must_use]
    pub fn of(&self, slot: Slot) -> Option<&KeyLine> {
        self.0.iter().find(|line| line.approves.slot == slot)
    }

    /// All lines, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &KeyLine> {
        self.0.iter()
    }
}

/// The line that a host gets.
#[must_use]
pub fn line(approves: &Approves) -> String {
    let Approves { principal, slot, epoch, host_key, key } = approves;
    format!("{slot} {principal} {epoch} {host_key} {}", key.text())
}

/// Whether it is a fingerprint as ssh-keygen(1) writes one of SHA-256.
#[must_use]
pub fn is_fingerprint(text: &str) -> bool {
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    text.strip_prefix("SHA256:").is_some_and(|rest| rest.len() == 43 && rest.as_bytes().iter().all(base64))
}

/// The epoch that a text is.
#[must_use]
pub fn epoch(text: &str) -> Option<u32> {
    let number = text.parse().ok().filter(|number| (1..=MAX_EPOCH).contains(number))?;
    (number.to_string() == text).then_some(number)
}

/// A line without the blanks and the comment round it; empty where there is no more.
fn text(bytes: &[u8]) -> Result<&str, Why> {
    if bytes.len() > MAX_LINE {
        return Err(Why::Long);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Why::Text)?.trim_matches([' ', '\t']);
    if text.starts_with('#') {
        return Ok("");
    }
    if text.chars().all(|letter| letter == '\t' || (' '..='~').contains(&letter)) {
        Ok(text)
    } else {
        Err(Why::Text)
    }
}

fn parse_line(text: &str) -> Result<Approves, Why> {
    let words: Vec<&str> = text.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
    let [slot, principal, number, host_key, key] = words[..] else { return Err(Why::Form) };
    let numbered = |text: &str| text.parse().ok().filter(|slot: &u8| slot.to_string() == text);
    let slot = numbered(slot).and_then(Slot::numbered).ok_or(Why::Slot)?;
    let principal = principal.parse::<Principal>()?;
    let epoch = epoch(number).ok_or(Why::Epoch)?;
    if !is_fingerprint(host_key) {
        return Err(Why::HostKey);
    }
    let key = HostCodeKey::parse(key).map_err(Why::Key)?;
    Ok(Approves { principal, slot, epoch, host_key: host_key.to_owned(), key })
}
