//! What a new policy gives and takes, in words: which people, at which services, on which hosts, when.
//!
//! Rules are compared, not outcomes: who is in a group is not known here. What one role takes another may still
//! give, and what one gives another may have given before; where the names alone show that, it is said.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jit_proto::text::Shown;
use jit_proto::words::UserName;

use super::host::HostPattern;
use super::people::PersonName;
use super::retain::Retain;
use super::role::{AtEnd, Role, Stage, Starts, Then};
use super::rules::{ChangeRule, Exempt, Observed};
use super::set::Policy;
use super::who::Who;
use crate::services::Services;
use jit_proto::duration::Human;

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

/// One difference between two policies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Whether it gives access or takes it away.
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
            (None, Some(role)) => {
                let before = otherwise(old, role, &role.eligible, &role.services, &role.hosts, "already");
                about.gains(format!("{} may ask for {}{before}", role.eligible, what(role)));
            }
            (Some(role), None) => {
                let after = otherwise(new, role, &role.eligible, &role.services, &role.hosts, "still");
                about.loses(format!("{} may no longer ask for {}{after}", role.eligible, what(role)));
            }
            (Some(was), Some(is)) => role(&Pair { old, new, was, is }, &mut about),
            (None, None) => {}
        }
    }
    for (name, old, new) in [
        ("admins", &old.rules.admins, &new.rules.admins),
        ("auditors", &old.rules.auditors, &new.rules.auditors),
    ] {
        let mut about = changes.about(name.to_owned());
        let (added, gone) = (new.without(old), old.without(new));
        if !added.is_empty() {
            about.gains(format!("also {added}"));
        }
        if !gone.is_empty() {
            about.loses(format!("no longer {gone}"));
        }
        about.leaves_out("", old, new);
    }
    teams(old, new, &mut changes);
    policy_change(old.rules.change.as_ref(), new.rules.change.as_ref(), &mut changes);
    let kept =
        |retain: Option<Retain>| retain.map_or("for ever".to_owned(), |kept| format!("{kept} at least"));
    changes.about("retain".to_owned()).otherwise(
        "records stay",
        &kept(old.rules.retain),
        &kept(new.rules.retain),
    );
    let mut about = changes.about("exempt".to_owned());
    for rule in new.rules.exempt.difference(&old.rules.exempt) {
        about.gains(format!("{} without asking anybody", exempt(rule)));
    }
    for rule in old.rules.exempt.difference(&new.rules.exempt) {
        about.loses(format!("{} no longer", exempt(rule)));
    }
    let mut about = changes.about("asker".to_owned());
    for asker in new.rules.askers.difference(&old.rules.askers) {
        about.gains(asker.to_string());
    }
    for asker in old.rules.askers.difference(&new.rules.askers) {
        about.loses(format!("no longer: {asker}"));
    }
    for service in old.rules.processes.symmetric_difference(&new.rules.processes) {
        let end =
            |policy: &Policy| policy.ends(service).map_or("no process".to_owned(), |ends| ends.to_string());
        let mut about = changes.about(format!("service {service}"));
        about.otherwise("a login there ends with", &end(old), &end(new));
    }
    let mut about = changes.about("mode".to_owned());
    match (&old.rules.observed, &new.rules.observed) {
        (old, new) if old == new => {}
        (_, Observed::Nothing) => about.loses("every service is enforced".to_owned()),
        (Observed::Nothing, Observed::Everything) => about.gains("nobody is kept out anywhere".to_owned()),
        (_, Observed::Everything) => about.gains("nobody is kept out at any other service either".to_owned()),
        (_, Observed::At(services)) => about.changes(format!("only observed now: {}", list(services))),
    }
    let mut about = changes.about("people".to_owned());
    let (was, is) = (&old.rules.people, &new.rules.people);
    owners("account", &was.accounts, &is.accounts, "a person of its own", &mut about);
    owners("key", &was.keys, &is.keys, "nobody's", &mut about);
    owners("ssh key", &was.ssh_keys, &is.ssh_keys, "nobody's", &mut about);
    sharers(&was.shared, &is.shared, &mut about);
    changes.0.sort();
    changes.0
}

/// Who is in teams and leads them. Whom that lets in, and on whose word, is for the roles to say that ask leads.
fn teams(old: &Policy, new: &Policy, changes: &mut Changes) {
    for name in &old.rules.teams.names() | &new.rules.teams.names() {
        let mut about = changes.about(format!("team {name}"));
        match (old.rules.teams.get(&name), new.rules.teams.get(&name)) {
            (None, Some(team)) => about.changes(format!("{}, led by {}", team.members, team.leads)),
            (Some(team), None) => {
                about.changes(format!("no longer: {}, led by {}", team.members, team.leads));
            }
            (Some(was), Some(is)) => {
                about.otherwise("its members are", &was.members.to_string(), &is.members.to_string());
                about.otherwise("it is led by", &was.leads.to_string(), &is.leads.to_string());
            }
            (None, None) => {}
        }
    }
}

/// What it takes to change the policy: more people who have to agree is less access.
fn policy_change(old: Option<&ChangeRule>, new: Option<&ChangeRule>, changes: &mut Changes) {
    let mut about = changes.about("policy-change".to_owned());
    let said = |rule: &ChangeRule| format!("{} of {}", rule.approvals, rule.approvers);
    let (was, is) = match (old, new) {
        (None, None) => return,
        (None, Some(is)) => return about.loses(format!("a change takes the approval of {}", said(is))),
        (Some(was), None) => return about.gains(format!("an admin alone, no longer with {}", said(was))),
        (Some(was), Some(is)) => (was, is),
    };
    let (added, gone) = (is.approvers.without(&was.approvers), was.approvers.without(&is.approvers));
    if !added.is_empty() {
        about.gains(format!("also approved by {added}"));
    }
    if !gone.is_empty() {
        about.loses(format!("no longer approved by {gone}"));
    }
    about.leaves_out("its approvers: ", &was.approvers, &is.approvers);
    if was.approvals != is.approvals {
        let direction = if is.approvals < was.approvals { Direction::Gains } else { Direction::Loses };
        about.push(direction, format!("{} must approve, was {}", is.approvals, was.approvals));
    }
    let reason =
        |rule: &ChangeRule| if rule.reason { "takes a reason" } else { "takes no reason" }.to_owned();
    about.otherwise("a change", &reason(was), &reason(is));
    if was.signed_only != is.signed_only {
        let text = if is.signed_only { "signed elsewhere alone" } else { "also approved here" };
        about.push(if is.signed_only { Direction::Loses } else { Direction::Gains }, text.to_owned());
    }
    if was.overrides != is.overrides {
        let text = if is.overrides { "root at the console may override" } else { "nobody may override" };
        let direction = if is.overrides { Direction::Gains } else { Direction::Loses };
        about.push(direction, text.to_owned());
    }
}

#[derive(Default)]
struct Changes(Vec<Change>);

impl Changes {
    fn about(&mut self, about: String) -> About<'_> {
        About { topic: about, whose: String::new(), changes: &mut self.0 }
    }
}

struct About<'c> {
    topic: String,
    /// Whom it concerns, before what is said.
    whose: String,
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
        let text = format!("{}{text}", self.whose);
        self.changes.push(Change { direction, about: self.topic.clone(), text });
    }

    /// Something that is neither more nor less.
    fn otherwise(&mut self, what: &str, was: &str, is: &str) {
        if was != is {
            self.changes(format!("{what} {is}; was {was}"));
        }
    }

    /// Something of which more is more access.
    fn more_is_more<T: PartialOrd + fmt::Display>(&mut self, what: &str, old: &T, new: &T) {
        if old != new {
            let text = format!("{what} {new}, was {old}");
            self.push(if new > old { Direction::Gains } else { Direction::Loses }, text);
        }
    }

    /// Whom of those that are named rules leave out: fewer of them is more access.
    fn leaves_out(&mut self, whose: &str, was: &Who, is: &Who) {
        if was.all != is.all {
            let direction = match (is.all.is_superset(&was.all), is.all.is_subset(&was.all)) {
                (true, _) => Direction::Loses,
                (_, true) => Direction::Gains,
                (false, false) => Direction::Changes,
            };
            let shown = |who: &Who| {
                let groups = who.all.iter().map(|group| format!("@{group}")).collect::<Vec<_>>();
                if groups.is_empty() { "no group besides".to_owned() } else { groups.join(" and ") }
            };
            self.push(direction, format!("{whose}must be in {}, was {}", shown(is), shown(was)));
        }
        if !was.except.is_as(&is.except) {
            let direction = match (is.except.includes(&was.except), was.except.includes(&is.except)) {
                (true, _) => Direction::Loses,
                (_, true) => Direction::Gains,
                (false, false) => Direction::Changes,
            };
            self.push(direction, format!("{whose}except {}, was {}", is.except, was.except));
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

/// A role before and after, each in its policy.
struct Pair<'p> {
    old: &'p Policy,
    new: &'p Policy,
    was: &'p Role,
    is: &'p Role,
}

fn role(pair: &Pair<'_>, about: &mut About<'_>) {
    let Pair { was, is, .. } = pair;
    reach(pair, about);
    // Whoever was there all along, for whom the rest changes.
    let who = is.eligible.without(&is.eligible.without(&was.eligible));
    about.whose = if who.is_empty() { String::new() } else { format!("{who}: ") };
    about.leaves_out("", &was.eligible, &is.eligible);
    about.more_is_more("for up to", &Period(was.max_duration), &Period(is.max_duration));
    about.more_is_more("uses:", &was.uses, &is.uses);
    let vec = |set: &BTreeSet<_>| set.iter().copied().collect::<Vec<_>>();
    about.limit("from", &vec(&was.limits.from), &vec(&is.limits.from));
    about.limit("at", &was.limits.hours, &is.limits.hours);
    let vec = |set: &BTreeSet<_>| set.iter().cloned().collect::<Vec<_>>();
    about.limit("su to", &vec(&was.limits.run_as), &vec(&is.limits.run_as));
    if was.emergency != is.emergency {
        let text = if is.emergency { "opens before anybody approved" } else { "opens only once approved" };
        about.push(if is.emergency { Direction::Gains } else { Direction::Loses }, text.to_owned());
    }
    if was.until != is.until {
        let shown = |role: &Role| {
            role.until.as_ref().map_or_else(|| "without an end".to_owned(), |until| format!("until {until}"))
        };
        let longer = match (&was.until, &is.until) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(was), Some(is)) => is > was,
        };
        let direction = if longer { Direction::Gains } else { Direction::Loses };
        about.push(direction, format!("may be asked for {}, was {}", shown(is), shown(was)));
    }
    if was.bounds != is.bounds {
        let direction = match is.bounds.partial_cmp(&was.bounds) {
            Some(Ordering::Greater) => Direction::Gains,
            Some(Ordering::Less) => Direction::Loses,
            Some(Ordering::Equal) | None => Direction::Changes,
        };
        about.push(direction, format!("{}, was {}", is.bounds, was.bounds));
    }
    if was.unreviewed != is.unreviewed {
        let direction = match is.unreviewed.partial_cmp(&was.unreviewed) {
            Some(Ordering::Greater) => Direction::Gains,
            Some(Ordering::Less) => Direction::Loses,
            Some(Ordering::Equal) | None => Direction::Changes,
        };
        let shown =
            |role: &Role| role.unreviewed.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        about.push(direction, format!("without a review: {}, was {}", shown(is), shown(was)));
    }
    if was.apart != is.apart {
        let direction = match (is.apart.is_superset(&was.apart), is.apart.is_subset(&was.apart)) {
            (true, _) => Direction::Loses,
            (_, true) => Direction::Gains,
            (false, false) => Direction::Changes,
        };
        let shown =
            |role: &Role| if role.apart.is_empty() { "no role".to_owned() } else { list(&role.apart) };
        about.push(direction, format!("apart from {}, was {}", shown(is), shown(was)));
    }
    if was.survives_reboot != is.survives_reboot {
        let text = if is.survives_reboot { "goes on after a restart" } else { "ends with a restart" };
        about.push(if is.survives_reboot { Direction::Gains } else { Direction::Loses }, text.to_owned());
    }
    if was.stages_digest() != is.stages_digest() {
        about.changes(format!("approved by {}; was {}", stages(is), stages(was)));
    }
    about.otherwise("begins", &begin(was), &begin(is));
    about.otherwise("at the end", &end(was), &end(is));
    let usual = |role: &Role| Human(role.default_duration).to_string();
    about.otherwise("unless asked otherwise, lasts", &usual(was), &usual(is));
    let reason = |role: &Role| {
        let pattern = role.reason.as_ref().map(|rule| format!("like `{}`", Shown(rule.pattern())));
        pattern.unwrap_or_else(|| "of any kind".to_owned())
    };
    about.otherwise("takes a reason", &reason(was), &reason(is));
    if was.takes_known_ticket() != is.takes_known_ticket() {
        let known = is.takes_known_ticket();
        let text = if known { "takes a ticket that the register lists" } else { "takes any ticket" };
        about.push(if known { Direction::Loses } else { Direction::Gains }, text.to_owned());
    }
}

/// Who may ask for what where: each loss and gain of people, services and hosts, with what other roles say to it.
fn reach(pair: &Pair<'_>, about: &mut About<'_>) {
    let Pair { old, new, was, is } = pair;
    let (added, gone) = (is.eligible.without(&was.eligible), was.eligible.without(&is.eligible));
    let (joined, left) = (services(is, was), services(was, is));
    let (onto, off) = (hosts(is, was), hosts(was, is));
    if !added.is_empty() {
        let before = otherwise(old, is, &added, &is.services, &is.hosts, "already");
        about.gains(format!("{added} may ask for {}{before}", what(is)));
    }
    if !gone.is_empty() {
        let after = otherwise(new, was, &gone, &was.services, &was.hosts, "still");
        about.loses(format!("{gone} may no longer ask for {}{after}", what(was)));
    }
    let (who, those) = (&is.eligible, &was.eligible);
    if !joined.is_empty() {
        let before = otherwise(old, is, who, &joined, &is.hosts, "already");
        about.gains(format!("{who}: also for {}{before}", list(&joined)));
    }
    if !left.is_empty() {
        let after = otherwise(new, was, those, &left, &was.hosts, "still");
        about.loses(format!("{those}: no longer for {}{after}", list(&left)));
    }
    if !onto.is_empty() {
        let before = otherwise(old, is, who, &is.services, &onto, "already");
        about.gains(format!("{who}: also on {}{before}", list(&onto)));
    }
    if !off.is_empty() {
        let after = otherwise(new, was, those, &was.services, &off, "still");
        about.loses(format!("{those}: no longer on {}{after}", list(&off)));
    }
    let except = |of: &Role, other: &Role| {
        of.hosts_except.iter().filter(|host| !other.hosts_except.contains(host)).cloned().collect::<Vec<_>>()
    };
    let (out, back) = (except(is, was), except(was, is));
    if !out.is_empty() {
        let after = otherwise(new, was, those, &was.services, &out, "still");
        about.loses(format!("{those}: no longer on {}, which is excepted{after}", list(&out)));
    }
    if !back.is_empty() {
        let before = otherwise(old, is, who, &is.services, &back, "already");
        about.gains(format!("{who}: also on {}, which was excepted{before}", list(&back)));
    }
}

/// The services of one role that the other does not have.
fn services(of: &Role, other: &Role) -> Services {
    of.services.without(&other.services)
}

/// The hosts of one role that the other does not have.
fn hosts(of: &Role, other: &Role) -> Vec<HostPattern> {
    of.hosts.iter().filter(|host| !other.hosts.contains(host)).cloned().collect()
}

/// What of this a policy gives the same people by other roles, or without asking anybody. Their terms are their own.
/// Nothing where the names do not show it.
fn otherwise(
    policy: &Policy,
    but: &Role,
    who: &Who,
    services: &Services,
    hosts: &[HostPattern],
    word: &str,
) -> String {
    let mut ways = Vec::new();
    let mut way = |of: &Services, name: String| {
        let by = of.both(services);
        if !by.is_empty() {
            ways.push((by, name));
        }
    };
    for rule in policy.rules.exempt.iter().filter(|rule| rule.from.is_empty() && rule.who.includes(who)) {
        way(&rule.services, "without asking".to_owned());
    }
    let everywhere = |host: &HostPattern| matches!(host, HostPattern::Name(glob) if glob.as_str() == "*");
    for role in policy.roles().filter(|role| role.name != but.name && role.eligible.includes(who)) {
        if !role.hosts_except.is_empty() {
            continue; // whether these are among what is excepted the names do not show
        }
        if role.hosts.iter().any(everywhere) || hosts.iter().all(|host| role.hosts.contains(host)) {
            way(&role.services, format!("by role {}", role.name));
        }
    }
    if ways.is_empty() {
        return String::new();
    }
    let all = |by: &Services| by == services;
    let ways =
        ways.iter().map(|(by, name)| if all(by) { name.clone() } else { format!("{} {name}", list(by)) });
    format!(" ({word} {})", ways.collect::<Vec<_>>().join("; "))
}

/// Whose an account or a key is, where that is no longer as it was.
fn owners<T: Ord + fmt::Display>(
    what: &str,
    was: &BTreeMap<T, PersonName>,
    is: &BTreeMap<T, PersonName>,
    nobody: &str,
    about: &mut About<'_>,
) {
    let shown = |owner: Option<&PersonName>| owner.map_or_else(|| nobody.to_owned(), ToString::to_string);
    for thing in was.keys().chain(is.keys()).collect::<BTreeSet<_>>() {
        let (before, after) = (was.get(thing), is.get(thing));
        if before != after {
            about.changes(format!("{what} {thing} is {}, was {}", shown(after), shown(before)));
        }
    }
}

/// Who shares an account, where that is no longer as it was.
fn sharers(
    was: &BTreeMap<UserName, BTreeSet<PersonName>>,
    is: &BTreeMap<UserName, BTreeSet<PersonName>>,
    about: &mut About<'_>,
) {
    let shown = |people: Option<&BTreeSet<PersonName>>| {
        people.map_or_else(|| "not shared".to_owned(), |people| format!("shared by {}", list(people)))
    };
    for account in was.keys().chain(is.keys()).collect::<BTreeSet<_>>() {
        let (before, after) = (was.get(account), is.get(account));
        if before != after {
            about.changes(format!("account {account} is {}, was {}", shown(after), shown(before)));
        }
    }
}

fn begin(role: &Role) -> String {
    match role.starts {
        Starts::AtApproval => "when it is approved".to_owned(),
        Starts::WithHours => "when it is approved, or with the next hours".to_owned(),
        Starts::AtFirstUse { lapse } => format!("with the first login, within {}", Human(lapse)),
    }
}

fn end(role: &Role) -> String {
    let grace = Human(role.grace);
    match role.at_end {
        AtEnd::Terminate => format!("sessions are ended, after {grace} of grace"),
        AtEnd::Drain => format!("what runs may finish within {grace}"),
        AtEnd::Keep { most } => {
            format!("sessions go on for up to {}, and then have {grace} of grace", Human(most))
        }
    }
}

/// What a role gives.
fn what(role: &Role) -> String {
    let mut text =
        format!("{} on {} for up to {}", list(&role.services), role.shown_hosts(), Human(role.max_duration));
    if !role.limits.from.is_empty() {
        text += &format!(", from {}", list(&role.limits.from));
    }
    if !role.limits.hours.is_empty() {
        text += &format!(", at {}", list(&role.limits.hours));
    }
    if let Some(until) = &role.until {
        text += &format!(", until {until}");
    }
    if !role.bounds.is_empty() {
        text += &format!(", {}", role.bounds);
    }
    if !role.apart.is_empty() {
        text += &format!(", apart from {}", list(&role.apart));
    }
    if let Some(rule) = &role.unreviewed {
        text += &format!(", without a review {rule}");
    }
    text + &format!(", approved by {}", stages(role))
}

fn stages(role: &Role) -> String {
    role.stages.iter().map(stage).collect::<Vec<_>>().join(", then ")
}

fn stage(stage: &Stage) -> String {
    let mut text = format!("{} of {}", stage.approvals, stage.approvers);
    if let Some(above) = stage.above {
        text += &format!(" above {}", Human(above));
    }
    if let Some(expires) = stage.expires {
        text += &format!(" within {}", Human(expires));
        if let Then::Ask(next) = &stage.then {
            text += &format!(" or else {next}");
        }
    }
    if let Some(note) = &stage.note {
        text += &format!(" with a note like `{}`", Shown(note.pattern()));
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
