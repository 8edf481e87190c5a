//! The package's own manners.

use crate::site::{Entrance, SERVICES, Site};

#[track_caller]
fn is_none_of(site: &Site, paths: &[&str]) {
    for path in paths {
        assert!(!site.machine.path(path).exists(), "{path} is there");
    }
}

pub(crate) fn removal(site: &Site) {
    site.person_with_role("petra", &["sshd"]);
    site.open("petra", "petra", "30m");
    let refused = site.shell("dpkg --remove pam-jit");
    refused.says("not removed").says("/etc/pam.d/sshd").refuses("sed -i");
    for service in SERVICES {
        refused.says(&format!("/etc/pam.d/{service}"));
    }
    site.shell("dpkg-query -W -f '${db:Status-Status}' pam-jit").says("installed").done();
    site.shell("systemctl is-active jitd").done();
    site.ssh("petra").admits("petra");
    site.denies("root", "not-eligible", || site.ssh("root"));

    let installed = ["/usr/libexec/jitd", "/usr/lib/x86_64-linux-gnu/security/pam_jit.so"];
    assert!(installed.iter().all(|path| site.machine.path(path).exists()));
    site.take_out_of_pam();
    site.ssh("root").admits("root");
    site.shell("dpkg --remove pam-jit").done();
    is_none_of(site, &installed);
    site.shell("pgrep -x jitd").exits(1);
    site.ssh("petra").admits("petra");
    site.shell("test -e /etc/jit/policy.d/10-site.toml").done();

    // The record is evidence: purging tells where it is and leaves it.
    site.shell("dpkg --purge pam-jit").says("/var/lib/jitd").done();
    site.shell("test -s /var/lib/jitd/store.db").done();
    is_none_of(site, &["/etc/jit/policy.d/10-site.toml", "/etc/rsyslog.d/30-jitd.conf"]);
}

pub(crate) fn installed_and_unused(site: &Site) {
    site.take_out_of_pam();
    site.person("pia");
    site.ssh("pia").admits("pia");
    site.login("pia").admits("pia");
    site.shell("systemctl is-active jitd").done();
    let leftovers = site.shell("systemctl --failed --no-legend --plain").stdout;
    assert!(leftovers.is_empty(), "{leftovers}");
    let units = "jitd.service jit-notify.socket jit-notify.service";
    site.shell(&format!("systemd-analyze verify --man=no {units}")).done();
    site.shell("systemctl is-enabled jit-notify.socket").says("disabled");
    is_none_of(site, &["/run/jitd/notify"]);
    site.shell("stat -c '%a %U' /var/lib/jitd /run/jitd /run/jitd/private")
        .says("700 root\n700 root\n600 root");
}
