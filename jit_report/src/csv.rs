//! A table of accesses (RFC 4180), for spreadsheets. What people typed is inert in it, as in an export of records.

use jit_core::audit::format::csv_cell;
use jit_core::model::{Decision, EndWhy};
use jit_core::time::Utc;
use jit_proto::text::Shown;

use crate::rows::{Access, Reviewed};

/// One column: its name, and what an access has in it.
type Column = (&'static str, fn(&Access) -> String);

const COLUMNS: [Column; 34] = [
    ("person", |row| row.person.clone()),
    ("account", |row| row.account.to_string()),
    ("uid", |row| row.uid.to_string()),
    ("role", |row| row.role.to_string()),
    ("ticket", |row| row.ticket.clone().unwrap_or_default()),
    ("services", |row| row.services.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
    ("request", |row| row.request.to_string()),
    ("grant", |row| row.grant.map_or_else(String::new, |grant| grant.to_string())),
    ("extends", |row| row.extends.map_or_else(String::new, |grant| grant.to_string())),
    ("reason", |row| row.reason.to_string()),
    ("asked", |row| row.asked.to_string()),
    ("asked_by", |row| row.asked_by.to_string()),
    ("asked_seconds", |row| row.asked_seconds.to_string()),
    ("state", |row| row.state.as_str().to_owned()),
    ("closed", |row| time(row.closed)),
    ("opened", |row| time(row.opened)),
    ("window_seconds", |row| number(row.window_seconds)),
    ("first_login", |row| time(row.first_login)),
    ("last_login", |row| time(row.last_login)),
    ("logins", |row| row.logins.to_string()),
    ("sessions", |row| row.sessions.to_string()),
    ("last_gone", |row| time(row.last_gone)),
    ("ended", |row| time(row.ended)),
    ("why", |row| row.why.map_or("", EndWhy::as_str).to_owned()),
    ("ended_reason", |row| row.ended_reason.as_ref().map_or_else(String::new, ToString::to_string)),
    ("gone", |row| time(row.gone)),
    ("residue", residue),
    ("reviews", reviews),
    ("policy", |row| row.policy.map_or_else(String::new, |policy| policy.to_string())),
    ("emergency", |row| row.emergency.to_string()),
    ("settled", |row| time(row.settled)),
    ("settled_as", |row| row.settled_as.map_or("", Decision::as_str).to_owned()),
    ("used_percent", |row| number(row.used_percent)),
    ("needed_seconds", |row| number(row.needed_seconds)),
];

/// The first line.
#[must_use]
pub fn heading() -> String {
    COLUMNS.map(|(name, _)| name).join(",") + "\r\n"
}

/// The line of one access.
#[must_use]
pub fn row(access: &Access) -> String {
    let cells = COLUMNS.iter().map(|(_, value)| csv_cell(&Shown(&value(access)).to_string()));
    cells.collect::<Vec<_>>().join(",") + "\r\n"
}

fn time(at: Option<Utc>) -> String {
    at.map_or_else(String::new, |at| at.to_string())
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// `left: 12 sleep, 13 cat; stays: 1 tmux; escape: …`.
pub(crate) fn residue(row: &Access) -> String {
    let residue = &row.residue;
    let list = |name: &str, all: &[String]| (!all.is_empty()).then(|| format!("{name}: {}", all.join(", ")));
    let one = |name: &str, what: &Option<String>| what.as_ref().map(|what| format!("{name}: {what}"));
    let parts = [
        list("left", &residue.left),
        one("spared", &residue.spared),
        list("stays", &residue.stays),
        one("escape not excluded", &residue.escape),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Those that were given; `policy` where it opened without any.
fn reviews(row: &Access) -> String {
    let by_policy = row.by_policy.then(|| "policy".to_owned());
    by_policy.into_iter().chain(row.reviews.iter().map(review)).collect::<Vec<_>>().join("; ")
}

/// `olga approve (lead, online)`.
pub(crate) fn review(review: &Reviewed) -> String {
    let key = review.key.as_ref().map_or_else(String::new, |key| format!(" {key}"));
    let more = if review.discounted { ", discounted" } else { "" };
    let note = review.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
    let decision = review.decision.as_str();
    format!("{} {decision} ({}, {}{key}{more}){note}", review.by, review.stage, review.method)
}
