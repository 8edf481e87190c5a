//! `jitctl enable`, `disable` and `enforce`: our lines in PAM files, by a dead man's switch.
//!
//! What a file becomes [`jit_host::pam::edit`] says, and [`plan`] which files. [`switch`] keeps the old ones and puts the new ones
//! in their place; unless somebody proves by a login of after the change that people still get in ([`proof`]), a unit of
//! systemd's brings the old ones back. None of that needs jitd.

mod plan;
mod proof;
mod shown;
mod state;
mod switch;

use std::path::Path;

use clap::Args;
use jit_core::duration::Human;
use jit_host::doctor::Seen;
use jit_host::pam::edit::Mode;
use jit_proto::manager::Session;
use jit_proto::words::ServiceName;
use nix::unistd::geteuid;
use serde::Serialize;

use self::plan::{Plan, Wanted};
use self::state::{Dir, Kind, Trial};
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{Jitd, ask};
use crate::output::{Outcome, View, give};
use crate::prompts;
use crate::screen::Screen;
use crate::values::seconds;

/// Put services under jitd: watch first, keep out later, and back again unless a new login confirms it
///
/// The lines are written so that jitd decides and records, and PAM keeps nobody out; `jitctl enforce` is the next step.
/// Unless `jitctl enable --confirm` is typed in a login that began after the change, within the time, the old files are
/// brought back: whether jitd lives, the connection is lost or the host is booted anew.
#[derive(Debug, Args)]
pub(crate) struct Enable {
    /// PAM services, such as sshd or sudo; sudo-i goes with sudo, and su-l with su
    #[arg(value_name = "SERVICE", required_unless_present_any = ["confirm", "cancel", "restore"])]
    services: Vec<ServiceName>,

    /// Keep the change that waits; from a new login
    #[arg(long, conflicts_with_all = ["services", "cancel", "restore", "yes"])]
    confirm: bool,

    /// Bring the old files back now
    #[arg(long, conflicts_with_all = ["services", "restore", "yes"])]
    cancel: bool,

    /// Bring the old files back if the time is over or the host was booted: for jit-restore.service
    #[arg(long, conflicts_with_all = ["services", "yes"])]
    restore: bool,

    #[command(flatten)]
    how: How,
}

/// Take services out of jitd's hands, and back again unless a new login confirms it
#[derive(Debug, Args)]
pub(crate) struct Disable {
    /// PAM services; sudo-i goes with sudo, and su-l with su
    #[arg(value_name = "SERVICE", required = true)]
    services: Vec<ServiceName>,

    #[command(flatten)]
    how: How,
}

/// Keep out whom jitd refuses at services, and back again unless a new login by a window confirms it
///
/// It writes both lines as pam_jit(8) has them, also where `jitctl doctor` finds that those there are do not hold.
#[derive(Debug, Args)]
pub(crate) struct Enforce {
    /// PAM services; sudo-i goes with sudo, and su-l with su
    #[arg(value_name = "SERVICE", required = true)]
    services: Vec<ServiceName>,

    #[command(flatten)]
    how: How,
}

/// How it is changed.
#[derive(Debug, Args)]
struct How {
    /// How long a new login has to confirm it, from 30s to 1h
    #[arg(long, value_name = "DURATION", value_parser = seconds, default_value = "5m")]
    within: u64,

    /// Change it without asking
    #[arg(long)]
    yes: bool,
}

/// What a kind of change writes.
const fn wanted(kind: Kind) -> Wanted {
    match kind {
        Kind::Enable => Wanted::Lines(Mode::Observe),
        Kind::Enforce => Wanted::Lines(Mode::Enforce),
        Kind::Disable => Wanted::None,
    }
}

pub(crate) fn enable(
    order: &Enable,
    json: bool,
    jitd: &dyn Jitd,
    root: &Path,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    if order.confirm {
        return confirm(json, jitd, root, screen);
    }
    if order.cancel || order.restore {
        return restore(order.restore, json, root, screen);
    }
    change(Kind::Enable, &order.services, &order.how, json, root, screen)
}

pub(crate) fn disable(
    order: &Disable,
    json: bool,
    root: &Path,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    change(Kind::Disable, &order.services, &order.how, json, root, screen)
}

pub(crate) fn enforce(
    order: &Enforce,
    json: bool,
    root: &Path,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    change(Kind::Enforce, &order.services, &order.how, json, root, screen)
}

/// What became of the files, as JSON has it.
#[derive(Debug, Serialize)]
struct Done {
    /// The files that are other than before.
    files: Vec<String>,
    /// `waiting`, `kept`, `restored` or `unchanged`.
    state: &'static str,
    /// Seconds in which it has to be confirmed; null where nothing waits.
    within: Option<u64>,
}

fn change(
    kind: Kind,
    services: &[ServiceName],
    how: &How,
    json: bool,
    root: &Path,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    only_root()?;
    if !(30..=3600).contains(&how.within) {
        return Err(Error::Usage("--within takes from 30s to 1h".to_owned()).into());
    }
    let seen = Seen::gather(root);
    let plan = Plan::make(root, &seen, services, wanted(kind))?;
    for note in &plan.notes {
        screen.say(note);
    }
    if plan.changes.is_empty() {
        let done = Done { files: Vec::new(), state: "unchanged", within: None };
        return Ok(give(&done, json, screen, |_| View::yes("Nothing is left to change.\n".to_owned()))?);
    }
    let diff: String = plan.changes.iter().map(shown::diff).collect();
    if json {
        screen.say(&diff);
    } else {
        screen.data(&diff)?;
    }
    if kind == Kind::Enforce {
        screen.say(&who_would_be_refused(services));
    }
    if !how.yes {
        let files = plan.changes.len();
        let question = format!("Change {}?", crate::views::plural(files, "file"));
        if !screen.can_ask() {
            let text = "nothing was changed; to change it without being asked, add --yes".to_owned();
            return Err(Error::Refused(text).into());
        }
        if !prompts::yes(screen, &question, false) {
            screen.say("Nothing was changed.");
            return Ok(Outcome::No);
        }
    }
    switch::begin(&Dir::below(root), kind, &plan.changes, how.within)?;
    let files = plan.changes.iter().map(|change| change.path.clone()).collect();
    let done = Done { files, state: "waiting", within: Some(how.within) };
    Ok(give(&done, json, screen, |_| waiting(kind, services, how.within))?)
}

/// What to type before people are kept out, so that it surprises nobody.
fn who_would_be_refused(services: &[ServiceName]) -> String {
    let of: Vec<String> = services.iter().map(|service| format!(" --service {service}")).collect();
    format!("hint: who would have been refused so far: jitctl report --observe{}", of.concat())
}

/// What to do next.
fn waiting(kind: Kind, services: &[ServiceName], within: u64) -> View {
    let within = Human(std::time::Duration::from_secs(within));
    let from = match kind {
        Kind::Enforce => "a new login by a window, which nobody exempts,",
        Kind::Enable | Kind::Disable => "a new login",
    };
    let mut view = View::yes(format!(
        "Changed. Leave this shell open, log in anew, and type there, as root, within {within}:\n\n    jitctl enable --confirm\n\n\
         Unless that is typed in {from} the old files come back.\n"
    ));
    let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
    if kind == Kind::Enable {
        view.said.push(format!(
            "Nobody is kept out yet: jitd decides and records. jitctl report --observe says who would be refused; then: jitctl \
             enforce {}",
            names.join(" ")
        ));
    }
    view
}

fn confirm(json: bool, jitd: &dyn Jitd, root: &Path, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    only_root()?;
    let dir = Dir::below(root);
    // Whoever is asked may be slow, and nobody is kept from bringing the old files back meanwhile: the lock comes after.
    let asked_of = dir.trial()?.ok_or_else(nothing_waits)?;
    let mut caller = proof::Caller::here(root);
    proof::judge(&asked_of, &caller)?;
    if asked_of.kind == Kind::Enforce {
        let sessions: Vec<Session> = ask(jitd, &Call::Sessions)?;
        proof::judge_window(&asked_of, &caller, &sessions)?;
    }
    let alone = dir.lock()?;
    let trial = dir.trial()?.ok_or_else(nothing_waits)?;
    if trial != asked_of {
        let text = "another change of PAM files began meanwhile; nothing was kept. Type it again";
        return Err(Error::Refused(text.to_owned()).into());
    }
    caller.now = state::Now::read(root);
    proof::judge(&trial, &caller)?;
    switch::keep(&dir, &trial)?;
    drop(alone);
    let unproven = proof::unproven(&trial, &caller);
    if !unproven.is_empty() {
        screen.say(&format!(
            "jitctl: since the change logind knows of no login by {}: that people get in there was not shown; try it \
             before you close this shell",
            unproven.join(" or ")
        ));
    }
    let done = Done { files: trial.paths(), state: "kept", within: None };
    Ok(give(&done, json, screen, |done| View::yes(format!("Kept: {}.\n", done.files.join(", "))))?)
}

fn restore(only_if_due: bool, json: bool, root: &Path, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    only_root()?;
    let dir = Dir::below(root);
    let alone = dir.lock()?;
    let Some(trial) = dir.trial()? else {
        return if only_if_due { Ok(Outcome::Yes) } else { Err(nothing_waits().into()) };
    };
    if only_if_due && !trial.is_due(&state::Now::read(root)) {
        switch::look_again();
        return Ok(Outcome::Yes);
    }
    let notes = switch::restore(&dir, &trial).inspect_err(|_| switch::look_again())?;
    drop(alone);
    for note in notes {
        screen.say(&format!("jitctl: {note}"));
    }
    let done = Done { files: trial.paths(), state: "restored", within: None };
    let text = |done: &Done| View::yes(format!("The old files are back: {}.\n", done.files.join(", ")));
    Ok(give(&done, json, screen, text)?)
}

fn nothing_waits() -> Error {
    Error::Refused(
        "no change of PAM files waits to be confirmed; what doctor finds: jitctl doctor".to_owned(),
    )
}

fn only_root() -> Result<(), Error> {
    if geteuid().is_root() {
        return Ok(());
    }
    Err(Error::NotPermitted("only root changes PAM files; type it with sudo".to_owned()))
}

/// What is said of a trial by others: `jitctl doctor`. None where nothing waits, or that cannot be seen.
pub(crate) fn waits(root: &Path) -> Option<String> {
    let trial: Trial = Dir::below(root).trial().ok()??;
    Some(trial.paths().join(", "))
}

#[cfg(test)]
mod tests;
