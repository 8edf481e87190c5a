//! `jitctl`: what people type to see and change just-in-time access on this host.
//!
//! A command goes through [`args`] (arguments to validated values), a file in [`cmd`] (what it asks jitd, and how the
//! answer is shown, by way of [`views`]), and [`run`] (the exit code). [`jitd`] and [`bus`] send its calls. jitctl decides
//! nothing: jitd says what is allowed.

#![forbid(unsafe_code)]
// What is added to an enum is decided on wherever it matters. Tests may pass over what they are not about.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

mod args;
mod bus;
mod call;
mod cmd;
mod error;
mod fresh;
mod jitd;
mod listening;
mod output;
mod prompts;
mod run;
mod screen;
mod table;
mod terminal;
#[cfg(test)]
mod testing;
mod times;
mod transport;
mod values;
mod views;
mod wakes;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use bus::Bus;
use screen::Screen;
use terminal::keyboard::Stdin;

fn main() -> ExitCode {
    let terminal = io::stdout().is_terminal();
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    let mut stdin = Stdin;
    let mut screen = Screen::new(&mut out, &mut err, terminal);
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        screen = screen.asking(&mut stdin);
    }
    #[expect(clippy::disallowed_methods, reason = "in which zone times are shown and typed decides nothing")]
    let zone = std::env::var_os("TZ");
    match times::of_caller(zone.as_deref()) {
        Ok(zone) => times::set_zone(zone),
        Err(why) => screen.say(&format!("jitctl: {why}; times are in UTC")),
    }
    // Whose windows are shown. Nothing else depends on it: jitd learns the caller's uid from the bus or the kernel.
    let me = nix::unistd::getuid().as_raw();
    let bus = if nix::unistd::geteuid().is_root() { Bus::of_root() } else { Bus::system() };
    let code = run::run(std::env::args_os(), &bus, Some(me), Path::new("/"), &mut screen);
    ExitCode::from(code)
}
