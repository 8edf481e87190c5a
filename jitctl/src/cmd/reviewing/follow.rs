//! `jitctl pending --follow`: prints what waits for the caller, and each new request as it comes.

use std::collections::BTreeSet;

use jit_proto::manager::Entry;

use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::Outcome;
use crate::screen::Screen;
use crate::views;
use crate::wakes::{POLL, Wake};

/// Prints until it is interrupted, or nobody reads any more. What leaves and comes back is new again.
pub(crate) fn follow(json: bool, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    let mut wakes = jitd.wakes();
    let mut known = BTreeSet::new();
    let mut first = true;
    let mut silent = false;
    loop {
        match jitd::ask::<Vec<Entry>>(jitd, &Call::Pending) {
            Ok(entries) => {
                silent = false;
                for entry in entries.iter().filter(|entry| !known.contains(&entry.request)) {
                    screen.data(&if json { line(entry)? } else { format!("{}\n", views::request(entry)) })?;
                }
                if first && entries.is_empty() {
                    screen.say("Nothing waits for your review yet.");
                }
                known = entries.into_iter().map(|entry| entry.request).collect();
            }
            // Without an answer to the first question there is nothing to follow.
            Err(failure) if first || !failure.is_silence() => return Err(failure),
            Err(failure) => {
                if !silent {
                    screen.say(&format!("{}\nThe wait goes on.", failure.message()));
                }
                silent = true;
            }
        }
        first = false;
        if screen.is_unread() || wakes.wait(POLL).0 == Wake::Interrupted {
            return Ok(Outcome::Yes);
        }
    }
}

/// One document in one line.
fn line(entry: &Entry) -> Result<String, Error> {
    let document = crate::output::json(entry)?;
    let lines: Vec<&str> = document.lines().map(str::trim_start).collect();
    Ok(format!("{}\n", lines.join(" ")))
}
