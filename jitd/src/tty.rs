//! Terminals of people: a line for somebody, if they take messages.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jit_proto::words::Uid;
use nix::fcntl::OFlag;

/// A terminal by logind's name for it: `pts/3`, `tty1` or, on a serial line, `ttyS0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tty(PathBuf);

/// Not the name of a terminal.
#[derive(Debug)]
pub(crate) struct NoTty;

impl FromStr for Tty {
    type Err = NoTty;

    fn from_str(name: &str) -> Result<Self, NoTty> {
        let digits = ["pts/", "ttyS", "tty"].iter().find_map(|kind| name.strip_prefix(kind)).ok_or(NoTty)?;
        let is_number = (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { Ok(Self(Path::new("/dev").join(name))) } else { Err(NoTty) }
    }
}

impl Tty {
    /// Writes a text if this is a terminal of `owner`'s that takes messages. Never waits: what does not fit is lost.
    pub(crate) fn write(&self, owner: Uid, text: &str) -> std::io::Result<()> {
        /// What mesg(1) sets: the group `tty` may write.
        const TAKES_MESSAGES: u32 = 0o020;

        let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW;
        let mut terminal = OpenOptions::new().write(true).custom_flags(flags.bits()).open(&self.0)?;
        let facts = terminal.metadata()?;
        let theirs = facts.file_type().is_char_device() && facts.uid() == owner.as_u32();
        if !theirs || facts.mode() & TAKES_MESSAGES == 0 {
            return Err(std::io::ErrorKind::PermissionDenied.into());
        }
        // One write(2): a second one could wait, or come out in the middle of something else.
        terminal.write(text.as_bytes()).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_the_names_of_terminals_are_terminals() {
        for good in ["pts/0", "pts/12345", "tty1", "ttyS0"] {
            assert_eq!(good.parse::<Tty>().unwrap().0, Path::new("/dev").join(good));
        }
        for bad in [
            "",
            "pts/",
            "pts/../sda",
            "tty",
            "ttyS",
            "ttyACM0",
            "/dev/pts/1",
            ":0",
            "pts/1/2",
            "pts/+1",
            "sda",
        ] {
            assert!(bad.parse::<Tty>().is_err(), "{bad}");
        }
    }

    /// A terminal of root's, as the tests run.
    fn terminal() -> (nix::pty::PtyMaster, Tty) {
        let master = nix::pty::posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK).unwrap();
        nix::pty::grantpt(&master).unwrap();
        nix::pty::unlockpt(&master).unwrap();
        let name = nix::pty::ptsname_r(&master).unwrap();
        (master, Tty(name.into()))
    }

    fn mode(tty: &Tty, mode: u32) {
        std::fs::set_permissions(&tty.0, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_line_reaches_a_terminal_that_takes_messages_and_no_other() {
        let (mut master, tty) = terminal();
        let mut bytes = [0; 64];
        // Without a reader at the other side the terminal forgets what was written: hold it.
        let _held = std::fs::File::open(&tty.0).unwrap();
        mode(&tty, 0o600);
        assert!(tty.write(Uid::ROOT, "no").is_err());
        mode(&tty, 0o620);
        assert!(tty.write(Uid::try_from(12345_u32).unwrap(), "no").is_err(), "not theirs");
        assert!(master.read(&mut bytes).is_err(), "nothing came");
        tty.write(Uid::ROOT, "yes").unwrap();
        let got = master.read(&mut bytes).unwrap();
        assert_eq!(&bytes[..got], b"yes");
    }

    #[test]
    fn a_terminal_that_is_stopped_is_not_waited_for() {
        let (_master, tty) = terminal();
        let _held = std::fs::File::open(&tty.0).unwrap();
        mode(&tty, 0o620);
        let line = "x".repeat(1000);
        let full = (0..10_000).find_map(|_| tty.write(Uid::ROOT, &line).err()).unwrap();
        assert_eq!(full.kind(), std::io::ErrorKind::WouldBlock);
    }

    #[test]
    fn what_is_no_terminal_is_not_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "").unwrap();
        mode(&Tty(path.clone()), 0o620);
        assert!(Tty(path.clone()).write(Uid::ROOT, "no").is_err());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert!(Tty(link).write(Uid::ROOT, "no").is_err());
        assert_eq!(std::fs::read_to_string(path).unwrap(), "");
    }
}
