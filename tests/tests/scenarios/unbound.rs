//! What cannot be bound to a unit is not opened, however busy somebody keeps whoever makes units.

use std::time::{Duration, Instant};

use jit_tests::machine::{Output, Running, until};

use crate::ends::{ended, goes_on, role, runs};
use crate::site::{Entrance, Role, SOON, Site};
use crate::stage::say;

/// Calls ListUnits of PID 1 on the system bus, over and over, from many connections: `flood CONNECTIONS`. Without reading
/// a reply, or, with a second argument, as fast as it can read them.
const FLOOD: &str = r#"
import os, select, socket, struct, sys

def call(to, path, interface, member):
    fields = b""
    for code, kind, text in (1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", to):
        fields += b"\0" * (-len(fields) % 8) + bytes([code, 1]) + kind.encode() + b"\0"
        fields += struct.pack("<I", len(text)) + text.encode() + b"\0"
    head = struct.pack("<BBBBIII", ord("l"), 1, 0, 1, 0, 7, len(fields)) + fields
    return head + b"\0" * (-len(head) % 8)

def connect():
    one = socket.socket(socket.AF_UNIX)
    one.connect("/run/dbus/system_bus_socket")
    one.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
    one.recv(200)
    bus = "org.freedesktop.DBus"
    one.sendall(b"BEGIN\r\n" + call(bus, "/org/freedesktop/DBus", bus, "Hello"))
    one.recv(1000)
    one.setblocking(False)
    return one

systemd = "org.freedesktop.systemd1"
units = call(systemd, "/org/freedesktop/systemd1", systemd + ".Manager", "ListUnits")
left = {connect(): b"" for _ in range(int(sys.argv[1]))}
open("/tmp/flooding", "w").close()
while True:
    readable, writable, _ = select.select(left if len(sys.argv) > 2 else [], left, [], 1)
    for one in set(readable + writable):
        try:
            if one in readable:
                one.recv(1 << 20)
            left[one] = left[one] or units * 16
            left[one] = left[one][one.send(left[one]):]
        except BlockingIOError:
            pass
        except OSError:
            del left[one]
            left[connect()] = b""
"#;

/// Somebody without any role who floods PID 1 until they are stopped.
fn flood(site: &Site, how: &str) -> Running {
    site.machine.write("/usr/local/lib/flood.py", FLOOD, 0o644);
    site.shell("rm -f /tmp/flooding").done();
    let flood = format!("exec python3 /usr/local/lib/flood.py {how}");
    let flood = site.machine.start_as("maud", SOON * 12, &flood);
    until(SOON, "the flood is on", || site.machine.path("/tmp/flooding").exists());
    let asked = "busctl --timeout=1 call org.freedesktop.systemd1 /org/freedesktop/systemd1 \
                 org.freedesktop.systemd1.Manager GetUnit s init.scope";
    // dbus-broker gives each user a share, and lets nobody shut it.
    let is_shared = site.shell("pgrep -x dbus-broker").is_ok();
    // How long it takes then depends on the machine, from a second on.
    let is_held_up = || {
        let began = Instant::now();
        !site.shell(asked).is_ok() || began.elapsed() > Duration::from_millis(500)
    };
    until(SOON, "systemd is held up on the bus", || is_shared || is_held_up());
    flood
}

/// A connection by ssh that later commands go over: pam_systemd would have them wait for systemd, too.
fn connects(site: &Site, user: &str) -> Running {
    let to = format!("{user}@127.0.0.1");
    let options = ["-o", "BatchMode=yes", "-o", "ControlMaster=yes", "-o", OVER, "-N"];
    let master = site.machine.start(SOON * 12, &[&["ssh"][..], &options, &[to.as_str()]].concat());
    until(SOON, "she is in", || site.sessions().iter().any(|one| one.user == user && one.enforced));
    master
}

const OVER: &str = "ControlPath=/run/over-ssh";

/// `su` in that login: how many milliseconds it took in there, and what it said.
fn su_inside(site: &Site, user: &str, number: u32) -> (i64, String) {
    // What it leaves is no child of anybody's in there.
    let su = format!("su olga -c '(setsid sleep {number} >/dev/null 2>&1 </dev/null &)'");
    let script = format!("date +%s%3N; echo olga-pw | {su} 2>&1; echo status=$?; date +%s%3N");
    let to = format!("{user}@127.0.0.1");
    let output = site.machine.run(&["ssh", "-o", "BatchMode=yes", "-o", OVER, "-T", &to, &script]);
    let times: Vec<i64> = output.stdout.lines().filter_map(|line| line.parse().ok()).collect();
    let [before, after] = times.as_slice() else { panic!("no times from {output}") };
    (after - before, output.all())
}

pub(crate) fn while_systemd_is_flooded(site: &Site) {
    site.person("maud");
    site.person("flo");
    site.roles(&[Role::new("flo-ssh", &["sshd"], "flo"), role("flo", &["su"], "flo")]);
    site.open("flo", "flo-ssh", "30m");
    let master = connects(site, "flo");
    let mut numbers = 3101..;
    // Nothing, what an attacker would do, and, with JIT_FLOODS, what makes the whole machine slow.
    let floods = ["", "8", "60 read", "200 read"];
    let floods = floods.into_iter().take(crate::stage::count("JIT_FLOODS", 2));
    for how in floods.clone() {
        let window = site.open("flo", "flo", "30m");
        let flooding = (!how.is_empty()).then(|| flood(site, how));
        let (mut took, mut bound) = (Vec::new(), 0);
        for number in numbers.by_ref().take(3) {
            let (millis, said) = su_inside(site, "flo", number);
            took.push(millis);
            // Bound, or not opened; the second with a word.
            if said.contains("status=0") {
                goes_on(site, &format!("sleep {number}"));
                bound += 1;
            } else {
                assert!(said.contains("did not put this session into a unit of its own"), "{said}");
                assert!(!runs(site, &format!("sleep {number}")), "{said}");
            }
        }
        if let Some(flooding) = flooding {
            site.shell("pkill -KILL -u maud python3");
            drop(flooding.output());
            let drained = "busctl --timeout=5 status org.freedesktop.systemd1";
            until(SOON * 2, "the bus is free again", || site.shell(drained).is_ok());
        }
        window.revoke();
        let record = ended(site, &window);
        for number in 3101..numbers.start {
            assert!(!runs(site, &format!("sleep {number}")), "sleep {number} outlived the window: {record}");
        }
        say(&format!("su inside ssh, PID 1 flooded by {how:?}: {took:?} ms, {bound} of 3 opened\n"));
    }
    let on_record =
        || site.logged("session-gone", "unit=\"jit-").len() + site.logged("session-refused", "flo").len();
    until(SOON, "each is over, on record", || on_record() >= 3 * floods.len());
    assert_eq!(on_record(), 3 * floods.len());
    assert!(site.logged("session-unbound", "").is_empty());
    assert!(site.logged("session-gone", "escape").is_empty());
    site.shell("pkill -KILL -u flo");
    drop(master.output());
}

/// Takes systemd's private socket away and puts one in its place that never answers: as far as jitd can tell, systemd
/// hangs.
fn systemd_hangs(site: &Site) -> Running {
    const DEAF: &str = "import socket, time\none = socket.socket(socket.AF_UNIX)\n\
                        one.bind('/run/systemd/private')\none.listen(64)\ntime.sleep(600)\n";
    site.machine.write("/usr/local/lib/deaf.py", DEAF, 0o644);
    // What jitd has open to it goes with jitd.
    site.shell("mv /run/systemd/private /run/systemd/private.kept").done();
    let deaf = site.machine.start(SOON * 12, &["python3", "/usr/local/lib/deaf.py"]);
    until(SOON, "it listens", || site.machine.path("/run/systemd/private").exists());
    let jitd = || site.shell("pgrep -x jitd").stdout;
    let before = jitd();
    site.shell("pkill -KILL -x jitd").done();
    until(SOON, "jitd is another", || !jitd().is_empty() && jitd() != before);
    site.is_ready();
    deaf
}

fn systemd_answers(site: &Site, deaf: Running) {
    site.shell("mv /run/systemd/private.kept /run/systemd/private && pkill -KILL -f '[d]eaf.py'").done();
    drop(deaf.output());
}

/// The reason is on record; and su says it, where sudo keeps modules silent.
#[track_caller]
fn is_refused_unbound(site: &Site, said: &Output, user: &str, service: &str) {
    let told = match service {
        "su" => "did not put this session into a unit of its own in time",
        _ => "pam_open_session: Permission denied",
    };
    said.refuses(told);
    let why = "systemd does not answer";
    let service = format!("service=\"{service}\"");
    let is_it = |line: &String| line.contains(why) && line.contains(&service);
    let on_record = || site.logged("session-refused", &format!("user=\"{user}\"")).iter().any(is_it);
    until(SOON, "the refusal is on record, with its reason", on_record);
}

pub(crate) fn while_systemd_hangs(site: &Site) {
    for name in ["ute", "uta", "rex"] {
        site.person(name);
        site.sudoer(name, &format!("{name} ALL=(ALL) NOPASSWD: ALL"));
    }
    site.roles(&[
        role("ute", &["su", "sudo"], "ute"),
        Role::new("uta", &["sudo"], "uta").single_use(),
        role("rex", &["sudo"], "rex"),
    ]);
    site.open("ute", "ute", "30m");
    let once = site.open("uta", "uta", "30m");
    site.open("rex", "rex", "30m");
    let su = || site.with_password("ute", "su olga -c {id -un}", "olga-pw");
    let sudo = |user: &str| site.machine.as_user(user, "sudo -n id -un");

    let deaf = systemd_hangs(site);
    let began = Instant::now();
    is_refused_unbound(site, &su(), "ute", "su");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    is_refused_unbound(site, &sudo("ute"), "ute", "sudo");
    is_refused_unbound(site, &sudo("uta"), "uta", "sudo");
    assert_eq!(site.entry(&once.id).used, 0, "a session that did not open spends nothing");
    assert!(site.sessions().iter().all(|one| !["ute", "uta"].contains(&one.user.as_str())), "nobody is in");
    // Nor does whom the PAM line names for when jitd is not there: it is, and would follow them nowhere.
    site.shell("sed -i '/^session .*pam_jit/s/recovery=root/recovery=root,rex/' /etc/pam.d/sudo").done();
    is_refused_unbound(site, &sudo("rex"), "rex", "sudo");
    assert!(site.logged("recovered", "rex").is_empty());

    systemd_answers(site, deaf);
    su().admits("olga");
    sudo("ute").admits("root");
    sudo("rex").admits("root");
    sudo("uta").admits("root");
    assert_eq!(site.entry(&once.id).used, 1);
    sudo("uta").refuses("Permission denied");
    until(SOON, "its use is spent, on record", || {
        site.logged("denied", "user=\"uta\"").iter().any(|line| line.contains("why=\"spent\""))
    });
    assert!(site.logged("session-unbound", "").is_empty());
}

/// Without the session line nobody waits for systemd: what is in already is bound as soon as systemd answers, however late.
pub(crate) fn adopted_while_systemd_hangs(site: &Site) {
    site.person("uwe");
    site.roles(&[role("uwe", &["su"], "uwe")]);
    site.shell("sed -i '/^session .*pam_jit/d' /etc/pam.d/su").done();
    let window = site.open("uwe", "uwe", "30m");
    let deaf = systemd_hangs(site);
    let inside = site.machine.start_as(
        "uwe",
        SOON * 12,
        "echo olga-pw | su olga -c 'setsid sleep 3441 & exec sleep 3442'",
    );
    until(SOON, "it is found", || !site.logged("session-adopted", "user=\"uwe\"").is_empty());
    let unbound = || site.logged("session-unbound", "");
    until(SOON * 2, "it is said to be in no scope", || !unbound().is_empty());
    let bound = || site.sessions().iter().any(|one| one.user == "uwe" && one.enforced);
    assert!(!bound());
    // Nor does a jitd forget it that has not found it itself.
    site.shell("pkill -KILL -x jitd").done();
    site.is_ready();
    systemd_answers(site, deaf);
    until(SOON * 3, "it is bound", bound);
    window.revoke();
    inside.output().is_cut_off();
    let record = ended(site, &window);
    assert!(record.contains("left=\"0\""), "{record}");
    for number in [3441, 3442] {
        assert!(!runs(site, &format!("sleep {number}")), "sleep {number}");
    }
}
