//! What cannot work or be safe, as far as the files alone can tell: rules that are well formed one by one and
//! wrong together. What depends on a host (who is in a group) is not judged here.

use std::collections::BTreeSet;

use jit_proto::words::ServiceName;

use super::asker::Asker;
use super::code;
use super::finding::{Log, Spot};
use super::reason::ReasonRule;
use super::retain::Retain;
use super::role::{Method, Role, Stage, Starts};
use super::rules::{Exempt, Observed};
use super::shape::quoted;
use super::who::Who;
use jit_proto::duration::Human;

/// How many names a message holds.
const NAMES: usize = 5;

/// A request that names no time would be refused for asking too much.
pub(super) fn durations(role: &Role, spot: &Spot, log: &mut Log<'_>) {
    if role.default_duration > role.max_duration {
        let (default, max) = (Human(role.default_duration), Human(role.max_duration));
        let message = format!(
            "`default-duration` of role `{}` ({default}) is longer than its `max-duration` ({max})",
            role.name
        );
        log.add(code::DEFAULT_OVER_MAX, spot, message);
    }
}

/// Limits that contradict the rest of the role, or mean nothing in it.
pub(super) fn bounds(role: &Role, spot: &Spot, log: &mut Log<'_>) {
    let (name, bounds) = (&role.name, &role.bounds);
    if let Some(in_all) = bounds.in_all.filter(|in_all| *in_all < role.max_duration) {
        let message = format!(
            "`in-all` of role `{name}` is {}, and one window may be {} by itself",
            Human(in_all),
            Human(role.max_duration)
        );
        log.add_with_hint(
            code::SHORT_IN_ALL,
            spot,
            message,
            "make `max-duration` as short, or `in-all` longer",
        );
    }
    let mut idle = |message: String| log.add(code::IDLE_LIMIT, spot, message);
    if let Some((each, most)) = bounds.each.zip(bounds.at_once).filter(|(each, most)| each > most) {
        idle(format!("`each` of role `{name}` is {each}, and there are no more than {most} at once anyway"));
    }
    if role.emergency {
        let passed = [("at-once", bounds.at_once.is_some()), ("rest", bounds.rest.is_some())];
        for (key, _) in passed.into_iter().filter(|(_, is_there)| *is_there) {
            idle(format!(
                "role `{name}` is for emergencies, which pass `{key}`: the record says so, and nothing stops them"
            ));
        }
    }
}

/// A window that begins with hours which the role has not, or that must not wait for them.
pub(super) fn starts(role: &Role, spot: &Spot, log: &mut Log<'_>) {
    if role.starts != Starts::WithHours {
        return;
    }
    let name = &role.name;
    if role.limits.hours.is_empty() {
        let message = format!("windows of role `{name}` begin with its hours, and it has none");
        log.add_with_hint(code::WITH_HOURS, spot, message, "add `hours`, or leave `starts` out");
    }
    if role.emergency {
        let message = format!("role `{name}` is for emergencies, which wait for no hours");
        log.add(code::WITH_HOURS, spot, message);
    }
}

/// Stages that some requests, or all, do without.
pub(super) fn above(role: &Role, spot: &Spot, log: &mut Log<'_>) {
    let name = &role.name;
    if let Some(least) = role.stages.iter().map(|stage| stage.above).min().flatten() {
        let message = format!(
            "every stage of role `{name}` has `above`: a request of up to {} would open on nobody's word",
            Human(least)
        );
        log.add_with_hint(code::ALL_ABOVE, spot, message, "leave `above` out of one stage");
    }
    for stage in &role.stages {
        let Some(above) = stage.above.filter(|above| *above >= role.max_duration) else { continue };
        let message = format!(
            "stage `{}` of role `{name}` is for requests above {}, and `max-duration` is {}: only extensions come to it",
            stage.name,
            Human(above),
            Human(role.max_duration)
        );
        log.add(code::NEVER_ABOVE, spot, message);
    }
}

/// A code carries nothing but a yes or a no.
pub(super) fn note(stage: &Stage, spot: &Spot, log: &mut Log<'_>) {
    if stage.note.is_some() && stage.accept.contains(&Method::Code) {
        let message =
            format!("stage `{}` wants a note with each approval, and no code carries one", stage.name);
        log.add_with_hint(code::NOTE_BY_CODE, spot, message, "add accept = [\"online\", \"signature\"]");
    }
}

/// `run-as` is kept by jitd for su, which names the account. Of sudo PAM learns it too late; sudoers keeps that.
pub(super) fn run_as(role: &Role, spot: &Spot, log: &mut Log<'_>) {
    if role.limits.run_as.is_empty() {
        return;
    }
    let message = if role.services.iter().any(ServiceName::is_sudo) {
        format!("`run-as` cannot be kept for sudo, which role `{}` opens too", role.name)
    } else if !role.services.iter().any(ServiceName::is_su) {
        format!("`run-as` is about su, which role `{}` does not open", role.name)
    } else {
        return;
    };
    let hint = "keep su in a role of its own; for sudo, name the accounts in sudoers(5)";
    log.add_with_hint(code::RUN_AS, spot, message, hint);
}

/// A rule on reasons that asks for nothing only looks like one.
pub(super) fn easy_pattern(rule: &ReasonRule, spot: &Spot, log: &mut Log<'_>) {
    if let Some(trifle) = rule.trifle() {
        let message = format!("a reason of {} would fit this pattern", quoted(&trifle));
        let hint = "ask for more of it, as in pattern = \".{8,}\"; ^ and $ stand for the ends";
        log.add_with_hint(code::EASY_PATTERN, spot, message, hint);
    }
}

/// Where nothing is enforced, somebody should know.
/// A time that is shorter than others will ask for.
pub(super) fn retain(retain: Retain, spot: &Spot, log: &mut Log<'_>) {
    if retain.is_short() {
        let message = format!(
            "records may leave this host after {retain}: most rules on audit logs ask for a year and more"
        );
        log.add(code::SHORT_RETAIN, spot, message);
    }
}

pub(super) fn observed(observed: &Observed, spot: &Spot, log: &mut Log<'_>) {
    let what = match observed {
        Observed::Nothing => return,
        Observed::At(services) => services.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        Observed::Everything => "every service".to_owned(),
    };
    log.add(
        code::OBSERVED,
        spot,
        format!("{what} is observed: jitd records what it would say, and keeps nobody out"),
    );
}

/// What it means that a program is believed.
pub(super) fn asker(asker: &Asker, spot: &Spot, log: &mut Log<'_>) {
    let services = names(&asker.services().iter().collect());
    let message = format!(
        "whatever runs as `{}` may ask about anybody at {services}: it can spend the uses of a window there, and could \
         lie about who asks",
        asker.account()
    );
    log.add(code::ASKS_FOR_OTHERS, spot, message);
}

/// Whether enough distinct people can approve once the requester is left out. Where a group may approve, only
/// the host knows.
pub(super) fn approvers(stage: &Stage, eligible: &Who, spot: &Spot, log: &mut Log<'_>) {
    for set in stage.approvers.sets().filter(|set| set.is_by_name()) {
        of_set(set, stage.needed(), eligible, spot, log);
    }
}

fn of_set(set: &Who, needed: usize, eligible: &Who, spot: &Spot, log: &mut Log<'_>) {
    // Those whom `all` leaves out besides only the host knows; with fewer it would be no better.
    let users = &(&set.users - &set.except.users);
    if users.len() < needed {
        let message = format!(
            "nobody could ever get this role: {needed} approvals are needed, and {} may approve ({})",
            people(users.len()),
            names(users)
        );
        log.add(code::TOO_FEW_APPROVERS, spot, message);
        return;
    }
    let stuck: BTreeSet<_> = eligible.users.intersection(users).cloned().collect();
    if !stuck.is_empty() && users.len() - 1 < needed {
        let message = format!(
            "{} could never get this role: nobody approves their own request, and of {} that leaves {} where \
             {needed} must approve",
            names(&stuck),
            names(users),
            users.len() - 1,
        );
        log.add_with_hint(code::NEVER_APPROVED, spot, message, "name one more approver, or a group");
    }
}

/// Nobody could revoke, lock or confirm that the clock is right.
pub(super) fn no_admins(log: &mut Log<'_>) {
    let message = "no file has [admins]: nobody could revoke, lock or confirm that the clock is right";
    let hint = "add [admins] with users = [\"root\"] or groups = […]";
    log.add_with_hint(code::NO_ADMINS, &Spot::file(0), message, hint);
}

/// Whether somebody gets in at the console without a grant.
pub(super) fn console(exempt: &BTreeSet<Exempt>, log: &mut Log<'_>) {
    // A login at the console comes from no address.
    let at_console = |rule: &Exempt| {
        // A way in that depends on what a name service says of an exception is none when that is down.
        rule.from.is_empty()
            && rule.who.is_sure_of_names()
            && rule.services.iter().any(|service| service.as_str() == "login")
    };
    if !exempt.iter().any(at_console) {
        let is_narrowed = |rule: &Exempt| {
            !rule.who.is_sure_of_names() && rule.services.iter().any(|one| one.as_str() == "login")
        };
        let message = if exempt.iter().any(is_narrowed) {
            "the [[exempt]] for the service `login` depends on groups in `all` or `except`: as long as one of them cannot be \
             read, nobody gets in at the console"
        } else {
            "no [[exempt]] has the service `login`: a mistake in a rule could lock everybody out"
        };
        let hint = "add [[exempt]] with users = [\"root\"] and services = [\"login\"]";
        log.add_with_hint(code::NO_CONSOLE, &Spot::file(0), message, hint);
    }
}

fn people(count: usize) -> String {
    if count == 1 { "1 person".to_owned() } else { format!("{count} people") }
}

/// Names in order, as many as a line holds.
pub(super) fn names<T: ToString>(names: &BTreeSet<T>) -> String {
    if names.is_empty() {
        return "nobody".to_owned();
    }
    let mut shown: Vec<_> = names.iter().take(NAMES).map(ToString::to_string).collect();
    if names.len() > NAMES {
        shown.push(format!("{} more", names.len() - NAMES));
    }
    shown.join(", ")
}
