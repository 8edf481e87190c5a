//! What ran, or lingered, before somebody came is the host's, and stays when their window ends (DESIGN law 12).

use jit_tests::machine::until;

use crate::ends::{ended, goes_on, is_put_out, role, runs, stays};
use crate::site::{Entrance, SOON, Site};

/// An account whose manager root lets linger, with a service of its own that the host needs.
fn with_a_service(site: &Site, user: &str, sleep: u32) -> String {
    site.person(user);
    site.shell(&format!(
        "d=~{user}/.config/systemd/user; mkdir -p $d/default.target.wants
         printf '[Service]\nExecStart=/usr/bin/sleep {sleep}\n' >$d/needed.service
         ln -s ../needed.service $d/default.target.wants/needed.service
         chown -R {user}: ~{user}/.config && loginctl enable-linger {user}"
    ))
    .done();
    until(SOON, "the service runs", || runs(site, &format!("sleep {sleep}")));
    site.roles(&[role(user, &["sshd"], user)]);
    pid(site, sleep)
}

fn pid(site: &Site, sleep: u32) -> String {
    site.shell(&format!("pgrep -fx '/usr/bin/sleep {sleep}'")).done().to_owned()
}

fn lingers(site: &Site, user: &str) -> bool {
    site.machine.path(&format!("/var/lib/systemd/linger/{user}")).exists()
}

const AS_USER: &str = "export XDG_RUNTIME_DIR=/run/user/$(id -u)";

pub(crate) fn a_service_of_before(site: &Site) {
    let needed = with_a_service(site, "prodo", 5001);
    let window = site.open("prodo", "prodo", "30m");
    let leave = format!(
        "{AS_USER}; systemd-run --user --quiet sleep 5002
         systemd-run --user --quiet --scope setsid sleep 5003 >/dev/null 2>&1 &
         setsid sleep 5004 >/dev/null 2>&1 &"
    );
    let session = stays(site, "prodo", &leave);
    for left in 5002..=5004 {
        until(SOON, "it runs", || runs(site, &format!("sleep {left}")));
    }
    site.shell("jitctl session list").says("prodo lingers");
    // What was there before is not forgotten.
    site.shell("systemctl kill --signal=KILL jitd").done();
    site.is_ready();
    window.revoke();
    is_put_out(session);
    let ended = ended(site, &window);
    for left in 5002..=5004 {
        assert!(!runs(site, &format!("sleep {left}")), "sleep {left} is the window's: {ended}");
    }
    assert_eq!(pid(site, 5001), needed, "the host's service runs as before");
    assert!(lingers(site, "prodo"), "their manager starts with the machine as before");
    assert!(ended.contains("left=\"0\"") && !ended.contains("spared"), "{ended}");
    assert!(ended.contains("their manager lingers as it did before"), "{ended}");
    assert!(ended.contains(&format!("{needed} sleep (ran before they came)")), "{ended}");
}

/// Windows that overlap are one stay: what was started in the first was not there before the second.
pub(crate) fn two_windows(site: &Site) {
    let needed = with_a_service(site, "doppa", 5011);
    let first = site.open("doppa", "doppa", "30m");
    site.logged_in("doppa", &format!("{AS_USER}; systemd-run --user --quiet sleep 5012")).done();
    site.roles(&[role("doppa-next", &["sshd"], "doppa")]);
    let second = site.open("doppa", "doppa-next", "30m");
    first.revoke();
    assert!(ended(site, &first).contains("covered otherwise"));
    // The second window covers it.
    goes_on(site, "sleep 5012");
    site.ssh("doppa").admits("doppa");
    second.revoke();
    let ended = ended(site, &second);
    assert!(!runs(site, "sleep 5012"), "{ended}");
    assert_eq!(pid(site, 5011), needed, "{ended}");
}

/// The end of the window of whom somebody has become takes nothing from whoever became them by a window of their own.
pub(crate) fn whom_somebody_has_become(site: &Site) {
    for name in ["amina", "berta"] {
        site.person(name);
    }
    site.roles(&[role("amina", &["sshd", "su"], "amina")]);
    site.roles(&[role("berta", &["sshd"], "berta")]);
    let callers = site.open("amina", "amina", "30m");
    let targets = site.open("berta", "berta", "30m");
    // Out of no login that logind knows, so that it makes a session of its own for su.
    let become_her = "echo berta-pw | su berta -c 'exec sleep 5021'";
    let session = site.machine.start_as("amina", SOON * 6, become_her);
    until(SOON, "she has become her, in a session of logind's", || {
        let at = site.shell("cat /proc/$(pgrep -fx 'sleep 5021')/cgroup").stdout;
        at.contains(&format!("user-{}.slice/session-", site.shell("id -u berta").done()))
    });
    let own = stays(site, "berta", "setsid sleep 5022 >/dev/null 2>&1 &");
    targets.revoke();
    is_put_out(own);
    let ended = ended(site, &targets);
    assert!(!runs(site, "sleep 5022"), "{ended}");
    assert!(runs(site, "sleep 5021"), "the caller's session goes on: {ended}");
    callers.revoke();
    until(SOON, "it is gone", || !runs(site, "sleep 5021"));
    drop(session.output());
}
