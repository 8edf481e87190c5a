//! The names of the exchange. Each has one spelling, and says what the file holds; whether it does, only its bytes say.

use std::fmt;
use std::str::FromStr;

use jit_core::digest::Digest;
use jit_core::sign::{MAX_SIGNATURE, MAX_TEXT};
use jit_proto::words::HostName;

use crate::segments::Segment;

/// The three parts of an exchange, and the one that people have at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `requests/HOST`: what waits on a host.
    Requests,
    /// `statements`: what people have signed.
    Statements,
    /// `logs/HOST`: the records of a host, and its checkpoints.
    Logs,
    /// `hosts/HOST`: what somebody knows of a host. It is never in an exchange, but beside what else is theirs alone.
    Hosts,
}

impl Part {
    /// The folder's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Statements => "statements",
            Self::Logs => "logs",
            Self::Hosts => "hosts",
        }
    }

    /// Whether it is only for those to read whom its owner lets: what waits on a host, and its log.
    #[must_use]
    pub const fn is_private(self) -> bool {
        match self {
            Self::Requests | Self::Logs | Self::Hosts => true,
            Self::Statements => false,
        }
    }

    /// So many names of one folder are read. What is behind them is not looked at, and whoever reads says so.
    #[must_use]
    pub const fn most(self) -> usize {
        match self {
            Self::Requests => 4_096,
            Self::Statements => 16_384,
            Self::Logs => 65_536,
            Self::Hosts => 1_024,
        }
    }
}

/// So many hosts are read of one exchange.
pub const MOST_HOSTS: usize = 4_096;

/// The longest file that has records, in bytes: as long as a single record is read.
pub const MAX_RECORDS: usize = 64 * 1024 * 1024;

/// The longest checkpoint, seal or key, in bytes.
pub const MAX_NOTE: usize = 4_096;

/// The longest list of what was refused, in bytes.
pub const MAX_REFUSED: usize = 4 * 1024 * 1024;

/// The name of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// `SHA.req`: the file of a request, as `jitctl offline export` writes it.
    Request(Digest),
    /// `SHA.seal`: the signature of the host's key over the request of that digest.
    Seal(Digest),
    /// `SHA.req.sig`: what `ssh-keygen -Y sign` writes beside the request of that digest.
    Beside(Digest),
    /// `SHA.signed`: a text and its signature, as `jitctl offline sign` writes them.
    Statement(Digest),
    /// `FIRST-NEXT.SHA.jsonl`: records, one a line.
    Records(Segment),
    /// `SIZE.SHA.checkpoint`: a signed note.
    Checkpoint {
        /// How many records it says that it covers.
        size: u64,
        /// The digest of the note.
        digest: Digest,
    },
    /// `SHA.key`: the public half of a host's key.
    Key(Digest),
    /// `known`: by which key somebody knows a host ([`crate::known`]).
    Known,
    /// `refused`: what a host has refused of that which its caller brought.
    Refused,
}

impl Name {
    /// Whether files of this kind are in such a folder.
    #[must_use]
    pub const fn is_in(&self, part: Part) -> bool {
        match self {
            Self::Request(_) | Self::Seal(_) | Self::Beside(_) => matches!(part, Part::Requests),
            Self::Statement(_) => matches!(part, Part::Statements),
            Self::Records(_) | Self::Key(_) => matches!(part, Part::Logs),
            Self::Checkpoint { .. } => matches!(part, Part::Logs | Part::Hosts),
            Self::Known | Self::Refused => matches!(part, Part::Hosts),
        }
    }

    /// The digest of the file's bytes; none of what is named after the request that it is about, or is written anew.
    #[must_use]
    pub const fn digest(&self) -> Option<Digest> {
        match self {
            Self::Request(digest)
            | Self::Statement(digest)
            | Self::Checkpoint { digest, .. }
            | Self::Key(digest)
            | Self::Records(Segment { digest, .. }) => Some(*digest),
            Self::Seal(_) | Self::Beside(_) | Self::Known | Self::Refused => None,
        }
    }

    /// The most bytes that such a file has.
    #[must_use]
    pub const fn longest(&self) -> usize {
        match self {
            Self::Request(_) => MAX_TEXT,
            Self::Statement(_) => 2 * (MAX_TEXT + MAX_SIGNATURE),
            Self::Beside(_) => 2 * MAX_SIGNATURE,
            Self::Records(_) => MAX_RECORDS,
            Self::Seal(_) | Self::Checkpoint { .. } | Self::Key(_) | Self::Known => MAX_NOTE,
            Self::Refused => MAX_REFUSED,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(digest) => write!(f, "{digest}.req"),
            Self::Seal(digest) => write!(f, "{digest}.seal"),
            Self::Beside(digest) => write!(f, "{digest}.req.sig"),
            Self::Statement(digest) => write!(f, "{digest}.signed"),
            Self::Records(Segment { first, next, digest }) => {
                write!(f, "{first:012}-{next:012}.{digest}.jsonl")
            }
            Self::Checkpoint { size, digest } => write!(f, "{size:012}.{digest}.checkpoint"),
            Self::Key(digest) => write!(f, "{digest}.key"),
            Self::Known => f.write_str("known"),
            Self::Refused => f.write_str("refused"),
        }
    }
}

/// A name that is none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not a name of the exchange")]
pub struct NotOurs;

impl FromStr for Name {
    type Err = NotOurs;

    fn from_str(text: &str) -> Result<Self, NotOurs> {
        let name = read(text).ok_or(NotOurs)?;
        // One spelling.
        if name.to_string() == text { Ok(name) } else { Err(NotOurs) }
    }
}

fn read(text: &str) -> Option<Name> {
    match text {
        "known" => return Some(Name::Known),
        "refused" => return Some(Name::Refused),
        _ => {}
    }
    let (stem, end) = text.split_once('.')?;
    let digest = |text: &str| text.parse::<Digest>().ok();
    match end {
        "req" => return digest(stem).map(Name::Request),
        "seal" => return digest(stem).map(Name::Seal),
        "req.sig" => return digest(stem).map(Name::Beside),
        "signed" => return digest(stem).map(Name::Statement),
        "key" => return digest(stem).map(Name::Key),
        _ => {}
    }
    let (middle, end) = end.split_once('.')?;
    match end {
        "jsonl" => {
            let (first, next) = stem.split_once('-')?;
            let (first, next) = (first.parse().ok()?, next.parse().ok()?);
            Segment::new(first, next, digest(middle)?).map(Name::Records)
        }
        "checkpoint" => Some(Name::Checkpoint { size: stem.parse().ok()?, digest: digest(middle)? }),
        _ => None,
    }
}

/// The host that a folder is named after. It names no other folder: a host's name begins with a letter or a digit and
/// has no slash.
#[must_use]
pub fn host(name: &[u8]) -> Option<HostName> {
    std::str::from_utf8(name).ok()?.parse().ok()
}

/// The name under which a file is written before it has its own. Whoever reads passes over it.
#[must_use]
pub fn unfinished(name: Name, by: u32, attempt: u32) -> String {
    format!("{BEGIN}{by}-{attempt}.{name}{END}")
}

const BEGIN: &str = ".jit-";
const END: &str = ".tmp";

/// Whether a name is one that [`unfinished`] makes.
#[must_use]
pub fn is_unfinished(name: &[u8]) -> bool {
    let read = |name: &[u8]| {
        let text = std::str::from_utf8(name).ok()?.strip_prefix(BEGIN)?.strip_suffix(END)?;
        let (by, name) = text.split_once('.')?;
        let (pid, attempt) = by.split_once('-')?;
        let number = |text: &str| text.parse::<u32>().ok();
        Some((number(pid)?, number(attempt)?, name.parse::<Name>().ok()?))
    };
    read(name).is_some_and(|(by, attempt, known)| unfinished(known, by, attempt).as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn every() -> Vec<Name> {
        let digest = of("one");
        vec![
            Name::Request(digest),
            Name::Seal(digest),
            Name::Beside(digest),
            Name::Statement(digest),
            Name::Records(Segment::new(0, 4096, digest).unwrap()),
            Name::Records(Segment::new(999_999_999_999, 1_000_000_000_000, digest).unwrap()),
            Name::Checkpoint { size: 7, digest },
            Name::Key(digest),
            Name::Known,
            Name::Refused,
        ]
    }

    #[test]
    fn every_name_reads_back_and_so_does_the_name_that_it_has_before() {
        for name in every() {
            assert_eq!(name.to_string().parse(), Ok(name));
            let before = unfinished(name, 4711, 3);
            assert!(is_unfinished(before.as_bytes()) && before.parse::<Name>().is_err(), "{before}");
            assert!(before.len() < 255, "{before}");
        }
    }

    #[test]
    fn what_is_spelt_in_another_way_or_leads_out_of_the_folder_is_no_name() {
        let digest = of("one").to_string();
        for text in [
            String::new(),
            ".".to_owned(),
            "..".to_owned(),
            format!("../{digest}.req"),
            format!("x/{digest}.req"),
            format!("{}.req", digest.to_uppercase()),
            format!("{digest}.REQ"),
            format!("{digest}.req "),
            format!(" {digest}.req"),
            format!("{digest}.req.sig.sig"),
            format!("{}.req", &digest[1..]),
            format!("0-1.{digest}.jsonl"),
            format!("000000000000-+00000000001.{digest}.jsonl"),
            format!("000000000001-000000000001.{digest}.jsonl"),
            format!("000000000002-000000000001.{digest}.jsonl"),
            format!("0000000000000-000000000001.{digest}.jsonl"),
            format!("99999999999999999999999.{digest}.checkpoint"),
            format!("7.{digest}.checkpoint"),
            format!(".{digest}.req"),
        ] {
            assert_eq!(text.parse::<Name>(), Err(NotOurs), "{text}");
        }
        assert!(format!("{digest}.req").parse::<Name>().is_ok());
        for text in [".jit-1-1.x.tmp", ".jit-01-1.x.req.tmp", ".other.tmp", "jit-1-1.tmp"] {
            assert!(!is_unfinished(text.as_bytes()), "{text}");
        }
        for bytes in [&b".."[..], b".", b"", b"a/b", b"-x", b"\xff\xfe", b".hidden"] {
            assert_eq!(host(bytes), None, "{bytes:?}");
        }
        assert!(host(b"db-1.plant").is_some());
    }

    proptest! {
        #[test]
        fn whatever_bytes_a_name_has_it_is_refused_or_has_one_spelling(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let text = String::from_utf8_lossy(&bytes);
            if let Ok(name) = text.parse::<Name>() {
                prop_assert_eq!(name.to_string(), text);
            }
            prop_assert!(!is_unfinished(&bytes) || bytes.starts_with(b".jit-"));
            if let Some(host) = host(&bytes) {
                prop_assert_eq!(host.as_str().as_bytes(), &bytes[..]);
            }
        }
    }
}
