//! The store when its disk fails it: jitd denies, says which, and loses nothing that it confirmed (law 7).

use std::time::Duration;

use jit_proto::manager::Entry;
use jit_tests::machine::until;

use crate::site::{Entrance, Role, SOON, Site, read};
use crate::store::audited;

/// Puts jitd's folder on a disk of its own, of so many MiB. The room that the store has kept on a large disk stays there.
pub(crate) fn on_a_disk_of(site: &Site, mib: u32) {
    site.shell(&format!(
        "systemctl stop jitd && cp -a /var/lib/jitd /run/before && sqlite3 /run/before/store.db VACUUM &&
         mount -t tmpfs -o size={mib}m,mode=0700 small /var/lib/jitd && cp -a /run/before/. /var/lib/jitd/ &&
         systemctl start jitd"
    ))
    .done();
    site.is_ready();
}

/// Puts jitd's folder on a small disk of its own.
fn on_a_small_disk(site: &Site) {
    on_a_disk_of(site, 4);
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
    on_a_disk_of(site, 64);
    let (open, gone) = two_windows(site);
    let other = site.open("dina", "dina", "30m");
    site.shell("jitctl status").does_not_say("NEARLY FULL").done();
    let left = "df --output=avail /var/lib/jitd | tail -n 1";
    let most = "dd if=/dev/zero of=/var/lib/jitd/most bs=1k status=none";
    site.shell(&format!("{most} count=$(($({left}) - 2048))")).done();
    site.shell("jitctl status").says("THE DISK IS NEARLY FULL").done();
    // To the last byte.
    site.shell("dd if=/dev/zero of=/var/lib/jitd/filler bs=1k status=none").says("No space left");

    // Whoever has a window logs in again and again. That leaves what ends access what it needs.
    let many = "for n in $(seq 100); do pamtester sshd dina acct_mgmt; done 2>/dev/null | grep -c 'account management'";
    until(SOON * 10, "logins stop", || {
        site.shell(many);
        !site.ssh("dina").is_ok()
    });
    site.denies("dina", "no-room", || site.ssh("dina"));
    site.machine.run(&["jitctl", "status"]).says("THE DISK IS FULL").done();
    other.revoke();
    site.machine.run(&["jitctl", "lock", "service:su", "--message", "INC-2 enough"]).done();
    site.machine.run(&["jitctl", "unlock", "service:su"]).done();
    site.denies("dina", "no-room", || site.ssh("dina"));

    // A start looks anew.
    site.shell("rm /var/lib/jitd/filler /var/lib/jitd/most && systemctl restart jitd").done();
    site.is_ready();
    decides_again(site, &open, &gone);
}

/// Takes all room on jitd's disk, and whatever is given back, as fast as it can.
fn a_filler_runs(site: &Site) {
    let takes = "while :; do cat /dev/zero >>/var/lib/jitd/filler 2>/dev/null; done";
    site.shell(&format!("systemd-run --quiet --unit=filler sh -c '{takes}' 2>/dev/null")).done();
    until(SOON, "the disk is full", || {
        site.shell("df --output=avail /var/lib/jitd | tail -n 1").stdout.trim() == "0"
    });
}

pub(crate) fn nearly_full(site: &Site) {
    site.person_with_role("dina", &["sshd", "su"]);
    site.person_with_role("emil", &["sshd"]);
    site.person("erna");
    site.roles(&[Role::new("break-glass", &["sshd"], "erna").with("emergency = true\n")]);
    on_a_disk_of(site, 64);
    let open = site.open("dina", "dina", "30m");
    let other = site.open("dina", "dina", "30m").id;
    site.open("emil", "emil", "30m");
    let stays = site.stays_logged_in("dina", 1913);

    a_filler_runs(site);
    // jitd looks with every question and order, and each minute.
    site.shell("jitctl status").says("THE DISK IS NEARLY FULL").says("are kept for the records of").done();
    until(SOON, "it is on record", || !site.logged("disk-short", "free=").is_empty());
    let ask = "jitctl --json request --yes --role dina --reason 'INC-1 once more'";
    let grant = || site.grant_because("dina", "dina", "30m", "INC-1 not now");
    grant().exits(1).says("the disk of this host is nearly full").says("emergency roles open all the same");
    site.machine.as_user("dina", ask).exits(1).says("the disk of this host is nearly full");

    // A window that is open goes on, and ends with its record.
    site.ssh("dina").admits("dina");
    site.machine.run(&["jitctl", "revoke", &other]).done();
    open.revoke();
    stays.output().is_cut_off();
    until(SOON, "the end is on record", || !site.logged("sessions-ended", &open.id).is_empty());
    site.denies("dina", "no-window", || site.ssh("dina"));

    // So do emergencies, and locks.
    let emergency = "jitctl --json request --yes --role break-glass --reason 'INC-2 the disk is full'";
    let entry: Entry = read(&site.machine.as_user("erna", emergency));
    assert_eq!(entry.state, "active", "{entry:?}");
    site.ssh("erna").admits("erna");
    site.machine.run(&["jitctl", "lock", "user:erna", "--message", "INC-2 enough"]).done();
    site.denies("erna", "locked", || site.ssh("erna"));
    site.machine.run(&["jitctl", "unlock", "user:erna"]).done();

    // jitd is stopped, somebody recovers, and jitd starts, all on the full disk.
    site.shell("systemctl mask --quiet --runtime jitd && systemctl stop jitd").done();
    site.ssh("root").admits("root");
    site.shell("systemctl unmask --quiet --runtime jitd && systemctl start jitd").done();
    site.is_ready();
    until(SOON, "the recovery is on record", || !site.logged("recovered", "user=\"root\"").is_empty());
    grant().exits(1).says("the disk of this host is nearly full");
    site.ssh("emil").admits("emil");
    assert_eq!(
        site.shell("df --output=avail /var/lib/jitd | tail -n 1").stdout.trim(),
        "0",
        "it is full still"
    );

    site.shell("systemctl stop filler && rm /var/lib/jitd/filler").done();
    // By itself that takes five minutes; a start looks anew.
    grant().exits(1).says("the disk of this host is nearly full");
    site.shell("systemctl restart jitd").done();
    site.is_ready();
    site.shell("jitctl status").does_not_say("NEARLY FULL").done();
    grant().done();
    site.ssh("dina").admits("dina");
    audited(site);
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
