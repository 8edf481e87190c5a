//! `/etc/jit/approvers`: whose keys may approve, in the format of an `allowed_signers` file (ssh-keygen(1), "ALLOWED
//! SIGNERS"), and the list of keys that may not any more.
//!
//! A line has principals, options and a key. What a line says and this does not know is an error with its place, never
//! passed over: an option that is not honoured would admit a key that the file restricts. So `cert-authority`,
//! patterns, quotes around principals and times without `Z` are errors, though OpenSSH takes them; what is taken means
//! what it means there.

use std::collections::BTreeMap;

use super::NAMESPACE;
use super::key::{BadKey, Key};
use crate::policy::{BadPrincipal, Principal};
use crate::time::Utc;

/// The largest file, in bytes, and the longest line.
pub const MAX_FILE: usize = 256 * 1024;
const MAX_LINE: usize = 8192;

/// A key that may approve, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// The names it stands for, in the order of the line.
    pub principals: Vec<Principal>,
    /// The public key of the line.
    pub key: Key,
    /// What it may sign for; anything if absent.
    pub namespaces: Option<Vec<String>>,
    /// From when on it counts.
    pub after: Option<Utc>,
    /// Up to when it counts, that second included.
    pub before: Option<Utc>,
    /// The line, from 1.
    pub line: usize,
}

impl Approver {
    /// Whether it may sign approvals.
    #[must_use]
    pub fn approves(&self) -> bool {
        self.may_sign(NAMESPACE)
    }

    /// Whether it may sign for this.
    #[must_use]
    pub fn may_sign(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|names| names.iter().any(|name| name == namespace))
    }
}

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approvers(Vec<Approver>);

/// A line that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct BadLine {
    /// The line's number, from 1.
    pub line: usize,
    /// What is wrong with the line.
    pub why: Why,
}

/// Why a line cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The whole file.
    #[error("the file has more than {MAX_FILE} bytes")]
    File,
    /// It is too long.
    #[error("it has more than {MAX_LINE} bytes")]
    Long,
    /// The line is not text.
    #[error("it has a byte that is no text, or a control character")]
    Text,
    /// Something is missing.
    #[error("it is not 'PRINCIPAL [OPTIONS] KIND KEY', as in an allowed_signers file (ssh-keygen(1))")]
    Form,
    /// The list of principals is malformed.
    #[error("{0}")]
    Principal(#[from] BadPrincipal),
    /// The option is not known.
    #[error(
        "the option '{0}' is not known; there are namespaces=, valid-after= and valid-before=, in lower case and each once"
    )]
    Option(String),
    /// The line is for certificates.
    #[error("'cert-authority' is not supported; name each key by itself")]
    CertAuthority,
    /// A namespace with a pattern in it.
    #[error(
        "'{0}' is not a namespace: patterns are not supported; for approvals, write namespaces=\"{NAMESPACE}\""
    )]
    Namespace(String),
    /// The time is malformed.
    #[error("'{0}' is not a time in UTC: write YYYYMMDDZ, YYYYMMDDHHMMZ or YYYYMMDDHHMMSSZ, with the Z")]
    Time(String),
    /// It is never valid.
    #[error("valid-after is not before valid-before, so the key would never count")]
    Never,
    /// The public key is malformed.
    #[error("{0}")]
    Key(#[from] BadKey),
    /// The same key again.
    #[error("the key stands in line {0} already; name all its principals and its validity in one line")]
    Again(usize),
}

impl Approvers {
    /// Reads the file. All bad lines are told, not the first alone.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<BadLine>> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let (mut all, mut bad) = (Vec::new(), Vec::new());
        for (line, text) in lines(bytes).map_err(|why| vec![why])? {
            let parsed = text.and_then(|text| approver(text, line));
            match parsed {
                Ok(approver) => match seen.insert(approver.key.to_string(), line) {
                    Some(before) => bad.push(BadLine { line, why: Why::Again(before) }),
                    None => all.push(approver),
                },
                Err(why) => bad.push(BadLine { line, why }),
            }
        }
        if bad.is_empty() { Ok(Self(all)) } else { Err(bad) }
    }

    /// The line of a key.
    #[must_use]
    pub fn of(&self, key: &Key) -> Option<&Approver> {
        self.0.iter().find(|approver| approver.key == *key)
    }

    /// All lines, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Approver> {
        self.0.iter()
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `/etc/jit/revoked-keys`: public keys, one a line, as `-r` of `ssh-keygen -Y verify` takes them. Here too a line that is
/// not understood is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked(Vec<String>);

impl Revoked {
    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<BadLine>> {
        let (mut all, mut bad) = (Vec::new(), Vec::new());
        for (line, text) in lines(bytes).map_err(|why| vec![why])? {
            let key = text.and_then(|text| {
                let mut words = text.split_ascii_whitespace();
                let (kind, key) = (words.next().ok_or(Why::Form)?, words.next().ok_or(Why::Form)?);
                Ok(Key::parse(kind, key)?)
            });
            match key {
                Ok(key) => all.push(key.to_string()),
                Err(why) => bad.push(BadLine { line, why }),
            }
        }
        if bad.is_empty() { Ok(Self(all)) } else { Err(bad) }
    }

    /// Whether a key is revoked.
    #[must_use]
    pub fn contains(&self, key: &Key) -> bool {
        self.0.contains(&key.to_string())
    }
}

type Line<'a> = (usize, Result<&'a str, Why>);

/// The lines that say something, numbered. A comment has its `#` in front.
fn lines(bytes: &[u8]) -> Result<impl Iterator<Item = Line<'_>>, BadLine> {
    if bytes.len() > MAX_FILE {
        return Err(BadLine { line: 1, why: Why::File });
    }
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    Ok(lines.filter_map(|(at, line)| {
        let line = line.trim_ascii();
        (!line.is_empty() && !line.starts_with(b"#")).then(|| (at + 1, text(line)))
    }))
}

fn text(line: &[u8]) -> Result<&str, Why> {
    if line.len() > MAX_LINE {
        return Err(Why::Long);
    }
    let text = std::str::from_utf8(line).map_err(|_| Why::Text)?;
    if text.chars().any(|c| c != '\t' && jit_proto::text::is_unprintable(c)) {
        Err(Why::Text)
    } else {
        Ok(text)
    }
}

fn approver(text: &str, line: usize) -> Result<Approver, Why> {
    let (principals, rest) = text.split_once([' ', '\t']).ok_or(Why::Form)?;
    let principals = principals.split(',').map(str::parse).collect::<Result<Vec<Principal>, _>>()?;
    let rest = rest.trim_ascii_start();
    let mut approver = Options::default();
    let (first, behind) = word(rest);
    // As OpenSSH has it: what is no kind of key is options.
    let (kind, behind) = if is_kind(first) {
        (first, behind)
    } else {
        approver.read(first)?;
        word(behind.trim_ascii_start())
    };
    let (key, _comment) = word(behind.trim_ascii_start());
    if kind.is_empty() || key.is_empty() {
        return Err(Why::Form);
    }
    let key = Key::parse(kind, key)?;
    let Options { namespaces, after, before } = approver;
    if let (Some(after), Some(before)) = (after, before)
        && after >= before
    {
        return Err(Why::Never);
    }
    Ok(Approver { principals, key, namespaces, after, before, line })
}

/// A word up to the next blank that is not between quotes, and the rest.
fn word(text: &str) -> (&str, &str) {
    let mut quoted = false;
    let end = text.bytes().position(|byte| {
        quoted ^= byte == b'"';
        !quoted && matches!(byte, b' ' | b'\t')
    });
    text.split_at(end.unwrap_or(text.len()))
}

fn is_kind(word: &str) -> bool {
    ["ssh-", "sk-", "ecdsa-"].iter().any(|kind| word.starts_with(kind))
}

#[derive(Default)]
struct Options {
    namespaces: Option<Vec<String>>,
    after: Option<Utc>,
    before: Option<Utc>,
}

impl Options {
    fn read(&mut self, text: &str) -> Result<(), Why> {
        let mut rest = text;
        loop {
            let (name, behind) = rest.split_once('=').unwrap_or((rest, ""));
            if rest == "cert-authority" || rest.starts_with("cert-authority,") {
                return Err(Why::CertAuthority);
            }
            let unknown = || Why::Option(super::shown(rest));
            let (value, behind) =
                behind.strip_prefix('"').and_then(|value| value.split_once('"')).ok_or_else(unknown)?;
            match name {
                "namespaces" if self.namespaces.is_none() => self.namespaces = Some(namespaces(value)?),
                "valid-after" if self.after.is_none() => self.after = Some(time(value)?),
                "valid-before" if self.before.is_none() => self.before = Some(time(value)?),
                _ => return Err(unknown()),
            }
            match behind.strip_prefix(',') {
                Some(more) => rest = more,
                None if behind.is_empty() => return Ok(()),
                None => return Err(unknown()),
            }
        }
    }
}

fn namespaces(text: &str) -> Result<Vec<String>, Why> {
    let is_name = |name: &&str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '*' | '?' | '!' | '\\'))
    };
    let names = text.split(',').map(|name| {
        Some(name).filter(is_name).map(str::to_owned).ok_or_else(|| Why::Namespace(super::shown(name)))
    });
    names.collect()
}

/// Reads a time of the form `YYYYMMDD[HHMM[SS]]Z`.
fn time(text: &str) -> Result<Utc, Why> {
    let bad = || Why::Time(super::shown(text));
    let digits = text.strip_suffix('Z').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let digits = digits.filter(|digits| matches!(digits.len(), 8 | 12 | 14)).ok_or_else(bad)?;
    let part = |at: usize| digits.get(at..at + 2).unwrap_or("00");
    let year = digits.get(..4).unwrap_or("");
    let stamp = format!("{year}-{}-{}T{}:{}:{}Z", part(4), part(6), part(8), part(10), part(12));
    // A leap second is none of the clock's; OpenSSH takes 0 for the absence of a limit.
    let known = stamp.parse::<Utc>().map_err(|_| bad())?;
    if part(12) == "60" || known.unix_millis() <= 0 { Err(bad()) } else { Ok(known) }
}

#[cfg(test)]
#[path = "approvers_tests.rs"]
mod tests;
