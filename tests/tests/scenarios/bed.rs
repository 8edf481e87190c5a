//! The machines that everything here runs in: a test run that was killed must not fail the next one.

use std::thread;

use jit_tests::machine::{Boot, Machine};

use crate::site::Site;

/// Three at once, after two that nobody cleared up: they race to do it.
pub(crate) fn after_a_killed_run(_site: &Site) {
    let bare = Boot { bare: true, ..Boot::USUAL };
    let left: Vec<Machine> = (0..2).map(|_| Machine::boot(bare)).collect();
    left.into_iter().for_each(Machine::abandon);
    thread::scope(|at_once| {
        let booted: Vec<_> = (0..3).map(|_| at_once.spawn(|| Machine::boot(bare))).collect();
        for machine in booted {
            machine.join().expect("it comes up").run(&["true"]).done();
        }
    });
}
