//! From arguments to exit code.

use std::ffi::OsString;

use jit_proto::manager::{Check, Entry, Policy, Revoked, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::args::{self, Cli, Local, Task, Typed};
use crate::error::Error;
use crate::jitd::{Call, Jitd};
use crate::policy;
use crate::screen::Screen;
use crate::views::{self, View};

/// What jitd's answer comes to. Part of the exit code's contract: see jitctl(1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Yes,
    No,
}

/// Runs one command and returns its exit code. `me` is the caller's uid, where it is known.
pub(crate) fn run(
    args: impl IntoIterator<Item = OsString>,
    jitd: &dyn Jitd,
    me: Option<u32>,
    screen: &mut Screen<'_>,
) -> u8 {
    let (call, result) = match args::parse(args) {
        Ok(Typed::Help(text)) => (None, screen.data(&text).map(|()| Outcome::Yes)),
        Ok(Typed::Command(cli)) => {
            let call = match cli.task() {
                Task::Ask(call) => Some(call),
                Task::Local(Local::Policy(verb)) => verb.call(),
            };
            (call, answer(&cli, jitd, me, screen))
        }
        Err(error) => (None, Err(error)),
    };
    match result {
        Ok(Outcome::Yes) => 0,
        Ok(Outcome::No) => 1,
        Err(error) => {
            screen.say(&error.message(call.as_ref()));
            error.exit_code()
        }
    }
}

fn answer(cli: &Cli, jitd: &dyn Jitd, me: Option<u32>, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    match cli.task() {
        Task::Ask(call) => ask(&call, cli, jitd, me, screen),
        Task::Local(Local::Policy(verb)) => policy::run(verb, cli.json, jitd, screen),
    }
}

fn ask(
    call: &Call,
    cli: &Cli,
    jitd: &dyn Jitd,
    me: Option<u32>,
    screen: &mut Screen<'_>,
) -> Result<Outcome, Error> {
    let reply = jitd.ask(call)?;
    let terminal = screen.terminal;
    match call {
        Call::Status if cli.verb.is_none() => {
            show(&reply, cli.json, screen, |status: &Status| views::mine(status, me))
        }
        Call::Status => show(&reply, cli.json, screen, |status: &Status| views::status(status, terminal)),
        Call::Grant { .. } => show(&reply, cli.json, screen, views::granted),
        Call::Revoke { .. } => show(&reply, cli.json, screen, |done: &Revoked| views::revoked(done)),
        Call::List { .. } => {
            show(&reply, cli.json, screen, |entries: &Vec<Entry>| views::list(entries, terminal))
        }
        Call::Show { .. } => show(&reply, cli.json, screen, views::entry),
        Call::Check { .. } => show(&reply, cli.json, screen, |check: &Check| views::check(check)),
        Call::LoadPolicy => show(&reply, cli.json, screen, views::policy_loaded),
        Call::Policy => show(&reply, cli.json, screen, |policy: &Policy| views::policy(policy)),
    }
}

/// Reads the reply, then prints it as JSON or as text. Either way the outcome and what is said on stderr are
/// the same.
fn show<T: DeserializeOwned + Serialize>(
    reply: &str,
    json: bool,
    screen: &mut Screen<'_>,
    view: impl FnOnce(&T) -> View,
) -> Result<Outcome, Error> {
    let value: T = serde_json::from_str(reply).map_err(|why| Error::Garbled(why.to_string()))?;
    let view = view(&value);
    let data = if json { views::json(&value)? } else { view.data };
    screen.data(&data)?;
    for line in &view.said {
        screen.say(line);
    }
    Ok(view.outcome)
}

#[cfg(test)]
mod tests;
