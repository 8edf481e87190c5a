//! `jitctl policy`: check, test, diff and edit read files and need no jitd (diff asks one only where it is to compare
//! with what is in force), so that a policy can be looked at on a workstation, in a pipeline, and on the host before it
//! is loaded. load and show are questions to jitd.

mod cases;
mod check;
mod diff;
mod edit;
mod files;
mod loading;
mod replay;
mod show;
pub(super) mod signed;
mod waiting;

use std::path::PathBuf;

use clap::Subcommand;
use jit_core::model::Decision;
use jit_proto::words::Reason;

use crate::call::Call;
use crate::error::Failure;
use crate::jitd::{self, Jitd};
use crate::output::Outcome;
use crate::screen::Screen;
use crate::values::seconds;
use crate::views;
use files::Which;

/// What to do with the policy.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Put the files in /etc/jit/policy.d in force
    ///
    /// If they have an error, it is printed, and the policy in force is kept.
    Load {
        /// On trial for so long, such as 5m: then the policy before them is back, unless somebody who has logged in
        /// meanwhile typed 'jitctl confirm'
        #[arg(long = "try", value_name = "DURATION", value_parser = seconds)]
        trial: Option<u64>,
        /// Why; one line, kept in the audit log; asked for on a terminal
        #[arg(long, value_name = "TEXT")]
        reason: Option<Reason>,
        /// At once, without those who would have to approve it: by root at the console of this host, and told to all
        #[arg(long = "override", requires = "reason", conflicts_with = "trial")]
        overrides: bool,
        /// Though this host says that they do not fit it, or that nobody would be left who gives orders; on record with what
        /// it says
        #[arg(long, requires = "reason", conflicts_with = "overrides")]
        force: bool,
        /// Take the files of this folder instead, which others have signed elsewhere; for root
        #[arg(long, value_name = "DIR", conflicts_with_all = ["trial", "overrides", "force"])]
        signed: Option<PathBuf>,
    },

    /// Show the policy that waits for approvals, and what it changes
    ///
    /// Where the policy in force has [policy-change], what an admin loads waits until others have approved it.
    Waiting,

    /// Approve the policy that waits, or acknowledge an override
    ///
    /// What is approved is what was shown, by its digest. With the last approval that was missing it comes into force,
    /// if the files are still the same.
    Approve {
        #[command(flatten)]
        which: waiting::Which,
        /// What to say with it; one line, kept in the audit log
        #[arg(long, value_name = "TEXT")]
        note: Option<Reason>,
    },

    /// Deny the policy that waits, or take back your own
    Deny {
        #[command(flatten)]
        which: waiting::Which,
        /// Why; one line, kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Reason,
    },

    /// Print the policy in force, file by file
    Show {
        /// With what profiles and sets come to in each role, instead of how it was written
        #[arg(long)]
        expanded: bool,
        /// Show the policy of this folder, and ask no jitd
        #[arg(long, value_name = "DIR", requires = "expanded")]
        from: Option<PathBuf>,
    },

    /// Say what is wrong with policy files, before they are loaded
    ///
    /// One FILE is checked as one of its folder: together with the other *.toml files there. The exit code is 1
    /// when there is an error; warnings alone leave it 0.
    Check {
        #[command(flatten)]
        which: Which,
        /// Judge the files alone, not by the groups, accounts and PAM files of this host
        #[arg(long)]
        no_host: bool,
    },

    /// Run the test cases of a policy
    ///
    /// The cases are in DIR/cases/*.toml. The exit code is 1 when one of them is not answered as it says. Rules that
    /// no case touched are listed; they do not change the exit code.
    Test {
        /// The folder of the policy
        dir: PathBuf,
    },

    /// Say what new policy files give and take, in words
    ///
    /// They are compared with the policy in force, for which jitd is asked. The exit code is 0 whether or not there
    /// is a difference, and 1 when either policy has an error.
    Diff {
        #[command(flatten)]
        new: Which,
        /// Compare with the policy of this folder, and ask no jitd
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },

    /// Edit a policy file, and install it only if it is sound
    ///
    /// As visudo does: a copy is edited with $VISUAL, $EDITOR or /usr/bin/editor, checked together with the other
    /// files of the folder, and only then put in the file's place. It is in force once it is loaded.
    Edit {
        /// A file of /etc/jit/policy.d, or a path [default: the only file there]
        file: Option<PathBuf>,
        /// Why, for when it is loaded at once; one line, kept in the audit log
        #[arg(long, value_name = "TEXT")]
        reason: Option<Reason>,
    },

    /// Say which logins and requests on record new policy files would have decided otherwise
    ///
    /// Each is decided again, by the code that decides in earnest. Where the answer depends on something that no record
    /// has, such as the groups somebody was in, none is given, and how often is said. It needs no jitd with --log.
    Replay(replay::Wanted),
}

pub(crate) fn run(
    verb: &Verb,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    match verb {
        Verb::Load { reason, signed: Some(dir), .. } => signed::run(dir, reason.as_ref(), json, jitd, screen),
        Verb::Load { reason: Some(reason), overrides: true, .. } => {
            let call = Call::OverridePolicy { reason: reason.clone() };
            jitd::show(jitd, &call, json, screen, views::policy_loaded)
        }
        Verb::Load { trial, reason, force, .. } => {
            let Some(reason) = loading::why(reason.as_ref(), screen) else {
                screen.say("Nothing was loaded.");
                return Ok(Outcome::No);
            };
            let call = loading::call(*trial, reason.as_ref(), *force);
            jitd::show(jitd, &call, json, screen, views::policy_loaded)
        }
        Verb::Waiting => waiting::show(json, jitd, screen),
        Verb::Approve { which, note } => {
            waiting::review(which, Decision::Approve, note.as_ref(), json, jitd, screen)
        }
        Verb::Deny { which, reason } => {
            waiting::review(which, Decision::Deny, Some(reason), json, jitd, screen)
        }
        Verb::Show { expanded, from } => show::run(*expanded, from.as_deref(), json, jitd, screen),
        Verb::Check { which, no_host } => Ok(check::run(which, !no_host, json, screen)?),
        Verb::Test { dir } => Ok(cases::run(dir, json, screen)?),
        Verb::Diff { new, from: Some(from) } => Ok(diff::run(new, Some(from), json, jitd, screen)?),
        Verb::Diff { new, from: None } => {
            diff::run(new, None, json, jitd, screen).map_err(|error| Failure::at(error, &Call::Policy))
        }
        Verb::Replay(wanted) => replay::run(wanted, json, jitd, screen),
        Verb::Edit { file, reason } => edit::run(file.as_deref(), reason.as_ref(), jitd, screen),
    }
}

#[cfg(test)]
mod tests;
