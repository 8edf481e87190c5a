//! Who approved what is open or will be: they may end it, until it is over.

use jit_proto::words::GrantId;

use super::State;
use crate::model::{Decision, Person, Review};

impl State {
    /// Whoever approved a live grant, also what an emergency owed.
    pub fn approvers(&self, grant: GrantId) -> impl Iterator<Item = &Person> {
        let owed = self.owed.get(&grant.into()).filter(|_| self.grants.contains_key(&grant));
        let owed = owed.into_iter().flat_map(|pending| approvers(&pending.reviews));
        self.approved.get(&grant).into_iter().flatten().chain(owed)
    }

    /// Remembers them for as long as the grant lives.
    pub(super) fn keep_approvers(&mut self, grant: GrantId, reviews: &[Review]) {
        let approved: Vec<Person> = approvers(reviews).cloned().collect();
        if !approved.is_empty() {
            self.approved.insert(grant, approved);
        }
    }
}

fn approvers(reviews: &[Review]) -> impl Iterator<Item = &Person> {
    reviews.iter().filter(|review| review.decision == Decision::Approve).map(|review| &review.by)
}
