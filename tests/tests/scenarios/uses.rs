//! Roles that admit once.

use std::time::Duration;

use jit_tests::machine::{Output, until};

use crate::site::{Entrance, Role, SOON, Site};

/// How many of these got in.
fn admitted(all: Vec<jit_tests::machine::Running>) -> usize {
    let outputs: Vec<Output> = all.into_iter().map(jit_tests::machine::Running::output).collect();
    outputs.iter().filter(|output| output.is_ok()).count()
}

pub(crate) fn one_login(site: &Site) {
    site.person("una");
    site.roles(&[Role::new("una", &["sshd"], "una").single_use()]);
    site.open("una", "una", "30m");
    site.ssh("una").admits("una");
    site.ssh("una").says("spent").is_shut();
    // A second window is a second use.
    site.open("una", "una", "30m");
    site.ssh("una").admits("una");
    site.ssh("una").is_shut();
}

pub(crate) fn ten_logins_at_once(site: &Site) {
    site.person("dieci");
    site.roles(&[Role::new("dieci", &["sshd"], "dieci").single_use()]);
    site.open("dieci", "dieci", "30m");
    assert_eq!(admitted((0..10).map(|_| site.start_ssh("dieci")).collect()), 1);
}

pub(crate) fn ten_sudos_at_once(site: &Site) {
    site.person("sudita");
    site.roles(&[Role::new("sudita", &["sudo"], "sudita").single_use()]);
    site.sudoer("sudita", "sudita ALL=(ALL) NOPASSWD: ALL");
    site.open("sudita", "sudita", "30m");
    let start = |_| site.machine.start_as("sudita", SOON * 3, "sudo -n true");
    assert_eq!(admitted((0..10).map(start).collect()), 1);
}

/// Puts `session` on sshd's account line, and makes the session of one person late by as many seconds as
/// /run/late says.
fn hold_claims(site: &Site) {
    site.shell("sed -i '/^account .*pam_jit/s/$/ session/' /etc/pam.d/sshd").done();
    let stall = "#!/bin/sh\n[ \"$PAM_TYPE\" = open_session ] || exit 0\nsleep \"$(cat /run/late)\"\n";
    site.machine.write("/usr/local/bin/stall", stall, 0o755);
    site.machine.write("/run/late", "0\n", 0o644);
    let line = "session optional pam_exec.so quiet /usr/local/bin/stall";
    site.shell(&format!("sed -i '/^session .*pam_jit/i {line}' /etc/pam.d/sshd")).done();
    site.person("maya");
    site.roles(&[Role::new("maya", &["sshd"], "maya").single_use()]);
}

pub(crate) fn a_held_use(site: &Site) {
    hold_claims(site);
    // keyboard-interactive runs account in another process than session.
    for enter in [|site: &Site| site.ssh_by("keyboard-interactive", "maya"), |site: &Site| site.ssh("maya")] {
        let window = site.open("maya", "maya", "30m");
        enter(site).admits("maya");
        enter(site).says("spent").is_shut();
        window.revoke();
    }
}

pub(crate) fn a_late_session(site: &Site) {
    hold_claims(site);
    let window = site.open("maya", "maya", "30m");
    site.machine.write("/run/late", "62\n", 0o644);
    let late = site.machine.start(Duration::from_secs(100), &["ssh", "-T", "maya@127.0.0.1", "id -un"]);
    until(SOON, "the use is claimed", || site.entry(&window.id).used == 1);
    site.machine.write("/run/late", "0\n", 0o644);
    // While it is held, nobody else has it.
    site.ssh("maya").is_shut();
    late.output().is_shut();
    assert_eq!(site.entry(&window.id).used, 0, "the use is back");
    assert_eq!(site.logged("claim-voided", &window.id).len(), 1);
    site.ssh("maya").admits("maya");
}
