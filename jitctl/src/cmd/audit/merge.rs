//! `audit merge`: the logs of many hosts, as they came by stick, on one timeline. Each is verified on its own first, and what
//! is wrong with it is named; nothing that a file is called is believed: whose it is stands in the records.

mod host;
mod sources;
#[cfg(test)]
mod tests;
mod timeline;

use std::path::PathBuf;

use clap::Args;
use jit_core::proof::note::PublicKey;
use jit_core::proof::verify::Verdict;
use jit_proto::text::Shown;

use super::choose::Filter;
use crate::error::{Error, Failure};
use crate::output::Outcome;
use crate::screen::Screen;
use host::Judged;
use timeline::Timeline;

/// What to put together.
#[derive(Clone, Debug, Args)]
pub(crate) struct Wanted {
    /// Folders with exported logs (JSON lines) and checkpoints, also in folders of theirs, called whatever they are
    #[arg(required = true, value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// The key that a host is known to have; once for each host [default: what its log says]
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<PublicKey>,
    #[command(flatten)]
    filter: Filter,
}

pub(super) fn run(wanted: &Wanted, json: bool, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    let found = sources::find(&wanted.dirs)?;
    for left_out in &found.left_out {
        screen.say(&format!("jitctl: left out: {left_out}"));
    }
    if found.hosts.is_empty() {
        return Err(Error::Usage("there is no log in these folders".to_owned()).into());
    }
    let mut judged = Vec::new();
    for (name, logs) in found.hosts {
        judged.push(host::judge(name, logs, &wanted.keys)?);
    }
    let choosers: Result<Vec<_>, _> = judged.iter().map(|_| wanted.filter.begin()).collect();
    let choosers = choosers.map_err(|why| Error::Usage(why.to_string()))?;
    let changed = Timeline::of(&judged, choosers, json).write(screen)?;
    if screen.is_unread() {
        return Ok(Outcome::Yes);
    }
    Ok(told(&judged, &changed, screen))
}

/// Says what each log is worth.
fn told(hosts: &[Judged], changed: &[bool], screen: &mut Screen<'_>) -> Outcome {
    let mut outcome = Outcome::Yes;
    for (host, changed) in hosts.iter().zip(changed) {
        let name = Shown(&host.host);
        let whole = host.verdict == Verdict::Whole && host.gaps.is_empty();
        if whole {
            let key =
                if host.is_pinned { "the key that was given" } else { "the key that the log itself names" };
            screen.say(&format!(
                "jitctl: {name}: {} records, {} to {}; WHOLE by {key}, {} carried checkpoints agree",
                host.records, host.first, host.last, host.agree
            ));
        } else {
            outcome = Outcome::No;
            let gap = if host.gaps.is_empty() { "" } else { ", WITH GAPS" };
            screen.say(&format!("jitctl: {name}: {}{gap}", host.verdict));
        }
        for (from, to) in &host.gaps {
            let is_proven = host.proven.contains(&to.saturating_add(1));
            let behind = if is_proven { host::PROVEN_BEHIND_A_GAP } else { host::BEHIND_A_GAP };
            screen.say(&format!("jitctl: {name}: records {from} to {to} are not here: {behind}"));
        }
        for finding in &host.findings {
            screen.say(&format!("jitctl: {name}: {}: {}", finding.verdict, finding.what));
        }
        if *changed {
            outcome = Outcome::No;
            screen.say(&format!("jitctl: {name}: ITS FILES CHANGED while they were read; read them again"));
        }
    }
    if outcome == Outcome::No {
        screen
            .say("hint: docs/audit.md says what each word means; a log by itself: jitctl audit verify FILE…");
    }
    outcome
}
