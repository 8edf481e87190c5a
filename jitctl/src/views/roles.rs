//! Roles that one may ask for, and the terms of a request before it is sent.

use jit_core::time::Utc;
use jit_proto::manager::{Role, RoleStage};
use jit_proto::words::Reason;

use crate::table::Properties;
use crate::times::{length, time};

pub(crate) fn role(role: &Role) -> String {
    let mut view = opens(role);
    let (default, most) = (length(role.default_duration), length(role.max_duration));
    view.add("For", &format!("{default}, at most {most}"));
    conditions(role, &mut view);
    if let Some(reason) = &role.reason {
        view.add("Reason", reason);
    }
    view.text()
}

/// What a request for a role comes to, before it is sent. 0 seconds is the role's default.
pub(crate) fn terms(role: &Role, seconds: u64, start: Option<Utc>, reason: &Reason) -> String {
    let mut view = opens(role);
    let seconds = if seconds == 0 { role.default_duration } else { seconds };
    view.add("For", &length(seconds).to_string());
    let starts = match start {
        Some(start) => time(&start.to_seconds()),
        None if role.emergency => "at once".to_owned(),
        None if role.with_hours => "once approved, and no sooner than its hours".to_owned(),
        None => "once approved".to_owned(),
    };
    view.add("Starts", &starts);
    conditions(role, &mut view);
    view.add("Reason", reason.as_str());
    view.text()
}

/// What it is for and what it opens.
fn opens(role: &Role) -> Properties {
    let title = match &role.summary {
        Some(summary) => format!("{} - {summary}", role.role),
        None => role.role.clone(),
    };
    let mut view = Properties::new(&title);
    view.add("Services", &role.services.join(", "));
    if !role.targets.is_empty() {
        view.add("Becomes", &role.targets.join(", "));
    }
    view
}

/// Under what conditions.
fn conditions(role: &Role, view: &mut Properties) {
    match role.uses {
        None => {}
        Some(1) => view.add("Uses", "1 login"),
        Some(uses) => view.add("Uses", &format!("{uses} logins")),
    }
    for hours in &role.hours {
        view.add("When", hours);
    }
    if !role.from.is_empty() {
        view.add("From", &role.from.join(", "));
    }
    if !role.apart.is_empty() {
        view.add("Apart", &format!("not beside {}", role.apart.join(", ")));
    }
    if let Some(limits) = &role.limits {
        view.add("Limits", limits);
    }
    if let Some(until) = &role.until {
        view.add("Until", until);
    }
    if let Some(what) = &role.unreviewed {
        view.add("Unreviewed", &format!("opens at once: {what}"));
    }
    if role.emergency {
        view.add("Emergency", "opens immediately; must be reviewed afterwards");
    }
    for approval in role.stages.iter().map(stage) {
        view.add("Approval", &approval);
    }
}

/// `security: 2 of tom, @secops above 4h within 8h, then @bosses (online, code)`.
fn stage(stage: &RoleStage) -> String {
    let mut text = format!("{}: {} of {}", stage.name, stage.approvals, stage.approvers);
    if let Some(above) = stage.above {
        text += &format!(" above {}", length(above));
    }
    if let Some(expires) = stage.expires {
        text += &format!(" within {}", length(expires));
    }
    if let Some(next) = &stage.then {
        text += &format!(", then {next}");
    }
    if let Some(note) = &stage.note {
        text += &format!(", with a note: {note}");
    }
    text + &format!(" ({})", stage.accept.join(", "))
}
