//! What is broken, and who gets in then: with `recovery=root` on the line root does, and nobody else (law 1).

use std::time::Duration;

use jit_tests::machine::until;

use crate::site::{Entrance, SOON, Site};

const STOP_JITD: &str = "systemctl mask --quiet --runtime jitd && systemctl stop jitd";
const START_JITD: &str = "systemctl unmask --quiet --runtime jitd && systemctl start jitd";
pub(crate) const STOP_BUS: &str = "systemctl stop dbus.socket dbus.service";
pub(crate) const START_BUS: &str = "systemctl start dbus.socket dbus.service";

/// Somebody with an open window, who gets in while all is well; root has none and does not.
fn all_is_well(site: &Site) {
    site.person_with_role("vera", &["sshd", "su", "login"]);
    site.open("vera", "vera", "30m");
    site.ssh("vera").admits("vera");
    site.denies("root", "not-eligible", || site.ssh("root"));
}

/// No decision can be had: root recovers, nobody else does.
fn only_root_gets_in(site: &Site) {
    site.ssh("root").admits("root");
    for refused in
        [site.ssh("vera"), site.with_password("vera", "su olga -c {id -un}", "olga-pw"), site.login("vera")]
    {
        refused.refuses("login refused: jitd does not answer");
    }
}

pub(crate) fn jitd_cannot_be_started(site: &Site) {
    all_is_well(site);
    site.shell(STOP_JITD).done();
    only_root_gets_in(site);
    let said = site.shell("journalctl --no-pager -o cat -p alert..alert").stdout;
    assert!(said.contains("RECOVERY") && said.contains("root"), "at alert: {said}");

    site.shell(START_JITD).done();
    until(SOON, "the recovery is in the audit", || {
        site.logged("recovered", "user=\"root\"").iter().any(|line| line.contains("sshd"))
    });
    site.ssh("vera").admits("vera");
    site.denies("root", "not-eligible", || site.ssh("root"));
}

pub(crate) fn jitd_and_the_bus_are_down(site: &Site) {
    all_is_well(site);
    site.shell(&format!("{STOP_JITD} && {STOP_BUS}")).done();
    only_root_gets_in(site);

    site.shell(&format!("{START_BUS} && {START_JITD}")).done();
    site.is_ready();
    site.ssh("vera").admits("vera");
}

pub(crate) fn the_bus_alone_is_down(site: &Site) {
    all_is_well(site);
    site.shell(STOP_BUS).done();
    site.ssh("vera").admits("vera");
    site.with_password("vera", "su olga -c {id -un}", "olga-pw").admits("olga");
    site.denies("root", "not-eligible", || site.ssh("root"));
    // Root's orders go over jitd's own socket; everybody else's over the bus.
    site.machine.run(&["jitctl", "status"]).done();
    let as_vera = || site.machine.as_user("vera", "jitctl status");
    as_vera().exits(3).says("systemctl start dbus");

    // jitd comes back to the bus by itself.
    site.shell(START_BUS).done();
    until(SOON, "jitd is back on the bus", || as_vera().is_ok());
}

pub(crate) fn jitd_hangs(site: &Site) {
    all_is_well(site);
    // Named by the administrator too, but not uid 0: a deadline may be somebody's doing.
    site.shell("sed -i 's/recovery=root/recovery=root,vera/' /etc/pam.d/su").done();
    site.shell("systemctl kill --signal=STOP jitd").done();
    let su = || site.with_password("vera", "su olga -c {id -un}", "olga-pw");
    site.module_refuses("refused because=\"no answer within 3s", "ruser=\"vera\"", || {
        let refused = su();
        refused.refuses("does not answer");
        refused
    });
    site.ssh("root").admits("root");
    site.ssh("vera").refuses("does not answer");
    site.shell("systemctl kill --signal=CONT jitd").done();
    site.is_ready();
    site.ssh("vera").admits("vera");

    // Gone for good is another matter: then the line says who gets in.
    site.shell(STOP_JITD).done();
    site.with_password("vera", "su olga -c {id -un}", "olga-pw").admits("olga");
    site.ssh("vera").refuses("does not answer");
}

/// Holds as many half-open connections to the bus as one user gets, up to a thousand, and says when it has what it
/// can get.
const FLOOD: &str = r#"
import socket, time
held, said, end = [], False, time.time() + 300
while time.time() < end:
    for _ in range(1000 - len(held)):
        one = socket.socket(socket.AF_UNIX)
        one.setblocking(False)
        try:
            one.connect("/run/dbus/system_bus_socket")
        except BlockingIOError:
            one.close()
            break
        held.append(one)
    if not said:
        open("/tmp/flooded", "w").write(str(len(held)))
        said = True
    alive = []
    for one in held:
        try:
            if one.recv(1) == b"":
                one.close()
                continue
        except BlockingIOError:
            pass
        except OSError:
            one.close()
            continue
        alive.append(one)
    held = alive
    time.sleep(0.02)
"#;

pub(crate) fn the_bus_is_flooded(site: &Site) {
    all_is_well(site);
    // pam_systemd(8) and logind wait for the bus too, on their own account and for up to 90 s.
    site.shell("sed -i '/pam_systemd/d' /etc/pam.d/common-session").done();
    site.machine.write("/usr/local/lib/flood.py", FLOOD, 0o644);
    let limit = Duration::from_secs(310);
    let flood = site.machine.start_as("tom", limit, "exec python3 /usr/local/lib/flood.py");
    until(SOON, "the bus is flooded", || !site.machine.read("/tmp/flooded").is_empty());

    // jitd lives: its own socket is nobody else's to fill.
    site.with_password("vera", "su olga -c {id -un}", "olga-pw").admits("olga");
    site.ssh("vera").admits("vera");
    site.denies("root", "not-eligible", || site.ssh("root"));

    site.shell(STOP_JITD).done();
    site.ssh("root").admits("root");
    site.with_password("vera", "su olga -c {id -un}", "olga-pw").refuses("does not answer");
    site.ssh("vera").refuses("does not answer");

    site.shell("pkill -u tom python3");
    drop(flood.output());
    site.shell(START_JITD).done();
    site.is_ready();
    site.ssh("vera").admits("vera");
}
