//! The terminal without line editing and echo (termios(3)), restored when the value is dropped.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

/// The screen's, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// Dropping it gives the terminal back: at the end, on an error, and when a panic unwinds. Signals that would end the
/// process are waited for instead ([`crate::wakes`]), and so end it by the same way.
pub(crate) struct Terminal<'a> {
    keys: BorrowedFd<'a>,
    screen: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Terminal<'a> {
    /// Holds the one that keys come from; the size is that of the one that is drawn on.
    pub(crate) fn hold_of(keys: BorrowedFd<'a>, screen: BorrowedFd<'a>) -> io::Result<Self> {
        let before = tcgetattr(keys)?;
        let mut held = before.clone();
        held.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        // Ctrl-C still interrupts. The keys that would stop or kill without giving anything back mean nothing (0 is
        // _POSIX_VDISABLE on Linux).
        held.special_codes[SpecialCodeIndex::VSUSP] = 0;
        held.special_codes[SpecialCodeIndex::VQUIT] = 0;
        // An arrow is three bytes: over a slow line they are one key if they follow within a tenth of a second.
        held.special_codes[SpecialCodeIndex::VMIN] = 3;
        held.special_codes[SpecialCodeIndex::VTIME] = 1;
        let terminal = Self { keys, screen, before };
        tcsetattr(keys, OptionalActions::Flush, &held)?;
        Ok(terminal)
    }

    /// 80 by 24 where it does not say, as on a serial line.
    pub(crate) fn size(&self) -> Size {
        let told = tcgetwinsize(self.screen).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        told.map_or(Size { width: 80, height: 24 }, |size| Size {
            width: size.ws_col.into(),
            height: size.ws_row.into(),
        })
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        // Keys that nobody has read are not for the shell.
        tcsetattr(self.keys, OptionalActions::Flush, &self.before).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::{AsFd, OwnedFd};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{Winsize, tcsetwinsize};

    use super::*;

    /// The master keeps the terminal alive.
    fn pty() -> (OwnedFd, File) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = File::options().read(true).write(true).open(name).unwrap();
        (master, slave)
    }

    fn modes(of: &File) -> (LocalModes, u8, u8) {
        let now = tcgetattr(of).unwrap();
        let code = |index| now.special_codes[index];
        (now.local_modes, code(SpecialCodeIndex::VMIN), code(SpecialCodeIndex::VSUSP))
    }

    #[test]
    fn the_terminal_is_given_back_as_it_was_also_by_a_panic() {
        let (_master, slave) = pty();
        let before = modes(&slave);
        assert!(before.0.contains(LocalModes::ICANON | LocalModes::ECHO));
        let held = Terminal::hold_of(slave.as_fd(), slave.as_fd()).unwrap();
        assert!(!modes(&slave).0.intersects(LocalModes::ICANON | LocalModes::ECHO));
        assert!(modes(&slave).0.contains(LocalModes::ISIG), "Ctrl-C still interrupts");
        drop(held);
        assert_eq!(modes(&slave), before);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _held = Terminal::hold_of(slave.as_fd(), slave.as_fd()).unwrap();
            assert_eq!(modes(&slave), before, "this is the panic");
        }));
        assert!(panicked.is_err());
        assert_eq!(modes(&slave), before);
    }

    #[test]
    fn a_terminal_that_tells_no_size_has_80_by_24() {
        let (_master, slave) = pty();
        let held = Terminal::hold_of(slave.as_fd(), slave.as_fd()).unwrap();
        assert_eq!(held.size(), Size { width: 80, height: 24 });
        tcsetwinsize(&slave, Winsize { ws_row: 50, ws_col: 132, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        assert_eq!(held.size(), Size { width: 132, height: 50 });
    }

    #[test]
    fn what_is_no_terminal_is_not_held() {
        let file = File::open("/dev/null").unwrap();
        assert!(Terminal::hold_of(file.as_fd(), file.as_fd()).is_err());
    }
}
