//! From arguments to exit code.

use std::ffi::OsString;

use jit_proto::manager::{Check, Entry, Policy, Revoked, Role, Session, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::args::{self, Cli, Local, Task, Typed};
use crate::error::{Error, Failure};
use crate::jitd::{self, Call, Jitd};
use crate::screen::Screen;
use crate::views::{self, View};
use crate::{asking, clock, kiosk, locking, policy, reviewing, sessions, watch};

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
    let result = match args::parse(args) {
        Ok(Typed::Help(text)) => screen.data(&text).map(|()| Outcome::Yes).map_err(Failure::from),
        Ok(Typed::Command(cli)) => answer(&cli, jitd, me, screen),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(Outcome::Yes) => 0,
        Ok(Outcome::No) => 1,
        Err(failure) => {
            screen.say(&failure.message());
            failure.error.exit_code()
        }
    }
}

fn answer(cli: &Cli, jitd: &dyn Jitd, me: Option<u32>, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    let json = cli.json;
    match cli.task() {
        Task::Ask(call) => ask(&call, cli, jitd, screen).map_err(|error| Failure::at(error, &call)),
        Task::Local(Local::Mine) => mine(json, jitd, me, screen),
        Task::Local(Local::Policy(verb)) => {
            policy::run(verb, json, jitd, screen).map_err(|error| match verb.call() {
                Some(call) => Failure::at(error, &call),
                None => error.into(),
            })
        }
        Task::Local(Local::Asking(verb)) => asking::run(verb, json, jitd, me, screen),
        Task::Local(Local::Reviewing(verb)) => reviewing::run(verb, json, jitd, screen),
        Task::Local(Local::Locking(verb)) => locking::run(verb, json, jitd, screen),
        Task::Local(Local::Clock(verb)) => clock::run(verb, json, jitd, screen),
        Task::Local(Local::Watch) => watch::run(json, jitd, screen),
        Task::Local(Local::Kiosk) => kiosk::run(jitd, me, screen),
    }
}

/// The caller's own windows and requests. As JSON it is jitd's status, which holds the windows.
fn mine(json: bool, jitd: &dyn Jitd, me: Option<u32>, screen: &mut Screen<'_>) -> Result<Outcome, Failure> {
    let status: Status = jitd::ask(jitd, &Call::Status)?;
    // A jitd that cannot decide has no list to give, and the person has to hear that it cannot.
    let listed: Vec<Entry> =
        if json || !status.ready { Vec::new() } else { jitd::ask(jitd, &Call::List { all: false })? };
    Ok(give(&status, json, screen, |status: &Status| views::mine(status, &listed, me))?)
}

fn ask(call: &Call, cli: &Cli, jitd: &dyn Jitd, screen: &mut Screen<'_>) -> Result<Outcome, Error> {
    let reply = jitd.ask(call)?;
    let terminal = screen.terminal;
    match call {
        Call::Status => show(&reply, cli.json, screen, |status: &Status| views::status(status, terminal)),
        Call::Grant { .. } => show(&reply, cli.json, screen, views::granted),
        Call::Revoke { .. } => show(&reply, cli.json, screen, |done: &Revoked| views::revoked(done)),
        Call::List { .. } => {
            show(&reply, cli.json, screen, |entries: &Vec<Entry>| views::list(entries, terminal))
        }
        Call::Show { .. } => show(&reply, cli.json, screen, views::entry),
        Call::Check { .. } => show(&reply, cli.json, screen, |check: &Check| views::check(check)),
        Call::Sessions => show(&reply, cli.json, screen, |all: &Vec<Session>| sessions::list(all)),
        Call::EndSession { .. } => show(&reply, cli.json, screen, sessions::ended),
        Call::Explain { .. } => show(&reply, cli.json, screen, views::explanation),
        Call::Roles { .. } => show(&reply, cli.json, screen, |roles: &Vec<Role>| views::roles(roles)),
        Call::LoadPolicy | Call::TryPolicy { .. } | Call::ConfirmPolicy => {
            show(&reply, cli.json, screen, views::policy_loaded)
        }
        Call::Policy => show(&reply, cli.json, screen, |policy: &Policy| views::policy(policy)),
        // The families ask the rest and know its views; without one an answer is shown as it is.
        _ => show(&reply, true, screen, |_: &serde_json::Value| View::yes(String::new())),
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
    let data = if json { views::json(value)? } else { view.data };
    screen.data(&data)?;
    for line in &view.said {
        screen.say(line);
    }
    Ok(view.outcome)
}

#[cfg(test)]
pub(crate) mod explain_tests;
#[cfg(test)]
mod tests;
