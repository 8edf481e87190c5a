//! The logs that the records go to, when these are slow, full, replaced, far away or short of patience: none delays
//! anybody, and none misses or doubles a record.

use std::collections::BTreeSet;
use std::time::Duration;

use jit_tests::machine::{Running, until};

use crate::audit::{LOG, numbers_in, rsyslog_stops};
use crate::door::far_network;
use crate::site::{Entrance, SOON, Site};
use crate::store::audited;

/// A log that listens on rsyslog's socket and reads nothing before it is told to; then it writes down all that waits, and
/// goes.
const DEAF: &str = r#"
import os, socket, sys, time
path = "/run/jitd/syslog"
if os.path.exists(path): os.unlink(path)
# As the kernel has it where systemd does not raise it (unix(7)).
open("/proc/sys/net/unix/max_dgram_qlen", "w").write("10")
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind(path)
print("listening", flush=True)
while not os.path.exists("/run/read-it"): time.sleep(0.05)
# Whoever comes from now on finds no socket, and whoever holds this one is told that nobody reads: what is in it was taken.
os.unlink(path)
log.shutdown(socket.SHUT_RD)
log.setblocking(False)
with open("/root/deaf.log", "wb") as out:
    while True:
        try: out.write(log.recv(65536).rstrip(b"\n") + b"\n")
        except BlockingIOError: break
    out.flush()
"#;

/// How many records a log has not taken.
fn waiting(site: &Site, log: &str) -> u64 {
    let unsent = site.status().unsent.unwrap();
    unsent.into_iter().find_map(|of| (of.log == log).then_some(of.records)).unwrap()
}

/// Something that happens, so many times; each is some records.
fn things_happen(site: &Site, who: &str, times: usize) {
    let script = format!(
        "set -e; for n in $(seq {times}); do
            id=$(jitctl --json grant {who} --role {who} --for 30m --reason 'INC-1 again' | sed -n 's/.*\"grant\": \"\\(.*\\)\",/\\1/p')
            jitctl revoke \"$id\" >/dev/null
        done"
    );
    site.machine.run_within(SOON * 4, &["sh", "-c", &script]).done();
}

pub(crate) fn full_and_replaced(site: &Site) {
    site.person_with_role("ruth", &["sshd"]);
    rsyslog_stops(site);
    site.machine.write("/root/deaf.py", DEAF, 0o644);
    let deaf = site.machine.start(Duration::from_mins(5), &["python3", "/root/deaf.py"]);
    until(SOON, "the deaf one listens", || site.shell("test -S /run/jitd/syslog").is_ok());

    // Its queue takes some, then none: people get in and out all the same.
    let window = site.open("ruth", "ruth", "30m");
    site.ssh("ruth").admits("ruth");
    window.revoke();
    things_happen(site, "ruth", 5);
    until(SOON, "its queue is full", || waiting(site, "syslog") > 0);
    let window = site.open("ruth", "ruth", "30m");
    site.ssh("ruth").admits("ruth");
    window.revoke();
    site.ssh("ruth").is_refused("ruth", "ruth");

    // Another socket in its place.
    site.shell("touch /run/read-it").done();
    deaf.output().done();
    site.shell("systemctl start rsyslog").done();
    until(SOON * 3, "nothing waits", || waiting(site, "syslog") == 0);
    let there_are = audited(site).len();
    let all = || [numbers_in(site, LOG), numbers_in(site, "/root/deaf.log")].concat();
    until(SOON, "rsyslog has written it", || all().len() >= there_are);
    let deafs = numbers_in(site, "/root/deaf.log");
    assert!(!deafs.is_empty() && deafs.is_sorted(), "{deafs:?}");
    let mut all = all();
    all.sort_unstable();
    assert_eq!(all[..there_are], (0..there_are).collect::<Vec<_>>(), "each once");
}

pub(crate) fn a_small_burst(site: &Site) {
    site.person_with_role("rose", &["sshd"]);
    // journald lets a service have so many messages in half a minute, times what its disk has room for.
    site.shell("mkdir -p /etc/systemd/journald.conf.d").done();
    site.machine.write(
        "/etc/systemd/journald.conf.d/small.conf",
        "[Journal]\nRateLimitIntervalSec=30s\nRateLimitBurst=1\n",
        0o644,
    );
    site.shell("systemctl restart systemd-journald").done();
    site.shell("systemd-run --quiet --wait --unit others sh -c 'for n in $(seq 400); do echo line $n; done'")
        .done();
    let others = || site.shell("journalctl -q --no-pager -o cat -u others | grep -c '^line '").stdout;
    until(SOON, "others have messages", || !others().trim().is_empty());
    assert!(others().trim().parse::<usize>().unwrap() < 400, "journald drops what comes too fast");

    things_happen(site, "rose", 40);
    let there_are = audited(site).len();
    assert!(there_are > 150, "{there_are} records");
    let journals = || {
        let said =
            site.shell("journalctl -q --no-pager -o json --output-fields=JIT_SEQ SYSLOG_IDENTIFIER=jitd");
        let number = |line: &str| {
            let fields: serde_json::Value = serde_json::from_str(line).ok()?;
            fields["JIT_SEQ"].as_str()?.parse::<usize>().ok()
        };
        said.stdout.lines().filter_map(number).collect::<Vec<_>>()
    };
    until(SOON, "nothing waits", || waiting(site, "journal") == 0);
    until(SOON, "the journal has all", || journals().len() >= there_are);
    assert_eq!(journals()[..there_are], (0..there_are).collect::<Vec<_>>(), "each once, in order");
}

/// Makes a CA that both sides know, and a key and a certificate for each name, in /root/tls.
const CA: &str = r#"set -e
mkdir -p /root/tls && cd /root/tls
new() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" "${@:2}"; }
new "A site's CA" -x509 -days 2 -keyout ca.key -out ca.pem
for name in loghost.example bed.hosts.example impostor.example; do
    new "$name" -keyout "$name.key" -out "$name.csr"
    printf 'subjectAltName=DNS:%s\n' "$name" >"$name.ext"
    openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile "$name.ext" \
        -out "$name.pem"
done
"#;

/// The shipped configuration of a log host, with this certificate, in a network of its own.
fn log_host(site: &Site, name: &str) -> Running {
    let script = format!(
        "set -e; mkdir -p /root/far && cd /root/far
         sed -e 's|/var/log/jitd|/root/far|' -e 's|/etc/rsyslog.d/jitd.d/host|/root/tls/{name}|' \
             -e 's|/etc/rsyslog.d/jitd.d|/root/tls|' \
             /usr/share/doc/pam-jit/examples/rsyslog/loghost.conf >{name}.conf
         exec ip netns exec far rsyslogd -n -f /root/far/{name}.conf -i /root/far/{name}.pid"
    );
    let running = site.machine.start(Duration::from_mins(10), &["sh", "-c", &script]);
    let listens = "ip netns exec far ss -Hltn 'sport = :6514' | grep -q .";
    until(SOON, "it listens", || site.shell(listens).is_ok());
    running
}

fn stop(site: &Site, name: &str) {
    site.shell(&format!("kill $(cat /root/far/{name}.pid)")).done();
    until(SOON, "it is gone", || !site.shell(&format!("test -e /root/far/{name}.pid")).is_ok());
}

pub(crate) fn another_machine_over_tls(site: &Site) {
    const FAR: &str = "/root/far/bed.log";

    site.person_with_role("rhea", &["sshd"]);
    far_network(site);
    site.shell(CA).done();
    site.shell(
        "echo '192.0.2.2 loghost.example' >>/etc/hosts && mkdir -p /etc/rsyslog.d/jitd.d && cd /etc/rsyslog.d/jitd.d &&
         cp /root/tls/ca.pem . && cp /root/tls/bed.hosts.example.pem host.pem && cp /root/tls/bed.hosts.example.key host.key &&
         cp /usr/share/doc/pam-jit/examples/rsyslog/to-loghost.conf .",
    )
    .done();
    site.shell("rsyslogd -N1 2>&1").done();

    // Whoever answers under another name, though the same CA vouches for it, gets nothing; nobody waits for that.
    let impostor = log_host(site, "impostor.example");
    site.shell("systemctl restart rsyslog").done();
    let before = audited(site).len();
    let window = site.open("rhea", "rhea", "30m");
    site.ssh("rhea").admits("rhea");
    window.revoke();
    site.ssh("rhea").is_refused("rhea", "rhea");
    until(SOON * 3, "rsyslog has tried", || {
        site.shell("journalctl -q --no-pager -t rsyslogd | grep -F 'peer name not authorized'").is_ok()
    });
    site.shell(&format!("test ! -s {FAR}")).done();
    stop(site, "impostor.example");
    drop(impostor.output());

    let _right = log_host(site, "loghost.example");
    let there_are = audited(site).len();
    assert!(there_are > before, "something happened");
    let came = || site.shell(&format!("cat {FAR} 2>/dev/null")).stdout;
    let numbers = || came().lines().filter_map(crate::audit::number).collect::<Vec<_>>();
    until(Duration::from_mins(2), "it has all since then", || numbers().contains(&(there_are - 1)));
    // Syslog acknowledges nothing (RFC 5425): what was on its way when a connection broke may come again, and has its number.
    let numbers: BTreeSet<_> =
        numbers().into_iter().filter(|seq| (before..there_are).contains(seq)).collect();
    assert_eq!(numbers, (before..there_are).collect(), "each of them");
    // Byte for byte what is in the host's own file.
    let own = site.machine.read(LOG);
    for line in came().lines() {
        assert!(own.lines().any(|one| one == line), "{line}");
    }
    stop(site, "loghost.example");
}
