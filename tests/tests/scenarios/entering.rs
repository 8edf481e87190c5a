//! What an approver answered, typed where the person waits who is to come in: at the prompts of the real sshd and login.

use jit_proto::manager::Spoken;
use jit_tests::machine::{Output, until};

use crate::asking::{lets_people_ask, ssh};
use crate::site::{Entrance, SOON, Site, read};

const POLICY: &str = r#"
[people]
olga = { accounts = ["olga"], keys = ["olga@plant"] }
[role.seal]
hosts = ["*"]
services = ["sshd", "login"]
eligible = { users = ["vera", "vito"] }
max-duration = "2h"
[[role.seal.stage]]
name = "plant"
approvers = { users = ["olga"] }
accept = ["code", "signature"]
"#;

/// Asks for half an hour by the prompts, and leaves: the request stays.
const ASK: &str = r#"on {How long.*q leaves\) $} { send "30m\r" }
                     on {Why\?.*\(q leaves\) $} { send "CASE-1 seal\r" }
                     on {or type q to leave: $} { send "q\r" }
                     "#;

/// Types lines where an answer is taken, one at each prompt.
fn typing(lines: &[&str]) -> String {
    let at_prompt =
        |line: &&str| format!("on {{type an answer, or q to leave: $}} {{ send \"{line}\\r\" }}\n");
    lines.iter().map(at_prompt).collect()
}

fn waiting(site: &Site, user: &str) -> String {
    let waits = |entry: &jit_proto::manager::Entry| entry.user == user && entry.state == "pending";
    site.entries().into_iter().find(waits).expect("a request that waits").request
}

/// At the console.
fn login(site: &Site, user: &str, script: &str) -> Output {
    site.terminal(&format!(
        r#"console {user}
           {script}
           on {{[$#] $}} {{ send "echo I-am-\$(id -un)\r" }}
           on {{I-am-[a-z0-9]+}} {{ send "exit\r" }}
           finish"#
    ))
}

pub(crate) fn at_logins(site: &Site) {
    for service in ["sshd", "login"] {
        lets_people_ask(site, service);
    }
    for name in ["vera", "vito"] {
        site.person(name);
    }
    site.policy("50-seal", POLICY);
    by_code(site);
    by_signature(site);
}

fn by_code(site: &Site) {
    // Nobody answers by code or signature yet, and the prompt is as it ever was.
    ssh(site, "vera", ASK).does_not_say("Read this out").refuses("waits on");
    let id = waiting(site, "vera");
    let told: Spoken = read(&site.shell(&format!("jitctl code show {id} --json")));
    let Spoken { host, host_key, code, .. } = &told;
    // The approver's own machine needs nothing of the host's; here it is a folder of root's.
    site.shell("jitctl code new-secret --in /root/olga").done();
    let enroll = "jitctl code enroll --principal olga@plant --slot 1 --in /root/olga";
    let line = site.shell(&format!("{enroll} {host} --host-key {host_key}")).done().to_owned();
    site.machine.write("/etc/jit/code-keys", &format!("{line}\n"), 0o600);
    site.shell("jitctl policy load").done();
    let answer = |user: &str| {
        let command = format!(
            "jitctl code answer --host {host} --user {user} --role seal --for 30m --code {code} --yes --in /root/olga \
             --json"
        );
        let answer: serde_json::Value = read(&site.shell(&command));
        answer["answer"].as_str().unwrap().to_owned()
    };
    let (right, misheard) = (answer("vera"), answer("vito"));

    // A wrong one lets nobody in, and is hers: what is typed as nobody in particular counts for itself.
    let wrong = ssh(site, "vera", &typing(&["0000-0000-0000-01", &misheard, "q"]));
    wrong.says("Read this out to an approver").says(&code[..4]).says("No try was counted");
    wrong.says("4 tries are left").refuses("waits on");
    let uid = site.shell("id -u vera").done().to_owned();
    let on_record = || site.logged("code-refused", &format!("typed_by=\"{uid}\""));
    until(SOON, "the wrong code is on record by who typed it", || on_record().len() == 1);

    ssh(site, "vera", &typing(&[&right])).admits("vera");
    let entry = site.entry(&id);
    assert!(entry.state == "active" && entry.reviews[0].method == "code", "{entry:?}");
    // What was typed stands in no log.
    let answered = right.replace('-', "");
    for log in ["journalctl --no-pager -o cat", "jitctl audit export"] {
        let text = site.shell(log).stdout.replace('-', "");
        assert!(!text.contains(&answered), "{log} has the answer");
    }
    site.module_said("an answer was typed").lines().for_each(|line| assert!(line.contains(&id), "{line}"));
}

fn by_signature(site: &Site) {
    let asks = r#"on {How long.*q leaves\) $} { send "30m\r" }
                  on {Why\?.*\(q leaves\) $} { send "CASE-2 seal\r" }"#;
    login(site, "vito", &format!("{asks}\n{}", typing(&["q"]))).refuses("waits on");
    let id = waiting(site, "vito");
    site.shell(
        "ssh-keygen -q -t ed25519 -N '' -f /root/key && ssh-keygen -q -t ed25519 -N '' -f /root/other",
    )
    .done();
    let key = site.machine.read("/root/key.pub");
    site.machine.write("/etc/jit/approvers", &format!("olga@plant {key}"), 0o644);
    site.shell("jitctl policy load").done();
    let signed = |key: &str| {
        let export = format!("jitctl offline export {id} --compact >/root/rows");
        let sign =
            format!("jitctl offline sign - --key {key} --yes --compact --known /root/known </root/rows");
        site.shell(&format!("{export} && {sign}")).stdout
    };
    let stranger = signed("/root/other");
    let typed: Vec<&str> = stranger.lines().chain(["q"]).collect();
    let refused = login(site, "vito", &typing(&typed));
    refused
        .says("The rows of a signature")
        .says("still missing")
        .says("none of the keys")
        .refuses("waits on");
    until(SOON, "the signature is on record", || {
        !site.logged("signature-refused", "none of the keys").is_empty()
    });

    let right = signed("/root/key");
    let typed: Vec<&str> = right.lines().collect();
    login(site, "vito", &typing(&typed)).admits("vito");
    let entry = site.entry(&id);
    assert!(entry.state == "active" && entry.reviews[0].method == "signature", "{entry:?}");
}
