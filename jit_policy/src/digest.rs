//! SHA-256 digests of exact bytes, written as hex, and the encoding that turns fields into bytes to be hashed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest (FIPS 180-4). Text and serde form: 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not 64 lower-case hex digits. Upper case is refused: one digest has one spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lower-case hex digits")]
pub struct BadDigest;

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| BadDigest)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex(pair[0])? << 4 | hex(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

const fn hex(digit: u8) -> Result<u8, BadDigest> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(BadDigest),
    }
}

impl TryFrom<String> for Digest {
    type Error = BadDigest;

    fn try_from(text: String) -> Result<Self, BadDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Fields laid out so that different fields never give the same bytes: each part stands behind its length
/// (eight bytes, big-endian), and a list stands behind its count.
#[derive(Debug, Default)]
pub struct Canonical(Vec<u8>);

impl Canonical {
    /// Appends one part.
    pub fn part(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Appends a list of parts, in the order given.
    pub fn list<T: AsRef<[u8]>>(&mut self, parts: impl ExactSizeIterator<Item = T>) {
        self.number(parts.len() as u64);
        for part in parts {
            self.part(part.as_ref());
        }
    }

    /// Appends a duration in whole seconds.
    pub fn seconds(&mut self, duration: Duration) {
        self.part(&duration.as_secs().to_be_bytes());
    }

    /// Appends a yes or no.
    pub fn flag(&mut self, flag: bool) {
        self.part(&[u8::from(flag)]);
    }

    /// The digest of all that was appended.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    fn number(&mut self, n: u64) {
        self.0.extend_from_slice(&n.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_digest_is_sha_256_written_in_hex() {
        // FIPS 180-4's example for "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), expected);
        assert_eq!(serde_json::to_string(&Digest::of(b"abc")).unwrap(), format!("\"{expected}\""));
    }

    #[test]
    fn a_digest_has_one_spelling() {
        let good = Digest::of(b"").to_string();
        for bad in ["", &good[1..], &format!("{good}0"), &good.to_uppercase(), &good.replacen('e', "g", 1)] {
            assert_eq!(bad.parse::<Digest>(), Err(BadDigest), "{bad:?}");
        }
    }

    #[test]
    fn moving_a_byte_from_one_field_to_the_next_changes_the_digest() {
        let two = |a: &[u8], b: &[u8]| {
            let mut bytes = Canonical::default();
            bytes.part(a);
            bytes.part(b);
            bytes.digest()
        };
        assert_ne!(two(b"ab", b"c"), two(b"a", b"bc"));
        assert_ne!(two(b"", b"abc"), two(b"abc", b""));
    }

    proptest! {
        #[test]
        fn a_digest_reads_back_as_it_was_written(bytes: [u8; 32]) {
            let digest = Digest(bytes);
            prop_assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
            let json = serde_json::to_string(&digest).unwrap();
            prop_assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        }
    }
}
