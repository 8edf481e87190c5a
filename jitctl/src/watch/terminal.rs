//! The terminal, held so that keys come one by one and are not echoed, and given back as it was whatever happens.

use std::io;

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
pub(crate) struct Terminal {
    before: Termios,
}

impl Terminal {
    pub(crate) fn hold() -> io::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin)?;
        let mut held = before.clone();
        held.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        // Ctrl-C still interrupts. The keys that would stop or kill without giving anything back mean nothing (0 is
        // _POSIX_VDISABLE on Linux).
        held.special_codes[SpecialCodeIndex::VSUSP] = 0;
        held.special_codes[SpecialCodeIndex::VQUIT] = 0;
        // An arrow is three bytes: over a slow line they are one key if they follow within a tenth of a second.
        held.special_codes[SpecialCodeIndex::VMIN] = 3;
        held.special_codes[SpecialCodeIndex::VTIME] = 1;
        let terminal = Self { before };
        tcsetattr(&stdin, OptionalActions::Flush, &held)?;
        Ok(terminal)
    }

    /// 80 by 24 where it does not say, as on a serial line.
    #[expect(clippy::unused_self, reason = "the size matters while the terminal is held")]
    pub(crate) fn size(&self) -> Size {
        let told = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_col > 0 && size.ws_row > 0);
        told.map_or(Size { width: 80, height: 24 }, |size| Size {
            width: size.ws_col.into(),
            height: size.ws_row.into(),
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Keys that nobody has read are not for the shell.
        tcsetattr(io::stdin(), OptionalActions::Flush, &self.before).ok();
    }
}
