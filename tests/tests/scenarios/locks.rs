//! Locks in the words of the glossary: every form of sudo and su, every name of a uid, and nothing that is not there.

use crate::site::{Entrance, Role, Site};

fn why(site: &Site, service: &str, user: &str) -> String {
    site.check(service, user).reason
}

pub(crate) fn every_form_of_sudo_and_su(site: &Site) {
    site.person_with_role("lars", &["sudo", "su"]);
    site.shell("cp /etc/pam.d/sudo /etc/pam.d/sudo-backup").done();
    site.sudoer("lars", "lars ALL=(ALL) NOPASSWD: ALL");
    site.open("lars", "lars", "30m");
    let sudo = |how: &str| site.machine.as_user("lars", &format!("sudo -n {how} id -un"));
    let su = |how: &str| site.with_password("lars", &format!("su {how} olga -c {{id -un}}"), "olga-pw");
    let renamed = |after: &dyn Fn()| {
        site.sudoer("lars", "Defaults:lars pam_service=sudo-backup\nlars ALL=(ALL) NOPASSWD: ALL");
        after();
        site.sudoer("lars", "lars ALL=(ALL) NOPASSWD: ALL");
    };
    let all_open = || {
        sudo("").admits("root");
        sudo("-i").admits("root");
        renamed(&|| sudo("").admits("root"));
        su("").admits("olga");
        su("-").admits("olga");
    };
    for (locked, lifted_as) in [("service:sudo", "service:sudo-i"), ("service:sudo-i", "service:sudo")] {
        all_open();
        site.shell(&format!("jitctl lock {locked}")).says("every service named sudo-*").done();
        site.denies("lars", "locked", || sudo(""));
        site.denies("lars", "locked", || sudo("-i"));
        renamed(&|| site.denies("lars", "locked", || sudo("")));
        for service in ["sudo", "sudo-i", "sudo-backup"] {
            assert_eq!(why(site, service, "lars"), "locked", "{service}");
        }
        su("").admits("olga");
        site.shell(&format!("jitctl unlock {lifted_as}")).done();
    }
    all_open();
    site.shell("jitctl lock service:su").done();
    su("").refuses("locked (service:su)");
    su("-").refuses("locked (service:su)");
    sudo("-i").admits("root");
    site.shell("jitctl unlock service:su-l").done();
    all_open();
}

pub(crate) fn every_name_of_a_uid(site: &Site) {
    site.person("lena");
    site.person("lena2");
    site.shell("usermod -o -u \"$(id -u lena)\" lena2").done();
    site.roles(&[Role::new("lena2", &["sshd"], "lena2")]);
    let window = site.open("lena2", "lena2", "30m");
    site.ssh("lena2").admits("lena");
    site.shell("jitctl lock user:lena --message 'INC-9 wait'").done();
    site.ssh("lena2").refuses("locked (user:lena)");
    assert_eq!(site.entry(&window.id).ended.as_deref(), Some("locked"));
    site.shell("jitctl unlock user:lena").done();
    site.open("lena2", "lena2", "30m");
    site.ssh("lena2").admits("lena");
}

pub(crate) fn on_what_is_not_there(site: &Site) {
    site.person_with_role("linus", &["sshd"]);
    for (scope, meant) in [
        ("user:linsu", "user:linus"),
        ("service:ssh", "service:sshd"),
        ("role:linu", "role:linus"),
        ("group:sudoo", "group:sudo"),
    ] {
        site.shell(&format!("jitctl lock {scope}")).exits(1).says(&format!("did you mean {meant}?"));
    }
    assert!(site.status().locks.is_empty(), "nothing was locked");
    site.shell("jitctl lock service:ssh --unknown").exits(1).says("did you mean service:sshd?");
    site.shell("jitctl lock user:newcomer --unknown").says("on the name alone").done();
    site.shell("jitctl unlock user:newcomr").exits(1).says("did you mean user:newcomer?");
    site.shell("jitctl unlock user:newcomer").done();
    site.shell("jitctl lock user:linus").done();
    site.shell("jitctl unlock user:linus").done();
}
