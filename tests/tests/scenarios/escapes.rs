//! People try to stay when their window is over: by what they run, by when they leave, by what does not answer.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use jit_tests::machine::until;

use crate::ends::{ended, goes_on, is_put_out, nothing_is_left, role, runs, stays};
use crate::recovery::{START_BUS, STOP_BUS};
use crate::site::{Entrance, Role, SOON, Site};

/// How long what is to go may take where it does all it can to stay.
const GONE: Duration = Duration::from_secs(30);

/// Puts the programs of escapes.c into the machine.
fn with_programs(site: &Site) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/escapes.c");
    let program = site.machine.path("/usr/local/bin/stay");
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"]).arg(&program).arg(source);
    let done = cc.stdin(Stdio::null()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Whether nothing holds a program's lock any more.
fn is_free(site: &Site, lock: &str) -> bool {
    site.shell(&format!("flock --nonblock {lock} true")).is_ok()
}

/// Somebody's program runs in an ssh session until a window ends, and not afterwards, and the record says so.
fn tries_to_stay(site: &Site, user: &str, how: &str, time: &str) {
    with_programs(site);
    for name in [user, "witness"] {
        site.person(name);
        site.roles(&[role(name, &["sshd"], name)]);
    }
    site.open("witness", "witness", "30m");
    let window = site.open(user, user, time);
    let lock = format!("/tmp/{how}.lock");
    let session =
        stays(site, user, &format!("setsid stay {how} {lock} >/dev/null 2>&1 </dev/null & sleep 0.3"));
    assert!(!is_free(site, &lock), "it runs");
    // Nobody else has to wait for it.
    site.ssh("witness").admits("witness");
    window.wait_for_its_end();
    is_put_out(session);
    until(GONE, "nothing of it is left", || is_free(site, &lock));
    nothing_is_left(site, user);
    let ended = ended(site, &window);
    assert!(ended.contains("left=\"0\"") && !ended.contains("spared"), "{ended}");
    assert!(is_free(site, &lock), "what the record says is so");
}

pub(crate) fn behind_a_thread_that_has_ended(site: &Site) {
    tries_to_stay(site, "hidda", "hidden", "8s");
}

pub(crate) fn by_forking_faster_than_one_can_look(site: &Site) {
    tries_to_stay(site, "hopp", "hopper", "8s");
}

pub(crate) fn by_a_fork_bomb(site: &Site) {
    tries_to_stay(site, "bombo", "bomb", "15s");
}

/// Below a scope of one's own: groups nested 15 deep in names of 240 bytes and, in the last, one for each process.
const DEEP: &str = r#"
import os, signal, sys

os.chdir("/sys/fs/cgroup" + open("/proc/self/cgroup").read().strip().split("::")[1])
for _ in range(15):
    os.mkdir("x" * 240)
    os.chdir("x" * 240)
for number in range(int(sys.argv[1])):
    os.mkdir(str(number))
    child = os.fork()
    if child == 0:
        signal.pause()
    with open(f"{number}/cgroup.procs", "w") as procs:
        procs.write(str(child))
open("/tmp/deep", "w").close()
signal.pause()
"#;

/// `JIT_DEEP` says how many.
pub(crate) fn in_deep_groups(site: &Site) {
    let many = crate::stage::count("JIT_DEEP", 1500);
    site.person("tiefa");
    site.roles(&[role("tiefa", &["sshd"], "tiefa")]);
    site.machine.write("/usr/local/lib/deep.py", DEEP, 0o644);
    let jitd = |what: &str| {
        let line = site.shell(&format!("grep {what} /proc/$(systemctl show -P MainPID jitd)/status")).stdout;
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap()
    };
    let window = site.open("tiefa", "tiefa", "30m");
    let script = format!(
        "export XDG_RUNTIME_DIR=/run/user/$(id -u)
         systemd-run --user --quiet --scope -p Delegate=yes python3 /usr/local/lib/deep.py {many} >/dev/null 2>&1 &"
    );
    let session = stays(site, "tiefa", &script);
    until(GONE * 3, "all of them run", || site.machine.path("/tmp/deep").exists());
    let before = jitd("VmHWM");
    window.revoke();
    // Others are answered meanwhile.
    let mut longest = Duration::ZERO;
    while site.logged("sessions-ended", &window.id).is_empty() {
        let began = std::time::Instant::now();
        site.check("sshd", "tiefa");
        longest = longest.max(began.elapsed());
    }
    let ended = ended(site, &window);
    assert!(ended.contains("left=\"0\"") && !ended.contains("spared"), "{ended}");
    is_put_out(session);
    nothing_is_left(site, "tiefa");
    let grown = jitd("VmHWM").saturating_sub(before);
    crate::stage::say(&format!(
        "{many} processes in groups of 3.7 KB: jitd's peak grew by {grown} KiB at their end, and the slowest of other \
         answers took {} ms\n",
        longest.as_millis()
    ));
    // The paths alone are more than that.
    assert!(grown < u64::try_from(many).unwrap() * 3, "{grown} KiB");
}

pub(crate) fn frozen(site: &Site) {
    site.person("frosta");
    site.roles(&[role("frosta", &["sshd"], "frosta")]);
    let window = site.open("frosta", "frosta", "10s");
    let session = stays(site, "frosta", "setsid sleep 2001 >/dev/null 2>&1 &");
    let unit = || site.sessions().into_iter().find(|one| one.user == "frosta").and_then(|one| one.unit);
    until(SOON, "its scope is known", || unit().is_some());
    // As `systemctl freeze` does where the unified hierarchy is the only one.
    let freeze = format!("find /sys/fs/cgroup -path '*/{}/cgroup.freeze'", unit().unwrap());
    site.shell(&format!("file=$({freeze}) && [ -n \"$file\" ] && echo 1 >\"$file\"")).done();
    window.wait_for_its_end();
    is_put_out(session);
    nothing_is_left(site, "frosta");
}

/// jitd is killed after it has let a login in and before it can know where that runs; the login leaves something behind
/// and is over before jitd is back.
pub(crate) fn a_login_that_jitd_never_saw_run(site: &Site) {
    site.person("flinka");
    site.roles(&[role("flinka", &["sshd"], "flinka")]);
    let window = site.open("flinka", "flinka", "20s");
    site.shell(
        "printf '#!/bin/sh\\nkill -KILL $(systemctl show -P MainPID jitd)\\n' >/usr/local/sbin/kill-jitd
         chmod +x /usr/local/sbin/kill-jitd
         sed -i '/^session required pam_jit.so/a session optional pam_exec.so quiet /usr/local/sbin/kill-jitd' /etc/pam.d/sshd",
    )
    .done();
    let left = "setsid nohup sleep 2101 >/dev/null 2>&1 </dev/null & exit";
    site.logged_in("flinka", left);
    site.shell("sed -i /kill-jitd/d /etc/pam.d/sshd").done();
    goes_on(site, "sleep 2101");
    site.is_ready();
    until(SOON, "it is known again", || {
        site.sessions().iter().any(|one| one.user == "flinka" && one.unit.is_some() && one.state == "closed")
    });
    window.wait_for_its_end();
    nothing_is_left(site, "flinka");
    assert!(ended(site, &window).contains("left=\"0\""));
}

/// logind forgets the session and then does not answer; then nobody does, as the bus is down.
pub(crate) fn while_nobody_answers(site: &Site) {
    for name in ["loga", "busa"] {
        site.person(name);
        site.roles(&[role(name, &["sshd"], name)]);
    }
    let busy = r#"setsid sh -c 'trap "" TERM HUP; while :; do sleep 2201; done' >/dev/null 2>&1 &"#;
    let window = site.open("loga", "loga", "10s");
    let session = stays(site, "loga", busy);
    site.shell(
        "systemctl stop systemd-logind && rm -f /run/systemd/sessions/* && systemctl start systemd-logind",
    )
    .done();
    site.shell("systemctl kill --signal=STOP systemd-logind").done();
    window.wait_for_its_end();
    is_put_out(session);
    nothing_is_left(site, "loga");
    site.shell("systemctl kill --signal=CONT systemd-logind").done();

    site.open("busa", "busa", "10s");
    let session = stays(site, "busa", busy);
    site.shell(STOP_BUS).done();
    is_put_out(session);
    nothing_is_left(site, "busa");
    site.shell(START_BUS).done();
}

/// A manager that lingers starts with the machine, and the window is over by then.
pub(crate) fn over_a_reboot(site: &Site) {
    site.person("lina");
    site.roles(&[role("lina", &["sshd"], "lina")]);
    let window = site.open("lina", "lina", "30m");
    site.logged_in(
        "lina",
        r"d=~/.config/systemd/user; mkdir -p $d/default.target.wants
           printf '[Service]\nExecStart=/usr/bin/sleep 2301\n' >$d/stay.service
           ln -s ../stay.service $d/default.target.wants/stay.service",
    )
    .done();
    site.shell("loginctl enable-linger lina && systemctl restart user@$(id -u lina)").done();
    until(SOON, "it runs", || runs(site, "sleep 2301"));
    site.machine.reboot();
    site.is_ready();
    let ended = ended(site, &window);
    nothing_is_left(site, "lina");
    assert!(!site.machine.path("/var/lib/systemd/linger/lina").exists(), "it would start again");
    assert!(ended.contains("left=\"0\""), "{ended}");
}

pub(crate) fn where_proc_hides_processes(site: &Site) {
    site.shell("groupadd see && mount -o remount,hidepid=2,gid=$(getent group see | cut -d: -f3) /proc")
        .done();
    site.shell("systemctl restart jitd").done();
    site.is_ready();
    site.person("hida");
    site.sudoer("hida", "hida ALL=(ALL) NOPASSWD: ALL");
    // Covered by the longer one, so that only what is known of the other session can end it.
    site.roles(&[role("hida", &["sudo"], "hida"), Role::new("hida-ssh", &["sshd"], "hida")]);
    site.open("hida", "hida-ssh", "30m");
    let window = site.open("hida", "hida", "8s");
    let mut session = stays(site, "hida", "sudo -n setsid sleep 2401 >/dev/null 2>&1 &");
    until(SOON, "it runs", || runs(site, "sleep 2401"));
    window.wait_for_its_end();
    until(SOON, "it is gone", || !runs(site, "sleep 2401"));
    assert!(session.is_running(), "the login goes on");
    assert!(!ended(site, &window).contains("hidepid"));
    site.shell("loginctl terminate-user hida");
    drop(session.output());
}

pub(crate) fn locks_of_every_kind(site: &Site) {
    site.shell("groupadd locals").done();
    site.person("lukas");
    site.shell("gpasswd -a lukas locals").done();
    site.policy(
        "50-lukas",
        "[role.lukas]\nhosts = [\"*\"]\nservices = [\"sshd\"]\neligible = { groups = [\"locals\"] }\n\
         max-duration = \"4h\"\ngrace = \"30m\"\nat-end = \"drain\"\n\
         [[role.lukas.stage]]\napprovers = { users = [\"root\"] }\n",
    );
    for scope in ["user:lukas", "group:locals", "service:sshd", "role:lukas", "host"] {
        site.open("lukas", "lukas", "30m");
        let session = stays(site, "lukas", "");
        site.shell(&format!("jitctl lock {scope} --message 'INC-9 wait'")).done();
        is_put_out(session);
        assert!(!site.logged("session-over", "locked").is_empty(), "{scope}");
        site.ssh("lukas").refuses(&format!("locked ({scope})"));
        site.shell(&format!("jitctl unlock {scope}")).done();
        site.shell(
            "jitctl --json list | grep -o 'g-[0-9a-z]*' | sort -u | xargs -r -n1 jitctl revoke || true",
        );
    }

    // One that may still finish its work does not under a lock; this one ends by itself.
    let window = site.open("lukas", "lukas", "5s");
    let mut session = stays(site, "lukas", "");
    window.wait_for_its_end();
    thread::sleep(Duration::from_secs(2));
    assert!(session.is_running(), "it may finish within half an hour");
    site.shell("jitctl lock user:lukas --for 3s").done();
    is_put_out(session);
    until(SOON, "the lock has run out", || !site.shell("jitctl status").stdout.contains("user:lukas"));
    site.open("lukas", "lukas", "30m");
    site.ssh("lukas").admits("lukas");
}

pub(crate) fn a_counted_window_goes_on_with_a_session(site: &Site) {
    site.person("cleo");
    site.roles(&[
        role("cleo-day", &["sshd"], "cleo"),
        Role::new("cleo-once", &["sshd"], "cleo").single_use(),
    ]);
    let day = site.open("cleo", "cleo-day", "8s");
    let mut session = stays(site, "cleo", "");
    let once = site.open("cleo", "cleo-once", "30m");
    day.wait_for_its_end();
    ended(site, &day);
    assert!(session.is_running(), "it goes on");
    let moved = site.logged("session-moved", &once.id);
    assert!(moved.iter().any(|line| line.contains("uses=\"true\"")), "{moved:?}");
    assert_eq!(site.entry(&once.id).used, 1);
    site.ssh("cleo").refuses("spent");
    once.revoke();
    is_put_out(session);
}
