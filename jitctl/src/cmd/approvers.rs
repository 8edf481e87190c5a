//! `jitctl approvers`: whose signatures count on this host, as the files have it. No jitd is asked.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use jit_core::sign::approvers::{Approver, Approvers, Revoked};
use jit_core::time::Utc;
use jit_host::files::Owner;
use jit_host::signers::{APPROVERS, REVOKED, read};
use jit_proto::text::Shown;
use serde::Serialize;

use crate::error::Error;
use crate::output::{Outcome, View, give};
use crate::screen::Screen;
use crate::table::Table;
use crate::views::plural;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the keys that may approve, for whom and from when to when
    List,
    /// Say what is wrong with the files; then the exit code is 1, and no signature counts
    Check {
        /// The approvers file
        #[arg(default_value = APPROVERS)]
        file: PathBuf,
        /// The list of revoked keys
        #[arg(long, value_name = "FILE", default_value = REVOKED)]
        revoked: PathBuf,
    },
}

/// A key as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    principals: Vec<String>,
    kind: String,
    key: String,
    valid_after: Option<String>,
    valid_before: Option<String>,
    /// Whether it may sign approvals, by its namespaces, and is not revoked.
    approves: bool,
    line: usize,
}

pub(crate) fn run(verb: &Verb, json: bool, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let (approvers, revoked, check) = match verb {
        Verb::List => (Path::new(APPROVERS), Path::new(REVOKED), false),
        Verb::Check { file, revoked } => (file.as_path(), revoked.as_path(), true),
    };
    match read(approvers, revoked, Owner::of(approvers)) {
        Ok((all, revoked)) if check => {
            let count = all.iter().filter(|one| listed(one, &revoked).approves).count();
            give(&Found { errors: Vec::new(), keys: count }, json, screen, |_| {
                View::yes(format!("{} may approve.\n", plural(count, "key")))
            })
        }
        Ok((all, revoked)) => list(&all, &revoked, json, screen),
        Err(errors) => {
            let lines: Vec<String> = errors.iter().map(|error| Shown(error).to_string()).collect();
            let text = lines.join("\n") + "\n";
            let said = vec!["jitctl: no signature counts on this host before these files load".to_owned()];
            give(&Found { errors, keys: 0 }, json, screen, |_| View {
                data: text,
                said,
                outcome: Outcome::No,
            })
        }
    }
}

#[derive(Debug, Serialize)]
struct Found {
    errors: Vec<String>,
    keys: usize,
}

fn list(all: &Approvers, revoked: &Revoked, json: bool, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let listed: Vec<Listed> = all.iter().map(|one| listed(one, revoked)).collect();
    give(&listed, json, screen, |listed| {
        let mut table = Table::new(["PRINCIPALS", "KIND", "KEY", "FROM", "TO", "APPROVES"]);
        for one in listed {
            let or = |time: &Option<String>| time.clone().unwrap_or_else(|| "-".to_owned());
            let approves = if one.approves { "yes" } else { "no" };
            table.row([
                one.principals.join(","),
                one.kind.clone(),
                one.key.clone(),
                or(&one.valid_after),
                or(&one.valid_before),
                approves.to_owned(),
            ]);
        }
        View::yes(table.text())
    })
}

fn listed(one: &Approver, revoked: &Revoked) -> Listed {
    Listed {
        principals: one.principals.iter().map(ToString::to_string).collect(),
        kind: one.key.kind().to_owned(),
        key: one.key.fingerprint(),
        valid_after: one.after.map(Utc::to_seconds),
        valid_before: one.before.map(Utc::to_seconds),
        approves: one.approves() && !revoked.contains(&one.key),
        line: one.line,
    }
}
