//! Who changes the policy, where that takes more than one admin.

use jit_tests::machine::{Output, until};

use crate::offline::{Elsewhere, STICK};
use crate::site::{SOON, Site};

const FILE: &str = "/etc/jit/policy.d/60-dora.toml";

/// tilda and ulf are admins; ulf, and vito who is none, approve what others load.
const RULES: &str = r#"
version = 1
[admins]
users = ["tilda", "ulf"]
[[exempt]]
users = ["tilda", "ulf", "vito", "dora"]
services = ["sshd", "sudo"]
[policy-change]
approvers = { users = ["ulf", "vito"] }
reason = true
"#;

/// A role of dora's, for so long.
fn role(longest: &str) -> String {
    format!(
        "version = 1\n[role.dora]\nhosts = [\"*\"]\nservices = [\"sshd\"]\neligible = {{ users = [\"dora\"] }}\n\
         max-duration = \"{longest}\"\n[[role.dora.stage]]\napprovers = {{ users = [\"root\"] }}\n"
    )
}

/// A host where changes of the policy are approved by others.
fn guarded(site: &Site) {
    for name in ["tilda", "ulf", "vito", "dora"] {
        site.person(name);
    }
    site.sudoer("tilda", "tilda ALL=(ALL) NOPASSWD: ALL");
    site.machine.write("/etc/jit/policy.d/05-changes.toml", RULES, 0o644);
    site.machine.write(FILE, &role("1h"), 0o644);
    site.shell("jitctl policy load --reason 'CHG-1 two people'").says("is in force").done();
}

fn by(site: &Site, who: &str, command: &str) -> Output {
    site.logged_in(who, command)
}

/// How long dora may have her role, by the policy in force.
fn longest(site: &Site) -> String {
    let shown = site.shell("jitctl policy show");
    let line = shown.done().lines().skip_while(|line| *line != "[role.dora]");
    let line = line.into_iter().find(|line| line.starts_with("max-duration")).unwrap_or_default();
    line.to_owned()
}

fn is_in_force(site: &Site, expected: &str) {
    assert_eq!(longest(site), format!("max-duration = \"{expected}\""));
}

pub(crate) fn one_loads_and_another_approves(site: &Site) {
    guarded(site);
    site.machine.write(FILE, &role("2h"), 0o644);
    by(site, "tilda", "jitctl policy load").exits(1).says("--reason TEXT").says("was kept");
    by(site, "tilda", "jitctl policy load --reason 'CHG-2 longer'").says("waits for approvals").done();
    is_in_force(site, "1h");
    let waits = by(site, "vito", "jitctl policy waiting");
    waits.says("Loaded by: tilda").says("Reason: CHG-2 longer").says("for up to 2h, was 1h").done();
    by(site, "dora", "jitctl policy waiting").exits(4).says("those who are asked to approve it");
    site.shell("jitctl status").says("waits with 0 of 1 approvals").done();

    // Neither by who has loaded it, as herself or as root, nor by somebody who is not asked.
    by(site, "tilda", "jitctl policy approve --yes")
        .exits(4)
        .says("nobody approves a policy that they have loaded");
    by(site, "dora", "jitctl policy approve --yes").exits(4).says("those who are asked to approve it");
    site.shell("jitctl policy approve --yes").exits(4).says("asks ulf, vito to approve another");

    // The folder edited in between: nothing comes into force, and nothing is lost.
    site.machine.write(FILE, &role("9h"), 0o644);
    by(site, "vito", "jitctl policy approve --yes").exits(1).says("somebody has changed them since");
    is_in_force(site, "1h");
    site.shell("systemctl reload jitd").done();
    is_in_force(site, "1h");
    by(site, "ulf", "jitctl policy waiting").says("are others by now").done();
    site.machine.write(FILE, &role("2h"), 0o644);
    by(site, "vito", "jitctl policy approve --yes --note 'as agreed'").says("is in force").done();
    is_in_force(site, "2h");
    until(SOON, "the load is on record with who approved it", || {
        !site.logged("policy-loaded", "by=\"tilda\" reason=\"CHG-2 longer\" approved=\"vito\"").is_empty()
    });
}

pub(crate) fn a_reboot_takes_nothing_unapproved(site: &Site) {
    guarded(site);
    let approved = site.status().policy.digest;
    site.machine.write(FILE, &role("9h"), 0o644);
    site.machine.reboot();
    site.is_ready();
    let status = site.status();
    assert_eq!((status.policy.digest, status.policy.source.as_deref()), (approved.clone(), Some("kept")));
    is_in_force(site, "1h");
    site.shell("jitctl status").says("were not approved").says("jitctl policy load").done();

    // What waits, waits on over a reboot, and its approval counts then.
    by(site, "tilda", "jitctl policy load --reason 'CHG-3 much longer'").says("waits for approvals").done();
    site.machine.reboot();
    site.is_ready();
    assert_eq!(site.status().policy.digest, approved);
    by(site, "ulf", "jitctl policy approve --yes").says("is in force").done();
    is_in_force(site, "9h");
    site.machine.reboot();
    site.is_ready();
    let status = site.status();
    assert_eq!((status.policy.files_current, status.policy.source.as_deref()), (true, Some("files")));
    is_in_force(site, "9h");
}

pub(crate) fn root_at_the_console_overrides(site: &Site) {
    guarded(site);
    site.machine.write(FILE, &role("3h"), 0o644);
    let load = "jitctl policy load --override --reason 'INC-9 nobody answers'";
    // An admin who became root, or root from another machine, is not root at the console.
    by(site, "tilda", &format!("sudo -n {load}")).exits(4).says("only root itself");
    is_in_force(site, "1h");
    site.shell(load).says("is in force").done();
    is_in_force(site, "3h");
    until(SOON, "it is at alert", || !site.logged("policy-override", "INC-9 nobody answers").is_empty());
    site.shell("jitctl status").says("THE POLICY IN FORCE WAS OVERRIDDEN by root").done();
    by(site, "vito", "jitctl policy approve --yes").done();
    site.shell("jitctl status").does_not_say("OVERRIDDEN").done();
}

/// Two people sign on a machine of their own, with real ssh-keygen; the folder is carried.
pub(crate) fn signed_elsewhere(site: &Site) {
    let elsewhere = Elsewhere::boot(site);
    guarded(site);
    let keys: String = ["ulf", "vito", "eve"].map(|name| elsewhere.policy_key(name)).concat();
    site.machine.write("/etc/jit/approvers", &keys, 0o644);
    let two = RULES.replace("reason = true", "approvals = 2\nsigned-only = true");
    site.machine.write("/etc/jit/policy.d/05-changes.toml", &two, 0o644);
    by(site, "tilda", "jitctl policy load --reason 'CHG-1 signed ones alone'").says("waits").done();
    by(site, "vito", "jitctl policy approve --yes").says("is in force").done();
    site.machine.write(FILE, &role("9h"), 0o644);
    site.shell("jitctl policy load --reason x").exits(1).says("--signed DIR");
    site.machine.write(FILE, &role("1h"), 0o644);

    // By stock OpenSSH, and by jitctl.
    let sign = |folder: &str, serial: u32, longest: &str| {
        elsewhere.shell(&format!("mkdir -p {folder}")).done();
        for name in site.shell("ls /etc/jit/policy.d | grep toml$").done().split_whitespace() {
            let text = site.machine.read(&format!("/etc/jit/policy.d/{name}"));
            let text = if FILE.ends_with(name) { role(longest) } else { text };
            elsewhere.0.write(&format!("{STICK}/{folder}/{name}"), &text, 0o644);
        }
        elsewhere.shell(&format!("jitctl offline policy {folder} --hosts '*' --serial {serial}")).done();
        let text = format!("{folder}/jitd.policy");
        elsewhere.shell(&format!("ssh-keygen -q -Y sign -n jitd.policy.v1 -f /root/ulf {text}")).done();
    };
    let load = |folder: &str| {
        elsewhere.carry_folder(site, folder);
        site.shell(&format!("jitctl policy load --signed {STICK}/{folder} --reason 'CHG-4 longer'"))
    };
    sign("new", 7, "2h");
    load("new").exits(1).says("1 of the signatures count, and 2 of ulf, vito must sign").says("there before");
    is_in_force(site, "1h");
    assert!(site.status().policy.files_current);
    elsewhere.shell("jitctl offline sign new/jitd.policy --key /root/eve --yes").done();
    load("new").exits(1).says("1 of the signatures count");
    elsewhere.shell("rm new/jitd.policy.*.sig").done();
    elsewhere.shell("jitctl offline sign new/jitd.policy --key /root/vito --yes").says("serial: 7").done();
    load("new").says("signed by ulf, vito").done();
    is_in_force(site, "2h");
    assert!(site.status().policy.files_current);
    until(SOON, "who signed is on record", || {
        !site.logged("policy-loaded", "approved=\"ulf vito\" signed=\"7\"").is_empty()
    });

    // A file changed on the way, and an older one.
    sign("newer", 8, "3h");
    elsewhere.shell("jitctl offline sign newer/jitd.policy --key /root/vito --yes").done();
    elsewhere.shell("sed -i s/3h/9h/ newer/60-dora.toml").done();
    load("newer").exits(2).says("is not the file that was signed");
    elsewhere.shell("sed -i s/9h/3h/ newer/60-dora.toml").done();
    load("newer").says("serial 8").done();
    load("new").exits(1).says("an older one never comes back");
    is_in_force(site, "3h");
    assert!(site.status().policy.files_current);
    // No start takes what was not signed.
    site.machine.write(FILE, &role("9h"), 0o644);
    site.shell("systemctl restart jitd").done();
    site.is_ready();
    is_in_force(site, "3h");
}

impl Elsewhere {
    /// A key that signs policies, and its line for the approvers file.
    fn policy_key(&self, name: &str) -> String {
        self.shell(&format!("ssh-keygen -q -t ed25519 -N '' -C {name} -f /root/{name}")).done();
        format!("{name} namespaces=\"jitd.policy.v1\" {}", self.0.read(&format!("/root/{name}.pub")))
    }

    /// Carries all files of a folder.
    fn carry_folder(&self, site: &Site, folder: &str) {
        site.shell(&format!("rm -rf {STICK}/{folder} && mkdir {STICK}/{folder}")).done();
        for name in self.shell(&format!("ls {folder}")).done().split_whitespace() {
            Self::carry(&self.0, &site.machine, &format!("{folder}/{name}"));
        }
    }
}
