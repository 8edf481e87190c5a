//! What follows of what was read. Nothing is read here.

mod accounts;
mod doors;
mod sshd;
pub mod stacks;
mod sudoers;

use super::finding::{Finding, Rules};
use super::seen::Seen;

/// All that is found, the worst first.
#[must_use]
pub fn judge(seen: &Seen, rules: Option<Rules<'_>>) -> Vec<Finding> {
    let mut found = Vec::new();
    stacks::judge(seen, rules, &mut found);
    doors::judge(seen, rules, &mut found);
    sshd::judge(seen, rules, &mut found);
    sudoers::judge(seen, &mut found);
    accounts::judge(seen, &mut found);
    found.sort_by(|a, b| (a.severity, &a.about, a.id).cmp(&(b.severity, &b.about, b.id)));
    found
}
