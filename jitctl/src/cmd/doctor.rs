//! `jitctl doctor`: what is wrong with this host's installation, with jitd or without.
//!
//! What is wrong with files [`jit_host::doctor`] says; here they are gathered, jitd and the name service are asked, and all of
//! it is shown.

mod live;
mod names;

use std::path::Path;
use std::time::Duration;

use jit_core::policy::{Facts, Finding as OfPolicy, Loaded, Policy, Severity as SeverityOfPolicy};
use jit_host::doctor::{Finding, Rules, Seen, Severity, Unseen, judge};
use jit_host::facts;
use jit_host::files::{Owner, POLICY_DIR, read_policy_dir};
use jit_host::settings::{SETTINGS, Settings};
use nix::unistd::geteuid;
use serde::Serialize;

use self::names::Asked;
use crate::error::Failure;
use crate::jitd::Jitd;
use crate::output::{Outcome, View, give};
use crate::screen::Screen;
use crate::table::wrapped;
use crate::times::now;
use crate::views::plural;

/// How long the name service is waited for about the names of the policy.
const LIMIT: Duration = Duration::from_secs(5);

/// The code of a finding of policy's that says what one about PAM files says better.
const NO_END: &str = "JIT104";

pub(crate) fn run(
    json: bool,
    jitd: &dyn Jitd,
    root: &Path,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let Looked { mut seen, mut found, policy } = look(root);
    live::look(jitd, root, &mut found, &mut seen.unseen);
    if let Some((policy, settings)) = &policy {
        let facts = facts::gather_within(LIMIT, policy, &settings.host);
        let facts = Facts { now: Some(now()), ..facts };
        let of_host = policy.host_check(&facts).into_iter().filter(|found| found.code != NO_END);
        found.extend(of_host.map(|finding| of_policy(&finding)));
    }
    found.extend(jit_host::signers::findings().iter().map(of_policy));
    let asked = names::ask(root);
    found.extend(names::judge(&asked));
    let report = Report::new(found, seen.unseen, asked);
    Ok(give(&report, json, screen, Report::view)?)
}

/// The worst that the files of this host show, for `jitctl status`: in one line, and nothing that is a note only.
pub(crate) fn worst(root: &Path) -> Option<String> {
    let Looked { found, .. } = look(root);
    let serious: Vec<&Finding> = found.iter().filter(|found| found.severity != Severity::Note).collect();
    let worst = serious.first()?;
    let more = match serious.len() - 1 {
        0 => String::new(),
        others => format!(", and {others} more"),
    };
    Some(format!("{}: {}: {}{more}; see: jitctl doctor", worst.severity, worst.about, worst.what))
}

/// What files show.
struct Looked {
    seen: Seen,
    found: Vec<Finding>,
    policy: Option<(Policy, Settings)>,
}

fn look(root: &Path) -> Looked {
    let mut seen = Seen::gather(root);
    let mut found = Vec::new();
    let policy = policy(root, &mut found, &mut seen.unseen);
    let rules = policy.as_ref().map(|(policy, settings)| Rules { policy, host: &settings.host });
    found.extend(judge(&seen, rules));
    found.sort_by_key(|found| found.severity);
    Looked { seen, found, policy }
}

/// The policy of the files, and the host that it is for; what is wrong with them is found.
fn policy(root: &Path, found: &mut Vec<Finding>, unseen: &mut Vec<Unseen>) -> Option<(Policy, Settings)> {
    let below = |path: &str| root.join(path.trim_start_matches('/'));
    let files = match read_policy_dir(&below(POLICY_DIR), Owner::Root) {
        Ok(files) => files,
        Err(wrong) => {
            let findings = wrong.iter().map(jit_host::files::BadFile::finding);
            unseen.extend(findings.map(|bad| Unseen { what: bad.file, why: bad.message }));
            return None;
        }
    };
    let settings =
        Settings::read(&below(SETTINGS)).map_err(|bad| found.push(of_policy(&bad.finding()))).ok()?;
    match Policy::parse(&files) {
        Ok(Loaded { policy, .. }) => Some((policy, settings)),
        Err(wrong) => {
            let errors = wrong.iter().filter(|found| found.severity == SeverityOfPolicy::Error).count();
            let texts = [
                format!("The policy files do not load: {}.", plural(errors, "error")),
                "After a reboot jitd goes on with the last policy that was accepted, if there is one."
                    .to_owned(),
                "jitctl policy check".to_owned(),
            ];
            found.push(Finding::new("policy-does-not-load", Severity::Error, POLICY_DIR, texts));
            None
        }
    }
}

/// A finding about policy as one of the host.
fn of_policy(finding: &OfPolicy) -> Finding {
    let severity = match finding.severity {
        SeverityOfPolicy::Error => Severity::Error,
        SeverityOfPolicy::Warning => Severity::Warning,
    };
    let about =
        if finding.line == 0 { finding.file.clone() } else { format!("{}:{}", finding.file, finding.line) };
    let texts = [
        finding.message.clone(),
        String::new(),
        finding.hint.clone().unwrap_or_else(|| "jitctl policy check".to_owned()),
    ];
    Finding::new(finding.code, severity, about, texts)
}

/// All that is said. The fields are those of the JSON in jitctl(1).
#[derive(Debug, Serialize)]
struct Report {
    errors: usize,
    warnings: usize,
    notes: usize,
    findings: Vec<Item>,
    unseen: Vec<NotSeen>,
    name_service: Vec<Asked>,
}

/// One finding, as JSON has it.
#[derive(Debug, Serialize)]
struct Item {
    id: &'static str,
    severity: &'static str,
    about: String,
    what: String,
    why: Option<String>,
    fix: String,
}

/// What could not be looked at.
#[derive(Debug, Serialize)]
struct NotSeen {
    what: String,
    why: String,
}

impl Report {
    fn new(mut found: Vec<Finding>, unseen: Vec<Unseen>, name_service: Vec<Asked>) -> Self {
        found.sort_by_key(|found| found.severity);
        let of = |severity| found.iter().filter(|found| found.severity == severity).count();
        let (errors, warnings, notes) = (of(Severity::Error), of(Severity::Warning), of(Severity::Note));
        let item = |found: Finding| Item {
            id: found.id,
            severity: found.severity.as_str(),
            about: found.about,
            what: found.what,
            why: Some(found.why).filter(|why| !why.is_empty()),
            fix: found.fix,
        };
        let findings = found.into_iter().map(item).collect();
        let unseen = unseen.into_iter().map(|Unseen { what, why }| NotSeen { what, why }).collect();
        Self { errors, warnings, notes, findings, unseen, name_service }
    }

    fn view(&self) -> View {
        let mut text = String::new();
        for Item { id, severity, about, what, why, fix } in &self.findings {
            text += &format!("{severity}[{id}] {}\n", jit_proto::text::Shown(about));
            text += &wrapped(what, "  ");
            text += &wrapped(why.as_deref().unwrap_or_default(), "  ");
            // What is typed stays in one piece.
            text += &format!("  fix: {}\n\n", jit_proto::text::Shown(fix));
        }
        for asked in &self.name_service {
            text += &format!("{asked}\n");
        }
        text += &format!(
            "{}, {}, {}\n",
            plural(self.errors, "error"),
            plural(self.warnings, "warning"),
            plural(self.notes, "note")
        );
        let mut view = View::yes(text);
        if self.errors > 0 {
            view.outcome = Outcome::No;
        }
        view.said = self.unseen.iter().map(|one| format!("not seen: {}: {}", one.what, one.why)).collect();
        if !self.unseen.is_empty() && !geteuid().is_root() {
            view.said.push("hint: as root, jitctl doctor sees more".to_owned());
        }
        view
    }
}

#[cfg(test)]
mod tests;
