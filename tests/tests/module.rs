//! The shipped `pam_jit.so` under the real libpam, against jitds and buses that fail in every way we know.
//!
//! `JIT_MODULE` names the module to test; without it, it is built first. Runs as root, in a room of its own (see
//! module/room.rs), and needs cc, libpam's headers, binutils and dbus-daemon.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a panic here is a failed test")]

#[path = "module/asking.rs"]
mod asking;
#[path = "module/bus.rs"]
mod bus;
#[path = "module/faults.rs"]
mod faults;
#[path = "module/pam.rs"]
mod pam;
#[path = "module/peer.rs"]
mod peer;
#[path = "module/room.rs"]
mod room;
#[path = "module/shipped.rs"]
mod shipped;
#[path = "module/table.rs"]
mod table;
#[path = "module/traces.rs"]
mod traces;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use jit_tests::runner::{self, Test};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--peer", rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        peer::main(rest);
        return ExitCode::SUCCESS;
    }
    let tests: Vec<Test> =
        [table::TESTS, asking::TESTS, faults::TESTS, traces::TESTS, shipped::TESTS].concat();
    // Naming the tests takes neither root nor a module.
    if !arguments.iter().any(|argument| argument == "--list")
        && let Err(why) = module().and_then(|module| room::enter(&module))
    {
        return runner::not_started(&why);
    }
    runner::run(&tests)
}

/// The module under test: the one that `JIT_MODULE` names, or a new build.
fn module() -> Result<PathBuf, String> {
    #[expect(clippy::disallowed_methods, reason = "it is the test's own argument")]
    let named = std::env::var_os("JIT_MODULE").filter(|path| !path.is_empty());
    if let Some(path) = named {
        return Ok(path.into());
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "-p", "pam_jit", "--profile", "module", "--message-format=json"]);
    let built =
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().map_err(|err| format!("cargo: {err}"))?;
    let messages = String::from_utf8_lossy(&built.stdout);
    let mut files = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let files = message.get("filenames")?.as_array()?.clone();
        files
            .iter()
            .find_map(|file| Some(file.as_str()?.to_owned()).filter(|file| file.ends_with("/libpam_jit.so")))
    });
    files.next_back().map(PathBuf::from).ok_or_else(|| String::from_utf8_lossy(&built.stderr).into_owned())
}

/// An error that says what was expected, unless it is what was got.
fn expect<T: PartialEq + std::fmt::Debug>(what: &str, got: T, expected: T) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what}: expected {expected:?}, got {got:?}")) }
}

/// An error with `what`, unless it holds.
fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
