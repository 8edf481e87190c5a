//! Whether there is room for the records of something new.

use std::time::Duration;

use crate::event::Event;
use crate::model::Space;
use crate::state::State;
use crate::time::Moment;

/// How long there has to be room before anything new opens again: whoever fills the disk and empties it again and again has no
/// record written each time.
pub const STEADY: Duration = Duration::from_mins(5);

/// What a want of room stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stops {
    /// There is room, and nothing is stopped.
    #[default]
    Nothing,
    /// What is new: requests, approvals, grants and extensions, but in an emergency.
    New,
    /// That, and every login but in an emergency.
    Logins,
}

/// What a want of room stops, by what is on record of it.
#[must_use]
pub const fn stops(state: &State) -> Stops {
    match (state.is_short_of_room(), state.is_out_of_room()) {
        (_, true) => Stops::Logins,
        (true, false) => Stops::New,
        (false, false) => Stops::Nothing,
    }
}

/// Sees how much room there is. What it remembers is lost with jitd; a start looks anew.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// Since when there is room again, in milliseconds of the boot clock.
    enough_since: Option<u64>,
}

impl Watch {
    /// What is to be recorded of the room that there is, if that changes what it stops.
    pub fn see(&mut self, state: &State, space: Space, now: &Moment) -> Option<Event> {
        let stops = stops(state);
        let is_short = space.is_short(stops != Stops::Nothing);
        if is_short {
            self.enough_since = None;
            let is_worse = stops == Stops::Nothing || (stops == Stops::New && space.is_spent());
            return is_worse.then_some(Event::DiskShort(space));
        }
        if stops == Stops::Nothing {
            return None;
        }
        let since = *self.enough_since.get_or_insert(now.boot);
        let for_so_long = Duration::from_millis(now.boot.saturating_sub(since));
        (for_so_long >= STEADY).then(|| {
            self.enough_since = None;
            Event::DiskRoom(space)
        })
    }
}
