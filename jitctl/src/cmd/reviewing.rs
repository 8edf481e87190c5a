//! `jitctl pending`, `approve` and `deny`: the requests that wait for the caller's review.

mod follow;

use clap::Subcommand;
use jit_core::model::Decision;
use jit_proto::manager::{Entry, Refused};
use jit_proto::text::Shown;
use jit_proto::words::{Reason, RequestId, ServiceName};
use serde::Serialize;

use super::which::{Which, request_of};
use crate::call::{Call, Narrow};
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, give};
use crate::prompts;
use crate::screen::Screen;
use crate::values::{Id, seconds};
use crate::views;

pub(crate) use follow::follow;

/// What to do about the requests of others.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show what waits for your review, the oldest first
    ///
    /// What an emergency has opened and still owes a review for is among them.
    Pending {
        /// Stay, and print new ones as they come; with --json one document in each line
        #[arg(long)]
        follow: bool,
    },

    /// Approve requests that wait for your review
    ///
    /// What is approved is what was shown: the digest of the request goes with the review. On a terminal it is asked
    /// first. A review may leave less than was asked for, never more. The exit code is 1 when a review was not taken.
    Approve {
        #[command(flatten)]
        which: Which,
        /// Leave no more time than this, such as 30m
        #[arg(long = "for", value_name = "DURATION", value_parser = seconds)]
        seconds: Option<u64>,
        /// Leave no other services than these
        #[arg(long, value_name = "SERVICE,...", value_delimiter = ',')]
        services: Vec<ServiceName>,
        /// Leave no more logins than this
        #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
        uses: Option<u32>,
        /// What to tell those who asked; one line, kept in the audit log
        #[arg(long, value_name = "TEXT")]
        note: Option<Reason>,
    },

    /// Deny requests that wait for your review, or take your approval back
    ///
    /// What you have approved and has not opened yet you may deny after all. What has opened by it you may end with
    /// 'jitctl revoke'.
    ///
    /// The exit code is 1 when a review was not taken.
    Deny {
        #[command(flatten)]
        which: Which,
        /// Why; one line, kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Reason,
    },
}

/// A review as it goes to each of the requests.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) decision: Decision,
    pub(crate) narrow: Narrow,
    pub(crate) note: Option<Reason>,
}

impl Given {
    /// The call that gives it, for what was shown.
    pub(crate) fn call(&self, entry: &Entry) -> Result<Call, Error> {
        let garbled = |_| Error::Garbled(format!("{} is no request", Shown(&entry.request)));
        let id: RequestId = entry.request.parse().map_err(garbled)?;
        let Self { decision, narrow, note } = self.clone();
        Ok(Call::Review { id, digest: entry.digest.clone(), decision, narrow, note })
    }

    /// The same with a note, from the person at the terminal, where one of these wants it and none was given; none if they
    /// leave.
    fn noted<'e>(
        &self,
        mut entries: impl Iterator<Item = &'e Entry>,
        screen: &mut Screen<'_>,
    ) -> Option<Self> {
        let wanted = |entry: &'e Entry| entry.waiting_for.as_ref()?.note.as_deref();

        let hint = entries.find_map(wanted);
        let Some(hint) = hint.filter(|_| self.decision == Decision::Approve && self.note.is_none()) else {
            return Some(self.clone());
        };
        if !screen.can_ask() {
            return Some(self.clone());
        }
        let read = |line: &str| line.parse::<Reason>().map_err(|why| format!("{why}"));
        let note = prompts::until(screen, &format!("Note ({}): ", Shown(hint)), read)?;
        Some(Self { note: Some(note), ..self.clone() })
    }

    /// What became of a request with it.
    pub(crate) fn verdict(&self, entry: &Entry) -> String {
        let (done, id) = (self.done(), Shown(&entry.request));
        let stands = match (entry.emergency, entry.review_owed) {
            (true, true) => owed(entry),
            (true, false) if views::is_open(entry) => "Fully reviewed. The window stays open".to_owned(),
            (true, false) => {
                format!("Fully reviewed. The window is over: {}", Shown(&views::state(entry)))
            }
            (false, _) => views::progress(entry).trim_end_matches('.').to_owned(),
        };
        format!("{done} {id}. {stands}.")
    }

    fn done(&self) -> &'static str {
        match self.decision {
            Decision::Approve => "Approved",
            Decision::Deny => "Denied",
        }
    }

    fn verb(&self) -> &'static str {
        match self.decision {
            Decision::Approve => "approve",
            Decision::Deny => "deny",
        }
    }

    pub(crate) fn question(&self) -> &'static str {
        match self.decision {
            Decision::Approve => "Approve",
            Decision::Deny => "Deny",
        }
    }

    /// What it takes away, for the eye before it is given.
    fn less(&self) -> Option<String> {
        let Narrow { seconds, services, uses } = &self.narrow;
        let services: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
        let parts: Vec<String> = [
            (*seconds > 0).then(|| format!("at most {}", crate::times::length(*seconds))),
            (!services.is_empty()).then(|| format!("only {}", services.join(", "))),
            (*uses > 0).then(|| views::plural(usize::try_from(*uses).unwrap_or(usize::MAX), "login")),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| format!("This review leaves {}.", parts.join("; ")))
    }
}

/// What an emergency still owes, once one more has reviewed it.
fn owed(entry: &Entry) -> String {
    let more = entry.waiting_for.as_ref().filter(|waiting| waiting.approvals > 0);
    more.map_or_else(
        || "Counted; more are owed".to_owned(),
        |waiting| {
            let stage = waiting.stage.as_deref().unwrap_or_default();
            format!("Counted; {} more owed (stage '{}')", waiting.approvals, Shown(stage))
        },
    )
}

pub(crate) fn run(
    verb: &Verb,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let (which, given) = match verb {
        Verb::Pending { follow: true } => return follow(json, jitd, screen),
        Verb::Pending { follow: false } => {
            let terminal = screen.terminal;
            let entries: Vec<Entry> = jitd::ask(jitd, &Call::Pending)?;
            return Ok(give(&entries, json, screen, |entries| views::pending(entries, terminal))?);
        }
        Verb::Approve { which, seconds, services, uses, note } => {
            let narrow =
                Narrow { seconds: seconds.unwrap_or(0), services: services.clone(), uses: uses.unwrap_or(0) };
            (which, Given { decision: Decision::Approve, narrow, note: note.clone() })
        }
        Verb::Deny { which, reason } => {
            let (narrow, note) = (Narrow::default(), Some(reason.clone()));
            (which, Given { decision: Decision::Deny, narrow, note })
        }
    };
    which.check(given.verb(), screen)?;
    review(which, &given, json, jitd, screen)
}

/// What came of one of them. The fields are those of the JSON in jitctl(1).
#[derive(Debug, Serialize)]
struct Done {
    /// As it was named.
    id: String,
    /// Whether the review was taken.
    taken: bool,
    /// Why the review was not taken.
    error: Option<Refused>,
    /// How the request stands after it.
    entry: Option<Entry>,
}

fn review(
    which: &Which,
    given: &Given,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let waiting: Vec<Entry> = jitd::ask(jitd, &Call::Pending)?;
    let picked: Vec<(String, Option<&Entry>)> = if which.is_selector() {
        let found = waiting.iter().filter(|entry| which.selects(entry));
        found.map(|entry| (entry.request.clone(), Some(entry))).collect()
    } else {
        let named = |id: &Id| {
            let request = request_of(*id).to_string();
            (id.to_string(), waiting.iter().find(|entry| entry.request == request))
        };
        which.ids.iter().map(named).collect()
    };
    if picked.is_empty() {
        screen.say("No matching request is waiting for you; see: jitctl pending");
        if json {
            screen.data("[]\n")?;
        }
        return Ok(Outcome::No);
    }
    for entry in picked.iter().filter_map(|(_, entry)| *entry) {
        screen.say(views::request(entry).trim_end());
    }
    if let Some(less) = given.less() {
        screen.say(&less);
    }
    let shown = picked.iter().filter(|(_, entry)| entry.is_some()).count();
    let question = format!("{} {}?", given.question(), views::plural(shown, "request"));
    let is_meant = match given.decision {
        // What was named and does not wait for the caller is refused with the reason.
        Decision::Approve => shown == 0 || which.is_wanted(&question, screen),
        Decision::Deny => which.is_meant(&question, screen),
    };
    if !is_meant {
        screen.say("Nothing was reviewed.");
        return Ok(Outcome::No);
    }
    let Some(given) = &given.noted(picked.iter().filter_map(|(_, entry)| *entry), screen) else {
        screen.say("Nothing was reviewed.");
        return Ok(Outcome::No);
    };
    let mut all = Vec::new();
    for (id, entry) in picked {
        let done = match entry {
            Some(entry) => one(id, entry, given, jitd),
            None => unlisted(id, given, jitd, screen),
        };
        let done = match done {
            Ok(done) => done,
            // What was reviewed before is done, and is told in either form.
            Err(failure) => {
                if json && !all.is_empty() {
                    screen.data(&crate::output::json(&all)?)?;
                }
                return Err(failure);
            }
        };
        if !json {
            match (&done.entry, &done.error) {
                (Some(entry), None) => screen.data(&format!("{}\n", given.verdict(entry)))?,
                (_, why) => {
                    let why = why.as_ref().map_or("", |why| why.text.as_str());
                    screen.say(&format!("jitctl: {}: {why}", Shown(&done.id)));
                }
            }
        }
        all.push(done);
    }
    if json {
        screen.data(&crate::output::json(&all)?)?;
    }
    Ok(if all.iter().all(|done| done.taken) { Outcome::Yes } else { Outcome::No })
}

/// Reviews one of them. A jitd that does not answer ends the command: the next would fare no better.
fn one(id: String, entry: &Entry, given: &Given, jitd: &dyn Jitd) -> Result<Done, Failure> {
    let call = given.call(entry)?;
    match jitd::ask::<Entry>(jitd, &call) {
        Ok(entry) => Ok(Done { id, taken: true, error: None, entry: Some(entry) }),
        Err(failure) if failure.is_silence() => Err(failure),
        Err(failure) => Ok(not_taken(id, failure.error.refused())),
    }
}

/// What does not wait for the caller. Where a review can still be given, jitd says why it does not count.
fn unlisted(id: String, given: &Given, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<Done, Failure> {
    let known: Id = id.parse().map_err(|_| Error::Garbled(format!("{} is no id", Shown(&id))))?;
    let why = match jitd::ask::<Entry>(jitd, &Call::Show { id: known }) {
        Ok(entry) if entry.state == "pending" || entry.review_owed => {
            screen.say(views::request(&entry).trim_end());
            return one(id, &entry, given, jitd);
        }
        Ok(entry) => {
            let stands = views::progress(&entry);
            let text =
                format!("it does not wait for your review. {stands}\nhint: see it with: jitctl show {id}");
            Refused { code: "not-waiting".to_owned(), text }
        }
        Err(failure) if failure.is_silence() => return Err(failure),
        Err(failure) => {
            let Refused { code, text } = failure.error.refused();
            Refused { code, text: format!("{text}\nhint: see what waits for you with: jitctl pending") }
        }
    };
    Ok(not_taken(id, why))
}

fn not_taken(id: String, why: Refused) -> Done {
    Done { id, taken: false, error: Some(why), entry: None }
}

#[cfg(test)]
mod tests;
