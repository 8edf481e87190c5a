//! `jitctl doctor` on a real host: each installation that only looks guarded has its finding, and the same host without it
//! has none.

use jit_tests::machine::Output;

use crate::site::Site;

/// The words of what is found that is more than a note.
fn serious(site: &Site) -> Vec<String> {
    let said = site.shell("jitctl --json doctor");
    let report: serde_json::Value =
        serde_json::from_str(&said.stdout).unwrap_or_else(|err| panic!("{err}: {said}"));
    let findings = report["findings"].as_array().expect("a list").iter();
    let serious = findings.filter(|found| found["severity"] != "note");
    serious.map(|found| found["id"].as_str().expect("a word").to_owned()).collect()
}

/// A command of root's that makes something wrong; then it is found, and gone once all is as before.
fn is_found(site: &Site, spoil: &str, id: &str) {
    let before = serious(site);
    site.shell("cp -a /etc /root/etc-before").done();
    site.shell(spoil).done();
    let found = serious(site);
    assert!(!before.iter().any(|known| known == id), "{id} before: {before:?}");
    assert!(found.iter().any(|known| known == id), "{spoil}: {found:?}");
    site.shell("cp -a /root/etc-before/. /etc/ && rm -rf /root/etc-before").done();
    site.shell("rm -f /etc/sudoers.d/spoilt /etc/ssh/sshd_config.d/spoilt.conf").done();
}

pub(crate) fn finds(site: &Site) {
    site.person_with_role("doro", &["sshd", "sudo"]);
    site.shell("echo root:root-pw | chpasswd; cp -p /etc/pam.d/login /etc/pam.d/remote").done();
    let ours = "^account.*pam_jit";
    for (spoil, id) in [
        ("sed -i '/^session.*pam_jit/d' /etc/pam.d/sshd".to_owned(), "session-line-missing"),
        ("sed -i '/^account.*pam_jit/d' /etc/pam.d/sshd".to_owned(), "account-line-missing"),
        (format!("sed -i '/{ours}/s/\\[.*\\]/[success=ok default=ignore]/' /etc/pam.d/sshd"), "refusal-not-heard"),
        (format!("sed -i '/{ours}/i account sufficient pam_permit.so' /etc/pam.d/sshd"), "not-asked"),
        (
            "l=$(grep '^account.*pam_jit' /etc/pam.d/sshd); sed -i -e '/^account.*pam_jit/d' -e \"/@include common-account/a $l\" \
             /etc/pam.d/sshd"
                .to_owned(),
            "not-asked",
        ),
        (
            "grep '^account.*pam_jit' /etc/pam.d/sshd >/tmp/l; cat /tmp/l /etc/pam.d/common-account >/tmp/c; cat /tmp/c \
             >/etc/pam.d/common-account"
                .to_owned(),
            "in-a-shared-file",
        ),
        (format!("sed -i '/{ours}/p' /etc/pam.d/sshd"), "asked-twice"),
        ("sed -i '/pam_jit/d' /etc/pam.d/sudo-i".to_owned(), "same-door-unasked"),
        ("rm /etc/pam.d/remote".to_owned(), "remote-missing"),
        ("sed -i s/recovery=root// /etc/pam.d/*".to_owned(), "nobody-recovers"),
        ("echo 'UsePAM no' >/etc/ssh/sshd_config.d/spoilt.conf".to_owned(), "sshd-without-pam"),
        ("echo 'Defaults !pam_acct_mgmt' >/etc/sudoers.d/spoilt".to_owned(), "sudo-asks-nobody"),
        ("sed -i '1a mode = \"observe\"' /etc/jit/policy.d/50-doro.toml".to_owned(), "observed-by-policy"),
        ("passwd -l root".to_owned(), "recovery-without-password"),
    ] {
        is_found(site, &spoil, id);
    }
    site.shell("sed -i '/^session.*pam_jit/d' /etc/pam.d/sshd").done();
    site.shell("jitctl status").says("error: /etc/pam.d/sshd: sshd asks jitd at account").done();
    site.shell("jitctl doctor")
        .exits(1)
        .says("error[session-line-missing] /etc/pam.d/sshd")
        .says("fix: jitctl enforce sshd");
}

pub(crate) fn without_jitd(site: &Site) {
    site.shell("systemctl stop jitd && systemctl mask --runtime jitd").done();
    let found = site.shell("jitctl doctor");
    found.exits(1).says("error[jitd-silent]").says("systemctl start jitd");
    site.shell("systemctl unmask --runtime jitd && systemctl start jitd").done();
    site.is_ready();
    // Anybody may look, and is told what they cannot see.
    let nobody = "setpriv --reuid nobody --regid nogroup --clear-groups jitctl doctor";
    let seen: Output = site.shell(nobody);
    seen.says("not seen: /etc/shadow")
        .says("not seen: /etc/sudoers")
        .says("as root, jitctl doctor sees more");
    assert!(serious(site).iter().all(|id| id != "jitd-silent"));
}
