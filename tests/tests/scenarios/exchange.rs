//! The exchange: a host and an approver's machine that share nothing but a folder that somebody carries, by real sshd
//! and the real ssh-keygen.

use std::process::Command;

use jit_core::sign::file::fingerprint;
use jit_tests::machine::{Boot, Machine, Output, until};

use crate::site::{Entrance, SOON, Site};

/// One signature opens it, and who gives it has no account on the host.
const POLICY: &str = r#"
[role.press]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["ines", "jens", "kira"] }
max-duration = "2h"
[[role.press.stage]]
name = "plant"
approvers = { users = ["sam"] }
accept = ["signature"]
"#;

/// The folder that is carried, in both machines.
const STICK: &str = "/var/stick";

/// The approver's machine.
struct Elsewhere(Machine);

impl Elsewhere {
    fn boot(site: &Site) -> Self {
        let machine = Machine::boot(Boot { bare: true, ..Boot::USUAL });
        for machine in [&machine, &site.machine] {
            machine.shell(&format!("mkdir -p {STICK}")).done();
        }
        machine.shell("ssh-keygen -q -t ed25519 -N '' -C sam -f /root/sam").done();
        let line = format!("sam namespaces=\"jitd.approval.v1\" {}", machine.read("/root/sam.pub"));
        site.machine.write("/etc/jit/approvers", &line, 0o644);
        site.shell("jitctl policy load").done();
        Self(machine)
    }

    fn inbox(&self, more: &str) -> Output {
        self.0.shell(&format!("cd / && jitctl offline inbox {STICK} {more}"))
    }

    /// The same at a terminal, with what is typed at each question.
    fn inbox_typing(&self, more: &str, answers: &[(&str, &str)]) -> Output {
        let mut script = format!("set timeout 40\nspawn -noecho jitctl offline inbox {STICK} {more}\n");
        for (question, answer) in answers {
            script += &format!(
                "expect timeout {{ exit 99 }} eof {{ exit 98 }} -re {{{question}}} {{ send \"{answer}\\r\" }}\n"
            );
        }
        script += "expect timeout { exit 99 } eof\nexit [lindex [wait] 3]\n";
        self.0.run(&["expect", "-c", &script])
    }
}

/// Copies what is not there, as a carrier does.
fn carry(from: &Machine, to: &Machine) {
    let mut command = Command::new("cp");
    command.arg("-rn").arg(from.path(&format!("{STICK}/."))).arg(to.path(STICK));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn sync(site: &Site) -> Output {
    site.shell(&format!("cd / && jitctl offline sync {STICK}"))
}

pub(crate) fn inbox_approves(site: &Site) {
    let people = ["ines", "jens", "kira"];
    site.people_with_a_way_in(&people);
    site.policy("50-press", POLICY);
    let elsewhere = Elsewhere::boot(site);
    for user in people {
        site.logged_in(user, "jitctl request --role press --for 1h --reason 'CASE-1234 bearing' --yes")
            .done();
    }
    site.shell("rm /etc/jit/policy.d/40-ines.toml && jitctl policy load").done();
    site.ssh("ines").refuses("ines waits for role press");
    sync(site).exits(0).says("Put out: 3 requests").says("a checkpoint covers");
    carry(&site.machine, &elsewhere.0);

    // The host is not known before somebody has said yes to its key, which the host itself shows.
    elsewhere.inbox("--all --approve --key /root/sam --yes").exits(1).says("is not known here");
    let key = site.status().key.unwrap().parse().unwrap();
    let asked = elsewhere.inbox_typing(
        "--key /root/sam",
        &[
            (r"Is this [^?]*\? \[y/N\]", "y"),
            (r"leave \(q\)\?", "a"),
            (r"leave \(q\)\?", "a"),
            (r"leave \(q\)\?", "d"),
            (r"Why\?", "not today"),
        ],
    );
    asked.exits(0).says(&fingerprint(&key)).says("user: kira").says("Put 3 statements there");
    carry(&elsewhere.0, &site.machine);

    // Brought by somebody who may not even see what waits.
    let nobody = "setpriv --reuid nobody --regid nogroup --clear-groups";
    site.shell(&format!("cd / && {nobody} jitctl offline sync {STICK} --known /tmp/known"))
        .exits(0)
        .says("Taken in: 3 statements")
        .says("the log is for root, admins and auditors");
    site.ssh("ines").admits("ines");
    site.ssh("jens").admits("jens");
    site.ssh("kira").refuses("kira has no open window");
    assert_eq!(site.logged("refused", "stage=\"plant\"").len(), 1, "kira's request was denied");
    // Again, and once more: nothing is brought twice, and nothing of it is a refusal on record.
    sync(site).exits(0).says("Known already: 3").says("Taken out: 3 requests").says("Taken in: 0");
    sync(site).exits(0).says("Known already: 3").says("Put out: 0 requests, 0 records");
    assert_eq!(site.logged("signature-refused", ""), [] as [&str; 0]);
    refused_once(site, &elsewhere);
    shrunk(site, &elsewhere);
    a_bad_stick(site);
}

/// A key that no longer counts: its refusal is one record, however often the folder comes by.
fn refused_once(site: &Site, elsewhere: &Elsewhere) {
    assert_eq!(site.grant("kira", "press", "30m").state, "pending");
    sync(site).exits(0).says("Put out: 1 request,");
    carry(&site.machine, &elsewhere.0);
    elsewhere.inbox("--user kira --approve --key /root/sam --yes").exits(0).says("Put 1 statement there");
    carry(&elsewhere.0, &site.machine);
    site.machine.write("/etc/jit/revoked-keys", &elsewhere.0.read("/root/sam.pub"), 0o644);
    site.shell("jitctl policy load").done();
    sync(site).exits(1).says("a key that is revoked");
    for _ in 0..3 {
        sync(site).exits(0).says("Refused before: 1");
    }
    until(SOON, "the refusal is on record", || site.logged("signature-refused", "revoked").len() == 1);
    site.shell("rm /etc/jit/revoked-keys && jitctl policy load").done();
    site.shell(&format!("cd / && jitctl offline sync {STICK} --again"))
        .exits(0)
        .says("Taken in: 1 statement");
    site.ssh("kira").admits("kira");
}

/// The store is restored from an old copy, and goes on from there: who has seen more of the log says so.
fn shrunk(site: &Site, elsewhere: &Elsewhere) {
    site.shell("systemctl stop jitd && cp -a /var/lib/jitd /root/before && systemctl start jitd").done();
    site.is_ready();
    let request = site.grant("jens", "press", "20m").request;
    sync(site).exits(0).says("Put out: 1 request,");
    carry(&site.machine, &elsewhere.0);
    elsewhere.inbox("").exits(0).says(&request);
    // As an auditor has it who brings nothing but the folder.
    let whole = format!("cd {STICK}/logs/* && jitctl audit verify *.jsonl --key \"$(cat *.key)\" ");
    let checkpoints = "$(for note in *.checkpoint; do echo --checkpoint $note; done)";
    elsewhere.0.shell(&format!("{whole}{checkpoints}")).exits(0).says("The log is WHOLE");

    site.shell("systemctl stop jitd && rm -rf /var/lib/jitd && cp -a /root/before /var/lib/jitd").done();
    site.shell("systemctl start jitd").done();
    site.is_ready();
    let request = site.grant("jens", "press", "10m").request;
    // The folder that has been here knows.
    sync(site).exits(1).says("others than in the log here");
    // One that has not does not, and the approver's machine does.
    for machine in [&site.machine, &elsewhere.0] {
        machine.shell(&format!("rm -rf {STICK} && mkdir {STICK}")).done();
    }
    sync(site).exits(0).says("Put out: 1 request,");
    carry(&site.machine, &elsewhere.0);
    elsewhere
        .inbox("--all --approve --key /root/sam --yes")
        .exits(1)
        .says("is refused: its log is ")
        .says(&request)
        .says("Nothing is left for this key to sign");
    elsewhere.0.shell(&format!("ls {STICK}/statements")).exits(2).says("No such file");
}

/// A stick that is full, and one that is read-only: what is there is whole, and what does not fit is said.
fn a_bad_stick(site: &Site) {
    site.shell("mkdir -p /mnt/small && mount -t tmpfs -o size=16k none /mnt/small").done();
    let small = || site.shell("cd / && jitctl offline sync /mnt/small");
    small().exits(1).says("there is no room left");
    site.shell("find /mnt/small -name '.jit-*' | wc -l").says("0");
    site.shell("mount -o remount,size=64m /mnt/small").done();
    small().exits(0).says("a checkpoint covers");
    site.shell("mount -o remount,ro /mnt/small").done();
    site.grant("ines", "press", "10m");
    small().exits(1).says("read-only");
    site.shell("mount -o remount,rw /mnt/small").done();
    small().exits(0).says("Put out: 1 request,");
}
