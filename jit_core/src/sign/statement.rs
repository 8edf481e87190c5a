//! What is signed to say less than yes: a statement of its own, which names the request by its digest. It denies the
//! request, or approves less of it.

use std::num::NonZeroU32;

use jit_proto::words::{HostName, Reason, RequestId};

use super::file::{NONE, Nonce, RequestFile, key_fingerprint, services, word};
use super::kind::{Kind, SignedText};
use super::lines::{BadText, Lines, STATEMENT, STATEMENT_LABELS, escaped, or, unescaped, unmailed};
use crate::digest::Digest;
use crate::duration::{Human, parse_duration};
use crate::model::{Decision, Narrow};
use crate::time::Utc;

/// A denial, or an approval of less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The host that it is for.
    pub host: HostName,
    /// The fingerprint of that host's key.
    pub host_key: String,
    /// The request that the statement is about.
    pub request: RequestId,
    /// The digest of its exact bytes.
    pub digest: Digest,
    /// As in the file of the request.
    pub nonce: Nonce,
    /// Yes or no.
    pub decision: Decision,
    /// What it takes away; nothing where it denies.
    pub narrow: Narrow,
    /// As in the file of the request.
    pub expires: Utc,
    /// What was written with it.
    pub note: Option<Reason>,
}

const AS_ASKED: &str = "as-asked";

impl Statement {
    /// About the request of a file.
    #[must_use]
    pub fn about(file: &RequestFile, decision: Decision, narrow: Narrow, note: Option<Reason>) -> Self {
        let narrow = if decision == Decision::Deny { Narrow::default() } else { narrow };
        Self {
            host: file.host.clone(),
            host_key: file.host_key.clone(),
            request: file.request,
            digest: file.digest,
            nonce: file.nonce,
            decision,
            narrow,
            expires: file.expires,
            note,
        }
    }

    /// The text, which is what is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let Narrow { duration, services, uses } = &self.narrow;
        let as_asked = || AS_ASKED.to_owned();
        let names = |services: &crate::services::Services| {
            services.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(",")
        };
        let values = [
            self.host.to_string(),
            self.host_key.clone(),
            self.request.to_string(),
            self.digest.to_string(),
            self.nonce.to_string(),
            self.decision.as_str().to_owned(),
            duration.map_or_else(as_asked, |duration| Human(duration).to_string()),
            services.as_ref().map_or_else(as_asked, names),
            uses.map_or_else(as_asked, |uses| uses.to_string()),
            self.expires.to_string(),
            self.note
                .as_ref()
                .map_or_else(|| NONE.to_owned(), |note| format!("- {}", escaped(note.as_str()))),
        ];
        let lines = STATEMENT_LABELS.iter().zip(values).map(|(label, value)| format!("{label}: {value}\n"));
        format!("{STATEMENT}\n{}", lines.collect::<String>())
    }

    /// Reads a text, and refuses all but the one that [`Self::text`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadText> {
        let text = unmailed(bytes)?;
        let mut lines = Lines::behind(STATEMENT, &text)?;
        let (host, host_key) = (lines.field("host", word)?, lines.field("host-key", key_fingerprint)?);
        let (request, digest) = (lines.field("request", word)?, lines.field("digest", word)?);
        let nonce = lines.field("nonce", Nonce::parse)?;
        let decision = lines.field("decision", |text| {
            [Decision::Approve, Decision::Deny].into_iter().find(|known| known.as_str() == text)
        })?;
        // A denial leaves nothing that could be less.
        let less = decision == Decision::Approve;
        let duration = lines.field("duration", |text| {
            or(AS_ASKED, text, |text| parse_duration(text).ok().filter(|_| less))
        })?;
        let services =
            lines.field("services", |text| or(AS_ASKED, text, |text| services(text).filter(|_| less)))?;
        let uses = lines.field("uses", |text| {
            or(AS_ASKED, text, |text| text.parse::<NonZeroU32>().ok().filter(|_| less))
        })?;
        let narrow = Narrow { duration, services, uses };
        let expires =
            lines.field("expires", |text| word(text).filter(|time: &Utc| *time == time.whole_seconds()))?;
        let note = lines.field("note", |text| {
            or(NONE, text, |text| unescaped(text.strip_prefix("- ")?)?.parse::<Reason>().ok())
        })?;
        let statement = Self { host, host_key, request, digest, nonce, decision, narrow, expires, note };
        lines.end(&text, &statement.text(), &STATEMENT_LABELS)?;
        Ok(statement)
    }
}

/// One of the two texts that are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signable {
    /// The file of the request: approved as it is.
    File(Box<RequestFile>),
    /// Denied, or less than that approved.
    Statement(Box<Statement>),
}

impl Signable {
    /// Reads whichever it is.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadText> {
        if bytes.starts_with(STATEMENT.as_bytes()) {
            return Ok(Self::Statement(Box::new(Statement::parse(bytes)?)));
        }
        Ok(Self::File(Box::new(RequestFile::parse(bytes)?)))
    }

    /// The exact text, with LF.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::File(file) => file.text(),
            Self::Statement(statement) => statement.text(),
        }
    }

    /// What it says, as a statement.
    #[must_use]
    pub fn says(&self) -> Statement {
        match self {
            Self::File(file) => Statement::about(file, Decision::Approve, Narrow::default(), None),
            Self::Statement(statement) => Statement::clone(statement),
        }
    }
}

impl SignedText for Signable {
    fn kind(&self) -> Kind {
        match self {
            Self::File(_) => Kind::Request,
            Self::Statement(_) => Kind::Review,
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, BadText> {
        Self::parse(bytes)
    }

    fn text(&self) -> String {
        self.text()
    }
}
