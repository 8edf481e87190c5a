//! Test cases for a policy: a story of requests, reviews, logins and waiting, and what each must answer. They are run
//! by the code that decides in earnest; only names, ids and clocks are made up.
//!
//! A file of cases is TOML. `[account.NAME]` gives an account its groups, and each `[[case]]` has a name, a host, a
//! time and a `story`, a list of steps. Every account starts out logged in as itself. A policy may have any number of
//! such files; what rules no case touches is asked of all of them together.

mod case;
#[cfg(test)]
mod tests;
mod touched;
mod world;

use std::collections::BTreeSet;
use std::fmt;

use jit_proto::text::Shown;
use serde::Serialize;

use crate::policy::{BAD_CASES, Finding, Log, Policy, Source, SourceFile, Spot};
use crate::tickets::Register;
use case::read;
use touched::rules;
use world::World;

/// What running all cases came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Each case, by file and in the order of the file.
    pub cases: Vec<Ran>,
    /// The rules that no case of any file touched, in words: roles, the approval and the denial at each stage, the
    /// limits of a role, exemptions.
    pub untouched: Vec<String>,
}

/// One case that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ran {
    /// The file it stands in.
    pub file: String,
    /// What the file calls it.
    pub name: String,
    /// What went otherwise than expected; nothing if all went well.
    pub wrong: Vec<Mismatch>,
}

/// A step that was not answered as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// The line of the file that it stands in, from 1.
    pub line: usize,
    /// Which step of the story, from 1.
    pub step: usize,
    /// What was tried.
    pub tried: String,
    /// What the case expects.
    pub expected: String,
    /// What was answered.
    pub got: String,
}

impl Report {
    /// Whether every case went as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.cases.iter().all(|case| case.wrong.is_empty())
    }

    /// How many cases did not go as expected.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.cases.iter().filter(|case| !case.wrong.is_empty()).count()
    }
}

/// One line for each case, three more for each mismatch, what was not touched, and a summary.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Ran { file, name, wrong } in &self.cases {
            writeln!(
                f,
                "{} {}: {}",
                if wrong.is_empty() { "ok  " } else { "FAIL" },
                Shown(file),
                Shown(name)
            )?;
            for Mismatch { line, step, tried, expected, got } in wrong {
                writeln!(f, "     line {line}, step {step}: {}", Shown(tried))?;
                writeln!(f, "       - {}\n       + {}", Shown(expected), Shown(got))?;
            }
        }
        for what in &self.untouched {
            writeln!(f, "not touched by any case: {what}")?;
        }
        let cases = if self.cases.len() == 1 { "case" } else { "cases" };
        write!(f, "{} {cases}, {} failed", self.cases.len(), self.failed())?;
        match self.untouched.len() {
            0 => f.write_str(", every rule touched"),
            1 => f.write_str(", 1 rule not touched"),
            count => write!(f, ", {count} rules not touched"),
        }
    }
}

/// Runs files of cases against a policy. What one file leaves untouched another may touch. A file that cannot be run,
/// or a step that makes no sense, is a finding, and then nothing is reported but all such findings.
pub fn run(policy: &Policy, files: &[SourceFile]) -> Result<Report, Vec<Finding>> {
    let sources: Vec<_> = files.iter().map(Source::new).collect();
    let mut log = Log::new(&sources);
    let mut touched = BTreeSet::new();
    let mut report = Report::default();
    for (index, source) in sources.iter().enumerate() {
        let Some(file) = read(index, source, &mut log) else { continue };
        let register = Register::of(source.name, &file.tickets);
        if let Some(fault) = register.fault() {
            log.add(BAD_CASES, &Spot { file: index, span: None }, Shown(fault).to_string());
            continue;
        }
        for case in &file.case {
            let mut world = World::new(policy, &register, &file.account, case);
            let mut wrong = Vec::new();
            for (step, n) in case.story.iter().zip(1..) {
                let span = step.span();
                match world.step(step.get_ref()) {
                    Ok(got) => wrong.extend(got.differs_from(step.get_ref()).map(|expected| Mismatch {
                        line: source.line_and_column(span.start).0,
                        step: n,
                        tried: got.tried,
                        expected,
                        got: got.text,
                    })),
                    Err(what) => {
                        let spot = Spot { file: index, span: Some(span) };
                        let name = Shown(&case.name);
                        log.add(BAD_CASES, &spot, format!("case '{name}', step {n}: {}", Shown(&what)));
                        break; // what follows hangs on it
                    }
                }
            }
            touched.append(&mut world.touched);
            report.cases.push(Ran { file: source.name.to_owned(), name: case.name.clone(), wrong });
        }
    }
    if log.has_errors() {
        return Err(log.finish().unwrap_or_else(|findings| findings));
    }
    report.untouched = rules(policy).into_iter().filter(|rule| !touched.contains(rule)).collect();
    Ok(report)
}
