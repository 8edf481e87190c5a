//! `--wait`: until a request opens or comes to nothing, with a line for each thing that happens to it.

use std::time::Duration;

use jit_proto::manager::Entry;
use jit_proto::text::Shown;

use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::View;
use crate::output::{Outcome, give};
use crate::screen::Screen;
use crate::times::length;
use crate::values::Id;
use crate::views;
use crate::wakes::{POLL, Wake};

pub(super) fn run(
    mut entry: Entry,
    longest: Option<u64>,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    if let Some(outcome) = settled(&entry) {
        return finish(&entry, outcome, json, screen);
    }
    let id: Id =
        entry.request.parse().map_err(|_| Error::Garbled(format!("{} is no id", Shown(&entry.request))))?;
    let mut wakes = jitd.wakes();
    screen.say(&views::progress(&entry));
    let mut left = longest.map(Duration::from_secs);
    let mut silent = false;
    loop {
        if left.is_some_and(|left| left.is_zero()) {
            let time = longest.map(length).map_or_else(String::new, |time| time.to_string());
            return still_waits(&entry, &format!("Not decided within {time}."), json, screen);
        }
        let (wake, passed) = wakes.wait(left.unwrap_or(POLL).min(POLL));
        left = left.map(|left| left.saturating_sub(passed));
        if wake == Wake::Interrupted {
            return still_waits(&entry, "Interrupted.", json, screen);
        }
        match jitd::ask::<Entry>(jitd, &Call::Show { id }) {
            Ok(now) => {
                silent = false;
                for line in views::news(&entry, &now) {
                    screen.say(&line);
                }
                entry = now;
                if let Some(outcome) = settled(&entry) {
                    return finish(&entry, outcome, json, screen);
                }
            }
            // A jitd that restarts is back in a moment, with the request.
            Err(failure) if failure.is_silence() => {
                if !silent {
                    screen.say(&format!("{}\nThe wait goes on.", failure.message()));
                }
                silent = true;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Approved is what the wait is for, also where the window begins later.
fn settled(entry: &Entry) -> Option<Outcome> {
    match entry.state.as_str() {
        "pending" => None,
        "active" | "spent" | "scheduled" => Some(Outcome::Yes),
        _ => Some(Outcome::No),
    }
}

fn finish(entry: &Entry, outcome: Outcome, json: bool, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    let view = |entry: &Entry| View { outcome, ..View::yes(format!("{}\n", views::progress(entry))) };
    Ok(give(entry, json, screen, view)?)
}

fn still_waits(entry: &Entry, why: &str, json: bool, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    let said = format!("{why} The request is still pending.\n{}", views::follow(entry));
    let view = |entry: &Entry| View {
        outcome: Outcome::No,
        said: vec![said],
        ..View::yes(format!("{}\n", views::progress(entry)))
    };
    Ok(give(entry, json, screen, view)?)
}
