//! Keys and signatures as in the signed notes of C2SP (c2sp.org/signed-note): a text, an empty line, and a line for each
//! signature. What signs is the host's Ed25519 key; whoever has its public half and a checkpoint needs nothing of ours
//! to verify it.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The byte by which the format knows Ed25519.
const ED25519: u8 = 1;

/// What a line of a signature begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// How a private key begins, as Go's `sumdb/note` writes it.
const PRIVATE: &str = "PRIVATE+KEY+";

/// What is no key, name or note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// The text is no name of a key.
    #[error("a key's name is 1 to 128 printable characters without a space or a plus sign")]
    Name,
    /// A public key.
    #[error(
        "a public key looks like db-1/jitd+1a2b3c4d+AbCd…: name, number and base64, with plus signs between"
    )]
    PublicKey,
    /// A private key. What it is is never said.
    #[error("it is not a private key as jitd writes it")]
    PrivateKey,
    /// The text is no signature.
    #[error("a signature is base64 of 68 bytes")]
    Signature,
    /// The text as a whole is no signed note.
    #[error("it is not a signed note: a text, an empty line, and lines that begin with an em dash")]
    Form,
}

/// The name of a key, which is that of the log that it signs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyName(String);

impl KeyName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = BadNote;

    fn from_str(text: &str) -> Result<Self, BadNote> {
        let fits = |c: char| !c.is_whitespace() && c != '+' && !jit_proto::text::is_unprintable(c);
        let is_name = !text.is_empty() && text.len() <= 128 && text.chars().all(fits);
        if is_name { Ok(Self(text.to_owned())) } else { Err(BadNote::Name) }
    }
}

impl TryFrom<String> for KeyName {
    type Error = BadNote;

    fn try_from(text: String) -> Result<Self, BadNote> {
        text.parse()
    }
}

impl From<KeyName> for String {
    fn from(name: KeyName) -> Self {
        name.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first four bytes of the hash over a key and its name: tells keys apart, and proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId([u8; 4]);

impl KeyId {
    fn of(name: &KeyName, key: &VerifyingKey) -> Self {
        let hash = Sha256::new()
            .chain_update(name.as_str())
            .chain_update([b'\n', ED25519])
            .chain_update(key.as_bytes())
            .finalize();
        Self([hash[0], hash[1], hash[2], hash[3]])
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// The public half of a host's key. Text form: a verifier key (vkey) of C2SP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    name: KeyName,
    key: VerifyingKey,
}

impl PublicKey {
    /// The name that goes with the key.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The key itself, as RFC 8032 writes it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The key's number: the first bytes of a hash over name and key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId::of(&self.name, &self.key)
    }

    /// Whether this key made this signature over this text. Strict: one signature has one form (RFC 8032 §5.1.7), and a
    /// key of small order signs nothing.
    #[must_use]
    pub fn signed(&self, text: &str, signature: &Signature) -> bool {
        signature.id == self.id()
            && self
                .key
                .verify_strict(text.as_bytes(), &ed25519_dalek::Signature::from_bytes(&signature.of))
                .is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}+{}", self.name, self.id(), encoded(self.key.as_bytes()))
    }
}

impl FromStr for PublicKey {
    type Err = BadNote;

    fn from_str(text: &str) -> Result<Self, BadNote> {
        let (name, id, key) = parts(text.trim()).ok_or(BadNote::PublicKey)?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| BadNote::PublicKey)?;
        let known = Self { name, key };
        if known.id().to_string() == id { Ok(known) } else { Err(BadNote::PublicKey) }
    }
}

impl TryFrom<String> for PublicKey {
    type Error = BadNote;

    fn try_from(text: String) -> Result<Self, BadNote> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

/// A host's key, whole. It is shown by nothing but [`Self::to_text`], which is for its file alone.
pub struct HostKey {
    name: KeyName,
    key: SigningKey,
}

impl fmt::Debug for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostKey({})", self.public().id())
    }
}

impl HostKey {
    /// The key that these random bytes make.
    #[must_use]
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Self {
        Self { name, key: SigningKey::from_bytes(seed) }
    }

    /// The half that anybody may know.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// As it is written into its file.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{PRIVATE}{}+{}+{}\n", self.name, self.public().id(), encoded(self.key.as_bytes()))
    }

    /// Reads what [`Self::to_text`] wrote.
    pub fn from_text(text: &str) -> Result<Self, BadNote> {
        let rest = text.trim_end().strip_prefix(PRIVATE).ok_or(BadNote::PrivateKey)?;
        let (name, id, seed) = parts(rest).ok_or(BadNote::PrivateKey)?;
        let key = Self::from_seed(name, &seed);
        if key.public().id().to_string() == id { Ok(key) } else { Err(BadNote::PrivateKey) }
    }

    /// Signs a text, which ends with a line break.
    #[must_use]
    pub fn sign(&self, text: &str) -> Signature {
        Signature { id: self.public().id(), of: self.key.sign(text.as_bytes()).to_bytes() }
    }
}

/// `base64(0x01 || key)`.
fn encoded(key: &[u8; 32]) -> String {
    BASE64.encode([[ED25519].as_slice(), key].concat())
}

/// The name, the number and the key of `name+number+base64`.
fn parts(text: &str) -> Option<(KeyName, &str, [u8; 32])> {
    let (name, rest) = text.split_once('+')?;
    // Base64 has plus signs of its own.
    let (id, key) = rest.split_once('+')?;
    let key = BASE64.decode(key).ok()?;
    let (kind, key) = key.split_first()?;
    (*kind == ED25519).then_some(())?;
    Some((name.parse().ok()?, id, key.try_into().ok()?))
}

/// A signature, and which key made it. Text and serde form: base64, as in a line of a note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signature {
    id: KeyId,
    of: [u8; 64],
}

impl Signature {
    /// The number of the key that signed.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode([self.id.0.as_slice(), &self.of].concat()))
    }
}

impl FromStr for Signature {
    type Err = BadNote;

    fn from_str(text: &str) -> Result<Self, BadNote> {
        let bytes = BASE64.decode(text).map_err(|_| BadNote::Signature)?;
        let (id, of) = bytes.split_first_chunk().ok_or(BadNote::Signature)?;
        Ok(Self { id: KeyId(*id), of: of.try_into().map_err(|_| BadNote::Signature)? })
    }
}

impl TryFrom<String> for Signature {
    type Error = BadNote;

    fn try_from(text: String) -> Result<Self, BadNote> {
        text.parse()
    }
}

impl From<Signature> for String {
    fn from(signature: Signature) -> Self {
        signature.to_string()
    }
}

/// Writes a note with one signature.
#[must_use]
pub fn write(text: &str, name: &KeyName, signature: &Signature) -> String {
    format!("{text}\n{DASH}{name} {signature}\n")
}

/// The text of a note, and who signed it.
pub type Read<'a> = (&'a str, Vec<(KeyName, Signature)>);

/// Reads a note. Signatures of another kind are passed over, as the format has it.
pub fn read(note: &str) -> Result<Read<'_>, BadNote> {
    if note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(BadNote::Form);
    }
    let (text, signatures) = note.rsplit_once("\n\n").ok_or(BadNote::Form)?;
    let text = &note[..=text.len()];
    let signatures = signatures.strip_suffix('\n').ok_or(BadNote::Form)?;
    let mut all = Vec::new();
    for line in signatures.split('\n') {
        let (name, signature) =
            line.strip_prefix(DASH).and_then(|line| line.split_once(' ')).ok_or(BadNote::Form)?;
        if let (Ok(name), Ok(signature)) = (name.parse(), signature.parse()) {
            all.push((name, signature));
        }
    }
    Ok((text, all))
}
