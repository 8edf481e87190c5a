//! Each limit of jitd's two roads is reached, passed by one and passed by far, by one user, by a hundred, and by a
//! service of root's own; while jitd starts, is killed, and has a slow disk. Everybody else is answered all the while,
//! and so are the greedy when they let go.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jit_proto::words::Verdict;
use jit_tests::machine::{Running, until};

use crate::shares::{CLIENT, open_connections, people};
use crate::site::{Entrance, SOON, Site};
use crate::stage::say;

/// How long an attack may last.
const LONG: Duration = Duration::from_secs(280);

/// So many users of the host, who have nothing to do with jitd.
const USERS: u32 = 100;
const FIRST: u32 = 30_000;

fn users(site: &Site) {
    let last = FIRST + USERS - 1;
    let add = format!("for uid in $(seq {FIRST} {last}); do useradd --uid $uid u$uid || exit; done");
    site.machine.run_within(SOON * 6, &["bash", "-c", &add]).done();
}

/// What a su or sudo is that its user has stopped before it asked: so many for each of these uids. Those that jitd
/// closes are made up for every three seconds. It tells when all have been started.
const HOLDS: &str = r#"
import os, socket, sys, time
so_many, first, uids = (int(arg) for arg in sys.argv[1:4])
for uid in range(first, first + uids):
    if os.fork() == 0: break
else:
    while len([one for one in os.listdir("/tmp") if one.startswith("holds-")]) < uids: time.sleep(0.05)
    open("/tmp/all-hold", "w").close()
    while True: os.wait()
os.setresuid(uid, 0, 0)
held = []
while not os.path.exists("/tmp/let-go"):
    for one in list(held):
        try:
            if one.recv(1000) == b"": one.close(); held.remove(one)
        except BlockingIOError: pass
        except OSError: one.close(); held.remove(one)
    while len(held) < so_many:
        one = socket.socket(socket.AF_UNIX); one.setblocking(False)
        try: one.connect("/run/jitd/private")
        except OSError: one.close(); break
        held.append(one)
    open(f"/tmp/holds-{uid}", "w").close()
    time.sleep(3)
os._exit(0)
"#;

/// Whoever is greedy on the private socket: how many each has, from which uid on, and how many of them.
struct Greedy(&'static str, u32, u32, u32);

/// The limits are 64 and 8,192 for users (jitd/src/bus/private.rs), and 1,024 for a service.
const ON_THE_SOCKET: [Greedy; 9] = [
    Greedy("one user at the limit", 64, FIRST, 1),
    Greedy("one user, one over", 65, FIRST, 1),
    Greedy("one user, far over", 1000, FIRST, 1),
    Greedy("a hundred users at the limit", 64, FIRST, USERS),
    Greedy("a hundred users, one over", 65, FIRST, USERS),
    Greedy("a hundred users, far over", 120, FIRST, USERS),
    Greedy("a service at the limit", 1024, 0, 1),
    Greedy("a service, one over", 1025, 0, 1),
    Greedy("a service, far over", 4000, 0, 1),
];

impl Greedy {
    /// It holds what it gets.
    fn holds(&self, site: &Site) -> Running {
        let Self(who, each, first, uids) = self;
        site.shell("rm -f /tmp/let-go /tmp/all-hold /tmp/holds-*").done();
        let command = format!(
            "ulimit -n 8192; exec systemd-run --quiet --wait --collect --unit=greedy -p LimitNOFILE=8192 \
             python3 /usr/local/lib/holds.py {each} {first} {uids}"
        );
        let run = site.machine.start(LONG, &["bash", "-c", &command]);
        until(SOON * 4, &format!("{who}: all hold"), || site.machine.path("/tmp/all-hold").exists());
        run
    }

    fn lets_go(&self, site: &Site, run: Running) {
        // It may have gone by itself, and its unit with it.
        site.shell("touch /tmp/let-go; systemctl stop greedy || ! systemctl is-active --quiet greedy").done();
        drop(run.output());
        until(SOON * 2, &format!("{}: its places come back", self.0), || open_connections(site) == 0);
    }
}

/// An exempt root, somebody with a window, and an order of root's. On a busy machine the processes of a hundred users
/// take the time that the module waits as well: so each may try again, and has to be answered three times.
fn others_are_answered(site: &Site, during: &str) {
    for command in [
        "pamtester sshd root acct_mgmt",
        "pamtester sshd next acct_mgmt",
        "jitctl lock user:locked --message x",
    ] {
        for _ in 0..3 {
            until(SOON * 2, &format!("{during}: {command}"), || site.shell(command).is_ok());
        }
    }
}

pub(crate) fn of_the_private_socket(site: &Site) {
    people(site, &[]);
    users(site);
    site.machine.write("/usr/local/lib/holds.py", HOLDS, 0o644);
    for greedy in &ON_THE_SOCKET {
        let run = greedy.holds(site);
        others_are_answered(site, greedy.0);
        let Greedy(_, each, first, uids) = greedy;
        let most = if *first == 0 { 1024 } else { 64 * uids };
        let most = usize::try_from(most.min(each * uids)).unwrap() + 3;
        // What the kernel has taken and jitd has not looked at yet is among them.
        until(SOON * 2, "what is over the limit is closed", || open_connections(site) <= most);
        say(&format!("  {}: {} connections open\n", greedy.0, open_connections(site)));
        greedy.lets_go(site, run);
    }

    // While it starts again, and after a kill.
    let greedy = &ON_THE_SOCKET[5];
    let run = greedy.holds(site);
    for again in ["systemctl restart jitd", "systemctl kill --signal=KILL jitd"] {
        site.shell(again).done();
        // All of theirs come at once then, and those of others behind them.
        until(SOON * 2, "it is back", || {
            site.shell("jitctl status && pamtester sshd next acct_mgmt").is_ok()
        });
        until(SOON * 2, "all have come", || open_connections(site) > 1000);
        others_are_answered(site, again);
    }
    greedy.lets_go(site, run);

    // With a disk that takes its time.
    let slow = on_a_slow_disk(site);
    for greedy in [&ON_THE_SOCKET[2], &ON_THE_SOCKET[5]] {
        let run = greedy.holds(site);
        others_are_answered(site, &format!("{} with a slow disk", greedy.0));
        greedy.lets_go(site, run);
    }
    slow.says("slow.so");
}

/// A call to have something on disk takes a fifth of a second from now on. It is what jitd waits for, whatever the disk.
fn on_a_slow_disk(site: &Site) -> jit_tests::machine::Output {
    let source = site.machine.path("/tmp/slow.c");
    std::fs::write(
        &source,
        "#include <time.h>\n#include <unistd.h>\n#include <sys/syscall.h>\n\
         static void slow(void) { struct timespec fifth = {0, 200000000}; nanosleep(&fifth, 0); }\n\
         int fsync(int fd) { slow(); return (int)syscall(SYS_fsync, fd); }\n\
         int fdatasync(int fd) { slow(); return (int)syscall(SYS_fdatasync, fd); }\n",
    )
    .unwrap();
    let library = site.machine.path("/usr/local/lib/slow.so");
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]).arg(&library).arg::<&Path>(&source);
    assert!(cc.stdin(Stdio::null()).status().unwrap().success());
    let with = "[Service]\nEnvironment=LD_PRELOAD=/usr/local/lib/slow.so\n";
    site.shell("mkdir -p /etc/systemd/system/jitd.service.d").done();
    site.machine.write("/etc/systemd/system/jitd.service.d/slow.conf", with, 0o644);
    site.shell("systemctl daemon-reload && systemctl restart jitd").done();
    site.is_ready();
    let maps = site.shell("cat /proc/$(systemctl show -P MainPID jitd)/maps");
    assert!(maps.is_ok());
    maps
}

/// Each of these uids has so many calls in flight at once, on a connection that the bus has named already; and how many
/// of each are answered. jitd is stopped until all have sent theirs.
const CALLS: &str = r#"
so_many, first, uids = (int(arg) for arg in sys.argv[1:4])
def messages(one):
    read = b""
    while True:
        while len(read) >= 16:
            body, fields = struct.unpack("<I", read[4:8])[0], struct.unpack("<I", read[12:16])[0]
            length = (16 + fields + 7) // 8 * 8 + body
            if len(read) < length: break
            yield read[:length]
            read = read[length:]
        try: more = one.recv(1 << 16)
        except TimeoutError: return
        if not more: return
        read += more
def is_to(message, serial):
    return message[1] in (2, 3) and struct.pack("<BBcBI", 5, 1, b"u", 0, serial) in message
def wait_for(path):
    while not os.path.exists(path): time.sleep(0.05)
for uid in range(first, first + uids):
    if os.fork() == 0: break
else:
    for step in ("named", "sent", "done"):
        while len([one for one in os.listdir("/tmp") if one.startswith(step + "-")]) < uids: time.sleep(0.05)
        open("/tmp/all-" + step, "w").close()
    sys.exit()
if uid: os.setresuid(uid, uid, uid)
one = connect()
one.setblocking(True); one.settimeout(30)
# Whose it is is known when this has been answered.
one.sendall(call(9, "org.jitd.Jit1.User", "Status"))
all = messages(one)
while not is_to(next(all), 9): pass
open(f"/tmp/named-{uid}", "w").close()
wait_for("/tmp/send")
for serial in range(10000, 10000 + so_many): one.sendall(call(serial, "org.jitd.Jit1.User", "Status"))
open(f"/tmp/sent-{uid}", "w").close()
answered = turned_away = 0
one.settimeout(5)
for message in all:
    answered += message[1] == 2
    turned_away += message[1] == 3
    if answered + turned_away == so_many: break
open(f"/tmp/.done-{uid}", "w").write(f"{answered} {turned_away}\n"); os.rename(f"/tmp/.done-{uid}", f"/tmp/done-{uid}")
os._exit(0)
"#;

/// The limits are 16 and 1,280 for users, and 256 for root (jitd/src/bus/admission.rs).
const ON_THE_BUS: [Greedy; 9] = [
    Greedy("one user at the limit", 16, FIRST, 1),
    Greedy("one user, one over", 17, FIRST, 1),
    Greedy("one user, far over", 600, FIRST, 1),
    Greedy("a hundred users at the limit", 16, FIRST, USERS),
    Greedy("a hundred users, one over", 17, FIRST, USERS),
    Greedy("a hundred users, far over", 100, FIRST, USERS),
    Greedy("root at the limit", 256, 0, 1),
    Greedy("root, one over", 257, 0, 1),
    Greedy("root, far over", 600, 0, 1),
];

/// What becomes of jitd when all of their calls are on their way to it.
const GOES_ON: &str = "systemctl kill --signal=CONT jitd";

/// All of the greedy send all of their calls while jitd is stopped, and then it `goes_on`. Returns how many calls each
/// had answered, and that every one of them got a reply or an error.
fn calls_at_once(site: &Site, greedy: &Greedy, goes_on: &str) -> Vec<u32> {
    let Greedy(who, each, first, uids) = greedy;
    site.shell("rm -f /tmp/send /tmp/all-* /tmp/named-* /tmp/sent-* /tmp/done-*").done();
    let command = format!("exec python3 /usr/local/lib/calls.py {each} {first} {uids}");
    let run = site.machine.start(LONG, &["bash", "-c", &command]);
    let step = |step: &str| {
        let path = format!("/tmp/all-{step}");
        until(SOON * 4, &format!("{who}: all {step}"), || site.machine.path(&path).exists());
    };
    step("named");
    site.shell("systemctl kill --signal=STOP jitd; touch /tmp/send").done();
    step("sent");
    site.shell(goes_on).done();
    others_are_answered(site, &format!("{who}, {goes_on}"));
    step("done");
    run.output().done();
    let counts = site.shell("cat /tmp/done-*");
    let answered: Vec<u32> =
        counts.done().lines().map(|line| line.split_once(' ').unwrap().0.parse().unwrap()).collect();
    let (all, least) = (answered.iter().sum::<u32>(), answered.iter().min().unwrap());
    say(&format!("  {who}: {all} of {} answered, of one at least {least}\n", each * uids));
    // The next call of the greedy, and one of somebody else.
    for uid in [first.to_string().as_str(), "next"] {
        let status = ["setpriv", "--reuid", uid, "--clear-groups", "jitctl", "status"];
        until(SOON * 2, &format!("{who}: {uid} is answered"), || site.machine.run(&status).is_ok());
    }
    answered
}

pub(crate) fn of_the_bus(site: &Site) {
    people(site, &[]);
    users(site);
    site.machine.write("/usr/local/lib/calls.py", &format!("{CLIENT}{CALLS}"), 0o644);
    // What is within one's share is answered. A connection to dbus-daemon may wait for 128 replies. Of a hundred who
    // are greedy at once, a busy bus does not say in time who all of them are.
    let share = |Greedy(_, each, first, uids): &Greedy| {
        if *uids > 1 { 0 } else { (*each).min(if *first == 0 { 128 } else { 16 }) }
    };
    for greedy in &ON_THE_BUS {
        let answered = calls_at_once(site, greedy, GOES_ON);
        assert!(answered.iter().all(|one| *one >= share(greedy)), "{}: {answered:?}", greedy.0);
    }
    let [one_user, all_users, root] = [2, 5, 8].map(|number| &ON_THE_BUS[number]);

    // It is killed, or stopped and started, with all of their calls before it.
    calls_at_once(site, all_users, "systemctl kill --signal=KILL jitd");
    calls_at_once(site, root, &format!("{GOES_ON}; systemctl restart jitd"));

    // With a disk that takes its time.
    let slow = on_a_slow_disk(site);
    for greedy in [one_user, all_users] {
        let answered = calls_at_once(site, greedy, GOES_ON);
        assert!(answered.iter().all(|one| *one >= share(greedy)), "{}: {answered:?}", greedy.0);
    }
    slow.says("slow.so");
    assert_eq!(site.check("sshd", "next").verdict, Verdict::Allow);
}

/// What the kernel counts of jitd, and the most that it lets it have, whatever the machine's own control groups can do:
/// this host's groups of the old hierarchy, where it has them, else the group of the unit.
struct Limited {
    group: std::path::PathBuf,
    most: &'static str,
    events: &'static str,
}

impl Limited {
    /// `what` is `memory` or `pids`. From now on jitd is counted in it.
    fn of_jitd(site: &Site, what: &str) -> Self {
        let pid = site.machine.pid_on_host(number(site, "MainPID"));
        let old = Path::new("/sys/fs/cgroup").join(what);
        if old.join("cgroup.procs").exists() {
            let group = old.join(format!("pam-jit-limits-{pid}"));
            std::fs::create_dir_all(&group).unwrap();
            std::fs::write(group.join("cgroup.procs"), pid.to_string()).unwrap();
            return match what {
                "memory" => Self { group, most: "memory.limit_in_bytes", events: "memory.oom_control" },
                _ => Self { group, most: "pids.max", events: "pids.events" },
            };
        }
        let group = site.machine.path("/sys/fs/cgroup/system.slice/jitd.service");
        match what {
            "memory" => Self { group, most: "memory.max", events: "memory.events" },
            _ => Self { group, most: "pids.max", events: "pids.events" },
        }
    }

    fn set(&self, most: u64) {
        std::fs::write(self.group.join(self.most), most.to_string()).unwrap();
    }

    /// So many bytes more than it has. What it had before is counted in the old hierarchy's group that it came from.
    fn allow_more(&self, bytes: u64) {
        let current = std::fs::read_to_string(self.group.join("memory.current"));
        self.set(current.map_or(0, |current| current.trim().parse().unwrap()) + bytes);
    }

    /// Whether the kernel has ended it for its memory. A group of systemd's goes with what ran in it.
    fn ended_jitd(&self, site: &Site) -> bool {
        match self.events {
            "memory.oom_control" => self.events("oom_kill") > 0,
            _ => site.shell("journalctl -o cat --no-pager -u jitd").all().contains("OOM killer"),
        }
    }

    /// How often the kernel refused a task, or ended jitd for its memory.
    fn events(&self, name: &str) -> u64 {
        let events = std::fs::read_to_string(self.group.join(self.events)).unwrap();
        let line =
            events.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
        line.unwrap_or_else(|| panic!("no {name} in {events}")).parse().unwrap()
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        // Only a group that was made here can be removed; and only when nothing is left in it, which takes a moment.
        for _ in 0..100 {
            if std::fs::remove_dir(&self.group).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn show(site: &Site, what: &str) -> String {
    site.shell(&format!("systemctl show -P {what} jitd")).done().to_owned()
}

fn number(site: &Site, what: &str) -> u64 {
    show(site, what).parse().unwrap()
}

/// A jitd that can have no more memory or tasks answers with what it has; one that the kernel ends for its memory is
/// back with all that it confirmed.
pub(crate) fn of_the_unit(site: &Site) {
    site.person_with_role("mona", &["sshd"]);
    let window = site.open("mona", "mona", "30m");
    site.ssh("mona").admits("mona");
    let (memory_max, tasks_max) = (256_u64 << 20, 512_u64);
    assert_eq!((number(site, "MemoryMax"), number(site, "TasksMax")), (memory_max, tasks_max));
    let answers = |during: &str| {
        until(SOON, &format!("{during}: it answers"), || site.shell("jitctl list --all").is_ok());
        site.ssh("mona").admits("mona");
        site.shell("jitctl lock user:root && jitctl unlock user:root").done();
        assert_eq!(site.entry(&window.id).state, "active", "{during}");
    };

    // No task more than it has.
    let killed = number(site, "MainPID");
    let tasks = Limited::of_jitd(site, "pids");
    let running = site.shell(&format!("ls /proc/{killed}/task | wc -l")).done().parse().unwrap();
    tasks.set(running);
    // An account that this host's files do not have is asked for by a thread of its own, which it can't have.
    let unknown = site.shell("pamtester sshd nobody-knows acct_mgmt");
    unknown.says("the name service does not say who nobody-knows is").says("Permission denied");
    let refused = tasks.events("max");
    assert!(refused > 0, "the kernel let it have more than {running} tasks: {unknown}");
    answers("no task to be had");
    say(&format!("  of {running} tasks it was refused {refused} more: {}\n", unknown.all().trim()));
    tasks.set(tasks_max);
    answers("tasks to be had again");
    assert_eq!(number(site, "MainPID"), killed, "it is who it was");

    // No address space more than it has.
    let no_more =
        format!("prlimit --pid {killed} --data=$(awk '/VmData/ {{print $2 * 1024}}' /proc/{killed}/status):");
    site.shell(&no_more).done();
    answers("no address space to be had");
    site.shell(&format!("prlimit --pid {killed} --data=unlimited")).done();

    // The kernel ends it for its memory, in the middle of an order that needs more than there is.
    let memory = Limited::of_jitd(site, "memory");
    memory.set(memory_max);
    answers("with the limit of the unit");
    assert!(!memory.ended_jitd(site), "what it does takes nothing near its limit");
    let restarts = number(site, "NRestarts");
    let killed = number(site, "MainPID");
    memory.allow_more(1 << 20);
    let roles: Vec<String> = (0..4000)
        .map(|role| {
            format!(
                "[role.many-{role}]\nservices = [\"sshd\"]\neligible = {{ users = [\"mona\"] }}\n\
                 [[role.many-{role}.stage]]\napprovers = {{ users = [\"root\"] }}\n"
            )
        })
        .collect();
    site.machine.write("/etc/jit/policy.d/90-many.toml", &format!("version = 1\n{}", roles.concat()), 0o644);
    site.shell("jitctl policy load; rm /etc/jit/policy.d/90-many.toml");
    until(SOON, "the kernel has ended it", || memory.ended_jitd(site));
    site.is_ready();
    assert_ne!(number(site, "MainPID"), killed, "it is another one");
    assert!(number(site, "NRestarts") > restarts);
    answers("ended for its memory");

    // "At once" is systemd's to keep: the 100 ms that it waits, and no more than one start. How long it took by its own
    // clock, between seeing the one end and starting the other, is for whoever reads.
    assert_eq!(show(site, "RestartUSec"), "100ms");
    let (killed, restarts) = (number(site, "MainPID"), number(site, "NRestarts"));
    site.shell("systemctl kill --signal=KILL jitd").done();
    site.is_ready();
    assert_ne!(number(site, "MainPID"), killed, "it is another one");
    assert_eq!(number(site, "NRestarts"), restarts + 1);
    let after = number(site, "ExecMainStartTimestampMonotonic")
        .saturating_sub(number(site, "ActiveExitTimestampMonotonic"));
    assert!(after >= 100_000, "{after} us");
    let resident = crate::shares::memory(site).0;
    say(&format!("  killed, and started again after {} ms, {resident} MiB then\n", after / 1000));
    answers("killed");
}
