//! A name service that hangs, fails, is slow, answers with another name or loses people, as a real source of
//! nsswitch.conf(5) behind `files`: nobody is locked out whose answer does not depend on it, and nobody put out by it.

#![allow(clippy::print_stdout, reason = "figures are for whoever runs this")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jit_proto::manager::Lock;
use jit_proto::words::Verdict;
use jit_tests::machine::{Output, until};

use crate::ends::{is_put_out, stays};
use crate::site::{Entrance, Role, SOON, Site, read};

/// A role for a group that only the source knows, beside those that name people.
const STAFF: &str = "[role.staff]\nhosts = [\"*\"]\nservices = [\"sshd\"]\neligible = { groups = [\"staff2\"] }\n\
    max-duration = \"4h\"\n[[role.staff.stage]]\napprovers = { users = [\"root\"] }\n\
    [[exempt]]\nusers = [\"root\"]\nservices = [\"sshd\"]\n";

/// Puts the source of names.c into the machine, with an account that it alone knows and that has a window.
pub(crate) fn with_source(site: &Site) {
    with_sources(site, "files jittest");
}

/// From now on accounts and groups come from these.
fn come_from(site: &Site, sources: &str) {
    site.shell(&format!("sed -i -E 's/^(passwd|group):.*/\\1: {sources}/' /etc/nsswitch.conf")).done();
    site.shell("systemctl restart jitd").done();
    site.is_ready();
}

fn with_sources(site: &Site, sources: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/names.c");
    let module = site.machine.path("/lib/x86_64-linux-gnu/libnss_jittest.so.2");
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]).arg(&module).arg(source);
    let done = cc.stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    does(site, "answer");
    come_from(site, sources);
    site.shell(
        "install -d -m 755 -o 7000 -g 7000 /home/remote && install -d -m 700 -o 7000 -g 7000 /home/remote/.ssh &&
         install -m 600 -o 7000 -g 7000 /root/.ssh/id_ed25519.pub /home/remote/.ssh/authorized_keys &&
         touch /home/remote/.hushlogin",
    )
    .done();
    site.policy("45-staff", STAFF);
    site.open("remote", "staff", "1h");
    site.ssh("remote").admits("remote");
}

/// From now on the source does this, for jitd.
pub(crate) fn does(site: &Site, what: &str) {
    site.machine.write("/etc/jittest", &format!("{what}\n"), 0o644);
}

/// Refused for what the source does not say, on the screen and in the record.
#[track_caller]
fn is_refused_for_it(site: &Site, user: &str, refused: &Output, what: &str) {
    refused.refuses(&format!("the name service (jittest) does not say {what}"));
    until(SOON, "the record says why", || {
        site.logged("denied", "why=\"name-service\"").iter().any(|line| line.contains(user))
    });
}

pub(crate) fn hangs(site: &Site) {
    with_source(site);
    for name in ["lena", "olaf"] {
        site.person(name);
    }
    site.sudoer("lena", "lena ALL=(ALL:ALL) NOPASSWD: ALL");
    site.roles(&[Role::new("lena", &["sshd", "login", "sudo"], "lena")]);
    site.open("lena", "lena", "1h");
    let without = check_takes(site);

    does(site, "hang");
    // Whom rules name gets in, from wherever, and root under its exemption.
    site.ssh("lena").admits("lena");
    site.login("lena").admits("lena");
    site.logged_in("lena", "sudo -n id -un").admits("root");
    site.ssh("root").admits("root");
    // Root's orders need no name service.
    let entry = site.grant("lena", "lena", "30m");
    assert_eq!(entry.user, "lena", "{entry:?}");
    let locked: Lock = read(&site.machine.run(&["jitctl", "--json", "lock", "user:olaf"]));
    assert_eq!(locked.scope, "user:olaf");
    site.machine.run(&["jitctl", "unlock", "user:olaf"]).done();
    site.machine.run(&["jitctl", "clock", "accept"]).exits(1).says("the clock is not suspect");
    site.machine.run(&["jitctl", "lock", "group:staff2"]).done();
    // Whoever may be in it stays out, but for root under its exemption.
    is_refused_for_it(site, "lena", &site.ssh("lena"), "whether lena is in the group staff2");
    site.ssh("root").admits("root");
    site.machine.run(&["jitctl", "unlock", "group:staff2"]).done();
    // Where a group could still change the answer, and where the account is not known, it is refused, with the source.
    is_refused_for_it(site, "olaf", &site.ssh("olaf"), "whether olaf is in the group staff2");
    is_refused_for_it(site, "remote", &site.ssh("remote"), "who remote is");
    let refused = site.machine.run(&["jitctl", "grant", "r001", "--role", "staff", "--reason", "INC-1 look"]);
    refused.refuses("the name service (jittest) does not say who r001 is; try again");

    // Two hundred that hang keep nobody else waiting.
    site.shell(
        "for n in $(seq -f %03g 0 199); do jitctl check sshd r$n >/dev/null 2>&1 & \
         [ $((10#$n % 40)) -eq 39 ] && wait; done; wait",
    );
    let threads = site.shell("sed -n 's/^Threads:[[:space:]]*//p' /proc/$(pidof jitd)/status");
    let threads: u32 = threads.done().parse().unwrap();
    assert!(threads > 200, "{threads} threads: the lookups still hang");
    let with = check_takes(site);
    println!(
        "a local user's check: {without:?} (median of 20), {with:?} with 200 lookups that hang ({threads} threads)"
    );
    assert!(with < without + Duration::from_secs(1), "{with:?}, without {without:?}");
    site.ssh("lena").admits("lena");
    site.ssh("root").admits("root");

    // The twin: it answers again, and so do the questions that hung.
    does(site, "answer");
    site.ssh("remote").admits("remote");
    site.ssh("olaf").refuses("no role opens sshd on");
    let left = "sed -n 's/^Threads:[[:space:]]*//p' /proc/$(pidof jitd)/status";
    until(SOON, "the threads are gone", || site.shell(left).done().parse::<u32>().unwrap() < 50);
}

/// The median of what a check of lena's takes, by jitctl, its own start included.
fn check_takes(site: &Site) -> Duration {
    let mut took: Vec<_> = (0..20)
        .map(|_| {
            let began = Instant::now();
            assert_eq!(site.check("sshd", "lena").verdict, Verdict::Allow);
            began.elapsed()
        })
        .collect();
    took.sort();
    took[took.len() / 2]
}

pub(crate) fn other_answers(site: &Site) {
    with_source(site);
    site.person_with_role("lena", &["sshd"]);
    site.open("lena", "lena", "1h");
    for (what, why) in [
        ("fail", Some("name-service")),
        ("slow", None),
        ("shout", Some("unknown-user")),
        ("answer", None),
        ("lose", Some("unknown-user")),
    ] {
        does(site, what);
        site.ssh("lena").admits("lena");
        match why {
            None => site.ssh("remote").admits("remote"),
            // sshd shows nothing to somebody unknown: the module's line says why.
            Some(why) => site.denies("remote", why, || site.ssh("remote")),
        }
    }
}

/// A directory that folds case: one account, one person, one window, however they type their name.
pub(crate) fn folds_case(site: &Site) {
    with_source(site);
    // The twin: where it does not, REMOTE is nobody.
    site.machine.run(&["jitctl", "check", "sshd", "REMOTE"]).refuses("there is no account REMOTE");

    does(site, "fold");
    for spelled in ["REMOTE", "Remote", "remote"] {
        site.ssh(spelled).admits("remote");
    }
    // On record they are who they are, and have one window.
    assert!(site.logged("allowed", "user=\"REMOTE\"").is_empty());
    assert_eq!(site.entries_of("remote").len(), 1);
    assert_eq!(site.check("sshd", "REMOTE").verdict, Verdict::Allow);
    // An order about one spelling is about the account.
    let entry = site.grant("REMOTE", "staff", "30m");
    assert_eq!(entry.user, "remote", "{entry:?}");
    site.machine.run(&["jitctl", "lock", "user:ReMoTe"]).done();
    for spelled in ["REMOTE", "remote"] {
        site.ssh(spelled).refuses("is locked");
    }
    site.machine.run(&["jitctl", "unlock", "user:ReMoTe"]).done();
    site.open("Remote", "staff", "30m");
    site.ssh("REMOTE").admits("remote");

    // An account of this host's own is not theirs by a spelling: names of two uids are two people.
    site.shell("echo 'remote:*:4711:4711::/home/remote:/bin/bash' >>/etc/passwd").done();
    site.denies("REMOTE", "unknown-user", || site.ssh("REMOTE"));
}

/// Has jitd ask about everybody at once: another group counts.
fn looks_again(site: &Site, n: u32) {
    let text = format!("version = 1\n[auditors]\ngroups = [\"empty{n}\"]\n");
    site.machine.write("/etc/jit/policy.d/46-more.toml", &text, 0o644);
    site.shell("systemctl reload jitd").done();
    until(SOON, "the policy is in force", || {
        site.shell("jitctl --json policy show").stdout.contains(&format!("empty{n}"))
    });
    // By then the time that anybody waits is over.
    let asked = site.machine.run(&["jitctl", "check", "sshd", "r001"]);
    asked.refuses("r001");
}

#[track_caller]
fn remote_is_in(site: &Site) {
    // A session of before may be listed still.
    let listed =
        || site.sessions().into_iter().filter(|one| one.user == "remote" && one.state == "open").count();
    until(SOON, "they are in, once", || listed() == 1);
}

pub(crate) fn ends_no_session(site: &Site) {
    with_source(site);
    let session = stays(site, "remote", "");
    does(site, "hang");
    looks_again(site, 3);
    does(site, "fail");
    looks_again(site, 4);
    remote_is_in(site);
    // The twin: one that says that they are no more puts them out.
    does(site, "lose");
    looks_again(site, 5);
    is_put_out(session);
    assert!(!site.logged("session-over", "role-changed").is_empty());
}

/// The C library tells what the last source says, and that is "no such account" here, whatever became of the one before.
pub(crate) fn fails_unheard(site: &Site) {
    with_sources(site, "files jittest files");
    site.person_with_role("lena", &["sshd"]);
    site.open("lena", "lena", "1h");
    let session = stays(site, "remote", "");
    does(site, "fail");
    looks_again(site, 3);
    remote_is_in(site);
    site.ssh("lena").admits("lena");
    is_refused_for_it(site, "remote", &site.ssh("remote"), "who remote is");
    // What only that source knows is there to be locked, and the lock binds whoever may be in it.
    site.machine.run(&["jitctl", "lock", "group:empty2"]).done();
    let refused = site.ssh("lena");
    is_refused_for_it(site, "lena", &refused, "which of the groups empty2, staff2 lena is in");
    refused.says("nsswitch.conf asks files behind jittest").says("put jittest last");
    site.shell("journalctl -o cat -u jitd --no-pager").says("put jittest last");
    remote_is_in(site);
    site.machine.run(&["jitctl", "unlock", "group:empty2"]).done();

    // The twin: what it says when it is there counts.
    does(site, "answer");
    site.ssh("remote").admits("remote");
    site.ssh("lena").admits("lena");
    // And its no, where it cannot fail unheard: that lena is not in the group, and that remote is no more.
    come_from(site, "files jittest [UNAVAIL=return TRYAGAIN=return] files");
    site.machine.run(&["jitctl", "lock", "group:empty2"]).done();
    site.ssh("lena").admits("lena");
    does(site, "fail");
    is_refused_for_it(site, "lena", &site.ssh("lena"), "which of the groups empty2, staff2 lena is in");
    remote_is_in(site);
    does(site, "lose");
    looks_again(site, 4);
    is_put_out(session);
}
