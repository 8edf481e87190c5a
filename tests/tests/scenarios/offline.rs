//! Approval across an air gap: a host and an approvers' machine that share nothing but files that somebody carries, by
//! the real ssh-keygen.

use jit_core::sign::file::RequestFile;
use jit_tests::machine::{Boot, Machine, Output, until};

use crate::site::{Entrance, SOON, Site};

/// As policies/vendor has it: one login on two levels of approval, by signatures alone.
pub(crate) const POLICY: &str = r#"
[people]
olga = { accounts = ["olga"], keys = ["olga@plant", "olga@home"] }
[role.press]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["vera"] }
max-duration = "2h"
[[role.press.stage]]
name = "plant"
approvers = { users = ["olga"] }
accept = ["signature"]
[[role.press.stage]]
name = "safety"
approvers = { users = ["sam"] }
accept = ["signature"]
"#;

/// The folder that is carried, in both machines.
pub(crate) const STICK: &str = "/var/stick";

/// The machine where people sign: another one, that has neither the host's accounts nor its jitd, and no way to it.
pub(crate) struct Elsewhere(pub(crate) Machine);

impl Elsewhere {
    pub(crate) fn boot(site: &Site) -> Self {
        let machine = Machine::boot(Boot { bare: true, ..Boot::USUAL });
        for machine in [&machine, &site.machine] {
            machine.shell(&format!("mkdir -p {STICK}")).done();
        }
        Self(machine)
    }

    pub(crate) fn shell(&self, script: &str) -> Output {
        self.0.shell(&format!("cd {STICK} && {script}"))
    }

    /// A key for somebody, and its line for the approvers file.
    pub(crate) fn key(&self, name: &str, kind: &str, principal: &str) -> String {
        self.shell(&format!("ssh-keygen -q -t {kind} -N '' -C {name} -f /root/{name}")).done();
        self.line(name, principal)
    }

    /// The line of a key that is there.
    pub(crate) fn line(&self, name: &str, principal: &str) -> String {
        let public = self.0.read(&format!("/root/{name}.pub"));
        format!("{principal} namespaces=\"jitd.approval.v1\" {public}")
    }

    /// Carries a file there or back.
    pub(crate) fn carry(from: &Machine, to: &Machine, name: &str) {
        to.write(&format!("{STICK}/{name}"), &from.read(&format!("{STICK}/{name}")), 0o644);
    }

    /// Signs the request with jitctl, as its owner does; the name of what it wrote.
    fn sign(&self, request: &str, key: &str, more: &str) -> String {
        let signed = self.shell(&format!("jitctl offline sign {request}.req --key /root/{key} --yes {more}"));
        signed.says("user: vera");
        let name = signed.done();
        name.trim_start_matches("Wrote ").trim_end_matches('.').to_owned()
    }
}

pub(crate) fn import(site: &Site, files: &str) -> Output {
    // By somebody without any say: the signature is the authority.
    site.shell(&format!(
        "cd {STICK} && setpriv --reuid nobody --regid nogroup --clear-groups jitctl offline import {files}"
    ))
}

/// A request of vera's, exported onto the stick and carried to the others.
pub(crate) fn exported(site: &Site, elsewhere: &Elsewhere) -> String {
    site.logged_in("vera", "jitctl request --role press --for 1h --reason 'CASE-1234 bearing' --yes").done();
    let entries = site.entries_of("vera");
    let id = entries.iter().find(|entry| entry.state == "pending").unwrap().request.clone();
    site.shell(&format!("cd {STICK} && jitctl offline export {id}")).done();
    Elsewhere::carry(&site.machine, &elsewhere.0, &format!("{id}.req"));
    id
}

pub(crate) fn two_people_approve(site: &Site) {
    let elsewhere = Elsewhere::boot(site);
    site.people_with_a_way_in(&["vera"]);
    let approvers: String = [
        elsewhere.key("olga", "ed25519", "olga@plant"),
        elsewhere.key("old", "ed25519", "olga@home"),
        elsewhere.key("sam", "ecdsa", "sam"),
    ]
    .concat();
    site.machine.write("/etc/jit/approvers", &approvers, 0o644);
    site.machine.write("/etc/jit/revoked-keys", &elsewhere.0.read("/root/old.pub"), 0o644);
    site.policy("50-press", POLICY);
    site.shell("jitctl approvers list").says("olga@plant").says("ecdsa-sha2-nistp256");
    // vera logs in to ask, and the window is what she is asked about: her way in is taken away.
    let id = exported(site, &elsewhere);

    // Signed by stock ssh-keygen, and by jitctl; brought in the wrong order, by nobody in particular.
    elsewhere.shell(&format!("ssh-keygen -q -Y sign -n jitd.approval.v1 -f /root/olga {id}.req")).done();
    let of_sam = elsewhere.sign(&id, "sam", "--duration 20m");
    for name in [format!("{id}.req.sig"), of_sam.clone()] {
        Elsewhere::carry(&elsewhere.0, &site.machine, &name);
    }
    refusals(site, &elsewhere, &id);
    site.shell("rm /etc/jit/policy.d/40-vera.toml && jitctl policy load").done();
    site.ssh("vera").refuses("vera waits for role press");
    import(site, &format!("{of_sam} {id}.req.sig")).exits(0).says("Opened").says("olga").says("sam");
    let entry = site.entry(&id);
    assert_eq!((entry.state.as_str(), entry.reviews.len()), ("active", 2), "{entry:?}");
    assert!(entry.remaining <= 1200, "{entry:?}");
    site.ssh("vera").admits("vera");
    import(site, &of_sam).exits(1).says("no longer waits for a review");
    until(SOON, "the refusals are on record", || {
        site.logged("signature-refused", "no longer waits").len() == 1
    });

    // An auditor has no program of ours.
    let commands = site.shell(&format!("cd {STICK} && jitctl offline evidence {id}"));
    let verified = site.shell(&format!("cd {STICK} && {}", commands.done()));
    verified.says("Good \"jitd.approval.v1\" signature for sam").says("for olga@plant");
    site.shell(&format!("jitctl show {id}")).says("ssh-keygen -Y verify -f /etc/jit/approvers");
    another_host(site, &elsewhere, &of_sam);
}

/// What does not count while the request waits: each refused by its reason, and the request goes on waiting.
fn refusals(site: &Site, elsewhere: &Elsewhere, id: &str) {
    let refused = |name: &str, why: &str| {
        Elsewhere::carry(&elsewhere.0, &site.machine, name);
        import(site, name).says(why);
        until(SOON, &format!("{why} is on record"), || !site.logged("signature-refused", why).is_empty());
    };
    refused(&elsewhere.sign(id, "old", ""), "a key that is revoked");
    elsewhere.key("eve", "ed25519", "eve");
    refused(&elsewhere.sign(id, "eve", ""), "does not name");
    let signed = elsewhere.sign(id, "olga", "--deny 'not today'");
    elsewhere.shell(&format!("sed 's/not today/tomorrow/' {signed} >edited.signed")).done();
    refused("edited.signed", "not one of this file");
    on_the_way(elsewhere, id, &refused);
    elsewhere.shell("rm *.signed").done();
    assert_eq!(site.entry(id).reviews.len(), 0);
}

/// What a carrier made of the request, signed in good faith.
fn on_the_way(elsewhere: &Elsewhere, id: &str, refused: &impl Fn(&str, &str)) {
    let why = "the digest is not that of the request in this file";
    let shows =
        ["s/^duration: 1h$/duration: 2h/", "s/^reason: .*/reason: routine/", "s/^user: .*/user: olga/"];
    for (number, edit) in shows.into_iter().enumerate() {
        let name = format!("changed-{number}");
        elsewhere.shell(&format!("sed '{edit}' {id}.req >{name}.req")).done();
        // By jitctl not at all, least of all what would quote the digest alone; and by anything else it counts for nothing.
        for more in ["", "--duration 10m", "--deny no"] {
            let sign = format!("jitctl offline sign {name}.req --key /root/olga --yes {more}");
            elsewhere.shell(&sign).exits(2).says(why);
        }
        let sign = format!("ssh-keygen -q -Y sign -n jitd.approval.v1 -f /root/olga {name}.req");
        elsewhere.shell(&format!("{sign} && cat {name}.req {name}.req.sig >{name}.signed")).done();
        refused(&format!("{name}.signed"), why);
    }
    // With a digest of its own it reads, and is of another request or another host.
    let bytes = elsewhere.0.read(&format!("{STICK}/{id}.req"));
    let file = RequestFile::parse(bytes.as_bytes()).unwrap();
    let with_digest = |file: RequestFile| RequestFile { digest: file.shown_digest(), ..file };
    let other_reason = RequestFile { reason: "routine".parse().unwrap(), ..file.clone() };
    let other_host = RequestFile { host: "other-9".parse().unwrap(), ..file };
    for (name, file, why) in [
        ("reason", other_reason, "its digest is another one"),
        ("host", other_host, "it is for the host other-9"),
    ] {
        elsewhere.0.write(&format!("{STICK}/{name}.req"), &with_digest(file).text(), 0o644);
        for more in ["", "--duration 10m", "--deny no"] {
            refused(&elsewhere.sign(name, "olga", more), why);
        }
    }
}

/// A role that has changed since; and a host of the same name that was installed anew: its key is another.
fn another_host(site: &Site, elsewhere: &Elsewhere, of_sam: &str) {
    let id = exported_again(site, elsewhere);
    let signed = elsewhere.sign(&id, "olga", "");
    Elsewhere::carry(&elsewhere.0, &site.machine, &signed);
    site.policy("50-press", &POLICY.replace("max-duration = \"2h\"", "max-duration = \"90m\""));
    import(site, &signed).exits(1).says("has changed since this was asked for");
    site.policy("50-press", POLICY);
    site.shell("systemctl stop jitd && rm -rf /var/lib/jitd/* && systemctl start jitd").done();
    site.is_ready();
    import(site, of_sam).exits(1).says("for a host whose key is");
}

/// root asks on her behalf this time.
fn exported_again(site: &Site, elsewhere: &Elsewhere) -> String {
    let entry = site.grant("vera", "press", "30m");
    assert_eq!(entry.state, "pending", "{entry:?}");
    site.shell(&format!("cd {STICK} && jitctl offline export {}", entry.request)).done();
    Elsewhere::carry(&site.machine, &elsewhere.0, &format!("{}.req", entry.request));
    entry.request
}
