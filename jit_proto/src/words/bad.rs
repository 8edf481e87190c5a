//! Why a word was refused.

use crate::text::is_invisible;

/// Why a word was refused. The text names what was expected and what was found, without repeating the bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWord {
    /// Nothing where something is required.
    #[error("{what} is empty")]
    Empty {
        /// The kind of word, such as `user name`.
        what: &'static str,
    },
    /// Longer than the limit.
    #[error("{what} is {got} bytes long, the limit is {limit}")]
    TooLong {
        /// The kind of word, such as `user name`.
        what: &'static str,
        /// Its length in bytes.
        got: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A character that this word does not allow.
    #[error("{what} has {} at byte {at}; allowed are {allowed}", char_name(*.got))]
    BadChar {
        /// The kind of word, such as `user name`.
        what: &'static str,
        /// The character that was found.
        got: char,
        /// Its byte offset.
        at: usize,
        /// What would have been allowed.
        allowed: &'static str,
    },
    /// Not one of the fixed forms of this word.
    #[error("{what} must be {expected}")]
    NotOneOf {
        /// The kind of word, such as `request id`.
        what: &'static str,
        /// The forms it takes.
        expected: &'static str,
    },
}

impl BadWord {
    /// The same of a word that is written as another kind is.
    #[must_use]
    pub fn called(self, what: &'static str) -> Self {
        match self {
            Self::Empty { .. } => Self::Empty { what },
            Self::TooLong { got, limit, .. } => Self::TooLong { what, got, limit },
            Self::BadChar { got, at, allowed, .. } => Self::BadChar { what, got, at, allowed },
            Self::NotOneOf { expected, .. } => Self::NotOneOf { what, expected },
        }
    }
}

fn char_name(c: char) -> String {
    if is_invisible(c) { format!("the character U+{:04X}", u32::from(c)) } else { format!("'{c}'") }
}
