//! The kiosk's door: what comes too fast or too often is closed there, and nothing behind it can be had without it.

use std::time::Duration;

use jit_tests::machine::until;

use crate::site::{Entrance, SOON, Site};
use crate::stage::{count, say};

/// A network that is not this host's: `ip netns exec far` is there, this host is 192.0.2.1 from it.
pub(crate) fn far_network(site: &Site) {
    let network = "ip netns add far && ip link add near type veth peer name far netns far &&
         ip addr add 192.0.2.1/24 dev near && ip link set near up &&
         ip -n far addr add 192.0.2.2/24 dev far && ip -n far link set far up && ip -n far link set lo up";
    site.shell(network).done();
}

/// A visit to the menu from there.
pub(crate) fn from_afar(user: &str) -> String {
    format!(
        "printf '5\\n' | timeout 40 ip netns exec far ssh -p 2222 -o BatchMode=yes -o StrictHostKeyChecking=no \
         {user}@192.0.2.1"
    )
}

/// Connects and leaves, each time from another address of this host, as fast as it can; says each second how often.
const FLOODS: &str = r#"
import os, socket, struct, time
number = os.getpid()
begun = last = time.time()
done = 0
while True:
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    try:
        one.bind(("127.%d.%d.%d" % (done % 99 + 1, done // 99 % 250, number % 250 + 1), 0))
        one.connect(("127.0.0.1", 2222))
        done += 1
    except OSError: pass
    one.close()
    if time.time() - last > 1:
        last = time.time()
        open("/tmp/flood-%d.new" % number, "w").write("%d %f\n" % (done, last - begun))
        os.rename("/tmp/flood-%d.new" % number, "/tmp/flood-%d" % number)
"#;

/// From the name that was typed on a console to the menu, in milliseconds.
const CONSOLE: &str = r#"spawn -noecho -pty
    set tty [string map {/dev/ "" / -} $spawn_out(slave,name)]
    exec systemctl start jit-kiosk-console@$tty
    on {login: $} { set ::began [clock milliseconds]; send "USER\r" }
    on {assword: $} { send "USER-pw\r" }
    on {Choose: $} { puts "\ntook [expr {([clock milliseconds] - $::began) * 1000}]"; send "5\r" }
    on {login: $} {}
    exec systemctl stop jit-kiosk-console@$tty
    exit 0"#;

/// How often each way in is taken in the flood; `make prove` takes it more often.
fn visits() -> usize {
    count("JIT_FLOODED", 3)
}

/// Says what is in the middle of these times, in microseconds, and which is the slowest.
fn tell(what: &str, took: &mut [u64]) {
    assert!(!took.is_empty(), "{what}");
    took.sort_unstable();
    let (middle, slowest) = (took[took.len() / 2] / 1000, took[took.len() - 1] / 1000);
    say(&format!("  {what}: p50 {middle} ms, worst {slowest} ms of {}\n", took.len()));
}

/// Takes each way in, several times. Nobody is refused.
fn others_get_in(site: &Site, during: &str) {
    let timed = |what: &str, command: &str| {
        let script = format!(
            "began=${{EPOCHREALTIME/./}}; {command} >/tmp/said 2>&1 || {{ cat /tmp/said; exit 1; }}
             echo \"took $((${{EPOCHREALTIME/./}} - began))\""
        );
        let runs =
            (0..visits()).map(|_| took(site.machine.run_within(SOON * 6, &["bash", "-c", &script]).done()));
        tell(&format!("{during}: {what}"), &mut runs.collect::<Vec<_>>());
    };
    let menu = format!("{} | grep -q 'Choose: '", from_afar("petra"));
    timed("the kiosk's menu from another network", &menu);
    timed("a login by a window", "ssh -o BatchMode=yes -T petra@127.0.0.1 true");
    timed("jitctl lock", "jitctl lock user:locked --message x");
    let console = CONSOLE.replace("USER", "connie");
    let mut runs: Vec<u64> = (0..visits()).map(|_| took(site.terminal(&console).done())).collect();
    tell(&format!("{during}: the kiosk's menu on a console"), &mut runs);
}

/// The time that a run says it took.
fn took(said: &str) -> u64 {
    said.lines().find_map(|line| line.trim().strip_prefix("took ")?.parse().ok()).unwrap()
}

/// How many connections all floods have made, and in how many seconds.
fn made(site: &Site) -> (u64, f64) {
    let said = site.shell("cat /tmp/flood-*[0-9]").stdout;
    let all = said.lines().filter_map(|line| {
        let (so_many, seconds) = line.split_once(' ')?;
        Some((so_many.parse::<u64>().ok()?, seconds.parse::<f64>().ok()?))
    });
    all.fold((0, 0.0), |sum, one| (sum.0 + one.0, sum.1.max(one.1)))
}

pub(crate) fn flooded(site: &Site) {
    site.shell("systemctl start jit-kiosk-sshd.socket").done();
    for person in ["flora", "connie", "locked"] {
        site.person(person);
    }
    site.person_with_role("petra", &["sshd"]);
    site.open("petra", "petra", "30m");
    far_network(site);
    others_get_in(site, "nobody floods");

    site.machine.write("/usr/local/lib/floods.py", FLOODS, 0o644);
    let script = "python3 /usr/local/lib/floods.py & exec python3 /usr/local/lib/floods.py";
    let mut flood = site.machine.start_as("flora", Duration::from_secs(280), script);
    until(SOON, "she floods", || made(site).0 > 2000);
    others_get_in(site, "somebody floods");
    assert!(flood.is_running(), "to the end");
    let (so_many, seconds) = made(site);
    say(&format!("  somebody floods: {so_many} connections in {seconds} s\n"));
    site.shell("pkill -u flora python3");
    drop(flood.output());

    // All this time she had her share, which is what systemd has started for her, and no more was logged than is of use.
    let units = site.shell("journalctl -o cat -t systemd | grep -c 'Started.*jit-kiosk-handed@'").stdout;
    let units: f64 = units.trim().parse().unwrap();
    assert!(units < 100.0 + seconds * 2.0, "{units} units in {seconds} s");
    let lines = site.shell("journalctl -o cat -u jit-kiosk-listen | grep -c 'closed [0-9]'").stdout;
    assert!(lines.trim().parse::<f64>().unwrap() <= 4.0 + seconds / 10.0, "{lines} lines in {seconds} s");
}

pub(crate) fn one_person_at_once(site: &Site) {
    site.shell("systemctl start jit-kiosk-sshd.socket").done();
    site.person("pia");
    // They all stand at the same place when they are let go.
    let holds = "umask 077; exec flock /run/jit-kiosk-handed.people bash -c \
         'touch /tmp/locked; until [ -e /tmp/unlock ]; do sleep 0.1; done'";
    let _holds = site.machine.start(Duration::from_secs(280), &["bash", "-c", holds]);
    until(SOON, "none can be counted", || site.machine.path("/tmp/locked").exists());
    let at_once = "cd /tmp && for number in 1 2 3 4 5 6 7 8; do
             (sleep 300 | ssh -p 2222 -o BatchMode=yes -o HostKeyAlias=localhost pia@127.0.0.1 >said-$number 2>&1) &
         done; wait";
    let _logins = site.machine.start(Duration::from_secs(280), &["bash", "-c", at_once]);
    let so_many = |what: &str| site.shell(what).stdout.trim().parse::<usize>().unwrap();
    until(SOON * 2, "all wait to be counted", || so_many("pgrep -c -f '^flock --wait'") == 8);
    site.shell("touch /tmp/unlock").done();
    let are_in = || so_many("grep -l 'Choose: ' /tmp/said-* | wc -l");
    let are_not = || so_many("journalctl -o cat | grep -c 'jit-kiosk-gate failed: exit code 1'");
    until(SOON * 3, "each is in or is not", || are_in() + are_not() == 8);
    assert_eq!((are_in(), are_not()), (4, 4), "{}", site.shell("cat /tmp/said-*"));
    // sshd may end before all that it has to say has left.
    site.shell("cat /tmp/said-*").says("You have 4 connections to the kiosk already");

    // One that ends is another's place.
    site.shell("systemctl stop \"$(ps -o unit= -p $(pgrep -o -u pia -f 'kiosk$'))\"").done();
    let again =
        "printf '5\\n' | timeout 40 ssh -p 2222 -o BatchMode=yes -o HostKeyAlias=localhost pia@127.0.0.1";
    until(SOON, "there is a place", || site.shell(again).all().contains("Choose: "));
    site.shell("pkill -f '[s]leep 300'");
}

/// Hands over what the argument says, and prints what comes back.
const HANDS_OVER: &str = r#"
import os, socket, sys
to = socket.socket(socket.AF_UNIX)
to.connect("/run/jit-kiosk-handed.sock")
listener = socket.create_server(("127.0.0.1", 0))
near = socket.create_connection(listener.getsockname())
far = listener.accept()[0]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.connect(("127.0.0.1", 9))
unix = socket.socketpair()
what = {"tcp": [far], "nothing": [], "two": [far, near], "udp": [udp], "unix": [unix[0]], "listener": [listener],
        "pipe": [os.pipe()[0]]}[sys.argv[1]]
socket.send_fds(to, [b"x"], [one if isinstance(one, int) else one.fileno() for one in what])
for one in [far, unix[0]]: one.close()
near.settimeout(30); unix[1].settimeout(30)
to.settimeout(30)
if sys.argv[1] == "tcp": print(near.recv(20))
else: print("ended", to.recv(20), unix[1].recv(20))
"#;

pub(crate) fn handed_over(site: &Site) {
    site.shell("systemctl start jit-kiosk-handed.socket").done();
    site.person("hanna");
    site.machine.write("/usr/local/lib/hands_over.py", HANDS_OVER, 0o644);
    let hands_over = |what: &str| format!("python3 /usr/local/lib/hands_over.py {what}");
    // Neither a person nor what a console runs before anybody has logged in.
    site.machine.as_user("hanna", &hands_over("tcp")).refuses("Permission denied");
    let as_a_console =
        format!("setpriv --reuid jit-kiosk --regid jit-kiosk --clear-groups {}", hands_over("tcp"));
    site.shell(&as_a_console).refuses("Permission denied");
    let as_the_door =
        format!("setpriv --reuid jit-kiosk-door --regid jit-kiosk-door --clear-groups {}", hands_over("tcp"));
    site.shell(&as_the_door).says("SSH-2.0").done();

    // Whoever may, gets an sshd for a connection, and for nothing else.
    site.shell(&hands_over("tcp")).says("SSH-2.0").done();
    for (what, why) in [
        ("nothing", "0 descriptors were handed over instead of one"),
        ("two", "2 descriptors were handed over instead of one"),
        ("pipe", "no connection of TCP: it is no socket"),
        ("udp", "no connection of TCP: it is another kind of socket"),
        ("unix", "no connection of TCP: it is another kind of socket"),
        ("listener", "what was handed over is connected to nobody"),
    ] {
        let said = || {
            let log = "journalctl -o cat --no-pager -t jit-kiosk-listen";
            site.shell(&format!("{log} | grep -cF '{why}'")).stdout.trim().parse::<u32>().unwrap()
        };
        let before = said();
        site.shell(&hands_over(what)).says("ended b'' b''").done();
        until(SOON, why, || said() > before);
    }

    // The door's own user has nothing that is not the door's.
    let door =
        "systemctl show -p User -p CapabilityBoundingSet -p RestrictAddressFamilies jit-kiosk-listen.service";
    let door = site.shell(door);
    door.says("User=jit-kiosk-door\n").says("CapabilityBoundingSet=\n").does_not_say("AF_INET").done();
}
