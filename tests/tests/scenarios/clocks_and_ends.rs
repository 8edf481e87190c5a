//! A session is open, and something happens to the clock, or to jitd, before its window ends.

use std::thread;
use std::time::Duration;

use jit_tests::machine::until;

use crate::clock::{clock_says, fake_the_clock};
use crate::lasting::{IN_TIME, after, install, late, role, stays, time};
use crate::site::{Entrance, Role, SOON, Site};
use crate::store::audited;

/// About half of a window of 15 seconds.
const HALF: Duration = Duration::from_secs(7);

pub(crate) fn a_clock_that_is_stepped(site: &Site) {
    fake_the_clock(site);
    install(site);
    // How late, by the clock of the machine, which goes on.
    let stepped = |name: &str, length: &str, steps: &[&str]| {
        clock_says(site, "+0");
        site.person(name);
        site.roles(&[role(name, &["sshd"], name)]);
        let window = site.open(name, name, length);
        let [session, gone] = stays(site, name);
        thread::sleep(HALF);
        for step in steps {
            match *step {
                "look" => drop(site.status()),
                says => clock_says(site, says),
            }
        }
        let late = late(site, &window, gone);
        session.output().is_cut_off();
        late
    };
    let back = stepped("bess", "15s", &["-1h"]);
    assert!((0..=IN_TIME).contains(&back), "stepped back: {back} ms after the end");
    let back_seen = stepped("bert", "15s", &["-1h", "look"]);
    assert!((0..=IN_TIME).contains(&back_seen), "stepped back, and seen: {back_seen} ms after the end");
    // What has passed by either clock has passed, if jitd has seen it.
    let forth = stepped("faye", "15s", &["+3650d", "+0"]);
    assert!(forth <= IN_TIME, "stepped forward and back: {forth} ms after the end");
    let forth_seen = stepped("finn", "10m", &["+3650d", "look", "+0"]);
    assert!(forth_seen < 0, "stepped forward, seen, and back: {forth_seen} ms after the end");
}

pub(crate) fn jitd_is_down_over_the_end(site: &Site) {
    install(site);
    site.person("dolf");
    site.roles(&[role("dolf", &["sshd"], "dolf")]);
    let window = site.open("dolf", "dolf", "15s");
    let [session, gone] = stays(site, "dolf");
    thread::sleep(HALF);
    site.shell("systemctl stop jitd").done();
    thread::sleep(HALF + Duration::from_secs(3));
    let started = time(&site.shell("systemctl start jitd && date +%s%3N"));
    site.ssh("dolf").is_refused("dolf", "dolf");
    let late = after(started, time(&gone.output()));
    assert!(late <= IN_TIME, "gone {late} ms after jitd's start");
    session.output().is_cut_off();
    assert_eq!(site.entry(&window.id).ended.as_deref(), Some("expired"));
    until(SOON, "the end is carried through, on record", || {
        !site.logged("sessions-ended", &window.id).is_empty()
    });
    audited(site);
}

pub(crate) fn stepped_back_before_a_reboot(site: &Site) {
    fake_the_clock(site);
    site.person("sura");
    site.roles(&[Role::new("sura", &["sshd"], "sura").with("survives-reboot = true\n")]);
    let window = site.open("sura", "sura", "30m");
    let left = || site.entry(&window.id).remaining;
    let opened = left();
    clock_says(site, "-1h");
    let stepped = left();
    // What is left is told in whole seconds, and a machine of this kind restarts in less than one.
    thread::sleep(Duration::from_secs(2));
    site.machine.reboot();
    site.is_ready();
    let rebooted = left();
    assert!(
        0 < rebooted && rebooted < stepped && stepped <= opened,
        "opened with {opened} s, after the step {stepped} s, after the reboot {rebooted} s"
    );
    // Nor does it gain by being put right.
    clock_says(site, "+0");
    assert!(left() <= rebooted);
    site.ssh("sura").admits("sura");
}
