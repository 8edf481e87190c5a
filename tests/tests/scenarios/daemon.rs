//! jitd's own life: start, stop, reload, restart, reboot, and the buses that it lives on.

use jit_tests::machine::until;

use crate::ends::{ended, is_put_out, nothing_is_left, role, runs, stays};
use crate::site::{Entrance, Role, SOON, Site};

const BROKEN: &str = "version = 1\n[role.broken]\nhosts = [\"*\"]\nservces = [\"sshd\"]\n";
const BROKEN_FILE: &str = "/etc/jit/policy.d/90-broken.toml";

pub(crate) fn start_and_stop(site: &Site) {
    site.person_with_role("stella", &["sshd"]);
    let window = site.open("stella", "stella", "30m");
    site.shell("systemctl stop jitd").done();
    assert_eq!(site.shell("systemctl show -P Result -P ExecMainStatus jitd").done(), "success\n0");
    let stopped = site.machine.run(&["jitctl", "status"]);
    stopped.exits(3).says("not running").says("systemctl start jitd");
    site.machine.run(&["jitctl", "revoke", &window.id]).exits(3).says("Nothing was changed");
    assert_eq!(site.shell("systemctl is-active jitd").stdout.trim(), "inactive", "asking starts nothing");

    // Type=notify: when systemctl returns, jitd answers.
    site.shell("systemctl start jitd && jitctl status").done();
    assert!(!site.logged("stopped", "").is_empty());
    site.ssh("stella").admits("stella");
    site.shell("systemctl restart jitd && jitctl status").done();
    site.ssh("stella").admits("stella");

    // A stopped jitd starts at the next login: the module asks the bus to.
    site.shell("systemctl stop jitd").done();
    site.ssh("stella").admits("stella");
}

pub(crate) fn a_login_while_it_starts(site: &Site) {
    site.person_with_role("stine", &["su"]);
    site.open("stine", "stine", "30m");
    site.shell("systemctl stop jitd").done();
    // Somebody reads the store for two seconds (a backup, say): jitd cannot write its first record sooner.
    let hold = "sqlite3 /var/lib/jitd/store.db 'BEGIN EXCLUSIVE' '.shell touch /run/held; sleep 2' ROLLBACK";
    let reader = site.machine.start(SOON, &["bash", "-c", hold]);
    until(SOON, "the store is held", || site.machine.path("/run/held").exists());
    // That is within the module's deadline of 3 s.
    site.with_password("stine", "su olga -c {id -un}", "olga-pw").admits("olga");
    reader.output().done();
}

pub(crate) fn reload(site: &Site) {
    site.person_with_role("rolf", &["sshd"]);
    site.open("rolf", "rolf", "30m");
    site.ssh("rolf").admits("rolf");

    // A good one takes over.
    site.person("renate");
    site.machine.write(
        "/etc/jit/policy.d/60-renate.toml",
        "version = 1\n[[exempt]]\nusers = [\"renate\"]\nservices = [\"sshd\"]\n",
        0o644,
    );
    assert!(!site.status().policy.files_current);
    site.shell("systemctl reload jitd").done();
    until(SOON, "the policy is in force", || site.status().policy.files_current);
    site.ssh("renate").admits("renate");

    // A broken one does not, and is told everywhere.
    let before = site.status().policy.digest;
    site.machine.write(BROKEN_FILE, BROKEN, 0o644);
    site.shell("systemctl reload jitd").done();
    until(SOON, "the audit has the refusal", || !site.logged("policy-refused", "90-broken.toml").is_empty());
    let said = site.shell("journalctl --no-pager -o cat -u jitd -p err").stdout;
    assert!(said.contains("the policy in force was kept") && said.contains("did you mean"), "{said}");
    let status = site.status();
    assert_eq!((status.policy.digest, status.ready, status.policy.files_current), (before, true, false));
    site.shell("jitctl status").says("differ").says("jitctl policy load");
    site.shell("jitctl policy load").exits(1).says("90-broken.toml:4:1").says("services");
    site.ssh("rolf").admits("rolf");

    // Nor at the next start: the last one that was accepted carries on.
    site.shell("systemctl restart jitd").done();
    assert_eq!(site.status().policy.source.as_deref(), Some("store"));
    site.ssh("rolf").admits("rolf");
    site.ssh("renate").admits("renate");
    site.shell(&format!("rm {BROKEN_FILE}; jitctl policy load")).done();
    assert_eq!(site.status().policy.source.as_deref(), Some("files"));

    // One that is sound and does not fit this host is loaded by a reload, and not by an admin's order.
    let other = "version = 1\n[auditors]\ngroups = [\"nobody-made-this-group\"]\n";
    site.machine.write(BROKEN_FILE, other, 0o644);
    site.shell("jitctl policy check").exits(1).says("JIT070").says("groupadd nobody-made-this-group");
    site.shell("jitctl policy check --no-host").done();
    site.shell("jitctl policy diff").done();
    site.shell("jitctl policy load").exits(1).says("JIT070").says("do not fit this host");
    let status = site.status();
    assert_eq!((status.policy.source.as_deref(), status.policy.files_current), (Some("files"), false));
    site.shell("systemctl reload jitd").done();
    until(SOON, "the policy is in force", || site.status().policy.files_current);
    site.shell(&format!("rm {BROKEN_FILE}; jitctl policy load")).done();
}

pub(crate) fn a_role_that_leaves_policy(site: &Site) {
    site.person_with_role("leo", &["sshd"]);
    site.open("leo", "leo", "30m");
    site.ssh("leo").admits("leo");
    site.shell("rm /etc/jit/policy.d/50-leo.toml && jitctl policy load").done();
    site.ssh("leo").refuses("no longer covers");
    // It comes back as it was asked for, and no wider.
    site.roles(&[Role::new("leo", &["sshd", "login"], "leo")]);
    site.ssh("leo").admits("leo");
    site.login("leo").is_refused("leo", "leo");
}

pub(crate) fn a_reboot(site: &Site) {
    site.person_with_role("regina", &["sshd"]);
    let window = site.open("regina", "regina", "1h");
    site.ssh("regina").admits("regina");
    site.machine.reboot();
    site.is_ready();
    site.ssh("regina").is_refused("regina", "regina");
    assert_eq!(site.entry(&window.id).ended.as_deref(), Some("reboot"));
}

pub(crate) fn on_dbus_broker(site: &Site) {
    assert_eq!(site.shell("systemctl show -P Id dbus").done(), "dbus-broker.service");
    site.person_with_role("bruno", &["sshd", "su"]);
    let enter = || site.with_password("bruno", "su olga -c {id -un}", "olga-pw");
    site.ssh("bruno").is_refused("bruno", "bruno");
    let window = site.open("bruno", "bruno", "30m");
    site.ssh("bruno").admits("bruno");
    enter().admits("olga");
    window.revoke();
    site.ssh("bruno").is_refused("bruno", "bruno");

    // Started by the bus when it is not there.
    site.shell("systemctl stop jitd").done();
    enter().is_refused("bruno", "bruno");
    // And not to be started: root alone.
    site.shell("systemctl mask --quiet --runtime jitd && systemctl stop jitd").done();
    site.ssh("root").admits("root");
    enter().refuses("does not answer");
}

pub(crate) fn on_debian_13(site: &Site) {
    assert_eq!(site.shell(". /etc/os-release; echo $VERSION_CODENAME").done(), "trixie");
    site.person("tara");
    site.sudoer("tara", "tara ALL=(ALL) NOPASSWD: ALL");
    site.roles(&[role("tara", &["sshd", "login", "su", "sudo"], "tara")]);
    let by_su = || site.with_password("tara", "su olga -c {id -un}", "olga-pw");
    let by_sudo = || site.machine.as_user("tara", "sudo -n id -un");
    site.ssh("tara").is_refused("tara", "tara");
    // This login hangs up its own terminal: expect(1) does not always see how it ended, and at times has closed it before
    // login opens it anew, which is then over before it asks.
    until(SOON, "login is refused, on record", || {
        site.login("tara").does_not_say("I-am-tara");
        site.logged("denied", "service=\"login\"").iter().any(|line| line.contains("why=\"no-window\""))
    });
    by_su().is_refused("tara", "tara");
    // With -n, this sudo passes on nothing that a module says.
    by_sudo().refuses("PAM account management error");
    let window = site.open("tara", "tara", "30m");
    site.ssh("tara").admits("tara");
    until(SOON, "login lets her in", || site.login("tara").stdout.contains("I-am-tara"));
    by_su().admits("olga");
    by_sudo().admits("root");
    let session = stays(
        site,
        "tara",
        "setsid sleep 1051 >/dev/null 2>&1 & sudo -n setsid sleep 1052 >/dev/null 2>&1 &",
    );
    until(SOON, "it runs", || runs(site, "sleep 1051") && runs(site, "sleep 1052"));
    window.revoke();
    is_put_out(session);
    nothing_is_left(site, "tara");
    until(SOON, "what sudo started is gone", || !runs(site, "sleep 1052"));
    assert!(ended(site, &window).contains("left=\"0\""));
    by_su().is_refused("tara", "tara");
}

pub(crate) fn without_systemd(site: &Site) {
    // No bus and no jitd yet.
    site.person("bea");
    let enter = || site.with_password("bea", "su olga -c {id -un}", "olga-pw");
    enter().refuses("does not answer");

    site.shell("mkdir -p /run/dbus && dbus-uuidgen --ensure && dbus-daemon --system --fork").done();
    assert_eq!(site.shell("pgrep -x jitd").status, 1, "nobody has started jitd");
    let role = site.machine.path("/etc/jit/policy.d");
    assert!(role.is_dir());
    enter().refuses("no role opens su");
    assert!(site.shell("pgrep -x jitd").is_ok(), "the check has started it");

    site.roles(&[Role::new("bea", &["su"], "bea")]);
    enter().is_refused("bea", "bea");
    let window = site.open("bea", "bea", "30m");
    enter().admits("olga");
    window.revoke();
    enter().is_refused("bea", "bea");
    assert!(
        site.status().notes.iter().any(|note| note.contains("nobody is put out")),
        "it is said plainly that ends are not enforced"
    );
}
