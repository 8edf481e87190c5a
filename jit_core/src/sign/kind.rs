//! Which of the texts that people sign a file is, by its first line.

use super::lines::{BadText, FILE, STATEMENT};
use super::{ADMIN_NAMESPACE, NAMESPACE};

/// The texts that are signed, by their first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The file of a request: signed, it approves the request as it is.
    Request,
    /// A denial, or an approval of less.
    Review,
    /// A grant ahead of time.
    Grant,
    /// The end of a grant or a request.
    Revoke,
    /// A lock on something.
    Lock,
    /// That a host's clock is right.
    Clock,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Request, Self::Review, Self::Grant, Self::Revoke, Self::Lock, Self::Clock];

    /// The first line of its texts.
    #[must_use]
    pub const fn first_line(self) -> &'static str {
        match self {
            Self::Request => FILE,
            Self::Review => STATEMENT,
            Self::Grant => "jitd.grant.v1",
            Self::Revoke => "jitd.revoke.v1",
            Self::Lock => "jitd.lock.v1",
            Self::Clock => "jitd.clock.v1",
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Review => "review",
            Self::Grant => "grant",
            Self::Revoke => "revoke",
            Self::Lock => "lock",
            Self::Clock => "clock",
        }
    }

    /// What a signature over it has to be for, as `-n` of ssh-keygen(1).
    #[must_use]
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::Request | Self::Review | Self::Grant | Self::Revoke => NAMESPACE,
            Self::Lock | Self::Clock => ADMIN_NAMESPACE,
        }
    }

    /// Which kind a file is by its first line alone; nothing is known of the rest.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let line = bytes.split(|byte| *byte == b'\n').next()?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        Self::ALL.into_iter().find(|kind| kind.first_line().as_bytes() == line)
    }
}

/// What the texts of one kind have in common.
pub trait SignedText: Sized {
    /// Which kind that is.
    fn kind(&self) -> Kind;
    /// Reads a text, and refuses all but the one that [`Self::text`] writes.
    fn parse(bytes: &[u8]) -> Result<Self, BadText>;
    /// The exact text, with LF.
    fn text(&self) -> String;
}
