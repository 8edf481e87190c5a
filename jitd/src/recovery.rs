//! Logins that the module let in through `recovery=` while jitd could not answer, entered in the audit when it
//! can again. Best effort: whoever recovered as root could have erased the note.
//!
//! Notes are set aside first, so that a login meanwhile starts a new file; they go once they are on record. What cannot be
//! read is on record as such, and is moved out of the way of what comes after.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Read, Result};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jit_core::event::Event;
use jit_core::model::{RecoveredLogin, UnreadNotes};
use jit_proto::RECOVERY_NOTES;
use nix::fcntl::OFlag;

use crate::log;

/// More notes than this at once are cut: the file is root's, but it is not the audit's to grow without bound.
const MAX_BYTES: u64 = 256 * 1024;

/// So many files that could not be read are kept for whoever wants to look; of more, only the record is.
const MOST_KEPT: usize = 16;

/// The file that the module writes, and where it goes from there.
pub(crate) struct Notes {
    /// As the module writes it.
    written: PathBuf,
    /// Set aside, until it is on record.
    taken: PathBuf,
    /// Set aside for good.
    unread: PathBuf,
}

impl Default for Notes {
    fn default() -> Self {
        Self::at(Path::new(RECOVERY_NOTES))
    }
}

/// What was set aside, to be recorded.
#[derive(Debug)]
pub(crate) struct Taken {
    /// What there is to say of it.
    pub(crate) events: Vec<Event>,
    /// Where it stays, if something of it could not be read.
    keep: Option<PathBuf>,
}

impl Notes {
    fn at(written: &Path) -> Self {
        Self {
            written: written.to_owned(),
            taken: written.with_extension("taken"),
            unread: written.with_extension("unread"),
        }
    }

    /// The notes there are. They stay until [`Notes::forget`]: a disk that is full again must not lose them.
    pub(crate) fn take(&self) -> Option<Taken> {
        // What an earlier round set aside goes first.
        match fs::symlink_metadata(&self.taken).map(drop) {
            Err(err) if err.kind() == ErrorKind::NotFound => match fs::rename(&self.written, &self.taken) {
                Ok(()) => {}
                Err(err) if err.kind() == ErrorKind::NotFound => return None,
                Err(err) => {
                    log::warning(format_args!("{}: {err}", self.written.display()));
                    return None;
                }
            },
            Ok(()) | Err(_) => {}
        }
        let (mut events, unread, why) = match read(&self.taken) {
            Ok((text, cut)) => {
                let (events, bad) = parse(&text);
                (events, bad + cut, if cut > 0 { "it is too long" } else { "it is no note" }.to_owned())
            }
            Err(err) => (Vec::new(), size(&self.taken), err.to_string()),
        };
        let all_read = unread == 0 && (!events.is_empty() || size(&self.taken) == 0) && is_file(&self.taken);
        let keep = (!all_read).then(|| self.place_to_keep()).flatten();
        if !all_read {
            let name = keep.as_ref().unwrap_or(&self.written).display().to_string();
            events.push(Event::RecoveryUnread(UnreadNotes { name, bytes: unread, why }));
        }
        Some(Taken { events, keep })
    }

    /// Makes room for others: these are on record.
    pub(crate) fn forget(&self, taken: Taken) {
        let done = match &taken.keep {
            Some(place) => fs::rename(&self.taken, place),
            None => fs::remove_file(&self.taken).or_else(|_| fs::remove_dir_all(&self.taken)),
        };
        if let Err(err) = done {
            log::warning(format_args!("{}: {err}", self.taken.display()));
        }
    }

    fn place_to_keep(&self) -> Option<PathBuf> {
        let place = |n: usize| PathBuf::from(format!("{}.{n}", self.unread.display()));
        (1..=MOST_KEPT).map(place).find(|place| fs::symlink_metadata(place).is_err())
    }
}

/// The text of a file of notes, and how many bytes of it were cut off.
fn read(path: &Path) -> Result<(String, u64)> {
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let facts = file.metadata()?;
    // The folder is root's alone; anything else here is a mistake that must not become a record.
    if !facts.is_file() || facts.uid() != nix::unistd::geteuid().as_raw() {
        return Err(std::io::Error::other("it is not a regular file of root's"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), facts.len().saturating_sub(MAX_BYTES)))
}

/// The notes in a text, and how many bytes of it are none.
fn parse(text: &str) -> (Vec<Event>, u64) {
    let mut events = Vec::new();
    let mut bad = 0;
    for line in text.lines() {
        match note(line) {
            Some(event) => events.push(event),
            None => bad += line.len() as u64,
        }
    }
    (events, bad)
}

/// One login: unix seconds, service and account.
fn note(line: &str) -> Option<Event> {
    // Names have spaces in them.
    let mut words = line.splitn(3, ' ');
    let at = words.next()?.parse().ok()?;
    let service = words.next()?.parse().ok()?;
    let user = words.next()?.parse().ok()?;
    Some(Event::Recovered(RecoveredLogin { at, service, user }))
}

fn size(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |facts| facts.len())
}

fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|facts| facts.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT_AT_SSHD: &str = "1700000000 sshd root\n";

    fn notes(dir: &tempfile::TempDir) -> Notes {
        Notes::at(&dir.path().join("recovered"))
    }

    /// What one round enters, as `service` or `unread`.
    fn round(notes: &Notes) -> Vec<&'static str> {
        let Some(taken) = notes.take() else { return Vec::new() };
        let said = taken.events.iter().map(|event| match event {
            Event::Recovered { .. } => "recovered",
            Event::RecoveryUnread(_) => "unread",
            _ => "something else",
        });
        let said = said.collect();
        notes.forget(taken);
        said
    }

    #[test]
    fn a_note_that_is_not_a_time_a_service_and_a_name_is_none() {
        assert!(note("1700000000 sshd root").is_some());
        assert!(note("1700000000 sshd john smith").is_some(), "an account's name may have spaces in it");
        for bad in ["", "x sshd root", "1 sshd", "1 sshd root ", "1 sshd ro\u{1b}t", "1  sshd root"] {
            assert!(note(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn notes_stay_until_they_are_on_record_and_then_go() {
        let dir = tempfile::tempdir().unwrap();
        let notes = notes(&dir);
        assert!(notes.take().is_none());
        fs::write(&notes.written, ROOT_AT_SSHD).unwrap();
        assert_eq!(notes.take().unwrap().events.len(), 1);
        // The record failed; somebody recovers meanwhile.
        fs::write(&notes.written, ROOT_AT_SSHD.repeat(2)).unwrap();
        assert_eq!(round(&notes), ["recovered"]);
        assert_eq!(round(&notes), ["recovered", "recovered"]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn whatever_lies_where_notes_are_taken_to_the_next_ones_enter_the_record() {
        type Made = (&'static str, fn(&Path), &'static [&'static str]);
        let made: [Made; 6] = [
            ("nothing in it", |path| fs::write(path, "").unwrap(), &[]),
            ("an empty line", |path| fs::write(path, "\n").unwrap(), &["unread"]),
            ("no notes", |path| fs::write(path, "\u{1b}[2J\n").unwrap(), &["unread"]),
            ("a folder", |path| fs::create_dir_all(path.join("in/it")).unwrap(), &["unread"]),
            ("a link", |path| std::os::unix::fs::symlink("/etc/passwd", path).unwrap(), &["unread"]),
            ("a pipe", |path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR).unwrap(), &["unread"]),
        ];
        for (what, make, said) in made {
            let dir = tempfile::tempdir().unwrap();
            let notes = notes(&dir);
            for round_of in [&notes.taken, &notes.written] {
                make(round_of);
                assert_eq!(round(&notes), said, "{what}");
                fs::write(&notes.written, ROOT_AT_SSHD).unwrap();
                assert_eq!(round(&notes), ["recovered"], "{what}");
            }
        }
    }

    #[test]
    fn what_is_not_a_note_is_on_record_beside_what_is_and_is_kept_for_a_while() {
        let dir = tempfile::tempdir().unwrap();
        let notes = notes(&dir);
        for n in 1..=MOST_KEPT + 3 {
            fs::write(&notes.written, format!("{ROOT_AT_SSHD}what is this\n")).unwrap();
            let taken = notes.take().unwrap();
            let [Event::Recovered(_), Event::RecoveryUnread(UnreadNotes { name, bytes: 12, .. })] =
                &taken.events[..]
            else {
                panic!("{taken:?}");
            };
            assert!(name.contains("unread") == (n <= MOST_KEPT), "{name}");
            notes.forget(taken);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), MOST_KEPT);
    }

    #[test]
    fn more_notes_than_fit_are_said_to_be_missing() {
        let dir = tempfile::tempdir().unwrap();
        let notes = notes(&dir);
        fs::write(&notes.written, ROOT_AT_SSHD.repeat(20_000)).unwrap();
        assert_eq!(round(&notes).last(), Some(&"unread"));
        assert_eq!(round(&notes), [""; 0]);
    }
}
