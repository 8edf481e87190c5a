//! A policy under which nobody would be left who gives orders.

use crate::site::Site;

const FILE: &str = "/etc/jit/policy.d/10-site.toml";

/// The only admin may ask for sudo alone: whoever is not in already does not get in by that.
const SHUT: &str = r#"version = 1
[admins]
users = ["lola"]
[[exempt]]
users = ["root"]
services = ["login"]
[role.lola]
hosts = ["*"]
services = ["sudo"]
eligible = { users = ["lola"] }
max-duration = "1h"
[[role.lola.stage]]
approvers = { users = ["root"] }
"#;

pub(crate) fn of_every_admin(site: &Site) {
    site.person("lola");
    let old = site.machine.read(FILE);
    let before = site.status().policy.digest;
    site.machine.write(FILE, SHUT, 0o644);
    for command in ["jitctl policy load", "jitctl policy load --try 1m --reason 'CHG-1 lola alone'"] {
        site.shell(command)
            .exits(1)
            .says("JIT074: no admin can get in on this host: lola")
            .says("would lose that: root")
            .says("The policy in force was kept");
    }
    assert!(!site.logged("policy-refused", "JIT074").is_empty());
    site.shell("jitctl policy check").exits(1).says("JIT074");
    // The same of a group that nobody is in.
    let group = SHUT.replacen("users = [\"lola\"]", "groups = [\"lost\"]", 1);
    site.shell("groupadd lost").done();
    site.machine.write(FILE, &group, 0o644);
    site.shell("jitctl policy load").exits(1).says("JIT073").says("would lose that: root");
    assert_eq!(site.status().policy.digest, before);

    // By force, with a reason, and on record as that.
    site.machine.write(FILE, SHUT, 0o644);
    site.shell("jitctl policy load --force").exits(2).says("--reason");
    site.shell("jitctl policy load --force --reason 'CHG-2 it is meant'")
        .says("is in force")
        .says("JIT074")
        .done();
    assert!(!site.logged("policy-loaded", "JIT074").is_empty());
    site.shell("jitctl policy load").exits(4).says("only an admin may do this");

    // The host comes up with its files, and doctor says what is wrong with them.
    site.machine.reboot();
    site.is_ready();
    let policy = site.status().policy;
    assert_eq!((policy.source.as_deref(), policy.files_current), (Some("files"), true));
    site.shell("jitctl doctor").exits(1).says("error[JIT074]");
    site.machine.write(FILE, &old, 0o644);
    site.shell("systemctl restart jitd").done();
    site.is_ready();
    site.shell("jitctl policy load").says("is in force").done();
}
