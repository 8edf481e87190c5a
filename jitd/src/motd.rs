//! How many requests wait for review, as a line of the message of the day (pam_motd(8)).
//!
//! Everybody can read it, so it is a number and no more.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;

use crate::app::App;
use crate::log;

/// One of the folders that pam_motd reads.
const FOLDER: &str = "/run/motd.d";

/// Keeps the line true for as long as jitd runs, on a thread other than that of logins.
pub(crate) async fn keep(app: Arc<App>) {
    let mut motd = Motd::default();
    let mut shown = None;
    let mut said = None;
    loop {
        let changed = app.desk.changed.listen();
        // What cannot be known, as jitd cannot decide, is not shown.
        let waiting = app.desk.look(|here| here.state.pending().len() + here.state.owed().len()).unwrap_or(0);
        if shown != Some(waiting) {
            let outcome;
            (motd, outcome) = zruntime::unblock(move || {
                let outcome = motd.show(waiting);
                (motd, outcome)
            })
            .await;
            match outcome {
                Ok(()) => (shown, said) = (Some(waiting), None),
                // Tried again at the next change; said once.
                Err(err) if said == Some(err.kind()) => {}
                Err(err) => {
                    log::warning(format_args!("no line in the message of the day: {FOLDER}: {err}"));
                    said = Some(err.kind());
                }
            }
        }
        changed.await;
    }
}

/// The file with the line.
#[derive(Debug)]
pub(crate) struct Motd {
    folder: PathBuf,
}

impl Default for Motd {
    fn default() -> Self {
        Self { folder: FOLDER.into() }
    }
}

impl Motd {
    /// Shows that so many requests wait; where none does, there is no file.
    fn show(&self, waiting: usize) -> std::io::Result<()> {
        let Some(line) = line(waiting) else {
            return match fs::remove_file(self.file()) {
                Err(err) if err.kind() != ErrorKind::NotFound => Err(err),
                Ok(()) | Err(_) => Ok(()),
            };
        };
        // pam_motd shows every file of the folder, hidden ones too, but looks into no folder in it.
        let beside = self.folder.join(".jitd");
        match DirBuilder::new().mode(0o700).create(&beside) {
            Err(err) if err.kind() != ErrorKind::AlreadyExists => return Err(err),
            Ok(()) | Err(_) => {}
        }
        let new = beside.join("new");
        let mut file = File::create(&new)?;
        file.set_permissions(Permissions::from_mode(0o644))?;
        file.write_all(line.as_bytes())?;
        fs::rename(&new, self.file())
    }

    /// Takes the line away: nobody keeps it true any more.
    pub(crate) fn remove(&self) {
        drop(fs::remove_file(self.file()));
        drop(fs::remove_dir(self.folder.join(".jitd")));
    }

    fn file(&self) -> PathBuf {
        self.folder.join("jit")
    }
}

fn line(waiting: usize) -> Option<String> {
    match waiting {
        0 => None,
        1 => Some("1 request waits for review; see: jitctl pending\n".into()),
        more => Some(format!("{more} requests wait for review; see: jitctl pending\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_can_read_the_count_and_it_goes_with_the_last_request() {
        let dir = tempfile::tempdir().unwrap();
        let motd = Motd { folder: dir.path().to_owned() };
        motd.show(0).unwrap();
        assert!(!motd.file().exists());
        motd.show(2).unwrap();
        assert_eq!(
            fs::read_to_string(motd.file()).unwrap(),
            "2 requests wait for review; see: jitctl pending\n"
        );
        assert_eq!(fs::metadata(motd.file()).unwrap().permissions().mode() & 0o777, 0o644);
        motd.show(1).unwrap();
        assert_eq!(
            fs::read_to_string(motd.file()).unwrap(),
            "1 request waits for review; see: jitctl pending\n"
        );
        motd.show(0).unwrap();
        assert!(!motd.file().exists());
    }

    #[test]
    fn there_is_no_other_file_that_the_message_of_the_day_would_show() {
        let dir = tempfile::tempdir().unwrap();
        let motd = Motd { folder: dir.path().to_owned() };
        motd.show(1).unwrap();
        let files = || fs::read_dir(dir.path()).unwrap().map(Result::unwrap);
        let shown: Vec<_> = files().filter(|entry| !entry.file_type().unwrap().is_dir()).collect();
        assert_eq!(shown.len(), 1);
        motd.remove();
        assert_eq!(files().count(), 0);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error_and_nothing_worse() {
        let motd = Motd { folder: "/nonexistent/motd.d".into() };
        assert!(motd.show(1).is_err());
        assert!(motd.show(0).is_ok());
        motd.remove();
    }
}
