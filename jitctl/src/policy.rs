//! `jitctl policy`, as far as it reads files: check, test, diff, edit. None of it needs a jitd (diff asks one only where it
//! is to compare with what is in force), so that a policy can be looked at on a workstation, in a pipeline, and on the
//! host before it is loaded.

mod cases;
mod check;
mod diff;
mod edit;
mod files;

use std::path::PathBuf;

use clap::Subcommand;

use crate::error::Error;
use crate::jitd::{Call, Jitd};
use crate::run::Outcome;
use crate::screen::Screen;
use files::Which;

/// What to do with policy files.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
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
    },
}

impl Verb {
    /// The question for jitd that the command may come to, for what is said where it gives no answer.
    pub(crate) fn call(&self) -> Option<Call> {
        match self {
            Self::Diff { from: None, .. } => Some(Call::Policy),
            Self::Check { .. } | Self::Test { .. } | Self::Diff { .. } | Self::Edit { .. } => None,
        }
    }
}

pub(crate) fn run(
    verb: &Verb,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Error> {
    match verb {
        Verb::Check { which, no_host } => check::run(which, !no_host, json, screen),
        Verb::Test { dir } => cases::run(dir, json, screen),
        Verb::Diff { new, from } => diff::run(new, from.as_deref(), json, jitd, screen),
        Verb::Edit { file } => edit::run(file.as_deref(), jitd, screen),
    }
}

#[cfg(test)]
mod tests;
