//! A clock that cannot be believed, as jitd in a real machine sees it through libfaketime: what it stops, what it does
//! not, and how it ends. The machine's own clock is left alone, and so is CLOCK_BOOTTIME.

use std::thread;
use std::time::Duration;

use jit_proto::manager::{Clock, Entry};
use jit_tests::machine::until;

use crate::site::{Entrance, Role, SOON, Site, read};

/// What jitd's clock is moved by, as faketime(1) reads it.
const RC: &str = "/etc/jit/faketime";

const DROP_IN: &str = "[Service]\n\
    Environment=LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1\n\
    Environment=FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1 FAKETIME_TIMESTAMP_FILE=/etc/jit/faketime\n";

/// From now on jitd's wall clock is what [`clock_says`] makes of it.
pub(crate) fn fake_the_clock(site: &Site) {
    clock_says(site, "+0");
    site.shell("mkdir -p /etc/systemd/system/jitd.service.d").done();
    site.machine.write("/etc/systemd/system/jitd.service.d/faketime.conf", DROP_IN, 0o644);
    site.shell("systemctl daemon-reload && systemctl restart jitd").done();
    site.is_ready();
    assert_eq!(clock(site).state, "trusted");
}

/// As from now, until it is told otherwise.
pub(crate) fn clock_says(site: &Site, what: &str) {
    site.machine.write(RC, &format!("{what}\n"), 0o644);
}

/// `jitctl clock`, whatever it says.
fn clock(site: &Site) -> Clock {
    read(&site.machine.run(&["jitctl", "--json", "clock"]))
}

fn grant(site: &Site, who: &str) -> jit_tests::machine::Output {
    site.machine.run(&["jitctl", "grant", who, "--role", who, "--reason", "INC-1 look"])
}

pub(crate) fn stepped_back(site: &Site) {
    fake_the_clock(site);
    site.person_with_role("bea", &["sshd"]);
    site.person_with_role("ben", &["sshd"]);
    site.person("bob");
    let always = "hours = [{ days = \"mon-sun\", from = \"00:00\", to = \"24:00\", tz = \"UTC\" }]\n";
    site.roles(&[Role::new("bob", &["sshd"], "bob").with(always)]);
    site.open("bea", "bea", "30m");
    site.open("bob", "bob", "30m");
    site.ssh("bob").admits("bob");

    clock_says(site, "-1h");
    let said = site.machine.run(&["jitctl", "clock"]);
    said.exits(1).says("is behind the latest time").says("jitctl clock accept");
    assert!(site.status().notes.iter().any(|note| note.contains("CLOCK IS SUSPECT")));
    until(SOON, "the log has it", || !site.logged("clock-suspect", "why=\"behind\"").is_empty());
    // Open windows go on, and nothing else opens.
    site.ssh("bea").admits("bea");
    grant(site, "ben").exits(1).says("jitctl clock accept");
    site.ssh("ben").is_refused("ben", "ben");
    assert_eq!(site.check("sshd", "bob").reason, "clock-suspect");
    site.ssh("bob").refuses("clock of bed is suspect");
    // A restart of jitd makes it no better.
    site.shell("systemctl restart jitd").done();
    site.is_ready();
    assert_eq!(clock(site).why.as_deref(), Some("behind"));

    site.machine.as_user("ben", "jitctl clock accept").exits(4).says("admin");
    site.shell("jitctl clock accept --reason 'INC-2 by the clock on the wall'").done();
    assert_eq!(clock(site).state, "trusted");
    let accepted = site.logged("clock-accepted", "INC-2 by the clock");
    assert!(accepted.iter().any(|line| line.contains("mark=") && line.contains("expected=")), "{accepted:?}");
    site.ssh("bob").admits("bob");
    grant(site, "ben").done();
    site.ssh("ben").admits("ben");
    site.shell("jitctl clock accept").exits(1).says("nothing to accept");
}

pub(crate) fn ten_years_ahead(site: &Site) {
    fake_the_clock(site);
    site.person_with_role("ada", &["sshd"]);
    let window = site.open("ada", "ada", "30m");
    site.ssh("ada").admits("ada");

    clock_says(site, "+3650d");
    site.ssh("ada").is_refused("ada", "ada");
    assert_eq!(clock(site).why.as_deref(), Some("ahead"));
    grant(site, "ada").exits(1).says("was stepped forward");

    // It goes as it came. What has ended has ended.
    clock_says(site, "+0");
    assert_eq!(clock(site).state, "trusted");
    site.ssh("ada").is_refused("ada", "ada");
    assert_eq!(site.entry(&window.id).ended.as_deref(), Some("expired"));
    grant(site, "ada").done();
    site.ssh("ada").admits("ada");
    until(SOON, "the log has it", || !site.logged("clock-recovered", "by=\"returned\"").is_empty());
}

pub(crate) fn a_dead_battery(site: &Site) {
    fake_the_clock(site);
    site.person_with_role("dora", &["sshd"]);
    site.person("erna");
    site.policy(
        "50-erna",
        "[role.break-glass]\nhosts = [\"*\"]\nservices = [\"sshd\"]\neligible = { users = [\"erna\"] }\n\
         max-duration = \"30m\"\nemergency = true\n\
         [[role.break-glass.stage]]\napprovers = { users = [\"root\"] }\n",
    );
    clock_says(site, "@1970-01-01 00:00:10");
    site.machine.reboot();
    site.is_ready();
    let known = clock(site);
    assert_eq!(known.why.as_deref(), Some("behind"));
    assert!(known.wall.starts_with("1970-01-01") && known.time > known.wall, "{known:?}");
    grant(site, "dora").exits(1).says("emergency roles open all the same");
    site.denies("erna", "no-window", || site.ssh("erna"));

    // Whoever has to set it right gets in, by the boot clock.
    let ask = "jitctl --json request --yes --role break-glass --reason 'INC-3 the battery is dead'";
    let entry: Entry = read(&site.machine.as_user("erna", ask));
    assert_eq!(entry.state, "active", "{entry:?}");
    site.ssh("erna").admits("erna");
    site.shell("jitctl clock accept").exits(1).says("before this jitd was built");

    // It is set, an hour off what the kernel would have it be, which here has gone on: that takes somebody's word, and
    // takes nobody's window.
    clock_says(site, "+1h");
    assert_eq!(clock(site).why.as_deref(), Some("ahead"));
    site.ssh("erna").admits("erna");
    site.shell("jitctl clock accept").done();
    assert_eq!(clock(site).state, "trusted");
    site.ssh("erna").admits("erna");
    grant(site, "dora").done();
    site.ssh("dora").admits("dora");
}

pub(crate) fn surviving_a_reboot(site: &Site) {
    site.person("sura");
    site.roles(&[Role::new("sura", &["sshd"], "sura").with("survives-reboot = true\n")]);
    let window = site.open("sura", "sura", "30m");
    let before = site.entry(&window.id).remaining;
    // What is left is told in whole seconds, and a machine of this kind restarts in less than one.
    thread::sleep(Duration::from_secs(2));
    site.machine.reboot();
    site.is_ready();
    site.ssh("sura").admits("sura");
    let entry = site.entry(&window.id);
    assert!(entry.state == "active" && entry.remaining < before, "{entry:?}");
    window.revoke();
    site.ssh("sura").is_refused("sura", "sura");
}
