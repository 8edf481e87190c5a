//! Input from the person at the kiosk: a line, or a timeout, Ctrl-C or a hangup instead of one.
//!
//! The terminal is left as it is: it edits lines and echoes them, so that the slowest serial line and the dumbest
//! terminal will do. Ctrl-C gives up what is being answered; Ctrl-Z and Ctrl-\ do nothing, since there is no shell to
//! go back to. Neither needs a handler: the signals are blocked, and one thread waits for the first of them.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};

use crate::terminal::keyboard::{Keyboard, Stdin, Typed};

/// How long the person may be silent.
const IDLE: Duration = Duration::from_secs(600);

/// What came from the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A line, without its end.
    Line(String),
    /// A line that cannot be used, and why.
    Unusable(&'static str),
    /// The person pressed Ctrl-C.
    Interrupted,
    /// Nothing, for as long as they may be silent.
    Silence,
    /// They have gone.
    Gone,
}

pub(crate) trait Person {
    /// Waits for what they say next.
    fn hear(&mut self) -> Heard;
}

/// Whoever is at standard input.
pub(crate) struct Typist {
    heard: Receiver<Heard>,
}

impl Typist {
    /// From now on the terminal's signals end nothing: they are blocked here and in every thread started after this.
    pub(crate) fn start() -> Self {
        let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP]);
        let (tell, heard) = sync_channel(1);
        if signals.thread_block().is_ok() {
            let tell = tell.clone();
            // Without this thread Ctrl-C does nothing, too.
            drop(
                thread::Builder::new()
                    .name("signals".to_owned())
                    .spawn(move || interruptions(&signals, &tell)),
            );
        }
        // Without this one nobody is heard, and silence ends it.
        drop(thread::Builder::new().name("keyboard".to_owned()).spawn(move || lines(&mut Stdin, &tell)));
        Self { heard }
    }
}

impl Person for Typist {
    fn hear(&mut self) -> Heard {
        match self.heard.recv_timeout(IDLE) {
            Ok(Heard::Interrupted) => {
                // What was typed ahead was an answer to what is given up.
                while self.heard.try_recv().is_ok_and(|more| more != Heard::Gone) {}
                Heard::Interrupted
            }
            Ok(heard) => heard,
            Err(RecvTimeoutError::Timeout) => Heard::Silence,
            Err(RecvTimeoutError::Disconnected) => Heard::Gone,
        }
    }
}

fn interruptions(signals: &SigSet, tell: &SyncSender<Heard>) {
    while let Ok(signal) = signals.wait() {
        // A channel that is full holds a line that nobody has read: the interruption finds somebody busy.
        if signal == Signal::SIGINT && tell.send(Heard::Interrupted).is_err() {
            return;
        }
    }
}

fn lines(keyboard: &mut dyn Keyboard, tell: &SyncSender<Heard>) {
    loop {
        let heard = match keyboard.line() {
            Typed::Line(text) => Heard::Line(text),
            Typed::Bad(why) => Heard::Unusable(why),
            Typed::End => Heard::Gone,
        };
        let gone = heard == Heard::Gone;
        if tell.send(heard).is_err() || gone {
            return;
        }
    }
}
