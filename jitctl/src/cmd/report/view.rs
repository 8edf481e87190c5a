//! A report on one screen: how much there was, where it waits, and what somebody has to do.

use std::time::Duration;

use jit_core::duration::Human;
use jit_core::time::Utc;
use jit_report::{AccessState, Report, RoleFigures, Spread};

use crate::table::{Table, cut, properties};
use crate::times::time;

/// So many of each kind fit on a screen beside the others.
const MOST: usize = 8;

/// The longest sentence on a screen, in characters.
const WIDE: usize = 160;

pub(super) fn summary(report: &Report) -> String {
    let mut text = properties(&title(report), &figures(report));
    text += &roles(report);
    text += &list("Needs somebody", report.attention.iter().map(|one| one.text.as_str()));
    text += &list("Policy could do with less", report.suggestions.iter().map(|one| one.text.as_str()));
    text
}

fn title(report: &Report) -> String {
    let host = report.host.as_deref().unwrap_or("a host that the log does not name");
    let when = |at: Option<Utc>| at.map_or_else(|| "?".to_owned(), |at| time(&at.to_string()));
    let since = report.period.since.max(report.log.begins);
    format!("Access on {host}, {} to {}", when(since), when(report.as_of))
}

fn figures(report: &Report) -> Vec<(&'static str, String)> {
    let sum = |of: fn(&RoleFigures) -> u64| report.roles.iter().map(of).sum::<u64>();
    let waiting = report.accesses.iter().filter(|row| row.state == AccessState::Waiting).count();
    let mut lines = vec![
        (
            "Asked",
            format!(
                "{}: {} granted ({} as emergencies), {} denied, {} lapsed, {} withdrawn, {waiting} waiting",
                sum(|role| role.requests),
                sum(|role| role.granted),
                sum(|role| role.emergencies),
                sum(|role| role.denied),
                sum(|role| role.lapsed),
                sum(|role| role.withdrawn),
            ),
        ),
        (
            "Ended",
            format!(
                "{} windows, {} of them never used",
                sum(|role| role.windows),
                sum(|role| role.never_used)
            ),
        ),
    ];
    if let Some(gone) = report.to_gone.get("all") {
        lines.push(("Gone after", spread(gone)));
    }
    let at_once: Vec<_> = report.duties.iter().map(|duty| duty.person.as_str()).collect();
    if !at_once.is_empty() {
        lines.push(("At once", format!("more than one window open: {}", people(&at_once))));
    }
    lines.extend(live(report));
    let denied: u64 = report.coverage.denied.iter().map(|refused| refused.count).sum();
    lines.push(("Refused", format!("{denied} checks")));
    lines.push(("jitd", jitd(report)));
    if let Some(last) = report.coverage.checkpoint {
        let age = Human(Duration::from_secs(last.age_seconds));
        lines.push((
            "Checkpoint",
            format!("the last on record covers {} records and is {age} old", last.size),
        ));
    }
    if let Some(away) = report.coverage.carried {
        let age = Human(Duration::from_secs(away.age_seconds));
        lines.push((
            "Carried",
            format!("the last that left the host covers {} records and left {age} before the end", away.size),
        ));
    }
    lines.push(("Records", records(report)));
    lines
}

fn people(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    cut(&names.join(", "), WIDE / 2)
}

fn live(report: &Report) -> Option<(&'static str, String)> {
    let live = report.live.as_ref()?;
    let who: Vec<_> =
        live.sessions.iter().map(|one| format!("{} ({}, {})", one.account, one.service, one.grant)).collect();
    let mut text = match who.len() {
        0 => "nobody".to_owned(),
        _ => cut(&who.join(", "), WIDE),
    };
    if !live.unknown.is_empty() {
        text +=
            &format!("; of {} logins before, the log does not say whether they were in", live.unknown.len());
    }
    Some(("In then", text))
}

fn jitd(report: &Report) -> String {
    let starts = report.coverage.starts;
    let observed = Duration::from_secs(report.coverage.hours.observed_seconds);
    let watched =
        if observed.is_zero() { String::new() } else { format!(", only observing for {}", Human(observed)) };
    let starts = format!("started {starts} {}{watched}", if starts == 1 { "time" } else { "times" });
    let downs = &report.coverage.downs;
    if downs.is_empty() {
        return format!("{starts}, never down in between");
    }
    let down: Duration = downs.iter().filter_map(|down| Some(down.to?.since(down.from))).sum();
    format!("{starts}, down for at most {} in all", Human(down))
}

fn records(report: &Report) -> String {
    let log = &report.log;
    match (log.first.zip(log.last), log.root) {
        (None, _) => "none".to_owned(),
        (Some((first, last)), Some(root)) => format!("{first} to {last}, root {root}"),
        (Some((first, last)), None) => format!("{first} to {last}; not all of the log"),
    }
}

/// `half in 12m, 95 of 100 in 2h, all in 3h`.
fn spread(spread: &Spread) -> String {
    let [median, p95, worst] = [spread.median_ms, spread.p95_ms, spread.worst_ms].map(length);
    format!("half within {median}, 95 of 100 within {p95}, at worst {worst}")
}

/// To a tenth of a second where that matters.
fn length(millis: u64) -> String {
    if millis < 60_000 {
        format!("{}.{}s", millis / 1000, millis % 1000 / 100)
    } else {
        Human(Duration::from_millis(millis)).to_string()
    }
}

fn roles(report: &Report) -> String {
    let mut roles: Vec<_> = report.roles.iter().collect();
    // Of those that were asked for as often, by name.
    roles.sort_by_key(|role| std::cmp::Reverse(role.requests));
    if roles.is_empty() {
        return String::new();
    }
    let mut table =
        Table::new(["ROLE", "ASKED", "DENIED", "LAPSED", "ENDED", "UNUSED", "TIME USED", "SLOWEST STAGE"]);
    for role in roles.iter().take(MOST) {
        let numbers = [role.requests, role.denied, role.lapsed, role.windows, role.never_used];
        let [requests, denied, lapsed, windows, never_used] = numbers.map(|number| number.to_string());
        let used = role.used_percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent} %"));
        let name = role.role.to_string();
        table.row([name, requests, denied, lapsed, windows, never_used, used, slowest(role)]);
    }
    format!("\n{}{}", table.text(), more(roles.len()))
}

fn slowest(role: &RoleFigures) -> String {
    let stage = role.stages.iter().find(|stage| role.bottleneck.as_ref() == Some(&stage.stage));
    stage.map_or_else(
        || "-".to_owned(),
        |stage| {
            let [median, p95] = [stage.decided.median_ms, stage.decided.p95_ms].map(length);
            format!("{}: half in {median}, 95 of 100 in {p95}", stage.stage)
        },
    )
}

fn list<'a>(title: &str, all: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = all.len();
    if count == 0 {
        return String::new();
    }
    let lines = all.take(MOST).map(|line| format!("  {}\n", cut(line, WIDE)));
    format!("\n{title}:\n{}{}", lines.collect::<String>(), more(count))
}

fn more(count: usize) -> String {
    match count.saturating_sub(MOST) {
        0 => String::new(),
        left => format!("  and {left} more\n"),
    }
}
