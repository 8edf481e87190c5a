//! jitctl in the hands of those who are not root, or became root.

use jit_proto::text::Typed;
use jit_tests::machine::{Output, until};

use crate::requests::{REASON, ask, role, stage};
use crate::site::{Entrance, Role, SOON, Site};

pub(crate) fn without_privileges(site: &Site) {
    site.person_with_role("uli", &["sshd"]);
    site.person_with_role("ute", &["sshd", "login"]);
    let own = site.open("uli", "uli", "30m");
    let others = site.open("ute", "ute", "30m");
    let uli = |command: &str| site.machine.as_user("uli", command);

    // About oneself.
    uli("jitctl check sshd uli").done();
    uli("jitctl check login uli").exits(1).says("not-eligible");
    uli("jitctl").says(&own.id).does_not_say(&others.id).does_not_say("ute").done();
    uli("jitctl list --all").says(&own.id).does_not_say(&others.id).done();
    uli(&format!("jitctl show {}", own.id)).done();
    uli("jitctl status").says(&own.id).does_not_say(&others.id).does_not_say("Audit").done();

    // About others: what one may not see looks like what is not there.
    uli("jitctl check sshd ute").exits(4).says("check somebody else");
    uli("jitctl check sshd nobody-of-this-name").exits(4).says("check somebody else");
    let hidden = uli(&format!("jitctl show {}", others.id))
        .exits(5)
        .says("no request or grant")
        .stderr
        .replace(&others.id, "ID");
    let absent =
        uli("jitctl show g-00000000").exits(5).says("no request or grant").stderr.replace("g-00000000", "ID");
    assert_eq!(hidden, absent);

    // Orders, from a login of their own; without one nobody gives any.
    for order in [
        "grant uli --role uli --reason 'INC-1 let me in'",
        "grant ute --role ute --reason 'INC-1 let me in'",
        &format!("revoke {}", own.id),
        &format!("revoke {}", others.id),
        "policy load",
    ] {
        site.logged_in("uli", &format!("jitctl {order}")).exits(4).says("only an admin may do this");
        uli(&format!("jitctl {order}")).exits(4).says("this process is in no login");
    }
    uli("jitctl policy show").exits(4).says("may read the whole policy");
    assert_eq!(site.entry(&own.id).state, "active");
    site.shell("test -e /var/lib/jitd/store.db").done();
    for reads in ["cat /var/lib/jitd/store.db", "ls /run/jitd", "cat /var/log/jitd.log"] {
        uli(reads).refuses("Permission denied");
        site.shell(reads).done();
    }
}

/// Who a directory has: an account file can hold them all, useradd(8) would not make them.
const FROM_A_DIRECTORY: [&str; 5] = ["john smith", "müller", r"CORP\kim", "kim@ad.example", "Łukasz"];

pub(crate) fn with_names_of_a_directory(site: &Site) {
    let add = r#"
        printf '%s:x:%d:100::/home/%d:/bin/bash\n' "$1" "$2" "$2" >>/etc/passwd
        printf '%s:*:19000::::::\n' "$1" >>/etc/shadow
        install -d -m 700 -o "$2" "/home/$2" "/home/$2/.ssh"
        install -m 600 -o "$2" /root/.ssh/id_ed25519.pub "/home/$2/.ssh/authorized_keys"
        touch "/home/$2/.hushlogin"
    "#;
    for (name, uid) in FROM_A_DIRECTORY.iter().zip(3100..) {
        site.machine.run(&["sh", "-c", add, "sh", name, &uid.to_string()]).done();
    }
    site.shell("echo 'domain users:x:3199:john smith,müller' >>/etc/group").done();
    site.policy(
        "50-directory",
        r#"[role.directory]
hosts = ["*"]
services = ["sshd"]
eligible = { users = ['CORP\kim', "kim@ad.example", "Łukasz"], groups = ["domain users"] }
max-duration = "4h"
default-duration = "1h"
[[role.directory.stage]]
name = "lead"
approvers = { users = ["root"] }
"#,
    );

    for name in FROM_A_DIRECTORY {
        site.ssh(name).refuses("has no open window");
        site.machine
            .run(&["jitctl", "explain", "sshd", name])
            .says("jitctl request --role directory --reason WHY");
        let order = format!("jitctl grant {} --role directory --reason 'INC-1 look'", Typed(name));
        site.shell(&format!("echo 0 >/proc/self/loginuid; {order}")).done();
        site.ssh(name).admits(name);
        assert_eq!(site.entries_of(name).len(), 1, "{name}");

        let scope = format!("user:{name}");
        let locked = site.machine.run(&["jitctl", "lock", &scope]);
        let refused = site.ssh(name);
        refused.refuses("locked");
        let locked = format!("{}{}", locked.stdout, locked.stderr);
        let unlock = locked.split_once("lift it with: ").and_then(|(_, unlock)| unlock.lines().next());
        site.shell(unlock.unwrap_or_else(|| panic!("{locked}"))).done();
        assert!(
            !site.logged("denied", &format!("user=\"{}\"", name.replace('\\', r"\\"))).is_empty(),
            "{name}"
        );
    }
}

/// sudo in a real login, so that the kernel knows who is behind root.
fn as_root_by_sudo(site: &Site, user: &str, command: &str) -> Output {
    site.machine.run(&["ssh", "-T", &format!("{user}@127.0.0.1"), &format!("sudo -n {command}")])
}

pub(crate) fn becoming_root_makes_no_reviewer(site: &Site) {
    for name in ["wanda", "willi"] {
        site.person(name);
        site.sudoer(name, &format!("{name} ALL=(ALL) NOPASSWD: ALL"));
    }
    site.roles(&[
        Role::new("wanda-in", &["sshd", "sudo"], "wanda"),
        Role::new("wanda", &["login"], "wanda").approved_by("\"root\", \"wanda\"", 1),
        Role::new("willi-in", &["sshd", "sudo"], "willi"),
        Role::new("willi", &["login"], "willi"),
    ]);
    site.open("wanda", "wanda-in", "30m");
    site.open("willi", "willi-in", "30m");
    let grants = |by: &str, whom: &str| {
        let command = format!("jitctl --json grant {whom} --role {whom} --reason 'INC-1 let me in'");
        as_root_by_sudo(site, by, &command)
    };

    // Her own request, although policy names her among the approvers, and she is root.
    let own = grants("wanda", "wanda");
    own.exits(1)
        .says("\"pending\"")
        .says("\"requested_by\": \"wanda\"")
        .says("nobody reviews a request that is for themselves");
    // Somebody else's, where policy names root and not her.
    grants("wanda", "willi").exits(1).says("\"pending\"").says("\"requested_by\": \"wanda\"");
    // Each for the other: nobody has a say here.
    grants("willi", "wanda").exits(1).says("\"pending\"");
    for name in ["wanda", "willi"] {
        let check = site.check("login", name);
        assert_eq!(check.reason, "no-window", "{name} opened a window as root");
        site.login(name).refuses(&format!("{name} waits for role {name}"));
    }
    // Root whom nobody logged in to become has a say.
    site.open("willi", "willi", "30m");
}

pub(crate) fn two_must_agree(site: &Site) {
    site.person("zoe");
    site.roles(&[Role::new("zoe", &["sshd"], "zoe").approved_by("\"root\", \"ana\"", 2)]);
    let entry = site.grant("zoe", "zoe", "30m");
    assert_eq!((entry.state.as_str(), entry.reviews.len()), ("pending", 1), "{entry:?}");
    let waits = entry.waiting_for.unwrap();
    assert_eq!((waits.code.as_str(), waits.approvals), ("approvals", 1), "{waits:?}");
    assert!(waits.users.contains(&"ana".to_owned()) && waits.text.contains("1 approval from"), "{waits:?}");
    // As in `grant`: root who logged in, since others hold sessions of root's beside us.
    let again = "echo 0 >/proc/self/loginuid; jitctl grant zoe --role zoe --reason 'INC-1 once more'";
    site.shell(again).exits(1).says("no window is open yet");
    site.ssh("zoe").refuses("waits for 1 approval from ana, root (stage ");
    site.machine.run(&["jitctl", "revoke", &entry.request]).done();
    assert_eq!(site.entry(&entry.request).ended.as_deref(), Some("withdrawn"));
    // Whom the stage does not ask is told that, though as an admin they may file it.
    site.roles(&[Role::new("zoe", &["sshd"], "zoe").approved_by("\"ana\"", 1)]);
    site.shell(again).exits(1).says("does not count: stage").says("asks ana").says("no window is open yet");
    site.machine.run(&["jitctl", "revoke", "--user", "zoe", "--yes"]).done();
    assert!(site.entries_of("zoe").iter().all(|entry| entry.state == "ended"));
}

pub(crate) fn an_auditor(site: &Site) {
    site.people_with_a_way_in(&["aude", "axel", "anja"]);
    site.policy("60-auditors", "[auditors]\nusers = [\"aude\"]\n");
    role(site, "axel", "", &stage("lead", &["anja"], ""));
    let id = ask(site, "axel", "").request;
    let (aude, anja) = (|what: &str| site.logged_in("aude", what), |what: &str| site.logged_in("anja", what));
    aude("jitctl list").says(&id).done();
    aude(&format!("jitctl show {id}")).says(REASON).done();
    aude("jitctl roles axel").says("axel").done();
    aude("jitctl explain sudo axel").exits(1).says(&id);
    aude("jitctl policy show").says("[auditors]").done();
    // Axel sees his own, from his login.
    site.logged_in("axel", "jitctl roles").says("1 of anja").done();
    site.logged_in("axel", "jitctl explain sudo axel").exits(1).says(&id);
    // Asked is anja, who may see this one, and not everybody's.
    anja(&format!("jitctl show {id}")).done();
    anja("jitctl list").does_not_say(&id).done();
    anja("jitctl roles axel").exits(4).says("roles of somebody else");

    aude("jitctl pending").does_not_say(&id).done();
    aude(&format!("jitctl approve {id}")).exits(1).says("stage 'lead' asks anja");
    aude(&format!("jitctl deny {id} --reason 'no'")).exits(1).says("stage 'lead' asks anja");
    for order in [
        &format!("revoke {id}"),
        "lock host",
        "policy load",
        "grant axel --role axel --reason 'INC-1 for axel'",
    ] {
        let refused = aude(&format!("jitctl {order}"));
        refused.exits(4).says("only an admin may do this");
    }
    assert_eq!(site.entry(&id).state, "pending");
    assert_eq!(site.entry(&id).reviews.len(), 0);
}

/// A script that tries all day fills no log.
pub(crate) fn orders_of_strangers(site: &Site) {
    site.people_with_a_way_in(&["nulf"]);
    let uid = site.shell("id -u nulf").done().to_owned();
    let tries = "for n in $(seq 20); do jitctl lock user:root; done 2>&1; jitctl unlock user:root 2>&1";
    site.logged_in("nulf", tries).says("only an admin may do this");
    let of = |order: &str| {
        let (order, uid) = (format!("order=\"{order}\""), format!("actor=\"{uid}\""));
        let all = site.logged("order-refused", &order);
        all.into_iter().filter(|line| line.contains(&uid)).collect::<Vec<_>>()
    };
    until(SOON, "the last is on record", || !of("Unlock").is_empty());
    let [first] = &of("Lock")[..] else { panic!("{:?}", of("Lock")) };
    assert!(first.contains("why=\"not-admin\"") && first.contains("count=\"1\""), "{first}");
    assert!(site.logged("locked", "user:root").is_empty());
}

pub(crate) fn wrong_orders(site: &Site) {
    site.person_with_role("otto", &["sshd"]);
    let grant = |words: &str| site.shell(&format!("jitctl grant {words} --reason 'INC-1 as asked'"));
    grant("otto --role otto --for 5h").exits(1).says("at most 4h");
    grant("otto --role no-such-role").exits(1).says("no role");
    grant("erik --role otto").exits(1).says("not for erik");
    grant("nobody-of-this-name --role otto").exits(1).says("no account");
    grant("otto --role otto --for yesterday").exits(2).says("a duration has 'y'");
    site.shell("jitctl revoke g-00000000").exits(5).says("no request or grant");
    site.shell("jitctl revoke nonsense").exits(2).says("id must be a grant's");
    site.ssh("otto").is_refused("otto", "otto");

    // Revoking twice is revoking once.
    let window = site.open("otto", "otto", "30m");
    window.revoke();
    site.machine.run(&["jitctl", "revoke", &window.id]).says("already ended").done();
}
