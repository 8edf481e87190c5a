//! The outcome of a command, and how its answer is printed: text or JSON on stdout, notes and hints on stderr.

use jit_proto::text::is_unprintable;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::screen::Screen;

/// Whether the answer is yes or no: exit code 0 or 1, as jitctl(1) says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Yes,
    No,
}

pub(crate) struct View {
    /// The text for stdout.
    pub(crate) data: String,
    /// The lines for stderr.
    pub(crate) said: Vec<String>,
    pub(crate) outcome: Outcome,
}

impl View {
    pub(crate) fn yes(data: String) -> Self {
        Self { data, said: Vec::new(), outcome: Outcome::Yes }
    }
}

/// One document, indented by two, with every character that a terminal would act on as a `\u` escape: JSON
/// itself demands that of C0 controls only.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(value).map_err(|why| Error::Garbled(why.to_string()))?;
    let mut safe = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if is_unprintable(c) && c != '\n' {
            // All of them are in the basic plane, so that one escape of four digits names each (RFC 8259 §7).
            safe += &format!("\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe.push('\n');
    Ok(safe)
}

/// Reads the reply, then prints it as JSON or as text. Either way the outcome and what is said on stderr are
/// the same.
pub(crate) fn show<T: DeserializeOwned + Serialize>(
    reply: &str,
    json: bool,
    screen: &mut Screen<'_>,
    view: impl FnOnce(&T) -> View,
) -> Result<Outcome, Error> {
    let value: T = serde_json::from_str(reply).map_err(|why| Error::Garbled(why.to_string()))?;
    give(&value, json, screen, view)
}

/// Prints what was read.
pub(crate) fn give<T: Serialize>(
    value: &T,
    json: bool,
    screen: &mut Screen<'_>,
    view: impl FnOnce(&T) -> View,
) -> Result<Outcome, Error> {
    let view = view(value);
    let data = if json { self::json(value)? } else { view.data };
    screen.data(&data)?;
    for line in &view.said {
        screen.say(line);
    }
    Ok(view.outcome)
}
