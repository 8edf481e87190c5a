//! What can be said of `[policy-change]`: whether anybody could ever change the policy again.

use std::collections::BTreeSet;

use super::code;
use super::finding::{Log, Spot};
use super::lint::names;
use super::lint_whole::{Places, by_name, stuck};
use super::people::Human;
use super::rules::Rules;

/// Whether enough different people can approve a change, whichever admin named by name loads it. Where a group may
/// approve, only the host knows.
pub(super) fn change(rules: &Rules, spot: &Spot, log: &mut Log<'_>) {
    let Some(change) = &rules.change else { return };
    if !change.overrides {
        let message = "without `override`, a mistake in the policy takes its approvers to mend, and if they cannot be \
                       reached, nobody can";
        log.add(code::NO_OVERRIDE, spot, message);
    }
    if !change.approvers.groups.is_empty() {
        return;
    }
    let people = &rules.people;
    let humans: BTreeSet<Human> = by_name(&change.approvers).map(|user| people.human(user)).collect();
    let needed = change.approvals;
    let shown = names(&humans);
    let places = [Places { needed, humans }];
    if stuck(&places, &BTreeSet::new()).is_some() {
        let message =
            format!("no change of the policy could ever be approved: that takes {needed}, and {shown} may");
        log.add_with_hint(code::UNCHANGEABLE, spot, message, "name more approvers, or a group");
        return;
    }
    let admins: BTreeSet<Human> = by_name(&rules.admins).map(|user| people.human(user)).collect();
    let cannot = |admin: &&Human| stuck(&places, &BTreeSet::from([(*admin).clone()])).is_some();
    let stuck: BTreeSet<Human> = admins.iter().filter(cannot).cloned().collect();
    if stuck.is_empty() {
        return;
    }
    let nobody = stuck.len() == admins.len() && rules.admins.groups.is_empty();
    let (code, who) = if nobody {
        (code::UNCHANGEABLE, "no admin".to_owned())
    } else {
        (code::CANNOT_CHANGE, names(&stuck))
    };
    let message = format!(
        "{who} could ever change the policy: nobody approves their own change, {needed} must approve, and {shown} may"
    );
    let message = if nobody { message } else { message.replacen("could ever", "could never", 1) };
    log.add_with_hint(code, spot, message, "name one more approver, or a group");
}
