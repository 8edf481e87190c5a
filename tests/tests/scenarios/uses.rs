//! Roles that admit once.

use crate::site::{Entrance, Role, Site};

pub(crate) fn one_login(site: &Site) {
    site.person("una");
    site.roles(&[Role::new("una", &["sshd"], "una").single_use()]);
    let window = site.open("una", "una", "30m");
    assert_eq!(site.entry(&window.id).state, "active");
    site.ssh("una").admits("una");
    site.ssh("una").refuses("spent");
    assert_eq!(site.entry(&window.id).state, "spent");
    site.machine.as_user("una", "jitctl list").says("spent").done();
    // A second window is a second use.
    site.open("una", "una", "30m");
    site.ssh("una").admits("una");
    site.ssh("una").refuses("spent");
}

pub(crate) fn a_held_use(site: &Site) {
    site.shell("sed -i '/^account .*pam_jit/s/$/ session/' /etc/pam.d/sshd").done();
    site.person("maya");
    site.roles(&[Role::new("maya", &["sshd"], "maya").single_use()]);
    // keyboard-interactive runs account in another process than session.
    for enter in [|site: &Site| site.ssh_by("keyboard-interactive", "maya"), |site: &Site| site.ssh("maya")] {
        let window = site.open("maya", "maya", "30m");
        enter(site).admits("maya");
        enter(site).refuses("spent");
        window.revoke();
    }
}
