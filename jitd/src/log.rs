//! What jitd says about itself, on stderr: the journal keeps it, or whoever started jitd by hand sees it.
//!
//! This is not the audit. Lines carry the priority prefix of sd-daemon(3).

use std::fmt::Display;
use std::io::Write;

use jit_proto::text::Shown;

fn say(priority: u8, text: &impl Display) {
    let mut lines = String::new();
    for line in text.to_string().lines() {
        lines += &format!("<{priority}>{}\n", Shown(line));
    }
    // If stderr is gone there is nobody left to tell.
    drop(std::io::stderr().write_all(lines.as_bytes()));
}

/// Logs that something failed.
pub(crate) fn error(text: impl Display) {
    say(3, &text);
}

/// Something an admin should look at.
pub(crate) fn warning(text: impl Display) {
    say(4, &text);
}

/// Logs that something happened.
pub(crate) fn notice(text: impl Display) {
    say(5, &text);
}
