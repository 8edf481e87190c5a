//! `jitctl`: what people type to see and change just-in-time access on this host.
//!
//! The walk of a command: arguments → words ([`args`]) → one question to jitd ([`jitd`], [`bus`]) → its answer
//! as text or JSON ([`views`]) → exit code ([`run`]). jitctl decides nothing: what is allowed is jitd's to say.
//! Commands that need no jitd answer by themselves, each family in a file of its own ([`policy`]).

#![forbid(unsafe_code)]

mod args;
mod bus;
mod error;
mod jitd;
mod policy;
mod run;
mod screen;
mod table;
#[cfg(test)]
mod testing;
mod times;
mod views;

use std::io::{self, IsTerminal};
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;

use bus::Bus;
use screen::Screen;

fn main() -> ExitCode {
    let terminal = io::stdout().is_terminal();
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    let mut screen = Screen::new(&mut out, &mut err, terminal);
    let code = run::run(std::env::args_os(), &Bus::system(), my_uid(), &mut screen);
    ExitCode::from(code)
}

/// Whose windows a bare `jitctl` shows. Only what is shown depends on it: jitd learns the caller's uid from the
/// bus.
fn my_uid() -> Option<u32> {
    std::fs::metadata("/proc/self").ok().map(|me| me.uid())
}
