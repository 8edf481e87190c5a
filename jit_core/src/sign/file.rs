//! The file of a request, which travels to whoever may approve it. Signing it approves it as it is (DESIGN section 8).
//!
//! A line for each field, in a fixed order, ASCII, LF, at most 4,096 bytes; one request, expiry and checkpoint have one
//! file. docs/offline.md has the format for other programs.

use std::time::Duration;

use jit_proto::words::{GrantId, HostName, Reason, RequestId, RoleName, Uid, UserName};

use super::MAX_TEXT;
use super::lines::{BadText, FILE, FILE_LABELS, Lines, escaped, or, unescaped, unmailed};
use super::wire::put;
use crate::digest::Digest;
use crate::duration::{Human, parse_duration};
use crate::model::{Person, Request};
use crate::policy::Uses;
use crate::proof::checkpoint::{Checkpoint, Signed};
use crate::proof::note::{HostKey, PublicKey};
use crate::services::Services;
use crate::time::{BootId, Moment, Utc};

/// What a host says of a request that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestFile {
    /// The host that it is for.
    pub host: HostName,
    /// The fingerprint of that host's key, as ssh-keygen(1) writes one.
    pub host_key: String,
    /// The request's id.
    pub request: RequestId,
    /// The digest of its exact bytes.
    pub digest: Digest,
    /// What nobody but the host could have written for this request and this expiry.
    pub nonce: Nonce,
    /// Whom it would admit.
    pub user: UserName,
    /// The uid of the name.
    pub uid: Uid,
    /// The role that is asked for.
    pub role: RoleName,
    /// The role's terms when it was asked for.
    pub terms: Digest,
    /// The services that it would open.
    pub services: Services,
    /// How many logins.
    pub uses: Uses,
    /// For how long the window would be open.
    pub duration: Duration,
    /// When the window is to start; once it is approved if absent.
    pub start: Option<Utc>,
    /// The window that it is to go on from.
    pub extends: Option<GrantId>,
    /// Who filed it.
    pub filed_by: UserName,
    /// The uid of that name.
    pub filed_by_uid: Uid,
    /// When the request was filed.
    pub filed_at: Utc,
    /// Until when the host takes a signature over it; a whole second.
    pub expires: Utc,
    /// Why it was asked for.
    pub reason: Reason,
    /// The host's newest checkpoint of its log, for whoever approves to keep; absent where there was none yet.
    pub checkpoint: Option<Signed>,
}

/// 128 bits that only the holder of the host's key can make, and make again: the first half of SHA-256 over its signature
/// over the digest of the request and the expiry. So a host knows its own files though it keeps none of them, and nobody
/// can have a signature ready for a request that is still to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce([u8; 16]);

impl Nonce {
    /// That of a request and an expiry.
    #[must_use]
    pub fn of(key: &HostKey, digest: Digest, expires: Utc) -> Self {
        Self::signed(key, &format!("jitd.nonce.v1\n{digest}\n{}\n", expires.to_seconds()))
    }

    /// That of a text which nobody else signs with the host's key.
    pub(super) fn signed(key: &HostKey, text: &str) -> Self {
        let signature = key.sign(text);
        let Digest(whole) = Digest::of(signature.to_string().as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&whole[..16]);
        Self(half)
    }

    /// From its bytes.
    pub(super) const fn of_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of it.
    pub(super) const fn bytes(self) -> [u8; 16] {
        self.0
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        // As the first half of a digest.
        let Digest(whole) = format!("{text}{:032}", 0).parse().ok()?;
        whole.first_chunk().copied().map(Self)
    }
}

impl std::fmt::Display for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The fingerprint of a host's key, in the form that ssh-keygen(1) writes: SHA-256 over the key as SSH has it.
#[must_use]
pub fn fingerprint(key: &PublicKey) -> String {
    let mut blob = Vec::new();
    put(&mut blob, b"ssh-ed25519");
    put(&mut blob, key.as_bytes());
    super::key::fingerprint(&blob)
}

impl RequestFile {
    /// The file of a request; the expiry is cut to whole seconds.
    #[must_use]
    pub fn of(request: &Request, key: &HostKey, expires: Utc, checkpoint: Option<Signed>) -> Self {
        let expires = expires.whole_seconds();
        let nonce = Nonce::of(key, request.digest(), expires);
        Self::with(request, fingerprint(&key.public()), nonce, expires, checkpoint)
    }

    /// The same where only the host's word is known, and not its key.
    pub(super) fn with(
        request: &Request,
        host_key: String,
        nonce: Nonce,
        expires: Utc,
        checkpoint: Option<Signed>,
    ) -> Self {
        Self {
            host: request.host.clone(),
            host_key,
            request: request.id,
            digest: request.digest(),
            nonce,
            user: request.beneficiary.name.clone(),
            uid: request.beneficiary.uid,
            role: request.role.clone(),
            terms: request.terms,
            services: request.services.clone(),
            uses: request.uses,
            duration: request.duration,
            start: request.start,
            extends: request.extends,
            filed_by: request.filed_by.name.clone(),
            filed_by_uid: request.filed_by.uid,
            filed_at: request.filed_at.wall,
            expires,
            reason: request.reason.clone(),
            checkpoint,
        }
    }

    /// The text, which is what is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let services: Vec<&str> = self.services.iter().map(AsRef::as_ref).collect();
        let values = [
            self.host.to_string(),
            self.host_key.clone(),
            self.request.to_string(),
            self.digest.to_string(),
            self.nonce.to_string(),
            escaped(self.user.as_str()),
            self.uid.to_string(),
            self.role.to_string(),
            self.terms.to_string(),
            services.join(","),
            self.uses.to_string(),
            Human(self.duration).to_string(),
            self.start.map_or_else(|| AT_APPROVAL.to_owned(), |start| start.to_string()),
            self.extends.map_or_else(|| NONE.to_owned(), |base| base.to_string()),
            escaped(self.filed_by.as_str()),
            self.filed_by_uid.to_string(),
            self.filed_at.to_string(),
            self.expires.to_string(),
            escaped(self.reason.as_str()),
            self.checkpoint.as_ref().map_or_else(|| NONE.to_owned(), checkpoint),
        ];
        let lines = FILE_LABELS.iter().zip(values).map(|(label, value)| format!("{label}: {value}\n"));
        format!("{FILE}\n{}", lines.collect::<String>())
    }

    /// The same, unless it is longer than what is read: long names and long reasons in letters that are not ASCII.
    pub fn bounded(&self) -> Result<String, BadText> {
        let text = self.text();
        if text.len() > MAX_TEXT { Err(BadText::Long(text.len())) } else { Ok(text) }
    }

    /// Reads a text, and refuses all but the one that [`Self::text`] writes, with the digest of what it says.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadText> {
        let text = unmailed(bytes)?;
        let mut lines = Lines::behind(FILE, &text)?;
        let file = Self {
            host: lines.field("host", word)?,
            host_key: lines.field("host-key", key_fingerprint)?,
            request: lines.field("request", word)?,
            digest: lines.field("digest", word)?,
            nonce: lines.field("nonce", Nonce::parse)?,
            user: lines.field("user", name)?,
            uid: lines.field("uid", uid)?,
            role: lines.field("role", word)?,
            terms: lines.field("terms", word)?,
            services: lines.field("services", services)?,
            uses: lines.field("uses", uses)?,
            duration: lines.field("duration", |text| parse_duration(text).ok())?,
            start: lines.field("start", |text| or(AT_APPROVAL, text, word))?,
            extends: lines.field("extends", |text| or(NONE, text, word))?,
            filed_by: lines.field("filed-by", name)?,
            filed_by_uid: lines.field("filed-by-uid", uid)?,
            filed_at: lines.field("filed-at", word)?,
            expires: lines
                .field("expires", |text| word(text).filter(|time: &Utc| *time == time.whole_seconds()))?,
            reason: lines.field("reason", |text| unescaped(text)?.parse().ok())?,
            checkpoint: lines.field("checkpoint", |text| or(NONE, text, signed))?,
        };
        lines.end(&text, &file.text(), &FILE_LABELS)?;
        // A statement about this file quotes the digest alone: it is what binds everything else that is shown.
        if file.digest != file.shown_digest() {
            let at = FILE_LABELS.iter().position(|label| *label == "digest").unwrap_or_default();
            return Err(BadText::Digest { line: at + 2 });
        }
        Ok(file)
    }

    /// The digest of the request that the fields say, whatever [`Self::digest`] is.
    #[must_use]
    pub fn shown_digest(&self) -> Digest {
        let asked = Request {
            id: self.request,
            host: self.host.clone(),
            beneficiary: Person::named(self.user.clone(), self.uid),
            role: self.role.clone(),
            terms: self.terms,
            services: self.services.clone(),
            uses: self.uses,
            duration: self.duration,
            start: self.start,
            extends: self.extends,
            // No part of the bytes: it follows from what is extended.
            before: Duration::ZERO,
            teams: std::collections::BTreeSet::new(),
            filed_by: Person::named(self.filed_by.clone(), self.filed_by_uid),
            filed_at: Moment::believed(self.filed_at, 0, BootId::default()),
            reason: self.reason.clone(),
            // What came by a signed grant is in no file: another signature over that text approves it.
            ticket: None,
            ahead: None,
        };
        asked.digest()
    }

    /// The label of the first field in which two files differ.
    #[must_use]
    pub fn differs_in(&self, other: &Self) -> Option<&'static str> {
        let (one, other) = (self.text(), other.text());
        let at = one.lines().zip(other.lines()).position(|(one, other)| one != other)?;
        FILE_LABELS.get(at.checked_sub(1)?).copied()
    }
}

const AT_APPROVAL: &str = "at-approval";
pub(super) const NONE: &str = "none";

pub(super) fn word<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

pub(super) fn name(text: &str) -> Option<UserName> {
    unescaped(text)?.parse().ok()
}

fn uid(text: &str) -> Option<Uid> {
    Uid::try_from(text.parse::<u32>().ok()?).ok()
}

pub(super) fn services(text: &str) -> Option<Services> {
    text.split(',').map(|name| name.parse().ok()).collect()
}

fn uses(text: &str) -> Option<Uses> {
    let times = or("unlimited", text, |text| text.parse().ok())?;
    Some(times.map_or(Uses::Unlimited, Uses::Times))
}

/// `SHA256:` and the base64 of 32 bytes, without padding.
pub(super) fn key_fingerprint(text: &str) -> Option<String> {
    let digits = text.strip_prefix("SHA256:")?;
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    (digits.len() == 43 && digits.bytes().all(known)).then(|| text.to_owned())
}

/// Four words: name of the log, number of records, root, signature.
fn checkpoint(signed: &Signed) -> String {
    let Signed { checkpoint: Checkpoint { origin, size, root }, signature } = signed;
    format!("{} {size} {root} {signature}", escaped(origin.as_str()))
}

fn signed(text: &str) -> Option<Signed> {
    let mut words = text.split(' ');
    let checkpoint = Checkpoint {
        origin: unescaped(words.next()?)?.parse().ok()?,
        size: words.next()?.parse().ok()?,
        root: words.next()?.parse().ok()?,
    };
    let signed = Signed { checkpoint, signature: words.next()?.parse().ok()? };
    words.next().is_none().then_some(signed)
}
