//! `jitctl policy show`: the policy in force as it was written, or with profiles and sets put in where they are used.

use std::path::Path;

use jit_core::policy::{Finding, Policy, SourceFile};
use jit_proto::manager::{self, PolicyFile};
use serde::Serialize;

use super::check::Report;
use super::files;
use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::{self, Outcome, View};
use crate::screen::Screen;
use crate::views;

/// The files of a folder, expanded. The field is that of the JSON in jitctl(1).
#[derive(Serialize)]
struct Files {
    files: Vec<PolicyFile>,
}

pub(crate) fn run(
    expanded: bool,
    from: Option<&Path>,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    if let Some(dir) = from {
        return match files::folder(dir).and_then(|files| expand(&files)) {
            Ok(files) => {
                let view = |Files { files }: &Files| View::yes(views::policy_files(files));
                Ok(output::give(&Files { files }, json, screen, view)?)
            }
            Err(findings) => broken(&findings, json, screen),
        };
    }
    if !expanded {
        return jitd::show(jitd, &Call::Policy, json, screen, views::policy);
    }
    let mut policy: manager::Policy = jitd::ask(jitd, &Call::Policy)?;
    let file = |file: &PolicyFile| SourceFile { name: file.name.clone(), bytes: file.text.clone().into() };
    if policy.summary.digest.is_some() {
        match expand(&policy.files.iter().map(file).collect::<Vec<_>>()) {
            Ok(files) => policy.files = files,
            Err(findings) => return broken(&findings, json, screen),
        }
    }
    let shown = output::give(&policy, json, screen, views::policy);
    shown.map_err(|error| Failure::at(error, &Call::Policy))
}

fn expand(files: &[SourceFile]) -> Result<Vec<PolicyFile>, Vec<Finding>> {
    let text = |file: SourceFile| PolicyFile {
        name: file.name,
        text: String::from_utf8_lossy(&file.bytes).into_owned(),
    };
    Ok(Policy::parse(files)?.policy.expanded().into_iter().map(text).collect())
}

fn broken(findings: &[Finding], json: bool, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    let report = Report::new(0, findings);
    screen.data(&if json { output::json(&report)? } else { report.text() })?;
    screen.say("jitctl: the policy has errors, so nothing is known of what it comes to");
    Ok(Outcome::No)
}
