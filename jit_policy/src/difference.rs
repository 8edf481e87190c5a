//! The difference between two policies, cut to what fits into a record.

use serde::{Deserialize, Serialize};

use super::diff::diff;
use super::set::Policy;
use crate::text::cut;

/// The most lines of a record's difference; the files beside it are whole.
const MOST_LINES: usize = 100;

/// The longest line, in bytes.
const LONGEST_LINE: usize = 1000;

/// The lines of [`diff`], and how many more there were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Gains, losses and changes, each a line as [`super::Change`] writes it.
    pub lines: Vec<String>,
    /// Lines that did not fit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's predicate takes a reference
const fn is_zero(more: &usize) -> bool {
    *more == 0
}

impl Difference {
    /// What the new policy changes of the old one.
    #[must_use]
    pub fn between(old: &Policy, new: &Policy) -> Self {
        let changes = diff(old, new);
        let more = changes.len().saturating_sub(MOST_LINES);
        let lines = changes.iter().take(MOST_LINES).map(|change| cut(change.to_string(), LONGEST_LINE));
        Self { lines: lines.collect(), more }
    }

    /// How many changes there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lines.len() + self.more
    }
}
