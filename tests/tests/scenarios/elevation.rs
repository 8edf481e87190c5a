//! sudo and su: the subject is who calls, whoever they become.

use std::time::Duration;

use jit_tests::machine::{Output, until};

use crate::site::{Entrance, Role, Site};

/// As for logins; who is admitted is then somebody else. sudo asks the module to be silent, so what to do next is
/// for logins and su alone to say.
fn follows_the_window(site: &Site, caller: &str, becomes: &str, is_told: bool, enter: impl Fn() -> Output) {
    let refused = || {
        site.denies(caller, "no-window", || {
            let output = enter();
            if is_told {
                output.is_refused(caller, caller);
            }
            output
        });
    };
    refused();

    let window = site.open(caller, caller, "30m");
    enter().admits(becomes);
    window.revoke();
    refused();

    let window = site.open_briefly(caller, caller, becomes, &enter);
    window.wait_for_its_end();
    refused();
}

pub(crate) fn sudo_without_a_password(site: &Site) {
    site.person_with_role("nina", &["sudo"]);
    site.sudoer("nina", "nina ALL=(ALL) NOPASSWD: ALL");
    follows_the_window(site, "nina", "root", false, || site.machine.as_user("nina", "sudo -n id -un"));
    assert!(site.module_said("user=\"nina\"").contains("reason=\"no-window\""), "the log says why");
}

pub(crate) fn sudo_dash_i(site: &Site) {
    site.person_with_role("ivan", &["sudo"]);
    site.sudoer("ivan", "ivan ALL=(ALL) NOPASSWD: ALL");
    follows_the_window(site, "ivan", "root", false, || site.machine.as_user("ivan", "sudo -n -i id -un"));
}

pub(crate) fn sudo_with_a_cached_ticket(site: &Site) {
    site.person_with_role("tina", &["sudo"]);
    site.sudoer("tina", "Defaults:tina timestamp_type=global\ntina ALL=(ALL) ALL");
    let with_password = || site.machine.as_user("tina", "echo tina-pw | sudo -S -p '' id -un");
    let with_ticket = || site.machine.as_user("tina", "sudo -n id -un");
    site.denies("tina", "no-window", with_password);
    let window = site.open_briefly("tina", "tina", "root", || {
        let first = with_password();
        if first.is_ok() { with_ticket() } else { first }
    });
    window.wait_for_its_end();
    site.denies("tina", "no-window", with_ticket);
    // The ticket was good; it is the window that was not there.
    site.open("tina", "tina", "30m");
    with_ticket().admits("root");
}

pub(crate) fn sudo_with_targetpw(site: &Site) {
    site.person_with_role("tarja", &["sudo"]);
    site.sudoer("tarja", "Defaults:tarja targetpw\nDefaults:tarja timestamp_timeout=0\ntarja ALL=(ALL) ALL");
    let enter = || site.with_password("tarja", "sudo id -un", "root-pw");
    follows_the_window(site, "tarja", "root", false, enter);
}

/// What sudoers(5) can turn off for somebody: the session is asked about all the same.
pub(crate) fn sudo_without_account(site: &Site) {
    site.person_with_role("astrid", &["sudo"]);
    site.sudoer("astrid", "Defaults:astrid !pam_acct_mgmt\nastrid ALL=(ALL) NOPASSWD: ALL");
    follows_the_window(site, "astrid", "root", false, || site.machine.as_user("astrid", "sudo -n id -un"));
    let said = site.shell("journalctl --no-pager -o cat | grep -a '^pam_jit(sudo:session)'").stdout;
    assert!(said.lines().any(|line| line.contains("denied") && line.contains("ruser=\"astrid\"")), "{said}");
}

pub(crate) fn su(site: &Site) {
    site.person_with_role("susi", &["su"]);
    let enter = || site.with_password("susi", "su olga -c {id -un}", "olga-pw");
    follows_the_window(site, "susi", "olga", true, enter);
}

pub(crate) fn su_dash(site: &Site) {
    site.person_with_role("sven", &["su"]);
    let enter = || site.with_password("sven", "su - olga -c {id -un}", "olga-pw");
    follows_the_window(site, "sven", "olga", true, enter);
}

pub(crate) fn the_targets_window_is_not_the_callers(site: &Site) {
    site.person("caller");
    site.person("target");
    site.roles(&[Role::new("target", &["su", "sudo", "sshd"], "target")]);
    site.open("target", "target", "30m");
    let su = |who: &str| site.with_password(who, "su target -c {id -un}", "target-pw");
    site.denies("caller", "not-eligible", || su("caller"));
    su("target").admits("target");
    for name in ["caller", "target"] {
        site.sudoer(name, &format!("{name} ALL=(ALL) NOPASSWD: ALL"));
    }
    let sudo = |who: &str| site.machine.as_user(who, "sudo -n -u target id -un");
    site.denies("caller", "not-eligible", || sudo("caller"));
    sudo("target").admits("target");
}

pub(crate) fn roots_own_su_and_cron(site: &Site) {
    site.shell("su - olga -c 'id -un'").admits("olga");
    site.shell("su olga -c 'id -un'").admits("olga");
    site.shell("sudo -u olga id -un").admits("olga");

    let jobs =
        "* * * * * root su - olga -c 'id -un' >/run/by-su 2>&1; sudo -u olga id -un >/run/by-sudo 2>&1\n";
    site.machine.write("/etc/cron.d/by-root", jobs, 0o644);
    until(Duration::from_secs(180), "cron runs the job to its end", || {
        !site.machine.read("/run/by-sudo").trim().is_empty()
    });
    site.shell("rm /etc/cron.d/by-root; cat /run/by-su").admits("olga");
    site.shell("cat /run/by-sudo").admits("olga");
}

/// sudoers(5) chooses the PAM service, by the account that somebody becomes or by the command: a window of one kind of sudo
/// opens what those lines give.
pub(crate) fn kinds_of_sudo(site: &Site) {
    site.person("kiran");
    site.shell(
        "useradd --system mwdeploy
         for kind in mwdeploy restart; do cp /etc/pam.d/sudo /etc/pam.d/sudo-$kind; done",
    )
    .done();
    site.sudoer(
        "kiran",
        "Cmnd_Alias MWRESTART = /usr/bin/id -g\n\
         Defaults>mwdeploy pam_service=sudo-mwdeploy\n\
         Defaults!MWRESTART pam_service=sudo-restart\n\
         kiran ALL=(mwdeploy) NOPASSWD: ALL\n\
         kiran ALL=(root) NOPASSWD: ALL",
    );
    site.roles(&[
        Role::new("kiran", &["sudo-mwdeploy"], "kiran"),
        Role::new("kiran-restart", &["sudo-restart"], "kiran"),
        // All of sudo is somebody else's, here as elsewhere.
        Role::new("kiran-not", &["sudo"], "daemon"),
    ]);
    // Each as root, as mwdeploy, and as root with the one command.
    let sudo = |what: &str| site.machine.as_user("kiran", &format!("sudo -n {what}"));
    let (root, deploy, restart) = ("id -un", "-u mwdeploy id -un", "/usr/bin/id -g");
    for (what, why) in [(root, "not-eligible"), (deploy, "no-window"), (restart, "no-window")] {
        site.denies("kiran", why, || sudo(what));
    }
    let window = site.open("kiran", "kiran", "30m");
    sudo(deploy).admits("mwdeploy");
    for (what, why) in [(root, "not-eligible"), (restart, "no-window")] {
        site.denies("kiran", why, || sudo(what));
    }
    site.open("kiran", "kiran-restart", "30m");
    sudo(restart).admits("0");
    site.denies("kiran", "not-eligible", || sudo(root));
    // The end of the one is not the end of the other.
    window.revoke();
    site.denies("kiran", "no-window", || sudo(deploy));
    sudo(restart).admits("0");
    // What no line of sudoers names is said, and what it names is not.
    let check = site.shell("jitctl policy check");
    assert!(!check.stdout.contains("JIT172: role `kiran`"), "{check}");
    site.roles(&[Role::new("kiran-other", &["sudo-kiran-other"], "kiran")]);
    site.shell("jitctl policy check").says("no line of sudoers has pam_service=sudo-kiran-other");
}
