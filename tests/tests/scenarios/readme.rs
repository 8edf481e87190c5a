//! README.md and the guide to PAM files, typed: each block in its place in the story that they tell.

use std::fs;
use std::path::Path;

use jit_proto::words::Verdict;
use jit_tests::blocks::{GUIDE, block};
use jit_tests::machine::{Output, until};

use crate::site::{Entrance, SOON, Site};

/// A block, with whom these machines have in maria's place.
#[track_caller]
fn shown(document: &str, begins: &str) -> String {
    let text = block(document, begins);
    text.unwrap_or_else(|| panic!("{document} has no such block: {begins}")).replace("maria", "mira")
}

/// Types a command as it is shown, which may say behind it what it is for.
fn typed(site: &Site, command: &str) -> Output {
    site.shell(&format!("cd /root && {command}"))
}

/// The line of a block that begins so.
#[track_caller]
fn line<'b>(block: &'b str, begins: &str) -> &'b str {
    let found = block.lines().find(|line| line.starts_with(begins));
    found.unwrap_or_else(|| panic!("no line begins {begins:?} in:\n{block}"))
}

pub(crate) fn everything(site: &Site) {
    site.person("mira");
    site.sudoer("mira", "mira ALL=(ALL) NOPASSWD: ALL");
    site.take_out_of_pam();
    install(site);
    let role = shown("README.md", "version = 1");
    site.machine.write("/etc/jit/policy.d/20-roles.toml", &role, 0o644);
    typed(site, "jitctl policy load").says("JIT051").says("JIT078").says("is in force").done();
    enable(site);
    open_a_window(site);
    keep_out(site);
    let kiosk = shown("README.md", "systemctl enable --now jit-kiosk-sshd.socket");
    for command in kiosk.lines() {
        typed(site, command).done();
    }
    assert_eq!(site.shell("systemctl is-active jit-kiosk-sshd.socket").done(), "active");
    // These machines have no such terminal to begin it on.
    assert_eq!(site.shell("systemctl is-enabled jit-kiosk-console@tty8.service").done(), "enabled");
    jobs(site);
}

/// `make deb` built the package that the machine has.
fn install(site: &Site) {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    // What an earlier version left there is not it.
    let version = "dpkg-query --show --showformat 'pam-jit_${Version}_${Architecture}.deb' pam-jit";
    let package = dist.join(site.shell(version).done());
    assert!(package.exists(), "{} was built", package.display());
    fs::create_dir_all(site.machine.path("/root/dist")).unwrap();
    fs::copy(&package, site.machine.path("/root/dist").join(package.file_name().unwrap())).unwrap();
    let command = shown("README.md", "make deb && sudo apt-get install");
    let (_, install) = command.trim_end().split_once("&& sudo ").expect("made, then installed");
    typed(site, &install.replace("install ", "install --yes --reinstall ")).done();
    site.is_ready();
    site.ssh("mira").admits("mira");
}

fn enable(site: &Site) {
    let block = shown("README.md", "jitctl enable sshd sudo");
    let (enable, confirm) =
        (line(&block, "jitctl enable sshd sudo"), line(&block, "jitctl enable --confirm"));
    // It asks, and without a terminal it changes nothing.
    typed(site, enable).exits(1).says("+account").says("add --yes");
    let command = enable.split('#').next().unwrap().trim();
    let asked = format!("spawn -noecho {command}\non {{Change \\d+ files\\?}} {{ send \"y\\r\" }}\nfinish");
    site.terminal(&asked).says("jitctl report --observe").done();
    typed(site, confirm).exits(1).says("belongs to no login");
    let command = confirm.split('#').next().unwrap().trim();
    site.logged_in("mira", &format!("sudo -n {command}")).says("Kept: ").done();
    // Watched, and let in.
    site.ssh("mira").admits("mira");
    until(SOON, "it is on record", || {
        typed(site, "jitctl report --observe").stdout.lines().any(|line| line.starts_with("mira "))
    });
    typed(site, "jitctl report --observe").says("no-window").says("jitctl enforce sshd sudo").done();
}

fn open_a_window(site: &Site) {
    let block = shown("README.md", "jitctl grant maria --role shell");
    typed(site, line(&block, "jitctl grant")).says("mira").done();
    let asks = line(&block, "jitctl request --wait").split('#').next().unwrap().trim();
    // Her request, typed in at its questions, beside a reviewer who approves what waits for them.
    let script = format!(
        "spawn -noecho ssh -tt -o BatchMode=yes mira@127.0.0.1 {asks}\non {{Role: }} {{ send \"shell\\r\" }}\n\
         on {{For how long}} {{ send \"30m\\r\" }}\non {{Reason}} {{ send \"INC-1235 once more\\r\" }}\n\
         on {{Send\\?}} {{ send \"y\\r\" }}\nfinish"
    );
    let asking = site.start_terminal(&script);
    let pending = line(&block, "jitctl pending");
    until(SOON, "it waits", || typed(site, pending).stdout.contains("INC-1235"));
    site.shell("echo 0 >/proc/self/loginuid; exec jitctl approve --role shell --yes").done();
    asking.output().says("Opened g-").done();
    for (begins, says) in [
        ("jitctl check sshd", "allow"),
        ("jitctl explain sshd", "shell"),
        ("jitctl roles mira", "shell"),
        ("jitctl list", "mira"),
        ("jitctl status", "Policy"),
        ("jitctl audit show", "opened"),
        ("jitctl report --since 90d", "shell"),
    ] {
        typed(site, line(&block, begins)).says(says).done();
    }
    let session = site.stays_logged_in("mira", 1909);
    until(SOON, "she is in", || {
        typed(site, line(&block, "jitctl session list")).stdout.lines().any(|line| line.contains("mira"))
    });
    // The lock puts her out; what it is lifted by stands behind it.
    let lock = line(&block, "jitctl lock role:shell");
    let (_, lift) = lock.split_once("until: ").expect("what lifts it");
    typed(site, lock).done();
    session.output().is_cut_off();
    typed(site, lift).done();
    let revoke = line(&block, "jitctl revoke");
    for entry in site.entries_of("mira") {
        let id = entry.grant.unwrap_or(entry.request);
        typed(site, &revoke.replace("g-4k7m2qx9", &id)).done();
    }
}

/// The last step, and what takes it back.
fn keep_out(site: &Site) {
    let block = shown("README.md", "jitctl grant maria --role shell");
    let grant = line(&block, "jitctl grant");
    typed(site, grant).done();
    typed(site, "jitctl enforce sshd sudo --yes")
        .says("jitctl report --observe --service sshd --service sudo")
        .done();
    site.logged_in("mira", "sudo -n jitctl enable --confirm").says("Kept: ").done();
    site.shell("jitctl revoke --user mira --yes").done();
    site.denies("mira", "no-window", || site.ssh("mira"));
    typed(site, grant).done();
    typed(site, shown(GUIDE, "jitctl check sshd maria").trim()).says("allow").done();
    site.ssh("mira").admits("mira");
}

fn jobs(site: &Site) {
    let exempt = shown(GUIDE, "[[exempt]]");
    site.machine.write("/etc/jit/policy.d/40-jobs.toml", &format!("version = 1\n{exempt}"), 0o644);
    typed(site, "jitctl policy load").done();
    typed(site, &shown(GUIDE, "for f in cron atd; do")).done();
    for service in ["cron", "atd"] {
        assert_eq!(site.shell(&format!("grep -c '^[as].* pam_jit.so' /etc/pam.d/{service}")).done(), "2");
        assert_eq!(site.check(service, "root").reason, "exempt");
        assert_eq!(site.check(service, "mira").verdict, Verdict::Deny);
    }
}
