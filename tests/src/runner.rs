//! Runs tests one after another and reports as libtest does.
//!
//! The tests here own things that exist once (a bus, a machine, this process's limits), so they never run side
//! by side; and a check that could not run is a failure, never a skip. Cargo passes the words after `--`: the
//! first that is not an option keeps the tests whose name contains it, and `--list` names them.

use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::time::Instant;

/// A test: its name, which states the rule it holds, and what to do. `Err` says what was expected and found.
pub type Test = (&'static str, fn() -> Result<(), String>);

/// Runs the tests that the command line asks for. The exit status is 1 if one of them fails.
#[must_use]
pub fn run(tests: &[Test]) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut filters = args.iter().filter(|arg| !arg.starts_with('-'));
    let filter = filters.next().map_or("", String::as_str);
    let exact = args.iter().any(|arg| arg == "--exact");
    let chosen = |name: &str| if exact { name == filter } else { name.contains(filter) };
    let kept: Vec<&Test> = tests.iter().filter(|(name, _)| chosen(name)).collect();

    if args.iter().any(|arg| arg == "--list") {
        for (name, _) in &kept {
            say(&format!("{name}: test\n"));
        }
        return ExitCode::SUCCESS;
    }

    say(&format!("\nrunning {} test{}\n", kept.len(), if kept.len() == 1 { "" } else { "s" }));
    let began = Instant::now();
    let mut failures = Vec::new();
    for (name, test) in &kept {
        say(&format!("test {name} ... "));
        let began = Instant::now();
        let result =
            panic::catch_unwind(AssertUnwindSafe(test)).unwrap_or_else(|panic| Err(text_of(&*panic)));
        say(&format!("{} <{:.2}s>\n", word(result.is_ok()), began.elapsed().as_secs_f64()));
        if let Err(why) = result {
            failures.push((*name, why));
        }
    }
    sum_up(kept.len(), &failures, tests.len() - kept.len(), began)
}

/// Reports that the tests could not be started, as a failed test of its own.
#[must_use]
pub fn not_started(why: &str) -> ExitCode {
    const NAME: &str = "the tests can be started";
    say(&format!("\nrunning 1 test\ntest {NAME} ... {}\n", word(false)));
    sum_up(1, &[(NAME, why.to_owned())], 0, Instant::now())
}

fn sum_up(run: usize, failures: &[(&str, String)], filtered: usize, began: Instant) -> ExitCode {
    if !failures.is_empty() {
        say("\nfailures:\n");
        for (name, why) in failures {
            say(&format!("\n---- {name} ----\n{}\n", why.trim_end()));
        }
    }
    say(&format!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {filtered} filtered out; finished in {:.2}s\n\n",
        word(failures.is_empty()),
        run - failures.len(),
        failures.len(),
        began.elapsed().as_secs_f64()
    ));
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const fn word(ok: bool) -> &'static str {
    if ok { "ok" } else { "FAILED" }
}

/// What a panic said, for those that say anything.
fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("without a text"))
}

/// Written and flushed at once: a test that hangs is then the last name on the screen.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody left to tell when stdout is gone.
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
