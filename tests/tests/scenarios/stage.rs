//! Which scenario runs where: those that disturb nobody share one machine, side by side, since they mostly wait;
//! those that stop or break things have a machine of their own. Reported as libtest does.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::Instant;

use jit_tests::machine::{Boot, last_commands, written};

use crate::site::Site;

/// A rule, and the scenario that holds it. It fails by panicking.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) act: fn(&Site),
}

/// Where a scenario runs.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    /// In the one machine of all that need no other: with people and roles of its own, and leaving every
    /// service as it found it.
    Shared,
    /// In a machine of its own, where the PAM files name the module.
    Own,
    /// In a machine of its own of this kind.
    OwnOf(Boot),
}

/// A scenario in the common machine.
pub(crate) const fn shared(name: &'static str, act: fn(&Site)) -> Scenario {
    Scenario { name, place: Place::Shared, act }
}

/// A scenario in a machine of its own.
pub(crate) const fn own(name: &'static str, act: fn(&Site)) -> Scenario {
    Scenario { name, place: Place::Own, act }
}

/// A scenario in a machine of this kind.
pub(crate) const fn own_of(boot: Boot, name: &'static str, act: fn(&Site)) -> Scenario {
    Scenario { name, place: Place::OwnOf(boot), act }
}

/// How many at a time. They wait for windows to end and for logins to be slow; two cores carry this.
const SIDE_BY_SIDE: usize = 4;
const MACHINES: usize = 6;

/// Runs those that the command line asks for. The exit status is 1 if one of them fails.
pub(crate) fn run(all: &[Scenario]) -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let kept: Vec<&Scenario> = all.iter().filter(|scenario| is_chosen(scenario.name, &args)).collect();
    if args.iter().any(|arg| arg == "--list") {
        for scenario in &kept {
            say(&format!("{}: test\n", scenario.name));
        }
        return ExitCode::SUCCESS;
    }

    jit_tests::stalls::watch();
    say(&format!("\nrunning {} test{}\n", kept.len(), if kept.len() == 1 { "" } else { "s" }));
    remember_panics();
    let began = Instant::now();
    let is_shared = |scenario: &&&Scenario| matches!(scenario.place, Place::Shared);
    let shared: Mutex<VecDeque<&Scenario>> = Mutex::new(kept.iter().filter(is_shared).copied().collect());
    let own: Mutex<VecDeque<&Scenario>> =
        Mutex::new(kept.iter().filter(|kept| !is_shared(kept)).copied().collect());
    let failures = Mutex::new(Vec::new());
    let common = OnceLock::new();
    thread::scope(|scope| {
        for (queue, workers) in [(&shared, SIDE_BY_SIDE), (&own, MACHINES)] {
            for _ in 0..workers {
                scope.spawn(|| {
                    while let Some(next) = take(queue) {
                        let why = play(next, &common);
                        failures.lock().unwrap().extend(why.map(|why| (next.name, why)));
                    }
                });
            }
        }
    });
    let code = report(&failures.into_inner().unwrap(), kept.len(), all.len(), began);
    keep();
    code
}

/// As libtest chooses: all without a filter, and else what has one of them in its name, or is called so.
fn is_chosen(name: &str, args: &[String]) -> bool {
    let is_exact = args.iter().any(|arg| arg == "--exact");
    let mut filters = args.iter().filter(|arg| !arg.starts_with('-')).peekable();
    filters.peek().is_none()
        || filters.any(|wanted| if is_exact { name == wanted } else { name.contains(wanted.as_str()) })
}

fn take<'s>(queue: &Mutex<VecDeque<&'s Scenario>>) -> Option<&'s Scenario> {
    queue.lock().unwrap().pop_front()
}

/// Plays one scenario; what was wrong, if something was.
fn play(scenario: &Scenario, common: &OnceLock<Site>) -> Option<String> {
    let began = Instant::now();
    drop((last_commands(), written()));
    let outcome = match scenario.place {
        Place::Shared => guarded(|| common.get_or_init(|| Site::boot(Boot::default()))).and_then(|site| {
            let outcome = perform(scenario, site, began);
            // What it would have taken away itself must not fail the others.
            outcome.map_err(|why| match guarded(|| site.take_away(&written())) {
                Ok(()) => why,
                Err(also) => format!("{why}\n\nand what it left could not be taken away: {also}"),
            })
        }),
        Place::Own => alone(scenario, Boot::default(), began),
        Place::OwnOf(boot) => alone(scenario, boot, began),
    };
    let took = began.elapsed().as_secs_f64();
    let line = match &outcome {
        Ok(()) => format!("test {} ... ok <{took:.2}s>\n", scenario.name),
        // In one line, for a log of which a part is kept.
        Err(why) => {
            let said: Vec<&str> =
                why.lines().take(6).map(str::trim).filter(|line| !line.is_empty()).collect();
            format!("test {} ... FAILED <{took:.2}s> {}\n", scenario.name, said.join(" | "))
        }
    };
    say(&line);
    outcome.err()
}

/// In a machine of its own, which goes with it unless it failed and `JIT_KEEP` is set.
fn alone(scenario: &Scenario, boot: Boot, began: Instant) -> Result<(), String> {
    let site = guarded(|| Site::boot(boot))?;
    let outcome = perform(scenario, &site, began);
    if outcome.is_err() && count("JIT_KEEP", 0) > 0 {
        KEPT.lock().unwrap().push((scenario.name, site));
    }
    outcome
}

/// Machines in which something failed, for a person to look at.
static KEPT: Mutex<Vec<(&str, Site)>> = Mutex::new(Vec::new());

/// Says how to enter the machines that were kept, and keeps them until Ctrl-C.
fn keep() {
    let kept = KEPT.lock().unwrap();
    for (name, site) in kept.iter() {
        say(&format!("{name}: its machine is kept; enter it with: {}\n", site.machine.how_to_enter()));
    }
    if !kept.is_empty() {
        say("Ctrl-C ends them.\n");
        loop {
            thread::park();
        }
    }
}

fn perform(scenario: &Scenario, site: &Site, began: Instant) -> Result<(), String> {
    guarded(|| (scenario.act)(site)).map_err(|why| {
        let commands = last_commands();
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let since = began.elapsed().as_secs() + 1;
        let log = guarded(|| site.log_of_the_last(since)).unwrap_or_else(|why| why);
        format!(
            "{why}\n\nthe last commands (how long each took, its status):\n{commands}\n\nload: {}\n\n\
             the machine's log since the scenario began, {since} s ago:\n{log}",
            load.trim_end()
        )
    })
}

fn report(failures: &[(&str, String)], ran: usize, all: usize, began: Instant) -> ExitCode {
    if !failures.is_empty() {
        say("\nfailures:\n");
        for (name, why) in failures {
            say(&format!("\n---- {name} ----\n{}\n", why.trim_end()));
        }
    }
    let (word, failed) = (if failures.is_empty() { "ok" } else { "FAILED" }, failures.len());
    say(&format!(
        "\ntest result: {word}. {} passed; {failed} failed; 0 ignored; 0 measured; {} filtered out; \
         finished in {:.2}s\n\n",
        ran - failed,
        all - ran,
        began.elapsed().as_secs_f64()
    ));
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what a panic says for the report, with its place, instead of printing it into other scenarios' lines.
fn remember_panics() {
    panic::set_hook(Box::new(|panic| drop(PANIC.with(|said| said.replace(panic.to_string())))));
}

fn guarded<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(act)).map_err(|_| PANIC.with(RefCell::take))
}

/// How often a long count is made: as this variable says, which `make prove` sets, or else so often.
#[allow(clippy::disallowed_methods, reason = "steers the tests, and nothing else reads it")]
pub(crate) fn count(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|count| count.parse().ok()).unwrap_or(otherwise)
}

/// Written at once and whole.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody left to tell when stdout is gone.
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}
