//! Texts of one line for each field, in a fixed order: `label: value`, ASCII, LF. Each text has one form: what is read is
//! written again, and must come out as it was.

use super::MAX_TEXT;

/// The first line of a request's file. Another one is another format.
pub(super) const FILE: &str = "jitd.request-file.v1";

/// Its fields, in their order.
pub(super) const FILE_LABELS: [&str; 20] = [
    "host",
    "host-key",
    "request",
    "digest",
    "nonce",
    "user",
    "uid",
    "role",
    "terms",
    "services",
    "uses",
    "duration",
    "start",
    "extends",
    "filed-by",
    "filed-by-uid",
    "filed-at",
    "expires",
    "reason",
    "checkpoint",
];

/// The first line of a statement.
pub(super) const STATEMENT: &str = "jitd.review.v1";

/// Its fields, in their order.
pub(super) const STATEMENT_LABELS: [&str; 11] = [
    "host", "host-key", "request", "digest", "nonce", "decision", "duration", "services", "uses", "expires",
    "note",
];

/// Why a text is not what it should be, with the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// The text is too long.
    #[error("it has {0} bytes, and at most {MAX_TEXT} are read")]
    Long(usize),
    /// A byte that is not printable ASCII.
    #[error("line {line}: there is a byte that is not printable ASCII")]
    Byte {
        /// The line's number, from 1.
        line: usize,
    },
    /// Some lines end as mail leaves them, and some do not.
    #[error(
        "line {line}: it ends with LF and others with CRLF, so something has changed the file on its way"
    )]
    Ends {
        /// The line's number, from 1.
        line: usize,
    },
    /// The first line.
    #[error(
        "line 1: it is not the first line of a text that is known here, such as '{FILE}' or '{STATEMENT}'; another version of \
         jitd may have written it"
    )]
    Version,
    /// A line that should be another.
    #[error("line {line}: '{label}: …' is expected here")]
    Label {
        /// The line's number, from 1.
        line: usize,
        /// What should stand there.
        label: &'static str,
    },
    /// A value that says nothing, or says it in another way than it is written.
    #[error("line {line}: '{label}' has a value that is never written so")]
    Value {
        /// The line's number, from 1.
        line: usize,
        /// The label of the line.
        label: &'static str,
    },
    /// A digest that the other fields do not come to.
    #[error(
        "line {line}: the digest is not that of the request in this file, so the host wrote another one: have it exported \
         again, and brought by somebody you trust"
    )]
    Digest {
        /// The line's number, from 1.
        line: usize,
    },
    /// Two times that do not go together.
    #[error("'{label}' {why}")]
    Times {
        /// The label of the line.
        label: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Something behind the end.
    #[error("line {line}: the text should end before it")]
    More {
        /// The line's number, from 1.
        line: usize,
    },
    /// The end is missing.
    #[error("the last line does not end with a line break, so something is missing")]
    Cut,
}

/// The text as it was written: where mail has made CRLF of every LF, they are LF again.
pub(super) fn unmailed(bytes: &[u8]) -> Result<String, BadText> {
    // CRLF takes a byte more for each line.
    if bytes.len() > MAX_TEXT + 64 {
        return Err(BadText::Long(bytes.len()));
    }
    let mailed = bytes.contains(&b'\r');
    let mut text = String::with_capacity(bytes.len());
    for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let place = at + 1;
        let Some(line) = line.strip_suffix(b"\n") else { return Err(BadText::Cut) };
        let line = match (mailed, line.strip_suffix(b"\r")) {
            (true, Some(line)) => line,
            (true, None) => return Err(BadText::Ends { line: place }),
            (false, _) => line,
        };
        if !line.iter().all(|byte| (b' '..=b'~').contains(byte)) {
            return Err(BadText::Byte { line: place });
        }
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    if text.len() > MAX_TEXT { Err(BadText::Long(text.len())) } else { Ok(text) }
}

/// Reads fields in their order.
pub(super) struct Lines<'t> {
    rest: std::str::Split<'t, char>,
    line: usize,
}

impl<'t> Lines<'t> {
    /// Behind a first line, which is this.
    pub(super) fn behind(version: &str, text: &'t str) -> Result<Self, BadText> {
        let mut rest = text.strip_suffix('\n').unwrap_or(text).split('\n');
        if rest.next() == Some(version) { Ok(Self { rest, line: 1 }) } else { Err(BadText::Version) }
    }

    /// The next field, which must be this one.
    pub(super) fn field<T>(
        &mut self,
        label: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, BadText> {
        self.line += 1;
        let line = self.line;
        let value = self.rest.next().and_then(|text| text.strip_prefix(label)?.strip_prefix(": "));
        let value = value.ok_or(BadText::Label { line, label })?;
        read(value).ok_or(BadText::Value { line, label })
    }

    /// There are no more; and the text is just what is written of what was read from it.
    pub(super) fn end(mut self, text: &str, again: &str, labels: &[&'static str]) -> Result<(), BadText> {
        if self.rest.next().is_some() {
            return Err(BadText::More { line: self.line + 1 });
        }
        let differs = text.lines().zip(again.lines()).position(|(one, other)| one != other);
        match differs {
            // Behind the first line each has its label.
            Some(at) => {
                let label = at.checked_sub(1).and_then(|at| labels.get(at)).copied().unwrap_or("it");
                Err(BadText::Value { line: at + 1, label })
            }
            None if text == again => Ok(()),
            None => Err(BadText::Cut),
        }
    }
}

/// Any text as printable ASCII on one line, and back: `\` is `\\`, what is not ASCII is `\u{HEX}`.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(c),
            _ => out.extend(c.escape_unicode()),
        }
    }
    out
}

/// The reverse of [`escaped`]; none if the text is not one that it writes.
pub(super) fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('\\') {
        out.push_str(before);
        rest = if let Some(rest) = behind.strip_prefix('\\') {
            out.push('\\');
            rest
        } else {
            let (hex, rest) = behind.strip_prefix("u{")?.split_once('}')?;
            out.push(char::from_u32(u32::from_str_radix(hex, 16).ok()?)?);
            rest
        };
    }
    out.push_str(rest);
    Some(out)
}

/// One of these words, or the value of another.
#[allow(clippy::option_option, reason = "no value, and the value that says so, are two things")]
pub(super) fn or<T>(word: &str, value: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if value == word { Some(None) } else { read(value).map(Some) }
}
