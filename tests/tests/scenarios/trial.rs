//! Policies on trial, and policy files that broke while nobody looked.

use jit_tests::machine::{Output, until};

use crate::site::{Entrance, Role, SOON, Site};

const ROLES: &str = "/etc/jit/policy.d/50-trudi.toml";
const TRUDI: &str = "trudi@127.0.0.1";

/// An admin by way of sudo, with a window and a connection that is open before anything is tried.
fn trudi_is_connected(site: &Site) {
    site.person_with_role("trudi", &["sshd", "sudo"]);
    site.sudoer("trudi", "trudi ALL=(ALL) NOPASSWD: ALL");
    site.open("trudi", "trudi", "1h");
    connect(site);
}

fn connect(site: &Site) {
    let master = "ssh -f -N -o BatchMode=yes -M -S /run/trudi -o ControlPersist=300";
    site.shell(&format!("{master} {TRUDI}")).done();
}

/// A command in the connection that was open before.
fn before(site: &Site, command: &str) -> Output {
    site.shell(&format!("ssh -S /run/trudi -o BatchMode=yes {TRUDI} {command}"))
}

/// A command in a login of its own.
fn anew(site: &Site, command: &str) -> Output {
    site.shell(&format!("ssh -S none -o BatchMode=yes {TRUDI} {command}"))
}

/// Puts another role in place of trudi's.
fn write(site: &Site, role: Role<'_>) {
    site.machine.write(ROLES, &format!("version = 1\n{}", role.text()), 0o644);
}

fn has_gone_back(site: &Site) -> bool {
    site.status().policy.source.as_deref() == Some("before")
}

pub(crate) fn nobody_confirms(site: &Site) {
    trudi_is_connected(site);
    let old = site.status().policy.digest;
    // Her own way in, lost by mistake.
    write(site, Role::new("trudi", &["login", "sudo"], "trudi"));
    before(site, "sudo -n jitctl policy load --try 25s").says("jitctl confirm").done();
    let status = site.status();
    assert!(status.policy.trial.is_some() && status.policy.digest != old, "{status:?}");
    site.shell("jitctl status").says("On trial").says("jitctl confirm").done();
    anew(site, "id -un").refuses("no longer covers");
    site.shell("jitctl policy load")
        .exits(1)
        .says("on trial for another")
        .says("The policy in force was kept");
    site.shell("systemctl reload jitd").done();

    // And the connection that it was typed in, gone.
    site.shell(&format!("ssh -S /run/trudi -O exit {TRUDI}"));
    until(SOON * 2, "the policy before is back", || has_gone_back(site));
    assert_eq!(site.status().policy.digest, old);
    anew(site, "id -un").admits("trudi");
    assert!(!site.logged("policy-reverted", "why=\"expired\"").is_empty());
    site.shell("jitctl status").says("differ").says("nobody confirmed").says("jitctl policy load").done();

    // What went back stays back, until somebody orders it.
    site.shell("systemctl restart jitd && jitctl status").done();
    site.shell("systemctl reload jitd").done();
    assert!(has_gone_back(site));
    anew(site, "id -un").admits("trudi");
    site.shell("jitctl policy load").done();
    anew(site, "id -un").refuses("no longer covers");
}

pub(crate) fn somebody_confirms(site: &Site) {
    trudi_is_connected(site);
    write(site, Role::new("trudi", &["sshd", "sudo", "login"], "trudi"));
    before(site, "sudo -n jitctl policy load --try 1h").done();
    let new = site.status().policy.digest;

    before(site, "sudo -n jitctl confirm").exits(1).says("proves nothing").says("log in anew");
    site.shell("jitctl confirm").exits(1).says("belongs to no login");
    anew(site, "jitctl confirm").exits(4).says("only an admin");
    assert!(site.status().policy.trial.is_some());
    anew(site, "sudo -n jitctl confirm").says("is in force").done();

    let status = site.status();
    assert_eq!((status.policy.trial, &status.policy.digest), (None, &new));
    assert!(!site.logged("policy-confirmed", "").is_empty());
    site.shell("jitctl confirm").exits(1).says("no policy is on trial");
    site.shell("systemctl restart jitd && jitctl status").done();
    assert_eq!(site.status().policy.digest, new);
    anew(site, "id -un").admits("trudi");
}

pub(crate) fn a_restart_ends_it(site: &Site) {
    trudi_is_connected(site);
    let old = site.status().policy.digest;
    let is_back = |why: &str| {
        let status = site.status();
        assert_eq!((&status.policy.digest, status.policy.trial), (&old, None));
        assert_eq!(status.policy.source.as_deref(), Some("before"));
        assert!(!site.logged("policy-reverted", &format!("why=\"{why}\"")).is_empty(), "{why}");
    };
    write(site, Role::new("trudi", &["login"], "trudi"));
    for kill in ["systemctl restart jitd", "systemctl kill -s KILL jitd; sleep 2"] {
        site.shell("jitctl policy load --try 1h").done();
        site.shell(kill).done();
        site.is_ready();
        is_back("restart");
        anew(site, "id -un").admits("trudi");
    }
    site.shell("jitctl policy load --try 1h").done();
    site.machine.reboot();
    site.is_ready();
    is_back("reboot");
}

pub(crate) fn files_that_broke(site: &Site) {
    site.person_with_role("bert", &["sshd"]);
    let accepted = site.status().policy.digest;
    site.machine.write("/etc/jit/policy.d/90-dropped.toml", "version = 1\n[role.x]\nhsts = 1\n", 0o644);
    site.machine.reboot();
    site.is_ready();
    let status = site.status();
    assert_eq!((status.policy.digest, status.policy.source.as_deref()), (accepted, Some("store")));
    assert!(!status.policy.files_current);
    site.shell("jitctl status").says("differ").says("since the files do not load").done();
    site.ssh("bert").is_refused("bert", "bert");
    site.open("bert", "bert", "30m");
    site.ssh("bert").admits("bert");
}
