//! `jitctl`: what people type to see and change just-in-time access on this host.
//!
//! The walk of a command: arguments → words ([`args`]) → one question to jitd ([`jitd`], [`bus`]) → its answer
//! as text or JSON ([`views`]) → exit code ([`run`]). jitctl decides nothing: what is allowed is jitd's to say.
//! Commands that take more than one question, or none, are families with a file of their own: [`asking`],
//! [`reviewing`], [`locking`], [`watch`], [`kiosk`], [`policy`].

#![forbid(unsafe_code)]

mod args;
mod asking;
mod bus;
mod clock;
mod error;
mod jitd;
mod keyboard;
mod kiosk;
mod locking;
mod policy;
mod prompts;
mod reviewing;
mod run;
mod screen;
mod sessions;
mod table;
#[cfg(test)]
mod testing;
mod times;
mod views;
mod wakes;
mod watch;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use bus::Bus;
use keyboard::Stdin;
use screen::Screen;

fn main() -> ExitCode {
    let terminal = io::stdout().is_terminal();
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    let mut stdin = Stdin;
    let mut screen = Screen::new(&mut out, &mut err, terminal);
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        screen = screen.asking(&mut stdin);
    }
    // Whose windows are shown. Nothing else depends on it: jitd learns the caller's uid from the bus.
    let me = nix::unistd::getuid().as_raw();
    let code = run::run(std::env::args_os(), &Bus::system(), Some(me), &mut screen);
    ExitCode::from(code)
}
