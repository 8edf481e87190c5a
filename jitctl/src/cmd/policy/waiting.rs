//! `jitctl policy waiting`, `approve` and `deny`: a policy that others have to approve before it comes into force.

use clap::Args;
use jit_core::duration::Human;
use jit_core::model::Decision;
use jit_proto::manager::{PolicyChanges, PolicyOverridden, PolicyReviewed, PolicyWaiting};
use jit_proto::text::Shown;
use jit_proto::words::Reason;

use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give};
use crate::prompts;
use crate::screen::Screen;
use crate::times::time;

/// Which policy is meant.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The digest of the policy, or how it begins [default: the one that waits, once it was shown]
    #[arg(value_name = "DIGEST", value_parser = digest)]
    digest: Option<String>,
    /// Do not ask, though no digest was typed
    #[arg(long)]
    yes: bool,
}

/// A digest may be cut, but not so short that another begins with the same.
fn digest(text: &str) -> Result<String, String> {
    let good = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if good && (12..=64).contains(&text.len()) {
        Ok(text.to_owned())
    } else {
        Err("a digest is 64 hex digits in lower case; at least the first 12 of them".to_owned())
    }
}

/// Shows what waits.
pub(super) fn show(json: bool, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    jitd::show(jitd, &Call::PolicyChanges, json, screen, view)
}

/// Says yes or no to it.
pub(super) fn review(
    which: &Which,
    decision: Decision,
    note: Option<&Reason>,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    let changes: PolicyChanges = jitd::ask(jitd, &Call::PolicyChanges)?;
    let Some(digest) = meant(&changes, which.digest.as_deref(), decision)? else {
        screen.say("No change of the policy waits for you.");
        return Ok(Outcome::No);
    };
    if which.digest.is_none() && !which.yes {
        let shown = view(&changes);
        screen.say(shown.data.trim_end());
        let question = if decision == Decision::Approve { "Approve it?" } else { "Deny it?" };
        if !prompts::yes(screen, question, false) {
            screen.say("Nothing was said to it.\nhint: name its digest, or give --yes");
            return Ok(Outcome::No);
        }
    }
    let call = Call::ReviewPolicy { digest, decision, note: note.cloned() };
    let reviewed: PolicyReviewed = jitd::ask(jitd, &call)?;
    Ok(give(&reviewed, json, screen, reviewed_view)?)
}

/// The digest that the word is about: an override that waits to be acknowledged comes first, as it is in force.
fn meant(changes: &PolicyChanges, typed: Option<&str>, decision: Decision) -> Result<Option<String>, Error> {
    let overridden =
        changes.overridden.as_ref().filter(|_| decision == Decision::Approve).map(|done| &done.digest);
    let waiting = changes.waiting.as_ref().map(|waiting| &waiting.digest);
    let Some(typed) = typed else { return Ok(overridden.or(waiting).cloned()) };
    let found = overridden.into_iter().chain(waiting).find(|digest| digest.starts_with(typed));
    match found {
        Some(digest) => Ok(Some(digest.clone())),
        None => Err(Error::NotFound(format!(
            "no policy waits whose digest is or begins with {}; 'jitctl policy waiting' shows what does",
            Shown(typed)
        ))),
    }
}

fn view(changes: &PolicyChanges) -> View {
    let parts: Vec<String> =
        changes.overridden.iter().map(overridden).chain(changes.waiting.iter().map(waiting)).collect();
    if parts.is_empty() {
        let mut view = View::yes(String::new());
        view.said.push("No change of the policy waits.".to_owned());
        return view;
    }
    let mut view = View::yes(parts.join("\n"));
    if changes.waiting.as_ref().is_some_and(|waiting| !waiting.files_current) {
        view.said.push(
            "warning: the files in /etc/jit/policy.d are others by now, so nobody can approve it\n\
             hint: put them back, or propose them as they are with: jitctl policy load"
                .to_owned(),
        );
    }
    view
}

fn waiting(waiting: &PolicyWaiting) -> String {
    let mut text = format!("Policy {} waits since {}.\n", Shown(&waiting.digest), time(&waiting.since));
    text += &format!("Loaded by: {}\n", Shown(&waiting.by));
    if let Some(reason) = &waiting.reason {
        text += &format!("Reason: {}\n", Shown(reason));
    }
    if let Some(seconds) = waiting.trial {
        text += &format!("On trial for: {}\n", Human(std::time::Duration::from_secs(seconds)));
    }
    if !waiting.forced.is_empty() {
        text += "Loaded in spite of what this host says against it:\n";
        text.extend(waiting.forced.iter().map(|said| format!("  {}\n", Shown(said))));
    }
    let approved =
        if waiting.approved.is_empty() { "nobody".to_owned() } else { waiting.approved.join(", ") };
    text += &format!(
        "Approved by: {}; {} of {} must\n\n",
        Shown(&approved),
        waiting.approvals,
        Shown(&waiting.approvers)
    );
    for line in &waiting.changes {
        text += &format!("{}\n", Shown(line));
    }
    if waiting.changes.is_empty() {
        text += "It means the same as the policy in force.\n";
    }
    if waiting.more > 0 {
        text += &format!("and {} more changes; see: jitctl policy diff\n", waiting.more);
    }
    text
}

fn overridden(done: &PolicyOverridden) -> String {
    format!(
        "Policy {} was put in force without approvals, {}.\nBy: {}\nReason: {}\n",
        Shown(&done.digest),
        time(&done.at),
        Shown(&done.by),
        Shown(&done.reason)
    )
}

fn reviewed_view(reviewed: &PolicyReviewed) -> View {
    let digest = Shown(&reviewed.digest);
    if reviewed.decision == "deny" {
        return View::yes(format!("Policy {digest} was denied and waits no longer.\n"));
    }
    if let Some(seconds) = reviewed.trial {
        let left = Human(std::time::Duration::from_secs(seconds));
        let mut view = View::yes(format!("Policy {digest} is on trial for {left}.\n"));
        view.said.push("hint: to keep it, an admin logs in anew and types: jitctl confirm".to_owned());
        return view;
    }
    if reviewed.in_force {
        return View::yes(format!("Policy {digest} is in force.\n"));
    }
    let mut view = View::yes(format!("Approved policy {digest}.\n"));
    if let Some(waiting) = &reviewed.changes.waiting {
        let count = waiting.approved.len();
        view.said.push(format!("{count} of {} have approved it; it is not in force yet.", waiting.approvals));
    }
    view
}
