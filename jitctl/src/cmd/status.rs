//! `jitctl status`: jitd's state; and `jitctl` without a command: the caller's own windows and requests.

use std::path::Path;

use jit_core::sign::file::fingerprint;
use jit_proto::manager::{Entry, Status, Unsent};
use jit_proto::text::Shown;

use super::doctor;
use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give};
use crate::screen::Screen;
use crate::table::{Properties, Table};
use crate::times::{left, time};
use crate::views::{begins, id, is_ahead, loaded, lock_line, state, table, waits_for};

pub(crate) fn run(
    json: bool,
    jitd: &dyn Jitd,
    root: &Path,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let terminal = screen.terminal;
    let shown = |found: &Status| {
        let mut view = status(found, terminal);
        // What jitd does not know of: whether this host asks it, and hears its answer.
        view.said.extend(doctor::worst(root));
        view
    };
    jitd::show(jitd, &Call::Status, json, screen, shown)
}

/// The caller's own windows and requests. As JSON it is jitd's status, which holds the windows.
pub(crate) fn run_mine(
    json: bool,
    jitd: &dyn Jitd,
    me: Option<u32>,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let status: Status = jitd::ask(jitd, &Call::Status)?;
    // A jitd that cannot decide has no list to give, and the person has to hear that it cannot.
    let listed: Vec<Entry> =
        if json || !status.ready { Vec::new() } else { jitd::ask(jitd, &Call::List { all: false })? };
    let terminal = screen.terminal;
    Ok(give(&status, json, screen, |status: &Status| mine(status, &listed, me, terminal))?)
}

/// The caller's own windows, and what they have asked for. Where the uid is unknown, all that jitd shows the caller.
fn mine(status: &Status, listed: &[Entry], me: Option<u32>, terminal: bool) -> View {
    let is_mine = |entry: &&Entry| me.is_none_or(|me| entry.uid == me);
    let mut view = judged(status);
    let mut table = Table::new(["ID", "ROLE", "SERVICES", "UNTIL", "LEFT"]);
    let mut rows = 0;
    for entry in status.active.iter().filter(is_mine) {
        rows += 1;
        table.row([
            id(entry).to_owned(),
            entry.role.clone(),
            services(entry),
            entry.end.as_deref().map_or_else(|| "-".to_owned(), time),
            left(entry.remaining),
        ]);
    }
    if !status.ready {
        view.said.extend(status.notes.iter().map(|note| format!("  {}", Shown(note))));
    }
    if rows > 0 {
        view.data = table.text();
    } else {
        view.said.push("No window is open for you.".to_owned());
    }
    let waiting: Vec<&Entry> = listed.iter().filter(is_mine).filter(|entry| is_ahead(entry)).collect();
    if !waiting.is_empty() {
        let gap = if rows > 0 { "\n" } else { "" };
        view.data += &format!("{gap}{}", ahead(&waiting, terminal));
    }
    view.said.extend(status.locks.iter().map(lock_line));
    view.said.extend(to_review(status));
    match status.active.len() - rows {
        0 => {}
        1 => view.said.push("1 window of somebody else is open; see: jitctl list".to_owned()),
        others => view.said.push(format!("{others} windows of others are open; see: jitctl list")),
    }
    view
}

/// What it opens, and whether that is used up.
fn services(entry: &Entry) -> String {
    let spent = if entry.state == "spent" { " (spent)" } else { "" };
    format!("{}{spent}", entry.services.join(","))
}

fn status(status: &Status, terminal: bool) -> View {
    let ready = if status.ready { "ready" } else { "NOT READY" };
    let mut text = Properties::new(&format!("jitd {} on {}: {ready}", status.version, status.host));
    for note in &status.notes {
        text.add("Notes", note);
    }
    match &status.policy.digest {
        None => text.add("Policy", "none; every managed login is refused"),
        Some(digest) => {
            text.add("Policy", digest);
            text.add("Loaded", &loaded(&status.policy));
        }
    }
    if let Some(trial) = &status.policy.trial {
        text.add("On trial", &format!("until {}, {} left", time(&trial.until), left(trial.remaining)));
    }
    if let Some(records) = status.audit_records {
        text.add("Audit", &format!("{records} records"));
    }
    if let Some(away) = &status.carried {
        text.add(
            "Carried",
            &format!("a checkpoint over {} records, {} ({})", away.size, time(&away.at), away.how),
        );
    }
    for Unsent { log, records } in status.unsent.iter().flatten() {
        text.add("Unsent", &format!("{log} {records}"));
    }
    if let Some(key) = status.key.as_ref().and_then(|key| key.parse().ok()) {
        text.add("Key", &fingerprint(&key));
    }
    text.add("Windows", &format!("{} open", status.active.len()));
    for lock in &status.locks {
        text.add("Locks", &lock_line(lock));
    }
    let mut view = judged(status);
    view.said.extend(to_review(status));
    view.data = text.text();
    if !status.active.is_empty() {
        view.data += &format!("\n{}", table(status.active.iter(), terminal));
    }
    view
}

/// What has not opened yet.
fn ahead(entries: &[&Entry], terminal: bool) -> String {
    let mut table = Table::new(["ID", "ROLE", "STATE", "WAITS FOR"]);
    for entry in entries {
        let what = match &entry.begins {
            Some(at) => format!("its beginning {}", begins(at)),
            None => waits_for(entry).to_owned(),
        };
        table.row([id(entry).to_owned(), entry.role.clone(), state(entry), what]);
    }
    if terminal { table.for_eyes() } else { table.text() }
}

fn to_review(status: &Status) -> Option<String> {
    let wait = match status.to_review {
        0 => return None,
        1 => "1 request waits".to_owned(),
        many => format!("{many} requests wait"),
    };
    Some(format!("{wait} for your review; see: jitctl pending"))
}

/// A jitd that cannot decide lets nobody in: whoever asks after its state has to hear it first.
fn judged(status: &Status) -> View {
    if status.ready {
        return View::yes(String::new());
    }
    let said = "jitctl: jitd cannot decide or record, so every managed login is refused.".to_owned();
    View { data: String::new(), said: vec![said], outcome: Outcome::No }
}
