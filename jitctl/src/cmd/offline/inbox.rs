//! `offline inbox`: what waits on all the hosts of an exchange, for whoever approves, on a machine without jitd. A host
//! is known by its key; what it has not sealed is shown and not signed, and a log that is not the one that was seen
//! before makes everything of its host refused.

mod answer;
mod hosts;
mod item;
mod log;

use std::path::PathBuf;

use clap::Args;
use jit_core::policy::HostGlob;
use jit_core::sign::file::RequestFile;
use jit_exchange::folder::Exchange;
use jit_exchange::names::Part;
use jit_proto::words::{HostName, Reason, RequestId, RoleName, UserName};
use serde::Serialize;

use super::by::By;
use super::home::{Home, wrong};
use crate::error::Error;
use crate::output::{Outcome, json as as_json};
use crate::screen::Screen;
use crate::table::Table;
use crate::times::time;
use item::Item;
use jit_core::duration::Human;

/// Show what waits on the hosts of an exchange, and sign or deny it
///
/// With a key and at a terminal, each request is shown whole and asked about. With --approve or --deny, those that are
/// selected are answered at once. A host that is not known yet has to be said yes to, at a terminal. STATE counts
/// signatures by any key: which of them approve, the host alone knows.
#[derive(Debug, Args)]
pub(crate) struct Inbox {
    /// The folder that travels
    dir: PathBuf,
    #[command(flatten)]
    selection: Selection,
    /// Approve what is selected
    #[arg(long, conflicts_with = "deny")]
    approve: bool,
    /// Deny what is selected, and say why
    #[arg(long, value_name = "REASON")]
    deny: Option<Reason>,
    /// The key to sign by, as for 'jitctl offline sign'
    #[arg(long, value_name = "KEY", conflicts_with = "agent")]
    key: Option<PathBuf>,
    /// Sign by the one key that your agent has
    #[arg(long)]
    agent: bool,
    /// Ask nothing; hosts that are not known yet stay unknown
    #[arg(long)]
    yes: bool,
    /// Where you keep what you know of hosts [default: ~/.local/share/jitctl]
    #[arg(long, value_name = "DIR")]
    known: Option<PathBuf>,
}

/// Which of the requests.
#[derive(Debug, Args)]
struct Selection {
    /// Only requests of hosts whose names fit
    #[arg(long, value_name = "GLOB")]
    host: Option<HostGlob>,
    /// Only requests for this role
    #[arg(long, value_name = "ROLE")]
    role: Option<RoleName>,
    /// Only requests that would admit this account
    #[arg(long, value_name = "USER")]
    user: Option<UserName>,
    /// Only this request
    #[arg(long, value_name = "REQUEST")]
    request: Option<RequestId>,
    /// All the requests there are
    #[arg(long, conflicts_with_all = ["host", "role", "user", "request"])]
    all: bool,
}

/// A row of the answer in JSON.
#[derive(Serialize)]
struct Row {
    host: String,
    request: String,
    user: String,
    role: String,
    services: Vec<String>,
    seconds: u64,
    filed_by: String,
    filed_at: String,
    expires: String,
    reason: String,
    digest: String,
    /// Keys that have signed it, by fingerprint.
    signed: Vec<String>,
    /// Keys that have denied it.
    denied: Vec<String>,
    /// Why it is not to be signed.
    refused: Option<String>,
}

pub(super) fn run(wanted: &Inbox, json: bool, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let signs = wanted.approve || wanted.deny.is_some();
    let by = By::of(wanted.key.as_deref(), wanted.agent)?;
    if signs && !wanted.selection.is_any() {
        return Err(Error::Usage(
            "nothing is selected; add --all, or --host, --role, --user or --request".to_owned(),
        ));
    }
    if signs && by.is_none() {
        return Err(Error::Usage("nothing is signed without a key; add --key KEY or --agent".to_owned()));
    }
    let exchange = Exchange::open(&wanted.dir).map_err(wrong)?;
    let home = Home::of(wanted.known.as_deref())?;
    // What is not as it should be keeps nobody from the rest of it.
    let (answers, mut all_good) = match answer::read(&exchange, screen) {
        Ok(answers) => (answers, true),
        Err(why) => {
            screen.say(&format!("jitctl: {why}; what was signed before is not known"));
            (answer::Answers::default(), false)
        }
    };
    let mut items = Vec::new();
    let (hosts, all_parts) = names(&exchange, screen);
    all_good &= all_parts;
    for host in hosts {
        match hosts::read(&exchange, &home, &host, wanted.yes, screen) {
            Ok(found) => {
                all_good &= found.is_good;
                items.extend(found.items);
            }
            Err(why) => {
                screen.say(&format!("jitctl: {host} is left out: {why}"));
                all_good = false;
            }
        }
    }
    items.retain(|item| wanted.selection.has(&item.file));
    for item in &mut items {
        item.answers = answers.of(&item.file);
    }
    items.sort_by(|one, other| {
        (&one.file.host, one.file.filed_at, one.file.request).cmp(&(
            &other.file.host,
            other.file.filed_at,
            other.file.request,
        ))
    });
    show(&items, json, screen)?;
    let by_hand = by.is_some() && !signs && screen.can_ask();
    if let Some(by) = by.as_ref().filter(|_| signs || by_hand) {
        let given = answer::Given { approve: wanted.approve, deny: wanted.deny.as_ref(), sure: wanted.yes };
        all_good &= answer::give(&exchange, &items, by, given, screen)?;
    }
    Ok(if all_good { Outcome::Yes } else { Outcome::No })
}

impl Selection {
    /// Whether anything is selected at all.
    const fn is_any(&self) -> bool {
        let Self { host, role, user, request, all } = self;
        *all || host.is_some() || role.is_some() || user.is_some() || request.is_some()
    }

    fn has(&self, file: &RequestFile) -> bool {
        self.host.as_ref().is_none_or(|glob| glob.matches(&file.host))
            && self.role.as_ref().is_none_or(|role| *role == file.role)
            && self.user.as_ref().is_none_or(|user| *user == file.user)
            && self.request.is_none_or(|request| request == file.request)
    }
}

/// All hosts that have requests or a log there, and whether both parts could be read.
fn names(exchange: &Exchange, screen: &mut Screen<'_>) -> (Vec<HostName>, bool) {
    let (mut names, mut all_good) = (Vec::new(), true);
    for part in [Part::Requests, Part::Logs] {
        let hosts = match exchange.hosts(part) {
            Ok(hosts) => hosts,
            Err(bad) => {
                screen.say(&format!("jitctl: {bad}; it is left out"));
                all_good = false;
                continue;
            }
        };
        if hosts.more {
            screen.say(&format!(
                "jitctl: {} has more hosts than are read; the rest is not looked at",
                part.as_str()
            ));
        }
        if hosts.others > 0 {
            screen.say(&format!(
                "jitctl: {} has {} names that are no host's, and left alone",
                part.as_str(),
                hosts.others
            ));
        }
        names.extend(hosts.names);
    }
    names.sort();
    names.dedup();
    (names, all_good)
}

fn show(items: &[Item], json: bool, screen: &mut Screen<'_>) -> Result<(), Error> {
    if json {
        let rows: Vec<Row> = items.iter().map(row).collect();
        return screen.data(&as_json(&rows)?);
    }
    if items.is_empty() {
        screen.say("No request waits here.");
        return Ok(());
    }
    let mut table = Table::new(["HOST", "REQUEST", "USER", "ROLE", "FOR", "UNTIL", "STATE", "REASON"]);
    for item in items {
        let file = &item.file;
        table.row([
            file.host.to_string(),
            file.request.to_string(),
            file.user.to_string(),
            file.role.to_string(),
            Human(file.duration).to_string(),
            time(&file.expires.to_seconds()),
            item.state(),
            crate::table::cut(file.reason.as_str(), 60),
        ]);
    }
    screen.data(&table.text())
}

fn row(item: &Item) -> Row {
    let file = &item.file;
    let keys = |denials: bool| {
        let of = item.answers.iter().filter(|answer| answer.is_denial == denials);
        of.map(|answer| answer.key.clone()).collect()
    };
    Row {
        host: file.host.to_string(),
        request: file.request.to_string(),
        user: file.user.to_string(),
        role: file.role.to_string(),
        services: file.services.iter().map(ToString::to_string).collect(),
        seconds: file.duration.as_secs(),
        filed_by: file.filed_by.to_string(),
        filed_at: file.filed_at.to_string(),
        expires: file.expires.to_seconds(),
        reason: file.reason.to_string(),
        digest: file.digest.to_string(),
        signed: keys(false),
        denied: keys(true),
        refused: item.trouble.clone(),
    }
}

#[cfg(test)]
mod tests;
