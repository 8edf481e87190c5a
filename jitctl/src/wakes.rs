//! The reasons for which a wait ends: a change that jitd signals, a timeout, a key, or a signal to this process.

use std::time::Duration;

use nix::sys::signal::SigSet;

use crate::terminal::keys::Key;

/// How often jitctl looks though nothing was heard: the signal of a jitd that restarts goes to nobody.
pub(crate) const POLL: Duration = Duration::from_secs(10);

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Something may be different.
    Changed,
    /// The time is over.
    Time,
    /// The person, or the system, wants this process to end.
    Interrupted,
    /// The terminal has another size.
    Resized,
    /// A key was pressed.
    Key(Key),
}

pub(crate) trait Wakes {
    /// Waits at most so long; says why it is over, and how long it took.
    fn wait(&mut self, longest: Duration) -> (Wake, Duration);

    /// From now on keys end a wait too.
    fn read_keys(&mut self);
}

/// Leaves signals to the threads that wait for them. Threads started from here inherit that.
pub(crate) fn quiet() {
    SigSet::all().thread_block().ok();
}
