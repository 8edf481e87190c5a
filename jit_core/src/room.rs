//! Whether there is room for the records of something new.

use crate::event::Event;
use crate::model::Space;
use crate::state::State;

/// What is to be recorded of the room that there is, if that changes what opens.
#[must_use]
pub fn told(state: &State, space: Space) -> Option<Event> {
    let was_short = state.is_short_of_room();
    match (was_short, space.is_short(was_short)) {
        (false, true) => Some(Event::DiskShort(space)),
        (true, true) if space.is_spent() && !state.is_out_of_room() => Some(Event::DiskShort(space)),
        (true, false) => Some(Event::DiskRoom(space)),
        (false, false) | (true, true) => None,
    }
}
