//! The package's own manners.

use crate::site::{Entrance, SERVICES, Site};

pub(crate) fn removal(site: &Site) {
    site.person_with_role("petra", &["sshd"]);
    site.open("petra", "petra", "30m");
    let refused = site.shell("dpkg --remove pam-jit");
    refused.says("not removed").says("/etc/pam.d/sshd").says("sed -i").is_shut();
    for service in SERVICES {
        refused.says(&format!("/etc/pam.d/{service}"));
    }
    site.shell("dpkg-query -W -f '${db:Status-Status}' pam-jit").says("installed").done();
    site.shell("systemctl is-active jitd").done();
    site.ssh("petra").admits("petra");
    site.ssh("root").is_shut();

    site.take_out_of_pam();
    site.ssh("root").admits("root");
    site.shell("dpkg --remove pam-jit").done();
    site.shell("test -e /usr/libexec/jitd || ls /usr/lib/*/security/pam_jit.so || pgrep -x jitd").is_shut();
    site.ssh("petra").admits("petra");
    site.shell("test -e /etc/jit/policy.d/10-site.toml").done();

    // The record is evidence: purging tells where it is and leaves it.
    site.shell("dpkg --purge pam-jit").says("/var/lib/jitd").done();
    site.shell("test -s /var/lib/jitd/store.db").done();
    site.shell("test -e /etc/jit/policy.d/10-site.toml || test -e /etc/rsyslog.d/30-jitd.conf").is_shut();
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
    site.shell("test -e /run/jitd/notify").is_shut();
    site.shell("stat -c '%a %U' /var/lib/jitd /run/jitd /run/jitd/private")
        .says("700 root\n700 root\n600 root");
}
