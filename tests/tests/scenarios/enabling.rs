//! `jitctl enable`, `enforce` and `disable`: whoever locks themselves out by one gets back in.

use std::time::Duration;

use jit_tests::machine::{Output, until};

use crate::site::{Entrance, SOON, Site};

const PAM: &str = "/etc/pam.d/sshd";
const DORA: &str = "dora@127.0.0.1";

/// No file names the module; dora is an admin by way of sudo, whose connection is open before anything is tried.
fn dora_is_connected(site: &Site) {
    site.person_with_role("dora", &["sshd"]);
    site.sudoer("dora", "dora ALL=(ALL) NOPASSWD: ALL");
    site.take_out_of_pam();
    site.shell(&format!("ssh -f -N -o BatchMode=yes -M -S /run/dora -o ControlPersist=300 {DORA}")).done();
}

/// A command in the connection that was open before.
fn before(site: &Site, command: &str) -> Output {
    site.shell(&format!("ssh -S /run/dora -o BatchMode=yes {DORA} {command}"))
}

/// A command in a login of its own.
fn anew(site: &Site, user: &str, command: &str) -> Output {
    site.shell(&format!("ssh -S none -o BatchMode=yes {user}@127.0.0.1 {command}"))
}

/// The file, with whose it is and who may read it.
fn file(site: &Site, path: &str) -> String {
    format!("{}{}", site.machine.read(path), site.shell(&format!("stat -c '%a %u %g' {path}")).done())
}

fn lines(site: &Site, path: &str) -> usize {
    site.machine.read(path).matches("pam_jit.so").count()
}

fn is_over(site: &Site) -> bool {
    !site.machine.path("/var/lib/jit-enable/trial.json").exists()
}

pub(crate) fn a_lost_connection(site: &Site) {
    dora_is_connected(site);
    site.shell(&format!("chmod 640 {PAM}; echo '# a local change' >>{PAM}")).done();
    let (sshd, sudo) = (file(site, PAM), file(site, "/etc/pam.d/sudo"));
    // Without a word, nothing is changed.
    before(site, "sudo -n jitctl enforce sshd").exits(1).says("+account").says("add --yes");
    assert_eq!(file(site, PAM), sshd);

    before(site, "sudo -n jitctl enforce sshd sudo --yes --within 30s")
        .says("jitctl enable --confirm")
        .done();
    assert_eq!((lines(site, PAM), lines(site, "/etc/pam.d/sudo-i")), (2, 2));
    assert!(site.machine.read(PAM).ends_with("# a local change\n"));
    assert!(file(site, PAM).ends_with("640 0 0"));
    anew(site, "dora", "id -un").refuses("jit:");
    // The connection is cut, and jitd dies as well.
    site.shell(&format!("ssh -S /run/dora -O exit {DORA}"));
    site.shell("systemctl kill -s KILL jitd; systemctl stop jitd").done();
    until(Duration::from_secs(180), "the old files are back", || is_over(site));
    assert_eq!((file(site, PAM), file(site, "/etc/pam.d/sudo")), (sshd, sudo));
    assert_eq!(lines(site, "/etc/pam.d/sudo-i"), 0);
    anew(site, "dora", "id -un").admits("dora");
    until(SOON, "nobody looks any more", || site.shell("systemctl is-active jit-restore.timer").status != 0);
    let failed = site.shell("systemctl --failed --no-legend --plain").stdout;
    assert!(!failed.contains("jit-restore"), "{failed}");
}

pub(crate) fn a_reboot(site: &Site) {
    dora_is_connected(site);
    let old = file(site, PAM);
    before(site, "sudo -n jitctl enable sshd --yes --within 1h").done();
    assert_eq!(lines(site, PAM), 2);
    site.machine.reboot();
    assert!(is_over(site), "it is over before the host is up");
    assert_eq!(file(site, PAM), old);
    site.shell("journalctl -b --no-pager -u jit-restore.service")
        .says("The old files are back: /etc/pam.d/sshd")
        .done();
    site.is_ready();
    anew(site, "dora", "id -un").admits("dora");

    // What cannot be brought back at a boot is once it can.
    site.shell("jitctl enable sshd --yes --within 1h").done();
    let drop_in = "/etc/systemd/system/jit-restore.service.d";
    site.shell(&format!(
        "mkdir -p {drop_in} && printf '[Service]\\nReadOnlyPaths=/etc/pam.d\\n' >{drop_in}/shut.conf"
    ))
    .done();
    site.machine.reboot();
    assert!(!is_over(site));
    until(SOON, "it was tried more than once", || {
        let said = site.shell("journalctl -b --no-pager -o cat -u jit-restore.service").stdout;
        said.matches("read-only").count() > 1
    });
    site.shell(&format!("rm -r {drop_in} && systemctl daemon-reload")).done();
    until(SOON * 3, "the old files are back", || is_over(site));
    assert_eq!(file(site, PAM), old);
}

pub(crate) fn a_new_login_confirms(site: &Site) {
    dora_is_connected(site);
    site.people_with_a_way_in(&["edda"]);
    let old = file(site, PAM);
    before(site, "sudo -n jitctl enable sshd --yes --within 1h").done();
    // Another target is no reason to look no more.
    site.shell("systemctl isolate multi-user.target").done();
    site.shell("systemctl is-active jit-restore.timer").done();
    // The attack: whoever sits in a login of before says that it works.
    let confirm = "sudo -n jitctl enable --confirm";
    before(site, confirm).exits(1).says("began before the change");
    before(site, &format!("'setsid -w {confirm}'")).exits(1).says("began before the change");
    site.shell("jitctl enable --confirm").exits(1).says("belongs to no login");
    anew(site, "dora", "jitctl enable --confirm").exits(4).says("only root");
    site.shell("jitctl enable sudo --yes").exits(1).says("waits already").says("--cancel");
    site.shell("jitctl doctor").says("change-waits");
    assert!(!is_over(site));
    anew(site, "dora", confirm).says("Kept: /etc/pam.d/sshd").done();
    assert!(is_over(site));
    site.shell("jitctl enable sshd --yes").says("Nothing is left to change").done();
    site.shell("jitctl enable --confirm").exits(1).says("no change of PAM files waits");
    // Watched only: nobody is kept out, and jitd knows.
    anew(site, "dora", "id -un").admits("dora");
    assert!(!site.logged("denied", "user=\"dora\"").is_empty());
    site.shell("jitctl doctor").says("observed-by-pam");

    // What keeps out is confirmed by a login that a window let in.
    site.shell("jitctl enforce sshd --yes --within 1h").done();
    anew(site, "dora", "id -un").refuses("jit:");
    anew(site, "edda", confirm).exits(1).says("did not come by a window");
    let window = site.open("dora", "dora", "1h");
    anew(site, "dora", confirm).says("Kept: /etc/pam.d/sshd").done();
    anew(site, "dora", "id -un").admits("dora");
    window.revoke();
    anew(site, "dora", "id -un").refuses("jit:");
    let guarded = file(site, PAM);

    // Out again; a cancelled change is as if it had not been.
    site.shell("jitctl disable sshd --yes").done();
    assert_eq!(file(site, PAM), old);
    site.shell("jitctl enable --cancel").says("The old files are back").done();
    assert_eq!(file(site, PAM), guarded);
    site.shell("jitctl disable sshd --yes").done();
    anew(site, "edda", confirm).says("Kept").done();
    assert_eq!(file(site, PAM), old);
}

pub(crate) fn what_is_refused(site: &Site) {
    site.take_out_of_pam();
    site.shell("jitctl enable sshf --yes").exits(5).says("no /etc/pam.d/sshf; did you mean sshd?");
    site.shell("jitctl enable common-account --yes").exits(1).says("many take that file in");
    let unit = "/etc/systemd/system/getty@tty1.service.d";
    site.shell(&format!(
        "mkdir -p {unit} && echo 'ExecStart=-/sbin/agetty --autologin pia %I' >{unit}/auto.conf"
    ))
    .done();
    site.shell("jitctl enable login --yes").exits(1).says("take --autologin out of");
    site.shell(&format!("rm -r {unit}")).done();
    // Nothing would bring it back.
    site.shell("systemctl disable jit-restore.service").done();
    site.shell("jitctl enable sshd --yes").exits(1).says("systemctl enable jit-restore.service");
    site.shell("systemctl enable jit-restore.service && systemctl disable jit-restore.timer").done();
    site.shell("jitctl enable sshd --yes").exits(1).says("systemctl enable jit-restore.timer");
    site.shell("systemctl enable jit-restore.timer").done();
    // It is enabled and does not start.
    let drop_in = "/run/systemd/system/jit-restore.timer.d";
    site.shell(&format!(
        "mkdir -p {drop_in} && printf '[Unit]\\nConditionPathExists=/nowhere\\n' >{drop_in}/no.conf && systemctl daemon-reload"
    ))
    .done();
    site.shell("jitctl enable sshd --yes").exits(1).says("jit-restore.timer does not run");
    assert!(is_over(site) && lines(site, PAM) == 0);
    site.shell(&format!("rm -r {drop_in} && systemctl daemon-reload")).done();
    // A disk that cannot be written.
    site.shell("mount --bind /etc/pam.d /etc/pam.d && mount -o remount,bind,ro /etc/pam.d").done();
    site.shell("jitctl enable sshd --yes").exits(1).says("read-only").says("mount -o remount,rw");
    assert!(is_over(site) && lines(site, PAM) == 0);
    site.shell("umount /etc/pam.d").done();
    // Somebody else is at it.
    site.shell("flock /run/jit-enable.lock jitctl enable sshd --yes")
        .exits(1)
        .says("another jitctl changes PAM files");
    site.shell("jitctl enable sshd --yes").done();
    site.shell("dpkg --remove pam-jit").says("waits to be confirmed").refuses("jitctl enable --cancel");
    site.shell("jitctl enable --cancel").done();
    assert_eq!(lines(site, PAM), 0);
}
