//! Requests that wait for a review, with all that a reviewer needs to decide.

use jit_proto::manager::Entry;

use super::entry::{begins, is_open, origin, reason, user, waits_for};
use super::progress::{review_line, usable};
use crate::output::View;
use crate::table::{Properties, Table};
use crate::times::{brief, left, length, time};

/// The table, then each of them in full.
pub(crate) fn pending(entries: &[Entry], terminal: bool) -> View {
    let Some(first) = entries.first() else {
        return View { said: vec!["Nothing waits for your review.".to_owned()], ..View::yes(String::new()) };
    };
    let mut table = Table::new(["ID", "USER", "ROLE", "FOR", "STARTS", "REVIEW UNTIL", "REASON"]);
    for entry in entries {
        table.row([
            entry.request.clone(),
            user(entry),
            entry.role.clone(),
            length(entry.duration).to_string(),
            starts(entry, if terminal { brief } else { time }),
            entry.until.as_deref().map_or_else(|| "-".to_owned(), if terminal { brief } else { time }),
            reason(entry, terminal),
        ]);
    }
    let mut data = if terminal { table.for_eyes() } else { table.text() };
    for entry in entries {
        data += &format!("\n{}", request(entry));
    }
    let id = jit_proto::text::Shown(&first.request);
    let hint = format!("hint: decide with: jitctl approve {id}, or: jitctl deny {id} --reason TEXT");
    View { said: vec![hint], ..View::yes(data) }
}

/// One request as a reviewer has to see it.
pub(crate) fn request(entry: &Entry) -> String {
    let mut view = Properties::new(&format!("{} - {} for {}", entry.request, entry.role, user(entry)));
    view.add("User", &format!("{} (uid {})", entry.user, entry.uid));
    if let Some(person) = &entry.person {
        view.add("Person", person);
    }
    if let Some(ahead) = &entry.ahead {
        view.add("Comes from", &origin(ahead));
    }
    view.add("Services", &entry.services.join(", "));
    let alone = length(entry.duration);
    let long = entry.before.map_or_else(
        || alone.to_string(),
        |before| format!("{alone}, {} without a break", length(entry.duration.saturating_add(before))),
    );
    view.add("For", &long);
    view.add("Starts", &starts(entry, time));
    limits(entry, &mut view);
    if let Some(usable) = usable(entry) {
        view.add("Usable", &usable);
    }
    let uses = entry.uses.map_or_else(|| "unlimited".to_owned(), |uses| uses.to_string());
    view.add("Uses", &uses);
    view.add("Reason", &entry.reason);
    view.add("Asked by", &format!("{} at {}", entry.requested_by, time(&entry.requested_at)));
    if entry.emergency {
        view.add("Emergency", &owed(entry));
    }
    view.add("Waits for", waits_for(entry));
    if let Some(note) = entry.waiting_for.as_ref().and_then(|waiting| waiting.note.as_ref()) {
        view.add("Note", note);
    }
    if let Some(until) = &entry.until {
        view.add("Until", &time(until));
    }
    for review in &entry.reviews {
        view.add("Reviews", &review_line(review));
    }
    view.add("Digest", &entry.digest);
    view.text()
}

/// When, from where and as whom it admits, where it does not do so always.
pub(crate) fn limits(entry: &Entry, view: &mut Properties) {
    for hours in &entry.hours {
        view.add("When", hours);
    }
    if !entry.from.is_empty() {
        view.add("From", &entry.from.join(", "));
    }
    if !entry.targets.is_empty() {
        view.add("Becomes", &entry.targets.join(", "));
    }
}

/// When it starts, with times in this form.
fn starts(entry: &Entry, time: fn(&str) -> String) -> String {
    match (&entry.start, &entry.begins, &entry.asked_start, &entry.extends) {
        (Some(start), ..) => time(start),
        (_, Some(begins), ..) => self::begins(begins),
        (_, _, Some(asked), _) => time(asked),
        (.., Some(base)) => format!("after {base}"),
        _ if entry.first_use.is_some() => {
            let lapse = entry.first_use.map(length).map_or_else(String::new, |lapse| lapse.to_string());
            format!("with the first login, within {lapse} of the approval")
        }
        _ => "once approved".to_owned(),
    }
}

fn owed(entry: &Entry) -> String {
    let now = if is_open(entry) {
        format!("is open, {} left", left(entry.remaining))
    } else {
        format!("is {}", entry.state)
    };
    format!("it opened before anybody approved it and {now}; this is the review that it owes")
}
