//! Where output goes: data to stdout, everything else to stderr.

use std::io::{self, Write};

use jit_proto::text::is_unprintable;

use crate::error::Error;
use crate::terminal::keyboard::{Keyboard, Typed};
use crate::terminal::paint::Strokes;

pub(crate) struct Screen<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    /// Whether a person reads stdout directly: long text may be cut for them, never for a pipe.
    pub(crate) terminal: bool,
    /// Of the person whom questions can be put to, if there is one.
    keyboard: Option<&'a mut dyn Keyboard>,
    /// Whether the reader of stdout has gone.
    gone: bool,
    /// Whether nothing was written to stdout.
    blank: bool,
}

impl<'a> Screen<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, err: &'a mut dyn Write, terminal: bool) -> Self {
        Self { out, err, terminal, keyboard: None, gone: false, blank: true }
    }

    /// With a person who sees stderr and types.
    pub(crate) fn asking(self, keyboard: &'a mut dyn Keyboard) -> Self {
        Self { keyboard: Some(keyboard), ..self }
    }

    /// Whether questions can be put to anybody.
    pub(crate) fn can_ask(&self) -> bool {
        self.keyboard.is_some()
    }

    /// Whether stdout has nothing yet.
    pub(crate) fn is_blank(&self) -> bool {
        self.blank
    }

    /// Whether the reader of stdout has seen enough: what goes on printing can stop.
    pub(crate) fn is_unread(&self) -> bool {
        self.gone
    }

    /// Puts a question to the person, and reads a line. Where nobody can be asked that is the end of the input.
    pub(crate) fn ask(&mut self, question: &str) -> Typed {
        let Some(keyboard) = self.keyboard.as_mut() else { return Typed::End };
        drop(self.err.write_all(block(question).as_bytes()).and_then(|()| self.err.flush()));
        let typed = keyboard.line();
        if typed == Typed::End {
            self.say("");
        }
        typed
    }

    /// Writes data. A reader that has seen enough (`jitctl list | head -1`) is no error: the rest is dropped
    /// and the exit code stays that of the answer. A full disk is one.
    pub(crate) fn data(&mut self, text: &str) -> Result<(), Error> {
        self.blank = false;
        let written = self.out.write_all(block(text).as_bytes()).and_then(|()| self.out.flush());
        match written {
            Err(why) if why.kind() == io::ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(())
            }
            Err(why) => Err(Error::Output(why)),
            Ok(()) => Ok(()),
        }
    }

    /// Writes data as it is, for a program that reads it. A person at a terminal gets it as [`Self::data`].
    pub(crate) fn exact(&mut self, text: &str) -> Result<(), Error> {
        if self.terminal {
            return self.data(text);
        }
        self.blank = false;
        match self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            Err(why) if why.kind() == io::ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(())
            }
            written => written.map_err(Error::Output),
        }
    }

    /// Draws what was made to be drawn, as it is.
    pub(crate) fn draw(&mut self, strokes: &Strokes) -> Result<(), Error> {
        self.blank = false;
        let bytes = strokes.bytes();
        self.out.write_all(bytes).and_then(|()| self.out.flush()).map_err(Error::Output)
    }

    /// Tells the person something. Where stderr is closed there is nobody to tell, and nowhere to complain.
    pub(crate) fn say(&mut self, text: &str) {
        drop(self.err.write_all(format!("{}\n", block(text)).as_bytes()));
    }
}

/// Text of several lines, made safe to show: line ends and tabs stay, every other control is escaped. Views
/// escape what people typed, line ends included; this catches what a view forgot.
pub(crate) fn block(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unprintable(c) && !matches!(c, '\n' | '\t') {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Full(io::ErrorKind);

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error_and_a_full_disk_is() {
        for (kind, ok) in [(io::ErrorKind::BrokenPipe, true), (io::ErrorKind::StorageFull, false)] {
            let (mut out, mut err) = (Full(kind), Vec::new());
            assert_eq!(Screen::new(&mut out, &mut err, false).data("x\n").is_ok(), ok, "{kind}");
        }
    }

    #[test]
    fn a_closed_stderr_is_ignored() {
        let (mut out, mut err) = (Vec::new(), Full(io::ErrorKind::BrokenPipe));
        Screen::new(&mut out, &mut err, false).say("x");
    }

    #[test]
    fn a_terminal_never_receives_a_control_but_line_ends_and_tabs() {
        assert_eq!(block("a\tb\nc\r\u{1b}[2J\u{202e}d\u{9b}"), "a\tb\nc\\u{d}\\u{1b}[2J\\u{202e}d\\u{9b}");
    }
}
