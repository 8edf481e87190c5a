//! Signatures as `ssh-keygen -Y sign` writes them (PROTOCOL.sshsig of OpenSSH), read strictly: one signature over one
//! text has one form, and what is not of it is refused by name.
//!
//! The armour is the two lines that ssh-keygen writes and base64 between them, in lines of at most 76 characters.
//! Lines end with LF, or all of them with CRLF, as mail leaves them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256, Sha512};

use super::key::{BadKey, Key, Presence};
use super::wire::{Reader, put};
use super::{MAX_SIGNATURE, NAMESPACE};

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
const MAGIC: &[u8; 6] = b"SSHSIG";

/// Characters in a line, as ssh-keygen writes it; and the most that are read.
const WRITTEN: usize = 70;
const LONGEST: usize = 76;

/// What is no signature that counts, whoever made it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// The signature is too long.
    #[error("it has {0} bytes, and a signature has at most {MAX_SIGNATURE}")]
    Long(usize),
    /// Not the two lines and base64 between them.
    #[error("line {0} is not what ssh-keygen -Y sign writes there")]
    Armour(usize),
    /// The bytes in it.
    #[error("what is between its first line and its last is no signature of ssh-keygen -Y sign")]
    Form,
    /// Another version of the format.
    #[error("it is of version {0} of the format, and only version 1 is known")]
    Version(u32),
    /// For something else.
    #[error("it is for '{said}', not for '{wanted}'; sign with: ssh-keygen -Y sign -n {wanted} -f KEY FILE")]
    Namespace {
        /// What it is for.
        said: String,
        /// What it should be for.
        wanted: &'static str,
    },
    /// A digest that is none of these.
    #[error("it is by '{0}'; only sha512 and sha256 are accepted")]
    Hash(String),
    /// A key that approves nothing.
    #[error("its key does not count: {0}")]
    Key(#[from] BadKey),
    /// An algorithm that the key does not sign by.
    #[error("it is by '{algorithm}', which a key of kind '{kind}' does not sign by")]
    Algorithm {
        /// What it is by.
        algorithm: String,
        /// What the key is.
        kind: &'static str,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha512,
    Sha256,
}

/// A signature, and the key that it says it is by.
#[derive(Clone, Debug)]
pub struct Signature {
    bytes: Vec<u8>,
    namespace: &'static str,
    key: Key,
    hash: Hash,
    algorithm: String,
    of: Vec<u8>,
    presence: Option<Presence>,
}

/// What a signature is made of, beside what every one over a request has.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The key that it says it is by.
    pub key: &'a Key,
    /// Whether the text was hashed by SHA-256, and else by SHA-512.
    pub is_sha256: bool,
    /// What the key signed by.
    pub algorithm: &'a str,
    /// What the key made.
    pub of: &'a [u8],
    /// What a FIDO authenticator says beside it.
    pub presence: Option<Presence>,
}

impl Signature {
    /// The signature of an approver that has these parts, read as any other is.
    pub fn of(parts: &Parts<'_>) -> Result<Self, BadSignature> {
        let Parts { key, is_sha256, algorithm, of, presence } = *parts;
        let mut made = Vec::new();
        put(&mut made, algorithm.as_bytes());
        put(&mut made, of);
        if let Some(Presence { flags, counter }) = presence {
            made.push(flags);
            made.extend(counter.to_be_bytes());
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend(1_u32.to_be_bytes());
        let hash: &[u8] = if is_sha256 { b"sha256" } else { b"sha512" };
        for part in [key.blob(), NAMESPACE.as_bytes(), b"", hash, &made] {
            put(&mut bytes, part);
        }
        Self::from_bytes(NAMESPACE, &bytes)
    }

    /// What it is made of.
    #[must_use]
    pub fn parts(&self) -> Parts<'_> {
        let Self { key, hash, algorithm, of, presence, .. } = self;
        Parts { key, is_sha256: *hash == Hash::Sha256, algorithm, of, presence: *presence }
    }

    /// Reads the armoured form of one that is for approvals. Whether the signature is one of the text is for
    /// [`Signature::is_over`].
    pub fn parse(armoured: &[u8]) -> Result<Self, BadSignature> {
        Self::parse_for(NAMESPACE, armoured)
    }

    /// Reads one that is for this.
    pub fn parse_for(namespace: &'static str, armoured: &[u8]) -> Result<Self, BadSignature> {
        Self::from_bytes(namespace, &dearmour(armoured)?)
    }

    fn from_bytes(wanted: &'static str, bytes: &[u8]) -> Result<Self, BadSignature> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(BadSignature::Form)?;
        let mut reader = Reader::new(rest);
        let version = reader.u32().ok_or(BadSignature::Form)?;
        if version != 1 {
            return Err(BadSignature::Version(version));
        }
        let key = reader.string().ok_or(BadSignature::Form)?;
        let namespace = reader.text().ok_or(BadSignature::Form)?;
        // OpenSSH passes over it; nothing that we take has it.
        if !reader.string().ok_or(BadSignature::Form)?.is_empty() {
            return Err(BadSignature::Form);
        }
        let hash = reader.text().ok_or(BadSignature::Form)?;
        let signature = reader.string().ok_or(BadSignature::Form)?;
        reader.end().ok_or(BadSignature::Form)?;
        let shown = |text: &str| super::shown(text);
        if namespace != wanted {
            return Err(BadSignature::Namespace { said: shown(namespace), wanted });
        }
        let hash = match hash {
            "sha512" => Hash::Sha512,
            "sha256" => Hash::Sha256,
            other => return Err(BadSignature::Hash(shown(other))),
        };
        let key = Key::from_blob(key)?;
        let mut reader = Reader::new(signature);
        let algorithm = reader.text().ok_or(BadSignature::Form)?;
        if !key.signs_by(algorithm) {
            return Err(BadSignature::Algorithm { algorithm: shown(algorithm), kind: key.kind() });
        }
        let of = reader.string().ok_or(BadSignature::Form)?.to_vec();
        let presence = if key.is_fido() {
            let flags = reader.byte().ok_or(BadSignature::Form)?;
            Some(Presence { flags, counter: reader.u32().ok_or(BadSignature::Form)? })
        } else {
            None
        };
        reader.end().ok_or(BadSignature::Form)?;
        let algorithm = algorithm.to_owned();
        Ok(Self { bytes: bytes.to_vec(), namespace: wanted, key, hash, algorithm, of, presence })
    }

    /// The key that it says it is by.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// What a FIDO authenticator says beside it.
    #[must_use]
    pub const fn presence(&self) -> Option<Presence> {
        self.presence
    }

    /// Whether its key made it over these exact bytes.
    #[must_use]
    pub fn is_over(&self, text: &[u8]) -> bool {
        let (name, digest) = match self.hash {
            Hash::Sha512 => ("sha512", Sha512::digest(text).to_vec()),
            Hash::Sha256 => ("sha256", Sha256::digest(text).to_vec()),
        };
        let mut signed = MAGIC.to_vec();
        for part in [self.namespace.as_bytes(), b"", name.as_bytes(), &digest] {
            put(&mut signed, part);
        }
        self.key.made(&self.algorithm, &self.of, &signed, self.presence)
    }
}

/// The armoured form, just as ssh-keygen writes it.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = BASE64.encode(&self.bytes);
        writeln!(f, "{BEGIN}")?;
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            // Base64 is ASCII.
            let (line, more) = rest.split_at(rest.len().min(WRITTEN));
            writeln!(f, "{line}")?;
            rest = more;
        }
        writeln!(f, "{END}")
    }
}

/// Where a signature begins in a file that holds a text and its signature.
#[must_use]
pub fn begins(bytes: &[u8]) -> Option<usize> {
    bytes.windows(BEGIN.len()).position(|window| window == BEGIN.as_bytes())
}

fn dearmour(armoured: &[u8]) -> Result<Vec<u8>, BadSignature> {
    if armoured.len() > MAX_SIGNATURE {
        return Err(BadSignature::Long(armoured.len()));
    }
    let text = std::str::from_utf8(armoured).map_err(|_| BadSignature::Armour(1))?;
    // All lines end in one way, and the last may have lost its end.
    let end = if text.contains('\r') { "\r\n" } else { "\n" };
    let lines: Vec<&str> = text.strip_suffix(end).unwrap_or(text).split(end).collect();
    let [first, between @ .., last] = lines.as_slice() else { return Err(BadSignature::Armour(1)) };
    if *first != BEGIN {
        return Err(BadSignature::Armour(1));
    }
    if *last != END {
        return Err(BadSignature::Armour(lines.len()));
    }
    let is_base64 = |line: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        !line.is_empty() && line.len() <= LONGEST && line.bytes().all(known)
    };
    if let Some(at) = between.iter().position(|line| !is_base64(line)) {
        return Err(BadSignature::Armour(at + 2));
    }
    BASE64.decode(between.concat()).map_err(|_| BadSignature::Form)
}
