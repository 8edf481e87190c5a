//! Something that was found, and what it is held against.

use std::fmt;

use jit_core::policy::{Host, Policy};

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// People come in unasked, or cannot come in who should.
    Error,
    /// It may come to that, or something does less than it seems to.
    Warning,
    /// Something that an admin should know.
    Note,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// A word that stays the same, for programs.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The file, service or account that it is about.
    pub about: String,
    /// What is so.
    pub what: String,
    /// What follows from it.
    pub why: String,
    /// What to type, or to write and where.
    pub fix: String,
}

impl Finding {
    /// Something that was found. The three texts are whole sentences, or a command.
    pub fn new(
        id: &'static str,
        severity: Severity,
        about: impl Into<String>,
        [what, why, fix]: [String; 3],
    ) -> Self {
        Self { id, severity, about: about.into(), what, why, fix }
    }
}

/// What policy says that this is held against.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'p> {
    /// The policy of the files.
    pub policy: &'p Policy,
    /// The host that it is for.
    pub host: &'p Host,
}
