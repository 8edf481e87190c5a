//! What the name service has said of an account. It answers one question at a time, the name with its uid and then each
//! group, and each of these answers may be late, or never come.

use std::collections::BTreeSet;

use jit_proto::words::GroupName;

use crate::policy::{KeptOutBy, Subject};

/// What the name service has said of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Name, uid and every group.
    Fully(Subject),
    /// Name, uid and some groups: the account is in those of the subject and in none of these. Of every other group
    /// nothing has been said, be it that there was no answer or that nobody asked.
    Partly(Subject, BTreeSet<GroupName>),
    /// No such account.
    Not,
    /// The name service failed or did not answer in time.
    Unanswered,
}

impl Known {
    /// Of an account it was said that it is in its groups and in none of these. Where a rule excepts a group of which nothing
    /// was said, it counts as one that the account is in.
    #[must_use]
    pub fn partly(subject: Subject, not_in: BTreeSet<GroupName>) -> Self {
        let subject = Subject { kept_out_by: KeptOutBy::AllBut(not_in.clone()), ..subject };
        Self::Partly(subject, not_in)
    }

    /// Name and uid, with the groups that the account certainly is in.
    #[must_use]
    pub const fn subject(&self) -> Option<&Subject> {
        match self {
            Self::Fully(subject) | Self::Partly(subject, _) => Some(subject),
            Self::Not | Self::Unanswered => None,
        }
    }

    /// Those of the given groups for which membership is not known.
    #[must_use]
    pub fn unanswered<'g>(&self, groups: impl IntoIterator<Item = &'g GroupName>) -> BTreeSet<GroupName> {
        match self {
            Self::Fully(_) | Self::Not => BTreeSet::new(),
            Self::Partly(subject, not_in) => {
                let open = |group: &&GroupName| !subject.groups.contains(*group) && !not_in.contains(*group);
                groups.into_iter().filter(open).cloned().collect()
            }
            Self::Unanswered => groups.into_iter().cloned().collect(),
        }
    }

    /// The subject, if membership is known for each of these groups.
    #[must_use]
    pub fn certain<'k, 'g>(&'k self, groups: impl IntoIterator<Item = &'g GroupName>) -> Option<&'k Subject> {
        self.subject().filter(|_| self.unanswered(groups).is_empty())
    }

    /// Merges an answer with an earlier one of the same account: groups that the new answer does not cover keep the
    /// earlier answer. A name service that fails changes nothing.
    #[must_use]
    pub fn after<'g>(self, before: &Self, groups: impl IntoIterator<Item = &'g GroupName>) -> Self {
        let (Self::Partly(subject, not_in), Some(was)) = (&self, before.subject()) else {
            return if self == Self::Unanswered { before.clone() } else { self };
        };
        if (&subject.name, subject.uid) != (&was.name, was.uid) {
            return self;
        }
        let (mut subject, mut not_in) = (subject.clone(), not_in.clone());
        for group in self.unanswered(groups) {
            if was.groups.contains(&group) {
                subject.groups.insert(group);
            } else if before.denies(&group) {
                not_in.insert(group);
            }
        }
        Self::partly(subject, not_in)
    }

    /// Whether it has been said that the account is not in this group.
    #[must_use]
    pub fn denies(&self, group: &GroupName) -> bool {
        match self {
            Self::Fully(subject) => !subject.groups.contains(group),
            Self::Partly(_, not_in) => not_in.contains(group),
            Self::Not | Self::Unanswered => false,
        }
    }
}
