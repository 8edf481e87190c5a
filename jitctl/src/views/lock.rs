//! How locks are shown.

use jit_proto::manager::Lock;
use jit_proto::text::{Shown, Typed};

use crate::output::View;
use crate::times::time;

/// `host is locked by otto until 2026-11-23 08:51:00Z: maintenance`.
pub(crate) fn lock_line(lock: &Lock) -> String {
    let until = match &lock.until {
        Some(until) => format!("until {}", time(until)),
        None => "until it is lifted".to_owned(),
    };
    let message = lock.message.as_ref().map_or_else(String::new, |message| format!(": {message}"));
    let line = format!("{} is locked by {} {until}{message}", lock.scope, lock.by);
    Shown(&line).to_string()
}

pub(crate) fn locked(lock: &Lock) -> View {
    let hint = format!("hint: lift it with: jitctl unlock {}", Typed(&lock.scope));
    let note = lock.note.as_ref().map(|note| format!("note: {}", Shown(note)));
    View { said: note.into_iter().chain([hint]).collect(), ..View::yes(format!("{}.\n", lock_line(lock))) }
}

/// `ended` is whether it has ended windows.
pub(crate) fn unlocked(lock: &Lock, ended: bool) -> View {
    let scope = Shown(&lock.scope);
    let said = "Windows that the lock ended are not restored; ask again with: jitctl request".to_owned();
    View {
        said: ended.then_some(said).into_iter().collect(),
        ..View::yes(format!("{scope} is no longer locked.\n"))
    }
}
