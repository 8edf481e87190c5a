//! Where a login comes from, and what su and sudo in it inherit.

use jit_proto::manager::Check;
use jit_tests::machine::Output;

use crate::site::{Entrance, Role, Site, read};

const FROM_HERE: &str = "from = [\"127.0.0.0/8\", \"::1/128\"]\n";

/// What an attacker could set to look like a login from this address.
const LIES: &str = "SSH_CONNECTION='127.0.0.1 40000 127.0.0.1 22' SSH_CLIENT='127.0.0.1 40000 22' \
                    PAM_RHOST=127.0.0.1 RHOST=127.0.0.1 REMOTEHOST=127.0.0.1";

/// Somebody with a window for ssh and sudo from inside this machine, and one for the console.
fn with_windows(site: &Site, user: &str) {
    site.person(user);
    site.sudoer(user, &format!("{user} ALL=(ALL) NOPASSWD: ALL"));
    let console = format!("{user}-console");
    site.roles(&[
        Role::new(user, &["sshd", "sudo", "su"], user).with(FROM_HERE),
        Role::new(&console, &["login"], user),
    ]);
    site.open(user, user, "30m");
    site.open(user, &console, "30m");
}

fn over_ssh(site: &Site, user: &str, command: &str) -> Output {
    site.machine.run(&["ssh", "-o", "BatchMode=yes", "-T", &format!("{user}@127.0.0.1"), command])
}

/// A command in a console login; its status and who typed it are behind `I-am-`.
fn at_the_console(site: &Site, user: &str, command: &str) -> Output {
    site.terminal(&format!(
        r#"console {user}
           on {{[$#] $}} {{ send {{{command}; echo I-am-$?-$(id -un){cr}}} }}
           on {{I-am-[0-9]+-[a-z0-9]+}} {{ send "exit\r" }}
           finish"#,
        cr = "\r"
    ))
}

pub(crate) fn sudo_inherits_it(site: &Site) {
    with_windows(site, "aurora");
    over_ssh(site, "aurora", "sudo -n id -un").admits("root");
    over_ssh(site, "aurora", "sudo -n -i id -un").admits("root");

    // At the console the same person has the same window, and no address.
    let console = at_the_console(site, "aurora", "sudo -n id -un");
    console.says("I-am-1-aurora").does_not_say("root\r\n");
    let lies = at_the_console(site, "aurora", &format!("env {LIES} sudo -n id -un"));
    lies.says("I-am-1-aurora").does_not_say("root\r\n");
    let said = site.module_said("user=\"aurora\"");
    assert!(said.contains("reason=\"other-address\""), "{said}");
    // Nor has a process of theirs that belongs to no login.
    for sudo in ["sudo -n id -un".to_owned(), format!("env {LIES} sudo -n id -un")] {
        site.denies("aurora", "other-address", || site.machine.as_user("aurora", &sudo));
    }

    // As check and explain have it, by the address that is named.
    let check =
        |from: &str| -> Check { read(&site.shell(&format!("jitctl --json check sudo aurora {from}"))) };
    assert_eq!(check("--from 127.0.0.1").verdict.as_str(), "allow");
    assert_eq!(check("--from 10.0.0.1").reason, "other-address");
    assert_eq!(check("").reason, "other-address");
    site.shell("jitctl explain sudo aurora").exits(1).says("for other addresses").says("127.0.0.0/8");
}

pub(crate) fn a_restarted_jitd_asks_logind(site: &Site) {
    with_windows(site, "alma");
    let master = "ssh -f -N -o BatchMode=yes -M -S /run/alma -o ControlPersist=300 alma@127.0.0.1";
    site.shell(master).done();
    let sudo = || site.shell("ssh -S /run/alma -o BatchMode=yes alma@127.0.0.1 sudo -n id -un");
    sudo().admits("root");
    site.shell("systemctl restart jitd && jitctl status").done();
    sudo().admits("root");
    // Who can tell nobody is not admitted on nobody's word.
    site.shell("systemctl restart jitd && jitctl status && systemctl stop systemd-logind").done();
    site.shell("systemctl mask --runtime --quiet systemd-logind").done();
    site.denies("alma", "other-address", sudo);
    site.shell("systemctl unmask --runtime --quiet systemd-logind && systemctl start systemd-logind").done();
    sudo().admits("root");
    // Not for a login at the console, which logind knows just as well.
    at_the_console(site, "alma", "sudo -n id -un").says("I-am-1-alma").does_not_say("root\r\n");
}
