//! `jitctl policy diff`: what new files would give and take, in words.

use std::path::Path;

use jit_core::policy::{Change, Direction, Finding, Policy, SourceFile, diff};
use jit_proto::manager;
use serde::Serialize;

use super::check::Report;
use super::files::{self, Which};
use crate::call::Call;
use crate::error::Error;
use crate::jitd::Jitd;
use crate::output::Outcome;
use crate::screen::Screen;

/// One difference. The fields are those of the JSON in jitctl(1).
#[derive(Debug, Serialize)]
struct Item {
    direction: &'static str,
    about: String,
    text: String,
}

pub(crate) fn run(
    new: &Which,
    from: Option<&Path>,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Error> {
    let old = match from {
        Some(dir) => files::folder(dir).and_then(|files| parse(&files)),
        None => parse(&in_force(jitd)?),
    };
    let new = new.read()?.and_then(|files| parse(&files));
    let (old, new) = match (old, new) {
        (Ok(old), Ok(new)) => (old, new),
        (_, Err(findings)) => return broken("the new policy", &findings, json, screen),
        (Err(findings), _) => return broken("the policy to compare with", &findings, json, screen),
    };
    let changes = diff(&old, &new);
    screen.data(&if json {
        crate::output::json(&changes.iter().map(item).collect::<Vec<_>>())?
    } else {
        text(&changes)
    })?;
    Ok(Outcome::Yes)
}

fn broken(which: &str, findings: &[Finding], json: bool, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let report = Report::new(0, findings);
    screen.data(&if json { crate::output::json(&report)? } else { report.text() })?;
    screen.say(&format!("jitctl: {which} has errors, so it is compared with nothing"));
    Ok(Outcome::No)
}

fn parse(files: &[SourceFile]) -> Result<Policy, Vec<Finding>> {
    Policy::parse(files).map(|loaded| loaded.policy)
}

/// The files of the policy in force, as jitd gives them out.
fn in_force(jitd: &dyn Jitd) -> Result<Vec<SourceFile>, Error> {
    let reply = jitd.ask(&Call::Policy)?;
    let policy: manager::Policy =
        serde_json::from_str(&reply).map_err(|why| Error::Garbled(why.to_string()))?;
    let file = |file: manager::PolicyFile| SourceFile { name: file.name, bytes: file.text.into_bytes() };
    Ok(policy.files.into_iter().map(file).collect())
}

/// Gains, losses and the rest under a heading each, and the sum.
fn text(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "Both mean the same.\n".to_owned();
    }
    let of = |direction| changes.iter().filter(move |change| change.direction == direction);
    let mut text: String = changes.iter().fold(String::new(), |text, change| text + &format!("{change}\n"));
    text += &format!(
        "{} given, {} taken, {} otherwise changed\n",
        of(Direction::Gains).count(),
        of(Direction::Loses).count(),
        of(Direction::Changes).count()
    );
    text
}

fn item(change: &Change) -> Item {
    let direction = match change.direction {
        Direction::Gains => "gains",
        Direction::Loses => "loses",
        Direction::Changes => "changes",
    };
    Item { direction, about: change.about.clone(), text: change.text.clone() }
}
