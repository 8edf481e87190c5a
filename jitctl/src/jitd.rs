//! The [`Jitd`] trait: sends a call and returns its answer.

use std::io::Read;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::error::{Error, Failure};
use crate::output::{self, Outcome, View};
use crate::screen::Screen;
use crate::wakes::Wakes;

/// Something that answers calls: jitd over the bus, or a script in tests.
pub(crate) trait Jitd {
    /// Asks once and returns the answer's JSON, unread.
    fn ask(&self, call: &Call) -> Result<String, Error>;

    /// Asks once for a pipe, and returns what comes over it; none where jitd has no pipe for whoever asks.
    fn pipe(&self, call: &Call) -> Result<Option<Box<dyn Read>>, Error>;

    /// What ends a wait, from now on: a change that jitd tells of, or a signal to this process.
    fn wakes(&self) -> Box<dyn Wakes>;
}

/// Asks once, and reads the answer.
pub(crate) fn ask<T: DeserializeOwned>(jitd: &dyn Jitd, call: &Call) -> Result<T, Failure> {
    let answer = jitd
        .ask(call)
        .and_then(|reply| serde_json::from_str(&reply).map_err(|why| Error::Garbled(why.to_string())));
    answer.map_err(|error| Failure::at(error, call))
}

/// Asks once, and shows the answer as text or as JSON.
pub(crate) fn show<T: DeserializeOwned + Serialize>(
    jitd: &dyn Jitd,
    call: &Call,
    json: bool,
    screen: &mut Screen<'_>,
    view: impl FnOnce(&T) -> View,
) -> Result<Outcome, Failure> {
    let shown = jitd.ask(call).and_then(|reply| output::show(&reply, json, screen, view));
    shown.map_err(|error| Failure::at(error, call))
}
