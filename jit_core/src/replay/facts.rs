//! In which groups people must have been, by what they were given: who may ask by a role that does not name them was in one
//! of its groups.

use std::collections::{BTreeMap, BTreeSet};

use jit_proto::words::{GroupName, UserName};

use crate::policy::Who;

/// So many possibilities are tried for one person; beyond that, no more is learned of them.
const MOST: usize = 16;

/// What is known of everybody's groups.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Of each, sets of groups of which they were in at least one.
    one_of: BTreeMap<UserName, BTreeSet<BTreeSet<GroupName>>>,
}

impl Facts {
    /// Somebody was among these people: of those whom a name brought in, nothing is learned.
    pub(super) fn learn<'w>(&mut self, user: &UserName, among: impl IntoIterator<Item = &'w Who>) {
        let among: Vec<&Who> = among.into_iter().collect();
        // By whichever of them it was, they were in each of these.
        let every = |group: &&GroupName| among.iter().all(|who| who.all.contains(*group));
        let all = among.first().into_iter().flat_map(|who| &who.all).filter(every);
        let all: Vec<_> = all.map(|group| BTreeSet::from([group.clone()])).collect();
        if !all.is_empty() {
            self.one_of.entry(user.clone()).or_default().extend(all);
        }
        let mut groups = BTreeSet::new();
        for who in among {
            if who.users.contains(user) {
                return;
            }
            groups.extend(who.groups.iter().cloned());
        }
        let known = self.one_of.entry(user.clone()).or_default();
        if groups.is_empty() || known.iter().any(|one_of| one_of.is_subset(&groups)) {
            return;
        }
        // What is more exact takes the place of what it follows from.
        known.retain(|one_of| !groups.is_subset(one_of));
        known.insert(groups);
        if combined(known).len() > MOST {
            known.clear();
        }
    }

    /// It was said of somebody that they are in none that would do: what was known of them is old.
    pub(super) fn forget(&mut self, user: &UserName) {
        self.one_of.remove(user);
    }

    /// The groups that somebody may have been in: each way to be in no more than is known.
    pub(super) fn least(&self, user: &UserName) -> Vec<BTreeSet<GroupName>> {
        self.one_of.get(user).map_or_else(|| vec![BTreeSet::new()], combined)
    }
}

/// One of each.
fn combined(one_of: &BTreeSet<BTreeSet<GroupName>>) -> Vec<BTreeSet<GroupName>> {
    let mut ways: Vec<BTreeSet<GroupName>> = vec![BTreeSet::new()];
    for choices in one_of {
        let with = |way: &BTreeSet<GroupName>| -> Vec<_> {
            choices.iter().map(|group| way.iter().chain([group]).cloned().collect()).collect()
        };
        ways = ways.iter().flat_map(with).collect();
        if ways.len() > MOST {
            break;
        }
    }
    ways
}
