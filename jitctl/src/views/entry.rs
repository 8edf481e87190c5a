//! Short texts about one request or window that several views use.

use jit_host::signers::APPROVERS;
use jit_proto::manager::{Ahead, Entry};
use jit_proto::text::Typed;

use crate::table::cut;
use crate::times::time;

/// The most characters of a reason in a table on a terminal.
const REASON_SHOWN: usize = 40;

/// Why it was asked for; for eyes not all of it.
pub(crate) fn reason(entry: &Entry, terminal: bool) -> String {
    if terminal { cut(&entry.reason, REASON_SHOWN) } else { entry.reason.clone() }
}

/// The grant's id once there is one: the word that every other command takes.
pub(crate) fn id(entry: &Entry) -> &str {
    entry.grant.as_deref().unwrap_or(&entry.request)
}

/// Whether its window is open: nobody new gets in by one whose logins are spent, and who is in stays.
pub(crate) fn is_open(entry: &Entry) -> bool {
    matches!(entry.state.as_str(), "active" | "spent")
}

/// The account, and who comes by it where people share it, or where a signed grant names one.
pub(crate) fn user(entry: &Entry) -> String {
    let behind = entry.ahead.as_ref().and_then(|ahead| ahead.behind.as_ref());
    let behind = entry.person.as_ref().or(behind);
    behind.map_or_else(|| entry.user.clone(), |behind| format!("{} ({behind})", entry.user))
}

/// Where a request comes from that nobody typed on this host.
pub(crate) fn origin(ahead: &Ahead) -> String {
    let behind = ahead.behind.as_ref().map_or_else(String::new, |behind| format!(" for {behind}"));
    format!("a signed grant{behind}, over by {}, serial {}", time(&ahead.until), ahead.serial)
}

/// What it waits for, in words; empty where that is nothing.
pub(crate) fn waits_for(entry: &Entry) -> &str {
    entry.waiting_for.as_ref().map_or("", |waiting| waiting.text.as_str())
}

/// Whether it may still open.
pub(crate) fn is_ahead(entry: &Entry) -> bool {
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

pub(crate) fn emergency(entry: &Entry) -> &'static str {
    if entry.review_owed {
        "opened before anybody approved it; owes a review"
    } else {
        "opened before anybody approved it"
    }
}

/// `at 2026-11-23T08:51:00Z` with its time as all others; the rest as it is.
pub(crate) fn begins(begins: &str) -> String {
    begins.strip_prefix("at ").map_or_else(|| begins.to_owned(), |at| format!("at {}", time(at)))
}

/// `1 file`, `2 files`.
pub(crate) fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What an auditor types to verify a signature with stock OpenSSH.
pub(crate) fn verify_command(namespace: &str, principal: &str, signature: &str, text: &str) -> String {
    format!(
        "ssh-keygen -Y verify -f {APPROVERS} -n {namespace} -I {} -s {signature} < {text}",
        Typed(principal)
    )
}
