//! A report, as data. Its JSON is what programs read: names of fields and words stay as they are once released.

use std::collections::BTreeMap;

use jit_core::time::Utc;
use jit_proto::words::RoleName;
use serde::Serialize;

use crate::attest::Attestation;
use crate::figures::Spread;
use crate::host::Coverage;
use crate::live::Live;
use crate::log::LogRead;
use crate::observed::ObservedRefusals;
use crate::period::Period;
use crate::policies::{NeverAsked, Standing};
use crate::rows::{Access, Attention, Duty, Reviewer, RoleFigures};
use crate::suggest::Suggestion;

/// All of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// `jit-report/1`; another number where a program would have to know of a change.
    pub format: &'static str,
    /// The host whose log it was, as the log says.
    pub host: Option<String>,
    /// What it was made of.
    pub log: LogRead,
    /// What it is about.
    pub period: Period,
    /// The end of that: of the period, or of the log where it ends before.
    pub as_of: Option<Utc>,
    /// What somebody has to look at, the gravest first.
    pub attention: Vec<Attention>,
    /// Every access that there was in the period, by the time when it was asked for.
    pub accesses: Vec<Access>,
    /// Figures of each role that was asked for or used.
    pub roles: Vec<RoleFigures>,
    /// Who reviewed how often.
    pub reviewers: Vec<Reviewer>,
    /// From the end of a window that people were in by, to the last of them gone, by why it ended; `all` is all of them.
    pub to_gone: BTreeMap<&'static str, Spread>,
    /// Windows that were ended and whose sessions policy let finish (`at-end`); they are not in the figures above.
    pub let_finish: u64,
    /// Times at which one person had more than one window open.
    pub duties: Vec<Duty>,
    /// Who was in at a time, if that was asked.
    pub live: Option<Live>,
    /// How the host itself was.
    pub coverage: Coverage,
    /// Who would have been refused where jitd only watched.
    pub observed: ObservedRefusals,
    /// Who needs no window, by the last policy on record.
    pub standing: Option<Standing>,
    /// Who may ask, by that policy, and did not in the period.
    pub never_asked: Vec<NeverAsked>,
    /// Groups that may ask for a role: who is in them, no log says.
    pub groups: Vec<(RoleName, String)>,
    /// Everybody whom a role names as eligible, and who said last whether they still should be.
    pub attestations: Vec<Attestation>,
    /// What policy could do without.
    pub suggestions: Vec<Suggestion>,
}
