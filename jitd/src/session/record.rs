//! The record of what was found out or done of sessions.

use jit_core::event::Event;

use crate::app::App;
use crate::log;

/// Enters in the record what was found out or done, once.
pub(super) fn record(app: &App, event: Event) {
    if let Err(err) = app.desk.carry(|here| Vec::from_iter(here.state.is_news(&event).then(|| event.clone())))
    {
        log::error(err);
    }
}
