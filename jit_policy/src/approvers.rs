//! Whom a stage asks: one set of people, or several of each of which so many have to approve, in any order.

use std::collections::BTreeSet;
use std::fmt;

use super::people::Subject;
use super::who::Who;
use crate::digest::Canonical;

/// One set of people, or several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Approvers {
    first: Who,
    /// Those behind it. Sorted with it, so that the order in the file changes nothing.
    more: Vec<Who>,
}

impl From<Who> for Approvers {
    fn from(who: Who) -> Self {
        Self { first: who, more: Vec::new() }
    }
}

impl Approvers {
    /// Each of these; nothing where there are none.
    pub(super) fn each(sets: BTreeSet<Who>) -> Option<Self> {
        let mut sets = sets.into_iter();
        Some(Self { first: sets.next()?, more: sets.collect() })
    }

    /// The sets, one at least, by their numbers from 0.
    #[must_use]
    pub fn sets(&self) -> impl ExactSizeIterator<Item = &Who> + Clone {
        Sets { all: self, next: 0 }
    }

    /// The same sets, each as it comes out of this, by the same numbers.
    #[must_use]
    pub fn map(&self, with: impl Fn(&Who) -> Who) -> Self {
        Self { first: with(&self.first), more: self.more.iter().map(with).collect() }
    }

    pub(super) fn sets_mut(&mut self) -> impl Iterator<Item = &mut Who> {
        [&mut self.first].into_iter().chain(&mut self.more)
    }

    /// Whether there are several.
    #[must_use]
    pub const fn are_several(&self) -> bool {
        !self.more.is_empty()
    }

    /// Whether the subject is in one of them.
    #[must_use]
    pub fn contains(&self, subject: &Subject) -> bool {
        self.sets().any(|who| who.contains(subject))
    }

    /// The numbers of those that the subject is in.
    #[must_use]
    pub fn with(&self, subject: &Subject) -> BTreeSet<usize> {
        self.sets().enumerate().filter(|(_, who)| who.contains(subject)).map(|(number, _)| number).collect()
    }

    pub(super) fn write_to(&self, bytes: &mut Canonical) {
        // Where there is one, as in every policy of before there could be several, the digest is what it was.
        if self.are_several() {
            bytes.part(b"each");
            bytes.part(&(self.sets().len() as u64).to_be_bytes());
        }
        self.sets().for_each(|who| who.write_to(bytes));
    }
}

#[derive(Clone)]
struct Sets<'a> {
    all: &'a Approvers,
    next: usize,
}

impl<'a> Iterator for Sets<'a> {
    type Item = &'a Who;

    fn next(&mut self) -> Option<&'a Who> {
        let place = self.next;
        self.next += 1;
        place.checked_sub(1).map_or(Some(&self.all.first), |behind| self.all.more.get(behind))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.all.more.len() + 1).saturating_sub(self.next);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Sets<'_> {}

/// `@ops`, or `each of @ops and @admin`.
impl fmt::Display for Approvers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.are_several() {
            return self.first.fmt(f);
        }
        let sets = self.sets().map(ToString::to_string).collect::<Vec<_>>();
        write!(f, "each of {}", sets.join(" and "))
    }
}
