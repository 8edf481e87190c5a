//! `jit-kiosk-listen`: the kiosk's door, jit-kiosk(8).
//!
//! systemd would start a unit for whoever connects, and a flood of connections would keep it busy. This listens instead:
//! it accepts, keeps one source from having all ([`door`]), and hands what is let in on to
//! `jit-kiosk-handed.socket` ([`handing`]), whose unit is an sshd for it. It runs as a user that owns nothing, and all that
//! it can do is to hand connections on.
//!
//! `jit-kiosk-listen take -- PROGRAM ARG...` is the other end: it takes one connection and is PROGRAM's parent until that
//! has ended. `jit-kiosk-listen source-of ADDRESS` says whom an address is counted for.

#![forbid(unsafe_code)]
// What is added to an enum is decided on wherever it matters. Tests may pass over what they are not about.
#![cfg_attr(not(test), warn(clippy::wildcard_enum_match_arm))]

mod door;
mod error;
mod handing;
mod listen;
mod routes;
mod source;
mod tally;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::net::{IpAddr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, ExitStatus};

use error::Error;
use routes::Routes;
use source::Source;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    run(&args).unwrap_or_else(|err| {
        drop(writeln!(io::stderr(), "jit-kiosk: {err}"));
        ExitCode::from(if matches!(err, Error::Usage) { 2 } else { 1 })
    })
}

fn run(args: &[OsString]) -> Result<ExitCode, Error> {
    let words: Vec<Option<&str>> = args.iter().map(|arg| arg.to_str()).collect();
    match words.as_slice() {
        [] => listen::listen(sockets()?).map(|()| ExitCode::SUCCESS),
        [Some("take"), Some("--"), _, ..] => take(&args[2], &args[3..]),
        [Some("source-of"), Some(address)] => tell_source(address.parse().map_err(|_| Error::Usage)?),
        _ => Err(Error::Usage),
    }
}

/// The sockets that systemd listens on (sd_listen_fds(3)).
fn sockets() -> Result<Vec<TcpListener>, Error> {
    const FIRST: RawFd = 3;
    #[allow(clippy::disallowed_methods, reason = "systemd's, and what is not a socket is refused")]
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<RawFd>().ok());
    let are_ours = number("LISTEN_PID").and_then(|pid| pid.try_into().ok()) == Some(std::process::id());
    let so_many = number("LISTEN_FDS").filter(|so_many| are_ours && *so_many > 0).ok_or(Error::NoSockets)?;
    let own = |number| handing::own(number).map(TcpListener::from).map_err(Error::NoSocket);
    (FIRST..FIRST.saturating_add(so_many)).map(own).collect()
}

/// Takes the connection that is handed over on stdin, and runs a program with it as its stdin and stdout. stdin stays
/// open meanwhile: by its end the door sees that there is a place again.
fn take(program: &OsStr, args: &[OsString]) -> Result<ExitCode, Error> {
    let not_started = |err| Error::NotStarted(program.display().to_string(), err);
    let connection = OwnedFd::from(handing::take_over(io::stdin().as_fd())?);
    let also = connection.try_clone().map_err(not_started)?;
    let mut child =
        Command::new(program).args(args).stdin(connection).stdout(also).spawn().map_err(not_started)?;
    child.wait().map(code).map_err(not_started)
}

/// As a shell has it: 128 and the signal, for what was killed.
fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}

fn tell_source(address: IpAddr) -> Result<ExitCode, Error> {
    let routes = Routes::open().map_err(Error::NoRoutes)?;
    let source = Source::of(address, |address| routes.is_own(address)).map_err(Error::NoRoutes)?;
    drop(writeln!(io::stdout(), "{source}"));
    Ok(ExitCode::SUCCESS)
}
