//! What one user takes is their own: while users hold connections, flood the bus and stop what they have started, an
//! exempt root, a login with a window and root's orders are answered.

use std::time::Duration;

use jit_proto::words::Verdict;
use jit_tests::machine::{Running, until};

use crate::site::{Role, SOON, Site};
use crate::stage::{count, say};

/// Connections of the private socket that are open, as everybody can see in /proc/net/unix.
pub(crate) fn open_connections(site: &Site) -> usize {
    // The socket that listens is not among them: it is in the network that jitd has to itself.
    site.shell("grep -c ' /run/jitd/private$' /proc/net/unix").stdout.trim().parse().unwrap()
}

/// Cheap to check: it is the rest of su that is attacked.
fn cheap_password(site: &Site, user: &str) {
    site.shell(&format!("echo {user}:pw | chpasswd --crypt-method MD5")).done();
}

/// How long each of so many runs takes, and the slowest but one in twenty, in milliseconds. Each must succeed.
fn p95(site: &Site, what: &str, runs: u32, command: &str) -> u64 {
    let script = format!(
        "for run in $(seq {runs}); do
             began=${{EPOCHREALTIME/./}}
             {command} >/tmp/said 2>&1 || {{ echo \"failed: $(cat /tmp/said)\"; exit 1; }}
             echo $((${{EPOCHREALTIME/./}} - began))
         done"
    );
    let output = site.machine.run_within(SOON * 4, &["bash", "-c", &script]);
    let mut took: Vec<u64> = output.done().lines().map(|micros| micros.parse().unwrap()).collect();
    took.sort_unstable();
    let p95 = took[(took.len() * 95).div_ceil(100) - 1] / 1000;
    say(&format!("  {what}: p95 {p95} ms of {runs}\n"));
    p95
}

/// Logins and orders that nobody's attack may hold up.
fn others_get_in(site: &Site, during: &str) {
    let pam = "pamtester sshd";
    let slowest = [
        p95(site, &format!("{during}: exempt root's check"), 10, &format!("{pam} root acct_mgmt")),
        p95(site, &format!("{during}: a check with a window"), 10, &format!("{pam} next acct_mgmt")),
        p95(site, &format!("{during}: jitctl lock"), 10, "jitctl lock user:locked --message x"),
        p95(site, &format!("{during}: ssh"), 2, "ssh -o BatchMode=yes -T next@127.0.0.1 true"),
    ];
    // The rule is 1 s; this machine shares two processors with others, and ssh alone may take as long.
    assert!(slowest[..3].iter().all(|took| *took < 3000), "{during}: {slowest:?} ms");
}

/// People who are to get in, and the attackers.
pub(crate) fn people(site: &Site, attackers: &[&str]) {
    site.person_with_role("next", &["sshd", "su"]);
    site.person("locked");
    site.policy("45-root", "[[exempt]]\nusers = [\"root\"]\nservices = [\"sshd\"]\n");
    site.open("next", "next", "30m");
    for attacker in attackers {
        site.person(attacker);
        cheap_password(site, attacker);
    }
}

/// Starts so many su of somebody's to themselves, and stops each where it is as soon as told to.
fn start_su(site: &Site, user: &str, so_many: usize) -> Running {
    let script = format!(
        "exec 2>/dev/null; for one in $(seq {so_many}); do (echo pw | exec su {user} -c true) >/dev/null & done
         until [ -e /tmp/{user}-stops ]; do sleep 0.1; done; pkill -STOP -x -U {user} su
         touch /tmp/{user}-stopped; until [ -e /tmp/{user}-ends ]; do sleep 0.1; done"
    );
    site.machine.start_as(user, Duration::from_secs(280), &script)
}

/// Starts one su after another and stops each a moment after it has connected to jitd, which everybody sees in
/// /proc/net/unix: some before they have asked, some when the answer is there.
const STOPS: &str = r#"
import os, signal, sys, time
user, so_many = sys.argv[1], int(sys.argv[2])
def connected():
    return open("/proc/net/unix").read().count("/run/jitd/private")
for _ in range(so_many):
    theirs, ours = os.pipe()
    before = connected()
    su = os.fork()
    if su == 0:
        os.dup2(theirs, 0); os.dup2(os.open("/dev/null", os.O_WRONLY), 1); os.dup2(1, 2)
        os.close(ours); os.execvp("su", ["su", user, "-c", "true"])
    os.write(ours, b"pw\n"); os.close(ours); os.close(theirs)
    until = time.time() + 2
    while connected() <= before and time.time() < until and os.waitpid(su, os.WNOHANG) == (0, 0): pass
    time.sleep(os.urandom(1)[0] * 0.00002)
    try: os.kill(su, signal.SIGSTOP)
    except OSError: pass
open("/tmp/" + user + "-stopped", "w").close()
time.sleep(250)
"#;

/// The first attack: nobody can get at a setuid program's answer by waiting for who started it.
pub(crate) fn stopped_su(site: &Site) {
    let all = count("JIT_STOPPED", 200);
    let attackers = ["stan", "stina"];
    people(site, &attackers);
    others_get_in(site, "nobody attacks");
    let held = || open_connections(site);

    // Before they have asked. Their module waits as long as it may, and jitd is slow to begin with.
    site.shell("sed -i 's/^account.*pam_jit.so.*/& timeout=30/' /etc/pam.d/su").done();
    site.shell("systemctl kill --signal=STOP jitd").done();
    let runs: Vec<_> = attackers.iter().map(|user| start_su(site, user, all / attackers.len())).collect();
    let asking = all * 9 / 10;
    until(SOON * 2, "they have connected", || held() >= asking);
    for user in attackers {
        site.shell(&format!("touch /tmp/{user}-stops")).done();
        until(SOON, "they are stopped", || site.machine.path(&format!("/tmp/{user}-stopped")).exists());
    }
    site.shell("systemctl kill --signal=CONT jitd").done();
    let most = held();
    until(SOON, "what is over their shares is turned away", || held() <= 128);
    others_get_in(site, &format!("{all} su stopped before they have asked"));
    say(&format!("  {all} su stopped before they have asked: {most} connections, then {}\n", held()));
    site.shell("journalctl -o cat -u jitd --no-pager").says("turned away from the private socket");
    site.shell("touch /tmp/stan-ends /tmp/stina-ends; pkill -KILL -x su; rm -f /tmp/*-stopped").done();
    for run in runs {
        drop(run.output());
    }

    // At any time, and some when they have been answered: such a connection is over, whoever holds its other end.
    site.machine.write("/usr/local/lib/stops.py", STOPS, 0o644);
    let stops = format!("exec python3 /usr/local/lib/stops.py stan {}", all / 8);
    let run = site.machine.start_as("stan", Duration::from_secs(280), &stops);
    until(SOON * 3, "he has stopped them", || site.machine.path("/tmp/stan-stopped").exists());
    let most = held();
    others_get_in(site, &format!("{} su stopped at any time", all / 8));
    until(Duration::from_secs(15), "no stopped su holds a connection", || held() == 0);
    say(&format!("  {} su stopped at any time: {most} connections held, then none\n", all / 8));
    let stopped = site.shell("ps -o stat= -C su | grep -c T").stdout;
    assert!(stopped.trim().parse::<usize>().is_ok_and(|n| n > 0), "{stopped} are stopped");
    site.shell("pkill -u stan python3; pkill -KILL -x su");
    drop(run.output());
}

/// sudo makes itself root before it asks, so nothing of its user's can send it a signal; but they can freeze the control
/// group that it is in, where that is below their own manager. Starts one sudo after another and freezes each a moment
/// after it has connected.
const FREEZES: &str = r#"
import os, time
so_many = int(os.environ["SO_MANY"])
mine = next(line for line in open("/proc/self/cgroup") if line.startswith("0::")).strip()[3:]
root = "/sys/fs/cgroup/unified" if os.path.exists("/sys/fs/cgroup/unified/cgroup.procs") else "/sys/fs/cgroup"
def connected():
    return open("/proc/net/unix").read().count("/run/jitd/private")
frozen = 0
for number in range(so_many):
    group = f"{root}{mine}/{number}"
    os.mkdir(group)
    before = connected()
    sudo = os.fork()
    if sudo == 0:
        open(group + "/cgroup.procs", "w").write(str(os.getpid()))
        os.execvp("sudo", ["sudo", "-n", "true"])
    until = time.time() + 2
    while connected() <= before and time.time() < until and os.waitpid(sudo, os.WNOHANG) == (0, 0): pass
    time.sleep(os.urandom(1)[0] * 0.00002)
    open(group + "/cgroup.freeze", "w").write("1")
    frozen += os.path.exists(f"/proc/{sudo}") and "frozen 1" in open(group + "/cgroup.events").read()
open("/tmp/frozen.new", "w").write(str(frozen)); os.rename("/tmp/frozen.new", "/tmp/frozen")
while not os.path.exists("/tmp/freezes-end"): time.sleep(0.1)
for number in range(so_many):
    open(f"{root}{mine}/{number}/cgroup.freeze", "w").write("0")
"#;

/// What a sudo is that was frozen before it had asked: root's by its uid, in the control group and the login of whoever
/// called it, connected, and silent. So many at a time; each that is closed is made up for, as one more sudo would be.
const SILENT: &str = r#"
import os, select, socket, sys, time
so_many, group, login = int(sys.argv[1]), sys.argv[2], sys.argv[3]
if group: open(group + "/cgroup.procs", "w").write(str(os.getpid()))
if login: open("/proc/self/loginuid", "w").write(login)
held, most = [], 0
while not os.path.exists("/tmp/silent-ends"):
    while len(held) < so_many:
        one = socket.socket(socket.AF_UNIX); one.setblocking(False)
        try: one.connect("/run/jitd/private")
        except OSError: one.close(); break
        held.append(one)
    readable, _, _ = select.select(held, [], [], 0.2)
    for one in readable:
        one.close(); held.remove(one)
    if not os.path.exists("/tmp/silent"): open("/tmp/silent", "w").close()
    time.sleep(0.05)
"#;

/// As the first attack, by what is root already: a user's sudo takes that user's share.
pub(crate) fn frozen_sudo(site: &Site) {
    let all = count("JIT_FROZEN", 120);
    people(site, &["freja"]);
    site.sudoer("freja", "freja ALL=(ALL:ALL) NOPASSWD: ALL");
    let uid = site.shell("id -u freja").done().trim().to_owned();
    site.shell("loginctl enable-linger freja").done();
    until(SOON, "her manager runs", || site.shell(&format!("systemctl is-active user@{uid}")).is_ok());

    site.machine.write("/usr/local/lib/freezes.py", FREEZES, 0o644);
    let run = format!(
        "export XDG_RUNTIME_DIR=/run/user/{uid}; exec systemd-run --user --quiet --wait -p Delegate=yes \
         -E SO_MANY={all} python3 /usr/local/lib/freezes.py"
    );
    let run = site.machine.start_as("freja", Duration::from_secs(280), &run);
    until(SOON * 3, "she has frozen them", || site.machine.path("/tmp/frozen").exists());
    let (frozen, most) = (site.machine.read("/tmp/frozen"), open_connections(site));
    others_get_in(site, &format!("{all} sudo, frozen at any time"));
    say(&format!("  {all} sudo, {frozen} of them frozen at any time: {most} connections held\n"));
    assert!(frozen.parse::<usize>().is_ok_and(|n| n > 0), "{frozen} are frozen");
    site.shell("touch /tmp/freezes-end").done();
    run.output().done();

    // Some hundred that are frozen at the worst moment.
    site.machine.write("/usr/local/lib/silent.py", SILENT, 0o644);
    let group = format!(
        "$(for at in /sys/fs/cgroup/unified /sys/fs/cgroup; do
             at=$at/user.slice/user-{uid}.slice/user@{uid}.service; [ -d $at ] && mkdir $at/silent && echo $at/silent && break
         done)"
    );
    let silent = format!("exec python3 /usr/local/lib/silent.py 400 {group} {uid}");
    let run = site.machine.start(Duration::from_secs(200), &["bash", "-c", &silent]);
    until(SOON, "they are connected", || site.machine.path("/tmp/silent").exists());
    others_get_in(site, "400 frozen before they have asked");
    say(&format!("  400 frozen before they have asked: {} connections held\n", open_connections(site)));
    let log = site.shell("journalctl -o cat -u jitd --no-pager");
    log.says(&format!("programs that uid {uid} started (su, sudo) hold all of their share"));
    site.shell("touch /tmp/silent-ends").done();
    run.output().done();
    // The twin: her own sudo is answered again, and it is policy that refuses it.
    until(SOON, "she is answered", || {
        let refused = site.machine.as_user("freja", "sudo -n true").all();
        refused.contains("Permission denied")
    });
}

/// A client of the bus that does not wait for replies.
pub(crate) const CLIENT: &str = r#"
import os, select, socket, struct, sys, time

def field(code, kind, value):
    if kind == "u":
        return struct.pack("<BBcBI", code, 1, b"u", 0, value)
    if kind == "g":
        return struct.pack("<BBcBB", code, 1, b"g", 0, len(value)) + value.encode() + b"\0"
    return struct.pack("<BBcBI", code, 1, kind.encode(), 0, len(value)) + value.encode() + b"\0"

def message(kind, serial, fields, body=b"", flags=0):
    head = b""
    for one in fields:
        head += b"\0" * (-len(head) % 8) + field(*one)
    start = struct.pack("<cBBBIII", b"l", kind, flags, 1, len(body), serial, len(head))
    return start + head + b"\0" * (-len(start + head) % 8) + body

def call(serial, interface, member, arguments=(), to="org.jitd.Jit1", path="/org/jitd/Jit1", flags=0):
    body = b""
    for text in arguments:
        body += b"\0" * (-len(body) % 4) + struct.pack("<I", len(text)) + text.encode() + b"\0"
    fields = [(1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", to)]
    if arguments:
        fields.append((8, "g", "s" * len(arguments)))
    return message(1, serial, fields, body, flags)

def connect():
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(20)
    one.connect("/run/dbus/system_bus_socket")
    one.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
    one.recv(1000)
    one.sendall(b"BEGIN\r\n" + call(1, "org.freedesktop.DBus", "Hello", to="org.freedesktop.DBus", path="/org/freedesktop/DBus"))
    # An error is the bus's word that this user has no more of them.
    if one.recv(1000)[1:2] != b"\2": raise ConnectionError()
    one.setblocking(False)
    return one
"#;

/// So many connections, each writing calls of every kind, signals and replies to nothing, as fast as the bus takes them.
const FLOOD: &str = r#"
def burst(first):
    out, jitd = b"", "org.jitd.Jit1"
    for serial in range(first, first + 200, 8):
        out += call(serial, "org.freedesktop.DBus.Introspectable", "Introspect")
        out += call(serial + 1, "org.freedesktop.DBus.Peer", "Ping")
        out += call(serial + 2, "org.freedesktop.DBus.Properties", "GetAll", ["org.jitd.Jit1.User"])
        out += call(serial + 3, "org.jitd.Jit1.User", "Status")
        out += call(serial + 4, "org.jitd.Jit1.User", "Check", ["sshd", "x" * 50000, ""])
        out += call(serial + 5, "org.freedesktop.DBus.Introspectable", "Introspect", flags=1)
        out += call(serial + 6, "org.jitd.Jit1.User", "List")
        if "all" in sys.argv:
            out += call(serial + 7, "no.such.Interface", "None")
            out += message(4, serial + 7, [(1, "o", "/x"), (2, "s", "a.b"), (3, "s", "C"), (6, "s", jitd), (8, "g", "s")], struct.pack("<I", 40000) + b"x" * 40000 + b"\0")
            out += message(2, serial + 7, [(5, "u", serial), (6, "s", jitd)])
    return out

peers, serial = {}, 10
for _ in range(8):
    peers[connect()] = b""
open("/tmp/flood-" + str(os.getuid()), "w").close()
while not os.path.exists("/tmp/flood-ends"):
    readable, writable, _ = select.select(list(peers), list(peers), [], 1)
    for one in list(peers):
        try:
            if one in readable:
                while len(one.recv(1 << 18)) > 0: pass
                raise ConnectionError()
        except BlockingIOError:
            pass
        except ConnectionError:
            one.close(); del peers[one]; peers[connect()] = b""
            continue
        if one in writable:
            if not peers[one]:
                peers[one] = burst(serial)
                serial = serial + 200 if serial < 1 << 30 else 10
            try:
                peers[one] = peers[one][one.send(peers[one]):]
            except (BlockingIOError, ConnectionError):
                pass
"#;

/// Memory of jitd in MiB: what it has now, and the most that it ever had.
pub(crate) fn memory(site: &Site) -> (u64, u64) {
    let read = site.shell(
        "awk '/VmRSS|VmHWM/ {print $1, int($2 / 1024)}' /proc/$(systemctl show -P MainPID jitd)/status",
    );
    let of = |name: &str| {
        let line =
            read.stdout.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{read}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    (of("VmRSS"), of("VmHWM"))
}

/// The second attack, by these users at once.
fn flood(site: &Site, users: &[&str], how: &str, during: &str) {
    let before = memory(site).0;
    site.shell("rm -f /tmp/flood-*").done();
    let floods: Vec<_> = users
        .iter()
        .map(|user| {
            let (limit, command) =
                (Duration::from_secs(200), format!("exec python3 /usr/local/lib/flood.py {how}"));
            match *user {
                "root" => site.machine.start(limit, &["bash", "-c", &command]),
                user => site.machine.start_as(user, limit, &command),
            }
        })
        .collect();
    until(SOON, "they flood", || {
        site.shell("ls /tmp/flood-* | wc -l").stdout.trim().parse() == Ok(users.len())
    });
    others_get_in(site, during);
    let peak = memory(site).1;
    site.shell("touch /tmp/flood-ends").done();
    for flood in floods {
        drop(flood.output());
    }
    // By the bus, too, now that it is over.
    until(SOON, "users are answered again", || site.machine.as_user("next", "jitctl status").is_ok());
    let after = memory(site).0;
    say(&format!("  {during}: memory {before} MiB before, {peak} at its peak, {after} after\n"));
    if let minutes @ 1.. = count("JIT_MEMORY_MINUTES", 0) {
        std::thread::sleep(Duration::from_secs(60) * u32::try_from(minutes).unwrap());
        say(&format!("  {during}: memory {} MiB {minutes} min later\n", memory(site).0));
    }
    assert!(peak < 160, "{during}: {peak} MiB at the peak");
    assert!(after < 96, "{during}: {after} MiB afterwards");
}

fn bus_is_flooded(site: &Site) {
    let users = ["flo", "fred", "finn"];
    people(site, &users);
    site.machine.write("/usr/local/lib/flood.py", &format!("{CLIENT}{FLOOD}"), 0o644);
    let pid = || site.shell("systemctl show -P MainPID jitd").done().to_owned();
    let jitd = pid();
    // Without this the host that runs the test would have no memory left, should the rule be broken.
    site.shell(&format!("prlimit --pid {jitd} --data=1000000000")).done();
    flood(site, &users, "", "a flood of three");
    // A site's own rules may let in what jitd's own keep out.
    let open = "<busconfig><policy context=\"default\"><allow send_destination=\"org.jitd.Jit1\"/></policy></busconfig>";
    site.machine.write("/etc/dbus-1/system.d/open.conf", open, 0o644);
    site.shell("systemctl reload dbus").done();
    flood(site, &["root", "flo"], "all", "a flood of root's own and a user's, without a bus policy");
    assert_eq!(pid(), jitd, "jitd is who it was");
    site.shell("journalctl -o cat -u jitd --no-pager").says("calls on the system bus are turned away");
}

pub(crate) fn flooded_dbus_daemon(site: &Site) {
    bus_is_flooded(site);
}

pub(crate) fn flooded_dbus_broker(site: &Site) {
    bus_is_flooded(site);
}

/// All connections that the bus gives to a user, each of which sends four calls when it is told to.
const STRANGERS: &str = r#"
held = []
try:
    while len(held) < 9000: held.append(connect())
except OSError: pass
open("/tmp/held.new", "w").write(str(len(held))); os.rename("/tmp/held.new", "/tmp/held")
while not os.path.exists("/tmp/strangers-go"): time.sleep(0.05)
for one in held:
    one.setblocking(True)
    for serial in range(10, 14): one.sendall(call(serial, "org.jitd.Jit1.User", "Status"))
open("/tmp/strangers-sent", "w").close()
while not os.path.exists("/tmp/strangers-end"): time.sleep(0.1)
"#;

/// One call, and whether it is answered.
const ONE_CALL: &str = r#"
one = connect()
one.setblocking(True); one.settimeout(30)
one.sendall(call(99, "org.jitd.Jit1.User", "Status"))
open("/tmp/one-sent", "w").close()
read = b""
while True:
    read += one.recv(1 << 16)
    while len(read) >= 16:
        body, fields = struct.unpack("<I", read[4:8])[0], struct.unpack("<I", read[12:16])[0]
        length = (16 + fields + 7) // 8 * 8 + body
        if len(read) < length: break
        whole, read = read[:length], read[length:]
        # The reply to this call, and not what is left of those to Hello.
        if whole[1] in (2, 3) and struct.pack("<BBcBI", 5, 1, b"u", 0, 99) in whole:
            print("answered" if whole[1] == 2 else "turned away: " + repr(whole)); sys.exit()
"#;

/// A connection whose user the bus has not named yet has a place to wait in, however many others have come first.
fn strangers_wait(site: &Site) {
    people(site, &["stan"]);
    site.machine.write("/usr/local/lib/strangers.py", &format!("{CLIENT}{STRANGERS}"), 0o644);
    site.machine.write("/usr/local/lib/one.py", &format!("{CLIENT}{ONE_CALL}"), 0o644);
    let limit = Duration::from_secs(120);
    let strangers = site.machine.start_as("stan", limit, "exec python3 /usr/local/lib/strangers.py");
    until(SOON * 2, "he has all that he gets", || site.machine.path("/tmp/held").exists());
    let held = site.machine.read("/tmp/held");
    say(&format!("  one user has {held} connections to the bus\n"));
    // All that has been sent is there before jitd reads the first of it, and before it has asked about anybody.
    site.shell("systemctl kill --signal=STOP jitd").done();
    site.shell("touch /tmp/strangers-go").done();
    until(SOON * 2, "he has sent", || site.machine.path("/tmp/strangers-sent").exists());
    let one = site.machine.start_as("next", limit, "exec python3 /usr/local/lib/one.py");
    until(SOON, "another has sent", || site.machine.path("/tmp/one-sent").exists());
    site.shell("systemctl kill --signal=CONT jitd").done();
    assert_eq!(one.output().done().trim(), "answered");
    others_get_in(site, "strangers");
    site.machine.as_user("next", "jitctl status").done();
    site.shell("touch /tmp/strangers-end").done();
    strangers.output().done();
    say(&format!("  strangers: {} MiB at the peak\n", memory(site).1));
}

pub(crate) fn strangers_on_dbus_daemon(site: &Site) {
    strangers_wait(site);
}

pub(crate) fn strangers_on_dbus_broker(site: &Site) {
    strangers_wait(site);
}

/// Root's orders need no bus: stopped, and then dead.
pub(crate) fn orders_without_a_bus(site: &Site) {
    site.person_with_role("mona", &["sshd"]);
    let window = site.open("mona", "mona", "30m");
    let lock = "jitctl lock user:mona --message 'INC-7'";
    for (breaks, mends) in [
        ("systemctl kill --signal=STOP dbus", "systemctl kill --signal=CONT dbus"),
        ("systemctl kill --signal=KILL dbus; systemctl stop dbus.socket dbus", "systemctl start dbus.socket"),
    ] {
        // No bus: systemctl speaks to systemd itself.
        site.shell(breaks);
        site.shell(lock).done();
        assert_eq!(site.check("sshd", "mona").verdict, Verdict::Deny);
        site.shell("jitctl unlock user:mona && jitctl status && jitctl session list && jitctl --json list")
            .done();
        site.shell(mends);
        until(SOON, "the bus is back", || site.machine.as_user("mona", "jitctl status").is_ok());
    }
    // Locking ended the window; what follows a request is told without a bus as well.
    assert_eq!(site.entry(&window.id).state, "ended");
}

/// Nobody's connections to the kiosk keep the console, or others, from it.
pub(crate) fn the_kiosk_is_held(site: &Site) {
    site.shell("systemctl start jit-kiosk-sshd.socket").done();
    for person in ["holden", "petra", "connie"] {
        site.person(person);
    }
    site.roles(&[Role::new("petra", &["sshd"], "petra")]);
    // As many as there are, from as many addresses of this host as are needed; none of them logs in.
    let addresses = "ip link add own type veth peer name own2 && ip link set own up && ip link set own2 up &&
         ip addr add 198.51.100.1/24 dev own && ip addr add 198.51.100.9/24 dev own &&
         ip addr add 203.0.113.1/32 dev own && ip -6 addr add fd00:1::1/64 dev own nodad &&
         ip -6 addr add fd00:2::1/64 dev own nodad && ip route add local 198.18.0.0/24 dev own &&
         ip -6 route add local fd00:3::/64 dev lo";
    site.shell(addresses).done();
    let counted = |address: &str| {
        site.shell(&format!("/usr/libexec/jit-kiosk-listen source-of {address}")).done().trim().to_owned()
    };
    // A second address of a network has the first one for its own in what it sends; of a route none has one.
    for own in [
        "127.0.0.9",
        "::1",
        "::ffff:127.0.0.1",
        "198.51.100.1",
        "198.51.100.9",
        "203.0.113.1",
        "198.18.0.77",
        "fd00:1::1",
        "fd00:2:0::1",
        "fd00:3::77",
    ] {
        assert_eq!(counted(own), "this host", "{own}");
    }
    for (other, source) in [
        ("198.51.100.2", "198.51.100.2"),
        ("::ffff:198.51.100.2", "198.51.100.2"),
        ("198.18.1.77", "198.18.1.77"),
        ("fd00:1::2", "fd00:1::/64"),
        ("2001:db8::7:0:0:1", "2001:db8::/64"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ] {
        assert_eq!(counted(other), source);
    }
    let holds = "import os, socket, time
asked, held = [], []
ways = [(f'127.0.0.{number}', '127.0.0.1') for number in range(2, 12)]
ways += [('198.51.100.1', '203.0.113.1'), ('203.0.113.1', '198.51.100.1'), ('198.18.0.7', '198.51.100.1')]
ways += [('fd00:1::1', 'fd00:2::1'), ('fd00:2::1', 'fd00:1::1')]
for number in range(120):
    there, here = ways[number % len(ways)]
    one = socket.socket(socket.AF_INET6 if ':' in there else socket.AF_INET); one.settimeout(30)
    try: one.bind((there, 0)); one.connect((here, 2222)); asked.append(one)
    except OSError: pass
for one in asked:
    try:
        if one.recv(10): held.append(one)
    except OSError: pass
open('/tmp/kiosk-held.new', 'w').write(str(len(held)))
os.rename('/tmp/kiosk-held.new', '/tmp/kiosk-held')
time.sleep(200)";
    site.machine.write("/usr/local/lib/holds.py", holds, 0o644);
    let held =
        site.machine.start_as("holden", Duration::from_secs(220), "exec python3 /usr/local/lib/holds.py");
    until(SOON * 4, "he holds what he gets", || site.machine.path("/tmp/kiosk-held").exists());
    let got: u32 = site.machine.read("/tmp/kiosk-held").parse().unwrap();
    say(&format!("  of the kiosk one user got {got} connections\n"));
    assert_eq!(got, 16, "connections for one user from fifteen addresses of this host");
    let units = "systemctl list-units --plain --no-legend 'jit-kiosk-handed@*' | wc -l";
    assert!(site.shell(units).done().trim().parse::<u32>().is_ok_and(|units| units <= 16));
    site.shell("journalctl -o cat -u jit-kiosk-listen")
        .says("the last from this host: one source has at most 16");

    // The console has a door of its own, and the network is not this host.
    crate::kiosk::as_on_a_console(site, "connie");
    crate::door::far_network(site);
    site.shell(&crate::door::from_afar("petra")).says("Choose: ").done();

    // Of this host nobody else gets in, until one of his ends, whatever ends it: the places are free as sshd is.
    let another = crate::kiosk::visit_once(site, "petra");
    assert!(crate::kiosk::is_closed_at_once(&another), "{another}");
    let one = "systemctl list-units --plain --no-legend 'jit-kiosk-handed@*' | awk 'NR == 1 { print $1 }'";
    site.shell(&format!("systemctl kill --signal=KILL \"$({one})\"")).done();
    crate::kiosk::visit(site, "petra").says("Choose: ");
    site.shell("pkill -u holden python3");
    drop(held.output());
    until(SOON, "nothing of his is left", || site.shell(units).done().trim() == "0");
    crate::kiosk::visit(site, "petra").says("Choose: ");
}

/// The same where sshd has to be told the name of its PAM service, which is found out of it.
pub(crate) fn the_kiosk_is_held_on_trixie(site: &Site) {
    site.shell("/usr/sbin/sshd -T -f /dev/null").says("pamservicename sshd").done();
    the_kiosk_is_held(site);
    site.shell("cat /run/jit-kiosk/pam-service.conf").says("PAMServiceName jit-kiosk").done();

    // Another sshd, which does not say how it is told: it might ask as the one that lets people in, and takes nobody.
    site.shell(
        "printf '#!/bin/sh\\n' >/root/silent && chmod 755 /root/silent && mount --bind /root/silent /usr/sbin/sshd",
    )
    .done();
    let visit = crate::kiosk::visit_once(site, "petra");
    assert!(crate::kiosk::is_closed_at_once(&visit), "{visit}");
    let said = site.shell("journalctl -o cat -u 'jit-kiosk-handed@*'");
    said.says("no connection is taken").says("would ask as sshd").done();
    site.shell("umount /usr/sbin/sshd").done();
    crate::kiosk::visit(site, "petra").says("Choose: ");
}
