//! `jitctl policy check`: every finding where it is, then how many there are.

use std::path::Path;
use std::time::Duration;

use jit_core::policy::{Facts, Finding, HowEnds, Loaded, Policy, ServiceEnd, Severity, SourceFile};
use jit_host::facts;
use jit_host::settings::{SETTINGS, Settings};
use serde::Serialize;

use super::files::Which;
use crate::error::Error;
use crate::output::Outcome;
use crate::screen::Screen;
use crate::times::now;
use crate::views;

pub(crate) fn run(
    which: &Which,
    on_host: bool,
    json: bool,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Error> {
    let report = match which.read()? {
        Ok(files) => {
            let (findings, ends) = judge(&files, on_host);
            Report { ends, ..Report::new(files.len(), &findings) }
        }
        Err(findings) => Report::new(0, &findings),
    };
    screen.data(&if json { crate::output::json(&report)? } else { report.text() })?;
    Ok(report.outcome())
}

/// All that is to be said of these files; what this host says of their names only once they are sound themselves.
pub(super) fn check(files: &[SourceFile], on_host: bool) -> Vec<Finding> {
    judge(files, on_host).0
}

/// The same, with how logins end on this host.
fn judge(files: &[SourceFile], on_host: bool) -> (Vec<Finding>, Vec<End>) {
    let Loaded { policy, warnings: mut findings } = match Policy::parse(files) {
        Ok(loaded) => loaded,
        Err(findings) => return (findings, Vec::new()),
    };
    let mut ends = Vec::new();
    if on_host {
        match Settings::read(Path::new(SETTINGS)) {
            Ok(settings) => {
                let facts = facts::gather_within(LIMIT, &policy, &settings.host);
                let facts = Facts { now: Some(now()), ..facts };
                findings.extend(policy.host_check(&facts));
                ends.extend(policy.ends_on(&facts).iter().map(End::of));
            }
            Err(bad) => findings.push(bad.finding()),
        }
        findings.extend(jit_host::signers::findings());
    }
    (findings, ends)
}

/// How long the name service is waited for; what it has not said by then is found to be untold.
const LIMIT: Duration = Duration::from_secs(5);

/// What was found. The fields are those of the JSON in jitctl(1).
#[derive(Debug, Serialize)]
pub(super) struct Report {
    files: usize,
    errors: usize,
    warnings: usize,
    findings: Vec<Item>,
    /// How logins end at each service that a role of this host names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ends: Vec<End>,
}

/// How logins at one service end, as JSON has it.
#[derive(Debug, Serialize)]
struct End {
    service: String,
    how: &'static str,
    enforced: bool,
    #[serde(skip)]
    said: String,
}

impl End {
    fn of(end: &ServiceEnd) -> Self {
        let enforced = match end.how {
            HowEnds::Session | HowEnds::Process | HowEnds::Program(_) => true,
            HowEnds::Found | HowEnds::Nothing { .. } | HowEnds::Untold => false,
        };
        Self { service: end.service.to_string(), how: end.how.as_str(), enforced, said: end.to_string() }
    }
}

/// One finding, as JSON has it.
#[derive(Debug, Serialize)]
struct Item {
    file: String,
    line: usize,
    column: usize,
    /// The column after the last that is meant.
    end_column: usize,
    code: &'static str,
    severity: String,
    message: String,
    hint: Option<String>,
    #[serde(skip)]
    rendered: String,
}

impl Report {
    pub(super) fn new(files: usize, findings: &[Finding]) -> Self {
        let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        Self {
            files,
            errors: of(Severity::Error),
            warnings: of(Severity::Warning),
            findings: findings.iter().map(item).collect(),
            ends: Vec::new(),
        }
    }

    /// The findings as a person reads them, and the sum.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            text += &format!("{}\n\n", finding.rendered);
        }
        if !self.ends.is_empty() {
            text += "When a window is over, a login ends at\n";
            text.extend(self.ends.iter().map(|end| format!("  {}\n", end.said)));
            text.push('\n');
        }
        text +=
            &format!("{}, {}", views::plural(self.errors, "error"), views::plural(self.warnings, "warning"));
        if self.files > 0 {
            text += &format!(" in {}", views::plural(self.files, "file"));
        }
        text + "\n"
    }

    pub(super) const fn outcome(&self) -> Outcome {
        if self.errors == 0 { Outcome::Yes } else { Outcome::No }
    }
}

fn item(finding: &Finding) -> Item {
    Item {
        file: finding.file.clone(),
        line: finding.line,
        column: finding.column,
        end_column: finding.column + finding.underline.len(),
        code: finding.code,
        severity: finding.severity.to_string(),
        message: finding.message.clone(),
        hint: finding.hint.clone(),
        rendered: finding.render(),
    }
}
