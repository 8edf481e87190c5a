//! Files that a command leaves where nothing was.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use crate::error::Error;

/// Writes a file that is not there yet: no link is followed, and nothing is lost.
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), Error> {
    let written = OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|why| Error::Usage(format!("{}: it cannot be written: {why}", path.display())))
}
