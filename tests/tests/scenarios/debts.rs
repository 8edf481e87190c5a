//! What an emergency owes while policy changes under it, and notes of recoveries that cannot be read.

use jit_tests::machine::until;

use crate::requests::{approve, ask, role, stage, sudo};
use crate::site::{Entrance, SOON, Site};

/// What jitd's journal says of faults of its own.
fn faults(site: &Site) -> String {
    site.shell("journalctl --no-pager -o cat -u jitd | grep -a 'fault of jitd' || true").stdout
}

pub(crate) fn of_a_role_that_changes(site: &Site) {
    site.people_with_a_way_in(&["debra", "dorian", "delia"]);
    let stages = stage("afterwards", &["dorian", "delia"], "approvals = 2\n");
    let emergency = || role(site, "debra", "emergency = true\n", &stages);
    let pid = || site.shell("systemctl show -P MainPID jitd").stdout;
    emergency();
    let jitd = pid();

    // The role waits for its stages now: approving what it owes opens nothing and breaks nothing.
    let first = ask(site, "debra", "");
    assert!(first.review_owed, "{first:?}");
    site.logged_in("debra", &format!("jitctl done {}", first.request)).done();
    role(site, "debra", "", &stages);
    approve(site, "dorian", &first.request).done();
    approve(site, "delia", &first.request).done();
    let settled = site.entry(&first.request);
    assert_eq!((settled.review_owed, settled.ended.as_deref()), (false, Some("done")), "{settled:?}");
    site.denies("debra", "no-window", || sudo(site, "debra"));

    // The role is gone: its reviewers are asked no more, and an admin ends it.
    emergency();
    let second = ask(site, "debra", "");
    sudo(site, "debra").admits("root");
    site.shell("rm /etc/jit/policy.d/50-debra.toml && jitctl policy load").done();
    approve(site, "dorian", &second.request).exits(1).says("no request or grant");
    approve(site, "debra", &second.request).exits(1).says("nobody reviews a request that is for themselves");
    assert!(site.entry(&second.request).review_owed);
    let as_root =
        format!("echo 0 >/proc/self/loginuid; jitctl deny --yes {} --reason 'no need'", second.request);
    site.machine.run(&["sh", "-c", &as_root]).done();
    let settled = site.entry(&second.request);
    assert_eq!((settled.review_owed, settled.ended.as_deref()), (false, Some("revoked")), "{settled:?}");

    assert_eq!(pid(), jitd, "jitd went on all the while");
    assert_eq!(faults(site), "");
}

pub(crate) fn unreadable_notes(site: &Site) {
    // A folder where notes are set aside to, and something that is none where the module writes.
    site.shell("mkdir -p /run/jitd/recovered.taken/x && echo 'what is this' >/run/jitd/recovered").done();
    let wake = || assert!(site.shell("jitctl lock user:olga --for 1s").is_ok());
    let unread = |word: &str| !site.logged("recovery-unread", word).is_empty();
    wake();
    until(SOON, "the folder is on record", || unread("recovered.unread.1"));
    wake();
    until(SOON, "what is no note is on record", || unread("recovered.unread.2"));
    site.shell("echo '1700000000 sshd root' >/run/jitd/recovered").done();
    wake();
    until(SOON, "the next note is on record", || {
        site.logged("recovered", "at=\"1700000000\"").iter().any(|line| line.contains("sshd"))
    });
}
