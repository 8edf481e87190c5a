//! The compact form as it is shown and as it is typed: rows of characters, or QR codes.

use std::io::{self, Read as _};
use std::path::Path;

use clap::Args;
use jit_core::sign::compact::{BadCompact, MAX_COMPACT, Rows, check_row};

use super::qr::{self, Drawn};
use crate::error::Error;
use crate::prompts::until;
use crate::screen::Screen;

/// How a request or a signature is shown where no file can cross.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Form {
    /// Print it in rows of characters, to be typed or read out
    #[arg(long)]
    compact: bool,
    /// Print it as QR codes, which an 80x24 console shows whole
    #[arg(long, conflicts_with = "compact")]
    qr: bool,
    /// Draw them in ASCII, for a console without block characters; this takes 90 columns and 45 lines
    #[arg(long, requires = "qr")]
    ascii: bool,
}

impl Form {
    /// Whether it is shown, and not written into a file.
    pub(super) const fn is_shown(self) -> bool {
        self.compact || self.qr
    }

    /// Shows it to the person.
    pub(super) fn show(self, rows: &Rows, screen: &mut Screen<'_>) -> Result<(), Error> {
        if self.qr {
            return qr::show(rows, if self.ascii { Drawn::Ascii } else { Drawn::Blocks }, screen);
        }
        screen.data(&rows.to_string())
    }
}

/// Whether a file is what comes in on standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// All that comes in on standard input.
pub(super) fn stdin() -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let most = u64::try_from(8 * MAX_COMPACT).unwrap_or(u64::MAX);
    let read = io::stdin().take(most).read_to_end(&mut bytes);
    read.map_err(|why| Error::Usage(format!("standard input cannot be read: {why}")))?;
    Ok(bytes)
}

/// Rows that a person types, until they are all there; a mistake is told at once. None where they leave.
pub(super) fn rows(
    screen: &mut Screen<'_>,
    read: impl Fn(&str) -> Result<(), BadCompact>,
) -> Result<Option<String>, Error> {
    let mut typed = String::new();
    loop {
        let row = |line: &str| match check_row(line) {
            Ok(()) => Ok(line.to_owned()),
            Err(why) => Err(why.to_string()),
        };
        let Some(row) = until(screen, "A row, or what was scanned: ", row) else { return Ok(None) };
        typed += &row;
        typed.push('\n');
        match read(&typed) {
            Ok(()) => return Ok(Some(typed)),
            Err(BadCompact::Missing(which)) => {
                screen.say(&format!("  still missing: {which}, and what may follow"));
            }
            Err(why @ (BadCompact::Kind { .. } | BadCompact::Form)) => {
                return Err(Error::Usage(why.to_string()));
            }
            Err(why) => {
                screen.say(&format!("  {why}; all that was typed is forgotten, begin again"));
                typed.clear();
            }
        }
    }
}
