//! How far the log had come, noted beside the store. A write-ahead log that was cut off, or an older `store.db` that was put
//! back, reads as a sound store in which what came since has not happened: windows that were revoked are open in it, and
//! uses are unspent.
//!
//! The note costs no login a sync. It may be older than the store, after a power cut, and says nothing then; it is never
//! newer, for it is written of what is on disk.

use std::fs;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::log;

const FILE: &str = "reached";

/// As many digits as any number of records has, so that each note takes the place of the last.
const LENGTH: usize = 20;

/// The note of how many records were on disk.
pub(super) struct Reached {
    path: PathBuf,
    /// None before the first note, and where it cannot be written.
    file: Option<fs::File>,
}

impl Reached {
    /// The note beside the store in this folder.
    pub(super) fn beside(dir: &Path) -> Self {
        Self { path: dir.join(FILE), file: None }
    }

    /// How many records were on disk, where a note tells.
    pub(super) fn noted(&self) -> Option<u64> {
        fs::read_to_string(&self.path).ok()?.trim_end().parse().ok()
    }

    /// So many are on disk now. Best effort: without a note nothing is missed, and nothing found.
    pub(super) fn note(&mut self, records: u64) {
        if let Err(err) = self.write(records) {
            // Once for each store that is opened.
            if self.file.take().is_some() {
                log::warning(format_args!("{}: {err}", self.path.display()));
            }
        }
    }

    fn write(&mut self, records: u64) -> io::Result<()> {
        let file = if let Some(file) = self.file.take() {
            file
        } else {
            let mut how = fs::OpenOptions::new();
            how.write(true).create(true).truncate(false).mode(0o600).open(&self.path)?
        };
        let file = self.file.insert(file);
        file.write_all_at(format!("{records:0LENGTH$}\n").as_bytes(), 0)
    }
}
