//! `jitctl policy replay`: the logins and requests on record, decided again under new policy files.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use jit_core::policy::{HostGroup, Policy};
use jit_core::replay::{CANNOT_TELL, Changed, Replay, Replayed};

use super::check::Report;
use super::files::Which;
use crate::cmd::audit::read::{Reader, each_record};
use crate::error::Failure;
use crate::jitd::Jitd;
use crate::output::{Outcome, View, give, json as as_json};
use crate::screen::Screen;
use crate::table::Table;
use crate::times::time;

/// What to decide again.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    #[command(flatten)]
    new: Which,
    /// Exported files (JSON lines), in order; - is standard input [default: this host's log]
    #[arg(long = "log", value_name = "FILE")]
    logs: Vec<PathBuf>,
    /// A group that the host is in, as jitd.toml names it [default: not known]
    #[arg(long = "host-group", value_name = "GROUP")]
    groups: Vec<HostGroup>,
}

pub(super) fn run(
    wanted: &Wanted,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let policy = match wanted.new.read()?.and_then(|files| Policy::parse(&files)) {
        Ok(loaded) => loaded.policy,
        Err(findings) => {
            let report = Report::new(0, &findings);
            screen.data(&if json { as_json(&report)? } else { report.text() })?;
            screen.say("jitctl: the new policy has errors, so nothing is decided by it");
            return Ok(Outcome::No);
        }
    };
    let groups: BTreeSet<HostGroup> = wanted.groups.iter().cloned().collect();
    let mut replay = Replay::new(&policy, None, (!groups.is_empty()).then_some(groups));
    if wanted.logs.is_empty() {
        let mut reader = Reader::from(jitd, 0);
        while let Some(page) = reader.page()? {
            reader.tell_what_is_archived(&page, 0, screen);
            page.records.iter().for_each(|text| replay.take(text.as_bytes()));
        }
    }
    for path in &wanted.logs {
        each_record(path, |bytes| {
            replay.take(bytes);
            Ok(())
        })?;
    }
    Ok(give(&replay.finish(), json, screen, view)?)
}

fn view(found: &Replayed) -> View {
    let mut text = format!(
        "{} of {} logins would have been refused, {} that were refused would have been let in\n",
        found.refused, found.logins, found.admitted
    );
    if found.otherwise > 0 {
        text += &format!("{} would have been let in on other terms\n", found.otherwise);
    }
    text += &format!(
        "{} of {} requests would have come to something else\n",
        found.requests_changed, found.requests
    );
    if !found.changed.is_empty() {
        let mut table = Table::new(["TIME", "WHO", "WHAT", "WAS", "WOULD", "WHY"]);
        found.changed.iter().for_each(|one| table.row(row(one)));
        text += &format!("\n{}", table.text());
    }
    let mut view = View::yes(text);
    if found.untold + found.requests_untold > 0 {
        view.said.push(format!(
            "jitctl: of {} logins and {} requests it cannot be told ({CANNOT_TELL} above): no record says all that the \
             new policy asks about, such as groups",
            found.untold, found.requests_untold
        ));
    }
    if found.unread > 0 {
        view.said.push(format!("jitctl: {} records cannot be read and are not in this", found.unread));
    }
    view
}

fn row(one: &Changed) -> [String; 6] {
    let what = match (&one.service, &one.role) {
        (Some(service), _) if one.count > 1 => format!("{service}, {} times", one.count),
        (Some(service), _) => service.to_string(),
        (None, Some(role)) => format!("request for {role}"),
        (None, None) => String::new(),
    };
    let (was, would) = (one.was.to_owned(), one.would.to_owned());
    [time(&one.time.to_string()), one.user.to_string(), what, was, would, one.why.clone()]
}
