//! What an unprivileged person tries.

use std::time::Duration;

use jit_tests::machine::until;

use crate::site::{Entrance, SOON, Site};

pub(crate) fn owning_the_name(site: &Site) {
    site.person("manfred");
    let own = "busctl --system call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus \
               RequestName su org.jitd.Jit1 7";
    site.machine.as_user("manfred", own).refuses("denied");
    let by_file = "printf '[D-BUS Service]\\nName=org.jitd.Jit1\\nExec=/bin/false\\n' \
                   >/usr/share/dbus-1/system-services/evil.service";
    site.machine.as_user("manfred", by_file).refuses("Permission denied");
    // Root is told by the bus itself that it may; jitd has the name, and keeps it.
    site.shell(own).says("u 3").done();
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
    eve(&gate("victim", "", own)).refuses("only root");
    eve(&gate("victim", "eve", 0)).refuses("only root");
    eve(&gate("eve", "", 0)).refuses("only root");
    // About herself she may ask, as a screen locker does; the answer is what a login would get.
    eve(&gate("eve", "", own)).says("\"deny\" \"not-eligible\"").done();

    // The private socket is not hers, and root's.
    let connect = "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"/run/jitd/private\")'";
    eve(connect).refuses("Permission denied");
    site.shell(connect).done();
    // Nor is anything else.
    let (login, admin) = ("this process is in no login", "only an admin may do this");
    let own = "jitctl list --all' shows yours";
    site.policy("40-eve", "[[exempt]]\nusers = [\"eve\"]\nservices = [\"sshd\"]\n");
    for (call, without_login, why) in [
        (&*format!("Admin Revoke ss {} x", window.id), login, admin),
        ("Admin Grant ssts victim victim 60 reason-to-be", login, admin),
        ("Admin LoadPolicy", login, admin),
        ("Admin TryPolicy t 60", login, admin),
        ("Admin ChangePolicy ts 0 x", login, admin),
        ("Admin OverridePolicy s x", login, admin),
        ("Admin ForcePolicy ts 0 x", login, admin),
        ("Admin LoadSignedPolicy ayaays 0 0 x", login, admin),
        ("Admin ConfirmPolicy", login, admin),
        ("User Policy", "may read the whole policy", "may read the whole policy"),
        ("User Roles s victim", "the roles of somebody else", "the roles of somebody else"),
        ("User Explain sssss sshd victim '' '' ''", "check somebody else", "check somebody else"),
        (&*format!("User Show s {}", window.id), own, own),
    ] {
        let (interface, rest) = call.split_once(' ').unwrap();
        let call =
            format!("busctl --system call org.jitd.Jit1 /org/jitd/Jit1 org.jitd.Jit1.{interface} {rest}");
        eve(&call).refuses(without_login);
        // Nor in a login of her own.
        site.logged_in("eve", &call).refuses(why);
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
    call("User Check sss sshd $(head -c 3000 /dev/zero | tr '\\0' a) ''").refuses("the limit is 255");
    call("User Check sss sshd $(head -c 120000 /dev/zero | tr '\\0' a) ''").refuses("too long");
    call("User Check sss sshd $'a\\nb' ''").refuses("user name has the character U+000A");
    call("User Check -- sss sshd -rf ''").refuses("user name has '-'");
    call("User Check sss ../../etc lou ''").refuses("service name has '.'");
    call("User Check u 7").refuses("Signature mismatch");
    call("User NoSuchMethod").refuses("Unknown method");
    call("Gate Check '(ayssssssuu)' 2 1 2 account sshd lou '' '' '' 0 4294967295")
        .refuses("nonce does not have 16 bytes");
    // A person by a bad name gets no further than the module.
    for name in ["'a:b'", "-x", "$'a\\nb'", "a/b", "$(head -c 3000 /dev/zero | tr '\\0' a)"] {
        let asks = || site.shell(&format!("pamtester sshd {name} acct_mgmt"));
        site.module_refuses("refused because=\"PAM_USER is not the name of an account", "", asks);
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
    site.denies("harm", "no-window", sudo);
    let window = site.open("harm", "harm", "30m");
    su().admits("olga");
    sudo().admits("root");
    window.revoke();
    su().is_refused("harm", "harm");
    site.denies("harm", "no-window", sudo);
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

    // Their module waits 3 s at most: whoever had to wait for him would be refused.
    site.with_password("next", "su olga -c {id -un}", "olga-pw").admits("olga");
    site.ssh("next").admits("next");
    site.shell("pkill -KILL -x su");
    for one in many {
        drop(one.output());
    }
}
