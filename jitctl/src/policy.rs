//! `jitctl policy`, as far as it reads files: check. None of it needs a jitd, so that a policy can be looked at
//! on a workstation, in a pipeline, and on the host before it is loaded.

mod check;
mod files;

use clap::Subcommand;

use crate::error::Error;
use crate::jitd::Jitd;
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
}

pub(crate) fn run(
    verb: &Verb,
    json: bool,
    _jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Error> {
    match verb {
        Verb::Check { which, no_host } => check::run(which, !no_host, json, screen),
    }
}

#[cfg(test)]
mod tests;
