//! What a new policy gives and takes, in words: which people, at which services, on which hosts, when.
//!
//! Rules are compared, not outcomes: who is in a group is not known here, and what one role takes another may
//! still give.

use std::collections::BTreeSet;
use std::fmt;

use super::{Exempt, HostPattern, Observed, Policy, Role, Stage, Then, Who};
use crate::duration::Human;

/// Whether access grows or shrinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Somebody can do more.
    Gains,
    /// Somebody can do less.
    Loses,
    /// It depends, or access stays and something about it changes.
    Changes,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Which way.
    pub direction: Direction,
    /// What it is about: `role db-oncall`, `admins`.
    pub about: String,
    /// What changes, in words.
    pub text: String,
}

/// `+ role db-oncall: @dba may …`: `+` gains, `-` loses, `~` changes.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.direction {
            Direction::Gains => '+',
            Direction::Loses => '-',
            Direction::Changes => '~',
        };
        write!(f, "{sign} {}: {}", self.about, self.text)
    }
}

/// What changes from one policy to another: gains first, then losses, then the rest, each by what it is about.
/// Empty where both mean the same, however the files look.
#[must_use]
pub fn diff(old: &Policy, new: &Policy) -> Vec<Change> {
    let mut changes = Changes::default();
    let names: BTreeSet<_> = old.rules.roles.keys().chain(new.rules.roles.keys()).collect();
    for name in names {
        let mut about = changes.about(format!("role {name}"));
        match (old.role(name), new.role(name)) {
            (None, Some(role)) => about.gains(format!("{} may ask for {}", role.eligible, what(role))),
            (Some(role), None) => {
                about.loses(format!("{} may no longer ask for {}", role.eligible, what(role)));
            }
            (Some(old), Some(new)) => role(old, new, &mut about),
            (None, None) => {}
        }
    }
    for (name, old, new) in [
        ("admins", &old.rules.admins, &new.rules.admins),
        ("auditors", &old.rules.auditors, &new.rules.auditors),
    ] {
        people(old, new, name, &mut changes.about(name.to_owned()));
    }
    let mut about = changes.about("exempt".to_owned());
    for rule in new.rules.exempt.difference(&old.rules.exempt) {
        about.gains(format!("{} without asking anybody", exempt(rule)));
    }
    for rule in old.rules.exempt.difference(&new.rules.exempt) {
        about.loses(format!("{} no longer", exempt(rule)));
    }
    let mut about = changes.about("mode".to_owned());
    match (&old.rules.observed, &new.rules.observed) {
        (old, new) if old == new => {}
        (_, Observed::Nothing) => about.loses("every service is enforced".to_owned()),
        (Observed::Nothing, Observed::Everything) => about.gains("nobody is kept out anywhere".to_owned()),
        (_, Observed::Everything) => about.gains("nobody is kept out at any other service either".to_owned()),
        (_, Observed::At(services)) => about.changes(format!("only observed now: {}", list(services))),
    }
    if old.rules.people != new.rules.people {
        changes.about("people".to_owned()).changes("other accounts or keys are one human".to_owned());
    }
    changes.0.sort();
    changes.0
}

#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn about(&mut self, about: String) -> About<'_> {
        About { about, changes: &mut self.0 }
    }
}

struct About<'c> {
    about: String,
    changes: &'c mut Vec<Change>,
}

impl About<'_> {
    fn gains(&mut self, text: String) {
        self.push(Direction::Gains, text);
    }

    fn loses(&mut self, text: String) {
        self.push(Direction::Loses, text);
    }

    fn changes(&mut self, text: String) {
        self.push(Direction::Changes, text);
    }

    fn push(&mut self, direction: Direction, text: String) {
        self.changes.push(Change { direction, about: self.about.clone(), text });
    }

    /// Something of which more is more access.
    fn more_is_more<T: PartialOrd + fmt::Display>(&mut self, what: &str, old: &T, new: &T) {
        if old != new {
            let text = format!("{what} {new}, was {old}");
            self.push(if new > old { Direction::Gains } else { Direction::Loses }, text);
        }
    }

    /// A list of which each entry is more access.
    fn each_is_more<T: Ord + fmt::Display>(&mut self, what: &str, old: &BTreeSet<T>, new: &BTreeSet<T>) {
        let (added, gone): (Vec<_>, Vec<_>) = (new.difference(old).collect(), old.difference(new).collect());
        if !added.is_empty() {
            self.gains(format!("also {what} {}", list(added)));
        }
        if !gone.is_empty() {
            self.loses(format!("no longer {what} {}", list(gone)));
        }
    }

    /// A list of which none at all is no limit.
    fn limit<T: PartialEq + fmt::Display>(&mut self, what: &str, old: &[T], new: &[T]) {
        if old == new {
            return;
        }
        let direction = match (old, new) {
            ([], _) => Direction::Loses,
            (_, []) => Direction::Gains,
            (old, new) if old.iter().all(|one| new.contains(one)) => Direction::Gains,
            (old, new) if new.iter().all(|one| old.contains(one)) => Direction::Loses,
            _ => Direction::Changes,
        };
        let shown = |list_: &[T]| if list_.is_empty() { "any".to_owned() } else { list(list_) };
        self.push(direction, format!("{what} {}, was {}", shown(new), shown(old)));
    }
}

fn role(old: &Role, new: &Role, about: &mut About<'_>) {
    people(&old.eligible, &new.eligible, "may ask", about);
    let hosts = |role: &Role| role.hosts.iter().cloned().collect::<BTreeSet<HostPattern>>();
    about.each_is_more("on", &hosts(old), &hosts(new));
    about.each_is_more("for", &old.services, &new.services);
    about.more_is_more("for up to", &Period(old.max_duration), &Period(new.max_duration));
    about.more_is_more("uses:", &old.uses, &new.uses);
    let vec = |set: &BTreeSet<_>| set.iter().copied().collect::<Vec<_>>();
    about.limit("from", &vec(&old.limits.from), &vec(&new.limits.from));
    about.limit("at", &old.limits.hours, &new.limits.hours);
    let vec = |set: &BTreeSet<_>| set.iter().cloned().collect::<Vec<_>>();
    about.limit("su to", &vec(&old.limits.run_as), &vec(&new.limits.run_as));
    if old.emergency != new.emergency {
        let text = if new.emergency { "opens before anybody approved" } else { "opens only once approved" };
        about.push(if new.emergency { Direction::Gains } else { Direction::Loses }, text.to_owned());
    }
    if old.stages_digest() != new.stages_digest() {
        about.changes(format!("approved by {}; was {}", stages(new), stages(old)));
    }
    // Whatever else counts, so that no change of terms goes unsaid.
    let rest = |role: &Role| {
        let Role { starts, survives_reboot, at_end, grace, default_duration, .. } = role;
        let pattern = role.reason.as_ref().map(|rule| rule.pattern().to_owned());
        (*starts, *survives_reboot, *at_end, *grace, *default_duration, pattern)
    };
    if rest(old) != rest(new) {
        about.changes("other terms: start, end, default duration, restart or reason".to_owned());
    }
}

fn people(old: &Who, new: &Who, what: &str, about: &mut About<'_>) {
    let (added, gone) = (new.without(old), old.without(new));
    if !added.is_empty() {
        about.gains(format!("{added} ({what})"));
    }
    if !gone.is_empty() {
        about.loses(format!("{gone} ({what})"));
    }
}

/// What a role gives.
fn what(role: &Role) -> String {
    let mut text =
        format!("{} on {} for up to {}", list(&role.services), list(&role.hosts), Human(role.max_duration));
    if !role.limits.from.is_empty() {
        text += &format!(", from {}", list(&role.limits.from));
    }
    if !role.limits.hours.is_empty() {
        text += &format!(", at {}", list(&role.limits.hours));
    }
    text + &format!(", approved by {}", stages(role))
}

fn stages(role: &Role) -> String {
    role.stages.iter().map(stage).collect::<Vec<_>>().join(", then ")
}

fn stage(stage: &Stage) -> String {
    let mut text = format!("{} of {}", stage.approvals, stage.approvers);
    if let Some(expires) = stage.expires {
        text += &format!(" within {}", Human(expires));
        if let Then::Ask(next) = &stage.then {
            text += &format!(" or else {next}");
        }
    }
    text + &format!(" ({})", list(&stage.accept))
}

fn exempt(rule: &Exempt) -> String {
    let from = if rule.from.is_empty() { String::new() } else { format!(" from {}", list(&rule.from)) };
    format!("{} at {}{from}", rule.who, list(&rule.services))
}

fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// A duration that compares by length and reads as a person writes it.
#[derive(PartialEq, PartialOrd)]
struct Period(std::time::Duration);

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Human(self.0).fmt(f)
    }
}
