//! Public keys of SSH: those kinds alone that may approve, each checked once when it is read.
//!
//! `ssh-ed25519`, `ecdsa-sha2-nistp{256,384,521}`, `ssh-rsa` of 2,048 to 8,192 bits, and the two FIDO2 kinds,
//! `sk-ssh-ed25519@openssh.com` and `sk-ecdsa-sha2-nistp256@openssh.com` (PROTOCOL.u2f of OpenSSH). A certificate, DSA,
//! a weak point of Ed25519 and everything else is an error with its own name.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, STANDARD_NO_PAD};
use ed25519_dalek::VerifyingKey as Ed25519;
use rsa::BoxedUint;
use rsa::traits::PublicKeyParts as _;
use sha2::{Digest as _, Sha256, Sha512};

use super::wire::Reader;

/// The least that an RSA modulus has, and the most, in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Why a key does not approve anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Not what ssh-keygen writes.
    #[error("it is no public key: a kind and base64 are expected, as in a .pub file of ssh-keygen")]
    Form,
    /// The word in front and the key behind it are of two kinds.
    #[error("it says that it is '{said}', and is '{is}'")]
    OtherKind {
        /// The word in front.
        said: String,
        /// What the key says itself.
        is: String,
    },
    /// A kind that is not supported.
    #[error(
        "keys of kind '{0}' are not accepted; use ed25519, ecdsa, rsa (2048 bits or more), ed25519-sk or ecdsa-sk"
    )]
    Kind(String),
    /// The key is a certificate.
    #[error("certificates are not accepted ('{0}'); name the key itself")]
    Certificate(String),
    /// A key that verifies anything.
    #[error("it is a weak point of Ed25519, which verifies what nobody signed; make a new key")]
    Weak,
    /// An RSA key that is too short or too long.
    #[error("an RSA key has 2048 to 8192 bits, and this one has {0}; make a new key")]
    RsaBits(usize),
    /// A FIDO key for something that is not SSH.
    #[error("it is a FIDO key for '{0}', and keys of SSH are for 'ssh:'")]
    Application(String),
}

#[derive(Clone, Debug)]
enum Half {
    Ed25519(Ed25519),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
    Rsa(rsa::pkcs1v15::VerifyingKey<Sha512>, rsa::pkcs1v15::VerifyingKey<Sha256>),
}

/// A public key that may approve.
#[derive(Clone, Debug)]
pub struct Key {
    kind: &'static str,
    blob: Vec<u8>,
    half: Half,
    /// Of a FIDO key, SHA-256 of what it is for.
    application: Option<[u8; 32]>,
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.blob == other.blob
    }
}

impl Eq for Key {}

impl Key {
    /// Reads a kind and its base64, as they stand in a `.pub` file.
    pub fn parse(kind: &str, encoded: &str) -> Result<Self, BadKey> {
        refuse_kind(kind)?;
        let key = Self::from_blob(&BASE64.decode(encoded).map_err(|_| BadKey::Form)?)?;
        if key.kind == kind {
            Ok(key)
        } else {
            Err(BadKey::OtherKind { said: kind.to_owned(), is: key.kind.to_owned() })
        }
    }

    /// Reads the binary form.
    pub fn from_blob(blob: &[u8]) -> Result<Self, BadKey> {
        let mut reader = Reader::new(blob);
        let said = reader.text().ok_or(BadKey::Form)?;
        let kind = refuse_kind(said)?;
        let half = match kind {
            "ssh-ed25519" | "sk-ssh-ed25519@openssh.com" => ed25519(reader.string().ok_or(BadKey::Form)?)?,
            "ssh-rsa" => rsa(&mut reader)?,
            _ => ecdsa(kind, &mut reader)?,
        };
        let application = if kind.starts_with("sk-") {
            let application = reader.text().ok_or(BadKey::Form)?;
            if !application.starts_with("ssh:") {
                return Err(BadKey::Application(super::shown(application)));
            }
            Some(Sha256::digest(application).into())
        } else {
            None
        };
        reader.end().ok_or(BadKey::Form)?;
        Ok(Self { kind, blob: blob.to_vec(), half, application })
    }

    /// `ssh-ed25519` and the like.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// `SHA256:` and base64, as `ssh-keygen -l` prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.blob)
    }

    /// The binary form.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Whether it lives in a FIDO authenticator.
    #[must_use]
    pub const fn is_fido(&self) -> bool {
        self.application.is_some()
    }

    /// The algorithms that sign with this kind of key, as the signature names them.
    pub(super) fn signs_by(&self, algorithm: &str) -> bool {
        match self.half {
            Half::Rsa(..) => matches!(algorithm, "rsa-sha2-512" | "rsa-sha2-256"),
            Half::Ed25519(_) | Half::P256(_) | Half::P384(_) | Half::P521(_) => algorithm == self.kind,
        }
    }

    /// Whether it made this signature over these bytes. `presence` is what its authenticator says beside it.
    pub(super) fn made(
        &self,
        algorithm: &str,
        signature: &[u8],
        bytes: &[u8],
        presence: Option<Presence>,
    ) -> bool {
        // What an authenticator signs is not the message itself (PROTOCOL.u2f, "SSH U2F signatures").
        match (self.application, presence) {
            (None, None) => self.verifies(algorithm, signature, bytes),
            (Some(application), Some(Presence { flags, counter })) => {
                let hash: [u8; 32] = Sha256::digest(bytes).into();
                let whole = [application.as_slice(), &[flags], &counter.to_be_bytes(), &hash].concat();
                self.verifies(algorithm, signature, &whole)
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    fn verifies(&self, algorithm: &str, signature: &[u8], bytes: &[u8]) -> bool {
        use p256::ecdsa::signature::Verifier as _;
        match &self.half {
            // Strict: one signature has one form (RFC 8032 §5.1.7).
            Half::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(bytes, &signature).is_ok()),
            Half::P256(key) => scalars::<32>(signature)
                .and_then(|(r, s)| p256::ecdsa::Signature::from_scalars(r, s).ok())
                .is_some_and(|signature| key.verify(bytes, &signature).is_ok()),
            Half::P384(key) => scalars::<48>(signature)
                .and_then(|(r, s)| p384::ecdsa::Signature::from_scalars(r, s).ok())
                .is_some_and(|signature| key.verify(bytes, &signature).is_ok()),
            Half::P521(key) => scalars::<66>(signature)
                .and_then(|(r, s)| p521::ecdsa::Signature::from_scalars(r, s).ok())
                .is_some_and(|signature| key.verify(bytes, &signature).is_ok()),
            Half::Rsa(by_512, by_256) => {
                rsa::pkcs1v15::Signature::try_from(signature).is_ok_and(|signature| match algorithm {
                    "rsa-sha2-512" => by_512.verify(bytes, &signature).is_ok(),
                    _ => by_256.verify(bytes, &signature).is_ok(),
                })
            }
        }
    }
}

/// Kind and base64, as in a `.pub` file.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, BASE64.encode(&self.blob))
    }
}

/// What a FIDO authenticator says beside its signature, under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Bit 0: somebody touched it. Bit 2: it asked for a PIN or a finger.
    pub flags: u8,
    /// How often it has signed.
    pub counter: u32,
}

impl Presence {
    /// Whether somebody touched it.
    #[must_use]
    pub const fn touched(self) -> bool {
        self.flags & 1 != 0
    }

    /// Whether it knew who that was, by a PIN or a finger.
    #[must_use]
    pub const fn verified(self) -> bool {
        self.flags & 4 != 0
    }
}

/// The fingerprint of a key in its binary form.
#[must_use]
pub fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

/// The kind of this name, where it is one that approves.
fn refuse_kind(kind: &str) -> Result<&'static str, BadKey> {
    const KINDS: [&str; 7] = [
        "ssh-ed25519",
        "sk-ssh-ed25519@openssh.com",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "ssh-rsa",
    ];
    let shown = || super::shown(kind);
    match KINDS.into_iter().find(|known| *known == kind) {
        Some(known) => Ok(known),
        None if kind.contains("-cert-v0") => Err(BadKey::Certificate(shown())),
        None => Err(BadKey::Kind(shown())),
    }
}

fn ed25519(bytes: &[u8]) -> Result<Half, BadKey> {
    let bytes: &[u8; 32] = bytes.try_into().map_err(|_| BadKey::Form)?;
    let key = Ed25519::from_bytes(bytes).map_err(|_| BadKey::Form)?;
    if key.is_weak() { Err(BadKey::Weak) } else { Ok(Half::Ed25519(key)) }
}

fn rsa(reader: &mut Reader<'_>) -> Result<Half, BadKey> {
    let (e, n) = (reader.number().ok_or(BadKey::Form)?, reader.number().ok_or(BadKey::Form)?);
    let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
    if !RSA_BITS.contains(&bits) {
        return Err(BadKey::RsaBits(bits));
    }
    let number = BoxedUint::from_be_slice_vartime;
    let key = rsa::PublicKey::new(number(n), number(e)).map_err(|_| BadKey::Form)?;
    // An exponent of 1 leaves the signature as it is.
    if *key.e() < BoxedUint::from(3_u8) {
        return Err(BadKey::Form);
    }
    Ok(Half::Rsa(rsa::pkcs1v15::VerifyingKey::new(key.clone()), rsa::pkcs1v15::VerifyingKey::new(key)))
}

fn ecdsa(kind: &str, reader: &mut Reader<'_>) -> Result<Half, BadKey> {
    let curve = reader.text().ok_or(BadKey::Form)?;
    let point = reader.string().ok_or(BadKey::Form)?;
    // OpenSSH writes points whole, never compressed.
    if point.first() != Some(&4) || !kind.trim_end_matches("@openssh.com").ends_with(curve) {
        return Err(BadKey::Form);
    }
    let half = match curve {
        "nistp256" => p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Half::P256).ok(),
        "nistp384" => p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Half::P384).ok(),
        "nistp521" => p521::ecdsa::VerifyingKey::from_sec1_bytes(point).map(Half::P521).ok(),
        _ => None,
    };
    half.ok_or(BadKey::Form)
}

/// The two numbers of a signature of ECDSA (RFC 5656 §3.1.2), each at its full length.
fn scalars<const N: usize>(signature: &[u8]) -> Option<([u8; N], [u8; N])> {
    let mut reader = Reader::new(signature);
    let mut full = || {
        let number = reader.number()?;
        let mut full = [0; N];
        full.get_mut(N.checked_sub(number.len())?..)?.copy_from_slice(number);
        Some(full)
    };
    let (r, s) = (full()?, full()?);
    reader.end()?;
    Some((r, s))
}
