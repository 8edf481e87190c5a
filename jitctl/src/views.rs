//! jitd's answers as people read them, and the outcome that each comes to.
//!
//! Data is what was asked for; what else the person should know is said on stderr. Every text from jitd passes
//! through [`Shown`] here or in the table that holds it: people typed some of it.

use jit_core::sign::NAMESPACE;
use jit_proto::manager::Entry;

use crate::output::View;
use crate::table::{Properties, Table};
use crate::times::{brief, left, length, time};

mod entry;
mod lock;
mod policy;
mod progress;
mod roles;
mod spoken;
mod waiting;

pub(crate) use entry::{begins, id, is_ahead, is_open, plural, state, user, verify_command, waits_for};
use entry::{emergency, reason};
pub(crate) use lock::{lock_line, locked, unlocked};
pub(crate) use policy::{loaded, policy, policy_files, policy_loaded};
pub(crate) use progress::{follow, news, opened, progress, review_line};
pub(crate) use roles::{role, terms};
pub(crate) use spoken::{said, spoken};
pub(crate) use waiting::{pending, request};

/// One row for each entry.
pub(crate) fn table<'e>(entries: impl Iterator<Item = &'e Entry>, terminal: bool) -> String {
    let mut table = Table::new(["ID", "USER", "ROLE", "STATE", "UNTIL", "LEFT", "REASON"]);
    for entry in entries {
        table.row([
            id(entry).to_owned(),
            user(entry),
            entry.role.clone(),
            state(entry),
            entry.end.as_deref().map_or_else(|| "-".to_owned(), if terminal { brief } else { time }),
            if is_open(entry) { left(entry.remaining) } else { "-".to_owned() },
            reason(entry, terminal),
        ]);
    }
    if terminal { table.for_eyes() } else { table.text() }
}

pub(crate) fn entry(entry: &Entry) -> View {
    let mut view = Properties::new(&format!("{} - {} for {}", id(entry), entry.role, user(entry)));
    let remaining = if is_open(entry) { format!(", {} left", left(entry.remaining)) } else { String::new() };
    view.add("State", &format!("{}{remaining}", state(entry)));
    if entry.emergency {
        view.add("Emergency", emergency(entry));
        if !entry.despite.is_empty() {
            view.add("Despite", &entry.despite.join(", "));
        }
    }
    if entry.by_policy {
        view.add("Opened by", "policy, without a review");
    }
    if let Some(begins) = &entry.begins {
        view.add("Begins", &self::begins(begins));
    }
    if let Some(waiting) = &entry.waiting_for {
        view.add("Waits for", &waiting.text);
    }
    if let Some(until) = &entry.until {
        view.add("Until", &time(until));
    }
    match (&entry.start, &entry.end) {
        (Some(start), Some(end)) => view.add("Window", &format!("{} to {}", time(start), time(end))),
        (None, Some(end)) => view.add("Ended", &time(end)),
        (_, None) => {}
    }
    if let Some(usable) = progress::usable(entry) {
        view.add("Usable", &usable);
    }
    if let Some(ticket) = &entry.ticket {
        view.add("Ticket", ticket);
    }
    view.add("Services", &entry.services.join(", "));
    waiting::limits(entry, &mut view);
    view.add("User", &format!("{} (uid {})", entry.user, entry.uid));
    if let Some(person) = &entry.person {
        view.add("Person", person);
    }
    if let Some(ahead) = &entry.ahead {
        view.add("Comes from", &entry::origin(ahead));
    }
    let uses = entry.uses.map_or_else(|| "unlimited".to_owned(), |uses| uses.to_string());
    view.add("Uses", &format!("{} of {uses}", entry.used));
    let from = entry.asked_start.as_deref().map_or_else(String::new, |at| format!(" from {}", time(at)));
    view.add("Asked for", &format!("{}{from} by {}", length(entry.duration), entry.requested_by));
    if let Some(base) = &entry.extends {
        view.add("Extends", base);
    }
    view.add("Asked at", &time(&entry.requested_at));
    view.add("Reason", &entry.reason);
    for review in &entry.reviews {
        view.add("Reviews", &review_line(review));
    }
    if entry.reviews.iter().any(|review| review.signed.is_some()) {
        view.add("Verify", &format!("jitctl offline evidence {}", entry.request));
        let commands = entry.reviews.iter().filter_map(|review| review.signed.as_ref()).zip(1..);
        for (signed, number) in commands {
            let file = |end: &str| format!("{}.{number}.{end}", entry.request);
            for principal in &signed.principals {
                view.add("Verify", &verify_command(NAMESPACE, principal, &file("sig"), &file("txt")));
            }
        }
    }
    if entry.reviews.iter().any(|review| review.code.is_some()) {
        view.add(
            "Codes",
            "root here has the keys, too: outside of this host a code proves nothing (docs/offline.md)",
        );
    }
    view.add("Request", &entry.request);
    view.add("Digest", &entry.digest);
    View::yes(view.text())
}

#[cfg(test)]
mod tests;
