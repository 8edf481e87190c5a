//! How long what a window let in lives, against the end of the window as the record has it.

use jit_tests::machine::{Output, Running, until};
use jit_tests::stalls;

use crate::site::{Role, SOON, Site, Window};
use crate::stage::say;
use crate::store::{audited, ends};

/// A program that writes its pid into the file that it is given and takes no notice of SIGTERM and SIGHUP: it uses the
/// whole of the grace.
pub(crate) const STUBBORN: &str = "/usr/local/bin/stubborn";

/// From the end of a window of [`role`], in milliseconds: the grace, and the five seconds after which the host's own
/// limit would have come. How much sooner it is on a machine that does nothing else is in docs/measurements.md.
pub(crate) const IN_TIME: i64 = 6_000;

/// Puts the program there.
pub(crate) fn install(site: &Site) {
    let text = "#!/bin/sh\ntrap '' TERM HUP\necho $$ >\"$1\"\nwhile :; do sleep 1; done\n";
    site.machine.write(STUBBORN, text, 0o755);
}

/// A role with a grace of one second.
pub(crate) const fn role<'a>(name: &'a str, services: &'a [&'a str], user: &'a str) -> Role<'a> {
    Role::new(name, services, user).with("grace = \"1s\"\n")
}

/// A script that ends when the process that wrote this file has gone, and prints when that was, in milliseconds.
pub(crate) fn until_gone(file: &str) -> String {
    format!("tail --pid=\"$(cat {file})\" --sleep-interval=0.02 -f /dev/null; date +%s%3N")
}

/// Waits for a process, not waited for itself. It has written this file.
pub(crate) fn watch(site: &Site, file: &str) -> Running {
    until(SOON, "it runs", || !site.machine.read(file).trim().is_empty());
    site.machine.start(SOON * 6, &["bash", "-c", &until_gone(file)])
}

/// A session by ssh in which the program runs, and the wait for that.
pub(crate) fn stays(site: &Site, user: &str) -> [Running; 2] {
    let file = format!("/home/{user}/pid");
    site.shell(&format!("rm -f {file}")).done();
    let session = site.start_logged_in(user, &format!("{STUBBORN} {file}"));
    [session, watch(site, &file)]
}

/// A time in milliseconds, as a command has printed it.
#[track_caller]
pub(crate) fn time(printed: &Output) -> i64 {
    printed.done().parse().expect("a time in milliseconds")
}

/// How long after the end of its window a process went, in milliseconds; negative is before.
#[track_caller]
pub(crate) fn late(site: &Site, window: &Window<'_>, gone: Running) -> i64 {
    after(ends(&audited(site))[&window.id], time(&gone.output()))
}

/// From one moment to another, in milliseconds, without what the machine stood still meanwhile, which is said.
pub(crate) fn after(end: i64, gone: i64) -> i64 {
    let still = stalls::between(end, gone);
    if still > 0 {
        say(&format!("the machine stood still for {still} ms, which are not counted\n"));
    }
    gone - end - still
}
