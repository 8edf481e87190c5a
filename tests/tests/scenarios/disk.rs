//! The store when its disk fails it: jitd denies, says which, and loses nothing that it confirmed (law 7).

use std::time::Duration;

use jit_tests::machine::until;

use crate::site::{Entrance, SOON, Site};
use crate::store::audited;

/// Puts jitd's folder on a small disk of its own.
fn on_a_small_disk(site: &Site) {
    site.shell(
        "systemctl stop jitd && cp -a /var/lib/jitd /run/before &&
         mount -t tmpfs -o size=4m,mode=0700 small /var/lib/jitd && cp -a /run/before/. /var/lib/jitd/ &&
         systemctl start jitd",
    )
    .done();
    site.is_ready();
}

/// jitd runs and cannot decide: it says why, root recovers, others do not get in.
fn cannot_decide(site: &Site, because: &str) {
    until(SOON, "jitd notices", || site.machine.run(&["jitctl", "status"]).status == 1);
    site.machine.run(&["jitctl", "status"]).says("NOT READY").says(because);
    assert!(!site.status().ready);
    site.ssh("dina").refuses("does not answer");
    site.ssh("root").admits("root");
    let grant = "jitctl grant dina --role dina --reason 'INC-1 not now'";
    site.shell(grant).exits(3).says("cannot decide").says("Nothing was changed");
    let said = site.shell("journalctl --no-pager -o cat -u jitd").stdout;
    assert!(said.contains(because), "the journal says why: {said}");
}

/// All is well again, and the two windows are as they were.
fn decides_again(site: &Site, open: &str, gone: &str) {
    until(Duration::from_secs(30), "jitd is back", || site.machine.run(&["jitctl", "status"]).is_ok());
    site.ssh("dina").admits("dina");
    site.denies("root", "not-eligible", || site.ssh("root"));
    assert_eq!(site.entry(open).state, "active");
    assert_eq!(site.entry(gone).ended.as_deref(), Some("revoked"));
    audited(site);
}

/// An open window and a revoked one, on record.
fn two_windows(site: &Site) -> (String, String) {
    site.person_with_role("dina", &["sshd"]);
    let gone = site.open("dina", "dina", "30m");
    gone.revoke();
    (site.open("dina", "dina", "30m").id, gone.id)
}

pub(crate) fn full(site: &Site) {
    on_a_small_disk(site);
    let (open, gone) = two_windows(site);
    site.ssh("dina").admits("dina");
    site.shell("jitctl status").does_not_say("NEARLY FULL").done();
    site.shell("dd if=/dev/zero of=/var/lib/jitd/most bs=1k count=$(($(df --output=avail /var/lib/jitd | tail -n 1) - 300)) status=none")
        .done();
    site.shell("jitctl status").says("THE DISK IS NEARLY FULL").done();
    // To the last byte.
    site.shell("dd if=/dev/zero of=/var/lib/jitd/filler bs=1k status=none").says("No space left");
    // Whoever fits into the pages that are there still gets in; soon nobody does.
    until(SOON * 2, "a login is refused", || !site.ssh("dina").is_ok());
    cannot_decide(site, "full");
    site.shell("rm /var/lib/jitd/filler /var/lib/jitd/most").done();
    decides_again(site, &open, &gone);
}

pub(crate) fn read_only(site: &Site) {
    on_a_small_disk(site);
    let (open, gone) = two_windows(site);
    site.shell("systemctl stop jitd && mount -o remount,ro /var/lib/jitd && systemctl start jitd").done();
    cannot_decide(site, "read");
    // The mount that jitd's sandbox has of it remembers, other than a disk that was mended, that it was read-only.
    let in_the_sandbox = "nsenter --mount --target \"$(systemctl show -P MainPID jitd)\"";
    let writable = "mount -o remount,rw /var/lib/jitd";
    site.shell(&format!("{writable} && {in_the_sandbox} {writable}")).done();
    decides_again(site, &open, &gone);
}

const STORE: &str = "/var/lib/jitd/store.db";

/// Stops jitd and puts all of its store into the one file: what is damaged is then not made good from the
/// write-ahead log.
const STOP: &str = "systemctl stop jitd && cd /var/lib/jitd && rm -f /run/good.db &&
                    sqlite3 store.db 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null && rm -f store.db-* &&
                    cp store.db /run/good.db";

pub(crate) fn damaged(site: &Site) {
    let (open, gone) = two_windows(site);
    for (damage, because) in [
        ("head -c 8192 /dev/urandom | dd of=STORE conv=notrunc status=none", "not a database"),
        ("dd if=/dev/urandom of=STORE bs=4096 seek=1 count=200 conv=notrunc status=none", "malformed"),
        ("truncate -s 5000 STORE", "malformed"),
        ("sqlite3 STORE \"UPDATE grant_ SET body = '{}'\"", "damaged"),
        ("sqlite3 STORE 'PRAGMA user_version = 99'", "newer"),
    ] {
        site.shell(STOP).done();
        site.shell(&damage.replace("STORE", STORE)).done();
        site.shell("systemctl start jitd").done();
        cannot_decide(site, because);
        site.shell(&format!("systemctl stop jitd; rm -f {STORE}-*; cp /run/good.db {STORE}")).done();
        site.shell("systemctl start jitd").done();
        decides_again(site, &open, &gone);
    }
}
