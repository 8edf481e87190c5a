//! What time does to something: an event now, or nothing for a while.

use std::time::Duration;

use crate::event::Event;

/// The effect of time alone on one thing: an event that is due, or a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "one lives for a moment, and few are events")]
pub(crate) enum Timer {
    /// This event is due now.
    Due(Event),
    /// No event is due for this long (more than zero), if the clocks run evenly.
    In(Duration),
}

impl Timer {
    /// The event, if it is due now.
    pub(crate) fn event(self) -> Option<Event> {
        match self {
            Self::Due(event) => Some(event),
            Self::In(_) => None,
        }
    }

    /// How long until an event is due; zero if one is due now.
    pub(crate) const fn quiet(&self) -> Duration {
        match self {
            Self::Due(_) => Duration::ZERO,
            Self::In(quiet) => *quiet,
        }
    }
}
