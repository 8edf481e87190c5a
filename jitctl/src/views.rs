//! jitd's answers as people read them, and the outcome that each comes to.
//!
//! Data is what was asked for; what else the person should know is said on stderr. Every text from jitd passes
//! through [`Shown`] here or in the table that holds it: people typed some of it.

use jit_host::files::POLICY_DIR;
use jit_proto::manager::{Check, Entry, LIST_LIMIT, Policy, PolicySummary, Revoked, Status};
use jit_proto::text::{Shown, is_unprintable};
use jit_proto::words::Verdict;
use serde::Serialize;

use crate::error::Error;
use crate::run::Outcome;
use crate::table::{Properties, Table, cut};
use crate::times::{left, length, time};

mod lock;
mod standing;
mod waiting;

pub(crate) use lock::{lock_line, locked, unlocked};
pub(crate) use standing::{follow, news, opened, review_line, standing};
pub(crate) use waiting::{pending, request};
mod explain;
mod roles;

pub(crate) use explain::explanation;
pub(crate) use roles::{roles, terms};

/// The most characters of a reason in a table on a terminal.
const REASON_SHOWN: usize = 40;

pub(crate) struct View {
    /// For stdout.
    pub(crate) data: String,
    /// For stderr.
    pub(crate) said: Vec<String>,
    pub(crate) outcome: Outcome,
}

impl View {
    pub(crate) fn yes(data: String) -> Self {
        Self { data, said: Vec::new(), outcome: Outcome::Yes }
    }
}

/// One document, indented by two, with every character that a terminal would act on as a `\u` escape: JSON
/// itself demands that of C0 controls only.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(value).map_err(|why| Error::Garbled(why.to_string()))?;
    let mut safe = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if is_unprintable(c) && c != '\n' {
            // All of them are in the basic plane, so that one escape of four digits names each (RFC 8259 §7).
            safe += &format!("\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe.push('\n');
    Ok(safe)
}

pub(crate) fn check(check: &Check) -> View {
    let (user, service) = (Shown(&check.user), Shown(&check.service));
    let what = match check.verdict {
        Verdict::Allow => format!("allow: {user} may use {service} now"),
        Verdict::Deny => format!("deny: {user} may not use {service} now"),
        Verdict::Unmanaged => format!("unmanaged: jitd does not judge {user} on {service}"),
    };
    let mut view = Properties::new(&what);
    view.add("Reason", &check.reason);
    if !check.text.is_empty() {
        view.add("Text", &check.text);
    }
    for (name, value) in [("Role", &check.role), ("Grant", &check.grant)] {
        if let Some(value) = value {
            view.add(name, value);
        }
    }
    if let Some(until) = &check.until {
        view.add("Until", &time(until));
    }
    let outcome = match check.verdict {
        Verdict::Allow | Verdict::Unmanaged => Outcome::Yes,
        Verdict::Deny => Outcome::No,
    };
    View { outcome, ..View::yes(view.text()) }
}

pub(crate) fn list(entries: &[Entry], terminal: bool) -> View {
    if entries.is_empty() {
        return View { said: vec!["Nothing to list.".to_owned()], ..View::yes(String::new()) };
    }
    let mut view = View::yes(table(entries.iter(), terminal));
    if entries.len() >= LIST_LIMIT {
        // Nobody may take a part for the whole.
        let note = format!("Only the newest {LIST_LIMIT} are listed; see an older one with: jitctl show ID");
        view.said.push(note);
    }
    view
}

/// One row for each entry.
fn table<'e>(entries: impl Iterator<Item = &'e Entry>, terminal: bool) -> String {
    let mut table = Table::new(["ID", "USER", "ROLE", "STATE", "UNTIL", "LEFT", "REASON"]);
    for entry in entries {
        let reason = if terminal { cut(&entry.reason, REASON_SHOWN) } else { entry.reason.clone() };
        table.row([
            id(entry).to_owned(),
            entry.user.clone(),
            entry.role.clone(),
            state(entry),
            entry.end.as_deref().map_or_else(|| "-".to_owned(), time),
            if is_active(entry) { left(entry.remaining) } else { "-".to_owned() },
            reason,
        ]);
    }
    table.text()
}

pub(crate) fn entry(entry: &Entry) -> View {
    let mut view = Properties::new(&format!("{} - {} for {}", id(entry), entry.role, entry.user));
    let remaining =
        if is_active(entry) { format!(", {} left", left(entry.remaining)) } else { String::new() };
    view.add("State", &format!("{}{remaining}", state(entry)));
    if entry.emergency {
        view.add("Emergency", emergency(entry));
    }
    if let Some(begins) = &entry.begins {
        view.add("Begins", &self::begins(begins));
    }
    if !entry.waiting_for.is_empty() {
        view.add("Waits for", &entry.waiting_for);
    }
    if let Some(until) = &entry.until {
        view.add("Until", &time(until));
    }
    match (&entry.start, &entry.end) {
        (Some(start), Some(end)) => view.add("Window", &format!("{} to {}", time(start), time(end))),
        (None, Some(end)) => view.add("Ended", &time(end)),
        (_, None) => {}
    }
    view.add("Services", &entry.services.join(", "));
    view.add("User", &format!("{} (uid {})", entry.user, entry.uid));
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
    view.add("Request", &entry.request);
    view.add("Digest", &entry.digest);
    View::yes(view.text())
}

/// A grant is done when its window is open; a request that still waits has opened nothing.
pub(crate) fn granted(entry: &Entry) -> View {
    let (user, role) = (Shown(&entry.user), Shown(&entry.role));
    let id = Shown(id(entry));
    if let Some(text) = opened(entry) {
        return View::yes(format!("{text}\n"));
    }
    let state = state(entry);
    let state = Shown(&state);
    let why = if entry.waiting_for.is_empty() {
        format!("jitctl: no window is open: the request is {state}.")
    } else {
        format!("jitctl: no window is open yet: it waits for {}.", Shown(&entry.waiting_for))
    };
    View {
        data: format!("Request {id} is {state}: {role} for {user}.\n"),
        said: vec![format!("{why}\nhint: follow it with: jitctl show {id}")],
        outcome: Outcome::No,
    }
}

/// What had already ended is in the state that was wanted, so that is a success too.
pub(crate) fn revoked(done: &Revoked) -> View {
    let (id, ended) = (Shown(&done.id), Shown(&done.ended));
    if done.changed {
        return View::yes(format!("Revoked {id}.\n"));
    }
    View::yes(format!("{id} had already ended ({ended}). Nothing was changed.\n"))
}

/// The caller's own windows, and what they have asked for. Where the uid is unknown, all that jitd shows the caller.
pub(crate) fn mine(status: &Status, listed: &[Entry], me: Option<u32>) -> View {
    let is_mine = |entry: &&Entry| me.is_none_or(|me| entry.uid == me);
    let mut view = judged(status);
    let mut table = Table::new(["ID", "ROLE", "SERVICES", "UNTIL", "LEFT"]);
    let mut rows = 0;
    for entry in status.active.iter().filter(is_mine) {
        rows += 1;
        table.row([
            id(entry).to_owned(),
            entry.role.clone(),
            entry.services.join(","),
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
        view.data += &format!("{gap}{}", ahead(&waiting));
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

pub(crate) fn status(status: &Status, terminal: bool) -> View {
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
    for (log, count) in status.unsent.iter().flatten() {
        text.add("Unsent", &format!("{log} {count}"));
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
fn ahead(entries: &[&Entry]) -> String {
    let mut table = Table::new(["ID", "ROLE", "STATE", "WAITS FOR"]);
    for entry in entries {
        let what = match &entry.begins {
            Some(begins) => format!("its beginning {}", self::begins(begins)),
            None => entry.waiting_for.clone(),
        };
        table.row([id(entry).to_owned(), entry.role.clone(), state(entry), what]);
    }
    table.text()
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

pub(crate) fn policy_loaded(policy: &Policy) -> View {
    let mut view = View::yes(match (&policy.summary.digest, &policy.summary.trial) {
        (Some(digest), None) => format!("Policy {} is in force: {}.\n", Shown(digest), size(policy)),
        (Some(digest), Some(trial)) => format!(
            "Policy {} is on trial until {}, {} left: {}.\n",
            Shown(digest),
            time(&trial.until),
            left(trial.remaining),
            size(policy)
        ),
        (None, _) => String::new(),
    });
    view.said = warnings(policy);
    if policy.summary.trial.is_some() {
        view.said.push(
            "The policy before it comes back then, and when jitd or the machine restarts.\n\
             hint: keep this login open, log in anew, and type there: jitctl confirm"
                .to_owned(),
        );
    }
    without_policy(policy, view)
}

/// The files one after the other, as `systemctl cat` prints units; what is not theirs is in comments.
pub(crate) fn policy(policy: &Policy) -> View {
    let mut data = String::new();
    if let Some(digest) = &policy.summary.digest {
        data += &format!("# policy {}\n", Shown(digest));
        data += &format!("# loaded {}, {}\n", Shown(&loaded(&policy.summary)), size(policy));
    }
    for file in &policy.files {
        data += &format!("\n# file {}\n{}", Shown(&file.name), file.text);
        if !file.text.ends_with('\n') {
            data.push('\n');
        }
    }
    let mut view = View { said: warnings(policy), ..View::yes(data) };
    view.said.extend(stale(&policy.summary));
    without_policy(policy, view)
}

fn without_policy(policy: &Policy, mut view: View) -> View {
    if policy.summary.digest.is_none() {
        view.outcome = Outcome::No;
        view.said.push(format!(
            "jitctl: no policy is in force, so every managed login is refused\n\
             hint: write one in {POLICY_DIR}, then type: jitctl policy load"
        ));
    }
    view
}

fn warnings(policy: &Policy) -> Vec<String> {
    policy.warnings.iter().map(|finding| format!("warning: {}", Shown(finding))).collect()
}

fn stale(policy: &PolicySummary) -> Option<String> {
    (!policy.files_current).then(|| {
        format!(
            "warning: the files in {POLICY_DIR} differ from the policy in force\n\
             hint: put them in force with: jitctl policy load"
        )
    })
}

/// `1 file`, `2 files`.
pub(crate) fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn size(policy: &Policy) -> String {
    format!("{} in {}", plural(policy.summary.roles, "role"), plural(policy.files.len(), "file"))
}

fn loaded(policy: &PolicySummary) -> String {
    let at = policy.loaded_at.as_deref().map_or_else(|| "at an unknown time".to_owned(), time);
    match policy.source.as_deref() {
        Some("before") => format!("{at} again, since nobody confirmed the one on trial"),
        Some("store") => format!("{at} from the store, since the files do not load"),
        Some(source) => format!("{at} from the {source}"),
        None => at,
    }
}

/// The grant's id once there is one: the word that every other command takes.
pub(crate) fn id(entry: &Entry) -> &str {
    entry.grant.as_deref().unwrap_or(&entry.request)
}

pub(crate) fn is_active(entry: &Entry) -> bool {
    entry.state == "active"
}

/// Whether it may still open.
fn is_ahead(entry: &Entry) -> bool {
    matches!(entry.state.as_str(), "pending" | "scheduled")
}

pub(crate) fn state(entry: &Entry) -> String {
    let mut state = entry.state.clone();
    if let Some(why) = &entry.ended {
        state += &format!(" ({why})");
    }
    if entry.review_owed {
        state += ", owes a review";
    }
    state
}

fn emergency(entry: &Entry) -> &'static str {
    if entry.review_owed {
        "opened before anybody approved it; owes a review"
    } else {
        "opened before anybody approved it"
    }
}

/// `at 2026-11-23T08:51:00Z` with its time as all others; the rest as it is.
fn begins(begins: &str) -> String {
    begins.strip_prefix("at ").map_or_else(|| begins.to_owned(), |at| format!("at {}", time(at)))
}

#[cfg(test)]
mod tests;
