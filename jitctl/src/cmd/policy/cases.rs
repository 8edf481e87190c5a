//! `jitctl policy test`: runs the test cases of a policy, and says which of its rules none of them touched.

use std::path::{Path, PathBuf};

use jit_core::cases;
use jit_core::policy::{Finding, Policy};
use serde::Serialize;

use super::check::Report;
use super::files;
use crate::error::Error;
use crate::output::Outcome;
use crate::screen::Screen;

/// The cases beside a policy: every *.toml of this folder in its folder.
const CASES: &str = "cases";

/// What was run. The fields are those of the JSON in jitctl(1).
#[derive(Debug, Serialize)]
struct Tested {
    passed: bool,
    failed: usize,
    #[serde(flatten)]
    report: cases::Report,
}

pub(crate) fn run(dir: &Path, json: bool, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let report = match test(dir) {
        Ok(report) => report,
        // What is wrong is said as `policy check` says it.
        Err(findings) => {
            let report = Report::new(0, &findings);
            screen.data(&if json { crate::output::json(&report)? } else { report.text() })?;
            return Ok(Outcome::No);
        }
    };
    let outcome = if report.passed() { Outcome::Yes } else { Outcome::No };
    let data = if json {
        crate::output::json(&Tested { passed: report.passed(), failed: report.failed(), report })?
    } else {
        format!("{report}\n")
    };
    screen.data(&data)?;
    Ok(outcome)
}

fn test(dir: &Path) -> Result<cases::Report, Vec<Finding>> {
    let policy = Policy::parse(&files::folder(dir)?)?.policy;
    let folder: PathBuf = dir.join(CASES);
    let mut cases = files::folder(&folder)?;
    // Findings name a file without its folder, which here would be the policy's of the same name.
    for file in &mut cases {
        file.name = format!("{CASES}/{}", file.name);
    }
    cases::run(&policy, &cases)
}
