//! What an unprivileged person tries.

use std::time::{Duration, Instant};

use jit_tests::machine::until;

use crate::site::{Entrance, SOON, Site};

pub(crate) fn owning_the_name(site: &Site) {
    site.person("manfred");
    let own = "busctl --system call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus \
               RequestName su org.jitd.Jit1 7";
    site.machine.as_user("manfred", own).says("denied").is_shut();
    let by_file = "printf '[D-BUS Service]\\nName=org.jitd.Jit1\\nExec=/bin/false\\n' \
                   >/usr/share/dbus-1/system-services/evil.service";
    site.machine.as_user("manfred", by_file).is_shut();
}

/// `Gate.Check` by busctl(1): the first words of the question, and the uid of who is said to call.
fn gate(user: &str, ruser: &str, caller: u32) -> String {
    format!(
        "busctl --system call org.jitd.Jit1 /org/jitd/Jit1 org.jitd.Jit1.Gate Check '(ayssssssuu)' \
         16 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 account sshd {user} '{ruser}' '' '' {caller} 0"
    )
}

pub(crate) fn asking_about_others(site: &Site) {
    site.person("eve");
    site.person_with_role("victim", &["sshd"]);
    let window = site.open("victim", "victim", "30m");
    let own: u32 = site.shell("id -u eve").done().parse().unwrap();
    let eve = |command: &str| site.machine.as_user("eve", command);
    eve(&gate("victim", "", own)).says("only root").is_shut();
    eve(&gate("victim", "eve", 0)).says("only root").is_shut();
    eve(&gate("eve", "", 0)).says("only root").is_shut();
    // About herself she may ask, as a screen locker does; the answer is what a login would get.
    eve(&gate("eve", "", own)).says("\"deny\" \"not-eligible\"").done();

    // The private socket is not hers.
    eve("busctl --address=unix:path=/run/jitd/private call org.jitd.Jit1 / a.b C").is_shut();
    // Nor is anything else.
    for call in [
        format!("Admin Revoke ss {} x", window.id),
        "Admin Grant ssts victim victim 60 reason-to-be".to_owned(),
        "Admin LoadPolicy".to_owned(),
        "Admin TryPolicy t 60".to_owned(),
        "Admin ConfirmPolicy".to_owned(),
        "User Policy".to_owned(),
        "User Roles s victim".to_owned(),
        "User Explain sssss sshd victim '' '' ''".to_owned(),
        format!("User Show s {}", window.id),
    ] {
        let (interface, rest) = call.split_once(' ').unwrap();
        eve(&format!("busctl --system call org.jitd.Jit1 /org/jitd/Jit1 org.jitd.Jit1.{interface} {rest}"))
            .is_shut();
    }
    assert_eq!(site.entry(&window.id).state, "active");
}

pub(crate) fn words_that_are_too_long_or_not_words(site: &Site) {
    site.person("lou");
    let jitd = || site.shell("systemctl show -P MainPID jitd").done().to_owned();
    let before = jitd();
    let call = |words: &str| {
        let user = "busctl --system call org.jitd.Jit1 /org/jitd/Jit1 org.jitd.Jit1";
        site.machine.as_user("lou", &format!("{user}.{words}"))
    };
    call("User Check sss sshd $(head -c 120000 /dev/zero | tr '\\0' a) ''")
        .says("the limit is 255")
        .is_shut();
    call("User Check sss sshd $'a\\nb' ''").is_shut();
    call("User Check sss sshd -rf ''").is_shut();
    call("User Check sss ../../etc lou ''").is_shut();
    call("User Check u 7").is_shut();
    call("User NoSuchMethod").is_shut();
    call("Gate Check '(ayssssssuu)' 2 1 2 account sshd lou '' '' '' 0 4294967295").is_shut();
    // A person by a bad name gets no further than the module.
    for name in ["'a b'", "-x", "$'a\\nb'", "%n%n", "$(head -c 3000 /dev/zero | tr '\\0' a)"] {
        site.shell(&format!("pamtester sshd {name} acct_mgmt")).is_shut();
    }
    assert_eq!(jitd(), before, "jitd is who it was");
    site.shell("jitctl status").done();
}

/// Counts who connects.
const LISTEN: &str = r#"
import os, socket, sys
one = socket.socket(socket.AF_UNIX)
one.bind("/tmp/hostile/bus")
one.listen(64)
open("/tmp/hostile/ready", "w").close()
while True:
    peer, _ = one.accept()
    open("/tmp/hostile/connected", "a").write("x")
    peer.close()
"#;

pub(crate) fn a_hostile_environment(site: &Site) {
    site.person_with_role("harm", &["su", "sudo"]);
    site.sudoer("harm", "Defaults:harm !env_reset, setenv\nharm ALL=(ALL) NOPASSWD:SETENV: ALL");
    site.machine.write("/usr/local/lib/listen.py", LISTEN, 0o644);
    let listen = "mkdir -p /tmp/hostile && exec timeout 100 python3 /usr/local/lib/listen.py";
    let listener = site.machine.start_as("harm", SOON * 6, listen);
    until(SOON, "it listens", || site.machine.path("/tmp/hostile/ready").exists());

    let environment = "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/tmp/hostile/bus DBUS_STARTER_ADDRESS=unix:path=/tmp/hostile/bus \
                       RUST_LOG=trace RUST_BACKTRACE=full TZ=:/etc/shadow FAKETIME=-1d NOTIFY_SOCKET=/tmp/hostile/bus \
                       LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 LD_LIBRARY_PATH=/tmp/hostile \
                       LISTEN_FDS=3 TMPDIR=/tmp/hostile PATH=/tmp/hostile:$PATH";
    let su = || {
        let su = format!("env {environment} su olga -c {{id -un}}");
        site.with_password("harm", &su.replace("$PATH", "/usr/bin:/bin"), "olga-pw")
    };
    let sudo =
        || site.machine.as_user("harm", &format!("env {environment} sudo -n --preserve-env=PATH id -un"));
    su().is_refused("harm", "harm");
    sudo().is_shut();
    let window = site.open("harm", "harm", "30m");
    su().admits("olga");
    sudo().admits("root");
    window.revoke();
    su().is_refused("harm", "harm");
    sudo().is_shut();
    assert!(!site.machine.path("/tmp/hostile/connected").exists(), "somebody believed the environment");
    site.shell("pkill -u harm python3");
    drop(listener.output());
}

pub(crate) fn stopping_ones_own_su(site: &Site) {
    site.person_with_role("stan", &["su"]);
    site.person_with_role("next", &["sshd", "su"]);
    site.open("next", "next", "30m");
    // While jitd is held still, his su's connect and wait; then he stops them where they are.
    site.shell("systemctl kill --signal=STOP jitd").done();
    let many: Vec<_> = (0..24)
        .map(|_| {
            let script = "printf 'olga-pw\\n' | su olga -c 'id -un'";
            site.machine.start_as("stan", Duration::from_secs(90), script)
        })
        .collect();
    let asking = "for su in $(pgrep -x su); do ls -l /proc/$su/fd; done 2>/dev/null | grep -c socket:";
    until(SOON, "some have asked", || site.shell(asking).stdout.trim().parse::<u32>().is_ok_and(|n| n > 2));
    site.machine.as_user("stan", "pkill -STOP -x -U stan su");
    site.shell("systemctl kill --signal=CONT jitd").done();
    assert!(site.shell("ps -o stat= -C su | grep -c T").stdout.trim().parse::<u32>().is_ok_and(|n| n > 0));

    let began = Instant::now();
    site.with_password("next", "su olga -c {id -un}", "olga-pw").admits("olga");
    site.ssh("next").admits("next");
    assert!(began.elapsed() < Duration::from_secs(10), "others had to wait {:?}", began.elapsed());
    site.shell("pkill -KILL -x su");
    for one in many {
        drop(one.output());
    }
}
