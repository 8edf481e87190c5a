//! The state of a request in one sentence, and what has changed since it was last shown.

use jit_core::code::Bucket;
use jit_core::time::Utc;
use jit_proto::manager::{ByCode, Entry, Review};
use jit_proto::text::Shown;

use super::entry::{begins, id, is_ahead, is_open, state, user, waits_for};
use crate::times::{left, length, time};

/// The sentence for a window that is open or approved; none for anything else.
pub(crate) fn opened(entry: &Entry) -> Option<String> {
    let user = user(entry);
    let (id, user, role) = (Shown(id(entry)), Shown(&user), Shown(&entry.role));
    if is_open(entry) {
        let until = entry.end.as_deref().map_or_else(|| "its end".to_owned(), time);
        let services = entry.services.join(", ");
        let (services, left) = (Shown(&services), left(entry.remaining));
        if entry.state == "spent" {
            return Some(format!(
                "No login is left of {id}: {user} has {role} ({services}); who is in stays until {until}, {left} left."
            ));
        }
        let usable = usable(entry).map_or_else(String::new, |usable| format!(" {usable}."));
        return Some(format!(
            "Opened {id}: {user} has {role} ({services}) until {until}, {left} left.{usable}"
        ));
    }
    let begins = begins(entry.begins.as_deref().filter(|_| entry.state == "scheduled")?);
    Some(format!("Scheduled {id}: {role} for {user} begins {}.", Shown(&begins)))
}

/// When a window is usable that is open outside of its hours.
pub(crate) fn usable(entry: &Entry) -> Option<String> {
    let from = entry.usable_from.as_deref()?;
    let never = entry.end.as_deref().is_some_and(|end| is_no_later(end, from));
    Some(if never {
        "It is over before its hours begin".to_owned()
    } else {
        format!("It can be used from {} on, when its hours begin", time(from))
    })
}

/// Of two times as jitd writes them.
fn is_no_later(one: &str, other: &str) -> bool {
    match (one.parse::<Utc>(), other.parse::<Utc>()) {
        (Ok(one), Ok(other)) => one <= other,
        _ => false,
    }
}

/// The same for every state.
pub(crate) fn progress(entry: &Entry) -> String {
    opened(entry).unwrap_or_else(|| {
        let state = state(entry);
        let user = user(entry);
        let (id, user, role) = (Shown(id(entry)), Shown(&user), Shown(&entry.role));
        let waits = match waits_for(entry) {
            "" => String::new(),
            what => format!("; it waits for {}", Shown(what)),
        };
        format!("Request {id} is {}: {role} for {user}{waits}.", Shown(&state))
    })
}

/// What to type to see more of it, or to take it back.
pub(crate) fn follow(entry: &Entry) -> String {
    let id = Shown(id(entry));
    if is_ahead(entry) && entry.grant.is_none() {
        format!("hint: follow it with: jitctl show {id}; take it back with: jitctl withdraw {id}")
    } else {
        format!("hint: follow it with: jitctl show {id}; give it back early with: jitctl done {id}")
    }
}

/// What happened between two looks at a request that waits, a line each.
pub(crate) fn news(before: &Entry, now: &Entry) -> Vec<String> {
    let fresh = now.reviews.iter().skip(before.reviews.len());
    let mut news: Vec<String> = fresh.map(|review| Shown(&review_line(review)).to_string()).collect();
    let waits = waits_for(now);
    if is_ahead(now) && now.waiting_for != before.waiting_for && !waits.is_empty() {
        news.push(format!("it waits for {} now", Shown(waits)));
    }
    news
}

/// `approve by otto, team lead, online, 2026-11-23 08:20:58Z; leaves 15m, sshd, 1 use; "ring me first"`.
pub(crate) fn review_line(review: &Review) -> String {
    let Review { by, decision, stage, method, at, seconds, services, uses, note, signed, code } = review;
    let mut line = format!("{decision} by {by}, {stage}, {method}, {}", time(at));
    let plural = |uses: &u32| format!("{uses} use{}", if *uses == 1 { "" } else { "s" });
    let narrowed: Vec<String> = [
        seconds.map(|seconds| length(seconds).to_string()),
        services.as_ref().map(|services| services.join(" ")),
        uses.as_ref().map(plural),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !narrowed.is_empty() {
        line += &format!("; leaves {}", narrowed.join(", "));
    }
    if let Some(note) = note {
        line += &format!("; \"{note}\"");
    }
    if let Some(signed) = signed {
        line += &format!("; signed by {} ({})", signed.principals.join(" "), signed.key);
        let touched = signed.flags.map(|flags| if flags & 4 == 0 { "touched" } else { "touched, with PIN" });
        line.extend(touched.map(|touched| format!(", {touched}")));
    }
    if let Some(code) = code {
        line += &format!("; {}", by_code(code));
    }
    line
}

/// `by the key of olga@site-a, slot 3, epoch 1, to request code WWGY-KXBZ-B9WQ: yes, for at most 20m (7)`.
fn by_code(code: &ByCode) -> String {
    let ByCode { principal, slot, epoch, request_code, bucket, typed_by } = code;
    let mut line = format!("by the key of {principal}, slot {slot}, epoch {epoch}");
    if let Some(said) = request_code {
        line += &format!(", to request code {said}");
    }
    if let Some(number) = bucket {
        // One that this jitctl does not know is still there to read.
        let said = Bucket::numbered(*number)
            .map_or_else(|| "it is not known what".to_owned(), |said| said.to_string());
        line += &format!(": {said} ({number})");
    }
    if let Some(uid) = typed_by {
        line += &format!("; typed at the login of uid {uid}");
    }
    line
}
