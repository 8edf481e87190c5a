//! The files of `jitctl offline`: read as whoever runs it, each a regular file of bounded size; and never written over.

use std::path::Path;

use jit_core::sign::compact::{self, Brought};
use jit_core::sign::kind::Kind;
use jit_core::sign::sshsig::begins;
use jit_core::sign::{MAX_SIGNATURE, MAX_TEXT};
use jit_host::files::{Owner, read_file};
use jit_proto::manager::{Entry, Taken};
use jit_proto::text::Shown;
use serde::Serialize;

use super::typed::{is_stdin, rows, stdin};
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::screen::Screen;
use crate::views::{lock_line, progress, review_line};

/// A text and its signature.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    pub(super) text: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl Signed {
    /// The two parts of a file that has both; none where there is no signature in it.
    pub(super) fn split(bytes: Vec<u8>) -> Option<Self> {
        let at = begins(&bytes).filter(|at| *at > 0)?;
        let (text, signature) = bytes.split_at(at);
        Some(Self { text: text.to_vec(), signature: signature.to_vec() })
    }

    /// From one file that has both, or from the `.sig` of a file that is beside it.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let bytes = if is_stdin(path) { stdin()? } else { bounded(path, 2 * (MAX_TEXT + MAX_SIGNATURE))? };
        match begins(&bytes) {
            Some(0) => {
                let beside = path.with_extension("");
                let is_pair = path.extension().is_some_and(|extension| extension == "sig") && beside.exists();
                if !is_pair {
                    let what = "it is a signature, and what it signs is not beside it: bring both, as R.req and R.req.sig";
                    return Err(usage(path, what));
                }
                Ok(Self { text: bounded(&beside, 2 * MAX_TEXT)?, signature: bytes })
            }
            Some(at) => {
                let (text, signature) = bytes.split_at(at);
                Ok(Self { text: text.to_vec(), signature: signature.to_vec() })
            }
            None if compact::may_be(&bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                Brought::parse(&text).map_err(|why| usage(path, &why.to_string()))?;
                Ok(Self { text: bytes, signature: Vec::new() })
            }
            None => Err(usage(path, "there is no signature in it; have it signed with: jitctl offline sign")),
        }
    }
}

impl Signed {
    /// The rows of a signature that a person types, or else standard input. None where they leave.
    pub(super) fn typed(screen: &mut Screen<'_>) -> Result<Option<Self>, Error> {
        if !screen.can_ask() {
            return Self::read(Path::new("-")).map(Some);
        }
        let typed = rows(screen, |text| Brought::parse(text).map(drop))?;
        Ok(typed.map(|text| Self { text: text.into_bytes(), signature: Vec::new() }))
    }
}

/// What came of a text that was brought.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Came {
    /// A request, with one review more.
    Review(Box<Entry>),
    /// A statement of another kind.
    Taken(Box<Taken>),
}

/// Brings a text. What jitd answers goes by what the text is.
pub(super) fn came(jitd: &dyn Jitd, call: &Call, text: &[u8]) -> Result<Came, Failure> {
    match Kind::of(text) {
        Some(Kind::Revoke | Kind::Lock | Kind::Clock) => Ok(Came::Taken(Box::new(jitd::ask(jitd, call)?))),
        Some(Kind::Request | Kind::Review | Kind::Grant) | None => {
            Ok(Came::Review(Box::new(jitd::ask(jitd, call)?)))
        }
    }
}

impl Came {
    /// The same, for people.
    pub(super) fn said(&self, file: &str) -> String {
        match self {
            Self::Review(entry) => {
                let review = entry.reviews.last().map(review_line).unwrap_or_default();
                format!("{}: {}\n{}\n", Shown(file), Shown(&review), progress(entry))
            }
            Self::Taken(taken) => format!("{}: {}\n", Shown(file), Shown(&said(taken))),
        }
    }
}

fn said(taken: &Taken) -> String {
    let by = format!("signed by {}", taken.by);
    match (&taken.revokes, &taken.revoked, &taken.lock, &taken.clock) {
        (_, Some(revoked), ..) => format!("{by}; {} is {} ({})", revoked.id, revoked.state, revoked.ended),
        (Some(revokes), ..) => format!("{by}; {revokes} has not come here, and will open nothing"),
        (_, _, Some(lock), _) => format!("{by}; {}", lock_line(lock)),
        (_, _, _, Some(clock)) => format!("{by}; the clock is {}", clock.after.state),
        (None, None, None, None) => by,
    }
}

/// A regular file of at most so many bytes; no link, no pipe.
pub(super) fn bounded(path: &Path, most: usize) -> Result<Vec<u8>, Error> {
    let bytes = read_file(path, Owner::Anyone).map_err(|bad| Error::Usage(bad.to_string()))?;
    if bytes.len() > most { Err(usage(path, &format!("it has more than {most} bytes"))) } else { Ok(bytes) }
}

pub(super) fn usage(path: &Path, what: &str) -> Error {
    Error::Usage(format!("{}: {what}", path.display()))
}
