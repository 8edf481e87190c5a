//! Logins that the module let in through `recovery=` while jitd could not answer, entered in the audit when it
//! can again. Best effort: whoever recovered as root could have erased the note.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use jit_core::event::Event;
use jit_proto::RECOVERY_NOTES;
use jit_proto::words::{ServiceName, UserName};
use nix::fcntl::OFlag;

use crate::log;

/// More notes than this at once are cut: the file is root's, but it is not the audit's to grow without bound.
const MAX_BYTES: u64 = 256 * 1024;

/// One login through `recovery=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    at: i64,
    service: ServiceName,
    user: UserName,
}

impl Note {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let note = Self {
            at: words.next()?.parse().ok()?,
            service: words.next()?.parse().ok()?,
            user: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(note)
    }

    /// What the audit says of it.
    pub(crate) fn into_event(self) -> Event {
        Event::Recovered { at: self.at, service: self.service, user: self.user }
    }
}

/// Where notes wait until they are on record.
const TAKEN: &str = "/run/jitd/recovered.taken";

/// The notes there are. They stay until [`forget`]: a disk that is full again must not lose them.
pub(crate) fn read() -> Vec<Note> {
    match read_taken() {
        Ok(text) => text.lines().filter_map(Note::parse).collect(),
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(err) => {
            log::warning(format_args!("{RECOVERY_NOTES}: {err}"));
            Vec::new()
        }
    }
}

/// Drops the notes that [`read`] returned: they are on record.
pub(crate) fn forget() {
    if let Err(err) = fs::remove_file(TAKEN) {
        log::warning(format_args!("{TAKEN}: {err}"));
    }
}

fn read_taken() -> std::io::Result<String> {
    // Set aside first, so that a login meanwhile starts a new file; what an earlier round set aside goes first.
    if !fs::exists(TAKEN)? {
        fs::rename(RECOVERY_NOTES, TAKEN)?;
    }
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(TAKEN)?;
    let facts = file.metadata()?;
    // The folder is root's alone; anything else here is a mistake that must not become a record.
    if !facts.is_file() || facts.uid() != 0 {
        return Err(std::io::Error::other("not a regular file of root's"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_that_is_not_three_words_is_left_out() {
        assert!(Note::parse("1700000000 sshd root").is_some());
        for bad in ["", "x sshd root", "1 sshd", "1 sshd root more", "1 sshd ro\u{1b}t", "1  sshd root"] {
            assert!(Note::parse(bad).is_none(), "{bad:?}");
        }
    }
}
