//! `report --observe`: who would have been refused where jitd only watched.

use std::collections::BTreeSet;

use jit_core::audit::format::csv_cell;
use jit_proto::text::Shown;
use jit_proto::words::ServiceName;
use jit_report::{Report, WouldRefuse};
use serde::Serialize;

use crate::output::View;
use crate::table::Table;
use crate::times::{brief, time};
use crate::views::plural;

/// What is listed. The fields are those of the JSON in jitctl(1).
#[derive(Serialize)]
pub(super) struct Listed<'r> {
    host: Option<&'r str>,
    since: Option<String>,
    until: Option<String>,
    services: Vec<&'r ServiceName>,
    watching: Vec<&'r str>,
    refused: Vec<&'r WouldRefuse>,
    uncounted: u64,
}

impl<'r> Listed<'r> {
    /// Of these services, or of all.
    pub(super) fn of(report: &'r Report, services: &'r [ServiceName]) -> Self {
        let seen = &report.observed;
        let is_meant = |name: &str| {
            services.is_empty() || services.iter().any(|service| service.family() == family(name))
        };
        let watching = seen.watching.iter().map(String::as_str).filter(|name| is_meant(name));
        Self {
            host: report.host.as_deref(),
            since: report.period.since.max(report.log.begins).map(|at| at.to_string()),
            until: report.as_of.map(|at| at.to_string()),
            services: services.iter().collect(),
            watching: watching.collect(),
            refused: seen.rows.iter().filter(|row| is_meant(row.service.as_str())).collect(),
            uncounted: seen.uncounted,
        }
    }

    /// What is to be typed to keep them out.
    fn next(&self) -> Option<String> {
        let names: Vec<&str> = self.watching.iter().copied().filter(|name| !is_sibling(name)).collect();
        (!names.is_empty()).then(|| {
            format!(
                "hint: give those who are to get in a role or an [[exempt]]; then: jitctl enforce {}",
                names.join(" ")
            )
        })
    }
}

/// The word for a service and what belongs to it.
fn family(name: &str) -> String {
    name.parse::<ServiceName>().map_or_else(|_| name.to_owned(), |service| service.family().to_owned())
}

/// Whether `enforce` of another name takes this one along.
fn is_sibling(name: &str) -> bool {
    family(name) != name
}

/// One line for each account at each service, those who came most often first.
pub(super) fn view(listed: &Listed<'_>) -> View {
    let mut rows = listed.refused.clone();
    rows.sort_by_key(|row| std::cmp::Reverse(row.count));
    let mut table = Table::new(["USER", "SERVICE", "TIMES", "WHY", "FIRST", "LAST", "FROM"]);
    for row in &rows {
        let others = if row.others { ", others" } else { "" };
        let who = row
            .person
            .as_ref()
            .map_or_else(|| row.account.to_string(), |person| format!("{} ({person})", row.account));
        table.row([
            format!("{who}{others}"),
            row.service.to_string(),
            row.count.to_string(),
            row.why.to_owned(),
            brief(&row.first.to_string()),
            brief(&row.last.to_string()),
            places(row),
        ]);
    }
    let mut view = View::yes(if rows.is_empty() { String::new() } else { table.for_eyes() });
    view.said.push(summary(listed, &rows));
    if listed.uncounted > 0 {
        view.said.push(format!("jitctl: {} more are in no line: there are too many", listed.uncounted));
    }
    if rows.iter().any(|row| row.others) {
        view.said.push(
            "jitctl: where it says others, there were too many different ones in a minute to be told apart: see jitctl audit show"
                .to_owned(),
        );
    }
    view.said.extend(listed.next());
    view
}

fn summary(listed: &Listed<'_>, rows: &[&WouldRefuse]) -> String {
    let of = |service: &&ServiceName| service.to_string();
    let at = listed.services.iter().map(of).collect::<Vec<_>>().join(", ");
    let at = if at.is_empty() { String::new() } else { format!(" at {at}") };
    let when = |at: Option<&String>| at.map_or_else(|| "?".to_owned(), |at| time(at));
    let period = format!("from {} to {}", when(listed.since.as_ref()), when(listed.until.as_ref()));
    if rows.is_empty() {
        let mut text = format!("jitctl: nobody would have been refused{at}, {period}");
        if listed.watching.is_empty() {
            text += "\nhint: no PAM file only watches there now; jitctl enable SERVICE writes lines that do";
        }
        return text;
    }
    let times: u64 = rows.iter().map(|row| row.count).sum();
    let people: BTreeSet<_> = rows.iter().map(|row| (&row.account, row.person.as_ref())).collect();
    format!(
        "jitctl: {} of {} would have been refused{at}, {period}",
        plural(usize::try_from(times).unwrap_or(usize::MAX), "login"),
        plural(people.len(), "account")
    )
}

fn places(row: &WouldRefuse) -> String {
    let mut all: Vec<String> = row.from.iter().cloned().collect();
    if row.more_places > 0 {
        all.push(format!("{} more", row.more_places));
    }
    if all.is_empty() { "-".to_owned() } else { all.join(", ") }
}

/// The table for a spreadsheet (RFC 4180). What people typed is inert in it.
pub(super) fn csv(listed: &Listed<'_>) -> String {
    let heading = "account,uid,person,service,why,by,count,others,from,more_places,targets,first,last\r\n";
    let by = |row: &WouldRefuse| match row.by {
        jit_report::Watcher::Policy => "policy",
        jit_report::Watcher::Pam => "pam",
    };
    let line = |row: &&WouldRefuse| {
        let cells = [
            row.account.to_string(),
            row.uid.map_or_else(String::new, |uid| uid.to_string()),
            row.person.clone().unwrap_or_default(),
            row.service.to_string(),
            row.why.to_owned(),
            by(row).to_owned(),
            row.count.to_string(),
            row.others.to_string(),
            row.from.iter().cloned().collect::<Vec<_>>().join(" "),
            row.more_places.to_string(),
            row.targets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            row.first.to_string(),
            row.last.to_string(),
        ];
        cells.map(|cell| csv_cell(&Shown(&cell).to_string())).join(",") + "\r\n"
    };
    listed.refused.iter().fold(heading.to_owned(), |text, row| text + &line(row))
}
