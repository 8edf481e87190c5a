//! Parses one `[role.NAME]` table.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::civil::Date;
use jit_proto::words::RoleName;

use super::bounds::{Bounds, MAX_REST};
use super::finding::{Log, Spot};
use super::host::HostPattern;
use super::hours::{Clock, Days, Hours};
use super::parse_parts::filled;
use super::parse_unreviewed::{self, unreviewed};
use super::parts::PartName;
use super::reason::Patterns;
use super::reason::ReasonRule;
use super::role::Method;
use super::role::{AtEnd, Limits, Role, Stage, Starts, Then, Uses};
use super::shape::{HOURS, LIMITS, NOTE, REASON, ROLE, STAGE, quoted};
use super::until::Until;
use super::walk::{Node, Table};
use super::words::{approvers, asked, eligible, networks, services};
use super::{code, lint, lint_except, lint_roles};

/// How long a summary, a hint and a stage's name may be, in characters: they stand in tables and log lines.
const MAX_LINE: usize = 200;

/// The longest pattern on reasons, in characters.
const MAX_PATTERN: usize = 1_000;

/// The window where neither the request nor the role names one, if the role's longest is not shorter.
const USUAL_DURATION: Duration = Duration::from_hours(1);

/// How long a grant waits for its first use where the role does not say.
const USUAL_LAPSE: Duration = Duration::from_hours(24);

/// How long work may take to finish where the role does not say, and the most it may say.
const USUAL_GRACE: Duration = Duration::from_secs(5);
const MAX_GRACE: Duration = Duration::from_mins(30);

/// When people are told of the end where the role does not say.
const USUAL_WARN: [Duration; 2] = [Duration::from_mins(10), Duration::from_mins(1)];

/// Reads what a profile has, and keeps nothing of it: whatever is wrong with a value is said once, whoever uses it.
pub(super) fn profile_alone(name: &PartName, table: Table<'_>, patterns: &mut Patterns, log: &mut Log<'_>) {
    read(name.as_role().clone(), &table, patterns, log);
}

/// Reads one role. `None` where any of it is bad, so that no half of a role is ever in force.
pub(super) fn role(
    name: RoleName,
    node: &Node<'_>,
    patterns: &mut Patterns,
    log: &mut Log<'_>,
) -> Option<Role> {
    let table = filled(node.table(&ROLE, log)?, log);
    let (role, approvers) = read(name, &table, patterns, log)?;
    lint::durations(&role, &table.spot_of("default-duration"), log);
    lint::bounds(&role, &table.spot_of("limits"), log);
    lint::starts(&role, &table.spot_of("starts"), log);
    lint::above(&role, &table.spot_of("stage"), log);
    lint_except::hosts(&role, &table.spot_of("hosts-except"), log);
    parse_unreviewed::judge(&role, &table.spot_of("unreviewed"), log);
    lint::run_as(&role, &table.spot_of("run-as"), log);
    for (stage, spot) in role.stages.iter().zip(&approvers) {
        lint::approvers(stage, &role.eligible, spot, log);
    }
    Some(role)
}

/// The values of a role, and where the approvers of each stage stand.
fn read(
    name: RoleName,
    table: &Table<'_>,
    patterns: &mut Patterns,
    log: &mut Log<'_>,
) -> Option<(Role, Vec<Spot>)> {
    let summary = table.optional("summary", |node, log| node.line(MAX_LINE, log), log);
    let hosts = table.required("hosts", |node, log| node.some(host, log), log);
    let hosts_except = table.optional("hosts-except", |node, log| node.some(host, log), log);
    let services = table.required("services", services, log);
    let eligible = table.required("eligible", eligible, log);
    let limits = limits(table, log);
    let max_duration = table.required("max-duration", Node::duration, log);
    let default_duration = table.optional("default-duration", Node::duration, log);
    let starts = starts(table, log);
    let uses = table.optional("uses", uses, log);
    let survives_reboot = table.optional("survives-reboot", Node::flag, log);
    let reason = table.optional("reason", |node, log| reason(node, patterns, log), log);
    let at_end = at_end(table, log);
    let grace = table.optional("grace", grace, log);
    let warn = table.optional("warn", |node, log| node.set(Node::duration, log), log);
    let emergency = table.optional("emergency", Node::flag, log);
    let until = table.optional("until", Node::day, log);
    let bounds = table.optional("limits", bounds, log);
    let apart = table.optional("apart", |node, log| node.some(Node::word, log), log);
    let unreviewed = table.optional("unreviewed", |node, log| unreviewed(node, hours, log), log);
    let stages = table.required("stage", |node, log| stages(node, patterns, log), log);

    let max_duration = max_duration?;
    let limits = limits?;
    let until = match until? {
        Some(day) => Some(until_of(day, &limits, table, log)?),
        None => None,
    };
    let (stages, approvers): (Vec<_>, Vec<_>) = stages?.into_iter().unzip();
    let role = Role {
        name,
        summary: summary?,
        hosts: hosts?.into_iter().collect(),
        hosts_except: hosts_except?.unwrap_or_default().into_iter().collect(),
        services: services?,
        eligible: eligible?,
        limits,
        max_duration,
        default_duration: default_duration?.unwrap_or(USUAL_DURATION.min(max_duration)),
        starts: starts?,
        uses: uses?.unwrap_or(Uses::Unlimited),
        survives_reboot: survives_reboot?.unwrap_or(false),
        reason: reason?,
        at_end: at_end?,
        grace: grace?.unwrap_or(USUAL_GRACE),
        warn: warn?.unwrap_or_else(|| BTreeSet::from(USUAL_WARN)),
        emergency: emergency?.unwrap_or(false),
        until,
        bounds: bounds?.unwrap_or_default(),
        apart: apart?.unwrap_or_default(),
        unreviewed: unreviewed?,
        stages,
    };
    Some((role, approvers))
}

/// When the day of a role begins. One that cannot be told is no role without an end.
fn until_of(day: Date, limits: &Limits, table: &Table<'_>, log: &mut Log<'_>) -> Option<Until> {
    let until = Until::new(day, &limits.hours);
    if until.is_none() {
        let message = format!("`until`: no clock here can show when {day} begins");
        let hint = "leave it out of a role that does not end";
        log.add_with_hint(code::WRONG_TYPE, &table.spot_of("until"), message, hint);
    }
    until
}

fn bounds(node: &Node<'_>, log: &mut Log<'_>) -> Option<Bounds> {
    let table = node.table(&LIMITS, log)?;
    let each = table.optional("each", Node::count, log);
    let at_once = table.optional("at-once", Node::count, log);
    let rest = table.optional("rest", |node, log| node.duration_upto(MAX_REST, log), log);
    let in_all = table.optional("in-all", Node::duration, log);
    let bounds = Bounds { each: each?, at_once: at_once?, rest: rest?, in_all: in_all? };
    if bounds.is_empty() && !table.has_misspelt() { node.empty(log) } else { Some(bounds) }
}

fn limits(table: &Table<'_>, log: &mut Log<'_>) -> Option<Limits> {
    let from = table.optional("from", networks, log);
    let hours = table.optional("hours", hours, log);
    let run_as = table.optional("run-as", |node, log| node.some(Node::word, log), log);
    Some(Limits {
        from: from?.unwrap_or_default(),
        hours: hours?.unwrap_or_default(),
        run_as: run_as?.unwrap_or_default(),
    })
}

fn hours(node: &Node<'_>, log: &mut Log<'_>) -> Option<Vec<Hours>> {
    let tables = node.tables(&HOURS, log)?;
    if tables.is_empty() {
        return node.empty(log);
    }
    let rules: Vec<_> = tables.iter().map(|table| hours_rule(table, log)).collect();
    let mut rules: Vec<Hours> = rules.into_iter().collect::<Option<_>>()?;
    // So that the order in the file changes nothing.
    rules.sort_by_key(ToString::to_string);
    rules.dedup();
    Some(rules)
}

fn hours_rule(table: &Table<'_>, log: &mut Log<'_>) -> Option<Hours> {
    let days = table.optional("days", |node, log| node.parsed(code::BAD_HOURS, log), log);
    let from = table.optional("from", |node, log| node.parsed(code::BAD_HOURS, log), log);
    let to = table.optional("to", |node, log| node.parsed(code::BAD_HOURS, log), log);
    let tz = table.required("tz", |node, log| node.parsed(code::BAD_HOURS, log), log);
    let hours = Hours {
        days: days?.unwrap_or(Days::ALL),
        from: from?.unwrap_or(Clock::MIDNIGHT),
        to: to?.unwrap_or(Clock::END_OF_DAY),
        tz: tz?,
    };
    let wrong = if hours.from == Clock::END_OF_DAY {
        "`from` is the end of the day: nothing begins there; write 00:00 and the next day"
    } else if hours.from == hours.to {
        "`from` and `to` are the same: write 00:00 to 24:00 for the whole day"
    } else {
        return Some(hours);
    };
    log.add(code::BAD_HOURS, &table.spot_of("from"), wrong);
    None
}

fn starts(table: &Table<'_>, log: &mut Log<'_>) -> Option<Starts> {
    let first_use = Starts::AtFirstUse { lapse: USUAL_LAPSE };
    let words =
        [("at-approval", Starts::AtApproval), ("with-hours", Starts::WithHours), ("at-first-use", first_use)];
    let starts = table.optional("starts", |node, log| node.choice(&words, log), log);
    let lapse = table.optional("lapse", Node::duration, log);
    let (starts, lapse) = (starts?.unwrap_or(Starts::AtApproval), lapse?);
    if starts != first_use && lapse.is_some() && !table.is_partial() {
        let message = "`lapse` is how long a grant waits for its first use, and this one does not wait";
        let hint = "add starts = \"at-first-use\", or leave `lapse` out";
        log.add_with_hint(code::LAPSE, &table.spot_of("lapse"), message, hint);
        return None;
    }
    Some(lapse.map_or(starts, |lapse| Starts::AtFirstUse { lapse }))
}

fn uses(node: &Node<'_>, log: &mut Log<'_>) -> Option<Uses> {
    match node.as_str() {
        Some("unlimited") => Some(Uses::Unlimited),
        Some(_) => node.not_a("a whole number or \"unlimited\"", log),
        None => node.count(log).map(Uses::Times),
    }
}

fn reason(node: &Node<'_>, patterns: &mut Patterns, log: &mut Log<'_>) -> Option<ReasonRule> {
    let table = node.table(&REASON, log)?;
    let known = table.optional("ticket", |node, log| node.choice(&[("known", true)], log), log);
    let mut rule = written(&table, patterns, log)?;
    rule.known = known?.unwrap_or(false);
    lint_roles::known_ticket(&rule, &table.spot_of("ticket"), log).then_some(rule)
}

/// What somebody has to write, whatever else is asked of it.
fn written(table: &Table<'_>, patterns: &mut Patterns, log: &mut Log<'_>) -> Option<ReasonRule> {
    let hint = table.optional("hint", |node, log| node.line(MAX_LINE, log), log);
    let pattern = table.required("pattern", |node, log| node.line(MAX_PATTERN, log), log);
    let (pattern, hint, spot) = (pattern?, hint?, table.spot_of("pattern"));
    match patterns.rule(&pattern, hint) {
        Ok(rule) => {
            lint::easy_pattern(&rule, &spot, log);
            Some(rule)
        }
        Err(what) => {
            let message = format!("`pattern` is not a pattern that can be used: {what}");
            log.add(code::BAD_PATTERN, &spot, message);
            None
        }
    }
}

fn at_end(table: &Table<'_>, log: &mut Log<'_>) -> Option<AtEnd> {
    // For `keep` the cap is put in below.
    let words = [
        ("terminate", AtEnd::Terminate),
        ("drain", AtEnd::Drain),
        ("keep", AtEnd::Keep { most: Duration::ZERO }),
    ];
    let at_end = table.optional("at-end", |node, log| node.choice(&words, log), log);
    let keep_max = table.optional("keep-max", Node::duration, log);
    let (at_end, keep_max) = (at_end?, keep_max?);
    // What the other of the two is, the role may say.
    if table.is_partial() {
        return None;
    }
    match (at_end.unwrap_or(AtEnd::Terminate), keep_max) {
        (AtEnd::Keep { .. }, Some(most)) => Some(AtEnd::Keep { most }),
        (AtEnd::Keep { .. }, None) => {
            let message = "`at-end = \"keep\"` needs `keep-max`: a session that is kept for ever never ends";
            log.add_with_hint(code::KEEP_MAX, &table.spot_of("at-end"), message, "add keep-max = \"2h\"");
            None
        }
        (_, Some(_)) => {
            let message = "`keep-max` means nothing unless `at-end` is \"keep\"";
            log.add(code::KEEP_MAX, &table.spot_of("keep-max"), message);
            None
        }
        (at_end, None) => Some(at_end),
    }
}

fn grace(node: &Node<'_>, log: &mut Log<'_>) -> Option<Duration> {
    node.duration_upto(MAX_GRACE, log)
}

/// The stages, and where the approvers of each stand.
fn stages(node: &Node<'_>, patterns: &mut Patterns, log: &mut Log<'_>) -> Option<Vec<(Stage, Spot)>> {
    let tables = node.tables(&STAGE, log)?;
    if tables.is_empty() {
        return node.empty(log);
    }
    let stages: Vec<_> = tables.iter().enumerate().map(|(n, table)| stage(n, table, patterns, log)).collect();
    let stages: Vec<(Stage, Spot)> = stages.into_iter().collect::<Option<_>>()?;
    let mut names = BTreeSet::new();
    for ((stage, _), table) in stages.iter().zip(&tables) {
        if !names.insert(&stage.name) {
            let message =
                format!("two stages are called {}: reviews are kept by that name", quoted(&stage.name));
            log.add(code::SAME_STAGE, &table.spot_of("name"), message);
        }
    }
    Some(stages)
}

fn stage(
    index: usize,
    table: &Table<'_>,
    patterns: &mut Patterns,
    log: &mut Log<'_>,
) -> Option<(Stage, Spot)> {
    let name = table.optional("name", |node, log| node.line(MAX_LINE, log), log);
    let approvers = table.required("approvers", approvers, log);
    let approvals = table.optional("approvals", Node::count, log);
    let denials = table.optional("denials", Node::count, log);
    let above = table.optional("above", Node::duration, log);
    let expires = table.optional("expires", Node::duration, log);
    let then = table.optional("then", then, log);
    let methods = Method::ALL.map(|method| (method.as_str(), method));
    let method = |node: &Node<'_>, log: &mut Log<'_>| node.choice(&methods, log);
    let accept = table.optional("accept", |node, log| node.some(method, log), log);
    let note = table.optional("note", |node, log| written(&node.table(&NOTE, log)?, patterns, log), log);
    let (expires, then) = (expires?, then?);
    if then.is_some() && expires.is_none() {
        let message = "`then` says what happens when the stage expires, and it never does";
        log.add_with_hint(code::THEN, &table.spot_of("then"), message, "add expires = \"8h\"");
        return None;
    }
    let stage = Stage {
        name: name?.unwrap_or_else(|| format!("stage {}", index + 1)),
        approvers: approvers?,
        above: above?,
        approvals: approvals?.unwrap_or(NonZeroU32::MIN),
        denials: denials?.unwrap_or(NonZeroU32::MIN),
        expires,
        then: then.unwrap_or(Then::Deny),
        accept: accept?.unwrap_or_else(|| BTreeSet::from(Method::ALL)),
        note: note?,
    };
    lint::note(&stage, &table.spot_of("note"), log);
    Some((stage, table.spot_of("approvers")))
}

fn then(node: &Node<'_>, log: &mut Log<'_>) -> Option<Then> {
    match node.as_str() {
        Some("deny") => Some(Then::Deny),
        Some(other) => {
            let message = format!("{} is not `then`: \"deny\", or the people who decide next", quoted(other));
            let hint = "nothing is approved by waiting, and no stage is passed over; one for long requests alone has `above`";
            log.add_with_hint(code::BAD_CHOICE, &node.spot, message, hint);
            None
        }
        None => asked(node, log).map(Then::Ask),
    }
}

fn host(node: &Node<'_>, log: &mut Log<'_>) -> Option<HostPattern> {
    match node.string(log)?.strip_prefix('@') {
        Some(group) => match group.parse() {
            Ok(group) => Some(HostPattern::Group(group)),
            Err(err) => {
                log.add(code::BAD_NAME, &node.spot, format!("{}: {err}", quoted(node.key)));
                None
            }
        },
        None => node.word(log).map(HostPattern::Name),
    }
}
