//! `jitctl audit`: the log for auditors. It is shown, verified and exported here; jitd gives out its exact bytes, a page
//! at a time, and nothing that is judged here is taken on its word.

mod archive;
mod choose;
mod export;
mod further;
mod merge;
mod proven;
pub(crate) mod read;
mod show;
mod verify;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use jit_core::model::CarriedBy;
use jit_core::proof::note::PublicKey;
use jit_proto::audit::Checkpoint;

use super::offline::qr;
use crate::call::Call;
use crate::error::{Error, Failure};
use crate::jitd::{self, Jitd};
use crate::output::{Outcome, View, give};
use crate::screen::Screen;
use crate::terminal::paint::in_white_on_black;

/// What to do with the log. For root, admins and auditors.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show records, or the story of one request from the asking to its end
    ///
    /// Without a filter, those are the last hundred.
    Show(show::Wanted),

    /// Verify that the log is whole: every byte is hashed anew and held against every checkpoint
    ///
    /// Without a file it is this host's log, as jitd gives it out. A file is what 'jitctl audit export' wrote; several
    /// go on from each other, and one that goes on is verified alone from where it begins. No jitd is needed for that. The
    /// exit code is 1 unless the log is whole.
    Verify {
        /// Exported files (JSON lines), in order; - is standard input [default: this host's log]
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// An archive of records that are no longer here, in order, before this host's log
        #[arg(long = "archive", value_name = "FILE", conflicts_with = "files")]
        archives: Vec<PathBuf>,
        /// A checkpoint that was carried away earlier: a note of 'jitctl audit checkpoint', or its line from syslog
        #[arg(long = "checkpoint", value_name = "FILE")]
        checkpoints: Vec<PathBuf>,
        /// A key that the host is known to have, as 'jitctl audit checkpoint --key' prints it [default: what the log
        /// says]
        #[arg(long = "key", value_name = "KEY")]
        keys: Vec<PublicKey>,
    },

    /// Print the newest checkpoint, to be kept somewhere else
    ///
    /// One is made if anything has happened since the last. Whoever keeps it can prove later that records are missing
    /// or were changed.
    Checkpoint {
        /// Print the host's public key instead
        #[arg(long)]
        key: bool,
        /// Show it as a QR code, for a terminal of 35 lines, to carry it away in a picture
        #[arg(long)]
        qr: bool,
    },

    /// Write the records to standard output
    ///
    /// The log is put under a checkpoint first, and is proven to go on from what left before. What was exported before is
    /// left out with --after; where to go on is said on standard error.
    Export(export::Wanted),

    /// Move old records into a file that is verified like an export
    ///
    /// Those that are older than the policy's retain go, at most 50000 at once: they are written, synced and verified,
    /// and only then leave the store. Their hashes stay, so that every checkpoint holds as before. For root.
    Archive(archive::Wanted),

    /// Put the exported logs of many hosts on one timeline
    ///
    /// Each log is verified by itself first: against the checkpoints that came with it, and by --key where that is
    /// given. What is missing, was changed or forked is named for each host, and the exit code is 1 then. No jitd is
    /// needed.
    Merge(merge::Wanted),
}

pub(crate) fn run(
    verb: &Verb,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    match verb {
        Verb::Show(wanted) => show::run(wanted, json, jitd, screen),
        Verb::Verify { files, archives, checkpoints, keys } => {
            let given = verify::Given { files, archives, checkpoints, keys };
            verify::run(&given, json, jitd, screen)
        }
        Verb::Checkpoint { key, qr } => checkpoint(*key, *qr, json, jitd, screen),
        Verb::Export(wanted) => export::run(wanted, jitd, screen),
        Verb::Archive(wanted) => archive::run(wanted, json, jitd, screen),
        Verb::Merge(wanted) => merge::run(wanted, json, screen),
    }
}

fn checkpoint(
    key: bool,
    qr: bool,
    json: bool,
    jitd: &dyn Jitd,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Failure> {
    if qr && json {
        return Err(Error::Usage("a picture is no JSON: leave --qr or --json out".to_owned()).into());
    }
    let made: Checkpoint = jitd::ask(jitd, &Call::AuditCheckpoint)?;
    let text = if key { format!("{}\n", made.key) } else { made.note.clone() };
    let outcome = if qr {
        draw(&text, screen)?;
        Outcome::Yes
    } else {
        give(&made, json, screen, |_: &Checkpoint| View::yes(text.clone()))?
    };
    if !key {
        has_left(&made, jitd, screen);
    }
    Ok(outcome)
}

/// Draws a text as a QR code.
pub(super) fn draw(text: &str, screen: &mut Screen<'_>) -> Result<(), Error> {
    let lines = qr::of_text(text).ok_or_else(|| Error::Usage("it does not fit into a QR code".to_owned()))?;
    if screen.terminal {
        screen.draw(&in_white_on_black(&lines))
    } else {
        screen.data(&(lines.join("\n") + "\n"))
    }
}

/// Has it noted that a checkpoint was printed, where somebody has read it.
pub(super) fn has_left(made: &Checkpoint, jitd: &dyn Jitd, screen: &mut Screen<'_>) {
    if !screen.is_unread() {
        export::carried(CarriedBy::Checkpoint, made.size, jitd, screen);
    }
}

/// Exports all records that are here, as they are.
pub(super) fn export_all(jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    export::run(&export::Wanted::all(), jitd, screen)
}

/// Verifies what was exported to one file.
pub(super) fn verify_file(path: &Path, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    let files = [path.to_owned()];
    let given = verify::Given { files: &files, archives: &[], checkpoints: &[], keys: &[] };
    verify::run(&given, false, jitd, screen)
}

#[cfg(test)]
mod archive_tests;
#[cfg(test)]
mod export_tests;
#[cfg(test)]
mod proof_tests;
#[cfg(test)]
mod read_tests;
#[cfg(test)]
mod retire_tests;
#[cfg(test)]
mod tests;
