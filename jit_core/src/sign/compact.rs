//! The compact form: a request, or a signature over it, in rows of characters that can be typed, read out, or scanned as
//! QR codes, where no file crosses. docs/offline.md has it for other programs.
//!
//! What both sides know is left out. Of a request its digest goes, which its fields come to, and its checkpoint; of a
//! signature the text, which the host writes again, and the key, of which two bytes say which it is.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use jit_proto::words::{GrantId, Reason, RequestId, Uid, UserName};

use super::approvers::Approvers;
use super::file::{Nonce, RequestFile};
use super::key::Presence;
use super::sshsig::{BadSignature, Parts, Signature};
use super::statement::{Signable, Statement};
use crate::code::symbols::{BadSymbols, CHECKS, Plain, Symbol, checked, of_bytes, read_checked, to_bytes};
use crate::digest::Digest;
use crate::model::{Decision, Narrow, Person, Request};
use crate::policy::Uses;
use crate::proof::note::HostKey;
use crate::services::Services;
use crate::time::{BootId, Moment, Utc};

/// Characters of a full row: its number, what it holds, and two that check it.
pub const ROW: usize = 30;

/// What a row holds.
const HELD: usize = ROW - 1 - CHECKS;

/// The most rows: their number is a symbol.
const MAX_ROWS: usize = 31;

/// Rows of one QR code of version 5, which an 80x24 console shows whole.
pub const ROWS_OF_A_CODE: usize = 5;

/// What is in front of all that is held: the number of rows, and of what kind it is.
const HEAD: usize = 2;

/// What is behind it: 15 bits of SHA-256, so that rows of two things make nothing.
const TAIL: usize = 3;

/// The kind of an RSA key, which signs by two algorithms.
const RSA: &str = "ssh-rsa";
const RSA_512: &str = "rsa-sha2-512";
const RSA_256: &str = "rsa-sha2-256";

const REQUEST: u8 = 1;
const SIGNATURE: u8 = 2;

/// The longest text that is read, in bytes: every row of it with blanks, twice.
pub const MAX_COMPACT: usize = 4096;

/// What is not the compact form. Each text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCompact {
    /// The text is too long.
    #[error("it has {0} bytes, and a compact form has at most {MAX_COMPACT}")]
    Long(usize),
    /// A row with a mistake.
    #[error("row {row} of what was typed: {why}")]
    Row {
        /// Which, from 1, as they were given.
        row: usize,
        /// What is wrong with it.
        why: BadSymbols,
    },
    /// Two rows of one number that differ.
    #[error("there are two different rows of number {0}; they are of two things")]
    Twice(usize),
    /// Rows that are not there.
    #[error("rows are missing: {0}; bring all of them, in any order")]
    Missing(String),
    /// Each row is right, and they are not of one thing.
    #[error("these rows are not of one thing, or there is a mistake that their own check did not find")]
    Mixed,
    /// It is not what is expected here.
    #[error("it is {found}, and {wanted} is expected here")]
    Kind {
        /// What it turned out to be.
        found: &'static str,
        /// What should be.
        wanted: &'static str,
    },
    /// It says something that is never written so.
    #[error("what it holds is never written so; another version of jitctl may have written it")]
    Form,
    /// What rows do not hold.
    #[error("it comes from a signed grant, which rows do not hold; carry it as a file")]
    Ahead,
    /// It takes more than so many rows.
    #[error("it does not fit into {MAX_ROWS} rows; carry it as a file")]
    Big,
    /// No approver has such a key.
    #[error("it is by none of the keys that /etc/jit/approvers names; jitctl approvers list shows them")]
    Unknown,
    /// The signature that it comes to is none.
    #[error("{0}")]
    Signature(#[from] BadSignature),
}

/// Rows, as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows(Vec<Vec<Symbol>>);

impl Rows {
    fn of(kind: u8, payload: &[u8]) -> Result<Self, BadCompact> {
        let held = of_bytes(payload);
        let count = (HEAD + held.len() + TAIL).div_ceil(HELD);
        let number = u8::try_from(count).ok().filter(|_| count <= MAX_ROWS).ok_or(BadCompact::Big)?;
        let begin = [Symbol::of(number), Symbol::of(kind)];
        let all: Vec<Symbol> = begin.into_iter().chain(held).chain(tail(kind, payload)).collect();
        let row = |(number, held): (u8, &[Symbol])| checked(&[&[Symbol::of(number)], held].concat());
        Ok(Self((0..).zip(all.chunks(HELD)).map(row).collect()))
    }

    /// Reads rows in any order, each on a line of its own or several behind each other; twice the same is once.
    fn read(text: &str) -> Result<(u8, Vec<u8>), BadCompact> {
        if text.len() > MAX_COMPACT {
            return Err(BadCompact::Long(text.len()));
        }
        let mut rows: BTreeMap<usize, Vec<Symbol>> = BTreeMap::new();
        for (row, typed) in (1..).zip(lines(text)) {
            let symbols = read_row(&typed).map_err(|why| BadCompact::Row { row, why })?;
            let Some((number, held)) = symbols.split_first() else { continue };
            let number = usize::from(number.value());
            if rows.insert(number, held.to_vec()).is_some_and(|before| before != held) {
                return Err(BadCompact::Twice(number + 1));
            }
        }
        let count = rows.get(&0).and_then(|first| first.first()).map(|count| usize::from(count.value()));
        let missing: Vec<String> = match count {
            Some(count) => {
                (0..count).filter(|row| !rows.contains_key(row)).map(|row| (row + 1).to_string()).collect()
            }
            None => vec!["1".to_owned()],
        };
        if !missing.is_empty() {
            return Err(BadCompact::Missing(missing.join(", ")));
        }
        // All rows but the last are full, and there is none behind it.
        let is_full = |(number, held): (&usize, &Vec<Symbol>)| held.len() == HELD || number + 1 == rows.len();
        if count != Some(rows.len()) || !rows.iter().all(is_full) {
            return Err(BadCompact::Mixed);
        }
        let all: Vec<Symbol> = rows.into_values().flatten().collect();
        let (Some([_, kind]), Some(rest)) = (all.first_chunk::<HEAD>(), all.get(HEAD..)) else {
            return Err(BadCompact::Form);
        };
        let (held, end) = rest.split_at_checked(rest.len().saturating_sub(TAIL)).ok_or(BadCompact::Form)?;
        let payload = to_bytes(held).ok_or(BadCompact::Mixed)?;
        if end != tail(kind.value(), &payload) {
            return Err(BadCompact::Mixed);
        }
        Ok((kind.value(), payload))
    }

    /// What each QR code holds: the rows of one, without blanks.
    pub fn codes(&self) -> impl Iterator<Item = String> {
        self.0.chunks(ROWS_OF_A_CODE).map(|rows| rows.iter().map(|row| Plain(row).to_string()).collect())
    }
}

/// A row a line, in groups of five.
impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.0 {
            let groups: Vec<String> = row.chunks(5).map(|group| Plain(group).to_string()).collect();
            writeln!(f, "{}", groups.join("-"))?;
        }
        Ok(())
    }
}

/// One row that was typed, so that a mistake is found at once.
pub fn check_row(typed: &str) -> Result<(), BadSymbols> {
    lines(typed).try_for_each(|row| read_row(&row).map(drop))
}

/// Whether a text may be the compact form: all of it is characters of rows.
#[must_use]
pub fn may_be(bytes: &[u8]) -> bool {
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || *byte == b'-';
    !bytes.is_empty() && bytes.len() <= MAX_COMPACT && bytes.iter().all(known)
}

/// Rows as they were typed: those of a line, of which only the last of all may be short.
fn lines(text: &str) -> impl Iterator<Item = String> {
    text.lines().flat_map(|line| {
        let letters: Vec<char> = line.chars().filter(|c| *c != '-' && !c.is_whitespace()).collect();
        letters.chunks(ROW).map(|row| row.iter().collect::<String>()).collect::<Vec<_>>()
    })
}

fn read_row(typed: &str) -> Result<Vec<Symbol>, BadSymbols> {
    // The last row is as long as it has to be; whether it was cut is found by its check.
    read_checked(typed, typed.chars().count().max(2 + CHECKS))
}

fn tail(kind: u8, payload: &[u8]) -> Vec<Symbol> {
    let digest = Digest::of(&[&[kind], payload].concat());
    of_bytes(&digest.0).into_iter().take(TAIL).collect()
}

/// The compact form of a request: of its file without a checkpoint, which is what is signed then.
pub fn request(file: &RequestFile) -> Result<Rows, BadCompact> {
    let bare = RequestFile { checkpoint: None, ..file.clone() };
    let host_key = bare.host_key.strip_prefix("SHA256:").and_then(|digits| BASE64.decode(digits).ok());
    let mut out = Writer::default();
    out.text(bare.host.as_ref());
    out.raw(&host_key.filter(|bytes: &Vec<u8>| bytes.len() == 32).ok_or(BadCompact::Form)?);
    out.raw(&id_bytes(bare.request));
    out.raw(&bare.nonce.bytes());
    out.text(bare.user.as_str());
    out.number(bare.uid.as_u32().into());
    out.text(bare.role.as_str());
    out.raw(&bare.terms.0);
    out.text(&words(&bare.services));
    out.number(match bare.uses {
        Uses::Unlimited => 0,
        Uses::Times(times) => times.get().into(),
    });
    out.number(bare.duration.as_secs());
    out.optional(bare.start, Writer::time);
    out.optional(bare.extends, |out, base| out.raw(&id_bytes(RequestId::from(base))));
    let is_own = (&bare.filed_by, bare.filed_by_uid) == (&bare.user, bare.uid);
    out.optional((!is_own).then_some((&bare.filed_by, bare.filed_by_uid)), |out, (name, uid)| {
        out.text(name.as_str());
        out.number(uid.as_u32().into());
    });
    out.time(bare.filed_at);
    out.time(bare.expires);
    out.text(bare.reason.as_str());
    let rows = Rows::of(REQUEST, &out.0)?;
    // What the rows do not say, the file does not say either.
    let said = parse_request(&rows.to_string())?;
    if said == bare {
        Ok(rows)
    } else if (RequestFile { digest: bare.digest, ..said }) == bare {
        Err(BadCompact::Ahead)
    } else {
        Err(BadCompact::Form)
    }
}

/// The file of a request that its compact form comes to.
pub fn parse_request(text: &str) -> Result<RequestFile, BadCompact> {
    let (kind, payload) = Rows::read(text)?;
    if kind != REQUEST {
        let found = if kind == SIGNATURE { "a signature" } else { "of a kind that is not known" };
        return Err(BadCompact::Kind { found, wanted: "a request" });
    }
    let file = read_file(&mut Reader(&payload)).ok_or(BadCompact::Form)?;
    // One request has one form, and it is one that its file can have.
    let again = RequestFile::parse(file.text().as_bytes()).map_err(|_| BadCompact::Form)?;
    if again == file { Ok(file) } else { Err(BadCompact::Form) }
}

fn read_file(from: &mut Reader<'_>) -> Option<RequestFile> {
    let host = from.text()?.parse().ok()?;
    let host_key = format!("SHA256:{}", BASE64.encode(from.raw(32)?));
    let request = from.id()?;
    let nonce = Nonce::of_bytes(from.raw(16)?.try_into().ok()?);
    let user: UserName = from.text()?.parse().ok()?;
    let uid = from.uid()?;
    let role = from.text()?.parse().ok()?;
    let terms = Digest(from.raw(32)?.try_into().ok()?);
    let services = services(from.text()?)?;
    let times = match u32::try_from(from.number()?).ok()? {
        0 => Uses::Unlimited,
        times => Uses::Times(NonZeroU32::new(times)?),
    };
    let duration = Duration::from_secs(from.number()?);
    let start = if from.is_there()? { Some(from.time()?) } else { None };
    let extends = if from.is_there()? { Some(GrantId::from(from.id()?)) } else { None };
    let (filed_by, filed_by_uid) =
        if from.is_there()? { (from.text()?.parse().ok()?, from.uid()?) } else { (user.clone(), uid) };
    let filed_at = from.time()?;
    let expires = from.time()?;
    let reason: Reason = from.text()?.parse().ok()?;
    from.end()?;
    let asked = Request {
        id: request,
        host,
        beneficiary: Person::named(user, uid),
        role,
        terms,
        services,
        uses: times,
        duration,
        start,
        extends,
        // No part of what is signed: it follows from what is extended.
        before: Duration::ZERO,
        teams: std::collections::BTreeSet::new(),
        filed_by: Person::named(filed_by, filed_by_uid),
        filed_at: Moment::believed(filed_at, 0, BootId::default()),
        reason,
        ticket: None,
        ahead: None,
    };
    Some(RequestFile::with(&asked, host_key, nonce, expires, None))
}

/// The compact form of a signature over a file without a checkpoint, or over a statement about such a file.
pub fn signature(text: &Signable, signature: &Signature) -> Result<Rows, BadCompact> {
    let Statement { request, decision, narrow: Narrow { duration, services, uses }, expires, note, .. } =
        text.says();
    let is_file = matches!(text, Signable::File(_));
    if matches!(text, Signable::File(file) if file.checkpoint.is_some()) {
        return Err(BadCompact::Form);
    }
    let Parts { key, is_sha256, algorithm, of, presence } = signature.parts();
    let flags = [
        !is_file,
        decision == Decision::Deny,
        duration.is_some(),
        services.is_some(),
        uses.is_some(),
        note.is_some(),
        is_sha256,
        presence.is_some(),
    ];
    let mut out = Writer::default();
    out.raw(&id_bytes(request));
    out.raw(&seconds(expires)?);
    out.raw(&hint(key.blob()));
    out.raw(&[flags.iter().rev().fold(0, |all, flag| (all << 1) | u8::from(*flag))]);
    if let Some(time) = duration {
        out.number(time.as_secs());
    }
    if let Some(services) = services {
        out.text(&words(&services));
    }
    if let Some(uses) = uses {
        out.number(uses.get().into());
    }
    if let Some(note) = note {
        out.text(note.as_str());
    }
    if let Some(presence) = presence {
        out.raw(&[presence.flags]);
        out.raw(&presence.counter.to_be_bytes());
    }
    if key.kind() == RSA {
        out.raw(&[u8::from(algorithm == RSA_256)]);
    }
    out.raw(of);
    Rows::of(SIGNATURE, &out.0)
}

/// A signature in the compact form: of which request, and what it takes to write its text again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// The request that it is about.
    pub request: RequestId,
    expires: Utc,
    hint: [u8; 2],
    flags: u8,
    narrow: Narrow,
    note: Option<Reason>,
    /// What an authenticator said, the algorithm of an RSA key, and the signature itself.
    rest: Vec<u8>,
}

impl Brought {
    /// Reads the compact form.
    pub fn parse(text: &str) -> Result<Self, BadCompact> {
        let (kind, payload) = Rows::read(text)?;
        if kind != SIGNATURE {
            let found = if kind == REQUEST { "a request" } else { "of a kind that is not known" };
            return Err(BadCompact::Kind { found, wanted: "a signature" });
        }
        Self::read(&mut Reader(&payload)).ok_or(BadCompact::Form)
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let request = from.id()?;
        let expires =
            Utc::from_unix_millis(i64::from(u32::from_be_bytes(from.raw(4)?.try_into().ok()?)) * 1000);
        let hint = from.raw(2)?.try_into().ok()?;
        let [flags] = from.raw(1)?.try_into().ok()?;
        let has = |bit: u8| (flags >> bit) & 1 == 1;
        let duration = if has(2) { Some(Duration::from_secs(from.number()?)) } else { None };
        let services = if has(3) { Some(services(from.text()?)?) } else { None };
        let uses = if has(4) { Some(NonZeroU32::new(from.number()?.try_into().ok()?)?) } else { None };
        let note = if has(5) { Some(from.text()?.parse().ok()?) } else { None };
        let narrow = Narrow { duration, services, uses };
        // What is no statement says nothing more, and a denial leaves nothing that could be less.
        let says = has(1) || !narrow.is_none() || note.is_some();
        let is_possible = if has(0) { says && (!has(1) || narrow.is_none()) } else { !says };
        let rest = from.rest().to_vec();
        is_possible.then_some(Self { request, expires, hint, flags, narrow, note, rest })
    }

    /// The text that was signed and the signature over it, as ssh-keygen writes that: what a host verifies as it does any
    /// other. Where several keys have the same two bytes it is that which made it.
    pub fn expand(
        &self,
        asked: &Request,
        host_key: &HostKey,
        approvers: &Approvers,
    ) -> Result<(String, String), BadCompact> {
        let file = RequestFile::of(asked, host_key, self.expires, None);
        let has = |bit: u8| (self.flags >> bit) & 1 == 1;
        let text = if has(0) {
            let decision = if has(1) { Decision::Deny } else { Decision::Approve };
            let statement = Statement::about(&file, decision, self.narrow.clone(), self.note.clone());
            Signable::Statement(Box::new(statement))
        } else {
            Signable::File(Box::new(file))
        };
        let text = text.text();
        let mut last = Err(BadCompact::Unknown);
        for approver in approvers.iter().filter(|approver| hint(approver.key.blob()) == self.hint) {
            let mut rest = Reader(&self.rest);
            let presence = if has(7) { Some(rest.presence().ok_or(BadCompact::Form)?) } else { None };
            let key = &approver.key;
            let algorithm = match if key.kind() == RSA { rest.raw(1) } else { None } {
                None => key.kind(),
                Some([0]) => RSA_512,
                Some([1]) => RSA_256,
                Some(_) => continue,
            };
            let parts = Parts { key, is_sha256: has(6), algorithm, of: rest.rest(), presence };
            match Signature::of(&parts) {
                Ok(signature) if signature.is_over(text.as_bytes()) => {
                    return Ok((text, signature.to_string()));
                }
                Ok(signature) => last = Ok((text.clone(), signature.to_string())),
                Err(why) => last = last.or(Err(why.into())),
            }
        }
        last
    }
}

/// Two bytes of SHA-256 over a key: enough to look it up, and no proof of anything.
fn hint(blob: &[u8]) -> [u8; 2] {
    let Digest([first, second, ..]) = Digest::of(blob);
    [first, second]
}

fn id_bytes(id: RequestId) -> [u8; 5] {
    let [_, _, _, bytes @ ..] = id.bits().to_be_bytes();
    bytes
}

/// Whole seconds, in the four bytes that last until 2106.
fn seconds(time: Utc) -> Result<[u8; 4], BadCompact> {
    u32::try_from(time.unix_millis() / 1000).map(u32::to_be_bytes).map_err(|_| BadCompact::Form)
}

fn words(services: &Services) -> String {
    services.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(",")
}

fn services(text: &str) -> Option<Services> {
    text.split(',').map(|name| name.parse().ok()).collect()
}

/// Numbers are of seven bits a byte, the highest first, and all bytes but the last have their highest bit set; texts are
/// behind their length.
#[derive(Debug, Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, number: u64) {
        let groups = (1..10).take_while(|group| number >> (7 * group) != 0).count();
        for group in (0..=groups).rev() {
            let [low, ..] = (number >> (7 * group)).to_le_bytes();
            self.0.push((low & 0x7f) | if group == 0 { 0 } else { 0x80 });
        }
    }

    fn text(&mut self, text: &str) {
        self.number(u64::try_from(text.len()).unwrap_or(u64::MAX));
        self.raw(text.as_bytes());
    }

    fn time(&mut self, time: Utc) {
        self.number(u64::try_from(time.unix_millis()).unwrap_or_default());
    }

    /// A byte that says whether it is there, and then it.
    fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.raw(&[u8::from(value.is_some())]);
        if let Some(value) = value {
            write(self, value);
        }
    }
}

/// What is still to be read, each thing in the one form that [`Writer`] gives it.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn raw(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number: u64 = 0;
        loop {
            let [byte] = self.raw(1)?.try_into().ok()?;
            // No zero in front, and no more than 64 bits.
            if (number == 0 && byte == 0x80) || number >> 57 != 0 {
                return None;
            }
            number = (number << 7) | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::try_from(self.number()?).ok()?;
        std::str::from_utf8(self.raw(length)?).ok()
    }

    fn uid(&mut self) -> Option<Uid> {
        Uid::try_from(u32::try_from(self.number()?).ok()?).ok()
    }

    fn id(&mut self) -> Option<RequestId> {
        let bytes: [u8; 5] = self.raw(5)?.try_into().ok()?;
        Some(RequestId::from_bits(bytes.iter().fold(0, |bits, byte| (bits << 8) | u64::from(*byte))))
    }

    fn time(&mut self) -> Option<Utc> {
        Some(Utc::from_unix_millis(i64::try_from(self.number()?).ok()?))
    }

    /// Whether what is optional is there.
    fn is_there(&mut self) -> Option<bool> {
        match self.raw(1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn presence(&mut self) -> Option<Presence> {
        let [flags, counter @ ..] = <[u8; 5]>::try_from(self.raw(5)?).ok()?;
        Some(Presence { flags, counter: u32::from_be_bytes(counter) })
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
