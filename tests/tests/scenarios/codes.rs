//! Approval where nothing crosses but a voice: what is read out of a request on the host is typed into another machine, and
//! what that machine answers is typed into the host, on a terminal.

use std::collections::BTreeSet;

use jit_proto::manager::Spoken;
use jit_tests::machine::{Boot, Machine, Output, until};

use crate::site::{Entrance, SOON, Site, read};

const POLICY: &str = r#"
[people]
olga = { accounts = ["olga"], keys = ["olga@plant"] }
[role.press]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["nora"] }
max-duration = "2h"
[[role.press.stage]]
name = "plant"
approvers = { users = ["olga", "sam"] }
approvals = 2
accept = ["code"]
[role.valve]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ["nora"] }
max-duration = "2h"
[[role.valve.stage]]
name = "plant"
approvers = { users = ["olga"] }
accept = ["code", "signature"]
"#;

/// The machine of the approvers: it has neither the host's accounts nor its jitd, and no way to it.
struct Approvers(Machine);

impl Approvers {
    /// Makes somebody's secret and their key for the host; the line for the host.
    fn enroll(&self, name: &str, principal: &str, slot: u8, host_key: &str, host: &str) -> String {
        let dir = format!("/root/{name}");
        self.0.shell(&format!("jitctl code new-secret --in {dir}")).done();
        let command = format!(
            "jitctl code enroll {host} --host-key {host_key} --principal {principal} --slot {slot} --in {dir}"
        );
        format!("{}\n", self.0.shell(&command).done())
    }

    /// What somebody answers who is told this; `more` changes what they hear or say.
    fn answer(&self, name: &str, told: &Spoken, more: &str) -> String {
        let Spoken { host, user, role, seconds, code, .. } = told;
        let command = format!(
            "jitctl code answer --host {host} --user {user} --role {role} --for {seconds}s --code {code} --yes \
             --in /root/{name} {more} --json"
        );
        let answer: serde_json::Value = read(&self.0.shell(&command));
        answer["answer"].as_str().unwrap().to_owned()
    }
}

/// Somebody types an answer at a terminal of the host; they need no say in anything.
fn enter(site: &Site, id: &str, answer: &str) -> Output {
    site.terminal(&format!(
        r#"spawn -noecho setpriv --reuid nobody --regid nogroup --clear-groups jitctl code enter {id}
           on {{read out: $}} {{ send "{answer}\r" }}
           finish"#
    ))
}

fn asked(site: &Site, role: &str) -> Spoken {
    site.logged_in("nora", &format!("jitctl request --role {role} --for 1h --reason 'CASE-1 seal' --yes"))
        .done();
    let waits = |entry: &jit_proto::manager::Entry| entry.state == "pending" && entry.role == role;
    let id = site.entries_of("nora").into_iter().find(waits).unwrap().request;
    read(&site.shell(&format!("jitctl code show {id} --json")))
}

pub(crate) fn two_people_answer(site: &Site) {
    let approvers = Approvers(Machine::boot(Boot { bare: true, ..Boot::USUAL }));
    site.people_with_a_way_in(&["nora"]);
    site.policy("50-press", POLICY);
    let told = asked(site, "press");
    site.shell(&format!("jitctl code show {}", told.request)).exits(1).says("no approver's key for codes");
    let keys = [("olga", "olga@plant", 1), ("sam", "sam", 2)]
        .map(|(name, principal, slot)| approvers.enroll(name, principal, slot, &told.host_key, &told.host))
        .concat();
    site.machine.write("/etc/jit/code-keys", &keys, 0o644);
    site.shell("jitctl code keys").exits(1).says("nobody else may read it");
    site.shell("jitctl policy load");
    enter(site, &told.request, &approvers.answer("olga", &told, "")).says("no code counts on this host now");
    site.shell("chmod 600 /etc/jit/code-keys && jitctl policy load").done();
    site.shell("jitctl code keys").exits(0).says("olga@plant");
    site.shell(&format!("jitctl code show {}", told.request)).exits(0).says("Read this out");

    let olga = approvers.answer("olga", &told, "");
    let sam = approvers.answer("sam", &told, "--duration 20m");
    enter(site, &told.request, &olga.to_lowercase().replace('-', " "))
        .exits(0)
        .says("code")
        .says("1 approval from olga, sam");
    enter(site, &told.request, &olga).exits(4).says("olga has reviewed it already");
    site.shell("rm /etc/jit/policy.d/40-nora.toml && jitctl policy load").done();
    site.ssh("nora").refuses("nora waits for role press");
    enter(site, &told.request, &sam).exits(0).says("Opened");
    let entry = site.entry(&told.request);
    assert!(entry.state == "active" && entry.remaining <= 1200, "{entry:?}");
    assert!(entry.reviews.iter().all(|review| review.method == "code"), "{entry:?}");
    site.ssh("nora").admits("nora");
    let by_sam = format!(
        "by the key of sam, slot 2, epoch 1, to request code {}: yes, for at most 20m (5)",
        told.code
    );
    site.shell(&format!("jitctl show {}", told.request)).says(&by_sam).says("a code proves nothing");
    let story = site.shell(&format!("jitctl audit show {}", told.request));
    story.says("principal=sam slot=2 epoch=1").says(&format!("request_code={} bucket=5", told.code));
    story.does_not_say(&sam).does_not_say(&sam.replace('-', ""));
    guesses(site, &approvers);
}

/// Five wrong answers void codes for a request, over a restart, and nothing else.
fn guesses(site: &Site, approvers: &Approvers) {
    let told = asked(site, "valve");
    assert_eq!(told.tries, 5);
    let id = &told.request;
    let wrong = |heard: &str| {
        let misheard = Spoken { user: heard.to_owned(), ..told.clone() };
        approvers.answer("olga", &misheard, "")
    };
    // A slip costs nothing.
    let mut slip = wrong("nora");
    let last = slip.pop();
    slip.push(if last == Some('Z') { 'Y' } else { 'Z' });
    site.shell(&format!("jitctl code enter {id} {slip}")).exits(2).says("No try was counted");
    for (user, left) in
        [("dora", "4 tries are left"), ("cora", "3 tries are left"), ("lora", "2 tries are left")]
    {
        enter(site, id, &wrong(user)).exits(1).says(left);
    }
    site.shell("systemctl kill -s KILL jitd");
    site.shell("systemctl restart jitd").done();
    site.is_ready();
    let again: Spoken = read(&site.shell(&format!("jitctl code show {id} --json")));
    assert_eq!(again.tries, 2, "a restart forgets nothing");
    for (user, left) in [("dora", "1 try is left"), ("cora", "No try is left")] {
        enter(site, id, &wrong(user)).exits(1).says(left);
    }
    let right = wrong("nora");
    enter(site, id, &right).exits(1).says("no code counts for").says("signatures do");
    // After a kill the journal may have a record twice.
    let on_record = || site.logged("code-refused", "wrong=\"true\"").into_iter().collect::<BTreeSet<_>>();
    until(SOON, "five wrong codes are on record", || on_record().len() == 5);

    approvers.0.shell("ssh-keygen -q -t ed25519 -N '' -f /root/key").done();
    site.machine.write(
        "/etc/jit/approvers",
        &format!("olga@plant {}", approvers.0.read("/root/key.pub")),
        0o644,
    );
    site.shell("jitctl policy load").done();
    // Typed from screen to screen, there and back.
    let rows = site.shell(&format!("jitctl offline export {id} --compact")).done().to_owned();
    approvers.0.write("/root/rows", &rows.replace('-', " "), 0o600);
    let signed = approvers.0.shell("jitctl offline sign - --key /root/key --yes --compact </root/rows");
    signed.says("user: nora");
    let signed = signed.done().to_lowercase();
    site.machine.write("/root/signed", &signed, 0o600);
    site.shell("jitctl offline import - </root/signed").exits(0).says("Opened");
    site.shell("jitctl offline import /root/signed").exits(1).says("no longer waits for a review");
    let evidence =
        site.shell(&format!("mkdir /root/evidence && jitctl offline evidence {id} --in /root/evidence"));
    site.shell(evidence.done()).says("Good \"jitd.approval.v1\" signature for olga@plant");
    site.ssh("nora").admits("nora");
}
