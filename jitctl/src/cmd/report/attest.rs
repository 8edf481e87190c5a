//! `report --attest`: who may ask for which role, who said last whether they still should, and what policy is to lose.

use jit_core::duration::Human;
use jit_report::{Attestation, Report, Suggestion};
use serde::Serialize;
use std::time::Duration;

use crate::output::{Outcome, View};
use crate::table::Table;

/// What is listed.
#[derive(Serialize)]
pub(super) struct Listed<'r> {
    attestations: &'r [Attestation],
    removals: Vec<&'r Suggestion>,
    #[serde(skip)]
    report: &'r Report,
}

impl<'r> Listed<'r> {
    pub(super) fn of(report: &'r Report) -> Self {
        let removals = report.suggestions.iter().filter(|one| one.what == "attested").collect();
        Self { attestations: &report.attestations, removals, report }
    }
}

/// One line for each right to ask, then the changes of policy that were asked for. The exit code is 1 where one is overdue.
pub(super) fn view(listed: &Listed<'_>) -> View {
    let as_of = listed.report.as_of;
    let mut table = Table::new(["ROLE", "WHO", "SAID", "BY", "AGO", ""]);
    for one in listed.attestations {
        let last = one.said.as_ref().map_or(one.since, |said| said.at);
        let ago = as_of.map_or(Duration::ZERO, |as_of| as_of.since(last));
        let days = Human(Duration::from_secs(ago.as_secs() / 86_400 * 86_400)).to_string();
        let (said, by) = match &one.said {
            Some(said) => (said.decision.as_str(), said.by.as_str()),
            None => ("never", "-"),
        };
        let overdue = if one.overdue { "OVERDUE" } else { "" };
        table.row([
            one.role.to_string(),
            one.who.to_string(),
            said.to_owned(),
            by.to_owned(),
            days,
            overdue.to_owned(),
        ]);
    }
    let mut text = table.text();
    for removal in &listed.removals {
        text += &format!("\n{}\n", removal.text);
        text += &removal.diff.iter().map(|line| format!("  {line}\n")).collect::<Vec<_>>().concat();
    }
    let mut view = View::yes(text);
    let overdue = listed.attestations.iter().filter(|one| one.overdue).count();
    if overdue > 0 {
        view.outcome = Outcome::No;
        view.said.push(format!(
            "jitctl: {overdue} are overdue\nhint: say of each: jitctl attest ROLE USER|@GROUP keep|remove --note TEXT"
        ));
    }
    view
}
